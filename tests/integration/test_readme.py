# SPDX-License-Identifier: MIT
"""The tours of both READMEs are true: their commands are run, in their order, and print what the
page shows. LLMGR_README_UPDATE=1 writes what they print into the pages instead.

In a ```console block a line that begins with "$ " is a command (lines that begin with "> " go on
with it) and the lines below it are its whole output. The page's home folder, the address of its
scripted upstream and the fingerprints differ from run to run and stand for themselves.
"""
import os
import re
import shlex
import subprocess

import pytest

from conftest import BUILD, PROGRAM, SOURCE, Mockllm

HOME = '/home/you/tour'
ADDRESS = 'http://127.0.0.1:38091/v1'
BLOCK = re.compile(r'(?<=^```console\n).*?(?=^```$)', re.M | re.S)
PAGES = [('README.md', 'C.UTF-8'), ('README.zh-CN.md', 'zh_CN.UTF-8')]


def commands(block):
    """[command, output] pairs of one block."""
    pairs = []
    for line in block.splitlines():
        if line.startswith('$ '):
            pairs.append([line[2:], []])
        elif line.startswith('> ') and not pairs[-1][1]:
            pairs[-1][0] += '\n' + line[2:]
        else:
            pairs[-1][1].append(line)
    return [(command, ''.join(line + '\n' for line in output)) for command, output in pairs]


class Tour:
    """A shell in a fresh folder, with the program in the path."""

    def __init__(self, folder, locale):
        self.folder = folder / 'tour'
        self.folder.mkdir()
        self.mock = Mockllm(folder)
        self.env = {'HOME': str(self.folder), 'PATH': f'{PROGRAM.parent}:/usr/bin:/bin',
                    'LC_ALL': locale, 'LLMGR_LOCALEDIR': str(BUILD / 'po')}

    def run(self, command):
        """What the command prints on both outputs, in the page's terms."""
        command = command.replace(ADDRESS, self.mock.base_url)
        done = subprocess.run(['sh', '-c', command], cwd=self.folder, env=self.env, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        out = done.stdout.decode().replace(self.mock.base_url, ADDRESS)
        return out.replace(str(self.folder), HOME)


def plain(text):
    """Without what no two runs have in common; columns may be as wide as what stood there."""
    text = re.sub(r'\b(key:)?[0-9a-f]{8}\b', 'FINGERPRINT', text)
    return re.sub(r'(?<=\S)  +(?=\S)', '  ', text)


def is_background(command):
    """The scripted upstream of the page: the test's own runs instead."""
    return shlex.split(command.splitlines()[0])[-1] == '&' or 'mockllm' in command


@pytest.mark.parametrize('page, locale', PAGES)
def test_the_tour_is_true(tmp_path, page, locale):
    path = SOURCE / page
    text = path.read_text(encoding='utf-8')
    blocks = BLOCK.findall(text)
    assert blocks, f'{page} has no tour'
    tour = Tour(tmp_path, locale)
    try:
        for block in blocks:
            told = ''
            for command, output in commands(block):
                got = '' if is_background(command) else tour.run(command)
                told += '$ ' + command.replace('\n', '\n> ') + '\n' + got
                if not os.environ.get('LLMGR_README_UPDATE'):
                    assert plain(got) == plain(output), f'{page}: $ {command}\n{got}'
            if os.environ.get('LLMGR_README_UPDATE'):
                text = text.replace(block, told, 1)
    finally:
        tour.mock.stop()
    if os.environ.get('LLMGR_README_UPDATE'):
        path.write_text(text, encoding='utf-8')


def test_both_tours_run_the_same_commands():
    def of(page):
        text = (SOURCE / page).read_text(encoding='utf-8')
        return [re.sub(r"'.*?'|\S*[^\x00-\x7f]\S*|[A-Z]\w+", 'X', command.splitlines()[0])
                for block in BLOCK.findall(text) for command, _ in commands(block)]

    assert of('README.md') == of('README.zh-CN.md')
