/* SPDX-License-Identifier: MIT */
/*
 * The call object: loop, pool and TLS settings that outlive a call, and the one thing about it that
 * other threads may touch, the wish to cancel.
 *
 * Each call has a number. `running` holds the number of the call that runs, `cancelled` the
 * highest number that somebody wants cancelled; a cancel that comes too late names a number that
 * is over, and so never hits the next call. The post only wakes the loop up.
 */
#include "llm/call.h"

#include <stdatomic.h>

#include "base/error.h"
#include "base/magic.h"
#include "llm/run.h"
#include "net/loop.h"
#include "net/tls.h"

enum { LI_CALL_MAGIC = 0x6c696361 };

struct li_call {
    unsigned magic;
    const struct lb_host *host;
    struct lu_timeouts timeouts;
    struct ln_loop *loop;
    struct ln_tls_client *tls;
    struct lu_pool *pool;
    struct li_run *run; /* the loop's: whose exchange a cancel ends; NULL between them */
    struct ln_post wake;
    _Atomic uint64_t last;    /* number of the latest call */
    _Atomic uint64_t running; /* 0: none */
    _Atomic uint64_t cancelled;
};

/* On the loop: somebody cancelled a call. */
static void woken(void *context)
{
    struct li_call *call = LB_CAST(struct li_call, context, LI_CALL_MAGIC);

    if (li_call_cancelled(call) && call->run != NULL && call->run->exchange != NULL)
        lu_exchange_cancel(call->run->exchange);
}

llmgr_status li_call_new(const struct lb_host *host, const struct li_call_options *options,
                         struct li_call **call, struct llmgr_error *err)
{
    struct li_call *made = lb_calloc(host, 1, sizeof *made);

    if (made == NULL)
        return lb_fail_memory(err);
    made->magic = LI_CALL_MAGIC;
    made->host = host;
    made->timeouts = options->timeouts;
    made->wake = (struct ln_post){.fn = woken, .context = made};
    const struct ln_tls_client_options tls = {.ca_file = options->ca_file};
    llmgr_status status = ln_loop_new(host, NULL, &made->loop, err);
    if (status == LLMGR_OK)
        status = ln_tls_client_new(host, &tls, &made->tls, err);
    if (status == LLMGR_OK) {
        const struct lu_pool_options pool = {.policy = options->policy,
                                             .tls = made->tls,
                                             .proxy = options->proxy,
                                             .resolver = options->resolver,
                                             .unix_path = options->unix_path};
        status = lu_pool_new(made->loop, &pool, &made->pool, err);
    }
    if (status == LLMGR_OK)
        *call = made;
    else
        li_call_free(made);
    return status;
}

void li_call_free(struct li_call *call)
{
    if (call == NULL)
        return;
    lu_pool_free(call->pool);
    ln_loop_free(call->loop);
    ln_tls_client_free(call->tls);
    call->magic = 0;
    lb_free(call->host, call);
}

llmgr_status li_call_begin(struct li_call *call, struct llmgr_error *err)
{
    uint64_t none = 0;
    uint64_t number = atomic_fetch_add(&call->last, 1) + 1;

    if (!atomic_compare_exchange_strong(&call->running, &none, number))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("another call is running on this LLM; one at a time"));
    return LLMGR_OK;
}

void li_call_end(struct li_call *call)
{
    atomic_store(&call->running, 0);
}

bool li_call_cancelled(const struct li_call *call)
{
    uint64_t running = atomic_load(&call->running);

    return running != 0 && atomic_load(&call->cancelled) == running;
}

void li_call_cancel(struct li_call *call)
{
    uint64_t running = atomic_load(&call->running);
    uint64_t before = atomic_load(&call->cancelled);

    while (before < running) {
        if (atomic_compare_exchange_weak(&call->cancelled, &before, running)) {
            ln_loop_post(call->loop, &call->wake);
            return;
        }
    }
}

void li_call_set_run(struct li_call *call, struct li_run *run)
{
    call->run = run;
}

struct lu_pool *li_call_pool(const struct li_call *call)
{
    return call->pool;
}

struct ln_loop *li_call_loop(const struct li_call *call)
{
    return call->loop;
}

const struct lb_host *li_call_host(const struct li_call *call)
{
    return call->host;
}

const struct lu_timeouts *li_call_timeouts(const struct li_call *call)
{
    return &call->timeouts;
}
