# SPDX-License-Identifier: MIT
"""Disks that are really full: a small file system, a limit of file sizes, and /dev/full."""
import os
import resource
import shutil
import subprocess
import time

import pytest

from conftest import PATIENCE_S, PROGRAM, Llmgr, Site
from serving import Serving, configure
from stress import ledger
from test_program import QuietMock, state

MAX_FILE = 256 << 10


# ---- Standard output -------------------------------------------------------------------------


@pytest.mark.parametrize('words', [
    'help', 'help --man', 'help --completion bash', '--version', 'platform list',
    '--json model list',
    'db check', 'key status', 'explain', 'usage', 'token list', 'sync --dry-run',
    'token create --kind admin', 'chat --no-stream hello', 'chat hello'])
def test_an_answer_that_cannot_be_written_is_no_success(tmp_path, mockllm, words):
    site = Site(tmp_path, f'sqlite:{tmp_path}/llmgr.db', mockllm)
    site.ok('init')
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([PROGRAM, *words.split()], cwd=site.folder, env=site.env,
                              stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                              timeout=PATIENCE_S, check=False)
    assert done.returncode == 1, done.stderr
    assert b'cannot be written' in done.stderr


# ---- A limit of file sizes -------------------------------------------------------------------


def copied_state(site):
    """Of a copy: who opens the database itself moves its log into it when he closes it."""
    copy = site.folder.parent / 'copy'
    shutil.copytree(site.folder, copy)
    found = state(copy)
    shutil.rmtree(copy)
    return found


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE, MAX_FILE))


def test_a_file_size_limit_is_an_error_and_no_signal(tmp_path):
    """SIGXFSZ would end the process."""
    (tmp_path / 'site').mkdir()
    site = Site(tmp_path / 'site', f'sqlite:{tmp_path}/site/llmgr.db', QuietMock())
    site.ok('init')
    wide = '{"note": "' + 'x' * 15000 + '"}'
    platform = site.add_platform('ann', 'Mine')
    codes = []
    for i in range(40):
        before = copied_state(site)
        done = subprocess.run(
            [PROGRAM, '-u', 'ann', 'model', 'add', '--platform', str(platform), '--name', f'm{i}',
             '--extra-body', wide], cwd=site.folder, env=site.env, preexec_fn=limited,
            capture_output=True, timeout=PATIENCE_S, check=False)
        codes.append(done.returncode)
        assert done.returncode in (0, 9), (done.returncode, done.stderr)
        if done.returncode != 0:
            assert b'space' in done.stderr
            assert copied_state(site) == before
            break
    assert codes[0] == 0 and codes[-1] == 9
    site.ok('db', 'check')


# ---- A small file system ---------------------------------------------------------------------


class SmallDisk:
    """A file system of its own in a name space that lives as long as the server in it."""

    def __init__(self, folder, size):
        self.folder, self.size = folder, size
        self.command = ['unshare', '-m', 'sh', '-c',
                        f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"', str(folder)]

    @staticmethod
    def possible():
        if os.geteuid() != 0 or shutil.which('unshare') is None:
            return False
        return subprocess.run(['unshare', '-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'],
                              capture_output=True, check=False).returncode == 0


class OnSmallDisk(Llmgr):
    """`llmgr serve` runs in the name space; its files are seen through the process."""

    def __init__(self, folder, disk):
        super().__init__(folder, f'sqlite:{disk.folder}/llmgr.db')
        self.disk = disk
        self.process = None

    def start(self, *args, env=None, **more):
        self.process = subprocess.Popen([*self.disk.command, PROGRAM, *map(str, args)],
                                        cwd=self.folder, env={**self.env, **(env or {})}, **more)
        return self.process

    @property
    def inside(self):
        return f'/proc/{self.process.pid}/root{self.disk.folder}'

    def rows(self):
        """The ledger's, from a backup outside: SQLite finds a database by its real path."""
        copy = self.folder / 'copy.db'
        copy.unlink(missing_ok=True)
        enter = ['nsenter', '-t', str(self.process.pid), '-m']
        subprocess.run([*enter, PROGRAM, 'db', 'backup', copy], cwd=self.folder,
                       env=self.env, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=PATIENCE_S)
        return ledger(Llmgr(self.folder, f'sqlite:{copy}'))


@pytest.mark.skipif(not SmallDisk.possible(), reason='no file system may be mounted here')
def test_a_gateway_on_a_full_disk_loses_nothing_and_recovers(tmp_path, mockllm):
    (tmp_path / 'disk').mkdir()
    llmgr = OnSmallDisk(tmp_path, SmallDisk(tmp_path / 'disk', '3m'))
    llmgr.env['LLMGR_JOURNAL_MAX'] = '64KiB'
    configure(llmgr, mockllm.base_url, {'Mock': 'mock-small'})
    server = Serving(llmgr)
    done = []

    def ask():
        answer = server.chat()
        if answer.status == 200:
            done.append(answer.fields['x-request-id'])
        return answer.status

    assert ask() == 200
    ballast = f'{llmgr.inside}/ballast'
    with open(ballast, 'wb', buffering=0) as file:
        with pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
    codes = [ask() for _ in range(1500)]
    assert set(codes) == {200, 507}, 'first the journal takes them in, then they are refused'
    refused = server.ask('/api/selections/main', method='PUT',
                         body={'platform_id': 1, 'model_id': 1},
                         fields={'Content-Type': 'application/json'})
    assert refused.status in (503, 507), refused.raw
    os.unlink(ballast)
    end = time.monotonic() + PATIENCE_S
    while ask() != 200:
        assert time.monotonic() < end, 'there is room again'
        time.sleep(0.05)
    while len(rows := llmgr.rows()) < len(done) and time.monotonic() < end:
        time.sleep(0.2)
    assert sorted(row['request_id'] for row in rows) == sorted(done)
    server.stop()
