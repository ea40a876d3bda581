/* SPDX-License-Identifier: MIT */
/*
 * Repair. The decision was made from memory, which another process may have overtaken, so the
 * statement judges again: the old target must be gone in the database and the new one there. Of
 * two repairs at once one changes a row; the other finds nothing to change and reads again.
 */
#include "resolve/repair.h"

#include "base/error.h"
#include "manager/handle.h"
#include "store/store.h"

struct repair {
    struct lb_str user;
    struct lb_str slot;
    const struct lr_selection *gone;
    int64_t platform_id;
    int64_t model_id;
    bool moved; /* the statement found nothing to change */
};

static llmgr_status replace_model(struct ls_tx *tx, const struct repair *repair, int64_t *changed,
                                  struct llmgr_error *err)
{
    return ls_exec(tx, LS_SELECTION_REPAIR,
                   LS_ARGS(ls_text(repair->user), ls_text(repair->slot),
                           ls_int(repair->gone->platform_id), ls_int(repair->gone->model_id),
                           ls_int(repair->platform_id), ls_int(repair->model_id)),
                   changed, err);
}

static llmgr_status replace_route(struct ls_tx *tx, const struct repair *repair, int64_t *changed,
                                  struct llmgr_error *err)
{
    return ls_exec(tx, LS_SELECTION_REPAIR_ROUTE,
                   LS_ARGS(ls_text(repair->user), ls_text(repair->slot),
                           ls_int(repair->gone->route_id), ls_int(repair->platform_id),
                           ls_int(repair->model_id)),
                   changed, err);
}

static llmgr_status replace(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct repair *repair = context;
    int64_t changed = 0;

    llmgr_status status = repair->gone->route_id != 0 ? replace_route(tx, repair, &changed, err)
                                                      : replace_model(tx, repair, &changed, err);
    if (status != LLMGR_OK)
        return status;
    repair->moved = changed == 0;
    /* Nothing changed: no revision either. The caller looks at `moved`. */
    return repair->moved ? LLMGR_ERR_CONFLICT : LLMGR_OK;
}

enum lr_repair lr_repair(struct lm_manager *manager, const struct lr_scene *scene,
                         const struct lr_selection *gone)
{
    struct lr_choice first = {.platform = NULL};
    struct llmgr_error err = {0};

    lr_choose_first(scene, &first);
    if (first.platform == NULL)
        return LR_REPAIR_STUCK;
    if (manager->options.read_only) {
        lb_info(manager->host, "a stored choice is gone and cannot be replaced: read-only");
        return LR_REPAIR_STUCK;
    }
    struct repair repair = {
        .user = scene->user,
        .slot = lr_profile_slot(scene->profile, gone),
        .gone = gone,
        .platform_id = first.platform->id,
        .model_id = first.model->id,
    };
    if (lm_write(manager, scene->user, replace, &repair, &err) == LLMGR_OK) {
        lb_info(manager->host, "a stored choice was gone: platform %lld, model %lld replace it",
                (long long)repair.platform_id, (long long)repair.model_id);
        return LR_REPAIR_DONE;
    }
    if (repair.moved)
        return LR_REPAIR_STALE;
    lb_warn(manager->host, "a stored choice is gone and could not be replaced: %s", err.message);
    return LR_REPAIR_STUCK;
}
