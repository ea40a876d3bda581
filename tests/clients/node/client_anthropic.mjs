// SPDX-License-Identifier: MIT
// @anthropic-ai/sdk on /v1/messages.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';

import { collect, failure, received, runAll, test, token, url } from './cases.mjs';

const options = { baseURL: url, apiKey: token, maxRetries: 0 };
const client = new Anthropic(options);
const ask = (model, more = {}) => ({
    model, max_tokens: 64, messages: [{ role: 'user', content: '你好' }], ...more,
});

test('a whole answer', async () => {
    const answer = await client.messages.create(ask('mock'));
    assert.equal(answer.content[0].text, 'Hello from mockllm! You said: 你好');
    assert.equal(answer.usage.output_tokens, 7);
    assert.equal(answer.stop_reason, 'end_turn');
    assert.ok(answer._request_id);
});

test('a streamed answer', async () => {
    const events = await collect(await client.messages.create(ask('mock', { stream: true })));
    assert.equal(events[0].type, 'message_start');
    assert.equal(events.at(-1).type, 'message_stop');
});

test('the helper that runs a stream', async () => {
    const final = await client.messages.stream(ask('mock')).finalMessage();
    assert.equal(final.content[0].text, 'Hello from mockllm! You said: 你好');
    assert.equal(final.usage.output_tokens, 7);
    assert.equal(final.usage.input_tokens, 9);
});

test('version and beta reach the platform, the token does not', async () => {
    await client.messages.create(ask('mock'), { headers: { 'anthropic-beta': 'some-beta-1' } });
    const last = (await received()).at(-1);
    assert.equal(last.headers['anthropic-version'], '2023-06-01');
    assert.equal(last.headers['anthropic-beta'], 'some-beta-1');
    assert.ok(!JSON.stringify(last).includes(token));
});

test('tokens are counted', async () => {
    const answer = await client.messages.countTokens({ model: 'mock', messages: ask('').messages });
    assert.equal(answer.input_tokens, 9);
});

test('a token as Bearer', async () => {
    const bearer = new Anthropic({ ...options, apiKey: null, authToken: token });
    assert.ok((await bearer.messages.create(ask('mock'))).id);
});

test('models in the shape of this dialect', async () => {
    const models = await collect(client.models.list());
    assert.ok(models.length > 5);
    assert.ok(models.every((model) => model.type === 'model' && model.display_name));
});

test('errors have this dialect and its classes', async () => {
    const stranger = new Anthropic({ ...options, apiKey: 'sk-llmgr-wrong', maxRetries: 2 });
    for (const [error, kind, type] of [
        [await failure(stranger.messages.create(ask('mock'))),
            Anthropic.AuthenticationError, 'authentication_error'],
        [await failure(client.messages.create(ask('no-such-model'))),
            Anthropic.NotFoundError, 'not_found_error'],
        [await failure(client.messages.create(ask('mock-429'))),
            Anthropic.RateLimitError, 'rate_limit_error'],
    ]) {
        assert.ok(error instanceof kind, String(error));
        assert.equal(error.error.type, 'error');
        assert.equal(error.error.error.type, type);
        assert.ok(error.requestID);
    }
    const error = await failure(client.messages.create(ask('mock-500')));
    assert.ok(error instanceof Anthropic.InternalServerError, String(error));
});

test('a platform that is silent before and between its events', async () => {
    for (const model of ['mock-slow-120', 'mock-slow-120+ids']) {
        const events = await collect(await client.messages.create(ask(model, { stream: true })));
        assert.equal(events[0].type, 'message_start');
        assert.equal(events.at(-1).type, 'message_stop');
        const final = await client.messages.stream(ask(model)).finalMessage();
        assert.equal(final.content[0].text, 'Hello from mockllm! You said: 你好');
    }
});

test('a stream that is cut ends with an APIError', async () => {
    const stream = await client.messages.create(ask('mock-cut-600', { stream: true }));
    const error = await failure(collect(stream));
    assert.ok(error instanceof Anthropic.APIError, String(error));
});

await runAll();
