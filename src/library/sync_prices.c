/* SPDX-License-Identifier: MIT */
/* See the header. The rules are those of budget/. */
#include "library/sync_prices.h"

#include "base/error.h"
#include "base/map.h"
#include "budget/decimal.h"
#include "budget/prices.h"
#include "budget/unit.h"
#include "library/library.h"
#include "manager/defaults.h"

enum { MEMORY_MAX = 256 << 20 /* bytes, for the prices of a file at its ceilings */ };

#define DETAIL "price"

/* Where in the file a price stands. */
struct place {
    const struct lm_default_platform *platform;
    const struct lm_default_model *model;
    unsigned line;
};

/* The file's prices of platforms that are there, and where each stands. */
struct prices {
    struct llmgr *manager;
    const struct lm_defaults *defaults;
    struct lb_arena arena;
    struct llmgr_platform_list platforms;
    struct lb_map *ids; /* name of a system platform -> its row; NULL: the file has no prices */
    struct lq_price_change *changes;
    struct place *places;
    size_t count;
    size_t ended;
};

/* ---- Reading --------------------------------------------------------------------------------- */

/* `inner` said what is wrong; this says where. */
static llmgr_status fail_at(const struct prices *prices, const struct place *place,
                            const struct llmgr_error *inner, struct llmgr_error *err)
{
    const char *file = prices->defaults->file;

    if (inner->status != LLMGR_ERR_INVALID && inner->status != LLMGR_ERR_NOT_FOUND &&
        inner->status != LLMGR_ERR_CONFLICT) {
        *err = *inner;
        return inner->status;
    }
    return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u: the price of '%s': %s"),
                   file != NULL ? file : "llmgr.yaml", place->line, place->model->display_name,
                   inner->message);
}

static llmgr_status take_rates(const struct lc_price *from, struct lq_price_spec *spec,
                               struct llmgr_error *err)
{
    lq_rates_clear(spec->rates);
    for (unsigned i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        const llmgr_price_unit unit = (llmgr_price_unit)i;
        struct llmgr_error inner = {0};
        if (from->rates[i] == NULL)
            continue;
        llmgr_status status = lq_rate_read(lb_cstr(from->rates[i]), llmgr_price_unit_per(unit),
                                           &spec->rates[i], &inner);
        if (status != LLMGR_OK)
            return lb_fail(err, status, N_("'%s': %s"), llmgr_price_unit_name(unit), inner.message);
    }
    return LLMGR_OK;
}

static bool same_text(const char *a, const char *b)
{
    return lb_str_eq(lb_cstr(a), lb_cstr(b));
}

/* Hours without a zone are those of UTC (lq_price_judge). */
static const char *zone_of(const struct lc_price *price)
{
    return price->hours != NULL && price->time_zone == NULL ? "UTC" : price->time_zone;
}

/* Of two prices with the same conditions the second would end the first, at each look anew. */
static llmgr_status judge_alone(const struct lm_default_model *model, size_t at,
                                struct llmgr_error *err)
{
    const struct lc_price *price = &model->prices[at];

    for (size_t i = 0; i < at; i++) {
        const struct lc_price *other = &model->prices[i];
        if (price->above_tokens == other->above_tokens &&
            same_text(price->service_tier, other->service_tier) &&
            same_text(price->hours, other->hours) && same_text(zone_of(price), zone_of(other)))
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("two of its tiers have the same conditions; keep one of them"));
    }
    return LLMGR_OK;
}

static llmgr_status take_price(struct prices *prices, const struct place *place, size_t at,
                               int64_t platform_id, struct llmgr_error *err)
{
    const struct lm_default_model *model = place->model;
    const struct lc_price *from = &model->prices[at];
    const struct lb_host *host = &prices->manager->host;
    struct lq_price_change change = {.spec = {.platform_id = platform_id,
                                              .model = lb_cstr(model->model_name),
                                              .currency = lb_cstr(from->currency),
                                              .above_tokens = from->above_tokens,
                                              .service_tier = lb_cstr(from->service_tier),
                                              .hours = lb_cstr(from->hours),
                                              .time_zone = lb_cstr(from->time_zone),
                                              .source = LB_STR(LQ_SOURCE_FILE)}};

    llmgr_status status = take_rates(from, &change.spec, err);
    if (status == LLMGR_OK)
        status = judge_alone(model, at, err);
    if (status == LLMGR_OK && platform_id == 0) /* its platform comes with the sync */
        return lq_price_judge(host, lb_now_ms(host), &change.spec, err);
    if (status != LLMGR_OK)
        return status;
    prices->changes[prices->count] = change;
    prices->places[prices->count++] = *place;
    return LLMGR_OK;
}

