# SPDX-License-Identifier: MIT
"""The detectors at work: with a fault planted in the scripted peer, the case that should notice
fails. Without this, a case that looks nowhere would pass as well."""
import pytest
import test_interop as cases


def at(server, version='1.3'):
    """What the fixture `tls` gives a case."""
    def url(path, host='127.0.0.1'):
        return server.url(path, server.tls13 if version == '1.3' else server.tls12, host, 'https')
    return url


# The fault (of faulty.py), the case that must fail, and how it is called.
PLANTED = {
    'flip': lambda s, e: cases.test_a_megabyte_comes_whole(s, e, 'large', False),
    'swap-chunks': lambda s, e: cases.test_a_megabyte_comes_whole(s, e, 'large-chunked', True),
    'lose-event': cases.test_a_stream_arrives_event_by_event,
    'no-reuse': cases.test_a_whole_answer_arrives_and_its_connection_is_used_again,
    'hide-cut': lambda s, e: cases.test_an_answer_that_breaks_off_is_never_whole(s, e, 'cut'),
    'hide-cut-chunked': lambda s, e: cases.test_an_answer_that_breaks_off_is_never_whole(
        s, e, 'cut-chunked'),
    'short-upload': lambda s, e: cases.test_what_is_sent_arrives_whole(s, e, 5000, True),
    'body-of-204': cases.test_no_content_is_an_answer,
    'interim-only': cases.test_interim_answers_are_skipped,
    'stray-after-trailers': cases.test_trailers_are_skipped,
    'ok-for-errors': lambda s, e: cases.test_errors_are_answers_and_keep_the_connection(s, e, 429),
    'mute-close': cases.test_an_announced_close_is_no_failure,
    'no-tickets': lambda s, e: cases.test_a_session_is_resumed(s, at(s), e),
    'no-tickets-12': lambda s, e: cases.test_a_session_is_resumed(s, at(s, '1.2'), e),
    'one-name': lambda s, e: cases.test_several_names_at_one_address_have_certificates_of_their_own(
        s, at(s), e),
    'any-name': lambda s, e: cases.test_a_name_is_verified(at(s), e),
    'never-expires': lambda s, e:
        cases.test_several_names_at_one_address_have_certificates_of_their_own(s, at(s), e),
}


@pytest.mark.parametrize('fault', list(PLANTED))
def test_a_planted_fault_is_noticed(yard, exchange, fault):
    server = yard.server('python', fault=fault)
    with pytest.raises((AssertionError, KeyError)):
        PLANTED[fault](server, exchange)


def test_without_a_fault_the_same_cases_pass(servers, exchange):
    for case in PLANTED.values():
        case(servers('python'), exchange)
