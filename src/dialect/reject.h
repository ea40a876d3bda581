/* SPDX-License-Identifier: MIT */
/*
 * Does a platform say that it does not know stream_options, or does it only repeat what it was
 * sent? Many servers quote the request in the refusal of it; what a caller wrote must not be taken
 * for the platform's own word, for others are answered by what is concluded from it.
 */
#ifndef LD_REJECT_H
#define LD_REJECT_H

#include "base/str.h"

/*
 * Is this the answer of a platform that does not know stream_options? Where it says so: the member
 * that names the parameter ("param", "loc" …), a member of that name that holds words, or a text
 * that names it other than as a member with a value.
 */
bool ld_rejects_stream_options(int http_status, struct lb_str body);

/* Could the names in a refusal be quoted from `text`, a part of the request? In any case of
 * letters, and behind JSON's escapes. */
bool ld_mentions_stream_options(struct lb_str text);

#endif
