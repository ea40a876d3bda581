/* SPDX-License-Identifier: MIT */
/* Whose fault it was, and whether another attempt follows. */
#include "routing/verdict.h"

#include "base/host.h"

#include "../unit.h"

#define REFUSED "{\"error\":{\"message\":\"Unrecognized request argument: stream_options\"}}"

/* A platform's first word about stream_options that we had asked for. */
static struct lo_outcome refused(void)
{
    return (struct lo_outcome){
        .http_status = 400,
        .refusal = LB_STR(REFUSED),
        .attempt = 1,
        .asked_usage = true,
    };
}

static void stream_options_that_are_not_known_are_left_out_once(void **state)
{
    struct lo_outcome outcome = refused();

    (void)state;
    struct lo_verdict verdict = lo_judge(&outcome);
    assert_int_equal(verdict.fault, LO_FAULT_OPTIONS);
    assert_int_equal(verdict.next, LO_NEXT_WITHOUT_OPTIONS);
    outcome.attempt = LO_ATTEMPTS_MAX;
    verdict = lo_judge(&outcome);
    assert_int_equal(verdict.fault, LO_FAULT_OPTIONS);
    assert_int_equal(verdict.next, LO_NEXT_NOTHING);
}

/* Each of these alone ends the request. */
static void nothing_is_tried_again_without_a_reason(void **state)
{
    struct lo_outcome cases[7];

    (void)state;
    for (size_t i = 0; i < 7; i++)
        cases[i] = refused();
    cases[0].asked_usage = false;
    cases[1].answer_has_begun = true;
    cases[2].options_have_more = true;
    cases[3].http_status = 500;
    cases[4].http_status = 200;
    cases[5].refusal = LB_STR("{\"error\":{\"message\":\"no such model\"}}");
    cases[6].ended = LLMGR_ERR_CUT;
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(lo_judge(&cases[i]).next, LO_NEXT_NOTHING);
}

static void a_status_says_whose_fault_it_was(void **state)
{
    static const struct {
        int http_status;
        enum lo_fault fault;
    } ROWS[] = {
        {200, LO_FAULT_NONE},     {204, LO_FAULT_NONE},     {299, LO_FAULT_NONE},
        {300, LO_FAULT_PLATFORM}, {304, LO_FAULT_PLATFORM}, {400, LO_FAULT_REQUEST},
        {401, LO_FAULT_KEY},      {402, LO_FAULT_REQUEST},  {403, LO_FAULT_REQUEST},
        {404, LO_FAULT_REQUEST},  {407, LO_FAULT_KEY},      {408, LO_FAULT_PLATFORM},
        {413, LO_FAULT_REQUEST},  {422, LO_FAULT_REQUEST},  {429, LO_FAULT_LIMIT},
        {499, LO_FAULT_REQUEST},  {500, LO_FAULT_PLATFORM}, {503, LO_FAULT_PLATFORM},
        {529, LO_FAULT_PLATFORM}, {999, LO_FAULT_PLATFORM}, {199, LO_FAULT_PLATFORM},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct lo_outcome outcome = {.http_status = ROWS[i].http_status, .attempt = 1};
        if (lo_judge(&outcome).fault != ROWS[i].fault)
            fail_msg("%d: %s", ROWS[i].http_status, lo_fault_name(lo_judge(&outcome).fault));
    }
}

static void a_403_is_the_keys_fault_only_if_it_says_so(void **state)
{
    struct lb_host host;
    struct lo_outcome outcome = {.host = &host, .http_status = 403, .attempt = 1};

    (void)state;
    lb_host_init(&host);
    outcome.refusal = LB_STR("{\"error\":{\"message\":\"no\",\"code\":\"invalid_api_key\"}}");
    assert_int_equal(lo_judge(&outcome).fault, LO_FAULT_KEY);
    outcome.refusal = LB_STR("{\"error\":{\"message\":\"flagged\",\"code\":\"moderation\"}}");
    assert_int_equal(lo_judge(&outcome).fault, LO_FAULT_REQUEST);
}

/* Whatever status had come before. */
static void how_an_exchange_ended_says_more_than_its_status(void **state)
{
    static const int BEFORE[] = {0, 200, 400, 401, 500};
    static const struct {
        llmgr_status ended;
        enum lo_fault fault;
    } ROWS[] = {
        {LLMGR_ERR_UNREACHABLE, LO_FAULT_NETWORK}, {LLMGR_ERR_TLS, LO_FAULT_NETWORK},
        {LLMGR_ERR_TIMEOUT, LO_FAULT_NETWORK},     {LLMGR_ERR_CUT, LO_FAULT_NETWORK},
        {LLMGR_ERR_ADDRESS, LO_FAULT_NETWORK},     {LLMGR_ERR_IO, LO_FAULT_NETWORK},
        {LLMGR_ERR_PROTOCOL, LO_FAULT_PLATFORM},   {LLMGR_ERR_UPSTREAM, LO_FAULT_PLATFORM},
        {LLMGR_ERR_INVALID, LO_FAULT_REQUEST},     {LLMGR_ERR_TOO_LARGE, LO_FAULT_REQUEST},
        {LLMGR_ERR_CANCELLED, LO_FAULT_NONE},      {LLMGR_ERR_NO_MEMORY, LO_FAULT_OWN},
        {LLMGR_ERR_VAULT, LO_FAULT_OWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        for (size_t j = 0; j < sizeof BEFORE / sizeof BEFORE[0]; j++) {
            struct lo_outcome outcome = refused();
            outcome.http_status = BEFORE[j];
            outcome.ended = ROWS[i].ended;
            assert_int_equal(lo_judge(&outcome).fault, ROWS[i].fault);
            assert_int_equal(lo_judge(&outcome).next, LO_NEXT_NOTHING);
        }
    }
}

static void a_callers_own_words_teach_nothing(void **state)
{
    const struct lb_str silent[] = {LB_STR("{\"model\":\"m\"}"), LB_STR("")};
    const struct lb_str naming[] = {LB_STR("{\"model\":\"m\"}"),
                                    LB_STR("{\"x\":\"stream_options\"}")};

    (void)state;
    assert_true(lo_may_teach(silent, 2));
    assert_true(lo_may_teach(NULL, 0));
    assert_true(lo_may_teach(naming, 1));
    assert_false(lo_may_teach(naming, 2));
    assert_false(lo_may_teach(naming + 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_options_that_are_not_known_are_left_out_once),
        cmocka_unit_test(nothing_is_tried_again_without_a_reason),
        cmocka_unit_test(a_status_says_whose_fault_it_was),
        cmocka_unit_test(a_403_is_the_keys_fault_only_if_it_says_so),
        cmocka_unit_test(how_an_exchange_ended_says_more_than_its_status),
        cmocka_unit_test(a_callers_own_words_teach_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
