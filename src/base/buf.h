/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer with a ceiling given at birth. The first failure (memory or ceiling)
 * sticks: later appends do nothing, and the one check at the end tells. The bytes are always
 * followed by a NUL that is not counted, so data can be used as a C string.
 */
#ifndef LB_BUF_H
#define LB_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/host.h"
#include "base/str.h"

struct lb_buf {
    const struct lb_host *host;
    char *data;          /* NULL until the first byte */
    size_t size;         /* bytes in use, without the NUL */
    size_t capacity;     /* bytes allocated */
    size_t limit;        /* size never exceeds this */
    llmgr_status failed; /* LLMGR_OK, ERR_NO_MEMORY or ERR_TOO_LARGE; sticks until reset */
    bool secret;         /* wiped when grown, reset or freed */
};

void lb_buf_init(struct lb_buf *buf, const struct lb_host *host, size_t limit);
/* As lb_buf_init; every byte that leaves the buffer's memory is wiped first. */
void lb_buf_init_secret(struct lb_buf *buf, const struct lb_host *host, size_t limit);
void lb_buf_free(struct lb_buf *buf);  /* may be initialised anew afterwards */
void lb_buf_reset(struct lb_buf *buf); /* empties, keeps the memory, forgets a failure */

void lb_buf_add_u64(struct lb_buf *buf, uint64_t value); /* decimal */
void lb_buf_addf(struct lb_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lb_buf_addv(struct lb_buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/*
 * The capacity that room for `size` more bytes takes, those beyond the ceiling left out: the double
 * of what it had, and never more than the ceiling needs.
 */
size_t lb_buf_capacity_for(const struct lb_buf *buf, size_t size);
/* Private to lb_buf_reserve: no room, or a failure that sticks. */
char *lb_buf_make_room(struct lb_buf *buf, size_t size);

/* Makes room for `size` more bytes and returns where they go, or NULL; commit with lb_buf_grow. */
static inline char *lb_buf_reserve(struct lb_buf *buf, size_t size)
{
    /* capacity 0 has no room for the NUL, so this never meets data that is NULL */
    if (buf->failed == LLMGR_OK && buf->size < buf->capacity && size < buf->capacity - buf->size &&
        size <= buf->limit - buf->size)
        return buf->data + buf->size;
    return lb_buf_make_room(buf, size);
}

static inline void lb_buf_grow(struct lb_buf *buf, size_t size) /* written at the reserve */
{
    buf->size += size;
    buf->data[buf->size] = '\0';
}

static inline void lb_buf_add(struct lb_buf *buf, const void *bytes, size_t size)
{
    char *at = lb_buf_reserve(buf, size);
    if (at == NULL)
        return;
    if (size != 0)
        memcpy(at, bytes, size);
    lb_buf_grow(buf, size);
}

static inline void lb_buf_add_str(struct lb_buf *buf, struct lb_str s)
{
    lb_buf_add(buf, s.p, s.size);
}

static inline void lb_buf_add_c(struct lb_buf *buf, const char *s)
{
    lb_buf_add(buf, s, strlen(s));
}

static inline void lb_buf_add_byte(struct lb_buf *buf, char c)
{
    lb_buf_add(buf, &c, 1);
}

/* Drops the first `size` bytes. */
void lb_buf_shift(struct lb_buf *buf, size_t size);
void lb_buf_cut(struct lb_buf *buf, size_t size); /* keeps the first `size` bytes */

static inline struct lb_str lb_buf_str(const struct lb_buf *buf)
{
    return (struct lb_str){buf->data, buf->size};
}
/* The bytes as a C string, "" if there are none. Borrowed. */
const char *lb_buf_c(const struct lb_buf *buf);
/* Hands the memory over (caller frees with lb_free); NULL if the buffer failed. Empties buf. */
char *lb_buf_take(struct lb_buf *buf);

#endif
