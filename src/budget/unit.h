/* SPDX-License-Identifier: MIT */
/* The units of prices by name: LLMGR_PRICE_UNIT_MAP, asked with slices. */
#ifndef LQ_UNIT_H
#define LQ_UNIT_H

#include "base/str.h"
#include "llmgr.h"

/* The unit of that name; false, and nothing written, if there is none. */
bool lq_unit_find(struct lb_str name, llmgr_price_unit *unit);
/* None of them is set. */
void lq_rates_clear(int64_t rates[LLMGR_PRICE_UNIT_COUNT]);

#endif
