/* SPDX-License-Identifier: MIT */
/* How long a platform asks to wait, in each spelling, and what is none. */
#include "dialect/retry_after.h"

#include <string.h>

#include "json/write.h"

#include "../unit.h"

static void retry_after_is_read_in_each_form(void **state)
{
    (void)state;
    const int64_t now = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */

    assert_int_equal(ld_retry_after_value(LB_STR("7"), now), 7000);
    assert_int_equal(ld_retry_after_value(LB_STR(" 0 "), now), 0);
    assert_int_equal(ld_retry_after_value(LB_STR("Sun, 06 Nov 1994 08:49:47 GMT"), now), 10000);
    assert_int_equal(ld_retry_after_value(LB_STR("Sunday, 06-Nov-94 08:50:37 GMT"), now), 60000);
    assert_int_equal(ld_retry_after_value(LB_STR("Sun Nov  6 08:49:38 1994"), now), 1000);
    assert_int_equal(ld_retry_after_value(LB_STR("Sun, 06 Nov 1994 08:49:30 GMT"), now), 0);
    assert_int_equal(ld_retry_after_value(LB_STR("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164799000),
                     1000);
    assert_int_equal(ld_retry_after_value(LB_STR("-1"), now), -1);
    assert_int_equal(ld_retry_after_value(LB_STR("soon"), now), -1);
    assert_int_equal(ld_retry_after_value(LB_STR(""), now), -1);
}

static int64_t retry_after_of(const char *text)
{
    struct lh_field fields[LH_FIELDS];
    struct lh_head head;

    lh_head_init_response(&head, fields, LH_FIELDS, &lh_limits_default, LH_REPLY_TO_OTHER);
    assert_int_equal(lh_head_parse(&head, text, strlen(text)), LH_DONE);
    return ld_retry_after_ms(&head, 0);
}

static void milliseconds_are_preferred(void **state)
{
    (void)state;
    assert_int_equal(retry_after_of("HTTP/1.1 429 x\r\nRetry-After: 9\r\nretry-after-ms: 150\r\n"
                                    "Content-Length: 0\r\n\r\n"),
                     150);
    assert_int_equal(retry_after_of("HTTP/1.1 429 x\r\nretry-after-ms: 20.5\r\n\r\n"), 20);
    assert_int_equal(
        retry_after_of("HTTP/1.1 429 x\r\nretry-after-ms: x\r\nRetry-After: 1\r\n\r\n"), 1000);
    assert_int_equal(retry_after_of("HTTP/1.1 429 x\r\n\r\n"), -1);
}

static void a_date_that_is_none_is_not_said(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "Sun, 00 Nov 2094 08:49:37 GMT",  "Sun, 32 Nov 2094 08:49:37 GMT",
        "Sun, 06 Nox 2094 08:49:37 GMT",  "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 2094 08.49:37 GMT",  "Sun, 06 Nov 2094 08:49.37 GMT",
        "Sun, 06 Nov 2094 xx:49:37 GMT",  "Sun, 06 Nov 2094 08:xx:37 GMT",
        "Sun, 06 Nov 2094 08:49:xx GMT",  "Sun, 06 Nov 2094 24:49:37 GMT",
        "Sun, 06 Nov 2094 08:60:37 GMT",  "Sun, 06 Nov 2094 08:49:61 GMT",
        "Sun, 06 Nov 2094 GMT",           "Sun, 06 Nov 08:49:37 GMT",
        "Sun, Nov 08:49:37 GMT",          "06 2094 08:49:37",
        "Sun, 06 Nov 20940 08:49:37 GMT",
    };

    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        if (ld_retry_after_value(lb_cstr(BAD[i]), 3939785377000) != -1)
            fail_msg("%s", BAD[i]);
    }
    /* Two digits of a year: up to 69 this century, then the last one. */
    assert_int_equal(ld_retry_after_value(LB_STR("Sunday, 06-Nov-69 08:49:37 GMT"), 3150953376000),
                     1000);
    assert_int_equal(ld_retry_after_value(LB_STR("Sunday, 06-Nov-70 08:49:37 GMT"), 3150953376000),
                     0);
}

/* A year, a date in the past, a sign, garbage. */
static void no_wait_is_longer_than_a_day_or_shorter_than_none(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t ms;
    } ROWS[] = {
        {"31536000", LD_RETRY_MAX_MS},
        {"86400", LD_RETRY_MAX_MS},
        {"86401", LD_RETRY_MAX_MS},
        {"86399", 86399000},
        {"999999999", LD_RETRY_MAX_MS},
        {"99999999999999999999", LD_RETRY_MAX_MS},
        {"9e9", -1},
        {"Sun, 06 Nov 9994 08:49:37 GMT", LD_RETRY_MAX_MS},
        {"Sun, 06 Nov 1993 08:49:37 GMT", 0},
        {"2094-11-06T08:49:37Z", LD_RETRY_MAX_MS},
        {"1993-11-06T08:49:37Z", 0},
        {"400d", LD_RETRY_MAX_MS},
        {"-5", -1},
        {"-5s", -1},
        {"+5", -1},
        {"inf", -1},
        {"nan", -1},
        {"0x10", -1},
        {"5 s", -1},
        {"s", -1},
        {"5.s", -1},
        {"5.", -1},
        {".5", -1},
        {"5x", -1},
        {"7d garbage", -1},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        int64_t ms = ld_retry_after_value(lb_cstr(ROWS[i].value), 784111777000);
        if (ms != ROWS[i].ms)
            fail_msg("%s: %lld", ROWS[i].value, (long long)ms);
    }
}

