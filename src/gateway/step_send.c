/* SPDX-License-Identifier: MIT */
/*
 * CONNECT and SEND: what the platform is sent. The caller's body with the few changed places
 * spliced in, and a new head with the few fields of the caller's that mean something to a platform;
 * never a credential, a cookie or a field of the hop.
 */
#include <string.h>

#include "gateway/ask.h"
#include "gateway/body.h"
#include "gateway/relay.h"
#include "gateway/request.h"
#include "gateway/signing.h"
#include "gateway/upload.h"
#include "gateway/work.h"
#include "http/hops.h"
#include "ledger/ledger.h"
#include "net/policy.h"

enum {
    FIELDS_MAX = 16,
    ROOM_LOOKS_MAX = 36, /* at the journal: after 1, 2, 4 … ms, and then each 64 ms */
    ROOM_DOUBLINGS = 6,
};

/* ---- CONNECT --------------------------------------------------------------------------------- */

/* A body that is written on the thread pool; all of it lies in the request's arena. */
struct splice {
    struct lb_str body;
    const struct ld_peek *peek;
    struct ld_edit edit;
    struct lb_arena *arena;
    struct ld_slices slices;
    llmgr_status status;
    struct llmgr_error err;
};

static void write_body(void *context)
{
    struct splice *job = context;

    job->status = ld_splice(job->body, job->peek, &job->edit, job->arena, &job->slices, &job->err);
}

/* For an extra_body the whole body is walked again: a long one not on the loop. */
static bool is_long_walk(const struct lg_request *request)
{
    return request->body.size > LG_LOOK_AT_ONCE && request->target.extra_body.size > 0 &&
           request->ask != NULL && request->ask->kind == LG_ASK_JSON;
}

/* What is sent is ready. */
static enum lg_verdict ready(struct lg_request *request)
{
    request->attempt++;
    return LG_NEXT;
}

static enum lg_verdict spliced(struct lg_request *request, void *context, llmgr_status status)
{
    const struct splice *job = context;

    lg_body_looked(request);
    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (job->status != LLMGR_OK)
        return lg_request_fail_with(request, &job->err);
    if (request->gone || request->cut)
        return LG_DONE;
    request->worker->slices = job->slices;
    return ready(request);
}

static enum lg_verdict splice_aside(struct lg_request *request, const struct ld_edit *edit)
{
    struct splice *job = lb_arena_calloc(&request->arena, 1, sizeof *job);

    if (job == NULL)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    job->body = lb_buf_str(&request->body);
    job->peek = &request->ask->peek;
    job->edit = *edit;
    job->arena = &request->arena;
    return lg_work_start(request, write_body, spliced, job);
}

static enum lg_verdict splice_json(struct lg_request *request, struct lg_relay *relay,
                                   struct llmgr_error *err)
{
    const struct ld_endpoint *endpoint = lg_request_endpoint(request);
    const struct ld_peek *seen = &request->ask->peek;
    const struct lr_target *target = &request->target;
    bool refused = target->no_stream_options || request->no_options;
    const struct ld_edit edit = {
        .model = target->model_name,
        .extra_body = target->extra_body,
        .ask_usage = endpoint->stream_options && seen->stream && !seen->include_usage && !refused,
        .drop_stream_options = refused,
    };

    relay->withhold = edit.ask_usage;
    relay->asked_usage = endpoint->stream_options && seen->stream && !refused;
    if (is_long_walk(request))
        return splice_aside(request, &edit);
    llmgr_status status = ld_splice(lb_buf_str(&request->body), seen, &edit, &request->arena,
                                    &request->worker->slices, err);
    return status == LLMGR_OK ? ready(request) : lg_request_fail_with(request, err);
}

static void look_again(void *context)
{
    lg_request_run(context);
}

/*
 * Room for what will be recorded of the attempt. Where files fill faster than a busy disk makes
 * them, the next one is waited for, about two seconds at most; nothing else is.
 */
static enum lg_verdict admit_record(struct lg_request *request)
{
    struct ll_journal *journal = request->worker->journal;

