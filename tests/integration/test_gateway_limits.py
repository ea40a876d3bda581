# SPDX-License-Identifier: MIT
"""What a token may: until when, from where, and which platforms, models and routes it reaches, by
whatever way. What it may not is not there: not in a list, not by a name, not behind another one.
And nobody gives a token more than his own has."""
import json
import time

import pytest

from conftest import PATIENCE_S
from gateway_api import Api
from keeping import Keeper
from serving import Serving, Wire

DAY_MS = 86_400_000
CHAT = {'messages': [{'role': 'user', 'content': 'Hi'}]}
CONFIG = """\
mode: custom
auto_key: true
allow_http: true
allow_cidr: 127.0.0.0/8
allow_port: "*"
platforms:
  House:
    base_url: {base_url}
    api_key: sk-site-0123456789
    models:
      Small: mock
      Large: mock-echo
  Shed:
    base_url: {shed_url}
    api_key: sk-shed-0123456789
    models:
      Small: mock
      Old: mock-reasoning
routes:
  both: {{targets: [House/Large, House/Small]}}
  shed: {{targets: [Shed/Old]}}
aliases:
  gpt-old: Old
  gpt-shed: shed
  gpt-small: House/Small
"""


def config(base_url):
    """The same server under two names."""
    return CONFIG.format(base_url=base_url, shed_url=base_url.replace('127.0.0.1', 'localhost'))


class Site(Api):
    """Two platforms, two routes and three aliases of the operator's."""

    def __init__(self, llmgr, base_url):
        self.llmgr = llmgr
        llmgr.write('llmgr.yaml', config(base_url))
        llmgr.ok('init')
        self.tokens = {}
        self.start()
        self.token('admin', '--kind', 'admin')
        self.token('ann', '-u', 'ann')

    def limited(self, name, *limits, user='ann'):
        return self.token(name, '-u', user, *limits)

    def status(self, model, caller, **fields):
        return self.raw('POST', '/v1/chat/completions', caller, {**CHAT, 'model': model},
                        **fields).status

    def refused_as_unknown(self, model, caller):
        """A 404 that reads as that of a model that was never there."""
        texts = []
        for name in (model, 'never-was'):
            answer = self.raw('POST', '/v1/chat/completions', caller, {**CHAT, 'model': name})
            assert answer.status == 404, f'{name}: {answer.text}'
            error = answer.json['error']
            texts.append(json.dumps(error).replace(name, '').replace(
                answer.fields['x-request-id'], ''))
        assert texts[0] == texts[1]
        return True

    def callable(self, caller):
        return {row['id'] for row in self.raw('GET', '/v1/models', caller).json['data']}

    def row(self, token_id):
        return next(row for row in self.all('/api/tokens') if row['token_id'] == token_id)

    def platform(self, name, caller='admin'):
        return next((row['platform_id'] for row in self.all('/api/platforms', caller)
                     if row['platform_name'] == name), None)

    def model(self, platform, name, caller='admin'):
        return next(row['model_id'] for row in self.all('/api/models', caller)
                    if (row['platform_name'], row['display_name']) == (platform, name))


@pytest.fixture(name='site')
def site_fixture(llmgr, mockllm):
    server = Site(llmgr, mockllm.base_url)
    yield server
    server.stop()


def comes(true):
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


# ---- Until when ----------------------------------------------------------------------------------

def test_a_token_is_refused_once_it_is_over_on_every_node_and_from_every_memory(site):
    other = Serving(site.llmgr, mode='custom')
    try:
        made = site.limited('brief', '--expires', str(int(time.time() * 1000) + 2500))
        fields = {'Authorization': 'Bearer ' + site.tokens['brief']}
        nodes = [lambda: site.status('House/Small', 'brief'),
                 lambda: other.chat('House/Small', fields=fields).status]
        first = [ask() for ask in nodes]
        end = site.row(made)['expires_at_ms']
        assert time.time() * 1000 >= end or first == [200, 200]
        while time.time() * 1000 < end:
            time.sleep(0.02)
        assert [ask() for ask in nodes] == [401, 401]
        revoked = site.limited('gone')
        site.llmgr.ok('token', 'revoke', str(revoked))
        comes(lambda: site.status('House/Small', 'gone') == 401)
        texts = {site.raw('GET', '/api/me', name).json['detail'] for name in ('brief', 'gone')}
        assert len(texts) == 1
        # Its end is put off: it is accepted again, everywhere and within a second or so.
        site.llmgr.ok('token', 'update', str(made), '--expires', '1h')
        for ask in nodes:
            comes(lambda ask=ask: ask() == 200)
    finally:
        other.stop()


