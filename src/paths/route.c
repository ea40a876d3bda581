/* SPDX-License-Identifier: MIT */
/*
 * Matching a path against routes.def. The table is small and its common rows stand first, so a
 * walk with a comparison of lengths is as fast as anything cleverer.
 */
#include "paths/route.h"

#include <string.h>

#include "base/error.h"
#include "dialect/endpoint.h"
#include "http/url.h"
#include "management/callable.h"
#include "management/operations.h"
#include "paths/openapi.h"

#define LY_TARGET_RELAY(target) .endpoint = LD_ENDPOINT_##target
#define LY_TARGET_LOOP(target) .answer = LY_LOOP_##target
#define LY_TARGET_WORK(target) .handler = target
#define LY_TARGET_OPERATION(target) .handler = lp_run_##target

static const struct ly_route ROUTES[] = {
#define LY_ROUTE(method_, path_, kind_, scope_, target, tag_, operation_, summary_)                \
    {.method = LH_METHOD_##method_,                                                                \
     .path = path_,                                                                                \
     .kind = LY_ROUTE_##kind_,                                                                     \
     .scope = LY_SCOPE_##scope_,                                                                   \
     LY_TARGET_##kind_(target),                                                                    \
     .tag = tag_,                                                                                  \
     .operation = operation_,                                                                      \
     .summary = summary_},
#include "paths/routes.def"
#undef LY_ROUTE
};

enum { ROUTE_COUNT = sizeof ROUTES / sizeof ROUTES[0] };

/* What stands under /v1 and in no row: any method, relayed as it is. */
static const struct ly_route NATIVE = {
    .method = LH_METHOD_OTHER,
    .path = "/v1/{path...}",
    .kind = LY_ROUTE_RELAY,
    .scope = LY_SCOPE_USER,
    .endpoint = LD_ENDPOINT_NATIVE,
};

const struct ly_route *ly_routes(size_t *count)
{
    *count = ROUTE_COUNT;
    return ROUTES;
}

/* ---- Normal form ----------------------------------------------------------------------------- */

static bool is_normal(struct lb_str path)
{
    for (size_t i = 1; i < path.size; i++) {
        if (path.p[i] == '/' && path.p[i - 1] == '/')
            return false;
    }
    return path.size == 1 || path.p[path.size - 1] != '/';
}

/* Runs of '/' become one, the last one goes. Works in place. */
static struct lb_str collapse(char *p, size_t size)
{
    size_t out = 0;

    for (size_t i = 0; i < size; i++) {
        if (p[i] != '/' || out == 0 || p[out - 1] != '/')
            p[out++] = p[i];
    }
    if (out > 1 && p[out - 1] == '/')
        out--;
    return lb_str(p, out);
}

/* The character at the front of `path`, an escape decoded; '/' for whatever ends a segment. */
static char next_char(struct lb_str *path)
{
    char c = path->p[0];
    size_t size = 1;

    if (c == '%' && path->size >= 3) {
        char high = path->p[1], low = lb_ascii_lower(path->p[2]);
        if (high == '2' && (low == 'e' || low == 'f')) {
            c = low == 'e' ? '.' : '/';
            size = 3;
        } else if (high == '5' && low == 'c') {
            c = '/';
            size = 3;
        }
    }
    *path = lb_str_sub(*path, size, path->size);
    return c == '\\' ? '/' : c;
}

/*
 * A "." or ".." segment, plain or escaped, would leave the base URL's path at the platform; so it
 * would behind an escaped slash at a platform that decodes before it looks.
 */
static bool has_dots(struct lb_str path)
{
    size_t dots = 0;
    bool only_dots = true;

    while (path.size > 0) {
        char c = next_char(&path);
        if (c == '/') {
            if (only_dots && (dots == 1 || dots == 2))
                return true;
            dots = 0;
            only_dots = true;
        } else {
            only_dots = only_dots && c == '.';
            dots++;
        }
    }
    return only_dots && (dots == 1 || dots == 2);
}

/* ---- One row --------------------------------------------------------------------------------- */

