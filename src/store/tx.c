/* SPDX-License-Identifier: MIT */
/*
 * Transactions and statements, whatever the database. Everything that goes in or out is compared
 * with the statement table here, so that the drivers may trust it; the first failure of a
 * transaction sticks, so that both databases behave alike (PostgreSQL aborts it, SQLite would not).
 */
#include <assert.h>
#include <time.h>

#include "base/error.h"
#include "store/driver.h"
#include "store/reserve.h"

const struct ls_statement_row LS_STATEMENTS[LS_STATEMENT_COUNT] = {
#define LS_STATEMENT(name, args, columns, sql) {#name, args, columns, sql, sql, false},
#define LS_STATEMENT2(name, args, columns, sqlite, postgres)                                       \
    {#name, args, columns, sqlite, postgres, false},
#define LS_STATEMENT_LEGACY(name, args, columns, sql) {#name, args, columns, sql, sql, true},
#include "store/statements.def"
};

/* ---- Life of a transaction ---- */

struct ls_tx *ls_tx_on(struct ls_conn *conn, enum ls_mode mode)
{
    conn->tx = (struct ls_tx){.conn = conn, .mode = mode};
    return &conn->tx;
}

struct ls_store *ls_tx_store(struct ls_tx *tx)
{
    return tx->conn->store;
}

/* How much of the room that is kept a revocation may take. */
enum spending { SPEND_NOTHING, SPEND_PART, SPEND_ALL };

static llmgr_status try_begin(struct ls_store *store, enum ls_mode mode, struct ls_tx **out,
                              bool *retry, struct llmgr_error *err)
{
    struct ls_conn *conn = NULL;

    if (ls_mode_writes(mode) && store->options.read_only)
        return lb_fail(err, LLMGR_ERR_DATABASE_READONLY,
                       N_("%s was opened for reading only, so nothing can be changed"),
                       store->place);
    const bool changes = mode == LS_READ_CHANGES;
    const int more = changes && store->kind != LS_SQLITE_MEMORY ? 1 : 0;
    const bool soon = changes || mode == LS_READ_SOON || mode == LS_WRITE_SOON;
    const int64_t until_ms = soon ? lb_monotonic_ms() + LS_SOON_MS : 0;
    llmgr_status status =
        ls_pool_take_until(ls_store_pool(store, mode), until_ms, more, &conn, err);
    if (status != LLMGR_OK)
        return status;
    struct ls_tx *tx = ls_tx_on(conn, mode);
    status = store->driver->begin(conn, mode, err);
    if (status != LLMGR_OK) {
        *retry = tx->retry;
        ls_rollback(tx);
        return status;
    }
    *out = tx;
    return LLMGR_OK;
}

llmgr_status ls_begin(struct ls_store *store, enum ls_mode mode, struct ls_tx **out,
                      struct llmgr_error *err)
{
    struct ls_tx *tx = NULL;
    bool retry = false;
    llmgr_status status = try_begin(store, mode, &tx, &retry, err);

    /* Nothing has happened yet: a connection that broke while it was idle is simply replaced. */
    if (status != LLMGR_OK && retry)
        status = try_begin(store, mode, &tx, &retry, err);
    if (status == LLMGR_OK)
        *out = tx;
    return status;
}

static llmgr_status commit_once(struct ls_tx *tx, bool *retry, struct llmgr_error *err)
{
    struct ls_conn *conn = tx->conn;

    assert(tx->open_rows == 0);
    if (tx->failed != LLMGR_OK) {
        llmgr_status failed = tx->failed;
        *retry = tx->retry;
        ls_rollback(tx);
        return lb_fail(err, failed, N_("the change was undone because one of its steps failed: %s"),
                       llmgr_status_text(failed));
    }
    llmgr_status status = conn->store->driver->commit(conn, err);
    if (status != LLMGR_OK) {
        *retry = tx->retry;
        ls_rollback(tx);
        return status;
    }
    tx->conn = NULL;
    ls_pool_give(conn);
    return LLMGR_OK;
}

llmgr_status ls_commit(struct ls_tx *tx, struct llmgr_error *err)
{
    bool retry = false;

    return commit_once(tx, &retry, err);
}

void ls_rollback(struct ls_tx *tx)
{
    if (tx == NULL || tx->conn == NULL)
        return;
    struct ls_conn *conn = tx->conn;
    assert(tx->open_rows == 0);
    conn->store->driver->rollback(conn);
    tx->conn = NULL;
    ls_pool_give(conn);
}

/*
 * Doubling from 10 ms, each pause somewhere between half of it and the whole. Two that collided
 * must only not collide again, and the clock's last digits differ enough for that.
 */
static void pause_before_retry(int tries)
{
    int64_t half_ms = (int64_t)5 << tries;
    int64_t ms = half_ms + lb_monotonic_ns() / 64 % (half_ms + 1);
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}

/* A full disk may have room again once the write-ahead log was emptied into the database. */
static void relieve_reserve(struct ls_store *store)
{
    struct ls_conn *conn = NULL;

    if (ls_pool_take(ls_store_pool(store, LS_WRITE), &conn, NULL) != LLMGR_OK)
        return;
    store->driver->relieve(conn);
    ls_pool_give(conn);
}

/* After a try that found the disk full: may another one find room? */
static bool look_for_room(struct ls_store *store, enum ls_mode mode, bool *relieved,
                          enum spending *spending)
{
    if (!*relieved) {
        relieve_reserve(store);
        *relieved = true;
        return true;
    }
    if (mode != LS_REVOKE || store->reserve == NULL || *spending == SPEND_ALL)
        return false;
    (*spending)++;
    return true;
}

struct run {
    ls_transact_fn fn;
    void *context;
    enum spending spending;
    bool retry; /* out */
};

static llmgr_status run_once(struct ls_store *store, enum ls_mode mode, struct run *run,
                             struct llmgr_error *err)
{
    struct ls_tx *tx = NULL;

    run->retry = false;
    llmgr_status status = ls_begin(store, mode, &tx, err);
    if (status != LLMGR_OK)
        return status;
    /* Only now, under the lock for writing, nobody else can use it. */
    if (run->spending != SPEND_NOTHING)
        (void)ls_reserve_spend(store, run->spending == SPEND_ALL);
    status = run->fn(tx, run->context, err);
    if (status == LLMGR_OK)
        return commit_once(tx, &run->retry, err);
    run->retry = tx->retry;
    ls_rollback(tx);
    return status;
}

llmgr_status ls_transact(struct ls_store *store, enum ls_mode mode, ls_transact_fn fn,
                         void *context, struct llmgr_error *err)
{
    struct run run = {.fn = fn, .context = context};
    llmgr_status status = LLMGR_OK;
    bool relieved = false;

    for (int tries = 0;; tries++) {
        status = run_once(store, mode, &run, err);
        if (status == LLMGR_ERR_DATABASE_FULL && ls_mode_writes(mode))
            run.retry = look_for_room(store, mode, &relieved, &run.spending);
        if (status == LLMGR_OK || !run.retry || tries + 1 >= LS_TRIES)
            break;
        pause_before_retry(tries);
    }
    if (run.spending != SPEND_NOTHING) {
        relieve_reserve(store);
        (void)ls_reserve_fill(store);
    }
    return status;
}

/* ---- Statements ---- */

static const char BAD_TYPE[] = "type of an argument";

static bool value_fits(char declared, const struct ls_value *value)
{
    char type = (char)(declared | 0x20);

    return value->type == type || (value->type == 'n' && type != declared);
}

static llmgr_status fail_bug(struct ls_tx *tx, enum ls_statement id, const char *what,
                             struct llmgr_error *err)
{
    tx->failed = LLMGR_ERR_INTERNAL;
    return lb_fail(err, LLMGR_ERR_INTERNAL,
                   N_("internal error: statement %s was used wrongly (%s); please report this"),
                   LS_STATEMENTS[id].name, what);
}

static bool all_fit(const char *declared, const struct ls_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!value_fits(declared[i], &values[i]))
            return false;
    }
    return true;
}

