# SPDX-License-Identifier: MIT
"""The server's life: start, tokens, listening, reload, drain; on both databases."""
import concurrent.futures
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

from conftest import PATIENCE_S, on_postgres
from serving import ASK, CHAT, MODELS, Serving, Wire, configure

LOOK_UPS_MAX = 512  # of a worker, src/gateway/identity.c
NICER = 5  # src/base/thread.c


def ended(serving):
    """The exit code, once it has ended; further `stop` is harmless."""
    return serving.process.wait(PATIENCE_S)


def bearer(llmgr, user='-1'):
    """The header fields of one who acts as that user."""
    kind = ['--kind', 'admin'] if user == '-1' else []
    made = llmgr.json('-u', user, 'token', 'create', *kind)
    return {'Authorization': 'Bearer ' + made['token']}


def stream(serving, model='Slow', fields=None):
    """A stream that has begun and goes on for some seconds."""
    wire = serving.wire()
    body = json.dumps({**ASK, 'model': model, 'stream': True})
    more = ''.join(f'{name}: {value}\r\n' for name, value in (fields or {}).items())
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n'
              f'{more}\r\n' + body)
    head = wire.until(b'\r\n\r\n')
    assert b' 200 ' in head
    wire.until(b'data: ')
    return wire


@pytest.fixture(name='configured')
def configured_fixture(llmgr, mockllm):
    configure(llmgr, mockllm.base_url)
    return llmgr


def test_it_says_where_it_listens_and_ends_with_0(configured):
    server = Serving(configured)
    assert server.line.strip() == f'llmgr listening on http://127.0.0.1:{server.port}'
    assert server.chat().status == 200
    server.stop()


def test_several_addresses_and_a_unix_socket(configured):
    place = configured.folder / 'llmgr.sock'
    server = Serving(configured, listen=('127.0.0.1:0', '[::1]:0', f'unix:{place}'))
    assert server.line.count('http://') == 2 and f'unix:{place}' in server.line
    wire = Wire(path=place)
    assert server.ask(body=ASK, wire=wire).status == 200
    server.stop()
    assert not place.exists()


def test_a_taken_port_is_an_error_that_names_it(configured):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        message = configured.fails(5, '--mode', 'single', 'serve', '--listen', f'127.0.0.1:{port}')
    assert str(port) in message


def test_beyond_loopback_only_with_an_administrator(configured):
    message = configured.fails(4, 'serve', '--listen', '0.0.0.0:0')
    assert 'token create --kind admin' in message
    configured.ok('token', 'create', '--kind', 'admin')
    server = Serving(configured, mode='custom', listen=('0.0.0.0:0', '127.0.0.1:0'))
    server.stop()


def test_single_mode_beyond_loopback_needs_tokens(configured):
    configured.ok('token', 'create', '--kind', 'admin')
    server = Serving(configured, listen=('0.0.0.0:0', '127.0.0.1:0'))
    refused = server.chat()
    assert refused.status == 401
    assert refused.fields['access-control-allow-origin'] == '*'
    server.stop()


def test_pages_read_nothing_where_no_token_is_needed(configured):
    server = Serving(configured)
    asked = {'Origin': 'http://localhost:3000', 'Access-Control-Request-Method': 'POST'}
    for answer in (server.chat(fields={'Origin': 'http://localhost:3000'}),
                   server.ask(method='OPTIONS', fields=asked)):
        assert answer.status in (200, 204)
        assert not [name for name in answer.fields if name.startswith('access-control-')]
    server.stop()


