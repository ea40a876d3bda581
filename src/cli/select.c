/* SPDX-License-Identifier: MIT */
/* llmgr select, selection and explain: what serves a user, and why. */
#include "cli/cli.h"

static llmgr_status print_selection(const struct cli_app *app,
                                    const struct llmgr_selection *selection,
                                    struct llmgr_error *err)
{
    static const char *const HEADINGS[] = {N_("SLOT"),  N_("PLATFORM"), N_("DISPLAY"),
                                           N_("ASKED"), N_("BASE URL"), N_("KEY"),
                                           N_("CHOSEN")};

    if (cli_json(app))
        return cli_print_json(
            json_pack("{s:s,s:s,s:I,s:b,s:s,s:s,s:I,s:s,s:b,s:b,s:b}", "slot", selection->slot,
                      "platform", selection->platform, "platform_id",
                      (json_int_t)selection->platform_id, "platform_is_sys",
                      selection->platform_is_sys, "base_url", selection->base_url,
                      "model_display_name", selection->model_display_name, "model_id",
                      (json_int_t)selection->model_id, "model_name", selection->model_name,
                      "api_key_set", selection->api_key_set, "is_default", selection->is_default,
                      "repaired", selection->repaired),
            err);
    struct cli_table *table = cli_table_new(HEADINGS, 7);
    cli_table_row(table,
                  (const char *[]){selection->slot, selection->platform,
                                   selection->model_display_name, selection->model_name,
                                   selection->base_url, selection->api_key_set ? _("yes") : _("no"),
                                   selection->is_default ? _("by default")
                                   : selection->repaired ? _("repaired")
                                                         : _("by the user")});
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
                                              candidate->payer != NULL ? _(candidate->payer) : NULL,
                                              candidate->text});
    }
    llmgr_status status = cli_table_print(
        table, _("There are no candidates; add platforms to llmgr.yaml and run `llmgr sync`."),
        err);
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
