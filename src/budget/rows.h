/* SPDX-License-Identifier: MIT */
/*
 * Prices as rows: one of llm_prices, and one of llm_price_rates for each of its rates. A statement
 * that reads prices joins the two and orders them by the price; here they are put together again.
 */
#ifndef LQ_ROWS_H
#define LQ_ROWS_H

#include "llmgr.h"
#include "store/store.h"

/* A row of llm_prices. Slices are borrowed for the call; an empty one is "none". */
struct lq_row {
    int64_t id;
    int64_t platform_id; /* 0: any */
    struct lb_str model;
    struct lb_str currency;
    int64_t from_ms;
    int64_t until_ms; /* 0: no end */
    int64_t above_tokens;
    struct lb_str service_tier;
    struct lb_str hours;
    struct lb_str time_zone;
    struct lb_str source;
    int64_t created_ms;
};

/* Where the rates of a price belong. All are LLMGR_UNSET, and nothing is unknown, before. */
struct lq_rates {
    int64_t *rates;   /* LLMGR_PRICE_UNIT_COUNT of them */
    bool *is_unclear; /* one is of a unit that this release does not know; may be NULL */
};

/* Takes a price and says where its rates belong; a failure is told in `err`. */
typedef llmgr_status (*lq_row_fn)(const struct lq_row *row, void *context, struct lq_rates *rates,
                                  struct llmgr_error *err);

/* Runs a statement of PRICE_COLUMNS and takes its prices. */
LLMGR_MUST_CHECK llmgr_status lq_rows_each(struct ls_tx *tx, enum ls_statement statement,
                                           const struct ls_value *values, size_t count,
                                           lq_row_fn take, void *context, struct llmgr_error *err);

#endif
