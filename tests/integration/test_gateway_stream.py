# SPDX-License-Identifier: MIT
"""Streams that fall silent, and answers whose end nothing proves, byte by byte."""
import json
import time

import pytest

from conftest import PATIENCE_S
from serving import Platform, Serving, chunk, configure

PATHS = {'chat': '/v1/chat/completions', 'messages': '/v1/messages', 'responses': '/v1/responses'}
PINGS = {'chat': b': keepalive\n',
         'messages': b'event: ping\ndata: {"type":"ping"}\n\n',
         'responses': b'event: keepalive\ndata: {"type":"keepalive"}\n\n'}
EARLY = {**PINGS, 'responses': b': keepalive\n'}  # before the platform's first event
ERROR = {'chat': b'data: {"error":{"message":"worn out","code":500}}\n\n',
         'messages': b'event: error\ndata: {"type":"error","error":{"message":"worn out"}}\n\n',
         'responses': b'event: response.failed\ndata: {"type":"response.failed","response":'
                      b'{"error":{"message":"worn out"}}}\n\n'}
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


def silent(answer, dialect):
    """The body without what fills its silence."""
    return answer.body.replace(PINGS[dialect], b'').replace(EARLY[dialect], b'')


def total(llmgr):
    end = time.monotonic() + PATIENCE_S
    while (found := llmgr.json('usage')['total'])['attempts'] < 1:
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def counted(serving, name):
    """The value of a metric."""
    text = serving.ask('/metrics', method='GET').body.decode()
    return int(next(line for line in text.splitlines() if line.startswith(name)).split(' ')[-1])


# ---- Silence -------------------------------------------------------------------------------------

@pytest.mark.parametrize('dialect', DIALECTS)
def test_a_silent_stream_is_kept_alive_between_its_events(serving, platform, dialect):
    ping, event = PINGS[dialect], FIRST[dialect]
    client, peer = ask(serving, platform, dialect)
    head = client.until(b'\r\n\r\n')  # the platform has said nothing yet
    assert b' 200 ' in head and b'text/event-stream' in head
    early = pieces(client, lambda body: body.count(EARLY[dialect]) == 3)
    assert early == 3 * EARLY[dialect]
    peer.send(FRAMED + chunk(event[:20]))
    time.sleep(0.3)  # six intervals
    peer.send(chunk(event[20:]))
    body = pieces(client, lambda body: event in body)
    body = body[body.index(event):] + pieces(client, lambda body: body.count(ping) == 3)
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
    assert silent(answer, dialect) == long + FINISH[dialect] + LAST[dialect]
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


