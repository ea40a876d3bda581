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

/* name: {SQLite, PostgreSQL} */
enum script {
#define LS_LEGACY(name, sqlite, postgres) SCRIPT_##name,
#include "store/legacy.def"
    SCRIPT_COUNT
};
static const struct {
    const char *sqlite;
    const char *postgres;
} SCRIPTS[SCRIPT_COUNT] = {
#define LS_LEGACY(name, sqlite, postgres) {sqlite, postgres},
#include "store/legacy.def"
};

static llmgr_status run(struct ls_conn *conn, enum script script, struct llmgr_error *err)
{
    bool postgres = conn->store->kind == LS_POSTGRES;

    return conn->store->driver->script(
        conn, postgres ? SCRIPTS[script].postgres : SCRIPTS[script].sqlite, err);
}

llmgr_status ls_legacy_rename(struct ls_conn *conn, struct llmgr_error *err)
{
    return run(conn, SCRIPT_RENAME, err);
}

static llmgr_status seal_key(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    const struct ls_store *store = ls_tx_store(row->tx);
    const bool *is_own = context;
    const struct ls_legacy_key key = {
        .is_own = *is_own,
        .user = ls_column_text(row, 0),
        .platform_id = ls_column_int(row, 1),
        .base_url = ls_column_text(row, 2),
        .api_key = ls_column_text(row, 3),
    };

    if (store->options.on_legacy == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("%s was made by the Python original and holds API keys in clear "
                          "text; a secret store is needed to open it"),
                       store->place);
    return store->options.on_legacy(row->tx, &key, store->options.legacy_context, err);
}

llmgr_status ls_legacy_copy(struct ls_conn *conn, struct llmgr_error *err)
{
    struct ls_store *store = conn->store;
    int64_t left_behind = 0;
    llmgr_status status = run(conn, SCRIPT_COPY, err);

    if (status == LLMGR_OK)
        status = run(conn, SCRIPT_NEXT_IDS, err);
    if (status == LLMGR_OK)
        status = store->driver->number(conn, SCRIPTS[SCRIPT_COUNT_LEFT_BEHIND].sqlite, &left_behind,
                                       err);
    if (status != LLMGR_OK)
        return status;
    struct ls_tx *tx = ls_tx_on(conn, LS_WRITE);
    status = ls_each(tx, LS_LEGACY_PLATFORM_KEYS, NULL, 0, seal_key, &(bool){false}, err);
    if (status == LLMGR_OK)
        status = ls_each(tx, LS_LEGACY_OWN_KEYS, NULL, 0, seal_key, &(bool){true}, err);
    if (status == LLMGR_OK)
        status = run(conn, SCRIPT_DROP, err);
    if (status == LLMGR_OK && left_behind > 0)
        lb_warn(store->host,
                "%s: %lld rows that belonged to no platform or user were left behind in the backup",
                store->place, (long long)left_behind);
    return status;
}
