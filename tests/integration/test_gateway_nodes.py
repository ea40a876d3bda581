# SPDX-License-Identifier: MIT
"""What one node has found to be broken, the others on its database do not try: a key that is
refused, an account that is to be let alone. And what one finds well again, all use."""
import contextlib
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest

from clusters import BIN, Door, Server
from conftest import PATIENCE_S, Llmgr, until
from serving import Serving
from smart import config, vendors_fixture  # noqa: F401
from vendors import FAILURES, Call

CELLS = '/api/health/cells'
ROWS_MAX = 4096  # of the table


class Nodes:
    """Gateways on one database, and their callers."""

    def __init__(self, llmgr, vendors, count):
        self.llmgr, self.vendors = llmgr, vendors
        llmgr.write('llmgr.yaml', config().format(a=vendors[0].base_url, b=vendors[1].base_url))
        llmgr.ok('sync')
        self.admin = self.token('--kind', 'admin')
        self.ann = self.token('-u', 'ann')
        self.all = [Serving(llmgr, mode='custom') for _ in range(count)]

    def token(self, *args):
        return {'Authorization': 'Bearer ' + self.llmgr.json('token', 'create', *args)['token']}

    def ask(self, node):
        """A good answer, whoever gives it; True if platform A was asked."""
        before = self.vendors[0].asked
        answer = node.chat('smart', fields=self.ann)
        assert answer.status == 200, answer.body
        return self.vendors[0].asked > before

    def cells(self, node):
        answer = node.ask(CELLS, method='GET', fields=self.admin)
        assert answer.status == 200, answer.body
        return answer.json['data']

    def come_to(self, count, nodes=None):
        """Waits until each of the nodes has so many cells; those of the first."""
        end = time.monotonic() + PATIENCE_S
        for node in nodes or self.all:
            while len(self.cells(node)) != count:
                assert time.monotonic() < end, (self.cells(node), node.log)
                time.sleep(0.02)
        return self.cells((nodes or self.all)[0])

    def come_ready(self, status):
        """Waits until each says so of itself."""
        end = time.monotonic() + PATIENCE_S
        for node in self.all:
            while node.ask('/readyz', method='GET').status != status:
                assert time.monotonic() < end, node.log
                time.sleep(0.02)

    def reset(self, node, cell):
        answer = node.ask(f'{CELLS}/{cell["cell_id"]}', method='DELETE', fields=self.admin)
        assert answer.status == 204, answer.body

    def restart(self, index):
        self.all[index].stop()
        self.all[index] = Serving(self.llmgr, mode='custom')

    def metric(self, node, name):
        body = node.ask('/metrics', method='GET', fields=self.admin).body.decode()
        return next(int(line.split()[1]) for line in body.splitlines()
                    if line.startswith(name + ' '))

    def stop(self):
        for node in self.all:
            node.stop()


@pytest.fixture(name='nodes')
def nodes_fixture(llmgr, vendors):
    nodes = Nodes(llmgr, vendors, 3 if llmgr.kind == 'postgres' else 2)
    yield nodes
    nodes.stop()


def sql(llmgr, text):
    """Rows of a statement, past the program."""
    if llmgr.kind == 'sqlite':
        with sqlite3.connect(llmgr.url.partition(':')[2], timeout=PATIENCE_S) as connection:
            rows = connection.execute(text).fetchall()
        connection.close()
        return rows
    done = subprocess.run([BIN / 'psql', '-qXAt', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-c', text,
                           llmgr.url], capture_output=True, text=True, check=True, timeout=60)
    return [tuple(line.split('\t')) for line in done.stdout.splitlines()]


def test_a_dead_key_is_met_once(nodes, vendors):
    vendors[0].play = FAILURES['401']
    assert nodes.ask(nodes.all[0])
    cell, = nodes.come_to(1)
    assert (cell['scope'], cell['reason'], cell['is_hard']) == ('key', 'key', True)
    for node in nodes.all:
        other, = nodes.cells(node)
        assert abs(other.pop('until_ms') - cell['until_ms']) < 60000
        for name in ('cell_id', 'scope', 'reason', 'upstream_status', 'streak', 'is_hard'):
            assert other[name] == cell[name], name
        assert not nodes.ask(node)
    assert vendors[0].asked == 1
    # Neither the key nor anything of it stands in the table.
    assert 'sk-key-of-A' not in str(sql(nodes.llmgr, 'SELECT * FROM llm_cells'))
    assert nodes.metric(nodes.all[0], 'llmgr_cells_shared_total{way="written"}') == 1
    assert nodes.metric(nodes.all[1], 'llmgr_cells_shared_total{way="written"}') == 0
    assert nodes.metric(nodes.all[1], 'llmgr_cells_shared_total{way="read"}') >= 1
    assert nodes.metric(nodes.all[1], 'llmgr_cells_cooled') == 1


