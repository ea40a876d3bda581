# SPDX-License-Identifier: MIT
"""What a platform keeps lies with one account there: what names it goes to a key of that account
and to no other, whoever brings the keys, by a model's name and by a route's."""
import json

import pytest

from conftest import until
from keeping import Keeper
from serving import Serving

MODES = pytest.mark.parametrize('owner', ['own', 'server'])


class Accounts(Keeper):
    """Keys are accounts. What a body names has to lie with the one that it comes with."""

    def __init__(self, name):
        super().__init__()
        self.name, self.limited = name, set()
        self.count = 1000 * (ord(name) - ord('A'))  # no id is another's

    def answer(self, method, target, key, body):
        if key in self.limited:
            return 429, {'error': {'message': 'slow down', 'type': 'x', 'code': None}}
        named = json.loads(body) if body.startswith(b'{') else {}
        for member in ('previous_response_id', 'file_id', 'input_file_id'):
            if member in named and (key, named[member]) not in self.kept:
                return 404, {'error': {'message': 'unknown here', 'type': 'x', 'code': None}}
        status, document = super().answer(method, target, key, body)
        if target.endswith('/responses') and status == 200:
            document |= {'object': 'response', 'output': [
                {'type': 'reasoning', 'id': f'rs_{self.count}', 'encrypted_content': key}]}
        return status, document

    @property
    def keys(self):
        """Of the requests so far."""
        return [seen.key for seen in self.requests()]

    def forget(self):
        with self.lock:
            self.seen.clear()


class Site:
    """Platforms A and B; ann has keys of her own or uses the server's, and so does ben."""

    def __init__(self, llmgr):
        self.llmgr = llmgr
        self.places = [Accounts('A'), Accounts('B')]
        self.serving = None

    def write(self, keys=(('k',), ('k',))):
        """`keys`: the server's, of A and of B; texts of YAML."""
        lines = ['platforms:']
        for place, own in zip(self.places, keys):
            lines += [f'  {place.name}:', f'    base_url: {place.base_url}',
                      '    models: {M: m, N: n}']
            if len(own) == 1:
                lines.append(f'    api_key: {own[0]}')
            elif own:
                lines.append(f'    api_keys: [{", ".join(own)}]')
        lines += ['routes:', '  smart: {targets: [A/M, B/M]}',
                  '  both: {targets: [A/M, B/M], pick: weight}', '  other: {targets: [B/M]}',
                  '  partly: {targets: [Nowhere/M, B/M]}']
        self.llmgr.write('llmgr.yaml', '\n'.join(lines) + '\n')

    def add_key(self, user, platform, key, *more):
        self.llmgr.ok('-u', user, 'platform', 'add-key', platform, '--key-env', 'K', *more,
                      env={'K': key})

    def start(self):
        self.serving = Serving(self.llmgr, mode='custom')
        if not hasattr(self, 'tokens'):
            self.tokens = {user: self.llmgr.json('-u', user, 'token', 'create')['token']
                           for user in ('ann', 'ben')}
        # It has to hear of the token first.
        until(lambda: self.say('ann', '/v1/models', method='GET').status != 401)
        return self

    def restart(self):
        self.serving.stop()
        return self.start()

    def say(self, user, path, body=None, method='POST', **fields):
        fields = {'Authorization': 'Bearer ' + self.tokens[user]} | {
            name.replace('_', '-'): value for name, value in fields.items()}
        return self.serving.ask(path, body=body, method=method, fields=fields)

    def respond(self, user='ann', model='A/M', **more):
        answer = self.say(user, '/v1/responses', {'model': model, 'input': 'hi', **more})
        assert answer.status == 200, answer.body
        return answer.json

    def forget(self):
        for place in self.places:
            place.forget()

    def stop(self):
        if self.serving is not None:
            self.serving.stop()
        for place in self.places:
            place.close()


@pytest.fixture(name='site')
def site_fixture(llmgr):
    site = Site(llmgr)
    yield site
    site.stop()


KEYS = [f'sk-of-account-{i}-0000' for i in range(3)]


def fill(site, owner, keys):
    """`keys` of the platform A: ann's own, or the server's. Each: a key, and its account or not."""
    if owner == 'server':
        site.write((tuple(f'{{key: {key}, account: {more[0]}}}' if more else key
                          for key, *more in keys), ('sk-server-of-b-0000',)))
        if site.serving is None:
            site.llmgr.ok('init')
        else:
            site.llmgr.ok('sync')
        return
    site.write((('sk-server-of-a-0000',), ('sk-server-of-b-0000',)))
    site.llmgr.ok('init')
    for key, *more in keys:
        site.add_key('ann', 1, key, *(('--account', more[0]) if more else ()))


def everywhere(site, at, count=None):
    """A response at each of A's first accounts: the others refuse meanwhile, in another gateway."""
    made = []
    for key in at[:count]:
        site.places[0].limited = set(at) - {key}
        site.restart()  # what is cooled is forgotten
        made.append(site.respond())
    site.places[0].limited = set()
    site.restart()
    site.forget()
    return made


