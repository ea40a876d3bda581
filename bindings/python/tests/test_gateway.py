# SPDX-License-Identifier: MIT
"""via="gateway" against a running `llmgr serve`: a token instead of the upstream's key."""
import contextlib
import time

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


@pytest.mark.parametrize('stream', [False, True])
def test_a_route_is_asked_for_by_its_name(gateway, room, monkeypatch, stream):
    """The gateway goes to the next target; the client sees one answer, and the ledger both."""
    monkeypatch.setenv('MOCK_KEY', 'sk-of-the-server')
    monkeypatch.setenv('LLMGR_GATEWAY_TOKEN', gateway.token)
    with llmgr.AIManager(room / 'llmgr.db', gateway_url=gateway.url) as manager:
        manager.add_route(CLIENTS.USER, 'sturdy', ['Mock/mock-500', 'Other/vendor/model:1'])
        before = manager.usage(CLIENTS.USER).total
        llm = manager.get_user_llm(CLIENTS.USER, 'sturdy', via='gateway', max_retries=0)
        said = ''.join(chunk.content for chunk in llm.stream('ping')) if stream else \
            llm.invoke('ping').content
        assert 'ping' in said
        asked = [request.json['model'] for request in gateway.upstream.requests()[-2:]]
        assert asked == ['mock-500', 'vendor/model:1']
        end = time.monotonic() + 30
        while (now := manager.usage(CLIENTS.USER).total).attempts < before.attempts + 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert (now.requests, now.attempts) == (before.requests + 1, before.attempts + 2)


def test_a_slot_whose_choice_is_a_route_is_its_best_target(gateway, room, monkeypatch):
    """Directly: what the route's first target that can serve is; through the gateway: all of it."""
    monkeypatch.setenv('MOCK_KEY', 'sk-of-the-server')
    monkeypatch.setenv('LLMGR_GATEWAY_TOKEN', gateway.token)
    with llmgr.AIManager(room / 'llmgr.db', gateway_url=gateway.url) as manager:
        manager.add_route(CLIENTS.USER, 'sturdy', ['Mock/None', 'Mock/mock', 'Mock/mock-tools'])
        manager.select_route(CLIENTS.USER, 'sturdy', 'fast')
        assert manager.get_user_llm(CLIENTS.USER, 'fast').model_name == 'mock'
        assert 'ping' in manager.get_user_llm(CLIENTS.USER, 'fast', via='gateway') \
            .invoke('ping').content


def test_what_the_gateway_lets_alone_is_listed_and_reset(gateway, room, monkeypatch):
    monkeypatch.setenv('MOCK_KEY', 'sk-of-the-server')
    with llmgr.AIManager(room / 'llmgr.db', gateway_url=gateway.url,
                         gateway_token=gateway.token) as manager:
        assert manager.health(CLIENTS.USER, via='gateway') == [] == manager.health()
        manager.add_route(CLIENTS.USER, 'dear', ['Mock/mock-429', 'Mock/mock'])
        manager.add_platform_key(CLIENTS.USER, next(
            row.id for row in manager.platforms(CLIENTS.USER) if row.name == 'Mock'), 'sk-own')
        llm = manager.get_user_llm(CLIENTS.USER, 'dear', via='gateway', max_retries=0)
        with contextlib.suppress(Exception):
            llm.invoke('ping')
        cell, = manager.health(CLIENTS.USER, via='gateway')
        assert (cell.scope, cell.is_own, cell.reason) == ('account', True, 'limit')
        assert (cell.state, cell.platform_name, cell.upstream_status) == ('cooled', 'Mock', 429)
        assert cell.until_ms > cell.since_ms and cell.model_id is None
        assert manager.health(CLIENTS.USER) == [], 'this process has met nothing'
        assert manager.reset_health(CLIENTS.USER, cell.cell_id, via='gateway') is True
        assert manager.health(CLIENTS.USER, via='gateway') == []
        for via in None, 'gateway':
            with pytest.raises(llmgr.NotFoundError):
                manager.reset_health(CLIENTS.USER, cell.cell_id, via=via)
        with pytest.raises(llmgr.NotFoundError):
            manager.reset_health(CLIENTS.USER, '../tokens', via='gateway')
        with pytest.raises(ValueError):
            manager.health(via='elsewhere')


def test_a_gateway_that_is_none_is_an_error(room):
    with llmgr.AIManager(room / 'llmgr.db', gateway_url='http://127.0.0.1:9',
                         gateway_token='sk-llmgr-x') as manager:
        with pytest.raises(llmgr.UpstreamError, match='no gateway answers'):
            manager.health(via='gateway')


def test_a_wrong_token_lists_nothing(gateway, room):
    with llmgr.AIManager(room / 'llmgr.db', gateway_url=gateway.base_url,
                         gateway_token='sk-llmgr-wrong') as manager:
        with pytest.raises(llmgr.KeyRefusedError):
            manager.health(via='gateway')


def test_a_wrong_token_is_refused(gateway, room):
    with llmgr.AIManager(room / 'llmgr.db', gateway_url=gateway.base_url,
                         gateway_token='sk-llmgr-wrong') as manager:
        with pytest.raises(Exception) as caught:
            manager.get_user_llm(CLIENTS.USER, via='gateway', max_retries=0).invoke('x')
        assert caught.value.status_code == 401
