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
#include "store/store.h"

enum { MEMORY_MAX = 256 << 20 /* bytes, for the prices of a file at its ceilings */ };

#define DETAIL "price"

/* Where in the file a price stands. */
struct place {
    size_t platform; /* of the defaults */
    const struct lm_default_model *model;
    unsigned line;
};

/* A price that ends. */
struct ended {
    int64_t platform_id;
    struct lb_str model;
    struct ended *next;
};

struct la_sync_prices {
    struct llmgr *manager;
    const struct lm_defaults *defaults;
    struct lb_arena arena;
    struct lb_arena looking; /* of one look */
    struct lq_price_change *changes;
    struct place *places;
    size_t count;
    struct lq_setting setting;
    struct ended *ended;
    struct ended **ended_end;
    size_t ended_count;
};

/* ---- Reading --------------------------------------------------------------------------------- */

static const char *file_name(const struct la_sync_prices *prices)
{
    return prices->defaults->file != NULL ? prices->defaults->file : "llmgr.yaml";
}

/* `inner` said what is wrong; this says where. */
static llmgr_status fail_at(const struct la_sync_prices *prices, const struct place *place,
                            const struct llmgr_error *inner, struct llmgr_error *err)
{
    if (inner->status != LLMGR_ERR_INVALID && inner->status != LLMGR_ERR_NOT_FOUND &&
        inner->status != LLMGR_ERR_CONFLICT) {
        *err = *inner;
        return inner->status;
    }
    return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u: the price of '%s': %s"), file_name(prices),
                   place->line, place->model->display_name, inner->message);
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

static llmgr_status take_price(struct la_sync_prices *prices, const struct place *place, size_t at,
                               struct llmgr_error *err)
{
    const struct lm_default_model *model = place->model;
    const struct lc_price *from = &model->prices[at];
    struct lq_price_change *change = &prices->changes[prices->count];

    *change = (struct lq_price_change){.spec = {.model = lb_cstr(model->model_name),
                                                .currency = lb_cstr(from->currency),
                                                .above_tokens = from->above_tokens,
                                                .service_tier = lb_cstr(from->service_tier),
                                                .hours = lb_cstr(from->hours),
                                                .time_zone = lb_cstr(from->time_zone),
                                                .source = LB_STR(LQ_SOURCE_FILE)}};
    llmgr_status status = take_rates(from, &change->spec, err);
    if (status == LLMGR_OK)
        status = judge_alone(model, at, err);
    if (status == LLMGR_OK)
        prices->places[prices->count++] = *place;
    return status;
}

