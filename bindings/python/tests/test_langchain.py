# SPDX-License-Identifier: MIT
"""get_user_llm returns a real ChatOpenAI, built as the seed builds it: everything of LangChain works
on it. The other end is the scripted upstream."""
import asyncio
import copy
import json
import pickle

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f'sunny in {city}'


class Echo(BaseModel):
    """Part of a request."""

    model: str


def last_body(mockllm):
    return mockllm.last().json


def test_it_is_built_as_the_seed_builds_it(manager, mockllm):
    llm = manager.get_user_llm('u', temperature=0.5, max_tokens=7, timeout=30, stop=['x'])
    assert isinstance(llm, ChatOpenAI)
    assert llm.openai_api_base == mockllm.base_url and llm.model_name == 'mock'
    assert isinstance(llm.openai_api_key, SecretStr) and 'sk-server' not in repr(llm)
    assert llm.openai_api_key.get_secret_value() == 'sk-server'
    assert llm.streaming is True and (llm.temperature, llm.max_tokens) == (0.5, 7)
    assert manager.get_user_llm('u', streaming=False).streaming is False
    assert type(manager.get_user_llm('u', keep_reasoning=False)) is ChatOpenAI
    assert 'sk-server' not in repr(llm.callbacks) + repr(vars(llm.callbacks[0]))


def test_the_models_extra_body_wins(manager, mockllm, choose):
    choose('u', 'Extra')
    extra = {'top_k': 9, 'mine': True}
    manager.get_user_llm('u', streaming=False, extra_body=dict(extra)).invoke('x')
    assert {key: last_body(mockllm)[key] for key in ('top_k', 'seed', 'mine')} == {
        'top_k': 5, 'seed': 1, 'mine': True}
    kept = {'extra_body': dict(extra)}
    manager.get_user_llm('u', streaming=False, model_kwargs=kept).invoke('x')
    assert (last_body(mockllm)['top_k'], last_body(mockllm)['mine']) == (5, True)
    assert kept == {'extra_body': extra}, 'the caller\'s dict is the caller\'s'
    choose('u', 'mock')
    manager.get_user_llm('u', extra_body=dict(extra)).invoke('x')
    assert last_body(mockllm)['top_k'] == 9


def test_get_spec_sys_llm(manager, mockllm):
    manager.update_platform_config('u', 1, 'sk-own')
    llm = manager.get_spec_sys_llm('Mock', 'Extra', temperature=0.1)
    assert llm.model_name == 'mock-echo+chunks-4' and llm.temperature == 0.1
    llm.invoke('x')
    assert mockllm.last().key == 'sk-server' and last_body(mockllm)['top_k'] == 5


def test_stream_batch_and_their_async_forms(manager):
    llm = manager.get_user_llm('u')
    said = llm.invoke('ping').content
    assert 'ping' in said
    assert ''.join(chunk.content for chunk in llm.stream('ping')) == said
    assert [len(answer.content) > 0 for answer in llm.batch(['a', 'b', 'c'])] == [True] * 3

    async def run():
        whole = ''.join([chunk.content async for chunk in llm.astream('ping')])
        both = await asyncio.gather(llm.ainvoke('ping'), *[llm.ainvoke('x') for _ in range(8)])
        many = await llm.abatch(['a', 'b'])
        events = [event['event'] async for event in llm.astream_events('ping', version='v2')]
        return whole, both[0].content, len(many), events
    whole, one, many, events = asyncio.run(run())
    assert whole == one == said and many == 2 and 'on_chat_model_stream' in events


def test_chains(manager):
    chain = ChatPromptTemplate.from_messages([('system', 'Be {how}'), ('user', '{q}')]) | (
        manager.get_user_llm('u')) | StrOutputParser()
    assert 'hello?' in chain.invoke({'how': 'brief', 'q': 'hello?'})


def test_tools(manager, mockllm, choose):
    choose('u', 'mock-tools')
    llm = manager.get_user_llm('u').bind_tools([get_weather])
    answer = llm.invoke('weather?')
    assert len(answer.tool_calls) == 2 and all(call['id'] for call in answer.tool_calls)
    assert last_body(mockllm)['tools'][0]['function']['name'] == 'get_weather'
    results = [ToolMessage('sunny', tool_call_id=call['id']) for call in answer.tool_calls]
    llm.invoke([HumanMessage('weather?'), answer, *results])
    roles = [message['role'] for message in last_body(mockllm)['messages']]
    assert roles == ['user', 'assistant', 'tool', 'tool']


def test_an_agent_calls_its_tool(manager, mockllm, choose, monkeypatch):
    choose('u', 'mock-tools')
    llm = manager.get_user_llm('u')
    name = llm.invoke('x').tool_calls[0]['name']
    called = []

    @tool(name)
    def scripted(city: str = '') -> str:
        """What the upstream calls."""
        called.append(city)
        return 'done'
    agent = create_agent(llm, [scripted], system_prompt='You help.')
    updates = []
    for update in agent.stream({'messages': [HumanMessage('go')]}, {'recursion_limit': 4},
                               stream_mode='updates'):
        updates.append(update)
        if 'tools' in update:
            break
    assert any('model' in update for update in updates) and called


