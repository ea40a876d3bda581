/* SPDX-License-Identifier: MIT */
/* What tells one conversation from another, by the body of a request. */
#ifndef LD_CONVERSATION_H
#define LD_CONVERSATION_H

#include "base/str.h"

/*
 * What its client calls it (prompt_cache_key, conversation, metadata.user_id), or else its first
 * words, those of the user included, for what follows grows by the turn. A part of `body`; size 0:
 * nothing tells it.
 */
struct lb_str ld_conversation_of(struct lb_str body);

#endif
