/* SPDX-License-Identifier: MIT */
/*
 * A price, and what an attempt costs by it: which models it matches, whether its conditions hold,
 * which of two is asked first, and the sum. Pure functions of numbers and texts; integers alone.
 */
#ifndef LQ_PRICE_H
#define LQ_PRICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "budget/hours.h"
#include "llmgr.h"

struct lq_zone;

enum { LQ_CURRENCY_SIZE = 4 };         /* three capitals and a NUL */
#define LQ_COST_MAX (INT64_C(1) << 62) /* nano-units; what costs more cannot be told */

/* See struct llmgr_price. Slices are borrowed; an empty one is "none". */
struct lq_price {
    int64_t id;
    int64_t platform_id; /* 0: any */
    struct lb_str model;
    char currency[LQ_CURRENCY_SIZE];
    int64_t from_ms;
    int64_t until_ms; /* INT64_MAX: no end */
    int64_t above_tokens;
    struct lb_str service_tier;
    bool has_hours;
    struct lq_hours hours;
    const struct lq_zone *zone; /* of the hours; NULL: they cannot be told here, and hold always */
    bool is_unclear;            /* what it costs cannot be told here */
    int64_t rates[LLMGR_PRICE_UNIT_COUNT]; /* pico-units per unit; LLMGR_UNSET: none */
};

/* What has been used, by units. A part is counted in what it is a part of as well. */
struct lq_use {
    int64_t at_ms; /* when the attempt began */
    int64_t prompt_tokens;
    struct lb_str service_tier;             /* that the answer tells of */
    int64_t counts[LLMGR_PRICE_UNIT_COUNT]; /* -1: not known; of a part the same as 0 */
};

/* Does a pattern, of which one '*' is anything, match a model's name? */
bool lq_pattern_matches(struct lb_str pattern, struct lb_str model);
/* Is it the name of one model, without a '*'? */
static inline bool lq_pattern_is_exact(struct lb_str pattern)
{
    return lb_str_find(pattern, '*') == pattern.size;
}

/*
 * The order in which prices are asked, as that of memcmp: by platform (named ones first, those of
 * one platform together); exact models before patterns, the prices of one model together, of
 * patterns the longer first; then a tier before none, hours before none, more tokens before fewer,
 * and the newest first.
 */
int lq_price_order(const struct lq_price *a, const struct lq_price *b);
/* Is it in force, and do its conditions hold? The model is not looked at. */
bool lq_price_holds(const struct lq_price *price, const struct lq_use *use);

/*
 * What the use costs, in nano-units, rounded half up once; the parts have their own rates or those
 * of what they are parts of. False: that is not known, for something was used that has no rate, or
 * what has a rate was not counted; or it is more than can be written.
 */
bool lq_price_cost(const struct lq_price *price, const struct lq_use *use, int64_t *nano);

#endif