static llmgr_status take_platform(struct la_sync_prices *prices, size_t at, struct llmgr_error *err)
{
    const struct lm_default_platform *platform = &prices->defaults->platforms[at];
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < platform->model_count; i++) {
        const struct lm_default_model *model = &platform->models[i];
        for (size_t j = 0; j < model->price_count && status == LLMGR_OK; j++) {
            const struct place place = {at, model, model->prices[j].line};
            struct llmgr_error inner = {0};
            status = take_price(prices, &place, j, &inner);
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

static llmgr_status take_all(struct la_sync_prices *prices, struct llmgr_error *err)
{
    const struct lm_defaults *defaults = prices->defaults;
    const size_t room = count_prices(defaults);
    llmgr_status status = LLMGR_OK;

    if (room > LLMGR_PRICES_MAX)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s: it has %zu prices; at most %d may be"),
                       file_name(prices), room, LLMGR_PRICES_MAX);
    prices->changes = lb_arena_calloc(&prices->arena, room + 1, sizeof *prices->changes);
    prices->places = lb_arena_calloc(&prices->arena, room + 1, sizeof *prices->places);
    if (prices->changes == NULL || prices->places == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; status == LLMGR_OK && i < defaults->count; i++)
        status = take_platform(prices, i, err);
    return status;
}

/* What the error is about is named with its place. */
static llmgr_status fail_setting(const struct la_sync_prices *prices,
                                 const struct llmgr_error *inner, struct llmgr_error *err)
{
    if (prices->setting.at < prices->count)
        return fail_at(prices, &prices->places[prices->setting.at], inner, err);
    *err = *inner;
    return inner->status;
}

static llmgr_status note_ended(void *context, int64_t platform_id, struct lb_str model,
                               struct llmgr_error *err)
{
    struct la_sync_prices *prices = context;
    struct ended *ended = lb_arena_calloc(&prices->looking, 1, sizeof *ended);
    const struct lb_str name = lb_arena_str(&prices->looking, model);

    if (ended == NULL || name.p == NULL)
        return lb_fail_memory(err);
    *ended = (struct ended){.platform_id = platform_id, .model = name};
    *prices->ended_end = ended;
    prices->ended_end = &ended->next;
    prices->ended_count++;
    return LLMGR_OK;
}

static llmgr_status judge(struct la_sync_prices *prices, struct llmgr_error *err)
{
    static const struct lq_prices_way way = {.ends_rest = true};
    struct lm_manager *core = prices->manager->manager;
    struct llmgr_error inner = {0};

    prices->setting = (struct lq_setting){.manager = core,
                                          .actor = lm_actor_of(core, la_user(NULL)),
                                          .changes = prices->changes,
                                          .count = prices->count,
                                          .source = LB_STR(LQ_SOURCE_FILE),
                                          .way = &way,
                                          .now_ms = lb_now_ms(lm_host(core)),
                                          .on_end = note_ended,
                                          .context = prices};
    llmgr_status status = lq_setting_judge(&prices->setting, &inner);
    return status == LLMGR_OK ? status : fail_setting(prices, &inner, err);
}

llmgr_status la_prices_read(struct llmgr *manager, const struct lm_defaults *defaults,
                            struct la_sync_prices **out, struct llmgr_error *err)
{
    struct la_sync_prices *prices = lb_calloc(&manager->host, 1, sizeof *prices);

    if (prices == NULL)
        return lb_fail_memory(err);
    prices->manager = manager;
    prices->defaults = defaults;
    lb_arena_init(&prices->arena, &manager->host, NULL, 0, MEMORY_MAX);
    lb_arena_init(&prices->looking, &manager->host, NULL, 0, MEMORY_MAX);
    llmgr_status status = take_all(prices, err);
    if (status == LLMGR_OK)
        status = judge(prices, err);
    if (status == LLMGR_OK)
        *out = prices;
    else
        la_prices_free(prices);
    return status;
}

void la_prices_free(struct la_sync_prices *prices)
{
    if (prices == NULL)
        return;
    lb_arena_free(&prices->looking);
    lb_arena_free(&prices->arena);
    lb_free(&prices->manager->host, prices);
}

/* ---- The report ------------------------------------------------------------------------------ */

struct telling {
    struct lm_sync_more *more;
    struct lb_arena *arena;
};

static bool copy_text(struct lb_arena *arena, const char *text, const char **to)
{
    *to = lb_arena_str(arena, lb_cstr(text)).p;
    return *to != NULL;
}

/* A model's tiers are one change. */
static bool is_told(const struct telling *telling, const struct llmgr_change *change)
{
    const struct llmgr_change *last = telling->more->changes;

    if (telling->more->count == 0)
        return false;
    last += telling->more->count - 1;
    return last->action == change->action &&
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
        telling->more->changes[telling->more->count++] = change;
    return LLMGR_OK;
}

/* Of a model that is gone itself, its own line says enough. */
static llmgr_status tell_ended(const struct la_sync_prices *prices, const struct ended *ended,
                               const int64_t *ids, const struct telling *telling,
                               struct llmgr_error *err)
{
    for (size_t i = 0; i < prices->defaults->count; i++) {
        const struct lm_default_platform *platform = &prices->defaults->platforms[i];
        for (size_t j = 0; ids[i] == ended->platform_id && j < platform->model_count; j++) {
            const struct lm_default_model *model = &platform->models[j];
            if (lb_str_eq_c(ended->model, model->model_name))
                return tell(telling, LLMGR_CHANGE_REMOVE, platform, model, err);
        }
    }
    return LLMGR_OK;
}

static llmgr_status tell_all(const struct la_sync_prices *prices, const int64_t *ids,
                             const struct telling *telling, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    telling->more->changes = lb_arena_calloc(
        telling->arena, prices->count + prices->ended_count + 1, sizeof *telling->more->changes);
    if (telling->more->changes == NULL)
        return lb_fail_memory(err);
    for (const struct ended *ended = prices->ended; ended != NULL && status == LLMGR_OK;
         ended = ended->next)
        status = tell_ended(prices, ended, ids, telling, err);
    for (size_t i = 0; i < prices->count && status == LLMGR_OK; i++) {
        const struct lq_price_change *change = &prices->changes[i];
        const struct place *place = &prices->places[i];
        if (change->result == LQ_PRICE_NEW || change->result == LQ_PRICE_CHANGED)
            status = tell(telling,
                          change->result == LQ_PRICE_NEW ? LLMGR_CHANGE_ADD : LLMGR_CHANGE_UPDATE,
                          &prices->defaults->platforms[place->platform], place->model, err);
    }
    return status;
}

/* ---- In the sync's transactions -------------------------------------------------------------- */

/* Each price goes to the row of its platform. */
static llmgr_status run(struct la_sync_prices *prices, struct ls_tx *tx, const int64_t *ids,
                        bool writes, struct llmgr_error *err)
{
    struct llmgr_error inner = {0};

    lb_arena_reset(&prices->looking);
    prices->ended = NULL;
    prices->ended_end = &prices->ended;
    prices->ended_count = 0;
    for (size_t i = 0; i < prices->count; i++) {
        struct lq_price_change *change = &prices->changes[i];
        change->spec.platform_id = ids[prices->places[i].platform];
        change->is_early = change->spec.platform_id == 0;
    }
    llmgr_status status = lq_setting_run(&prices->setting, tx, writes, &inner);
    return status == LLMGR_OK ? status : fail_setting(prices, &inner, err);
}

static llmgr_status look(void *context, struct ls_tx *tx, const int64_t *ids,
                         struct lb_arena *arena, struct lm_sync_more *more, struct llmgr_error *err)
{
    struct la_sync_prices *prices = context;
    const struct telling telling = {more, arena};

    if (!prices->defaults->has_platforms)
        return LLMGR_OK;
    llmgr_status status = run(prices, tx, ids, false, err);
    more->is_needed = prices->setting.news + prices->setting.ended != 0;
    return status == LLMGR_OK && more->is_needed ? tell_all(prices, ids, &telling, err) : status;
}

static llmgr_status write_all(void *context, struct ls_tx *tx, const int64_t *ids,
                              struct llmgr_error *err)
{
    return run(context, tx, ids, true, err);
}

struct lm_sync_also la_prices_also(struct la_sync_prices *prices)
{
    return (struct lm_sync_also){look, write_all, prices};
}

/* ---- Is a sync due? -------------------------------------------------------------------------- */

struct checking {
    struct la_sync_prices *prices;
    int64_t *ids;
    bool current;
};

static llmgr_status check(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct checking *checking = context;
    struct la_sync_prices *prices = checking->prices;

    llmgr_status status = run(prices, tx, checking->ids, false, err);
    checking->current = prices->setting.news + prices->setting.ended == 0;
    return status;
}

/* By the names of system platforms, which are the file's. */
static void find_ids(const struct lm_defaults *defaults, const struct lb_map *rows, int64_t *ids)
{
    for (size_t i = 0; i < defaults->count; i++) {
        const struct llmgr_platform *row = lb_map_get(rows, lb_cstr(defaults->platforms[i].name));
        ids[i] = row != NULL ? row->platform_id : 0;
    }
}

static llmgr_status read_ids(struct checking *checking, struct llmgr_error *err)
{
    struct la_sync_prices *prices = checking->prices;
    const struct lb_host *host = &prices->manager->host;
    struct llmgr_platform_list platforms;

    checking->ids =
        lb_arena_calloc(&prices->arena, prices->defaults->count + 1, sizeof *checking->ids);
    if (checking->ids == NULL)
        return lb_fail_memory(err);
    if (prices->count == 0) /* nobody needs to know the platforms: each start of a program looks */
        return LLMGR_OK;
    llmgr_status status = llmgr_platforms(prices->manager, NULL, &platforms, err);
    if (status != LLMGR_OK)
        return status;
    struct lb_map *rows = lb_map_new(host, platforms.count + 1);
    if (rows == NULL)
        status = lb_fail_memory(err);
    for (size_t i = 0; status == LLMGR_OK && i < platforms.count; i++) {
        struct llmgr_platform *row = &platforms.items[i];
        if (row->platform_is_sys &&
            lb_map_put(rows, lb_cstr(row->platform_name), row, NULL) != LLMGR_OK)
            status = lb_fail_memory(err);
    }
    if (status == LLMGR_OK)
        find_ids(prices->defaults, rows, checking->ids);
    lb_map_free(rows);
    llmgr_platform_list_clear(&platforms);
    return status;
}

llmgr_status la_prices_check(struct llmgr *manager, const struct lm_defaults *defaults,
                             bool *current, struct llmgr_error *err)
{
    struct checking checking = {.current = true};

    *current = true;
    if (!defaults->has_platforms)
        return LLMGR_OK;
    llmgr_status status = la_prices_read(manager, defaults, &checking.prices, err);
    if (status == LLMGR_OK)
        status = read_ids(&checking, err);
    if (status == LLMGR_OK)
        status = ls_transact(lm_store(manager->manager), LS_READ, check, &checking, err);
    *current = status == LLMGR_OK && checking.current;
    la_prices_free(checking.prices);
    /* What clashes is told by the sync that wants it. */
    return status == LLMGR_ERR_CONFIG ? LLMGR_OK : status;
}
