/* SPDX-License-Identifier: MIT */
/*
 * The prices of one source that have not ended, read by one statement: what is set again and has
 * not changed needs no other.
 */
#ifndef LQ_STANDING_H
#define LQ_STANDING_H

#include "base/arena.h"
#include "base/map.h"
#include "budget/prices.h"
#include "store/store.h"

struct lq_standing_price {
    int64_t id;
    int64_t platform_id;
    struct lb_str model;
    int64_t from_ms;
    int64_t until_ms; /* 0: no end */
    struct lb_str currency;
    int64_t rates[LLMGR_PRICE_UNIT_COUNT];
    bool is_named;                    /* by a change: made, kept or ended by it */
    struct lq_standing_price *former; /* for the same, read before; NULL: none */
    struct lq_standing_price *next;   /* of all */
};

struct lq_standing {
    struct lb_arena memory;
    struct lb_map *of; /* what a price matches, with its conditions -> the last one read of it */
    struct lq_standing_price *first;
    struct lq_standing_price **end;
};

/* To be ended by lq_standing_free in any case; to be read again after it. */
LLMGR_MUST_CHECK llmgr_status lq_standing_read(struct lq_standing *standing,
                                               const struct lb_host *host, struct ls_tx *tx,
                                               struct lb_str source, int64_t now_ms,
                                               struct llmgr_error *err);
void lq_standing_free(struct lq_standing *standing);

/* The last one for the same as this price; NULL: none. */
struct lq_standing_price *lq_standing_find(const struct lq_standing *standing,
                                           const struct lq_price_spec *spec);
/* Is it in force without an end, and says what the price says, which has none either? */
bool lq_standing_says(const struct lq_standing_price *price, const struct lq_price_spec *spec);
/* What a change says of one of them, or two. */
void lq_standing_name(const struct lq_standing *standing, const struct lq_price_change *change);

#endif
