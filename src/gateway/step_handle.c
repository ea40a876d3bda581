/* SPDX-License-Identifier: MIT */
/*
 * HANDLE: routes that we answer ourselves. A quick handler runs here, one that may block runs on
 * the thread pool while the request waits; then the answer leaves the same way.
 */
#include "gateway/request.h"

#include "base/magic.h"
#include "gateway/answer.h"
#include "gateway/handlers.h"
#include "gateway/work.h"
#include "http/write.h"
#include "manager/manager.h"

enum { HANDLING_MAGIC = 0x6c676864 };

/* A handler on its way through the thread pool. */
struct handling {
    unsigned magic;
    ly_handler_fn handler;
    struct lp_call call;
};

typedef void (*answer_fn)(const struct lg_shared *shared, struct lp_call *call);

static const answer_fn ANSWERS[LY_LOOP_COUNT] = {
#define ANSWER_RELAY(target)
#define ANSWER_LOOP(target) [LY_LOOP_##target] = lg_run_##target,
#define ANSWER_WORK(target)
#define ANSWER_OPERATION(target)
#define LY_ROUTE(method, path, kind, scope, target, ...) ANSWER_##kind(target)
#include "paths/routes.def"
#undef LY_ROUTE
};

static void fill_call(struct lg_request *request, struct lp_call *call)
{
    struct lg_worker *worker = request->worker;

    *call = (struct lp_call){
        .manager = worker->shared->manager,
        .arena = &request->arena,
        .config = worker->shared->config,
        .health = worker->shared->health,
        .method = request->match.route->method,
        .admin_only = request->match.route->scope == LY_SCOPE_ADMIN,
        .head = request->head,
        .params = request->match.params,
        .param_count = request->match.param_count,
        .caller = &request->caller,
        .body = lb_str(lb_buf_c(&request->body), request->body.size),
        .request_id = request->id,
        .anthropic = request->wants_anthropic_id,
    };
    lb_buf_init_secret(&call->out, worker->host, LP_ANSWER_MAX); /* a new token, perhaps */
}

static enum lg_verdict answer_call(struct lg_request *request, struct lp_call *call)
{
    llmgr_status failed = call->out.failed;
    if (failed != LLMGR_OK) {
        lb_buf_free(&call->out);
        return failed == LLMGR_ERR_NO_MEMORY
                   ? lg_request_fail_memory(request)
                   : lg_request_fail(request, failed, N_("the answer is too large"));
    }
    struct lb_buf *out = lg_answer_head(request, call->status != 0 ? call->status : 200);
    if (call->allow.size > 0)
        lh_write_named(out, LH_NAME("allow"), call->allow);
    for (size_t i = 0; i < call->field_count; i++)
        lh_write_field(out, call->fields[i].name, call->fields[i].value);
    lg_answer_whole(request, call->type.size > 0 ? call->type : LB_STR("application/json"),
                    lb_buf_str(&call->out));
    lb_buf_free(&call->out);
    return LG_DONE;
}

static void run_handler(void *context)
{
    struct handling *handling = LB_CAST(struct handling, context, HANDLING_MAGIC);

    handling->handler(&handling->call);
}

static enum lg_verdict handled(struct lg_request *request, void *context, llmgr_status status)
{
    struct handling *handling = LB_CAST(struct handling, context, HANDLING_MAGIC);
    struct lp_call *call = &handling->call;

    if (request->gone || status != LLMGR_OK) {
        lb_buf_free(&call->out);
        return request->gone ? LG_DONE
                             : lg_request_fail(request, status, N_("the server is closing"));
    }
    return answer_call(request, call);
}

static enum lg_verdict start_handler(struct lg_request *request)
{
    /* The handler reads the head on another thread: it must not lie in the worker's scratch. */
    if (!request->kept && lg_request_keep(request) != LLMGR_OK)
        return lg_request_fail_memory(request);
    struct handling *handling = lb_arena_alloc(&request->arena, sizeof *handling);
    if (handling == NULL)
        return lg_request_fail_memory(request);
    handling->magic = HANDLING_MAGIC;
    handling->handler = request->match.route->handler;
    fill_call(request, &handling->call);
    return lg_work_start(request, run_handler, handled, handling);
}

static enum lg_verdict heard(struct lg_request *request, void *context, llmgr_status status)
{
    (void)context;
    (void)status;
    return request->gone ? LG_DONE : start_handler(request);
}

enum lg_verdict lg_step_handle(struct lg_request *request)
{
    const struct ly_route *route = request->match.route;

    if (route->kind == LY_ROUTE_RELAY)
        return LG_NEXT;
    if (route->kind == LY_ROUTE_LOOP) {
        struct lp_call call;
        fill_call(request, &call);
        ANSWERS[route->answer](request->worker->shared, &call);
        return answer_call(request, &call);
    }
    if (lg_work_is_done(request))
        return lg_work_finish(request);
    /* A database that does not answer would hold up the threads that all share. */
    if (route->scope != LY_SCOPE_PUBLIC && !lm_is_fresh(request->worker->manager))
        return lg_work_await_fresh(request, heard, NULL);
    return start_handler(request);
}

/* HEAD / and GET /: some clients look whether anybody is there before they speak. */
void lg_run_root(const struct lg_shared *shared, struct lp_call *call)
{
    (void)shared;
    lb_buf_add_c(&call->out, "{\"name\":\"llmgr\",\"version\":\"");
    lb_buf_add_c(&call->out, llmgr_version());
    lb_buf_add_c(&call->out, "\"}");
}
