# SPDX-License-Identifier: MIT
"""A walk through what serves a user: selections, slots, repair, modes, auto key, explain."""

SELECTION_FIELDS = {'platform', 'platform_id', 'platform_is_sys', 'base_url', 'model_display_name',
                    'model_id', 'model_name', 'api_key_set'}


def selected(site, user, *more):
    return site.json('-u', user, 'selection', *more)['model_display_name']


def test_a_new_user_has_the_first_system_model_with_a_key(site):
    detail = site.json('-u', 'ann', 'selection')
    assert SELECTION_FIELDS <= set(detail)
    assert detail['platform'] == 'Alpha' and detail['model_display_name'] == 'One'
    assert detail['slot'] == 'main' and detail['is_default'] is True
    del site.env['ALPHA_KEY']
    site.env['BETA_KEY'] = 'sk-beta-0001'
    site.ok('sync')
    assert selected(site, 'ben') == '贝塔'


def test_each_slot_has_its_own_choice_and_falls_back_to_main(site):
    assert site.select('ann', 'Two')['slot'] == 'main'
    assert site.select('ann', 'Three', '--slot', 'reason')['slot'] == 'reason'
    assert selected(site, 'ann') == 'Two'
    assert selected(site, 'ann', '--slot', 'reason') == 'Three'
    assert selected(site, 'ann', '--slot', 'fast') == 'Two'
    assert selected(site, 'ben') == 'One'
    site.select('ann', 'One', '--slot', '写作')
    assert selected(site, 'ann', '--slot', '写作') == 'One'


def test_a_choice_whose_target_is_gone_is_repaired_and_told(site):
    platform = site.add_platform('ann', 'Mine', key='sk-own-0002')
    site.add_model('ann', platform, 'gpt-x', '--display', 'X')
    site.select('ann', 'X')
    site.ok('-u', 'ann', 'platform', 'delete', platform)
    candidates = site.json('-u', 'ann', 'explain')['candidates']
    assert [row['reason'] for row in candidates][0] == 'gone'
    first = site.json('-u', 'ann', 'selection')
    assert first['repaired'] is True and first['model_display_name'] == 'One'
    again = site.json('-u', 'ann', 'selection')
    assert again['repaired'] is False and again['is_default'] is False
    assert again['model_id'] == first['model_id']


def test_a_choice_that_the_mode_hides_is_not_forgotten(site):
    platform = site.add_platform('ann', 'Mine', key='sk-own-0002')
    site.add_model('ann', platform, 'gpt-x', '--display', 'X')
    site.select('ann', 'X')
    assert site.json('--mode', 'fixed', '-u', 'ann', 'selection')['model_display_name'] == 'One'
    assert [row['platform_name'] for row in
            site.json('--mode', 'fixed', '-u', 'ann', 'platform', 'list')] == \
        ['Alpha', 'Beta', 'Empty']
    assert selected(site, 'ann') == 'X'


def test_fixed_lets_users_store_keys_and_nothing_else(site):
    platform = site.add_platform('ann', 'Mine')
    fixed = ['--mode', 'fixed', '-u', 'ann']
    message = site.fails(4, *fixed, 'platform', 'add', '--name', 'Y', '--base-url',
                          'https://y.example.com/v1')
    assert 'custom' in message
    assert site.run(*fixed, 'model', 'add', '--platform', platform, '--name', 'y').code == 4
    assert site.run(*fixed, 'platform', 'rename', platform, 'y').code in (3, 4)
    site.ok(*fixed, 'platform', 'set-key', 1, '--key-stdin', stdin='sk-ann-0004\n')
    site.ok(*fixed, 'platform', 'hide', 2)
    site.ok(*fixed, 'chat', 'hello')
    assert site.upstream.last().key == 'sk-ann-0004'


def test_single_makes_everybody_the_system_user(site):
    site.select('-1', 'Two')
    site.select('ann', 'One')
    assert site.json('--mode', 'single', '-u', 'ann', 'selection')['model_display_name'] == 'Two'
    site.configure('mode: single')
    assert selected(site, 'ann') == 'Two'
    site.configure('mode: custom')
    assert selected(site, 'ann') == 'One'


def test_auto_key_off_leaves_the_server_s_key_to_the_system_user(site):
    site.configure('auto_key: false')
    assert site.models('ann')['One']['api_key_set'] is False
    assert site.models()['One']['api_key_set'] is True
    message = site.fails(6, '-u', 'ann', 'chat', 'hello')
    assert 'set-key 1' in message
    site.ok('chat', 'hello')
    site.set_key('ann', 1, 'sk-ann-0005')
    site.ok('-u', 'ann', 'chat', 'hello')
    assert site.upstream.last().key == 'sk-ann-0005'
    site.fails(6, '-u', 'ben', 'chat', 'hello')


def test_explain_names_every_candidate_its_key_and_its_payer(site):
    site.set_key('ann', 2, 'sk-ann-0006')
    site.select('ann', '贝塔')
    said = site.json('-u', 'ann', 'explain')
    chosen = [row for row in said['candidates'] if row['chosen']]
    assert said['status'] == 'OK' and len(chosen) == 1
    assert chosen[0]['display_name'] == '贝塔' and chosen[0]['payer'] == 'user'
    assert chosen[0]['reason'] == 'selected' and chosen[0]['key_fingerprint'].startswith('key:')
    names = {row['platform_name'] for row in said['candidates']}
    assert names == {'Alpha', 'Beta', 'Empty'}
    reasons = {row['platform_name']: row['reason'] for row in said['candidates']
               if not row['chosen']}
    assert reasons['Empty'] == 'no_model'
    table = site.ok('-u', 'ann', 'explain', '--model', 'Alpha/Two')
    assert 'Two' in table and 'key:' in table
    assert 'sk-' not in table


def test_explain_and_chat_agree_on_what_a_name_means(site):
    for name in ('Two', 'mock-echo', 'Alpha/Two', 'Alpha/mock-echo', 'main', 'auto'):
        said = site.json('-u', 'ann', 'explain', '--model', name)
        chosen = next(row for row in said['candidates'] if row['chosen'])
        site.ok('-u', 'ann', 'chat', '--model', name, 'hello')
        assert site.upstream.last().json['model'] == chosen['model_name']
    site.fails(3, '-u', 'ann', 'chat', '--model', 'no such model', 'hello')
    assert site.json('-u', 'ann', 'explain', '--model', 'nothing')['status'] == 'ERR_NOT_FOUND'


def test_explain_changes_nothing_and_asks_nobody(site):
    platform = site.add_platform('ann', 'Mine')
    site.add_model('ann', platform, 'x')
    site.select('ann', 'x')
    site.ok('-u', 'ann', 'platform', 'delete', platform)
    first = site.json('-u', 'ann', 'explain')
    assert site.json('-u', 'ann', 'explain') == first
    assert site.upstream.requests() == []
    assert site.json('-u', 'ann', 'selection')['repaired'] is True
