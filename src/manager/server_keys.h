/* SPDX-License-Identifier: MIT */
/* The server's keys of a platform, as the catalogue gathers them while it is read. */
#ifndef LM_SERVER_KEYS_H
#define LM_SERVER_KEYS_H

#include "base/arena.h"
#include "manager/catalogue.h"

/* One more key, whose texts live in `arena`; an empty record is none. False when memory is short.
 */
bool lm_server_key_add(struct lb_arena *arena, struct lm_platform *platform,
                       const struct lk_pool_key *key);

#endif
