# SPDX-License-Identifier: MIT
"""Our client side against servers that providers really run: every way in which an answer can be
framed, kept alive, cut, encrypted, and reached."""
import hashlib
import json

import canned
import pytest
from peers import BACKS, KINDS, find, free_port

LARGE = hashlib.sha256(canned.LARGE).hexdigest()
ZEROS = {size: hashlib.sha256(bytes(size)).hexdigest() for size in (1, 5000, 1 << 20)}


def need(server, what):
    if what not in server.can:
        pytest.skip(f'{server.kind} has no {what}')


def ok(answer, status=200):
    assert (answer['status'], answer.get('http')) == ('OK', status), answer
    return answer


# ---- Framing -------------------------------------------------------------------------------------

def test_a_whole_answer_arrives_and_its_connection_is_used_again(server, exchange):
    answers = exchange({'url': server.url('models'), 'times': 5})
    assert all('canned' in ok(answer)['text'] for answer in answers)
    assert [answer['reused'] for answer in answers] == [False, True, True, True, True]


def test_a_chat_answer_follows_its_request(server, exchange):
    answers = exchange({'url': server.url('chat'), 'method': 'POST', 'upload': 5000, 'times': 3})
    assert all('Grüße' in ok(answer)['text'] for answer in answers)


def test_a_stream_arrives_event_by_event(server, exchange):
    answers = exchange({'url': server.url('stream'), 'method': 'POST', 'upload': 10, 'times': 3})
    for answer in answers:
        assert ok(answer)['text'].encode() == b''.join(canned.EVENTS)


@pytest.mark.parametrize('path', ['large', 'large-chunked'])
@pytest.mark.parametrize('pause', [False, True], ids=['flowing', 'pausing'])
def test_a_megabyte_comes_whole(server, exchange, path, pause):
    answers = exchange({'url': server.url(path), 'times': 3, 'pause': pause})
    for answer in answers:
        assert (ok(answer)['size'], answer['sha256']) == (1 << 20, LARGE)


def test_a_megabyte_of_a_file_comes_whole(server, exchange):
    need(server, 'static')
    url = server.url('').replace('/v1/', '/static/large.bin')
    for answer in exchange({'url': url, 'times': 2}):
        assert (ok(answer)['size'], answer['sha256']) == (1 << 20, LARGE)


@pytest.mark.parametrize('chunked', [False, True], ids=['length', 'chunked'])
@pytest.mark.parametrize('size', list(ZEROS))
def test_what_is_sent_arrives_whole(server, exchange, size, chunked):
    answers = exchange({'url': server.url('upload'), 'method': 'POST', 'upload': size,
                        'chunked': chunked, 'times': 2})
    for answer in answers:
        assert json.loads(ok(answer)['text']) == {'size': size, 'sha256': ZEROS[size]}


def test_many_at_once_do_not_mix(server, exchange):
    answers = exchange({'url': server.url('large'), 'times': 12, 'together': True},
                       {'url': server.url('models'), 'times': 2})
    assert all(ok(answer)['sha256'] == LARGE for answer in answers[:12])
    assert answers[12]['reused'] and 'canned' in answers[13]['text']


@pytest.mark.parametrize('status', [400, 401, 404, 429, 500, 503])
def test_errors_are_answers_and_keep_the_connection(server, exchange, status):
    answers = exchange({'url': server.url(f'status/{status}'), 'times': 2},
                       {'url': server.url('models')})
    assert f'canned {status}' in ok(answers[0], status)['text']
    if status == 429:
        assert answers[0]['fields']['retry-after'] == '7'
    ok(answers[1], status)
    ok(answers[2])
    # Apache closes after the gravest.
    assert answers[2]['reused'] or (server.kind == 'apache' and status in (400, 500, 503))


def test_no_content_is_an_answer(server, exchange):
    answers = exchange({'url': server.url('empty'), 'times': 2}, {'url': server.url('models')})
    assert ok(answers[0], 204)['size'] == 0
    ok(answers[1], 204)
    assert 'canned' in ok(answers[2])['text']
    assert answers[1]['reused'] and answers[2]['reused']


def test_head_has_no_body_and_does_not_upset_the_next(server, exchange):
    need(server, 'static')
    url = server.url('').replace('/v1/', '/static/large.bin')
    answers = exchange({'url': url, 'method': 'HEAD'}, {'url': url})
    assert (ok(answers[0])['size'], answers[0]['fields']['content-length']) == (0, str(1 << 20))
    assert ok(answers[1])['sha256'] == LARGE


def test_a_redirect_is_not_followed(server, exchange):
    answer = exchange({'url': server.url('redirect')})[0]
    assert (answer['status'], answer.get('http')) == ('UPSTREAM', None)


# ---- Ends ----------------------------------------------------------------------------------------

def test_an_announced_close_is_no_failure(server, exchange):
    answers = exchange({'url': server.url('close'), 'times': 3})
    assert all('canned' in ok(answer)['text'] for answer in answers)
    assert all(answer['attempts'] == 1 for answer in answers)


