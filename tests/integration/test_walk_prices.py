# SPDX-License-Identifier: MIT
"""What attempts cost, from the command line: exact decimals, conditions, and prices that follow one
another without changing what was."""
import json

import pytest


def prices(site, *args):
    return site.json('price', 'list', *args)


def test_a_price_is_set_shown_followed_and_ended(site):
    site.ok('sync')
    assert 'There are no prices' in site.ok('price', 'list')
    made = site.json('price', 'set', '--platform', '1', '--model', 'deepseek-chat',
                     '--input', '0.27', '--cached-input', '0.07', '--output', '1.10')
    assert made == {
        'price_id': made['price_id'], 'platform_id': 1, 'platform_name': 'Alpha',
        'model': 'deepseek-chat', 'currency': 'USD', 'from_ms': made['from_ms'], 'until_ms': None,
        'above_tokens': 0, 'service_tier': None, 'hours': None, 'time_zone': None,
        'source': 'hand', 'created_at_ms': made['created_at_ms'],
        'rates': {'input': '0.27', 'cached_input': '0.07', 'output': '1.1'}}
    assert prices(site) == [made]
    table = site.ok('price', 'list')
    assert 'input 0.27, cached_input 0.07, output 1.1' in table and 'Alpha' in table, table

    same = site.json('price', 'set', '--platform', '1', '--model', 'deepseek-chat', '--input',
                     '2.7e-1', '--cached-input', '.07', '--output', '1.1000')
    assert same == made, 'the same price again is no other'
    next_one = site.json('price', 'set', '--platform', '1', '--model', 'deepseek-chat',
                         '--input', '0.3', '--output', '1.2')
    assert next_one['price_id'] != made['price_id']
    assert prices(site) == [next_one]
    ended, now = prices(site, '--all')
    assert now == next_one and ended['until_ms'] == next_one['from_ms']
    assert {**ended, 'until_ms': None} == made, 'nothing else of it has changed'

    assert site.json('price', 'delete', next_one['price_id']) == {
        'price_id': next_one['price_id'], 'deleted': True}
    assert prices(site) == [] and len(prices(site, '--all')) == 2
    assert 'price' in site.fails(3, 'price', 'delete', next_one['price_id'])


def test_each_unit_has_its_flag_and_is_exact(site):
    site.ok('sync')
    units = {'input': '0.000001', 'cached_input': '0', 'cache_write': '3.75',
             'cache_write_1h': '6', 'audio_input': '100', 'image_input': '0.123456',
             'output': '999999999999.999999', 'reasoning': '1', 'audio_output': '200',
             'request': '0.000000000001', 'tool_call': '0.01', 'image': '0.04',
             'second': '1000000'}
    flags = [word for unit, rate in units.items()
             for word in ('--' + unit.replace('_', '-'), rate)]
    made = site.json('price', 'set', '--currency', 'CNY', *flags)
    assert made['rates'] == units and made['currency'] == 'CNY'
    assert made['platform_id'] is None and made['model'] == '*'
    assert prices(site)[0]['rates'] == units
    assert 'any' in site.ok('price', 'list')


def test_prices_that_differ_in_a_condition_stand_side_by_side(site):
    site.ok('sync')
    conditions = [[], ['--above', '200000'], ['--tier', 'batch'],
                  ['--hours', 'mon-fri 16:30-00:30', '--zone', 'UTC'], ['--platform', '1']]
    for condition in conditions:
        site.ok('price', 'set', '--model', 'gpt-*', '--input', '1', *condition)
    rows = prices(site, '--model', 'gpt-*')
    assert len(rows) == 5 and prices(site, '--model', 'gpt-5') == []
    assert [row['above_tokens'] for row in rows] == [0, 200000, 0, 0, 0]
    assert (rows[3]['hours'], rows[3]['time_zone']) == ('mon-fri 16:30-00:30', 'UTC')
    assert [row['price_id'] for row in prices(site, '--platform', '1')] == [rows[4]['price_id']]
    table = site.ok('price', 'list')
    for text in ('over 200000 tokens', 'batch', 'mon-fri 16:30-00:30 UTC'):
        assert text in table


