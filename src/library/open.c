/* SPDX-License-Identifier: MIT */
/*
 * Where the rows meet the resolver and the prices: the one judges what the catalogue reads and its
 * views stand on it, the others are part of it. What stands below knows neither.
 */
#include "library/open.h"

#include "budget/book.h"
#include "manager/manager.h"
#include "resolve/profile.h"
#include "resolve/resolve.h"

static const struct lm_lent lent = {
    .judge = lr_judge_platform,
    .read_book = lq_book_load,
    .drop_book = lq_book_drop,
};

llmgr_status la_manager_open(const struct lb_host *host, const struct lm_options *options,
                             struct ls_store *store, struct lv_vault *vault,
                             struct lm_manager **out, struct llmgr_error *err)
{
    struct lm_manager *manager = NULL;

    llmgr_status status = lm_open(host, options, store, vault, &lent, &manager, err);
    if (status != LLMGR_OK)
        return status;
    status = lr_open(manager, err);
    if (status != LLMGR_OK) {
        la_manager_close(manager);
        return status;
    }
    *out = manager;
    return LLMGR_OK;
}

void la_manager_close(struct lm_manager *manager)
{
    if (manager == NULL)
        return;
    lr_close(manager);
    lm_close(manager);
}
