# SPDX-License-Identifier: MIT
"""Many clients and scripted upstreams on one asyncio loop, to put stress on `llmgr serve`.

A request tells the upstream what to do by its member "script": [name, argument...]; the gateway
passes members it does not know. Scripts are coroutines of (peer, body, *arguments).
"""
import asyncio
import json
import os
import re
import socket
import sqlite3
import struct
import subprocess
import time

from conftest import PATIENCE_S, PROGRAM, Llmgr
from serving import Serving, chunk, configure

ROUNDS = int(os.environ.get('LLMGR_ROUNDS', '1'))  # how many times as much as in `make test`

# Sanitizers keep freed memory aside: figures of memory mean nothing then. The variables they read
# say nothing: they may be set for other builds.
SANITIZED = PROGRAM.exists() and re.search(b'__(asan|tsan|msan)_init', PROGRAM.read_bytes())

PATHS = {'chat': '/v1/chat/completions', 'messages': '/v1/messages', 'responses': '/v1/responses'}
WORD = 'tide'


def chat_events():
    for text in (WORD, ' and', ' time'):
        yield {'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm',
               'choices': [{'index': 0, 'delta': {'content': text}, 'finish_reason': None}]}
    yield {'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm',
           'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}]}
    yield {'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm', 'choices': [],
           'usage': {'prompt_tokens': 5, 'completion_tokens': 3, 'total_tokens': 8}}


def messages_events():
    yield {'type': 'message_start', 'message': {
        'id': 'm', 'type': 'message', 'role': 'assistant', 'model': 'm', 'content': [],
        'stop_reason': None, 'usage': {'input_tokens': 5, 'output_tokens': 1}}}
    yield {'type': 'content_block_start', 'index': 0, 'content_block': {'type': 'text', 'text': ''}}
    yield {'type': 'content_block_delta', 'index': 0,
           'delta': {'type': 'text_delta', 'text': WORD}}
    yield {'type': 'content_block_stop', 'index': 0}
    yield {'type': 'message_delta', 'delta': {'stop_reason': 'end_turn'},
           'usage': {'output_tokens': 3}}
    yield {'type': 'message_stop'}


def responses_events():
    yield {'type': 'response.created', 'response': {'id': 'r', 'status': 'in_progress'}}
    yield {'type': 'response.output_text.delta', 'item_id': 'i', 'output_index': 0, 'delta': WORD}
    yield {'type': 'response.completed', 'response': {
        'id': 'r', 'status': 'completed', 'usage': {
            'input_tokens': 5, 'output_tokens': 3, 'total_tokens': 8}}}


def stream_of(dialect):
    """The events of one good stream, each as its bytes."""
    if dialect == 'chat':
        return [b'data: %s\n\n' % json.dumps(event).encode() for event in chat_events()] + [
            b'data: [DONE]\n\n']
    events = messages_events() if dialect == 'messages' else responses_events()
    return [b'event: %s\ndata: %s\n\n' % (event['type'].encode(), json.dumps(event).encode())
            for event in events]


TERMINAL = {name: stream_of(name)[-1].split(b'data: ')[1].strip() for name in PATHS}

WHOLE = {
    'chat': {'id': 'c', 'object': 'chat.completion', 'model': 'm', 'choices': [
        {'index': 0, 'message': {'role': 'assistant', 'content': WORD}, 'finish_reason': 'stop'}],
             'usage': {'prompt_tokens': 5, 'completion_tokens': 3, 'total_tokens': 8}},
    'messages': {'id': 'm', 'type': 'message', 'role': 'assistant', 'model': 'm',
                 'content': [{'type': 'text', 'text': WORD}], 'stop_reason': 'end_turn',
                 'usage': {'input_tokens': 5, 'output_tokens': 3}},
    'responses': {'id': 'r', 'object': 'response', 'status': 'completed', 'output': [],
                  'usage': {'input_tokens': 5, 'output_tokens': 3, 'total_tokens': 8}},
}


def head(*fields, status='200 OK'):
    return '\r\n'.join([f'HTTP/1.1 {status}', *fields]).encode() + b'\r\n\r\n'


STREAM_HEAD = head('Content-Type: text/event-stream', 'Transfer-Encoding: chunked')


FRAMINGS = ('chunked', 'length', 'close')


def framed(kind, pieces, framing):
    """An answer of these pieces; `framing` says how its end is told."""
    if framing == 'chunked':
        return head(f'Content-Type: {kind}', 'Transfer-Encoding: chunked') + b''.join(
            map(chunk, pieces)) + b'0\r\n\r\n'
    size = sum(map(len, pieces))
    told = [f'Content-Length: {size}'] if framing == 'length' else ['Connection: close']
    return head(f'Content-Type: {kind}', *told) + b''.join(pieces)


def good(dialect, stream, framing=None):
    """One good answer with its framing."""
    if stream:
        return framed('text/event-stream', stream_of(dialect), framing or 'chunked')
    body = json.dumps(WHOLE[dialect]).encode()
    return framed('application/json', [body[:40], body[40:]], framing or 'length')


def reset_at_close(transport):
    """Its close is a reset, not an end."""
    transport.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                  struct.pack('ii', 1, 0))


