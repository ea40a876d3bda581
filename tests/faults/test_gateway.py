# SPDX-License-Identifier: MIT
"""A running gateway whose n-th allocation, system call or connection fails while it serves a
request: it lives, the request is answered whole or refused in the caller's dialect, the next one is
served, and the ledger has each finished request once.
"""
import json
import threading
import time

import pytest

import faults
from conftest import PATIENCE_S, Llmgr
from faults import (CONNECT, CONNECT_GONE, DESCRIPTORS, DESCRIPTORS_GONE, DISK_GONE, FULL,
                    INTERRUPTED, MEMORY, MEMORY_GONE, READ, RECEIVE, SEND, SHORT, SYNC, WRITE, Page)
from serving import CHAT, Serving, configure
from stress import is_error, ledger

# A request of the gateway's own makes other calls each time: background threads count too. So the
# n-th is any call up to some more than a request in peace was seen to make.
MARGIN = 1.25
# Who has no descriptors accepts nobody and tries again ten times a second: the client waits, and is
# served as soon as there are some.
LIFTED_S = 1
ON_WIRE = (CONNECT, CONNECT_GONE, RECEIVE, SEND, INTERRUPTED, SHORT)
ALL = (MEMORY, MEMORY_GONE, DESCRIPTORS, DESCRIPTORS_GONE, *ON_WIRE)
ON_DISK = (READ, WRITE, SYNC, DISK_GONE, FULL)
CHAT_BODY = {'model': 'Mock', 'messages': [{'role': 'user', 'content': 'hi'}]}
MESSAGES_BODY = {**CHAT_BODY, 'max_tokens': 9}


def asking(method, path, body=None, dialect='chat'):
    return {'method': method, 'path': path, 'body': body}, dialect


RELAYED = {
    'whole': asking('POST', CHAT, CHAT_BODY),
    'streamed': asking('POST', CHAT, {**CHAT_BODY, 'stream': True}),
    'messages': asking('POST', '/v1/messages', MESSAGES_BODY, 'messages'),
    'by name': asking('POST', CHAT, {**CHAT_BODY, 'model': 'Named'}),
    'native': asking('POST', '/v1/rerank', {'model': 'Mock', 'query': 'hi'}),
}
MANAGED = {
    'models': asking('GET', '/v1/models'),
    'platforms': asking('GET', '/api/platforms', dialect='api'),
    'platform add': asking('POST', '/api/platforms', {
        'platform_name': 'New', 'base_url': 'https://new.example/v1', 'api_key': 'sk-new-000001'},
        'api'),
    'selection': asking('PUT', '/api/selections/main', {'platform_id': 1, 'model_id': 1}, 'api'),
    'token': asking('POST', '/api/tokens', {'kind': 'user', 'name': 'laptop'}, 'api'),
    'usage': asking('GET', '/api/usage?by=model', dialect='api'),
}


