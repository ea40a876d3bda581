/* SPDX-License-Identifier: MIT */
/*
 * A request that we answer ourselves, as its handler sees it: who asks what, and where the answer
 * goes. The handler fills status and body and returns; the gateway writes the head (x-request-id,
 * CORS, date, length), the access log and the metrics. Whether a handler may block is said where
 * its route is declared: the operations of /api have a thread of the pool to themselves.
 */
#ifndef LP_CALL_H
#define LP_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "accounts/limits.h"
#include "base/arena.h"
#include "base/buf.h"
#include "http/head.h"
#include "llmgr.h"

struct llmgr;
struct lo_health;

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
    const struct lw_limits *limits; /* of its token; NULL: nothing narrows it */
};

static inline bool lp_caller_is_admin(const struct lp_caller *caller)
{
    return caller->kind == LP_CALLER_ADMIN || caller->kind == LP_CALLER_SINGLE;
}

/* What the caller may use of what the user sees; NULL: all of it. */
static inline const struct lr_allowed *lp_caller_allowed(const struct lp_caller *caller)
{
    const struct lw_limits *limits = caller->limits;

    return limits != NULL && !lr_allows_all(&limits->allowed) ? &limits->allowed : NULL;
}

/* The program's configuration file, for /api/sync: read anew for each call, from any thread. */
struct lp_config_hooks {
    llmgr_status (*sync)(void *context, bool dry_run, struct llmgr_sync_report *report,
                         struct llmgr_error *err);
    llmgr_status (*check)(void *context, llmgr_sync_state *state, struct llmgr_error *err);
    void *context;
};

enum { LP_ANSWER_FIELDS = 8, LP_ANSWER_MAX = 64 << 20 };

struct lp_call {
    /* What is asked. */
    struct llmgr *manager;
    const struct lp_config_hooks *config; /* NULL: there is no configuration file */
    struct lo_health *health;             /* the process's */
    struct lb_arena *arena;               /* the request's; the handler's alone while it runs */
    enum lh_method method;
    bool admin_only;            /* the route asks for an administrator */
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

#endif
