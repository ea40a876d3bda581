# SPDX-License-Identifier: MIT
"""tools/guard counts the program's own instructions, and a figure that grew is a failure."""
import importlib.machinery
import importlib.util
import pathlib

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
THREAD = '''# callgrind format
positions: line
events: Ir

ob=(1) /usr/lib/libc.so
fn=(1) memcpy
10 700
ob=(2) /b/llmgr
fl=(1) a.c
fn=(2) ours
5 100
+2
cob=(1)
cfn=(1)
calls=3 10
* 700
-1 20
ob=(3) /usr/lib/libother.so
fn=(3) theirs
1 9
ob=(2)
fn=(4) ours_too
7 3
totals: 832
'''


@pytest.fixture(name='guard', scope='module')
def fixture_guard():
    loader = importlib.machinery.SourceFileLoader('guard', str(TOP / 'tools' / 'guard'))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('guard', loader))
    loader.exec_module(module)
    return module


def test_own_code_is_the_programs_alone_and_calls_count_once(guard, tmp_path):
    path = tmp_path / 'counts.1-01'
    path.write_text(THREAD)
    assert guard.own_code(path, pathlib.Path('/b/llmgr')) == (123, 832)


@pytest.mark.parametrize('found, failed, word', [
    (1000, 0, 'as in the table'), (1020, 0, 'as in the table'), (1021, 1, 'FAILED: +2.1%'),
    (980, 0, 'as in the table'), (979, 0, 'the table may follow')])
def test_two_per_cent_more_fail(guard, found, failed, word):
    table = {'instructions': {key: 1000 for key in guard.EXPLAINED}}
    figures = {key: 1000 for key in guard.EXPLAINED} | {'piece': found}
    *lines, counted = guard.judge(figures, table)
    assert counted == (len(guard.EXPLAINED) - failed, failed)
    assert word in next(line for line in lines if ' piece ' in line)


def test_a_figure_without_a_row_fails(guard):
    table = {'instructions': {key: 1000 for key in guard.EXPLAINED if key != 'resolve'}}
    *lines, counted = guard.judge({key: 1000 for key in guard.EXPLAINED}, table)
    assert counted == (len(guard.EXPLAINED) - 1, 1) and 'FAILED' in lines[-1]


def test_the_table_has_a_row_for_each_figure(guard):
    table = guard.tomllib.loads((TOP / guard.TABLE).read_text())
    assert set(table['instructions']) == set(guard.EXPLAINED) and table['compiler']
