/* SPDX-License-Identifier: MIT */
/*
 * One request's attempts. llm_usage has no index but its number; the sums by the hour say between
 * which rows those of an hour and a user stand, and the request's id or whoever asks says which
 * hours.
 */
#include <string.h>

#include "base/error.h"
#include "ledger/request_id.h"
#include "ledger/rows.h"
#include "manager/access.h"
#include "manager/handle.h"
#include "resolve/scene.h"
#include "store/store.h"

enum {
    ATTEMPTS_MAX = 100,
    AROUND_HOURS = 2, /* that a request may go on */
    RECENT_HOURS = 24,
    SPAN_HOURS = 31 * 24,
};

#define TIME_MAX (INT64_MAX / 2) /* the hour after it is a time as well */

struct looking {
    const struct ll_usage_request *request;
    int64_t since; /* hours */
    int64_t until;
    struct lb_arena *arena;
    struct llmgr_usage_record *items; /* room for ATTEMPTS_MAX */
    size_t count;
};

/* ---- A row ----------------------------------------------------------------------------------- */

/* What stands for null. */
enum {
    none_time = 0,
    none_id = 0,
    none_tokens = LL_UNKNOWN,
    none_amount = LL_UNKNOWN,
    none_money = LL_UNKNOWN,
    none_nth = 1,
    none_http = 0
};

static int64_t number_of(const struct ls_rows *row, int at, int64_t none)
{
    return ls_column_is_null(row, at) ? none : ls_column_int(row, at);
}

/* NULL is a null as well as short memory, which `good` tells apart. */
static const char *text_of(struct lb_arena *arena, const struct ls_rows *row, int at, bool *good)
{
    if (ls_column_is_null(row, at))
        return NULL;
    const char *kept = lr_keep_text(arena, ls_column_text(row, at));
    *good = *good && kept != NULL;
    return kept;
}

static llmgr_provenance provenance_of(struct lb_str text)
{
#define NAME(name, number, word)                                                                   \
    if (lb_str_eq_c(text, word))                                                                   \
        return LLMGR_PROVENANCE_##name;
    LLMGR_PROVENANCE_MAP(NAME)
#undef NAME
    return LLMGR_PROVENANCE_UNKNOWN;
}

static llmgr_end_state end_state_of(struct lb_str text)
{
#define NAME(name, number, word)                                                                   \
    if (lb_str_eq_c(text, word))                                                                   \
        return LLMGR_END_##name;
    LLMGR_END_MAP(NAME)
#undef NAME
    return LLMGR_END_UPSTREAM_ERROR;
}

static llmgr_status take_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct looking *run = context;
    struct llmgr_usage_record *to = &run->items[run->count];
    bool good = true;
    int at = 0;

    if (run->count == ATTEMPTS_MAX)
        return LLMGR_OK;
    *to = (struct llmgr_usage_record){.size = sizeof *to};
#define LL_TEXT(name, max, always) to->name = text_of(run->arena, row, at++, &good);
#define LL_COUNT(name, kind) to->name = number_of(row, at++, none_##kind);
#define LL_NUMBER(name, kind) to->name = (int)number_of(row, at++, none_##kind);
#define LL_KIND(name, type, text) int at_##name = at++;
#include "ledger/usage.def"
    to->payer = text_of(run->arena, row, at_payer, &good);
    to->provenance = provenance_of(ls_column_text(row, at_provenance));
    to->end_state = end_state_of(ls_column_text(row, at_end_state));
    run->count++;
    return good ? LLMGR_OK : lb_fail_memory(err);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static llmgr_status read_rows(struct ls_tx *tx, struct looking *run, int64_t first, int64_t last,
                              struct llmgr_error *err)
{
    return ls_each(tx, LS_USAGE_REQUEST,
                   LS_ARGS(ls_int(first), ls_int(last), ls_cstr(run->request->id),
                           ls_cstr(run->request->user), ls_int(run->since * LL_HOUR_MS),
                           ls_int(run->until * LL_HOUR_MS), ls_int(ATTEMPTS_MAX)),
                   take_row, run, err);
}

