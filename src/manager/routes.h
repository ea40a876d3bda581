/* SPDX-License-Identifier: MIT */
/*
 * Routes: named lists of targets. A user has own ones, the operator those that are everybody's:
 * from llmgr.yaml (managed "file") or made by calls (managed "database"). What llmgr.h says of them
 * is done here; who reads them is resolve.
 */
#ifndef LM_ROUTES_H
#define LM_ROUTES_H

#include "base/arena.h"
#include "base/str.h"
#include "manager/catalogue.h"
#include "manager/manager.h"

struct lm_route_row;
struct lm_sync_plan;
struct ls_tx;

/* What a route shall be, or what is to change of it: .p NULL, -1, NULL: not given. */
struct lm_route_spec {
    struct lb_str name;
    struct lb_str display_name; /* empty, but not NULL: none */
    int pick;
    int sticky;
    int on_exhausted;
    int64_t attempts;
    int64_t deadline_ms;
    const struct llmgr_route_target *targets;
    size_t target_count;
};

/*
 * Judges what is given: ERR_INVALID or ERR_TOO_LARGE names the member. `targets` receives them as
 * they are stored, in `arena`; NULL if none are given.
 */
LLMGR_MUST_CHECK llmgr_status lm_rule_route(const struct lm_route_spec *spec,
                                            struct lb_arena *arena,
                                            struct lm_route_target **targets,
                                            struct llmgr_error *err);
/*
 * The words of a route's policy, as people write them, to their numbers; of one that is NULL the
 * number stays. ERR_INVALID names those there are.
 */
LLMGR_MUST_CHECK llmgr_status lm_rule_words(const char *pick, int *pick_number, const char *sticky,
                                            int *sticky_number, const char *exhausted,
                                            int *exhausted_number, struct llmgr_error *err);
/* The number of the operator's route of that name, or of the user's own; 0: there is none. */
LLMGR_MUST_CHECK llmgr_status lm_route_by_name(struct ls_tx *tx, bool is_sys, struct lb_str user,
                                               struct lb_str name, int64_t *id,
                                               struct llmgr_error *err);

/* See llmgr_route_add, …_update and …_delete. */
LLMGR_MUST_CHECK llmgr_status lm_route_add(struct lm_manager *manager, struct lm_actor actor,
                                           bool is_sys, const struct lm_route_spec *spec,
                                           int64_t *id, struct llmgr_error *err);
/* `spec` or `hide` may be NULL, not both. */
LLMGR_MUST_CHECK llmgr_status lm_route_change(struct lm_manager *manager, struct lm_actor actor,
                                              int64_t id, const struct lm_route_spec *spec,
                                              const bool *hide, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_route_delete(struct lm_manager *manager, struct lm_actor actor,
                                              int64_t id, struct llmgr_error *err);

/* The rows, once all is judged; `targets` is the column. */
LLMGR_MUST_CHECK llmgr_status lm_route_insert(struct ls_tx *tx, const struct lm_route_spec *spec,
                                              bool is_sys, struct lb_str owner, const char *managed,
                                              struct lb_str targets, int64_t *id,
                                              struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_route_update(struct ls_tx *tx, int64_t id,
                                              const struct lm_route_spec *spec,
                                              struct lb_str targets, struct llmgr_error *err);

/* ---- The operator's, as lm_sync writes them -------------------------------------------------- */

/* Reads the rows into `arena`, and finds for each entry its row. May be repeated. ERR_CONFIG. */
LLMGR_MUST_CHECK llmgr_status lm_routes_compare(struct lm_sync_plan *plan, struct ls_tx *tx,
                                                struct lb_arena *arena, struct llmgr_error *err);
/* Is it a row of the file that no entry names any more? */
bool lm_route_is_gone(const struct lm_route_row *row);
bool lm_routes_differ(const struct lm_sync_plan *plan);
LLMGR_MUST_CHECK llmgr_status lm_routes_write(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                              struct llmgr_error *err);

#endif
