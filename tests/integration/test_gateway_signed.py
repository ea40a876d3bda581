# SPDX-License-Identifier: MIT
"""What a platform keeps for one request (responses, their items, stored chats) when it is used with
the server's key: ids leave signed for their owner, and are taken from nobody else."""
import json
import re
import shutil
import subprocess

import pytest

from serving import ASK, CHAT, Serving, configure

RESPONSES = '/v1/responses'
SAID = {'model': 'Mock', 'input': 'hi'}
TAIL = re.compile(r'\.[A-Za-z0-9_-]{20}[1-9][0-9]*')
SIGNED = re.compile(r'[A-Za-z0-9_-]+' + TAIL.pattern)


class Gateway(Serving):
    """ann and ben use the server's key, cid has his own; each has a token."""

    def __init__(self, llmgr, *args, **more):
        super().__init__(llmgr, *args, mode='custom', **more)

    def as_user(self, user, path, body=None, method='POST', **fields):
        fields = {'Authorization': 'Bearer ' + self.llmgr.tokens[user]} | {
            name.replace('_', '-'): value for name, value in fields.items()}
        return self.ask(path, body=body, method=method, fields=fields)


@pytest.fixture(name='site')
def site_fixture(llmgr, mockllm):
    configure(llmgr, f'http://127.0.0.1:{mockllm.port}/v1',
              models={'Mock': 'mock-small', 'Split': 'mock-split-7', 'Cr': 'mock-cr',
                      'Kept': '{model_name: mock-kept, extra_body: {store: true}}'},
              extra='allow_http: true\nallow_cidr: 127.0.0.0/8\nallow_port: "*"\n')
    llmgr.ok('init')
    llmgr.tokens = {user: llmgr.json('-u', user, 'token', 'create')['token']
                    for user in ('ann', 'ben', 'cid')}
    platform = llmgr.json('platform', 'list')[0]['platform_id']
    llmgr.json('-u', 'cid', 'platform', 'set-key', str(platform), '--key-stdin',
               stdin='sk-own-of-cid-12345\n')
    return llmgr


@pytest.fixture(name='gateway')
def gateway_fixture(site):
    server = Gateway(site)
    yield server
    server.stop()


def respond(gateway, user='ann', **more):
    answer = gateway.as_user(user, RESPONSES, {**SAID, **more})
    assert answer.status == 200 and answer.whole, answer.body
    return answer


def refused(answer):
    assert answer.status == 404, answer.body
    assert answer.json['error']['type'] == 'invalid_request_error'
    assert answer.json['error']['code'] == 'not_found'
    return answer.json['error']


# ---- Answers -------------------------------------------------------------------------------------

def bare(body):
    return TAIL.sub('', body.decode())


def test_a_response_differs_in_its_ids_alone(gateway):
    own, signed = respond(gateway, 'cid'), respond(gateway, 'ann')
    assert own.json['id'] == 'resp_mock_0001' and TAIL.search(own.body.decode()) is None
    assert 'content-length' in own.fields and 'content-length' not in signed.fields
    assert SIGNED.fullmatch(signed.json['id']) and SIGNED.fullmatch(signed.json['output'][0]['id'])
    assert bare(signed.body) == own.body.decode()
    assert respond(gateway, 'ann').json['id'] == signed.json['id']
    assert respond(gateway, 'ben').json['id'] != signed.json['id']


@pytest.mark.parametrize('model', ['Mock', 'Split', 'Cr'])
def test_events_differ_in_their_ids_alone(gateway, model):
    own = respond(gateway, 'cid', stream=True, model=model)
    signed = respond(gateway, 'ann', stream=True, model=model)
    assert bare(signed.body) == own.body.decode()
    assert len(TAIL.findall(signed.body.decode())) == len(
        re.findall(r'resp_mock_0001|msg_mock_1', own.body.decode()))