@pytest.mark.parametrize('method', ['json_schema', 'json_mode'])
def test_structured_output_by_schema(manager, mockllm, choose, method):
    choose('u', 'mock-echo')
    llm = manager.get_user_llm('u', streaming=False).with_structured_output(Echo, method=method)
    assert llm.invoke('Ann is 7') == Echo(model='mock-echo')  # the answer is the request's body
    assert last_body(mockllm)['response_format']['type'].startswith('json')


def test_structured_output_by_a_tool(manager, mockllm, choose):
    choose('u', 'mock-tools')
    name = manager.get_user_llm('u').invoke('x').tool_calls[0]['name']
    schema = type(name, (BaseModel,), {'__doc__': 'What the upstream calls.'})
    llm = manager.get_user_llm('u').with_structured_output(schema, method='function_calling')
    assert isinstance(llm.invoke('x'), schema)
    assert last_body(mockllm)['tools'][0]['function']['name'] == name


@pytest.mark.parametrize('streaming', [True, False])
def test_reasoning_is_kept_both_ways(manager, mockllm, choose, streaming):
    choose('u', 'mock-reasoning')
    llm = manager.get_user_llm('u', streaming=streaming)
    answer = llm.invoke('x')
    assert answer.additional_kwargs['reasoning_content'] == 'The user said something.'
    parts = [chunk.additional_kwargs.get('reasoning_content', '') for chunk in llm.stream('x')]
    assert ''.join(parts) == 'The user said something.'
    llm.invoke([HumanMessage('x'), answer, HumanMessage('y')])
    sent = last_body(mockllm)['messages']
    assert [message.get('reasoning_content') for message in sent] == [
        None, 'The user said something.', None]
    restored = AIMessage.model_validate_json(answer.model_dump_json())
    llm.invoke([HumanMessage('x'), restored, HumanMessage('y')])
    assert last_body(mockllm)['messages'][1]['reasoning_content'] == 'The user said something.'

    async def run():
        return [chunk async for chunk in llm.astream('x')]
    parts = [chunk.additional_kwargs.get('reasoning_content', '') for chunk in asyncio.run(run())]
    assert ''.join(parts) == 'The user said something.'


def test_reasoning_can_be_left_to_chat_openai(manager, mockllm, choose):
    choose('u', 'mock-reasoning')
    answer = manager.get_user_llm('u', keep_reasoning=False).invoke('x')
    assert 'reasoning_content' not in answer.additional_kwargs


def test_objects_may_be_copied_and_bound(manager):
    llm = manager.get_user_llm('u')
    assert llm.bind(stop=['x']).invoke('a').content
    assert copy.copy(llm).invoke('a').content
    assert llm.with_config(tags=['t']).invoke('a').content
    assert llm.model_copy(update={'temperature': 0.3}).invoke('a').content
    with pytest.raises((TypeError, pickle.PicklingError, AttributeError)):
        pickle.dumps(manager)


def test_embeddings(manager, mockllm, choose):
    choose('u', 'Extra', 'embedding')
    made = manager.get_user_embeddings('u')
    assert isinstance(made, OpenAIEmbeddings) and made.model == 'mock-echo+chunks-4'
    assert made.check_embedding_ctx_length is False
    assert made.model_kwargs['extra_body'] == {'top_k': 5, 'seed': 1}
    assert manager.get_user_embeddings('u', model='Mock/mock').model == 'mock'
    try:
        made.embed_documents(['a', 'b'])
    except Exception:  # the upstream may have no embeddings; the request is what counts
        pass
    assert mockllm.last().path.endswith('/embeddings')
    assert last_body(mockllm)['input'] == ['a', 'b'] and last_body(mockllm)['top_k'] == 5


def test_through_the_gateway_no_key_leaves(manager, mockllm, room, monkeypatch, choose):
    choose('u', 'Extra')
    with pytest.raises(ValueError, match='LLMGR_GATEWAY_URL'):
        manager.get_user_llm('u', via='gateway')
    monkeypatch.setenv('LLMGR_GATEWAY_URL', mockllm.base_url.removesuffix('/v1'))
    with pytest.raises(ValueError, match='LLMGR_GATEWAY_TOKEN'):
        manager.get_user_llm('u', via='gateway')
    monkeypatch.setenv('LLMGR_GATEWAY_TOKEN', 'sk-llmgr-token')
    llm = manager.get_user_llm('u', 'fast', via='gateway', default_headers={'X-Mine': '1'})
    assert type(llm).__mro__[1] is ChatOpenAI and llm.openai_api_base == mockllm.base_url
    llm.invoke('x')
    sent = mockllm.last()
    assert sent.key == 'sk-llmgr-token' and sent.json['model'] == 'fast'
    assert sent.headers['x-llmgr-user'] == 'u' and sent.headers['x-mine'] == '1'
    manager.get_user_llm('小 李', via='gateway').invoke('x')
    headers = mockllm.last().headers
    assert headers['x-llmgr-user*'] == "UTF-8''%E5%B0%8F%20%E6%9D%8E", 'RFC 8187'
    assert 'x-llmgr-user' not in headers
    assert 'top_k' not in sent.json and 'sk-server' not in json.dumps(sent.headers)
    made = manager.get_user_embeddings('u', via='gateway')
    assert made.model == 'embedding'
