/* SPDX-License-Identifier: MIT */
/*
 * llmgr price import: what a catalogue's file says, against what is there. Each price that is new
 * or another one is shown with the rates that it had; what was not understood is told by name.
 */
#include "cli/cli.h"

#include "budget/import.h"
#include "cli/price.h"
#include "config/read.h"
#include "documents/write.h"

/* ---- The file -------------------------------------------------------------------------------- */

static llmgr_status read_input(struct lb_buf *out, struct llmgr_error *err)
{
    char part[8192];
    size_t size;

    while ((size = fread(part, 1, sizeof part, stdin)) > 0 && out->failed == LLMGR_OK)
        lb_buf_add(out, part, size);
    if (ferror(stdin) != 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("standard input cannot be read"));
    if (out->failed == LLMGR_ERR_TOO_LARGE)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("prices of more than %d bytes are not read at once"), LQ_IMPORT_TEXT_MAX);
    return out->failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status read_all(const char *path, struct lb_buf *out, struct llmgr_error *err)
{
    return strcmp(path, "-") == 0 ? read_input(out, err) : lc_read_file(path, out, err);
}

/* ---- The report ------------------------------------------------------------------------------ */

static const char *result_word(llmgr_price_import_result result)
{
    static const char *const WORDS[] = {
        [LLMGR_PRICE_IMPORT_NEW] = N_("new"),
        [LLMGR_PRICE_IMPORT_CHANGED] = N_("changed"),
        [LLMGR_PRICE_IMPORT_SAME] = N_("the same"),
        [LLMGR_PRICE_IMPORT_KEPT] = N_("kept"),
    };

    return _(WORDS[result]);
}

/* What it was before: in the same currency it rises or falls. */
static void add_former(const struct llmgr_price_import_item *item, llmgr_price_unit unit,
                       struct lb_buf *cell)
{
    const int64_t now = item->price.rates[unit];
    const int64_t former = item->former_rates[unit];
    char text[LLMGR_RATE_TEXT_SIZE];

    llmgr_rate_format(former, llmgr_price_unit_per(unit), text);
    if (former == LLMGR_UNSET)
        lb_buf_add_c(cell, _(" (had none)"));
    else if (strcmp(item->former_currency, item->price.currency) != 0)
        lb_buf_addf(cell, " (%s %s)", text, item->former_currency);
    else if (now != LLMGR_UNSET && now != former)
        lb_buf_addf(cell, now > former ? _(" (%s, rises)") : _(" (%s, falls)"), text);
    else if (now == LLMGR_UNSET)
        lb_buf_addf(cell, " (%s)", text);
}

/* "input 0.3 (0.27, rises)" */
static void add_rate(const struct llmgr_price_import_item *item, llmgr_price_unit unit,
                     struct lb_buf *cell)
{
    const int64_t now = item->price.rates[unit];
    char text[LLMGR_RATE_TEXT_SIZE];

    if (now == LLMGR_UNSET && (item->former_id == 0 || item->former_rates[unit] == LLMGR_UNSET))
        return;
    cli_add_part(cell, llmgr_price_unit_name(unit));
    llmgr_rate_format(now, llmgr_price_unit_per(unit), text);
    lb_buf_addf(cell, " %s", now != LLMGR_UNSET ? text : "-");
    if (item->former_id != 0)
        add_former(item, unit, cell);
}

static llmgr_status add_row(struct cli_table *table, const struct cli_app *app,
                            const struct llmgr_price_import_item *item, struct llmgr_error *err)
{
    const struct llmgr_price *price = &item->price;
    struct lb_buf rates, conditions;

    lb_buf_init(&rates, &app->host, CLI_PRICE_CELL_MAX);
    lb_buf_init(&conditions, &app->host, CLI_PRICE_CELL_MAX);
    for (unsigned i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++)
        add_rate(item, (llmgr_price_unit)i, &rates);
    cli_add_conditions(price, &conditions);
    const bool good = rates.failed == LLMGR_OK && conditions.failed == LLMGR_OK;
    if (good)
        cli_table_row(
            table, (const char *[]){result_word(item->result),
                                    price->platform_name != NULL ? price->platform_name : _("any"),
                                    price->model, price->currency, lb_buf_c(&rates),
                                    conditions.size != 0 ? lb_buf_c(&conditions) : NULL});
    lb_buf_free(&rates);
    lb_buf_free(&conditions);
    return good ? LLMGR_OK : lb_fail_memory(err);
}

