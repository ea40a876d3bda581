# SPDX-License-Identifier: MIT
"""Platforms that quote the key in what they call a success: no coding of it reaches the client, and
nothing else of an answer is changed."""
import asyncio
import json
import secrets

import pytest

from conftest import Llmgr
from serving import Serving
from stress import Client, Upstream, ask_of, crowd
from test_walk_secrets import CODINGS, database_bytes, look

KEY = f'cnry-site-{secrets.token_hex(8)}/+=&?%41{secrets.token_hex(4)}'
OWN = f'cnry-own-{secrets.token_hex(8)}/+={secrets.token_hex(4)}'
PATHS = {'chat': '/v1/chat/completions', 'messages': '/v1/messages', 'responses': '/v1/responses',
         'completions': '/v1/completions', 'native': '/v1/moderations'}
CONFIG = """\
mode: custom
allow_http: true
platforms:
  House:
    base_url: {base_url}
    api_key: "{{HOUSE_KEY}}"
    models: {{Mock: m}}
"""

# What holds the quotation: {} is JSON's inside of a string.
WHOLE = {
    'error object': '{"error":{"message":"bad key {}","type":"x","code":"{}"}}',
    'error text': '{"error":"bad key {}"}',
    'Anthropic': '{"type":"error","error":{"type":"authentication_error","message":"bad {}"}}',
    'behind members': '{"id":"x","object":"y","key":"{}","error":{"message":"no"}}',
    'behind an answer': '{"choices":[{"message":{"content":"hi"}}],"error":{"message":"bad {}"}}',
    'within a choice': '{"choices":[{"error":{"message":"bad {}"}}]}',
    'MiniMax': '{"choices":null,"base_resp":{"status_code":1004,"status_msg":"bad key {}"}}',
    'a list': '[{"error":{"message":"bad key {}"}}]',
    'code and text': '{"code":401,"msg":"bad key {}","success":false}',
    'Baidu': '{"error_code":110,"error_msg":"bad key {}"}',
    'failed response': '{"object":"response","response":{"error":{"m":"bad {}"}}}',
}
NOT_NATIVE = {
    'object error': '{"object":"error","message":"bad key {}","code":401}',
    'detail': '{"detail":"bad key {}"}',
    'no JSON': 'bad key {}',
}
EVENTS = {
    'data': 'data: {"error":{"message":"bad key {}"}}\n\n',
    'data, CRLF': 'data: {"error":{"message":"bad key {}"}}\r\n\r\n',
    'error text': 'data: {"error":"bad key {}"}\n\n',
    'event: error': 'event: error\ndata: {"message":"bad key {}"}\n\n',
    'Anthropic': 'event: error\ndata: {"type":"error","error":{"type":"x","message":"bad {}"}}\n\n',
    'response.failed': 'event: response.failed\ndata: {"type":"response.failed","response":'
                       '{"status":"failed","error":{"message":"bad key {}"}}}\n\n',
    'MiniMax': 'data: {"base_resp":{"status_code":1004,"status_msg":"bad key {}"}}\n\n',
    'code and text': 'data: {"code":"x","message":"bad key {}"}\n\n',
    'within a choice': 'data: {"choices":[{"delta":{},"error":{"message":"bad key {}"}}]}\n\n',
    'without its end': 'data: {"error":{"message":"bad key {}"}}',
    'comment': ': bad key {}\n\n',
    'no data': '{"error":{"message":"bad key {}"}}\n\n',
}
EVENTS_NOT_NATIVE = {
    'object error': 'data: {"object":"error","message":"bad key {}"}\n\n',
    'no JSON': 'data: bad key {}\n\n',
}


def quotations(key, template, step):
    """The template with codings of the key in it: as it is where that is JSON, and as a text.

    `step` 1: all of them; else some, others with each template."""
    first = sum(template.encode()) % step
    for name, coding in list(CODINGS.items())[first::step]:
        said = coding(key)
        for text in {said, json.dumps(said)[1:-1]}:
            if '"error"' in template or 'data:' in template:
                try:
                    json.loads(f'"{text}"')
                except ValueError:
                    continue
            yield name, template.replace('{}', text)