def uses(response):
    """Requests that name a response or an item of it: method, path, body."""
    name, item = response['id'], response['output'][0]['id']
    yield 'POST', '/v1/responses', {'model': 'A/M', 'input': 'x', 'previous_response_id': name}
    yield 'POST', '/v1/responses', {'model': 'A/M', 'store': False, 'input': [
        {**response['output'][0], 'id': item, 'summary': []}, {'role': 'user', 'content': 'x'}]}
    yield 'GET', f'/v1/responses/{name}', None
    yield 'GET', f'/v1/responses/{name}/input_items?after={item}', None
    yield 'POST', f'/v1/responses/{name}/cancel', None
    yield 'DELETE', f'/v1/responses/{name}', None


@MODES
def test_what_names_a_response_goes_to_its_account(site, owner):
    fill(site, owner, [[key] for key in KEYS])
    site.start()
    for key, response in zip(KEYS, everywhere(site, KEYS)):
        for method, path, body in uses(response):
            site.forget()
            answer = site.say('ann', path, body, method)
            assert answer.status == 200, (method, path, answer.body)
            assert site.places[0].keys == [key], (method, path)
            seen = site.places[0].requests()[-1]
            assert b'~' not in seen.body and '~' not in seen.path
            assert response['id'].startswith(('resp_0001.', 'resp_0002.', 'resp_0003.'))


@MODES
def test_what_is_limited_is_not_asked_elsewhere(site, owner):
    fill(site, owner, [[key] for key in KEYS])
    site.start()
    first, second, _ = everywhere(site, KEYS)
    site.places[0].limited = {KEYS[1]}
    named = {'previous_response_id': second['id']}
    assert site.say('ann', '/v1/responses', {'model': 'A/M', 'input': 'x', **named}).status == 429
    for method, path, body in uses(second):
        answer = site.say('ann', path, body, method)
        assert answer.status == 503, (path, answer.body)
        assert int(answer.fields['retry-after']) >= 1
    assert site.places[0].keys == [KEYS[1]]
    # To others it is not there, whatever its account is; and the other accounts serve as before.
    if owner == 'server':
        for method, path, body in uses(second):
            assert site.say('ben', path, body, method).status == 404
    assert site.places[0].keys == [KEYS[1]]
    assert site.say('ann', f'/v1/responses/{first["id"]}', method='GET').status == 200


@MODES
def test_an_accounts_other_key_will_do(site, owner):
    fill(site, owner, [[KEYS[0], 'one'], [KEYS[1], 'two'], [KEYS[2], 'two']])
    site.start()
    site.places[0].limited = {KEYS[0]}
    made = site.respond()
    assert site.places[0].keys[-1] in KEYS[1:]
    site.places[0].limited = set()
    site.places[0].kept |= {(key, 'resp_0001'): b'{}' for key in KEYS[1:]}
    site.restart()
    for _ in range(4):
        assert site.respond(previous_response_id=made['id'])['id']
        assert site.places[0].keys[-1] in KEYS[1:]


@MODES
def test_an_account_that_has_no_key_left_is_told(site, owner):
    fill(site, owner, [[key] for key in KEYS])
    site.start()
    made = everywhere(site, KEYS, 2)
    uploaded = site.say('ann', '/v1/files', {'a': 1}, X_LLMGR_Model='A/M').json['id']
    holder = site.places[0].keys[-1]
    left = [key for key in KEYS if key not in (KEYS[1], holder)]
    if owner == 'server':
        fill(site, owner, [[key] for key in left])
    else:
        for position in reversed(range(len(KEYS))):
            if KEYS[position] not in left:
                site.llmgr.ok('-u', 'ann', 'platform', 'delete-key', 1, position + 1)
    site.restart()
    site.forget()
    for path in (f'/v1/responses/{made[1]["id"]}', f'/v1/files/{uploaded}'):
        answer = site.say('ann', path, method='GET')
        assert answer.status == 403 and answer.json['error']['code'] == 'no_usable_key', answer.body
        assert 'no key any more' in answer.json['error']['message']
    assert site.places[0].keys == []


@MODES
def test_files_and_batches_go_to_their_account(site, owner):
    fill(site, owner, [[key] for key in KEYS])
    site.start()
    for key in KEYS:
        site.places[0].limited = set(KEYS) - {key}
        site.restart()
        for _ in KEYS:  # each that refuses is let alone
            file = site.say('ann', '/v1/containers', {'a': 1}, X_LLMGR_Model='A/M')
            if file.status == 200:
                break
        assert file.status == 200, file.body
        site.places[0].limited = set()
        site.restart()
        site.forget()
        name = file.json['id']
        for method, path, body in (
                ('GET', f'/v1/containers/{name}', None),
                ('GET', f'/v1/containers/{name}/files', None),
                ('POST', f'/v1/containers/{name}/files', {'b': 2}),
                ('POST', '/v1/responses', {'model': 'A/M', 'input': 'x', 'tools': [
                    {'type': 'code_interpreter', 'container': name}]}),
                ('DELETE', f'/v1/containers/{name}', None)):
            answer = site.say('ann', path, body, method)
            assert answer.status == 200, (method, path, answer.body)
        assert site.places[0].keys == [key] * 5


