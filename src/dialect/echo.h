/* SPDX-License-Identifier: MIT */
/*
 * Most events of a stream say what the one before said, with another piece of text:
 *
 *     data: {"id":"c1", ... "delta":{"content":" the"},"finish_reason":null}]}
 *     data: {"id":"c1", ... "delta":{"content":" fox"},"finish_reason":null}]}
 *           \_________ head _________________/    \________ tail __________/
 *
 * So the last event that was read is remembered, cut at its text. One with the same bytes before
 * and behind the text must read the same, and two comparisons replace its reading. This is exact,
 * not a guess: whatever differs, be it one byte, is read.
 */
#ifndef LD_ECHO_H
#define LD_ECHO_H

#include "base/str.h"

enum { LD_ECHO_MAX = 364 }; /* bytes of an event that is remembered, its text apart */

/* Zeroed memory remembers nothing. */
struct ld_echo {
    uint16_t head; /* bytes before the text; 0: nothing is remembered */
    uint16_t tail; /* bytes behind it, from its closing quote on */
    char bytes[LD_ECHO_MAX];
};

/* `text` lies in `event`: what stands between the quotes of a string. Too long: not remembered. */
void ld_echo_keep(struct ld_echo *echo, struct lb_str event, struct lb_str text);
/* Is it that event again, but for the text? Then *text_size is as ld_sniff counts it. */
bool ld_echo_is(const struct ld_echo *echo, struct lb_str event, uint64_t *text_size);

#endif
