/* SPDX-License-Identifier: MIT */
/*
 * Importing prices: what a catalogue offers for the platforms that there are, set in one
 * transaction.
 */
#ifndef LQ_IMPORT_SET_H
#define LQ_IMPORT_SET_H

#include "base/arena.h"
#include "budget/import.h"
#include "manager/manager.h"

/* See llmgr_price_import. What the report names is in `arena`. */
LLMGR_MUST_CHECK llmgr_status lq_import(struct lm_manager *manager, struct lm_actor actor,
                                        struct lb_str text,
                                        const struct llmgr_price_import_options *options,
                                        struct lb_arena *arena,
                                        struct llmgr_price_import_report *report,
                                        struct llmgr_error *err);

#endif
