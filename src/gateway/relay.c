/* SPDX-License-Identifier: MIT */
/* The answer on its way: what the exchange tells, and what becomes of it. See the header. */
#include "gateway/relay.h"

#include <string.h>

#include "base/raw.h"
#include "dialect/error_read.h"
#include "dialect/error_write.h"
#include "gateway/answer.h"
#include "gateway/ask.h"
#include "gateway/body.h"
#include "gateway/client.h"
#include "gateway/filter.h"
#include "gateway/own.h"
#include "gateway/refusal.h"
#include "gateway/relay_head.h"
#include "gateway/signing.h"
#include "gateway/upload.h"
#include "gateway/work.h"
#include "http/chunked.h"
#include "http/write.h"
#include "manager/platforms.h"
#include "net/conn.h"
#include "routing/verdict.h"

/* ---- Life ------------------------------------------------------------------------------------ */

struct lg_relay *lg_relay_new(struct lg_request *request)
{
    struct lg_relay *relay = lb_arena_alloc(&request->arena, sizeof *relay);

    if (relay == NULL)
        return NULL;
    memset(relay, 0, sizeof *relay);
    relay->first_byte_at = -1;
    relay->retry_after_ms = -1;
    relay->end = LLMGR_END_UPSTREAM_ERROR;
    lb_buf_init(&relay->refusal, request->worker->host, LG_REFUSAL_MAX);
    request->relay = relay;
    return relay;
}

void lg_relay_free(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;

    ln_timer_stop(&request->ping);
    if (request->exchange != NULL)
        lu_exchange_forget(request->exchange);
    request->exchange = NULL;
    if (relay == NULL)
        return;
    lb_buf_free(&relay->refusal);
    lg_signing_free(relay->signing);
    relay->signing = NULL;
    if (relay->filter != NULL)
        ld_filter_free(relay->filter);
    relay->filter = NULL;
}

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

/*
 * Silence. Between two events of a stream a ping goes out; before the platform's head it also
 * commits us to status 200, which is better than the hop in front of us giving up.
 */
static void ping(void *context)
{
    struct lg_request *request = context;
    struct lg_relay *relay = request->relay;
    struct lb_str text = ld_ping(lg_request_shape(request));
    struct lb_str head = {NULL, 0};

    ping_again(request);
    if (relay->refused || ln_conn_queued(request->client->conn) > 0)
        return;
    if (!relay->head_sent) {
        struct lb_buf *out = lg_answer_head(request, 200);
        lg_relay_stream_fields(out);
        lg_answer_head_end(request, -1);
        relay->head_sent = relay->pinged = relay->events = true;
        head = lb_buf_str(out);
    } else if (!relay->events || (relay->filter != NULL && !ld_filter_at_boundary(relay->filter))) {
        return;
    }
    write_chunk(request, head, text);
}

static void ping_again(struct lg_request *request)
{
    int64_t after = request->settings->ping_ms;

    if (after > 0)
        ln_timer_start(request->worker->loop, &request->ping, after, ping, request);
}

void lg_relay_start(struct lg_request *request)
{
    if (lg_ask_stream(request->ask) && lg_request_endpoint(request)->streams &&
        !lg_own_holds(request->own))
        ping_again(request);
}

/* ---- The head -------------------------------------------------------------------------------- */

/* A 2xx: our head, into the worker's buffer; it leaves with the first bytes of the body. */
static void begin_answer(struct lg_request *request, const struct lh_head *head)
{
    struct lg_relay *relay = request->relay;
    struct lb_str type = lh_head_get(head, LH_HEADER_CONTENT_TYPE);

    relay->relayed = true;
    relay->filter = lg_filter_new(request, head);
    if (relay->filter == NULL) {
        lg_relay_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
        return;
    }
    if (relay->signs) {
        relay->signing = lg_signing_new(request, relay->family, relay->filter->stream);
        if (relay->signing == NULL) {
            lg_relay_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
            return;
        }
    }
    if (relay->pinged) {
        if (!relay->filter->stream)
            lg_relay_fail(request, LLMGR_ERR_PROTOCOL,
                          N_("the platform answers a stream that has begun with a whole answer"));
        return;
    }
    relay->events = relay->filter->stream;
    struct lb_buf *out = lg_answer_head(request, head->status);
    if (relay->events)
        lg_relay_stream_fields(out);
    else if (type.p != NULL)
        lh_write_named(out, LH_NAME("content-type"), type);
    lg_relay_shown_fields(request, head, out);
    lg_answer_head_end(request, lg_relay_length(relay, head));
    if (!relay->events)
        ln_timer_stop(&request->ping);
    if (lg_own_holds(request->own) && !lg_own_hold_head(request))
        lg_relay_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
}

