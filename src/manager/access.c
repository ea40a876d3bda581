/* SPDX-License-Identifier: MIT */
/*
 * The verdicts of the modes in one place. Order matters: a system platform answers for
 * itself in every mode, so that it is told who changes it and where; then the mode answers for
 * everything private, so that it cannot be used to find out which ids exist; then the row must be
 * there.
 */
#include "manager/access.h"

#include "base/error.h"
#include "manager/platform_rules.h"
#include "store/store.h"

static llmgr_status fail_mode(const struct lm_manager *manager, struct llmgr_error *err)
{
    if (lm_options(manager)->for_callers)
        return lb_fail(
            err, LLMGR_ERR_MODE,
            N_("this gateway lets nobody have platforms of their own; GET /api/platforms "
               "lists those there are"));
    if (lm_options(manager)->mode == LLMGR_MODE_SINGLE)
        return lb_fail(
            err, LLMGR_ERR_MODE,
            N_("in mode single there are no private platforms; add a system platform with "
               "--system, or set mode: custom to let users have their own"));
    return lb_fail(
        err, LLMGR_ERR_MODE,
        N_("in mode fixed users cannot have platforms of their own; set mode: custom, or "
           "store a key of your own for a system platform"));
}

/* A system platform or a model of one, as a look-up finds it. */
struct judged {
    bool found;
    bool is_sys;
    bool in_file;
    struct lb_str name; /* borrowed */
};

/* It is the file's, and who acts would be the one to change it. */
static llmgr_status fail_file(const struct lm_manager *manager, const struct judged *row,
                              bool is_model, struct llmgr_error *err)
{
    const bool for_callers = lm_options(manager)->for_callers;

    if (is_model)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       for_callers ? N_("the model '%.*s' is managed by the server's configuration "
                                        "file, and changed there")
                                   : N_("the model '%.*s' is managed by llmgr.yaml: change it "
                                        "there and run `llmgr sync`"),
                       (int)row->name.size, row->name.p);
    return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                   for_callers ? N_("the platform '%.*s' is managed by the server's configuration "
                                    "file, and changed there")
                               : N_("the platform '%.*s' is managed by llmgr.yaml: change it there "
                                    "and run `llmgr sync`"),
                   (int)row->name.size, row->name.p);
}

static llmgr_status fail_system(const struct lm_manager *manager, const struct judged *row,
                                struct llmgr_error *err)
{
    if (lm_options(manager)->for_callers)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("system platforms and their models are the operator's to change"));
    if (row->in_file)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("system platforms are changed in llmgr.yaml, followed by llmgr sync"));
    return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                   N_("this platform was made by the operator, who alone changes it: leave out -u, "
                      "or add --system"));
}

static llmgr_status judge_system(const struct lm_manager *manager, struct lm_actor actor,
                                 const struct judged *row, enum lm_access access, bool is_model,
                                 struct llmgr_error *err)
{
    const bool is_free =
        access == LM_ACCESS_SEE ||
        (access == LM_ACCESS_KEYS && (row->in_file || !lm_is_system_user(actor.user)));

    if (is_free || (actor.is_operator && (!row->in_file || access == LM_ACCESS_EXTEND)))
        return LLMGR_OK;
    return actor.is_operator ? fail_file(manager, row, is_model, err)
                             : fail_system(manager, row, err);
}

/* What the mode and the kind of row say; `found` tells whether the user has such a row. */
static llmgr_status judge(const struct lm_manager *manager, struct lm_actor actor,
                          const struct judged *row, enum lm_access access, bool is_model,
                          struct llmgr_error *err)
{
    if (row->found && row->is_sys)
        return judge_system(manager, actor, row, access, is_model, err);
    const bool changes = access == LM_ACCESS_CHANGE || access == LM_ACCESS_EXTEND;
    const bool is_custom = lm_options(manager)->mode == LLMGR_MODE_CUSTOM;
    if (changes && !is_custom)
        return fail_mode(manager, err);
    return row->found && is_custom ? LLMGR_OK : LLMGR_ERR_NOT_FOUND;
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

static bool is_file(bool is_sys, struct lb_str managed)
{
    return is_sys && lb_str_eq_c(managed, LM_MANAGED_FILE);
}

llmgr_status lm_access_platform(const struct lm_manager *manager, struct ls_tx *tx,
                                struct lm_actor actor, int64_t platform_id, enum lm_access access,
                                struct lm_platform_row *row, struct llmgr_error *err)
{
    struct lm_platform_row read = {0};
    struct judged judged = {0};
    struct ls_rows rows;

    llmgr_status status =
        ls_find(tx, LS_PLATFORM_FIND, LS_ARGS(ls_int(platform_id), ls_text(actor.user)), &rows,
                &judged.found, err);
    if (status != LLMGR_OK)
        return status;
    if (judged.found) {
        set_row(&read, &rows);
        read.in_file = is_file(read.is_sys, ls_column_text(&rows, 3));
        read.is_made = read.is_sys && !read.in_file && actor.is_operator;
        ls_rows_end(&rows);
    }
    judged.is_sys = read.is_sys;
    judged.in_file = read.in_file;
    judged.name = lb_cstr(read.name);
    status = judge(manager, actor, &judged, access, false, err);
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

llmgr_status lm_access_model(const struct lm_manager *manager, struct ls_tx *tx,
                             struct lm_actor actor, int64_t model_id, enum lm_access access,
                             struct lm_model_at *at, struct llmgr_error *err)
{
    struct judged judged = {0};
    struct lm_model_at read = {0};
    struct ls_rows rows;

    llmgr_status status = ls_find(tx, LS_MODEL_FIND, LS_ARGS(ls_int(model_id), ls_text(actor.user)),
                                  &rows, &judged.found, err);
    if (status != LLMGR_OK)
        return status;
    if (judged.found) {
        read.platform_id = ls_column_int(&rows, 0);
        read.is_sys = judged.is_sys = ls_column_int(&rows, 1) != 0;
        judged.in_file = is_file(judged.is_sys, ls_column_text(&rows, 2));
        judged.name = ls_column_text(&rows, 3);
    }
    status = judge(manager, actor, &judged, access, true, err);
    if (judged.found)
        ls_rows_end(&rows);
    if (status == LLMGR_ERR_NOT_FOUND)
        return lb_fail(err, status, N_("there is no model %lld"), (long long)model_id);
    if (status == LLMGR_OK)
        *at = read;
    return status;
}

llmgr_status lm_access_operator(struct lm_actor actor, struct llmgr_error *err)
{
    return actor.is_operator ? LLMGR_OK
                             : lb_fail(err, LLMGR_ERR_FORBIDDEN,
                                       N_("system platforms are the operator's to make"));
}

llmgr_status lm_access_create(const struct lm_manager *manager, struct lb_str user,
                              struct llmgr_error *err)
{
    if (lm_options(manager)->mode != LLMGR_MODE_CUSTOM)
        return fail_mode(manager, err);
    if (lm_is_system_user(user) && lm_options(manager)->for_callers)
        return lb_fail(err, LLMGR_ERR_MODE,
                       N_("the system user has no private platforms; name a user with ?user=, or "
                          "make a system platform with \"is_sys\": true"));
    if (lm_is_system_user(user))
        return lb_fail(
            err, LLMGR_ERR_MODE,
            N_("the system user has no private platforms; add a system platform with --system or "
               "in llmgr.yaml, or name a user (-u)"));
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
