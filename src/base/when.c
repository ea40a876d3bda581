/* SPDX-License-Identifier: MIT */
/* The Gregorian calendar by arithmetic: no time zone of the host, no locale, no static buffer. */
#include "base/when.h"

enum {
    MS = 1000,
    DAY_MS = 24 * 60 * 60 * MS,
    NUMBER_MIN = 9 /* digits: 2026 and 20260131 are meant otherwise */
};

/* Exactly `size` digits from `at` on; -1 if there is anything else. */
static int digits(struct lb_str text, size_t at, size_t size)
{
    uint64_t value;

    if (at + size > text.size || !lb_str_to_u64(lb_str_sub(text, at, at + size), &value))
        return -1;
    return (int)value;
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to a day; false if there is no such day. */
static bool days_to(int year, int month, int day, int64_t *days)
{
    static const int BEFORE[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t sum = 0;

    if (year < 1970 || month < 1 || month > 12 || day < 1)
        return false;
    int length = BEFORE[month] - BEFORE[month - 1] + (month == 2 && leap(year));
    if (day > length)
        return false;
    int before = year - 1;
    sum = (int64_t)365 * (year - 1970) + (before / 4 - before / 100 + before / 400) - 477;
    sum += BEFORE[month - 1] + (month > 2 && leap(year)) + day - 1;
    *days = sum;
    return true;
}

/* "Z", "+08:00", "-05:30" to the end of the text: minutes east. */
static bool read_offset(struct lb_str text, int *minutes)
{
    if (text.size == 1 && lb_ascii_lower(text.p[0]) == 'z') {
        *minutes = 0;
        return true;
    }
    int hours = digits(text, 1, 2), rest = digits(text, 4, 2);
    if (text.size != 6 || (text.p[0] != '+' && text.p[0] != '-') || text.p[3] != ':' || hours < 0 ||
        hours > 23 || rest < 0 || rest > 59)
        return false;
    *minutes = (text.p[0] == '-' ? -1 : 1) * (hours * 60 + rest);
    return true;
}

/* "T18:00:00Z" after the day: ms of UTC to add to the day's beginning. */
static bool read_time(struct lb_str text, int64_t *ms)
{
    int hour = digits(text, 1, 2), minute = digits(text, 4, 2), second = digits(text, 7, 2);
    int offset, fraction = 0;
    size_t at = 9;

    if (text.size < 10 || (lb_ascii_lower(text.p[0]) != 't' && text.p[0] != ' ') ||
        text.p[3] != ':' || text.p[6] != ':' || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60)
        return false;
    if (text.p[at] == '.') {
        int weight = 100;
        for (at++; at < text.size && text.p[at] >= '0' && text.p[at] <= '9'; at++) {
            fraction += (text.p[at] - '0') * weight;
            weight /= 10;
        }
        if (at == 10)
            return false;
    }
    if (!read_offset(lb_str_sub(text, at, text.size), &offset))
        return false;
    *ms = ((int64_t)(hour * 60 + minute - offset) * 60 + second) * MS + fraction;
    return true;
}

bool lb_when_parse(struct lb_str text, int64_t *ms)
{
    int64_t number, days, time = 0;

    if (lb_str_to_i64(text, &number)) {
        if (number < 0 || (number != 0 && text.size < NUMBER_MIN))
            return false;
        *ms = number;
        return true;
    }
    if (text.size < 10 || text.p[4] != '-' || text.p[7] != '-' ||
        !days_to(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2), &days))
        return false;
    if (text.size > 10 && !read_time(lb_str_sub(text, 10, text.size), &time))
        return false;
    int64_t sum = days * DAY_MS + time;
    if (sum < 0)
        return false;
    *ms = sum;
    return true;
}
