/* SPDX-License-Identifier: MIT */
/*
 * A thread that does a piece of work at once and then after each interval, until it is ended: the
 * keeper's looks at the database, the access log's writing. Whoever ends it waits for it.
 */
#ifndef LB_TICKER_H
#define LB_TICKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "llmgr.h"

/* What its thread does; all but `tick` may be NULL. */
struct lb_ticker_face {
    void (*begin)(void *context); /* once, before */
    void (*tick)(void *context);
    void (*end)(void *context); /* once, after the last */
};

enum { LB_TICKER_MAGIC = 0x6c677469 };

struct lb_ticker {
    unsigned magic;
    const struct lb_ticker_face *face;
    void *context;
    int64_t interval_ms; /* between the end of one tick and the next */
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* of `closing` */
    pthread_cond_t wake;
    bool closing;
};

/* Zeroed memory becomes a ticker that does not run yet; ended by lb_ticker_end all the same. */
void lb_ticker_init(struct lb_ticker *ticker, const struct lb_ticker_face *face,
                    int64_t interval_ms, void *context);
LLMGR_MUST_CHECK llmgr_status lb_ticker_start(struct lb_ticker *ticker, struct llmgr_error *err);
/* Wakes the thread, if it was started, and waits for its end. */
void lb_ticker_end(struct lb_ticker *ticker);

#endif
