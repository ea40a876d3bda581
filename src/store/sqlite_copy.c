/* SPDX-License-Identifier: MIT */
/*
 * Copies of a SQLite database, and its health. A copy is made by SQLite's backup interface from
 * one snapshot (never by copying the file, which may be torn), then opened anew and believed only
 * if its integrity check passes and every table has as many rows as in that snapshot.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/when.h"
#include "store/sqlite.h"

enum { PATH_LIMIT = 8192, NAMES_TRIED = 100 };

bool ls_sqlite_wal_reset_bug(int version)
{
    /* https://sqlite.org/wal.html: since 3.7.0; fixed in 3.51.3 and in two older branches. */
    if (version < 3007000 || version >= 3051003)
        return false;
    bool fixed_in_44 = version >= 3044006 && version < 3045000;
    bool fixed_in_50 = version >= 3050007 && version < 3051000;
    return !fixed_in_44 && !fixed_in_50;
}

/* ---- Verifying ---- */

/* The first column of the first row as text, cut to the buffer; SQLite's code if there is none. */
static int first_text(sqlite3 *db, const char *sql, char *text, size_t size)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const unsigned char *value = sqlite3_column_text(stmt, 0);
        snprintf(text, size, "%s", value != NULL ? (const char *)value : "");
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int count_rows(sqlite3 *db, const char *table, int64_t *count)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT COUNT(*) FROM \"%w\"", table);

    if (sql == NULL)
        return SQLITE_NOMEM;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    sqlite3_free(sql);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *count = sqlite3_column_int64(stmt, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* Compares the row counts of every table; *table_size names nothing if all agree. */
static int compare_counts(sqlite3 *source, sqlite3 *copy, bool *same)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(source,
                                "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name",
                                -1, &stmt, NULL);

    *same = true;
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(stmt, 0);
        int64_t here = 0;
        int64_t there = -1;
        rc = table != NULL ? count_rows(source, table, &here) : SQLITE_NOMEM;
        if (rc != SQLITE_OK)
            break;
        if (count_rows(copy, table, &there) != SQLITE_OK || here != there) {
            *same = false;
            break;
        }
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static llmgr_status verify_copy(struct ls_store *store, sqlite3 *source, const char *path,
                                struct llmgr_error *err)
{
    char text[128] = "it cannot be read";
    sqlite3 *copy = NULL;
    bool same = false;
    llmgr_status status = ls_sqlite_open(path, path, SQLITE_OPEN_READONLY,
                                         store->options.busy_timeout_ms, &copy, err);

    if (status != LLMGR_OK)
        return status;
    if (first_text(copy, "PRAGMA integrity_check(1)", text, sizeof text) != SQLITE_ROW ||
        strcmp(text, "ok") != 0) {
        status = lb_fail(err, LLMGR_ERR_DATABASE,
                         N_("the backup %s is damaged (%s) and was removed; check the disk"), path,
                         text);
    } else {
        int rc = compare_counts(source, copy, &same);
        if (rc != SQLITE_OK)
            status = ls_sqlite_fail(store->place, source, rc, err);
        else if (!same)
            status = lb_fail(err, LLMGR_ERR_DATABASE,
                             N_("the backup %s lacks rows and was removed; check the disk"), path);
    }
    sqlite3_close(copy);
    return status;
}

/* ---- Copying ---- */

static llmgr_status copy_pages(struct ls_store *store, sqlite3 *source, const char *path,
                               struct llmgr_error *err)
{
    sqlite3 *copy = NULL;
    llmgr_status status = ls_sqlite_open(path, path, SQLITE_OPEN_READWRITE,
                                         store->options.busy_timeout_ms, &copy, err);

    if (status != LLMGR_OK)
        return status;
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", source, "main");
    if (backup == NULL) {
        status = ls_sqlite_fail(path, copy, sqlite3_errcode(copy), err);
        sqlite3_close(copy);
        return status;
    }
    int rc = sqlite3_backup_step(backup, -1);
    int finished = sqlite3_backup_finish(backup);
    if (rc == SQLITE_DONE)
        rc = finished;
    /* One self-contained file: no write-ahead log beside it. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        /* Reading the source and writing the copy fail alike; a locked source is no full disk. */
        status = ls_sqlite_fail((rc & 0xff) == SQLITE_BUSY ? store->place : path, copy, rc, err);
    }
    sqlite3_close(copy);
    return status;
}

