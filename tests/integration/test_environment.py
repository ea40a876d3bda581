# SPDX-License-Identifier: MIT
"""Files and variables as people, editors and machines really leave them: what is surely meant
otherwise is refused with the right form, what is not needed is in nobody's way, and each thing is
named."""
import subprocess
import sys

import pytest

from conftest import SOURCE, on_sqlite

pytestmark = on_sqlite


def platforms(base_url, key='"{ALPHA_KEY}"'):
    return (f'platforms:\n  Alpha:\n    base_url: {base_url}\n    api_key: {key}\n'
            '    models: {One: mock}\n')


# ---- llmgr.yaml ----


def test_a_byte_order_mark_is_no_part_of_the_file(llmgr):
    (llmgr.folder / 'llmgr.yaml').write_bytes(
        b'\xef\xbb\xbfmode: custom\r\n' + platforms('https://api.example.com/v1').encode())
    assert 'Alpha' in llmgr.ok('platform', 'list')


@pytest.mark.parametrize('key', ['${ALPHA_KEY}', '"${ALPHA_KEY}"', 'os.environ/ALPHA_KEY',
                                 '$ALPHA_KEY', '{ALPHA_KEY}', '"{{ ALPHA_KEY }}"', 'env:ALPHA_KEY',
                                 '"{env:ALPHA_KEY}"', '"%ALPHA_KEY%"'])
def test_another_programs_variable_is_refused_with_ours(llmgr, key):
    llmgr.write('llmgr.yaml', platforms('https://api.example.com/v1', key))
    said = llmgr.fails(2, 'sync', env={'ALPHA_KEY': 'sk-secret-0001'})
    assert 'llmgr.yaml:4:14' in said and '"{ALPHA_KEY}"' in said and 'sk-secret' not in said, said


@pytest.mark.parametrize('url', ['https://api.example.com/v1/chat/completions',
                                 'https://api.example.com/v1/messages'])
def test_an_endpoint_is_refused_with_its_base(llmgr, url):
    llmgr.write('llmgr.yaml', platforms(url))
    assert 'write https://api.example.com/v1,' in llmgr.fails(2, 'sync')
    llmgr.write('llmgr.yaml', platforms('"{ALPHA_URL}"'))
    assert 'write https://api.example.com/v1,' in llmgr.fails(2, 'sync', env={'ALPHA_URL': url})
    llmgr.write('llmgr.yaml', '')
    assert 'write https://api.example.com/v1,' in llmgr.fails(
        2, '-u', 'alice', 'platform', 'add', '--name', 'Mine', '--base-url', url)
    mine = llmgr.json('-u', 'alice', 'platform', 'add', '--name', 'Mine', '--base-url',
                      'https://api.example.com/v1')['platform_id']
    assert 'write https://api.example.com/v1,' in llmgr.fails(
        2, '-u', 'alice', 'platform', 'set-url', mine, url)


def test_a_key_that_nobody_filled_in_is_none(llmgr):
    said = llmgr.fails(2, '-u', 'alice', 'platform', 'add', '--name', 'Mine', '--base-url',
                       'https://api.example.com/v1', '--key-stdin', stdin='${OPENAI_API_KEY}\n')
    assert 'variable' in said


@pytest.mark.parametrize('value', ['${DATABASE_URL}', 'sqlite:$HOME/llmgr.db', '~/llmgr.db'])
def test_an_option_that_nobody_filled_in_is_no_file(llmgr, value):
    llmgr.fails(2, 'platform', 'list', env={'LLMGR_DB': value})
    llmgr.fails(2, '--db', value, 'platform', 'list')
    assert sorted(path.name for path in llmgr.folder.iterdir()) == []


# ---- .env ----


def test_a_bad_line_of_dotenv_names_itself_and_the_rest_is_used(llmgr):
    llmgr.write('llmgr.yaml', platforms('https://api.example.com/v1'))
    llmgr.write('.env', 'this is no line\nOTHER=${ALPHA_KEY}\nALPHA_KEY=sk-alpha-0001\n'
                        'OPEN="never closed\n')
    result = llmgr.run('sync')
    assert result.code == 0, result.err
    for line in ('.env:1:', '.env:2:', '.env:4:'):
        assert line in result.err, result.err
    assert '.env:3:' not in result.err and 'sk-alpha' not in result.err
    assert llmgr.json('platform', 'list')[0]['api_key_set']


def test_a_variable_that_is_set_but_empty_is_told(llmgr):
    llmgr.write('llmgr.yaml', platforms('https://api.example.com/v1'))
    llmgr.write('.env', 'ALPHA_KEY=sk-alpha-0001\n')
    result = llmgr.run('sync', env={'ALPHA_KEY': ''})
    assert result.code == 0
    assert 'ALPHA_KEY is set but empty in the environment' in result.err and 'hides' in result.err
    assert llmgr.run('sync').err == ''
    llmgr.write('.env', '')
    result = llmgr.run('sync', env={'ALPHA_KEY': ''})
    assert 'ALPHA_KEY is set but empty' in result.err and 'hides' not in result.err


def test_both_are_told_in_the_readers_language(llmgr):
    llmgr.write('llmgr.yaml', platforms('https://api.example.com/v1'))
    llmgr.write('.env', 'this is no line\n')
    result = llmgr.run('sync', env={'ALPHA_KEY': '', 'LC_ALL': 'zh_CN.UTF-8', 'LANGUAGE': 'zh_CN'})
    assert '.env:1' in result.err and 'ALPHA_KEY' in result.err
    assert '环境' in result.err, result.err


# ---- Proxies that every program is told of ----


