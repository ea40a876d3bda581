/* SPDX-License-Identifier: MIT */
/*
 * SEND: what PREPARE made ready goes to the platform, with a new head of the few fields of the
 * caller's that mean something there; never a credential, a cookie or a field of the hop.
 */
#include <string.h>

#include "dialect/splice.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/relay.h"
#include "gateway/request.h"
#include "gateway/upload.h"
#include "http/hops.h"
#include "net/policy.h"
#include "upstream/exchange.h"

enum { FIELDS_MAX = 16 };

static void add_field(struct lh_field *fields, size_t *count, struct lb_str name,
                      struct lb_str value)
{
    if (value.p != NULL && *count < FIELDS_MAX)
        fields[(*count)++] = (struct lh_field){.name = name, .value = value};
}

/*
 * Whom this request has passed, and us (RFC 8586): should its platform lead back here, that is
 * seen. Without memory for what came, our name alone still ends a circle.
 */
static struct lb_str hops_of(struct lg_request *request)
{
    struct lb_str ours = request->worker->shared->hop;
    struct lh_loop loop;

    if (!lh_loop_read(request->head, ours, &loop) || loop.size == ours.size)
        return ours;
    char *value = lb_arena_bytes(&request->arena, loop.size);
    if (value == NULL)
        return ours;
    lh_loop_write(request->head, ours, value);
    return lb_str(value, loop.size);
}

/* Fields of the caller's that a platform may want to know. */
static size_t choose_fields(struct lg_request *request, struct lh_field *fields)
{
    static const enum lh_header PASSED[] = {
        LH_HEADER_CONTENT_TYPE,   LH_HEADER_ACCEPT,      LH_HEADER_ANTHROPIC_VERSION,
        LH_HEADER_ANTHROPIC_BETA, LH_HEADER_TRACEPARENT,
    };
    const struct lh_head *head = request->head;
    bool typed = request->ask != NULL && request->ask->kind == LG_ASK_JSON;
    size_t count = 0;

    add_field(fields, &count, LB_STR("user-agent"), LB_STR("llmgr/" LLMGR_VERSION_STRING));
    for (size_t i = 0; i < sizeof PASSED / sizeof PASSED[0]; i++) {
        if (typed && PASSED[i] == LH_HEADER_CONTENT_TYPE)
            continue;
        add_field(fields, &count, lh_header_name(PASSED[i]), lh_head_get(head, PASSED[i]));
    }
    if (typed)
        add_field(fields, &count, LB_STR("content-type"), LB_STR("application/json"));
    add_field(fields, &count, LB_STR("cdn-loop"), hops_of(request));
    if (head->field_count > 0)
        add_field(fields, &count, LB_STR("openai-beta"),
                  lh_head_get_named(head, LB_STR("openai-beta")));
    return count;
}

static llmgr_status open_key(void *context, struct lv_secret *key, struct llmgr_error *err)
{
    const struct lg_request *request = lg_request_of(context);

    return lr_target_open_key(request->worker->manager, &request->attempt->target, key, err);
}

/* The endpoint's path at the platform, or the caller's own with its query. */
static struct lb_str path_of(struct lg_request *request)
{
    const struct ld_endpoint *endpoint = lg_request_endpoint(request);
    struct lb_str rest = request->match.rest, query = request->head->query;

    if (endpoint->path.size > 0)
        return endpoint->path;
    if (query.size == 0 || request->has_query)
        return rest;
    char *path = lb_arena_bytes(&request->arena, rest.size + 1 + query.size);
    if (path == NULL)
        return rest;
    memcpy(path, rest.p, rest.size);
    path[rest.size] = '?';
    memcpy(path + rest.size + 1, query.p, query.size);
    return lb_str(path, rest.size + 1 + query.size);
}

static llmgr_status start(struct lg_request *request, struct llmgr_error *err)
{
    struct lg_attempt *attempt = request->attempt;
    const struct lr_target *target = &attempt->target;
    const struct ld_slices *slices = &request->worker->slices;
    struct lh_field fields[FIELDS_MAX];
    struct lu_request sent = {
        .url = target->base_url,
        .klass = target->platform_is_sys ? LN_CLASS_SYSTEM : LN_CLASS_PRIVATE,
        .method = request->head->method_name,
        .path = path_of(request),
        .fields = fields,
        .field_count = choose_fields(request, fields),
        .body = slices->slice,
        .body_count = slices->count,
        .protocol = target->protocol,
        .open_key = target->sealed_key.size > 0 ? open_key : NULL,
        .key_context = request,
        .timeouts = request->settings->upstream,
    };
    if (request->streams_body)
        lg_upload_frame(request, &sent);
    return lu_exchange_start(request->worker->pool, &sent, &lg_relay_face, request,
                             &attempt->exchange, err);
}

/* The head lay in what is written over by the next read, unless it was kept. */
static void forget_head(struct lg_request *request)
{
    if (!request->kept) {
        request->match.path = request->match.rest = lb_str(NULL, 0);
        request->match.param_count = 0;
    }
    request->head = NULL;
}

enum lg_verdict lg_step_send(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;
    struct llmgr_error err = {0};

    /* Another attempt would need it when it is gone. */
    if (!lg_attempt_is_last(attempt) && !request->kept && lg_request_keep(request) != LLMGR_OK)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    attempt->sent_at = ln_loop_now(request->worker->loop);
    attempt->sent_ms = lb_now_ms(request->worker->host);
    if (start(request, &err) != LLMGR_OK)
        return lg_request_fail_with(request, &err);
    attempt->state = LG_ATTEMPT_SENT;
    if (lg_attempt_is_last(attempt))
        forget_head(request);
    lg_relay_start(request);
    return LG_NEXT;
}
