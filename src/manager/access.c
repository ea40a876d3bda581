/* SPDX-License-Identifier: MIT */
/*
 * The verdicts of the modes in one place. Order matters: a system platform answers "changed in
 * llmgr.yaml" in every mode, because that is the remedy; then the mode answers for everything
 * private, so that it cannot be used to find out which ids exist; then the row must be there.
 */
#include "manager/access.h"

#include "base/error.h"
#include "store/store.h"

static llmgr_status fail_mode(const struct lm_manager *manager, struct llmgr_error *err)
{
    if (lm_options(manager)->for_callers)
        return lb_fail(
            err, LLMGR_ERR_MODE,
            N_("this gateway lets nobody have platforms of their own; GET /api/platforms "
               "lists those there are"));
    if (lm_options(manager)->mode == LLMGR_MODE_SINGLE)
        return lb_fail(err, LLMGR_ERR_MODE,
                       N_("in mode single there are no private platforms; set mode: custom to let "
                          "users have their own"));
    return lb_fail(
        err, LLMGR_ERR_MODE,
        N_("in mode fixed users cannot have platforms of their own; set mode: custom, or "
           "store a key of your own for a system platform"));
}

static llmgr_status fail_system(const struct lm_manager *manager, struct llmgr_error *err)
{
    if (lm_options(manager)->for_callers)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("system platforms and their models are the operator's to change"));
    return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                   N_("system platforms are changed in llmgr.yaml, followed by llmgr sync"));
}

/* What the mode and the kind of row say; `found` tells whether the user has such a row. */
static llmgr_status judge(const struct lm_manager *manager, bool found, bool is_sys,
                          enum lm_access access, struct llmgr_error *err)
{
    if (found && is_sys)
        return access == LM_ACCESS_SEE ? LLMGR_OK : fail_system(manager, err);
    bool is_custom = lm_options(manager)->mode == LLMGR_MODE_CUSTOM;
    if (access == LM_ACCESS_CHANGE && !is_custom)
        return fail_mode(manager, err);
    return found && is_custom ? LLMGR_OK : LLMGR_ERR_NOT_FOUND;
}

static void set_row(struct lm_platform_row *row, const struct ls_rows *rows)
{
    row->is_sys = ls_column_int(rows, 0) != 0;

    struct lb_str name = ls_column_text(rows, 1);
    size_t size = lb_utf8_cut(name, LM_PLATFORM_NAME_MAX);
    if (size > 0)
        memcpy(row->name, name.p, size);
    row->name[size] = '\0';

    struct lh_url url;
    if (lh_url_parse(ls_column_text(rows, 2), &url) == LH_URL_OK)
        lh_url_origin(&url, row->origin);
    else
        row->origin[0] = '\0';
}

llmgr_status lm_access_platform(const struct lm_manager *manager, struct ls_tx *tx,
                                struct lb_str user, int64_t platform_id, enum lm_access access,
                                struct lm_platform_row *row, struct llmgr_error *err)
{
    struct lm_platform_row read = {0};
    struct ls_rows rows;
    bool found = false;
    llmgr_status status = ls_find(tx, LS_PLATFORM_FIND, LS_ARGS(ls_int(platform_id), ls_text(user)),
                                  &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    if (found) {
        set_row(&read, &rows);
        ls_rows_end(&rows);
    }
    status = judge(manager, found, read.is_sys, access, err);
    if (status == LLMGR_ERR_NOT_FOUND)
        return lb_fail(err, status, N_("there is no platform %lld"), (long long)platform_id);
    if (status == LLMGR_OK)
        *row = read;
    return status;
}

llmgr_status lm_fail_no_address(const struct lm_platform_row *row, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("platform '%s' has no address yet, and a key belongs to an address; set the "
                      "address (or the variable it comes from) first"),
                   row->name);
}

llmgr_status lm_access_model(const struct lm_manager *manager, struct ls_tx *tx, struct lb_str user,
                             int64_t model_id, enum lm_access access, int64_t *platform_id,
                             struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;
    llmgr_status status =
        ls_find(tx, LS_MODEL_FIND, LS_ARGS(ls_int(model_id), ls_text(user)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    int64_t platform = 0;
    bool is_sys = false;
    if (found) {
        platform = ls_column_int(&rows, 0);
        is_sys = ls_column_int(&rows, 1) != 0;
        ls_rows_end(&rows);
    }
    status = judge(manager, found, is_sys, access, err);
    if (status == LLMGR_ERR_NOT_FOUND)
        return lb_fail(err, status, N_("there is no model %lld"), (long long)model_id);
    if (status == LLMGR_OK)
        *platform_id = platform;
    return status;
}

llmgr_status lm_access_create(const struct lm_manager *manager, struct lb_str user,
                              struct llmgr_error *err)
{
    if (lm_options(manager)->mode != LLMGR_MODE_CUSTOM)
        return fail_mode(manager, err);
    if (lm_is_system_user(user) && lm_options(manager)->for_callers)
        return lb_fail(err, LLMGR_ERR_MODE,
                       N_("the system user has no private platforms; name a user with ?user="));
    if (lm_is_system_user(user))
        return lb_fail(
            err, LLMGR_ERR_MODE,
            N_("the system user has no private platforms; add the platform to llmgr.yaml, "
               "or name a user (-u)"));
    return LLMGR_OK;
}

llmgr_status lm_access_user(const struct lm_manager *manager, struct lb_str *user,
                            struct llmgr_error *err)
{
    struct lb_str effective = lm_effective_user(manager, *user);
    llmgr_status status = lm_check_user(effective, err);
    if (status == LLMGR_OK)
        *user = effective;
    return status;
}

struct held {
    struct lb_str user;
    int64_t platform_id;
    bool held;
};

static llmgr_status look_for_key(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct held *held = context;
    struct ls_rows rows;

    held->held = false;
    llmgr_status status =
        ls_find(tx, LS_KEY_HELD, LS_ARGS(ls_text(held->user), ls_int(held->platform_id)), &rows,
                &held->held, err);
    if (held->held)
        ls_rows_end(&rows);
    return status;
}

llmgr_status lm_access_has_key(struct lm_manager *manager, struct lb_str user, int64_t platform_id,
                               bool *has, struct llmgr_error *err)
{
    struct held held = {.user = user, .platform_id = platform_id};

    llmgr_status status = ls_transact(lm_store(manager), LS_READ_ONE, look_for_key, &held, err);
    if (status == LLMGR_OK)
        *has = held.held;
    return status;
}
