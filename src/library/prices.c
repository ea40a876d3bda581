/* SPDX-License-Identifier: MIT */
/* Prices for a host. The rules are those of budget/. */
#include "library/prices.h"

#include "budget/decimal.h"
#include "budget/import_set.h"
#include "budget/prices.h"
#include "budget/unit.h"
#include "library/library.h"

/* ---- Decimals -------------------------------------------------------------------------------- */

llmgr_status llmgr_rate_parse(const char *text, int64_t per, int64_t *rate, struct llmgr_error *err)
{
    return lq_rate_read(lb_cstr(text), per, rate, err);
}

void llmgr_rate_format(int64_t rate, int64_t per, char *text)
{
    lq_rate_write(rate, per, text);
}

void llmgr_amount_format(int64_t nano, char *text)
{
    lq_amount_write(nano, text);
}

/* ---- Reading --------------------------------------------------------------------------------- */

void llmgr_price_query_init(struct llmgr_price_query *query)
{
    *query = (struct llmgr_price_query){.size = sizeof *query};
}

llmgr_status llmgr_prices(struct llmgr *manager, const char *user,
                          const struct llmgr_price_query *query, struct llmgr_price_list *list,
                          struct llmgr_error *err)
{
    struct llmgr_price_query all;

    llmgr_price_query_init(&all);
    if (query == NULL)
        query = &all;
    if (query->size < sizeof *query)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the query was not made by %s"),
                       "llmgr_price_query_init");
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_price_list made = {.memory = result};
    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status =
        lq_prices_list(manager->manager, la_user(user), query, &result->arena, &made, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = made;
    return LLMGR_OK;
}

llmgr_status la_price(struct llmgr *manager, const char *user, int64_t price_id,
                      struct llmgr_price_list *list, struct llmgr_error *err)
{
    struct llmgr_price_query query;

    llmgr_price_query_init(&query);
    query.ended = true;
    query.after = price_id - 1;
    query.limit = 1;
    llmgr_status status = llmgr_prices(manager, user, &query, list, err);
    if (status != LLMGR_OK || (list->count != 0 && list->items[0].price_id == price_id))
        return status;
    llmgr_price_list_clear(list);
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no price %lld"), (long long)price_id);
}

/* ---- Setting --------------------------------------------------------------------------------- */

void llmgr_price_spec_init(struct llmgr_price_spec *spec)
{
    *spec = (struct llmgr_price_spec){.size = sizeof *spec};
    lq_rates_clear(spec->rates);
}

llmgr_status llmgr_price_set(struct llmgr *manager, const char *user,
                             const struct llmgr_price_spec *spec, int64_t *price_id,
                             struct llmgr_error *err)
{
    static const struct lq_prices_way way = {0};

    if (spec == NULL || spec->size < sizeof *spec)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the price was not made by %s"),
                       "llmgr_price_spec_init");
    struct lq_price_change change = {.spec = {
                                         .platform_id = spec->platform_id,
                                         .model = lb_cstr(spec->model),
                                         .currency = lb_cstr(spec->currency),
                                         .from_ms = spec->from_ms,
                                         .until_ms = spec->until_ms,
                                         .above_tokens = spec->above_tokens,
                                         .service_tier = lb_cstr(spec->service_tier),
                                         .hours = lb_cstr(spec->hours),
                                         .time_zone = lb_cstr(spec->time_zone),
                                         .source = LB_STR(LQ_SOURCE_HAND),
                                     }};
    memcpy(change.spec.rates, spec->rates, sizeof change.spec.rates);
    llmgr_status status =
        lq_prices_set(manager->manager, lm_actor_of(manager->manager, la_user(user)), &change, 1,
                      LB_STR(LQ_SOURCE_HAND), &way, NULL, NULL, err);
    if (status == LLMGR_OK && price_id != NULL)
        *price_id = change.price_id;
    return status;
}

llmgr_status llmgr_price_delete(struct llmgr *manager, const char *user, int64_t price_id,
                                struct llmgr_error *err)
{
    return lq_price_delete(manager->manager, lm_actor_of(manager->manager, la_user(user)), price_id,
                           err);
}

/* ---- Importing ------------------------------------------------------------------------------- */

void llmgr_price_import_options_init(struct llmgr_price_import_options *options)
{
    *options = (struct llmgr_price_import_options){.size = sizeof *options};
}

llmgr_status llmgr_price_import(struct llmgr *manager, const char *user, const void *text,
                                size_t size, const struct llmgr_price_import_options *options,
                                struct llmgr_price_import_report *report, struct llmgr_error *err)
{
    struct llmgr_price_import_options none;

    llmgr_price_import_options_init(&none);
    if (options == NULL)
        options = &none;
    if (options->size < sizeof *options)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the options were not made by %s"),
                       "llmgr_price_import_options_init");
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_price_import_report made = {.memory = result};
    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lq_import(manager->manager, lm_actor_of(manager->manager, la_user(user)),
                                    lb_str(text, size), options, &result->arena, &made, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *report = made;
    return LLMGR_OK;
}
