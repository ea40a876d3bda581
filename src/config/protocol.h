/* SPDX-License-Identifier: MIT */
/* The protocols that a platform may speak. */
#ifndef LC_PROTOCOL_H
#define LC_PROTOCOL_H

#include <stdbool.h>

#include "base/str.h"

#define LC_PROTOCOL_DEFAULT "openai" /* if nobody says */

/* Is it a word of protocols.def? */
bool lc_protocol_is(struct lb_str text);

#endif
