/* SPDX-License-Identifier: MIT */
/*
 * One request's way: a table of small steps, driven by lg_request_run. A step returns
 *
 *   NEXT  go on with the next step          WAIT  something will call lg_request_run again
 *   FAIL  request->error says why: SETTLE, then FINISH tells it in the endpoint's dialect
 *   DONE  no more is to come, or the client is gone: SETTLE, then FINISH
 *   AGAIN from SETTLE only: one more attempt has opened, from ADMIT on; ANEW: from TARGET on
 *
 * Only move() in request.c changes request->step, and traces it at level debug.
 *
 * Memory: the head lies in the worker's scratch or in the read buffer as long as everything
 * happens within one turn; lg_request_keep copies it when a step has to wait, or another attempt
 * may need it. The body lies in one buffer of its own. Both are given back as soon as the platform
 * answers, for then no other attempt follows. Everything else begins in an inline block of the
 * worker's, which an event stream leaves (park.h).
 */
#ifndef LG_REQUEST_H
#define LG_REQUEST_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/magic.h"
#include "dialect/endpoint.h"
#include "paths/route.h"
#include "gateway/worker.h"
#include "http/body.h"
#include "management/call.h"

struct lg_ask;
struct lg_attempt;
struct lg_client;
struct lg_decode;
struct lg_hold;
struct lg_home;
struct lg_job;
struct lg_own;
struct lg_upload;
struct lg_walk;

/* XX(NAME, function) in the order of the way. */
#define LG_STEP_MAP(XX)                                                                            \
    XX(ACCEPT, accept)     /* head -> id, sanity */                                                \
    XX(MATCH, match)       /* method + path -> route; CORS preflight, own answers without token */ \
    XX(IDENTIFY, identify) /* token -> caller, scope */                                            \
    XX(READ, read)         /* body up to its cap; peek */                                          \
    XX(HANDLE, handle)     /* our own routes: the handler's answer; relayed ones pass */           \
    XX(TARGET, target)     /* resolve: platform, model, key, payer */                              \
    XX(ADMIT, admit)       /* may this payer spend? room for the record */                         \
    XX(OWN, own)           /* a key that is not the caller's: only his own, own.h */               \
    XX(OPEN, open)         /* shown ids become the platform's */                                   \
    XX(PREPARE, prepare)   /* what is asked: the body, spliced */                                  \
    XX(SEND, send)         /* fields; the exchange starts, streamed bodies are fed */              \
    XX(RELAY, relay)       /* platform -> filter -> client */                                      \
    XX(SETTLE, settle)     /* the attempt's record; another attempt goes back to ADMIT */          \
    XX(FINISH, finish)     /* the last bytes leave; access log, metrics, keep-alive or close */

enum lg_step {
#define LG_STEP_ENUM(name, function) LG_STEP_##name,
    LG_STEP_MAP(LG_STEP_ENUM)
#undef LG_STEP_ENUM
        LG_STEP_COUNT
};

enum lg_verdict { LG_NEXT, LG_WAIT, LG_FAIL, LG_DONE, LG_AGAIN, LG_ANEW };

enum {
    LG_REQUEST_MAGIC = 0x6c677271,
    LG_BLOCK_SIZE = 4080,      /* bytes that an ordinary request needs, also through a route */
    LG_ARENA_MAX = 1 << 20,    /* all of it, the body apart */
    LG_ID_SIZE = 32,           /* "req_" and 26 digits */
    LG_CLIENT_ID_MAX = 128,    /* bytes of an x-request-id that is echoed */
    LP_API_BODY_MAX = 1 << 20, /* bytes of a body for a route of our own, */
    LP_FILE_MAX = 16 << 20,    /* and of one that is a file */
    LG_WITHHELD_MAX = 1 << 20, /* bytes of what an answer holds that no caller gets */
    LG_PROFILE_TRIES = 4,      /* loads of a profile that keeps changing */
};

/* A request's first memory, an inline block that is used again and again. */
struct lg_block {
    struct lg_block *next; /* in the worker's list of spare ones */
    alignas(16) char bytes[LG_BLOCK_SIZE];
};

struct lg_request {
    unsigned magic;
    enum lg_step step;
    struct lg_client *client;
    struct lg_worker *worker;
    struct lg_settings *settings; /* held */
    struct lg_request *next;      /* in the worker's list of spare ones */
    int64_t began_at;             /* loop time, ms */

    /* What the head says. */
    const struct lh_head *head; /* the worker's, or our copy; NULL once nobody will need it */
    struct ly_match match;
    struct lp_caller caller;
    struct lb_str id;        /* ours; unique */
    struct lb_str client_id; /* theirs, if it was sane: what x-request-id says then */
    enum lh_method method;
    bool kept;               /* the head is our copy */
    bool minor_1;            /* HTTP/1.1: chunks are understood */
    bool head_only;          /* HEAD: no body goes out */
    bool wants_anthropic_id; /* the caller speaks Anthropic's dialect */
    bool has_query;          /* match.rest bears the query, too */
    bool keep_alive;         /* its connection may go on, as far as is known */

