/* SPDX-License-Identifier: MIT */
/*
 * One exchange run to its end on a call object's loop: what chat, stream and probe share. Private
 * to upstream/.
 */
#ifndef LI_RUN_H
#define LI_RUN_H

#include "base/buf.h"
#include "dialect/abridge.h"
#include "llm/call.h"
#include "net/loop.h"

enum { LI_RUN_MAGIC = 0x6c697275 };

struct li_run {
    unsigned magic;
    struct li_call *call;
    const struct li_peer *peer;
    struct lu_exchange *exchange; /* while it runs */

    /* The head of the answer. */
    int http_status;
    int64_t retry_after_ms;
    bool is_events; /* text/event-stream, or events that came under another type */
    bool is_coded;  /* a Content-Encoding we did not ask for */
    struct lb_buf body;
    struct ld_abridge abridge; /* what is kept of a refusal's */

    /*
     * Takes the payload of a 2xx answer instead of `body`; a status other than OK (filled into
     * *err) ends the exchange with it. NULL: collect.
     */
    llmgr_status (*on_bytes)(struct li_run *run, struct lb_str bytes, struct llmgr_error *err);
    void *context;

    bool complete;           /* the caller has all it wants, however the connection ends */
    struct ln_timer grace;   /* how long a complete stream's proper end is waited for */
    struct ln_timer content; /* how long its first content is */
    struct llmgr_error end;  /* how it ended */
    struct lu_stats stats;   /* and what it took */
    bool is_started;         /* the exchange was */
    int64_t started_at;      /* monotonic, ms; */
    int64_t first_byte_at;   /* when its head was here; -1: none came */
};

/* What is asked. */
struct li_ask {
    struct lb_str method;
    struct lb_str path;
    struct lb_str dialect; /* whose call it is; empty: the platform's own (lu_request) */
    struct lb_str body;    /* JSON; empty: none */
    struct lb_str accept;
    uint64_t answer_max;
    struct lu_timeouts timeouts;
    int64_t content_ms; /* until li_run_content_came; 0: no such limit */
};

void li_run_init(struct li_run *run, struct li_call *call, const struct li_peer *peer);
void li_run_free(struct li_run *run);
/*
 * Runs it. LLMGR_OK: an answer of any HTTP status is there whole (or the taker said complete).
 * Errors quote no key.
 */
LLMGR_MUST_CHECK llmgr_status li_run_exchange(struct li_run *run, const struct li_ask *ask,
                                              struct llmgr_error *err);
/* The taker has seen content: what comes has time. */
void li_run_content_came(struct li_run *run);
/* The taker has all it wants: the rest may come within a moment, or be dropped. */
void li_run_complete(struct li_run *run);
static inline bool li_run_is_2xx(const struct li_run *run)
{
    return run->http_status >= 200 && run->http_status < 300;
}
/* The refusal in run->body as an error. */
llmgr_status li_run_refused(const struct li_run *run, bool show_body, struct llmgr_error *err);
/* Replaces what looks like the peer's key, or the beginning of it, in a message. */
void li_run_redact(const struct li_run *run, struct llmgr_error *err);

/* call.c: the begin and end of a call; begin fails if one is running. */
LLMGR_MUST_CHECK llmgr_status li_call_begin(struct li_call *call, struct llmgr_error *err);
void li_call_end(struct li_call *call);
bool li_call_cancelled(const struct li_call *call);
void li_call_set_run(struct li_call *call, struct li_run *run);
struct ln_loop *li_call_loop(const struct li_call *call);
const struct lb_host *li_call_host(const struct li_call *call);
const struct lu_timeouts *li_call_timeouts(const struct li_call *call);

#endif
