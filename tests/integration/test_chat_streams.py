# SPDX-License-Identifier: MIT
"""`llmgr chat` and a platform that writes its streams in its own way, byte by byte."""
import json
import subprocess

import pytest

from conftest import PATIENCE_S
from serving import Platform, chunk, configure

OK = b'HTTP/1.1 200 OK\r\n'
EVENTS = b'Content-Type: text/event-stream\r\n'
OPEN = b'Transfer-Encoding: chunked\r\n\r\n'
TIDE = b'{"choices":[{"index":0,"delta":{"content":"tide"},"finish_reason":""}],' \
       b'"error":{"message":"","code":null}}'
STOP = b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
USED = b'{"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":20,"completion_tokens":198,' \
       b'"total_tokens":623}}'
WHOLE = b'{"choices":[{"message":{"content":"tide"},"finish_reason":"stop"}]}'


def events(*data, end=b'\n\n'):
    return b''.join(b'data: ' + one + end for one in data)


@pytest.fixture(name='talk')
def talk_fixture(llmgr):
    """Runs `llmgr chat` with this answer of the platform's; its code, output and errors."""
    platform = Platform()
    configure(llmgr, platform.base_url, {'Mock': 'mock'})
    peers = []

    def talk(answer, *args, close=True):
        process = llmgr.start(*args, 'chat', 'hi', env={'MOCK_KEY': 'sk-server-key-1234567'},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        peer = platform.accept()
        peers.append(peer)
        peer.until(b'"stream":' if not args else b'"messages"')
        peer.send(answer)
        if close:
            peer.close()
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out.decode(), err.decode()
    yield talk
    for peer in peers:
        peer.close()
    platform.close()


@pytest.mark.parametrize('kind', [EVENTS, b'', b'Content-Type: text/plain\r\n',
                                  b'Content-Type: application/json\r\n'])
@pytest.mark.parametrize('end', [b'\n\n', b'\n', b'\r\n', b'\r\n\r\n'])
def test_events_are_read_whatever_their_type_and_their_line_ends(talk, kind, end):
    body = events(TIDE, STOP, USED, b'[DONE]', end=end)
    code, out, err = talk(OK + kind + b'Connection: close\r\n\r\n' + body)
    assert (code, out) == (0, 'tide\n'), err


@pytest.mark.parametrize('end', [b'\n\n', b'\n'])
def test_a_stream_is_over_with_its_last_event(talk, end):
    body = events(TIDE, STOP, USED, b'[DONE]', end=end)
    code, out, err = talk(OK + EVENTS + OPEN + chunk(body), close=False)
    assert (code, out) == (0, 'tide\n'), err


@pytest.mark.parametrize('kind', [EVENTS, b'', b'Content-Type: application/json\r\n'])
def test_a_whole_answer_is_one_whatever_its_type(talk, kind):
    code, out, err = talk(OK + kind + b'Connection: close\r\n\r\n' + WHOLE)
    assert (code, out) == (0, 'tide\n'), err


def test_a_reason_that_names_nothing_ends_no_stream(talk):
    code, out, err = talk(OK + EVENTS + b'Connection: close\r\n\r\n' + events(TIDE))
    assert code != 0 and out.startswith('tide') and 'ended early' in err


@pytest.mark.parametrize('data', [b'{"error":{"message":"worn out"}}',
                                  b'{"object":"error","message":"worn out"}',
                                  b'{"choices":[{"delta":{},"error":{"message":"worn out"}}]}',
                                  b'{"choices":null,"base_resp":{"status_code":1004,'
                                  b'"status_msg":"worn out"}}',
                                  b'{"error_code":110,"error_msg":"worn out"}',
                                  b'{"code":"InvalidApiKey","message":"worn out"}'])
@pytest.mark.parametrize('form', ['event', 'whole'])
def test_an_error_under_200_is_one(talk, data, form):
    body = events(TIDE, data, b'[DONE]') if form == 'event' else data
    code, _, err = talk(OK + b'Connection: close\r\n\r\n' + body)
    assert code != 0 and 'worn out' in err


def test_a_refusal_tells_what_stands_behind_much_else(talk):
    body = b'{"message":"you asked","request":"' + 300 * 1024 * b'x' + \
           b'","error":{"message":"worn out","code":"context_length_exceeded"}}'
    code, _, err = talk(b'HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n' % len(body) +
                        body, close=False)
    assert code != 0 and 'worn out' in err and 'you asked' not in err


def test_thinking_that_only_the_total_counts_is_told(talk):
    body = WHOLE[:-1] + b',"usage":{"prompt_tokens":20,"completion_tokens":198,"total_tokens":623}}'
    code, out, err = talk(OK + b'Content-Length: %d\r\n\r\n' % len(body) + body, '--json')
    assert code == 0 and json.loads(out)['usage']['completion_tokens'] == 603, err
