# SPDX-License-Identifier: MIT
"""Open WebUI, set up as docs/CLIENTS.md says, and used as its page uses it: somebody signs up,
chooses a model and chats. What the page would show is what its server has kept of the chat."""
import http.client
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import pytest

from homes import home

SAID = 'Say hello to whoever reads this'
ANSWER = f'Hello from mockllm! You said: {SAID}'
PATIENCE_S = 120  # a bound: it starts within ten seconds


class OpenWebUI:
    """A running server, and the account of whoever signed up first."""

    def __init__(self, folder, gateway):
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        self.url, self.token = f'http://127.0.0.1:{port}', None
        self.log = (folder / 'log').open('w+', encoding='utf-8')
        self.process = subprocess.Popen(
            [home('open-webui') / 'bin' / 'open-webui', 'serve', '--host', '127.0.0.1', '--port',
             str(port)], cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={'HOME': str(folder), 'PATH': '/usr/bin:/bin', 'LANG': 'C.UTF-8',
                 'DATA_DIR': str(folder), 'STATIC_DIR': str(folder / 'static'),
                 'WEBUI_SECRET_KEY': 'of this test', 'USE_SLIM_DOCKER': 'true',
                 'OFFLINE_MODE': 'true', 'ENABLE_OLLAMA_API': 'false',
                 'OPENAI_API_BASE_URL': gateway.base_url, 'OPENAI_API_KEY': gateway.token})

    def said(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def start(self):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            assert self.process.poll() is None, self.said()
            try:
                self.call('/health')
                break
            except (urllib.error.URLError, http.client.HTTPException):
                time.sleep(0.1)
        self.token = self.call('/api/v1/auths/signup', {
            'name': 'Ann', 'email': 'ann@example.org', 'password': 'of-this-Test-1'})['token']

    def call(self, path, body=None):
        request = urllib.request.Request(self.url + path, headers={
            'Content-Type': 'application/json', 'Authorization': f'Bearer {self.token}'},
            data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def models(self):
        return {row['id']: row['name'] for row in self.call('/api/models')['data']}

    def chat(self, model):
        """A new chat's first answer, as the server keeps it when it is done."""
        asked, answered = str(uuid.uuid4()), str(uuid.uuid4())
        chat = self.call('/api/chat/completions', {
            'model': model, 'stream': True, 'parent_id': None, 'session_id': 'of no page',
            'messages': [{'role': 'user', 'content': SAID}],
            'user_message': {'id': asked, 'role': 'user', 'content': SAID, 'models': [model]},
            'message_ids': [{'model_id': model, 'message_id': answered}]})['chat_id']
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            kept = self.call(f'/api/v1/chats/{chat}')['chat']['history']['messages'][answered]
            if kept['done']:
                return kept
            time.sleep(0.05)
        raise AssertionError(f'the answer of {model} has no end\n{self.said()}')

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope='module', name='webui')
def webui_fixture(gateway, tmp_path_factory):
    server = OpenWebUI(tmp_path_factory.mktemp('open-webui'), gateway)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_it_lists_the_models_by_name(webui):
    shown = webui.models()
    assert len(shown) > 20 and shown['mock'] == 'mock'
    assert shown['mock-named'] == '中文模型' and shown['mock-echo'] == 'Merged'


@pytest.mark.parametrize('model', ['mock', 'mock-slow-120', 'mock-slow-120+ids', 'mock-comments',
                                   'mock-named'])
def test_a_chat(webui, gateway, model):
    mark = gateway.mark()
    kept = webui.chat(model)
    assert kept['content'] == ANSWER and 'error' not in kept
    assert any(SAID in row.body for row in gateway.since(mark))


def test_reasoning_is_shown_apart(webui):
    kept = webui.chat('mock-reasoning')
    assert kept['content'] == ANSWER
    thought, = [row for row in kept['output'] if row['type'] == 'reasoning']
    assert thought['content'][0]['text'] == 'The user said something.'


@pytest.mark.parametrize('model, words', [
    ('mock-cut-600', 'cut the connection'), ('mock-error-event', 'mock error'),
    ('mock-429', 'too many requests'), ('mock-error-200', 'mock error')])
def test_a_failure_is_shown(webui, model, words):
    assert words in json.dumps(webui.chat(model)['error'])


def test_names_that_no_list_has_are_chosen_for_the_connection(webui, gateway):
    """`auto` and slots stand under "Model IDs" of the connection."""
    webui.call('/openai/config/update', {
        'ENABLE_OPENAI_API': True,
        'OPENAI_API_BASE_URLS': [gateway.base_url], 'OPENAI_API_KEYS': [gateway.token],
        'OPENAI_API_CONFIGS': {'0': {'enable': True, 'model_ids': ['auto']}}})
    assert set(webui.models()) == {'auto'}
    assert webui.chat('auto')['content'] == ANSWER
