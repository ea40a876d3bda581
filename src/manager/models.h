/* SPDX-License-Identifier: MIT */
/* Models of private platforms, and hiding of any. See platforms.h. */
#ifndef LM_MODELS_H
#define LM_MODELS_H

#include "manager/manager.h"

struct lr_allowed;

/* The seed's flat list. */
LLMGR_MUST_CHECK llmgr_status lr_models(struct lm_manager *manager, struct lb_str user,
                                        const struct lr_allowed *allowed, struct lb_arena *arena,
                                        struct llmgr_model **items, size_t *count,
                                        struct llmgr_error *err);

/* As struct llmgr_model_spec; what is not given has .p NULL, or is LLMGR_UNSET. */
struct lm_model_spec {
    struct lb_str model_name;
    struct lb_str display_name;
    struct lb_str extra_body;
    int kind;
    int64_t context_tokens;
    int64_t max_output_tokens;
};
/* Nothing is given. */
struct lm_model_spec lm_model_spec_of_nothing(void);

LLMGR_MUST_CHECK llmgr_status lm_model_add(struct lm_manager *manager, struct lm_actor actor,
                                           int64_t platform_id, const struct lm_model_spec *spec,
                                           int64_t *model_id, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_model_update(struct lm_manager *manager, struct lm_actor actor,
                                              int64_t model_id, const struct lm_model_spec *spec,
                                              struct llmgr_error *err);
/* Update (what is given) and hide (unless `hide` is NULL) in one: all or nothing. */
LLMGR_MUST_CHECK llmgr_status lm_model_edit(struct lm_manager *manager, struct lm_actor actor,
                                            int64_t model_id, const struct lm_model_spec *spec,
                                            const bool *hide, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_model_delete(struct lm_manager *manager, struct lm_actor actor,
                                              int64_t model_id, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_model_hide(struct lm_manager *manager, struct lb_str user,
                                            int64_t model_id, bool hide, struct llmgr_error *err);

/* When the models a user may see were made. */
struct lm_model_time {
    int64_t model_id;
    int64_t created_at; /* seconds since 1970 */
};
/* By ascending id, in `arena`. */
LLMGR_MUST_CHECK llmgr_status lr_model_times(struct lm_manager *manager, struct lb_str user,
                                             struct lb_arena *arena, struct lm_model_time **items,
                                             size_t *count, struct llmgr_error *err);

#endif
