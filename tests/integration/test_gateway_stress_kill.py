# SPDX-License-Identifier: MIT
"""SIGKILL under load, again and again: no request that a client saw to its end is missing from the
ledger, none is there twice, and the database is whole. And the rotations of keys, killed likewise
while the server works: no request fails, no key is lost.

LLMGR_TEST_ROUNDS says how many kills there are, as it does for the unit tests' loops of kills."""
import asyncio
import os
import random
import signal
import statistics
import subprocess
import time

import pytest

from conftest import PATIENCE_S
from serving import Serving, configure
from stress import PATHS, ROUNDS, Client, Upstream, ask, ask_of, ledger

pytestmark = pytest.mark.kills

KILLS = int(os.environ.get('LLMGR_TEST_ROUNDS', 6 * ROUNDS))
CHECK_EVERY = 10  # kills
SEED = 1_000_003
USERS = 12


@pytest.fixture(name='figure')
def figure_fixture(record_testsuite_property):
    """Says a name and a text in the sum of the run (tools/test-summary); judges nothing."""
    return record_testsuite_property


async def load(port, finished, seen, user=None):
    """One caller, until its connection breaks: whole answers, streams, slow streams."""
    scripts = [(['good'], False), (['good'], True), (['drip', 0.002, 5], True)]
    fields = [] if user is None else ['Authorization: Bearer ' + user]
    try:
        client = await Client(port).open()
        for i in range(10_000):
            script, stream = scripts[i % 3]
            client.send(PATHS['chat'], ask_of('chat', script, stream), *fields)
            answer = await client.answer()
            if answer.id is not None:
                seen.append(answer.id)
            if not answer.whole:
                return
            assert answer.status == 200, bytes(answer.body)
            finished.append(answer.id)
    except OSError:
        return


async def kill_in_a_moment(serving, seconds):
    await asyncio.sleep(seconds)
    serving.signal(signal.SIGKILL)
    await asyncio.to_thread(serving.process.wait, PATIENCE_S)
    serving.process.stdout.close()
    serving.errors.close()


