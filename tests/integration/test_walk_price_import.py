# SPDX-License-Identifier: MIT
"""llmgr price import: each form of a catalogue, what becomes of its prices, and what is left out.

The rows are written here by hand in the catalogues' documented forms; what each comes to follows
from the catalogue's own arithmetic, by hand.
"""
import json

import pytest

LITELLM = {
    'sample_spec': {'litellm_provider': 'one of …', 'input_cost_per_token': 0.0},
    'acme/mock': {
        'litellm_provider': 'acme', 'mode': 'chat', 'max_input_tokens': 1000000,
        'input_cost_per_token': 2.7e-07, 'output_cost_per_token': 1.1e-06,
        'cache_read_input_token_cost': 7e-08, 'cache_creation_input_token_cost': 3.375e-07,
        'cache_creation_input_token_cost_above_1hr': 5.4e-07,
        'output_cost_per_reasoning_token': 2.2e-06, 'input_cost_per_audio_token': 1e-06,
        'input_cost_per_token_above_200k_tokens': 5.4e-07,
        'output_cost_per_token_above_200k_tokens': 1.65e-06,
        'input_cost_per_token_batches': 1.35e-07, 'output_cost_per_token_batches': 5.5e-07,
        'input_cost_per_token_priority': 5.4e-07,
        'search_context_cost_per_query': {'search_context_size_low': 0.01,
                                          'search_context_size_medium': 0.01,
                                          'search_context_size_high': 0.01}},
    'mock-echo': {'litellm_provider': 'acme', 'input_cost_per_token': 1.0000000000000001e-07,
                  'output_cost_per_token': 0},
    'elsewhere/mock': {'litellm_provider': 'elsewhere', 'input_cost_per_token': 1},
}
ALPHA = ('--platform', 'Alpha=acme')


@pytest.fixture(name='taken')
def taken_fixture(site, tmp_path):
    """Imports a document; returns the report."""
    site.ok('sync')

    def take(document, *more):
        text = document if isinstance(document, str) else json.dumps(document)
        path = tmp_path / 'prices'
        path.write_text(text, encoding='utf-8')
        return site.json('price', 'import', path, *more)
    return take


def rates(report, **conditions):
    """The rates of the one price under these conditions."""
    wanted = {'above_tokens': 0, 'service_tier': None, 'hours': None, **conditions}
    found = [price['rates'] for price in report['prices']
             if all(price[name] == value for name, value in wanted.items())]
    assert len(found) == 1, report
    return found[0]


def test_litellm_rows_become_prices_by_its_own_arithmetic(site, taken):
    report = taken(LITELLM, *ALPHA)
    assert report['form'] == 'litellm' and not report['dry_run']
    assert (report['model_count'], report['taken_count'], report['new_count']) == (3, 2, 7)
    assert report['not_understood'] == []
    mock = {**report, 'prices': [row for row in report['prices'] if row['model'] == 'mock']}
    parts = {'audio_input': '1', 'reasoning': '2.2', 'tool_call': '0.01'}
    writes = {'cached_input': '0.07', 'cache_write': '0.3375', 'cache_write_1h': '0.54'}
    assert rates(mock) == {'input': '0.27', 'output': '1.1', **writes, **parts}
    assert rates(mock, above_tokens=200000) == {'input': '0.54', 'output': '1.65', **writes,
                                                **parts}
    assert rates(mock, service_tier='priority')['input'] == '0.54'
    assert rates(mock, service_tier='priority')['output'] == '1.1', 'as without a tier'
    batch = rates(mock, service_tier='batch')
    assert (batch['input'], batch['output']) == ('0.135', '0.55')
    assert not {'cache_write', 'reasoning'} & set(batch), 'as the batch\'s own'
    assert batch['cached_input'] == '0.07', 'as without a tier'
    assert 'reasoning' in rates(mock, service_tier='priority'), 'which has no output of its own'
    assert rates(mock, above_tokens=200000, service_tier='batch') == batch
    assert rates(mock, above_tokens=200000, service_tier='priority')['input'] == '0.54'
    echo = {'prices': [row for row in report['prices'] if row['model'] == 'mock-echo']}
    assert rates(echo) == {'input': '0.1', 'output': '0'}, 'as many digits as a double has'
    assert {row['source'] for row in site.json('price', 'list')} == {'litellm'}
    assert {row['platform_name'] for row in report['prices']} == {'Alpha'}


