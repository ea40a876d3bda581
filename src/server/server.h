/* SPDX-License-Identifier: MIT */
/*
 * The server as a whole: its listeners, its workers, and what changes while it runs.
 *
 *   main thread (signals) --> le_server_reload / _drain / _stop --> posts --> each worker's loop
 *   keeper thread (keeper.h): no worker ever asks the database whether something changed
 *   prober thread (prober.h): no user's request finds out whether a refused key is well again
 *   worker threads: one loop each, nothing shared but what stands in shared.h
 *
 * Signals are the program's business; the server only has functions to call.
 */
#ifndef LE_SERVER_H
#define LE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "gateway/settings.h"
#include "llmgr.h"

struct le_server;
struct llmgr;
struct lp_config_hooks;

struct le_server_options {
    const char *const *listen; /* addresses as ln_listen_open takes them; ends with NULL */
    const int *inherited;      /* sockets of a service manager, used instead of `listen` */
    size_t inherited_count;
    unsigned workers; /* 0: one per core */
    unsigned spin_us;
    unsigned connections_max; /* of the process; 0: the loop's default */
    const char *tls_cert;     /* both or neither */
    const char *tls_key;
    bool need_token; /* false: callers without a token are the system user (single, loopback) */
    struct lg_settings settings;
    const char *access_log;               /* a file, "-" or "off"; NULL: off */
    const char *journal_dir;              /* of the usage ledger; NULL: beside the database */
    int64_t probe_after_ms;               /* a refused key rests so long; 0: LO_HARD_MS */
    int64_t journal_max;                  /* bytes of all its files; 0: the ledger's default */
    const char *state_home;               /* where that is for a database without a file */
    const struct lp_config_hooks *config; /* outlives the server; NULL: there is no file */
    void (*ended)(void *context);         /* from a worker's thread: all workers have ended */
    void *ended_context;
};

/*
 * Opens the sockets and starts the workers; they accept when this returns. The manager outlives
 * the server. ERR_FORBIDDEN: it would listen beyond loopback without an administrator's token.
 */
LLMGR_MUST_CHECK llmgr_status le_server_start(struct llmgr *manager,
                                              const struct le_server_options *options,
                                              struct le_server **server, struct llmgr_error *err);
/* "http://127.0.0.1:8080 unix:/run/llmgr.sock" */
void le_server_places(const struct le_server *server, struct lb_buf *out);
/*
 * New settings for requests to come; certificate and key are read anew, the access log is opened
 * anew. On failure all stays.
 */
LLMGR_MUST_CHECK llmgr_status le_server_reload(struct le_server *server,
                                               const struct lg_settings *settings,
                                               const char *access_log, struct llmgr_error *err);
/*
 * No more connections; readiness turns red; requests under way have until the limit, then they
 * get an error event and end. `ended` tells when all is over. Once; later calls shorten the limit.
 */
void le_server_drain(struct le_server *server, int64_t limit_ms);
/* Waits for the workers to end (asks them to, without a limit, if nobody has) and frees. */
void le_server_free(struct le_server *server);

#endif
