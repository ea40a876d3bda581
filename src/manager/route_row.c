/* SPDX-License-Identifier: MIT */
/* Reading and writing a route's columns. */
#include "manager/route_row.h"

#include "config/value.h"
#include "json/write.h"
#include "manager/manager.h"
#include "store/store.h"

/* ---- Reading --------------------------------------------------------------------------------- */

static int64_t within(int64_t value, int64_t least, int64_t most, int64_t fallback)
{
    return value >= least && value <= most ? value : fallback;
}

/* False: it is no target, and left out. *kept: false when memory is short. */
static bool take_target(const json_t *item, struct lb_arena *arena, uint32_t before,
                        struct lm_route_target *target, bool *kept)
{
    struct lb_str model = lj_json_str(item, "model");

    if (model.size == 0 || model.size > LM_ALIAS_TARGET_MAX)
        return false;
    *target = (struct lm_route_target){
        .model = lb_arena_str(arena, model),
        .weight = (uint32_t)within(lj_json_int(item, "weight", 1), 1, LLMGR_ROUTE_WEIGHT_MAX, 1),
        .first_byte_ms = within(lj_json_int(item, "first_byte_timeout_ms", 0),
                                LLMGR_ROUTE_TIME_MIN_MS, LLMGR_ROUTE_TIME_MAX_MS, 0),
    };
    target->weight_to = before + target->weight;
    *kept = target->model.p != NULL;
    return true;
}

static bool take_list(const json_t *list, struct lb_arena *arena, struct lm_route *route)
{
    size_t count = json_array_size(list);
    bool kept = true;

    if (count > LLMGR_ROUTE_TARGETS_MAX)
        count = LLMGR_ROUTE_TARGETS_MAX;
    struct lm_route_target *targets = lb_arena_calloc(arena, count + 1, sizeof *targets);
    if (targets == NULL)
        return false;
    for (size_t i = 0; i < count && kept; i++) {
        uint32_t before = route->count != 0 ? targets[route->count - 1].weight_to : 0;
        if (take_target(json_array_get(list, i), arena, before, &targets[route->count], &kept))
            route->count++;
    }
    route->targets = targets;
    return kept;
}

static bool take_targets(struct lb_str text, struct lb_arena *arena, struct lm_route *route)
{
    bool memory = false;
    json_t *list = lj_json_read(text, &memory);
    bool kept = !memory && take_list(list, arena, route);

    json_decref(list);
    return kept;
}

/* The number of the word in a column; the first, which is the default, if it is none of them. */
static int word(const struct ls_rows *rows, int column, const char *names)
{
    int number = 0;

    return lc_parse_choice(ls_column_text(rows, column), names, &number) ? number : 0;
}

static bool keep(struct lb_arena *arena, struct lb_str text, struct lb_str *kept)
{
    *kept = lb_arena_str(arena, text);
    return kept->p != NULL;
}

bool lm_route_take(const struct ls_rows *rows, struct lb_arena *arena, struct lm_route *route)
{
    *route = (struct lm_route){
        .id = ls_column_int(rows, 0),
        .is_sys = ls_column_int(rows, 1) != 0,
        .in_file = lb_str_eq_c(ls_column_text(rows, 2), "file"),
        .pick = (llmgr_pick)word(rows, 5, LB_NAMES(LLMGR_PICK_MAP)),
        .sticky = (llmgr_sticky)word(rows, 6, LB_NAMES(LLMGR_STICKY_MAP)),
        .on_exhausted = (llmgr_exhausted)word(rows, 7, LB_NAMES(LLMGR_EXHAUSTED_MAP)),
        .attempts = (uint32_t)within(ls_column_int(rows, 8), 1, LLMGR_ROUTE_ATTEMPTS_MAX,
                                     LLMGR_ROUTE_ATTEMPTS),
        .deadline_ms = within(ls_column_int(rows, 9), LLMGR_ROUTE_TIME_MIN_MS,
                              LLMGR_ROUTE_TIME_MAX_MS, LLMGR_ROUTE_DEADLINE_MS),
        .created_at = ls_column_int(rows, 11),
    };
    return keep(arena, ls_column_text(rows, 3), &route->name) &&
           keep(arena, ls_column_text(rows, 4), &route->display_name) &&
           take_targets(ls_column_text(rows, 10), arena, route);
}

/* ---- Writing --------------------------------------------------------------------------------- */

void lm_route_targets_write(const struct lm_route_target *targets, size_t count, struct lb_buf *out)
{
    lb_buf_add_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        lb_buf_add_c(out, i != 0 ? ",{\"model\":" : "{\"model\":");
        lj_json_write_str(targets[i].model, out);
        if (targets[i].weight != 1)
            lb_buf_addf(out, ",\"weight\":%u", (unsigned)targets[i].weight);
        if (targets[i].first_byte_ms != 0)
            lb_buf_addf(out, ",\"first_byte_timeout_ms\":%lld",
                        (long long)targets[i].first_byte_ms);
        lb_buf_add_byte(out, '}');
    }
    lb_buf_add_byte(out, ']');
}
