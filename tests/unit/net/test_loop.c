/* SPDX-License-Identifier: MIT */
/* Timers, defers, posts and work of the loop, through its face. */
#include "../unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "net/conn_int.h"
#include "net/loop.h"

static struct lb_host host;

static struct ln_loop *make(void)
{
    struct ln_loop *loop = NULL;
    lb_host_init(&host);
    assert_int_equal(ln_loop_new(&host, NULL, &loop, NULL), LLMGR_OK);
    return loop;
}

struct probe {
    struct ln_timer timer;
    struct ln_loop *loop;
    int64_t wanted, fired_at;
    int fired;
    unsigned *left; /* stops the loop at 0 */
};

static void on_fire(void *context)
{
    struct probe *probe = context;
    probe->fired++;
    probe->fired_at = ln_loop_now(probe->loop);
    if (--*probe->left == 0)
        ln_loop_stop(probe->loop);
}

/* A limit, and the bytes that it waits for. */
struct awaited {
    struct ln_timer limit;
    struct ln_conn *conn;
    bool is_over;
    size_t received;
    bool closed;
};

static void limit_is_over(void *context)
{
    struct awaited *awaited = context;
    awaited->is_over = true;
}

static void bytes_came(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    struct awaited *awaited = context;
    (void)conn;
    awaited->received += bytes.size;
    ln_timer_stop(&awaited->limit);
}

static void conn_closed(struct ln_conn *conn, void *context)
{
    struct awaited *awaited = context;
    (void)conn;
    awaited->closed = true;
}

/* As after SIGSTOP, or on a machine that is too busy: the bytes were there in time. */
static void what_came_while_nobody_looked_came_before_the_limit_was_over(void **state)
{
    static const struct ln_conn_face FACE = {.data = bytes_came, .closed = conn_closed};
    (void)state;
    struct ln_loop *loop = make();
    struct awaited awaited = {.received = 0};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(ln_conn_adopt(loop, ends[0], &awaited.conn, NULL), LLMGR_OK);
    ln_conn_set_face(awaited.conn, &FACE, &awaited);
    ln_conn_read_start(awaited.conn);
    ln_loop_turn(loop, false);
    ln_timer_start(loop, &awaited.limit, 20, limit_is_over, &awaited);
    assert_int_equal(write(ends[1], "x", 1), 1);
    (void)usleep(100 * 1000);
    while (awaited.received == 0 && !awaited.is_over)
        ln_loop_turn(loop, true);
    assert_false(awaited.is_over);
    /* What does not come has its limit. */
    ln_timer_start(loop, &awaited.limit, 20, limit_is_over, &awaited);
    (void)usleep(100 * 1000);
    while (!awaited.is_over)
        ln_loop_turn(loop, true);
    assert_int_equal(awaited.received, 1);
    ln_conn_close(awaited.conn);
    while (!awaited.closed)
        ln_loop_turn(loop, true);
    (void)close(ends[1]);
    ln_loop_free(loop);
}

static void timers_fire_once_in_order_and_never_early(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct ln_loop *loop = make();
    static struct probe probes[COUNT];
    unsigned left = COUNT;
    srandom(7);
    for (size_t i = 0; i < COUNT; i++) {
        int64_t delay = random() % 400;
        probes[i] =
            (struct probe){.loop = loop, .wanted = ln_loop_now(loop) + delay, .left = &left};
        ln_timer_start(loop, &probes[i].timer, delay, on_fire, &probes[i]);
        assert_true(ln_timer_running(&probes[i].timer));
    }
    ln_loop_run(loop);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(probes[i].fired, 1);
        assert_true(probes[i].fired_at >= probes[i].wanted);
        assert_false(ln_timer_running(&probes[i].timer));
    }
    ln_loop_free(loop);
}

