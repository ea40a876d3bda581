/* SPDX-License-Identifier: MIT */
/* Setting and deleting aliases, and bringing the operator's in step with llmgr.yaml. */
#include "manager/aliases.h"

#include "base/error.h"
#include "manager/access.h"
#include "manager/rules.h"
#include "manager/sync_plan.h"
#include "store/store.h"

/* ---- Rules ----------------------------------------------------------------------------------- */

llmgr_status lm_rule_alias(struct lb_str name, struct lb_str target, struct llmgr_error *err)
{
    llmgr_status status = lm_rule_name(name, LM_NAME_ALIAS, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(target, LM_NAME_TARGET, err);
    if (status != LLMGR_OK)
        return status;
    size_t star = lb_str_find(name, '*');
    if (lb_str_find(lb_str_sub(name, star + 1, name.size), '*') + star + 1 < name.size)
        return lb_fail(
            err, LLMGR_ERR_INVALID,
            N_("invalid alias: it has more than one '*'; give one, such as in claude-*"));
    if (lb_str_eq_c(name, "auto") || lb_str_eq_c(name, LLMGR_SLOT_MAIN))
        return lb_fail(
            err, LLMGR_ERR_INVALID,
            N_("invalid alias: 'auto' and 'main' are slots, so an alias of that name would "
               "never be asked"));
    if (lb_str_eq(name, target))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid alias: it stands for itself; give the name of a slot or model"));
    return LLMGR_OK;
}

/* ---- A user's own ---------------------------------------------------------------------------- */

struct change {
    struct lm_manager *manager;
    struct lb_str user;
    struct lb_str name;
    struct lb_str target;
};

#define OWN(change) ls_int(0), ls_text((change)->user)

static llmgr_status find(struct ls_tx *tx, int64_t is_sys, struct lb_str user, struct lb_str name,
                         bool *found, struct llmgr_error *err)
{
    struct ls_rows rows;

    *found = false;
    llmgr_status status =
        ls_find(tx, LS_ALIAS_FIND, LS_ARGS(ls_int(is_sys), ls_text(user), ls_text(name)), &rows,
                found, err);
    if (*found)
        ls_rows_end(&rows);
    return status;
}

/* An alias more, if this is one, must fit. */
static llmgr_status judge_count(const struct change *change, struct ls_tx *tx,
                                struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found;

    llmgr_status status = find(tx, 0, change->user, change->name, &found, err);
    if (status != LLMGR_OK || found)
        return status;
    status = ls_get(tx, LS_ALIAS_COUNT, LS_ARGS(OWN(change)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    int64_t count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    if (count >= LM_ALIASES_PER_USER)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("you have %lld aliases, which is the limit; delete one first"),
                       (long long)count);
    return LLMGR_OK;
}

static llmgr_status set(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;

    llmgr_status status = judge_count(change, tx, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_ALIAS_SET,
                         LS_ARGS(OWN(change), ls_text(change->name), ls_text(change->target)), NULL,
                         err);
    return status;
}

llmgr_status lm_alias_set(struct lm_manager *manager, struct lb_str user, struct lb_str name,
                          struct lb_str target, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status == LLMGR_OK)
        status = lm_rule_alias(name, target, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager, .user = user, .name = name, .target = target};
    return lm_write(manager, user, set, &change, err);
}

static llmgr_status fail_absent(const struct change *change, struct ls_tx *tx,
                                struct llmgr_error *err)
{
    int shown = (int)lb_utf8_cut(change->name, LM_MODEL_NAME_MAX);
    bool found;

    llmgr_status status = find(tx, 1, LB_STR(LLMGR_SYSTEM_USER), change->name, &found, err);
    if (status != LLMGR_OK)
        return status;
    if (!found)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("you have no alias '%.*s'"), shown,
                       change->name.p);
    return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                   N_("the alias '%.*s' is the operator's; one of your own with that name is asked "
                      "before it"),
                   shown, change->name.p);
}

