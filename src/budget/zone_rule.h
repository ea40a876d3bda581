/* SPDX-License-Identifier: MIT */
/*
 * The end of a TZif file: the rule for all times behind its last transition, in POSIX's form of TZ
 * with the extensions of RFC 9636 section 3.3.1 ("EST5EDT,M3.2.0,M11.1.0", "<+08>-8").
 */
#ifndef LQ_ZONE_RULE_H
#define LQ_ZONE_RULE_H

#include "base/str.h"

/* When in a year the clocks are changed. */
struct lq_zone_date {
    enum { LQ_DATE_MONTH, LQ_DATE_JULIAN, LQ_DATE_DAY } kind; /* Mm.w.d, Jn, n */
    int month;                                                /* 1 to 12 */
    int week;                                                 /* 1 to 5; 5: the last */
    int day;      /* of the week from 0, Sunday, or of the year as the kind counts it */
    int64_t time; /* seconds from that day's beginning, local time; may be negative */
};

struct lq_zone_rule {
    int64_t standard; /* seconds ahead of UTC */
    int64_t daylight;
    bool has_daylight;
    struct lq_zone_date begins; /* daylight saving does, by standard time */
    struct lq_zone_date ends;   /* by daylight saving time */
};

/* False: it is none. */
bool lq_zone_rule_read(struct lb_str text, struct lq_zone_rule *rule);
/* Seconds ahead of UTC at a moment (seconds since 1970). */
int64_t lq_zone_rule_offset(const struct lq_zone_rule *rule, int64_t at);

#endif