def test_a_price_may_begin_and_end_later(site):
    site.ok('sync')
    bounded = site.json('price', 'set', '--model', 'm', '--input', '1', '--until', '2099-01-01')
    lifted = site.json('price', 'set', '--model', 'm', '--input', '1')
    assert lifted['price_id'] != bounded['price_id'] and lifted['until_ms'] is None
    assert site.json('price', 'set', '--model', 'm', '--input', '1') == lifted
    site.ok('price', 'delete', lifted['price_id'])
    later = site.json('price', 'set', '--input', '2', '--from', '2099-01-01', '--until',
                      '2099-02-01T00:00:00Z')
    assert (later['from_ms'], later['until_ms']) == (4070908800000, 4073587200000)
    assert prices(site) == [later], 'one that is to come is shown'
    now = site.json('price', 'set', '--input', '1')
    assert now['until_ms'] == later['from_ms'], 'it ends where the later one begins'
    assert 'another one' in site.fails(5, 'price', 'set', '--input', '3', '--until', '2099-01-15')


@pytest.mark.parametrize('args, says', [
    (['--input', '-0.27'], '--input: \'-0.27\' is negative'),
    (['--input', 'NaN'], '--input: \'NaN\' is no decimal'),
    (['--input', 'inf'], '--input: \'inf\' is no decimal'),
    (['--input', '0x1p3'], '--input: \'0x1p3\' is no decimal'),
    (['--input', ''], '--input: \'\' is no decimal'),
    (['--input', '1,5'], '--input: \'1,5\' is no decimal'),
    (['--output', '0.00000000000000000001'], '--output: '),
    (['--output', '0.00000000000000000001'], 'too many decimals'),
    (['--output', '1e300'], 'too large'),
    (['--request', '1000001'], '--request: \'1000001\' is too large'),
    (['--input', '1', '--currency', 'usd'], 'currency'),
    (['--input', '1', '--currency', 'DOLLAR'], 'currency'),
    (['--input', '1', '--above', '-1'], '--above'),
    (['--input', '1', '--above', '1e5'], '--above'),
    (['--input', '1', '--hours', '25:00-26:00'], 'hours'),
    (['--input', '1', '--hours', 'noon'], 'hours'),
    (['--input', '1', '--hours', '01:00-02:00', '--zone', '../../etc/passwd'], 'zone'),
    (['--input', '1', '--zone', 'UTC'], 'hours'),
    (['--input', '1', '--from', 'tomorrow'], '--from'),
    (['--input', '1', '--until', '2001-01-01'], 'until'),
    (['--input', '1', '--from', '2099-02-01', '--until', '2099-01-01'], 'until'),
    (['--input', '1', '--model', 'a*b*'], 'model'),
    (['--input', '1', '--model', 'm' * 121], 'model'),
    (['--input', '1', '--tier', 't' * 33], 'tier'),
    (['--input', '1', '--platform', 'Alpha'], '--platform'),
    ([], 'rate'),
])
def test_what_is_no_price_is_refused_by_the_name_of_what_is_wrong(site, args, says):
    site.ok('sync')
    message = site.fails(2, 'price', 'set', *args)
    assert says in message, message
    assert prices(site, '--all') == []


def test_what_is_not_there_is_said_so(site):
    site.ok('sync')
    assert '987' in site.fails(3, 'price', 'set', '--platform', '987', '--input', '1')
    assert 'Mars/Olympus' in site.fails(3, 'price', 'set', '--input', '1', '--hours',
                                        '01:00-02:00', '--zone', 'Mars/Olympus')
    site.fails(3, 'price', 'delete', '987')


