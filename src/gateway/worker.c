/* SPDX-License-Identifier: MIT */
/*
 * A worker's life: made by the main thread, run by its own, freed by the main thread again. News
 * (a reload, a drain) arrive as posts on its loop.
 */
#include "gateway/worker.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "accounts/tokens.h"
#include "base/magic.h"
#include "base/thread.h"
#include "dialect/abridge.h"
#include "gateway/answer.h"
#include "gateway/body.h"
#include "gateway/client.h"
#include "gateway/relay.h"
#include "gateway/request.h"
#include "gateway/work.h"
#include "ledger/ledger.h"
#include "library/library.h"
#include "net/listen.h"
#include "net/tls.h"
#include "upstream/pool.h"

enum {
    HEAD_OUT_MAX = 64 * 1024,
    WORDS_ROOM = 8 * 1024, /* a head, or an error's text of 512 bytes, each of them escaped */
    IDLE_PER_ORIGIN = 256,
    IDLE_TOTAL = 4096,
    TOKENS_SHARE = 3,     /* one part in so many of a worker's cache is for tokens */
    GRACE_MS = 100,       /* of a drain: for what clients have sent to be read */
    GRACE_FRESH_MS = 900, /* more, for clients that have not asked anything yet */
};

/* ---- Settings -------------------------------------------------------------------------------- */

static struct lg_settings *copy_settings(const struct lb_host *host, const struct lg_settings *from)
{
    struct lg_settings *copy = lb_memdup(host, from, sizeof *from);

    if (copy == NULL)
        return NULL;
    copy->holders = 1;
    /* A body that could never be held is refused before it waits for room. */
    size_t most = ln_share_most(from->bodies_max, LN_SHARE_LARGE) - 1;
    if (copy->body_max > most)
        copy->body_max = most;
    return copy;
}

/* ---- News ------------------------------------------------------------------------------------ */

static void take_settings(void *context)
{
    struct lg_worker *worker = LB_CAST(struct lg_worker, context, LG_WORKER_MAGIC);
    struct llmgr_error err = {0};
    struct lg_settings *coming = atomic_exchange(&worker->coming, NULL);

    if (coming != NULL) {
        lg_settings_drop(worker, worker->settings);
        worker->settings = coming;
    }
    if (worker->tls_in == NULL)
        return;
    if (ln_tls_server_reload(worker->tls_in, &worker->shared->tls, &err) != LLMGR_OK)
        lb_warn(worker->host, "the certificate is not reloaded: %s", err.message);
}

llmgr_status lg_worker_tell(struct lg_worker *worker, const struct lg_settings *settings)
{
    struct lg_settings *copy = copy_settings(worker->host, settings);

    if (copy == NULL)
        return LLMGR_ERR_NO_MEMORY;
    lb_free(worker->host, atomic_exchange(&worker->coming, copy)); /* overtaken before it looked */
    ln_loop_post(worker->loop, &worker->reload_post);
    return LLMGR_OK;
}

/* ---- Draining -------------------------------------------------------------------------------- */

static void close_listeners(struct lg_worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        ln_listener_close(worker->listeners[i]);
    worker->listener_count = 0;
}

/* The same in peace: see ln_listener_end. */
static void end_listeners(struct lg_worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        ln_listener_end(worker->listeners[i]);
    worker->listener_count = 0;
}

static void end_if_drained(struct lg_worker *worker)
{
    if (worker->client_count == 0 && !ln_timer_running(&worker->grace_timer))
        ln_loop_stop(worker->loop);
}

static void drain_over(void *context)
{
    struct lg_worker *worker = LB_CAST(struct lg_worker, context, LG_WORKER_MAGIC);
    struct lb_list *at, *after;

    ln_timer_stop(&worker->grace_timer);
    LB_LIST_EACH(at, after, &worker->clients)
    {
        struct lg_client *client = LB_CONTAINER(at, struct lg_client, node);
        if (client->request != NULL)
            lg_request_cut(client->request);
        else
            lg_client_close(client);
    }
    worker->cut = true;
    end_if_drained(worker);
}

