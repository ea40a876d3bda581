/* SPDX-License-Identifier: MIT */
/* The fields of a relayed answer's head (relay.h). */
#ifndef LG_RELAY_HEAD_H
#define LG_RELAY_HEAD_H

#include "base/buf.h"
#include "llmgr.h"

struct lg_attempt;
struct lg_request;
struct lh_head;

/* Our part of a stream's head. */
void lg_relay_stream_fields(struct lb_buf *out);
/* What the caller gets to see of the platform's fields, and of what was decided for this request.
 */
void lg_relay_shown_fields(const struct lg_request *request, const struct lh_head *head,
                           struct lb_buf *out);

/*
 * How long the answer will be, or -1. A stream that is cut ends with an event of ours, and a signed
 * answer grows by its tails: their length cannot be promised.
 */
int64_t lg_relay_length(const struct lg_attempt *attempt, const struct lh_head *head);

/* The platform's answer cannot be passed on. */
void lg_relay_fail(struct lg_request *request, llmgr_status status, const char *text);

#endif
