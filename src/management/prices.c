/* SPDX-License-Identifier: MIT */
/*
 * /api/prices: what attempts cost. Everybody may see them, as everybody sees what a platform costs
 * elsewhere; they say nothing of what anybody has used. Administrators set and end them.
 */
#include "documents/write.h"
#include "library/prices.h"
#include "management/operation.h"
#include "management/operations.h"

/* ---- Reading --------------------------------------------------------------------------------- */

static llmgr_status read_number(const struct lp_api *api, enum lp_query_id id, int64_t *number,
                                struct llmgr_error *err)
{
    struct lb_str text = api->query[id];

    if (text.p == NULL || (lb_str_to_i64(text, number) && *number > 0))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be a positive whole number"),
                   LP_QUERIES[id].name);
}

static llmgr_status read_query(const struct lp_api *api, struct llmgr_price_query *query,
                               struct llmgr_error *err)
{
    llmgr_price_query_init(query);
    query->model = api->query[LP_QUERY_PRICED_MODEL].p;
    query->limit = api->limit;
    llmgr_status status = lp_api_query_flag(api, LP_QUERY_ENDED, &query->ended, err);
    if (status == LLMGR_OK)
        status = read_number(api, LP_QUERY_PLATFORM_ID, &query->platform_id, err);
    return status == LLMGR_OK ? read_number(api, LP_QUERY_AFTER, &query->after, err) : status;
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_price_query query;
    struct llmgr_price_list prices;

    llmgr_status status = read_query(api, &query, err);
    if (status == LLMGR_OK)
        status = llmgr_prices(api->manager, api->user, &query, &prices, err);
    if (status != LLMGR_OK)
        return status;
    if (prices.more)
        api->next = lb_arena_printf(api->call->arena, "%lld",
                                    (long long)prices.items[prices.count - 1].price_id);
    if (prices.more && api->next == NULL)
        status = lb_fail_memory(err);
    else
        status = lp_api_page(api, lx_list_price(NULL, prices.items, prices.count), err);
    llmgr_price_list_clear(&prices);
    return status;
}

static llmgr_status show(struct lp_api *api, int64_t id, struct llmgr_error *err)
{
    struct llmgr_price_list prices;

    llmgr_status status = la_price(api->manager, api->user, id, &prices, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_price(&prices.items[0]), err);
    llmgr_price_list_clear(&prices);
    return status;
}

static llmgr_status get(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* The body's rates have been judged but for their decimals. */
static llmgr_status take_rates(const struct lp_api *api, struct llmgr_price_spec *spec,
                               struct llmgr_error *err)
{
    const json_t *rates = json_object_get(api->body, "rates");

    for (unsigned i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        const llmgr_price_unit unit = (llmgr_price_unit)i;
        const json_t *text = json_object_get(rates, llmgr_price_unit_name(unit));
        struct llmgr_error inner = {0};
        if (text == NULL)
            continue;
        llmgr_status status = llmgr_rate_parse(json_string_value(text), llmgr_price_unit_per(unit),
                                               &spec->rates[i], &inner);
        if (status != LLMGR_OK)
            return lb_fail(err, status, N_("'rates.%s': %s"), llmgr_price_unit_name(unit),
                           inner.message);
    }
    return LLMGR_OK;
}

static llmgr_status set(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_price_spec spec;
    int64_t id;

    llmgr_price_spec_init(&spec);
    spec.platform_id = lp_api_number(api, "platform_id");
    spec.model = lp_api_text(api, "model");
    spec.currency = lp_api_text(api, "currency");
    spec.from_ms = lp_api_number(api, "from_ms");
    spec.until_ms = lp_api_number(api, "until_ms");
    spec.above_tokens = lp_api_number(api, "above_tokens");
    spec.service_tier = lp_api_text(api, "service_tier");
    spec.hours = lp_api_text(api, "hours");
    spec.time_zone = lp_api_text(api, "time_zone");
    llmgr_status status = take_rates(api, &spec, err);
    if (status == LLMGR_OK)
        status = llmgr_price_set(api->manager, LLMGR_SYSTEM_USER, &spec, &id, err);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

static llmgr_status drop(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    return status == LLMGR_OK ? llmgr_price_delete(api->manager, LLMGR_SYSTEM_USER, id, err)
                              : status;
}

LP_API_HANDLER(prices_list, list)
LP_API_HANDLER(prices_get, get)
LP_API_HANDLER(prices_set, set)
LP_API_HANDLER(prices_delete, drop)
