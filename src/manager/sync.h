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

struct ls_tx;

/* What lm_sync_also found. */
struct lm_sync_more {
    bool is_needed;
    struct llmgr_change *changes; /* to be told behind the others */
    size_t count;
};

/*
 * What else is carried out in a sync's transactions, and names platforms by their numbers. `ids`
 * are those of the defaults' platforms, in their order; 0: it is not there yet.
 */
struct lm_sync_also {
    /* Judges and compares; in the transaction that writes once more. What is told is in `arena`. */
    llmgr_status (*look)(void *context, struct ls_tx *tx, const int64_t *ids,
                         struct lb_arena *arena, struct lm_sync_more *more,
                         struct llmgr_error *err);
    /* If it is needed, behind the platforms, which are all there now. */
    llmgr_status (*write)(void *context, struct ls_tx *tx, const int64_t *ids,
                          struct llmgr_error *err);
    void *context;
};

/*
 * One transaction, for what `also` (may be NULL) has to do as well; without a difference nothing is
 * written, not even a revision. Changes come in the order of the configuration, removals of
 * platforms first; `detail` lists what changed of the object, separated by ", ": name, base_url,
 * protocol, api_key, api_keys, key_env, position (moved among its siblings), model_name,
 * display_name, extra_body, kind, native_paths, headers; NULL for additions and removals. Defaults
 * without a list (has_platforms false) change nothing. ERR_CONFIG: two entries with one address, an
 * address or key that cannot be one.
 */
LLMGR_MUST_CHECK llmgr_status lm_sync(struct lm_manager *manager,
                                      const struct lm_defaults *defaults, bool dry_run,
                                      const struct lm_sync_also *also, struct lb_arena *arena,
                                      struct llmgr_change **changes, size_t *count,
                                      struct llmgr_error *err);
/*
 * By a digest of names, addresses, models, and what is said of keys, that the last sync left; the
 * keys themselves are not compared.
 */
LLMGR_MUST_CHECK llmgr_status lm_sync_check(struct lm_manager *manager,
                                            const struct lm_defaults *defaults,
                                            llmgr_sync_state *state, struct llmgr_error *err);

#endif
