/* SPDX-License-Identifier: MIT */
/*
 * The frame of the management API. Each operation is one small function over the library's; what
 * they have in common is done here, in this order:
 *
 *   scope, forged browser requests    who may ask at all
 *   query, acting user                tables; ?user= for administrators
 *   body                              strict JSON against its schema
 *   idempotency key                   a request that was done is answered, not done
 *   the operation
 *   answer, or problem details        secrets of the request are wiped either way
 */
#ifndef LP_OPERATION_H
#define LP_OPERATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "management/call.h"
#include "management/schema.h"

struct lm_manager;

struct lp_api {
    struct lp_call *call;
    const struct lp_operation *operation;
    struct llmgr *manager;
    struct lm_manager *core; /* the same, below its public face */

    const char *user; /* who acts */
    bool is_admin;
    bool everybody;                      /* an administrator who named no user */
    struct lb_str query[LP_QUERY_COUNT]; /* NUL-terminated; .p NULL: not given */
    size_t limit;                        /* rows per page */
    json_t *body;                        /* checked; NULL: none */

    json_t *answer;       /* from the operation; NULL: nothing, or memory was short */
    bool is_written;      /* it is in call->out instead, of call->type */
    const char *next;     /* `after` of the next page; NULL: this is the last */
    const char *location; /* of what was made; NULL: nothing */
    int error_status;     /* HTTP, if another than that of the error; 0 */
};

typedef llmgr_status (*lp_api_fn)(struct lp_api *api, struct llmgr_error *err);

/* Runs one operation: the body of its handler. */
void lp_api_run(struct lp_call *call, const struct lp_operation *operation, lp_api_fn run);

/* Defines the handler of a target of operations.def. */
#define LP_API_HANDLER(target, function)                                                           \
    void lp_run_##target(struct lp_call *call)                                                     \
    {                                                                                              \
        lp_api_run(call, lp_operation(LP_OPERATION_##target), function);                           \
    }

/* ---- For the operations ---------------------------------------------------------------------- */

/* The i-th parameter of the path as an id; what can be none is not found. */
LLMGR_MUST_CHECK llmgr_status lp_api_id(const struct lp_api *api, size_t i, int64_t *id,
                                        struct llmgr_error *err);
/* The i-th parameter of the path. */
/* Who acts: an administrator who acts for nobody else may change what is the operator's. */
struct lm_actor lp_api_actor(const struct lp_api *api);
const char *lp_api_param(const struct lp_api *api, size_t i);
/* What who asks may use; NULL: all. */
static inline const struct lr_allowed *lp_api_allowed(const struct lp_api *api)
{
    return lp_caller_allowed(api->call->caller);
}
/* A member of the body; NULL if it is not there. */
const char *lp_api_text(const struct lp_api *api, const char *member);
int64_t lp_api_number(const struct lp_api *api, const char *member);
/* Into *count, and its address; NULL if it is not there. */
const int64_t *lp_api_count(const struct lp_api *api, const char *member, int64_t *count);
/* The number of a query parameter's choice; unchanged if there is none. ERR_INVALID names it. */
LLMGR_MUST_CHECK llmgr_status lp_api_query_choice(const struct lp_api *api, enum lp_query_id id,
                                                  int *chosen, struct llmgr_error *err);
/* The same of the choices false|true; without one it is false. */
LLMGR_MUST_CHECK llmgr_status lp_api_query_flag(const struct lp_api *api, enum lp_query_id id,
                                                bool *flag, struct llmgr_error *err);
/* Into *flag, and its address; NULL if it is not there. */
const bool *lp_api_flag(const struct lp_api *api, const char *member, bool *flag);

/* Takes over what the operation answers; NULL (memory was short) is the error. */
LLMGR_MUST_CHECK llmgr_status lp_api_answer(struct lp_api *api, json_t *answer,
                                            struct llmgr_error *err);

/* In place of a document: the operation has written call->out, whose content type is `type`. */
void lp_api_written(struct lp_api *api, struct lb_str type);

/* A part of a list that lies in memory as a whole. */
struct lp_range {
    size_t from;
    size_t to;
};
typedef int64_t (*lp_id_at_fn)(const void *items, size_t i);
/*
 * The page that `after` asks for, and `next` if there are more. The order is the list's own; a
 * page begins behind the last row of the one before, wherever that now stands, or, if it is gone,
 * where it stood.
 */
LLMGR_MUST_CHECK llmgr_status lp_api_range(struct lp_api *api, const void *items, size_t count,
                                           lp_id_at_fn id_at, struct lp_range *range,
                                           struct llmgr_error *err);
/* {data, has_more, next}; takes `data` over. */
LLMGR_MUST_CHECK llmgr_status lp_api_page(struct lp_api *api, json_t *data,
                                          struct llmgr_error *err);

#endif