@pytest.mark.parametrize('path', ['cut', 'cut-chunked'])
def test_an_answer_that_breaks_off_is_never_whole(server, exchange, path):
    need(server, 'cut')
    if (server.kind, path) == ('lighttpd', 'cut-chunked'):
        pytest.skip('lighttpd may pass on what it got as if it were all')
    answers = exchange({'url': server.url(path)}, {'url': server.url('models')})
    # A server in front may notice before its head is out, and then has an answer of its own; h2o
    # says that its chunks break off by one that is none.
    broken = ('CUT', 'PROTOCOL') if server.kind == 'h2o' else ('CUT',)
    assert answers[0]['status'] in broken or answers[0]['http'] in (500, 502), answers[0]
    ok(answers[1])


def test_an_answer_until_the_close_is_whole(server, exchange):
    need(server, 'until-close')
    answers = exchange({'url': server.url('until-close'), 'times': 2})
    for answer in answers:
        told = json.loads(ok(answer)['text'])
        assert told['choices'][0]['message']['content'] == 'Grüße'
        assert answer['attempts'] == 1


def test_interim_answers_are_skipped(server, exchange):
    need(server, 'interim')
    answers = exchange({'url': server.url('interim'), 'times': 3})
    assert all('canned' in ok(answer)['text'] for answer in answers)
    assert answers[2]['reused']


def test_trailers_are_skipped(server, exchange):
    need(server, 'trailers')
    answers = exchange({'url': server.url('trailers'), 'times': 3})
    assert all('Grüße' in ok(answer)['text'] for answer in answers)
    assert answers[2]['reused']


@pytest.mark.parametrize('kind, start', [('nginx', '/brief/v1/'), ('httplib', '/v1/')])
def test_a_server_that_tires_of_waiting_is_dialled_anew(servers, exchange, kind, start):
    url = servers(kind).url('').replace('/v1/', start)
    answers = exchange({'url': url + 'models', 'times': 2},
                       {'url': url + 'models', 'forsaken': True},
                       {'url': url + 'upload', 'method': 'POST', 'upload': 5000})
    assert [ok(answer)['reused'] for answer in answers[:3]] == [False, True, False]
    assert answers[2]['attempts'] == 1  # its close was seen while the connection waited
    assert json.loads(ok(answers[3])['text'])['sha256'] == ZEROS[5000]


@pytest.mark.parametrize('path', ['old', 'old-kept'])
def test_an_answer_in_http_1_0_has_its_length(servers, exchange, path):
    answers = exchange({'url': servers('python').url(path), 'times': 3})
    for answer in answers:
        assert ok(answer)['text'].encode() == canned.CHAT
        assert answer['attempts'] == 1
    assert not any(answer['reused'] for answer in answers) or path == 'old-kept'


def test_leaving_early_leaves_nothing_behind(server, exchange):
    answers = exchange({'url': server.url('large'), 'cancel_after': 1000, 'times': 3},
                       {'url': server.url('large')})
    assert [answer['status'] for answer in answers] == ['CANCELLED'] * 3 + ['OK']
    assert answers[3]['sha256'] == LARGE


def test_a_backend_that_is_asked_in_http_1_0_is_understood(servers, exchange):
    server = servers('nginx')
    for path in ('models', 'large', 'until-close'):
        url = server.url(path).replace('/v1/', '/old/v1/')
        assert all(answer['size'] > 50 for answer in map(ok, exchange({'url': url, 'times': 2})))


# ---- TLS -----------------------------------------------------------------------------------------

@pytest.fixture(name='tls', params=['1.2', '1.3'])
def tls_fixture(server, request):
    """url(path, host): of a port of `server` that speaks this version only."""
    port = server.tls12 if request.param == '1.2' else server.tls13

    def url(path, host='127.0.0.1'):
        return server.url(path, port, host, 'https')
    url.version = request.param
    return url


def names(*hosts):
    return {host: ['127.0.0.1'] for host in hosts}


def test_everything_works_encrypted(tls, exchange):
    answers = exchange({'url': tls('models'), 'times': 3},
                       {'url': tls('large'), 'times': 2, 'pause': True},
                       {'url': tls('large-chunked')},
                       {'url': tls('stream'), 'method': 'POST', 'upload': 100},
                       {'url': tls('upload'), 'method': 'POST', 'upload': 1 << 20, 'times': 2},
                       {'url': tls('large'), 'times': 8, 'together': True})
    for answer in answers:
        ok(answer)
    assert answers[1]['reused'] and answers[2]['reused']
    assert {answers[i]['sha256'] for i in (3, 4, 5, *range(9, 17))} == {LARGE}
    assert answers[6]['text'].encode() == b''.join(canned.EVENTS)
    assert json.loads(answers[8]['text']) == {'size': 1 << 20, 'sha256': ZEROS[1 << 20]}


def test_a_cut_is_seen_through_encryption(server, tls, exchange):
    need(server, 'cut')
    answer = exchange({'url': tls('cut')})[0]
    assert answer['status'] == 'CUT' or answer['http'] in (500, 502), answer


