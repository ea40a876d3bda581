/* SPDX-License-Identifier: MIT */
/*
 * Chat, whole and streamed. Whether a stream that was refused is asked for once more is decided in
 * routing/verdict; if it then succeeds, what was learnt of the platform is remembered.
 * A platform that answers a request for a stream with a whole answer is taken at its word: the
 * caller gets it as one chunk.
 */
#include "base/error.h"
#include "base/magic.h"
#include "dialect/chat.h"
#include "dialect/tap.h"
#include "llm/run.h"
#include "routing/verdict.h"

enum { STREAMING_MAGIC = 0x6c697374 };

/* The state of a streamed call. */
struct streaming {
    unsigned magic;
    struct ld_chat_stream *stream;
    bool tapped;       /* bytes came: */
    struct ld_tap tap; /* sees what they are and where an event ends that has no empty line */
    struct lh_sse sse;
    llmgr_chunk_fn on_chunk;
    void *context;
    unsigned attempts;
    bool may_teach; /* the request, without our asking, says nothing of stream_options */
};

llmgr_status li_run_chat(struct li_run *run, const struct llmgr_request *request,
                         const struct li_chat_mode *mode, bool *may_teach, struct llmgr_error *err)
{
    const struct li_peer *peer = run->peer;
    struct lb_buf body;
    const struct ld_chat_options options = {
        .model_name = peer->model_name,
        .extra_body = peer->extra_body,
        .stream = mode->stream,
        .include_usage = mode->include_usage,
    };

    lb_buf_init(&body, li_call_host(run->call), LD_REQUEST_MAX);
    llmgr_status status = ld_chat_build(request, &options, &body, err);
    const struct lb_str written = lb_buf_str(&body);
    if (status == LLMGR_OK && may_teach != NULL && !mode->include_usage)
        *may_teach = lo_may_teach(&written, 1);
    if (status == LLMGR_OK) {
        const struct li_ask ask = {
            .method = LB_STR("POST"),
            .path = LB_STR("/chat/completions"),
            .dialect = LB_STR("openai"),
            .body = written,
            .accept = mode->stream ? LB_STR("text/event-stream, application/json")
                                   : LB_STR("application/json"),
            .answer_max = mode->stream ? 16 * (uint64_t)LD_ANSWER_MAX : LD_ANSWER_MAX,
            .timeouts = mode->timeouts,
        };
        status = li_run_exchange(run, &ask, err);
    }
    lb_buf_free(&body);
    return status;
}

llmgr_status li_call_chat(struct li_call *call, const struct li_peer *peer,
                          const struct llmgr_request *request, struct llmgr_answer *answer,
                          struct llmgr_error *err)
{
    const struct li_chat_mode mode = {.timeouts = *li_call_timeouts(call)};
    struct li_run run;

    llmgr_status status = li_call_begin(call, err);
    if (status != LLMGR_OK)
        return status;
    li_run_init(&run, call, peer);
    status = li_run_chat(&run, request, &mode, NULL, err);
    if (status == LLMGR_OK && !li_run_is_2xx(&run)) {
        status = li_run_refused(&run, true, err);
    } else if (status == LLMGR_OK) {
        status = ld_chat_read(li_call_host(call), lb_buf_str(&run.body), answer, err);
        if (status != LLMGR_OK)
            li_run_redact(&run, err);
    }
    li_run_free(&run);
    li_call_end(call);
    return status;
}

/* ---- Streams --------------------------------------------------------------------------------- */

static llmgr_status cancelled(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_CANCELLED, N_("the call was cancelled"));
}

static llmgr_status take_event(struct li_run *run, const struct lh_sse_event *event,
                               struct llmgr_error *err)
{
    struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    struct llmgr_chunk chunk;
    enum ld_event kind;

    llmgr_status status = ld_chat_stream_event(streaming->stream, event, &chunk, &kind, err);
    if (status != LLMGR_OK)
        return status;
    if (kind == LD_EVENT_DONE)
        li_run_complete(run);
    if (kind != LD_EVENT_CHUNK)
        return LLMGR_OK;
    /* The wish may have come while earlier events of the same read were handled. */
    if (li_call_cancelled(run->call))
        return cancelled(err);
    if (streaming->on_chunk != NULL && streaming->on_chunk(&chunk, streaming->context) != 0)
        return cancelled(err);
    return LLMGR_OK;
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
    return ld_chat_stream_finish(streaming->stream, err);
}

/* A whole answer in the place of a stream, as one chunk. */
static llmgr_status take_whole(struct li_run *run, struct llmgr_answer *answer,
                               struct llmgr_error *err)
{
    const struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    struct llmgr_answer read;