def test_times_are_written_in_several_ways(llmgr):
    now = time.time() * 1000
    made = llmgr.json('token', 'create', '-u', 'ann', '--expires', '30d')
    assert abs(made['expires_at_ms'] - now - 30 * DAY_MS) < 10 * 60_000
    told = llmgr.json('token', 'update', str(made['token_id']), '--expires', '2099-01-31')
    assert told['expires_at_ms'] == 4_073_500_800_000
    told = llmgr.json('token', 'update', str(made['token_id']), '--expires', 'never')
    assert told['expires_at_ms'] is None
    for text in ('yesterday', '2020-01-31', '', '-3d', '99999999999999999999d'):
        llmgr.fails(2, 'token', 'create', '-u', 'ann', '--expires', text)


def test_an_administrator_who_is_over_opens_no_door(llmgr, mockllm):
    """A server that listens to all needs one who is accepted."""
    llmgr.write('llmgr.yaml', config(mockllm.base_url))
    llmgr.ok('init')
    made = llmgr.json('token', 'create', '--kind', 'admin', '--expires', '1h')['token_id']
    llmgr.sql(f'UPDATE llm_tokens SET expires_at = 1 WHERE id = {made}')
    llmgr.fails(4, 'serve', '--listen', '0.0.0.0:0')


# ---- From where ----------------------------------------------------------------------------------

def test_a_token_is_used_from_its_networks_only(site):
    for networks, status in (('127.0.0.1', 200), ('127.0.0.0/8', 200), ('10.0.0.0/8', 403),
                             ('10.0.0.0/8, ::ffff:127.0.0.1', 200), ('::/0', 403),
                             ('::ffff:7f00:0/104', 200), ('2001:db8::/32', 403),
                             ('0.0.0.0/0', 200)):
        site.limited('netted', '--networks', networks)
        assert site.status('House/Small', 'netted') == status, networks
        assert site.raw('GET', '/api/me', 'netted').status == status
    site.limited('netted', '--networks', '10.1.2.3')
    refused = site.raw('POST', '/v1/messages', 'netted', {**CHAT, 'model': 'House/Small',
                                                          'max_tokens': 5},
                       anthropic_version='2023-06-01')
    assert refused.json['type'] == 'error' and refused.json['error']['type'] == 'permission_error'
    assert 'address' in refused.json['error']['message']
    for text in ('nowhere', '10.0.0.0/33', '1.2.3', '127.0.0.1/', '::1/129', '10.0.0.1,'):
        site.llmgr.fails(2, 'token', 'create', '-u', 'ann', '--networks', text)


def test_whom_a_trusted_proxy_names_is_who_calls_and_nobody_elses_word_counts(llmgr, mockllm,
                                                                              tmp_path):
    llmgr.write('llmgr.yaml', config(mockllm.base_url))
    llmgr.ok('init')
    token = llmgr.json('token', 'create', '-u', 'ann', '--networks', '198.51.100.0/24')['token']
    fields = {'Authorization': 'Bearer ' + token}
    for proxies, status in (('127.0.0.1', 200), ('10.0.0.0/8', 403)):
        server = Serving(llmgr, mode='custom', env={'LLMGR_TRUSTED_PROXIES': proxies})
        try:
            told = server.chat('House/Small', fields={**fields, 'X-Forwarded-For': '198.51.100.7'})
            assert told.status == status
            for word in ('203.0.113.9', '198.51.100.7, 203.0.113.9', 'unknown'):
                told = server.chat('House/Small', fields={**fields, 'X-Forwarded-For': word})
                assert told.status == 403, word
            assert server.chat('House/Small', fields=fields).status == 403
        finally:
            server.stop()
    # A quote that the client opens hides what the proxy says: then nobody's address is known.
    inside = llmgr.json('token', 'create', '-u', 'ann', '--networks', '127.0.0.0/8')['token']
    fields = {'Authorization': 'Bearer ' + inside}
    server = Serving(llmgr, mode='custom', env={'LLMGR_TRUSTED_PROXIES': '127.0.0.1',
                                                'LLMGR_FORWARDED_HEADER': 'forwarded'})
    try:
        assert server.chat('House/Small', fields=fields).status == 200
        for word in ('for=", for=203.0.113.9', 'for=203.0.113.9', 'for=unknown', 'for=_x', ';'):
            told = server.chat('House/Small', fields={**fields, 'Forwarded': word})
            assert told.status == 403, word
    finally:
        server.stop()
    fields = {'Authorization': 'Bearer ' + token}
    path = tmp_path / 'sock'
    server = Serving(llmgr, mode='custom', listen=('127.0.0.1:0', f'unix:{path}'))
    try:
        wire = Wire(path=path)
        assert server.chat('House/Small', fields=fields, wire=wire).status == 403  # no address
        wire.close()
    finally:
        server.stop()


