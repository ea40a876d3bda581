/* SPDX-License-Identifier: MIT */
/*
 * /api/platforms: those a user sees, those the user owns, and the user's keys. A platform of
 * another user is not found, as one that never was. System platforms that calls have made are an
 * administrator's to change, who makes them. A key goes in; its fingerprint comes out.
 */
#include "documents/write.h"
#include "library/library.h"
#include "management/operation.h"
#include "management/operations.h"
#include "management/probe.h"
#include "manager/headers.h"
#include "manager/platforms.h"

static int64_t id_at(const void *items, size_t i)
{
    return ((const struct llmgr_platform *)items)[i].platform_id;
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_platform_list platforms;
    struct lp_range range;

    llmgr_status status =
        la_platforms(api->manager, api->user, lp_api_allowed(api), &platforms, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_range(api, platforms.items, platforms.count, id_at, &range, err);
    if (status == LLMGR_OK)
        status = lp_api_page(
            api, lx_list_platform(NULL, platforms.items + range.from, range.to - range.from), err);
    llmgr_platform_list_clear(&platforms);
    return status;
}

/* The platform as it is now. */
static llmgr_status show(struct lp_api *api, int64_t id, struct llmgr_error *err)
{
    struct llmgr_platform_list platforms;

    llmgr_status status =
        la_platforms(api->manager, api->user, lp_api_allowed(api), &platforms, err);
    if (status != LLMGR_OK)
        return status;
    status = lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no platform %lld"), (long long)id);
    for (size_t i = 0; i < platforms.count; i++) {
        if (platforms.items[i].platform_id == id)
            status = lp_api_answer(api, lx_json_platform(&platforms.items[i]), err);
    }
    llmgr_platform_list_clear(&platforms);
    return status;
}

/* What both forms have. */
static struct lm_platform_edit take_edit(const struct lp_api *api)
{
    return (struct lm_platform_edit){
        .name = lb_cstr(lp_api_text(api, "platform_name")),
        .base_url = lb_cstr(lp_api_text(api, "base_url")),
        .api_key = lb_cstr(lp_api_text(api, "api_key")),
        .words = {.protocol = lb_cstr(lp_api_text(api, "protocol")),
                  .native_paths = lb_cstr(lp_api_text(api, "native_paths")),
                  .headers = lb_cstr(lp_api_text(api, "headers"))},
    };
}

static llmgr_status add_own(const struct lp_api *api, const struct lm_platform_edit *wanted,
                            int64_t *id, struct llmgr_error *err)
{
    if (lm_words_are_given(&wanted->words))
        return lm_fail_words(err);
    return lm_platform_add(api->core, la_user(api->user), wanted->name, wanted->base_url,
                           wanted->api_key, id, err);
}

static llmgr_status add(struct lp_api *api, struct llmgr_error *err)
{
    const struct lm_platform_edit wanted = take_edit(api);
    const struct lm_actor actor = lp_api_actor(api);
    bool is_sys = false;
    int64_t id;

    lp_api_flag(api, "is_sys", &is_sys);
    llmgr_status status = is_sys ? lm_system_platform_add(api->core, actor, &wanted, &id, err)
                                 : add_own(api, &wanted, &id, err);
    if (status != LLMGR_OK)
        return status;
    api->location = lb_arena_printf(api->call->arena, "/api/platforms/%lld", (long long)id);
    return show(api, id, err);
}

static llmgr_status get(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

static llmgr_status change(struct lp_api *api, struct llmgr_error *err)
{
    bool hide, rejects;
    struct lm_platform_edit edit = take_edit(api);
    int64_t id;

    edit.hide = lp_api_flag(api, "platform_hide", &hide);
    edit.ask_usage = lp_api_flag(api, "no_stream_options", &rejects) != NULL;
    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK && edit.ask_usage && rejects)
        status = lb_fail(err, LLMGR_ERR_INVALID,
                         N_("'no_stream_options' can only be set to false; that a platform rejects "
                            "them is for the platform to say"));
    if (status == LLMGR_OK)
        status = lm_platform_edit(api->core, lp_api_actor(api), id, &edit, err);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

static llmgr_status drop(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = lm_platform_delete(api->core, lp_api_actor(api), id, err);
    return status;
}

static llmgr_status set_key(struct lp_api *api, struct llmgr_error *err)
{
    const char *key = lp_api_text(api, "api_key");
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK && key[0] == '\0')
        status =
            lb_fail(err, LLMGR_ERR_INVALID, N_("'api_key' is empty; DELETE takes the key away"));
    if (status == LLMGR_OK)
        status = lm_platform_set_key(api->core, lp_api_actor(api), id, lb_cstr(key), err);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

static llmgr_status clear_key(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = lm_platform_set_key(api->core, lp_api_actor(api), id, lb_str(NULL, 0), err);
    return status;
}

static llmgr_status set_header(struct lp_api *api, struct llmgr_error *err)
{
    const char *value = lp_api_text(api, "value");
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK && value[0] == '\0')
        status =
            lb_fail(err, LLMGR_ERR_INVALID, N_("'value' is empty; DELETE takes the field away"));
    if (status == LLMGR_OK)
        status = lm_platform_set_header(api->core, lp_api_actor(api), id,
                                        lb_cstr(lp_api_param(api, 1)), lb_cstr(value), err);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

static llmgr_status clear_header(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = lm_platform_set_header(api->core, lp_api_actor(api), id,
                                        lb_cstr(lp_api_param(api, 1)), lb_str(NULL, 0), err);
    return status;
}

static llmgr_status probe(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_probe found;
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status != LLMGR_OK)
        return status;
    status = llmgr_platform_probe(api->manager, api->user, id, 0, &found, err);
    return lp_api_probed(api, status, &found, err);
}

LP_API_HANDLER(platforms_list, list)
LP_API_HANDLER(platforms_add, add)
LP_API_HANDLER(platforms_get, get)
LP_API_HANDLER(platforms_change, change)
LP_API_HANDLER(platforms_delete, drop)
LP_API_HANDLER(platforms_set_key, set_key)
LP_API_HANDLER(platforms_clear_key, clear_key)
LP_API_HANDLER(platforms_set_header, set_header)
LP_API_HANDLER(platforms_clear_header, clear_header)
LP_API_HANDLER(platforms_probe, probe)
