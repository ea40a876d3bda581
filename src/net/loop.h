/* SPDX-License-Identifier: MIT */
/*
 * One event loop, owned by one thread: a gateway worker's, or the private one of a blocking call.
 *
 *        other threads            the loop's thread
 *   ln_loop_post ------> async ---> posts  \
 *                                  timers   \   one turn: callbacks run to their end,
 *   worker pool -------> work ---> done      >  the clock stands still, objects closed
 *                                  sockets  /   meanwhile are freed when the turn ends
 *                                  defers  /
 *
 * Only ln_loop_post, ln_loop_call and ln_loop_stop may be called from other threads; everything
 * else in net/ belongs to the loop's thread. Callbacks never run inside the call that asked for
 * them. A turn's socket reads share one buffer, so idle connections own none.
 */
#ifndef LN_LOOP_H
#define LN_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/host.h"
#include "base/list.h"

struct ln_loop;

enum { LN_READ_SIZE = 64 * 1024 }; /* bytes of the shared read buffer: the most one read yields */

struct ln_loop_options {
    /*
     * Microseconds to poll without sleeping after a turn that had something to do, before the
     * thread blocks: trades CPU for latency, worth it only with a core to spare. 0: never.
     */
    unsigned spin_us;
    /* Accepted connections at once, over all listeners of this loop; accepting pauses there.
     * 0: 100 000. */
    unsigned accepted_max;
};

/* `options` may be NULL. */
LLMGR_MUST_CHECK llmgr_status ln_loop_new(const struct lb_host *host,
                                          const struct ln_loop_options *options,
                                          struct ln_loop **loop, struct llmgr_error *err);
/*
 * Ends whatever is still open: dials fail with ERR_CANCELLED, connections and listeners are closed
 * (their `closed` callbacks run), posts and running work are waited for and their callbacks run.
 * Not from inside a callback. NULL is fine.
 */
void ln_loop_free(struct ln_loop *loop);

/* Turns until ln_loop_stop; a stop asked for before is honoured at once and consumed. */
void ln_loop_run(struct ln_loop *loop);
/* One turn; waits for an event if `wait`. For tests and for hosts with a loop of their own. */
void ln_loop_turn(struct ln_loop *loop, bool wait);
void ln_loop_stop(struct ln_loop *loop); /* thread-safe */

const struct lb_host *ln_loop_host(const struct ln_loop *loop);
/* For code that must have libuv itself (signals of the program); handles are the caller's. */
uv_loop_t *ln_loop_uv(struct ln_loop *loop);
/* Monotonic milliseconds, read once per turn. */
int64_t ln_loop_now(const struct ln_loop *loop);
/* Accepted connections open now. */
unsigned ln_loop_accepted(const struct ln_loop *loop);

/* ---- Timers ---------------------------------------------------------------------------------- */

/*
 * One-shot, embedded in its owner, O(1) to start, restart and stop: cheap enough for several per
 * request. Never early; at most a millisecond and the turn late. Zeroed memory is a stopped timer.
 */
struct ln_timer {
    struct lb_list node;
    int64_t due; /* loop time, ms */
    void (*fire)(void *context);
    void *context;
    struct ln_loop *loop; /* NULL while stopped */
    uint16_t slot;
};

/* (Re)starts; delays below 0 count as 0, and above 30 days as 30 days. */
void ln_timer_start(struct ln_loop *loop, struct ln_timer *timer, int64_t delay_ms,
                    void (*fire)(void *context), void *context);
void ln_timer_stop(struct ln_timer *timer); /* harmless if stopped */
static inline bool ln_timer_running(const struct ln_timer *timer)
{
    return timer->loop != NULL;
}

/* ---- Later, on this thread ------------------------------------------------------------------- */

/* Runs once, before the loop sleeps again. Embedded; zeroed memory is "not waiting". */
struct ln_defer {
    struct lb_list node;
    void (*run)(void *context);
    void *context;
    bool waiting;
};

/* A defer that already waits keeps its place (and takes the new function). */
void ln_defer_start(struct ln_loop *loop, struct ln_defer *defer, void (*run)(void *context),
                    void *context);
void ln_defer_stop(struct ln_defer *defer);

/* ---- From other threads ---------------------------------------------------------------------- */

/* Embedded in its owner, so that posting cannot fail. Initialise fn and context, zero the rest. */
struct ln_post {
    void (*fn)(void *context);
    void *context;
    struct ln_post *next; /* the loop's */
    bool waiting;         /* the loop's */
};

/* Has the loop call fn soon, once however often it is posted meanwhile. Thread-safe. */
void ln_loop_post(struct ln_loop *loop, struct ln_post *post);
/* Takes a post back that has not been called yet; for an owner about to go. Thread-safe. */
void ln_loop_unpost(struct ln_loop *loop, struct ln_post *post);
/* Posts with a node allocated here: ERR_NO_MEMORY if memory is short. Thread-safe. */
LLMGR_MUST_CHECK llmgr_status ln_loop_call(struct ln_loop *loop, void (*fn)(void *context),
                                           void *context);

/* ---- Off the loop ---------------------------------------------------------------------------- */

/* Blocking work on libuv's thread pool. Embedded; lives until `done` ran. */
struct ln_work {
    unsigned magic; /* the loop's, as the next */
    uv_work_t req;
    void (*work)(void *context);                      /* on a pool thread */
    void (*done)(void *context, llmgr_status status); /* on the loop; OK or ERR_CANCELLED */
    void *context;
};

/* Initialise work, done and context first. `done` runs exactly once if this returns LLMGR_OK. */
LLMGR_MUST_CHECK llmgr_status ln_loop_work(struct ln_loop *loop, struct ln_work *work,
                                           struct llmgr_error *err);
/* Another loop of the process has had work done: the pool's threads are there. */
void ln_loop_has_threads(struct ln_loop *loop);
/* Work not yet begun ends with ERR_CANCELLED; begun work ends as if nothing had been asked. */
void ln_work_cancel(struct ln_work *work);

#endif
