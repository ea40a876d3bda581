/* SPDX-License-Identifier: MIT */
/* Cells as rows, written and read. See the header. */
#include "nodes/cells.h"

#include <string.h>

#include "base/host.h"
#include "manager/manager.h"
#include "routing/health.h"
#include "store/store.h"

enum {
    WRITTEN_MAX = 64,               /* changes in one transaction */
    READ_MAX = 512,                 /* rows in one query */
    PAGES_MAX = LZ_CELLS_MAX / 128, /* queries in a row: a table that has no end is left */
    REST_MS = 1000,                 /* after a failure */
    KEPT_MS = LO_HARD_MAX_MS,       /* of what is over, so that each node hears that it is */
    BEYOND_MS = 2 * LO_HARD_MAX_MS, /* no moment of a row is so far ahead */
};

void lz_cells_init(struct lz_cells *cells, struct lm_manager *manager, struct lo_health *health)
{
    *cells = (struct lz_cells){
        .manager = manager,
        .health = health,
        .read = -1,
        .history = lm_history_resets(manager),
    };
}

/* ---- A row ----------------------------------------------------------------------------------- */

static bool find_scope(struct lb_str name, enum lo_scope *scope)
{
    for (*scope = 0; *scope < LO_SCOPE_COUNT; (*scope)++) {
        if (lb_str_eq(name, lb_cstr(lo_scope_name(*scope))))
            return true;
    }
    return false;
}

static bool find_reason(struct lb_str name, enum lo_reason *reason)
{
    for (*reason = 0; *reason < LO_REASON_COUNT; (*reason)++) {
        if (lb_str_eq(name, lb_cstr(lo_reason_name(*reason))))
            return true;
    }
    return false;
}

static bool fits(int64_t number)
{
    return number >= 0 && number <= INT32_MAX;
}

/* A row is what anybody may have written. False: no node of this release has. */
static bool take_row(const struct ls_rows *row, int64_t wall_ms, struct lo_shared_cell *cell)
{
    const int64_t streak = ls_column_int(row, 8), http_status = ls_column_int(row, 10);

    *cell = (struct lo_shared_cell){
        .id = {.owner = (uint64_t)ls_column_int(row, 2),
               .platform_id = ls_column_int(row, 3),
               .item = (uint64_t)ls_column_int(row, 4)},
        .until_ms = ls_column_int(row, 5),
        .changed_ms = ls_column_int(row, 6),
        .closed_ms = ls_column_int(row, 7),
        .streak = fits(streak) ? (unsigned)streak : UINT32_MAX,
        .http_status = fits(http_status) ? (int)http_status : -1,
        .is_hard = ls_column_int(row, 11) != 0,
    };
    return find_scope(ls_column_text(row, 1), &cell->id.scope) &&
           find_reason(ls_column_text(row, 9), &cell->reason) && lo_shared_take(cell, wall_ms);
}

#define ID_ARGS(id)                                                                                \
    ls_int((id)->platform_id), ls_cstr(lo_scope_name((id)->scope)), ls_int((int64_t)(id)->owner),  \
        ls_int((int64_t)(id)->item)

static llmgr_status add_row(struct ls_tx *tx, const struct lo_shared_cell *cell,
                            struct llmgr_error *err)
{
    return ls_exec(tx, LS_CELL_ADD,
                   LS_ARGS(ID_ARGS(&cell->id), ls_int(cell->until_ms), ls_int(cell->changed_ms),
                           ls_int(cell->closed_ms), ls_int(cell->streak),
                           ls_cstr(lo_reason_name(cell->reason)), ls_int(cell->http_status),
                           ls_int(cell->is_hard)),
                   NULL, err);
}

/* ---- To the others --------------------------------------------------------------------------- */

/* The database's clock, just after it was asked: what ends by it ends here no sooner. */
static llmgr_status ask_time(struct ls_tx *tx, struct lo_clocks *clocks, struct llmgr_error *err)
{
    struct ls_rows rows;

    clocks->now_ms = lb_monotonic_ms();
    llmgr_status status = ls_get(tx, LS_CELLS_NOW, NULL, 0, &rows, err);
    if (status != LLMGR_OK)
        return status;
    clocks->wall_ms = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    return LLMGR_OK;
}

