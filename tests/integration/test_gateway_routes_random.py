# SPDX-License-Identifier: MIT
"""Failures at random bytes, and outages under load: nothing is asked twice once content has left,
each attempt is a row, and no caller sees an error that a healthy target could have prevented.
LLMGR_ROUNDS=N repeats each that often with other seeds."""
import concurrent.futures
import itertools
import os
import random
import threading
import time

import pytest

from serving import Wire
from test_gateway_routes import FAILURES, Trip, content
from vendors import Call, FIRST

ROUNDS = int(os.environ.get('LLMGR_ROUNDS', '1'))
ENV = {'LLMGR_USER_MAX': '0', 'LLMGR_FIRST_CONTENT_TIMEOUT': '2s'}


@pytest.fixture(name='trip')
def trip_fixture(llmgr):
    trip = Trip(llmgr)
    yield trip
    trip.stop()


class Cutter:
    """Sends a call's answer through a wire that breaks after so many bytes."""

    def __init__(self, call, left):
        self.wire, self.left, self.sent = call.wire, left, b''
        call.wire = self

    def sendall(self, data):
        data = data[:self.left]
        self.left -= len(data)
        self.sent += data
        self.wire.sendall(data)
        if self.left == 0:
            self.wire.setsockopt(1, 13, b'\1\0\0\0\0\0\0\0')  # SO_LINGER: a reset
            self.wire.close()
            raise ConnectionResetError

    def recv(self, size):
        return self.wire.recv(size)


def cut_somewhere(seed, share):
    """Of `share` of the calls the answer breaks at a random byte."""
    chance, lock = random.Random(seed), threading.Lock()

    def play(call):
        with lock:
            cut = chance.random() < share
            left = chance.randrange(1, 900)
        if cut:
            Cutter(call, left)
        call.answer()
    return play


@pytest.mark.stress
@pytest.mark.parametrize('seed', range(ROUNDS))
def test_nothing_is_asked_again_once_content_has_left(trip, seed):
    count = 120
    for number, vendor in enumerate(trip.vendors):
        vendor.play = cut_somewhere(100 * seed + number, 0.5)
    # One key and one model each: what fails by half is cooled, and must be asked all the same.
    trip.start({'smart': '{targets: [A/M, B/M, C/M], on_exhausted: least_bad}'}, env=ENV)
    ids = []

    def one(number):
        wire = Wire(trip.serving.port)
        answer = trip.serving.chat('smart', stream=number % 2 == 0, wire=wire,
                                   members={'user': str(number)})
        wire.close()
        ids.append(answer.fields['x-request-id'])
        return number, answer

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(count)))
    calls = [call for vendor in trip.vendors for call in vendor.calls]
    rows = trip.rows(len(calls))
    assert {row['request_id'] for row in rows} == set(ids) and len(ids) == count
    for _, mine in itertools.groupby(rows, key=lambda row: row['request_id']):
        numbers = [row['attempt'] for row in mine]
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) <= 3
    by_user = {}
    for call in calls:
        by_user.setdefault(call.body['user'], []).append(call)
    for number, answer in answers:
        mine = by_user[str(number)]
        text = answer.body.decode()
        # Who has shown content was the last one asked, and nobody else's is in the answer.
        shown = {name for name in 'ABC' if FIRST + name in text}
        assert len(shown) <= 1, text
        if shown:
            assert text.count(FIRST) == 1
            assert [call.vendor.name for call in mine].count(next(iter(shown))) >= 1


OUTAGES = ['drops', '500', '429', '429 for a while', '401', 'an error in a 200', 'a cut', 'silence']


@pytest.mark.stress
@pytest.mark.parametrize('outage', OUTAGES if ROUNDS > 1 else OUTAGES[1:4])
def test_an_outage_under_load_is_nobodys_error(trip, outage):
    """200 requests a second on three platforms, of which one fails for a while and recovers."""
    rate, before, during = 200, 100, 300
    trip.start({'smart': '{targets: [{model: A/M, first_byte_timeout: 1s}, B/M, C/M]}'}, env=ENV)
    begun = time.monotonic()

    def one(number):
        if number == before:
            trip.vendors[0].play = FAILURES[outage]
        delay = begun + number / rate - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        return trip.ask(stream=number % 2 == 0)

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(one, range(before + during)))
    assert {answer.status for answer in answers} == {200}
    assert {content(answer)[:6] for answer in answers} <= {FIRST + 'A', FIRST + 'B', FIRST + 'C'}
    asked = sum(trip.asked)
    trip.rows(asked)
    # What is known to be broken is not asked by everybody.
    assert trip.vendors[0].asked < before + during - 50
    calls = trip.vendors[0].asked
    for cell in trip.serving.ask('/api/health/cells', method='GET').json['data']:
        path = '/api/health/cells/' + cell['cell_id']
        assert trip.serving.ask(path, method='DELETE').status == 204
    trip.vendors[0].play = Call.answer
    assert content(trip.ask()).startswith(FIRST + 'A') and trip.vendors[0].asked == calls + 1
