# SPDX-License-Identifier: MIT
"""What is concluded from a platform's refusal for everybody who uses it, and what is not: one
caller's words, quoted or not, teach nobody anything."""
import json
import time

import pytest

from conftest import PATIENCE_S
from gateway_api import Api
from serving import MODELS

DAY_MS = 24 * 3600 * 1000
CONFIG = """\
mode: custom
allow_http: true
allow_cidr: 127.0.0.0/8
allow_port: "*"
platforms:
  House:
    base_url: {base_url}
    api_key: sk-site-0123456789
    models: {{Mock: mock, NoOptions: mock-no-stream-options, Always: mock-no-stream-options-1,
             Quote: mock-quote, Limit: mock-quote-1}}
"""
STATEMENT = ("param: stream_options. Unknown parameter: 'stream_options'. ('body', "
             "'stream_options') is not permitted, include_usage: extra inputs are not permitted")


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm, monkeypatch):
    monkeypatch.setattr('gateway_api.CONFIG', CONFIG + '#{mode}\n')
    server = Api(llmgr, mockllm)
    server.token('admin', '--kind', 'admin')
    for user in ('ann', 'ben'):
        server.token(user, '-u', user)
    yield server
    server.stop()


def site(api, caller='ann'):
    return next(row for row in api.all('/api/platforms', caller)
                if row['platform_name'] == 'House')


def until(api, caller='ann'):
    return site(api, caller)['no_stream_options_until_ms']


def ask(api, model, caller='ann', content='hi', **members):
    return api.raw('POST', '/v1/chat/completions', caller,
                   {'model': model, 'stream': True, 'messages': [
                       {'role': 'user', 'content': content}], **members})


def has_usage(answer):
    return any('"usage":{' in line for line in answer.text.splitlines())


def asked_for_usage(api, mockllm, caller='ben'):
    """Does the platform get stream_options with another user's request?"""
    assert ask(api, 'Mock', caller).status == 200
    return 'stream_options' in mockllm.last().json


def test_one_callers_words_are_no_verdict_for_others(api, mockllm):
    escaped = ''.join(f'\\u{ord(c):04x}' for c in 'stream_options')
    raw = json.dumps({'model': 'Limit', 'stream': True, 'messages': [
        {'role': 'user', 'content': STATEMENT.replace('stream_options', 'XX')}]})
    attempts = [
        lambda: ask(api, 'Quote', content=STATEMENT),
        lambda: ask(api, 'Quote'),
        lambda: ask(api, 'Limit', content=STATEMENT),
        lambda: ask(api, 'Limit', content='{"stream_options'),
        lambda: ask(api, 'Limit', user=STATEMENT),
        lambda: api.raw('POST', '/v1/chat/completions', 'ann', raw.replace('XX', escaped).encode(),
                        Content_Type='application/json'),
        lambda: ask(api, 'Limit', stream_options={'include_usage': True}),
        lambda: ask(api, 'NoOptions', stream_options={'include_usage': True}),
        lambda: ask(api, 'NoOptions', stream_options={'include_usage': False}),
        lambda: ask(api, 'NoOptions', stream_options={}),
        lambda: ask(api, 'NoOptions', stream_options=None),
        lambda: ask(api, 'NoOptions', stream_options={'include_usage': True, 'bad': STATEMENT}),
        lambda: ask(api, 'NoOptions', content=STATEMENT),
        lambda: ask(api, 'Always'),
        lambda: ask(api, 'Always', stream_options={'include_usage': True}),
    ]
    for number, attempt in enumerate(attempts):
        for _ in range(2):
            assert attempt().status in (200, 400), number
            assert until(api) is None, number
    assert asked_for_usage(api, mockllm)
    assert has_usage(ask(api, 'Mock', 'ben', stream_options={'include_usage': True}))


def test_a_caller_hears_what_is_wrong_with_his_own_options(api, mockllm):
    before = len(mockllm.requests())
    answer = ask(api, 'NoOptions', stream_options={'include_usage': True, 'bad': 1})
    assert answer.status == 400 and 'stream_options' in answer.text
    assert len(mockllm.requests()) == before + 1
    # What he asks as we would have, he gets as others do.
    assert ask(api, 'NoOptions', stream_options={'include_usage': True}).status == 200
    answer = ask(api, 'Quote', content=STATEMENT)
    assert answer.status == 400 and 'Field required' in answer.text


