/* SPDX-License-Identifier: MIT */
/*
 * Looking after the ring: counts, rotation of the data key, rotation of the master key, check.
 *
 * A rotation walks these steps, each a transaction of its own; killed anywhere, it leaves every
 * record readable, and the next rotation goes on from what llm_meta remembers ("ID:COLUMN:ROW"):
 *
 *   store     a new data key, not used yet
 *   promote   it seals from now on; the old ones only open
 *   sweep     BATCH records at a time are resealed, in the order of their rows
 *   retire    old keys that seal nothing are dropped
 *
 * Two processes may rotate at once: they work on the same new key, and a record resealed twice is
 * no harm. Records that do not open (their platform moved, and the key is bound to the old
 * address) are left: their data key stays, for the address may come back.
 */
#include <sodium.h>

#include "base/error.h"
#include "keys/ring_rows.h"
#include "store/store.h"

enum {
    BATCH = 200,                 /* records per write transaction: a few milliseconds */
    BATCH_MEMORY_MAX = 16 << 20, /* 200 of the longest records, owners and addresses */
    PROGRESS_SIZE = 64
};

#define PROGRESS_NAME "key.rotation"

/* ---- Counts ---------------------------------------------------------------------------------- */

struct counting {
    const struct lk_keys *keys;
    struct lk_ring_list *list;
    int64_t counts[LV_RING_MAX]; /* records per list item */
    int64_t total;               /* of all records, also under keys that are not in the list */
};

static llmgr_status take_count(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct counting *counting = context;
    struct lb_str bytes = ls_column_blob(row, 0);
    int64_t count = ls_column_int(row, 1);
    uint32_t id = 0;

    (void)err;
    for (size_t i = 0; i < bytes.size; i++)
        id = id << 8 | (unsigned char)bytes.p[i];
    counting->total += count;
    for (size_t i = 0; i < counting->list->count; i++)
        if (counting->list->items[i].row.id == id)
            counting->counts[i] += count;
    return LLMGR_OK;
}

static llmgr_status count_records(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct counting *counting = context;
    memset(counting->counts, 0, sizeof counting->counts);
    counting->total = 0;
    llmgr_status status = lk_ring_read(tx, counting->list, err);
    if (status != LLMGR_OK)
        return status;
    return ls_each(tx, LS_RING_COUNTS, NULL, 0, take_count, counting, err);
}

/* Fills `counting` (freed by free_counting whatever is returned). */
static llmgr_status count(const struct lk_keys *keys, struct counting *counting,
                          struct llmgr_error *err)
{
    *counting = (struct counting){.keys = keys};
    counting->list = lb_alloc(keys->host, sizeof *counting->list);
    if (counting->list == NULL)
        return lb_fail_memory(err);
    return ls_transact(keys->store, LS_READ, count_records, counting, err);
}

static void free_counting(struct counting *counting)
{
    lb_free(counting->keys->host, counting->list);
}

static bool is_sealing(const struct lk_ring_key *key)
{
    return strcmp(key->row.purpose, lv_purpose_text(LV_PURPOSE_SEAL)) == 0;
}

static llmgr_status fill_report(const struct counting *counting, struct lb_arena *arena,
                                struct llmgr_key_report *report, struct llmgr_error *err)
{
    const struct lk_ring_list *list = counting->list;
    struct llmgr_data_key *keys = lb_arena_calloc(arena, list->count + 1, sizeof *keys);
    char *master_id = lb_arena_bytes(arena, LV_MASTER_ID_SIZE);
    if (keys == NULL || master_id == NULL)
        return lb_fail_memory(err);
    lv_vault_master_id(counting->keys->vault, master_id);
    size_t filled = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!is_sealing(&list->items[i]))
            continue;
        keys[filled++] = (struct llmgr_data_key){
            .id = list->items[i].row.id,
            .active = strcmp(list->items[i].state, LK_RING_ACTIVE) == 0,
            .records = counting->counts[i],
            .created_at_ms = list->items[i].created_at_ms,
        };
    }
    *report = (struct llmgr_key_report){.keys = keys, .count = filled, .master_id = master_id};
    return LLMGR_OK;
}

