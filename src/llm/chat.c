/* SPDX-License-Identifier: MIT */
/* An attempt's exchange, and whole answers. See attempt.h; streams are in stream.c. */
#include "llm/attempt.h"

#include "base/error.h"
#include "budget/book.h"
#include "dialect/chat.h"
#include "dialect/usage.h"
#include "llm/run.h"

/* ---- Asking ---------------------------------------------------------------------------------- */

static llmgr_status exchange(struct li_run *run, const struct li_attempt *attempt,
                             struct lb_str body, struct llmgr_error *err)
{
    const bool stream = attempt->is_stream;
    const struct li_ask ask = {
        .method = LB_STR("POST"),
        .path = LB_STR("/chat/completions"),
        .dialect = LB_STR(LI_DIALECT),
        .body = body,
        .accept =
            stream ? LB_STR("text/event-stream, application/json") : LB_STR("application/json"),
        .answer_max = stream ? 16 * (uint64_t)LD_ANSWER_MAX : LD_ANSWER_MAX,
        .timeouts = attempt->limits->timeouts,
        .content_ms = stream && attempt->holds ? attempt->limits->content_ms : 0,
    };

    return li_run_exchange(run, &ask, err);
}

llmgr_status li_attempt_ask(struct li_run *run, struct li_attempt *attempt, struct llmgr_error *err)
{
    const struct li_peer *peer = attempt->peer;
    struct lb_buf body;
    const struct ld_chat_options options = {
        .model_name = peer->model_name,
        .extra_body = peer->extra_body,
        .stream = attempt->is_stream,
        .include_usage = attempt->include_usage,
    };

    lb_buf_init(&body, li_call_host(run->call), LD_REQUEST_MAX);
    llmgr_status status = ld_chat_build(attempt->request, &options, &body, err);
    const struct lb_str written = lb_buf_str(&body);
    if (status == LLMGR_OK) {
        attempt->may_teach =
            attempt->is_stream && !attempt->include_usage && lo_may_teach(&written, 1);
        attempt->bytes_in = written.size;
        status = exchange(run, attempt, written, err);
    }
    lb_buf_free(&body);
    attempt->ended = status;
    attempt->http_status = run->http_status;
    attempt->retry_after_ms = run->retry_after_ms;
    attempt->is_started = run->is_started;
    attempt->is_unsent = run->stats.connected_at < 0;
    attempt->bytes_out = run->stats.received_size;
    if (run->first_byte_at >= 0)
        attempt->first_byte_ms = run->first_byte_at - run->started_at;
    return status;
}

static void keep_refusal(struct li_attempt *attempt, struct lb_str said)
{
    struct ld_abridge abridge = {0};

    (void)ld_abridge_add(&abridge, &attempt->refusal, said);
}

llmgr_status li_attempt_refused(const struct li_run *run, struct li_attempt *attempt,
                                struct llmgr_error *err)
{
    if (!run->is_coded)
        keep_refusal(attempt, lb_buf_str(&run->body));
    return li_run_refused(run, !attempt->is_silent, err);
}

llmgr_status li_attempt_read(const struct li_run *run, struct li_attempt *attempt,
                             struct llmgr_answer *answer, struct llmgr_error *err)
{
    const struct lb_str body = lb_buf_str(&run->body);

    llmgr_status status = ld_chat_read(li_call_host(run->call), body, answer, err);
    attempt->has_begun = status == LLMGR_OK;
    if (status == LLMGR_OK) {
        attempt->usage = answer->usage;
    } else if (body.size == 0) {
        attempt->is_empty = true;
    } else if (status == LLMGR_ERR_PROTOCOL || status == LLMGR_ERR_NO_MEMORY) {
        attempt->ended = status;
    } else { /* an error within an answer */
        attempt->in_answer = true;
        keep_refusal(attempt, body);
    }
    return status;
}

/* ---- Making ---------------------------------------------------------------------------------- */

llmgr_status li_attempt_whole(struct li_call *call, struct li_attempt *attempt,
                              struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct li_run run;

    li_run_init(&run, call, attempt->peer);
    llmgr_status status = li_attempt_ask(&run, attempt, err);
    if (status == LLMGR_OK && !li_run_is_2xx(&run)) {
        status = li_attempt_refused(&run, attempt, err);
    } else if (status == LLMGR_OK) {
        status = li_attempt_read(&run, attempt, answer, err);
        if (status != LLMGR_OK)
            li_run_redact(&run, err);
    }
    li_run_free(&run);
    return status;
}

llmgr_status li_attempt_make(struct li_call *call, struct li_attempt *attempt,
                             struct llmgr_answer *answer, struct llmgr_error *err)
{
    const struct lb_host *host = li_call_host(call);
    const int64_t began_at = lb_monotonic_ms();

    lb_buf_init(&attempt->refusal, host, LD_REFUSAL_MAX);
    ld_usage_init(&attempt->usage);
    attempt->retry_after_ms = attempt->first_byte_ms = -1;
    attempt->began_at_ms = lb_now_ms(host);
    attempt->book =
        attempt->peer->prices != NULL ? attempt->peer->prices(attempt->peer->context) : NULL;
    llmgr_status status = attempt->is_stream ? li_attempt_stream(call, attempt, answer, err)
                                             : li_attempt_whole(call, attempt, answer, err);
    attempt->latency_ms = lb_monotonic_ms() - began_at;
    return status;
}

struct lo_outcome li_attempt_outcome(const struct li_call *call, const struct li_attempt *attempt,
                                     llmgr_status status)
{
    return (struct lo_outcome){
        .host = li_call_host(call),
        .ended = status == LLMGR_ERR_CANCELLED ? status : attempt->ended,
        .http_status = attempt->http_status,
        .refusal = lb_buf_str(&attempt->refusal),
        .answer_has_begun = attempt->has_begun,
        .asked_usage = attempt->include_usage,
        .in_answer = attempt->in_answer,
        .is_empty = attempt->is_empty,
        .is_unsent = attempt->is_unsent,
        .retry_after_ms = attempt->retry_after_ms,
    };
}

void li_attempt_clear(struct li_attempt *attempt)
{
    lq_book_drop(attempt->book);
    attempt->book = NULL;
    lb_buf_free(&attempt->refusal);
}
