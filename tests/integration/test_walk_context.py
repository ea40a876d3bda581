# SPDX-License-Identifier: MIT
"""How much models take and give: from llmgr.yaml, the command line, a probe, and for callers."""
import http.server
import json
import threading

import pytest

from gateway_api import Api

PLATFORMS = '''
  Talkers:
    base_url: {url}
    api_key: "{{ALPHA_KEY}}"
    models:
      Big: {{model_name: mock-big, context: 200000, max_output: 64000}}
      Small: {{model_name: mock-small, kind: chat, context: 8192}}
      Plain: mock-plain
'''


def configure(site, text=PLATFORMS):
    site.configure(platforms=text.format(url=site.base_url))


def tokens(site, user='ann'):
    return {name: (row['context_tokens'], row['max_output_tokens'])
            for name, row in site.models(user).items()}


def test_the_file_says_how_much_a_model_takes_and_gives(site):
    configure(site)
    site.ok('sync')
    wanted = {'Big': (200000, 64000), 'Small': (8192, None), 'Plain': (None, None)}
    assert tokens(site) == wanted
    table = site.ok('model', 'list').splitlines()
    assert table[0].split()[-4:] == ['CONTEXT', 'MAX', 'OUTPUT', 'KEY']
    assert [row.split()[-3:] for row in table[1:]] == [
        ['200000', '64000', 'yes'], ['8192', '-', 'yes'], ['-', '-', 'yes']]
    configure(site, PLATFORMS.replace('context: 200000, ', '').replace('8192', '16384'))
    assert 'run `llmgr sync`' in site.run('model', 'list').err
    text = site.ok('sync', '--dry-run')
    assert '~ Talkers / Big (context)' in text and '~ Talkers / Small (context)' in text, text
    assert tokens(site) == wanted
    site.ok('sync')
    assert tokens(site) == {'Big': (None, 64000), 'Small': (16384, None), 'Plain': (None, None)}
    configure(site, PLATFORMS.replace('context: 200000, max_output: 64000', 'max_output: 1')
              .replace('8192', '16384'))
    assert '~ Talkers / Big (max_output)' in site.ok('sync')
    assert tokens(site)['Big'] == (None, 1)
    assert site.json('sync')['changes'] == []


@pytest.mark.parametrize('wrong', ['0', '-1', '1000000001', '99999999999999999999', '200k', '1.5',
                                   '[200000]', '{a: 1}', '"{CONTEXT}"'])
@pytest.mark.parametrize('member', ['context', 'max_output'])
def test_a_wrong_number_is_named_with_its_place(site, member, wrong):
    site.configure(platforms=PLATFORMS.format(url=site.base_url)
                   .replace('kind: chat', f'{member}: {wrong}').replace(', context: 8192', ''))
    message = site.fails(2, 'sync')
    assert 'llmgr.yaml:' in message and f"'{member}' must be a whole number of tokens" in message


def test_a_table_has_columns_for_what_is_known(site):
    configure(site, PLATFORMS.replace('context: 200000, ', '').replace(', context: 8192', ''))
    site.ok('sync')
    heading = site.ok('model', 'list').splitlines()[0]
    assert 'MAX OUTPUT' in heading and 'CONTEXT' not in heading
    configure(site, PLATFORMS.replace(', context: 200000, max_output: 64000', '')
              .replace(', context: 8192', ''))
    site.ok('sync')
    assert 'OUTPUT' not in site.ok('model', 'list')


def test_users_say_it_of_their_own_models(site):
    site.allow_private()
    platform = site.add_platform('ann', 'Mine')
    model = site.add_model('ann', platform, 'm-1', '--context', '128000', '--max-output', '4096')
    assert tokens(site)['m-1'] == (128000, 4096)

    def update(*words):
        row = site.json('-u', 'ann', 'model', 'update', model, *words)
        return row['context_tokens'], row['max_output_tokens']

    assert update('--display', 'M') == (128000, 4096)
    assert update('--context', '0') == (None, 4096)
    assert update('--max-output', '1000000000', '--context', '1') == (1, 1000000000)
    for wrong in ('-1', '1000000001', '128k', '', '1e5', '184467440737095516170'):
        for flag in ('--context', '--max-output'):
            for words in (['update', model], ['add', '--platform', platform, '--name', 'm-2']):
                message = site.fails(2, '-u', 'ann', 'model', *words, f'{flag}={wrong}')
                assert f'{flag} is a number of tokens' in message, message
    assert tokens(site)['M'] == (1, 1000000000)
    one = site.models('ann')['One']['model_id']
    site.fails(4, '-u', 'ann', 'model', 'update', one, '--context', '1')


def test_explain_shows_it(site):
    configure(site)
    site.ok('sync')
    row = site.json('-u', 'ann', 'explain', '--model', 'Big')['candidates'][0]
    assert (row['context_tokens'], row['max_output_tokens']) == (200000, 64000)
    row = site.json('-u', 'ann', 'explain', '--model', 'Plain')['candidates'][0]
    assert (row['context_tokens'], row['max_output_tokens']) == (None, None)
    text = site.ok('-u', 'ann', 'explain', '--model', 'Big')
    assert '; context 200000; output at most 64000' in text, text
    small, = (line for line in text.splitlines() if 'Small' in line)
    assert small.endswith('; context 8192')
    assert [line for line in text.splitlines() if 'Plain' in line and 'context' in line] == []


