# SPDX-License-Identifier: MIT
"""What of a request's head counts here, and what of it reaches the platform: list fields, queries,
the field that bears the key, tokens in unusual places, paths that are none."""
import contextlib
import json
import sqlite3

import pytest

from conftest import on_sqlite
from serving import ASK, CHAT, Platform, Serving, configure

OURS = 'sk-server-key-1234567'
MESSAGES = {**ASK, 'max_tokens': 5}


@pytest.fixture(name='serving')
def serving_fixture(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    server = Serving(llmgr)
    yield server
    server.stop()


class Peer:
    """A platform that answers each request with `answer`, and the heads that came to it."""

    def __init__(self, llmgr, extra=''):
        self.platform = Platform()
        configure(llmgr, self.platform.base_url, models={'Mock': 'm'}, extra=extra)
        self.serving = Serving(llmgr)

    def exchange(self, head, body=b'', answer=None):
        """One request whose head is written as it is; the lines of the head that arrived."""
        wire = self.serving.wire()
        wire.send(head.replace('\n', '\r\n').encode() + b'Host: localhost\r\nContent-Length: %d\r\n'
                  b'\r\n' % len(body) + body)
        peer = self.platform.accept()
        came = peer.until(b'\r\n\r\n').decode()
        size = next((int(line.split(':')[1]) for line in came.lower().split('\r\n')
                     if line.startswith('content-length:')), 0)
        self.body = peer.exactly(size)
        peer.send(answer or b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
                            b'Content-Length: 14\r\n\r\n{"choices":[]}')
        peer.close()
        self.answer = wire.answer()
        wire.close()
        return came.split('\r\n')

    def stop(self):
        self.serving.stop()
        self.platform.close()


@pytest.fixture(name='peer')
def peer_fixture(llmgr):
    peer = Peer(llmgr)
    yield peer
    peer.stop()


def named(lines, name):
    return [line.split(':', 1)[1].strip() for line in lines
            if line.lower().startswith(name + ':')]


# ---- Fields and queries --------------------------------------------------------------------------

@pytest.mark.parametrize('path', ['/v1/messages', CHAT, '/v1/moderations'])
def test_each_line_of_a_field_that_is_passed_on_arrives(peer, path):
    lines = peer.exchange(f'POST {path} HTTP/1.1\nanthropic-beta: one-1\nAccept: a/b\n'
                          'Anthropic-Beta: two-2, three-3\nAccept: c/d\nOpenAI-Beta: x\n'
                          'openai-beta: y\ntraceparent: 00-1\nAnthropic-Version: 2023-06-01\n',
                          json.dumps(MESSAGES).encode())
    assert named(lines, 'anthropic-beta') == ['one-1', 'two-2, three-3']
    assert named(lines, 'accept') == ['a/b', 'c/d']
    assert named(lines, 'openai-beta') == ['x', 'y']
    assert named(lines, 'anthropic-version') == ['2023-06-01']
    assert named(lines, 'traceparent') == ['00-1']


@pytest.mark.parametrize('sent, arrives', [
    ('?beta=true', '?beta=true'),
    ('?beta=true&x=%20y&z', '?beta=true&x=%20y&z'),
    ('?key=sk-llmgr-1&beta=true', '?beta=true'),
    ('?beta=true&k%65y=sk-llmgr-1&KEY=2', '?beta=true'),
    ('?key=1', ''),
    ('?', ''),
    ('?monkey=1&keys=2', '?monkey=1&keys=2'),
])
@pytest.mark.parametrize('path', ['/v1/messages', CHAT, '/v1/responses', '/v1/moderations'])
def test_queries_are_kept_but_for_the_callers_key(serving, mockllm, path, sent, arrives):
    serving.ask(path + sent, MESSAGES)
    assert mockllm.last().path == path + arrives


@pytest.mark.parametrize('query', ['model=other', 'previous_response_id=resp_1', 'file_id=f',
                                   'beta=1;file_id=f', 'mod%65l=x'])
def test_a_query_says_nothing_that_the_body_decides(serving, mockllm, query):
    serving.ask(f'/v1/responses?{query}&beta=true', {'model': 'Mock', 'input': 'hi'})
    assert mockllm.last().path == '/v1/responses?beta=true'


def test_a_query_is_there_again_when_a_request_goes_again(serving, mockllm):
    serving.ask(CHAT + '?beta=true', {**ASK, 'model': 'NoOptions', 'stream': True})
    assert [sent.path for sent in mockllm.requests()] == [CHAT + '?beta=true'] * 2


# ---- Fields that the operator names -------------------------------------------------------------

WANTED = '    headers: [HTTP-Referer, X-Title, User-Agent, x-session-id]\n'
ASKED = ('POST {path} HTTP/1.1\nHTTP-Referer: https://a.example\nx-title: one\nX-TITLE: two\n'
         'User-Agent: claude-cli/2.1\nX-Session-Id: s-1\nX-Other: no\nCookie: a=b\n'
         'X-LLMGR-Model: Mock\nX-Forwarded-For: 192.0.2.1\nConnection: x-session-id\n')


@pytest.mark.parametrize('path', ['/v1/messages', CHAT, '/v1/moderations'])
def test_fields_that_a_platform_is_to_get_arrive(llmgr, path):
    peer = Peer(llmgr, WANTED)
    lines = peer.exchange(ASKED.format(path=path), json.dumps(MESSAGES).encode())
    assert named(lines, 'http-referer') == ['https://a.example']
    assert named(lines, 'x-title') == ['one', 'two']
    assert named(lines, 'user-agent') == ['claude-cli/2.1']
    assert not named(lines, 'x-session-id')  # which this caller's Connection names as its own
    for name in ('x-other', 'cookie', 'x-llmgr-model', 'x-forwarded-for'):
        assert not named(lines, name)
    lines = peer.exchange(f'POST {path} HTTP/1.1\nX-Session-Id: s-1\n',
                          json.dumps(MESSAGES).encode())
    assert named(lines, 'x-session-id') == ['s-1']
    assert len(named(lines, 'user-agent')) == 1 and 'llmgr' in named(lines, 'user-agent')[0]
    peer.stop()


def test_without_them_nothing_of_it_does(peer):
    lines = peer.exchange(ASKED.format(path=CHAT), json.dumps(ASK).encode())
    for name in ('http-referer', 'x-title', 'x-session-id', 'x-other', 'cookie'):
        assert not named(lines, name)
    assert 'llmgr' in named(lines, 'user-agent')[0]


def test_the_names_are_shown_and_follow_the_file(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, extra=WANTED)
    llmgr.ok('init', env={'MOCK_KEY': 'sk-1'})
    shown = 'http-referer, x-title, user-agent, x-session-id'
    assert [row['headers'] for row in llmgr.json('platform', 'list')] == [shown]
    configure(llmgr, mockllm.base_url, extra='    headers: [X-Title]\n')
    changes = llmgr.ok('sync', '--dry-run', env={'MOCK_KEY': 'sk-1'})
    assert 'headers' in changes
    llmgr.ok('sync', env={'MOCK_KEY': 'sk-1'})
    assert [row['headers'] for row in llmgr.json('platform', 'list')] == ['x-title']
    configure(llmgr, mockllm.base_url)
    llmgr.ok('sync', env={'MOCK_KEY': 'sk-1'})
    assert [row['headers'] for row in llmgr.json('platform', 'list')] == [None]


@pytest.mark.parametrize('name', ['Authorization', 'x-api-key', 'Cookie', 'Host', 'Connection',
                                  'Transfer-Encoding', 'content-length', 'X-LLMGR-User', 'a b'])
def test_names_that_never_pass_are_refused_with_their_line(llmgr, mockllm, name):
    configure(llmgr, mockllm.base_url, extra=f'    headers: [X-Title, "{name}"]\n')
    said = llmgr.fails(2, 'init')
    assert 'headers' in said and 'llmgr.yaml:' in said


@on_sqlite
def test_what_never_passes_does_not_whatever_a_row_says(llmgr):
    peer = Peer(llmgr, WANTED)
    peer.serving.stop()
    with contextlib.closing(sqlite3.connect(llmgr.url.removeprefix('sqlite:'))) as database:
        database.execute("UPDATE llm_platforms SET headers = 'cookie, authorization, host, x-title,"
                         " x-llmgr-model, connection, x-api-key, content-length, x-forwarded-for'")
        database.commit()
    peer.serving = Serving(llmgr)
    lines = peer.exchange(ASKED.format(path=CHAT), json.dumps(ASK).encode())
    assert named(lines, 'x-title') == ['one', 'two']
    assert len(named(lines, 'host')) == len(named(lines, 'authorization')) == 1
    for name in ('cookie', 'x-llmgr-model', 'x-forwarded-for', 'connection'):
        assert not named(lines, name)
    peer.stop()


# ---- The key's field -----------------------------------------------------------------------------

BEARER, X_API_KEY = {'authorization': 'Bearer ' + OURS}, {'x-api-key': OURS}


@pytest.mark.parametrize('protocol, path, fields', [
    (None, CHAT, BEARER),
    (None, '/v1/messages', {**BEARER, **X_API_KEY}),
    (None, '/v1/messages/count_tokens', {**BEARER, **X_API_KEY}),
    (None, '/v1/moderations', BEARER),
    ('openai', '/v1/responses', BEARER),
    ('anthropic', '/v1/messages', X_API_KEY),
    ('anthropic', '/v1/messages/count_tokens', X_API_KEY),
    ('anthropic', '/v1/messages/batches/x', X_API_KEY),
    ('anthropic', CHAT, {**BEARER, **X_API_KEY}),
    ('azure', CHAT, {'api-key': OURS}),
    ('azure', '/v1/messages', {'api-key': OURS, **X_API_KEY}),
    ('gemini', '/v1/moderations', {'x-goog-api-key': OURS}),
    ('gemini', CHAT, {'x-goog-api-key': OURS, **BEARER}),
])
def test_the_key_stands_where_the_platform_looks(llmgr, mockllm, protocol, path, fields):
    configure(llmgr, mockllm.base_url, extra=f'    protocol: {protocol}\n' if protocol else '')
    server = Serving(llmgr)
    server.ask(path, MESSAGES)
    headers = mockllm.last().headers
    places = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key')
    assert {name: headers[name] for name in places if name in headers} == fields
    server.stop()


def test_an_unknown_protocol_is_refused_with_those_there_are(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, extra='    protocol: soap\n')
    said = llmgr.fails(2, 'init')
    assert all(name in said for name in ('openai', 'anthropic', 'azure', 'gemini'))


# ---- Paths that are none -------------------------------------------------------------------------

@pytest.mark.parametrize('method, path, status, code', [
    ('GET', '/nothing/here', 404, 'not_found'),
    ('POST', '/v2/chat/completions', 404, 'not_found'),
    ('GET', CHAT, 405, 'method_not_allowed'),
    ('DELETE', '/v1/messages', 405, 'method_not_allowed'),
    ('POST', '/healthz', 405, 'method_not_allowed'),
])
def test_what_is_wrong_with_a_path_is_no_missing_model(serving, method, path, status, code):
    answer = serving.ask(path, method=method)
    assert answer.status == status
    assert answer.json['error']['code'] == code and answer.json['error']['param'] is None
    assert answer.fields['x-should-retry'] == 'false'


@pytest.mark.parametrize('path', ['/v1/responses', '/responses', CHAT, '/v1/realtime?model=Mock'])
@pytest.mark.parametrize('word', ['websocket', 'WebSocket', 'h2c, websocket'])
def test_a_websocket_is_refused_in_a_way_that_clients_fall_back_from(serving, mockllm, path, word):
    wire = serving.wire()
    fields = {'Connection': 'Upgrade', 'Upgrade': word, 'Sec-WebSocket-Version': '13',
              'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='}
    answer = serving.ask(path, method='GET', wire=wire, fields=fields)
    assert answer.status == 426 and answer.json['error']['code'] == 'upgrade_required'
    assert answer.fields['upgrade'] and 'upgrade' in answer.fields['connection']
    assert mockllm.requests() == []
    assert serving.ask('/v1/responses', {'model': 'Mock', 'input': 'hi'}, wire=wire).status == 200
    wire.close()


def test_other_upgrades_are_passed_over(serving):
    fields = {'Connection': 'Upgrade, HTTP2-Settings', 'Upgrade': 'h2c',
              'HTTP2-Settings': 'AAMAAABk'}
    assert serving.chat(fields=fields).status == 200
    assert serving.ask('/v1/models', method='GET', fields=fields).status == 200


# ---- Tokens --------------------------------------------------------------------------------------

def test_a_token_is_found_where_clients_put_it(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    ann, ben = (llmgr.json('token', 'create', '-u', user)['token'] for user in ('ann', 'ben'))
    server = Serving(llmgr, mode='custom')
    good = [{'Authorization': f'Bearer\t{ann}'}, {'Authorization': f'bearer \t {ann}'},
            {'Authorization': ann}, {'x-api-key': f'Bearer {ann}'}, {'api-key': f'bearer\t{ann}'},
            {'Authorization': 'Bearer dummy', 'x-api-key': ann},
            {'Authorization': f'Bearer {ann}', 'x-api-key': 'sk-ant-dummy'},
            {'Authorization': 'Bearer dummy', 'x-api-key': 'other', 'api-key': ann},
            {'Authorization': f'Bearer {ann}', 'x-api-key': f'Bearer {ann}', 'api-key': ann}]
    for fields in good:
        assert server.chat(fields=fields).status == 200, fields
        assert ann not in str(mockllm.last().headers)
    for fields in ({'Authorization': f'Bearer {ann}', 'x-api-key': ben},
                   {'Authorization': f'Bearer {ann}', 'x-api-key': f'Bearer {ben}'},
                   {'Authorization': 'Bearer dummy', 'x-api-key': ann, 'api-key': ben},
                   {'Authorization': ann, 'api-key': ben}):
        assert server.chat(fields=fields).status == 400, fields
    for fields in ({'Authorization': 'Bearer'}, {'Authorization': 'Bearer '},
                   {'Authorization': f'Bearer{ann}'}, {'Authorization': f'Token {ann}'},
                   {'Authorization': f'Bearer {ann} {ann}'}, {'Authorization': 'dummy'},
                   {'Authorization': f'Bearer {ann[:-1]}', 'x-api-key': 'dummy'}):
        assert server.chat(fields=fields).status == 401, fields
    server.stop()


# ---- Platforms' HTTP -----------------------------------------------------------------------------

BODY = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}]}'


