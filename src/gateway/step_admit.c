/* SPDX-License-Identifier: MIT */
/*
 * ADMIT: may this caller spend now, and is there room for the record of what is spent? Passed by
 * each attempt: what a request was counted in for it keeps, the room is every attempt's own.
 */
#include "base/concurrency.h"
#include "gateway/attempt.h"
#include "gateway/request.h"
#include "ledger/ledger.h"
#include "manager/manager.h"

enum {
    ROOM_LOOKS_MAX = 36, /* at the journal: after 1, 2, 4 … ms, and then each 64 ms */
    ROOM_DOUBLINGS = 6,
};

/* ---- Requests under way ---------------------------------------------------------------------- */

static bool enter(struct lg_request *request, char kind, struct lb_str key, unsigned limit,
                  uint64_t *held)
{
    struct lb_gauge *gauge = request->worker->shared->gauge;

    if (limit == 0 || key.size == 0 || *held != 0)
        return true;
    uint64_t hash = lb_gauge_hash(gauge, kind, key);
    if (!lb_gauge_enter(gauge, hash, limit))
        return false;
    *held = hash;
    return true;
}

/* ---- Room in the journal --------------------------------------------------------------------- */

static void look_again(void *context)
{
    lg_request_run(lg_request_of(context));
}

/*
 * Room for what will be recorded of the attempt. Where files fill faster than a busy disk makes
 * them, the next one is waited for, about two seconds at most; nothing else is.
 */
static enum lg_verdict keep_room(struct lg_request *request)
{
    struct ll_journal *journal = request->worker->journal;
    struct lg_attempt *attempt = request->attempt;

    if (journal == NULL || attempt->has_room || ll_journal_admit(journal)) {
        attempt->has_room = true;
        return LG_NEXT;
    }
    if (ll_journal_room_soon(journal) && attempt->room_looks < ROOM_LOOKS_MAX) {
        unsigned doubled =
            attempt->room_looks < ROOM_DOUBLINGS ? attempt->room_looks : ROOM_DOUBLINGS;
        attempt->room_looks++;
        ln_timer_start(request->worker->loop, &request->ping, 1 << doubled, look_again, request);
        return LG_WAIT;
    }
    ll_journal_refuse(journal);
    lg_count(request->worker, LG_METRIC_NO_ROOM, 1);
    return lg_request_fail(request, LLMGR_ERR_JOURNAL_FULL,
                           N_("usage cannot be recorded at the moment: the journal is full"));
}

/* ---- The step -------------------------------------------------------------------------------- */

/* Budgets will be asked here as well, with the payer that TARGET found. */
enum lg_verdict lg_step_admit(struct lg_request *request)
{
    const struct lg_settings *settings = request->settings;
    const int64_t *token = &request->caller.token_id;

    if (request->worker->cut) { /* it was off the loop when the drain's limit passed */
        request->error_http = 503;
        return lg_request_fail(request, LLMGR_ERR_CANCELLED, N_("the server is shutting down"));
    }
    /* The system user is the operator, and in single mode everybody. */
    if (!lm_is_system_user(request->attempt->target.user) &&
        !enter(request, 'u', request->attempt->target.user, settings->streams_per_user,
               &request->user_gauge))
        return lg_request_limit(request, LG_METRIC_LIMITED_USER,
                                N_("this user has too many requests under way"));
    if (*token != 0 && !enter(request, 't', lb_str((const char *)token, sizeof *token),
                              settings->streams_per_token, &request->token_gauge))
        return lg_request_limit(request, LG_METRIC_LIMITED_TOKEN,
                                N_("this token has too many requests under way"));
    return keep_room(request);
}