llmgr_status lk_ring_status(const struct lk_keys *keys, struct lb_arena *arena,
                            struct llmgr_key_report *report, struct llmgr_error *err)
{
    struct counting counting;
    llmgr_status status = count(keys, &counting, err);
    if (status == LLMGR_OK)
        status = fill_report(&counting, arena, report, err);
    free_counting(&counting);
    return status;
}

/* ---- Progress, as llm_meta remembers it ------------------------------------------------------ */

struct progress {
    uint32_t target; /* the new data key; 0: no rotation is under way */
    enum lk_key_column column;
    int64_t row; /* everything up to this row of `column` is done */
};

static bool parse_progress(struct lb_str text, struct progress *progress)
{
    size_t first = lb_str_find(text, ':');
    struct lb_str rest = lb_str_sub(text, first + 1, text.size);
    size_t second = lb_str_find(rest, ':');
    uint64_t target, column;
    int64_t row;
    if (!lb_str_to_u64(lb_str_sub(text, 0, first), &target) || target == 0 || target > INT32_MAX ||
        !lb_str_to_u64(lb_str_sub(rest, 0, second), &column) || column >= LK_KEY_RESEALED ||
        !lb_str_to_i64(lb_str_sub(rest, second + 1, rest.size), &row))
        return false;
    *progress = (struct progress){(uint32_t)target, (enum lk_key_column)column, row};
    return true;
}

/* What cannot be understood is no rotation under way: the next one starts afresh, safely. */
static llmgr_status read_progress(struct ls_tx *tx, struct progress *progress,
                                  struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;
    llmgr_status status =
        ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr(PROGRESS_NAME)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    *progress = (struct progress){0};
    if (found) {
        parse_progress(ls_column_text(&rows, 0), progress);
        ls_rows_end(&rows);
    }
    return LLMGR_OK;
}

static llmgr_status write_progress(const struct lb_host *host, struct ls_tx *tx,
                                   const struct progress *progress, struct llmgr_error *err)
{
    struct lb_buf text;
    lb_buf_init(&text, host, PROGRESS_SIZE);
    if (progress->target != 0)
        lb_buf_addf(&text, "%lu:%d:%lld", (unsigned long)progress->target, (int)progress->column,
                    (long long)progress->row);
    llmgr_status status = LLMGR_OK;
    if (text.failed != LLMGR_OK)
        status = lb_fail_memory(err);
    else
        status = ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr(PROGRESS_NAME), ls_cstr(lb_buf_c(&text))),
                         NULL, err);
    lb_buf_free(&text);
    return status;
}

/* ---- Rotation -------------------------------------------------------------------------------- */

struct rotation {
    const struct lk_keys *keys;
    struct progress at;
    struct counting *counting; /* for retire */
    bool is_done;
    int64_t rotated;
    int64_t unreadable;
    int64_t retired;
    /* Of the batch being tried; added to the sums once it is committed. */
    int64_t batch_rotated;
    int64_t batch_unreadable;
};

/* The ring must be this master key's: a rewrap by another process would make it two halves. */
static llmgr_status judge_ring(const struct rotation *rotation, const struct lk_ring_list *list,
                               struct llmgr_error *err)
{
    char mine[LV_MASTER_ID_SIZE];
    lv_vault_master_id(rotation->keys->vault, mine);
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].row.master_id, mine) != 0)
            return lb_fail(err, LLMGR_ERR_VAULT,
                           N_("the master key is %s, but the data keys are wrapped with %s by now; "
                              "start again with that one"),
                           mine, list->items[i].row.master_id);
    /* Room for the key of this rotation, and for one that another process may add. */
    if (list->count + 2 > LV_RING_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("there are %zu data keys, which is the limit; llmgr db check tells which "
                          "keys do not open and hold them"),
                       list->count);
    return LLMGR_OK;
}

static bool has_key(const struct lk_ring_list *list, uint32_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].row.id == id)
            return true;
    return false;
}

