/* SPDX-License-Identifier: MIT */
/*
 * The loop: a uv_loop with what our connections need around it. Its four own handles are the
 * async that other threads ring, the one timer of the wheel (net/timer.c), and a pair that runs
 * the defers after the sockets of a turn. The end of the file is the end of the loop: everything
 * still open is closed, everything under way is waited for, and no handle is left.
 */
#include "net/loop.h"

#include "base/error.h"
#include "net/loop_int.h"

enum { ACCEPTED_MAX = 100000 };

enum { CALL_MAGIC = 0x43414c4c, WORK_MAGIC = 0x574f524b };

struct call {
    unsigned magic;
    struct ln_post post;
    struct ln_loop *loop;
    void (*fn)(void *context);
    void *context;
};

/* ---- Posts ----------------------------------------------------------------------------------- */

static struct ln_post *take_post(struct ln_loop *loop)
{
    uv_mutex_lock(&loop->lock);
    struct ln_post *post = loop->posts;
    if (post != NULL) {
        loop->posts = post->next;
        if (loop->posts == NULL)
            loop->posts_end = &loop->posts;
        post->next = NULL;
        post->waiting = false;
    }
    uv_mutex_unlock(&loop->lock);
    return post;
}

/* True if it was not waiting yet. Once the lock is gone, so may be the post: it may have run. */
static bool add_post(struct ln_loop *loop, struct ln_post *post)
{
    uv_mutex_lock(&loop->lock);
    bool fresh = !post->waiting;
    if (fresh) {
        post->waiting = true;
        post->next = NULL;
        *loop->posts_end = post;
        loop->posts_end = &post->next;
    }
    uv_mutex_unlock(&loop->lock);
    return fresh;
}

static void run_posts(struct ln_loop *loop)
{
    /* A marker bounds the work: what these callbacks post is for the next turn. */
    struct ln_post end = {.fn = NULL};
    (void)add_post(loop, &end);
    struct ln_post *post;
    while ((post = take_post(loop)) != &end) {
        loop->busy++;
        post->fn(post->context);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct ln_loop *loop = LB_CAST(struct ln_loop, wake->data, LN_LOOP_MAGIC);
    uv_mutex_lock(&loop->lock);
    bool any = loop->posts != NULL;
    uv_mutex_unlock(&loop->lock);
    if (any)
        run_posts(loop);
}

void ln_loop_post(struct ln_loop *loop, struct ln_post *post)
{
    if (add_post(loop, post))
        (void)uv_async_send(&loop->wake); /* fails only on a closing handle: our own bug */
}

void ln_loop_unpost(struct ln_loop *loop, struct ln_post *post)
{
    uv_mutex_lock(&loop->lock);
    for (struct ln_post **at = &loop->posts; post->waiting && *at != NULL; at = &(*at)->next) {
        if (*at != post)
            continue;
        *at = post->next;
        if (*at == NULL)
            loop->posts_end = at;
        post->next = NULL;
        post->waiting = false;
        break;
    }
    uv_mutex_unlock(&loop->lock);
}

static void run_call(void *context)
{
    struct call *call = LB_CAST(struct call, context, CALL_MAGIC);
    void (*fn)(void *) = call->fn;
    void *inner = call->context;
    call->magic = 0;
    lb_free(call->loop->host, call);
    fn(inner);
}

llmgr_status ln_loop_call(struct ln_loop *loop, void (*fn)(void *context), void *context)
{
    struct call *call = lb_calloc(loop->host, 1, sizeof(*call));
    if (call == NULL)
        return LLMGR_ERR_NO_MEMORY;
    *call = (struct call){CALL_MAGIC, {run_call, call, NULL, false}, loop, fn, context};
    ln_loop_post(loop, &call->post);
    return LLMGR_OK;
}

/* ---- Defers ---------------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being started is what counts: the loop polls without sleeping */
}