def test_ranges_and_off_peak_hours_of_litellm(taken):
    report = taken({'acme/mock': {
        'litellm_provider': 'acme', 'output_cost_per_token': 9e-06,
        'tiered_pricing': [
            {'range': [0, 256000.0], 'input_cost_per_token': 4e-07,
             'output_cost_per_token': 1.2e-06, 'cache_read_input_token_cost': 4e-08},
            {'range': [256000.0, 1000000.0], 'input_cost_per_token': 1.2e-06,
             'output_cost_per_token': 3.6e-06}]},
        'acme/mock-echo': {
            'litellm_provider': 'acme', 'input_cost_per_token': 3e-07,
            'output_cost_per_token': 1.2e-06, 'off_peak_pricing': {
                'input_cost_per_token': 1.5e-07, 'windows': [
                    {'hours_utc': ['10:00-00:00', '22:00-01:30'], 'weekdays': [1, 'tue']},
                    {'hours_utc': '00:00-00:00', 'weekdays': [6, 7]}]}},
        'acme/mock-reasoning': {
            'litellm_provider': 'acme', 'input_cost_per_token': 3e-07,
            'off_peak_pricing': {'input_cost_per_token': 1e-07, 'hours_utc': '16:30-00:30'}},
    }, *ALPHA)
    mock = {'prices': [row for row in report['prices'] if row['model'] == 'mock']}
    assert rates(mock) == {'input': '0.4', 'output': '1.2', 'cached_input': '0.04'}
    assert rates(mock, above_tokens=256000) == {'input': '1.2', 'output': '3.6'}, 'its own alone'
    echo = {'prices': [row for row in report['prices'] if row['model'] == 'mock-echo']}
    assert rates(echo) == {'input': '0.3', 'output': '1.2'}
    hours = {row['hours']: (row['rates']['input'], row['time_zone']) for row in echo['prices']
             if row['hours']}
    assert hours == {name: ('0.15', 'UTC') for name in (
        'mon,tue 10:00-00:00', 'mon,tue 22:00-00:00', 'mon,tue 00:00-01:30',
        'sat,sun 00:00-24:00')}, 'the weekday is that of the moment'
    reasoning = {'prices': [row for row in report['prices'] if row['model'] == 'mock-reasoning']}
    assert rates(reasoning, hours='16:30-00:30') == {'input': '0.1'}
    assert report['not_understood'] == []


def test_models_dev(taken):
    report = taken({'acme': {'name': 'Acme', 'models': {
        'mock': {'cost': {'input': 0.14, 'output': 0.28, 'reasoning': 0.4, 'cache_read': 0.028,
                          'cache_write': 0, 'input_audio': 1, 'output_audio': 2,
                          'tiers': [{'input': 5, 'output': 22.5, 'cache_read': 0.5,
                                     'tier': {'type': 'context', 'size': 272000}}],
                          'context_over_200k': {'input': 5, 'output': 22.5}}},
        'mock-echo': {'cost': {'input': 1, 'output': 2,
                               'context_over_200k': {'input': 3, 'output': 4}}},
        'mock-reasoning': {'name': 'no cost'}}}}, *ALPHA)
    assert report['form'] == 'models.dev' and report['taken_count'] == 3
    mock = {'prices': [row for row in report['prices'] if row['model'] == 'mock']}
    assert rates(mock) == {'input': '0.14', 'output': '0.28', 'reasoning': '0.4',
                           'cached_input': '0.028', 'cache_write': '0', 'audio_input': '1',
                           'audio_output': '2'}
    assert rates(mock, above_tokens=272000) == {'input': '5', 'output': '22.5',
                                                'cached_input': '0.5'}
    echo = {'prices': [row for row in report['prices'] if row['model'] == 'mock-echo']}
    assert rates(echo, above_tokens=200000) == {'input': '3', 'output': '4'}
    assert report['not_understood'] == [{'name': 'no cost', 'model': 'mock-reasoning', 'count': 1}]


