/* SPDX-License-Identifier: MIT */
/* Whose fault it was, what may be tried next, and what is cooled. */
#include "routing/verdict.h"

#include <string.h>

#include "base/host.h"

#include "../unit.h"

#define REFUSED "{\"error\":{\"message\":\"Unrecognized request argument: stream_options\"}}"

static struct lb_host host;

/* A platform's first word about stream_options that we had asked for. */
static struct lo_outcome refused(void)
{
    return (struct lo_outcome){
        .host = &host,
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
    assert_int_equal(verdict.cool, LO_COOL_NONE);
    outcome.attempt = LO_ATTEMPTS_MAX;
    verdict = lo_judge(&outcome);
    assert_int_equal(verdict.fault, LO_FAULT_OPTIONS);
    assert_int_equal(verdict.next, LO_NEXT_NOTHING);
    outcome.attempts_max = LO_ATTEMPTS_MAX + 1; /* a route may allow more */
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_WITHOUT_OPTIONS);
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

/* ---- Faults, nexts, coolings ----------------------------------------------------------------- */

static struct lo_verdict judged(int http_status, const char *body)
{
    const struct lo_outcome outcome = {
        .host = &host,
        .http_status = http_status,
        .refusal = lb_cstr(body),
        .attempt = 1,
        .attempts_max = 3,
        .may_move = true,
    };

