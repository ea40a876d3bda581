/* SPDX-License-Identifier: MIT */
/*
 * A request that we answer ourselves, as its handler sees it: who asks what, and where the answer
 * goes. A LOOP handler runs on the worker's loop and must not block; a WORK handler runs on the
 * thread pool with the request to itself. Either way it fills status and body and returns; the
 * gateway writes the head (x-request-id, CORS, date, length), the access log and the metrics.
 */
#ifndef LP_CALL_H
#define LP_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "gateway/route.h"

struct llmgr;
struct lg_server;
struct lg_worker;

enum lp_caller_kind {
    LP_CALLER_NONE,   /* PUBLIC routes, before or without a token */
    LP_CALLER_SINGLE, /* no token needed: single mode on loopback. May do everything */
    LP_CALLER_USER,
    LP_CALLER_APP, /* acts as the user it names */
    LP_CALLER_ADMIN
};

struct lp_caller {
    enum lp_caller_kind kind;
    int64_t token_id;   /* 0: none */
    struct lb_str user; /* who acts, NUL-terminated; an administrator may name one as well */
};

static inline bool lp_caller_is_admin(const struct lp_caller *caller)
{
    return caller->kind == LP_CALLER_ADMIN || caller->kind == LP_CALLER_SINGLE;
}

enum { LP_ANSWER_FIELDS = 8, LP_ANSWER_MAX = 64 << 20 };

struct lp_call {
    /* What is asked. */
    struct lg_server *server;
    struct lg_worker *worker; /* LOOP handlers only */
    struct llmgr *manager;
    struct lb_arena *arena; /* the request's; the handler's alone while it runs */
    const struct lg_route *route;
    const struct lh_head *head; /* fields, query; valid while the handler runs */
    const struct lb_str *params;
    size_t param_count;
    const struct lp_caller *caller;
    struct lb_str body; /* whole; NUL-terminated */
    struct lb_str request_id;
    bool anthropic; /* the caller speaks Anthropic's dialect (anthropic-version) */

    /* The answer. */
    int status;                               /* HTTP; 0 until set: becomes 200 */
    struct lb_str type;                       /* content type; empty: application/json */
    struct lb_str allow;                      /* with 405 */
    struct lh_field fields[LP_ANSWER_FIELDS]; /* further fields; slices static or in the arena */
    size_t field_count;
    struct lb_buf out; /* the body, capped at LP_ANSWER_MAX */
};

/* The value of a query parameter, decoded into the arena; false if it is not there. */
bool lp_call_query(const struct lp_call *call, const char *name, struct lb_str *value);

#endif
