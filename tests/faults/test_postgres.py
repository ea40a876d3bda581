# SPDX-License-Identifier: MIT
"""PostgreSQL at the other end of a connection that fails: the n-th connect, read or write of
libpq's, once and from there on. The command fails with words or did what it says, and what is in
the database is what was there before or what was asked for.
"""
import re
import subprocess

import pytest

import faults
from conftest import PATIENCE_S, Site
from faults import (AT_MAIN, CONNECT, CONNECT_GONE, INTERRUPTED, MEMORY, RECEIVE, SEND, SHORT, Page)
from test_program import CODES, VARYING, QuietMock

FAULTS = (CONNECT, CONNECT_GONE, RECEIVE, SEND, INTERRUPTED, SHORT, MEMORY)
TABLES = ('llm_platforms', 'llm_platform_models', 'llm_sys_platform_keys', 'user_ai_configs',
          'llm_tokens')
# Each with what undoes it, so that the next run finds the same site.
WRITING = {
    'platform hide': ('-u ann platform hide 1', '-u ann platform show 1'),
    'select': ('-u ann select --platform 1 --model 2', '-u ann select --platform 1 --model 1'),
    'set-key': ('-u ann platform set-key 1 --key-env ALPHA_KEY', '-u ann platform clear-key 1'),
}
READING = ('model list', 'token list', 'db check')


@pytest.fixture(name='site')
def site_fixture(tmp_path, postgres):
    site = Site(tmp_path, postgres.fresh(), QuietMock())
    site.ok('init')
    site.select('ann', 'One')
    return site


def rows(site):
    """What a command of WRITING changes; of a key, that there is one."""
    select = ' UNION ALL '.join(f"SELECT '{table} ' || (to_jsonb(t) - 'id')::text FROM {table} t"
                                for table in TABLES)
    out = subprocess.run(['psql', '-qXAt', '-c', select, site.url], check=True,
                         capture_output=True, text=True, timeout=PATIENCE_S).stdout
    return sorted(re.sub(r'"\\\\x[0-9a-f]+"', 'sealed', line) for line in out.splitlines())


def run(site, words, fault, nth):
    page = Page(site.folder / 'faults.page')
    page.arm(fault, nth, AT_MAIN)
    return site.run(*words.split(), env=page.env), page


def judge(result, page, fault, said):
    assert result.code == 0 or result.code in CODES, (said, result)
    if result.code == 0:
        return
    assert page.failed > 0 and not fault.harmless, (said, result)
    assert result.err.startswith('llmgr: '), (said, result)


@pytest.mark.parametrize('words', READING)
def test_a_reading_command_fails_or_tells_all(site, words):
    good, page = run(site, words, MEMORY, 0)
    for fault in FAULTS:
        for nth in faults.points(fault.calls(page.each), f'postgres {words} {fault.name}'):
            result, met = run(site, words, fault, nth)
            judge(result, met, fault, f'{words}: {fault.name} {nth}')
            if result.code == 0:
                assert VARYING.sub('…', result.out) == VARYING.sub('…', good.out)


@pytest.mark.parametrize('name', WRITING)
def test_a_writing_command_does_all_or_nothing(site, name):
    words, undo = WRITING[name]
    site.ok(*undo.split())
    before = rows(site)
    good, page = run(site, words, MEMORY, 0)
    assert good.code == 0, good
    after = rows(site)
    assert before != after
    site.ok(*undo.split())
    for fault in FAULTS:
        for nth in faults.points(fault.calls(page.each), f'postgres {name} {fault.name}'):
            result, met = run(site, words, fault, nth)
            said = f'{name}: {fault.name} {nth}'
            judge(result, met, fault, said)
            now = rows(site)
            assert now == after if result.code == 0 else now in (before, after), said
            site.ok(*undo.split())
    site.ok('db', 'check')
