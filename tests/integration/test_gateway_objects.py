# SPDX-License-Identifier: MIT
"""Whose is what a platform keeps: two users of the server's key, each kind of object, each method.

The platform takes both for one and would give either everything; a third user has a key of his own,
and for him everything goes as it came.
"""
import gzip
import json
import re
import signal
import socket
import time

import pytest

from conftest import PATIENCE_S
from gateway_api import Api
from keeping import Keeper

HOUSE, OWN = 'sk-site-0123456789', 'sk-carls-own-0123456789'

# Every native path with an object: (method, path), {} its id; made by POST to MAKE.
KINDS = {
    'file': ('files', [('GET', ''), ('GET', '/content'), ('GET', '/url'), ('DELETE', '')]),
    'batch': ('batches', [('GET', ''), ('POST', '/cancel')]),
    'job of a batch': ('batch/jobs', [('GET', ''), ('POST', '/cancel')]),
    'vector store': ('vector_stores', [
        ('GET', ''), ('POST', ''), ('POST', '/search'), ('GET', '/files'), ('POST', '/files'),
        ('GET', '/files/x'), ('GET', '/files/x/content'), ('DELETE', '/files/x'),
        ('POST', '/file_batches'), ('GET', '/file_batches/x'), ('DELETE', '')]),
    'container': ('containers', [('GET', ''), ('GET', '/files'), ('POST', '/files'),
                                 ('GET', '/files/x/content'), ('DELETE', '')]),
    'fine-tuning job': ('fine_tuning/jobs', [('GET', ''), ('POST', '/cancel'), ('GET', '/events'),
                                             ('GET', '/checkpoints')]),
    'video': ('videos', [('GET', ''), ('GET', '/content'), ('POST', '/remix'), ('DELETE', '')]),
    'conversation': ('conversations', [('GET', ''), ('POST', ''), ('GET', '/items'),
                                       ('POST', '/items'), ('DELETE', '')]),
    'assistant': ('assistants', [('GET', ''), ('POST', ''), ('DELETE', '')]),
    'thread': ('threads', [('GET', ''), ('POST', ''), ('GET', '/messages'), ('POST', '/messages'),
                           ('GET', '/runs'), ('POST', '/runs'), ('GET', '/runs/x/steps'),
                           ('DELETE', '')]),
}
METHODS = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE')
ACCOUNT = ('organization/users', 'organization/api_keys', 'organization/costs', 'projects',
           'dashboard/billing/usage', 'admin/keys', 'usage', 'keys', 'key', 'credits', 'me',
           'fine_tuning/checkpoints/x/permissions', 'realtime/client_secrets')


@pytest.fixture(name='keeper')
def keeper_fixture():
    made = Keeper()
    yield made
    made.close()


class Site(Api):
    """ann and ben use the server's key, carl has one of his own."""

    def native(self, method, path, caller, body=None, model='House/Small', **fields):
        if model is not None:
            fields['X_LLMGR_Model'] = model
        return self.raw(method, '/v1/' + path, caller, body, **fields)

    def make(self, path, caller='ann', body=None, **more):
        answer = self.native('POST', path, caller, {} if body is None else body, **more)
        assert answer.status == 200, answer.text
        return answer.json['id']


@pytest.fixture(name='site')
def site_fixture(llmgr, keeper):
    site = Site(llmgr, keeper, mode='fixed')
    site.token('admin', '--kind', 'admin')
    for user in ('ann', 'ben', 'carl'):
        site.token(user, '-u', user)
    platform = site.good('GET', '/api/platforms', 'carl')['data'][0]
    site.good('PUT', f'/api/platforms/{platform["platform_id"]}/key', 'carl', {'api_key': OWN})
    yield site
    site.stop()


def form(parts, boundary='xx'):
    """A form's bytes: (name, value) or (name, value, filename)."""
    body = ''
    for name, value, *file in parts:
        named = f'; filename="{file[0]}"' if file else ''
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
                 f'{value}\r\n')
    return (body + f'--{boundary}--\r\n').encode()


