/* SPDX-License-Identifier: MIT */
/* The answer on its way: what the exchange tells, and what becomes of it. See the header. */
#include "gateway/relay.h"

#include <string.h>

#include "base/raw.h"
#include "dialect/error_write.h"
#include "dialect/filter.h"
#include "dialect/retry_after.h"
#include "gateway/answer.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/body.h"
#include "gateway/client.h"
#include "gateway/filter.h"
#include "gateway/own.h"
#include "gateway/park.h"
#include "gateway/refusal.h"
#include "gateway/relay_head.h"
#include "gateway/signing.h"
#include "gateway/upload.h"
#include "gateway/window.h"
#include "gateway/work.h"
#include "http/chunked.h"
#include "http/write.h"
#include "net/conn.h"

enum { DRAIN_MS = 250 }; /* between the event that ends a stream and the end of its body */

/* ---- Keeping it alive ------------------------------------------------------------------------ */

static void ping_again(struct lg_request *request);

static void write_chunk(struct lg_request *request, struct lb_str head, struct lb_str bytes)
{
    char size[LH_CHUNK_HEAD_MAX];
    struct lb_str slices[4] = {head, {NULL, 0}, bytes, {NULL, 0}};

    if (request->chunked) {
        slices[1] = lb_str(size, lh_chunk_head(size, bytes.size));
        slices[3] = LB_STR(LH_CHUNK_TAIL);
    }
    (void)lg_client_write(request->client, slices, 4);
}

bool lg_relay_at_boundary(const struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;

    return attempt->events && (attempt->filter == NULL || attempt->is_astray ||
                               ld_filter_at_boundary(attempt->filter));
}

/*
 * Silence. Between two events of a stream a ping goes out; before the platform's head it also
 * commits us to status 200, which is better than the hop in front of us giving up.
 */
static void send_ping(void *context)
{
    struct lg_request *request = lg_request_of(context);
    struct lg_attempt *attempt = request->attempt;
    bool begun = attempt->filter != NULL && attempt->filter->report.events > 0;
    struct lb_str text = ld_ping(lg_request_shape(request), begun);
    struct lb_str head = {NULL, 0};

    ping_again(request);
    if (attempt->came == LG_CAME_REFUSAL || ln_conn_queued(request->client->conn) > 0)
        return;
    if (!attempt->head_left) {
        struct lb_buf *out = lg_answer_head(request, 200);
        lg_relay_stream_fields(out);
        lg_answer_head_end(request, -1);
        attempt->head_left = attempt->pinged = attempt->events = true;
        lg_attempt_drop_deferred(attempt);
        head = lb_buf_str(out);
    } else if (!lg_relay_at_boundary(request)) {
        return;
    }
    write_chunk(request, head, text);
}

static void ping_again(struct lg_request *request)
{
    int64_t after = request->settings->ping_ms;

    if (after > 0)
        ln_timer_start(request->worker->loop, &request->ping, after, send_ping, request);
}

void lg_relay_start(struct lg_request *request)
{
    if (!lg_ask_stream(request->ask) || !lg_request_endpoint(request)->streams ||
        lg_own_holds(request->own))
        return;
    if (request->attempt->may_move)
        lg_window_watch(request);
    else
        ping_again(request);
}

/* ---- The head -------------------------------------------------------------------------------- */

static bool open_signing(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (!attempt->signs)
        return true;
    attempt->signing = lg_signing_new(request, attempt->family, attempt->filter->stream);
    return attempt->signing != NULL;
}

/*
 * Our head, into the worker's buffer; it leaves with the first bytes of the body. `head` is the
 * platform's, or NULL: what was kept of it.
 */
static void write_head(struct lg_request *request, const struct lh_head *head)
{
    struct lg_attempt *attempt = request->attempt;
    const struct lg_deferred *deferred = attempt->deferred;
    attempt->could_stay = request->keep_alive;
    struct lb_buf *out = lg_answer_head(request, attempt->upstream_status);
    struct lb_str type = head != NULL ? lh_head_get(head, LH_HEADER_CONTENT_TYPE) : deferred->type;
    int64_t length = head != NULL ? lg_relay_length(attempt, head) : deferred->length;

    if (attempt->events)
        lg_relay_stream_fields(out);
    else if (type.p != NULL)
        lh_write_named(out, LH_NAME("content-type"), type);
    if (head != NULL)
        lg_relay_shown_fields(request, head, out);
    else
        lb_buf_add_str(out, lb_buf_str(&deferred->shown));
    lg_answer_head_end(request, attempt->events ? -1 : length);
    if (!attempt->events)
        ln_timer_stop(&request->ping);
}

