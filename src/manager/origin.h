/* SPDX-License-Identifier: MIT */
/* What is decided about an address and a sealed key while rows are loaded. */
#ifndef LM_ORIGIN_H
#define LM_ORIGIN_H

#include "base/arena.h"
#include "base/str.h"
#include "manager/catalogue.h"
#include "manager/ring.h"

/* "scheme://host:port" of a base URL, in `arena`; empty if it is none. False: memory is short. */
bool lm_origin(struct lb_arena *arena, struct lb_str base_url, struct lb_str *origin);

/*
 * Can the record be used as a key? It is opened and wiped at once. A record that does not open, or
 * holds a placeholder, is LM_KEY_UNREADABLE and no error; a database that fails is one.
 */
LLMGR_MUST_CHECK llmgr_status lm_key_judge(struct lm_manager *manager,
                                           const struct lm_key_place *place, struct lb_str record,
                                           enum lm_key_state *state, struct llmgr_error *err);

#endif
