/* SPDX-License-Identifier: MIT */
/*
 * FINISH: what every request passes last. What the client has not heard yet leaves: the end of an
 * answer, a platform's own words, or an error; all that the request holds is given back.
 */
#include "gateway/access_line.h"
#include "gateway/answer.h"
#include "gateway/attempt.h"
#include "gateway/client.h"
#include "gateway/own.h"
#include "gateway/refusal.h"
#include "gateway/relay.h"
#include "gateway/request.h"
#include "gateway/upload.h"
#include "gateway/walk.h"
#include "gateway/work.h"

/* What a platform said. */
static void tell_answer(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;

    if (attempt == NULL || request->gone)
        return;
    if (attempt->state == LG_ATTEMPT_LAST)
        lg_relay_last(request);
    else if (request->error == NULL && attempt->came == LG_CAME_REFUSAL)
        lg_refusal_tell(request);
}

/* What went wrong here, or on the way. */
static void tell_error(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;
    /* A head that was written and has not left is none yet. */
    const bool begun = attempt != NULL ? attempt->head_left : request->status != 0;

    if (request->gone || request->answered)
        return;
    if (request->error == NULL)
        request->keep_alive = false;
    else if (!begun)
        lg_answer_error(request);
    else if (attempt != NULL)
        lg_answer_cut(request, lg_relay_at_boundary(request));
    else
        request->keep_alive = false;
}

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

static void give_back(struct lg_request *request)
{
    lg_attempt_close(request->attempt);
    lg_walk_close(request);
    lg_upload_free(request);
    lg_own_free(request);
}

static enum lg_verdict conclude(struct lg_request *request)
{
    lg_observe(request->worker, LG_HISTOGRAM_DURATION,
               ln_loop_now(request->worker->loop) - request->began_at);
    lg_access_log(request);
    return LG_NEXT;
}

enum lg_verdict lg_step_finish(struct lg_request *request)
{
    if (lg_work_is_done(request)) {
        (void)lg_work_finish(request);
        return conclude(request);
    }
    tell_answer(request);
    skip_body(request);
    tell_error(request);
    bool teaches = lg_refusal_teaches(request);
    give_back(request);
    if (teaches && lg_refusal_learn(request) == LG_WAIT)
        return LG_WAIT;
    return conclude(request);
}
