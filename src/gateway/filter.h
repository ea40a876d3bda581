/* SPDX-License-Identifier: MIT */
/*
 * Which filter (dialect/filter.h) an answer passes through on its way to the client. The relay
 * knows the face alone; who speaks what is decided here.
 */
#ifndef LG_FILTER_H
#define LG_FILTER_H

#include "dialect/filter.h"

struct lg_request;
struct lh_head;

/*
 * For the answer with this head; ld_filter_free later. Parks an event stream (park.h), which moves
 * request->attempt. NULL: memory.
 */
struct ld_filter *lg_filter_new(struct lg_request *request, const struct lh_head *head);

#endif
