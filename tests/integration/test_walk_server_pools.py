# SPDX-License-Identifier: MIT
"""Several server keys of one platform in llmgr.yaml: what a sync makes of them, what is refused,
who sees them, and that they stay the server's."""
import pytest

KEYS = {'KA': 'sk-server-a-0001', 'KB': 'sk-server-b-0002', 'KC': 'sk-server-c-0003'}


def configure(site, keys, *lines, base_url=None):
    """`keys`: the lines of Alpha that say which it has."""
    site.env.update(KEYS)
    site.configure(*lines, platforms=f'''
  Alpha:
    base_url: {base_url or site.base_url}
    {keys}
    models: {{One: mock}}
''')


def pool(*items):
    return 'api_keys: [' + ', '.join(items) + ']'


def env(name, *more):
    return '{key: "{' + name + '}"' + ''.join(', ' + each for each in more) + '}' if more \
        else '"{' + name + '}"'


ALL = pool(env('KA'), env('KB', 'weight: 2', 'account: org-b'), env('KC'))


def changes(site, *more):
    return [(row['action'], row['detail']) for row in site.json('sync', *more)['changes']]


def listed(site, user='-1'):
    return [(key['payer'], key['key_env'], key['weight'], key['account'], key['usable'])
            for key in site.json('-u', user, 'platform', 'keys', 1)]


def used(site, user='-1'):
    site.ok('-u', user, 'chat', '--model', 'One', 'hello')
    return site.upstream.last().key


def test_a_pool_is_stored_in_order_with_weights_and_accounts(site):
    configure(site, ALL)
    assert ('add', None) in changes(site)
    assert listed(site) == [('system', 'KA', 1, None, True), ('system', 'KB', 2, 'org-b', True),
                            ('system', 'KC', 1, None, True)]
    assert listed(site, 'ann') == []
    assert changes(site) == [] and changes(site, '--dry-run') == []
    assert used(site) == used(site, 'ann') == KEYS['KA']
    table = site.ok('platform', 'keys', 1)
    assert 'org-b' in table and 'KB' in table and 'sk-' not in table
    assert site.platforms('ann')['Alpha']['api_key_set']


def test_what_changes_of_a_pool_is_told_and_written(site):
    configure(site, 'api_key: "{KA}"')
    site.ok('sync')
    before = site.json('platform', 'keys', 1)
    configure(site, ALL)
    assert changes(site, '--dry-run') == [('update', 'api_keys, key_env')]
    assert len(site.json('platform', 'keys', 1)) == 1
    assert changes(site) == [('update', 'api_keys, key_env')]
    after = site.json('platform', 'keys', 1)
    # The key that stays has its number, by which its health is known.
    assert after[0]['health_id'] == before[0]['health_id']
    # Weight, account, order, number, and a key itself.
    for keys, told, now in [
            (pool(env('KA'), env('KB', 'weight: 3', 'account: org-b'), env('KC')), 'api_keys',
             ['KA', 'KB', 'KC']),
            (pool(env('KA'), env('KB', 'weight: 3'), env('KC')), 'api_keys', ['KA', 'KB', 'KC']),
            (pool(env('KC'), env('KB', 'weight: 3'), env('KA')), 'api_keys, key_env',
             ['KC', 'KB', 'KA']),
            (pool(env('KC'), env('KA')), 'api_keys, key_env', ['KC', 'KA'])]:
        configure(site, keys)
        assert changes(site) == [('update', told)], keys
        assert [row[1] for row in listed(site)] == now and changes(site) == []
    assert used(site) == KEYS['KC']
    site.env['KA'] = 'sk-server-a-9999'
    assert changes(site) == [('update', 'api_keys')]
    last = site.json('platform', 'keys', 1)[1]
    assert last['health_id'] not in [key['health_id'] for key in after]
    configure(site, 'api_key: "{KB}"')
    assert changes(site) == [('update', 'api_keys, key_env')]
    assert listed(site) == [('system', 'KB', 1, None, True)] and used(site) == KEYS['KB']
    configure(site, '')
    assert changes(site) == [('update', 'api_key, key_env')]
    assert listed(site) == [] and site.json('key', 'status')['keys'][0]['records'] == 0


def test_a_key_without_its_variable_is_left_out_and_named(site):
    configure(site, ALL)
    del site.env['KA']
    first = site.run('sync')
    assert first.code == 0 and "'Alpha'" in first.err and first.err.strip().endswith('set: KA')
    assert [row[1:2] + row[4:] for row in listed(site)] == [('KB', True), ('KA', False),
                                                           ('KC', True)]
    assert used(site) == KEYS['KB'] and changes(site) == []
    site.env['KA'] = KEYS['KA']
    assert changes(site) == [('update', 'api_keys')]
    assert [row[1] for row in listed(site)] == ['KA', 'KB', 'KC'] and used(site) == KEYS['KA']
    for name in KEYS:
        del site.env[name]
    assert changes(site) == [('update', 'api_keys')]
    assert [row[4] for row in listed(site)] == [False] * 3 and changes(site) == []
    assert 'set KA, KB, KC and' in site.fails(6, 'chat', '--model', 'One', 'hello')
    # What is written as it stands has no variable, and is there when the others are not.
    configure(site, pool('sk-literal-0004', env('KB')))
    del site.env['KB']
    site.ok('sync')
    assert [row[1:2] + row[4:] for row in listed(site)] == [(None, True), ('KB', False)]
    assert changes(site) == []


