/* SPDX-License-Identifier: MIT */
/* Storing a choice, and naming the slots that hold one. Reading a choice is resolve's affair. */
#include "manager/selections.h"

#include "base/error.h"
#include "manager/access.h"
#include "manager/routes.h"
#include "manager/rules.h"
#include "store/store.h"

struct choice {
    struct lm_manager *manager;
    struct lb_str user;
    struct lb_str slot;
    int64_t platform_id;
    int64_t model_id;
    struct lb_str route; /* not empty: the choice is a route */
};

/* A slot more, if this is one, must fit. */
static llmgr_status judge_count(const struct choice *choice, struct ls_tx *tx,
                                struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;
    llmgr_status status =
        ls_find(tx, LS_SELECTION_HAS, LS_ARGS(ls_text(choice->user), ls_text(choice->slot)), &rows,
                &found, err);
    if (found)
        ls_rows_end(&rows);
    if (status != LLMGR_OK || found)
        return status;
    status = ls_get(tx, LS_SELECTION_COUNT, LS_ARGS(ls_text(choice->user)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    int64_t count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    if (count >= LM_SLOTS_PER_USER)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("you have chosen for %lld slots, which is the limit; use one of them"),
                       (long long)count);
    return LLMGR_OK;
}

static llmgr_status save(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct choice *choice = context;
    const struct lm_actor actor = {.user = choice->user};
    struct lm_platform_row row;
    struct lm_model_at at;
    llmgr_status status = lm_access_platform(choice->manager, tx, actor, choice->platform_id,
                                             LM_ACCESS_SEE, &row, err);
    if (status != LLMGR_OK)
        return status;
    status = lm_access_model(choice->manager, tx, actor, choice->model_id, LM_ACCESS_SEE, &at, err);
    if (status != LLMGR_OK)
        return status;
    if (at.platform_id != choice->platform_id)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("platform %lld, '%s', has no model %lld"),
                       (long long)choice->platform_id, row.name, (long long)choice->model_id);
    status = judge_count(choice, tx, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_SELECTION_SET,
                         LS_ARGS(ls_text(choice->user), ls_text(choice->slot),
                                 ls_int(choice->platform_id), ls_int(choice->model_id)),
                         NULL, err);
    return status;
}

static llmgr_status save_route(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct choice *choice = context;
    int64_t id = 0;

    llmgr_status status = lm_route_by_name(tx, false, choice->user, choice->route, &id, err);
    if (status == LLMGR_OK && id == 0)
        status = lm_route_by_name(tx, true, choice->user, choice->route, &id, err);
    if (status == LLMGR_OK && id == 0)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no route '%.*s'"),
                       (int)lb_utf8_cut(choice->route, LM_SLOT_MAX), choice->route.p);
    if (status == LLMGR_OK)
        status = judge_count(choice, tx, err);
    if (status == LLMGR_OK)
        status =
            ls_exec(tx, LS_SELECTION_SET_ROUTE,
                    LS_ARGS(ls_text(choice->user), ls_text(choice->slot), ls_int(id)), NULL, err);
    return status;
}

/* Judges who chooses for which slot, then writes what is chosen. */
static llmgr_status write_choice(struct lm_manager *manager, struct choice *choice,
                                 lm_change_fn write, struct llmgr_error *err)
{
    if (choice->slot.p == NULL)
        choice->slot = LB_STR(LLMGR_SLOT_MAIN);
    llmgr_status status = lm_access_user(manager, &choice->user, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(choice->slot, LM_NAME_SLOT, err);
    if (status != LLMGR_OK)
        return status;
    choice->manager = manager;
    return lm_write(manager, choice->user, write, choice, err);
}

llmgr_status lm_selection_save(struct lm_manager *manager, struct lb_str user, struct lb_str slot,
                               int64_t platform_id, int64_t model_id, struct llmgr_error *err)
{
    struct choice choice = {
        .user = user, .slot = slot, .platform_id = platform_id, .model_id = model_id};

    return write_choice(manager, &choice, save, err);
}

llmgr_status lm_selection_save_route(struct lm_manager *manager, struct lb_str user,
                                     struct lb_str slot, struct lb_str route,
                                     struct llmgr_error *err)
{
    struct choice choice = {.user = user, .slot = slot, .route = route};

    llmgr_status status = lm_rule_name(route, LM_NAME_ROUTE, err);
    return status == LLMGR_OK ? write_choice(manager, &choice, save_route, err) : status;
}

struct slots {
    struct lb_str user;
    struct lb_arena *arena;
    struct lb_str *items;
    size_t count;
    size_t capacity;
};

static bool add_slot(struct slots *slots, struct lb_str name)
{
    if (slots->count == slots->capacity) {
        size_t capacity = slots->capacity > 0 ? 2 * slots->capacity : 8;
        struct lb_str *items = lb_arena_calloc(slots->arena, capacity, sizeof *items);
        if (items == NULL)
            return false;
        if (slots->count > 0)
            memcpy(items, slots->items, slots->count * sizeof *items);
        slots->items = items;
        slots->capacity = capacity;
    }
    struct lb_str copy = lb_arena_str(slots->arena, name);
    if (copy.p == NULL)
        return false;
    slots->items[slots->count++] = copy;
    return true;
}

static llmgr_status take_slot(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    return add_slot(context, ls_column_text(row, 0)) ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status read_slots(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct slots *slots = context;
    slots->count = 0;
    return ls_each(tx, LS_SELECTION_SLOTS, LS_ARGS(ls_text(slots->user)), take_slot, slots, err);
}

llmgr_status lm_selection_slots(struct lm_manager *manager, struct lb_str user,
                                struct lb_arena *arena, struct lb_str **slots, size_t *count,
                                struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status != LLMGR_OK)
        return status;
    struct slots list = {.user = user, .arena = arena};
    status = ls_transact(lm_store(manager), LS_READ_ONE, read_slots, &list, err);
    if (status != LLMGR_OK)
        return status;
    *slots = list.items;
    *count = list.count;
    return LLMGR_OK;
}
