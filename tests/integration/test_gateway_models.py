# SPDX-License-Identifier: MIT
"""GET /v1/models as clients of both dialects see it, and what those who run the server ask."""
import re
import time
import urllib.parse

import pytest

from gateway_api import Api


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm):
    server = Api(llmgr, mockllm)
    server.token('admin', '--kind', 'admin')
    server.token('ann', '-u', 'ann')
    server.token('bob', '-u', 'bob')
    yield server
    if server.process.poll() is None:
        server.stop()


def models(api, caller, **fields):
    answer = api.raw('GET', '/v1/models', caller, **fields)
    assert answer.status == 200, answer.text
    return answer.json


def ids(api, caller):
    return [row['id'] for row in models(api, caller)['data']]


def test_the_list_is_openais(api):
    before = time.time()
    listed = models(api, 'ann')
    assert listed['object'] == 'list'
    for row in listed['data']:
        assert row['object'] == 'model' and row['owned_by'] == 'House'
        assert row['name'] == row['display_name'] != ''
        assert before - 60 < row['created'] <= time.time() + 1
    # Bare has no server key of its own name but shares no model with Site.
    assert ids(api, 'ann')[:2] == ['mock', 'org/big:free']


def test_the_list_is_anthropics_if_the_caller_is(api):
    listed = models(api, 'ann', anthropic_version='2023-06-01')
    rows = listed['data']
    assert listed['has_more'] is False
    assert (listed['first_id'], listed['last_id']) == (rows[0]['id'], rows[-1]['id'])
    for row in rows:
        assert set(row) == {'type', 'id', 'display_name', 'created_at'} and row['type'] == 'model'
        assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', row['created_at'])
    answer = api.raw('GET', '/v1/models/none', 'ann', anthropic_version='2023-06-01')
    assert answer.status == 404 and answer.json['error']['type'] == 'not_found_error'


@pytest.mark.parametrize('path', ['/v1/models/org/big:free', '/v1/models/org%2Fbig%3Afree',
                                  '/models/org%2Fbig:free', '/v1//models/org/big:free/'])
def test_a_model_is_found_whatever_its_id_holds(api, path):
    answer = api.raw('GET', path, 'ann')
    assert answer.status == 200 and answer.json['id'] == 'org/big:free', answer.text
    assert api.raw('GET', '/models', 'ann').json['data'] == models(api, 'ann')['data']


def test_an_absent_model_is_an_openai_error(api):
    answer = api.raw('GET', '/v1/models/no/such', 'ann')
    assert answer.status == 404
    assert answer.json['error']['code'] == 'model_not_found'


def test_hidden_and_uncallable_models_are_left_out(api):
    assert 'mock-nokey' not in ids(api, 'ann')  # no key for its platform
    row = next(row for row in api.all('/api/models', 'ann') if row['display_name'] == 'Small')
    api.good('PATCH', f'/api/models/{row["model_id"]}', 'ann', {'model_hide': True})
    assert 'mock' not in ids(api, 'ann') and 'mock' in ids(api, 'bob')
    assert api.raw('GET', '/v1/models/mock', 'ann').status == 404
    site = row['platform_id']
    api.good('PATCH', f'/api/platforms/{site}', 'ann', {'platform_hide': True})
    assert ids(api, 'ann') == []
    bare = next(row for row in api.all('/api/platforms', 'ann') if row['platform_name'] == 'Bare')
    api.good('PUT', f'/api/platforms/{bare["platform_id"]}/key', 'ann',
             {'api_key': 'sk-own-0123456789'})
    assert ids(api, 'ann') == ['mock-nokey'] and 'mock-nokey' not in ids(api, 'bob')


