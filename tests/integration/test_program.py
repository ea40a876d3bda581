# SPDX-License-Identifier: MIT
"""What every verb has in common: versions, help, usage errors, where files may appear."""


def test_the_version_is_printed(llmgr):
    assert llmgr.ok('--version').startswith('llmgr 0.')


def test_help_goes_to_stdout_and_ends_with_0(llmgr):
    assert 'platform' in llmgr.ok('--help')


def test_an_unknown_noun_is_a_usage_error_that_says_what_to_do(llmgr):
    assert 'help' in llmgr.fails(2, 'platfrom', 'list')


def test_an_unknown_option_is_a_usage_error(llmgr):
    llmgr.fails(2, '--no-such-option')


def test_nothing_is_written_by_asking_for_help(llmgr):
    llmgr.ok('--help')
    assert sorted(path.name for path in llmgr.folder.iterdir()) == []


def test_messages_follow_the_locale_and_exit_codes_do_not(llmgr):
    message = llmgr.fails(2, 'platfrom', 'list', env={'LANGUAGE': 'zh_CN'})
    assert any('\u4e00' <= letter <= '\u9fff' for letter in message), message
