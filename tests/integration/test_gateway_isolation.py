# SPDX-License-Identifier: MIT
"""Two users, every route, every role, every id of the other: what is not one's own is not there.

The routes come from /api/openapi.json. One that stands in no row of CALLS fails the walk, so a new
route is not tested until somebody has said how it is called.
"""
import json
import re
import time

import pytest

from conftest import PATIENCE_S
from gateway_api import Api

# operationId -> body of a call that would do something, None: no body.
CALLS = {
    'getOpenApi': None, 'getMe': None, 'getInfo': None, 'getHealth': None, 'getReady': None,
    'getMetrics': None, 'listCallable': None, 'getCallable': None,
    'listPlatforms': None, 'getPlatform': None, 'deletePlatform': None, 'clearPlatformKey': None,
    'probePlatform': None, 'testPlatform': None,
    'listModels': None, 'getModel': None, 'deleteModel': None,
    'listSelections': None, 'getSelection': None, 'explain': None, 'listTokens': None,
    'revokeToken': None, 'getUsage': None, 'getUsageRequest': None, 'getSync': None,
    'checkDatabase': None, 'getKeys': None,
    'addPlatform': {'platform_name': 'new', 'base_url': 'http://127.0.0.1:5/v1'},
    'changePlatform': {'platform_name': 'stolen', 'platform_hide': True},
    'setPlatformKey': {'api_key': 'sk-stolen-0123456789'},
    'setPlatformHeader': {'value': 'stolen'}, 'clearPlatformHeader': None,
    'listPlatformKeys': None, 'addPlatformKey': {'api_key': 'sk-planted-0123456789'},
    'changePlatformKey': {'weight': 7, 'account': 'stolen'}, 'deletePlatformKey': None,
    'addModel': {'model_name': 'planted'},
    'changeModel': {'display_name': 'stolen', 'model_hide': True},
    'setSelection': {'platform_id': 0, 'model_id': 0},
    'listCells': None, 'resetCell': None,
    'listPrices': None, 'getPrice': None, 'deletePrice': None,
    'importPrices': [{'model': 'stolen', 'rates': {'input': '0'}}],
    'setPrice': {'model': 'stolen', 'rates': {'input': '0'}},
    'listAliases': None, 'setAlias': {'target': 'stolen'}, 'deleteAlias': None,
    'listRoutes': None, 'getRoute': None, 'deleteRoute': None,
    'addRoute': {'name': 'new', 'targets': [{'model': 'planted/model'}]},
    'changeRoute': {'name': 'stolen', 'route_hide': True},
    'probe': {'base_url': 'http://127.0.0.1:9/v1'},
    'addToken': {'name': 'new'}, 'changeToken': {'name': 'stolen', 'models': 'a'},
    'runSync': {'dry_run': True}, 'rotateKeys': {'dry_run': True},
}
ABSENT = 987654
# What a path names beside numbers of his. Of these, each user has his own; prices are everybody's.
NAMES = {'slot': 'main', 'id': 'canary-model', 'alias': 'canary-alias', 'header': 'x-canary',
         'cell_id': '12345', 'key': '1', 'price_id': '1'}
ANN = 'canary-ann'


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm):
    """ann and all that is hers has "canary" in its name; nothing of the others has."""
    server = Api(llmgr, mockllm)
    server.token('admin', '--kind', 'admin')
    server.ids = {'token_id': server.token('ann', '-u', ANN)}
    server.token('bob', '-u', 'bob')
    server.token('app', '--kind', 'app', '--prefix', 'b')
    platform = server.good('POST', '/api/platforms', 'ann',
                           {'platform_name': 'canary-platform',
                            'base_url': 'http://127.0.0.1:9/canary', 'api_key': 'sk-canary-123456'})
    model = server.good('POST', f'/api/platforms/{platform["platform_id"]}/models', 'ann',
                        {'model_name': 'canary-model', 'display_name': 'canary-shown'})
    server.good('PUT', f'/api/platforms/{platform["platform_id"]}/headers/X-Canary', 'ann',
                {'value': 'canary-value'})
    route = server.good('POST', '/api/routes', 'ann',
                        {'name': 'canary-route', 'display_name': 'canary-way',
                         'targets': [{'model': 'canary-platform/canary-shown'}]})
    server.ids |= {'platform_id': platform['platform_id'], 'model_id': model['model_id'],
                   'route_id': route['route_id']}
    chosen = {name: server.ids[name] for name in ('platform_id', 'model_id')}
    server.good('PUT', '/api/selections/canary-way', 'ann', {'route': 'canary-route'})
    server.good('PUT', '/api/selections/canary-slot', 'ann', chosen)
    server.good('PUT', '/api/aliases/canary-alias', 'ann', {'target': 'canary-slot'})
    server.good('POST', f'/api/platforms/{platform["platform_id"]}/keys', 'ann',
                {'api_key': 'sk-canary-further', 'account': 'canary-account'})
    asked = server.raw('POST', '/v1/chat/completions', 'ann',
                       {'messages': [], 'model': 'canary-slot'})
    server.ids['request_id'] = asked.fields['x-request-id']
    end = time.monotonic() + PATIENCE_S
    while 'canary' not in server.call('GET', '/api/usage').text:
        assert time.monotonic() < end, 'the attempt does not reach the ledger'
        time.sleep(0.02)
    yield server
    server.stop()


