/* SPDX-License-Identifier: MIT */
/*
 * Routes, as whoever tries one target after the other sees them. Who only wants a target asks
 * lr_view_resolve or lr_resolve, which answer a route with its first target that has a usable key.
 *
 *     lr_view_route     which route does this request name, if any?
 *     lr_view_resolve   with .route_id and .route_target: that target of it, with its key
 */
#ifndef LR_ROUTE_H
#define LR_ROUTE_H

#include "manager/catalogue.h"
#include "resolve/resolve.h"

/*
 * The route that a request asks for: by its number, by its name in `model`, by a slot whose choice
 * it is, or by an alias of either; *route is NULL if it asks for none. It lies in the catalogue or
 * in the user's profile, and holds until the view is refreshed or given a profile; its number
 * holds for ever. MISS as of lr_view_resolve. A request that names a model costs a look at
 * the names of the user's slots and routes, and one into the index of the operator's.
 */
LLMGR_MUST_CHECK llmgr_status lr_view_route(struct lr_view *view, const struct lr_request *request,
                                            const struct lm_route **route,
                                            enum lr_view_result *result, struct llmgr_error *err);
/* A platform's keys, behind a model that is named itself: one target, and no deadline. */
extern const struct lm_route LR_POOL;

/*
 * For callers without a view: the user's or the operator's route of that number as it is now, its
 * name in `arena`, and if it picks by weight its targets with nothing but their weights.
 * ERR_NOT_FOUND, ERR_DATABASE….
 */
LLMGR_MUST_CHECK llmgr_status lr_route_now(struct lm_manager *manager, struct lb_str user,
                                           int64_t route_id, struct lb_arena *arena,
                                           struct lm_route *route, struct llmgr_error *err);
/* Fills the routes that a user sees, own ones first; strings in `arena`. See llmgr_routes. */
LLMGR_MUST_CHECK llmgr_status lr_routes(struct lm_manager *manager, struct lb_str user,
                                        const struct lr_allowed *allowed, struct lb_arena *arena,
                                        struct llmgr_route **items, size_t *count,
                                        struct llmgr_error *err);

#endif
