/* SPDX-License-Identifier: MIT */
/*
 * A thread that looks whether the database has changed, so that no worker ever has to ask, and
 * that says in the log when requests begin to be refused and when that is over.
 */
#ifndef LE_KEEPER_H
#define LE_KEEPER_H

#include <stdbool.h>

#include "base/ticker.h"
#include "gateway/shared.h"
#include "llmgr.h"

enum { LE_KEEPER_MAGIC = 0x6c676b65 };

struct le_keeper {
    unsigned magic;
    const struct lg_shared *shared;
    struct lb_ticker ticker;
    bool told_of_room; /* the thread's: it has said that requests are refused */
};

/* Zeroed memory becomes a keeper that does not run yet. */
void le_keeper_init(struct le_keeper *keeper, const struct lg_shared *shared);
LLMGR_MUST_CHECK llmgr_status le_keeper_start(struct le_keeper *keeper, struct llmgr_error *err);
/* Waits for the thread, if it was started, and ends what le_keeper_init began. */
void le_keeper_end(struct le_keeper *keeper);

#endif