def sent(body, kind, pieces):
    head = f'HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n'
    if pieces == 1:
        return [head + body]
    step = max(1, len(body) // pieces)
    return [head] + [body[at:at + step] for at in range(0, len(body), step)]


def decoded(data):
    """What a client's parser makes of JSON in the answer; the same text where there is none."""
    texts = [data]
    for line in data.split(b'\n'):
        try:
            texts.append(json.dumps(json.loads(line.removeprefix(b'data: ')),
                                    ensure_ascii=False).encode())
        except ValueError:
            pass
    return b'\n'.join(texts)


async def ask(port, token, dialect, script, stream):
    client = await Client(port).open()
    body = ask_of(dialect if dialect in ('messages', 'responses') else 'chat', script, stream)
    client.send(PATHS[dialect], body, 'Authorization: Bearer ' + token)
    answer = await client.answer()
    client.close()
    return answer


def furnished(tmp_path, test):
    async def run():
        async with Upstream() as upstream:
            llmgr = Llmgr(tmp_path, f'sqlite:{tmp_path}/llmgr.db')
            llmgr.write('llmgr.yaml', CONFIG.format(base_url=upstream.base_url))
            llmgr.env |= {'HOUSE_KEY': KEY}
            llmgr.ok('init')
            tokens = {user: llmgr.json('-u', user, 'token', 'create')['token']
                      for user in ('ann', 'ben')}
            llmgr.json('-u', 'ben', 'platform', 'set-key', 1, '--key-stdin', stdin=OWN + '\n')
            serving = Serving(llmgr, '--access-log', str(tmp_path / 'access.log'), mode='custom')
            try:
                await test(serving, upstream, tokens)
            finally:
                await asyncio.to_thread(serving.stop)
            return llmgr, serving.log
    return asyncio.run(run())


@pytest.mark.parametrize('user, key', [('ann', KEY), ('ben', OWN)], ids=['site', 'own'])
@pytest.mark.parametrize('stream', [False, True])
def test_no_coding_of_a_quoted_key_reaches_anybody(tmp_path, stream, user, key):
    hidden = {'key': key}

    async def test(serving, upstream, tokens):
        for dialect in PATHS:
            templates = dict(EVENTS if stream else WHOLE)
            if dialect != 'native':
                templates |= EVENTS_NOT_NATIVE if stream else NOT_NATIVE
            kind = 'text/event-stream' if stream else 'application/json'
            step = 1 if dialect == 'chat' and user == 'ann' else 7
            asked = [(shape, coding, body, pieces) for shape, template in templates.items()
                     for coding, body in quotations(key, template, step)
                     for pieces in ((1, 3) if step == 1 else (1,))]
            answers = await crowd(ask(serving.port, tokens[user], dialect,
                                      ['raw', *sent(body, kind, pieces)], stream)
                                  for _, _, body, pieces in asked)
            for (shape, coding, body, pieces), answer in zip(asked, answers):
                where = f'{dialect}, {shape}, {coding}, {pieces} pieces'
                assert answer.status == 200, (where, bytes(answer.body))
                assert b'bad' in answer.body or 'behind members' in where, where
                look(hidden, where, json.dumps(answer.fields).encode())
                look(hidden, where, decoded(bytes(answer.body)))
                if not stream and body.startswith('{'):
                    json.loads(answer.body)
        assert any(key in json.dumps(fields) for _, fields, _ in upstream.received)

    llmgr, log = furnished(tmp_path, test)
    look(hidden, 'the log', log.encode())
    look(hidden, 'the access log', (tmp_path / 'access.log').read_bytes())
    look(hidden, 'the database', database_bytes(llmgr))


def test_what_is_no_error_passes_byte_for_byte(tmp_path):
    """Even where it holds the key: a model may say what it likes, if it was told the key."""
    said = json.dumps(KEY)[1:-1]
    whole = ['{"id":"a","choices":[{"message":{"content":"' + said + '"}}]}',
             '{"object":"list","data":[{"id":"' + said + '"}]}',
             '{"error":null,"choices":[{"message":{"content":"' + said + '"}}],"usage":{"x":1}}',
             '{"choices":[{"message":{"content":"' + said + 'x' * 300_000 + '"}}]}']
    events = ['data: {"choices":[{"delta":{"content":"' + said + '"}}]}\n\n'
              'data: {"error":null,"choices":[{"delta":{"content":"' + said + '"}}]}\n\n'
              'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n']

    async def test(serving, _, tokens):
        for body in whole:
            for pieces in (1, 4, 50):
                answer = await ask(serving.port, tokens['ann'], 'chat',
                                   ['raw', *sent(body, 'application/json', pieces)], False)
                assert answer.whole and answer.body.decode() == body, body[:80]
        for body in events:
            for pieces in (1, 4, 50):
                answer = await ask(serving.port, tokens['ann'], 'chat',
                                   ['raw', *sent(body, 'text/event-stream', pieces)], True)
                assert answer.body.decode() == body
        # Of a native path, what is no error is somebody's own data.
        for body in ('{"results":["' + said + '"]}', '[' + '"' + said + '"]', said * 3):
            answer = await ask(serving.port, tokens['ann'], 'native',
                               ['raw', *sent(body, 'application/json', 2)], False)
            assert answer.body.decode() == body
    furnished(tmp_path, test)


def test_an_error_too_long_to_be_looked_at_is_cut(tmp_path):
    async def test(serving, _, tokens):
        pad = 'x' * 70_000
        for body in ('{"error":{"message":"' + pad + KEY + '"}}',
                     '{"error":{"message":"' + 'x' * 600_000 + KEY + '"}}'):
            answer = await ask(serving.port, tokens['ann'], 'chat',
                               ['raw', *sent(body, 'application/json', 20)], False)
            assert not answer.whole and KEY.encode() not in answer.body
            for start in ('data: ', 'event: error\ndata: '):
                answer = await ask(serving.port, tokens['ann'], 'chat',
                                   ['raw', *sent(start + body + '\n\n', 'text/event-stream', 20)],
                                   True)
                look({'key': KEY}, start, bytes(answer.body))
                assert json.loads(answer.data[-1])['error']['message']
    furnished(tmp_path, test)
