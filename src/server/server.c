/* SPDX-License-Identifier: MIT */
/*
 * The server's life. Everything that can fail happens before the first thread starts; after that
 * nothing can but the network.
 */
#include "server/server.h"

#include <stdatomic.h>
#include <string.h>

#include <sodium.h>

#include "base/concurrency.h"
#include "base/error.h"
#include "base/log_file.h"
#include "base/magic.h"
#include "gateway/body.h"
#include "gateway/shared.h"
#include "gateway/worker.h"
#include "ledger/ledger.h"
#include "ledger/segment.h"
#include "library/library.h"
#include "net/share.h"
#include "routing/budget.h"
#include "routing/health.h"
#include "server/keeper.h"
#include "server/prober.h"
#include "server/sockets.h"
#include "server/teller.h"

enum {
    HOP_SIZE = 32,          /* hexadecimal digits of our name in CDN-Loop */
    LEDGER_CLOSE_MS = 5000, /* for the last records to reach the database */
};

enum { SERVER_MAGIC = 0x6c677365 };

struct le_server {
    unsigned magic;
    const struct lb_host *host;
    struct lg_shared shared; /* what the workers see of it */
    struct lg_drain drain;
    struct le_keeper keeper;
    struct le_prober prober;
    struct le_teller teller;
    size_t threads; /* that were started */
    char *tls_cert;
    char *tls_key;
    uint8_t ticket_key[LN_TICKET_KEY_SIZE];
    char hop[HOP_SIZE + 1];
    struct lb_buf places;
    struct ln_work first_work; /* of the process's pool of threads */
    atomic_size_t running;     /* workers that have not ended */
    void (*ended)(void *context);
    void *ended_context;
};

/* ---- Start ----------------------------------------------------------------------------------- */

static llmgr_status copy_tls(struct le_server *server, const struct le_server_options *options,
                             struct llmgr_error *err)
{
    if ((options->tls_cert == NULL) != (options->tls_key == NULL))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("--tls-cert and --tls-key belong together: give both or neither"));
    if (options->tls_cert == NULL)
        return LLMGR_OK;
    randombytes_buf(server->ticket_key, sizeof server->ticket_key);
    server->tls_cert = lb_strdup(server->host, options->tls_cert);
    server->tls_key = lb_strdup(server->host, options->tls_key);
    if (server->tls_cert == NULL || server->tls_key == NULL)
        return lb_fail_memory(err);
    server->shared.tls = (struct ln_tls_server_options){
        .cert_file = server->tls_cert,
        .key_file = server->tls_key,
        .ticket_key = server->ticket_key,
    };
    return LLMGR_OK;
}

static void worker_ended(void *context)
{
    struct le_server *server = LB_CAST(struct le_server, context, SERVER_MAGIC);

    if (atomic_fetch_sub(&server->running, 1) == 1 && server->ended != NULL)
        server->ended(server->ended_context);
}

static unsigned count_workers(unsigned wanted)
{
    unsigned count = wanted != 0 ? wanted : uv_available_parallelism();

    return count < LG_WORKERS_MAX ? count : LG_WORKERS_MAX;
}

static llmgr_status fill_shared(struct le_server *server, struct llmgr *manager,
                                const struct le_server_options *options, struct llmgr_error *err)
{
    struct lg_shared *shared = &server->shared;
    unsigned workers = count_workers(options->workers);
    unsigned accepted_max = options->connections_max;
    const struct lo_health_options health = {.probes_itself = true,
                                             .hard_ms = options->probe_after_ms};

    *shared = (struct lg_shared){
        .manager = manager,
        .gauge = lb_gauge_new(server->host),
        .addresses = lb_gauge_new(server->host),
        .health = lo_health_new(server->host, &health),
        .budget = lo_budget_new(server->host, 0),
        .bodies = ln_share_new(server->host, options->settings.bodies_max),
        .looks = ln_share_new(server->host, lg_body_looks(uv_available_parallelism())),
        .config = options->config,
        .loop = {.spin_us = options->spin_us,
                 .accepted_max = accepted_max == 0 ? 0 : (accepted_max + workers - 1) / workers},
        .need_token = options->need_token,
        .started_ms = lb_now_ms(server->host),
        .drain = &server->drain,
        .probes = &server->prober.done,
        .worker_count = workers,
        .worker_ended = worker_ended,
        .server = server,
    };
    bool whole = shared->gauge != NULL && shared->addresses != NULL && shared->bodies != NULL &&
                 shared->looks != NULL && shared->health != NULL && shared->budget != NULL;
    return whole ? copy_tls(server, options, err) : lb_fail_memory(err);
}

