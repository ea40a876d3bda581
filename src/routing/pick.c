/* SPDX-License-Identifier: MIT */
/*
 * The walk over a route's targets. Whatever is drawn, by hash or at random, is drawn again if it
 * has come before, a few times, and then looked for from there on in order.
 *
 * Weights are met by a sequence rather than by chance: the multiples of the golden ratio, modulo 1,
 * fall into every interval nearly as often as its length says (Weyl; Knuth, TAOCP 6.4). The same
 * for sticky requests by consistent hashing over the sum of the weights: a target that is added at
 * the end moves its share of the users and nobody else.
 */
#include "routing/pick.h"

#include <string.h>

#include "base/mix.h"

enum {
    DRAWS_MAX = 8, /* in vain, before the targets are looked through in order */
    WORD_BITS = 64,
};

/* ---- One choice ------------------------------------------------------------------------------ */

static uint64_t weight_sum(const struct lo_walk_options *options)
{
    return options->weights != 0 ? options->weights : options->count;
}

/* The route may have fewer targets by now than when the walk began, or more. */
static uint32_t target_at(const struct lo_walk_options *options, uint64_t point)
{
    const uint32_t last = options->count - 1;

    if (options->weights == 0)
        return (uint32_t)point;
    uint32_t index = options->target_at(options->context, point);
    return index < last ? index : last;
}

/*
 * A bucket for a key, such that a bucket more takes its share from all others and moves nothing
 * else (consistent hashing in the manner of BinomialHash: Coluzzi and others 2024). The range is
 * halved: who falls into the lower half is asked again within it, who falls beyond the buckets
 * falls again; so the number of steps does not grow with that of buckets.
 */
static uint64_t bucket_of(uint64_t key, uint64_t count)
{
    unsigned level = count > 1 ? WORD_BITS - (unsigned)__builtin_clzll(count - 1) : 0;

    for (; level > 0; level--) {
        const uint64_t half = UINT64_C(1) << (level - 1);
        uint64_t hash = lb_mix(key ^ level), at = hash >> (WORD_BITS - level);
        while (at >= count) {
            hash = lb_mix(hash);
            at = hash >> (WORD_BITS - level);
        }
        if (at >= half)
            return at;
    }
    return 0;
}

/* The next draw: the first keeps to the sequence or to the user, those after it are scattered. */
static uint32_t draw(struct lo_walk *walk)
{
    const struct lo_walk_options *options = &walk->options;
    const unsigned nth = walk->draws++;
    const uint64_t sum = weight_sum(options);

    if (options->sticky != 0)
        return target_at(options, bucket_of(lb_mix(options->sticky + nth), sum));
    if (options->pick == LLMGR_PICK_WEIGHT && nth == 0)
        return target_at(options, lb_scale(options->sequence * LB_GOLDEN, sum));
    return target_at(options, lb_scale(lb_mix(options->noise + nth), sum));
}

static bool is_seen(const struct lo_walk *walk, uint32_t index)
{
    return (walk->seen[index / WORD_BITS] >> index % WORD_BITS & 1) != 0;
}

static void flip_seen(struct lo_walk *walk, uint32_t index)
{
    walk->seen[index / WORD_BITS] ^= UINT64_C(1) << index % WORD_BITS;
}

/* The first that has not come, from `from` on and around the end; there is one. */
static uint32_t unseen_from(const struct lo_walk *walk, uint32_t from)
{
    const uint32_t count = walk->options.count;
    uint32_t word = from / WORD_BITS;
    uint64_t open = ~walk->seen[word] & ~UINT64_C(0) << from % WORD_BITS;

    for (;;) {
        uint32_t index = word * WORD_BITS + (uint32_t)__builtin_ctzll(open | UINT64_C(1) << 63);
        if (open != 0 && index < count)
            return index;
        word = (word + 1) * WORD_BITS < count ? word + 1 : 0;
        open = ~walk->seen[word];
    }
}

static uint32_t draw_unseen(struct lo_walk *walk)
{
    uint32_t index = 0;

    for (unsigned i = 0; i < DRAWS_MAX; i++) {
        index = draw(walk);
        if (!is_seen(walk, index))
            return index;
    }
    return unseen_from(walk, index);
}

/* Of two, the one that was faster of late; of which nothing is known is tried first. */
static uint32_t faster(struct lo_walk *walk, uint32_t index)
{
    const struct lo_walk_options *options = &walk->options;

    if (walk->left_count < 2)
        return index;
    flip_seen(walk, index);
    uint32_t other = draw_unseen(walk);
    flip_seen(walk, index);
    return options->first_byte(options->context, other) <
                   options->first_byte(options->context, index)
               ? other
               : index;
}

static uint32_t choose(struct lo_walk *walk)
{
    const struct lo_walk_options *options = &walk->options;

    uint32_t index = draw_unseen(walk);
    return options->pick == LLMGR_PICK_FASTEST && options->sticky == 0 ? faster(walk, index)
                                                                       : index;
}

/* ---- The walk -------------------------------------------------------------------------------- */

void lo_walk_begin(struct lo_walk *walk, const struct lo_walk_options *options)
{
    memset(walk, 0, offsetof(struct lo_walk, tried));
    walk->options = *options;
    walk->left_count = options->count;
    if (options->pick != LLMGR_PICK_ORDER)
        memset(walk->seen, 0, sizeof walk->seen);
}

unsigned lo_walk_attempts_left(const struct lo_walk *walk, int64_t now_ms)
{
    const struct lo_walk_options *options = &walk->options;

    if (walk->attempts >= options->attempts ||
        (options->deadline_ms != 0 && now_ms >= options->deadline_ms))
        return 0;
    return options->attempts - walk->attempts;
}

