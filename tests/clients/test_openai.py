# SPDX-License-Identifier: MIT
"""The package `openai` for Python, as its own documentation uses it."""
import concurrent.futures

import openai
import pytest

HELLO = 'Hello from mockllm! You said: '
SAID = '你好，世界 🌍'
TOOLS = [{'type': 'function', 'function': {'name': 'get_weather', 'parameters': {
    'type': 'object', 'properties': {'city': {'type': 'string'}}}}}]


@pytest.fixture(name='client')
def client_fixture(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0) as client:
        yield client


def ask(client, model, said=SAID, **more):
    return client.chat.completions.create(
        model=model, messages=[{'role': 'user', 'content': said}], **more)


def text(chunks):
    return ''.join(chunk.choices[0].delta.content or '' for chunk in chunks if chunk.choices)


def test_a_whole_answer(client):
    answer = ask(client, 'mock')
    assert answer.choices[0].message.content == HELLO + SAID
    assert answer.choices[0].finish_reason == 'stop'
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id


def test_the_platform_sees_its_own_key_and_the_body_as_sent(client, gateway):
    mark = gateway.mark()
    ask(client, 'mock', seed=7, user='someone', logit_bias={'50256': -100})
    sent, = gateway.since(mark)
    assert sent.key == 'sk-of-the-server'
    assert sent.json == {'messages': [{'role': 'user', 'content': SAID}], 'model': 'mock',
                         'seed': 7, 'user': 'someone', 'logit_bias': {'50256': -100}}
    assert gateway.token not in str(sent)
    assert not [name for name in sent.headers if name.startswith('x-stainless')]


def test_a_display_name_is_replaced_by_the_models_own(client, gateway):
    mark = gateway.mark()
    assert ask(client, '中文模型').choices[0].message.content == HELLO + SAID
    assert gateway.since(mark)[0].json['model'] == 'mock-named'


def test_extra_body_of_the_model_wins(client, gateway):
    mark = gateway.mark()
    ask(client, 'Merged', temperature=1.5)
    body = gateway.since(mark)[0].json
    assert (body['top_k'], body['temperature'], body['model']) == (5, 0.25, 'mock-echo')


@pytest.mark.parametrize('model', ['mock', 'mock-crlf', 'mock-split-1', 'mock-comments'])
def test_a_streamed_answer_has_no_usage_unless_asked(client, model):
    chunks = list(ask(client, model, stream=True))
    assert text(chunks) == HELLO + SAID
    assert all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == 'stop'


@pytest.mark.parametrize('model', ['mock', 'mock-crlf', 'mock-split-1'])
def test_a_streamed_answer_has_usage_when_asked(client, model):
    chunks = list(ask(client, model, stream=True, stream_options={'include_usage': True}))
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens > 0
    assert text(chunks) == HELLO + SAID


def test_stream_usage_is_asked_of_the_platform_even_if_the_client_does_not(client, gateway):
    mark = gateway.mark()
    list(ask(client, 'mock', stream=True))
    assert gateway.since(mark)[0].json['stream_options'] == {'include_usage': True}


def test_a_platform_that_rejects_stream_options_still_serves(client):
    for _ in range(2):
        assert text(ask(client, 'mock-no-stream-options', stream=True)) == HELLO + SAID


def test_reasoning_passes(client):
    answer = ask(client, 'mock-reasoning')
    assert answer.choices[0].message.reasoning_content == 'The user said something.'
    assert answer.usage.completion_tokens_details.reasoning_tokens == 4
    chunks = list(ask(client, 'mock-reasoning', stream=True))
    told = [getattr(chunk.choices[0].delta, 'reasoning_content', None) for chunk in chunks]
    assert ''.join(filter(None, told)) == 'The user said something.'


def test_tool_calls_whole(client):
    answer = ask(client, 'mock-tools', tools=TOOLS)
    assert answer.choices[0].finish_reason == 'tool_calls'
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ['get_weather', 'get_time']
    assert calls[0].function.arguments == '{"city":"Paris"}'


def test_tool_calls_streamed(client):
    with client.chat.completions.stream(
            model='mock-tools', messages=[{'role': 'user', 'content': SAID}], tools=TOOLS) as run:
        final = run.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ('get_weather', '{"city":"Paris"}'), ('get_time', '{}')]


def test_embeddings(client):
    answer = client.embeddings.create(model='mock', input=['one', 'two'])
    assert [row.embedding for row in answer.data] == [[1.0, 0.5, -0.5, 0.25]] * 2
    answer = client.embeddings.create(model='mock', input='one', encoding_format='float')
    assert answer.data[0].embedding == [1.0, 0.5, -0.5, 0.25]
    assert answer.usage.prompt_tokens == 5


