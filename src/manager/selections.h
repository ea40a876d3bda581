/* SPDX-License-Identifier: MIT */
/* What a user chose per slot. Reading it goes through resolve, which repairs it. */
#ifndef LM_SELECTIONS_H
#define LM_SELECTIONS_H

#include "manager/manager.h"

LLMGR_MUST_CHECK llmgr_status lm_selection_save(struct lm_manager *manager, struct lb_str user,
                                                struct lb_str slot, int64_t platform_id,
                                                int64_t model_id, struct llmgr_error *err);
/* ERR_NOT_FOUND if neither the user nor the operator has a route of that name. */
LLMGR_MUST_CHECK llmgr_status lm_selection_save_route(struct lm_manager *manager,
                                                      struct lb_str user, struct lb_str slot,
                                                      struct lb_str route, struct llmgr_error *err);
/* Names of the slots with a stored choice, in `arena`. */
LLMGR_MUST_CHECK llmgr_status lm_selection_slots(struct lm_manager *manager, struct lb_str user,
                                                 struct lb_arena *arena, struct lb_str **slots,
                                                 size_t *count, struct llmgr_error *err);

#endif
