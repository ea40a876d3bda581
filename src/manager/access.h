/* SPDX-License-Identifier: MIT */
/*
 * Which platforms a user may see or change, judged inside the transaction that acts. Rows are
 * looked up by (id, user): a foreign row and an absent one give the same answer.
 */
#ifndef LM_ACCESS_H
#define LM_ACCESS_H

#include "http/url.h"
#include "manager/manager.h"

enum lm_access {
    LM_ACCESS_SEE,    /* system platforms, and in custom mode one's own */
    LM_ACCESS_CHANGE, /* in custom mode one's own, for the operator those that calls have made */
    LM_ACCESS_KEYS,   /* as SEE, but the keys of system platforms that calls have made are the
                         operator's alone if the system user acts */
    LM_ACCESS_EXTEND  /* as CHANGE, and for the operator those of llmgr.yaml: to add models */
};

struct lm_platform_row {
    bool is_sys;
    bool in_file; /* a system platform that llmgr.yaml manages */
    bool is_made; /* a system platform that calls have made, and the operator acts */
    char name[LM_PLATFORM_NAME_MAX + 1]; /* for messages; cut if an old database has longer ones */
    char origin[LH_ORIGIN_SIZE];         /* empty: no address, or one that is none */
};

/*
 * ERR_NOT_FOUND: absent, foreign, or hidden by the mode. For LM_ACCESS_CHANGE also ERR_FORBIDDEN (a
 * system platform that llmgr.yaml manages, or that is the operator's) and ERR_MODE (not in custom
 * mode, whatever the id).
 */
LLMGR_MUST_CHECK llmgr_status lm_access_platform(const struct lm_manager *manager, struct ls_tx *tx,
                                                 struct lm_actor actor, int64_t platform_id,
                                                 enum lm_access access, struct lm_platform_row *row,
                                                 struct llmgr_error *err);

struct lm_model_at {
    int64_t platform_id;
    bool is_sys;
};
/* The same for a model, by its platform and by what manages the model. */
LLMGR_MUST_CHECK llmgr_status lm_access_model(const struct lm_manager *manager, struct ls_tx *tx,
                                              struct lm_actor actor, int64_t model_id,
                                              enum lm_access access, struct lm_model_at *at,
                                              struct llmgr_error *err);

/* A key is stored for a platform that has no address. */
llmgr_status lm_fail_no_address(const struct lm_platform_row *row, struct llmgr_error *err);

/* May this user have private platforms at all? ERR_MODE says why not. */
LLMGR_MUST_CHECK llmgr_status lm_access_create(const struct lm_manager *manager, struct lb_str user,
                                               struct llmgr_error *err);

/*
 * The user who really acts, checked: *user is replaced by the effective user. First line of each
 * operation.
 */
LLMGR_MUST_CHECK llmgr_status lm_access_user(const struct lm_manager *manager, struct lb_str *user,
                                             struct llmgr_error *err);
/* May he make system platforms? ERR_FORBIDDEN. */
LLMGR_MUST_CHECK llmgr_status lm_access_operator(struct lm_actor actor, struct llmgr_error *err);

/* Is a key of this user's stored for a platform, or for one of his own its key? */
LLMGR_MUST_CHECK llmgr_status lm_access_has_key(struct lm_manager *manager, struct lb_str user,
                                                int64_t platform_id, bool *has,
                                                struct llmgr_error *err);

#endif
