# SPDX-License-Identifier: MIT
"""Clients that leave at any byte and clients that do not read; and a server told to end or to
reload under many streams."""
import asyncio
import json
import random
import signal

import pytest

from conftest import PATIENCE_S
from stress import (PATHS, ROUNDS, SANITIZED, TERMINAL, Answer, Client, ask, ask_of, crowd,
                    is_error, memory, settled, under_stress)

pytestmark = pytest.mark.stress

KIB = 1024
SEED = 20_240_607


async def leave_after(port, size, rude, dialect):
    """Reads `size` bytes of an endless stream and goes."""
    client = await Client(port).open()
    client.send(PATHS[dialect], ask_of(dialect, ['drip', 0.002, 0], True))
    if size > 0:
        await asyncio.wait_for(client.reader.readexactly(size), PATIENCE_S)
    client.close(rude)


def test_a_client_that_leaves_at_any_byte_of_the_answer_ends_the_exchange(tmp_path):
    async def test(serving, upstream):
        live = [asyncio.ensure_future(ask(serving.port, dialect, ['drip', 0.05, 30], True))
                for dialect in PATHS for _ in range(3)]
        sizes = [5 * i for i in range(200 * ROUNDS)]
        dialects = list(PATHS)
        await crowd(leave_after(serving.port, size, i % 2, dialects[i % 3])
                    for i, size in enumerate(sizes))
        for answer in await asyncio.gather(*live):
            assert answer.whole and answer.status == 200
        await upstream.idle()
        # Who leaves at once may be gone before there is an attempt, or before it arrives.
        sent = len(sizes) + len(live)
        assert len(upstream.received) >= sent - 2
        rows = await settled(serving.llmgr, len(upstream.received), sent)
        ends = [row['end_state'] for row in rows]
        assert ends.count('completed') == len(live)
        assert ends.count('client_gone') == len(rows) - len(live)
        assert (await ask(serving.port, stream=True)).whole
    under_stress(tmp_path, test)


def test_a_client_that_leaves_before_the_first_byte_ends_the_exchange(tmp_path):
    async def test(serving, upstream):
        async def leave(i):
            client = await Client(serving.port).open()
            client.send(PATHS['chat'], ask_of('chat', ['silent'], i % 2 == 0))
            while upstream.running == 0:
                await asyncio.sleep(0.001)
            await asyncio.sleep(i % 7 / 1000)
            client.close(rude=i % 3 == 0)
        await crowd(map(leave, range(40 * ROUNDS)), 8)
        await upstream.idle()
        rows = await settled(serving.llmgr, len(upstream.received), 40 * ROUNDS)
        assert {row['end_state'] for row in rows} == {'client_gone'}
        assert {row['provenance'] for row in rows} == {'unknown'}
    under_stress(tmp_path, test)


