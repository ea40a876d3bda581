/* SPDX-License-Identifier: MIT */
/* Bodies on their way from client to platform. See the header. */
#include "gateway/upload.h"

#include "dialect/form_stream.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/body.h"
#include "gateway/client.h"
#include "gateway/decode.h"
#include "gateway/own.h"
#include "upstream/exchange.h"

struct lg_upload {
    bool is_form;
    bool room; /* the exchange takes more */
    struct ld_form_stream form;
    struct lb_buf piece; /* of a form, as it goes on */
};

enum {
    FIRST_MAX = 512, /* bytes that are looked at before the body is passed on */
    PIECE_OUT_MAX = LD_FORM_PIECE_MAX + LD_FORM_HEAD_MAX + 4096,
};

void lg_send_continue(struct lg_request *request)
{
    const struct lb_str line = LB_STR("HTTP/1.1 100 Continue\r\n\r\n");

    if (!request->expects || request->client->now.size > 0)
        return;
    request->expects = false;
    (void)lg_client_write(request->client, &line, 1);
}

/* ---- Which bodies ---------------------------------------------------------------------------- */

bool lg_upload_suits(const struct lg_request *request)
{
    const struct lh_head *head = request->head;
    const struct ly_route *route = request->match.route;

    return route->kind == LY_ROUTE_RELAY && route->endpoint == LD_ENDPOINT_NATIVE &&
           head->body != LH_BODY_NONE && lh_head_get(head, LH_HEADER_X_LLMGR_MODEL).size > 0 &&
           !lg_is_json(lh_head_get(head, LH_HEADER_CONTENT_TYPE)) &&
           !(lg_decode_is_coded(request) && ld_is_form(lh_head_get(head, LH_HEADER_CONTENT_TYPE)));
}

static enum lg_verdict refuse(struct lg_request *request, enum lh_error error)
{
    request->error_http = lh_error_http(error);
    return lg_request_fail(request, LLMGR_ERR_INVALID, N_("the request's body is refused: %s"),
                           lb_tr(lh_error_text(error)));
}

/* Some platforms read JSON whatever its type says: such a body is read like any other JSON. */
static bool may_be_json(char first)
{
    return first == '{' || first == ' ' || first == '\t' || first == '\r' || first == '\n';
}

/* A first piece into request->body; it is sent in front of what is fed. */
static enum lg_verdict take_first(struct lg_request *request)
{
    struct lb_str at_hand = lb_str_sub(request->client->now, 0, FIRST_MAX);
    struct lb_str payload = {NULL, 0};
    size_t used = 0;

    enum lh_result result =
        lh_body_next(&request->decoder, at_hand.p, at_hand.size, &used, &payload);
    (void)lg_client_take(request->client, used);
    if (result == LH_FAILED)
        return refuse(request, lh_body_error(&request->decoder));
    request->body_open = result != LH_DONE;
    lb_buf_add_str(&request->body, payload);
    if (request->body.failed != LLMGR_OK)
        return lg_request_fail_memory(request);
    if (request->body.size > 0)
        request->streams_body = !may_be_json(request->body.data[0]);
    return request->body.size > 0 || !request->body_open ? LG_NEXT : LG_WAIT;
}

enum lg_verdict lg_upload_look(struct lg_request *request)
{
    const struct lh_head *head = request->head;
    enum lg_verdict verdict = LG_NEXT;

    if (!ld_is_form(lh_head_get(head, LH_HEADER_CONTENT_TYPE)))
        verdict = take_first(request);
    if (verdict != LG_NEXT)
        return verdict;
    lg_client_want_body(request->client, false);
    if (!request->streams_body)
        return LG_NEXT;
    request->model = lb_arena_str(&request->arena, lh_head_get(head, LH_HEADER_X_LLMGR_MODEL));
    if (request->model.p == NULL)
        return lg_request_fail_memory(request);
    request->bytes_in = request->body.size;
    lg_count(request->worker, LG_METRIC_BYTES_IN, (int64_t)request->body.size);
    return LG_NEXT;
}

/* ---- Life ------------------------------------------------------------------------------------ */

llmgr_status lg_upload_open(struct lg_request *request, struct llmgr_error *err)
{
    struct lb_str type = lh_head_get(request->head, LH_HEADER_CONTENT_TYPE);
    struct lg_upload *upload = lb_arena_calloc(&request->arena, 1, sizeof *upload);
    llmgr_status status = LLMGR_OK;

    if (upload == NULL)
        return lb_fail_memory(err);
    upload->is_form = ld_is_form(type);
    if (upload->is_form)
        status = ld_form_stream_init(&upload->form, request->worker->host, type,
                                     request->attempt->target.model_name, err);
    if (status != LLMGR_OK)
        return status;
    upload->form.names_nothing = request->own != NULL && !request->own->only_notes;
    lb_buf_init(&upload->piece, request->worker->host, PIECE_OUT_MAX);
    request->upload = upload;
    return LLMGR_OK;
}

