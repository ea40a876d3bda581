/* SPDX-License-Identifier: MIT */
/*
 * Where configuration texts live: like an arena, but wiped before it is freed, because a file may
 * hold keys and a URL a password. Nothing is freed singly.
 */
#ifndef LC_POOL_H
#define LC_POOL_H

#include <stddef.h>

#include "base/host.h"
#include "base/str.h"

struct lc_pool_block;

struct lc_pool {
    const struct lb_host *host;
    struct lc_pool_block *blocks;
    size_t used;  /* bytes handed out */
    size_t limit; /* used never exceeds this */
};

void lc_pool_init(struct lc_pool *pool, const struct lb_host *host, size_t limit);
void lc_pool_free(struct lc_pool *pool);
/* Zeroed and aligned for any object; NULL when memory is short or the limit is reached. */
void *lc_pool_alloc(struct lc_pool *pool, size_t count, size_t size);
char *lc_pool_str(struct lc_pool *pool, struct lb_str s); /* a copy with a NUL */

#endif