static void on_check(uv_check_t *check)
{
    struct ln_loop *loop = LB_CAST(struct ln_loop, check->data, LN_LOOP_MAGIC);
    if (uv_is_active((uv_handle_t *)&loop->idle) == 0)
        return; /* as mostly: nothing waits */
    /* What these start is for the next turn: they go behind the marker. */
    struct lb_list end;
    lb_list_add_tail(&loop->defers, &end);
    while (loop->defers.next != &end) {
        struct ln_defer *defer = LB_CONTAINER(loop->defers.next, struct ln_defer, node);
        lb_list_remove(&defer->node);
        defer->waiting = false;
        loop->busy++;
        defer->run(defer->context);
    }
    lb_list_remove(&end);
    if (lb_list_empty(&loop->defers))
        (void)uv_idle_stop(&loop->idle);
}

void ln_defer_start(struct ln_loop *loop, struct ln_defer *defer, void (*run)(void *context),
                    void *context)
{
    defer->run = run;
    defer->context = context;
    if (defer->waiting)
        return;
    defer->waiting = true;
    if (lb_list_empty(&loop->defers))
        (void)uv_idle_start(&loop->idle, on_idle);
    lb_list_add_tail(&loop->defers, &defer->node);
}

void ln_defer_stop(struct ln_defer *defer)
{
    if (!defer->waiting)
        return;
    defer->waiting = false;
    lb_list_remove(&defer->node);
}

/* ---- Work ------------------------------------------------------------------------------------ */

static void on_work(uv_work_t *req)
{
    struct ln_work *work = LB_CAST(struct ln_work, req->data, WORK_MAGIC);
    work->work(work->context);
}

static void on_work_done(uv_work_t *req, int status)
{
    struct ln_work *work = LB_CAST(struct ln_work, req->data, WORK_MAGIC);
    work->done(work->context, status == UV_ECANCELED ? LLMGR_ERR_CANCELLED : LLMGR_OK);
}

llmgr_status ln_loop_work(struct ln_loop *loop, struct ln_work *work, struct llmgr_error *err)
{
    if (loop->dying)
        return lb_fail(err, LLMGR_ERR_CANCELLED, N_("the event loop is being closed"));
    work->magic = WORK_MAGIC;
    work->req.data = work;
    int rc = ln_spare_threads(loop);
    if (rc == 0)
        rc = uv_queue_work(&loop->uv, &work->req, on_work, on_work_done);
    if (rc != 0)
        return lb_fail(err, LLMGR_ERR_INTERNAL, N_("no work can be queued: %s"), uv_strerror(rc));
    return LLMGR_OK;
}

void ln_loop_has_threads(struct ln_loop *loop)
{
    loop->threads_spare = true;
}

void ln_work_cancel(struct ln_work *work)
{
    (void)uv_cancel((uv_req_t *)&work->req); /* EBUSY: it runs already, and will end */
}

/* ---- Birth and running ----------------------------------------------------------------------- */

static void open_handles(struct ln_loop *loop)
{
    /* These three only fill in memory; libuv documents them as always successful. */
    (void)uv_timer_init(&loop->uv, &loop->alarm);
    (void)uv_check_init(&loop->uv, &loop->check);
    (void)uv_idle_init(&loop->uv, &loop->idle);
    loop->wake.data = loop->alarm.data = loop->check.data = loop->idle.data = loop;
    (void)uv_check_start(&loop->check, on_check);
    uv_unref((uv_handle_t *)&loop->check);
    uv_unref((uv_handle_t *)&loop->alarm);
}

