# SPDX-License-Identifier: MIT
"""Bad input: one clear error that names the thing and the remedy, nothing changed, nothing lost."""
import os
import re
import sqlite3
import stat
import subprocess

import pytest

from conftest import PROGRAM, on_postgres, on_sqlite


def state(site, user='ann'):
    return (site.json('-u', user, 'platform', 'list'), site.json('-u', user, 'model', 'list'),
            site.json('-u', user, 'selection'))


@pytest.fixture(name='owned')
def owned_fixture(site):
    """A site in which ann owns platform and model, and a check that nothing changed."""
    site.platform = site.add_platform('ann', 'Mine', key='sk-own-0001')
    site.model = site.add_model('ann', site.platform, 'gpt-x', '--display', 'X')
    before = state(site)
    yield site
    assert state(site) == before


def one_line(message):
    """The message about the failure: the last line, and the only one that is no log line."""
    lines = [line for line in message.splitlines() if not line.startswith('llmgr: warning')]
    assert len(lines) == 1 and lines[0].startswith('llmgr: '), message
    return lines[0]


ADD = ['platform', 'add', '--name']
URL = ['--base-url', 'https://b.example.com/v1']


@pytest.mark.parametrize('words, names', [
    ([*ADD, '', *URL], 'name'), ([*ADD, ' x', *URL], 'name'), ([*ADD, 'x' * 81, *URL], '80'),
    ([*ADD, '好' * 27, *URL], '80'), ([*ADD, 'a\nb', *URL], 'name'),
    ([*ADD, 'a\x1b[31m', *URL], 'name'), ([*ADD, b'\xff\xfe', *URL], 'UTF-8'),
    (['platform', 'rename', 'P', ''], 'name'), (['platform', 'rename', 'P', 'x' * 200], '80'),
    (['model', 'add', '--platform', 'P', '--name', ''], 'name'),
    (['model', 'add', '--platform', 'P', '--name', 'x' * 121], '120'),
    (['model', 'add', '--platform', 'P', '--name', 'y', '--display', 'x' * 121], '120'),
    (['model', 'update', 'M', '--display', ''], 'name'),
    (['model', 'update', 'M'], 'display name'),
    (['select', '--platform', 'P', '--model', 'M', '--slot', ''], 'slot'),
    (['select', '--platform', 'P', '--model', 'M', '--slot', 's' * 65], '64'),
    (['selection', '--slot', 'a\tb'], 'slot'),
    (['chat', '--slot', 's' * 65, 'hello'], '64'),
])
def test_names_that_are_none(owned, words, names):
    args = [{'P': owned.platform, 'M': owned.model}.get(word, word) for word in words]
    done = subprocess.run(
        [PROGRAM, *[arg if isinstance(arg, bytes) else str(arg) for arg in ['-u', 'ann', *args]]],
        cwd=owned.folder, env=owned.env, capture_output=True, check=False)
    assert done.returncode == 2, done.stderr
    assert names in one_line(done.stderr.decode())


@pytest.mark.parametrize('url', [
    '', 'api.example.com/v1', 'ftp://api.example.com/v1', 'https://', 'https:///v1',
    'https://user:pw@api.example.com/v1', 'https://api.example.com/v1#x',
    'https://api.example.com/../v1', 'https://api.example.com:0/v1',
    'https://api.example.com:65536/v1', 'https://api.example.com:x/v1', 'https://a b.example/v1',
    'https://api.example.com/v1\r\nX: y', 'https://[::1/v1', 'https://api..example.com/v1',
    'https://-.example.com\\@evil/v1', 'https://' + 'a' * 3000 + '.example/v1', 'javascript:1',
])
def test_addresses_that_are_none(owned, url):
    for words in ([*ADD, 'New', '--base-url', url], ['platform', 'set-url', owned.platform, url],
                  ['probe', '--base-url', url]):
        result = owned.run('-u', 'ann', *words)
        assert result.code in (2, 4), f'{words}: {result.code} {result.err}'
        assert 'pw' not in one_line(result.err)


@pytest.mark.parametrize('extra', ['[1]', '1', 'null', '"x"', '{', '{"a":1,}', '{"a":1} x',
                                   '{"a":1,"a":2}', '{"model":"x"}', '{"messages":[]}',
                                   '{"stream":false}', '{"a":' * 70 + '1' + '}' * 70,
                                   '{"a":"' + 'x' * 20000 + '"}'])
