/* SPDX-License-Identifier: MIT */
/* llmgr select, selection and explain: what serves a user, and why. */
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

/* ---- Explain --------------------------------------------------------------------------------- */

static llmgr_status fill_candidates(struct cli_table *table, const struct cli_app *app,
                                    const void *list, struct llmgr_error *err)
{
    const struct llmgr_explanation *explanation = list;
    char headers[CLI_HEADER_NAMES];

    (void)app;
    (void)err;
    for (size_t i = 0; i < explanation->count; i++) {
        const struct llmgr_candidate *candidate = &explanation->items[i];
        cli_table_row(
            table,
            (const char *[]){
                candidate->chosen ? "→"
                : candidate->kept ? "+"
                                  : "·",
                candidate->platform_id != 0 ? candidate->platform_name : candidate->target,
                candidate->display_name, cli_model_kind(candidate->kind),
                candidate->key_fingerprint, cli_payer(candidate->payer), candidate->text,
                cli_header_names(candidate->fixed_headers, candidate->missing_headers, headers)});
    }
    return LLMGR_OK;
}

static const char *const CANDIDATE_HEADINGS[] = {"",         N_("PLATFORM"),     N_("DISPLAY"),
                                                 N_("KIND"), N_("KEY"),          N_("PAYER"),
                                                 N_("WHY"),  N_("HEADER FIELDS")};

/* The last column only if some platform has what stands there. */
static size_t candidate_columns(const struct llmgr_explanation *explanation)
{
    for (size_t i = 0; i < explanation->count; i++) {
        if (explanation->items[i].fixed_headers != NULL ||
            explanation->items[i].missing_headers != NULL)
            return 8;
    }
    return 7;
}

static llmgr_status print_explanation(const struct cli_app *app,
                                      const struct llmgr_explanation *explanation,
                                      struct llmgr_error *err)
{
    const struct cli_table_form form = {
        CANDIDATE_HEADINGS, candidate_columns(explanation),
        N_("There are no candidates; add platforms to llmgr.yaml and run `llmgr sync`."),
        fill_candidates};

    llmgr_status status = cli_print_table(app, &form, explanation, err);
    if (status == LLMGR_OK && explanation->alias != NULL)
        printf(_("the alias '%s' stands for '%s'\n"), explanation->alias,
               explanation->alias_target);
    if (status == LLMGR_OK && explanation->route != NULL)
        printf(_("these are the targets of the route '%s'\n"), explanation->route);
    if (status == LLMGR_OK && explanation->count != 0)
        puts(_("→ serves the request, + could serve it, · cannot"));
    if (status == LLMGR_OK && explanation->status != LLMGR_OK)
        printf("%s\n", explanation->message);
    return status;
}

llmgr_status cli_run_explain(struct cli_app *app, struct llmgr_error *err)
{
    const char *slot = cli_flag(app, CLI_FLAG_slot);
    const char *model = cli_flag(app, CLI_FLAG_model);
    struct llmgr_explanation explanation;

    if (slot != NULL && model != NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("give either --slot or --model, not both"));
    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_explain(app->manager, cli_user(app), slot, model, &explanation, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(lx_json_explanation(&explanation), err)
                           : print_explanation(app, &explanation, err);
    llmgr_explanation_clear(&explanation);
    return status;
}
