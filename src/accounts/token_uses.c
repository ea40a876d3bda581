/* SPDX-License-Identifier: MIT */
/* Noted by workers, written by one thread. See the header. */
#include "accounts/token_uses.h"

#include <string.h>

#include "base/error.h"
#include "manager/handle.h"
#include "store/store.h"

enum { HOUR_MS = 60 * 60 * 1000 };

void lw_uses_init(struct lw_uses *uses, struct lm_manager *manager)
{
    uses->manager = manager;
    pthread_mutex_init(&uses->lock, NULL);
}

void lw_uses_end(struct lw_uses *uses)
{
    pthread_mutex_destroy(&uses->lock);
}

/* Another worker may have noted it. False: there is no room. */
static bool add(struct lw_uses *uses, int64_t token_id, uint32_t hour)
{
    for (size_t i = 0; i < uses->count; i++) {
        struct lw_use *use = &uses->noted[i];
        if (use->token_id != token_id)
            continue;
        use->hour = use->hour > hour ? use->hour : hour;
        return true;
    }
    if (uses->count == LW_USES_MAX)
        return false;
    uses->noted[uses->count++] = (struct lw_use){token_id, hour};
    return true;
}

void lw_uses_note(struct lw_uses *uses, struct lw_token *token, uint32_t hour)
{
    pthread_mutex_lock(&uses->lock);
    if (add(uses, token->id, hour))
        token->used_hour = hour;
    pthread_mutex_unlock(&uses->lock);
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct batch {
    size_t count;
    struct lw_use uses[LW_USES_MAX];
};

static llmgr_status write_rows(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct batch *batch = context;
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; status == LLMGR_OK && i < batch->count; i++)
        status = ls_exec(tx, LS_TOKEN_USED,
                         LS_ARGS(ls_int(batch->uses[i].token_id),
                                 ls_int((int64_t)batch->uses[i].hour * HOUR_MS)),
                         NULL, err);
    return status;
}

static void take(struct lw_uses *uses, struct batch *batch)
{
    pthread_mutex_lock(&uses->lock);
    batch->count = uses->count;
    memcpy(batch->uses, uses->noted, uses->count * sizeof uses->noted[0]);
    uses->count = 0;
    pthread_mutex_unlock(&uses->lock);
}

/* For the next time; what finds no room by then is noted anew in its next hour. */
static void put_back(struct lw_uses *uses, const struct batch *batch)
{
    pthread_mutex_lock(&uses->lock);
    for (size_t i = 0; i < batch->count; i++)
        (void)add(uses, batch->uses[i].token_id, batch->uses[i].hour);
    pthread_mutex_unlock(&uses->lock);
}

llmgr_status lw_uses_write(struct lw_uses *uses, struct llmgr_error *err)
{
    struct batch batch;

    atomic_store_explicit(&uses->hour, (uint32_t)(lb_now_ms(uses->manager->host) / HOUR_MS),
                          memory_order_relaxed);
    take(uses, &batch);
    if (batch.count == 0)
        return LLMGR_OK;
    if (uses->manager->options.read_only)
        return LLMGR_OK;
    llmgr_status status = ls_transact(uses->manager->store, LS_WRITE_SOON, write_rows, &batch, err);
    if (status != LLMGR_OK)
        put_back(uses, &batch);
    return status;
}
