/* SPDX-License-Identifier: MIT */
/*
 * Platforms, models, own keys and selections: what users (and, for their own rows, nobody else)
 * may change. Each function's errors stand in llmgr.h at the public function of the same name.
 * Users are effective users. Lists' strings live in `arena`.
 */
#ifndef LM_PLATFORMS_H
#define LM_PLATFORMS_H

#include "manager/manager.h"
#include "manager/platform_rules.h"

struct lr_allowed;

LLMGR_MUST_CHECK llmgr_status lr_platforms(struct lm_manager *manager, struct lb_str user,
                                           const struct lr_allowed *allowed, struct lb_arena *arena,
                                           struct llmgr_platform **items, size_t *count,
                                           struct llmgr_error *err);
/* `api_key` may be empty. */
LLMGR_MUST_CHECK llmgr_status lm_platform_add(struct lm_manager *manager, struct lb_str user,
                                              struct lb_str name, struct lb_str base_url,
                                              struct lb_str api_key, int64_t *platform_id,
                                              struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_platform_rename(struct lm_manager *manager, struct lm_actor actor,
                                                 int64_t platform_id, struct lb_str name,
                                                 struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_platform_set_url(struct lm_manager *manager, struct lm_actor actor,
                                                  int64_t platform_id, struct lb_str base_url,
                                                  struct lb_str api_key, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_platform_delete(struct lm_manager *manager, struct lm_actor actor,
                                                 int64_t platform_id, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_platform_hide(struct lm_manager *manager, struct lb_str user,
                                               int64_t platform_id, bool hide,
                                               struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_platform_set_key(struct lm_manager *manager, struct lm_actor actor,
                                                  int64_t platform_id, struct lb_str api_key,
                                                  struct llmgr_error *err);
/* What is to change; .p NULL or hide NULL leaves it. An api_key only beside a base_url. */
struct lm_platform_edit {
    struct lb_str name;
    struct lb_str base_url;
    struct lb_str api_key;
    struct lm_platform_words words; /* system platforms only */
    const bool *hide;
    bool ask_usage; /* forget that it rejects stream_options */
};
/* See llmgr_platform_add_system: name and base_url are given, hide and ask_usage are not looked at.
 */
LLMGR_MUST_CHECK llmgr_status lm_system_platform_add(struct lm_manager *manager,
                                                     struct lm_actor actor,
                                                     const struct lm_platform_edit *wanted,
                                                     int64_t *platform_id, struct llmgr_error *err);
/* Rename, move, hide and forget in one: all or nothing. Errors as of each. */
LLMGR_MUST_CHECK llmgr_status lm_platform_edit(struct lm_manager *manager, struct lm_actor actor,
                                               int64_t platform_id,
                                               const struct lm_platform_edit *edit,
                                               struct llmgr_error *err);
/*
 * The platform itself said that it does not know stream_options, and answered the same request
 * without: remembered for a day, for everyone who uses it.
 */
LLMGR_MUST_CHECK llmgr_status lm_platform_learn_no_stream_options(struct lm_manager *manager,
                                                                  int64_t platform_id,
                                                                  struct llmgr_error *err);
/* See llmgr_platform_ask_usage. */
LLMGR_MUST_CHECK llmgr_status lm_platform_ask_usage(struct lm_manager *manager,
                                                    struct lm_actor actor, int64_t platform_id,
                                                    struct llmgr_error *err);

#endif
