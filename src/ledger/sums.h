/* SPDX-License-Identifier: MIT */
/*
 * Sums by (hour, user, token, platform, model, slot, payer, currency), made in memory of the rows
 * that the ledger's writer has just put into the database, so that the database need not read and
 * sort them again.
 *
 * They stand for the rows (from, to] and no others. If somebody else has written a row in between,
 * or there are more sums than fit, the rest is left to the database, which can sum any range.
 */
#ifndef LL_SUMS_H
#define LL_SUMS_H

#include <stddef.h>

#include "base/thread.h"
#include "ledger/ledger.h"

struct ls_tx;
struct ll_sums;

/* NULL when memory is short. */
struct ll_sums *ll_sums_new(const struct lb_host *host);
void ll_sums_free(struct ll_sums *sums); /* NULL is fine */

/*
 * These tidy attempts are the rows after `from`, up to `to`. Taken all or none: none unless they
 * follow on what was taken before, and no more until ll_sums_clear. `rest` (may be NULL, also
 * below) is called between two of them.
 */
void ll_sums_add(struct ll_sums *sums, const struct ll_usage *attempts, size_t count, int64_t from,
                 int64_t to, lb_rest_fn rest);
/* The rows that the sums stand for; false if there are none. */
bool ll_sums_range(const struct ll_sums *sums, int64_t *from, int64_t *to);
/* Adds them to llm_usage_sums, in the order of its key. They stay as they are. */
LLMGR_MUST_CHECK llmgr_status ll_sums_write(const struct ll_sums *sums, struct ls_tx *tx,
                                            lb_rest_fn rest, struct llmgr_error *err);
/* Empty again, and ready for rows after any other. */
void ll_sums_clear(struct ll_sums *sums);

#endif
