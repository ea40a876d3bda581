/* SPDX-License-Identifier: MIT */
/*
 * One reader of times for all fields, a table of the fields that say when a limit is whole again,
 * and Google's member of an error. See the header.
 */
#include "dialect/retry_after.h"

#include "base/when.h"
#include "json/write.h"

enum {
    UNIX_S_MIN = 1000 * 1000 * 1000, /* a number from here on is a point in time: 2001 and later */
    TIME_AT = 10,                    /* where the T of an RFC 3339 time stands */
    STATUS_LIMITED = 429,
};

static const double UNIX_MS_MIN = 1000.0 * UNIX_S_MIN;

static int64_t capped(int64_t ms)
{
    return ms > LD_RETRY_MAX_MS ? LD_RETRY_MAX_MS : ms;
}

/* What is left until a point in time, ms since 1970. */
static int64_t left_until(int64_t ms, int64_t now_ms)
{
    return ms > now_ms ? capped(ms - now_ms) : 0;
}

/* ---- HTTP dates ------------------------------------------------------------------------------ */

/* 1 to 12, or 0. */
static int64_t month_number(struct lb_str word)
{
    static const char MONTHS[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    if (word.size != 3)
        return 0;
    for (int i = 0; i < 12; i++) {
        if (lb_str_eq_nocase(word, lb_str(MONTHS + 3 * i, 3)))
            return i + 1;
    }
    return 0;
}

/* "08:49:37" as seconds of the day, or -1. */
static int64_t clock_seconds(struct lb_str word)
{
    uint64_t hour, minute, second;

    if (word.size != 8 || word.p[2] != ':' || word.p[5] != ':' ||
        !lb_str_to_u64(lb_str(word.p, 2), &hour) ||
        !lb_str_to_u64(lb_str(word.p + 3, 2), &minute) ||
        !lb_str_to_u64(lb_str(word.p + 6, 2), &second) || hour > 23 || minute > 59 || second > 60)
        return -1;
    return (int64_t)(hour * 3600 + minute * 60 + second);
}

/*
 * The three forms of an HTTP date (RFC 9110 section 5.6.7) are the same words in another order:
 * a month's name, a clock, and two numbers of which the day comes first. Seconds since 1970, or -1.
 */
static int64_t http_date(struct lb_str s)
{
    int64_t day = -1, month = 0, year = -1, clock = -1;

    while (s.size > 0) {
        size_t end = 0;
        while (end < s.size && s.p[end] != ' ' && s.p[end] != ',' && s.p[end] != '-')
            end++;
        struct lb_str word = lb_str_sub(s, 0, end);
        uint64_t number;
        s = lb_str_sub(s, end + 1, s.size);
        if (word.size > 0 && word.size <= 4 && lb_str_to_u64(word, &number)) {
            if (day < 0)
                day = (int64_t)number;
            else
                year = (int64_t)number + (word.size == 2 ? (number < 70 ? 2000 : 1900) : 0);
        } else if (month_number(word) > 0) {
            month = month_number(word);
        } else if (clock_seconds(word) >= 0) {
            clock = clock_seconds(word);
        }
    }
    int64_t begins;
    return clock >= 0 && lb_when_day(year, month, day, &begins) ? begins + clock : -1;
}

/* ---- Numbers and durations ------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits, with a fraction or without; the bytes they take, 0: there are none. */
static size_t read_number(struct lb_str s, double *number)
{
    double value = 0, unit = 1;
    size_t at = 0;

    while (at < s.size && is_digit(s.p[at]))
        value = 10 * value + (s.p[at++] - '0');
    if (at > 0 && at + 1 < s.size && s.p[at] == '.' && is_digit(s.p[at + 1])) {
        for (at++; at < s.size && is_digit(s.p[at]); at++) {
            unit /= 10;
            value += unit * (s.p[at] - '0');
        }
    }
    *number = value;
    return at;
}

/* Whole ms, and not too many. */
static int64_t whole_ms(double ms)
{
    return ms < LD_RETRY_MAX_MS ? (int64_t)ms : LD_RETRY_MAX_MS;
}

/* As Go writes them: "6m0s", "1.5s", "17ms", "1h2m3s"; days besides. -1: it is none. */
static int64_t duration(struct lb_str s)
{
    static const struct {
        struct lb_str name;
        double ms;
    } UNITS[] = {
        {{"ms", 2}, 1},           {{"us", 2}, 1e-3},          {{"ns", 2}, 1e-6},
        {{"\xc2\xb5s", 3}, 1e-3}, {{"\xce\xbcs", 3}, 1e-3},   {{"s", 1}, 1000},
        {{"m", 1}, 60 * 1000},    {{"h", 1}, 60 * 60 * 1000}, {{"d", 1}, LB_DAY_S * 1000.0},
    };
    double ms = 0, number;

    if (s.size == 0)
        return -1;
    while (s.size > 0) {
        size_t used = read_number(s, &number), i = 0;
        s = lb_str_sub(s, used, s.size);
        while (i < sizeof UNITS / sizeof UNITS[0] && !lb_str_starts(s, UNITS[i].name))
            i++;
        if (used == 0 || i == sizeof UNITS / sizeof UNITS[0])
            return -1;
        ms += number * UNITS[i].ms;
        s = lb_str_sub(s, UNITS[i].name.size, s.size);
    }
    return whole_ms(ms);
}

/* A number alone: seconds, or a point in time in seconds or ms since 1970. -1: it is none. */
static int64_t seconds(struct lb_str s, int64_t now_ms)
{
    double number;

    if (s.size == 0 || read_number(s, &number) != s.size)
        return -1;
    if (number < UNIX_S_MIN)
        return whole_ms(number * 1000);
    double left = (number < UNIX_MS_MIN ? number * 1000 : number) - (double)now_ms;
    return left > 0 ? whole_ms(left) : 0;
}

int64_t ld_retry_after_value(struct lb_str value, int64_t now_ms)
{
    int64_t ms;

    value = lb_str_trim(value);
    ms = seconds(value, now_ms);
    if (ms < 0)
        ms = duration(value);
    if (ms >= 0)
        return ms;
    if (value.size > TIME_AT && (value.p[TIME_AT] | 0x20) == 't' &&
        lb_when_parse(value, now_ms, &ms))
        return left_until(ms, now_ms);
    int64_t date = http_date(value);
    return date >= 0 ? left_until(date * 1000, now_ms) : -1;
}

/* ---- Fields ---------------------------------------------------------------------------------- */

/* When a limit is whole again, and how much of it is left. */
static const struct {
    struct lb_str reset, remaining;
} RESETS[] = {
#define RESET(reset, remaining)                                                                    \
    {                                                                                              \
        {reset, sizeof(reset) - 1},                                                                \
        {                                                                                          \
            remaining, sizeof(remaining) - 1                                                       \
        }                                                                                          \
    }
    RESET("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    RESET("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    RESET("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    RESET("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    RESET("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    RESET("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
    RESET("x-ratelimit-reset", "x-ratelimit-remaining"),
    RESET("ratelimit-reset", "ratelimit-remaining"),
#undef RESET
};

static bool is_zero(struct lb_str value)
{
    double number;

    value = lb_str_trim(value);
    return value.size > 0 && read_number(value, &number) == value.size && number <= 0;
}

/*
 * Answers tell of all their limits, also of those that are not reached: the latest reset of the
 * limits that are used up, or, if none is known to be, the earliest of all.
 */
static int64_t reset_ms(const struct lh_head *head, int64_t now_ms)
{
    int64_t used_up = -1, earliest = -1;

    for (size_t i = 0; i < sizeof RESETS / sizeof RESETS[0]; i++) {
        int64_t ms = ld_retry_after_value(lh_head_get_named(head, RESETS[i].reset), now_ms);
        if (ms < 0)
            continue;
        if (is_zero(lh_head_get_named(head, RESETS[i].remaining)) && ms > used_up)
            used_up = ms;
        if (earliest < 0 || ms < earliest)
            earliest = ms;
    }
    return used_up >= 0 ? used_up : earliest;
}

int64_t ld_retry_after_ms(const struct lh_head *head, int64_t now_ms)
{
    struct lb_str value = lb_str_trim(lh_head_get(head, LH_HEADER_RETRY_AFTER_MS));
    double number;

    /* SDKs send and accept fractions here. */
    if (value.size > 0 && read_number(value, &number) == value.size)
        return whole_ms(number);
    int64_t ms = ld_retry_after_value(lh_head_get(head, LH_HEADER_RETRY_AFTER), now_ms);
    return ms < 0 && head->status == STATUS_LIMITED ? reset_ms(head, now_ms) : ms;
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

int64_t ld_retry_after_said(const json_t *error)
{
    const json_t *details = json_object_get(error, "details");
    const json_t *detail;
    size_t i;

    json_array_foreach(details, i, detail)
    {
        int64_t ms = duration(lj_json_str(detail, "retryDelay"));
        if (ms >= 0)
            return ms;
    }
    return -1;
}
