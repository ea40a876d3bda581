/* SPDX-License-Identifier: MIT */
/*
 * How long a platform asks to wait, in whatever spelling: whole milliseconds from now, never below
 * 0, never above a day. What is in the past is 0, what cannot be read is not said (-1).
 */
#ifndef LD_RETRY_AFTER_H
#define LD_RETRY_AFTER_H

#include <jansson.h>
#include <stdint.h>

#include "http/head.h"

enum { LD_RETRY_MAX_MS = 24 * 60 * 60 * 1000 };

/*
 * Of an answer's head: retry-after-ms (ms), else Retry-After, else, of a 429, the fields that say
 * when a limit is whole again (x-ratelimit-reset*, anthropic-ratelimit-*-reset, ratelimit-reset).
 * now_ms: since 1970.
 */
int64_t ld_retry_after_ms(const struct lh_head *head, int64_t now_ms);

/*
 * One value: seconds, also with a fraction; an HTTP date (RFC 9110 sections 5.6.7 and 10.2.3); a
 * time of RFC 3339; a duration as Go writes it ("6m0s", "17ms"); a point in time in seconds or ms
 * since 1970, if the number is too large for seconds to wait.
 */
int64_t ld_retry_after_value(struct lb_str value, int64_t now_ms);

/*
 * Of an error's JSON (said.h): "retryDelay" of google.rpc.RetryInfo among its details. Source:
 * https://cloud.google.com/apis/design/errors
 */
int64_t ld_retry_after_said(const json_t *error);

#endif
