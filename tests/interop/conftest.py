# SPDX-License-Identifier: MIT
"""The servers of the interoperation tests, on private ports of the loopback, each started once and
stopped at the end; one that is not installed is skipped with its name.

    server     a running Server, once per kind: its ports, what it `can`
    exchange   runs the driver (driver.c): a scene and requests in, one dict per exchange out
"""
import dataclasses
import grp
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ['LLMGR_BUILD'])
DRIVER = BUILD / 'tests/interop/interop_driver'
CANNED = HERE / 'canned.py'
PATIENCE_S = 20  # a bound for what takes milliseconds; never a measurement
sys.path.insert(0, str(HERE))
# Squid does not run as root: then as the user of its package.
SQUID_USER = 'proxy' if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
SQUID_GROUP = 'proxy' if os.getuid() == 0 else grp.getgrgid(os.getgid()).gr_name

# What the answers of a kind of server show; the rest it cannot produce. `static`: files of its own;
# `sni`: several certificates; `resumes`: it says whether a session was resumed.
ALL = {'cut', 'until-close', 'interim', 'trailers', 'tls'}
KINDS = {
    'python': ALL,
    'node': ALL - {'until-close'} | {'resumes'},
    'go': ALL - {'until-close'} | {'resumes'},
    'uvicorn': {'tls13'},
    'nginx': ALL - {'interim', 'trailers'} | {'static', 'sni', 'resumes'},
    'apache': ALL - {'interim'} | {'static', 'sni13', 'resumes'},
    'haproxy': ALL | {'sni', 'resumes'},
    'lighttpd': ALL - {'interim', 'trailers'} | {'static'},
}
PROGRAMS = {'python': 'python3', 'node': 'node', 'go': 'go', 'nginx': 'nginx', 'apache': 'apache2',
            'haproxy': 'haproxy', 'lighttpd': 'lighttpd', 'squid': 'squid',
            'tinyproxy': 'tinyproxy'}


def find(name):
    path = os.pathsep.join([os.environ['PATH'], '/usr/sbin', '/usr/local/go/bin'])
    return shutil.which(PROGRAMS.get(name, name), path=path)


