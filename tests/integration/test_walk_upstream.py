# SPDX-License-Identifier: MIT
"""A walk along the road upstream: chat in all its forms, probe, and what may go wrong there."""
import json
import re
import signal
import subprocess
import time

import pytest

from conftest import Mockllm, on_postgres


def test_an_answer_is_streamed_and_the_request_is_what_was_asked(site):
    assert site.ok('chat', '你好') == 'Hello from mockllm! You said: 你好\n'
    request = site.upstream.last()
    assert (request.method, request.path) == ('POST', '/v1/chat/completions')
    assert request.key == 'sk-alpha-server-0001'
    assert request.json['model'] == 'mock' and request.json['stream'] is True
    assert request.json['messages'] == [{'role': 'user', 'content': '你好'}]


def test_a_whole_answer_is_one_document(site):
    document = site.json('chat', '--system', 'Be brief.', 'hello')
    assert document['content'].endswith('hello') and document['finish_reason'] == 'stop'
    assert document['usage']['total_tokens'] > 0
    assert document['platform'] == 'Alpha' and document['tool_calls'] == []
    body = site.upstream.last().json
    assert not body.get('stream')
    assert body['messages'][0] == {'role': 'system', 'content': 'Be brief.'}
    assert site.ok('chat', '--no-stream', 'hello') == document['content'] + '\n'


@pytest.mark.parametrize('args', [[], ['-']])
def test_the_prompt_may_come_from_standard_input(site, args):
    site.ok('chat', *args, stdin='line one\nline two\n')
    assert site.upstream.last().json['messages'][0]['content'] == 'line one\nline two'


def test_extra_body_is_merged_into_the_request_s_top_level(site):
    site.ok('chat', '--model', 'Two', 'hello')
    assert site.upstream.last().json['top_k'] == 20


def test_reasoning_is_no_part_of_a_pipe_but_of_the_document(site):
    assert 'hello' in site.ok('chat', '--model', 'Three', 'hello')
    document = site.json('chat', '--model', 'Three', 'hello')
    assert document['reasoning_content']
    assert document['reasoning_content'] not in document['content']


def scripted(site, model):
    """The site's only model is now this one of the scripted upstream."""
    site.configure(platforms=f'''
  Alpha:
    base_url: {site.base_url}
    api_key: "{{ALPHA_KEY}}"
    models: {{M: {model}}}
''')


def test_tool_calls_are_printed(site):
    scripted(site, 'mock-tools')
    for more in ([], ['--no-stream']):
        assert '(' in site.ok('chat', *more, 'hello')
    calls = site.json('chat', 'hello')['tool_calls']
    assert len(calls) == 2 and all(json.loads(call['arguments']) is not None for call in calls)


@pytest.mark.parametrize('model, code, word', [
    ('mock-401', 7, 'key'), ('mock-403', 7, 'key'), ('mock-429', 8, '7 s'), ('mock-500', 8, '500'),
    ('mock-404', 8, '404'), ('mock-429+html', 8, '429'), ('mock-cut-300', 8, ''),
    ('mock-drop', 8, ''), ('mock-badjson', 8, ''), ('mock-redirect', 8, '302'),
    ('mock-not-http', 8, ''), ('mock-empty', 8, ''), ('mock-error-event', 8, ''),
    ('mock-error-200', 8, ''), ('mock-no-finish', 8, ''), ('mock-headerflood', 8, ''),
])
def test_each_failure_of_the_upstream_is_one_clear_error(site, model, code, word):
    scripted(site, model)
    for more in ([], ['--no-stream']):
        if more and model in ('mock-no-finish', 'mock-error-event'):
            continue  # vices of streams
        message = site.fails(code, 'chat', *more, 'hello')
        line = message.splitlines()[-1]
        assert word in line and 'sk-alpha' not in message, message
        assert 'Alpha' in line, message


@pytest.mark.parametrize('model', ['mock-crlf', 'mock-cr', 'mock-comments', 'mock-split-1',
                                   'mock-slow-1', 'mock-no-usage', 'mock-no-done',
                                   'mock-whole', 'mock-1xx', 'mock-close'])
def test_every_lawful_framing_is_understood(site, model):
    scripted(site, model)
    assert site.ok('chat', 'hello').endswith('hello\n')


def test_a_line_of_a_megabyte_passes(site):
    scripted(site, 'mock-bigline')
    assert len(site.ok('chat', 'hello')) > 1 << 20


@pytest.mark.parametrize('model', ['mock-slow-200+chunks-400', 'mock-silent', 'mock-stall'])
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_exchange_at_once(site, model, number):
    scripted(site, model)
    site.ok('sync')
    process = site.start('chat', 'hello', stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    site.upstream.wait_for(1)
    time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)  # the whole answer would take longer
    assert process.returncode == 1 and b'cancelled' in err


