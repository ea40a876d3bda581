/* SPDX-License-Identifier: MIT */
/* What the tests of net/ share: certificates made on the spot, an echo server, a counting client.
 */
#ifndef TESTS_NET_HELP_H
#define TESTS_NET_HELP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/dial.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/tls.h"

/* Files of one certificate and its key, and the authority that signed it. */
struct certs {
    char dir[64];
    char ca[96], cert[96], key[96];
};

/* `san` like "DNS:localhost,IP:127.0.0.1"; valid from and to in seconds from now. */
void certs_make(struct certs *certs, const char *san, long from, long to);
void certs_remove(struct certs *certs);

/* A server that sends back what it gets, pausing its peer while its queue is long. */
struct server {
    struct ln_loop *loop;
    struct ln_listener *listener;
    struct ln_tls_server *tls;
    uint16_t port;
    unsigned accepted, closed, ended;
    llmgr_status why; /* of the last end */
    size_t queue_peak;
    size_t received;
    bool mute;            /* swallows instead of sending back */
    bool deaf;            /* does not read at all */
    bool hang_up;         /* closes on the first data */
    bool refuse;          /* on the first data: answers "no", lingers */
    struct ln_conn *conn; /* the last one, NULL once closed */
};

void server_start(struct server *server, struct ln_loop *loop, const struct certs *certs);
void server_stop(struct server *server);
/* Stops when all it has accepted are closed: from then on nothing points to `server`. */
void server_stop_when_left(struct server *server);

struct client {
    struct ln_loop *loop;
    struct ln_dial *dial;
    struct ln_conn *conn;
    bool called; /* the dial's callback ran */
    struct llmgr_error err;
    size_t received;
    uint64_t sum;  /* of the bytes received, in order */
    char tail[64]; /* the first bytes received */
    unsigned drained, ended, closed;
    llmgr_status why;
    bool close_on_data;
    bool stop_on_data;
};

extern const struct ln_conn_face CLIENT_FACE;

struct ln_loop *loop_make(void);
/* Dials; client->called tells when it is over. Fails the test if the dial is refused at once. */
void client_dial(struct client *client, struct ln_loop *loop,
                 const struct ln_dial_request *request);
/* Dials and waits for the connection, which then reads into the client. */
void client_connect(struct client *client, struct ln_loop *loop,
                    const struct ln_dial_request *request);
void client_write(struct client *client, const char *text);

/* Turns the loop until the condition holds; fails the test after 20 s. */
#define LOOP_UNTIL(loop, condition)                                                                \
    do {                                                                                           \
        struct guard guard_;                                                                       \
        guard_start(&guard_, (loop));                                                              \
        while (!(condition)) {                                                                     \
            if (guard_.over)                                                                       \
                fail_msg("waited in vain for %s", #condition);                                     \
            ln_loop_turn((loop), true);                                                            \
        }                                                                                          \
        ln_timer_stop(&guard_.timer);                                                              \
    } while (0)

struct guard {
    struct ln_timer timer;
    bool over;
};
void guard_start(struct guard *guard, struct ln_loop *loop);
/* Turns for so long, whatever happens. */
void loop_for(struct ln_loop *loop, int64_t ms);

#endif