static void on_head(struct lu_exchange *exchange, void *context, const struct lh_head *head)
{
    struct lg_request *request = context;
    struct lg_relay *relay = request->relay;
    struct lg_worker *worker = request->worker;

    (void)exchange;
    relay->upstream_status = head->status;
    relay->first_byte_at = ln_loop_now(worker->loop);
    worker->pass_count = 0;
    if (head->status >= 200 && head->status < 300) {
        begin_answer(request, head);
        if (relay->events)
            lg_request_settle_in(request);
        return;
    }
    relay->refused = true;
    relay->retry_after_ms = ld_retry_after_ms(head, lb_now_ms(worker->host));
}

/* ---- The body -------------------------------------------------------------------------------- */

/* One write: head if it has not left yet, the slices gathered, the end if `last`. */
static void flush(struct lg_request *request, bool last)
{
    struct lg_relay *relay = request->relay;
    struct lg_worker *worker = request->worker;
    LB_RAW struct lb_str slices[LN_SLICES_MAX];
    char size[LH_CHUNK_HEAD_MAX];
    size_t count = 0, total = 0;

    if (!relay->head_sent)
        slices[count++] = lb_buf_str(&worker->out);
    relay->head_sent = true;
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
    if (relay->signing != NULL)
        lg_signing_left(relay->signing);
    request->bytes_out += total;
    if (count > 0)
        (void)lg_client_write(request->client, slices, count);
}

/*
 * One slice more that is to leave. What lies elsewhere than in `fed` is the filter's own memory and
 * lives until it is fed again: such slices leave before.
 */
static void gather(struct lg_request *request, struct lb_str slice, struct lb_str fed)
{
    struct lg_worker *worker = request->worker;

    if (slice.size == 0)
        return;
    if (worker->pass_count == LG_PASS_MAX)
        flush(request, false);
    if (slice.p < fed.p || slice.p >= fed.p + fed.size)
        worker->pass_short_lived = true;
    worker->pass[worker->pass_count++] = slice;
}

/* The same with the tails of its ids, which leave before the next ones are made. */
static void sign(struct lg_request *request, struct lb_str slice, struct lb_str fed)
{
    struct lg_signing *signing = request->relay->signing;
    struct ld_signer_out out;

    while (slice.size > 0) {
        if (lg_signing_waits(signing))
            flush(request, false);
        size_t used = lg_signing_feed(signing, slice, &out);
        for (size_t i = 0; i < out.count; i++)
            gather(request, out.slice[i], fed);
        slice = lb_str_sub(slice, used, slice.size);
    }
}

/* Gathers what the filter lets through of `fed`. */
static void pass(struct lg_request *request, const struct ld_filter_out *out, struct lb_str fed)
{
    for (size_t i = 0; i < out->count; i++) {
        if (request->relay->signing != NULL)
            sign(request, out->slice[i], fed);
        else
            gather(request, out->slice[i], fed);
    }
}

static void on_body(struct lu_exchange *exchange, void *context, struct lb_str bytes)
{
    struct lg_request *request = context;
    struct lg_relay *relay = request->relay;
    struct ld_filter_out out;

    (void)exchange;
    if (relay->refused) {
        size_t room = LG_REFUSAL_MAX - relay->refusal.size;
        lb_buf_add_str(&relay->refusal, lb_str_sub(bytes, 0, room));
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
            flush(request, false);
        size_t used = ld_filter_feed(relay->filter, bytes, &out);
        pass(request, &out, bytes);
        bytes = lb_str_sub(bytes, used, bytes.size);
    }
}

/* The request's memory that nobody needs any more while a stream goes on. */
static void release_body(struct lg_request *request)
{
    const struct lu_stats *stats = lu_exchange_stats(request->exchange);

    if (request->body.capacity > 0 && stats->sent_at >= 0 && !request->relay->refused)
        lg_body_free(request);
}

