/* SPDX-License-Identifier: MIT */
/* The thread that polls the database, five times a second. See the header. */
#include "server/keeper.h"

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

static void keep(void *context)
{
    struct le_keeper *keeper = LB_CAST(struct le_keeper, context, LE_KEEPER_MAGIC);

    poll_once(keeper->shared);
    tell_of_room(keeper);
}

static const struct lb_ticker_face KEEPING = {.tick = keep};

void le_keeper_init(struct le_keeper *keeper, const struct lg_shared *shared)
{
    keeper->magic = LE_KEEPER_MAGIC;
    keeper->shared = shared;
    lb_ticker_init(&keeper->ticker, &KEEPING, POLL_MS, keeper);
}

llmgr_status le_keeper_start(struct le_keeper *keeper, struct llmgr_error *err)
{
    return lb_ticker_start(&keeper->ticker, err);
}

void le_keeper_end(struct le_keeper *keeper)
{
    lb_ticker_end(&keeper->ticker);
}
