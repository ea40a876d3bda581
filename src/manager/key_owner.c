/* SPDX-License-Identifier: MIT */
/*
 * Whose key is it, when only something that can be told of a user (a hash) is known? All who have
 * keys for the platform are looked at, a page at a time.
 */
#include "base/error.h"
#include "base/magic.h"
#include "manager/handle.h"
#include "manager/pools.h"
#include "store/store.h"

enum { SEARCH_MAGIC = 0x6c6d6b6f };

struct search {
    unsigned magic;
    bool (*is_his)(void *context, struct lb_str user);
    void *context;
    struct lb_arena *arena;
    struct lb_str user; /* empty: not found yet */
    int64_t last;       /* row */
    bool has_more;      /* the last page had rows */
};

static llmgr_status look(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct search *search = LB_CAST(struct search, context, SEARCH_MAGIC);
    struct lb_str user = ls_column_text(row, 1);

    search->last = ls_column_int(row, 0);
    search->has_more = true;
    if (search->user.size != 0 || !search->is_his(search->context, user))
        return LLMGR_OK;
    search->user = lb_arena_str(search->arena, user);
    return search->user.p != NULL ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status lm_key_owner(struct lm_manager *manager, int64_t platform_id,
                          bool (*is_his)(void *context, struct lb_str user), void *context,
                          struct lb_arena *arena, struct lb_str *user, struct llmgr_error *err)
{
    struct search search = {.magic = SEARCH_MAGIC,
                            .is_his = is_his,
                            .context = context,
                            .arena = arena,
                            .last = -1,
                            .has_more = true};
    llmgr_status status = LLMGR_OK;

    while (status == LLMGR_OK && search.has_more && search.user.size == 0) {
        search.has_more = false;
        status =
            ls_read_each(manager->store, LS_READ_ONE, LS_KEY_OWNERS,
                         LS_ARGS(ls_int(platform_id), ls_int(search.last)), look, &search, err);
    }
    *user = search.user;
    return status;
}
