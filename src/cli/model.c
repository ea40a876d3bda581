/* SPDX-License-Identifier: MIT */
/* llmgr model: the flat list a user chooses from, and the models of platforms of one's own. */
#include "cli/cli.h"

#include <string.h>

#include "documents/write.h"

/* What a row is made of: XX(NAME, heading, what it is of a model). */
#define COLUMN_MAP(XX)                                                                             \
    XX(PLATFORM, N_("PLATFORM"), cli_number(model->platform_id, room->platform_id))                \
    XX(NAME, N_("NAME"), model->platform_name)                                                     \
    XX(MODEL, N_("MODEL"), cli_number(model->model_id, room->model_id))                            \
    XX(DISPLAY, N_("DISPLAY"), model->display_name)                                                \
    XX(ASKED, N_("ASKED"), model->model_name)                                                      \
    XX(KIND, N_("KIND"), cli_model_kind(model->kind))                                              \
    XX(CONTEXT, N_("CONTEXT"), cli_model_tokens(model->context_tokens, room->context))             \
    XX(MAX_OUTPUT, N_("MAX OUTPUT"), cli_model_tokens(model->max_output_tokens, room->max_output)) \
    XX(KEY, N_("KEY"), model->api_key_set ? _("yes") : _("no"))                                    \
    XX(MANAGED, N_("MANAGED BY"), cli_managed(model->platform_is_sys, model->managed))

enum column {
#define COLUMN_ENUM(name, heading, cell) COLUMN_##name,
    COLUMN_MAP(COLUMN_ENUM)
#undef COLUMN_ENUM
        COLUMN_COUNT
};

static const char *const HEADINGS[COLUMN_COUNT] = {
#define COLUMN_HEADING(name, heading, cell) heading,
    COLUMN_MAP(COLUMN_HEADING)
#undef COLUMN_HEADING
};

/* What is listed, and in which columns: those of which there is something to say. */
struct listing {
    struct llmgr_model_list models;
    bool is_shown[COLUMN_COUNT];
};

/* Where the numbers of a row are written. */
struct room {
    char platform_id[24], model_id[24], context[24], max_output[24];
};

static void choose_columns(struct listing *listing)
{
    bool *is_shown = listing->is_shown;

    for (size_t i = 0; i < COLUMN_COUNT; i++)
        is_shown[i] = i != COLUMN_CONTEXT && i != COLUMN_MAX_OUTPUT && i != COLUMN_MANAGED;
    for (size_t i = 0; i < listing->models.count; i++) {
        const struct llmgr_model *model = &listing->models.items[i];
        if (model->platform_is_sys && strcmp(model->managed, "database") == 0)
            is_shown[COLUMN_MANAGED] = true;
        if (model->context_tokens != 0)
            is_shown[COLUMN_CONTEXT] = true;
        if (model->max_output_tokens != 0)
            is_shown[COLUMN_MAX_OUTPUT] = true;
    }
}

/* Those of `all`, one per column, that are shown; returns how many. */
static size_t keep_shown(const struct listing *listing, const char *const all[COLUMN_COUNT],
                         const char *kept[COLUMN_COUNT])
{
    size_t count = 0;

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (listing->is_shown[i])
            kept[count++] = all[i];
    }
    return count;
}

static void add_row(struct cli_table *table, const struct listing *listing,
                    const struct llmgr_model *model)
{
    struct room rooms, *room = &rooms;
    const char *const all[COLUMN_COUNT] = {
#define COLUMN_CELL(name, heading, cell) cell,
        COLUMN_MAP(COLUMN_CELL)
#undef COLUMN_CELL
    };
    const char *cells[COLUMN_COUNT];

    (void)keep_shown(listing, all, cells);
    cli_table_row(table, cells);
}

static llmgr_status fill_models(struct cli_table *table, const struct cli_app *app,
                                const void *list, struct llmgr_error *err)
{
    const struct listing *listing = list;
    bool all = cli_flag(app, CLI_FLAG_all) != NULL;

    (void)err;
    for (size_t i = 0; i < listing->models.count; i++) {
        const struct llmgr_model *model = &listing->models.items[i];
        if (all || !(model->platform_hide || model->model_hide))
            add_row(table, listing, model);
    }
    return LLMGR_OK;
}

static llmgr_status print_models(const struct cli_app *app, struct listing *listing,
                                 struct llmgr_error *err)
{
    const char *headings[COLUMN_COUNT];

    choose_columns(listing);
    const struct cli_table_form form = {
        headings, keep_shown(listing, HEADINGS, headings),
        N_("There are no models; add some to llmgr.yaml and run `llmgr sync`."), fill_models};
    return cli_print_table(app, &form, listing, err);
}

llmgr_status cli_run_model_list(struct cli_app *app, struct llmgr_error *err)
{
    struct listing listing;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_models(app->manager, cli_acting(app), &listing.models, err);
    if (status != LLMGR_OK)
        return status;
    status =
        cli_json(app)
            ? cli_print_json(lx_list_model(NULL, listing.models.items, listing.models.count), err)
            : print_models(app, &listing, err);
    llmgr_model_list_clear(&listing.models);
    return status;
}

/* ---- What flags say of a model --------------------------------------------------------------- */

static llmgr_status read_kind(const struct cli_app *app, int *kind, struct llmgr_error *err)
{
    const char *text = cli_flag(app, CLI_FLAG_kind);
    llmgr_model_kind named;

    if (text == NULL)
        return LLMGR_OK;
    if (!llmgr_model_kind_parse(text, &named))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("%s is one of %s, not \"%s\""), "--kind",
                       LX_MODEL_KINDS, text);
    *kind = (int)named;
    return LLMGR_OK;
}

static llmgr_status read_tokens(const char *name, const char *text, int64_t *tokens,
                                struct llmgr_error *err)
{
    uint64_t value;

    if (text == NULL)
        return LLMGR_OK;
    if (!lb_str_to_u64(lb_cstr(text), &value) || value > LLMGR_MODEL_TOKENS_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("%s is a number of tokens, such as 128000, or 0 if it is not known"),
                       name);
    *tokens = (int64_t)value;
    return LLMGR_OK;
}

static llmgr_status read_spec(const struct cli_app *app, struct llmgr_model_spec *spec,
                              struct llmgr_error *err)
{
    llmgr_model_spec_init(spec);
    spec->display_name = cli_flag(app, CLI_FLAG_display);
    spec->extra_body = cli_flag(app, CLI_FLAG_extra_body);
    llmgr_status status = read_kind(app, &spec->kind, err);
    if (status == LLMGR_OK)
        status =
            read_tokens("--context", cli_flag(app, CLI_FLAG_context), &spec->context_tokens, err);
    if (status == LLMGR_OK)
        status = read_tokens("--max-output", cli_flag(app, CLI_FLAG_max_output),
                             &spec->max_output_tokens, err);
    return status;
}

llmgr_status cli_run_model_add(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_model model = {0};
    struct llmgr_model_spec spec;
    int64_t platform_id;

    llmgr_status status = cli_id("--platform", cli_flag(app, CLI_FLAG_platform), &platform_id, err);
    if (status == LLMGR_OK)
        status = read_spec(app, &spec, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status != LLMGR_OK)
        return status;
    spec.model_name = cli_flag(app, CLI_FLAG_name);
    status = llmgr_model_add(app->manager, cli_acting(app), platform_id, &spec, &model, err);
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
    struct llmgr_model_spec spec;
    int64_t id;

    llmgr_status status = read_spec(app, &spec, err);
    if (status == LLMGR_OK)
        status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_model_update(app->manager, cli_acting(app), id, &spec, err);
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
