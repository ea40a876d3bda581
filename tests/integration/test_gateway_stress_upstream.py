# SPDX-License-Identifier: MIT
"""Upstreams that cut, lie, flood and babble: a typed error, one settled row, bounded memory, and
the next request is served."""
import gzip
import json

import pytest

from serving import chunk
from stress import (FRAMINGS, PATHS, SANITIZED, STREAM_HEAD, TERMINAL, ask, crowd, good, head,
                    is_error, ledger, memory, settled, stream_of, under_stress)

pytestmark = pytest.mark.stress

MIB = 1024 * 1024
JSON = 'Content-Type: application/json'
EVENTS = 'Content-Type: text/event-stream'


def judge(dialect, answer, stream, terminal_sent):
    """An answer that broke off says so, one way or the other; returns whether it was finished."""
    assert answer.status is not None, 'no answer at all'
    if answer.status != 200:
        assert answer.status >= 500 and answer.whole, answer.status
        assert is_error(dialect, answer.json), answer.body
        return False
    if not stream:
        return answer.whole
    # Of an answer without framing the last event may lack no more than its empty line.
    finished = (TERMINAL[dialect] in answer.data or
                answer.body.rstrip().endswith(b'data: ' + TERMINAL[dialect]))
    assert not finished or terminal_sent, 'an invented end'
    if not finished and answer.whole:
        assert is_error(dialect, json.loads(answer.data[-1])), answer.body
    return finished


both = pytest.mark.parametrize('stream', [True, False], ids=['stream', 'whole'])


async def judged(serving, dialect, stream, jobs, terminal_sent):
    """Asks with each script of `jobs`; what came of it is judged, in bounded memory, and each has
    one row that tells the same. `terminal_sent(i)`: did the upstream say that it was done?"""
    await ask(serving.port, dialect, stream=stream)
    before = memory(serving.process, 'VmHWM')
    answers = await crowd(ask(serving.port, dialect, job, stream) for job in jobs)
    grown = memory(serving.process, 'VmHWM') - before
    finished = {answer.id for i, answer in enumerate(answers)
                if judge(dialect, answer, stream, terminal_sent(i))}
    rows = await settled(serving.llmgr, 1 + len(answers))
    ends = {row['request_id']: row['end_state'] for row in rows}
    for answer in answers:
        end = ends[answer.id]
        assert end in ('upstream_error', 'upstream_cut') or answer.id in finished, (answer.id, end)
    assert SANITIZED or grown < 24 * MIB, f'{grown >> 10} KiB'
    assert (await ask(serving.port, dialect, stream=stream)).whole
    return finished


@both
@pytest.mark.parametrize('framing', FRAMINGS)
@pytest.mark.parametrize('dialect', PATHS)
def test_an_answer_cut_at_any_byte_is_seen_to_be(tmp_path, dialect, framing, stream):
    whole = good(dialect, stream, framing)

    async def test(serving, _):
        finished = await judged(
            serving, dialect, stream,
            [['cut', size, size % 2, framing] for size in range(len(whole))],
            lambda size: TERMINAL[dialect] in whole[:size])
        assert stream or not finished, 'cut and yet whole'
    under_stress(tmp_path, test)


@both
@pytest.mark.parametrize('dialect', PATHS)
def test_silence_after_any_byte_ends_at_the_limits(tmp_path, dialect, stream):
    whole = good(dialect, stream)

    async def test(serving, upstream):
        await judged(serving, dialect, stream, [['stall', size] for size in range(len(whole))],
                     lambda size: TERMINAL[dialect] in whole[:size])
        await upstream.idle()
    under_stress(tmp_path, test, first_byte_timeout='300ms', idle_timeout='300ms')


@pytest.mark.parametrize('byte', [0, 10, 255])
@pytest.mark.parametrize('dialect', PATHS)
def test_one_wrong_byte_at_any_place_hurts_nobody(tmp_path, dialect, byte):
    whole = good(dialect, True)

    async def test(serving, _):
        answers = await crowd(ask(serving.port, dialect, ['spoilt', at, byte], True)
                              for at in range(len(whole)))
        for at, answer in enumerate(answers):
            if answer.status == 200:
                spoilt = whole[:at] + bytes([byte]) + whole[at + 1:]
                assert TERMINAL[dialect] not in answer.data or TERMINAL[dialect] in spoilt
            else:
                assert answer.whole and is_error(dialect, answer.json), (at, answer.body)
        await settled(serving.llmgr, len(answers))
        assert (await ask(serving.port, dialect, stream=True)).whole
    under_stress(tmp_path, test)


def framed(data, *fields):
    return (head(*fields, f'Content-Length: {len(data)}') + data).decode('latin-1')