def test_openrouter(taken):
    report = taken({'data': [
        {'id': 'mock', 'pricing': {
            'prompt': '0.00000027', 'completion': '0.0000011', 'request': '0.001', 'image': '0',
            'web_search': '0.01', 'internal_reasoning': '0', 'input_cache_read': '0.00000007',
            'input_cache_write': '0.0000003375', 'input_cache_write_1h': '0.00000054'}},
        {'id': 'mock-echo', 'pricing': {'prompt': '-1', 'completion': '-1', 'image': '0.002'}},
        {'pricing': {}}]}, '--platform', 'Alpha=openrouter')
    assert report['form'] == 'openrouter' and report['model_count'] == 2
    assert rates(report) == {'input': '0.27', 'output': '1.1', 'request': '0.001',
                             'tool_call': '0.01', 'cached_input': '0.07', 'cache_write': '0.3375',
                             'cache_write_1h': '0.54'}
    assert {row['name'] for row in report['not_understood']} == {
        'prompt', 'completion', 'image', 'a model without id or pricing'}


def conditions(report):
    """Input and output by threshold and hours."""
    return {(row['above_tokens'], row['hours']): (row['rates']['input'], row['rates']['output'])
            for row in report['prices']}


def test_overrides_of_openrouter(taken):
    base = {'prompt': '0.000001', 'completion': '0.000002'}
    report = taken({'data': [
        {'id': 'mock', 'pricing': {**base, 'overrides': [
            {'min_prompt_tokens': 200001, 'prompt': '0.000003', 'image': '1'},
            {'min_prompt_tokens': 100001, 'prompt': '0.000004', 'completion': '0.000005'},
            {'utc_start': 1630, 'utc_end': 30, 'completion': '0.000006'}]}},
        {'id': 'mock-echo', 'pricing': {**base, 'overrides': [
            {'utc_days': ['monday', 'sunday'], 'utc_start': 2200, 'utc_end': 200, 'prompt': '0'},
            {'utc_days': ['tuesday'], 'completion': '0'}]}},
        {'id': 'mock-reasoning', 'pricing': {**base, 'overrides': [
            {'prompt': '0.000009', 'moon': 'full'},
            {'utc_start': 100, 'utc_end': 300, 'prompt': '0.000007'},
            {'utc_start': 200, 'utc_end': 400, 'prompt': '0.000008'},
            {'utc_start': 2500, 'prompt': '0.000008'}, {'utc_days': [], 'prompt': '0.000008'},
            {'min_prompt_tokens': 'x', 'prompt': '0.000008'}, 5]}},
    ]}, '--platform', 'Alpha=openrouter')
    by_model = {name: conditions({'prices': [row for row in report['prices']
                                             if row['model'] == name]})
                for name in ('mock', 'mock-echo', 'mock-reasoning')}
    night = '16:30-00:30'
    assert by_model['mock'] == {
        (0, None): ('1', '2'), (0, night): ('1', '6'),
        (100000, None): ('4', '5'), (100000, night): ('4', '6'),
        (200000, None): ('4', '5'), (200000, night): ('4', '6')}, 'the later one has the say'
    assert by_model['mock-echo'] == {
        (0, None): ('1', '2'), (0, 'mon,sun 22:00-00:00'): ('0', '2'),
        (0, 'mon,sun 00:00-02:00'): ('0', '2'), (0, 'tue 00:00-24:00'): ('1', '0')}
    assert by_model['mock-reasoning'] == {(0, None): ('1', '2'), (0, '01:00-03:00'): ('7', '2')}
    assert {row['name']: row['count'] for row in report['not_understood']} == {
        'image': 1, 'overrides': 6}