@pytest.mark.parametrize('dialect', DIALECTS)
@pytest.mark.parametrize('kind', ['refused', 'error', 'answer', 'typed', 'gone', 'empty'])
def test_what_fails_behind_a_ping_ends_with_an_error_in_the_dialect(
        serving, platform, dialect, kind):
    client, peer = ask(serving, platform, dialect)
    client.until(chunk(EARLY[dialect]))
    whole = {'refused': b'{"error":{"message":"worn out"}}',
             'error': b'{"error":{"message":"worn out"}}',
             'typed': b'{"error":{"message":"worn out"}}',
             'answer': b'{"choices":[],"output":[],"content":[]}'}.get(kind, b'')
    head = (b'HTTP/1.1 429 No\r\n' if kind == 'refused' else b'HTTP/1.1 200 OK\r\n') + (
        b'Content-Type: text/event-stream\r\n' if kind == 'typed'
        else b'Content-Type: application/json\r\n') + b'Content-Length: %d\r\n\r\n' % len(whole)
    if kind != 'gone':
        peer.send(head + whole)
    if kind == 'gone':
        peer.close()
    answer = client.chunks(200, {}, b'')
    assert answer.whole and answer.body.count(b'"error"') >= 1 and b'[DONE]' not in answer.body
    last = json.loads(answer.events[-1] if dialect == 'chat'
                      else answer.body.decode().split('data: ')[-1])
    assert last['error'] and last.get('type') == {'messages': 'error',
                                                  'responses': 'response.failed'}.get(dialect)
    if whole and kind != 'answer':
        assert 'worn out' in str(last)
    assert silent(answer, dialect).count(b'data: ') == 1
    assert total(serving.llmgr)['completed'] == 0


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
    assert answer.whole and silent(answer, dialect).endswith(LAST[dialect])
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
    assert answer.whole and silent(answer, dialect) == (
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


@pytest.mark.parametrize('dialect', DIALECTS)
@pytest.mark.parametrize('frame', ['framed', 'close'])
def test_a_stream_is_over_with_its_last_event_though_the_platform_keeps_it_open(
        serving, platform, dialect, frame):
    client, peer = ask(serving, platform, dialect)
    events = FIRST[dialect] + FINISH[dialect] + LAST[dialect]
    peer.send(FRAMED + chunk(events) if frame == 'framed' else UNFRAMED + events)
    answer = client.answer()  # within PATIENCE_S; the idle timeout is ten times that
    assert answer.whole and silent(answer, dialect) == events
    assert total(serving.llmgr)['completed'] == 1
    peer.close()


@pytest.mark.parametrize('dialect', DIALECTS)
def test_what_breaks_behind_the_last_event_breaks_nothing(serving, platform, dialect):
    client, peer = ask(serving, platform, dialect)
    events = FIRST[dialect] + FINISH[dialect] + LAST[dialect]
    peer.send(FRAMED + chunk(events))
    client.until(LAST[dialect])
    peer.send(b'no chunk\r\n')
    peer.close()
    rest = client.chunks(200, {}, b'') if client.exactly(2) == b'\r\n' else None
    assert rest.whole and b'error' not in rest.body
    assert total(serving.llmgr)['completed'] == 1


@pytest.mark.parametrize('dialect', DIALECTS)
def test_who_leaves_at_the_last_event_has_had_the_answer(serving, platform, dialect):
    client, peer = ask(serving, platform, dialect)
    peer.send(FRAMED + chunk(FIRST[dialect] + FINISH[dialect] + LAST[dialect]))
    client.until(LAST[dialect])
    client.close()
    assert total(serving.llmgr)['completed'] == 1
    peer.close()


@pytest.mark.parametrize('dialect', DIALECTS)
@pytest.mark.parametrize('then', ['end', 'done', 'cut', 'nothing'])
def test_an_error_event_of_the_platform_is_the_only_one(serving, platform, dialect, then):
    client, peer = ask(serving, platform, dialect)
    peer.send(FRAMED + chunk(FIRST[dialect] + ERROR[dialect]))
    client.until(b'worn out')
    if then == 'done':
        peer.send(chunk(b'data: [DONE]\n\n'))
    if then in ('end', 'done'):
        peer.send(b'0\r\n\r\n')
    if then == 'cut':
        peer.close()
    rest = b''
    while client.more():
        if client.rest.endswith(b'\r\n0\r\n\r\n'):
            break
    rest, client.rest = client.rest, b''
    assert rest.endswith(b'0\r\n\r\n') and b'error' not in rest.split(b'\n\n', 1)[1]
    assert total(serving.llmgr)['completed'] == 0
    assert counted(serving, 'llmgr_attempts_total{end="upstream_error"}') == 1
    peer.close()


# ---- What a platform calls it --------------------------------------------------------------------

@pytest.mark.parametrize('dialect', DIALECTS)
@pytest.mark.parametrize('kind', [b'', b'Content-Type: text/plain\r\n',
                                  b'Content-Type: application/json\r\n'])
@pytest.mark.parametrize('early', [False, True], ids=['at_once', 'behind_a_ping'])
def test_events_are_events_whatever_their_type(serving, platform, dialect, kind, early):
    client, peer = ask(serving, platform, dialect)
    if early:
        client.until(chunk(EARLY[dialect]))
    peer.send(b'HTTP/1.1 200 OK\r\n' + kind + b'x-request-id: up\r\n'
              b'Transfer-Encoding: chunked\r\n\r\n')
    time.sleep(0.02)
    for piece in (FIRST[dialect][:3], FIRST[dialect][3:]):  # the first bytes say nothing yet
        peer.send(chunk(piece))
        time.sleep(0.02)
    if not early:
        head = client.until(b'\r\n\r\n')
        assert b'text/event-stream' in head
    client.until(FIRST[dialect])
    client.until(chunk(PINGS[dialect]))  # and they have pings
    peer.send(chunk(FINISH[dialect] + LAST[dialect]) + b'0\r\n\r\n')
    assert client.until(b'\r\n0\r\n\r\n').endswith(b'0\r\n\r\n')
    assert total(serving.llmgr)['completed'] == 1


@pytest.mark.parametrize('dialect', DIALECTS)
@pytest.mark.parametrize('kind', [b'', b'Content-Type: text/plain\r\n'])
def test_events_without_a_type_that_are_cut_are_told_to_be(serving, platform, dialect, kind):
    client, peer = ask(serving, platform, dialect)
    peer.send(b'HTTP/1.1 200 OK\r\n' + kind + b'Connection: close\r\n\r\n' + FIRST[dialect])
    peer.close()
    answer = client.answer()
    assert answer.whole and answer.fields['content-type'] == 'text/event-stream'
    assert b'ended before it was complete' in answer.body and LAST[dialect] not in answer.body
    assert total(serving.llmgr)['completed'] == 0


@pytest.mark.parametrize('kind, shown', [
    (b'', None), (b'Content-Type: text/plain\r\n', 'text/plain'),
    (b'Content-Type: application/json\r\n', 'application/json')])
def test_whole_json_is_whole_though_a_stream_was_asked_for(serving, platform, kind, shown):
    client, peer = ask(serving, platform, 'chat')
    whole = b'{"choices":[{"message":{"content":"tide"},"finish_reason":"stop"}]}'
    peer.send(b'HTTP/1.1 200 OK\r\n' + kind + b'x-request-id: up\r\n'
              b'Content-Length: %d\r\n\r\n' % len(whole) + whole)
    answer = client.answer()
    assert answer.body == whole and answer.fields.get('content-type') == shown
    assert answer.fields['content-length'] == str(len(whole))
    assert answer.fields['x-upstream-request-id'] == 'up'
    assert total(serving.llmgr)['completed'] == 1


@pytest.mark.parametrize('dialect', DIALECTS)
@pytest.mark.parametrize('how', ['at_once', 'slowly', 'dripped', 'too_long'])
def test_an_error_that_comes_whole_where_a_stream_was_asked_for_is_its_event(
        llmgr, platform, dialect, how):
    """Who reads events sees nothing of JSON: an answer without a word, and no error."""
    pings = how == 'slowly'  # the others are not to race with them
    configure(llmgr, platform.base_url, {'Mock': 'mock'},
              extra='' if pings else 'ping_interval: 0\n')
    if pings:
        llmgr.env['LLMGR_PING_INTERVAL'] = '50ms'
    server = Serving(llmgr)
    client, peer = ask(server, platform, dialect)
    whole = b'{"error":{"message":"worn out","code":429%s}}' % (
        b',"more":"%s"' % (b'x' * 100000) if how == 'too_long' else b'')
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: up\r\n'
              b'Content-Length: %d\r\n\r\n' % len(whole))
    parts = {'slowly': [whole[:1], whole[1:]],
             'dripped': [bytes([byte]) for byte in whole]}.get(how, [whole])
    for part in parts:
        peer.send(part)
        time.sleep(0.15 if pings else 0)
    answer = client.answer()
    assert answer.whole and answer.status == 200
    assert answer.fields['content-type'] == 'text/event-stream'
    assert pings or answer.fields['x-upstream-request-id'] == 'up'
    last = json.loads(silent(answer, dialect).decode().split('data: ')[-1])
    assert last.get('type') == {'messages': 'error', 'responses': 'response.failed'}.get(dialect)
    assert 'worn out' in json.dumps(last['error'])
    assert silent(answer, dialect).count(b'data: ') == 1
    assert total(server.llmgr)['completed'] == 0
    assert counted(server, 'llmgr_attempts_total{end="upstream_error"}') == 1
    server.stop()


