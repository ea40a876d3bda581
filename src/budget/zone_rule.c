/* SPDX-License-Identifier: MIT */
/* The rule at the end of a TZif file. See the header. */
#include "budget/zone_rule.h"

#include <time.h>

#include "base/when.h"

enum {
    HOUR_S = 3600,
    NAME_MIN = 3, /* letters of a zone's abbreviation */
    OFFSET_HOURS_MAX = 24,
    TIME_HOURS_MAX = 167, /* RFC 9636 section 3.3.1 */
    TIME_DEFAULT_S = 2 * HOUR_S
};

/* ---- Reading --------------------------------------------------------------------------------- */

static bool take_byte(struct lb_str *text, char byte)
{
    if (text->size == 0 || text->p[0] != byte)
        return false;
    *text = lb_str_sub(*text, 1, text->size);
    return true;
}

static bool take_number(struct lb_str *text, int max, int *number)
{
    int value = 0;
    size_t size = 0;

    for (; size < text->size && text->p[size] >= '0' && text->p[size] <= '9'; size++) {
        value = value * 10 + (text->p[size] - '0');
        if (value > max)
            return false;
    }
    *text = lb_str_sub(*text, size, text->size);
    *number = value;
    return size != 0;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct lb_str *text, int hours_max, int64_t *seconds)
{
    const bool is_negative = take_byte(text, '-');
    int hours;
    int minutes = 0;
    int rest = 0;

    if (!is_negative)
        (void)take_byte(text, '+');
    if (!take_number(text, hours_max, &hours))
        return false;
    if (take_byte(text, ':') && (!take_number(text, 59, &minutes) ||
                                 (take_byte(text, ':') && !take_number(text, 59, &rest))))
        return false;
    const int64_t value = (int64_t)hours * HOUR_S + minutes * 60 + rest;
    *seconds = is_negative ? -value : value;
    return true;
}

/* "CET", or "<+08>". */
static bool take_name(struct lb_str *text)
{
    const bool is_quoted = take_byte(text, '<');
    size_t size = 0;

    for (; size < text->size; size++) {
        const char c = lb_ascii_lower(text->p[size]);
        if (!(c >= 'a' && c <= 'z') &&
            !(is_quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
            break;
    }
    *text = lb_str_sub(*text, size, text->size);
    return size >= NAME_MIN && (!is_quoted || take_byte(text, '>'));
}

/* What POSIX gives is west of Greenwich. */
static bool take_offset(struct lb_str *text, int64_t *ahead)
{
    int64_t behind;

    if (!take_time(text, OFFSET_HOURS_MAX, &behind))
        return false;
    *ahead = -behind;
    return true;
}

static bool take_date(struct lb_str *text, struct lq_zone_date *date)
{
    *date = (struct lq_zone_date){.kind = LQ_DATE_DAY, .time = TIME_DEFAULT_S};
    if (!take_byte(text, ','))
        return false;
    if (take_byte(text, 'M')) {
        date->kind = LQ_DATE_MONTH;
        if (!take_number(text, 12, &date->month) || date->month == 0 || !take_byte(text, '.') ||
            !take_number(text, 5, &date->week) || date->week == 0 || !take_byte(text, '.') ||
            !take_number(text, 6, &date->day))
            return false;
    } else if (take_byte(text, 'J')) {
        date->kind = LQ_DATE_JULIAN;
        if (!take_number(text, 365, &date->day) || date->day == 0)
            return false;
    } else if (!take_number(text, 365, &date->day)) {
        return false;
    }
    return !take_byte(text, '/') || take_time(text, TIME_HOURS_MAX, &date->time);
}

bool lq_zone_rule_read(struct lb_str text, struct lq_zone_rule *rule)
{
    *rule = (struct lq_zone_rule){0};
    if (!take_name(&text) || !take_offset(&text, &rule->standard))
        return false;
    if (text.size == 0)
        return true;
    rule->has_daylight = true;
    rule->daylight = rule->standard + HOUR_S;
    if (!take_name(&text))
        return false;
    if (text.size != 0 && text.p[0] != ',' && !take_offset(&text, &rule->daylight))
        return false;
    return take_date(&text, &rule->begins) && take_date(&text, &rule->ends) && text.size == 0;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The day of Mm.w.d, in seconds from 1970. */
static bool month_day(const struct lq_zone_date *date, int64_t year, int64_t *seconds)
{
    int64_t first;
    int64_t next;

    if (!lb_when_day(year, date->month, 1, &first) ||
        !lb_when_day(date->month == 12 ? year + 1 : year, date->month % 12 + 1, 1, &next))
        return false;
    /* 1970 began on a Thursday. */
    const int64_t weekday = (first / LB_DAY_S + 4) % 7;
    int64_t day = (date->day - weekday + 7) % 7 + (int64_t)(date->week - 1) * 7;
    if (first + day * LB_DAY_S >= next)
        day -= 7;
    *seconds = first + day * LB_DAY_S;
    return true;
}

/* The moment of a change in local time, in seconds from 1970 as if that were UTC. */
static bool local_change(const struct lq_zone_date *date, int64_t year, int64_t *seconds)
{
    int64_t day;

    if (date->kind == LQ_DATE_MONTH) {
        if (!month_day(date, year, &day))
            return false;
    } else {
        int64_t nth = date->day;
        if (!lb_when_day(year, 1, 1, &day))
            return false;
        /* Julian days never count 29 February, and count from 1. */
        if (date->kind == LQ_DATE_JULIAN)
            nth += is_leap(year) && nth >= 60 ? 0 : -1;
        day += nth * LB_DAY_S;
    }
    *seconds = day + date->time;
    return true;
}

int64_t lq_zone_rule_offset(const struct lq_zone_rule *rule, int64_t at)
{
    const time_t local = (time_t)(at + rule->standard);
    int64_t begins;
    int64_t ends;
    struct tm parts;

    if (!rule->has_daylight || gmtime_r(&local, &parts) == NULL)
        return rule->standard;
    const int64_t year = (int64_t)parts.tm_year + 1900;
    if (!local_change(&rule->begins, year, &begins) || !local_change(&rule->ends, year, &ends))
        return rule->standard;
    begins -= rule->standard;
    ends -= rule->daylight;
    const bool is_daylight =
        begins < ends ? at >= begins && at < ends : !(at >= ends && at < begins);
    return is_daylight ? rule->daylight : rule->standard;
}