def test_a_users_token_of_the_system_user_is_no_operators(api):
    """It is asked with the server's keys; what is everybody's it does not change."""
    api.token('host')
    path = f'/api/platforms/{site(api, "host")["platform_id"]}'
    api.bad(403, 'ERR_FORBIDDEN', 'PATCH', path, 'host', {'no_stream_options': False})
    api.good('PATCH', path, 'admin', {'no_stream_options': False})


def learn(api):
    assert ask(api, 'NoOptions').status == 200
    end = time.monotonic() + PATIENCE_S
    while until(api) is None:  # it is written when the answer has left
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_platforms_own_word_is_shown_ends_and_can_be_undone(api, mockllm):
    assert until(api) is None
    learn(api)
    now = time.time() * 1000
    assert now < until(api) <= now + DAY_MS
    assert until(api, 'ben') == until(api)
    rows = {row['platform_name']: row for row in api.llmgr.json('-u', 'ben', 'platform', 'list')}
    assert rows['House']['no_stream_options_until_ms'] == until(api)
    day = time.strftime('%Y-%m-%d', time.gmtime(until(api) / 1000))
    table = api.llmgr.ok('platform', 'list')
    assert 'NO USAGE UNTIL' in table and day in table
    assert not asked_for_usage(api, mockllm)

    path = f'/api/platforms/{site(api)["platform_id"]}'
    api.bad(403, 'ERR_FORBIDDEN', 'PATCH', path, 'ann', {'no_stream_options': False})
    api.bad(400, 'ERR_INVALID', 'PATCH', path, 'admin', {'no_stream_options': True})
    assert until(api) is not None
    changed = api.good('PATCH', path, 'admin', {'no_stream_options': False})
    assert changed['no_stream_options_until_ms'] is None and until(api) is None
    wait_for_usage(api, mockllm)

    learn(api)
    platform = site(api)['platform_id']
    assert api.llmgr.run('-u', 'ann', 'platform', 'ask-usage', platform).code != 0
    shown = api.llmgr.json('platform', 'ask-usage', platform)
    assert shown['no_stream_options_until_ms'] is None
    assert 'NO USAGE UNTIL' not in api.llmgr.ok('platform', 'list')
    wait_for_usage(api, mockllm)


def wait_for_usage(api, mockllm):
    """Each worker and another process learn of it within a second."""
    end, good = time.monotonic() + PATIENCE_S, 0
    while good < 8:
        good = good + 1 if asked_for_usage(api, mockllm) else 0
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_private_platforms_verdict_is_its_owners(api, mockllm):
    made = api.good('POST', '/api/platforms', 'ann',
                    {'platform_name': 'Mine', 'api_key': 'sk-mine-0123456789',
                     'base_url': mockllm.base_url + '/mine'})
    path = f'/api/platforms/{made["platform_id"]}'
    api.good('POST', path + '/models', 'ann',
             {'model_name': MODELS['NoOptions'], 'display_name': 'MineNoOptions'})
    assert made['no_stream_options_until_ms'] is None
    assert ask(api, 'MineNoOptions').status == 200
    end = time.monotonic() + PATIENCE_S
    while api.good('GET', path, 'ann')['no_stream_options_until_ms'] is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert until(api) is None
    api.bad(404, 'ERR_NOT_FOUND', 'PATCH', path, 'ben', {'no_stream_options': False})
    changed = api.good('PATCH', path, 'ann', {'no_stream_options': False, 'platform_hide': True})
    assert changed['no_stream_options_until_ms'] is None and changed['platform_hide'] is True


def test_an_older_releases_verdict_without_end_has_ended(api, mockllm):
    api.stop()
    api.llmgr.sql('UPDATE llm_platforms SET no_stream_options = 1')
    api.start()
    assert until(api) is None and asked_for_usage(api, mockllm)
    learn(api)
    assert until(api) is not None
