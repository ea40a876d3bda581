/* SPDX-License-Identifier: MIT */
/* One peer, asked once or twice; and the calls that are no more than that. See the header. */
#include "llm/talk.h"

#include "base/error.h"
#include "llm/run.h"

static struct lo_verdict judge(const struct li_talk *talk, const struct li_attempt *attempt,
                               llmgr_status status)
{
    struct lo_outcome outcome = li_attempt_outcome(talk->call, attempt, status);

    if (status != LLMGR_OK && status != LLMGR_ERR_CANCELLED && attempt->has_begun)
        return lo_judge_begun(outcome.host, attempt->http_status, attempt->in_answer);
    outcome.attempt = talk->attempts;
    outcome.may_move = talk->may_move;
    outcome.is_callers_limit = talk->is_callers_limit;
    if (talk->way != NULL)
        lo_way_outcome(talk->way, &outcome);
    return lo_judge(&outcome);
}

static llmgr_status ask(struct li_talk *talk, const struct li_peer *peer, bool include_usage,
                        bool *may_teach, struct llmgr_answer *answer, struct lo_verdict *verdict,
                        struct llmgr_error *err)
{
    struct li_attempt attempt = {
        .peer = peer,
        .request = talk->request,
        .limits = talk->limits,
        .on_chunk = talk->on_chunk,
        .context = talk->context,
        .is_stream = talk->is_stream,
        .include_usage = include_usage,
        .holds = talk->may_move,
    };

    talk->attempts++;
    llmgr_status status = li_attempt_make(talk->call, &attempt, answer, err);
    *verdict = judge(talk, &attempt, status);
    *may_teach = attempt.may_teach;
    talk->has_begun = attempt.has_begun;
    talk->first_byte_ms = attempt.first_byte_ms;
    if (peer->ended != NULL)
        peer->ended(peer->context, &attempt, status);
    li_attempt_clear(&attempt);
    return status;
}

llmgr_status li_talk(struct li_talk *talk, const struct li_peer *peer, struct llmgr_answer *answer,
                     struct lo_verdict *verdict, struct llmgr_error *err)
{
    const bool include_usage = talk->is_stream && !peer->no_stream_options;
    struct llmgr_error why = {0};
    bool may_teach;

    llmgr_status status = ask(talk, peer, include_usage, &may_teach, answer, verdict, &why);
    if (verdict->next == LO_NEXT_WITHOUT_OPTIONS) {
        status = ask(talk, peer, false, &may_teach, answer, verdict, &why);
        /* Only a success shows that it was really the parameter, and not what was asked. */
        const struct lb_str brought[] = {lb_cstr(talk->request->extra_json), peer->extra_body};
        if (status == LLMGR_OK && peer->learn_no_stream_options != NULL && may_teach &&
            lo_may_teach(brought, 2))
            peer->learn_no_stream_options(peer->context);
    }
    if (status != LLMGR_OK && err != NULL) /* an error on the way to a success is none */
        *err = why;
    return status;
}

/* ---- Calls of one peer ----------------------------------------------------------------------- */

static llmgr_status talk_once(struct li_talk *talk, const struct li_peer *peer,
                              struct llmgr_answer *answer, struct llmgr_error *err)
{
    const struct li_limits limits = {.timeouts = *li_call_timeouts(talk->call)};
    struct lo_verdict verdict;

    llmgr_status status = li_call_begin(talk->call, err);
    if (status != LLMGR_OK)
        return status;
    talk->limits = &limits;
    status = li_talk(talk, peer, answer, &verdict, err);
    li_call_end(talk->call);
    return status;
}

llmgr_status li_call_chat(struct li_call *call, const struct li_peer *peer,
                          const struct llmgr_request *request, struct llmgr_answer *answer,
                          struct llmgr_error *err)
{
    struct li_talk talk = {.call = call, .request = request};

    return talk_once(&talk, peer, answer, err);
}

llmgr_status li_call_stream(struct li_call *call, const struct li_peer *peer,
                            const struct llmgr_request *request, llmgr_chunk_fn on_chunk,
                            void *context, struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct li_talk talk = {.call = call,
                           .request = request,
                           .on_chunk = on_chunk,
                           .context = context,
                           .is_stream = true};

    return talk_once(&talk, peer, answer, err);
}