def test_users_see_prices_and_change_none(site):
    site.ok('sync')
    made = site.json('price', 'set', '--input', '1')
    assert site.json('-u', 'ann', 'price', 'list') == [made]
    site.fails(4, '-u', 'ann', 'price', 'set', '--input', '0')
    site.fails(4, '-u', 'ann', 'price', 'delete', made['price_id'])
    assert prices(site) == [made]


def test_more_prices_than_a_page_are_all_there(site):
    site.ok('sync')
    database = site.json('price', 'set', '--model', 'one', '--input', '1')
    for number in range(5):
        site.ok('price', 'set', '--model', f'm{number}', '--input', str(number))
    rows = json.loads(site.ok('--json', 'price', 'list'))
    assert [row['model'] for row in rows] == ['one', 'm0', 'm1', 'm2', 'm3', 'm4']
    assert rows[0] == database


def test_explain_names_the_price_that_would_decide(site):
    site.ok('sync')

    def decides(model='One'):
        told, = [row for row in site.json('-u', 'ann', 'explain', '--model', model)['candidates']
                 if row['chosen']]
        return told['price']

    assert decides() is None
    every = site.json('price', 'set', '--input', '1')
    site.ok('price', 'set', '--input', '2', '--tier', 'batch')
    site.ok('price', 'set', '--input', '3', '--above', '200000')
    site.ok('price', 'set', '--input', '4', '--from', '2099-01-01')
    every = site.json('price', 'list', '--all')[0]
    assert decides() == every and decides('Two') == every
    own = site.json('price', 'set', '--platform', '1', '--model', 'mock', '--input', '5')
    assert decides() == own and decides('Two') == every
    assert f'price {own["price_id"]}' in site.ok('explain', '--model', 'One')


# ---- llmgr.yaml ----------------------------------------------------------------------------------

def configure(site, price, more='', name='Alpha'):
    """llmgr.yaml with one platform, whose model Chat has this price (YAML in one line, or None)."""
    chat = f'{{model_name: mock, price: {price}}}' if price else 'mock'
    site.configure(platforms=f'''
  {name}:
    base_url: {site.base_url}
    api_key: "{{ALPHA_KEY}}"
    models:
      Chat: {chat}
      Other: mock-echo
{more}''')


def changes(site, *args):
    return [(row['action'], row['display_name']) for row in site.json('sync', *args)['changes']
            if row['detail'] == 'price']


TIERS = ('{input: 0.27, cached_input: .07, output: 1.10, currency: CNY, tiers: ['
         '{above: 200000, input: 0.54}, {service_tier: batch, output: 0.55}, '
         '{hours: "16:30-00:30", time_zone: UTC, input: 1.35e-1}]}')


def test_a_model_of_the_file_has_its_price(site):
    configure(site, TIERS)
    assert changes(site, '--dry-run') == changes(site, '--dry-run') == [('add', 'Chat')]
    assert changes(site) == [('add', 'Chat')]
    rows = prices(site)
    assert {(row['source'], row['model'], row['currency'], row['platform_name'])
            for row in rows} == {('file', 'mock', 'CNY', 'Alpha')}
    rates = {'input': '0.27', 'cached_input': '0.07', 'output': '1.1'}
    assert [(row['above_tokens'], row['service_tier'], row['hours'], row['rates'])
            for row in rows] == [
        (0, None, None, rates), (200000, None, None, {**rates, 'input': '0.54'}),
        (0, 'batch', None, {**rates, 'output': '0.55'}),
        (0, None, '16:30-00:30', {**rates, 'input': '0.135'})]
    assert site.json('sync')['changes'] == [] and prices(site, '--all') == rows