def test_chats_are_signed_if_they_are_stored(gateway):
    for more in ({}, {'store': False}, {'store': None}, {'metadata': {'store': True}}):
        plain = gateway.as_user('ann', CHAT, {**ASK, **more})
        assert plain.body == gateway.as_user('cid', CHAT, {**ASK, **more}).body
        assert TAIL.search(plain.body.decode()) is None and 'content-length' in plain.fields
    for more in ({'store': True}, {'model': 'Kept'}, {'store': True, 'stream': True}):
        own = gateway.as_user('cid', CHAT, {**ASK, **more})
        signed = gateway.as_user('ann', CHAT, {**ASK, **more})
        assert signed.status == 200 and signed.whole
        assert bare(signed.body) == own.body.decode() != signed.body.decode()
    # The usage that only the gateway asked for is withheld as ever.
    assert b'"usage"' not in signed.body and signed.events[-1] == '[DONE]'


def test_an_old_client_gets_it_too(gateway):
    wire = gateway.wire()
    body = json.dumps(SAID).encode()
    token = gateway.llmgr.tokens['ann'].encode()
    wire.send(b'POST /v1/responses HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n'
              b'Authorization: Bearer %s\r\n\r\n' % (len(body), token) + body)
    answer = wire.answer()
    wire.close()
    assert answer.status == 200 and 'content-length' not in answer.fields
    assert SIGNED.fullmatch(answer.json['id'])


def test_what_is_heard_is_signed_too(gateway, mockllm):
    for more in ({}, {'stream': True}, {'store': True}):
        body = {**ASK, 'audio': {'voice': 'alloy', 'format': 'wav'}, **more}
        own, signed = gateway.as_user('cid', CHAT, body), gateway.as_user('ann', CHAT, body)
        assert bare(signed.body) == own.body.decode()
        sound = re.search(r'"id":"(audio_mock_1[^"]*)"', signed.body.decode()).group(1)
        assert SIGNED.fullmatch(sound)
        whole = len(re.findall(r'audio_mock_1|chatcmpl-mock', own.body.decode()))
        assert len(TAIL.findall(signed.body.decode())) == (whole if 'store' in more else 1)
    said = {'role': 'assistant', 'audio': {'id': sound}}
    body = {**ASK, 'messages': [said, *ASK['messages']]}
    assert gateway.as_user('ann', CHAT, body).status == 200
    assert mockllm.last().json['messages'][0]['audio'] == {'id': 'audio_mock_1'}
    refused(gateway.as_user('ben', CHAT, body))
    said['audio']['id'] = 'audio_mock_1'
    refused(gateway.as_user('ben', CHAT, body))


def test_items_of_a_conversation_are_signed(gateway, mockllm):
    item = respond(gateway).json['output'][0]['id']
    path = '/v1/conversations/conv_mock_1/items'
    named = {'X_LLMGR_Model': 'Mock'}
    assert gateway.as_user('ann', '/v1/conversations', {}, **named).json['id'] == 'conv_mock_1'
    answer = gateway.as_user('ann', path + '?after=' + item, method='GET', **named)
    assert mockllm.last().path == path + '?after=msg_mock_1'
    assert len(TAIL.findall(answer.body.decode())) == 8
    shown = [one['id'] for one in answer.json['data']]
    assert (shown[0], shown[5]) == (answer.json['first_id'], answer.json['last_id'])
    for one in shown:
        answer = gateway.as_user('ann', f'{path}/{one}', method='GET')
        assert answer.status == 200 and answer.json['id'] == one
    answer = gateway.as_user('ann', f'{path}/{item}', method='GET')
    assert answer.json['id'] == item and mockllm.last().path == path + '/msg_mock_1'
    answer = gateway.as_user('ann', f'{path}/{item}', method='DELETE')
    assert answer.json['id'] == 'conv_mock_1' and mockllm.last().path == path + '/msg_mock_1'
    body = {'items': [{'type': 'item_reference', 'id': item}]}
    assert gateway.as_user('ann', path, body, **named).status == 200
    assert mockllm.last().json['items'][0]['id'] == 'msg_mock_1'
    refused(gateway.as_user('ben', f'{path}/{item}', method='GET'))
    refused(gateway.as_user('ben', f'{path}?after={item}', method='GET', **named))
    refused(gateway.as_user('ben', path, body, **named))


# ---- Their way back ------------------------------------------------------------------------------

