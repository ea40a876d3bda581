# SPDX-License-Identifier: MIT
"""What passes between client and platform: bodies, answers, errors, keys, the ledger's rows."""
import json
import time

import pytest

from conftest import PATIENCE_S
from serving import ASK, CHAT, Serving, configure


@pytest.fixture(name='serving')
def serving_fixture(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    server = Serving(llmgr)
    yield server
    server.stop()


def rows(llmgr, count):
    """The ledger's total, once it has so many attempts."""
    end = time.monotonic() + PATIENCE_S
    while True:
        total = llmgr.json('usage')['total']
        if total['attempts'] >= count or time.monotonic() > end:
            return total
        time.sleep(0.05)


def test_a_whole_answer_passes(serving, mockllm):
    answer = serving.chat()
    assert answer.status == 200 and answer.whole
    assert answer.json['choices'][0]['message']['content'].endswith('hi')
    assert answer.json['model'] == 'mock-small'
    sent = mockllm.last()
    assert sent.key == 'sk-server-key-1234567'
    assert sent.json['model'] == 'mock-small'
    assert answer.fields['x-request-id'].startswith('req_')
    assert answer.fields['x-upstream-request-id'].startswith('req_mock')


def test_every_other_byte_of_the_body_is_the_callers(serving, mockllm):
    body = '{ "x" : [1, 2.50,\t"\\u00e9"] ,"model":  "Mock","messages":[ ], "y":{"model":"z"} }'
    serving.ask(raw=body.encode())
    assert mockllm.last().body == body.replace('"Mock"', '"mock-small"')


def test_a_stream_passes_and_the_usage_nobody_asked_for_stays(serving, mockllm):
    answer = serving.chat(stream=True)
    assert answer.fields['content-type'].startswith('text/event-stream')
    assert answer.fields['x-accel-buffering'] == 'no'
    assert answer.fields['cache-control'] == 'no-cache'
    assert 'content-length' not in answer.fields
    assert answer.events[-1] == '[DONE]' and answer.whole
    assert not any('"usage":{' in event for event in answer.events)
    assert mockllm.last().json['stream_options'] == {'include_usage': True}


def test_usage_on_a_stream_reaches_who_asked(serving):
    answer = serving.chat(stream=True, members={'stream_options': {'include_usage': True}})
    assert any('"usage":{' in event for event in answer.events)


@pytest.mark.parametrize('model', ['Crlf', 'Split', 'NoDone', 'Tools'])
def test_streams_of_any_framing_pass(serving, model):
    answer = serving.chat(model, stream=True)
    assert answer.status == 200 and answer.whole


def test_stream_options_that_a_platform_rejects_are_left_out_and_remembered(serving, mockllm):
    first = serving.chat('NoOptions', stream=True)
    assert first.status == 200 and first.events[-1] == '[DONE]'
    assert len(mockllm.requests()) == 2
    assert 'stream_options' not in mockllm.last().json
    # It is written when the answer has left, and a worker may learn of it later than another.
    end, good = time.monotonic() + PATIENCE_S, 0
    while good < 8:
        before = len(mockllm.requests())
        serving.chat('NoOptions', stream=True)
        good = good + 1 if len(mockllm.requests()) == before + 1 else 0
        assert time.monotonic() < end


def test_the_same_routes_without_v1_and_with_too_many(serving):
    for path in ('/chat/completions', '//v1//chat/completions', '/v1/v1/chat/completions',
                 '/v1/chat/completions/'):
        assert serving.ask(path, ASK).status == 200, path


def test_other_paths_are_relayed_natively(serving, mockllm):
    serving.ask('/v1/moderations?x=1', {'model': 'Mock', 'input': 'x'})
    assert mockllm.last().path == '/v1/moderations?x=1'
    assert mockllm.last().json['model'] == 'mock-small'


def test_a_form_has_its_model_replaced(serving, mockllm):
    body = ('--xx\r\nContent-Disposition: form-data; name="model"\r\n\r\nMock\r\n'
            '--xx\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\r\n--x\r\n'
            '--xx--\r\n')
    serving.ask('/v1/audio/transcriptions', raw=body.encode(),
                fields={'Content-Type': 'multipart/form-data; boundary=xx'})
    assert mockllm.last().body == body.replace('\r\n\r\nMock\r\n', '\r\n\r\nmock-small\r\n')


def test_credentials_and_cookies_of_the_caller_stay_here(serving, mockllm):
    serving.chat(fields={'Authorization': 'Bearer sk-mine', 'Cookie': 'a=b', 'x-api-key': 'k',
                         'anthropic-beta': 'tools-1', 'OpenAI-Organization': 'org'})
    headers = mockllm.last().headers
    assert headers['authorization'] == 'Bearer sk-server-key-1234567'
    assert 'cookie' not in headers and 'x-api-key' not in headers
    assert 'openai-organization' not in headers
    assert headers['anthropic-beta'] == 'tools-1'


def test_a_refused_key_is_not_the_callers_fault_and_is_not_quoted(serving):
    answer = serving.chat('Refused')
    assert answer.status == 502
    assert answer.fields['x-should-retry'] == 'false'
    assert b'sk-server-key' not in answer.raw


def test_a_platforms_errors_keep_status_and_words(serving):
    limited = serving.chat('Limited')
    assert limited.status == 429 and limited.fields['retry-after'] == '7'
    assert limited.json['error']['code'] == 'rate_limit_exceeded'
    html = serving.chat('Html')
    assert html.status == 500
    assert set(html.json['error']) == {'message', 'type', 'param', 'code'}


def test_errors_speak_the_endpoints_dialect(serving):
    answer = serving.ask('/v1/messages', {'model': 'nobody', 'messages': []},
                         fields={'anthropic-version': '2023-06-01'})
    assert answer.status == 404
    assert answer.json['type'] == 'error' and answer.json['error']['type'] == 'not_found_error'
    assert answer.fields['request-id'] == answer.fields['x-request-id']


def test_an_unknown_model_is_404(serving):
    answer = serving.chat('nobody')
    assert answer.status == 404 and answer.json['error']['code'] == 'model_not_found'


@pytest.mark.parametrize('body', [b'', b'{', b'[]', b'{"model":"a","model":"b"}', b'nonsense',
                                  b'{"model":1}', b'[' * 1000])
def test_bodies_that_are_no_request_are_400(serving, mockllm, body):
    answer = serving.ask(raw=body)
    assert answer.status == 400, answer.raw
    assert answer.json['error']['type'] == 'invalid_request_error'
    assert mockllm.requests() == []


@pytest.mark.parametrize('model', ['Drop', 'Junk'])
def test_a_platform_that_speaks_nonsense_is_a_bad_gateway(serving, model):
    assert serving.chat(model).status == 502


def test_a_platform_that_is_not_there_is_a_bad_gateway(serving, mockllm):
    mockllm.stop()
    answer = serving.chat()
    assert answer.status == 502
    mockllm.__init__(serving.llmgr.folder)


@pytest.mark.parametrize('model', ['NoFinish', 'Cut', 'Event'])
def test_a_stream_that_fails_never_ends_as_if_it_had_not(serving, model):
    answer = serving.chat(model, stream=True)
    assert answer.status == 200
    assert '[DONE]' not in answer.events


@pytest.mark.parametrize('model', ['NoFinish', 'Cut', 'Event'])
def test_behind_an_error_on_a_stream_the_connection_goes_on(serving, model):
    """Who has read the end of the chunks asks on it again, and would lose that request."""
    wire = serving.wire()
    for _ in range(2):
        answer = serving.ask(body={**ASK, 'model': model, 'stream': True}, wire=wire)
        assert answer.whole and 'connection' not in answer.fields
        assert 'error' in json.loads(answer.events[-1])
    assert serving.ask(body=ASK, wire=wire).status == 200


def test_a_truncated_stream_says_so(serving):
    answer = serving.chat('NoFinish', stream=True)
    assert json.loads(answer.events[-1])['error']['message']


def test_a_whole_answer_that_is_cut_is_seen_to_be(serving):
    assert not serving.chat('Lie').whole


def test_each_attempt_has_one_row(serving, mockllm):
    serving.chat()
    serving.chat(stream=True)
    serving.chat('NoOptions', stream=True)  # two attempts
    serving.chat('Limited')
    serving.chat('NoFinish', stream=True)
    total = rows(serving.llmgr, 6)
    assert total['attempts'] == len(mockllm.requests()) == 6
    assert total['requests'] == 5
    assert total['completed'] == 3
    assert total['system_paid'] == 6


def test_a_client_that_leaves_ends_the_exchange_and_is_recorded(serving, mockllm):
    for _ in range(3):
        wire = serving.wire()
        body = json.dumps({**ASK, 'model': 'Slow', 'stream': True})
        wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n'
                  + body)
        wire.until(b'data: ')
        wire.close()
    total = rows(serving.llmgr, 3)
    assert total['attempts'] == 3 and total['completed'] == 0


