/* SPDX-License-Identifier: MIT */
/*
 * A pointer that bumps through blocks. Blocks double so that a large request takes few of them;
 * an allocation that fits no ordinary block gets one of its own size.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Small at first: what a slow stream takes beyond its first bytes is held for as long as it lasts.
 */
enum { BLOCK_MIN = 1024, BLOCK_MAX = 65536 };

struct lb_arena_block {
    struct lb_arena_block *older;
    size_t size; /* whole block, header included */
    alignas(max_align_t) char bytes[];
};

static void rewind_to_first(struct lb_arena *arena)
{
    arena->blocks = NULL;
    arena->used = 0;
    arena->at = arena->first;
    arena->end = arena->first != NULL ? arena->first + arena->first_size : NULL;
}

void lb_arena_init(struct lb_arena *arena, const struct lb_host *host, void *first,
                   size_t first_size, size_t limit)
{
    *arena = (struct lb_arena){
        .host = host,
        .first = first,
        .first_size = first != NULL ? first_size : 0,
        .limit = limit,
    };
    rewind_to_first(arena);
}

void lb_arena_reset(struct lb_arena *arena)
{
    struct lb_arena_block *block = arena->blocks;

    while (block != NULL) {
        struct lb_arena_block *older = block->older;
        lb_free(arena->host, block);
        block = older;
    }
    rewind_to_first(arena);
}

void lb_arena_free(struct lb_arena *arena)
{
    lb_arena_reset(arena);
}

static bool add_block(struct lb_arena *arena, size_t size)
{
    size_t wanted = arena->blocks != NULL ? arena->blocks->size * 2 : BLOCK_MIN;
    size_t total;

    if (wanted > BLOCK_MAX)
        wanted = BLOCK_MAX;
    if (__builtin_add_overflow(size, sizeof(struct lb_arena_block) + alignof(max_align_t), &total))
        return false;
    size_t left = arena->limit - arena->used;
    if (total < wanted)
        total = wanted <= left ? wanted : (total <= left ? left : total);
    if (total > left)
        return false;
    struct lb_arena_block *block = lb_alloc(arena->host, total);
    if (block == NULL)
        return false;
    block->older = arena->blocks;
    block->size = total;
    arena->blocks = block;
    arena->used += total;
    arena->at = block->bytes;
    arena->end = (char *)block + total;
    return true;
}

static void *take(struct lb_arena *arena, size_t size, size_t align)
{
    for (int turn = 0; turn < 2; turn++) {
        size_t skip = (align - (uintptr_t)arena->at % align) % align;
        size_t room = arena->at != NULL ? (size_t)(arena->end - arena->at) : 0;
        if (arena->at != NULL && skip <= room && size <= room - skip) {
            char *p = arena->at + skip;
            arena->at = p + size;
            return p;
        }
        if (turn == 1 || !add_block(arena, size))
            return NULL;
    }
    return NULL;
}

void *lb_arena_alloc(struct lb_arena *arena, size_t size)
{
    return take(arena, size, alignof(max_align_t));
}

void *lb_arena_calloc(struct lb_arena *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *p = lb_arena_alloc(arena, total);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

char *lb_arena_bytes(struct lb_arena *arena, size_t size)
{
    return take(arena, size, 1);
}

struct lb_str lb_arena_str(struct lb_arena *arena, struct lb_str s)
{
    char *p = s.size < SIZE_MAX ? lb_arena_bytes(arena, s.size + 1) : NULL;

    if (p == NULL)
        return lb_str(NULL, 0);
    if (s.size != 0)
        memcpy(p, s.p, s.size);
    p[s.size] = '\0';
    return lb_str(p, s.size);
}

char *lb_arena_strdup(struct lb_arena *arena, const char *s)
{
    struct lb_str copy = lb_arena_str(arena, lb_cstr(s));
    return copy.p != NULL ? (char *)(uintptr_t)copy.p : NULL;
}

char *lb_arena_printf(struct lb_arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = size >= 0 ? lb_arena_bytes(arena, (size_t)size + 1) : NULL;
    if (p == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(p, (size_t)size + 1, format, args);
    va_end(args);
    return p;
}
