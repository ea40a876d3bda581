/* SPDX-License-Identifier: MIT */
/* See the header. */
#include "budget/standing.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "budget/rows.h"
#include "budget/unit.h"

enum {
    MEMORY_MAX = 256 << 20,                                /* bytes, of LLMGR_PRICES_MAX prices */
    RATES_MAX = LLMGR_PRICES_MAX * LLMGR_PRICE_UNIT_COUNT, /* that are read */
    KEY_SIZE = 64 + LLMGR_PRICE_MODEL_MAX + LLMGR_PRICE_TIER_MAX + LLMGR_PRICE_HOURS_MAX +
               LLMGR_PRICE_TIME_ZONE_MAX
};

/* Two numbers and three words, none of which has a blank in it, and the model. */
static struct lb_str key_of(int64_t platform_id, int64_t above_tokens, struct lb_str service_tier,
                            struct lb_str hours, struct lb_str time_zone, struct lb_str model,
                            char key[KEY_SIZE])
{
    const int size = snprintf(key, KEY_SIZE, "%lld\n%lld\n%.*s\n%.*s\n%.*s\n%.*s",
                              (long long)platform_id, (long long)above_tokens,
                              (int)service_tier.size, service_tier.size != 0 ? service_tier.p : "",
                              (int)hours.size, hours.size != 0 ? hours.p : "", (int)time_zone.size,
                              time_zone.size != 0 ? time_zone.p : "", (int)model.size,
                              model.size != 0 ? model.p : "");

    return lb_str(key, size < KEY_SIZE ? (size_t)size : KEY_SIZE - 1);
}

static llmgr_status take_row(const struct lq_row *row, void *context, struct lq_rates *rates,
                             struct llmgr_error *err)
{
    struct lq_standing *standing = context;
    struct lq_standing_price *price = lb_arena_calloc(&standing->memory, 1, sizeof *price);
    char key[KEY_SIZE];
    void *former = NULL;

    if (price == NULL)
        return lb_fail_memory(err);
    *price = (struct lq_standing_price){.id = row->id,
                                        .platform_id = row->platform_id,
                                        .model = lb_arena_str(&standing->memory, row->model),
                                        .from_ms = row->from_ms,
                                        .until_ms = row->until_ms,
                                        .currency = lb_arena_str(&standing->memory, row->currency)};
    if (price->model.p == NULL || price->currency.p == NULL ||
        lb_map_put(standing->of,
                   key_of(row->platform_id, row->above_tokens, row->service_tier, row->hours,
                          row->time_zone, row->model, key),
                   price, &former) != LLMGR_OK)
        return lb_fail_memory(err);
    price->former = former;
    *standing->end = price;
    standing->end = &price->next;
    lq_rates_clear(price->rates);
    *rates = (struct lq_rates){.rates = price->rates};
    return LLMGR_OK;
}

llmgr_status lq_standing_read(struct lq_standing *standing, const struct lb_host *host,
                              struct ls_tx *tx, struct lb_str source, int64_t now_ms,
                              struct llmgr_error *err)
{
    *standing = (struct lq_standing){.of = lb_map_new(host, LLMGR_PRICES_MAX)};
    standing->end = &standing->first;
    lb_arena_init(&standing->memory, host, NULL, 0, MEMORY_MAX);
    if (standing->of == NULL)
        return lb_fail_memory(err);
    return lq_rows_each(tx, LS_PRICES_OF_SOURCE,
                        LS_ARGS(ls_text(source), ls_int(now_ms), ls_int(RATES_MAX)), take_row,
                        standing, err);
}

void lq_standing_free(struct lq_standing *standing)
{
    lb_map_free(standing->of);
    lb_arena_free(&standing->memory);
    *standing = (struct lq_standing){0};
}

struct lq_standing_price *lq_standing_find(const struct lq_standing *standing,
                                           const struct lq_price_spec *spec)
{
    char key[KEY_SIZE];

    return lb_map_get(standing->of,
                      key_of(spec->platform_id, spec->above_tokens, spec->service_tier, spec->hours,
                             spec->time_zone, spec->model, key));
}

bool lq_standing_says(const struct lq_standing_price *price, const struct lq_price_spec *spec)
{
    return price->from_ms <= spec->from_ms && price->until_ms == 0 && spec->until_ms == 0 &&
           lb_str_eq(price->currency, spec->currency) &&
           memcmp(price->rates, spec->rates, sizeof price->rates) == 0;
}

void lq_standing_name(const struct lq_standing *standing, const struct lq_price_change *change)
{
    struct lq_standing_price *price = lq_standing_find(standing, &change->spec);

    for (; price != NULL; price = price->former)
        price->is_named |= price->id == change->price_id || price->id == change->former_id;
}
