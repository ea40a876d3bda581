/* SPDX-License-Identifier: MIT */
/*
 * A view: one thread's memory of profiles, over the catalogue of now. It catches up with changes
 * before it answers (one atomic load when there are none) and never touches the database.
 */
#include "resolve/view.h"

#include "base/error.h"
#include "resolve/scene.h"

llmgr_status lr_view_new(struct lm_manager *manager, size_t cache_size, struct lr_view **out,
                         struct llmgr_error *err)
{
    struct lr_view *view = lb_calloc(manager->host, 1, sizeof *view);

    if (view == NULL)
        return lb_fail_memory(err);
    view->manager = manager;
    view->cache = lr_cache_new(manager->host, cache_size);
    if (view->cache == NULL) {
        lb_free(manager->host, view);
        return lb_fail_memory(err);
    }
    view->catalogue = lm_catalogue_now(manager, &view->sequence);
    *out = view;
    return LLMGR_OK;
}

static void drop_oversized(struct lr_view *view)
{
    lb_free(view->manager->host, view->oversized);
    view->oversized = NULL;
}

void lr_view_free(struct lr_view *view)
{
    if (view == NULL)
        return;
    drop_oversized(view);
    lr_cache_free(view->cache);
    lm_catalogue_drop(view->catalogue);
    lb_free(view->manager->host, view);
}

static void see_change(uint64_t user, void *context)
{
    struct lr_view *view = context;

    if (user == LM_CHANGE_ALL)
        view->drop_all = true;
    else if (!view->drop_all)
        lr_cache_drop(view->cache, user);
    if (view->oversized != NULL && (user == LM_CHANGE_ALL || user == view->oversized->hash))
        drop_oversized(view);
}

const struct lm_catalogue *lr_view_catalogue(const struct lr_view *view)
{
    return view->catalogue;
}

void lr_view_refresh(struct lr_view *view)
{
    struct lm_manager *manager = view->manager;
    struct lm_catalogue *old = NULL;

    if (__builtin_expect(lm_changes_sequence(&manager->changes) == view->sequence, 1))
        return;
    lm_changes_lock(&manager->changes);
    lm_changes_each(&manager->changes, view->sequence, see_change, view);
    view->sequence = lm_changes_sequence(&manager->changes);
    if (manager->catalogue != view->catalogue) {
        old = view->catalogue;
        view->catalogue = manager->catalogue;
        lm_catalogue_hold(view->catalogue);
    }
    lm_changes_unlock(&manager->changes);
    lm_catalogue_drop(old);
    /* Frees much, so not under the lock that writers need. */
    if (view->drop_all)
        lr_cache_drop_all(view->cache);
    view->drop_all = false;
}

/*
 * Two steps of memory, so two steps of hints: the slot of this user now; and the profile of the
 * user before, whose slot has arrived meanwhile, so that nobody waits here.
 */
void lr_view_hint(struct lr_view *view, struct lb_str user)
{
    uint64_t hash = lm_user_hash(view->manager, lm_effective_user(view->manager, user));

    lr_cache_hint_slot(view->cache, hash);
    lr_cache_hint_profile(view->cache, view->hinted);
    view->hinted = hash;
}

static const struct lr_profile *find(const struct lr_view *view, uint64_t hash, struct lb_str user)
{
    const struct lr_profile *profile = lr_cache_get(view->cache, hash, user);

    if (profile != NULL || view->oversized == NULL || view->oversized->hash != hash)
        return profile;
    return lb_str_eq(lr_profile_user(view->oversized), user) ? view->oversized : NULL;
}

bool lr_view_scene(const struct lr_view *view, uint64_t hash, struct lb_str user,
                   struct lr_scene *scene)
{
    *scene = (struct lr_scene){
        .options = &view->manager->options,
        .catalogue = view->catalogue,
        .profile = find(view, hash, user),
        .user = user,
        .is_system = lm_is_system_user(user),
    };
    return scene->profile != NULL;
}

llmgr_status lr_view_answer(struct lr_view *view, uint64_t hash, struct lb_str user,
                            const struct lr_request *request, struct lb_arena *arena,
                            struct lr_target *target, enum lr_view_result *result,
                            struct llmgr_error *err)
{
    struct lr_scene scene;
    struct lr_choice choice;

    if (!lr_view_scene(view, hash, user, &scene)) {
        *result = LR_VIEW_MISS;
        return LLMGR_OK;
    }
    scene.allowed = request->allowed;
    lr_choose(&scene, request, &choice);
    if (choice.gone != NULL) {
        *result = LR_VIEW_MISS;
        return LLMGR_OK;
    }
    *result = LR_VIEW_DONE;
    return lr_choice_answer(&scene, request, &choice, arena, target, err);
}

llmgr_status lr_view_resolve(struct lr_view *view, const struct lr_request *request,
                             struct lb_arena *arena, struct lr_target *target,
                             enum lr_view_result *result, struct llmgr_error *err)
{
    struct lb_str user = lm_effective_user(view->manager, request->user);

    llmgr_status status = lr_request_check(request, err);
    if (status != LLMGR_OK)
        return status;
    return lr_view_answer(view, lm_user_hash(view->manager, user), user, request, arena, target,
                          result, err);
}

static bool may_keep(struct lr_view *view, const struct lr_profile *profile)
{
    lr_view_refresh(view);
    return !lm_changes_concern(&view->manager->changes, profile->sequence, profile->hash);
}

void lr_view_keep(struct lr_view *view, const struct lr_profile *profile)
{
    if (may_keep(view, profile))
        (void)lr_cache_put(view->cache, profile);
}

void lr_view_put(struct lr_view *view, struct lr_profile *profile)
{
    if (profile == NULL)
        return;
    if (may_keep(view, profile) && !lr_cache_put(view->cache, profile)) {
        drop_oversized(view);
        view->oversized = profile;
        return;
    }
    lr_profile_free(view->manager, profile);
}
