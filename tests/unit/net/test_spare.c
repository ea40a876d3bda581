/* SPDX-License-Identifier: MIT */
/* Where libuv would end the process, we fail with words before it gets there. */
#include "../unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "../fault.h"
#include "base/host.h"
#include "net/conn_int.h"
#include "net/loop_int.h"
#include "net/resolve.h"

FAULT(int, pipe2, -1, (int pair[2], int flags), (pair, flags))
FAULT(int, uv_thread_create, fault.error, (uv_thread_t * thread, uv_thread_cb entry, void *arg),
      (thread, entry, arg))

static struct lb_host host;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    return 0;
}

static void no_loop_is_begun_without_descriptors_for_it(void **state)
{
    (void)state;
    struct ln_loop *loop = NULL;
    struct llmgr_error err = {0};

    for (long nth = 0; nth < 2; nth++) {
        fault_arm("pipe2", nth, EMFILE);
        assert_int_equal(ln_loop_new(&host, NULL, &loop, &err), LLMGR_ERR_IO);
        assert_true(fault_disarm());
        assert_null(loop);
        assert_non_null(strstr(err.message, "too many open files"));
    }
    assert_int_equal(ln_loop_new(&host, NULL, &loop, &err), LLMGR_OK);
    ln_loop_free(loop);
}

/* libuv's table of descriptors: when it would have to grow under way, there may be no memory. */
static void a_loop_watches_many_descriptors_without_a_new_table(void **state)
{
    (void)state;
    struct ln_loop *loop = NULL;
    struct rlimit before, low;

    assert_int_equal(ln_loop_new(&host, NULL, &loop, NULL), LLMGR_OK);
    assert_true(loop->uv.nwatchers > 1000);
    ln_loop_free(loop);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){600, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(ln_loop_new(&host, NULL, &loop, NULL), LLMGR_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(loop->uv.nwatchers > 500);
    ln_loop_free(loop);
}

static void *all_but_a_table(size_t size, void *context)
{
    (void)context;
    return size == 12 * 1024 ? NULL : malloc(size);
}

static void no_loop_is_begun_without_memory_for_its_table(void **state)
{
    (void)state;
    struct lb_host poor = host;
    struct ln_loop *loop = NULL;
    struct llmgr_error err = {0};

    poor.memory.alloc = all_but_a_table;
    assert_int_equal(ln_loop_new(&poor, NULL, &loop, &err), LLMGR_ERR_NO_MEMORY);
    assert_null(loop);
}

static void *all_but_the_next_table(size_t size, void *context)
{
    (void)context;
    return size == 24 * 1024 ? NULL : malloc(size);
}

/* A socket whose number lies beyond what a new loop's table holds. */
static int high_socket(void)
{
    int low = socket(AF_UNIX, SOCK_STREAM, 0);
    int high = fcntl(low, F_DUPFD_CLOEXEC, 1100);

    assert_true(high >= 1100);
    close(low);
    return high;
}

static void a_connection_beyond_the_table_is_refused_without_memory_for_a_wider_one(void **state)
{
    (void)state;
    struct lb_host poor = host;
    struct ln_loop *loop = NULL;
    struct ln_conn *conn = NULL;
    struct llmgr_error err = {0};
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur <= 1100)
        limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    poor.memory.alloc = all_but_the_next_table;
    assert_int_equal(ln_loop_new(&poor, NULL, &loop, NULL), LLMGR_OK);
    int fd = high_socket();
    assert_int_equal(ln_conn_adopt(loop, fd, &conn, &err), LLMGR_ERR_NO_MEMORY);
    assert_null(conn);
    close(fd);
    ln_loop_free(loop);
}

static void never_resolved(void *context, const struct sockaddr_storage *addrs, size_t count,
                           const char *why)
{
    (void)context, (void)addrs, (void)count, (void)why;
    fail_msg("an answer to a question that was not taken");
}

static void no_name_is_looked_up_without_threads_for_it(void **state)
{
    (void)state;
    struct ln_loop *loop = NULL;
    struct llmgr_error err = {0};

    assert_int_equal(ln_loop_new(&host, NULL, &loop, &err), LLMGR_OK);
    for (long nth = 0; nth < 4; nth++) {
        struct ln_answer *answer = NULL;
        fault_arm("uv_thread_create", nth, UV_EAGAIN);
        assert_int_equal(
            ln_resolve(loop, NULL, "localhost", true, never_resolved, NULL, &answer, &err),
            LLMGR_ERR_UNREACHABLE);
        assert_true(fault_disarm());
        assert_null(answer);
    }
    ln_loop_free(loop);
}

static void do_nothing(void *context)
{
    (void)context;
}

static void end_work(void *context, llmgr_status status)
{
    *(llmgr_status *)context = status;
}

static void no_work_is_taken_without_threads_for_it(void **state)
{
    (void)state;
    struct ln_loop *loop = NULL;
    struct llmgr_error err = {0};
    llmgr_status ended = LLMGR_ERR_INTERNAL;
    struct ln_work work = {.work = do_nothing, .done = end_work, .context = &ended};

    assert_int_equal(ln_loop_new(&host, NULL, &loop, &err), LLMGR_OK);
    fault_arm("uv_thread_create", 0, UV_EAGAIN);
    assert_int_equal(ln_loop_work(loop, &work, &err), LLMGR_ERR_INTERNAL);
    assert_true(fault_disarm());
    work.context = &ended;
    assert_int_equal(ln_loop_work(loop, &work, &err), LLMGR_OK);
    while (ended == LLMGR_ERR_INTERNAL)
        ln_loop_turn(loop, true);
    assert_int_equal(ended, LLMGR_OK);
    ln_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_loop_is_begun_without_descriptors_for_it, setup),
        cmocka_unit_test_setup(a_loop_watches_many_descriptors_without_a_new_table, setup),
        cmocka_unit_test_setup(no_loop_is_begun_without_memory_for_its_table, setup),
        cmocka_unit_test_setup(
            a_connection_beyond_the_table_is_refused_without_memory_for_a_wider_one, setup),
        cmocka_unit_test_setup(no_name_is_looked_up_without_threads_for_it, setup),
        cmocka_unit_test_setup(no_work_is_taken_without_threads_for_it, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
