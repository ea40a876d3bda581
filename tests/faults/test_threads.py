# SPDX-License-Identifier: MIT
"""A limit on threads: a server that runs has all it needs, one that has not does not start."""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile

import pytest

from conftest import PATIENCE_S, PROGRAM, STARTED
from serving import Wire

NOBODY = 54321  # the limit is counted per user, and root has none


@pytest.fixture(name='folder')
def folder_fixture():
    folder = pathlib.Path(tempfile.mkdtemp(prefix='llmgr-threads-'))
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def limited(count):
    def limit():
        resource.setrlimit(resource.RLIMIT_NPROC, (count, count))
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return limit


def look_up(port, token):
    """Asks with a token that is not in memory: the database is asked off the loop."""
    wire = Wire(port)
    wire.send('GET /v1/models HTTP/1.1\r\nHost: localhost\r\n'
              f'Authorization: Bearer {token}\r\n\r\n')
    answer = wire.answer()
    wire.close()
    return answer.status


@pytest.mark.skipif(os.geteuid() != 0, reason='only root may become somebody else')
def test_a_server_without_threads_does_not_start(folder):
    env = {'HOME': str(folder), 'PATH': '/usr/bin:/bin', 'LC_ALL': 'C.UTF-8',
           'LLMGR_DB': f'sqlite:{folder}/llmgr.db'}
    subprocess.run([PROGRAM, 'init'], cwd=folder, env=env, check=True, capture_output=True,
                   preexec_fn=limited(64), timeout=PATIENCE_S)
    made = subprocess.run([PROGRAM, '-u', 'ann', 'token', 'create'], cwd=folder, env=env,
                          check=True, capture_output=True, preexec_fn=limited(64),
                          timeout=PATIENCE_S)
    token = made.stdout.decode().strip()
    outcomes = []
    for count in range(1, 16):
        with open(folder / 'serve.err', 'w+b') as errors:
            process = subprocess.Popen(
                [PROGRAM, '--mode', 'custom', 'serve', '--workers', '2', '--listen',
                 '127.0.0.1:0'], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=errors,
                text=True, preexec_fn=limited(count))
            STARTED.append(process.pid)
            found = re.search(r':(\d+)', process.stdout.readline())
            outcomes.append(found is not None)
            if found:
                assert look_up(int(found.group(1)), token) == 200, count
                process.terminate()
            code = process.wait(PATIENCE_S)
            process.stdout.close()
            errors.seek(0)
            said = errors.read()
        assert (code == 0) == outcomes[-1], (count, code, said)
        assert found or said.startswith(b'llmgr: '), (count, said)
    assert not outcomes[0] and outcomes[-1]
