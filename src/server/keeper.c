/* SPDX-License-Identifier: MIT */
/* The thread that polls the database, five times a second. See the header. */
#include "server/keeper.h"

#include <time.h>

#include "base/error.h"
#include "base/magic.h"
#include "gateway/worker.h"
#include "ledger/ledger.h"
#include "library/library.h"
#include "manager/manager.h"

enum { POLL_MS = 200 };

/* Requests that wait for it go on by themselves: none of them asks the database. */
static void tell_waiters(const struct lg_shared *shared)
{
    for (size_t i = 0; i < shared->worker_count; i++) {
        struct lg_worker *worker = shared->workers[i];
        if (atomic_load(&worker->waiting) != 0)
            ln_loop_post(worker->loop, &worker->fresh_post);
    }
}

static void poll_once(const struct lg_shared *shared)
{
    struct lm_manager *manager = shared->manager->manager;
    struct llmgr_error err = {0};
    bool was_fresh = lm_is_fresh(manager);

    if (lm_poll(manager, &err) == LLMGR_OK)
        tell_waiters(shared);
    else if (was_fresh && !lm_is_fresh(manager))
        lb_error(&shared->manager->host, "the database does not answer, requests are refused: %s",
                 err.message);
}

/* Once when it begins, and once when it is over. */
static void tell_of_room(struct le_keeper *keeper)
{
    const struct lb_host *host = &keeper->shared->manager->host;
    bool refused = ll_ledger_refuses(keeper->shared->ledger);

    if (refused == keeper->told_of_room)
        return;
    keeper->told_of_room = refused;
    if (refused)
        lb_error(host, "requests are refused, for what they cost cannot be recorded: the usage "
                       "journal has no room");
    else
        lb_warn(host, "the usage journal has room again, requests are taken");
}

static void *keep(void *context)
{
    struct le_keeper *keeper = LB_CAST(struct le_keeper, context, LE_KEEPER_MAGIC);

    pthread_mutex_lock(&keeper->lock);
    while (!keeper->closing) {
        struct timespec until;
        pthread_mutex_unlock(&keeper->lock);
        poll_once(keeper->shared);
        tell_of_room(keeper);
        pthread_mutex_lock(&keeper->lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += POLL_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (!keeper->closing)
            (void)pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

void le_keeper_init(struct le_keeper *keeper, const struct lg_shared *shared)
{
    pthread_condattr_t attr;

    keeper->magic = LE_KEEPER_MAGIC;
    keeper->shared = shared;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &attr);
    pthread_condattr_destroy(&attr);
}

llmgr_status le_keeper_start(struct le_keeper *keeper, struct llmgr_error *err)
{
    if (pthread_create(&keeper->thread, NULL, keep, keeper) != 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("no thread can be started"));
    keeper->runs = true;
    return LLMGR_OK;
}

void le_keeper_end(struct le_keeper *keeper)
{
    if (keeper->runs) {
        pthread_mutex_lock(&keeper->lock);
        keeper->closing = true;
        pthread_cond_signal(&keeper->wake);
        pthread_mutex_unlock(&keeper->lock);
        pthread_join(keeper->thread, NULL);
    }
    pthread_mutex_destroy(&keeper->lock);
    pthread_cond_destroy(&keeper->wake);
}