FORM = {'Content_Type': 'multipart/form-data; boundary=xx'}


def plain(answer):
    text = re.sub(r'"request_id":"[^"]*"', '', answer.text)
    return answer.status, re.sub(r'[a-z]+[-_]\d{4}', 'ID', text)


@pytest.mark.parametrize('kind', KINDS)
def test_an_object_is_its_owners_and_to_others_not_there(site, keeper, kind):
    path, rest = KINDS[kind]
    mine = site.make(path)
    absent = re.sub(r'\d{4}', '9999', mine)
    for _, tail in rest:
        for method in METHODS:
            before = len(keeper.requests())
            theirs = site.native(method, f'{path}/{mine}{tail}', 'ben', {})
            nobodys = site.native(method, f'{path}/{absent}{tail}', 'ben', {})
            assert theirs.status == 404, f'{method} {path} {tail}: {theirs.text}'
            assert plain(theirs) == plain(nobodys)
            assert mine not in theirs.text.replace(f'/{mine}', '').replace(f"'{mine}'", '')
            assert len(keeper.requests()) == before, f'{method} {path} {tail} was sent'
    for method, tail in rest:
        answer = site.native(method, f'{path}/{mine}{tail}', 'ann', {})
        assert answer.status == 200, f'{method} {path} {tail}: {answer.text}'
        assert keeper.requests()[-1][:3] == (method, f'/v1/{path}/{mine}{tail}', HOUSE)


def test_the_owner_is_asked_for_by_every_gateway_and_after_a_restart(site):
    mine = site.make('files')
    site.stop()
    site.start()
    assert site.native('GET', f'files/{mine}', 'ben').status == 404
    assert site.native('GET', f'files/{mine}', 'ann').status == 200


def test_what_is_deleted_is_nobodys(site, keeper):
    mine = site.make('files')
    assert site.native('DELETE', f'files/{mine}', 'ann').json['deleted'] is True
    keeper.put(mine, HOUSE)
    assert site.native('GET', f'files/{mine}', 'ann').status == 404


def test_lists_of_all_and_paths_of_nobody_stay_here(site, keeper):
    for path, _ in KINDS.values():
        if path in ('conversations', 'threads'):
            continue
        answer = site.native('GET', path, 'ann')
        assert answer.status == 404 and 'key of your own' in answer.json['error']['message'], path
    for path in ('nowhere', 'evals', 'uploads', 'skills', 'realtime', 'fine_tuning/alpha/graders'):
        for method in METHODS:
            assert site.native(method, path, 'ann', {}).status in (404, 405), path
    assert keeper.requests() == []


def test_what_is_the_accounts_is_never_reached_with_its_key(site, keeper):
    for path in ACCOUNT:
        for written in (path, path.upper(), path + '/', '/' + path, path.replace('/', '//'),
                        path + '?x=1', 'files/../' + path, './' + path, '%2e/' + path,
                        path[:1] + '%' + path[1:2].encode().hex() + path[2:], path + ';a=b',
                        path.replace('/', '%2f', 1), path + '%00', path + '/.',
                        'images/generations/..;/' + path):
            for method in METHODS:
                answer = site.native(method, written, 'ben', {})
                assert answer.status in (400, 404), f'{method} {written}: {answer.text}'
    assert keeper.requests() == []


def test_work_that_leaves_nothing_is_everybodys(site, keeper):
    for path in ('images/generations', 'moderations', 'rerank', 'audio/speech', 'ocr', 'classify',
                 'tokenize', 'fim/completions', 'score'):
        answer = site.native('POST', path, 'ben', {'input': 'x'})
        assert answer.status == 200, f'{path}: {answer.text}'
        assert site.native('GET', path, 'ben').status == 404
        assert site.native('POST', path.upper(), 'ben', {}).status == 404
    assert len(keeper.requests()) == 9
    audio = form([('file', 'RIFF', 'a.wav'), ('prompt', '[verse] {x')])
    assert site.native('POST', 'audio/transcriptions', 'ben', audio, None, **FORM).status == 200
    assert site.native('POST', 'audio/transcriptions', 'ben', audio, **FORM).status == 200


