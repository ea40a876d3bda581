# SPDX-License-Identifier: MIT
"""Canaries in every place of a running gateway that holds a secret or a prompt: none is found in
what it prints, answers or stores."""
import asyncio
import json
import secrets
import signal

import pytest

from conftest import PATIENCE_S
from serving import Serving
from stress import PATHS, Client, Upstream, ask_of, crowd, settled
from test_walk_secrets import database_bytes, look

pytestmark = pytest.mark.stress


def canary(name):
    """Random, so that no form of it occurs by chance; with bytes that encodings change."""
    return f'cnry{name}{secrets.token_hex(8)}/+={secrets.token_hex(4)}'


CONFIG = """\
log_level: debug
allow_http: true
allow_cidr: 127.0.0.0/8
allow_port: "*"
platforms:
  House:
    base_url: {base_url}
    api_key: "{{HOUSE_KEY}}"
    models: {{Mock: m}}
  Far:
    base_url: https://192.0.2.7/v1
    api_key: "{{FAR_KEY}}"
    models: {{Far: f}}
"""


class Evil(Upstream):
    """Quotes the key that it was given."""

    async def quote(self, peer, _, status):
        key = peer.fields.get('authorization') or peer.fields.get('x-api-key')
        said = json.dumps({'error': {'message': f'bad key {key}', 'type': 'x', 'code': key}})
        await peer.write(f'HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n'
                         f'Content-Length: {len(said)}\r\n\r\n{said}'.encode())


async def proxy(reader, writer):
    """Refuses, quoting what it was sent."""
    head = await reader.readuntil(b'\r\n\r\n')
    writer.write(b'HTTP/1.1 407 No\r\nContent-Length: %d\r\n\r\n' % len(head) + head)
    writer.close()


async def walk(port, hidden, tokens):
    """All answers to requests that carry canaries; token creations are looked at by the caller."""
    seen = []

    async def send(method, path, body, *fields):
        client = await Client(port).open()
        client.send(path, body, *fields, method=method)
        answer = await client.answer()
        client.close()
        seen.append((path, answer))
        return answer

    user, admin = ('Authorization: Bearer ' + tokens[kind] for kind in ('user', 'admin'))
    prompt = [{'role': 'user', 'content': hidden['prompt']}]
    for dialect, path in PATHS.items():
        for stream in (False, True):
            for script in (['good'], ['cut', 300, 0], ['cut', 0, 1], ['quote', 401], ['quote', 400],
                           ['quote', 429], ['quote', 500]):
                body = ask_of(dialect, script, stream, messages=prompt, input=hidden['prompt'])
                assert (await send('POST', path, body, user)).status
                await send('POST', path, {**body, 'model': 'Mine'}, user)
            await send('POST', path, ask_of(dialect, stream=stream) | {'model': 'Far'}, user)
    chat = PATHS['chat']
    for bad in (b'{"messages":"' + hidden['prompt'].encode(), b'[' + hidden['prompt'].encode()):
        await send('POST', chat, bad, user)
    for name in ('Authorization: Bearer ', 'x-api-key: ', 'api-key: ', 'Cookie: session=',
                 'Authorization: Basic ', 'Proxy-Authorization: '):
        await send('POST', chat, ask_of('chat'), name + hidden['wrong'])
        await send('GET', '/v1/models?key=' + hidden['wrong'], b'', name + hidden['wrong'])
        await send('GET', '/' + hidden['wrong'], b'', name + '\x01' + hidden['wrong'])
    await send('POST', '/v1/rerank?key=' + hidden['wrong'], ask_of('chat'), user)
    made = await send('POST', '/api/platforms', {
        'platform_name': 'Mine', 'base_url': tokens['base_url'], 'api_key': hidden['private'],
    }, user, 'Idempotency-Key: one')
    for body in ({'api_key': hidden['private']}, {'api_key': [hidden['private']]},
                 {'platform_name': 'M', 'base_url': 'http://' + hidden['private'] + '@x/'},
                 [hidden['private']], hidden['private'].encode()):
        await send('POST', '/api/platforms', body, user, 'Idempotency-Key: two')
    if made.status < 300:
        await send('POST', f'/api/platforms/{made.json["platform_id"]}/models',
                   {'model_name': 'm', 'display_name': 'Mine'}, user)
    for path in ('/metrics', '/healthz', '/readyz', '/v1/models', '/api/platforms', '/api/tokens',
                 '/api/usage', '/api/models', '/api/selections', '/api/openapi.json'):
        for who in (user, admin):
            await send('GET', path, b'', who)
    return made, seen


