/* SPDX-License-Identifier: MIT */
/* Reading and writing a pool of keys; see the header for where they stand. */
#include "manager/pool_rows.h"

#include "base/error.h"
#include "store/store.h"
#include "vault/vault.h"

/* ---- Reading --------------------------------------------------------------------------------- */

/* A copy; an empty text stays empty, also as NULL. */
static bool keep_text(struct lb_arena *arena, struct lb_str from, struct lb_str *to)
{
    *to = (struct lb_str){0};
    if (from.size == 0)
        return true;
    *to = lb_arena_str(arena, from);
    return to->p != NULL;
}

struct reading {
    struct lm_pool *pool;
    struct lb_arena *arena;
    bool has_rows; /* of llm_platform_keys */
};

/*
 * The variables in a server's platform are those of all its keys. Only a lone one has them for its
 * own; the others' stand in their rows, and if none can be used that is all there is.
 */
static void find_row(struct reading *reading)
{
    struct lm_pool *pool = reading->pool;

    if (reading->has_rows)
        return;
    reading->has_rows = true;
    if (pool->count != 0)
        pool->items[0].key_env = (struct lb_str){0};
    if (pool->count != 0 && pool->items[0].record.size == 0)
        pool->count = 0;
}

static bool read_item(const struct ls_rows *row, struct lb_arena *arena, struct lm_pool_item *item)
{
    *item = (struct lm_pool_item){.weight = lk_weight(ls_column_int(row, 3)),
                                  .is_further = ls_column_int(row, 0) > 1};
    return keep_text(arena, ls_column_blob(row, 1), &item->record) &&
           keep_text(arena, ls_column_text(row, 2), &item->key_env) &&
           keep_text(arena, ls_column_text(row, 4), &item->account);
}

/* 0: the first key; 1: what is said about it; above: the others. */
static llmgr_status take_item(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *reading = context;
    struct lm_pool *pool = reading->pool;
    struct lm_pool_item item;

    if (ls_column_int(row, 0) != 0)
        find_row(reading);
    if (pool->count == LK_POOL_MAX)
        return LLMGR_OK;
    if (!read_item(row, reading->arena, &item))
        return lb_fail_memory(err);
    if (item.record.size == 0 && item.key_env.size == 0 && ls_column_int(row, 0) != 1)
        return LLMGR_OK;
    if (ls_column_int(row, 0) != 1) {
        pool->items[pool->count++] = item;
        return LLMGR_OK;
    }
    if (pool->count != 0)
        item.record = pool->items[0].record;
    if (item.record.size == 0 && item.key_env.size == 0)
        return LLMGR_OK;
    pool->count = 1;
    pool->items[0] = item;
    return LLMGR_OK;
}

#define WHOSE(place)                                                                               \
    ls_int((place)->platform_id), ls_text((place)->owner), ls_int((place)->column == LK_KEY_OF_USER)

llmgr_status lm_pool_read(struct lm_pool *pool, struct ls_tx *tx, struct lb_arena *arena,
                          struct llmgr_error *err)
{
    struct reading reading = {.pool = pool, .arena = arena};

    pool->count = 0;
    return ls_each(tx, LS_POOL_READ, LS_ARGS(WHOSE(&pool->place)), take_item, &reading, err);
}

llmgr_status lm_pool_open(const struct lm_pool *pool, struct ls_tx *tx,
                          const struct lm_pool_item *item, struct lv_secret *key,
                          struct llmgr_error *err)
{
    struct lk_key_place place = pool->place;

    if (item->is_further)
        place.column = LK_KEY_FURTHER;
    return lk_key_open(lm_keys(pool->manager), tx, &place, item->record, key, err);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static llmgr_status seal(const struct lm_pool *pool, struct ls_tx *tx, bool further,
                         struct lb_str key, struct lb_buf *record, struct llmgr_error *err)
{
    struct lk_key_place place = pool->place;

    if (further)
        place.column = LK_KEY_FURTHER;
    return lk_key_seal(lm_keys(pool->manager), tx, &place, key, record, err);
}

/* An old record is sealed anew only if it moves between the first place and the others. */
static llmgr_status make_record(const struct lm_pool *pool, struct ls_tx *tx,
                                const struct lm_pool_item *item, bool further,
                                struct lb_buf *record, struct llmgr_error *err)
{
    struct llmgr_error why = {0};
    struct lv_secret key;

