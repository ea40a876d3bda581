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


def test_keys_come_from_the_environment_and_from_dotenv(site):
    del site.env['ALPHA_KEY']
    site.write('.env', '# keys\nALPHA_KEY="sk-dotenv-0001"\nexport BETA_KEY=sk-dotenv-0002\n')
    site.ok('init')
    site.ok('chat', 'hello')
    assert site.upstream.last().key == 'sk-dotenv-0001'
    site.env['ALPHA_KEY'] = 'sk-environment-0003'  # the environment goes first
    site.ok('sync')
    site.ok('chat', 'hello')
    assert site.upstream.last().key == 'sk-environment-0003'


def test_a_missing_variable_is_no_key_and_never_the_placeholder(site):
    del site.env['ALPHA_KEY']
    message = site.fails(6, 'chat', 'hello')
    assert 'ALPHA_KEY' in message and 'Alpha' in message
    assert site.upstream.requests() == []


def test_sync_keeps_ids_keys_and_choices_over_renames_and_moves(site):
    site.set_key('ann', 1, 'sk-ann-0001')
    site.select('ann', 'Two')
    before = site.models('ann')
    site.configure(platforms=f'''
  Beta:
    base_url: {site.beta_url}
    models: {{贝塔: mock-beta}}
  First:
    base_url: {site.base_url}
    api_key: "{{ALPHA_KEY}}"
    models:
      Zwei: {{model_name: mock-echo, extra_body: {{top_k: 20}}}}
      One: mock-other
      New: mock-new
''')
    plan = site.json('sync', '--dry-run')
    assert plan['dry_run'] is True
    assert {(row['action'], row['platform_name'], row['display_name']) for row in plan['changes']} \
        >= {('update', 'First', None), ('add', 'First', 'New'), ('remove', 'Empty', None)}
    assert site.models('ann') == before, 'a dry run has written'
    assert site.json('sync')['changes'] == plan['changes']
    assert site.json('sync')['changes'] == []
    after = site.models('ann')
    assert list(after) == ['贝塔', 'Zwei', 'One', 'New']
    assert after['One']['model_id'] == before['One']['model_id']
    assert after['One']['model_name'] == 'mock-other'
    assert after['Zwei']['model_id'] == before['Two']['model_id']
    assert after['Zwei']['platform_id'] == before['Two']['platform_id']
    assert site.json('-u', 'ann', 'selection')['model_display_name'] == 'Zwei'
    assert site.platforms('ann')['First']['payer'] == 'user'
    # The address moves, the name stays: the same platform, but a user's key is of the old address.
    site.configure(platforms=f'''
  First:
    base_url: {site.beta_url}/moved
    api_key: "{{ALPHA_KEY}}"
    models: {{Zwei: mock-echo}}
''')
    site.ok('sync')
    moved = site.models('ann')['Zwei']
    assert moved['platform_id'] in (before['Two']['platform_id'], before['贝塔']['platform_id'])


def test_a_changed_file_is_hinted_at_until_it_is_synchronised(site):
    site.ok('init')
    assert 'llmgr sync' not in site.run('model', 'list').err
    site.configure(platforms=f'\n  Other:\n    base_url: {site.base_url}\n    models: {{A: b}}\n')
    result = site.run('model', 'list')
    assert result.code == 0 and 'llmgr sync' in result.err
    assert 'One' in result.out
    site.ok('sync')
    assert 'llmgr sync' not in site.run('model', 'list').err


def test_options_flag_over_environment_over_file(site):
    site.configure('mode: single', 'user: file')
    site.select('-1', 'Two')
    site.env['LLMGR_MODE'] = 'custom'
    assert site.json('selection')['model_display_name'] == 'One'
    assert site.json('--mode', 'single', 'selection')['model_display_name'] == 'Two'
    site.env['LLMGR_USER'] = '-1'
    assert site.json('selection')['model_display_name'] == 'Two'
    assert site.json('--user=ann', 'selection')['model_display_name'] == 'One'


def test_another_file_may_be_named(site):
    (site.folder / 'etc').mkdir()
    os.rename(site.folder / 'llmgr.yaml', site.folder / 'etc' / 'x.yaml')
    assert 'One' in site.ok('--config', 'etc/x.yaml', 'model', 'list')
    site.env['LLMGR_CONFIG'] = 'etc/x.yaml'
    assert 'One' in site.ok('model', 'list')
    assert 'llmgr init' in site.fails(2, '--config', 'none.yaml', 'model', 'list')


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
def test_messages_are_chinese_under_a_chinese_locale(site, locale):
    del site.env['ALPHA_KEY']
    site.ok('init')
    english = site.run('chat', 'hello')
    chinese = site.run('chat', 'hello', env=locale)
    assert not CHINESE.search(english.err) and CHINESE.search(chinese.err)
    assert english.code == chinese.code == 6
    assert CHINESE.search(site.ok('help', env=locale))
    assert CHINESE.search(site.ok('model', 'list', env=locale))
    for words in (['model', 'list'], ['platform', 'list'], ['explain']):
        assert site.json(*words, env=locale) == site.json(*words)
    assert not CHINESE.search(site.run('--json', 'chat', 'hello', env=locale).err)
