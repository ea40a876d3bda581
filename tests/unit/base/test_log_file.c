/* SPDX-License-Identifier: MIT */
/* Lines of many workers in one file: whole, in their order, and none waited for. */
#include "base/log_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"

enum { WORKERS = 4, LINES = 20000 };

static struct lb_host host;
static char folder[] = "/tmp/llmgr-log-XXXXXX";
static char path[64], other[64];

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(other);
    return rmdir(folder);
}

struct worker {
    struct lb_log_file *log;
    size_t index;
    unsigned lost;
};

static void *work(void *context)
{
    struct worker *worker = context;
    char line[64];

    for (unsigned i = 0; i < LINES; i++) {
        int size = snprintf(line, sizeof line, "%zu %u of a worker's lines\n", worker->index, i);
        worker->lost += !lb_log_file_add(worker->log, worker->index, lb_str(line, (size_t)size));
    }
    return NULL;
}

/* Reads whole lines, each worker's in order; returns how many. */
static unsigned read_lines(const char *name, unsigned next[WORKERS])
{
    FILE *file = fopen(name, "r");
    unsigned count = 0, worker, number;
    char line[64], end[32];

    if (file == NULL)
        return 0;
    for (; fgets(line, sizeof line, file) != NULL; count++) {
        if (sscanf(line, "%u %u of a worker'%30s", &worker, &number, end) != 3 ||
            strcmp(end, "s") != 0 || worker >= WORKERS || number < next[worker])
            fail_msg("after %u lines: %s", count, line);
        next[worker] = number + 1;
    }
    fclose(file);
    return count;
}

static void lines_are_whole_and_in_order_whatever_happens_to_the_file(void **state)
{
    struct lb_log_file *log;
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    unsigned lost = 0, next[WORKERS] = {0};

    (void)state;
    assert_int_equal(lb_log_file_new(&host, WORKERS, path, &log, NULL), LLMGR_OK);
    assert_true(lb_log_file_is_on(log));
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.log = log, .index = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(lb_log_file_reopen(log, i % 2 == 0 ? other : path, NULL), LLMGR_OK);
        (void)usleep(1000);
    }
    assert_int_equal(lb_log_file_reopen(log, other, NULL), LLMGR_OK);
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        lost += workers[i].lost;
    }
    lb_log_file_free(log);
    unsigned first = read_lines(path, next);
    memset(next, 0, sizeof next);
    assert_int_equal(first + read_lines(other, next) + lost, WORKERS * LINES);
}

static void what_finds_no_room_is_lost_and_nothing_else(void **state)
{
    static char line[1000];
    struct lb_log_file *log;
    struct llmgr_error err = {0};
    unsigned kept = 0;

    (void)state;
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    assert_int_equal(lb_log_file_new(&host, 1, "/dev/full", &log, NULL), LLMGR_OK);
    while (lb_log_file_add(log, 0, lb_str(line, sizeof line)))
        kept++;
    assert_int_equal(kept, LB_LOG_RING / sizeof line);
    assert_int_equal(lb_log_file_reopen(log, "/no/where", &err), LLMGR_ERR_IO);
    assert_non_null(strstr(err.message, "/no/where"));
    (void)unlink(path);
    assert_int_equal(lb_log_file_reopen(log, path, NULL), LLMGR_OK);
    lb_log_file_free(log);
    int fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)(kept * sizeof line));
    close(fd);
}

static void what_is_off_takes_nothing(void **state)
{
    struct lb_log_file *log;

    (void)state;
    assert_false(lb_log_file_is_on(NULL));
    assert_int_equal(lb_log_file_new(&host, 1, "off", &log, NULL), LLMGR_OK);
    assert_false(lb_log_file_is_on(log));
    assert_int_equal(lb_log_file_reopen(log, path, NULL), LLMGR_OK);
    assert_true(lb_log_file_is_on(log));
    assert_int_equal(lb_log_file_reopen(log, NULL, NULL), LLMGR_OK);
    assert_false(lb_log_file_is_on(log));
    lb_log_file_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_whole_and_in_order_whatever_happens_to_the_file),
        cmocka_unit_test(what_finds_no_room_is_lost_and_nothing_else),
        cmocka_unit_test(what_is_off_takes_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