def test_the_files_prices_are_changed_there_alone_and_follow_it(site):
    configure(site, TIERS)
    site.ok('sync')
    rows = prices(site)
    for row in rows:
        assert 'llmgr.yaml' in site.fails(4, 'price', 'delete', row['price_id'])
    assert 'llmgr.yaml' in site.fails(4, 'price', 'set', '--platform', '1', '--model', 'mock',
                                      '--input', '9')
    assert prices(site, '--all') == rows
    configure(site, '{input: 0.3, cached_input: .07, output: 1.10, currency: CNY}')
    assert '~ Alpha / Chat (price)' in site.ok('sync', '--dry-run') and prices(site) == rows
    assert changes(site) == [('remove', 'Chat'), ('update', 'Chat')]
    now, = prices(site)
    assert now['rates']['input'] == '0.3' and len(prices(site, '--all')) == 5
    assert all(row['until_ms'] for row in prices(site, '--all') if row != now)
    configure(site, None)
    assert '- Alpha / Chat (price)' in site.ok('sync')
    assert prices(site) == [] and len(prices(site, '--all')) == 5
    assert site.json('sync')['changes'] == []


def test_prices_set_without_the_file_stay(site):
    configure(site, '{input: 1}')
    site.ok('sync')
    own = site.json('price', 'set', '--platform', '1', '--model', 'mock-*', '--input', '2')
    configure(site, None)
    assert changes(site) == [('remove', 'Chat')]
    assert prices(site) == [own]
    clash = site.json('price', 'set', '--platform', '1', '--model', 'mock', '--input', '2')
    configure(site, '{input: 3}', more='      New: mock-reasoning\n')
    message = site.fails(2, 'sync')
    assert f'llmgr price delete {clash["price_id"]}' in message and 'llmgr.yaml:' in message
    assert 'New' not in site.models(), 'a mistake in the file changes nothing'
    site.ok('price', 'delete', clash['price_id'])
    assert changes(site) == [('add', 'Chat')] and 'New' in site.models()


def test_a_platform_that_is_renamed_or_goes_takes_its_prices_along(site):
    configure(site, '{input: 1}')
    site.ok('sync')
    before = prices(site)
    configure(site, '{input: 1}', name='Omega')
    assert changes(site) == []
    after, = prices(site)
    assert [{**after, 'platform_name': 'Alpha'}] == before and after['platform_name'] == 'Omega'
    site.configure()
    site.ok('sync')
    assert [row for row in prices(site) if row['source'] == 'file'] == []


def test_a_dry_run_of_a_renamed_platform_tells_what_changes_of_its_prices(site):
    configure(site, '{input: 1}')
    site.ok('sync')
    before = prices(site, '--all')
    for price, told in (('{input: 1}', []), ('{input: 2}', [('update', 'Chat')]),
                        (None, [('remove', 'Chat')])):
        configure(site, price, name='Omega')
        assert changes(site, '--dry-run') == told
        assert prices(site, '--all') == before, 'and the platform has its name'
    configure(site, '{input: 2}', name='Omega')
    assert changes(site) == [('update', 'Chat')]
    assert [row['platform_name'] for row in prices(site)] == ['Omega']


def test_a_clash_behind_a_new_name_changes_nothing(site):
    configure(site, None)
    site.ok('sync')
    hand = site.json('price', 'set', '--platform', '1', '--model', 'mock', '--input', '2')
    for args in (['--dry-run'], []):
        configure(site, '{input: 3}', more='      New: mock-reasoning\n', name='Omega')
        message = site.fails(2, 'sync', *args)
        assert f'llmgr price delete {hand["price_id"]}' in message and 'llmgr.yaml:' in message
        configure(site, None)
        assert site.json('sync', '--dry-run')['changes'] == [], 'the platform is as it was'
    assert prices(site, '--all') == [hand] and 'New' not in site.models()


