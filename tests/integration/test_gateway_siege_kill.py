# SPDX-License-Identifier: MIT
"""SIGKILL under load, again and again: no request that a client saw to its end is missing from the
ledger, none is there twice, and the database is whole."""
import asyncio
import random
import signal

from conftest import PATIENCE_S
from serving import Serving, configure
from siege import PATHS, ROUNDS, Client, Upstream, ask_of, ledger

KILLS = 6 * ROUNDS
SEED = 1_000_003


async def load(port, finished, seen):
    """One caller, until its connection breaks: whole answers, streams, slow streams."""
    scripts = [(['good'], False), (['good'], True), (['drip', 0.002, 5], True)]
    try:
        client = await Client(port).open()
        for i in range(10_000):
            script, stream = scripts[i % 3]
            client.send(PATHS['chat'], ask_of('chat', script, stream))
            answer = await client.answer()
            if answer.id is not None:
                seen.append(answer.id)
            if not answer.whole:
                return
            assert answer.status == 200
            finished.append(answer.id)
    except OSError:
        return


async def kill_in_a_moment(serving, seconds):
    await asyncio.sleep(seconds)
    serving.signal(signal.SIGKILL)
    await asyncio.to_thread(serving.process.wait, PATIENCE_S)
    serving.process.stdout.close()
    serving.errors.close()


def begin_and_kill(llmgr, seconds):
    """One that dies while it takes in the journals of the one before."""
    process = llmgr.start('--mode', 'single', 'serve', '--listen', '127.0.0.1:0',
                          env={'MOCK_KEY': 'sk-server-key-1234567'}, stdout=-3, stderr=-3)
    try:
        process.wait(seconds)
    except Exception:  # pylint: disable=broad-except
        process.kill()
        process.wait(PATIENCE_S)


def test_killed_again_and_again_nothing_finished_is_lost_or_doubled(llmgr):
    async def run():
        chance = random.Random(SEED)
        finished, seen = [], []
        async with Upstream() as upstream:
            configure(llmgr, upstream.base_url, {'Mock': 'm'})
            for _ in range(KILLS):
                serving = Serving(llmgr)
                callers = [load(serving.port, finished, seen) for _ in range(16)]
                await asyncio.gather(kill_in_a_moment(serving, 0.02 + chance.random() * 0.6),
                                     *callers)
                for _ in range(chance.randrange(3)):
                    await asyncio.to_thread(begin_and_kill, llmgr, chance.random() * 0.15)
            serving = Serving(llmgr)
            last = []
            caller = asyncio.ensure_future(load(serving.port, last, seen))
            while len(last) < 5:
                await asyncio.sleep(0.01)
            caller.cancel()
            await asyncio.to_thread(serving.stop)
        assert len(finished) > KILLS
        rows = ledger(llmgr)
        keys = [(row['request_id'], int(row['attempt'])) for row in rows]
        assert len(set(keys)) == len(keys), 'a request is there twice'
        completed = {row['request_id'] for row in rows if row['end_state'] == 'completed'}
        lost = [name for name in finished + last if name not in completed]
        assert not lost, f'{len(lost)} of {len(finished)} are lost'
        total = llmgr.json('usage')['total']
        assert total['attempts'] == len(rows)
        assert total['completed'] == len(completed)
        llmgr.ok('db', 'check')
    asyncio.run(run())
