# SPDX-License-Identifier: MIT
"""What routes let alone for a while, as those see it who run the server or use it: whose it is,
until when, and how it is let loose again."""
import time

from smart import api_fixture, ask, cells, number, refuse_key, vendors_fixture  # noqa: F401
from vendors import Call

MINUTE_MS = 60 * 1000


def test_a_key_that_is_refused_is_seen_and_let_loose(api, vendors):
    vendors[0].play = refuse_key('sk-key-of-A-000000')
    before = time.time() * 1000
    assert ask(api, 'ann') == 200 and ask(api, 'bob') == 200
    assert [vendor.asked for vendor in vendors] == [1, 2]
    cell, = cells(api)
    assert (cell['scope'], cell['platform_name'], cell['is_own']) == ('key', 'A', False)
    assert (cell['state'], cell['reason'], cell['upstream_status']) == ('cooled', 'key', 401)
    assert cell['is_hard'] and cell['streak'] == 1 and cell['model_id'] is None
    assert cell['since_ms'] >= before - 1000
    assert 20 * MINUTE_MS < cell['until_ms'] - before < 40 * MINUTE_MS
    # How the server's keys do is the administrator's affair.
    assert cells(api, 'ann') == cells(api, 'bob') == []
    path = '/api/health/cells/' + cell['cell_id']
    api.bad(404, 'ERR_NOT_FOUND', 'DELETE', path, 'bob')
    for wrong in ('0', 'x', '123456789abcdef01', cell['cell_id'] + '0'):
        api.bad(404, 'ERR_NOT_FOUND', 'DELETE', '/api/health/cells/' + wrong)
    vendors[0].play = Call.answer
    assert ask(api, 'bob') == 200 and vendors[0].asked == 1
    assert api.call('DELETE', path).status == 204
    assert cells(api) == [] and ask(api, 'bob') == 200 and vendors[0].asked == 2
    api.bad(404, 'ERR_NOT_FOUND', 'DELETE', path)


def test_an_own_key_is_its_owners_affair(api, vendors):
    platform = number(api, 'A', 'ann')
    api.good('PUT', f'/api/platforms/{platform}/key', 'ann', {'api_key': 'sk-anns-own-0001'})
    vendors[0].play = refuse_key('sk-anns-own-0001')
    assert ask(api, 'ann') == 502 and ask(api, 'ann') == 503
    assert vendors[0].asked == 1 and ask(api, 'bob') == 200 and vendors[0].asked == 2
    cell, = cells(api, 'ann')
    assert cell['is_own'] and cell['scope'] == 'key'
    assert cells(api, 'bob') == cells(api) == []
    assert [row['cell_id'] for row in cells(api, query='?user=ann')] == [cell['cell_id']]
    path = '/api/health/cells/' + cell['cell_id']
    api.bad(404, 'ERR_NOT_FOUND', 'DELETE', path, 'bob')
    assert api.call('DELETE', path, 'ann').status == 204
    assert ask(api, 'ann') == 502 and vendors[0].asked == 3


def test_a_limit_is_the_accounts(api, vendors):
    vendors[0].play = lambda call: call.refuse(429, Retry_After=300)
    before = time.time() * 1000
    assert ask(api, 'ann') == 200
    assert cells(api, 'ann') == []
    cell, = cells(api)
    assert (cell['scope'], cell['reason'], cell['is_hard']) == ('account', 'limit', False)
    assert 290 * 1000 < cell['until_ms'] - before < 360 * 1000


def test_a_model_that_fails_is_seen_by_who_sees_it(api, vendors):
    vendors[0].play = lambda call: call.refuse(503)
    for caller in ('ann', 'bob') * 3:
        assert ask(api, caller) == 200
    for caller in ('admin', 'ann', 'bob'):
        cell, = cells(api, caller)
        assert (cell['scope'], cell['reason'], cell['is_own']) == ('model', 'overload', False)
