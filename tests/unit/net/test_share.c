/* SPDX-License-Identifier: MIT */
/* Shares of a whole: what is kept for small things, lines, and who is called when. */
#include "net/share.h"

#include <string.h>

#include "../unit.h"

static struct lb_host host;
static struct ln_loop *loop;
static char called[16]; /* in order, a letter per portion */

static void got(void *context)
{
    size_t at = strlen(called);

    called[at] = *(const char *)context;
    called[at + 1] = '\0';
}

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        ln_loop_turn(loop, false);
}

static struct ln_portion portion(const char *letter)
{
    struct ln_portion made;

    ln_portion_init(&made, loop, got, (void *)(uintptr_t)letter);
    return made;
}

static int setup(void **state)
{
    struct llmgr_error err = {0};

    (void)state;
    called[0] = '\0';
    lb_host_init(&host);
    return ln_loop_new(&host, NULL, &loop, &err) == LLMGR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ln_loop_free(loop);
    return 0;
}

static void large_things_leave_a_part_to_small_ones(void **state)
{
    struct ln_share *share = ln_share_new(&host, 800);
    struct ln_portion large = portion("l"), small = portion("s");

    (void)state;
    assert_int_equal(ln_share_most(800, LN_SHARE_LARGE), 700);
    assert_false(ln_share_try(share, &large, 701, LN_SHARE_LARGE));
    assert_true(ln_share_try(share, &large, 700, LN_SHARE_LARGE));
    assert_false(ln_share_try(share, &large, 1, LN_SHARE_LARGE));
    assert_true(ln_share_try(share, &small, 100, LN_SHARE_SMALL));
    assert_false(ln_share_try(share, &small, 1, LN_SHARE_SMALL));
    ln_share_give(share, &large, 700);
    assert_true(ln_share_try(share, &small, 700, LN_SHARE_SMALL));
    assert_int_equal(ln_portion_held(&small), 800);
    ln_share_give(share, &small, 800);
    ln_share_free(share);
}

static void what_small_things_hold_is_not_counted_twice_against_large_ones(void **state)
{
    struct ln_share *share = ln_share_new(&host, 800);
    struct ln_portion large = portion("l"), small = portion("s");

    (void)state;
    assert_true(ln_share_try(share, &small, 100, LN_SHARE_SMALL));
    assert_true(ln_share_try(share, &large, 700, LN_SHARE_LARGE));
    ln_share_give(share, &large, 700);
    ln_share_give(share, &small, 100);
    ln_share_free(share);
}

static void a_line_is_served_in_order_and_small_things_pass_large_ones(void **state)
{
    struct ln_share *share = ln_share_new(&host, 800);
    struct ln_portion first = portion("f"), a = portion("a"), b = portion("b"), s = portion("s");

    (void)state;
    assert_true(ln_share_ask(share, &first, 600, LN_SHARE_LARGE));
    assert_false(ln_share_ask(share, &a, 500, LN_SHARE_LARGE));
    assert_false(
        ln_share_ask(share, &b, 50, LN_SHARE_LARGE)); /* there is room, but a is before it */
    assert_true(ln_share_ask(share, &s, 50, LN_SHARE_SMALL));
    turn();
    assert_string_equal(called, "");
    ln_share_give(share, &first, 600);
    assert_int_equal(ln_portion_held(&a), 500);
    turn();
    assert_string_equal(called, "ab");
    ln_share_give(share, &a, 500);
    ln_share_give(share, &b, 50);
    ln_share_give(share, &s, 50);
    ln_share_free(share);
}

static void who_leaves_the_line_is_not_called_and_lets_others_pass(void **state)
{
    struct ln_share *share = ln_share_new(&host, 800);
    struct ln_portion first = portion("f"), a = portion("a"), b = portion("b"), c = portion("c");

    (void)state;
    assert_true(ln_share_ask(share, &first, 600, LN_SHARE_LARGE));
    assert_false(ln_share_ask(share, &a, 500, LN_SHARE_LARGE));
    assert_false(ln_share_ask(share, &b, 50, LN_SHARE_LARGE));
    ln_share_leave(share, &a);
    turn();
    assert_string_equal(called, "b");
    /* It has got what it waited for, and leaves before it is told. */
    assert_false(ln_share_ask(share, &c, 500, LN_SHARE_LARGE));
    ln_share_give(share, &first, 600);
    ln_share_leave(share, &c);
    turn();
    assert_string_equal(called, "b");
    assert_int_equal(ln_portion_held(&a), 0);
    assert_int_equal(ln_portion_held(&c), 500);
    ln_share_give(share, &c, 500);
    ln_share_give(share, &b, 50);
    ln_share_free(share);
}

static void a_larger_whole_serves_those_who_wait_and_a_smaller_one_takes_nothing_away(void **state)
{
    struct ln_share *share = ln_share_new(&host, 80);
    struct ln_portion a = portion("a"), b = portion("b");

    (void)state;
    assert_true(ln_share_ask(share, &a, 70, LN_SHARE_LARGE));
    assert_false(ln_share_ask(share, &b, 60, LN_SHARE_LARGE));
    ln_share_resize(share, 800);
    turn();
    assert_string_equal(called, "b");
    ln_share_resize(share, 8);
    assert_int_equal(ln_portion_held(&a) + ln_portion_held(&b), 130);
    ln_share_give(share, &a, 70);
    assert_false(ln_share_try(share, &a, 1, LN_SHARE_SMALL));
    ln_share_give(share, &b, 60);
    assert_true(ln_share_try(share, &a, 8, LN_SHARE_SMALL));
    ln_share_give(share, &a, 8);
    ln_share_free(share);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_things_leave_a_part_to_small_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_small_things_hold_is_not_counted_twice_against_large_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_is_served_in_order_and_small_things_pass_large_ones,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_the_line_is_not_called_and_lets_others_pass,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_larger_whole_serves_those_who_wait_and_a_smaller_one_takes_nothing_away, setup,
            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
