/* SPDX-License-Identifier: MIT */
/*
 * What this process remembers of the database: the catalogue of now and the newest change it
 * knows. A new catalogue is swapped in whole, and whoever keeps a profile hears that it is void.
 */
#include "manager/handle.h"

#include "base/error.h"
#include "store/store.h"

struct lm_catalogue *lm_catalogue_now(struct lm_manager *manager, uint64_t *sequence)
{
    lm_changes_lock(&manager->changes);
    struct lm_catalogue *catalogue = manager->catalogue;
    lm_catalogue_hold(catalogue);
    if (sequence != NULL)
        *sequence = lm_changes_sequence(&manager->changes);
    lm_changes_unlock(&manager->changes);
    return catalogue;
}

static void note(struct lm_manager *manager, uint64_t user)
{
    lm_changes_lock(&manager->changes);
    lm_changes_add(&manager->changes, user);
    lm_changes_unlock(&manager->changes);
}

struct lm_point lm_known(struct lm_manager *manager)
{
    lm_changes_lock(&manager->changes);
    struct lm_point known = manager->known;
    lm_changes_unlock(&manager->changes);
    return known;
}

/*
 * Of two threads that load at once, the one that read the older state must not win: that of the
 * lower revision, or, where revisions say nothing, of an ended history.
 */
bool lm_catalogue_swap(struct lm_manager *manager, struct lm_catalogue *fresh, uint64_t history,
                       bool begins)
{
    struct lm_catalogue *old = fresh;

    lm_changes_lock(&manager->changes);
    bool current = history == atomic_load(&manager->history) &&
                   (begins || history == atomic_load(&manager->catalogue_history));
    if (current &&
        (begins || lm_catalogue_revision(fresh) >= lm_catalogue_revision(manager->catalogue))) {
        old = manager->catalogue;
        manager->catalogue = fresh;
        atomic_store(&manager->catalogue_history, history);
    }
    if (current)
        atomic_store(&manager->catalogue_stale, false);
    lm_changes_add(&manager->changes, LM_CHANGE_ALL);
    lm_changes_unlock(&manager->changes);
    lm_catalogue_drop(old);
    return current;
}

llmgr_status lm_catalogue_reload(struct lm_manager *manager, struct llmgr_error *err)
{
    struct lm_catalogue *fresh;
    uint64_t history = atomic_load(&manager->history);
    const struct lm_point known = lm_known(manager);

    llmgr_status status = lm_catalogue_load(manager, &known, &fresh, err);
    if (status != LLMGR_OK) {
        atomic_store(&manager->catalogue_stale, true);
        note(manager, LM_CHANGE_ALL);
        return status;
    }
    if (!lm_catalogue_swap(manager, fresh, history, false))
        return lb_fail(err, LLMGR_ERR_DATABASE_BUSY,
                       N_("%s went back in time while it was read; try again"),
                       ls_place(manager->store));
    return LLMGR_OK;
}
