# SPDX-License-Identifier: MIT
"""A real browser: Chromium without a window, told what to do through chromedriver (the protocol of
WebDriver), and the sites whose pages it opens."""
import http.server
import json
import socketserver
import threading
import urllib.request

from peers import PATIENCE_S, find, free_port

PAGE = b'<!doctype html><meta charset="utf-8"><title>A page of some site</title>'


class Site(socketserver.ThreadingTCPServer):
    """A site with one empty page, on its own origin."""
    allow_reuse_address = True
    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'text/html')
            self.send_header('Content-Length', str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

    def __init__(self, host):
        super().__init__(('127.0.0.1', 0), self.Handler)
        self.url = f'http://{host}:{self.server_address[1]}/'
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Browser:
    """One window. `open` a page; `run` a script there, whose promise is the result."""

    def __init__(self, yard):
        chromium, driver, port = find('chromium'), find('chromedriver'), free_port()
        self.base = f'http://127.0.0.1:{port}/session'
        home = yard.folder / 'chromium'
        home.mkdir()
        yard.start('chromedriver', [port], driver, f'--port={port}')
        arguments = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                     '--no-proxy-server', '--no-first-run', '--disable-background-networking',
                     '--disable-component-update', f'--user-data-dir={home}',
                     # A name of a site that is not this machine's.
                     '--host-resolver-rules=MAP site.test 127.0.0.1']
        options = {'binary': chromium, 'args': arguments}
        made = self.ask('', {'capabilities': {'alwaysMatch': {
            'browserName': 'chrome', 'goog:chromeOptions': options,
            'timeouts': {'script': PATIENCE_S * 1000, 'pageLoad': PATIENCE_S * 1000}}}})
        self.base += '/' + made['sessionId']

    def ask(self, path, body, method='POST'):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method,
                                         headers={'Content-Type': 'application/json'})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=4 * PATIENCE_S) as answer:
                return json.load(answer)['value']
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode(errors='replace')[:2000]) from error

    def open(self, url):
        self.ask('/url', {'url': url})

    def run(self, script, *arguments):
        """`script` is the body of an async function of `arguments`."""
        text = ('const done = arguments[arguments.length - 1], given = arguments;'
                f'(async () => {{ {script} }})().then('
                'value => done({value}), error => done({error: String(error)}));')
        said = self.ask('/execute/async', {'script': text, 'args': list(arguments)})
        if 'error' in said:
            raise JavaScriptError(said['error'])
        return said.get('value')

    def stop(self):
        self.ask('', None, 'DELETE')


class JavaScriptError(Exception):
    """What the script threw: a TypeError is what fetch() makes of a refused answer."""
