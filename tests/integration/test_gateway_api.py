# SPDX-License-Identifier: MIT
"""The management API of a running server: every operation, on both databases."""
import concurrent.futures
import json
import re
import time
import urllib.parse

import pytest

from conftest import PATIENCE_S
from gateway_api import Api


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm):
    """Mode custom; callers admin, ann, bob, and app, whose users begin with "a"."""
    server = Api(llmgr, mockllm)
    server.token('admin', '--kind', 'admin')
    server.token('ann', '-u', 'ann')
    server.token('bob', '-u', 'bob')
    server.token('app', '--kind', 'app', '--prefix', 'a')
    yield server
    if server.process.poll() is None:
        server.stop()


def add_platform(api, caller, name, url='http://127.0.0.1:9/v1', **more):
    return api.good('POST', '/api/platforms', caller,
                    {'platform_name': name, 'base_url': url, **more})


# ---- The document --------------------------------------------------------------------------------

def test_operations_are_named_once_and_explained(api):
    names = [operation.id for operation in api.operations]
    assert len(names) == len(set(names))
    for operation in api.operations:
        assert operation.item['summary'] and operation.item['tags']
        for parameter in operation.parameters:
            assert '{' + parameter + '}' in operation.path


# ---- Platforms -----------------------------------------------------------------------------------

def test_a_private_platform_lives_and_dies(api):
    made = api.call('POST', '/api/platforms', 'ann',
                    {'platform_name': 'Mine', 'base_url': 'http://127.0.0.1:9/v1',
                     'api_key': 'sk-ann-0123456789'})
    assert made.status == 201
    mine = made.json
    path = made.fields['location']
    assert path == f'/api/platforms/{mine["platform_id"]}'
    assert mine['api_key_set'] and mine['payer'] == 'user' and not mine['platform_is_sys']
    assert re.fullmatch(r'key:[0-9a-f]{8}', mine['key_fingerprint'])
    assert 'sk-ann' not in made.text
    assert api.good('GET', path, 'ann') == mine
    changed = api.good('PATCH', path, 'ann', {'platform_name': 'Ours', 'platform_hide': True})
    assert changed == {**mine, 'platform_name': 'Ours', 'platform_hide': True}
    assert api.call('DELETE', path, 'ann').status == 204
    api.bad(404, 'ERR_NOT_FOUND', 'GET', path, 'ann')


def test_a_change_is_made_whole_or_not_at_all(api):
    add_platform(api, 'ann', 'Taken', 'http://127.0.0.1:7/v1')
    mine = add_platform(api, 'ann', 'Mine')
    path = f'/api/platforms/{mine["platform_id"]}'
    api.bad(409, 'ERR_CONFLICT', 'PATCH', path, 'ann',
            {'platform_hide': True, 'platform_name': 'Taken', 'base_url': 'http://127.0.0.1:8/v1'})
    api.bad(400, 'ERR_INVALID', 'PATCH', path, 'ann', {'platform_name': 'New', 'base_url': 'none'})
    api.bad(400, 'ERR_INVALID', 'PATCH', path, 'ann', {})
    api.bad(400, 'ERR_INVALID', 'PATCH', path, 'ann', {'api_key': 'sk-alone-0123456789'})
    assert api.good('GET', path, 'ann') == mine


def test_a_moved_platform_has_lost_its_key_unless_it_is_given_anew(api):
    mine = add_platform(api, 'ann', 'Mine', api_key='sk-ann-0123456789')
    path = f'/api/platforms/{mine["platform_id"]}'
    assert not api.good('PATCH', path, 'ann', {'base_url': 'http://127.0.0.1:8/v1'})['api_key_set']
    moved = api.good('PATCH', path, 'ann',
                     {'base_url': 'http://127.0.0.1:7/v1', 'api_key': 'sk-new-0123456789'})
    assert moved['api_key_set'] and moved['base_url'] == 'http://127.0.0.1:7/v1'


