# SPDX-License-Identifier: MIT
"""Routes: from llmgr.yaml, from the command line, and for callers of the gateway."""
import json

import pytest

ROUTES = '''routes:
  smart:
    display_name: 智能
    pick: weight
    sticky: user
    targets: [Gone/Model, {model: Alpha/Two, weight: 2, first_byte_timeout: 20s}, Alpha/One]
    attempts: 2
    deadline: 90s
    on_exhausted: least_bad
  plain: {targets: [Alpha/Three]}'''


def listed(site, *args):
    return {row['name']: row for row in site.json(*args, 'route', 'list')}


def asked(site, model, user='ann'):
    told = site.json('-u', user, 'explain', '--model', model)
    chosen = [row['display_name'] for row in told['candidates'] if row['chosen']]
    return chosen[0] if chosen else None


def test_the_file_gives_everybody_routes(site):
    site.configure(ROUTES)
    report = site.json('sync')
    assert {(row['route'], row['action']) for row in report['changes'] if row['route']} == \
        {('smart', 'add'), ('plain', 'add')}
    smart = listed(site, '-u', 'ann')['smart']
    assert smart | {'route_id': 0, 'created_at_ms': 0} == {
        'route_id': 0, 'name': 'smart', 'display_name': '智能', 'is_sys': True, 'managed': 'file',
        'route_hide': False, 'pick': 'weight', 'sticky': 'user', 'on_exhausted': 'least_bad',
        'attempts': 2, 'deadline_ms': 90000, 'api_key_set': True, 'created_at_ms': 0,
        'targets': [
            {'model': 'Gone/Model', 'weight': 1, 'first_byte_timeout_ms': None, 'missing': True,
             'api_key_set': False},
            {'model': 'Alpha/Two', 'weight': 2, 'first_byte_timeout_ms': 20000, 'missing': False,
             'api_key_set': True},
            {'model': 'Alpha/One', 'weight': 1, 'first_byte_timeout_ms': None, 'missing': False,
             'api_key_set': True}]}
    assert [asked(site, name) for name in ('smart', 'plain')] == ['Two', 'Three']
    assert site.json('sync')['changes'] == []
    site.configure('routes:\n  smart: {targets: [Alpha/One]}\n  more: {targets: [Alpha/Two]}')
    text = site.ok('sync')
    assert '~ route smart (display_name, pick, sticky, on_exhausted, attempts, deadline, ' \
           'targets)' in text, text
    assert '+ route more' in text and '- route plain' in text, text
    assert listed(site)['smart']['route_id'] == smart['route_id']
    assert asked(site, 'smart') == 'One' and asked(site, 'plain') is None
    site.configure()
    assert '- route more' in site.ok('sync')
    assert listed(site) == {}


def test_what_the_file_manages_is_changed_there_and_nothing_else_is_touched(site):
    site.configure(ROUTES)
    site.ok('sync')
    of_file = str(listed(site)['smart']['route_id'])
    for args in (('update', of_file, '--attempts', '5'), ('delete', of_file)):
        message = site.fails(4, 'route', *args)
        assert "the route 'smart' is managed by llmgr.yaml" in message, message
    made = site.json('route', 'add', '--system', '--name', 'mine', '--target', 'Alpha/Two')
    assert (made['managed'], made['is_sys']) == ('database', True)
    site.configure()
    site.ok('sync')
    assert list(listed(site, '-u', 'ann')) == ['mine']
    assert asked(site, 'mine') == 'Two'
    site.configure('routes: {mine: {targets: [Alpha/One]}}')
    message = site.fails(2, 'sync')
    assert "'mine': a route of this name was made without the file" in message, message
    assert asked(site, 'mine') == 'Two'
    site.ok('route', 'delete', str(made['route_id']))
    site.ok('sync')
    assert asked(site, 'mine') == 'One'