class Gateway:
    """A server that can be made to fail, and what it must have in its ledger."""

    def __init__(self, tmp_path, mockllm, **env):
        self.llmgr = Llmgr(tmp_path, f'sqlite:{tmp_path}/llmgr.db')
        self.llmgr.env |= {'LLMGR_ALLOW_CIDR': '127.0.0.0/8', 'LLMGR_ALLOW_HTTP': 'true', **env}
        configure(self.llmgr, mockllm.base_url, {'Mock': 'mock-small'}, extra=f'''
  named:
    base_url: {mockllm.base_url.replace("127.0.0.1", "localhost")}
    api_key: "{{MOCK_KEY}}"
    models:
      Named: mock-small
''')
        self.llmgr.env['MOCK_KEY'] = 'sk-server-key-1234567'
        token = self.llmgr.json('token', 'create', '--kind', 'user', '-u', 'ann')['token']
        self.fields = {'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'}
        self.page = Page(tmp_path / 'faults.page')
        self.server = Serving(self.llmgr, mode='custom', env=self.page.env)
        self.done, self.asked = [], 0

    def ask(self, what, wire=None):
        """The answer, or None if the connection ended without one."""
        try:
            answer = self.server.ask(fields=self.fields, wire=wire, **what)
        except (AssertionError, OSError):
            return None
        if what['method'] == 'POST' and not what['path'].startswith('/api'):
            self.asked += 1
            if answer.status == 200 and answer.whole and self.ended_well(answer):
                self.done.append(answer.fields['x-request-id'])
        return answer

    @staticmethod
    def ended_well(answer):
        if not answer.fields.get('content-type', '').startswith('text/event-stream'):
            return True
        return answer.events[-1] == '[DONE]'

    def works(self):
        """The next request is served as if nothing had been."""
        assert self.server.process.poll() is None, \
            f'the gateway ended with {self.server.process.returncode}\n{self.server.log[-3000:]}'
        self.served(RELAYED['whole'][0])

    def served(self, what):
        """A good answer. What failed a moment ago (a look for revocations, a database that was
        gone) may be tried again a little later: until then it is refused with 503."""
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = self.ask(what)
            assert answer is not None, 'no answer in peace'
            if answer.status < 300:
                return answer
            assert answer.status == 503 and time.monotonic() < end, f'in peace: {answer.raw}'
            time.sleep(0.05)

    def settle(self):
        """The ledger has each request that was answered to its end once, and none twice."""
        end = time.monotonic() + PATIENCE_S
        while True:
            rows = ledger(self.llmgr)
            completed = {row['request_id'] for row in rows if row['end_state'] == 'completed'}
            lost = [name for name in self.done if name not in completed]
            if not lost or time.monotonic() > end:
                break
            time.sleep(0.05)
        assert not lost, f'{len(lost)} of {len(self.done)} are not in the ledger'
        keys = [(row['request_id'], row['attempt']) for row in rows]
        assert len(set(keys)) == len(keys), 'a request is there twice'
        return rows

    def stop(self):
        self.page.disarm()
        self.server.stop()
        assert 'Sanitizer' not in self.server.log and 'runtime error' not in self.server.log
        self.llmgr.ok('db', 'check')
        self.settle()


@pytest.fixture(name='gateway')
def gateway_fixture(tmp_path, mockllm):
    gateway = Gateway(tmp_path, mockllm)
    yield gateway
    gateway.stop()


def is_refusal(answer, dialect):
    if not answer.fields.get('content-type', '').endswith('json'):
        return False
    if dialect == 'api':
        return answer.json['status'] == answer.status and answer.json['code']
    return is_error(dialect, answer.json)


def judge(answer, dialect, fault, good):
    """None, or what is wrong with an answer under this fault; `good`: the one in peace."""
    if answer is None:  # only what tears the client's connection may
        torn = {'memory', 'descriptor', 'receive', 'send'}
        return None if torn & set(fault.kinds) else 'no answer at all'
    if answer.status >= 400:
        if fault.harmless:
            return f'refused: {answer.raw}'
        return None if is_refusal(answer, dialect) else f'no error of the dialect: {answer.raw}'
    if answer.status != good.status:
        return f'not {good.status}: {answer.raw}'
    if not answer.whole:
        return None if not fault.harmless else 'a part of the answer'
    if answer.fields.get('content-type', '').startswith('text/event-stream'):
        last = answer.events[-1]
        return None if last == '[DONE]' or 'error' in json.loads(last) else f'ends with {last}'
    if dialect == 'api' or len(answer.body) == len(good.body):
        return None
    return f'another answer: {answer.raw}, not {good.raw}'


def calls_in_peace(gateway, what, fault):
    """The most that a request was seen to make, out of a few."""
    most = 0
    for _ in range(3):
        gateway.page.arm(fault, 0)
        gateway.served(what)
        most = max(most, gateway.page.seen)
        gateway.page.disarm()
    return int(most * MARGIN) + 1


