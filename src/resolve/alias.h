/* SPDX-License-Identifier: MIT */
/*
 * Aliases: names that clients insist on ("claude-*", "gpt-4o") and the name each stands for: a slot
 * or a model, as a request gives them. They are asked when no slot and no model bears the name: an
 * exact one before patterns, of patterns the one with the most letters, and among equals the user's
 * own before the operator's. What an alias stands for is never an alias again. One that stands for
 * `fast` or `reason` finds what that slot does for a user who chose nothing for it: the slot main.
 */
#ifndef LR_ALIAS_H
#define LR_ALIAS_H

#include "manager/aliases.h"
#include "resolve/choose.h"

/* The alias that is asked for `name`; false: none. */
bool lr_alias_for(const struct lr_scene *scene, struct lb_str name, struct lm_alias *alias);

/* Own aliases, then the operator's, each by name; in `arena`. */
LLMGR_MUST_CHECK llmgr_status lr_aliases(struct lm_manager *manager, struct lb_str user,
                                         const struct lr_allowed *allowed, struct lb_arena *arena,
                                         struct llmgr_alias **items, size_t *count,
                                         struct llmgr_error *err);

#endif
