/* SPDX-License-Identifier: MIT */
/* The chunk that the caller did not ask for. Private to the tap. */
#ifndef LD_TAP_EXTRA_H
#define LD_TAP_EXTRA_H

#include "dialect/tap.h"

/*
 * Is the event that was sniffed, with this data, the chunk that has the usage and nothing else?
 * `finished`: an event before it named a finish reason.
 */
bool ld_tap_is_extra(const struct ld_tap *tap, struct lb_str data, bool finished);

#endif
