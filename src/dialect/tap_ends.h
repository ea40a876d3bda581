/* SPDX-License-Identifier: MIT */
/* What an event, or a whole answer, adds to the report. Private to the tap. */
#ifndef LD_TAP_ENDS_H
#define LD_TAP_ENDS_H

#include "dialect/tap.h"

/* Is what the sniff found so far an error of this answer? */
bool ld_tap_is_failed(const struct ld_tap *tap);

/* Adds what the sniff found in one event, or in all of a whole answer. */
void ld_tap_absorb(struct ld_tap *tap, struct lb_str event_type);

#endif
