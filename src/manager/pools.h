/* SPDX-License-Identifier: MIT */
/*
 * A user's several keys for one platform. Errors stand in llmgr.h at the public functions. A key is
 * named as lists show it: by its fingerprint "key:1a2b3c4d", or by its place from 1.
 */
#ifndef LM_POOLS_H
#define LM_POOLS_H

#include "manager/manager.h"

/* The user's own keys; for the system user the server's follow. Texts live in `arena`. */
LLMGR_MUST_CHECK llmgr_status lm_pool_list(struct lm_manager *manager, struct lm_actor actor,
                                           int64_t platform_id, struct lb_arena *arena,
                                           struct llmgr_platform_key **items, size_t *count,
                                           struct llmgr_error *err);
/* Behind those that there are. *position (may be NULL) receives its place. */
LLMGR_MUST_CHECK llmgr_status lm_pool_add(struct lm_manager *manager, struct lm_actor actor,
                                          int64_t platform_id, struct lb_str api_key,
                                          int64_t weight, struct lb_str account, int64_t *position,
                                          struct llmgr_error *err);

/* What is to change; NULL leaves it. An empty account takes the label away. */
struct lm_pool_edit {
    const int64_t *position;
    const int64_t *weight;
    struct lb_str account;
};
LLMGR_MUST_CHECK llmgr_status lm_pool_change(struct lm_manager *manager, struct lm_actor actor,
                                             int64_t platform_id, struct lb_str key,
                                             const struct lm_pool_edit *edit, int64_t *position,
                                             struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_pool_delete(struct lm_manager *manager, struct lm_actor actor,
                                             int64_t platform_id, struct lb_str key,
                                             struct llmgr_error *err);

/*
 * The user with a key of his own for the platform, or the owner of a private one, of whom `is_his`
 * is true; *user, in `arena`, is empty if there is none. Reads all of them, in pages: not for a
 * request's way.
 */
LLMGR_MUST_CHECK llmgr_status lm_key_owner(struct lm_manager *manager, int64_t platform_id,
                                           bool (*is_his)(void *context, struct lb_str user),
                                           void *context, struct lb_arena *arena,
                                           struct lb_str *user, struct llmgr_error *err);

/* 1 to LK_WEIGHT_MAX; a label of 1 to LK_ACCOUNT_MAX bytes of UTF-8, or none. ERR_INVALID. */
LLMGR_MUST_CHECK llmgr_status lm_rule_pool_key(int64_t weight, struct lb_str account,
                                               struct llmgr_error *err);

#endif
