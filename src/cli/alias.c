/* SPDX-License-Identifier: MIT */
/* llmgr alias: names that clients insist on, and the slot or model each stands for. */
#include "cli/cli.h"
#include "documents/write.h"

static llmgr_status fill_aliases(struct cli_table *table, const struct cli_app *app,
                                 const void *list, struct llmgr_error *err)
{
    const struct llmgr_alias_list *aliases = list;

    (void)app;
    (void)err;
    for (size_t i = 0; i < aliases->count; i++)
        cli_table_row(table,
                      (const char *[]){aliases->items[i].name, aliases->items[i].target,
                                       aliases->items[i].is_sys ? _("the operator's") : _("own")});
    return LLMGR_OK;
}

static const char *const HEADINGS[] = {N_("ALIAS"), N_("STANDS FOR"), N_("WHOSE")};
static const struct cli_table_form ALIASES = {
    HEADINGS, 3,
    N_("There are no aliases; `llmgr alias set` makes one, or `aliases` in llmgr.yaml."),
    fill_aliases};

llmgr_status cli_run_alias_list(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_alias_list list;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_aliases(app->manager, cli_user(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(lx_list_alias(NULL, list.items, list.count), err)
                           : cli_print_table(app, &ALIASES, &list, err);
    llmgr_alias_list_clear(&list);
    return status;
}

llmgr_status cli_run_alias_set(struct cli_app *app, struct llmgr_error *err)
{
    const struct llmgr_alias made = {.name = app->args.positionals[0],
                                     .target = app->args.positionals[1]};

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_alias_set(app->manager, cli_user(app), made.name, made.target, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_alias(&made), err, _("'%s' now stands for '%s'."), made.name,
                    made.target);
}

llmgr_status cli_run_alias_delete(struct cli_app *app, struct llmgr_error *err)
{
    const char *name = app->args.positionals[0];

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_alias_delete(app->manager, cli_user(app), name, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_alias_gone(&(struct lx_gone_alias){name, true}), err, "%s",
                    _("Deleted."));
}
