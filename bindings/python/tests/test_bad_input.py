# SPDX-License-Identifier: MIT
"""Bad input is an exception a Python programmer expects; the interpreter never crashes."""
import os

import pytest

import llmgr


@pytest.mark.parametrize('wrong', [7, 7.5, b'u', [], {}, object()], ids=repr)
def test_a_user_id_is_a_str(manager, wrong):
    for act in (manager.get_platform_models, manager.get_user_llm, manager.models,
                manager.platforms, manager.usage):
        with pytest.raises(TypeError, match='user_id must be a str'):
            act(wrong)


@pytest.mark.parametrize('wrong', [None, '7', 7.0, True, [], object()], ids=repr)
def test_an_id_is_an_int(manager, wrong):
    for act in (lambda: manager.delete_platform('u', wrong),
                lambda: manager.delete_model('u', wrong),
                lambda: manager.save_user_selection('u', 1, wrong),
                lambda: manager.add_model(wrong, 'm', 'd', 'u'),
                lambda: manager.update_platform_config('u', wrong, 'k'),
                lambda: manager.toggle_platform_visibility('u', wrong, True)):
        with pytest.raises(TypeError, match='_id must be an int'):
            act()


@pytest.mark.parametrize('number', [0, -1, 2**31, 2**63 - 1, 2**63, -2**63, 10**40])
def test_an_id_that_no_list_shows_is_a_value_error(manager, number):
    with pytest.raises(ValueError):
        manager.delete_platform('u', number)


@pytest.mark.parametrize('wrong', [7, b'x', [], object()], ids=repr)
def test_texts_are_str(manager, wrong):
    for act in (lambda: manager.add_platform(wrong, 'https://a.example/v1', user_id='u'),
                lambda: manager.add_platform('A', wrong, user_id='u'),
                lambda: manager.add_platform('A', 'https://a.example/v1', wrong, 'u'),
                lambda: manager.rename_platform('u', 1, wrong),
                lambda: manager.get_user_llm('u', wrong),
                lambda: manager.get_spec_sys_llm('Mock', wrong),
                lambda: manager.probe_platform_models(wrong, 'k')):
        with pytest.raises(TypeError, match='must be a str'):
            act()


@pytest.mark.parametrize('text', ['a\0b', '\udc80', 'x' * 100000])
def test_texts_that_cannot_be_are_value_errors(manager, text):
    with pytest.raises(ValueError):
        manager.add_platform(text, 'https://a.example/v1', user_id='u')
    with pytest.raises(ValueError):
        manager.get_platform_models(text)


@pytest.mark.parametrize('wrong, error', [
    ('text', TypeError), ([1], TypeError), ({'a': object()}, TypeError),
    ({'a': float('nan')}, ValueError), ({'model': 'x'}, ValueError),
    ({1: 'x', '1': 2}, ValueError)])
def test_extra_body(manager, wrong, error):
    platform = manager.add_platform('A', 'https://a.example/v1', user_id='u')
    with pytest.raises(error):
        manager.add_model(platform.id, 'm', 'd', 'u', wrong)


@pytest.mark.parametrize('wrong, error', [
    ('picture', llmgr.InvalidError), ('Chat', ValueError), ('', ValueError), (1, TypeError),
    ([], TypeError)])
def test_kinds(manager, wrong, error):
    platform = manager.add_platform('A', 'https://a.example/v1', user_id='u')
    with pytest.raises(error):
        manager.add_model(platform.id, 'm', 'd', 'u', kind=wrong)
    model = manager.add_model(platform.id, 'm', 'd', 'u')
    with pytest.raises(error):
        manager.update_model('u', model.id, new_kind=wrong)


@pytest.mark.parametrize('member', ['context_tokens', 'max_output_tokens'])
@pytest.mark.parametrize('wrong, error', [
    (-1, llmgr.InvalidError), (10**9 + 1, llmgr.InvalidError), (10**30, llmgr.InvalidError),
    (True, TypeError), (1.5, TypeError), ('200000', TypeError), ([], TypeError)])
def test_tokens(manager, member, wrong, error):
    platform = manager.add_platform('A', 'https://a.example/v1', user_id='u')
    with pytest.raises(error):
        manager.add_model(platform.id, 'm', 'd', 'u', **{member: wrong})
    model = manager.add_model(platform.id, 'm', 'd', 'u')
    with pytest.raises(error):
        manager.update_model('u', model.id, **{'new_' + member: wrong})


@pytest.mark.parametrize('timeout, error', [
    (0, ValueError), (-1, ValueError), (float('nan'), ValueError), (float('inf'), ValueError),
    ('8', TypeError), (None, TypeError), (True, TypeError)])
def test_timeouts(manager, timeout, error):
    with pytest.raises(error):
        manager.probe_platform_models('https://a.example/v1', 'k', timeout)


def test_flags(manager):
    with pytest.raises(TypeError):
        manager.toggle_platform_visibility('u', 1, 'yes')
    with pytest.raises(TypeError):
        llmgr.AIManager(read_only='yes')


