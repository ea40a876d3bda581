/* SPDX-License-Identifier: MIT */
/* Money as text: decimals as whole nano-units (10^-9 of a currency), by integers alone. */
#ifndef LB_NANO_H
#define LB_NANO_H

#include <stdint.h>

#include "base/str.h"

enum { LB_NANO_TEXT = 24 }; /* bytes, with the NUL */

/*
 * A JSON number, "0.00027" or 2.7e-04, rounded half up to nano-units. -1: it is negative, no
 * number, or more than 63 bits hold.
 */
int64_t lb_nano_read(struct lb_str number);
/* The same the other way, exactly and without trailing zeros: 1234500000 is "1.2345". */
const char *lb_nano_print(int64_t nano, char text[LB_NANO_TEXT]);

#endif