# ---- Which platforms, models and routes ----------------------------------------------------------

def test_what_is_not_allowed_is_not_listed_and_reads_as_unknown(site):
    site.limited('house', '--platforms', 'House')
    site.limited('small', '--models', 'House/Small')
    site.limited('old', '--models', 'mock-reasoning, Old')
    site.limited('way', '--routes', 'both')
    everything = site.callable('ann')
    assert site.callable('house') == {'mock', 'mock-echo', 'both'}
    assert site.callable('small') == {'mock', 'both'}
    assert site.callable('old') == {'mock-reasoning', 'shed'}
    assert site.callable('way') == everything - {'shed'}
    for caller, good, bad in (
            ('house', ('Small', 'House/Large', 'both', 'auto', 'gpt-small'),
             ('Old', 'Shed/Small', 'mock-reasoning', 'shed', 'gpt-old', 'gpt-shed')),
            ('small', ('Small', 'House/Small', 'mock', 'both', 'gpt-small'),
             ('Large', 'House/Large', 'mock-echo', 'Shed/Small', 'shed', 'gpt-old')),
            ('old', ('Old', 'shed', 'gpt-old', 'gpt-shed'), ('Small', 'both', 'gpt-small')),
            ('way', ('both', 'Old', 'gpt-old'), ('shed', 'gpt-shed'))):
        for name in good:
            assert site.status(name, caller) == 200, f'{caller} {name}'
        for name in bad:
            assert site.refused_as_unknown(name, caller), f'{caller} {name}'
            assert site.raw('GET', '/v1/models/' + name, caller).status == 404
    assert site.raw('GET', '/v1/models/both', 'small').status == 200
    shown = {row['name']: [target['model'] for target in row['targets']]
             for row in site.all('/api/routes', 'small')}
    assert shown == {'both': ['House/Small']}
    assert {row['platform_name'] for row in site.all('/api/platforms', 'small')} == {'House'}
    assert {row['display_name'] for row in site.all('/api/models', 'small')} == {'Small'}
    assert {row['name'] for row in site.all('/api/aliases', 'small')} == {'gpt-small'}
    assert len(site.all('/api/models', 'ann')) == 4


def test_a_route_passes_over_targets_that_are_not_allowed(site, mockllm):
    site.limited('small', '--models', 'House/Small')
    before = len(mockllm.requests())
    assert site.status('both', 'small') == 200 and site.status('both', 'ann') == 200
    asked = [row.json['model'] for row in mockllm.wait_for(before + 2)[before:]]
    assert asked == ['mock', 'mock-echo']


def test_no_slot_leads_to_what_is_not_allowed(site, mockllm):
    chosen = {'platform_id': site.platform('Shed'), 'model_id': site.model('Shed', 'Old')}
    site.good('PUT', '/api/selections/main', 'ann', chosen)
    site.good('PUT', '/api/selections/way', 'ann', {'route': 'shed'})
    site.limited('house', '--platforms', 'House')
    site.limited('none', '--models', 'nothing-of-that-name')
    for name in ('auto', 'main', 'way', 'fast'):
        before = len(mockllm.requests())
        wanted = 404 if name == 'fast' else 200
        assert site.status(name, 'house') == wanted, name
        assert site.status(name, 'none') == 404
        assert all(row.key == 'sk-site-0123456789' for row in mockllm.requests()[before:])
    told = {row['slot']: row['model_name'] for row in site.all('/api/selections', 'house')}
    assert set(told.values()) == {'mock'}
    assert site.all('/api/selections', 'none') == []
    # The choice stays what it is, and what may not be used may not be chosen.
    assert site.good('GET', '/api/selections/main', 'ann')['model_name'] == 'mock-reasoning'
    site.bad(404, 'ERR_NOT_FOUND', 'PUT', '/api/selections/main', 'house', chosen)
    site.bad(404, 'ERR_NOT_FOUND', 'PUT', '/api/selections/main', 'house', {'route': 'shed'})
    site.good('PUT', '/api/selections/main', 'house',
              {'platform_id': site.platform('House'), 'model_id': site.model('House', 'Large')})


