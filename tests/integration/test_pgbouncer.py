# SPDX-License-Identifier: MIT
"""PostgreSQL behind the distribution's PgBouncer, per transaction and per session. Per transaction
each of them may go to another of the few server connections, and other clients get the same ones:
nothing of ours may be expected there afterwards, and nothing of ours may be left."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from clusters import server_user
from conftest import PATIENCE_S, Llmgr
from serving import Serving, configure

PORT = 6432  # of its socket's name; nothing listens on the network
PROGRAM = shutil.which('pgbouncer', path='/usr/sbin:/usr/bin:/usr/local/bin')


class Bouncer:
    """PgBouncer before the session's server, on a Unix socket in a folder of its own."""

    def __init__(self, url, mode, connections):
        assert PROGRAM, 'there is no pgbouncer: install the package'
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='llmgr-pgb-'))
        self.server = url
        self.database, socket = re.match(r'postgres:///([^?]*)\?host=([^&]*)', url).groups()
        (self.folder / 'users').write_text('"llmgr" ""\n', 'utf-8')
        (self.folder / 'ini').write_text(f'''[databases]
{self.database} = host={socket} user=llmgr
[pgbouncer]
listen_port = {PORT}
unix_socket_dir = {self.folder}
auth_type = trust
auth_file = {self.folder}/users
admin_users = llmgr
pool_mode = {mode}
default_pool_size = {connections}
logfile = {self.folder}/log
''', 'utf-8')
        if os.geteuid() == 0:
            for path in (self.folder, self.folder / 'ini', self.folder / 'users'):
                shutil.chown(path, server_user()[1].split('=')[1])
        self.process = subprocess.Popen(
            [*server_user(), PROGRAM, '-q', self.folder / 'ini'], cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f'postgres:///{self.database}?host={self.folder}&port={PORT}&user=llmgr'
        end = time.monotonic() + PATIENCE_S
        while not (self.folder / f'.s.PGSQL.{PORT}').exists():
            assert time.monotonic() < end, (self.folder / 'log').read_text('utf-8')
            time.sleep(0.02)

    def sql(self, sql, database=None):
        """What psql prints, through the pooler."""
        done = subprocess.run(
            ['psql', '-qXAt', '-h', self.folder, '-p', str(PORT), '-U', 'llmgr', '-c', sql,
             database or self.database], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def stop(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)
        shutil.rmtree(self.folder)


@pytest.fixture(name='bouncer', params=['transaction', 'session'])
def bouncer_fixture(request, postgres):
    # Per session each connection of a client takes one of the server's for as long as it lasts.
    made = Bouncer(postgres.fresh(), request.param, 3 if request.param == 'transaction' else 30)
    yield made
    made.stop()


@pytest.fixture(name='llmgr')
def llmgr_fixture(tmp_path, bouncer):
    return Llmgr(tmp_path, bouncer.url)


def test_many_programs_write_and_read_at_once(llmgr, bouncer):
    """Their statements meet on few server connections, and none knows those of another."""
    llmgr.ok('platform', 'list')  # makes the tables

    def work(number):
        user = f'user{number % 5}'
        name = llmgr.json('-u', user, 'platform', 'add', '--name', f'p{number}', '--base-url',
                          f'https://p{number}.example.com/v1', '--key-stdin',
                          stdin='sk-1234567890\n')
        listed = llmgr.json('-u', user, 'platform', 'list')
        return name['platform_id'] in [row['platform_id'] for row in listed]

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(20)))
    assert bouncer.sql('SELECT COUNT(*) FROM llm_platforms') == '20'


def test_the_gateway_serves_and_hears_of_changes(llmgr, bouncer, mockllm):
    configure(llmgr, mockllm.base_url)
    llmgr.ok('sync')
    token = llmgr.json('-u', 'alice', 'token', 'create')
    server = Serving(llmgr, mode='custom')
    try:
        fields = {'authorization': 'Bearer ' + token['token']}
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            asked = list(threads.map(lambda _: server.chat(fields=fields).status, range(60)))
        assert asked == [200] * 60
        # Another program revokes it: the gateway hears of it by polling.
        llmgr.ok('token', 'revoke', token['token_id'])
        end = time.monotonic() + PATIENCE_S
        while server.chat(fields=fields).status != 401:
            assert time.monotonic() < end, 'the revocation was never heard of'
            time.sleep(0.05)
    finally:
        server.stop()
    assert 'prepared statement' not in server.log
    total = llmgr.json('-u', 'alice', 'usage')['total']
    assert total['completed'] >= 60
    assert bouncer.sql('SELECT COUNT(*) FROM llm_usage') == str(total['attempts'])


# Per session the pooler resets it for the next one.
@pytest.mark.parametrize('bouncer', ['transaction'], indirect=True)
def test_nothing_of_ours_is_left_on_a_shared_connection(llmgr, bouncer, mockllm):
    """What the next client of such a connection finds is what the server's own settings say."""
    configure(llmgr, mockllm.base_url)
    llmgr.ok('sync')
    llmgr.ok('platform', 'list')
    settings = ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')
    for _ in range(6):
        for setting in settings:
            assert bouncer.sql(f'SHOW {setting}') == '0', setting
        assert bouncer.sql('SELECT COUNT(*) FROM pg_prepared_statements') == '0'


def test_a_single_read_has_its_limit_at_the_server(llmgr, bouncer):
    """It waits for a lock no longer than it may, and leaves no statement behind that does."""
    llmgr.ok('-u', 'alice', 'token', 'list')  # makes the tables
    lock = subprocess.Popen(
        ['psql', '-qXAt', bouncer.server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        lock.stdin.write("BEGIN; LOCK TABLE llm_tokens IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n")
        lock.stdin.flush()
        assert lock.stdout.readline() == 'held\n'
        refused = llmgr.run('-u', 'alice', 'token', 'list', env={'LLMGR_BUSY_TIMEOUT': '100ms'})
        assert refused.code == 9 and 'locked' in refused.err, refused
        waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        assert bouncer.sql(waiting) == '0'
    finally:
        lock.kill()
        lock.communicate()


def test_a_lost_pooler_is_found_again(llmgr, bouncer, mockllm):
    """Its server connections are ended under way: what was idle is replaced."""
    configure(llmgr, mockllm.base_url)
    llmgr.ok('sync')
    token = llmgr.json('-u', 'alice', 'token', 'create')['token']
    server = Serving(llmgr, mode='custom')
    try:
        fields = {'authorization': 'Bearer ' + token}
        assert server.chat(fields=fields).status == 200
        for _ in range(3):
            bouncer.sql('SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity '
                        'WHERE datname = current_database() AND pid <> pg_backend_pid()')
            assert server.chat(fields=fields).status == 200
            llmgr.ok('-u', 'alice', 'platform', 'list')
    finally:
        server.stop()
    assert llmgr.json('-u', 'alice', 'usage')['total']['completed'] == 4


def test_a_pool_per_statement_is_refused_with_the_remedy(tmp_path, postgres):
    made = Bouncer(postgres.fresh(), 'statement', 3)
    try:
        message = Llmgr(tmp_path, made.url).fails(9, 'platform', 'list')
        assert 'pool_mode' in message and 'transaction' in message, message
    finally:
        made.stop()
