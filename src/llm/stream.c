/* SPDX-License-Identifier: MIT */
/*
 * A streamed attempt. A platform that answers a request for a stream with a whole answer is taken
 * at its word: the caller gets it as one chunk. See attempt.h.
 *
 *     bytes --> tap --> events --> [held: no content yet] --> chunks --> the caller's callback
 *                                     failed: dropped
 */
#include <string.h>

#include "base/error.h"
#include "base/magic.h"
#include "dialect/chat.h"
#include "dialect/tap.h"
#include "llm/attempt.h"
#include "llm/run.h"

enum { STREAMING_MAGIC = 0x6c697374 };

/* The state of a streamed attempt. */
struct streaming {
    unsigned magic;
    struct li_attempt *attempt;
    struct ld_chat_stream *stream;
    bool tapped;       /* bytes came: */
    struct ld_tap tap; /* sees what they are and where an event ends that has no empty line */
    struct lh_sse sse;
    bool is_held;       /* no content came yet, and another attempt may follow */
    uint64_t events;    /* that are held: */
    struct lb_buf held; /* their data, each with its size in front */
};

static llmgr_status cancelled(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_CANCELLED, N_("the call was cancelled"));
}

static llmgr_status give(struct li_run *run, struct streaming *streaming,
                         const struct llmgr_chunk *chunk, struct llmgr_error *err)
{
    struct li_attempt *attempt = streaming->attempt;

    /* The wish may have come while earlier events of the same read were handled. */
    if (li_call_cancelled(run->call))
        return cancelled(err);
    attempt->has_begun = true;
    if (attempt->on_chunk != NULL && attempt->on_chunk(chunk, attempt->context) != 0)
        return cancelled(err);
    return LLMGR_OK;
}

/* ---- The start-up window --------------------------------------------------------------------- */

static bool is_content(const struct llmgr_chunk *chunk)
{
    return chunk->content_size > 0 || chunk->reasoning_content_size > 0 ||
           chunk->tool_call_count > 0 || chunk->finish_reason != NULL;
}

/* What is held, read once more, by a stream of its own: the sum has it already. */
static llmgr_status give_held(struct li_run *run, struct streaming *streaming,
                              struct ld_chat_stream *again, struct llmgr_error *err)
{
    struct lb_str left = lb_buf_str(&streaming->held);
    llmgr_status status = LLMGR_OK;

    while (left.size > 0 && status == LLMGR_OK) {
        struct lh_sse_event event = {.has_data = true};
        struct llmgr_chunk chunk;
        enum ld_event kind;
        memcpy(&event.data.size, left.p, sizeof event.data.size);
        event.data.p = left.p + sizeof event.data.size;
        left = lb_str_sub(left, sizeof event.data.size + event.data.size, left.size);
        status = ld_chat_stream_event(again, &event, &chunk, &kind, err);
        if (status == LLMGR_OK && kind == LD_EVENT_CHUNK)
            status = give(run, streaming, &chunk, err);
    }
    return status;
}

/* From now on no other attempt follows. */
static llmgr_status close_window(struct li_run *run, struct streaming *streaming,
                                 struct llmgr_error *err)
{
    struct ld_chat_stream *again = NULL;

    streaming->is_held = false;
    li_run_content_came(run);
    if (streaming->events == 0)
        return LLMGR_OK;
    llmgr_status status = ld_chat_stream_new(li_call_host(run->call), &again, err);
    if (status == LLMGR_OK)
        status = give_held(run, streaming, again, err);
    ld_chat_stream_free(again);
    lb_buf_free(&streaming->held);
    return status;
}