def test_with_ones_own_key_everything_goes_as_it_came(site, keeper):
    theirs = keeper.put('file-of-the-account', OWN)
    for method, path in (('GET', 'organization/users'), ('GET', 'files'),
                         ('GET', f'files/{theirs}'), ('DELETE', f'files/{theirs}'),
                         ('POST', 'files'), ('GET', 'nowhere'),
                         ('PATCH', 'admin/a%20b;c?x=%41'), ('GET', 'batches/batch_0001'),
                         ('GET', 'responses/resp_1')):
        site.native(method, path, 'carl', None)
        assert keeper.requests()[-1][:3] == (method, '/v1/' + path, OWN)
    body = {'model': 'Small', 'messages': [], 'file_id': 'file-of-anybody',
            'previous_response_id': 'resp_1'}
    site.raw('POST', '/v1/responses', 'carl', body)
    assert json.loads(keeper.requests()[-1].body)['file_id'] == 'file-of-anybody'


# Bodies that name a file, {} its id.
NAMING = [
    ('chat/completions', {'messages': [{'role': 'user', 'content': [
        {'type': 'file', 'file': {'file_id': '{}'}}]}]}),
    ('chat/completions', {'messages': [], 'attachments': [{'fileId': '{}'}]}),
    ('chat/completions', {'messages': [], 'deep': [[[{'a': {'File_IDs': [['{}']]}}]]]}),
    ('responses', {'input': [{'role': 'user', 'content': [
        {'type': 'input_file', 'file_id': '{}'}]}]}),
    ('responses', {'input': 'x', 'tools': [
        {'type': 'code_interpreter', 'container': {'type': 'auto', 'file_ids': ['{}']}}]}),
    ('messages', {'messages': [{'role': 'user', 'content': [
        {'type': 'document', 'source': {'type': 'file', 'file_id': '{}'}}]}]}),
    ('images/edits', {'images': [{'file_id': '{}'}]}),
    ('ocr', {'document': {'type': 'file', 'file_id': '{}'}}),
    ('fine_tuning/jobs', {'training_file': '{}'}),
    ('vector_stores', {'file_ids': ['{}']}),
    ('threads', {'messages': [{'attachments': [{'file_id': '{}'}]}]}),
]
OTHERS = [
    ('responses', 'conversation', 'conversations'), ('responses', 'container', 'containers'),
    ('responses', 'vector_store_ids', 'vector_stores'), ('messages', 'container', 'containers'),
    ('threads', 'assistant_id', 'assistants'),
]


def filled(value, name):
    return json.loads(json.dumps(value).replace('{}', name))


@pytest.mark.parametrize('path, body', NAMING)
def test_a_body_names_only_what_is_the_callers(site, keeper, path, body):
    mine, absent = site.make('files'), 'file-9999'
    body = {'model': 'House/Small', **body}
    before = len(keeper.requests())
    for escaped in (False, True):
        answers = []
        for name in (mine, absent):
            text = json.dumps(filled(body, name))
            if escaped:
                text = text.replace('_id', '\\u005fid').replace('"file-', '"\\u0066ile-')
            answers.append(site.raw('POST', '/v1/' + path, 'ben', text.encode()))
        theirs, nobodys = answers
        assert theirs.status == 404, theirs.text
        assert plain(theirs) == plain(nobodys)
    assert len(keeper.requests()) == before
    assert site.raw('POST', '/v1/' + path, 'ann', filled(body, mine)).status == 200
    assert json.loads(keeper.requests()[-1].body) == filled({**body, 'model': 'mock'}, mine)


