/* SPDX-License-Identifier: MIT */
/*
 * The host's services behind one face. Sizes are checked here once, so that no caller multiplies
 * before it allocates; log lines are cleaned here, so that no outside byte can forge a second one.
 */
#include "base/host.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOG_LINE_MAX = 1024 };

static void *host_alloc(size_t size, void *context)
{
    (void)context;
    return malloc(size);
}

static void *host_realloc(void *p, size_t size, void *context)
{
    (void)context;
    return realloc(p, size);
}

static void host_free(void *p, void *context)
{
    (void)context;
    free(p);
}

void lb_host_init(struct lb_host *host)
{
    *host = (struct lb_host){
        .memory = {host_alloc, host_realloc, host_free, NULL},
        .log_level = LLMGR_LOG_INFO,
    };
}

void *lb_alloc(const struct lb_host *host, size_t size)
{
    return host->memory.alloc(size != 0 ? size : 1, host->memory.context);
}

void *lb_calloc(const struct lb_host *host, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    /* The system's fresh pages are zero: of a large table only what is used is ever touched. */
    if (host->memory.alloc == host_alloc)
        return calloc(1, total != 0 ? total : 1);
    void *p = lb_alloc(host, total);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

void *lb_realloc(const struct lb_host *host, void *p, size_t size)
{
    if (p == NULL)
        return lb_alloc(host, size);
    return host->memory.realloc(p, size != 0 ? size : 1, host->memory.context);
}

void *lb_realloc_array(const struct lb_host *host, void *p, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return lb_realloc(host, p, total);
}

void lb_free(const struct lb_host *host, void *p)
{
    if (p != NULL)
        host->memory.free(p, host->memory.context);
}

void lb_free_secret(const struct lb_host *host, void *p, size_t size)
{
    if (p != NULL)
        sodium_memzero(p, size);
    lb_free(host, p);
}

char *lb_strdup(const struct lb_host *host, const char *s)
{
    return lb_strndup(host, s, strlen(s));
}

char *lb_strndup(const struct lb_host *host, const char *s, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = lb_alloc(host, size + 1);
    if (copy != NULL) {
        if (size != 0)
            memcpy(copy, s, size);
        copy[size] = '\0';
    }
    return copy;
}

void *lb_memdup(const struct lb_host *host, const void *p, size_t size)
{
    void *copy = lb_alloc(host, size);
    if (copy != NULL && size != 0)
        memcpy(copy, p, size);
    return copy;
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;

    if (clock_gettime(id, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t lb_now_ms(const struct lb_host *host)
{
    if (host->clock != NULL)
        return host->clock(host->clock_context);
    return clock_ns(CLOCK_REALTIME) / 1000000;
}

int64_t lb_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t lb_monotonic_ms(void)
{
    return lb_monotonic_ns() / 1000000;
}

int64_t lb_thread_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t lb_monotonic_coarse_ms(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    return clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
#else
    return lb_monotonic_ms();
#endif
}

void lb_log(const struct lb_host *host, llmgr_log_level level, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;

    if (host->log == NULL || level > host->log_level)
        return;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size < 0)
        return;
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
    host->log(level, line, host->log_context);
}

void lb_give_memory_back(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
#endif
}
