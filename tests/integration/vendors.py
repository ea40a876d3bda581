# SPDX-License-Identifier: MIT
"""Platforms that do what a test says, request by request, and count what they were asked. Their
answers bear their names, so that a test sees who has answered."""
import contextlib
import json
import socket
import socketserver
import threading

FIRST, REST = 'I am ', '. That is all.'


def event(delta, finish=None):
    return 'data: ' + json.dumps({'id': 'c1', 'object': 'chat.completion.chunk', 'model': 'm',
                                  'choices': [{'index': 0, 'delta': delta,
                                               'finish_reason': finish}]}) + '\n\n'


class Call:
    """One request at a vendor, and the bytes of its answer."""

    def __init__(self, vendor, wire, key, body):
        self.vendor, self.wire, self.key, self.body = vendor, wire, key, body
        self.stream = bool(body.get('stream'))
        self.content = False  # some of it was sent

    def send(self, text):
        self.wire.sendall(text.encode())

    def head(self, status=200, kind=None, length=None, **fields):
        kind = kind or ('text/event-stream' if self.stream and status == 200
                        else 'application/json')
        lines = [f'HTTP/1.1 {status} X', f'Content-Type: {kind}', 'Connection: close']
        if length is not None:
            lines.append(f'Content-Length: {length}')
        lines += [f'{name.replace("_", "-")}: {value}' for name, value in fields.items()]
        self.send('\r\n'.join(lines) + '\r\n\r\n')

    def whole(self, status, body, **fields):
        text = json.dumps(body)
        self.head(status, 'application/json', len(text), **fields)
        self.send(text)

    def refuse(self, status, message='no', code=None, **fields):
        self.whole(status, {'error': {'message': message, 'type': 'x', 'code': code}}, **fields)

    def begin(self):
        """What comes of a stream before its content."""
        self.head()
        self.send(': hi\n\n' + event({'role': 'assistant', 'content': ''}))

    def say(self, text):
        self.content = True
        self.send(event({'content': text}))

    def end(self):
        self.send(event({}, 'stop') + 'data: ' + json.dumps({
            'id': 'c1', 'choices': [],
            'usage': {'prompt_tokens': 3, 'completion_tokens': 5}}) + '\n\ndata: [DONE]\n\n')

    def answer(self):
        if not self.stream:
            self.content = True
            self.whole(200, {'id': 'c1', 'object': 'chat.completion', 'model': 'm', 'choices': [{
                'index': 0, 'finish_reason': 'stop', 'message': {
                    'role': 'assistant', 'content': FIRST + self.vendor.name + REST}}],
                'usage': {'prompt_tokens': 3, 'completion_tokens': 5}})
            return
        self.begin()
        self.say(FIRST + self.vendor.name)
        self.say(REST)
        self.end()

    def hang(self):
        """Until the gateway leaves, or the test ends."""
        with contextlib.suppress(OSError):
            self.wire.settimeout(60)
            while self.wire.recv(4096):
                pass

    def cut(self):
        """The connection breaks."""
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        self.wire.close()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        reader = self.request.makefile('rb')
        lines = []
        while (line := reader.readline().strip()):
            lines.append(line.decode('latin-1'))
        fields = {name.lower(): value.strip()
                  for name, _, value in (line.partition(':') for line in lines[1:])}
        if not lines:
            return
        body = json.loads(reader.read(int(fields.get('content-length', 0))) or b'{}')
        key = fields.get('authorization', '').removeprefix('Bearer ')
        call = Call(self.server.vendor, self.request, key, body)
        self.server.vendor.calls.append(call)
        with contextlib.suppress(OSError):
            self.server.vendor.play(call)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass


class Vendor:
    """`play` is what it does with each call: a function that a test sets."""

    def __init__(self, name):
        self.name, self.calls, self.play = name, [], Call.answer
        self.server = Server(('127.0.0.1', 0), Handler)
        self.server.vendor = self
        self.base_url = f'http://127.0.0.1:{self.server.server_address[1]}/v1'
        threading.Thread(target=self.server.serve_forever, daemon=True,
                         kwargs={'poll_interval': 0.05}).start()

    @property
    def asked(self):
        return len(self.calls)

    def close(self):
        """From then on it refuses connections."""
        self.server.shutdown()
        self.server.server_close()


class Platforms:
    """So many vendors as platforms of the program, behind the routes that a test needs."""

    def __init__(self, llmgr, count=3):
        self.llmgr = llmgr
        self.vendors = [Vendor(chr(ord('A') + i)) for i in range(count)]

    def write(self, routes, keys=None):
        """llmgr.yaml: the YAML of each route; `keys`: by platform, what stands for its own."""
        lines = ['platforms:']
        for vendor in self.vendors:
            key = (keys or {}).get(vendor.name, f'api_key: sk-key-of-{vendor.name}-000000')
            lines += [f'  {vendor.name}:', f'    base_url: {vendor.base_url}',
                      *([f'    {key}'] if key else []), '    models: {M: m, N: n}']
        lines += ['routes:', *(f'  {name}: {text}' for name, text in routes.items())]
        self.llmgr.write('llmgr.yaml', '\n'.join(lines) + '\n')

    @property
    def asked(self):
        return [vendor.asked for vendor in self.vendors]

    def stop(self):
        for vendor in self.vendors:
            vendor.close()


# ---- Ways to fail --------------------------------------------------------------------------------

def error_200(call):
    if call.stream:
        call.begin()
        call.send('data: {"error": {"message": "down", "code": 500}}\n\n')
    else:
        call.whole(200, {'error': {'message': 'down', 'code': 500}})


def cut_before(call):
    if call.stream:
        call.begin()
    else:
        call.head(length=1000)
        call.send('{"id": "c1", "choices": [{"index": 0,')
    call.cut()


def end_before(call):
    if call.stream:
        call.begin()
    else:
        call.head()


def hang_before(call):
    if call.stream:
        call.begin()
    call.hang()


FAILURES = {
    'drops': Call.cut, '500': lambda call: call.refuse(500), '503': lambda call: call.refuse(503),
    'a page': lambda call: call.head(502, 'text/html') or call.send('<html>Bad Gateway</html>'),
    '429': lambda call: call.refuse(429),
    '429 for a while': lambda call: call.refuse(429, Retry_After=60),
    '401': lambda call: call.refuse(401, 'Incorrect API key provided', 'invalid_api_key'),
    '402': lambda call: call.refuse(402), 'no such model': lambda call: call.refuse(404),
    'no HTTP': lambda call: call.send('SSH-2.0-OpenSSH_9.2\r\n\r\n'),
    'an error in a 200': error_200, 'a cut': cut_before, 'an end': end_before,
    'silence': hang_before,
}


def cut_after(call):
    call.begin()
    call.say('I am ')
    call.cut()
