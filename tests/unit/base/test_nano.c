/* SPDX-License-Identifier: MIT */
/* Money as text, to the last digit. */
#include "base/nano.h"

#include "../unit.h"

static void a_cost_is_read_to_the_last_digit_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        int64_t nano;
    } CASES[] = {
        {"0", 0},
        {"0.0", 0},
        {"0e99999999999999999999", 0},
        {"1", 1000000000},
        {"0.000000001", 1},
        {"0.0000000005", 1}, /* half up */
        {"0.00000000049999999999999999999999", 0},
        {"0.123456789499", 123456789},
        {"0.9999999995", 1000000000},
        {"2.7e-07", 270},
        {"2.7E-07", 270},
        {"27e-8", 270},
        {"0.00027e+3", 270000000},
        {"1e-9", 1},
        {"1e-10", 0},
        {"5e-10", 1},
        {"1e-99999999999999999999", 0},
        {"9223372036.854775807", INT64_MAX},
        {"9223372036.854775808", -1},
        {"9223372036.8547758075", -1},
        {"1e10", -1},
        {"1e99999999999999999999", -1},
        {"99999999999999999999999", -1},
        {"-0.1", -1},
        {"-0", -1},
        {"\"0.1\"", -1},
        {"true", -1},
        {"null", -1},
        {"[1]", -1},
        {"{}", -1},
        {"NaN", -1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        if (lb_nano_read(lb_cstr(CASES[i].text)) != CASES[i].nano)
            fail_msg("%s: %lld", CASES[i].text, (long long)lb_nano_read(lb_cstr(CASES[i].text)));
    }
    assert_int_equal(lb_nano_read(lb_str(NULL, 0)), -1);
    assert_int_equal(lb_nano_read(LB_STR(".5")), -1);
    assert_int_equal(lb_nano_read(LB_STR("1x")), -1);
    assert_int_equal(lb_nano_read(LB_STR("1e")), -1);
    assert_int_equal(lb_nano_read(LB_STR("1e+")), -1);
}

static void an_amount_is_written_as_it_is(void **state)
{
    static const struct {
        int64_t nano;
        const char *text;
    } CASES[] = {
        {0, "0"},
        {1, "0.000000001"},
        {270, "0.00000027"},
        {1000000000, "1"},
        {1234500000, "1.2345"},
        {10000000000, "10"},
        {-1, "-0.000000001"},
        {INT64_MAX, "9223372036.854775807"},
        {INT64_MIN, "-9223372036.854775808"},
    };
    char text[LB_NANO_TEXT];
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_string_equal(lb_nano_print(CASES[i].nano, text), CASES[i].text);
        if (CASES[i].nano >= 0)
            assert_int_equal(lb_nano_read(lb_cstr(text)), CASES[i].nano);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cost_is_read_to_the_last_digit_or_not_at_all),
        cmocka_unit_test(an_amount_is_written_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
