# SPDX-License-Identifier: MIT
"""Several keys of one platform, by a route or by the model itself: a dead key is met once, what an
account is refused all its keys are, and who pays stays the same."""
import pytest

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
        while self.say('A/M').status == 401:
            pass  # the gateway has not heard of the token yet
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
