/* SPDX-License-Identifier: MIT */
/*
 * SQLite. One connection of a process writes (and it alone checkpoints), all others are opened
 * read-only and see a snapshot of the write-ahead log, so readers never wait for writers.
 *
 * The file is treated as untrusted: it may have been edited by anybody who can write it, so the
 * schema may not call functions or change itself, limits are tight, cell sizes are checked, and no
 * page is memory-mapped. Deleted content is overwritten, since it may have been a key.
 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/reserve.h"

enum { VALUE_LIMIT = 16 << 20, WAL_KEEP = 64 << 20 };

static llmgr_status conn_fail(struct sqlite_conn *conn, int rc, struct llmgr_error *err)
{
    return ls_sqlite_fail(conn->base.store->place, conn->db, rc, err);
}

/* ---- Opening ---- */

llmgr_status ls_sqlite_create_file(const char *path, bool *created, struct llmgr_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    /*
     * An existing file is not opened here: closing it again would drop the locks that SQLite holds
     * on it elsewhere in this process (POSIX locks belong to the process, not the descriptor).
     */
    if (fd < 0 && errno == EEXIST) {
        *created = false;
        return LLMGR_OK;
    }
    if (fd < 0) {
        int why = errno;
        llmgr_status status = LLMGR_ERR_DATABASE;
        if (why == EACCES || why == EPERM || why == EROFS)
            status = LLMGR_ERR_DATABASE_READONLY;
        else if (why == ENOSPC || why == EDQUOT)
            status = LLMGR_ERR_DATABASE_FULL;
        return lb_fail(err, status,
                       N_("cannot create %s: %s; the folder must exist and be writable"), path,
                       strerror(why));
    }
    int failed = fchmod(fd, 0600);
    close(fd);
    if (failed != 0) {
        (void)unlink(path);
        return lb_fail(err, LLMGR_ERR_DATABASE, N_("cannot protect %s with mode 0600: %s"), path,
                       strerror(errno));
    }
    *created = true;
    return LLMGR_OK;
}

static void set_limits(sqlite3 *db)
{
    static const struct {
        int id;
        int value;
    } LIMITS[] = {
        {SQLITE_LIMIT_LENGTH, VALUE_LIMIT},
        {SQLITE_LIMIT_SQL_LENGTH, 64 << 10},
        {SQLITE_LIMIT_COLUMN, 64},
        {SQLITE_LIMIT_EXPR_DEPTH, 64},
        {SQLITE_LIMIT_COMPOUND_SELECT, 8},
        {SQLITE_LIMIT_VDBE_OP, 50000},
        {SQLITE_LIMIT_FUNCTION_ARG, 16},
        {SQLITE_LIMIT_ATTACHED, 1},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 512},
        {SQLITE_LIMIT_VARIABLE_NUMBER, LS_ARGS_MAX},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 4},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };

    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++)
        sqlite3_limit(db, LIMITS[i].id, LIMITS[i].value);
}

static int harden_connection(sqlite3 *db)
{
    int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    set_limits(db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db,
                          "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                          "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;"
                          "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY",
                          NULL, NULL, NULL);
    return rc;
}

llmgr_status ls_sqlite_open(const char *path, const char *place, int flags, int busy_timeout_ms,
                            sqlite3 **out, struct llmgr_error *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(
        path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
        NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, busy_timeout_ms);
    if (rc == SQLITE_OK)
        rc = harden_connection(db);
    if (rc != SQLITE_OK) {
        llmgr_status status = ls_sqlite_fail(place, db, rc, err);
        sqlite3_close(db);
        return status;
    }
    *out = db;
    return LLMGR_OK;
}

static void sqlite_disconnect(struct ls_conn *base)
{
    struct sqlite_conn *conn = sqlite_conn(base);

    for (size_t i = 0; i < CONTROL_COUNT; i++)
        sqlite3_finalize(conn->controls[i]);
    for (size_t i = 0; i < LS_STATEMENT_COUNT; i++)
        sqlite3_finalize(conn->statements[i]);
    for (size_t i = 0; i < LS_STATEMENT_COUNT; i++)
        sqlite3_finalize(conn->many[i]);
    sqlite3_close(conn->db);
    lb_free(base->store->host, conn);
}

/* Beforehand: a transaction must be able to end when there is no memory left to prepare that. */
static int prepare_controls(struct sqlite_conn *conn)
{
    static const char *const SQL[CONTROL_COUNT] = {"BEGIN", "BEGIN IMMEDIATE", "COMMIT",
                                                   "ROLLBACK"};
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < CONTROL_COUNT; i++)
        rc = sqlite3_prepare_v3(conn->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &conn->controls[i],
                                NULL);
    return rc;
}

