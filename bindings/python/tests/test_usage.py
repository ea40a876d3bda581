# SPDX-License-Identifier: MIT
"""Every call of a chat model is a row of the ledger; what usage() says of them."""
import asyncio
import datetime
import logging

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from llmgr._usage import _Call, _counts, estimate


def total(manager, **how):
    return manager.usage(**how).total


def test_reported_usage_is_entered_as_reported(manager):
    answer = manager.get_user_llm('u', streaming=False).invoke('ping')
    used, said = total(manager), answer.usage_metadata
    assert (used.requests, used.completed, used.inexact, used.unknown) == (1, 1, 0, 0)
    assert (used.prompt_tokens, used.completion_tokens) == (said['input_tokens'],
                                                            said['output_tokens'])
    assert used.system_paid == 1


def test_streams_without_usage_are_estimated_and_marked(manager):
    for _ in manager.get_user_llm('u').stream('ping ping ping'):
        pass
    used = total(manager)
    assert (used.completed, used.inexact) == (1, 1)
    assert used.prompt_tokens == 4 and used.completion_tokens > 0


def test_streams_with_usage_are_exact(manager):
    for _ in manager.get_user_llm('u', stream_usage=True).stream('ping'):
        pass
    assert total(manager).inexact == 0 and total(manager).completion_tokens > 0


def test_an_answer_without_usage_is_estimated(manager, choose):
    choose('u', 'mock-no-usage')
    manager.get_user_llm('u', streaming=False).invoke('ping')
    assert total(manager).inexact == 1 and total(manager).prompt_tokens > 0


def test_a_stream_that_nobody_reads_to_its_end(manager, choose):
    choose('u', 'mock-slow-20')
    stream = manager.get_user_llm('u').stream('ping')
    assert any(chunk.content for chunk in stream)
    stream.close()
    used = total(manager)
    assert (used.attempts, used.completed, used.inexact) == (1, 0, 1)


def test_a_stream_that_a_task_leaves(manager, choose):
    choose('u', 'mock-slow-20')

    async def run():
        begun = asyncio.Event()

        async def read():
            async for _ in manager.get_user_llm('u').astream('ping'):
                begun.set()
        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    asyncio.run(run())
    assert (total(manager).attempts, total(manager).completed) == (1, 0)


@pytest.mark.parametrize('model', ['mock-401', 'mock-500', 'mock-cut-300'])
def test_failures_are_entered_too(manager, choose, model):
    choose('u', model)
    with pytest.raises(Exception):
        manager.get_user_llm('u', max_retries=0).invoke('ping')
    used = total(manager)
    assert (used.attempts, used.completed) == (1, 0)
    if model != 'mock-cut-300':
        assert (used.unknown, used.prompt_tokens) == (1, None)


def test_sums_are_told_apart(manager, choose):
    choose('v', 'mock-echo', 'fast')
    manager.update_platform_config('v', 1, 'sk-own')
    manager.get_user_llm('u').invoke('x')
    manager.get_user_llm('v', 'fast').invoke('x')
    manager.get_user_llm().invoke('x')
    assert {row.name.split(' / ')[-1]: row.requests for row in manager.usage(by='model')} == {
        'mock': 2, 'mock-echo': 1}
    assert {row.key: row.requests for row in manager.usage(by='user')} == {'u': 1, 'v': 1, '-1': 1}
    assert {row.key for row in manager.usage(by='slot')} == {'main', 'fast'}
    assert len(manager.usage(by='platform')) == 1 and len(manager.usage(by='day')) == 1
    assert total(manager, user_id='v').system_paid == 0
    assert total(manager, user_id='-1').requests == 1
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert total(manager, since=now - day).requests == 3
    assert total(manager, until=now - day).requests == 0
    for wrong in ('minute', 'Model ', ''):
        with pytest.raises(ValueError, match='by must be'):
            manager.usage(by=wrong)
    with pytest.raises(TypeError, match='datetime'):
        manager.usage(since=7)


