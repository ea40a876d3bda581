/* SPDX-License-Identifier: MIT */
/*
 * The routes of llmgr.yaml in a sync. A row is the same route as an entry if the names agree. Rows
 * that were made by calls are not the file's: they are neither changed nor removed, and an entry of
 * the same name is a mistake in the file.
 */
#include "base/error.h"
#include "manager/route_row.h"
#include "manager/routes.h"
#include "manager/sync_plan.h"
#include "store/store.h"

enum { TARGETS_JSON_MAX = 1 << 20 /* bytes of the column */ };

/* ---- Reading and comparing ------------------------------------------------------------------- */

struct reading {
    struct lm_sync_plan *plan;
    struct lb_arena *arena;
};

static llmgr_status take_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *reading = context;
    struct lm_sync_plan *plan = reading->plan;

    if (plan->route_row_count == LM_CATALOGUE_ROUTES_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("the database holds more system routes than the %d that fit"),
                       LM_CATALOGUE_ROUTES_MAX);
    struct lm_route_row *at = &plan->route_rows[plan->route_row_count];
    if (!lm_route_take(row, reading->arena, &at->route))
        return lb_fail_memory(err);
    plan->route_row_count++;
    return LLMGR_OK;
}

static bool same_targets(const struct lm_route_entry *entry, const struct lm_route *row)
{
    if (entry->spec.target_count != row->count)
        return false;
    for (size_t i = 0; i < row->count; i++) {
        const struct lm_route_target *wanted = &entry->targets[i], *stored = &row->targets[i];
        if (!lb_str_eq(wanted->model, stored->model) || wanted->weight != stored->weight ||
            wanted->first_byte_ms != stored->first_byte_ms)
            return false;
    }
    return true;
}

static unsigned diff_of(const struct lm_route_entry *entry, const struct lm_route *row)
{
    const struct lm_route_spec *spec = &entry->spec;

    return lm_bit_if(!lb_str_eq(spec->display_name, row->display_name), LM_DIFF_DISPLAY_NAME) |
           lm_bit_if(spec->pick != (int)row->pick, LM_DIFF_PICK) |
           lm_bit_if(spec->sticky != (int)row->sticky, LM_DIFF_STICKY) |
           lm_bit_if(spec->on_exhausted != (int)row->on_exhausted, LM_DIFF_ON_EXHAUSTED) |
           lm_bit_if(spec->attempts != (int64_t)row->attempts, LM_DIFF_ATTEMPTS) |
           lm_bit_if(spec->deadline_ms != row->deadline_ms, LM_DIFF_DEADLINE) |
           lm_bit_if(!same_targets(entry, row), LM_DIFF_TARGETS);
}

static llmgr_status pair(const struct lm_sync_plan *plan, struct lm_route_entry *entry,
                         struct llmgr_error *err)
{
    entry->row = NULL;
    entry->diff = 0;
    for (size_t i = 0; entry->row == NULL && i < plan->route_row_count; i++) {
        if (lb_str_eq(entry->spec.name, plan->route_rows[i].route.name))
            entry->row = &plan->route_rows[i];
    }
    if (entry->row == NULL)
        return LLMGR_OK;
    if (!entry->row->route.in_file)
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("%s:%u: '%s': a route of this name was made without the file; delete "
                          "it with `llmgr route delete %lld`, or give this one another name"),
                       plan->file, entry->line, entry->spec.name.p,
                       (long long)entry->row->route.id);
    entry->row->is_matched = true;
    entry->diff = diff_of(entry, &entry->row->route);
    return LLMGR_OK;
}

/* Those of the file and those that were made without it: the catalogue must hold them all. */
static llmgr_status judge_room(const struct lm_sync_plan *plan, struct llmgr_error *err)
{
    size_t routes = plan->route_count, targets = 0;

    for (size_t i = 0; i < plan->route_count; i++)
        targets += plan->routes[i].spec.target_count;
    for (size_t i = 0; i < plan->route_row_count; i++) {
        const struct lm_route *route = &plan->route_rows[i].route;
        if (route->in_file)
            continue;
        routes++;
        targets += route->count;
    }
    if (routes <= LM_CATALOGUE_ROUTES_MAX && targets <= LM_CATALOGUE_TARGETS_MAX)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s: with the system routes that were made without the file there would be "
                      "%zu routes with %zu targets; at most %d with %d may be"),
                   plan->file, routes, targets, LM_CATALOGUE_ROUTES_MAX, LM_CATALOGUE_TARGETS_MAX);
}

llmgr_status lm_routes_compare(struct lm_sync_plan *plan, struct ls_tx *tx, struct lb_arena *arena,
                               struct llmgr_error *err)
{
    struct reading reading = {plan, arena};

    plan->route_row_count = 0;
    plan->route_rows = lb_arena_calloc(arena, LM_CATALOGUE_ROUTES_MAX, sizeof *plan->route_rows);
    if (plan->route_rows == NULL)
        return lb_fail_memory(err);
    llmgr_status status =
        ls_each(tx, LS_CATALOGUE_ROUTES, LS_ARGS(ls_int(LM_CATALOGUE_ROUTES_MAX + 1)), take_row,
                &reading, err);
    for (size_t i = 0; status == LLMGR_OK && i < plan->route_count; i++)
        status = pair(plan, &plan->routes[i], err);
    return status == LLMGR_OK ? judge_room(plan, err) : status;
}

bool lm_route_is_gone(const struct lm_route_row *row)
{
    return row->route.in_file && !row->is_matched;
}

bool lm_routes_differ(const struct lm_sync_plan *plan)
{
    for (size_t i = 0; i < plan->route_row_count; i++) {
        if (lm_route_is_gone(&plan->route_rows[i]))
            return true;
    }
    for (size_t i = 0; i < plan->route_count; i++) {
        if (plan->routes[i].row == NULL || plan->routes[i].diff != 0)
            return true;
    }
    return false;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static llmgr_status write_entry(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                const struct lm_route_entry *entry, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct lb_buf targets;
    int64_t id;

    if (entry->row != NULL && entry->diff == 0)
        return LLMGR_OK;
    lb_buf_init(&targets, lm_host(plan->manager), TARGETS_JSON_MAX);
    lm_route_targets_write(entry->targets, entry->spec.target_count, &targets);
    if (targets.failed != LLMGR_OK)
        status = lb_fail_memory(err);
    else if (entry->row == NULL)
        status = lm_route_insert(tx, &entry->spec, true, LB_STR(LLMGR_SYSTEM_USER), "file",
                                 lb_buf_str(&targets), &id, err);
    else
        status = lm_route_update(tx, entry->row->route.id, &entry->spec, lb_buf_str(&targets), err);
    lb_buf_free(&targets);
    return status;
}

llmgr_status lm_routes_write(const struct lm_sync_plan *plan, struct ls_tx *tx,
                             struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; status == LLMGR_OK && i < plan->route_row_count; i++) {
        if (lm_route_is_gone(&plan->route_rows[i]))
            status = ls_exec(tx, LS_ROUTE_DELETE, LS_ARGS(ls_int(plan->route_rows[i].route.id)),
                             NULL, err);
    }
    for (size_t i = 0; status == LLMGR_OK && i < plan->route_count; i++)
        status = write_entry(plan, tx, &plan->routes[i], err);
    return status;
}
