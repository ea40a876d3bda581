/* SPDX-License-Identifier: MIT */
/*
 * A step's work off the loop. The step starts it and returns what that returns (WAIT); when
 * the work is done the step is run again, sees lg_work_is_done, and returns lg_work_finish, which
 * calls `done` on the loop. Meanwhile the request's memory belongs to the work.
 */
#ifndef LG_WORK_H
#define LG_WORK_H

#include "gateway/request.h"

typedef enum lg_verdict (*lg_work_done_fn)(struct lg_request *request, void *context,
                                           llmgr_status status);

/* `context` lies in the arena. For work that is bounded by itself. */
enum lg_verdict lg_work_start(struct lg_request *request, void (*work)(void *context),
                              lg_work_done_fn done, void *context);
/*
 * The same for what a caller waits for, as long as the settings say (freshness_wait) and no longer:
 * then it is told that the database does not answer (503, Retry-After). `context` holds nothing of
 * the request's, and whatever happens is given to `drop` in the end, on the loop.
 */
enum lg_verdict lg_work_start_bounded(struct lg_request *request, void (*work)(void *context),
                                      lg_work_done_fn done, void (*drop)(void *context),
                                      void *context);
/* Waits until the keeper has heard from the database, as long, without a thread. */
enum lg_verdict lg_work_await_fresh(struct lg_request *request, lg_work_done_fn done,
                                    void *context);
/* It has: those who waited go on. */
void lg_work_wake(void *worker);
bool lg_work_is_done(const struct lg_request *request);
enum lg_verdict lg_work_finish(struct lg_request *request);
/* The request is over before its step could finish: what the work has made is given back. */
void lg_work_drop(struct lg_request *request);

#endif
