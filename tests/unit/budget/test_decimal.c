/* SPDX-License-Identifier: MIT */
/* Decimals are read and written exactly, or not at all. */
#include "budget/decimal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "base/mix.h"

enum { MILLION = 1000000 };

static int64_t read(const char *text, int64_t per)
{
    struct llmgr_error err = {0};
    int64_t rate = -7;

    if (lq_rate_read(lb_cstr(text), per, &rate, &err) != LLMGR_OK)
        fail_msg("'%s' per %" PRId64 ": %s", text, per, err.message);
    return rate;
}

static void refuses(const char *text, int64_t per, const char *why)
{
    struct llmgr_error err = {0};
    int64_t rate = -7;

    if (lq_rate_read(lb_cstr(text), per, &rate, &err) != LLMGR_ERR_INVALID)
        fail_msg("'%s' is read as %" PRId64, text, rate);
    if (strstr(err.message, why) == NULL)
        fail_msg("'%s': '%s' does not say '%s'", text, err.message, why);
    assert_int_equal(rate, -7);
}

static void decimals_are_read_exactly(void **state)
{
    (void)state;
    assert_int_equal(read("0.27", MILLION), 270000);
    assert_int_equal(read("2.7e-07", 1), 270000);
    assert_int_equal(read("2.7E-7", 1), 270000);
    assert_int_equal(read("27e-8", 1), 270000);
    assert_int_equal(read("0.000000270", 1), 270000);
    assert_int_equal(read("000.2700000000000000000000000000000000000000000000", MILLION), 270000);
    assert_int_equal(read("1e-12", 1), 1);
    assert_int_equal(read("0.000001", MILLION), 1);
    assert_int_equal(read("1", MILLION), MILLION);
    assert_int_equal(read("15", MILLION), 15 * MILLION);
    assert_int_equal(read(".5", 1), INT64_C(500000000000));
    assert_int_equal(read("5.", 1), INT64_C(5000000000000));
    assert_int_equal(read("1e6", 1), LLMGR_RATE_MAX);
    assert_int_equal(read("1000000", 1), LLMGR_RATE_MAX);
    assert_int_equal(read("1e+12", MILLION), LLMGR_RATE_MAX);
    /* 0.1 and 0.3 are no binary fractions. */
    assert_int_equal(read("0.1", 1), INT64_C(100000000000));
    assert_int_equal(read("0.3", 1), INT64_C(300000000000));
}

static void nothing_is_nothing_whatever_its_exponent(void **state)
{
    (void)state;
    assert_int_equal(read("0", 1), 0);
    assert_int_equal(read("0.000", MILLION), 0);
    assert_int_equal(read("0e999999999999999999999", 1), 0);
    assert_int_equal(read("0.00000000000000000000000000000000000000000e-5", 1), 0);
}

static void what_is_finer_than_a_pico_unit_is_refused(void **state)
{
    (void)state;
    refuses("1e-13", 1, "too many decimals");
    refuses("0.0000001", MILLION, "too many decimals");
    refuses("0.2700001", MILLION, "too many decimals");
    refuses("1.0000000000001", 1, "too many decimals");
    refuses("1e-999999999999999999", 1, "too many decimals");
    refuses("0.12345678901234567890", 1, "too many decimals");
    refuses("1", 3, "too many decimals");
}

static void what_is_enormous_is_refused(void **state)
{
    (void)state;
    refuses("1000000.000000000001", 1, "too large");
    refuses("1000001", 1, "too large");
    refuses("1e7", 1, "too large");
    refuses("1e999999999999999999", 1, "too large");
    refuses("99999999999999999999999999999999999999999999999999", MILLION, "too large");
    refuses("1000000000001", MILLION, "too large");
}

static void what_is_no_decimal_is_refused(void **state)
{
    static const char *const texts[] = {"",    ".",    "e5",   "1e",  "1e+",  "0x10", "NaN",
                                        "nan", "Inf",  "1,5",  " 1",  "1 ",   "+1",   "1.2.3",
                                        "1_0", "1e5e", "1e5.", "one", "1e 5", "１"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refuses(texts[i], 1, "is no decimal");
    refuses("-1", 1, "negative");
    refuses("-0", 1, "negative");
    refuses("-inf", 1, "negative");
    refuses("1", 0, "is no decimal");
    refuses("1", -5, "is no decimal");
}

static void written(int64_t rate, int64_t per, const char *expected)
{
    char text[LLMGR_RATE_TEXT_SIZE];

    lq_rate_write(rate, per, text);
    assert_string_equal(text, expected);
}

static void rates_are_written_as_people_read_them(void **state)
{
    (void)state;
    written(270000, MILLION, "0.27");
    written(0, MILLION, "0");
    written(1, 1, "0.000000000001");
    written(1, MILLION, "0.000001");
    written(MILLION, MILLION, "1");
    written(100 * (int64_t)MILLION, MILLION, "100");
    written(LLMGR_RATE_MAX, 1, "1000000");
    written(LLMGR_RATE_MAX, MILLION, "1000000000000");
    written(LLMGR_RATE_MAX - 1, 1, "999999.999999999999");
    written(-1, 1, "");
    written(1, 0, "");
}

static void amounts_are_written_likewise(void **state)
{
    char text[LLMGR_RATE_TEXT_SIZE];

    (void)state;
    lq_amount_write(1234500000, text);
    assert_string_equal(text, "1.2345");
    lq_amount_write(1, text);
    assert_string_equal(text, "0.000000001");
    lq_amount_write(0, text);
    assert_string_equal(text, "0");
    lq_amount_write(-2500000000, text);
    assert_string_equal(text, "-2.5");
    lq_amount_write(INT64_MAX, text);
    assert_string_equal(text, "9223372036.854775807");
    lq_amount_write(INT64_MIN, text);
    assert_string_equal(text, "-9223372036.854775808");
}

static void what_is_written_is_read_back_the_same(void **state)
{
    char text[LLMGR_RATE_TEXT_SIZE];

    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        const int64_t rate = (int64_t)(lb_mix(i) >> (i % 60)) % (LLMGR_RATE_MAX + 1);
        const int64_t per = i % 2 == 0 ? 1 : MILLION;
        if (rate < 0)
            continue;
        lq_rate_write(rate, per, text);
        assert_int_equal(read(text, per), rate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_read_exactly),
        cmocka_unit_test(nothing_is_nothing_whatever_its_exponent),
        cmocka_unit_test(what_is_finer_than_a_pico_unit_is_refused),
        cmocka_unit_test(what_is_enormous_is_refused),
        cmocka_unit_test(what_is_no_decimal_is_refused),
        cmocka_unit_test(rates_are_written_as_people_read_them),
        cmocka_unit_test(amounts_are_written_likewise),
        cmocka_unit_test(what_is_written_is_read_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