void lg_upload_free(struct lg_request *request)
{
    struct lg_upload *upload = request->upload;

    if (upload == NULL)
        return;
    if (upload->is_form)
        ld_form_stream_free(&upload->form);
    lb_buf_free(&upload->piece);
    request->upload = NULL;
}

void lg_upload_frame(const struct lg_request *request, struct lu_request *sent)
{
    const struct lh_head *head = request->head;

    if (!request->body_open)
        return; /* all of it is here */
    /* How long a form is without the old model and with the new one shows at its end. */
    bool known = head->body == LH_BODY_LENGTH && !request->upload->is_form;
    sent->body_kind = known ? LU_BODY_LENGTH : LU_BODY_CHUNKED;
    sent->body_size = known ? head->length : 0;
}

/* ---- Passing on ------------------------------------------------------------------------------ */

enum lg_verdict lg_upload_whole(struct lg_request *request)
{
    request->streams_body = false;
    return lg_read_rest(request);
}

static void give(struct lg_request *request, struct lb_str bytes)
{
    struct lg_upload *upload = request->upload;
    bool full = true;

    if (bytes.size == 0)
        return;
    if (lu_exchange_write(request->attempt->exchange, bytes, &full) != LLMGR_OK) {
        (void)lg_request_fail(request, LLMGR_ERR_IO, N_("the request's body cannot be passed on"));
        lg_attempt_stop(request->attempt, LLMGR_END_UPSTREAM_ERROR);
        return;
    }
    upload->room = !full;
}

static void take_payload(struct lg_request *request, struct lb_str payload)
{
    struct lg_upload *upload = request->upload;
    struct llmgr_error err = {0};

    request->bytes_in += payload.size;
    lg_count(request->worker, LG_METRIC_BYTES_IN, (int64_t)payload.size);
    if (request->bytes_in > request->settings->upload_max) {
        request->error_http = 413;
        (void)lg_request_fail(request, LLMGR_ERR_TOO_LARGE,
                              N_("the request's body is larger than %zu bytes"),
                              request->settings->upload_max);
        lg_attempt_stop(request->attempt, LLMGR_END_LIMIT_CUT);
        return;
    }
    if (!upload->is_form) {
        give(request, payload);
        return;
    }
    lb_buf_reset(&upload->piece);
    if (ld_form_stream_feed(&upload->form, payload, &upload->piece, &err) != LLMGR_OK) {
        (void)lg_request_fail_with(request, &err);
        lg_attempt_stop(request->attempt, LLMGR_END_CLIENT_GONE);
        return;
    }
    give(request, lb_buf_str(&upload->piece));
}

static void end_body(struct lg_request *request)
{
    struct lg_upload *upload = request->upload;
    struct llmgr_error err = {0};

    request->body_open = false;
    lb_buf_free(&upload->piece);
    if (upload->is_form && ld_form_stream_end(&upload->form, &err) != LLMGR_OK) {
        (void)lg_request_fail_with(request, &err);
        lg_attempt_stop(request->attempt, LLMGR_END_CLIENT_GONE);
    } else if (lu_exchange_finish(request->attempt->exchange) != LLMGR_OK) {
        (void)lg_request_fail(request, LLMGR_ERR_IO, N_("the request's body cannot be passed on"));
        lg_attempt_stop(request->attempt, LLMGR_END_UPSTREAM_ERROR);
    }
}

/* One piece; false if there is none. */
static bool feed_piece(struct lg_request *request)
{
    struct lb_str at_hand = lb_str_sub(request->client->now, 0, LD_FORM_PIECE_MAX);
    struct lb_str payload = {NULL, 0};
    size_t used = 0;

    enum lh_result result =
        lh_body_next(&request->decoder, at_hand.p, at_hand.size, &used, &payload);
    (void)lg_client_take(request->client, used);
    if (result == LH_FAILED) {
        (void)refuse(request, lh_body_error(&request->decoder));
        lg_attempt_stop(request->attempt, LLMGR_END_CLIENT_GONE);
        return false;
    }
    if (payload.size > 0)
        take_payload(request, payload);
    if (result == LH_DONE && !lg_attempt_is_over(request->attempt))
        end_body(request);
    return request->client->now.size > 0;
}

static bool wants_more(const struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;

    return request->body_open && request->upload->room && !lg_attempt_is_over(attempt) &&
           attempt->came != LG_CAME_REFUSAL;
}

void lg_upload_feed(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (request->late && !lg_attempt_is_over(attempt))
        lg_attempt_stop(request->attempt, LLMGR_END_CLIENT_GONE);
    while (wants_more(request) && feed_piece(request))
        continue;
    bool wants = wants_more(request);
    if (wants)
        lg_send_continue(request);
    lg_client_want_body(request->client, wants);
}

void lg_upload_room(struct lg_request *request)
{
    struct lg_upload *upload = request->upload;

    if (upload == NULL || request->attempt->exchange == NULL)
        return;
    lg_body_free(request); /* its first piece has gone */
    upload->room = true;
    lg_request_run(request);
}