static llmgr_status store_key(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct rotation *rotation = context;
    struct lk_ring_list *list = rotation->counting->list;
    llmgr_status status = lk_ring_read(tx, list, err);
    if (status == LLMGR_OK)
        status = judge_ring(rotation, list, err);
    if (status == LLMGR_OK)
        status = read_progress(tx, &rotation->at, err);
    if (status != LLMGR_OK || has_key(list, rotation->at.target))
        return status;

    rotation->at = (struct progress){.column = LK_KEY_OF_PLATFORM};
    status = lk_ring_make(rotation->keys->host, rotation->keys->vault, tx, LV_PURPOSE_SEAL,
                          LK_RING_STORED, &rotation->at.target, err);
    if (status == LLMGR_OK)
        status = write_progress(rotation->keys->host, tx, &rotation->at, err);
    return status;
}

/* Another process may have finished this rotation meanwhile, and even begun the next one. */
static llmgr_status still_ours(struct rotation *rotation, struct ls_tx *tx, bool *ours,
                               struct llmgr_error *err)
{
    struct progress stored;
    llmgr_status status = read_progress(tx, &stored, err);
    if (status == LLMGR_OK)
        *ours = stored.target == rotation->at.target;
    return status;
}

static llmgr_status promote_key(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct rotation *rotation = context;
    bool ours = false;
    llmgr_status status = still_ours(rotation, tx, &ours, err);
    if (status != LLMGR_OK || !ours)
        return status;
    status = ls_exec(tx, LS_RING_PROMOTE, LS_ARGS(ls_int(rotation->at.target)), NULL, err);
    if (status == LLMGR_OK)
        status =
            ls_exec(tx, LS_RING_DEMOTE,
                    LS_ARGS(ls_cstr(lv_purpose_text(LV_PURPOSE_SEAL)), ls_int(rotation->at.target)),
                    NULL, err);
    return status;
}

/* Reseals one record, unless it is under the new key already or does not open. */
static llmgr_status reseal_row(struct rotation *rotation, struct ls_tx *tx,
                               const struct lk_sealed_row *row, struct llmgr_error *err)
{
    uint32_t id;
    if (lv_record_key_id(row->record, &id) && id == rotation->at.target)
        return LLMGR_OK;

    const struct lk_key_place place = lk_sealed_place(rotation->at.column, row);
    struct llmgr_error why = {0};
    struct lv_secret key;
    llmgr_status status = lk_key_open(rotation->keys, tx, &place, row->record, &key, &why);
    if (status == LLMGR_ERR_VAULT) {
        rotation->batch_unreadable++;
        return LLMGR_OK;
    }
    struct lb_buf record;
    lb_buf_init(&record, rotation->keys->host, LV_RECORD_MAX);
    if (status == LLMGR_OK)
        status = lk_key_seal(rotation->keys, tx, &place, lv_secret_str(&key), &record, err);
    else if (err != NULL)
        *err = why;
    lv_secret_clear(&key);

    int64_t changed = 0;
    if (status == LLMGR_OK)
        status = ls_exec(tx, lk_sealed_column(rotation->at.column)->reseal,
                         LS_ARGS(ls_int(row->id), ls_blob(row->record.p, row->record.size),
                                 ls_blob(record.data, record.size)),
                         &changed, err);
    rotation->batch_rotated += changed;
    lb_buf_free(&record);
    return status;
}

static llmgr_status reseal_page(struct rotation *rotation, struct ls_tx *tx, struct lb_arena *arena,
                                struct progress *next, struct llmgr_error *err)
{
    struct lk_sealed_row *rows;
    size_t row_count;
    llmgr_status status = lk_sealed_page(tx, rotation->at.column, rotation->at.row, BATCH, arena,
                                         &rows, &row_count, err);
    for (size_t i = 0; status == LLMGR_OK && i < row_count; i++)
        status = reseal_row(rotation, tx, &rows[i], err);
    if (status != LLMGR_OK)
        return status;
    *next = rotation->at;
    if (row_count > 0)
        next->row = rows[row_count - 1].id;
    return LLMGR_OK;
}

struct batch {
    struct rotation *rotation;
    struct progress next;
    bool ours;
};

static llmgr_status run_batch(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct batch *batch = context;
    struct rotation *rotation = batch->rotation;
    rotation->batch_rotated = 0;
    rotation->batch_unreadable = 0;
    llmgr_status status = still_ours(rotation, tx, &batch->ours, err);
    if (status != LLMGR_OK || !batch->ours)
        return status;

    struct lb_arena arena;
    lb_arena_init(&arena, rotation->keys->host, NULL, 0, BATCH_MEMORY_MAX);
    status = reseal_page(rotation, tx, &arena, &batch->next, err);
    lb_arena_free(&arena);
    if (status == LLMGR_OK)
        status = write_progress(rotation->keys->host, tx, &batch->next, err);
    return status;
}

