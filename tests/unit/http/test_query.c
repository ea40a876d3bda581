/* SPDX-License-Identifier: MIT */
#include "http/query.h"

#include "../unit.h"

static void members_come_one_by_one(void **state)
{
    struct lb_str query = LB_STR("a=1&&b&c=x%26y=z&"), member;
    static const char *const WANTED[] = {"a=1", "b", "c=x%26y=z"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(lh_query_next(&query, &member));
        assert_true(lb_str_eq_c(member, WANTED[i]));
    }
    assert_false(lh_query_next(&query, &member));
    query = LB_STR("");
    assert_false(lh_query_next(&query, &member));
}

static void a_name_is_known_however_it_is_written(void **state)
{
    static const struct {
        const char *member;
        bool is;
    } ROWS[] = {
        {"key=1", true},     {"key", true},     {"key=", true},    {"KEY=1", true},
        {"k%65y=1", true},   {"%6b%45Y", true}, {"keys=1", false}, {"ke=y", false},
        {"monkey", false},   {"", false},       {"=key", false},   {"k%6=1", false},
        {"key%00=1", false}, {"k%zzy", false},  {"a=key", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        assert_int_equal(lh_query_is(lb_cstr(ROWS[i].member), LB_STR("key")), ROWS[i].is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_one_by_one),
        cmocka_unit_test(a_name_is_known_however_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
