/* SPDX-License-Identifier: MIT */
/*
 * The schema, forwards only. All pending steps run in one transaction that excludes every other
 * process: who waited for it finds the work done. Before the first step of a database that holds
 * anything there is a verified backup; a newer schema than ours is refused, never touched.
 */
#include "base/buf.h"
#include "base/error.h"
#include "store/driver.h"

static const struct migration {
    int version;
    const char *name;
    const char *sqlite;
    const char *postgres;
} MIGRATIONS[] = {
#define LS_MIGRATION(version, name, sqlite, postgres) {version, name, sqlite, postgres},
#include "store/migrations.def"
};
enum { LATEST = sizeof MIGRATIONS / sizeof MIGRATIONS[0] };

const char *const LS_TABLES[] = {
    "llm_platforms",
    "llm_platform_models",
    "llm_sys_platform_keys",
    "user_ai_configs",
    "llm_hidden_models",
    "llm_data_keys",
    "llm_changes",
    "llm_meta",
    "llm_migrations",
    "llm_tokens",
    "llm_usage",
    "llm_usage_hours",
    "llm_usage_sums",
    "llm_journals",
    "llm_answers",
    "llm_objects",
    "llm_aliases",
    "llm_routes",
    "llm_hidden_routes",
    "llm_platform_keys",
    "llm_cells",
    "llm_prices",
    "llm_price_rates",
};
const size_t LS_TABLE_COUNT = sizeof LS_TABLES / sizeof LS_TABLES[0];

#define LEGACY_TABLES                                                                              \
    "'llm_platforms', 'llm_platform_models', 'llm_sys_platform_keys', 'user_ai_configs'"
enum { LEGACY_TABLE_COUNT = 4 };

static const char MIGRATIONS_TABLE[] =
    "CREATE TABLE IF NOT EXISTS llm_migrations"
    " (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";

int64_t ls_schema_latest(void)
{
    return LATEST;
}

/* ---- What is there ---- */

static llmgr_status count_tables(struct ls_conn *conn, const char *names, int64_t *count,
                                 struct llmgr_error *err)
{
    const struct ls_driver *driver = conn->store->driver;
    struct lb_buf sql;

    lb_buf_init(&sql, conn->store->host, 1024);
    struct lb_str pattern = lb_cstr(driver->count_tables);
    size_t at = lb_str_find(pattern, '%');
    lb_buf_add_str(&sql, lb_str_sub(pattern, 0, at));
    lb_buf_add_c(&sql, names);
    lb_buf_add_str(&sql, lb_str_sub(pattern, at + 2, pattern.size));
    llmgr_status status = sql.failed != LLMGR_OK ? lb_fail_memory(err)
                                                 : driver->number(conn, lb_buf_c(&sql), count, err);
    lb_buf_free(&sql);
    return status;
}

llmgr_status ls_schema_read(struct ls_conn *conn, enum ls_shape *shape, int64_t *version,
                            struct llmgr_error *err)
{
    struct ls_store *store = conn->store;
    int64_t found = 0;
    int64_t legacy = 0;
    llmgr_status status = count_tables(conn, "'llm_migrations'", &found, err);

    if (status != LLMGR_OK)
        return status;
    if (found != 0) {
        status =
            store->driver->number(conn, "SELECT MAX(version) FROM llm_migrations", &found, err);
        if (status != LLMGR_OK)
            return status;
        if (found < 0 || found > LATEST)
            return lb_fail(err, LLMGR_ERR_DATABASE_NEWER,
                           N_("%s has schema %lld, this program knows schema %d at most; use a "
                              "newer llmgr, or a backup made before it was migrated"),
                           store->place, (long long)found, (int)LATEST);
        *version = found;
        *shape = LS_SHAPE_OURS;
        return LLMGR_OK;
    }
    status = count_tables(conn, LEGACY_TABLES, &legacy, err);
    if (status != LLMGR_OK)
        return status;
    if (legacy != 0 && legacy != LEGACY_TABLE_COUNT)
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s holds %lld of the four tables of the Python original; give a "
                          "complete database, or another one"),
                       store->place, (long long)legacy);
    *version = 0;
    *shape = legacy != 0 ? LS_SHAPE_LEGACY : LS_SHAPE_NONE;
    return LLMGR_OK;
}

llmgr_status ls_schema_version(struct ls_store *store, int64_t *version, struct llmgr_error *err)
{
    struct ls_conn *conn = NULL;
    enum ls_shape shape;
    llmgr_status status = ls_pool_take(ls_store_pool(store, LS_READ), &conn, err);

    if (status != LLMGR_OK)
        return status;
    status = ls_schema_read(conn, &shape, version, err);
    ls_pool_give(conn);
    return status;
}

