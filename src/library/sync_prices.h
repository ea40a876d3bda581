/* SPDX-License-Identifier: MIT */
/*
 * The prices of llmgr.yaml, which are a part of its synchronisation: judged before anything is
 * written, and set in the transaction that writes the platforms, whose numbers they name.
 */
#ifndef LA_SYNC_PRICES_H
#define LA_SYNC_PRICES_H

#include "llmgr.h"
#include "manager/sync.h"

struct la_sync_prices;

/*
 * Reads them from the defaults, which stay the caller's. ERR_CONFIG names file, line and model of
 * what is no price. To be ended by la_prices_free.
 */
LLMGR_MUST_CHECK llmgr_status la_prices_read(struct llmgr *manager,
                                             const struct lm_defaults *defaults,
                                             struct la_sync_prices **prices,
                                             struct llmgr_error *err);
void la_prices_free(struct la_sync_prices *prices); /* NULL is fine */
/*
 * For lm_sync: sets them, and ends those that the file has no longer. ERR_CONFIG names file, line
 * and model of what clashes with one set by hand.
 */
struct lm_sync_also la_prices_also(struct la_sync_prices *prices);
/* Are those in the database the file's? By one statement, if nothing has changed. */
LLMGR_MUST_CHECK llmgr_status la_prices_check(struct llmgr *manager,
                                              const struct lm_defaults *defaults, bool *current,
                                              struct llmgr_error *err);

#endif