/* What is not known yet waits for the first bytes: a head is kept without its type. */
static bool defer_head(struct lg_request *request, const struct lh_head *head)
{
    struct lg_attempt *attempt = request->attempt;
    struct lb_str type = lh_head_get(head, LH_HEADER_CONTENT_TYPE);

    struct lg_deferred *deferred = lb_arena_alloc(&request->arena, sizeof *deferred);
    if (deferred == NULL)
        return false;
    *deferred = (struct lg_deferred){.length = lg_relay_length(attempt, head)};
    lb_buf_init(&deferred->shown, request->worker->host, LG_SHOWN_MAX);
    attempt->deferred = deferred;
    lg_relay_shown_fields(request, head, &deferred->shown);
    if (type.p != NULL)
        deferred->type = lb_arena_str(&request->arena, type);
    return deferred->shown.failed == LLMGR_OK && (type.p == NULL || deferred->type.p != NULL);
}

/* A 2xx. Was a stream asked for, and its content type is another, then it may be one nevertheless.
 */
static bool begin_answer(struct lg_request *request, const struct lh_head *head)
{
    request->attempt->came = LG_CAME_ANSWER;
    struct ld_filter *filter = lg_filter_new(request, head);
    if (filter == NULL)
        return false;
    struct lg_attempt *attempt = request->attempt; /* it may have moved */
    attempt->filter = filter;
    if (!attempt->filter->decided && !attempt->filter->stream && !lg_own_holds(request->own) &&
        request->ask != NULL && lg_ask_stream(request->ask))
        return attempt->pinged || defer_head(request, head);
    if (!open_signing(request))
        return false;
    attempt->is_known = attempt->filter->decided;
    if (!attempt->pinged) {
        attempt->events = attempt->filter->stream;
        write_head(request, head);
    }
    return !lg_own_holds(request->own) || lg_own_hold_head(request);
}

/*
 * The first bytes are here. Of a stream that has begun, nothing but events can be told. An error
 * that comes whole where a stream was asked for is told as one, too: readers of events see no more.
 */
static void decide_answer(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;
    const struct ld_filter *filter = attempt->filter;

    attempt->is_known = true;
    if (attempt->signing == NULL && !open_signing(request)) {
        lg_relay_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
        return;
    }
    if (attempt->deferred != NULL) {
        attempt->events = filter->stream || filter->report.failed;
        write_head(request, NULL);
    }
    lg_attempt_drop_deferred(attempt);
    attempt->is_astray = attempt->events && !filter->stream;
}

/* What is whole waits, in silence, until something of it leaves: an error is known then. */
static void decide_if_known(struct lg_request *request, const struct ld_filter_out *out)
{
    struct lg_attempt *attempt = request->attempt;

    if (attempt->is_known || !attempt->filter->decided)
        return;
    if (!attempt->filter->stream && !attempt->events) {
        ln_timer_stop(&request->ping);
        if (out->count == 0)
            return;
    }
    decide_answer(request);
}

static void on_head(struct lu_exchange *exchange, void *context, const struct lh_head *head)
{
    struct lg_request *request = lg_request_of(context);
    struct lg_attempt *attempt = request->attempt;
    struct lg_worker *worker = request->worker;

    (void)exchange;
    attempt->upstream_status = head->status;
    attempt->first_byte_at = ln_loop_now(worker->loop);
    worker->pass_count = 0;
    if (head->status >= 200 && head->status < 300) {
        if (!begin_answer(request, head))
            lg_relay_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
        return;
    }
    attempt->came = LG_CAME_REFUSAL;
    attempt->retry_after_ms = ld_retry_after_ms(head, lb_now_ms(worker->host));
}

/* ---- The body -------------------------------------------------------------------------------- */

