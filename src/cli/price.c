/* SPDX-License-Identifier: MIT */
/*
 * llmgr price: what attempts cost. Rates are decimals for a million tokens, or for one of what is
 * counted singly; they are read and written exactly.
 */
#include "cli/price.h"

#include "base/when.h"
#include "cli/cli.h"
#include "documents/write.h"
#include "library/prices.h"

/* ---- Lists ----------------------------------------------------------------------------------- */

void cli_add_part(struct lb_buf *cell, const char *part)
{
    if (cell->size != 0)
        lb_buf_add_c(cell, ", ");
    lb_buf_add_c(cell, part);
}

/* "input 0.27, output 1.1" */
static void add_rates(const struct llmgr_price *price, struct lb_buf *cell)
{
    char text[LLMGR_RATE_TEXT_SIZE];

    for (unsigned i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        const llmgr_price_unit unit = (llmgr_price_unit)i;
        if (price->rates[i] == LLMGR_UNSET)
            continue;
        cli_add_part(cell, llmgr_price_unit_name(unit));
        llmgr_rate_format(price->rates[i], llmgr_price_unit_per(unit), text);
        lb_buf_addf(cell, " %s", text);
    }
}

void cli_add_conditions(const struct llmgr_price *price, struct lb_buf *cell)
{
    if (price->above_tokens != 0) {
        cli_add_part(cell, "");
        lb_buf_addf(cell, _("over %lld tokens"), (long long)price->above_tokens);
    }
    if (price->service_tier != NULL)
        cli_add_part(cell, price->service_tier);
    if (price->hours != NULL) {
        cli_add_part(cell, price->hours);
        lb_buf_addf(cell, " %s", price->time_zone);
    }
}

static llmgr_status add_row(struct cli_table *table, const struct cli_app *app,
                            const struct llmgr_price *price, struct llmgr_error *err)
{
    char id[24], from[LB_WHEN_TEXT], until[LB_WHEN_TEXT];
    struct lb_buf rates, conditions;

    lb_buf_init(&rates, &app->host, CLI_PRICE_CELL_MAX);
    lb_buf_init(&conditions, &app->host, CLI_PRICE_CELL_MAX);
    add_rates(price, &rates);
    cli_add_conditions(price, &conditions);
    const bool good = rates.failed == LLMGR_OK && conditions.failed == LLMGR_OK;
    if (good)
        cli_table_row(table,
                      (const char *[]){cli_number(price->price_id, id),
                                       price->platform_id == 0 ? _("any") : price->platform_name,
                                       price->model, price->currency, lb_buf_c(&rates),
                                       conditions.size != 0 ? lb_buf_c(&conditions) : NULL,
                                       lb_when_print(price->from_ms, LB_WHEN_MINUTE, from),
                                       price->until_ms != 0
                                           ? lb_when_print(price->until_ms, LB_WHEN_MINUTE, until)
                                           : NULL,
                                       price->source});
    lb_buf_free(&rates);
    lb_buf_free(&conditions);
    return good ? LLMGR_OK : lb_fail_memory(err);
}

struct output {
    struct cli_table *table; /* or */
    json_t **items;
};

static llmgr_status put_page(const struct cli_app *app, const struct llmgr_price_list *list,
                             const struct output *out, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    if (out->items != NULL) {
        *out->items = lx_list_price(*out->items, list->items, list->count);
        return *out->items != NULL ? LLMGR_OK : lb_fail_memory(err);
    }
    for (size_t i = 0; i < list->count && status == LLMGR_OK; i++)
        status = add_row(out->table, app, &list->items[i], err);
    return status;
}

static llmgr_status each_page(const struct cli_app *app, struct llmgr_price_query query,
                              const struct output *out, struct llmgr_error *err)
{
    llmgr_status status;
    bool more;

    do {
        struct llmgr_price_list list;
        status = llmgr_prices(app->manager, cli_user(app), &query, &list, err);
        if (status != LLMGR_OK)
            return status;
        status = put_page(app, &list, out, err);
        more = list.more && list.count != 0;
        if (more)
            query.after = list.items[list.count - 1].price_id;
        llmgr_price_list_clear(&list);
    } while (status == LLMGR_OK && more);
    return status;
}

static llmgr_status fill_prices(struct cli_table *table, const struct cli_app *app,
                                const void *list, struct llmgr_error *err)
{
    const struct llmgr_price_query *query = list;

    return each_page(app, *query, &(struct output){.table = table}, err);
}