DEEP = '[' * 100_000
EVENT = stream_of('chat')[0].decode()
BAD_CHUNKS = ['0x5\r\nhello\r\n0\r\n\r\n', '-5\r\nhello\r\n', '5 \nhello\r\n',
              'fffffffffffffffff\r\n', '5\r\nhelloXX0\r\n\r\n', '5;' + 'x' * 100_000, '\r\n',
              '5;\r\nhello\r\n0\r\n\r\n', '5;a="b\r\nhello\r\n0\r\n\r\n',
              'zz\r\n', '5\nhello\n0\n\n']

# name: (stream, what the upstream sends, the statuses that may come of it, may it come whole)
ODD = {
    'closes at once': (True, '', {502}, True),
    'half a head': (True, 'HTTP/1.1 200 OK\r\nContent-Ty', {502}, True),
    'no head': (False, 'hello\r\n\r\n', {502}, True),
    'another version': (False, 'HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n', {502}, True),
    'a status of letters': (False, 'HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n', {502}, True),
    'two lengths': (False, head('Content-Length: 1', 'Content-Length: 2').decode() + 'ab', {502},
                    True),
    'length and coding': (False, head('Content-Length: 3', 'Transfer-Encoding: chunked').decode() +
                          '0\r\n\r\n', {502}, True),
    'a negative length': (False, head('Content-Length: -1').decode(), {502}, True),
    'a huge length': (False, head('Content-Length: 99999999999999999999').decode(), {502}, True),
    'a length too large': (False, head(JSON, 'Content-Length: 100').decode() + '{}', {200, 502},
                           False),
    'a folded field': (False, 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n', {502},
                       True),
    'bare LF': (False, 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', {502}, True),
    '101': (True, head(status='101 Switching Protocols').decode(), {502}, True),
    'interim answers without end': (True, head(status='103 Early Hints').decode() * 100_000, {502},
                                    True),
    'a long field': (True, 'HTTP/1.1 200 OK\r\nA: ' + 'a' * 10_000_000, {502}, True),
    'fields without end': (True, 'HTTP/1.1 200 OK\r\n' + 'A: b\r\n' * 1_000_000, {502}, True),
    'gzip, whole': (False, framed(gzip.compress(b'{}'), JSON, 'Content-Encoding: gzip'),
                    {200, 502}, True),
    'gzip, stream': (True, framed(gzip.compress(good('chat', True)), EVENTS,
                                  'Content-Encoding: gzip'), {200, 502}, True),
    'gzip without saying so': (True, framed(gzip.compress(b'data: [DONE]\n\n'), EVENTS), {200, 502},
                               True),
    'an empty stream': (True, framed(b'', EVENTS), {200, 502}, True),
    'empty': (False, framed(b'', JSON), {200, 502}, True),
    'deep JSON': (False, framed(DEEP.encode(), JSON), {200, 502}, True),
    'deep usage': (False, framed(b'{"usage":' + DEEP.encode() + b'}', JSON), {200, 502}, True),
    'a deep event': (True, framed(b'data: {"choices":[],"usage":' + DEEP.encode() + b'\n\n',
                                  EVENTS), {200, 502}, True),
    'broken events': (True, framed(b'data: {"usage":\n\ndata: \xff\xfe\n\ndata\n\n:\n\n', EVENTS),
                      {200, 502}, True),
    'half an event': (True, framed(EVENT.encode() + b'data: {"choi', EVENTS), {200}, True),
    'half a [DONE]': (True, framed(EVENT.encode() + b'data: [DONE', EVENTS), {200}, True),
    'a [DONE] with no event before': (True, framed(b'data: [DONE]\n\n', EVENTS), {200, 502}, True),
    'numbers beyond reason': (False, framed(b'{"usage":{"prompt_tokens":1e999,"completion_tokens":'
                                            b'-5,"total_tokens":99999999999999999999}}', JSON),
                              {200}, True),
    'a redirect': (False, head('Location: http://169.254.169.254/', 'Content-Length: 0',
                               status='302 Found').decode(), {502}, True),
    'an endless refusal': (False, head('Content-Length: 100000000', status='500 x').decode() +
                           'e' * 5_000_000, {500, 502}, True),
    'a binary refusal': (False, head('Content-Length: 256', status='400 x').decode() +
                         ''.join(map(chr, range(256))), {400}, True),
    **{f'chunks like {bad[:12]!r}': (True, STREAM_HEAD.decode() + chunk(EVENT.encode()).decode() +
                                     bad, {200, 502}, False) for bad in BAD_CHUNKS},
}


def read(sent):
    """What a caller can read of it."""
    if 'Content-Encoding: gzip' not in sent:
        return sent.encode('latin-1')
    return gzip.decompress(sent.split('\r\n\r\n', 1)[1].encode('latin-1'))


@pytest.mark.parametrize('dialect', PATHS)
def test_odd_answers_are_typed_errors_and_hurt_nobody(tmp_path, dialect):
    async def test(serving, _):
        names = list(ODD)
        answers = await crowd(ask(serving.port, dialect, ['raw', ODD[name][1]], ODD[name][0])
                              for name in names)
        for name, answer in zip(names, answers):
            stream, sent, statuses, may_be_whole = ODD[name]
            assert answer.status in statuses, (name, answer.status, bytes(answer.body[:300]))
            if answer.status != 200:
                assert is_error(dialect, answer.json), (name, answer.body)
            elif stream:
                ended = TERMINAL[dialect] in answer.data or b'[DONE]' in answer.data
                said = TERMINAL[dialect] in read(sent) or b'[DONE]' in read(sent)
                assert not ended or said, f'{name}: an invented end'
                if not ended and answer.whole:
                    assert answer.data, (name, bytes(answer.body[:300]))
                    assert is_error(dialect, json.loads(answer.data[-1])), (name, answer.body)
            elif not may_be_whole:
                assert not answer.whole, name
        rows = await settled(serving.llmgr, len(names))
        ends = {row['request_id']: row['end_state'] for row in rows}
        for name, answer in zip(names, answers):
            if answer.status != 200:
                assert ends[answer.id] == 'upstream_error', (name, ends[answer.id])
            elif ODD[name][0] and not {TERMINAL[dialect], b'[DONE]'} & set(answer.data):
                # What is no chunk and too long to be searched for keys is withheld: an error.
                end = 'upstream_error' if name == 'a deep event' else 'upstream_cut'
                assert ends[answer.id] == end, (name, ends[answer.id])
        assert (await ask(serving.port, dialect, stream=True)).whole
        assert (await ask(serving.port, dialect)).whole
    under_stress(tmp_path, test)


FLOODS = {
    'no newline': (STREAM_HEAD.decode() + '40000000\r\ndata: ', 'x' * 4096, 16 * 256),
    'no newline in a usage': (STREAM_HEAD.decode() + '40000000\r\ndata: {"usage":"', 'x' * 4096,
                              16 * 256),
    'newlines': (STREAM_HEAD.decode() + '40000000\r\n', '\n' * 4096, 16 * 256),
    'comments': (STREAM_HEAD.decode() + '40000000\r\n', ': x\n' * 1024, 16 * 256),
    'small chunks': (STREAM_HEAD.decode(), '1\r\nx\r\n', 100_000),
    'a chunk extension': (STREAM_HEAD.decode(), 'x', 0),
    'fields': ('HTTP/1.1 200 OK\r\n', 'A: b\r\n', 0),
    'one field': ('HTTP/1.1 200 OK\r\nA: ', 'b', 0),
    'interim answers': ('', 'HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n', 0),
    'trailers': (STREAM_HEAD.decode() + '0\r\n', 'A: b\r\n', 0),
    'a whole answer': (head(JSON, 'Content-Length: 10000000000').decode() + '{"usage":"',
                       'x' * 4096, 16 * 256),
    'an error': (head('Content-Length: 10000000000', status='500 x').decode(), 'x' * 4096, 0),
}


def test_floods_pass_or_end_in_bounded_memory(tmp_path):
    async def test(serving, upstream):
        await ask(serving.port)
        before = memory(serving.process, 'VmHWM')
        answers = await crowd(ask(serving.port, 'chat', ['repeat', *flood],
                                  name != 'a whole answer')
                              for name, flood in FLOODS.items())
        grown = memory(serving.process, 'VmHWM') - before
        for name, answer in zip(FLOODS, answers):
            assert answer.status in (200, 500, 502), name
            assert b'[DONE]' not in answer.data, name
            if answer.status == 200:
                assert not answer.whole or is_error('chat', json.loads(answer.data[-1])), name
        assert SANITIZED or grown < 24 * MIB, f'{grown >> 10} KiB'
        await settled(serving.llmgr, len(FLOODS) + 1)
        assert {row['end_state'] for row in ledger(serving.llmgr)[1:]} <= {
            'upstream_error', 'upstream_cut'}
        assert (await ask(serving.port, stream=True)).whole
    under_stress(tmp_path, test)


@both
def test_one_byte_at_a_time_is_an_answer_like_any(tmp_path, stream):
    async def test(serving, _):
        for dialect in PATHS:
            slow = await ask(serving.port, dialect, ['bytewise'], stream)
            quick = await ask(serving.port, dialect, ['good'], stream)
            assert slow.whole and slow.body == quick.body
        assert {row['end_state'] for row in await settled(serving.llmgr, 6)} == {'completed'}
    under_stress(tmp_path, test)


def test_silence_ends_at_the_limits_in_the_right_dialect(tmp_path):
    async def test(serving, upstream):
        for dialect in PATHS:
            never = await ask(serving.port, dialect, ['silent'])
            assert never.status == 504 and is_error(dialect, never.json)
            stuck = await ask(serving.port, dialect, ['drip', 30, 0], True)
            assert TERMINAL[dialect] not in stuck.data
            assert is_error(dialect, json.loads(stuck.data[-1]))
        await settled(serving.llmgr, 2 * len(PATHS))
    under_stress(tmp_path, test, first_byte_timeout='300ms', idle_timeout='300ms')
