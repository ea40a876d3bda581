/* SPDX-License-Identifier: MIT */
/*
 * Which path is what: one table, routes.def. Pure: bytes in, row out.
 *
 * Before the look-up a path is normalised: runs of '/' become one, a trailing '/' goes, "/v1/v1/"
 * counts as "/v1/", and what has neither /v1 nor a route of its own is tried as if it stood under
 * /v1. A path under /v1 that no row names is relayed natively.
 */
#ifndef LY_ROUTE_H
#define LY_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "http/head.h"

struct lp_call;

enum ly_scope {
    LY_SCOPE_PUBLIC, /* no token is looked for */
    LY_SCOPE_USER,   /* any token; acts as the token's user */
    LY_SCOPE_ADMIN,  /* an administrator's token */
};

/* What is answered on a worker's loop, by whoever serves the routes. */
enum ly_loop {
#define LY_LOOP_RELAY(target)
#define LY_LOOP_LOOP(target) LY_LOOP_##target,
#define LY_LOOP_WORK(target)
#define LY_LOOP_OPERATION(target)
#define LY_ROUTE(method, path, kind, scope, target, ...) LY_LOOP_##kind(target)
#include "paths/routes.def"
#undef LY_ROUTE
#undef LY_LOOP_RELAY
#undef LY_LOOP_LOOP
#undef LY_LOOP_WORK
#undef LY_LOOP_OPERATION
    LY_LOOP_COUNT
};

enum ly_route_kind {
    LY_ROUTE_RELAY,    /* goes to a platform */
    LY_ROUTE_LOOP,     /* answered at once, on the worker's loop: never blocks, no SQL */
    LY_ROUTE_WORK,     /* answered by a function on the thread pool, which may block */
    LY_ROUTE_OPERATION /* the same, of the management API */
};

typedef void (*ly_handler_fn)(struct lp_call *call);

struct ly_route {
    enum lh_method method;
    const char *path; /* "/api/platforms/{id}"; the last {name...} takes the rest with slashes */
    enum ly_route_kind kind;
    enum ly_scope scope;
    unsigned endpoint;     /* RELAY: enum ld_endpoint_id */
    enum ly_loop answer;   /* LOOP */
    ly_handler_fn handler; /* WORK, OPERATION */
    const char *tag;       /* of the OpenAPI document; NULL: not in it */
    const char *operation; /* operationId */
    const char *summary;
};

enum { LY_PARAMS_MAX = 4, LY_ROUTE_PATH_MAX = 2048 };

struct ly_match {
    const struct ly_route *route;
    struct lb_str path; /* normalised, with /v1; in the arena or part of the original */
    struct lb_str rest; /* NATIVE: the upstream path, "/images/generations" */
    struct lb_str params[LY_PARAMS_MAX]; /* of {name}s in order, percent-decoded */
    size_t param_count;
    unsigned allowed; /* if the path is there but not with this method: bits 1 << enum lh_method */
};

/* All rows. */
const struct ly_route *ly_routes(size_t *count);
/* ERR_NOT_FOUND (no such path, or not with this method: `allowed`), ERR_INVALID (bad escape). */
LLMGR_MUST_CHECK llmgr_status ly_route_match(enum lh_method method, struct lb_str path,
                                             struct lb_arena *arena, struct ly_match *match,
                                             struct llmgr_error *err);

#endif
