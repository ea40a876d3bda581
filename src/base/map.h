/* SPDX-License-Identifier: MIT */
/*
 * A hash table from byte strings to pointers. Keys are copied or borrowed as the caller says; the
 * hash is SipHash with a random key per table (libsodium's crypto_shorthash), so that outside keys
 * cannot be chosen to collide. Not thread-safe.
 */
#ifndef LB_MAP_H
#define LB_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"

struct lb_map;

/* `max_count` bounds the table; a put beyond it is refused. NULL when memory is short. */
struct lb_map *lb_map_new(const struct lb_host *host, size_t max_count);
/* The values stay the caller's; iterate first to free them. NULL is fine. */
void lb_map_free(struct lb_map *map);

/* The value stored under `key`, or NULL. */
void *lb_map_get(const struct lb_map *map, struct lb_str key);
/*
 * Stores a non-NULL value; the key is copied. *old (may be NULL) receives the value replaced, or
 * NULL. LLMGR_ERR_NO_MEMORY or LLMGR_ERR_TOO_LARGE leave the table as it was.
 */
LLMGR_MUST_CHECK llmgr_status lb_map_put(struct lb_map *map, struct lb_str key, void *value,
                                         void **old);
/* Removes and returns the value, or NULL. */
void *lb_map_remove(struct lb_map *map, struct lb_str key);
size_t lb_map_count(const struct lb_map *map);

/*
 * Iteration in no particular order: start with *at = 0; false at the end. The table may not be
 * changed meanwhile.
 */
bool lb_map_next(const struct lb_map *map, size_t *at, struct lb_str *key, void **value);

#endif
