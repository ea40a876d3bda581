# SPDX-License-Identifier: MIT
"""The seed's operations: their names, the shapes they return, the exceptions they raise."""
import contextlib
import datetime
import inspect
import subprocess
from decimal import Decimal

import pytest
from conftest import FRAME

import llmgr

SEED_MODEL_KEYS = ['platform_id', 'platform_name', 'platform_is_sys', 'platform_hide', 'base_url',
                   'api_key_set', 'model_id', 'model_name', 'display_name']
SEED_DETAIL_KEYS = {'platform', 'platform_id', 'platform_is_sys', 'base_url', 'model_display_name',
                    'model_id', 'model_name', 'api_key_set'}
# As the original declares them; what follows them is ours.
SEED_PARAMETERS = {
    'initialize_defaults': [],
    'get_user_llm': ['user_id'],
    'get_spec_sys_llm': ['platform_name', 'model_display_name'],
    'get_platform_models': ['user_id'],
    'get_user_selection_detail': ['user_id'],
    'save_user_selection': ['user_id', 'platform_id', 'model_id'],
    'update_platform_config': ['user_id', 'platform_id', 'api_key'],
    'toggle_platform_visibility': ['user_id', 'platform_id', 'hide'],
    'add_platform': ['name', 'base_url', 'api_key', 'user_id'],
    'rename_platform': ['user_id', 'platform_id', 'new_name'],
    'delete_platform': ['user_id', 'platform_id'],
    'add_model': ['platform_id', 'model_name', 'display_name', 'user_id', 'extra_body'],
    'update_model': ['user_id', 'model_id', 'new_display_name', 'new_extra_body'],
    'delete_model': ['user_id', 'model_id'],
    'probe_platform_models': ['base_url', 'api_key', 'timeout', 'raise_on_error'],
}


@pytest.mark.parametrize('name', SEED_PARAMETERS)
def test_each_operation_has_the_seeds_parameters_in_its_order(name):
    parameters = list(inspect.signature(getattr(llmgr.AIManager, name)).parameters)[1:]
    assert parameters[:len(SEED_PARAMETERS[name])] == SEED_PARAMETERS[name]


def test_lists_have_the_seeds_shape(manager, mockllm):
    rows = manager.get_platform_models(user_id='u')
    assert [list(row) for row in rows] == [SEED_MODEL_KEYS] * len(rows)
    assert rows[0] == {'platform_id': 1, 'platform_name': 'Mock', 'platform_is_sys': True,
                       'platform_hide': False, 'base_url': mockllm.base_url, 'api_key_set': True,
                       'model_id': 1, 'model_name': 'mock', 'display_name': 'mock'}
    assert set(manager.get_user_selection_detail('u')) == SEED_DETAIL_KEYS


def test_aliases(manager):
    assert manager.aliases('u') == []
    assert manager.set_alias('u', 'claude-*', 'mock') is True
    assert manager.set_alias('u', 'gpt', 'auto') is True
    assert manager.aliases('u') == [llmgr.Alias('claude-*', 'mock', False),
                                    llmgr.Alias('gpt', 'auto', False)]
    assert manager.aliases('v') == []
    assert manager.delete_alias('u', 'gpt') is True
    with pytest.raises(llmgr.NotFoundError):
        manager.delete_alias('u', 'gpt')
    for name, target in [('auto', 'mock'), ('a*b*', 'mock'), ('same', 'same'), ('', 'mock')]:
        with pytest.raises(llmgr.InvalidError):
            manager.set_alias('u', name, target)


def test_prices_are_decimals_and_follow_one_another(manager):
    assert manager.prices('u') == []
    made = manager.set_price({'input': '0.27', 'cached_input': Decimal('7E-2'), 'output': 2},
                             platform_id=1, model='mock')
    assert made.rates == {'input': Decimal('0.27'), 'cached_input': Decimal('0.07'),
                          'output': Decimal(2)}
    assert (made.platform_name, made.currency, made.source) == ('Mock', 'USD', 'hand')
    assert made.until_ms is None and made.service_tier is None
    assert manager.prices('u') == manager.prices(platform_id=1, model='mock') == [made]
    assert manager.prices(source='file') == manager.prices(model='mock-tools') == []
    assert manager.set_price(made.rates, platform_id=1, model='mock') == made
    day = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
    later = manager.set_price({'request': '0.000000000001'}, currency='CNY', above_tokens=200000,
                              service_tier='batch', hours='16:30-00:30', time_zone='UTC',
                              since=day, until=day + datetime.timedelta(days=1))
    assert (later.from_ms, later.until_ms) == (4070908800000, 4070995200000)
    assert (later.above_tokens, later.service_tier, later.hours, later.time_zone) == (
        200000, 'batch', '16:30-00:30', 'UTC')
    assert later.rates == {'request': Decimal('1E-12')} and later.platform_id is None
    assert manager.delete_price(made.id) is True
    assert manager.prices() == [later]
    assert [price.id for price in manager.prices(ended=True)] == [made.id, later.id]
    with pytest.raises(llmgr.NotFoundError):
        manager.delete_price(made.id)