def test_an_own_key_and_an_own_platform_open_nothing(site, mockllm):
    shed = site.platform('Shed')
    site.good('PUT', f'/api/platforms/{shed}/key', 'ann', {'api_key': 'sk-anns-own-0123456789'})
    own = site.good('POST', '/api/platforms', 'ann', {
        'platform_name': 'Mine', 'base_url': mockllm.base_url + '/own',
        'api_key': 'sk-mine-0123456789'})
    site.good('POST', f'/api/platforms/{own["platform_id"]}/models', 'ann',
              {'model_name': 'mock', 'display_name': 'Mine'})
    site.limited('house', '--platforms', 'House')
    for name in ('Old', 'Shed/Small', 'Mine', 'Mine/mock'):
        assert site.status(name, 'ann') == 200
        assert site.refused_as_unknown(name, 'house')
    for method, path, body in (('PUT', f'{shed}/key', {'api_key': 'sk-another-0123456789'}),
                               ('DELETE', f'{shed}/key', None), ('GET', f'{shed}/keys', None),
                               ('POST', f'{shed}/keys', {'api_key': 'sk-another-0123456789'}),
                               ('PATCH', f'{shed}/keys/1', {'weight': 3}),
                               ('DELETE', f'{shed}/keys/1', None), ('GET', f'{shed}', None)):
        site.bad(404, 'ERR_NOT_FOUND', method, '/api/platforms/' + path, 'house', body)
    assert len(site.all(f'/api/platforms/{shed}/keys', 'ann')) == 1
    house = site.platform('House')
    site.good('PUT', f'/api/platforms/{house}/key', 'house', {'api_key': 'sk-annhouse-01234567'})
    assert site.status('House/Small', 'house') == 200


def test_no_name_is_given_to_anything_by_a_token_that_may_not_use_everything(site, mockllm):
    """Else a model or platform could be called what is allowed."""
    own = site.good('POST', '/api/platforms', 'ann', {
        'platform_name': 'Mine', 'base_url': mockllm.base_url + '/own',
        'api_key': 'sk-mine-0123456789'})
    path = f'/api/platforms/{own["platform_id"]}'
    model = site.good('POST', path + '/models', 'ann', {'model_name': 'mock-echo'})
    route = site.good('POST', '/api/routes', 'ann', {'name': 'mine',
                                                     'targets': [{'model': 'Mine/mock-echo'}]})
    site.limited('small', '--models', 'Small, mock-echo')
    site.limited('way', '--routes', 'mine')
    site.token('chief', '--kind', 'admin', '--platforms', 'House')
    calls = [('POST', '/api/platforms', {'platform_name': 'House', 'base_url': mockllm.base_url}),
             ('PATCH', path, {'platform_name': 'House'}), ('DELETE', path, None),
             ('PUT', path + '/headers/X-A', {'value': 'a'}),
             ('DELETE', path + '/headers/X-A', None),
             ('POST', path + '/probe', None), ('POST', path + '/test', None),
             ('POST', path + '/models', {'model_name': 'mock-big', 'display_name': 'Small'}),
             ('PATCH', f'/api/models/{model["model_id"]}', {'display_name': 'Small'}),
             ('DELETE', f'/api/models/{model["model_id"]}', None),
             ('POST', '/api/routes', {'name': 'both2', 'targets': [{'model': 'Shed/Old'}]}),
             ('PATCH', f'/api/routes/{route["route_id"]}', {'name': 'both3'}),
             ('DELETE', f'/api/routes/{route["route_id"]}', None),
             ('POST', '/api/probe', {'base_url': mockllm.base_url})]
    for caller in ('small', 'way', 'chief'):
        for method, where, body in calls:
            site.bad(403, 'ERR_FORBIDDEN', method, where, caller, body)
    site.bad(403, 'ERR_FORBIDDEN', 'POST', '/api/sync', 'chief', {'dry_run': True})
    # Nor a name that the user's other tokens ask for: they would be led elsewhere.
    house = next(row for row in site.all('/api/models', 'ann') if row['display_name'] == 'Small')
    chosen = {'platform_id': house['platform_id'], 'model_id': house['model_id']}
    site.good('PUT', '/api/aliases/other', 'ann', {'target': 'Shed/Old'})
    for caller in ('small', 'chief'):
        site.bad(403, 'ERR_FORBIDDEN', 'PUT', '/api/aliases/mine-too', caller,
                 {'target': 'House/Small'})
        site.bad(403, 'ERR_FORBIDDEN', 'DELETE', '/api/aliases/other', caller)
        site.bad(403, 'ERR_FORBIDDEN', 'PUT', '/api/selections/Large', caller, chosen)
        site.good('PUT', '/api/selections/fast', caller, chosen)
    for method, where, body in [
            ('GET', '/api/prices', None), ('DELETE', '/api/prices/1', None),
            ('POST', '/api/prices', {'model': '*', 'rates': {'input': '0'}})]:
        site.bad(403, 'ERR_FORBIDDEN', method, where, 'chief', body)


