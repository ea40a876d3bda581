# SPDX-License-Identifier: MIT
"""A file system with no byte free: what takes power away works all the same, and holds.

The disk is a small file system in a name space of its own that outlives the programs in it, so that
they can be killed and started again while it is still full.
"""
import os
import signal
import subprocess
import time

import pytest

from conftest import PATIENCE_S, PROGRAM, STARTED, House, Result
from serving import Serving
from test_disk import SmallDisk

pytestmark = pytest.mark.skipif(not SmallDisk.possible(),
                                reason='no file system may be mounted here')
KEPT = 1 << 20  # LS_RESERVE_SHARE of the disk
JSON = {'Content-Type': 'application/json'}


class FullHouse(House):
    """All its programs run in the name space, where `disk` is small."""

    def __init__(self, folder, upstream, size='16m'):
        self.disk = folder / 'disk'
        self.disk.mkdir()
        self.keeper = subprocess.Popen(
            ['unshare', '-m', 'sh', '-c',
             f'mount -t tmpfs -o size={size} tmpfs "$0" && echo mounted && exec sleep 3600',
             str(self.disk)], stdout=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == 'mounted\n'
        super().__init__(folder, f'sqlite:{self.disk}/llmgr.db', upstream)
        self.env['LLMGR_JOURNAL_MAX'] = '64KiB'

    @property
    def command(self):
        return ['nsenter', '-t', str(self.keeper.pid), '-m', f'--wd={self.folder}', PROGRAM]

    @property
    def inside(self):
        return f'/proc/{self.keeper.pid}/root{self.disk}'

    def run(self, *args, stdin='', env=None, timeout=PATIENCE_S):
        done = subprocess.run([*self.command, *map(str, args)], input=stdin.encode(),
                              capture_output=True, env={**self.env, **(env or {})},
                              timeout=timeout, check=False)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *args, env=None, **more):
        process = subprocess.Popen([*self.command, *map(str, args)],
                                   env={**self.env, **(env or {})}, **more)
        STARTED.append(process.pid)
        return process

    def fill(self):
        """Everything that is free now is gone."""
        with open(f'{self.inside}/ballast', 'ab', buffering=0) as file:
            for size in (65536, 4096, 1):
                with pytest.raises(OSError):
                    while True:
                        file.write(bytes(size))

    def relieve(self):
        os.unlink(f'{self.inside}/ballast')

    def kept(self):
        return os.stat(f'{self.inside}/llmgr.db.reserve').st_size

    def token(self, user):
        made = self.json('-u', user, 'token', 'create')
        return made['token_id'], made['token']

    def end(self):
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()


@pytest.fixture(name='house')
def house_fixture(tmp_path, mockllm):
    house = FullHouse(tmp_path, mockllm)
    house.ok('init')
    yield house
    house.end()


def bearer(token, **more):
    return {'Authorization': f'Bearer {token}', **more}


def key_of(house, user, platform):
    """What is told of a user's key for a platform."""
    rows = {row['platform_id']: row for row in house.json('-u', user, 'platform', 'list')}
    return rows[platform] if platform in rows else None


def test_the_command_line_takes_power_away(house):
    tokens = [house.token('ann') for _ in range(3)]
    mine = house.add_platform('ann', 'Mine', key='sk-mine-0001')
    other = house.add_platform('ann', 'Other', 'https://other.example/v1', key='sk-other-0001')
    house.set_key('ann', 1, 'sk-own-0001')
    for _ in range(2):  # with nobody else there the log and its index must be made first
        house.fill()
        assert house.kept() == KEPT
        house.ok('token', 'revoke', tokens.pop()[0])
        house.fill()
        house.set_key('ann', mine, 'sk-mine-0002')
        house.fill()
    house.ok('-u', 'ann', 'platform', 'clear-key', 1)
    house.fill()
    house.ok('-u', 'ann', 'platform', 'delete', other)
    house.fill()
    assert 'space' in house.fails(9, '-u', 'ann', 'token', 'create')
    assert 'space' in house.fails(9, '-u', 'bob', 'platform', 'set-key', 1, '--key-stdin',
                                  stdin='sk-a-first-key\n')
    live = {row['token_id'] for row in house.json('token', 'list') if not row['revoked']}
    assert live == {tokens[0][0]}
    assert key_of(house, 'ann', other) is None
    house.ok('key', 'rotate')
    house.fill()
    house.ok('db', 'check')
    house.relieve()
    house.ok('-u', 'bob', 'platform', 'set-key', 1, '--key-stdin', stdin='sk-a-first-key\n')
    assert house.kept() == KEPT


