/* SPDX-License-Identifier: MIT */
/* What came of an attempt at a target, and what the caller hears of all of them. See walk.h. */
#include "gateway/walk.h"

#include "gateway/sticky.h"
#include "upstream/exchange.h"

/* ---- Limits ---------------------------------------------------------------------------------- */

void lg_walk_limit(const struct lg_request *request, struct lu_timeouts *timeouts)
{
    const int64_t left = lo_way_left_ms(&request->walk->way, lg_walk_now(request));

    timeouts->connect_ms = lo_least_ms(timeouts->connect_ms, left);
    timeouts->first_byte_ms = lo_least_ms(
        lo_least_ms(timeouts->first_byte_ms, request->attempt->target.first_byte_ms), left);
}

int64_t lg_walk_content_ms(const struct lg_request *request)
{
    int64_t own = request->attempt->target.first_byte_ms;

    return lo_least_ms(own != 0 ? own : request->settings->first_content_ms,
                       lo_way_left_ms(&request->walk->way, lg_walk_now(request)));
}

/* ---- What has failed ------------------------------------------------------------------------- */

void lg_walk_outcome(const struct lg_request *request, struct lo_outcome *outcome)
{
    const struct lg_attempt *attempt = request->attempt;
    const struct lg_walk *walk = request->walk;
    const bool is_answer = attempt->upstream_status >= 200 && attempt->upstream_status < 300;

    lo_way_outcome(&walk->way, outcome);
    outcome->may_move = attempt->may_move;
    outcome->in_answer = is_answer && attempt->refusal.size > 0;
    outcome->is_callers_limit = walk->has_own_limits;
    outcome->is_unsent = attempt->is_unsent;
}

/* As the cells will know it, once. */
static void end_with(struct lg_request *request, const struct lo_verdict *verdict)
{
    const struct lg_shared *shared = request->worker->shared;
    struct lg_attempt *attempt = request->attempt;

    if (!attempt->in_cells)
        return;
    const struct lo_end end = {
        .verdict = *verdict,
        .first_byte_ms =
            attempt->first_byte_at >= 0 ? attempt->first_byte_at - attempt->sent_at : -1,
        .now_ms = lg_walk_now(request),
        .noise = lg_sticky_random(request),
    };
    lo_entry_end(&attempt->entry, shared->health, shared->budget, &end);
    attempt->in_cells = false;
}

static void find_next(struct lg_request *request, struct lo_verdict *verdict)
{
    struct lg_walk *walk = request->walk;
    struct lg_found *found = lb_arena_calloc(&request->arena, 1, sizeof *found);

    enum lg_seek came = found != NULL ? lg_walk_seek(request, found) : LG_SEEK_NONE;
    if (came == LG_SEEK_NONE || came == LG_SEEK_REFUSED)
        verdict->next = LO_NEXT_NOTHING;
    walk->found = came == LG_SEEK_FOUND ? found : NULL;
}

void lg_walk_judge(struct lg_request *request, struct lo_verdict *verdict)
{
    struct lg_walk *walk = request->walk;

    if (verdict->next == LO_NEXT_WITHOUT_OPTIONS)
        return; /* the same attempt, as far as its candidate is concerned */
    if (walk != NULL)
        lo_way_failed(&walk->way, verdict);
    end_with(request, verdict);
    if (walk == NULL)
        return;
    lo_way_note(&walk->way, &request->attempt->entry, verdict, lg_walk_now(request));
    if (verdict->next != LO_NEXT_NOTHING)
        find_next(request, verdict);
    walk->is_over = verdict->next == LO_NEXT_NOTHING;
}

void lg_walk_end(struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;
    struct lo_verdict verdict = {.reason = LO_REASON_ANSWERED, .retry_after_ms = -1};

    if (!attempt->in_cells)
        return;
    if (attempt->end != LLMGR_END_COMPLETED)
        verdict = lo_judge_begun(request->worker->host, attempt->upstream_status,
                                 attempt->end == LLMGR_END_UPSTREAM_ERROR &&
                                     attempt->came == LG_CAME_ANSWER);
    end_with(request, &verdict);
}

/* ---- What follows ---------------------------------------------------------------------------- */

/* The first that failed is kept: the caller may have to hear of it. */
static void keep_to_tell(struct lg_request *request, struct lg_attempt *failed)
{
    struct lg_walk *walk = request->walk;

    if (walk->told != NULL) {
        lg_attempt_close(failed);
        return;
    }
    lg_attempt_let_go(failed);
    walk->told = failed;
    walk->told_error = request->error;
}

bool lg_walk_next(struct lg_request *request)
{
    struct lg_walk *walk = request->walk;

    keep_to_tell(request, request->attempt);
    request->error = NULL;
    if (lg_attempt_open(request) == NULL)
        return false;
    request->attempt->is_repeat = true;
    if (walk->found != NULL)
        lg_walk_take(request, walk->found);
    walk->found = NULL;
    return true;
}

void lg_walk_tell(struct lg_request *request)
{
    struct lg_walk *walk = request->walk;
    const struct lg_attempt *attempt = request->attempt;
    const bool failed = request->error != NULL || attempt->came == LG_CAME_REFUSAL;

    if (walk == NULL || walk->told == NULL || !failed || request->gone || request->cut ||
        attempt->head_left || attempt->fault == LO_FAULT_REQUEST)
        return;
    lg_attempt_close(request->attempt);
    request->attempt = walk->told;
    request->error = walk->told_error;
    request->error_http = 0;
    walk->told = NULL;
    walk->is_over = true;
}

void lg_walk_close(struct lg_request *request)
{
    struct lg_walk *walk = request->walk;

    if (walk == NULL)
        return;
    if (walk->found != NULL)
        lo_way_leave(&walk->way, &walk->found->entry, lg_walk_now(request));
    lg_attempt_close(walk->told);
    request->walk = NULL;
}
