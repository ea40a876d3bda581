# SPDX-License-Identifier: MIT
"""What a program of cases says: a line of JSON for each, {"name": …, "complaint": … or null}."""
import json
import subprocess

TIMEOUT_S = 300


def run(*argv, **more):
    """{case: its complaint or None} of the program, and under None what it said on stderr."""
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL, **more)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    return {None: done.stderr, **{row['name']: row['complaint'] for row in rows}}


def judge(found, name):
    """A case that did not run is a failure."""
    complaint = found.get(name, f'it did not run\n{found[None]}')
    assert complaint is None, complaint