@pytest.mark.parametrize('rates, more, error, says', [
    ({'input': 0.27}, {}, TypeError, 'exact'),
    ({'input': True}, {}, TypeError, 'exact'),
    ([('input', '1')], {}, TypeError, 'dict'),
    ({'inputs': '1'}, {}, llmgr.InvalidError, "'inputs'"),
    ({'input': '-1'}, {}, llmgr.InvalidError, r"rates\['input'\]: '-1' is negative"),
    ({'input': Decimal('NaN')}, {}, llmgr.InvalidError, r"rates\['input'\]: 'NaN' is no decimal"),
    ({'output': Decimal('1E-30')}, {}, llmgr.InvalidError, 'too many decimals'),
    ({'output': 10 ** 30}, {}, llmgr.InvalidError, 'too large'),
    ({}, {}, llmgr.InvalidError, 'rate'),
    ({'input': '1'}, {'currency': 'usd'}, llmgr.InvalidError, 'currency'),
    ({'input': '1'}, {'above_tokens': -1}, llmgr.InvalidError, 'prompt tokens'),
    ({'input': '1'}, {'since': 5}, TypeError, 'since'),
    ({'input': '1'}, {'platform_id': 987}, llmgr.NotFoundError, '987'),
    ({'input': '1'}, {'hours': '01:00-02:00', 'time_zone': 'Mars/Olympus'}, llmgr.NotFoundError, 'Olympus'),
])
def test_what_is_no_price_is_refused(manager, rates, more, error, says):
    with pytest.raises(error, match=says):
        manager.set_price(rates, **more)
    assert manager.prices(ended=True) == []


def test_tokens(manager):
    made, text = manager.create_token('u', name='laptop', note='at home',
                                      expires_at_ms=4_000_000_000_000, models=['a/b', 'c'],
                                      networks='10.0.0.0/8, ::1')
    assert text.startswith('sk-llmgr-') and text not in repr(made)
    assert (made.kind, made.user, made.name, made.note, made.prefix) == (
        'user', 'u', 'laptop', 'at home', None)
    assert (made.expires_at_ms, made.models, made.networks, made.platforms, made.routes) == (
        4_000_000_000_000, 'a/b, c', '10.0.0.0/8, ::1', None, None)
    assert made.last_used_at_ms is None and made.revoked_at_ms is None and made.created_at_ms
    app, _ = manager.create_token(kind='app', prefix='team-', platforms=['One'], routes='r')
    assert (app.kind, app.prefix, app.platforms, app.routes) == ('app', 'team-', 'One', 'r')
    assert manager.tokens('u') == [made] and manager.tokens() == [made, app]
    told = manager.update_token('u', made.id, note='', expires_at_ms=0, models=[], networks='')
    assert (told.note, told.expires_at_ms, told.models, told.networks) == (None,) * 4
    assert told.name == 'laptop'
    assert manager.revoke_token(None, app.id) is True
    assert manager.tokens()[1].revoked_at_ms
    for refused, ask in [
            (llmgr.NotFoundError, lambda: manager.update_token('v', made.id, note='x')),
            (llmgr.ConflictError, lambda: manager.update_token(None, app.id, note='x')),
            (llmgr.NotFoundError, lambda: manager.revoke_token('v', made.id)),
            (llmgr.InvalidError, lambda: manager.create_token('u', expires_at_ms=1)),
            (llmgr.InvalidError, lambda: manager.create_token('u', models=['a,b'])),
            (llmgr.InvalidError, lambda: manager.create_token('u', networks='nowhere')),
            (llmgr.InvalidError, lambda: manager.create_token(kind='boss')),
            (TypeError, lambda: manager.create_token('u', models=[7]))]:
        with pytest.raises(refused):
            ask()