def test_completions(client):
    assert client.completions.create(model='mock', prompt='Once').choices[0].text == HELLO + 'Once'
    chunks = list(client.completions.create(model='mock', prompt='Once', stream=True))
    assert ''.join(chunk.choices[0].text for chunk in chunks) == HELLO + 'Once'


def test_responses(client):
    answer = client.responses.create(model='mock', input=SAID)
    assert answer.output_text == HELLO + SAID
    assert answer.usage.total_tokens == 16
    events = list(client.responses.create(model='mock', input=SAID, stream=True))
    assert events[0].type == 'response.created'
    assert events[-1].type == 'response.completed'
    assert events[-1].response.usage.input_tokens_details.cached_tokens == 2
    assert events[-1].response.output_text == HELLO + SAID
    assert [event.sequence_number for event in events] == list(range(len(events)))
    # What is opened is closed; Codex shows nothing but the items of output_item.done.
    done = [event for event in events if event.type == 'response.output_item.done']
    assert [item.item.content[0].text for item in done] == [HELLO + SAID]
    with client.responses.stream(model='mock', input=SAID) as stream:
        assert stream.get_final_response().output_text == HELLO + SAID
    assert ''.join(event.delta for event in events
                   if event.type == 'response.output_text.delta') == HELLO + SAID


def test_models(client):
    ids = [model.id for model in client.models.list()]
    assert len(ids) > 20
    for model in client.models.list():
        assert model.object == 'model' and model.created > 0 and model.owned_by
    name = next(one for one in ids if 'vendor/model:1' in one)
    assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve('no-such-model')


def test_what_the_list_names_can_be_called(client):
    for model in client.models.list():
        if model.id.endswith(('mock', 'vendor/model:1', 'mock-named', 'mock-echo')):
            assert ask(client, model.id).choices


def test_audio_is_relayed_with_the_model_of_its_form(client, gateway):
    mark = gateway.mark()
    client.audio.transcriptions.create(model='中文模型', file=('a.wav', b'RIFF, or so'),
                                       extra_body={'language': 'zh'})
    sent, = gateway.since(mark)
    assert sent.path.endswith('/audio/transcriptions')
    assert 'mock-named' in sent.body and '中文模型' not in sent.body


# ---- Errors ----------------------------------------------------------------------------------

@pytest.mark.parametrize('token', ['sk-llmgr-wrong', 'x', 'sk-of-the-server'])
def test_a_wrong_token_is_an_authentication_error(gateway, token):
    mark = gateway.mark()
    stranger = openai.OpenAI(base_url=gateway.base_url, api_key=token, max_retries=2)
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(stranger, 'mock')
    assert caught.value.code == 'invalid_api_key'
    assert caught.value.request_id
    assert token not in str(caught.value) or token == 'x'
    assert gateway.since(mark) == []


def test_a_revoked_token_is_an_authentication_error(gateway):
    issued = gateway.llmgr.json('token', 'create', '-u', 'bob')
    bob = openai.OpenAI(base_url=gateway.base_url, api_key=issued['token'], max_retries=0)
    assert ask(bob, 'mock').choices
    gateway.llmgr.ok('token', 'revoke', issued['token_id'])
    with pytest.raises(openai.AuthenticationError):
        for _ in range(200):  # another process revoked it: within one second
            ask(bob, 'mock-slow-5')


def test_an_unknown_model_is_a_not_found_error(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, 'no-such-model')
    assert caught.value.code == 'model_not_found'
    assert 'no-such-model' in caught.value.message


@pytest.mark.parametrize('model, kind', [
    ('mock-400', openai.BadRequestError), ('mock-429', openai.RateLimitError),
    ('mock-500', openai.InternalServerError), ('mock-503', openai.InternalServerError),
    ('mock-html+500', openai.InternalServerError), ('mock-drop', openai.InternalServerError),
])
@pytest.mark.parametrize('stream', [False, True])
def test_errors_of_the_platform_have_their_classes(client, model, kind, stream):
    with pytest.raises(kind) as caught:
        ask(client, model, stream=stream)
    assert type(caught.value) is kind
    assert caught.value.body['message'] and caught.value.request_id
    assert '<html' not in caught.value.body['message']