/* More digits than any number has. */
static void a_number_without_end_is_a_day(void **state)
{
    char digits[1000];

    (void)state;
    memset(digits, '9', sizeof digits);
    assert_int_equal(ld_retry_after_value(lb_str(digits, sizeof digits), 0), LD_RETRY_MAX_MS);
    digits[1] = '.';
    assert_int_equal(ld_retry_after_value(lb_str(digits, sizeof digits), 0), 10000);
}

static void durations_times_and_points_in_time_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t ms;
    } ROWS[] = {
        {"1s", 1000},
        {"6m0s", 360000},
        {"17ms", 17},
        {"1.5s", 1500},
        {"1h2m3.25s", 3723250},
        {"1500us", 1},
        {"1500\xc2\xb5s", 1},
        {"1500\xce\xbcs", 1},
        {"2000001ns", 2},
        {"1d", LD_RETRY_MAX_MS},
        {"0s", 0},
        {"1.5", 1500},
        {"0.0001", 0},
        {"1700000034", 34000}, /* seconds since 1970 */
        {"1700000034.5", 34500},
        {"1700000034500", 34500}, /* ms */
        {"1699999999", 0},
        {"2023-11-14T22:13:54Z", 34000}, /* RFC 3339 */
        {"2023-11-14t22:13:54.5Z", 34500},
        {"2023-11-15T00:13:54+02:00", 34000},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        int64_t ms = ld_retry_after_value(lb_cstr(ROWS[i].value), 1700000000000);
        if (ms != ROWS[i].ms)
            fail_msg("%s: %lld", ROWS[i].value, (long long)ms);
    }
}

#define LIMITED "HTTP/1.1 429 x\r\n"

static void of_many_limits_the_one_that_is_used_up_counts(void **state)
{
    (void)state;
    assert_int_equal(retry_after_of(LIMITED "x-ratelimit-remaining-requests: 9\r\n"
                                            "x-ratelimit-reset-requests: 1s\r\n"
                                            "x-ratelimit-remaining-tokens: 0\r\n"
                                            "x-ratelimit-reset-tokens: 6m0s\r\n\r\n"),
                     360000);
    /* Both: the later one. */
    assert_int_equal(retry_after_of(LIMITED "x-ratelimit-remaining-requests: 0\r\n"
                                            "x-ratelimit-reset-requests: 20s\r\n"
                                            "x-ratelimit-remaining-tokens: 0\r\n"
                                            "x-ratelimit-reset-tokens: 17ms\r\n\r\n"),
                     20000);
    /* None that is known of: the sooner one. */
    assert_int_equal(retry_after_of(LIMITED "x-ratelimit-reset-requests: 20s\r\n"
                                            "x-ratelimit-reset-tokens: 17ms\r\n\r\n"),
                     17);
    assert_int_equal(
        retry_after_of(LIMITED "anthropic-ratelimit-requests-remaining: 3\r\n"
                               "anthropic-ratelimit-requests-reset: 1970-01-01T00:00:01Z\r\n"
                               "anthropic-ratelimit-input-tokens-remaining: 0\r\n"
                               "anthropic-ratelimit-input-tokens-reset: 1970-01-01T00:00:50Z\r\n"
                               "\r\n"),
        50000);
    assert_int_equal(retry_after_of(LIMITED "x-ratelimit-reset: garbage\r\n\r\n"), -1);
}

/* Answers of every kind tell of their limits. */
static void limits_are_no_wait_unless_one_was_met(void **state)
{
    (void)state;
    assert_int_equal(retry_after_of("HTTP/1.1 400 x\r\nx-ratelimit-remaining: 0\r\n"
                                    "x-ratelimit-reset: 30\r\n\r\n"),
                     -1);
    assert_int_equal(retry_after_of(LIMITED "retry-after: 3\r\nx-ratelimit-remaining: 0\r\n"
                                            "x-ratelimit-reset: 30\r\n\r\n"),
                     3000);
    assert_int_equal(retry_after_of(LIMITED "retry-after: garbage\r\nx-ratelimit-remaining: 0\r\n"
                                            "x-ratelimit-reset: 30\r\n\r\n"),
                     30000);
}

static int64_t said(const char *text)
{
    json_t *error = lj_json_read(lb_cstr(text), NULL);
    int64_t ms = ld_retry_after_said(error);

    json_decref(error);
    return ms;
}

static void google_says_it_in_the_body(void **state)
{
    (void)state;
    assert_int_equal(said("{\"details\":[{\"@type\":\"q\"},{\"@type\":\"type.googleapis.com/google."
                          "rpc.RetryInfo\",\"retryDelay\":\"34s\"}]}"),
                     34000);
    assert_int_equal(said("{\"details\":[{\"retryDelay\":\"34.074824224s\"}]}"), 34074);
    assert_int_equal(said("{\"details\":[{\"retryDelay\":34}]}"), -1);
    assert_int_equal(said("{\"details\":[{\"retryDelay\":\"34\"}]}"), -1);
    assert_int_equal(said("{\"details\":{\"retryDelay\":\"34s\"}}"), -1);
    assert_int_equal(said("[]"), -1);
    assert_int_equal(ld_retry_after_said(NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_is_read_in_each_form),
        cmocka_unit_test(milliseconds_are_preferred),
        cmocka_unit_test(a_date_that_is_none_is_not_said),
        cmocka_unit_test(no_wait_is_longer_than_a_day_or_shorter_than_none),
        cmocka_unit_test(a_number_without_end_is_a_day),
        cmocka_unit_test(durations_times_and_points_in_time_are_told_apart),
        cmocka_unit_test(of_many_limits_the_one_that_is_used_up_counts),
        cmocka_unit_test(limits_are_no_wait_unless_one_was_met),
        cmocka_unit_test(google_says_it_in_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
