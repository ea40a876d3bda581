# SPDX-License-Identifier: MIT
"""Header fields that a platform gets with values of its own: from llmgr.yaml and its environment,
of private platforms from their owners; sealed like keys, and never shown."""
import contextlib
import json
import sqlite3
import subprocess

import pytest

from conftest import PATIENCE_S, Mockllm, on_sqlite
from gateway_api import Api
from serving import ASK, CHAT, Serving, configure
from test_gateway_fields import Peer, named

SECRET = 'org-canary/0123456789'
FIXED = ('    headers: {X-Title: my app, X-Org: "{ORG_HEADER}", x-session-id: true,'
         ' User-Agent: "tool/1", anthropic-beta: "fixed-1", X-Name: 名字}\n')
MESSAGES = {**ASK, 'max_tokens': 5}
KEY = {'MOCK_KEY': 'sk-server-key-1234567'}


@pytest.mark.parametrize('path', ['/v1/messages', CHAT, '/v1/moderations'])
def test_fixed_values_go_along_and_win(llmgr, path):
    llmgr.env['ORG_HEADER'] = SECRET
    peer = Peer(llmgr, FIXED)
    lines = peer.exchange(f'POST {path} HTTP/1.1\nX-Title: theirs\nx-org: theirs\n'
                          'X-TITLE: theirs too\nUser-Agent: theirs\nAnthropic-Beta: theirs\n'
                          'X-Session-Id: s-1\n', json.dumps(MESSAGES).encode())
    assert named(lines, 'x-title') == ['my app']
    assert named(lines, 'x-org') == [SECRET]
    assert named(lines, 'user-agent') == ['tool/1']
    assert named(lines, 'anthropic-beta') == ['fixed-1']
    assert named(lines, 'x-session-id') == ['s-1']
    assert named(lines, 'x-name') == ['名字']
    assert len(named(lines, 'authorization')) == 1
    assert len(named(lines, 'host')) == len(named(lines, 'content-length')) == 1
    assert 'theirs' not in '\n'.join(lines)
    peer.stop()


def test_calls_and_probes_of_the_program_send_them_too(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, extra=FIXED.replace(' 名字', ' n'))
    llmgr.env |= {**KEY, 'ORG_HEADER': SECRET}
    llmgr.ok('init')
    for words in (['chat', '--model', 'Mock', 'hi'], ['platform', 'probe', '1'],
                  ['chat', '--no-stream', '--model', 'Mock', 'hi']):
        llmgr.run(*words)
        headers = mockllm.last().headers
        assert (headers['x-title'], headers['x-org']) == ('my app', SECRET)
        assert headers['user-agent'] == 'tool/1'
        assert 'x-session-id' not in headers


def test_a_missing_variable_is_named_and_its_field_left_out(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, extra=FIXED.replace(' 名字', ' "{A}{B}"'))
    llmgr.env |= KEY
    said = llmgr.run('init').err
    assert 'ORG_HEADER' in said and 'mock' in said, said
    row, = llmgr.json('platform', 'list')
    assert row['headers'] == 'x-session-id'
    assert row['fixed_headers'] == 'x-title, user-agent, anthropic-beta'
    assert row['missing_headers'] == 'x-org {ORG_HEADER}, x-name {A, B}'
    assert 'x-org {ORG_HEADER}' in llmgr.ok('platform', 'list')
    told = llmgr.json('explain')['candidates'][0]
    assert told['missing_headers'] == row['missing_headers']
    assert told['fixed_headers'] == row['fixed_headers']
    assert 'x-org {ORG_HEADER}' in llmgr.ok('explain')
    llmgr.ok('chat', '--model', 'Mock', 'hi')
    headers = mockllm.last().headers
    assert headers['x-title'] == 'my app' and 'x-org' not in headers
    llmgr.env |= {'ORG_HEADER': 'later', 'A': 'a', 'B': 'b'}
    report = llmgr.json('sync')
    assert [(row['action'], row['detail']) for row in report['changes']] == [('update', 'headers')]
    llmgr.ok('chat', '--model', 'Mock', 'hi')
    assert mockllm.last().headers['x-org'] == 'later'
    assert mockllm.last().headers['x-name'] == 'ab'
    assert llmgr.json('platform', 'list')[0]['missing_headers'] is None