/* What a window held may be more than a client's queue takes else: it has been paid for. */
static void write_out(struct lg_request *request, const struct lb_str *slices, size_t count)
{
    const struct lg_held *held = request->attempt->held;
    struct ln_conn *conn = request->client->conn;

    if (count == 0)
        return;
    if (held != NULL)
        ln_conn_set_marks(conn, LG_OUT_CAP + held->bytes.size, LG_OUT_LOW);
    (void)lg_client_write(request->client, slices, count);
    if (held != NULL)
        ln_conn_set_marks(conn, LG_OUT_CAP, LG_OUT_LOW);
}

/* One write: head if it has not left yet, the slices gathered, the end if `last`. */
static void flush_out(struct lg_request *request, bool last)
{
    struct lg_attempt *attempt = request->attempt;
    struct lg_worker *worker = request->worker;
    LB_RAW struct lb_str slices[LN_SLICES_MAX];
    char size[LH_CHUNK_HEAD_MAX];
    size_t count = 0, total = 0;

    if (lg_window_is_open(attempt) && lg_window_hold(request))
        return;
    if (!attempt->head_left)
        slices[count++] = lg_window_release(request);
    attempt->head_left = true;
    for (size_t i = 0; i < worker->pass_count; i++)
        total += worker->pass[i].size;
    if (total > 0 && !request->head_only) {
        if (request->chunked)
            slices[count++] = lb_str(size, lh_chunk_head(size, total));
        memcpy(slices + count, worker->pass, worker->pass_count * sizeof *slices);
        count += worker->pass_count;
        if (request->chunked && !last)
            slices[count++] = LB_STR(LH_CHUNK_TAIL);
        else if (request->chunked)
            slices[count++] = LB_STR(LH_CHUNK_TAIL LH_CHUNK_END);
    } else if (request->chunked && last) {
        slices[count++] = LB_STR(LH_CHUNK_END);
    }
    worker->pass_count = 0;
    worker->pass_short_lived = false;
    if (attempt->signing != NULL)
        lg_signing_left(attempt->signing);
    write_out(request, slices, count);
    lg_window_left(attempt);
}

/*
 * One slice more that is to leave. What lies elsewhere than in `fed` is the filter's own memory and
 * lives until it is fed again: such slices leave before.
 */
static void gather_slice(struct lg_request *request, struct lb_str slice, struct lb_str fed)
{
    struct lg_worker *worker = request->worker;

    if (slice.size == 0)
        return;
    if (worker->pass_count == LG_PASS_MAX)
        flush_out(request, false);
    if (slice.p < fed.p || slice.p >= fed.p + fed.size)
        worker->pass_short_lived = true;
    worker->pass[worker->pass_count++] = slice;
    request->bytes_out += slice.size;
}

/* The same with the tails of its ids, which leave before the next ones are made. */
static void sign_slice(struct lg_request *request, struct lb_str slice, struct lb_str fed)
{
    struct lg_signing *signing = request->attempt->signing;
    struct ld_signer_out out;

    while (slice.size > 0) {
        if (lg_signing_waits(signing))
            flush_out(request, false);
        size_t used = lg_signing_feed(signing, slice, &out);
        for (size_t i = 0; i < out.count; i++)
            gather_slice(request, out.slice[i], fed);
        slice = lb_str_sub(slice, used, slice.size);
    }
}

/* Gathers what the filter lets through of `fed`; what has gone astray is kept to be told of. */
static void pass_slices(struct lg_request *request, const struct ld_filter_out *out,
                        struct lb_str fed)
{
    struct lg_attempt *attempt = request->attempt;

    for (size_t i = 0; i < out->count; i++) {
        if (attempt->is_astray)
            (void)ld_abridge_add(&attempt->abridge, &attempt->refusal, out->slice[i]);
        else if (attempt->signing != NULL)
            sign_slice(request, out->slice[i], fed);
        else
            gather_slice(request, out->slice[i], fed);
    }
}

