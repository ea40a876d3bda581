# SPDX-License-Identifier: MIT
"""Names that clients insist on: from llmgr.yaml, from the command line, and for callers."""
import json
import urllib.parse

import pytest

ALIASES = 'aliases:\n  claude-*: auto\n  gpt-4o: Two\n  "*-mini": Alpha/Three'


def listed(site, user='ann'):
    return {row['name']: (row['target'], row['is_sys'])
            for row in site.json('-u', user, 'alias', 'list')}


def asked(site, model, user='ann'):
    told = site.json('-u', user, 'explain', '--model', model)
    chosen = [row['display_name'] for row in told['candidates'] if row['chosen']]
    return chosen[0] if chosen else None


def test_the_file_gives_everybody_aliases(site):
    site.configure(ALIASES)
    report = site.json('sync')
    assert {(row['alias'], row['action']) for row in report['changes'] if row['alias']} == \
        {('claude-*', 'add'), ('gpt-4o', 'add'), ('*-mini', 'add')}
    assert listed(site) == {'claude-*': ('auto', True), 'gpt-4o': ('Two', True),
                             '*-mini': ('Alpha/Three', True)}
    assert [asked(site, name) for name in ('claude-opus-5', 'gpt-4o', 'o4-mini', 'mock')] == \
        ['One', 'Two', 'Three', 'One']
    assert site.json('sync')['changes'] == []
    site.configure('aliases: {gpt-4o: Three, o3: Two}')
    text = site.ok('sync')
    assert '~ alias gpt-4o (target)' in text and '+ alias o3' in text, text
    assert '- alias claude-*' in text and '- alias *-mini' in text, text
    assert asked(site, 'gpt-4o') == 'Three' and asked(site, 'claude-opus-5') is None
    site.configure()
    assert '- alias o3' in site.ok('sync')
    assert listed(site) == {}


def test_a_file_of_aliases_alone_leaves_the_platforms(site):
    site.ok('sync')
    site.write('llmgr.yaml', 'aliases:\n  claude-*: Two\n')
    assert [row['alias'] for row in site.json('sync')['changes']] == ['claude-*']
    assert asked(site, 'claude-x') == 'Two'
    assert len(site.json('platform', 'list')) == 3


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
def test_a_wrong_alias_is_named_with_its_place(site, lines, says):
    site.ok('sync')
    site.configure(lines)
    message = site.fails(2, 'sync')
    assert says in message and 'llmgr.yaml:' in message, message


def test_users_have_their_own(site):
    site.configure(ALIASES)
    site.ok('sync')
    made = site.json('-u', 'ann', 'alias', 'set', 'claude-*', 'Two')
    assert made == {'name': 'claude-*', 'target': 'Two', 'is_sys': False}
    assert asked(site, 'claude-x') == 'Two' and asked(site, 'claude-x', 'ben') == 'One'
    assert "the alias 'claude-*' stands for 'Two'" in site.ok('-u', 'ann', 'explain', '--model',
                                                             'claude-x')
    table = site.ok('-u', 'ann', 'alias', 'list')
    assert 'claude-*' in table and "the operator's" in table
    assert site.json('-u', 'ann', 'alias', 'delete', 'claude-*') == \
        {'name': 'claude-*', 'deleted': True}
    assert "the operator's" in site.fails(4, '-u', 'ann', 'alias', 'delete', 'claude-*')
    assert 'no alias' in site.fails(3, '-u', 'ann', 'alias', 'delete', 'none')
    assert 'is empty' in site.fails(2, '-u', 'ann', 'alias', 'set', 'x', '')


def test_callers_set_them_and_are_served_by_them(api, mockllm):
    assert api.chat('claude-opus-5').status == 404
    for name in ('claude-*', 'anthropic/claude-*', 'exact'):
        path = '/api/aliases/' + urllib.parse.quote(name, safe='')
        assert api.good('PUT', path, 'ann', {'target': 'House/Small'}) == \
            {'name': name, 'target': 'House/Small', 'is_sys': False}
    for name in ('claude-opus-5', 'anthropic/claude-x', 'exact'):
        assert api.chat(name).status == 200
        # The platform is asked for the model, not for the alias.
        assert json.loads(mockllm.last().body)['model'] == 'mock'
        assert api.chat(name, 'ben').status == 404
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
    assert api.chat('exact').status == 404
    assert api.call('PUT', '/api/aliases/auto', 'ann', {'target': 'Small'}).status == 400
    assert api.call('PUT', '/api/aliases/x', 'ann', {'target': 'a', 'more': 1}).status == 400
    # An administrator acts for a user; nobody else does.
    assert api.call('PUT', '/api/aliases/o3?user=ben', 'ann', {'target': 'Small'}).status == 403
    api.good('PUT', '/api/aliases/o3?user=ben', 'admin', {'target': 'Small'})
    assert api.chat('o3', 'ben').status == 200 and api.chat('o3').status == 404
