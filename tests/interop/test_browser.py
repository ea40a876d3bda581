# SPDX-License-Identifier: MIT
"""Our server from a page in a real browser, as chat applications without a server of their own do:
another origin, a preflight, a stream that is read while it comes."""
import pytest
from browser import Browser, JavaScriptError, Site
from gateway import ASK

POST = '''
  const [url, token, ask] = given;
  const answer = await fetch(url + '/v1/chat/completions', {method: 'POST', headers: {
    'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json',
    'X-Stainless-Lang': 'js'}, body: JSON.stringify(ask)});
'''
READ = POST + '''
  return {status: answer.status, id: answer.headers.get('x-request-id'),
          after: answer.headers.get('retry-after'), text: await answer.text()};
'''


@pytest.fixture(name='browser', scope='session')
def browser_fixture(yard):
    browser = Browser(yard)
    yield browser
    browser.stop()


@pytest.fixture(name='page', params=['site.test', 'localhost'])
def page_fixture(browser, request):
    """The browser on a page of a foreign site, or of another program on this machine."""
    with Site(request.param) as site:
        browser.open(site.url)
        yield browser
        site.shutdown()


@pytest.fixture(name='gateway')
def gateway_fixture(gateways):
    return gateways('clear')


def test_a_page_reads_a_whole_answer(page, gateway):
    said = page.run(READ, gateway.url, gateway.token, ASK)
    assert said['status'] == 200 and said['id'] and '你好' in said['text']


def test_a_page_reads_a_stream_to_its_end(page, gateway):
    said = page.run(READ, gateway.url, gateway.token, ASK | {'stream': True})
    assert said['text'].endswith('data: [DONE]\n\n')


def test_a_page_reads_events_as_they_come_and_may_leave(page, gateway):
    gone = 'llmgr_attempts_total{end="client_gone"}'
    before = gateway.metrics()[gone]
    first = page.run(POST + '''
      const reader = answer.body.getReader();
      const first = await reader.read();
      await reader.cancel();
      return new TextDecoder().decode(first.value);
    ''', gateway.url, gateway.token, ASK | {'model': 'mock-stall', 'stream': True})
    assert first.startswith('data: {')
    gateway.wait_for('the attempt to be given up', lambda now: now[gone] == before + 1)


def test_a_page_can_read_errors(page, gateway):
    wrong = page.run(READ, gateway.url, 'sk-llmgr-wrong', ASK)
    assert wrong['status'] == 401 and 'invalid_api_key' in wrong['text']
    limited = page.run(READ, gateway.url, gateway.token, ASK | {'model': 'mock-429'})
    assert (limited['status'], limited['after']) == (429, '7')


def test_a_page_lists_models(page, gateway):
    text = page.run('''
      const answer = await fetch(given[0] + '/v1/models',
                                 {headers: {Authorization: 'Bearer ' + given[1]}});
      return await answer.text();
    ''', gateway.url, gateway.token)
    assert '"mock-echo"' in text


def test_a_server_told_not_to_answer_pages_would_be_noticed(page, gateways):
    closed = gateways('closed')
    with pytest.raises(JavaScriptError, match='TypeError'):
        page.run(READ, closed.url, closed.token, ASK)


# In mode `single` there is no token that a page would have to know. A page of any site that is open
# in the same browser could then ask at this machine's cost, and read the answers, if CORS let it.

def test_without_tokens_a_page_reads_nothing(page, gateways):
    single = gateways('single')
    before = len(single.upstream.requests())
    with pytest.raises(JavaScriptError, match='TypeError'):
        page.run(READ, single.url, 'any', ASK)
    with pytest.raises(JavaScriptError, match='TypeError'):
        page.run('return await (await fetch(given[0] + "/v1/models")).text()', single.url)
    assert len(single.upstream.requests()) == before


SIMPLE = '''
  const answer = await fetch(given[0] + given[1], {method: 'POST', mode: 'no-cors',
    headers: {'Content-Type': 'text/plain'}, body: JSON.stringify(given[2])});
  return answer.type;
'''


def test_without_tokens_a_foreign_page_has_nothing_done(browser, gateways):
    """What needs no preflight (a "simple" request) arrives; it is refused, not only unread."""
    single = gateways('single')
    before = len(single.upstream.requests())
    with Site('site.test') as site:
        browser.open(site.url)
        assert browser.run(SIMPLE, single.url, '/v1/chat/completions', ASK) == 'opaque'
        assert browser.run(SIMPLE, single.url, '/api/tokens', {'kind': 'admin'}) == 'opaque'
        site.shutdown()
    assert len(single.upstream.requests()) == before
    assert single.llmgr.json('token', 'list') == []
