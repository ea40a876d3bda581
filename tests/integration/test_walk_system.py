# SPDX-License-Identifier: MIT
"""System platforms and models that are made without llmgr.yaml: from the command line and for
administrators of the gateway."""
import json
import subprocess
import time

import pytest

from conftest import PATIENCE_S
from gateway_api import Api

KEY, NEXT = 'sk-made-server-0001', 'sk-made-server-0002'
CHAT = {'messages': [{'role': 'user', 'content': 'Hi'}]}


def only_alpha(site, models='      One: mock', more=''):
    """llmgr.yaml with Alpha alone, so that Beta's address is free."""
    site.configure(platforms=f'''
  Alpha:
    base_url: {site.base_url}
    api_key: "{{ALPHA_KEY}}"
    models:
{models}
{more}''')


def add(site, *more, name='Made', user=(), key=KEY, code=0):
    words = (*user, 'platform', 'add', '--system', '--name', name, '--base-url', site.beta_url,
             '--key-env', 'MADE_KEY', *more)
    return site.json(*words, env={'MADE_KEY': key}) if code == 0 else \
        site.fails(code, *words, env={'MADE_KEY': key})


@pytest.fixture(name='made')
def made_fixture(site):
    """A site with a platform that was made without the file: its number."""
    only_alpha(site)
    site.ok('sync')
    number = add(site)['platform_id']
    site.ok('model', 'add', '--platform', number, '--name', 'mock', '--display', 'Handmade')
    return number


def asked_with(site, model, user='ann'):
    """The key that a request arrives with."""
    site.ok('-u', user, 'chat', '--model', model, 'hello')
    return site.upstream.last().key


@pytest.mark.parametrize('mode', ['single', 'fixed', 'custom'])
def test_the_operator_makes_a_platform_for_everybody(site, mode):
    only_alpha(site)
    site.env['LLMGR_MODE'] = mode
    site.ok('sync')
    made = add(site, '--protocol', 'openai', '--native-paths', ' /images/upscale,GET  /voices/{id}',
               '--pass-headers', 'X-Title, User-Agent', '--header', 'X-Org: acme-secret')
    assert {name: made[name] for name in ('platform_name', 'platform_is_sys', 'managed', 'protocol',
                                          'native_paths', 'headers', 'fixed_headers', 'payer')} == {
        'platform_name': 'Made', 'platform_is_sys': True, 'managed': 'database',
        'protocol': 'openai', 'native_paths': 'POST /images/upscale, GET /voices/{id}',
        'headers': 'x-title, user-agent', 'fixed_headers': 'x-org', 'payer': 'system'}
    number = made['platform_id']
    model = site.json('model', 'add', '--platform', number, '--name', 'mock', '--display',
                      'Handmade', '--extra-body', '{"top_k": 5}', '--kind', 'chat')
    assert (model['managed'], model['kind'], model['platform_is_sys']) == ('database', 'chat', True)
    assert site.platforms('ann')['Alpha']['managed'] == 'file'
    assert site.models('ann')['One']['managed'] == 'file'
    assert list(site.platforms('ann')) == ['Alpha', 'Made']
    assert asked_with(site, 'Handmade') == KEY
    request = site.upstream.last()
    assert request.json['top_k'] == 5 and request.headers['x-org'] == 'acme-secret'
    table = site.ok('platform', 'list')
    assert 'calls' in table and 'llmgr.yaml' in table and KEY not in table
    assert 'calls' in site.ok('model', 'list')
    # A sync that finds nothing new leaves it, and a new file too.
    assert site.json('sync')['changes'] == []
    only_alpha(site, '      Uno: mock')
    assert {row['platform_name'] for row in site.json('sync')['changes']} == {'Alpha'}
    assert asked_with(site, 'Handmade') == KEY


