/* SPDX-License-Identifier: MIT */
/*
 * What users change about models: those of their own platforms, and whether they see any model; and
 * what the operator does about those of system platforms, save the ones of llmgr.yaml, beside which
 * he may have others in its platforms.
 * The shape of each operation is that of platforms.c.
 */
#include "manager/models.h"

#include "base/error.h"
#include "manager/access.h"
#include "manager/platform_rules.h"
#include "manager/rules.h"
#include "store/store.h"

struct change {
    struct lm_manager *manager;
    struct lm_actor actor;
    int64_t platform_id;
    bool is_sys; /* the platform */
    int64_t model_id;
    struct lm_model_spec spec;
    struct lb_buf extra; /* spec.extra_body, compact; empty: none */
    bool hide;
};

static struct ls_value extra_value(const struct change *change)
{
    return ls_text_or_null(lb_buf_str(&change->extra));
}

static struct ls_value kind_value(const struct change *change)
{
    const int kind = change->spec.kind;

    return kind != LLMGR_UNSET ? ls_text_or_null(lm_model_kind_text((llmgr_model_kind)kind))
                               : ls_null();
}

/* 0 stands for what is not known. */
static struct ls_value tokens_value(int64_t tokens)
{
    return ls_int(tokens != LLMGR_UNSET ? tokens : 0);
}

static llmgr_status fail_displayed(const struct change *change, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_CONFLICT,
                   N_("a model of this platform is already displayed as '%.*s'; choose another "
                      "display name"),
                   (int)change->spec.display_name.size, change->spec.display_name.p);
}

/* In a system platform it is unique; elsewhere another may bear it as well. */
static llmgr_status judge_system_display(const struct change *change, struct ls_tx *tx,
                                         struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;

    llmgr_status status =
        ls_find(tx, LS_MODEL_DISPLAYED,
                LS_ARGS(ls_int(change->platform_id), ls_text(change->spec.display_name),
                        ls_int(change->model_id)),
                &rows, &found, err);
    if (!found)
        return status;
    ls_rows_end(&rows);
    return fail_displayed(change, err);
}

/* display_name is unique over all of a user's own platforms: it names a model in requests. */
static llmgr_status judge_display(const struct change *change, struct ls_tx *tx,
                                  struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;

    if (change->is_sys)
        return judge_system_display(change, tx, err);
    llmgr_status status =
        ls_find(tx, LS_MODEL_BY_DISPLAY,
                LS_ARGS(ls_text(change->actor.user), ls_text(change->spec.display_name),
                        ls_int(change->model_id)),
                &rows, &found, err);
    if (!found)
        return status;
    struct lb_str platform = ls_column_text(&rows, 0);
    status =
        lb_fail(err, LLMGR_ERR_CONFLICT,
                N_("a model of your platform '%.*s' is already displayed as '%.*s'; choose another "
                   "display name"),
                (int)platform.size, platform.p, (int)change->spec.display_name.size,
                change->spec.display_name.p);
    ls_rows_end(&rows);
    return status;
}

static llmgr_status judge_name(const struct change *change, struct ls_tx *tx,
                               struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;
    llmgr_status status = ls_find(
        tx, LS_MODEL_BY_NAME,
        LS_ARGS(ls_int(change->platform_id), ls_text(change->spec.model_name)), &rows, &found, err);
    if (!found)
        return status;
    status =
        lb_fail(err, LLMGR_ERR_CONFLICT, N_("the platform already has the model '%.*s' (%lld)"),
                (int)change->spec.model_name.size, change->spec.model_name.p,
                (long long)ls_column_int(&rows, 0));
    ls_rows_end(&rows);
    return status;
}

static llmgr_status judge_count(const struct change *change, struct ls_tx *tx,
                                struct llmgr_error *err)
{
    struct ls_rows rows;

