/* SPDX-License-Identifier: MIT */
/* The members of a query, as they stand in a request's target: read in place, nothing is copied. */
#ifndef LH_QUERY_H
#define LH_QUERY_H

#include <stdbool.h>

#include "base/str.h"

/* The next "name=value" of what is left in *query; empty ones are skipped. False at the end. */
bool lh_query_next(struct lb_str *query, struct lb_str *member);
/* Is that its name, in any case, to a server that decodes it? */
bool lh_query_is(struct lb_str member, struct lb_str name);

#endif
