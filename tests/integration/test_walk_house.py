# SPDX-License-Identifier: MIT
"""A walk through keeping house: database, backups, key rotation, two processes, old databases."""
import sqlite3
import stat
import subprocess
import sys

import pytest

from conftest import PATIENCE_S, SOURCE, Llmgr

MAKE_ORIGINAL = SOURCE / 'tests' / 'unit' / 'store' / 'make_original.py'


def test_check_reports_rows_and_unreadable_keys(house):
    house.set_key('ann', 1, 'sk-ann-0001')
    report = house.json('db', 'check')
    assert report['kind'] == house.kind
    assert (report['platforms'], report['models'], report['users']) == (3, 4, 1)
    assert report['unreadable_keys'] == 0 and report['schema_version'] >= 1
    assert report['database'] and 'postgres:' not in report['database']
    assert 'sound' in house.ok('db', 'check')
    assert house.json('db', 'migrate')['schema_version'] == report['schema_version']


def test_a_backup_is_a_whole_database(house):
    house.set_key('ann', 1, 'sk-ann-0001')
    house.select('ann', 'Two')
    if house.kind == 'postgres':
        assert 'pg_dump' in house.fails(2, 'db', 'backup', 'copy.db')
        return
    assert house.json('db', 'backup', 'copy.db') == {'backup': 'copy.db'}
    copy = house.folder / 'copy.db'
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    here = house.models('ann'), house.json('-u', 'ann', 'selection')
    house.env['LLMGR_DB'] = 'sqlite:copy.db'
    assert (house.models('ann'), house.json('-u', 'ann', 'selection')) == here
    house.ok('-u', 'ann', 'chat', 'hello')
    assert house.upstream.last().key == 'sk-ann-0001'
    house.fails(5, 'db', 'backup', 'copy.db')


def test_rotation_reseals_every_key_and_drops_the_old(house):
    house.set_key('ann', 1, 'sk-ann-0001')
    house.add_platform('ben', 'Mine', key='sk-ben-0002')
    before = house.json('key', 'status')
    plan = house.json('key', 'rotate', '--dry-run')
    assert plan['rotated'] == 3 and plan['keys'] == before['keys']
    done = house.json('key', 'rotate')
    assert done['rotated'] == 3 and done['retired'] == 1
    after = house.json('key', 'status')
    assert [key['active'] for key in after['keys']] == [True]
    assert after['keys'][0]['id'] != before['keys'][0]['id']
    assert after['keys'][0]['records'] == 3
    assert house.json('db', 'check')['unreadable_keys'] == 0
    house.ok('-u', 'ann', 'chat', 'hello')
    assert house.upstream.last().key == 'sk-ann-0001'


def test_a_new_master_key_replaces_the_old_one(house):
    house.set_key('ann', 1, 'sk-ann-0001')
    old = house.json('key', 'status')['master_id']
    assert 'new.key' in house.ok('key', 'rotate', '--new-master-key-file', 'new.key')
    assert stat.S_IMODE((house.folder / 'new.key').stat().st_mode) == 0o600
    message = house.fails(9, 'platform', 'list')
    assert old in message, 'the ids of the master keys wanted and given help to find the right one'
    house.env['LLMGR_MASTER_KEY_FILE'] = 'new.key'
    assert house.json('key', 'status')['master_id'] != old
    house.ok('-u', 'ann', 'chat', 'hello')
    assert house.upstream.last().key == 'sk-ann-0001'
    house.fails(2, 'key', 'rotate', '--dry-run', '--new-master-key-file', 'x.key')


