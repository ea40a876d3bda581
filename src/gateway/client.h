/* SPDX-License-Identifier: MIT */
/*
 * A client's connection: bytes become heads, heads become requests, one at a time and in order.
 *
 *   bytes --> [in: what is not used yet] --> head --> request (takes its body from `now`)
 *                                              ^           |
 *                                              +-- done ---+   what was pipelined comes next
 *
 * An idle connection owns no buffer. While a request is under way what the client sends further
 * is kept up to LG_PIPELINE_MAX, so that its leaving is noticed at once. The next head is not
 * looked at before the answers so far have been handed to the kernel: a client that does not read
 * has no further work done for it.
 */
#ifndef LG_CLIENT_H
#define LG_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/head.h"
#include "net/loop.h"

struct lg_origin;
struct lg_request;
struct lg_worker;
struct ln_conn;

enum {
    LG_PIPELINE_MAX = 64 * 1024, /* bytes behind a request that are kept; then reading stops */
    LG_OUT_HIGH = 16 * 1024,     /* queued bytes at which the platform is no longer read */
    LG_OUT_LOW = 8 * 1024,       /* and at which it is again */
    LG_OUT_CAP = 512 * 1024,
    LG_LINGER_MS = 2000, /* how long the rest of a refused body is thrown away */
};

/* A head that came in pieces. */
struct lg_partial {
    struct lh_head head;
    struct lh_field fields[LH_FIELDS];
};

struct lg_client {
    unsigned magic;
    struct lg_worker *worker;
    struct ln_conn *conn;       /* NULL: closed, and the request is not done yet */
    struct lb_list node;        /* of the worker's clients */
    struct lg_request *request; /* under way; NULL: none */
    struct lb_buf in;           /* bytes received and not used yet */
    struct lb_str now;          /* while feeding: the unused bytes, in `in` or the read buffer */
    struct lg_partial *partial; /* while a head is incomplete */
    struct ln_timer timer;      /* head, body, keep-alive or write, by what is awaited */
    struct ln_defer again;      /* pipelined bytes wait for the turn's end */
    union {
        uint64_t delivered; /* to it, when it was last seen to take something */
        struct {
            uint32_t since; /* loop time, ms, as far as it fits */
            uint32_t taken; /* bytes since then */
        } body;             /* while it is awaited: its pace */
    };
    struct lg_origin *origin; /* NULL: nobody asks where it comes from */
    uint32_t served;          /* requests so far */
    uint8_t quiet;            /* looks since then at which it had taken nothing more */
    bool feeding;
    bool owing;       /* bytes of its answers wait here */
    bool parting;     /* it is ended when it has taken them; what it sends is thrown away */
    bool unread_body; /* body bytes of a request that is over may still come */
    bool wants_body;  /* the request takes bytes */
    bool stopped;     /* not reading: too much is pipelined */
    bool ended;       /* the peer has ended its direction, or the connection failed */
    bool half;        /* ended, and in good order: it may still read */
    bool closing;
};

/* Whom clients tell what happens: the worker fills it with what serves requests. */
struct lg_client_events {
    /* A head has come; it lies in the worker's scratch. A request begins, and is client->request.
     */
    void (*begin)(struct lg_client *client, const struct lh_head *head);
    void (*body)(struct lg_request *request);    /* bytes that it wanted have come */
    void (*drained)(struct lg_request *request); /* the connection takes bytes again */
    void (*late)(struct lg_request *request);    /* the body does not come */
    void (*gone)(struct lg_request *request);    /* the client is */
    /* The client says no more: is the answer complete, or such that it costs nobody anything? */
    bool (*is_settled)(const struct lg_request *request);
    /* What came is no request, or none may come from there: answers, and ends the connection. */
    void (*refuse)(struct lg_client *client, int status, const char *text);
    void (*freed)(struct lg_worker *worker); /* one client less */
};

/* Takes a connection over from a listener. */
void lg_client_accept(void *worker, struct ln_conn *conn);
/* Closes it now; a request under way ends as client_gone. */
void lg_client_close(struct lg_client *client);
/* No request is under way: ends it politely. For a drain. */
void lg_client_end_idle(struct lg_client *client);

/* ---- For the request ------------------------------------------------------------------------- */

/* Takes up to `max` of the bytes at hand. */
struct lb_str lg_client_take(struct lg_client *client, size_t max);
/* The request waits for (more of) its body; the event `body` tells when bytes come. */
void lg_client_want_body(struct lg_client *client, bool wants);
/* Writes; false: the connection is broken, and the event `gone` will come or came. */
bool lg_client_write(struct lg_client *client, const struct lb_str *slices, size_t count);
/* The request is over. `keep`: another may follow; `unread_body`: body bytes of it may still come.
 */
void lg_client_done(struct lg_client *client, bool keep, bool unread_body);

#endif
