# SPDX-License-Identifier: MIT
"""`llmgr health` and `llmgr explain --gateway`: the command line asks a running gateway what it
lets alone, with the token of who may know."""
import contextlib
import http.server
import json
import socket
import threading

import pytest

from conftest import PATIENCE_S
from serving import Wire
from smart import (api_fixture, ask, cells, refuse_key,  # noqa: F401
                                vendors_fixture)
from vendors import Call

SERVERS = 'sk-key-of-A-000000'


class Stranger:
    """A server that answers every GET with what `says` makes of its path."""

    def __init__(self, says, status=200, location=None):
        paths = self.paths = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                paths.append(self.path)
                body = says(self.path).encode()
                self.send_response(status)
                if location:
                    self.send_header('Location', location)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(name='shell')
def shell_fixture(api):
    return Shell(api)


class Shell:
    """The command line beside the gateway `api`."""

    def __init__(self, api):
        self.api = api
        self.url = f'http://127.0.0.1:{api.port}'

    def env(self, caller):
        return {'LLMGR_GATEWAY_URL': self.url, 'LLMGR_GATEWAY_TOKEN': self.api.tokens[caller]}

    def json(self, caller, *args):
        return self.api.llmgr.json(*args, env=self.env(caller))

    def ok(self, caller, *args):
        return self.api.llmgr.ok(*args, env=self.env(caller))

    def fails(self, code, caller, *args):
        return self.api.llmgr.fails(code, *args, env=self.env(caller))

    def explain(self, caller, *args):
        told = self.json(caller, '--gateway', self.url, 'explain', '--model', 'smart', *args)
        return {row['platform_name']: row for row in told['candidates']}


def timeless(rows):
    """Without moments, which two looks at two clocks may tell a millisecond apart."""
    assert all(row['until_ms'] > row['since_ms'] > 0 for row in rows)
    return [row | {'since_ms': 0, 'until_ms': 0} for row in rows]


def test_the_administrator_sees_and_resets_what_all_share(shell, vendors):
    assert shell.json('admin', 'health', 'list') == []
    assert 'Nothing is let alone.' in shell.ok('admin', 'health', 'list')
    vendors[0].play = refuse_key(SERVERS)
    assert ask(shell.api, 'ann') == 200
    assert timeless(shell.json('admin', 'health', 'list')) == timeless(cells(shell.api)) != []
    number = cells(shell.api)[0]['cell_id']
    table = shell.ok('admin', 'health', 'list')
    assert number in table and '401 key' in table and 'cooled until 20' in table
    told = shell.explain('admin')
    assert told['A']['cooled']['reason'] == 'key' and told['B']['cooled'] is None
    table = shell.ok('admin', '--gateway', shell.url, 'explain', '--model', 'smart')
    assert 'Z, 401 of the key' in table and '~ could, but is let alone for now' in table
    # Ann hears until when, and of no cell.
    assert shell.json('ann', 'health', 'list') == []
    text = shell.ok('ann', '--gateway', shell.url, 'explain', '--model', 'smart')
    assert 'cooled until 20' in text and '401' not in text
    assert 'no cell' in shell.fails(3, 'ann', 'health', 'reset', number)
    vendors[0].play = Call.answer
    assert shell.json('admin', 'health', 'reset', number) == {'cell_id': number, 'reset': True}
    assert cells(shell.api) == [] and shell.explain('ann')['A']['cooled'] is None
    assert 'no cell' in shell.fails(3, 'admin', 'health', 'reset', number)


def test_a_user_sees_and_resets_what_is_his(shell, vendors):
    platform = next(row['platform_id'] for row in shell.api.all('/api/platforms', 'ann')
                    if row['platform_name'] == 'A')
    for key in ('sk-anns-own-1-000', 'sk-anns-own-2-000'):
        shell.api.good('POST', f'/api/platforms/{platform}/keys', 'ann',
                       {'api_key': key, 'account': 'org-b'})
    vendors[0].play = lambda call: call.refuse(429, Retry_After=300)
    ask(shell.api, 'ann')
    cell, = shell.json('ann', 'health', 'list')
    assert (cell['scope'], cell['is_own']) == ('account', True)
    text = shell.ok('ann', '--gateway', shell.url, 'explain', '--model', 'smart')
    assert 'key 2, account org-b; cooled until 20' in text and '429 of the account org-b' in text
    for caller in ('bob', 'admin'):
        assert shell.json(caller, 'health', 'list') == []
        assert 'org-b' not in shell.ok(caller, '--gateway', shell.url, 'explain')
        assert 'no cell' in shell.fails(3, caller, 'health', 'reset', cell['cell_id'])
    # The administrator, as her; nobody else names another.
    assert timeless(shell.json('admin', '-u', 'ann', 'health', 'list')) == timeless([cell])
    assert shell.explain('admin', '-u', 'ann')['A']['cooled']['account'] == 'org-b'
    assert 'says' in shell.fails(4, 'bob', '-u', 'ann', 'health', 'list')
    assert 'used again' in shell.ok('ann', 'health', 'reset', cell['cell_id'])
    assert shell.json('ann', 'health', 'list') == []


