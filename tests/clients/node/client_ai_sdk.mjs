// SPDX-License-Identifier: MIT
// The package `ai` with Vercel's three providers, in the four dialects that they speak.
import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, jsonSchema, streamText, tool } from 'ai';

import { baseURL, collect, failure, runAll, test, token } from './cases.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;
const prompt = '你好，世界 🌍';
const hello = `Hello from mockllm! You said: ${prompt}`;
const providers = (apiKey) => {
    const openai = createOpenAI({ baseURL, apiKey });
    return {
        chat: (name) => openai.chat(name),
        responses: (name) => openai.responses(name),
        compatible: createOpenAICompatible({ name: 'llmgr', baseURL, apiKey, includeUsage: true }),
        anthropic: createAnthropic({ baseURL, authToken: apiKey }),
    };
};
const all = Object.entries(providers(token));

// A stream read to its end: the parts, the text, and the errors among them.
async function stream(model, more = {}) {
    const result = streamText({ model, prompt, maxRetries: 0, onError: () => {}, ...more });
    const parts = await collect(result.fullStream);
    return {
        parts,
        text: parts.filter((part) => part.type === 'text-delta').map((part) => part.text).join(''),
        errors: parts.filter((part) => part.type === 'error').map((part) => part.error),
        finish: parts.find((part) => part.type === 'finish'),
    };
}

test('whole answers, with usage', async () => {
    for (const [name, model] of all) {
        const answer = await generateText({ model: model('mock'), prompt, maxRetries: 0 });
        assert.equal(answer.text, hello, name);
        assert.equal(answer.finishReason, 'stop', name);
        assert.ok(answer.usage.outputTokens >= 7, name);
    }
});

test('streams, with usage', async () => {
    for (const [name, model] of all) {
        const answer = await stream(model('mock'));
        assert.deepEqual(answer.errors, [], name);
        assert.equal(answer.text, hello, name);
        assert.equal(answer.finish.finishReason, 'stop', name);
        assert.equal(answer.finish.totalUsage.outputTokens, 7, name);
    }
});

test('tool calls, whole and streamed', async () => {
    const tools = { get_weather: tool({ description: 'the weather', inputSchema: jsonSchema({
        type: 'object', properties: { city: { type: 'string' } } }) }),
    get_time: tool({ description: 'the time', inputSchema: jsonSchema({
        type: 'object', properties: {} }) }) };
    for (const [name, model] of all.filter(([name]) => ['chat', 'compatible'].includes(name))) {
        const whole = await generateText({ model: model('mock-tools'), prompt, tools, maxRetries: 0 });
        const streamed = await stream(model('mock-tools'), { tools });
        assert.deepEqual(streamed.errors, [], name);
        for (const calls of [whole.toolCalls,
            streamed.parts.filter((part) => part.type === 'tool-call')]) {
            assert.deepEqual(calls.map((call) => [call.toolName, call.input]),
                [['get_weather', { city: 'Paris' }], ['get_time', {}]], name);
        }
        assert.equal(streamed.finish.finishReason, 'tool-calls', name);
    }
});

test('reasoning', async () => {
    const [, model] = all.find(([name]) => name === 'compatible');
    const answer = await generateText({ model: model('mock-reasoning'), prompt, maxRetries: 0 });
    assert.equal(answer.reasoningText, 'The user said something.');
    const parts = (await stream(model('mock-reasoning'))).parts;
    assert.equal(parts.filter((part) => part.type === 'reasoning-delta')
        .map((part) => part.text).join(''), 'The user said something.');
});

test('a platform that is silent before and between its events', async () => {
    for (const [name, model] of all) {
        for (const silent of ['mock-slow-120', 'mock-slow-120+ids']) {
            const answer = await stream(model(silent));
            assert.deepEqual(answer.errors, [], `${name}: ${silent}`);
            assert.equal(answer.text, hello, `${name}: ${silent}`);
            assert.equal(answer.finish.finishReason, 'stop', name);
        }
    }
});

test('a stream that is cut or told an error has an error', async () => {
    for (const [name, model] of all) {
        const answer = await stream(model('mock-cut-600'));
        assert.equal(answer.errors.length, 1, `${name}: ${JSON.stringify(answer.parts)}`);
        assert.notEqual(answer.finish?.finishReason, 'stop', name);
    }
    for (const name of ['chat', 'compatible']) {
        const answer = await stream(providers(token)[name]('mock-error-event'));
        assert.equal(answer.errors.length, 1, name);
        assert.match(JSON.stringify(answer.errors), /mock error/, name);
    }
});

test('an error inside an answer of status 200 is an error', async () => {
    for (const [name, model] of all) {
        const whole = generateText({ model: model('mock-error-200'), prompt, maxRetries: 0 });
        assert.match(String(await failure(whole)), /./, name);
        const streamed = await stream(model('mock-error-200'));
        assert.equal(streamed.errors.length, 1, `${name}: ${JSON.stringify(streamed.parts)}`);
    }
});

test('refusals have their status and text', async () => {
    const strange = providers('sk-llmgr-wrong');
    for (const [name, model] of all) {
        for (const [what, status] of [[strange[name]('mock'), 401], [model('no-such-model'), 404],
            [model('mock-400'), 400], [model('mock-429'), 429], [model('mock-500'), 500]]) {
            const whole = await failure(generateText({ model: what, prompt, maxRetries: 0 }));
            assert.ok(APICallError.isInstance(whole), `${name} ${status}: ${whole}`);
            assert.equal(whole.statusCode, status, name);
            assert.ok(whole.message, name);
            // Of a stream that a keep-alive has begun, only an event can tell.
            assert.equal((await stream(what)).errors.length, 1, `${name} ${status}`);
        }
    }
});

await runAll();
