/* SPDX-License-Identifier: MIT */
/*
 * Hours of the day at which a price holds: "16:30-00:30", or "mon-fri 09:00-18:00". They are those
 * of a clock on the wall in their zone, so a day of 23 hours has fewer of them and one of 25 more.
 * Hours that end earlier than they begin end on the next day; a weekday is that on which they
 * begin.
 */
#ifndef LQ_HOURS_H
#define LQ_HOURS_H

#include "base/str.h"
#include "llmgr.h"

struct lq_zone;

struct lq_hours {
    int from;      /* minute of the day */
    int until;     /* exclusive, up to 24:00 */
    unsigned days; /* bit 0: those that begin on a Monday */
};

/* ERR_INVALID says how they are written. */
LLMGR_MUST_CHECK llmgr_status lq_hours_read(struct lb_str text, struct lq_hours *hours,
                                            struct llmgr_error *err);
/* Do they hold at this moment (ms since 1970)? */
bool lq_hours_hold(const struct lq_hours *hours, const struct lq_zone *zone, int64_t at_ms);

#endif
