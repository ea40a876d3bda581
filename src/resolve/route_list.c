/* SPDX-License-Identifier: MIT */
/* The routes that a user sees, with what of their targets is there. */
#include "base/error.h"
#include "manager/handle.h"
#include "manager/platform_rules.h"
#include "resolve/route.h"
#include "resolve/scene.h"

/* ---- Rows ------------------------------------------------------------------------------------ */

static bool fill_targets(const struct lr_scene *scene, const struct lm_route *route,
                         struct lb_arena *arena, struct llmgr_route *item)
{
    struct llmgr_route_target *targets =
        lb_arena_calloc(arena, (size_t)route->count + 1, sizeof *targets);

    if (targets == NULL)
        return false;
    for (uint32_t i = 0; i < route->count; i++) {
        struct lr_choice found = {.platform = NULL};
        lr_choose_target(scene, route, i, &found);
        if (found.platform == NULL && scene->allowed != NULL)
            continue; /* there for others, perhaps */
        struct llmgr_route_target *target = &targets[item->target_count++];
        *target = (struct llmgr_route_target){
            .model = lr_keep_text(arena, route->targets[i].model),
            .weight = route->targets[i].weight,
            .first_byte_timeout_ms = route->targets[i].first_byte_ms,
            .missing = found.platform == NULL,
            .api_key_set = found.platform != NULL && found.key.payer != LM_PAYER_NONE,
        };
        if (target->model == NULL)
            return false;
        item->api_key_set = item->api_key_set || target->api_key_set;
    }
    item->targets = targets;
    return true;
}

static bool fill_route(const struct lr_scene *scene, const struct lm_route *route,
                       const struct lr_hidden *hidden, struct lb_arena *arena,
                       struct llmgr_route *item)
{
    *item = (struct llmgr_route){
        .route_id = route->id,
        .name = lr_keep_text(arena, route->name),
        .display_name =
            lr_keep_text(arena, route->display_name.size != 0 ? route->display_name : route->name),
        .is_sys = route->is_sys,
        .managed = route->in_file ? LM_MANAGED_FILE : LM_MANAGED_DATABASE,
        .route_hide = lr_is_hidden(hidden, route->id),
        .pick = route->pick,
        .sticky = route->sticky,
        .on_exhausted = route->on_exhausted,
        .attempts = route->attempts,
        .deadline_ms = route->deadline_ms,
        .created_at_ms = route->created_at * 1000,
    };
    return item->name != NULL && item->display_name != NULL &&
           fill_targets(scene, route, arena, item);
}

static llmgr_status list(const struct lr_scene *scene, const struct lr_hidden *hidden,
                         struct lb_arena *arena, struct llmgr_route **items, size_t *count,
                         struct llmgr_error *err)
{
    const struct lm_route *own = lr_profile_routes(scene->profile);
    uint32_t own_count = scene->profile->route_count;
    uint32_t system_count;
    const struct lm_route *system = lm_catalogue_routes(scene->catalogue, &system_count);
    struct llmgr_route *made =
        lb_arena_calloc(arena, (size_t)own_count + system_count + 1, sizeof *made);
    bool kept = made != NULL;
    size_t total = 0;

    for (uint32_t i = 0; kept && i < own_count + system_count; i++) {
        const struct lm_route *route = i < own_count ? &own[i] : &system[i - own_count];
        if (lr_route_seen(scene, route->id) != NULL)
            kept = fill_route(scene, route, hidden, arena, &made[total++]);
    }
    if (!kept)
        return lb_fail_memory(err);
    *items = made;
    *count = total;
    return LLMGR_OK;
}

llmgr_status lr_routes(struct lm_manager *manager, struct lb_str user,
                       const struct lr_allowed *allowed, struct lb_arena *arena,
                       struct llmgr_route **items, size_t *count, struct llmgr_error *err)
{
    struct lr_question question;
    struct lr_hidden hidden = {0};

    llmgr_status status = lr_question_begin(manager, user, &question, err);
    if (status != LLMGR_OK)
        return status;
    question.scene.allowed = allowed;
    uint32_t system_count;
    lm_catalogue_routes(question.scene.catalogue, &system_count);
    /* Without routes there is nothing to hide. */
    if (system_count != 0 || question.scene.profile->route_count != 0)
        status = lr_hidden_read(manager, &question, LS_PROFILE_HIDDEN_ROUTES, &hidden, err);
    if (status == LLMGR_OK)
        status = list(&question.scene, &hidden, arena, items, count, err);
    lr_question_end(&question);
    return status;
}
