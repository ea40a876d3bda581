/* SPDX-License-Identifier: MIT */
/* What only SQLite has: files, who may open them, and how each connection is protected. */
#include "store/sqlite.h"

#include <signal.h>
#include <sys/wait.h>

#include "../db.h"

static struct db db;

static int setup(void **state)
{
    (void)state;
    db_setup(&db);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_teardown(&db);
    return 0;
}

static llmgr_status open_url(const char *url, struct llmgr_error *err)
{
    struct ls_store *store = NULL;
    const struct ls_options options = {.url = url, .busy_timeout_ms = 100};
    llmgr_status status = ls_open(&db.host, &options, &store, err);

    if (status == LLMGR_OK)
        ls_close(store);
    else
        assert_null(store);
    return status;
}

static void assert_fails(const char *url, llmgr_status wanted, const char *words)
{
    struct llmgr_error err = {0};
    llmgr_status status = open_url(url, &err);

    if (status != wanted || strstr(err.message, words) == NULL)
        fail_msg("%s: %s: %s", url, llmgr_status_name(status), err.message);
}

static llmgr_status write_meta(struct ls_store *store, const char *value, struct llmgr_error *err)
{
    struct ls_tx *tx = NULL;
    llmgr_status status = ls_begin(store, LS_WRITE, &tx, err);

    if (status != LLMGR_OK)
        return status;
    status = ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr(value)), NULL, err);
    if (status != LLMGR_OK) {
        ls_rollback(tx);
        return status;
    }
    return ls_commit(tx, err);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    for (int i = 0; i < 500; i++)
        fputs(text, file);
    fclose(file);
}

/* ---- Opening ---- */

static void a_new_file_is_private_whatever_the_umask(void **state)
{
    struct stat st;
    char log[400];
    (void)state;

    mode_t old = umask(0);
    struct ls_store *store = db_open(&db);
    assert_int_equal(write_meta(store, "1", NULL), LLMGR_OK);
    umask(old);
    assert_int_equal(stat(db.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(log, sizeof log, "%s-wal", db.path);
    assert_int_equal(stat(log, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    ls_close(store);
    assert_int_equal(stat(log, &st), -1);
}

static void every_connection_is_hardened(void **state)
{
    static const struct {
        const char *pragma;
        int64_t value;
    } SETTINGS[] = {
        {"PRAGMA foreign_keys", 1},    {"PRAGMA synchronous", 2}, {"PRAGMA secure_delete", 1},
        {"PRAGMA cell_size_check", 1}, {"PRAGMA mmap_size", 0},   {"PRAGMA trusted_schema", 0},
    };
    (void)state;

    struct ls_store *store = db_open(&db);
    for (int mode = LS_READ; mode <= LS_WRITE; mode++) {
        struct ls_conn *conn = NULL;
        assert_int_equal(ls_pool_take(ls_store_pool(store, (enum ls_mode)mode), &conn, NULL),
                         LLMGR_OK);
        for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++) {
            int64_t value = -1;
            assert_int_equal(store->driver->number(conn, SETTINGS[i].pragma, &value, NULL),
                             LLMGR_OK);
            assert_int_equal(value, SETTINGS[i].value);
        }
        int on = 0;
        sqlite3 *sqlite = sqlite_conn(conn)->db;
        assert_int_equal(sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DEFENSIVE, -1, &on), SQLITE_OK);
        assert_int_equal(on, 1);
        assert_int_equal(sqlite3_db_readonly(sqlite, "main"), mode != LS_WRITE);
        ls_pool_give(conn);
    }
    struct ls_conn *conn = NULL;
    assert_int_equal(ls_pool_take(&store->writer, &conn, NULL), LLMGR_OK);
    int64_t limit = 0;
    assert_int_equal(store->driver->number(conn, "PRAGMA journal_size_limit", &limit, NULL),
                     LLMGR_OK);
    assert_int_equal(limit, 64 << 20);
    ls_pool_give(conn);
    ls_close(store);
}

static void urls_say_what_they_mean(void **state)
{
    (void)state;
    assert_fails("", LLMGR_ERR_INVALID, "sqlite:PATH");
    assert_fails(NULL, LLMGR_ERR_INVALID, "sqlite:PATH");
    assert_fails("sqlite:", LLMGR_ERR_INVALID, "sqlite:PATH");
    assert_fails("sqlite:///x.db", LLMGR_ERR_INVALID, "plain file name");
    assert_fails("sqlite:file:x?mode=ro", LLMGR_ERR_INVALID, "plain file name");
    assert_fails("mysql://root:secret@host/x", LLMGR_ERR_INVALID, "mysql");
    assert_int_equal(open_url(db.path, NULL), LLMGR_OK);
    assert_int_equal(open_url(db.url, NULL), LLMGR_OK);
    assert_int_equal(open_url("sqlite::memory:", NULL), LLMGR_OK);
}

static void a_password_is_in_no_message(void **state)
{
    static const char *const URLS[] = {
        "postgres://u:s3cret@127.0.0.1:1/db",
        "postgres://u:s3/cret@host/db",
        "postgres://u:s3cret@[::1/db",
        "postgresql://h:s3cret/db",
        "postgres://127.0.0.1:1/db?password=s3cret",
        "mysql://u:s3cret@h/db",
        "postgres://u:s3cret@h:port/db",
    };
    (void)state;
    for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++) {
        struct llmgr_error err = {0};
        assert_int_not_equal(open_url(URLS[i], &err), LLMGR_OK);
        if (strstr(err.message, "s3") != NULL || strstr(err.message, "cret") != NULL)
            fail_msg("%s: %s", URLS[i], err.message);
        assert_null(strstr(db.log, "s3"));
    }
}

static void a_missing_file_is_not_created_unless_wanted(void **state)
{
    struct ls_store *store = NULL;
    struct llmgr_error err = {0};
    struct ls_options options = {.url = db.url, .must_exist = true};
    (void)state;

    assert_int_equal(ls_open(&db.host, &options, &store, &err), LLMGR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, db.path));
    options = (struct ls_options){.url = db.url, .read_only = true};
    assert_int_equal(ls_open(&db.host, &options, &store, &err), LLMGR_ERR_NOT_FOUND);
    assert_int_equal(access(db.path, F_OK), -1);
    assert_fails("sqlite:/nonexistent-folder/x.db", LLMGR_ERR_DATABASE, "/nonexistent-folder/x.db");
}

