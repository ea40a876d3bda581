/* SPDX-License-Identifier: MIT */
/* A ticker's thread: at once, after each interval, and never again once it is ended. */
#include "base/ticker.h"

#include <stdatomic.h>
#include <time.h>

#include "../unit.h"

/* What has happened, and whether a tick is under way. */
struct seen {
    atomic_uint begun, ticks, ended;
    atomic_bool inside;
    int64_t tick_ms;
};

static void wait_ms(int64_t ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void begin(void *context)
{
    struct seen *seen = context;

    assert_int_equal(atomic_load(&seen->ticks), 0);
    atomic_fetch_add(&seen->begun, 1);
}

static void tick(void *context)
{
    struct seen *seen = context;

    atomic_store(&seen->inside, true);
    wait_ms(seen->tick_ms);
    atomic_fetch_add(&seen->ticks, 1);
    atomic_store(&seen->inside, false);
}

static void end(void *context)
{
    struct seen *seen = context;

    assert_false(atomic_load(&seen->inside));
    atomic_fetch_add(&seen->ended, 1);
}

static const struct lb_ticker_face ALL = {.begin = begin, .tick = tick, .end = end};
static const struct lb_ticker_face BARE = {.tick = tick};

static bool ticked(struct seen *seen, unsigned count)
{
    for (int i = 0; i < 10000 && atomic_load(&seen->ticks) < count; i++)
        wait_ms(1);
    return atomic_load(&seen->ticks) >= count;
}

static void it_ticks_at_once_and_after_each_interval(void **state)
{
    struct seen seen = {0};
    struct lb_ticker ticker = {0};
    (void)state;

    lb_ticker_init(&ticker, &ALL, 1, &seen);
    assert_int_equal(lb_ticker_start(&ticker, NULL), LLMGR_OK);
    assert_true(ticked(&seen, 5));
    lb_ticker_end(&ticker);
    assert_int_equal(atomic_load(&seen.begun), 1);
    assert_int_equal(atomic_load(&seen.ended), 1);
}

static void an_end_waits_for_the_tick_but_not_for_the_interval(void **state)
{
    struct seen seen = {.tick_ms = 20};
    struct lb_ticker ticker = {0};
    (void)state;

    /* An hour, for which nobody waits. */
    lb_ticker_init(&ticker, &ALL, 3600 * 1000, &seen);
    assert_int_equal(lb_ticker_start(&ticker, NULL), LLMGR_OK);
    while (!atomic_load(&seen.inside) && atomic_load(&seen.ticks) == 0)
        wait_ms(1);
    lb_ticker_end(&ticker);
    assert_int_equal(atomic_load(&seen.ticks), 1);
    assert_int_equal(atomic_load(&seen.ended), 1);
}

static void one_that_was_never_started_can_be_ended(void **state)
{
    struct seen seen = {0};
    struct lb_ticker ticker = {0};
    (void)state;

    lb_ticker_init(&ticker, &ALL, 1, &seen);
    lb_ticker_end(&ticker);
    assert_int_equal(atomic_load(&seen.ticks) + atomic_load(&seen.ended), 0);
    lb_ticker_init(&ticker, &BARE, 1, &seen);
    assert_int_equal(lb_ticker_start(&ticker, NULL), LLMGR_OK);
    assert_true(ticked(&seen, 2));
    lb_ticker_end(&ticker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ticks_at_once_and_after_each_interval),
        cmocka_unit_test(an_end_waits_for_the_tick_but_not_for_the_interval),
        cmocka_unit_test(one_that_was_never_started_can_be_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
