# SPDX-License-Identifier: MIT
"""The frame of the client tests: one `llmgr serve` for the session, before the scripted upstream.

    gateway     its addresses, a token of the user "alice", and what the upstream received of it

The interpreter that runs them has what requirements.txt names; test_node.py runs node/*.mjs with
what package-lock.json names. Both are installed by run.

Each model of the gateway makes the upstream behave in one way (tests/mockllm/behaviours.def).
"""
import importlib.util
import pathlib
import re
import signal
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
USER = 'alice'
CONFIG = '''
mode: custom
auto_key: true
aliases:
  claude-*: auto
platforms:
  Mock:
    base_url: {url}
    api_key: "{{MOCK_KEY}}"
    models:
{models}
      中文模型: mock-named
      Merged: {{model_name: mock-echo, extra_body: {{top_k: 5, temperature: 0.25}}}}
  Other:
    base_url: {url}/other
    api_key: "{{MOCK_KEY}}"
    models:
      vendor/model:1: vendor/model:1
'''
MODELS = ['mock', 'mock-tools', 'mock-reasoning', 'mock-no-usage', 'mock-chunks-40', 'mock-slow-5',
          'mock-400', 'mock-401', 'mock-403', 'mock-404', 'mock-429', 'mock-500', 'mock-503',
          'mock-html+500', 'mock-drop', 'mock-cut-600', 'mock-error-event', 'mock-no-finish',
          'mock-no-stream-options', 'mock-slow-200+chunks-100', 'mock-crlf', 'mock-split-1',
          'mock-stale', 'mock-badjson', 'mock-comments', 'mock-slow-120',
          'mock-slow-120+ids', 'mock-error-200',
          'mock-slow-120+error-200']


def frame():
    """The frame of the integration tests, whose Llmgr and Mockllm serve here as well."""
    path = HERE.parent / 'integration' / 'conftest.py'
    spec = importlib.util.spec_from_file_location('llmgr_integration_frame', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FRAME = frame()


class Gateway:
    """A running server: `url` without /v1, `base_url` with it, `token`; and its upstream."""

    def __init__(self, folder):
        self.upstream = FRAME.Mockllm(folder)
        self.llmgr = FRAME.Llmgr(folder, f'sqlite:{folder}/llmgr.db')
        self.llmgr.env['MOCK_KEY'] = 'sk-of-the-server'
        self.llmgr.env['LLMGR_PING_INTERVAL'] = '40ms'  # keep-alives in all that is slower
        models = '\n'.join(f'      {name}: {name}' for name in MODELS)
        self.llmgr.write('llmgr.yaml', CONFIG.format(url=self.upstream.base_url, models=models))
        self.llmgr.ok('init')
        self.token = self.llmgr.json('token', 'create', '-u', USER)['token']
        self.log = open(folder / 'serve.txt', 'wb')
        self.process = self.llmgr.start('serve', '--listen', '127.0.0.1:0', stderr=self.log,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r'http://127\.0\.0\.1:\d+', line)
        assert found, f'llmgr serve did not say where it listens: {line!r}'
        self.url = found.group(0)
        self.base_url = self.url + '/v1'

    def mark(self):
        """Remembers how much the upstream has received so far; `since` tells what came later."""
        return len(self.upstream.requests())

    def since(self, mark):
        return self.upstream.requests()[mark:]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(FRAME.PATIENCE_S)
        self.process.stdout.close()
        self.log.close()
        self.upstream.stop()
        assert code == 0, f'llmgr serve ended with {code}'


@pytest.fixture(scope='session', name='gateway')
def gateway_fixture(tmp_path_factory):
    server = Gateway(tmp_path_factory.mktemp('gateway'))
    yield server
    server.stop()
