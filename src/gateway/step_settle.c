/* SPDX-License-Identifier: MIT */
/*
 * SETTLE: the one place where an attempt ends, however it went. Its record is in the journal before
 * the last byte of its answer leaves; if another attempt follows, that one opens here.
 */
#include "base/concurrency.h"
#include "gateway/attempt.h"
#include "gateway/identity.h"
#include "gateway/refusal.h"
#include "gateway/request.h"
#include "gateway/walk.h"
#include "gateway/window.h"

/* NEXT: no other attempt follows. */
static enum lg_verdict settle(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (request->gone && !attempt->is_whole)
        attempt->end =
            lg_attempt_has_ended(attempt) ? lg_attempt_end(attempt) : LLMGR_END_CLIENT_GONE;
    if (lg_window_is_open(attempt))
        lg_window_drop(request);
    lg_attempt_settle(request);
    if (attempt->next == LO_NEXT_NOTHING || request->gone) {
        lg_walk_end(request);
        lg_walk_tell(request);
        return LG_NEXT;
    }
    const bool is_same = attempt->next == LO_NEXT_WITHOUT_OPTIONS;
    if (!is_same)
        lg_refusal_words(request); /* should none that follows say better */
    if (!(is_same ? lg_attempt_repeat(request) : lg_walk_next(request))) {
        lg_walk_end(request);
        (void)lg_request_fail_memory(request);
        return LG_NEXT;
    }
    return request->attempt->target.platform_id != 0 ? LG_AGAIN : LG_ANEW;
}

static void leave(struct lg_request *request)
{
    struct lb_gauge *gauge = request->worker->shared->gauge;

    if (request->user_gauge != 0)
        lb_gauge_leave(gauge, request->user_gauge);
    if (request->token_gauge != 0)
        lb_gauge_leave(gauge, request->token_gauge);
    request->user_gauge = request->token_gauge = 0;
}

enum lg_verdict lg_step_settle(struct lg_request *request)
{
    ln_timer_stop(&request->ping);
    if (request->attempt == NULL && request->head != NULL)
        lg_identity_hide(request->head); /* of requests that never were identified */
    enum lg_verdict verdict = request->attempt != NULL ? settle(request) : LG_NEXT;
    if (verdict == LG_NEXT)
        leave(request);
    return verdict;
}
