/* SPDX-License-Identifier: MIT */
/*
 * LiteLLM's model_prices_and_context_window.json, in USD per unit. One object; its members are
 * models, named with their provider or without. A model's members are rates whose names bear the
 * conditions:
 *
 *     input_cost_per_token _above_272k_tokens _priority
 *     what it is           more of the prompt  service tier
 *
 * The meaning is that of LiteLLM's own arithmetic (litellm_core_utils/llm_cost_calc): the rates
 * above a threshold hold for the whole request, the threshold is compared with the prompt with its
 * cached tokens, and a rate that is absent for a tier is the ordinary one.
 */
#include "budget/import_read.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* Members that are rates of a unit of ours; the longer name of two stands first. */
static const struct rate_name {
    const char *name;
    llmgr_price_unit unit;
    bool old; /* a name of former times: the other one counts where both are there */
} RATES[] = {
    {"input_cost_per_token_cache_hit", LLMGR_PRICE_UNIT_CACHED_INPUT, true},
    {"input_cost_per_token", LLMGR_PRICE_UNIT_INPUT, false},
    {"output_cost_per_token", LLMGR_PRICE_UNIT_OUTPUT, false},
    {"cache_read_input_token_cost", LLMGR_PRICE_UNIT_CACHED_INPUT, false},
    {"cache_creation_input_token_cost_above_1hr", LLMGR_PRICE_UNIT_CACHE_WRITE_1H, false},
    {"cache_creation_input_token_cost", LLMGR_PRICE_UNIT_CACHE_WRITE, false},
    {"output_cost_per_reasoning_token", LLMGR_PRICE_UNIT_REASONING, false},
    {"input_cost_per_audio_token", LLMGR_PRICE_UNIT_AUDIO_INPUT, false},
    {"output_cost_per_audio_token", LLMGR_PRICE_UNIT_AUDIO_OUTPUT, false},
    {"input_cost_per_image_token", LLMGR_PRICE_UNIT_IMAGE_INPUT, false},
    {"output_cost_per_image", LLMGR_PRICE_UNIT_IMAGE, false},
    {"input_cost_per_request", LLMGR_PRICE_UNIT_REQUEST, false},
    {"input_cost_per_second", LLMGR_PRICE_UNIT_SECOND, false},
};
enum { RATE_COUNT = sizeof RATES / sizeof *RATES };

/* Endings that name a service tier, and what answers call it. */
static const struct {
    const char *ending;
    const char *tier;
} TIERS[] = {{"", ""},
             {"_batches", "batch"},
             {"_flex", "flex"},
             {"_priority", "priority"},
             {"_balanced", "balanced"},
             {"_ultrafast", "ultrafast"}};
enum { TIER_COUNT = sizeof TIERS / sizeof *TIERS };

/* What a member's name says. */
struct meaning {
    const struct rate_name *rate;
    int64_t above;
    struct lb_str tier;
};

/* Of this provider a prompt of just so many tokens is above them. */
#define INCLUSIVE "xai"

/* A model while its members are read. */
struct model {
    struct lq_text text;
    struct lb_str provider;
    struct lb_str name;
    struct lj_span ranges;   /* tiered_pricing; size 0: it has none */
    struct lj_span off_peak; /* off_peak_pricing, likewise */
    struct lq_grid grid;
};

static bool take_start(struct lb_str *rest, const char *start)
{
    if (!lb_str_starts(*rest, lb_cstr(start)))
        return false;
    *rest = lb_str_sub(*rest, lb_cstr(start).size, rest->size);
    return true;
}

/* "_above_272k_tokens" or "_above_512_tokens"; nothing there is fine. */
static bool take_above(struct lb_str *rest, int64_t *above)
{
    uint64_t count;
    size_t digits = 0;

    *above = 0;
    if (!take_start(rest, "_above_"))
        return true;
    while (digits < rest->size && rest->p[digits] >= '0' && rest->p[digits] <= '9')
        digits++;
    if (digits > 9 || !lb_str_to_u64(lb_str_sub(*rest, 0, digits), &count))
        return false;
    *rest = lb_str_sub(*rest, digits, rest->size);
    *above = (int64_t)count * (take_start(rest, "k") ? 1000 : 1);
    return take_start(rest, "_tokens");
}