def test_a_name_is_verified(tls, exchange):
    good = exchange({'url': tls('models', 'good.test')}, names=names('good.test'))[0]
    ok(good)
    wrong = exchange({'url': tls('models', 'wrong.test')}, names=names('wrong.test'))[0]
    assert wrong['status'] == 'TLS' and wrong.get('http') is None, wrong


def test_a_private_authority_is_trusted_only_where_it_is_given(tls, exchange, yard):
    stranger = str(yard.folder / 'stranger.pem')
    assert exchange({'url': tls('models')}, ca=stranger)[0]['status'] == 'TLS'


def test_several_names_at_one_address_have_certificates_of_their_own(server, tls, exchange):
    need(server, 'sni')
    hosts = names('good.test', 'second.test', 'expired.test')
    answers = exchange({'url': tls('models', 'good.test')}, {'url': tls('models', 'second.test')},
                       {'url': tls('models', 'expired.test')}, names=hosts)
    ok(answers[0])
    ok(answers[1])
    assert answers[2]['status'] == 'TLS' and 'expired' in answers[2]['message'], answers[2]


def test_a_session_is_resumed(server, tls, exchange):
    answers = exchange({'url': tls('models')}, {'url': tls('models'), 'fresh': True},
                       {'url': tls('models'), 'fresh': True})
    assert ok(answers[0])['sessions'] >= 1
    # A ticket of TLS 1.3 is used once: the server sends several, or the next one each time.
    assert [ok(answer)['resumed'] for answer in answers] == [False, True, True]
    if 'resumes' in server.can:  # by the server's word too
        told = [answer['fields'].get('x-resumed', '0') for answer in answers]
        assert [word in ('1', 'r', 'Resumed') for word in told] == [False, True, True]


def test_clear_text_on_an_encrypted_port_is_an_error(tls, exchange):
    answer = exchange({'url': tls('models').replace('https:', 'http:'), 'timeout_ms': 5000})[0]
    assert answer['status'] != 'OK' or answer['http'] == 400, answer


# ---- Ways ----------------------------------------------------------------------------------------

def test_an_ipv6_address_is_reached(server, exchange):
    need(server, 'ipv6')
    answers = exchange({'url': server.url('models', host='[::1]'), 'times': 2})
    assert ok(answers[1])['reused']


@pytest.mark.parametrize('kind', [kind for kind in BACKS if 'ipv6' in KINDS[kind]])
def test_an_address_is_verified_as_an_address(servers, exchange, kind):
    server = servers(kind)
    for version in (server.tls12, server.tls13):
        ok(exchange({'url': server.url('models', version, '[::1]', 'https')})[0])


@pytest.mark.parametrize('dead', ['127.0.0.9', '::2', '192.0.2.1'])
def test_a_dead_first_address_is_passed_over(servers, exchange, dead):
    server = servers('nginx')
    answers = exchange({'url': server.url('models', host='half.test'), 'times': 2},
                       names={'half.test': [dead, '127.0.0.1']})
    assert ok(answers[1])['reused']


@pytest.fixture(name='proxy', params=['squid', 'tinyproxy'])
def proxy_fixture(request, yard, proxies):
    return proxies(request.param, yard)


@pytest.fixture(name='proxies', scope='session')
def proxies_fixture():
    """URL of a running forward proxy."""
    running = {}

    def get(kind, yard):
        if kind not in running:
            program = find(kind)
            port = free_port()
            path = yard.configure(f'{kind}.conf', plain=port)
            words = ['-d', '-c', path]
            if kind == 'squid':
                words = ['-N', '-n', f'interop{port}', '-f', path]
            yard.start(kind, [port], program, *words)
            user = 'ann:s3cret@' if kind == 'tinyproxy' else ''
            running[kind] = f'http://{user}127.0.0.1:{port}'
        return running[kind]
    return get


@pytest.mark.parametrize('kind', ['nginx', 'go'])
def test_a_proxy_is_passed_by_connect(servers, exchange, proxy, kind):
    server = servers(kind)
    answers = exchange({'url': server.url('models'), 'times': 2}, {'url': server.url('large')},
                       {'url': server.url('models', server.tls13, scheme='https'), 'times': 2},
                       {'url': server.url('upload', server.tls12, scheme='https'),
                        'method': 'POST', 'upload': 1 << 20},
                       {'url': server.url('stream'), 'method': 'POST', 'upload': 9}, proxy=proxy)
    for answer in answers:
        ok(answer)
    assert answers[1]['reused'] and answers[4]['reused']
    assert answers[2]['sha256'] == LARGE
    assert json.loads(answers[5]['text'])['sha256'] == ZEROS[1 << 20]


def test_a_proxy_that_refuses_is_named(exchange, yard, proxies, servers):
    server = servers('go')
    url = proxies('tinyproxy', yard).replace('ann:s3cret@', '')
    answer = exchange({'url': server.url('models')}, proxy=url)[0]
    assert answer['status'] == 'UNREACHABLE' and 'credentials' in answer['message'], answer
    nobody = exchange({'url': 'http://127.0.0.1:1/v1/models'}, proxy=proxies('squid', yard))[0]
    assert nobody['status'] == 'UNREACHABLE', nobody