@pytest.mark.parametrize('head', [
    'HTTP/1.0 200 OK\nContent-Length: {size}\n',
    'HTTP/1.0 200 OK\nContent-Length: {size}\nConnection: keep-alive\n',
    'HTTP/1.0 200 OK\n',
    'HTTP/1.1 200\nContent-Length: {size}\n',
    'HTTP/1.1 200 OK\n' + ''.join(f'X-Field-{i}: {i}\n' for i in range(400)) +
    'Content-Length: {size}\n',
    'HTTP/1.1 200 OK\n' + 'Set-Cookie: a=b\n' * 300 + 'Content-Length: {size}\n',
])
def test_harmless_oddities_of_a_platform_are_taken(peer, head):
    answer = ('Content-Type: application/json\n' + '\n').replace('\n', '\r\n')
    head = head.format(size=len(BODY)).replace('\n', '\r\n')
    peer.exchange('POST /v1/chat/completions HTTP/1.1\n', json.dumps(ASK).encode(),
                  (head + answer).encode() + BODY)
    assert peer.answer.status == 200 and peer.answer.body == BODY


def test_chunks_of_a_platform_that_says_1_0_are_taken_and_its_connection_is_left(peer):
    chunks = b'%x\r\n%s\r\n0\r\n\r\n' % (len(BODY), BODY)
    head = b'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n' \
           b'Content-Type: application/json\r\n\r\n'
    for _ in range(2):  # each on a connection of its own, or accept would wait in vain
        peer.exchange('POST /v1/chat/completions HTTP/1.1\n', json.dumps(ASK).encode(),
                      head + chunks)
        assert peer.answer.status == 200 and peer.answer.body == BODY