static bool take_tier(struct lb_str rest, struct lb_str *tier)
{
    for (size_t i = 0; i < TIER_COUNT; i++) {
        if (lb_str_eq_c(rest, TIERS[i].ending)) {
            *tier = lb_cstr(TIERS[i].tier);
            return true;
        }
    }
    return false;
}

static bool understand(struct lb_str name, struct meaning *meaning)
{
    for (size_t i = 0; i < RATE_COUNT; i++) {
        struct lb_str rest = name;
        if (!take_start(&rest, RATES[i].name))
            continue;
        if (take_above(&rest, &meaning->above) && take_tier(rest, &meaning->tier)) {
            meaning->rate = &RATES[i];
            return true;
        }
    }
    return false;
}

static bool contains(struct lb_str text, struct lb_str part)
{
    for (size_t at = 0; at + part.size <= text.size; at++) {
        if (lb_str_starts(lb_str_sub(text, at, text.size), part))
            return true;
    }
    return false;
}

/* Does a name tell of money at all? Others are what a model can do, which is not asked here. */
static bool is_about_money(struct lb_str name)
{
    return contains(name, LB_STR("cost")) || contains(name, LB_STR("pric")) ||
           contains(name, LB_STR("multiplier")) || lb_str_eq_c(name, "provider_specific_entry") ||
           lb_str_eq_c(name, "search_free_requests");
}

static void put_rate(struct model *model, struct lj_span value, const struct meaning *meaning,
                     struct lb_str name)
{
    int64_t above = meaning->above;
    int64_t rate;

    lq_rate(&model->text, value, 1, name, &rate);
    if (rate == LLMGR_UNSET)
        return;
    above -= above > 0 && lb_str_eq_c(model->provider, INCLUSIVE);
    int64_t *cells = lq_grid_at(&model->grid, above, meaning->tier);
    if (cells == NULL)
        lq_note_strange(&model->text, name);
    else if (!meaning->rate->old || cells[meaning->rate->unit] == LLMGR_UNSET)
        cells[meaning->rate->unit] = rate;
}

/* ---- Hosted search --------------------------------------------------------------------------- */

/* {"search_context_size_low": 0.01, …}: a call's price, where the size of its context is no matter.
 */
static void read_search(struct model *model, struct lj_span value, struct lb_str name)
{
    int64_t *cells = lq_grid_at(&model->grid, 0, LB_STR(""));
    int64_t one = LLMGR_UNSET;
    struct lj_member member;
    struct lj_walk walk;
    bool same = true;

    if (lq_kind(&model->text, value) != '{') {
        if (!lq_is_nothing(&model->text, value))
            lq_note_strange(&model->text, name);
        return;
    }
    lj_walk_start(&walk, model->text.text, value.at, 3);
    while (lj_walk_next(&walk, &member)) {
        int64_t rate;
        lq_rate(&model->text, member.value, 1, name, &rate);
        same = same && rate != LLMGR_UNSET && (one == LLMGR_UNSET || rate == one);
        one = rate;
    }
    if (same && one != LLMGR_UNSET)
        cells[LLMGR_PRICE_UNIT_TOOL_CALL] = one;
    else
        lq_note_strange(&model->text, name);
}

/* ---- tiered_pricing: [{"range": [0, 256000], "input_cost_per_token": …}, …] ---------------------
 */

static bool read_range(const struct model *model, struct lj_span value, int64_t *above)
{
    struct lj_span first;
    struct lj_walk walk;

    lj_list_start(&walk, model->text.text, value.at, 5);
    return lj_list_next(&walk, &first) && lq_count(&model->text, first, above);
}

/* The member `range` of a tier; false: there is none, or it is no range. */
static bool find_range(const struct model *model, struct lj_span tier, int64_t *above)
{
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, model->text.text, tier.at, 4);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "range"))
            return read_range(model, member.value, above);
    }
    return false;
}

