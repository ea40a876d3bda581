# SPDX-License-Identifier: MIT
"""What explain says of a route's candidates while some are let alone: each key of one's own, the
server's as far as one may know, and nothing of what is another's."""
import pytest

from smart import api_fixture, ask, cells, refuse_key, vendors_fixture  # noqa: F401

SERVERS = 'sk-key-of-A-000000'
OWN = [f'sk-anns-own-{i}-000' for i in range(3)]


def explain(api, caller, query='?model=smart'):
    """The candidates by platform."""
    told = api.good('GET', '/api/explain' + query, caller)
    return {row['platform_name']: row for row in told['candidates']}


def only_until(cooled):
    """Says nothing but until when."""
    return cooled['until_ms'] > 0 and {value for name, value in cooled.items()
                                       if name != 'until_ms'} == {None}


@pytest.fixture(name='pool')
def pool_fixture(api):
    """Ann has three keys of her own for A, two of one account."""
    platform = next(row['platform_id'] for row in api.all('/api/platforms', 'ann')
                    if row['platform_name'] == 'A')
    for key, more in zip(OWN, [{'account': 'org-b', 'weight': 2}, {'account': 'org-b'}, {}]):
        api.good('POST', f'/api/platforms/{platform}/keys', 'ann', {'api_key': key, **more})
    return api


def test_how_the_servers_key_does_an_administrator_is_told(api, vendors):
    assert [row['cooled'] for row in explain(api, 'ann').values()] == [None, None]
    vendors[0].play = refuse_key(SERVERS)
    assert ask(api, 'ann') == 200
    cell, = cells(api)
    told = explain(api, 'admin')
    key, = told['A']['keys']
    assert (key['place'], key['weight'], key['account']) == (1, 1, None)
    assert key['fingerprint'] == told['A']['key_fingerprint']
    assert key['cooled'] == told['A']['cooled']
    assert (key['cooled']['scope'], key['cooled']['reason']) == ('key', 'key')
    assert (key['cooled']['upstream_status'], key['cooled']['cell_id']) == (401, cell['cell_id'])
    assert abs(key['cooled']['until_ms'] - cell['until_ms']) < 1000
    assert told['B']['cooled'] is None and told['B']['keys'][0]['cooled'] is None
    # As the administrator sees what Ann gets; she and Bob hear until when, and no more.
    assert explain(api, 'admin', '?model=smart&user=ann')['A']['cooled']['reason'] == 'key'
    for caller in ('ann', 'bob'):
        told = explain(api, caller)
        assert told['A']['keys'] == [] and only_until(told['A']['cooled'])
        assert abs(told['A']['cooled']['until_ms'] - cell['until_ms']) < 1000
        assert told['A']['kept'] and told['B']['cooled'] is None


def test_a_limit_of_the_servers_account_is_told_likewise(api, vendors):
    vendors[0].play = lambda call: call.refuse(429, Retry_After=300)
    assert ask(api, 'bob') == 200
    cooled = explain(api, 'admin')['A']['cooled']
    assert (cooled['scope'], cooled['reason'], cooled['upstream_status']) == (
        'account', 'limit', 429)
    assert only_until(explain(api, 'bob')['A']['cooled'])
    assert api.call('DELETE', '/api/health/cells/' + cooled['cell_id'], 'bob').status == 404
    assert api.call('DELETE', '/api/health/cells/' + cooled['cell_id']).status == 204
    assert explain(api, 'bob')['A']['cooled'] is None


def test_how_a_model_does_all_are_told_who_see_it(api, vendors):
    vendors[0].play = lambda call: call.refuse(503)
    for caller in ('ann', 'bob') * 3:
        assert ask(api, caller) == 200
    for caller in ('admin', 'ann', 'bob'):
        cooled = explain(api, caller)['A']['cooled']
        assert (cooled['scope'], cooled['reason']) == ('model', 'overload')


def test_every_key_of_a_pool_of_ones_own_is_told(pool, vendors):
    def play(call):
        if call.key == OWN[0]:
            call.refuse(429, Retry_After=300)
        elif call.key == OWN[2]:
            call.refuse(401, 'Incorrect API key provided', 'invalid_api_key')
        else:
            call.answer()
    vendors[0].play = play
    ask(pool, 'ann')
    told = explain(pool, 'ann')['A']
    assert [(key['place'], key['weight'], key['account']) for key in told['keys']] == [
        (1, 2, 'org-b'), (2, 1, 'org-b'), (3, 1, None)]
    assert len({key['fingerprint'] for key in told['keys']}) == 3 and told['payer'] == 'user'
    limit, same, dead = [key['cooled'] for key in told['keys']]
    assert (limit['scope'], limit['account'], limit['upstream_status']) == (
        'account', 'org-b', 429)
    assert same['cell_id'] == limit['cell_id']
    assert (dead['scope'], dead['account'], dead['reason']) == ('key', None, 'key')
    # None may be asked: the account is free sooner than the dead key.
    assert told['cooled'] == limit
    assert {cell['cell_id'] for cell in cells(pool, 'ann')} == {limit['cell_id'], dead['cell_id']}
    # Nobody else hears of it, but who administers, as her.
    for caller in ('bob', 'admin'):
        text = pool.call('GET', '/api/explain?model=smart', caller).text
        assert 'org-b' not in text and told['key_fingerprint'] not in text
        assert explain(pool, caller)['A']['cooled'] is None
    assert explain(pool, 'admin', '?model=smart&user=ann')['A']['cooled']['account'] == 'org-b'
    path = '/api/health/cells/' + dead['cell_id']
    pool.bad(404, 'ERR_NOT_FOUND', 'DELETE', path, 'bob')
    pool.bad(404, 'ERR_NOT_FOUND', 'DELETE', path)
    assert pool.call('DELETE', path, 'ann').status == 204
    told = explain(pool, 'ann')['A']
    assert told['cooled'] is None and told['keys'][2]['cooled'] is None
    assert not any(key in str(told) for key in OWN)


def test_a_target_of_another_dialect_is_told(api, vendors):
    """Who asks in another one passes it over; who names the model itself means it."""
    llmgr = api.llmgr
    text = (llmgr.folder / 'llmgr.yaml').read_text(encoding='utf-8')
    llmgr.write('llmgr.yaml', text.replace('  A:\n', '  A:\n    protocol: anthropic\n', 1))
    api.good('POST', '/api/sync', body={})
    told = explain(api, 'ann')
    assert [told[name]['dialect'] for name in 'AB'] == ['anthropic', None]
    assert told['A']['kept'] and explain(api, 'ann', '?model=A/M')['A']['dialect'] is None
    assert ask(api, 'ann') == 200
    assert [vendor.asked for vendor in vendors] == [0, 1]
    api.raw('POST', '/v1/messages', 'ann', {
        'model': 'smart', 'max_tokens': 9, 'messages': [{'role': 'user', 'content': 'Hi'}]})
    assert vendors[0].asked == 1
    shown = llmgr.ok('-u', 'ann', 'explain', '--model', 'smart')
    assert 'a target of the route; for requests in the dialect anthropic only' in shown


def test_a_candidate_that_is_dropped_tells_no_keys(pool):
    told = explain(pool, 'ann', '?model=A/M')
    assert not told['B']['kept'] and told['B']['keys'] == [] and told['B']['cooled'] is None
    assert len(told['A']['keys']) == 3