@pytest.mark.parametrize('lines, says', [
    ('routes: [a]', "'routes' must be a mapping"),
    ('routes: {a: [Alpha/One]}', "the route 'a' must be a mapping"),
    ('routes: {a: {targets: []}}', "the route 'a' has no targets"),
    ('routes: {a: {pick: order}}', "the route 'a' has no targets"),
    ('routes: {a: {targets: Alpha/One}}', "the route 'a': 'targets' must be a list"),
    ('routes: {a: {targets: [[Alpha/One]]}}', 'a list within the list'),
    ('routes: {a: {targets: [{weight: 2}]}}', 'without a model'),
    ('routes: {a: {targets: [{model: Alpha/One, wight: 2}]}}', "'wight' is no member of a target"),
    ('routes: {a: {targets: [Alpha/One], tries: 2}}', "'tries' is no member of a route"),
    ('routes: {a: {targets: [a]}}', "'a', is no PLATFORM/MODEL; a target is a model of a platform, "
                                    'never another route'),
    ('routes: {a: {targets: [b]}, b: {targets: [a]}}', "'a': target 1 of the route, 'b', is no"),
    ('routes: {a: {targets: [Alpha/One], pick: cheapest}}', 'no prices are known'),
    ('routes: {a: {targets: [Alpha/One], pick: best}}', 'give one of: order, weight, fastest'),
    ('routes: {a: {targets: [Alpha/One], sticky: x}}', 'none, user, conversation'),
    ('routes: {a: {targets: [Alpha/One], on_exhausted: x}}', 'reject, least_bad'),
    ('routes: {a: {targets: [{model: Alpha/One, weight: 0}]}}', 'has the weight 0; give 1 to 1000'),
    ('routes: {a: {targets: [{model: Alpha/One, weight: 1001}]}}', 'has the weight 1001'),
    ('routes: {a: {targets: [{model: Alpha/One, weight: -1}]}}', 'must be a whole number'),
    ('routes: {a: {targets: [Alpha/One], attempts: 11}}', 'cannot have 11 attempts; give 1 to 10'),
    ('routes: {a: {targets: [Alpha/One], attempts: 0}}', 'cannot have 0 attempts'),
    ('routes: {a: {targets: [Alpha/One], deadline: 60}}', 'must be a time with its unit'),
    ('routes: {a: {targets: [Alpha/One], deadline: 11m}}', 'a deadline of 660000 ms'),
    ('routes: {a: {targets: [{model: Alpha/One, first_byte_timeout: 10ms}]}}',
     'a first_byte_timeout of 10 ms'),
    ('routes: {a: {targets: [Alpha/One, Alpha/One]}}', 'stands there twice'),
    ('routes:\n  a: {targets: [Alpha/One]}\n  a: {targets: [Alpha/Two]}', "'a'"),
    ('routes: {a/b: {targets: [Alpha/One]}}', "invalid route name: it holds a '/'"),
    ('routes: {main: {targets: [Alpha/One]}}', 'are slots'),
    ('routes: {auto: {targets: [Alpha/One]}}', 'are slots'),
    ('routes: {a: {targets: [Alpha/One], display_name: "{NAME}"}}', 'holds a variable'),
    ('route: {a: {targets: [Alpha/One]}}', "did you mean 'routes'"),
])
def test_a_wrong_route_is_named_with_its_place(site, lines, says):
    site.ok('sync')
    site.configure(lines)
    message = site.fails(2, 'sync')
    assert says in message and 'llmgr.yaml:' in message, message
    site.configure()
    assert listed(site) == {}


def test_ten_thousand_targets_are_too_many(site):
    site.ok('sync')
    site.configure('routes: {a: {targets: [' + ', '.join(f'P/m{i}' for i in range(10000)) + ']}}')
    assert 'too many entries' in site.fails(2, 'sync')
    site.configure('routes: {a: {targets: [' + ', '.join(f'P/m{i}' for i in range(1001)) + ']}}')
    assert 'the route has 1001 targets; at most 1000 fit' in site.fails(2, 'sync')
    site.configure('routes: {a: {targets: [' + ', '.join(f'P/m{i}' for i in range(1000)) + ']}}')
    site.ok('sync')
    assert len(listed(site)['a']['targets']) == 1000


def test_those_of_the_file_and_those_made_without_it_fit_together(site):
    site.ok('sync')
    site.ok('route', 'add', '--system', '--name', 'mine', '--target', 'Alpha/Two')
    rows = [f'  r{i}: {{targets: [Alpha/One]}}' for i in range(1000)]
    site.configure('routes:\n' + '\n'.join(rows))
    assert 'there would be 1001 routes' in site.fails(2, 'sync')
    assert list(listed(site)) == ['mine']
    site.configure('routes:\n' + '\n'.join(rows[:-1]))
    site.ok('sync')
    assert len(listed(site)) == 1000


