/* SPDX-License-Identifier: MIT */
/*
 * A request's memory: allocations are bumps of a pointer, all freed at once, with a limit on the
 * total. A first block may be supplied (on the stack, or kept by a worker), so that an ordinary
 * request never reaches the allocator.
 */
#ifndef LB_ARENA_H
#define LB_ARENA_H

#include <stddef.h>

#include "base/host.h"
#include "base/str.h"

struct lb_arena_block;

struct lb_arena {
    const struct lb_host *host;
    struct lb_arena_block *blocks; /* newest first; not the supplied one */
    char *first;                   /* supplied block, or NULL */
    size_t first_size;
    char *at;     /* next free byte in the current block */
    char *end;    /* end of the current block */
    size_t used;  /* bytes taken from the host */
    size_t limit; /* `used` never exceeds this */
};

/* `first` (of first_size bytes, may be NULL/0) stays the caller's and must outlive the arena. */
void lb_arena_init(struct lb_arena *arena, const struct lb_host *host, void *first,
                   size_t first_size, size_t limit);
void lb_arena_reset(struct lb_arena *arena); /* everything allocated is gone; ready for reuse */
void lb_arena_free(struct lb_arena *arena);

/* Aligned for any object; NULL when memory is short or the limit is reached. Not zeroed. */
void *lb_arena_alloc(struct lb_arena *arena, size_t size);
void *lb_arena_calloc(struct lb_arena *arena, size_t count, size_t size);
/* Unaligned bytes, for strings. */
char *lb_arena_bytes(struct lb_arena *arena, size_t size);
char *lb_arena_strdup(struct lb_arena *arena, const char *s);
/* Copies and adds a NUL that is not counted; .p is NULL on failure. */
struct lb_str lb_arena_str(struct lb_arena *arena, struct lb_str s);
char *lb_arena_printf(struct lb_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
