/* SPDX-License-Identifier: MIT */
#include "config/fixed_headers.h"

#include "../unit.h"

static const struct {
    const char *lines;
    bool good;
} LINES[] = {
    {"", true},
    {"x-org: acme\r\n", true},
    {"x-org: acme\r\nx-title: my app\r\n", true},
    {"x-org: acme", false},
    {"x-org: acme\n", false},
    {"x-org: acme\r", false},
    {"x-org:acme\r\n", false},
    {"x-org: \r\n", false},
    {"x-org:  acme\r\n", false},
    {"x-org: acme \r\n", false},
    {"x-org: a\nb: c\r\n", false},
    {"x-org: a\rb: c\r\n", false},
    {"x-org: a\tb\r\n", false},
    {"x-org: a\x7f\r\n", false},
    {"x-org: \xff\r\n", false},
    {"x-org: \xe5\x90\x8d\r\n", true},
    {"x-org: a: b\r\n", true},
    {": a\r\n", false},
    {"\r\n", false},
    {"x-org: a\r\n\r\n", false},
    {"x-org: a\r\n\r\nGET / HTTP/1.1\r\n", false},
    {"host: a\r\n", false},
    {"x-org: a\r\ncookie: a\r\n", false},
    {"authorization: a\r\n", false},
    {"content-length: 1\r\n", false},
    {"x-llmgr-user: a\r\n", false},
};

static void lines_are_sent_only_if_each_could_be_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        if (lc_fixed_are_good(lb_cstr(LINES[i].lines)) != LINES[i].good)
            fail_msg("%s", LINES[i].lines);
    }
}

static void more_than_sixteen_or_4096_bytes_are_none(void **state)
{
    struct lb_host host;
    struct lb_buf lines;
    char value[LC_HEADER_VALUE_MAX + 2];
    (void)state;

    lb_host_init(&host);
    lb_buf_init(&lines, &host, 2 * LC_FIXED_SIZE_MAX);
    for (int i = 0; i < LC_FIXED_COUNT_MAX; i++)
        lc_fixed_add(&lines, LB_STR("X-A"), LB_STR("b"));
    assert_true(lc_fixed_are_good(lb_buf_str(&lines)));
    lc_fixed_add(&lines, LB_STR("X-A"), LB_STR("b"));
    assert_false(lc_fixed_are_good(lb_buf_str(&lines)));
    lb_buf_cut(&lines, 0);
    memset(value, 'v', sizeof value);
    assert_true(lc_header_value_is_good(lb_str(value, LC_HEADER_VALUE_MAX)));
    assert_false(lc_header_value_is_good(lb_str(value, LC_HEADER_VALUE_MAX + 1)));
    lc_fixed_add(&lines, LB_STR("x-a"), lb_str(value, 2000));
    lc_fixed_add(&lines, LB_STR("x-b"), lb_str(value, 2000));
    assert_true(lc_fixed_are_good(lb_buf_str(&lines)));
    lc_fixed_add(&lines, LB_STR("x-c"), lb_str(value, 200));
    assert_false(lc_fixed_are_good(lb_buf_str(&lines)));
    lb_buf_free(&lines);
}

static void a_line_is_replaced_by_its_name_in_any_case(void **state)
{
    struct lb_host host;
    struct lb_buf lines, others, names;
    (void)state;

    lb_host_init(&host);
    lb_buf_init(&lines, &host, LC_FIXED_SIZE_MAX);
    lb_buf_init(&others, &host, LC_FIXED_SIZE_MAX);
    lb_buf_init(&names, &host, LC_FIXED_SIZE_MAX);
    lc_fixed_add(&lines, LB_STR("X-Org"), LB_STR("acme"));
    lc_fixed_add(&lines, LB_STR("X-Title"), LB_STR("my: app"));
    assert_string_equal(lb_buf_c(&lines), "x-org: acme\r\nx-title: my: app\r\n");
    assert_false(lc_fixed_add_others(&others, lb_buf_str(&lines), LB_STR("x-or")));
    assert_string_equal(lb_buf_c(&others), lb_buf_c(&lines));
    lb_buf_cut(&others, 0);
    assert_true(lc_fixed_add_others(&others, lb_buf_str(&lines), LB_STR("X-ORG")));
    assert_string_equal(lb_buf_c(&others), "x-title: my: app\r\n");
    lc_fixed_names(lb_buf_str(&lines), &names);
    assert_string_equal(lb_buf_c(&names), "x-org, x-title");
    lb_buf_free(&lines);
    lb_buf_free(&others);
    lb_buf_free(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_sent_only_if_each_could_be_written),
        cmocka_unit_test(more_than_sixteen_or_4096_bytes_are_none),
        cmocka_unit_test(a_line_is_replaced_by_its_name_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
