/* SPDX-License-Identifier: MIT */
/* Points in time as people and programs write them in a query. Pure. */
#ifndef LB_WHEN_H
#define LB_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * A day (2026-01-31, its beginning in UTC), a time (RFC 3339: 2026-01-31T18:00:00Z, with any
 * offset and fraction of a second) or at least nine digits (ms since 1970), or 0. False for
 * anything else.
 */
bool lb_when_parse(struct lb_str text, int64_t *ms);

#endif