static void read_range_rates(struct model *model, struct lj_span tier)
{
    struct lj_member member;
    struct meaning meaning;
    struct lj_walk walk;
    int64_t *cells;
    int64_t above;

    if (!find_range(model, tier, &above) || (cells = lq_grid_alone(&model->grid, above)) == NULL) {
        lq_note_strange(&model->text, LB_STR("tiered_pricing"));
        return;
    }
    for (size_t unit = 0; unit < LLMGR_PRICE_UNIT_COUNT; unit++) {
        if (lq_is_replaced(unit))
            cells[unit] = LLMGR_UNSET;
    }
    lj_walk_start(&walk, model->text.text, tier.at, 4);
    while (lj_walk_next(&walk, &member)) {
        if (understand(member.name, &meaning) && meaning.above == 0 && meaning.tier.size == 0)
            lq_rate(&model->text, member.value, 1, member.name, &cells[meaning.rate->unit]);
        else if (!lb_str_eq_c(member.name, "range"))
            lq_note_strange(&model->text, member.name);
    }
}

static void read_ranges(struct model *model)
{
    struct lj_span tier;
    struct lj_walk walk;

    lj_list_start(&walk, model->text.text, model->ranges.at, 3);
    while (lj_list_next(&walk, &tier))
        read_range_rates(model, tier);
    if (walk.why != NULL)
        lq_note_strange(&model->text, LB_STR("tiered_pricing"));
}

/* ---- off_peak_pricing: {"input_cost_per_token": …, "windows": [{"hours_utc": …, "weekdays": …}]}
 * -
 */

enum { MINUTES = 24 * 60, WINDOW_TEXT_MAX = 32 };

/* Rates of the hours, and the hours of one rule. */
struct off_peak {
    struct model *model;
    struct lq_offer *offer;
    unsigned days; /* of struct lq_window */
    bool understood;
};

static bool read_minute(struct lb_str text, int *minute)
{
    uint64_t hour, past;

    if (text.size != 5 || text.p[2] != ':' || !lb_str_to_u64(lb_str(text.p, 2), &hour) ||
        !lb_str_to_u64(lb_str(text.p + 3, 2), &past) || hour > 24 || past > 59)
        return false;
    *minute = (int)(hour * 60 + past) % MINUTES;
    return true;
}

/* "16:30-00:30" */
static llmgr_status read_hours(struct off_peak *peak, struct lj_span value, struct llmgr_error *err)
{
    char buf[WINDOW_TEXT_MAX];
    struct lq_window window = {.days = peak->days};

    struct lb_str text = lq_string(&peak->model->text, value, buf, sizeof buf);
    size_t dash = lb_str_find(text, '-');
    if (!read_minute(lb_str_trim(lb_str_sub(text, 0, dash)), &window.from) ||
        !read_minute(lb_str_trim(lb_str_sub(text, dash + 1, text.size)), &window.until)) {
        peak->understood = false;
        return LLMGR_OK;
    }
    return lq_window_hand_out(&peak->model->text, &window, peak->offer, err);
}

/* One string, or a list of them. */
static llmgr_status read_all_hours(struct off_peak *peak, struct lj_span value,
                                   struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct lj_span element;
    struct lj_walk walk;

    if (lq_kind(&peak->model->text, value) != '[')
        return read_hours(peak, value, err);
    lj_list_start(&walk, peak->model->text.text, value.at, 6);
    while (status == LLMGR_OK && lj_list_next(&walk, &element))
        status = read_hours(peak, element, err);
    return status;
}

/* A number from 1, Monday, or a name of which three letters count. -1: none. */
static int read_day(const struct off_peak *peak, struct lj_span value)
{
    char buf[WINDOW_TEXT_MAX];
    int64_t number;

    if (lq_kind(&peak->model->text, value) != '"')
        return lq_count(&peak->model->text, value, &number) && number >= 1 && number <= 7
                   ? (int)number - 1
                   : -1;
    return lq_day_find(lq_string(&peak->model->text, value, buf, sizeof buf));
}

