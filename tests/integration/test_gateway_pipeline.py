# SPDX-License-Identifier: MIT
"""Clients that send one request behind another and read late, or slowly, or not at all."""
import json
import re
import select
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import PATIENCE_S, Llmgr, Mockllm
from serving import ASK, CHAT, Serving, configure
from stress import SANITIZED

MANY = 10_000
ARGS = {'plain': [], 'tls': ['--tls-cert', 'own.pem', '--tls-key', 'own.key']}
PLACES = list(ARGS)


def certificate(folder):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
                    '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout',
                    folder / 'own.key', '-out', folder / 'own.pem'],
                   check=True, capture_output=True, timeout=60)


@pytest.fixture(name='places', scope='module')
def places_fixture(tmp_path_factory):
    """The same server with TLS and without."""
    folder = tmp_path_factory.mktemp('pipeline')
    mock = Mockllm(folder)
    certificate(folder)
    servers = {}
    for place, args in ARGS.items():
        llmgr = Llmgr(folder, f'sqlite:{folder}/{place}.db')
        configure(llmgr, mock.base_url)
        servers[place] = Serving(llmgr, *args)
        servers[place].certificate = folder / 'own.pem' if place == 'tls' else None
    yield servers
    for server in servers.values():
        server.stop()
    mock.stop()


class Shared:
    """A TLS connection that one thread writes to while another reads it: one of them at a time, as
    OpenSSL demands (without, now and then a record is spoilt)."""

    def __init__(self, connection):
        self.connection, self.lock = connection, threading.Lock()
        connection.settimeout(0)

    def __getattr__(self, name):
        return getattr(self.connection, name)

    def settimeout(self, _):
        pass

    def turn(self, act, writes=False):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with self.lock:
                try:
                    return act()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
            select.select([self.connection], [self.connection] if writes else [], [], 0.02)
        raise TimeoutError

    def recv(self, size):
        return self.turn(lambda: self.connection.recv(size))

    def sendall(self, data):
        rest = memoryview(data)
        while rest:
            piece = rest[:16384]
            rest = rest[self.turn(lambda: self.connection.send(piece), writes=True):]


def late(server, **more):
    """A connection whose client has little room for answers."""
    wire = server.wire(receive=4096, tls=server.certificate, **more)
    wire.socket.settimeout(PATIENCE_S)
    if server.certificate:
        wire.socket = Shared(wire.socket)
    return wire


def request(path, method='GET', body='', *fields):
    lines = [f'{method} {path} HTTP/1.1', 'Host: localhost', *fields]
    if body:
        lines.append(f'Content-Length: {len(body)}')
    return '\r\n'.join(lines) + '\r\n\r\n' + body


def chat(text, model='Echo', *fields, **more):
    body = json.dumps({'model': model, 'messages': [{'role': 'user', 'content': text}], **more})
    return request(CHAT, 'POST', body, *fields)


def said(answer):
    """What a chat with Echo asked for."""
    echoed = json.loads(answer.body)['choices'][0]['message']['content']
    return json.loads(echoed)['messages'][0]['content']


def metric(server, name):
    text = server.ask('/metrics', method='GET', wire=server.wire(tls=server.certificate)).body
    return int(re.search(rf'^{re.escape(name)} (\d+)', text.decode(), re.M).group(1))


def fewest(server):
    """Connections that stay: one that asked before may still be on its way out."""
    return min(metric(server, 'llmgr_connections') for _ in range(10))


def rss(server):
    with open(f'/proc/{server.process.pid}/status', encoding='utf-8') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('RssAnon'))


def completed(server):
    return metric(server, 'llmgr_attempts_total{end="completed"}')


def still(server):
    """Attempts that are completed, once they no longer grow."""
    before, end = -1, time.monotonic() + PATIENCE_S
    while (now := completed(server)) != before:
        assert time.monotonic() < end
        before = now
        time.sleep(0.5)
    return now