    /* Its body. */
    bool body_open;    /* it has not been read to its end */
    bool expects;      /* 100 Continue has yet to be sent */
    bool streams_body; /* it is passed on as it comes */
    bool late;         /* it did not come in time */
    struct lh_body decoder;
    struct lb_buf body;       /* collected; given back when no other attempt can follow */
    struct lg_decode *decode; /* of one that came compressed; in the arena. NULL: none */
    struct lg_hold *hold;     /* of the memory for a large one; see body.h. NULL: none */
    uint32_t body_paid;       /* bytes of memory, from the worker's purse */
    uint64_t bytes_in;        /* of it */
    struct lg_upload *upload; /* of one that is passed on as it comes; in the arena */
    struct lg_ask *ask;       /* what it says; in the arena; NULL: no body */
    struct lb_str model;      /* as asked for; in the arena or the body */
    int64_t platform_id;      /* no model is named, but what this platform keeps; 0: neither */

    /* Where it goes. */
    struct lg_attempt *attempt; /* the one under way, or the last; NULL: none has opened */
    struct lg_walk *walk;       /* over the targets of a route; in the arena; NULL: it names none */
    struct lg_home *home;       /* what it names is kept there; in the arena; NULL: not looked */
    struct lg_own *own;         /* whose is what it names; in the arena; NULL: nothing to ask */
    struct lg_job *job;         /* off the loop: a look-up or a handler; in the arena */
    uint64_t user_gauge;        /* counted in; 0: not */
    uint64_t token_gauge;
    unsigned attempts; /* that were made ready, so the number of the one under way, from 1 */
    uint8_t tries;     /* loads of the profile */

    /* What the driver knows of it. */
    bool running; /* the driver is on the stack */
    bool again;   /* something happened meanwhile: go round once more */
    bool working; /* off the loop: nothing may be freed */
    bool gone;    /* the client has left */
    bool cut;     /* the drain's limit has passed */

    /* The answer. */
    bool answered;             /* it is complete */
    bool chunked;              /* its framing */
    bool error_plain;          /* what is wrong is no model: the HTTP status says all */
    int error_http;            /* the status for `error`; 0: by its own */
    int status;                /* HTTP, of our answer; 0: none begun */
    struct llmgr_error *error; /* for FAIL; in the arena */
    uint64_t bytes_out;        /* of its body */
    struct ln_timer ping;      /* of a stream; before that, of the wait for room in the journal */

    char id_text[LG_ID_SIZE];
    struct lb_arena arena;  /* begins in `block` */
    struct lg_block *block; /* NULL: parked */
    char *parked;           /* the attempt, its filter and texts, in one piece; NULL: it is not */
};

/* The request that a callback is given. */
static inline struct lg_request *lg_request_of(void *context)
{
    return LB_CAST(struct lg_request, context, LG_REQUEST_MAGIC);
}

/* A head was read: begins its request and runs it as far as it goes. */
void lg_request_begin(struct lg_client *client, const struct lh_head *head);
/* Goes on where it waited. */
void lg_request_run(struct lg_request *request);
/* The client has left; the connection is closing. */
void lg_request_gone(struct lg_request *request);
/* Is its answer complete, or ours, which costs nobody anything? */
bool lg_request_is_settled(const struct lg_request *request);
/* The client's body does not come. */
void lg_request_late(struct lg_request *request);
/* The client takes bytes again. */
void lg_request_drained(struct lg_request *request);
/* The drain's limit has passed: an error event, the end. */
void lg_request_cut(struct lg_request *request);

/* Gives the inline block back; the arena is empty then. For park.h. */
void lg_request_leave_block(struct lg_request *request);

/* ---- For the steps --------------------------------------------------------------------------- */

/* The head will be needed in a later turn: copies it. */
LLMGR_MUST_CHECK llmgr_status lg_request_keep(struct lg_request *request);
/* request_error.c: FAIL with a status and a text. */
enum lg_verdict lg_request_fail(struct lg_request *request, llmgr_status status, const char *format,
                                ...) __attribute__((format(printf, 3, 4)));
/* FAIL: memory is short. */
enum lg_verdict lg_request_fail_memory(struct lg_request *request);
/* FAIL with an error that somebody else filled. */
enum lg_verdict lg_request_fail_with(struct lg_request *request, const struct llmgr_error *err);
/* FAIL because a limit of ours is reached, which is counted; worth trying again in a second. */
enum lg_verdict lg_request_limit(struct lg_request *request, enum lg_metric metric,
                                 const char *text);
/* Room for an error in the arena; never NULL. */
struct llmgr_error *lg_request_error(struct lg_request *request);
/* Of relayed routes; others are answered in the shape of NATIVE. */
const struct ld_endpoint *lg_request_endpoint(const struct lg_request *request);
/* Of errors and pings: the endpoint's, or of a native path what its caller speaks. */
enum ld_shape lg_request_shape(const struct lg_request *request);
/* What x-request-id says. */
struct lb_str lg_request_public_id(const struct lg_request *request);

/* READ and OWN: the rest of the body and the look at it. */
enum lg_verdict lg_read_rest(struct lg_request *request);

#define LG_STEP_DECLARE(name, function)                                                            \
    enum lg_verdict lg_step_##function(struct lg_request *request);
LG_STEP_MAP(LG_STEP_DECLARE)
#undef LG_STEP_DECLARE

#endif
