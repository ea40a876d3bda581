# SPDX-License-Identifier: MIT
"""Several keys for one platform: from the command line and for callers of the gateway."""

KEYS = {'K1': 'sk-ann-one-0001', 'K2': 'sk-ann-two-0002', 'K3': 'sk-ann-three-0003'}


def add(site, variable, *more, user='ann', platform=1):
    return site.json('-u', user, 'platform', 'add-key', platform, '--key-env', variable, *more,
                     env=KEYS)


def listed(site, user='ann', platform=1):
    return site.json('-u', user, 'platform', 'keys', platform)


def used(site, user='ann', model='One'):
    """The key that a request arrives with."""
    site.ok('-u', user, 'chat', '--model', model, 'hello')
    return site.upstream.last().key


def test_the_first_is_used_and_order_weight_and_account_can_be_changed(site):
    site.ok('sync')
    assert listed(site) == []
    first = add(site, 'K1', '--account', 'org-a')
    assert (first['position'], first['weight'], first['account']) == (1, 1, 'org-a')
    assert add(site, 'K2', '--weight', '5')['position'] == 2
    assert add(site, 'K3')['position'] == 3
    assert used(site) == KEYS['K1'] and used(site, 'ben') == 'sk-alpha-server-0001'
    keys = listed(site)
    assert [(key['weight'], key['account'], key['payer'], key['usable']) for key in keys] == [
        (1, 'org-a', 'user', True), (5, None, 'user', True), (1, None, 'user', True)]
    third = keys[2]['fingerprint']
    moved = site.json('-u', 'ann', 'platform', 'update-key', 1, third, '--position', 1,
                      '--weight', 1000, '--account', 'org-b')
    assert (moved['position'], moved['weight'], moved['account']) == (1, 1000, 'org-b')
    assert moved['health_id'] == keys[2]['health_id'] != keys[0]['health_id']
    assert used(site) == KEYS['K3']
    assert [key['fingerprint'] for key in listed(site)] == [
        third, keys[0]['fingerprint'], keys[1]['fingerprint']]
    site.ok('-u', 'ann', 'platform', 'update-key', 1, 2, '--account', '')
    assert [key['account'] for key in listed(site)] == ['org-b', None, None]
    table = site.ok('-u', 'ann', 'platform', 'keys', 1)
    assert third in table and 'org-b' in table and 'sk-' not in table


def test_when_the_first_is_deleted_the_next_takes_its_place(site):
    site.ok('sync')
    for variable in KEYS:
        add(site, variable)
    gone = site.json('-u', 'ann', 'platform', 'delete-key', 1, 1)
    assert gone == {'platform_id': 1, 'key': '1', 'deleted': True}
    assert used(site) == KEYS['K2']
    site.ok('-u', 'ann', 'platform', 'delete-key', 1, listed(site)[1]['fingerprint'])
    site.ok('-u', 'ann', 'platform', 'delete-key', 1, 1)
    assert listed(site) == [] and used(site) == 'sk-alpha-server-0001'
    assert 'no such key' in site.fails(3, '-u', 'ann', 'platform', 'delete-key', 1, 1)
    add(site, 'K1')
    add(site, 'K2')
    site.set_key('ann', 1, KEYS['K3'])
    assert len(listed(site)) == 1 and used(site) == KEYS['K3']
    add(site, 'K1')
    site.ok('-u', 'ann', 'platform', 'clear-key', 1)
    assert listed(site) == [] and used(site) == 'sk-alpha-server-0001'


def test_what_is_not_a_key_more_is_refused(site):
    site.ok('sync')
    add(site, 'K1')
    add(site, 'K2')
    for words, code, says in [
            (['add-key', 1, '--key-env', 'K2'], 5, 'in place 2'),
            (['add-key', 1, '--key-env', 'K1'], 5, 'in place 1'),
            (['add-key', 1], 2, '--key-stdin or --key-env'),
            (['add-key', 99, '--key-env', 'K3'], 3, 'no platform 99'),
            (['add-key', 1, '--key-env', 'K3', '--weight', '1001'], 2, 'from 1 to 1000'),
            (['add-key', 1, '--key-env', 'K3', '--weight', '0'], 2, '--weight'),
            (['add-key', 1, '--key-env', 'K3', '--account', 'x' * 61], 2, '1 to 60 bytes'),
            (['add-key', 1, '--key-env', 'K3', '--account', 'a\nb'], 2, 'control characters'),
            (['update-key', 1, 1], 2, 'nothing to change'),
            (['update-key', 1, 1, '--position', '3'], 2, 'from 1 to 2'),
            (['update-key', 1, 3, '--weight', '2'], 3, 'no such key'),
            (['update-key', 1, 'key:00000000', '--weight', '2'], 3, 'no such key'),
            (['delete-key', 1, 'key:'], 3, 'no such key')]:
        message = site.fails(code, '-u', 'ann', 'platform', *words, env=KEYS)
        assert says in message and 'sk-' not in message, (words, message)
    assert len(listed(site)) == 2