def test_it_is_changed_and_deleted_like_ones_own(site, made):
    site.ok('platform', 'set-key', made, '--key-stdin', stdin=NEXT + '\n')
    assert asked_with(site, 'Handmade') == NEXT
    site.ok('platform', 'add-key', made, '--key-env', 'K', env={'K': KEY})
    keys = site.json('platform', 'keys', made)
    assert [(key['payer'], key['usable']) for key in keys] == [('system', True)] * 2
    site.ok('platform', 'delete-key', made, 1)
    assert asked_with(site, 'Handmade') == KEY
    assert site.json('platform', 'rename', made, 'Renamed')['platform_name'] == 'Renamed'
    changed = site.json('-u', 'ann', 'platform', 'update', made, '--system', '--name', 'Again',
                        '--protocol', 'anthropic', '--pass-headers', 'X-Title')
    assert (changed['platform_name'], changed['protocol'], changed['headers']) == \
        ('Again', 'anthropic', 'x-title')
    changed = site.json('platform', 'update', made, '--protocol', '', '--pass-headers', '')
    assert (changed['protocol'], changed['headers'], changed['platform_name']) == \
        ('openai', None, 'Again')
    site.ok('platform', 'set-header', made, 'X-Org: acme')
    site.ok('platform', 'clear-header', made, 'X-Org')
    # Another origin: the key does not go with it.
    moved = site.json('platform', 'set-url', made, 'https://moved.example/v1')
    assert (moved['api_key_set'], moved['base_url']) == (False, 'https://moved.example/v1')
    moved = site.json('platform', 'update', made, '--base-url', site.beta_url, '--key-env', 'K',
                      env={'K': NEXT})
    assert moved['api_key_set'] and asked_with(site, 'Handmade') == NEXT
    number = site.models()['Handmade']['model_id']
    assert site.json('model', 'update', number, '--display', 'Better')['display_name'] == 'Better'
    site.select('ann', 'Better')
    site.set_key('ann', made, 'sk-anns-own-key')
    assert asked_with(site, 'Better') == 'sk-anns-own-key'
    assert asked_with(site, 'Better', 'ben') == NEXT
    site.ok('platform', 'clear-key', made)
    assert not site.platforms('ben')['Again']['api_key_set']
    site.ok('platform', 'delete', made)
    assert list(site.platforms('ann')) == ['Alpha']
    assert site.json('-u', 'ann', 'selection')['repaired'] is True
    assert site.fails(3, 'platform', 'delete', made)


def test_users_may_hide_it_and_nothing_else(site, made):
    model = site.models()['Handmade']['model_id']
    for words in (['platform', 'rename', made, 'Mine'], ['platform', 'delete', made],
                  ['platform', 'set-url', made, 'https://x.example/v1'],
                  ['platform', 'set-header', made, 'X-Org: mine'],
                  ['platform', 'update', made, '--protocol', 'azure'],
                  ['model', 'add', '--platform', made, '--name', 'more'],
                  ['model', 'update', model, '--display', 'Mine'], ['model', 'delete', model]):
        message = site.fails(4, '-u', 'ann', *words)
        assert 'made by the operator' in message and '--system' in message, message
    site.ok('-u', 'ann', 'platform', 'hide', made)
    assert site.platforms('ann')['Made']['platform_hide']
    assert not site.platforms('ben')['Made']['platform_hide']
    site.ok('-u', 'ann', 'model', 'hide', model)
    assert site.models('ann')['Handmade']['model_hide']
    assert "--system" in site.fails(4, 'platform', 'add', '--name', 'x', '--base-url',
                                    'https://x.example/v1')


def test_what_the_file_manages_is_changed_there(site, made):
    platform = site.platforms()['Alpha']['platform_id']
    model = site.models()['One']['model_id']
    for words in (['rename', platform, 'Mine'], ['delete', platform],
                  ['set-url', platform, 'https://x.example/v1'],
                  ['set-header', platform, 'X-Org: mine'], ['clear-header', platform, 'X-Org'],
                  ['update', platform, '--native-paths', '/a']):
        message = site.fails(4, 'platform', *words)
        assert "the platform 'Alpha' is managed by llmgr.yaml" in message, message
    for words in (['update', model, '--display', 'Mine'], ['delete', model]):
        message = site.fails(4, 'model', *words)
        assert "the model 'One' is managed by llmgr.yaml" in message, message
    # A key of the operator's own stands beside the server's, as before.
    site.ok('platform', 'set-key', platform, '--key-env', 'K', env={'K': 'sk-operators-own'})
    assert asked_with(site, 'One') == 'sk-alpha-server-0001'
    assert made != platform


