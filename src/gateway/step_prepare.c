/* SPDX-License-Identifier: MIT */
/*
 * PREPARE: what the platform is asked. The caller's body with the few changed places spliced in: as
 * slices of the worker's, which SEND takes in the same turn.
 */
#include "dialect/splice.h"
#include "base/magic.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/body.h"
#include "gateway/request.h"
#include "gateway/signing.h"
#include "gateway/upload.h"
#include "gateway/work.h"

enum { SPLICE_MAGIC = 0x6c677370 };

/* A body that is written on the thread pool; all of it lies in the request's arena. */
struct splice {
    unsigned magic;
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
    struct splice *job = LB_CAST(struct splice, context, SPLICE_MAGIC);

    job->status = ld_splice(job->body, job->peek, &job->edit, job->arena, &job->slices, &job->err);
}

/* For an extra_body the whole body is walked again: a long one not on the loop. */
static bool is_long_walk(const struct lg_request *request)
{
    return request->body.size > LG_LOOK_AT_ONCE && request->attempt->target.extra_body.size > 0 &&
           request->ask != NULL && request->ask->kind == LG_ASK_JSON;
}

/* What is sent is ready. */
static enum lg_verdict ready(struct lg_request *request)
{
    request->attempts++;
    return LG_NEXT;
}

static enum lg_verdict spliced(struct lg_request *request, void *context, llmgr_status status)
{
    const struct splice *job = LB_CAST(struct splice, context, SPLICE_MAGIC);

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
        return lg_request_fail_memory(request);
    job->magic = SPLICE_MAGIC;
    job->body = lb_buf_str(&request->body);
    job->peek = &request->ask->peek;
    job->edit = *edit;
    job->arena = &request->arena;
    return lg_work_start(request, write_body, spliced, job);
}

static enum lg_verdict splice_json(struct lg_request *request, struct llmgr_error *err)
{
    const struct ld_endpoint *endpoint = lg_request_endpoint(request);
    const struct ld_peek *seen = &request->ask->peek;
    struct lg_attempt *attempt = request->attempt;
    const struct lr_target *target = &attempt->target;
    bool refused = target->no_stream_options || attempt->without_options;
    const struct ld_edit edit = {
        .model = target->model_name,
        .extra_body = target->extra_body,
        .ask_usage = endpoint->stream_options && seen->stream && !seen->include_usage && !refused,
        .drop_stream_options = refused,
    };

    attempt->withholds_usage = edit.ask_usage;
    attempt->options_have_more = seen->options_more;
    attempt->asks_usage = endpoint->stream_options && seen->stream && !refused;
    if (is_long_walk(request))
        return splice_aside(request, &edit);
    llmgr_status status = ld_splice(lb_buf_str(&request->body), seen, &edit, &request->arena,
                                    &request->worker->slices, err);
    return status == LLMGR_OK ? ready(request) : lg_request_fail_with(request, err);
}

enum lg_verdict lg_step_prepare(struct lg_request *request)
{
    struct ld_slices *slices = &request->worker->slices;
    struct llmgr_error err = {0};
    llmgr_status status = LLMGR_OK;

    if (is_long_walk(request)) {
        if (lg_work_is_done(request))
            return lg_work_finish(request);
        enum lg_verdict verdict = lg_body_turn(request);
        if (verdict != LG_NEXT)
            return verdict;
    }
    slices->count = 0;
    slices->size = 0;
    request->attempt->signs = lg_signing_suits(request, &request->attempt->family);
    if (request->ask != NULL && request->ask->kind == LG_ASK_JSON)
        return splice_json(request, &err);
    if (request->ask != NULL && request->ask->kind == LG_ASK_FORM) {
        status = ld_form_splice(lb_buf_str(&request->body), &request->ask->form,
                                request->attempt->target.model_name, &request->arena, slices, &err);
    } else if (request->body.size > 0) {
        slices->slice[0] = lb_buf_str(&request->body);
        slices->count = 1;
        slices->size = request->body.size;
    }
    if (status == LLMGR_OK && request->streams_body)
        status = lg_upload_open(request, &err);
    return status == LLMGR_OK ? ready(request) : lg_request_fail_with(request, &err);
}