def test_a_status_that_no_client_knows_is_a_bad_gateway(peer):
    peer.exchange('POST /v1/chat/completions HTTP/1.1\n', json.dumps(ASK).encode(),
                  b'HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nno')
    assert peer.answer.status == 502 and 'no' in peer.answer.json['error']['message']


@pytest.mark.parametrize('fields', ['Content-Length: 5\r\nTransfer-Encoding: chunked',
                                    'Content-Length: 5\r\nContent-Length: 6',
                                    'Transfer-Encoding: gzip, chunked', 'X : y',
                                    'Content-Length: +5'])
def test_what_could_be_read_in_two_ways_is_not(peer, fields):
    head = f'HTTP/1.1 200 OK\r\n{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
    peer.exchange('POST /v1/chat/completions HTTP/1.1\n', json.dumps(ASK).encode(), head.encode())
    assert peer.answer.status == 502


# ---- Refusals ------------------------------------------------------------------------------------

def refused(peer, status, body, kind='application/json', path=CHAT):
    head = f'HTTP/1.1 {status} No\r\nContent-Type: {kind}\r\n' \
           f'Content-Length: {len(body)}\r\n\r\n'
    anthropic = 'anthropic-version: 2023-06-01\n' if path == '/v1/messages' else ''
    peer.exchange(f'POST {path} HTTP/1.1\n{anthropic}', json.dumps(MESSAGES).encode(),
                  head.encode() + body)
    return peer.answer