def test_tokens_of_each_kind(configured, mockllm):
    token = configured.json('token', 'create', '-u', 'ann')
    app = configured.json('token', 'create', '--kind', 'app')
    server = Serving(configured, mode='custom')
    assert server.chat().status == 401
    assert server.chat(fields={'Authorization': 'Bearer sk-llmgr-nonsense'}).status == 401
    for field, value in (('Authorization', 'Bearer ' + token['token']),
                         ('x-api-key', token['token']), ('api-key', token['token'])):
        assert server.chat(fields={field: value}).status == 200, field
    other = configured.json('token', 'create', '-u', 'ben')['token']
    for field, value in (('x-api-key', other), ('api-key', other)):
        two = {'Authorization': 'Bearer ' + token['token'], field: value}
        assert server.chat(fields=two).status == 400, two
    assert server.chat(fields={'x-api-key': token['token'], 'api-key': other}).status == 400
    assert server.chat(fields={'Authorization': 'Bearer ' + token['token'],
                               'x-api-key': 'sk-nonsense'}).status == 200
    assert server.chat(fields={'Authorization': 'Bearer ' + token['token'],
                               'x-api-key': token['token']}).status == 200
    assert server.chat(fields={'Authorization': 'Basic YTpi',
                               'x-api-key': token['token']}).status == 200
    theirs = {'Authorization': 'Bearer ' + app['token']}
    assert server.chat(fields=theirs).status == 400
    assert server.chat(fields={**theirs, 'X-LLMGR-User': 'bob'}).status == 200
    mine = {'Authorization': 'Bearer ' + token['token'], 'X-LLMGR-User': 'bob'}
    assert server.chat(fields=mine).status == 403
    configured.ok('token', 'revoke', token['token_id'])
    end = time.monotonic() + PATIENCE_S
    while server.chat(fields={'api-key': token['token']}).status != 401:
        assert time.monotonic() < end
    assert token['token'] not in server.log
    server.stop()


def test_a_user_of_any_script_is_named_in_a_header(configured, mockllm):
    """RFC 8187: what is not ASCII goes percent-encoded, in the field with a star."""
    app = configured.json('token', 'create', '--kind', 'app', '--prefix', '小')
    server = Serving(configured, mode='custom')

    def status(**named):
        fields = {name.replace('_', '-').replace('STAR', '*'): value
                  for name, value in named.items()}
        return server.chat(fields={'Authorization': 'Bearer ' + app['token'], **fields}).status
    name = urllib.parse.quote('小李')
    assert status(X_LLMGR_UserSTAR="UTF-8''" + name) == 200
    assert status(X_LLMGR_UserSTAR="utf-8''" + name) == 200
    assert status(X_LLMGR_UserSTAR="UTF-8''bob") == 403, 'the prefix counts'
    for bad in (name, "GBK''" + name, "UTF-8''%E5%B0", "UTF-8''%E5%B0%8F%0A", "UTF-8''%zz",
                "UTF-8''"):
        assert status(X_LLMGR_UserSTAR=bad) == 400, bad
    assert status(X_LLMGR_UserSTAR="UTF-8''" + name, X_LLMGR_User='bob') == 400
    server.stop()
    assert '小李' in configured.ok('usage', '--by', 'user')


def test_the_body_of_a_stranger_is_not_read(configured):
    server = Serving(configured, mode='custom')
    wire = server.wire()
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n'
              'Content-Length: 1000000\r\n\r\n')
    answer = wire.answer()
    assert answer.status == 401 and answer.fields['connection'] == 'close'
    server.stop()


def is_limited(answer):
    """A limit of the server, which is not what a platform says with the same status."""
    error = answer.json['error']
    return (answer.status, error['type'], error['code']) == \
        (429, 'rate_limit_error', 'server_limit_reached') and int(answer.fields['retry-after']) > 0


def limited(server, fields=None, wire=None):
    """How often each limit refused somebody."""
    text = server.ask('/metrics', method='GET', fields=fields, wire=wire).body.decode()
    return {name: int(count) for name, count in
            re.findall(r'^llmgr_limited_total\{limit="(\w+)"\} (\d+)$', text, re.M)}


def test_a_user_has_so_many_requests_at_once(configured):
    configured.env['LLMGR_USER_MAX'] = '2'
    ann, bob = (bearer(configured, user) for user in ('ann', 'bob'))
    admin = bearer(configured)
    server = Serving(configured, mode='custom')
    wires = [stream(server, fields=ann), stream(server, fields=ann)]
    assert is_limited(server.chat(fields=ann))
    messages = server.ask('/v1/messages', {**ASK, 'max_tokens': 5}, fields={
        **ann, 'anthropic-version': '2023-06-01'})
    assert messages.status == 429 and messages.json['error']['type'] == 'rate_limit_error'
    assert limited(server, admin) == {'user_max': 2, 'token_max': 0, 'address_max': 0,
                                      'look_ups': 0}
    assert server.chat(fields=bob).status == 200
    for wire in wires:
        wire.close()
    end = time.monotonic() + PATIENCE_S
    while server.chat(fields=ann).status != 200:
        assert time.monotonic() < end
    server.stop()