@pytest.mark.parametrize('path, member, made', OTHERS)
def test_other_things_are_named_in_bodies_too(site, path, member, made):
    mine = site.make(made)
    value = [mine] if member.endswith('s') else mine
    body = {'model': 'House/Small', 'messages': [], 'input': 'x', member: value}
    assert site.raw('POST', '/v1/' + path, 'ben', body).status == 404
    assert site.raw('POST', '/v1/' + path, 'ann', body).status == 200
    body = {'model': 'House/Small', 'messages': [], 'input': 'x', member: {'id': mine}}
    assert site.raw('POST', '/v1/' + path, 'ben', body).status == 404


def test_the_second_of_two_members_counts_and_the_query_too(site, keeper):
    mine, theirs = site.make('files', 'ben'), site.make('files', 'ann')
    text = '{"model":"House/Small","messages":[],"file_id":"%s","file_id":"%s"}' % (mine, theirs)
    assert site.raw('POST', '/v1/chat/completions', 'ben', text.encode()).status == 404
    before = len(keeper.requests())
    for query in (f'file_id={theirs}', f'x=1&file%5Fid={theirs}', f'a;file_ids[]={theirs}'):
        assert site.native('POST', 'ocr?' + query, 'ben', {}).status == 404, query
    assert len(keeper.requests()) == before
    assert site.native('POST', f'ocr?file_id={mine}', 'ben', {}).status == 200


def test_a_long_body_that_was_to_be_passed_on_names_only_what_is_the_callers(site, keeper):
    """It is looked through on a thread, and whose it is is asked afterwards."""
    theirs, mine = site.make('files', 'ann'), site.make('files', 'ben')
    octets = {'Content_Type': 'application/octet-stream'}
    for size in (10, 300_000, 1_000_000):
        body = json.dumps([{'file_id': theirs}, 'x' * size]).encode()
        before = len(keeper.requests())
        answer = site.native('POST', 'ocr', 'ben', body, **octets)
        assert answer.status == 404, (size, answer.text)
        assert len(keeper.requests()) == before
        body = body.replace(theirs.encode(), mine.encode())
        assert site.native('POST', 'ocr', 'ben', body, **octets).status == 200


def test_a_body_that_hides_what_it_names_is_not_taken_with_the_servers_key(site, keeper):
    theirs = site.make('files', 'ann')
    before = len(keeper.requests())
    for kind in ('application/octet-stream', 'audio/wav'):
        for coding in ('gzip', 'br'):
            body = gzip.compress(json.dumps({'file_id': theirs}).encode())
            fields = {'Content_Type': kind, 'Content_Encoding': coding}
            for model in ('House/Small', None):
                answer = site.native('POST', 'ocr', 'ben', body, model, **fields)
                assert answer.status == 415, answer.text
    body = gzip.compress(json.dumps({'file_id': theirs}).encode())
    answer = site.native('POST', 'ocr', 'ben', body, Content_Encoding='gzip',
                          Content_Type='application/json')
    assert answer.status == 404
    assert len(keeper.requests()) == before
    octets = {'Content_Type': 'application/octet-stream', 'Content_Encoding': 'gzip'}
    assert site.native('POST', 'ocr', 'carl', body, **octets).status == 200  # his own key


def test_forms_name_only_what_is_the_callers(site, keeper):
    theirs, mine = site.make('files', 'ann'), site.make('files', 'ben')
    before = len(keeper.requests())
    for parts in ([('file_id', theirs)], [('file_ids[]', theirs)],
                  [('x', '1'), ('FILE_ID', theirs)], [('a[file_id]', theirs)],
                  [('tools', json.dumps([{'file_id': theirs}]))]):
        body = form([('model', 'House/Small'), *parts])
        answer = site.native('POST', 'audio/transcriptions', 'ben', body, None, **FORM)
        assert answer.status == 404, answer.text
    pairs = {'Content_Type': 'application/x-www-form-urlencoded'}
    answer = site.native('POST', 'ocr', 'ben', f'file%5fid={theirs}'.encode(), **pairs)
    assert answer.status == 404
    packed = {'Content_Type': 'application/x-msgpack'}
    assert site.native('POST', 'ocr', 'ben', b'\x81\xa7file_id', **packed).status == 415
    assert len(keeper.requests()) == before
    body = form([('model', 'House/Small'), ('file_id', mine)])
    assert site.native('POST', 'audio/transcriptions', 'ben', body, None, **FORM).status == 200
    # A form that is passed on as it comes is not known when the first of it goes.
    answer = site.native('POST', 'audio/transcriptions', 'ben', body, **FORM)
    assert answer.status == 400 and 'X-LLMGR-Model' in answer.json['error']['message']


