# SPDX-License-Identifier: MIT
"""POST /api/prices/import: a catalogue's file as the body."""
import json

import pytest

CATALOGUE = {'acme/mock': {'litellm_provider': 'acme', 'input_cost_per_token': 2.7e-07,
                           'output_cost_per_token': 1.1e-06, 'ocr_cost_per_page': 1}}
PATH = '/api/prices/import'


def test_a_catalogue_is_imported_and_told_of(api):
    dry = api.good('POST', PATH + '?providers=House=acme&dry_run=true', 'admin', CATALOGUE)
    assert dry['dry_run'] and dry['new_count'] == 1 and dry['prices'][0]['price_id'] is None
    assert api.all('/api/prices') == []
    made = api.good('POST', PATH + '?providers=1=acme', 'admin', CATALOGUE)
    assert made['prices'][0]['rates'] == {'input': '0.27', 'output': '1.1'}
    assert made['not_understood'] == [
        {'name': 'ocr_cost_per_page', 'model': 'acme/mock', 'count': 1}]
    assert [row['source'] for row in api.all('/api/prices')] == ['litellm']
    again = api.good('POST', PATH + '?providers=1=acme', 'admin', CATALOGUE)
    assert (again['same_count'], again['new_count']) == (1, 0)


def test_what_the_api_lists_it_takes_back(api):
    api.good('POST', '/api/prices', 'admin', {'model': 'm', 'rates': {'input': '1'}})
    page = api.good('GET', '/api/prices')
    assert api.good('POST', PATH, 'admin', page)['kept_count'] == 1
    assert api.good('POST', PATH + '?replace=true', 'admin', page)['changed_count'] == 1


def test_a_file_may_be_large_and_no_larger(api):
    rest = 'x' * (3 << 20)
    report = api.good('POST', PATH + '?providers=1=acme', 'admin', {**CATALOGUE, 'rest': rest})
    assert report['new_count'] == 1, 'more than other bodies may have'
    assert api.call('POST', PATH, 'admin', {'rest': 'x' * (16 << 20)}).status == 413


def test_only_administrators_import(api):
    for caller in ('ann', 'ben'):
        api.bad(403, 'ERR_FORBIDDEN', 'POST', PATH, caller, CATALOGUE)
    assert api.all('/api/prices') == []


@pytest.mark.parametrize('query, status, says', [
    ('?providers=nowhere=acme', 404, 'nowhere'),
    ('?providers=House', 400, 'PLATFORM=PROVIDER'),
    ('?dry_run=maybe', 400, "'dry_run'"),
    ('?replace=1', 400, "'replace'"),
    ('?all=x', 400, "'all'"),
    ('?user=ann', 400, "user"),
    ('?providers=' + ','.join(['1=a'] * 201), 400, "'providers'"),
])
def test_faults_of_the_query(api, query, status, says):
    answer = api.call('POST', PATH + query, 'admin', CATALOGUE)
    assert answer.status == status and says in answer.json['detail'], answer.text


def test_a_body_of_another_kind_is_refused(api):
    answer = api.call('POST', PATH, 'admin', [], Content_Type='text/plain')
    assert answer.status == 415, 'a page of another site could send it'
    api.bad(400, 'ERR_INVALID', 'POST', PATH, 'admin', {'a': 1})