@pytest.mark.parametrize('written, rate', [
    ('0.0000000208333333333333', '0.020833'), ('0.0000001300000002', '0.13'),
    ('1.0000000000000001e-07', '0.1'), ('0.9999999999999999', '1000000'),
    ('0.00000000012345', None), ('1e-30', None),
])
def test_what_was_computed_is_rounded_to_what_can_be_kept(taken, written, rate):
    report = taken({'data': [{'id': 'mock', 'pricing': {'prompt': written, 'completion': '0'}}]},
                   '--platform', 'Alpha=openrouter')
    assert report['prices'][0]['rates'].get('input') == rate
    assert [row['name'] for row in report['not_understood']] == ([] if rate else ['prompt'])
    exact = taken([{'model': 'm', 'rates': {'input': '0.1234567'}}])
    assert exact['prices'] == [], 'of our own form nothing is rounded'


def test_of_two_that_have_begun_the_later_one_is_in_force(taken):
    def row(begins, rate):
        return {'model': 'm', 'from_ms': begins, 'rates': {'input': rate}}
    for rows in ([row(1000, '1'), row(3000, '3'), row(2000, '2')],
                 [row(3000, '3'), row(1000, '1')]):
        report = taken(rows)
        assert [price['rates']['input'] for price in report['prices']] == ['3']
        assert report['not_understood'] == []


def test_what_is_listed_is_what_is_imported(site, taken, tmp_path):
    site.ok('sync')
    site.ok('price', 'set', '--platform', '1', '--model', 'mock-*', '--input', '0.27', '--output',
            '1.1', '--above', '200000', '--tier', 'flex', '--hours', 'mon-fri 16:30-00:30')
    site.ok('price', 'set', '--request', '0.000000000001', '--currency', 'CNY')
    listed = site.json('price', 'list')
    for row in listed:
        site.ok('price', 'delete', row['price_id'])
    report = taken(listed)
    assert report['form'] == 'llmgr' and report['new_count'] == 2
    assert report['not_understood'] == []
    moved = {'price_id', 'created_at_ms', 'source', 'from_ms'}
    again = site.json('price', 'list')
    assert [{name: value for name, value in row.items() if name not in moved} for row in again] == [
        {name: value for name, value in row.items() if name not in moved} for row in listed]
    assert taken(listed)['same_count'] == 2
    yaml = '# ours\n- {platform_name: Alpha, model: y, rates: {input: 1.10, output: "2"}}\n'
    assert taken(yaml)['prices'][0]['rates'] == {'input': '1.1', 'output': '2'}


def test_importing_again_changes_nothing_and_each_change_is_shown(site, taken):
    first = taken(LITELLM, *ALPHA)
    assert taken(LITELLM, *ALPHA)['same_count'] == first['new_count']
    before = site.json('price', 'list', '--all')
    changed = json.loads(json.dumps(LITELLM))
    changed['mock-echo'].update(input_cost_per_token=2e-07, output_cost_per_token=0)
    dry = taken(changed, *ALPHA, '--dry-run')
    assert dry['changed_count'] == 1 and dry['dry_run']
    assert site.json('price', 'list', '--all') == before, 'a dry run writes nothing'
    text = site.ok('price', 'import', site.folder / 'prices', *ALPHA)
    assert 'input 0.2 (0.1, rises)' in text and 'output 0' in text and 'falls' not in text
    assert '1 changed, 6 the same' in text
    back = taken(LITELLM, *ALPHA)
    assert [row['former_rates'] for row in back['prices'] if row['result'] == 'changed'] == [
        {'input': '0.2', 'output': '0'}]


