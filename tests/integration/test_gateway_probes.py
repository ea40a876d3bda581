# SPDX-License-Identifier: MIT
"""Probes of our own: a refused key is asked for by nobody's request but the server's own, which
finds out that it is well again. The rest of a refused key (probe_after) is a moment here; tests
wait for what is seen, never for a time."""
from conftest import until
from smart import (EMBED, OPEN, api_fixture, cells, config, number, platform_lines,  # noqa: F401
                   vendors_fixture)
from stress import ledger
from vendors import Call

CONFIG = config(OPEN + 'probe_after: 50ms\n', EMBED, platform_lines('C', '{b}/c', EMBED),
                '  embeds:\n    targets: [C/Embed, A/Embed]\n')

METRIC = 'llmgr_key_probes_total{end="%s"}'


def probes(api, end):
    name = METRIC % end
    line, = (line for line in api.raw('GET', '/metrics', 'admin').text.splitlines()
             if line.startswith(name))
    return int(line.rsplit(' ', 1)[1])


def is_probe(call):
    return call.body.get('max_tokens') == 1


class Platform:
    """Refuses some keys until it is told otherwise, and keeps users' requests and probes apart."""

    def __init__(self, vendor, refused, status=401, code='invalid_api_key'):
        self.refused, self.status, self.code = set(refused), status, code
        self.vendor = vendor
        vendor.play = self.play

    def play(self, call):
        if call.key in self.refused:
            call.refuse(self.status, 'no', self.code)
        else:
            call.answer()

    def asked(self, key):
        """By users."""
        return sum(1 for call in self.vendor.calls if call.key == key and not is_probe(call))

    def probed(self, key):
        return [call.body for call in self.vendor.calls if call.key == key and is_probe(call)]


def own_key(api, user, key):
    where = number(api, 'A', user)
    api.good('PUT', f'/api/platforms/{where}/key', user, {'api_key': key})
    return where


def rows(api):
    """Of the probes in the ledger: whose they are, whose key, which model."""
    return sorted((row['user_id'], row['payer'], row['model_name'])
                  for row in ledger(api.llmgr, ('user_id', 'payer', 'model_name', 'endpoint'))
                  if row['endpoint'] == 'health/probe')


def test_an_own_key_of_the_operators_hides_no_server_key(api, vendors):
    """A server's key that rests is not gone because the system user pays with another."""
    key = 'sk-key-of-A-000000'
    platform = Platform(vendors[0], [key])
    own_key(api, 'admin', 'sk-systems-own-00')
    assert api.chat('smart', 'ann').status == 200
    until(lambda: probes(api, 'refused') >= 2)
    assert probes(api, 'gone') == 0 and len(cells(api)) == 1 and platform.asked(key) == 1
    platform.refused.clear()
    until(lambda: not cells(api))
    assert probes(api, 'well') == 1 and probes(api, 'gone') == 0


def test_where_nothing_chats_the_list_is_asked(api, vendors):
    refused, listed = {'sk-key-of-C-000000'}, []

    def play(call):
        if call.body == {}:
            listed.append(call.key)
        if call.key in refused:
            call.refuse(401, 'no', 'invalid_api_key')
        elif call.body == {}:
            call.whole(200, {'object': 'list', 'data': [{'id': 'embed'}]})
        else:
            call.answer()

    vendors[1].play = play
    vendors[0].play = lambda call: call.whole(200, {
        'object': 'list', 'data': [], 'usage': {'prompt_tokens': 1, 'total_tokens': 1}})
    ask = {'model': 'embeds', 'input': 'hi'}
    assert api.raw('POST', '/v1/embeddings', 'ann', ask).status == 200
    until(lambda: probes(api, 'refused') >= 2)
    assert probes(api, 'gone') == 0 and set(listed) == refused
    refused.clear()
    until(lambda: not cells(api))
    assert probes(api, 'well') == 1 and rows(api) == []


