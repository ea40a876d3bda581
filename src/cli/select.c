/* SPDX-License-Identifier: MIT */
/* llmgr select, selection and explain: what serves a user, and why. */
#include "cli/cli.h"

static json_t *selection_json(const struct llmgr_selection *selection)
{
    return json_pack(
        "{s:s,s:s,s:I,s:b,s:s,s:s,s:I,s:s,s:b,s:b,s:b}", "slot", selection->slot, "platform",
        selection->platform, "platform_id", (json_int_t)selection->platform_id, "platform_is_sys",
        selection->platform_is_sys, "base_url", selection->base_url, "model_display_name",
        selection->model_display_name, "model_id", (json_int_t)selection->model_id, "model_name",
        selection->model_name, "api_key_set", selection->api_key_set, "is_default",
        selection->is_default, "repaired", selection->repaired);
}

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
static llmgr_status print_selection(const struct cli_app *app,
                                    const struct llmgr_selection *selection,
                                    struct llmgr_error *err)
{
    static const char *const HEADINGS[] = {N_("FACT"), N_("VALUE")};
    const char *chosen = selection->is_default ? N_("by default")
                         : selection->repaired ? N_("repaired")
                                               : N_("by the user");
    char id[24];

    if (cli_json(app))
        return cli_print_json(selection_json(selection), err);
    struct cli_table *table = cli_table_new(HEADINGS, 2);
    add_fact(table, _("slot"), selection->slot, _(chosen));
    add_fact(table, _("platform"), selection->platform, cli_number(selection->platform_id, id));
    add_fact(table, _("model"), selection->model_display_name, cli_number(selection->model_id, id));
    add_fact(table, _("asked as"), selection->model_name, NULL);
    add_fact(table, _("address"), selection->base_url, NULL);
    add_fact(table, _("API key"), selection->api_key_set ? _("yes") : _("no"), NULL);
    return cli_table_print(table, "", err);
}

static llmgr_status show_slot(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_selection selection;

    llmgr_status status = llmgr_selection_get(app->manager, cli_user(app),
                                              cli_flag(app, CLI_FLAG_slot), &selection, err);
    if (status != LLMGR_OK)
        return status;
    status = print_selection(app, &selection, err);
    llmgr_selection_clear(&selection);
    return status;
}

llmgr_status cli_run_select(struct cli_app *app, struct llmgr_error *err)
{
    int64_t platform_id, model_id;

    llmgr_status status = cli_id("--platform", cli_flag(app, CLI_FLAG_platform), &platform_id, err);
    if (status == LLMGR_OK)
        status = cli_id("--model", cli_flag(app, CLI_FLAG_model), &model_id, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_selection_save(app->manager, cli_user(app), cli_flag(app, CLI_FLAG_slot),
                                      platform_id, model_id, err);
    return status == LLMGR_OK ? show_slot(app, err) : status;
}

llmgr_status cli_run_selection(struct cli_app *app, struct llmgr_error *err)
{
    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    return status == LLMGR_OK ? show_slot(app, err) : status;
}

/* ---- Explain --------------------------------------------------------------------------------- */

static json_t *candidate_json(const struct llmgr_candidate *candidate)
{
    return json_pack(
        "{s:I,s:s,s:b,s:s,s:I,s:o,s:o,s:b,s:b,s:s,s:s,s:o,s:o}", "platform_id",
        (json_int_t)candidate->platform_id, "platform_name", candidate->platform_name,
        "platform_is_sys", candidate->platform_is_sys, "base_url", candidate->base_url, "model_id",
        (json_int_t)candidate->model_id, "model_name", cli_json_text(candidate->model_name),
        "display_name", cli_json_text(candidate->display_name), "kept", candidate->kept, "chosen",
        candidate->chosen, "reason", candidate->reason, "text", candidate->text, "key_fingerprint",
        cli_json_text(candidate->key_fingerprint), "payer", cli_json_text(candidate->payer));
}

static llmgr_status print_explanation_json(const struct llmgr_explanation *explanation,
                                           struct llmgr_error *err)
{
    json_t *array = json_array();

    for (size_t i = 0; i < explanation->count; i++) {
        if (json_array_append_new(array, candidate_json(&explanation->items[i])) != 0) {
            json_decref(array);
            return lb_fail_memory(err);
        }
    }
    return cli_print_json(json_pack("{s:o,s:s,s:s}", "candidates", array, "status",
                                    llmgr_status_name(explanation->status), "message",
                                    explanation->message),
                          err);
}

static llmgr_status print_explanation(const struct llmgr_explanation *explanation,
                                      struct llmgr_error *err)
{
    static const char *const HEADINGS[] = {"",        N_("PLATFORM"), N_("DISPLAY"),
                                           N_("KEY"), N_("PAYER"),    N_("WHY")};
    struct cli_table *table = cli_table_new(HEADINGS, 6);

    for (size_t i = 0; i < explanation->count; i++) {
        const struct llmgr_candidate *candidate = &explanation->items[i];
        cli_table_row(table, (const char *[]){candidate->chosen ? "→"
                                              : candidate->kept ? "+"
                                                                : "·",
                                              candidate->platform_name, candidate->display_name,
                                              candidate->key_fingerprint,
                                              cli_payer(candidate->payer), candidate->text});
    }
    llmgr_status status = cli_table_print(
        table, _("There are no candidates; add platforms to llmgr.yaml and run `llmgr sync`."),
        err);
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
    status = cli_json(app) ? print_explanation_json(&explanation, err)
                           : print_explanation(&explanation, err);
    llmgr_explanation_clear(&explanation);
    return status;
}