    if (item->clear.size != 0)
        return seal(pool, tx, further, item->clear, record, err);
    if (item->record.size == 0 || item->is_further == further) {
        lb_buf_add(record, item->record.p, item->record.size);
        return record->failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
    }
    llmgr_status status = lm_pool_open(pool, tx, item, &key, &why);
    if (status == LLMGR_OK)
        status = seal(pool, tx, further, lv_secret_str(&key), record, err);
    else if (status == LLMGR_ERR_VAULT)
        status = lb_fail(err, LLMGR_ERR_CONFLICT,
                         N_("the first key cannot be used any more; delete it before the order of "
                            "the others is changed"));
    else if (err != NULL)
        *err = why;
    lv_secret_clear(&key);
    return status;
}

/* Can it stand first? */
static bool leads(const struct lm_pool *pool, struct ls_tx *tx, const struct lm_pool_item *item)
{
    struct llmgr_error ignored = {0};
    struct lv_secret key;

    if (item->clear.size != 0 || !item->is_further)
        return item->clear.size != 0 || item->record.size != 0;
    const bool opens = lm_pool_open(pool, tx, item, &key, &ignored) == LLMGR_OK;
    lv_secret_clear(&key);
    return opens;
}

bool lm_pool_lead(struct lm_pool *pool, struct ls_tx *tx)
{
    size_t at = 0;

    while (at < pool->count && !leads(pool, tx, &pool->items[at]))
        at++;
    if (at == pool->count)
        return false;
    const struct lm_pool_item leader = pool->items[at];
    for (; at > 0; at--)
        pool->items[at] = pool->items[at - 1];
    pool->items[0] = leader;
    return true;
}

static llmgr_status set_first(const struct lk_key_place *place, struct ls_tx *tx,
                              struct lb_str record, struct llmgr_error *err)
{
    if (place->column == LK_KEY_OF_USER)
        return ls_exec(
            tx, LS_OWN_KEY_SET,
            LS_ARGS(ls_text(place->owner), ls_int(place->platform_id), ls_blob_or_null(record)),
            NULL, err);
    return ls_exec(
        tx, LS_PLATFORM_SET_KEY,
        LS_ARGS(ls_int(place->platform_id), ls_text(place->owner), ls_blob_or_null(record)), NULL,
        err);
}

static llmgr_status add_row(const struct lm_pool *pool, struct ls_tx *tx,
                            const struct lm_pool_item *item, size_t position, struct lb_str record,
                            struct llmgr_error *err)
{
    uint32_t data_key = 0;

    (void)lv_record_key_id(record, &data_key);
    return ls_exec(tx, LS_POOL_ADD,
                   LS_ARGS(WHOSE(&pool->place), ls_int((int64_t)position), ls_blob_or_null(record),
                           ls_int(data_key), ls_text_or_null(item->key_env), ls_int(item->weight),
                           ls_text_or_null(item->account)),
                   NULL, err);
}

/*
 * `position` 0: its record goes to the column of its own, its row only says what is said of it. A
 * lone key's variable is in the row of the platform.
 */
static llmgr_status write_item(const struct lm_pool *pool, struct ls_tx *tx, size_t at,
                               size_t position, struct llmgr_error *err)
{
    const struct lm_pool_item *item = &pool->items[at];
    const bool says = item->weight != 1 || item->account.size != 0 ||
                      (item->key_env.size != 0 && pool->count > 1);
    struct lb_buf record;

    lb_buf_init(&record, lm_host(pool->manager), LV_RECORD_MAX);
    llmgr_status status = make_record(pool, tx, item, position != 0, &record, err);
    if (status == LLMGR_OK && position == 0)
        status = set_first(&pool->place, tx, lb_buf_str(&record), err);
    if (status == LLMGR_OK && (says || (position != 0 && record.size != 0)))
        status = add_row(pool, tx, item, position,
                         position != 0 ? lb_buf_str(&record) : (struct lb_str){0}, err);
    lb_buf_free(&record);
    return status;
}

llmgr_status lm_pool_write(struct lm_pool *pool, struct ls_tx *tx, struct llmgr_error *err)
{
    const size_t first = lm_pool_lead(pool, tx) ? 0 : 1;

    llmgr_status status = lm_pool_clear(&pool->place, tx, err);
    for (size_t i = 0; status == LLMGR_OK && i < pool->count; i++)
        status = write_item(pool, tx, i, first + i, err);
    return status;
}

llmgr_status lm_pool_clear(const struct lk_key_place *place, struct ls_tx *tx,
                           struct llmgr_error *err)
{
    llmgr_status status = ls_exec(tx, LS_POOL_CLEAR, LS_ARGS(WHOSE(place)), NULL, err);

    return status == LLMGR_OK ? set_first(place, tx, (struct lb_str){0}, err) : status;
}

llmgr_status lm_pool_set_only(struct lm_manager *manager, struct ls_tx *tx,
                              const struct lk_key_place *place, struct lb_str key,
                              struct llmgr_error *err)
{
    struct lb_buf record;

    lb_buf_init(&record, lm_host(manager), LV_RECORD_MAX);
    llmgr_status status = ls_exec(tx, LS_POOL_CLEAR, LS_ARGS(WHOSE(place)), NULL, err);
    if (status == LLMGR_OK)
        status = lk_key_seal(lm_keys(manager), tx, place, key, &record, err);
    if (status == LLMGR_OK)
        status = set_first(place, tx, lb_buf_str(&record), err);
    lb_buf_free(&record);
    return status;
}