def test_what_was_set_by_hand_stays_unless_told(site, taken):
    site.ok('sync')
    mine = site.json('price', 'set', '--platform', '1', '--model', 'mock-echo', '--input', '7')
    report = taken(LITELLM, *ALPHA)
    kept = [row for row in report['prices'] if row['result'] == 'kept']
    assert report['kept_count'] == 1 and kept[0]['price_id'] == mine['price_id']
    assert mine in site.json('price', 'list')
    assert 'input 0.1 (7, falls)' in site.ok('price', 'import', site.folder / 'prices', *ALPHA)
    assert taken(LITELLM, *ALPHA, '--replace')['changed_count'] == 1
    assert mine not in site.json('price', 'list')


def test_only_what_is_told_or_documented_is_a_provider(site, taken):
    assert taken(LITELLM)['taken_count'] == 0
    document = {'model-x': {'litellm_provider': 'deepseek', 'input_cost_per_token': 1e-06}}
    site.configure(platforms='''
  House:
    base_url: https://api.deepseek.com/v1
    models: {X: model-x}
''')
    site.ok('sync')
    report = taken(document)
    assert [row['platform_name'] for row in report['prices']] == ['House']
    assert taken(document, '--platform', 'House=openai')['taken_count'] == 0
    strange = taken(document, '--platform', 'House=deepsek')['not_understood']
    assert [row['name'] for row in strange] == ['no provider deepsek']
    more = {**document, 'deepseek/model-y': {'litellm_provider': 'deepseek',
                                             'input_cost_per_token': 2e-06}}
    assert taken(more)['taken_count'] == 1
    assert [row['model'] for row in taken(more, '--all')['prices']] == ['model-x', 'model-y']


@pytest.mark.parametrize('members, names', [
    ({'input_cost_per_token': 'x', 'output_cost_per_token': 1e-06}, ['input_cost_per_token']),
    ({'input_cost_per_token': -1e-06}, ['input_cost_per_token']),
    ({'input_cost_per_token': 1e-30}, ['input_cost_per_token']),
    ({'input_cost_per_token': 1e30}, ['input_cost_per_token']),
    ({'input_cost_per_token': [1]}, ['input_cost_per_token']),
    ({'input_cost_per_token': True}, ['input_cost_per_token']),
    ({'ocr_cost_per_page': 0.01, 'output_cost_per_pixel': 0.0}, ['ocr_cost_per_page']),
    ({'input_cost_per_token_above_x_tokens': 1}, ['input_cost_per_token_above_x_tokens']),
    ({'input_cost_per_token_ludicrous': 1}, ['input_cost_per_token_ludicrous']),
    ({'tiered_pricing': {'range': 1}}, ['tiered_pricing']),
    ({'tiered_pricing': [7, {'range': 'x'}, {'range': []}]}, ['tiered_pricing']),
    ({'off_peak_pricing': 5}, ['off_peak_pricing']),
    ({'off_peak_pricing': {'weekday_timezone': 'Mars'}}, ['off_peak_pricing']),
    ({'off_peak_pricing': {'windows': [{'weekdays': [9], 'hours_utc': '1-2'}]}},
     ['off_peak_pricing']),
    ({'search_context_cost_per_query': {'low': 1, 'high': 2}}, ['search_context_cost_per_query']),
    ({f'input_cost_per_token_above_{n}k_tokens': 1 for n in range(1, 12)},
     ['input_cost_per_token_above_10k_tokens', 'input_cost_per_token_above_11k_tokens']),
])
def test_what_is_not_understood_is_named_and_counted(taken, members, names):
    report = taken({'mock': {'litellm_provider': 'acme', **members},
                    'mock-echo': {'litellm_provider': 'acme', 'input_cost_per_token': 1e-06}},
                   *ALPHA)
    assert [row['name'] for row in report['not_understood']] == names, report
    assert any(row['model'] == 'mock-echo' for row in report['prices']), 'the others count'


