/* SPDX-License-Identifier: MIT */
/*
 * Makes the system platforms those of the configuration. Rows are matched to entries by name and
 * address together, then by address, then by name; models by display name, then by model name;
 * what is matched keeps its id, and with it users' keys, hides and selections.
 *
 * What was made by calls is not the file's (sync_made.c).
 *
 * A user's own platform may bear the name or the address of a system platform that came later: it
 * keeps working beside it, only new ones may not be made so.
 */
#ifndef LM_SYNC_H
#define LM_SYNC_H

#include "manager/defaults.h"
#include "manager/manager.h"

/*
 * One transaction; without a difference nothing is written, not even a revision. Changes come in
 * the order of the configuration, removals of platforms first; `detail` lists what changed of the
 * object, separated by ", ": name, base_url, protocol, api_key, api_keys, key_env, position (moved
 * among its siblings), model_name, display_name, extra_body, kind, native_paths, headers; NULL for
 * additions and removals. Defaults without a list (has_platforms false) change nothing. ERR_CONFIG:
 * two entries with one address, an address or key that cannot be one.
 */
LLMGR_MUST_CHECK llmgr_status lm_sync(struct lm_manager *manager,
                                      const struct lm_defaults *defaults, bool dry_run,
                                      struct lb_arena *arena, struct llmgr_change **changes,
                                      size_t *count, struct llmgr_error *err);
/*
 * By a digest of names, addresses, models, and what is said of keys, that the last sync left; the
 * keys themselves are not compared.
 */
LLMGR_MUST_CHECK llmgr_status lm_sync_check(struct lm_manager *manager,
                                            const struct lm_defaults *defaults,
                                            llmgr_sync_state *state, struct llmgr_error *err);

#endif
