/* SPDX-License-Identifier: MIT */
/* llmgr platform: the platforms a user sees, and those the user owns. */

#include "base/when.h"
#include "cli/cli.h"
#include "documents/write.h"

/* The column stands there only if there is something to say: tables are wide enough. */
static bool some_reject_options(const struct llmgr_platform_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].no_stream_options_until_ms != 0)
            return true;
    }
    return false;
}

/* "2026-01-31 08:15Z"; NULL: usage is asked for. */
static const char *no_usage_until(const struct llmgr_platform *platform, char text[LB_WHEN_TEXT])
{
    int64_t until_ms = platform->no_stream_options_until_ms;

    return until_ms != 0 ? lb_when_print(until_ms, LB_WHEN_MINUTE, text) : NULL;
}

static llmgr_status fill_platforms(struct cli_table *table, const struct cli_app *app,
                                   const void *list, struct llmgr_error *err)
{
    const struct llmgr_platform_list *platforms = list;
    bool all = cli_flag(app, CLI_FLAG_all) != NULL;
    char id[24], until[LB_WHEN_TEXT];

    (void)err;
    for (size_t i = 0; i < platforms->count; i++) {
        const struct llmgr_platform *platform = &platforms->items[i];
        if (platform->platform_hide && !all)
            continue;
        cli_table_row(
            table, (const char *[]){cli_number(platform->platform_id, id), platform->platform_name,
                                    platform->platform_is_sys ? _("system") : _("private"),
                                    platform->base_url[0] != '\0' ? platform->base_url : NULL,
                                    platform->key_fingerprint, cli_payer(platform->payer),
                                    platform->platform_hide ? _("no") : _("yes"),
                                    no_usage_until(platform, until)});
    }
    return LLMGR_OK;
}

static llmgr_status print_platforms(const struct cli_app *app,
                                    const struct llmgr_platform_list *list, struct llmgr_error *err)
{
    static const char *const HEADINGS[] = {N_("ID"),       N_("NAME"),          N_("KIND"),
                                           N_("BASE URL"), N_("KEY"),           N_("PAYER"),
                                           N_("SHOWN"),    N_("NO USAGE UNTIL")};
    const struct cli_table_form form = {
        HEADINGS, some_reject_options(list) ? 8 : 7,
        N_("There are no platforms; add some to llmgr.yaml and run `llmgr sync`."), fill_platforms};

    return cli_print_table(app, &form, list, err);
}

llmgr_status cli_run_platform_list(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_platform_list list;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_platforms(app->manager, cli_user(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(lx_list_platform(NULL, list.items, list.count), err)
                           : print_platforms(app, &list, err);
    llmgr_platform_list_clear(&list);
    return status;
}

llmgr_status cli_run_platform_add(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_platform platform = {0};
    char *key = NULL;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = cli_key(app, &key, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_add(app->manager, cli_user(app), cli_flag(app, CLI_FLAG_name),
                                    cli_flag(app, CLI_FLAG_base_url), key, &platform, err);
    cli_key_free(app, key);
    if (status != LLMGR_OK)
        return status;
    status = cli_done(app, lx_json_platform(&platform), err, _("Added platform %lld, %s."),
                      (long long)platform.platform_id, platform.platform_name);
    llmgr_platform_clear(&platform);
    return status;
}

/* Prints the platform as it is now. */
static llmgr_status show_changed(struct cli_app *app, int64_t id, const char *line,
                                 struct llmgr_error *err)
{
    struct llmgr_platform_list list;
    json_t *document = NULL;

    llmgr_status status = llmgr_platforms(app->manager, cli_user(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].platform_id == id)
            document = lx_json_platform(&list.items[i]);
    }
    llmgr_platform_list_clear(&list);
    return cli_done(app, document, err, "%s", line);
}

llmgr_status cli_run_platform_rename(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status =
            llmgr_platform_rename(app->manager, cli_user(app), id, app->args.positionals[1], err);
    return status == LLMGR_OK ? show_changed(app, id, _("Renamed."), err) : status;
}

llmgr_status cli_run_platform_set_url(struct cli_app *app, struct llmgr_error *err)
{
    char *key = NULL;
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = cli_key(app, &key, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_set_url(app->manager, cli_user(app), id, app->args.positionals[1],
                                        key, err);
    cli_key_free(app, key);
    return status == LLMGR_OK ? show_changed(app, id, _("Moved."), err) : status;
}

llmgr_status cli_run_platform_delete(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_delete(app->manager, cli_user(app), id, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_platform_gone(&(struct lx_gone){id, true}), err, "%s",
                    _("Deleted."));
}

static llmgr_status set_hidden(struct cli_app *app, bool hide, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_hide(app->manager, cli_user(app), id, hide, err);
    return status == LLMGR_OK ? show_changed(app, id, hide ? _("Hidden.") : _("Shown."), err)
                              : status;
}

llmgr_status cli_run_platform_hide(struct cli_app *app, struct llmgr_error *err)
{
    return set_hidden(app, true, err);
}

llmgr_status cli_run_platform_show(struct cli_app *app, struct llmgr_error *err)
{
    return set_hidden(app, false, err);
}

llmgr_status cli_run_platform_ask_usage(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_ask_usage(app->manager, cli_user(app), id, err);
    return status == LLMGR_OK ? show_changed(app, id, _("Usage will be asked for."), err) : status;
}

llmgr_status cli_run_platform_set_key(struct cli_app *app, struct llmgr_error *err)
{
    char *key = NULL;
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = cli_key(app, &key, err);
    if (status == LLMGR_OK && key == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("say where the key comes from: --key-stdin or --key-env VAR"));
    if (status == LLMGR_OK)
        status = llmgr_platform_set_key(app->manager, cli_user(app), id, key, err);
    cli_key_free(app, key);
    return status == LLMGR_OK ? show_changed(app, id, _("Key stored."), err) : status;
}

llmgr_status cli_run_platform_clear_key(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_set_key(app->manager, cli_user(app), id, NULL, err);
    return status == LLMGR_OK ? show_changed(app, id, _("Key removed."), err) : status;
}
