/* SPDX-License-Identifier: MIT */
/*
 * One request's way: a table of small steps, driven by lg_request_run. A step returns
 *
 *   NEXT  go on with the next step          WAIT  something will call lg_request_run again
 *   FAIL  request->error says why: an error answer in the endpoint's dialect, then SETTLE
 *   DONE  the answer is complete (or the client gone): SETTLE, then FINISH
 *   AGAIN from SETTLE only: one more attempt, from CONNECT on
 *
 * Only move() in request.c changes request->step, and traces it at level debug.
 *
 * Memory: the head lies in the worker's scratch or in the read buffer as long as everything
 * happens within one turn; lg_request_keep copies it when a step has to wait. The body lies in one
 * buffer of its own that is given back as soon as the platform answers. Everything else begins in a
 * room of the worker's. An event stream leaves that room (lg_request_settle_in): what remains while
 * it idles is this struct, its relay and a few texts.
 */
#ifndef LG_REQUEST_H
#define LG_REQUEST_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "dialect/endpoint.h"
#include "gateway/route.h"
#include "gateway/worker.h"
#include "http/body.h"
#include "management/call.h"
#include "resolve/resolve.h"
#include "upstream/exchange.h"

struct lg_ask;
struct lg_client;
struct lg_hold;
struct lg_job;
struct lg_own;
struct lg_relay;
struct lg_upload;

/* XX(NAME, function) in the order of the way. */
#define LG_STEP_MAP(XX)                                                                            \
    XX(ACCEPT, accept)     /* head -> id, sanity */                                                \
    XX(MATCH, match)       /* method + path -> route; CORS preflight, own answers without token */ \
    XX(IDENTIFY, identify) /* token -> caller, scope */                                            \
    XX(READ, read)         /* body up to its cap; peek */                                          \
    XX(HANDLE, handle)     /* our own routes: the handler's answer; relayed ones pass */           \
    XX(TARGET, target)     /* resolve: platform, model, key, payer */                              \
    XX(ADMIT, admit)       /* may this payer spend? */                                             \
    XX(OWN, own)           /* a key that is not the caller's: only his own, own.h */               \
    XX(OPEN, open)         /* shown ids become the platform's, shown_ids.h */                      \
    XX(CONNECT, connect)   /* what is sent: splice, fields */                                      \
    XX(SEND, send)         /* the exchange starts, streamed bodies are fed */                      \
    XX(RELAY, relay)       /* platform -> filter -> client */                                      \
    XX(SETTLE, settle)     /* one usage record per attempt; a retry goes back to CONNECT */        \
    XX(FINISH, finish)     /* access log, metrics, keep-alive or close */

enum lg_step {
#define LG_STEP_ENUM(name, function) LG_STEP_##name,
    LG_STEP_MAP(LG_STEP_ENUM)
#undef LG_STEP_ENUM
        LG_STEP_COUNT
};

enum lg_verdict { LG_NEXT, LG_WAIT, LG_FAIL, LG_DONE, LG_AGAIN };

enum {
    LG_ROOM_SIZE = 1920,        /* bytes that an ordinary request needs */
    LG_ARENA_MAX = 1 << 20,     /* all of it, the body apart */
    LG_ID_SIZE = 32,            /* "req_" and 26 digits */
    LG_CLIENT_ID_MAX = 128,     /* bytes of an x-request-id that is echoed */
    LP_API_BODY_MAX = 1 << 20,  /* bytes of a body for a route of our own */
    LG_REFUSAL_MAX = 64 * 1024, /* bytes of a platform's error that are looked at */
    LG_PROFILE_TRIES = 4,       /* loads of a profile that keeps changing */
};

/* A request's first memory, used again and again. */
struct lg_room {
    struct lg_room *next; /* in the worker's list of spare ones */
    alignas(16) char bytes[LG_ROOM_SIZE];
};

struct lg_request {
    unsigned magic;
    enum lg_step step;
    struct lg_client *client;
    struct lg_worker *worker;
    struct lg_settings *settings; /* held */
    struct lg_request *next;      /* in the worker's list of spare ones */
    int64_t began_at;             /* loop time, ms */

