/* SPDX-License-Identifier: MIT */
/*
 * SQLite when the disk fails, and the copies that are to survive it. Full disks and damaged copies
 * are made by a VFS that stands between SQLite and the system and fails, or corrupts, on demand.
 */
#include "store/sqlite.h"

#include <fcntl.h>

#include "../db.h"
#include "store/reserve.h"

static struct db db;

/* ---- The faulty VFS ---- */

static struct {
    const char *part; /* of the names of the files concerned; NULL: none */
    enum fault_kind { CORRUPT, NO_ROOM, NO_INPUT_OUTPUT, RESERVE_ONLY } kind;
    off_t needed; /* RESERVE_ONLY: writes succeed once the reserve has given up so much */
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    sqlite3_io_methods methods;
    const sqlite3_io_methods *real_methods;
} fault;

static off_t reserve_size(void)
{
    char path[400];
    struct stat about;

    snprintf(path, sizeof path, "%s.reserve", db.path);
    return stat(path, &about) == 0 ? about.st_size : -1;
}

static int faulty_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    static char copy[65536];

    if (fault.part == NULL)
        return fault.real_methods->xWrite(file, bytes, size, at);
    if (fault.kind == RESERVE_ONLY && reserve_size() <= LS_RESERVE_SIZE - fault.needed)
        return fault.real_methods->xWrite(file, bytes, size, at);
    if (fault.kind == NO_ROOM || fault.kind == RESERVE_ONLY)
        return SQLITE_FULL;
    if (fault.kind == NO_INPUT_OUTPUT)
        return SQLITE_IOERR_WRITE;
    assert_true((size_t)size <= sizeof copy);
    memcpy(copy, bytes, (size_t)size);
    /* Past the first page's header: the copy opens, but is not what was written. */
    if (at > 0 && size > 200)
        memset(copy + size / 2, 0x5a, 64);
    return fault.real_methods->xWrite(file, copy, size, at);
}

static int faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                       int *out)
{
    int rc = fault.real->xOpen(fault.real, name, file, flags, out);

    (void)vfs;
    /* Damage in a journal would only be found and undone by SQLite itself. */
    bool concerned = fault.kind != CORRUPT || (flags & SQLITE_OPEN_MAIN_DB) != 0;
    if (rc == SQLITE_OK && name != NULL && fault.part != NULL && concerned &&
        strstr(name, fault.part) != NULL) {
        fault.real_methods = file->pMethods;
        fault.methods = *file->pMethods;
        fault.methods.xWrite = faulty_write;
        file->pMethods = &fault.methods;
    }
    return rc;
}

static void inject(const char *part, enum fault_kind kind)
{
    fault.real = sqlite3_vfs_find(NULL);
    fault.vfs = *fault.real;
    fault.vfs.zName = "faulty";
    fault.vfs.xOpen = faulty_open;
    fault.part = part;
    fault.kind = kind;
    assert_int_equal(sqlite3_vfs_register(&fault.vfs, 1), SQLITE_OK);
}

static void heal(void)
{
    fault.part = NULL;
    if (fault.real != NULL) {
        sqlite3_vfs_unregister(&fault.vfs);
        sqlite3_vfs_register(fault.real, 1);
        fault.real = NULL;
    }
}

static int setup(void **state)
{
    (void)state;
    db_setup(&db);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    heal();
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

/* ---- Full and failing disks ---- */

static void a_full_database_refuses_and_recovers(void **state)
{
    static char big[200000];
    struct llmgr_error err = {0};
    struct ls_conn *conn = NULL;
    int64_t ignored = 0;
    (void)state;

    struct ls_store *store = db_open(&db);
    memset(big, 'x', sizeof big - 1);
    assert_int_equal(ls_pool_take(&store->writer, &conn, NULL), LLMGR_OK);
    assert_int_equal(store->driver->number(conn, "PRAGMA max_page_count = 40", &ignored, NULL),
                     LLMGR_OK);
    ls_pool_give(conn);
    assert_int_equal(write_meta(store, "before", NULL), LLMGR_OK);
    assert_int_equal(write_meta(store, big, &err), LLMGR_ERR_DATABASE_FULL);
    assert_non_null(strstr(err.message, "free disk space"));
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_meta WHERE value = 'before'"), 1);
    assert_int_equal(write_meta(store, "after", &err), LLMGR_OK);
    ls_close(store);
}

static void a_device_without_room_is_full(void **state)
{
    struct llmgr_error err = {0};
    (void)state;

    ls_close(db_open(&db));
    inject("-wal", NO_ROOM);
    struct ls_store *store = db_open(&db);
    assert_int_equal(write_meta(store, "1", &err), LLMGR_ERR_DATABASE_FULL);
    assert_non_null(strstr(err.message, db.path));
    fault.kind = NO_INPUT_OUTPUT;
    assert_int_equal(write_meta(store, "2", &err), LLMGR_ERR_DATABASE_FULL);
    fault.part = NULL;
    assert_int_equal(write_meta(store, "3", &err), LLMGR_OK);
    ls_close(store);
}

static llmgr_status set_meta(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    int *tries = context;

    /* The second try finds room again. */
    if (++*tries == 2)
        fault.part = NULL;
    return ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr("1")), NULL, err);
}

