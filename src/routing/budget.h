/* SPDX-License-Identifier: MIT */
/*
 * What keeps an outage from being doubled and from being handed on. Of a route: repetitions at a
 * platform that the request has been at are at most a fifth of its requests of the last ten
 * seconds, and twenty in ten seconds always may be. Of a platform: so many requests that were moved
 * there may be under way at once. One table per process, of fixed size; any thread; the clock is
 * passed in.
 */
#ifndef LO_BUDGET_H
#define LO_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"

struct lo_budget;

enum {
    LO_BUDGET_ROUTES = 1024, /* that are remembered at once */
    LO_BUDGET_WINDOW_S = 10,
    LO_BUDGET_ALWAYS = 20,  /* repetitions that may be in any window */
    LO_BUDGET_SHARE = 5,    /* beyond them one of so many requests may be one */
    LO_BUDGET_MOVED = 1024, /* the usual limit of moved requests under way at a platform */
};

/* `moved_max`: 0: LO_BUDGET_MOVED. NULL: memory. */
struct lo_budget *lo_budget_new(const struct lb_host *host, unsigned moved_max);
void lo_budget_free(struct lo_budget *budget); /* NULL is fine */

/* On whose account a request's repetitions are: its route's, or (0) of the platform whose keys it
 * walks over, not of all pools. */
uint64_t lo_budget_account(int64_t route_id, int64_t platform_id);
/* A request of this route begins; its number among the route's, for lo_walk_options.sequence. */
uint64_t lo_budget_begin(struct lo_budget *budget, uint64_t route, int64_t now_ms);
/* May it be repeated at a platform where it has been? A true is counted. */
bool lo_budget_repeat(struct lo_budget *budget, uint64_t route, int64_t now_ms);

/* May it move to this platform? A true is undone by one lo_budget_left when it has ended there. */
bool lo_budget_move(struct lo_budget *budget, int64_t platform_id);
void lo_budget_left(struct lo_budget *budget, int64_t platform_id);

#endif
