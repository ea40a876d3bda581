# SPDX-License-Identifier: MIT
"""Bodies that come by drips: collected or passed on, they end when they are slower than the floor,
however regularly something comes. No times are asserted: who is slow never reaches the end."""
import time

import pytest

from conftest import PATIENCE_S
from serving import CHAT, MODELS, Serving, configure

UPLOAD = ('/v1/files', 'X-LLMGR-Model: Mock\r\nContent-Type: application/octet-stream\r\n')
COLLECTED = (CHAT, 'Content-Type: application/json\r\n')
# Nothing waits so long between two pieces as body_timeout; in a window many of them come.
ENV = {'LLMGR_BODY_TIMEOUT': '30s', 'LLMGR_BODY_RATE_WINDOW': '500ms'}


@pytest.fixture(name='serve')
def serve_fixture(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, {'Mock': MODELS['Mock']})
    started = []

    def serve(**env):
        started.append(Serving(llmgr, env={**ENV, **env}))
        return started[-1]
    yield serve
    for server in started:
        server.stop()


def begin(server, path, fields, framing):
    wire = server.wire()
    wire.send(f'POST {path} HTTP/1.1\r\nHost: localhost\r\n{fields}{framing}\r\n\r\n')
    return wire


def drip(wire, pieces, pause=0.02):
    """Sends them until the server answers; its answer, or None when all were sent."""
    wire.socket.setblocking(False)
    try:
        for piece in pieces:
            try:
                if wire.more():
                    break
            except BlockingIOError:
                pass
            wire.socket.setblocking(True)
            wire.send(piece)
            wire.socket.setblocking(False)
            time.sleep(pause)
        else:
            return None
    finally:
        wire.socket.setblocking(True)
        wire.socket.settimeout(PATIENCE_S)
    return wire.answer()


@pytest.mark.parametrize('path, fields', [UPLOAD, COLLECTED])
@pytest.mark.parametrize('framing, piece', [('Content-Length: 1000000', b'x'),
                                            ('Transfer-Encoding: chunked', b'1\r\nx\r\n')])
def test_a_body_by_drips_ends(serve, mockllm, path, fields, framing, piece):
    server = serve()
    answer = drip(begin(server, path, fields, framing), [piece] * 1500)
    assert answer is not None and answer.status == 408, 'it could go on'
    assert b'did not arrive in time' in answer.body and b'"request_timeout"' in answer.body
    assert answer.fields['connection'] == 'close'
    assert server.chat().status == 200


def test_a_slow_body_above_the_floor_arrives(serve, mockllm):
    server = serve()
    body = b'{"model": "Mock", "messages": [], "pad": "' + b'x' * 100000 + b'"}'
    wire = begin(server, *COLLECTED, f'Content-Length: {len(body)}')
    assert drip(wire, [body[i:i + 1000] for i in range(0, len(body), 1000)]) is None
    assert wire.answer().status == 200


def test_the_floor_can_be_taken_away(serve):
    server = serve(LLMGR_BODY_RATE_MIN='0')
    body = b'{"model": "Mock", "messages": []}'
    wire = begin(server, *COLLECTED, f'Content-Length: {len(body)}')
    assert drip(wire, [body[i:i + 1] for i in range(len(body))], 0.05) is None
    assert wire.answer().status == 200


def test_who_waits_for_a_platform_is_not_slow(serve, llmgr):
    """The platform takes nothing for several windows; what there was room for was sent."""
    from serving import Platform
    platform = Platform()
    configure(llmgr, platform.base_url, {'Mock': MODELS['Mock']})
    llmgr.ok('init')
    server = serve()
    size = 24 << 20
    wire = begin(server, *UPLOAD, f'Content-Length: {size}')
    block = b'x' * 65536
    wire.send(block)
    sent = len(block)
    behind = platform.accept()
    wire.socket.setblocking(False)
    quiet = 0
    while quiet < 100 and sent < size:  # until nothing moves any more
        try:
            sent += wire.socket.send(block[:size - sent])
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.02)
    assert sent < size
    got = 0
    behind.socket.settimeout(PATIENCE_S)
    wire.socket.settimeout(PATIENCE_S)
    while sent < size:
        got += len(behind.socket.recv(1 << 20))
        wire.socket.setblocking(False)
        try:
            sent += wire.socket.send(block[:size - sent])
        except BlockingIOError:
            pass
        wire.socket.settimeout(PATIENCE_S)
    while got < size:
        got += len(behind.socket.recv(1 << 20))
    behind.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')
    assert wire.answer().status == 200
    platform.close()
