/* SPDX-License-Identifier: MIT */
/*
 * /api/platforms/{id}/keys: several keys of one's own for a platform. A key goes in; its
 * fingerprint and place come out, and name it. An administrator who names no user sees the server's
 * as well.
 */
#include "documents/write.h"
#include "library/library.h"
#include "management/operation.h"
#include "management/operations.h"
#include "manager/pools.h"

/* A cursor: own keys by their places, then the server's. */
static int64_t id_at(const void *items, size_t i)
{
    const struct llmgr_platform_key *keys = items;
    size_t own = 0;

    while (own <= i && keys[own].payer[0] == 'u')
        own++;
    return own > i ? keys[i].position : (int64_t)own + keys[i].position;
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_platform_key_list keys;
    struct lp_range range;
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = la_platform_keys(api->manager, lp_api_actor(api), id, &keys, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_range(api, keys.items, keys.count, id_at, &range, err);
    if (status == LLMGR_OK)
        status = lp_api_page(
            api, lx_list_platform_key(NULL, keys.items + range.from, range.to - range.from), err);
    llmgr_platform_key_list_clear(&keys);
    return status;
}

/* One's own key in a place, as it is now. */
static llmgr_status show(struct lp_api *api, int64_t id, int64_t position, struct llmgr_error *err)
{
    struct llmgr_platform_key_list keys;

    llmgr_status status = la_platform_keys(api->manager, lp_api_actor(api), id, &keys, err);
    if (status != LLMGR_OK)
        return status;
    if (position <= (int64_t)keys.count)
        status = lp_api_answer(api, lx_json_platform_key(&keys.items[position - 1]), err);
    else
        status = lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("the key was deleted meanwhile"));
    llmgr_platform_key_list_clear(&keys);
    return status;
}

static llmgr_status add(struct lp_api *api, struct llmgr_error *err)
{
    int64_t weight, position, id;
    const bool weighted = lp_api_count(api, "weight", &weight) != NULL;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = lm_pool_add(api->core, lp_api_actor(api), id, lb_cstr(lp_api_text(api, "api_key")),
                             weighted ? weight : 1, lb_cstr(lp_api_text(api, "account")), &position,
                             err);
    if (status != LLMGR_OK)
        return status;
    api->location = lb_arena_printf(api->call->arena, "/api/platforms/%lld/keys/%lld",
                                    (long long)id, (long long)position);
    return show(api, id, position, err);
}

static llmgr_status change(struct lp_api *api, struct llmgr_error *err)
{
    int64_t to, weight, position, id;
    const struct lm_pool_edit edit = {.position = lp_api_count(api, "position", &to),
                                      .weight = lp_api_count(api, "weight", &weight),
                                      .account = lb_cstr(lp_api_text(api, "account"))};

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = lm_pool_change(api->core, lp_api_actor(api), id, lb_cstr(lp_api_param(api, 1)),
                                &edit, &position, err);
    return status == LLMGR_OK ? show(api, id, position, err) : status;
}

static llmgr_status drop(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    return status == LLMGR_OK ? lm_pool_delete(api->core, lp_api_actor(api), id,
                                               lb_cstr(lp_api_param(api, 1)), err)
                              : status;
}

LP_API_HANDLER(platform_keys_list, list)
LP_API_HANDLER(platform_keys_add, add)
LP_API_HANDLER(platform_keys_change, change)
LP_API_HANDLER(platform_keys_delete, drop)