static void a_full_disk_is_tried_once_more_after_a_checkpoint(void **state)
{
    struct llmgr_error err = {0};
    int tries = 0;
    (void)state;

    ls_close(db_open(&db));
    inject("-wal", NO_ROOM);
    struct ls_store *store = db_open(&db);
    assert_int_equal(ls_transact(store, LS_WRITE, set_meta, &tries, &err), LLMGR_OK);
    assert_int_equal(tries, 2);
    ls_close(store);
}

/* ---- Room that is kept ---- */

static llmgr_status put_meta(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr(context)), NULL, err);
}

static void a_revocation_has_room_where_nothing_else_has(void **state)
{
    struct llmgr_error err = {0};
    char value[] = "revoked";
    (void)state;

    ls_close(db_open(&db));
    assert_int_equal(reserve_size(), LS_RESERVE_SIZE);
    inject("-wal", RESERVE_ONLY);
    struct ls_store *store = db_open(&db);
    for (int i = 0; i < 2; i++) {
        /* A part is enough, or it takes all of it. */
        fault.needed = i == 0 ? 1 : LS_RESERVE_SIZE;
        value[0] = (char)('a' + i); /* SQLite writes no page that stays as it was */
        assert_int_equal(ls_transact(store, LS_WRITE, put_meta, value, &err),
                         LLMGR_ERR_DATABASE_FULL);
        assert_int_equal(reserve_size(), LS_RESERVE_SIZE);
        if (ls_transact(store, LS_REVOKE, put_meta, value, &err) != LLMGR_OK)
            fail_msg("%s", err.message);
        assert_int_equal(reserve_size(), LS_RESERVE_SIZE);
    }
    fault.part = NULL;
    ls_close(store);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_meta WHERE value = 'bevoked'"), 1);
}

static void what_is_not_the_reserve_is_left_alone(void **state)
{
    struct llmgr_error err = {0};
    char reserve[400], precious[400];
    char value[] = "1";
    (void)state;

    ls_close(db_open(&db));
    snprintf(reserve, sizeof reserve, "%s.reserve", db.path);
    snprintf(precious, sizeof precious, "%.200s/precious", db.dir);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(unlink(reserve), 0);
        int fd = open(i == 2 ? reserve : precious, O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(ftruncate(fd, i == 2 ? LS_RESERVE_SIZE + 1 : 5000), 0);
        close(fd);
        if (i == 0)
            assert_int_equal(symlink(precious, reserve), 0);
        else if (i == 1)
            assert_int_equal(link(precious, reserve), 0);
        else if (i == 3)
            assert_int_equal(mkfifo(reserve, 0600), 0);
        inject("-wal", NO_ROOM);
        struct ls_store *store = db_open(&db);
        value[0] = (char)('a' + i);
        assert_int_equal(ls_transact(store, LS_REVOKE, put_meta, value, &err),
                         LLMGR_ERR_DATABASE_FULL);
        fault.part = NULL;
        assert_int_equal(ls_transact(store, LS_WRITE, put_meta, value, &err), LLMGR_OK);
        ls_close(store);
        heal();
        struct stat about;
        assert_int_equal(stat(i == 2 ? reserve : precious, &about), 0);
        assert_int_equal(about.st_size, i == 2 ? LS_RESERVE_SIZE + 1 : 5000);
    }
}

/* ---- Copies and health ---- */

static void a_backup_is_a_whole_private_database(void **state)
{
    struct llmgr_error err = {0};
    struct stat st;
    char path[300];
    struct db copy = db;
    (void)state;

    struct ls_store *store = db_open(&db);
    assert_int_equal(write_meta(store, "kept", NULL), LLMGR_OK);
    snprintf(path, sizeof path, "%.200s/copy.db", db.dir);
    /* An open writer does not stop it, and is not in it. */
    struct ls_tx *tx = NULL;
    assert_int_equal(ls_begin(store, LS_WRITE, &tx, NULL), LLMGR_OK);
    assert_int_equal(ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr("unseen")), NULL, NULL),
                     LLMGR_OK);
    mode_t old = umask(0);
    llmgr_status status = ls_backup(store, path, &err);
    umask(old);
    assert_int_equal(status, LLMGR_OK);
    ls_rollback(tx);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    memcpy(copy.path, path, sizeof path);
    assert_int_equal(db_number(&copy, "SELECT COUNT(*) FROM llm_meta WHERE value = 'kept'"), 1);
    assert_int_equal(ls_backup(store, path, &err), LLMGR_ERR_CONFLICT);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(ls_backup(store, "/nonexistent-folder/x", &err), LLMGR_ERR_DATABASE);
    assert_int_equal(ls_backup(store, "", &err), LLMGR_ERR_INVALID);
    ls_close(store);
}