def test_header_fields_of_an_own_platform(manager):
    platform = manager.add_platform('Mine', 'https://api.example.com/v1', user_id='u')
    assert platform.fixed_headers is None and platform.missing_headers is None
    assert manager.set_platform_header('u', platform.id, 'X-Org', 'a secret') is True
    assert manager.set_platform_header('u', platform.id, 'X-Title', '名字') is True
    shown = manager.platforms('u')[-1]
    assert shown.fixed_headers == 'x-org, x-title' and 'a secret' not in repr(shown)
    assert manager.set_platform_header('u', platform.id, 'x-org', None) is True
    assert manager.platforms('u')[-1].fixed_headers == 'x-title'
    with pytest.raises(llmgr.NotFoundError):
        manager.set_platform_header('u', platform.id, 'x-org', None)
    with pytest.raises(llmgr.NotFoundError):
        manager.set_platform_header('v', platform.id, 'X-Org', 'a')
    for name, value in [('Cookie', 'a'), ('Host', 'a'), ('', 'a'), ('X-A', 'a\nb'), ('X-A', ' a')]:
        with pytest.raises(llmgr.InvalidError):
            manager.set_platform_header('u', platform.id, name, value)


def test_system_platforms_without_the_file(manager, mockllm):
    address = mockllm.base_url.replace('127.0.0.1', 'localhost')
    made = manager.add_platform('Made', address, 'sk-made', system=True, headers='X-Title',
                                native_paths='/a')
    assert (made.is_sys, made.managed, made.payer, made.headers, made.native_paths) == \
        (True, 'database', 'system', 'x-title', 'POST /a')
    model = manager.add_model(made.id, 'mock-echo', 'Handmade', None, kind='chat')
    assert model.managed == 'database'
    rows = {row.name: row.managed for row in manager.platforms('u')}
    assert rows['Made'] == 'database' and rows['Mock'] == 'file'
    assert {row.display_name: row.managed for row in manager.models('u')}['Handmade'] == 'database'
    with pytest.raises(llmgr.ForbiddenError):
        manager.add_platform('Other', 'https://other.example', user_id='u', system=True)
    with pytest.raises(llmgr.InvalidError):
        manager.add_platform('Other', 'https://other.example', user_id='u', protocol='azure')
    for refused in (lambda: manager.rename_platform('u', made.id, 'Mine'),
                    lambda: manager.update_platform('u', made.id, protocol='azure'),
                    lambda: manager.delete_model('u', model.id),
                    lambda: manager.rename_platform(None, manager.platforms()[0].id, 'Mine')):
        with pytest.raises(llmgr.ForbiddenError):
            refused()
    assert manager.update_platform(None, made.id, name='Again', protocol='anthropic', headers='')
    again = manager.platforms('u')[-1]
    assert (again.name, again.protocol, again.headers) == ('Again', 'anthropic', None)
    with pytest.raises(llmgr.InvalidError):
        manager.update_platform(None, made.id, protocol='smtp')
    assert manager.update_platform_config(None, made.id, 'sk-next')
    assert [key.payer for key in manager.platform_keys(None, made.id)] == ['system']
    assert manager.delete_platform(None, made.id)
    assert 'Handmade' not in {row.display_name for row in manager.models('u')}


def test_routes(manager):
    assert manager.routes('u') == []
    made = manager.add_route('u', 'smart', ['Gone/x', llmgr.RouteTarget('Mock/mock', 2, 20)],
                             display_name='Smart', pick='weight', sticky='user',
                             on_exhausted='least_bad', attempts=2, deadline=90)
    assert made.targets == (llmgr.RouteTarget('Gone/x', missing=True),
                            llmgr.RouteTarget('Mock/mock', 2, 20.0, api_key_set=True))
    assert (made.name, made.display_name, made.pick, made.sticky, made.on_exhausted,
            made.attempts, made.deadline, made.managed, made.is_sys) == (
        'smart', 'Smart', 'weight', 'user', 'least_bad', 2, 90.0, 'database', False)
    assert manager.routes('u') == [made] and manager.routes('v') == []
    assert manager.select_route('u', 'smart', 'fast') is True
    assert manager.get_user_selection_detail('u', 'fast')['model_name'] == 'mock'
    assert manager.update_route('u', made.id, name='wise', targets=['Mock/mock']) is True
    assert manager.toggle_route_visibility('u', made.id, True) is True
    assert [(row.name, row.pick, row.hide, len(row.targets)) for row in manager.routes('u')] == [
        ('wise', 'weight', True, 1)]
    with pytest.raises(llmgr.NotFoundError):
        manager.delete_route('v', made.id)
    with pytest.raises(llmgr.NotFoundError):
        manager.select_route('v', 'wise')
    everybodys = manager.add_route(None, 'all', ['Mock/mock'], system=True)
    assert everybodys.is_sys and [row.name for row in manager.routes('v')] == ['all']
    with pytest.raises(llmgr.ForbiddenError):
        manager.delete_route('v', everybodys.id)
    assert manager.delete_route(None, everybodys.id) is True
    assert manager.delete_route('u', made.id) is True and manager.routes('u') == []


