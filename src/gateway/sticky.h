/* SPDX-License-Identifier: MIT */
/*
 * What belongs together, so that it can go to the same account: a platform keeps what it has read
 * of a prompt for a while, and asks less for it, or is faster.
 */
#ifndef LG_STICKY_H
#define LG_STICKY_H

#include "gateway/request.h"

/* What a random choice of this request starts from. */
uint64_t lg_sticky_random(const struct lg_request *request);
/*
 * The hash of what this request belongs to, where the route wants it so; 0: nothing. `user`: the
 * caller's hash. What a conversation is known by: dialect/conversation.h.
 */
uint64_t lg_sticky_of(const struct lg_request *request, llmgr_sticky sticky, uint64_t user);

#endif