    return lo_judge(&outcome);
}

static void a_status_says_whose_fault_it_was(void **state)
{
    static const struct {
        int http_status;
        enum lo_fault fault;
        enum lo_next next;
        enum lo_cool cool;
    } ROWS[] = {
        {200, LO_FAULT_NONE, LO_NEXT_NOTHING, LO_COOL_NONE},
        {204, LO_FAULT_NONE, LO_NEXT_NOTHING, LO_COOL_NONE},
        {299, LO_FAULT_NONE, LO_NEXT_NOTHING, LO_COOL_NONE},
        {199, LO_FAULT_PLATFORM, LO_NEXT_OTHER_PLATFORM, LO_COOL_COUNT},
        {300, LO_FAULT_PLATFORM, LO_NEXT_OTHER_PLATFORM, LO_COOL_COUNT},
        {304, LO_FAULT_PLATFORM, LO_NEXT_OTHER_PLATFORM, LO_COOL_COUNT},
        {400, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {401, LO_FAULT_KEY, LO_NEXT_OTHER_KEY, LO_COOL_HARD},
        {402, LO_FAULT_ACCOUNT, LO_NEXT_OTHER_ACCOUNT, LO_COOL_HARD},
        {403, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {404, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_NONE},
        {405, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {407, LO_FAULT_KEY, LO_NEXT_OTHER_PLATFORM, LO_COOL_NONE},
        {408, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {409, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {413, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {415, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {422, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {429, LO_FAULT_ACCOUNT, LO_NEXT_OTHER_ACCOUNT, LO_COOL_UNTIL},
        {451, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {498, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {499, LO_FAULT_REQUEST, LO_NEXT_NOTHING, LO_COOL_NONE},
        {500, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {501, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {502, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {503, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {504, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {524, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {529, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
        {999, LO_FAULT_MODEL, LO_NEXT_OTHER_MODEL, LO_COOL_COUNT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct lo_verdict verdict = judged(ROWS[i].http_status, "");
        if (verdict.fault != ROWS[i].fault || verdict.next != ROWS[i].next ||
            verdict.cool != ROWS[i].cool)
            fail_msg("%d: %s, %d, %d", ROWS[i].http_status, lo_fault_name(verdict.fault),
                     (int)verdict.next, (int)verdict.cool);
    }
}

/* With a single candidate, and once the attempts are used up, none of it is followed by another. */
static void without_another_candidate_nothing_follows(void **state)
{
    (void)state;
    for (int http_status = 100; http_status < 600; http_status++) {
        struct lo_outcome outcome = {.host = &host, .http_status = http_status, .attempt = 1};
        assert_int_equal(lo_judge(&outcome).next, LO_NEXT_NOTHING);
        outcome.may_move = true;
        outcome.attempts_max = outcome.attempt = 3;
        assert_int_equal(lo_judge(&outcome).next, LO_NEXT_NOTHING);
        outcome.attempt = 1;
        outcome.answer_has_begun = true;
        assert_int_equal(lo_judge(&outcome).next, LO_NEXT_NOTHING);
    }
}

#define ERROR(members) "{\"error\":{\"message\":\"m\"," members "}}"
#define MESSAGE(text) "{\"error\":{\"message\":\"" text "\"}}"

/* Real platforms' words. */
static const struct {
    int http_status;
    const char *body;
    const char *reason;
} WORDS[] = {
    /* No money, whatever the status: never "wait a little". */
    {429, ERROR("\"code\":\"insufficient_quota\",\"type\":\"insufficient_quota\""), "billing"},
    {429, ERROR("\"code\":\"1113\""), "billing"},
    {429, "{\"error\":{\"type\":\"exceeded_current_quota_error\",\"message\":\"m\"}}", "billing"},
    {400, "{\"code\":\"Arrearage\",\"message\":\"Access denied, please make sure ...\"}",
     "billing"},
    {400, "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"m\"}}",
     "billing"},
    {400,
     MESSAGE("Your credit balance is too low to access the Anthropic API. Please go to Plans & "
             "Billing to upgrade or purchase credits."),
     "billing"},
    {402, MESSAGE("Insufficient Balance"), "billing"},
    {402, "<html>", "billing"},
    /* What is too dear is one request; what the key or account may not use is one model. */
    {402,
     MESSAGE(
         "This request requires more credits, or fewer max_tokens. You requested up to 9 tokens, "
         "but can only afford 8"),
     "price"},
    {401, ERROR("\"type\":\"key_model_access_denied\""), "key_unfit"},
    {401, MESSAGE("You have insufficient permissions for this operation. Missing scopes: x"),
     "key_unfit"},
    {400, MESSAGE("Incorrect API key provided: sk-x"), "key_unfit"},
    {429, MESSAGE("Quota exceeded for metric: x, limit: 0, model: y"), "no_quota"},
    /* A caller's own words, quoted: nobody else pays for them. */
    {400, MESSAGE("your credit balance is too low: Extra inputs are not permitted"), "malformed"},
    {400,
     MESSAGE("Your credit balance is too low to access the Anthropic API. Please go to Plans & "
             "Billing to upgrade or purchase credits.: Extra inputs are not permitted"),
     "malformed"},
    {422, MESSAGE("unknown variant `insufficient balance`, expected one of `user`"), "malformed"},
    {404, MESSAGE("no such role: insufficient balance"), "not_there"},
    {400, MESSAGE("Invalid value: 'allocated quota exceeded'."), "malformed"},
    {403, "{\"code\":30001,\"message\":\"Sorry, your account balance is insufficient\"}",
     "billing"},
    {403, ERROR("\"code\":\"AccountOverdueError\""), "billing"},
    {403, MESSAGE("Your newly created team doesn't have any credits yet."), "billing"},
    {412, MESSAGE("Account x is suspended, possibly due to reaching the monthly spending limit"),
     "billing"},
    {429, "{\"message\":\"\xe8\xb4\xa6\xe6\x88\xb7\xe5\xb7\xb2\xe6\xac\xa0\xe8\xb4\xb9\"}",
     "billing"},
    /* Quotas that are rates. */
    {429,
     "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"Allocated quota exceeded, please "
     "increase your quota limit.\"}}",
     "limit"},
    {429,
     "[{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"You exceeded your "
     "current quota, please check your plan and billing details.\"}}]",
     "limit"},
    {403, ERROR("\"code\":\"AllocationQuota.FreeTierOnly\""), "limit"},
    /* Limits under another status. */
    {400, ERROR("\"code\":\"rate_limit_exceeded\""), "limit"},
    {400, "{\"code\":\"Throttling.RateQuota\",\"message\":\"m\"}", "limit"},
    {400, ERROR("\"code\":429"), "limit"},
    {400, "{\"error\":{\"code\":\"1302\",\"message\":\"m\"}}", "limit"},
    {403, ERROR("\"type\":\"RateLimitExceeded.EndpointRPMExceeded\""), "limit"},
    {500, ERROR("\"type\":\"rate_limit_error\""), "limit"},
    {429, "", "limit"},
    {429, "<html><title>429 Too Many Requests</title>", "limit"},
    /* The request's own size. */
    {429, MESSAGE("Request too large for gpt-4o on tokens per min (TPM): Limit 1, Requested 2"),
     "size"},
    {429, MESSAGE("Extra usage is required for long context requests."), "size"},
    {413, ERROR("\"code\":\"rate_limit_exceeded\""), "size"},
    {413, "<html><title>413 Request Entity Too Large</title>", "size"},
    /* Overload that is called a limit. */
    {429, ERROR("\"type\":\"engine_overloaded_error\""), "overload"},
    {429, ERROR("\"code\":\"ServerOverloaded\""), "overload"},
    {429, MESSAGE("Model is overloaded"), "overload"},
    {503, "<html><title>503 Service Temporarily Unavailable</title>", "overload"},
    {502, "<html><title>502 Bad Gateway</title>", "overload"},
    {529, ERROR("\"type\":\"overloaded_error\""), "overload"},
    /* Too long. */
    {400, ERROR("\"code\":\"context_length_exceeded\""), "context"},
    {400, MESSAGE("This model's maximum context length is 4096 tokens. However, you ..."),
     "context"},
    {400, MESSAGE("prompt is too long: 210000 tokens > 200000 maximum"), "context"},
    {400, MESSAGE("The input token count (2) exceeds the maximum number of tokens allowed (1)."),
     "context"},
    {400,
     "{\"code\":\"InvalidParameter\",\"message\":\"Range of input length should be [1, 30720]\"}",
     "context"},
    {400, ERROR("\"type\":\"exceed_context_size_error\""), "context"},
    /* Keys. */
    {401, "", "key"},
    {401, ERROR("\"code\":\"insufficient_quota\""), "key"},
    {400,
     "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"message\":\"m\",\"details\":[{"
     "\"reason\":\"API_KEY_INVALID\"}]}}",
     "key"},
    {400, "{\"error\":\"Incorrect API key provided: ab***yz.\"}", "key_unfit"},
    {403, ERROR("\"code\":\"invalid_api_key\""), "key"},
    {403, MESSAGE("Your API key was disabled."), "key"},
    {407, "", "proxy"},
    /* What is forbidden. */
    {403, ERROR("\"code\":\"unsupported_country_region_territory\""), "refused"},
    {403, ERROR("\"code\":\"moderation\""), "refused"},
    {403, "", "refused"},
    {400, ERROR("\"code\":\"content_filter\""), "refused"},
    {400, "{\"code\":\"DataInspectionFailed\",\"message\":\"m\"}", "refused"},
    {400, "{\"error\":{\"code\":\"1301\",\"message\":\"m\"}}", "refused"},
    /* A page from in front of the platform. */
    {403, "<!DOCTYPE html><title>Just a moment...</title>", "garbled"},
    {404, "<html><title>404 Not Found</title>", "garbled"},
    {400, "<html><title>400 Bad Request</title>", "malformed"},
    /* The model. */
    {404, ERROR("\"code\":\"model_not_found\""), "unknown_model"},
    {403, ERROR("\"code\":\"model_not_found\""), "unknown_model"},
    {400, ERROR("\"code\":\"1211\""), "unknown_model"},
    {400, MESSAGE("x/y is not a valid model ID"), "not_there"},
    {404, MESSAGE("This is a chat model and not supported in the v1/completions endpoint."),
     "not_there"},
    {404, ERROR("\"code\":\"unsupported\""), "not_there"},
    /* Words that a caller may have put there cool nothing. */
    {400, MESSAGE("Invalid value: 'insufficient balance'"), "malformed"},
    {422, MESSAGE("Invalid value: 'Your credit balance is too low'"), "malformed"},
    {400, MESSAGE("no: Incorrect API key provided"), "malformed"},
    {500, MESSAGE("insufficient balance"), "failed"},
};

static void the_words_of_real_platforms_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        const struct lo_verdict verdict = judged(WORDS[i].http_status, WORDS[i].body);
        if (strcmp(lo_reason_name(verdict.reason), WORDS[i].reason) != 0)
            fail_msg("%d %s: %s, not %s", WORDS[i].http_status, WORDS[i].body,
                     lo_reason_name(verdict.reason), WORDS[i].reason);
    }
}

static void an_error_within_an_answer_has_the_same_words(void **state)
{
    static const struct {
        const char *body;
        const char *reason;
    } ROWS[] = {
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}",
         "overload"},
        {"{\"error\":{\"code\":429,\"message\":\"m\"}}", "limit"},
        {"{\"error\":{\"code\":402,\"message\":\"m\"}}", "billing"},
        {"{\"error\":{\"code\":502,\"message\":\"m\"}}", "overload"},
        {"{\"error\":{\"code\":400,\"message\":\"m\"}}", "malformed"},
        {"{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"m\"}}", "malformed"},
        {"{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"m\"}}", "billing"},
        {"{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"m\"}}", "context"},
        {"{\"base_resp\":{\"status_code\":1008,\"status_msg\":\"insufficient balance\"}}",
         "billing"},
        {"{\"base_resp\":{\"status_code\":1002,\"status_msg\":\"m\"}}", "limit"},
        {"{\"base_resp\":{\"status_code\":1004,\"status_msg\":\"m\"}}", "key"},
        {"{\"error\":{\"message\":\"something went wrong\"}}", "failed"},
        {"garbage", "failed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct lo_outcome outcome = {
            .host = &host,
            .http_status = 200,
            .refusal = lb_cstr(ROWS[i].body),
            .attempt = 1,
            .in_answer = true,
            .may_move = true,
        };
        const struct lo_verdict verdict = lo_judge(&outcome);
        if (strcmp(lo_reason_name(verdict.reason), ROWS[i].reason) != 0)
            fail_msg("%s: %s", ROWS[i].body, lo_reason_name(verdict.reason));
    }
}

static void a_403_is_the_keys_fault_only_if_it_says_so(void **state)
{
    (void)state;
    assert_int_equal(judged(403, ERROR("\"code\":\"invalid_api_key\"")).fault, LO_FAULT_KEY);
    assert_int_equal(judged(403, ERROR("\"code\":\"moderation\"")).fault, LO_FAULT_REQUEST);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* Whatever status had come before. */
static void how_an_exchange_ended_says_more_than_its_status(void **state)
{
    static const int BEFORE[] = {0, 200, 400, 401, 500};
    static const struct {
        llmgr_status ended;
        enum lo_fault fault;
    } ROWS[] = {
        {LLMGR_ERR_UNREACHABLE, LO_FAULT_NETWORK}, {LLMGR_ERR_TLS, LO_FAULT_NETWORK},
        {LLMGR_ERR_TIMEOUT, LO_FAULT_MODEL},       {LLMGR_ERR_CUT, LO_FAULT_NETWORK},
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

static struct lo_outcome ended(llmgr_status status)
{
    return (struct lo_outcome){
        .host = &host, .ended = status, .attempt = 1, .attempts_max = 5, .may_move = true};
}

static void what_was_not_sent_is_tried_there_once_more(void **state)
{
    struct lo_outcome outcome = ended(LLMGR_ERR_UNREACHABLE);

    (void)state;
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_OTHER_PLATFORM);
    outcome.is_unsent = true;
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_SAME);
    outcome.has_repeated = true;
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_OTHER_PLATFORM);
    outcome.has_repeated = false;
    outcome.may_move = false;
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_NOTHING);
    /* It took too long to get there, or to be answered. */
    outcome = ended(LLMGR_ERR_TIMEOUT);
    assert_int_equal(lo_judge(&outcome).fault, LO_FAULT_MODEL);
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_OTHER_MODEL);
    outcome.is_unsent = true;
    assert_int_equal(lo_judge(&outcome).fault, LO_FAULT_NETWORK);
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_SAME);
    /* Nothing was sent, for it is at fault itself. */
    outcome = ended(LLMGR_ERR_INVALID);
    outcome.is_unsent = true;
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_NOTHING);
}

static void an_answer_without_content_is_none(void **state)
{
    struct lo_outcome outcome = ended(LLMGR_OK);

    (void)state;
    outcome.http_status = 200;
    assert_int_equal(lo_judge(&outcome).reason, LO_REASON_ANSWERED);
    outcome.is_empty = true;
    assert_int_equal(lo_judge(&outcome).reason, LO_REASON_EMPTY);
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_OTHER_MODEL);
    outcome.ended = LLMGR_ERR_TIMEOUT;
    assert_int_equal(lo_judge(&outcome).reason, LO_REASON_TIMEOUT);
    assert_int_equal(lo_judge(&outcome).next, LO_NEXT_OTHER_MODEL);
}

static void a_callers_own_limit_cools_nothing(void **state)
{
    struct lo_outcome outcome = ended(LLMGR_ERR_TIMEOUT);

    (void)state;
    assert_int_equal(lo_judge(&outcome).cool, LO_COOL_COUNT);
    outcome.is_callers_limit = true;
    assert_int_equal(lo_judge(&outcome).cool, LO_COOL_NONE);
    outcome = ended(LLMGR_ERR_CUT);
    outcome.is_callers_limit = true;
    assert_int_equal(lo_judge(&outcome).cool, LO_COOL_COUNT);
}

/* ---- Besides --------------------------------------------------------------------------------- */

static void the_longer_wait_of_head_and_body_holds(void **state)
{
    struct lo_outcome outcome = {
        .host = &host,
        .http_status = 429,
        .refusal = LB_STR("{\"error\":{\"code\":429,\"details\":[{\"retryDelay\":\"34s\"}]}}"),
        .attempt = 1,
    };

    (void)state;
    assert_int_equal(lo_judge(&outcome).retry_after_ms, 34000);
    outcome.retry_after_ms = 35000;
    assert_int_equal(lo_judge(&outcome).retry_after_ms, 35000);
    outcome.refusal = LB_STR("");
    outcome.retry_after_ms = -1;
    assert_int_equal(lo_judge(&outcome).retry_after_ms, -1);
    outcome.retry_after_ms = 0;
    assert_int_equal(lo_judge(&outcome).retry_after_ms, -1);
    outcome.retry_after_ms = INT64_MAX;
    assert_int_equal(lo_judge(&outcome).retry_after_ms, 24 * 3600 * 1000);
}

/* What a platform says of itself is no word about the request, however often it is heard. */
static void only_some_failures_are_alike(void **state)
{
    static const int ALIKE[] = {500, 501, 599, 300},
                     NOT[] = {429, 401, 402, 404, 502, 503, 504, 529};

    (void)state;
    for (size_t i = 0; i < sizeof ALIKE / sizeof ALIKE[0]; i++)
        assert_int_not_equal(judged(ALIKE[i], "").alike, 0);
    for (size_t i = 0; i < sizeof NOT / sizeof NOT[0]; i++)
        assert_int_equal(judged(NOT[i], "").alike, 0);
    assert_int_equal(judged(500, "a").alike, judged(500, "{}").alike);
    assert_int_not_equal(judged(500, "").alike, judged(501, "").alike);
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
        cmocka_unit_test(without_another_candidate_nothing_follows),
        cmocka_unit_test(the_words_of_real_platforms_are_understood),
        cmocka_unit_test(an_error_within_an_answer_has_the_same_words),
        cmocka_unit_test(a_403_is_the_keys_fault_only_if_it_says_so),
        cmocka_unit_test(how_an_exchange_ended_says_more_than_its_status),
        cmocka_unit_test(what_was_not_sent_is_tried_there_once_more),
        cmocka_unit_test(an_answer_without_content_is_none),
        cmocka_unit_test(a_callers_own_limit_cools_nothing),
        cmocka_unit_test(the_longer_wait_of_head_and_body_holds),
        cmocka_unit_test(only_some_failures_are_alike),
        cmocka_unit_test(a_callers_own_words_teach_nothing),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
