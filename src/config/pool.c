/* SPDX-License-Identifier: MIT */
/* Blocks in a chain, bumped; each wiped whole when it goes. */
#include "config/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK_SIZE = 4096 };

struct lc_pool_block {
    struct lc_pool_block *next;
    size_t size; /* bytes behind the head */
    size_t used;
    alignas(max_align_t) char bytes[];
};

void lc_pool_init(struct lc_pool *pool, const struct lb_host *host, size_t limit)
{
    *pool = (struct lc_pool){.host = host, .limit = limit};
}

void lc_pool_free(struct lc_pool *pool)
{
    while (pool->blocks != NULL) {
        struct lc_pool_block *block = pool->blocks;
        pool->blocks = block->next;
        lb_free_secret(pool->host, block, sizeof *block + block->size);
    }
    pool->used = 0;
}

static struct lc_pool_block *add_block(struct lc_pool *pool, size_t needed)
{
    size_t size = needed > BLOCK_SIZE ? needed : BLOCK_SIZE;
    struct lc_pool_block *block = lb_calloc(pool->host, 1, sizeof *block + size);

    if (block == NULL)
        return NULL;
    block->size = size;
    block->next = pool->blocks;
    pool->blocks = block;
    return block;
}

static void *take(struct lc_pool *pool, size_t size, size_t align)
{
    struct lc_pool_block *block = pool->blocks;
    size_t at = block != NULL ? (block->used + align - 1) & ~(align - 1) : 0;

    if (size > pool->limit - pool->used)
        return NULL;
    if (block == NULL || at > block->size || size > block->size - at) {
        block = add_block(pool, size);
        at = 0;
    }
    if (block == NULL)
        return NULL;
    block->used = at + size;
    pool->used += size;
    return block->bytes + at;
}

void *lc_pool_alloc(struct lc_pool *pool, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return take(pool, total, alignof(max_align_t));
}

char *lc_pool_str(struct lc_pool *pool, struct lb_str s)
{
    char *copy = s.size < SIZE_MAX ? take(pool, s.size + 1, 1) : NULL;

    if (copy != NULL && s.size != 0)
        memcpy(copy, s.p, s.size);
    return copy; /* blocks are born zeroed: the NUL is there */
}
