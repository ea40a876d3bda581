/* SPDX-License-Identifier: MIT */
/*
 * One attempt at one platform: where it goes, what is asked there, what came back. A request has
 * one at a time and may have several, one after another; each is a row of the ledger.
 *
 *   TARGET   opens it, with its target
 *   ADMIT    asks for room in the journal: nothing is sent whose record could be lost
 *   PREPARE  what is asked
 *   SEND     the exchange starts, and its time
 *   RELAY    what comes back, and how it ends
 *   SETTLE   its record, the only one; then the next attempt opens, if one follows (refusal.h)
 *   FINISH   the last bytes of its answer leave, behind the record; it is closed
 *
 * It lies in the request's arena; that of a long stream moves (park.h).
 */
#ifndef LG_ATTEMPT_H
#define LG_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "dialect/abridge.h"
#include "dialect/signer.h"
#include "resolve/resolve.h"
#include "routing/way.h"

struct ld_filter;
struct lg_held;
struct lg_request;
struct lg_signing;
struct lq_book;
struct lu_exchange;

enum { LG_SHOWN_MAX = 16 * 1024 }; /* bytes of a head's fields that wait */

enum lg_attempt_state {
    LG_ATTEMPT_OPEN, /* nothing was sent */
    LG_ATTEMPT_SENT, /* the exchange has started, and more may come of it */
    LG_ATTEMPT_HELD, /* all of the answer is here and waits to be recorded (own.h) */
    LG_ATTEMPT_LAST, /* all of it is here: its last bytes are gathered at the worker */
    LG_ATTEMPT_OVER  /* nothing more comes: an error's status, or a failure */
};

/* What the platform's head began. */
enum lg_came { LG_CAME_NOTHING, LG_CAME_ANSWER, LG_CAME_REFUSAL };

/* A head of ours that waits for the first bytes, for its type may not say what comes. */
struct lg_deferred {
    struct lb_str type;  /* the platform's content type */
    int64_t length;      /* of the answer, unless it is an event stream; -1: not known */
    struct lb_buf shown; /* the fields of its head that are shown */
};

struct lg_attempt {
    enum lg_attempt_state state;
    enum lg_came came;

    /* Where it goes, and what is asked there. */
    struct lr_target target;
    enum ld_signed_family family; /* of the ids in the answer, if it `signs` them */
    bool signs;
    bool may_move; /* another candidate of its route could follow, and nothing has left: window.h */
    bool is_repeat;         /* not the request's first: OWN and OPEN have been passed */
    bool without_options;   /* stream_options are left out: the attempt before failed by them */
    bool may_teach;         /* if it succeeds without, that holds for other callers too */
    bool asks_usage;        /* stream_options go along */
    bool options_have_more; /* with members that the caller gave them */
    bool withholds_usage;   /* the usage chunk is only for us */

    /* How far our answer is. */
    bool head_left;   /* its head has */
    bool events;      /* it is an event stream */
    bool pinged;      /* its head left with a ping, before the platform's came */
    bool is_known;    /* it is, whether what came are events */
    bool is_astray;   /* no events came where ours are events: nothing of it leaves */
    bool is_draining; /* the stream has told its end: that of the body is waited for briefly */
    bool is_whole;    /* LAST: our answer gets its proper end */
    bool window_over; /* just now; what follows has not been seen to */
    bool is_lost;     /* some of what its window holds found no memory: nothing of it leaves */
    bool could_stay;  /* the connection, before our head was written */

    /* Its record. */
    bool has_room;         /* in the journal; used up or given back when it is settled */
    bool in_cells;         /* its end is awaited by routing/way.h */
    bool is_unsent;        /* nothing of it has reached the platform, that is certain */
    uint8_t room_looks;    /* how often the journal was asked in vain */
    llmgr_end_state end;   /* from the moment on that nothing more comes */
    int upstream_status;   /* 0: no head came */
    enum lo_fault fault;   /* whose it was that it failed, */
    enum lo_next next;     /* and what follows it */
    int64_t sent_at;       /* loop time, ms; */
    int64_t sent_ms;       /* wall clock */
    struct lq_book *book;  /* the prices of that moment, held; NULL: none are known */
    int64_t first_byte_at; /* loop time; -1: none came */
    int64_t retry_after_ms;
    struct lo_entry entry; /* of a route: in_cells */

    /* On its way. */
    struct lu_exchange *exchange; /* NULL: none yet, or it has ended */
    struct ld_filter *filter;     /* of an answer; NULL: none came */
    struct lg_signing *signing;   /* behind the filter; NULL: nothing is signed */
    struct lg_deferred *deferred; /* in the arena; NULL: our head waits for nothing */
    struct lg_held *held;         /* by the window; NULL: nothing is */
    struct lb_buf refusal;        /* an error's body, or what was kept of it */
    struct ld_abridge abridge;    /* what is */
};

/* The request's first one, in the arena; its target is to be filled. NULL: memory. */
struct lg_attempt *lg_attempt_open(struct lg_request *request);
/* Another one, at the same target, as the verdict on the last one says. False: memory. */
bool lg_attempt_repeat(struct lg_request *request);

/* Does none follow, whatever comes? What another would need of the request is kept until then. */
static inline bool lg_attempt_is_last(const struct lg_attempt *attempt)
{
    return !attempt->may_move && (!attempt->asks_usage || attempt->came == LG_CAME_ANSWER);
}

/* Nothing more comes of it. */
static inline bool lg_attempt_is_over(const struct lg_attempt *attempt)
{
    return attempt->state >= LG_ATTEMPT_LAST;
}
void lg_attempt_stop(struct lg_attempt *attempt, llmgr_end_state end);
/* Has its answer, a stream, told how it ends? Then nothing is missing, whatever follows. */
bool lg_attempt_has_ended(const struct lg_attempt *attempt);
/* Does the caller know how it ended, by what the platform said? */
bool lg_attempt_is_told(const struct lg_attempt *attempt);
/* How it ended, of an answer of which nothing more comes. */
llmgr_end_state lg_attempt_end(const struct lg_attempt *attempt);

/* RELAY: what failed it, and whether another follows. */
struct lo_verdict lg_attempt_judge(struct lg_request *request);
/* SETTLE: its record, or its room given back. */
void lg_attempt_settle(struct lg_request *request);
/* Our head waits no longer. */
void lg_attempt_drop_deferred(struct lg_attempt *attempt);
/* Gives back what it holds outside of the arena, but for the refusal's words. */
void lg_attempt_let_go(struct lg_attempt *attempt);
/* The same with them. NULL is fine, and so is twice. */
void lg_attempt_close(struct lg_attempt *attempt);

#endif
