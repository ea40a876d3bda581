/* SPDX-License-Identifier: MIT */
/*
 * Sums for people, from the roll-up: grouped, paged, and a total over all pages from the same
 * snapshot. A group's key is a number (ids, days, hours) or a text (users, slots, payers). What a
 * page's groups cost, in each currency, is read after them.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/nano.h"
#include "base/when.h"
#include "ledger/rows.h"
#include "manager/access.h"
#include "manager/handle.h"
#include "resolve/scene.h"
#include "store/store.h"

enum { LIMIT_MAX = 1000, HOURS_OF_DAY = 24, DAY_MS = LB_DAY_S * 1000 };
#define HOUR_MAX (INT64_MAX / LL_HOUR_MS)

/* What a group's key is. */
enum key { KEY_ID, KEY_TEXT, KEY_DAY, KEY_HOUR };

static const struct group {
    enum ls_statement sums;
    enum ls_statement costs;
    enum key key;
} GROUPS[] = {
    [LLMGR_USAGE_BY_MODEL] = {LS_USAGE_BY_MODEL, LS_USAGE_COST_BY_MODEL, KEY_ID},
    [LLMGR_USAGE_BY_USER] = {LS_USAGE_BY_USER, LS_USAGE_COST_BY_USER, KEY_TEXT},
    [LLMGR_USAGE_BY_PLATFORM] = {LS_USAGE_BY_PLATFORM, LS_USAGE_COST_BY_PLATFORM, KEY_ID},
    [LLMGR_USAGE_BY_SLOT] = {LS_USAGE_BY_SLOT, LS_USAGE_COST_BY_SLOT, KEY_TEXT},
    [LLMGR_USAGE_BY_DAY] = {LS_USAGE_BY_DAY, LS_USAGE_COST_BY_DAY, KEY_DAY},
    [LLMGR_USAGE_BY_TOKEN] = {LS_USAGE_BY_TOKEN, LS_USAGE_COST_BY_TOKEN, KEY_ID},
    [LLMGR_USAGE_BY_PAYER] = {LS_USAGE_BY_PAYER, LS_USAGE_COST_BY_PAYER, KEY_TEXT},
    [LLMGR_USAGE_BY_HOUR] = {LS_USAGE_BY_HOUR, LS_USAGE_COST_BY_HOUR, KEY_HOUR},
};
enum { GROUP_COUNT = sizeof GROUPS / sizeof GROUPS[0] };

struct reading {
    const struct llmgr_usage_query *query;
    const struct group *group;
    int64_t since; /* hours */
    int64_t until;
    struct ls_value after;
    size_t limit;
    struct lb_arena *arena;
    struct llmgr_usage_sum *items; /* room for limit + 1 */
    size_t count;
    struct llmgr_usage_sum total;
    struct llmgr_usage_cost *costs; /* of the items in their order, then of the total */
    size_t cost_count, cost_room;
    size_t at; /* the item whose costs are read */
};

/* ---- Keys ------------------------------------------------------------------------------------ */

/* Numbers begin at 0. */
static bool read_number(enum key key, const char *text, int64_t *number)
{
    int64_t ms;

    switch (key) {
    case KEY_DAY:
        if (!lb_when_parse_day(lb_cstr(text), &ms))
            return false;
        *number = ms / DAY_MS;
        return true;
    case KEY_HOUR:
        if (!lb_when_parse(lb_cstr(text), 0, &ms))
            return false;
        *number = ms / LL_HOUR_MS;
        return true;
    default:
        return lb_str_to_i64(lb_cstr(text), number);
    }
}

/* A row's first column, as keys are shown. NULL: memory is short. */
static const char *key_text(const struct reading *run, const struct ls_rows *rows)
{
    const enum key key = run->group->key;
    char text[LB_WHEN_TEXT];

    if (key == KEY_TEXT)
        return lr_keep_text(run->arena, ls_column_text(rows, 0));
    const int64_t number = ls_column_int(rows, 0);
    if (key == KEY_ID)
        return lb_arena_printf(run->arena, "%lld", (long long)number);
    if (key == KEY_DAY)
        (void)lb_when_print(number * DAY_MS, LB_WHEN_DAY, text);
    else
        (void)lb_when_print(number * LL_HOUR_MS, LB_WHEN_TIME, text);
    return lb_arena_strdup(run->arena, text);
}

