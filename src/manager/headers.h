/* SPDX-License-Identifier: MIT */
/*
 * Header fields with values of their own (config/fixed_headers.h): of private platforms, as their
 * owners set them, of system platforms that calls made, as the operator does, and what sync shares.
 * Values are sealed like keys, bound to row and origin.
 */
#ifndef LM_HEADERS_H
#define LM_HEADERS_H

#include "manager/manager.h"

struct ls_tx;

/* ERR_INVALID names the field; it never shows a value. */
LLMGR_MUST_CHECK llmgr_status lm_rule_header(struct lb_str name, struct lb_str value,
                                             struct llmgr_error *err);

/* See llmgr_platform_set_header; an empty value removes the field. */
LLMGR_MUST_CHECK llmgr_status lm_platform_set_header(struct lm_manager *manager,
                                                     struct lm_actor actor, int64_t platform_id,
                                                     struct lb_str name, struct lb_str value,
                                                     struct llmgr_error *err);

/* Whose row, which platform, and its origin. */
struct lm_headers_place {
    struct lb_str owner;
    int64_t platform_id;
    struct lb_str origin;
};
/* Seals the lines and stores them with their names; no lines: none are stored any more. */
LLMGR_MUST_CHECK llmgr_status lm_headers_store(struct lm_manager *manager, struct ls_tx *tx,
                                               const struct lm_headers_place *place,
                                               struct lb_str lines, struct llmgr_error *err);

#endif
