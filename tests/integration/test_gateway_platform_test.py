# SPDX-License-Identifier: MIT
"""The test of a platform's keys, over the API and from the command line: what each way to fail
looks like, who may test what, what is told to whom, and how often."""
import json

import pytest

from conftest import until
from smart import (EMBED, OPEN, api_fixture, config, number,  # noqa: F401
                   platform_lines, vendors_fixture)
from stress import ledger
from vendors import Call

CONFIG = config(OPEN + 'total_timeout: 2s\n', EMBED,
                platform_lines('Gone', 'http://127.0.0.1:{closed}/v1', key='sk-key-of-gone-000')
                + platform_lines('Empty', '{b}/empty', EMBED, key='sk-key-of-B-000000'))

SECRET = 'words of the platform'
A_MINUTE = 10  # tests of a user


def path(api, name, caller='admin'):
    return f'/api/platforms/{number(api, name, caller)}/test'


def told_of(api, name, caller='admin'):
    """One test of each key, and that none is left out."""
    answer = api.good('POST', path(api, name, caller), caller)
    assert answer['untested'] == 0
    return answer['data']


def own_key(api, user, *keys):
    for key in keys:
        api.good('POST', f'/api/platforms/{number(api, "A", user)}/keys', user, {'api_key': key})


def rows(api):
    wanted = ('user_id', 'payer', 'model_name', 'end_state', 'endpoint')
    return [tuple(row[name] for name in wanted[:-1]) for row in ledger(api.llmgr, wanted)
            if row['endpoint'] == 'platform/test']


def test_a_good_key(api, vendors):
    one, = told_of(api, 'A')
    assert (one['reachable'], one['key_state'], one['reason']) == (True, 'good', 'answered')
    assert (one['status'], one['message'], one['upstream_status']) == ('OK', '', 200)
    assert one['first_byte_ms'] >= 0 and one['payer'] == 'system' and one['model_name'] == 'm'
    assert one['fingerprint'].startswith('key:')
    call, = vendors[0].calls
    assert call.key == 'sk-key-of-A-000000'
    assert call.body['max_tokens'] == 1 and call.body['model'] == 'm'
    assert rows(api) == [('-1', 'system', 'm', 'completed')]


# How the platform plays, and what is told: state, reason, status, HTTP.
WAYS = {
    'refused': (lambda call: call.refuse(401, SECRET, 'invalid_api_key'),
                ('refused', 'key', 'ERR_KEY_REFUSED', 401)),
    'no money': (lambda call: call.refuse(402, SECRET), ('good', 'billing', 'ERR_UPSTREAM', 402)),
    'a limit': (lambda call: call.refuse(429, SECRET), ('good', 'limit', 'ERR_RATE_LIMITED', 429)),
    'no such model': (lambda call: call.refuse(404, SECRET, 'model_not_found'),
                      ('unknown', 'unknown_model', 'ERR_UPSTREAM', 404)),
    'it fails': (lambda call: call.refuse(500, SECRET),
                 ('unknown', 'failed', 'ERR_UPSTREAM', 500)),
    'a page of an error': (lambda call: (call.head(502, 'text/html', len(SECRET) + 15),
                                         call.send(f'<title>{SECRET}</title>')),
                           ('unknown', 'overload', 'ERR_UPSTREAM', 502)),
    'a page for an answer': (lambda call: (call.head(200, 'text/html', len(SECRET) + 15),
                                           call.send(f'<title>{SECRET}</title>')),
                             ('unknown', 'garbled', 'ERR_PROTOCOL', 200)),
    'an error for an answer': (lambda call: call.whole(200, {'error': {
        'message': SECRET, 'code': 'insufficient_quota'}}),
                               ('good', 'billing', 'ERR_UPSTREAM', 200)),
}


@pytest.mark.parametrize('way', WAYS)
def test_each_way_to_fail(api, vendors, way):
    vendors[0].play, told = WAYS[way]
    own_key(api, 'ann', 'sk-anns-own-0001')
    one, = told_of(api, 'A')
    assert (one['key_state'], one['reason'], one['status'], one['upstream_status']) == told
    assert one['reachable'] and one['message']
    # The platform's words are for administrators.
    other, = told_of(api, 'A', 'ann')
    assert {name: one[name] for name in one if name not in (
        'fingerprint', 'payer', 'message', 'first_byte_ms')}.items() <= other.items()
    assert SECRET not in json.dumps(other) and other['message']
    if way not in ('a page for an answer',):  # nothing can be read there
        assert SECRET in one['message']
    assert rows(api) == [('-1', 'system', 'm', 'upstream_error'),
                         ('ann', 'user', 'm', 'upstream_error')]


def test_nobody_is_there(api):
    one, = told_of(api, 'Gone')
    assert (one['reachable'], one['key_state'], one['reason']) == (False, 'unknown', 'unreachable')
    assert one['upstream_status'] is None and one['first_byte_ms'] is None
    assert one['status'] == 'ERR_UNREACHABLE' and rows(api) == []