def test_a_client_that_leaves_during_its_upload_costs_nothing(tmp_path):
    async def test(serving, upstream):
        body = json.dumps(ask_of('chat', pad='x' * 300_000)).encode()
        head = ('POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n'
                f'Content-Length: {len(body)}')
        request = head.encode() + b'\r\n\r\n' + body

        async def leave(i):
            client = await Client(serving.port).open()
            client.writer.write(request[:1 + i * (len(request) - 2) // (100 * ROUNDS)])
            await asyncio.sleep(0.01)
            client.close(rude=i % 2)
        await crowd(map(leave, range(100 * ROUNDS)))
        assert (await ask(serving.port)).whole
        assert len(upstream.received) == 1
        await settled(serving.llmgr, 1)
    under_stress(tmp_path, test)


def test_stalled_readers_are_cut_and_hold_little_while_live_ones_are_served(tmp_path):
    count = 200 * min(ROUNDS, 4)

    async def stall(port):
        client = await Client(port).open(receive=4096)
        piece = 'data: {"choices":[{"index":0,"delta":{"content":"' + 'x' * 900 + '"}}]}\n\n'
        first = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
        client.writer.transport.pause_reading()
        client.send(PATHS['chat'], ask_of('chat', ['repeat', first, piece, 100_000], True))
        return client

    async def test(serving, upstream):
        assert (await ask(serving.port, stream=True)).whole
        before = memory(serving.process)
        stalled = [await stall(serving.port) for _ in range(count)]
        live = await crowd((ask(serving.port, dialect, ['drip', 0.02, 50], True)
                            for dialect in PATHS for _ in range(10)), 30)
        for answer in live:
            assert answer.whole and answer.status == 200
        grown = memory(serving.process, 'VmHWM') - before
        assert SANITIZED or grown < count * 64 * KIB + 4096 * KIB, f'{grown // count} bytes each'
        rows = await settled(serving.llmgr, 1 + len(live) + count)
        ends = [row['end_state'] for row in rows]
        assert ends.count('completed') == 1 + len(live)
        assert ends.count('client_gone') + ends.count('limit_cut') == count
        for client in stalled:
            client.close(rude=True)
        assert (await ask(serving.port, stream=True)).whole
    under_stress(tmp_path, test, write_timeout='2s')


def test_senders_that_drip_or_stop_are_cut_and_hold_little_while_others_are_served(tmp_path):
    count = 200 * min(ROUNDS, 4)
    body = json.dumps(ask_of('chat', pad='x' * 100_000)).encode()
    head = ('POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: '
            f'application/json\r\nContent-Length: {len(body)}\r\n\r\n').encode()

    async def drip(client, i):
        """Some of a request, then a byte now and then (in a head) or nothing more (in a body)."""
        request, at = head + body, len(head) + i % 200 * 400 if i % 2 else 1 + i % (len(head) - 2)
        client.writer.write(request[:at])
        try:
            while not client.reader.at_eof() and not client.writer.is_closing():
                if i % 2 == 0 and at < len(head) - 1:
                    client.writer.write(request[at:at + 1])
                    at += 1
                try:
                    await asyncio.wait_for(client.reader.read(4096), 0.5)
                except TimeoutError:
                    pass
        except ConnectionError:
            pass
        client.close()

    async def test(serving, upstream):
        assert (await ask(serving.port, stream=True)).whole
        before = memory(serving.process)
        slow = [asyncio.ensure_future(drip(await Client(serving.port).open(), i))
                for i in range(count)]
        live = await crowd((ask(serving.port, dialect, ['drip', 0.02, 50], True)
                            for dialect in PATHS for _ in range(10)), 30)
        assert all(answer.whole and answer.status == 200 for answer in live)
        await asyncio.wait_for(asyncio.gather(*slow), PATIENCE_S)
        grown = memory(serving.process, 'VmHWM') - before
        assert SANITIZED or grown < count * 128 * KIB + 4096 * KIB, f'{grown // count} bytes each'
        await settled(serving.llmgr, 1 + len(live))
        assert len(upstream.received) == 1 + len(live)
        assert (await ask(serving.port, stream=True)).whole
    under_stress(tmp_path, test, head_timeout='2s', body_timeout='2s')


async def read_slowly(client, pause_s=0):
    """How many bytes come until the last chunk; the connection stays open behind it."""
    total, end = 0, b''
    while not end.endswith(b'\r\n0\r\n\r\n'):
        data = await asyncio.wait_for(client.reader.read(65536), PATIENCE_S)
        assert data, 'it was cut'
        total += len(data)
        end = (end + data)[-7:]
        await asyncio.sleep(pause_s)
    return total


def test_a_reader_slower_than_the_limit_but_steady_is_not_cut(tmp_path):
    async def test(serving, _):
        client = await Client(serving.port).open(receive=4096)
        piece = 'data: {"choices":[{"index":0,"delta":{"content":"' + 'x' * 900 + '"}}]}\n\n'
        first = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
        client.send(PATHS['chat'], ask_of('chat', ['repeat', first, piece, 1500], True))
        assert await read_slowly(client, 0.002) > 1500 * len(piece)
        client.close()
    under_stress(tmp_path, test, write_timeout='500ms')


def test_a_reader_that_pauses_for_long_gets_all_of_it(tmp_path):
    count = 30_000  # more than the kernel's buffers and ours together would take

    async def test(serving, upstream):
        piece = 'data: {"choices":[{"index":0,"delta":{"content":"' + 'x' * 900 + '"}}]}\n\n'
        first = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
        client = await Client(serving.port).open(receive=4096)
        client.writer.transport.pause_reading()
        client.send(PATHS['chat'], ask_of('chat', ['repeat', first, piece, count], True))
        before = -1
        while upstream.repeated != before or before == 0:  # until the upstream has to wait
            before = upstream.repeated
            await asyncio.sleep(0.5)
        assert before < count, 'it never had to wait'
        client.writer.transport.resume_reading()
        assert await read_slowly(client) > count * len(piece)
        client.close()
    under_stress(tmp_path, test)


async def streams(serving, count, script):
    """`count` streams that have begun, and the answers to come."""
    async def one():
        client = await Client(serving.port).open()
        client.send(PATHS['chat'], ask_of('chat', script, True))
        answer = Answer()
        return client, answer, asyncio.ensure_future(client.answer(answer))
    begun = [await one() for _ in range(count)]
    async with asyncio.timeout(PATIENCE_S):
        while any(answer.status is None for _, answer, _ in begun):
            await asyncio.sleep(0.01)
    return begun


def test_a_drain_under_hundreds_of_streams_settles_them_all(tmp_path):
    count = 150 * min(ROUNDS, 4)

    async def test(serving, upstream):
        good = await streams(serving, count, ['drip', 0.1, 15])
        endless = await streams(serving, count, ['drip', 0.1, 0])
        serving.signal(signal.SIGHUP)
        early = await Client(serving.port).open()
        early.writer.write(b'GET /readyz HTTP/1.1\r\nHost: loc')
        await asyncio.sleep(0.3)
        serving.signal(signal.SIGHUP)
        serving.signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        try:
            await Client(serving.port).open()
            assert False, 'a connection was accepted during the drain'
        except ConnectionError:
            pass
        early.writer.write(b'alhost\r\n\r\n')
        assert (await early.answer()).status == 503
        for _, answer, coming in good:
            await coming
            assert answer.whole and answer.data[-1] == b'[DONE]'
        for _, answer, coming in endless:
            await coming
            assert TERMINAL['chat'] not in answer.data
            assert answer.whole and is_error('chat', json.loads(answer.data[-1]))
        assert await asyncio.to_thread(serving.process.wait, PATIENCE_S) == 0, serving.log
        rows = await settled(serving.llmgr, 2 * count)
        ends = [row['end_state'] for row in rows]
        assert ends.count('completed') == count and ends.count('limit_cut') == count
        await upstream.idle()
    under_stress(tmp_path, test, drain_timeout='4s')


def test_reloads_under_streams_and_requests_drop_nothing(tmp_path):
    async def test(serving, upstream):
        begun = await streams(serving, 50, ['drip', 0.02, 60])
        config = serving.llmgr.folder / 'llmgr.yaml'
        good = config.read_text()
        chance = random.Random(SEED)
        quick = []
        for i in range(20 * ROUNDS):
            config.write_text('platforms: [' if i % 5 == 4 else good)
            serving.signal(signal.SIGHUP)
            quick += await crowd(ask(serving.port, stream=j % 2 == 0) for j in range(10))
            await asyncio.sleep(chance.random() / 100)
        config.write_text(good)
        for _, answer, coming in begun:
            await coming
            assert answer.whole and answer.data[-1] == b'[DONE]'
        assert all(answer.whole and answer.status == 200 for answer in quick)
        rows = await settled(serving.llmgr, len(upstream.received))
        assert {row['end_state'] for row in rows} == {'completed'}
    under_stress(tmp_path, test)


def test_a_client_that_leaves_while_other_threads_work_for_it_hurts_nobody(tmp_path):
    async def test(serving, upstream):
        async def leave(i):
            client = await Client(serving.port).open()
            path = ('/api/platforms', '/api/usage', '/api/selections')[i % 3]
            client.send(path, b'', method='GET')
            await asyncio.sleep(i % 4 / 2000)
            client.close(rude=i % 2)
        await crowd(map(leave, range(200 * ROUNDS)))
        assert (await ask(serving.port)).whole
        await settled(serving.llmgr, 1)
    under_stress(tmp_path, test)
