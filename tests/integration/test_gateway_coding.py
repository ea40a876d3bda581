# SPDX-License-Identifier: MIT
"""Compressed bodies: answers that nobody asked to be so, requests of clients that do it unasked."""
import ctypes
import gzip
import json
import os
import time
import zlib

import pytest

from conftest import PATIENCE_S
from serving import ASK, CHAT, Platform, Serving, configure


def zstd(data):
    library = ctypes.CDLL('libzstd.so.1')
    room = ctypes.create_string_buffer(len(data) + 1024)
    library.ZSTD_compress.restype = ctypes.c_size_t
    size = library.ZSTD_compress(room, ctypes.c_size_t(len(room)), data,
                                 ctypes.c_size_t(len(data)), 3)
    return room.raw[:size]


def brotli(data):
    library = ctypes.CDLL('libbrotlienc.so.1')
    room = ctypes.create_string_buffer(len(data) + 1024)
    size = ctypes.c_size_t(len(room))
    assert library.BrotliEncoderCompress(5, 22, 0, ctypes.c_size_t(len(data)), data,
                                         ctypes.byref(size), room)
    return room.raw[:size.value]


def raw_deflate(data):
    coder = zlib.compressobj(6, zlib.DEFLATED, -15)
    return coder.compress(data) + coder.flush()


CODINGS = {'gzip': gzip.compress, 'x-gzip': gzip.compress, 'deflate': zlib.compress,
           'Deflate': raw_deflate, 'zstd': zstd, 'br': brotli}

USAGE = {'prompt_tokens': 7, 'completion_tokens': 5, 'total_tokens': 12}
WHOLE = json.dumps({'id': 'x', 'choices': [{'index': 0, 'finish_reason': 'stop', 'message': {
    'role': 'assistant', 'content': 'hello'}}], 'usage': USAGE}).encode()
STREAM = b''.join(b'data: ' + json.dumps({'choices': [{'index': 0, 'delta': {'content': 'word '},
                                                       'finish_reason': None}]}).encode() + b'\n\n'
                  for _ in range(50)) + \
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n' + \
    b'data: ' + json.dumps({'choices': [], 'usage': USAGE}).encode() + b'\n\ndata: [DONE]\n\n'


