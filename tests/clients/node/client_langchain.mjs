// SPDX-License-Identifier: MIT
// @langchain/openai: ChatOpenAI and OpenAIEmbeddings.
import assert from 'node:assert/strict';
import { HumanMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';

import { baseURL, collect, failure, runAll, test, token } from './cases.mjs';

const chat = (model, more = {}) => new ChatOpenAI({
    model, apiKey: token, maxRetries: 0, configuration: { baseURL }, ...more,
});
const messages = [new HumanMessage('你好')];

test('invoke', async () => {
    const answer = await chat('mock').invoke(messages);
    assert.equal(answer.content, 'Hello from mockllm! You said: 你好');
    assert.ok(answer.usage_metadata.total_tokens > 0);
    assert.equal(answer.response_metadata.finish_reason, 'stop');
});

test('stream', async () => {
    const chunks = await collect(await chat('mock').stream(messages));
    assert.equal(chunks.map((chunk) => chunk.content).join(''),
        'Hello from mockllm! You said: 你好');
});

test('stream usage only where it is asked for', async () => {
    const total = (chunks) => chunks.reduce((sum, chunk) => sum.concat(chunk))
        .usage_metadata?.total_tokens;
    const asked = await collect(await chat('mock', { streamUsage: true }).stream(messages));
    assert.ok(total(asked) > 0);
    const not = await collect(await chat('mock', { streamUsage: false }).stream(messages));
    assert.equal(total(not), undefined);
});

test('bound tools', async () => {
    const weather = tool(() => 'sunny', { name: 'get_weather', description: 'the weather',
        schema: { type: 'object', properties: { city: { type: 'string' } } } });
    const bound = chat('mock-tools').bindTools([weather]);
    const whole = await bound.invoke(messages);
    const streamed = (await collect(await bound.stream(messages)))
        .reduce((sum, chunk) => sum.concat(chunk));
    for (const answer of [whole, streamed]) {
        assert.equal(answer.tool_calls[0].name, 'get_weather');
        assert.deepEqual(answer.tool_calls[0].args, { city: 'Paris' });
    }
});

test('embeddings', async () => {
    const model = new OpenAIEmbeddings({ model: 'mock', apiKey: token, maxRetries: 0,
        configuration: { baseURL } });
    assert.deepEqual(await model.embedQuery('one'), [1, 0.5, -0.5, 0.25]);
    assert.equal((await model.embedDocuments(['one', 'two'])).length, 2);
});

test('errors keep their status', async () => {
    const status = async (model, more) => (await failure(chat(model, more).invoke(messages))).status;
    assert.equal(await status('mock', { apiKey: 'sk-llmgr-wrong' }), 401);
    assert.equal(await status('no-such-model'), 404);
    assert.equal(await status('mock-429'), 429);
});

await runAll();