static void a_stopped_timer_never_fires(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    unsigned left = 1;
    struct probe stopped = {.loop = loop, .left = &left};
    struct probe last = {.loop = loop, .left = &left};
    ln_timer_start(loop, &stopped.timer, 5, on_fire, &stopped);
    ln_timer_start(loop, &last.timer, 30, on_fire, &last);
    ln_timer_stop(&stopped.timer);
    ln_timer_stop(&stopped.timer);
    ln_loop_run(loop);
    assert_int_equal(stopped.fired, 0);
    assert_int_equal(last.fired, 1);
    ln_loop_free(loop);
}

static void restarting_moves_the_time(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    unsigned left = 1;
    struct probe probe = {.loop = loop, .left = &left};
    int64_t start = ln_loop_now(loop);
    for (int i = 0; i < 1000; i++)
        ln_timer_start(loop, &probe.timer, 100000 - 90 * i, on_fire, &probe);
    ln_timer_start(loop, &probe.timer, 70, on_fire, &probe);
    ln_loop_run(loop);
    assert_int_equal(probe.fired, 1);
    assert_in_range(probe.fired_at - start, 70, 5000);
    ln_loop_free(loop);
}

static struct probe *victim;

static void stop_victim(void *context)
{
    struct probe *probe = context;
    ln_timer_stop(&victim->timer);
    on_fire(probe);
}

static void a_timer_may_stop_another_of_the_same_moment(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    unsigned left = 1;
    struct probe first = {.loop = loop, .left = &left};
    struct probe second = {.loop = loop, .left = &left};
    victim = &second;
    ln_timer_start(loop, &first.timer, 10, stop_victim, &first);
    ln_timer_start(loop, &second.timer, 10, on_fire, &second);
    ln_loop_run(loop);
    assert_int_equal(first.fired, 1);
    assert_int_equal(second.fired, 0);
    ln_loop_free(loop);
}

static void again(void *context)
{
    struct probe *probe = context;
    on_fire(probe);
    if (*probe->left != 0)
        ln_timer_start(probe->loop, &probe->timer, 0, again, probe);
}

static void a_zero_delay_lets_the_loop_breathe(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    unsigned left = 5;
    struct probe probe = {.loop = loop, .left = &left};
    ln_timer_start(loop, &probe.timer, -3, again, &probe);
    ln_loop_run(loop);
    assert_int_equal(probe.fired, 5);
    ln_loop_free(loop);
}

static void a_running_timer_does_not_hold_the_loop_open(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    unsigned left = 1;
    struct probe probe = {.loop = loop, .left = &left};
    ln_timer_start(loop, &probe.timer, INT64_MAX, on_fire, &probe);
    ln_loop_turn(loop, false);
    ln_loop_free(loop);
    assert_int_equal(probe.fired, 0);
}

struct count {
    struct ln_loop *loop;
    struct ln_defer defer;
    int runs, until;
};

static void on_defer(void *context)
{
    struct count *count = context;
    if (++count->runs < count->until)
        ln_defer_start(count->loop, &count->defer, on_defer, count);
    else
        ln_loop_stop(count->loop);
}

static void defers_run_before_the_loop_sleeps(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    struct count count = {.loop = loop, .until = 3};
    struct count never = {.loop = loop, .until = 1};
    ln_defer_start(loop, &count.defer, on_defer, &count);
    ln_defer_start(loop, &never.defer, on_defer, &never);
    ln_defer_stop(&never.defer);
    assert_int_equal(count.runs, 0);
    ln_loop_run(loop);
    assert_int_equal(count.runs, 3);
    assert_int_equal(never.runs, 0);
    ln_loop_free(loop);
}

enum { THREADS = 4, POSTS = 5000 };

struct posting {
    struct ln_loop *loop;
    int seen, wanted; /* touched by the loop's thread only */
    struct ln_post own;
    int own_seen;
};

static void on_call(void *context)
{
    struct posting *posting = context;
    if (++posting->seen == posting->wanted)
        ln_loop_stop(posting->loop);
}

static void on_own(void *context)
{
    struct posting *posting = context;
    posting->own_seen++;
}

static void poster(void *context)
{
    struct posting *posting = context;
    for (int i = 0; i < POSTS; i++) {
        ln_loop_post(posting->loop, &posting->own);
        if (ln_loop_call(posting->loop, on_call, posting) != LLMGR_OK)
            abort();
    }
}