    if (change->is_sys)
        return lm_rule_system_room(tx, 0, 1, err);
    llmgr_status status =
        ls_get(tx, LS_MODEL_COUNT, LS_ARGS(ls_int(change->platform_id)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    int64_t count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    if (count >= LM_MODELS_PER_PLATFORM)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("the platform has %lld models, which is the limit; delete one first"),
                       (long long)count);
    return LLMGR_OK;
}

static llmgr_status add(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    change->model_id = 0;
    struct lm_platform_row row;
    llmgr_status status = lm_access_platform(change->manager, tx, change->actor,
                                             change->platform_id, LM_ACCESS_EXTEND, &row, err);
    if (status != LLMGR_OK)
        return status;
    change->is_sys = row.is_sys;
    status = judge_name(change, tx, err);
    if (status == LLMGR_OK)
        status = judge_display(change, tx, err);
    if (status == LLMGR_OK)
        status = judge_count(change, tx, err);
    /* They stand in the order of their ids, one position for all, behind those of llmgr.yaml. */
    if (status == LLMGR_OK)
        status = ls_insert(tx, LS_MODEL_ADD,
                           LS_ARGS(ls_int(change->platform_id), ls_text(change->spec.model_name),
                                   ls_text(change->spec.display_name), extra_value(change),
                                   ls_int(change->is_sys ? LM_MADE_POSITION : 0),
                                   kind_value(change), ls_cstr(LM_MANAGED_DATABASE),
                                   tokens_value(change->spec.context_tokens),
                                   tokens_value(change->spec.max_output_tokens)),
                           &change->model_id, err);
    return status;
}

/* ---- What is given --------------------------------------------------------------------------- */

struct lm_model_spec lm_model_spec_of_nothing(void)
{
    return (struct lm_model_spec){
        .kind = LLMGR_UNSET, .context_tokens = LLMGR_UNSET, .max_output_tokens = LLMGR_UNSET};
}

static llmgr_status judge_tokens(int64_t tokens, const char *what, struct llmgr_error *err)
{
    return tokens != LLMGR_UNSET ? lm_rule_model_tokens(tokens, what, err) : LLMGR_OK;
}

/* All but the model_name; the extra_body is made compact in `extra`, which the caller frees. */
static llmgr_status judge_spec(const struct lm_model_spec *spec, struct lb_buf *extra,
                               struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    if (spec->display_name.p != NULL)
        status = lm_rule_name(spec->display_name, LM_NAME_DISPLAY, err);
    if (status == LLMGR_OK && spec->kind != LLMGR_UNSET)
        status = lm_rule_model_kind((llmgr_model_kind)spec->kind, err);
    if (status == LLMGR_OK)
        status = judge_tokens(spec->context_tokens, "context_tokens", err);
    if (status == LLMGR_OK)
        status = judge_tokens(spec->max_output_tokens, "max_output_tokens", err);
    return status == LLMGR_OK ? lm_rule_extra_body(spec->extra_body, extra, err) : status;
}

llmgr_status lm_model_add(struct lm_manager *manager, struct lm_actor actor, int64_t platform_id,
                          const struct lm_model_spec *spec, int64_t *model_id,
                          struct llmgr_error *err)
{
    struct change change = {.manager = manager, .platform_id = platform_id, .spec = *spec};

    if (change.spec.display_name.p == NULL)
        change.spec.display_name = spec->model_name;
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(spec->model_name, LM_NAME_MODEL, err);
    if (status != LLMGR_OK)
        return status;

    change.actor = actor;
    lb_buf_init(&change.extra, lm_host(manager), LM_EXTRA_BODY_MAX);
    status = judge_spec(&change.spec, &change.extra, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, lm_told(actor), add, &change, err);
    lb_buf_free(&change.extra);
    if (status == LLMGR_OK)
        *model_id = change.model_id;
    return status;
}

/* The model, and which platform it is of. */
static llmgr_status find(struct change *change, struct ls_tx *tx, enum lm_access access,
                         struct llmgr_error *err)
{
    struct lm_model_at at;