def test_a_user_has_64_requests_at_once_unless_the_operator_says_otherwise(configured):
    ann, system = bearer(configured, 'ann'), bearer(configured)
    server = Serving(configured, mode='custom')
    for fields, last in (ann, 429), (system, 200):
        wires = [stream(server, 'Stall', fields) for _ in range(64)]
        assert server.chat(fields=fields).status == last
        for wire in wires:
            wire.close()
    server.stop()
    server = Serving(configured, mode='custom', env={'LLMGR_USER_MAX': '0'})
    wires = [stream(server, 'Stall', ann) for _ in range(65)]
    for wire in wires:
        wire.close()
    server.stop()


def test_a_token_has_so_many_requests_at_once(configured):
    configured.env['LLMGR_TOKEN_MAX'] = '1'
    one, other, admin = (bearer(configured, user) for user in ('ann', 'ann', '-1'))
    server = Serving(configured, mode='custom')
    wire = stream(server, fields=one)
    assert is_limited(server.chat(fields=one))
    assert server.chat(fields=other).status == 200
    assert limited(server, admin)['token_max'] == 1
    wire.close()
    server.stop()


def test_an_address_has_so_many_connections_at_once(configured):
    configured.env['LLMGR_ADDRESS_MAX'] = '4'
    server = Serving(configured)
    held = [server.wire() for _ in range(4)]
    for wire in held:  # its worker has counted it
        assert server.ask('/', method='GET', wire=wire).status == 200
    answer = server.wire().answer()
    assert (answer.status, answer.json['error']['code']) == (429, 'server_limit_reached')
    assert limited(server, wire=held[0])['address_max'] == 1
    for wire in held:
        wire.close()
    server.stop()


def test_a_drain_lets_streams_finish(configured):
    server = Serving(configured)
    wire = stream(server)
    idle = server.wire()
    server.ask(body=ASK, wire=idle)
    server.signal(signal.SIGTERM)
    assert idle.closed()
    while wire.more():
        pass
    assert b'[DONE]' in wire.rest
    assert ended(server) == 0
    server.stop()
    assert configured.json('usage')['total']['completed'] == 2


def test_a_drain_has_a_limit_and_streams_are_told(configured):
    server = Serving(configured, '--drain-timeout', '200ms')
    wire = stream(server)
    server.signal(signal.SIGTERM)
    while wire.more():
        pass
    assert b'"error"' in wire.rest and b'[DONE]' not in wire.rest
    assert ended(server) == 0
    server.stop()
    total = configured.json('usage')['total']
    assert total['attempts'] == 1 and total['completed'] == 0


def test_a_second_signal_ends_it_at_once(configured):
    server = Serving(configured)
    wire = stream(server, 'Stall')
    server.signal(signal.SIGINT)
    time.sleep(0.2)
    assert server.process.poll() is None
    server.signal(signal.SIGINT)
    assert ended(server) == 0
    assert wire.closed() or b'"error"' in wire.rest
    server.stop()


def test_no_new_connection_during_a_drain(configured):
    server = Serving(configured)
    wire = stream(server)
    server.signal(signal.SIGTERM)
    end = time.monotonic() + PATIENCE_S
    refused = False
    while not refused and time.monotonic() < end:
        try:
            server.wire().close()
        except OSError:
            refused = True
    assert refused
    wire.close()
    assert ended(server) == 0
    server.stop()


def test_a_reload_takes_new_models_and_cuts_nothing(configured, mockllm):
    server = Serving(configured)
    wire = stream(server)
    assert server.chat('Fresh').status == 404
    configure(configured, mockllm.base_url, {**MODELS, 'Fresh': 'mock-chunks-3'})
    server.signal(signal.SIGHUP)
    end = time.monotonic() + PATIENCE_S
    while server.chat('Fresh').status != 200:
        assert time.monotonic() < end
    configured.write('llmgr.yaml', 'platforms: [\n')
    server.signal(signal.SIGHUP)
    while 'stays as it was' not in server.log:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert server.chat('Fresh').status == 200
    assert b'"error"' not in wire.until(b'[DONE]')
    configure(configured, mockllm.base_url)
    server.stop()


def test_reloads_under_load_fail_no_request(configured):
    server = Serving(configured)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(server.chat) for _ in range(200)]
        for _ in range(20):
            server.signal(signal.SIGHUP)
            time.sleep(0.01)
        assert {answer.result().status for answer in answers} == {200}
    server.stop()


def certificate(folder, name):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
                    '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout',
                    folder / f'{name}.key', '-out', folder / f'{name}.pem'],
                   check=True, capture_output=True, timeout=60)


