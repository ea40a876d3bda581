/* SPDX-License-Identifier: MIT */
/* What is held, and for how long. See the header. */
#include "gateway/window.h"

#include <string.h>

#include "dialect/filter.h"
#include "gateway/answer.h"
#include "gateway/refusal.h"
#include "gateway/relay_head.h"
#include "gateway/signing.h"
#include "gateway/walk.h"
#include "http/sse.h"

/* ---- Its time -------------------------------------------------------------------------------- */

static void no_content(void *context)
{
    struct lg_request *request = lg_request_of(context);

    lg_relay_fail(request, LLMGR_ERR_TIMEOUT, N_("the platform's answer did not begin in time"));
}

void lg_window_watch(struct lg_request *request)
{
    ln_timer_start(request->worker->loop, &request->ping, lg_walk_content_ms(request), no_content,
                   request);
}

/* ---- Holding --------------------------------------------------------------------------------- */

static bool begin_to_hold(struct lg_request *request)
{
    struct lg_held *held = lb_arena_alloc(&request->arena, sizeof *held);

    if (held == NULL)
        return false;
    held->head_size = request->worker->out.size;
    lb_buf_init(&held->bytes, request->worker->host, SIZE_MAX);
    lb_buf_add_str(&held->bytes, lb_buf_str(&request->worker->out));
    request->attempt->held = held;
    lg_count(request->worker, LG_METRIC_WINDOWS_HELD, 1);
    return true;
}

static bool take_gathered(struct lg_request *request)
{
    struct lg_worker *worker = request->worker;
    struct lb_buf *bytes = &request->attempt->held->bytes;

    for (size_t i = 0; i < worker->pass_count; i++)
        lb_buf_add_str(bytes, worker->pass[i]);
    worker->pass_count = 0;
    worker->pass_short_lived = false;
    if (request->attempt->signing != NULL)
        lg_signing_left(request->attempt->signing);
    return bytes->failed == LLMGR_OK;
}

/* Nothing can be taken back from now on. */
static void close_window(struct lg_request *request)
{
    request->attempt->may_move = false;
    request->attempt->window_over = true;
    lg_walk_close(request);
    ln_timer_stop(&request->ping);
}

/* What was gathered is lost, and all that follows: the answer has an end, see fail_lost. */
static void lose(struct lg_request *request)
{
    request->worker->pass_count = 0;
    request->worker->pass_short_lived = false;
    request->attempt->is_lost = true;
}

bool lg_window_hold(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;
    const struct lg_held *held = attempt->held;
    size_t size = held != NULL ? held->bytes.size - held->head_size : 0;

    if (attempt->is_lost) {
        lose(request);
        return true;
    }
    for (size_t i = 0; i < request->worker->pass_count; i++)
        size += request->worker->pass[i].size;
    /* What has failed is not shown, however long it is. */
    if (!attempt->filter->report.failed && size > request->settings->window_max) {
        close_window(request);
        return false;
    }
    if ((held == NULL && !begin_to_hold(request)) || !take_gathered(request))
        lose(request);
    return true;
}

struct lb_str lg_window_release(struct lg_request *request)
{
    struct lg_worker *worker = request->worker;
    const struct lg_held *held = request->attempt->held;

    if (held == NULL)
        return lb_buf_str(&worker->out);
    struct lb_str bytes = lb_buf_str(&held->bytes);
    memmove(worker->pass + 1, worker->pass, worker->pass_count * sizeof *worker->pass);
    worker->pass[0] = lb_str_sub(bytes, held->head_size, bytes.size);
    worker->pass_count++;
    return lb_str_sub(bytes, 0, held->head_size);
}

/* ---- Its ends -------------------------------------------------------------------------------- */

void lg_window_drop(struct lg_request *request)
{
    struct lg_worker *worker = request->worker;
    struct lg_attempt *attempt = request->attempt;

    lg_window_left(attempt);
    worker->pass_count = 0;
    worker->pass_short_lived = false;
    if (request->status != 0) {
        lg_answer_take_back(request);
        request->keep_alive = attempt->could_stay;
    }
    request->bytes_out = 0;
}

/*
 * The event of a stream that says what failed: the last that speaks of an error, else the last, for
 * platforms that say it otherwise.
 */
static void find_error(struct lg_request *request, struct lb_str said)
{
    struct lb_buf *refusal = &request->attempt->refusal;
    struct lh_sse sse;
    struct lh_sse_event event;
    bool named = false;

    lh_sse_init(&sse, request->worker->host, said.size);
    while (said.size > 0) {
        size_t used = 0;
        enum lh_result result = lh_sse_next(&sse, said.p, said.size, &used, &event);
        said = lb_str_sub(said, used, said.size);
        if (result != LH_DONE)
            break;
        if (!event.has_data || event.data.size == 0 || event.data.p[0] != '{')
            continue;
        const bool is_named = memmem(event.data.p, event.data.size, "\"error\"", 7) != NULL;
        if (named && !is_named)
            continue;
        named = is_named;
        lb_buf_reset(refusal);
        request->attempt->abridge = (struct ld_abridge){0};
        (void)ld_abridge_add(&request->attempt->abridge, refusal, event.data);
    }
    lh_sse_free(&sse);
}

/* Some of it is missing, so nothing of it leaves; what failed is ours, and no other is asked. */
static void fail_lost(struct lg_request *request)
{
    lg_window_drop(request);
    lg_attempt_stop(request->attempt, LLMGR_END_UPSTREAM_CUT);
    (void)lg_request_fail_memory(request);
}

/* An error inside of a 200: to be judged like one that came with its status. */
static void turn_into_refusal(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (lg_window_hold(request) && attempt->held != NULL) {
        struct lb_str said = lb_buf_str(&attempt->held->bytes);
        said = lb_str_sub(said, attempt->held->head_size, said.size);
        if (attempt->filter->stream)
            find_error(request, said);
        else
            (void)ld_abridge_add(&attempt->abridge, &attempt->refusal, said);
    }
    lg_window_drop(request);
    attempt->came = LG_CAME_REFUSAL;
    lg_attempt_stop(attempt, LLMGR_END_UPSTREAM_ERROR);
}

enum lg_window_state lg_window_look(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;
    const struct ld_filter_report *report = &attempt->filter->report;

    if (attempt->is_lost) {
        fail_lost(request);
        return LG_WINDOW_FAILED;
    }
    if (attempt->deferred != NULL)
        return LG_WINDOW_OPEN;
    if (report->failed) {
        turn_into_refusal(request);
        return LG_WINDOW_FAILED;
    }
    bool over = report->content || report->finish || report->terminal ||
                report->events >= request->settings->window_events;
    if (over || !lg_window_hold(request)) {
        close_window(request);
        return LG_WINDOW_OVER;
    }
    if (!attempt->is_lost)
        return LG_WINDOW_OPEN;
    fail_lost(request);
    return LG_WINDOW_FAILED;
}

bool lg_window_end(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (attempt->is_lost) {
        fail_lost(request);
        return false;
    }
    if (attempt->is_astray) {
        lg_window_drop(request);
        lg_attempt_stop(attempt, LLMGR_END_UPSTREAM_ERROR);
        lg_refusal_astray(request);
        return false;
    }
    const llmgr_end_state end = lg_attempt_end(attempt);
    if (end == LLMGR_END_COMPLETED) {
        close_window(request);
        return true;
    }
    if (attempt->filter->report.failed) {
        turn_into_refusal(request);
        return false;
    }
    lg_window_drop(request);
    lg_attempt_stop(attempt, end);
    return false;
}