def test_an_own_key_for_a_system_platform_is_stored_and_removed(api):
    site = api.good('GET', '/api/platforms', 'ann')['data'][0]
    path = f'/api/platforms/{site["platform_id"]}'
    own = api.good('PUT', path + '/key', 'ann', {'api_key': 'sk-own-0123456789'})
    assert own['payer'] == 'user' and own['key_fingerprint'] != site['key_fingerprint']
    assert api.call('DELETE', path + '/key', 'ann').status == 204
    assert api.good('GET', path, 'ann') == site
    api.bad(400, 'ERR_INVALID', 'PUT', path + '/key', 'ann', {'api_key': ''})
    api.bad(403, 'ERR_FORBIDDEN', 'PATCH', path, 'ann', {'platform_name': 'Stolen'})
    api.bad(403, 'ERR_FORBIDDEN', 'DELETE', path, 'ann')


def test_a_probe_lists_models_and_tells_users_nothing_of_the_network(api, mockllm):
    site = api.good('GET', '/api/platforms', 'ann')['data'][0]
    found = api.good('POST', f'/api/platforms/{site["platform_id"]}/probe', 'ann')
    assert 'mock-model' in [row['id'] for row in found['data']]
    found = api.good('POST', '/api/probe', 'ann', {'base_url': mockllm.base_url,
                                                   'api_key': 'sk-probe-0123456789'})
    assert found['data']
    assert mockllm.last().key == 'sk-probe-0123456789'
    closed = api.bad(502, 'ERR_UNREACHABLE', 'POST', '/api/probe', 'ann',
                     {'base_url': 'http://127.0.0.1:9/v1'})
    refused = api.bad(502, 'ERR_UNREACHABLE', 'POST', '/api/probe', 'ann',
                      {'base_url': 'http://10.1.2.3/v1'})
    unknown = api.bad(502, 'ERR_UNREACHABLE', 'POST', '/api/probe', 'ann',
                      {'base_url': 'http://no-such-host.invalid/v1'})
    assert closed.json['detail'] == refused.json['detail'] == unknown.json['detail']


# ---- Models --------------------------------------------------------------------------------------

def test_a_model_is_added_changed_hidden_and_deleted(api):
    platform = add_platform(api, 'ann', 'Mine')
    made = api.call('POST', f'/api/platforms/{platform["platform_id"]}/models', 'ann',
                    {'model_name': 'vendor/m-1', 'extra_body': {'top_p': 0.7, 'deep': {'a': [1]}}})
    assert made.status == 201
    path, model = made.fields['location'], made.json
    assert model['display_name'] == 'vendor/m-1'
    assert model['extra_body'] == {'top_p': 0.7, 'deep': {'a': [1]}} and '0.7,' in made.text
    changed = api.good('PATCH', path, 'ann',
                       {'display_name': 'One', 'extra_body': None, 'model_hide': True})
    assert changed == {**model, 'display_name': 'One', 'extra_body': None, 'model_hide': True}
    assert api.good('GET', path, 'ann') == changed
    assert api.good('PATCH', path, 'ann', {'model_hide': False})['model_hide'] is False
    assert api.call('DELETE', path, 'ann').status == 204
    api.bad(404, 'ERR_NOT_FOUND', 'GET', path, 'ann')


def test_a_system_model_may_be_hidden_but_not_changed(api):
    model = api.good('GET', '/api/models', 'ann')['data'][0]
    path = f'/api/models/{model["model_id"]}'
    assert api.good('PATCH', path, 'ann', {'model_hide': True})['model_hide']
    assert not api.good('GET', path, 'bob')['model_hide']
    api.bad(403, 'ERR_FORBIDDEN', 'PATCH', path, 'ann', {'display_name': 'Mine'})
    api.bad(403, 'ERR_FORBIDDEN', 'DELETE', path, 'ann')
    api.bad(403, 'ERR_FORBIDDEN', 'PATCH', path, 'ann', {'model_hide': False, 'display_name': 'X'})
    assert api.good('GET', path, 'ann')['model_hide']


# ---- Selections ----------------------------------------------------------------------------------