def test_extra_body_must_be_one_object(owned, extra):
    for words in (['model', 'add', '--platform', owned.platform, '--name', 'new', '--extra-body',
                   extra], ['model', 'update', owned.model, '--extra-body', extra]):
        assert 'extra_body' in one_line(owned.fails(2, '-u', 'ann', *words))


@pytest.mark.parametrize('number', ['0', '-5', 'x', '', '1x', '99999999999999999999', '1.0', '0x1',
                                    ' 1', '+1'])
def test_numbers_that_are_none(owned, number):
    for words in (['platform', 'hide', '--', number], ['model', 'delete', '--', number],
                  ['select', f'--platform={number}', '--model=1']):
        one_line(owned.fails(2, '-u', 'ann', *words))


@pytest.mark.parametrize('number', ['999', str(2**53), str(2**63 - 1)])
def test_numbers_that_stand_for_nothing(owned, number):
    for words in (['platform', 'hide', number], ['model', 'delete', number],
                  ['platform', 'probe', number], ['model', 'update', number, '--display', 'Y'],
                  ['select', '--platform', number, '--model', '1'],
                  ['select', '--platform', '1', '--model', number]):
        assert number in one_line(owned.fails(3, '-u', 'ann', *words))


def test_a_model_must_be_the_platform_s(owned):
    owned.fails(3, '-u', 'ann', 'select', '--platform', 2, '--model', 1)


@pytest.mark.parametrize('key', ['', '\n', 'two words', 'schlüssel', 'x' * 5000, '{OPENAI_KEY}',
                                 'tab\there'])
def test_keys_that_are_none(owned, key):
    message = one_line(owned.fails(2, '-u', 'ann', 'platform', 'set-key', '1', '--key-stdin',
                                   stdin=key))
    assert not key.strip() or key.strip() not in message
    owned.fails(2, '-u', 'ann', 'platform', 'set-key', '1', '--key-env', 'NO_SUCH_VARIABLE')
    owned.fails(2, '-u', 'ann', 'platform', 'set-key', '1')


@pytest.mark.parametrize('words', [
    ['platform', 'add', '--name', 'x'], ['platform', 'add', *URL], ['platform', 'rename', '1'],
    ['platform', 'hide'], ['platform', 'hide', '1', '2'], ['select', '--platform', '1'],
    ['model', 'add', '--name', 'x'], ['chat', '--no-such'], ['chat', 'a', 'b'], ['nonsense'],
    ['platform'], ['platform', 'nonsense'], ['db', 'backup'], ['-u'], ['--db'], ['-x'],
    ['--mode', 'free', 'platform', 'list'], ['--log-level', 'loud', 'platform', 'list'],
    ['-u', '', 'platform', 'list'], ['-u', 'x' * 256, 'platform', 'list'],
    ['--db', 'mysql://x/y', 'platform', 'list'], ['--db', '', 'platform', 'list'],
    ['chat', '--slot', 'a', '--model', 'b', 'hello'], ['chat', ''],
    ['explain', '--slot', 'a', '--model', 'b'], ['init', '--dry-run'], ['help', 'nonsense'],
    ['platform', 'set-key', '1', '--key-stdin', '--key-env', 'X'],
    ['help', '--completion', 'csh'],
])
def test_usage_errors_say_where_to_look(llmgr, words):
    one_line(llmgr.fails(2, *words))
    assert not [path for path in llmgr.folder.iterdir() if path.name == 'llmgr.yaml']


# ---- The file --------------------------------------------------------------------------------

GOOD = 'platforms:\n  Alpha:\n    base_url: https://a.example/v1\n    models: {One: mock}\n'


