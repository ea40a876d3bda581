# SPDX-License-Identifier: MIT
"""A walk through platforms, models and keys as their users meet them, on both databases."""
import pytest

MODEL_FIELDS = {'platform_id', 'platform_name', 'platform_is_sys', 'platform_hide', 'base_url',
                'api_key_set', 'model_id', 'model_name', 'display_name'}


def test_the_flat_list_has_the_original_s_fields(site):
    rows = site.json('-u', 'ann', 'model', 'list')
    assert [row['display_name'] for row in rows] == ['One', 'Two', 'Three', '贝塔']
    for row in rows:
        assert MODEL_FIELDS <= set(row)
    assert rows[0] == {
        'platform_id': 1, 'platform_name': 'Alpha', 'platform_is_sys': True, 'platform_hide': False,
        'base_url': site.base_url, 'api_key_set': True, 'model_id': rows[0]['model_id'],
        'model_name': 'mock', 'display_name': 'One', 'model_hide': False, 'extra_body': None,
        'kind': 'unknown', 'context_tokens': None, 'max_output_tokens': None, 'managed': 'file'}
    assert rows[1]['extra_body'] == {'top_k': 20}
    assert rows[3]['api_key_set'] is False


def test_a_private_platform_lives_its_whole_life(site):
    added = site.json('-u', 'ann', 'platform', 'add', '--name', '我的平台', '--base-url',
                       'https://api.example.com/v1', '--key-env', 'OWN',
                       env={'OWN': 'sk-own-0002'})
    assert added['platform_name'] == '我的平台'
    assert added['platform_is_sys'] is False and added['api_key_set'] is True
    assert added['payer'] == 'user' and added['key_fingerprint'].startswith('key:')
    platform = added['platform_id']

    model = site.json('-u', 'ann', 'model', 'add', '--platform', platform, '--name', 'gpt-x',
                       '--display', '我的模型', '--extra-body', '{"top_k": 5}')
    assert (model['model_name'], model['display_name']) == ('gpt-x', '我的模型')
    assert model['extra_body'] == {'top_k': 5} and model['platform_id'] == platform
    assert list(site.models('ann')) == ['One', 'Two', 'Three', '贝塔', '我的模型']
    assert '我的模型' not in site.models('ben')

    renamed = site.json('-u', 'ann', 'platform', 'rename', platform, 'Mine')
    assert renamed['platform_name'] == 'Mine' and renamed['api_key_set'] is True

    hidden = site.json('-u', 'ann', 'platform', 'hide', platform)
    assert hidden['platform_hide'] is True
    assert 'Mine' not in site.ok('-u', 'ann', 'platform', 'list')
    assert 'Mine' in site.ok('-u', 'ann', 'platform', 'list', '--all')
    assert site.json('-u', 'ann', 'platform', 'show', platform)['platform_hide'] is False

    updated = site.json('-u', 'ann', 'model', 'update', model['model_id'], '--display', 'Other',
                         '--extra-body', '{}')
    assert updated['display_name'] == 'Other' and updated['extra_body'] is None
    assert site.json('-u', 'ann', 'model', 'hide', model['model_id'])['model_hide'] is True
    assert 'Other' not in site.ok('-u', 'ann', 'model', 'list')
    assert site.json('-u', 'ann', 'model', 'show', model['model_id'])['model_hide'] is False
    assert site.json('-u', 'ann', 'model', 'delete', model['model_id'])['deleted'] is True

    cleared = site.json('-u', 'ann', 'platform', 'clear-key', platform)
    assert cleared['api_key_set'] is False and cleared['key_fingerprint'] is None
    assert site.json('-u', 'ann', 'platform', 'delete', platform)['deleted'] is True
    assert set(site.platforms('ann')) == {'Alpha', 'Beta', 'Empty'}


def test_a_key_belongs_to_its_address(site):
    """Another host needs the key again; another path of the same host does not."""
    platform = site.add_platform('ann', 'Mine', 'https://api.example.com/v1', 'sk-own-0002')
    same = site.json('-u', 'ann', 'platform', 'set-url', platform, 'https://api.example.com/v2')
    assert same['api_key_set'] is True
    moved = site.json('-u', 'ann', 'platform', 'set-url', platform, 'https://api.example.net/v1')
    assert moved['api_key_set'] is False
    back = site.json('-u', 'ann', 'platform', 'set-url', platform, 'https://api.example.com/v1')
    assert back['api_key_set'] is False
    again = site.json('-u', 'ann', 'platform', 'set-url', platform, 'https://api.example.org/v1',
                       '--key-stdin', stdin='sk-own-0003\n')
    assert again['api_key_set'] is True


