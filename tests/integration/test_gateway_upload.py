# SPDX-License-Identifier: MIT
"""Bodies of native paths that are passed on as they come: files, forms, whatever their size."""
import json
import os
import re
import time

import pytest

from conftest import PATIENCE_S
from serving import Platform, Serving, chunk, configure

PATH = '/v1/audio/transcriptions'
PIECE = os.urandom(1 << 20)
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'


@pytest.fixture(name='platform')
def platform_fixture():
    made = Platform()
    yield made
    made.close()


@pytest.fixture(name='serving')
def serving_fixture(llmgr, platform):
    configure(llmgr, platform.base_url, {'Ears': 'whisper-1'})
    llmgr.env.update({'LLMGR_BODY_MAX': '64KiB', 'LLMGR_UPLOAD_MAX': '256MiB'})
    server = Serving(llmgr)
    yield server
    server.stop()


def head(*fields, path=PATH, model='Ears', kind='audio/wav'):
    lines = [f'POST {path} HTTP/1.1', 'Host: localhost', f'X-LLMGR-Model: {model}',
             f'Content-Type: {kind}', *fields]
    return '\r\n'.join(lines) + '\r\n\r\n'


def rss(server):
    status = open(f'/proc/{server.process.pid}/status', encoding='ascii').read()
    return int(re.search(r'VmRSS:\s+(\d+)', status).group(1)) * 1024


def last_row(llmgr):
    """The end state that the one attempt so far was recorded with."""
    end = time.monotonic() + PATIENCE_S
    while llmgr.json('usage')['total']['attempts'] < 1:
        assert time.monotonic() < end
        time.sleep(0.05)
    return llmgr.json('usage')['total']


def test_a_file_beyond_body_max_passes_while_it_comes(serving, platform):
    client, count = serving.wire(), 100
    client.send(head(f'Content-Length: {count * len(PIECE)}').encode() + PIECE[:1])
    peer = platform.accept()
    sent = peer.until(b'\r\n\r\n').lower()
    assert f'content-length: {count * len(PIECE)}\r\n'.encode() in sent
    assert b'post /v1/audio/transcriptions ' in sent and b'x-llmgr-model' not in sent
    before = rss(serving)
    client.send(PIECE[1:])
    assert peer.exactly(len(PIECE)) == PIECE
    for _ in range(count - 1):
        client.send(PIECE)
        assert peer.exactly(len(PIECE)) == PIECE
    if not any(name in os.environ for name in ('ASAN_OPTIONS', 'TSAN_OPTIONS')):
        assert rss(serving) - before < 16 << 20
    peer.send(OK)
    answer = client.answer()
    assert answer.status == 200 and answer.body == b'{}'
    assert answer.fields.get('connection') != 'close'
    total = last_row(serving.llmgr)
    assert total['completed'] == 1


def test_a_chunked_body_stays_chunked(serving, platform):
    client = serving.wire()
    client.send(head('Transfer-Encoding: chunked').encode() + chunk(PIECE[:1000]))
    peer = platform.accept()
    assert b'transfer-encoding: chunked\r\n' in peer.until(b'\r\n\r\n').lower()
    client.send(chunk(PIECE[1000:200000]) + b'0\r\n\r\n')
    body = b''
    while size := int(peer.until(b'\r\n'), 16):
        body += peer.exactly(size + 2)[:-2]
    peer.until(b'\r\n')
    assert body == PIECE[:200000]
    peer.send(OK)
    assert client.answer().status == 200


def test_a_small_file_that_is_there_at_once_passes_whole(serving, platform):
    client = serving.wire()
    client.send(head('Content-Length: 4') + 'RIFF')
    peer = platform.accept()
    assert b'content-length: 4\r\n' in peer.until(b'\r\n\r\n').lower()
    assert peer.exactly(4) == b'RIFF'
    peer.send(OK)
    assert client.answer().status == 200


def read_chunks(peer):
    body = b''
    while size := int(peer.until(b'\r\n'), 16):
        body += peer.exactly(size + 2)[:-2]
    peer.until(b'\r\n')
    return body


