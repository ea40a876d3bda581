# SPDX-License-Identifier: MIT
"""The sum at the end of a test run is right, and nothing that did not run looks like success: each
test plants one such thing in a small site."""
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PASSED, FAILED = '', '<failure message="no"/>'
SKIPPED = '<skipped message="no disk here"/>'
PYTEST = 'pytest-x'
SKIPS = '[[skip]]\nreason = "no disk here"\ntests = "test_a: *"\nwhy = "containers have none"\n'


def junit(cases, figures='', classname='test_a'):
    body = ''.join(f'<testcase name="{name}" classname="{classname}">{what}</testcase>'
                   for name, what in cases)
    return f'<testsuites><testsuite name="s">{figures}{body}</testsuite></testsuites>'


class Site:
    """A tree with the unit test a/one and the pytest run pytest-x of tests/x/test_a.py."""

    def __init__(self, top):
        self.top, self.build = top, top / 'build'
        self.figures, self.classname, self.word, self.torn = '', 'test_a', 'OK', ''
        self.write('tests/unit/a/test_one.c')
        self.write('tests/x/test_a.py')
        self.tests = {'a/one': self.row('unit', ['one'], ['one@exe']),
                      PYTEST: self.row('x', ['python3', '-m', 'pytest', '--junit-xml',
                                             f'{self.build}/junit-pytest-x.xml', f'{top}/tests/x'])}

    @staticmethod
    def row(suite, command, depends=()):
        return {'suite': [f'p:{suite}', 'p:tag'], 'cmd': command, 'depends': list(depends)}

    def write(self, name, text=''):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')

    def sum(self, unit=(('1 - a', PASSED),), inner=(('one', PASSED),), status=0, env=None,
            **options):
        """(exit code, what was printed); `unit` None: a/one did not run, `inner` None: no file."""
        rows = [row | {'name': name} for name, row in self.tests.items()]
        self.write('build/meson-info/intro-tests.json', json.dumps(rows))
        target = {'id': 'one@exe',
                  'target_sources': [{'sources': [f'{self.top}/tests/unit/a/test_one.c']}]}
        self.write('build/meson-info/intro-targets.json', json.dumps([target]))
        log, xml = [], '<testsuites>'
        if unit is not None and 'a/one' in self.tests:
            log.append({'name': 'p:unit+tag / a/one', 'result': self.word})
            cases = ''.join(f'<testcase name="{name}">{what}</testcase>' for name, what in unit)
            xml += f'<testsuite name="p.p:unit+tag / a/one">{cases}</testsuite>'
        if PYTEST in self.tests:
            left = status == 77
            log.append({'name': 'p:x / pytest-x', 'result': 'SKIP' if left else 'OK'})
            told = '<skipped/><system-err>pip said\nno registry</system-err>' if left else ''
            case = f'<testcase name="p:x / {PYTEST}">{told}</testcase>'
            xml += f'<testsuite name="p">{case}</testsuite>'
        self.write('build/meson-logs/testlog-w.json', '\n'.join(map(json.dumps, log)))
        self.write('build/meson-logs/testlog-w.junit.xml', xml + '</testsuites>')
        if inner is not None and status != 77:
            self.write('build/junit-pytest-x.xml', junit(inner, self.figures, self.classname))
        if self.torn:
            path = self.build / self.torn
            path.write_bytes(path.read_bytes()[:-20])
        words = [word for name, value in options.items()
                 for word in (f'--{name.replace("_", "-")}', str(value))]
        clean = {name: value for name, value in os.environ.items()
                 if name not in ('LLMGR_TESTS', 'PYTEST_ADDOPTS')}
        done = subprocess.run([sys.executable, TOP / 'tools/test-summary', self.build, '--top',
                               self.top, '--part', 'p', '--status', str(status % 77), *words],
                              capture_output=True, text=True, check=False,
                              env={**clean, **(env or {})})
        assert done.stderr == ''
        return done.returncode, done.stdout.strip()


REQUIRED = {'LLMGR_TESTS': 'required'}


@pytest.fixture(name='site')
def site_fixture(tmp_path):
    return Site(tmp_path)


def test_the_cases_of_both_kinds_of_test_are_counted(site):
    code, said = site.sum([('1 - a', PASSED), ('2 - b', PASSED)], [('c', PASSED)])
    assert (code, said) == (0, '2 suites of 2 ran\np: 3 passed, 0 failed')
    assert (site.build / 'part-p.tsv').read_text('utf-8') == 'p\t3\t0\t0\n'


