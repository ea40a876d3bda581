# SPDX-License-Identifier: MIT
"""`llmgr serve` as the other side of the tests of our server: in front of the scripted upstream,
with a token, in clear or with TLS."""
import contextlib
import http.client
import importlib.util
import json
import pathlib
import re
import signal
import ssl
import subprocess
import time

from peers import HERE, PATIENCE_S

MODELS = ['mock', 'mock-echo', 'mock-stall', 'mock-429', 'mock-500', 'mock-drop', 'mock-cut-600',
          'mock-flood']
ASK = {'model': 'mock', 'messages': [{'role': 'user', 'content': '你好'}]}


def load_frame():
    """The frame of the integration tests, whose Llmgr and Mockllm serve here as well."""
    path = HERE.parent / 'integration/conftest.py'
    spec = importlib.util.spec_from_file_location('llmgr_integration_frame', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FRAME = load_frame()


class Gateway:
    """A running server: `port` on the loopback, `token` of a user, `upstream`; `tls` or not."""

    def __init__(self, yard, name, mode='custom', tls=False, env=None):
        folder = yard.folder / name
        folder.mkdir()
        self.upstream = FRAME.Mockllm(folder)
        self.authority = str(yard.folder / 'ca.pem') if tls else None
        self.scheme = 'https' if tls else 'http'
        self.llmgr = FRAME.Llmgr(folder, f'sqlite:{folder}/llmgr.db')
        self.llmgr.env |= {'MOCK_KEY': 'sk-of-the-server', **(env or {})}
        models = '\n'.join(f'      {model}: {model}' for model in MODELS)
        self.llmgr.write('llmgr.yaml', f'mode: {mode}\nauto_key: true\nplatforms:\n  Mock:\n'
                         f'    base_url: {self.upstream.base_url}\n    api_key: "{{MOCK_KEY}}"\n'
                         f'    models:\n{models}\n')
        self.llmgr.ok('init')
        self.token = '' if mode == 'single' else self.llmgr.json(
            'token', 'create', '-u', 'alice')['token']
        self.admin = '' if mode == 'single' else self.llmgr.json(
            'token', 'create', '--kind', 'admin')['token']
        words = ['--tls-cert', yard.folder / 'good.pem',
                 '--tls-key', yard.folder / 'key.pem'] if tls else []
        self.log = open(folder / 'serve.txt', 'wb')
        self.process = self.llmgr.start('serve', '--workers', '2', '--listen', '127.0.0.1:0',
                                        *map(str, words), stderr=self.log,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r'https?://127\.0\.0\.1:(\d+)', line)
        assert found, f'llmgr serve did not say where it listens: {line!r}'
        self.port = int(found.group(1))
        self.url = f'{self.scheme}://127.0.0.1:{self.port}'

    def metrics(self):
        """All samples by "name{labels}"."""
        with contextlib.closing(self.connect(self.port, self.scheme)) as wire:
            answer = self.ask(wire, '/metrics', token=self.admin)
            text = answer.read().decode()
            assert answer.status == 200, text
        rows = (line.rsplit(' ', 1) for line in text.splitlines() if not line.startswith('#'))
        return {name: float(value) for name, value in rows}

    def wait_for(self, what, met):
        """Until `met(metrics)`; for what takes a moment to be noticed."""
        end = time.monotonic() + PATIENCE_S
        while not met(now := self.metrics()):
            assert time.monotonic() < end, f'waited in vain for {what}: {now}'
            time.sleep(0.02)
        return now

    def connect(self, port, scheme):
        """A connection to `port`, our own or that of somebody in front of us."""
        if scheme == 'http':
            return http.client.HTTPConnection('127.0.0.1', port, timeout=PATIENCE_S)
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection('127.0.0.1', port, timeout=PATIENCE_S, context=context)

    def ask(self, wire, path='/v1/chat/completions', body=None, token=None, **fields):
        """One request on the connection `wire`; its answer is to be read by the caller."""
        fields['Authorization'] = f'Bearer {self.token if token is None else token}'
        if body is not None:
            fields['Content-Type'] = 'application/json'
            body = json.dumps(body, ensure_ascii=False).encode()
        wire.request('POST' if body else 'GET', path, body, fields)
        return wire.getresponse()

    def stop(self):
        """Ends it; a crash or a sanitizer's report fails the tests that used it."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        self.log.close()
        self.upstream.stop()
        said = pathlib.Path(self.log.name).read_text(encoding='utf-8', errors='replace')
        assert code == 0, f'llmgr serve ended with {code}\n{said[-3000:]}'