def test_a_platform_of_the_file_may_have_models_besides(site, made):
    alpha = site.platforms()['Alpha']['platform_id']
    assert 'already has the model' in site.fails(5, 'model', 'add', '--platform', alpha, '--name',
                                                 'mock', '--display', 'Extra')
    assert 'already displayed' in site.fails(5, 'model', 'add', '--platform', alpha, '--name',
                                             'mock-echo', '--display', 'One')
    extra = site.json('model', 'add', '--platform', alpha, '--name', 'mock-echo', '--display',
                      'Extra')
    assert [row['display_name'] for row in site.json('model', 'list')] == \
        ['One', 'Extra', 'Handmade']
    assert site.json('sync')['changes'] == []
    # The same name at the platform is no reason to take it for the file's.
    only_alpha(site, '      One: mock\n      Echo: mock-echo')
    assert [(row['action'], row['display_name']) for row in site.json('sync')['changes']] == \
        [('add', 'Echo')]
    assert site.models()['Extra']['model_id'] == extra['model_id']
    only_alpha(site, '      One: mock\n      Extra: mock-echo')
    before = site.models()
    message = site.fails(2, 'sync')
    assert "'Extra': a model of this name was put into the platform without the file" in message
    assert f'llmgr model delete {extra["model_id"]}' in message and 'llmgr.yaml:' in message
    assert site.models() == before
    assert site.json('model', 'update', extra['model_id'], '--display',
                     'Kept')['display_name'] == 'Kept'
    site.ok('sync')
    assert set(site.models()) == {'One', 'Extra', 'Kept', 'Handmade'}
    # It goes with its platform, which is the file's.
    site.configure(platforms='  {}')
    site.ok('sync')
    assert set(site.models()) == {'Handmade'}


def test_a_file_that_meets_what_was_made_changes_nothing(site, made):
    before = site.models(), site.platforms()
    for name, address, says in (
            ('Made', 'https://other.example/v1', 'a platform of this name was made without the'),
            ('Other', site.beta_url + '/', "has the address of the platform 'Made'")):
        only_alpha(site, '      Uno: mock', f'  {name}: {{base_url: {address}, models: {{}}}}')
        for words in (['sync'], ['sync', '--dry-run']):
            message = site.fails(2, *words)
            assert says in message and 'llmgr.yaml:' in message, message
            assert f'llmgr platform delete {made}' in message, message
    assert (site.models(), site.platforms()) == before
    site.ok('platform', 'delete', made)
    site.ok('sync')
    assert set(site.platforms()) == {'Alpha', 'Other'}


