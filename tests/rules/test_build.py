# SPDX-License-Identifier: MIT
"""A build folder has the same tests in whatever order it was asked for what: one of `make run`,
made before the tests' packages were there, gets all of them once they are wanted and there, and
a folder for which something is missing is refused by name. Nothing is compiled here: ninja only
configures."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BARE = ('libcurl', 'cmocka')  # libraries of the tests alone


class Machine:
    """Runs tools/build where some of the tests' needs may be missing."""

    def __init__(self, folder):
        self.folder = folder
        self.build = folder / 'build'
        self.program('ninja', f'exec {shutil.which("ninja")} "$@" build.ninja')

    def program(self, name, body, bare=False):
        path = self.folder / ('bare' if bare else 'bin') / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/sh\n' + body + '\n', encoding='utf-8')
        path.chmod(0o755)

    def configure(self, *options, missing=()):
        """Ends with tools/build's exit code and what it said."""
        names = '|'.join(missing)
        self.program('pkg-config', f'for word; do case $word in {names}) exit 1 ;; esac; done\n'
                                   f'exec {shutil.which("pkg-config")} "$@"', bare=True)
        places = [self.folder / 'bin', *([self.folder / 'bare'] if missing else [])]
        env = {**os.environ, 'PATH': ':'.join([*map(str, places), os.environ['PATH']])}
        if missing:
            (self.folder / 'bare' / 'pytest.py').write_text('raise ImportError', encoding='utf-8')
            env['PYTHONPATH'] = str(self.folder / 'bare')
        done = subprocess.run([TOP / 'tools/build', *options], env=env, capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stderr

    def tests(self):
        """The registered ones: name -> suites."""
        listed = json.loads((self.build / 'meson-info/intro-tests.json').read_text('utf-8'))
        return {test['name']: test['suite'] for test in listed}


@pytest.fixture(name='machine')
def machine_fixture(tmp_path):
    return Machine(tmp_path)


def test_the_order_of_run_and_test_changes_no_test(machine):
    assert machine.configure('--program', machine.build, missing=BARE) == (0, '')
    assert machine.tests() == {}
    assert machine.configure(machine.build) == (0, '')
    late = machine.tests()
    assert machine.configure('--program', machine.build) == (0, '')  # takes none away
    assert machine.tests() == late
    shutil.rmtree(machine.build)
    assert machine.configure(machine.build) == (0, '')
    assert machine.tests() == late
    suites = {suite.split(':')[1] for suites in late.values() for suite in suites[:1]}
    assert suites == {'unit', 'rules', 'install', 'faults', 'integration', 'clients', 'python',
                      'fuzz'}


def test_pytest_is_looked_for_when_the_tests_run(machine):
    assert machine.configure(machine.build, missing=['nothing']) == (0, '')
    assert {'pytest-rules', 'pytest-install', 'pytest-faults', 'pytest-integration',
            'pytest-gateway'} < machine.tests().keys()


def test_a_folder_of_tests_is_refused_by_name_until_all_is_there(machine):
    assert machine.configure('--program', machine.build, missing=BARE) == (0, '')
    for _ in range(2):
        code, said = machine.configure(machine.build, missing=['libcurl'])
        assert code == 1 and '"libcurl" not found' in said, said
    assert machine.configure(machine.build) == (0, '')
    assert {'http/url_curl', 'fuzz/url', 'pytest-rules'} < machine.tests().keys()
