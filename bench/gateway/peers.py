# SPDX-License-Identifier: MIT
"""The servers that stand side by side: how each is configured, started, asked and ended.

All are pinned to one core and get the same upstream. A peer that is not installed is left out.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PATIENCE_S = 30
PATH = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'

NGINX = '''
daemon off; master_process on; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log error;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log off; default_type application/json;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream platform {{
        server 127.0.0.1:{upstream}; keepalive 512;
        keepalive_requests 100000000; keepalive_timeout 1h;
    }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 100000000; keepalive_timeout 1h; tcp_nodelay on;
        client_max_body_size 64m; client_body_buffer_size 256k;
        location / {{
            proxy_pass http://platform; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_buffering off;
        }}
    }}
}}
'''

HAPROXY = '''
global
    nbthread 1
    maxconn 9000
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    option http-no-delay
    http-reuse always
frontend callers
    bind 127.0.0.1:{port}
    default_backend platform
backend platform
    server one 127.0.0.1:{upstream}
'''

LLMGR = '''
user_max: 0
platforms:
  Bench:
    base_url: http://127.0.0.1:{upstream}/v1
    api_key: "{{BENCH_API_KEY}}"
    models:
      Bench model: bench-1
'''


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def find(program):
    return shutil.which(program, path=PATH)


def first_line(*argv):
    """What a program says of its version."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().split('\n')[0]


def tree(pid):
    """A process and its descendants."""
    children = {}
    for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            rest = stat.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        children.setdefault(int(rest[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


class Peer:
    """A server in a folder of its own; `fields` are head lines its callers have to send."""
    name = 'direct'
    fields = ()
    path = '/v1/chat/completions'

    def __init__(self, folder, upstream, core, tokens):
        self.folder = folder / self.name
        self.folder.mkdir()
        self.upstream, self.core, self.tokens = upstream, core, tokens
        self.port = upstream
        self.process = None
        self.version = ''
        self.prepare()

    def prepare(self):
        """Writes configuration, sets self.argv, self.port and self.version."""
        self.argv = None

    def environment(self):
        return {'HOME': str(self.folder), 'PATH': PATH}

    def start(self):
        """Starts it; returns the milliseconds up to its first good answer."""
        if self.argv is None:
            return 0.0
        log = open(self.folder / 'log.txt', 'ab')
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            self.argv, cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, preexec_fn=lambda: os.sched_setaffinity(0, {self.core}))
        log.close()
        while not self.answers():
            if self.process.poll() is not None or time.perf_counter() - begin > PATIENCE_S:
                text = (self.folder / 'log.txt').read_text(errors='replace')
                raise RuntimeError(f'{self.name} does not answer:\n{text[-2000:]}')
            time.sleep(0.0002)
        return (time.perf_counter() - begin) * 1000

    def answers(self):
        body = b'{"model":"auto","messages":[]}'
        head = '\r\n'.join([f'POST {self.path} HTTP/1.1', 'Host: 127.0.0.1', *self.fields,
                            f'Authorization: Bearer {self.tokens[0]}', 'Connection: close',
                            'Content-Type: application/json', f'Content-Length: {len(body)}'])
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=5) as caller:
                caller.sendall(head.encode() + b'\r\n\r\n' + body)
                return b' 200 ' in caller.recv(4096)[:16]
        except OSError:
            return False

    def pids(self):
        return tree(self.process.pid) if self.process else []

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Nginx(Peer):
    name = 'nginx'

    def prepare(self):
        program = find('nginx')
        self.port = free_port()
        (self.folder / 'nginx.conf').write_text(NGINX.format(
            folder=self.folder, port=self.port, upstream=self.upstream))
        self.argv = [program, '-p', str(self.folder), '-e', str(self.folder / 'error.log'),
                     '-c', str(self.folder / 'nginx.conf')]
        self.version = first_line(program, '-v').replace('nginx version: ', '')


class Haproxy(Peer):
    name = 'HAProxy'

    def prepare(self):
        program = find('haproxy')
        self.port = free_port()
        (self.folder / 'haproxy.cfg').write_text(HAPROXY.format(
            port=self.port, upstream=self.upstream))
        self.argv = [program, '-db', '-q', '-f', str(self.folder / 'haproxy.cfg')]
        self.version = ' '.join(first_line(program, '-v').split()[:3])


class Portkey(Peer):
    name = 'Portkey'

    def prepare(self):
        module = self.modules / '@portkey-ai' / 'gateway'
        self.port = free_port()
        self.argv = [find('node'), str(module / 'build' / 'start-server.js'),
                     f'--port={self.port}', '--headless']
        self.fields = ('x-portkey-provider: openai',
                       f'x-portkey-custom-host: http://127.0.0.1:{self.upstream}/v1')
        version = json.loads((module / 'package.json').read_text())['version']
        self.version = f'Portkey gateway {version}, node {first_line(find("node"), "--version")}'

    def environment(self):
        return {**super().environment(), 'NODE_ENV': 'production'}


class Llmgr(Peer):
    """Always with token, resolve and ledger: `tokens` are those of as many users."""
    name = 'llmgr'

    def prepare(self):
        program, plant = self.build / 'src' / 'llmgr', self.build / 'bench/gateway/bench_plant'
        self.port = free_port()
        (self.folder / 'llmgr.yaml').write_text(LLMGR.format(upstream=self.upstream))
        subprocess.run([program, 'init'], cwd=self.folder, env=self.environment(), check=True,
                       stdout=subprocess.DEVNULL)
        done = subprocess.run([plant, 'sqlite:llmgr.db', 'master.key', str(self.users)],
                              cwd=self.folder, check=True, capture_output=True, text=True)
        self.tokens[:] = done.stdout.split()
        self.argv = [program, 'serve', '--listen', f'127.0.0.1:{self.port}', '--workers', '1']
        self.version = first_line(program, '--version')

    def environment(self):
        return {**super().environment(), 'LLMGR_MASTER_KEY_FILE': 'master.key',
                'BENCH_API_KEY': 'sk-bench', 'LLMGR_CONFIG': 'llmgr.yaml'}