@pytest.mark.parametrize('more, error', [
    ({'targets': []}, llmgr.InvalidError), ({'targets': ['mock']}, llmgr.InvalidError),
    ({'name': 'a/b'}, llmgr.InvalidError), ({'name': 'main'}, llmgr.InvalidError),
    ({'attempts': 11}, llmgr.InvalidError), ({'deadline': 0.5}, llmgr.InvalidError),
    ({'pick': 'cheapest'}, ValueError), ({'sticky': 'x'}, ValueError),
    ({'on_exhausted': 1}, ValueError), ({'targets': 'Mock/mock'}, TypeError),
    ({'targets': [1]}, TypeError), ({'deadline': '60s'}, TypeError),
    ({'targets': [llmgr.RouteTarget('Mock/mock', 1001)]}, llmgr.InvalidError),
])
def test_what_is_no_route_is_refused(manager, more, error):
    with pytest.raises(error):
        manager.add_route('u', **{'name': 'x', 'targets': ['Mock/mock'], **more})
    assert manager.routes('u') == []


def test_kinds(manager, mockllm):
    platform = manager.add_platform('Mine', 'https://api.example.com/v1', 'sk-mine', user_id='u')
    found = manager.probe_platform_models(mockllm.base_url, 'sk-1')[0]
    assert found['kind'] == 'unknown'
    model = manager.add_model(platform.id, found['id'], 'Found', 'u', kind=found['kind'])
    assert model.kind == 'unknown'
    model = manager.add_model(platform.id, 'vectors', 'V', 'u', kind='embedding')
    assert model.kind == 'embedding' and manager.models('u')[-1] == model
    assert manager.update_model('u', model.id, new_kind='rerank')
    assert manager.update_model('u', model.id, new_display_name='W')
    assert [(row.kind, row.display_name) for row in manager.models('u')[-2:]] == [
        ('unknown', 'Found'), ('rerank', 'W')]
    with pytest.raises(llmgr.InvalidError, match='a kind'):
        manager.update_model('u', model.id)


def test_tokens_of_models(manager, mockllm):
    platform = manager.add_platform('Mine', 'https://api.example.com/v1', 'sk-mine', user_id='u')
    found = manager.probe_platform_models(mockllm.base_url, 'sk-1')[0]
    assert found['context_tokens'] is None and found['max_output_tokens'] is None
    plain = manager.add_model(platform.id, 'plain', 'P', 'u', None,
                              context_tokens=found['context_tokens'])
    assert (plain.context_tokens, plain.max_output_tokens) == (None, None)
    model = manager.add_model(platform.id, 'big', 'Big', 'u', context_tokens=1_000_000_000,
                              max_output_tokens=64000)
    assert (model.context_tokens, model.max_output_tokens) == (1_000_000_000, 64000)
    assert manager.update_model('u', model.id, new_context_tokens=200000)
    assert manager.update_model('u', model.id, new_max_output_tokens=0)
    assert [(row.context_tokens, row.max_output_tokens, row.display_name)
            for row in manager.models('u')[-2:]] == [(None, None, 'P'), (200000, None, 'Big')]


def test_a_users_own_house(manager):
    platform = manager.add_platform('Mine', 'https://api.example.com/v1', 'sk-mine', user_id='u')
    assert (platform.name, platform.user_id, platform.payer) == ('Mine', 'u', 'user')
    model = manager.add_model(platform.id, 'name', '显示', 'u', {'a': {'b': [1, None, '三']}})
    assert manager.models('u')[-1] == model and model.extra_body == {'a': {'b': [1, None, '三']}}
    assert manager.save_user_selection('u', platform.id, model.id) is True
    assert manager.get_user_selection_detail('u')['model_display_name'] == '显示'
    assert manager.update_model('u', model.id, new_display_name='neu', new_extra_body={})
    assert manager.models('u')[-1].extra_body is None
    assert manager.rename_platform('u', platform.id, 'Yours') is True
    assert manager.toggle_platform_visibility('u', platform.id, hide=True) is True
    assert manager.toggle_model_visibility('u', model.id, True) is True
    last = manager.get_platform_models('u')[-1]
    assert (last['platform_name'], last['display_name'], last['platform_hide']) == (
        'Yours', 'neu', True)
    assert manager.models('u')[-1].hide
    assert manager.update_platform_config('u', platform.id, '') is True
    with pytest.raises(llmgr.NoKeyError):
        manager.get_user_selection_detail('u')
    assert manager.update_platform_url('u', platform.id, 'https://b.example.com/v1', 'sk-b')
    assert manager.resolve('u').key == 'sk-b'
    assert manager.delete_model('u', model.id) is True
    assert manager.delete_platform('u', platform.id) is True
    assert manager.get_user_selection_detail('u')['platform'] == 'Mock'


