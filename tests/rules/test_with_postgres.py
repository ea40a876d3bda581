# SPDX-License-Identifier: MIT
"""tools/with-postgres: a server and a folder for a command, which go with it."""
import fcntl
import os
import pathlib
import signal
import subprocess
import tempfile

import pytest

TOOL = pathlib.Path(__file__).resolve().parents[2] / 'tools' / 'with-postgres'
MEMORY = pathlib.Path('/dev/shm')
SHOW = 'echo "$TMPDIR"; echo "$LLMGR_TEST_POSTGRES"; psql -qXAtc "SELECT 7" "$LLMGR_TEST_POSTGRES"'


def start(command, **more):
    env = {name: value for name, value in os.environ.items()
           if name not in ('TMPDIR', 'LLMGR_TEST_POSTGRES')}
    return subprocess.Popen([TOOL, 'sh', '-c', command], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**env, **more})


def outcome(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out.split('\n')[:-1], err


def test_the_server_and_the_folder_go_with_the_command():
    code, (folder, url, seven), err = outcome(start(SHOW + '; exit 5'))
    assert (code, seven) == (5, '7'), err
    assert f'host={folder}/' in url and not pathlib.Path(folder).exists()


def test_a_folder_that_is_set_is_used(tmp_path):
    # The server's user cannot enter pytest's own folders.
    with tempfile.TemporaryDirectory(dir='/tmp') as place:
        os.chmod(place, 0o711)
        code, (folder, url, seven), err = outcome(start(SHOW, TMPDIR=place))
        assert (code, seven) == (0, '7'), err
        assert folder == place and f'host={place}/' in url and not os.listdir(place)


def test_a_signal_ends_all():
    process = start('echo "$TMPDIR"; read line')
    folder = pathlib.Path(process.stdout.readline().strip())
    assert folder.is_dir()
    process.send_signal(signal.SIGTERM)
    code, _, err = outcome(process)
    assert code == 128 + signal.SIGTERM and not folder.exists(), err


@pytest.mark.skipif(not os.access(MEMORY, os.W_OK), reason='there is no /dev/shm')
def test_what_a_killed_one_left_goes_and_what_is_in_use_stays():
    left, used = (MEMORY / f'llmgr.{word}{os.getpid() % 100:02}' for word in ('left', 'used'))
    try:
        for folder in (left, used):
            folder.mkdir()
            (folder / 'lock').touch()
        with open(used / 'lock', encoding='utf-8') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            code, _, err = outcome(start('true'))
        assert code == 0, err
        assert used.exists() and not left.exists()
    finally:
        for folder in (left, used):
            subprocess.run(['rm', '-rf', folder], check=True)