def test_users_have_their_own(site):
    site.ok('sync')
    made = site.json('-u', 'ann', 'route', 'add', '--name', 'mine', '--target',
                     'Gone/Model,weight=3', '--target', 'Alpha/Two,weight=2,first_byte_timeout=30s',
                     '--target', 'Alpha/One', '--pick', 'fastest', '--sticky', 'conversation',
                     '--attempts', '4', '--deadline', '2m', '--on-exhausted', 'least_bad',
                     '--display', 'Mein')
    assert (made['pick'], made['sticky'], made['on_exhausted']) == \
        ('fastest', 'conversation', 'least_bad')
    assert (made['attempts'], made['deadline_ms'], made['display_name']) == (4, 120000, 'Mein')
    assert [(row['model'], row['weight'], row['first_byte_timeout_ms'])
            for row in made['targets']] == [('Gone/Model', 3, None), ('Alpha/Two', 2, 30000),
                                            ('Alpha/One', 1, None)]
    number = str(made['route_id'])
    assert asked(site, 'mine') == 'Two' and asked(site, 'mine', 'ben') is None
    assert listed(site, '-u', 'ben') == {}
    table = site.ok('-u', 'ann', 'route', 'list')
    assert '(Gone/Model ×3), Alpha/Two ×2, Alpha/One' in table and 'own' in table, table
    text = site.ok('-u', 'ann', 'explain', '--model', 'mine')
    assert "the targets of the route 'mine'" in text and 'Gone/Model' in text, text
    for user in ('ben', '-1'):
        assert f'no route {number}' in site.fails(3, '-u', user, 'route', 'delete', number)
        assert f'no route {number}' in site.fails(3, '-u', user, 'route', 'hide', number)
    changed = site.json('-u', 'ann', 'route', 'update', number, '--name', 'wise', '--target',
                        'Alpha/Three', '--display', '')
    assert (changed['name'], changed['display_name'], changed['pick'], changed['attempts']) == \
        ('wise', 'wise', 'fastest', 4)
    assert asked(site, 'wise') == 'Three' and asked(site, 'mine') is None
    site.ok('-u', 'ann', 'route', 'hide', number)
    assert 'wise' not in site.ok('-u', 'ann', 'route', 'list')
    assert 'wise' in site.ok('-u', 'ann', 'route', 'list', '--all')
    assert asked(site, 'wise') == 'Three'
    site.ok('-u', 'ann', 'route', 'show', number)
    assert listed(site, '-u', 'ann')['wise']['route_hide'] is False
    assert site.json('-u', 'ann', 'route', 'delete', number) == {'route_id': made['route_id'],
                                                                  'deleted': True}
    assert asked(site, 'wise') is None


@pytest.mark.parametrize('args, code, says', [
    (('--name', 'x'), 2, '--target TARGET is missing'),
    (('--target', 'A/b'), 2, '--name NAME is missing'),
    (('--name', 'x', '--target', 'x'), 2, 'is no PLATFORM/MODEL'),
    (('--name', 'x', '--target', 'Alpha/One,weight=0'), 2, 'has the weight 0'),
    (('--name', 'x', '--target', 'Alpha/One,weight=1001'), 2, 'has the weight 1001'),
    (('--name', 'x', '--target', 'Alpha/One,weight=two'), 2, 'is no target'),
    (('--name', 'x', '--target', ''), 2, 'it is empty'),
    (('--name', 'x', '--target', 'Alpha/One', '--pick', 'cheapest'), 2, 'no prices are known'),
    (('--name', 'x', '--target', 'Alpha/One', '--deadline', '5'), 2, 'is no time'),
    (('--name', 'x', '--target', 'Alpha/One', '--attempts', '99'), 2, '99 attempts'),
    (('--name', 'fast', '--target', 'Alpha/One'), 2, "'fast' is a slot that is in use"),
    (('--name', 'a/b', '--target', 'Alpha/One'), 2, "holds a '/'"),
    (('--name', 'taken', '--target', 'Alpha/One'), 5, "you have a route 'taken' already"),
    (('--name', 'all', '--target', 'Alpha/One'), 5, "a system route 'all' already"),
    (('--name', 'x', *('--target', 'Alpha/One') * 1001), 2, '1001 targets'),
    (('--name', 'x', *('--target', 'Alpha/One') * 1002), 2, 'more than 1001 times'),
])
def test_what_is_no_route_is_refused_with_the_reason(site, args, code, says):
    site.ok('sync')
    site.ok('route', 'add', '--system', '--name', 'all', '--target', 'Alpha/One')
    site.ok('-u', 'ann', 'route', 'add', '--name', 'taken', '--target', 'Alpha/One')
    site.ok('-u', 'ann', 'select', '--route', 'taken', '--slot', 'fast')
    message = site.fails(code, '-u', 'ann', 'route', 'add', *args)
    assert says in message, message
    assert set(listed(site, '-u', 'ann')) == {'taken', 'all'}