def test_unknown_keywords(manager):
    with pytest.raises(TypeError):
        manager.add_platform(nmae='A', base_url='https://a.example/v1', user_id='u')
    with pytest.raises(TypeError):
        llmgr.AIManager(databse='x')
    for name in ('base_url', 'api_key', 'model', 'model_name'):
        with pytest.raises(TypeError, match=name):
            manager.get_user_llm('u', **{name: 'x'})
    with pytest.raises(ValueError, match='via'):
        manager.get_user_llm('u', via='somewhere')


def test_configurations(room, open_, monkeypatch):
    with pytest.raises(FileNotFoundError, match='llmgr init'):
        llmgr.AIManager(config='nowhere.yaml')
    (room / 'bad.yaml').write_text('platforms:\n  P: [1\n')
    with pytest.raises(llmgr.ConfigError, match='bad.yaml:'):
        llmgr.AIManager(config=room / 'bad.yaml')
    with pytest.raises(ValueError):
        open_({'mode': 'other'})
    with pytest.raises(ValueError, match='mode'):
        open_({}, mode='other')
    with pytest.raises(TypeError):
        llmgr.AIManager(config=7)
    monkeypatch.setenv('LLMGR_MODE', 'nonsense')
    with pytest.raises(ValueError, match='LLMGR_MODE'):
        open_({})


@pytest.mark.parametrize('platforms, error', [
    (['P'], TypeError), ({'P': 'x'}, TypeError), ({7: {}}, TypeError),
    ({'P': {'models': {}}}, ValueError),
    ({'P': {'base_url': 'nonsense', 'models': {}}}, ValueError),
    ({'P': {'base_url': 'https://p.example', 'models': {'M': [7]}}}, ValueError)])
def test_default_platform_configs(monkeypatch, platforms, error):
    monkeypatch.setattr(llmgr, 'DEFAULT_PLATFORM_CONFIGS', platforms)
    fresh = llmgr.AIManager.lazy()
    with pytest.raises(error):
        fresh.initialize_defaults()
    fresh.close()


def test_nothing_configured_is_said(room):
    fresh = llmgr.AIManager.lazy()
    with pytest.raises(ValueError, match='llmgr init'):
        fresh.initialize_defaults()
        fresh.initialize_defaults()
    fresh.close()


def test_a_closed_manager(manager):
    manager.close()
    manager.close()
    for act in (lambda: manager.get_platform_models('u'), manager.initialize_defaults,
                lambda: manager.get_user_llm('u'), manager.usage,
                lambda: manager.probe_platform_models('https://a.example', 'k')):
        with pytest.raises(RuntimeError, match='closed'):
            act()
    never = llmgr.AIManager.lazy()
    never.close()
    with pytest.raises(RuntimeError, match='closed'):
        never.get_platform_models('u')


def test_a_read_only_manager(manager, open_, mockllm):
    reader = open_({'platforms': {}}, read_only=True)
    assert reader.get_user_selection_detail('u')['platform'] == 'Mock'
    assert reader.get_user_llm('u').model_name == 'mock'
    for act in (lambda: reader.save_user_selection('u', 1, 1), reader.initialize_defaults,
                lambda: reader.update_platform_config('u', 1, 'sk-x')):
        with pytest.raises(RuntimeError) as caught:
            act()
        assert caught.value.code == 'ERR_DATABASE_READONLY', caught.value


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_that_may_not_be_written(room, open_):
    (room / 'locked').mkdir(mode=0o555)
    with pytest.raises(RuntimeError, match='locked'):
        open_({}, database=room / 'locked' / 'x.db')


def test_a_file_that_is_no_database(room, open_):
    (room / 'x.db').write_bytes(b'not a database' * 100)
    with pytest.raises(RuntimeError) as caught:
        open_({}, database=room / 'x.db')
    assert caught.value.code == 'ERR_DATABASE' and 'x.db' in str(caught.value)


def test_the_wrong_master_key(manager, room, open_):
    manager.update_platform_config('u', 1, 'sk-own')
    manager.close()
    (room / '.config' / 'llmgr' / 'master.key').unlink()
    with pytest.raises(RuntimeError) as caught:
        open_({'platforms': {}})
    assert caught.value.code == 'ERR_VAULT'


def test_langchain_missing_is_said(script, mockllm):
    out = script('''
import sys
sys.modules["langchain_openai"] = None
import llmgr

manager = llmgr.AIManager("x.db", {"platforms": {"P": {"base_url": sys.argv[1], "api_key": "k",
                                                       "models": {"M": "mock"}}}})
print(manager.resolve("u").model_name)
try:
    manager.get_user_llm("u")
except ImportError as error:
    print(error)
manager.close()
''', mockllm.base_url, quiet=False)
    assert out.splitlines()[0] == 'mock' and 'pip install "llmgr[langchain]"' in out


def test_a_missing_compiled_part_is_said(script):
    out = script('''
import sys
sys.modules["llmgr._llmgr"] = None
try:
    import llmgr
except ImportError as error:
    print(error)
''')
    assert 'compiled part of llmgr cannot be loaded' in out
