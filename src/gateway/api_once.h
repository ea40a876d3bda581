/* SPDX-License-Identifier: MIT */
/*
 * Idempotency keys of POSTs: manager/answers between a request and its operation. A failure that
 * changed nothing is not kept: the same key may try again. One after which nobody knows (the
 * database's connection broke) stays as under way, so that nothing is ever done twice.
 */
#ifndef LG_API_ONCE_H
#define LG_API_ONCE_H

#include "gateway/api.h"
#include "manager/answers.h"

struct lg_once {
    struct lm_answer_key key;
    struct lm_answer answer;
    bool replayed; /* the answer stands in call->out already */
};

/* ERR_CONFLICT: under way elsewhere; ERR_INVALID (422): used for another request. */
LLMGR_MUST_CHECK llmgr_status lg_once_begin(struct lg_api *api, struct lb_str name,
                                            struct lg_once *once, struct llmgr_error *err);
/* After the operation, with its status; its answer stands in call->out. */
void lg_once_end(struct lg_api *api, struct lg_once *once, llmgr_status status);

#endif