def form(model, size):
    part = b'' if model is None else (
        b'--xx\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + model + b'\r\n')
    return (b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            + PIECE[:size] + b'\r\n' + part + b'--xx--\r\n')


@pytest.mark.parametrize('model', [b'Ears', b'some-other-model', None])
def test_a_form_has_its_model_replaced_on_the_way(serving, platform, model):
    client, body = serving.wire(), form(model, 500000)
    client.send(head(f'Content-Length: {len(body)}', kind='multipart/form-data; boundary=xx'))
    client.send(body)
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    assert read_chunks(peer) == form(b'whisper-1', 500000)
    peer.send(OK)
    assert client.answer().status == 200


def test_a_broken_form_never_ends_for_the_platform(serving, platform):
    client, body = serving.wire(), form(b'Ears', 200000) + b'--xx trailing'
    client.send(head(f'Content-Length: {len(body)}', kind='multipart/form-data; boundary=xx'))
    client.send(body)
    peer = platform.accept()
    assert client.answer().status == 400
    while peer.more():
        pass
    assert not peer.rest.endswith(b'0\r\n\r\n')


def test_the_word_to_go_on_comes_when_the_platform_is_there(serving, platform):
    client = serving.wire()
    client.send(head('Content-Length: 200000', 'Expect: 100-continue',
                     kind='multipart/form-data; boundary=xx'))
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    assert client.answer().status == 100
    client.close()
    peer.closed()


def test_the_word_to_go_on_for_a_file(serving, platform):
    client = serving.wire()
    client.send(head('Content-Length: 100000', 'Expect: 100-continue'))
    assert client.answer().status == 100
    client.send(PIECE[:100000])
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    assert peer.exactly(100000) == PIECE[:100000]
    peer.send(OK)
    assert client.answer().status == 200


def test_a_platform_that_does_not_read_stops_the_client(serving, platform):
    client = serving.wire()
    client.send(head('Content-Length: 200000000'))
    client.socket.settimeout(0.5)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 200_000_000:
            sent += client.socket.send(PIECE)
    assert sent < 64 << 20  # what kernels hold, and a little of ours
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    assert peer.exactly(sent) == (PIECE * (sent // len(PIECE) + 1))[:sent]
    client.close()
    assert peer.closed()


def test_a_client_that_leaves_in_the_middle_ends_the_exchange(serving, platform):
    client = serving.wire()
    client.send(head('Content-Length: 1000000').encode() + PIECE[:5000])
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    assert peer.exactly(5000) == PIECE[:5000]
    client.close()
    assert peer.closed()
    assert last_row(serving.llmgr)['completed'] == 0


@pytest.mark.parametrize('rude', [False, True])
def test_a_platform_that_refuses_early_is_heard(serving, platform, rude):
    client = serving.wire()
    client.send(head('Content-Length: 100000000').encode() + PIECE)
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    body = b'{"error":{"message":"too large for us","type":"x","code":null,"param":null}}'
    peer.send(b'HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\n'
              b'Content-Length: %d\r\n\r\n' % len(body) + body)
    if rude:
        peer.close()  # with bytes unread: a reset
    answer = client.answer()
    assert answer.status == 413 and b'too large for us' in answer.body
    assert answer.fields['connection'] == 'close'
    client.closed()


def test_an_answer_may_begin_before_the_body_ends(serving, platform):
    client = serving.wire()
    client.send(head('Content-Length: 3000').encode() + PIECE[:1000])
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    peer.exactly(1000)
    peer.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk(b'one'))
    client.until(b'one')
    client.send(PIECE[1000:3000])
    assert peer.exactly(2000) == PIECE[1000:3000]
    peer.send(chunk(b'two') + b'0\r\n\r\n')
    client.until(b'two')
    client.until(b'0\r\n\r\n')


def test_a_body_that_stops_coming_is_late(llmgr, platform):
    configure(llmgr, platform.base_url, {'Ears': 'whisper-1'})
    llmgr.env['LLMGR_BODY_TIMEOUT'] = '200ms'
    server = Serving(llmgr)
    client = server.wire()
    client.send(head('Content-Length: 1000').encode() + PIECE[:10])
    peer = platform.accept()
    peer.until(b'\r\n\r\n')
    assert client.answer().status == 408
    while peer.more():
        pass
    server.stop()


def test_it_has_a_limit_of_its_own(serving, platform):
    client = serving.wire()
    client.send(head(f'Content-Length: {(256 << 20) + 1}'))
    assert client.answer().status == 413
    llmgr = serving.llmgr
    llmgr.env['LLMGR_UPLOAD_MAX'] = '100KiB'
    small = Serving(llmgr)
    client = small.wire()
    client.send(head('Transfer-Encoding: chunked').encode() + chunk(PIECE[:200000]))
    answer = client.answer()
    assert answer.status == 413 and answer.json['error']['message']
    small.stop()
    assert platform.accept().socket


@pytest.mark.parametrize('kind', ['text/plain', 'application/octet-stream'])
def test_json_under_another_name_is_read_all_the_same(serving, platform, kind):
    """A platform might read it whatever its type says: its model must be the one resolved."""
    body = ' {"model": "Ears", "input": "x"}'
    client = serving.wire()
    client.send(head(f'Content-Length: {len(body)}', kind=kind) + body)
    peer = platform.accept()
    sent = peer.until(b'\r\n\r\n').decode().lower()
    size = int(re.search(r'content-length: (\d+)', sent).group(1))
    assert json.loads(peer.exactly(size))['model'] == 'whisper-1'
    peer.send(OK)
    assert client.answer().status == 200
    client.send(head('Content-Length: 100000', kind=kind) + '{' + 'x' * 70000)
    assert client.answer().status == 413


def test_an_unknown_model_needs_no_body(serving):
    client = serving.wire()
    client.send(head('Content-Length: 100000', model='nobody', kind='multipart/form-data; '
                     'boundary=xx'))
    answer = client.answer()
    assert answer.status == 404 and answer.fields['connection'] == 'close'
