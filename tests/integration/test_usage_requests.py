# SPDX-License-Identifier: MIT
"""What was used, by each of its dimensions and as CSV; one request by its id, owner's alone."""
import csv
import datetime
import io
import time

import pytest

from conftest import PATIENCE_S
from gateway_api import Api

FORMULA = '=1+1'


@pytest.fixture(name='api')
def api_fixture(llmgr, mockllm):
    """ann and bob, and one whose name a spreadsheet would take for a formula."""
    server = Api(llmgr, mockllm)
    server.token('admin', '--kind', 'admin')
    server.ann = server.token('ann', '-u', 'ann')
    server.token('bob', '-u', 'bob')
    server.token('odd', '-u', FORMULA)
    yield server
    server.stop()


def asked(api, caller='ann'):
    """A chat; its id."""
    answer = api.chat('Small', caller)
    assert answer.status == 200, answer.text
    return answer.fields['x-request-id']


def request(api, name, caller, more=''):
    end = time.monotonic() + PATIENCE_S
    while True:
        answer = api.call('GET', f'/api/usage/requests/{name}{more}', caller)
        if answer.status == 200 or time.monotonic() > end:
            return answer
        time.sleep(0.02)


def test_a_request_is_found_by_its_id_by_who_made_it_and_by_administrators(api):
    name = asked(api)
    for caller in ('ann', 'admin'):
        found = request(api, name, caller)
        assert found.status == 200, found.text
        assert found.json['request_id'] == name
        (attempt,) = found.json['attempts']
        assert attempt['attempt'] == 1 and attempt['user'] == 'ann'
        assert attempt['platform_name'] == 'House' and attempt['payer'] == 'system'
        assert attempt['token_id'] == api.ann
        assert attempt['prompt_tokens'] > 0 and attempt['end_state'] == 'completed'
        assert attempt['cost'] is None and attempt['currency'] is None
        assert attempt['upstream_status'] == 200
    theirs = api.bad(404, 'ERR_NOT_FOUND', 'GET', f'/api/usage/requests/{name}', 'bob')
    nobodys = api.bad(404, 'ERR_NOT_FOUND', 'GET', '/api/usage/requests/req_' + 26 * '1', 'bob')
    assert theirs.json['detail'] == nobodys.json['detail']
    told = api.llmgr.json('usage', 'request', name)
    assert told['attempts'] == found.json['attempts']
    assert 'House' in api.llmgr.ok('-u', 'ann', 'usage', 'request', name)
    api.llmgr.fails(3, '-u', 'bob', 'usage', 'request', name)


def test_a_limited_token_is_shown_what_was_asked_with_itself(api):
    api.token('small', '-u', 'ann', '--models', 'Small')
    own, other = asked(api, 'small'), asked(api)
    assert request(api, own, 'small').status == 200
    assert request(api, other, 'ann').status == 200
    api.bad(404, 'ERR_NOT_FOUND', 'GET', f'/api/usage/requests/{other}', 'small')


def test_an_id_of_the_release_before_says_no_time_and_is_found(api):
    """Its digits are all drawn: read as a time these would lie in 2042."""
    name, old = asked(api), 'req_88092630b0cbf2f70000000009'
    assert request(api, name, 'ann').status == 200
    api.llmgr.sql(f"UPDATE llm_usage SET request_id = '{old}' WHERE request_id = '{name}'")
    api.good('GET', f'/api/usage/requests/{old}', 'ann')


def test_where_to_look_may_be_said(api):
    name = asked(api)
    assert request(api, name, 'ann').status == 200
    assert request(api, name, 'ann', '?since=1h').status == 200
    path = f'/api/usage/requests/{name}'
    api.bad(404, 'ERR_NOT_FOUND', 'GET', path + '?since=2020-01-01&until=2020-01-02', 'ann')
    api.bad(400, 'ERR_INVALID', 'GET', path + '?since=2020-01-01', 'ann')
    api.bad(400, 'ERR_INVALID', 'GET', path + '?since=soon', 'ann')
    api.bad(400, 'ERR_INVALID', 'GET', '/api/usage/requests/' + 65 * 'x', 'ann')


