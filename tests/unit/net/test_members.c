/* SPDX-License-Identifier: MIT */
/* What hangs on a loop ends with it: in which order, and who may end whom meanwhile. */
#include <string.h>

#include "../unit.h"

#include "net/loop_int.h"

struct member {
    struct lb_list node;
    char name;
    struct member *takes; /* it removes that one when it is closed */
};

static struct lb_host host;
static char closed[16];

static void on_close(struct lb_list *node)
{
    struct member *member = LB_CONTAINER(node, struct member, node);

    closed[strlen(closed)] = member->name;
    lb_list_remove(node);
    if (member->takes != NULL)
        lb_list_remove(&member->takes->node);
}

static struct ln_loop *make(void)
{
    struct ln_loop *loop = NULL;

    lb_host_init(&host);
    memset(closed, 0, sizeof closed);
    assert_int_equal(ln_loop_new(&host, NULL, &loop, NULL), LLMGR_OK);
    return loop;
}

static void listeners_go_before_dials_and_those_before_connections(void **state)
{
    struct ln_loop *loop = make();
    struct member conn = {.name = 'c'}, dial = {.name = 'd'}, listener = {.name = 'l'};
    struct member second = {.name = 'e'};

    (void)state;
    ln_loop_join(loop, LN_MEMBER_CONN, &conn.node, on_close);
    ln_loop_join(loop, LN_MEMBER_DIAL, &dial.node, on_close);
    ln_loop_join(loop, LN_MEMBER_LISTENER, &listener.node, on_close);
    ln_loop_join(loop, LN_MEMBER_DIAL, &second.node, on_close);
    ln_loop_free(loop);
    assert_string_equal(closed, "ldec");
}

static void whoever_is_closed_may_end_any_other(void **state)
{
    struct ln_loop *loop = make();
    struct member last = {.name = '3'}, next = {.name = '2'};
    struct member first = {.name = '1', .takes = &next};
    struct member listener = {.name = 'l', .takes = &last};

    (void)state;
    ln_loop_join(loop, LN_MEMBER_DIAL, &first.node, on_close);
    ln_loop_join(loop, LN_MEMBER_DIAL, &next.node, on_close);
    ln_loop_join(loop, LN_MEMBER_CONN, &last.node, on_close);
    ln_loop_join(loop, LN_MEMBER_LISTENER, &listener.node, on_close);
    ln_loop_free(loop);
    assert_string_equal(closed, "l1");
}

/* As a dial's owner does, who is told that it failed and tries again. */
static struct ln_loop *joined;
static struct member late = {.name = 'n'};

static void close_and_join(struct lb_list *node)
{
    on_close(node);
    if (LB_CONTAINER(node, struct member, node) != &late)
        ln_loop_join(joined, LN_MEMBER_DIAL, &late.node, close_and_join);
}

static void who_joins_while_the_loop_ends_is_closed_too(void **state)
{
    struct member dial = {.name = 'd'};

    (void)state;
    joined = make();
    ln_loop_join(joined, LN_MEMBER_DIAL, &dial.node, close_and_join);
    ln_loop_free(joined);
    assert_string_equal(closed, "dn");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listeners_go_before_dials_and_those_before_connections),
        cmocka_unit_test(whoever_is_closed_may_end_any_other),
        cmocka_unit_test(who_joins_while_the_loop_ends_is_closed_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