static llmgr_status admit_statement(struct ls_tx *tx, enum ls_statement id, size_t count,
                                    struct llmgr_error *err)
{
    const struct ls_statement_row *row = &LS_STATEMENTS[id];

    if (tx->failed != LLMGR_OK)
        return lb_fail(err, tx->failed,
                       N_("the change was abandoned because one of its steps failed: %s"),
                       llmgr_status_text(tx->failed));
    if (count != strlen(row->args) || count > LS_ARGS_MAX)
        return fail_bug(tx, id, "number of arguments", err);
    if (!ls_mode_writes(tx->mode) && strncmp(row->sqlite, "SELECT", 6) != 0 &&
        strncmp(row->sqlite, "WITH", 4) != 0)
        return fail_bug(tx, id, "a change while reading", err);
    return LLMGR_OK;
}

static llmgr_status admit_values(struct ls_tx *tx, enum ls_statement id,
                                 const struct ls_value *values, size_t count,
                                 struct llmgr_error *err)
{
    llmgr_status status = admit_statement(tx, id, count, err);

    if (status == LLMGR_OK && !all_fit(LS_STATEMENTS[id].args, values, count))
        status = fail_bug(tx, id, BAD_TYPE, err);
    return status;
}

static llmgr_status keep_status(struct ls_tx *tx, llmgr_status status)
{
    if (status != LLMGR_OK && tx->failed == LLMGR_OK)
        tx->failed = status;
    return status;
}

