# SPDX-License-Identifier: MIT
"""Several keys of one platform, by a route or by the model itself: a dead key is met once, what an
account is refused all its keys are, and who pays stays the same. First a user's own, then the
server's."""
import pytest

from conftest import until
from stress import ledger
from test_gateway_routes import Trip, content


class Pool(Trip):
    """Ann has keys of her own for the platform A."""

    def fill(self, *keys):
        """Each: a key, and more of `platform add-key`."""
        self.start({'smart': '{targets: [A/M]}'}, mode='custom')
        for key, *more in keys:
            self.llmgr.ok('-u', 'ann', 'platform', 'add-key', 1, '--key-env', 'K', *more,
                          env={'K': key})
        token = self.llmgr.json('token', 'create', '-u', 'ann')['token']
        self.fields = {'Authorization': 'Bearer ' + token}
        until(lambda: self.say('A/M').status != 401)  # it has to hear of the token first
        self.forget()

    def forget(self):
        self.vendors[0].calls.clear()

    def say(self, model):
        return self.ask(model=model, fields=self.fields)

    @property
    def used(self):
        return [call.key for call in self.vendors[0].calls]


@pytest.fixture(name='pool')
def pool_fixture(llmgr):
    pool = Pool(llmgr, count=1)
    yield pool
    pool.stop()


KEYS = [f'sk-own-{i}-00000000' for i in range(6)]
BY = pytest.mark.parametrize('model', ['smart', 'A/M'], ids=['a route', 'its model'])


def refuse(keys, *refusal, **fields):
    def play(call):
        if call.key in keys:
            call.refuse(*refusal, **fields)
        else:
            call.answer()
    return play


@BY
def test_a_dead_key_is_met_once(pool, model):
    pool.fill(*([key] for key in KEYS))
    pool.vendors[0].play = refuse({KEYS[0], KEYS[1]}, 401, 'Incorrect API key', 'invalid_api_key')
    for _ in range(5):
        assert content(pool.say(model)) == 'I am A. That is all.'
    assert pool.used == KEYS[:2] + [KEYS[2]] * 5


@BY
def test_an_accounts_keys_are_limited_together(pool, model):
    pool.fill([KEYS[0], '--account', 'one'], [KEYS[1], '--account', 'one'], [KEYS[2]])
    pool.vendors[0].play = refuse(set(KEYS[:2]), 429, Retry_After=60)
    for _ in range(3):
        assert content(pool.say(model)) == 'I am A. That is all.'
    assert pool.used == [KEYS[0]] + [KEYS[2]] * 3


@BY
def test_when_no_own_key_is_left_the_servers_does_not_pay(pool, model):
    pool.fill([KEYS[0]], [KEYS[1]])
    pool.vendors[0].play = refuse(set(KEYS), 401, 'Incorrect API key', 'invalid_api_key')
    assert pool.say(model).status == 502
    refused = pool.say(model)
    # SDKs do not wait half an hour: they are told not to come again by themselves.
    assert refused.status == 503 and refused.fields['x-should-retry'] == 'false'
    assert int(refused.fields['retry-after']) > 20 * 60
    assert pool.used == KEYS[:2]


# ---- The server's, which all users share ---------------------------------------------------------

class ServerPool(Pool):
    """The server has keys for the platform A; any user asks, by one application's token."""

    def serve(self, *keys, mode='custom', routes=None):
        """Each: a key as llmgr.yaml has it."""
        self.start(routes or {'smart': '{targets: [A/M], attempts: 10}'}, mode=mode,
                   keys={'A': 'api_keys: [' + ', '.join(keys) + ']'})
        for kind in ('app', 'admin'):
            self.tokens[kind] = self.llmgr.json('token', 'create', '--kind', kind)['token']
        until(lambda: self.by('nobody', 'none').status != 401)  # the tokens have to be heard of

    def again(self, *keys, **more):
        """As if none had been asked before."""
        self.serving.stop()
        self.forget()
        self.serve(*keys, **more)

    def by(self, user, model):
        return self.ask(model=model, fields={'Authorization': 'Bearer ' + self.tokens['app'],
                                             'X-LLMGR-User': user})

    @property
    def cooled(self):
        """The scopes of what is let alone."""
        cells = self.serving.ask('/api/health/cells', method='GET', fields={
            'Authorization': 'Bearer ' + self.tokens['admin']}).json['data']
        return sorted(cell['scope'] for cell in cells)


