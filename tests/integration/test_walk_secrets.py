# SPDX-License-Identifier: MIT
"""Secrets stay where they belong: canaries planted everywhere are looked for in every output and
every file, in clear and encoded; and a site without a proper master key does not start."""
import base64
import functools
import html
import json
import os
import pathlib
import re
import subprocess
import urllib.parse

import pytest

from conftest import PATIENCE_S, on_sqlite

CANARIES = {
    'server': 'sk-canary-server-8H2kQ/+x==',
    'further server': 'sk-canary-server-further-4Yp/=w',
    'own': 'sk-canary-own-Zr71&=?%41',
    'private': 'sk-canary-private-77aaXY',
    'stdin': 'sk-canary-stdin-0909qq',
    'rotated': 'sk-canary-second-5512ww',
    'probe': 'sk-canary-probe-333e',
    'refused': 'sk-canary-refused-41414',
    'header': 'hd-canary-operator-6Kp2/=z',
    'own header': 'hd-canary-private-90Lm+&q',
    'further': 'sk-canary-further-6V?6=%30',
    'foremost': 'sk-canary-foremost-9Q&+t',
}


def every_byte(form):
    return lambda secret: ''.join(form % byte for byte in secret.encode())


def url(secret):
    return urllib.parse.quote(secret, safe='')


def in_json(secret):
    return json.dumps(secret)[1:-1]


def in_base64(offset, encode):
    """Behind so many other bytes."""
    return lambda secret: encode(b'\0' * offset + secret.encode()).decode()


# What a secret may be written as, wherever it lies around and whoever quotes it.
CODINGS = {
    'clear': lambda secret: secret,
    'hexadecimal': lambda secret: secret.encode().hex(),
    'hexadecimal in capitals': lambda secret: secret.encode().hex().upper(),
    'hexadecimal with spaces': lambda secret: secret.encode().hex(' '),
    'hexadecimal with colons': lambda secret: secret.encode().hex(':'),
    'hexadecimal numbers': lambda secret: ', '.join(map(hex, secret.encode())),
    'decimal numbers': lambda secret: ', '.join(map(str, secret.encode())),
    'URL': url,
    'URL in small letters': lambda secret: re.sub('%..', lambda at: at[0].lower(), url(secret)),
    'URL, every byte': every_byte('%%%02X'),
    'URL, twice': lambda secret: url(url(secret)),
    'URL, every byte, twice': every_byte('%%25%02x'),
    'URL, every byte, three times': every_byte('%%2525%02x'),
    'JSON': lambda secret: in_json(secret).replace('/', '\\/'),
    'JSON, every byte': every_byte('\\u%04x'),
    'JSON, every byte, twice': every_byte('\\\\u%04X'),
    'JSON, every byte, three times': every_byte('\\\\\\\\u%04x'),
    'backslash and x': every_byte('\\\\x%02x'),
    'HTML': html.escape,
    'HTML, every byte': every_byte('&#%d;'),
    'HTML, every byte, hexadecimal': every_byte('&#x%x;'),
    'HTML, every byte, twice': every_byte('&amp;#%d;'),
    'URL in HTML': every_byte('&#37;%02x'),
    'JSON in URL': every_byte('%%5Cu%04x'),
    **{f'base64 behind {offset}': in_base64(offset, base64.b64encode)
       for offset in range(3)},
    **{f'base64url behind {offset}': in_base64(offset, base64.urlsafe_b64encode)
       for offset in range(3)},
}