def test_slots_are_chosen_for_and_explained(api):
    large = next(row for row in api.all('/api/models', 'ann') if row['display_name'] == 'Large')
    assert api.good('GET', '/api/selections', 'ann')['data'] == []
    chosen = {'platform_id': large['platform_id'], 'model_id': large['model_id']}
    assert api.good('GET', '/api/selections/main', 'ann')['is_default']
    for slot in ('main', '快 慢%2F', 'fast'):
        path = '/api/selections/' + urllib.parse.quote(slot, safe='')
        got = api.good('PUT', path, 'ann', chosen)
        assert (got['slot'], got['model_id']) == (slot, large['model_id'])
        assert api.good('GET', path, 'ann') == got
    rows = api.all('/api/selections', 'ann', limit=2)
    assert sorted(row['slot'] for row in rows) == sorted(['main', '快 慢%2F', 'fast'])
    # A '/' parts a platform from its model in names.
    api.bad(400, 'ERR_INVALID', 'PUT', '/api/selections/a%2Fb', 'ann',
            {'platform_id': large['platform_id'], 'model_id': large['model_id']})
    why = api.good('GET', '/api/explain?model=Large', 'ann')
    assert [row['model_id'] for row in why['candidates'] if row['chosen']] == [large['model_id']]
    assert why['status'] == 'OK'
    api.good('GET', '/api/explain?slot=fast', 'ann')
    api.bad(400, 'ERR_INVALID', 'GET', '/api/explain?slot=fast&model=Large', 'ann')


# ---- Tokens --------------------------------------------------------------------------------------

def test_a_token_is_shown_once_works_and_is_revoked_at_once(api):
    made = api.call('POST', '/api/tokens', 'ann', {'name': 'laptop'})
    assert made.status == 201
    token = made.json
    assert token['kind'] == 'user' and token['user'] == 'ann' and token['name'] == 'laptop'
    assert api.good('GET', '/api/me', token['token'])['user'] == 'ann'
    listed = api.all('/api/tokens', 'ann')
    assert token['token_id'] in [row['token_id'] for row in listed]
    assert token['token'] not in json.dumps(listed)
    assert api.call('DELETE', made.fields['location'], 'ann').status == 204
    api.bad(401, 'ERR_UNAUTHORIZED', 'GET', '/api/me', token['token'])
    assert api.call('DELETE', made.fields['location'], 'ann').status == 204
    revoked = {row['token_id']: row for row in api.all('/api/tokens', 'ann')}[token['token_id']]
    assert revoked['revoked'] and revoked['revoked_at_ms'] >= revoked['created_at_ms']


def test_a_token_never_exceeds_its_maker(api):
    for kind in ('app', 'admin'):
        api.bad(403, 'ERR_FORBIDDEN', 'POST', '/api/tokens', 'ann', {'kind': kind})
    api.bad(403, 'ERR_FORBIDDEN', 'POST', '/api/tokens', 'app', {}, X_LLMGR_User='ann')
    made = api.good('POST', '/api/tokens?user=carl', 'admin', {'name': 'for carl'})
    assert api.good('GET', '/api/me', made['token'])['user'] == 'carl'
    app = api.good('POST', '/api/tokens', 'admin', {'kind': 'app', 'prefix': 'team-'})
    assert app['prefix'] == 'team-' and app['user'] is None
    assert api.good('GET', '/api/me', app['token'], X_LLMGR_User='team-1')['user'] == 'team-1'
    api.bad(403, 'ERR_FORBIDDEN', 'GET', '/api/me', app['token'], X_LLMGR_User='ann')


# ---- Usage ---------------------------------------------------------------------------------------

def chat(api, caller, model='Small'):
    answer = api.raw('POST', '/v1/chat/completions', caller,
                     {'model': model, 'messages': [{'role': 'user', 'content': 'hello canary'}]})
    assert answer.status == 200, answer.text


def wait_for_usage(api, path, caller, requests):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        usage = api.good('GET', path, caller)
        if usage['total']['requests'] >= requests:
            return usage
        time.sleep(0.02)
    raise AssertionError(f'{usage} has no {requests} requests')


