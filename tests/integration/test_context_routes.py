# SPDX-License-Identifier: MIT
"""What is too long for a model of a route goes on to one that says that more fits into it, and
nowhere else: in the gateway and in the library, on both databases."""
import pytest

from gateway_api import Api
from vendors import Call, Platforms

TOO_LONG = "This model's maximum context length is 8192 tokens. However, you asked for more."
MODELS = ('{Small: {model_name: small, context: 8192}, Same: {model_name: same, context: 8192},'
          ' Less: {model_name: less, context: 4096, max_output: 200000},'
          ' Middle: {model_name: middle, context: 16384}, Plain: plain,'
          ' Big: {model_name: big, context: 131072}}')
ROUTES = {'smart': 'A/Small, B/Same, B/Less, A/Less, B/Plain, B/Big', 'same': 'A/Small, A/Big',
          'three': 'A/Small, B/Middle, A/Big, B/Big', 'none': 'A/Small, B/Same, B/Less, B/Plain',
          'unknown': 'B/Plain, A/Big', 'fails': 'A/Small, B/Big, A/Big'}


def refuse(call):
    """It is too long, as platforms say it."""
    if call.stream and call.vendor.in_answer:
        call.begin()
        call.send('data: {"error": {"message": "too long", "code": "context_length_exceeded"}}\n\n')
    else:
        call.refuse(400, TOO_LONG, 'context_length_exceeded')


def play(call):
    (Call.answer if call.body['model'] in call.vendor.takes else refuse)(call)


class Trip(Platforms):
    """Platforms A and B, of which only models named in `takes` take what is asked."""

    def __init__(self, llmgr):
        super().__init__(llmgr, 2)
        for vendor in self.vendors:
            vendor.play, vendor.takes, vendor.in_answer = play, {'big'}, False

    def text(self, head=''):
        keys = {'A': 'api_keys: [sk-key-of-A-000000, sk-key-of-A-111111]',
                'B': 'api_key: sk-key-of-B-000000'}
        return '\n'.join([
            head + 'platforms:', *(f'  {vendor.name}:\n    base_url: {vendor.base_url}\n'
                                   f'    {keys[vendor.name]}\n    models: {MODELS}'
                                   for vendor in self.vendors),
            'routes:', *(f'  {name}: {{targets: [{text}]}}' for name, text in ROUTES.items()),
            ''])

    @property
    def models(self):
        """Which were asked, "A/small", since this was read last: A's, then B's."""
        names = [f'{vendor.name}/{call.body["model"]}' for vendor in self.vendors
                 for call in vendor.calls]
        for vendor in self.vendors:
            vendor.calls.clear()
        return names


@pytest.fixture(name='trip')
def trip_fixture(llmgr):
    trip = Trip(llmgr)
    yield trip
    trip.stop()


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm, trip, monkeypatch):
    text = trip.text('mode: custom\ndecision_headers: true\n').replace('{', '{{').replace('}', '}}')
    monkeypatch.setattr('gateway_api.CONFIG', text + '#{mode} {base_url}\n')
    server = Api(llmgr, mockllm)
    try:
        server.token('ann', '-u', 'ann')
        yield server
    finally:
        server.stop()


def ask(api, model, stream=False):
    return api.raw('POST', '/v1/chat/completions', 'ann', {
        'model': model, 'stream': stream, 'messages': [{'role': 'user', 'content': 'hi'}]})


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
def test_the_gateway_goes_on_to_what_takes_more(api, trip, stream):
    for model, asked, name in (('smart', ['A/small', 'B/big'], 'B'),
                               ('same', ['A/small', 'A/big'], 'A'),
                               ('three', ['A/small', 'A/big', 'B/middle'], 'A')):
        answer = ask(api, model, stream)
        assert answer.status == 200 and f'I am {name}' in answer.text, answer.text
        assert trip.models == asked
        if not stream:
            assert answer.fields['x-llmgr-attempts'] == str(len(asked))
    # It cools nothing: what is shorter is asked of the first.
    trip.vendors[0].takes = {'small'}
    assert 'I am A' in ask(api, 'smart', stream).text and trip.models == ['A/small']


def test_a_stream_that_says_it_within_its_answer(api, trip):
    trip.vendors[0].in_answer = True
    answer = ask(api, 'smart', True)
    assert 'I am B' in answer.text and 'too long' not in answer.text
    assert trip.models == ['A/small', 'B/big']


def test_the_gateway_goes_nowhere_else(api, trip):
    for model, asked in (('none', 'A/small'), ('unknown', 'B/plain'), ('A/Small', 'A/small')):
        for stream in (False, True):
            answer = ask(api, model, stream)
            assert answer.status == 400 and answer.json['error']['code'] == \
                'context_length_exceeded' and TOO_LONG in answer.text
            assert answer.fields.get('x-should-retry') != 'true'
            assert trip.models == [asked]


def test_what_takes_more_may_fail_and_the_next_is_asked(api, trip):
    trip.vendors[1].play = lambda call: call.refuse(503)
    assert 'I am A' in ask(api, 'fails').text
    assert trip.models == ['A/small', 'A/big', 'B/big']


@pytest.mark.parametrize('more', [[], ['--no-stream']], ids=['stream', 'whole'])
def test_the_library_does_the_same(trip, more):
    trip.llmgr.write('llmgr.yaml', trip.text())

    def chat(model):
        return trip.llmgr.ok('chat', '--model', model, *more, 'hi')

    assert chat('smart') == 'I am B. That is all.\n' and trip.models == ['A/small', 'B/big']
    assert chat('three') == 'I am A. That is all.\n'
    assert trip.models == ['A/small', 'A/big', 'B/middle']
    for model, asked in (('none', 'A/small'), ('unknown', 'B/plain'), ('A/Small', 'A/small')):
        assert TOO_LONG in trip.llmgr.fails(8, 'chat', '--model', model, *more, 'hi')
        assert trip.models == [asked]