static void on_body(struct lu_exchange *exchange, void *context, struct lb_str bytes)
{
    struct lg_request *request = lg_request_of(context);
    struct lg_attempt *attempt = request->attempt;
    struct ld_filter_out out;

    (void)exchange;
    if (attempt->came == LG_CAME_REFUSAL) {
        (void)ld_abridge_add(&attempt->abridge, &attempt->refusal, bytes);
        return;
    }
    if (lg_own_holds(request->own)) {
        if (!lg_own_hold(request, bytes))
            lg_relay_fail(request, LLMGR_ERR_PROTOCOL,
                          N_("the platform's answer is too long to be recorded"));
        return;
    }
    while (bytes.size > 0) {
        if (request->worker->pass_short_lived)
            flush_out(request, false);
        size_t used = ld_filter_feed(attempt->filter, bytes, &out);
        decide_if_known(request, &out);
        pass_slices(request, &out, bytes);
        bytes = lb_str_sub(bytes, used, bytes.size);
    }
}

/* An answer comes, so no other attempt follows: once the body is sent, nobody needs it. */
static void release_body(struct lg_request *request)
{
    const struct lu_stats *stats = lu_exchange_stats(request->attempt->exchange);

    if (request->body.capacity > 0 && stats->sent_at >= 0)
        lg_body_free(request);
}

static void hold_back(struct lg_request *request)
{
    if (ln_conn_queued(request->client->conn) > LG_OUT_HIGH)
        lu_exchange_pause(request->attempt->exchange);
}

void lg_request_drained(struct lg_request *request)
{
    if (request->attempt != NULL && request->attempt->exchange != NULL)
        lu_exchange_resume(request->attempt->exchange);
}

/* All of the answer is here: gathers what is left of it. */
static void gather_last(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;
    struct ld_filter_out out;

    if (request->worker->pass_short_lived)
        flush_out(request, false);
    ld_filter_finish(attempt->filter, &out);
    if (!attempt->is_known)
        decide_answer(request);
    pass_slices(request, &out, lb_str(NULL, 0));
    if (lg_window_is_open(attempt) && !lg_window_end(request))
        return;
    if (attempt->is_astray) {
        if (!attempt->head_left)
            flush_out(request,
                      false); /* the stream that its type announced, for an event of ours */
        lg_attempt_stop(attempt, LLMGR_END_UPSTREAM_ERROR);
        lg_refusal_astray(request);
        return;
    }
    attempt->end = lg_attempt_end(attempt);
    if (attempt->filter->stream && !attempt->filter->report.terminal &&
        attempt->end == LLMGR_END_COMPLETED)
        lb_debug(request->worker->host, "%.*s: the stream ended without its last event",
                 (int)request->id.size, request->id.p);
    attempt->is_whole = lg_attempt_is_told(attempt);
    attempt->state = LG_ATTEMPT_LAST;
}

void lg_relay_last(struct lg_request *request)
{
    const bool whole = request->attempt->is_whole;

    request->answered = whole;
    flush_out(request, whole);
}

static void complete_answer(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (attempt->came != LG_CAME_ANSWER)
        attempt->state = LG_ATTEMPT_OVER;
    else if (lg_own_holds(request->own))
        attempt->state = LG_ATTEMPT_HELD;
    else
        gather_last(request);
    if (attempt->exchange != NULL)
        lu_exchange_forget(attempt->exchange);
    attempt->exchange = NULL;
    lg_request_run(request);
}

/* The stream has told its end, and the platform keeps its body open: it is waited for no longer. */
static void drain_over(void *context)
{
    struct lg_request *request = lg_request_of(context);

    if (request->attempt->exchange != NULL)
        lu_exchange_cancel(request->attempt->exchange);
}

/* Bytes came: the silence begins anew, unless nothing but the end of the body can follow. */
static void watch_end(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (attempt->is_draining)
        return;
    attempt->is_draining = lg_attempt_has_ended(attempt);
    if (attempt->is_draining)
        ln_timer_start(request->worker->loop, &request->ping, DRAIN_MS, drain_over, request);
    else if (attempt->events && ln_timer_running(&request->ping))
        ping_again(request);
}

/* The window is over: the silence of a stream begins to count. */
static void end_window(struct lg_request *request)
{
    request->attempt->window_over = false;
    if (request->attempt->filter->stream)
        ping_again(request);
}

