# SPDX-License-Identifier: MIT
"""The shell completion offers what the program knows."""
import subprocess

import pytest

from conftest import PROGRAM, SOURCE


def complete(*words):
    """What bash offers for the last of these words."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _llmgr; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(['bash', '-c', script, 'bash', SOURCE / 'completions/llmgr.bash',
                           PROGRAM, *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize('words, wanted', [
    (['pla'], {'platform'}),
    (['platform', 'set'], {'set-key'}),
    (['chat', '--no-s'], {'--no-stream'}),
    (['-u', 'alice', 'model', 'up'], {'update'}),
    (['nonsense', ''], set()),
])
def test_words_are_completed(words, wanted):
    assert set(complete(*words)) == wanted
