/* SPDX-License-Identifier: MIT */
/* Gathering the server's keys; see the header. */
#include "manager/server_keys.h"

bool lm_server_key_first(struct lb_arena *arena, struct lb_str record, struct lm_platform *platform)
{
    if (record.size == 0)
        return true;
    platform->keys = lb_arena_calloc(arena, 1, sizeof *platform->keys);
    if (platform->keys == NULL)
        return false;
    platform->keys[0].weight = 1;
    platform->key_count = 1;
    platform->keys[0].record = lb_arena_str(arena, record);
    return platform->keys[0].record.p != NULL;
}

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
