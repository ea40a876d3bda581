/* SPDX-License-Identifier: MIT */
/* llmgr model: the flat list a user chooses from, and the models of platforms of one's own. */
#include "cli/cli.h"

#include <string.h>

#include "documents/write.h"

enum { COLUMNS_ALWAYS = 7, COLUMNS_MAX = COLUMNS_ALWAYS + 1 };

/* There is a column for it only if there is something to say. */
static bool some_are_made(const struct llmgr_model_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].platform_is_sys && strcmp(list->items[i].managed, "database") == 0)
            return true;
    }
    return false;
}

static llmgr_status fill_models(struct cli_table *table, const struct cli_app *app,
                                const void *list, struct llmgr_error *err)
{
    const struct llmgr_model_list *models = list;
    bool all = cli_flag(app, CLI_FLAG_all) != NULL;
    char platform_id[24], model_id[24];

    (void)err;
    for (size_t i = 0; i < models->count; i++) {
        const struct llmgr_model *model = &models->items[i];
        if ((model->platform_hide || model->model_hide) && !all)
            continue;
        cli_table_row(table, (const char *[]){
                                 cli_number(model->platform_id, platform_id), model->platform_name,
                                 cli_number(model->model_id, model_id), model->display_name,
                                 model->model_name, cli_model_kind(model->kind),
                                 model->api_key_set ? _("yes") : _("no"),
                                 cli_managed(model->platform_is_sys, model->managed)});
    }
    return LLMGR_OK;
}

static const char *const HEADINGS[COLUMNS_MAX] = {N_("PLATFORM"), N_("NAME"),      N_("MODEL"),
                                                  N_("DISPLAY"),  N_("ASKED"),     N_("KIND"),
                                                  N_("KEY"),      N_("MANAGED BY")};

llmgr_status cli_run_model_list(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_model_list list;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_models(app->manager, cli_acting(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    const struct cli_table_form form = {
        HEADINGS, some_are_made(&list) ? COLUMNS_MAX : COLUMNS_ALWAYS,
        N_("There are no models; add some to llmgr.yaml and run `llmgr sync`."), fill_models};
    status = cli_json(app) ? cli_print_json(lx_list_model(NULL, list.items, list.count), err)
                           : cli_print_table(app, &form, &list, err);
    llmgr_model_list_clear(&list);
    return status;
}

/* *given: is there a --kind? */
static llmgr_status read_kind(const struct cli_app *app, llmgr_model_kind *kind, bool *given,
                              struct llmgr_error *err)
{
    const char *text = cli_flag(app, CLI_FLAG_kind);

    *given = text != NULL;
    if (text == NULL || llmgr_model_kind_parse(text, kind))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("%s is one of %s, not \"%s\""), "--kind",
                   LX_MODEL_KINDS, text);
}

llmgr_status cli_run_model_add(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_model model = {0};
    llmgr_model_kind kind = LLMGR_MODEL_UNKNOWN;
    int64_t platform_id;
    bool given;

    llmgr_status status = cli_id("--platform", cli_flag(app, CLI_FLAG_platform), &platform_id, err);
    if (status == LLMGR_OK)
        status = read_kind(app, &kind, &given, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_model_add(app->manager, cli_acting(app), platform_id,
                                 cli_flag(app, CLI_FLAG_name), cli_flag(app, CLI_FLAG_display),
                                 cli_flag(app, CLI_FLAG_extra_body), kind, &model, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_done(app, lx_json_model(&model), err, _("Added model %lld, %s."),
                      (long long)model.model_id, model.display_name);
    llmgr_model_clear(&model);
    return status;
}

/* Prints the model as it is now. */
static llmgr_status show_changed(struct cli_app *app, int64_t id, const char *line,
                                 struct llmgr_error *err)
{
    struct llmgr_model_list list;
    json_t *document = NULL;

    llmgr_status status = llmgr_models(app->manager, cli_acting(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].model_id == id)
            document = lx_json_model(&list.items[i]);
    }
    llmgr_model_list_clear(&list);
    return cli_done(app, document, err, "%s", line);
}

llmgr_status cli_run_model_update(struct cli_app *app, struct llmgr_error *err)
{
    llmgr_model_kind kind;
    int64_t id;
    bool given;

    llmgr_status status = read_kind(app, &kind, &given, err);
    if (status == LLMGR_OK)
        status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status =
            llmgr_model_update(app->manager, cli_acting(app), id, cli_flag(app, CLI_FLAG_display),
                               cli_flag(app, CLI_FLAG_extra_body), given ? &kind : NULL, err);
    return status == LLMGR_OK ? show_changed(app, id, _("Changed."), err) : status;
}

llmgr_status cli_run_model_delete(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_model_delete(app->manager, cli_acting(app), id, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_model_gone(&(struct lx_gone){id, true}), err, "%s", _("Deleted."));
}

static llmgr_status set_hidden(struct cli_app *app, bool hide, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_model_hide(app->manager, cli_acting(app), id, hide, err);
    return status == LLMGR_OK ? show_changed(app, id, hide ? _("Hidden.") : _("Shown."), err)
                              : status;
}

llmgr_status cli_run_model_hide(struct cli_app *app, struct llmgr_error *err)
{
    return set_hidden(app, true, err);
}

llmgr_status cli_run_model_show(struct cli_app *app, struct llmgr_error *err)
{
    return set_hidden(app, false, err);
}