def test_the_operator_makes_routes_for_everybody_by_saying_so(site):
    site.ok('sync')
    assert '--system' in site.fails(4, 'route', 'add', '--name', 'x', '--target', 'Alpha/One')
    made = site.json('-u', 'ann', 'route', 'add', '--system', '--name', 'x', '--target',
                     'Alpha/Two')
    number = str(made['route_id'])
    assert made['is_sys'] and asked(site, 'x', 'ben') == 'Two'
    assert "the operator's" in site.fails(4, '-u', 'ann', 'route', 'update', number, '--name', 'y')
    assert site.json('-u', 'ann', 'route', 'update', number, '--name', 'y',
                     '--system')['name'] == 'y'
    assert asked(site, 'y', 'ben') == 'Two'
    site.ok('route', 'delete', number)
    assert listed(site) == {}


def test_a_slot_chooses_a_route(site):
    site.ok('sync')
    site.ok('-u', 'ann', 'route', 'add', '--name', 'mine', '--target', 'Gone/Model', '--target',
            'Alpha/Two')
    chosen = site.json('-u', 'ann', 'select', '--route', 'mine')
    assert (chosen['route'], chosen['model_display_name']) == ('mine', 'Two')
    assert 'mine' in site.ok('-u', 'ann', 'selection')
    assert site.json('-u', 'ben', 'selection')['route'] is None
    assert "no route 'mine'" in site.fails(3, '-u', 'ben', 'select', '--route', 'mine')
    for args in ((), ('--platform', '1'), ('--route', 'mine', '--model', '1')):
        assert 'give either' in site.fails(2, '-u', 'ann', 'select', *args)
    # Nothing of it there: it stays the choice, and says so.
    number = str(listed(site, '-u', 'ann')['mine']['route_id'])
    site.ok('-u', 'ann', 'route', 'update', number, '--target', 'Gone/Model')
    shown = site.json('-u', 'ann', 'selection')
    assert (shown['route'], shown['platform_id'], shown['api_key_set']) == ('mine', 0, False)
    assert 'no target of the route is there' in site.ok('-u', 'ann', 'selection')
    site.ok('-u', 'ann', 'route', 'delete', number)
    assert site.json('-u', 'ann', 'selection')['repaired'] is True


def callable_ids(api, caller):
    return {row['id']: row for row in api.raw('GET', '/v1/models', caller).json['data']}


def test_callers_make_them_and_are_served_by_them(api, mockllm):
    assert api.chat('mine').status == 404
    made = api.call('POST', '/api/routes', 'ann', {
        'name': 'mine', 'display_name': 'Mine', 'sticky': 'user',
        'targets': [{'model': 'Gone/Model', 'weight': 7},
                    {'model': 'House/Large', 'first_byte_timeout_ms': 5000}]})
    assert made.status == 201
    path = made.fields['location']
    assert api.good('GET', path, 'ann') == made.json
    assert api.chat('mine').status == 200
    assert json.loads(mockllm.last().body)['model'] == 'org/big:free'
    assert api.chat('mine', 'ben').status == 404
    row = callable_ids(api, 'ann')['mine']
    assert (row['name'], row['object']) == ('Mine', 'model')
    assert api.raw('GET', '/v1/models/mine', 'ann').json == row
    assert 'mine' not in callable_ids(api, 'ben')
    told = api.good('GET', '/api/explain?model=mine', 'ann')
    assert told['route'] == 'mine'
    assert [(row['target'], row['reason']) for row in told['candidates']] == \
        [('Gone/Model', 'missing'), ('House/Large', 'target')]
    assert api.good('PUT', '/api/selections/fast', 'ann', {'route': 'mine'})['route'] == 'mine'
    assert api.chat('fast').status == 200
    for body in ({}, {'route': 'mine', 'model_id': 1}, {'platform_id': 1}):
        assert api.call('PUT', '/api/selections/fast', 'ann', body).status == 400
    assert api.call('PUT', '/api/selections/fast', 'ben', {'route': 'mine'}).status == 404
    hidden = api.good('PATCH', path, 'ann', {'route_hide': True, 'pick': 'weight'})
    assert hidden['route_hide'] and hidden['pick'] == 'weight'
    assert 'mine' not in callable_ids(api, 'ann') and api.chat('mine').status == 200
    assert api.call('DELETE', path, 'ben').status == 404
    assert api.call('DELETE', path, 'ann').status == 204
    assert api.chat('mine').status == 404