def test_usage_is_summed_for_oneself_and_for_administrators_for_all(api):
    chat(api, 'ann')
    chat(api, 'ann', 'Large')
    chat(api, 'bob')
    everybody = wait_for_usage(api, '/api/usage?by=user', 'admin', 3)
    assert {row['key']: row['requests'] for row in everybody['data']} == {'ann': 2, 'bob': 1}
    own = api.good('GET', '/api/usage?by=user', 'bob')
    assert [row['key'] for row in own['data']] == ['bob']
    named = api.good('GET', '/api/usage?by=model&user=ann&limit=1', 'admin')
    assert named['has_more'] and named['total']['requests'] == 2
    rest = api.good('GET', f'/api/usage?by=model&user=ann&limit=1&after={named["next"]}', 'admin')
    assert len(rest['data']) == 1 and not rest['has_more']
    assert api.good('GET', '/api/usage?until=2020-01-01', 'ann')['data'] == []
    assert api.good('GET', '/api/usage?since=2020-01-01T00:00:00%2B08:00', 'ann')['data']
    for query in ('by=colour', 'since=yesterday', 'since=2026-02-30', 'until=2026-01-01T25:00:00Z'):
        api.bad(400, 'ERR_INVALID', 'GET', '/api/usage?' + query, 'ann')


# ---- Oneself, the server, the site --------------------------------------------------------------

def test_me_and_info(api):
    assert api.good('GET', '/api/me', 'ann')['may_create'] is True
    me = api.good('GET', '/api/me', 'admin')
    assert (me['kind'], me['is_admin'], me['user']) == ('admin', True, '-1')
    assert api.good('GET', '/api/me', 'app', X_LLMGR_User='amy')['user'] == 'amy'
    info = api.good('GET', '/api/info', 'ann')
    assert info['mode'] == 'custom' and info['auto_key'] is True


def test_synchronisation_reads_the_file_anew(api):
    assert api.good('GET', '/api/sync')['state'] == 'current'
    path = api.llmgr.folder / 'llmgr.yaml'
    path.write_text(path.read_text().replace('Small: mock', 'Tiny: mock'))
    assert api.good('GET', '/api/sync')['state'] == 'stale'
    would = api.good('POST', '/api/sync', 'admin', {'dry_run': True})
    assert would['dry_run'] and would['changes']
    assert api.good('GET', '/api/sync')['state'] == 'stale'
    did = api.good('POST', '/api/sync')
    assert did['changes'] == would['changes'] and not did['dry_run']
    assert 'Tiny' in [row['display_name'] for row in api.all('/api/models')]
    path.write_text('platforms: [')
    api.bad(500, 'ERR_CONFIG', 'POST', '/api/sync')
    assert 'Tiny' in [row['display_name'] for row in api.all('/api/models')]


def test_the_database_is_checked_and_keys_are_rotated(api):
    mine = add_platform(api, 'ann', 'Mine', api_key='sk-ann-0123456789')
    report = api.good('GET', '/api/db/check')
    assert report['unreadable_keys'] == 0 and report['platforms'] >= 3
    before = api.good('GET', '/api/keys')
    assert api.good('POST', '/api/keys/rotate', 'admin', {'dry_run': True})['rotated'] >= 2
    after = api.good('POST', '/api/keys/rotate', 'admin')
    assert after['rotated'] >= 2
    active = [[key['id'] for key in keys['keys'] if key['active']] for keys in (before, after)]
    assert active[0] != active[1]
    assert api.good('GET', f'/api/platforms/{mine["platform_id"]}', 'ann') == mine


def test_an_administrator_acts_for_any_user(api):
    made = api.good('POST', '/api/platforms?user=dora', 'admin',
                    {'platform_name': 'Hers', 'base_url': 'http://127.0.0.1:9/v1'})
    path = f'/api/platforms/{made["platform_id"]}'
    assert api.good('GET', path + '?user=dora', 'admin')['platform_name'] == 'Hers'
    api.bad(404, 'ERR_NOT_FOUND', 'GET', path, 'admin')
    api.bad(400, 'ERR_INVALID', 'GET', '/api/platforms?user=' + 'x' * 300, 'admin')


# ---- Idempotency ---------------------------------------------------------------------------------

def test_a_repeated_post_is_answered_not_done(api):
    body = {'platform_name': 'Once', 'base_url': 'http://127.0.0.1:9/v1'}
    first = api.call('POST', '/api/platforms', 'ann', body, Idempotency_Key='k-1')
    assert first.status == 201 and 'idempotency-replayed' not in first.fields
    api.kill()
    api.start()
    again = api.call('POST', '/api/platforms', 'ann', body, Idempotency_Key='k-1')
    assert (again.status, again.text) == (201, first.text)
    assert again.fields['idempotency-replayed'] == 'true'
    assert again.fields['location'] == first.fields['location']
    assert [row['platform_name'] for row in api.all('/api/platforms', 'ann')].count('Once') == 1
    api.bad(422, 'ERR_INVALID', 'POST', '/api/platforms', 'ann', {**body, 'platform_name': 'Two'},
            Idempotency_Key='k-1')
    other = api.call('POST', '/api/platforms', 'bob', body, Idempotency_Key='k-1')
    assert other.status == 201 and other.text != first.text