def test_a_large_body_and_a_large_answer_pass(serving, mockllm):
    text = 'x' * 3_000_000
    answer = serving.ask(body={**ASK, 'model': 'Echo',
                               'messages': [{'role': 'user', 'content': text}]})
    assert answer.status == 200 and answer.whole
    assert len(answer.body) > 3_000_000
    assert mockllm.last().json['messages'][0]['content'] == text


@pytest.mark.parametrize('method, path', [('GET', '/v1/batches'), ('DELETE', '/v1/files/f-1'),
                                          ('GET', '/v1/responses/r_1'), ('POST', '/v1/nowhere')])
def test_a_path_whose_model_nobody_names_goes_where_main_is(serving, mockllm, method, path):
    for fields in ({}, {'X-LLMGR-Model': 'Mock'}):
        serving.ask(path, method=method, fields=fields)
        assert mockllm.last().path == path
    answer = serving.ask(path, method=method, fields={'X-LLMGR-Model': 'nobody'})
    assert answer.status == 404 and 'nobody' in answer.json['error']['message']


def test_so_do_bytes_of_no_known_kind(serving, mockllm):
    answer = serving.ask('/v1/audio/raw', raw=b'RIFF', fields={'Content-Type': 'audio/wav'})
    assert answer.status == 200
    assert mockllm.last().path == '/v1/audio/raw'
