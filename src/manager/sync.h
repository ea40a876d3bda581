/* SPDX-License-Identifier: MIT */
/*
 * Makes the system platforms those of the configuration. Rows are matched to entries by name and
 * address together, then by address, then by name; models by display name and model name together,
 * then by display name, then by model name; what is matched keeps its id.
 */
#ifndef LM_SYNC_H
#define LM_SYNC_H

#include "manager/manager.h"

struct lc_platforms; /* config/file.h: the ordered list with placeholders already filled */

LLMGR_MUST_CHECK llmgr_status lm_sync(struct lm_manager *manager,
                                      const struct lc_platforms *platforms, bool dry_run,
                                      struct lb_arena *arena, struct llmgr_change **changes,
                                      size_t *count, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_sync_check(struct lm_manager *manager,
                                            const struct lc_platforms *platforms,
                                            llmgr_sync_state *state, struct llmgr_error *err);

#endif
