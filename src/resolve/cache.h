/* SPDX-License-Identifier: MIT */
/*
 * Profiles in memory, bounded by bytes. Not thread-safe.
 *
 * Blocks are appended to chunks; an open-addressing table of 8-byte slots finds them, so a look-up
 * touches one line of the table (13 MB for a million users) and then the block itself.
 *
 *     slots    | tag ref | tag ref | ... |          ref = chunk and offset
 *                     \______________
 *     chunks   [ profile profile profile .. ]  [ profile dead profile .. ]  [ head -> ]
 *
 * When the bound is reached, a hand goes round the chunks: a profile that was asked for since the
 * hand last passed is kept (second chance), the others go, and the chunk becomes the head. At most
 * half of a chunk is kept, so the hand always finds room.
 */
#ifndef LR_CACHE_H
#define LR_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"
#include "llmgr.h"

struct lr_cache;
struct lr_profile;

enum { LR_CACHE_MIN = 16384 }; /* bytes; a smaller limit is raised to this */

/* `limit` bounds the bytes of slots and chunks together. NULL when memory is short. */
struct lr_cache *lr_cache_new(const struct lb_host *host, size_t limit);
void lr_cache_free(struct lr_cache *cache); /* NULL is fine */

/*
 * Ask the processor for what lr_cache_get of this hash will read: the slot; then, some hundred
 * nanoseconds later so that the slot is at hand, the profile.
 */
void lr_cache_hint_slot(const struct lr_cache *cache, uint64_t hash);
void lr_cache_hint_profile(const struct lr_cache *cache, uint64_t hash);
/* The user's profile, valid until the next put or drop; or NULL. */
struct lr_profile *lr_cache_get(struct lr_cache *cache, uint64_t hash, struct lb_str user);
/*
 * Keeps a copy of the profile in place of the user's earlier one. False if it is larger than a
 * quarter of the limit or memory is short; then the user has none.
 */
bool lr_cache_put(struct lr_cache *cache, const struct lr_profile *profile);
/* Forgets every profile with this hash. */
void lr_cache_drop(struct lr_cache *cache, uint64_t hash);
void lr_cache_drop_all(struct lr_cache *cache);

size_t lr_cache_count(const struct lr_cache *cache);
size_t lr_cache_bytes(const struct lr_cache *cache); /* taken from the host now */

#endif