def test_an_account_that_is_to_be_let_alone(nodes, vendors):
    vendors[0].play = lambda call: call.refuse(429, Retry_After=600)
    assert nodes.ask(nodes.all[-1])
    now = time.time() * 1000
    cell, = nodes.come_to(1)
    for node in nodes.all:
        other, = nodes.cells(node)
        assert (other['scope'], other['reason'], other['is_hard']) == ('account', 'limit', False)
        assert 540 * 1000 < other['until_ms'] - now < 720 * 1000
        assert not nodes.ask(node)
    assert vendors[0].asked == 1 and cell['upstream_status'] == 429


def test_what_is_soft_stays_where_it_was_met(nodes, vendors):
    vendors[0].play = lambda call: call.refuse(503)
    until(lambda: (nodes.ask(nodes.all[0]), nodes.cells(nodes.all[0]))[1])
    vendors[0].play = FAILURES['401']  # what comes after it is told
    assert nodes.ask(nodes.all[1])
    assert len(nodes.come_to(2, nodes.all[:1])) == 2
    scopes = [cell['scope'] for node in nodes.all[1:] for cell in nodes.come_to(1, [node])]
    assert scopes == ['key'] * len(nodes.all[1:])
    assert sql(nodes.llmgr, 'SELECT scope FROM llm_cells') == [('key',)]


def test_a_reset_on_one_frees_it_on_all(nodes, vendors):
    vendors[0].play = FAILURES['401']
    assert nodes.ask(nodes.all[0])
    cell, = nodes.come_to(1)
    nodes.reset(nodes.all[-1], cell)
    vendors[0].play = Call.answer
    nodes.come_to(0)
    assert all(nodes.ask(node) for node in nodes.all)
    # And it is met again by whoever asks next: the closing of before closes nothing of now.
    vendors[0].play = FAILURES['401']
    assert nodes.ask(nodes.all[0])
    cell, = nodes.come_to(1)
    nodes.restart(0)
    again, = nodes.cells(nodes.all[0])
    assert again['cell_id'] == cell['cell_id']
    nodes.reset(nodes.all[0], again)
    nodes.come_to(0)


def test_who_starts_knows_what_is_broken(nodes, vendors):
    vendors[0].play = FAILURES['401']
    assert nodes.ask(nodes.all[0])
    cell, = nodes.come_to(1)
    for index in range(len(nodes.all)):
        nodes.restart(index)
        again, = nodes.cells(nodes.all[index])  # at once
        assert again['cell_id'] == cell['cell_id'] and again['is_hard']
        assert not nodes.ask(nodes.all[index])
    assert vendors[0].asked == 1


def test_rows_that_nobody_wrote_do_no_harm(nodes, vendors):
    names = ('scope, owner, platform_id, item, until_ms, changed_ms, closed_ms, streak, reason,'
             ' http_status, is_hard')
    big, small = 2 ** 63 - 1, -2 ** 63
    now = int(time.time() * 1000)
    bad = [("''", 0, 1, 1, big, now, 0, 1, "'key'", 401, 1),
           ("'key'", 0, 1, 2, big, now, 0, 1, "'no such reason'", 401, 1),
           ("'key'", small, small, small, small, small, small, small, "'key'", small, small),
           ("'key'", big, big, big, big, big, big, big, "'key'", big, big),
           ("'account'", 0, 1, 3, now + 1000000, now, small, 1, "'limit'", 429, 0),
           ("'account'", 0, 1, 4, now + 1000000, big, 0, 1, "'limit'", 429, 0),
           ("'model'", 0, 1, 5, now + 1000000, now, 0, big, "'limit'", 429, 0),
           ("'platform'", 0, 1, 6, now + 1000000, now, 0, 1, "'limit'", big, 0),
           ("'" + 'k' * 100000 + "'", 0, 1, 7, now + 1000000, now, 0, 1, "'key'", 401, 1)]
    for row in bad:
        sql(nodes.llmgr, f'INSERT INTO llm_cells ({names}) VALUES ({", ".join(map(str, row))})')
    count = 3 * ROWS_MAX
    sql(nodes.llmgr, 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n'
        f' WHERE i < {count}) INSERT INTO llm_cells ({names}) SELECT \'key\', i % 3, 99999, i,'
        f" {now + 10 ** 7}, {now}, 0, 1, 'key', 401, 1 FROM n")
    vendors[0].play = FAILURES['401']
    assert nodes.ask(nodes.all[0])
    end = time.monotonic() + PATIENCE_S
    while any(nodes.ask(node) for node in nodes.all[1:]):
        assert time.monotonic() < end, nodes.all[0].log
    # Whoever writes next brings the table back to its size.
    while int(sql(nodes.llmgr, 'SELECT COUNT(*) FROM llm_cells')[0][0]) > ROWS_MAX:
        assert time.monotonic() < end, nodes.all[0].log
        time.sleep(0.02)
    assert int(sql(nodes.llmgr, 'SELECT COUNT(*) FROM llm_cells WHERE owner = 1')[0][0]) <= 64
    nodes.restart(0)
    assert not nodes.ask(nodes.all[0])


