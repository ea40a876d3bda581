# SPDX-License-Identifier: MIT
"""Routes: an answer wherever one is to be had. Three platforms of which one fails in every way
there is, on both databases; what the caller sees of it, what each platform is asked, and what is
recorded."""
import json
import time

import pytest

from conftest import PATIENCE_S
from serving import Serving
from stress import ledger
from vendors import FAILURES, Call, Platforms, cut_after, end_before, event

SHORT = {'LLMGR_FIRST_CONTENT_TIMEOUT': '300ms', 'LLMGR_DECISION_HEADERS': 'true'}


class Trip(Platforms):
    """Platforms A, B and C behind the routes that a test needs, and a gateway."""

    def __init__(self, llmgr, count=3):
        super().__init__(llmgr, count)
        self.serving = None

    def start(self, routes=None, env=None, keys=None, **more):
        """`routes`: YAML lines for each; None: `smart`, over all in order. `keys`: by platform."""
        targets = ', '.join(f'{vendor.name}/M' for vendor in self.vendors)
        self.write(routes or {'smart': f'{{targets: [{targets}]}}'}, keys)
        self.serving = Serving(self.llmgr, env={**SHORT, **(env or {})}, **more)
        return self

    def ask(self, stream=False, model='smart', **more):
        return self.serving.chat(model, stream=stream, **more)

    def rows(self, count):
        """The ledger's, once there are so many; by request, the attempts in order."""
        end = time.monotonic() + PATIENCE_S
        while len(rows := ledger(self.llmgr)) < count:
            assert time.monotonic() < end, rows
            time.sleep(0.02)
        assert len(rows) == count
        return sorted(({**row, 'attempt': int(row['attempt'])}
                       for row in rows), key=lambda row: (row['request_id'], row['attempt']))

    def metric(self, name):
        text = self.serving.ask('/metrics', method='GET').body.decode()
        return sum(int(line.split()[-1]) for line in text.splitlines()
                   if line.startswith(name + ' ') or line.startswith(name + '{'))

    def stop(self):
        if self.serving is not None:
            self.serving.stop()
        super().stop()


@pytest.fixture(name='trip')
def trip_fixture(llmgr):
    trip = Trip(llmgr)
    yield trip
    trip.stop()


def content(answer):
    """The text of an answer, whole or in events."""
    if 'event-stream' not in answer.fields.get('content-type', ''):
        return answer.json['choices'][0]['message']['content']
    return ''.join(json.loads(line)['choices'][0]['delta'].get('content') or ''
                   for line in answer.events if line != '[DONE]' and json.loads(line)['choices'])


# ---- Ways to fail of which the caller sees nothing -----------------------------------------------

@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
@pytest.mark.parametrize('failure', FAILURES)
def test_what_another_target_can_answer_the_caller_gets(trip, failure, stream):
    trip.vendors[0].play = FAILURES[failure]
    target = '{model: A/M, first_byte_timeout: 1s}'
    trip.start({'smart': f'{{targets: [{target}, B/M, C/M]}}'})
    answer = trip.ask(stream)
    assert answer.status == 200 and answer.whole
    assert content(answer) == 'I am B. That is all.'
    assert answer.fields['x-llmgr-attempts'] == '2'
    assert trip.asked == [1, 1, 0]
    first, second = trip.rows(2)
    assert first['request_id'] == second['request_id']
    assert (first['attempt'], second['attempt']) == (1, 2)
    assert first['end_state'] != 'completed' and second['end_state'] == 'completed'


def test_a_platform_that_is_not_there(trip):
    trip.vendors[0].close()
    trip.start()
    assert [content(trip.ask(stream)) for stream in (False, True)] == ['I am B. That is all.'] * 2
    assert trip.asked == [0, 2, 0]


# ---- What the caller has seen stays --------------------------------------------------------------

def test_what_has_begun_is_begun_once(trip):
    trip.vendors[0].play = cut_after
    trip.start()
    answer = trip.ask(stream=True)
    assert answer.status == 200 and 'error' in answer.events[-1]
    assert content_before_error(answer) == 'I am '
    assert trip.asked == [1, 0, 0] and len(trip.rows(1)) == 1


