/* SPDX-License-Identifier: MIT */
/*
 * The thread that asks whether refused keys and accounts without money are well again, so that no
 * user's request has to find out. What is due it takes from the cells (routing/health.h), one at a
 * time: whose key that is, the cheapest request with it (llm/test.h), and the cell hears.
 */
#ifndef LE_PROBER_H
#define LE_PROBER_H

#include <stdbool.h>

#include "base/ticker.h"
#include "gateway/shared.h"
#include "llmgr.h"

struct li_call;

enum { LE_PROBER_MAGIC = 0x6c677062 };

struct le_prober {
    unsigned magic;
    const struct lg_shared *shared;
    struct lg_probes done;
    struct lb_ticker ticker;
    struct li_call *call; /* NULL: it was never started */
};

/* Zeroed memory becomes a prober that does not run yet. */
void le_prober_init(struct le_prober *prober, const struct lg_shared *shared);
LLMGR_MUST_CHECK llmgr_status le_prober_start(struct le_prober *prober, struct llmgr_error *err);
/* Cancels what it asks, waits for the thread, if it was started, and ends what le_prober_init
 * began. Once the drain has begun. */
void le_prober_end(struct le_prober *prober);

#endif
