# SPDX-License-Identifier: MIT
"""curl: what people paste, and the bytes that libraries hide."""
import json
import re
import subprocess

import pytest

HELLO = 'Hello from mockllm! You said: '


class Reply:
    def __init__(self, output):
        head, _, self.body = output.partition('\r\n\r\n')
        while re.match(r'HTTP/1\.1 1\d\d', head):
            head, _, self.body = self.body.partition('\r\n\r\n')
        first, *lines = head.split('\r\n')
        self.status = int(first.split()[1])
        self.fields = {name.lower(): value.strip() for name, _, value in
                       (line.partition(':') for line in lines)}

    @property
    def json(self):
        return json.loads(self.body)


@pytest.fixture(name='curl')
def curl_fixture(gateway):
    """curl -i PATH ARGS with the token, unless it is given; returns what came."""
    def run(path, *args, token=gateway.token, data=None):
        argv = ['curl', '-sS', '-i', '--max-time', '30', gateway.url + path, *args]
        if token:
            argv += ['-H', f'Authorization: Bearer {token}']
        if data is not None:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            argv += ['-H', 'Content-Type: application/json', '--data-binary', '@-']
        else:
            text = ''
        done = subprocess.run(argv, input=text.encode(), capture_output=True, timeout=60,
                              check=False)
        assert done.returncode == 0, done.stderr.decode()
        return Reply(done.stdout.decode())
    return run


def ask(model, **more):
    return {'model': model, 'messages': [{'role': 'user', 'content': '你好'}], **more}


def test_a_whole_answer(curl):
    reply = curl('/v1/chat/completions', data=ask('mock'))
    assert reply.status == 200
    assert reply.fields['content-type'].startswith('application/json')
    assert reply.fields['x-request-id']
    assert reply.json['choices'][0]['message']['content'] == HELLO + '你好'


def test_a_stream_is_framed_as_the_protocol_says(curl):
    reply = curl('/v1/chat/completions', '-N', data=ask('mock', stream=True))
    assert reply.fields['content-type'].startswith('text/event-stream')
    assert reply.fields['cache-control'] == 'no-cache'
    assert reply.fields['x-accel-buffering'] == 'no'
    assert 'content-length' not in reply.fields and 'content-encoding' not in reply.fields
    events = reply.body.split('\n\n')
    assert events[-1] == '' and events[-2] == 'data: [DONE]'
    assert all(event.startswith('data: {') for event in events[:-2])
    assert '"usage":{' not in reply.body


def test_a_failed_stream_has_an_error_and_no_done(curl):
    for model in 'mock-cut-600', 'mock-no-finish':
        reply = curl('/v1/chat/completions', '-N', data=ask(model, stream=True))
        assert reply.status == 200 and '[DONE]' not in reply.body
        last = [line for line in reply.body.split('\n') if line.startswith('data: ')][-1]
        assert json.loads(last[6:])['error']['message']


def test_the_token_in_other_fields(curl, gateway):
    for name in 'x-api-key', 'api-key':
        reply = curl('/v1/chat/completions', '-H', f'{name}: {gateway.token}', token=None,
                     data=ask('mock'))
        assert reply.status == 200, name


def test_without_a_token(curl):
    reply = curl('/v1/chat/completions', token=None, data=ask('mock'))
    assert reply.status == 401
    assert reply.json['error']['code'] == 'invalid_api_key'
    assert reply.fields['x-request-id']


def test_errors_have_the_dialect_of_the_path(curl):
    reply = curl('/v1/messages', token='sk-llmgr-wrong', data=ask('mock', max_tokens=5))
    assert reply.status == 401
    assert reply.json['type'] == 'error'
    assert reply.json['error']['type'] == 'authentication_error'
    assert reply.fields['request-id'] == reply.json['request_id']


@pytest.mark.parametrize('body', ['', '{', '[]', '"text"', '{"model":"mock","model":"mock-400"}'])
def test_a_body_that_is_no_request(curl, body):
    reply = curl('/v1/chat/completions', data=body)
    assert reply.status == 400
    assert reply.json['error']['message']


