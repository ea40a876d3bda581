/* SPDX-License-Identifier: MIT */
/*
 * The prices in force, as they stood at one revision of the database: immutable, shared by counting
 * references, and part of the catalogue, which is swapped in whole when anything of it changes. An
 * attempt holds the book of the moment at which it begins, so what changes later changes nothing of
 * it; looking into one takes no lock and asks no database.
 */
#ifndef LQ_BOOK_H
#define LQ_BOOK_H

#include "budget/price.h"
#include "base/host.h"

struct ll_usage;
struct lm_manager;
struct lq_book;
struct ls_tx;

enum {
    LQ_ENDED_KEPT_MS = 24 * 3600 * 1000, /* so long prices stay in it that have ended */
    LQ_BOOK_BYTES_MAX = 256 << 20,
};

/*
 * Reads the prices in force at `now_ms`, or to come, or that have ended shortly before; *book is
 * NULL if there are none. A price that cannot be told here (a unit of a later release, a time zone
 * that this system does not have) is in it, and what it decides is unpriced; the log says so.
 */
LLMGR_MUST_CHECK llmgr_status lq_book_load(const struct lb_host *host, struct ls_tx *tx,
                                           int64_t now_ms, struct lq_book **book,
                                           struct llmgr_error *err);
/* One more reference, or one less; NULL is fine, also below. */
struct lq_book *lq_book_hold(struct lq_book *book);
void lq_book_drop(struct lq_book *book);

/* The newest one that the manager knows, held for the caller. */
struct lq_book *lq_book_now(struct lm_manager *manager);

/* The price that decides about a use of this model (what the platform is asked for), or NULL. */
const struct lq_price *lq_book_find(const struct lq_book *book, int64_t platform_id,
                                    struct lb_str model, const struct lq_use *use);

/*
 * An attempt of which all else is known gets its cost, its currency and the number of the price
 * that decided: the currency is borrowed from the book. Unpriced, it has none; if a price decided,
 * but its cost cannot be told, the price's number stands there all the same.
 */
void lq_price_usage(const struct lq_book *book, struct ll_usage *usage);

#endif