static void client_gone(struct lg_worker *worker)
{
    worker->client_count--;
    if (worker->draining)
        end_if_drained(worker);
}

/*
 * Whoever waits for a next request has had its moment; whoever has only just connected, or is still
 * in its handshake, gets a little longer to be heard once.
 */
static void grace_over(void *context)
{
    struct lg_worker *worker = LB_CAST(struct lg_worker, context, LG_WORKER_MAGIC);
    bool fresh = ln_loop_accepted(worker->loop) > worker->client_count;
    struct lb_list *at, *after;

    LB_LIST_EACH(at, after, &worker->clients)
    {
        struct lg_client *client = LB_CONTAINER(at, struct lg_client, node);
        if (worker->grace_over || client->served > 0)
            lg_client_end_idle(client);
        else
            fresh = true;
    }
    if (fresh && !worker->grace_over)
        ln_timer_start(worker->loop, &worker->grace_timer, GRACE_FRESH_MS, grace_over, worker);
    worker->grace_over = true;
    end_if_drained(worker);
}

static void begin_drain(void *context)
{
    struct lg_worker *worker = LB_CAST(struct lg_worker, context, LG_WORKER_MAGIC);
    int64_t limit = atomic_load(&worker->shared->drain->limit_ms);

    if (!worker->draining) {
        worker->draining = true;
        end_listeners(worker);
        if (ln_loop_accepted(worker->loop) > 0)
            ln_timer_start(worker->loop, &worker->grace_timer, GRACE_MS, grace_over, worker);
    }
    ln_timer_start(worker->loop, &worker->drain_timer, limit, drain_over, worker);
    end_if_drained(worker);
}

