/* SPDX-License-Identifier: MIT */
/*
 * Many runs of one INSERT as one statement on SQLite. What so many rows cost apart is not writing
 * them: it is binding their values, starting and ending a statement, finding the table's end again.
 * So an INSERT that ends in VALUES (?1, ?2, …) is run once, as INSERT … SELECT v1, v2, … FROM a
 * table that is no table: its rows are the runs, whose values are made when SQLite asks for them.
 *
 * The file is untrusted (sqlite.c), and this table is nothing for it: it needs no name in a schema
 * (there is no xCreate), may not stand in a view or a trigger (DIRECTONLY), and is empty but for
 * the one statement that is given a pointer to runs, which no SQL text can make.
 *
 * Such a statement is undone as a whole when a row fails. For that SQLite keeps each page that was
 * there before and is changed: the last one, for rows that are appended, but all of them for an
 * upsert; so those are run one by one.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/sqlite.h"

/* SQLite compares the type of a pointer by its text. */
static const char POINTER_TYPE[] = "ls_runs";
#define TABLE "llmgr_runs"
enum { RUNS_COLUMN = LS_ARGS_MAX, TEXT_MAX = 4096 };

/* What the statement reads; lives as long as it runs. */
struct feed {
    const struct ls_runs *runs;
    size_t at;                           /* the run that is being read; `times`: all were */
    struct ls_value values[LS_ARGS_MAX]; /* of that run */
    llmgr_status status;                 /* of making them */
    struct llmgr_error *err;
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct feed *feed; /* NULL: no rows */
};

/* ---- The table's face ---- */

static struct cursor *cursor_of(sqlite3_vtab_cursor *base)
{
    return (struct cursor *)(void *)base;
}

static int runs_connect(sqlite3 *db, void *context, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message)
{
    (void)context;
    (void)argc;
    (void)argv;
    (void)message;
    int rc = sqlite3_declare_vtab(
        db, "CREATE TABLE x(v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15, v16,"
            " v17, v18, v19, v20, v21, v22, v23, v24, v25, v26, v27, v28, v29, v30, v31, v32,"
            " v33, v34, v35, v36, runs HIDDEN)");

    _Static_assert(LS_ARGS_MAX == 36, "a column for each argument");
    if (rc == SQLITE_OK)
        rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_vtab *table = sqlite3_malloc(sizeof *table);
    if (table == NULL)
        return SQLITE_NOMEM;
    memset(table, 0, sizeof *table);
    *out = table;
    return SQLITE_OK;
}

static int runs_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

/* There is one way to read it: from the runs that are given. */
static int runs_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn == RUNS_COLUMN && info->aConstraint[i].usable &&
            info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ) {
            info->aConstraintUsage[i].argvIndex = 1;
            info->aConstraintUsage[i].omit = 1;
            return SQLITE_OK;
        }
    }
    return SQLITE_CONSTRAINT;
}

static int runs_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    struct cursor *cursor = sqlite3_malloc(sizeof *cursor);

    if (cursor == NULL)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static int runs_close(sqlite3_vtab_cursor *base)
{
    sqlite3_free(cursor_of(base));
    return SQLITE_OK;
}

static int fill(struct feed *feed)
{
    if (feed->at >= feed->runs->times)
        return SQLITE_OK;
    feed->status = ls_runs_fill(feed->runs, feed->at, feed->values, feed->err);
    return feed->status == LLMGR_OK ? SQLITE_OK : SQLITE_ERROR;
}

static int runs_filter(sqlite3_vtab_cursor *base, int index, const char *name, int argc,
                       sqlite3_value **argv)
{
    struct cursor *cursor = cursor_of(base);

    (void)index;
    (void)name;
    cursor->feed = argc == 1 ? sqlite3_value_pointer(argv[0], POINTER_TYPE) : NULL;
    if (cursor->feed == NULL)
        return SQLITE_OK;
    cursor->feed->at = 0;
    return fill(cursor->feed);
}

static int runs_next(sqlite3_vtab_cursor *base)
{
    struct feed *feed = cursor_of(base)->feed;

    feed->at++;
    return fill(feed);
}

static int runs_eof(sqlite3_vtab_cursor *base)
{
    const struct feed *feed = cursor_of(base)->feed;

    return feed == NULL || feed->at >= feed->runs->times;
}

