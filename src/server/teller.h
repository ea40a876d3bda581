/* SPDX-License-Identifier: MIT */
/*
 * A thread that tells the other nodes on the database what is known here to be broken, and hears it
 * from them; it also writes which tokens were used. It is not the keeper's, for it writes, and a
 * write may have to wait.
 */
#ifndef LE_TELLER_H
#define LE_TELLER_H

#include <stdbool.h>

#include "accounts/token_uses.h"
#include "base/ticker.h"
#include "llmgr.h"
#include "nodes/cells.h"

enum { LE_TELLER_MAGIC = 0x6c677465 };

struct le_teller {
    unsigned magic;
    const struct lb_host *host;
    struct lz_cells cells;
    struct lw_uses uses;
    unsigned ticks; /* since uses were written */
    struct lb_ticker ticker;
    bool told_of_uses;    /* the thread's, as the next */
    bool told_of_failure; /* the thread's: it has said that it cannot */
};

struct lm_manager;
struct lo_health;

/* Zeroed memory becomes a teller that does not run yet. Both outlive it. */
void le_teller_init(struct le_teller *teller, struct lm_manager *manager, struct lo_health *health);
/* What the others know is known before it returns, unless the database does not answer. */
LLMGR_MUST_CHECK llmgr_status le_teller_start(struct le_teller *teller, struct llmgr_error *err);
/* Tells what is left to tell, if the thread was started, and ends what le_teller_init began. */
void le_teller_end(struct le_teller *teller);

#endif
