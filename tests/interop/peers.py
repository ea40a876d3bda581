# SPDX-License-Identifier: MIT
"""The peers of the interoperation tests: which there are, what each shows, and how one is started
on private ports of the loopback. Configurations and sources stand in servers/.

The scripted peer (canned.py) also comes with planted faults (faulty.py): see test_detect.py.
"""
import dataclasses
import grp
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ['LLMGR_BUILD'])
SERVERS = HERE / 'servers'
PATIENCE_S = 30  # a bound for what takes milliseconds; never a measurement
# Squid does not run as root: then as the user of its package.
SQUID_USER = 'proxy' if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
SQUID_GROUP = 'proxy' if os.getuid() == 0 else grp.getgrgid(os.getgid()).gr_name

# What the answers of a kind of server show; the rest it cannot produce. `static`: files of its own;
# `sni`: several certificates; `resumes`: it says whether a session was resumed.
ALL = {'cut', 'until-close', 'interim', 'trailers', 'sni', 'ipv6'}
KINDS = {
    'python': ALL,
    'node': ALL | {'resumes'},
    'go': ALL | {'resumes'},
    'uvicorn': {'cut'},
    'httplib': ALL - {'interim', 'trailers'} | {'static'},
    'jetty': ALL,
    'nginx': ALL - {'interim', 'trailers'} | {'static', 'resumes'},
    'apache': ALL - {'interim'} | {'static', 'resumes'},
    'haproxy': ALL | {'resumes'},
    'lighttpd': ALL - {'interim', 'trailers'} | {'static'},
    'h2o': ALL | {'static'},
}
# Those that answer themselves; the others stand in front of the scripted one.
BACKS = ('python', 'node', 'go', 'uvicorn', 'httplib', 'jetty')
PROGRAMS = {'python': 'python3', 'apache': 'apache2', 'httplib': 'c++', 'jetty': 'javac'}
JARS = [f'/usr/share/java/{name}.jar' for name in
        ('servlet-api', 'jetty9-server', 'jetty9-http', 'jetty9-io', 'jetty9-util')]
H2O_OLD_TLS = ('openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = old\n'
               '[old]\nMaxProtocol = TLSv1.2\n')


def find(name):
    """The program's path; skips the test if it is not there."""
    path = os.pathsep.join([os.environ['PATH'], '/usr/sbin', '/usr/local/go/bin'])
    found = shutil.which(PROGRAMS.get(name, name), path=path)
    if found is None:
        missing(name)
    return found


def missing(name):
    pytest.skip(f'{name} is not installed')


def python_with(module):
    """An interpreter that has the module: this one, or the distribution's."""
    for program in (sys.executable, '/usr/bin/python3'):
        if os.path.exists(program) and subprocess.run(
                [program, '-c', f'import {module}'], check=False,
                stderr=subprocess.DEVNULL).returncode == 0:
            return program
    return missing(module)