/*
 * A worker has a file in use and one to go over to: those take half of what the journal may, the
 * rest is for what the database is slow to take. 0: the ledger's default will do.
 */
static size_t journal_file_size(int64_t journal_max, size_t workers)
{
    int64_t size = journal_max / (int64_t)(4 * workers) / LL_SEGMENT_MIN * LL_SEGMENT_MIN;

    if (size >= LL_SEGMENT_DEFAULT)
        return 0;
    return size > LL_SEGMENT_MIN ? (size_t)size : LL_SEGMENT_MIN;
}

static llmgr_status open_ledger(struct le_server *server, const struct le_server_options *options,
                                struct llmgr_error *err)
{
    int64_t journal_max = options->journal_max != 0 ? options->journal_max : LL_JOURNAL_MAX_DEFAULT;
    struct ll_ledger_options ledger = {
        .journal_dir = options->journal_dir,
        .journal_max = (size_t)journal_max,
        .segment_size = journal_file_size(journal_max, server->shared.worker_count),
    };
    char *place = NULL;
    llmgr_status status = LLMGR_OK;

    if (ledger.journal_dir == NULL) {
        status = ll_ledger_place(server->shared.manager->manager, options->state_home, &place, err);
        ledger.journal_dir = place;
    }
    if (status == LLMGR_OK)
        status =
            ll_ledger_open(server->shared.manager->manager, &ledger, &server->shared.ledger, err);
    lb_free(server->host, place);
    return status;
}

/* Derived, so that platforms, who see it, learn nothing that stands in the database. */
static void name_hop(struct le_server *server)
{
    static const char purpose[] = "llmgr CDN-Loop";
    const char *id = ll_ledger_id(server->shared.ledger);
    unsigned char digest[HOP_SIZE / 2];

    (void)crypto_generichash(digest, sizeof digest, (const unsigned char *)id, strlen(id),
                             (const unsigned char *)purpose, sizeof purpose);
    (void)sodium_bin2hex(server->hop, sizeof server->hop, digest, sizeof digest);
    server->shared.hop = lb_str(server->hop, HOP_SIZE);
}

static void do_nothing(void *context)
{
    (void)context;
}

static void nothing_done(void *context, llmgr_status status)
{
    (void)context;
    (void)status;
}

/*
 * The threads on which the database is asked are the process's, and stay. They are had now, or the
 * server does not start: later each request that needs them would fail while all looks well.
 */
static llmgr_status start_pool(struct le_server *server, struct llmgr_error *err)
{
    server->first_work = (struct ln_work){.work = do_nothing, .done = nothing_done};
    llmgr_status status = ln_loop_work(server->shared.workers[0]->loop, &server->first_work, err);

    for (size_t i = 1; i < server->shared.worker_count && status == LLMGR_OK; i++)
        ln_loop_has_threads(server->shared.workers[i]->loop);
    return status;
}

static llmgr_status start_threads(struct le_server *server, struct llmgr_error *err)
{
    llmgr_status status = start_pool(server, err);

    if (status != LLMGR_OK)
        return status;
    atomic_store(&server->running, server->shared.worker_count);
    status = le_teller_start(&server->teller, err);
    if (status == LLMGR_OK)
        status = le_keeper_start(&server->keeper, err);
    if (status == LLMGR_OK)
        status = le_prober_start(&server->prober, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < server->shared.worker_count; i++) {
        struct lg_worker *worker = server->shared.workers[i];
        if (uv_thread_create(&worker->thread, lg_worker_run, worker) != 0)
            return lb_fail(err, LLMGR_ERR_IO, N_("no thread can be started"));
        server->threads++;
    }
    return LLMGR_OK;
}

/* What the workers need, the workers, and what they listen on. */
static llmgr_status open_all(struct le_server *server, const struct le_server_options *options,
                             struct llmgr_error *err)
{
    struct lg_shared *shared = &server->shared;
    const struct le_places places = {
        .listen = options->listen,
        .inherited = options->inherited,
        .inherited_count = options->inherited_count,
    };

    llmgr_status status = open_ledger(server, options, err);
    if (status != LLMGR_OK)
        return status;
    name_hop(server);
    status =
        lb_log_file_new(server->host, shared->worker_count, options->access_log, &shared->log, err);
    for (size_t i = 0; i < shared->worker_count && status == LLMGR_OK; i++)
        status = lg_worker_new(shared, (unsigned)i, &options->settings, &shared->workers[i], err);
    return status == LLMGR_OK ? le_sockets_open(shared, &places, &server->places, err) : status;
}

