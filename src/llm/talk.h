/* SPDX-License-Identifier: MIT */
/*
 * A call's talk with one peer: an attempt, judged by routing/verdict, and if that says so another
 * one there without stream_options; if it then succeeds, what was learnt of the platform is
 * remembered. li_call_chat and li_call_stream are one talk, a walk (walk.h) one per target.
 * Private to llm/.
 */
#ifndef LI_TALK_H
#define LI_TALK_H

#include "llm/attempt.h"
#include "routing/way.h"

struct li_talk {
    struct li_call *call; /* a call has begun on it */
    const struct llmgr_request *request;
    const struct li_limits *limits;
    llmgr_chunk_fn on_chunk;
    void *context;
    bool is_stream;
    /* Of a walk; NULL and false otherwise. */
    const struct lo_way *way;
    bool may_move;         /* another candidate may follow */
    bool is_callers_limit; /* of time */

    unsigned attempts;     /* made in the call */
    bool has_begun;        /* the caller has some of an answer, or all */
    int64_t first_byte_ms; /* of the last attempt; -1: none came */
};

/* *verdict: on the last attempt. *answer as of li_attempt_make. */
LLMGR_MUST_CHECK llmgr_status li_talk(struct li_talk *talk, const struct li_peer *peer,
                                      struct llmgr_answer *answer, struct lo_verdict *verdict,
                                      struct llmgr_error *err);

#endif
