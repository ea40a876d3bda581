/* SPDX-License-Identifier: MIT */
/*
 * SEND: what PREPARE made ready goes to the platform, with a new head of the few fields of the
 * caller's that mean something there; never a credential, a cookie or a field of the hop.
 */
#include "base/raw.h"
#include "budget/book.h"
#include "dialect/splice.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/passed.h"
#include "gateway/relay.h"
#include "gateway/request.h"
#include "gateway/upload.h"
#include "gateway/walk.h"
#include "manager/catalogue.h"
#include "net/policy.h"
#include "upstream/exchange.h"

static llmgr_status open_key(void *context, struct lv_secret *key, struct llmgr_error *err)
{
    const struct lg_request *request = lg_request_of(context);

    return lr_target_open_key(request->worker->manager, &request->attempt->target, key, err);
}

static llmgr_status open_fixed(void *context, struct lv_secret *lines, struct llmgr_error *err)
{
    const struct lg_request *request = lg_request_of(context);

    return lr_target_open_headers(request->worker->manager, &request->attempt->target, lines, err);
}

static llmgr_status start(struct lg_request *request, struct llmgr_error *err)
{
    struct lg_attempt *attempt = request->attempt;
    const struct lr_target *target = &attempt->target;
    const struct ld_slices *slices = &request->worker->slices;
    LB_RAW struct lh_field fields[LG_PASSED_MAX];
    struct lu_request sent = {
        .url = target->base_url,
        .klass = target->platform_is_sys ? LN_CLASS_SYSTEM : LN_CLASS_PRIVATE,
        .method = request->head->method_name,
        .path = lg_passed_path(request),
        .fields = fields,
        .field_count = lg_passed_fields(request, fields),
        .body = slices->slice,
        .body_count = slices->count,
        .protocol = target->protocol,
        .dialect = lg_passed_dialect(request),
        .open_key = target->sealed_key.size > 0 ? open_key : NULL,
        .fixed = target->fixed_headers,
        .open_fixed = target->sealed_headers.size > 0 ? open_fixed : NULL,
        .key_context = request,
        .timeouts = request->settings->upstream,
    };
    if (request->walk != NULL)
        lg_walk_limit(request, &sent.timeouts);
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

    /* Another attempt would need the head when it is gone; without memory for it nothing is sent.
     */
    if (!lg_attempt_is_last(attempt) && !request->kept && lg_request_keep(request) != LLMGR_OK)
        return lg_request_fail_memory(request);
    attempt->sent_at = ln_loop_now(request->worker->loop);
    attempt->sent_ms = lb_now_ms(request->worker->host);
    attempt->book = lq_book_hold(lm_catalogue_book(lr_view_catalogue(request->worker->view)));
    if (start(request, &err) != LLMGR_OK) {
        attempt->is_unsent = true;
        (void)lg_request_fail_with(request, &err);
        (void)lg_attempt_judge(request);
        return LG_FAIL;
    }
    attempt->state = LG_ATTEMPT_SENT;
    if (lg_attempt_is_last(attempt))
        forget_head(request);
    lg_relay_start(request);
    return LG_NEXT;
}
