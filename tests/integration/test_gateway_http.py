# SPDX-License-Identifier: MIT
"""HTTP as clients write it, well and badly: bytes on the wire, bytes back."""
import json
import socket
import time

import pytest

from conftest import PATIENCE_S
from serving import ASK, CHAT, Serving, configure

BODY = json.dumps(ASK)


@pytest.fixture(name='serving', scope='module')
def serving_fixture(tmp_path_factory):
    from conftest import Llmgr, Mockllm
    folder = tmp_path_factory.mktemp('http')
    mock = Mockllm(folder)
    llmgr = Llmgr(folder, f'sqlite:{folder}/llmgr.db')
    configure(llmgr, mock.base_url)
    llmgr.env |= {'LLMGR_HEAD_TIMEOUT': '1s', 'LLMGR_BODY_TIMEOUT': '1s',
                  'LLMGR_BODY_MAX': '4MiB'}
    server = Serving(llmgr)
    server.mock = mock
    yield server
    server.stop()
    mock.stop()


def post(body=BODY, *fields, line=f'POST {CHAT} HTTP/1.1', host='Host: localhost'):
    head = [line, host, *fields, f'Content-Length: {len(body)}']
    return '\r\n'.join(part for part in head if part) + '\r\n\r\n' + body


BAD = {
    'two lengths': 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n'
                   'Content-Length: 1\r\n\r\na',
    'length list': 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1, 1\r\n\r\na',
    'length sign': 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\na',
    'length hex': 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x1\r\n\r\na',
    'length and coding': 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n'
                         'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'unknown coding': 'POST / HTTP/1.1\r\nHost: localhost\r\n'
                      'Transfer-Encoding: gzip, chunked\r\n\r\n',
    'coding in 1.0': 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'space before colon': 'GET / HTTP/1.1\r\nHost : localhost\r\n\r\n',
    'fold': 'GET / HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n',
    'bare LF': 'GET / HTTP/1.1\nHost: localhost\n\n',
    'bare CR': 'GET / HTTP/1.1\r\nHost: localhost\r\nA: b\rc\r\n\r\n',
    'NUL': 'GET / HTTP/1.1\r\nHost: localhost\r\nA: \0\r\n\r\n',
    'no host': 'GET / HTTP/1.1\r\n\r\n',
    'two hosts': 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    **{f'two {name}': f'GET / HTTP/1.1\r\nHost: localhost\r\n{name}: a\r\nX: y\r\n{name.lower()}: b'
                      '\r\n\r\n'
       for name in ('Authorization', 'X-Api-Key', 'Api-Key', 'X-LLMGR-User', 'X-LLMGR-User*',
                    'X-LLMGR-Model', 'Idempotency-Key', 'Content-Type', 'Origin')},
    'no version': 'GET /\r\n\r\n',
    'a TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
}


@pytest.mark.parametrize('name', BAD)
def test_malformed_heads_are_refused_and_the_connection_closed(serving, name):
    wire = serving.wire()
    wire.send(BAD[name].encode('latin-1'))
    answer = wire.answer()
    assert answer.status in (400, 505), answer.raw
    assert answer.json['error']['message']
    assert answer.fields['connection'] == 'close'
    assert wire.closed()


@pytest.mark.parametrize('chunk', ['0x1\r\na\r\n0\r\n\r\n', '-1\r\n', '1\na\r\n', '1 \r\na\r\n',
                                   'fffffffffffffffff\r\n', '1\r\nab\r\n', '1_0\r\n', 'g\r\n',
                                   '1;\r\na\r\n', '1;a=\r\n', '1;a="b\r\n', '1;a b\r\n',
                                   '1;a=b \r\n', '1;a="\0"\r\n', '1;a\nb\r\n'])
def test_malformed_chunks_are_refused_and_the_connection_closed(serving, chunk):
    wire = serving.wire()
    before = len(serving.mock.requests())
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
              + chunk)
    assert wire.answer().status == 400
    assert wire.closed()
    assert len(serving.mock.requests()) == before