@pytest.fixture(name='asking')
def asking_fixture(llmgr, mockllm):
    """A platform on 127.0.0.1, and a chat with it."""
    llmgr.write('llmgr.yaml', platforms(mockllm.base_url).replace('mock}', 'mock-small}'))
    llmgr.env['ALPHA_KEY'] = 'sk-alpha-0001'
    llmgr.ok('sync')
    return lambda env: llmgr.run('chat', 'hello', env=env)


PROXIES = ['socks5://127.0.0.1:1', 'https://user:hunter2@proxy:1', 'http://', 'http://p\x01xy:1',
           'http://proxy:99999', 'http://proxy/path', '${PROXY}', 'x' * 5000]


@pytest.mark.parametrize('name', ['HTTPS_PROXY', 'https_proxy'])
@pytest.mark.parametrize('proxy', PROXIES)
def test_an_inherited_proxy_fails_only_who_needs_it(llmgr, asking, name, proxy):
    llmgr.ok('token', 'list', env={name: proxy})
    llmgr.ok('platform', 'list', env={name: proxy})
    result = asking({name: proxy})
    assert result.code != 0 and f'{name}: ' in result.err and 'hunter2' not in result.err
    assert asking({name: proxy, 'NO_PROXY': '127.*'}).code == 0
    # What was set for this program is told at once.
    assert 'proxy' in llmgr.fails(2, 'platform', 'list',
                                  env={'LLMGR_HTTPS_PROXY': proxy}).lower()


def test_a_proxy_without_a_scheme_is_one(llmgr, asking):
    result = asking({'https_proxy': '127.0.0.1:1'})
    assert result.code != 0 and '127.0.0.1:1' in result.err
    assert asking({'https_proxy': '127.0.0.1:1', 'no_proxy': '127.0.0.1'}).code == 0


def test_an_inherited_list_is_used_as_far_as_it_is_understood(llmgr, asking):
    proxied = {'https_proxy': '127.0.0.1:1'}
    for known in ('127.*', '127.0.0.*', '10.0.0.0/8;127.0.0.1', 'http://127.0.0.1/', '*'):
        assert asking({**proxied, 'NO_PROXY': known}).err == '', known
    result = asking({**proxied, 'NO_PROXY': '10.0.0.1-10.0.0.9, 127.0.0.1, b@d'})
    assert result.code == 0
    assert 'NO_PROXY: "10.0.0.1-10.0.0.9"' in result.err and result.err.count('left out') == 1
    assert llmgr.run('token', 'list', env={'NO_PROXY': '10.0.0.1-10.0.0.9', **proxied}).err == ''
    assert 'no_proxy' in llmgr.fails(2, 'platform', 'list',
                                     env={'LLMGR_NO_PROXY': '10.0.0.1-10.0.0.9', **proxied})


# ---- The master key ----


@pytest.fixture(name='keyed')
def keyed_fixture(llmgr):
    """A database whose keys are sealed, and one token."""
    llmgr.write('llmgr.yaml', platforms('https://api.example.com/v1'))
    llmgr.ok('sync', env={'ALPHA_KEY': 'sk-alpha-0001'})
    llmgr.ok('-u', 'alice', 'token', 'create')
    return llmgr.folder / '.config' / 'llmgr' / 'master.key'


def without_the_key(keyed):
    keyed.rename(keyed.with_suffix('.away'))
    return {}


def with_the_key_open_to_all(keyed):
    keyed.chmod(0o644)
    return {}


WITHOUT = [without_the_key, with_the_key_open_to_all, lambda _: {'HOME': ''},
           lambda _: {'LLMGR_MASTER_KEY': 'not a key'},
           lambda _: {'LLMGR_MASTER_KEY_COMMAND': 'false'},
           lambda _: {'LLMGR_MASTER_KEY': '0123456789abcdef' * 2 + 'fedcba9876543210' * 2}]


@pytest.mark.parametrize('without', WITHOUT)
def test_commands_that_need_no_key_do_not_need_it(llmgr, keyed, without):
    env = without(keyed)
    result = llmgr.run('token', 'list', env=env)
    assert result.code == 0 and 'alice' in result.out and result.err == '', result.err
    created = llmgr.json('-u', 'bob', 'token', 'create', env=env)
    llmgr.ok('token', 'revoke', created['token_id'], env=env)
    llmgr.ok('usage', env=env)
    llmgr.fails(9, 'platform', 'list', env=env)
    assert not keyed.exists() or without is not without_the_key  # none was made in its place


def test_a_missing_master_key_is_told_without_contradiction(llmgr, keyed):
    needed = llmgr.json('key', 'status')['master_id']
    without_the_key(keyed)
    said = {llmgr.fails(9, 'platform', 'list') for _ in range(2)}
    assert len(said) == 1, said
    message = said.pop()
    assert 'is missing' in message and needed in message and 'the one given' not in message
    keyed.with_suffix('.away').rename(keyed)
    llmgr.ok('platform', 'list')


def test_a_wrong_master_key_is_told_with_both_ids(llmgr, keyed):
    other = '0123456789abcdef' * 2 + 'fedcba9876543210' * 2
    message = llmgr.fails(9, 'platform', 'list', env={'LLMGR_MASTER_KEY': other})
    assert 'the one given is' in message and 'missing' not in message


def test_an_older_database_is_migrated_with_the_key_it_needs(llmgr):
    """Its clear keys are sealed on the way, under a key that lasts, whatever command is first."""
    subprocess.run([sys.executable, '-B', SOURCE / 'tests' / 'unit' / 'store' / 'make_original.py',
                    llmgr.folder / 'llmgr.db'], check=True)
    key = llmgr.folder / '.config' / 'llmgr' / 'master.key'
    llmgr.ok('token', 'list')
    assert key.exists()
    assert llmgr.json('key', 'status')['keys'][0]['records'] > 0
    llmgr.ok('db', 'check')