@pytest.mark.parametrize('row, name', [
    ({'model': 'a*b*', 'rates': {'input': '1'}}, 'invalid model'),
    ({'currency': 'usd', 'rates': {'input': '1'}}, 'invalid currency'),
    ({'rates': {}}, 'a price without rates'),
    ({'rates': {'input': 'NaN'}}, 'input'),
    ({'rates': {'inputs': '1'}}, 'inputs'),
    ({'rates': 5}, 'rates'),
    ({'rates': {'input': '1'}, 'above_tokens': -1}, 'above_tokens'),
    ({'rates': {'input': '1'}, 'hours': 'noon'}, "'noon'"),
    ({'rates': {'input': '1'}, 'hours': '1:00-2:00', 'time_zone': 'Mars/Olympus'}, ''),
    ({'rates': {'input': '1'}, 'surprise': 1}, 'surprise'),
])
def test_a_price_of_our_own_form_is_taken_whole_or_not_at_all(taken, row, name):
    report = taken([row, {'rates': {'output': '1'}}])
    assert len(report['prices']) == 1, report
    assert name in report['not_understood'][0]['name'], report


def test_two_prices_for_the_same_are_one_or_the_first(taken):
    one = {'model': 'm', 'rates': {'input': '1'}}
    report = taken([one, one, {'model': 'm', 'rates': {'input': '2'}}])
    assert [row['rates'] for row in report['prices']] == [{'input': '1'}]
    assert report['not_understood'] == [
        {'name': 'a second price for the same', 'model': 'm', 'count': 1}]


@pytest.mark.parametrize('text, code, says', [
    ('', 2, 'empty'),
    ('{"a": 1}', 2, 'known form'),
    ('hello', 2, 'known form'),
    ('[1, 2]', 2, 'known form'),
    ('{"a": {"litellm_provider": "acme"}', 2, 'no JSON'),
    ('{"a": {"litellm_provider": "acme"}} x', 2, 'no JSON'),
    ('{"a": ' + '[' * 70 + ']' * 70 + '}', 2, 'nested too deeply'),
    ('a: [', 2, 'prices:2:1'),
])
def test_what_is_no_catalogue_is_an_error(site, tmp_path, text, code, says):
    site.ok('sync')
    path = tmp_path / 'prices'
    path.write_text(text, encoding='utf-8')
    assert says in site.fails(code, 'price', 'import', path)


def test_four_thousand_models_with_faults_are_imported_in_bounds(site, taken):
    document = {f'acme/m{n}': {'litellm_provider': 'acme', 'input_cost_per_token': 1e-06,
                               f'cost_{n}': 1, 'tiered_pricing': n, 'mode': ['x'] * 9}
                for n in range(4000)}
    report = taken(document, *ALPHA, '--all')
    assert report['new_count'] == 4000 and len(report['not_understood']) == 100
    counted = sum(row['count'] for row in report['not_understood'])
    assert counted + report['not_understood_others'] == 8000
    assert taken(document, *ALPHA, '--all')['same_count'] == 4000


def test_faults_of_the_command_line(site, tmp_path):
    site.ok('sync')
    path = tmp_path / 'prices'
    path.write_text('[]', encoding='utf-8')
    assert 'Nothing changes' in site.ok('price', 'import', path)
    assert 'nowhere' in site.fails(3, 'price', 'import', path, '--platform', 'nowhere=acme')
    assert 'PLATFORM=PROVIDER' in site.fails(2, 'price', 'import', path, '--platform', 'Alpha')
    site.fails(3, 'price', 'import', tmp_path / 'absent')
    assert site.run('price', 'import', '-', stdin='[]').code == 0
    assert 'given twice' in site.fails(2, 'price', 'list', '--platform', '1', '--platform', '2')
