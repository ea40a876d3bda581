# SPDX-License-Identifier: MIT
"""via="gateway" against a running `llmgr serve`: a token instead of the upstream's key."""
import pytest
from conftest import TOP, load

import llmgr

CLIENTS = load('llmgr_client_frame', TOP / 'tests' / 'clients' / 'conftest.py')


@pytest.fixture(name='gateway')
def gateway_fixture(tmp_path):
    server = CLIENTS.Gateway(tmp_path)
    yield server
    server.stop()


def test_a_user_speaks_through_the_gateway(gateway, room, monkeypatch):
    monkeypatch.setenv('MOCK_KEY', 'sk-of-the-server')
    monkeypatch.setenv('LLMGR_GATEWAY_TOKEN', gateway.token)
    with llmgr.AIManager(room / 'llmgr.db', gateway_url=gateway.url) as manager:
        row = next(row for row in manager.get_platform_models(CLIENTS.USER)
                   if row['display_name'] == 'Merged')
        manager.save_user_selection(CLIENTS.USER, row['platform_id'], row['model_id'], 'fast')
        llm = manager.get_user_llm(CLIENTS.USER, 'fast', via='gateway')
        assert llm.openai_api_key.get_secret_value() == gateway.token
        answer = llm.invoke('ping')
        assert 'ping' in answer.content
        sent = gateway.upstream.last()
        assert sent.key == 'sk-of-the-server' and sent.json['model'] == 'mock-echo'
        assert sent.json['top_k'] == 5, 'the gateway merges the model\'s extra_body'
        assert gateway.token not in str(sent.headers) + sent.body
        assert ''.join(chunk.content for chunk in llm.stream('pong')).count('pong') == 1


def test_a_wrong_token_is_refused(gateway, room):
    with llmgr.AIManager(room / 'llmgr.db', gateway_url=gateway.base_url,
                         gateway_token='sk-llmgr-wrong') as manager:
        with pytest.raises(Exception) as caught:
            manager.get_user_llm(CLIENTS.USER, via='gateway', max_retries=0).invoke('x')
        assert caught.value.status_code == 401
