/* SPDX-License-Identifier: MIT */
/*
 * The calendar, once: points in time as people, queries and HTTP write them. Gregorian, UTC, on the
 * C library's functions; nothing here follows a locale or a time zone. Any thread.
 */
#ifndef LB_WHEN_H
#define LB_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
    LB_WHEN_TEXT = 32, /* bytes that every form below fits into, with its NUL */
    LB_DAY_S = 24 * 60 * 60,
};

/* Seconds from 1970 to the day's beginning. False: there is no such day, or it is before 1970. */
bool lb_when_day(int64_t year, int64_t month, int64_t day, int64_t *seconds);

/* "2026-01-31" in just this form: ms since 1970 of its beginning. */
bool lb_when_parse_day(struct lb_str text, int64_t *ms);

/*
 * What people may write for a point in time, as ms since 1970:
 *
 *   2026-01-31                   the day's beginning
 *   2026-01-31T18:00[:00[.5]]    UTC; with Z or an offset (RFC 3339), that; a blank for the T is
 * fine 90m, 24h, 7d                 so long before now_ms 1767225600000, 0             ms since
 * 1970; at least nine digits, since 20260131 is meant otherwise
 *
 * False for anything else, and *ms stays.
 */
bool lb_when_parse(struct lb_str text, int64_t now_ms, int64_t *ms);

enum lb_when_form {
    LB_WHEN_DAY,     /* 2026-01-31 */
    LB_WHEN_MINUTE,  /* 2026-01-31 18:00Z */
    LB_WHEN_TIME,    /* 2026-01-31T18:00:00Z */
    LB_WHEN_TIME_MS, /* 2026-01-31T18:00:00.250Z */
    LB_WHEN_STAMP,   /* 20260131t180000, for names */
};

/* A time (ms since 1970, UTC) in one of these forms; returns text: "" if it has no date. */
const char *lb_when_print(int64_t ms, enum lb_when_form form, char text[LB_WHEN_TEXT]);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); the second is that of `ms`. */
const char *lb_when_print_http(int64_t ms, char text[LB_WHEN_TEXT]);

#endif
