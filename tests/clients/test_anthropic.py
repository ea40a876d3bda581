# SPDX-License-Identifier: MIT
"""The package `anthropic` for Python on /v1/messages, as its own documentation uses it
(node/client_anthropic.mjs: the one for Node.js)."""
import anthropic
import pytest

HELLO = 'Hello from mockllm! You said: '
SAID = '你好，世界 🌍'
TOOLS = [{'name': 'get_weather', 'input_schema': {
    'type': 'object', 'properties': {'city': {'type': 'string'}}}}]
CALLS = [('toolu_mock_1', 'get_weather', {'city': 'Paris'}), ('toolu_mock_2', 'get_time', {})]


@pytest.fixture(name='client')
def client_fixture(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.token,
                             max_retries=0) as client:
        yield client


def ask(model, **more):
    return {'model': model, 'max_tokens': 64, 'messages': [{'role': 'user', 'content': SAID}],
            **more}


def calls(message):
    return [(block.id, block.name, block.input) for block in message.content]


def test_a_whole_answer(client):
    answer = client.messages.create(**ask('mock'))
    assert [block.text for block in answer.content] == [HELLO + SAID]
    assert answer.stop_reason == 'end_turn' and answer._request_id
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 7)


def test_the_platform_sees_its_own_key_and_the_body_as_sent(client, gateway):
    mark = gateway.mark()
    client.messages.create(**ask('mock', system='brief', metadata={'user_id': 'someone'}),
                           extra_headers={'anthropic-beta': 'some-beta-1'})
    sent, = gateway.since(mark)
    assert sent.key == 'sk-of-the-server'
    assert sent.json == ask('mock', system='brief', metadata={'user_id': 'someone'})
    assert sent.headers['anthropic-version'] == client.default_headers['anthropic-version']
    assert sent.headers['anthropic-beta'] == 'some-beta-1'
    assert gateway.token not in str(sent)
    assert not [name for name in sent.headers if name.startswith('x-stainless')]


@pytest.mark.parametrize('model', ['mock', 'mock-crlf', 'mock-split-1', 'mock-comments'])
def test_a_streamed_answer(client, model):
    events = list(client.messages.create(**ask(model, stream=True)))
    assert events[0].type == 'message_start' and events[-1].type == 'message_stop'
    assert ''.join(event.delta.text for event in events
                   if event.type == 'content_block_delta') == HELLO + SAID
    with client.messages.stream(**ask(model)) as stream:
        assert ''.join(stream.text_stream) == HELLO + SAID
        assert stream.get_final_message().usage.output_tokens == 7


def test_tool_calls_whole_and_streamed(client):
    answer = client.messages.create(**ask('mock-tools', tools=TOOLS))
    assert calls(answer) == CALLS and answer.stop_reason == 'tool_use'
    with client.messages.stream(**ask('mock-tools', tools=TOOLS)) as stream:
        answer = stream.get_final_message()
    assert calls(answer) == CALLS and answer.stop_reason == 'tool_use'


def test_tokens_are_counted(client):
    told = client.messages.count_tokens(model='mock', messages=ask('')['messages'])
    assert told.input_tokens == 9


def test_models_in_the_shape_of_this_dialect(client):
    models = list(client.models.list())
    assert len(models) > 5
    assert all(model.type == 'model' and model.display_name for model in models)


def test_a_token_as_bearer(gateway):
    with anthropic.Anthropic(base_url=gateway.url, auth_token=gateway.token) as bearer:
        assert bearer.messages.create(**ask('mock')).id


@pytest.mark.parametrize('model', ['mock-slow-120', 'mock-slow-120+ids'])
def test_a_platform_that_is_silent_before_and_between_its_events(client, model):
    """test_silence.py: there are pings in each pause."""
    events = [event for event in client.messages.create(**ask(model, stream=True))
              if event.type != 'ping']
    assert events[0].type == 'message_start' and events[-1].type == 'message_stop'
    with client.messages.stream(**ask(model)) as stream:
        assert stream.get_final_message().content[0].text == HELLO + SAID


@pytest.mark.parametrize('model', ['mock-cut-600', 'mock-error-event'])
def test_a_failure_in_the_middle_of_a_stream_is_told(client, model):
    events = []
    with pytest.raises(anthropic.APIError):
        for event in client.messages.create(**ask(model, stream=True)):
            events.append(event)
    assert events and events[-1].type != 'message_stop'


@pytest.mark.parametrize('model', ['mock-error-200', 'mock-slow-120+error-200'])
def test_an_error_inside_200_is_told_where_a_stream_was_asked_for(client, model):
    with pytest.raises(anthropic.APIError) as caught:
        list(client.messages.create(**ask(model, stream=True)))
    assert caught.value.body['error']['message']


@pytest.mark.parametrize('model, kind, type_', [
    ('mock-400', anthropic.BadRequestError, 'invalid_request_error'),
    ('mock-429', anthropic.RateLimitError, 'rate_limit_error'),
    ('mock-500', anthropic.InternalServerError, 'api_error'),
    ('mock-html+500', anthropic.InternalServerError, 'api_error'),
    ('mock-drop', anthropic.InternalServerError, 'api_error'),
    ('no-such-model', anthropic.NotFoundError, 'not_found_error'),
])
@pytest.mark.parametrize('stream', [False, True])
def test_refusals_have_this_dialect_and_its_classes(client, model, kind, type_, stream):
    with pytest.raises(kind) as caught:
        client.messages.create(**ask(model, stream=stream))
    assert type(caught.value) is kind and caught.value.request_id
    assert caught.value.body['type'] == 'error'
    assert caught.value.body['error']['type'] == type_
    assert '<html' not in caught.value.body['error']['message']


def test_a_wrong_token_is_an_authentication_error(gateway):
    mark = gateway.mark()
    with anthropic.Anthropic(base_url=gateway.url, api_key='sk-llmgr-wrong') as stranger:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            stranger.messages.create(**ask('mock'))
    assert caught.value.body['error']['type'] == 'authentication_error'
    assert gateway.since(mark) == []


@pytest.mark.parametrize('model', ['mock-401', 'mock-403'])
def test_the_platforms_refusal_of_its_key_never_quotes_it(client, model):
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**ask(model))
    assert 'sk-of-the-server' not in str(caught.value) + caught.value.response.text


def test_a_limit_tells_when_to_come_back(client):
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**ask('mock-429'))
    assert caught.value.response.headers['retry-after'] == '7'