/* Returns SQLite's code; *wal tells whether the write-ahead log is in use now. */
static int ask_for_wal(sqlite3 *db, bool *wal)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            const unsigned char *mode = sqlite3_column_text(stmt, 0);
            *wal = mode != NULL && strcmp((const char *)mode, "wal") == 0;
            rc = SQLITE_OK;
        }
    }
    sqlite3_finalize(stmt);
    return rc;
}

static llmgr_status sqlite_ready(struct ls_conn *base, struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);
    struct ls_store *store = base->store;
    int64_t until = lb_monotonic_ms() + store->options.busy_timeout_ms;
    bool wal = false;
    int rc;

    if (store->kind == LS_SQLITE_MEMORY)
        return LLMGR_OK;
    lb_info(store->host, "%s: SQLite %s%s", store->place, sqlite3_libversion(),
            ls_sqlite_wal_reset_bug(sqlite3_libversion_number())
                ? ", which has the WAL-reset bug: use 3.51.3 or later where many processes write"
                : "");
    /* SQLite does not call the busy handler on every road to the exclusive lock this needs. */
    while ((rc = ask_for_wal(conn->db, &wal)) != SQLITE_OK && (rc & 0xff) == SQLITE_BUSY &&
           lb_monotonic_ms() < until)
        sqlite3_sleep(10);
    if (rc != SQLITE_OK)
        return conn_fail(conn, rc, err);
    if (!wal)
        lb_warn(store->host,
                "%s: the file system does not support SQLite's write-ahead log; readers and the "
                "writer will wait for each other",
                store->place);
    char pragma[64];
    sqlite3_snprintf(sizeof pragma, pragma, "PRAGMA journal_size_limit = %d", WAL_KEEP);
    rc = sqlite3_exec(conn->db, pragma, NULL, NULL, NULL);
    return rc == SQLITE_OK ? LLMGR_OK : conn_fail(conn, rc, err);
}

static llmgr_status sqlite_connect(struct ls_store *store, bool writer, bool soon,
                                   struct ls_conn **out, struct llmgr_error *err)
{
    int flags = writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

    (void)soon;
    if (store->kind == LS_SQLITE_MEMORY)
        flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    else if (access(store->target, F_OK) != 0 && errno == ENOENT)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("there is no database %s; create it with \"llmgr init\""), store->place);
    struct sqlite_conn *conn = lb_calloc(store->host, 1, sizeof *conn);
    if (conn == NULL)
        return lb_fail_memory(err);
    llmgr_status status = ls_sqlite_open(store->target, store->place, flags,
                                         store->options.busy_timeout_ms, &conn->db, err);
    if (status != LLMGR_OK) {
        lb_free(store->host, conn);
        return status;
    }
    conn->base.store = store;
    int rc = prepare_controls(conn);
    if (rc == SQLITE_OK && writer)
        rc = ls_sqlite_many_init(conn->db);
    if (rc != SQLITE_OK)
        status = conn_fail(conn, rc, err);
    else if (!ls_sqlite_is_followed(store))
        status =
            lb_fail(err, LLMGR_ERR_DATABASE_BUSY,
                    N_("%s was exchanged for another file this moment; try again"), store->place);
    else if (writer && atomic_exchange(&store->ready_due, false))
        status = sqlite_ready(&conn->base, err);
    if (status != LLMGR_OK) {
        sqlite_disconnect(&conn->base);
        return status;
    }
    *out = &conn->base;
    return LLMGR_OK;
}

static bool sqlite_usable(struct ls_conn *base)
{
    (void)base;
    return true;
}

static llmgr_status sqlite_number(struct ls_conn *base, const char *sql, int64_t *out,
                                  struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);
    sqlite3_stmt *stmt = NULL;
    int64_t number = 0;
    int rc = sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            number = sqlite3_column_int64(stmt, 0);
    }
    llmgr_status status = LLMGR_OK;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        *out = number;
    else
        status = conn_fail(conn, rc, err);
    sqlite3_finalize(stmt);
    return status;
}

/* ---- Transactions ---- */

static int run_control(struct sqlite_conn *conn, enum sqlite_control which)
{
    int rc = sqlite3_step(conn->controls[which]);

    sqlite3_reset(conn->controls[which]);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A rollback that failed for want of memory is made up for here. */
static int begin_control(struct sqlite_conn *conn, enum sqlite_control which)
{
    int rc = SQLITE_OK;

    if (sqlite3_get_autocommit(conn->db) == 0)
        rc = run_control(conn, CONTROL_ROLLBACK);
    return rc == SQLITE_OK ? run_control(conn, which) : rc;
}

static llmgr_status sqlite_begin(struct ls_conn *base, enum ls_mode mode, struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);

    if (ls_is_single(mode))
        return LLMGR_OK;
    int rc = begin_control(conn, ls_mode_writes(mode) ? CONTROL_BEGIN_WRITE : CONTROL_BEGIN);
    if (rc != SQLITE_OK)
        return conn_fail(conn, rc, err);
    /* Under the lock for writing: what a revocation has given up is not for others. */
    if (ls_mode_writes(mode) && mode != LS_REVOKE && !ls_reserve_stands(base->store)) {
        (void)run_control(conn, CONTROL_ROLLBACK);
        return conn_fail(conn, SQLITE_FULL, err);
    }
    return LLMGR_OK;
}

