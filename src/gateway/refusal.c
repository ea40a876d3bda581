/* SPDX-License-Identifier: MIT */
/* An error's status, from its last byte to what the caller hears. See the header. */
#include "gateway/refusal.h"

#include <string.h>

#include "dialect/error_read.h"
#include "dialect/error_write.h"
#include "dialect/filter.h"
#include "gateway/answer.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/work.h"
#include "http/write.h"
#include "manager/platforms.h"
#include "upstream/mask.h"
#include "vault/secret.h"

/* ---- Keys that are quoted -------------------------------------------------------------------- */

void lg_refusal_mask(void *context, char *text, size_t size)
{
    const struct lg_request *request = lg_request_of(context);
    const struct lr_target *target = &request->attempt->target;
    struct lv_secret key;

    if (size == 0)
        return;
    if (target->sealed_key.size > 0) {
        if (lr_target_open_key(request->worker->manager, target, &key, NULL) == LLMGR_OK)
            lu_mask_key(request->worker->host, lv_secret_str(&key), text, size);
        else
            memset(text, '*', size);
        lv_secret_clear(&key);
    }
    if (target->sealed_headers.size > 0) {
        if (lr_target_open_headers(request->worker->manager, target, &key, NULL) == LLMGR_OK)
            lu_mask_fields(request->worker->host, lv_secret_str(&key), text, size);
        else
            memset(text, '*', size);
        lv_secret_clear(&key);
    }
}

/* ---- What it means --------------------------------------------------------------------------- */

/* If the platform answers without stream_options: does that hold for other callers, too? */
static bool may_teach(const struct lg_request *request)
{
    const struct lb_str said[] = {request->attempt->target.extra_body, lb_buf_str(&request->body)};

    return request->ask->peek.options_at.size == 0 && lo_may_teach(said, 2);
}

static void fill_error(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;
    const struct ld_refusal refusal = {
        .host = request->worker->host,
        .http_status = attempt->upstream_status,
        .body = lb_buf_str(&attempt->refusal),
        .retry_after_ms = attempt->retry_after_ms,
        .platform = attempt->target.platform_name,
        .model = attempt->target.model_name,
    };

    struct llmgr_error *err = lg_request_error(request);
    ld_fail_http(err, &refusal);
    lg_refusal_mask(request, err->message, strlen(err->message)); /* cleaned, it may be one again */
}

void lg_refusal_astray(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (attempt->filter->report.failed)
        fill_error(request);
    else
        (void)lg_request_fail(
            request, LLMGR_ERR_PROTOCOL,
            N_("the platform answers a stream that has begun with a whole answer"));
}

enum lg_verdict lg_refusal_judge(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    lg_refusal_mask(request, attempt->refusal.data, attempt->refusal.size);
    const struct lo_verdict verdict = lg_attempt_judge(request);
    if (verdict.next != LO_NEXT_NOTHING) {
        attempt->may_teach = may_teach(request);
        return LG_NEXT;
    }
    lg_refusal_words(request);
    return request->error == NULL ? LG_DONE : LG_FAIL;
}

void lg_refusal_words(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;

    if (request->error != NULL || attempt->came != LG_CAME_REFUSAL)
        return;
    /* Their word about our key must not read like a word about the caller's token. */
    if (attempt->head_left || attempt->fault == LO_FAULT_KEY)
        fill_error(request);
}

/* ---- What is told ---------------------------------------------------------------------------- */

/* Under the status it gave, if that is one that callers know. */
void lg_refusal_tell(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;
    enum ld_shape shape = lg_request_shape(request);
    struct lb_str said = lb_buf_str(&attempt->refusal);
    struct lb_buf *body = &request->worker->words;
    int http_status = attempt->upstream_status;
    struct ld_problem problem;

    if (http_status < 300 || http_status >= 600) /* an error inside of a 200 is one here */
        http_status = 502;
    ld_problem_of_http(http_status, &problem);
    lb_buf_reset(body);
    if (ld_error_fits(shape, said))
        lb_buf_add_str(body, said);
    else
        ld_error_reshape(shape, http_status, said, lg_request_public_id(request), body);
    if (body->failed == LLMGR_ERR_NO_MEMORY) {
        (void)lg_request_fail_memory(request);
        return;
    }
    lg_refusal_mask(request, body->data, body->size);
    (void)lg_answer_head(request, http_status);
    lg_answer_retry(request, problem.retry, attempt->retry_after_ms);
    lg_answer_whole(request, LB_STR("application/json"), lb_buf_str(body));
}

/* ---- What is learnt -------------------------------------------------------------------------- */

bool lg_refusal_teaches(const struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;

    return attempt != NULL && attempt->without_options && attempt->may_teach && !request->cut &&
           attempt->end == LLMGR_END_COMPLETED && attempt->filter != NULL &&
           !attempt->filter->report.failed;
}

static void learn(void *context)
{
    const struct lg_request *request = lg_request_of(context);
    struct llmgr_error err = {0};
    int64_t platform = request->attempt->target.platform_id;

    if (lm_platform_learn_no_stream_options(request->worker->manager, platform, &err) != LLMGR_OK)
        lb_warn(request->worker->host, "platform %lld: no stream_options: not remembered: %s",
                (long long)platform, err.message);
}

static enum lg_verdict learned(struct lg_request *request, void *context, llmgr_status status)
{
    (void)request;
    (void)context;
    (void)status; /* not to remember it costs one request more the next time */
    return LG_DONE;
}

enum lg_verdict lg_refusal_learn(struct lg_request *request)
{
    return lg_work_start(request, learn, learned, request);
}
