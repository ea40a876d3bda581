/* SPDX-License-Identifier: MIT */
/*
 * Which path is what: one table, routes.def. Pure: bytes in, row out.
 *
 * Before the look-up a path is normalised: runs of '/' become one, a trailing '/' goes, "/v1/v1/"
 * counts as "/v1/", and what has neither /v1 nor a route of its own is tried as if it stood under
 * /v1. A path under /v1 that no row names is relayed natively.
 */
#ifndef LG_ROUTE_H
#define LG_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "http/head.h"

struct lg_shared;
struct lp_call;

enum lg_scope {
    LG_SCOPE_PUBLIC, /* no token is looked for */
    LG_SCOPE_USER,   /* any token; acts as the token's user */
    LG_SCOPE_ADMIN,  /* an administrator's token */
};

enum lg_route_kind {
    LG_ROUTE_RELAY,    /* goes to a platform */
    LG_ROUTE_LOOP,     /* answered at once, on the worker's loop: never blocks, no SQL */
    LG_ROUTE_WORK,     /* answered by a function on the thread pool, which may block */
    LG_ROUTE_OPERATION /* the same, of the management API */
};

typedef void (*lg_answer_fn)(const struct lg_shared *shared, struct lp_call *call);
typedef void (*lg_handler_fn)(struct lp_call *call);

struct lg_route {
    enum lh_method method;
    const char *path; /* "/api/platforms/{id}"; the last {name...} takes the rest with slashes */
    enum lg_route_kind kind;
    enum lg_scope scope;
    unsigned endpoint;     /* RELAY: enum ld_endpoint_id */
    lg_answer_fn answer;   /* LOOP */
    lg_handler_fn handler; /* WORK, OPERATION */
    const char *tag;       /* of the OpenAPI document; NULL: not in it */
    const char *operation; /* operationId */
    const char *summary;
};

enum { LG_PARAMS_MAX = 4, LG_ROUTE_PATH_MAX = 2048 };

struct lg_match {
    const struct lg_route *route;
    struct lb_str path; /* normalised, with /v1; in the arena or part of the original */
    struct lb_str rest; /* NATIVE: the upstream path, "/images/generations" */
    struct lb_str params[LG_PARAMS_MAX]; /* of {name}s in order, percent-decoded */
    size_t param_count;
    unsigned allowed; /* if the path is there but not with this method: bits 1 << enum lh_method */
};

/* All rows. */
const struct lg_route *lg_routes(size_t *count);
/* ERR_NOT_FOUND (no such path, or not with this method: `allowed`), ERR_INVALID (bad escape). */
LLMGR_MUST_CHECK llmgr_status lg_route_match(enum lh_method method, struct lb_str path,
                                             struct lb_arena *arena, struct lg_match *match,
                                             struct llmgr_error *err);

#endif