def test_https_and_a_new_certificate(configured):
    folder = configured.folder
    certificate(folder, 'one')
    certificate(folder, 'two')
    for end in ('pem', 'key'):
        (folder / f'now.{end}').write_bytes((folder / f'one.{end}').read_bytes())
    server = Serving(configured, '--tls-cert', 'now.pem', '--tls-key', 'now.key')
    assert 'https://' in server.line
    assert server.ask(body=ASK, wire=server.wire(tls=folder / 'one.pem')).status == 200
    (folder / 'now.key').write_text('nonsense')
    server.signal(signal.SIGHUP)
    limit = time.monotonic() + PATIENCE_S
    while 'stays as it was' not in server.log:
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert server.ask(body=ASK, wire=server.wire(tls=folder / 'one.pem')).status == 200
    for end in ('pem', 'key'):
        (folder / f'now.{end}').write_bytes((folder / f'two.{end}').read_bytes())
    server.signal(signal.SIGHUP)
    while True:
        try:
            if server.ask(body=ASK, wire=server.wire(tls=folder / 'two.pem')).status == 200:
                break
        except OSError:
            pass
        assert time.monotonic() < limit
    server.stop()


def test_sockets_of_a_service_manager(configured):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]

        def hand_over():
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ['LISTEN_PID'] = str(os.getpid())

        # LISTEN_PID is only known after the fork, so a shell execs the program.
        process = subprocess.Popen(
            ['/bin/sh', '-c', 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"', 'sh',
             os.environ['LLMGR_BUILD'] + '/src/llmgr', '--mode', 'single', 'serve'],
            cwd=configured.folder, env={**configured.env, 'MOCK_KEY': 'sk-server-key-1234567'},
            stdout=subprocess.PIPE, text=True, close_fds=False, preexec_fn=hand_over)
        assert f'127.0.0.1:{port}' in process.stdout.readline()
        wire = Wire(port)
        body = json.dumps(ASK)
        wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n'
                  + body)
        assert wire.answer().status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        process.stdout.close()


def test_killed_under_load_no_finished_request_is_missing(configured):
    server = Serving(configured)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(server.chat) for _ in range(400)]
        time.sleep(0.1)
        server.signal(signal.SIGKILL)
        done = 0
        for answer in answers:
            try:
                done += answer.result().whole
            except (AssertionError, OSError):
                pass
    assert ended(server) == -signal.SIGKILL
    server.process.stdout.close()
    server.errors.close()
    again = Serving(configured)
    end = time.monotonic() + PATIENCE_S
    while configured.json('usage')['total']['completed'] < done:
        assert time.monotonic() < end, (configured.json('usage')['total'], done)
        time.sleep(0.05)
    again.stop()


def request(model='Mock', stream=False):
    body = json.dumps({**ASK, 'model': model, 'stream': stream})
    return f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}'


def test_the_threads_of_ledger_and_log_give_way_to_the_workers(configured):
    """One writes the ledger, one the access log; on Linux a number is a thread's own."""
    if sys.platform != 'linux' or os.sched_getscheduler(0) != os.SCHED_OTHER:
        pytest.skip('the tests run under a scheduling policy of their own')
    if os.getpriority(os.PRIO_PROCESS, 0) > 19 - NICER:
        pytest.skip('the tests run too nice already')
    server = Serving(configured)
    given = os.getpriority(os.PRIO_PROCESS, server.process.pid)
    end = time.monotonic() + PATIENCE_S
    while nices(server.process.pid).count(given + NICER) != 2:
        assert time.monotonic() < end, nices(server.process.pid)
        time.sleep(0.01)
    assert set(nices(server.process.pid)) == {given, given + NICER}
    server.stop()


def nices(pid):
    return [os.getpriority(os.PRIO_PROCESS, int(thread))
            for thread in os.listdir(f'/proc/{pid}/task')]


def test_a_drain_answers_who_was_connected_already(configured):
    """The server stands still while they connect and ask: it learns of all at once."""
    server = Serving(configured)
    kept = [server.wire() for _ in range(10)]
    for wire in kept:
        assert server.ask(body=ASK, wire=wire).status == 200
    server.signal(signal.SIGSTOP)
    fresh = [server.wire() for _ in range(100)]
    for wire in fresh + kept:
        wire.send(request())
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGCONT)
    for wire in fresh + kept:
        answer = wire.answer()
        assert answer.status == 200 and answer.whole
        assert wire.closed()
    assert ended(server) == 0
    server.stop()


