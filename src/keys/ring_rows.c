/* SPDX-License-Identifier: MIT */
/* Reading and writing what ring.c and rotate.c share; no policy. */
#include "keys/ring_rows.h"

#include "base/error.h"
#include "store/store.h"

static llmgr_status take_key(const struct ls_rows *rows, void *context, struct llmgr_error *err)
{
    struct lk_ring_list *list = context;

    if (list->count == LV_RING_MAX)
        return lb_fail(
            err, LLMGR_ERR_TOO_LARGE,
            N_("the database has more than %d data keys; run llmgr key rotate to drop old "
               "ones"),
            (int)LV_RING_MAX);
    struct lk_ring_key *key = &list->items[list->count];
    llmgr_status status =
        lv_ring_row_set(&key->row, ls_column_int(rows, 0), ls_column_text(rows, 1),
                        ls_column_text(rows, 3), ls_column_blob(rows, 2), err);
    if (status != LLMGR_OK)
        return status;
    struct lb_str state = ls_column_text(rows, 4);
    if (state.size == 0 || state.size >= sizeof key->state)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("data key %lu has an unknown state; was the database "
                          "written by a newer version?"),
                       (unsigned long)key->row.id);
    memcpy(key->state, state.p, state.size);
    key->state[state.size] = '\0';
    key->created_at_ms = ls_column_int(rows, 5);
    list->count++;
    return LLMGR_OK;
}

llmgr_status lk_ring_read(struct ls_tx *tx, struct lk_ring_list *list, struct llmgr_error *err)
{
    list->count = 0;
    return ls_each(tx, LS_RING_LIST, NULL, 0, take_key, list, err);
}

static bool in_list(const struct lk_ring_list *list, uint32_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].row.id == id)
            return true;
    return false;
}

/* Keys that were dropped from the database: nothing that is sealed with them stands any more. */
static void forget_dropped(struct lv_vault *vault, const struct lk_ring_list *list)
{
    uint32_t ids[LV_RING_MAX];
    size_t count = lv_ring_ids(vault, ids);
    for (size_t i = 0; i < count; i++)
        if (!in_list(list, ids[i]))
            lv_ring_forget(vault, ids[i]);
}

/*
 * Dropped keys are forgotten only when room is needed: until this process has noticed the
 * rotation's revision, what it remembers may still be sealed with them.
 */
llmgr_status lk_ring_load(struct lv_vault *vault, const struct lk_ring_list *list,
                          struct llmgr_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct lv_ring_row *row = &list->items[i].row;
        if (lv_ring_has(vault, row->id))
            continue;
        struct llmgr_error why = {0};
        llmgr_status status = lv_ring_load(vault, row, &why);
        if (status == LLMGR_ERR_TOO_LARGE) {
            forget_dropped(vault, list);
            status = lv_ring_load(vault, row, &why);
        }
        if (status != LLMGR_OK) {
            if (err != NULL)
                *err = why;
            return status;
        }
    }
    return LLMGR_OK;
}

llmgr_status lk_ring_make(const struct lb_host *host, struct lv_vault *vault, struct ls_tx *tx,
                          lv_purpose purpose, const char *state, uint32_t *id,
                          struct llmgr_error *err)
{
    struct lv_ring_row row;
    llmgr_status status = lv_ring_create(vault, purpose, &row, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_RING_ADD,
                         LS_ARGS(ls_int(row.id), ls_cstr(row.purpose),
                                 ls_blob(row.wrapped, sizeof row.wrapped), ls_cstr(row.master_id),
                                 ls_cstr(state), ls_int(lb_now_ms(host))),
                         NULL, err);
    if (status == LLMGR_OK)
        *id = row.id;
    return status;
}

llmgr_status lk_ring_active(struct ls_tx *tx, lv_purpose purpose, uint32_t *id,
                            struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;
    int64_t value = 0;
    llmgr_status status =
        ls_find(tx, LS_RING_ACTIVE, LS_ARGS(ls_cstr(lv_purpose_text(purpose))), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    if (found) {
        value = ls_column_int(&rows, 0);
        ls_rows_end(&rows);
    }
    *id = value > 0 && value <= INT32_MAX ? (uint32_t)value : 0;
    return LLMGR_OK;
}

static bool fill_sealed(struct lk_sealed_row *row, const struct ls_rows *rows,
                        struct lb_arena *arena)
{
    row->id = ls_column_int(rows, 0);
    row->owner = lb_arena_str(arena, ls_column_text(rows, 1));
    row->platform_id = ls_column_int(rows, 2);
    struct lh_url url;
    if (lh_url_parse(ls_column_text(rows, 3), &url) == LH_URL_OK)
        lh_url_origin(&url, row->origin);
    else
        row->origin[0] = '\0';
    row->record = lb_arena_str(arena, ls_column_blob(rows, 4));
    return row->owner.p != NULL && row->record.p != NULL;
}

struct page {
    struct lk_sealed_row *items;
    size_t count;
    size_t max;
    struct lb_arena *arena;
};

static llmgr_status take_sealed(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct page *page = context;

    if (page->count == page->max)
        return LLMGR_OK;
    if (!fill_sealed(&page->items[page->count], row, page->arena))
        return lb_fail_memory(err);
    page->count++;
    return LLMGR_OK;
}

const struct lk_sealed_column *lk_sealed_column(enum lk_key_column column)
{
    static const struct lk_sealed_column COLUMNS[LK_KEY_RESEALED] = {
        [LK_KEY_OF_PLATFORM] = {LS_RING_PLATFORM_RECORDS, LS_RING_PLATFORM_RESEAL},
        [LK_KEY_OF_USER] = {LS_RING_OWN_RECORDS, LS_RING_OWN_RESEAL},
        [LK_KEY_OF_HEADERS] = {LS_RING_HEADER_RECORDS, LS_RING_HEADER_RESEAL},
        [LK_KEY_FURTHER] = {LS_RING_FURTHER_RECORDS, LS_RING_FURTHER_RESEAL},
    };

    return &COLUMNS[column];
}

llmgr_status lk_sealed_page(struct ls_tx *tx, enum lk_key_column column, int64_t after, size_t max,
                            struct lb_arena *arena, struct lk_sealed_row **items, size_t *count,
                            struct llmgr_error *err)
{
    struct page page = {
        .items = lb_arena_calloc(arena, max, sizeof *page.items), .max = max, .arena = arena};
    if (page.items == NULL)
        return lb_fail_memory(err);
    llmgr_status status =
        ls_each(tx, lk_sealed_column(column)->records, LS_ARGS(ls_int(after), ls_int((int64_t)max)),
                take_sealed, &page, err);
    if (status != LLMGR_OK)
        return status;
    *items = page.items;
    *count = page.count;
    return LLMGR_OK;
}

struct lk_key_place lk_sealed_place(enum lk_key_column column, const struct lk_sealed_row *row)
{
    return (struct lk_key_place){.column = column,
                                 .owner = row->owner,
                                 .platform_id = row->platform_id,
                                 .origin = lb_cstr(row->origin)};
}