@pytest.mark.parametrize('body, says', [
    ({'name': 'x'}, "'targets' is missing"),
    ({'name': 'x', 'targets': []}, 'has no targets'),
    ({'name': 'x', 'targets': ['House/Small']}, "entry 1 of 'targets' must be an object"),
    ({'name': 'x', 'targets': 'House/Small'}, "'targets' must be a list"),
    ({'name': 'x', 'targets': [{'weight': 1}]}, "entry 1 of 'targets': 'model' is missing"),
    ({'name': 'x', 'targets': [{'model': 'a/b', 'wait': 1}]}, "no member 'wait'"),
    ({'name': 'x', 'targets': [{'model': 'a/b', 'weight': -1}]}, 'a whole number, 0 or more'),
    ({'name': 'x', 'targets': [{'model': 'a/b', 'weight': 0}]}, 'has the weight 0'),
    ({'name': 'x', 'targets': [{'model': 'x'}]}, 'never another route'),
    ({'name': 'x', 'targets': [{'model': 'a/b'}], 'pick': 'cheapest'}, 'no prices are known'),
    ({'name': 'x', 'targets': [{'model': 'a/b'}], 'sticky': 'x'}, "'sticky' must be one of"),
    ({'name': 'x', 'targets': [{'model': 'a/b'}], 'attempts': 11}, '11 attempts'),
    ({'name': 'x', 'targets': [{'model': 'a/b'}], 'is_sys': True}, 'the operator'),
])
def test_a_wrong_body_is_refused_with_the_member(api, body, says):
    answer = api.call('POST', '/api/routes', 'ann', body)
    assert answer.status in (400, 403) and says in answer.json['detail'], answer.text
    many = {'name': 'x', 'targets': [{'model': f'a/{i}'} for i in range(1001)]}
    assert api.call('POST', '/api/routes', 'ann', many).status == 413
    assert api.all('/api/routes', 'ann') == []


def test_an_administrator_makes_them_for_everybody(api):
    made = api.good('POST', '/api/routes', 'admin',
                    {'name': 'all', 'targets': [{'model': 'House/Small'}], 'is_sys': True})
    path = f'/api/routes/{made["route_id"]}'
    assert made['is_sys'] and made['managed'] == 'database'
    assert api.chat('all').status == api.chat('all', 'ben').status == 200
    for method, body in (('PATCH', {'name': 'x'}), ('DELETE', None)):
        assert api.call(method, path, 'ann', body).status == 403
    assert api.good('PATCH', path, 'ann', {'route_hide': True})['route_hide'] is True
    assert 'all' not in callable_ids(api, 'ann') and 'all' in callable_ids(api, 'ben')
    api.good('PATCH', path, 'admin', {'targets': [{'model': 'House/Large'}]})
    assert api.good('GET', path, 'ben')['targets'][0]['model'] == 'House/Large'
    # Acting for a user, an administrator is that user; and the system user has none of its own.
    assert api.call('DELETE', path + '?user=ann', 'admin').status == 403
    alone = {'name': 'own', 'targets': [{'model': 'House/Small'}]}
    answer = api.call('POST', '/api/routes', 'admin', alone)
    assert answer.status == 403 and 'is_sys' in answer.json['detail']
    api.good('POST', '/api/routes?user=ben', 'admin', alone)
    assert [row['name'] for row in api.all('/api/routes', 'ben')] == ['own', 'all']
    assert api.call('DELETE', path, 'admin').status == 204
    assert api.chat('all').status == 404