def content_before_error(answer):
    found = ''
    for line in answer.events:
        row = json.loads(line) if line != '[DONE]' else {'error': 1}
        if 'error' in row:
            return found
        found += row['choices'][0]['delta'].get('content') or ''
    return found


def test_nothing_leaves_before_there_is_content(trip):
    """Also no keep-alive, which would be the answer's first bytes."""
    def late(call):
        call.begin()
        time.sleep(0.15)
        call.say('late')
        call.end()

    trip.vendors[0].play = late
    trip.start(env={'LLMGR_PING_INTERVAL': '20ms'})
    wire = trip.serving.wire()
    answer = trip.ask(stream=True, wire=wire)
    assert content(answer) == 'late'
    assert answer.body.decode().startswith(': hi\n\n' + event({'role': 'assistant', 'content': ''}))
    assert trip.asked == [1, 0, 0] and trip.metric('llmgr_window_holds_total') == 1


@pytest.mark.parametrize('env', [{'LLMGR_WINDOW_EVENTS': '8'}, {'LLMGR_WINDOW_MAX': '1KiB'}],
                         ids=['events', 'bytes'])
def test_a_window_has_limits(trip, env):
    def talk(call):
        call.begin()
        for _ in range(40):
            call.send(event({'role': 'assistant', 'content': ''}))
            time.sleep(0.002)
        call.send('data: {"error": {"message": "down"}}\n\n')

    trip.vendors[0].play = talk
    trip.start(env=env)
    answer = trip.ask(stream=True)
    assert answer.status == 200 and 'down' in answer.events[-1]
    assert trip.asked == [1, 0, 0]


def test_a_tool_call_is_content(trip):
    def call_tool(call):
        call.begin()
        call.send(event({'tool_calls': [{'index': 0, 'id': 't', 'type': 'function', 'function': {
            'name': 'f', 'arguments': ''}}]}))
        call.cut()

    trip.vendors[0].play = call_tool
    trip.start()
    assert 'tool_calls' in trip.ask(stream=True).body.decode()
    assert trip.asked == [1, 0, 0]


def test_the_last_target_has_no_window(trip):
    """Nobody could take its place: what comes leaves."""
    def fail(call):
        call.begin()
        call.send('data: {"error": {"message": "down"}}\n\n')

    trip.vendors[0].play = fail
    trip.start({'lone': '{targets: [A/M]}'})
    answer = trip.ask(stream=True, model='lone')
    assert answer.status == 200 and 'down' in answer.events[-1]
    assert trip.metric('llmgr_window_holds_total') == 0


# ---- Where it ends -------------------------------------------------------------------------------

def test_the_requests_own_fault_goes_nowhere_else(trip):
    trip.vendors[0].play = lambda call: call.refuse(400, 'messages must not be empty')
    trip.start()
    answer = trip.ask()
    assert answer.status == 400 and 'must not be empty' in answer.json['error']['message']
    assert answer.fields['x-should-retry'] == 'false'
    assert trip.asked == [1, 0, 0]


def test_attempts_are_those_of_the_whole_request(trip):
    for vendor in trip.vendors:
        vendor.play = lambda call: call.refuse(503, f'{call.vendor.name} is overloaded')
    trip.start({'smart': '{targets: [A/M, B/M, C/M], attempts: 2}'})
    answer = trip.ask()
    assert answer.status == 503 and 'A is overloaded' in answer.json['error']['message']
    assert answer.fields['x-should-retry'] == 'true' and int(answer.fields['retry-after']) >= 1
    assert int(answer.fields['retry-after-ms']) >= 1000
    assert trip.asked == [1, 1, 0]


def test_keys_that_are_refused_everywhere_are_nothing_to_wait_for(trip):
    for vendor in trip.vendors:
        vendor.play = FAILURES['401']
    trip.start()
    answer = trip.ask()
    assert answer.status == 502 and answer.json['error']['code'] == 'upstream_key_refused'
    assert trip.asked == [1, 1, 1]


def test_what_is_cooled_is_not_asked(trip):
    trip.vendors[0].play = lambda call: call.refuse(429, Retry_After=60)
    trip.vendors[1].play = FAILURES['401']
    trip.start()
    for _ in range(5):
        assert content(trip.ask()) == 'I am C. That is all.'
    assert trip.asked == [1, 1, 5]
    assert trip.metric('llmgr_cells_cooled') == 2