def begin_and_kill(llmgr, seconds, *command):
    """One that dies, most often, before it is done; True if it was killed."""
    process = llmgr.start(*command, env={'MOCK_KEY': 'sk-server-key-1234567'},
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return process.wait(seconds) != 0
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(PATIENCE_S) != 0


async def restarted(llmgr, times):
    """A server on what the last one left, and how long it took to its first answer."""
    begin = time.monotonic()
    serving = await asyncio.to_thread(Serving, llmgr)
    client = await Client(serving.port).open()
    client.send('/readyz', b'', method='GET')
    assert (await client.answer()).status == 200, serving.log
    times.append(time.monotonic() - begin)
    client.close()
    return serving


def judge(rows, finished):
    """The ledger's promise, for requests that a client saw to their end."""
    keys = [(row['request_id'], int(row['attempt'])) for row in rows]
    assert len(set(keys)) == len(keys), 'a request is there twice'
    completed = {row['request_id'] for row in rows if row['end_state'] == 'completed'}
    lost = [name for name in finished if name not in completed]
    assert not lost, f'{len(lost)} of {len(finished)} are lost'
    return completed


def test_killed_again_and_again_nothing_finished_is_lost_or_doubled(llmgr, figure):
    serve = ('--mode', 'single', 'serve', '--listen', '127.0.0.1:0')

    async def run():
        chance = random.Random(SEED)
        finished, seen, times, early = [], [], [], 0
        async with Upstream() as upstream:
            configure(llmgr, upstream.base_url, {'Mock': 'm'})
            for i in range(KILLS):
                serving = await restarted(llmgr, times)
                callers = [load(serving.port, finished, seen) for _ in range(16)]
                await asyncio.gather(kill_in_a_moment(serving, 0.02 + chance.random() * 0.4),
                                     *callers)
                for _ in range(chance.randrange(3)):  # while it takes in the journals
                    early += await asyncio.to_thread(begin_and_kill, llmgr,
                                                     chance.random() * 0.1, *serve)
                if i % CHECK_EVERY == CHECK_EVERY - 1:
                    await asyncio.to_thread(llmgr.ok, 'db', 'check')
            serving = await restarted(llmgr, times)
            last = []
            caller = asyncio.ensure_future(load(serving.port, last, seen))
            while len(last) < 5:
                await asyncio.sleep(0.01)
            caller.cancel()
            await asyncio.to_thread(serving.stop)
        assert len(finished) > KILLS
        rows = ledger(llmgr)
        completed = judge(rows, finished + last)
        total = llmgr.json('usage')['total']
        assert total['attempts'] == len(rows)
        assert total['completed'] == len(completed)
        llmgr.ok('db', 'check')
        figure(f'kills, {llmgr.kind}', (
            f'{KILLS} under load, {early} at the start; {len(finished)} requests finished; from '
            f'the start to the first answer {1000 * statistics.median(times):.0f} ms (median), '
            f'{1000 * max(times):.0f} ms (longest)'))
    asyncio.run(run())


def test_rotations_killed_under_load_fail_no_request_and_lose_no_key(llmgr, figure):
    async def run():
        chance = random.Random(SEED)
        finished, killed = [], 0
        async with Upstream() as upstream:
            configure(llmgr, upstream.base_url, {'Mock': 'm'})
            tokens = []
            for i in range(USERS):
                user = ('-u', f'user{i}')
                platform = llmgr.json(*user, 'platform', 'list')[0]['platform_id']
                llmgr.ok(*user, 'platform', 'set-key', platform, '--key-stdin',
                         stdin=f'sk-own-{i:04}\n')
                tokens.append(llmgr.json(*user, 'token', 'create')['token'])
            serving = Serving(llmgr, mode='fixed')
            callers = [asyncio.ensure_future(load(serving.port, finished, [], token))
                       for token in tokens]
            for _ in range(KILLS):
                killed += await asyncio.to_thread(begin_and_kill, llmgr, chance.random() * 0.06,
                                                  'key', 'rotate')
                gone = [caller for caller in callers if caller.done()]
                assert not gone, gone
            await asyncio.to_thread(llmgr.ok, 'key', 'rotate')
            mark = len(upstream.received)
            for token in tokens:
                answer = await ask(serving.port, fields=['Authorization: Bearer ' + token])
                assert answer.status == 200 and answer.whole
            own = {fields['authorization'] for _, fields, _ in upstream.received[mark:]}
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            await asyncio.to_thread(serving.stop)
        assert len(own) == USERS
        judge(ledger(llmgr), finished)
        keys = llmgr.json('key', 'status')['keys']
        assert len(keys) == 1 and keys[0]['records'] >= USERS, keys
        llmgr.ok('db', 'check')
        figure(f'rotations, {llmgr.kind}',
               f'{killed} of {KILLS} killed under way; {len(finished)} requests finished')
    asyncio.run(run())


def test_a_new_master_key_killed_at_any_moment_is_the_key_or_is_not(llmgr, figure):
    chance = random.Random(SEED)
    llmgr.ok('init')
    configure(llmgr, 'http://127.0.0.1:9/v1', {'Mock': 'm'})
    llmgr.ok('sync', env={'MOCK_KEY': 'sk-server-key-1234567'})
    key, changed, killed = next(llmgr.folder.rglob('master.key')), 0, 0
    for i in range(KILLS):
        new = llmgr.folder / f'{i}.key'
        llmgr.env['LLMGR_MASTER_KEY_FILE'] = str(key)
        killed += begin_and_kill(llmgr, chance.random() * 0.06, 'key', 'rotate',
                                 '--new-master-key-file', new)
        opened = [name for name in (key, new) if name.exists() and llmgr.run(
            'key', 'status', env={'LLMGR_MASTER_KEY_FILE': str(name)}).code == 0]
        assert len(opened) == 1, (i, opened)
        changed += opened[0] == new
        key = opened[0]
    llmgr.env['LLMGR_MASTER_KEY_FILE'] = str(key)
    llmgr.ok('db', 'check')
    figure(f'new master keys, {llmgr.kind}',
           f'{killed} of {KILLS} killed under way, {changed} in force')
