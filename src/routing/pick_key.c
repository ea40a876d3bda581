/* SPDX-License-Identifier: MIT */
/*
 * Which key of a pool: whatever the order, only the keys that could win are asked about, so that a
 * pool of a hundred healthy ones costs little more than one. See pick.h.
 */
#include "routing/pick.h"

#include <math.h>

#include "base/mix.h"

enum {
    DRAWS_MAX = 8, /* in vain, before the keys are looked through in order */
};

/* 2^64 times the fraction of the square root of 2: falls as evenly as a route's own sequence, and
 * independently of it. */
static const uint64_t ROOT = UINT64_C(0x6a09e667f3bcc909);

struct pool {
    const struct lo_walk *walk;
    const struct lo_health *health;
    struct lo_candidate candidate; /* the key looked at is put in */
    const struct lo_key *keys;
    uint32_t count;
    int64_t now_ms;
};

/* Neither tried nor ruled out by what failed. */
static bool is_open(struct pool *pool, uint32_t at)
{
    pool->candidate.key_id = pool->keys[at].id;
    pool->candidate.account_id = pool->keys[at].account;
    return !lo_walk_excludes(pool->walk, &pool->candidate);
}

static bool is_usable(struct pool *pool, uint32_t at)
{
    return is_open(pool, at) && lo_health_look(pool->health, &pool->candidate, pool->now_ms, NULL);
}

static uint32_t from_on(struct pool *pool, uint32_t from)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        uint32_t at = (from + i) % pool->count;
        if (is_usable(pool, at))
            return at;
    }
    return LO_NO_KEY;
}

/*
 * Weighted rendezvous (Thaler, Ravishankar 1998; Schindelhauer, Schomaker 2005): each account has a
 * score of its own for this user, -ln(hash) / weight, and the least wins. Does `a` come before `b`?
 */
static bool wins(uint64_t a, uint32_t a_weight, uint64_t b, uint32_t b_weight)
{
    if (a_weight == b_weight)
        return a > b;
    return log((double)a / 0x1p64) / a_weight > log((double)b / 0x1p64) / b_weight;
}

static uint32_t by_rendezvous(struct pool *pool)
{
    uint32_t best = LO_NO_KEY;
    uint64_t best_hash = 0;

    for (uint32_t at = 0; at < pool->count; at++) {
        const struct lo_key *key = &pool->keys[at];
        uint64_t hash = lb_mix(pool->walk->options.sticky ^ lb_mix(key->account)) | 1;
        if (best != LO_NO_KEY && !wins(hash, key->weight, best_hash, pool->keys[best].weight))
            continue;
        if (!is_usable(pool, at))
            continue;
        best = at;
        best_hash = hash;
    }
    return best;
}

static uint32_t key_at(const struct pool *pool, uint64_t point)
{
    uint32_t at = 0;

    while (point >= pool->keys[at].weight)
        point -= pool->keys[at++].weight;
    return at;
}

/* As a route's targets are drawn (pick.c). */
static uint32_t by_weight(struct pool *pool)
{
    const struct lo_walk_options *options = &pool->walk->options;
    uint64_t sum = 0, fraction = options->sequence * ROOT;
    uint32_t at = 0;

    for (uint32_t i = 0; i < pool->count; i++)
        sum += pool->keys[i].weight;
    for (unsigned i = 0; i < DRAWS_MAX; i++) {
        at = key_at(pool, lb_scale(fraction, sum));
        if (is_usable(pool, at))
            return at;
        fraction = lb_mix(options->noise + i + 1);
    }
    return from_on(pool, at);
}

/* No key is usable: of the cooled ones which is free soonest, and the best of those not hard. */
static uint32_t soonest(struct pool *pool, struct lo_cooled *why)
{
    uint32_t best = LO_NO_KEY;
    int64_t best_ms = INT64_MAX;
    struct lo_cooled cooled;

    *why = (struct lo_cooled){.until_ms = 0};
    for (uint32_t at = 0; at < pool->count; at++) {
        if (!is_open(pool, at) ||
            lo_health_look(pool->health, &pool->candidate, pool->now_ms, &cooled))
            continue;
        if (why->until_ms == 0 || cooled.until_ms < why->until_ms)
            *why = cooled;
        if (!cooled.is_hard && cooled.until_ms < best_ms) {
            best = at;
            best_ms = cooled.until_ms;
        }
    }
    return best;
}

uint32_t lo_walk_choose_key(const struct lo_walk *walk, const struct lo_health *health,
                            const struct lo_candidate *candidate, const struct lo_key *keys,
                            uint32_t count, enum lo_key_order order, int64_t now_ms,
                            struct lo_cooled *why)
{
    struct pool pool = {walk, health, *candidate, keys, count, now_ms};
    uint32_t at;

    if (count <= 1 || order == LO_KEYS_IN_ORDER)
        at = from_on(&pool, 0);
    else
        at = walk->options.sticky != 0 ? by_rendezvous(&pool) : by_weight(&pool);
    if (at != LO_NO_KEY)
        return at;
    at = soonest(&pool, why);
    return walk->is_forced ? at : LO_NO_KEY;
}
