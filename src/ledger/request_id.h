/* SPDX-License-Identifier: MIT */
/*
 * Ids of requests that say when they began: a prefix, the time, and what tells them apart.
 *
 *     req_692c61a0 88092630 000000000a        lib-692c61a0 1f2e3d4c5b6a7988
 *
 * The time is seconds since 1970, eight hexadecimal digits; so llm_usage needs no index to find a
 * request, but the hours and rows of that time (llm_usage_sums).
 */
#ifndef LL_REQUEST_ID_H
#define LL_REQUEST_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { LL_ID_TIME_SIZE = 8, LL_ID_PREFIX_MAX = 5 };

/* The digits of a time (ms since 1970); without a NUL. */
void ll_id_write_time(int64_t ms, char to[LL_ID_TIME_SIZE]);
/* When a request of this id began, to the second. False: the id does not say. */
bool ll_id_read_time(struct lb_str id, int64_t *ms);

#endif