def kept(gateway, user='ann'):
    """ids of a response, of an item of it and of a stored chat."""
    response = respond(gateway, user).json
    chat = gateway.as_user(user, CHAT, {**ASK, 'store': True}).json
    return response['id'], response['output'][0]['id'], chat['id']


def uses(response, item, chat):
    """Requests that name them: method, path, body, and what the platform is to be sent."""
    for more in ('', '/input_items?limit=3&after=' + item):
        yield 'GET', f'{RESPONSES}/{response}{more}', None
    yield 'POST', f'{RESPONSES}/{response}/cancel', None
    yield 'DELETE', f'{RESPONSES}/{response}', None
    for more in ('', '/messages'):
        yield 'GET', f'{CHAT}/{chat}{more}', None
    yield 'POST', f'{CHAT}/{chat}', {'metadata': {'a': 'b'}}
    yield 'DELETE', f'{CHAT}/{chat}', None
    yield 'POST', RESPONSES, {**SAID, 'previous_response_id': response}
    yield 'POST', RESPONSES, {'input': [{'type': 'item_reference', 'id': item},
                                        {'type': 'message', 'role': 'assistant', 'id': item,
                                         'content': 'as it was'},
                                        {'role': 'user', 'content': 'hi'}],
                              'previous_response_id': response, 'store': False}
    yield 'POST', RESPONSES, {**SAID, 'input': [{'type': 'mcp_approval_response', 'approve': True,
                                                 'approval_request_id': item}]}
    yield 'POST', '/v1/responses/input_tokens', {**SAID, 'previous_response_id': response}


def test_an_owner_uses_what_is_his(gateway, mockllm):
    signed, plain = kept(gateway), kept(gateway, 'cid')
    for (method, path, body), (_, wanted, content) in zip(uses(*signed), uses(*plain)):
        answer = gateway.as_user('ann', path, body, method)
        assert answer.status == 200, (method, path, answer.body)
        sent = mockllm.last()
        assert sent.path == wanted and sent.key == 'sk-server-key-1234567'
        if body is not None:
            got = sent.json
            if 'model' not in content:
                assert got.pop('model') == 'mock-small'
            elif 'model' in got:
                content['model'] = 'mock-small'
            assert got == content
        # Whatever id of its own the answer names is signed again, and nothing else is.
        own = gateway.as_user('cid', wanted, content, method, X_LLMGR_Model='Mock')
        if path.endswith('input_tokens'):
            continue
        assert bare(answer.body) == own.body.decode() != answer.body.decode()
        if method == 'GET' and path.endswith(signed[0]):
            assert answer.json['id'] == signed[0]
            assert answer.json['metadata']['id'] == 'resp_mock_0001'


def spoiled(shown):
    """What is like a signed id, but is none."""
    bare_id, tail = shown[:shown.rindex('.')], shown[shown.rindex('.'):]
    yield bare_id
    yield bare_id + '.'
    yield bare_id + tail[:-1]
    yield bare_id + tail + '0'
    yield bare_id + '.' + 'A' * 20 + tail[21:]
    yield bare_id + tail[:21] + '999'
    yield 'x' + shown
    yield shown + shown[-1:]
    yield bare_id[:-1] + '2' + tail


def test_nobody_else_does(gateway, mockllm):
    anns, bens = kept(gateway), kept(gateway, 'ben')
    unknown = [shown.replace('mock', 'never') for shown in bens]
    seen = set()
    forged = zip(*(list(spoiled(shown)) for shown in anns))
    for user, ids in [('ben', anns), ('ben', unknown), *(('ann', ids) for ids in forged),
                      ('ann', bens)]:
        before = len(mockllm.requests())
        for method, path, body in uses(*ids):
            for fields in ({'X_LLMGR_Model': 'Mock'}, {}):
                answer = gateway.as_user(user, path, body, method, **fields)
                assert answer.status == 404, (method, path, answer.body)
                if fields:
                    seen.add(json.dumps(refused(answer)))
        assert len(mockllm.requests()) == before
    assert len(seen) == 1, seen