/* Until all columns are done, or another process has done them. */
static llmgr_status sweep_rows(struct rotation *rotation, struct llmgr_error *err)
{
    for (;;) {
        struct batch batch = {.rotation = rotation};
        llmgr_status status = ls_transact(rotation->keys->store, LS_REVOKE, run_batch, &batch, err);
        if (status != LLMGR_OK || !batch.ours)
            return status;
        rotation->rotated += rotation->batch_rotated;
        rotation->unreadable += rotation->batch_unreadable;
        bool at_end = batch.next.row == rotation->at.row;
        rotation->at = batch.next;
        if (!at_end)
            continue;
        if (rotation->at.column + 1 == LK_KEY_RESEALED)
            return LLMGR_OK;
        rotation->at.column++;
        rotation->at.row = 0;
    }
}

/*
 * Drops the keys that only open and have nothing left to open. They were counted before this
 * transaction: the count of a key that no longer seals can only have fallen since.
 */
static llmgr_status retire_keys(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct rotation *rotation = context;
    const struct counting *counting = rotation->counting;
    rotation->retired = 0;
    for (size_t i = 0; i < counting->list->count; i++) {
        const struct lk_ring_key *key = &counting->list->items[i];
        if (!is_sealing(key) || counting->counts[i] > 0 ||
            strcmp(key->state, LK_RING_RETIRING) != 0)
            continue;
        int64_t changed = 0;
        llmgr_status status =
            ls_exec(tx, LS_RING_RETIRE, LS_ARGS(ls_int(key->row.id)), &changed, err);
        if (status != LLMGR_OK)
            return status;
        rotation->retired += changed;
    }
    bool ours = false;
    llmgr_status status = still_ours(rotation, tx, &ours, err);
    if (status == LLMGR_OK && ours)
        status = write_progress(rotation->keys->host, tx, &(struct progress){0}, err);
    return status;
}

static llmgr_status rotate_keys(struct rotation *rotation, struct llmgr_error *err)
{
    struct ls_store *store = rotation->keys->store;
    llmgr_status status = ls_transact(store, LS_REVOKE, store_key, rotation, err);
    if (status == LLMGR_OK)
        status = ls_transact(store, LS_REVOKE, promote_key, rotation, err);
    if (status == LLMGR_OK)
        status = sweep_rows(rotation, err);
    if (status == LLMGR_OK)
        status = ls_transact(store, LS_READ, count_records, rotation->counting, err);
    /* A change of the catalogue: everybody drops the sealed keys they remember. */
    if (status == LLMGR_OK)
        status = rotation->keys->announce(rotation->keys->owner, retire_keys, rotation, err);
    if (status == LLMGR_OK)
        status = ls_transact(store, LS_READ, count_records, rotation->counting, err);
    return status;
}

static llmgr_status peek_progress(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return read_progress(tx, context, err);
}

/* How many records a rotation started now would look at. */
static llmgr_status count_left(const struct counting *counting, int64_t *left,
                               struct llmgr_error *err)
{
    struct progress progress;
    llmgr_status status =
        ls_transact(counting->keys->store, LS_READ_ONE, peek_progress, &progress, err);
    if (status != LLMGR_OK)
        return status;
    *left = counting->total;
    for (size_t i = 0; i < counting->list->count; i++)
        if (counting->list->items[i].row.id == progress.target)
            *left -= counting->counts[i];
    return LLMGR_OK;
}

llmgr_status lk_ring_rotate(const struct lk_keys *keys, bool dry_run, struct lb_arena *arena,
                            struct llmgr_key_report *report, struct llmgr_error *err)
{
    struct counting counting;
    struct rotation rotation = {.keys = keys, .counting = &counting};
    struct llmgr_key_report filled = {0};
    llmgr_status status = count(keys, &counting, err);
    if (status == LLMGR_OK)
        status =
            dry_run ? count_left(&counting, &rotation.rotated, err) : rotate_keys(&rotation, err);
    if (status == LLMGR_OK)
        status = fill_report(&counting, arena, &filled, err);
    free_counting(&counting);
    if (status != LLMGR_OK)
        return status;

