/* SPDX-License-Identifier: MIT */
/* Hours of the day. See the header. */
#include "budget/hours.h"

#include "base/error.h"
#include "base/when.h"
#include "budget/zone.h"

enum {
    MINUTES = 24 * 60,
    WEEK = 7,
    EVERY_DAY = (1 << WEEK) - 1,
    SHOWN_MAX = LLMGR_PRICE_HOURS_MAX
};

/* ---- Reading --------------------------------------------------------------------------------- */

/* Which day of the week these three letters are; -1: none. */
static int weekday(struct lb_str name)
{
    static const char names[] = "montuewedthufrisatsun";

    for (int i = 0; i < WEEK; i++) {
        if (lb_str_eq(name, lb_str(names + (ptrdiff_t)3 * i, 3)))
            return i;
    }
    return -1;
}

/* "mon", or "fri-mon": round the week's end. */
static bool read_days_part(struct lb_str part, unsigned *days)
{
    const int first = weekday(lb_str_sub(part, 0, 3));
    const int last = part.size == 3 ? first : weekday(lb_str_sub(part, 4, part.size));

    if (first < 0 || last < 0 || (part.size != 3 && part.p[3] != '-'))
        return false;
    *days |= 1U << last;
    for (int day = first; day != last; day = (day + 1) % WEEK)
        *days |= 1U << day;
    return true;
}

static bool read_days(struct lb_str text, unsigned *days)
{
    *days = 0;
    for (;;) {
        const size_t comma = lb_str_find(text, ',');
        if (comma < 3 || !read_days_part(lb_str_sub(text, 0, comma), days))
            return false;
        if (comma == text.size)
            return true;
        text = lb_str_sub(text, comma + 1, text.size);
    }
}

/* "16:30", as a minute of the day. */
static bool read_minute(struct lb_str text, int *minute)
{
    uint64_t hour;
    uint64_t rest;

    if (text.size != 5 || text.p[2] != ':' || !lb_str_to_u64(lb_str_sub(text, 0, 2), &hour) ||
        !lb_str_to_u64(lb_str_sub(text, 3, 5), &rest) || rest >= 60)
        return false;
    *minute = (int)(hour * 60 + rest);
    return *minute <= MINUTES;
}

llmgr_status lq_hours_read(struct lb_str text, struct lq_hours *hours, struct llmgr_error *err)
{
    struct lq_hours read = {.days = EVERY_DAY};
    struct lb_str times = text;
    const size_t blank = lb_str_find(text, ' ');
    bool is_read = true;

    if (blank < text.size) {
        is_read = read_days(lb_str_sub(text, 0, blank), &read.days);
        times = lb_str_sub(text, blank + 1, text.size);
    }
    is_read = is_read && times.size == 11 && times.p[5] == '-' &&
              read_minute(lb_str_sub(times, 0, 5), &read.from) &&
              read_minute(lb_str_sub(times, 6, 11), &read.until) && read.from < MINUTES &&
              read.from != read.until;
    if (!is_read)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("'%.*s' are no hours; write them as in 16:30-00:30 or "
                          "'mon-fri 09:00-18:00'"),
                       (int)lb_utf8_cut(text, SHOWN_MAX), text.p != NULL ? text.p : "");
    *hours = read;
    return LLMGR_OK;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

bool lq_hours_hold(const struct lq_hours *hours, const struct lq_zone *zone, int64_t at_ms)
{
    const int64_t at = at_ms / 1000;
    /* A week is added so that no day is before the first. */
    const int64_t local = at + lq_zone_offset(zone, at) + (int64_t)WEEK * LB_DAY_S;
    const int minute = (int)(local % LB_DAY_S / 60);
    /* 1970 began on a Thursday. */
    const int today = (int)((local / LB_DAY_S + 3) % WEEK);
    const bool over_night = hours->until <= hours->from;
    int day = today;

    if (over_night ? minute < hours->from && minute >= hours->until
                   : minute < hours->from || minute >= hours->until)
        return false;
    if (over_night && minute < hours->until)
        day = (today + WEEK - 1) % WEEK;
    return (hours->days >> day & 1U) != 0;
}
