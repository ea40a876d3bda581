/* SPDX-License-Identifier: MIT */
/*
 * What OpenRouter answers to GET /api/v1/models (its documented form): USD per token, request or
 * call, as texts.
 *
 *     {"data": [{"id": "deepseek/deepseek-chat", "pricing": {"prompt": "0.00000027", …,
 *         "overrides": [{"min_prompt_tokens": 200000, "prompt": "0.00000054"}]}}]}
 *
 * The provider is "openrouter" itself: an id is the model name that it is asked for. An override
 * applies when all its conditions hold; of those that do, the later one has the say on each of its
 * rates, and a rate that none of them has is the ordinary one. Each set of conditions is handed out
 * complete, for one price decides for the whole of an attempt.
 */
#include "budget/import_read.h"

#include <string.h>

#include "base/error.h"
#include "budget/unit.h"

enum { OVERRIDES_MAX = 16, MINUTES = 24 * 60, DAY_TEXT_MAX = 16 };

/* Members of `pricing`; where 0 only says that the tokens are in the completion, it is no rate. */
static const struct {
    const char *name;
    llmgr_price_unit unit;
    bool zero_is_none;
} RATES[] = {
    {"prompt", LLMGR_PRICE_UNIT_INPUT, false},
    {"completion", LLMGR_PRICE_UNIT_OUTPUT, false},
    {"request", LLMGR_PRICE_UNIT_REQUEST, false},
    {"input_cache_read", LLMGR_PRICE_UNIT_CACHED_INPUT, false},
    {"input_cache_write", LLMGR_PRICE_UNIT_CACHE_WRITE, false},
    {"input_cache_write_1h", LLMGR_PRICE_UNIT_CACHE_WRITE_1H, false},
    {"internal_reasoning", LLMGR_PRICE_UNIT_REASONING, true},
    {"audio", LLMGR_PRICE_UNIT_AUDIO_INPUT, true},
    {"audio_output", LLMGR_PRICE_UNIT_AUDIO_OUTPUT, true},
    {"image_token", LLMGR_PRICE_UNIT_IMAGE_INPUT, true},
    {"web_search", LLMGR_PRICE_UNIT_TOOL_CALL, false},
};
enum { RATE_COUNT = sizeof RATES / sizeof *RATES };

/* Prices of what has no unit here; in an override they are left out, and the rest of it counts. */
static const char *const NO_UNIT[] = {"image", "image_output", "input_audio_cache"};

struct override {
    int64_t above; /* tokens of the prompt; 0: any */
    bool has_window;
    struct lq_window window;
    int64_t rates[LLMGR_PRICE_UNIT_COUNT]; /* LLMGR_UNSET: not its to say */
};

struct pricing {
    int64_t rates[LLMGR_PRICE_UNIT_COUNT];
    struct override overrides[OVERRIDES_MAX];
    size_t count;
};

/* False: it is no rate's name. */
static bool read_rate(const struct lq_text *text, const struct lj_member *member, int64_t *rates)
{
    for (size_t i = 0; i < RATE_COUNT; i++) {
        if (!lb_str_eq_c(member->name, RATES[i].name))
            continue;
        if (!RATES[i].zero_is_none || !lq_is_nothing(text, member->value))
            lq_rate(text, member->value, 1, member->name, &rates[RATES[i].unit]);
        return true;
    }
    return false;
}

/* ---- Overrides ------------------------------------------------------------------------------- */

/* 1630 is 16:30; 2400 is the midnight that 0 is. */
static bool read_clock(const struct lq_text *text, struct lj_span value, int *minute)
{
    int64_t clock;

    if (!lq_count(text, value, &clock) || clock > 2400 || clock % 100 > 59)
        return false;
    *minute = (int)(clock / 100 * 60 + clock % 100) % MINUTES;
    return true;
}

/* ["monday", "sunday"] */
static bool read_days(const struct lq_text *text, struct lj_span value, unsigned *days)
{
    struct lj_span element;
    struct lj_walk walk;

    lj_list_start(&walk, text->text, value.at, 7);
    while (lj_list_next(&walk, &element)) {
        char buf[DAY_TEXT_MAX];
        const int day = lq_day_find(lq_string(text, element, buf, sizeof buf));
        if (day < 0)
            return false;
        *days |= 1U << day;
    }
    return walk.why == NULL && *days != 0;
}