static void on_batch(struct lu_exchange *exchange, void *context, bool is_complete)
{
    struct lg_request *request = lg_request_of(context);
    struct lg_attempt *attempt = request->attempt;

    (void)exchange;
    if (is_complete) {
        complete_answer(request);
        return;
    }
    if (attempt->came == LG_CAME_REFUSAL && attempt->abridge.is_over) {
        attempt->state = LG_ATTEMPT_OVER; /* enough to tell what it says */
        lg_request_run(request);
        return;
    }
    if (attempt->came != LG_CAME_ANSWER || lg_own_holds(request->own))
        return;
    if (attempt->filter != NULL && attempt->filter->report.withheld > LG_WITHHELD_MAX) {
        lg_relay_fail(request, LLMGR_ERR_PROTOCOL, N_("the platform's error does not end"));
        return;
    }
    if (lg_window_is_open(attempt)) {
        enum lg_window_state state = lg_window_look(request);
        if (state == LG_WINDOW_FAILED)
            lg_request_run(request);
        if (state != LG_WINDOW_OVER)
            return;
    }
    if (attempt->deferred == NULL && (!attempt->head_left || request->worker->pass_count > 0))
        flush_out(request, false);
    if (attempt->window_over)
        end_window(request);
    watch_end(request);
    release_body(request);
    if (!attempt->is_astray)
        lg_park_begun(request);
    hold_back(request);
}

static void on_end(struct lu_exchange *exchange, void *context, const struct llmgr_error *err)
{
    struct lg_request *request = lg_request_of(context);
    struct lg_attempt *attempt = request->attempt;

    attempt->is_unsent = lu_exchange_stats(exchange)->connected_at < 0;
    attempt->exchange = NULL;
    if (err->status == LLMGR_OK || lg_attempt_has_ended(attempt)) {
        complete_answer(request);
        return;
    }
    lg_attempt_stop(attempt, attempt->came == LG_CAME_ANSWER ? LLMGR_END_UPSTREAM_CUT
                                                             : LLMGR_END_UPSTREAM_ERROR);
    (void)lg_request_fail_with(request, err);
    lg_request_run(request);
}

static void on_drained(struct lu_exchange *exchange, void *context)
{
    (void)exchange;
    lg_upload_room(lg_request_of(context));
}

const struct lu_face lg_relay_face = {
    .head = on_head,
    .body = on_body,
    .batch = on_batch,
    .drained = on_drained,
    .end = on_end,
};

/* ---- The step -------------------------------------------------------------------------------- */

/* What was held leaves as if it had just come. */
static enum lg_verdict release_held(struct lg_request *request)
{
    lb_buf_reset(&request->worker->out);
    lb_buf_add_str(&request->worker->out, lb_buf_str(&request->own->head));
    request->worker->pass_count = 0;
    on_body(NULL, request, lb_buf_str(&request->own->held));
    gather_last(request);
    return lg_step_relay(request);
}

static enum lg_verdict fail(struct lg_request *request)
{
    (void)lg_attempt_judge(request);
    return LG_FAIL;
}

/*
 * The answer has ended as HTTP wants it, but incomplete. A platform that does so before anything of
 * it could leave has nothing to say, which is no fault of the network's.
 */
static enum lg_verdict fail_early_end(struct lg_request *request)
{
    static const char text[] = N_("the platform's answer ended before it was complete");

    if (request->attempt->head_left) {
        (void)lg_request_fail(request, LLMGR_ERR_CUT, text);
        return fail(request);
    }
    (void)lg_attempt_judge(request);
    return lg_request_fail(request, LLMGR_ERR_CUT, text);
}

enum lg_verdict lg_step_relay(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;

    if (lg_work_is_done(request))
        return lg_work_finish(request);
    if (request->upload != NULL && request->body_open)
        lg_upload_feed(request);
    if (attempt->state == LG_ATTEMPT_HELD && !request->working)
        return lg_own_record(request, release_held);
    if (!lg_attempt_is_over(attempt))
        return LG_WAIT;
    if (request->error == NULL && attempt->is_whole)
        return LG_DONE;
    if (request->error == NULL && attempt->came == LG_CAME_REFUSAL)
        return lg_refusal_judge(request);
    return request->error == NULL ? fail_early_end(request) : fail(request);
}