def test_they_follow_the_file_and_a_value_alone_is_a_change(llmgr, mockllm):
    llmgr.env |= KEY
    configure(llmgr, mockllm.base_url, extra='    headers: {X-A: one}\n')
    llmgr.ok('init')
    assert llmgr.json('sync')['changes'] == []
    configure(llmgr, mockllm.base_url, extra='    headers: {X-A: two}\n')
    assert llmgr.json('sync', '--dry-run')['changes'][0]['detail'] == 'headers'
    llmgr.ok('sync')
    llmgr.ok('chat', '--model', 'Mock', 'hi')
    assert mockllm.last().headers['x-a'] == 'two'
    moved = mockllm.base_url.replace('127.0.0.1', 'localhost')
    configure(llmgr, moved, extra='    headers: {X-A: two}\n')
    llmgr.ok('sync')  # sealed anew for the new origin
    llmgr.ok('chat', '--model', 'Mock', 'hi')
    assert mockllm.last().headers['x-a'] == 'two'
    configure(llmgr, moved)
    llmgr.ok('sync')
    llmgr.ok('chat', '--model', 'Mock', 'hi')
    assert 'x-a' not in mockllm.last().headers
    assert llmgr.json('key', 'status')['keys'][0]['records'] == 1


@pytest.mark.parametrize('headers, says', [
    ('{Authorization: x}', "'Authorization' in 'headers' of 'mock'"),
    ('{Helicone-Auth: x}', "'Helicone-Auth' in 'headers' of 'mock'"),
    ('{Cookie: x}', 'no name of a header field'), ('{Host: x}', 'no name of a header field'),
    ('{X-LLMGR-User: x}', 'no name of a header field'),
    ('{Transfer-Encoding: x}', 'no name of a header field'),
    ('{Content-Length: 1}', 'no name of a header field'), ('{a b: x}', 'no name'),
    ('{X-A: "a\\r\\nb: c"}', "'X-A' in 'headers' of 'mock' has no value"),
    ('{X-A: "a\\tb"}', "'X-A' in 'headers' of 'mock' has no value"),
    ('{X-A: "a\\x7fb"}', 'has no value'), ('{X-A: ""}', 'needs a value'),
    ('{X-A: }', 'needs a value'), ('{X-A: false}', 'needs a value'), ('{X-A: no}', 'needs a value'),
    ('{X-A: [b]}', 'must have a text'), ('{X-A: b, x-a: c}', 'stands there twice'),
    ('{X-A: true, x-a: c}', 'stands there twice'),
    ('{X-A: ' + 'a' * 2049 + '}', 'has no value'), ('[{X-A: b}]', 'with values it is a mapping'),
    ('{' + ', '.join(f'X-{i}: a' for i in range(17)) + '}', 'more than 16'),
    ('{' + ', '.join(f'X-{i}: {"a" * 1500}' for i in range(3)) + '}', '4096 bytes'),
    ('X-A', 'must be a list'),
])
def test_what_cannot_be_sent_is_refused_with_its_place(llmgr, mockllm, headers, says):
    configure(llmgr, mockllm.base_url, extra=f'    headers: {headers}\n')
    said = llmgr.fails(2, 'init')
    assert says in said and 'llmgr.yaml:' in said and "'mock'" in said, said


@pytest.mark.parametrize('value', ['"${BB}"', '{BB}', '$BB', 'os.environ/BB'])
def test_a_variable_in_another_form_is_refused_with_the_right_one(llmgr, mockllm, value):
    configure(llmgr, mockllm.base_url, extra=f'    headers: {{X-A: {value}}}\n')
    said = llmgr.fails(2, 'init')
    assert '"{BB}"' in said and "'X-A'" in said and 'llmgr.yaml:' in said, said


def test_what_a_variable_brings_in_is_judged_and_not_shown(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, extra='    headers: {X-A: "{BAD}"}\n')
    for bad in ('one\r\nhost: two', 'one\ttwo', 'x' * 2049):
        said = llmgr.fails(2, 'init', env={'BAD': bad})
        assert 'x-a' in said and "'mock'" in said and bad not in said and 'two' not in said


