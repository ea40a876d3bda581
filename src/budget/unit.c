/* SPDX-License-Identifier: MIT */
/* The units of prices, also for hosts. See the header, and llmgr.h. */
#include "budget/unit.h"

static const struct {
    const char *name;
    int64_t per;
} units[] = {
#define UNIT(NAME, number, text, parent, written_for)                                              \
    [LLMGR_PRICE_UNIT_##NAME] = {.name = text, .per = written_for},
    LLMGR_PRICE_UNIT_MAP(UNIT)
#undef UNIT
};

static bool is_unit(llmgr_price_unit unit)
{
    return (unsigned)unit < LLMGR_PRICE_UNIT_COUNT;
}

const char *llmgr_price_unit_name(llmgr_price_unit unit)
{
    return is_unit(unit) ? units[unit].name : NULL;
}

int64_t llmgr_price_unit_per(llmgr_price_unit unit)
{
    return is_unit(unit) ? units[unit].per : 0;
}

bool lq_unit_find(struct lb_str name, llmgr_price_unit *unit)
{
    for (int i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        if (lb_str_eq_c(name, units[i].name)) {
            *unit = (llmgr_price_unit)i;
            return true;
        }
    }
    return false;
}

bool llmgr_price_unit_parse(const char *name, llmgr_price_unit *unit)
{
    return name != NULL && lq_unit_find(lb_cstr(name), unit);
}

void lq_rates_clear(int64_t rates[LLMGR_PRICE_UNIT_COUNT])
{
    for (int i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++)
        rates[i] = LLMGR_UNSET;
}
