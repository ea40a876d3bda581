/* SPDX-License-Identifier: MIT */
/*
 * One exchange with a platform: a request sent, an answer relayed, on the loop and without
 * blocking. The engine of the gateway and, on a private loop, of the library's blocking calls.
 *
 *   start -> [waiting connection | dial] -> head (key opened, written, wiped) + body
 *         -> 1xx skipped -> face.head -> face.body ... -> face.end (exactly once, always)
 *
 * Every exchange that started ends with exactly one call of face.end, never from within a call the
 * owner makes; after it the exchange is gone. A cancelled one closes its socket at once and ends
 * with ERR_CANCELLED before the loop sleeps.
 *
 * Retry: if a connection that waited in the pool turns out dead before any byte of the answer came,
 * the request is sent once more, on a fresh one. A request whose body is fed cannot be sent again,
 * so it takes a fresh connection from the start. Nothing else is ever sent twice.
 *
 * Redirects are never followed: a 3xx ends the exchange with ERR_UPSTREAM and a text.
 * Status of an end: OK (the answer, of whatever HTTP status, is complete), ERR_CANCELLED,
 * ERR_ADDRESS, ERR_UNREACHABLE, ERR_TLS, ERR_TIMEOUT, ERR_CUT (connection lost), ERR_PROTOCOL (no
 * HTTP, or over a cap), ERR_UPSTREAM (redirect), ERR_NO_MEMORY, what open_key returned, ERR_IO.
 */
#ifndef LU_EXCHANGE_H
#define LU_EXCHANGE_H

#include "http/head.h"
#include "net/policy.h"
#include "upstream/pool.h"

struct lu_exchange;
struct lv_secret;

enum {
    LU_BODY_SLICES_MAX = 64,      /* slices of a request body */
    LU_INTERIM_MAX = 16,          /* 1xx answers skipped before it counts as abuse */
    LU_UPLOAD_QUEUE = 256 * 1024, /* bytes of a fed body that may wait for the socket */
};

/* What the owner hears. `head` and `end` must be there, the others may be NULL. */
struct lu_face {
    /*
     * The final head; everything in it is valid during the call only. A body in a coding that we
     * know (http/coding.h) comes without it, and the head as if it had been sent so.
     */
    void (*head)(struct lu_exchange *exchange, void *context, const struct lh_head *head);
    /* Payload without any framing; at least one byte; valid during the call only. */
    void (*body)(struct lu_exchange *exchange, void *context, struct lb_str bytes);
    /*
     * All that one read held has been given: slices that `body` got since the last batch live
     * until this returns, so an owner can gather them and pass them on in one write. Called after
     * each read from the one with the head on. `complete`: the body is, and `end` follows with
     * LLMGR_OK.
     */
    void (*batch)(struct lu_exchange *exchange, void *context, bool complete);
    /* A fed body may go on: first when the head was sent, then each time the queue has drained. */
    void (*drained)(struct lu_exchange *exchange, void *context);
    /* The last call. err->status is LLMGR_OK or says why; valid during the call only. */
    void (*end)(struct lu_exchange *exchange, void *context, const struct llmgr_error *err);
};

/* Opens the key for the moment in which the head is written; wiped right behind. */
typedef llmgr_status (*lu_open_key_fn)(void *context, struct lv_secret *key,
                                       struct llmgr_error *err);

enum lu_body_kind {
    LU_BODY_WHOLE = 0, /* the slices are all of it (none: no body) */
    LU_BODY_LENGTH,    /* the slices come first, the rest of body_size bytes is fed */
    LU_BODY_CHUNKED    /* the slices come first, the rest is fed until lu_exchange_finish */
};

/* Each in ms; 0: no limit, but for connect, where it means the dialer's default. */
struct lu_timeouts {
    int64_t connect_ms;    /* resolve, connect, proxy, TLS */
    int64_t first_byte_ms; /* request sent to first byte of the final answer */
    int64_t idle_ms;       /* between two reads of the answer, or two writes that make progress;
                              stands still while paused */
    int64_t total_ms;      /* all of it */
};