def test_a_long_body_is_like_a_short_one(gateway, mockllm):
    """It is looked through off the loop."""
    response, item, _ = kept(gateway)
    text = 'x' * 300_000
    body = {**SAID, 'input': [{'role': 'user', 'content': text}, {'id': item}],
            'previous_response_id': response}
    assert gateway.as_user('ann', RESPONSES, body).status == 200
    sent = mockllm.last().json
    assert sent['previous_response_id'] == 'resp_mock_0001'
    assert sent['input'] == [{'role': 'user', 'content': text}, {'id': 'msg_mock_1'}]
    assert sent['model'] == 'mock-small'
    refused(gateway.as_user('ben', RESPONSES, body))
    refused(gateway.as_user('ann', RESPONSES, {**body, 'request_id': 'resp_mock_0001'}))
    assert gateway.as_user('cid', RESPONSES, body).status == 200


def test_escapes_hide_nothing(gateway, mockllm):
    response, item, _ = kept(gateway)
    bens = kept(gateway, 'ben')[0]
    token = 'Bearer ' + gateway.llmgr.tokens['ann']

    def send(text):
        return gateway.ask(RESPONSES, raw=text.encode(), fields={'Authorization': token})

    written = ''.join(f'\\u{ord(c):04x}' for c in response)
    answer = send('{"model":"Mock","input":"hi","previous_\\u0072esponse_id":"%s"}' % written)
    assert answer.status == 200
    assert mockllm.last().json['previous_response_id'] == 'resp_mock_0001'
    answer = send('{"input":[{"id":"%s"},{"\\u0069d":"%s"}],"model":"Mock"}' % (item, item))
    assert answer.status == 200
    assert mockllm.last().body == ('{"input":[{"id":"msg_mock_1"},{"\\u0069d":"msg_mock_1"}],'
                                   '"model":"mock-small"}')
    before = len(mockllm.requests())
    for text in ('{"previous_response_id":"%s","Previous_Response_ID":"%s"}' % (response, bens),
                 '{"previous_response_id":"%s","previous_response_id":"%s"}' % (response, bens),
                 '{"input":[{"ID":"%s"}]}' % bens,
                 '{"input":[{"\\u0069\\u0064":"%s"}]}' % bens,
                 '{"input":{"id":"%s"}}' % bens):
        refused(send(text))
    for path in (bens.replace('.', '%2E'), bens.replace('_', '%5f'), response.replace('.', '%2E')):
        refused(gateway.as_user('ann', f'{RESPONSES}/{path}', method='GET', X_LLMGR_Model='Mock'))
    assert len(mockllm.requests()) == before


def test_what_is_not_read_is_not_sent(gateway, mockllm):
    """A body in another encoding could name what it likes."""
    bens = kept(gateway, 'ben')[0].split('.')[0]
    before = len(mockllm.requests())
    body = json.dumps({'model': 'x', 'previous_response_id': bens, 'input': 'hi'})
    for path in ('/v1/responses/compact', '/v1/responses/input_tokens'):
        for raw, kind in ((body.encode('utf-16'), 'text/plain'),
                          (body.encode('utf-8-sig'), 'application/octet-stream'),
                          (body.encode('utf-8-sig'), 'application/json'),
                          (b'--x\r\n\r\n\r\n--x--\r\n', 'multipart/form-data; boundary=x')):
            for more in ({'X-LLMGR-Model': 'Mock'}, {}):
                answer = gateway.ask(path, raw=raw, fields={
                    'Authorization': 'Bearer ' + gateway.llmgr.tokens['ann'],
                    'Content-Type': kind, **more})
                assert answer.status in (400, 404), (path, kind, answer.body)
    assert len(mockllm.requests()) == before