def test_a_gateway_takes_power_away_and_it_holds(house):
    admin = house.json('token', 'create', '--kind', 'admin')['token']
    revoked, token = house.token('ann')
    second, by_command = house.token('ann')
    stays = house.token('bob')[1]
    mine = house.add_platform('ann', 'Mine', key='sk-mine-0001')
    other = house.add_platform('ann', 'Other', 'https://other.example/v1', key='sk-other-0001')
    server = Serving(house, mode='custom')

    def chat(with_token, model='One'):
        return server.chat(model, fields=bearer(with_token)).status

    def manage(method, path, body=None, fields=None):
        house.fill()
        return server.ask(path, method=method, body=body, fields={
            **bearer(admin), **(JSON if body else {}), **(fields or {})})

    def ready():
        answer = server.ask('/readyz', method='GET')
        return answer.status, answer.json['status']

    assert chat(token) == chat(by_command) == chat(stays) == 200
    assert ready() == (200, 'ready')
    house.fill()
    codes = [chat(stays) for _ in range(600)]
    assert set(codes) == {200, 507}
    assert ready() == (503, 'room')
    metrics = server.ask('/metrics', method='GET', fields=bearer(admin)).body.decode()
    assert '\nllmgr_ready 0\n' in metrics
    assert manage('POST', '/api/tokens', {'kind': 'admin'}).status == 507

    assert manage('DELETE', f'/api/tokens/{revoked}').status == 204
    assert chat(token) == 401
    house.fill()
    house.ok('token', 'revoke', second)
    end = time.monotonic() + PATIENCE_S
    while chat(by_command) != 401:
        assert time.monotonic() < end
    assert manage('PUT', f'/api/platforms/{mine}/key?user=ann', {'api_key': 'sk-mine-0002'}
                  ).status == 200
    assert manage('DELETE', f'/api/platforms/{other}?user=ann').status == 204

    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.process.stdout.close()
    server.errors.close()
    house.fill()
    server = Serving(house, mode='custom')
    assert chat(token) == chat(by_command) == 401
    assert server.ask(f'/api/platforms/{other}?user=ann', method='GET',
                      fields=bearer(admin)).status == 404
    assert manage('DELETE', f'/api/platforms/{mine}/key?user=ann').status == 204
    house.relieve()
    end = time.monotonic() + PATIENCE_S
    while chat(stays) != 200 or ready() != (200, 'ready'):
        assert time.monotonic() < end, 'there is room again'
        time.sleep(0.05)
    server.stop()
    assert house.kept() == KEPT
    house.ok('db', 'check')


def test_what_could_not_be_done_is_said(house):
    token, text = house.token('ann')
    house.fill()
    os.unlink(f'{house.inside}/llmgr.db.reserve')
    house.fill()
    assert 'nothing was read or changed' in house.fails(9, 'token', 'revoke', token)
    house.relieve()
    server = Serving(house, mode='custom')
    house.fill()
    os.unlink(f'{house.inside}/llmgr.db.reserve')
    house.fill()
    said = house.fails(9, 'token', 'revoke', token)
    assert 'this was not done, what should end is still in force' in said
    assert not house.json('token', 'list')[0]['revoked']
    assert server.chat('One', fields=bearer(text)).status == 200
    house.relieve()
    house.ok('token', 'revoke', token)
    assert house.json('token', 'list')[0]['revoked']
    server.stop()


# ---- PostgreSQL, whose disk is not ours --------------------------------------------------------


def psql(house, sql):
    subprocess.run(['psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-c', sql, house.url], check=True,
                   capture_output=True, timeout=PATIENCE_S)


def full(house, table, what):
    """From now on the server has no room for this."""
    psql(house, f"""
        CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER no_room BEFORE {what} ON {table} EXECUTE FUNCTION no_room()""")


def test_postgresql_takes_power_away_as_long_as_it_takes_that(tmp_path, postgres, mockllm):
    house = House(tmp_path, postgres.fresh(), mockllm)
    house.ok('init')
    admin = house.json('token', 'create', '--kind', 'admin')['token']
    made = [house.json('-u', 'ann', 'token', 'create') for _ in range(3)]
    house.set_key('ann', 1, 'sk-own-0001')
    server = Serving(house, mode='custom')

    def chat(token):
        return server.chat('One', fields=bearer(token['token'])).status

    def revoke(token):
        return server.ask(f'/api/tokens/{token["token_id"]}', method='DELETE',
                          fields=bearer(admin))

    full(house, 'llm_usage', 'INSERT')
    assert [chat(token) for token in made] == [200] * 3
    assert revoke(made[0]).status == 204
    house.set_key('ann', 1, 'sk-own-0002')
    full(house, 'llm_tokens', 'UPDATE')
    refused = revoke(made[1])
    assert refused.status == 507
    assert 'this was not done, what should end is still in force' in refused.json['detail']
    said = house.fails(9, 'token', 'revoke', made[1]['token_id'])
    assert 'this was not done, what should end is still in force' in said
    assert [chat(token) for token in made] == [401, 200, 200]
    psql(house, 'DROP FUNCTION no_room CASCADE')
    assert revoke(made[1]).status == 204
    assert [chat(token) for token in made] == [401, 401, 200]
    server.stop()