def free_port():
    """A port that is free in both families."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind(('::', 0))
        return probe.getsockname()[1]


def run(*command, **kwargs):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE, **kwargs)


@dataclasses.dataclass
class Server:
    """A running server; port numbers of clear text and of one TLS version each."""
    kind: str
    can: set
    plain: int = 0
    tls12: int = 0
    tls13: int = 0

    def url(self, path, port=None, host='127.0.0.1', scheme='http'):
        return f'{scheme}://{host}:{port or self.plain}/v1/{path}'


def await_port(process, port, log):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f'did not start: {log.read_text(errors="replace")[-2000:]}')


class Yard:
    """Everything that runs: certificates, processes, and a folder for their files."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.certificates()
        (folder / 'static').mkdir()
        import canned  # pylint: disable=import-outside-toplevel
        (folder / 'static/large.bin').write_bytes(canned.LARGE)

    def certificates(self):
        """Two authorities; one key; certificates: good, of a second name, expired."""
        at = self.folder
        for name in ('ca', 'stranger'):
            run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout',
                at / f'{name}.key', '-out', at / f'{name}.pem', '-days', '2', '-subj',
                f'/CN={name} of interop')
        run('openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', at / 'key.pem',
            '-out', at / 'request.pem', '-subj', '/CN=interop')
        for name, days, names in (('good', 2, 'DNS:good.test,IP:127.0.0.1,IP:::1'),
                                  ('second', 2, 'DNS:second.test'),
                                  ('expired', 0, 'DNS:expired.test')):
            (at / 'names').write_text(f'subjectAltName={names}\n', encoding='utf-8')
            run('openssl', 'x509', '-req', '-in', at / 'request.pem', '-CA', at / 'ca.pem',
                '-CAkey', at / 'ca.key', '-CAcreateserial', '-days', days, '-extfile',
                at / 'names', '-out', at / f'{name}.pem')
            both = (at / f'{name}.pem').read_bytes() + (at / 'key.pem').read_bytes()
            (at / f'{name}-both.pem').write_bytes(both)

    def start(self, name, port, *command, **kwargs):
        log = self.folder / f'{name}.out'
        with open(log, 'wb') as out:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out, cwd=self.folder, **kwargs)
        self.processes.append(process)
        await_port(process, port, log)
        return process

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def configure(self, template, **values):
        """A configuration of servers/ with its @NAMES@ filled in."""
        at = self.folder
        values |= {'dir': at, 'cert': at / 'good.pem', 'key': at / 'key.pem',
                   'cert2': at / 'second.pem', 'expired': at / 'expired.pem',
                   'pem': at / 'good-both.pem', 'pem2': at / 'second-both.pem',
                   'expiredpem': at / 'expired-both.pem', 'user': SQUID_USER, 'group': SQUID_GROUP}
        text = (HERE / 'servers' / template).read_text(encoding='utf-8')
        for name, value in values.items():
            text = text.replace(f'@{name.upper()}@', str(value))
        path = at / template
        path.write_text(text, encoding='utf-8')
        return path

    def server(self, kind, back):
        """Starts one; skips the test if it is not there."""
        made = Server(kind, KINDS[kind], free_port(), free_port(), free_port())
        ports = (made.plain, made.tls12, made.tls13)
        certs = (self.folder / 'good.pem', self.folder / 'key.pem')
        if kind == 'uvicorn':
            if subprocess.run([sys.executable, '-c', 'import uvicorn'], check=False,
                              stderr=subprocess.DEVNULL).returncode != 0:
                pytest.skip('uvicorn is not installed')
            words = (sys.executable, '-m', 'uvicorn', 'app_asgi:app', '--log-level', 'error',
                     '--app-dir', HERE / 'servers', '--host', '127.0.0.1', '--port')
            env = {**os.environ, 'PYTHONPATH': str(HERE), 'PYTHONDONTWRITEBYTECODE': '1'}
            self.start('uvicorn-tls', made.tls13, *words, made.tls13, '--ssl-certfile', certs[0],
                       '--ssl-keyfile', certs[1], env=env)
            self.start(kind, made.plain, *words, made.plain, env=env)
            return made
        program = find(kind)
        if program is None:
            pytest.skip(f'{PROGRAMS[kind]} is not installed')
        if kind == 'python':
            self.start(kind, made.plain, sys.executable, CANNED, *ports, *certs)
        elif kind == 'node':
            self.start(kind, made.plain, program, HERE / 'servers/app.mjs', *ports, *certs)
        elif kind == 'go':
            env = {**os.environ, 'GO111MODULE': 'off', 'GOCACHE': str(BUILD / 'go-cache'),
                   'GOPATH': str(self.folder / 'go')}
            run(program, 'build', '-o', self.folder / 'go-app', HERE / 'servers/app.go', env=env)
            self.start(kind, made.plain, self.folder / 'go-app', *ports, *certs)
        else:
            self.front(kind, program, made, back)
        return made

    def front(self, kind, program, made, back):
        values = {'plain': made.plain, 'tls12': made.tls12, 'tls13': made.tls13,
                  'back': back.plain}
        if kind == 'nginx':
            log = self.folder / 'nginx.log'
            self.start(kind, made.plain, program, '-p', self.folder, '-e', log, '-c',
                       self.configure('nginx.conf', **values))
        elif kind == 'apache':
            self.start(kind, made.plain, program, '-DFOREGROUND', '-f',
                       self.configure('apache.conf', **values))
        elif kind == 'haproxy':
            self.start(kind, made.plain, program, '-db', '-f',
                       self.configure('haproxy.cfg', **values))
        else:
            self.start(kind, made.plain, program, '-D', '-f',
                       self.configure('lighttpd.conf', **values))


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
            back = get('python') if kind not in ('python', 'node', 'go', 'uvicorn') else None
            running[kind] = yard.server(kind, back)
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
