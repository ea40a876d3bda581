/* SPDX-License-Identifier: MIT */
/*
 * What of the caller's head reaches the platform: some fields, each in as many lines as it came in,
 * and the query. Never a credential, a cookie or a field of the hop.
 */
#ifndef LG_PASSED_H
#define LG_PASSED_H

#include "gateway/request.h"

enum { LG_PASSED_MAX = LH_FIELDS + 8 }; /* all that a head can hold, and what is ours */

#define LG_QUERY_TOKEN LB_STR("key") /* where Google's clients bear their token */

/* Fills `fields`, which lie in the head or the arena, or are constants. */
size_t lg_passed_fields(struct lg_request *request, struct lh_field fields[LG_PASSED_MAX]);
/* The endpoint's path at the platform, or the caller's own, with the query; in the arena. */
struct lb_str lg_passed_path(struct lg_request *request);
/* Whose call it is, for lu_request.dialect. */
struct lb_str lg_passed_dialect(const struct lg_request *request);

#endif
