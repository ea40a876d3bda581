/* SPDX-License-Identifier: MIT */
/* Every row of the statement table against the real databases. */
#include "store/driver.h"

#include "../db.h"

static struct ls_conn *take(struct ls_store *store)
{
    struct ls_conn *conn = NULL;

    assert_int_equal(ls_pool_take(ls_store_pool(store, LS_WRITE), &conn, NULL), LLMGR_OK);
    return conn;
}

static void describe_all(struct ls_conn *conn, bool legacy)
{
    const struct ls_driver *driver = conn->store->driver;

    for (int id = 0; id < LS_STATEMENT_COUNT; id++) {
        const struct ls_statement_row *row = &LS_STATEMENTS[id];
        struct llmgr_error err = {0};
        int args = -1;
        int columns = -1;
        if (row->legacy != legacy)
            continue;
        if (driver->describe(conn, (enum ls_statement)id, &args, &columns, &err) != LLMGR_OK)
            fail_msg("%s: %s", row->name, err.message);
        if (args != (int)strlen(row->args) || columns != (int)strlen(row->columns))
            fail_msg("%s: declares %zu arguments and %zu columns, has %d and %d", row->name,
                     strlen(row->args), strlen(row->columns), args, columns);
    }
}

static void every_statement_prepares_as_declared(void **state)
{
    struct db db;
    struct ls_store *store;

    (void)state;
    db_setup(&db);
    store = db_open(&db);
    struct ls_conn *conn = take(store);
    describe_all(conn, false);
    ls_pool_give(conn);
    ls_close(store);
    db_teardown(&db);
}

static void legacy_statements_prepare_while_migrating(void **state)
{
    static const char TABLES[] =
        "CREATE TABLE legacy_llm_platforms (id INTEGER, api_key VARCHAR(255));"
        "CREATE TABLE legacy_llm_sys_platform_keys (id INTEGER, api_key VARCHAR(255));";
    struct db db;
    struct ls_store *store;

    (void)state;
    db_setup(&db);
    store = db_open(&db);
    struct ls_conn *conn = take(store);
    assert_int_equal(store->driver->script(conn, TABLES, NULL), LLMGR_OK);
    describe_all(conn, true);
    ls_pool_give(conn);
    ls_close(store);
    db_teardown(&db);
}

static void the_table_uses_known_types_only(void **state)
{
    (void)state;
    for (int id = 0; id < LS_STATEMENT_COUNT; id++) {
        const struct ls_statement_row *row = &LS_STATEMENTS[id];
        assert_int_equal(strspn(row->args, "itbITB"), strlen(row->args));
        assert_int_equal(strspn(row->columns, "itbITB"), strlen(row->columns));
        assert_true(strlen(row->args) <= LS_ARGS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_prepares_as_declared),
        cmocka_unit_test(legacy_statements_prepare_while_migrating),
        cmocka_unit_test(the_table_uses_known_types_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
