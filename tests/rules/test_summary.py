# SPDX-License-Identifier: MIT
"""The sum at the end of a test run is right, and a run that proves nothing fails."""
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PASSED, FAILED, SKIPPED = '', '<failure message="no"/>', '<skipped/>'


def junit(*cases, figures=''):
    body = ''.join(f'<testcase name="{name}" classname="c">{what}</testcase>'
                   for name, what in cases)
    return f'<testsuites><testsuite name="s">{figures}{body}</testsuite></testsuites>'


@pytest.fixture(name='summary')
def summary_fixture(tmp_path):
    """Returns what test-summary makes of Meson's cases, pytest's cases and an exit code."""
    def run(meson, inner=(), status=0, figures='', log='testlog'):
        (tmp_path / 'meson-logs').mkdir()
        if meson is not None:
            (tmp_path / f'meson-logs/{log}.junit.xml').write_text(junit(*meson), encoding='utf-8')
        if inner:
            (tmp_path / 'junit-pytest-x.xml').write_text(junit(*inner, figures=figures),
                                                          encoding='utf-8')
        done = subprocess.run([sys.executable, TOP / 'tools/test-summary', tmp_path,
                               '--status', str(status), '--part', 'p'],
                              capture_output=True, text=True, check=False)
        line = (tmp_path / 'part-p.tsv').read_text(encoding='utf-8')
        return done.returncode, done.stdout.strip(), line
    return run


def test_cases_are_counted(summary):
    assert summary([('a', PASSED), ('b', PASSED), ('c', SKIPPED)]) == \
        (0, 'p: 2 passed, 0 failed, 1 skipped', 'p\t2\t0\t1\n')


def test_a_pytest_run_counts_by_its_cases(summary):
    assert summary([('a', PASSED), ('llmgr:x / pytest-x', PASSED)],
                   [('one', PASSED), ('two', PASSED)])[1] == 'p: 3 passed, 0 failed'


def test_the_log_of_a_wrapped_run_is_found(summary):
    assert summary([('a', PASSED)], log='testlog-valgrind')[:2] == (0, 'p: 1 passed, 0 failed')


def test_figures_are_said_and_judge_nothing(summary):
    recorded = ('<properties><property name="kills" value="9 of 10"/>'
                '<property name="hypothesis-statistics-test_x" value="QUJD"/></properties>')
    assert summary([('a', PASSED)], [('one', PASSED)], figures=recorded)[:2] == \
        (0, 'p: kills: 9 of 10\np: 2 passed, 0 failed')


def test_a_failed_case_fails(summary):
    assert summary([('a', PASSED), ('b', FAILED)], status=1)[:2] == \
        (1, 'FAILED c: b\n    no\np: 1 passed, 1 failed')


def test_a_failure_nobody_counted_is_counted(summary):
    assert summary([('a', PASSED)], status=1)[:2] == (1, 'p: 1 passed, 1 failed')


@pytest.mark.parametrize('meson', [None, [], [('a', SKIPPED)]], ids=['no log', 'empty', 'skipped'])
def test_a_run_of_nothing_fails(summary, meson):
    status, line, _ = summary(meson)
    assert status == 1 and line.startswith('p: 0 passed, 1 failed')
