/* SPDX-License-Identifier: MIT */
/* The calendar. See when.h. */
#include "base/when.h"

#include <stdio.h>
#include <time.h>

enum {
    SECOND_MS = 1000,
    NUMBER_MIN = 9 /* digits of a number of ms */
};

/* ---- Reading --------------------------------------------------------------------------------- */

/* Exactly `size` digits from `at` on; -1 if there is anything else. */
static int digits(struct lb_str text, size_t at, size_t size)
{
    uint64_t value;

    if (at + size > text.size || !lb_str_to_u64(lb_str_sub(text, at, at + size), &value))
        return -1;
    return (int)value;
}

bool lb_when_day(int64_t year, int64_t month, int64_t day, int64_t *seconds)
{
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    struct tm parts = {.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
    time_t found = timegm(&parts);
    /* The 31st of February became a day of March. */
    if (found < 0 || parts.tm_mday != day)
        return false;
    *seconds = (int64_t)found;
    return true;
}

bool lb_when_parse_day(struct lb_str text, int64_t *ms)
{
    int64_t seconds;

    if (text.size != 10 || text.p[4] != '-' || text.p[7] != '-' ||
        !lb_when_day(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2), &seconds))
        return false;
    *ms = seconds * SECOND_MS;
    return true;
}

/* "Z", "+08:00", "-05:30", or nothing, to the end of the text: minutes east. */
static bool read_offset(struct lb_str text, int *minutes)
{
    if (text.size == 0 || (text.size == 1 && lb_ascii_lower(text.p[0]) == 'z')) {
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

/* ":37.25" from `at` on, or nothing: ms, and where it ends. */
static bool read_seconds(struct lb_str text, size_t *at, int *ms)
{
    *ms = 0;
    if (*at >= text.size || text.p[*at] != ':')
        return true;
    int second = digits(text, *at + 1, 2);
    if (second < 0 || second > 60)
        return false;
    *at += 3;
    *ms = second * SECOND_MS;
    if (*at >= text.size || text.p[*at] != '.')
        return true;
    size_t first = ++*at;
    for (int weight = 100; *at < text.size && text.p[*at] >= '0' && text.p[*at] <= '9'; ++*at) {
        *ms += (text.p[*at] - '0') * weight;
        weight /= 10;
    }
    return *at > first;
}

/* "T18:00:00Z" after the day: ms of UTC to add to the day's beginning. */
static bool read_time(struct lb_str text, int64_t *ms)
{
    int hour = digits(text, 1, 2), minute = digits(text, 4, 2), rest, offset;
    size_t at = 6;

    if (text.size < at || (lb_ascii_lower(text.p[0]) != 't' && text.p[0] != ' ') ||
        text.p[3] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        !read_seconds(text, &at, &rest) || !read_offset(lb_str_sub(text, at, text.size), &offset))
        return false;
    *ms = (int64_t)(hour * 60 + minute - offset) * 60 * SECOND_MS + rest;
    return true;
}

/* "90m": a time before now. */
static bool read_age(struct lb_str text, int64_t now_ms, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } UNITS[] = {{'m', 60000}, {'h', 3600000}, {'d', (int64_t)LB_DAY_S * SECOND_MS}};
    uint64_t count;

    if (text.size < 2 || !lb_str_to_u64(lb_str_sub(text, 0, text.size - 1), &count))
        return false;
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (text.p[text.size - 1] != UNITS[i].unit)
            continue;
        if (now_ms < 0 || count > (uint64_t)(now_ms / UNITS[i].ms))
            return false;
        *ms = now_ms - (int64_t)count * UNITS[i].ms;
        return true;
    }
    return false;
}

bool lb_when_parse(struct lb_str text, int64_t now_ms, int64_t *ms)
{
    int64_t number, day, time = 0;

    if (lb_str_to_i64(text, &number)) {
        if (number < 0 || (number != 0 && text.size < NUMBER_MIN))
            return false;
        *ms = number;
        return true;
    }
    if (read_age(text, now_ms, ms))
        return true;
    if (!lb_when_parse_day(lb_str_sub(text, 0, 10), &day))
        return false;
    if (text.size > 10 && !read_time(lb_str_sub(text, 10, text.size), &time))
        return false;
    if (day + time < 0)
        return false;
    *ms = day + time;
    return true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool parts_of(int64_t ms, struct tm *parts)
{
    time_t seconds = (time_t)(ms / SECOND_MS);

    return gmtime_r(&seconds, parts) != NULL;
}

const char *lb_when_print(int64_t ms, enum lb_when_form form, char text[LB_WHEN_TEXT])
{
    struct tm parts;
    size_t size = 0;

    if (!parts_of(ms, &parts)) {
        text[0] = '\0';
        return text;
    }
    /* Numbers only: no locale changes them. */
    switch (form) {
    case LB_WHEN_DAY:
        size = strftime(text, LB_WHEN_TEXT, "%Y-%m-%d", &parts);
        break;
    case LB_WHEN_MINUTE:
        size = strftime(text, LB_WHEN_TEXT, "%Y-%m-%d %H:%MZ", &parts);
        break;
    case LB_WHEN_TIME:
        size = strftime(text, LB_WHEN_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts);
        break;
    case LB_WHEN_STAMP:
        size = strftime(text, LB_WHEN_TEXT, "%Y%m%dt%H%M%S", &parts);
        break;
    case LB_WHEN_TIME_MS:
        size = strftime(text, LB_WHEN_TEXT - 5, "%Y-%m-%dT%H:%M:%S", &parts);
        if (size != 0)
            (void)snprintf(text + size, LB_WHEN_TEXT - size, ".%03dZ", (int)(ms % SECOND_MS));
        break;
    }
    /* strftime leaves the text undefined when it does not fit. */
    if (size == 0)
        text[0] = '\0';
    return text;
}

const char *lb_when_print_http(int64_t ms, char text[LB_WHEN_TEXT])
{
    /* Not strftime's names, which follow the locale. */
    static const char DAYS[] = "SunMonTueWedThuFriSat";
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm parts;

    text[0] = '\0';
    if (parts_of(ms, &parts))
        (void)snprintf(text, LB_WHEN_TEXT, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                       DAYS + 3 * parts.tm_wday, parts.tm_mday, MONTHS + 3 * parts.tm_mon,
                       parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}