/* Fills peak->days from [1, 2, 3]. */
static void read_days(struct off_peak *peak, struct lj_span value)
{
    struct lj_span element;
    struct lj_walk walk;

    lj_list_start(&walk, peak->model->text.text, value.at, 6);
    while (lj_list_next(&walk, &element)) {
        int day = read_day(peak, element);
        peak->understood = peak->understood && day >= 0;
        peak->days |= day >= 0 ? 1U << day : 0;
    }
    peak->understood = peak->understood && walk.why == NULL && peak->days != 0;
}

/* One rule: its weekdays first, wherever they stand. */
static llmgr_status read_rule(struct off_peak *peak, struct lj_span value, struct llmgr_error *err)
{
    struct lj_span hours = {0};
    struct lj_member member;
    struct lj_walk walk;

    peak->days = 0;
    lj_walk_start(&walk, peak->model->text.text, value.at, 5);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "weekdays"))
            read_days(peak, member.value);
        else if (lb_str_eq_c(member.name, "hours_utc"))
            hours = member.value;
        else
            peak->understood = false;
    }
    if (hours.size == 0 || walk.why != NULL)
        peak->understood = false;
    return peak->understood ? read_all_hours(peak, hours, err) : LLMGR_OK;
}

/* "windows": rules, each with weekdays of its own. */
static llmgr_status read_rules(struct off_peak *peak, struct lj_span value, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct lj_span rule;
    struct lj_walk walk;

    lj_list_start(&walk, peak->model->text.text, value.at, 4);
    while (status == LLMGR_OK && lj_list_next(&walk, &rule))
        status = read_rule(peak, rule, err);
    peak->understood = peak->understood && walk.why == NULL;
    return status;
}

/* The rates of the hours go over the ordinary ones in `rates`; *windows and *hours are kept. */
static bool read_off_peak_rates(struct model *model, int64_t *rates, struct lj_span *windows,
                                struct lj_span *hours)
{
    struct lj_member member;
    struct meaning meaning;
    struct lj_walk walk;
    bool understood = true;

    lj_walk_start(&walk, model->text.text, model->off_peak.at, 3);
    while (lj_walk_next(&walk, &member)) {
        char buf[WINDOW_TEXT_MAX];
        if (lb_str_eq_c(member.name, "windows"))
            *windows = member.value;
        else if (lb_str_eq_c(member.name, "hours_utc"))
            *hours = member.value;
        else if (lb_str_eq_c(member.name, "weekday_timezone"))
            understood = understood &&
                         lb_str_eq_c(lq_string(&model->text, member.value, buf, sizeof buf), "UTC");
        else if (understand(member.name, &meaning) && meaning.above == 0 && meaning.tier.size == 0)
            lq_rate(&model->text, member.value, 1, member.name, &rates[meaning.rate->unit]);
        else
            understood = false;
    }
    return understood && walk.why == NULL;
}

/* Hours of the day at which the ordinary rates are others, each handed out as a price. */
static llmgr_status read_off_peak(struct model *model, struct lq_offer *offer,
                                  struct llmgr_error *err)
{
    struct off_peak peak = {.model = model, .offer = offer, .understood = true};
    struct lj_span windows = {0};
    struct lj_span hours = {0};
    llmgr_status status = LLMGR_OK;

    offer->above_tokens = 0;
    offer->service_tier = LB_STR("");
    memcpy(offer->rates, model->grid.cells[0][0], sizeof offer->rates);
    peak.understood = read_off_peak_rates(model, offer->rates, &windows, &hours);
    if (peak.understood && hours.size != 0)
        status = read_all_hours(&peak, hours, err);
    if (peak.understood && status == LLMGR_OK && windows.size != 0)
        status = read_rules(&peak, windows, err);
    if (!peak.understood)
        lq_note_strange(&model->text, LB_STR("off_peak_pricing"));
    return status;
}

