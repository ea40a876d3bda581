/* SPDX-License-Identifier: MIT */
/*
 * Growth by doubling up to the ceiling. Everything that writes goes through lb_buf_reserve, so
 * there is one place that checks the limit and one that allocates.
 */
#include "base/buf.h"

#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void lb_buf_init(struct lb_buf *buf, const struct lb_host *host, size_t limit)
{
    *buf = (struct lb_buf){
        .host = host,
        .limit = limit < SIZE_MAX / 4 ? limit : SIZE_MAX / 4,
    };
}

void lb_buf_init_secret(struct lb_buf *buf, const struct lb_host *host, size_t limit)
{
    lb_buf_init(buf, host, limit);
    buf->secret = true;
}

static void release(struct lb_buf *buf, char *data, size_t capacity)
{
    if (buf->secret)
        lb_free_secret(buf->host, data, capacity);
    else
        lb_free(buf->host, data);
}

void lb_buf_free(struct lb_buf *buf)
{
    if (buf->data != NULL)
        release(buf, buf->data, buf->capacity);
    buf->data = NULL;
    buf->size = 0;
    buf->capacity = 0;
    buf->failed = LLMGR_OK;
}

void lb_buf_reset(struct lb_buf *buf)
{
    if (buf->secret && buf->data != NULL)
        sodium_memzero(buf->data, buf->capacity);
    buf->size = 0;
    buf->failed = LLMGR_OK;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/* A secret buffer never reallocs: the old bytes would stay behind in freed memory. */
static char *move_to(struct lb_buf *buf, size_t capacity)
{
    if (!buf->secret)
        return lb_realloc(buf->host, buf->data, capacity);
    char *data = lb_alloc(buf->host, capacity);
    if (data != NULL && buf->data != NULL) {
        memcpy(data, buf->data, buf->size + 1);
        release(buf, buf->data, buf->capacity);
    }
    return data;
}

size_t lb_buf_capacity_for(const struct lb_buf *buf, size_t size)
{
    size_t most = buf->limit + 1;
    size_t needed = size < most - buf->size ? buf->size + size + 1 : most;
    size_t capacity = buf->capacity;

    if (needed <= capacity)
        return capacity;
    if (needed == most)
        return most;
    if (capacity == 0)
        capacity = FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    return capacity < most ? capacity : most;
}

char *lb_buf_make_room(struct lb_buf *buf, size_t size)
{
    if (buf->failed != LLMGR_OK)
        return NULL;
    if (size > buf->limit - buf->size) {
        buf->failed = LLMGR_ERR_TOO_LARGE;
        return NULL;
    }
    size_t capacity = lb_buf_capacity_for(buf, size);
    if (capacity > buf->capacity) {
        char *data = move_to(buf, capacity);
        if (data == NULL) {
            buf->failed = LLMGR_ERR_NO_MEMORY;
            return NULL;
        }
        buf->data = data;
        buf->capacity = capacity;
        buf->data[buf->size] = '\0';
    }
    return buf->data + buf->size;
}

void lb_buf_add_u64(struct lb_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    lb_buf_add(buf, digits + at, sizeof digits - at);
}

void lb_buf_addv(struct lb_buf *buf, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    char *at = size >= 0 ? lb_buf_reserve(buf, (size_t)size) : NULL;
    if (at != NULL) {
        vsnprintf(at, (size_t)size + 1, format, again);
        lb_buf_grow(buf, (size_t)size);
    }
    va_end(again);
}

void lb_buf_addf(struct lb_buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    lb_buf_addv(buf, format, args);
    va_end(args);
}

void lb_buf_shift(struct lb_buf *buf, size_t size)
{
    if (size >= buf->size) {
        size = buf->size;
    }
    if (size == 0)
        return;
    memmove(buf->data, buf->data + size, buf->size - size + 1);
    if (buf->secret)
        sodium_memzero(buf->data + (buf->size - size) + 1, size);
    buf->size -= size;
}

void lb_buf_cut(struct lb_buf *buf, size_t size)
{
    if (size >= buf->size)
        return;
    if (buf->secret)
        sodium_memzero(buf->data + size, buf->size - size);
    buf->size = size;
    buf->data[size] = '\0';
}

const char *lb_buf_c(const struct lb_buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}

char *lb_buf_take(struct lb_buf *buf)
{
    if (buf->failed != LLMGR_OK || lb_buf_reserve(buf, 0) == NULL)
        return NULL;
    char *data = buf->data;
    buf->data = NULL;
    buf->size = 0;
    buf->capacity = 0;
    return data;
}
