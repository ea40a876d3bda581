# SPDX-License-Identifier: MIT
"""langchain_openai: ChatOpenAI and OpenAIEmbeddings."""
import asyncio

import openai
import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

HELLO = 'Hello from mockllm! You said: '


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f'sunny in {city}'


@pytest.fixture(name='chat')
def chat_fixture(gateway):
    def make(model, **more):
        return ChatOpenAI(model=model, base_url=gateway.base_url,
                          **{'api_key': gateway.token, 'max_retries': 0, **more})
    return make


def test_invoke(chat):
    answer = chat('mock').invoke('你好')
    assert answer.content == HELLO + '你好'
    assert answer.usage_metadata['total_tokens'] > 0
    assert answer.usage_metadata['input_token_details']['cache_read'] == 2
    assert answer.response_metadata['finish_reason'] == 'stop'


def test_stream(chat):
    chunks = list(chat('mock').stream('你好'))
    assert ''.join(chunk.content for chunk in chunks) == HELLO + '你好'


@pytest.mark.parametrize('wanted', [False, True])
def test_stream_usage_only_where_it_is_asked_for(chat, wanted):
    whole = None
    for chunk in chat('mock', stream_usage=wanted).stream('你好'):
        whole = chunk if whole is None else whole + chunk
    assert (whole.usage_metadata is not None) == wanted


def test_async(chat):
    async def both():
        answer = await chat('mock').ainvoke('一')
        chunks = [chunk.content async for chunk in chat('mock').astream('二')]
        return answer.content, ''.join(chunks)
    assert asyncio.run(both()) == (HELLO + '一', HELLO + '二')


def test_batch(chat):
    answers = chat('mock').batch(['一', '二', '三'])
    assert [answer.content for answer in answers] == [HELLO + '一', HELLO + '二', HELLO + '三']


def test_tools(chat):
    bound = chat('mock-tools').bind_tools([get_weather])
    whole = bound.invoke('你好')
    streamed = None
    for chunk in bound.stream('你好'):
        streamed = chunk if streamed is None else streamed + chunk
    for answer in (whole, streamed):
        assert [call['name'] for call in answer.tool_calls] == ['get_weather', 'get_time']
        assert answer.tool_calls[0]['args'] == {'city': 'Paris'}


def test_the_responses_api(chat):
    answer = chat('mock', use_responses_api=True).invoke('你好')
    assert answer.text == HELLO + '你好'
    assert answer.usage_metadata['total_tokens'] == 16


def test_embeddings(gateway):
    model = OpenAIEmbeddings(model='mock', base_url=gateway.base_url, api_key=gateway.token,
                             check_embedding_ctx_length=False, max_retries=0)
    assert model.embed_query('one') == [1.0, 0.5, -0.5, 0.25]
    assert len(model.embed_documents(['one', 'two'])) == 2


@pytest.mark.parametrize('model, more, kind', [
    ('mock', {'api_key': 'sk-llmgr-wrong'}, openai.AuthenticationError),
    ('no-such-model', {}, openai.NotFoundError),
    ('mock-400', {}, openai.BadRequestError),
    ('mock-429', {}, openai.RateLimitError),
    ('mock-500', {}, openai.InternalServerError),
])
def test_errors_have_their_classes(chat, model, more, kind):
    with pytest.raises(kind):
        chat(model, **more).invoke('你好')


@pytest.mark.parametrize('model', ['mock-error-event', 'mock-cut-600'])
def test_a_failure_in_the_middle_of_a_stream_is_told(chat, model):
    with pytest.raises(openai.APIError):
        list(chat(model).stream('你好'))


def test_headers_tell_the_request_id(chat):
    answer = chat('mock', include_response_headers=True).invoke('你好')
    assert answer.response_metadata['headers']['x-request-id']
