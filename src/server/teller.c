/* SPDX-License-Identifier: MIT */
/* The thread that shares what is broken, ten times a second. See the header. */
#include "server/teller.h"

#include "base/host.h"
#include "base/magic.h"
#include "manager/manager.h"

enum { TELL_MS = 100 };

/* Once when it begins, and once when it is over. */
static void say(struct le_teller *teller, const struct llmgr_error *err)
{
    const bool failed = lz_cells_rest(&teller->cells);

    if (failed == teller->told_of_failure)
        return;
    teller->told_of_failure = failed;
    if (failed)
        lb_warn(teller->host, "what is broken is not shared with other nodes: %s", err->message);
    else
        lb_warn(teller->host, "what is broken is shared with other nodes again");
}

static void tell(void *context)
{
    struct le_teller *teller = LB_CAST(struct le_teller, context, LE_TELLER_MAGIC);
    struct llmgr_error err = {0};

    lz_cells_exchange(&teller->cells, &err);
    say(teller, &err);
}

static const struct lb_ticker_face TELLING = {.tick = tell, .end = tell};

void le_teller_init(struct le_teller *teller, struct lm_manager *manager, struct lo_health *health)
{
    teller->magic = LE_TELLER_MAGIC;
    teller->host = lm_host(manager);
    lz_cells_init(&teller->cells, manager, health);
    lb_ticker_init(&teller->ticker, &TELLING, TELL_MS, teller);
}

llmgr_status le_teller_start(struct le_teller *teller, struct llmgr_error *err)
{
    tell(teller);
    return lb_ticker_start(&teller->ticker, err);
}

void le_teller_end(struct le_teller *teller)
{
    lb_ticker_end(&teller->ticker);
}