def test_over_long_heads_are_431_or_414(serving):
    wire = serving.wire()
    wire.send('GET / HTTP/1.1\r\nHost: localhost\r\nA: ' + 'x' * 40000 + '\r\n\r\n')
    assert wire.answer().status == 431
    wire = serving.wire()
    wire.send('GET /' + 'x' * 9000 + ' HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert wire.answer().status == 414
    wire = serving.wire()
    wire.send('GET / HTTP/1.1\r\nHost: localhost\r\n' + 'A: b\r\n' * 200 + '\r\n')
    assert wire.answer().status == 431


def test_an_over_large_body_is_413_before_it_is_read(serving):
    wire = serving.wire()
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n')
    answer = wire.answer()
    assert answer.status == 413 and answer.fields['connection'] == 'close'
    wire = serving.wire()
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
    wire.send(('100000\r\n' + 'x' * 0x100000 + '\r\n') * 5)
    assert wire.answer().status == 413


def test_a_request_byte_by_byte(serving):
    wire = serving.wire()
    for byte in post().encode():
        wire.send(bytes([byte]))
    assert wire.answer().status == 200


@pytest.mark.parametrize('size', [1, 2, 7, 100])
def test_a_chunked_body_in_pieces(serving, size):
    wire = serving.wire()
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
    for at in range(0, len(BODY), size):
        piece = BODY[at:at + size]
        wire.send(f'{len(piece):x};ext=1\r\n{piece}\r\n')
    wire.send('0\r\nTrailer: x\r\n\r\n')
    assert wire.answer().status == 200
    wire.send(post())
    assert wire.answer().status == 200


def test_pipelined_requests_are_answered_in_order(serving):
    wire = serving.wire()
    wire.send(post() + 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
              + post(json.dumps({**ASK, 'stream': True})) + 'GET /nothing HTTP/1.1\r\n'
              'Host: localhost\r\n\r\n' + post())
    assert 'choices' in wire.answer().json
    assert wire.answer().json['name'] == 'llmgr'
    assert wire.answer().events[-1] == '[DONE]'
    assert wire.answer().status == 404
    assert 'choices' in wire.answer().json


def test_a_hundred_pipelined_requests(serving):
    wire = serving.wire()
    wire.send(post() * 100)
    for _ in range(100):
        assert wire.answer().status == 200


def test_keep_alive_and_close(serving):
    wire = serving.wire()
    for _ in range(3):
        answer = serving.ask(body=ASK, wire=wire)
        assert answer.status == 200 and 'connection' not in answer.fields
    wire.send(post(BODY, 'Connection: close'))
    assert wire.answer().fields['connection'] == 'close'
    assert wire.closed()


def test_http_1_0(serving):
    wire = serving.wire()
    wire.send(post(line=f'POST {CHAT} HTTP/1.0'))
    assert wire.answer().status == 200
    assert wire.closed()
    wire = serving.wire()
    wire.send(post(json.dumps({**ASK, 'stream': True}), line=f'POST {CHAT} HTTP/1.0'))
    answer = wire.answer()
    assert 'transfer-encoding' not in answer.fields and answer.events[-1] == '[DONE]'
    wire = serving.wire()
    wire.send(post(BODY, 'Connection: keep-alive', line=f'POST {CHAT} HTTP/1.0'))
    assert wire.answer().fields['connection'] == 'keep-alive'
    wire.send(post(line=f'POST {CHAT} HTTP/1.0'))
    assert wire.answer().status == 200


def test_expect_100_continue(serving):
    wire = serving.wire()
    head, body = post(BODY, 'Expect: 100-continue').split('\r\n\r\n', 1)
    wire.send(head + '\r\n\r\n')
    assert wire.answer().status == 100
    wire.send(body)
    assert wire.answer().status == 200


def test_no_100_continue_for_what_is_refused(serving):
    wire = serving.wire()
    head, _ = post(BODY, 'Expect: 100-continue', line='POST /nothing HTTP/1.1').split('\r\n\r\n', 1)
    wire.send(head + '\r\n\r\n')
    assert wire.answer().status == 404
    assert wire.closed()


def test_an_error_with_its_body_at_hand_keeps_the_connection(serving):
    wire = serving.wire()
    wire.send(post(line='POST /nothing HTTP/1.1') + post())
    assert wire.answer().status == 404
    assert wire.answer().status == 200


def test_head_and_options(serving):
    wire = serving.wire()
    wire.send('HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    answer = wire.answer(head_only=True)
    assert answer.status == 200 and int(answer.fields['content-length']) > 0
    wire.send(f'OPTIONS {CHAT} HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert wire.answer().status == 204
    wire.send(f'DELETE {CHAT} HTTP/1.1\r\nHost: localhost\r\n\r\n')
    answer = wire.answer()
    assert answer.status == 405 and answer.fields['allow'] == 'POST'
    wire.send('TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert wire.answer().status == 501


def test_pages_of_other_sites_may_not_call_without_a_token(serving):
    assert serving.chat(fields={'Origin': 'https://evil.example'}).status == 403
    assert serving.chat(fields={'Origin': 'http://localhost:3000'}).status == 200
    wire = serving.wire()
    wire.send(post(host='Host: rebound.example'))
    assert wire.answer().status == 403


def test_request_ids(serving):
    assert serving.chat(fields={'x-request-id': 'mine-1'}).fields['x-request-id'] == 'mine-1'
    for bad in ('a b', 'x' * 200, '"'):
        assert serving.chat(fields={'x-request-id': bad}).fields['x-request-id'].startswith('req_')
    seen = {serving.chat().fields['x-request-id'] for _ in range(20)}
    assert len(seen) == 20


@pytest.mark.parametrize('path', ['/v1/../admin', '/v1/%2e%2e/x', '/v1/./x', '/etc/passwd'])
def test_paths_that_lead_elsewhere_are_404(serving, path):
    assert serving.ask(path, ASK).status == 404


def test_a_head_that_does_not_arrive_is_408_and_a_silent_client_is_left(serving):
    wire = serving.wire()
    wire.send('GET / HTT')
    assert wire.answer().status == 408
    assert wire.closed()
    assert serving.wire().closed()


def test_a_body_that_does_not_arrive_is_408(serving):
    wire = serving.wire()
    wire.send(post()[:-5])
    assert wire.answer().status == 408
    assert wire.closed()


def test_clients_that_leave_at_any_byte_disturb_nobody(serving):
    request = post(json.dumps({**ASK, 'model': 'Split', 'stream': True})).encode()
    for at in range(0, len(request), 3):
        wire = serving.wire()
        wire.send(request[:at])
        wire.close()
    whole = len(serving.chat('Split', stream=True).raw)
    for at in range(0, whole, 97):
        wire = serving.wire()
        wire.send(request)
        wire.exactly(at)
        wire.close()
    assert serving.chat().status == 200


def anonymous_kib(process):
    """Memory of a process that is no file's, in KiB."""
    with open(f'/proc/{process.pid}/status', encoding='utf-8') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('RssAnon'))


def test_a_slow_reader_is_served_in_bounded_memory(serving):
    before = anonymous_kib(serving.process)
    wire = serving.wire()
    try:
        wire.send(post(json.dumps({**ASK, 'model': 'Flood', 'stream': True})))
        wire.until(b'data: ')
        time.sleep(1)  # the flood stands still behind a full socket
        assert anonymous_kib(serving.process) - before < 16 * 1024
        assert serving.chat().status == 200
    finally:
        wire.close()
    end = time.monotonic() + PATIENCE_S
    while 'llmgr_requests_in_flight 1' not in serving.ask('/metrics', method='GET').body.decode():
        assert time.monotonic() < end, 'the flood goes on'
        time.sleep(0.05)


def pace(wire, seconds, size=8192):
    """Reads a little, often, for so long: a reader that is slow and steady."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        wire.rest += wire.socket.recv(size)
        time.sleep(0.02)


def reader(server, size):
    """A connection that has asked for an answer of `size` bytes and takes little at a time."""
    wire = server.wire(receive=4096)
    body = json.dumps({'model': 'Echo', 'messages': [{'role': 'user', 'content': 'x' * size}]})
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n'
              + body)
    return wire


def test_a_slow_reader_lives_and_one_that_stops_does_not(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    llmgr.env['LLMGR_WRITE_TIMEOUT'] = '1500ms'
    server = Serving(llmgr)
    slow, stopped = reader(server, 12_000_000), reader(server, 12_000_000)
    pace(slow, 5)
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    answer = slow.answer()
    assert answer.status == 200 and answer.whole and len(answer.body) > 12_000_000
    end = time.monotonic() + PATIENCE_S
    while 'llmgr_client_gone_total 1' not in server.ask('/metrics', method='GET').body.decode():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not stopped.answer().whole
    server.stop()
