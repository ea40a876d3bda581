# SPDX-License-Identifier: MIT
"""Whose address counts: the peer's, unless a proxy of the operator's says whom it was called by."""
import json
import time

import pytest

from conftest import PATIENCE_S
from serving import ASK, CHAT, Serving, Wire, configure


@pytest.fixture(name='serve')
def serve_fixture(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, {'Mock': 'mock-small', 'Stall': 'mock-stall'})
    started = []

    def serve(listen=('127.0.0.1:0',), **env):
        server = Serving(llmgr, '--access-log', llmgr.folder / 'access.log', listen=listen,
                         env={'LLMGR_' + name.upper(): value for name, value in env.items()})
        started.append(server)
        return server
    yield serve
    for server in started:
        server.stop()


def peers(server, count):
    """The addresses of the first `count` lines of the access log."""
    path = server.llmgr.folder / 'access.log'
    end = time.monotonic() + PATIENCE_S
    while True:
        lines = path.read_text(encoding='utf-8').splitlines() if path.exists() else []
        if len(lines) >= count:
            return [json.loads(line)['peer'] for line in lines]
        assert time.monotonic() < end, lines
        time.sleep(0.05)


def log_of(server, rows):
    """Asks once for each row's fields; the addresses that were logged."""
    wire = server.wire()
    for fields, _ in rows:
        assert server.ask('/healthz', method='GET', fields=fields, wire=wire).status == 200
    wire.close()
    return peers(server, len(rows))


XFF = 'X-Forwarded-For'


def test_without_trust_the_peer_counts(serve):
    rows = [({XFF: '198.51.100.7'}, '127.0.0.1'), ({'Forwarded': 'for=198.51.100.7'}, '127.0.0.1')]
    assert log_of(serve(), rows) == [wanted for _, wanted in rows]


def test_a_peer_that_is_not_trusted_is_not_believed(serve):
    rows = [({XFF: '198.51.100.7'}, '127.0.0.1')]
    server = serve(trusted_proxies='10.0.0.0/8, ::/0, 127.0.0.2, unix')
    assert log_of(server, rows) == [wanted for _, wanted in rows]


def test_the_last_one_who_is_not_trusted_is_the_caller(serve):
    rows = [
        ({}, '127.0.0.1'),
        ({XFF: '198.51.100.7'}, '198.51.100.7'),
        ({XFF: '203.0.113.9, 198.51.100.7'}, '198.51.100.7'),
        ({XFF: '203.0.113.9, 198.51.100.7, 10.1.2.3'}, '198.51.100.7'),
        ({XFF: '10.9.9.9, 10.1.2.3'}, '10.9.9.9'),
        ({XFF: '198.51.100.7:4711'}, '198.51.100.7'),
        ({XFF: '2001:db8::1'}, '[2001:db8::1]'),
        ({XFF: '[2001:db8::1]'}, '[2001:db8::1]'),
        ({XFF: '[2001:db8::1]:4711'}, '[2001:db8::1]'),
        ({XFF: '::ffff:198.51.100.7'}, '198.51.100.7'),
        # what cannot be read ends the search: the last that was believed stands
        ({XFF: 'unknown'}, '127.0.0.1'),
        ({XFF: ''}, '127.0.0.1'),
        ({XFF: '198.51.100.7, , 10.1.2.3'}, '10.1.2.3'),
        ({XFF: '198.51.100.7, unknown, 10.1.2.3'}, '10.1.2.3'),
        ({XFF: '198.51.100.7, 10.1.2.3x'}, '127.0.0.1'),
        ({XFF: '198.51.100.7, [10.1.2.3'}, '127.0.0.1'),
        ({XFF: '198.51.100.7, [2001:db8::1]x'}, '127.0.0.1'),
        ({XFF: '198.51.100.7, 10.1.2'}, '127.0.0.1'),
        ({XFF: '198.51.100.7, localhost'}, '127.0.0.1'),
        ({XFF: '198.51.100.7' + ', 10.1.2.3' * 32}, '10.1.2.3'),
        # the other field is what any client may send through such a proxy
        ({'Forwarded': 'for=198.51.100.7'}, '127.0.0.1'),
    ]
    server = serve(trusted_proxies='127.0.0.1, 10.0.0.0/8')
    assert log_of(server, rows) == [wanted for _, wanted in rows]