@pytest.mark.parametrize('failure', ['drops', '500', 'an error in a 200'])
def test_what_fails_again_and_again_is_not_asked(trip, failure):
    trip.vendors[0].play = FAILURES[failure]
    trip.start()
    for number in range(20):
        assert content(trip.ask(stream=number % 2 == 0)) == 'I am B. That is all.'
    assert trip.vendors[0].asked < 10 and trip.metric('llmgr_cells_cooled') == 1


def test_an_answer_that_ends_without_content_is_the_models_fault(trip):
    trip.vendors[0].play = end_before
    trip.start()
    for number in range(8):
        assert content(trip.ask(stream=number % 2 == 0)) == 'I am B. That is all.'
    cells = trip.serving.ask('/api/health/cells', method='GET').json['data']
    assert [(cell['scope'], cell['display_name'], cell['reason']) for cell in cells] \
        == [('model', 'M', 'empty')]
    assert trip.metric('llmgr_attempt_faults_total{fault="model"}') == trip.vendors[0].asked < 8


def test_a_lone_target_is_cooled_too(trip):
    trip.vendors[0].play = lambda call: call.refuse(429, Retry_After=30)
    trip.start({'lone': '{targets: [A/M]}',
                'bold': '{targets: [A/M], on_exhausted: least_bad}'})
    assert trip.ask(model='lone').status == 429
    answer = trip.ask(model='lone')
    assert answer.status == 503 and 20 <= int(answer.fields['retry-after']) <= 40
    assert answer.fields['x-should-retry'] == 'true'
    assert trip.asked[0] == 1
    trip.vendors[0].play = Call.answer
    assert content(trip.ask(model='bold')) == 'I am A. That is all.'
    assert trip.asked[0] == 2


def test_who_pays_stays_the_same(trip):
    """Ann's own key does not fall over to the server's, nor the server's to hers."""
    trip.vendors[0].play = lambda call: call.refuse(503)
    trip.start(mode='custom')
    token = trip.llmgr.json('token', 'create', '-u', 'ann')['token']
    platforms = {row['platform_name']: row['platform_id']
                 for row in trip.llmgr.json('platform', 'list')}
    trip.llmgr.ok('-u', 'ann', 'platform', 'set-key', platforms['A'], '--key-stdin',
                  stdin='sk-anns-own-000001')
    time.sleep(1)
    fields = {'Authorization': 'Bearer ' + token}
    assert trip.ask(fields=fields).status == 503
    assert trip.asked == [1, 0, 0] and trip.vendors[0].calls[0].key == 'sk-anns-own-000001'


def test_a_target_that_is_not_there_is_passed_over(trip):
    trip.start({'smart': '{targets: [Nobody/X, B/M]}'})
    assert content(trip.ask()) == 'I am B. That is all.'
    assert trip.ask(model='nothing').status == 404


def test_messages_fail_over_in_their_dialect(trip):
    def say(call):
        call.whole(200, {'type': 'message', 'id': 'm', 'role': 'assistant',
                         'stop_reason': 'end_turn',
                         'content': [{'type': 'text', 'text': 'B'}],
                         'usage': {'input_tokens': 1, 'output_tokens': 1}})

    trip.vendors[0].play = lambda call: call.refuse(529, 'overloaded')
    trip.vendors[1].play = say
    trip.start()
    body = {'model': 'smart', 'max_tokens': 5, 'messages': [{'role': 'user', 'content': 'hi'}]}
    assert trip.serving.ask('/v1/messages', body).json['content'][0]['text'] == 'B'
    trip.vendors[1].play = trip.vendors[2].play = trip.vendors[0].play
    answer = trip.serving.ask('/v1/messages', body)
    assert answer.json['type'] == 'error' and answer.json['error']['type'] == 'overloaded_error'


# ---- What a request bears, and what it costs to move ---------------------------------------------

