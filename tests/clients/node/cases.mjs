// SPDX-License-Identifier: MIT
// A runner of cases that prints one line of JSON for each; test_node.py reads them.
import process from 'node:process';

export const url = process.env.LLMGR_URL;
export const baseURL = `${url}/v1`;
export const token = process.env.LLMGR_TOKEN;
const upstream = new URL('/_mock/requests', process.env.LLMGR_UPSTREAM);
const PATIENCE_MS = 30000;
const all = [];

export function test(name, run) {
    all.push({ name, run });
}

// What the upstream has received, oldest first.
export async function received() {
    return (await fetch(upstream)).json();
}

// The error that a promise ends with; it is a fault if there is none.
export async function failure(promise) {
    let value;
    try {
        value = await promise;
    } catch (error) {
        return error;
    }
    throw new Error(`this should have failed: ${JSON.stringify(value)?.slice(0, 300)}`);
}

export async function collect(stream) {
    const items = [];
    for await (const item of stream) {
        items.push(item);
    }
    return items;
}

async function complaintOf(run) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error('no end within 30 s')), PATIENCE_MS);
    });
    try {
        await Promise.race([run(), late]);
        return null;
    } catch (error) {
        return String(error?.stack ?? error);
    } finally {
        clearTimeout(timer);
    }
}

export async function runAll() {
    for (const { name, run } of all) {
        const complaint = await complaintOf(run);
        process.stdout.write(`${JSON.stringify({ name, complaint })}\n`);
    }
    process.exit(0);
}
