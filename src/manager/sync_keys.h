/* SPDX-License-Identifier: MIT */
/* A platform's server keys in a sync. */
#ifndef LM_SYNC_KEYS_H
#define LM_SYNC_KEYS_H

#include "manager/sync_plan.h"

/*
 * Fills the entry's keys and the names of their variables, in `arena`; its address is known.
 * Errors (ERR_CONFIG, ERR_INVALID) say which place, and never show a key.
 */
LLMGR_MUST_CHECK llmgr_status lm_sync_keys_judge(const struct lb_host *host, struct lb_arena *arena,
                                                 const struct lm_default_platform *from,
                                                 struct lm_sync_entry *entry,
                                                 struct llmgr_error *err);
/* *diff: what differs from the keys of the entry's row, which are read into `arena`. */
LLMGR_MUST_CHECK llmgr_status lm_sync_keys_compare(const struct lm_sync_plan *plan,
                                                   struct ls_tx *tx,
                                                   const struct lm_sync_entry *entry,
                                                   struct lb_arena *arena, unsigned *diff,
                                                   struct llmgr_error *err);
/* Seals and stores them in the place of all that the platform had. */
LLMGR_MUST_CHECK llmgr_status lm_sync_keys_write(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                                 const struct lm_sync_entry *entry,
                                                 int64_t platform_id, struct llmgr_error *err);

#endif
