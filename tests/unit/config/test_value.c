/* SPDX-License-Identifier: MIT */
#include "config/value.h"

#include <string.h>

#include "../unit.h"

static struct lb_host host;

static void booleans_have_four_spellings_each(void **state)
{
    (void)state;
    bool value = false;
    static const char *const YES[] = {"true", "YES", "on", "1"};
    static const char *const NO[] = {"False", "no", "OFF", "0"};
    static const char *const NEITHER[] = {"", "t", "2", "truee", " true"};

    for (size_t i = 0; i < 4; i++) {
        assert_true(lc_parse_bool(lb_cstr(YES[i]), &value) && value);
        assert_true(lc_parse_bool(lb_cstr(NO[i]), &value) && !value);
    }
    for (size_t i = 0; i < 5; i++)
        assert_false(lc_parse_bool(lb_cstr(NEITHER[i]), &value));
}

static void durations_need_a_unit_and_never_overflow(void **state)
{
    (void)state;
    int64_t ms = 0;
    static const struct {
        const char *text;
        int64_t ms;
    } GOOD[] = {
        {"0", 0},        {"250ms", 250},   {"10s", 10000}, {"5m", 300000},
        {"2h", 7200000}, {"1d", 86400000}, {"0s", 0},      {"9223372036854775807ms", INT64_MAX}};
    static const char *const BAD[] = {"",
                                      "10",
                                      "s",
                                      "-1s",
                                      "1.5s",
                                      "10 s",
                                      "10sec",
                                      "10S",
                                      "1e3s",
                                      "9223372036854775807s",
                                      "99999999999999999999ms"};

    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        assert_true(lc_parse_duration(lb_cstr(GOOD[i].text), &ms));
        assert_int_equal(ms, GOOD[i].ms);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_false(lc_parse_duration(lb_cstr(BAD[i]), &ms));
}

static void sizes_are_binary(void **state)
{
    (void)state;
    int64_t bytes = 0;
    static const char *const BAD[] = {"", "KiB", "1kb", "1 KiB", "-1", "8589934592GiB", "1T"};

    assert_true(lc_parse_size(LB_STR("65536"), &bytes) && bytes == 65536);
    assert_true(lc_parse_size(LB_STR("64MiB"), &bytes) && bytes == 64 << 20);
    assert_true(lc_parse_size(LB_STR("2K"), &bytes) && bytes == 2048);
    assert_true(lc_parse_size(LB_STR("1G"), &bytes) && bytes == 1 << 30);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_false(lc_parse_size(lb_cstr(BAD[i]), &bytes));
}

static void written_values_read_back(void **state)
{
    (void)state;
    static const int64_t VALUES[] = {0, 1, 999, 1000, 60000, 90000, 86400000, 1 << 20, 65537};

    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        struct lb_buf text;
        int64_t value = -1;
        lb_buf_init(&text, &host, 100);
        lc_format_duration(VALUES[i], &text);
        assert_true(lc_parse_duration(lb_buf_str(&text), &value));
        assert_int_equal(value, VALUES[i]);
        lb_buf_reset(&text);
        lc_format_size(VALUES[i], &text);
        assert_true(lc_parse_size(lb_buf_str(&text), &value));
        assert_int_equal(value, VALUES[i]);
        lb_buf_free(&text);
    }
}

static void words_are_cut_as_a_shell_would_without_running_one(void **state)
{
    (void)state;
    struct lb_str rest = LB_STR("  pass  'my key' \"a \\\" b\" c\\ d x'y'z '' $(no) ");
    static const char *const WANT[] = {"pass", "my key", "a \" b", "c d", "xyz", "", "$(no)"};
    struct lb_buf word;
    bool bad = false;

    lb_buf_init(&word, &host, 100);
    for (size_t i = 0; i < sizeof WANT / sizeof WANT[0]; i++) {
        lb_buf_reset(&word);
        assert_true(lc_next_word(&rest, &word, &bad));
        assert_string_equal(lb_buf_c(&word), WANT[i]);
    }
    assert_false(lc_next_word(&rest, &word, &bad));
    assert_false(bad);
    rest = LB_STR("'open");
    assert_false(lc_next_word(&rest, &word, &bad));
    assert_true(bad);
    lb_buf_free(&word);
}

static void distance_counts_single_changes(void **state)
{
    (void)state;
    assert_int_equal(lc_distance(LB_STR("mode"), LB_STR("mode"), 5), 0);
    assert_int_equal(lc_distance(LB_STR("mdoe"), LB_STR("mode"), 5), 2);
    assert_int_equal(lc_distance(LB_STR("database"), LB_STR("databse"), 5), 1);
    assert_int_equal(lc_distance(LB_STR(""), LB_STR("abc"), 5), 3);
    assert_int_equal(lc_distance(LB_STR("abcdefgh"), LB_STR("zyxwvuts"), 3), 4);
}

static void the_nearest_name_is_the_first_that_few_changes_make(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"model_name", "kind", NULL};

    assert_string_equal(lc_nearest(LB_STR("kin"), NAMES, 4), "kind");
    assert_string_equal(lc_nearest(LB_STR("mind"), NAMES, 4), "kind");
    assert_string_equal(lc_nearest(LB_STR("model"), (const char *const[]){"models", NULL}, 4),
                        "models");
    assert_string_equal(lc_nearest(LB_STR("modelnam"), NAMES, 4), "model_name");
    assert_null(lc_nearest(LB_STR("modelnam"), NAMES, 1));
    /* Four changes make "kind" of anything. */
    assert_null(lc_nearest(LB_STR("abc"), NAMES, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans_have_four_spellings_each),
        cmocka_unit_test(durations_need_a_unit_and_never_overflow),
        cmocka_unit_test(sizes_are_binary),
        cmocka_unit_test(written_values_read_back),
        cmocka_unit_test(words_are_cut_as_a_shell_would_without_running_one),
        cmocka_unit_test(distance_counts_single_changes),
        cmocka_unit_test(the_nearest_name_is_the_first_that_few_changes_make),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
