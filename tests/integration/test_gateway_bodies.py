# SPDX-License-Identifier: MIT
"""Large request bodies, many at once: memory for them is limited, and everybody is answered."""
import json
import re
import signal
import threading
import time

import pytest

from conftest import PATIENCE_S
from serving import CHAT, Serving, chunk, configure
from stress import SANITIZED

MIB = 1 << 20
MODELS = {'Mock': 'mock-small', 'Echo': 'mock-echo',
          'More': '{model_name: mock-echo+slow-1, extra_body: {extra_one: 1, n: [2]}}'}


def metric(server, name):
    text = server.ask('/metrics', method='GET').body.decode()
    return int(re.search(rf'^{re.escape(name)} (\d+)', text, re.M).group(1))


def rss(server):
    with open(f'/proc/{server.process.pid}/status', encoding='utf-8') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('RssAnon')) / 1024


def eventually(good, what):
    end = time.monotonic() + PATIENCE_S
    while not good():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def small_values(size, model='Mock'):
    """Much to look through for its size."""
    head = b'{"messages":[{"role":"user","content":"hi"}],"model":"' + model.encode() + b'","n":['
    return head + b'1,' * ((size - len(head)) // 2 - 2) + b'1]}'


def head(size=None, path=CHAT):
    how = 'Transfer-Encoding: chunked' if size is None else f'Content-Length: {size}'
    return f'POST {path} HTTP/1.1\r\nHost: localhost\r\n{how}\r\n\r\n'.encode()


def is_refused(answer):
    error = answer.json['error']  # Anthropic's has no code
    return answer.status == 503 and int(answer.fields['retry-after']) > 0 \
        and error.get('code', error['type']) in ('server_overloaded', 'overloaded_error')


def wait_held(server, size):
    eventually(lambda: metric(server, 'llmgr_bodies_bytes') >= size, 'the body is not let in')


@pytest.fixture(name='start')
def start_fixture(llmgr, mockllm):
    servers = []

    def start(**options):
        configure(llmgr, mockllm.base_url, models=MODELS)
        llmgr.env |= {f'LLMGR_{name.upper()}': value for name, value in options.items()}
        servers.append(Serving(llmgr))
        return servers[-1]
    yield start
    for server in servers:
        server.stop()


def test_many_large_bodies_stay_within_their_budget_and_all_are_answered(start):
    server = start(bodies_max='64MiB')
    server.chat()
    began = rss(server)
    body = small_values(10 * MIB)
    answers, most, peak = [], 0, 0

    def send():
        wire = server.wire()
        wire.send(head(len(body)) + body)
        answers.append(wire.answer())
        wire.close()
    threads = [threading.Thread(target=send) for _ in range(24)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, metric(server, 'llmgr_bodies_bytes'))
        peak = max(peak, rss(server))
        assert server.chat().status == 200
    assert len(answers) == 24
    assert all(answer.status == 200 or is_refused(answer) for answer in answers)
    assert any(answer.status == 200 for answer in answers)
    assert 20 * MIB < most <= 64 * MIB
    # What was read ahead of those that waited is some of it.
    assert SANITIZED or peak - began < 64 + 24
    eventually(lambda: metric(server, 'llmgr_bodies_bytes') <= 2 * MIB, 'bodies are still held')
    eventually(lambda: SANITIZED or rss(server) - began < 16, 'the memory is not given back')
    assert server.ask(raw=body).status == 200


def test_a_large_body_is_passed_on_with_what_has_to_change(start):
    """What is looked through beside the loop: JSON, with extra_body and without; forms."""
    server = start()
    content = ''.join(f'{n} \u00e4' for n in range(100_000))
    for model, changed in (('Echo', {'model': 'mock-echo'}),
                           ('More', {'model': 'mock-echo+slow-1', 'extra_one': 1, 'n': [2]})):
        asked = {'model': model, 'messages': [{'role': 'user', 'content': content}],
                 'n': [1] * 200_000}
        answer = server.ask(body=asked)
        assert answer.status == 200
        echoed = json.loads(answer.json['choices'][0]['message']['content'])
        assert echoed == {**asked, **changed}
    answer = server.ask(raw=small_values(MIB)[:-1] + b',}')
    assert answer.status == 400 and b'is not a JSON object' in answer.body
    for end, status in ((b'\r\n--b--\r\n', None), (b'', 400)):
        form = (b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nEcho\r\n--b\r\n'
                b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
                + b'x' * MIB + end)
        wire = server.wire()
        wire.send(b'POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n'
                  b'Content-Type: multipart/form-data; boundary=b\r\n'
                  b'Content-Length: %d\r\n\r\n' % len(form) + form)
        answer = wire.answer()
        assert (answer.status == 400) == (status == 400), answer.body


def test_who_finds_no_room_waits_unread_and_gets_it_next(start):
    server = start(bodies_max='16MiB')
    body = small_values(10 * MIB)
    first, second = server.wire(), server.wire()
    first.send(head(len(body)) + body[:1000])
    wait_held(server, 9 * MIB)
    sender = threading.Thread(target=lambda: second.send(head(len(body)) + body))
    sender.start()
    eventually(lambda: metric(server, 'llmgr_bodies_waited_total') == 1, 'nobody waits')
    assert metric(server, 'llmgr_bodies_bytes') < 11 * MIB
    # What is small does not wait behind it.
    for _ in range(5):
        assert server.chat().status == 200
    first.send(body[1000:])
    assert first.answer().status == 200
    assert second.answer().status == 200
    sender.join(PATIENCE_S)
    assert metric(server, 'llmgr_bodies_refused_total') == 0


@pytest.mark.parametrize('path', [CHAT, '/v1/messages'])
def test_who_waits_too_long_is_refused_in_the_caller_s_dialect(start, path):
    server = start(bodies_max='16MiB', body_timeout='2s')
    first, second = server.wire(), server.wire()
    body = small_values(10 * MIB)
    first.send(head(len(body)))
    wait_held(server, 9 * MIB)
    second.send(head(len(body), path) + body[:100])
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S and not second.rest:
        first.send(body[:10])  # it goes on, slowly
        second.socket.settimeout(0.3)
        try:
            second.more()
        except TimeoutError:
            pass
    second.socket.settimeout(PATIENCE_S)
    answer = second.answer()
    assert is_refused(answer)
    if path == CHAT:
        assert 'at once' in answer.json['error']['message']
    else:
        assert answer.json['type'] == 'error' and 'at once' in answer.json['error']['message']
    assert metric(server, 'llmgr_bodies_refused_total') == 1


def test_chunked_bodies_that_wait_for_each_other_come_to_an_end(start):
    """And never have more than there is."""
    server = start(bodies_max='16MiB', body_timeout='2s')
    wires = [server.wire() for _ in range(3)]
    answers = []
    piece = chunk(b' ' * 65536)

    def send(wire):
        try:
            wire.send(head() + piece * (16 * 13) + chunk(small_values(1000)) + b'0\r\n\r\n')
        except OSError:
            pass
        answers.append(wire.answer())
    threads = [threading.Thread(target=send, args=(wire,)) for wire in wires]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, metric(server, 'llmgr_bodies_bytes'))
        time.sleep(0.05)
    assert 4 * MIB < most <= 16 * MIB
    assert len(answers) == 3
    assert metric(server, 'llmgr_bodies_waited_total') > 0
    assert all(answer.status == 200 or is_refused(answer) for answer in answers)
    eventually(lambda: metric(server, 'llmgr_bodies_bytes') <= 2 * MIB, 'bodies are still held')


