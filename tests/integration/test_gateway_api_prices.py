# SPDX-License-Identifier: MIT
"""Prices over the API: everybody reads them, administrators set and end them."""
import pytest

RATES = {'input': '0.27', 'cached_input': '0.07', 'output': '1.1'}


def test_a_price_is_set_read_followed_and_ended(api):
    made = api.good('POST', '/api/prices', 'admin',
                    {'platform_id': 1, 'model': 'mock', 'rates': {**RATES, 'output': '1.10'}})
    assert made['rates'] == RATES and made['source'] == 'hand' and made['until_ms'] is None
    assert (made['platform_name'], made['currency']) == ('House', 'USD')
    path = f'/api/prices/{made["price_id"]}'
    assert api.good('GET', path, 'ann') == made
    assert api.good('GET', '/api/prices', 'ben')['data'] == [made]
    again = api.good('POST', '/api/prices', 'admin',
                     {'platform_id': 1, 'model': 'mock', 'rates': RATES})
    assert again == made, 'the same price again is no other'
    later = api.good('POST', '/api/prices', 'admin',
                     {'platform_id': 1, 'model': 'mock', 'rates': {'input': '1'}})
    assert api.good('GET', path)['until_ms'] == later['from_ms']
    assert api.all('/api/prices') == [later]
    assert [row['price_id'] for row in api.all('/api/prices?ended=true', 'ann')] == [
        made['price_id'], later['price_id']]
    assert api.call('DELETE', f'/api/prices/{later["price_id"]}').status == 204
    assert api.all('/api/prices') == []
    api.bad(404, 'ERR_NOT_FOUND', 'DELETE', f'/api/prices/{later["price_id"]}')
    api.bad(404, 'ERR_NOT_FOUND', 'GET', '/api/prices/987654')


def test_all_members_of_a_price_come_back(api):
    sent = {'model': 'gpt-*', 'currency': 'CNY', 'from_ms': 4070908800000,
            'until_ms': 4073587200000, 'above_tokens': 200000, 'service_tier': 'batch',
            'hours': '16:30-00:30', 'time_zone': 'UTC', 'rates': {'request': '0.000000000001'}}
    made = api.good('POST', '/api/prices', 'admin', sent)
    assert {name: made[name] for name in sent} == sent
    assert made['platform_id'] is None and made['platform_name'] is None


def test_lists_are_paged_and_filtered(api):
    made = [api.good('POST', '/api/prices', 'admin',
                     {'model': f'm{number}', 'rates': {'input': str(number)}})
            for number in range(5)]
    assert api.all('/api/prices', 'ann', limit=2) == made
    assert api.all('/api/prices?model=m3', 'ann') == [made[3]]
    assert api.all('/api/prices?platform_id=1', 'ann') == []
    for query in ('limit=0', 'after=x', 'after=-1', 'platform_id=0', 'ended=maybe', 'source=hand'):
        api.bad(400, 'ERR_INVALID', 'GET', '/api/prices?' + query, 'ann')


def test_only_administrators_change_prices(api):
    made = api.good('POST', '/api/prices', 'admin', {'rates': RATES})
    for caller in ('ann', 'ben'):
        api.bad(403, 'ERR_FORBIDDEN', 'POST', '/api/prices', caller, {'rates': {'input': '0'}})
        api.bad(403, 'ERR_FORBIDDEN', 'DELETE', f'/api/prices/{made["price_id"]}', caller)
    api.bad(400, 'ERR_INVALID', 'POST', '/api/prices?user=ann', 'admin', {'rates': {'input': '0'}})
    assert api.all('/api/prices') == [made]


def test_a_repeated_request_sets_one_price(api):
    body = {'rates': RATES}
    first = api.call('POST', '/api/prices', 'admin', body, Idempotency_Key='a')
    again = api.call('POST', '/api/prices', 'admin', body, Idempotency_Key='a')
    assert again.fields['idempotency-replayed'] == 'true' and again.json == first.json


@pytest.mark.parametrize('body, says', [
    ({}, "'rates'"),
    ({'rates': {}}, 'rate'),
    ({'rates': []}, "'rates' must be an object"),
    ({'rates': {'input': 0.27}}, "'rates.input' must be a string"),
    ({'rates': {'input': None}}, "'rates.input' must be a string"),
    ({'rates': {'inputs': '1'}}, "'rates' has no 'inputs'"),
    ({'rates': {'input': '-1'}}, "'rates.input': '-1' is negative"),
    ({'rates': {'input': 'NaN'}}, "'rates.input': 'NaN' is no decimal"),
    ({'rates': {'output': '1e-30'}}, "'rates.output': '1e-30' has too many decimals"),
    ({'rates': {'output': '1e30'}}, "'rates.output': '1e30' is too large"),
    ({'rates': {'input': '1'}, 'currency': 'us$'}, 'currency'),
    ({'rates': {'input': '1'}, 'above_tokens': -1}, "'above_tokens'"),
    ({'rates': {'input': '1'}, 'above_tokens': 1.5}, "'above_tokens'"),
    ({'rates': {'input': '1'}, 'hours': '1-2'}, 'hours'),
    ({'rates': {'input': '1'}, 'until_ms': 1}, 'until'),
    ({'rates': {'input': '1'}, 'price_id': 1}, "'price_id'"),
    ({'rates': {'input': '1'}, 'source': 'file'}, "'source'"),
])
def test_what_is_no_price_is_refused_by_member(api, body, says):
    answer = api.bad(400, 'ERR_INVALID', 'POST', '/api/prices', 'admin', body)
    assert says in answer.json['detail'], answer.text
    assert api.all('/api/prices?ended=true') == []
