/* SPDX-License-Identifier: MIT */
/* The life of an attempt, and its record. See the header. */
#include "gateway/attempt.h"

#include <string.h>

#include "budget/book.h"
#include "dialect/filter.h"
#include "dialect/usage.h"
#include "gateway/request.h"
#include "gateway/signing.h"
#include "gateway/walk.h"
#include "gateway/window.h"
#include "ledger/ledger.h"
#include "upstream/exchange.h"

/* ---- Life ------------------------------------------------------------------------------------ */

struct lg_attempt *lg_attempt_open(struct lg_request *request)
{
    struct lg_attempt *attempt = lb_arena_alloc(&request->arena, sizeof *attempt);

    if (attempt == NULL)
        return NULL;
    memset(attempt, 0, sizeof *attempt);
    attempt->first_byte_at = -1;
    attempt->retry_after_ms = -1;
    attempt->end = LLMGR_END_UPSTREAM_ERROR;
    lb_buf_init(&attempt->refusal, request->worker->host, LD_REFUSAL_MAX);
    request->attempt = attempt;
    return attempt;
}

bool lg_attempt_repeat(struct lg_request *request)
{
    struct lg_attempt *last = request->attempt;
    request->error = NULL;
    struct lg_attempt *attempt = lg_attempt_open(request);

    if (attempt == NULL)
        return false;
    attempt->target = last->target;
    attempt->is_repeat = true;
    attempt->without_options = last->next == LO_NEXT_WITHOUT_OPTIONS;
    attempt->may_teach = last->may_teach;
    attempt->may_move = last->may_move;
    attempt->entry = last->entry;
    attempt->in_cells = last->in_cells;
    lg_attempt_close(last);
    return true;
}

void lg_attempt_stop(struct lg_attempt *attempt, llmgr_end_state end)
{
    attempt->state = LG_ATTEMPT_OVER;
    attempt->end = end;
}

void lg_attempt_drop_deferred(struct lg_attempt *attempt)
{
    if (attempt->deferred != NULL)
        lb_buf_free(&attempt->deferred->shown);
    attempt->deferred = NULL;
}

void lg_attempt_let_go(struct lg_attempt *attempt)
{
    if (attempt->exchange != NULL)
        lu_exchange_forget(attempt->exchange);
    attempt->exchange = NULL;
    lg_attempt_drop_deferred(attempt);
    lg_window_left(attempt);
    lq_book_drop(attempt->book);
    attempt->book = NULL;
    lg_signing_free(attempt->signing);
    attempt->signing = NULL;
    if (attempt->filter != NULL)
        ld_filter_free(attempt->filter);
    attempt->filter = NULL;
}

void lg_attempt_close(struct lg_attempt *attempt)
{
    if (attempt == NULL)
        return;
    lg_attempt_let_go(attempt);
    lb_buf_free(&attempt->refusal);
}

bool lg_attempt_has_ended(const struct lg_attempt *attempt)
{
    const struct ld_filter *filter = attempt->filter;

    return filter != NULL && filter->stream && (filter->report.terminal || filter->report.told);
}

bool lg_attempt_is_told(const struct lg_attempt *attempt)
{
    return attempt->filter->report.told || ld_filter_complete(attempt->filter);
}

llmgr_end_state lg_attempt_end(const struct lg_attempt *attempt)
{
    if (attempt->filter->report.failed)
        return LLMGR_END_UPSTREAM_ERROR;
    return ld_filter_complete(attempt->filter) ? LLMGR_END_COMPLETED : LLMGR_END_UPSTREAM_CUT;
}

struct lo_verdict lg_attempt_judge(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;
    const struct lb_host *host = request->worker->host;
    struct lo_outcome outcome = {
        .ended = request->error != NULL ? request->error->status : LLMGR_OK,
        .host = request->worker->host,
        .http_status = attempt->upstream_status,
        .refusal = lb_buf_str(&attempt->refusal),
        .attempt = request->attempts,
        .is_empty = attempt->came == LG_CAME_ANSWER && !attempt->head_left,
        .answer_has_begun = attempt->head_left,
        .asked_usage = attempt->asks_usage,
        .options_have_more = attempt->options_have_more,
        .retry_after_ms = attempt->retry_after_ms,
    };
    if (request->walk != NULL)
        lg_walk_outcome(request, &outcome);
    struct lo_verdict verdict = lo_judge(&outcome);

    lg_walk_judge(request, &verdict);
    attempt->fault = verdict.fault;
    lg_count(request->worker, (enum lg_metric)(LG_METRIC_FAULT_NONE + (int)verdict.fault), 1);
    attempt->next = verdict.next;
    if (host->log_level >= LLMGR_LOG_DEBUG)
        lb_debug(host, "%.*s: attempt %u at platform %lld: fault %s, %s", (int)request->id.size,
                 request->id.p, request->attempts, (long long)attempt->target.platform_id,
                 lo_fault_name(verdict.fault),
                 verdict.next != LO_NEXT_NOTHING ? "another follows" : "no other follows");
    return verdict;
}

