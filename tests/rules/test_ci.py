# SPDX-License-Identifier: MIT
"""What continuous integration runs requires every test, and closes with the names and one line; a
suite that no registry can be reached for says so on its last line, as the sum at the end shows."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
MAKE = '''#!/bin/sh
mkdir -p build build-asan
echo "$1 $LLMGR_TESTS ${WITHOUT-unset} ${PYTEST_ADDOPTS-unset}" >>asked
case $1 in
test)
    printf 'test\\t10\\t%s\\t2\\n' "$FAILED" >build/part-test.tsv
    echo 'test: 8 suites of 8 ran' >build/closing-test.txt
    exit $((FAILED + ${BROKEN:-0}))
    ;;
*)
    printf 'asan\\t5\\t0\\t1\\n' >build-asan/part-asan.tsv
    echo 'tsan: NOT RUN: the budget is spent' >build-asan/closing-tsan.txt
    ;;
esac
'''


@pytest.mark.parametrize('failed, broken, last', [
    (0, 0, '15 passed, 0 failed'), (2, 0, '15 passed, 2 failed'), (0, 1, '15 passed, 1 failed'),
], ids=['good', 'failed', 'not counted'])
def test_the_closing_lines(tmp_path, failed, broken, last):
    for folder in ('.ci', 'bin', 'build'):
        (tmp_path / folder).mkdir()
    shutil.copy(TOP / '.ci/run', tmp_path / '.ci/run')
    (tmp_path / 'bin/make').write_text(MAKE, encoding='utf-8')
    (tmp_path / 'bin/make').chmod(0o755)
    (tmp_path / 'build/part-old.tsv').write_text('old\t99\t9\t9\n', encoding='utf-8')
    done = subprocess.run([tmp_path / '.ci/run'], capture_output=True, text=True, check=False,
                          env={'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}', 'WITHOUT': 'clients',
                               'PYTEST_ADDOPTS': '-k one', 'FAILED': str(failed),
                               'BROKEN': str(broken)})
    assert done.stdout.splitlines()[-4:] == [
        'test: 8 suites of 8 ran', 'tsan: NOT RUN: the budget is spent',
        'skipped in all, and accepted: 3', last]
    assert (done.returncode == 0) is (last == '15 passed, 0 failed')
    assert (tmp_path / 'asked').read_text(encoding='utf-8') == \
        'test required unset unset\ntest-deep required unset unset\n'


@pytest.mark.parametrize('script', ['tests/clients/run.py', 'bindings/python/tests/run.py'])
def test_without_a_registry_a_suite_is_skipped_with_the_reason(tmp_path, script):
    clean = {name: value for name, value in os.environ.items() if not name.startswith('PIP_')}
    done = subprocess.run([sys.executable, TOP / script, tmp_path / 'home'], capture_output=True,
                          text=True, check=False, env={**clean, 'PIP_NO_INDEX': '1'})
    assert done.returncode == 77
    assert done.stderr.splitlines()[-1].startswith('requirements.txt cannot be installed: ERROR: ')


def test_a_client_that_could_not_be_installed_is_skipped_by_name(tmp_path):
    (tmp_path / 'test_it.py').write_text(
        'from homes import home\n\n\ndef test_it():\n    home("go")\n', encoding='utf-8')
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-rs', '-p', 'no:cacheprovider', tmp_path / 'test_it.py'],
        capture_output=True, text=True, check=False, env={
            **os.environ, 'PYTHONPATH': str(TOP / 'tests/clients'),
            'LLMGR_HOMES': '{"go": {"absent": "requirements-go.txt cannot be installed: no"}}'})
    assert 'requirements-go.txt cannot be installed: no' in done.stdout
    assert '1 skipped' in done.stdout.splitlines()[-1]


def test_a_part_that_does_not_exist_is_refused():
    done = subprocess.run([TOP / 'tools/test-deep'], capture_output=True, text=True, check=False,
                          env={**os.environ, 'DEEP_PARTS': 'asan tsam'})
    assert done.returncode == 2 and 'names tsam' in done.stderr