static llmgr_status take_platform(struct prices *prices, const struct lm_default_platform *platform,
                                  struct llmgr_error *err)
{
    const struct llmgr_platform *row = lb_map_get(prices->ids, lb_cstr(platform->name));
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < platform->model_count; i++) {
        const struct lm_default_model *model = &platform->models[i];
        for (size_t j = 0; j < model->price_count && status == LLMGR_OK; j++) {
            const struct place place = {platform, model, model->prices[j].line};
            struct llmgr_error inner = {0};
            status = take_price(prices, &place, j, row != NULL ? row->platform_id : 0, &inner);
            if (status != LLMGR_OK)
                status = fail_at(prices, &place, &inner, err);
        }
    }
    return status;
}

static size_t count_prices(const struct lm_defaults *defaults)
{
    size_t count = 0;

    for (size_t i = 0; i < defaults->count; i++) {
        for (size_t j = 0; j < defaults->platforms[i].model_count; j++)
            count += defaults->platforms[i].models[j].price_count;
    }
    return count;
}

static llmgr_status find_platforms(struct prices *prices, struct llmgr_error *err)
{
    llmgr_status status = llmgr_platforms(prices->manager, NULL, &prices->platforms, err);
    if (status != LLMGR_OK)
        return status;
    prices->ids = lb_map_new(&prices->manager->host, prices->platforms.count + 1);
    for (size_t i = 0; prices->ids != NULL && i < prices->platforms.count; i++) {
        struct llmgr_platform *row = &prices->platforms.items[i];
        if (row->platform_is_sys &&
            lb_map_put(prices->ids, lb_cstr(row->platform_name), row, NULL) != LLMGR_OK)
            return lb_fail_memory(err);
    }
    return prices->ids != NULL ? LLMGR_OK : lb_fail_memory(err);
}

static void prices_end(struct prices *prices)
{
    lb_map_free(prices->ids);
    llmgr_platform_list_clear(&prices->platforms);
    lb_arena_free(&prices->arena);
}

/* To be ended by prices_end in any case. */
static llmgr_status prices_begin(struct prices *prices, struct llmgr *manager,
                                 const struct lm_defaults *defaults, struct llmgr_error *err)
{
    const size_t room = count_prices(defaults);

    *prices = (struct prices){.manager = manager, .defaults = defaults};
    lb_arena_init(&prices->arena, &manager->host, NULL, 0, MEMORY_MAX);
    if (room == 0) /* nobody needs to know the platforms: each start of a program looks here */
        return LLMGR_OK;
    llmgr_status status = find_platforms(prices, err);
    if (status != LLMGR_OK)
        return status;
    prices->changes = lb_arena_calloc(&prices->arena, room, sizeof *prices->changes);
    prices->places = lb_arena_calloc(&prices->arena, room, sizeof *prices->places);
    if (prices->changes == NULL || prices->places == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; status == LLMGR_OK && i < defaults->count; i++)
        status = take_platform(prices, &defaults->platforms[i], err);
    return status;
}

/* ---- Setting --------------------------------------------------------------------------------- */

static llmgr_status set(struct prices *prices, bool is_dry, struct llmgr_error *err)
{
    const struct lq_prices_way way = {.ends_rest = true, .is_dry = is_dry};
    struct lm_manager *core = prices->manager->manager;
    struct llmgr_error inner = {0};
    size_t failed = prices->count;

    llmgr_status status =
        lq_prices_set(core, lm_actor_of(core, la_user(NULL)), prices->changes, prices->count,
                      LB_STR(LQ_SOURCE_FILE), &way, &prices->ended, &failed, &inner);
    if (status == LLMGR_OK)
        return LLMGR_OK;
    if (failed < prices->count)
        return fail_at(prices, &prices->places[failed], &inner, err);
    *err = inner;
    return status;
}