def test_slots_are_choices_of_their_own(manager, choose):
    choose('u', 'mock-echo', 'fast')
    assert manager.get_user_selection_detail('u', 'fast')['model_name'] == 'mock-echo'
    assert manager.get_user_selection_detail('u')['model_name'] == 'mock'


def test_the_key_of_another_user_is_never_used(manager):
    manager.update_platform_config('u', 1, 'sk-own')
    assert (manager.resolve('u').key, manager.resolve('u').payer) == ('sk-own', 'user')
    assert (manager.resolve('v').key, manager.resolve('v').payer) == ('sk-server', 'system')
    assert 'sk-own' not in repr(manager.resolve('u'))


def test_several_keys_of_one_user(manager):
    assert manager.platform_keys('u', 1) == []
    assert manager.add_platform_key('u', 1, 'sk-first', account='org-a') == 1
    assert manager.add_platform_key('u', 1, 'sk-second', weight=2) == 2
    keys = manager.platform_keys('u', 1)
    assert [(key.position, key.weight, key.account, key.payer, key.usable) for key in keys] == [
        (1, 1, 'org-a', 'user', True), (2, 2, None, 'user', True)]
    assert len({key.fingerprint for key in keys} | {key.health_id for key in keys}) == 4
    assert manager.resolve('u').key == 'sk-first'
    assert manager.update_platform_key('u', 1, keys[1].fingerprint, position=1, weight=3,
                                       account='org-b') == 1
    assert manager.resolve('u').key == 'sk-second'
    assert manager.platform_keys('u', 1)[0].account == 'org-b'
    with pytest.raises(llmgr.ConflictError):
        manager.add_platform_key('u', 1, 'sk-first')
    for weight in (0, -1, 1001):
        with pytest.raises((llmgr.InvalidError, ValueError)):
            manager.add_platform_key('u', 1, 'sk-third', weight=weight)
        with pytest.raises((llmgr.InvalidError, ValueError)):
            manager.update_platform_key('u', 1, 1, weight=weight)
    assert manager.platform_keys('v', 1) == []
    assert manager.delete_platform_key('u', 1, 1) is True
    assert manager.resolve('u').key == 'sk-first'
    with pytest.raises(llmgr.NotFoundError):
        manager.delete_platform_key('u', 1, 2)
    assert 'sk-' not in repr(keys)
    server, = manager.platform_keys(None, 1)
    assert (server.payer, server.position, server.usable) == ('system', 1, True)


def test_a_platform_is_tested_with_each_key(manager):
    test, = manager.test_platform(None, 1).keys
    assert (test.key_state, test.reason, test.status, test.message) == ('good', 'answered', 'OK', '')
    assert test.reachable and test.payer == 'system' and test.first_byte_ms >= 0
    assert test.fingerprint == manager.platform_keys(None, 1)[0].fingerprint
    manager.add_platform_key('u', 1, 'sk-own')
    manager.add_platform_key('u', 1, 'sk-more')
    tested = manager.test_platform('u', 1)
    assert [test.payer for test in tested.keys] == ['user', 'user'] and tested.untested == 0
    assert 'sk-' not in repr(tested)
    with pytest.raises(llmgr.ForbiddenError):
        manager.test_platform('v', 1)
    with pytest.raises(llmgr.NotFoundError):
        manager.test_platform('u', 99)
    for _ in range(10):
        with contextlib.suppress(llmgr.ForbiddenError):
            manager.test_platform('w', 1)
    with pytest.raises(llmgr.LimitError):
        manager.test_platform('w', 1)


