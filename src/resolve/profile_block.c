/* SPDX-License-Identifier: MIT */
/* The block that a profile is: moving it, and finding in it. */
#include <string.h>

#include "manager/manager.h"
#include "manager/handle.h"
#include "resolve/profile.h"
#include "resolve/resolve.h"

static void rebase_text(struct lb_str *text, const char *from, const char *to)
{
    if (text->p != NULL)
        text->p = to + (text->p - from);
}

/* The block is the caller's to write to; its readers' face says otherwise. */
static void *changeable(const void *p)
{
    return (void *)(uintptr_t)p;
}

static void rebase_routes(struct lr_profile *copy, const char *from, const char *to)
{
    struct lm_route *routes = changeable(lr_profile_routes(copy));
    struct lm_route_target *targets = (void *)(routes + copy->route_count);

    for (uint32_t i = 0; i < copy->target_count; i++)
        rebase_text(&targets[i].model, from, to);
    for (uint32_t i = 0; i < copy->route_count; i++) {
        rebase_text(&routes[i].name, from, to);
        rebase_text(&routes[i].display_name, from, to);
        routes[i].targets = targets;
        targets += routes[i].count;
    }
}

struct lr_profile *lr_profile_copy(void *to, const struct lr_profile *profile)
{
    const char *from = (const char *)profile;
    struct lr_profile *copy = memmove(to, profile, profile->size);

    if (from == (const char *)copy)
        return copy;
    rebase_routes(copy, from, to);
    struct lm_platform *platforms = changeable(lr_profile_platforms(copy));
    struct lm_model *models = (void *)(platforms + copy->platform_count);
    for (uint32_t i = 0; i < copy->platform_count; i++) {
        rebase_text(&platforms[i].name, from, to);
        rebase_text(&platforms[i].base_url, from, to);
        rebase_text(&platforms[i].origin, from, to);
        rebase_text(&platforms[i].protocol, from, to);
        rebase_text(&platforms[i].fixed_headers, from, to);
        rebase_text(&platforms[i].header_values, from, to);
    }
    for (uint32_t i = 0; i < copy->model_count; i++) {
        rebase_text(&models[i].model_name, from, to);
        rebase_text(&models[i].display_name, from, to);
        rebase_text(&models[i].extra_body, from, to);
    }
    return copy;
}

struct lb_str lr_profile_user(const struct lr_profile *profile)
{
    return lb_str((const char *)profile + profile->texts_at, profile->user_size);
}

struct lr_selection *lr_profile_selections(const struct lr_profile *profile)
{
    return (struct lr_selection *)(uintptr_t)(profile + 1);
}

const struct lr_own_key *lr_profile_keys(const struct lr_profile *profile)
{
    return (const void *)(lr_profile_selections(profile) + profile->selection_count);
}

const struct lr_own_alias *lr_profile_aliases(const struct lr_profile *profile)
{
    return (const void *)(lr_profile_keys(profile) + profile->key_count);
}

const struct lm_platform *lr_profile_platforms(const struct lr_profile *profile)
{
    return (const void *)(lr_profile_aliases(profile) + profile->alias_count);
}

const struct lm_model *lr_profile_models(const struct lr_profile *profile)
{
    return (const void *)(lr_profile_platforms(profile) + profile->platform_count);
}

const struct lm_route *lr_profile_routes(const struct lr_profile *profile)
{
    return (const void *)(lr_profile_models(profile) + profile->model_count);
}

/* They stand by name. */
const struct lm_route *lr_profile_route_named(const struct lr_profile *profile, struct lb_str name)
{
    const struct lm_route *routes = lr_profile_routes(profile);
    uint32_t low = 0;
    uint32_t high = profile->route_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = lb_str_cmp(routes[middle].name, name);
        if (order == 0)
            return &routes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct lm_route *lr_profile_route(const struct lr_profile *profile, int64_t id)
{
    const struct lm_route *routes = lr_profile_routes(profile);

    for (uint32_t i = 0; i < profile->route_count; i++) {
        if (routes[i].id == id)
            return &routes[i];
    }
    return NULL;
}

struct lm_alias lr_profile_alias(const struct lr_profile *profile, const struct lr_own_alias *alias)
{
    return (struct lm_alias){
        lb_str((const char *)profile + alias->name_at, alias->name_size),
        lb_str((const char *)profile + alias->target_at, alias->target_size),
    };
}

struct lb_str lr_profile_slot(const struct lr_profile *profile,
                              const struct lr_selection *selection)
{
    return lb_str((const char *)profile + selection->slot_at, selection->slot_size);
}

struct lk_pool_key lr_profile_pool_key(const struct lr_profile *profile,
                                       const struct lr_own_key *key)
{
    return (struct lk_pool_key){
        .record = lb_str((const char *)profile + key->record_at, key->record_size),
        .account = lb_str((const char *)profile + key->account_at, key->account_size),
        .id = key->id,
        .account_id = key->account_id,
        .weight = key->weight,
        .state = (enum lk_key_state)key->state,
    };
}

struct lr_selection *lr_profile_selection(const struct lr_profile *profile, struct lb_str slot)
{
    struct lr_selection *selection = lr_profile_selections(profile);

    for (uint32_t i = 0; i < profile->selection_count; i++, selection++) {
        if (lb_str_eq(lr_profile_slot(profile, selection), slot))
            return selection;
    }
    return NULL;
}

const struct lr_own_key *lr_profile_key(const struct lr_profile *profile, int64_t platform_id)
{
    const struct lr_own_key *keys = lr_profile_keys(profile);
    uint32_t low = 0, high = profile->key_count;

    while (low < high) { /* they stand by platform, and the first of it is wanted */
        uint32_t middle = low + (high - low) / 2;
        if (keys[middle].platform_id < platform_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < profile->key_count && keys[low].platform_id == platform_id ? &keys[low] : NULL;
}

void lr_profile_free(struct lm_manager *manager, struct lr_profile *profile)
{
    lb_free(manager->host, profile);
}
