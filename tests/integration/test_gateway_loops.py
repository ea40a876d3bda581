# SPDX-License-Identifier: MIT
"""A platform that is this gateway, by any name, address or way: one request ends at once with a
clear error and a handful of descriptors."""
import contextlib
import json
import os
import re
import select
import signal
import socket
import threading
import time

import pytest

from conftest import PATIENCE_S
from serving import ASK, CHAT, Serving, configure

HOPS_MAX = 8  # src/http/hops.h
CIRCLE = 'loop_detected'


class Relay:
    """A proxy that passes bytes on: an address of the gateway that the gateway does not know."""

    def __init__(self, port):
        self.port_behind = port
        self.connections = 0
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        with contextlib.suppress(OSError), client, \
                socket.create_connection(('127.0.0.1', self.port_behind)) as server:
            other = {client: server, server: client}
            while True:
                for end in select.select(list(other), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def open_descriptors(server):
    return len(os.listdir(f'/proc/{server.process.pid}/fd'))


def token(llmgr, user):
    return llmgr.json('-u', user, 'token', 'create')['token']


def lead(llmgr, user, base_url, name='round'):
    """A private platform of the user's, keyed with the user's own token, is selected."""
    made = token(llmgr, user)
    platform = llmgr.json('-u', user, 'platform', 'add', '--name', name, '--base-url', base_url,
                          '--key-stdin', stdin=made + '\n')['platform_id']
    model = llmgr.json('-u', user, 'model', 'add', '--platform', platform, '--name',
                       name)['model_id']
    llmgr.ok('-u', user, 'select', '--platform', platform, '--model', model)
    return made


def ask(server, bearer, wire=None, model='', **fields):
    return server.ask(body={**ASK, 'model': model}, wire=wire,
                      fields={'Authorization': 'Bearer ' + bearer, **fields})


def open_wide(llmgr, **more):
    networks = ['127.0.0.0/8', '::1/128', own_address() or '10.0.0.0/8']
    llmgr.env.update({'LLMGR_ALLOW_CIDR': ','.join(networks), 'LLMGR_ALLOW_PORT': '*',
                      'LLMGR_ALLOW_HTTP': 'true', **more})


def refused_as_ours(answer):
    error = answer.json['error']
    assert (answer.status, error['code']) == (403, 'address_refused'), answer.body
    assert 'this service itself' in error['message']


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


def own_address():
    """An address of this machine's besides loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(('192.0.2.1', 9))
            return probe.getsockname()[0]
    return None


@pytest.fixture(name='configured')
def configured_fixture(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, {'Mock': 'mock-small'})
    return llmgr


FORMS = ['127.0.0.1', 'localhost.', 'own', '[::ffff:127.0.0.1]', '[::1]', '127.9.9.9']


@pytest.mark.parametrize('form', FORMS)
def test_a_platform_at_our_own_address_is_refused(configured, form):
    open_wide(configured)
    configured.ok('init')
    configured.ok('token', 'create', '--kind', 'admin')
    server = Serving(configured, mode='custom', listen=('[::]:0',))
    port = int(re.search(r':(\d+)\s*$', server.line).group(1))
    server.port = port
    host = own_address() or '127.0.0.1' if form == 'own' else form
    url = f'http://{host}:{port}/v1'
    if form == 'localhost.':  # names of this machine are refused when they are stored
        assert 'platform' in configured.fails(4, '-u', 'ann', 'platform', 'add', '--name', 'x',
                                              '--base-url', f'http://localhost:{port}/v1')
        server.stop()
        return
    bearer = lead(configured, 'ann', url)  # another process: it does not listen
    ask(server, bearer)
    before = open_descriptors(server)
    for _ in range(5):
        answer = ask(server, bearer)
        refused_as_ours(answer)
    assert open_descriptors(server) < before + 10
    server.stop()
    assert configured.json('usage')['total']['attempts'] == 0


def test_by_the_management_api_it_cannot_even_be_stored(configured):
    open_wide(configured)
    server = Serving(configured, mode='custom')
    fields = {'Authorization': 'Bearer ' + token(configured, 'ann'),
              'Content-Type': 'application/json'}
    for host in '127.0.0.1', '[::ffff:127.0.0.1]':
        body = {'platform_name': 'x', 'base_url': f'http://{host}:{server.port}/v1'}
        answer = server.ask('/api/platforms', fields=fields, body=body)
        assert answer.status == 403 and answer.json['code'] == 'ERR_ADDRESS', answer.body
        assert 'this service itself' in answer.json['detail']
    server.stop()


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize('path', ['/v1/chat/completions', '/v1/messages', '/v1/responses',
                                  '/v1/moderations'])
def test_a_circle_through_a_proxy_ends_at_its_second_visit(configured, path, stream):
    open_wide(configured)
    server = Serving(configured, mode='custom')
    relay = Relay(server.port)
    bearer = lead(configured, 'ann', f'http://127.0.0.1:{relay.port}/v1')
    body = {**ASK, 'model': '', 'stream': stream, 'input': 'x', 'max_tokens': 1}
    before = open_descriptors(server)
    answer = server.ask(path, body=body, fields={'Authorization': 'Bearer ' + bearer})
    assert answer.status == 508, answer.body
    error = answer.json['error'] if 'error' in answer.json else answer.json
    assert 'has been here before' in error['message']
    if path != '/v1/messages':
        assert error['code'] == CIRCLE
    assert open_descriptors(server) <= before + 6
    assert relay.connections == 1
    relay.close()
    server.stop()


def test_two_gateways_that_lead_to_each_other_end_it(configured, mockllm, tmp_path):
    """On different databases; the second one meets the request once, the first one twice."""
    open_wide(configured)
    first = Serving(configured, mode='custom')
    folder = tmp_path / 'other'
    folder.mkdir()
    other = type(configured)(folder, f'sqlite:{folder}/llmgr.db')
    configure(other, mockllm.base_url, {'Mock': 'mock-small'})
    open_wide(other)
    second = Serving(other, mode='custom')
    here, there = (Relay(server.port) for server in (first, second))
    # each one's key is a token of the other's
    bearers = {}
    for llmgr, user in (configured, 'ann'), (other, 'bob'):
        bearers[user] = token(llmgr, user)
    for llmgr, user, relay, key in ((configured, 'ann', there, bearers['bob']),
                                    (other, 'bob', here, bearers['ann'])):
        platform = llmgr.json('-u', user, 'platform', 'add', '--name', 'round', '--base-url',
                              f'http://127.0.0.1:{relay.port}/v1', '--key-stdin',
                              stdin=key + '\n')['platform_id']
        model = llmgr.json('-u', user, 'model', 'add', '--platform', platform, '--name',
                           'round')['model_id']
        llmgr.ok('-u', user, 'select', '--platform', platform, '--model', model)
    answer = ask(first, bearers['ann'])
    assert answer.status == 508 and answer.json['error']['code'] == CIRCLE
    assert (here.connections, there.connections) == (1, 1)
    for relay in here, there:
        relay.close()
    second.stop()
    first.stop()


def test_a_chain_of_three_gateways_works(llmgr, mockllm, tmp_path):
    """Each has a database of its own, and leaves its name, which is another's than the others'."""
    servers, base_url = [], mockllm.base_url
    for i in range(3):
        folder = tmp_path / str(i)
        folder.mkdir()
        one = type(llmgr)(folder, llmgr.url if i == 0 else f'sqlite:{folder}/llmgr.db')
        configure(one, base_url, {'Mock': 'Mock' if i > 0 else 'mock-small'})
        servers.append(Serving(one))
        base_url = f'http://127.0.0.1:{servers[-1].port}/v1'
    answer = servers[-1].chat(fields={'CDN-Loop': 'edge.example; x="1, 2"'})
    assert answer.status == 200, answer.body
    names = re.fullmatch(r'edge\.example; x="1, 2", (\w{32}), (\w{32}), (\w{32})',
                         mockllm.last().headers['cdn-loop'])
    assert names and len(set(names.groups())) == 3
    for server in reversed(servers):
        server.stop()


def test_gateways_of_one_database_bear_one_name(configured, mockllm):
    names = set()
    for _ in range(2):
        servers = [Serving(configured), Serving(configured)]
        for server in servers:
            for _ in range(2):
                assert server.chat().status == 200
                names.add(mockllm.last().headers['cdn-loop'])
        for server in servers:
            server.stop()
    assert len(names) == 1 and re.fullmatch('[0-9a-f]{32}', names.pop())


def test_so_many_hops_and_no_more(configured, mockllm):
    server = Serving(configured)
    hops = [f'hop{i}.example' for i in range(HOPS_MAX)]
    assert server.chat(fields={'CDN-Loop': ', '.join(hops[1:])}).status == 200
    assert mockllm.last().headers['cdn-loop'].startswith(', '.join(hops[1:]) + ', ')
    answer = server.chat(fields={'CDN-Loop': ','.join(hops)})
    assert answer.status == 508 and answer.json['error']['code'] == CIRCLE
    ours = mockllm.last().headers['cdn-loop'].split(', ')[-1]
    assert server.chat(fields={'CDN-Loop': f'a, {ours.upper()};x=y, b'}).status == 508
    count = len(mockllm.requests())
    for bad in 'a b', 'a; b', 'a"', 'x' * 1100:
        answer = server.chat(fields={'CDN-Loop': bad})
        assert answer.status == 400 and 'CDN-Loop' in answer.json['error']['message'], bad
    assert len(mockllm.requests()) == count
    # What is answered here goes nowhere.
    assert server.ask('/v1/models', method='GET', fields={'CDN-Loop': ours}).status == 200
    server.stop()


def test_a_second_attempt_bears_the_name_too(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, {'NoOptions': 'mock-no-stream-options'})
    server = Serving(llmgr)
    assert server.chat('NoOptions', stream=True, fields={'CDN-Loop': 'x'}).status == 200
    marks = [request.headers['cdn-loop'] for request in mockllm.requests()]
    assert len(marks) == 2 and marks[0] == marks[1] and marks[0].startswith('x, ')
    server.stop()


def test_a_public_address_is_nobodys_platform(llmgr, mockllm):
    """Refused when it is stored, by command line and file; other ports may be the operator's."""
    llmgr.env['LLMGR_PUBLIC_URL'] = 'https://llm.example.com/v1, http://203.0.113.7:8080'
    configure(llmgr, mockllm.base_url, {'Mock': 'mock-small'})
    llmgr.ok('init')
    for url in ('https://llm.example.com', 'https://LLM.example.com:443/v1/x',
                'https://llm.example.com:8443/v1'):
        message = llmgr.fails(4, '-u', 'ann', 'platform', 'add', '--name', 'x', '--base-url', url)
        assert 'this service itself' in message or 'port' in message, url
    for url, refused in (('https://llm.example.com/v1', True), ('http://203.0.113.7:8080', True),
                         ('https://llm.example.com:8443/v1', False),
                         ('https://other.example.com/v1', False)):
        configure(llmgr, url, {'Mock': 'mock-small'})
        if refused:
            message = llmgr.fails(2, 'sync')
            assert 'this service itself' in message and 'llmgr.yaml:' in message, url
        else:
            llmgr.ok('sync')
    llmgr.env['LLMGR_PUBLIC_URL'] = 'llm.example.com'
    assert 'public_url' in llmgr.fails(2, 'sync')


def test_an_operators_platform_at_our_own_address_is_told_so(llmgr):
    port = free_port()
    configure(llmgr, f'http://127.0.0.1:{port}/v1', {'Mock': 'Mock'})
    server = Serving(llmgr, listen=(f'127.0.0.1:{port}',))
    refused_as_ours(server.chat())
    server.signal(signal.SIGHUP)
    end = time.monotonic() + PATIENCE_S
    while 'stays as it was' not in server.log:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert 'this service itself' in server.log
    server.stop()


def test_an_inherited_socket_is_ours_too(configured):
    """As a service manager passes it."""
    open_wide(configured)
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]
        code = ('import os,sys; os.dup2(%d, 3); os.set_inheritable(3, True); '
                'os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1"); '
                'os.execv(sys.argv[1], sys.argv[1:])' % listener.fileno())
        bearer = lead(configured, 'ann', f'http://127.0.0.1:{port}/v1')
        server = Wrapped(configured, code, listener.fileno())
        refused_as_ours(ask(server, bearer))
        server.stop()


class Wrapped(Serving):
    """The server, started by a few lines of Python."""

    def __init__(self, llmgr, code, descriptor):
        from conftest import PROGRAM, STARTED
        import subprocess
        import sys
        self.llmgr = llmgr
        self.errors = open(llmgr.folder / 'serve.err', 'ab')
        self.process = subprocess.Popen(
            [sys.executable, '-c', code, PROGRAM, '--mode', 'custom', 'serve', '--workers', '2'],
            cwd=llmgr.folder, env={**llmgr.env, 'MOCK_KEY': 'sk-server-key-1234567'},
            stdout=subprocess.PIPE, stderr=self.errors, text=True, pass_fds=[descriptor])
        STARTED.append(self.process.pid)
        self.line = self.process.stdout.readline()
        self.port = int(re.search(r':(\d+)\s*$', self.line).group(1))
