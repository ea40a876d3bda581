# SPDX-License-Identifier: MIT
"""`llmgr chat` and a route: the library goes from target to target as the gateway does, and what it
records is what the platforms were asked. On both databases."""
import pytest

from stress import ledger
from vendors import FAILURES, Platforms, cut_after

SHORT = {'LLMGR_FIRST_CONTENT_TIMEOUT': '500ms'}


class Trip(Platforms):
    """Platforms A, B and C behind routes, and the command line."""

    def start(self, **routes):
        routes.setdefault('smart', '[{model: A/M, first_byte_timeout: 1s}, B/M, C/M]')
        self.write({name: f'{{targets: {text}}}' for name, text in routes.items()})
        return self

    def words(self, *more, model='smart'):
        return ['chat', '--model', model, '--record-usage', *more, 'hi']

    def rows(self):
        return sorted(ledger(self.llmgr), key=lambda row: int(row['attempt']))


@pytest.fixture(name='trip')
def trip_fixture(llmgr):
    trip = Trip(llmgr)
    yield trip
    trip.stop()


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
@pytest.mark.parametrize('failure', FAILURES)
def test_what_another_target_can_answer_is_answered(trip, failure, stream):
    trip.vendors[0].play = FAILURES[failure]
    trip.start()
    more = [] if stream else ['--no-stream']
    assert trip.llmgr.ok(*trip.words(*more), env=SHORT) == 'I am B. That is all.\n'
    assert trip.asked == [1, 1, 0]
    first, second = trip.rows()
    assert first['request_id'] == second['request_id']
    assert first['end_state'] != 'completed' and second['end_state'] == 'completed'
    assert first['payer'] == second['payer'] == 'system'


def test_the_document_tells_who_answered_and_after_how_many(trip):
    trip.start()
    assert trip.llmgr.json(*trip.words())['attempts'] == 1
    trip.vendors[0].play = FAILURES['500']
    told = trip.llmgr.json(*trip.words())
    assert (told['attempts'], told['platform'], told['content']) == (2, 'B', 'I am B. That is all.')
    assert told['platform_id'] == trip.llmgr.json('platform', 'list')[1]['platform_id']
    assert len(trip.rows()) == 3
    trip.llmgr.ok('chat', '--model', 'smart', 'hi')
    assert len(trip.rows()) == 3  # nobody asked for it


def test_what_has_begun_is_begun_once(trip):
    trip.vendors[0].play = cut_after
    trip.start()
    done = trip.llmgr.run(*trip.words())
    assert done.code == 8 and done.out == 'I am \n'
    assert trip.asked == [1, 0, 0]
    assert [row['end_state'] for row in trip.rows()] == ['upstream_cut']


def test_the_requests_own_fault_goes_nowhere_else(trip):
    trip.vendors[0].play = lambda call: call.refuse(400, 'messages must not be empty')
    trip.start()
    assert 'must not be empty' in trip.llmgr.fails(8, *trip.words())
    assert trip.asked == [1, 0, 0]


def test_who_fails_is_told_with_all_that_were_asked(trip):
    for vendor in trip.vendors:
        vendor.play = lambda call: call.refuse(503, f'{call.vendor.name} is overloaded')
    trip.start()
    for more in ([], ['--no-stream']):
        told = trip.llmgr.fails(8, *trip.words(*more))
        assert '3 attempts failed (A/m, B/m, C/m)' in told and 'A is overloaded' in told, told
    assert trip.asked == [2, 2, 2] and len(trip.rows()) == 6


def test_a_platform_that_is_not_there(trip):
    trip.vendors[0].close()
    trip.start()
    assert trip.llmgr.ok(*trip.words()) == 'I am B. That is all.\n'
    assert trip.asked == [0, 1, 0]


def test_a_slot_whose_choice_is_a_route(trip):
    trip.vendors[0].play = FAILURES['401']
    trip.start()
    trip.llmgr.ok('sync')
    trip.llmgr.ok('-u', 'ann', 'select', '--route', 'smart')
    assert trip.llmgr.ok('-u', 'ann', 'chat', '--record-usage', 'hi') == 'I am B. That is all.\n'
    assert [(row['slot'], row['user_id']) for row in trip.rows()] == [('main', 'ann')] * 2
