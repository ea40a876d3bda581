/* SPDX-License-Identifier: MIT */
/*
 * IDENTIFY: who is calling, before a byte of the body is looked at. Without tokens (single mode on
 * loopback) the caller is the system user, but not just any page in a browser on this machine: a
 * foreign Origin, or a Host that is no name of this machine (DNS rebinding), is turned away.
 */
#include "gateway/request.h"

#include <string.h>

#include "gateway/identity.h"

/* "localhost", "127.0.0.1", "[::1]", each perhaps with a port. */
static bool is_loopback_name(struct lb_str host)
{
    static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        size_t size = strlen(NAMES[i]);
        if (host.size >= size && lb_str_eq_nocase(lb_str_sub(host, 0, size), lb_cstr(NAMES[i])) &&
            (host.size == size || host.p[size] == ':'))
            return true;
    }
    return false;
}

static bool is_loopback_origin(struct lb_str origin)
{
    const struct lb_str schemes[] = {LB_STR("http://"), LB_STR("https://")};

    for (size_t i = 0; i < 2; i++) {
        if (lb_str_starts(origin, schemes[i]))
            return is_loopback_name(lb_str_sub(origin, schemes[i].size, origin.size));
    }
    return false;
}

static enum lg_verdict without_token(struct lg_request *request)
{
    const struct lh_head *head = request->head;
    struct lb_str origin = lh_head_get(head, LH_HEADER_ORIGIN);

    if (origin.p != NULL && !is_loopback_origin(origin))
        return lg_request_fail(request, LLMGR_ERR_FORBIDDEN,
                               N_("pages of other sites may not use this server without a token"));
    if (head->host.size > 0 && !is_loopback_name(head->host) && !lb_str_eq_c(head->host, "unix"))
        return lg_request_fail(request, LLMGR_ERR_FORBIDDEN,
                               N_("without a token this server is called by the name localhost"));
    request->caller.kind = LP_CALLER_SINGLE;
    request->caller.user = LB_STR(LLMGR_SYSTEM_USER);
    return LG_NEXT;
}

enum lg_verdict lg_step_identify(struct lg_request *request)
{
    if (request->match.route->scope != LY_SCOPE_PUBLIC && request->worker->shared->need_token)
        return lg_identify_token(request);
    lg_identity_hide(request->head); /* sent by habit, and nobody's business */
    return request->match.route->scope == LY_SCOPE_PUBLIC ? LG_NEXT : without_token(request);
}
