# SPDX-License-Identifier: MIT
"""llmgr token and llmgr usage: issued once, listed without it, revoked; times and groups."""


def test_a_token_is_printed_once_and_never_again(llmgr):
    made = llmgr.json('token', 'create', '--name', 'laptop', '-u', 'alice')
    assert made['token'].startswith('sk-llmgr-') and len(made['token']) == 58
    assert made['kind'] == 'user' and made['user'] == 'alice' and made['name'] == 'laptop'
    listed = llmgr.json('token', 'list')
    assert [row['token_id'] for row in listed] == [made['token_id']]
    assert 'token' not in listed[0]
    for path in llmgr.folder.rglob('*'):
        if path.is_file():
            assert made['token'].encode() not in path.read_bytes(), path


def test_without_json_the_token_alone_is_on_stdout(llmgr):
    assert llmgr.ok('token', 'create', '--kind', 'admin').strip().startswith('sk-llmgr-')
    assert len(llmgr.ok('token', 'create', '--kind', 'admin').split()) == 1


def test_users_see_and_end_their_own_tokens_only(llmgr):
    alices = llmgr.json('token', 'create', '-u', 'alice')['token_id']
    bobs = llmgr.json('token', 'create', '-u', 'bob')['token_id']
    llmgr.json('token', 'create', '--kind', 'app', '--prefix', 'team-')
    assert [row['token_id'] for row in llmgr.json('token', 'list', '-u', 'bob')] == [bobs]
    llmgr.fails(3, 'token', 'revoke', str(alices), '-u', 'bob')
    assert llmgr.json('token', 'revoke', str(alices)) == {'token_id': alices, 'revoked': True}
    assert llmgr.json('token', 'list', '-u', 'alice')[0]['revoked'] is True
    assert len(llmgr.json('token', 'list')) == 3


def test_what_makes_no_token_is_said(llmgr):
    llmgr.fails(2, 'token', 'create', '--kind', 'boss')
    llmgr.fails(2, 'token', 'create', '--prefix', 'team-')
    llmgr.fails(2, 'token', 'create', '--name', 'x' * 81)
    llmgr.fails(3, 'token', 'revoke', '77')
    llmgr.fails(2, 'token', 'revoke', 'first')


def test_usage_of_nothing_claims_no_zero_tokens(llmgr):
    for group in ('model', 'user', 'platform', 'slot', 'day'):
        told = llmgr.json('usage', '--by', group, '--since', '7d', '--until', '2999-01-01')
        assert told['by'] == group and told['items'] == []
        assert told['total']['attempts'] == 0 and told['total']['prompt_tokens'] is None


def test_times_and_groups_are_checked(llmgr):
    llmgr.ok('usage', '--since', '2026-01-31T12:00', '--until', '2026-02-01')
    assert 'tomorrow' in llmgr.fails(2, 'usage', '--since', 'tomorrow')
    llmgr.fails(2, 'usage', '--until', '2026-02-31')
    llmgr.fails(2, 'usage', '--by', 'colour')
    assert '--csv' in llmgr.fails(2, '--json', 'usage', '--csv')