def test_a_server_key_is_probed_and_no_user_pays_for_it(api, vendors):
    key = 'sk-key-of-A-000000'
    platform = Platform(vendors[0], [key])
    assert api.chat('smart', 'ann').status == 200
    until(lambda: probes(api, 'refused') >= 2)
    cell, = cells(api)
    assert cell['is_hard'] and cell['streak'] >= 2
    for caller in ('ann', 'bob') * 3:
        assert api.chat('smart', caller).status == 200
    assert platform.asked(key) == 1
    platform.refused.clear()
    until(lambda: not cells(api))
    assert probes(api, 'well') == 1 and probes(api, 'gone') == 0
    assert platform.asked(key) == 1
    # A model that chats, one token, and nothing that a user has said.
    assert {body['model'] for body in platform.probed(key)} == {'m'}
    assert api.chat('smart', 'bob').status == 200 and platform.asked(key) == 2


def test_a_users_own_key_is_probed_for_him(api, vendors):
    platform = Platform(vendors[0], ['sk-anns-own-0001'])
    own_key(api, 'ann', 'sk-anns-own-0001')
    own_key(api, 'bob', 'sk-bobs-own-0001')
    assert api.chat('A/M', 'bob').status == 200
    assert api.chat('smart', 'ann').status == 502
    until(lambda: probes(api, 'refused') >= 1)
    assert api.chat('smart', 'ann').status == 503
    assert platform.asked('sk-anns-own-0001') == 1
    platform.refused.clear()
    until(lambda: not cells(api, 'ann'))
    assert not platform.probed('sk-bobs-own-0001') and not platform.probed('sk-key-of-A-000000')
    assert api.chat('smart', 'ann').status == 200


def test_a_key_that_changed_is_probed_no_more(api, vendors):
    platform = Platform(vendors[0], ['sk-anns-own-0001', 'sk-key-of-A-000000'])
    number = own_key(api, 'ann', 'sk-anns-own-0001')
    assert api.chat('smart', 'ann').status == 502
    own_key(api, 'ann', 'sk-anns-new-0002')
    until(lambda: probes(api, 'gone') == 1)
    assert not cells(api, 'ann') and api.chat('smart', 'ann').status == 200
    platform.refused.add('sk-anns-new-0002')
    assert api.chat('smart', 'ann').status == 502
    assert api.call('DELETE', f'/api/platforms/{number}/key', 'ann').status == 204
    until(lambda: probes(api, 'gone') == 2)


def test_an_account_without_money_is_probed_by_a_chat(api, vendors):
    platform = Platform(vendors[0], ['sk-key-of-A-000000'], 402, 'insufficient_balance')
    assert api.chat('smart', 'ann').status == 200
    cell, = until(lambda: cells(api))
    assert (cell['scope'], cell['reason']) == ('account', 'billing')
    until(lambda: probes(api, 'refused') >= 1)
    platform.refused.clear()
    until(lambda: not cells(api))


def test_a_platform_that_is_down_says_nothing_of_its_keys(api, vendors):
    platform = Platform(vendors[0], ['sk-key-of-A-000000'])
    assert api.chat('smart', 'ann').status == 200
    platform.status = 500
    until(lambda: probes(api, 'unknown') >= 2)
    cell, = cells(api)
    assert cell['reason'] == 'key' and cell['is_hard']
    platform.refused.clear()
    until(lambda: not cells(api))


def test_what_an_answer_cost_stands_in_the_ledger(api, vendors):
    platform = Platform(vendors[0], ['sk-anns-own-0001', 'sk-key-of-A-000000'])
    assert api.chat('smart', 'bob').status == 200
    own_key(api, 'ann', 'sk-anns-own-0001')
    assert api.chat('smart', 'ann').status == 502
    until(lambda: probes(api, 'refused') >= 2)
    assert rows(api) == []
    platform.refused.clear()
    until(lambda: probes(api, 'well') == 2)
    assert rows(api) == [('-1', 'system', 'm'), ('ann', 'user', 'm')]


def test_the_server_ends_while_it_probes(api, vendors):
    vendors[0].play = lambda call: call.hang() if is_probe(call) else call.refuse(401)
    assert api.chat('smart', 'ann').status == 200
    until(lambda: any(is_probe(call) for call in vendors[0].calls))
    api.stop()
