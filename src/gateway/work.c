/* SPDX-License-Identifier: MIT */
/*
 * One piece of work off the loop at a time per request, or one wait for word from the database.
 * What is not bounded by itself is bounded here: a request whose wait has run out goes on without
 * its job, which owns all its memory and is cleared away when it ends. A job that has not begun by
 * then is taken out of the queue, so that at most as many hang as the pool has threads.
 */
#include "gateway/work.h"

#include "base/magic.h"
#include "manager/manager.h"

enum { JOB_MAGIC = 0x6c676a6f };

struct lg_job {
    unsigned magic;
    struct ln_work work;
    struct lg_request *request; /* NULL: it waits no longer */
    const struct lb_host *host;
    void (*run)(void *context);
    lg_work_done_fn done;
    void (*drop)(void *context); /* NULL: job and context lie in the arena, the wait has no bound */
    void *context;
    struct ln_timer timer;
    struct lb_list node; /* of the worker's waiters */
    bool waits;          /* for word from the database: nothing runs */
    bool is_done;
    bool is_late;
    llmgr_status status;
};

/* What a request sees that has left its job behind. */
static struct lg_job left_behind = {.magic = JOB_MAGIC, .is_done = true, .is_late = true};

static void on_work(void *context)
{
    struct lg_job *job = LB_CAST(struct lg_job, context, JOB_MAGIC);

    job->run(job->context);
}

static void free_bounded(struct lg_job *job)
{
    job->drop(job->context);
    job->magic = 0;
    lb_free(job->host, job);
}

static void on_done(void *context, llmgr_status status)
{
    struct lg_job *job = LB_CAST(struct lg_job, context, JOB_MAGIC);

    if (job->request == NULL) {
        free_bounded(job);
        return;
    }
    ln_timer_stop(&job->timer);
    job->is_done = true;
    job->status = status;
    job->request->working = false;
    lg_request_run(job->request);
}

static enum lg_verdict queue(struct lg_request *request, struct lg_job *job)
{
    struct llmgr_error err = {0};

    if (!request->kept && request->head != NULL && lg_request_keep(request) != LLMGR_OK)
        return lg_request_fail_memory(request);
    if (ln_loop_work(request->worker->loop, &job->work, &err) != LLMGR_OK)
        return lg_request_fail_with(request, &err);
    request->job = job;
    request->working = true;
    return LG_WAIT;
}

enum lg_verdict lg_work_start(struct lg_request *request, void (*work)(void *context),
                              lg_work_done_fn done, void *context)
{
    struct lg_job *job = lb_arena_calloc(&request->arena, 1, sizeof *job);

    if (job == NULL)
        return lg_request_fail_memory(request);
    *job = (struct lg_job){
        .magic = JOB_MAGIC,
        .work = {.work = on_work, .done = on_done, .context = job},
        .request = request,
        .run = work,
        .done = done,
        .context = context,
    };
    return queue(request, job);
}

/* ---- With a bound ---------------------------------------------------------------------------- */

static void on_late(void *context)
{
    struct lg_job *job = LB_CAST(struct lg_job, context, JOB_MAGIC);
    struct lg_request *request = job->request;

    job->request = NULL;
    request->job = &left_behind;
    request->working = false;
    ln_work_cancel(&job->work);
    lg_request_run(request);
}

enum lg_verdict lg_work_start_bounded(struct lg_request *request, void (*work)(void *context),
                                      lg_work_done_fn done, void (*drop)(void *context),
                                      void *context)
{
    struct lg_worker *worker = request->worker;
    struct lg_job *job = lb_calloc(worker->host, 1, sizeof *job);

    if (job == NULL) {
        drop(context);
        return lg_request_fail_memory(request);
    }
    *job = (struct lg_job){
        .magic = JOB_MAGIC,
        .work = {.work = on_work, .done = on_done, .context = job},
        .request = request,
        .host = worker->host,
        .run = work,
        .done = done,
        .drop = drop,
        .context = context,
    };
    enum lg_verdict verdict = queue(request, job);
    if (verdict != LG_WAIT)
        free_bounded(job);
    else
        ln_timer_start(worker->loop, &job->timer, request->settings->freshness_wait_ms, on_late,
                       job);
    return verdict;
}

/* ---- Word from the database ------------------------------------------------------------------ */

static void end_wait(struct lg_job *job)
{
    lb_list_remove(&job->node);
    ln_timer_stop(&job->timer);
    atomic_fetch_sub_explicit(&job->request->worker->waiting, 1, memory_order_relaxed);
}

static void on_no_word(void *context)
{
    struct lg_job *job = LB_CAST(struct lg_job, context, JOB_MAGIC);

    end_wait(job);
    job->is_done = true;
    job->is_late = true;
    lg_request_run(job->request);
}

enum lg_verdict lg_work_await_fresh(struct lg_request *request, lg_work_done_fn done, void *context)
{
    struct lg_worker *worker = request->worker;
    struct lg_job *job = lb_arena_calloc(&request->arena, 1, sizeof *job);

    if (job == NULL)
        return lg_request_fail_memory(request);
    *job = (struct lg_job){
        .magic = JOB_MAGIC, .request = request, .done = done, .context = context, .waits = true};
    request->job = job;
    lb_list_add_tail(&worker->waiters, &job->node);
    atomic_fetch_add(&worker->waiting, 1);
    ln_timer_start(worker->loop, &job->timer, request->settings->freshness_wait_ms, on_no_word,
                   job);
    /* The word may have come between the caller's look and the count. */
    if (lm_is_fresh(worker->manager))
        ln_loop_post(worker->loop, &worker->fresh_post);
    return LG_WAIT;
}

void lg_work_wake(void *context)
{
    struct lg_worker *worker = LB_CAST(struct lg_worker, context, LG_WORKER_MAGIC);

    while (!lb_list_empty(&worker->waiters) && lm_is_fresh(worker->manager)) {
        struct lg_job *job = LB_CONTAINER(worker->waiters.next, struct lg_job, node);
        end_wait(job);
        job->is_done = true;
        lg_request_run(job->request);
    }
}

/* ---- Its end --------------------------------------------------------------------------------- */

bool lg_work_is_done(const struct lg_request *request)
{
    return request->job != NULL && request->job->is_done;
}

static enum lg_verdict too_late(struct lg_request *request)
{
    enum lg_verdict verdict = lg_request_fail(
        request, LLMGR_ERR_DATABASE_BUSY,
        N_("the database does not answer at the moment; try again in a few seconds"));

    request->error->retry_after_ms = 1000;
    return verdict;
}

enum lg_verdict lg_work_finish(struct lg_request *request)
{
    struct lg_job *job = request->job;

    request->job = NULL;
    if (job->is_late)
        return too_late(request);
    enum lg_verdict verdict = job->done(request, job->context, job->status);
    if (job->drop != NULL)
        free_bounded(job);
    return verdict;
}

void lg_work_drop(struct lg_request *request)
{
    struct lg_job *job = request->job;

    if (job != NULL && job->waits && !job->is_done) {
        end_wait(job);
        request->job = NULL;
    } else if (lg_work_is_done(request)) {
        (void)lg_work_finish(request);
    }
}
