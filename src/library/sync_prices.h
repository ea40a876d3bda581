/* SPDX-License-Identifier: MIT */
/*
 * The prices of llmgr.yaml in a synchronisation. They name platforms by their numbers, which those
 * of the file get first: so they are judged before, when a mistake changes nothing yet, and set
 * behind, in a transaction of their own. What is lost between the two is found again by the next
 * look, for it compares the rows themselves.
 */
#ifndef LA_SYNC_PRICES_H
#define LA_SYNC_PRICES_H

#include "base/arena.h"
#include "llmgr.h"

struct lm_defaults;

/* ERR_CONFIG names file, line and model of what is no price, or clashes with one set by hand. */
LLMGR_MUST_CHECK llmgr_status la_prices_judge(struct llmgr *manager,
                                              const struct lm_defaults *defaults,
                                              struct llmgr_error *err);
/*
 * Sets them, unless `dry_run`, ends those that the file has no longer, and adds what that changes
 * to the report, whose memory is `arena`.
 */
LLMGR_MUST_CHECK llmgr_status la_prices_sync(struct llmgr *manager,
                                             const struct lm_defaults *defaults, bool dry_run,
                                             struct lb_arena *arena,
                                             struct llmgr_sync_report *report,
                                             struct llmgr_error *err);
/* Are those in the database the file's? */
LLMGR_MUST_CHECK llmgr_status la_prices_check(struct llmgr *manager,
                                              const struct lm_defaults *defaults, bool *current,
                                              struct llmgr_error *err);

#endif