@contextlib.contextmanager
def nobody_writes(llmgr):
    """Another program holds the lock for writing; what is there can be read."""
    if llmgr.kind == 'sqlite':
        connection = sqlite3.connect(llmgr.url.partition(':')[2], timeout=PATIENCE_S)
        connection.execute('BEGIN IMMEDIATE')
        try:
            yield
        finally:
            connection.rollback()
            connection.close()
        return
    psql = subprocess.Popen([BIN / 'psql', '-qXAt', llmgr.url], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    try:
        psql.stdin.write('BEGIN; LOCK TABLE llm_cells IN EXCLUSIVE MODE; SELECT 1;\n')
        psql.stdin.flush()
        assert psql.stdout.readline() == '1\n'
        yield
    finally:
        psql.stdin.close()
        psql.wait(PATIENCE_S)
        psql.stdout.close()


def test_what_cannot_be_written_fails_no_request_and_is_told_later(nodes, vendors):
    vendors[0].play = FAILURES['401']
    with nobody_writes(nodes.llmgr):
        assert nodes.ask(nodes.all[0])
        end = time.monotonic() + PATIENCE_S
        while nodes.metric(nodes.all[0], 'llmgr_cells_share_failures_total') == 0:
            assert not nodes.ask(nodes.all[0])
            assert time.monotonic() < end
        assert nodes.all[0].ask('/readyz', method='GET').status == 200
        assert 'is not shared with other nodes' in nodes.all[0].log
        assert nodes.cells(nodes.all[1]) == []
    nodes.come_to(1)
    assert not any(nodes.ask(node) for node in nodes.all) and vendors[0].asked == 1
    end = time.monotonic() + PATIENCE_S
    while 'is shared with other nodes again' not in nodes.all[0].log:
        assert time.monotonic() < end
        time.sleep(0.02)


# ---- A database that fails -----------------------------------------------------------------------

@pytest.fixture(name='door_and_server')
def door_and_server_fixture():
    server = Server()
    server.make()
    server.start()
    server.sql('CREATE DATABASE llmgr TEMPLATE template0')
    door = Door(server)
    yield door, server
    door.close()
    server.remove()


def test_a_database_that_says_nothing_and_one_that_dies(tmp_path, vendors, door_and_server):
    door, server = door_and_server
    nodes = Nodes(Llmgr(tmp_path, f'postgres://llmgr@127.0.0.1:{door.port}/llmgr'), vendors, 3)
    try:
        assert all(nodes.ask(node) for node in nodes.all)
        server.signal(signal.SIGSTOP)
        try:
            nodes.come_ready(503)
        finally:
            server.signal(signal.SIGCONT)
        nodes.come_ready(200)
        vendors[0].play = FAILURES['401']
        assert nodes.ask(nodes.all[0])
        cell, = nodes.come_to(1)
        server.die()
        nodes.come_ready(503)
        server.start()
        nodes.come_ready(200)
        nodes.come_to(1)
        assert not any(nodes.ask(node) for node in nodes.all) and vendors[0].asked == 4
        nodes.reset(nodes.all[1], cell)
        nodes.come_to(0)
    finally:
        nodes.stop()


def test_a_dump_brings_nothing_back_that_was_ended(tmp_path, vendors, door_and_server):
    door, server = door_and_server
    nodes = Nodes(Llmgr(tmp_path, f'postgres://llmgr@127.0.0.1:{door.port}/llmgr'), vendors, 2)
    dump = pathlib.Path(server.folder) / 'dump.sql'
    try:
        vendors[0].play = FAILURES['401']
        assert nodes.ask(nodes.all[0])
        cell, = nodes.come_to(1)
        server.tool('pg_dump', '-h', server.folder, '-U', 'llmgr', '-f', dump, 'llmgr')
        nodes.token('-u', 'bob')  # which the dump lacks
        nodes.reset(nodes.all[0], cell)
        nodes.come_to(0)
        subprocess.run([BIN / 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-h', server.folder, '-U',
                        'llmgr', 'llmgr'], check=True, timeout=60, text=True, capture_output=True,
                       input='BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public;' +
                       dump.read_text('utf-8') + 'COMMIT;')
        end = time.monotonic() + PATIENCE_S
        while server.sql('SELECT until_ms FROM llm_cells', 'llmgr') != '0':
            assert time.monotonic() < end, nodes.all[0].log
            time.sleep(0.02)
        nodes.come_to(0)
        nodes.restart(1)
        assert nodes.cells(nodes.all[1]) == []
    finally:
        nodes.stop()
