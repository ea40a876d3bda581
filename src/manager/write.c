/* SPDX-License-Identifier: MIT */
/*
 * The one road of every change: a transaction that also appends to llm_changes. Our own changes
 * are known at once; those of others by polling (poll.c).
 */
#include "manager/manager.h"

#include <sodium.h>

#include "base/error.h"
#include "manager/handle.h"
#include "store/store.h"

struct change {
    struct lm_manager *manager;
    struct lb_str user;
    lm_change_fn change;
    void *context;
    struct lm_point point; /* of the try that was committed */
    struct lm_point after; /* the change known before it */
    bool follows;          /* nothing stands between the two */
};

/* Never one of the values that mean something else. */
static int64_t make_mark(void)
{
    uint64_t bits;

    randombytes_buf(&bits, sizeof bits);
    return (int64_t)(bits >> 1) | 1;
}

/* Is the known change there, and the last before ours? Else the poll finds what we missed. */
static llmgr_status look_before(struct change *change, struct ls_tx *tx, struct llmgr_error *err)
{
    struct ls_rows rows;

    change->after = lm_known(change->manager);
    llmgr_status status =
        ls_get(tx, LS_HISTORY_BEFORE,
               LS_ARGS(ls_int(change->after.revision), ls_int(change->point.revision)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    change->follows = ls_column_int(&rows, 0) == change->after.revision &&
                      ls_column_int(&rows, 1) == change->after.mark;
    ls_rows_end(&rows);
    return LLMGR_OK;
}

static llmgr_status run_change(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    llmgr_status status = change->change(tx, change->context, err);
    if (status != LLMGR_OK)
        return status;
    change->point.mark = make_mark();
    status = ls_insert(tx, LS_REVISION_ADD,
                       LS_ARGS(ls_text_or_null(change->user), ls_int(change->point.mark)),
                       &change->point.revision, err);
    if (status == LLMGR_OK)
        status = look_before(change, tx, err);
    if (status != LLMGR_OK || change->point.revision % LM_CHANGES_EVERY != 0)
        return status;
    return ls_exec(tx, LS_CHANGES_PRUNE,
                   LS_ARGS(ls_int(change->point.revision - LM_CHANGES_LISTED)), NULL, err);
}

/*
 * Our own change need not be polled, if nobody else's stands before it. In one step with the note,
 * so that who reads with the older point in mind does not keep it.
 */
static void note_own(struct lm_manager *manager, const struct change *change, uint64_t user)
{
    lm_changes_lock(&manager->changes);
    if (change->follows && manager->known.revision == change->after.revision &&
        manager->known.mark == change->after.mark)
        manager->known = change->point;
    lm_changes_add(&manager->changes, user);
    lm_changes_unlock(&manager->changes);
}

static llmgr_status write_as(struct lm_manager *manager, enum ls_mode mode, struct lb_str user,
                             lm_change_fn change, void *context, struct llmgr_error *err)
{
    struct llmgr_error own = {0};
    struct change run = {.manager = manager, .user = user, .change = change, .context = context};

    if (manager->options.read_only)
        return lb_fail(err, LLMGR_ERR_DATABASE_READONLY,
                       N_("%s was opened for reading only: nothing can be changed"),
                       ls_place(manager->store));
    llmgr_status status =
        ls_transact(manager->store, mode, run_change, &run, err != NULL ? err : &own);
    if (status != LLMGR_OK)
        return status;
    if (user.size == 0 && lm_catalogue_reload(manager, NULL) != LLMGR_OK) {
        /* It is committed all the same; the next resolve loads it, or fails. */
        lb_warn(manager->host, "the catalogue was changed but could not be read again");
        return LLMGR_OK;
    }
    note_own(manager, &run, user.size != 0 ? lm_user_hash(manager, user) : LM_CHANGE_ALL);
    return LLMGR_OK;
}

llmgr_status lm_write(struct lm_manager *manager, struct lb_str user, lm_change_fn change,
                      void *context, struct llmgr_error *err)
{
    return write_as(manager, LS_WRITE, user, change, context, err);
}

/* Who has taken a key or token away must not believe it gone while it works. */
static llmgr_status still_in_force(llmgr_status status, const struct llmgr_error *why,
                                   struct llmgr_error *err)
{
    switch (status) {
    case LLMGR_ERR_DATABASE_FULL:
    case LLMGR_ERR_DATABASE_BUSY:
    case LLMGR_ERR_DATABASE_READONLY:
    case LLMGR_ERR_NO_MEMORY:
        return lb_fail(err, status, N_("this was not done, what should end is still in force: %s"),
                       why->message);
    case LLMGR_ERR_DATABASE:
        return lb_fail(err, status,
                       N_("it is not certain that this was done, what should end may still be in "
                          "force: %s"),
                       why->message);
    default:
        if (err != NULL)
            *err = *why;
        return status;
    }
}

llmgr_status lm_revoke(struct lm_manager *manager, struct lb_str user, lm_change_fn change,
                       void *context, struct llmgr_error *err)
{
    struct llmgr_error why = {0};

    llmgr_status status = write_as(manager, LS_REVOKE, user, change, context, &why);
    return status == LLMGR_OK ? LLMGR_OK : still_in_force(status, &why, err);
}