def undo(gateway, name):
    """So that the request can be made again."""
    if name == 'platform add':
        listed = gateway.server.ask('/api/platforms', method='GET', fields=gateway.fields).json
        for row in listed['data']:
            if row['platform_name'] == 'New':
                gateway.server.ask(f'/api/platforms/{row["platform_id"]}', method='DELETE',
                                   fields=gateway.fields)


def ask_under(gateway, what, fault, nth):
    """The answer to a request whose nth call fails; a lack of descriptors ends after a while."""
    gateway.page.arm(fault, nth)
    lifting = threading.Timer(LIFTED_S, gateway.page.disarm)
    if fault is DESCRIPTORS_GONE:
        lifting.start()
    begin = time.monotonic()
    answer = gateway.ask(what)
    lifting.cancel()
    gateway.page.disarm()
    assert time.monotonic() - begin < PATIENCE_S, f'no end: {gateway.server.log[-2000:]}'
    return answer


def sweep(gateway, name, what, dialect, fault):
    good = gateway.served(what)
    undo(gateway, name)
    calls = calls_in_peace(gateway, what, fault) if name != 'platform add' else 400
    struck = 0
    for nth in faults.points(calls, f'gateway {name} {fault.name}'):
        try:
            answer = ask_under(gateway, what, fault, nth)
        except AssertionError as error:
            raise AssertionError(f'{name}, {fault.name} {nth}: {error}') from error
        struck += gateway.page.failed > 0
        wrong = judge(answer, dialect, fault, good)
        assert wrong is None, f'{name}, {fault.name} {nth}: {wrong}\n{gateway.server.log[-2000:]}'
        gateway.works()
        undo(gateway, name)
    return struck


@pytest.mark.parametrize('name', RELAYED)
def test_a_relayed_request_is_answered_or_refused(gateway, name):
    for fault in ALL:
        sweep(gateway, name, *RELAYED[name], fault)
    gateway.settle()


@pytest.mark.parametrize('name', MANAGED)
def test_a_managing_request_is_answered_or_refused(gateway, name):
    for fault in (MEMORY, MEMORY_GONE, *ON_DISK, INTERRUPTED, SHORT):
        sweep(gateway, name, *MANAGED[name], fault)


@pytest.mark.parametrize('fault', ON_DISK, ids=lambda fault: fault.name)
def test_a_failing_disk_costs_no_request_and_no_row(gateway, fault):
    """The journal is in memory as well as on the disk; the database takes it in later."""
    for _ in range(5):
        gateway.page.arm(fault, 1)
        for _ in range(10):
            answer = gateway.ask(RELAYED['whole'][0])
            # Who cannot hear of revocations denies.
            denied = answer.status == 503 and is_error('chat', answer.json)
            assert answer.status == 200 or ('read' in fault.kinds and denied), answer.raw
        gateway.page.disarm()
    assert len(gateway.settle()) == len(gateway.done)


def until_refused(gateway, what):
    """Each worker has a journal of its own: all are full when many in a row are refused."""
    row = 0
    for _ in range(4000):
        answer = gateway.ask(what)
        row = row + 1 if answer.status != 200 else 0
        if row == 20:
            return answer
    raise AssertionError('the journal has no end')


def test_a_full_journal_refuses_and_recovers(tmp_path, mockllm):
    gateway = Gateway(tmp_path, mockllm, LLMGR_JOURNAL_MAX='64KiB')
    try:
        gateway.page.arm(FULL, 1)
        for name, (what, dialect) in RELAYED.items():
            refused = until_refused(gateway, what)
            assert refused.status == 507 and is_error(dialect, refused.json)
        assert len(mockllm.requests()) == len(gateway.done), 'refused, but sent all the same'
        health = gateway.server.ask('/healthz', method='GET')
        assert health.status == 200
        gateway.page.disarm()
        end = time.monotonic() + PATIENCE_S
        while gateway.ask(RELAYED['whole'][0]).status != 200:
            assert time.monotonic() < end, 'there is room again, but it still refuses'
            time.sleep(0.05)
        assert len(gateway.settle()) == len(gateway.done)
    finally:
        gateway.stop()
