/* SPDX-License-Identifier: MIT */
/*
 * One payer's keys for one platform, in order, as a transaction reads and writes them. The first
 * stands where a platform's only key always stood; the others, and what is said of the first, in
 * llm_platform_keys. Whoever changes a pool changes the list and writes the whole of it.
 */
#ifndef LM_POOL_ROWS_H
#define LM_POOL_ROWS_H

#include "base/arena.h"
#include "keys/ring.h"
#include "manager/manager.h"

struct lv_secret;

struct lm_pool_item {
    struct lb_str record;  /* sealed; empty: there is none, or `clear` takes its place */
    struct lb_str clear;   /* a key to be sealed; borrowed */
    struct lb_str key_env; /* the variable it comes from; empty: none */
    struct lb_str account; /* label; empty: none */
    uint32_t weight;
    bool is_further; /* `record` was sealed as LK_KEY_FURTHER */
};

struct lm_pool {
    struct lm_manager *manager;
    struct lk_key_place place;                  /* of the first key; says whose pool it is */
    struct lm_pool_item items[LK_POOL_MAX + 1]; /* room for one too many */
    size_t count;
};

/* Fills items and count, in `arena`; manager and place are given. */
LLMGR_MUST_CHECK llmgr_status lm_pool_read(struct lm_pool *pool, struct ls_tx *tx,
                                           struct lb_arena *arena, struct llmgr_error *err);
/* ERR_VAULT if it does not open, or there is no record. *key is initialised in any case. */
LLMGR_MUST_CHECK llmgr_status lm_pool_open(const struct lm_pool *pool, struct ls_tx *tx,
                                           const struct lm_pool_item *item, struct lv_secret *key,
                                           struct llmgr_error *err);
/*
 * Moves the first item that is usable to the front, for the release before knows no other. False:
 * none is.
 */
bool lm_pool_lead(struct lm_pool *pool, struct ls_tx *tx);
/* Writes all items in their order, after lm_pool_lead. ERR_CONFLICT if one would have to be sealed
 * anew and does not open; ERR_DATABASE….
 */
LLMGR_MUST_CHECK llmgr_status lm_pool_write(struct lm_pool *pool, struct ls_tx *tx,
                                            struct llmgr_error *err);
/* Takes all of them away. */
LLMGR_MUST_CHECK llmgr_status lm_pool_clear(const struct lk_key_place *place, struct ls_tx *tx,
                                            struct llmgr_error *err);
/* Seals `key` for the place and stores it as the only one. */
LLMGR_MUST_CHECK llmgr_status lm_pool_set_only(struct lm_manager *manager, struct ls_tx *tx,
                                               const struct lk_key_place *place, struct lb_str key,
                                               struct llmgr_error *err);

#endif
