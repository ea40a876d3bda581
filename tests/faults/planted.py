# SPDX-License-Identifier: MIT
"""Short sweeps, the same each time, that tests/mutants/faults.toml relies on: what a planted
bug in the handling of a failure does is seen here each time, not by chance.
"""
import errno
import os

import pytest

from conftest import Llmgr
from faults import (AT_MAIN, DESCRIPTORS_GONE, FULL, FULL_ONCE, MEMORY_GONE, SYNC, WRITE, Fault,
                    Page, side_by_side)
from test_gateway import MANAGED, RELAYED, Gateway, is_refusal, until_refused
from test_program import Sites, QuietMock, Run, lying_about, state

CLOSED = Fault('closed', ('make',), errno.EACCES)
WRITE_GONE = Fault('write-gone', ('write',), errno.EIO, forever=True)
RUNS = 12


@pytest.fixture(scope='module', name='sites')
def houses_fixture(tmp_path_factory):
    return Sites(tmp_path_factory.mktemp('sites'), QuietMock())


def perform(sites, site, words, fault, nth, path):
    """As in test_program, but only files of that name fail."""
    llmgr = sites.copy(site)
    page = Page(llmgr.folder / 'faults.page')
    page.arm(fault, nth, AT_MAIN, path)
    result = llmgr.run(*words.split(), env=page.env)
    return Run(result.code, result.out, result.err, state(llmgr.folder), lying_about(llmgr.folder),
               page.each, page.failed, llmgr)


def each(sites, site, words, fault, path):
    """One run per call of the fault's kinds on such files; of many, some evenly spread."""
    peace = perform(sites, site, words, fault, 0, path)
    assert peace.code == 0, peace.err
    calls = fault.calls(peace.each)
    assert calls > 0, f'{words}: nothing that could fail of {path}'
    runs = side_by_side([
        lambda nth=nth: perform(sites, site, words, fault, nth, path)
        for nth in range(1, calls + 1, max(1, calls // RUNS))])
    return [run for run in runs if run.failed > 0]


@pytest.mark.parametrize('fault', [SYNC, WRITE, CLOSED], ids=lambda fault: fault.name)
def test_no_master_key_is_used_that_is_not_safely_on_disk(sites, fault):
    runs = each(sites, 'empty', 'init', fault, 'master.key')
    assert runs
    for run in runs:
        assert run.code == 9 and 'master key' in run.err
        assert not any('master.key' in name for name in run.files)


def test_the_folder_of_a_master_key_is_synced(sites):
    runs = each(sites, 'empty', 'init', SYNC, '/.config/llmgr')
    assert len(runs) == 2 and all(run.code == 9 for run in runs)


@pytest.mark.parametrize('fault', [WRITE, FULL, FULL_ONCE], ids=lambda fault: fault.name)
def test_no_half_configuration_stays(sites, fault):
    runs = each(sites, 'empty', 'init', fault, 'llmgr.yaml')
    assert runs
    for run in runs:
        assert run.code != 0 and 'llmgr.yaml' in run.err
        assert 'llmgr.yaml' not in run.files


@pytest.mark.parametrize('fault', [SYNC, WRITE, FULL], ids=lambda fault: fault.name)
def test_no_half_backup_stays(sites, fault):
    runs = each(sites, 'site', 'db backup copy.db', fault, 'copy.db')
    assert runs
    for run in runs:
        assert run.code != 0, run.out
        assert not any('copy.db' in name for name in run.files), run.files


def test_a_failing_disk_is_not_called_full(sites):
    for fault, word in ((WRITE_GONE, 'check the disk'), (FULL, 'space'),
                        (DESCRIPTORS_GONE, 'open files')):
        run = perform(sites, 'site', 'platform list', fault, 1, 'llmgr.db')
        assert run.failed and run.code == 9 and word in run.err, run.err


@pytest.mark.skipif('ASAN_OPTIONS' in os.environ,
                    reason='a new thread without memory ends the sanitizer itself')
def test_an_answer_without_memory_is_an_error_with_words(tmp_path, mockllm):
    gateway = Gateway(tmp_path, mockllm)
    try:
        for what, dialect in (MANAGED['models'], MANAGED['platforms'], RELAYED['whole'],
                              RELAYED['messages']):
            good = gateway.served(what)
            refused = 0
            for nth in range(1, 60):
                gateway.page.arm(MEMORY_GONE, nth)
                answer = gateway.ask(what)
                gateway.page.disarm()
                if answer is None:
                    continue
                if answer.status == 200:
                    assert len(answer.body) == len(good.body), answer.raw
                else:
                    assert is_refusal(answer, dialect), answer.raw
                    refused += 1
            assert refused > 0
            gateway.works()
    finally:
        gateway.stop()


def test_usage_that_cannot_be_recorded_is_not_begun(tmp_path, mockllm):
    gateway = Gateway(tmp_path, mockllm, LLMGR_JOURNAL_MAX='64KiB')
    try:
        gateway.page.arm(FULL, 1)
        assert until_refused(gateway, RELAYED['whole'][0]).status == 507
        assert len(mockllm.requests()) == len(gateway.done)
        gateway.page.disarm()
        assert len(gateway.settle()) == len(gateway.done)
    finally:
        gateway.stop()


def test_a_journal_file_that_is_not_on_disk_is_not_used(tmp_path, mockllm):
    """The gateway does not start with one, and says why."""
    Gateway(tmp_path, mockllm).stop()
    llmgr = Llmgr(tmp_path, f'sqlite:{tmp_path}/llmgr.db')
    llmgr.env['MOCK_KEY'] = 'sk-server-key-1234567'
    page = Page(tmp_path / 'start.page')
    page.arm(SYNC, 1, AT_MAIN, '.journal')
    result = llmgr.run('--mode', 'single', 'serve', '--listen', '127.0.0.1:0', env=page.env)
    assert page.failed == 1 and result.code in (1, 9)
    assert 'journal' in result.err