/* A column that is given no value is null. */
static int runs_column(sqlite3_vtab_cursor *base, sqlite3_context *to, int column)
{
    const struct feed *feed = cursor_of(base)->feed;

    if (column < 0 || (size_t)column >= feed->runs->count)
        return SQLITE_OK;
    const struct ls_value *value = &feed->values[column];
    if (value->type == 'i')
        sqlite3_result_int64(to, value->integer);
    else if (value->type == 't')
        sqlite3_result_text64(to, ls_sqlite_bytes(value), value->bytes.size, SQLITE_STATIC,
                              SQLITE_UTF8);
    else if (value->type == 'b')
        sqlite3_result_blob64(to, ls_sqlite_bytes(value), value->bytes.size, SQLITE_STATIC);
    return SQLITE_OK;
}

static int runs_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)cursor_of(base)->feed->at;
    return SQLITE_OK;
}

int ls_sqlite_many_init(sqlite3 *db)
{
    static const sqlite3_module MODULE = {
        .iVersion = 0,
        .xConnect = runs_connect,
        .xBestIndex = runs_best_index,
        .xDisconnect = runs_disconnect,
        .xOpen = runs_open,
        .xClose = runs_close,
        .xFilter = runs_filter,
        .xNext = runs_next,
        .xEof = runs_eof,
        .xColumn = runs_column,
        .xRowid = runs_rowid,
    };

    return sqlite3_create_module_v2(db, TABLE, &MODULE, NULL, NULL);
}

/* ---- The statement ---- */

/* Where "VALUES (?1, …, ?n)" begins if the text ends in exactly that, each argument in its turn. */
static const char *values_of(const struct ls_statement_row *row)
{
    static const char BEGIN[] = "VALUES (";
    const char *begin = strstr(row->sqlite, BEGIN);
    size_t count = strlen(row->args);
    char place[8];

    if (begin == NULL || count == 0)
        return NULL;
    const char *at = begin + sizeof BEGIN - 1;
    for (size_t i = 1; i <= count; i++) {
        int size = snprintf(place, sizeof place, "?%zu%s", i, i < count ? ", " : ")");
        if (strncmp(at, place, (size_t)size) != 0)
            return NULL;
        at += size;
    }
    return *at == '\0' ? begin : NULL;
}

bool ls_sqlite_many_can(enum ls_statement id)
{
    return values_of(&LS_STATEMENTS[id]) != NULL;
}

static int prepare(struct sqlite_conn *conn, enum ls_statement id, sqlite3_stmt **out)
{
    const struct ls_statement_row *row = &LS_STATEMENTS[id];
    const char *values = values_of(row);
    size_t count = strlen(row->args);
    struct lb_buf sql;

    lb_buf_init(&sql, conn->base.store->host, TEXT_MAX);
    lb_buf_add(&sql, row->sqlite, (size_t)(values - row->sqlite));
    for (size_t i = 1; i <= count; i++)
        lb_buf_addf(&sql, "%s v%zu", i == 1 ? "SELECT" : ",", i);
    /* With an argument the name is a function's, which no plain table of the file can be. */
    lb_buf_addf(&sql, " FROM " TABLE "(?1)");
    int rc = SQLITE_NOMEM;
    if (sql.failed == LLMGR_OK)
        rc = sqlite3_prepare_v3(conn->db, lb_buf_c(&sql), -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    lb_buf_free(&sql);
    return rc;
}

llmgr_status ls_sqlite_many(struct sqlite_conn *conn, const struct ls_runs *runs,
                            struct llmgr_error *err)
{
    struct feed feed = {.runs = runs, .err = err};
    sqlite3_stmt **stmt = &conn->many[runs->id];
    llmgr_status status = LLMGR_OK;
    int rc = *stmt == NULL ? prepare(conn, runs->id, stmt) : SQLITE_OK;

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_pointer(*stmt, 1, &feed, POINTER_TYPE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(*stmt);
    /* Runs that nobody asked for are no rows: the file has something else of the table's name. */
    if (rc == SQLITE_DONE && feed.at != runs->times)
        rc = SQLITE_CORRUPT;
    if (feed.status != LLMGR_OK)
        status = feed.status;
    else if (rc != SQLITE_DONE)
        status = ls_sqlite_fail(conn->base.store->place, conn->db, rc, err);
    if (*stmt != NULL) {
        sqlite3_reset(*stmt);
        sqlite3_clear_bindings(*stmt);
    }
    return status;
}
