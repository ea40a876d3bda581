/* SPDX-License-Identifier: MIT */
/* How often a user may have keys tested, with a simulated clock. */
#include "library/test_limit.h"

#include "../unit.h"

enum { NOW = 1000000, MINUTE = 60000 };

static struct lb_host host;

static struct la_test_limit *new_limit(void)
{
    struct la_test_limit *limit = la_test_limit_new(&host);

    assert_non_null(limit);
    return limit;
}

static void run(struct la_test_limit *limit, uint64_t user, int64_t now_ms)
{
    assert_int_equal(la_test_enter(limit, user, now_ms), 0);
    la_test_leave(limit, user);
}

static void a_user_has_one_at_a_time(void **state)
{
    struct la_test_limit *limit = new_limit();

    (void)state;
    assert_int_equal(la_test_enter(limit, 7, NOW), 0);
    assert_int_equal(la_test_enter(limit, 7, NOW), LA_TEST_BUSY_MS);
    assert_int_equal(la_test_enter(limit, 7, NOW + MINUTE), LA_TEST_BUSY_MS);
    run(limit, 8, NOW);
    la_test_leave(limit, 7);
    run(limit, 7, NOW + MINUTE);
    la_test_limit_free(&host, limit);
}

static void a_user_has_ten_a_minute(void **state)
{
    struct la_test_limit *limit = new_limit();

    (void)state;
    for (int i = 0; i < LA_TESTS_A_MINUTE; i++)
        run(limit, 7, NOW + i);
    assert_int_equal(la_test_enter(limit, 7, NOW + 1000), MINUTE - 1000);
    run(limit, 8, NOW + 1000); /* another */
    assert_int_equal(la_test_enter(limit, 7, NOW + MINUTE - 1), 1);
    for (int i = 0; i < LA_TESTS_A_MINUTE; i++)
        run(limit, 7, NOW + MINUTE);
    assert_int_not_equal(la_test_enter(limit, 7, NOW + MINUTE), 0);
    la_test_limit_free(&host, limit);
}

static void so_many_are_under_way_at_once(void **state)
{
    struct la_test_limit *limit = new_limit();

    (void)state;
    for (uint64_t user = 1; user <= LA_TESTS_AT_ONCE; user++)
        assert_int_equal(la_test_enter(limit, user, NOW), 0);
    for (int i = 0; i <= LA_TESTS_A_MINUTE; i++) /* what is refused is not counted */
        assert_int_equal(la_test_enter(limit, 99, NOW), LA_TEST_BUSY_MS);
    la_test_leave(limit, 1);
    run(limit, 99, NOW);
    la_test_limit_free(&host, limit);
}

/* So many that no place is left: nobody slips through, and it is over after a minute. */
static void a_crowd_of_users_is_no_way_around(void **state)
{
    struct la_test_limit *limit = new_limit();
    uint64_t user = 1;

    (void)state;
    while (la_test_enter(limit, user, NOW) == 0) {
        la_test_leave(limit, user);
        user++;
        assert_true(user < 100000);
    }
    assert_int_equal(la_test_enter(limit, user, NOW + MINUTE - 1), LA_TEST_BUSY_MS);
    run(limit, 1, NOW + MINUTE - 1); /* whoever has a place goes on */
    run(limit, user, NOW + MINUTE);
    la_test_limit_free(&host, limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_has_ten_a_minute),
        cmocka_unit_test(a_user_has_one_at_a_time),
        cmocka_unit_test(so_many_are_under_way_at_once),
        cmocka_unit_test(a_crowd_of_users_is_no_way_around),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