def test_recording_can_be_left_out_and_the_callers_callbacks_stay(manager):
    from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
    seen = []

    class Mine(BaseCallbackHandler):
        def on_llm_end(self, response, **kwargs):
            seen.append(response)
    manager.get_user_llm('u', record_usage=False).invoke('x')
    assert total(manager).attempts == 0
    given = [Mine()]
    manager.get_user_llm('u', callbacks=given).invoke('x')
    manager.get_user_llm('u', callbacks=CallbackManager([Mine()])).invoke('x')
    assert len(seen) == 2 and len(given) == 1 and total(manager).attempts == 2


def test_a_ledger_that_cannot_be_written_fails_no_call(manager, caplog):
    llm = manager.get_user_llm('u')
    manager.close()
    with caplog.at_level(logging.WARNING, 'llmgr'):
        assert llm.invoke('x').content
    assert 'usage of a call was not recorded' in caplog.text


@pytest.mark.parametrize('text, tokens', [('', 0), ('a', 1), ('abcd', 1), ('abcde', 2), ('你好', 2),
                                          ('你好abcd', 3)])
def test_estimates(text, tokens):
    assert estimate(text) == tokens


def counts_of(used, text='x' * 400, whole=True):
    """What becomes of the upstream's report beside an answer of this text."""
    message = AIMessage(content=text, usage_metadata=used)
    result = LLMResult(generations=[[ChatGeneration(message=message)]])
    return _counts(result, _Call(0.0, 7), whole)


def test_a_total_beyond_its_parts_was_used():
    counts = counts_of({'input_tokens': 20, 'output_tokens': 198, 'total_tokens': 623})
    assert (counts.prompt, counts.completion, counts.reasoning) == (20, 603, 405)
    counts = counts_of({'input_tokens': 10, 'output_tokens': 500, 'total_tokens': 1510,
                        'input_token_details': {'cache_read': 1000}})
    assert (counts.prompt, counts.completion, counts.reasoning) == (1010, 500, -1)
    counts = counts_of({'input_tokens': 10, 'output_tokens': 500, 'total_tokens': 7})
    assert (counts.prompt, counts.completion) == (10, 500) and counts.reported


@pytest.mark.parametrize('tokens, whole, completion, reported', [
    (0, True, 100, False), (1, False, 100, False), (1, True, 1, True), (100, False, 100, True)])
def test_a_placeholder_never_beats_the_estimate(tokens, whole, completion, reported):
    counts = counts_of({'input_tokens': 10, 'output_tokens': tokens,
                        'total_tokens': 10 + tokens}, whole=whole)
    assert (counts.prompt, counts.completion, counts.reported) == (10, completion, reported)


def test_embeddings_are_entered(manager, choose):
    choose('u', 'mock', 'embedding')
    made = manager.get_user_embeddings('u', chunk_size=2)
    assert len(made.embed_documents(['a', 'bb', 'ccc'])) == 3
    used = total(manager, by='slot')
    assert (used.attempts, used.completed, used.inexact, used.unknown) == (2, 2, 0, 0)
    assert used.prompt_tokens > 0 and used.completion_tokens == 0
    assert asyncio.run(made.aembed_query('x')) and total(manager).attempts == 3
    assert [row.key for row in manager.usage(by='slot')] == ['embedding']
    manager.get_user_embeddings('u', record_usage=False).embed_query('x')
    assert total(manager).attempts == 3


def test_embeddings_that_fail_are_entered(manager, choose):
    choose('u', 'mock-401', 'embedding')
    made = manager.get_user_embeddings('u', max_retries=0)
    with pytest.raises(Exception, match='401'):
        made.embed_query('x')
    with pytest.raises(Exception, match='401'):
        asyncio.run(made.aembed_query('x'))
    used = total(manager)
    assert (used.attempts, used.completed, used.unknown, used.prompt_tokens) == (2, 0, 2, None)
