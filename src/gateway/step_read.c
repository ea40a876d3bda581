/* SPDX-License-Identifier: MIT */
/*
 * READ: the body, up to its cap, into one buffer; then one look at what it asks for. A client that
 * waits for 100 Continue gets it here, after its token was found good, its length acceptable and
 * memory for it set aside (body.h). A body that is passed on as it comes (upload.h) stays where it
 * is. A long look is the thread pool's, and so is a body that came compressed (decode.h).
 */
#include "gateway/request.h"

#include <string.h>

#include "base/magic.h"
#include "gateway/ask.h"
#include "gateway/body.h"
#include "gateway/client.h"
#include "gateway/decode.h"
#include "gateway/home.h"
#include "gateway/upload.h"
#include "gateway/work.h"

/*
 * Memory for all of the body, or, where nobody knows how long it is, for what has come of it. It is
 * asked for before a byte is taken: what is not taken is not read further.
 */
static enum lg_verdict admit(struct lg_request *request)
{
    const struct lb_buf *body = &request->body;

    if (request->head->body == LH_BODY_LENGTH)
        return lg_body_admit(request,
                             body->capacity > body->limit ? body->capacity : body->limit + 1);
    return lg_body_admit(request, lb_buf_capacity_for(body, request->client->now.size));
}

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
                                       request->body.limit);
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
    if (model.size > 0)
        return LG_NEXT;
    if (lg_home_look(request) != LG_NEXT)
        return LG_FAIL;
    request->platform_id = lg_home_place(request).platform_id;
    return LG_NEXT;
}

enum { LOOK_MAGIC = 0x6c676c6b };

struct look {
    unsigned magic;
    struct lg_ask *ask;
    struct lb_str body;
    struct lb_arena *arena; /* the request's */
    llmgr_status status;
    struct llmgr_error err;
    struct lg_request *request; /* of one that is made aside */
    enum lg_verdict verdict;
};

/* What it is and what it says; on any thread. */
static void peek(void *context)
{
    struct look *look = LB_CAST(struct look, context, LOOK_MAGIC);
    struct lg_ask *ask = look->ask;

    if (ask->kind == LG_ASK_OPAQUE && lb_str_starts(lb_str_trim(look->body), LB_STR("{")))
        ask->kind = LG_ASK_JSON;
    if (ask->kind == LG_ASK_FORM)
        look->status = ld_form_peek(look->body, ask->type, &ask->form, &look->err);
    else if (ask->kind == LG_ASK_JSON)
        look->status = ld_peek(look->body, look->arena, &ask->peek, &look->err);
}

static enum lg_verdict take_look(struct lg_request *request, const struct look *look)
{
    const struct lg_ask *ask = look->ask;

    if (look->status != LLMGR_OK)
        return lg_request_fail_with(request, &look->err);
    if (ask->kind == LG_ASK_JSON)
        return take_model(request, ask->peek.model);
    return take_model(request, ask->kind == LG_ASK_FORM ? ask->form.model : lb_str(NULL, 0));
}

/* All that depends on the body goes through it once more; the request is the work's meanwhile. */
static void look_through(void *context)
{
    struct look *look = LB_CAST(struct look, context, LOOK_MAGIC);

    peek(look);
    look->verdict = take_look(look->request, look);
}

static enum lg_verdict looked(struct lg_request *request, void *context, llmgr_status status)
{
    const struct look *look = LB_CAST(struct look, context, LOOK_MAGIC);

    lg_body_looked(request);
    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    return look->verdict;
}

/* Many threads would look at once, and none would be left for others' rows: it waits for one. */
static enum lg_verdict look_aside(struct lg_request *request, const struct look *look)
{
    enum lg_verdict verdict = lg_body_turn(request);

    if (verdict != LG_NEXT)
        return verdict;
    struct look *kept = lb_arena_alloc(&request->arena, sizeof *kept);
    if (kept == NULL)
        return lg_request_fail_memory(request);
    *kept = *look;
    kept->request = request;
    return lg_work_start(request, look_through, looked, kept);
}

/*
 * The known endpoints are JSON whatever the content type says (curl -d says otherwise), and so is
 * what looks like it; natively relayed paths may carry anything.
 */
static enum lg_verdict look(struct lg_request *request)
{
    struct lb_str type = lh_head_get(request->head, LH_HEADER_CONTENT_TYPE);
    bool native = lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE;
    struct look look = {
        .magic = LOOK_MAGIC,
        .body = lb_buf_str(&request->body),
        .arena = &request->arena,
    };

    if (native && look.body.size == 0)
        return take_model(request, lb_str(NULL, 0));
    if (request->ask == NULL)
        request->ask = lb_arena_alloc(&request->arena, sizeof *request->ask);
    struct lg_ask *ask = look.ask = request->ask;
    if (ask == NULL)
        return lg_request_fail_memory(request);
    ask->kind = native && !lg_is_json(type) ? LG_ASK_OPAQUE : LG_ASK_JSON;
    if (ld_is_form(type)) {
        ask->kind = LG_ASK_FORM;
        ask->type = lb_arena_str(&request->arena, type);
    }
    if (look.body.size > LG_LOOK_AT_ONCE)
        return look_aside(request, &look);
    peek(&look);
    return take_look(request, &look);
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

    if (request->job != NULL && lg_work_is_done(request)) {
        bool goes_on = lg_decode_is_working(request);
        verdict = lg_work_finish(request);
        if (verdict != LG_NEXT || !goes_on)
            return verdict;
    }
    if (request->late)
        return LG_FAIL;
    if (request->streams_body) {
        verdict = lg_body_admit(request, request->body.capacity);
        if (verdict != LG_NEXT)
            return verdict;
        verdict = lg_upload_look(request);
        if (verdict != LG_NEXT || request->streams_body)
            return wait_for_body(request, verdict);
    }
    if (request->body_open) {
        verdict = admit(request);
        if (verdict != LG_NEXT)
            return verdict;
        if (!collect(request, &verdict)) {
            return wait_for_body(request, verdict);
        }
        lg_client_want_body(request->client, false);
        request->body_open = false;
    }
    if (request->bytes_in == 0) {
        request->bytes_in = request->body.size;
        lg_count(request->worker, LG_METRIC_BYTES_IN, (int64_t)request->body.size);
    }
    if (request->match.route->kind != LY_ROUTE_RELAY)
        return LG_NEXT;
    if (lg_decode_is_coded(request)) {
        verdict = lg_decode_body(request);
        if (verdict != LG_NEXT)
            return verdict;
    }
    return look(request);
}
