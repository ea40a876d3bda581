/* SPDX-License-Identifier: MIT */
/*
 * What all workers have together. The server fills it before the first thread starts; from then on
 * it is constant. What changes while the server runs stands behind its pointers, and has locks or
 * atomic members of its own.
 */
#ifndef LG_SHARED_H
#define LG_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"
#include "net/tls.h"

struct lb_gauge;
struct lb_log_file;
struct ln_share;
struct lo_budget;
struct lo_health;
struct lz_cells;
struct lg_worker;
struct ll_ledger;
struct lw_uses;
struct llmgr;
struct lp_config_hooks;

enum {
    LG_WORKERS_MAX = 256,
    LG_LISTENERS_MAX = 16,
    LG_PROBES = 4,
};

/* The server's to write. */
struct lg_drain {
    atomic_bool begun;        /* no more connections; readiness is red */
    _Atomic int64_t limit_ms; /* that requests under way have left */
};

/* Probes of refused keys, by how they ended (enum lo_probed); the prober's to write. */
struct lg_probes {
    _Atomic uint64_t count[LG_PROBES];
};

struct lg_shared {
    struct llmgr *manager;
    struct ll_ledger *ledger;
    struct lb_log_file *log;              /* the access log */
    struct lw_uses *uses;                 /* when tokens were last used */
    struct lb_gauge *gauge;               /* requests under way, of users and tokens */
    struct lb_gauge *addresses;           /* connections */
    struct lo_health *health;             /* what is known to be broken */
    const struct lz_cells *cells;         /* what of it nodes tell one another */
    struct lo_budget *budget;             /* of repetitions, and of what moves on from it */
    struct ln_share *bodies;              /* bytes of memory */
    struct ln_share *looks;               /* threads */
    const struct lp_config_hooks *config; /* NULL: there is no file */
    /* Our name in CDN-Loop: that of every gateway on this database, and of no other. */
    struct lb_str hop;
    struct ln_tls_server_options tls; /* cert_file NULL: plain */
    struct ln_loop_options loop;      /* of each worker */
    bool need_token;                  /* false: callers without a token are the system user */
    int64_t started_ms;               /* wall clock */
    const struct lg_drain *drain;
    const struct lg_probes *probes;
    struct lg_worker *workers[LG_WORKERS_MAX];
    size_t worker_count;
    /* A worker's thread is about to end. */
    void (*worker_ended)(void *server);
    void *server;
};

#endif