def test_nothing_comes(api, vendors):
    vendors[0].play = Call.hang
    one, = told_of(api, 'A')
    assert (one['reachable'], one['reason'], one['status']) == (False, 'timeout', 'ERR_TIMEOUT')
    # A user's eyes see no difference between what does not answer and what is not there.
    own_key(api, 'ann', 'sk-anns-own-0001', 'sk-anns-own-0002')
    answer = api.good('POST', path(api, 'A', 'ann'), 'ann')
    one, = answer['data']
    assert (one['reason'], one['status']) == ('unreachable', 'ERR_UNREACHABLE')
    assert answer['untested'] == 1  # it would learn no more


def test_each_key_of_a_pool(api, vendors):
    keys = [f'sk-anns-own-000{i}' for i in range(4)]
    own_key(api, 'ann', *keys)
    vendors[0].play = lambda call: (call.refuse(401) if call.key in keys[1:3] else call.answer())
    told = told_of(api, 'A', 'ann')
    assert [one['key_state'] for one in told] == ['good', 'refused', 'refused', 'good']
    shown = api.all(f'/api/platforms/{number(api, "A", "ann")}/keys', 'ann')
    assert [one['fingerprint'] for one in told] == [key['fingerprint'] for key in shown]
    assert [call.key for call in vendors[0].calls] == keys
    assert len(rows(api)) == 4


def test_who_may_test_what(api, vendors):
    private = api.good('POST', '/api/platforms', 'ann', {
        'platform_name': 'Mine', 'base_url': vendors[1].base_url + '/mine',
        'api_key': 'sk-anns-mine-001'})
    api.good('POST', f'/api/platforms/{private["platform_id"]}/models', 'ann', {'model_name': 'm'})
    one, = told_of(api, 'Mine', 'ann')
    assert one['key_state'] == 'good' and one['payer'] == 'user'
    foreign = f'/api/platforms/{private["platform_id"]}/test'
    for caller in ('bob', 'admin'):
        api.bad(404, 'ERR_NOT_FOUND', 'POST', foreign, caller)
    assert api.good('POST', foreign + '?user=ann')['data'][0]['key_state'] == 'good'
    # The server's key is the administrator's to test, also where he acts for somebody.
    asked = len(vendors[0].calls)
    problem = api.bad(403, 'ERR_FORBIDDEN', 'POST', path(api, 'A', 'ann'), 'ann').json
    assert "'A'" in problem['detail'] and 'sk-' not in problem['detail']
    api.bad(403, 'ERR_FORBIDDEN', 'POST', path(api, 'A') + '?user=ann')
    api.bad(404, 'ERR_NOT_FOUND', 'POST', path(api, 'Empty'))
    assert len(vendors[0].calls) == asked


def test_how_often(api):
    own_key(api, 'ann', 'sk-anns-own-0001')
    for _ in range(A_MINUTE):
        told_of(api, 'A', 'ann')
    problem = api.bad(429, 'ERR_LIMIT', 'POST', path(api, 'A', 'ann'), 'ann').json
    assert 0 < problem['retry_after_ms'] <= 60000
    told_of(api, 'A')  # others may


def test_a_key_that_answers_is_let_loose(api, vendors):
    vendors[0].play = lambda call: call.refuse(401, 'no', 'invalid_api_key')
    own_key(api, 'ann', 'sk-anns-own-0001')
    assert api.chat('smart', 'bob').status == 200 and api.chat('smart', 'ann').status == 502
    assert len(api.all('/api/health/cells')) == len(api.all('/api/health/cells', 'ann')) == 1
    assert told_of(api, 'A', 'ann')[0]['key_state'] == 'refused'
    assert len(api.all('/api/health/cells', 'ann')) == 1
    vendors[0].play = Call.answer
    assert told_of(api, 'A', 'ann')[0]['key_state'] == 'good'
    assert api.all('/api/health/cells', 'ann') == [] and len(api.all('/api/health/cells')) == 1
    assert told_of(api, 'A')[0]['key_state'] == 'good' and api.all('/api/health/cells') == []


def test_the_command_line(api, vendors):
    llmgr = api.llmgr
    out = llmgr.ok('platform', 'test', number(api, 'A'))
    assert 'key:' in out and 'good' in out and 'sk-' not in out
    vendors[0].play = lambda call: call.refuse(401, 'Wrong: sk-key-of-A-000000')
    bad = llmgr.run('--json', 'platform', 'test', number(api, 'A'))
    one, = json.loads(bad.out)['data']
    assert bad.code == 7 and one['key_state'] == 'refused' and 'Wrong' in one['message']
    assert 'of-A-000000' not in bad.out + bad.err  # what quotes the key is masked
    assert '1' in bad.err
    refused = llmgr.run('-u', 'ann', 'platform', 'test', number(api, 'A'))
    assert refused.code == 4 and 'administrator' in refused.err
    assert llmgr.run('platform', 'test', 987654).code == 3
    until(lambda: len(rows(api)) >= 2)
