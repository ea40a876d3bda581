/* SPDX-License-Identifier: MIT */
#include "http/field.h"

#include "../unit.h"

static const char *const texts[] = {
    "",
#define XX(name, text, size, first, last, hop, once) text,
#include "http/headers.def"
#undef XX
};

static void every_name_is_found_in_any_case(void **state)
{
    (void)state;
    for (unsigned id = 1; id < LH_HEADER_COUNT; id++) {
        char name[64] = "";
        size_t size = strlen(texts[id]);
        memcpy(name, texts[id], size);
        assert_int_equal(lh_header_find(lb_str(name, size)), id);
        for (size_t i = 0; i < size; i++)
            name[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
        assert_int_equal(lh_header_find(lb_str(name, size)), id);
    }
}

static void a_near_miss_is_another_name(void **state)
{
    (void)state;
    for (unsigned id = 1; id < LH_HEADER_COUNT; id++) {
        char name[64] = "";
        size_t size = strlen(texts[id]);
        memcpy(name, texts[id], size);
        for (size_t i = 0; i < size; i++) {
            for (unsigned c = 1; c < 256; c++) {
                char old = name[i];
                if (!lh_is_token(lb_str(&(char){(char)c}, 1)) || lb_ascii_lower((char)c) == old)
                    continue;
                name[i] = (char)c;
                assert_int_not_equal(lh_header_find(lb_str(name, size)), id);
                name[i] = old;
            }
        }
        assert_int_not_equal(lh_header_find(lb_str(name, size - 1)), id);
        name[size] = 'x';
        assert_int_not_equal(lh_header_find(lb_str(name, size + 1)), id);
    }
    assert_int_equal(lh_header_find(LB_STR("")), LH_HEADER_OTHER);
    assert_int_equal(lh_header_find(LB_STR("content_length")), LH_HEADER_OTHER);
}

static void hop_by_hop_fields_are_known(void **state)
{
    (void)state;
    assert_true(lh_header_is_hop(LH_HEADER_CONNECTION));
    assert_true(lh_header_is_hop(LH_HEADER_TRANSFER_ENCODING));
    assert_true(lh_header_is_hop(LH_HEADER_PROXY_AUTHORIZATION));
    assert_false(lh_header_is_hop(LH_HEADER_CONTENT_TYPE));
    assert_false(lh_header_is_hop(LH_HEADER_OTHER));
}

static void values_hold_no_control_characters(void **state)
{
    (void)state;
    char text[40];

    memset(text, 'a', sizeof(text));
    for (size_t at = 0; at < sizeof(text); at++) {
        for (unsigned c = 0; c < 256; c++) {
            text[at] = (char)c;
            bool control = (c < 0x20 && c != '\t') || c == 0x7f;
            assert_int_equal(lh_is_value(lb_str(text, sizeof(text))), !control);
        }
        text[at] = 'a';
    }
    assert_true(lh_is_value(LB_STR("")));
}

static void lists_are_split_at_commas(void **state)
{
    (void)state;
    struct lb_str list = LB_STR(" a ,,b\t, ,c");
    struct lb_str member;

    assert_true(lh_list_next(&list, &member) && lb_str_eq_c(member, "a"));
    assert_true(lh_list_next(&list, &member) && lb_str_eq_c(member, "b"));
    assert_true(lh_list_next(&list, &member) && lb_str_eq_c(member, "c"));
    assert_false(lh_list_next(&list, &member));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_in_any_case),
        cmocka_unit_test(a_near_miss_is_another_name),
        cmocka_unit_test(hop_by_hop_fields_are_known),
        cmocka_unit_test(values_hold_no_control_characters),
        cmocka_unit_test(lists_are_split_at_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