# ---- Counting ------------------------------------------------------------------------------------

@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
def test_three_places_count_the_same_bytes(llmgr, platform, stream):
    configure(llmgr, platform.base_url, {'Mock': 'mock'})
    log = llmgr.folder / 'access.log'
    server = Serving(llmgr, '--access-log', str(log))
    client, peer = ask(server, platform, 'chat', stream=stream)
    body = FIRST['chat'] + FINISH['chat'] + LAST['chat'] if stream else (
        b'{"choices":[{"message":{"content":"tide"}}]}')
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
    assert client.answer().body == body
    client.close()
    total(llmgr)
    assert counted(server, 'llmgr_answer_body_bytes_total') == len(body)
    server.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line['bytes_out'] for line in lines if line['route'] == PATHS['chat']] == [len(body)]


def test_who_leaves_early_is_not_charged_a_placeholder(serving, platform):
    client, peer = ask(serving, platform, 'messages')
    start = (b'event: message_start\ndata: {"type":"message_start","message":{"usage":'
             b'{"input_tokens":10,"output_tokens":1}}}\n\n')
    peer.send(FRAMED + chunk(start + FIRST['messages'].replace(b'tide', b'x' * 4000)))
    client.until(b'x' * 4000)
    client.close()
    found = total(serving.llmgr)
    assert (found['prompt_tokens'], found['completion_tokens']) == (10, 1000)
    assert found['completed'] == 0
    peer.close()