def test_figures_are_said_and_judge_nothing(site):
    site.figures = ('<properties><property name="kills" value="9 of 10"/>'
                     '<property name="hypothesis-statistics-test_x" value="QUJD"/></properties>')
    code, said = site.sum()
    assert code == 0 and said.startswith('p: kills: 9 of 10\n2 suites')


def test_a_failed_case_is_named(site):
    code, said = site.sum(inner=[('one', PASSED), ('two', FAILED)], status=1)
    assert code == 1 and said.startswith('FAILED test_a: two\n    no\n')
    assert said.endswith('\np: 2 passed, 1 failed')
    assert 'p: FAILED test_a: two' in (site.build / 'closing-p.txt').read_text('utf-8')


def test_a_failure_nobody_counted_is_counted(site):
    assert site.sum(status=1)[1].endswith('p: 2 passed, 1 failed')


def test_a_program_that_died_between_two_cases_is_named(site):
    site.word = 'ERROR'
    code, said = site.sum(status=1)
    assert code == 1 and 'FAILED a/one\n    ERROR' in said


def test_a_skip_is_named_and_counted_by_its_reason(site):
    code, said = site.sum(inner=[('one', PASSED), ('two', SKIPPED), ('three', SKIPPED)])
    assert code == 0
    assert 'SKIPPED 2 (skipped): no disk here: test_a: two, test_a: three\n' in said
    assert said.endswith('p: 2 passed, 0 failed, 2 skipped')


def test_a_skip_fails_where_all_is_required(site):
    code, said = site.sum(inner=[('one', PASSED), ('two', SKIPPED)], env=REQUIRED)
    assert code == 1 and 'FAILED test_a: two\n    skipped: no disk here\n' in said
    assert said.endswith('p: 2 passed, 1 failed')


def test_an_accepted_skip_does_not_fail_but_is_named(site):
    site.write('tests/skips.toml', SKIPS)
    code, said = site.sum(inner=[('one', PASSED), ('two', SKIPPED)], env=REQUIRED)
    assert code == 0 and 'SKIPPED 1 (accepted): no disk here: test_a: two\n' in said
    site.write('tests/skips.toml', SKIPS.replace('test_a', 'test_b'))
    assert site.sum(inner=[('one', PASSED), ('two', SKIPPED)], env=REQUIRED)[0] == 1


def test_a_suite_without_a_registry_is_named_with_the_way_to_leave_it_out(site):
    code, said = site.sum(status=77)
    assert code == 0
    assert said.splitlines()[-3:] == [
        'NOT RUN x: no registry; `WITHOUT=x make test` leaves it out', '1 suites of 2 ran',
        'p: 1 passed, 0 failed, 1 skipped']
    code, said = site.sum(status=77, env=REQUIRED)
    assert code == 1 and 'FAILED pytest-x\n    skipped: no registry' in said
    assert 'NOT RUN x: no registry' in said


def test_a_suite_left_out_is_named(site):
    (site.top / 'selected').write_text('p:unit+tag / a/one\np:x / pytest-x\n', encoding='utf-8')
    options = {'unit': None, 'without': 'unit', 'selected': site.top / 'selected'}
    code, said = site.sum(**options)
    assert code == 0 and 'NOT RUN unit: left out by WITHOUT\n1 suites of 2 ran\n' in said
    assert site.sum(**options, env=REQUIRED)[0] == 1
    assert site.sum(**options | {'without': ''})[0] == 1


def test_a_selected_test_without_a_result_fails(site):
    code, said = site.sum(unit=None)
    assert code == 1 and 'FAILED a/one\n    it was selected and left no result' in said


@pytest.mark.parametrize('name', ['meson-logs/testlog-w.json', 'meson-logs/testlog-w.junit.xml',
                                  'junit-pytest-x.xml'])
def test_a_file_that_stops_half_way_fails_by_name(site, name):
    site.torn = name
    code, said = site.sum(inner=[(str(nth), PASSED) for nth in range(9)])
    assert code == 1 and f'FAILED {pathlib.Path(name).name}' in said
    assert f'{name} stops half-way; ' in said and ' MiB of disk are free' in said


@pytest.mark.parametrize('inner', [None, []], ids=['no file', 'no case'])
def test_a_pytest_run_that_left_no_case_fails(site, inner):
    code, said = site.sum(inner=inner)
    assert code == 1 and 'FAILED pytest-x\n    it ran no case\nNOT RUN x: it ran no case;' in said
    assert said.endswith('1 suites of 2 ran\np: 1 passed, 1 failed')