def test_forwarded_where_the_operator_says_so(serve):
    rows = [
        ({'Forwarded': 'for=198.51.100.7;proto=https;by=10.1.2.3'}, '198.51.100.7'),
        ({'Forwarded': 'for=203.0.113.9, For="198.51.100.7:80", for=10.1.2.3'}, '198.51.100.7'),
        ({'Forwarded': 'for="[2001:db8::1]:4711"'}, '[2001:db8::1]'),
        ({'Forwarded': 'for=_hidden'}, '127.0.0.1'),
        ({'Forwarded': 'proto=https'}, '127.0.0.1'),
        ({'Forwarded': 'for="x, for=198.51.100.7'}, '127.0.0.1'),
        ({XFF: '198.51.100.7'}, '127.0.0.1'),
    ]
    server = serve(trusted_proxies='127.0.0.0/8, 10.0.0.0/8', forwarded_header='forwarded')
    assert log_of(server, rows) == [wanted for _, wanted in rows]


def test_a_proxy_on_a_unix_socket(serve, llmgr):
    place = llmgr.folder / 'llmgr.sock'
    for trusted, wanted in ('unix', '198.51.100.7'), ('127.0.0.0/8', 'unix'):
        (llmgr.folder / 'access.log').unlink(missing_ok=True)
        server = serve(listen=('127.0.0.1:0', f'unix:{place}'), trusted_proxies=trusted)
        wire = Wire(path=place)
        assert server.ask('/healthz', method='GET', fields={XFF: '198.51.100.7'},
                          wire=wire).status == 200
        wire.close()
        assert peers(server, 1) == [wanted]
        server.stop()


def begin_stall(server, wire, address):
    body = json.dumps({**ASK, 'model': 'Stall', 'stream': True})
    wire.send(f'POST {CHAT} HTTP/1.1\r\nHost: localhost\r\n{XFF}: {address}\r\n'
              f'Content-Length: {len(body)}\r\n\r\n{body}')
    wire.until(b'data: ')


def test_a_proxys_connection_carries_many_addresses(serve):
    """address_max counts the requests of each under way, not the proxy's connections."""
    server = serve(trusted_proxies='127.0.0.1', address_max='2')
    idle = [server.wire() for _ in range(6)]
    for wire in idle:
        assert server.ask('/healthz', method='GET', wire=wire).status == 200
    wires = [server.wire() for _ in range(4)]
    for wire, address in zip(wires, ('198.51.100.7', '198.51.100.7', '198.51.100.8',
                                     '2001:db8::1')):
        begin_stall(server, wire, address)
    refused = server.chat(fields={XFF: '198.51.100.7'}, wire=idle[0])
    assert refused.status == 429 and int(refused.fields['retry-after']) > 0
    assert refused.json['error']['code'] == 'server_limit_reached'
    assert 'requests from this address' in refused.json['error']['message']
    for address, status in (('198.51.100.9', 200), ('198.51.100.8', 200),
                            ('2001:db8:0:0:ffff::1', 200), ('198.51.100.7', 429)):
        answer = server.chat(fields={XFF: address}, wire=idle[0])
        assert answer.status == status, address
    wires[0].close()
    end = time.monotonic() + PATIENCE_S
    while server.chat(fields={XFF: '198.51.100.7'}, wire=idle[1]).status != 200:
        assert time.monotonic() < end
        time.sleep(0.05)
    for wire in wires[1:] + idle:
        wire.close()


def test_what_is_no_range_stops_the_start(llmgr, mockllm):
    configure(llmgr, mockllm.base_url, {'Mock': 'mock-small'})
    for bad in 'proxy.example', '10.0.0.0/33', ','.join(['10.0.0.1'] * 65):
        message = llmgr.fails(2, '--mode', 'single', 'serve', '--listen', '127.0.0.1:0',
                              env={'LLMGR_TRUSTED_PROXIES': bad})
        assert 'trusted_proxies' in message
