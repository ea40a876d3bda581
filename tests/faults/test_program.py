# SPDX-License-Identifier: MIT
"""Each command with its n-th allocation, read, write, fsync, descriptor or connection failing, once
and from there on: it ends with a code of the manual and a message, or did what it says; the
database is as before or as after and sound; nothing is left lying about.

A sweep counts a command's calls by a run in peace, then runs it once per call that fails, each time
in a copy of the same site.
"""
import dataclasses
import difflib
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import pytest

import faults
from conftest import PATIENCE_S, SOURCE, Site, Llmgr
from faults import AT_MAIN, ON_FILES, ON_SOCKETS, SYNC, Page

CODES = range(1, 10)  # of the manual; 0 is success
NOT_SYNC = [fault for fault in ON_FILES if fault != SYNC]  # who reads syncs nothing
MAKE_ORIGINAL = SOURCE / 'tests' / 'unit' / 'store' / 'make_original.py'
# What differs from run to run: secrets, ids of keys, times, the folder.
VARYING = re.compile(r'sk-llmgr-\w+|[0-9a-f]{8,}|\d{6,}|\S*/runs/\w+|(?<= ) +')
RANDOM_IDS = {'llm_data_keys'}
# The last is the way back of a transaction that a dead disk cut off; whoever opens next takes it.
SQLITE_OWN = ('-wal', '-shm', 'llmgr.db-journal')


@dataclasses.dataclass(frozen=True)
class Act:
    """A command and what is special about it.

    `steps`: it consists of several transactions, each of which may be the last; doing it again
    completes it. `later`: with these words it says that the next opening will do the rest.
    `taken_back`: the command by which it takes back, in a transaction of its own, what it has done
    and could not tell of.
    """
    name: str
    words: str
    stdin: str = ''
    steps: bool = False
    site: str = 'site'
    later: str = ''
    taken_back: str = ''


READING = [Act(words, words) for words in (
    'platform list --all', 'model list --all', '--json selection', 'explain', '--json token list',
    'usage', 'price list', 'db check', 'key status', 'sync --dry-run', 'key rotate --dry-run')]
WRITING = [
    Act('sync', '--config changed.yaml sync'),
    Act('platform add', '-u ann platform add --name New --base-url https://new.example/v1 '
                        '--key-stdin', 'sk-new-00000001\n'),
    Act('platform rename', '-u ann platform rename 4 Renamed'),
    Act('platform set-url', '-u ann platform set-url 4 https://b.example/v1 --key-stdin',
        'sk-moved-0000001\n'),
    Act('platform set-key', '-u ann platform set-key 1 --key-stdin', 'sk-other-0000001\n'),
    Act('platform clear-key', '-u ann platform clear-key 1'),
    Act('platform hide', '-u ann platform hide 2'),
    Act('platform delete', '-u ann platform delete 4'),
    Act('model add', '-u ann model add --platform 4 --name m2 --display M2'),
    Act('model update', '-u ann model update 5 --display Other --extra-body {"a":2}'),
    Act('model hide', '-u ann model hide 1'),
    Act('model delete', '-u ann model delete 5'),
    Act('select', '-u ann select --platform 1 --model 2'),
    Act('price set', 'price set --platform 1 --model mock --input 0.27 --output 1.10'),
    Act('price delete', 'price delete 1'),
    Act('token create', 'token create --kind admin --name laptop',
        taken_back='token revoke 2'),
    Act('token revoke', 'token revoke 1'),
    Act('key rotate', 'key rotate', steps=True),
    Act('key rewrap', 'key rotate --new-master-key-file new.key', steps=True),
    Act('db backup', 'db backup copy.db'),
    Act('init', 'init', steps=True, site='empty'),
    Act('db migrate', 'db migrate', steps=True, site='original', later='until the next opening'),
]
ASKING = [Act('chat', '-u ann chat --no-stream hello'),
          Act('chat streamed', '-u ann chat hello'),
          Act('chat by name', '-u ann chat --model 贝塔 hello'),
          Act('platform probe', '-u ann platform probe 1')]


# ---- Sites ----------------------------------------------------------------------------------


