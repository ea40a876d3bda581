/* SPDX-License-Identifier: MIT */
/*
 * One attempt of a call: what is asked of one peer, whole or streamed, and what came of it, for
 * whoever judges and records it (talk.h). Private to llm/.
 *
 * Of a stream that may be asked for elsewhere nothing is given to the caller's callback before its
 * first content: until then its events are held (the start-up window; the gateway's is
 * gateway/window.h).
 */
#ifndef LI_ATTEMPT_H
#define LI_ATTEMPT_H

#include "dialect/abridge.h"
#include "llm/call.h"
#include "routing/verdict.h"

/* What a call keeps to. */
struct li_limits {
    struct lu_timeouts timeouts;
    int64_t content_ms; /* to a stream's first content, while it is held; 0: no such limit */
    uint64_t window_events;
    size_t window_max; /* bytes */
};

struct li_attempt {
    /* What is asked; borrowed. */
    const struct li_peer *peer;
    const struct llmgr_request *request;
    const struct li_limits *limits;
    llmgr_chunk_fn on_chunk; /* of a stream; NULL: none */
    void *context;
    bool is_stream;
    bool include_usage; /* stream_options go along */
    bool is_silent;     /* what is refused is told without the platform's words */
    bool holds;         /* another may follow: what comes is held until there is content */

    /* What came of it; given back by li_attempt_clear. */
    llmgr_status ended;     /* as of lo_outcome, also below */
    int http_status;        /* 0: no head came */
    struct lb_buf refusal;  /* that came with a status, or within an answer */
    bool in_answer;         /* it came within one */
    bool is_empty;          /* an answer that ended before any content */
    bool is_started;        /* there was an exchange */
    bool is_unsent;         /* nothing of it has reached the platform, that is certain */
    bool has_begun;         /* the callback has some of it, or the caller all */
    bool may_teach;         /* without our asking the request says nothing of stream_options */
    int64_t retry_after_ms; /* -1: unsaid */
    int64_t began_at_ms;    /* since 1970 */
    int64_t latency_ms;
    int64_t first_byte_ms;    /* -1: none came */
    uint64_t bytes_in;        /* of the request's body */
    uint64_t bytes_out;       /* of the answer's */
    struct llmgr_usage usage; /* -1: not reported */
    struct lq_book *book;     /* the prices when it began; NULL: none are known, or asked for */
};

/*
 * Makes it; a call must have begun (run.h). `answer` (may be NULL for a stream) is filled on
 * success, and with what came before on ERR_CUT and ERR_CANCELLED of a stream.
 */
LLMGR_MUST_CHECK llmgr_status li_attempt_make(struct li_call *call, struct li_attempt *attempt,
                                              struct llmgr_answer *answer, struct llmgr_error *err);
void li_attempt_clear(struct li_attempt *attempt);
/* What came of it, for lo_judge; `status` is what making it returned. */
struct lo_outcome li_attempt_outcome(const struct li_call *call, const struct li_attempt *attempt,
                                     llmgr_status status);

/* chat.c and stream.c: the two kinds of it. */
LLMGR_MUST_CHECK llmgr_status li_attempt_whole(struct li_call *call, struct li_attempt *attempt,
                                               struct llmgr_answer *answer,
                                               struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status li_attempt_stream(struct li_call *call, struct li_attempt *attempt,
                                                struct llmgr_answer *answer,
                                                struct llmgr_error *err);

struct li_run;

/* What both ask, over `run`. */
LLMGR_MUST_CHECK llmgr_status li_attempt_ask(struct li_run *run, struct li_attempt *attempt,
                                             struct llmgr_error *err);
/* A 2xx answer in run->body, which is no stream. */
LLMGR_MUST_CHECK llmgr_status li_attempt_read(const struct li_run *run, struct li_attempt *attempt,
                                              struct llmgr_answer *answer, struct llmgr_error *err);
/* It was refused with a status: the error of it. */
LLMGR_MUST_CHECK llmgr_status li_attempt_refused(const struct li_run *run,
                                                 struct li_attempt *attempt,
                                                 struct llmgr_error *err);

#endif
