# SPDX-License-Identifier: MIT
"""Our server under wrk and h2load, in clear and with TLS, with and without pipelining: bounded
loads of which only the errors count, never the time."""
import json
import re
import subprocess

import pytest
from gateway import ASK
from peers import PATIENCE_S, find

COUNT = 2000
STREAM = {**ASK, 'stream': True}
WRK = '''-- SPDX-License-Identifier: MIT
wrk.method = "POST"
wrk.body = [[%s]]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
local together = {}
init = function()
  for i = 1, %d do together[i] = wrk.format(nil, "/v1/chat/completions") end
  together = table.concat(together)
end
request = function() return together end
'''


def load(*command, fails=False):
    """What the program says; it is given long enough on any machine."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=4 * PATIENCE_S)
    assert fails or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tell(said):
    """h2load's counts: total, done, succeeded, failed, errored, timeout, 2xx, 4xx, ..."""
    lines = [line for line in said.splitlines() if line.startswith(('requests:', 'status codes:'))]
    return {name: int(count) for count, name in re.findall(r'(\d+) (\w+)', ' '.join(lines))}


@pytest.fixture(name='gateway', params=['load', 'load-secret'], ids=['clear', 'tls'])
def gateway_fixture(gateways, request):
    return gateways(request.param)


@pytest.fixture(name='h2load')
def h2load_fixture(gateway, yard):
    def run(ask, together=1, token=None, path='/v1/chat/completions'):
        body = yard.folder / 'h2load.json'
        body.write_text(json.dumps(ask), encoding='utf-8')
        return tell(load(find('h2load'), '--h1', '-n', COUNT, '-c', 20, '-m', together, '-d', body,
                         '-H', f'Authorization: Bearer {token or gateway.token}',
                         '-H', 'Content-Type: application/json', gateway.url + path))
    return run


@pytest.mark.parametrize('together', [1, 4], ids=['one', 'pipelined'])
@pytest.mark.parametrize('ask', [ASK, STREAM], ids=['whole', 'stream'])
def test_h2load_sees_no_error(h2load, ask, together):
    said = h2load(ask, together)
    assert (said['total'], said['succeeded'], said['2xx']) == (COUNT,) * 3, said
    assert said['failed'] == said['errored'] == said['timeout'] == 0, said


def test_h2load_sees_the_errors_there_are(h2load):
    said = h2load(ASK, token='sk-llmgr-wrong')
    assert (said['2xx'], said['4xx']) == (0, COUNT), said


@pytest.mark.parametrize('together', [1, 4], ids=['one', 'pipelined'])
@pytest.mark.parametrize('ask', [ASK, STREAM], ids=['whole', 'stream'])
def test_wrk_sees_no_error(gateway, yard, ask, together):
    program, script = find('wrk'), yard.folder / 'wrk.lua'
    script.write_text(WRK % (json.dumps(ask), gateway.token, together), encoding='utf-8')
    said = load(program, '-t', 1, '-c', 10, '-d', '1s', '--timeout', PATIENCE_S, '-s', script,
                gateway.url)
    assert int(re.search(r'(\d+) requests in', said)[1]) > 0, said
    assert 'Non-2xx' not in said and 'Socket errors' not in said, said


def test_wrk_sees_the_errors_there_are(gateway, yard):
    program, script = find('wrk'), yard.folder / 'wrk.lua'
    script.write_text(WRK % (json.dumps(ASK), 'sk-llmgr-wrong', 1), encoding='utf-8')
    said = load(program, '-t', 1, '-c', 2, '-d', '1s', '-s', script, gateway.url)
    assert 'Non-2xx' in said, said


def test_after_all_of_it_nothing_is_left(gateway):
    now = gateway.wait_for('all requests to end',
                           lambda now: now['llmgr_requests_in_flight'] <= 1 and
                           now['llmgr_connections'] <= 1)
    assert now['llmgr_malformed_requests_total'] == 0