def test_a_failed_post_may_be_tried_again_with_its_key(api):
    body = {'platform_name': 'House', 'base_url': 'http://127.0.0.1:9/v1'}
    for _ in range(2):
        api.bad(409, 'ERR_CONFLICT', 'POST', '/api/platforms', 'ann', body, Idempotency_Key='k')
    made = api.call('POST', '/api/platforms', 'ann', {**body, 'platform_name': 'Free'},
                    Idempotency_Key='k')
    assert made.status == 201
    api.bad(400, 'ERR_INVALID', 'POST', '/api/platforms', 'ann', body, Idempotency_Key='k' * 256)


def test_one_key_at_once_makes_one_thing(api):
    def post(_):
        return api.call('POST', '/api/tokens', 'ann', {'name': 'race'}, Idempotency_Key='race')
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(16)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.text for answer in answers if answer.status == 201}) == 1
    assert [row['name'] for row in api.all('/api/tokens', 'ann')].count('race') == 1


def test_a_replayed_token_is_the_same_and_lies_nowhere_in_clear(api):
    first = api.good('POST', '/api/tokens', 'ann', {}, Idempotency_Key='t')
    assert api.good('POST', '/api/tokens', 'ann', {}, Idempotency_Key='t') == first
    api.stop()
    for path in api.llmgr.folder.rglob('*'):
        if path.is_file():
            assert first['token'].encode() not in path.read_bytes(), path


# ---- Pages ---------------------------------------------------------------------------------------

def test_pages_are_stable_and_linked(api):
    platform = add_platform(api, 'ann', 'Mine')['platform_id']
    ids = [api.good('POST', f'/api/platforms/{platform}/models', 'ann',
                    {'model_name': f'm{i}'})['model_id'] for i in range(7)]
    whole = [row['model_id'] for row in api.all('/api/models', 'ann')]
    for limit in (1, 2, 3, 9, 10, 1000):
        assert [row['model_id'] for row in api.all('/api/models', 'ann', limit)] == whole
    page = api.call('GET', '/api/models?limit=4', 'ann')
    link = re.fullmatch(r'<([^>]*)>; rel="next"', page.fields['link'])[1]
    assert [row['model_id'] for row in api.good('GET', link, 'ann')['data']] == whole[4:8]
    # The page's last row goes, and one before it: nothing is left out, nothing comes twice.
    last = page.json['data'][-1]['model_id']
    assert last == ids[0]
    api.call('DELETE', f'/api/models/{last}', 'ann')
    assert [row['model_id'] for row in api.good('GET', link, 'ann')['data']] == whole[4:8]


def test_a_bad_page_is_refused(api):
    for query in ('limit=0', 'limit=1001', 'limit=x', 'limit=-1', 'limit=', 'after=nonsense',
                  'after=1', 'limit=1&limit=2', 'offset=3', 'after=%ff',
                  'after=99999999999999999999.1'):
        api.bad(400, 'ERR_INVALID', 'GET', '/api/models?' + query, 'ann')


# ---- Bad input -----------------------------------------------------------------------------------

BAD_BODIES = [
    (b'{', 'JSON'), (b'[]', 'object'), (b'"x"', 'object'), (b'{"a":1}', "'a'"),
    (b'{"platform_name":"A","platform_name":"B","base_url":"u"}', 'twice'),
    (b'{"platform_name":"A"}', "'base_url'"), (b'{"platform_name":1,"base_url":"u"}', 'string'),
    (b'{"platform_name":null,"base_url":"u"}', 'string'),
    (b'{"platform_name":"A","base_url":"https://x.example/v1","platform_is_sys":true}',
     "'platform_is_sys'"),
    (b'{"platform_name":"A","base_url":"https://x.example/v1","user_id":"bob"}', "'user_id'"),
    (b'{"platform_name":"\\u0000","base_url":"u"}', 'JSON'),
    (b'{"platform_name":"\xff","base_url":"u"}', 'JSON'),
    (b'{"x":' + b'[' * 100 + b']' * 100 + b'}', 'deeper'),
    (b'', 'body'),
]