/* All but what stays as it is. */
static llmgr_status fill_items(struct cli_table *table, const struct cli_app *app, const void *list,
                               struct llmgr_error *err)
{
    const struct llmgr_price_import_report *report = list;
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < report->item_count && status == LLMGR_OK; i++) {
        if (report->items[i].result != LLMGR_PRICE_IMPORT_SAME)
            status = add_row(table, app, &report->items[i], err);
    }
    return status;
}

static const char *const HEADINGS[] = {N_("RESULT"),   N_("PLATFORM"), N_("MODEL"),
                                       N_("CURRENCY"), N_("RATES"),    N_("ONLY")};
static const struct cli_table_form ITEMS = {HEADINGS, 6, N_("Nothing changes."), fill_items};

static void tell_sums(const struct llmgr_price_import_report *report)
{
    cli_say(_("%s: %lld models, %lld of them taken; prices: %lld new, %lld changed, %lld the same, "
              "%lld kept as they were set."),
            report->form, (long long)report->model_count, (long long)report->taken_count,
            (long long)report->new_count, (long long)report->changed_count,
            (long long)report->same_count, (long long)report->kept_count);
    if (report->dry_run)
        cli_say("%s", _("Nothing was written."));
    if (report->taken_count == 0)
        cli_note("%s", _("no model of a platform stands in it; say which platform is which "
                         "provider: --platform 1=deepseek"));
}

static void tell_strange(const struct llmgr_price_import_report *report)
{
    for (size_t i = 0; i < report->strange_count; i++) {
        const struct llmgr_price_import_strange *strange = &report->strange[i];
        cli_note(_("not understood and left out, %lld times: %s (%s)"), (long long)strange->count,
                 strange->name, strange->model[0] != '\0' ? strange->model : "-");
    }
    if (report->strange_others > 0)
        cli_note(_("not understood and left out besides: %lld"), (long long)report->strange_others);
}

static llmgr_status show(const struct cli_app *app, const struct llmgr_price_import_report *report,
                         struct llmgr_error *err)
{
    if (cli_json(app))
        return cli_print_json(lx_json_price_import(report), err);
    llmgr_status status = cli_print_table(app, &ITEMS, report, err);
    if (status != LLMGR_OK)
        return status;
    tell_sums(report);
    tell_strange(report);
    return LLMGR_OK;
}

/* ---- The command ----------------------------------------------------------------------------- */

/* "1=deepseek"; the texts are the arena's. */
static llmgr_status read_maps(const struct cli_app *app, struct lb_arena *arena,
                              struct llmgr_price_map maps[CLI_PROVIDERS_MAX],
                              struct llmgr_error *err)
{
    for (size_t i = 0; i < app->args.provider_count; i++) {
        struct lb_str pair = lb_cstr(app->args.providers[i]);
        size_t equals = lb_str_find(pair, '=');
        maps[i].platform = lb_arena_str(arena, lb_str_sub(pair, 0, equals)).p;
        maps[i].provider = lb_arena_str(arena, lb_str_sub(pair, equals + 1, pair.size)).p;
        if (maps[i].platform == NULL || maps[i].provider == NULL)
            return lb_fail_memory(err);
    }
    return LLMGR_OK;
}

static llmgr_status import(struct cli_app *app, struct lb_str text, struct lb_arena *arena,
                           struct llmgr_error *err)
{
    struct llmgr_price_map maps[CLI_PROVIDERS_MAX];
    struct llmgr_price_import_options options;
    struct llmgr_price_import_report report;

    llmgr_price_import_options_init(&options);
    options.name = app->args.positionals[0];
    options.maps = maps;
    options.map_count = app->args.provider_count;
    options.all_models = cli_flag(app, CLI_FLAG_all_models) != NULL;
    options.replace_hand = cli_flag(app, CLI_FLAG_replace) != NULL;
    options.dry_run = cli_flag(app, CLI_FLAG_dry_run) != NULL;
    llmgr_status status = read_maps(app, arena, maps, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_price_import(app->manager, cli_user(app), text.p, text.size, &options,
                                    &report, err);
    if (status != LLMGR_OK)
        return status;
    status = show(app, &report, err);
    llmgr_price_import_report_clear(&report);
    return status;
}

llmgr_status cli_run_price_import(struct cli_app *app, struct llmgr_error *err)
{
    struct lb_arena arena;
    struct lb_buf text;

    lb_buf_init(&text, &app->host, LQ_IMPORT_TEXT_MAX);
    lb_arena_init(&arena, &app->host, NULL, 0, 1 << 20);
    llmgr_status status = read_all(app->args.positionals[0], &text, err);
    if (status == LLMGR_OK)
        status = import(app, lb_buf_str(&text), &arena, err);
    lb_buf_free(&text);
    lb_arena_free(&arena);
    return status;
}