def test_thinking_that_only_the_total_counts_is_charged(serving, platform):
    client, peer = ask(serving, platform, 'chat', stream=False)
    body = (b'{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":20,'
            b'"completion_tokens":198,"total_tokens":623}}')
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
    assert client.answer().body == body
    found = total(serving.llmgr)
    assert (found['prompt_tokens'], found['completion_tokens']) == (20, 603)


# As real platforms say it: OpenAI, MiniMax, Baidu, DashScope, Gemini, Zhipu, Hunyuan.
UNDER_200 = {
    'error': b'{"error":{"message":"worn out"}}',
    'base_resp': b'{"choices":null,"usage":{"total_tokens":0},'
                 b'"base_resp":{"status_code":1004,"status_msg":"login fail"}}',
    'error_code': b'{"error_code":110,"error_msg":"Access token invalid"}',
    'code': b'{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"r"}',
    'list': b'[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]',
    'success': b'{"code":1113,"msg":"no balance","success":false}',
    'ErrorMsg': b'{"choices":[],"ErrorMsg":{"Msg":"no","Code":4001}}',
}


@pytest.mark.parametrize('kind', UNDER_200)
def test_an_error_under_200_is_one(serving, platform, kind):
    client, peer = ask(serving, platform, 'chat', stream=False)
    body = UNDER_200[kind]
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
    assert client.answer().body == body
    assert total(serving.llmgr)['completed'] == 0
    assert counted(serving, 'llmgr_attempts_total{end="upstream_error"}') == 1


@pytest.mark.parametrize('kind', [kind for kind in UNDER_200 if kind != 'list'])
def test_an_error_in_a_stream_is_one(serving, platform, kind):
    client, peer = ask(serving, platform, 'chat')
    event = b'data: ' + UNDER_200[kind] + b'\n\n'
    peer.send(FRAMED + chunk(FIRST['chat'] + event))
    client.until(event)
    client.until(b'0\r\n\r\n')  # the platform keeps its end open: nothing more is waited for
    assert total(serving.llmgr)['completed'] == 0
    assert counted(serving, 'llmgr_attempts_total{end="upstream_error"}') == 1
    peer.close()


def test_success_told_on_each_chunk_is_none(serving, platform):
    client, peer = ask(serving, platform, 'chat')
    fine = (b'data: {"code":0,"message":"Success","base_resp":{"status_code":0,"status_msg":"ok"},'
            b'"choices":[{"index":0,"delta":{"content":"tide"}}]}\n\n')
    peer.send(FRAMED + chunk(fine + FINISH['chat'] + LAST['chat']) + b'0\r\n\r\n')
    client.until(LAST['chat'])
    assert total(serving.llmgr)['completed'] == 1
    peer.close()
