/* SPDX-License-Identifier: MIT */
/* Prices as they are listed: a page of rows, with the names of their platforms. */
#include "base/error.h"
#include "budget/prices.h"
#include "budget/rows.h"
#include "budget/unit.h"
#include "manager/access.h"
#include "manager/catalogue.h"
#include "manager/handle.h"

struct listing {
    const struct lm_catalogue *catalogue;
    struct lb_arena *arena;
    struct llmgr_price_list *list;
    size_t limit;
    int64_t beyond[LLMGR_PRICE_UNIT_COUNT]; /* rates of the price behind the page */
};

/* Of text that may be none; false: memory is short. */
static bool copy(struct lb_arena *arena, struct lb_str text, const char **to)
{
    *to = text.size != 0 ? lb_arena_str(arena, text).p : NULL;
    return text.size == 0 || *to != NULL;
}

static llmgr_status take_row(const struct lq_row *row, void *context, struct lq_rates *rates,
                             struct llmgr_error *err)
{
    struct listing *listing = context;
    struct llmgr_price_list *list = listing->list;

    if (list->count == listing->limit) {
        list->more = true;
        *rates = (struct lq_rates){.rates = listing->beyond};
        return LLMGR_OK;
    }
    const struct lm_platform *platform =
        lm_catalogue_platform(listing->catalogue, row->platform_id);
    struct llmgr_price *price = &list->items[list->count++];
    *price = (struct llmgr_price){
        .price_id = row->id,
        .platform_id = row->platform_id,
        .from_ms = row->from_ms,
        .until_ms = row->until_ms,
        .above_tokens = row->above_tokens,
        .created_at_ms = row->created_ms,
    };
    lq_rates_clear(price->rates);
    *rates = (struct lq_rates){.rates = price->rates};
    return copy(listing->arena, platform != NULL ? platform->name : LB_STR(""),
                &price->platform_name) &&
                   copy(listing->arena, row->model, &price->model) &&
                   copy(listing->arena, row->currency, &price->currency) &&
                   copy(listing->arena, row->service_tier, &price->service_tier) &&
                   copy(listing->arena, row->hours, &price->hours) &&
                   copy(listing->arena, row->time_zone, &price->time_zone) &&
                   copy(listing->arena, row->source, &price->source)
               ? LLMGR_OK
               : lb_fail_memory(err);
}

static llmgr_status read_page(struct lm_manager *manager, const struct llmgr_price_query *query,
                              struct listing *listing, struct llmgr_error *err)
{
    const int64_t at = query->ended ? 0 : lb_now_ms(lm_host(manager));
    struct ls_tx *tx;

    llmgr_status status = ls_begin(lm_store(manager), LS_READ_ONE, &tx, err);
    if (status != LLMGR_OK)
        return status;
    status =
        lq_rows_each(tx, LS_PRICES_PAGE,
                     LS_ARGS(ls_int(query->after), ls_int(query->platform_id),
                             ls_text(query->model != NULL ? lb_cstr(query->model) : LB_STR("")),
                             ls_text(query->source != NULL ? lb_cstr(query->source) : LB_STR("")),
                             ls_int(at), ls_int((int64_t)listing->limit + 1)),
                     take_row, listing, err);
    ls_rollback(tx);
    return status;
}

llmgr_status lq_prices_list(struct lm_manager *manager, struct lb_str user,
                            const struct llmgr_price_query *query, struct lb_arena *arena,
                            struct llmgr_price_list *list, struct llmgr_error *err)
{
    struct listing listing = {.arena = arena, .list = list, .limit = query->limit};

    llmgr_status status = lm_access_user(manager, &user, err);
    if (status != LLMGR_OK)
        return status;
    if (query->limit > LLMGR_PRICES_PAGE_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("limit is 1 to %d"), LLMGR_PRICES_PAGE_MAX);
    if (query->limit == 0)
        listing.limit = LLMGR_PRICES_PAGE_MAX;
    list->items = lb_arena_calloc(arena, listing.limit, sizeof *list->items);
    if (list->items == NULL)
        return lb_fail_memory(err);
    struct lm_catalogue *catalogue = lm_catalogue_now(manager, NULL);
    listing.catalogue = catalogue;
    status = read_page(manager, query, &listing, err);
    lm_catalogue_drop(catalogue);
    return status;
}
