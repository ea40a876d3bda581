/* SPDX-License-Identifier: MIT */
/*
 * The server's life. Everything that can fail happens before the first thread starts; after that
 * nothing can but the network.
 */
#include "gateway/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "accounts/tokens.h"
#include "base/error.h"
#include "gateway/body.h"
#include "gateway/concurrency.h"
#include "gateway/log_file.h"
#include "gateway/server_int.h"
#include "gateway/share.h"
#include "ledger/ledger.h"
#include "ledger/segment.h"
#include "library/library.h"
#include "manager/manager.h"
#include "net/listen.h"

enum {
    KEEPER_MS = 200,        /* between two polls of the database */
    HOP_SIZE = 32,          /* hexadecimal digits of our name in CDN-Loop */
    LEDGER_CLOSE_MS = 5000, /* for the last records to reach the database */
};

struct lg_server {
    const struct lb_host *host;
    struct llmgr *manager;
    struct lg_worker *workers[LG_WORKERS_MAX];
    size_t worker_count;
    size_t threads; /* that were started */
    struct lg_gauge *gauge;
    struct lg_gauge *addresses;
    struct lg_share *bodies;
    struct lg_share *looks;
    struct ll_ledger *ledger;
    struct lg_log *log;
    const struct lp_config_hooks *config;
    bool need_token;
    char *tls_cert;
    char *tls_key;
    uint8_t ticket_key[LN_TICKET_KEY_SIZE];
    char hop[HOP_SIZE + 1];
    struct lb_buf places;
    int64_t started_ms;
    void (*ended)(void *context);
    void *ended_context;

    pthread_mutex_t lock; /* of the next three */
    pthread_cond_t wake;
    bool closing;
    struct lg_settings *news[LG_WORKERS_MAX];
    pthread_t keeper;
    bool keeper_runs;
    struct ln_work first_work; /* of the process's pool of threads */
    bool told_of_room;         /* the keeper's: it has said that requests are refused */
    atomic_bool draining;
    _Atomic int64_t drain_ms;
    atomic_size_t running; /* workers that have not ended */
};

/* ---- The keeper ------------------------------------------------------------------------------ */

/* Requests that wait for it go on by themselves: none of them asks the database. */
static void tell_waiters(const struct lg_server *server)
{
    for (size_t i = 0; i < server->worker_count; i++) {
        struct lg_worker *worker = server->workers[i];
        if (atomic_load(&worker->waiting) != 0)
            ln_loop_post(worker->loop, &worker->fresh_post);
    }
}

static void poll_once(struct lg_server *server)
{
    struct llmgr_error err = {0};
    bool was_fresh = lg_server_fresh(server);

    if (lm_poll(server->manager->manager, &err) == LLMGR_OK)
        tell_waiters(server);
    else if (was_fresh && !lg_server_fresh(server))
        lb_error(server->host, "the database does not answer, requests are refused: %s",
                 err.message);
}

bool lg_server_has_room(const struct lg_server *server)
{
    return server->ledger == NULL || !ll_ledger_refuses(server->ledger);
}

/* Once when it begins, and once when it is over. */
static void tell_of_room(struct lg_server *server)
{
    bool refused = !lg_server_has_room(server);

    if (refused == server->told_of_room)
        return;
    server->told_of_room = refused;
    if (refused)
        lb_error(server->host, "requests are refused, for what they cost cannot be recorded: the "
                               "usage journal has no room");
    else
        lb_warn(server->host, "the usage journal has room again, requests are taken");
}