def test_an_own_key_on_a_system_platform_goes_before_the_server_s(site):
    server = site.platforms('ann')['Alpha']
    assert server['payer'] == 'system'
    own = site.set_key('ann', server['platform_id'], 'sk-ann-0003')
    assert own['payer'] == 'user' and own['key_fingerprint'] != server['key_fingerprint']
    site.ok('-u', 'ann', 'chat', 'hello')
    assert site.upstream.last().key == 'sk-ann-0003'
    site.ok('-u', 'ben', 'chat', 'hello')
    assert site.upstream.last().key == 'sk-alpha-server-0001'
    site.ok('-u', 'ann', 'platform', 'clear-key', server['platform_id'])
    site.ok('-u', 'ann', 'chat', 'hello')
    assert site.upstream.last().key == 'sk-alpha-server-0001'


def test_hiding_a_system_platform_or_model_is_the_user_s_alone(site):
    site.ok('-u', 'ann', 'platform', 'hide', 2)
    site.ok('-u', 'ann', 'model', 'hide', site.models()['Two']['model_id'])
    assert site.platforms('ann')['Beta']['platform_hide'] is True
    assert site.models('ann')['Two']['model_hide'] is True
    assert site.models('ann')['贝塔']['platform_hide'] is True
    assert site.platforms('ben')['Beta']['platform_hide'] is False
    assert site.models('ben')['Two']['model_hide'] is False


@pytest.mark.parametrize('words', [
    ['platform', 'rename', 'ID', 'X'], ['platform', 'delete', 'ID'], ['platform', 'hide', 'ID'],
    ['platform', 'show', 'ID'], ['platform', 'set-key', 'ID', '--key-stdin'],
    ['platform', 'clear-key', 'ID'], ['platform', 'probe', 'ID'],
    ['platform', 'set-url', 'ID', 'https://x.example.com/v1'],
    ['model', 'add', '--platform', 'ID', '--name', 'x'], ['model', 'update', 'MODEL', '--display',
                                                         'x'],
    ['model', 'delete', 'MODEL'], ['model', 'hide', 'MODEL'], ['model', 'show', 'MODEL'],
    ['select', '--platform', 'ID', '--model', 'MODEL'],
    ['select', '--platform', '1', '--model', 'MODEL'],
])
def test_a_foreign_id_is_told_apart_from_an_absent_one_by_nothing(site, words):
    platform = site.add_platform('ann', 'Mine', key='sk-own-0002')
    model = site.add_model('ann', platform, 'gpt-x')
    before = site.json('-u', 'ann', 'model', 'list'), site.json('-u', 'ann', 'platform', 'list')

    def answer(platform_id, model_id):
        args = [{'ID': platform_id, 'MODEL': model_id}.get(word, word) for word in words]
        result = site.run('-u', 'mallory', *args, stdin='sk-x\n')
        assert result.out == ''
        for number in (platform_id, model_id):
            result.err = result.err.replace(str(number), 'N')
        return result.code, result.err

    assert answer(platform, model) == answer(99887766, 88776655)
    assert answer(platform, model)[0] == 3
    assert before == (site.json('-u', 'ann', 'model', 'list'),
                      site.json('-u', 'ann', 'platform', 'list'))


def test_system_platforms_are_the_configuration_s(site):
    for words in (['platform', 'rename', 1, 'X'], ['platform', 'delete', 1],
                  ['platform', 'set-url', 1, 'https://x.example.com/v1'],
                  ['model', 'add', '--platform', 1, '--name', 'x'],
                  ['model', 'update', 1, '--display', 'x'], ['model', 'delete', 1]):
        assert 'llmgr.yaml' in site.fails(4, '-u', 'ann', *words)


def test_names_and_addresses_are_unique_where_they_must_be(site):
    platform = site.add_platform('ann', 'Mine')
    add = ['-u', 'ann', 'platform', 'add', '--name']
    site.fails(5, *add, 'Mine', '--base-url', 'https://b.example.com/v1')
    site.fails(5, *add, 'Alpha', '--base-url', 'https://b.example.com/v1')
    assert 'set-key 3' in site.fails(5, *add, 'X', '--base-url', 'https://EMPTY.example:443/v1/')
    site.fails(5, *add, 'X', '--base-url', 'HTTPS://API.example.com:443/v1/')
    site.fails(5, '-u', 'ann', 'platform', 'rename', platform, 'Beta')
    site.add_model('ann', platform, 'gpt-x', '--display', 'Mine')
    model = ['-u', 'ann', 'model', 'add', '--platform', platform, '--name']
    site.fails(5, *model, 'gpt-x', '--display', 'Other')
    site.fails(5, *model, 'gpt-y', '--display', 'Mine')
    other = site.add_platform('ann', 'Second', 'https://c.example.com/v1')
    site.fails(5, '-u', 'ann', 'model', 'add', '--platform', other, '--name', 'z', '--display',
                'Mine')
    site.add_model('ben', site.add_platform('ben', 'Mine'), 'gpt-x', '--display', 'Mine')


def test_the_system_user_has_no_private_platforms(site):
    message = site.fails(4, 'platform', 'add', '--name', 'X', '--base-url',
                          'https://x.example.com/v1')
    assert 'llmgr.yaml' in message and '-u' in message
