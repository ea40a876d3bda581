/* SPDX-License-Identifier: MIT */
/*
 * Names and addresses that a platform may not have since another has them: those of system
 * platforms nobody's, and within one user's own none twice.
 */
#ifndef LM_TAKEN_H
#define LM_TAKEN_H

#include "http/url.h"
#include "manager/manager.h"

enum { LM_NORMAL_URL_MAX = 2 * LH_URL_MAX }; /* canonical addresses may be longer than as written */

/* What a platform would have; an empty name or address is not claimed. */
struct lm_claim {
    const struct lm_manager *manager;
    struct lb_str user;  /* whose platform it is */
    int64_t platform_id; /* 0: a new one */
    struct lb_str name;
    struct lb_str normal; /* the address as it is compared */
    bool is_sys;          /* it is a system platform: users' own ones do not stand against it */
};

/* ERR_CONFLICT says whose it is. *own_count (may be NULL): the user's own platforms. */
LLMGR_MUST_CHECK llmgr_status lm_taken(const struct lm_claim *claim, struct ls_tx *tx,
                                       size_t *own_count, struct llmgr_error *err);

#endif