def test_sums_are_told_apart_by_token_payer_and_hour(api):
    name = asked(api)
    assert request(api, name, 'ann').status == 200
    by_token = api.good('GET', '/api/usage?by=token', 'ann')
    assert [(row['key'], row['name']) for row in by_token['data']] == [(str(api.ann), 'ann')]
    by_payer = api.good('GET', '/api/usage?by=payer', 'ann')
    assert [row['key'] for row in by_payer['data']] == ['system']
    by_hour = api.good('GET', '/api/usage?by=hour', 'ann')
    (hour,) = by_hour['data']
    begin = datetime.datetime.fromisoformat(hour['key'].replace('Z', '+00:00'))
    assert begin.minute == begin.second == 0
    assert hour['unpriced'] == hour['attempts'] == 1 and hour['costs'] == []
    assert api.good('GET', '/api/usage?by=hour&after=' + hour['key'], 'ann')['data'] == []


def csv_of(api, path, caller, **fields):
    answer = api.raw('GET', path, caller, **fields)
    assert answer.status == 200, answer.text
    assert answer.fields['content-type'] == 'text/csv; charset=utf-8; header=present'
    assert answer.fields['cache-control'] == 'no-store'
    return answer


def test_the_api_gives_the_same_csv(api):
    for caller in ('odd', 'ann'):
        assert request(api, asked(api, caller), caller).status == 200
    whole = csv_of(api, '/api/usage?by=user&format=csv', 'admin')
    assert whole.text == api.llmgr.ok('usage', '--csv', '--by', 'user')
    assert 'link' not in whole.fields and "'" + FORMULA in whole.text
    own = list(csv.DictReader(io.StringIO(csv_of(api, '/api/usage?format=csv', 'ann').text)))
    assert [row['attempts'] for row in own] == ['1']
    assert csv_of(api, '/api/usage?format=csv&since=2999-01-01', 'ann').text.count('\n') == 1
    first = csv_of(api, '/api/usage?by=user&format=csv&limit=1', 'admin')
    path = first.fields['link'].partition('<')[2].partition('>')[0]
    assert 'format=csv' in path
    second = csv_of(api, path, 'admin')
    head = whole.text.partition('\r\n')[0] + '\r\n'
    assert first.text + second.text.removeprefix(head) == whole.text


@pytest.mark.parametrize('accept, is_csv', [
    ('text/csv', True), ('TEXT/CSV ; header=present', True), ('text/csv, */*;q=0.1', True),
    ('text/csv, */*', True), ('text/csv;q=0.5, application/json;q=0.4', True),
    ('application/json;q=0.25 , text/csv;q=0.251', True), ('text/csv;a=b;q=1', True),
    ('text/csv;q=0', False), ('text/csv;q=0.5, */*', False), ('text/csv, application/json', False),
    ('application/json, text/csv;q=0.9', False), ('text/*', False), ('*/*', False), ('', False),
    ('text/csvx', False), ('text/csv;q=', False), (';;,,;q=x', False), ('text/csv;q=x', False)])
def test_who_prefers_csv_gets_it(api, accept, is_csv):
    answer = api.raw('GET', '/api/usage', 'ann', Accept=accept)
    assert answer.status == 200
    assert answer.fields['content-type'].startswith('text/csv' if is_csv else 'application/json')
    if is_csv:  # what the query says counts
        assert api.good('GET', '/api/usage?format=json', 'ann')['data'] == []
        assert api.raw('GET', '/api/usage?format=json', 'ann', Accept=accept).json['data'] == []
        api.bad(400, 'ERR_INVALID', 'GET', '/api/usage?format=xml', 'ann')
        refused = api.raw('GET', '/api/usage?by=nothing', 'ann', Accept=accept)
        assert refused.status == 400
        assert refused.fields['content-type'] == 'application/problem+json'


def test_csv_holds_every_count_and_no_formula(api):
    name = asked(api, 'odd')
    assert request(api, name, 'odd').status == 200
    text = api.llmgr.ok('usage', '--csv', '--by', 'user')
    sums = api.llmgr.json('usage', '--by', 'user')['items']
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(sums) == 1
    assert rows[0]['user'] == rows[0]['name'] == "'" + FORMULA
    for member in set(sums[0]) - {'key', 'name', 'costs'}:
        assert rows[0][member] == ('' if sums[0][member] is None else str(sums[0][member]))
    assert rows[0]['cost'] == rows[0]['currency'] == ''
    assert api.llmgr.ok('usage', '--csv', '--since', '2999-01-01').count('\n') == 1