def test_the_manual_says_what_a_platform_may_say(llmgr):
    page = llmgr.ok('help', '--man')
    for member in ('base_url', 'api_key', 'models', 'protocol', 'native_paths', 'headers'):
        assert f'.B {member}\n' in page, member
    assert '.B aliases\n' in page


@on_sqlite
def test_a_record_in_anothers_row_does_not_open(llmgr, mockllm):
    """Sealed for its row: what was moved by hand is sent to nobody."""
    llmgr.env |= KEY
    llmgr.write('llmgr.yaml', f'''
platforms:
  One: {{base_url: "{mockllm.base_url}", api_key: k1, headers: {{X-A: {SECRET}}}, models: {{M: m}}}}
  Two: {{base_url: "{mockllm.base_url}/two", api_key: k2, models: {{N: n}}}}
''')
    llmgr.ok('init')
    with contextlib.closing(sqlite3.connect(llmgr.url.removeprefix('sqlite:'))) as database:
        database.execute('UPDATE llm_platforms SET fixed_headers = "x-a", header_values ='
                         ' (SELECT header_values FROM llm_platforms WHERE name = "One")'
                         ' WHERE name = "Two"')
        database.execute('INSERT INTO llm_changes (user_id) VALUES (NULL)')
        database.commit()
    llmgr.ok('chat', '--model', 'N', 'hi')
    assert 'x-a' not in mockllm.last().headers
    rows = {row['platform_name']: row for row in llmgr.json('platform', 'list')}
    assert (rows['Two']['fixed_headers'], rows['Two']['missing_headers']) == (None, 'x-a')
    assert rows['One']['fixed_headers'] == 'x-a'
    llmgr.ok('chat', '--model', 'M', 'hi')
    assert mockllm.last().headers['x-a'] == SECRET


def test_every_user_of_a_system_platform_brings_them_along(site):
    site.configure(platforms=f"""
  Alpha: {{base_url: "{site.base_url}", api_key: "{{ALPHA_KEY}}", headers: {{X-Org: {SECRET}}},
          models: {{One: mock}}}}
""")
    site.ok('sync')
    site.set_key('ben', 1, 'sk-of-ben-0123456')
    for user in ('ann', 'ben'):
        site.ok('-u', user, 'chat', '--model', 'One', 'hi')
        assert site.upstream.last().headers['x-org'] == SECRET


# ---- Private platforms --------------------------------------------------------------------------

@pytest.fixture(name='mine')
def mine_fixture(site):
    """ann's own platform Mine with the model Own, and its number."""
    site.allow_private()
    site.ok('init')
    site.env['ORG_HEADER'] = SECRET
    row = site.json('-u', 'ann', 'platform', 'add', '--name', 'Mine', '--base-url',
                    site.base_url + '/mine', '--key-stdin', '--header', 'X-Title: my app',
                    '--header', 'X-Org: {ORG_HEADER}', stdin='sk-mine-1234567\n')
    assert row['fixed_headers'] == 'x-title, x-org'
    site.add_model('ann', row['platform_id'], 'own', '--display', 'Own')
    return row['platform_id']


def heard(site, *names):
    """What a call of ann's to Own brings along of these fields."""
    site.run('-u', 'ann', 'chat', '--model', 'Own', 'hi')
    headers = site.upstream.last().headers
    return tuple(headers.get(name) for name in names)


def test_a_private_platform_gets_what_its_owner_says(site, mine):
    assert heard(site, 'x-title', 'x-org') == ('my app', SECRET)
    site.ok('-u', 'ann', 'platform', 'set-header', mine, 'x-title: other')
    assert heard(site, 'x-title', 'x-org') == ('other', SECRET)
    site.ok('-u', 'ann', 'platform', 'clear-header', mine, 'X-TITLE')
    assert heard(site, 'x-title', 'x-org') == (None, SECRET)
    assert site.platforms('ann')['Mine']['fixed_headers'] == 'x-org'
    assert 'x-org' in site.ok('-u', 'ann', 'platform', 'list')
    assert 'no header field' in site.fails(3, '-u', 'ann', 'platform', 'clear-header', mine, 'x-no')
    site.ok('-u', 'ann', 'platform', 'clear-header', mine, 'x-org')
    assert heard(site, 'x-title', 'x-org') == (None, None)