def sent_from_behind(wire, text):
    """Sends while somebody else may read."""
    def send():
        try:
            wire.send(text)
        except OSError:
            pass  # the server has ended the connection: what came back tells the test
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def answers(wire, count):
    """So many, read in big pieces."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    found = []
    for _ in range(count):
        found.append(wire.answer())
    return found


@pytest.mark.parametrize('place', PLACES)
def test_thousands_of_pipelined_chats_read_late_are_all_answered_in_order(places, place):
    server = places[place]
    wire = late(server)
    before = completed(server)
    began = rss(server)
    sender = sent_from_behind(wire, ''.join(chat(f'number {n}') for n in range(MANY)))
    run = still(server) - before
    assert run < MANY, 'all of it was run for a client that reads nothing'
    assert metric(server, 'llmgr_requests_in_flight') <= 1 + 1
    assert SANITIZED or rss(server) - began < 16 * 1024
    for n, answer in enumerate(answers(wire, MANY)):
        assert answer.status == 200 and said(answer) == f'number {n}', n
    sender.join(PATIENCE_S)
    assert not sender.is_alive()
    assert still(server) - before == MANY
    wire.close()


@pytest.mark.parametrize('place', PLACES)
def test_answers_of_every_kind_stand_in_order_in_a_late_pipeline(places, place):
    server = places[place]
    wire = late(server)
    big = 'x' * 300_000
    round_of = [
        (request('/v1/models'), lambda a: a.status == 200 and a.json['object'] == 'list'),
        (chat(big), lambda a: said(a) == big),
        (request('/nothing'), lambda a: a.status == 404),
        (request('/v1/models', 'DELETE'), lambda a: a.status == 405),
        (request('/api/v1/me'), lambda a: a.status < 500),
        (chat('a stream', 'Mock', stream=True), lambda a: a.events[-1] == '[DONE]'),
        (request('/v1/files', 'POST', 'y' * 100_000, 'X-LLMGR-Model: Echo',
                 'Content-Type: text/plain'), lambda a: a.status < 500),
        (chat('expected', 'Echo', 'Expect: 100-continue'), lambda a: said(a) == 'expected'),
    ]
    rounds = 40
    text = ''.join(text for text, _ in round_of) * rounds
    before = completed(server)
    sender = sent_from_behind(wire, text)
    assert still(server) - before < rounds * 4
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    for at in range(rounds):
        for number, (_, is_good) in enumerate(round_of):
            answer = wire.answer()
            if answer.status == 100:
                answer = wire.answer()
            assert answer.whole and is_good(answer), (at, number, answer.status)
    sender.join(PATIENCE_S)
    wire.close()


@pytest.mark.parametrize('place', PLACES)
def test_what_follows_a_close_is_not_run_and_the_late_answer_comes_whole(places, place):
    server = places[place]
    wire = late(server)
    before = completed(server)
    big = 'x' * 6_000_000
    sender = sent_from_behind(
        wire, chat(big) + chat(big, 'Echo', 'Connection: close') + chat('never') * 20)
    while completed(server) - before < 2:  # the end of the answer is here, not yet at the client
        for _ in range(8):
            wire.rest += wire.socket.recv(4096)
    time.sleep(3.5)  # longer than a connection that is over lingers
    first, second = answers(wire, 2)
    assert first.whole and said(first) == big
    assert second.whole and said(second) == big
    assert second.fields['connection'] == 'close'
    assert wire.closed()
    sender.join(PATIENCE_S)
    assert still(server) - before == 2


@pytest.mark.parametrize('place', PLACES)
def test_an_end_of_the_client_s_direction_loses_no_answer_that_is_complete(places, place):
    server = places[place]
    wire = late(server)
    big = 'x' * 4_000_000
    wire.send(chat(big))
    assert wire.more()  # before its answer began, the end would mean that the client left
    still(server)
    if place == 'plain':
        wire.send(request('/v1/models') * 1000)
        wire.socket.shutdown(socket.SHUT_WR)
    time.sleep(1)
    answer, = answers(wire, 1)
    if not answer.whole:
        # The platform's last bytes were not here yet: then the end meant that the client left.
        assert place == 'plain'
    else:
        assert said(answer) == big
    wire.close()


def test_requests_sent_before_the_end_of_a_client_s_direction_are_served(places):
    wire = places['plain'].wire()
    wire.send(request('/') * 300)
    wire.socket.shutdown(socket.SHUT_WR)
    for _ in range(300):
        assert wire.answer().status == 200
    assert wire.closed()


def test_one_connection_s_pipeline_leaves_others_their_turn(places):
    """However much is sent at once, few of its requests run before somebody else's."""
    server = places['plain']
    greedy, other = late(server), server.wire()
    sender = sent_from_behind(greedy, request('/metrics') * 4000)
    for _ in range(20):
        other.send(request('/v1/models'))
        assert other.answer().status == 200
    time.sleep(1)
    for answer in answers(greedy, 4000):
        assert answer.status == 200
    sender.join(PATIENCE_S)


def test_a_drain_ends_a_queued_pipeline_behind_whole_answers(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    server = Serving(llmgr)
    server.certificate = None
    wire = late(server)
    big = 'x' * 300_000
    sender = sent_from_behind(wire, chat(big) * 60)
    still(server)
    server.signal(signal.SIGTERM)
    time.sleep(2)
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    count = 0
    while True:
        answer = wire.answer()
        assert answer.whole and said(answer) == big
        count += 1
        if answer.fields.get('connection') == 'close':
            break
    assert 0 < count < 60
    assert wire.closed()
    sender.join(PATIENCE_S)
    server.stop()


def test_the_write_timeout_runs_only_while_bytes_wait(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    llmgr.env |= {'LLMGR_WRITE_TIMEOUT': '1s', 'LLMGR_PING_INTERVAL': '0'}
    server = Serving(llmgr)
    server.certificate = None
    # The next answer comes late, behind one that had to wait for its reader.
    wire = late(server)
    big = 'x' * 6_000_000
    wire.send(chat(big) + chat('later', 'Silent') + chat('never'))
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:  # slow and steady
        wire.rest += wire.socket.recv(8192)
        time.sleep(0.02)
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    assert said(wire.answer()) == big
    wire.socket.settimeout(3)  # nothing waits for the client now: nothing ends it
    with pytest.raises(TimeoutError):
        wire.socket.recv(1)
    wire.close()
    # Answered, and not taken: cut, though no request is under way.
    before = fewest(server)
    wire = late(server)
    sender = sent_from_behind(wire, chat('x' * 300_000) * 60)
    end = time.monotonic() + PATIENCE_S
    while fewest(server) > before and time.monotonic() < end:
        time.sleep(0.2)
    assert fewest(server) == before
    assert completed(server) < 60
    sender.join(PATIENCE_S)
    server.stop()
