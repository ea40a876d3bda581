// SPDX-License-Identifier: MIT
// The package `openai` for Node.js, as its own documentation uses it.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

import { baseURL, collect, failure, received, runAll, test, token } from './cases.mjs';

const options = { baseURL, apiKey: token, maxRetries: 0 };
const client = new OpenAI(options);
const ask = (model, more = {}) => ({
    model, messages: [{ role: 'user', content: '你好，世界 🌍' }], ...more,
});
const text = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? '').join('');

test('a whole answer', async () => {
    const answer = await client.chat.completions.create(ask('mock'));
    assert.equal(answer.choices[0].message.content, 'Hello from mockllm! You said: 你好，世界 🌍');
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(answer.usage.total_tokens > 0);
    assert.ok(answer._request_id);
});

test('a streamed answer without usage', async () => {
    const chunks = await collect(await client.chat.completions.create(ask('mock', { stream: true })));
    assert.equal(text(chunks), 'Hello from mockllm! You said: 你好，世界 🌍');
    assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

test('a streamed answer with usage', async () => {
    const chunks = await collect(await client.chat.completions.create(
        ask('mock', { stream: true, stream_options: { include_usage: true } })));
    assert.equal(chunks.at(-1).choices.length, 0);
    assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

test('the helper that runs a stream', async () => {
    const runner = client.chat.completions.stream(ask('mock-chunks-40'));
    assert.equal(await runner.finalContent(), 'token '.repeat(40));
});

test('tool calls, whole and streamed', async () => {
    const tools = [{ type: 'function', function: { name: 'get_weather', parameters: {
        type: 'object', properties: { city: { type: 'string' } } } } }];
    const whole = await client.chat.completions.create(ask('mock-tools', { tools }));
    const final = await client.chat.completions.stream(ask('mock-tools', { tools }))
        .finalChatCompletion();
    for (const answer of [whole, final]) {
        assert.equal(answer.choices[0].finish_reason, 'tool_calls');
        const calls = answer.choices[0].message.tool_calls;
        assert.deepEqual(calls.map((call) => call.function.name), ['get_weather', 'get_time']);
        assert.deepEqual(JSON.parse(calls[0].function.arguments), { city: 'Paris' });
    }
});

test('embeddings come as floats, although base64 is asked for', async () => {
    const answer = await client.embeddings.create({ model: 'mock', input: ['one', 'two'] });
    assert.equal(answer.data.length, 2);
    assert.deepEqual([...answer.data[1].embedding], [1, 0.5, -0.5, 0.25]);
});

test('responses, whole and streamed', async () => {
    const whole = await client.responses.create({ model: 'mock', input: 'Guten Tag' });
    assert.match(whole.output_text, /Guten Tag/);
    assert.equal(whole.usage.total_tokens, 16);
    const events = await collect(await client.responses.create(
        { model: 'mock', input: 'Guten Tag', stream: true }));
    assert.equal(events[0].type, 'response.created');
    assert.equal(events.at(-1).type, 'response.completed');
    assert.equal(events.at(-1).response.usage.output_tokens, 7);
});

test('completions', async () => {
    const answer = await client.completions.create({ model: 'mock', prompt: 'Once' });
    assert.match(answer.choices[0].text, /Once/);
});

test('models are listed page by page and found by id', async () => {
    const ids = (await collect(client.models.list())).map((model) => model.id);
    assert.ok(ids.length > 5, ids.join());
    const one = await client.models.retrieve(ids[0]);
    assert.equal(one.id, ids[0]);
    const slash = ids.find((id) => id.includes('vendor/model:1'));
    assert.ok(slash, ids.join());
    assert.equal((await client.models.retrieve(slash)).id, slash);
});

test('a wrong token is an AuthenticationError and is not tried again', async () => {
    const stranger = new OpenAI({ ...options, apiKey: 'sk-llmgr-wrong', maxRetries: 2 });
    const before = (await received()).length;
    const error = await failure(stranger.chat.completions.create(ask('mock')));
    assert.ok(error instanceof OpenAI.AuthenticationError, error);
    assert.equal(error.code, 'invalid_api_key');
    assert.ok(error.requestID);
    assert.equal((await received()).length, before);
});

test('an unknown model is a NotFoundError', async () => {
    const error = await failure(client.chat.completions.create(ask('no-such-model')));
    assert.ok(error instanceof OpenAI.NotFoundError, error);
    assert.equal(error.code, 'model_not_found');
    assert.match(error.message, /no-such-model/);
});

test('a bad request of the platform is a BadRequestError', async () => {
    const error = await failure(client.chat.completions.create(ask('mock-400')));
    assert.ok(error instanceof OpenAI.BadRequestError, error);
    assert.match(error.message, /the request is wrong/);
});

test('a limit of the platform is a RateLimitError', async () => {
    const error = await failure(client.chat.completions.create(ask('mock-429')));
    assert.ok(error instanceof OpenAI.RateLimitError, error);
    assert.equal(error.headers.get('retry-after'), '7');
});

test('a failing platform is an InternalServerError', async () => {
    for (const model of ['mock-500', 'mock-503', 'mock-html+500', 'mock-drop']) {
        const error = await failure(client.chat.completions.create(ask(model)));
        assert.ok(error instanceof OpenAI.InternalServerError, `${model}: ${error}`);
        assert.ok(error.error?.message, `${model}: ${JSON.stringify(error.error)}`);
    }
});

test('a stream that fails in the middle ends with an APIError', async () => {
    for (const model of ['mock-error-event', 'mock-cut-600']) {
        const stream = await client.chat.completions.create(ask(model, { stream: true }));
        const chunks = [];
        const error = await failure((async () => {
            for await (const chunk of stream) {
                chunks.push(chunk);
            }
        })());
        assert.ok(error instanceof OpenAI.APIError, `${model}: ${error}`);
        assert.ok(chunks.length > 0, model);
    }
});

test('leaving a stream leaves the client usable', async () => {
    const stream = await client.chat.completions.create(
        ask('mock-slow-200+chunks-100', { stream: true }));
    for await (const chunk of stream) {
        assert.ok(chunk);
        break;
    }
    assert.ok((await client.chat.completions.create(ask('mock'))).id);
});

test('many requests at once', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
        client.chat.completions.create(ask('mock', {
            messages: [{ role: 'user', content: `第${i}个` }] }))));
    answers.forEach((answer, i) => assert.match(answer.choices[0].message.content,
        new RegExp(`第${i}个$`)));
});

test('a platform that is silent before and between its events', async () => {
    for (const model of ['mock-slow-120', 'mock-slow-120+ids']) {
        const chunks = await collect(
            await client.chat.completions.create(ask(model, { stream: true })));
        assert.ok(chunks.every((chunk) => chunk.id));
        assert.equal(text(chunks), 'Hello from mockllm! You said: 你好，世界 🌍');
        const events = await collect(
            await client.responses.create({ model, input: 'hi', stream: true }));
        assert.equal(events[0].type, 'response.created');
        assert.equal(events.at(-1).type, 'response.completed');
        const final = await client.responses.stream({ model, input: 'hi' }).finalResponse();
        assert.equal(final.status, 'completed');
    }
});

test('the path without v1', async () => {
    const short = new OpenAI({ ...options, baseURL: baseURL.replace(/\/v1$/, '') });
    assert.ok((await short.chat.completions.create(ask('mock'))).id);
});

await runAll();