@pytest.mark.parametrize('args, code, says', [
    (['--name', 'Alpha', '--base-url', 'https://x.example/v1'], 5, "that of system platform"),
    (['--name', 'x', '--base-url', 'ALPHA'], 5, 'put their models under one platform'),
    (['--name', 'x', '--base-url', 'nowhere'], 2, 'URL'),
    (['--name', 'x', '--base-url', 'http://127.0.0.1.:9/v1?a=b'], 2, ''),
    (['--name', 'x', '--base-url', 'http://0x7f.1/v1'], None, ''),
    (['--name', ' x', '--base-url', 'https://x.example/v1'], 2, 'name'),
    (['--name', 'x' * 81, '--base-url', 'https://x.example/v1'], 2, '80'),
    (['--name', 'x', '--base-url', 'https://x.example/v1', '--protocol', 'smtp'], 2,
     'openai, anthropic, azure or gemini'),
    (['--name', 'x', '--base-url', 'https://x.example/v1', '--native-paths', 'FETCH /a'], 2,
     'invalid native paths'),
    (['--name', 'x', '--base-url', 'https://x.example/v1', '--native-paths', '/a,,/b'], 2,
     'invalid native paths'),
    (['--name', 'x', '--base-url', 'https://x.example/v1', '--native-paths',
      ','.join(f'/path-{i}' for i in range(600))], 2, '4096 bytes in all'),
    (['--name', 'x', '--base-url', 'https://x.example/v1', '--pass-headers', 'Cookie'], 2,
     'invalid header fields'),
    (['--name', 'x', '--base-url', 'https://x.example/v1', '--header', 'Authorization: x'], 2,
     'Authorization'),
    (['--name', 'x'], 2, '--base-url'),
])
def test_what_is_no_platform_is_refused_with_the_reason(site, args, code, says):
    only_alpha(site)
    site.ok('sync')
    args = [site.base_url if word == 'ALPHA' else word for word in args]
    result = site.run('platform', 'add', '--system', *args)
    assert result.code == code or (code is None and result.code != 0), result.out + result.err
    assert says in result.err, result.err
    assert list(site.platforms()) == ['Alpha']


def test_words_of_system_platforms_are_no_ones_else(site):
    only_alpha(site)
    site.ok('sync')
    words = ['--name', 'x', '--base-url', 'https://x.example/v1', '--protocol', 'azure']
    site.env['LLMGR_MODE'] = 'custom'
    assert 'only system platforms' in site.fails(2, '-u', 'ann', 'platform', 'add', *words)
    own = site.add_platform('ann', 'Own')
    assert 'only system platforms' in site.fails(2, '-u', 'ann', 'platform', 'update', own,
                                                 '--protocol', 'azure')
    assert site.json('-u', 'ann', 'platform', 'update', own, '--name',
                     'New')['platform_name'] == 'New'
    assert 'set-key' in site.fails(2, '-u', 'ann', 'platform', 'update', own, '--key-env', 'K',
                                   env={'K': KEY})


def test_a_sync_beside_adds_loses_nothing(site):
    only_alpha(site)
    site.ok('sync')
    adds = [site.start('--json', 'platform', 'add', '--system', '--name', f'P{i}', '--base-url',
                       f'https://p{i}.example/v1', stdout=subprocess.PIPE) for i in range(6)]
    for i in range(6):
        only_alpha(site, f'      Turn {i}: mock')
        site.ok('sync')
    for process in adds:
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, out
    assert set(site.platforms()) == {'Alpha'} | {f'P{i}' for i in range(6)}
    assert set(site.models()) == {'Turn 5'}


def test_its_key_is_sealed_rotated_and_backed_up(site, made, tmp_path):
    site.ok('key', 'rotate')
    assert asked_with(site, 'Handmade') == KEY
    check = site.json('db', 'check')
    assert KEY not in json.dumps(check)
    assert KEY not in site.ok('platform', 'list') + site.ok('platform', 'keys', made)
    if site.kind == 'sqlite':
        site.ok('db', 'backup', tmp_path / 'copy.db')
        assert KEY.encode() not in (tmp_path / 'copy.db').read_bytes()
        site.env['LLMGR_DATABASE'] = f'sqlite:{tmp_path / "copy.db"}'
        assert asked_with(site, 'Handmade') == KEY


# ---- Over the gateway ----------------------------------------------------------------------------


def make(api, mockllm, **more):
    return {'platform_name': 'Made', 'api_key': KEY, 'is_sys': True,
            'base_url': mockllm.base_url.replace('127.0.0.1', 'localhost'), **more}


