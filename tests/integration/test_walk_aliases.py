# SPDX-License-Identifier: MIT
"""Names that clients insist on: from llmgr.yaml, from the command line, and for callers."""
import json
import urllib.parse

import pytest

from gateway_api import Api

ALIASES = 'aliases:\n  claude-*: auto\n  gpt-4o: Two\n  "*-mini": Alpha/Three'


def listed(house, user='ann'):
    return {row['name']: (row['target'], row['is_sys'])
            for row in house.json('-u', user, 'alias', 'list')}


def asked(house, model, user='ann'):
    told = house.json('-u', user, 'explain', '--model', model)
    chosen = [row['display_name'] for row in told['candidates'] if row['chosen']]
    return chosen[0] if chosen else None


def test_the_file_gives_everybody_aliases(house):
    house.configure(ALIASES)
    report = house.json('sync')
    assert {(row['alias'], row['action']) for row in report['changes'] if row['alias']} == \
        {('claude-*', 'add'), ('gpt-4o', 'add'), ('*-mini', 'add')}
    assert listed(house) == {'claude-*': ('auto', True), 'gpt-4o': ('Two', True),
                             '*-mini': ('Alpha/Three', True)}
    assert [asked(house, name) for name in ('claude-opus-5', 'gpt-4o', 'o4-mini', 'mock')] == \
        ['One', 'Two', 'Three', 'One']
    assert house.json('sync')['changes'] == []
    house.configure('aliases: {gpt-4o: Three, o3: Two}')
    text = house.ok('sync')
    assert '~ alias gpt-4o (target)' in text and '+ alias o3' in text, text
    assert '- alias claude-*' in text and '- alias *-mini' in text, text
    assert asked(house, 'gpt-4o') == 'Three' and asked(house, 'claude-opus-5') is None
    house.configure()
    assert '- alias o3' in house.ok('sync')
    assert listed(house) == {}


def test_a_file_of_aliases_alone_leaves_the_platforms(house):
    house.ok('sync')
    house.write('llmgr.yaml', 'aliases:\n  claude-*: Two\n')
    assert [row['alias'] for row in house.json('sync')['changes']] == ['claude-*']
    assert asked(house, 'claude-x') == 'Two'
    assert len(house.json('platform', 'list')) == 3


@pytest.mark.parametrize('lines, says', [
    ('aliases: [a, b]', 'must be a mapping of names'),
    ('aliases: {a: [b]}', 'must stand for the name'),
    ('aliases: {a: null}', 'must stand for the name'),
    ('aliases: {a*b*: auto}', "more than one '*'"),
    ('aliases: {auto: One}', 'are slots'),
    ('aliases: {a: a}', 'stands for itself'),
    ('aliases:\n  a: One\n  a: Two', "'a'"),
    ('alias: {a: One}', "did you mean 'aliases'"),
])
def test_a_wrong_alias_is_named_with_its_place(house, lines, says):
    house.ok('sync')
    house.configure(lines)
    message = house.fails(2, 'sync')
    assert says in message and 'llmgr.yaml:' in message, message


def test_users_have_their_own(house):
    house.configure(ALIASES)
    house.ok('sync')
    made = house.json('-u', 'ann', 'alias', 'set', 'claude-*', 'Two')
    assert made == {'name': 'claude-*', 'target': 'Two', 'is_sys': False}
    assert asked(house, 'claude-x') == 'Two' and asked(house, 'claude-x', 'ben') == 'One'
    assert "the alias 'claude-*' stands for 'Two'" in house.ok('-u', 'ann', 'explain', '--model',
                                                             'claude-x')
    table = house.ok('-u', 'ann', 'alias', 'list')
    assert 'claude-*' in table and "the operator's" in table
    assert house.json('-u', 'ann', 'alias', 'delete', 'claude-*') == \
        {'name': 'claude-*', 'deleted': True}
    assert "the operator's" in house.fails(4, '-u', 'ann', 'alias', 'delete', 'claude-*')
    assert 'no alias' in house.fails(3, '-u', 'ann', 'alias', 'delete', 'none')
    assert 'is empty' in house.fails(2, '-u', 'ann', 'alias', 'set', 'x', '')


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm):
    server = Api(llmgr, mockllm)
    server.token('admin', '--kind', 'admin')
    server.token('ann', '-u', 'ann')
    server.token('ben', '-u', 'ben')
    yield server
    server.stop()


def served(api, model, caller='ann'):
    answer = api.raw('POST', '/v1/chat/completions', caller,
                     {'model': model, 'messages': [{'role': 'user', 'content': 'Hi'}]})
    return answer.status, answer.json


def test_callers_set_them_and_are_served_by_them(api, mockllm):
    assert served(api, 'claude-opus-5')[0] == 404
    for name in ('claude-*', 'anthropic/claude-*', 'exact'):
        path = '/api/aliases/' + urllib.parse.quote(name, safe='')
        assert api.good('PUT', path, 'ann', {'target': 'House/Small'}) == \
            {'name': name, 'target': 'House/Small', 'is_sys': False}
    for name in ('claude-opus-5', 'anthropic/claude-x', 'exact'):
        assert served(api, name)[0] == 200
        # The platform is asked for the model, not for the alias.
        assert json.loads(mockllm.last().body)['model'] == 'mock'
        assert served(api, name, 'ben')[0] == 404
        assert api.raw('GET', f'/v1/models/{name}', 'ann').json['id'] == name
    told = api.good('GET', '/api/explain?model=claude-x', 'ann')
    assert (told['alias'], told['alias_target']) == ('claude-*', 'House/Small')
    assert [row['name'] for row in api.all('/api/aliases', 'ann')] == \
        ['anthropic/claude-*', 'claude-*', 'exact']
    page = api.good('GET', '/api/aliases?limit=2', 'ann')
    assert page['has_more'] and len(page['data']) == 2
    rest = api.good('GET', f'/api/aliases?limit=2&after={page["next"]}', 'ann')
    assert [row['name'] for row in rest['data']] == ['exact'] and not rest['has_more']
    assert api.call('DELETE', '/api/aliases/exact', 'ann').status == 204
    assert api.call('DELETE', '/api/aliases/exact', 'ann').status == 404
    assert served(api, 'exact')[0] == 404
    assert api.call('PUT', '/api/aliases/auto', 'ann', {'target': 'Small'}).status == 400
    assert api.call('PUT', '/api/aliases/x', 'ann', {'target': 'a', 'more': 1}).status == 400
    # An administrator acts for a user; nobody else does.
    assert api.call('PUT', '/api/aliases/o3?user=ben', 'ann', {'target': 'Small'}).status == 403
    api.good('PUT', '/api/aliases/o3?user=ben', 'admin', {'target': 'Small'})
    assert served(api, 'o3', 'ben')[0] == 200 and served(api, 'o3')[0] == 404