def test_an_applications_users_inherit(site):
    site.token('app', '--kind', 'app', '--prefix', 'b', '--models', 'House/Small',
               '--networks', '127.0.0.1')
    assert site.status('House/Small', 'app', X_LLMGR_User='bella') == 200
    assert site.status('House/Large', 'app', X_LLMGR_User='bella') == 404
    site.token('chief', '--kind', 'admin', '--platforms', 'House')
    assert site.status('House/Large', 'chief', X_LLMGR_User='ann') == 200
    assert site.status('Old', 'chief', X_LLMGR_User='ann') == 404
    assert {row['display_name'] for row in site.all('/api/models?user=ann', 'chief')} == {
        'Small', 'Large'}


def test_explain_says_what_the_token_may_not(site):
    site.limited('small', '--models', 'House/Small')

    def told(what, caller='small'):
        return site.good('GET', '/api/explain?' + what, caller)

    by_route = {row['target']: row for row in told('model=both')['candidates']}
    assert by_route['House/Large']['reason'] == 'not_allowed'
    assert by_route['House/Large']['base_url'] == ''
    assert by_route['House/Small']['chosen'] is True
    rows = told('model=Old')
    assert rows['status'] == 'ERR_NOT_FOUND'
    assert [row['reason'] for row in rows['candidates'] if row['display_name'] == 'Old'] == [
        'not_allowed']
    assert {row['platform_name'] for row in told('slot=main')['candidates']} == {'House'}
    assert 'not_allowed' not in json.dumps(told('model=both', 'ann'))


@pytest.fixture(name='keeper')
def keeper_fixture():
    made = Keeper()
    yield made
    made.close()


@pytest.fixture(name='kept')
def kept_fixture(llmgr, keeper):
    server = Site(llmgr, keeper.base_url)
    yield server
    server.stop()


def test_no_native_path_reaches_another_model(kept):
    """With the server's key and with an own one, by what is named, kept or sent as something else.
    """
    house = kept.platform('House')
    made = kept.raw('POST', '/v1/files', 'ann', {}, X_LLMGR_Model='Shed/Old').json['id']
    kept.limited('house', '--platforms', 'House')
    kept.limited('small', '--models', 'House/Small')
    for round_ in ('the server\'s key', 'an own key'):
        for caller in ('house', 'small'):
            for named in ({'X_LLMGR_Model': 'Shed/Old'}, {'X_LLMGR_Model': 'Old'}):
                for method, path in (('POST', 'images/generations'), ('GET', f'files/{made}')):
                    answer = kept.raw(method, '/v1/' + path, caller,
                                      {} if method == 'POST' else None, **named)
                    assert answer.status == 404, f'{round_} {caller} {path}: {answer.text}'
            assert kept.raw('GET', f'/v1/files/{made}', caller).status == 404
            answer = kept.raw('POST', '/v1/images/generations', caller, {'model': 'Old'})
            assert answer.status == 404
        named = {'X_LLMGR_Model': 'House/Small'}
        assert kept.raw('POST', '/v1/images/generations', 'small', {'prompt': 'a'},
                        **named).status == 200
        for query in ('model=other', 'a=b&MODEL=other', '%6dodel=other', 'a=b;model=other'):
            answer = kept.raw('POST', '/v1/images/generations?' + query, 'small',
                              {'model': 'House/Small'}, **named)
            assert answer.status == 404, f'{round_} {query}: {answer.text}'
        for path in ('batches', 'fine_tuning/jobs', 'assistants', 'evals', 'threads/runs',
                     'videos', 'engines/other/completions', 'realtime/sessions'):
            answer = kept.raw('POST', '/v1/' + path, 'small', {'model': 'House/Small'}, **named)
            assert answer.status == 404, f'{round_} {path}: {answer.text}'
        answer = kept.raw('POST', '/v1/images/generations', 'small', b'{"model": "other"}',
                          Content_Type='application/octet-stream', **named)
        assert answer.status == 404
        kept.good('PUT', f'/api/platforms/{house}/key', 'ann', {'api_key': 'sk-anns-0123456789'})


