/* SPDX-License-Identifier: MIT */
/* What an attempt costs by a price. See the header. */
#include "budget/price.h"

#define PICO_PER_NANO 1000

typedef unsigned __int128 wide;

static const llmgr_price_unit parents[] = {
#define PARENT(name, number, text, parent, per)                                                    \
    [LLMGR_PRICE_UNIT_##name] = LLMGR_PRICE_UNIT_##parent,
    LLMGR_PRICE_UNIT_MAP(PARENT)
#undef PARENT
};

/* Which units are tokens: those that rates are written for by the million. */
static const bool is_token[] = {
#define IS_TOKEN(name, number, text, parent, per) [LLMGR_PRICE_UNIT_##name] = (per) != 1,
    LLMGR_PRICE_UNIT_MAP(IS_TOKEN)
#undef IS_TOKEN
};

/* ---- Which price ----------------------------------------------------------------------------- */

bool lq_pattern_matches(struct lb_str pattern, struct lb_str model)
{
    const size_t star = lb_str_find(pattern, '*');

    if (star == pattern.size)
        return lb_str_eq(pattern, model);
    return model.size + 1 >= pattern.size && lb_str_starts(model, lb_str_sub(pattern, 0, star)) &&
           lb_str_ends(model, lb_str_sub(pattern, star + 1, pattern.size));
}

/* Greater first. */
static int descending(int64_t a, int64_t b)
{
    return (a < b) - (a > b);
}

int lq_price_order(const struct lq_price *a, const struct lq_price *b)
{
    const bool a_exact = lq_pattern_is_exact(a->model);
    const bool b_exact = lq_pattern_is_exact(b->model);
    int order = descending(a->platform_id, b->platform_id);

    if (order == 0)
        order = descending(a_exact, b_exact);
    if (order == 0)
        order = a_exact ? lb_str_cmp(a->model, b->model)
                        : descending((int64_t)a->model.size, (int64_t)b->model.size);
    if (order == 0)
        order = descending(a->service_tier.size != 0, b->service_tier.size != 0);
    if (order == 0)
        order = descending(a->has_hours, b->has_hours);
    if (order == 0)
        order = descending(a->above_tokens, b->above_tokens);
    return order != 0 ? order : descending(a->id, b->id);
}

bool lq_price_holds(const struct lq_price *price, const struct lq_use *use)
{
    return price->from_ms <= use->at_ms && use->at_ms < price->until_ms &&
           (price->service_tier.size == 0 || lb_str_eq(price->service_tier, use->service_tier)) &&
           (price->above_tokens == 0 || use->prompt_tokens > price->above_tokens) &&
           (!price->has_hours || price->zone == NULL ||
            lq_hours_hold(&price->hours, price->zone, use->at_ms));
}

/* ---- The sum --------------------------------------------------------------------------------- */

/* Its own rate, or the nearest of what it is a part of; LLMGR_UNSET: none has one. */
static int64_t rate_of(const struct lq_price *price, llmgr_price_unit unit)
{
    while (price->rates[unit] == LLMGR_UNSET && parents[unit] != unit)
        unit = parents[unit];
    return price->rates[unit];
}

/* What was used of the unit itself: without its parts, which may be more than it is. */
static int64_t own_count(const struct lq_use *use, llmgr_price_unit unit)
{
    int64_t count = use->counts[unit];

    for (int part = 0; part < LLMGR_PRICE_UNIT_COUNT; part++) {
        if ((int)parents[part] == (int)unit && part != (int)unit && use->counts[part] > 0)
            count = count > use->counts[part] ? count - use->counts[part] : 0;
    }
    return count;
}

/*
 * Has something a rate of which nobody told how much was used? Of tokens one of prompt and answer
 * is enough, for embeddings have no answer; then what else is told of them. Images and seconds are
 * no part of tokens.
 */
static bool misses_count(const struct lq_price *price, const struct lq_use *use)
{
    static const llmgr_price_unit uncounted[] = {LLMGR_PRICE_UNIT_IMAGE, LLMGR_PRICE_UNIT_SECOND};

    for (size_t i = 0; i < sizeof uncounted / sizeof uncounted[0]; i++) {
        if (price->rates[uncounted[i]] > 0 && use->counts[uncounted[i]] < 0)
            return true;
    }
    if (use->counts[LLMGR_PRICE_UNIT_INPUT] >= 0 || use->counts[LLMGR_PRICE_UNIT_OUTPUT] >= 0)
        return false;
    for (int unit = 0; unit < LLMGR_PRICE_UNIT_COUNT; unit++) {
        if (price->rates[unit] != LLMGR_UNSET && use->counts[unit] < 0 &&
            unit != LLMGR_PRICE_UNIT_TOOL_CALL)
            return true;
    }
    return false;
}

bool lq_price_cost(const struct lq_price *price, const struct lq_use *use, int64_t *nano)
{
    wide pico = PICO_PER_NANO / 2;

    if (price->is_unclear || misses_count(price, use))
        return false;
    for (int i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        const llmgr_price_unit unit = (llmgr_price_unit)i;
        const int64_t count = own_count(use, unit);
        if (count <= 0)
            continue;
        const int64_t rate = rate_of(price, unit);
        if (rate != LLMGR_UNSET)
            pico += (wide)count * (wide)rate;
        else if (is_token[unit])
            return false;
    }
    if (pico / PICO_PER_NANO > LQ_COST_MAX)
        return false;
    *nano = (int64_t)(pico / PICO_PER_NANO);
    return true;
}
