/* SPDX-License-Identifier: MIT */
/*
 * SETTLE: the one place where an attempt ends, however it went. Its record is in the journal before
 * the last byte of its answer leaves; if another attempt follows, that one opens here.
 */
#include "base/concurrency.h"
#include "gateway/attempt.h"
#include "gateway/identity.h"
#include "gateway/request.h"

/* True: another attempt is open. */
static bool settle(struct lg_request *request)
{
    struct lg_attempt *attempt = request->attempt;

    if (request->gone && !attempt->is_whole)
        attempt->end =
            lg_attempt_has_ended(attempt) ? lg_attempt_end(attempt) : LLMGR_END_CLIENT_GONE;
    lg_attempt_settle(request);
    if (attempt->next == LO_NEXT_NOTHING || request->gone)
        return false;
    request->error = NULL;
    if (lg_attempt_repeat(request))
        return true;
    (void)lg_request_fail_memory(request);
    return false;
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
    if (request->attempt != NULL && settle(request))
        return LG_AGAIN;
    leave(request);
    return LG_NEXT;
}