class Peer(asyncio.Protocol):
    """A connection of the gateway's at the upstream."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.buffer = b''
        self.gone = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()
        self.busy = None

    def connection_made(self, transport):
        self.transport = transport
        self.upstream.peers.add(self)

    def connection_lost(self, exc):
        self.gone.set()
        self.room.set()
        self.upstream.peers.discard(self)

    def pause_writing(self):
        self.room.clear()

    def resume_writing(self):
        self.room.set()

    def data_received(self, data):
        self.buffer += data
        if self.busy is None:
            self.next()

    def next(self):
        at = self.buffer.find(b'\r\n\r\n')
        if at < 0:
            return
        line, *fields = self.buffer[:at].decode('latin-1').split('\r\n')
        fields = {name.lower(): value.strip() for name, _, value in
                  (field.partition(':') for field in fields)}
        end = at + 4 + int(fields.get('content-length', 0))
        if len(self.buffer) < end:
            return
        body, self.buffer = self.buffer[at + 4:end], self.buffer[end:]
        self.path, self.fields = line.split(' ')[1], fields
        self.upstream.received.append((self.path, fields, body))
        self.busy = asyncio.ensure_future(self.serve(body))

    @property
    def dialect(self):
        return next((name for name, path in PATHS.items() if path.endswith(self.path[3:])), 'chat')

    async def serve(self, body):
        body = json.loads(body)
        name, *arguments = body.get('script', ['good'])
        try:
            await getattr(self.upstream, name)(self, body, *arguments)
        finally:
            self.busy = None
        if not self.gone.is_set() and not self.transport.is_closing():
            self.next()

    async def write(self, data):
        """Takes its time if the gateway does; False once the gateway is gone."""
        if not self.gone.is_set():
            self.transport.write(data)
        await self.room.wait()
        return not self.gone.is_set()

    def close(self, rude=False):
        if rude and not self.gone.is_set():
            reset_at_close(self.transport)
            self.transport.abort()
        self.transport.close()


class Upstream:
    """The scripted upstream: its scripts, what it received, who is connected."""

    def __init__(self):
        self.peers, self.received = set(), []
        self.running = 0
        self.repeated = 0  # pieces of the last `repeat` that left

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Peer(self), '0.0.0.0', 0, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]
        self.base_url = f'http://127.0.0.1:{self.port}/v1'
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for peer in list(self.peers):
            if peer.busy is not None:
                peer.busy.cancel()
            peer.transport.abort()
        await asyncio.sleep(0)

    async def good(self, peer, body):
        await peer.write(good(peer.dialect, body.get('stream')))

    async def raw(self, peer, body, *pieces):
        """Sends the pieces (latin-1) and closes."""
        for piece in pieces:
            if not await peer.write(piece.encode('latin-1')):
                return
            await asyncio.sleep(0)
        peer.close()

    async def cut(self, peer, body, size, rude, framing=None):
        """The first bytes of a good answer, then nothing or a reset."""
        await peer.write(good(peer.dialect, body.get('stream'), framing)[:size])
        if rude:
            await asyncio.sleep(0.005)  # what was sent should be read before the reset
        peer.close(rude)

    async def stall(self, peer, body, size):
        """The first bytes of a good answer, then silence."""
        await peer.write(good(peer.dialect, body.get('stream'))[:size])
        await self.silent(peer, body)

    async def spoilt(self, peer, body, at, byte):
        """A good answer of which one byte is another, then a close."""
        sent = bytearray(good(peer.dialect, body.get('stream')))
        sent[at] = byte
        await peer.write(bytes(sent))
        peer.close()

    async def bytewise(self, peer, body):
        connection = peer.transport.get_extra_info('socket')
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in good(peer.dialect, body.get('stream')):
            if not await peer.write(bytes([byte])):
                return
            await asyncio.sleep(0)

    async def repeat(self, peer, body, first, piece, count):
        """`first`, then the piece many times or (0) for ever; then a close."""
        data = piece.encode('latin-1')
        step = max(1, 65536 // len(data))
        if not await peer.write(first.encode('latin-1')):
            return
        sent = 0
        while count == 0 or sent < count:
            if not await peer.write(data * step):
                return
            sent += step
            self.repeated = sent
            await asyncio.sleep(0)
        peer.close()

    async def drip(self, peer, body, pause, count):
        """A stream of `count` pieces of content (0: endless), then its good end."""
        self.running += 1
        try:
            await peer.write(STREAM_HEAD)
            events = stream_of(peer.dialect)
            middle = 0 if peer.dialect == 'chat' else 1
            for event in events[:middle]:
                await peer.write(chunk(event))
            sent = 0
            piece = events[2 if peer.dialect == 'messages' else middle]
            while count == 0 or sent < count:
                if not await peer.write(chunk(piece)):
                    return
                sent += 1
                await asyncio.sleep(pause)
            await peer.write(b''.join(map(chunk, events[middle + 1:])) + b'0\r\n\r\n')
        finally:
            self.running -= 1

    async def silent(self, peer, body):
        self.running += 1
        await peer.gone.wait()
        self.running -= 1

    async def idle(self):
        """Waits until no script that counts itself is running."""
        async with asyncio.timeout(PATIENCE_S):
            while self.running > 0:
                await asyncio.sleep(0.01)


class Answer:
    """What came: `whole` says that its framing was complete."""

    def __init__(self):
        self.status, self.fields, self.body, self.whole = None, {}, bytearray(), False

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.fields.get('x-request-id')

    @property
    def data(self):
        """The data of each whole event."""
        events = bytes(self.body).replace(b'\r\n', b'\n').split(b'\n\n')[:-1]
        return [line[6:] for event in events for line in event.split(b'\n')
                if line.startswith(b'data: ')]


class Client:
    """One connection to the gateway."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def open(self, receive=None):
        """`receive`: size of the kernel's buffer, for readers that stall."""
        sock = socket.socket()
        if receive is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ('127.0.0.1', self.port))
        self.reader, self.writer = await asyncio.open_connection(
            sock=sock, limit=4096 if receive is not None else 65536)
        return self

    def send(self, path, body, *fields, method='POST'):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f'{method} {path} HTTP/1.1', 'Host: localhost', f'Content-Length: {len(data)}',
                 'Content-Type: application/json']
        self.writer.write('\r\n'.join([*lines, *fields]).encode() + b'\r\n\r\n' + data)

    async def answer(self, answer=None):
        """The next answer, as far as it came; `answer` is filled in as it comes."""
        answer = answer or Answer()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.read(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        return answer

    async def read(self, answer):
        lines = (await self.reader.readuntil(b'\r\n\r\n')).decode('latin-1').split('\r\n')
        answer.status = int(lines[0].split(' ')[1])
        answer.fields = {name.lower(): value.strip() for name, _, value in
                         (line.partition(':') for line in lines[1:-2])}
        if answer.fields.get('transfer-encoding') != 'chunked':
            size = int(answer.fields.get('content-length', 0))
            while len(answer.body) < size:
                data = await self.reader.read(size - len(answer.body))
                if not data:
                    return
                answer.body += data
            answer.whole = True
            return
        while True:
            size = int(await self.reader.readuntil(b'\r\n'), 16)
            piece = await self.reader.readexactly(size + 2)
            assert piece.endswith(b'\r\n')
            answer.body += piece[:-2]
            if size == 0:
                answer.whole = True
                return

    def close(self, rude=False):
        if rude:
            reset_at_close(self.writer.transport)
            self.writer.transport.abort()
        self.writer.close()


def ask_of(dialect, script=None, stream=False, **members):
    body = {'model': 'Mock', **members}
    if dialect == 'responses':
        body['input'] = 'hi'
    else:
        body['messages'] = [{'role': 'user', 'content': 'hi'}]
    if dialect == 'messages':
        body['max_tokens'] = 9
    if stream:
        body['stream'] = True
    if script is not None:
        body['script'] = script
    return body


async def ask(port, dialect='chat', script=None, stream=False, fields=(), **members):
    """One request on a connection of its own."""
    client = await Client(port).open()
    client.send(PATHS[dialect], ask_of(dialect, script, stream, **members), *fields)
    answer = await client.answer()
    client.close()
    return answer


async def crowd(jobs, width=48):
    """Runs the coroutines, so many at once; their results in order."""
    gate = asyncio.Semaphore(width)

    async def one(job):
        async with gate:
            return await job
    return await asyncio.gather(*map(one, jobs))


COLUMNS = ('request_id', 'attempt', 'end_state', 'provenance', 'user_id', 'payer', 'slot')


def ledger(llmgr, columns=COLUMNS):
    """All rows of llm_usage as dicts, straight from the database."""
    select = f'SELECT {", ".join(columns)} FROM llm_usage ORDER BY id'
    if llmgr.kind == 'sqlite':
        with sqlite3.connect(llmgr.url.removeprefix('sqlite:'), timeout=PATIENCE_S) as database:
            found = database.execute(select).fetchall()
    else:
        out = subprocess.run(['psql', '-qXAt', '-F', '|', '-c', select, llmgr.url], check=True,
                             capture_output=True, text=True, timeout=PATIENCE_S).stdout
        found = [line.split('|') for line in out.splitlines()]
    return [dict(zip(columns, row)) for row in found]


async def settled(llmgr, count, most=None):
    """Waits for so many rows (up to `most`); no request has two rows of one attempt.

    The upstream may have received more: what a kept connection lost before a byte of its answer
    is sent once more, as the same attempt."""
    end = time.monotonic() + PATIENCE_S
    while len(rows := ledger(llmgr)) < count and time.monotonic() < end:
        await asyncio.sleep(0.05)
    if most is not None:  # until no more follow
        before = -1
        while len(rows := ledger(llmgr)) != before:
            before = len(rows)
            await asyncio.sleep(0.5)
    assert len({(row['request_id'], row['attempt']) for row in rows}) == len(rows)
    assert count <= len(rows) <= (most or count), f'{len(rows)} rows, not {count}'
    return rows


def memory(process, name='VmRSS'):
    """Bytes, from the kernel's account of the process."""
    with open(f'/proc/{process.pid}/status', encoding='ascii') as status:
        for line in status:
            if line.startswith(name + ':'):
                return int(line.split()[1]) * 1024
    raise AssertionError(name)


def is_error(dialect, value):
    """The error object of a body or an event, in the dialect's own shape."""
    if dialect == 'messages':
        return value['type'] == 'error' and value['error']['type'] and value['error']['message']
    if dialect == 'responses' and 'error' not in value:
        return value['type'] == 'error' and value['message']
    error = value['error']
    return error['message'] and error['type'] and 'code' in error


def under_stress(tmp_path, test, args=(), **env):
    """Runs `test(serving, upstream)` against a server on SQLite, and ends it in good order."""
    async def run():
        async with Upstream() as upstream:
            llmgr = Llmgr(tmp_path, f'sqlite:{tmp_path}/llmgr.db')
            llmgr.env |= {'LLMGR_' + name.upper(): value for name, value in env.items()}
            configure(llmgr, upstream.base_url, {'Mock': 'm'})
            serving = Serving(llmgr, *args)
            try:
                await test(serving, upstream)
            finally:
                await asyncio.to_thread(serving.stop)
    asyncio.run(run())
