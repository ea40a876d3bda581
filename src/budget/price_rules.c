/* SPDX-License-Identifier: MIT */
/* What a price must be, whatever the rows say: its match, its conditions, its rates. */
#include "base/error.h"
#include "budget/hours.h"
#include "budget/prices.h"
#include "budget/zone.h"
#include "ledger/rows.h"

enum { SHOWN_MAX = 48 }; /* bytes of a faulty member that an error quotes */

#define SHOW(s) (int)lb_utf8_cut((s), SHOWN_MAX), (s).p

static llmgr_status judge_model(struct lb_str model, struct llmgr_error *err)
{
    const size_t star = lb_str_find(model, '*');

    if (!lb_utf8_name(model, LLMGR_PRICE_MODEL_MAX) || lb_str_trim(model).size != model.size)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid model: give a model name or a pattern of 1 to %d bytes, without "
                          "control characters or blanks around it"),
                       LLMGR_PRICE_MODEL_MAX);
    if (star < model.size &&
        lb_str_find(lb_str_sub(model, star + 1, model.size), '*') + star + 1 < model.size)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid model '%.*s': it has more than one '*'; give one, such as in "
                          "claude-*"),
                       SHOW(model));
    return LLMGR_OK;
}

static llmgr_status judge_currency(struct lb_str currency, struct llmgr_error *err)
{
    return ll_is_currency(currency)
               ? LLMGR_OK
               : lb_fail(err, LLMGR_ERR_INVALID,
                         N_("invalid currency '%.*s'; give three capitals (ISO 4217), such as "
                            "USD"),
                         SHOW(currency));
}

/* A word of platforms and catalogues: "flex", "models.dev". */
static llmgr_status judge_word(struct lb_str word, const char *noun, size_t max,
                               struct llmgr_error *err)
{
    bool is_word = word.size <= max;

    for (size_t i = 0; i < word.size; i++)
        is_word = is_word && word.p[i] > ' ' && word.p[i] < 0x7f;
    return is_word ? LLMGR_OK
                   : lb_fail(err, LLMGR_ERR_INVALID,
                             N_("invalid %s '%.*s'; give up to %zu letters, digits and signs "
                                "without blanks"),
                             lb_tr(noun), SHOW(word), max);
}

static llmgr_status judge_rates(const int64_t *rates, struct llmgr_error *err)
{
    bool has_some = false;

    for (int i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        if (rates[i] == LLMGR_UNSET)
            continue;
        has_some = true;
        if (rates[i] < 0 || rates[i] > LLMGR_RATE_MAX)
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("invalid rate of %s: a rate is 0 to 1000000 for one unit"),
                           llmgr_price_unit_name((llmgr_price_unit)i));
    }
    return has_some ? LLMGR_OK
                    : lb_fail(err, LLMGR_ERR_INVALID,
                              N_("a price without rates says nothing; give one at least, such as "
                                 "that of input"));
}

static llmgr_status judge_times(const struct lq_price_spec *spec, struct llmgr_error *err)
{
    if (spec->from_ms < 0 || spec->until_ms < 0 ||
        (spec->until_ms != 0 && spec->until_ms <= spec->from_ms))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the price would end before it begins; `until` is after `from`"));
    if (spec->above_tokens < 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("a number of prompt tokens is negative; give 0 or more"));
    return LLMGR_OK;
}

static llmgr_status judge_hours(const struct lb_host *host, const struct lq_price_spec *spec,
                                struct llmgr_error *err)
{
    struct lq_zone *zone;
    struct lq_hours hours;

    if (spec->hours.size == 0)
        return spec->time_zone.size == 0
                   ? LLMGR_OK
                   : lb_fail(err, LLMGR_ERR_INVALID,
                             N_("a time zone says nothing without hours; give both or none"));
    llmgr_status status = lq_hours_read(spec->hours, &hours, err);
    if (status == LLMGR_OK)
        status = lq_zone_load(host, spec->time_zone, &zone, err);
    if (status == LLMGR_OK)
        lq_zone_free(zone);
    return status;
}

llmgr_status lq_price_judge(const struct lb_host *host, int64_t now_ms, struct lq_price_spec *spec,
                            struct llmgr_error *err)
{
    if (spec->model.size == 0)
        spec->model = LB_STR("*");
    if (spec->currency.size == 0)
        spec->currency = LB_STR("USD");
    if (spec->hours.size != 0 && spec->time_zone.size == 0)
        spec->time_zone = LB_STR("UTC");
    if (spec->from_ms == 0)
        spec->from_ms = now_ms;
    llmgr_status status = judge_model(spec->model, err);
    if (status == LLMGR_OK)
        status = judge_currency(spec->currency, err);
    if (status == LLMGR_OK)
        status = judge_word(spec->service_tier, N_("service tier"), LLMGR_PRICE_TIER_MAX, err);
    if (status == LLMGR_OK)
        status = judge_word(spec->source, N_("source"), LLMGR_PRICE_SOURCE_MAX, err);
    if (status == LLMGR_OK)
        status = judge_rates(spec->rates, err);
    if (status == LLMGR_OK)
        status = judge_times(spec, err);
    return status == LLMGR_OK ? judge_hours(host, spec, err) : status;
}