    llmgr_status status =
        lm_access_model(change->manager, tx, change->actor, change->model_id, access, &at, err);
    if (status == LLMGR_OK) {
        change->platform_id = at.platform_id;
        change->is_sys = at.is_sys;
    }
    return status;
}

static llmgr_status update(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    const struct lm_model_spec *spec = &change->spec;
    llmgr_status status = find(change, tx, LM_ACCESS_CHANGE, err);
    if (status != LLMGR_OK)
        return status;
    if (spec->display_name.p != NULL) {
        status = judge_display(change, tx, err);
        if (status == LLMGR_OK)
            status = ls_exec(tx, LS_MODEL_SET_DISPLAY,
                             LS_ARGS(ls_int(change->model_id), ls_text(change->spec.display_name)),
                             NULL, err);
    }
    if (status == LLMGR_OK && spec->extra_body.p != NULL)
        status = ls_exec(tx, LS_MODEL_SET_EXTRA,
                         LS_ARGS(ls_int(change->model_id), extra_value(change)), NULL, err);
    if (status == LLMGR_OK && spec->kind != LLMGR_UNSET)
        status = ls_exec(tx, LS_MODEL_SET_KIND,
                         LS_ARGS(ls_int(change->model_id), kind_value(change)), NULL, err);
    if (status == LLMGR_OK && spec->context_tokens != LLMGR_UNSET)
        status =
            ls_exec(tx, LS_MODEL_SET_CONTEXT,
                    LS_ARGS(ls_int(change->model_id), ls_int(spec->context_tokens)), NULL, err);
    if (status == LLMGR_OK && spec->max_output_tokens != LLMGR_UNSET)
        status =
            ls_exec(tx, LS_MODEL_SET_OUTPUT,
                    LS_ARGS(ls_int(change->model_id), ls_int(spec->max_output_tokens)), NULL, err);
    return status;
}

static bool is_update(const struct lm_model_spec *spec)
{
    return spec->display_name.p != NULL || spec->extra_body.p != NULL ||
           spec->kind != LLMGR_UNSET || spec->context_tokens != LLMGR_UNSET ||
           spec->max_output_tokens != LLMGR_UNSET;
}

llmgr_status lm_model_update(struct lm_manager *manager, struct lm_actor actor, int64_t model_id,
                             const struct lm_model_spec *spec, struct llmgr_error *err)
{
    struct change change = {.manager = manager, .model_id = model_id, .spec = *spec};

    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK && !is_update(spec))
        status = lb_fail(err, LLMGR_ERR_INVALID,
                         N_("nothing to change: give a display name, an extra_body, a kind, a "
                            "context or a maximum of output"));
    if (status != LLMGR_OK)
        return status;
    change.actor = actor;
    lb_buf_init(&change.extra, lm_host(manager), LM_EXTRA_BODY_MAX);
    status = judge_spec(spec, &change.extra, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, lm_told(actor), update, &change, err);
    lb_buf_free(&change.extra);
    return status;
}

static llmgr_status delete_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    llmgr_status status = find(change, tx, LM_ACCESS_CHANGE, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_MODEL_DELETE, LS_ARGS(ls_int(change->model_id)), NULL, err);
    return status;
}

llmgr_status lm_model_delete(struct lm_manager *manager, struct lm_actor actor, int64_t model_id,
                             struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager, .actor = actor, .model_id = model_id};
    return lm_revoke(manager, lm_told(actor), delete_row, &change, err);
}

static llmgr_status hide_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    llmgr_status status = find(change, tx, LM_ACCESS_SEE, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, change->hide ? LS_MODEL_HIDE : LS_MODEL_SHOW,
                         LS_ARGS(ls_text(change->actor.user), ls_int(change->model_id)), NULL, err);
    return status;
}

llmgr_status lm_model_hide(struct lm_manager *manager, struct lb_str user, int64_t model_id,
                           bool hide, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {
        .manager = manager, .actor = {.user = user}, .model_id = model_id, .hide = hide};
    return lm_write(manager, user, hide_row, &change, err);
}

/* ---- Both at once ---------------------------------------------------------------------------- */

struct edit {
    struct change change;
    bool update;
    bool hide;
};

static llmgr_status edit_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct edit *edit = context;
    llmgr_status status = edit->update ? update(tx, &edit->change, err) : LLMGR_OK;

    return status == LLMGR_OK && edit->hide ? hide_row(tx, &edit->change, err) : status;
}

llmgr_status lm_model_edit(struct lm_manager *manager, struct lm_actor actor, int64_t model_id,
                           const struct lm_model_spec *spec, const bool *hide,
                           struct llmgr_error *err)
{
    struct edit edit = {.change = {.manager = manager,
                                   .model_id = model_id,
                                   .spec = *spec,
                                   .hide = hide != NULL && *hide},
                        .update = is_update(spec),
                        .hide = hide != NULL};

    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK && !edit.update && !edit.hide)
        status = lb_fail(err, LLMGR_ERR_INVALID, N_("nothing to change: give at least one member"));
    if (status != LLMGR_OK)
        return status;
    edit.change.actor = actor;
    lb_buf_init(&edit.change.extra, lm_host(manager), LM_EXTRA_BODY_MAX);
    status = judge_spec(spec, &edit.change.extra, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, edit.update ? lm_told(actor) : actor.user, edit_row, &edit, err);
    lb_buf_free(&edit.change.extra);
    return status;
}