bool lo_walk_may_move(const struct lo_walk *walk, uint32_t key_count, int64_t now_ms)
{
    return lo_walk_attempts_left(walk, now_ms) > 0 && (walk->left_count > 0 || key_count > 1);
}

int64_t lo_walk_soonest(const struct lo_walk *walk)
{
    return walk->soonest_ms;
}

bool lo_walk_next(struct lo_walk *walk, int64_t now_ms, uint32_t *index)
{
    if (walk->is_over || lo_walk_attempts_left(walk, now_ms) == 0)
        return false;
    if (!walk->again) {
        if (walk->left_count == 0)
            return false;
        if (walk->options.pick == LLMGR_PICK_ORDER) {
            walk->index = walk->options.count - walk->left_count;
        } else {
            walk->index = choose(walk);
            flip_seen(walk, walk->index);
        }
        walk->left_count--;
    }
    walk->again = false;
    *index = walk->index;
    return true;
}

bool lo_walk_least_bad(struct lo_walk *walk, int64_t now_ms, uint32_t *index)
{
    if (walk->is_over || walk->least_bad_ms == 0 || lo_walk_attempts_left(walk, now_ms) == 0)
        return false;
    walk->is_forced = true;
    walk->least_bad_ms = 0; /* it comes once */
    walk->index = walk->least_bad;
    *index = walk->index;
    return true;
}

void lo_walk_pass(struct lo_walk *walk, const struct lo_cooled *cooled)
{
    if (cooled == NULL || cooled->until_ms == 0)
        return;
    if (walk->soonest_ms == 0 || cooled->until_ms < walk->soonest_ms)
        walk->soonest_ms = cooled->until_ms;
    if (!cooled->is_hard && (walk->least_bad_ms == 0 || cooled->until_ms < walk->least_bad_ms)) {
        walk->least_bad_ms = cooled->until_ms;
        walk->least_bad = walk->index;
    }
}

/* Does what failed rule it out? */
static bool rules_out(const struct lo_tried *tried, const struct lo_candidate *candidate)
{
    const bool same_model = tried->model_id == candidate->model_id;
    const bool same_key = tried->key_id == candidate->key_id;

    if (tried->next == LO_NEXT_LARGER_CONTEXT)
        return candidate->context_tokens <= tried->context_tokens;
    if (tried->platform_id != candidate->platform_id)
        return false;
    switch (tried->next) {
    case LO_NEXT_OTHER_KEY:
        return same_key;
    case LO_NEXT_OTHER_ACCOUNT:
        return same_key || tried->account_id == candidate->account_id;
    case LO_NEXT_OTHER_MODEL:
        return same_model;
    case LO_NEXT_OTHER_PLATFORM:
        return true;
    case LO_NEXT_SAME:
    case LO_NEXT_WITHOUT_OPTIONS:
        return false;
    case LO_NEXT_LARGER_CONTEXT:
    case LO_NEXT_NOTHING:
        break;
    }
    return same_model && same_key;
}

bool lo_walk_excludes(const struct lo_walk *walk, const struct lo_candidate *candidate)
{
    for (unsigned i = 0; i < walk->tried_count; i++) {
        if (rules_out(&walk->tried[i], candidate))
            return true;
    }
    return false;
}

bool lo_walk_was_at(const struct lo_walk *walk, int64_t platform_id)
{
    for (unsigned i = 0; i < walk->tried_count; i++) {
        if (walk->tried[i].platform_id == platform_id)
            return true;
    }
    return false;
}

void lo_walk_try(struct lo_walk *walk, const struct lo_candidate *candidate)
{
    struct lo_tried *last = walk->tried_count > 0 ? &walk->tried[walk->tried_count - 1] : NULL;

    walk->attempts++;
    if (last != NULL && (last->next == LO_NEXT_SAME || last->next == LO_NEXT_WITHOUT_OPTIONS)) {
        walk->has_repeated = walk->has_repeated || last->next == LO_NEXT_SAME;
        last->next = LO_NEXT_NOTHING; /* whoever comes now, it is not the same a third time */
    }
    if (walk->tried_count < LLMGR_ROUTE_ATTEMPTS_MAX)
        walk->tried[walk->tried_count++] = (struct lo_tried){
            candidate->platform_id, candidate->model_id,       candidate->account_id,
            candidate->key_id,      candidate->context_tokens, LO_NEXT_NOTHING,
        };
}

void lo_walk_failed(struct lo_walk *walk, struct lo_verdict *verdict)
{
    struct lo_tried *last = &walk->tried[walk->tried_count - 1];

    if (verdict->alike != 0 && verdict->alike == walk->alike &&
        last->platform_id != walk->alike_platform_id) {
        verdict->reason = LO_REASON_ALIKE;
        verdict->fault = LO_FAULT_REQUEST;
        verdict->next = LO_NEXT_NOTHING;
        verdict->cool = LO_COOL_NONE;
    } else if (verdict->alike != 0) {
        walk->alike = verdict->alike;
        walk->alike_platform_id = last->platform_id;
    }
    /* Than what is not known nothing is known to be larger. */
    if (verdict->next == LO_NEXT_LARGER_CONTEXT && last->context_tokens == 0)
        verdict->next = LO_NEXT_NOTHING;
    last->next = verdict->next;
    walk->is_over = verdict->next == LO_NEXT_NOTHING;
    walk->again = verdict->next == LO_NEXT_SAME || verdict->next == LO_NEXT_WITHOUT_OPTIONS ||
                  verdict->next == LO_NEXT_OTHER_KEY || verdict->next == LO_NEXT_OTHER_ACCOUNT;
}
