# SPDX-License-Identifier: MIT
"""The request heads of tests/unit/http/request_vectors.def through a socket: what the parser
refuses the server answers with an error and a close, and what it takes keeps its place in line."""
import ast
import asyncio
import re

import pytest

from conftest import SOURCE
from stress import Client, under_stress, crowd

pytestmark = pytest.mark.stress

FILE = SOURCE / 'tests' / 'unit' / 'http' / 'request_vectors.def'
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\w+)')


def literal(text):
    """A C string's bytes; Python reads the same escapes once octal and hex are told apart."""
    return ast.literal_eval('b"' + text + '"') if text.isascii() else text.encode()


def vectors():
    """(bytes, verdict) of each row."""
    macros, found = {}, []

    def value(text):
        return b''.join(macros[word] if word else literal(quoted)
                        for quoted, word in TOKEN.findall(text))
    for line in FILE.read_text(encoding='utf-8').replace('\\\n', ' ').splitlines():
        if define := re.match(r'#define (\w+) (.*)', line):
            macros[define[1]] = value(define[2])
        elif row := re.match(r'XX\((.*), (\w+)\)', line):
            found.append((value(row[1]), row[2]))
    return found


FOLLOWER = b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'


async def send(port, data):
    """All that comes back until the server closes."""
    client = await Client(port).open()
    client.writer.write(data)
    answers = []
    while True:
        answer = await client.answer()
        if answer.status is None:
            client.close()
            return answers
        if answer.status >= 200:
            answers.append(answer)


def test_what_the_parser_refuses_the_server_refuses_and_nothing_behind_it_is_read(tmp_path):
    bad = [data for data, verdict in vectors() if verdict not in ('OK', 'MORE')]
    assert len(bad) > 100

    async def test(serving, _):
        results = await crowd(send(serving.port, data + b'\r\n\r\n' + FOLLOWER) for data in bad)
        for data, answers in zip(bad, results):
            assert len(answers) == 1, (data, [answer.status for answer in answers])
            assert 400 <= answers[0].status < 600 and answers[0].whole, data
            assert answers[0].fields['connection'] == 'close', data
            assert answers[0].json['error']['message'], data
        assert (await send(serving.port, FOLLOWER))[0].status == 200
    under_stress(tmp_path, test)


def test_requests_behind_good_ones_are_answered_and_broken_ones_behind_good_ones_are_not(tmp_path):
    good = b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'
    bad = [data for data, verdict in vectors() if verdict not in ('OK', 'MORE')]

    async def test(serving, _):
        results = await crowd(send(serving.port, good + data + b'\r\n\r\n' + FOLLOWER)
                              for data in bad)
        for data, answers in zip(bad, results):
            assert [answer.status < 300 for answer in answers] == [True, False], data
        results = await crowd(send(serving.port, good * count + FOLLOWER) for count in range(40))
        for count, answers in enumerate(results):
            assert [answer.status for answer in answers] == [200] * (count + 1)
    under_stress(tmp_path, test)


def test_every_split_of_two_requests_is_the_same_two_requests(tmp_path):
    body = b'{"model":"Mock","messages":[]}'
    first = (b'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked'
             b'\r\n\r\n%x\r\n%s\r\n0\r\n\r\n' % (len(body), body))

    async def split(port, at):
        client = await Client(port).open()
        data = first + FOLLOWER
        client.writer.write(data[:at])
        await asyncio.sleep(0.005)
        client.writer.write(data[at:])
        answers = [await client.answer(), await client.answer()]
        assert await client.reader.read() == b''
        client.close()
        return [answer.status for answer in answers]

    async def test(serving, upstream):
        count = len(first + FOLLOWER)
        for at, statuses in enumerate(await crowd(split(serving.port, at) for at in range(count))):
            assert statuses == [200, 200], at
        assert len(upstream.received) == count
    under_stress(tmp_path, test)
