/* SPDX-License-Identifier: MIT */
/* A time zone for tests, from the rule at its end: a TZif file without transitions. */
#ifndef TESTS_BUDGET_ZONES_H
#define TESTS_BUDGET_ZONES_H

#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "budget/zone.h"

enum { ZONE_FILE_MAX = 512, ZONE_HEADER = 44 };

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"

static inline size_t zone_header(char *at)
{
    memset(at, 0, ZONE_HEADER);
    memcpy(at, "TZif2", 5);
    at[20 + 16 + 3] = 1; /* one type, */
    at[20 + 20 + 3] = 4; /* and its name */
    return ZONE_HEADER;
}

/* Both blocks have one type, which is UTC, and no transition. */
static inline size_t zone_file(char file[ZONE_FILE_MAX], const char *rule)
{
    size_t size = 0;

    for (int block = 0; block < 2; block++) {
        size += zone_header(file + size);
        memset(file + size, 0, 6);
        memcpy(file + size + 6, "UTC", 4);
        size += 10;
    }
    return size + (size_t)snprintf(file + size, ZONE_FILE_MAX - size, "\n%s\n", rule);
}

static inline struct lq_zone *zone_of(const struct lb_host *host, const char *rule)
{
    char file[ZONE_FILE_MAX];
    struct lq_zone *zone = NULL;

    if (!lq_zone_read(host, lb_str(file, zone_file(file, rule)), &zone))
        fail_msg("'%s' is no zone", rule);
    return zone;
}

#endif
