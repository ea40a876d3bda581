#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The canned answers, by Python's http.server: a server under test itself, and what the others
(nginx, Apache, HAProxy, lighttpd, h2o) stand in front of. The same paths are answered by app.mjs
(Node), app.go, app_asgi.py (uvicorn), app.cpp (cpp-httplib) and App.java (Jetty); what each path
shows stands in test_interop.py.

usage: canned.py PLAIN_PORT [TLS12_PORT TLS13_PORT CERT KEY SECOND EXPIRED]
"""
import hashlib
import http.server
import json
import socket
import ssl
import sys
import threading

LARGE = bytes(i * 7 % 251 for i in range(1 << 20))
CHAT = json.dumps({'id': 'c1', 'object': 'chat.completion', 'model': 'canned', 'choices': [
    {'index': 0, 'message': {'role': 'assistant', 'content': 'Grüße'}, 'finish_reason': 'stop'}],
    'usage': {'prompt_tokens': 3, 'completion_tokens': 2, 'total_tokens': 5}},
    ensure_ascii=False).encode()
MODELS = json.dumps({'object': 'list', 'data': [{'id': 'canned', 'object': 'model'}]}).encode()
EVENTS = [f'data: {{"choices":[{{"index":0,"delta":{{"content":"{i} "}}}}]}}\n\n'.encode()
          for i in range(20)] + [b'data: [DONE]\n\n']


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def answer(self, status, body=b'', kind='application/json', **fields):
        self.send_response(status)
        if status != 204:
            self.send_header('Content-Type', kind)
            self.send_header('Content-Length', str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        self.wfile.write(body)

    def chunks(self, pieces, kind, trailers=b'', **fields):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Transfer-Encoding', 'chunked')
        for name, value in fields.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b'%x\r\n%s\r\n' % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b'0\r\n' + trailers + b'\r\n')

    def raw(self, text):
        """Bytes as they are, and the end of the connection."""
        self.wfile.write(text)
        self.close_connection = True

    def body(self):
        if 'chunked' not in self.headers.get('Transfer-Encoding', ''):
            return self.rfile.read(int(self.headers.get('Content-Length', 0)))
        whole = b''
        while size := int(self.rfile.readline().split(b';')[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return whole

    def do_GET(self):
        name = self.path.removeprefix('/v1/')
        if name.startswith('status/'):
            status = int(name.removeprefix('status/'))
            body = json.dumps({'error': {'message': f'canned {status}'}}).encode()
            return self.answer(status, body, **({'Retry_After': '7'} if status == 429 else {}))
        if name == 'models':
            return self.answer(200, MODELS)
        if name == 'large':
            return self.answer(200, LARGE, 'application/octet-stream')
        if name == 'large-chunked':
            return self.chunks([LARGE[i:i + 5000] for i in range(0, len(LARGE), 5000)],
                               'application/octet-stream')
        if name == 'empty':
            return self.answer(204)
        if name == 'redirect':
            return self.answer(302, b'', Location='/v1/models')
        if name == 'close':
            self.answer(200, MODELS, Connection='close')
            self.close_connection = True
            return None
        if name == 'cut':
            return self.raw(b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n'
                            b'Content-Length: 100000\r\n\r\n' + LARGE[:50000])
        if name == 'cut-chunked':
            return self.raw(b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n'
                            b'Transfer-Encoding: chunked\r\n\r\n20000\r\n' + LARGE[:50000])
        if name == 'until-close':
            return self.raw(b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n' + CHAT)
        if name in ('old', 'old-kept'):
            kept = name == 'old-kept'
            self.wfile.write(b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n'
                             b'%sContent-Length: %d\r\n\r\n%s' % (
                                 b'Connection: keep-alive\r\n' if kept else b'',
                                 len(CHAT), CHAT))
            self.close_connection = not kept
            return None
        if name == 'interim':
            self.wfile.write(b'HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n')
            self.wfile.flush()
            return self.answer(200, MODELS)
        if name == 'trailers':
            return self.chunks([CHAT], 'application/json', b'X-Checksum: 42\r\n',
                               Trailer='X-Checksum')
        return self.answer(404, b'{"error":{"message":"canned 404"}}')

    def do_POST(self):
        body = self.body()
        name = self.path.removeprefix('/v1/')
        if name == 'stream':
            return self.chunks(EVENTS, 'text/event-stream', Cache_Control='no-cache')
        if name == 'chat':
            return self.answer(200, CHAT)
        return self.answer(200, json.dumps({'size': len(body), 'sha256': hashlib.sha256(
            body).hexdigest()}).encode())


class Server(http.server.ThreadingHTTPServer):
    """Both families; a TLS handshake that fails concerns its connection alone."""
    daemon_threads = True
    request_queue_size = 128
    address_family = socket.AF_INET6
    context = None

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def finish_request(self, request, client_address):
        if self.context is not None:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass


def new_context(version, certs, key):
    """Of one version; the name asked for chooses among the certificates."""
    contexts = {}
    for name, cert in zip(('good.test', 'second.test', 'expired.test'), certs):
        context = contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        context.minimum_version = context.maximum_version = version

    def choose(connection, name, _):
        connection.context = contexts.get(name, contexts['good.test'])
    contexts['good.test'].sni_callback = choose
    return contexts['good.test']


def main(handler=Handler):
    plain, *others = sys.argv[1:4]
    servers = [Server(('::', int(plain)), handler)]
    for port, version in zip(others, (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)):
        server = Server(('::', int(port)), handler)
        server.context = new_context(version, [sys.argv[4], *sys.argv[6:]], sys.argv[5])
        servers.append(server)
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == '__main__':
    main()