/* ---- The steps ---- */

static llmgr_status record(struct ls_conn *conn, const struct migration *step,
                           struct llmgr_error *err)
{
    struct ls_tx *tx = ls_tx_on(conn, LS_WRITE);

    return ls_exec(tx, LS_MIGRATION_ADD,
                   LS_ARGS(ls_int(step->version), ls_cstr(step->name),
                           ls_int(lb_now_ms(conn->store->host) / 1000)),
                   NULL, err);
}

static llmgr_status apply(struct ls_conn *conn, const struct migration *step,
                          struct llmgr_error *err)
{
    struct ls_store *store = conn->store;
    const char *sql = store->kind == LS_POSTGRES ? step->postgres : step->sqlite;
    llmgr_status status = store->driver->script(conn, sql, err);

    return status == LLMGR_OK ? record(conn, step, err) : status;
}

static llmgr_status back_up(struct ls_conn *conn, enum ls_shape shape, int64_t version,
                            struct llmgr_error *err)
{
    struct ls_store *store = conn->store;
    int64_t objects = 0;

    if (store->options.no_backup)
        return LLMGR_OK;
    llmgr_status status = store->driver->number(conn, store->driver->count_anything, &objects, err);
    if (status != LLMGR_OK || objects == 0)
        return status;
    return store->driver->backup_before(conn, version, shape == LS_SHAPE_LEGACY, err);
}

static llmgr_status run_steps(struct ls_conn *conn, enum ls_shape shape, int64_t version,
                              struct llmgr_error *err)
{
    struct ls_store *store = conn->store;
    llmgr_status status = back_up(conn, shape, version, err);

    if (status == LLMGR_OK && shape == LS_SHAPE_LEGACY)
        status = ls_legacy_rename(conn, err);
    if (status == LLMGR_OK)
        status = store->driver->script(conn, MIGRATIONS_TABLE, err);
    for (int64_t i = version; i < LATEST && status == LLMGR_OK; i++) {
        status = apply(conn, &MIGRATIONS[i], err);
        if (status == LLMGR_OK && i == 0 && shape == LS_SHAPE_LEGACY)
            status = ls_legacy_copy(conn, err);
    }
    return status;
}

llmgr_status ls_schema_migrate(struct ls_conn *conn, struct llmgr_error *err)
{
    struct ls_store *store = conn->store;
    const struct ls_driver *driver = store->driver;
    enum ls_shape shape = LS_SHAPE_NONE;
    int64_t version = 0;
    llmgr_status status;

    ls_tx_on(conn, LS_WRITE);
    status = driver->begin_migration(conn, err);
    if (status == LLMGR_OK) {
        /* Read again: another process may have been here first. */
        status = ls_schema_read(conn, &shape, &version, err);
        if (status == LLMGR_OK && version < LATEST)
            status = run_steps(conn, shape, version, err);
        if (status == LLMGR_OK)
            status = driver->commit(conn, err);
    }
    if (status != LLMGR_OK)
        driver->rollback(conn);
    driver->end_migration(conn, status == LLMGR_OK);
    if (status == LLMGR_OK && version < LATEST)
        lb_info(store->host, "%s: migrated from schema %lld to %d", store->place,
                (long long)version, (int)LATEST);
    return status;
}

llmgr_status ls_migrate(struct ls_store *store, int64_t *from, int64_t *to, struct llmgr_error *err)
{
    struct ls_conn *conn = NULL;
    enum ls_shape shape;
    int64_t before = 0;

    if (store->options.read_only)
        return lb_fail(err, LLMGR_ERR_DATABASE_READONLY,
                       N_("%s was opened for reading only, so it cannot be migrated"),
                       store->place);
    llmgr_status status = ls_pool_take(ls_store_pool(store, LS_WRITE), &conn, err);
    if (status != LLMGR_OK)
        return status;
    status = ls_schema_read(conn, &shape, &before, err);
    if (status == LLMGR_OK && before < LATEST)
        status = store->driver->ready(conn, err);
    if (status == LLMGR_OK && before < LATEST)
        status = ls_schema_migrate(conn, err);
    if (status == LLMGR_OK)
        status = ls_schema_scrub(conn, err);
    ls_pool_give(conn);
    if (status != LLMGR_OK)
        return status;
    if (from != NULL)
        *from = before;
    if (to != NULL)
        *to = LATEST;
    return LLMGR_OK;
}