def test_a_bad_body_is_refused_by_name(api):
    for body, says in BAD_BODIES:
        answer = api.bad(400, 'ERR_INVALID', 'POST', '/api/platforms', 'ann', body,
                         Content_Type='application/json')
        assert says in answer.json['detail']
    assert api.all('/api/platforms', 'ann') == api.all('/api/platforms', 'bob')


def test_other_bad_requests(api):
    ok = b'{"platform_name":"A","base_url":"http://127.0.0.1:9/v1"}'
    api.bad(415, 'ERR_INVALID', 'POST', '/api/platforms', 'ann', ok, Content_Type='text/plain')
    api.bad(413, 'ERR_TOO_LARGE', 'POST', '/api/platforms', 'ann', b' ' * 300_000 + ok,
            Content_Type='application/json')
    api.bad(400, 'ERR_INVALID', 'DELETE', '/api/platforms/1', 'ann', {})
    api.bad(404, 'ERR_NOT_FOUND', 'GET', '/api/platforms/one', 'ann')
    api.bad(404, 'ERR_NOT_FOUND', 'GET', '/api/platforms/0', 'ann')
    api.bad(404, 'ERR_NOT_FOUND', 'GET', '/api/platforms/99999999999999999999', 'ann')
    api.bad(404, 'ERR_NOT_FOUND', 'GET', '/api/nothing', 'ann')
    answer = api.raw('PUT', '/api/platforms', 'ann', {})
    assert answer.status == 405 and 'GET' in answer.fields['allow']
    api.bad(401, 'ERR_UNAUTHORIZED', 'GET', '/api/platforms', None)
    api.bad(401, 'ERR_UNAUTHORIZED', 'GET', '/api/platforms', 'sk-llmgr-nonsense')


def test_an_error_never_quotes_a_key(api):
    for body in (b'{"api_key":"sk-canary-0123456789",}', b'{"api_key":"sk-canary-0123456789\n"}',
                 b'{"api_key":"sk-canary 0123456789"}', b'{"api_key":["sk-canary-0123456789"]}'):
        answer = api.bad(400, 'ERR_INVALID', 'PUT', '/api/platforms/1/key', 'ann', body,
                         Content_Type='application/json')
        assert 'canary' not in answer.text


def test_without_tokens_a_page_of_another_site_changes_nothing(llmgr, mockllm):
    api = Api(llmgr, mockllm, mode='single')
    body = {'platform_id': 1, 'model_id': 1}
    path = '/api/selections/main'
    assert api.call('PUT', path, None, body).status == 200
    assert api.call('PUT', path, None, body, Sec_Fetch_Site='same-origin').status == 200
    assert api.call('PUT', path, None, body, Origin=f'http://127.0.0.1:{api.port}').status == 200
    api.bad(403, 'ERR_FORBIDDEN', 'PUT', path, None, body, Sec_Fetch_Site='cross-site')
    api.bad(403, 'ERR_FORBIDDEN', 'PUT', path, None, body, Origin='https://evil.example')
    api.bad(403, 'ERR_FORBIDDEN', 'POST', '/api/keys/rotate', None, Origin='null')
    api.stop()


def test_a_fixed_mode_lets_nobody_create(llmgr, mockllm):
    api = Api(llmgr, mockllm, mode='fixed')
    api.token('ann', '-u', 'ann')
    assert api.good('GET', '/api/me', 'ann')['may_create'] is False
    api.bad(403, 'ERR_MODE', 'POST', '/api/platforms', 'ann',
            {'platform_name': 'A', 'base_url': 'http://127.0.0.1:9/v1'})
    api.stop()


def test_a_large_body_arrives_while_its_token_is_looked_up(api):
    for i in range(12):
        token = api.good('POST', '/api/tokens', 'ann', {'name': f'new {i}'})['token']
        api.bad(413, 'ERR_TOO_LARGE', 'POST', '/api/platforms', token, b' ' * 400_000,
                Content_Type='application/json')