ROLES = {'bob': {}, 'app': {'X_LLMGR_User': 'bella'}}


def state_of(api, user):
    """Everything that the API says of a user, but for when his tokens were last used."""
    rows = [api.all(path + '?user=' + user) for path in
            ('/api/platforms', '/api/models', '/api/selections', '/api/tokens', '/api/aliases',
             '/api/routes', f'/api/platforms/{api.ids["platform_id"]}/keys')]
    for token in rows[3]:
        del token['last_used_at_ms']
    return rows


def plain(answer):
    """What an answer says, without what differs from one request to the next."""
    return re.sub(r'"request_id":"[^"]*"|\d+', '', answer.text)


def body_of(operation, ids):
    body = CALLS[operation.id]
    if operation.id == 'setSelection':
        return {'platform_id': ids['platform_id'], 'model_id': ids['model_id']}
    return body


def test_every_route_is_in_the_table(api):
    assert {operation.id for operation in api.operations} == set(CALLS)


def test_what_is_anothers_is_not_there(api):
    before = state_of(api, ANN)
    absent = {'platform_id': ABSENT, 'model_id': ABSENT, 'token_id': ABSENT, 'route_id': ABSENT,
              'request_id': 'req_' + 26 * '0'}
    for role, fields in ROLES.items():
        for operation in api.operations:
            touched = [name for name in operation.parameters if name in api.ids]
            if not touched and operation.id not in ('setSelection', 'deleteAlias'):
                continue
            answers = []
            for ids in (api.ids, absent):
                values = {**ids, **NAMES, 'id': 'x'}
                answers.append(api.raw(operation.method, operation.fill(values), role,
                                       body_of(operation, ids), **fields))
            theirs, nobodys = answers
            assert theirs.status == 404, f'{role} {operation.id}: {theirs.text}'
            assert theirs.code == 'ERR_NOT_FOUND'
            assert (theirs.status, plain(theirs)) == (nobodys.status, plain(nobodys))
            assert 'canary' not in theirs.text.replace("no alias 'canary-alias'", '')
    assert state_of(api, ANN) == before


def test_no_answer_to_another_holds_a_name_of_the_users(api):
    for role, fields in ROLES.items():
        for operation in api.operations:
            if operation.method != 'GET' or not operation.path.startswith(('/api', '/v1')):
                continue
            path = operation.fill({**api.ids, **NAMES, 'slot': 'canary-slot'})
            answer = api.raw('GET', path, role, **fields)
            text = answer.text.replace(path, '')
            if operation.id in ('getSelection', 'getCallable'):  # they say what was asked for
                text = re.sub(r'"slot":"canary-slot"|no model \'canary-model\'', '', text)
            assert 'canary' not in text, f'{role} {operation.id}: {text}'


def test_nobody_but_an_administrator_names_another_user(api):
    before = state_of(api, ANN)
    for role, fields in ROLES.items():
        for operation in api.operations:
            if 'user' not in operation.queries:
                continue
            path = operation.fill({**api.ids, **NAMES}) + '?user=' + ANN
            answer = api.raw(operation.method, path, role, body_of(operation, api.ids), **fields)
            assert (answer.status, answer.code) == (403, 'ERR_FORBIDDEN'), operation.id
    assert state_of(api, ANN) == before


def test_an_application_stays_within_its_prefix(api):
    for operation in api.operations:
        if operation.is_public:
            continue
        path = operation.fill({**api.ids, **NAMES})
        answer = api.raw(operation.method, path, 'app', body_of(operation, api.ids),
                         X_LLMGR_User=ANN)
        assert answer.status == 403, f'{operation.id}: {answer.text}'
        answer = api.raw(operation.method, path, 'app', body_of(operation, api.ids))
        assert answer.status in (400, 403), f'{operation.id}: {answer.text}'


def test_what_administrators_do_nobody_else_does(api):
    admin_only = [operation for operation in api.operations if operation.is_admin]
    assert {'runSync', 'rotateKeys', 'getKeys', 'getSync', 'checkDatabase', 'getMetrics'} <= {
        operation.id for operation in admin_only}
    for operation in admin_only:
        for role, fields in ROLES.items():
            answer = api.raw(operation.method, operation.path, role, CALLS[operation.id], **fields)
            assert answer.status == 403, f'{role} {operation.id}: {answer.text}'


def test_nothing_but_the_public_is_answered_without_a_token(api):
    public = {operation.id for operation in api.operations if operation.is_public}
    assert public == {'getHealth', 'getReady', 'getOpenApi'}
    for operation in api.operations:
        path = operation.fill({**api.ids, **NAMES})
        for caller in (None, 'sk-llmgr-' + 'a' * 49, ''):
            answer = api.raw(operation.method, path, caller, CALLS[operation.id])
            assert answer.status == (200 if operation.is_public else 401), operation.id
            assert 'canary' not in answer.text.replace(path, '')