def test_the_same_server_key_twice_is_refused_by_its_places(site):
    configure(site, ALL)
    site.env['KC'] = ' ' + KEYS['KA'] + '\n'
    message = site.fails(2, 'sync')
    assert "'Alpha'" in message and 'keys 1 and 3' in message and 'sk-' not in message
    for words in (['"{KA}"', '"{KB}"', '"{KA}"'], ['sk-x-1', '"{KB}"', '{key: sk-x-1}']):
        configure(site, pool(*words))
        message = site.fails(2, 'sync')
        assert "'Alpha'" in message and 'keys 1 and 3' in message and 'sk-' not in message
    configure(site, ALL)
    assert changes(site)[0] == ('add', None), 'nothing was stored before'


@pytest.mark.parametrize('keys, says', [
    (pool(env('KA', 'weight: 0')), 'from 1 to 1000'),
    (pool(env('KA'), env('KB', 'weight: 1001')), "key 2 in 'api_keys'"),
    (pool(env('KA'), env('KB', 'account: ' + 'x' * 61)), '1 to 60 bytes'),
    (pool('sk-canary-1', '"sk canary"'), "key 2 in 'api_keys'"),
    (pool(*(f'sk-{i}' for i in range(201))), 'more than 200 keys'),
    ('api_keys: []', 'is empty'),
    ('api_keys: sk-canary-1', 'must be a list'),
    ('api_key: sk-canary-1\n    api_keys: [sk-canary-2]', 'has both'),
    ('api_keys: [sk-canary-1]\n    api_key: sk-canary-2', 'has both'),
], ids=range(9))
def test_what_is_no_pool_is_refused_and_changes_nothing(site, keys, says):
    configure(site, ALL)
    site.ok('sync')
    before = listed(site)
    configure(site, keys)
    message = site.fails(2, 'sync')
    assert says in message and 'Alpha' in message and 'canary' not in message
    configure(site, ALL)
    assert listed(site) == before and changes(site) == []


def test_a_pool_may_be_as_large_as_it_may(site):
    configure(site, pool(*(f'{{key: sk-{i}, weight: {i % 1000 + 1}}}' for i in range(200))))
    site.ok('sync')
    keys = listed(site)
    assert len(keys) == 200 and all(key[4] for key in keys) and keys[7][2] == 8
    assert changes(site) == []


def test_rotation_check_backup_and_a_new_master_key_see_every_server_key(site):
    configure(site, ALL)
    site.ok('sync')
    assert site.json('key', 'rotate')['rotated'] == 3
    assert [key['records'] for key in site.json('key', 'status')['keys']] == [3]
    site.ok('key', 'rotate', '--new-master-key-file', 'new.key')
    site.env['LLMGR_MASTER_KEY_FILE'] = 'new.key'
    assert site.json('db', 'check')['unreadable_keys'] == 0
    assert all(row[4] for row in listed(site)) and changes(site) == []
    # At another address they are sealed anew; what was sealed for the old one opens nowhere else.
    configure(site, ALL, base_url=site.beta_url)
    assert changes(site) == [('update', 'base_url, api_keys')]
    assert site.json('db', 'check')['unreadable_keys'] == 0 and used(site) == KEYS['KA']


@pytest.mark.parametrize('mode', ['single', 'fixed', 'custom'])
def test_the_system_users_own_keys_are_not_the_servers(site, mode):
    """Both are rows of one user about one platform."""
    configure(site, ALL, f'mode: {mode}')
    site.ok('sync')
    site.json('platform', 'add-key', 1, '--key-env', 'OWN', env={'OWN': 'sk-own-0001'})
    site.json('platform', 'add-key', 1, '--key-env', 'OWN', '--weight', 7,
              env={'OWN': 'sk-own-0002'})
    assert listed(site) == [
        ('user', None, 1, None, True), ('user', None, 7, None, True),
        ('system', 'KA', 1, None, True), ('system', 'KB', 2, 'org-b', True),
        ('system', 'KC', 1, None, True)]
    chosen = site.json('explain', '--model', 'One')['candidates'][0]
    assert chosen['payer'] == 'user' and used(site) == 'sk-own-0001'
    # Its own go, or come back behind a sync, and the server's stay as they are.
    assert changes(site) == []
    site.ok('platform', 'clear-key', 1)
    assert listed(site)[0] == ('system', 'KA', 1, None, True) and len(listed(site)) == 3
    assert used(site) == KEYS['KA']
    site.json('platform', 'add-key', 1, '--key-env', 'OWN', env={'OWN': 'sk-own-0003'})
    configure(site, 'api_key: "{KB}"', f'mode: {mode}')
    site.ok('sync')
    assert [row[:2] for row in listed(site)] == [('user', None), ('system', 'KB')]
    assert used(site) == 'sk-own-0003'
    site.ok('platform', 'clear-key', 1)
    assert used(site) == KEYS['KB']
