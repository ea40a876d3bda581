/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include "../unit.h"

static void numbers_are_digits_only_and_do_not_overflow(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;

    assert_true(lb_str_to_u64(LB_STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(lb_str_to_u64(LB_STR("18446744073709551616"), &u));
    assert_false(lb_str_to_u64(LB_STR(""), &u));
    assert_false(lb_str_to_u64(LB_STR("+1"), &u));
    assert_false(lb_str_to_u64(LB_STR(" 1"), &u));
    assert_false(lb_str_to_u64(LB_STR("0x1"), &u));
    assert_true(lb_str_to_i64(LB_STR("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_false(lb_str_to_i64(LB_STR("9223372036854775808"), &i));
    assert_false(lb_str_to_i64(LB_STR("-"), &i));
}

static void utf8_refuses_overlong_surrogate_and_cut_forms(void **state)
{
    (void)state;
    assert_true(lb_utf8_valid(LB_STR("魔搭ModelScope 🚀")));
    assert_false(lb_utf8_valid(LB_STR("\xc0\x80")));
    assert_false(lb_utf8_valid(LB_STR("\xe0\x80\x80")));
    assert_false(lb_utf8_valid(LB_STR("\xed\xa0\x80")));
    assert_false(lb_utf8_valid(LB_STR("\xf4\x90\x80\x80")));
    assert_false(lb_utf8_valid(LB_STR("\xe9\xad")));
    assert_false(lb_utf8_valid(LB_STR("a\0b")));
    /* Wherever in a longer text it stands. */
    for (size_t at = 0; at < 32; at++) {
        static const char BAD[] = {'\0', '\x80', '\xff'};
        char text[32];
        memset(text, '\x7f', sizeof text);
        assert_true(lb_utf8_valid(lb_str(text, sizeof text)));
        for (size_t i = 0; i < sizeof BAD; i++) {
            text[at] = BAD[i];
            assert_false(lb_utf8_valid(lb_str(text, sizeof text)));
        }
    }
}

static void names_hold_no_control_characters_and_have_a_limit(void **state)
{
    (void)state;
    assert_true(lb_utf8_name(LB_STR("智谱 GLM 4.6"), 80));
    assert_false(lb_utf8_name(LB_STR(""), 80));
    assert_false(lb_utf8_name(LB_STR("a\nb"), 80));
    assert_false(lb_utf8_name(LB_STR("a\xc2\x85"), 80));
    assert_false(lb_utf8_name(LB_STR("abc"), 2));
    /* Any byte, wherever it stands in a text of any size. */
    for (size_t size = 1; size <= 24; size++) {
        for (size_t i = 0; i < size * 256; i++) {
            char text[24];
            const unsigned char byte = (unsigned char)(i % 256);
            memset(text, i % 3 == 0 ? ' ' : '~', sizeof text);
            text[i / 256] = (char)byte;
            assert_int_equal(lb_utf8_name(lb_str(text, size), 80), byte >= 0x20 && byte < 0x7f);
            assert_int_equal(lb_utf8_valid(lb_str(text, size)), byte > 0 && byte < 0x80);
        }
    }
    assert_true(lb_utf8_name(LB_STR("Alibaba 阿里"), 80));
    assert_false(lb_utf8_name(LB_STR("阿里 Alibaba\n"), 80));
}

static void cutting_keeps_whole_characters(void **state)
{
    (void)state;
    assert_int_equal(lb_utf8_cut(LB_STR("魔搭"), 5), 3);
    assert_int_equal(lb_utf8_cut(LB_STR("魔搭"), 6), 6);
    assert_int_equal(lb_utf8_cut(LB_STR("ab"), 1), 1);
}

static void width_counts_columns(void **state)
{
    (void)state;
    assert_int_equal(lb_utf8_width(LB_STR("abc")), 3);
    assert_int_equal(lb_utf8_width(LB_STR("魔搭ModelScope")), 14);
    assert_int_equal(lb_utf8_width(LB_STR("e\xcc\x81")), 1);
    assert_int_equal(lb_utf8_width(LB_STR("\xff")), 1);
}

static void slices_compare_and_trim(void **state)
{
    (void)state;
    assert_true(lb_str_eq_nocase(LB_STR("Content-Type"), LB_STR("content-tYPE")));
    assert_true(lb_str_starts(LB_STR("sk-llmgr-x"), LB_STR("sk-llmgr-")));
    assert_false(lb_str_ends(LB_STR("a"), LB_STR("ba")));
    assert_true(lb_str_eq_c(lb_str_trim(LB_STR(" \t x y\t")), "x y"));
    assert_int_equal(lb_str_trim(LB_STR(" \t")).size, 0);
    assert_true(lb_str_cmp(LB_STR("a"), LB_STR("ab")) < 0);
    assert_int_equal(lb_str_find(LB_STR("a:b"), ':'), 1);
    assert_int_equal(lb_str_find(lb_str(NULL, 0), ':'), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_digits_only_and_do_not_overflow),
        cmocka_unit_test(utf8_refuses_overlong_surrogate_and_cut_forms),
        cmocka_unit_test(names_hold_no_control_characters_and_have_a_limit),
        cmocka_unit_test(cutting_keeps_whole_characters),
        cmocka_unit_test(width_counts_columns),
        cmocka_unit_test(slices_compare_and_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
