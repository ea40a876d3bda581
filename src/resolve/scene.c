/* SPDX-License-Identifier: MIT */
/* Scenes from the database, and the repair of what they show. */
#include "resolve/scene.h"

#include "base/error.h"
#include "manager/handle.h"
#include "resolve/repair.h"

/* Each round writes one repair, or reads again what another process changed meanwhile. */
enum { ROUNDS_MAX = LM_SLOTS_PER_USER + 8, STALE_MAX = 4 };

llmgr_status lr_scene_open(struct lm_manager *manager, struct lb_str user, struct lb_arena *arena,
                           struct lr_scene *scene, struct llmgr_error *err)
{
    struct lm_catalogue *catalogue;
    struct lr_profile *profile;
    uint64_t sequence;

    for (int tries = 0;; tries++) {
        uint64_t history = lm_history_resets(manager);
        catalogue = lm_catalogue_now(manager, &sequence);
        llmgr_status status = lr_profile_read(manager, catalogue, user, arena, &profile, err);
        bool moved = history != lm_history_resets(manager);
        if (status == LLMGR_OK && !moved)
            break;
        lm_catalogue_drop(catalogue);
        if (status != LLMGR_OK)
            return status;
        if (tries == STALE_MAX)
            return lm_fail_older(manager->store, err);
    }
    profile->sequence = sequence;
    *scene = (struct lr_scene){
        .options = &manager->options,
        .catalogue = catalogue,
        .profile = profile,
        .user = user,
        .is_system = lm_is_system_user(user),
    };
    return LLMGR_OK;
}

void lr_scene_close(struct lr_scene *scene)
{
    lm_catalogue_drop((struct lm_catalogue *)(uintptr_t)scene->catalogue);
}

/* ---- Repair ---------------------------------------------------------------------------------- */

/* The next choice to repair, or NULL. */
static struct lr_selection *next_gone(const struct lr_scene *scene,
                                      const struct lr_request *request)
{
    struct lr_selection *selections = lr_profile_selections(scene->profile);
    const struct lm_platform *platform;
    const struct lm_model *model;
    const struct lm_route *route;
    struct lr_choice choice;

    if (request != NULL) {
        lr_choose(scene, request, &choice);
        return choice.gone;
    }
    for (uint32_t i = 0; i < scene->profile->selection_count; i++) {
        if (!selections[i].stuck && lr_look_up_selection(scene, &selections[i], &platform, &model,
                                                         &route) == LR_REASON_GONE)
            return &selections[i];
    }
    return NULL;
}

/* What was learnt about choices survives reading them again. */
static void carry_marks(const struct lr_profile *from, const struct lr_profile *to)
{
    const struct lr_selection *old = lr_profile_selections(from);

    for (uint32_t i = 0; i < from->selection_count; i++, old++) {
        struct lr_selection *fresh = lr_profile_selection(to, lr_profile_slot(from, old));
        if (fresh == NULL)
            continue;
        fresh->repaired = old->repaired;
        fresh->stuck = old->stuck && fresh->platform_id == old->platform_id &&
                       fresh->model_id == old->model_id && fresh->route_id == old->route_id;
    }
}

static llmgr_status read_again(struct lm_manager *manager, struct lb_arena *arena,
                               struct lr_scene *scene, struct llmgr_error *err)
{
    struct lr_scene fresh;

    llmgr_status status = lr_scene_open(manager, scene->user, arena, &fresh, err);
    if (status != LLMGR_OK)
        return status;
    carry_marks(scene->profile, fresh.profile);
    lr_scene_close(scene);
    *scene = fresh;
    return LLMGR_OK;
}

llmgr_status lr_scene_open_repaired(struct lm_manager *manager, struct lb_str user,
                                    const struct lr_request *request, struct lb_arena *arena,
                                    struct lr_scene *scene, struct llmgr_error *err)
{
    struct lr_scene now;
    struct lr_selection *gone;
    int stale = 0;

    llmgr_status status = lr_scene_open(manager, user, arena, &now, err);
    if (status != LLMGR_OK)
        return status;
    for (int round = 0; (gone = next_gone(&now, request)) != NULL; round++) {
        enum lr_repair outcome = round < ROUNDS_MAX && stale < STALE_MAX
                                     ? lr_repair(manager, &now, gone)
                                     : LR_REPAIR_STUCK;
        if (outcome == LR_REPAIR_STUCK) {
            gone->stuck = 1;
            continue;
        }
        if (outcome == LR_REPAIR_DONE) {
            gone->repaired = 1;
        } else {
            stale++;
            status = lm_catalogue_reload(manager, err);
        }
        if (status == LLMGR_OK)
            status = read_again(manager, arena, &now, err);
        if (status != LLMGR_OK) {
            lr_scene_close(&now);
            return status;
        }
    }
    *scene = now;
    return LLMGR_OK;
}

/* ---- A question ------------------------------------------------------------------------------ */

static void begin_scratch(const struct lm_manager *manager, struct lr_question *question)
{
    lb_arena_init(&question->scratch, manager->host, question->first, sizeof question->first,
                  LM_SCRATCH_MAX);
}

llmgr_status lr_question_begin(struct lm_manager *manager, struct lb_str user,
                               struct lr_question *question, struct llmgr_error *err)
{
    llmgr_status status = lm_keep_fresh(manager, err);

    if (status != LLMGR_OK)
        return status;
    begin_scratch(manager, question);
    status = lr_scene_open(manager, lm_effective_user(manager, user), &question->scratch,
                           &question->scene, err);
    if (status != LLMGR_OK)
        lb_arena_free(&question->scratch);
    return status;
}

llmgr_status lr_question_begin_repaired(struct lm_manager *manager, struct lb_str user,
                                        const struct lr_request *request,
                                        struct lr_question *question, struct llmgr_error *err)
{
    begin_scratch(manager, question);
    llmgr_status status = lr_scene_open_repaired(manager, lm_effective_user(manager, user), request,
                                                 &question->scratch, &question->scene, err);
    if (status != LLMGR_OK)
        lb_arena_free(&question->scratch);
    return status;
}

void lr_question_end(struct lr_question *question)
{
    lr_scene_close(&question->scene);
    lb_arena_free(&question->scratch);
}