def test_each_id_leads_to_its_own_model_even_if_names_are_shared(api, mockllm):
    mine = api.good('POST', '/api/platforms', 'ann',
                    {'platform_name': 'Mine', 'base_url': mockllm.base_url + '/mine',
                     'api_key': 'sk-mine-0123456789'})['platform_id']
    for name, shown in (('mock', 'My mock'), ('Small', 'Other')):
        api.good('POST', f'/api/platforms/{mine}/models', 'ann',
                 {'model_name': name, 'display_name': shown})
    listed = models(api, 'ann')['data']
    assert len({row['id'] for row in listed}) == len(listed) == 4
    for row in listed:
        one = api.raw('GET', '/v1/models/' + urllib.parse.quote(row['id'], safe=''), 'ann')
        assert one.json == row
        why = api.good('GET', '/api/explain?model=' + urllib.parse.quote(row['id']), 'ann')
        chosen = [item for item in why['candidates'] if item['chosen']]
        assert [item['display_name'] for item in chosen] == [row['display_name']]


def test_a_private_model_is_its_owners_alone(api):
    mine = api.good('POST', '/api/platforms', 'ann',
                    {'platform_name': 'Mine', 'base_url': 'http://127.0.0.1:9/v1',
                     'api_key': 'sk-mine-0123456789'})['platform_id']
    api.good('POST', f'/api/platforms/{mine}/models', 'ann', {'model_name': 'private-model'})
    assert 'private-model' in ids(api, 'ann') and 'private-model' not in ids(api, 'bob')
    assert api.raw('GET', '/v1/models/private-model', 'bob').status == 404
    assert api.raw('GET', '/v1/models/Mine/private-model', 'bob').status == 404


# ---- Running it ----------------------------------------------------------------------------------

LABELS = r'\{(?:[a-z_]+="[^"\\\n]*",?)*\}'
SAMPLE = re.compile(rf'([a-z_:][a-z0-9_:]*)({LABELS})? (-?[0-9.]+|\+Inf|NaN)')


def samples(text):
    """The Prometheus text format, strictly: name and labels -> value."""
    found, types, closed, current = {}, {}, set(), None
    assert text.endswith('\n')
    for line in text.splitlines():
        if line.startswith('# '):
            word, name, rest = line[2:].split(' ', 2)
            assert word in ('HELP', 'TYPE')
            if name != current:
                assert name not in closed, f'{name} is not in one piece'
                closed.add(current)
                current = name
            if word == 'TYPE':
                assert rest in ('counter', 'gauge', 'histogram') and name not in types
                types[name] = rest
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f'no sample: {line!r}'
        name = match[1]
        base = re.sub(r'_(bucket|sum|count)$', '', name) if name not in types else name
        assert base == current and base in types, line
        assert match[1] + (match[2] or '') not in found
        if types[base] == 'counter':
            assert name.endswith('_total'), name
        found[name + (match[2] or '')] = float(match[3])
    for name, kind in types.items():
        if kind == 'histogram':
            buckets = [value for key, value in found.items() if key.startswith(name + '_bucket')]
            assert buckets == sorted(buckets) and buckets[-1] == found[name + '_count']
    return found


def test_metrics_count_and_name_nobody(api):
    def read():
        answer = api.raw('GET', '/metrics', 'admin')
        assert answer.status == 200
        assert answer.fields['content-type'].startswith('text/plain; version=0.0.4')
        for secret in ('ann', 'canary', 'House', 'Small', 'sk-', 'mock', '127.0.0.1'):
            assert secret not in answer.text
        return samples(answer.text)
    before = read()
    api.raw('POST', '/v1/chat/completions', 'ann',
            {'model': 'Small', 'messages': [{'role': 'user', 'content': 'canary'}]})
    after = read()
    done = 'llmgr_attempts_total{end="completed"}'
    assert after[done] == before[done] + 1
    spent = 'gen_ai_client_token_usage_total{gen_ai_token_type="output"}'
    assert after[spent] > before[spent]
    assert after['llmgr_requests_total'] >= before['llmgr_requests_total'] + 2
    assert after['gen_ai_server_request_duration_seconds_count'] > 0
    assert after['llmgr_ready'] == 1


def test_health_and_readiness_need_no_token(api):
    assert api.raw('GET', '/healthz').json == {'status': 'ok'}
    assert api.raw('GET', '/readyz').json == {'status': 'ready'}
    assert api.raw('HEAD', '/healthz').status == 200