static bool is_news(const struct lq_price_change *change)
{
    return change->result == LQ_PRICE_NEW || change->result == LQ_PRICE_CHANGED;
}

/* ---- The report ------------------------------------------------------------------------------ */

/* The file's prices in the database before it is changed. */
struct former {
    int64_t id;
    const char *platform; /* NULL: it is gone */
    const char *model;
};

struct formers {
    struct former *items;
    size_t count;
};

static bool copy_text(struct lb_arena *arena, const char *text, const char **to)
{
    *to = text != NULL ? lb_arena_str(arena, lb_cstr(text)).p : NULL;
    return text == NULL || *to != NULL;
}

static llmgr_status add_formers(struct prices *prices, const struct llmgr_price_list *page,
                                struct formers *formers, struct llmgr_error *err)
{
    struct former *items =
        lb_arena_calloc(&prices->arena, formers->count + page->count + 1, sizeof *items);
    bool kept = items != NULL;

    for (size_t i = 0; kept && i < formers->count; i++)
        items[i] = formers->items[i];
    for (size_t i = 0; kept && i < page->count; i++) {
        struct former *former = &items[formers->count++];
        former->id = page->items[i].price_id;
        kept = copy_text(&prices->arena, page->items[i].platform_name, &former->platform) &&
               copy_text(&prices->arena, page->items[i].model, &former->model);
    }
    formers->items = items;
    return kept ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status read_formers(struct prices *prices, struct formers *formers,
                                 struct llmgr_error *err)
{
    struct llmgr_price_query query;
    struct llmgr_price_list page;
    llmgr_status status;

    *formers = (struct formers){0};
    llmgr_price_query_init(&query);
    query.source = LQ_SOURCE_FILE;
    do {
        status = llmgr_prices(prices->manager, NULL, &query, &page, err);
        if (status != LLMGR_OK)
            return status;
        status = add_formers(prices, &page, formers, err);
        if (page.count != 0)
            query.after = page.items[page.count - 1].price_id;
        llmgr_price_list_clear(&page);
    } while (status == LLMGR_OK && page.more);
    return status;
}

struct telling {
    struct llmgr_sync_report *report;
    struct lb_arena *arena;
};

/* A model's tiers are one change. */
static bool is_told(const struct telling *telling, const struct llmgr_change *change)
{
    const struct llmgr_sync_report *report = telling->report;
    const struct llmgr_change *last = report->changes;

    if (report->count == 0)
        return false;
    last += report->count - 1;
    return same_text(last->detail, change->detail) && last->action == change->action &&
           same_text(last->platform_name, change->platform_name) &&
           same_text(last->display_name, change->display_name);
}

static llmgr_status tell(const struct telling *telling, llmgr_change_action action,
                         const struct lm_default_platform *platform,
                         const struct lm_default_model *model, struct llmgr_error *err)
{
    struct llmgr_change change = {.action = action, .detail = DETAIL};

    if (!copy_text(telling->arena, platform->name, &change.platform_name) ||
        !copy_text(telling->arena, model->display_name, &change.display_name))
        return lb_fail_memory(err);
    if (!is_told(telling, &change))
        telling->report->changes[telling->report->count++] = change;
    return LLMGR_OK;
}

/* Of a model that is gone itself, its own line says enough. */
static llmgr_status tell_ended(const struct prices *prices, const struct former *former,
                               const struct telling *telling, struct llmgr_error *err)
{
    for (size_t i = 0; i < prices->defaults->count; i++) {
        const struct lm_default_platform *platform = &prices->defaults->platforms[i];
        for (size_t j = 0; j < platform->model_count; j++) {
            const struct lm_default_model *model = &platform->models[j];
            if (same_text(platform->name, former->platform) &&
                same_text(model->model_name, former->model))
                return tell(telling, LLMGR_CHANGE_REMOVE, platform, model, err);
        }
    }
    return LLMGR_OK;
}

/* What a sync will give to platforms that are not there yet. */
static llmgr_status tell_skipped(const struct prices *prices, const struct telling *telling,
                                 struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < prices->defaults->count; i++) {
        const struct lm_default_platform *platform = &prices->defaults->platforms[i];
        if (lb_map_get(prices->ids, lb_cstr(platform->name)) != NULL)
            continue;
        for (size_t j = 0; j < platform->model_count && status == LLMGR_OK; j++) {
            if (platform->models[j].price_count != 0)
                status = tell(telling, LLMGR_CHANGE_ADD, platform, &platform->models[j], err);
        }
    }
    return status;
}