def test_a_large_body_is_judged_like_a_small_one(gateway, mockllm):
    """It is looked through, and its ids opened, beside the threads that serve."""
    response, _, _ = kept(gateway)
    bens = kept(gateway, 'ben')[0]
    filler = [1] * 200_000
    for model, named in (('Mock', 'mock-small'), ('Kept', 'mock-kept'), (None, 'mock-small')):
        body = {'input': 'hi', 'n': filler, 'previous_response_id': response, 'model': model}
        body = {name: value for name, value in body.items() if value is not None}
        assert gateway.as_user('ann', RESPONSES, body).status == 200
        sent = mockllm.last().json
        assert sent['previous_response_id'] == 'resp_mock_0001'
        assert sent['n'] == filler and sent['model'] == named
        before = len(mockllm.requests())
        refused(gateway.as_user('ann', RESPONSES, {**body, 'previous_response_id': bens}))
        refused(gateway.as_user('ann', RESPONSES, {**body, 'rid': 'mine'}))
        assert len(mockllm.requests()) == before


def test_an_id_of_the_callers_choice_is_not_signed(gateway, mockllm):
    """Some platforms give a response the id that the request names."""
    before = len(mockllm.requests())
    for name in ('request_id', 'rid', 'id', 'Request-ID', 'requestId'):
        refused(gateway.as_user('ben', RESPONSES, {**SAID, name: 'resp_mock_0001'}))
    assert len(mockllm.requests()) == before
    assert gateway.as_user('ben', CHAT, {**ASK, 'request_id': 'r-1'}).status == 200
    assert gateway.as_user('cid', RESPONSES, {**SAID, 'request_id': 'r-1'}).status == 200


def named_by_client(name, **more):
    return [{'type': 'message', 'role': 'user', 'content': 'hi', 'id': name, **more}]


def test_what_a_client_sends_whole_it_may_name(gateway, mockllm):
    """Codex does. What leaves is a name that nothing at the platform has, each time the same."""
    name = 'msg_019a1b2c-3d4e-7f50-8a9b-0c1d2e3f4a5b'
    respond(gateway, input=named_by_client(name), store=False)
    first = mockllm.last().json['input']
    assert first[0]['id'] != name and len(first[0]['id']) == len(name)
    assert first == named_by_client(first[0]['id']) and first[0]['id'].startswith('msg_')
    respond(gateway, input=[*named_by_client(name), {'role': 'user', 'content': 'y' * 100_000}])
    assert mockllm.last().json['input'][0] == first[0]
    text = json.dumps({**SAID, 'input': named_by_client(name)})
    text = text.replace('"id": "', '"id": "%s", ' % name * 1000 + '"id": "')
    answer = gateway.ask(RESPONSES, raw=text.encode(), fields={
        'Authorization': 'Bearer ' + gateway.llmgr.tokens['ann']})
    assert answer.status == 200 and name not in mockllm.last().body
    respond(gateway, 'ben', input=named_by_client(name))
    assert mockllm.last().json['input'][0]['id'] not in (name, first[0]['id'])
    respond(gateway, 'cid', input=named_by_client(name))
    assert mockllm.last().json['input'] == named_by_client(name)
    call = {'type': 'function_call', 'call_id': 'call_1', 'name': 'f', 'arguments': '{}',
            'id': 'fc_' + 'a' * 48}
    respond(gateway, input=[call])
    assert mockllm.last().json['input'][0]['id'] not in ('', call['id'])


def test_what_stands_for_something_kept_is_still_asked_for(gateway, mockllm):
    item = kept(gateway, 'ben')[1]
    raw = item.split('.')[0] + 'x' * 30
    before = len(mockllm.requests())
    for wrong in ([{'id': raw}],                                   # says nothing of itself
                  named_by_client(raw, type='item_reference'),
                  named_by_client(raw, type='item_\\u0072eference'),
                  named_by_client(raw, type='Item_Reference'),
                  named_by_client(item),                           # another's, and signed
                  named_by_client('msg_mock_1'),                   # too short to be nobody's
                  [{'type': 'message', 'content': None, 'id': raw}]):
        text = json.dumps({**SAID, 'input': wrong}).replace('\\\\u', '\\u')
        refused(gateway.ask(RESPONSES, raw=text.encode(), fields={
            'Authorization': 'Bearer ' + gateway.llmgr.tokens['ann']}))
    assert len(mockllm.requests()) == before