class Sites:
    """Folders to copy: `site` is furnished, `empty` has nothing, `original` was left by Python."""

    def __init__(self, folder, mockllm):
        self.folder = folder
        self.mockllm = mockllm
        self.env = {'ALPHA_KEY': 'sk-alpha-server-0001'}
        for name in ('site', 'empty', 'original', 'runs'):
            (folder / name).mkdir()
        subprocess.run([sys.executable, MAKE_ORIGINAL, folder / 'original' / 'llmgr.db'],
                       check=True)
        self.furnish()
        self.before = {name: self.look(name) for name in ('site', 'empty', 'original')}

    def furnish(self):
        site = Site(self.folder / 'site', f'sqlite:{self.folder}/site/llmgr.db', self.mockllm)
        site.ok('init')
        assert site.add_platform('ann', 'Mine', key='sk-mine-0000001') == 4
        assert site.add_model('ann', 4, 'm', '--display', 'M') == 5
        site.set_key('ann', 1, 'sk-ann-00000001')
        site.select('ann', 'One')
        site.ok('price', 'set', '--input', '1')
        site.set_key('ann', 2, 'sk-ann-00000002')
        site.json('-u', 'ben', 'platform', 'hide', '2')
        site.ok('token', 'create', '--kind', 'admin')
        text = (site.folder / 'llmgr.yaml').read_text(encoding='utf-8')
        site.write('changed.yaml', text.replace('Two:', 'Second:').replace('  Empty:', '  Full:'))

    def look(self, name):
        copy = self.copy(name).folder
        found = state(copy), lying_about(copy)
        shutil.rmtree(copy)
        return found

    def copy(self, name):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder / 'runs'))
        shutil.copytree(self.folder / name, folder, dirs_exist_ok=True)
        llmgr = Llmgr(folder, f'sqlite:{folder}/llmgr.db')
        llmgr.env.update(self.env)
        return llmgr


class QuietMock:
    """What Site wants of an upstream, for those commands that ask none."""
    base_url = 'http://127.0.0.1:9/v1'


@pytest.fixture(scope='module', name='sites')
def houses_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sites')
    return Sites(folder, QuietMock())


# ---- What a run leaves -----------------------------------------------------------------------


def cell(value):
    """A value as it compares between two runs: not when it was written, nor under which nonce."""
    if isinstance(value, bytes) or isinstance(value, str) and len(value) > 1000:
        return f'{len(value)} bytes'
    if isinstance(value, int) and value > 10 ** 9:
        return 'a time'
    if isinstance(value, str):
        return VARYING.sub('…', value)
    return value


def state(folder):
    """All rows of the database, as text; None if there is none. It must be sound."""
    path = folder / 'llmgr.db'
    if not path.exists() or path.stat().st_size == 0:
        return None
    database = sqlite3.connect(path, timeout=PATIENCE_S)
    try:
        assert database.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
        tables = [name for (name,) in database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
            "ORDER BY name")]
        return '\n'.join(f'{table}: {sorted(map(repr, rows))}' for table in tables for rows in [
            [tuple(map(cell, row[table in RANDOM_IDS:]))
             for row in database.execute(f'SELECT * FROM {table}')]])
    finally:
        database.close()
        assert not path.with_name('llmgr.db-journal').exists(), 'a way back that nobody took'


def lying_about(folder):
    """The names of the files, but SQLite's own."""
    return {VARYING.sub('…', str(path.relative_to(folder))) for path in folder.rglob('*')
            if path.is_file() and not path.name.endswith((*SQLITE_OWN, '.page'))}


@dataclasses.dataclass
class Run:
    """One run and what it left."""
    code: int
    out: str
    err: str
    state: str
    files: set
    each: dict
    failed: int
    llmgr: Llmgr

    def clear(self):
        shutil.rmtree(self.llmgr.folder)


def perform(sites, act, fault=None, nth=0):
    llmgr = sites.copy(act.site)
    page = Page(llmgr.folder / 'faults.page')
    page.arm(fault or ON_FILES[0], nth, AT_MAIN)
    result = llmgr.run(*act.words.split(), stdin=act.stdin, env=page.env)
    # Before anybody else opens the database, who would mend it.
    files = lying_about(llmgr.folder)
    return Run(result.code, result.out, result.err, state(llmgr.folder), files, page.each,
               page.failed, llmgr)


# ---- The sweep -------------------------------------------------------------------------------


class Trouble(Exception):
    """What a fault must not lead to."""


def want(claim, otherwise):
    if not claim:
        raise Trouble(otherwise)


