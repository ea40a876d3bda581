/* SPDX-License-Identifier: MIT */
/* Keeping house: is the database sound, a copy of it, and the life of its data keys. */
#include "library/library.h"

#include <string.h>

#include "keys/ring.h"
#include "manager/manager.h"
#include "store/store.h"
#include "vault/master.h"

/* ---- The database ---------------------------------------------------------------------------- */

static llmgr_status count_rows(struct ls_store *store, struct llmgr_db_report *report,
                               struct llmgr_error *err)
{
    struct ls_rows rows;
    struct ls_tx *tx;

    llmgr_status status = ls_begin(store, LS_READ_ONE, &tx, err);
    if (status != LLMGR_OK)
        return status;
    status = ls_get(tx, LS_ROW_COUNTS, NULL, 0, &rows, err);
    if (status == LLMGR_OK) {
        report->platforms = ls_column_int(&rows, 0);
        report->models = ls_column_int(&rows, 1);
        report->users = ls_column_int(&rows, 2);
        ls_rows_end(&rows);
    }
    ls_rollback(tx);
    return status;
}

static llmgr_status fill_report(struct llmgr *manager, struct lb_arena *arena,
                                struct llmgr_db_report *report, struct llmgr_error *err)
{
    struct ls_store *store = lm_store(manager->manager);
    struct ls_check_report check;

    llmgr_status status = ls_check(store, &check, err);
    if (status != LLMGR_OK)
        return status;
    if (!check.sound)
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s is damaged: %s; restore a backup (`llmgr db backup` makes them)"),
                       ls_place(store), check.problem);
    report->database = lb_arena_strdup(arena, ls_place(store));
    report->kind = strcmp(check.engine, "SQLite") == 0 ? "sqlite" : "postgres";
    report->version = lb_arena_strdup(arena, check.version);
    report->schema_version = check.schema_version;
    report->size = check.size_bytes;
    if (check.wal_reset_bug)
        report->warning = lb_tr(N_("this SQLite can lose writes when two processes checkpoint at "
                                   "once (fixed in 3.51.3, 3.50.7 and 3.44.6); llmgr avoids it, "
                                   "other programs on the same file may not"));
    if (report->database == NULL || report->version == NULL)
        return lb_fail_memory(err);
    status = count_rows(store, report, err);
    if (status == LLMGR_OK)
        status = lk_ring_check(lm_keys(manager->manager), &report->unreadable_keys, err);
    return status;
}

llmgr_status llmgr_db_check(struct llmgr *manager, struct llmgr_db_report *report,
                            struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_db_report made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = fill_report(manager, &result->arena, &made, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *report = made;
    return LLMGR_OK;
}

llmgr_status llmgr_db_backup(struct llmgr *manager, const char *path, struct llmgr_error *err)
{
    return ls_backup(lm_store(manager->manager), path, err);
}

/* ---- Data keys ------------------------------------------------------------------------------- */

llmgr_status llmgr_key_status(struct llmgr *manager, struct llmgr_key_report *report,
                              struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_key_report made = {0};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lk_ring_status(lm_keys(manager->manager), &result->arena, &made, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    made.memory = result;
    *report = made;
    return LLMGR_OK;
}

llmgr_status llmgr_key_rotate(struct llmgr *manager, bool dry_run, struct llmgr_key_report *report,
                              struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_key_report made = {0};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status =
        lk_ring_rotate(lm_keys(manager->manager), dry_run, &result->arena, &made, err);
    made.memory = result;
    if (status != LLMGR_OK || report == NULL)
        la_result_free(result);
    else
        *report = made;
    return status;
}

llmgr_status llmgr_key_rewrap(struct llmgr *manager, const char *key_file, struct llmgr_error *err)
{
    struct lv_master master;

    llmgr_status status = lv_master_create_file(key_file, &master, NULL, err);
    if (status == LLMGR_OK)
        status = lk_ring_rewrap(lm_keys(manager->manager), &master, err);
    lv_master_clear(&master);
    return status;
}
