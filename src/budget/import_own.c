/* SPDX-License-Identifier: MIT */
/*
 * Our own form, which `llmgr price list --json` and GET /api/prices write: a list of prices, or an
 * object with that list as `data`. Rates are decimals by the names of LLMGR_PRICE_UNIT_MAP, for as
 * many units as stand there.
 *
 *     [{"platform_name": "DeepSeek", "model": "deepseek-chat", "currency": "USD",
 *       "above_tokens": 0, "rates": {"input": "0.27", "output": "1.1"}}]
 *
 * A price of which one member is not understood is left out whole: without that member it would be
 * another price.
 */
#include "budget/import_read.h"

#include "base/error.h"
#include "budget/unit.h"

enum { TEXT_COUNT = 6 };

/* Members that are texts, with the offer's slice that takes each. */
#define TEXT_MAP(XX)                                                                               \
    XX("platform_name", provider)                                                                  \
    XX("model", model)                                                                             \
    XX("currency", currency)                                                                       \
    XX("service_tier", service_tier)                                                               \
    XX("hours", hours)                                                                             \
    XX("time_zone", time_zone)

#define COUNT_MAP(XX)                                                                              \
    XX("from_ms", from_ms)                                                                         \
    XX("until_ms", until_ms)                                                                       \
    XX("above_tokens", above_tokens)

/* What only tells where a price stood. */
static const char *const PASSED[] = {"price_id", "platform_id", "source", "created_at_ms"};

struct row {
    struct lq_text text;
    struct lq_offer offer;
    struct lj_span rates;
    char texts[TEXT_COUNT][LQ_IMPORT_NAME_MAX];
    bool understood;
};

static void refuse(struct row *row, struct lb_str name)
{
    row->understood = false;
    lq_note_strange(&row->text, name);
}

static void take_text(struct row *row, const struct lj_member *member, char *buf,
                      struct lb_str *text)
{
    if (lq_kind(&row->text, member->value) == 'n')
        return;
    *text = lq_string(&row->text, member->value, buf, LQ_IMPORT_NAME_MAX);
    if (text->p == NULL)
        refuse(row, member->name);
}

static void take_count(struct row *row, const struct lj_member *member, int64_t *count)
{
    if (lq_kind(&row->text, member->value) != 'n' && !lq_count(&row->text, member->value, count))
        refuse(row, member->name);
}

static bool is_passed(struct lb_str name)
{
    for (size_t i = 0; i < sizeof PASSED / sizeof *PASSED; i++) {
        if (lb_str_eq_c(name, PASSED[i]))
            return true;
    }
    return false;
}

static void read_member(struct row *row, const struct lj_member *member)
{
    size_t place = 0;

#define TAKE_TEXT(name_text, slice)                                                                \
    if (lb_str_eq_c(member->name, name_text)) {                                                    \
        take_text(row, member, row->texts[place], &row->offer.slice);                              \
        return;                                                                                    \
    }                                                                                              \
    place++;
    TEXT_MAP(TAKE_TEXT)
#undef TAKE_TEXT
#define TAKE_COUNT(name_text, count)                                                               \
    if (lb_str_eq_c(member->name, name_text)) {                                                    \
        take_count(row, member, &row->offer.count);                                                \
        return;                                                                                    \
    }
    COUNT_MAP(TAKE_COUNT)
#undef TAKE_COUNT
    if (lb_str_eq_c(member->name, "rates"))
        row->rates = member->value;
    else if (!is_passed(member->name))
        refuse(row, member->name);
}

static void read_rate(struct row *row, const struct lj_member *member)
{
    llmgr_price_unit unit;

    if (!lq_unit_find(member->name, &unit)) {
        refuse(row, member->name);
        return;
    }
    lq_rate(&row->text, member->value, llmgr_price_unit_per(unit), member->name,
            &row->offer.rates[unit]);
    if (row->offer.rates[unit] == LLMGR_UNSET)
        row->understood = false;
}

static void read_rates(struct row *row)
{
    struct lj_member member;
    struct lj_walk walk;

    lq_rates_clear(row->offer.rates);
    lj_walk_start(&walk, row->text.text, row->rates.at, 4);
    while (row->rates.size != 0 && lj_walk_next(&walk, &member))
        read_rate(row, &member);
    if (row->rates.size == 0 || walk.why != NULL)
        refuse(row, LB_STR("rates"));
}

static llmgr_status read_row(struct row *row, struct lj_span value, struct llmgr_error *err)
{
    struct lq_reading *reading = row->text.reading;
    struct lj_member member;
    struct lj_walk walk;

    row->understood = true;
    row->offer = (struct lq_offer){.currency = LB_STR("USD"), .model = LB_STR("*")};
    row->rates = (struct lj_span){0};
    row->text.model = lb_str(NULL, 0);
    lj_walk_start(&walk, row->text.text, value.at, 3);
    while (lj_walk_next(&walk, &member)) {
        read_member(row, &member);
        row->text.model = row->offer.model;
    }
    if (walk.why != NULL) {
        refuse(row, LB_STR("a price that is no object"));
        return LLMGR_OK;
    }
    reading->models++;
    if (!reading->wants(reading->context, row->offer.provider, row->offer.model))
        return LLMGR_OK;
    reading->wanted++;
    read_rates(row);
    return row->understood ? reading->take(reading->context, &row->offer, err) : LLMGR_OK;
}

llmgr_status lq_read_own(const struct lq_text *text, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct row row = {.text = *text};
    struct lj_span data = {.at = lj_scan_space(text->text.p, 0, text->text.size)};
    struct lj_span element;
    struct lj_walk walk;

    if (text->text.p[data.at] == '{' && !lq_find_data(text->text, &data))
        return LLMGR_OK;
    lj_list_start(&walk, text->text, data.at, 2);
    while (status == LLMGR_OK && lj_list_next(&walk, &element))
        status = read_row(&row, element, err);
    return status;
}