def test_an_administrator_makes_and_changes_them(api, mockllm):
    answer = api.call('POST', '/api/platforms', 'admin',
                      make(api, mockllm, headers='X-Title', native_paths='/a'))
    assert answer.status == 201 and KEY not in answer.text, answer.text
    made, path = answer.json, answer.fields['location']
    assert (made['managed'], made['platform_is_sys'], made['headers'], made['native_paths']) == \
        ('database', True, 'x-title', 'POST /a')
    model = api.good('POST', path + '/models', 'admin',
                     {'model_name': 'mock', 'display_name': 'Handmade'})
    assert api.chat('Handmade').status == 200 and mockllm.last().key == KEY
    model_path = f'/api/models/{model["model_id"]}'
    for caller in ('ann', 'ben'):
        for method, where, body in (
                ('PATCH', path, {'platform_name': 'Mine'}), ('PATCH', path, {'protocol': 'azure'}),
                ('PATCH', path, {'base_url': 'https://x.example/v1'}), ('DELETE', path, None),
                ('PUT', path + '/headers/X-Org', {'value': 'x'}),
                ('DELETE', path + '/headers/X-Org', None),
                ('POST', path + '/models', {'model_name': 'more'}),
                ('PATCH', model_path, {'display_name': 'Mine'}), ('DELETE', model_path, None),
                ('POST', '/api/platforms', make(api, mockllm, platform_name='Other'))):
            answer = api.bad(403, 'ERR_FORBIDDEN', method, where, caller, body)
            assert KEY not in answer.text
    assert api.bad(403, 'ERR_FORBIDDEN', 'DELETE', path + '?user=ann', 'admin')
    assert api.good('PATCH', path, 'ann', {'platform_hide': True})['platform_hide'] is True
    assert api.good('PUT', path + '/key', 'admin', {'api_key': NEXT})['payer'] == 'system'
    assert api.chat('Handmade').status == 200 and mockllm.last().key == NEXT
    assert api.good('PUT', path + '/key', 'ann', {'api_key': 'sk-anns-own-key'})['payer'] == 'user'
    assert api.chat('Handmade').status == 200 and mockllm.last().key == 'sk-anns-own-key'
    assert api.chat('Handmade', 'ben').status == 200 and mockllm.last().key == NEXT
    second = api.good('POST', path + '/keys', 'admin', {'api_key': KEY, 'account': 'org'})
    assert (second['position'], second['payer']) == (2, 'system')
    assert [row['payer'] for row in api.all(path + '/keys', 'admin')] == ['system', 'system']
    assert [row['payer'] for row in api.all(path + '/keys', 'ann')] == ['user']
    changed = api.good('PATCH', path, 'admin', {'platform_name': 'Again', 'headers': '',
                                                'protocol': 'openai'})
    assert (changed['platform_name'], changed['headers']) == ('Again', None)
    api.good('PATCH', model_path, 'admin', {'display_name': 'Better'})
    assert api.chat('Better', 'ben').status == 200 and api.chat('Handmade').status == 404
    api.good('DELETE', path, 'admin')
    assert api.chat('Better', 'ben').status == 404
    assert api.call('GET', path, 'ben').status == 404


def test_the_configuration_files_are_not_changed_over_the_gateway(api):
    house = next(row for row in api.all('/api/platforms') if row['platform_name'] == 'House')
    model = next(row for row in api.all('/api/models') if row['display_name'] == 'Small')
    path, model_path = f'/api/platforms/{house["platform_id"]}', f'/api/models/{model["model_id"]}'
    for method, where, body in (
            ('PATCH', path, {'platform_name': 'x'}), ('DELETE', path, None),
            ('PUT', path + '/headers/X-Org', {'value': 'x'}),
            ('PATCH', model_path, {'display_name': 'x'}), ('DELETE', model_path, None)):
        answer = api.bad(403, 'ERR_FORBIDDEN', method, where, 'admin', body)
        assert "managed by the server's configuration file" in answer.json['detail'], answer.text
        answer = api.bad(403, 'ERR_FORBIDDEN', method, where, 'ann', body)
        assert "the operator's" in answer.json['detail'], answer.text
    extra = api.good('POST', path + '/models', 'admin', {'model_name': 'mock-echo'})
    assert extra['managed'] == 'database' and api.chat('mock-echo').status == 200
    api.good('DELETE', f'/api/models/{extra["model_id"]}', 'admin')
    assert api.chat('mock-echo').status == 404


