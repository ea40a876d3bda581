/* SPDX-License-Identifier: MIT */
/* The server's inside: what server.c and frame.c share. */
#ifndef MOCK_SERVER_H
#define MOCK_SERVER_H

#include "base/list.h"
#include "mock.h"
#include "net/loop.h"

struct ln_conn;
struct ln_listener;
struct ln_tls_server;

enum {
    PEER_MAGIC = 0x6d6f636b,
    IN_MAX = 96 * 1024 * 1024,
    OUT_MAX = 256 * 1024 * 1024,
    FLOOD_ROOM = 256 * 1024,
};

struct mock {
    const struct lb_host *host;
    struct ln_loop *loop;
    struct mock_options options;
    struct ln_listener *listener;
    struct ln_tls_server *tls;
    struct mock_recorder *recorder;
    struct mock_counts counts;
    struct lb_list peers;
    uint64_t connections;
    uint16_t port;
};

/* A client's connection. */
struct peer {
    unsigned magic;
    struct mock *mock;
    struct ln_conn *conn;
    struct lb_list node;
    uint64_t number;
    struct lb_buf in;
    bool stale;   /* the next request is dropped */
    bool ended;   /* the client sends no more */
    bool busy;    /* an answer is on its way */
    bool serving; /* serve is on the stack */
    bool asked;   /* 100 Continue was sent for this request */

    /* The request whose body is coming. */
    struct lh_head head;
    struct lh_field fields[LH_FIELDS];

    /* The answer on its way. */
    struct lb_buf out;
    struct lb_buf steps; /* size_t each: write up to here, wait, go on; empty: at once */
    size_t at;           /* bytes of out that are written */
    size_t step;
    int64_t pace_ms;
    bool close_after;
    bool stall_after;
    const char *flood; /* written for ever */
    struct ln_timer timer;
};

/* Writes the answer into peer->out, with steps and flags, as the request wants it. */
void mock_frame(struct peer *peer, const struct mock_request *request,
                const struct mock_answer *answer);

#endif