void lg_worker_drain(struct lg_worker *worker)
{
    ln_loop_post(worker->loop, &worker->drain_post);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static const struct lg_client_events CLIENT_EVENTS = {
    .begin = lg_request_begin,
    .body = lg_request_run,
    .drained = lg_request_drained,
    .late = lg_request_late,
    .gone = lg_request_gone,
    .is_settled = lg_request_is_settled,
    .refuse = lg_answer_refuse,
    .freed = client_gone,
};

static llmgr_status open_net(struct lg_worker *worker, struct llmgr_error *err)
{
    const struct lg_shared *shared = worker->shared;
    const struct llmgr *manager = shared->manager;
    const struct ln_tls_client_options tls = {.ca_file = manager->ca_file};

    llmgr_status status = ln_loop_new(worker->host, &shared->loop, &worker->loop, err);
    if (status == LLMGR_OK)
        status = ln_tls_client_new(worker->host, &tls, &worker->tls_out, err);
    if (status != LLMGR_OK)
        return status;
    const struct lu_pool_options pool = {
        .policy = manager->policy,
        .tls = worker->tls_out,
        .proxy = manager->proxy,
        .idle_per_origin = IDLE_PER_ORIGIN,
        .idle_total = IDLE_TOTAL,
    };
    status = lu_pool_new(worker->loop, &pool, &worker->pool, err);
    if (status == LLMGR_OK && shared->tls.cert_file != NULL)
        status = ln_tls_server_new(worker->host, &shared->tls, &worker->tls_in, err);
    return status;
}

static llmgr_status open_manager(struct lg_worker *worker, struct llmgr_error *err)
{
    const size_t cache = lm_options(worker->manager)->cache_size / worker->shared->worker_count;
    const size_t tokens = cache / TOKENS_SHARE;

    llmgr_status status = lr_view_new(worker->manager, cache - tokens, &worker->view, err);
    if (status == LLMGR_OK)
        status = lw_token_cache_new(worker->manager, tokens, &worker->tokens, err);
    if (status == LLMGR_OK)
        status = ll_journal_open(worker->shared->ledger, &worker->journal, err);
    return status;
}

llmgr_status lg_worker_new(const struct lg_shared *shared, unsigned index,
                           const struct lg_settings *settings, struct lg_worker **out,
                           struct llmgr_error *err)
{
    struct llmgr *manager = shared->manager;
    struct lg_worker *worker = lb_calloc(&manager->host, 1, sizeof *worker);

    if (worker == NULL)
        return lb_fail_memory(err);
    worker->magic = LG_WORKER_MAGIC;
    worker->index = index;
    worker->shared = shared;
    worker->host = &manager->host;
    worker->manager = manager->manager;
    worker->fresh_post = (struct ln_post){.fn = lg_work_wake, .context = worker};
    lb_list_init(&worker->waiters);
    worker->reload_post = (struct ln_post){.fn = take_settings, .context = worker};
    worker->drain_post = (struct ln_post){.fn = begin_drain, .context = worker};
    worker->events = &CLIENT_EVENTS;
    lb_list_init(&worker->clients);
    ln_portion_init(&worker->purse_portion, NULL, NULL, NULL);
    lb_buf_init(&worker->out, worker->host, HEAD_OUT_MAX);
    lb_buf_init(&worker->words, worker->host, LD_REFUSAL_MAX);
    randombytes_buf(&worker->id_base, sizeof worker->id_base);
    worker->settings = copy_settings(worker->host, settings);
    /* That memory is short can be said without any. */
    bool room = lb_buf_reserve(&worker->out, WORDS_ROOM) != NULL &&
                lb_buf_reserve(&worker->words, WORDS_ROOM) != NULL;
    llmgr_status status = room && worker->settings != NULL ? LLMGR_OK : lb_fail_memory(err);
    if (status == LLMGR_OK)
        status = open_net(worker, err);
    if (status == LLMGR_OK)
        status = open_manager(worker, err);
    if (status != LLMGR_OK) {
        lg_worker_free(worker);
        return status;
    }
    *out = worker;
    return LLMGR_OK;
}

llmgr_status lg_worker_listen(struct lg_worker *worker, int fd, bool keep_file,
                              struct llmgr_error *err)
{
    const struct ln_accept_options options = {.tls = worker->tls_in, .keep_file = keep_file};
    struct ln_listener **at = &worker->listeners[worker->listener_count];

    llmgr_status status =
        ln_listener_start(worker->loop, fd, &options, lg_client_accept, worker, at, err);
    if (status == LLMGR_OK)
        worker->listener_count++;
    return status;
}

void lg_worker_run(void *context)
{
    struct lg_worker *worker = LB_CAST(struct lg_worker, context, LG_WORKER_MAGIC);

    lb_thread_prompt();
    ln_loop_run(worker->loop);
    worker->shared->worker_ended(worker->shared->server);
}

void lg_worker_free(struct lg_worker *worker)
{
    if (worker == NULL)
        return;
    struct lb_list *at, *after;
    worker->going = true;
    LB_LIST_EACH(at, after, &worker->clients)
    lg_client_close(LB_CONTAINER(at, struct lg_client, node));
    if (worker->loop != NULL) {
        ln_timer_stop(&worker->drain_timer);
        ln_timer_stop(&worker->grace_timer);
        close_listeners(worker);
        /* Exchanges that were cancelled still have their end to tell. */
        while (worker->pool != NULL && lu_pool_running(worker->pool) > 0)
            ln_loop_turn(worker->loop, true);
        lu_pool_free(worker->pool);
        ln_loop_free(worker->loop);
    }
    while (worker->spare != NULL) {
        struct lg_request *next = worker->spare->next;
        lb_free(worker->host, worker->spare);
        worker->spare = next;
    }
    while (worker->blocks != NULL) {
        struct lg_block *next = worker->blocks->next;
        lb_free(worker->host, worker->blocks);
        worker->blocks = next;
    }
    lg_body_close_purse(worker);
    while (worker->body_count > 0)
        lb_buf_free(&worker->bodies[--worker->body_count]);
    ll_journal_close(worker->journal);
    lw_token_cache_free(worker->tokens);
    lr_view_free(worker->view);
    ln_tls_client_free(worker->tls_out);
    ln_tls_server_free(worker->tls_in);
    lb_buf_free(&worker->out);
    lb_buf_free(&worker->words);
    lg_settings_drop(worker, worker->settings);
    lb_free(worker->host, atomic_load(&worker->coming));
    worker->magic = 0;
    lb_free(worker->host, worker);
}
