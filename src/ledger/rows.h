/* SPDX-License-Identifier: MIT */
/*
 * Usage as rows: what the ledger's writer puts into a transaction, and the sums that are read.
 *
 * Rows are written in batches, and summed by (hour, user, token, platform, model, slot, payer,
 * currency) later: in memory by whoever wrote them (sums.h), or by the database. How far the sums
 * go stands beside them, so rows and sums always agree.
 */
#ifndef LL_ROWS_H
#define LL_ROWS_H

#include "base/arena.h"
#include "base/thread.h"
#include "ledger/ledger.h"

struct ll_sums;
struct ls_tx;
struct ll_usage_batch;

enum { LL_HOUR_MS = 3600000 };

/*
 * The attempt as it may be stored: texts cut at a character and valid UTF-8, counts within bounds
 * (what no upstream can mean is unknown), time given. ERR_INVALID: the user, a kind of end.
 */
LLMGR_MUST_CHECK llmgr_status ll_usage_tidy(const struct ll_usage *usage, int64_t now_ms,
                                            struct ll_usage *tidy, struct llmgr_error *err);

/*
 * The same of numbers and kinds alone, in place, for an attempt whose texts are tidy. False where
 * there is no such kind.
 */
LLMGR_MUST_CHECK bool ll_usage_tidy_numbers(struct ll_usage *usage, int64_t now_ms);
/* Three capitals? */
bool ll_is_currency(struct lb_str text);

/* NULL when memory is short. */
struct ll_usage_batch *ll_usage_batch_new(const struct lb_host *host, size_t capacity);
void ll_usage_batch_free(struct ll_usage_batch *batch);  /* NULL is fine */
void ll_usage_batch_reset(struct ll_usage_batch *batch); /* empties it */
size_t ll_usage_batch_count(const struct ll_usage_batch *batch);
/* The place of the next attempt, NULL if it is full; it counts once it was kept. */
struct ll_usage *ll_usage_batch_next(struct ll_usage_batch *batch);
/* A tidy attempt stands there; its texts are borrowed until the reset. */
void ll_usage_batch_keep(struct ll_usage_batch *batch);
/* Both at once; false if it is full. */
bool ll_usage_batch_add(struct ll_usage_batch *batch, const struct ll_usage *tidy);
/*
 * Writes the rows, with a `rest` (may be NULL, also below) between them; remembers, for
 * ll_usage_batch_sum, between which others they stand.
 */
LLMGR_MUST_CHECK llmgr_status ll_usage_batch_write(struct ll_usage_batch *batch, struct ls_tx *tx,
                                                   lb_rest_fn rest, struct llmgr_error *err);
/* Sums in memory what ll_usage_batch_write has written, once that is committed. */
void ll_usage_batch_sum(const struct ll_usage_batch *batch, struct ll_sums *sums, lb_rest_fn rest);

/*
 * Sums what is not yet summed, up to a bound: the rows for which `sums` (may be NULL) stand from
 * there, with a `rest` between them, the others by reading them. Afterwards `sums` are empty.
 */
LLMGR_MUST_CHECK llmgr_status ll_usage_roll_up(struct lm_manager *manager, struct ll_sums *sums,
                                               lb_rest_fn rest, struct llmgr_error *err);

/* Fills everything but `memory`; strings in `arena`. See llmgr_usage_query. */
LLMGR_MUST_CHECK llmgr_status ll_usage_sums(struct lm_manager *manager,
                                            const struct llmgr_usage_query *query,
                                            struct lb_arena *arena, struct llmgr_usage_list *list,
                                            struct llmgr_error *err);

/* Which request is looked for; see llmgr_usage_request. */
struct ll_usage_request {
    const char *user; /* NULL: anybody's */
    const char *id;
    int64_t since_ms;
    int64_t until_ms;
};

/* Fills everything but `memory`; strings in `arena`. */
LLMGR_MUST_CHECK llmgr_status ll_usage_find(struct lm_manager *manager,
                                            const struct ll_usage_request *request,
                                            struct lb_arena *arena,
                                            struct llmgr_usage_attempts *attempts,
                                            struct llmgr_error *err);

#endif