llmgr_status ln_loop_new(const struct lb_host *host, const struct ln_loop_options *options,
                         struct ln_loop **out, struct llmgr_error *err)
{
    struct ln_loop *loop = lb_calloc(host, 1, sizeof(*loop));
    if (loop == NULL)
        return lb_fail_memory(err);
    llmgr_status status = LLMGR_ERR_NO_MEMORY;
    int rc = UV_ENOMEM;
    loop->magic = LN_LOOP_MAGIC;
    loop->host = host;
    loop->read_buffer = lb_alloc(host, LN_READ_SIZE);
    loop->scratch = lb_alloc(host, LN_SCRATCH_SIZE);
    if (loop->read_buffer == NULL || loop->scratch == NULL)
        goto fail;
    if ((rc = ln_spare_descriptors()) < 0 || (rc = ln_spare_table(loop, rc)) != 0 ||
        (rc = uv_mutex_init(&loop->lock)) != 0)
        goto fail;
    if ((rc = uv_loop_init(&loop->uv)) != 0)
        goto fail_mutex;
    if ((rc = ln_spare_watchers(loop)) != 0 ||
        (rc = uv_async_init(&loop->uv, &loop->wake, on_wake)) != 0)
        goto fail_loop;
    open_handles(loop);
    loop->posts_end = &loop->posts;
    loop->spin_us = options != NULL ? options->spin_us : 0;
    loop->accepted_max =
        options != NULL && options->accepted_max != 0 ? options->accepted_max : ACCEPTED_MAX;
    lb_list_init(&loop->defers);
    for (size_t kind = 0; kind < LN_MEMBERS; kind++)
        lb_list_init(&loop->members[kind].list);
    lb_list_init(&loop->leaving);
    ln_wheel_init(loop);
    *out = loop;
    return LLMGR_OK;

fail_loop:
    (void)uv_loop_close(&loop->uv);
fail_mutex:
    uv_mutex_destroy(&loop->lock);
fail:
    if (rc == UV_ENOMEM)
        status = lb_fail_memory(err);
    else
        status = lb_fail(err, LLMGR_ERR_IO,
                         N_("no event loop can be made: %s; raise the limit of open files"),
                         uv_strerror(rc));
    lb_free(host, loop->scratch);
    lb_free(host, loop->read_buffer);
    lb_free(host, loop);
    return status;
}

void ln_loop_turn(struct ln_loop *loop, bool wait)
{
    const int64_t begun_ms = (int64_t)uv_now(&loop->uv);

    loop->turning = true;
    (void)uv_run(&loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    loop->turning = false;
    loop->asked_ms = begun_ms;
}

/* Turns without sleeping until `spin_us` passed with nothing to do; true if stopped meanwhile. */
static void spin_once(struct ln_loop *loop)
{
    int64_t idle_since = 0;
    while (!atomic_load(&loop->stop)) {
        loop->busy = 0;
        ln_loop_turn(loop, false);
        int64_t now = lb_monotonic_ns();
        if (loop->busy != 0 || idle_since == 0)
            idle_since = now;
        else if (now - idle_since > (int64_t)loop->spin_us * 1000)
            return;
    }
}

void ln_loop_run(struct ln_loop *loop)
{
    while (!atomic_exchange(&loop->stop, false)) {
        ln_loop_turn(loop, true);
        if (loop->spin_us != 0)
            spin_once(loop);
    }
}

void ln_loop_stop(struct ln_loop *loop)
{
    atomic_store(&loop->stop, true);
    (void)uv_async_send(&loop->wake);
}

const struct lb_host *ln_loop_host(const struct ln_loop *loop)
{
    return loop->host;
}

uv_loop_t *ln_loop_uv(struct ln_loop *loop)
{
    return &loop->uv;
}

int64_t ln_loop_now(const struct ln_loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}

unsigned ln_loop_accepted(const struct ln_loop *loop)
{
    return loop->accepted;
}

/* ---- The end --------------------------------------------------------------------------------- */

/*
 * Closes what hangs on the loop; true if there was anything. Who is closed may close others, so
 * each time the first that is left is taken.
 */
static bool close_all(struct ln_loop *loop)
{
    bool any = false;
    for (size_t kind = 0; kind < LN_MEMBERS; kind++) {
        struct ln_members *members = &loop->members[kind];
        while (!lb_list_empty(&members->list)) {
            struct lb_list *node = members->list.next;
            lb_list_remove(node);
            lb_list_add_tail(&loop->leaving, node);
            members->close(node);
            any = true;
        }
    }
    return any;
}

void ln_loop_free(struct ln_loop *loop)
{
    if (loop == NULL)
        return;
    loop->dying = true;
    uv_unref((uv_handle_t *)&loop->wake);
    bool busy;
    do {
        /* Callbacks may post, or leave closing handles behind: until a round finds nothing. */
        busy = close_all(loop);
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        if (loop->posts != NULL) {
            run_posts(loop);
            busy = true;
        }
    } while (busy);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop->uv) != 0)
        lb_error(loop->host, "an event loop was freed while foreign handles were open on it");
    uv_mutex_destroy(&loop->lock);
    const struct lb_host *host = loop->host;
    lb_free(host, loop->scratch);
    lb_free(host, loop->read_buffer);
    loop->magic = 0;
    lb_free(host, loop);
}