def test_more_cells_than_a_page_holds_are_all_listed(llmgr):
    """A gateway of our own making: pages, names that would take a terminal over, and the path."""
    pages = {'': [{'cell_id': '1', 'scope': 'platform', 'platform_name': 'x\x1b[2J',
                   'reason': 'cut', 'upstream_status': None, 'state': 'half_open',
                   'is_own': True}],
             'a/b': [{'cell_id': '2'}]}
    with Stranger(lambda path: json.dumps({
            'data': pages['a/b' if 'after=a%2Fb' in path else ''],
            'next': None if 'after' in path else 'a/b'})) as stranger:
        assert [row['cell_id'] for row in llmgr.json(
            '--gateway', stranger.url + '/v1/', 'health', 'list')] == ['1', '2']
        assert '\x1b' not in llmgr.ok('--gateway', stranger.url, 'health', 'list')
    assert stranger.paths[0] == '/api/health/cells?limit=100'


def test_the_token_comes_from_standard_input_as_well(shell):
    done = shell.api.llmgr.run('--gateway', shell.url, 'health', 'list', '--token-stdin',
                               stdin=shell.api.tokens['admin'] + '\n',
                               env={'LLMGR_GATEWAY_TOKEN': 'sk-llmgr-wrong'})
    assert done.code == 0, done.err


def test_what_is_wrong_is_said(shell):
    llmgr, wrong = shell.api.llmgr, 'sk-llmgr-' + 'a' * 49
    at = {'LLMGR_GATEWAY_URL': shell.url}
    assert '--gateway URL' in llmgr.fails(2, 'health', 'list')
    assert 'LLMGR_GATEWAY_TOKEN' in llmgr.fails(4, 'health', 'list', env=at)
    said = llmgr.fails(4, 'health', 'list', env={**at, 'LLMGR_GATEWAY_TOKEN': wrong})
    assert 'does not know this token' in said and wrong not in said
    assert 'a number' in llmgr.fails(2, 'health', 'reset', '1/../../tokens/1', env=at)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        nobody = f'http://127.0.0.1:{free.getsockname()[1]}'
        assert 'does `llmgr serve` run there?' in llmgr.fails(
            8, '--gateway', nobody, 'health', 'list')
        assert 'does `llmgr serve` run there?' in llmgr.fails(8, '--gateway', nobody, 'explain')
        told = json.loads(llmgr.fails(8, '--json', '--gateway', nobody, 'health', 'list'))
        assert told['error']['code'] == 'ERR_UNREACHABLE'
    for there in f'unix:{llmgr.folder}/none.sock', 'unix:none.sock':
        said = llmgr.fails(8, '--gateway', there, 'health', 'list')
        assert 'does `llmgr serve` run there?' in said and there in said
    assert '1 to 107 bytes' in llmgr.fails(2, '--gateway', 'unix:' + 108 * 'x', 'health', 'list')
    assert '1 to 107 bytes' in llmgr.fails(2, '--gateway', 'unix:', 'health', 'list')


def test_a_gateway_on_a_socket_alone_is_asked(api, vendors):
    """No proxy stands before it, though one is set."""
    place = api.llmgr.folder / 'gateway.sock'
    server = api.llmgr.start('serve', '--listen', f'unix:{place}', stdout=-1, text=True)
    try:
        assert f'unix:{place}' in server.stdout.readline()
        vendors[0].play = refuse_key(SERVERS)
        with contextlib.closing(Wire(path=place)) as wire:
            body = json.dumps({'model': 'smart', 'messages': [{'role': 'user', 'content': 'hi'}]})
            wire.send(f'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n'
                      f'authorization: Bearer {api.tokens["ann"]}\r\n'
                      f'content-length: {len(body)}\r\n\r\n{body}')
            assert wire.answer().status == 200
        env = {'LLMGR_GATEWAY_URL': f'unix:{place}', 'LLMGR_GATEWAY_TOKEN': api.tokens['admin'],
               'HTTPS_PROXY': 'http://127.0.0.1:9', 'HTTP_PROXY': 'http://127.0.0.1:9'}
        cell, = api.llmgr.json('health', 'list', env=env)
        assert cell['reason'] == 'key'
        told = api.llmgr.json('--gateway', f'unix:{place}', 'explain', '--model', 'smart', env=env)
        assert told['candidates'][0]['cooled']['cell_id'] == cell['cell_id']
        assert api.llmgr.json('health', 'reset', cell['cell_id'], env=env)['reset']
        assert api.llmgr.json('health', 'list', env=env) == []
    finally:
        server.terminate()
        server.wait(PATIENCE_S)
        server.stdout.close()


@pytest.mark.parametrize('says, said', [
    ('<html>Hello</html>', 'not as `llmgr serve` does'), ('[]', 'not as `llmgr serve` does'),
    ('', 'not as `llmgr serve` does'), ('{"data": 3}', "the gateway's list is none")])
def test_what_is_no_gateway_is_told_from_one(llmgr, says, said):
    with Stranger(lambda path: says) as stranger:
        assert said in llmgr.fails(8, '--gateway', stranger.url, 'health', 'list')


def test_the_token_goes_to_no_other_by_a_redirect(llmgr):
    with Stranger(lambda path: '{}') as other:
        with Stranger(lambda path: '{}', status=307, location=other.url) as stranger:
            llmgr.fails(8, '--gateway', stranger.url, 'health', 'list',
                        env={'LLMGR_GATEWAY_TOKEN': 'sk-llmgr-secret'})
    assert len(stranger.paths) == 1 and other.paths == []
