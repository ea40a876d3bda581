/* SPDX-License-Identifier: MIT */
/* Several workers at once: one probe at a time, and no count that goes astray. */
#include "cells.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, ROUNDS = 20000, MOMENTS = 4000, NOW = 1000000 };

static struct lo_health *health;
static _Atomic int64_t now;
static pthread_barrier_t barrier;
static _Atomic unsigned winners;

/* All come to a half-open cell at the same moment, again and again. */
static void *come_at_once(void *context)
{
    const struct lo_candidate one = candidate_of(1, 5, (uintptr_t)context);
    struct lo_pass pass;

    for (unsigned i = 0; i < MOMENTS; i++) {
        const int64_t at = NOW + (int64_t)i * 10;
        (void)pthread_barrier_wait(&barrier);
        const bool won = lo_health_enter(health, &one, at, &pass, NULL);
        if (won)
            atomic_fetch_add(&winners, 1);
        (void)pthread_barrier_wait(&barrier);
        if (won) /* it fails, or its caller leaves: the cell stays, and its place is free */
            end_with(health, &one, &pass, i % 2 == 0 ? LIMITED(1) : HAS_LEFT, at);
    }
    return NULL;
}

static void *do_everything(void *context)
{
    const struct lo_whose whose = {.shared = true};
    uint64_t noise = (uintptr_t)context, sequence = 0;
    struct lo_shared_cell shared;
    struct lo_cell_view view;
    struct lo_cell_id id;

    for (unsigned i = 0; i < ROUNDS; i++) {
        noise = noise * UINT64_C(6364136223846793005) + 1;
        const int64_t at = atomic_fetch_add(&now, 50);
        const struct lo_candidate one =
            candidate_of((int64_t)(noise >> 60), noise >> 40 & 31, 1 + (noise >> 50 & 3));
        static const enum lo_cool COOLS[] = {LO_COOL_HARD, LO_COOL_COUNT, LO_COOL_UNTIL};
        const unsigned what = noise >> 34 & 7;
        struct lo_verdict verdict = ANSWERED;
        uint32_t place = (uint32_t)(noise >> 40) % 512;
        if (what < 3)
            verdict = fault(what == 2 ? LO_REASON_LIMIT : LO_REASON_FAILED,
                            what == 0   ? LO_FAULT_KEY
                            : what == 1 ? LO_FAULT_MODEL
                                        : LO_FAULT_ACCOUNT,
                            COOLS[what], 3000);
        (void)attempt(health, one, verdict, at);
        if (what == 3 && lo_health_next(health, whose, at, &place, &view))
            (void)lo_health_reset(health, whose, view.number, at);
        if (what == 4 && lo_health_take_due(health, at, &id))
            lo_health_probed(health, &id, (enum lo_probed)(i % LO_PROBED_COUNT), at, noise);
        if (what == 5 && lo_health_export(health, (struct lo_clocks){at, at}, &sequence, &shared))
            lo_health_import(health, (struct lo_clocks){at, at}, &shared);
    }
    return NULL;
}

static void run(void *(*function)(void *))
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, function, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void of_those_who_come_at_once_one_is_the_probe(void **state)
{
    (void)state;
    health = new_health(0, true);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    assert_true(attempt(health, candidate_of(1, 5, 1), LIMITED(1), NOW - 10));
    run(come_at_once);
    assert_int_equal(winners, MOMENTS);
    pthread_barrier_destroy(&barrier);
    lo_health_free(health);
}

static void what_is_counted_is_what_is_there(void **state)
{
    struct lo_cell_view view;
    uint32_t at = 0, count = 0;

    (void)state;
    health = new_health(128, true);
    now = NOW;
    run(do_everything);
    while (lo_health_next(health, (struct lo_whose){.shared = true}, now, &at, &view))
        count++;
    assert_int_equal(count, lo_health_cooled(health));
    lo_health_free(health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_those_who_come_at_once_one_is_the_probe),
        cmocka_unit_test(what_is_counted_is_what_is_there),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