@pytest.mark.parametrize('words', [
    {'message': 'Your input was flagged', 'code': 403, 'metadata': {'reasons': ['violence']}},
    {'message': 'Country, region, or territory not supported',
     'code': 'unsupported_country_region_territory'},
    {'message': 'only available for Coding Agents', 'type': 'access_terminated_error'},
])
def test_a_403_that_is_not_about_the_key_reaches_the_caller(peer, words):
    answer = refused(peer, 403, json.dumps({'error': words}).encode())
    assert answer.status == 403
    assert answer.json['error']['message'] == words['message']
    assert 'valid key' not in answer.body.decode()


def test_a_403_that_is_about_the_key_is_not_the_callers(peer):
    answer = refused(peer, 403, b'{"error":{"message":"Incorrect API key provided"}}')
    assert answer.status == 502 and answer.json['error']['code'] == 'upstream_key_refused'


@pytest.mark.parametrize('words', [{'message': 'm' * 200_000, 'type': 't', 'code': 'c'},
                                   {'code': 'c', 'type': 't', 'message': 'm' * 200_000}],
                         ids=['before', 'behind'])
def test_of_a_refusal_that_is_too_long_only_what_is_large_is_cut(peer, words):
    answer = refused(peer, 400, json.dumps({'error': words}).encode())
    assert answer.status == 400
    error = answer.json['error']
    assert error['message'].startswith('mmmm') and len(error['message']) < 4096
    assert (error['code'], error['type']) == ('c', 't')