class Sweep:
    """One command: what it does in peace, and what each fault makes of it."""

    def __init__(self, sites, act):
        self.sites, self.act = sites, act
        self.before, self.old_files = sites.before[act.site]
        peace = perform(sites, act)
        assert peace.code == 0, f'{act.name}: in peace {peace.code}: {peace.err}'
        self.after, self.files, self.each = peace.state, peace.files, peace.each
        self.out = VARYING.sub('…', peace.out)
        self.ends = {self.before, self.after}
        if act.taken_back:
            peace.llmgr.ok(*act.taken_back.split())
            self.ends.add(state(peace.llmgr.folder))
        peace.clear()

    def run(self, kinds):
        jobs = [lambda fault=fault, nth=nth: self.judged(fault, nth) for fault in kinds
                for nth in faults.points(fault.calls(self.each), f'{self.act.name} {fault.name}')]
        idle = [fault.name for fault in kinds if fault.calls(self.each) == 0]
        assert not idle, f'{self.act.name}: nothing that could fail of {idle}'
        bad = [said for said in faults.side_by_side(jobs) if said is not None]
        assert not bad, f'{len(bad)} of {len(jobs)} runs:\n' + '\n'.join(bad[:12])

    def judged(self, fault, nth):
        run = perform(self.sites, self.act, fault, nth)
        try:
            self.judge(run, fault)
        except (Trouble, AssertionError) as error:
            return f'{self.act.name}: {fault.name} {nth} of {fault.calls(self.each)} ' \
                   f'({run.llmgr.folder}): {error}\ncode {run.code}\n{run.out}{run.err}'
        run.clear()
        return None

    def judge(self, run, fault):
        want(run.code >= 0, f'killed by signal {-run.code}')
        want(run.code == 0 or run.code in CODES, 'a code that the manual does not know')
        assert 'Sanitizer' not in run.err and 'runtime error' not in run.err
        if run.code == 0:
            if self.act.later and self.act.later in run.err:
                run.llmgr.ok(*self.act.words.split())
                run.state = state(run.llmgr.folder)
            want(run.state == self.after, f'success, but {self.unlike(run.state)}')
            want(VARYING.sub('…', run.out) == self.out, 'success, but another answer')
            want(run.files == self.files, f'files {run.files ^ self.files}')
        else:
            want(run.failed != 0, 'it failed by itself')
            want(not fault.harmless, 'this fault is nobody\'s business')
            want(run.err.startswith(('llmgr: ', '{"error":')), 'a failure without a message')
            strange = run.files - self.old_files - self.files
            want(not strange, f'left lying about: {strange}')
            want(self.act.steps or run.state in self.ends, 'a half state')
        self.go_on(run)

    def go_on(self, run):
        """Without the fault everything works on what the run left."""
        if run.state is not None and self.act.site != 'original':
            check = run.llmgr.run('db', 'check', env=self.key_of(run))
            want(check.code == 0, f'db check afterwards: {check.code}: {check.err}')
        if run.code != 0 and (self.act.steps or run.state == self.before):
            again = run.llmgr.run(*self.act.words.split(), stdin=self.act.stdin,
                                  env=self.key_of(run))
            want(again.code == 0, f'again, in peace: {again.code}: {again.err}')
            now = state(run.llmgr.folder)
            want(self.act.steps or now == self.after, 'again, in peace: another state')

    def key_of(self, run):
        """A new master key is in force, or not yet."""
        new = {'LLMGR_MASTER_KEY_FILE': 'new.key'}
        if (run.llmgr.folder / 'new.key').exists() and run.llmgr.run('key', 'status').code != 0:
            return new
        return {}

    def unlike(self, state):
        """The lines in which a state is not the one to reach."""
        lines = difflib.unified_diff((self.after or '').split('\n'), (state or '').split('\n'), n=0,
                                     lineterm='')
        return 'not what was asked for:\n' + '\n'.join(list(lines)[2:])


@pytest.mark.parametrize('act', READING, ids=lambda act: act.name.replace(' ', '-'))
def test_a_reading_command_fails_or_tells_all(sites, act):
    Sweep(sites, act).run(NOT_SYNC)


@pytest.mark.parametrize('act', WRITING, ids=lambda act: act.name.replace(' ', '-'))
def test_a_writing_command_does_all_or_nothing(sites, act):
    Sweep(sites, act).run(ON_FILES)


@pytest.mark.parametrize('act', ASKING, ids=lambda act: act.name.replace(' ', '-'))
def test_a_question_is_answered_or_refused(tmp_path, mockllm, act):
    Sweep(Sites(tmp_path, mockllm), act).run((*NOT_SYNC, *ON_SOCKETS))
