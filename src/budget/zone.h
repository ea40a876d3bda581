/* SPDX-License-Identifier: MIT */
/*
 * A time zone: how far local time is ahead of UTC at a moment, as the system's tzdata tells it
 * (TZif, RFC 9636). The C library knows one zone per process, set by the environment; here there
 * are several at once, each immutable once it is loaded, so any thread may ask.
 */
#ifndef LQ_ZONE_H
#define LQ_ZONE_H

#include "base/host.h"
#include "base/str.h"

struct lq_zone;

enum { LQ_ZONE_BYTES_MAX = 256 * 1024 }; /* of a file of tzdata */

/*
 * Loads the zone of that name, "Asia/Shanghai". "UTC" needs no tzdata. ERR_INVALID: no name of a
 * zone; ERR_NOT_FOUND: the system's tzdata has none of that name, or there is no tzdata, or the
 * file is none.
 */
LLMGR_MUST_CHECK llmgr_status lq_zone_load(const struct lb_host *host, struct lb_str name,
                                           struct lq_zone **zone, struct llmgr_error *err);
/* The same of a file's bytes; false: they are none, or memory is short. */
LLMGR_MUST_CHECK bool lq_zone_read(const struct lb_host *host, struct lb_str bytes,
                                   struct lq_zone **zone);
void lq_zone_free(struct lq_zone *zone); /* NULL is fine */

/* Seconds that local time is ahead of UTC; `at` is in seconds since 1970. */
int64_t lq_zone_offset(const struct lq_zone *zone, int64_t at);

#endif
