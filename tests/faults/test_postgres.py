# SPDX-License-Identifier: MIT
"""PostgreSQL at the other end of a connection that fails: the n-th connect, read or write of
libpq's, once and from there on. The command fails with words or did what it says, and what is in
the database is what was there before or what was asked for.
"""
import re
import subprocess

import pytest

import faults
from conftest import PATIENCE_S, House
from faults import (AT_MAIN, CONNECT, CONNECT_GONE, INTERRUPTED, MEMORY, RECEIVE, SEND, SHORT, Page)
from test_program import CODES, VARYING, QuietMock

FAULTS = (CONNECT, CONNECT_GONE, RECEIVE, SEND, INTERRUPTED, SHORT, MEMORY)
TABLES = ('llm_platforms', 'llm_platform_models', 'llm_sys_platform_keys', 'user_ai_configs',
          'llm_tokens')
# Each with what undoes it, so that the next run finds the same house.
WRITING = {
    'platform hide': ('-u ann platform hide 1', '-u ann platform show 1'),
    'select': ('-u ann select --platform 1 --model 2', '-u ann select --platform 1 --model 1'),
    'set-key': ('-u ann platform set-key 1 --key-env ALPHA_KEY', '-u ann platform clear-key 1'),
}
READING = ('model list', 'token list', 'db check')


@pytest.fixture(name='house')
def house_fixture(tmp_path, postgres):
    house = House(tmp_path, postgres.fresh(), QuietMock())
    house.ok('init')
    house.select('ann', 'One')
    return house


def rows(house):
    """What a command of WRITING changes; of a key, that there is one."""
    select = ' UNION ALL '.join(f"SELECT '{table} ' || (to_jsonb(t) - 'id')::text FROM {table} t"
                                for table in TABLES)
    out = subprocess.run(['psql', '-qXAt', '-c', select, house.url], check=True,
                         capture_output=True, text=True, timeout=PATIENCE_S).stdout
    return sorted(re.sub(r'"\\\\x[0-9a-f]+"', 'sealed', line) for line in out.splitlines())


def run(house, words, fault, nth):
    page = Page(house.folder / 'faults.page')
    page.arm(fault, nth, AT_MAIN)
    return house.run(*words.split(), env=page.env), page


def judge(result, page, fault, said):
    assert result.code == 0 or result.code in CODES, (said, result)
    if result.code == 0:
        return
    assert page.failed > 0 and not fault.harmless, (said, result)
    assert result.err.startswith('llmgr: '), (said, result)


@pytest.mark.parametrize('words', READING)
def test_a_reading_command_fails_or_tells_all(house, words):
    good, page = run(house, words, MEMORY, 0)
    for fault in FAULTS:
        for nth in faults.points(fault.calls(page.each), f'postgres {words} {fault.name}'):
            result, met = run(house, words, fault, nth)
            judge(result, met, fault, f'{words}: {fault.name} {nth}')
            if result.code == 0:
                assert VARYING.sub('…', result.out) == VARYING.sub('…', good.out)


@pytest.mark.parametrize('name', WRITING)
def test_a_writing_command_does_all_or_nothing(house, name):
    words, undo = WRITING[name]
    house.ok(*undo.split())
    before = rows(house)
    good, page = run(house, words, MEMORY, 0)
    assert good.code == 0, good
    after = rows(house)
    assert before != after
    house.ok(*undo.split())
    for fault in FAULTS:
        for nth in faults.points(fault.calls(page.each), f'postgres {name} {fault.name}'):
            result, met = run(house, words, fault, nth)
            said = f'{name}: {fault.name} {nth}'
            judge(result, met, fault, said)
            now = rows(house)
            assert now == after if result.code == 0 else now in (before, after), said
            house.ok(*undo.split())
    house.ok('db', 'check')