def free_port():
    """A port that is free in both families."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind(('::', 0))
        return probe.getsockname()[1]


def run(*command, **kwargs):
    done = subprocess.run([str(word) for word in command], check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kwargs)
    assert done.returncode == 0, f'{command}: {done.stdout.decode(errors="replace")[-3000:]}'


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
        """Two authorities; one key; certificates: good, of a second name, expired,
        and one for every name (for faulty.py)."""
        at = self.folder
        for name in ('ca', 'stranger'):
            run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout',
                at / f'{name}.key', '-out', at / f'{name}.pem', '-days', '2', '-subj',
                f'/CN={name} of interop')
        run('openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', at / 'key.pem',
            '-out', at / 'request.pem', '-subj', '/CN=interop')
        for name, days, names in (('good', 2, 'DNS:good.test,DNS:localhost,IP:127.0.0.1,IP:::1'),
                                  ('second', 2, 'DNS:second.test'),
                                  ('loose', 2, 'DNS:wrong.test,DNS:good.test,DNS:expired.test,'
                                   'IP:127.0.0.1'),
                                  ('expired', 0, 'DNS:expired.test')):
            (at / 'names').write_text(f'subjectAltName={names}\n', encoding='utf-8')
            run('openssl', 'x509', '-req', '-in', at / 'request.pem', '-CA', at / 'ca.pem',
                '-CAkey', at / 'ca.key', '-CAcreateserial', '-days', days, '-extfile',
                at / 'names', '-out', at / f'{name}.pem')
            both = (at / f'{name}.pem').read_bytes() + (at / 'key.pem').read_bytes()
            (at / f'{name}-both.pem').write_bytes(both)

    def start(self, name, ports, *command, **kwargs):
        """Starts it; waits until all its ports accept."""
        log = self.folder / f'{name}.out'
        with open(log, 'wb') as out:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out, cwd=self.folder, **kwargs)
        self.processes.append(process)
        for port in ports:
            await_port(process, port, log)
        return process

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def configure(self, template, to=None, **values):
        """A configuration of servers/ with its @NAMES@ filled in."""
        at = self.folder
        values |= {'dir': at, 'cert': at / 'good.pem', 'key': at / 'key.pem',
                   'cert2': at / 'second.pem', 'expired': at / 'expired.pem',
                   'pem': at / 'good-both.pem', 'pem2': at / 'second-both.pem',
                   'expiredpem': at / 'expired-both.pem', 'user': SQUID_USER, 'group': SQUID_GROUP}
        text = (SERVERS / template).read_text(encoding='utf-8')
        for name, value in values.items():
            text = text.replace(f'@{name.upper()}@', str(value))
        path = at / (to or template)
        path.write_text(text, encoding='utf-8')
        return path

    def server(self, kind, back=None, fault=None):
        """Starts one, before `back` if it needs one; skips the test if it is not installed."""
        made = Server(kind, KINDS[kind], free_port(), free_port(), free_port())
        if kind in BACKS:
            getattr(self, 'start_' + kind)(made, fault)
        else:
            self.start_front(made, find(kind), back)
        return made

    # ---- Servers that answer themselves

    def canned(self, made, name, *command, more=(), **kwargs):
        """`command` with the arguments that all the programs of servers/ take."""
        ports = (made.plain, made.tls12, made.tls13)
        names = ('good', 'key', 'second', 'expired', *more)
        certs = [self.folder / f'{name}.pem' for name in names]
        self.start(name, ports, *command, *ports, *certs, **kwargs)

    def start_python(self, made, fault=None):
        if fault:
            self.canned(made, f'python-{fault}', sys.executable, HERE / 'faulty.py', fault,
                        more=['loose'])
        else:
            self.canned(made, 'python', sys.executable, HERE / 'canned.py')

    def start_node(self, made, _):
        self.canned(made, 'node', find('node'), SERVERS / 'app.mjs')

    def start_go(self, made, _):
        program = find('go')
        env = {**os.environ, 'GO111MODULE': 'off', 'GOCACHE': str(BUILD / 'go-cache'),
               'GOPATH': str(self.folder / 'go')}
        run(program, 'build', '-o', self.folder / 'go-app', SERVERS / 'app.go', env=env)
        self.canned(made, 'go', self.folder / 'go-app')

    def start_uvicorn(self, made, _):
        words = (python_with('uvicorn'), '-m', 'uvicorn', 'app_asgi:app', '--log-level', 'critical',
                 '--app-dir', SERVERS, '--host', '127.0.0.1', '--port')
        # Its own default for TLS 1.2 is ciphers without authentication of the record (CBC) only.
        tls = ('--ssl-certfile', self.folder / 'good.pem', '--ssl-keyfile',
               self.folder / 'key.pem', '--ssl-ciphers', 'ECDHE+AESGCM')
        env = {**os.environ, 'PYTHONPATH': str(HERE), 'PYTHONDONTWRITEBYTECODE': '1'}
        self.start('uvicorn-12', [made.tls12], *words, made.tls12, *tls, '--ssl-version', '5',
                   env=env)  # ssl.PROTOCOL_TLSv1_2
        self.start('uvicorn-13', [made.tls13], *words, made.tls13, *tls, env=env)
        self.start('uvicorn', [made.plain], *words, made.plain, env=env)

    def start_httplib(self, made, _):
        program = find('httplib')
        if not os.path.exists('/usr/include/httplib.h'):
            missing('httplib')
        to = BUILD / 'interop/httplib-app'
        self.keep(to, SERVERS / 'app.cpp', program, '-std=c++17', '-O1', '-o', to,
                  SERVERS / 'app.cpp', '-lcpp-httplib', '-lssl', '-lcrypto', '-pthread')
        self.canned(made, 'httplib', to)

    def start_jetty(self, made, _):
        program = find('jetty')
        if not all(map(os.path.exists, JARS)):
            missing('jetty')
        to, path = BUILD / 'interop', os.pathsep.join(JARS)
        self.keep(to / 'App.class', SERVERS / 'App.java', program, '-cp', path, '-d', to,
                  SERVERS / 'App.java')
        self.canned(made, 'jetty', find('java'), '-Xshare:auto', '-XX:TieredStopAtLevel=1', '-cp',
                    os.pathsep.join([str(to), path]), 'App')

    @staticmethod
    def keep(made, source, *command):
        """Compiles unless that was done in an earlier run, of the same source."""
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            made.parent.mkdir(parents=True, exist_ok=True)
            run(*command)

    # ---- Servers in front of one that answers

    def start_front(self, made, program, back):
        values = {'plain': made.plain, 'tls12': made.tls12, 'tls13': made.tls13,
                  'back': back.plain}
        ports = (made.plain, made.tls12, made.tls13)
        if made.kind == 'h2o':
            self.start_h2o(made, program, values)
        elif made.kind == 'nginx':
            self.start('nginx', ports, program, '-p', self.folder, '-e', self.folder / 'nginx.log',
                       '-c', self.configure('nginx.conf', **values))
        elif made.kind == 'apache':
            self.start('apache', ports, program, '-DFOREGROUND', '-f',
                       self.configure('apache.conf', **values))
        elif made.kind == 'haproxy':
            self.start('haproxy', ports, program, '-db', '-f',
                       self.configure('haproxy.cfg', **values))
        else:
            self.start('lighttpd', ports, program, '-D', '-f',
                       self.configure('lighttpd.conf', **values))

    def start_h2o(self, made, program, values):
        """Two: it has no words for "no TLS 1.3", so that one of them is told by OpenSSL."""
        old = self.folder / 'openssl-old.cnf'
        old.write_text(H2O_OLD_TLS, encoding='utf-8')
        for name, plain, tls, env in (('h2o-12', free_port(), made.tls12, {'OPENSSL_CONF': old}),
                                      ('h2o', made.plain, made.tls13, {})):
            values |= {'plain': plain, 'tls': tls}
            path = self.configure('h2o.conf', f'{name}.conf', **values)
            self.start(name, [plain, tls], program, '-m', 'worker', '-c', path,
                       env={**os.environ, **{key: str(value) for key, value in env.items()}})