static llmgr_status sqlite_commit(struct ls_conn *base, struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);

    if (ls_is_single(base->tx.mode))
        return LLMGR_OK;
    int rc = run_control(conn, CONTROL_COMMIT);
    return rc == SQLITE_OK ? LLMGR_OK : conn_fail(conn, rc, err);
}

static void sqlite_rollback(struct ls_conn *base)
{
    struct sqlite_conn *conn = sqlite_conn(base);

    /* Some failures (a full disk, say) have rolled back already. */
    if (sqlite3_get_autocommit(conn->db) == 0)
        (void)run_control(conn, CONTROL_ROLLBACK);
}

static llmgr_status sqlite_begin_migration(struct ls_conn *base, struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);

    (void)sqlite3_busy_timeout(conn->db, LS_MIGRATE_WAIT_MS);
    int rc = begin_control(conn, CONTROL_BEGIN_WRITE);
    (void)sqlite3_busy_timeout(conn->db, base->store->options.busy_timeout_ms);
    return rc == SQLITE_OK ? LLMGR_OK : conn_fail(conn, rc, err);
}

/* The backup of a migration that was undone would only fill the disk, try after try. */
static void sqlite_end_migration(struct ls_conn *base, bool committed)
{
    struct ls_store *store = base->store;

    if (store->backup_made != NULL && !committed)
        (void)unlink(store->backup_made);
    lb_free(store->host, store->backup_made);
    store->backup_made = NULL;
}

/* ---- Statements ---- */

static llmgr_status prepared_statement(struct sqlite_conn *conn, enum ls_statement id,
                                       sqlite3_stmt **out, struct llmgr_error *err)
{
    sqlite3_stmt **stmt = &conn->statements[id];

    if (*stmt == NULL) {
        int rc = sqlite3_prepare_v3(conn->db, LS_STATEMENTS[id].sqlite, -1,
                                    SQLITE_PREPARE_PERSISTENT, stmt, NULL);
        if (rc != SQLITE_OK)
            return conn_fail(conn, rc, err);
    } else if (sqlite3_stmt_busy(*stmt)) {
        return lb_fail(err, LLMGR_ERR_INTERNAL,
                       N_("internal error: statement %s was started while it was being read; "
                          "please report this"),
                       LS_STATEMENTS[id].name);
    }
    *out = *stmt;
    return LLMGR_OK;
}

/* `keep`: the statement outlives the call, so SQLite must copy text and bytes. */
static int bind_values(sqlite3_stmt *stmt, const struct ls_value *values, size_t count, bool keep)
{
    sqlite3_destructor_type life = keep ? SQLITE_TRANSIENT : SQLITE_STATIC;
    int rc = SQLITE_OK;

    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        int at = (int)i + 1;
        if (values[i].type == 'i')
            rc = sqlite3_bind_int64(stmt, at, values[i].integer);
        else if (values[i].type == 't')
            rc = sqlite3_bind_text64(stmt, at, ls_sqlite_bytes(&values[i]), values[i].bytes.size,
                                     life, SQLITE_UTF8);
        else if (values[i].type == 'b')
            rc = sqlite3_bind_blob64(stmt, at, ls_sqlite_bytes(&values[i]), values[i].bytes.size,
                                     life);
        else
            rc = sqlite3_bind_null(stmt, at);
    }
    return rc;
}

static void done_with(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

static llmgr_status sqlite_exec(struct ls_conn *base, enum ls_statement id,
                                const struct ls_value *values, size_t count, int64_t *changed,
                                struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);
    sqlite3_stmt *stmt = NULL;
    llmgr_status status = prepared_statement(conn, id, &stmt, err);

    if (status != LLMGR_OK)
        return status;
    int rc = bind_values(stmt, values, count, false);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE)
        *changed = sqlite3_changes64(conn->db);
    else
        status = conn_fail(conn, rc, err);
    done_with(stmt);
    return status;
}

