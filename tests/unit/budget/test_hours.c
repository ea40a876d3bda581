/* SPDX-License-Identifier: MIT */
/* Hours of the day are those of the clock on the wall, also where the day has 23 or 25 of them. */
#include "budget/hours.h"

#include "zones.h"

static struct lb_host host;
static struct lq_zone *berlin;
static struct lq_zone *utc;

static struct lq_hours hours(const char *text)
{
    struct llmgr_error err = {0};
    struct lq_hours read;

    if (lq_hours_read(lb_cstr(text), &read, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    return read;
}

/* At this moment, in seconds since 1970? */
static bool hold(const char *text, const struct lq_zone *zone, int64_t at)
{
    const struct lq_hours read = hours(text);

    return lq_hours_hold(&read, zone, at * 1000);
}

/* How many minutes from `from` on, of so many hours? */
static int minutes(const char *text, const struct lq_zone *zone, int64_t from, int count)
{
    int held = 0;

    for (int i = 0; i < count * 60; i++)
        held += hold(text, zone, from + (int64_t)i * 60);
    return held;
}

enum { THURSDAY = 0, FRIDAY = 86400, SATURDAY = 2 * 86400, SUNDAY = 3 * 86400, MONDAY = 4 * 86400 };
#define AT(hour, minute) ((hour)*3600 + (minute)*60)

static void hours_begin_and_end_to_the_minute(void **state)
{
    (void)state;
    assert_false(hold("09:00-18:00", utc, AT(8, 59) + 59));
    assert_true(hold("09:00-18:00", utc, AT(9, 0)));
    assert_true(hold("09:00-18:00", utc, AT(17, 59) + 59));
    assert_false(hold("09:00-18:00", utc, AT(18, 0)));
    assert_true(hold("00:00-24:00", utc, AT(23, 59) + 59));
    assert_true(hold("00:00-24:00", utc, 0));
}

static void hours_over_midnight_end_the_next_day(void **state)
{
    (void)state;
    assert_false(hold("16:30-00:30", utc, AT(16, 29)));
    assert_true(hold("16:30-00:30", utc, AT(16, 30)));
    assert_true(hold("16:30-00:30", utc, AT(23, 59)));
    assert_true(hold("16:30-00:30", utc, AT(0, 29)));
    assert_false(hold("16:30-00:30", utc, AT(0, 30)));
}

static void a_weekday_is_that_of_the_beginning(void **state)
{
    (void)state;
    assert_true(hold("mon-fri 09:00-18:00", utc, FRIDAY + AT(10, 0)));
    assert_false(hold("mon-fri 09:00-18:00", utc, SATURDAY + AT(10, 0)));
    assert_true(hold("fri 22:00-06:00", utc, FRIDAY + AT(23, 0)));
    assert_true(hold("fri 22:00-06:00", utc, SATURDAY + AT(5, 59)));
    assert_false(hold("fri 22:00-06:00", utc, FRIDAY + AT(5, 59)));
    assert_false(hold("fri 22:00-06:00", utc, SATURDAY + AT(22, 0)));
    assert_true(hold("sat,mon 00:00-24:00", utc, SATURDAY));
    assert_false(hold("sat,mon 00:00-24:00", utc, SUNDAY));
    assert_true(hold("sat,mon 00:00-24:00", utc, MONDAY + AT(23, 59)));
    assert_true(hold("fri-mon 00:00-24:00", utc, SUNDAY));
    assert_false(hold("fri-mon 00:00-24:00", utc, THURSDAY));
    assert_true(hold("sun 23:00-01:00", utc, MONDAY + AT(0, 30)));
}

/* 29 March 2026: 02:00 becomes 03:00; 25 October: 03:00 becomes 02:00. In UTC both days begin at
 * 23:00 and 22:00 of the day before. */
static const int64_t SPRING = 1774738800; /* 2026-03-28T23:00Z */
static const int64_t AUTUMN = 1792879200; /* 2026-10-24T22:00Z */

static void a_day_of_23_hours_has_fewer_of_them(void **state)
{
    (void)state;
    assert_int_equal(minutes("00:00-24:00", berlin, SPRING, 23), 23 * 60);
    assert_int_equal(minutes("sun 00:00-24:00", berlin, SPRING, 30), 23 * 60);
    assert_int_equal(minutes("01:00-04:00", berlin, SPRING, 23), 2 * 60);
    assert_int_equal(minutes("02:00-03:00", berlin, SPRING, 23), 0);
    assert_int_equal(minutes("02:30-03:30", berlin, SPRING, 23), 30);
    assert_int_equal(minutes("22:00-06:00", berlin, SPRING - 7200, 23), 7 * 60);
}

static void a_day_of_25_hours_has_more_of_them(void **state)
{
    (void)state;
    assert_int_equal(minutes("sun 00:00-24:00", berlin, AUTUMN, 30), 25 * 60);
    assert_int_equal(minutes("01:00-04:00", berlin, AUTUMN, 25), 4 * 60);
    assert_int_equal(minutes("02:00-03:00", berlin, AUTUMN, 25), 2 * 60);
    assert_int_equal(minutes("02:30-03:30", berlin, AUTUMN, 25), 90);
    assert_int_equal(minutes("22:00-06:00", berlin, AUTUMN - 7200, 24), 9 * 60);
}

static void what_are_no_hours_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "9:00-18:00",
                                        "09:00",
                                        "09:00-18:60",
                                        "24:00-06:00",
                                        "09:00-09:00",
                                        "09:00-24:01",
                                        "09:00 - 18:00",
                                        " 09:00-18:00",
                                        "mon 09:00",
                                        "mo 09:00-18:00",
                                        "Mon 09:00-18:00",
                                        "mon- 09:00-18:00",
                                        "mon,, 09:00-18:00",
                                        "mon-fri09:00-18:00",
                                        "mon-fri  09:00-18:00",
                                        "mon-xyz 09:00-18:00",
                                        "mon+fri 09:00-18:00",
                                        "mon-frid 09:00-18:00",
                                        ", 09:00-18:00",
                                        "-1:00-18:00",
                                        "09:00-18:00x"};
    struct lq_hours read;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct llmgr_error err = {0};
        if (lq_hours_read(lb_cstr(texts[i]), &read, &err) != LLMGR_ERR_INVALID)
            fail_msg("'%s' is read", texts[i]);
        assert_non_null(strstr(err.message, "16:30-00:30"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_begin_and_end_to_the_minute),
        cmocka_unit_test(hours_over_midnight_end_the_next_day),
        cmocka_unit_test(a_weekday_is_that_of_the_beginning),
        cmocka_unit_test(a_day_of_23_hours_has_fewer_of_them),
        cmocka_unit_test(a_day_of_25_hours_has_more_of_them),
        cmocka_unit_test(what_are_no_hours_is_refused),
    };

    lb_host_init(&host);
    berlin = zone_of(&host, BERLIN);
    utc = zone_of(&host, "UTC0");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lq_zone_free(berlin);
    lq_zone_free(utc);
    return failed;
}
