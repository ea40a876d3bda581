/* SPDX-License-Identifier: MIT */
/*
 * A connection: a stream of bytes in both directions, plain or TLS, behind one face.
 *
 *   data  <--- transport (plain: recv | TLS: SSL_read) <--- socket readable
 *   write ---> transport (plain: sendmsg | TLS: SSL_write) ---> socket
 *                  | what the kernel does not take
 *                  v
 *              queue, capped ---> on writable ---> drained
 *
 * Connections come from ln_dial (net/dial.h) and from a listener (net/listen.h). Reading is off
 * until ln_conn_read_start. No callback runs inside a call made by the owner. SIGPIPE is never
 * raised: every write is a send or sendmsg with MSG_NOSIGNAL, also below TLS.
 *
 * Life: the owner ends a connection with ln_conn_close or ln_conn_linger, from wherever it
 * likes, callbacks included; after ln_conn_close the only callback left is `closed`, at the end of
 * the turn, after which the pointer is dead.
 */
#ifndef LN_CONN_H
#define LN_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/host.h"
#include "base/str.h"

struct ln_conn;
struct ln_loop;

enum {
    LN_QUEUE_MAX = 1024 * 1024, /* default cap of a connection's write queue, bytes */
    LN_SLICES_MAX = 16,         /* most slices of one write */
    LN_PEER_TEXT = 64,          /* bytes that hold any peer's text with its NUL */
};

/* What an owner wants to hear; each may be NULL. A constant table per kind of owner. */
struct ln_conn_face {
    /* Bytes came (at least one); valid during the call only. */
    void (*data)(struct ln_conn *conn, void *context, struct lb_str bytes);
    /* The queue fell to the low mark (or, after a short ln_conn_send, the kernel takes bytes
     * again). */
    void (*drained)(struct ln_conn *conn, void *context);
    /*
     * The incoming stream ended, once. LLMGR_OK: orderly (FIN; with TLS, a close_notify), writing
     * is still possible. ERR_CUT: reset, or TLS without close_notify. Other: a failure, nothing
     * can be read or written any more; ln_conn_explain has the text. The owner still closes.
     */
    void (*end)(struct ln_conn *conn, void *context, llmgr_status why);
    /* The last call, after ln_conn_close; `conn` is freed when it returns. */
    void (*closed)(struct ln_conn *conn, void *context);
};

/* Hands the connection to an owner (or, from the pool to an exchange, on to the next). */
void ln_conn_set_face(struct ln_conn *conn, const struct ln_conn_face *face, void *context);
void *ln_conn_context(const struct ln_conn *conn);
struct ln_loop *ln_conn_loop(const struct ln_conn *conn);

void ln_conn_read_start(struct ln_conn *conn);
/* No `data` after this returns, and no `end` before reading starts again (save failed writes). */
void ln_conn_read_stop(struct ln_conn *conn);

/*
 * Writes all of it: what the kernel does not take now is copied to the queue. ERR_TOO_LARGE if
 * queue and slices together exceed the cap: nothing was written then. Any other failure is the
 * stream's end (`end` is not called for it).
 */
LLMGR_MUST_CHECK llmgr_status ln_conn_write(struct ln_conn *conn, const struct lb_str *slices,
                                            size_t count);
/*
 * Writes what the kernel takes now, at most 1 MiB in a turn and copying nothing: *taken bytes from
 * the front. If that is less than all, `drained` says when to offer the rest. For large bodies that
 * lie in memory anyway.
 */
LLMGR_MUST_CHECK llmgr_status ln_conn_send(struct ln_conn *conn, const struct lb_str *slices,
                                           size_t count, size_t *taken);
/* Bytes accepted and not yet given to the kernel. */
size_t ln_conn_queued(const struct ln_conn *conn);
/*
 * Bytes that have left this machine for good: where the kernel tells, what the peer acknowledged,
 * else what the kernel took. Two readings that are equal mean that the peer takes nothing. A system
 * call: for timers.
 */
uint64_t ln_conn_delivered(const struct ln_conn *conn);
/* Cap of the queue, and the mark at or below which `drained` is called (default 1 MiB and 0). */
void ln_conn_set_marks(struct ln_conn *conn, size_t cap, size_t low);

/* Ends our direction (close_notify, FIN) once the queue is empty; reading goes on. */
void ln_conn_shutdown(struct ln_conn *conn);
/*
 * Ends the connection at once; what is queued is lost. With TLS a close_notify is sent if the
 * kernel takes it.
 */
void ln_conn_close(struct ln_conn *conn);
/*
 * Ends the connection politely: sends the queue, ends our direction, throws away what still comes
 * until the peer ends too or the time is over, then closes. From here on only `closed` is called.
 * A server needs this to refuse a body it has not read: a plain close would reset the connection
 * and could destroy the answer on its way (RFC 9112 section 9.6).
 */
void ln_conn_linger(struct ln_conn *conn, int64_t timeout_ms);
bool ln_conn_closing(const struct ln_conn *conn); /* closed or lingering */

/* Fills err (may be NULL) with what ended the stream, in words; returns its status. */
llmgr_status ln_conn_explain(const struct ln_conn *conn, struct llmgr_error *err);

/* The other end as the kernel sees it (a proxy, if one is in use); false if it cannot be told. */
bool ln_conn_peer(const struct ln_conn *conn, struct sockaddr_storage *peer);
/* "192.0.2.1:443", "[2001:db8::1]:443", "unix", or "?"; returns buffer. */
const char *ln_conn_peer_text(const struct ln_conn *conn, char buffer[LN_PEER_TEXT]);
bool ln_conn_is_tls(const struct ln_conn *conn);
/* TLS only: did an earlier session save the full handshake? */
bool ln_conn_tls_resumed(const struct ln_conn *conn);
/* TLS only: the protocol chosen by ALPN, or the empty slice. Borrowed. */
struct lb_str ln_conn_alpn(const struct ln_conn *conn);

#endif