def furnished(llmgr, test):
    """Runs `test(upstream, hidden, tokens)` in a site with canaries in every place."""
    hidden = {name: canary(name) for name in
              ('site', 'far', 'private', 'user', 'proxy', 'prompt', 'wrong')}

    async def run():
        async with Evil() as upstream:
            proxied = await asyncio.start_server(proxy, '127.0.0.1', 0)
            port = proxied.sockets[0].getsockname()[1]
            llmgr.write('llmgr.yaml', CONFIG.format(base_url=upstream.base_url))
            llmgr.env |= {
                'HOUSE_KEY': hidden['site'], 'FAR_KEY': hidden['far'],
                'LLMGR_NO_PROXY': '127.0.0.1,127.0.0.2',
                'LLMGR_HTTPS_PROXY': 'http://u:' + hidden['proxy'].replace('/', '%2F') +
                                     f'@127.0.0.1:{port}'}
            llmgr.ok('init')
            tokens = {kind: llmgr.json('-u', 'ann', 'token', 'create', '--kind', kind)['token']
                      for kind in ('user', 'admin')}
            hidden.update({'token ' + kind: token for kind, token in tokens.items()})
            tokens['base_url'] = upstream.base_url.replace('127.0.0.1', '127.0.0.2')
            own = {row['platform_name']: row for row in llmgr.json('-u', 'ann', 'platform', 'list')}
            llmgr.json('-u', 'ann', 'platform', 'set-key', own['House']['platform_id'],
                       '--key-stdin', stdin=hidden['user'] + '\n')
            try:
                return await test(upstream, hidden, tokens)
            finally:
                proxied.close()
    return asyncio.run(run())


def test_no_canary_leaves_a_running_gateway(llmgr):
    async def test(upstream, hidden, tokens):
        serving = Serving(llmgr, mode='custom')
        made, seen = await walk(serving.port, hidden, tokens)
        assert made.status == 201, made.body
        _, again = await walk(serving.port, hidden, tokens)
        client = await Client(serving.port).open()
        client.send('/api/tokens', {'kind': 'user', 'name': 'n'},
                    'Authorization: Bearer ' + tokens['admin'], 'Idempotency-Key: made')
        created = await client.answer()
        assert created.status == 201, created.body
        hidden['token made'] = created.json['token']
        serving.signal(signal.SIGHUP)
        crowded = await crowd(walk(serving.port, hidden, tokens) for _ in range(2))
        await settled(llmgr, 1, 10 * len(upstream.received))
        serving.signal(signal.SIGKILL)  # the journal and the WAL stay as they are
        await asyncio.to_thread(serving.process.wait, PATIENCE_S)
        printed = serving.process.stdout.read() + serving.log
        serving.process.stdout.close()
        hidden['master'] = next(llmgr.folder.rglob('master.key')).read_text().strip()
        arrived = ' '.join(json.dumps(fields) for _, fields, _ in upstream.received)
        assert hidden['user'] in arrived and hidden['private'] in arrived, 'nothing was tried'
        return hidden, printed, seen + again + [row for _, rows in crowded for row in rows]

    hidden, printed, seen = furnished(llmgr, test)
    assert 'IDENTIFY' in printed, 'the log says nothing, so it proves nothing'
    look(hidden, 'the log', printed.encode())
    own = {name: value for name, value in hidden.items() if name not in ('prompt', 'wrong')}
    for path, answer in seen:
        look(own, f'the answer of {path}', json.dumps(answer.fields).encode() + bytes(answer.body))
    look(hidden, 'the database', database_bytes(llmgr))
    files = [path for path in llmgr.folder.rglob('*')
             if path.is_file() and path.name not in ('master.key', 'llmgr.yaml')]
    assert any('journal' in str(path) for path in files)
    for path in files:
        look(hidden, path, path.read_bytes())