static llmgr_status delete_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    bool found;

    llmgr_status status = find(tx, 0, change->user, change->name, &found, err);
    if (status == LLMGR_OK && !found)
        return fail_absent(change, tx, err);
    if (status == LLMGR_OK)
        status =
            ls_exec(tx, LS_ALIAS_DELETE, LS_ARGS(OWN(change), ls_text(change->name)), NULL, err);
    return status;
}

llmgr_status lm_alias_delete(struct lm_manager *manager, struct lb_str user, struct lb_str name,
                             struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(name, LM_NAME_ALIAS, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager, .user = user, .name = name};
    return lm_revoke(manager, user, delete_row, &change, err);
}

/* ---- The operator's -------------------------------------------------------------------------- */

struct reading {
    struct lm_sync_plan *plan;
    struct lb_arena *arena;
};

static llmgr_status take_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *reading = context;
    struct lm_sync_plan *plan = reading->plan;
    struct lm_alias_row *at = &plan->alias_rows[plan->alias_row_count];

    /* More than fit cannot be paired, and are written anew. */
    if (plan->alias_row_count == LM_CATALOGUE_ALIASES_MAX)
        return LLMGR_OK;
    at->name = lb_arena_str(reading->arena, ls_column_text(row, 0));
    at->target = lb_arena_str(reading->arena, ls_column_text(row, 1));
    if (at->name.p == NULL || at->target.p == NULL)
        return lb_fail_memory(err);
    plan->alias_row_count++;
    return LLMGR_OK;
}

llmgr_status lm_aliases_compare(struct lm_sync_plan *plan, struct ls_tx *tx, struct lb_arena *arena,
                                struct llmgr_error *err)
{
    struct reading reading = {plan, arena};

    plan->alias_row_count = 0;
    plan->alias_rows = lb_arena_calloc(arena, LM_CATALOGUE_ALIASES_MAX, sizeof *plan->alias_rows);
    if (plan->alias_rows == NULL)
        return lb_fail_memory(err);
    llmgr_status status =
        ls_each(tx, LS_CATALOGUE_ALIASES, LS_ARGS(ls_int(LM_CATALOGUE_ALIASES_MAX + 1)), take_row,
                &reading, err);
    for (size_t i = 0; status == LLMGR_OK && i < plan->alias_count; i++) {
        struct lm_alias_entry *entry = &plan->aliases[i];
        entry->row = NULL;
        for (size_t j = 0; entry->row == NULL && j < plan->alias_row_count; j++) {
            if (lb_str_eq(entry->name, plan->alias_rows[j].name))
                entry->row = &plan->alias_rows[j];
        }
        if (entry->row != NULL)
            entry->row->is_matched = true;
    }
    return status;
}

bool lm_aliases_differ(const struct lm_sync_plan *plan)
{
    for (size_t i = 0; i < plan->alias_count; i++) {
        const struct lm_alias_entry *entry = &plan->aliases[i];
        if (entry->row == NULL || !lb_str_eq(entry->target, entry->row->target))
            return true;
    }
    return plan->alias_count != plan->alias_row_count;
}

llmgr_status lm_aliases_write(const struct lm_sync_plan *plan, struct ls_tx *tx,
                              struct llmgr_error *err)
{
    const struct ls_value is_sys = ls_int(1);
    const struct ls_value system = ls_cstr(LLMGR_SYSTEM_USER);
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; status == LLMGR_OK && i < plan->alias_row_count; i++) {
        const struct lm_alias_row *row = &plan->alias_rows[i];
        if (!row->is_matched)
            status = ls_exec(tx, LS_ALIAS_DELETE, LS_ARGS(is_sys, system, ls_text(row->name)), NULL,
                             err);
    }
    for (size_t i = 0; status == LLMGR_OK && i < plan->alias_count; i++) {
        const struct lm_alias_entry *entry = &plan->aliases[i];
        if (entry->row == NULL || !lb_str_eq(entry->target, entry->row->target))
            status = ls_exec(tx, LS_ALIAS_SET,
                             LS_ARGS(is_sys, system, ls_text(entry->name), ls_text(entry->target)),
                             NULL, err);
    }
    return status;
}
