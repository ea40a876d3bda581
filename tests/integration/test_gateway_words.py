# SPDX-License-Identifier: MIT
"""What callers of a gateway are told to do is something that they can do: they have no shell."""
import re

import pytest

from gateway_api import Api

CHAT = {'model': None, 'messages': [{'role': 'user', 'content': 'Hi'}]}


@pytest.fixture(name='api', params=['custom', 'fixed'])
def api_fixture(llmgr, mockllm, request):
    server = Api(llmgr, mockllm, mode=request.param)
    server.token('admin', '--kind', 'admin')
    server.token('ann', '-u', 'ann')
    server.custom = request.param == 'custom'
    yield server
    server.stop()


def said(answer):
    found = answer.json.get('error') or answer.json
    return found.get('message') or found['detail']


def ask(api, model):
    return api.raw('POST', '/v1/chat/completions', 'ann', {**CHAT, 'model': model})


def test_errors_name_what_a_caller_can_do(api):
    site, bare = (row['platform_id'] for row in api.all('/api/platforms', 'ann')[:2])
    models = {row['display_name']: row for row in api.all('/api/models', 'ann')}
    own = {'platform_name': 'Own', 'base_url': 'https://own.example/v1'}
    answers = [
        (404, 'GET /v1/models', ask(api, 'no-such-model')),
        (404, 'GET /v1/models', api.raw('GET', '/v1/models/no-such-model', 'ann')),
        (403, f'PUT /api/platforms/{bare}/key', ask(api, 'mock-nokey')),
        (403, 'GET /v1/models', ask(api, 'mock-nokey')),
        (401, "the gateway's operator", api.raw('GET', '/v1/models', None,
                                                authorization='Bearer llmgr-nobodys')),
        (403, "the operator's", api.call('PATCH', f'/api/models/{models["Small"]["model_id"]}',
                                         'ann', {'display_name': 'Mine'})),
        (403, "the operator's", api.call('PATCH', f'/api/platforms/{site}', 'ann',
                                         {'platform_name': 'Mine'})),
        (404, 'GET /api/platforms', api.call('POST', '/api/platforms/4711/probe', 'ann')),
        (403, f'PUT /api/platforms/{bare}/key',
         api.call('POST', f'/api/platforms/{bare}/probe', 'ann')),
    ]
    if api.custom:
        address = next(row['base_url'] for row in api.all('/api/platforms', 'ann'))
        answers += [(409, f'PUT /api/platforms/{site}/key',
                     api.call('POST', '/api/platforms', 'ann', {**own, 'base_url': address})),
                    (403, '?user=', api.call('POST', '/api/platforms', 'admin', own))]
    else:
        answers += [(403, 'GET /api/platforms', api.call('POST', '/api/platforms', 'ann', own))]
    for status, hint, answer in answers:
        text = said(answer)
        assert answer.status == status and hint in text, (answer.status, text)
        assert not re.search(r'`|llmgr |\.yaml|auto_key|set-key', text), text