CALLED = [{'role': 'user', 'content': 'hi'},
          {'role': 'assistant', 'content': None, 'tool_calls': [
              {'id': 'call_1', 'type': 'function', 'function': {'name': 'f', 'arguments': '{}'}}]},
          {'role': 'tool', 'tool_call_id': 'call_1', 'content': '3'}]
TOOLS = [{'type': 'function', 'function': {'name': 'f', 'parameters': {
    'type': 'object', 'properties': {'id': {'type': 'string'}, 'file': {'type': 'string'}}}}}]


def test_a_conversation_that_has_called_a_tool_moves_like_any_other(trip):
    trip.vendors[0].play = FAILURES['503']
    answer = trip.start().ask(members={'messages': CALLED, 'tools': TOOLS})
    assert answer.status == 200 and content(answer) == 'I am B. That is all.'
    assert trip.asked == [1, 1, 0]


def test_a_platform_that_is_not_there_is_repeated_once_whatever_it_has(trip):
    trip.vendors[0].close()
    answer = trip.start({'smart': '{targets: [A/M, A/N, B/M]}'}).ask()
    assert answer.status == 200 and content(answer) == 'I am B. That is all.'
    assert answer.fields['x-llmgr-attempts'] == '3'
    assert [row['end_state'] == 'completed' for row in trip.rows(3)] == [False, False, True]


def test_a_whole_answer_that_was_held_leaves_whole(trip):
    size = 900 * 1024
    trip.vendors[0].play = lambda call: call.whole(200, {
        'id': 'c1', 'object': 'chat.completion', 'model': 'm', 'choices': [{
            'index': 0, 'finish_reason': 'stop',
            'message': {'role': 'assistant', 'content': 'x' * size}}]})
    answer = trip.start(env={'LLMGR_WINDOW_MAX': '2MiB'}).ask()
    assert answer.status == 200 and answer.whole and content(answer) == 'x' * size


def no_money(call):
    call.begin()
    call.send('data: {"code": "Arrearage", "message": "Access denied"}\n\n')
    call.hang()


def test_an_error_in_a_stream_is_judged_by_whatever_names_it_has(trip):
    trip.vendors[0].play = no_money
    trip.start()
    for _ in range(2):
        assert content(trip.ask(True)) == 'I am B. That is all.'
    assert trip.asked == [1, 2, 0]  # an account without money is let alone at once


# ---- Stickiness ----------------------------------------------------------------------------------

def test_a_user_or_a_conversation_stays_where_it_is(trip):
    targets = ', '.join(f'{name}/M' for name in 'ABC')
    trip.start({'smart': f'{{targets: [{targets}], pick: weight, sticky: user}}',
                'talk': f'{{targets: [{targets}], pick: weight, sticky: conversation}}'},
               mode='custom')
    fields = [{'Authorization': 'Bearer ' + trip.llmgr.json('token', 'create', '-u', user)['token']}
              for user in ('ann', 'ben', 'cid', 'dan', 'eve', 'fay', 'gil', 'hal')]
    while trip.ask(fields=fields[-1]).status == 401:
        pass  # the gateway has not heard of the token yet

    def where(times, model='smart', user=0, **members):
        """Who answers, of so many requests."""
        return {content(trip.ask(model=model, fields=fields[user], members=members))
                for _ in range(times)}

    users = [where(4, user=user) for user in range(len(fields))]
    assert all(len(one) == 1 for one in users) and len(set.union(*users)) > 1
    talks = []
    for topic in range(8):
        messages = [{'role': 'system', 'content': 'be brief'},
                    {'role': 'user', 'content': f'topic {topic}'}]
        talk = where(1, 'talk', messages=messages)
        for _ in range(3):  # it goes on, and is the same
            messages += [{'role': 'assistant', 'content': 'yes'}, {'role': 'user', 'content': '?'}]
            talk |= where(1, 'talk', messages=messages)
        talks.append(talk)
    assert all(len(one) == 1 for one in talks) and len(set.union(*talks)) > 1
    for named in ({'prompt_cache_key': 'k'}, {'metadata': {'user_id': 'u', 'more': 1}}):
        told = set()
        for topic in range(8):  # what names it goes before its words
            told |= where(1, 'talk', messages=[{'role': 'user', 'content': str(topic)}], **named)
        assert len(told) == 1
