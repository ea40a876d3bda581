# SPDX-License-Identifier: MIT
"""A database that goes back in time, and one that says nothing: three gateways on one of them. What
is revoked or replaced afterwards holds on each, or it does not answer."""
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import time

import pytest

from clusters import BIN, Door, Server
from conftest import PATIENCE_S, Llmgr
from serving import Serving, configure

NODES = 3
POLL_S = 1.0  # what a node may remember without word from the database


class Sites:
    """Gateways on one database, and what a caller may see of them."""

    def __init__(self, llmgr, mockllm, count=NODES, env=None):
        self.llmgr, self.mockllm = llmgr, mockllm
        llmgr.ok('sync')
        self.platform = llmgr.json('platform', 'list')[0]['platform_id']
        self.nodes = [Serving(llmgr, mode='custom', env=env) for _ in range(count)]

    def token(self, user):
        made = self.llmgr.json('token', 'create', '-u', user)
        return {'Authorization': 'Bearer ' + made['token']}, made['token_id']

    def set_key(self, user, key):
        self.llmgr.ok('-u', user, 'platform', 'set-key', self.platform, '--key-stdin', stdin=key)

    def ask(self, node, fields):
        """The status of a chat, and with 200 the key that the platform was sent."""
        answer = node.chat(fields=fields)
        if answer.status == 503:
            assert int(answer.fields['retry-after']) >= 1
        return answer.status, self.mockllm.last().key if answer.status == 200 else None

    def all_say(self, fields, status, key=None):
        """Each node within the time; it may refuse to answer, and must come to it."""
        end = time.monotonic() + PATIENCE_S
        for node in self.nodes:
            while (said := self.ask(node, fields))[0] == 503:
                assert time.monotonic() < end, node.log
                time.sleep(0.02)
            assert said == (status, key), node.log

    def ready(self):
        end = time.monotonic() + PATIENCE_S
        for node in self.nodes:
            while node.ask('/readyz', method='GET').status != 200:
                assert time.monotonic() < end, node.log
                time.sleep(0.02)

    def resets(self, admin):
        found = []
        for node in self.nodes:
            body = node.ask('/metrics', method='GET', fields=admin).body.decode()
            found += [int(line.split()[1]) for line in body.splitlines()
                      if line.startswith('llmgr_database_history_resets_total ')]
        return found

    def stop(self):
        for node in self.nodes:
            node.stop()


@pytest.fixture(name='pair')
def pair_fixture():
    leader, standby = Server(), Server()
    try:
        leader.make()
        leader.start()
        leader.sql('CREATE DATABASE llmgr TEMPLATE template0')
        yield leader, standby
    finally:
        leader.remove()
        standby.remove()


@pytest.fixture(name='door')
def door_fixture(pair):
    door = Door(pair[0])
    yield door
    door.close()


@pytest.fixture(name='site')
def site_fixture(tmp_path, mockllm, door):
    llmgr = Llmgr(tmp_path, f'postgres://llmgr@127.0.0.1:{door.port}/llmgr')
    configure(llmgr, mockllm.base_url, {'Mock': 'mock-small'})
    site = Sites(llmgr, mockllm)
    yield site
    site.stop()


def unlike(number):
    return f'sk-anns-own-{number:04d}-abcdef'


@pytest.mark.parametrize('lost, old_leader', [
    (0, 'dead'), (2, 'dead'), (100, 'dead'), (0, 'still answers'), (2, 'still answers')])
def test_a_standby_that_lacks_the_last_commits_leads(site, pair, door, lost, old_leader):
    leader, standby = pair
    ann, _ = site.token('ann')
    thief, thief_id = site.token('ann')
    back, back_id = site.token('ann')
    made = site.llmgr.json('token', 'create', '--kind', 'admin')
    admin = {'Authorization': 'Bearer ' + made['token']}
    site.set_key('ann', unlike(1))
    standby.follow(leader)
    standby.start()
    standby.has_all_of(leader)
    standby.cut_off()
    # What only the old leader knows; the nodes have seen it.
    if lost:
        site.llmgr.ok('token', 'revoke', back_id)
        for number in range(lost - 2):
            leader.sql("INSERT INTO llm_changes (user_id, mark) VALUES ('bob', "
                       f'{7 + number})', 'llmgr')
        site.set_key('ann', unlike(2))
    time.sleep(POLL_S)
    site.all_say(ann, 200, unlike(2 if lost else 1))
    site.all_say(back, 401 if lost else 200, None if lost else unlike(1))
    site.all_say(thief, 200, unlike(2 if lost else 1))
    if old_leader == 'dead':
        leader.die()
    standby.promote()
    door.lead_to(standby)
    # As many changes as were lost, so that their numbers alone show nothing.
    site.llmgr.ok('token', 'revoke', thief_id)
    site.set_key('ann', unlike(3))
    for number in range(lost - 2):
        standby.sql("INSERT INTO llm_changes (user_id, mark) VALUES ('bob', "
                    f'{1007 + number})', 'llmgr')
    # Connections to one that still answers are kept no longer than this.
    time.sleep(POLL_S if old_leader == 'dead' else 33)
    site.all_say(thief, 401)
    site.all_say(ann, 200, unlike(3))
    site.all_say(back, 200, unlike(3))  # until it is revoked again
    site.llmgr.ok('token', 'revoke', back_id)
    time.sleep(POLL_S)
    site.all_say(back, 401)
    site.ready()
    assert all((count > 0) == bool(lost) for count in site.resets(admin))
    assert all(('went back in time' in node.log) == bool(lost) for node in site.nodes)


