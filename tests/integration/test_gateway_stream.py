# SPDX-License-Identifier: MIT
"""Streams that fall silent, and answers whose end nothing proves, byte by byte."""
import json
import time

import pytest

from conftest import PATIENCE_S
from serving import Platform, Serving, configure

PATHS = {'chat': '/v1/chat/completions', 'messages': '/v1/messages', 'responses': '/v1/responses'}
PINGS = {'chat': b': keepalive\n\n',
         'messages': b'event: ping\ndata: {"type":"ping"}\n\n',
         'responses': b'event: keepalive\ndata: {"type":"keepalive"}\n\n'}
FIRST = {'chat': b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"tide"},'
                 b'"finish_reason":null}]}\n\n',
         'messages': b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
                     b'"delta":{"type":"text_delta","text":"tide"}}\n\n',
         'responses': b'event: response.output_text.delta\ndata: {"type":'
                      b'"response.output_text.delta","delta":"tide"}\n\n'}
FINISH = {'chat': b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
          'messages': b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":'
                      b'"end_turn"},"usage":{"output_tokens":3}}\n\n',
          'responses': b''}
LAST = {'chat': b'data: [DONE]\n\n',
        'messages': b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        'responses': b'event: response.completed\ndata: {"type":"response.completed","response":'
                     b'{"status":"completed"}}\n\n'}
FRAMED = b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
UNFRAMED = b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n'
DIALECTS = sorted(PATHS)


def chunk(data):
    return b'%x\r\n%s\r\n' % (len(data), data)


@pytest.fixture(name='platform')
def platform_fixture():
    made = Platform()
    yield made
    made.close()


@pytest.fixture(name='serving')
def serving_fixture(llmgr, platform):
    configure(llmgr, platform.base_url, {'Mock': 'mock'})
    llmgr.env['LLMGR_PING_INTERVAL'] = '50ms'
    server = Serving(llmgr)
    yield server
    server.stop()


def ask(serving, platform, dialect, stream=True):
    """Client and platform, when the platform has the whole request."""
    body = json.dumps({'model': 'Mock', 'messages': [], 'input': 'x', 'max_tokens': 9,
                       'stream': stream})
    client = serving.wire()
    client.send(f'POST {PATHS[dialect]} HTTP/1.1\r\nHost: localhost\r\n'
                f'Content-Length: {len(body)}\r\n\r\n{body}')
    peer = platform.accept()
    peer.until(b'"max_tokens"')
    return client, peer


def total(llmgr):
    end = time.monotonic() + PATIENCE_S
    while (found := llmgr.json('usage')['total'])['attempts'] < 1:
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


# ---- Silence -------------------------------------------------------------------------------------

@pytest.mark.parametrize('dialect', DIALECTS)
def test_a_silent_stream_is_kept_alive_between_its_events(serving, platform, dialect):
    ping, event = PINGS[dialect], FIRST[dialect]
    client, peer = ask(serving, platform, dialect)
    head = client.until(b'\r\n\r\n')  # the platform has said nothing yet
    assert b' 200 ' in head and b'text/event-stream' in head
    body = pieces(client, lambda body: body.count(ping) == 3)
    peer.send(FRAMED + chunk(event[:20]))
    time.sleep(0.3)  # six intervals
    peer.send(chunk(event[20:]))
    body += pieces(client, lambda body: event in body)
    body += pieces(client, lambda body: body.count(ping) == 3)
    peer.send(chunk(FINISH[dialect] + LAST[dialect]) + b'0\r\n\r\n')
    rest = client.chunks(200, {}, b'')
    assert rest.whole
    assert (body + rest.body).replace(ping, b'') == event + FINISH[dialect] + LAST[dialect]
    assert total(serving.llmgr)['completed'] == 1


def pieces(client, enough):
    """The data of chunks until there is enough."""
    body = b''
    while not enough(body):
        size = int(client.until(b'\r\n'), 16)
        body += client.exactly(size + 2)[:-2]
    return body


@pytest.mark.parametrize('dialect', DIALECTS)
def test_an_event_too_long_to_be_held_is_not_broken_by_a_ping(serving, platform, dialect):
    client, peer = ask(serving, platform, dialect)
    long = b'data: {"pad":"' + b'x' * 600_000 + b'"}\n\n'
    peer.send(FRAMED + chunk(long[:500_000]))
    time.sleep(0.3)
    peer.send(chunk(long[500_000:]))
    peer.send(chunk(FINISH[dialect] + LAST[dialect]) + b'0\r\n\r\n')
    answer = client.answer()
    assert answer.whole
    assert answer.body.replace(PINGS[dialect], b'') == long + FINISH[dialect] + LAST[dialect]
    assert long in answer.body