static llmgr_status sqlite_exec_many(struct ls_conn *base, const struct ls_runs *runs,
                                     struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);
    struct ls_value values[LS_ARGS_MAX];
    sqlite3_stmt *stmt = NULL;

    /* What has been prepared was found to have the form; one run alone would gain nothing by it. */
    if (runs->times > 1 && (conn->many[runs->id] != NULL || ls_sqlite_many_can(runs->id)))
        return ls_sqlite_many(conn, runs, err);
    llmgr_status status = prepared_statement(conn, runs->id, &stmt, err);
    for (size_t i = 0; i < runs->times && status == LLMGR_OK; i++) {
        status = ls_runs_fill(runs, i, values, err);
        if (status != LLMGR_OK)
            break;
        int rc = bind_values(stmt, values, runs->count, false);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(stmt);
        /* The code of a failure, as the error text, lasts until the next call. */
        if (rc == SQLITE_DONE)
            sqlite3_reset(stmt);
        else
            status = conn_fail(conn, rc, err);
    }
    if (stmt != NULL)
        done_with(stmt);
    return status;
}

static llmgr_status sqlite_query(struct ls_conn *base, const struct ls_value *values, size_t count,
                                 struct ls_rows *rows, struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);
    sqlite3_stmt *stmt = NULL;
    llmgr_status status = prepared_statement(conn, rows->id, &stmt, err);

    if (status != LLMGR_OK)
        return status;
    int rc = bind_values(stmt, values, count, true);
    if (rc != SQLITE_OK) {
        status = conn_fail(conn, rc, err);
        done_with(stmt);
        return status;
    }
    rows->result = stmt;
    return LLMGR_OK;
}

static llmgr_status sqlite_next(struct ls_conn *base, struct ls_rows *rows, bool *found,
                                struct llmgr_error *err)
{
    sqlite3_stmt *stmt = rows->result;

    /* SQLite would begin anew after the end. */
    int rc = rows->at == -2 ? SQLITE_DONE : sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        rows->at = -2;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return conn_fail(sqlite_conn(base), rc, err);
    *found = rc == SQLITE_ROW;
    return LLMGR_OK;
}

static struct ls_value sqlite_column(const struct ls_rows *rows, int at)
{
    sqlite3_stmt *stmt = rows->result;

    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER:
        return ls_int(sqlite3_column_int64(stmt, at));
    case SQLITE_TEXT: {
        const char *p = (const char *)sqlite3_column_text(stmt, at);
        return ls_text(lb_str(p, (size_t)sqlite3_column_bytes(stmt, at)));
    }
    case SQLITE_BLOB: {
        const char *p = sqlite3_column_blob(stmt, at);
        return ls_blob(p != NULL ? p : "", (size_t)sqlite3_column_bytes(stmt, at));
    }
    case SQLITE_FLOAT:
        return (struct ls_value){.type = 'f'};
    default:
        return ls_null();
    }
}

static void sqlite_end(struct ls_rows *rows)
{
    done_with(rows->result);
    rows->result = NULL;
}

static llmgr_status sqlite_describe(struct ls_conn *base, enum ls_statement id, int *args,
                                    int *columns, struct llmgr_error *err)
{
    sqlite3_stmt *stmt = NULL;
    llmgr_status status = prepared_statement(sqlite_conn(base), id, &stmt, err);

    if (status != LLMGR_OK)
        return status;
    *args = sqlite3_bind_parameter_count(stmt);
    *columns = sqlite3_column_count(stmt);
    return LLMGR_OK;
}

static llmgr_status sqlite_script(struct ls_conn *base, const char *sql, struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);
    int rc = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? LLMGR_OK : conn_fail(conn, rc, err);
}

/* ---- Upkeep ---- */

/* Empties the write-ahead log into the file; SQLITE_BUSY if a reader still needs the log. */
static int checkpoint_log(struct sqlite_conn *conn)
{
    return sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

static llmgr_status sqlite_scrub(struct ls_conn *base, struct llmgr_error *err)
{
    struct sqlite_conn *conn = sqlite_conn(base);
    int rc = sqlite3_exec(conn->db, "VACUUM", NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = checkpoint_log(conn);
    return rc == SQLITE_OK ? LLMGR_OK : conn_fail(conn, rc, err);
}

static void sqlite_relieve(struct ls_conn *base)
{
    (void)checkpoint_log(sqlite_conn(base));
}

const struct ls_driver LS_SQLITE_DRIVER = {
    .engine = "SQLite",
    .count_tables = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name IN (%s)",
    .count_anything = "SELECT COUNT(*) FROM sqlite_schema",
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .follow = ls_sqlite_follow,
    .usable = sqlite_usable,
    .ready = sqlite_ready,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .begin_migration = sqlite_begin_migration,
    .end_migration = sqlite_end_migration,
    .exec = sqlite_exec,
    .exec_many = sqlite_exec_many,
    .query = sqlite_query,
    .next = sqlite_next,
    .column = sqlite_column,
    .end = sqlite_end,
    .describe = sqlite_describe,
    .script = sqlite_script,
    .number = sqlite_number,
    .backup_before = ls_sqlite_backup_before,
    .backup = ls_sqlite_backup,
    .check = ls_sqlite_check,
    .scrub = sqlite_scrub,
    .relieve = sqlite_relieve,
};
