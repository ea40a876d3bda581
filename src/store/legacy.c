/* SPDX-License-Identifier: MIT */
/*
 * The database of the Python original, rebuilt in place. Its four tables are put aside under the
 * names legacy_*, the first schema is made, their rows are copied with their ids, each clear-text
 * key is handed to the caller to be sealed, and the old tables are dropped: one transaction, so
 * that no committed state of the new schema holds a key in clear text.
 *
 * The original enforced little: names may repeat, rows may point to platforms that are gone,
 * flags may be null and extra_body may be no JSON. What would be refused today is repaired: a
 * repeated name gets its id behind it, an orphan is left behind (the backup has it).
 */
#include "base/error.h"
#include "store/driver.h"

/* Both databases' flags, whether integers or booleans. */
#define FLAG(column) "CASE WHEN CAST(" column " AS TEXT) IN ('1', 'true', 't') THEN 1 ELSE 0 END"
#define OWNER(table) "COALESCE(NULLIF(CAST(" table ".user_id AS TEXT), ''), '-1')"

static const char RENAME[] =
    "ALTER TABLE llm_platforms RENAME TO legacy_llm_platforms;"
    "ALTER TABLE llm_platform_models RENAME TO legacy_llm_platform_models;"
    "ALTER TABLE llm_sys_platform_keys RENAME TO legacy_llm_sys_platform_keys;"
    "ALTER TABLE user_ai_configs RENAME TO legacy_user_ai_configs;";

/* A platform's name is repeated if one of the same owner and kind with a smaller id bears it. */
static const char PLATFORMS[] =
    "INSERT INTO llm_platforms (id, name, user_id, base_url, is_sys, hide, position)"
    " SELECT o.id, CASE WHEN o.name IS NULL OR o.name = '' THEN 'platform ' || o.id"
    "  WHEN EXISTS (SELECT 1 FROM legacy_llm_platforms e WHERE e.name = o.name AND e.id < o.id"
    "   AND " FLAG("e.is_sys") " = " FLAG("o.is_sys")
    "   AND (" FLAG("o.is_sys") " = 1 OR " OWNER("e") " = " OWNER("o") "))"
    "  THEN o.name || ' (' || o.id || ')' ELSE o.name END,"
    " " OWNER("o") ", o.base_url, " FLAG("o.is_sys") ", " FLAG("o.hide") ", o.id"
    " FROM legacy_llm_platforms o;";

#define DISPLAY(table)                                                                             \
    "COALESCE(NULLIF(" table ".display_name, ''), NULLIF(" table ".model_name, ''), 'model ' || "  \
    table ".id)"
#define MODELS(extra_body)                                                                         \
    "INSERT INTO llm_platform_models"                                                              \
    " (id, platform_id, model_name, display_name, extra_body, position)"                           \
    " SELECT o.id, o.platform_id, COALESCE(NULLIF(o.model_name, ''), " DISPLAY("o") "),"           \
    " CASE WHEN EXISTS (SELECT 1 FROM legacy_llm_platform_models e"                                \
    "  WHERE e.platform_id = o.platform_id AND e.id < o.id"                                        \
    "  AND " DISPLAY("e") " = " DISPLAY("o") ")"                                                   \
    "  THEN " DISPLAY("o") " || ' (' || o.id || ')' ELSE " DISPLAY("o") " END,"                    \
    " " extra_body ", o.id FROM legacy_llm_platform_models o"                                      \
    " WHERE o.platform_id IN (SELECT id FROM llm_platforms);"

static const char MODELS_SQLITE[] =
    MODELS("CASE WHEN json_valid(o.extra_body) THEN"
           " CASE WHEN json_type(o.extra_body) = 'object' THEN CAST(o.extra_body AS TEXT) END END");

static const char MODELS_POSTGRES[] =
    "CREATE FUNCTION pg_temp.json_object_or_null(t text) RETURNS text LANGUAGE plpgsql AS $$"
    " BEGIN RETURN CASE WHEN json_typeof(t::json) = 'object' THEN t END;"
    " EXCEPTION WHEN others THEN RETURN NULL; END $$;"
    MODELS("pg_temp.json_object_or_null(CAST(o.extra_body AS TEXT))")
    "DROP FUNCTION pg_temp.json_object_or_null(text);";

static const char REST[] =
    "INSERT INTO llm_sys_platform_keys (id, user_id, platform_id, hide)"
    " SELECT MAX(o.id), CAST(o.user_id AS TEXT), o.platform_id, MAX(" FLAG("o.hide") ")"
    " FROM legacy_llm_sys_platform_keys o"
    " WHERE o.user_id IS NOT NULL AND o.platform_id IN (SELECT id FROM llm_platforms)"
    " GROUP BY CAST(o.user_id AS TEXT), o.platform_id;"
    "INSERT INTO user_ai_configs (id, user_id, slot, selected_platform_id, selected_model_id)"
    " SELECT MAX(o.id), CAST(o.user_id AS TEXT), 'main', MAX(o.selected_platform_id),"
    " MAX(o.selected_model_id) FROM legacy_user_ai_configs o WHERE o.user_id IS NOT NULL"
    " GROUP BY CAST(o.user_id AS TEXT);";

