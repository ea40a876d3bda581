/* SPDX-License-Identifier: MIT */
/*
 * What the road upstream learnt of a platform and others may rely on for a while. Who is told is
 * the platform's owner, or everybody for a system platform. See platforms.h.
 */
#include <string.h>

#include "base/error.h"
#include "manager/access.h"
#include "manager/catalogue.h"
#include "manager/platforms.h"
#include "store/store.h"

struct owner {
    int64_t platform_id;
    int64_t now_ms;
    bool is_known; /* nothing to write */
    size_t size;   /* of the user id; 0: the catalogue */
    char user[LM_USER_MAX];
};

static llmgr_status mark_no_stream_options(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct owner *owner = context;

    /* One above a multiple of 4: see migrations.def. */
    return ls_exec(tx, LS_PLATFORM_NO_STREAM_OPTIONS,
                   LS_ARGS(ls_int(owner->platform_id), ls_int((owner->now_ms & ~INT64_C(3)) | 1)),
                   NULL, err);
}

static llmgr_status read_owner(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct owner *owner = context;
    struct ls_rows rows;
    bool found = false;
    llmgr_status status =
        ls_find(tx, LS_PLATFORM_OWNER, LS_ARGS(ls_int(owner->platform_id)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    if (!found)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no platform %lld"),
                       (long long)owner->platform_id);
    struct lb_str user = ls_column_text(&rows, 1);
    owner->is_known = lm_verdict_until(ls_column_int(&rows, 2), owner->now_ms) != 0;
    /* A system platform, or an id no user of ours can have: everybody is told. */
    owner->size = 0;
    if (ls_column_int(&rows, 0) == 0 && user.size <= sizeof owner->user) {
        memcpy(owner->user, user.p, user.size);
        owner->size = user.size;
    }
    ls_rows_end(&rows);
    return LLMGR_OK;
}

llmgr_status lm_platform_learn_no_stream_options(struct lm_manager *manager, int64_t platform_id,
                                                 struct llmgr_error *err)
{
    struct owner owner = {.platform_id = platform_id, .now_ms = lb_now_ms(lm_host(manager))};
    llmgr_status status = ls_transact(lm_store(manager), LS_READ_ONE, read_owner, &owner, err);
    if (status != LLMGR_OK || owner.is_known)
        return status;
    return lm_write(manager, lb_str(owner.user, owner.size), mark_no_stream_options, &owner, err);
}