@functools.cache
def forms(secret):
    """The secret in every coding; of base64 what is the secret's alone."""
    found = set()
    for name, coding in CODINGS.items():
        text = coding(secret)
        if name.startswith('base64'):
            text = text[4 if name[-1] != '0' else 0:len(secret.encode()) // 3 * 4 - 4]
        found.add(text.encode())
    return found


def look(secrets, where, data):
    for name, secret in secrets.items():
        for form in forms(secret):
            assert form not in data, f'{name} ({form!r}) in {where}'


def database_bytes(site):
    if site.kind == 'sqlite':
        return b''.join(path.read_bytes() for path in site.folder.glob('*.db*') if path.is_file())
    return subprocess.run(['pg_dump', site.url], check=True, capture_output=True).stdout


def test_no_canary_is_found_anywhere(site):
    site.env |= {'ALPHA_KEY': CANARIES['server'], 'ALPHA_ORG': CANARIES['header']}
    site.configure(platforms=f'''
  Alpha:
    base_url: {site.base_url}
    api_key: "{{ALPHA_KEY}}"
    headers: {{X-Canary: "{{ALPHA_ORG}}"}}
    models: {{One: mock, Echo: mock-echo}}
  Beta: {{base_url: {site.beta_url}, models: {{Other: mock-beta}}}}
''')
    seen = []

    def run(*words, stdin='', env=None):
        for more in ([], ['--json'], ['--log-level', 'debug']):
            result = site.run(*more, *words, stdin=stdin, env=env)
            seen.append((words, result.out + result.err))
        return result

    run('init')
    for user, platform, key in (('ann', 1, 'own'), ('ann', 2, 'stdin'), ('ben', 1, 'stdin')):
        run('-u', user, 'platform', 'set-key', platform, '--key-stdin', stdin=CANARIES[key])
    run('-u', 'ann', 'platform', 'add', '--name', 'Mine', '--base-url',
        'https://api.example.com/v1', '--key-env', 'K', env={'K': CANARIES['private']})
    run('-u', 'ann', 'platform', 'add-key', 1, '--key-stdin', stdin=CANARIES['further'])
    run('-u', 'ann', 'platform', 'add-key', 1, '--key-env', 'K', '--account', 'org',
        env={'K': CANARIES['foremost']})
    run('-u', 'ann', 'platform', 'add-key', 1, '--key-stdin', stdin=CANARIES['further'])
    own = site.platforms('ann')['Mine']['platform_id']
    run('-u', 'ann', 'model', 'add', '--platform', own, '--name', 'x')
    run('-u', 'ann', 'platform', 'set-url', own, 'https://api.example.net/v1')
    run('-u', 'ann', 'platform', 'set-key', own, '--key-stdin', stdin=CANARIES['rotated'])
    for header in ('X-Own: {H}', 'Cookie: {H}', 'X-Own: {H}\t'):
        run('-u', 'ann', 'platform', 'set-header', own, header, env={'H': CANARIES['own header']})
    for words in (['platform', 'list'], ['model', 'list'], ['selection'], ['explain'],
                  ['chat', 'hello'], ['chat', '--no-stream', 'hello'], ['platform', 'probe', '1'],
                  ['chat', '--model', 'x', 'hello'], ['key', 'status'], ['db', 'check'],
                  ['sync'], ['platform', 'set-key', '99', '--key-env', 'ALPHA_KEY'],
                  ['platform', 'keys', '1'],
                  ['platform', 'update-key', '1', '3', '--position', '2'],
                  ['platform', 'delete-key', '1', 'none']):
        run('-u', 'ann', *words)
    run('probe', '--base-url', site.base_url, '--key-env', 'K', env={'K': CANARIES['probe']})
    run('probe', '--base-url', 'http://127.0.0.1:9/v1', '--key-env', 'K',
        env={'K': CANARIES['probe']})
    site.configure(platforms=f'''
  Alpha:
    base_url: {site.base_url}
    api_keys: ["{{ALPHA_KEY}}", {{key: "{{ALPHA_MORE}}", account: org}}]
    headers: {{X-Canary: "{{ALPHA_ORG}}", X-Missing: "{{NOT_SET}}"}}
    models: {{Bad: mock-401, Echo: mock-echo}}
''')
    site.env['ALPHA_KEY'] = CANARIES['refused']
    for more in ('refused', 'further server'):
        run('sync', env={'ALPHA_MORE': CANARIES[more]})
    run('platform', 'keys', '1')
    run('chat', '--model', 'Bad', 'hello')  # the scripted upstream quotes the key it refuses
    run('key', 'rotate')
    run('key', 'rotate', '--new-master-key-file', 'new.key')
    master = (site.folder / '.config/llmgr/master.key').read_text().strip()
    second = (site.folder / 'new.key').read_text().strip()
    secrets = {**CANARIES, 'master': master, 'second master': second}
    for words, text in seen:
        look(secrets, words, text.encode())
    look(secrets, 'the database', database_bytes(site))
    arrived = {request.key for request in site.upstream.requests()}
    assert CANARIES['own'] in arrived and CANARIES['refused'] in arrived, 'nothing was tried'
    assert CANARIES['header'] in {request.headers.get('x-canary')
                                  for request in site.upstream.requests()}
    for request in site.upstream.requests():
        text = json.dumps([request.path, request.body,
                           {name: value for name, value in request.headers.items()
                            if name not in ('authorization', 'x-canary')}])
        look(secrets, 'a request beside its authorization', text.encode())


def test_a_detector_that_finds_planted_canaries():
    for form in forms(CANARIES['server']):
        with pytest.raises(AssertionError):
            look(CANARIES, 'the plant', b'some text ' + form + b' more')
    with pytest.raises(AssertionError):
        look(CANARIES, 'base64', base64.b64encode(b'x: ' + CANARIES['own'].encode() + b'\n'))


@on_sqlite
def test_backups_hold_no_key_in_clear(site):
    """PostgreSQL is backed up by pg_dump, which the walk above reads."""
    site.env['ALPHA_KEY'] = CANARIES['server']
    site.set_key('ann', 1, CANARIES['own'])
    site.ok('db', 'backup', 'copy.db')
    look(CANARIES, 'the backup', (site.folder / 'copy.db').read_bytes())


def test_no_core_no_peeking_and_no_master_key_in_the_environment(site):
    site.ok('init')
    key = (site.folder / '.config/llmgr/master.key').read_text().strip()
    site.configure(platforms=f'''
  Alpha:
    base_url: {site.base_url}
    api_key: "{{ALPHA_KEY}}"
    models: {{Silent: mock-silent}}
''')
    site.ok('sync')
    process = site.start('chat', 'hello', env={'LLMGR_MASTER_KEY': key},
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        site.upstream.wait_for(1)
        proc = pathlib.Path(f'/proc/{process.pid}')
        environment = (proc / 'environ').read_bytes()
        assert b'HOME=' in environment or os.geteuid() != 0
        assert key.encode() not in environment
        limits = (proc / 'limits').read_text().splitlines()
        core = next(line for line in limits if line.startswith('Max core file size'))
        assert core.split()[4:6] == ['0', '0']
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


# ---- Bad starts (SECURITY, S8) -----------------------------------------------------------------


def bad_starts(site, key):
    """Name, environment and preparation of every start that must be refused."""
    folder = site.folder

    def put(name, text, mode=0o600):
        path = folder / name
        path.write_text(text)
        path.chmod(mode)
        return {'LLMGR_MASTER_KEY_FILE': name}

    other = ('0' if key[0] != '0' else '1') + key[1:]
    yield 'another key', put('other.key', other + '\n')
    yield 'an empty file', put('empty.key', '')
    yield 'a file of blanks', put('blank.key', '\n\n')
    yield 'a short key', put('short.key', key[:32])
    yield 'a long key', put('long.key', key * 2)
    yield 'no hexadecimal', put('nothex.key', 'z' * 64)
    yield 'zeros', put('zeros.key', '0' * 64)
    yield 'ones', put('ones.key', 'f' * 64)
    yield 'a counting key', put('count.key', ''.join(f'{i:02x}' for i in range(32)))
    yield 'a key readable by the group', put('group.key', key, 0o640)
    yield 'a key readable by all', put('world.key', key, 0o644)
    yield 'a folder', {'LLMGR_MASTER_KEY_FILE': '.'}
    yield 'a path in no folder', {'LLMGR_MASTER_KEY_FILE': 'none/such/master.key'}
    yield 'a word', {'LLMGR_MASTER_KEY': 'changeme'}
    yield 'an empty variable', {'LLMGR_MASTER_KEY': ''}
    yield 'another key in the environment', {'LLMGR_MASTER_KEY': other}
    yield 'a command that is absent', {'LLMGR_MASTER_KEY_COMMAND': '/no/such/program'}
    yield 'a command that fails', {'LLMGR_MASTER_KEY_COMMAND': '/bin/false'}
    yield 'a command that says nothing', {'LLMGR_MASTER_KEY_COMMAND': '/bin/true'}
    yield 'a command that says nonsense', {'LLMGR_MASTER_KEY_COMMAND': '/bin/echo nonsense'}
    yield 'a command that says another key', {'LLMGR_MASTER_KEY_COMMAND': f'/bin/echo {other}'}
    yield 'no home', {'HOME': ''}


def test_every_bad_start_is_refused_with_one_clear_line(site):
    site.set_key('ann', 1, 'sk-ann-0001')
    key = (site.folder / '.config/llmgr/master.key').read_text().strip()
    begin = database_bytes(site) if site.kind == 'sqlite' else None
    for name, env in bad_starts(site, key):
        result = site.run('platform', 'list', env=env)
        lines = result.err.splitlines()
        assert result.code == 9, f'{name}: {result.code} {result.out}{result.err}'
        assert len(lines) == 1 and lines[0].startswith('llmgr: '), f'{name}: {result.err}'
        for secret in (key, key[:32], key[1:]):
            assert secret not in result.err, name
        assert result.out == ''
    if begin is not None:
        assert database_bytes(site) == begin
    site.ok('platform', 'list')


def test_a_database_without_its_key_says_which_one_it_wants(site):
    site.set_key('ann', 1, 'sk-ann-0001')
    wanted = site.json('key', 'status')['master_id']
    (site.folder / '.config/llmgr/master.key').unlink()
    message = site.fails(9, 'platform', 'list')
    assert wanted in message and 'backup' in message or 'master key' in message


def test_the_master_key_may_come_by_every_road(site):
    site.set_key('ann', 1, 'sk-ann-0001')
    path = site.folder / '.config/llmgr/master.key'
    key = path.read_text().strip()
    path.unlink()
    credentials = site.folder / 'credentials'
    credentials.mkdir()
    (credentials / 'llmgr-master-key').write_text(key)
    (credentials / 'llmgr-master-key').chmod(0o600)
    for env in ({'LLMGR_MASTER_KEY': key}, {'LLMGR_MASTER_KEY_COMMAND': f'/bin/echo {key}'},
                {'CREDENTIALS_DIRECTORY': str(credentials)}):
        site.ok('-u', 'ann', 'chat', 'hello', env=env)
        assert site.upstream.last().key == 'sk-ann-0001'
        assert not path.exists()


def test_a_slow_command_for_the_master_key_is_not_waited_for_ever(site):
    site.fails(9, 'platform', 'list', env={'LLMGR_MASTER_KEY_COMMAND': '/bin/sleep 600'},
                timeout=120)