def test_platforms_and_prices_come_together_or_not_at_all(site):
    configure(site, None)
    site.ok('sync')
    limit = 'CHECK (model <> \'mock-reasoning\')'
    site.sql(f'ALTER TABLE llm_prices ADD CONSTRAINT planted {limit}' if site.kind != 'sqlite' else
             'CREATE TRIGGER planted BEFORE INSERT ON llm_prices'
             ' WHEN NEW.model = \'mock-reasoning\' BEGIN SELECT RAISE(ABORT, \'planted\'); END')
    more = '      New: {model_name: mock-reasoning, price: {input: 1}}\n'
    configure(site, '{input: 3}', more=more, name='Omega')
    assert site.run('sync').code != 0
    assert prices(site, '--all') == [] and 'New' not in site.models()
    assert site.json('platform', 'list')[0]['platform_name'] == 'Alpha'
    site.sql('ALTER TABLE llm_prices DROP CONSTRAINT planted' if site.kind != 'sqlite' else
             'DROP TRIGGER planted')
    assert changes(site) == [('add', 'Chat'), ('add', 'New')]
    assert site.json('sync')['changes'] == [] and 'New' in site.models()


def test_what_stands_between_two_later_prices_is_looked_at_anew(site):
    """The file's price ends where one set by hand begins; when that goes, it goes on."""
    configure(site, None)
    site.ok('sync')
    later = site.json('price', 'set', '--platform', '1', '--model', 'mock', '--input', '9',
                      '--from', '2099-01-01')
    configure(site, '{input: 1}')
    assert changes(site) == [('add', 'Chat')] and changes(site) == []
    mine, = [row for row in prices(site) if row['source'] == 'file']
    assert mine['until_ms'] == later['from_ms']
    site.ok('price', 'delete', later['price_id'])
    assert changes(site) == [('update', 'Chat')] and changes(site) == []
    assert [row['until_ms'] for row in prices(site)] == [None]


@pytest.mark.parametrize('price, says', [
    ('0.27', "'price' must be a mapping"),
    ('[0.27]', "'price' must be a mapping"),
    ('{}', 'without rates'),
    ('{currency: USD}', 'without rates'),
    ('{inputs: 1}', "'inputs' is no member of a price"),
    ('{input: [1]}', "'input' must be a text"),
    ('{input: null}', "'input' must be a text"),
    ('{input: -1}', "'input': '-1' is negative"),
    ('{input: .nan}', "'input': '.nan' is no decimal"),
    ('{output: 1e-30}', "'output': '1e-30' has too many decimals"),
    ('{output: 1e30}', "'output': '1e30' is too large"),
    ('{input: "{RATE}"}', "'input'"),
    ('{input: 1, currency: usd}', 'currency'),
    ('{input: 1, tiers: {above: 1}}', "'tiers' must be a list"),
    ('{input: 1, tiers: [7]}', "'tiers' must be a list of mappings"),
    ('{input: 1, tiers: [{input: 2}]}', 'neither above'),
    ('{input: 1, tiers: [{above: 0, input: 2}]}', "'above' must be a number"),
    ('{input: 1, tiers: [{above: -5, input: 2}]}', "'above' must be a number"),
    ('{input: 1, tiers: [{tier: batch}]}', "'tier' is no member of a tier"),
    ('{input: 1, tiers: [{above: 5}, {above: 5, input: 2}]}', 'same conditions'),
    ('{input: 1, tiers: [{hours: "01:00-02:00"}, '
     '{hours: "01:00-02:00", time_zone: UTC, input: 2}]}', 'same conditions'),
    ('{input: 1, tiers: [{hours: noon}]}', 'no hours'),
    ('{input: 1, tiers: [{hours: "01:00-02:00", time_zone: Mars/Olympus}]}', 'Mars/Olympus'),
])
def test_a_wrong_price_of_the_file_is_named_with_its_place(site, price, says):
    configure(site, price)
    message = site.fails(2, 'sync')
    assert says in message and 'llmgr.yaml:' in message, message
    configure(site, None)
    site.ok('sync')
    configure(site, price, more='      New: mock-reasoning\n')
    assert says in site.fails(2, 'sync'), 'with the platform there it is the same'
    configure(site, None)
    assert 'New' not in site.models() and prices(site, '--all') == []
