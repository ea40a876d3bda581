# SPDX-License-Identifier: MIT
"""A walk through the start: init, the file, .env, sync, options and where they may stand."""
import os
import re
import stat

import pytest


def test_init_writes_a_file_a_key_and_a_database(llmgr):
    if llmgr.kind == 'sqlite':
        del llmgr.env['LLMGR_DB']  # the default: a file beside llmgr.yaml
    out = llmgr.ok('init')
    assert 'llmgr.yaml' in out and 'OpenRouter' in out
    text = (llmgr.folder / 'llmgr.yaml').read_text(encoding='utf-8')
    for name in ('魔搭ModelScope', '阿里云百炼', 'OpenRouter', 'Gemini'):
        assert name in text
    key = llmgr.folder / '.config' / 'llmgr' / 'master.key'
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(llmgr.json('platform', 'list')) == 4
    written = {path.name for path in llmgr.folder.iterdir()}
    assert {'llmgr.yaml', '.config'} <= written
    if llmgr.kind == 'sqlite':
        assert stat.S_IMODE((llmgr.folder / 'llmgr.db').stat().st_mode) == 0o600


def test_init_again_changes_nothing(llmgr):
    llmgr.ok('init')
    text = (llmgr.folder / 'llmgr.yaml').read_text(encoding='utf-8')
    before = llmgr.json('model', 'list')
    assert llmgr.json('init') == {'dry_run': False, 'changes': []}
    assert (llmgr.folder / 'llmgr.yaml').read_text(encoding='utf-8') == text
    assert llmgr.json('model', 'list') == before


def test_keys_come_from_the_environment_and_from_dotenv(house):
    del house.env['ALPHA_KEY']
    house.write('.env', '# keys\nALPHA_KEY="sk-dotenv-0001"\nexport BETA_KEY=sk-dotenv-0002\n')
    house.ok('init')
    house.ok('chat', 'hello')
    assert house.upstream.last().key == 'sk-dotenv-0001'
    house.env['ALPHA_KEY'] = 'sk-environment-0003'  # the environment goes first
    house.ok('sync')
    house.ok('chat', 'hello')
    assert house.upstream.last().key == 'sk-environment-0003'


def test_a_missing_variable_is_no_key_and_never_the_placeholder(house):
    del house.env['ALPHA_KEY']
    message = house.fails(6, 'chat', 'hello')
    assert 'ALPHA_KEY' in message and 'Alpha' in message
    assert house.upstream.requests() == []


def test_sync_keeps_ids_keys_and_choices_over_renames_and_moves(house):
    house.set_key('ann', 1, 'sk-ann-0001')
    house.select('ann', 'Two')
    before = house.models('ann')
    house.configure(platforms=f'''
  Beta:
    base_url: {house.beta_url}
    models: {{贝塔: mock-beta}}
  First:
    base_url: {house.base_url}
    api_key: "{{ALPHA_KEY}}"
    models:
      Zwei: {{model_name: mock-echo, extra_body: {{top_k: 20}}}}
      One: mock-other
      New: mock-new
''')
    plan = house.json('sync', '--dry-run')
    assert plan['dry_run'] is True
    assert {(row['action'], row['platform_name'], row['display_name']) for row in plan['changes']} \
        >= {('update', 'First', None), ('add', 'First', 'New'), ('remove', 'Empty', None)}
    assert house.models('ann') == before, 'a dry run has written'
    assert house.json('sync')['changes'] == plan['changes']
    assert house.json('sync')['changes'] == []
    after = house.models('ann')
    assert list(after) == ['贝塔', 'Zwei', 'One', 'New']
    assert after['One']['model_id'] == before['One']['model_id']
    assert after['One']['model_name'] == 'mock-other'
    assert after['Zwei']['model_id'] == before['Two']['model_id']
    assert after['Zwei']['platform_id'] == before['Two']['platform_id']
    assert house.json('-u', 'ann', 'selection')['model_display_name'] == 'Zwei'
    assert house.platforms('ann')['First']['payer'] == 'user'
    # The address moves, the name stays: the same platform, but a user's key is of the old address.
    house.configure(platforms=f'''
  First:
    base_url: {house.beta_url}/moved
    api_key: "{{ALPHA_KEY}}"
    models: {{Zwei: mock-echo}}
''')
    house.ok('sync')
    moved = house.models('ann')['Zwei']
    assert moved['platform_id'] in (before['Two']['platform_id'], before['贝塔']['platform_id'])


def test_a_changed_file_is_hinted_at_until_it_is_synchronised(house):
    house.ok('init')
    assert 'llmgr sync' not in house.run('model', 'list').err
    house.configure(platforms=f'\n  Other:\n    base_url: {house.base_url}\n    models: {{A: b}}\n')
    result = house.run('model', 'list')
    assert result.code == 0 and 'llmgr sync' in result.err
    assert 'One' in result.out
    house.ok('sync')
    assert 'llmgr sync' not in house.run('model', 'list').err


def test_options_flag_over_environment_over_file(house):
    house.configure('mode: single', 'user: file')
    house.select('-1', 'Two')
    house.env['LLMGR_MODE'] = 'custom'
    assert house.json('selection')['model_display_name'] == 'One'
    assert house.json('--mode', 'single', 'selection')['model_display_name'] == 'Two'
    house.env['LLMGR_USER'] = '-1'
    assert house.json('selection')['model_display_name'] == 'Two'
    assert house.json('--user=ann', 'selection')['model_display_name'] == 'One'


def test_another_file_may_be_named(house):
    (house.folder / 'etc').mkdir()
    os.rename(house.folder / 'llmgr.yaml', house.folder / 'etc' / 'x.yaml')
    assert 'One' in house.ok('--config', 'etc/x.yaml', 'model', 'list')
    house.env['LLMGR_CONFIG'] = 'etc/x.yaml'
    assert 'One' in house.ok('model', 'list')
    assert 'llmgr init' in house.fails(2, '--config', 'none.yaml', 'model', 'list')


@pytest.mark.parametrize('words', [['--help'], ['help'], ['help', 'platform'],
                                   ['help', 'platform', 'add'], ['platform', '--help'],
                                   ['platform', 'add', '-h'], ['--version'], ['help', '--man']])
def test_help_needs_neither_file_nor_database(llmgr, words):
    llmgr.write('llmgr.yaml', 'nonsense: true\n')
    llmgr.ok(*words)


def test_every_command_of_the_manual_explains_itself(llmgr):
    text = llmgr.ok('help')
    for line in re.findall(r'^  ([a-z]+(?: [a-z-]+)?)', text, re.M):
        assert llmgr.ok('help', *line.split()).startswith('llmgr ')


CHINESE = re.compile('[\u4e00-\u9fff]')


@pytest.mark.parametrize('locale', [{'LC_ALL': 'zh_CN.UTF-8'}, {'LC_ALL': '', 'LANG': 'zh_CN'},
                                    {'LANGUAGE': 'zh_CN'}])
def test_messages_are_chinese_under_a_chinese_locale(house, locale):
    del house.env['ALPHA_KEY']
    house.ok('init')
    english = house.run('chat', 'hello')
    chinese = house.run('chat', 'hello', env=locale)
    assert not CHINESE.search(english.err) and CHINESE.search(chinese.err)
    assert english.code == chinese.code == 6
    assert CHINESE.search(house.ok('help', env=locale))
    assert CHINESE.search(house.ok('model', 'list', env=locale))
    for words in (['model', 'list'], ['platform', 'list'], ['explain']):
        assert house.json(*words, env=locale) == house.json(*words)
    assert not CHINESE.search(house.run('--json', 'chat', 'hello', env=locale).err)