def test_members_that_are_no_ones_to_set_are_refused(api):
    """Each member of each answer, sent to each operation whose request does not declare it."""
    schemas = api.document['components']['schemas']
    everything = {name for schema in schemas.values() for name in schema['properties']}
    everything |= {'user_id', 'is_sys', 'owner', 'id', 'hide', 'position', 'created_at'}
    before = state_of(api, ANN)
    for operation in api.operations:
        request = operation.item.get('requestBody')
        if request is None or operation.is_admin:
            continue
        reference = request['content']['application/json']['schema']['$ref']
        declared = set(schemas[reference.rpartition('/')[2]]['properties'])
        path = operation.fill({**api.ids, **NAMES})
        for member in sorted(everything - declared):
            answer = api.raw(operation.method, path, 'ann',
                             {**body_of(operation, api.ids), member: 1})
            assert answer.status == 400, f'{operation.id} takes {member}: {answer.text}'
            assert f"'{member}'" in json.loads(answer.text)['detail']
    assert state_of(api, ANN) == before


def test_csv_holds_nothing_of_anothers(api):
    for role, fields in ROLES.items():
        for by in ('model', 'user', 'platform', 'slot', 'token', 'payer', 'day', 'hour'):
            answer = api.raw('GET', f'/api/usage?format=csv&by={by}', role, **fields)
            assert answer.fields['content-type'].startswith('text/csv'), answer.text
            assert answer.text.count('\r\n') == 1 and 'canary' not in answer.text
        named = api.raw('GET', f'/api/usage?format=csv&user={ANN}', role, **fields)
        assert (named.status, named.code) == (403, 'ERR_FORBIDDEN')
    assert 'canary' in api.raw('GET', '/api/usage?format=csv', 'ann').text


# ---- Tokens that may not use everything ----------------------------------------------------------

# What such a token is told of each operation on what it may not use: 404 where a platform, model or
# route is named, 403 where something would get or lose a name; the others see what it may use.
FORBIDDEN = {'addPlatform', 'changePlatform', 'deletePlatform', 'setPlatformHeader',
             'clearPlatformHeader', 'probePlatform', 'testPlatform', 'addModel', 'changeModel',
             'deleteModel', 'addRoute', 'changeRoute', 'deleteRoute', 'resetCell', 'probe',
             'getSync', 'runSync', 'setAlias', 'deleteAlias', 'listPrices', 'getPrice', 'setPrice',
             'deletePrice'}
ABSENT_FOR = {'getPlatform', 'setPlatformKey', 'clearPlatformKey', 'listPlatformKeys',
              'addPlatformKey', 'changePlatformKey', 'deletePlatformKey', 'getModel', 'getRoute',
              'setSelection', 'getCallable', 'getUsageRequest'}
LIMITS = {'platforms': ('--platforms', 'House'), 'models': ('--models', 'House/Small'),
          'routes': ('--routes', 'no-such-route')}


@pytest.mark.parametrize('limit', LIMITS)
def test_every_operation_knows_what_a_token_may_not_use(api, limit):
    """ann's own things by a token of hers that may not use them; by an administrator's as well."""
    before = state_of(api, ANN)
    api.token('limited', '-u', ANN, *LIMITS[limit])
    api.token('chief', '--kind', 'admin', *LIMITS[limit])
    before[3] = None  # the tokens, two more
    for caller in ('limited', 'chief'):
        for operation in api.operations:
            if operation.is_public or operation.id in ('addToken', 'changeToken', 'revokeToken',
                                                       'rotateKeys'):
                continue
            path = operation.fill({**api.ids, **NAMES, 'id': 'canary-model'})
            if caller == 'chief' and 'user' in operation.queries:
                path += '?user=' + ANN
            answer = api.raw(operation.method, path, caller, body_of(operation, api.ids))
            told = r'no model \'canary-model\'|"user":"canary-ann"|"slot":"canary-[a-z]*"'
            text = re.sub(told, '', answer.text.replace(path, ''))
            if operation.id in FORBIDDEN or (caller == 'limited' and operation.is_admin):
                assert answer.status == 403, f'{caller} {operation.id}: {answer.text}'
            elif operation.id in ABSENT_FOR and (limit != 'routes' or operation.id == 'getRoute'):
                assert answer.status == 404, f'{caller} {operation.id}: {answer.text}'
            else:
                assert answer.status < 500, f'{caller} {operation.id}: {answer.text}'
            if limit != 'routes' and operation.method == 'GET' and operation.id not in (
                    'getUsage', 'listTokens', 'getMe', 'listAliases'):
                assert 'canary' not in text, f'{caller} {operation.id}: {text}'
    after = state_of(api, ANN)
    after[3] = None
    if limit != 'routes':  # by such a token keys are stored and choices made
        assert after == before