    if (journal == NULL || request->admitted || ll_journal_admit(journal)) {
        request->admitted = true;
        return LG_NEXT;
    }
    if (ll_journal_room_soon(journal) && request->room_looks < ROOM_LOOKS_MAX) {
        unsigned doubled =
            request->room_looks < ROOM_DOUBLINGS ? request->room_looks : ROOM_DOUBLINGS;
        request->room_looks++;
        ln_timer_start(request->worker->loop, &request->ping, 1 << doubled, look_again, request);
        return LG_WAIT;
    }
    ll_journal_refuse(journal);
    lg_count(request->worker, LG_METRIC_NO_ROOM, 1);
    return lg_request_fail(request, LLMGR_ERR_DATABASE_FULL,
                           N_("usage cannot be recorded at the moment: the journal is full"));
}

enum lg_verdict lg_step_connect(struct lg_request *request)
{
    struct ld_slices *slices = &request->worker->slices;
    struct llmgr_error err = {0};
    llmgr_status status = LLMGR_OK;

    enum lg_verdict verdict = LG_NEXT;
    if (is_long_walk(request)) {
        if (lg_work_is_done(request))
            return lg_work_finish(request);
        verdict = lg_body_turn(request);
        if (verdict != LG_NEXT)
            return verdict;
    }
    verdict = admit_record(request);
    if (verdict != LG_NEXT)
        return verdict;
    slices->count = 0;
    slices->size = 0;
    struct lg_relay *relay = lg_relay_new(request);
    if (relay == NULL)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    relay->signs = lg_signing_suits(request, &relay->family);
    if (request->ask != NULL && request->ask->kind == LG_ASK_JSON)
        return splice_json(request, relay, &err);
    if (request->ask != NULL && request->ask->kind == LG_ASK_FORM) {
        status = ld_form_splice(lb_buf_str(&request->body), &request->ask->form,
                                request->target.model_name, &request->arena, slices, &err);
    } else if (request->body.size > 0) {
        slices->slice[0] = lb_buf_str(&request->body);
        slices->count = 1;
        slices->size = request->body.size;
    }
    if (status == LLMGR_OK && request->streams_body)
        status = lg_upload_open(request, &err);
    return status == LLMGR_OK ? ready(request) : lg_request_fail_with(request, &err);
}

/* ---- SEND ------------------------------------------------------------------------------------ */

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
    const struct lg_request *request = context;

    return lr_target_open_key(request->worker->manager, &request->target, key, err);
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

/* Copies them: a second attempt needs them when the head is gone. */
static llmgr_status keep_fields(struct lg_request *request, const struct lh_field *fields,
                                size_t count)
{
    struct lh_field *kept = lb_arena_alloc(&request->arena, count * sizeof *kept);

    if (kept == NULL)
        return LLMGR_ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        kept[i] = fields[i]; /* names are constants */
        kept[i].value = lb_arena_str(&request->arena, fields[i].value);
        if (kept[i].value.p == NULL)
            return LLMGR_ERR_NO_MEMORY;
    }
    request->fields = kept;
    request->field_count = count;
    return LLMGR_OK;
}

static llmgr_status start(struct lg_request *request, const struct lh_field *fields, size_t count,
                          struct llmgr_error *err)
{
    const struct lr_target *target = &request->target;
    const struct ld_slices *slices = &request->worker->slices;
    bool first = request->head != NULL; /* only endpoints with a path of their own go again */
    struct lu_request sent = {
        .url = target->base_url,
        .klass = target->platform_is_sys ? LN_CLASS_SYSTEM : LN_CLASS_PRIVATE,
        .method = first ? request->head->method_name : LB_STR("POST"),
        .path = first ? path_of(request) : lg_request_endpoint(request)->path,
        .fields = fields,
        .field_count = count,
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
                             &request->exchange, err);
}

enum lg_verdict lg_step_send(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;
    struct lh_field room[FIELDS_MAX];
    const struct lh_field *fields = request->fields;
    size_t count = request->field_count;
    struct llmgr_error err = {0};
    llmgr_status status = LLMGR_OK;

    if (fields == NULL) {
        count = choose_fields(request, room);
        fields = room;
        if (relay->asked_usage)
            status = keep_fields(request, room, count);
    }
    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("out of memory"));
    relay->began_at = ln_loop_now(request->worker->loop);
    relay->began_ms = lb_now_ms(request->worker->host);
    status = start(request, fields, count, &err);
    if (status != LLMGR_OK)
        return lg_request_fail_with(request, &err);
    relay->started = true;
    request->head = NULL;
    lg_relay_start(request);
    return LG_NEXT;
}
