/* SPDX-License-Identifier: MIT */
#include "base/concurrency.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>

#include "../unit.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct lb_host host;

static int set_up(void **state)
{
    lb_host_init(&host);
    *state = sodium_init() >= 0 ? lb_gauge_new(&host) : NULL;
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    lb_free(&host, *state);
    return 0;
}

static void a_limit_holds_and_what_left_makes_room(void **state)
{
    struct lb_gauge *gauge = *state;
    uint64_t ann = lb_gauge_hash(gauge, 'u', LB_STR("ann"));

    for (int i = 0; i < 3; i++)
        assert_true(lb_gauge_enter(gauge, ann, 3));
    assert_false(lb_gauge_enter(gauge, ann, 3));
    lb_gauge_leave(gauge, ann);
    assert_true(lb_gauge_enter(gauge, ann, 3));
    for (int i = 0; i < 3; i++)
        lb_gauge_leave(gauge, ann);
    assert_true(lb_gauge_enter(gauge, ann, 1));
}

static void keys_and_kinds_are_apart(void **state)
{
    struct lb_gauge *gauge = *state;

    assert_true(lb_gauge_enter(gauge, lb_gauge_hash(gauge, 'u', LB_STR("1")), 1));
    assert_true(lb_gauge_enter(gauge, lb_gauge_hash(gauge, 't', LB_STR("1")), 1));
    assert_true(lb_gauge_enter(gauge, lb_gauge_hash(gauge, 'u', LB_STR("2")), 1));
    assert_false(lb_gauge_enter(gauge, lb_gauge_hash(gauge, 'u', LB_STR("1")), 1));
}

static void thousands_of_keys_have_their_own_count(void **state)
{
    struct lb_gauge *gauge = *state;
    uint64_t hashes[5000];

    for (int i = 0; i < 5000; i++) {
        char name[16];
        int size = snprintf(name, sizeof name, "%d", i);
        hashes[i] = lb_gauge_hash(gauge, 'u', lb_str(name, (size_t)size));
        assert_true(lb_gauge_enter(gauge, hashes[i], 1));
    }
    for (int i = 0; i < 5000; i++)
        assert_false(lb_gauge_enter(gauge, hashes[i], 1));
    for (int i = 0; i < 5000; i++)
        lb_gauge_leave(gauge, hashes[i]);
    for (size_t i = 0; i < LB_GAUGE_SLOTS; i++)
        assert_int_equal(gauge->slots[i], 0);
}

static void *come_and_go(void *context)
{
    struct lb_gauge *gauge = context;
    uint64_t hash = lb_gauge_hash(gauge, 'u', LB_STR("everybody"));

    for (int i = 0; i < ROUNDS; i++) {
        if (lb_gauge_enter(gauge, hash, 2))
            lb_gauge_leave(gauge, hash);
    }
    return NULL;
}

static void threads_leave_nothing_behind(void **state)
{
    struct lb_gauge *gauge = *state;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, gauge), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < LB_GAUGE_SLOTS; i++)
        assert_int_equal(gauge->slots[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_limit_holds_and_what_left_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_and_kinds_are_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(thousands_of_keys_have_their_own_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_leave_nothing_behind, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