LISTED = [{'id': 'open', 'context_length': 131072,
           'top_provider': {'max_completion_tokens': 16384}},
          {'id': 'vllm', 'max_model_len': 32768},
          {'id': 'odd', 'context_length': None, 'max_tokens': -5},
          {'id': 'chatty', 'type': 'chat', 'context_window': '8192'}]


class Lists(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({'object': 'list', 'data': LISTED}).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(name='lister')
def lister_fixture():
    """The address of a platform whose list says how much its models take."""
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Lists) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f'http://127.0.0.1:{server.server_address[1]}/v1'
        finally:
            server.shutdown()


def test_a_probe_finds_it(site, lister):
    rows = site.json('probe', '--base-url', lister)
    assert [(row['id'], row['context_tokens'], row['max_output_tokens']) for row in rows] == [
        ('open', 131072, 16384), ('vllm', 32768, None), ('odd', None, None),
        ('chatty', 8192, None)]
    assert site.ok('probe', '--base-url', lister).splitlines() == [
        'open\t-\t131072\t16384', 'vllm\t-\t32768', 'odd', 'chatty\tchat\t8192']


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm):
    server = Api(llmgr, mockllm)
    server.token('admin', '--kind', 'admin')
    server.token('ann', '-u', 'ann')
    yield server
    server.stop()


CONTEXT_NAMES = {'context_length', 'context_window', 'max_model_len'}
OUTPUT_NAMES = {'max_output_tokens', 'max_completion_tokens'}


def shown(row, names):
    """The one number that a row of /v1/models has under these names; None: it has none of them."""
    numbers = {row.get(name) for name in names}
    assert len(numbers) == 1, row
    return numbers.pop()


def test_what_a_probe_found_is_kept_and_callers_read_it(api, lister):
    platform = api.good('POST', '/api/platforms', 'ann', {
        'platform_name': 'Mine', 'base_url': lister, 'api_key': 'sk-ann-0123456789'})
    path = f'/api/platforms/{platform["platform_id"]}'
    members = ('context_tokens', 'max_output_tokens')
    for row in api.good('POST', path + '/probe', 'ann')['data']:
        made = api.call('POST', path + '/models', 'ann',
                        {'model_name': row['id'], **{name: row[name] for name in members}})
        assert made.status == 201 and [made.json[name] for name in members] == \
            [row[name] for name in members]
    rows = {row['id']: row for row in api.raw('GET', '/v1/models', 'ann').json['data']}
    assert {name: (shown(row, CONTEXT_NAMES), shown(row, OUTPUT_NAMES))
            for name, row in rows.items() if name in {'open', 'vllm', 'odd'}} == {
        'open': (131072, 16384), 'vllm': (32768, None), 'odd': (None, None)}
    assert not (CONTEXT_NAMES | OUTPUT_NAMES) & set(rows['odd'])
    assert api.raw('GET', '/v1/models/open', 'ann').json == rows['open']
    # Anthropic's names of the same; its row of what is not known has neither.
    rows = {row['id']: row for row in
            api.raw('GET', '/v1/models', 'ann', anthropic_version='2023-06-01').json['data']}
    assert [(row.get('max_input_tokens'), row.get('max_tokens'))
            for row in (rows['open'], rows['vllm'])] == [(131072, 16384), (32768, None)]
    assert not {'max_input_tokens', 'max_tokens'} & set(rows['odd'])
    told = api.good('GET', '/api/explain?model=open', 'ann')['candidates'][0]
    assert [told[name] for name in members] == [131072, 16384]


def test_the_api_changes_each_alone_and_refuses_what_is_no_number(api):
    platform = api.good('POST', '/api/platforms', 'ann', {
        'platform_name': 'Mine', 'base_url': 'https://api.example.com/v1',
        'api_key': 'sk-ann-0123456789'})
    made = api.call('POST', f'/api/platforms/{platform["platform_id"]}/models', 'ann',
                    {'model_name': 'm', 'context_tokens': 200000, 'max_output_tokens': None}).json
    path = f'/api/models/{made["model_id"]}'
    assert (made['context_tokens'], made['max_output_tokens']) == (200000, None)
    assert api.good('PATCH', path, 'ann', {'max_output_tokens': 64000}) == \
        {**made, 'max_output_tokens': 64000}
    assert api.good('PATCH', path, 'ann', {'context_tokens': None}) == \
        {**made, 'context_tokens': None, 'max_output_tokens': 64000}
    for member in ('context_tokens', 'max_output_tokens'):
        for wrong in (0, -1, 1.5, '200000', True, [], {}, 10**9 + 1, 2**63):
            assert api.call('PATCH', path, 'ann', {member: wrong}).status == 400, wrong
    house = next(row for row in api.all('/api/models', 'ann') if row['platform_is_sys'])
    api.bad(403, 'ERR_FORBIDDEN', 'PATCH', f'/api/models/{house["model_id"]}', 'ann',
            {'context_tokens': 1})
    form = api.document['components']['schemas']['ModelChange']['properties']['context_tokens']
    assert form['type'] == ['integer', 'null']
