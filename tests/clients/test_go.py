# SPDX-License-Identifier: MIT
"""Each case of go/main.go, with the newest openai-go and with the last one to which a comment with
an empty line of its own is an event (go/older.mod)."""
import os
import pathlib
import re
import subprocess

import pytest

import cases
from homes import home

MAIN = pathlib.Path(__file__).resolve().parent / 'go' / 'main.go'
NAMES = re.findall(r'^\t\{"([^"]+)", \w+\},$', MAIN.read_text(encoding='utf-8'), re.M)
QUICKLY = ('-gcflags=all=-N -l', '-ldflags=-s -w')  # the compiler's time is what this costs


@pytest.fixture(scope='module', name='results')
def results_fixture(gateway):
    """A function: list of modules -> what cases.run says, run when it is first asked for."""
    known = {}

    def run(modules):
        if modules not in known:
            program = build(modules)
            known[modules] = cases.run(program, env={'LLMGR_URL': gateway.url,
                                                     'LLMGR_TOKEN': gateway.token})
        return known[modules]

    return run


def build(modules):
    """The program, kept for the next run: the environment is made anew if its source changes."""
    folder = home('go')
    program = folder / pathlib.Path(modules).stem
    if not program.exists():
        go = next(folder.glob('lib/python3*/site-packages/go'))
        env = {**os.environ, 'GOROOT': str(go), 'GOTOOLCHAIN': 'local', 'CGO_ENABLED': '0',
               'GOPATH': str(folder / 'gopath'), 'GOCACHE': str(folder / 'cache'),
               'GOPROXY': 'off', 'GOFLAGS': '-mod=readonly'}
        done = subprocess.run([go / 'bin' / 'go', 'build', f'-modfile={modules}', *QUICKLY, '-o',
                               program, '.'], cwd=folder / 'source', env=env, capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('modules', ['go.mod', 'older.mod'])
def test_go(modules, name, results):
    cases.judge(results(modules), name)


def test_all_cases_are_found():
    assert len(NAMES) == MAIN.read_text(encoding='utf-8').count('\t{"') > 0
