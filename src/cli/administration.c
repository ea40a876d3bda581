/* SPDX-License-Identifier: MIT */
/* llmgr db and key: keeping the house of rows and secrets. */
#include "cli/cli.h"
#include "documents/write.h"

/* ---- The database ---------------------------------------------------------------------------- */

static llmgr_status print_check(const struct cli_app *app, const struct llmgr_db_report *report,
                                struct llmgr_error *err)
{
    if (cli_json(app))
        return cli_print_json(lx_json_db(report), err);

    printf(_("%s (%s %s, schema %lld) is sound.\n"), report->database, report->kind,
           report->version, (long long)report->schema_version);
    printf(_("%lld platforms, %lld models, %lld users, %lld unreadable keys.\n"),
           (long long)report->platforms, (long long)report->models, (long long)report->users,
           (long long)report->unreadable_keys);
    if (report->warning != NULL)
        cli_note("%s", report->warning);
    return LLMGR_OK;
}

llmgr_status cli_run_db_check(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_db_report report;

    llmgr_status status = cli_open(app, CLI_OPEN_AS_IT_IS, err);
    if (status == LLMGR_OK)
        status = llmgr_db_check(app->manager, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = print_check(app, &report, err);
    llmgr_db_report_clear(&report);
    return status;
}

llmgr_status cli_run_db_backup(struct cli_app *app, struct llmgr_error *err)
{
    const char *path = app->args.positionals[0];

    llmgr_status status = cli_open(app, CLI_OPEN_AS_IT_IS, err);
    if (status == LLMGR_OK)
        status = llmgr_db_backup(app->manager, path, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_backup(&(struct lx_file){path}), err,
                    _("Wrote %s and checked it. Its keys open with the same master key only."),
                    path);
}

/* Opening migrates; the report tells where that led. */
llmgr_status cli_run_db_migrate(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_db_report report;

    llmgr_status status = cli_open(app, CLI_OPEN_AS_IT_IS, err);
    if (status == LLMGR_OK)
        status = llmgr_db_check(app->manager, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_done(app, lx_json_migrated(&report), err, _("%s has schema %lld."),
                      report.database, (long long)report.schema_version);
    llmgr_db_report_clear(&report);
    return status;
}

/* ---- Data keys ------------------------------------------------------------------------------- */

static llmgr_status fill_keys(struct cli_table *table, const struct cli_app *app, const void *list,
                              struct llmgr_error *err)
{
    const struct llmgr_key_report *report = list;
    char id[24], records[24];

    (void)app;
    (void)err;
    for (size_t i = 0; i < report->count; i++) {
        const struct llmgr_data_key *key = &report->keys[i];
        cli_table_row(table, (const char *[]){cli_number(key->id, id),
                                              key->active ? _("active") : _("old"),
                                              cli_number(key->records, records)});
    }
    return LLMGR_OK;
}

static const char *const HEADINGS[] = {N_("DATA KEY"), N_("STATE"), N_("RECORDS")};
static const struct cli_table_form KEYS = {HEADINGS, 3, N_("There are no data keys."), fill_keys};

static llmgr_status print_keys(const struct cli_app *app, const struct llmgr_key_report *report,
                               struct llmgr_error *err)
{
    if (cli_json(app))
        return cli_print_json(lx_json_keys(report), err);
    llmgr_status status = cli_print_table(app, &KEYS, report, err);
    if (status == LLMGR_OK)
        printf(_("Wrapped by master key %s.\n"), report->master_id);
    return status;
}

llmgr_status cli_run_key_status(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_key_report report;

    llmgr_status status = cli_open(app, CLI_OPEN_AS_IT_IS, err);
    if (status == LLMGR_OK)
        status = llmgr_key_status(app->manager, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = print_keys(app, &report, err);
    llmgr_key_report_clear(&report);
    return status;
}

static llmgr_status rewrap(struct cli_app *app, const char *key_file, struct llmgr_error *err)
{
    llmgr_status status = llmgr_key_rewrap(app->manager, key_file, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_rewrapped(&(struct lx_file){key_file}), err,
                    _("The database now opens with the master key in %s only: name it as "
                      "master_key_file, and keep a copy apart from the database."),
                    key_file);
}

llmgr_status cli_run_key_rotate(struct cli_app *app, struct llmgr_error *err)
{
    const char *key_file = cli_flag(app, CLI_FLAG_new_master_key_file);
    bool dry_run = cli_flag(app, CLI_FLAG_dry_run) != NULL;
    struct llmgr_key_report report;

    if (key_file != NULL && dry_run)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("--dry-run counts records; a new master key reseals none"));
    llmgr_status status = cli_open(app, CLI_OPEN_AS_IT_IS, err);
    if (status == LLMGR_OK && key_file != NULL)
        return rewrap(app, key_file, err);
    if (status == LLMGR_OK)
        status = llmgr_key_rotate(app->manager, dry_run, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = print_keys(app, &report, err);
    if (status == LLMGR_OK && !cli_json(app))
        printf(dry_run ? _("%lld records would be resealed.\n")
                       : _("%lld records were resealed, %lld data keys dropped.\n"),
               (long long)report.rotated, (long long)report.retired);
    llmgr_key_report_clear(&report);
    return status;
}