def test_a_client_that_leaves_while_it_waits_leaves_the_line(start):
    server = start(bodies_max='16MiB')
    body = small_values(10 * MIB)
    first, second, third = server.wire(), server.wire(), server.wire()
    first.send(head(len(body)))
    wait_held(server, 9 * MIB)
    second.send(head(len(body)))
    eventually(lambda: metric(server, 'llmgr_bodies_waited_total') == 1, 'nobody waits')
    second.close()
    eventually(lambda: metric(server, 'llmgr_client_gone_total') == 1, 'its leaving is not noticed')
    first.close()
    third.send(head(len(body)) + body)
    assert third.answer().status == 200
    eventually(lambda: metric(server, 'llmgr_bodies_bytes') <= 2 * MIB, 'bodies are still held')


def test_a_body_larger_than_the_budget_is_413(start):
    server = start(bodies_max='8MiB')
    wire = server.wire()
    wire.send(head(8 * MIB))
    assert wire.answer().status == 413
    wire = server.wire()
    wire.send(head() + chunk(b' ' * 65536) * (16 * 9))
    assert wire.answer().status == 413


def test_bodies_for_our_own_routes_are_small(start):
    server = start()
    wire = server.wire()
    wire.send(b'POST /api/platforms HTTP/1.1\r\nHost: localhost\r\n'
              b'Content-Type: application/json\r\nContent-Length: 2000000\r\n\r\n')
    assert wire.answer().status == 413


def test_a_drain_ends_who_waits(start):
    server = start(bodies_max='16MiB', drain_timeout='1s')
    body = small_values(10 * MIB)
    first, second = server.wire(), server.wire()
    first.send(head(len(body)))
    wait_held(server, 9 * MIB)
    second.send(head(len(body)))
    eventually(lambda: metric(server, 'llmgr_bodies_waited_total') == 1, 'nobody waits')
    server.signal(signal.SIGTERM)
    assert second.answer().status == 503
    assert first.answer().status == 503