/* "At least so many" is more than one less. */
static bool read_least(const struct lq_text *text, struct lj_span value, int64_t *above)
{
    if (!lq_count(text, value, above))
        return false;
    *above -= *above > 0;
    return true;
}

static bool has_no_unit(struct lb_str name)
{
    for (size_t i = 0; i < sizeof NO_UNIT / sizeof *NO_UNIT; i++) {
        if (lb_str_eq_c(name, NO_UNIT[i]))
            return true;
    }
    return false;
}

/* A rate or a condition; false: it is neither, so that the override says what is not known here. */
static bool read_override_member(const struct lq_text *text, const struct lj_member *member,
                                 struct override *override)
{
    if (lb_str_eq_c(member->name, "min_prompt_tokens"))
        return read_least(text, member->value, &override->above);
    if (read_rate(text, member, override->rates))
        return true;
    if (has_no_unit(member->name)) {
        lq_note_strange(text, member->name);
        return true;
    }
    override->has_window = true;
    if (lb_str_eq_c(member->name, "utc_start"))
        return read_clock(text, member->value, &override->window.from);
    if (lb_str_eq_c(member->name, "utc_end"))
        return read_clock(text, member->value, &override->window.until);
    return lb_str_eq_c(member->name, "utc_days") &&
           read_days(text, member->value, &override->window.days);
}

/* Do its hours meet others that are not the same? Which of two prices then decides is not known. */
static bool meets_others(const struct pricing *pricing, const struct override *override)
{
    for (size_t i = 0; i < pricing->count && override->has_window; i++) {
        const struct override *other = &pricing->overrides[i];
        if (other->has_window && !lq_window_same(&other->window, &override->window) &&
            lq_window_meets(&other->window, &override->window))
            return true;
    }
    return false;
}

static bool read_override(const struct lq_text *text, struct lj_span value, struct pricing *pricing)
{
    struct override override = {.above = 0};
    struct lj_member member;
    struct lj_walk walk;

    lq_rates_clear(override.rates);
    lj_walk_start(&walk, text->text, value.at, 6);
    while (lj_walk_next(&walk, &member)) {
        if (!read_override_member(text, &member, &override))
            return false;
    }
    if (walk.why != NULL || pricing->count == OVERRIDES_MAX || meets_others(pricing, &override))
        return false;
    pricing->overrides[pricing->count++] = override;
    return true;
}

static void read_overrides(const struct lq_text *text, struct lj_span list, struct pricing *pricing)
{
    struct lj_span element;
    struct lj_walk walk;

    lj_list_start(&walk, text->text, list.at, 5);
    while (lj_list_next(&walk, &element)) {
        if (!read_override(text, element, pricing))
            lq_note_strange(text, LB_STR("overrides"));
    }
    if (walk.why != NULL)
        lq_note_strange(text, LB_STR("overrides"));
}

/* ---- Prices ---------------------------------------------------------------------------------- */

/* The rates above so many tokens, in these hours; NULL: in none. */
static void rates_under(const struct pricing *pricing, int64_t above,
                        const struct lq_window *window, int64_t *rates)
{
    memcpy(rates, pricing->rates, sizeof pricing->rates);
    for (size_t i = 0; i < pricing->count; i++) {
        const struct override *override = &pricing->overrides[i];
        if (override->above > above ||
            (override->has_window &&
             (window == NULL || !lq_window_same(&override->window, window))))
            continue;
        for (size_t unit = 0; unit < LLMGR_PRICE_UNIT_COUNT; unit++) {
            if (override->rates[unit] != LLMGR_UNSET)
                rates[unit] = override->rates[unit];
        }
    }
}

/* Is this the first override with its threshold, or with its hours? */
static bool is_first(const struct pricing *pricing, size_t at, bool by_hours)
{
    const struct override *override = &pricing->overrides[at];

    for (size_t i = 0; i < at; i++) {
        const struct override *other = &pricing->overrides[i];
        if (by_hours ? other->has_window && lq_window_same(&other->window, &override->window)
                     : other->above == override->above)
            return false;
    }
    return true;
}