static void hold_back(struct lg_request *request)
{
    if (ln_conn_queued(request->client->conn) > LG_OUT_HIGH)
        lu_exchange_pause(request->exchange);
}

void lg_request_drained(struct lg_request *request)
{
    if (request->exchange != NULL)
        lu_exchange_resume(request->exchange);
}

/* All of the answer is here. What is left of it leaves after the record is in the journal. */
static void finish(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;
    struct ld_filter_out out;

    relay->is_over = true;
    if (relay->relayed) {
        if (request->worker->pass_short_lived)
            flush(request, false);
        ld_filter_finish(relay->filter, &out);
        pass(request, &out, lb_str(NULL, 0));
        bool whole = ld_filter_complete(relay->filter);
        relay->end = whole ? LLMGR_END_COMPLETED : LLMGR_END_UPSTREAM_CUT;
        lg_settle_attempt(request);
        request->answered = whole;
        flush(request, whole);
    }
}

static void complete(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;

    if (relay->relayed && lg_own_holds(request->own))
        relay->is_held = true;
    else
        finish(request);
    if (request->exchange != NULL)
        lu_exchange_forget(request->exchange);
    request->exchange = NULL;
    lg_request_run(request);
}

static void on_batch(struct lu_exchange *exchange, void *context, bool is_complete)
{
    struct lg_request *request = context;
    struct lg_relay *relay = request->relay;

    (void)exchange;
    if (is_complete) {
        complete(request);
        return;
    }
    if (relay->refused && relay->refusal.size == LG_REFUSAL_MAX) {
        relay->is_over = true; /* enough to tell what it says */
        lg_request_run(request);
        return;
    }
    if (!relay->relayed || lg_own_holds(request->own))
        return;
    if (!relay->head_sent || request->worker->pass_count > 0)
        flush(request, false);
    if (relay->events && ln_timer_running(&request->ping))
        ping_again(request);
    release_body(request);
    hold_back(request);
}

static void on_end(struct lu_exchange *exchange, void *context, const struct llmgr_error *err)
{
    struct lg_request *request = context;
    struct lg_relay *relay = request->relay;

    (void)exchange;
    request->exchange = NULL;
    if (err->status == LLMGR_OK) {
        complete(request);
        return;
    }
    relay->is_over = true;
    relay->end = relay->relayed ? LLMGR_END_UPSTREAM_CUT : LLMGR_END_UPSTREAM_ERROR;
    (void)lg_request_fail_with(request, err);
    lg_request_run(request);
}

static void on_drained(struct lu_exchange *exchange, void *context)
{
    (void)exchange;
    lg_upload_room(context);
}

const struct lu_face lg_relay_face = {
    .head = on_head,
    .body = on_body,
    .batch = on_batch,
    .drained = on_drained,
    .end = on_end,
};

/* ---- A verdict ------------------------------------------------------------------------------- */