/* ---- Its record ------------------------------------------------------------------------------ */

/* The metrics of ends stand in the order of their numbers. */
#define SAME_ORDER(NAME, number, text)                                                             \
    _Static_assert(LG_METRIC_ATTEMPT_##NAME == LG_METRIC_ATTEMPT_COMPLETED + (number), text);
LLMGR_END_MAP(SAME_ORDER)
#undef SAME_ORDER

/* What the answer reported, or what can be said without. */
static void fill_tokens(const struct lg_attempt *attempt, struct ll_usage *usage)
{
    if (attempt->filter == NULL)
        return;
    const struct ld_filter_report *report = &attempt->filter->report;
    ll_usage_tell(usage, &report->usage);
    if (ld_usage_outgrown(&report->usage, report->output_size, report->counted_size)) {
        usage->completion_tokens = ld_usage_estimate(report->output_size);
        usage->provenance = LLMGR_PROVENANCE_ESTIMATED;
    } else if (report->usage_reported) {
        usage->provenance = attempt->end == LLMGR_END_COMPLETED ? LLMGR_PROVENANCE_REPORTED
                                                                : LLMGR_PROVENANCE_PARTIAL;
    }
}

static void fill_usage(const struct lg_request *request, struct ll_usage *usage)
{
    const struct lg_attempt *attempt = request->attempt;
    const struct lr_target *target = &attempt->target;
    int64_t now = ln_loop_now(request->worker->loop);

    ll_usage_begin(usage, target);
    usage->request_id = request->id;
    usage->attempt = (int)request->attempts;
    usage->time_ms = attempt->sent_ms;
    usage->token_id = request->caller.token_id;
    usage->slot = target->slot;
    usage->endpoint = lb_cstr(lg_request_endpoint(request)->name);
    usage->end_state = attempt->end;
    usage->upstream_status = attempt->upstream_status;
    usage->latency_ms = now - attempt->sent_at;
    if (attempt->first_byte_at >= 0)
        usage->first_byte_ms = attempt->first_byte_at - attempt->sent_at;
    usage->bytes_in = (int64_t)request->bytes_in;
    usage->bytes_out = (int64_t)request->bytes_out;
    fill_tokens(attempt, usage);
    lq_price_usage(attempt->book, usage);
}

static void record(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;
    struct lg_worker *worker = request->worker;
    struct llmgr_error err = {0};
    struct ll_usage usage;

    fill_usage(request, &usage);
    if (worker->journal != NULL && ll_journal_append(worker->journal, &usage, &err) != LLMGR_OK)
        lb_error(worker->host, "%.*s: the usage is not recorded: %s", (int)request->id.size,
                 request->id.p, err.message);
    lg_count(worker, (enum lg_metric)(LG_METRIC_ATTEMPT_COMPLETED + (int)attempt->end), 1);
    lg_count(worker, LG_METRIC_BYTES_OUT, (int64_t)request->bytes_out);
    if (usage.prompt_tokens > 0)
        lg_count(worker, LG_METRIC_TOKENS_IN, usage.prompt_tokens);
    if (usage.completion_tokens > 0)
        lg_count(worker, LG_METRIC_TOKENS_OUT, usage.completion_tokens);
    if (attempt->first_byte_at >= 0)
        lg_observe(worker, LG_HISTOGRAM_FIRST_BYTE, attempt->first_byte_at - request->began_at);
}

void lg_attempt_settle(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;

    if (!attempt->has_room)
        return;
    if (attempt->state != LG_ATTEMPT_OPEN)
        record(request);
    else if (request->worker->journal != NULL)
        ll_journal_release(request->worker->journal);
}