def test_a_drain_does_not_reset_who_has_not_asked_yet(configured):
    server = Serving(configured)
    quiet = [server.wire() for _ in range(20)]
    server.signal(signal.SIGTERM)
    for wire in quiet:
        assert wire.socket.recv(1) == b''  # an end, not a reset
        wire.close()
    assert ended(server) == 0
    server.stop()


def test_https_connections_in_their_handshake_are_answered_before_the_end(configured):
    certificate(configured.folder, 'one')
    server = Serving(configured, '--tls-cert', 'one.pem', '--tls-key', 'one.key')
    server.signal(signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        asked = [threads.submit(lambda: server.ask(
            body=ASK, wire=server.wire(tls=configured.folder / 'one.pem'))) for _ in range(10)]
        end = time.monotonic() + PATIENCE_S
        while established(server.port) < 10:
            assert time.monotonic() < end
            time.sleep(0.02)
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGCONT)
        answers = [answer.result() for answer in asked]
    refused = [(answer.status, answer.body) for answer in answers if answer.status != 200]
    assert not refused, (refused, server.log)
    assert ended(server) == 0
    server.stop()


def established(port):
    """How many clients the kernel has connected to the port."""
    with open('/proc/net/tcp', encoding='ascii') as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[2].endswith(f':{port:04X}') and row[3] == '01' for row in rows)


@pytest.mark.stress
def test_stress_around_the_end_sees_answers_ends_and_refusals_only(configured):
    server = Serving(configured)
    asking, term = threading.Event(), threading.Event()

    def under_stress():
        seen = []
        while True:
            before = not term.is_set()
            try:
                wire = server.wire()
            except OSError:
                return seen
            before = before and not term.is_set()  # established before the signal was sent
            try:
                wire.send(request())
                answer = wire.answer()
                seen.append((before, answer.status == 200 and answer.whole))
            except (AssertionError, OSError):
                seen.append((before, False))
            wire.close()
            asking.set()
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        runs = [threads.submit(under_stress) for _ in range(16)]
        asking.wait(PATIENCE_S)
        time.sleep(0.3)
        term.set()
        server.signal(signal.SIGTERM)
        seen = [entry for run in runs for entry in run.result()]
    assert ended(server) == 0
    server.stop()
    assert [entry for entry in seen if entry[0] and not entry[1]] == []
    assert any(entry[0] for entry in seen)


@on_postgres
def test_many_strange_tokens_at_once_hold_nobody_up(configured):
    """The database answers no question about tokens, for its table is locked: those in use need no
    answer."""
    known = configured.json('token', 'create', '-u', 'ann')['token']
    strange = configured.json('token', 'create', '-u', 'ann')['token']
    server = Serving(configured, '--workers', '1', mode='custom')
    warm = {'Authorization': 'Bearer ' + known}
    assert server.chat(fields=warm).status == 200
    lock = subprocess.Popen(['psql', '-qXAt', configured.url], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    lock.stdin.write('BEGIN; LOCK TABLE llm_tokens; SELECT 1;\n')
    lock.stdin.flush()
    assert lock.stdout.readline().strip() == '1'
    wires = [server.wire() for _ in range(LOOK_UPS_MAX + 8)]
    for wire in wires:
        wire.send(request().replace('Host:', f'Authorization: Bearer {strange}\r\nHost:', 1))
    refused = [wire.answer() for wire in wires[LOOK_UPS_MAX:]]
    assert all(is_limited(answer) for answer in refused)
    assert {answer.fields['retry-after'] for answer in refused} == {'1'}
    api = server.ask('/api/me', method='GET', fields={'Authorization': 'Bearer ' + strange})
    assert (api.status, api.json['status'], api.json['code']) == (429, 429, 'ERR_LIMIT')
    assert server.chat(fields=warm).status == 200
    # Nobody waits for the database longer than is said.
    late = [wire.answer() for wire in wires[:LOOK_UPS_MAX]]
    assert {answer.status for answer in late} == {503}
    assert {answer.fields['retry-after'] for answer in late} == {'1'}
    assert server.chat(fields=warm).status == 200
    lock.stdin.write('ROLLBACK;\n')
    lock.stdin.close()
    lock.wait(PATIENCE_S)
    lock.stdout.close()
    assert server.chat(fields={'Authorization': 'Bearer ' + strange}).status == 200
    server.stop()