@pytest.mark.parametrize('body, says', [
    ({'platform_name': 'x', 'base_url': 'https://x.example/v1', 'is_sys': 1}, "'is_sys'"),
    ({'platform_name': 'House', 'base_url': 'https://x.example/v1', 'is_sys': True}, 'choose'),
    ({'platform_name': 'x', 'base_url': 'ftp://x', 'is_sys': True}, 'URL'),
    ({'platform_name': 'x', 'base_url': 'https://x.example/v1', 'protocol': 'azure'},
     'only system platforms'),
    ({'platform_name': 'x', 'base_url': 'https://x.example/v1', 'is_sys': True, 'headers': 'Host'},
     'invalid header fields'),
    ({'platform_name': 'x', 'base_url': 'https://x.example/v1'}, 'is_sys'),
])
def test_a_wrong_body_is_refused_with_the_member(api, body, says):
    answer = api.call('POST', '/api/platforms', 'admin', body)
    assert 400 <= answer.status < 500 and says in answer.json['detail'], answer.text
    assert {row['platform_name'] for row in api.all('/api/platforms')} == {'House', 'Bare'}


def test_only_administrators_are_the_operator(llmgr, mockllm):
    """A user's token may be the system user's; it is no administrator's none the less."""
    server = Api(llmgr, mockllm, mode='fixed')
    try:
        server.token('admin', '--kind', 'admin')
        server.token('system', '--kind', 'user')
        path = server.call('POST', '/api/platforms', 'admin',
                           make(server, mockllm)).fields['location']
        for method, where, body in (
                ('DELETE', path, None), ('PUT', path + '/key', {'api_key': NEXT}),
                ('DELETE', path + '/key', None), ('POST', path + '/keys', {'api_key': NEXT}),
                ('PATCH', path, {'platform_name': 'x'}),
                ('POST', path + '/models', {'model_name': 'x'}),
                ('POST', '/api/platforms', make(server, mockllm, platform_name='y'))):
            server.bad(403, 'ERR_FORBIDDEN', method, where, 'system', body)
        server.good('POST', path + '/models', 'admin', {'model_name': 'mock-made'})
        assert server.chat('mock-made', 'system').status == 200 and mockllm.last().key == KEY
    finally:
        server.stop()


def test_in_mode_single_everybody_is_the_operator(llmgr, mockllm):
    server = Api(llmgr, mockllm, mode='single')
    try:
        path = server.call('POST', '/api/platforms', None,
                           make(server, mockllm)).fields['location']
        server.good('POST', path + '/models', None, {'model_name': 'mock-made'})
        assert server.chat('mock-made', None).status == 200 and mockllm.last().key == KEY
        server.good('PUT', path + '/key', None, {'api_key': NEXT})
        assert server.chat('mock-made', None).status == 200 and mockllm.last().key == NEXT
        server.good('DELETE', path, None)
        assert server.chat('mock-made', None).status == 404
    finally:
        server.stop()


def comes_to(api, model, status):
    end = time.monotonic() + PATIENCE_S
    while api.chat(model).status != status:
        assert time.monotonic() < end, f'{model} never came to {status}'
        time.sleep(0.02)


def test_another_node_serves_it_at_once(api, llmgr, mockllm):
    """What one process makes, a gateway that runs beside it answers with."""
    made = llmgr.json('platform', 'add', '--system', '--name', 'Beside', '--base-url',
                      mockllm.base_url.replace('127.0.0.1', 'localhost'), '--key-env', 'K',
                      env={'K': KEY})
    llmgr.ok('model', 'add', '--platform', made['platform_id'], '--name', 'mock', '--display',
             'Far')
    comes_to(api, 'Far', 200)
    assert mockllm.last().key == KEY
    llmgr.ok('platform', 'delete', made['platform_id'])
    comes_to(api, 'Far', 404)