def restored(site, change, restore):
    """Ann's key 1 and her tokens as they were come back after `change` was seen everywhere."""
    ann, _ = site.token('ann')
    thief, thief_id = site.token('ann')
    site.set_key('ann', unlike(1))
    change()
    site.llmgr.ok('token', 'revoke', thief_id)
    site.set_key('ann', unlike(2))
    late, _ = site.token('ann')
    time.sleep(POLL_S)
    site.all_say(ann, 200, unlike(2))
    site.all_say(thief, 401)
    site.all_say(late, 200, unlike(2))
    restore()
    # As many as were lost, at once: their numbers show nothing.
    site.llmgr.ok('token', 'revoke', thief_id)
    site.set_key('ann', unlike(3))
    time.sleep(2 * POLL_S)
    site.all_say(thief, 401)
    site.all_say(ann, 200, unlike(3))
    site.all_say(late, 401)
    site.ready()
    assert all('went back in time' in node.log for node in site.nodes)


@pytest.mark.parametrize('way', ['at once', 'table by table'])
def test_a_dump_is_restored_in_place(site, pair, way):
    leader, _ = pair
    dump = pathlib.Path(leader.folder) / 'dump.sql'

    def take():
        leader.tool('pg_dump', '-h', leader.folder, '-U', 'llmgr', '-f', dump, 'llmgr')

    def restore():
        drop = 'DROP SCHEMA public CASCADE; CREATE SCHEMA public;'
        text = dump.read_text('utf-8')
        if way == 'at once':
            text = 'BEGIN;' + drop + text + 'COMMIT;'
        else:
            leader.sql(drop, 'llmgr')
        done = subprocess.run([BIN / 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-h', leader.folder,
                               '-U', 'llmgr', 'llmgr'], input=text, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    restored(site, take, restore)


def test_an_older_sqlite_file_is_moved_into_place(tmp_path, mockllm):
    llmgr = Llmgr(tmp_path, f'sqlite:{tmp_path}/llmgr.db')
    configure(llmgr, mockllm.base_url, {'Mock': 'mock-small'})
    site = Sites(llmgr, mockllm)

    def restore():
        os.rename(tmp_path / 'copy.db', tmp_path / 'llmgr.db')
        # Until then the log of the file before lies beside it, which no other program must take.
        end = time.monotonic() + PATIENCE_S
        for node in site.nodes:
            while node.log.count('is another file than before') < NODES:
                assert time.monotonic() < end, node.log
                time.sleep(0.02)
    restored(site, lambda: llmgr.ok('db', 'backup', tmp_path / 'copy.db'), restore)
    llmgr.ok('db', 'check')
    site.stop()


def every_chat_ends(site, fields, seconds):
    """Asks without a pause for so long; what was said."""
    end = time.monotonic() + seconds

    def under_stress(node):
        seen = []
        while time.monotonic() < end:
            seen.append(site.ask(node, fields)[0])
            time.sleep(0.02)
        return seen
    with concurrent.futures.ThreadPoolExecutor(3 * NODES) as threads:
        runs = [threads.submit(under_stress, node) for node in site.nodes * 3]
        return [entry for run in runs for entry in run.result()]


def descriptors(node):
    return len(os.listdir(f'/proc/{node.process.pid}/fd'))


@pytest.mark.parametrize('seconds, way', [(9, 'stopped'), (9, 'swallows'), (42, 'stopped')])
def test_a_database_that_says_nothing(site, pair, door, seconds, way):
    leader, _ = pair
    ann, _ = site.token('ann')
    cold = [site.token(f'user{number}')[0] for number in range(8)]
    site.all_say(ann, 200, 'sk-server-key-1234567')
    before = [descriptors(node) for node in site.nodes]
    if way == 'stopped':
        leader.signal(signal.SIGSTOP)
    else:
        door.deaf = True
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            strange = [threads.submit(site.nodes[0].chat, fields=fields) for fields in cold[:5]]
            # Whose a file is can only be asked of the database, also where the caller is known.
            strange += [threads.submit(node.ask, '/v1/files/file-1', method='GET', fields=ann)
                        for node in site.nodes]
            seen = every_chat_ends(site, ann, seconds)
            for answer in strange:
                assert answer.done()
                assert answer.result().status == 503
                assert int(answer.result().fields['retry-after']) >= 1
        for node in site.nodes:
            assert node.ask('/readyz', method='GET').status == 503
            assert node.ask('/healthz', method='GET').status == 200
            assert node.ask('/api/tokens', method='GET', fields=ann).status == 503
    finally:
        leader.signal(signal.SIGCONT)
        door.deaf = False
    assert set(seen) == {200, 503}  # each of them while it still said nothing
    site.ready()
    site.all_say(ann, 200, 'sk-server-key-1234567')
    for fields in cold:
        site.all_say(fields, 200, 'sk-server-key-1234567')
    end = time.monotonic() + PATIENCE_S
    for node, count in zip(site.nodes, before):
        while descriptors(node) > count + 12:  # connections to the database and the platform
            assert time.monotonic() < end
            time.sleep(0.1)