def test_lists_of_all_are_not_there(gateway, mockllm):
    before = len(mockllm.requests())
    for method, path in (('GET', RESPONSES), ('GET', CHAT), ('GET', CHAT + '?limit=1'),
                         ('PATCH', RESPONSES + '/resp_mock_1'), ('GET', RESPONSES + '/a/b/c'),
                         ('POST', RESPONSES + '/resp_mock_1/nothing')):
        answer = gateway.as_user('ann', path, method=method, X_LLMGR_Model='Mock')
        assert answer.status in (404, 405), (method, path, answer.body)
    assert len(mockllm.requests()) == before


def test_an_own_key_goes_as_it_came(gateway, mockllm):
    for method, path, body in uses(*kept(gateway, 'cid')):
        answer = gateway.as_user('cid', path, body, method, X_LLMGR_Model='Mock')
        assert answer.status == 200, (method, path, answer.body)
        assert mockllm.last().path == path and mockllm.last().key == 'sk-own-of-cid-12345'
        assert TAIL.search(answer.body.decode()) is None
    # One that the server's key gave is none of his key's: the platform says so.
    signed = kept(gateway)[0]
    answer = gateway.as_user('cid', f'{RESPONSES}/{signed}', method='GET')
    assert answer.status == 404 and mockllm.last().path == f'{RESPONSES}/{signed}'
    assert mockllm.last().key == 'sk-own-of-cid-12345'


def test_an_id_of_an_own_key_is_not_the_server_keys(site, mockllm):
    server = Gateway(site)
    own = kept(server, 'cid')
    server.stop()
    platform = site.json('platform', 'list')[0]['platform_id']
    site.ok('-u', 'cid', 'platform', 'clear-key', str(platform))
    before = len(mockllm.requests())
    server = Gateway(site)
    try:
        for method, path, body in uses(*own):
            refused(server.as_user('cid', path, body, method, X_LLMGR_Model='Mock'))
    finally:
        server.stop()
    assert len(mockllm.requests()) == before


def test_the_operator_is_nobodys_guest(site, mockllm):
    server = Serving(site)
    try:
        response = server.ask(RESPONSES, SAID)
        assert response.json['id'] == 'resp_mock_0001' and 'content-length' in response.fields
        answer = server.ask(RESPONSES + '/resp_mock_0001', method='GET',
                            fields={'X-LLMGR-Model': 'Mock'})
        assert answer.status == 200 and answer.json['id'] == 'resp_mock_0001'
    finally:
        server.stop()


# ---- For how long --------------------------------------------------------------------------------

def test_an_old_id_outlives_rotations_and_a_restore(site, mockllm, tmp_path):
    server = Gateway(site)
    response = kept(server)[0]
    site.ok('key', 'rotate')
    assert server.as_user('ann', f'{RESPONSES}/{response}', method='GET').status == 200
    server.stop()
    site.ok('key', 'rotate', '--new-master-key-file', 'next.key')
    site.env['LLMGR_MASTER_KEY_FILE'] = 'next.key'
    if site.kind == 'sqlite':
        site.ok('db', 'backup', 'copy.db')
        shutil.move(tmp_path / 'copy.db', tmp_path / 'llmgr.db')
    else:
        dump = subprocess.run(['pg_dump', '--clean', '--if-exists', site.url], check=True,
                              capture_output=True).stdout
        subprocess.run(['psql', '-qX', '-v', 'ON_ERROR_STOP=1', site.url], input=dump, check=True,
                       stdout=subprocess.DEVNULL)
    servers = [Gateway(site), Gateway(site)]
    try:
        for server in servers:
            answer = server.as_user('ann', f'{RESPONSES}/{response}', method='GET')
            assert answer.status == 200 and answer.json['id'] == response
            assert mockllm.last().path == f'{RESPONSES}/resp_mock_0001'
            refused(server.as_user('ben', f'{RESPONSES}/{response}', method='GET'))
    finally:
        for server in servers:
            server.stop()


def test_another_token_of_the_same_user_will_do(gateway):
    response = kept(gateway)[0]
    gateway.llmgr.tokens['again'] = gateway.llmgr.json('-u', 'ann', 'token', 'create')['token']
    assert gateway.as_user('again', f'{RESPONSES}/{response}', method='GET').status == 200