static void *keep(void *context)
{
    struct lg_server *server = context;

    pthread_mutex_lock(&server->lock);
    while (!server->closing) {
        struct timespec until;
        pthread_mutex_unlock(&server->lock);
        poll_once(server);
        tell_of_room(server);
        pthread_mutex_lock(&server->lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += KEEPER_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (!server->closing)
            (void)pthread_cond_timedwait(&server->wake, &server->lock, &until);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

bool lg_server_fresh(const struct lg_server *server)
{
    return lm_is_fresh(server->manager->manager);
}

/* ---- Listening ------------------------------------------------------------------------------- */

static llmgr_status check_public(struct lg_server *server, int fd, struct llmgr_error *err)
{
    char place[LN_LISTEN_TEXT];
    bool has_admin = false;

    if (!ln_listen_is_public(fd))
        return LLMGR_OK;
    llmgr_status status = lw_token_has_admin(server->manager->manager, &has_admin, err);
    if (status != LLMGR_OK)
        return status;
    if (!has_admin)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("%s can be reached from other machines, and there is no administrator's "
                          "token: create one first with `llmgr token create --kind admin`, or "
                          "listen on 127.0.0.1"),
                       ln_listen_text(fd, place));
    server->need_token = true; /* in any mode */
    return LLMGR_OK;
}

static void note_place(struct lg_server *server, int fd, bool tls)
{
    char place[LN_LISTEN_TEXT];

    ln_listen_text(fd, place);
    if (server->places.size > 0)
        lb_buf_add_byte(&server->places, ' ');
    if (strncmp(place, "unix:", 5) != 0)
        lb_buf_add_c(&server->places, tls ? "https://" : "http://");
    lb_buf_add_c(&server->places, place);
}

/* Gives every worker a socket for the place of `fd`, which the first one takes. */
static llmgr_status share_socket(struct lg_server *server, int fd, bool inherited,
                                 struct llmgr_error *err)
{
    char place[LN_LISTEN_TEXT];
    bool is_unix = strncmp(ln_listen_text(fd, place), "unix", 4) == 0;
    struct ln_listen_options again = {.address = place, .reuse_port = true};

    llmgr_status status = check_public(server, fd, err);
    if (status == LLMGR_OK) /* no thread has the policy yet */
        status = ln_listen_shut(fd, server->manager->policy, err);
    for (size_t i = 1; i < server->worker_count && status == LLMGR_OK; i++) {
        int copy = -1;
        status = is_unix || inherited ? ln_listen_dup(fd, &copy, err)
                                      : ln_listen_open(&again, &copy, err);
        if (status != LLMGR_OK)
            break;
        status = lg_worker_listen(server->workers[i], copy, true, err);
        if (status != LLMGR_OK)
            ln_listen_close(copy);
    }
    note_place(server, fd, server->tls_cert != NULL);
    if (status == LLMGR_OK)
        status = lg_worker_listen(server->workers[0], fd, inherited, err);
    if (status != LLMGR_OK)
        ln_listen_close(fd);
    return status;
}

static llmgr_status open_sockets(struct lg_server *server, const struct lg_server_options *options,
                                 struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    size_t count = 0;

    for (size_t i = 0; i < options->inherited_count && status == LLMGR_OK; i++, count++) {
        status = ln_listen_inherit(options->inherited[i], err);
        if (status == LLMGR_OK)
            status = share_socket(server, options->inherited[i], true, err);
    }
    if (options->inherited_count > 0)
        return status;
    for (const char *const *at = options->listen; *at != NULL && status == LLMGR_OK; at++) {
        bool is_unix = strncmp(*at, "unix:", 5) == 0;
        const struct ln_listen_options listen = {
            .address = *at, .reuse_port = !is_unix && server->worker_count > 1};
        int fd = -1;
        if (count++ == LG_LISTENERS_MAX)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("at most %d addresses can be listened on"),
                           LG_LISTENERS_MAX);
        status = ln_listen_open(&listen, &fd, err);
        if (status == LLMGR_OK)
            status = share_socket(server, fd, false, err);
    }
    return status;
}

/* ---- Start ----------------------------------------------------------------------------------- */

static llmgr_status copy_options(struct lg_server *server, const struct lg_server_options *options,
                                 struct llmgr_error *err)
{
    unsigned cores = uv_available_parallelism();

    server->worker_count = options->workers != 0 ? options->workers : cores;
    if (server->worker_count > LG_WORKERS_MAX)
        server->worker_count = LG_WORKERS_MAX;
    server->need_token = options->need_token;
    server->config = options->config;
    server->ended = options->ended;
    server->ended_context = options->ended_context;
    if ((options->tls_cert == NULL) != (options->tls_key == NULL))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("--tls-cert and --tls-key belong together: give both or neither"));
    if (options->tls_cert != NULL) {
        randombytes_buf(server->ticket_key, sizeof server->ticket_key);
        server->tls_cert = lb_strdup(server->host, options->tls_cert);
        server->tls_key = lb_strdup(server->host, options->tls_key);
        if (server->tls_cert == NULL || server->tls_key == NULL)
            return lb_fail_memory(err);
    }
    server->gauge = lg_gauge_new(server->host);
    server->addresses = lg_gauge_new(server->host);
    server->bodies = lg_share_new(server->host, options->settings.bodies_max);
    server->looks = lg_share_new(server->host, lg_body_looks(cores));
    bool whole = server->gauge != NULL && server->addresses != NULL && server->bodies != NULL &&
                 server->looks != NULL;
    return whole ? LLMGR_OK : lb_fail_memory(err);
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

static llmgr_status open_ledger(struct lg_server *server, const struct lg_server_options *options,
                                struct llmgr_error *err)
{
    int64_t journal_max = options->journal_max != 0 ? options->journal_max : LL_JOURNAL_MAX_DEFAULT;
    struct ll_ledger_options ledger = {
        .journal_dir = options->journal_dir,
        .journal_max = (size_t)journal_max,
        .segment_size = journal_file_size(journal_max, server->worker_count),
    };
    char *place = NULL;
    llmgr_status status = LLMGR_OK;

    if (ledger.journal_dir == NULL) {
        status = ll_ledger_place(server->manager->manager, options->state_home, &place, err);
        ledger.journal_dir = place;
    }
    if (status == LLMGR_OK)
        status = ll_ledger_open(server->manager->manager, &ledger, &server->ledger, err);
    lb_free(server->host, place);
    return status;
}

/* Derived, so that platforms, who see it, learn nothing that stands in the database. */
static void name_hop(struct lg_server *server)
{
    static const char purpose[] = "llmgr CDN-Loop";
    const char *id = ll_ledger_id(server->ledger);
    unsigned char digest[HOP_SIZE / 2];

    (void)crypto_generichash(digest, sizeof digest, (const unsigned char *)id, strlen(id),
                             (const unsigned char *)purpose, sizeof purpose);
    (void)sodium_bin2hex(server->hop, sizeof server->hop, digest, sizeof digest);
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
static llmgr_status start_pool(struct lg_server *server, struct llmgr_error *err)
{
    server->first_work = (struct ln_work){.work = do_nothing, .done = nothing_done};
    llmgr_status status = ln_loop_work(server->workers[0]->loop, &server->first_work, err);

    for (size_t i = 1; i < server->worker_count && status == LLMGR_OK; i++)
        ln_loop_has_threads(server->workers[i]->loop);
    return status;
}

static llmgr_status start_threads(struct lg_server *server, struct llmgr_error *err)
{
    llmgr_status status = start_pool(server, err);

    if (status != LLMGR_OK)
        return status;
    atomic_store(&server->running, server->worker_count);
    if (pthread_create(&server->keeper, NULL, keep, server) != 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("no thread can be started"));
    server->keeper_runs = true;
    for (size_t i = 0; i < server->worker_count; i++) {
        struct lg_worker *worker = server->workers[i];
        if (uv_thread_create(&worker->thread, lg_worker_run, worker) != 0)
            return lb_fail(err, LLMGR_ERR_IO, N_("no thread can be started"));
        server->threads++;
    }
    return LLMGR_OK;
}

static void init_locks(struct lg_server *server)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&server->wake, &attr);
    pthread_condattr_destroy(&attr);
}

