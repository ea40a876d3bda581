/* SPDX-License-Identifier: MIT */
/* The thread that shares what is broken, ten times a second. See the header. */
#include "server/teller.h"

#include "base/host.h"
#include "base/magic.h"
#include "manager/manager.h"

enum { TELL_MS = 100, USES_TICKS = 10 /* between two writes of which tokens were used */ };

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

/* Nobody waits for it and it is tried again, so a failure is told once. */
static void write_uses(struct le_teller *teller)
{
    struct llmgr_error err = {0};
    const bool failed = lw_uses_write(&teller->uses, &err) != LLMGR_OK;

    teller->ticks = 0;
    if (failed && !teller->told_of_uses)
        lb_warn(teller->host, "when tokens were last used cannot be written: %s", err.message);
    teller->told_of_uses = failed;
}

static void tell(void *context)
{
    struct le_teller *teller = LB_CAST(struct le_teller, context, LE_TELLER_MAGIC);
    struct llmgr_error err = {0};

    lz_cells_exchange(&teller->cells, &err);
    say(teller, &err);
    if (++teller->ticks >= USES_TICKS)
        write_uses(teller);
}

static void tell_rest(void *context)
{
    struct le_teller *teller = LB_CAST(struct le_teller, context, LE_TELLER_MAGIC);

    tell(teller);
    write_uses(teller);
}

static const struct lb_ticker_face TELLING = {.tick = tell, .end = tell_rest};

void le_teller_init(struct le_teller *teller, struct lm_manager *manager, struct lo_health *health)
{
    teller->magic = LE_TELLER_MAGIC;
    teller->host = lm_host(manager);
    lz_cells_init(&teller->cells, manager, health);
    lw_uses_init(&teller->uses, manager);
    lb_ticker_init(&teller->ticker, &TELLING, TELL_MS, teller);
}

llmgr_status le_teller_start(struct le_teller *teller, struct llmgr_error *err)
{
    tell(teller);
    write_uses(teller); /* the clock is looked at before the first request comes */
    return lb_ticker_start(&teller->ticker, err);
}

void le_teller_end(struct le_teller *teller)
{
    lb_ticker_end(&teller->ticker);
    lw_uses_end(&teller->uses);
}
