/* SPDX-License-Identifier: MIT */
/*
 * SETTLE and FINISH: what every request passes, however it went. One record per attempt into the
 * journal, what was counted in is counted out, an error that nobody heard of yet is answered.
 */
#include "gateway/access_line.h"
#include "gateway/answer.h"
#include "gateway/ask.h"
#include "gateway/client.h"
#include "gateway/concurrency.h"
#include "gateway/identity.h"
#include "gateway/own.h"
#include "gateway/relay.h"
#include "gateway/request.h"
#include "gateway/upload.h"
#include "ledger/ledger.h"

/* ---- SETTLE ---------------------------------------------------------------------------------- */

static enum lg_metric metric_of(llmgr_end_state end)
{
    switch (end) {
    case LLMGR_END_COMPLETED:
        return LG_METRIC_UPSTREAM_OK;
    case LLMGR_END_UPSTREAM_CUT:
        return LG_METRIC_UPSTREAM_CUT;
    case LLMGR_END_CLIENT_GONE:
        return LG_METRIC_ATTEMPT_GONE;
    case LLMGR_END_LIMIT_CUT:
        return LG_METRIC_ATTEMPT_LIMIT;
    case LLMGR_END_UPSTREAM_ERROR:
    default:
        return LG_METRIC_UPSTREAM_ERROR;
    }
}

/* What the answer reported, or what can be said without. */
static void fill_tokens(const struct lg_relay *relay, struct ll_usage *usage)
{
    if (relay->filter == NULL)
        return;
    const struct ld_filter_report *report = &relay->filter->report;
    usage->prompt_tokens = report->usage.prompt_tokens;
    usage->completion_tokens = report->usage.completion_tokens;
    usage->cached_tokens = report->usage.cached_tokens;
    usage->reasoning_tokens = report->usage.reasoning_tokens;
    if (ld_usage_outgrown(&report->usage, report->output_size, report->counted_size)) {
        usage->completion_tokens = ld_usage_estimate(report->output_size);
        usage->provenance = LLMGR_PROVENANCE_ESTIMATED;
    } else if (report->usage_reported) {
        usage->provenance = relay->end == LLMGR_END_COMPLETED ? LLMGR_PROVENANCE_REPORTED
                                                              : LLMGR_PROVENANCE_PARTIAL;
    }
}

static void fill_usage(const struct lg_request *request, struct ll_usage *usage)
{
    const struct lg_relay *relay = request->relay;
    const struct lr_target *target = &request->target;
    int64_t now = ln_loop_now(request->worker->loop);

    ll_usage_init(usage);
    usage->request_id = request->id;
    usage->attempt = (int)request->attempt;
    usage->time_ms = relay->began_ms;
    usage->user = target->user;
    usage->token_id = request->caller.token_id;
    usage->platform_id = target->platform_id;
    usage->platform_name = target->platform_name;
    usage->model_id = target->model_id;
    usage->model_name = target->model_name;
    usage->slot = target->slot;
    usage->endpoint = lb_cstr(lg_request_endpoint(request)->name);
    usage->payer = target->payer;
    usage->end_state = relay->end;
    usage->upstream_status = relay->upstream_status;
    usage->latency_ms = now - relay->began_at;
    if (relay->first_byte_at >= 0)
        usage->first_byte_ms = relay->first_byte_at - relay->began_at;
    usage->bytes_in = (int64_t)request->bytes_in;
    usage->bytes_out = (int64_t)request->bytes_out;
    fill_tokens(relay, usage);
}

void lg_settle_attempt(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;
    struct lg_worker *worker = request->worker;
    struct llmgr_error err = {0};
    struct ll_usage usage;

    if (!request->admitted || (relay != NULL && relay->settled))
        return;
    request->admitted = false;
    if (relay != NULL)
        relay->settled = true;
    if (relay == NULL || !relay->started) {
        if (worker->journal != NULL)
            ll_journal_release(worker->journal);
        return;
    }
    fill_usage(request, &usage);
    if (worker->journal != NULL && ll_journal_append(worker->journal, &usage, &err) != LLMGR_OK)
        lb_error(worker->host, "%.*s: the usage is not recorded: %s", (int)request->id.size,
                 request->id.p, err.message);
    lg_count(worker, metric_of(relay->end), 1);
    lg_count(worker, LG_METRIC_BYTES_OUT, (int64_t)request->bytes_out);
    if (usage.prompt_tokens > 0)
        lg_count(worker, LG_METRIC_TOKENS_IN, usage.prompt_tokens);
    if (usage.completion_tokens > 0)
        lg_count(worker, LG_METRIC_TOKENS_OUT, usage.completion_tokens);
    if (relay->first_byte_at >= 0)
        lg_observe(worker, LG_HISTOGRAM_FIRST_BYTE, relay->first_byte_at - request->began_at);
}

enum lg_verdict lg_step_settle(struct lg_request *request)
{
    struct lg_gauge *gauge = request->worker->shared->gauge;

    if (request->head != NULL)
        lg_identity_hide(request->head); /* of requests that never were identified */
    if (request->relay != NULL && !request->relay->settled && request->gone)
        request->relay->end = LLMGR_END_CLIENT_GONE;
    lg_settle_attempt(request);
    lg_relay_free(request);
    lg_upload_free(request);
    lg_own_free(request);
    if (request->retry) {
        request->retry = false;
        return LG_AGAIN;
    }
    if (request->user_gauge != 0)
        lg_gauge_leave(gauge, request->user_gauge);
    if (request->token_gauge != 0)
        lg_gauge_leave(gauge, request->token_gauge);
    request->user_gauge = request->token_gauge = 0;
    return LG_NEXT;
}

/* ---- FINISH ---------------------------------------------------------------------------------- */

/* A body that was refused but lies there whole is thrown away, so that the connection can stay. */
static void skip_body(struct lg_request *request)
{
    while (request->body_open) {
        struct lb_str at_hand = request->client->now;
        struct lb_str payload;
        size_t used = 0;
        enum lh_result result =
            lh_body_next(&request->decoder, at_hand.p, at_hand.size, &used, &payload);
        (void)lg_client_take(request->client, used);
        if (result == LH_DONE)
            request->body_open = false;
        else if (result == LH_FAILED || used == 0)
            break;
    }
    if (request->body_open)
        request->keep_alive = false;
}

enum lg_verdict lg_step_finish(struct lg_request *request)
{
    skip_body(request);
    if (!request->gone && !request->answered) {
        if (request->error != NULL && request->status == 0)
            lg_answer_error(request);
        else
            request->keep_alive = false;
    }
    lg_observe(request->worker, LG_HISTOGRAM_DURATION,
               ln_loop_now(request->worker->loop) - request->began_at);
    lg_access_log(request);
    return LG_NEXT;
}
