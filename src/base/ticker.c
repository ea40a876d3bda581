/* SPDX-License-Identifier: MIT */
/* The thread of a ticker. See the header. */
#include "base/ticker.h"

#include <time.h>

#include "base/error.h"
#include "base/host.h"
#include "base/magic.h"

/* The lock is held. */
static void pause(struct lb_ticker *ticker)
{
    int64_t until_ns = lb_monotonic_ns() + ticker->interval_ms * 1000000;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                   .tv_nsec = (long)(until_ns % 1000000000)};

    if (!ticker->closing)
        (void)pthread_cond_timedwait(&ticker->wake, &ticker->lock, &until);
}

static void *run(void *context)
{
    struct lb_ticker *ticker = LB_CAST(struct lb_ticker, context, LB_TICKER_MAGIC);

    if (ticker->face->begin != NULL)
        ticker->face->begin(ticker->context);
    pthread_mutex_lock(&ticker->lock);
    while (!ticker->closing) {
        pthread_mutex_unlock(&ticker->lock);
        ticker->face->tick(ticker->context);
        pthread_mutex_lock(&ticker->lock);
        pause(ticker);
    }
    pthread_mutex_unlock(&ticker->lock);
    if (ticker->face->end != NULL)
        ticker->face->end(ticker->context);
    return NULL;
}

void lb_ticker_init(struct lb_ticker *ticker, const struct lb_ticker_face *face,
                    int64_t interval_ms, void *context)
{
    pthread_condattr_t attr;

    ticker->magic = LB_TICKER_MAGIC;
    ticker->face = face;
    ticker->context = context;
    ticker->interval_ms = interval_ms;
    pthread_mutex_init(&ticker->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ticker->wake, &attr);
    pthread_condattr_destroy(&attr);
}

llmgr_status lb_ticker_start(struct lb_ticker *ticker, struct llmgr_error *err)
{
    if (pthread_create(&ticker->thread, NULL, run, ticker) != 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("no thread can be started"));
    ticker->runs = true;
    return LLMGR_OK;
}

void lb_ticker_end(struct lb_ticker *ticker)
{
    if (ticker->runs) {
        pthread_mutex_lock(&ticker->lock);
        ticker->closing = true;
        pthread_cond_signal(&ticker->wake);
        pthread_mutex_unlock(&ticker->lock);
        pthread_join(ticker->thread, NULL);
    }
    pthread_mutex_destroy(&ticker->lock);
    pthread_cond_destroy(&ticker->wake);
    ticker->magic = 0;
}
