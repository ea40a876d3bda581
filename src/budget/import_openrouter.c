/* SPDX-License-Identifier: MIT */
/*
 * What OpenRouter answers to GET /api/v1/models (its documented form): USD per token, request or
 * call, as texts.
 *
 *     {"data": [{"id": "deepseek/deepseek-chat", "pricing": {"prompt": "0.00000027", …}}]}
 *
 * The provider is "openrouter" itself: an id is the model name that it is asked for.
 */
#include "budget/import_read.h"

#include "base/error.h"

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

static void read_rate(const struct lq_text *text, const struct lj_member *member, int64_t *cells)
{
    for (size_t i = 0; i < RATE_COUNT; i++) {
        if (!lb_str_eq_c(member->name, RATES[i].name))
            continue;
        if (!RATES[i].zero_is_none || !lq_is_nothing(text, member->value))
            lq_rate(text, member->value, 1, member->name, &cells[RATES[i].unit]);
        return;
    }
    if (!lq_is_nothing(text, member->value))
        lq_note_strange(text, member->name);
}

static llmgr_status read_pricing(const struct lq_text *text, struct lj_span pricing,
                                 struct lq_offer *offer, struct llmgr_error *err)
{
    struct lj_member member;
    struct lq_grid grid;
    struct lj_walk walk;

    lq_grid_init(&grid);
    lj_walk_start(&walk, text->text, pricing.at, 4);
    while (lj_walk_next(&walk, &member))
        read_rate(text, &member, lq_grid_at(&grid, 0, LB_STR("")));
    return lq_grid_hand_out(text, &grid, offer, err);
}

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
