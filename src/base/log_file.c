/* SPDX-License-Identifier: MIT */
/* One reader and one writer per ring; the thread owns the file. */
#include "base/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/magic.h"
#include "base/thread.h"
#include "base/ticker.h"

enum {
    NO_FILE = -1,
    UNCHANGED = -2,
    FILE_MODE = 0640,
    PIPE_PIECE = 4096, /* what a pipe that is ready takes without blocking (PIPE_BUF) */
};

struct ring {
    _Atomic size_t head; /* bytes ever put in; the worker's */
    _Atomic size_t tail; /* bytes ever taken out; the thread's */
    char *bytes;
};

enum { LOG_MAGIC = 0x6c676c6f };

struct lb_log_file {
    unsigned magic;
    const struct lb_host *host;
    atomic_bool on;
    atomic_int next_fd; /* a file to go on with, NO_FILE: with none, UNCHANGED: as before */
    struct lb_ticker ticker;
    int fd;       /* the thread's, as all below */
    bool is_pipe; /* or a terminal, a socket: it may block */
    bool failing; /* it was said that the file cannot be written */
    size_t torn;  /* ring whose line is half written; ring_count: none */
    size_t ring_count;
    struct ring rings[];
};

/* ---- Rings ----------------------------------------------------------------------------------- */

bool lb_log_file_is_on(const struct lb_log_file *log)
{
    return log != NULL && atomic_load_explicit(&log->on, memory_order_relaxed);
}

bool lb_log_file_add(struct lb_log_file *log, size_t worker, struct lb_str line)
{
    struct ring *ring = &log->rings[worker];
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    if (line.size > LB_LOG_RING - (head - tail))
        return false;
    size_t at = head % LB_LOG_RING;
    size_t first = line.size < LB_LOG_RING - at ? line.size : LB_LOG_RING - at;
    memcpy(ring->bytes + at, line.p, first);
    memcpy(ring->bytes, line.p + first, line.size - first);
    atomic_store_explicit(&ring->head, head + line.size, memory_order_release);
    return true;
}

/* What can be written at once: up to the ring's wrap. */
static struct lb_str front(const struct ring *ring, size_t *tail)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

    *tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t at = *tail % LB_LOG_RING;
    size_t size = head - *tail;
    return lb_str(ring->bytes + at, size < LB_LOG_RING - at ? size : LB_LOG_RING - at);
}

/* ---- The file -------------------------------------------------------------------------------- */

static bool is_off(const char *path)
{
    return path == NULL || strcmp(path, "off") == 0;
}

static llmgr_status open_file(const char *path, int *fd, struct llmgr_error *err)
{
    *fd = NO_FILE;
    if (is_off(path))
        return LLMGR_OK;
    if (strcmp(path, "-") == 0)
        *fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    else /* O_NONBLOCK: a FIFO without a reader is an error, not a wait */
        *fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                   FILE_MODE);
    return *fd >= 0 ? LLMGR_OK
                    : lb_fail(err, LLMGR_ERR_IO, N_("the access log '%s' cannot be opened: %s"),
                              path, strerror(errno));
}