@pytest.mark.parametrize('text, names', [
    ('platforms:\n\tAlpha: {}\n', 'tab'),
    (GOOD + '  Alpha:\n    base_url: https://b.example/v1\n', 'Alpha'),
    (GOOD.replace('{One: mock}', '{One: mock, One: other}'), 'One'),
    ('modus: custom\n' + GOOD, 'modus'), ('mode: free\n' + GOOD, 'single'),
    ('auto_key: maybe\n' + GOOD, 'auto_key'), ('mode: custom\nmode: fixed\n' + GOOD, 'mode'),
    (GOOD.replace('base_url', 'base-url'), 'base_url'),
    (GOOD.replace('https://a.example/v1', 'nonsense'), 'base_url'),
    (GOOD.replace('{One: mock}', '{One: {extra_body: {}}}'), 'model_name'),
    (GOOD.replace('{One: mock}', '{One: {model_name: x, extra_body: [1]}}'), 'extra_body'),
    (GOOD.replace('{One: mock}', '{One: {model_name: x, nonsense: 1}}'), 'nonsense'),
    (GOOD.replace('Alpha', 'x' * 81), 'long'), ('platforms: [1, 2]\n', 'platforms'),
    ('- a\n- b\n', 'llmgr.yaml'), ('platforms: {\n', 'llmgr.yaml'), ('a: &x [*x]\n', 'llmgr.yaml'),
    (GOOD + '  Beta:\n    base_url: HTTPS://A.example:443/v1/\n    models: {}\n', 'Beta'),
    ('allow_cidr: [10.0.0.0/33]\n' + GOOD, '10.0.0.0/33'),
    ('connect_timeout: soon\n' + GOOD, 'connect_timeout'),
])
def test_files_that_are_none(site, text, names):
    site.ok('init')
    before = site.json('model', 'list')
    site.write('llmgr.yaml', text)
    for words in (['sync'], ['model', 'list'], ['init']):
        message = one_line(site.fails(2, *words))
        assert names in message, message
    site.configure()
    assert site.json('model', 'list') == before


def test_a_file_that_is_no_utf8_or_unreadable(site):
    (site.folder / 'llmgr.yaml').write_bytes(b'platforms:\n  \xff\xfe: {}\n')
    one_line(site.fails(2, 'sync'))
    os.remove(site.folder / 'llmgr.yaml')
    (site.folder / 'llmgr.yaml').mkdir()
    assert 'llmgr.yaml' in site.run('sync').err
    assert site.run('sync').code in (1, 2)


def test_a_bad_dotenv_names_its_line(site):
    site.write('.env', 'GOOD=1\nno equals sign\n')
    site.ok('platform', 'list')  # makes the master key file, of which it says so
    result = site.run('sync')
    assert result.code == 0  # the other lines are used
    assert '.env:2:' in one_line(result.err)


# ---- The database ----------------------------------------------------------------------------


@pytest.fixture(name='sqlite')
def sqlite_fixture(site):
    """For what happens to a file: its tests are marked @on_sqlite."""
    assert site.kind == 'sqlite'
    site.ok('init')
    return site


def change(site, code):
    return one_line(site.fails(code, '-u', 'ann', 'platform', 'add', '--name', 'N', *URL,
                                env={'LLMGR_BUSY_TIMEOUT': '300ms'}))


@on_sqlite
def test_a_locked_database_is_waited_for_and_then_named(sqlite):
    before = state(sqlite)
    connection = sqlite3.connect(sqlite.folder / 'llmgr.db', isolation_level=None)
    connection.execute('BEGIN EXCLUSIVE')
    assert 'llmgr.db' in change(sqlite, 9)
    connection.execute('ROLLBACK')
    connection.close()
    assert state(sqlite) == before
    sqlite.ok('-u', 'ann', 'platform', 'add', '--name', 'N', *URL)


@on_sqlite
def test_a_database_of_a_newer_version_is_refused_with_both_numbers(sqlite):
    connection = sqlite3.connect(sqlite.folder / 'llmgr.db')
    columns = [row[1] for row in connection.execute('PRAGMA table_info(llm_migrations)')]
    others = ', '.join(name for name in columns if name != 'version')
    connection.execute(f'INSERT INTO llm_migrations(version, {others}) '
                       f'SELECT 999, {others} FROM llm_migrations LIMIT 1')
    connection.commit()
    connection.close()
    for words in (['platform', 'list'], ['db', 'check'], ['db', 'migrate']):
        message = one_line(sqlite.fails(9, *words))
        assert re.search(r'999.*\b\d+ at most', message), message


