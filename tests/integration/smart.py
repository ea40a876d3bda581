# SPDX-License-Identifier: MIT
"""Vendors A and B behind the route `smart`, a gateway in front of them and its callers: the
administrator, ann and bob. A module that wants more in the file sets CONFIG to what `config` makes.
The fixtures are imported by their functions' names."""
import socket

import pytest

from gateway_api import Api
from vendors import Vendor

# Addresses of users' own, and the server's keys without being asked.
OPEN = 'auto_key: true\nallow_http: true\nallow_cidr: 127.0.0.0/8\nallow_port: "*"\n'
EMBED = '      Embed: {{{{model_name: embed, kind: embedding}}}}\n'


def platform_lines(name, url, models='      M: m\n', key=None):
    key = key or f'sk-key-of-{name}-000000'
    return f'  {name}:\n    base_url: {url}\n    api_key: {key}\n    models:\n{models}'


def config(head='', models='', platforms='', routes=''):
    """The file, with lines besides at its top, before A's models, and behind the platforms and
    routes. To be formatted with `a`, `b` and `closed`, a port where nobody listens; then by Api."""
    return ('mode: custom\n' + head + 'platforms:\n'
            + platform_lines('A', '{a}', models + '      M: m\n')
            + platform_lines('B', '{b}') + platforms
            + 'routes:\n  smart:\n    targets: [A/M, B/M]\n' + routes
            + '#{{mode}} {{base_url}}\n')


@pytest.fixture(name='vendors')
def vendors_fixture():
    vendors = [Vendor('A'), Vendor('B')]
    yield vendors
    for vendor in vendors:
        vendor.close()


@pytest.fixture(name='api')
def api_fixture(request, llmgr, mockllm, vendors, monkeypatch):
    text = getattr(request.module, 'CONFIG', config())
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(('127.0.0.1', 0))
        monkeypatch.setattr('gateway_api.CONFIG', text.format(
            a=vendors[0].base_url, b=vendors[1].base_url, closed=closed.getsockname()[1]))
        server = Api(llmgr, mockllm)
        try:
            server.token('admin', '--kind', 'admin')
            for user in ('ann', 'bob'):
                server.token(user, '-u', user)
            yield server
        finally:
            server.stop()


def ask(api, caller):
    return api.chat('smart', caller).status


def cells(api, caller='admin', query=''):
    return api.all('/api/health/cells' + query, caller)


def number(api, name, caller='admin'):
    """Of a platform."""
    return next(row['platform_id'] for row in api.all('/api/platforms', caller)
                if row['platform_name'] == name)


def refuse_key(*keys):
    def play(call):
        if call.key in keys:
            call.refuse(401, 'Incorrect API key provided', 'invalid_api_key')
        else:
            call.answer()
    return play