static void close_file(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

static void tell(struct lb_log_file *log, bool fails)
{
    if (fails && !log->failing)
        lb_warn(log->host,
                "the access log cannot be written: %s; it is tried again, lines may be lost",
                strerror(errno));
    else if (!fails && log->failing)
        lb_warn(log->host, "the access log is written again");
    log->failing = fails;
}

/* Bytes that went; 0: none can go now. */
static size_t write_some(struct lb_log_file *log, struct lb_str bytes)
{
    struct pollfd ready = {.fd = log->fd, .events = POLLOUT};

    if (log->is_pipe) {
        if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
            return 0;
        bytes = lb_str_sub(bytes, 0, PIPE_PIECE);
    }
    ssize_t went = write(log->fd, bytes.p, bytes.size);
    if (went < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    tell(log, went < 0);
    return went > 0 ? (size_t)went : 0;
}

/* Everything of one ring; false if the file takes no more. */
static bool write_ring(struct lb_log_file *log, size_t index)
{
    struct ring *ring = &log->rings[index];
    size_t tail;

    for (;;) {
        struct lb_str bytes = front(ring, &tail);
        if (bytes.size == 0)
            return true;
        size_t went = write_some(log, bytes);
        if (went > 0)
            log->torn = bytes.p[went - 1] == '\n' ? log->ring_count : index;
        atomic_store_explicit(&ring->tail, tail + went, memory_order_release);
        if (went == 0)
            return false;
    }
}

/* A line whose beginning is in the file that was left: the rest of it is nothing for the next. */
static void drop_torn(struct lb_log_file *log)
{
    size_t tail;

    while (log->torn < log->ring_count) {
        struct ring *ring = &log->rings[log->torn];
        struct lb_str bytes = front(ring, &tail);
        size_t size = lb_str_find(bytes, '\n');
        if (size < bytes.size || bytes.size == 0) {
            log->torn = log->ring_count;
            size += bytes.size > 0;
        }
        atomic_store_explicit(&ring->tail, tail + size, memory_order_release);
    }
}

static void take_next_file(struct lb_log_file *log)
{
    struct stat stat;
    int next_fd = atomic_exchange(&log->next_fd, UNCHANGED);

    if (next_fd == UNCHANGED)
        return;
    close_file(log->fd);
    drop_torn(log);
    log->fd = next_fd;
    log->failing = false;
    log->is_pipe = next_fd >= 0 && fstat(next_fd, &stat) == 0 && !S_ISREG(stat.st_mode);
}

/* True: nothing is left. */
static bool write_all(struct lb_log_file *log)
{
    take_next_file(log);
    if (log->fd < 0) {
        for (size_t i = 0; i < log->ring_count; i++)
            atomic_store(&log->rings[i].tail, atomic_load(&log->rings[i].head));
        return true;
    }
    if (log->torn < log->ring_count && !write_ring(log, log->torn))
        return false;
    for (size_t i = 0; i < log->ring_count; i++) {
        if (!write_ring(log, i))
            return false;
    }
    return true;
}

static void begin_writing(void *context)
{
    (void)context;
    lb_thread_background();
}

static void write_waiting(void *context)
{
    (void)write_all(LB_CAST(struct lb_log_file, context, LOG_MAGIC));
}

static void write_the_rest(void *context)
{
    struct lb_log_file *log = LB_CAST(struct lb_log_file, context, LOG_MAGIC);
    const struct timespec pause = {.tv_nsec = 10 * 1000000L};
    int64_t end = lb_monotonic_ms() + LB_LOG_CLOSE_MS;

    while (!write_all(log) && lb_monotonic_ms() < end)
        (void)nanosleep(&pause, NULL);
}

static const struct lb_ticker_face WRITING = {
    .begin = begin_writing, .tick = write_waiting, .end = write_the_rest};

/* ---- Life ------------------------------------------------------------------------------------ */

llmgr_status lb_log_file_reopen(struct lb_log_file *log, const char *path, struct llmgr_error *err)
{
    int fd;

    llmgr_status status = open_file(path, &fd, err);
    if (status != LLMGR_OK)
        return status;
    int overtaken = atomic_exchange(&log->next_fd, fd);
    close_file(overtaken);
    atomic_store(&log->on, fd >= 0);
    return LLMGR_OK;
}

static void free_log(struct lb_log_file *log)
{
    lb_ticker_end(&log->ticker);
    for (size_t i = 0; i < log->ring_count; i++)
        lb_free(log->host, log->rings[i].bytes);
    close_file(log->fd);
    close_file(atomic_load(&log->next_fd));
    log->magic = 0;
    lb_free(log->host, log);
}

static struct lb_log_file *make_log(const struct lb_host *host, size_t workers)
{
    struct lb_log_file *log = lb_calloc(host, 1, sizeof *log + workers * sizeof log->rings[0]);
    bool whole = true;

    if (log == NULL)
        return NULL;
    log->magic = LOG_MAGIC;
    log->host = host;
    log->fd = NO_FILE;
    log->torn = log->ring_count = workers;
    atomic_store(&log->next_fd, UNCHANGED);
    lb_ticker_init(&log->ticker, &WRITING, LB_LOG_MS, log);
    for (size_t i = 0; i < workers; i++) {
        log->rings[i].bytes = lb_alloc(host, LB_LOG_RING); /* no memory until it is written to */
        whole = whole && log->rings[i].bytes != NULL;
    }
    if (whole)
        return log;
    free_log(log);
    return NULL;
}

llmgr_status lb_log_file_new(const struct lb_host *host, size_t workers, const char *path,
                             struct lb_log_file **out, struct llmgr_error *err)
{
    struct lb_log_file *log = make_log(host, workers);

    if (log == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lb_log_file_reopen(log, path, err);
    if (status == LLMGR_OK)
        status = lb_ticker_start(&log->ticker, err);
    if (status != LLMGR_OK) {
        free_log(log);
        return status;
    }
    *out = log;
    return LLMGR_OK;
}

void lb_log_file_free(struct lb_log_file *log)
{
    if (log != NULL)
        free_log(log);
}