static const char *const HEADINGS[] = {N_("ID"),       N_("PLATFORM"), N_("MODEL"),
                                       N_("CURRENCY"), N_("RATES"),    N_("ONLY"),
                                       N_("FROM"),     N_("UNTIL"),    N_("SOURCE")};
static const struct cli_table_form PRICES = {
    HEADINGS, 9, N_("There are no prices; `llmgr price set` makes one, or `price` in llmgr.yaml."),
    fill_prices};

llmgr_status cli_run_price_list(struct cli_app *app, struct llmgr_error *err)
{
    const char *platform = cli_flag(app, CLI_FLAG_platform);
    struct llmgr_price_query query;
    json_t *items = NULL;

    llmgr_price_query_init(&query);
    query.model = cli_flag(app, CLI_FLAG_priced_model);
    query.ended = cli_flag(app, CLI_FLAG_ended) != NULL;
    llmgr_status status =
        platform != NULL ? cli_id("--platform", platform, &query.platform_id, err) : LLMGR_OK;
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status != LLMGR_OK)
        return status;
    if (!cli_json(app))
        return cli_print_table(app, &PRICES, &query, err);
    status = each_page(app, query, &(struct output){.items = &items}, err);
    if (status == LLMGR_OK)
        return cli_print_json(items, err);
    json_decref(items);
    return status;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static llmgr_status take_rates(const struct cli_app *app, struct llmgr_price_spec *spec,
                               struct llmgr_error *err)
{
    static const enum cli_flag_id FLAGS[] = {
#define FLAG(NAME, ...) [LLMGR_PRICE_UNIT_##NAME] = CLI_FLAG_rate_##NAME,
        LLMGR_PRICE_UNIT_MAP(FLAG)
#undef FLAG
    };

    for (unsigned i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        const char *text = cli_flag(app, FLAGS[i]);
        struct llmgr_error inner = {0};
        size_t count;
        if (text == NULL)
            continue;
        llmgr_status status = llmgr_rate_parse(text, llmgr_price_unit_per((llmgr_price_unit)i),
                                               &spec->rates[i], &inner);
        if (status != LLMGR_OK)
            return lb_fail(err, status, N_("%s: %s"), cli_flag_rows(&count)[FLAGS[i]].name,
                           inner.message);
    }
    return LLMGR_OK;
}

static llmgr_status take_conditions(const struct cli_app *app, struct llmgr_price_spec *spec,
                                    struct llmgr_error *err)
{
    const char *platform = cli_flag(app, CLI_FLAG_platform);
    const char *above = cli_flag(app, CLI_FLAG_above);

    spec->model = cli_flag(app, CLI_FLAG_priced_model);
    spec->currency = cli_flag(app, CLI_FLAG_currency);
    spec->service_tier = cli_flag(app, CLI_FLAG_tier);
    spec->hours = cli_flag(app, CLI_FLAG_hours);
    spec->time_zone = cli_flag(app, CLI_FLAG_zone);
    if (above != NULL &&
        (!lb_str_to_i64(lb_cstr(above), &spec->above_tokens) || spec->above_tokens < 0))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("--above must be a number of tokens, not '%s'"),
                       above);
    llmgr_status status =
        platform != NULL ? cli_id("--platform", platform, &spec->platform_id, err) : LLMGR_OK;
    if (status == LLMGR_OK)
        status = cli_time(app, CLI_FLAG_from, &spec->from_ms, err);
    if (status == LLMGR_OK)
        status = cli_time(app, CLI_FLAG_priced_until, &spec->until_ms, err);
    return status;
}

/* Prints the price as it is now. */
static llmgr_status show_set(struct cli_app *app, int64_t id, struct llmgr_error *err)
{
    struct llmgr_price_list list;

    llmgr_status status = la_price(app->manager, cli_user(app), id, &list, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_done(app, lx_json_price(&list.items[0]), err, _("Set price %lld."), (long long)id);
    llmgr_price_list_clear(&list);
    return status;
}

llmgr_status cli_run_price_set(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_price_spec spec;
    int64_t id;

    llmgr_price_spec_init(&spec);
    llmgr_status status = take_conditions(app, &spec, err);
    if (status == LLMGR_OK)
        status = take_rates(app, &spec, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_price_set(app->manager, cli_user(app), &spec, &id, err);
    return status == LLMGR_OK ? show_set(app, id, err) : status;
}

llmgr_status cli_run_price_delete(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_price_delete(app->manager, cli_user(app), id, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_price_gone(&(struct lx_gone){id, true}), err, "%s",
                    _("Ended; what was used keeps its cost."));
}
