/* SPDX-License-Identifier: MIT */
/*
 * Who acts: the user that an id stands for, which ids there may be, and the hash under which a
 * user is known in memory.
 */
#include "manager/manager.h"

#include <sodium.h>

#include "base/error.h"
#include "manager/handle.h"

struct lb_str lm_effective_user(const struct lm_manager *manager, struct lb_str user)
{
    if (user.size == 0 || manager->options.mode == LLMGR_MODE_SINGLE)
        return LB_STR(LLMGR_SYSTEM_USER);
    return user;
}

bool lm_is_system_user(struct lb_str user)
{
    return lb_str_eq(user, LB_STR(LLMGR_SYSTEM_USER));
}

struct lm_actor lm_actor_of(const struct lm_manager *manager, struct lb_str user)
{
    const struct lb_str effective = lm_effective_user(manager, user);

    return (struct lm_actor){effective, lm_is_system_user(effective)};
}

llmgr_status lm_check_user(struct lb_str user, struct llmgr_error *err)
{
    if (lb_utf8_name(user, LM_USER_MAX))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("the user id is not valid: it must be 1 to %d bytes of UTF-8 without control "
                      "characters"),
                   LM_USER_MAX);
}

uint64_t lm_user_hash(const struct lm_manager *manager, struct lb_str user)
{
    uint64_t hash;

    _Static_assert(crypto_shorthash_BYTES == sizeof hash, "SipHash gives 64 bits");
    _Static_assert(crypto_shorthash_KEYBYTES == LM_HASH_KEY_SIZE, "under a key of 128 bits");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)user.p, user.size,
                     manager->hash_key);
    return hash != LM_CHANGE_ALL ? hash : 1;
}
