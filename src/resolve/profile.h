/* SPDX-License-Identifier: MIT */
/*
 * What one user adds to the catalogue: choices per slot, keys of his own for system platforms and
 * for private ones, private platforms with their models, routes of his own. One block of memory
 * without outside pointers, so that it can be cached by the thousand and moved by lr_profile_copy:
 *
 *     head | selections | own keys | aliases | private platforms | private models | own routes |
 *     their targets | texts and sealed keys
 *
 * A user with one choice and one key takes about 200 bytes.
 */
#ifndef LR_PROFILE_H
#define LR_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "manager/catalogue.h"

struct lk_keys;

struct lr_selection {
    int64_t platform_id; /* 0: the choice is a route */
    int64_t model_id;
    int64_t route_id; /* 0: it is a model */
    uint32_t slot_at; /* offset of the slot's name in the block */
    uint8_t slot_size;
    uint8_t repaired; /* replaced when it was loaded, and not yet told */
    uint8_t stuck;    /* its target is gone and could not be replaced: not tried again */
};

/*
 * A usable key of the user's: those of a platform side by side, in order. A platform without one
 * has a single row if it hides it, or if there is a key that cannot be used.
 */
struct lr_own_key {
    int64_t platform_id;
    uint64_t id; /* as of struct lk_pool_key; also below */
    uint64_t account_id;
    uint32_t record_at;
    uint32_t account_at;
    uint16_t record_size;
    uint16_t weight;
    uint8_t account_size;
    uint8_t state; /* enum lk_key_state */
    uint8_t count; /* usable keys of this platform from here on */
    uint8_t hide;  /* the user hides this system platform */
};

struct lr_own_alias {
    uint32_t name_at;
    uint32_t target_at;
    uint8_t name_size;
    uint8_t target_size;
    uint8_t unused[6];
};

struct lr_profile {
    uint64_t hash;     /* lm_user_hash */
    uint64_t sequence; /* of lm_changes when its reading began */
    uint32_t size;     /* of the block, a multiple of 8 */
    uint32_t model_count;
    uint32_t texts_at; /* the user's id stands first */
    uint16_t platform_count;
    uint16_t selection_count;
    uint16_t key_count;
    uint8_t user_size;
    uint8_t used; /* the cache's: asked for since the clock's hand last passed */
    uint8_t dead; /* the cache's: dropped, its room not yet reclaimed */
    uint8_t unused;
    uint16_t alias_count;
    uint32_t target_count; /* of all own routes */
    uint16_t route_count;
    uint8_t room[2];
};

/*
 * Decides about a system platform that was read: computes its origin, and takes its keys from
 * their records into memory, of which the usable ones stay, and its header fields. The opening of a
 * manager hands it down to the catalogue (lm_judge_fn).
 */
LLMGR_MUST_CHECK llmgr_status lr_judge_platform(const struct lk_keys *keys, struct lb_str owner,
                                                struct lb_arena *arena,
                                                struct lm_platform *platform,
                                                struct llmgr_error *err);

/*
 * Reads a user's rows into one block in `arena`. Own keys are opened once to know whether they can
 * be used; those of platforms that the catalogue does not have are left out.
 */
LLMGR_MUST_CHECK llmgr_status lr_profile_read(struct lm_manager *manager,
                                              const struct lm_catalogue *catalogue,
                                              struct lb_str user, struct lb_arena *arena,
                                              struct lr_profile **profile, struct llmgr_error *err);

/* Copies (or moves, if they overlap) a block to `to`, which has room for profile->size bytes. */
struct lr_profile *lr_profile_copy(void *to, const struct lr_profile *profile);

struct lb_str lr_profile_user(const struct lr_profile *profile);
struct lr_selection *lr_profile_selections(const struct lr_profile *profile);
const struct lr_own_key *lr_profile_keys(const struct lr_profile *profile);
/* Private platforms in the order of their making, their models in order. */
const struct lm_platform *lr_profile_platforms(const struct lr_profile *profile);
const struct lm_model *lr_profile_models(const struct lr_profile *profile);

const struct lr_own_alias *lr_profile_aliases(const struct lr_profile *profile);

/* By name; each with its targets. */
const struct lm_route *lr_profile_routes(const struct lr_profile *profile);

struct lm_alias lr_profile_alias(const struct lr_profile *profile,
                                 const struct lr_own_alias *alias);
struct lb_str lr_profile_slot(const struct lr_profile *profile,
                              const struct lr_selection *selection);
struct lk_pool_key lr_profile_pool_key(const struct lr_profile *profile,
                                       const struct lr_own_key *key);

/* NULL if there is none. */
struct lr_selection *lr_profile_selection(const struct lr_profile *profile, struct lb_str slot);
/* The first of this platform, system or private. */
const struct lr_own_key *lr_profile_key(const struct lr_profile *profile, int64_t platform_id);
const struct lm_route *lr_profile_route_named(const struct lr_profile *profile, struct lb_str name);
const struct lm_route *lr_profile_route(const struct lr_profile *profile, int64_t id);

#endif