static llmgr_status look(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct looking *run = context;
    struct ls_rows rows;

    run->count = 0;
    llmgr_status status = ls_get(
        tx, LS_USAGE_ROWS_OF_HOURS,
        LS_ARGS(ls_int(run->since), ls_int(run->until), ls_cstr(run->request->user)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    const bool any = !ls_column_is_null(&rows, 0);
    const int64_t first = any ? ls_column_int(&rows, 0) : 0;
    const int64_t last = any ? ls_column_int(&rows, 1) : 0;
    const int64_t pending = ls_column_int(&rows, 2);
    ls_rows_end(&rows);
    if (any)
        status = read_rows(tx, run, first, last < pending ? last : pending - 1, err);
    if (status == LLMGR_OK)
        status = read_rows(tx, run, pending, INT64_MAX, err);
    return status;
}

/* Which hours: those that are asked for, or around the time that the id says, or the last ones. */
static llmgr_status find_hours(struct looking *run, int64_t now_ms, struct llmgr_error *err)
{
    const struct ll_usage_request *request = run->request;
    const int64_t now = now_ms / LL_HOUR_MS;
    int64_t ms = 0;

    if (request->since_ms < 0 || request->until_ms < 0 || request->until_ms > TIME_MAX ||
        request->since_ms > TIME_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("usage begins and ends after 1970"));
    if (request->since_ms == 0 && request->until_ms == 0 &&
        ll_id_read_time(lb_cstr(request->id), &ms)) {
        run->since = ms / LL_HOUR_MS;
        run->until = run->since + AROUND_HOURS;
        return LLMGR_OK;
    }
    run->until = request->until_ms != 0 ? request->until_ms / LL_HOUR_MS + 1 : now + 1;
    run->since =
        request->since_ms != 0 ? request->since_ms / LL_HOUR_MS : run->until - 1 - RECENT_HOURS;
    if (run->until - run->since > SPAN_HOURS + 1)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("a request is looked for in 31 days at most; say from when until when"));
    return LLMGR_OK;
}

/*
 * Ids of the release before look as if they said a time. True, and the last hours are those to look
 * in, if they were looked for by such an id alone.
 */
static bool may_be_recent(struct looking *run, int64_t now_ms)
{
    if (run->request->since_ms != 0 || run->request->until_ms != 0)
        return false;
    run->until = now_ms / LL_HOUR_MS + 1;
    run->since = run->until - 1 - RECENT_HOURS;
    return true;
}

llmgr_status ll_usage_find(struct lm_manager *manager, const struct ll_usage_request *request,
                           struct lb_arena *arena, struct llmgr_usage_attempts *attempts,
                           struct llmgr_error *err)
{
    struct looking run = {.request = request, .arena = arena};
    const size_t size = strlen(request->id);

    if (size == 0 || size > LL_REQUEST_ID_MAX || !lb_utf8_valid(lb_cstr(request->id)))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("an id of a request has 1 to %d bytes"),
                       (int)LL_REQUEST_ID_MAX);
    llmgr_status status = find_hours(&run, lb_now_ms(manager->host), err);
    if (status != LLMGR_OK)
        return status;
    run.items = lb_arena_calloc(arena, ATTEMPTS_MAX, sizeof *run.items);
    if (run.items == NULL)
        return lb_fail_memory(err);
    status = ls_transact(manager->store, LS_READ, look, &run, err);
    if (status == LLMGR_OK && run.count == 0 && may_be_recent(&run, lb_now_ms(manager->host)))
        status = ls_transact(manager->store, LS_READ, look, &run, err);
    if (status == LLMGR_OK && run.count == 0)
        status = lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no such request"));
    if (status != LLMGR_OK)
        return status;
    attempts->items = run.items;
    attempts->count = run.count;
    return LLMGR_OK;
}