def batch_file(*lines, purpose='batch'):
    text = '\n'.join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return form([('purpose', purpose), ('file', text, 'lines.jsonl')])


def line(url='/v1/chat/completions', method='POST', **body):
    return {'custom_id': '1', 'method': method, 'url': url, 'body': {'model': 'mock', **body}}


def test_the_lines_of_a_batch_file_are_requests_too(site, keeper):
    theirs, mine = site.make('files', 'ann'), site.make('files', 'ben')
    good = line(messages=[])
    before = len(keeper.requests())
    for status, bad in ((404, line(file_id=theirs)), (404, line(previous_response_id='resp_1')),
                        (404, line(model='ft:gpt:ann::1')),
                        (404, line('/v1/files/' + theirs, 'GET')),
                        (404, line('/v1/organization/users')), (404, line(method='DELETE')),
                        (404, line('/v1/responses', input=[{'id': 'msg_1'}])),
                        (404, json.dumps(line(file_id=theirs)).replace('_id', '\\u005fid')),
                        (400, '{"custom_id":"1"'), (400, 'no JSON'),
                        (400, '{"url":"/v1/embeddings","URL":"/v1/keys"}')):
        for model in (None, 'House/Small'):
            for lines in ((bad,), (good, '', bad), (bad, good)):
                answer = site.native('POST', 'files', 'ben', batch_file(*lines), model, **FORM)
                assert answer.status == status, f'{bad}: {answer.text}'
    assert len(keeper.requests()) == before
    lines = batch_file(good, line('/v1/responses', file_id=mine), '')
    name = site.make('files', 'ben', lines, **FORM)
    assert b'no JSON' not in keeper.kept[HOUSE, name]
    assert site.make('batches', 'ben', {'input_file_id': name, 'endpoint': '/v1/responses'})
    # What has not been looked at is no batch, whatever its owner says.
    data = batch_file(line(file_id=theirs), purpose='user_data')
    other = site.make('files', 'ben', data, **FORM)
    body = {'batch_id': other, 'input_file_id': other, 'endpoint': '/v1/responses'}
    assert site.native('POST', 'batches', 'ben', body).status == 404
    del body['batch_id']
    assert site.native('POST', 'batches', 'ben', body).status == 404
    assert site.native('POST', 'batches', 'ben', {'input_file_id': name,
                                                   'endpoint': '/v1/files'}).status == 404
    assert site.native('POST', 'batches', 'ann', {'input_file_id': name}).status == 404
    fields = form([('input_file_id', name), ('endpoint', '/v1/files')])
    assert site.native('POST', 'batches', 'ben', fields, None, **FORM).status == 415


def test_what_comes_of_an_object_is_its_owners(site, keeper):
    batch = site.make('batches')
    result, model = keeper.put('file-result', HOUSE), 'ft:gpt:ann::7'
    assert site.native('GET', f'files/{result}/content', 'ann').status == 404
    keeper.more = {'output_file_id': result, 'error_file_id': None,
                   'metadata': {'output_file_id': 'file-planted'}}
    assert site.native('GET', f'batches/{batch}', 'ann').json['output_file_id'] == result
    assert site.native('GET', f'files/{result}/content', 'ann').status == 200
    assert site.native('GET', f'files/{result}/content', 'ben').status == 404
    assert site.native('GET', 'files/file-planted', 'ann').status == 404
    job = site.make('fine_tuning/jobs')
    keeper.more = {'fine_tuned_model': model}
    assert site.native('GET', f'fine_tuning/jobs/{job}', 'ann').status == 200
    lines = batch_file(line(model=model))
    assert site.native('POST', 'files', 'ann', lines, **FORM).status == 200
    assert site.native('POST', 'files', 'ben', lines, **FORM).status == 404