/* What stands there and what is news become one row, with a new revision if it differs. */
static llmgr_status write_one(struct ls_tx *tx, int64_t wall_ms, const struct lo_shared_cell *news,
                              uint64_t *written, struct llmgr_error *err)
{
    struct lo_shared_cell known = {.id = news->id};
    struct ls_rows rows;
    bool found = false;

    llmgr_status status = ls_find(tx, LS_CELL_GET, LS_ARGS(ID_ARGS(&news->id)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    if (found) {
        if (!take_row(&rows, wall_ms, &known))
            known = (struct lo_shared_cell){.id = news->id};
        ls_rows_end(&rows);
    }
    if (!lo_shared_merge(&known, news))
        return LLMGR_OK;
    if (found)
        status = ls_exec(tx, LS_CELL_DELETE, LS_ARGS(ID_ARGS(&news->id)), NULL, err);
    if (status == LLMGR_OK)
        status = add_row(tx, &known, err);
    *written += status == LLMGR_OK;
    return status;
}

static llmgr_status write_all(struct lz_cells *cells, struct ls_tx *tx, uint64_t *sequence,
                              uint64_t *written, struct llmgr_error *err)
{
    struct lo_shared_cell cell;
    struct lo_clocks clocks;

    llmgr_status status = ask_time(tx, &clocks, err);
    for (unsigned i = 0; i < WRITTEN_MAX && status == LLMGR_OK &&
                         lo_health_export(cells->health, clocks, sequence, &cell);
         i++)
        status = write_one(tx, clocks.wall_ms, &cell, written, err);
    if (status != LLMGR_OK || *written == 0)
        return status;
    return ls_exec(tx, LS_CELLS_CLEAN,
                   LS_ARGS(ls_int(clocks.wall_ms - KEPT_MS), ls_int(clocks.wall_ms + BEYOND_MS),
                           ls_int(LZ_CELLS_MAX), ls_int(LZ_CELLS_PER_USER)),
                   NULL, err);
}

static llmgr_status write_news(struct lz_cells *cells, struct llmgr_error *err)
{
    uint64_t sequence = cells->written, written = 0;
    struct ls_tx *tx = NULL;

    if (lm_options(cells->manager)->read_only || !lo_health_has_news(cells->health, cells->written))
        return LLMGR_OK;
    llmgr_status status = ls_begin(lm_store(cells->manager), LS_WRITE_SOON, &tx, err);
    if (status != LLMGR_OK)
        return status;
    status = write_all(cells, tx, &sequence, &written, err);
    if (status != LLMGR_OK) {
        ls_rollback(tx);
        return status;
    }
    status = ls_commit(tx, err);
    if (status != LLMGR_OK)
        return status;
    cells->written = sequence;
    atomic_fetch_add(&cells->told, written);
    return LLMGR_OK;
}

/* ---- From the others ------------------------------------------------------------------------- */

struct page {
    struct lz_cells *cells;
    int64_t last; /* revision */
    unsigned count;
};

static llmgr_status hear(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct page *page = context;
    const struct lo_clocks clocks = {lb_monotonic_ms(), ls_column_int(row, 12)};
    struct lo_shared_cell cell;

    (void)err;
    page->last = ls_column_int(row, 0);
    page->count++;
    if (take_row(row, clocks.wall_ms, &cell))
        lo_health_import(page->cells->health, clocks, &cell);
    return LLMGR_OK;
}

static llmgr_status read_news(struct lz_cells *cells, struct llmgr_error *err)
{
    struct page page = {.count = READ_MAX};

    for (unsigned i = 0; i < PAGES_MAX && page.count == READ_MAX; i++) {
        page = (struct page){.cells = cells, .last = cells->read};
        llmgr_status status =
            ls_read_each(lm_store(cells->manager), LS_READ_SOON, LS_CELLS_SINCE,
                         LS_ARGS(ls_int(cells->read), ls_int(READ_MAX)), hear, &page, err);
        if (status != LLMGR_OK)
            return status;
        cells->read = page.last > 0 ? page.last : 0;
        atomic_fetch_add(&cells->heard, page.count);
    }
    return LLMGR_OK;
}

/*
 * Is the table another than it was? Then nothing of it is known, and it may know nothing of here.
 * Revisions only grow, and the newest is never cleaned; what goes back is a standby that lacked the
 * last.
 */
static void follow_history(struct lz_cells *cells, int64_t revision)
{
    const uint64_t history = lm_history_resets(cells->manager);

    if (history != cells->history || revision < cells->polled) {
        cells->written = 0;
        cells->read = -1;
    }
    cells->history = history;
    cells->polled = revision;
}

static llmgr_status exchange(struct lz_cells *cells, struct llmgr_error *err)
{
    const int64_t revision = lm_cells_revision(cells->manager);

    follow_history(cells, revision);
    llmgr_status status = write_news(cells, err);
    if (status == LLMGR_OK && revision > cells->read)
        status = read_news(cells, err);
    return status;
}

void lz_cells_exchange(struct lz_cells *cells, struct llmgr_error *err)
{
    if (cells->rest_until != 0 && lb_monotonic_coarse_ms() < cells->rest_until)
        return;
    llmgr_status status = exchange(cells, err);

    cells->rest_until = status != LLMGR_OK ? lb_monotonic_coarse_ms() + REST_MS : 0;
    if (status != LLMGR_OK)
        atomic_fetch_add(&cells->failures, 1);
}

bool lz_cells_rest(const struct lz_cells *cells)
{
    return cells->rest_until != 0;
}