# ---- Nobody gives more than he has ---------------------------------------------------------------

WIDER = {'expires_at_ms': (0, 2_000_000_000_000 + DAY_MS), 'platforms': ('', 'Shed', 'House, Shed'),
         'models': ('', 'Large', 'Small, Large'), 'routes': ('', 'shed', 'both, shed'),
         'networks': ('', '10.0.0.0/8', '127.0.0.0/7', '127.0.0.0/8, ::1', '::/0', '0.0.0.0/0')}
SAME = {'expires_at_ms': 2_000_000_000_000, 'platforms': 'House', 'models': 'Small',
        'routes': 'both', 'networks': '127.0.0.0/8'}
NARROWER = {'expires_at_ms': 1_999_999_999_999, 'networks': '127.0.0.1, ::ffff:127.1.0.0/112'}


def flags(limits):
    return [word for name, value in limits.items()
            for word in ('--expires' if name == 'expires_at_ms' else '--' + name, str(value))]


@pytest.mark.parametrize('kind', ['user', 'admin'])
def test_what_a_limited_token_makes_and_changes_is_never_wider(site, kind):
    site.token('maker', *(['-u', 'ann'] if kind == 'user' else ['--kind', 'admin']), *flags(SAME))
    limits = set(SAME)
    made = site.good('POST', '/api/tokens', 'maker', {'name': 'heir'})
    assert {name: made[name] for name in limits} == SAME  # what is not said is the maker's
    path = f'/api/tokens/{made["token_id"]}'
    for name, values in WIDER.items():
        for value in values:
            told = site.bad(403, 'ERR_FORBIDDEN', 'POST', '/api/tokens', 'maker', {name: value})
            assert f"'{name}'" in told.json['detail']
            site.bad(403, 'ERR_FORBIDDEN', 'PATCH', path, 'maker', {name: value})
    for name, value in NARROWER.items():
        assert site.good('POST', '/api/tokens', 'maker', {name: value})[name] == value
        assert site.good('PATCH', path, 'maker', {name: value})[name] == value
    # Not its own token either, and no other one that would still be wider, in whatever member.
    own = site.raw('GET', '/api/me', 'maker').json['token_id']
    for name, values in WIDER.items():
        site.bad(403, 'ERR_FORBIDDEN', 'PATCH', f'/api/tokens/{own}', 'maker', {name: values[0]})
    wide = site.good('POST', '/api/tokens', 'ann', {'models': 'Large'})['token_id']
    for change in ({'models': 'Small'}, {'note': 'mine'}, {'name': 'mine'}):
        site.bad(403, 'ERR_FORBIDDEN', 'PATCH', f'/api/tokens/{wide}', 'maker', change)
    # Nor does it take anything from one that could do more, or end it.
    site.bad(403, 'ERR_FORBIDDEN', 'PATCH', f'/api/tokens/{wide}', 'maker', SAME)
    site.bad(403, 'ERR_FORBIDDEN', 'DELETE', f'/api/tokens/{wide}', 'maker')
    assert site.row(wide)['models'] == 'Large' and site.row(wide)['note'] is None
    assert site.row(wide)['revoked_at_ms'] is None
    heir = site.good('POST', '/api/tokens', 'maker', {'name': 'short'})['token_id']
    site.good('DELETE', f'/api/tokens/{heir}', 'maker')
    site.good('PATCH', path, 'admin', {'expires_at_ms': 0, 'platforms': '', 'models': ''})
    assert site.row(made['token_id'])['expires_at_ms'] is None


