/* SPDX-License-Identifier: MIT */
/*
 * The write queue of a connection: what the kernel did not take, copied into a chain of chunks. An
 * idle connection has none. Chunks are wiped before they are freed, because a queued request head
 * carries an API key.
 */
#include "net/conn_int.h"

#include <sodium.h>

enum {
    CHUNK_MIN = 8 * 1024,
    CHUNK_MAX = 256 * 1024,
};

static struct ln_chunk *add_chunk(struct ln_queue *queue, const struct lb_host *host, size_t wish)
{
    size_t capacity = wish < CHUNK_MIN ? CHUNK_MIN : wish > CHUNK_MAX ? CHUNK_MAX : wish;
    struct ln_chunk *chunk = lb_alloc(host, sizeof(*chunk) + capacity);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct ln_chunk){.capacity = (uint32_t)capacity};
    if (queue->last != NULL)
        queue->last->next = chunk;
    else
        queue->first = chunk;
    queue->last = chunk;
    return chunk;
}

bool ln_queue_append(struct ln_queue *queue, const struct lb_host *host,
                     const struct lb_str *slices, size_t count, size_t skip)
{
    for (size_t i = 0; i < count; i++) {
        struct lb_str rest = lb_str_sub(slices[i], skip, slices[i].size);
        skip -= slices[i].size - rest.size;
        while (rest.size > 0) {
            struct ln_chunk *chunk = queue->last;
            if (chunk == NULL || chunk->to == chunk->capacity)
                chunk = add_chunk(queue, host, rest.size);
            if (chunk == NULL)
                return false;
            size_t room = chunk->capacity - chunk->to;
            size_t size = rest.size < room ? rest.size : room;
            memcpy(chunk->data + chunk->to, rest.p, size);
            chunk->to += (uint32_t)size;
            queue->size += size;
            rest = lb_str_sub(rest, size, rest.size);
        }
    }
    return true;
}

size_t ln_queue_slices(const struct ln_queue *queue, struct lb_str *slices, size_t max)
{
    size_t count = 0;
    for (struct ln_chunk *at = queue->first; at != NULL && count < max; at = at->next)
        slices[count++] = lb_str(at->data + at->from, at->to - at->from);
    return count;
}

static void free_first(struct ln_queue *queue, const struct lb_host *host)
{
    struct ln_chunk *chunk = queue->first;
    queue->first = chunk->next;
    if (queue->first == NULL)
        queue->last = NULL;
    sodium_memzero(chunk->data, chunk->to);
    lb_free(host, chunk);
}

void ln_queue_drop(struct ln_queue *queue, const struct lb_host *host, size_t size)
{
    queue->size -= size;
    while (size > 0) {
        struct ln_chunk *chunk = queue->first;
        size_t here = chunk->to - chunk->from;
        if (size < here) {
            chunk->from += (uint32_t)size;
            return;
        }
        size -= here;
        free_first(queue, host);
    }
}

void ln_queue_clear(struct ln_queue *queue, const struct lb_host *host)
{
    while (queue->first != NULL)
        free_first(queue, host);
    queue->size = 0;
}