def test_they_belong_to_their_origin(site, mine, tmp_path):
    site.ok('-u', 'ann', 'platform', 'set-url', mine, site.base_url + '/other')
    assert heard(site, 'x-org') == (SECRET,)
    (tmp_path / 'other').mkdir()
    site.upstream = other = Mockllm(tmp_path / 'other')
    site.ok('-u', 'ann', 'platform', 'set-url', mine, other.base_url + '/mine', '--key-stdin',
            stdin='sk-mine-1234567\n')
    assert heard(site, 'x-title', 'x-org') == (None, None)
    assert site.platforms('ann')['Mine']['fixed_headers'] is None
    site.ok('-u', 'ann', 'platform', 'set-header', mine, 'X-Org: new')
    assert heard(site, 'x-title', 'x-org') == (None, 'new')
    other.stop()


def test_a_rotation_seals_them_anew_and_drops_the_old_key(site, mine):
    before = site.json('key', 'status')['keys']
    assert sum(key['records'] for key in before) == 3  # Alpha's key, Mine's key, Mine's fields
    report = site.json('key', 'rotate')
    assert (report['rotated'], report['retired']) == (3, 1)
    assert [key['records'] for key in report['keys']] == [3]
    assert heard(site, 'x-title', 'x-org') == ('my app', SECRET)
    assert mine


def test_a_release_that_does_not_know_them_cannot_drop_their_data_key(site, mine):
    """What the release before does at the end of `key rotate`, having resealed what it knows."""
    drop = 'DELETE FROM llm_data_keys WHERE id = (SELECT header_data_key FROM llm_platforms' \
           ' WHERE header_values IS NOT NULL)'
    for _ in range(2):
        if site.url.startswith('sqlite:'):
            with contextlib.closing(sqlite3.connect(site.url.removeprefix('sqlite:'))) as database:
                database.execute('PRAGMA foreign_keys = ON')
                with pytest.raises(sqlite3.IntegrityError):
                    database.execute(drop)
        else:
            done = subprocess.run(['psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-c', drop, site.url],
                                  capture_output=True, text=True, check=False, timeout=PATIENCE_S)
            assert done.returncode != 0 and 'foreign key' in done.stderr
        assert heard(site, 'x-title', 'x-org') == ('my app', SECRET)
        site.ok('key', 'rotate')
    assert mine


@pytest.mark.parametrize('header, says', [
    ('Authorization: x', "'Authorization' cannot be set"), ('Cookie: x', 'cannot be set'),
    ('X-LLMGR-User: x', 'cannot be set'), ('Host: x', 'cannot be set'),
    ('Content-Length: 1', 'cannot be set'), ('Connection: x', 'cannot be set'),
    ('x_y: z', 'cannot be set'), ('X-A', "'Name: value'"), (': x', "'Name: value'"),
    ('X-A:', 'has no value'), ('X-A: a\r\nb: c', 'cannot have this value'),
    ('X-A: a\x01b', 'cannot have this value'), ('X-A: ' + 'a' * 2049, 'cannot have this value'),
    ('X-A: {NOT_SET}', 'NOT_SET'), ('X-A: ${NOT_SET}', 'write {NOT_SET}'),
])
def test_bad_ones_are_refused_by_name_and_make_nothing(site, mine, header, says):
    for words in (['set-header', mine], ['add', '--name', 'N', '--base-url',
                                         site.base_url + '/n', '--header']):
        said = site.fails(2, '-u', 'ann', 'platform', *words, header)
        assert says in said, said
    assert set(site.platforms('ann')) == {'Alpha', 'Beta', 'Empty', 'Mine'}
    assert heard(site, 'x-title', 'x-org') == ('my app', SECRET)