def test_a_request_id_is_echoed(curl):
    reply = curl('/v1/chat/completions', '-H', 'x-request-id: my-own-id.42', data=ask('mock'))
    assert reply.fields['x-request-id'] == 'my-own-id.42'


@pytest.mark.parametrize('path', ['/chat/completions', '/v1/chat/completions/',
                                  '//v1//chat/completions', '/v1/v1/chat/completions'])
def test_paths_that_people_type(curl, path):
    assert curl(path, '--path-as-is', data=ask('mock')).status == 200


def test_an_unknown_path_is_json(curl):
    assert curl('/api/no-such-path').json['status'] == 404
    reply = curl('/v1/models/no/such/model')
    assert reply.status == 404 and reply.json['error']['code'] == 'model_not_found'


def test_any_other_path_is_the_platforms(curl):
    sent = {'model': '中文模型', 'query': '水', 'documents': ['一', '二']}
    reply = curl('/v1/rerank', data=sent)
    assert reply.json['path'] == '/v1/rerank'
    assert reply.json['body'] == {**sent, 'model': 'mock-named'}


def test_a_chunked_body(curl):
    reply = curl('/v1/chat/completions', '-H', 'Transfer-Encoding: chunked', data=ask('mock'))
    assert reply.status == 200


# Told to wait longer for the interim answer than for all of it: without one, the call fails.
EXPECT = ('-H', 'Expect: 100-continue', '--expect100-timeout', '600')
LARGE = {'metadata': {'pad': 'x' * 2_000_000}}


def test_expect_100_continue(curl):
    reply = curl('/v1/chat/completions', *EXPECT, data=ask('mock', **LARGE))
    assert reply.status == 200


def test_who_is_refused_need_not_send_the_body(curl):
    reply = curl('/v1/chat/completions', *EXPECT, '-w', '\n%{size_upload}', token='sk-llmgr-no',
                 data=ask('mock', **LARGE))
    assert reply.status == 401
    assert reply.body.split('\n')[-1] == '0'


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
def test_http_1_0_ends_with_its_connection(curl, stream):
    reply = curl('/v1/chat/completions', '--http1.0', data=ask('mock', stream=stream))
    assert reply.status == 200 and 'transfer-encoding' not in reply.fields
    if stream:
        assert reply.body.endswith('data: [DONE]\n\n')
    else:
        assert reply.json['choices'][0]['message']['content'] == HELLO + '你好'


def test_http_1_0_with_keep_alive(gateway):
    url = gateway.base_url + '/models'
    done = subprocess.run(
        ['curl', '-sS', '--http1.0', '-H', 'Connection: keep-alive', '-o', '/dev/null', '-o',
         '/dev/null', '-w', '%{num_connects} %{http_code}\\n', '-H',
         f'Authorization: Bearer {gateway.token}', url, url],
        capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split('\n')[:2] == ['1 200', '0 200']


def test_head_of_the_root(curl):
    assert curl('/', '--head', token=None).status == 200


def test_a_browsers_preflight(curl):
    reply = curl('/v1/chat/completions', '-X', 'OPTIONS', '-H', 'Origin: https://chat.example',
                 '-H', 'Access-Control-Request-Method: POST',
                 '-H', 'Access-Control-Request-Headers: authorization,content-type', token=None)
    assert reply.status in (200, 204)
    assert reply.fields['access-control-allow-origin'] in ('*', 'https://chat.example')
    assert 'authorization' in reply.fields['access-control-allow-headers'].lower()


def test_models(curl):
    ids = [model['id'] for model in curl('/v1/models').json['data']]
    assert 'mock-named' in ids
    name = next(one for one in ids if 'vendor/model:1' in one)
    for path in f'/v1/models/{name}', '/v1/models/' + name.replace('/', '%2F'):
        assert curl(path).json['id'] == name


def test_a_connection_is_reused(gateway):
    url = gateway.base_url + '/models'
    done = subprocess.run(
        ['curl', '-sS', '-o', '/dev/null', '-o', '/dev/null', '-o', '/dev/null', '-w',
         '%{num_connects} %{http_code}\\n', '-H', f'Authorization: Bearer {gateway.token}',
         url, url, url], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split('\n')[:3] == ['1 200', '0 200', '0 200']
