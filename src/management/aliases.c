/* SPDX-License-Identifier: MIT */
/* /api/aliases: names that clients insist on, and what each stands for. */
#include "documents/write.h"
#include "library/library.h"
#include "management/operation.h"
#include "management/operations.h"

/* Aliases have no numbers; a cursor is content with one that follows from the name (FNV-1a). */
static int64_t id_at(const void *items, size_t i)
{
    const struct llmgr_alias *alias = &((const struct llmgr_alias *)items)[i];
    uint64_t hash = alias->is_sys ? UINT64_C(0xcbf29ce484222325) : UINT64_C(0x84222325cbf29ce4);

    for (const char *c = alias->name; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    return (int64_t)(hash >> 1 | 1);
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_alias_list aliases;
    struct lp_range range;

    llmgr_status status = la_aliases(api->manager, api->user, lp_api_allowed(api), &aliases, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_range(api, aliases.items, aliases.count, id_at, &range, err);
    if (status == LLMGR_OK)
        status = lp_api_page(
            api, lx_list_alias(NULL, aliases.items + range.from, range.to - range.from), err);
    llmgr_alias_list_clear(&aliases);
    return status;
}

static llmgr_status set(struct lp_api *api, struct llmgr_error *err)
{
    const struct llmgr_alias made = {.name = lp_api_param(api, 0),
                                     .target = lp_api_text(api, "target")};

    llmgr_status status = llmgr_alias_set(api->manager, api->user, made.name, made.target, err);
    return status == LLMGR_OK ? lp_api_answer(api, lx_json_alias(&made), err) : status;
}

static llmgr_status drop(struct lp_api *api, struct llmgr_error *err)
{
    return llmgr_alias_delete(api->manager, api->user, lp_api_param(api, 0), err);
}

LP_API_HANDLER(aliases_list, list)
LP_API_HANDLER(aliases_set, set)
LP_API_HANDLER(aliases_delete, drop)
