/* SPDX-License-Identifier: MIT */
/* What a name, an address, a key, an extra_body or a kind must look like before it is stored. Pure.
 */
#ifndef LM_RULES_H
#define LM_RULES_H

#include "base/buf.h"
#include "base/host.h"
#include "base/str.h"
#include "http/url.h"
#include "manager/manager.h"

enum lm_name_kind {
    LM_NAME_PLATFORM,
    LM_NAME_MODEL,
    LM_NAME_DISPLAY,
    LM_NAME_SLOT,
    LM_NAME_ALIAS,
    LM_NAME_TARGET,
    LM_NAME_ROUTE,
    LM_NAME_ROUTE_TARGET
};

enum { LM_EXTRA_BODY_DEPTH_MAX = 64 }; /* nested objects and arrays, the outermost included */

/*
 * 1 byte to the kind's ceiling of UTF-8, no control characters, no blank at either end, and in the
 * name of a slot or route no '/'.
 */
LLMGR_MUST_CHECK llmgr_status lm_rule_name(struct lb_str name, enum lm_name_kind kind,
                                           struct llmgr_error *err);

/* A base URL, to which the paths of endpoints are added: ERR_INVALID if it names one itself. */
LLMGR_MUST_CHECK llmgr_status lm_rule_base_url(struct lb_str text, struct lh_url *url,
                                               struct llmgr_error *err);

/*
 * The address of a private platform: a URL (ERR_INVALID) that the egress policy lets a user store
 * (ERR_ADDRESS). A literal address is judged in full, a name by its form only.
 */
LLMGR_MUST_CHECK llmgr_status lm_rule_private_url(const struct ln_policy *policy,
                                                  struct lb_str text, struct lh_url *url,
                                                  struct llmgr_error *err);
/*
 * That of a system platform. The operator's word goes anywhere; ERR_ADDRESS refuses only spellings
 * that nothing would dial. `policy` may be NULL.
 */
LLMGR_MUST_CHECK llmgr_status lm_rule_system_url(const struct ln_policy *policy, struct lb_str text,
                                                 struct lh_url *url, struct llmgr_error *err);

/*
 * Appends `text` without the blanks between its tokens; everything else stays as it was written,
 * so that no number loses a digit. Nothing is appended for an empty text or an empty object, which
 * both mean "none". Refused: anything but one JSON object, repeated members, deep nesting, more
 * than LM_EXTRA_BODY_MAX bytes, and the members `model`, `messages` and `stream` - they would
 * change which model is asked, what, and how its answer is read and accounted for.
 */
LLMGR_MUST_CHECK llmgr_status lm_rule_extra_body(struct lb_str text, struct lb_buf *out,
                                                 struct llmgr_error *err);

/* A number of LLMGR_MODEL_KIND_MAP. */
LLMGR_MUST_CHECK llmgr_status lm_rule_model_kind(llmgr_model_kind kind, struct llmgr_error *err);
/* As it stands in the database: empty for UNKNOWN. A name that a later release wrote is UNKNOWN. */
struct lb_str lm_model_kind_text(llmgr_model_kind kind);
llmgr_model_kind lm_model_kind_of(struct lb_str text);

/* `tokens` of a context or an answer, 0 to LLMGR_MODEL_TOKENS_MAX; `what` is the member's name. */
LLMGR_MUST_CHECK llmgr_status lm_rule_model_tokens(int64_t tokens, const char *what,
                                                   struct llmgr_error *err);
/* As the database has it; what no release writes is 0: not known. */
uint32_t lm_model_tokens_of(int64_t column);

/* Do two texts of extra_body (empty: none) say the same? The order of members does not matter. */
bool lm_extra_body_equal(struct lb_str a, struct lb_str b);

#endif
