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

from conftest import PATIENCE_S, PROGRAM, STARTED, Site, Result
from serving import Serving
from test_disk import SmallDisk

pytestmark = pytest.mark.skipif(not SmallDisk.possible(),
                                reason='no file system may be mounted here')
KEPT = 1 << 20  # LS_RESERVE_SHARE of the disk
JSON = {'Content-Type': 'application/json'}


class FullSite(Site):
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


@pytest.fixture(name='site')
def site_fixture(tmp_path, mockllm):
    site = FullSite(tmp_path, mockllm)
    site.ok('init')
    yield site
    site.end()


def bearer(token, **more):
    return {'Authorization': f'Bearer {token}', **more}


def key_of(site, user, platform):
    """What is told of a user's key for a platform."""
    rows = {row['platform_id']: row for row in site.json('-u', user, 'platform', 'list')}
    return rows[platform] if platform in rows else None


def test_the_command_line_takes_power_away(site):
    tokens = [site.token('ann') for _ in range(3)]
    mine = site.add_platform('ann', 'Mine', key='sk-mine-0001')
    other = site.add_platform('ann', 'Other', 'https://other.example/v1', key='sk-other-0001')
    site.set_key('ann', 1, 'sk-own-0001')
    for _ in range(2):  # with nobody else there the log and its index must be made first
        site.fill()
        assert site.kept() == KEPT
        site.ok('token', 'revoke', tokens.pop()[0])
        site.fill()
        site.set_key('ann', mine, 'sk-mine-0002')
        site.fill()
    site.ok('-u', 'ann', 'platform', 'clear-key', 1)
    site.fill()
    site.ok('-u', 'ann', 'platform', 'delete', other)
    site.fill()
    assert 'space' in site.fails(9, '-u', 'ann', 'token', 'create')
    assert 'space' in site.fails(9, '-u', 'bob', 'platform', 'set-key', 1, '--key-stdin',
                                  stdin='sk-a-first-key\n')
    live = {row['token_id'] for row in site.json('token', 'list') if not row['revoked']}
    assert live == {tokens[0][0]}
    assert key_of(site, 'ann', other) is None
    site.ok('key', 'rotate')
    site.fill()
    site.ok('db', 'check')
    site.relieve()
    site.ok('-u', 'bob', 'platform', 'set-key', 1, '--key-stdin', stdin='sk-a-first-key\n')
    assert site.kept() == KEPT


def test_a_gateway_takes_power_away_and_it_holds(site):
    admin = site.json('token', 'create', '--kind', 'admin')['token']
    revoked, token = site.token('ann')
    second, by_command = site.token('ann')
    stays = site.token('bob')[1]
    mine = site.add_platform('ann', 'Mine', key='sk-mine-0001')
    other = site.add_platform('ann', 'Other', 'https://other.example/v1', key='sk-other-0001')
    server = Serving(site, mode='custom')

    def chat(with_token, model='One'):
        return server.chat(model, fields=bearer(with_token)).status

    def manage(method, path, body=None, fields=None):
        site.fill()
        return server.ask(path, method=method, body=body, fields={
            **bearer(admin), **(JSON if body else {}), **(fields or {})})

    def ready():
        answer = server.ask('/readyz', method='GET')
        return answer.status, answer.json['status']

    assert chat(token) == chat(by_command) == chat(stays) == 200
    assert ready() == (200, 'ready')
    site.fill()
    codes = [chat(stays) for _ in range(600)]
    assert set(codes) == {200, 507}
    assert ready() == (503, 'room')
    metrics = server.ask('/metrics', method='GET', fields=bearer(admin)).body.decode()
    assert '\nllmgr_ready 0\n' in metrics
    assert manage('POST', '/api/tokens', {'kind': 'admin'}).status == 507

    assert manage('DELETE', f'/api/tokens/{revoked}').status == 204
    assert chat(token) == 401
    site.fill()
    site.ok('token', 'revoke', second)
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
    site.fill()
    server = Serving(site, mode='custom')
    assert chat(token) == chat(by_command) == 401
    assert server.ask(f'/api/platforms/{other}?user=ann', method='GET',
                      fields=bearer(admin)).status == 404
    assert manage('DELETE', f'/api/platforms/{mine}/key?user=ann').status == 204
    site.relieve()
    end = time.monotonic() + PATIENCE_S
    while chat(stays) != 200 or ready() != (200, 'ready'):
        assert time.monotonic() < end, 'there is room again'
        time.sleep(0.05)
    server.stop()
    assert site.kept() == KEPT
    site.ok('db', 'check')


def test_what_could_not_be_done_is_said(site):
    token, text = site.token('ann')
    site.fill()
    os.unlink(f'{site.inside}/llmgr.db.reserve')
    site.fill()
    assert 'nothing was read or changed' in site.fails(9, 'token', 'revoke', token)
    site.relieve()
    server = Serving(site, mode='custom')
    site.fill()
    os.unlink(f'{site.inside}/llmgr.db.reserve')
    site.fill()
    said = site.fails(9, 'token', 'revoke', token)
    assert 'this was not done, what should end is still in force' in said
    assert not site.json('token', 'list')[0]['revoked']
    assert server.chat('One', fields=bearer(text)).status == 200
    site.relieve()
    site.ok('token', 'revoke', token)
    assert site.json('token', 'list')[0]['revoked']
    server.stop()


# ---- PostgreSQL, whose disk is not ours --------------------------------------------------------


def psql(site, sql):
    subprocess.run(['psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-c', sql, site.url], check=True,
                   capture_output=True, timeout=PATIENCE_S)


def full(site, table, what):
    """From now on the server has no room for this."""
    psql(site, f"""
        CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER no_room BEFORE {what} ON {table} EXECUTE FUNCTION no_room()""")


def test_postgresql_takes_power_away_as_long_as_it_takes_that(tmp_path, postgres, mockllm):
    site = Site(tmp_path, postgres.fresh(), mockllm)
    site.ok('init')
    admin = site.json('token', 'create', '--kind', 'admin')['token']
    made = [site.json('-u', 'ann', 'token', 'create') for _ in range(3)]
    site.set_key('ann', 1, 'sk-own-0001')
    server = Serving(site, mode='custom')

    def chat(token):
        return server.chat('One', fields=bearer(token['token'])).status

    def revoke(token):
        return server.ask(f'/api/tokens/{token["token_id"]}', method='DELETE',
                          fields=bearer(admin))

    full(site, 'llm_usage', 'INSERT')
    assert [chat(token) for token in made] == [200] * 3
    assert revoke(made[0]).status == 204
    site.set_key('ann', 1, 'sk-own-0002')
    full(site, 'llm_tokens', 'UPDATE')
    refused = revoke(made[1])
    assert refused.status == 507
    assert 'this was not done, what should end is still in force' in refused.json['detail']
    said = site.fails(9, 'token', 'revoke', made[1]['token_id'])
    assert 'this was not done, what should end is still in force' in said
    assert [chat(token) for token in made] == [401, 200, 200]
    psql(site, 'DROP FUNCTION no_room CASCADE')
    assert revoke(made[1]).status == 204
    assert [chat(token) for token in made] == [401, 401, 200]
    server.stop()