class Peer:
    """A platform that answers with bytes as they are."""

    def __init__(self, llmgr):
        self.platform = Platform()
        configure(llmgr, self.platform.base_url, models={'Mock': 'm'})
        self.serving = Serving(llmgr)

    def answers(self, head, body, stream=False, pieces=1, framing='length', path=CHAT):
        """Sends the request, answers it so; the answer that reaches the caller."""
        ask = {**ASK, 'stream': True, 'stream_options': {'include_usage': True}} if stream else ASK
        data = json.dumps(ask).encode()
        wire = self.serving.wire()
        wire.send(f'POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n'
                  'Accept-Encoding: gzip, br\r\n\r\n'.encode() + data)
        peer = self.platform.accept()
        self.head = peer.until(b'\r\n\r\n').decode().lower()
        peer.exactly(int(self.head.split('content-length: ')[1].split('\r\n')[0]))
        frame = {'length': f'Content-Length: {len(body)}\r\n', 'close': '',
                 'chunked': 'Transfer-Encoding: chunked\r\n'}[framing]
        peer.send(f'HTTP/1.1 {head}\r\n{frame}\r\n'.encode())
        step = max(1, len(body) // pieces)
        for at in range(0, len(body), step):
            part = body[at:at + step]
            peer.send(b'%x\r\n%s\r\n' % (len(part), part) if framing == 'chunked' else part)
        if framing == 'chunked':
            peer.send(b'0\r\n\r\n')
        if framing == 'close':
            peer.close()
        answer = wire.answer()
        peer.close()
        wire.close()
        return answer

    def stop(self):
        self.serving.stop()
        self.platform.close()


@pytest.fixture(name='peer')
def peer_fixture(llmgr):
    peer = Peer(llmgr)
    yield peer
    peer.stop()


def total(llmgr, count):
    end = time.monotonic() + PATIENCE_S
    while True:
        found = llmgr.json('usage')['total']
        if found['attempts'] >= count or time.monotonic() > end:
            return found
        time.sleep(0.05)


# ---- Answers -------------------------------------------------------------------------------------

@pytest.mark.parametrize('coding', CODINGS)
@pytest.mark.parametrize('framing', ['length', 'chunked', 'close'])
def test_compressed_answers_are_read_and_arrive_plain(peer, llmgr, coding, framing):
    head = f'200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}'
    answer = peer.answers(head, CODINGS[coding](WHOLE), framing=framing)
    assert '\r\naccept-encoding: identity\r\n' in peer.head
    assert answer.status == 200 and answer.whole and answer.body == WHOLE
    assert 'content-encoding' not in answer.fields
    head = f'200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: {coding}'
    answer = peer.answers(head, CODINGS[coding](STREAM), True, 9, framing)
    assert answer.whole and answer.body == STREAM
    sums = total(llmgr, 2)
    assert sums['completed'] == 2
    assert sums['prompt_tokens'] == 14 and sums['completion_tokens'] == 10


@pytest.mark.parametrize('coding', CODINGS)
def test_a_compressed_refusal_is_readable(peer, coding):
    error = {'message': 'too long', 'code': 'context_length_exceeded'}
    body = json.dumps({'error': error}).encode()
    answer = peer.answers(f'400 Bad\r\nContent-Encoding: {coding}', CODINGS[coding](body))
    assert answer.status == 400 and answer.json['error']['code'] == 'context_length_exceeded'


@pytest.mark.parametrize('coding', ['gzip', 'zstd', 'br'])
def test_a_compressed_answer_that_is_cut_or_broken_never_ends_well(peer, llmgr, coding):
    head = f'200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: {coding}'
    coded = CODINGS[coding](STREAM)
    for body in (coded[:-20], coded[:len(coded) // 2] + b'\xff' * 40):
        for framing in ('length', 'close'):
            answer = peer.answers(head, body, True, framing=framing)
            assert b'[DONE]' not in answer.body or not answer.whole or b'error' in answer.body
    assert total(llmgr, 4)['completed'] <= 1  # its last event may have come


def peak(process):
    """What the process had of memory at most, in KiB."""
    with open(f'/proc/{process.pid}/status', encoding='ascii') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmHWM'))


@pytest.mark.skipif('ASAN_OPTIONS' in os.environ,
                    reason='the memory of a program under sanitizers is mostly theirs')
def test_what_is_small_and_becomes_large_passes_in_bounded_memory(peer):
    body = b'{"choices":[{"index":0,"message":{"content":"' + b'x' * 12_000_000 + b'"}}]}'
    before = peak(peer.serving.process)
    answer = peer.answers('200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip',
                          gzip.compress(body))
    assert answer.body == body
    assert peak(peer.serving.process) - before < 4000



@pytest.mark.parametrize('coding', ['gzip', 'zstd', 'br'])
def test_an_error_without_end_ends(peer, llmgr, coding):
    """Few bytes become many, of which nobody gets more than a text can use."""
    endless = b'{"error":{"message":"' + b'a' * (32 << 20)
    head = f'200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}'
    answer = peer.answers(head, CODINGS[coding](endless), framing='chunked')
    assert len(answer.body) < 1 << 20
    row = total(llmgr, 1)
    assert row['attempts'] == 1 and row['completed'] == 0


def test_a_long_answer_takes_turns_and_arrives_whole(peer):
    text = os.urandom(1 << 20).hex() * 4
    whole = WHOLE.replace(b'hello', text.encode())
    head = '200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip'
    for framing in ('length', 'chunked', 'close'):
        answer = peer.answers(head, gzip.compress(whole, 1), framing=framing)
        assert answer.whole and answer.body == whole

# ---- Requests ------------------------------------------------------------------------------------

def send(serving, coding, body, path=CHAT, kind='application/json', **fields):
    return serving.ask(path, raw=body, fields={'Content-Type': kind, 'Content-Encoding': coding,
                                               **fields})


@pytest.fixture(name='serving')
def serving_fixture(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    server = Serving(llmgr, env={'LLMGR_BODY_MAX': '1MiB'})
    yield server
    server.stop()


@pytest.mark.parametrize('coding', CODINGS)
def test_compressed_requests_are_decoded(serving, mockllm, coding):
    for size in (1, 60_000, 70_000, 700_000):
        body = {**ASK, 'messages': [{'role': 'user', 'content': 'ab' * (size // 2)}]}
        for path in (CHAT, '/v1/moderations'):
            answer = send(serving, coding, CODINGS[coding](json.dumps(body).encode()), path)
            assert answer.status == 200, answer.body
            sent = mockllm.last()
            assert sent.json == {**body, 'model': 'mock-small'}
            assert 'content-encoding' not in sent.headers
            assert sent.headers['content-length'] == str(len(sent.body))


@pytest.mark.parametrize('coding', ['gzip', 'zstd', 'br'])
def test_a_compressed_form_is_decoded(serving, mockllm, coding):
    body = ('--xx\r\nContent-Disposition: form-data; name="model"\r\n\r\nMock\r\n--xx--\r\n')
    kind = 'multipart/form-data; boundary=xx'
    for fields in ({}, {'X-LLMGR-Model': 'Mock'}):
        answer = send(serving, coding, CODINGS[coding](body.encode()), '/v1/audio/transcriptions',
                      kind, **fields)
        assert answer.status == 200, answer.body
        assert mockllm.last().body == body.replace('Mock', 'mock-small')
        assert 'content-encoding' not in mockllm.last().headers


@pytest.mark.parametrize('coding', CODINGS)
def test_bombs_are_refused(serving, mockllm, coding):
    body = json.dumps({**ASK, 'x': 'y' * (1 << 20)}).encode()
    answer = send(serving, coding, CODINGS[coding](body))
    assert answer.status == 413 and '1048576' in answer.json['error']['message']
    before = peak(serving.process)
    for _ in range(4):
        assert send(serving, coding, CODINGS[coding](b' ' * 100_000_000)).status == 413
    if 'ASAN_OPTIONS' not in os.environ:
        assert peak(serving.process) - before < 4000
    assert mockllm.requests() == []


@pytest.mark.parametrize('coding', CODINGS)
def test_what_is_broken_or_cut_is_no_request(serving, mockllm, coding):
    coded = CODINGS[coding](json.dumps({**ASK, 'x': 'y' * 1000}).encode())
    for body in (coded[:-3], coded[:1], b'{"model":"Mock","messages":[]}'):
        answer = send(serving, coding, body)
        assert answer.status == 400 and answer.json['error']['type'] == 'invalid_request_error'
    assert mockllm.requests() == []


@pytest.mark.parametrize('coding', ['compress', 'gzip, gzip', 'br, gzip', 'nonsense'])
@pytest.mark.parametrize('path', [CHAT, '/v1/messages', '/v1/moderations'])
def test_other_codings_are_415_that_names_what_is_taken(serving, mockllm, coding, path):
    answer = send(serving, coding, b'x' * 100, path)
    assert answer.status == 415 and answer.fields['accept-encoding'] == 'gzip, deflate, br, zstd'
    error = answer.json['error']
    assert 'zstd' in error['message'] and error['type'] == 'invalid_request_error'
    assert error.get('code') in ('unsupported_media_type', None)  # Anthropic's errors have none
    assert mockllm.requests() == []
    assert send(serving, 'identity', json.dumps(ASK).encode(), path).status == 200


def test_our_own_routes_take_bodies_as_they_are(serving):
    for coding in ('gzip', 'br'):
        answer = send(serving, coding, gzip.compress(b'{}'), '/api/platforms')
        assert answer.status == 415


def test_what_describes_a_body_that_passes_goes_along(serving, mockllm):
    """On native paths: the coding, and all else that is said of bytes nobody here has read."""
    fields = {'Content-Language': 'de', 'Content-MD5': 'x==', 'Content-Range': 'bytes 0-3/9',
              'Content-Disposition': 'attachment; filename="a b"', 'Repr-Digest': 'sha-256=:x:',
              'Cookie': 'a=b', 'X-Other': 'y'}
    for more in ({}, {'X-LLMGR-Model': 'Mock'}):
        for coding in ('gzip', 'br'):
            body = gzip.compress(b'RIFF' * 100) if coding == 'gzip' else b'\x0b\x02\x80abc\x03'
            answer = send(serving, coding, body, '/v1/audio/raw', 'audio/wav', **fields, **more)
            assert answer.status == 200
            sent = mockllm.last().headers
            assert sent['content-encoding'] == coding and sent['content-type'] == 'audio/wav'
            for name in list(fields)[:5]:
                assert sent[name.lower()] == fields[name]
            assert 'cookie' not in sent and 'x-other' not in sent
    serving.ask('/v1/moderations', ASK, fields=fields)
    assert not [name for name in mockllm.last().headers
                if name.startswith('content-') and name not in ('content-type', 'content-length')]


def test_a_coding_that_nobody_here_reads_passes_whole(peer, llmgr):
    """Byte for byte, with its name; nothing is put in between, and its end is an end."""
    coded = bytes(range(256)) * 40
    for kind, stream in (('application/json', False), ('text/event-stream', True)):
        for framing in ('length', 'chunked'):
            answer = peer.answers(f'200 OK\r\nContent-Type: {kind}\r\nContent-Encoding: zz', coded,
                                  stream, framing=framing)
            assert answer.fields['content-encoding'] == 'zz'
            assert answer.fields['content-type'] == kind
            assert answer.whole and answer.body == coded
    assert total(llmgr, 4)['completed'] == 4


def test_the_command_line_reads_compressed_answers(llmgr):
    platform = Platform()
    configure(llmgr, platform.base_url, models={'Mock': 'm'})
    process = llmgr.start('chat', '--no-stream', 'hi', env={'MOCK_KEY': 'sk-1'}, stdout=-1)
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    body = gzip.compress(WHOLE)
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n'
              b'Content-Length: %d\r\n\r\n' % len(body) + body)
    assert process.communicate(timeout=PATIENCE_S)[0].decode().strip() == 'hello'
    peer.close()
    platform.close()
