/* SPDX-License-Identifier: MIT */
/* Time zones say what the C library says of the same file and the same rule. */
#include "budget/zone.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mix.h"
#include "zones.h"

static struct lb_host host;

/* What the C library says. */
static int64_t expected(int64_t at)
{
    const time_t when = (time_t)at;
    struct tm parts;

    assert_non_null(localtime_r(&when, &parts));
    return parts.tm_gmtoff;
}

static void set_zone(const char *name)
{
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
}

/* Random moments from 1970 to 2100, and those around each full hour of two years. */
static void agree(const struct lq_zone *zone, const char *name)
{
    set_zone(name);
    for (uint64_t i = 0; i < 4000; i++) {
        const int64_t at = (int64_t)(lb_mix(i) % UINT64_C(4102444800));
        if (lq_zone_offset(zone, at) != expected(at))
            fail_msg("%s at %lld: %lld, the C library says %lld", name, (long long)at,
                     (long long)lq_zone_offset(zone, at), (long long)expected(at));
    }
    for (int64_t at = 1767225600; at < 1830297600; at += 1800) {
        for (int64_t by = -1; by <= 1; by++)
            if (lq_zone_offset(zone, at + by) != expected(at + by))
                fail_msg("%s at %lld", name, (long long)(at + by));
    }
}

static void rules_say_what_the_c_library_says(void **state)
{
    static const char *const rules[] = {BERLIN,
                                        NEW_YORK,
                                        "<+08>-8",
                                        "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
                                        "NZST-12NZDT,M9.5.0,M4.1.0/3",
                                        "IST-5:30",
                                        "AAA3BBB,J60/0,J300/12:30:15",
                                        "AAA-3BBB-5,59,300",
                                        "EET-2EEST,M3.4.4/50,M10.4.4/50"};

    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct lq_zone *zone = zone_of(&host, rules[i]);
        agree(zone, rules[i]);
        lq_zone_free(zone);
    }
}

static void the_systems_zones_say_what_the_c_library_says(void **state)
{
    static const char *const names[] = {"Europe/Berlin",    "America/New_York",    "Asia/Shanghai",
                                        "Asia/Kolkata",     "Australia/Lord_Howe", "Pacific/Apia",
                                        "America/Santiago", "Africa/Casablanca",   "Europe/Dublin",
                                        "Etc/GMT+5"};

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct llmgr_error err = {0};
        struct lq_zone *zone = NULL;
        if (lq_zone_load(&host, lb_cstr(names[i]), &zone, &err) != LLMGR_OK)
            fail_msg("%s", err.message);
        agree(zone, names[i]);
        lq_zone_free(zone);
    }
}

static void utc_needs_no_file(void **state)
{
    struct lq_zone *zone = NULL;

    (void)state;
    assert_int_equal(lq_zone_load(&host, LB_STR("UTC"), &zone, NULL), LLMGR_OK);
    assert_int_equal(lq_zone_offset(zone, 0), 0);
    assert_int_equal(lq_zone_offset(zone, 4102444800), 0);
    lq_zone_free(zone);
}

static void a_zone_that_is_not_there_is_a_clear_error(void **state)
{
    struct llmgr_error err = {0};
    struct lq_zone *zone = NULL;

    (void)state;
    assert_int_equal(lq_zone_load(&host, LB_STR("Asia/Atlantis"), &zone, &err),
                     LLMGR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "Asia/Atlantis"));
    assert_non_null(strstr(err.message, "tzdata"));
    /* A directory is no zone. */
    assert_int_equal(lq_zone_load(&host, LB_STR("Europe"), &zone, &err), LLMGR_ERR_NOT_FOUND);
    assert_null(zone);
}

static void no_name_leaves_the_folder(void **state)
{
    static const char *const names[] = {
        "",    "/etc/passwd", "../../../etc/passwd", "a//b", "a/", "a/../b", "zone.tab",
        "a b", "a\nb",        "Größe/Stadt"};
    char longest[LLMGR_PRICE_TIME_ZONE_MAX + 2];
    struct lq_zone *zone = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(lq_zone_load(&host, lb_cstr(names[i]), &zone, NULL), LLMGR_ERR_INVALID);
    memset(longest, 'a', sizeof longest);
    assert_int_equal(lq_zone_load(&host, lb_str(longest, sizeof longest - 1), &zone, NULL),
                     LLMGR_ERR_INVALID);
    assert_int_equal(lq_zone_load(&host, lb_str(longest, sizeof longest - 2), &zone, NULL),
                     LLMGR_ERR_NOT_FOUND);
}

static void no_rule_is_no_zone(void **state)
{
    static const char *const rules[] = {"C-1",
                                        "CET",
                                        "CET-25",
                                        "CET-1CEST",
                                        "CET-1CEST,",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.0.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,J0,J365",
                                        "CET-1CEST,0,366",
                                        "CET-1CEST,M3.5.0,M10.5.0/168",
                                        "CET-1CEST,M3.5.0,M10.5.0x",
                                        "<+08-8",
                                        "CET-1:60",
                                        "CET-1:"};
    char file[ZONE_FILE_MAX];
    struct lq_zone *zone = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (lq_zone_read(&host, lb_str(file, zone_file(file, rules[i])), &zone))
            fail_msg("'%s' is read", rules[i]);
}

static void a_cut_or_bent_file_is_no_zone(void **state)
{
    char file[ZONE_FILE_MAX];
    const size_t size = zone_file(file, BERLIN);
    struct lq_zone *zone = NULL;

    (void)state;
    for (size_t cut = 0; cut < size; cut++)
        assert_false(lq_zone_read(&host, lb_str(file, cut), &zone));
    for (size_t at = 0; at < 2 * ZONE_HEADER; at++) {
        /* Whatever its bytes say, only what is there is read. */
        for (int bit = 0; bit < 8; bit++) {
            file[at] = (char)(file[at] ^ 1 << bit);
            if (lq_zone_read(&host, lb_str(file, size), &zone)) {
                (void)lq_zone_offset(zone, 1767225600);
                lq_zone_free(zone);
            }
            file[at] = (char)(file[at] ^ 1 << bit);
        }
    }
    file[4] = '\0'; /* of the first release, without 64-bit times */
    assert_false(lq_zone_read(&host, lb_str(file, size), &zone));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_say_what_the_c_library_says),
        cmocka_unit_test(the_systems_zones_say_what_the_c_library_says),
        cmocka_unit_test(utc_needs_no_file),
        cmocka_unit_test(a_zone_that_is_not_there_is_a_clear_error),
        cmocka_unit_test(no_name_leaves_the_folder),
        cmocka_unit_test(no_rule_is_no_zone),
        cmocka_unit_test(a_cut_or_bent_file_is_no_zone),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