/* The new name must survive a power cut as well. */
static void sync_folder(const struct lb_host *host, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder =
        slash != NULL ? lb_strndup(host, path, (size_t)(slash - path) + 1) : lb_strdup(host, ".");

    if (folder == NULL)
        return;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    lb_free(host, folder);
}

static llmgr_status copy_snapshot(struct ls_store *store, sqlite3 *source, const char *path,
                                  struct llmgr_error *err)
{
    /* Holding one reading transaction makes the counts those of the pages that were copied. */
    int rc = sqlite3_exec(source, "BEGIN; SELECT COUNT(*) FROM sqlite_schema", NULL, NULL, NULL);

    if (rc != SQLITE_OK)
        return ls_sqlite_fail(store->place, source, rc, err);
    llmgr_status status = copy_pages(store, source, path, err);
    if (status == LLMGR_OK)
        status = verify_copy(store, source, path, err);
    (void)sqlite3_exec(source, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* The unfinished copy, and what SQLite keeps beside a file that it could not finish. */
static void remove_copy(const struct lb_host *host, const char *path)
{
    static const char *const SUFFIXES[] = {"-journal", "-wal", "-shm"};
    size_t size = strlen(path);

    (void)unlink(path);
    char *beside = lb_alloc(host, size + sizeof "-journal");
    if (beside == NULL)
        return;
    for (size_t i = 0; i < sizeof SUFFIXES / sizeof SUFFIXES[0]; i++) {
        snprintf(beside, size + sizeof "-journal", "%s%s", path, SUFFIXES[i]);
        (void)unlink(beside);
    }
    lb_free(host, beside);
}

llmgr_status ls_sqlite_copy(struct ls_store *store, sqlite3 *source, const char *path,
                            struct llmgr_error *err)
{
    bool created = false;
    llmgr_status status = ls_sqlite_create_file(path, &created, err);

    if (status != LLMGR_OK)
        return status;
    if (!created)
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("%s exists already and is not overwritten; give another name"), path);
    status = copy_snapshot(store, source, path, err);
    if (status != LLMGR_OK)
        remove_copy(store->host, path);
    else
        sync_folder(store->host, path);
    return status;
}

llmgr_status ls_sqlite_backup(struct ls_conn *base, const char *path, struct llmgr_error *err)
{
    return ls_sqlite_copy(base->store, sqlite_conn(base)->db, path, err);
}

/* "<folder>/<file>.backup-v<version>-<time>", with a number behind it from the second try on. */
static char *backup_path(const struct ls_store *store, int64_t version, int tried)
{
    char stamp[LB_WHEN_TEXT];
    struct lb_buf buf;
    const char *slash = strrchr(store->target, '/');
    const char *name = slash != NULL ? slash + 1 : store->target;

    lb_buf_init(&buf, store->host, PATH_LIMIT);
    if (store->backup_dir != NULL)
        lb_buf_addf(&buf, "%s/%s", store->backup_dir, name);
    else
        lb_buf_add_c(&buf, store->target);
    lb_buf_addf(&buf, ".backup-v%lld-%s", (long long)version,
                lb_when_print(lb_now_ms(store->host), LB_WHEN_STAMP, stamp));
    if (tried > 0)
        lb_buf_addf(&buf, "-%d", tried + 1);
    char *path = lb_buf_take(&buf);
    lb_buf_free(&buf);
    return path;
}

llmgr_status ls_sqlite_backup_before(struct ls_conn *base, int64_t version, bool clear_text,
                                     struct llmgr_error *err)
{
    struct ls_store *store = base->store;
    sqlite3 *source = NULL;