/* '+' stays: this is a path. */
static llmgr_status decode(struct lb_str in, struct lb_arena *arena, struct lb_str *out,
                           struct llmgr_error *err)
{
    char *to = lb_arena_bytes(arena, in.size + 1);
    size_t size = 0;

    if (to == NULL)
        return lb_fail_memory(err);
    if (!lh_percent_decode(in, to, &size))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the path holds an invalid escape"));
    to[size] = '\0';
    *out = lb_str(to, size);
    return LLMGR_OK;
}

/* Does the path fit the row's pattern? The raw parameters go to match->params. */
static bool fits(const char *pattern, struct lb_str path, struct ly_match *match)
{
    match->param_count = 0;
    for (;;) {
        const char *brace = strchr(pattern, '{');
        size_t fixed = brace != NULL ? (size_t)(brace - pattern) : strlen(pattern);
        if (path.size < fixed || memcmp(path.p, pattern, fixed) != 0)
            return false;
        path = lb_str_sub(path, fixed, path.size);
        if (brace == NULL)
            return path.size == 0;
        const char *end = strchr(brace, '}');
        bool rest = end - brace > 3 && memcmp(end - 3, "...", 3) == 0;
        size_t size = rest ? path.size : lb_str_find(path, '/');
        if (size == 0 || match->param_count == LY_PARAMS_MAX)
            return false;
        match->params[match->param_count++] = lb_str_sub(path, 0, size);
        path = lb_str_sub(path, size, path.size);
        pattern = end + 1;
    }
}

static const struct ly_route *find(enum lh_method method, struct lb_str path,
                                   struct ly_match *match)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!fits(ROUTES[i].path, path, match))
            continue;
        /* A HEAD is a GET whose body stays here. */
        if (ROUTES[i].method == method ||
            (method == LH_METHOD_HEAD && ROUTES[i].method == LH_METHOD_GET))
            return &ROUTES[i];
        match->allowed |= 1u << ROUTES[i].method;
    }
    return NULL;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static struct lb_str with_v1(struct lb_str path, struct lb_arena *arena)
{
    char *p = lb_arena_bytes(arena, path.size + 3);

    if (p == NULL)
        return lb_str(NULL, 0);
    memcpy(p, "/v1", 3);
    memcpy(p + 3, path.p, path.size);
    return lb_str(p, path.size + 3);
}

static const struct ly_route *find_anywhere(enum lh_method method, struct lb_arena *arena,
                                            struct ly_match *match)
{
    const struct lb_str v1 = LB_STR("/v1/");

    while (match->path.size > 7 && memcmp(match->path.p, "/v1/v1/", 7) == 0)
        match->path = lb_str_sub(match->path, 3, match->path.size);
    const struct ly_route *found = find(method, match->path, match);
    if (found != NULL)
        return found;
    if (lb_str_starts(match->path, v1)) {
        if (match->allowed != 0)
            return NULL;
        match->rest = lb_str_sub(match->path, 3, match->path.size);
        return &NATIVE;
    }
    struct lb_str below = with_v1(match->path, arena);
    if (below.p == NULL)
        return NULL;
    found = find(method, below, match);
    if (found != NULL)
        match->path = below;
    return found;
}

llmgr_status ly_route_match(enum lh_method method, struct lb_str path, struct lb_arena *arena,
                            struct ly_match *match, struct llmgr_error *err)
{
    *match = (struct ly_match){.path = path};
    if (path.size == 0 || path.p[0] != '/' || path.size > LY_ROUTE_PATH_MAX || has_dots(path))
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is nothing at this path"));
    if (!is_normal(path)) {
        char *copy = lb_arena_bytes(arena, path.size);
        if (copy == NULL)
            return lb_fail_memory(err);
        memcpy(copy, path.p, path.size);
        match->path = collapse(copy, path.size);
    }
    match->route = find_anywhere(method, arena, match);
    if (match->route == NULL && match->allowed != 0)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("this path does not take that method"));
    if (match->route == NULL)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("there is nothing at '%.*s'; the API stands under /v1"),
                       (int)lb_utf8_cut(match->path, 200), match->path.p);
    for (size_t i = 0; i < match->param_count; i++) {
        llmgr_status status = decode(match->params[i], arena, &match->params[i], err);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}