def test_an_answer_that_takes_what_is_anothers_is_not_given(site, keeper):
    theirs = site.make('files', 'ann')
    keeper.more = {'id': theirs}
    answer = site.native('POST', 'files', 'ben', {})
    assert answer.status == 502 and theirs not in answer.text
    keeper.more = {'id': None}
    assert site.native('POST', 'files', 'ben', {}).status == 502
    keeper.more = {}
    assert site.native('GET', f'files/{theirs}', 'ben').status == 404


def test_the_operator_has_the_servers_key(site, keeper):
    theirs = site.make('files', 'ann')
    assert site.native('GET', 'files', 'admin').json['data'] == [{'id': theirs}]
    assert site.native('GET', f'files/{theirs}', 'admin').status == 200
    own = site.make('files', 'admin')
    assert site.native('GET', f'files/{own}', 'ann').status == 404


def test_objects_of_a_platform_that_is_gone_are_gone(site, llmgr, keeper):
    site.make('files')
    assert site.raw('GET', '/api/platforms', 'ann').status == 200
    text = (llmgr.folder / 'llmgr.yaml').read_text(encoding='utf-8')
    llmgr.write('llmgr.yaml', text.replace('House:', 'Home:'))
    site.process.send_signal(signal.SIGHUP)
    assert llmgr.ok('sync') is not None
    llmgr.ok('db', 'check')


@pytest.fixture(name='other')
def other_fixture():
    made = Keeper()
    made.count = 500
    yield made
    made.close()


def test_a_path_without_a_model_follows_what_it_names(site, llmgr, keeper, other):
    text = (llmgr.folder / 'llmgr.yaml').read_text(encoding='utf-8')
    llmgr.write('llmgr.yaml', text + f"""\
  Second:
    base_url: {other.base_url}
    api_key: sk-second-0123456789
    native_paths: [/voices, "GET /voices/{{id}}"]
    models: {{Other: other}}
""")
    llmgr.ok('sync')
    site.stop()
    site.start()
    theirs = site.make('files', model='Second/Other')
    mine = site.make('files', model=None)
    assert [len(keeper.requests()), len(other.requests())] == [1, 1]
    for method, path, body in (('GET', f'files/{theirs}', None), ('HEAD', f'files/{theirs}', None),
                               ('POST', 'vector_stores', {'file_ids': [theirs]}),
                               ('DELETE', f'files/{theirs}', None)):
        assert site.native(method, path, 'ann', body, None).status == 200, path
        assert other.requests()[-1][:2] == (method, '/v1/' + path)
    assert site.native('GET', f'files/{mine}', 'ann', None, None).status == 200
    answer = site.native('POST', 'moderations', 'ann', {'input': 'x'}, None)
    assert answer.status == 200 and keeper.requests()[-1].path == '/v1/moderations'
    before = len(other.requests())
    assert site.native('GET', f'files/{theirs}', 'ben', None, None).status == 404
    assert len(other.requests()) == before