/* ---- A model, and all of them ---------------------------------------------------------------- */

static void read_member(struct model *model, const struct lj_member *member)
{
    char buf[LQ_IMPORT_MEMBER_MAX];
    struct meaning meaning;

    struct lb_str name = lq_member_name(member, buf, sizeof buf);
    if (understand(name, &meaning))
        put_rate(model, member->value, &meaning, name);
    else if (lb_str_eq_c(name, "tiered_pricing"))
        model->ranges = member->value;
    else if (lb_str_eq_c(name, "off_peak_pricing"))
        model->off_peak = member->value;
    else if (lb_str_eq_c(name, "search_context_cost_per_query"))
        read_search(model, member->value, name);
    else if (is_about_money(name) && !lq_is_nothing(&model->text, member->value))
        lq_note_strange(&model->text, name);
}

static llmgr_status read_rates(struct model *model, struct lj_span value, struct llmgr_error *err)
{
    struct lq_offer offer = {
        .provider = model->provider, .model = model->name, .currency = LB_STR("USD")};
    struct lj_member member;
    struct lj_walk walk;

    lq_grid_init(&model->grid);
    lj_walk_start(&walk, model->text.text, value.at, 2);
    while (lj_walk_next(&walk, &member))
        read_member(model, &member);
    if (model->ranges.size != 0)
        read_ranges(model);
    llmgr_status status = lq_grid_hand_out(&model->text, &model->grid, &offer, err);
    if (status == LLMGR_OK && model->off_peak.size != 0)
        status = read_off_peak(model, &offer, err);
    return status;
}

/* The member litellm_provider, decoded into `buf`; empty: there is none that is a name. */
static struct lb_str find_provider(const struct lq_text *text, struct lj_span value, char *buf)
{
    struct lb_str provider = lb_str(NULL, 0);
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text->text, value.at, 2);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "litellm_provider"))
            provider = lq_string(text, member.value, buf, LQ_IMPORT_NAME_MAX);
    }
    return provider;
}

/* "deepseek/deepseek-chat" of deepseek is deepseek-chat at the platform. */
static struct lb_str without_provider(struct lb_str name, struct lb_str provider)
{
    struct lb_str rest = name;

    if (provider.size > 0 && lb_str_starts(rest, provider)) {
        rest = lb_str_sub(rest, provider.size, rest.size);
        if (take_start(&rest, "/"))
            return rest;
    }
    return name;
}

static llmgr_status read_model(const struct lq_text *text, const struct lj_member *member,
                               struct model *model, struct llmgr_error *err)
{
    char provider[LQ_IMPORT_NAME_MAX];
    char name[LQ_IMPORT_NAME_MAX];

    *model = (struct model){.text = *text};
    struct lb_str key = lq_member_name(member, name, sizeof name);
    model->text.model = key;
    if (key.p == NULL) {
        lq_note_strange(&model->text, LB_STR("a model's name"));
        return LLMGR_OK;
    }
    if (lq_kind(text, member->value) != '{') {
        lq_note_strange(&model->text, LB_STR("a model that is no object"));
        return LLMGR_OK;
    }
    model->provider = find_provider(text, member->value, provider);
    if (model->provider.size == 0) /* the rules for unknown names have none */
        return LLMGR_OK;
    text->reading->models++;
    model->name = without_provider(key, model->provider);
    if (!text->reading->wants(text->reading->context, model->provider, model->name))
        return LLMGR_OK;
    text->reading->wanted++;
    return read_rates(model, member->value, err);
}

llmgr_status lq_read_litellm(const struct lq_text *text, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct lj_member member;
    struct lj_walk walk;
    struct model model;

    lj_walk_start(&walk, text->text, lj_scan_space(text->text.p, 0, text->text.size), 1);
    while (status == LLMGR_OK && lj_walk_next(&walk, &member)) {
        if (!lb_str_eq_c(member.name, "sample_spec")) /* the template */
            status = read_model(text, &member, &model, err);
    }
    return status;
}