def test_there_are_sixteen_and_4096_bytes(site, mine):
    for number in range(14):
        site.ok('-u', 'ann', 'platform', 'set-header', mine, f'X-N{number}: a')
    assert 'more than 16' in site.fails(2, '-u', 'ann', 'platform', 'set-header', mine, 'X-N14: a')
    site.ok('-u', 'ann', 'platform', 'set-header', mine, 'X-N0: ' + 'a' * 2000)
    assert '4096 bytes' in site.fails(2, '-u', 'ann', 'platform', 'set-header', mine,
                                      'X-N1: ' + 'a' * 2000)
    assert heard(site, 'x-n1') == ('a',)


def test_nobody_sets_a_system_platforms_or_anothers(site, mine):
    assert 'llmgr.yaml' in site.run('-u', 'ann', 'platform', 'set-header', '1', 'X-A: b').err
    other = site.run('-u', 'bob', 'platform', 'set-header', mine, 'X-A: b')
    absent = site.run('-u', 'bob', 'platform', 'set-header', '4711', 'X-A: b')
    assert other.code == absent.code != 0
    assert other.err.replace(str(mine), '') == absent.err.replace('4711', '')
    assert heard(site, 'x-a') == (None,)


# ---- Through the API -----------------------------------------------------------------------------

@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm):
    server = Api(llmgr, mockllm)
    server.token('ann', '-u', 'ann')
    yield server
    server.stop()


def test_the_api_sets_and_clears_them_and_shows_names(api, mockllm):
    row = api.good('POST', '/api/platforms', 'ann',
                   {'platform_name': 'Mine', 'base_url': mockllm.base_url + '/mine',
                    'api_key': 'sk-mine-1234567'})
    path = f'/api/platforms/{row["platform_id"]}'
    assert row['fixed_headers'] is None
    api.good('POST', path + '/models', 'ann', {'model_name': 'own'})
    row = api.good('PUT', path + '/headers/X-Org', 'ann', {'value': SECRET})
    assert row['fixed_headers'] == 'x-org' and SECRET not in json.dumps(row)
    api.raw('POST', CHAT, 'ann', {**ASK, 'model': 'own'}, X_Org='theirs')
    assert mockllm.last().headers['x-org'] == SECRET
    told = api.good('GET', '/api/explain?model=own', 'ann')
    assert [at['fixed_headers'] for at in told['candidates']][0] == 'x-org'
    for name, value in (('Cookie', 'x'), ('X-A', 'a\nb'), ('X-A', ''), ('X-A', '{NAME}')):
        answer = api.raw('PUT', f'{path}/headers/{name}', 'ann', {'value': value})
        assert (answer.status, answer.code) == (400, 'ERR_INVALID'), answer.text
    assert api.raw('DELETE', path + '/headers/x-org', 'ann').status == 204
    assert api.raw('DELETE', path + '/headers/x-org', 'ann').status == 404
    api.raw('POST', CHAT, 'ann', {**ASK, 'model': 'own'}, X_Org='theirs')
    assert 'x-org' not in mockllm.last().headers
    assert api.raw('PUT', '/api/platforms/1/headers/X-A', 'ann', {'value': 'b'}).status == 403


def test_a_value_that_a_platform_quotes_is_masked(llmgr):
    llmgr.env['ORG_HEADER'] = SECRET
    peer = Peer(llmgr, FIXED)
    text = json.dumps({'error': {'message': f'{SECRET} may not, my app', 'code': SECRET}})
    peer.exchange(f'POST {CHAT} HTTP/1.1\n', json.dumps(ASK).encode(),
                  (f'HTTP/1.1 403 No\r\nContent-Type: application/json\r\nContent-Length: '
                   f'{len(text)}\r\n\r\n{text}').encode())
    assert peer.answer.status == 403
    assert SECRET not in peer.answer.body.decode() and 'my app' in peer.answer.body.decode()
    peer.stop()
    assert SECRET not in peer.serving.log


def test_a_reload_takes_new_values_over(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, extra='    headers: {X-A: one}\n')
    server = Serving(llmgr)
    server.chat()
    assert mockllm.last().headers['x-a'] == 'one'
    configure(llmgr, mockllm.base_url, extra='    headers: {X-A: two}\n')
    llmgr.ok('sync', env=KEY)
    server.stop()
    server = Serving(llmgr)
    server.chat()
    assert mockllm.last().headers['x-a'] == 'two'
    server.stop()