@on_sqlite
def test_a_file_that_is_no_database(sqlite):
    (sqlite.folder / 'other.db').write_bytes(b'this is no database ' * 500)
    before = (sqlite.folder / 'other.db').read_bytes()
    assert 'other.db' in one_line(sqlite.fails(9, '--db', 'sqlite:other.db', 'platform', 'list'))
    assert (sqlite.folder / 'other.db').read_bytes() == before
    assert 'none' in one_line(sqlite.fails(9, '--db', 'sqlite:none/x.db', 'platform', 'list'))
    assert one_line(sqlite.fails(9, '--db', f'sqlite:{sqlite.folder}', 'platform', 'list'))


@on_sqlite
def test_a_read_only_file_and_folder(sqlite):
    """As root the mode bits bar nobody; see the mounted file system below."""
    if os.geteuid() == 0:
        pytest.skip('root may write anywhere')
    folder = sqlite.folder
    (folder / 'llmgr.db').chmod(stat.S_IRUSR)
    change(sqlite, 9)
    (folder / 'llmgr.db').chmod(0o600)


@pytest.fixture(name='small')
def small_fixture(sqlite):
    """A file system of a megabyte with the database on it."""
    if os.geteuid() != 0:
        pytest.skip('only root may mount')
    place = sqlite.folder / 'small'
    place.mkdir()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', place], check=False,
                             capture_output=True)
    if mounted.returncode != 0:
        pytest.skip('no file system may be mounted here')
    sqlite.env['LLMGR_DB'] = f'sqlite:{place}/llmgr.db'
    sqlite.ok('init')
    yield sqlite, place
    subprocess.run(['umount', place], check=True)


@on_sqlite
def test_a_full_disk(small):
    site, place = small
    before = state(site)
    with open(place / 'ballast', 'wb', buffering=0) as ballast:
        try:
            while True:
                ballast.write(b'x' * 4096)
        except OSError:
            pass
    changed = site.run('-u', 'ann', 'platform', 'add', '--name', 'N', *URL)
    assert changed.code in (0, 9)
    if changed.code == 9:
        assert 'space' in one_line(changed.err)
    (place / 'ballast').unlink()
    if changed.code == 9:
        assert state(site) == before
    site.run('-u', 'ann', 'platform', 'add', '--name', 'N', *URL)
    assert site.json('db', 'check')['unreadable_keys'] == 0
    assert 'N' in site.platforms('ann')


@on_sqlite
def test_a_read_only_file_system(small):
    site, place = small
    subprocess.run(['mount', '-o', 'remount,ro', place], check=True)
    message = change(site, 9)
    assert 'read-only' in message or 'write' in message
    subprocess.run(['mount', '-o', 'remount,rw', place], check=True)
    assert 'N' not in site.platforms('ann')


@on_postgres
def test_a_postgres_whose_writers_are_held_up(site):
    site.ok('init')
    before = state(site)
    holder = subprocess.Popen(['psql', '-qX', site.url], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    holder.stdin.write(b"BEGIN; SELECT 1 FROM llm_meta WHERE name = 'writer' FOR UPDATE;\n"
                       b"\\echo held\n")
    holder.stdin.flush()
    while b'held' not in holder.stdout.readline():
        pass
    assert state(site) == before  # readers are not held up
    change(site, 9)
    holder.stdin.close()
    holder.wait(30)
    holder.stdout.close()
    assert state(site) == before
    site.ok('-u', 'ann', 'platform', 'add', '--name', 'N', *URL)


def test_a_postgres_that_is_not_there(site):
    said = site.fails(9, '--db', 'postgres://nobody:secret@127.0.0.1:9/none', 'platform', 'list')
    note, _, message = said.partition('\n')  # of the password that stands in the arguments
    assert 'LLMGR_DB' in note and 'secret' not in said
    assert '127.0.0.1' in one_line(message)


@pytest.mark.parametrize('words', [['model', 'list'], ['--json', 'model', 'list'], ['help'],
                                   ['--version'], ['chat', 'hello'], ['explain']])
def test_output_that_cannot_be_written_is_told(site, words):
    site.ok('init')
    with open('/dev/full', 'wb') as full:
        process = site.start(*words, stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1, err
    assert err.strip(), words


def test_a_reader_that_leaves_early_is_no_crash(site):
    site.ok('init')
    reading, writing = os.pipe()
    os.close(reading)
    process = site.start('help', stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    process.communicate(timeout=30)
    assert process.returncode in (1, -13)
