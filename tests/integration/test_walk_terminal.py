# SPDX-License-Identifier: MIT
"""What a person at a terminal sees: tables that fit, columns that align, no escape sequence that
somebody else wrote, help of 79 columns, a manual page without a complaint."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata

import pytest

from conftest import PROGRAM


def width(text):
    """Terminal columns of a text."""
    return sum(0 if unicodedata.combining(letter) else
               2 if unicodedata.east_asian_width(letter) in 'WF' else 1 for letter in text)


def at_terminal(llmgr, columns, *args, env=None):
    """Runs `llmgr ARGS...` at a terminal of that width; returns what it shows."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    process = subprocess.Popen([PROGRAM, *map(str, args)], cwd=llmgr.folder, stdin=slave,
                               stdout=slave, stderr=slave,
                               env={**llmgr.env, 'TERM': 'xterm', **(env or {})})
    os.close(slave)
    shown = b''
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        shown += more
    process.wait(30)
    os.close(master)
    return shown.decode().replace('\r\n', '\n')


@pytest.fixture(name='crowded')
def crowded_fixture(site):
    """A user with names as long as they may be, Chinese and Latin."""
    for name, url in (('好' * 26, 'https://' + 'a' * 60 + '.example.com/v1/' + 'p' * 60),
                      ('x' * 80, 'https://b.example.com/v1')):
        platform = site.add_platform('ann', name, url, 'sk-own-0001')
        site.add_model('ann', platform, name[:1] * (120 // len(name[:1].encode())))
    site.select('ann', '好' * 40)
    return site


TABLES = [['platform', 'list', '--all'], ['model', 'list', '--all'], ['selection'], ['explain'],
          ['key', 'status']]


@pytest.mark.parametrize('locale', ['C.UTF-8', 'zh_CN.UTF-8'])
@pytest.mark.parametrize('columns', [80, 100])
def test_every_table_fits_the_terminal(crowded, columns, locale):
    for words in TABLES:
        shown = at_terminal(crowded, columns, '-u', 'ann', *words,
                            env={'LC_ALL': locale, 'NO_COLOR': '1'})
        for line in shown.splitlines():
            assert width(line) <= columns, f'{words}: {width(line)} columns: {line}'
        assert len(shown.splitlines()) > 1


def test_columns_begin_where_their_headings_do(crowded):
    shown = at_terminal(crowded, 120, '-u', 'ann', 'model', 'list', env={'NO_COLOR': '1'})
    heading, *rows = shown.splitlines()
    starts = [width(heading[:found.start()]) for found in re.finditer(r'\S+', heading)]
    for row in rows:
        for start in starts:
            at = next(i for i in range(len(row) + 1) if width(row[:i]) >= start)
            assert width(row[:at]) == start and row[at] != ' ', row
            assert start == 0 or row[at - 1] == ' ', row


def test_colours_are_for_terminals_only(site):
    assert '\x1b[' in at_terminal(site, 80, 'model', 'list')
    assert '\x1b' not in at_terminal(site, 80, 'model', 'list', env={'NO_COLOR': '1'})
    assert '\x1b' not in site.ok('model', 'list')
    assert '\x1b' not in site.ok('chat', '--model', 'Three', 'hello')


def test_reasoning_is_shown_dim_and_apart(site):
    shown = at_terminal(site, 80, 'chat', '--model', 'Three', 'hello')
    assert re.search('\x1b\\[2m.*\x1b\\[0m\n\n.*hello', shown, re.S)


def test_an_answer_cannot_take_over_the_terminal(site):
    """The echo of the prompt stands for what an upstream may say."""
    evil = 'before\x1b]0;title\x07\x1b[2Jafter\u009b31m\ttab'
    piped = site.run('chat', evil)
    assert piped.code == 0 and '\x1b]0;' in piped.out  # a pipe gets what was said
    for more in ([], ['--no-stream']):
        shown = at_terminal(site, 80, 'chat', *more, evil)
        answer = shown[shown.index('You said'):]
        assert '\x1b' not in answer and '\x07' not in answer and '\u009b' not in answer
        assert 'before' in answer and 'after' in answer and '\ttab' in answer


@pytest.mark.parametrize('locale', ['C.UTF-8', 'zh_CN.UTF-8'])
def test_help_keeps_to_79_columns(llmgr, locale):
    env = {'LC_ALL': locale}
    whole = llmgr.ok('help', env=env)
    nouns = set(re.findall(r'^  ([a-z]+)', whole, re.M))
    assert {'platform', 'model', 'chat', 'key', 'db', 'help'} <= nouns
    for text in [whole, *(llmgr.ok('help', noun, env=env) for noun in nouns)]:
        for line in text.splitlines():
            assert width(line) <= 79, f'{width(line)} columns: {line}'


def test_the_manual_page_renders_without_a_complaint(llmgr):
    llmgr.write('llmgr.1', llmgr.ok('help', '--man'))
    done = subprocess.run(['groff', '-man', '-Tutf8', '-ww', 'llmgr.1'], cwd=llmgr.folder,
                          capture_output=True, check=True)
    assert done.stderr.decode() == ''
    text = re.sub('.\x08|\x1b\\[[0-9;]*m', '', done.stdout.decode())
    text = ' '.join(text.split())
    for needed in ('NAME', 'SYNOPSIS', 'COMMANDS', 'OPTIONS', 'EXIT STATUS', 'platform add',
                   'LLMGR_DB'):
        assert needed in text