def test_many_processes_may_write_at_once(house):
    house.ok('init')
    running = [house.start('-u', f'user{i}', 'platform', 'add', '--name', f'P{n}', '--base-url',
                           f'https://{n}.example.com/v1', stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
               for i in range(4) for n in range(4)]
    for process in running:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err.decode()
    for i in range(4):
        own = [row for row in house.json('-u', f'user{i}', 'platform', 'list')
               if not row['platform_is_sys']]
        assert sorted(row['platform_name'] for row in own) == ['P0', 'P1', 'P2', 'P3']
    ids = [row['platform_id'] for i in range(4)
           for row in house.json('-u', f'user{i}', 'platform', 'list')
           if not row['platform_is_sys']]
    assert len(set(ids)) == 16


def test_many_processes_may_start_an_empty_house(house):
    """The first master key, schema, data key and synchronisation are each made once."""
    running = [house.start('-u', f'user{i}', 'platform', 'set-key', '1', '--key-env', 'ALPHA_KEY',
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for i in range(6)]
    for process in running:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err.decode()
    assert len(house.json('platform', 'list')) == 3
    assert house.json('db', 'check')['unreadable_keys'] == 0
    assert len(house.json('key', 'status')['keys']) == 1


def test_one_of_two_writers_of_the_same_name_wins(house):
    house.ok('init')
    running = [house.start('-u', 'ann', 'platform', 'add', '--name', 'Mine', '--base-url',
                           f'https://{n}.example.com/v1', stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL) for n in range(5)]
    codes = sorted(process.wait(PATIENCE_S) for process in running)
    assert codes == [0, 5, 5, 5, 5]


# ---- The Python original's database ----------------------------------------------------------


@pytest.fixture(name='original')
def original_fixture(tmp_path, database):
    """The program on a database that the Python original left."""
    if database.startswith('sqlite'):
        subprocess.run([sys.executable, MAKE_ORIGINAL, database[len('sqlite:'):]], check=True)
    else:
        sql = subprocess.run([sys.executable, MAKE_ORIGINAL, '--postgres'], check=True,
                             capture_output=True).stdout
        subprocess.run(['psql', '-qX', '-v', 'ON_ERROR_STOP=1', database], input=sql, check=True,
                       stdout=subprocess.DEVNULL)
    return Llmgr(tmp_path, database)


def rows(database, sql):
    if database.startswith('sqlite'):
        connection = sqlite3.connect(database[len('sqlite:'):])
        found = connection.execute(sql).fetchall()
        connection.close()
        return [tuple(map(str, row)) for row in found]
    out = subprocess.run(['psql', '-qXAt', '-F', '\t', '-c', sql, database], check=True,
                         capture_output=True, text=True).stdout
    return [tuple(line.split('\t')) for line in out.splitlines()]


def test_an_original_s_database_is_taken_over_with_ids_keys_and_choices(original):
    platforms = rows(original.url, 'SELECT id, name FROM llm_platforms ORDER BY id')
    # A model whose platform is gone cannot be kept.
    wanted = ('SELECT id, model_name FROM llm_platform_models WHERE platform_id IN '
              '(SELECT id FROM llm_platforms) ORDER BY id')
    models = rows(original.url, wanted)
    keys = [key for (key,) in rows(
        original.url, "SELECT api_key FROM llm_sys_platform_keys WHERE api_key LIKE 'sk-%' "
                      "UNION SELECT api_key FROM llm_platforms WHERE api_key LIKE 'sk-%'")]
    assert platforms and models and keys
    result = original.run('db', 'migrate')
    assert result.code == 0, result.err
    after = rows(original.url, 'SELECT id, name FROM llm_platforms ORDER BY id')
    # Two of one user's platforms had the same name, which the original let pass.
    assert after == [(number, name if number != '6' else 'mine (6)') for number, name in platforms]
    assert rows(original.url, wanted) == models
    report = original.json('db', 'check')
    assert report['unreadable_keys'] == 0
    if original.kind == 'sqlite':
        live = b''.join(path.read_bytes() for path in original.folder.glob('llmgr.db*')
                        if path.suffix in ('.db', '.db-wal', '.db-shm'))
        for key in keys:
            assert key.encode() not in live, 'a key in clear text'
        backups = [path for path in original.folder.iterdir() if 'backup' in path.name]
        assert len(backups) == 1
        assert stat.S_IMODE(backups[0].stat().st_mode) == 0o600
