/* SPDX-License-Identifier: MIT */
/*
 * TARGET: whose platform, model and key. An attempt opens with them. Warm, all of it is memory of
 * this worker; a user seen for the first time is read off the loop.
 */
#include "gateway/request.h"

#include <string.h>

#include "base/magic.h"
#include "gateway/attempt.h"
#include "gateway/home.h"
#include "gateway/walk.h"
#include "gateway/work.h"
#include "manager/manager.h"

/* ---- TARGET ---------------------------------------------------------------------------------- */

enum { LOAD_MAGIC = 0x6c676c64 };

struct load {
    unsigned magic;
    struct lm_manager *manager;
    struct lr_profile *profile;
    llmgr_status status;
    struct llmgr_error err;
    struct lb_str user; /* its bytes follow */
};

static void load_profile(void *context)
{
    struct load *load = LB_CAST(struct load, context, LOAD_MAGIC);

    load->status = lr_profile_load(load->manager, load->user, &load->profile, &load->err);
}

static void drop_load(void *context)
{
    struct load *load = LB_CAST(struct load, context, LOAD_MAGIC);

    lr_profile_free(load->manager, load->profile);
    load->magic = 0;
    lb_free(lm_host(load->manager), load);
}

static enum lg_verdict resolve(struct lg_request *request);

static enum lg_verdict loaded(struct lg_request *request, void *context, llmgr_status status)
{
    struct load *load = LB_CAST(struct load, context, LOAD_MAGIC);

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (load->status != LLMGR_OK)
        return lg_request_fail_with(request, &load->err);
    lr_view_put(request->worker->view, load->profile);
    load->profile = NULL;
    if (request->gone || request->cut)
        return LG_DONE; /* no other load may begin */
    return resolve(request);
}

static enum lg_verdict start_load(struct lg_request *request)
{
    struct lm_manager *manager = request->worker->manager;
    struct lb_str user = lm_effective_user(manager, request->caller.user);

    if (++request->tries > LG_PROFILE_TRIES)
        return lg_request_fail(request, LLMGR_ERR_DATABASE_BUSY,
                               N_("the user's settings change faster than they can be read"));
    struct load *load = lb_calloc(lm_host(manager), 1, sizeof *load + user.size);
    if (load == NULL)
        return lg_request_fail_memory(request);
    lg_count(request->worker, LG_METRIC_PROFILE_LOADS, 1);
    load->magic = LOAD_MAGIC;
    load->manager = manager;
    load->user = lb_str(memcpy(load + 1, user.p, user.size), user.size);
    return lg_work_start_bounded(request, load_profile, loaded, drop_load, load);
}

/* One of the targets of the route that it names. */
static enum lg_verdict walk(struct lg_request *request)
{
    bool miss = false;

    enum lg_verdict verdict = lg_walk_target(request, &miss);
    return miss ? start_load(request) : verdict;
}

static enum lg_verdict begin_walk(struct lg_request *request, const struct lm_route *route)
{
    if (lg_home_look(request) != LG_NEXT)
        return LG_FAIL;
    if (lg_home_waits(request))
        return lg_home_ask(request, resolve);
    return lg_walk_begin(request, route) == LG_NEXT ? walk(request) : LG_FAIL;
}

static enum lg_verdict resolve(struct lg_request *request)
{
    struct lg_worker *worker = request->worker;
    struct llmgr_error err = {0};
    enum lr_view_result result = LR_VIEW_DONE;
    const struct lr_request asked = {.user = request->caller.user,
                                     .model = request->model,
                                     .platform_id = request->platform_id,
                                     .allowed = lp_caller_allowed(&request->caller)};
    const struct lm_route *route = NULL;

    struct lg_attempt *attempt =
        request->attempt != NULL ? request->attempt : lg_attempt_open(request);
    if (attempt == NULL)
        return lg_request_fail_memory(request);
    lr_view_refresh(worker->view);
    if (request->walk != NULL)
        return walk(request);
    llmgr_status status = lr_view_route(worker->view, &asked, &route, &result, &err);
    if (status == LLMGR_OK && result == LR_VIEW_DONE && route != NULL)
        return begin_walk(request, route);
    if (status == LLMGR_OK && result == LR_VIEW_DONE)
        status =
            lr_view_resolve(worker->view, &asked, &request->arena, &attempt->target, &result, &err);
    if (status == LLMGR_ERR_NOT_FOUND && request->platform_id != 0)
        return lg_home_refuse(request); /* a platform that this caller does not see */
    if (status != LLMGR_OK)
        return lg_request_fail_with(request, &err);
    if (result == LR_VIEW_MISS)
        return start_load(request);
    if (attempt->target.key_count > 1 || lg_home_place(request).account_id != 0)
        return begin_walk(request, NULL);
    return LG_NEXT;
}

static enum lg_verdict heard(struct lg_request *request, void *context, llmgr_status status)
{
    (void)context;
    (void)status;
    return request->gone ? LG_DONE : resolve(request);
}

static enum lg_verdict resolve_fresh(struct lg_request *request)
{
    /* Else the keeper has not heard from the database for a while: what we remember may be old. */
    if (!lm_is_fresh(request->worker->manager))
        return lg_work_await_fresh(request, heard, NULL);
    return resolve(request);
}

/* A native path whose model nobody names goes where the thing is that it names. */
static bool names_no_model(const struct lg_request *request)
{
    return request->model.size == 0 && request->platform_id == 0 &&
           lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE;
}

static enum lg_verdict follow(struct lg_request *request)
{
    request->platform_id = lg_home_place(request).platform_id;
    return resolve_fresh(request);
}

enum lg_verdict lg_step_target(struct lg_request *request)
{
    if (lg_work_is_done(request))
        return lg_work_finish(request);
    if (names_no_model(request) && lg_home_waits(request))
        return lg_home_ask(request, follow);
    return resolve_fresh(request);
}