static llmgr_status hold(struct streaming *streaming, struct lb_str data, struct llmgr_error *err)
{
    lb_buf_add(&streaming->held, &data.size, sizeof data.size);
    lb_buf_add_str(&streaming->held, data);
    streaming->events++;
    return streaming->held.failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status take_chunk(struct li_run *run, struct streaming *streaming,
                               const struct llmgr_chunk *chunk, struct llmgr_error *err)
{
    const struct li_limits *limits = streaming->attempt->limits;

    if (!streaming->is_held)
        return give(run, streaming, chunk, err);
    if (!is_content(chunk) && streaming->events + 1 < limits->window_events &&
        streaming->held.size + chunk->json_size <= limits->window_max)
        return hold(streaming, lb_str(chunk->json, chunk->json_size), err);
    llmgr_status status = close_window(run, streaming, err);
    return status == LLMGR_OK ? give(run, streaming, chunk, err) : status;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* An error within the answer, for whoever judges it. */
static void note_error(struct li_attempt *attempt, llmgr_status status, struct lb_str data)
{
    struct ld_abridge abridge = {0};

    if (status == LLMGR_ERR_PROTOCOL || status == LLMGR_ERR_NO_MEMORY)
        return;
    attempt->in_answer = true;
    (void)ld_abridge_add(&abridge, &attempt->refusal, data);
}

static llmgr_status take_event(struct li_run *run, const struct lh_sse_event *event,
                               struct llmgr_error *err)
{
    struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    struct llmgr_chunk chunk;
    enum ld_event kind;

    llmgr_status status = ld_chat_stream_event(streaming->stream, event, &chunk, &kind, err);
    if (status != LLMGR_OK) {
        note_error(streaming->attempt, status, event->data);
        return status;
    }
    if (kind == LD_EVENT_DONE)
        li_run_complete(run);
    return kind == LD_EVENT_CHUNK ? take_chunk(run, streaming, &chunk, err) : LLMGR_OK;
}

static llmgr_status bad_events(const struct streaming *streaming, struct llmgr_error *err)
{
    if (streaming->sse.error == LH_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    return lb_fail(err, LLMGR_ERR_PROTOCOL,
                   N_("the platform's stream holds an event larger than "
                      "%d bytes"),
                   LH_SSE_EVENT_MAX);
}

static llmgr_status take_slice(struct li_run *run, struct lb_str bytes, struct llmgr_error *err)
{
    struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    struct lh_sse_event event;
    size_t used = 0;
    enum lh_result result;

    if (!run->is_events) {
        if (bytes.size > LD_ANSWER_MAX - run->body.size)
            return lb_fail(err, LLMGR_ERR_PROTOCOL,
                           N_("the platform's answer is larger than %d bytes"), LD_ANSWER_MAX);
        lb_buf_add_str(&run->body, bytes);
        return run->body.failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
    }
    while ((result = lh_sse_next(&streaming->sse, bytes.p, bytes.size, &used, &event)) == LH_DONE) {
        bytes = lb_str_sub(bytes, used, bytes.size);
        llmgr_status status = take_event(run, &event, err);
        if (status != LLMGR_OK || run->complete)
            return status;
    }
    return result == LH_FAILED ? bad_events(streaming, err) : LLMGR_OK;
}

static llmgr_status take_slices(struct li_run *run, const struct ld_filter_out *out,
                                struct llmgr_error *err)
{
    const struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    llmgr_status status = LLMGR_OK;

    run->is_events = streaming->tap.filter.stream;
    for (size_t i = 0; i < out->count && status == LLMGR_OK && !run->complete; i++)
        status = take_slice(run, out->slice[i], err);
    return status;
}

/* The content type has the word where the bytes say nothing. */
static void open_tap(struct li_run *run)
{
    struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    const struct ld_tap_options options = {
        .host = li_call_host(run->call),
        .endpoint = ld_endpoint(LD_ENDPOINT_CHAT),
        .content_type = run->is_events ? LB_STR("text/event-stream") : LB_STR(""),
        .http_status = run->http_status,
        .event_max = LH_SSE_EVENT_MAX,
    };

    if (!streaming->tapped)
        ld_tap_init(&streaming->tap, &options);
    streaming->tapped = true;
}

static llmgr_status take_bytes(struct li_run *run, struct lb_str bytes, struct llmgr_error *err)
{
    struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    struct ld_filter_out out;
    llmgr_status status = LLMGR_OK;

    open_tap(run);
    while (bytes.size > 0 && status == LLMGR_OK && !run->complete) {
        size_t used = ld_filter_feed(&streaming->tap.filter, bytes, &out);
        status = take_slices(run, &out, err);
        bytes = lb_str_sub(bytes, used, bytes.size);
    }
    if (status == LLMGR_OK && run->is_events && streaming->tap.filter.report.terminal)
        li_run_complete(run);
    return status;
}

/* The bytes ended: what the tap held back is taken as well. */
static llmgr_status finish_bytes(struct li_run *run, struct llmgr_error *err)
{
    struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    struct ld_filter_out out;

    if (!streaming->tapped)
        return LLMGR_OK;
    run->complete = false; /* but for what was heard before it could be taken */
    ld_filter_finish(&streaming->tap.filter, &out);
    return take_slices(run, &out, err);
}

/*
 * What stands at the end without its empty line counts if it can be read (some servers end so after
 * [DONE]); if it cannot, it was cut.
 */
static llmgr_status finish_events(struct li_run *run, struct llmgr_error *err)
{
    struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    struct lh_sse_event event;
    struct llmgr_error why = {0};

    if (!run->complete && lh_sse_finish(&streaming->sse, &event) == LH_DONE) {
        llmgr_status status = take_event(run, &event, &why);
        if (status != LLMGR_OK && status != LLMGR_ERR_PROTOCOL) {
            if (err != NULL)
                *err = why;
            return status;
        }
    }
    llmgr_status status = ld_chat_stream_finish(streaming->stream, err);
    if (status == LLMGR_OK && streaming->is_held)
        status = close_window(run, streaming, err);
    else if (status != LLMGR_OK && !streaming->attempt->has_begun)
        streaming->attempt->is_empty = true;
    return status;
}

/* A whole answer in the place of a stream, as one chunk. */
static llmgr_status take_whole(struct li_run *run, struct llmgr_answer *answer,
                               struct llmgr_error *err)
{
    const struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    struct li_attempt *attempt = streaming->attempt;
    struct llmgr_answer read;

    llmgr_status status = li_attempt_read(run, attempt, &read, err);
    if (status != LLMGR_OK)
        return status;
    const struct llmgr_chunk chunk = {
        .content = read.content,
        .content_size = lb_cstr(read.content).size,
        .reasoning_content = read.reasoning_content,
        .reasoning_content_size = lb_cstr(read.reasoning_content).size,
        .tool_calls = read.tool_calls,
        .tool_call_count = read.tool_call_count,
        .finish_reason = read.finish_reason,
        .usage = &read.usage,
        .json = read.json,
        .json_size = run->body.size,
    };
    if (attempt->on_chunk != NULL && attempt->on_chunk(&chunk, attempt->context) != 0)
        status = cancelled(err);
    if (answer != NULL) {
        read.json = NULL; /* as the header says of streams */
        *answer = read;
    } else {
        ld_answer_clear(&read);
    }
    return status;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* The answer so far; what it reported is known also to those who want none. */
static llmgr_status sum_up(const struct streaming *streaming, llmgr_status status,
                           struct llmgr_answer *answer, struct llmgr_error *err)
{
    if (answer == NULL ||
        !(status == LLMGR_OK || status == LLMGR_ERR_CUT || status == LLMGR_ERR_CANCELLED))
        return status;
    llmgr_status summed =
        ld_chat_stream_answer(streaming->stream, answer, status == LLMGR_OK ? err : NULL);
    if (summed == LLMGR_OK)
        streaming->attempt->usage = answer->usage;
    return status == LLMGR_OK ? summed : status;
}

static llmgr_status attempt_over(struct li_run *run, struct streaming *streaming,
                                 struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct li_attempt *attempt = streaming->attempt;

    llmgr_status status = li_attempt_ask(run, attempt, err);
    if (status == LLMGR_OK && !li_run_is_2xx(run))
        return li_attempt_refused(run, attempt, err);
    if (status == LLMGR_OK)
        status = attempt->ended = finish_bytes(run, err);
    if (status == LLMGR_OK && !run->is_events)
        return take_whole(run, answer, err);
    /* Cut after the finish reason: everything that matters came. */
    if (status == LLMGR_OK ||
        (status == LLMGR_ERR_CUT && ld_chat_stream_finish(streaming->stream, NULL) == LLMGR_OK))
        status = attempt->ended = finish_events(run, err);
    if (attempt->in_answer || attempt->is_empty)
        attempt->ended = LLMGR_OK; /* it is what was said that tells what failed, or nothing is */
    return sum_up(streaming, status, answer, err);
}

llmgr_status li_attempt_stream(struct li_call *call, struct li_attempt *attempt,
                               struct llmgr_answer *answer, struct llmgr_error *err)
{
    const struct lb_host *host = li_call_host(call);
    struct streaming streaming = {
        .magic = STREAMING_MAGIC, .attempt = attempt, .is_held = attempt->holds};
    struct li_run run;

    llmgr_status status = ld_chat_stream_new(host, &streaming.stream, err);
    if (status != LLMGR_OK) {
        attempt->ended = status;
        return status;
    }
    lh_sse_init(&streaming.sse, host, LH_SSE_EVENT_MAX);
    lb_buf_init(&streaming.held, host, SIZE_MAX);
    li_run_init(&run, call, attempt->peer);
    run.on_bytes = take_bytes;
    run.context = &streaming;
    status = attempt_over(&run, &streaming, answer, err);
    if (status != LLMGR_OK)
        li_run_redact(&run, err);
    li_run_free(&run);
    lb_buf_free(&streaming.held);
    lh_sse_free(&streaming.sse);
    if (streaming.tapped)
        ld_filter_free(&streaming.tap.filter);
    ld_chat_stream_free(streaming.stream);
    return status;
}
