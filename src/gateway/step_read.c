/* SPDX-License-Identifier: MIT */
/*
 * READ: the body, up to its cap, into one buffer; then one look at what it asks for. A client that
 * waits for 100 Continue gets it here, after its token was found good and its length acceptable. A
 * body that is passed on as it comes (upload.h) stays where it is.
 */
#include "gateway/request.h"

#include <string.h>

#include "gateway/ask.h"
#include "gateway/client.h"
#include "gateway/shown_ids.h"
#include "gateway/upload.h"

/* All that has come; false: more must come (or the request failed, then *verdict says so). */
static bool collect(struct lg_request *request, enum lg_verdict *verdict)
{
    *verdict = LG_WAIT;
    for (;;) {
        struct lb_str at_hand = request->client->now;
        struct lb_str payload = {NULL, 0};
        size_t used = 0;
        enum lh_result result =
            lh_body_next(&request->decoder, at_hand.p, at_hand.size, &used, &payload);
        (void)lg_client_take(request->client, used);
        if (result == LH_FAILED) {
            enum lh_error error = lh_body_error(&request->decoder);
            request->error_http = lh_error_http(error);
            *verdict =
                lg_request_fail(request, LLMGR_ERR_INVALID, N_("the request's body is refused: %s"),
                                lb_tr(lh_error_text(error)));
            return false;
        }
        lb_buf_add_str(&request->body, payload);
        if (request->body.secret && used > 0) /* out of the buffer that all connections share */
            memset((char *)(uintptr_t)at_hand.p, 0, used);
        if (request->body.failed != LLMGR_OK) {
            request->error_http = request->body.failed == LLMGR_ERR_TOO_LARGE ? 413 : 503;
            *verdict = lg_request_fail(request, request->body.failed,
                                       N_("the request's body is larger than %zu bytes"),
                                       request->settings->body_max);
            return false;
        }
        if (result == LH_DONE)
            return true;
        if (request->client->now.size == 0)
            return false;
    }
}

/* ---- What it asks for ------------------------------------------------------------------------ */

/* The caller's own word for a body that has no model in it. */
static enum lg_verdict take_model(struct lg_request *request, struct lb_str model)
{
    if (model.size == 0)
        model = lb_arena_str(&request->arena, lh_head_get(request->head, LH_HEADER_X_LLMGR_MODEL));
    request->model = model;
    if (model.size == 0)
        request->platform_id = lg_shown_platform(request);
    return LG_NEXT;
}

/*
 * The known endpoints are JSON whatever the content type says (curl -d says otherwise), and so is
 * what looks like it; natively relayed paths may carry anything.
 */
static enum lg_verdict look(struct lg_request *request)
{
    const struct ld_endpoint *endpoint = lg_request_endpoint(request);
    struct lb_str body = lb_buf_str(&request->body);
    struct lb_str type = lh_head_get(request->head, LH_HEADER_CONTENT_TYPE);
    bool native = endpoint->id == LD_ENDPOINT_NATIVE;
    struct llmgr_error err = {0};
    llmgr_status status = LLMGR_OK;

    if (native && body.size == 0)
        return take_model(request, lb_str(NULL, 0));
    struct lg_ask *ask = lb_arena_alloc(&request->arena, sizeof *ask);
    if (ask == NULL)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    ask->kind = LG_ASK_OPAQUE;
    request->ask = ask;
    if (ld_is_form(type)) {
        ask->kind = LG_ASK_FORM;
        ask->type = lb_arena_str(&request->arena, type);
        status = ld_form_peek(body, ask->type, &ask->form, &err);
    } else if (!native || lg_is_json(type) || lb_str_starts(lb_str_trim(body), LB_STR("{"))) {
        ask->kind = LG_ASK_JSON;
        status = ld_peek(body, &request->arena, &ask->peek, &err);
    }
    if (status != LLMGR_OK)
        return lg_request_fail_with(request, &err);
    if (ask->kind == LG_ASK_JSON)
        return take_model(request, ask->peek.model);
    return take_model(request, ask->kind == LG_ASK_FORM ? ask->form.model : lb_str(NULL, 0));
}

static enum lg_verdict wait_for_body(struct lg_request *request, enum lg_verdict verdict)
{
    if (verdict == LG_WAIT) {
        lg_send_continue(request);
        lg_client_want_body(request->client, true);
    }
    return verdict;
}

/* Also for OWN, of a body that was to be passed on as it comes. */
enum lg_verdict lg_read_rest(struct lg_request *request)
{
    const struct lb_str model = request->model;
    enum lg_verdict verdict;

    if (request->late)
        return LG_FAIL;
    if (request->body_open) {
        if (!collect(request, &verdict))
            return wait_for_body(request, verdict);
        lg_client_want_body(request->client, false);
        request->body_open = false;
    }
    request->bytes_in = request->body.size;
    verdict = look(request);
    request->model = model;
    return verdict;
}

/* ---- The step -------------------------------------------------------------------------------- */

enum lg_verdict lg_step_read(struct lg_request *request)
{
    enum lg_verdict verdict;

    if (request->late)
        return LG_FAIL;
    if (request->streams_body) {
        verdict = lg_upload_look(request);
        if (verdict != LG_NEXT || request->streams_body)
            return wait_for_body(request, verdict);
    }
    if (request->body_open) {
        if (!collect(request, &verdict)) {
            return wait_for_body(request, verdict);
        }
        lg_client_want_body(request->client, false);
        request->body_open = false;
    }
    request->bytes_in = request->body.size;
    lg_count(request->worker, LG_METRIC_BYTES_IN, (int64_t)request->body.size);
    if (request->match.route->kind != LG_ROUTE_RELAY)
        return LG_NEXT;
    return look(request);
}
