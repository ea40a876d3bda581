/* SPDX-License-Identifier: MIT */
/* What fails at one candidate is asked of the next; what the caller has seen is not. */
#include "walks.h"

/* ---- Failures -------------------------------------------------------------------------------- */

static void check_vice(const struct vice *vice, bool stream)
{
    const bool moves = stream ? vice->moves_stream : vice->moves_whole;
    int64_t rows_before, rows, calls_before, calls;
    char route[64];

    open_anew();
    snprintf(route, sizeof route, "v-%s", vice->name);
    count_rows(&rows_before, &calls_before);
    const unsigned before = asked(second);
    const struct called called = call(NULL, route, stream);
    if (called.status != (moves ? LLMGR_OK : called.err.status) ||
        called.attempts != 1u + moves + vice->is_repeated)
        fail_msg("%s, %s: %s after %u attempts: %s", vice->name, stream ? "stream" : "whole",
                 llmgr_status_name(called.status), called.attempts, called.err.message);
    count_rows(&rows, &calls);
    assert_int_equal(rows - rows_before, called.attempts);
    assert_int_equal(calls - calls_before, 1);
    assert_int_equal(asked(second) - before, moves);
    if (!moves) {
        assert_true(called.status != LLMGR_OK);
        return;
    }
    assert_string_equal(called.by, "Second");
    assert_string_equal(called.whole, HELLO);
    if (stream)
        assert_string_equal(called.content, HELLO);
}

static void what_another_candidate_can_answer_is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VICES / sizeof VICES[0]; i++) {
        check_vice(&VICES[i], false);
        check_vice(&VICES[i], true);
    }
}

static void what_has_begun_is_begun_once(void **state)
{
    (void)state;
    static const struct {
        const char *route;
        llmgr_status status;
    } ROWS[] = {{"late", LLMGR_ERR_CUT}, {"event", LLMGR_ERR_UPSTREAM}};

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const unsigned before = asked(second);
        const struct called called = call(NULL, ROWS[i].route, true);
        assert_int_equal(called.status, ROWS[i].status);
        assert_int_equal(called.attempts, 1);
        assert_true(called.size > 0);
        assert_string_equal(called.by, "First");
        assert_int_equal(asked(second), before);
        if (called.status == LLMGR_ERR_CUT)
            assert_string_equal(called.whole, called.content);
    }
}

/* The role alone came: alone it is given away, with another candidate behind it it is not. */
static void nothing_is_called_back_before_there_is_content(void **state)
{
    (void)state;
    const struct called alone = call(NULL, "First/Role", true);
    const struct called held = call(NULL, "role", true);
    const struct called fine = call(NULL, "Second/Fine", true);

    assert_int_equal(alone.status, LLMGR_ERR_CUT);
    assert_true(alone.chunks > 0 && alone.size == 0);
    assert_int_equal(held.status, LLMGR_OK);
    assert_int_equal(held.attempts, 2);
    assert_int_equal(held.chunks, fine.chunks);
    /* Of the first of two that answers, what was held comes after all. */
    assert_int_equal(call(NULL, "well", true).chunks, fine.chunks);
    assert_string_equal(held.content, HELLO);
}

static void a_window_has_limits(void **state)
{
    (void)state;
    const unsigned before = asked(second);

    host.options.window_events = 1;
    open_anew();
    const struct called by_events = call(NULL, "role", true);
    host.options.window_events = 64;
    host.options.window_max = 10;
    open_anew();
    const struct called by_bytes = call(NULL, "role", true);
    assert_int_equal(by_events.status, LLMGR_ERR_CUT);
    assert_int_equal(by_bytes.status, LLMGR_ERR_CUT);
    assert_true(by_events.chunks > 0 && by_bytes.chunks > 0);
    assert_int_equal(asked(second), before);
}

static void a_platform_that_rejects_options_is_asked_without(void **state)
{
    (void)state;
    int64_t rows, calls;
    const struct called called = call(NULL, "options", true);

    assert_int_equal(called.status, LLMGR_OK);
    assert_int_equal(called.attempts, 2);
    assert_string_equal(called.by, "First");
    count_rows(&rows, &calls);
    assert_int_equal(rows, 2);
    assert_int_equal(calls, 1);
    assert_int_equal(call(NULL, "options", true).attempts, 1); /* it was learnt */
}

/* ---- What is told ---------------------------------------------------------------------------- */

static void attempts_are_those_of_the_whole_call(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        const struct called called = call(NULL, "short", stream);
        assert_int_equal(called.status, LLMGR_ERR_UPSTREAM);
        assert_int_equal(called.attempts, 2);
        assert_int_equal(called.err.upstream_status, 500);
        if (strstr(called.err.message, "2 attempts failed (First/mock-500, Second/mock-500)") ==
                NULL ||
            strstr(called.err.message, "internal error") == NULL)
            fail_msg("%s", called.err.message);
        assert_int_equal(called.chunks, 0);
    }
}

static void a_target_that_is_missing_is_passed_over(void **state)
{
    (void)state;
    const struct called called = call(NULL, "missing", false);

    assert_int_equal(called.status, LLMGR_OK);
    assert_int_equal(called.attempts, 1);
    assert_string_equal(called.by, "Second");
}

static void who_has_only_cooled_candidates_is_told_until_when(void **state)
{
    (void)state;
    struct called called = call(NULL, "lone", false);
    const unsigned before = asked(host.mock);

    assert_int_equal(called.status, LLMGR_ERR_RATE_LIMITED);
    called = call(NULL, "lone", false);
    assert_int_equal(called.status, LLMGR_ERR_UPSTREAM);
    assert_int_equal(called.attempts, 0);
    assert_true(called.err.retry_after_ms > 0);
    assert_non_null(strstr(called.err.message, "'lone'"));
    assert_int_equal(asked(host.mock), before);
    called = call(NULL, "least", false); /* which rather asks than refuses */
    assert_int_equal(called.status, LLMGR_ERR_RATE_LIMITED);
    assert_int_equal(called.attempts, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_another_candidate_can_answer_is_answered),
        TEST(what_has_begun_is_begun_once),
        TEST(nothing_is_called_back_before_there_is_content),
        TEST(a_window_has_limits),
        TEST(a_platform_that_rejects_options_is_asked_without),
        TEST(attempts_are_those_of_the_whole_call),
        TEST(a_target_that_is_missing_is_passed_over),
        TEST(who_has_only_cooled_candidates_is_told_until_when),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