llmgr_status ls_exec(struct ls_tx *tx, enum ls_statement id, const struct ls_value *values,
                     size_t count, int64_t *changed, struct llmgr_error *err)
{
    int64_t rows_changed = 0;
    llmgr_status status = admit_values(tx, id, values, count, err);

    if (status != LLMGR_OK)
        return status;
    if (LS_STATEMENTS[id].columns[0] != '\0')
        return fail_bug(tx, id, "its result is ignored", err);
    status = tx->conn->store->driver->exec(tx->conn, id, values, count, &rows_changed, err);
    if (status == LLMGR_OK && changed != NULL)
        *changed = rows_changed;
    return keep_status(tx, status);
}

llmgr_status ls_runs_fill(const struct ls_runs *runs, size_t run,
                          struct ls_value values[LS_ARGS_MAX], struct llmgr_error *err)
{
    if (run != 0 && runs->rest != NULL)
        runs->rest(run, runs->times);
    runs->fill(runs->context, run, values);
    if (!all_fit(LS_STATEMENTS[runs->id].args, values, runs->count))
        return fail_bug(runs->tx, runs->id, BAD_TYPE, err);
    return LLMGR_OK;
}

llmgr_status ls_exec_many(struct ls_tx *tx, enum ls_statement id, ls_fill_fn fill,
                          const void *context, size_t times, lb_rest_fn rest,
                          struct llmgr_error *err)
{
    const struct ls_runs runs = {.tx = tx,
                                 .id = id,
                                 .count = strlen(LS_STATEMENTS[id].args),
                                 .times = times,
                                 .fill = fill,
                                 .context = context,
                                 .rest = rest};
    llmgr_status status = admit_statement(tx, id, runs.count, err);

    if (status != LLMGR_OK)
        return status;
    if (LS_STATEMENTS[id].columns[0] != '\0')
        return fail_bug(tx, id, "its result is ignored", err);
    if (times == 0)
        return LLMGR_OK;
    return keep_status(tx, tx->conn->store->driver->exec_many(tx->conn, &runs, err));
}

llmgr_status ls_query(struct ls_tx *tx, enum ls_statement id, const struct ls_value *values,
                      size_t count, struct ls_rows *rows, struct llmgr_error *err)
{
    llmgr_status status = admit_values(tx, id, values, count, err);

    *rows = (struct ls_rows){.id = id, .at = -1, .columns = LS_STATEMENTS[id].columns};
    if (status != LLMGR_OK)
        return status;
    rows->column_count = (int)strlen(rows->columns);
    if (rows->column_count == 0)
        return fail_bug(tx, id, "it has no result", err);
    status = tx->conn->store->driver->query(tx->conn, values, count, rows, err);
    if (status != LLMGR_OK)
        return keep_status(tx, status);
    rows->tx = tx;
    tx->open_rows++;
    return LLMGR_OK;
}

/* The database may hold what our schema forbids (another program wrote it): never pass it on. */
static bool row_as_declared(const struct ls_driver *driver, const struct ls_rows *rows)
{
    for (int i = 0; i < rows->column_count; i++) {
        struct ls_value value = driver->column(rows, i);
        if (!value_fits(rows->columns[i], &value))
            return false;
    }
    return true;
}

llmgr_status ls_next(struct ls_rows *rows, bool *found, struct llmgr_error *err)
{
    struct ls_tx *tx = rows->tx;
    bool more = false;

    rows->on_row = false;
    if (tx == NULL) {
        *found = false;
        return LLMGR_OK;
    }
    if (tx->failed != LLMGR_OK)
        return lb_fail(err, tx->failed, "%s", llmgr_status_text(tx->failed));
    struct ls_store *store = tx->conn->store;
    llmgr_status status = store->driver->next(tx->conn, rows, &more, err);
    if (status == LLMGR_OK && more && !row_as_declared(store->driver, rows))
        status = lb_fail(err, LLMGR_ERR_DATABASE,
                         N_("%s holds a value of an unexpected type (statement %s); check it with "
                            "\"llmgr db check\""),
                         store->place, LS_STATEMENTS[rows->id].name);
    if (status != LLMGR_OK)
        return keep_status(tx, status);
    rows->on_row = *found = more;
    return LLMGR_OK;
}

