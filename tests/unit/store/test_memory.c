/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out: a whole use of the store (open, write, read, query, close) is repeated
 * with the 1st, 2nd, ... nth allocation failing, until one run needs no more than it is given.
 * Each run must end with success or LLMGR_ERR_NO_MEMORY, leak nothing, and leave a usable database.
 * So must many runs of a statement while SQLite's own memory runs out, which is not the host's.
 */
#include "store/store.h"

#include "../db.h"

static struct {
    long budget; /* allocations that still succeed */
    long failed;
    long held;
} memory;

static bool spent(void)
{
    if (memory.budget > 0) {
        memory.budget--;
        return false;
    }
    memory.failed++;
    return true;
}

static void *scarce_alloc(size_t size, void *context)
{
    (void)context;
    if (spent())
        return NULL;
    void *p = malloc(size);
    memory.held += p != NULL;
    return p;
}

static void *scarce_realloc(void *p, size_t size, void *context)
{
    (void)context;
    return spent() ? NULL : realloc(p, size);
}

static void scarce_free(void *p, void *context)
{
    (void)context;
    memory.held -= p != NULL;
    free(p);
}

static llmgr_status write_and_read(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct ls_rows rows;
    int64_t revision = 0;
    (void)context;

    llmgr_status status = ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr("1")), NULL, err);
    if (status == LLMGR_OK)
        status = ls_insert(tx, LS_REVISION_ADD, LS_ARGS(ls_cstr("u"), ls_int(7)), &revision, err);
    if (status != LLMGR_OK)
        return status;
    status = ls_query(tx, LS_CHANGES_SINCE, LS_ARGS(ls_int(0), ls_int(10)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    bool found = false;
    while ((status = ls_next(&rows, &found, err)) == LLMGR_OK && found)
        assert_int_equal(ls_column_text(&rows, 2).size, ls_column_int(&rows, 0) == 0 ? 32 : 1);
    ls_rows_end(&rows);
    return status;
}

static llmgr_status use(struct db *db, ls_legacy_fn on_legacy)
{
    struct llmgr_error err = {0};
    struct ls_store *store = NULL;
    struct ls_check_report report;
    const struct ls_options options = {
        .url = db->url, .pool_size = 2, .backup_dir = db->dir, .on_legacy = on_legacy};
    llmgr_status status = ls_open(&db->host, &options, &store, &err);

    if (status != LLMGR_OK) {
        assert_null(store);
        return status;
    }
    status = ls_transact(store, LS_WRITE, write_and_read, NULL, &err);
    if (status == LLMGR_OK)
        status = ls_check(store, &report, &err);
    if (status != LLMGR_OK)
        assert_int_equal(err.status, status);
    ls_close(store);
    return status;
}

static void scarce(struct db *db)
{
    db->host.memory = (struct llmgr_allocator){scarce_alloc, scarce_realloc, scarce_free, NULL};
}

/* Runs until nothing failed; returns how many runs did. */
static int sweep(struct db *db, ls_legacy_fn on_legacy)
{
    for (int nth = 0;; nth++) {
        memory.budget = nth;
        memory.failed = 0;
        llmgr_status status = use(db, on_legacy);
        assert_int_equal(memory.held, 0);
        if (memory.failed == 0) {
            assert_int_equal(status, LLMGR_OK);
            return nth;
        }
        /* A failure where memory only served a courtesy may be survived. */
        if (status != LLMGR_OK)
            assert_int_equal(status, LLMGR_ERR_NO_MEMORY);
        assert_true(nth < 1000);
    }
}

static void each_failing_allocation_is_survived(void **state)
{
    struct db db;
    (void)state;

    db_setup(&db);
    scarce(&db);
    assert_true(sweep(&db, NULL) > 4);
    memory.budget = 1000;
    assert_int_equal(use(&db, NULL), LLMGR_OK);
    db_teardown(&db);
}

static llmgr_status accept_key(struct ls_tx *tx, const struct ls_legacy_key *key, void *context,
                               struct llmgr_error *err)
{
    (void)context;
    return ls_exec(tx, LS_META_SET, LS_ARGS(ls_text(key->user), ls_cstr("sealed")), NULL, err);
}

static void sqlite_survives_each_in_a_migration(void **state)
{
    struct db db;
    char command[1024];
    (void)state;

    db_setup(&db);
    snprintf(command, sizeof command, "python3 -B %s/make_original.py %s", TEST_FOLDER, db.path);
    assert_int_equal(system(command), 0);
    scarce(&db);
    assert_true(sweep(&db, accept_key) > 6);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platform_models"), 5);
    db_teardown(&db);
}

/* ---- SQLite's own memory ---- */

static struct {
    sqlite3_mem_methods real;
    long budget; /* negative: no end */
    long failed;
} sqlite_memory;

static bool sqlite_spent(void)
{
    if (sqlite_memory.budget != 0) {
        sqlite_memory.budget -= sqlite_memory.budget > 0;
        return false;
    }
    sqlite_memory.failed++;
    return true;
}

static void *sqlite_malloc(int size)
{
    return sqlite_spent() ? NULL : sqlite_memory.real.xMalloc(size);
}

static void *sqlite_realloc(void *p, int size)
{
    return sqlite_spent() ? NULL : sqlite_memory.real.xRealloc(p, size);
}

/* Before SQLite is used for the first time. */
static int watch_sqlites_memory(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory.real), SQLITE_OK);
    sqlite3_mem_methods watched = sqlite_memory.real;
    watched.xMalloc = sqlite_malloc;
    watched.xRealloc = sqlite_realloc;
    sqlite_memory.budget = -1;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &watched), SQLITE_OK);
    return 0;
}

enum { RUNS = 3 };

static void fill_run(const void *context, size_t run, struct ls_value *values)
{
    values[0] = ls_int(*(const int *)context + (int64_t)run);
    values[1] = ls_cstr("many");
    values[2] = ls_int(1);
}

static llmgr_status add_runs(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return ls_exec_many(tx, LS_MIGRATION_ADD, fill_run, context, RUNS, NULL, err);
}

static void sqlite_survives_each_of_its_own_in_many_runs(void **state)
{
    struct db db;
    int64_t rows = 0;
    int tries = 0;
    (void)state;

    db_setup(&db);
    do {
        struct llmgr_error err = {0};
        struct ls_store *store = db_open(&db); /* anew: the statement is prepared in each try */
        int from = 1000 + RUNS * tries;
        sqlite_memory.failed = 0;
        sqlite_memory.budget = tries;
        llmgr_status status = ls_transact(store, LS_WRITE, add_runs, &from, &err);
        sqlite_memory.budget = -1;
        if (status != LLMGR_OK)
            assert_int_equal(status, LLMGR_ERR_NO_MEMORY);
        rows += status == LLMGR_OK ? RUNS : 0;
        assert_int_equal(
            db_number(&db, "SELECT COUNT(*) FROM llm_migrations WHERE version >= 1000"), rows);
        /* The same connection serves the next. */
        from = -RUNS * (tries + 1);
        assert_int_equal(ls_transact(store, LS_WRITE, add_runs, &from, NULL), LLMGR_OK);
        ls_close(store);
        tries++;
    } while (sqlite_memory.failed != 0);
    assert_true(tries > 20);
    assert_true(rows > 0);
    db_teardown(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failing_allocation_is_survived),
        cmocka_unit_test(sqlite_survives_each_in_a_migration),
        cmocka_unit_test(sqlite_survives_each_of_its_own_in_many_runs),
    };
    db_choose_tests();
    return cmocka_run_group_tests(tests, watch_sqlites_memory, NULL);
}
