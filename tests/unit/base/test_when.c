/* SPDX-License-Identifier: MIT */
#include "base/when.h"

#include "../unit.h"

#define NOW INT64_C(1767225600000)

static void days_times_and_numbers_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {
        {"0", 0},
        {"1767225600000", 1767225600000},
        {"1970-01-01", 0},
        {"1972-02-29", 68169600000},
        {"1972-03-01", 68256000000},
        {"2000-03-01", 951868800000},
        {"2026-01-01", 1767225600000},
        {"2026-12-31", 1798675200000},
        {"2100-03-01", 4107542400000},
        {"2026-01-01T00:00:00Z", 1767225600000},
        {"2026-01-01t00:00:00z", 1767225600000},
        {"2026-01-01 08:00:00+08:00", 1767225600000},
        {"2025-12-31T18:30:00.25-05:30", 1767225600250},
        {"2026-01-01T00:00:00.1239999Z", 1767225600123},
        {"2026-01-01T00:00", 1767225600000},
        {"2026-01-01T00:00:00.1", 1767225600100},
        {"2026-01-01T00:00Z", 1767225600000},
        {"2026-01-01 00:00:07", 1767225607000},
        {"90m", NOW - 90 * 60000},
        {"24h", NOW - 24 * 3600000},
        {"7d", NOW - INT64_C(7) * 86400000},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t ms = -1;
        if (!lb_when_parse(lb_cstr(CASES[i].text), NOW, &ms) || ms != CASES[i].ms)
            fail_msg("%s: %lld", CASES[i].text, (long long)ms);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const CASES[] = {
        "",
        "-1",
        "x",
        "2026",
        "20260131",
        "2026-1-1",
        "2026-00-01",
        "2026-13-01",
        "2026-02-29",
        "2100-02-29",
        "2026-04-31",
        "2026-01-00",
        "1969-12-31",
        "2026-01-01T",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+0800",
        "2026-01-01T00:00:00Zx",
        "1970-01-01T00:00:00+01:00",
        "99999999999999999999",
        "+026-01-01",
        "2026-01-01T00:00:00 00:00",
        "2026-01-01T00:00:",
        "m",
        "-1d",
        "1w",
        "99999999999d",
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int64_t ms;
        if (lb_when_parse(lb_cstr(CASES[i]), NOW, &ms))
            fail_msg("%s: %lld", CASES[i], (long long)ms);
    }
}

static void times_are_written_in_utc(void **state)
{
    char text[LB_WHEN_TEXT];
    (void)state;

    assert_string_equal(lb_when_print(NOW + 999, LB_WHEN_TIME, text), "2026-01-01T00:00:00Z");
    assert_string_equal(lb_when_print(NOW + 99, LB_WHEN_TIME_MS, text), "2026-01-01T00:00:00.099Z");
    assert_string_equal(lb_when_print(NOW, LB_WHEN_DAY, text), "2026-01-01");
    assert_string_equal(lb_when_print(NOW, LB_WHEN_STAMP, text), "20260101t000000");
    assert_string_equal(lb_when_print(INT64_MAX, LB_WHEN_DAY, text), "292278994-08-17");
    assert_string_equal(lb_when_print_http(INT64_C(784111777000), text),
                        "Sun, 06 Nov 1994 08:49:37 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_times_and_numbers_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(times_are_written_in_utc),
    };

    return cmocka_run_group_tests_name("base/when", tests, NULL, NULL);
}