def test_in_a_route_what_is_named_says_where_it_goes(site):
    fill(site, 'own', [])
    site.start()
    made = [site.respond(model='both') for _ in range(4)]
    for response in made:
        for route in ('both', 'smart'):
            for _ in range(3):
                site.forget()
                site.respond(model=route, previous_response_id=response['id'])
                asked = [place for place in site.places if place.keys]
                assert len(asked) == 1
                wanted = response['id'].partition('.')[0]
                assert (asked[0].keys[-1], wanted) in asked[0].kept
    assert {bool(place.kept) for place in site.places} == {True}


def test_own_keys_in_a_route_know_their_own(site):
    fill(site, 'own', [[KEYS[0]]])
    site.add_key('ann', 2, KEYS[1])
    site.start()
    made = [site.respond(model='both') for _ in range(4)]
    assert site.places[0].keys and site.places[1].keys
    for response in made:
        for body in ({'model': 'both'}, {'model': 'smart'}):
            site.forget()
            site.respond(**body, previous_response_id=response['id'])
            assert len(site.places[0].keys + site.places[1].keys) == 1
        site.forget()
        answer = site.say('ann', f'/v1/responses/{response["id"]}', method='GET')
        assert answer.status == 200
    # One that was not made by a route is as it came, and so it goes.
    site.forget()
    plain = site.respond()['id']
    assert '.' not in plain and site.respond(previous_response_id=plain)


def test_a_file_in_a_route_goes_where_it_is(site):
    fill(site, 'own', [])
    site.start()
    made = site.say('ann', '/v1/containers', {'a': 1}, X_LLMGR_Model='B/M')
    assert made.status == 200, made.body
    file = made.json['id']
    for _ in range(3):
        site.forget()
        asked = {'input': 'x', 'tools': [{'type': 'code_interpreter', 'container': file}]}
        site.respond(model='smart', **asked)
        assert (len(site.places[0].keys), len(site.places[1].keys)) == (0, 1)
    site.forget()
    for user, route in (('ben', 'smart'), ('ben', 'A/M')):
        answer = site.say(user, '/v1/responses', {'model': route, **asked})
        assert answer.status == 404 and file in answer.json['error']['message'], answer.body
    assert not site.places[0].keys + site.places[1].keys


def test_a_route_that_does_not_lead_there_says_so(site):
    fill(site, 'own', [])
    site.start()
    made = site.respond(model='A/M')
    site.forget()
    for route in 'other', 'partly':  # the target that is missing is not what is wrong
        answer = site.say('ann', '/v1/responses', {'model': route, 'input': 'x',
                                                   'previous_response_id': made['id']})
        assert answer.status == 404 and b'no such response' in answer.body, answer.body
    assert not site.places[1].keys


def test_what_has_no_key_any_more_is_told_from_what_never_was(site):
    """The response is there; the route's target at its platform has lost its key."""
    fill(site, 'own', [[KEYS[0]]])
    site.start()
    made = site.respond(model='smart')
    site.write(((), ('sk-server-of-b-0000',)))
    site.llmgr.ok('sync')
    site.llmgr.ok('-u', 'ann', 'platform', 'clear-key', 1)
    site.restart()
    site.forget()
    answer = site.say('ann', '/v1/responses', {'model': 'smart', 'input': 'x',
                                               'previous_response_id': made['id']})
    assert answer.status == 403, answer.body
    assert not site.places[0].keys + site.places[1].keys


@MODES
def test_what_was_made_before_there_were_several_keys_goes_to_the_first(site, owner):
    fill(site, owner, [[KEYS[0]]])
    site.start()
    made = site.respond()
    kept = site.say('ann', '/v1/containers', {'a': 1}, X_LLMGR_Model='A/M').json['id']
    assert '~' not in made['id']
    if owner == 'server':
        fill(site, owner, [[key] for key in KEYS])
    else:
        for key in KEYS[1:]:
            site.add_key('ann', 1, key)
    site.restart()
    site.forget()
    for _ in range(3):
        site.respond(previous_response_id=made['id'])
        assert site.say('ann', f'/v1/responses/{made["id"]}', method='GET').status == 200
        assert site.say('ann', f'/v1/containers/{kept}', method='GET').status == 200
    assert set(site.places[0].keys) == {KEYS[0]}
    # Also if it cannot be asked now.
    site.places[0].limited = {KEYS[0]}
    named = {'model': 'A/M', 'input': 'x', 'previous_response_id': made['id']}
    assert site.say('ann', '/v1/responses', named).status == 429
    assert site.say('ann', '/v1/responses', named).status == 503
    assert site.say('ann', f'/v1/containers/{kept}', method='GET').status == 503
    assert set(site.places[0].keys) == {KEYS[0]}
