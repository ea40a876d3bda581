/* SPDX-License-Identifier: MIT */
/* llmgr select and selection: what serves a user. */
#include "cli/cli.h"
#include "documents/write.h"

enum { FACT_MAX = 512 };

static void add_fact(struct cli_table *table, const char *what, const char *value, const char *more)
{
    char text[FACT_MAX];

    if (more != NULL)
        snprintf(text, sizeof text, "%s (%s)", value, more);
    else
        snprintf(text, sizeof text, "%s", value);
    cli_table_row(table, (const char *[]){what, text});
}

/* One line per fact: seven columns side by side do not fit a terminal. */
static llmgr_status fill_facts(struct cli_table *table, const struct cli_app *app, const void *list,
                               struct llmgr_error *err)
{
    const struct llmgr_selection *selection = list;
    const char *chosen = selection->is_default ? N_("by default")
                         : selection->repaired ? N_("repaired")
                                               : N_("by the user");
    char id[24];

    (void)app;
    (void)err;
    add_fact(table, _("slot"), selection->slot, _(chosen));
    if (selection->route != NULL)
        add_fact(table, _("route"), selection->route, NULL);
    if (selection->platform_id == 0) {
        add_fact(table, _("model"), _("none: no target of the route is there"), NULL);
        return LLMGR_OK;
    }
    add_fact(table, _("platform"), selection->platform, cli_number(selection->platform_id, id));
    add_fact(table, _("model"), selection->model_display_name, cli_number(selection->model_id, id));
    add_fact(table, _("asked as"), selection->model_name, NULL);
    add_fact(table, _("address"), selection->base_url, NULL);
    add_fact(table, _("API key"), selection->api_key_set ? _("yes") : _("no"), NULL);
    return LLMGR_OK;
}

static const char *const FACT_HEADINGS[] = {N_("FACT"), N_("VALUE")};
static const struct cli_table_form FACTS = {FACT_HEADINGS, 2, NULL, fill_facts};

static llmgr_status show_slot(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_selection selection;

    llmgr_status status = llmgr_selection_get(app->manager, cli_user(app),
                                              cli_flag(app, CLI_FLAG_slot), &selection, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(lx_json_selection(&selection), err)
                           : cli_print_table(app, &FACTS, &selection, err);
    llmgr_selection_clear(&selection);
    return status;
}

static llmgr_status select_model(struct cli_app *app, const char *platform, const char *model,
                                 struct llmgr_error *err)
{
    int64_t platform_id, model_id;

    llmgr_status status = cli_id("--platform", platform, &platform_id, err);
    if (status == LLMGR_OK)
        status = cli_id("--model", model, &model_id, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_selection_save(app->manager, cli_user(app), cli_flag(app, CLI_FLAG_slot),
                                      platform_id, model_id, err);
    return status;
}

static llmgr_status select_route(struct cli_app *app, const char *route, struct llmgr_error *err)
{
    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);

    if (status == LLMGR_OK)
        status = llmgr_selection_save_route(app->manager, cli_user(app),
                                            cli_flag(app, CLI_FLAG_slot), route, err);
    return status;
}

llmgr_status cli_run_select(struct cli_app *app, struct llmgr_error *err)
{
    const char *platform = cli_flag(app, CLI_FLAG_platform);
    const char *model = cli_flag(app, CLI_FLAG_model);
    const char *route = cli_flag(app, CLI_FLAG_route);

    if (route != NULL ? platform != NULL || model != NULL : platform == NULL || model == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("give either --platform ID and --model ID, or --route NAME"));
    llmgr_status status =
        route != NULL ? select_route(app, route, err) : select_model(app, platform, model, err);
    return status == LLMGR_OK ? show_slot(app, err) : status;
}

llmgr_status cli_run_selection(struct cli_app *app, struct llmgr_error *err)
{
    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    return status == LLMGR_OK ? show_slot(app, err) : status;
}
