# SPDX-License-Identifier: MIT
"""Each `test('name', ...)` of node/client_*.mjs is a case here; a file's cases share one node."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parent / 'node'
HOME = os.environ['LLMGR_NODE_HOME']  # the folder with node_modules
TIMEOUT_S = 300


def cases():
    for script in sorted(SCRIPTS.glob('client_*.mjs')):
        for name in re.findall(r"^test\('([^']+)'", script.read_text(encoding='utf-8'), re.M):
            yield pytest.param(script.name, name, id=f'{script.stem[7:]}: {name}')


@pytest.fixture(scope='module', name='results')
def results_fixture(gateway):
    """A function: script -> {case: complaint or None}, run when it is first asked for."""
    known = {}

    def run(script):
        if script in known:
            return known[script]
        for file in SCRIPTS.glob('*.mjs'):  # modules are looked for beside the importing file
            shutil.copy(file, HOME)
        env = {'PATH': os.environ['PATH'], 'HOME': HOME, 'NODE_NO_WARNINGS': '1',
               'LLMGR_URL': gateway.url, 'LLMGR_TOKEN': gateway.token,
               'LLMGR_UPSTREAM': gateway.upstream.base_url}
        done = subprocess.run(['node', script], cwd=HOME, env=env, capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False)
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"name"')]
        known[script] = {row['name']: row['complaint'] for row in rows}
        known[script][None] = done.stderr
        return known[script]

    return run


@pytest.mark.parametrize('script, name', list(cases()))
def test_node(script, name, results):
    found = results(script)
    complaint = found.get(name, f'it did not run\n{found[None]}')
    assert complaint is None, complaint