llmgr_status lg_server_start(struct llmgr *manager, const struct lg_server_options *options,
                             struct lg_server **out, struct llmgr_error *err)
{
    struct lg_server *server = lb_calloc(&manager->host, 1, sizeof *server);

    if (server == NULL)
        return lb_fail_memory(err);
    server->host = &manager->host;
    server->manager = manager;
    server->started_ms = lb_now_ms(server->host);
    lb_buf_init(&server->places, server->host, LG_LISTENERS_MAX * LN_LISTEN_TEXT * 2);
    init_locks(server);
    llmgr_status status = copy_options(server, options, err);
    if (status == LLMGR_OK)
        status = open_ledger(server, options, err);
    if (status == LLMGR_OK)
        name_hop(server);
    if (status == LLMGR_OK)
        status =
            lg_log_new(server->host, server->worker_count, options->access_log, &server->log, err);
    size_t wanted = server->worker_count;
    for (size_t i = 0; i < wanted && status == LLMGR_OK; i++)
        status = lg_worker_new(server, (unsigned)i, options, &server->workers[i], err);
    if (status == LLMGR_OK)
        status = open_sockets(server, options, err);
    if (status == LLMGR_OK)
        status = start_threads(server, err);
    if (status != LLMGR_OK) {
        server->ended = NULL;
        lg_server_free(server);
        return status;
    }
    *out = server;
    return LLMGR_OK;
}

/* ---- While it runs --------------------------------------------------------------------------- */

void lg_server_places(const struct lg_server *server, struct lb_buf *out)
{
    lb_buf_add_str(out, lb_buf_str(&server->places));
}