llmgr_status le_server_start(struct llmgr *manager, const struct le_server_options *options,
                             struct le_server **out, struct llmgr_error *err)
{
    struct le_server *server = lb_calloc(&manager->host, 1, sizeof *server);

    if (server == NULL)
        return lb_fail_memory(err);
    server->magic = SERVER_MAGIC;
    server->host = &manager->host;
    lm_speak_to_callers(manager->manager);
    server->ended = options->ended;
    server->ended_context = options->ended_context;
    lb_buf_init(&server->places, server->host, LE_PLACES_MAX);
    le_keeper_init(&server->keeper, &server->shared);
    le_prober_init(&server->prober, &server->shared);
    llmgr_status status = fill_shared(server, manager, options, err);
    le_teller_init(&server->teller, manager->manager, server->shared.health);
    server->shared.cells = &server->teller.cells;
    server->shared.uses = &server->teller.uses;
    if (status == LLMGR_OK)
        status = open_all(server, options, err);
    if (status == LLMGR_OK)
        status = start_threads(server, err);
    if (status != LLMGR_OK) {
        server->ended = NULL;
        le_server_free(server);
        return status;
    }
    *out = server;
    return LLMGR_OK;
}

/* ---- While it runs --------------------------------------------------------------------------- */

void le_server_places(const struct le_server *server, struct lb_buf *out)
{
    lb_buf_add_str(out, lb_buf_str(&server->places));
}

llmgr_status le_server_reload(struct le_server *server, const struct lg_settings *settings,
                              const char *access_log, struct llmgr_error *err)
{
    struct ln_tls_server *trial = NULL;
    llmgr_status status = LLMGR_OK;

    if (server->tls_cert != NULL) {
        /* Before anybody is told: are they any good? */
        status = ln_tls_server_new(server->host, &server->shared.tls, &trial, err);
        if (status != LLMGR_OK)
            return status;
        ln_tls_server_free(trial);
    }
    status = lb_log_file_reopen(server->shared.log, access_log, err);
    if (status != LLMGR_OK)
        return status;
    ln_share_resize(server->shared.bodies, settings->bodies_max);
    for (size_t i = 0; i < server->shared.worker_count && status == LLMGR_OK; i++)
        status = lg_worker_tell(server->shared.workers[i], settings);
    return status == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

void le_server_drain(struct le_server *server, int64_t limit_ms)
{
    bool was = atomic_exchange(&server->drain.begun, true);

    if (was && limit_ms > atomic_load(&server->drain.limit_ms))
        return;
    atomic_store(&server->drain.limit_ms, limit_ms);
    for (size_t i = 0; i < server->threads; i++)
        lg_worker_drain(server->shared.workers[i]);
}

/* ---- The end --------------------------------------------------------------------------------- */

void le_server_free(struct le_server *server)
{
    struct llmgr_error err = {0};

    if (server == NULL)
        return;
    if (server->threads > 0 && !atomic_load(&server->drain.begun))
        le_server_drain(server, 0);
    atomic_store(&server->drain.begun, true); /* also for what began before a start that failed */
    for (size_t i = 0; i < server->threads; i++)
        uv_thread_join(&server->shared.workers[i]->thread);
    le_prober_end(&server->prober);
    le_keeper_end(&server->keeper);
    le_teller_end(&server->teller);
    for (size_t i = 0; i < server->shared.worker_count; i++)
        lg_worker_free(server->shared.workers[i]);
    if (server->shared.ledger != NULL &&
        ll_ledger_close(server->shared.ledger, LEDGER_CLOSE_MS, &err) != LLMGR_OK)
        lb_warn(server->host, "%s", err.message);
    lb_log_file_free(server->shared.log);
    lb_free(server->host, server->shared.gauge);
    lb_free(server->host, server->shared.addresses);
    lo_health_free(server->shared.health);
    lo_budget_free(server->shared.budget);
    ln_share_free(server->shared.bodies);
    ln_share_free(server->shared.looks);
    lb_free(server->host, server->tls_cert);
    lb_free(server->host, server->tls_key);
    lb_buf_free(&server->places);
    sodium_memzero(server->ticket_key, sizeof server->ticket_key);
    server->magic = 0;
    lb_free(server->host, server);
}