    /* What is asked. */
    const struct lh_head *head; /* the worker's, or our copy; NULL once it was sent on */
    enum lh_method method;
    struct lg_match match;
    struct lp_caller caller;
    struct lb_str id;        /* ours; unique */
    struct lb_str client_id; /* theirs, if it was sane: what x-request-id says then */
    struct lh_body decoder;
    struct lb_buf body;   /* collected; freed when the platform answers */
    struct lg_hold *hold; /* of the memory for a large one; see body.h. NULL: none */
    struct lg_ask *ask;   /* what the body says; in the arena; NULL: no body */
    struct lb_str model;  /* as asked for; in the arena or the body */
    int64_t platform_id;  /* no model is named, but what this platform keeps; 0: neither */

    /* Where it goes. */
    struct lr_target target;
    struct lu_exchange *exchange;
    const struct lh_field *fields; /* sent along, kept for a second attempt; in the arena */
    size_t field_count;
    struct lg_job *job;  /* off the loop: a look-up or a handler; in the arena */
    uint64_t user_gauge; /* counted in; 0: not */
    uint64_t token_gauge;

    /* The answer. */
    struct llmgr_error *error; /* for FAIL; in the arena */
    struct lg_relay *relay;    /* of this attempt; in the arena */
    struct lg_upload *upload;  /* of a body that is passed on as it comes; in the arena */
    struct lg_own *own;        /* whose is what it names; in the arena; NULL: nothing to ask */
    struct ln_timer ping;      /* of a stream; before that, of the wait for room in the journal */
    int error_http;            /* the status for `error`; 0: by its own */
    int status;                /* HTTP, of our answer; 0: none begun */
    uint64_t bytes_in;         /* of the body */
    uint64_t bytes_out;        /* of the answer's body */

    uint32_t body_paid; /* bytes of memory, from the worker's purse */
    unsigned attempt;   /* from 1 */
    unsigned tries;     /* loads of the profile */
    bool running;       /* the driver is on the stack */
    bool again;         /* something happened meanwhile: go round once more */
    bool kept;          /* the head is our copy */
    bool cut;           /* the drain's limit has passed */
    bool retry;         /* SETTLE, then CONNECT once more */
    bool working;       /* off the loop: nothing may be freed */
    bool gone;          /* the client has left */
    bool minor_1;       /* HTTP/1.1: chunks are understood */
    bool head_only;     /* HEAD: no body goes out */
    bool keep_alive;
    bool body_open;          /* the body has not been read to its end */
    bool expects;            /* 100 Continue has yet to be sent */
    bool streams_body;       /* the body is passed on as it comes */
    bool late;               /* the body did not come in time */
    bool admitted;           /* a record's room is kept in the journal */
    bool no_options;         /* the platform rejected stream_options: again without */
    bool may_learn;          /* and if that succeeds, it is a verdict for others too */
    bool wants_anthropic_id; /* the caller speaks Anthropic's dialect */
    bool answered;           /* the answer is complete */
    bool has_query;          /* match.rest bears the query, too */
    bool followed;           /* it was asked where what it names is (follow.h) */
    bool error_object;       /* what is not found is no model */
    bool chunked;            /* our answer's framing */
    uint8_t room_looks;      /* how often the journal was asked for room in vain */

    char id_text[LG_ID_SIZE];
    struct lb_arena arena; /* begins in `room` */
    struct lg_room *room;  /* NULL: settled in */
    char *nest;            /* settled in: relay and texts, in one piece */
};

/* A head was read: begins its request and runs it as far as it goes. */
void lg_request_begin(struct lg_client *client, const struct lh_head *head);
/*
 * A stream of events begins and may last: what it still needs moves to a nest of just its size, the
 * rest goes back to the worker. Moves the relay. Nothing happens if it is not possible now.
 */
void lg_request_settle_in(struct lg_request *request);
/* Goes on where it waited. */
void lg_request_run(struct lg_request *request);
/* The client has left; the connection is closing. */
void lg_request_gone(struct lg_request *request);
/* The client's body does not come. */
void lg_request_late(struct lg_request *request);
/* The client takes bytes again. */
void lg_request_drained(struct lg_request *request);
/* The drain's limit has passed: an error event, the end. */
void lg_request_cut(struct lg_request *request);

/* ---- For the steps --------------------------------------------------------------------------- */

/* The head will be needed in a later turn: copies it. */
LLMGR_MUST_CHECK llmgr_status lg_request_keep(struct lg_request *request);
/* FAIL with a status and a text. */
enum lg_verdict lg_request_fail(struct lg_request *request, llmgr_status status, const char *format,
                                ...) __attribute__((format(printf, 3, 4)));
/* FAIL with an error that somebody else filled. */
enum lg_verdict lg_request_fail_with(struct lg_request *request, const struct llmgr_error *err);
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