static void every_call_of_every_thread_arrives_once(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    struct posting posting = {.loop = loop, .wanted = THREADS * POSTS};
    posting.own = (struct ln_post){.fn = on_own, .context = &posting};
    uv_thread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(uv_thread_create(&threads[i], poster, &posting), 0);
    ln_loop_run(loop);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    ln_loop_unpost(loop, &posting.own);
    assert_int_equal(posting.seen, THREADS * POSTS);
    assert_in_range(posting.own_seen, 1, THREADS * POSTS);
    ln_loop_free(loop);
}

static void a_post_taken_back_is_not_called(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    struct posting a = {.loop = loop};
    struct posting b = {.loop = loop};
    a.own = (struct ln_post){.fn = on_own, .context = &a};
    b.own = (struct ln_post){.fn = on_own, .context = &b};
    ln_loop_post(loop, &a.own);
    ln_loop_post(loop, &b.own);
    ln_loop_post(loop, &b.own);
    ln_loop_unpost(loop, &a.own);
    ln_loop_turn(loop, false);
    assert_int_equal(a.own_seen, 0);
    assert_int_equal(b.own_seen, 1);
    ln_loop_free(loop);
}

struct job {
    struct ln_work work;
    struct ln_loop *loop;
    int result;
    llmgr_status status;
    bool stop;
};

static void on_work(void *context)
{
    ((struct job *)context)->result = 42;
}

static void on_done(void *context, llmgr_status status)
{
    struct job *job = context;
    job->status = status;
    if (job->stop)
        ln_loop_stop(job->loop);
}

static void work_runs_off_the_loop_and_is_waited_for(void **state)
{
    (void)state;
    struct ln_loop *loop = make();
    struct job job = {.loop = loop, .stop = true, .status = LLMGR_ERR_INTERNAL};
    struct job late = {.loop = loop, .status = LLMGR_ERR_INTERNAL};
    job.work = (struct ln_work){.work = on_work, .done = on_done, .context = &job};
    late.work = (struct ln_work){.work = on_work, .done = on_done, .context = &late};
    assert_int_equal(ln_loop_work(loop, &job.work, NULL), LLMGR_OK);
    ln_loop_run(loop);
    assert_int_equal(job.result, 42);
    assert_int_equal(job.status, LLMGR_OK);
    assert_int_equal(ln_loop_work(loop, &late.work, NULL), LLMGR_OK);
    ln_loop_free(loop);
    assert_int_equal(late.status, LLMGR_OK);
}

static void a_spinning_loop_serves_too(void **state)
{
    (void)state;
    struct ln_loop *loop = NULL;
    lb_host_init(&host);
    struct ln_loop_options options = {.spin_us = 50};
    assert_int_equal(ln_loop_new(&host, &options, &loop, NULL), LLMGR_OK);
    unsigned left = 1;
    struct probe probe = {.loop = loop, .left = &left};
    ln_timer_start(loop, &probe.timer, 20, on_fire, &probe);
    ln_loop_run(loop);
    assert_int_equal(probe.fired, 1);
    ln_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_while_nobody_looked_came_before_the_limit_was_over),
        cmocka_unit_test(timers_fire_once_in_order_and_never_early),
        cmocka_unit_test(a_stopped_timer_never_fires),
        cmocka_unit_test(restarting_moves_the_time),
        cmocka_unit_test(a_timer_may_stop_another_of_the_same_moment),
        cmocka_unit_test(a_zero_delay_lets_the_loop_breathe),
        cmocka_unit_test(a_running_timer_does_not_hold_the_loop_open),
        cmocka_unit_test(defers_run_before_the_loop_sleeps),
        cmocka_unit_test(every_call_of_every_thread_arrives_once),
        cmocka_unit_test(a_post_taken_back_is_not_called),
        cmocka_unit_test(work_runs_off_the_loop_and_is_waited_for),
        cmocka_unit_test(a_spinning_loop_serves_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
