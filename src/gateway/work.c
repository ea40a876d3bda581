/* SPDX-License-Identifier: MIT */
/* One excursion off the loop at a time per request. */
#include "gateway/work.h"

struct lg_job {
    struct ln_work work;
    struct lg_request *request;
    void (*run)(void *context);
    lg_work_done_fn done;
    void *context;
    bool is_done;
    llmgr_status status;
};

static void on_work(void *context)
{
    struct lg_job *job = context;

    job->run(job->context);
}

static void on_done(void *context, llmgr_status status)
{
    struct lg_job *job = context;

    job->is_done = true;
    job->status = status;
    job->request->working = false;
    lg_request_run(job->request);
}

enum lg_verdict lg_work_start(struct lg_request *request, void (*work)(void *context),
                              lg_work_done_fn done, void *context)
{
    struct llmgr_error err = {0};
    struct lg_job *job = lb_arena_calloc(&request->arena, 1, sizeof *job);

    if (job == NULL)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    *job = (struct lg_job){
        .work = {.work = on_work, .done = on_done, .context = job},
        .request = request,
        .run = work,
        .done = done,
        .context = context,
    };
    if (!request->kept && request->head != NULL && lg_request_keep(request) != LLMGR_OK)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    if (ln_loop_work(request->worker->loop, &job->work, &err) != LLMGR_OK)
        return lg_request_fail_with(request, &err);
    request->job = job;
    request->working = true;
    return LG_WAIT;
}

bool lg_work_is_done(const struct lg_request *request)
{
    return request->job != NULL && request->job->is_done;
}

enum lg_verdict lg_work_finish(struct lg_request *request)
{
    struct lg_job *job = request->job;

    request->job = NULL;
    return job->done(request, job->context, job->status);
}

void lg_work_drop(struct lg_request *request)
{
    if (lg_work_is_done(request))
        (void)lg_work_finish(request);
}
