# SPDX-License-Identifier: MIT
"""What other users of the machine see of a process, and of the files around it."""
import os
import signal
import subprocess
import time

import pytest

from conftest import PATIENCE_S, PROGRAM, Site
from serving import Serving, configure

WORD = 'geheim-0815'


def command_line(pid):
    with open(f'/proc/{pid}/cmdline', 'rb') as file:
        return file.read()


@pytest.mark.parametrize('words', [
    ['--db', 'postgres://llmgr:{}@127.0.0.1:1/x'],
    ['--db=postgresql://llmgr:{}@127.0.0.1:1/x'],
    ['--db', 'postgres://127.0.0.1:1/x?user=a&password={}'],
    ['--db', 'postgres:///x?host=/nowhere&sslpassword={}'],
])
def test_a_password_leaves_the_process_list(tmp_path, words):
    """The program stops itself before it does anything else: at a FIFO that nobody writes."""
    os.mkfifo(tmp_path / 'waits.yaml')
    words = [word.format(WORD) for word in words]
    with subprocess.Popen(
            [PROGRAM, '--config', 'waits.yaml', *words, 'platform', 'list'], cwd=tmp_path,
            env={'HOME': str(tmp_path), 'PATH': '/usr/bin:/bin', 'LC_ALL': 'C.UTF-8'},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + PATIENCE_S
        while WORD.encode() in (seen := command_line(process.pid)) or b'waits' not in seen:
            assert time.monotonic() < end, seen
            time.sleep(0.01)
        assert b'***' in seen
        with open(tmp_path / 'waits.yaml', 'wb') as fifo:
            fifo.write(b'json: false\n')
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert b'LLMGR_DB' in err and b'.pgpass' in err
    assert WORD.encode() not in out + err


def test_a_url_without_a_password_stays_as_it_is(llmgr):
    assert 'LLMGR_DB' not in llmgr.run('--db', 'sqlite:a:b@c.db', 'db', 'check').err
    assert 'LLMGR_DB' not in llmgr.run('--db', 'postgres://127.0.0.1:1/x', 'db', 'check').err


def test_a_readable_env_file_is_warned_of(tmp_path, mockllm):
    site = Site(tmp_path, f'sqlite:{tmp_path}/llmgr.db', mockllm)
    file = site.write('.env', 'BETA_KEY=sk-beta-0001\n')
    file.chmod(0o644)
    assert "chmod 600 .env" in site.run('init').err
    assert 'chmod' not in site.run('platform', 'list').err
    file.chmod(0o640)
    assert 'chmod' not in site.run('init').err


def test_a_server_warns_of_it_too(tmp_path, mockllm):
    site = Site(tmp_path, f'sqlite:{tmp_path}/llmgr.db', mockllm)
    configure(site, mockllm.base_url, {'Mock': 'mock-small'})
    site.write('.env', 'MOCK_KEY=sk-beta-0001\n').chmod(0o604)
    server = Serving(site)
    assert 'chmod 600 .env' in server.log
    server.signal(signal.SIGTERM)
    server.stop()


@pytest.mark.parametrize('folder', ['key', 'journal'])
def test_a_folder_that_everybody_may_write_is_refused(tmp_path, mockllm, folder):
    site = Site(tmp_path, f'sqlite:{tmp_path}/llmgr.db', mockllm)
    (tmp_path / 'key').mkdir(mode=0o700)
    (tmp_path / 'journal').mkdir(mode=0o700)
    site.env['LLMGR_MASTER_KEY_FILE'] = str(tmp_path / 'key' / 'master.key')
    site.env['LLMGR_JOURNAL_DIR'] = str(tmp_path / 'journal')
    site.ok('init')
    (tmp_path / folder).chmod(0o777)
    said = site.fails(9 if folder == 'key' else 1, 'serve', '--listen', '127.0.0.1:0')
    assert f"chmod o-w {tmp_path / folder}" in said


def test_a_key_behind_links_is_read(tmp_path, mockllm):
    """As Kubernetes mounts secrets."""
    site = Site(tmp_path, f'sqlite:{tmp_path}/llmgr.db', mockllm)
    secret = tmp_path / 'secret'
    (secret / '..2026_11').mkdir(parents=True)
    (secret / '..2026_11' / 'key').write_text('8f2a1c77d0e94b5566aa10fe3d9c2b71'
                                              '45e0b8a3f61d0c92e7743b58ac19d6f0\n')
    (secret / '..data').symlink_to('..2026_11')
    (secret / 'key').symlink_to('..data/key')
    site.env['LLMGR_MASTER_KEY_FILE'] = str(secret / 'key')
    (secret / '..2026_11' / 'key').chmod(0o444)
    assert 'chmod 600' in site.run('init').err
    (secret / '..2026_11' / 'key').chmod(0o400)
    site.ok('init')
    site.ok('key', 'status')
