# SPDX-License-Identifier: MIT
"""What the interoperation tests share. Peers are started once, when first asked for, and stopped at
the end; one that is not installed is skipped with its name.

    server     a running Server (peers.py), once per kind: its ports, what it `can`
    exchange   runs the driver (driver.c): a scene and requests in, one dict per exchange out
    gateways   running `llmgr serve`s (gateway.py) by name: what ends with "secret" speaks TLS,
               "single" is of that mode, "closed" without CORS
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from gateway import Gateway  # pylint: disable=wrong-import-position
from peers import BACKS, BUILD, KINDS, Yard  # pylint: disable=wrong-import-position

DRIVER = BUILD / 'tests/interop/interop_driver'


@pytest.fixture(name='yard', scope='session')
def yard_fixture():
    with tempfile.TemporaryDirectory(prefix='llmgr-interop-') as folder:
        # Servers that drop root's rights look at their files as somebody else.
        os.chmod(folder, 0o755)
        yard = Yard(pathlib.Path(folder))
        try:
            yield yard
        finally:
            yard.stop()


@pytest.fixture(name='servers', scope='session')
def servers_fixture(yard):
    """Starts each kind of server once, when it is first asked for."""
    running = {}

    def get(kind):
        if kind not in running:
            running[kind] = yard.server(kind, None if kind in BACKS else get('python'))
        return running[kind]
    return get


@pytest.fixture(name='server', scope='session', params=list(KINDS))
def server_fixture(servers, request):
    return servers(request.param)


@pytest.fixture(name='exchange', scope='session')
def exchange_fixture(yard):
    """exchange(request, ..., ca=FILE, proxy=URL, names={...}) -> [answer, ...]"""
    def go(*requests, ca=yard.folder / 'ca.pem', **scene):
        scene['ca'] = str(ca)
        parts = [urllib.parse.urlsplit(request['url']) for request in requests]
        split = [request | {'url': f'{part.scheme}://{part.netloc}', 'path': part.path}
                 for request, part in zip(requests, parts)]
        lines = '\n'.join(json.dumps(line) for line in (scene, *split)) + '\n'
        done = subprocess.run([DRIVER], input=lines.encode(), capture_output=True, check=False,
                              timeout=120)
        assert done.returncode == 0, done.stderr.decode(errors='replace')[-3000:]
        answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
        return [answer | {'status': answer['status'].removeprefix('ERR_')} for answer in answers]
    return go


@pytest.fixture(name='gateways', scope='session')
def gateways_fixture(yard):
    """Starts each once, when it is first asked for."""
    running = {}

    def get(name):
        if name not in running:
            running[name] = Gateway(yard, name, tls=name.endswith('secret'),
                                    mode='single' if name == 'single' else 'custom',
                                    env={'LLMGR_CORS': 'false'} if name == 'closed' else None)
        return running[name]
    yield get
    for one in running.values():
        one.stop()
