# SPDX-License-Identifier: MIT
"""A walk through keeping site: database, backups, key rotation, two processes, old databases."""
import sqlite3
import stat
import subprocess
import sys

import pytest

from conftest import PATIENCE_S, SOURCE, Llmgr

MAKE_ORIGINAL = SOURCE / 'tests' / 'unit' / 'store' / 'make_original.py'


def test_check_reports_rows_and_unreadable_keys(site):
    site.set_key('ann', 1, 'sk-ann-0001')
    report = site.json('db', 'check')
    assert report['kind'] == site.kind
    assert (report['platforms'], report['models'], report['users']) == (3, 4, 1)
    assert report['unreadable_keys'] == 0 and report['schema_version'] >= 1
    assert report['database'] and 'postgres:' not in report['database']
    assert 'sound' in site.ok('db', 'check')
    assert site.json('db', 'migrate')['schema_version'] == report['schema_version']


def test_a_backup_is_a_whole_database(site):
    site.set_key('ann', 1, 'sk-ann-0001')
    site.select('ann', 'Two')
    if site.kind == 'postgres':
        assert 'pg_dump' in site.fails(2, 'db', 'backup', 'copy.db')
        return
    assert site.json('db', 'backup', 'copy.db') == {'backup': 'copy.db'}
    copy = site.folder / 'copy.db'
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    here = site.models('ann'), site.json('-u', 'ann', 'selection')
    site.env['LLMGR_DB'] = 'sqlite:copy.db'
    assert (site.models('ann'), site.json('-u', 'ann', 'selection')) == here
    site.ok('-u', 'ann', 'chat', 'hello')
    assert site.upstream.last().key == 'sk-ann-0001'
    site.fails(5, 'db', 'backup', 'copy.db')


def test_rotation_reseals_every_key_and_drops_the_old(site):
    site.set_key('ann', 1, 'sk-ann-0001')
    site.add_platform('ben', 'Mine', key='sk-ben-0002')
    before = site.json('key', 'status')
    plan = site.json('key', 'rotate', '--dry-run')
    assert plan['rotated'] == 3 and plan['keys'] == before['keys']
    done = site.json('key', 'rotate')
    assert done['rotated'] == 3 and done['retired'] == 1
    after = site.json('key', 'status')
    assert [key['active'] for key in after['keys']] == [True]
    assert after['keys'][0]['id'] != before['keys'][0]['id']
    assert after['keys'][0]['records'] == 3
    assert site.json('db', 'check')['unreadable_keys'] == 0
    site.ok('-u', 'ann', 'chat', 'hello')
    assert site.upstream.last().key == 'sk-ann-0001'


def test_a_new_master_key_replaces_the_old_one(site):
    site.set_key('ann', 1, 'sk-ann-0001')
    old = site.json('key', 'status')['master_id']
    assert 'new.key' in site.ok('key', 'rotate', '--new-master-key-file', 'new.key')
    assert stat.S_IMODE((site.folder / 'new.key').stat().st_mode) == 0o600
    message = site.fails(9, 'platform', 'list')
    assert old in message, 'the ids of the master keys wanted and given help to find the right one'
    site.env['LLMGR_MASTER_KEY_FILE'] = 'new.key'
    assert site.json('key', 'status')['master_id'] != old
    site.ok('-u', 'ann', 'chat', 'hello')
    assert site.upstream.last().key == 'sk-ann-0001'
    site.fails(2, 'key', 'rotate', '--dry-run', '--new-master-key-file', 'x.key')


def test_many_processes_may_write_at_once(site):
    site.ok('init')
    running = [site.start('-u', f'user{i}', 'platform', 'add', '--name', f'P{n}', '--base-url',
                           f'https://{n}.example.com/v1', stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
               for i in range(4) for n in range(4)]
    for process in running:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err.decode()
    for i in range(4):
        own = [row for row in site.json('-u', f'user{i}', 'platform', 'list')
               if not row['platform_is_sys']]
        assert sorted(row['platform_name'] for row in own) == ['P0', 'P1', 'P2', 'P3']
    ids = [row['platform_id'] for i in range(4)
           for row in site.json('-u', f'user{i}', 'platform', 'list')
           if not row['platform_is_sys']]
    assert len(set(ids)) == 16


def test_many_processes_may_start_an_empty_site(site):
    """The first master key, schema, data key and synchronisation are each made once."""
    running = [site.start('-u', f'user{i}', 'platform', 'set-key', '1', '--key-env', 'ALPHA_KEY',
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for i in range(6)]
    for process in running:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err.decode()
    assert len(site.json('platform', 'list')) == 3
    assert site.json('db', 'check')['unreadable_keys'] == 0
    assert len(site.json('key', 'status')['keys']) == 1


def test_one_of_two_writers_of_the_same_name_wins(site):
    site.ok('init')
    running = [site.start('-u', 'ann', 'platform', 'add', '--name', 'Mine', '--base-url',
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
