/* SPDX-License-Identifier: MIT */
/*
 * The rates of one model, by threshold and service tier. One price decides for the whole of an
 * attempt, so each pair of a threshold and a tier is handed out complete: what the catalogue left
 * out because it stays the same is filled in here.
 */
#include "budget/import_read.h"

#include "budget/unit.h"

void lq_grid_init(struct lq_grid *grid)
{
    *grid = (struct lq_grid){.above_count = 1, .tier_count = 1, .tiers = {LB_STR("")}};
    for (size_t a = 0; a < LQ_IMPORT_ABOVE_MAX; a++) {
        for (size_t t = 0; t < LQ_IMPORT_TIERS_MAX; t++)
            lq_rates_clear(grid->cells[a][t]);
    }
}

static bool find_above(struct lq_grid *grid, int64_t above, size_t *place)
{
    for (*place = 0; *place < grid->above_count; ++*place) {
        if (grid->above[*place] == above)
            return true;
    }
    if (grid->above_count == LQ_IMPORT_ABOVE_MAX)
        return false;
    grid->above[grid->above_count++] = above;
    return true;
}

static bool find_tier(struct lq_grid *grid, struct lb_str tier, size_t *place)
{
    for (*place = 0; *place < grid->tier_count; ++*place) {
        if (lb_str_eq(grid->tiers[*place], tier))
            return true;
    }
    if (grid->tier_count == LQ_IMPORT_TIERS_MAX)
        return false;
    grid->tiers[grid->tier_count++] = tier;
    return true;
}

int64_t *lq_grid_at(struct lq_grid *grid, int64_t above, struct lb_str tier)
{
    size_t a, t;

    if (!find_above(grid, above, &a) || !find_tier(grid, tier, &t))
        return NULL;
    return grid->cells[a][t];
}

int64_t *lq_grid_alone(struct lq_grid *grid, int64_t above)
{
    size_t place;

    if (!find_above(grid, above, &place))
        return NULL;
    grid->alone[place] = true;
    return grid->cells[place][0];
}

/* The largest threshold below this one; false: it is the lowest. */
static bool next_below(const struct lq_grid *grid, size_t above, size_t *below)
{
    bool found = false;

    for (size_t i = 0; i < grid->above_count; i++) {
        if (grid->above[i] < grid->above[above] &&
            (!found || grid->above[i] > grid->above[*below])) {
            *below = i;
            found = true;
        }
    }
    return found;
}

/* What stands at this threshold or below it for one tier. */
static int64_t look_down(const struct lq_grid *grid, size_t above, size_t tier, size_t unit)
{
    do {
        if (grid->cells[above][tier][unit] != LLMGR_UNSET)
            return grid->cells[above][tier][unit];
        if (grid->alone[above] && lq_is_replaced(unit))
            return LLMGR_UNSET;
    } while (next_below(grid, above, &above));
    return LLMGR_UNSET;
}

static size_t parent_of(size_t unit)
{
    static const llmgr_price_unit PARENTS[] = {
#define PARENT_ROW(name, number, text, parent, per) LLMGR_PRICE_UNIT_##parent,
        LLMGR_PRICE_UNIT_MAP(PARENT_ROW)
#undef PARENT_ROW
    };

    return PARENTS[unit];
}

/*
 * What has no rate of its own in a tier, but is part of what has one there: is that its rate? So it
 * is of reasoning in every tier, and of all in a batch but what was read from a cache, which has
 * the ordinary rate (litellm_core_utils/llm_cost_calc/utils.py, cost_calculator.py:
 * _batch_prompt_cost).
 */
static bool follows_parent(const struct lq_grid *grid, size_t tier, size_t unit)
{
    if (unit == LLMGR_PRICE_UNIT_REASONING)
        return tier != 0;
    return lb_str_eq_c(grid->tiers[tier], "batch") && unit != LLMGR_PRICE_UNIT_CACHED_INPUT;
}

/* Is the rate that of the tier alone, at this threshold or below? */
static bool is_tiers_own(const struct lq_grid *grid, size_t above, size_t tier, size_t unit,
                         int64_t *rate)
{
    if (!follows_parent(grid, tier, unit))
        return false;
    *rate = look_down(grid, above, tier, unit);
    return *rate != LLMGR_UNSET || look_down(grid, above, tier, parent_of(unit)) != LLMGR_UNSET;
}

/* The tier's own at this threshold, any tier's there, and then the same further down. */
static int64_t rate_of(const struct lq_grid *grid, size_t above, size_t tier, size_t unit)
{
    int64_t rate;

    if (is_tiers_own(grid, above, tier, unit, &rate))
        return rate;
    do {
        if (grid->cells[above][tier][unit] != LLMGR_UNSET)
            return grid->cells[above][tier][unit];
        if (grid->cells[above][0][unit] != LLMGR_UNSET)
            return grid->cells[above][0][unit];
        if (grid->alone[above] && lq_is_replaced(unit))
            return LLMGR_UNSET;
    } while (next_below(grid, above, &above));
    return LLMGR_UNSET;
}

static bool has_any(const int64_t *cells)
{
    for (size_t i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        if (cells[i] != LLMGR_UNSET)
            return true;
    }
    return false;
}

llmgr_status lq_grid_hand_out(const struct lq_text *text, struct lq_grid *grid,
                              struct lq_offer *offer, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t a = 0; a < grid->above_count && status == LLMGR_OK; a++) {
        for (size_t t = 0; t < grid->tier_count && status == LLMGR_OK; t++) {
            for (size_t unit = 0; unit < LLMGR_PRICE_UNIT_COUNT; unit++)
                offer->rates[unit] = rate_of(grid, a, t, unit);
            offer->above_tokens = grid->above[a];
            offer->service_tier = grid->tiers[t];
            if (has_any(offer->rates))
                status = text->reading->take(text->reading->context, offer, err);
        }
    }
    return status;
}