def test_a_change_takes_effect_at_once_and_lifts_what_is_empty(site):
    made = site.limited('ann2', '--note', 'for the laptop')
    assert site.status('Old', 'ann2') == 200
    told = site.good('PATCH', f'/api/tokens/{made}', 'ann',
                     {'models': ' Small ,Large, Small', 'note': 'for the desk'})
    assert (told['models'], told['note']) == ('Small, Large', 'for the desk')
    assert site.status('Old', 'ann2') == 404
    assert site.good('PATCH', f'/api/tokens/{made}', 'ann', {'models': ''})['models'] is None
    assert site.status('Old', 'ann2') == 200
    assert site.row(made)['note'] == 'for the desk'
    site.good('DELETE', f'/api/tokens/{made}', 'ann')
    site.bad(409, 'ERR_CONFLICT', 'PATCH', f'/api/tokens/{made}', 'ann', {'note': 'late'})
    for body in ({'models': 'a,,b'}, {'models': ','}, {'platforms': 'a\nb'},
                 {'models': ','.join(f'm{nth}' for nth in range(65))}, {'note': 'a\x01'},
                 {'networks': '1.2.3.4/40'}, {'expires_at_ms': 1}):
        site.bad(400, 'ERR_INVALID', 'POST', '/api/tokens', 'ann', body)


def test_an_application_neither_makes_nor_changes_tokens(site):
    site.token('app', '--kind', 'app')
    ann = site.raw('GET', '/api/me', 'ann').json['token_id']
    site.bad(403, 'ERR_FORBIDDEN', 'PATCH', f'/api/tokens/{ann}', 'app', {'note': 'x'},
             X_LLMGR_User='ann')


# ---- In the database -----------------------------------------------------------------------------

def test_the_release_before_finds_no_token_with_limits(site):
    """It looks for `digest`, which is then nobody's; without limits it stands there again."""
    made = site.limited('mine')
    plain = site.llmgr.sql(f'SELECT digest, limited_digest FROM llm_tokens WHERE id = {made}')[0]
    site.llmgr.ok('token', 'update', str(made), '--models', 'Small')
    limited = site.llmgr.sql(f'SELECT digest, limited_digest FROM llm_tokens WHERE id = {made}')[0]
    assert limited[1] == plain[0] and limited[0] != plain[0]
    site.llmgr.ok('token', 'update', str(made), '--note', 'a note is no limit', '--models', '')
    assert site.llmgr.sql(f'SELECT digest, limited_digest FROM llm_tokens WHERE id = {made}'
                 )[0] == plain
    fresh = site.limited('fresh', '--expires', '1h')
    assert site.llmgr.sql('SELECT COUNT(*) FROM llm_tokens WHERE limited_digest IS NOT NULL'
                 ) == [['1']] and fresh
    assert site.status('House/Small', 'fresh') == 200


def test_the_last_use_is_known_to_the_hour_and_written_once_in_it(site):
    used, idle = site.limited('used'), site.limited('idle')
    assert site.row(used)['last_used_at_ms'] is None
    before = int(time.time() * 1000) // 3_600_000 * 3_600_000
    assert site.status('House/Small', 'used') == 200
    comes(lambda: site.row(used)['last_used_at_ms'] is not None)
    told = site.row(used)['last_used_at_ms']
    assert told % 3_600_000 == 0 and before <= told <= time.time() * 1000
    assert site.row(idle)['last_used_at_ms'] is None
    # What was refused was not used; a use of an earlier hour gives way, and a later one stays.
    refused = site.limited('refused', '--networks', '10.0.0.0/8')
    assert site.status('House/Small', 'refused') == 403
    site.llmgr.sql(f'UPDATE llm_tokens SET last_used_at = 3600000 WHERE id = {used}')
    site.stop()
    site.start()
    assert site.status('House/Small', 'used') == 200
    comes(lambda: site.row(used)['last_used_at_ms'] >= told)
    assert site.row(refused)['last_used_at_ms'] is None


def test_what_is_used_just_before_the_end_is_written_at_the_end(site):
    made = site.limited('late')
    assert site.status('House/Small', 'late') == 200
    site.stop()
    rows = site.llmgr.json('token', 'list')
    site.start()
    assert next(row for row in rows if row['token_id'] == made)['last_used_at_ms'] is not None
