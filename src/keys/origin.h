/* SPDX-License-Identifier: MIT */
/* What is decided about an address and a sealed key while rows are loaded. */
#ifndef LK_ORIGIN_H
#define LK_ORIGIN_H

#include "base/arena.h"
#include "base/str.h"
#include "keys/ring.h"

/* "scheme://host:port" of a base URL, in `arena`; empty if it is none. False: memory is short. */
bool lk_origin(struct lb_arena *arena, struct lb_str base_url, struct lb_str *origin);

/*
 * Takes a key from its record into memory: key->record becomes what lk_key_open_held opens (in
 * `arena`) if it can be used, and its numbers are made. A record that does not open, or holds a
 * placeholder, is LK_KEY_UNREADABLE, stays as it is and is no error; a database that fails is one.
 * `place` is that of the payer's first key; a further one is held for it too.
 */
LLMGR_MUST_CHECK llmgr_status lk_key_take(const struct lk_keys *keys,
                                          const struct lk_key_place *place, struct lb_arena *arena,
                                          struct lk_pool_key *key, struct llmgr_error *err);
/* The same for the record of a platform's header fields. */
LLMGR_MUST_CHECK llmgr_status lk_headers_take(const struct lk_keys *keys,
                                              const struct lk_key_place *place,
                                              struct lb_arena *arena, struct lb_str *record,
                                              enum lk_key_state *state, struct llmgr_error *err);
/* The usable ones of those that were taken move to the front, in their order; returns how many. */
size_t lk_pool_compact(struct lk_pool_key *keys, size_t count);

#endif
