/* SPDX-License-Identifier: MIT */
/* A price by its number, for the faces that answer with one. */
#ifndef LA_PRICES_H
#define LA_PRICES_H

#include "llmgr.h"

/*
 * A list of that price alone, also of one that has ended, or ERR_NOT_FOUND. `user` as of
 * llmgr_prices; llmgr_price_list_clear frees it.
 */
LLMGR_MUST_CHECK llmgr_status la_price(struct llmgr *manager, const char *user, int64_t price_id,
                                       struct llmgr_price_list *list, struct llmgr_error *err);

#endif