    if (rotation.unreadable > 0)
        lb_warn(keys->host,
                "%lld API keys or header fields were left under their old data key because they do "
                "not open for their platform's address; their owners must store them again",
                (long long)rotation.unreadable);
    filled.rotated = rotation.rotated;
    filled.retired = rotation.retired;
    *report = filled;
    return LLMGR_OK;
}

/* ---- Another master key ---------------------------------------------------------------------- */

struct rewrap {
    const struct lk_keys *keys;
    const struct lv_master *master;
    struct lk_ring_list *list;
};

static llmgr_status rewrap_rows(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct rewrap *rewrap = context;
    llmgr_status status = lk_ring_read(tx, rewrap->list, err);
    for (size_t i = 0; status == LLMGR_OK && i < rewrap->list->count; i++) {
        struct lv_ring_row row;
        status = lv_ring_rewrap(rewrap->keys->vault, &rewrap->list->items[i].row, rewrap->master,
                                &row, err);
        if (status == LLMGR_OK)
            status = ls_exec(tx, LS_RING_REWRAP,
                             LS_ARGS(ls_int(row.id), ls_blob(row.wrapped, sizeof row.wrapped),
                                     ls_cstr(row.master_id)),
                             NULL, err);
    }
    return status;
}

llmgr_status lk_ring_rewrap(const struct lk_keys *keys, const struct lv_master *master,
                            struct llmgr_error *err)
{
    struct rewrap rewrap = {.keys = keys, .master = master};
    rewrap.list = lb_alloc(keys->host, sizeof *rewrap.list);
    if (rewrap.list == NULL)
        return lb_fail_memory(err);
    llmgr_status status = ls_transact(keys->store, LS_REVOKE, rewrap_rows, &rewrap, err);
    lb_free(keys->host, rewrap.list);
    return status == LLMGR_OK ? lv_vault_set_master(keys->vault, master, err) : status;
}

/* ---- Check ----------------------------------------------------------------------------------- */

struct check {
    const struct lk_keys *keys;
    enum lk_key_column column;
    int64_t after;
    int64_t next;
    int64_t unreadable; /* of this page */
    size_t count;
};

static llmgr_status check_rows(struct check *check, struct ls_tx *tx, struct lb_arena *arena,
                               struct llmgr_error *err)
{
    struct lk_sealed_row *rows;
    llmgr_status status =
        lk_sealed_page(tx, check->column, check->after, BATCH, arena, &rows, &check->count, err);
    for (size_t i = 0; status == LLMGR_OK && i < check->count; i++) {
        const struct lk_key_place place = lk_sealed_place(check->column, &rows[i]);
        struct llmgr_error why = {0};
        struct lv_secret key;
        status = lk_key_open(check->keys, tx, &place, rows[i].record, &key, &why);
        lv_secret_clear(&key);
        if (status == LLMGR_ERR_VAULT) {
            check->unreadable++;
            status = LLMGR_OK;
        } else if (status != LLMGR_OK && err != NULL) {
            *err = why;
        }
        check->next = rows[i].id;
    }
    return status;
}

static llmgr_status check_page(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct check *check = context;
    check->unreadable = 0;
    check->count = 0;
    struct lb_arena arena;
    lb_arena_init(&arena, check->keys->host, NULL, 0, BATCH_MEMORY_MAX);
    llmgr_status status = check_rows(check, tx, &arena, err);
    lb_arena_free(&arena);
    return status;
}

llmgr_status lk_ring_check(const struct lk_keys *keys, int64_t *unreadable, struct llmgr_error *err)
{
    int64_t sum = 0;
    for (int column = LK_KEY_OF_PLATFORM; column < (int)LK_KEY_RESEALED; column++) {
        struct check check = {.keys = keys, .column = (enum lk_key_column)column};
        do {
            check.after = check.next;
            llmgr_status status = ls_transact(keys->store, LS_READ, check_page, &check, err);
            if (status != LLMGR_OK)
                return status;
            sum += check.unreadable;
        } while (check.count == BATCH);
    }
    *unreadable = sum;
    return LLMGR_OK;
}