def test_rotation_and_check_see_every_key(site):
    site.ok('sync')
    for variable in KEYS:
        add(site, variable)
    assert site.json('key', 'rotate')['rotated'] == 4
    report = site.json('key', 'status')
    assert [key['records'] for key in report['keys']] == [4]
    assert site.json('db', 'check')['unreadable_keys'] == 0
    assert all(key['usable'] for key in listed(site))
    site.ok('-u', 'ann', 'platform', 'update-key', 1, 3, '--position', 1)
    assert used(site) == KEYS['K3']


def test_keys_do_not_go_to_another_address(site):
    site.configure('mode: custom')
    site.ok('sync')
    own = site.json('-u', 'ann', 'platform', 'add', '--name', 'Mine', '--base-url',
                    'https://a.example.com/v1')['platform_id']
    for variable in KEYS:
        add(site, variable, platform=own)
    assert len(listed(site, platform=own)) == 3
    site.ok('-u', 'ann', 'platform', 'set-url', own, 'https://a.example.com/v2')
    assert [key['usable'] for key in listed(site, platform=own)] == [True] * 3
    site.ok('-u', 'ann', 'platform', 'set-url', own, 'https://b.example.com/v2')
    assert listed(site, platform=own) == []
    assert listed(site, 'ben') == []
    site.fails(3, '-u', 'ben', 'platform', 'keys', own)
    # A system platform that moves leaves its users' keys behind, which do not open there.
    add(site, 'K1')
    add(site, 'K2')
    site.configure(platforms=f'''
  Alpha:
    base_url: {site.base_url.replace('127.0.0.1', '127.0.0.2')}
    api_key: "{{ALPHA_KEY}}"
    models: {{One: mock}}
''')
    site.ok('sync')
    assert [(key['usable'], key['fingerprint']) for key in listed(site)] == [(False, None)] * 2
    assert site.json('db', 'check')['unreadable_keys'] == 2
    add(site, 'K3')
    assert [key['usable'] for key in listed(site)] == [False, False, True]
    site.ok('-u', 'ann', 'platform', 'delete-key', 1, 1)
    assert [key['usable'] for key in listed(site)] == [True, False]


def asked(api, mockllm, caller='ann'):
    api.chat('Small', caller)
    return mockllm.last().key


def test_callers_keep_several_and_are_served_with_the_first(api, mockllm):
    house = next(row['platform_id'] for row in api.all('/api/platforms', 'ann')
                 if row['platform_name'] == 'House')
    path = f'/api/platforms/{house}/keys'
    made = api.call('POST', path, 'ann', {'api_key': KEYS['K1'], 'account': 'org-a'})
    assert made.status == 201 and made.fields['location'] == path + '/1'
    assert made.json['account'] == 'org-a' and 'sk-' not in made.text
    api.good('POST', path, 'ann', {'api_key': KEYS['K2'], 'weight': 9})
    assert asked(api, mockllm) == KEYS['K1'] and asked(api, mockllm, 'ben') != KEYS['K1']
    keys = api.all(path, 'ann')
    assert [key['weight'] for key in keys] == [1, 9]
    one = path + '/' + keys[1]['fingerprint']
    assert api.good('PATCH', one, 'ann', {'position': 1})['position'] == 1
    assert asked(api, mockllm) == KEYS['K2']
    assert api.all(path, 'ben') == []
    page = api.good('GET', path + '?limit=1', 'ann')
    assert page['has_more'] and page['data'][0]['position'] == 1
    rest = api.good('GET', f'{path}?limit=1&after={page["next"]}', 'ann')
    assert rest['data'][0]['position'] == 2 and not rest['has_more']
    # The server's keys are shown to administrators, and changed in llmgr.yaml.
    server = api.all(path, 'admin')
    assert [(key['payer'], key['position']) for key in server] == [('system', 1)]
    assert [key['payer'] for key in api.all(path + '?user=ann', 'admin')] == ['user', 'user']
    assert api.call('DELETE', path + '/' + server[0]['fingerprint'], 'admin').status == 404
    for body, status in [({'api_key': KEYS['K1']}, 409), ({'api_key': 'a b'}, 400), ({}, 400),
                         ({'api_key': 'sk-4', 'weight': 0}, 400),
                         ({'api_key': 'sk-4', 'weight': 1001}, 400),
                         ({'api_key': 'sk-4', 'weight': '2'}, 400),
                         ({'api_key': 'sk-4', 'account': 'x' * 61}, 400)]:
        assert api.call('POST', path, 'ann', body).status == status, body
    for body in ({}, {'weight': 0}, {'position': 0}, {'position': 3}, {'more': 1}):
        assert api.call('PATCH', path + '/1', 'ann', body).status == 400, body
    assert api.call('DELETE', one, 'ann').status == 204
    assert api.call('DELETE', one, 'ann').status == 404
    assert asked(api, mockllm) == KEYS['K1']
