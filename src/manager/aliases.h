/* SPDX-License-Identifier: MIT */
/*
 * Aliases as they are kept: the operator's come from llmgr.yaml with a sync, a user's own are set
 * and deleted here. Which one a name asks for is the resolver's (resolve/alias.h).
 */
#ifndef LM_ALIASES_H
#define LM_ALIASES_H

#include "manager/catalogue.h"
#include "manager/manager.h"

struct lm_sync_plan;

/* A name with at most one '*', and a name that is not the same. ERR_INVALID says what is wrong. */
LLMGR_MUST_CHECK llmgr_status lm_rule_alias(struct lb_str name, struct lb_str target,
                                            struct llmgr_error *err);

/* Makes one of the user's own aliases, or changes what it stands for. */
LLMGR_MUST_CHECK llmgr_status lm_alias_set(struct lm_manager *manager, struct lb_str user,
                                           struct lb_str name, struct lb_str target,
                                           struct llmgr_error *err);
/* ERR_NOT_FOUND if the user has no such alias, ERR_FORBIDDEN if it is the operator's. */
LLMGR_MUST_CHECK llmgr_status lm_alias_delete(struct lm_manager *manager, struct lb_str user,
                                              struct lb_str name, struct llmgr_error *err);

/* ---- The operator's, in a sync (sync_plan.h) ------------------------------------------------- */

/* Reads the operator's aliases into `arena` and pairs them with those of the file. */
LLMGR_MUST_CHECK llmgr_status lm_aliases_compare(struct lm_sync_plan *plan, struct ls_tx *tx,
                                                 struct lb_arena *arena, struct llmgr_error *err);
bool lm_aliases_differ(const struct lm_sync_plan *plan);
LLMGR_MUST_CHECK llmgr_status lm_aliases_write(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                               struct llmgr_error *err);

#endif