@pytest.mark.parametrize('dialect', DIALECTS)
def test_a_whole_answer_has_no_pings(serving, platform, dialect):
    client, peer = ask(serving, platform, dialect, stream=False)
    time.sleep(0.3)
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{')
    time.sleep(0.2)
    peer.send(b'}')
    answer = client.answer()
    assert answer.body == b'{}' and answer.fields['content-length'] == '2'


def test_a_refusal_behind_a_ping_is_told_by_an_event(serving, platform):
    client, peer = ask(serving, platform, 'chat')
    client.until(chunk(PINGS['chat']))
    peer.send(b'HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}')
    answer = client.chunks(200, {}, b'')
    assert json.loads(answer.events[-1])['error'] and '[DONE]' not in answer.events


def test_no_pings_where_they_are_switched_off(llmgr, platform):
    configure(llmgr, platform.base_url, {'Mock': 'mock'}, extra='ping_interval: 0\n')
    server = Serving(llmgr)
    client, peer = ask(server, platform, 'chat')
    time.sleep(0.3)
    peer.send(FRAMED + chunk(FIRST['chat'] + FINISH['chat'] + LAST['chat']) + b'0\r\n\r\n')
    assert client.answer().body == FIRST['chat'] + FINISH['chat'] + LAST['chat']
    server.stop()


# ---- Ends ----------------------------------------------------------------------------------------

@pytest.mark.parametrize('dialect', DIALECTS)
def test_a_stream_that_the_connections_end_ends_is_whole_by_its_terminal_event(
        serving, platform, dialect):
    client, peer = ask(serving, platform, dialect)
    peer.send(UNFRAMED + FIRST[dialect] + FINISH[dialect] + LAST[dialect])
    peer.close()
    answer = client.answer()
    assert answer.whole and answer.body.replace(PINGS[dialect], b'').endswith(LAST[dialect])
    assert total(serving.llmgr)['completed'] == 1


@pytest.mark.parametrize('dialect', DIALECTS)
@pytest.mark.parametrize('sent', ['nothing', 'first', 'finish'])
def test_a_stream_that_the_connections_end_cuts_is_not(serving, platform, dialect, sent):
    client, peer = ask(serving, platform, dialect)
    events = {'nothing': b'', 'first': FIRST[dialect], 'finish': FIRST[dialect] + FINISH[dialect]}
    peer.send(UNFRAMED + events[sent])
    peer.close()
    answer = client.answer()
    assert b'"error"' in answer.body and LAST[dialect] not in answer.body
    assert total(serving.llmgr)['completed'] == 0


def test_a_framed_stream_of_responses_without_its_terminal_event_is_cut(serving, platform):
    client, peer = ask(serving, platform, 'responses')
    peer.send(FRAMED + chunk(FIRST['responses']) + b'0\r\n\r\n')
    answer = client.answer()
    assert b'"error"' in answer.body
    assert total(serving.llmgr)['completed'] == 0


@pytest.mark.parametrize('dialect', ['chat', 'messages'])
def test_a_framed_stream_with_its_reason_to_stop_needs_no_terminal_event(
        serving, platform, dialect):
    client, peer = ask(serving, platform, dialect)
    peer.send(FRAMED + chunk(FIRST[dialect] + FINISH[dialect]) + b'0\r\n\r\n')
    answer = client.answer()
    assert answer.whole and answer.body.replace(PINGS[dialect], b'') == (
        FIRST[dialect] + FINISH[dialect])
    assert total(serving.llmgr)['completed'] == 1


@pytest.mark.parametrize('dialect', ['chat', 'messages'])
@pytest.mark.parametrize('reason', ['""', '"null"', 'null'])
def test_a_reason_that_names_nothing_ends_no_stream(serving, platform, dialect, reason):
    client, peer = ask(serving, platform, dialect)
    finish = FINISH[dialect].replace(b'"stop"}', reason.encode() + b'}')
    finish = finish.replace(b'"end_turn"', reason.encode())
    peer.send(FRAMED + chunk(FIRST[dialect] + finish) + b'0\r\n\r\n')
    answer = client.answer()
    assert b'"error"' in answer.body
    assert total(serving.llmgr)['completed'] == 0


@pytest.mark.parametrize('sent, whole', [(b'{"id":"c"}', True), (b'{"id":"c', False),
                                         (b'{"a":{"b":1}', False), (b'plain words', False)])
def test_a_whole_answer_that_the_connections_end_cuts_looks_cut(serving, platform, sent, whole):
    client, peer = ask(serving, platform, 'chat', stream=False)
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n' + sent)
    peer.close()
    answer = client.answer()
    assert answer.whole == whole and answer.body == sent
    assert total(serving.llmgr)['completed'] == whole
