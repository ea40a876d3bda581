/* SPDX-License-Identifier: MIT */
/* The sockets that the server listens on: opened or inherited, one for each worker. */
#ifndef LE_SOCKETS_H
#define LE_SOCKETS_H

#include <stddef.h>

#include "base/buf.h"
#include "gateway/shared.h"
#include "llmgr.h"

enum { LE_PLACES_MAX = LG_LISTENERS_MAX * 256 }; /* bytes of their names */

struct le_places {
    const char *const *listen; /* addresses as ln_listen_open takes them; ends with NULL */
    const int *inherited;      /* sockets of a service manager, used instead of `listen` */
    size_t inherited_count;
};

/*
 * Gives them to the workers, none of which runs yet, and writes their names to `names`. Whoever can
 * be reached from other machines needs a token: sets need_token; ERR_FORBIDDEN while there is no
 * administrator's.
 */
LLMGR_MUST_CHECK llmgr_status le_sockets_open(struct lg_shared *shared,
                                              const struct le_places *places, struct lb_buf *names,
                                              struct llmgr_error *err);

#endif
