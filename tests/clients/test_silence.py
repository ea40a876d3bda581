# SPDX-License-Identifier: MIT
"""Platforms that are silent before the first event and between the others: what fills the silence
is nothing to the package `openai` for Python (node/client_*.mjs: nor to those for Node.js)."""
import http.client
import json
import urllib.parse

import openai
import pytest

SILENT = ['mock-slow-120', 'mock-slow-120+ids']  # pings in each pause
HELLO = 'Hello from mockllm! You said: '


@pytest.fixture(name='client')
def client_fixture(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0) as client:
        yield client


@pytest.mark.parametrize('model', SILENT)
@pytest.mark.parametrize('path, first', [('chat/completions', ': keepalive'),
                                         ('responses', ': keepalive'), ('messages', 'event: ping')])
def test_there_are_keep_alives_before_the_first_event_and_between(gateway, model, path, first):
    where = urllib.parse.urlsplit(gateway.url)
    wire = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    wire.request('POST', f'/v1/{path}', json.dumps({
        'model': model, 'stream': True, 'input': 'hi', 'max_tokens': 9,
        'messages': [{'role': 'user', 'content': 'hi'}]}),
        {'Authorization': f'Bearer {gateway.token}'})
    lines = wire.getresponse().read().decode().splitlines()
    wire.close()
    assert lines[0] == first
    kept = [at for at, line in enumerate(lines) if 'keepalive' in line or line == 'event: ping']
    seen = [at for at, line in enumerate(lines) if line.startswith('data: ')
            and '"type":"keepalive"' not in line and '"type":"ping"' not in line]
    assert kept[0] < seen[0] and any(seen[0] < at < seen[-1] for at in kept)


@pytest.mark.parametrize('model', SILENT)
def test_a_chat(client, model):
    chunks = list(client.chat.completions.create(
        model=model, messages=[{'role': 'user', 'content': 'hi'}], stream=True))
    assert all(chunk.id for chunk in chunks)
    assert ''.join(chunk.choices[0].delta.content or '' for chunk in chunks) == HELLO + 'hi'
    with client.chat.completions.stream(
            model=model, messages=[{'role': 'user', 'content': 'hi'}]) as stream:
        assert stream.get_final_completion().choices[0].message.content == HELLO + 'hi'


@pytest.mark.parametrize('model', SILENT)
def test_a_response(client, model):
    types = [event.type for event in client.responses.create(model=model, input='hi', stream=True)]
    assert types[0] == 'response.created' and types[-1] == 'response.completed'
    with client.responses.stream(model=model, input='hi') as stream:
        types = [event.type for event in stream]
        assert types[0] == 'response.created' and types[-1] == 'response.completed'


def test_a_response_that_fails_raises(client):
    with pytest.raises(openai.APIError):
        list(client.responses.create(model='mock-cut-600', input='hi', stream=True))
