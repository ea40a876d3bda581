/* SPDX-License-Identifier: MIT */
/*
 * A route between the database and memory. Its targets are one column, a JSON list:
 *
 *     [{"model":"A/One"},{"model":"B/Two","weight":2,"first_byte_timeout_ms":20000}]
 */
#ifndef LM_ROUTE_ROW_H
#define LM_ROUTE_ROW_H

#include "base/arena.h"
#include "base/buf.h"
#include "manager/catalogue.h"

struct ls_rows;

enum { LM_ROUTE_COLUMNS = 12 }; /* what the statements that read routes have, from the first on */

/*
 * Copies a row into `arena`; false when memory is short. What no call of ours has written reads as
 * what it can: an unknown word as the default, a list that is none as a route without targets.
 */
bool lm_route_take(const struct ls_rows *rows, struct lb_arena *arena, struct lm_route *route);
/* Appends the column to `out`. */
void lm_route_targets_write(const struct lm_route_target *targets, size_t count,
                            struct lb_buf *out);

#endif
