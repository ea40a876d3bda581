/* SPDX-License-Identifier: MIT */
/*
 * Connections to platforms that wait to be used again, for one loop and its thread.
 *
 * A connection is kept under (origin, egress class): one that was opened for a system platform
 * never serves a private one, even at the same address. Proxy, TLS settings and policy are fixed
 * for the life of a pool, so connections made under others are in other pools. A waiting
 * connection is read from: one that its peer closes, or that speaks unasked, is dropped at once.
 */
#ifndef LU_POOL_H
#define LU_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "net/policy.h"

struct ln_loop;
struct ln_proxy;
struct ln_resolver;
struct ln_tls_client;
struct lu_pool;

/* Everything pointed to is borrowed and outlives the pool; `tls` belongs to the loop's thread. */
struct lu_pool_options {
    const struct ln_policy *policy;     /* NULL: only class SYSTEM can connect */
    struct ln_tls_client *tls;          /* NULL: no https */
    const struct ln_proxy *proxy;       /* NULL: none */
    const struct ln_resolver *resolver; /* NULL: the system's */
    const char *unix_path;    /* all of them lead to this socket, see ln_dial; NULL: none */
    unsigned idle_per_origin; /* waiting connections per origin and class; 0: 64 */
    unsigned idle_total;      /* 0: 512 */
    int64_t idle_timeout_ms;  /* 0: 60 000 */
};

LLMGR_MUST_CHECK llmgr_status lu_pool_new(struct ln_loop *loop,
                                          const struct lu_pool_options *options,
                                          struct lu_pool **pool, struct llmgr_error *err);
/* Closes what waits. All exchanges must have ended. Before ln_loop_free. NULL is fine. */
void lu_pool_free(struct lu_pool *pool);
/* Closes what waits (after a change of network or of credentials). */
void lu_pool_flush(struct lu_pool *pool);

struct ln_loop *lu_pool_loop(const struct lu_pool *pool);
unsigned lu_pool_idle(const struct lu_pool *pool);    /* connections waiting now */
uint64_t lu_pool_dialed(const struct lu_pool *pool);  /* connections opened so far */
uint64_t lu_pool_reused(const struct lu_pool *pool);  /* times a waiting one was taken */
unsigned lu_pool_running(const struct lu_pool *pool); /* exchanges not ended */

#endif