static void learn(void *context)
{
    const struct lg_request *request = context;
    struct llmgr_error err = {0};
    int64_t platform = request->target.platform_id;

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

/*
 * The answer has left. If it was what the same request without stream_options came to, the
 * platform's word about them is believed.
 */
static enum lg_verdict answered(struct lg_request *request)
{
    if (!request->may_learn || request->relay->filter->report.failed || request->cut)
        return LG_DONE;
    request->may_learn = false;
    enum lg_verdict verdict = lg_work_start(request, learn, learned, request);
    if (verdict == LG_WAIT)
        return verdict;
    request->error = NULL; /* the caller has his answer */
    return LG_DONE;
}

/* Can it be a verdict for others? */
static bool may_teach(const struct lg_request *request)
{
    const struct lb_str said[] = {request->target.extra_body, lb_buf_str(&request->body)};

    return request->ask->peek.options_at.size == 0 && lo_may_teach(said, 2);
}

/* ---- A refusal ------------------------------------------------------------------------------- */

static struct lo_verdict judge(const struct lg_request *request)
{
    const struct lg_relay *relay = request->relay;
    const struct lo_outcome outcome = {
        .http_status = relay->upstream_status,
        .refusal = lb_buf_str(&relay->refusal),
        .attempt = request->attempt,
        .answer_has_begun = relay->head_sent,
        .asked_usage = relay->asked_usage,
        .options_have_more = relay->asked_usage && request->ask->peek.options_more,
    };

    return lo_judge(&outcome);
}

static void fill_error(struct lg_request *request)
{
    const struct lg_relay *relay = request->relay;
    const struct ld_refusal refusal = {
        .host = request->worker->host,
        .http_status = relay->upstream_status,
        .body = lb_buf_str(&relay->refusal),
        .retry_after_ms = relay->retry_after_ms,
        .platform = request->target.platform_name,
        .model = request->target.model_name,
    };

    struct llmgr_error *err = lg_request_error(request);
    ld_fail_http(err, &refusal);
    lg_refusal_mask(request, err->message, strlen(err->message)); /* cleaned, it may be one again */
}

/* The platform's own words, in the shape of the endpoint and under the status it gave. */
static enum lg_verdict pass_refusal(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;
    enum ld_shape shape = lg_request_shape(request);
    struct lb_str said = lb_buf_str(&relay->refusal);
    struct lb_buf *body = &request->worker->words;
    struct ld_problem problem;

    lg_settle_attempt(request);
    ld_problem_of_http(relay->upstream_status, &problem);
    lb_buf_reset(body);
    if (ld_error_fits(shape, said))
        lb_buf_add_str(body, said);
    else
        ld_error_reshape(shape, relay->upstream_status, said, lg_request_public_id(request), body);
    if (body->failed == LLMGR_ERR_NO_MEMORY)
        return lg_request_fail(request, body->failed, N_("out of memory"));
    lg_refusal_mask(request, body->data, body->size);
    struct lb_buf *out = lg_answer_head(request, relay->upstream_status);
    if (relay->retry_after_ms >= 0)
        lh_write_named_u64(out, LH_NAME("retry-after"),
                           (uint64_t)(relay->retry_after_ms + 999) / 1000);
    if (problem.retry != LD_RETRY_UNSAID)
        lh_write_named(out, LH_NAME("x-should-retry"),
                       problem.retry == LD_RETRY_YES ? LB_STR("true") : LB_STR("false"));
    lg_answer_whole(request, LB_STR("application/json"), lb_buf_str(body));
    return LG_DONE;
}

static enum lg_verdict refuse(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;

    lg_refusal_mask(request, relay->refusal.data, relay->refusal.size);
    const struct lo_verdict verdict = judge(request);
    if (verdict.next == LO_NEXT_WITHOUT_OPTIONS) {
        request->no_options = true;
        request->may_learn = may_teach(request);
        request->retry = !request->gone;
        return LG_NEXT;
    }
    if (relay->head_sent) {
        fill_error(request);
        lg_settle_attempt(request);
        lg_answer_cut(request, true);
        return LG_DONE;
    }
    if (verdict.fault != LO_FAULT_KEY)
        return pass_refusal(request);
    /* Their word about our key must not read like a word about the caller's token. */
    fill_error(request);
    return LG_FAIL;
}

/* What was held leaves as if it had just come. */
static enum lg_verdict release(struct lg_request *request)
{
    lb_buf_reset(&request->worker->out);
    lb_buf_add_str(&request->worker->out, lb_buf_str(&request->own->head));
    request->relay->is_held = false;
    request->worker->pass_count = 0;
    on_body(NULL, request, lb_buf_str(&request->own->held));
    finish(request);
    return lg_step_relay(request);
}

/* ---- The step -------------------------------------------------------------------------------- */

enum lg_verdict lg_step_relay(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;

    if (lg_work_is_done(request))
        return lg_work_finish(request);
    if (request->upload != NULL && request->body_open)
        lg_upload_feed(request);
    if (relay->is_held && !request->working)
        return lg_own_record(request, release);
    if (!relay->is_over)
        return LG_WAIT;
    if (request->error == NULL && relay->refused)
        return refuse(request);
    if (request->error == NULL && request->answered)
        return answered(request);
    if (request->error == NULL)
        (void)lg_request_fail(request, LLMGR_ERR_CUT,
                              N_("the platform's answer ended before it was complete"));
    if (!relay->head_sent)
        return LG_FAIL;
    lg_settle_attempt(request);
    lg_answer_cut(request,
                  relay->events && (relay->filter == NULL || ld_filter_at_boundary(relay->filter)));
    return LG_DONE;
}