llmgr_status lg_server_reload(struct lg_server *server, const struct lg_settings *settings,
                              const char *access_log, struct llmgr_error *err)
{
    struct ln_tls_server *trial = NULL;
    llmgr_status status = LLMGR_OK;

    if (server->tls_cert != NULL) {
        /* Before anybody is told: are they any good? */
        const struct ln_tls_server_options tls = lg_server_tls(server);
        status = ln_tls_server_new(server->host, &tls, &trial, err);
        if (status != LLMGR_OK)
            return status;
        ln_tls_server_free(trial);
    }
    status = lg_log_reopen(server->log, access_log, err);
    if (status != LLMGR_OK)
        return status;
    lg_share_resize(server->bodies, settings->bodies_max);
    for (size_t i = 0; i < server->worker_count && status == LLMGR_OK; i++)
        status = lg_worker_tell(server->workers[i], settings);
    return status == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

void lg_server_put_news(struct lg_server *server, unsigned worker, struct lg_settings *news)
{
    pthread_mutex_lock(&server->lock);
    struct lg_settings *old = server->news[worker];
    server->news[worker] = news;
    pthread_mutex_unlock(&server->lock);
    lb_free(server->host, old); /* overtaken before the worker looked */
}

struct lg_settings *lg_server_take_news(struct lg_server *server, unsigned worker)
{
    pthread_mutex_lock(&server->lock);
    struct lg_settings *news = server->news[worker];
    server->news[worker] = NULL;
    pthread_mutex_unlock(&server->lock);
    return news;
}

void lg_server_drain(struct lg_server *server, int64_t limit_ms)
{
    bool was = atomic_exchange(&server->draining, true);

    if (was && limit_ms > atomic_load(&server->drain_ms))
        return;
    atomic_store(&server->drain_ms, limit_ms);
    for (size_t i = 0; i < server->threads; i++)
        lg_worker_drain(server->workers[i]);
}

void lg_server_worker_ended(struct lg_server *server)
{
    if (atomic_fetch_sub(&server->running, 1) == 1 && server->ended != NULL)
        server->ended(server->ended_context);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void stop_keeper(struct lg_server *server)
{
    if (!server->keeper_runs)
        return;
    pthread_mutex_lock(&server->lock);
    server->closing = true;
    pthread_cond_signal(&server->wake);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->keeper, NULL);
}

void lg_server_free(struct lg_server *server)
{
    struct llmgr_error err = {0};

    if (server == NULL)
        return;
    if (server->threads > 0 && !lg_server_draining(server))
        lg_server_drain(server, 0);
    for (size_t i = 0; i < server->threads; i++)
        uv_thread_join(&server->workers[i]->thread);
    stop_keeper(server);
    for (size_t i = 0; i < server->worker_count; i++) {
        lg_worker_free(server->workers[i]);
        lb_free(server->host, server->news[i]);
    }
    if (server->ledger != NULL &&
        ll_ledger_close(server->ledger, LEDGER_CLOSE_MS, &err) != LLMGR_OK)
        lb_warn(server->host, "%s", err.message);
    lg_log_free(server->log);
    lb_free(server->host, server->gauge);
    lb_free(server->host, server->addresses);
    lg_share_free(server->bodies);
    lg_share_free(server->looks);
    lb_free(server->host, server->tls_cert);
    lb_free(server->host, server->tls_key);
    lb_buf_free(&server->places);
    sodium_memzero(server->ticket_key, sizeof server->ticket_key);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->wake);
    lb_free(server->host, server);
}

/* ---- For handlers and workers ---------------------------------------------------------------- */

struct lg_share *lg_server_bodies(const struct lg_server *server)
{
    return server->bodies;
}

struct lg_share *lg_server_looks(const struct lg_server *server)
{
    return server->looks;
}

struct llmgr *lg_server_manager(const struct lg_server *server)
{
    return server->manager;
}

const struct lp_config_hooks *lg_server_config(const struct lg_server *server)
{
    return server->config;
}

bool lg_server_draining(const struct lg_server *server)
{
    return atomic_load_explicit(&server->draining, memory_order_relaxed);
}

size_t lg_server_workers(const struct lg_server *server)
{
    return server->worker_count;
}

struct lg_worker *lg_server_worker(const struct lg_server *server, size_t index)
{
    return server->workers[index];
}

int64_t lg_server_started_ms(const struct lg_server *server)
{
    return server->started_ms;
}

struct ll_ledger *lg_server_ledger(const struct lg_server *server)
{
    return server->ledger;
}

struct lb_str lg_server_hop(const struct lg_server *server)
{
    return lb_str(server->hop, HOP_SIZE);
}

struct lg_log *lg_server_log(const struct lg_server *server)
{
    return server->log;
}

struct lg_gauge *lg_server_gauge(const struct lg_server *server)
{
    return server->gauge;
}

struct lg_gauge *lg_server_addresses(const struct lg_server *server)
{
    return server->addresses;
}

bool lg_server_needs_token(const struct lg_server *server)
{
    return server->need_token;
}

struct ln_tls_server_options lg_server_tls(const struct lg_server *server)
{
    return (struct ln_tls_server_options){
        .cert_file = server->tls_cert,
        .key_file = server->tls_key,
        .ticket_key = server->ticket_key,
    };
}

int64_t lg_server_drain_ms(const struct lg_server *server)
{
    return atomic_load(&server->drain_ms);
}