static llmgr_status read_after(struct reading *run, struct llmgr_error *err)
{
    const char *after = run->query->after;
    int64_t number = -1;

    if (run->group->key == KEY_TEXT) {
        run->after = ls_cstr(after);
        return LLMGR_OK;
    }
    if (after != NULL && !read_number(run->group->key, after, &number))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("\"%s\" is no key of a group to go on after; take the last one's of the "
                          "page before"),
                       after);
    run->after = ls_int(number);
    return LLMGR_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void read_counts(const struct ls_rows *rows, int at, struct llmgr_usage_sum *sum)
{
    int64_t *const to[] = {
#define LL_TALLY(name, ...) &sum->name,
#define LL_PAID(name, ...) &sum->name,
#define LL_SUMMED(name, ...) &sum->name,
#include "ledger/usage.def"
    };

    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++, at++)
        *to[i] = ls_column_is_null(rows, at) ? (int64_t)LL_UNKNOWN : ls_column_int(rows, at);
}

static bool name_group(const struct reading *run, const struct ls_rows *rows,
                       struct llmgr_usage_sum *sum)
{
    struct lb_arena *arena = run->arena;
    struct lb_str platform = ls_column_text(rows, 1);
    struct lb_str model = ls_column_text(rows, 2);

    sum->key = key_text(run, rows);
    if (run->group->key != KEY_ID)
        sum->name = sum->key;
    else if (ls_column_int(rows, 0) == 0) /* rows without an id have many names; none is theirs */
        sum->name = "";
    else if (model.size != 0)
        sum->name = lb_arena_printf(arena, "%.*s / %.*s", (int)platform.size, platform.p,
                                    (int)model.size, model.p);
    else
        sum->name = lr_keep_text(arena, platform);
    return sum->key != NULL && sum->name != NULL;
}