@pytest.mark.parametrize('model', ['mock-401', 'mock-403'])
def test_the_platforms_refusal_of_its_key_never_quotes_it(client, model):
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, model)
    assert 'sk-of-the-server' not in str(caught.value) + caught.value.response.text


def test_a_limit_tells_when_to_come_back(client):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, 'mock-429')
    assert caught.value.response.headers['retry-after'] == '7'
    assert caught.value.code == 'rate_limit_exceeded'


def test_a_bad_request_is_not_tried_again(gateway):
    mark = gateway.mark()
    stubborn = openai.OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=2)
    for model, kind in ('mock-400', openai.BadRequestError), ('gone', openai.NotFoundError):
        with pytest.raises(kind):
            ask(stubborn, model)
    assert len(gateway.since(mark)) == 1


def test_retries_of_a_failing_platform_do_not_multiply(gateway):
    mark = gateway.mark()
    stubborn = openai.OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=1)
    with pytest.raises(openai.InternalServerError):
        ask(stubborn, 'mock-500')
    assert len(gateway.since(mark)) <= 2


@pytest.mark.parametrize('model', ['mock-error-event', 'mock-cut-600', 'mock-badjson'])
def test_a_failure_in_the_middle_of_a_stream_is_told(client, model):
    chunks = []
    with pytest.raises((openai.APIError, ValueError)):
        for chunk in ask(client, model, stream=True):
            chunks.append(chunk)
    assert chunks, 'nothing came before the failure'


def test_a_stream_without_an_end_gets_none_invented(client):
    """Neither a finish reason nor [DONE]: the client may be told, it is not told "stop"."""
    chunks = []
    try:
        for chunk in ask(client, 'mock-no-finish', stream=True):
            chunks.append(chunk)
    except openai.APIError:
        pass
    assert chunks and all(chunk.choices[0].finish_reason is None for chunk in chunks)


# ---- Connections -----------------------------------------------------------------------------

def test_leaving_a_stream_leaves_the_client_usable(client):
    with ask(client, 'mock-slow-200+chunks-100', stream=True) as stream:
        next(iter(stream))
    assert ask(client, 'mock').choices


def test_a_connection_serves_many_requests(client):
    for i in range(30):
        assert ask(client, 'mock', f'第{i}个').choices[0].message.content == HELLO + f'第{i}个'
    pool = client._client._transport._pool
    assert len(pool.connections) == 1


def test_a_stale_connection_of_the_platform_is_not_the_clients_worry(client):
    for _ in range(4):
        assert ask(client, 'mock-stale').choices


def test_many_threads_at_once(client):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [f'问题 {i}' for i in range(64)]
        answers = pool.map(lambda said: ask(client, 'mock', said), asked)
        for said, answer in zip(asked, answers):
            assert answer.choices[0].message.content == HELLO + said


@pytest.mark.parametrize('size', [10_000, 1_000_000])
def test_long_prompts(client, size):
    said = ('中文 and "quotes" \\ ' * (size // 20))
    assert ask(client, 'mock', said).choices[0].message.content == HELLO + said


def test_a_stored_response_is_used_by_its_id(client, gateway):
    """The id bears a signature here; the platform gets its own."""
    with client.responses.stream(model='mock', input=SAID) as stream:
        events = list(stream)
        first = stream.get_final_response()
    assert first.id.startswith('resp_mock_0001.') and events[0].response.id == first.id
    mark = gateway.mark()
    item = next(event.item for event in events if event.type == 'response.output_item.added')
    client.responses.create(model='mock', input=[{'type': 'item_reference', 'id': item.id}],
                            previous_response_id=first.id)
    sent = gateway.since(mark)[0].json
    assert sent['previous_response_id'] == 'resp_mock_0001'
    assert sent['input'][0]['id'] == 'msg_mock_1'
    assert client.responses.retrieve(first.id).id == first.id
    assert len(list(client.responses.input_items.list(first.id))) == 6
    client.responses.delete(first.id)
    assert gateway.since(mark)[-1].path == '/v1/responses/resp_mock_0001'
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id[:-2])


def test_a_stored_chat_is_used_by_its_id(client, gateway):
    chat = ask(client, 'mock', store=True)
    mark = gateway.mark()
    assert client.chat.completions.retrieve(chat.id).id == chat.id
    assert len(list(client.chat.completions.messages.list(chat.id))) == 6
    client.chat.completions.update(chat.id, metadata={'a': 'b'})
    client.chat.completions.delete(chat.id)
    assert {sent.path.split('/')[4] for sent in gateway.since(mark)} == {'chatcmpl-mock-0001'}
