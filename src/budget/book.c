/* SPDX-License-Identifier: MIT */
/*
 * The prices of a moment, in the order in which they are asked (lq_price_order). So the prices of
 * one platform and exact model are neighbours, and so are all patterns of a platform: a table says
 * where each such run begins. A model is looked for in four runs at most, and the first price of
 * them whose conditions hold decides:
 *
 *     its platform, its name -> its platform's patterns -> any platform, its name -> patterns
 */
#include "budget/book.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "budget/rows.h"
#include "budget/unit.h"
#include "budget/zone.h"
#include "ledger/ledger.h"
#include "manager/handle.h"

enum {
    RATES_MAX = LLMGR_PRICES_MAX * LLMGR_PRICE_UNIT_COUNT,
    ZONES_MAX = 600, /* more than there are */
    NAME_MAX_SIZE = LLMGR_PRICE_MODEL_MAX,
    KEY_SIZE = 8 + NAME_MAX_SIZE
};

_Static_assert(LL_MONEY_MAX == LQ_COST_MAX, "what a price costs is what the ledger takes");

/* Prices of one platform and model, or the patterns of a platform. */
struct run {
    const struct lq_price *first;
    size_t count;
};

/* A zone that prices name. */
struct named_zone {
    struct lb_str name;
    struct lq_zone *zone; /* NULL: this system has none of the name */
};

struct lq_book {
    const struct lb_host *host;
    atomic_uint holders;
    struct lb_arena memory; /* of texts and runs */
    struct lq_price *prices;
    size_t count;
    size_t room;
    struct lb_map *runs;
    struct named_zone zones[ZONES_MAX];
    size_t zone_count;
};

/* ---- Life ------------------------------------------------------------------------------------ */

struct lq_book *lq_book_hold(struct lq_book *book)
{
    if (book != NULL)
        atomic_fetch_add_explicit(&book->holders, 1, memory_order_relaxed);
    return book;
}

