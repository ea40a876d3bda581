/* SPDX-License-Identifier: MIT */
/*
 * Usage as rows: what the ledger's writer puts into a transaction, and the sums that are read.
 *
 * Rows are written in batches, and summed by (hour, user, platform, model, slot, payer) later: in
 * memory by whoever wrote them (sums.h), or by the database. How far the sums go stands beside
 * them, so rows and sums always agree.
 */
#ifndef LM_USAGE_H
#define LM_USAGE_H

#include "base/arena.h"
#include "manager/ledger.h"

struct lm_sums;
struct ls_tx;
struct lm_usage_batch;

enum { LM_HOUR_MS = 3600000 };

/*
 * The attempt as it may be stored: texts cut at a character and valid UTF-8, counts within bounds
 * (what no upstream can mean is unknown), time given. ERR_INVALID: the user, a kind of end.
 */
LLMGR_MUST_CHECK llmgr_status lm_usage_tidy(const struct lm_usage *usage, int64_t now_ms,
                                            struct lm_usage *tidy, struct llmgr_error *err);

/*
 * The same of numbers and kinds alone, in place, for an attempt whose texts are tidy. False where
 * there is no such kind.
 */
LLMGR_MUST_CHECK bool lm_usage_tidy_numbers(struct lm_usage *usage, int64_t now_ms);

/* NULL when memory is short. */
struct lm_usage_batch *lm_usage_batch_new(const struct lb_host *host, size_t capacity);
void lm_usage_batch_free(struct lm_usage_batch *batch); /* NULL is fine */
/* Empties it. `restful`: who then fills and writes it rests after some rows (lb_thread_rest). */
void lm_usage_batch_reset(struct lm_usage_batch *batch, bool restful);
size_t lm_usage_batch_count(const struct lm_usage_batch *batch);
/* The place of the next attempt, NULL if it is full; it counts once it was kept. */
struct lm_usage *lm_usage_batch_next(struct lm_usage_batch *batch);
/* A tidy attempt stands there; its texts are borrowed until the reset. */
void lm_usage_batch_keep(struct lm_usage_batch *batch);
/* Both at once; false if it is full. */
bool lm_usage_batch_add(struct lm_usage_batch *batch, const struct lm_usage *tidy);
/* Writes the rows; remembers, for lm_usage_batch_sum, between which others they stand. */
LLMGR_MUST_CHECK llmgr_status lm_usage_batch_write(struct lm_usage_batch *batch, struct ls_tx *tx,
                                                   struct llmgr_error *err);
/* Sums in memory what lm_usage_batch_write has written, once that is committed. */
void lm_usage_batch_sum(const struct lm_usage_batch *batch, struct lm_sums *sums);

/*
 * Sums what is not yet summed, up to a bound: the rows for which `sums` (may be NULL) stand from
 * there, the others by reading them. Afterwards `sums` are empty.
 */
LLMGR_MUST_CHECK llmgr_status lm_usage_roll_up(struct lm_manager *manager, struct lm_sums *sums,
                                               struct llmgr_error *err);

/* Fills everything but `memory`; strings in `arena`. See llmgr_usage_query. */
LLMGR_MUST_CHECK llmgr_status lm_usage_sums(struct lm_manager *manager,
                                            const struct llmgr_usage_query *query,
                                            struct lb_arena *arena, struct llmgr_usage_list *list,
                                            struct llmgr_error *err);

#endif
