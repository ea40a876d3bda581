/* SPDX-License-Identifier: MIT */
/*
 * Counts of seconds, per route, in a table of sets: a route that finds no room takes the place of
 * the one that has been silent the longest. That a request begins is counted without a lock, for it
 * happens to each; what is under way at platforms counts base/concurrency.
 */
#include "routing/budget.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/concurrency.h"
#include "base/mix.h"

enum {
    WAYS = 4,
    SETS = LO_BUDGET_ROUTES / WAYS, /* a power of two */
    SECOND_MS = 1000,
    COUNT_BITS = 24, /* of a second's word; above them its number */
};

/* The last seconds of a route: each in the place of its number modulo the window. */
struct row {
    _Atomic uint64_t route; /* 0: free */
    _Atomic uint64_t sequence;
    _Atomic uint64_t requests[LO_BUDGET_WINDOW_S];
    _Atomic uint64_t repeats[LO_BUDGET_WINDOW_S];
};

struct set {
    pthread_mutex_t lock; /* of rows that change their route, and of repetitions */
    struct row rows[WAYS];
};

struct lo_budget {
    const struct lb_host *host;
    struct lb_gauge *moved;
    unsigned moved_max;
    struct set sets[SETS];
};

struct lo_budget *lo_budget_new(const struct lb_host *host, unsigned moved_max)
{
    struct lo_budget *budget = lb_calloc(host, 1, sizeof *budget);
    struct lb_gauge *moved = lb_gauge_new(host);

    if (budget == NULL || moved == NULL) {
        lb_free(host, budget);
        lb_free(host, moved);
        return NULL;
    }
    budget->host = host;
    budget->moved = moved;
    budget->moved_max = moved_max != 0 ? moved_max : LO_BUDGET_MOVED;
    for (unsigned i = 0; i < SETS; i++)
        (void)pthread_mutex_init(&budget->sets[i].lock, NULL); /* cannot fail without attributes */
    return budget;
}

void lo_budget_free(struct lo_budget *budget)
{
    if (budget == NULL)
        return;
    for (unsigned i = 0; i < SETS; i++)
        (void)pthread_mutex_destroy(&budget->sets[i].lock);
    lb_free(budget->host, budget->moved);
    lb_free(budget->host, budget);
}

/* ---- Of a route ------------------------------------------------------------------------------ */

/* Never 0, which is a free row's. */
static uint64_t name_of(uint64_t route)
{
    return route != 0 ? route : UINT64_MAX;
}

static struct set *set_of(struct lo_budget *budget, uint64_t route)
{
    return &budget->sets[(route * LB_GOLDEN >> 32) % SETS];
}

/* Without a lock; NULL: it has none. */
static struct row *look_for(struct set *set, uint64_t route)
{
    for (unsigned way = 0; way < WAYS; way++) {
        if (atomic_load_explicit(&set->rows[way].route, memory_order_acquire) == route)
            return &set->rows[way];
    }
    return NULL;
}

/* The newest second that anything was counted in. */
static uint64_t last_second(const struct row *row)
{
    uint64_t last = 0;

    for (unsigned i = 0; i < LO_BUDGET_WINDOW_S; i++) {
        uint64_t second = atomic_load(&row->requests[i]) >> COUNT_BITS;
        last = second > last ? second : last;
    }
    return last;
}

/* The route's row, or that of the one that has been silent the longest, emptied. */
static struct row *make_row(struct set *set, uint64_t route)
{
    struct row *row = look_for(set, route);

    if (row != NULL)
        return row;
    row = &set->rows[0];
    for (unsigned way = 1; way < WAYS; way++) {
        if (last_second(&set->rows[way]) < last_second(row))
            row = &set->rows[way];
    }
    atomic_store(&row->route, 0);
    atomic_store(&row->sequence, 0);
    for (unsigned i = 0; i < LO_BUDGET_WINDOW_S; i++) {
        atomic_store(&row->requests[i], 0);
        atomic_store(&row->repeats[i], 0);
    }
    atomic_store_explicit(&row->route, route, memory_order_release);
    return row;
}

/* One more in this second; what stands there of an earlier one is over. */
static void count(_Atomic uint64_t counts[LO_BUDGET_WINDOW_S], uint64_t second)
{
    _Atomic uint64_t *place = &counts[second % LO_BUDGET_WINDOW_S];
    uint64_t was = atomic_load_explicit(place, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(
        place, &was, was >> COUNT_BITS == second ? was + 1 : (second << COUNT_BITS) + 1,
        memory_order_relaxed, memory_order_relaxed))
        continue;
}

static uint64_t sum_of(const _Atomic uint64_t counts[LO_BUDGET_WINDOW_S], uint64_t second)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < LO_BUDGET_WINDOW_S; i++) {
        uint64_t word = atomic_load_explicit(&counts[i], memory_order_relaxed);
        if (second - (word >> COUNT_BITS) < LO_BUDGET_WINDOW_S)
            sum += word & ((UINT64_C(1) << COUNT_BITS) - 1);
    }
    return sum;
}

uint64_t lo_budget_account(int64_t route_id, int64_t platform_id)
{
    /* Of a platform a number that no route has. */
    return route_id != 0 ? (uint64_t)route_id : lb_mix((uint64_t)platform_id) | UINT64_C(1) << 63;
}

uint64_t lo_budget_begin(struct lo_budget *budget, uint64_t route, int64_t now_ms)
{
    struct set *set = set_of(budget, route);
    struct row *row = look_for(set, name_of(route));

    if (row == NULL) {
        pthread_mutex_lock(&set->lock);
        row = make_row(set, name_of(route));
        pthread_mutex_unlock(&set->lock);
    }
    count(row->requests, (uint64_t)now_ms / SECOND_MS);
    return atomic_fetch_add_explicit(&row->sequence, 1, memory_order_relaxed);
}

bool lo_budget_repeat(struct lo_budget *budget, uint64_t route, int64_t now_ms)
{
    const uint64_t second = (uint64_t)now_ms / SECOND_MS;
    struct set *set = set_of(budget, route);

    pthread_mutex_lock(&set->lock);
    struct row *row = make_row(set, name_of(route));
    const uint64_t repeats = sum_of(row->repeats, second);
    bool may = repeats < LO_BUDGET_ALWAYS ||
               (repeats + 1) * LO_BUDGET_SHARE <= sum_of(row->requests, second);
    if (may)
        count(row->repeats, second);
    pthread_mutex_unlock(&set->lock);
    return may;
}

/* ---- Of a platform --------------------------------------------------------------------------- */

static uint64_t hash_of(const struct lo_budget *budget, int64_t platform_id)
{
    return lb_gauge_hash(budget->moved, 'p',
                         lb_str((const char *)&platform_id, sizeof platform_id));
}

bool lo_budget_move(struct lo_budget *budget, int64_t platform_id)
{
    return lb_gauge_enter(budget->moved, hash_of(budget, platform_id), budget->moved_max);
}

void lo_budget_left(struct lo_budget *budget, int64_t platform_id)
{
    lb_gauge_leave(budget->moved, hash_of(budget, platform_id));
}
