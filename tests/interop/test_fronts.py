# SPDX-License-Identifier: MIT
"""Our server behind nginx and HAProxy: what they make of its answers, and what reaches it when a
client behind them leaves."""
import contextlib
import json

import pytest
from gateway import ASK
from peers import find, free_port

BIG = 'x' * (4 << 20)
# What holds events back: a front that compresses them.
FAULT = 'proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types text/event-stream; ' \
    'gzip_proxied any;'


class Front:
    """A proxy before both gateways: `way(name)` is a port, a scheme and the start of paths."""

    def __init__(self, kind, yard, clear, secret):
        program = find(kind)
        self.kind, self.clear, self.secret = kind, clear, secret
        self.plain, tls12, self.tls = free_port(), free_port(), free_port()
        values = {'plain': self.plain, 'tls12': tls12, 'tls13': self.tls, 'back': clear.port,
                  'backtls': secret.port, 'fault': FAULT}
        if kind == 'nginx':
            yard.start('front-nginx', [self.plain, self.tls], program, '-p', yard.folder, '-e',
                       yard.folder / 'front-nginx.log', '-c',
                       yard.configure('front-nginx.conf', **values))
        else:
            yard.start('front-haproxy', [self.plain, self.tls], program, '-db', '-f',
                       yard.configure('front-haproxy.cfg', **values))

    def way(self, name):
        return {'clear': (self.plain, 'http', '', self.clear),
                'bare': (self.plain, 'http', '/bare', self.clear),
                'advised': (self.plain, 'http', '/advised', self.clear),
                'fault': (self.plain, 'http', '/fault', self.clear),
                'tls13': (self.tls, 'https', '', self.secret),
                'tls12': (self.tls, 'https', '/old', self.secret)}[name]


class Road:
    """From a client through the front to the gateway."""

    def __init__(self, front, name):
        self.kind = front.kind
        self.port, self.scheme, self.start, self.gateway = front.way(name)

    def connect(self):
        return contextlib.closing(self.gateway.connect(self.port, self.scheme))

    def ask(self, wire, path='/v1/chat/completions', **more):
        return self.gateway.ask(wire, self.start + path, **more)

    def once(self, **more):
        """One request; status, fields, body."""
        with self.connect() as wire:
            answer = self.ask(wire, **more)
            return answer.status, answer.headers, answer.read()


@pytest.fixture(name='fronts', scope='session')
def fronts_fixture(yard, gateways):
    running = {}

    def get(kind):
        if kind not in running:
            running[kind] = Front(kind, yard, gateways('clear'), gateways('secret'))
        return running[kind]
    return get


WAYS = [('nginx', 'clear'), ('nginx', 'bare'), ('nginx', 'advised'), ('nginx', 'tls12'),
        ('nginx', 'tls13'), ('haproxy', 'clear'), ('haproxy', 'tls12'), ('haproxy', 'tls13')]


@pytest.fixture(name='road', params=WAYS, ids=lambda way: '-'.join(way))
def road_fixture(fronts, request):
    return Road(fronts(request.param[0]), request.param[1])


def test_a_whole_answer_passes(road):
    status, fields, body = road.once(body=ASK)
    assert status == 200 and fields['x-request-id']
    assert json.loads(body)['choices'][0]['message']['content'].endswith('你好')


def test_large_bodies_pass_both_ways(road):
    ask = {'model': 'mock-echo', 'messages': [{'role': 'user', 'content': BIG}]}
    status, _, body = road.once(body=ask)
    assert status == 200
    assert BIG in json.loads(body)['choices'][0]['message']['content']


def test_a_body_without_a_length_passes(road):
    ask = json.dumps({'model': 'mock-echo', 'messages': [{'role': 'user', 'content': BIG}]})
    pieces = [ask[i:i + 100000].encode() for i in range(0, len(ask), 100000)]
    with road.connect() as wire:
        wire.request('POST', road.start + '/v1/chat/completions', iter(pieces), {
            'Authorization': f'Bearer {road.gateway.token}', 'Content-Type': 'application/json'},
            encode_chunked=True)
        answer = wire.getresponse()
        assert answer.status == 200 and BIG in answer.read().decode()


def test_a_stream_passes_to_its_end(road):
    status, fields, body = road.once(body=ASK | {'stream': True})
    assert status == 200 and fields['content-type'].startswith('text/event-stream')
    assert body.endswith(b'data: [DONE]\n\n') and body.count(b'data: ') > 3


def test_an_event_passes_before_the_next_one_exists(road):
    with road.connect() as wire:
        answer = road.ask(wire, body=ASK | {'model': 'mock-stall', 'stream': True})
        assert answer.status == 200
        assert answer.readline().startswith(b'data: ')  # the upstream stands still after it


def test_who_leaves_behind_the_front_is_gone_for_the_upstream(road):
    before = road.gateway.metrics()
    gone = 'llmgr_attempts_total{end="client_gone"}'
    with road.connect() as wire:
        answer = road.ask(wire, body=ASK | {'model': 'mock-stall', 'stream': True})
        answer.readline()
        answer.close()
    road.gateway.wait_for('the attempt to be given up', lambda now: now[gone] == before[gone] + 1)
    road.gateway.wait_for('the request to end',
                          lambda now: now['llmgr_requests_in_flight'] <= 1)  # the question itself


def test_connections_to_us_are_kept(road):
    if road.start == '/bare':
        pytest.skip('HTTP/1.0 keeps none')
    count = 'llmgr_connections_total'
    road.once(body=ASK)
    before = road.gateway.metrics()[count]
    for _ in range(10):
        assert road.once(body=ASK)[0] == 200
    assert road.gateway.metrics()[count] - before <= 1  # this question's own


@pytest.mark.parametrize('model, status', [('mock-429', 429), ('mock-500', 500), ('mock-drop', 502),
                                           ('mock-none', 404)])
def test_errors_pass_as_they_are(road, model, status):
    got, fields, body = road.once(body=ASK | {'model': model})
    assert (got, bool(json.loads(body)['error']['message'])) == (status, True)
    if status == 429:
        assert fields['retry-after'] == '7'


def test_a_refused_caller_learns_why(road):
    status, _, body = road.once(body=ASK, token='sk-llmgr-wrong')
    assert (status, json.loads(body)['error']['code']) == (401, 'invalid_api_key')


def test_a_stream_that_breaks_ends_with_an_error_event(road):
    status, _, body = road.once(body=ASK | {'model': 'mock-cut-600', 'stream': True})
    last = [line for line in body.split(b'\n') if line.startswith(b'data: ')][-1]
    assert status == 200 and b'[DONE]' not in body
    assert json.loads(last[6:])['error']['message']


def test_a_body_over_the_limit_is_refused_by_us_or_the_front(road):
    ask = {'model': 'mock', 'messages': [{'role': 'user', 'content': 'x' * (33 << 20)}]}
    try:
        status, _, _ = road.once(body=ask)
    except (BrokenPipeError, ConnectionResetError):
        return  # refused while it was still coming
    assert status == 413


def test_a_front_that_holds_events_back_would_be_noticed(fronts):
    road = Road(fronts('nginx'), 'fault')
    with road.connect() as wire:
        wire.timeout = 2
        with pytest.raises(TimeoutError):
            road.ask(wire, body=ASK | {'model': 'mock-stall', 'stream': True},
                     **{'Accept-Encoding': 'gzip'}).readline()