/* Children first: nothing may point to a table that is dropped. */
static const char DROP[] = "DROP TABLE legacy_user_ai_configs;"
                           "DROP TABLE legacy_llm_sys_platform_keys;"
                           "DROP TABLE legacy_llm_platform_models;"
                           "DROP TABLE legacy_llm_platforms;";

/* PostgreSQL's identities know nothing of ids that were given. */
#define NEXT_ID(table)                                                                             \
    "SELECT setval(pg_get_serial_sequence('" table "', 'id'),"                                     \
    " GREATEST((SELECT COALESCE(MAX(id), 0) FROM " table "), 0) + 1, false);"
static const char NEXT_IDS[] = NEXT_ID("llm_platforms") NEXT_ID("llm_platform_models")
    NEXT_ID("llm_sys_platform_keys") NEXT_ID("user_ai_configs");

/* Old pages may hold the clear text until the file is rewritten: see ls_schema_scrub. */
static const char SCRUB_DUE[] = "INSERT INTO llm_meta (name, value) VALUES ('scrub', 'due')";

llmgr_status ls_legacy_rename(struct ls_conn *conn, struct llmgr_error *err)
{
    return conn->store->driver->script(conn, RENAME, err);
}

/* Rows of the old table that found no place in the new one. */
static llmgr_status count_left_behind(struct ls_conn *conn, int64_t *count,
                                      struct llmgr_error *err)
{
    return conn->store->driver->number(
        conn,
        "SELECT (SELECT COUNT(*) FROM legacy_llm_platform_models)"
        " - (SELECT COUNT(*) FROM llm_platform_models)"
        " + (SELECT COUNT(*) FROM legacy_llm_sys_platform_keys)"
        " - (SELECT COUNT(*) FROM llm_sys_platform_keys)"
        " + (SELECT COUNT(*) FROM legacy_user_ai_configs)"
        " - (SELECT COUNT(*) FROM user_ai_configs)",
        count, err);
}

static llmgr_status seal_keys(struct ls_tx *tx, enum ls_statement id, bool is_own,
                              struct llmgr_error *err)
{
    struct ls_store *store = ls_tx_store(tx);
    struct ls_rows rows;
    llmgr_status status = ls_query(tx, id, NULL, 0, &rows, err);
    enum ls_found found = LS_ABSENT;

    if (status != LLMGR_OK)
        return status;
    while (status == LLMGR_OK && (found = ls_next(&rows, err)) == LS_FOUND) {
        struct ls_legacy_key key = {
            .is_own = is_own,
            .user = ls_column_text(&rows, 0),
            .platform_id = ls_column_int(&rows, 1),
            .base_url = ls_column_text(&rows, 2),
            .api_key = ls_column_text(&rows, 3),
        };
        if (store->options.on_legacy == NULL)
            status = lb_fail(err, LLMGR_ERR_INVALID,
                             N_("%s was made by the Python original and holds API keys in clear "
                                "text; a secret store is needed to open it"),
                             store->place);
        else
            status = store->options.on_legacy(tx, &key, store->options.legacy_context, err);
    }
    if (status == LLMGR_OK && found == LS_ERROR)
        status = tx->failed;
    ls_rows_end(&rows);
    return status;
}

llmgr_status ls_legacy_copy(struct ls_conn *conn, struct llmgr_error *err)
{
    struct ls_store *store = conn->store;
    const struct ls_driver *driver = store->driver;
    bool postgres = store->kind == LS_POSTGRES;
    int64_t left_behind = 0;
    llmgr_status status = driver->script(conn, PLATFORMS, err);

    if (status == LLMGR_OK)
        status = driver->script(conn, postgres ? MODELS_POSTGRES : MODELS_SQLITE, err);
    if (status == LLMGR_OK)
        status = driver->script(conn, REST, err);
    if (status == LLMGR_OK && postgres)
        status = driver->script(conn, NEXT_IDS, err);
    if (status == LLMGR_OK)
        status = count_left_behind(conn, &left_behind, err);
    if (status != LLMGR_OK)
        return status;
    struct ls_tx *tx = ls_tx_on(conn, LS_WRITE);
    status = seal_keys(tx, LS_LEGACY_PLATFORM_KEYS, false, err);
    if (status == LLMGR_OK)
        status = seal_keys(tx, LS_LEGACY_OWN_KEYS, true, err);
    if (status == LLMGR_OK)
        status = driver->script(conn, DROP, err);
    if (status == LLMGR_OK)
        status = driver->script(conn, SCRUB_DUE, err);
    if (status == LLMGR_OK && left_behind > 0)
        lb_warn(store->host,
                "%s: %lld rows that belonged to no platform or user were left behind in the backup",
                store->place, (long long)left_behind);
    return status;
}