    llmgr_status status = ld_chat_read(li_call_host(run->call), lb_buf_str(&run->body), &read, err);
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
    if (streaming->on_chunk != NULL && streaming->on_chunk(&chunk, streaming->context) != 0)
        status = cancelled(err);
    if (answer != NULL) {
        read.json = NULL; /* as the header says of streams */
        *answer = read;
    } else {
        ld_answer_clear(&read);
    }
    return status;
}

/* One attempt; *again if the platform is to be asked without stream_options. */
static llmgr_status attempt(struct li_run *run, const struct llmgr_request *request,
                            bool include_usage, struct llmgr_answer *answer, bool *again,
                            struct llmgr_error *err)
{
    struct streaming *streaming = LB_CAST(struct streaming, run->context, STREAMING_MAGIC);
    const struct li_chat_mode mode = {
        .stream = true, .include_usage = include_usage, .timeouts = *li_call_timeouts(run->call)};

    llmgr_status status = li_run_chat(run, request, &mode, &streaming->may_teach, err);
    if (status == LLMGR_OK && !li_run_is_2xx(run)) {
        const struct lo_outcome outcome = {
            .host = li_call_host(run->call),
            .http_status = run->http_status,
            .refusal = lb_buf_str(&run->body),
            .attempt = streaming->attempts,
            .asked_usage = include_usage,
        };
        *again = lo_judge(&outcome).next == LO_NEXT_WITHOUT_OPTIONS;
        return li_run_refused(run, true, err);
    }
    if (status == LLMGR_OK)
        status = finish_bytes(run, err);
    if (status == LLMGR_OK && !run->is_events)
        return take_whole(run, answer, err);
    /* Cut after the finish reason: everything that matters came. */
    if (status == LLMGR_OK ||
        (status == LLMGR_ERR_CUT && ld_chat_stream_finish(streaming->stream, NULL) == LLMGR_OK))
        status = finish_events(run, err);
    bool partial = status == LLMGR_ERR_CUT || status == LLMGR_ERR_CANCELLED;
    if (answer != NULL && (status == LLMGR_OK || partial)) {
        llmgr_status summed =
            ld_chat_stream_answer(streaming->stream, answer, status == LLMGR_OK ? err : NULL);
        if (status == LLMGR_OK)
            status = summed;
    }
    return status;
}

static llmgr_status one_stream(struct li_call *call, const struct li_peer *peer,
                               const struct llmgr_request *request, bool include_usage,
                               struct streaming *streaming, struct llmgr_answer *answer,
                               bool *again, struct llmgr_error *err)
{
    const struct lb_host *host = li_call_host(call);
    struct li_run run;

    llmgr_status status = ld_chat_stream_new(host, &streaming->stream, err);
    if (status != LLMGR_OK)
        return status;
    lh_sse_init(&streaming->sse, host, LH_SSE_EVENT_MAX);
    li_run_init(&run, call, peer);
    run.on_bytes = take_bytes;
    run.context = streaming;
    streaming->attempts++;
    status = attempt(&run, request, include_usage, answer, again, err);
    if (status != LLMGR_OK)
        li_run_redact(&run, err);
    li_run_free(&run);
    lh_sse_free(&streaming->sse);
    if (streaming->tapped)
        ld_filter_free(&streaming->tap.filter);
    streaming->tapped = false;
    ld_chat_stream_free(streaming->stream);
    return status;
}

llmgr_status li_call_stream(struct li_call *call, const struct li_peer *peer,
                            const struct llmgr_request *request, llmgr_chunk_fn on_chunk,
                            void *context, struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct streaming streaming = {
        .magic = STREAMING_MAGIC, .on_chunk = on_chunk, .context = context};
    struct llmgr_error why = {0};
    bool again = false;

    llmgr_status status = li_call_begin(call, err);
    if (status != LLMGR_OK)
        return status;
    status =
        one_stream(call, peer, request, !peer->no_stream_options, &streaming, answer, &again, &why);
    if (again) {
        status = one_stream(call, peer, request, false, &streaming, answer, &again, &why);
        /* Only a success shows that it was really the parameter, and not what was asked. */
        const struct lb_str brought[] = {lb_cstr(request->extra_json), peer->extra_body};
        if (status == LLMGR_OK && peer->learn_no_stream_options != NULL && streaming.may_teach &&
            lo_may_teach(brought, 2))
            peer->learn_no_stream_options(peer->context);
    }
    li_call_end(call);
    if (status != LLMGR_OK && err != NULL) /* an error on the way to a success is none */
        *err = why;
    return status;
}
