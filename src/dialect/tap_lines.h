/* SPDX-License-Identifier: MIT */
/*
 * Lines of an event whose bytes lie in two places: the first are held, the rest has just come.
 * Private to the tap.
 */
#ifndef LD_TAP_LINES_H
#define LD_TAP_LINES_H

#include "dialect/tap.h"

enum { LD_TAP_ROOM = 128 };

/* The first bytes of both, one behind the other. */
struct lb_str ld_tap_joined(struct lb_str first, struct lb_str then, char room[LD_TAP_ROOM]);

enum ld_tap_line {
    LD_TAP_LINE_OTHER,
    LD_TAP_LINE_WHOLE, /* the data of a whole event: a JSON object, closed */
    LD_TAP_LINE_DONE   /* the data [DONE] */
};

/* What is the answer, which goes on with `in`? Where that does not show yet, `in` is kept. */
enum ld_look ld_tap_look(struct ld_tap *tap, struct lb_str in);

/* What is the last line, whose end is there? The sniff is used up by it. */
enum ld_tap_line ld_tap_last_line(struct ld_sniff *sniff, struct lb_str first, struct lb_str then);

#endif