/*
 * Strings, slices of fields and `url` are copied or used up during start; body slices are borrowed
 * until the end. `open_key` may be called again, later, for the retry.
 */
struct lu_request {
    struct lb_str url; /* base URL; http or https */
    enum ln_class klass;
    struct lb_str method; /* "POST" */
    struct lb_str path;   /* joined to the base URL's path: "/chat/completions"; may be empty */
    const struct lh_field *fields; /* extra fields; no framing, hop-by-hop, Host or credentials */
    size_t field_count;
    enum lu_body_kind body_kind;
    const struct lb_str *body; /* at most LU_BODY_SLICES_MAX; the array itself is copied */
    size_t body_count;
    uint64_t body_size;        /* LU_BODY_LENGTH: of the whole body */
    struct lb_str protocol;    /* the platform's (config/protocols.def); empty: "openai" */
    struct lb_str dialect;     /* the call's, one of these; empty: whatever the platform speaks */
    lu_open_key_fn open_key;   /* NULL: no key is sent */
    struct lb_str fixed;       /* names of the fields in the lines below: ", " between; they replace
                                  those of `fields` and our own */
    lu_open_key_fn open_fixed; /* lines that are sent behind the head, as the key is; NULL: none */
    void *key_context;         /* of both; lives until the end */
    struct lu_timeouts timeouts;
    uint64_t answer_max; /* payload bytes; 0: no cap */
};

/*
 * Starts. Failure (request invalid, memory) is returned and no callback runs. *exchange is valid
 * until face->end returns.
 */
LLMGR_MUST_CHECK llmgr_status lu_exchange_start(struct lu_pool *pool,
                                                const struct lu_request *request,
                                                const struct lu_face *face, void *context,
                                                struct lu_exchange **exchange,
                                                struct llmgr_error *err);

/*
 * Feeds a body of kind LENGTH or CHUNKED: not before the first `drained`. The bytes are copied if
 * the socket does not take them. *full: feed no more until `drained` is called (what exceeds
 * LU_UPLOAD_QUEUE is ERR_TOO_LARGE, and nothing of it was taken). ERR_INVALID: more than
 * body_size, or not at its time. A socket that fails ends the exchange by `end`.
 */
LLMGR_MUST_CHECK llmgr_status lu_exchange_write(struct lu_exchange *exchange, struct lb_str bytes,
                                                bool *full);
/* The body is complete. Of a LENGTH body that is not, ERR_INVALID. */
LLMGR_MUST_CHECK llmgr_status lu_exchange_finish(struct lu_exchange *exchange);

/*
 * Back-pressure: after pause no `body` comes (nor `end`, save for failures of time and memory)
 * until resume. At most one read (LN_READ_SIZE) is held meanwhile; the kernel holds the rest.
 */
void lu_exchange_pause(struct lu_exchange *exchange);
void lu_exchange_resume(struct lu_exchange *exchange);
bool lu_exchange_paused(const struct lu_exchange *exchange);

/* Ends it with ERR_CANCELLED; harmless if it is ending already. */
void lu_exchange_cancel(struct lu_exchange *exchange);
/* The same with a reason of the owner's, e.g. ERR_PROTOCOL for an answer it cannot read. */
void lu_exchange_fail(struct lu_exchange *exchange, const struct llmgr_error *err);
/*
 * The owner will hear nothing more of it, `end` included, and borrows it nothing any longer. Only
 * of an exchange that is ending: after a cancel or a fail, or from a batch that was complete.
 */
void lu_exchange_forget(struct lu_exchange *exchange);

/* What it took so far. */
struct lu_stats {
    int64_t connected_at;   /* loop time, ms, as the next; -1: not yet */
    int64_t sent_at;        /* last byte of the request given to the socket */
    uint64_t received_size; /* payload bytes handed out */
    bool reused;            /* the connection had waited in the pool */
    bool tls_resumed;       /* it was dialled, and continued an earlier TLS session */
    uint8_t attempts;       /* 1, or 2 after a retry */
};
const struct lu_stats *lu_exchange_stats(const struct lu_exchange *exchange);

#endif
