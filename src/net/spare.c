/* SPDX-License-Identifier: MIT */
/*
 * What libuv ends the process for, asked for beforehand. Version 1.44 aborts if the first loop
 * finds no two descriptors for a pipe of its own, if the threads that look up names and do work
 * cannot be started, and if its table of watched descriptors cannot grow. A library must not take
 * its host along: before libuv does so for the first time on a loop, we take as much and give it
 * back, and fail with words if that fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "net/loop_int.h"

enum {
    LIBUV_THREADS = 4, /* unless the host sets UV_THREADPOOL_SIZE */
    WATCHED = 1000,    /* descriptors below it are watched without a new table */
};

int ln_spare_descriptors(void)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) != 0)
        return uv_translate_sys_error(errno);
    close(pair[0]);
    close(pair[1]);
    return pair[0] > pair[1] ? pair[0] : pair[1];
}

static void pass_gate(void *context)
{
    uv_mutex_lock(context);
    uv_mutex_unlock(context);
}

/* All are there at once before the first may end. */
static int start_and_join(uv_mutex_t *gate)
{
    uv_thread_t threads[LIBUV_THREADS];
    int count = 0;
    int rc = 0;

    uv_mutex_lock(gate);
    while (rc == 0 && count < LIBUV_THREADS) {
        rc = uv_thread_create(&threads[count], pass_gate, gate);
        count += rc == 0;
    }
    uv_mutex_unlock(gate);
    while (count > 0)
        (void)uv_thread_join(&threads[--count]);
    return rc;
}

int ln_spare_threads(struct ln_loop *loop)
{
    uv_mutex_t gate;

    if (loop->threads_spare)
        return 0;
    int rc = uv_mutex_init(&gate);
    if (rc != 0)
        return rc;
    rc = start_and_join(&gate);
    uv_mutex_destroy(&gate);
    loop->threads_spare = rc == 0;
    return rc;
}

/* A copy of `fd` as high as the process may have one, up to WATCHED; -1: there is none. */
static int high_copy(int fd)
{
    int high = -1;

    for (int least = WATCHED; high < 0 && least > fd; least /= 2)
        high = fcntl(fd, F_DUPFD_CLOEXEC, least);
    return high;
}

/* Pointers in the table that libuv makes for `fd`: two more than descriptors, a power of two. */
static size_t table_for(int fd)
{
    size_t width = 1024;

    while (width < (size_t)fd + 3)
        width *= 2;
    return width;
}

int ln_spare_table(const struct ln_loop *loop, int fd)
{
    if ((unsigned)fd < loop->uv.nwatchers)
        return 0;
    /* The new table, and the one half as wide that it is copied from. */
    void *room = lb_alloc(loop->host, table_for(fd) * sizeof(void *) / 2 * 3);
    lb_free(loop->host, room);
    return room != NULL ? 0 : UV_ENOMEM;
}

/*
 * Watching one high descriptor makes the table wide enough for those below: it grows while the
 * loop is made, behind ln_spare_table, and not when a connection comes.
 */
int ln_spare_watchers(struct ln_loop *loop)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) != 0)
        return uv_translate_sys_error(errno);
    int high = high_copy(pair[0]);
    if (high >= 0 && uv_poll_init(&loop->uv, &loop->widest, high) == 0) {
        (void)uv_poll_start(&loop->widest, UV_READABLE, NULL);
        (void)uv_poll_stop(&loop->widest);
        uv_close((uv_handle_t *)&loop->widest, NULL);
        (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    if (high >= 0)
        close(high);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
