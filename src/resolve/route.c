/* SPDX-License-Identifier: MIT */
/* Which route a request asks for. The order of names is choose.c's; here nothing is resolved. */
#include "resolve/route.h"

#include "base/error.h"
#include "manager/handle.h"
#include "resolve/alias.h"
#include "resolve/scene.h"
#include "resolve/view.h"

/* As lr_choose_by_slot, of which it is the first half. */
static const struct lm_route *of_slot(const struct lr_scene *scene, struct lb_str slot,
                                      struct lr_selection **gone)
{
    const struct lb_str slots[] = {slot, LB_STR(LLMGR_SLOT_MAIN)};

    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        struct lr_selection *selection = lr_profile_selection(scene->profile, slots[i]);
        const struct lm_platform *platform;
        const struct lm_model *model;
        const struct lm_route *route = NULL;
        if (selection == NULL)
            continue;
        enum lr_reason found = lr_look_up_selection(scene, selection, &platform, &model, &route);
        if (found == LR_REASON_GONE && !selection->stuck)
            *gone = selection;
        if (found == LR_REASON_NOT_ALLOWED)
            continue;
        if (found != LR_REASON_HIDDEN_BY_MODE)
            return route;
    }
    return NULL;
}

/* *is_slot: the name is a slot's, whatever that has chosen. */
static const struct lm_route *of_name(const struct lr_scene *scene, struct lb_str name,
                                      bool *is_slot, struct lr_selection **gone)
{
    struct lb_str slot = lr_slot_named(scene, name);

    *is_slot = slot.size != 0;
    return *is_slot ? of_slot(scene, slot, gone) : lr_route_named(scene, name);
}

static bool is_model(const struct lr_scene *scene, struct lb_str name)
{
    struct lr_choice choice;

    lr_choose_by_model(scene, name, &choice);
    return choice.platform != NULL;
}

static const struct lm_route *of_alias(const struct lr_scene *scene, struct lb_str name,
                                       struct lr_selection **gone)
{
    struct lm_alias alias;
    bool is_slot;

    if (!lr_alias_for(scene, name, &alias) || is_model(scene, name))
        return NULL;
    const struct lm_route *route = of_name(scene, alias.target, &is_slot, gone);
    if (route != NULL || is_slot || !lr_is_usual_slot(alias.target) ||
        is_model(scene, alias.target))
        return route;
    return of_slot(scene, alias.target, gone);
}

const struct lm_route *lr_route_asked(const struct lr_scene *scene,
                                      const struct lr_request *request, struct lr_selection **gone)
{
    bool is_slot = false;

    *gone = NULL;
    if (request->route_id != 0)
        return lr_route_seen(scene, request->route_id);
    if (request->model.size != 0) {
        const struct lm_route *route = of_name(scene, request->model, &is_slot, gone);
        return route != NULL || is_slot ? route : of_alias(scene, request->model, gone);
    }
    if (request->platform_id != 0)
        return NULL;
    return of_slot(scene, request->slot.size != 0 ? request->slot : LB_STR(LLMGR_SLOT_MAIN), gone);
}

llmgr_status lr_view_route(struct lr_view *view, const struct lr_request *request,
                           const struct lm_route **route, enum lr_view_result *result,
                           struct llmgr_error *err)
{
    struct lb_str user = lm_effective_user(view->manager, request->user);
    struct lr_selection *gone = NULL;
    struct lr_scene scene;

    llmgr_status status = lr_request_check(request, err);
    if (status != LLMGR_OK)
        return status;
    *route = NULL;
    *result = LR_VIEW_MISS;
    if (!lr_view_scene(view, lm_user_hash(view->manager, user), user, &scene))
        return LLMGR_OK;
    scene.allowed = request->allowed;
    *route = lr_route_asked(&scene, request, &gone);
    if (gone == NULL)
        *result = LR_VIEW_DONE;
    return LLMGR_OK;
}

/* ---- A copy ---------------------------------------------------------------------------------- */

const struct lm_route LR_POOL = {
    .count = 1,
    .attempts = LLMGR_ROUTE_ATTEMPTS,
    .pick = LLMGR_PICK_ORDER,
    .sticky = LLMGR_STICKY_NONE,
    .on_exhausted = LLMGR_EXHAUSTED_REJECT,
};

/* What is drawn from: the route may change while a request is under way. */
static bool copy_weights(const struct lm_route *route, struct lb_arena *arena,
                         struct lm_route *copy)
{
    copy->targets = NULL;
    if (route->pick != LLMGR_PICK_WEIGHT)
        return true;
    struct lm_route_target *targets = lb_arena_calloc(arena, route->count, sizeof *targets);
    for (uint32_t i = 0; targets != NULL && i < route->count; i++)
        targets[i].weight_to = route->targets[i].weight_to;
    copy->targets = targets;
    return targets != NULL;
}

llmgr_status lr_route_now(struct lm_manager *manager, struct lb_str user, int64_t route_id,
                          struct lb_arena *arena, struct lm_route *route, struct llmgr_error *err)
{
    struct lr_question question;

    llmgr_status status = lr_question_begin(manager, user, &question, err);
    if (status != LLMGR_OK)
        return status;
    const struct lm_route *seen = lr_route_seen(&question.scene, route_id);
    if (seen == NULL) {
        status =
            lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no route %lld"), (long long)route_id);
    } else {
        struct lm_route copy = *seen;
        copy.name = lb_arena_str(arena, seen->name);
        copy.display_name = lb_str(NULL, 0);
        if (copy.name.p == NULL || !copy_weights(seen, arena, &copy))
            status = lb_fail_memory(err);
        else
            *route = copy;
    }
    lr_question_end(&question);
    return status;
}