def test_a_suite_all_of_which_was_skipped_did_not_run(site):
    code, said = site.sum(inner=[('one', SKIPPED)])
    assert code == 0 and 'NOT RUN x: no disk here;' in said and '1 suites of 2 ran' in said


@pytest.mark.parametrize('path', ['tests/unit/a/test_two.c', 'fuzz/fuzz_b.c', 'tests/y/test_c.py',
                                  'tools/check-d', 'bindings/z/tests/test_e.py'])
def test_a_file_that_no_registered_test_runs_fails_by_name(site, path):
    site.write(path)
    code, said = site.sum()
    assert code == 1 and f'FAILED {path}\n    no registered test runs it' in said


@pytest.mark.parametrize('gone, path', [('a/one', 'tests/unit/a/test_one.c'),
                                        (PYTEST, 'tests/x/test_a.py')])
def test_a_suite_that_is_not_registered_fails_by_name(site, gone, path):
    del site.tests[gone]
    code, said = site.sum()
    assert code == 1 and f'FAILED {path}\n    no registered test runs it' in said


def test_a_file_of_which_nothing_was_collected_fails_by_name(site):
    site.write('tests/x/test_b.py')
    code, said = site.sum()
    assert code == 1 and 'FAILED tests/x/test_b.py\n    no case of it ran' in said
    assert site.sum(env={'PYTEST_ADDOPTS': '-m some'})[0] == 0


def test_a_module_that_skips_itself_is_named(site):
    site.classname = ''
    skip = '<skipped message="collection skipped">("a.py", 4, "Skipped: no disk here")</skipped>'
    code, said = site.sum(inner=[('test_a', skip)], env=REQUIRED)
    assert code == 1 and 'FAILED test_a\n    skipped: no disk here' in said


@pytest.mark.parametrize('unit', [[], [('1 - a', '<skipped/>')]], ids=['empty', 'skipped'])
def test_a_run_of_nothing_fails(site, unit):
    del site.tests[PYTEST]
    (site.top / 'tests/x/test_a.py').unlink()
    code, said = site.sum(unit)
    assert code == 1 and '\np: 0 passed, 1 failed' in said


def test_pytest_alone_is_summed(tmp_path):
    (tmp_path / 'junit-x.xml').write_text(junit([('one', PASSED), ('two', SKIPPED)]), 'utf-8')
    done = subprocess.run([sys.executable, TOP / 'tools/test-summary', tmp_path, '--only-pytest'],
                          capture_output=True, text=True, check=True, env={})
    assert done.stdout.endswith('test: 1 passed, 0 failed, 1 skipped\n')


def test_a_word_that_is_no_suite_is_refused():
    build = os.environ['LLMGR_BUILD']
    for words, env in ((['--suite', 'unit', '--suite', 'instal'], {}), ([], {'WITHOUT': 'client'})):
        done = subprocess.run([TOP / 'tools/test-all', build, '--part', 'none', *words],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, **env})
        assert done.returncode == 2 and 'is no suite' in done.stderr


def test_every_accepted_skip_is_a_reason_that_some_test_gives():
    sources = ''.join(path.read_text('utf-8') for folder in ('tests', 'bindings/python/tests')
                      for path in (TOP / folder).rglob('*.py'))
    sources = re.sub(r"'\s*\n\s*'", '', sources)
    for row in tomllib.loads((TOP / 'tests/skips.toml').read_text('utf-8'))['skip']:
        assert set(row) == {'reason', 'tests', 'why'} and all(row.values())
        assert max(row['reason'].split('*'), key=len) in sources, row['reason']


def test_every_reason_that_a_test_gives_is_judged():
    """Those of formatted texts are by their fixed part."""
    rows = tomllib.loads((TOP / 'tests/skips.toml').read_text('utf-8'))['skip']
    given = set()
    for folder in ('tests', 'bindings/python/tests'):
        for path in (TOP / folder).rglob('*.py'):
            if path.is_relative_to(TOP / 'tests/rules'):
                continue
            text = path.read_text('utf-8')
            given |= set(re.findall(r"pytest\.skip\(f?'([^']*)'", text))
            for mark in re.findall(r"mark\.skipif\((.*?reason='[^']*')", text, re.S):
                given.add(mark.rpartition("reason='")[2][:-1])
            assert 'importorskip' not in text and 'mark.skip(' not in text, path
    refused = {reason for reason in given
               if not any(fnmatch.fnmatchcase(re.sub('{.*?}', 'x', reason), row['reason'])
                          for row in rows)}
    assert len(given) > 10
    assert refused == {'{name} is not installed'}  # of tests/interop, where it shall fail
