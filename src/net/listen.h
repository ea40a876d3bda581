/* SPDX-License-Identifier: MIT */
/*
 * Listeners. Opening the socket and accepting on it are two steps, so that sockets can be opened
 * by the main thread before workers start, shared between them (unix), opened once per worker
 * (TCP with SO_REUSEPORT), or inherited from a service manager (any listening stream socket).
 */
#ifndef LN_LISTEN_H
#define LN_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"

struct ln_conn;
struct ln_listener;
struct ln_loop;
struct ln_policy;
struct ln_tls_server;

enum { LN_LISTEN_TEXT = 128 }; /* bytes that hold any listener's text with its NUL */

struct ln_listen_options {
    /* "127.0.0.1:8080", "[::1]:8080", "[::]:8080" (both families), ":8080" (all addresses),
     * "unix:/run/llmgr.sock". Literal addresses only; port 0 takes a free one. */
    const char *address;
    unsigned unix_mode;      /* permissions of a unix socket, e.g. 0660; 0: 0600 */
    int backlog;             /* 0: 4096 (the kernel has its own limit) */
    bool reuse_port;         /* several sockets on one port, one per worker (TCP) */
    unsigned defer_accept_s; /* TCP_DEFER_ACCEPT where there is one; 0: off */
};

/*
 * Opens a listening socket. A unix socket's file left behind by a dead process is removed; one
 * that answers is ERR_CONFLICT, as is a port in use. ERR_INVALID for an address that is none.
 */
LLMGR_MUST_CHECK llmgr_status ln_listen_open(const struct ln_listen_options *options, int *fd,
                                             struct llmgr_error *err);
/* Is this inherited descriptor a listening stream socket? Makes it non-blocking, close-on-exec. */
LLMGR_MUST_CHECK llmgr_status ln_listen_inherit(int fd, struct llmgr_error *err);
/* Another descriptor of the same socket, for another worker. */
LLMGR_MUST_CHECK llmgr_status ln_listen_dup(int fd, int *copy, struct llmgr_error *err);
/* "127.0.0.1:8080" as bound (the real port), "unix:/path"; returns buffer. */
const char *ln_listen_text(int fd, char buffer[LN_LISTEN_TEXT]);
/* Does it accept from beyond this machine: neither loopback nor a unix socket? */
bool ln_listen_is_public(int fd);
/* Shuts the place it listens on to all platforms; a unix socket is none that they could name. */
LLMGR_MUST_CHECK llmgr_status ln_listen_shut(int fd, struct ln_policy *policy,
                                             struct llmgr_error *err);
/* Closes a socket no listener was started on; a unix socket's file is removed. */
void ln_listen_close(int fd);

/* A new connection (TLS: after its handshake), the callee's now: without a face, not reading. */
typedef void (*ln_accept_fn)(void *context, struct ln_conn *conn);

struct ln_accept_options {
    struct ln_tls_server *tls;    /* NULL: plain */
    int64_t handshake_timeout_ms; /* TLS; 0: 10 000 */
    bool keep_file;               /* leave a unix socket's file when the listener closes */
};

/*
 * Accepts on fd until ln_listener_close. Owns fd if it returns LLMGR_OK. Accepting pauses at the
 * loop's accepted_max and, for 100 ms at a time, while the process is out of descriptors.
 */
LLMGR_MUST_CHECK llmgr_status ln_listener_start(struct ln_loop *loop, int fd,
                                                const struct ln_accept_options *options,
                                                ln_accept_fn accept, void *context,
                                                struct ln_listener **listener,
                                                struct llmgr_error *err);
/*
 * The same in peace: those that wait in the kernel's queue are accepted first, for closing the
 * socket would reset them, and handshakes under way go on. The listener is gone for its owner, but
 * `accept` and its context are used until the last of them has ended, or the loop.
 */
void ln_listener_end(struct ln_listener *listener);
/* No more connections; those accepted stay (handshakes under way end). NULL is fine. */
void ln_listener_close(struct ln_listener *listener);

#endif
