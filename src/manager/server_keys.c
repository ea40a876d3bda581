/* SPDX-License-Identifier: MIT */
/* Gathering the server's keys; see the header. */
#include "manager/server_keys.h"

/* Grows at powers of two; what was held before stays behind until the catalogue goes. */
bool lm_server_key_add(struct lb_arena *arena, struct lm_platform *platform,
                       const struct lk_pool_key *key)
{
    const uint32_t count = platform->key_count;

    if (key->record.size == 0 || count >= LK_POOL_MAX)
        return true;
    if ((count & (count - 1)) == 0) {
        struct lk_pool_key *more =
            lb_arena_calloc(arena, count != 0 ? (size_t)count * 2 : 1, sizeof *more);
        if (more == NULL)
            return false;
        for (uint32_t i = 0; i < count; i++)
            more[i] = platform->keys[i];
        platform->keys = more;
    }
    platform->keys[platform->key_count++] = *key;
    return true;
}
