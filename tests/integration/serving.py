# SPDX-License-Identifier: MIT
"""`llmgr serve` for tests, and an HTTP client that sends bytes exactly as told."""
import json
import re
import signal
import socket
import ssl
import subprocess

from conftest import PATIENCE_S

CHAT = '/v1/chat/completions'
ASK = {'model': 'Mock', 'messages': [{'role': 'user', 'content': 'hi'}]}
MODELS = {'Mock': 'mock-small', 'NoOptions': 'mock-no-stream-options', 'Limited': 'mock-429',
          'Refused': 'mock-401', 'Broken': 'mock-500', 'Html': 'mock-html+status-500',
          'NoFinish': 'mock-no-finish', 'NoDone': 'mock-no-done', 'Cut': 'mock-cut-300',
          'Stall': 'mock-stall', 'Silent': 'mock-silent', 'Slow': 'mock-slow-50+chunks-40',
          'Echo': 'mock-echo', 'Flood': 'mock-flood', 'Crlf': 'mock-crlf', 'Split': 'mock-split-7',
          'Drop': 'mock-drop', 'Lie': 'mock-lie-length', 'Junk': 'mock-not-http',
          'Tools': 'mock-tools', 'Event': 'mock-error-event', 'Wait': 'mock-slow-1000'}


def chunk(data):
    """A chunk of a body of this coding."""
    return b'%x\r\n%s\r\n' % (len(data), data)


class Answer:
    """One answer: status, fields (names in lower case), body without framing."""

    def __init__(self, status, fields, body, raw, whole=True):
        self.status, self.fields, self.body, self.raw, self.whole = status, fields, body, raw, whole

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """The data of each event of a stream."""
        return [part[6:] for part in self.body.decode().split('\n\n') if part.startswith('data: ')]


class Wire:
    """One connection."""

    def __init__(self, port=None, path=None, tls=None, receive=None):
        """`receive`: size of the kernel's buffer, for readers that are slow."""
        if receive is not None:
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            self.socket.settimeout(PATIENCE_S)
            self.socket.connect(('127.0.0.1', port))
        elif path is not None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE_S)
            self.socket.connect(str(path))
        else:
            self.socket = socket.create_connection(('127.0.0.1', port), PATIENCE_S)
        if tls is not None:
            context = ssl.create_default_context(cafile=str(tls))
            self.socket = context.wrap_socket(self.socket, server_hostname='localhost')
        self.rest = b''

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def more(self):
        """Some more bytes; False at the end of the stream."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            data = b''
        self.rest += data
        return bool(data)

    def until(self, mark):
        """All bytes up to and with `mark`."""
        while mark not in self.rest:
            assert self.more(), f'the stream ended before {mark!r}: {self.rest!r}'
        at = self.rest.index(mark) + len(mark)
        taken, self.rest = self.rest[:at], self.rest[at:]
        return taken

    def exactly(self, size):
        while len(self.rest) < size:
            if not self.more():
                break
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def closed(self):
        """Waits for the server to end the connection; True if nothing more came."""
        while self.more():
            pass
        return self.rest == b''

    def answer(self, head_only=False):
        head = self.until(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        status = int(lines[0].split(' ')[1])
        fields = {}
        for line in lines[1:-2]:
            name, _, value = line.partition(':')
            assert name.lower() not in fields, f'{name} stands there twice'
            fields[name.lower()] = value.strip()
        if head_only or status in (100, 204, 304):
            return Answer(status, fields, b'', head)
        if 'content-length' in fields:
            size = int(fields['content-length'])
            body = self.exactly(size)
            return Answer(status, fields, body, head + body, len(body) == size)
        if fields.get('transfer-encoding') == 'chunked':
            return self.chunks(status, fields, head)
        while self.more():
            pass
        body, self.rest = self.rest, b''
        return Answer(status, fields, body, head + body)

    def chunks(self, status, fields, raw):
        body = b''
        while True:
            while b'\r\n' not in self.rest:
                if not self.more():
                    return Answer(status, fields, body, raw, False)
            line = self.until(b'\r\n')
            size = int(line, 16)
            piece = self.exactly(size + 2)
            raw += line + piece
            body += piece[:size]
            if len(piece) < size + 2:
                return Answer(status, fields, body, raw, False)
            if size == 0:
                return Answer(status, fields, body, raw)

    def close(self):
        self.socket.close()


class Platform:
    """A platform whose every byte the test writes and reads itself."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.listener.settimeout(PATIENCE_S)
        self.base_url = f'http://127.0.0.1:{self.listener.getsockname()[1]}/v1'

    def accept(self):
        wire = Wire.__new__(Wire)
        wire.socket, _ = self.listener.accept()
        wire.socket.settimeout(PATIENCE_S)
        wire.rest = b''
        return wire

    def close(self):
        self.listener.close()


class Serving:
    """The running server."""

    def __init__(self, llmgr, *args, env=None, mode='single', listen=('127.0.0.1:0',), **more):
        self.llmgr = llmgr
        listening = [word for place in listen for word in ('--listen', place)]
        self.errors = open(llmgr.folder / 'serve.err', 'ab')
        self.process = llmgr.start(
            '--mode', mode, 'serve', '--workers', '2', *listening, *args,
            env={'MOCK_KEY': 'sk-server-key-1234567', **(env or {})}, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, **more)
        self.line = self.process.stdout.readline()
        found = re.search(r'https?://127\.0\.0\.1:(\d+)', self.line)
        self.port = int(found.group(1)) if found else None
        assert self.line.startswith('llmgr listening on '), self.log

    @property
    def log(self):
        return (self.llmgr.folder / 'serve.err').read_text(encoding='utf-8')

    def wire(self, **more):
        return Wire(self.port, **more)

    def ask(self, path=CHAT, body=None, method='POST', fields=None, wire=None, raw=None):
        """One request on a connection of its own (or on `wire`)."""
        own = wire is None
        wire = wire or self.wire()
        data = raw if raw is not None else b'' if body is None else json.dumps(body).encode()
        head = f'{method} {path} HTTP/1.1\r\nHost: localhost\r\n'
        if data or method == 'POST':
            head += f'Content-Length: {len(data)}\r\n'
        for name, value in (fields or {}).items():
            head += f'{name}: {value}\r\n'
        wire.send(head.encode() + b'\r\n' + data)
        answer = wire.answer(head_only=method == 'HEAD')
        if own:
            wire.close()
        return answer

    def chat(self, model='Mock', stream=False, **more):
        members = {**ASK, 'model': model}
        if stream:
            members['stream'] = True
        return self.ask(body={**members, **more.pop('members', {})}, **more)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        self.errors.close()
        assert code == 0, f'llmgr serve ended with {code}\n{self.log}'


def configure(llmgr, base_url, models=None, extra=''):
    """Writes llmgr.yaml with one system platform."""
    lines = [f'      {name}: {model}' for name, model in (models or MODELS).items()]
    llmgr.write('llmgr.yaml', 'platforms:\n  mock:\n    base_url: ' + base_url +
                '\n    api_key: "{MOCK_KEY}"\n    models:\n' + '\n'.join(lines) + '\n' + extra)
