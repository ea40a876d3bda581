/* SPDX-License-Identifier: MIT */
/* What went wrong with a request, and in whose words it is told. See request.h. */
#include <stdarg.h>
#include <stdio.h>

#include "gateway/request.h"

struct llmgr_error *lg_request_error(struct lg_request *request)
{
    if (request->error == NULL) {
        request->error = lb_arena_alloc(&request->arena, sizeof *request->error);
        if (request->error == NULL)
            request->error = &request->worker->last_error; /* shared, but better than none */
    }
    *request->error = (struct llmgr_error){0};
    return request->error;
}

enum lg_verdict lg_request_fail(struct lg_request *request, llmgr_status status, const char *format,
                                ...)
{
    struct llmgr_error *err = lg_request_error(request);
    char text[sizeof err->message];
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof text, lb_tr(format), args) < 0)
        text[0] = '\0';
    va_end(args);
    lb_fail(err, status, "%s", text);
    return LG_FAIL;
}

enum lg_verdict lg_request_limit(struct lg_request *request, enum lg_metric metric,
                                 const char *text)
{
    enum lg_verdict verdict = lg_request_fail(request, LLMGR_ERR_LIMIT, "%s", lb_tr(text));

    lg_count(request->worker, metric, 1);
    request->error->retry_after_ms = 1000;
    return verdict;
}

enum lg_verdict lg_request_fail_memory(struct lg_request *request)
{
    (void)lb_fail_memory(lg_request_error(request));
    return LG_FAIL;
}

enum lg_verdict lg_request_fail_with(struct lg_request *request, const struct llmgr_error *err)
{
    struct llmgr_error *own = lg_request_error(request);

    *own = *err;
    return LG_FAIL;
}

struct lb_str lg_request_public_id(const struct lg_request *request)
{
    return request->client_id.size > 0 ? request->client_id : request->id;
}

const struct ld_endpoint *lg_request_endpoint(const struct lg_request *request)
{
    const struct ly_route *route = request->match.route;

    if (route == NULL || route->kind != LY_ROUTE_RELAY)
        return ld_endpoint(request->wants_anthropic_id ? LD_ENDPOINT_MESSAGES : LD_ENDPOINT_NATIVE);
    return ld_endpoint((enum ld_endpoint_id)route->endpoint);
}

enum ld_shape lg_request_shape(const struct lg_request *request)
{
    const struct ld_endpoint *endpoint = lg_request_endpoint(request);

    return endpoint->id == LD_ENDPOINT_NATIVE && request->wants_anthropic_id ? LD_SHAPE_ANTHROPIC
                                                                             : endpoint->shape;
}