static void fill(struct ls_store *store)
{
    char name[32];

    for (int i = 0; i < 200; i++) {
        struct ls_tx *tx = NULL;
        assert_int_equal(ls_begin(store, LS_WRITE, &tx, NULL), LLMGR_OK);
        for (int j = 0; j < 10; j++) {
            snprintf(name, sizeof name, "name-%d-%d", i, j);
            assert_int_equal(
                ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr(name), ls_cstr(name)), NULL, NULL),
                LLMGR_OK);
        }
        assert_int_equal(ls_commit(tx, NULL), LLMGR_OK);
    }
}

static void a_damaged_backup_is_caught_and_removed(void **state)
{
    struct llmgr_error err = {0};
    char path[300];
    (void)state;

    struct ls_store *store = db_open(&db);
    fill(store);
    snprintf(path, sizeof path, "%.200s/copy.db", db.dir);
    inject("copy.db", CORRUPT);
    llmgr_status status = ls_backup(store, path, &err);
    if (status != LLMGR_ERR_DATABASE || strstr(err.message, path) == NULL)
        fail_msg("%s: %s", llmgr_status_name(status), err.message);
    assert_int_equal(access(path, F_OK), -1);
    heal();
    assert_int_equal(ls_backup(store, path, &err), LLMGR_OK);
    ls_close(store);
}

static void a_damaged_backup_stops_the_migration(void **state)
{
    struct llmgr_error err = {0};
    (void)state;

    db_sql(&db, "CREATE TABLE host (a TEXT, b TEXT); CREATE INDEX host_a ON host (a, b);"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
                " INSERT INTO host SELECT 'text ' || i, hex(i * 7919) FROM n");
    inject(".backup-", CORRUPT);
    assert_int_equal(open_url(db.url, &err), LLMGR_ERR_DATABASE);
    assert_non_null(strstr(err.message, ".backup-"));
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM sqlite_schema WHERE name LIKE 'llm%'"),
                     0);
    heal();
    assert_int_equal(open_url(db.url, &err), LLMGR_OK);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM host"), 5000);
}

static void check_tells_the_sound_from_the_damaged(void **state)
{
    struct ls_check_report report;
    struct llmgr_error err = {0};
    (void)state;

    struct ls_store *store = db_open(&db);
    fill(store);
    assert_int_equal(ls_check(store, &report, &err), LLMGR_OK);
    assert_true(report.sound);
    assert_string_equal(report.engine, "SQLite");
    assert_string_equal(report.version, sqlite3_libversion());
    assert_int_equal(report.schema_version, ls_schema_latest());
    assert_true(report.size_bytes > 0 && report.wal_bytes > 0);
    ls_close(store);

    db_sql(&db, "PRAGMA foreign_keys = OFF;"
                "INSERT INTO llm_platform_models (platform_id, model_name, display_name)"
                " VALUES (99, 'm', 'm')");
    store = db_open(&db);
    assert_int_equal(ls_check(store, &report, &err), LLMGR_OK);
    assert_false(report.sound);
    assert_non_null(strstr(report.problem, "llm_platform_models"));
    ls_close(store);

    /* The last page is one of llm_meta, which grew last. */
    struct stat st;
    assert_int_equal(stat(db.path, &st), 0);
    int fd = open(db.path, O_WRONLY);
    char junk[4096];
    memset(junk, 0x5a, sizeof junk);
    assert_int_equal(pwrite(fd, junk, sizeof junk, st.st_size - 4096), sizeof junk);
    close(fd);
    store = db_open_with(&db, (struct ls_options){.migrate = LS_MIGRATE_LEAVE});
    assert_int_equal(ls_check(store, &report, &err), LLMGR_OK);
    assert_false(report.sound);
    assert_true(report.problem[0] != '\0');
    ls_close(store);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_full_database_refuses_and_recovers),
        FRESH(a_device_without_room_is_full),
        FRESH(a_full_disk_is_tried_once_more_after_a_checkpoint),
        FRESH(a_revocation_has_room_where_nothing_else_has),
        FRESH(what_is_not_the_reserve_is_left_alone),
        FRESH(a_backup_is_a_whole_private_database),
        FRESH(a_damaged_backup_is_caught_and_removed),
        FRESH(a_damaged_backup_stops_the_migration),
        FRESH(check_tells_the_sound_from_the_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