void lq_book_drop(struct lq_book *book)
{
    if (book == NULL || atomic_fetch_sub_explicit(&book->holders, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < book->zone_count; i++)
        lq_zone_free(book->zones[i].zone);
    lb_map_free(book->runs);
    lb_free(book->host, book->prices);
    lb_arena_free(&book->memory);
    lb_free(book->host, book);
}

struct lq_book *lq_book_now(struct lm_manager *manager)
{
    struct lm_catalogue *catalogue = lm_catalogue_now(manager, NULL);
    struct lq_book *book = lq_book_hold(lm_catalogue_book(catalogue));

    lm_catalogue_drop(catalogue);
    return book;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The zone, loaded once; NULL: this system does not have it. False: memory is short. */
static bool find_zone(struct lq_book *book, struct lb_str name, const struct lq_zone **zone)
{
    for (size_t i = 0; i < book->zone_count; i++) {
        if (lb_str_eq(book->zones[i].name, name)) {
            *zone = book->zones[i].zone;
            return true;
        }
    }
    *zone = NULL;
    if (book->zone_count == ZONES_MAX)
        return true;
    struct named_zone *named = &book->zones[book->zone_count];
    struct llmgr_error err = {0};
    *named = (struct named_zone){.name = lb_arena_str(&book->memory, name)};
    if (named->name.p == NULL)
        return false;
    book->zone_count++;
    llmgr_status status = lq_zone_load(book->host, name, &named->zone, &err);
    if (status != LLMGR_OK && status != LLMGR_ERR_NO_MEMORY)
        lb_warn(book->host, "attempts that meet its prices are unpriced: %s", err.message);
    *zone = named->zone;
    return status != LLMGR_ERR_NO_MEMORY;
}

static bool read_hours(struct lq_book *book, const struct lq_row *row, struct lq_price *price)
{
    if (row->hours.size == 0)
        return true;
    price->has_hours = true;
    if (!find_zone(book, row->time_zone, &price->zone))
        return false;
    if (lq_hours_read(row->hours, &price->hours, NULL) != LLMGR_OK)
        price->zone = NULL;
    price->is_unclear = price->zone == NULL;
    return true;
}

static bool make_room(struct lq_book *book)
{
    if (book->count < book->room)
        return true;
    const size_t room = book->room == 0 ? 64 : 2 * book->room;
    struct lq_price *prices =
        lb_realloc_array(book->host, book->prices, room, sizeof *book->prices);
    if (prices == NULL)
        return false;
    book->prices = prices;
    book->room = room;
    return true;
}

static llmgr_status take_row(const struct lq_row *row, void *context, struct lq_rates *rates,
                             struct llmgr_error *err)
{
    struct lq_book *book = context;

    if (!make_room(book))
        return lb_fail_memory(err);
    struct lq_price *price = &book->prices[book->count];
    *price = (struct lq_price){
        .id = row->id,
        .platform_id = row->platform_id,
        .model = lb_arena_str(&book->memory, row->model),
        .from_ms = row->from_ms,
        .until_ms = row->until_ms != 0 ? row->until_ms : INT64_MAX,
        .above_tokens = row->above_tokens,
        .service_tier = lb_arena_str(&book->memory, row->service_tier),
    };
    lq_rates_clear(price->rates);
    for (size_t i = 0; i + 1 < LQ_CURRENCY_SIZE && i < row->currency.size; i++)
        price->currency[i] = row->currency.p[i];
    if (price->model.p == NULL || price->service_tier.p == NULL || !read_hours(book, row, price))
        return lb_fail_memory(err);
    book->count++;
    *rates = (struct lq_rates){price->rates, &price->is_unclear};
    return LLMGR_OK;
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* The key of a run in the table; an empty name is that of a platform's patterns. */
static struct lb_str key_of(int64_t platform_id, struct lb_str name, char key[KEY_SIZE])
{
    memcpy(key, &platform_id, sizeof platform_id);
    memcpy(key + sizeof platform_id, name.p, name.size);
    return lb_str(key, sizeof platform_id + name.size);
}

static struct lb_str run_name(const struct lq_price *price)
{
    return lq_pattern_is_exact(price->model) ? price->model : LB_STR("");
}

static bool is_same_run(const struct lq_price *a, const struct lq_price *b)
{
    return a->platform_id == b->platform_id && lb_str_eq(run_name(a), run_name(b));
}

static int compare(const void *a, const void *b)
{
    return lq_price_order(a, b);
}

static bool find_runs(struct lq_book *book)
{
    char key[KEY_SIZE];

    qsort(book->prices, book->count, sizeof *book->prices, compare);
    book->runs = lb_map_new(book->host, book->count);
    if (book->runs == NULL)
        return false;
    for (size_t at = 0; at < book->count;) {
        const struct lq_price *first = &book->prices[at];
        struct run *run = lb_arena_alloc(&book->memory, sizeof *run);
        if (run == NULL)
            return false;
        *run = (struct run){.first = first};
        while (at < book->count && is_same_run(first, &book->prices[at])) {
            run->count++;
            at++;
        }
        if (lb_map_put(book->runs, key_of(first->platform_id, run_name(first), key), run, NULL) !=
            LLMGR_OK)
            return false;
    }
    return true;
}

llmgr_status lq_book_load(const struct lb_host *host, struct ls_tx *tx, int64_t now_ms,
                          struct lq_book **out, struct llmgr_error *err)
{
    struct lq_book *book = lb_calloc(host, 1, sizeof *book);

    if (book == NULL)
        return lb_fail_memory(err);
    book->host = host;
    atomic_init(&book->holders, 1);
    lb_arena_init(&book->memory, host, NULL, 0, LQ_BOOK_BYTES_MAX);
    llmgr_status status = lq_rows_each(
        tx, LS_PRICES_IN_FORCE, LS_ARGS(ls_int(now_ms - LQ_ENDED_KEPT_MS), ls_int(RATES_MAX)),
        take_row, book, err);
    if (status == LLMGR_OK && book->count != 0 && !find_runs(book))
        status = lb_fail_memory(err);
    if (status != LLMGR_OK || book->count == 0) {
        lq_book_drop(book);
        book = NULL;
    }
    if (status == LLMGR_OK)
        *out = book;
    return status;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static const struct lq_price *find_in(const struct lq_book *book, int64_t platform_id,
                                      struct lb_str name, struct lb_str model,
                                      const struct lq_use *use)
{
    char key[KEY_SIZE];
    const struct run *run = lb_map_get(book->runs, key_of(platform_id, name, key));

    for (size_t i = 0; run != NULL && i < run->count; i++) {
        const struct lq_price *price = &run->first[i];
        if (lq_price_holds(price, use) && lq_pattern_matches(price->model, model))
            return price;
    }
    return NULL;
}

const struct lq_price *lq_book_find(const struct lq_book *book, int64_t platform_id,
                                    struct lb_str model, const struct lq_use *use)
{
    if (model.size == 0 || model.size > NAME_MAX_SIZE)
        return NULL;
    const struct lq_price *price = find_in(book, platform_id, model, model, use);
    if (price == NULL)
        price = find_in(book, platform_id, LB_STR(""), model, use);
    if (price == NULL && platform_id != 0)
        price = find_in(book, 0, model, model, use);
    if (price == NULL && platform_id != 0)
        price = find_in(book, 0, LB_STR(""), model, use);
    return price;
}

static struct lq_use use_of(const struct ll_usage *usage)
{
    const bool is_answered = usage->upstream_status >= 200 && usage->upstream_status < 300;

    return (struct lq_use){
        .at_ms = usage->time_ms,
        .prompt_tokens = usage->prompt_tokens,
        .service_tier = usage->service_tier,
        .counts =
            {
                [LLMGR_PRICE_UNIT_INPUT] = usage->prompt_tokens,
                [LLMGR_PRICE_UNIT_CACHED_INPUT] = usage->cached_tokens,
                [LLMGR_PRICE_UNIT_CACHE_WRITE] = usage->cache_write_tokens,
                [LLMGR_PRICE_UNIT_CACHE_WRITE_1H] = usage->cache_write_1h_tokens,
                [LLMGR_PRICE_UNIT_AUDIO_INPUT] = usage->audio_input_tokens,
                [LLMGR_PRICE_UNIT_IMAGE_INPUT] = usage->image_input_tokens,
                [LLMGR_PRICE_UNIT_OUTPUT] = usage->completion_tokens,
                [LLMGR_PRICE_UNIT_REASONING] = usage->reasoning_tokens,
                [LLMGR_PRICE_UNIT_AUDIO_OUTPUT] = usage->audio_output_tokens,
                [LLMGR_PRICE_UNIT_REQUEST] = is_answered,
                [LLMGR_PRICE_UNIT_TOOL_CALL] = usage->tool_calls,
                [LLMGR_PRICE_UNIT_IMAGE] = LL_UNKNOWN,
                [LLMGR_PRICE_UNIT_SECOND] = LL_UNKNOWN,
            },
    };
}

/* Is every count one that the ledger takes? What is none has no cost either. */
static bool is_countable(const struct lq_use *use)
{
    for (int unit = 0; unit < LLMGR_PRICE_UNIT_COUNT; unit++) {
        if (use->counts[unit] > LL_TOKENS_MAX)
            return false;
    }
    return true;
}

void lq_price_usage(const struct lq_book *book, struct ll_usage *usage)
{
    if (book == NULL)
        return;
    const struct lq_use use = use_of(usage);
    const struct lq_price *price = lq_book_find(book, usage->platform_id, usage->model_name, &use);
    if (price == NULL)
        return;
    usage->price_id = price->id;
    if (is_countable(&use) && lq_price_cost(price, &use, &usage->cost_nano))
        usage->currency = lb_cstr(price->currency);
}
