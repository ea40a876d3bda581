# SPDX-License-Identifier: MIT
"""Each `test('name', ...)` of node/client_*.mjs is a case here; a file's cases share one node: the
distribution's, or for the packages that want one, the newer from PyPI."""
import os
import pathlib
import re
import shutil

import pytest

import cases
from homes import home, node_bin

SCRIPTS = pathlib.Path(__file__).resolve().parent / 'node'
NEWER = ('client_ai_sdk.mjs',)


def all_cases():
    for script in sorted(SCRIPTS.glob('client_*.mjs')):
        for name in re.findall(r"^test\('([^']+)'", script.read_text(encoding='utf-8'), re.M):
            yield pytest.param(script.name, name, id=f'{script.stem[7:]}: {name}')


@pytest.fixture(scope='module', name='results')
def results_fixture(gateway):
    """A function: script -> what cases.run says, run when it is first asked for."""
    known = {}

    def run(script):
        if script in known:
            return known[script]
        node = home('tools' if script in NEWER else 'node')
        path = f'{node_bin()}:' if script in NEWER else ''
        for file in SCRIPTS.glob('*.mjs'):  # modules are looked for beside the importing file
            shutil.copy(file, node)
        env = {'PATH': path + os.environ['PATH'], 'HOME': str(node), 'NODE_NO_WARNINGS': '1',
               'LLMGR_URL': gateway.url, 'LLMGR_TOKEN': gateway.token,
               'LLMGR_UPSTREAM': gateway.upstream.base_url}
        known[script] = cases.run('env', 'node', script, cwd=node, env=env)
        return known[script]

    return run


@pytest.mark.parametrize('script, name', list(all_cases()))
def test_node(script, name, results):
    cases.judge(results(script), name)
