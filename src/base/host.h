/* SPDX-License-Identifier: MIT */
/*
 * What the host gave us: memory, a log sink, a clock. One struct lb_host is made when a handle is
 * opened and handed down to everything that allocates, logs or asks for the time; there is no
 * global one.
 */
#ifndef LB_HOST_H
#define LB_HOST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "llmgr.h"

struct lb_host {
    struct llmgr_allocator memory;
    llmgr_log_fn log; /* NULL: nothing is logged */
    void *log_context;
    llmgr_log_level log_level; /* events above this level are not formatted at all */
    llmgr_clock_fn clock;      /* NULL: the system's clock */
    void *clock_context;
};

/* Fills `host` with the C library's allocator, no log sink and the system's clock. */
void lb_host_init(struct lb_host *host);

/* Memory. Sizes are in bytes; all return NULL when memory is short or the size overflows. */
void *lb_alloc(const struct lb_host *host, size_t size);
void *lb_calloc(const struct lb_host *host, size_t count, size_t size); /* zeroed */
void *lb_realloc(const struct lb_host *host, void *p, size_t size);
void *lb_realloc_array(const struct lb_host *host, void *p, size_t count, size_t size);
void lb_free(const struct lb_host *host, void *p); /* NULL is fine */
char *lb_strdup(const struct lb_host *host, const char *s);
char *lb_strndup(const struct lb_host *host, const char *s, size_t size); /* adds the NUL */
void *lb_memdup(const struct lb_host *host, const void *p, size_t size);
/* For passwords, keys and their like: wiped before it is freed. */
void lb_free_secret(const struct lb_host *host, void *p, size_t size);

/* Wall clock, ms since 1970 (the host's clock if it gave one). */
int64_t lb_now_ms(const struct lb_host *host);
/* Monotonic clock, for durations and deadlines; never the host's. */
int64_t lb_monotonic_ms(void);
int64_t lb_monotonic_ns(void);
/* Processor time that the calling thread has used. */
int64_t lb_thread_ns(void);
/* The monotonic clock read cheaply (5 ns), exact to some 10 ms, possibly behind lb_monotonic_ms. */
int64_t lb_monotonic_coarse_ms(void);

/* Logs one line; control characters are replaced, the line is cut at 1 KiB. Never pass a secret. */
void lb_log(const struct lb_host *host, llmgr_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define lb_error(host, ...) lb_log((host), LLMGR_LOG_ERROR, __VA_ARGS__)
#define lb_warn(host, ...) lb_log((host), LLMGR_LOG_WARN, __VA_ARGS__)
#define lb_info(host, ...) lb_log((host), LLMGR_LOG_INFO, __VA_ARGS__)
#define lb_debug(host, ...) lb_log((host), LLMGR_LOG_DEBUG, __VA_ARGS__)

/*
 * For a program that holds large blocks now and then: they go back to the system when they are
 * freed. By itself glibc would take the first of them for a sign that more will come, and keep up
 * to 64 MiB per thread. Elsewhere nothing happens.
 */
void lb_give_memory_back(void);

#endif