@pytest.mark.parametrize('act, expected', [
    (lambda m: m.save_user_selection('u', 99, 1), llmgr.NotFoundError),
    (lambda m: m.add_platform('Mock', 'https://a.example/v1', user_id='u'), llmgr.ConflictError),
    (lambda m: m.add_platform('', 'https://a.example/v1', user_id='u'), llmgr.InvalidError),
    (lambda m: m.add_platform('A', 'http://127.0.0.1/v1', user_id='u'), ValueError),
    (lambda m: m.add_platform('A', 'https://a.example/v1'), llmgr.ForbiddenError),
    (lambda m: m.rename_platform('u', 1, 'x'), llmgr.ForbiddenError),
    (lambda m: m.delete_model('u', 1), llmgr.ForbiddenError),
    (lambda m: m.update_model('u', 1), llmgr.InvalidError),
    (lambda m: m.get_spec_sys_llm('Mock', 'none'), llmgr.NotFoundError),
])
def test_what_the_seed_refuses_with_value_error_is_one(manager, act, expected):
    with pytest.raises(expected) as caught:
        act(manager)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, llmgr.LlmgrError)
    assert caught.value.code.startswith('ERR_') and caught.value.status > 0 and str(caught.value)


def test_forbidden_is_a_permission_error_too(open_, mockllm):
    manager = open_({'mode': 'fixed', 'platforms': {}})
    with pytest.raises(PermissionError) as caught:
        manager.add_platform('A', 'https://a.example/v1', user_id='u')
    assert caught.value.code == 'ERR_MODE'


def test_without_a_key_the_error_says_what_to_set(open_):
    manager = open_({'platforms': {'P': {'base_url': 'https://p.example/v1',
                                         'api_key': '{A_VARIABLE}', 'models': {'M': 'm'}}}})
    with pytest.raises(ValueError, match='A_VARIABLE'):
        manager.get_user_llm()


def test_probe(manager, mockllm):
    models = manager.probe_platform_models(mockllm.base_url, 'sk-1', timeout=5.0)
    assert models[0]['id'] == 'mock-model' and models[0]['raw']['owned_by'] == 'mockllm'
    with pytest.raises(RuntimeError):
        manager.probe_platform_models('http://127.0.0.1:9/v1', 'sk-1')
    with pytest.raises(ValueError):
        manager.probe_platform_models(mockllm.base_url, '')
    with pytest.raises(PermissionError):
        manager.probe_platform_models(mockllm.base_url, 'sk-1', user_id='u')
    assert manager.probe_platform_models('http://127.0.0.1:9/v1', 'k', raise_on_error=False) == []


def test_a_refused_key_is_a_permission_error(manager):
    with subprocess.Popen([FRAME.MOCKLLM, '--port', '0', '--require-key', 'sk-right'], text=True,
                          stdout=subprocess.PIPE) as server:
        url = server.stdout.readline().split()[-1]
        with pytest.raises(PermissionError) as caught:
            manager.probe_platform_models(url, 'sk-wrong')
        assert caught.value.upstream_status == 401 and 'sk-wrong' not in str(caught.value)
        server.terminate()


def test_settings_come_from_where_the_command_line_takes_them(room, monkeypatch, mockllm):
    (room / 'llmgr.yaml').write_text('mode: fixed\nplatforms:\n  P:\n'
                                     f'    base_url: {mockllm.base_url}\n'
                                     '    api_key: "{K}"\n    models: {M: m}\n')
    (room / 'extra.env').write_text('K=sk-file\n')
    monkeypatch.setenv('LLMGR_ENV_FILE', 'extra.env')
    monkeypatch.setenv('LLMGR_DB', f'sqlite:{room}/named.db')
    with llmgr.AIManager() as manager:
        assert manager.mode == 'fixed' and manager.resolve('u').key == 'sk-file'
    assert (room / 'named.db').exists()
    assert (room / '.config' / 'llmgr' / 'master.key').exists()
    monkeypatch.setenv('LLMGR_MODE', 'custom')
    monkeypatch.setenv('LLMGR_AUTO_KEY', 'false')
    with llmgr.AIManager() as manager:
        assert manager.mode == 'custom'
        with pytest.raises(llmgr.NoKeyError):
            manager.resolve('u')
    with llmgr.AIManager(mode='single', auto_key=True) as manager:
        assert manager.mode == 'single' and manager.resolve('u').key == 'sk-file'


def test_the_program_opens_what_the_package_made(manager, database, room, mockllm):
    manager.update_platform_config('u', 1, 'sk-own')
    program = FRAME.Llmgr(room, database)
    rows = program.json('-u', 'u', 'platform', 'list')
    assert rows[0]['platform_name'] == 'Mock' and rows[0]['payer'] == 'user'