static llmgr_status tell_all(const struct prices *prices, const struct formers *formers,
                             const struct telling *telling, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < formers->count && prices->ended != 0 && status == LLMGR_OK; i++) {
        if (!lq_price_is_named(prices->changes, prices->count, formers->items[i].id))
            status = tell_ended(prices, &formers->items[i], telling, err);
    }
    for (size_t i = 0; i < prices->count && status == LLMGR_OK; i++) {
        const struct lq_price_change *change = &prices->changes[i];
        if (is_news(change))
            status = tell(telling,
                          change->result == LQ_PRICE_NEW ? LLMGR_CHANGE_ADD : LLMGR_CHANGE_UPDATE,
                          prices->places[i].platform, prices->places[i].model, err);
    }
    return status == LLMGR_OK && prices->ids != NULL ? tell_skipped(prices, telling, err) : status;
}

/* Room for all that may be told, behind what is told already. */
static llmgr_status grow(const struct prices *prices, const struct formers *formers,
                         const struct telling *telling, struct llmgr_error *err)
{
    struct llmgr_sync_report *report = telling->report;
    const size_t room = report->count + formers->count + count_prices(prices->defaults) + 1;
    struct llmgr_change *changes = lb_arena_calloc(telling->arena, room, sizeof *changes);

    if (changes == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < report->count; i++)
        changes[i] = report->changes[i];
    report->changes = changes;
    return LLMGR_OK;
}

/* ---- Faces ----------------------------------------------------------------------------------- */

llmgr_status la_prices_judge(struct llmgr *manager, const struct lm_defaults *defaults,
                             struct llmgr_error *err)
{
    struct prices prices;

    if (!defaults->has_platforms)
        return LLMGR_OK;
    llmgr_status status = prices_begin(&prices, manager, defaults, err);
    if (status == LLMGR_OK)
        status = set(&prices, true, err);
    prices_end(&prices);
    return status;
}

llmgr_status la_prices_sync(struct llmgr *manager, const struct lm_defaults *defaults, bool dry_run,
                            struct lb_arena *arena, struct llmgr_sync_report *report,
                            struct llmgr_error *err)
{
    const struct telling telling = {report, arena};
    struct formers formers;
    struct prices prices;

    if (!defaults->has_platforms)
        return LLMGR_OK;
    llmgr_status status = prices_begin(&prices, manager, defaults, err);
    if (status == LLMGR_OK)
        status = read_formers(&prices, &formers, err);
    if (status == LLMGR_OK)
        status = grow(&prices, &formers, &telling, err);
    if (status == LLMGR_OK)
        status = set(&prices, dry_run, err);
    if (status == LLMGR_OK)
        status = tell_all(&prices, &formers, &telling, err);
    prices_end(&prices);
    return status;
}

llmgr_status la_prices_check(struct llmgr *manager, const struct lm_defaults *defaults,
                             bool *current, struct llmgr_error *err)
{
    struct prices prices;

    *current = true;
    if (!defaults->has_platforms)
        return LLMGR_OK;
    llmgr_status status = prices_begin(&prices, manager, defaults, err);
    if (status == LLMGR_OK)
        status = set(&prices, true, err);
    *current = prices.ended == 0;
    for (size_t i = 0; i < prices.count; i++)
        *current = *current && !is_news(&prices.changes[i]);
    prices_end(&prices);
    if (status != LLMGR_ERR_CONFIG)
        return status;
    *current = false; /* what clashes is told by the sync that wants it */
    return LLMGR_OK;
}
