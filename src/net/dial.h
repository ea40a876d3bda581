/* SPDX-License-Identifier: MIT */
/*
 * The one dialer: the only code of llmgr that opens an outbound connection.
 *
 *   resolve (off the loop) -> judge ALL addresses -> connect in order, the next one after 250 ms
 *   or on failure (RFC 8305, simplified) -> [proxy: CONNECT] -> [TLS handshake] -> connection
 *
 * One time limit covers all of it. A name with one address that policy refuses is refused whole;
 * only judged addresses are connected to, and a name is resolved once per dial.
 *
 * With a proxy, the proxy is the operator's own and its address is not judged; the target is. For
 * class PRIVATE the target's name is resolved and judged here first, although the proxy resolves
 * it again: a proxy that sees other addresses than we do must have rules of its own.
 *
 * A Unix socket is a file that the operator names: class SYSTEM alone may have one, nothing is
 * resolved or judged, and no proxy stands before it.
 *
 * What failed is said precisely for class SYSTEM:
 *   ERR_ADDRESS      the policy refuses the address
 *   ERR_UNREACHABLE  no such name, nobody listens, no route, the proxy says no
 *   ERR_TIMEOUT      the limit passed (the text says in which phase)
 *   ERR_TLS          handshake or certificate
 *   ERR_CANCELLED    the loop was freed
 *   ERR_NO_MEMORY, ERR_IO (no descriptors left)
 * For class PRIVATE a name that is refused, closed or unresolvable gives one status
 * (ERR_UNREACHABLE) and one text, so that nobody can map our network with it; the operator's log
 * (level info) has the reason.
 */
#ifndef LN_DIAL_H
#define LN_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/policy.h"

struct ln_conn;
struct ln_dial;
struct ln_loop;
struct ln_proxy;
struct ln_tls_client;
struct ln_answer;

enum {
    LN_DIAL_TIMEOUT_MS = 10000, /* default limit of a whole dial */
    LN_DIAL_NEXT_MS = 250,      /* head start of each address before the next (RFC 8305) */
    LN_DIAL_ADDR_MAX = 16,      /* addresses tried; all are judged */
};

/*
 * Another resolver than the system's, for tests. `start` is called on the loop's thread and must
 * lead to exactly one ln_answer_give, at once or later, on the loop's thread; also when the dial
 * has meanwhile timed out or was cancelled.
 */
struct ln_resolver {
    void (*start)(void *context, const char *host, struct ln_answer *answer);
    void *context;
};
/* Addresses (ports are ignored) in the order to try; count 0: there is no such name. Copied. */
void ln_answer_give(struct ln_answer *answer, const struct sockaddr_storage *addrs, size_t count);

struct ln_dial_request {
    const char *host; /* name or literal, without brackets */
    uint16_t port;
    enum ln_class klass;
    const struct ln_policy *policy;     /* NULL: the defaults' judgement of class SYSTEM only */
    struct ln_tls_client *tls;          /* NULL: plain */
    const char *alpn;                   /* one protocol to offer, e.g. "http/1.1"; NULL: no ALPN */
    const struct ln_proxy *proxy;       /* NULL: none; its NO_PROXY rules are applied here */
    int64_t timeout_ms;                 /* 0: LN_DIAL_TIMEOUT_MS */
    const struct ln_resolver *resolver; /* NULL: the system's */
    /* The path of a Unix socket, which is connected to in the place of host and port; NULL: none.
     */
    const char *unix_path;
};

/*
 * How it ended: `conn` is the caller's now, without a face and not reading; or conn is NULL and
 * err says why (valid during the call).
 */
typedef void (*ln_dial_fn)(void *context, struct ln_conn *conn, const struct llmgr_error *err);

/*
 * Begins a dial; strings are copied, the objects pointed to must outlive it. `done` runs once, in
 * a later callback, never inside this call. A failure here (request invalid, memory) is returned
 * and `done` does not run.
 */
LLMGR_MUST_CHECK llmgr_status ln_dial(struct ln_loop *loop, const struct ln_dial_request *request,
                                      ln_dial_fn done, void *context, struct ln_dial **dial,
                                      struct llmgr_error *err);
/* Ends a dial whose `done` has not run: it will not. Sockets are closed within the turn. */
void ln_dial_cancel(struct ln_dial *dial);

#endif
