/* SPDX-License-Identifier: MIT */
/*
 * Idempotency keys of POSTs: accounts/replays between a request and its operation. A failure that
 * changed nothing is not kept: the same key may try again. One after which nobody knows (the
 * database's connection broke) stays as under way, so that nothing is ever done twice.
 */
#ifndef LP_ONCE_H
#define LP_ONCE_H

#include "accounts/replays.h"
#include "management/operation.h"

struct lp_once {
    struct lw_answer_key key;
    struct lw_answer answer;
    bool replayed; /* the answer stands in call->out already */
};

/* ERR_CONFLICT: under way elsewhere; ERR_INVALID (422): used for another request. */
LLMGR_MUST_CHECK llmgr_status lp_once_begin(struct lp_api *api, struct lb_str name,
                                            struct lp_once *once, struct llmgr_error *err);
/* After the operation, with its status; its answer stands in call->out. */
void lp_once_end(struct lp_api *api, struct lp_once *once, llmgr_status status);

#endif