    if (store->kind == LS_SQLITE_MEMORY)
        return LLMGR_OK;
    /* The connection that holds the write lock cannot be a source; a reader sees the same. */
    llmgr_status status = ls_sqlite_open(store->target, store->place, SQLITE_OPEN_READONLY,
                                         store->options.busy_timeout_ms, &source, err);
    if (status != LLMGR_OK)
        return status;
    for (int tried = 0; tried < NAMES_TRIED; tried++) {
        char *path = backup_path(store, version, tried);
        if (path == NULL) {
            status = lb_fail_memory(err);
            break;
        }
        status = ls_sqlite_copy(store, source, path, err);
        if (status == LLMGR_OK)
            lb_info(store->host, "%s: schema %lld was backed up to %s%s", store->place,
                    (long long)version, path,
                    clear_text ? ", which still holds API keys in clear text: delete it once it "
                                 "is no longer needed"
                               : "");
        if (status == LLMGR_OK)
            store->backup_made = path;
        else
            lb_free(store->host, path);
        if (status != LLMGR_ERR_CONFLICT)
            break;
    }
    sqlite3_close(source);
    return status;
}

/* ---- Health ---- */

static int64_t file_size(const struct lb_host *host, const char *path, const char *suffix)
{
    struct stat st;
    struct lb_buf buf;
    int64_t size = 0;

    lb_buf_init(&buf, host, PATH_LIMIT);
    lb_buf_addf(&buf, "%s%s", path, suffix);
    if (buf.failed == LLMGR_OK && stat(lb_buf_c(&buf), &st) == 0)
        size = st.st_size;
    lb_buf_free(&buf);
    return size;
}

static void report_unsound(struct ls_check_report *report, const char *problem)
{
    report->sound = false;
    snprintf(report->problem, sizeof report->problem, "%.*s",
             (int)lb_utf8_cut(lb_cstr(problem), sizeof report->problem - 1), problem);
}

/* The Python original did not enforce its own; its migration mends them. */
static int check_foreign_keys(sqlite3 *db, struct ls_check_report *report)
{
    char row[128];
    char sql[128];
    int rc = first_text(db, "SELECT 1 FROM sqlite_schema WHERE name = 'llm_migrations'", row,
                        sizeof row);

    if (rc != SQLITE_ROW)
        return rc;
    rc = SQLITE_DONE;
    for (size_t i = 0; i < LS_TABLE_COUNT && rc == SQLITE_DONE; i++) {
        sqlite3_snprintf(sizeof sql, sql, "PRAGMA foreign_key_check(%s)", LS_TABLES[i]);
        rc = first_text(db, sql, row, sizeof row);
        if (rc == SQLITE_ROW) {
            char problem[192];
            snprintf(problem, sizeof problem, "a row of %s refers to a row that does not exist",
                     LS_TABLES[i]);
            report_unsound(report, problem);
        }
    }
    return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

llmgr_status ls_sqlite_check(struct ls_conn *base, struct ls_check_report *report,
                             struct llmgr_error *err)
{
    sqlite3 *db = sqlite_conn(base)->db;
    struct ls_store *store = base->store;
    char text[256] = "";

    snprintf(report->version, sizeof report->version, "%s", sqlite3_libversion());
    report->wal_reset_bug = ls_sqlite_wal_reset_bug(sqlite3_libversion_number());
    report->sound = true;
    if (store->kind == LS_SQLITE) {
        report->size_bytes = file_size(store->host, store->target, "");
        report->wal_bytes = file_size(store->host, store->target, "-wal");
    }
    int rc = first_text(db, "PRAGMA integrity_check(1)", text, sizeof text);
    if (rc == SQLITE_ROW && strcmp(text, "ok") == 0)
        rc = check_foreign_keys(db, report);
    else if (rc == SQLITE_ROW)
        report_unsound(report, text);
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
        report_unsound(report, sqlite3_errmsg(db));
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return ls_sqlite_fail(store->place, db, rc, err);
    return LLMGR_OK;
}