void ls_rows_end(struct ls_rows *rows)
{
    if (rows->tx == NULL)
        return;
    rows->tx->conn->store->driver->end(rows);
    rows->tx->open_rows--;
    rows->tx = NULL;
    rows->on_row = false;
}

llmgr_status ls_each(struct ls_tx *tx, enum ls_statement id, const struct ls_value *values,
                     size_t count, ls_row_fn take, void *context, struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = true;

    llmgr_status status = ls_query(tx, id, values, count, &rows, err);
    if (status == LLMGR_OK)
        status = ls_next(&rows, &found, err);
    while (status == LLMGR_OK && found) {
        status = take(&rows, context, err);
        if (status == LLMGR_OK)
            status = ls_next(&rows, &found, err);
    }
    ls_rows_end(&rows);
    return status;
}

llmgr_status ls_read_each(struct ls_store *store, enum ls_mode mode, enum ls_statement id,
                          const struct ls_value *values, size_t count, ls_row_fn take,
                          void *context, struct llmgr_error *err)
{
    struct ls_tx *tx;

    llmgr_status status = ls_begin(store, mode, &tx, err);
    if (status != LLMGR_OK)
        return status;
    status = ls_each(tx, id, values, count, take, context, err);
    ls_rollback(tx);
    return status;
}

llmgr_status ls_find(struct ls_tx *tx, enum ls_statement id, const struct ls_value *values,
                     size_t count, struct ls_rows *rows, bool *found, struct llmgr_error *err)
{
    bool there = false;

    llmgr_status status = ls_query(tx, id, values, count, rows, err);
    if (status == LLMGR_OK)
        status = ls_next(rows, &there, err);
    if (!there)
        ls_rows_end(rows);
    if (status == LLMGR_OK)
        *found = there;
    return status;
}

llmgr_status ls_get(struct ls_tx *tx, enum ls_statement id, const struct ls_value *values,
                    size_t count, struct ls_rows *rows, struct llmgr_error *err)
{
    bool found = false;

    llmgr_status status = ls_find(tx, id, values, count, rows, &found, err);
    if (status == LLMGR_OK && !found)
        status = fail_bug(tx, id, "it has no row", err);
    return status;
}

llmgr_status ls_insert(struct ls_tx *tx, enum ls_statement id, const struct ls_value *values,
                       size_t count, int64_t *new_id, struct llmgr_error *err)
{
    struct ls_rows rows;
    bool more;

    if (strcmp(LS_STATEMENTS[id].columns, "i") != 0)
        return fail_bug(tx, id, "it does not return an id", err);
    llmgr_status status = ls_get(tx, id, values, count, &rows, err);
    if (status != LLMGR_OK)
        return status;
    int64_t value = ls_column_int(&rows, 0);
    /* SQLite finishes an INSERT … RETURNING only when it is stepped to its end. */
    status = ls_next(&rows, &more, err);
    ls_rows_end(&rows);
    if (status == LLMGR_OK)
        *new_id = value;
    return status;
}

/* ---- Columns ---- */

static struct ls_value column_of(const struct ls_rows *rows, int at, char type)
{
    bool valid = rows->tx != NULL && rows->on_row && at >= 0 && at < rows->column_count &&
                 (type == 'n' || (rows->columns[at] | 0x20) == type);

    assert(valid);
    if (!valid)
        return ls_null();
    return rows->tx->conn->store->driver->column(rows, at);
}

int64_t ls_column_int(const struct ls_rows *rows, int at)
{
    struct ls_value value = column_of(rows, at, 'i');
    return value.type == 'i' ? value.integer : 0;
}

struct lb_str ls_column_text(const struct ls_rows *rows, int at)
{
    struct ls_value value = column_of(rows, at, 't');
    return value.type == 't' ? value.bytes : (struct lb_str){NULL, 0};
}

struct lb_str ls_column_blob(const struct ls_rows *rows, int at)
{
    struct ls_value value = column_of(rows, at, 'b');
    return value.type == 'b' ? value.bytes : (struct lb_str){NULL, 0};
}

bool ls_column_is_null(const struct ls_rows *rows, int at)
{
    return column_of(rows, at, 'n').type == 'n';
}
