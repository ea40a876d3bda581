# SPDX-License-Identifier: MIT
"""A running `llmgr serve` as a client of its API sees it. Every answer under /api is held
to what /api/openapi.json says of it, so no test can pass on an answer the document does not know.
"""
import http.client
import json
import re
import signal
import urllib.parse

from conftest import PATIENCE_S

CONFIG = """\
mode: {mode}
auto_key: true
allow_http: true
allow_cidr: 127.0.0.0/8
allow_port: "*"
platforms:
  House:
    base_url: {base_url}
    api_key: sk-site-0123456789
    models:
      Small: mock
      Large: {{model_name: "org/big:free", extra_body: {{top_k: 3}}}}
  Bare:
    base_url: {base_url}/bare
    models:
      Nobody: mock-nokey
"""


class Answer:
    """Status, header fields in lower case, and the body as text."""

    def __init__(self, response):
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def code(self):
        """Of a problem."""
        return self.json['code']


def complaints(schema, value, document, at='$'):
    """What is wrong with a value by the part of JSON Schema that our document uses."""
    if '$ref' in schema:
        target = document
        for step in schema['$ref'].removeprefix('#/').split('/'):
            target = target[step]
        yield from complaints(target, value, document, at)
    if 'anyOf' in schema:
        yield from min((list(complaints(one, value, document, at)) for one in schema['anyOf']),
                       key=len)
    kinds = {'object': dict, 'array': list, 'string': str, 'boolean': bool, 'integer': int,
             'null': type(None)}
    names = schema.get('type', [])
    names = [names] if isinstance(names, str) else names
    if names and not any(isinstance(value, kinds[name]) and
                         not (name == 'integer' and isinstance(value, bool)) for name in names):
        yield f'{at} is {value!r}, not {names}'
        return
    if 'enum' in schema and value not in schema['enum']:
        yield f'{at} is {value!r}, not one of {schema["enum"]}'
    if 'minimum' in schema and isinstance(value, int) and value < schema['minimum']:
        yield f'{at} is {value}, below {schema["minimum"]}'
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from complaints(schema.get('items', {}), item, document, f'{at}[{i}]')
    if isinstance(value, dict):
        properties = schema.get('properties', {})
        yield from (f'{at}.{name} is missing' for name in schema.get('required', [])
                    if name not in value)
        for name, item in value.items():
            if name in properties:
                yield from complaints(properties[name], item, document, f'{at}.{name}')
            elif schema.get('additionalProperties') is False:
                yield f'{at}.{name} is not declared'


class Operation:
    def __init__(self, method, path, item):
        self.method, self.path, self.item = method.upper(), path, item
        self.id = item['operationId']
        self.pattern = re.compile(re.sub(r'\\\{[^}]*\\\}', '[^/]+', re.escape(path)) + '$')

    @property
    def is_admin(self):
        return self.item.get('x-llmgr-scope') == 'admin'

    @property
    def is_public(self):
        return self.item.get('security') == []

    @property
    def parameters(self):
        """Names of the parameters in the path."""
        return [row['name'] for row in self.item['parameters'] if row['in'] == 'path']

    @property
    def queries(self):
        return [row['name'] for row in self.item['parameters'] if row['in'] == 'query']

    def fill(self, values):
        """The path with its parameters filled in."""
        return re.sub(r'\{(\w+)\}', lambda m: urllib.parse.quote(str(values[m[1]]), safe=''),
                      self.path)


class Api:
    """The server, and one way to ask it. `tokens` names the tokens of the callers."""

    def __init__(self, llmgr, mockllm, mode='custom'):
        self.llmgr = llmgr
        llmgr.write('llmgr.yaml', CONFIG.format(mode=mode, base_url=mockllm.base_url))
        llmgr.ok('init')
        self.tokens = {}
        self.start()

    def start(self):
        self.process = self.llmgr.start('serve', '--listen', '127.0.0.1:0', '--workers', '2',
                                        stdout=-1, text=True)
        line = self.process.stdout.readline()
        found = re.search(r'http://127\.0\.0\.1:(\d+)', line)
        assert found, f'llmgr serve did not say where it listens: {line!r}'
        self.port = int(found[1])
        self.document = self.raw('GET', '/api/openapi.json').json
        self.operations = [Operation(method, path, item)
                           for path, items in self.document['paths'].items()
                           for method, item in items.items()]

    def stop(self):
        """Ends it in good order; a crash or a sanitizer's report fails the test."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        assert code == 0, f'llmgr serve ended with {code}'

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    def token(self, name, *args):
        """Makes a token by the command line and remembers it as `name`."""
        made = self.llmgr.json('token', 'create', '--name', name, *args)
        self.tokens[name] = made['token']
        return made['token_id']

    def raw(self, method, path, caller=None, body=None, **fields):
        """One request on a connection of its own. `body`: JSON value, or bytes as they are."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=PATIENCE_S)
        fields = {name.replace('_', '-'): value for name, value in fields.items()}
        if caller is not None:
            fields['Authorization'] = 'Bearer ' + self.tokens.get(caller, caller)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields.setdefault('Content-Type', 'application/json')
        connection.request(method, path, body, fields)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def chat(self, model, caller='ann'):
        return self.raw('POST', '/v1/chat/completions', caller,
                        {'model': model, 'messages': [{'role': 'user', 'content': 'Hi'}]})

    def operation(self, method, path):
        path = path.partition('?')[0]
        for operation in self.operations:
            if operation.method == method and operation.pattern.match(path):
                return operation
        return None

    def call(self, method, path, caller='admin', body=None, **fields):
        """As raw, held to the document; the caller is the administrator unless said otherwise."""
        answer = self.raw(method, path, caller, body, **fields)
        operation = self.operation(method, path)
        assert 'x-request-id' in answer.fields
        if answer.status >= 400:
            assert answer.fields['content-type'] == 'application/problem+json', answer.text
            schema = {'$ref': '#/components/schemas/Problem'}
            assert answer.json['status'] == answer.status
        else:
            assert operation, f'{method} {path} is answered but not documented'
            declared = operation.item['responses']
            assert str(answer.status) in declared, f'{operation.id}: {answer.status}'
            content = declared[str(answer.status)].get('content')
            if content is None:
                assert answer.text == ''
                return answer
            schema = content['application/json']['schema']
        wrong = list(complaints(schema, answer.json, self.document))
        assert not wrong, f'{method} {path}: {wrong}'
        return answer

    def good(self, *args, **more):
        """A call that must be answered well; its JSON."""
        answer = self.call(*args, **more)
        assert answer.status < 300, answer.text
        return answer.json if answer.text else None

    def bad(self, status, code, *args, **more):
        answer = self.call(*args, **more)
        assert (answer.status, answer.code) == (status, code), answer.text
        return answer

    def all(self, path, caller='admin', limit=100):
        """All rows of a paged list."""
        rows, after = [], ''
        while True:
            joint = '&' if '?' in path else '?'
            page = self.good('GET', f'{path}{joint}limit={limit}{after}', caller)
            assert len(page['data']) <= limit
            rows += page['data']
            if not page['has_more']:
                assert page['next'] is None
                return rows
            after = '&after=' + urllib.parse.quote(page['next'], safe='')