def test_an_unreachable_platform_is_named(site):
    site.configure(platforms='''
  Alpha:
    base_url: http://127.0.0.1:9/v1
    api_key: "{ALPHA_KEY}"
    models: {M: mock}
''')
    assert 'Alpha' in site.fails(8, 'chat', 'hello')


# ---- Probe -----------------------------------------------------------------------------------


def test_probe_lists_what_an_address_offers(site):
    ids = [row['id'] for row in site.json('probe', '--base-url', site.base_url, '--key-env',
                                           'ALPHA_KEY')]
    assert ids == ['mock-model']
    assert site.upstream.last().key == 'sk-alpha-server-0001'
    assert site.upstream.last().path == '/v1/models'
    assert site.ok('probe', '--base-url', site.base_url).splitlines() == ids
    assert site.json('platform', 'probe', 1)[0]['raw']['id'] == ids[0]


def test_probe_tells_its_failures_apart(site, tmp_path):
    def probe(url):
        result = site.run('--json', 'probe', '--base-url', url, '--key-env', 'ALPHA_KEY')
        error = json.loads(result.err.splitlines()[-1])['error']
        assert error['exit_code'] == result.code and result.out == ''
        return error['code'], result.code

    assert probe('http://127.0.0.1:9/v1') == ('ERR_UNREACHABLE', 8)
    for mode, told in [('nolist', ('ERR_NO_LIST', 8)), ('html', ('ERR_NO_LIST', 8)),
                       ('401', ('ERR_KEY_REFUSED', 7)), ('500', ('ERR_UPSTREAM', 8))]:
        other = Mockllm(tmp_path, '--models-mode', mode)
        try:
            assert probe(other.base_url) == told, mode
        finally:
            other.stop()


def test_private_addresses_are_shut_to_users_and_open_to_the_operator(site):
    shut = ['http://127.0.0.1:1/v1', 'https://127.0.0.1/v1', 'https://10.0.0.1/v1',
            'https://[::1]/v1', 'https://169.254.169.254/v1', 'https://[::ffff:127.0.0.1]/v1',
            'https://0x7f.1/v1', 'https://2130706433/v1', 'https://192.168.1.1/v1',
            'http://public.example.com/v1', 'https://localhost/v1', 'https://100.100.100.200/v1']
    for url in shut:
        result = site.run('-u', 'ann', 'platform', 'add', '--name', 'X', '--base-url', url)
        assert result.code in (2, 4), f'{url}: {result.code} {result.err}'
        assert site.run('-u', 'ann', 'probe', '--base-url', url).code in (2, 4), url
    assert set(site.platforms('ann')) == {'Alpha', 'Beta', 'Empty'}
    site.ok('probe', '--base-url', site.base_url)


def test_an_operator_may_open_networks(site):
    site.allow_private()
    url = site.base_url.replace('127.0.0.1', '127.0.0.2')
    platform = site.add_platform('ann', 'LAN', url, 'sk-own-0007')
    # The listener is on 127.0.0.1 only: the address is allowed, and nobody is there.
    site.add_model('ann', platform, 'mock', '--display', 'Own')
    site.fails(8, '-u', 'ann', 'chat', '--model', 'Own', 'hello')
    site.fails(4, '-u', 'ann', 'platform', 'add', '--name', 'Meta', '--base-url',
                'http://169.254.169.254/v1')


def test_a_stored_address_is_judged_again_when_it_is_connected_to(site):
    site.allow_private()
    url = site.base_url.replace('127.0.0.1', '127.0.0.2')
    platform = site.add_platform('ann', 'LAN', url, 'sk-own-0007')
    site.add_model('ann', platform, 'mock', '--display', 'Own')
    del site.env['LLMGR_ALLOW_CIDR'], site.env['LLMGR_ALLOW_HTTP']
    site.fails(4, '-u', 'ann', 'chat', '--model', 'Own', 'hello')


@on_postgres
def test_the_database_is_shut_to_private_platforms(site):
    """Even where the operator opened the network the database stands in."""
    port = re.search(r':(\d+)/', site.url)
    port = port.group(1) if port else '5432'
    site.allow_private()
    url = f'http://127.0.0.1:{port}/v1'
    site.fails(4, '-u', 'ann', 'platform', 'add', '--name', 'DB', '--base-url', url)
    site.fails(4, '-u', 'ann', 'probe', '--base-url', url)
    site.add_platform('ann', 'Near', 'http://127.0.0.1:5439/v1')