def test_an_operator_opens_paths_but_never_the_accounts(site, llmgr, keeper, other):
    text = (llmgr.folder / 'llmgr.yaml').read_text(encoding='utf-8')
    opened = ['/voices', 'GET /voices/{id}', 'GET /organization/{rest}', 'POST /keys', '/a/USERS']
    llmgr.write('llmgr.yaml', text + f"""\
  Second:
    base_url: {other.base_url}
    api_key: sk-second-0123456789
    native_paths: {json.dumps(opened)}
    models: {{Other: other}}
""")
    llmgr.ok('sync')
    site.stop()
    site.start()
    second = [row for row in site.all('/api/platforms') if row['platform_name'] == 'Second'][0]
    shown = ('POST /voices, GET /voices/{id}, GET /organization/{rest}, POST /keys, POST /a/USERS')
    assert second['native_paths'] == shown
    rows = llmgr.json('platform', 'list', '--all')
    assert [row['native_paths'] for row in rows if row['platform_name'] == 'Second'] == [shown]

    def ask(method, path):
        return site.native(method, path, 'ann', {}, 'Second/Other').status

    assert ask('POST', 'voices') == 200 and ask('GET', 'voices/x') == 200
    assert ask('GET', 'voices') == 404 and ask('DELETE', 'voices/x') == 404
    assert ask('GET', 'voices/x/y') == 404 and ask('POST', 'Voices') == 404
    assert ask('GET', 'organization/users') == 404 and ask('POST', 'keys') == 404
    assert ask('POST', 'a/USERS') == 404
    assert site.native('POST', 'voices', 'ann', {}).status == 404
    assert len(other.requests()) == 2 and keeper.requests() == []
    for wrong in ('voices', ['voices'], ['FETCH /a'], ['/a/../b'], ['/a b'], ['/a/%2e'], ['GET']):
        llmgr.write('llmgr.yaml', text + f"""\
  Second: {{base_url: "{other.base_url}", native_paths: {json.dumps(wrong)}}}
""")
        assert 'native_paths' in llmgr.fails(2, 'sync'), wrong


def test_a_file_that_comes_in_pieces_is_looked_at_before_it_goes(site, keeper):
    theirs = site.make('files', 'ann')
    before = len(keeper.requests())
    for bad, status in ((line(file_id=theirs), 404), (line(messages=[]), 200)):
        body = batch_file(line(messages=[]), bad)
        for expects in ('', 'Expect: 100-continue\r\n'):
            wire = socket.create_connection(('127.0.0.1', site.port), PATIENCE_S)
            wire.sendall(f'POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
                         f'Authorization: Bearer {site.tokens["ben"]}\r\n'
                         f'X-LLMGR-Model: House/Small\r\nContent-Length: {len(body)}\r\n{expects}'
                         'Content-Type: multipart/form-data; boundary=xx\r\n\r\n'.encode())
            if expects:
                assert wire.recv(64).startswith(b'HTTP/1.1 100 ')
            for i in range(0, len(body), 50):
                assert len(keeper.requests()) == before
                wire.sendall(body[i:i + 50])
                time.sleep(0.002)
            answer = b''.join(iter(lambda: wire.recv(4096), b''))
            assert answer.startswith(f'HTTP/1.1 {status} '.encode()), answer
            wire.close()
            before += status == 200
    assert len(keeper.requests()) == before


def test_what_is_too_large_to_be_looked_at_is_refused(site, llmgr, keeper):
    site.stop()
    llmgr.env['LLMGR_BODY_MAX'] = '64KiB'
    site.start()
    for model in (None, 'House/Small'):
        body = form([('purpose', 'user_data'), ('file', 'x' * 70000, 'a')])
        assert site.native('POST', 'files', 'ben', body, model, **FORM).status == 413
    assert keeper.requests() == []
    answer = site.native('POST', 'files', 'carl', body, **FORM)
    assert answer.status == 200 and len(keeper.requests()[-1].body) >= len(body)


def test_a_stream_that_names_a_file_passes(site):
    mine = site.make('files')
    body = {'model': 'House/Small', 'stream': True, 'messages': [
        {'role': 'user', 'content': [{'type': 'file', 'file': {'file_id': mine}}]}]}
    for _ in range(5):
        answer = site.raw('POST', '/v1/chat/completions', 'ann', body)
        assert answer.status == 200 and answer.text.endswith('data: [DONE]\n\n')
        assert site.raw('POST', '/v1/chat/completions', 'ben', body).status == 404
