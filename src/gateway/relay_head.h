/* SPDX-License-Identifier: MIT */
/* The fields of a relayed answer's head (relay.h). */
#ifndef LG_RELAY_HEAD_H
#define LG_RELAY_HEAD_H

#include "base/buf.h"

struct lg_request;
struct lh_head;

/* Our part of a stream's head. */
void lg_relay_stream_fields(struct lb_buf *out);
/* What the caller gets to see of the platform's fields, and of what was decided for this request.
 */
void lg_relay_shown_fields(const struct lg_request *request, const struct lh_head *head,
                           struct lb_buf *out);

#endif