@pytest.fixture(name='server')
def server_fixture(llmgr):
    pool = ServerPool(llmgr, count=1)
    pool.tokens = {}
    yield pool
    pool.stop()


def keys_of(count):
    return [f'sk-pool-{i:03d}-000000' for i in range(count)]


@BY
def test_each_dead_server_key_is_met_by_one_request_of_all_users(server, model):
    dead = {key for i, key in enumerate(keys_of(100)) if i % 10 < 3}
    server.vendors[0].play = refuse(dead, 401, 'Incorrect API key', 'invalid_api_key')
    server.serve(*keys_of(100))
    for i in range(3000):
        # A request makes few attempts, and a route repeats few at one platform: some may fail.
        assert server.by(f'user-{i % 50}', model).status in (200, 502)
        if dead <= set(server.used):
            break
    assert sorted(key for key in server.used if key in dead) == sorted(dead)
    server.forget()
    for i in range(100):
        assert content(server.by(f'user-{i}', model)) == 'I am A. That is all.'
    assert len(server.used) == 100 and not dead & set(server.used)
    assert len(set(server.used)) > 10, 'the others share the load'


@BY
def test_a_limit_of_the_address_does_not_burn_the_pool(server, model):
    """All keys are told to wait, whatever account they are of: that is no key's fault."""
    server.vendors[0].play = lambda call: call.refuse(429, Retry_After=300)
    server.serve(*keys_of(100))
    statuses = [server.by(f'user-{i}', model).status for i in range(20)]
    # Two may be chance; the third says that it is the address, and nobody goes there for a while.
    assert len(server.used) == len(set(server.used)) == 3
    assert set(statuses) <= {429, 503} and statuses[-1] == 503
    assert server.cooled == ['account', 'account', 'platform']


@BY
def test_server_keys_of_one_account_are_limited_together(server, model):
    def play(call):
        if call.key.startswith('sk-one'):
            call.refuse(429, Retry_After=60)
        else:
            call.answer()

    server.vendors[0].play = play
    server.serve(*(f'{{key: sk-{account}-{i}-00000000, account: {account}}}'
                   for account in ('one', 'two') for i in range(5)))
    for i in range(20):
        assert content(server.by(f'user-{i}', model)) == 'I am A. That is all.'
    assert sum(key.startswith('sk-one') for key in server.used) == 1
    assert len({key for key in server.used if key.startswith('sk-two')}) > 1
    assert server.cooled == ['account']


def test_who_administers_is_told_of_the_pool_and_users_are_not(server):
    server.serve('{key: sk-pool-a-000000, weight: 2, account: org-b}', 'sk-pool-b-000000')

    def told(kind, path, **fields):
        return server.serving.ask(path, method='GET', fields={
            'Authorization': 'Bearer ' + server.tokens[kind], **fields})

    keys = told('admin', '/api/platforms/1/keys').json['data']
    assert [(key['payer'], key['weight'], key['account'], key['usable']) for key in keys] == [
        ('system', 2, 'org-b', True), ('system', 1, None, True)]
    explained = told('admin', '/api/explain?model=A/M').json['candidates'][0]
    assert [(key['place'], key['weight'], key['account']) for key in explained['keys']] == [
        (1, 2, 'org-b'), (2, 1, None)]
    assert told('app', '/api/platforms/1/keys', **{'X-LLMGR-User': 'ann'}).json['data'] == []
    explained = told('app', '/api/explain?model=A/M', **{'X-LLMGR-User': 'ann'})
    assert explained.json['candidates'][0]['keys'] == []
    assert b'org-b' not in explained.body and keys[1]['fingerprint'].encode() not in explained.body


