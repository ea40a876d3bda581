/* SPDX-License-Identifier: MIT */
/*
 * The tap's look at errors: which events and whole answers are none of a model's, so that they are
 * shown to the owner's function before they leave. Private to tap.c and tap_refusal.c.
 */
#ifndef LD_TAP_REFUSAL_H
#define LD_TAP_REFUSAL_H

#include "dialect/tap.h"

/* Does what the sniff found of an event, or its type, say that it is an error? */
bool ld_tap_is_refusal(const struct ld_tap *tap, struct lb_str event_type);
/* Does it, or is it nothing that a model's stream has? */
bool ld_tap_is_suspect(const struct ld_tap *tap, struct lb_str event_type);
/*
 * Is it whole and none, but somebody says what failed: {"code": 401, "msg": "..."}? Of an answer
 * the text alone says it; of an event, or where anything may come, it takes a code of failure, too.
 */
bool ld_tap_is_complaint(const struct ld_tap *tap);
/* Shows `text` to the owner's function. */
void ld_tap_refuse(struct ld_tap *tap, struct lb_str text);
/* A whole event that was sniffed. False: it is withheld, for it is too long to be looked at. */
bool ld_tap_judge_event(struct ld_tap *tap, struct lb_str raw, struct lb_str event_type);
/* The type that the first line of an event gives it, or nothing. */
struct lb_str ld_tap_event_type(struct lb_str raw);

/* Of answers that are no stream. */
void ld_tap_feed_whole(struct ld_tap *tap, struct lb_str in, struct ld_filter_out *out);
void ld_tap_finish_whole(struct ld_tap *tap, struct ld_filter_out *out);

#endif