static void what_is_no_database_is_refused_untouched(void **state)
{
    struct stat before;
    struct stat after;
    (void)state;

    write_file(db.path, "This is a letter, not a database. ");
    assert_int_equal(stat(db.path, &before), 0);
    assert_fails(db.url, LLMGR_ERR_DATABASE, "not a SQLite database");
    assert_int_equal(stat(db.path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    char url[300];
    snprintf(url, sizeof url, "sqlite:%.200s", db.dir);
    assert_fails(url, LLMGR_ERR_DATABASE, db.dir);
}

static void a_locked_file_is_busy(void **state)
{
    sqlite3 *other = NULL;
    struct llmgr_error err = {0};
    (void)state;

    struct ls_store *store = db_open_with(&db, (struct ls_options){.busy_timeout_ms = 100});
    assert_int_equal(sqlite3_open(db.path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(write_meta(store, "1", &err), LLMGR_ERR_DATABASE_BUSY);
    assert_non_null(strstr(err.message, db.path));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(write_meta(store, "1", &err), LLMGR_OK);
    ls_close(store);
}

static void a_file_locked_by_another_process_is_busy(void **state)
{
    int ready[2];
    char byte = 0;
    (void)state;

    ls_close(db_open(&db));
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sqlite3 *sqlite = NULL;
        sqlite3_open(db.path, &sqlite);
        sqlite3_exec(sqlite,
                     "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
                     "INSERT INTO llm_meta VALUES ('x', 'y')",
                     NULL, NULL, NULL);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct llmgr_error err = {0};
    llmgr_status status = open_url(db.url, &err);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(status, LLMGR_ERR_DATABASE_BUSY);
    assert_int_equal(open_url(db.url, NULL), LLMGR_OK);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_meta WHERE name = 'x'"), 0);
}

static void what_may_only_be_read_says_so(void **state)
{
    int status = -1;
    (void)state;

    ls_close(db_open(&db));
    /* Root may write anything, so another user tries. */
    assert_int_equal(chmod(db.path, 0444), 0);
    assert_int_equal(chmod(db.dir, 0555), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct llmgr_error err = {0};
        struct ls_store *store = NULL;
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(3);
        const struct ls_options options = {.url = db.url};
        if (ls_open(&db.host, &options, &store, &err) == LLMGR_OK)
            err.status = write_meta(store, "1", &err);
        if (err.status != LLMGR_ERR_DATABASE_READONLY || strstr(err.message, db.path) == NULL)
            print_error("%s: %s\n", llmgr_status_name(err.status), err.message);
        int failed = err.status != LLMGR_ERR_DATABASE_READONLY;
        char url[300];
        snprintf(url, sizeof url, "sqlite:%.200s/new.db", db.dir);
        failed |= open_url(url, &err) != LLMGR_ERR_DATABASE_READONLY;
        _exit(failed);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(db.dir, 0755), 0);
    assert_int_equal(status, 0);
}

static void affected_sqlite_versions_are_known(void **state)
{
    static const struct {
        int version;
        bool bug;
    } VERSIONS[] = {
        {3006999, false}, {3007000, true},  {3040001, true},  {3044005, true},  {3044006, false},
        {3044009, false}, {3045000, true},  {3050006, true},  {3050007, false}, {3051000, true},
        {3051002, true},  {3051003, false}, {3052000, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof VERSIONS / sizeof VERSIONS[0]; i++)
        assert_int_equal(ls_sqlite_wal_reset_bug(VERSIONS[i].version), VERSIONS[i].bug);
}

static void a_value_of_a_foreign_type_is_an_error_not_a_guess(void **state)
{
    bool found = false;
    struct llmgr_error err = {0};
    struct ls_rows rows;
    struct ls_tx *tx = NULL;
    (void)state;

    ls_close(db_open(&db));
    db_sql(&db, "DROP TABLE llm_meta; CREATE TABLE llm_meta (name, value);"
                "INSERT INTO llm_meta VALUES ('a', 1.5)");
    struct ls_store *store = db_open(&db);
    assert_int_equal(ls_begin(store, LS_READ, &tx, NULL), LLMGR_OK);
    assert_int_equal(ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr("a")), &rows, &found, &err),
                     LLMGR_ERR_DATABASE);
    assert_false(found);
    assert_int_equal(err.status, LLMGR_ERR_DATABASE);
    assert_int_equal(ls_commit(tx, NULL), LLMGR_ERR_DATABASE);
    ls_close(store);
}

static void memory_is_one_database_for_readers_and_writer(void **state)
{
    struct ls_store *store = NULL;
    struct ls_tx *tx = NULL;
    struct ls_rows rows;
    const struct ls_options options = {.url = "sqlite::memory:", .busy_timeout_ms = 50};
    (void)state;

    assert_int_equal(ls_open(&db.host, &options, &store, NULL), LLMGR_OK);
    assert_int_equal(write_meta(store, "1", NULL), LLMGR_OK);
    assert_int_equal(ls_begin(store, LS_READ, &tx, NULL), LLMGR_OK);
    assert_int_equal(ls_get(tx, LS_META_GET, LS_ARGS(ls_cstr("a")), &rows, NULL), LLMGR_OK);
    ls_rows_end(&rows);
    assert_int_equal(write_meta(store, "2", NULL), LLMGR_ERR_DATABASE_BUSY);
    ls_rollback(tx);
    ls_close(store);
}

/* ---- Many runs as one statement ---- */

enum { MANY = 3 };
static const char ADDED[] = "SELECT COUNT(*) FROM llm_migrations WHERE version >= 1000";

static void fill_migration(const void *context, size_t run, struct ls_value *values)
{
    (void)context;
    values[0] = ls_int(1000 + (int64_t)run);
    values[1] = ls_cstr("many");
    values[2] = ls_int(1);
}

static llmgr_status add_migrations(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return ls_exec_many(tx, LS_MIGRATION_ADD, fill_migration, context, MANY, NULL, err);
}

static llmgr_status add_many(struct ls_store *store, struct llmgr_error *err)
{
    return ls_transact(store, LS_WRITE, add_migrations, NULL, err);
}

static llmgr_status count_in(struct ls_conn *conn, const char *sql, int64_t *count)
{
    return conn->store->driver->number(conn, sql, count, NULL);
}

/* The rows of one statement's arguments are nothing that a file or an SQL text could read. */
static void no_text_reads_the_runs_of_a_statement(void **state)
{
    static const char VIEW[] = "CREATE VIEW spy AS SELECT * FROM llmgr_runs(1)";
    struct ls_conn *conn = NULL;
    int64_t count = -1;
    (void)state;

    struct ls_store *store = db_open(&db);
    assert_int_equal(add_many(store, NULL), LLMGR_OK);
    assert_int_equal(ls_pool_take(&store->writer, &conn, NULL), LLMGR_OK);
    assert_int_not_equal(count_in(conn, "SELECT COUNT(*) FROM llmgr_runs", &count), LLMGR_OK);
    assert_int_equal(count_in(conn, "SELECT COUNT(*) FROM llmgr_runs(1)", &count), LLMGR_OK);
    assert_int_equal(count, 0);
    assert_int_not_equal(
        store->driver->script(conn, "CREATE VIRTUAL TABLE spy USING llmgr_runs", NULL), LLMGR_OK);
    assert_int_equal(store->driver->script(conn, VIEW, NULL), LLMGR_OK);
    assert_int_not_equal(count_in(conn, "SELECT COUNT(*) FROM spy", &count), LLMGR_OK);
    ls_pool_give(conn);
    ls_close(store);
}

static void of_a_file_nothing_can_stand_in_the_place_of_the_runs(void **state)
{
    static const char *const PLANTED[] = {
        "CREATE TABLE llmgr_runs (v1, v2, v3, runs);"
        "INSERT INTO llmgr_runs VALUES (2000, 'theirs', 1, NULL)",
        "CREATE VIEW llmgr_runs AS SELECT 2000 AS v1, 'theirs' AS v2, 1 AS v3, NULL AS runs",
        /* This one may be read like a function, so it is read without an error. */
        "CREATE VIRTUAL TABLE llmgr_runs USING fts4(v1, v2, v3);"
        "INSERT INTO llmgr_runs (v1, v2, v3) VALUES (2000, 'theirs', 1)",
    };
    static const char *const REMOVE[] = {"DROP TABLE llmgr_runs", "DROP VIEW llmgr_runs",
                                         "DROP TABLE llmgr_runs"};
    struct llmgr_error err = {0};
    (void)state;

    for (size_t i = 0; i < sizeof PLANTED / sizeof PLANTED[0]; i++) {
        if (strstr(PLANTED[i], "fts4") != NULL && !sqlite3_compileoption_used("ENABLE_FTS4"))
            continue;
        db_sql(&db, PLANTED[i]);
        struct ls_store *store = db_open(&db);
        assert_int_equal(add_many(store, &err), LLMGR_ERR_DATABASE);
        assert_int_equal(db_number(&db, ADDED), 0);
        ls_close(store);
        db_sql(&db, REMOVE[i]);
    }
}

/* No statement makes such a schema, but somebody who writes the file can. */
static void a_file_that_names_the_runs_gains_nothing(void **state)
{
    static const char NAMED[] =
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES"
        " ('table', 'spy', 'spy', 0, 'CREATE VIRTUAL TABLE spy USING llmgr_runs'),"
        " ('table', 'llmgr_runs', 'llmgr_runs', 0,"
        " 'CREATE VIRTUAL TABLE llmgr_runs USING llmgr_runs'),"
        " ('trigger', 'see', 'llm_migrations', 0, 'CREATE TRIGGER see AFTER INSERT ON"
        " llm_migrations BEGIN INSERT INTO seen SELECT v1 FROM spy(NEW.version); END')";
    struct ls_conn *conn = NULL;
    int64_t count = -1;
    struct llmgr_error err = {0};
    (void)state;

    ls_close(db_open(&db));
    db_sql(&db, "CREATE TABLE seen (version)");
    db_sql(&db, NAMED);
    struct ls_store *store = db_open(&db);
    assert_int_equal(add_many(store, &err), LLMGR_ERR_DATABASE);
    assert_int_equal(db_number(&db, ADDED), 0);
    ls_close(store);
    db_sql(&db, "DROP TRIGGER see");
    store = db_open(&db);
    assert_int_equal(add_many(store, &err), LLMGR_OK);
    assert_int_equal(db_number(&db, ADDED), MANY);
    assert_int_equal(ls_pool_take(&store->writer, &conn, NULL), LLMGR_OK);
    assert_int_equal(count_in(conn, "SELECT COUNT(*) FROM spy(1)", &count), LLMGR_OK);
    assert_int_equal(count, 0);
    ls_pool_give(conn);
    ls_close(store);
}

/* SQLite prepares it anew within the step, and hands what is bound over. */
static void a_schema_that_changes_does_not_take_the_runs_away(void **state)
{
    struct llmgr_error err = {0};
    (void)state;

    struct ls_store *store = db_open(&db);
    assert_int_equal(add_many(store, &err), LLMGR_OK);
    db_sql(&db, "DELETE FROM llm_migrations WHERE version >= 1000;"
                "CREATE TABLE other (id INTEGER PRIMARY KEY)");
    assert_int_equal(add_many(store, &err), LLMGR_OK);
    assert_int_equal(db_number(&db, ADDED), MANY);
    ls_close(store);
}

/* A trigger makes SQLite read all runs before it writes the first row. */
static void a_trigger_sees_rows_and_no_runs(void **state)
{
    struct llmgr_error err = {0};
    (void)state;

    struct ls_store *store = db_open(&db);
    db_sql(&db, "CREATE TABLE seen (version);"
                "CREATE TRIGGER see AFTER INSERT ON llm_migrations"
                " BEGIN INSERT INTO seen VALUES (NEW.version); END");
    assert_int_equal(add_many(store, &err), LLMGR_OK);
    assert_int_equal(db_number(&db, ADDED), MANY);
    assert_int_equal(db_number(&db, "SELECT COUNT(DISTINCT version) FROM seen"), MANY);
    db_sql(&db, "DELETE FROM llm_migrations WHERE version >= 1000; DROP TRIGGER see");
    db_sql(&db, "CREATE TRIGGER spy AFTER INSERT ON llm_migrations"
                " BEGIN INSERT INTO seen SELECT v1 FROM llmgr_runs; END");
    assert_int_equal(add_many(store, &err), LLMGR_ERR_DATABASE);
    assert_int_equal(db_number(&db, ADDED), 0);
    ls_close(store);
}

static void memory_takes_many_runs_too(void **state)
{
    struct ls_store *store = NULL;
    const struct ls_options options = {.url = "sqlite::memory:"};
    struct llmgr_error err = {0};
    (void)state;

    assert_int_equal(ls_open(&db.host, &options, &store, &err), LLMGR_OK);
    assert_int_equal(add_many(store, &err), LLMGR_OK);
    assert_int_equal(add_many(store, &err), LLMGR_ERR_CONFLICT);
    ls_close(store);
}

static void an_insert_of_many_rows_is_one_statement_an_upsert_is_not(void **state)
{
    (void)state;
    assert_true(ls_sqlite_many_can(LS_USAGE_ADD));
    assert_true(ls_sqlite_many_can(LS_MIGRATION_ADD));
    assert_false(ls_sqlite_many_can(LS_USAGE_SUM_ADD));
    assert_false(ls_sqlite_many_can(LS_JOURNAL_ADVANCE));
    assert_false(ls_sqlite_many_can(LS_REVISION_ADD));
    assert_false(ls_sqlite_many_can(LS_JOURNAL_FORGET));
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_new_file_is_private_whatever_the_umask),
        FRESH(every_connection_is_hardened),
        FRESH(urls_say_what_they_mean),
        FRESH(a_password_is_in_no_message),
        FRESH(a_missing_file_is_not_created_unless_wanted),
        FRESH(what_is_no_database_is_refused_untouched),
        FRESH(a_locked_file_is_busy),
        FRESH(a_file_locked_by_another_process_is_busy),
        FRESH(what_may_only_be_read_says_so),
        FRESH(affected_sqlite_versions_are_known),
        FRESH(a_value_of_a_foreign_type_is_an_error_not_a_guess),
        FRESH(memory_is_one_database_for_readers_and_writer),
        FRESH(no_text_reads_the_runs_of_a_statement),
        FRESH(of_a_file_nothing_can_stand_in_the_place_of_the_runs),
        FRESH(a_file_that_names_the_runs_gains_nothing),
        FRESH(a_schema_that_changes_does_not_take_the_runs_away),
        FRESH(a_trigger_sees_rows_and_no_runs),
        FRESH(memory_takes_many_runs_too),
        FRESH(an_insert_of_many_rows_is_one_statement_an_upsert_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