def test_weights_say_how_often_a_server_key_is_used(server):
    server.serve('sk-light-00000000', '{key: sk-heavy-00000000, weight: 9}')
    for i in range(200):
        assert server.by(f'user-{i}', 'A/M').status == 200
    heavy = server.used.count('sk-heavy-00000000')
    assert 140 <= heavy < 200 and len(set(server.used)) == 2


def test_one_more_key_moves_only_those_users_whom_it_takes(server):
    routes = {'smart': '{targets: [A/M], sticky: user}'}

    def homes():
        server.forget()
        for user in range(200):
            assert server.by(f'user-{user}', 'smart').status == 200
        return server.used

    server.serve(*keys_of(10), routes=routes)
    before = homes()
    assert homes() == before and len(set(before)) == 10
    more = 'sk-pool-new-000000'
    server.again(*keys_of(10), more, routes=routes)
    after = homes()
    moved = [key for old, key in zip(before, after) if key != old]
    assert set(moved) == {more} and len(moved) < 60
    # Nor does the order in which they stand.
    server.again(more, *reversed(keys_of(10)), routes=routes)
    assert homes() == after


@BY
def test_own_keys_and_the_servers_never_stand_in_for_each_other(server, model):
    server.serve(*keys_of(5))
    for key in KEYS[:2]:
        server.llmgr.ok('-u', 'ann', 'platform', 'add-key', 1, '--key-env', 'K', env={'K': key})
    server.llmgr.ok('-u', 'eve', 'platform', 'add-key', 1, '--key-env', 'K', env={'K': KEYS[2]})
    server.again(*keys_of(5))
    server.vendors[0].play = refuse({KEYS[0]}, 401, 'Incorrect API key', 'invalid_api_key')
    for _ in range(3):
        assert server.by('ann', model).status == server.by('bob', model).status == 200
    assert server.used[:2] == KEYS[:2] and set(server.used[2:]) <= {KEYS[1], *keys_of(5)}
    assert sum(key in KEYS for key in server.used) == 4
    # Not even when there is none left; and what ails the server's is no business of those who have
    # keys of their own, as eve has.
    server.vendors[0].play = refuse(set(KEYS), 401, 'Incorrect API key', 'invalid_api_key')
    server.forget()
    assert server.by('ann', model).status == 502 and server.by('ann', model).status == 503
    assert server.used == [KEYS[1]] and server.by('bob', model).status == 200
    server.vendors[0].play = refuse(set(keys_of(5)), 401, 'Incorrect API key', 'invalid_api_key')
    server.again(*keys_of(5))
    for _ in range(10):
        assert server.by('bob', model).status != 200 and server.by('eve', model).status == 200
    assert sorted(key for key in server.used if key not in KEYS) == keys_of(5)
    server.serving.stop()
    rows = ledger(server.llmgr)
    for user, payer in (('ann', 'user'), ('bob', 'system'), ('eve', 'user')):
        assert {row['payer'] for row in rows if row['user_id'] == user} == {payer}


def test_the_system_users_own_keys_do_not_fall_over_to_the_servers(server):
    """In mode single all users are the one who owns the server's keys too."""
    server.vendors[0].play = refuse(set(KEYS), 401, 'Incorrect API key', 'invalid_api_key')
    server.serve(*keys_of(5), mode='single')
    for key in KEYS[:2]:
        server.llmgr.ok('--mode', 'single', 'platform', 'add-key', 1, '--key-env', 'K',
                        env={'K': key})
    server.again(*keys_of(5), mode='single')
    assert server.by('ann', 'A/M').status == 502 and server.by('bob', 'A/M').status == 503
    assert server.used == KEYS[:2]