/* The ordinary price above so many tokens, and those of all hours. */
static llmgr_status hand_out_above(const struct lq_text *text, const struct pricing *pricing,
                                   int64_t above, struct lq_offer *offer, struct llmgr_error *err)
{
    offer->above_tokens = above;
    offer->hours = offer->time_zone = LB_STR("");
    rates_under(pricing, above, NULL, offer->rates);
    llmgr_status status = text->reading->take(text->reading->context, offer, err);
    for (size_t i = 0; i < pricing->count && status == LLMGR_OK; i++) {
        const struct override *override = &pricing->overrides[i];
        if (!override->has_window || !is_first(pricing, i, true))
            continue;
        rates_under(pricing, above, &override->window, offer->rates);
        status = lq_window_hand_out(text, &override->window, offer, err);
    }
    return status;
}

static bool has_rates(const struct pricing *pricing)
{
    for (size_t unit = 0; unit < LLMGR_PRICE_UNIT_COUNT; unit++) {
        if (pricing->rates[unit] != LLMGR_UNSET)
            return true;
    }
    return false;
}

static llmgr_status hand_out(const struct lq_text *text, const struct pricing *pricing,
                             struct lq_offer *offer, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    if (has_rates(pricing))
        status = hand_out_above(text, pricing, 0, offer, err);
    for (size_t i = 0; i < pricing->count && status == LLMGR_OK && has_rates(pricing); i++) {
        const int64_t above = pricing->overrides[i].above;
        if (above > 0 && is_first(pricing, i, false))
            status = hand_out_above(text, pricing, above, offer, err);
    }
    return status;
}

static llmgr_status read_pricing(const struct lq_text *text, struct lj_span value,
                                 struct lq_offer *offer, struct llmgr_error *err)
{
    struct pricing pricing = {.count = 0};
    struct lj_member member;
    struct lj_walk walk;

    lq_rates_clear(pricing.rates);
    lj_walk_start(&walk, text->text, value.at, 4);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "overrides"))
            read_overrides(text, member.value, &pricing);
        else if (!read_rate(text, &member, pricing.rates) && !lq_is_nothing(text, member.value))
            lq_note_strange(text, member.name);
    }
    return hand_out(text, &pricing, offer, err);
}

/* ---- A model, and all of them ---------------------------------------------------------------- */

static llmgr_status read_model(struct lq_text *text, struct lj_span value, struct llmgr_error *err)
{
    struct lq_offer offer = {.provider = LB_STR("openrouter"), .currency = LB_STR("USD")};
    struct lj_span pricing = {0};
    char buf[LQ_IMPORT_NAME_MAX];
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text->text, value.at, 3);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "id"))
            offer.model = lq_string(text, member.value, buf, sizeof buf);
        else if (lb_str_eq_c(member.name, "pricing") && lq_kind(text, member.value) == '{')
            pricing = member.value;
    }
    text->model = offer.model;
    if (offer.model.size == 0 || pricing.size == 0) {
        lq_note_strange(text, LB_STR("a model without id or pricing"));
        return LLMGR_OK;
    }
    text->reading->models++;
    if (!text->reading->wants(text->reading->context, offer.provider, offer.model))
        return LLMGR_OK;
    text->reading->wanted++;
    return read_pricing(text, pricing, &offer, err);
}

/* The member `data` of the whole; false: there is none that is a list. */
bool lq_find_data(struct lb_str text, struct lj_span *data)
{
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text, lj_scan_space(text.p, 0, text.size), 1);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "data") && text.p[member.value.at] == '[') {
            *data = member.value;
            return true;
        }
    }
    return false;
}

llmgr_status lq_read_openrouter(const struct lq_text *text, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct lj_span data, element;
    struct lj_walk walk;

    if (!lq_find_data(text->text, &data))
        return LLMGR_OK;
    lj_list_start(&walk, text->text, data.at, 2);
    while (status == LLMGR_OK && lj_list_next(&walk, &element)) {
        struct lq_text model = *text;
        status = read_model(&model, element, err);
    }
    return status;
}
