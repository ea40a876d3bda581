/* SPDX-License-Identifier: MIT */
/*
 * Sums for people, from the roll-up: grouped, paged, and a total over all pages from the same
 * snapshot. A group's key is a number (ids, days) or a text (users, slots).
 */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "base/when.h"
#include "ledger/rows.h"
#include "manager/access.h"
#include "manager/handle.h"
#include "resolve/scene.h"
#include "store/store.h"

enum { LIMIT_MAX = 1000, HOURS_OF_DAY = 24, DAY_MS = LB_DAY_S * 1000 };
#define HOUR_MAX (INT64_MAX / LL_HOUR_MS)

static const struct group {
    enum ls_statement statement;
    bool by_text;
} GROUPS[] = {
    [LLMGR_USAGE_BY_MODEL] = {LS_USAGE_BY_MODEL, false},
    [LLMGR_USAGE_BY_USER] = {LS_USAGE_BY_USER, true},
    [LLMGR_USAGE_BY_PLATFORM] = {LS_USAGE_BY_PLATFORM, false},
    [LLMGR_USAGE_BY_SLOT] = {LS_USAGE_BY_SLOT, true},
    [LLMGR_USAGE_BY_DAY] = {LS_USAGE_BY_DAY, false},
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
};

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool parse_day(const char *text, int64_t *day)
{
    int64_t ms;

    if (!lb_when_parse_day(lb_cstr(text), &ms))
        return false;
    *day = ms / DAY_MS;
    return true;
}

static const char *print_day(struct lb_arena *arena, int64_t day)
{
    char text[LB_WHEN_TEXT];

    return lb_arena_strdup(arena, lb_when_print(day * DAY_MS, LB_WHEN_DAY, text));
}

static llmgr_status read_after(struct reading *run, struct llmgr_error *err)
{
    const char *after = run->query->after;
    int64_t number = -1;

    if (run->group->by_text) {
        run->after = ls_cstr(after);
        return LLMGR_OK;
    }
    bool valid = after == NULL ||
                 (run->query->by == LLMGR_USAGE_BY_DAY ? parse_day(after, &number)
                                                       : lb_str_to_i64(lb_cstr(after), &number));
    if (!valid)
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

    if (run->group->by_text) {
        sum->key = sum->name = lr_keep_text(arena, ls_column_text(rows, 0));
    } else if (run->query->by == LLMGR_USAGE_BY_DAY) {
        sum->key = sum->name = print_day(arena, ls_column_int(rows, 0));
    } else {
        int64_t id = ls_column_int(rows, 0);
        sum->key = lb_arena_printf(arena, "%lld", (long long)id);
        /* Rows without an id have many names; none is the group's. */
        if (id == 0)
            sum->name = "";
        else if (model.size != 0)
            sum->name = lb_arena_printf(arena, "%.*s / %.*s", (int)platform.size, platform.p,
                                        (int)model.size, model.p);
        else
            sum->name = lr_keep_text(arena, platform);
    }
    return sum->key != NULL && sum->name != NULL;
}

static llmgr_status take_group(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *run = context;

    /* One more than is given tells that there are more. */
    if (run->count > run->limit)
        return LLMGR_OK;
    struct llmgr_usage_sum *sum = &run->items[run->count++];
    read_counts(row, 3, sum);
    return name_group(run, row, sum) ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status read_groups(struct ls_tx *tx, struct reading *run, struct llmgr_error *err)
{
    return ls_each(tx, run->group->statement,
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

static llmgr_status read_both(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct reading *run = context;

    run->count = 0;
    llmgr_status status = read_groups(tx, run, err);
    if (status == LLMGR_OK)
        status = read_total(tx, run, err);
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
    status = ls_transact(manager->store, LS_READ, read_both, &run, err);
    if (status != LLMGR_OK)
        return status;
    list->items = run.items;
    list->more = run.count > run.limit;
    list->count = list->more ? run.limit : run.count;
    list->total = run.total;
    return LLMGR_OK;
}
