# SPDX-License-Identifier: MIT
"""A platform that keeps things: files, batches, vector stores, whatever is posted to a collection.

It knows keys and no users: whoever has the key sees everything, as with the real ones.
"""
import collections
import http.server
import json
import re
import threading
import urllib.parse

PREFIXES = {'files': 'file-', 'batches': 'batch_', 'vector_stores': 'vs_', 'containers': 'cntr_',
            'jobs': 'ftjob-', 'assistants': 'asst_', 'threads': 'thread_', 'videos': 'video_',
            'conversations': 'conv_', 'responses': 'resp_', 'completions': 'chatcmpl-'}

Seen = collections.namedtuple('Seen', 'method path key body')


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def take(self):
        if 'chunked' in self.headers.get('Transfer-Encoding', ''):
            body = b''
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get('Content-Length') or 0))

    def say(self, status, document, kind='application/json'):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(data)

    def serve(self):
        keeper, body = self.server.keeper, self.take()
        key = self.headers.get('Authorization', '').removeprefix('Bearer ')
        with keeper.lock:
            keeper.seen.append(Seen(self.command, self.path, key, body))
            status, document = keeper.answer(self.command, self.path, key, body)
        if self.path.endswith('/chat/completions') and b'"stream": true' in body:
            self.say(200, b'data: {"choices":[]}\n\n' * 50 + b'data: [DONE]\n\n',
                     'text/event-stream')
        else:
            self.say(status, document)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve


class Keeper:
    def __init__(self):
        self.lock = threading.Lock()
        self.seen, self.kept, self.count = [], {}, 0
        self.more = {}  # members of every answer
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.server.keeper = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        self.base_url = f'http://127.0.0.1:{self.server.server_address[1]}/v1'

    def answer(self, method, target, key, body):
        path = urllib.parse.urlsplit(target).path.removeprefix('/v1').removeprefix('/')
        steps = path.split('/')
        ids = [step for step in steps if (key, step) in self.kept]
        if method == 'POST' and not ids and steps[-1] in PREFIXES:
            return self.make(PREFIXES[steps[-1]], key, body)
        if ids and method == 'DELETE' and steps[-1] == ids[-1]:
            del self.kept[key, ids[-1]]
            return 200, {'id': ids[-1], 'deleted': True}
        if ids and steps[-1] == 'content':
            return 200, self.kept[key, ids[0]]
        if ids:
            return 200, {'id': ids[0], 'what': path, **self.more}
        if method in ('GET', 'HEAD') and steps[-1] in PREFIXES:
            return 200, {'data': [{'id': name} for owner, name in self.kept if owner == key]}
        if re.search(r'_\d+|-\d+', path):
            return 404, {'error': {'message': 'unknown', 'type': 'invalid_request_error',
                                   'param': None, 'code': None}}
        return 200, {'path': path, 'choices': [], 'data': [], 'secret': 'operator'}

    def make(self, prefix, key, body):
        self.count += 1
        name = f'{prefix}{self.count:04}'
        self.kept[key, name] = body
        return 200, {'id': name, **self.more}

    def put(self, name, key, body=b'{}'):
        """Something that was made elsewhere with this key."""
        with self.lock:
            self.kept[key, name] = body
        return name

    def requests(self):
        with self.lock:
            return list(self.seen)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
