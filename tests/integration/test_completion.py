# SPDX-License-Identifier: MIT
"""The shell completion that the program prints offers what the program knows."""
import subprocess

import pytest

from conftest import PROGRAM


def complete(*words):
    """What bash offers for the last of these words after `llmgr`."""
    script = ('source <("$1" help --completion bash); shift; '
              'entry=$(complete -p llmgr); entry=${entry##*-F }; '
              'COMP_WORDS=(llmgr "$@"); COMP_CWORD=$#; COMP_LINE="llmgr $*"; '
              'COMP_POINT=${#COMP_LINE}; '
              '"${entry%% *}" llmgr "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(['bash', '-c', script, 'bash', PROGRAM, *words], capture_output=True,
                          text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize('words, wanted', [
    (['pla'], {'platform'}),
    (['platform', 'set-k'], {'set-key'}),
    (['chat', '--no-s'], {'--no-stream'}),
    (['model', 'up'], {'update'}),
])
def test_words_are_completed(words, wanted):
    assert complete(*words) == wanted


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
def test_each_shell_gets_every_noun(shell):
    done = subprocess.run([PROGRAM, 'help', '--completion', shell], capture_output=True, text=True,
                          check=True)
    for noun in ('platform', 'model', 'chat', 'select', 'explain', 'db', 'key'):
        assert noun in done.stdout


def test_an_unknown_shell_is_refused():
    done = subprocess.run([PROGRAM, 'help', '--completion', 'csh'], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2