static llmgr_status take_group(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *run = context;

    /* One more than is given tells that there are more. */
    if (run->count > run->limit)
        return LLMGR_OK;
    struct llmgr_usage_sum *sum = &run->items[run->count++];
    *sum = (struct llmgr_usage_sum){0};
    read_counts(row, 3, sum);
    return name_group(run, row, sum) ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status read_groups(struct ls_tx *tx, struct reading *run, struct llmgr_error *err)
{
    return ls_each(tx, run->group->sums,
                   LS_ARGS(ls_int(run->since), ls_int(run->until), ls_cstr(run->query->user),
                           run->after, ls_int((int64_t)run->limit + 1)),
                   take_group, run, err);
}

static llmgr_status read_total(struct ls_tx *tx, struct reading *run, struct llmgr_error *err)
{
    struct ls_rows rows;

    llmgr_status status = ls_get(
        tx, LS_USAGE_TOTAL,
        LS_ARGS(ls_int(run->since), ls_int(run->until), ls_cstr(run->query->user)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    read_counts(&rows, 0, &run->total);
    ls_rows_end(&rows);
    run->total.key = "";
    run->total.name = "";
    return LLMGR_OK;
}

/* ---- What it cost ---------------------------------------------------------------------------- */

static bool make_room(struct reading *run)
{
    const size_t room = run->cost_room != 0 ? 2 * run->cost_room : 16;

    if (run->cost_count < run->cost_room)
        return true;
    struct llmgr_usage_cost *costs = lb_arena_calloc(run->arena, room, sizeof *costs);
    if (costs == NULL)
        return false;
    if (run->cost_count != 0)
        memcpy(costs, run->costs, run->cost_count * sizeof *costs);
    run->costs = costs;
    run->cost_room = room;
    return true;
}

/* Adds the cost in columns `at` and the next one to a sum. */
static llmgr_status add_cost(struct reading *run, const struct ls_rows *row, int at,
                             struct llmgr_usage_sum *sum, struct llmgr_error *err)
{
    char amount[LB_NANO_TEXT];

    if (ls_column_is_null(row, at + 1))
        return LLMGR_OK;
    if (!make_room(run))
        return lb_fail_memory(err);
    struct llmgr_usage_cost *cost = &run->costs[run->cost_count];
    cost->currency = lr_keep_text(run->arena, ls_column_text(row, at));
    cost->nano = ls_column_int(row, at + 1);
    cost->amount = lb_arena_strdup(run->arena, lb_nano_print(cost->nano, amount));
    if (cost->currency == NULL || cost->amount == NULL)
        return lb_fail_memory(err);
    run->cost_count++;
    sum->cost_count++;
    return LLMGR_OK;
}

/* Costs come in the order of the groups, of which some have none. */
static llmgr_status take_cost(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *run = context;
    const char *key = key_text(run, row);

    if (key == NULL)
        return lb_fail_memory(err);
    while (run->at < run->count && strcmp(run->items[run->at].key, key) != 0)
        run->at++;
    return run->at < run->count ? add_cost(run, row, 1, &run->items[run->at], err) : LLMGR_OK;
}

static llmgr_status take_total_cost(const struct ls_rows *row, void *context,
                                    struct llmgr_error *err)
{
    struct reading *run = context;

    return add_cost(run, row, 0, &run->total, err);
}

static llmgr_status read_costs(struct ls_tx *tx, struct reading *run, struct llmgr_error *err)
{
    int64_t number = 0;

    if (run->count == 0)
        return LLMGR_OK;
    const char *last = run->items[run->count - 1].key;
    if (run->group->key != KEY_TEXT && !read_number(run->group->key, last, &number))
        return lb_fail(err, LLMGR_ERR_INTERNAL, N_("usage cannot be grouped like that"));
    return ls_each(tx, run->group->costs,
                   LS_ARGS(ls_int(run->since), ls_int(run->until), ls_cstr(run->query->user),
                           run->after,
                           run->group->key == KEY_TEXT ? ls_cstr(last) : ls_int(number)),
                   take_cost, run, err);
}

static llmgr_status read_total_costs(struct ls_tx *tx, struct reading *run, struct llmgr_error *err)
{
    return ls_each(tx, LS_USAGE_TOTAL_COST,
                   LS_ARGS(ls_int(run->since), ls_int(run->until), ls_cstr(run->query->user)),
                   take_total_cost, run, err);
}

static void hand_out_costs(struct reading *run)
{
    struct llmgr_usage_cost *costs = run->costs;

    for (size_t i = 0; i < run->count; i++) {
        run->items[i].costs = costs;
        costs += run->items[i].cost_count;
    }
    run->total.costs = costs;
}

static llmgr_status read_all(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct reading *run = context;

    run->count = run->cost_count = run->at = 0;
    run->total = (struct llmgr_usage_sum){0};
    llmgr_status status = read_groups(tx, run, err);
    if (status == LLMGR_OK)
        status = read_total(tx, run, err);
    if (status == LLMGR_OK)
        status = read_costs(tx, run, err);
    if (status == LLMGR_OK)
        status = read_total_costs(tx, run, err);
    if (status == LLMGR_OK)
        hand_out_costs(run);
    return status;
}

static int64_t hour_after(int64_t ms)
{
    return ms / LL_HOUR_MS + (ms % LL_HOUR_MS != 0 ? 1 : 0);
}

llmgr_status ll_usage_sums(struct lm_manager *manager, const struct llmgr_usage_query *query,
                           struct lb_arena *arena, struct llmgr_usage_list *list,
                           struct llmgr_error *err)
{
    struct reading run = {.query = query, .arena = arena, .limit = query->limit};

    if ((unsigned)query->by >= GROUP_COUNT)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("usage cannot be grouped like that"));
    if (query->since_ms < 0 || query->until_ms < 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("usage begins and ends after 1970"));
    run.group = &GROUPS[query->by];
    run.since = query->since_ms / LL_HOUR_MS;
    run.until = query->until_ms != 0 ? hour_after(query->until_ms) : HOUR_MAX;
    if (run.limit == 0 || run.limit > LIMIT_MAX)
        run.limit = LIMIT_MAX;
    llmgr_status status = read_after(&run, err);
    if (status != LLMGR_OK)
        return status;
    run.items = lb_arena_calloc(arena, run.limit + 1, sizeof *run.items);
    if (run.items == NULL)
        return lb_fail_memory(err);
    status = ls_transact(manager->store, LS_READ, read_all, &run, err);
    if (status != LLMGR_OK)
        return status;
    list->items = run.items;
    list->more = run.count > run.limit;
    list->count = list->more ? run.limit : run.count;
    list->total = run.total;
    return LLMGR_OK;
}