@pytest.mark.parametrize('path', [CHAT, '/v1/messages', '/v1/responses'])
def test_a_refusal_that_comes_as_an_event_is_read(peer, path):
    said = b'data: {"error": {"message": "no such deployment", "type": "None", "param": "model", ' \
           b'"code": "400"}}\n\n'
    answer = refused(peer, 400, said, 'text/event-stream; charset=utf-8', path)
    assert answer.status == 400 and answer.fields['content-type'] == 'application/json'
    assert answer.json['error']['message'] == 'no such deployment'
    if path == '/v1/messages':
        assert answer.json['error']['type'] == 'invalid_request_error'
    else:
        assert answer.json['error']['param'] == 'model'


def test_a_page_of_a_cdn_is_its_title(peer):
    page = b'<!DOCTYPE html><html><head><style>' + b' ' * 20_000 + \
           b'</style><title>Attention Required! | Cloudflare</title></head><body>x</body></html>'
    answer = refused(peer, 403, page, 'text/html')
    assert answer.status == 403
    assert answer.json['error'] == {'message': 'Attention Required! | Cloudflare',
                                    'type': 'permission_error', 'param': None,
                                    'code': 'permission_denied'}


# ---- Callers that say no more --------------------------------------------------------------------

def shut(serving, head, body=b''):
    """Asks, ends its own direction at once, and reads what comes."""
    wire = serving.wire(receive=4096)
    wire.send(head.replace('\n', '\r\n').encode() + b'Host: localhost\r\n\r\n' + body)
    wire.socket.shutdown(1)
    while wire.more():
        pass
    wire.close()
    return wire.rest


@pytest.mark.parametrize('path', ['/healthz', '/v1/models', '/api/openapi.json', '/nowhere'])
def test_what_we_answer_ourselves_reaches_a_caller_that_has_closed_its_half(serving, path):
    for _ in range(20):
        got = shut(serving, f'GET {path} HTTP/1.1\n')
        head, _, body = got.partition(b'\r\n\r\n')
        assert head.startswith(b'HTTP/1.1 ')
        assert f'content-length: {len(body)}\r\n'.encode() in head + b'\r\n'


def test_an_answer_that_is_complete_reaches_a_caller_that_closes_its_half(peer):
    large = b'{"choices":[{"index":0,"message":{"content":"%s"}}]}' % (b'x' * 12_000)
    wire = peer.serving.wire(receive=4096)
    body = json.dumps(ASK).encode()
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\n'.encode() +
              b'Content-Length: %d\r\n\r\n' % len(body) +
              body)
    platform = peer.platform.accept()
    platform.until(b'"hi"}]}')
    platform.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n'
                  % len(large) + large)
    wire.until(b'\r\n\r\n')
    wire.socket.shutdown(1)
    assert wire.exactly(len(large)) == large
    platform.close()
    wire.close()


def test_a_caller_that_closes_its_half_while_a_platform_works_is_gone(peer):
    body = json.dumps(ASK).encode()
    assert shut(peer.serving, f'POST {CHAT} HTTP/1.1\nContent-Length: {len(body)}\n', body) == b''
