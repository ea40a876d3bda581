/* SPDX-License-Identifier: MIT */
/*
 * Names of header fields that a request may take along to a platform, as its `headers` say: the
 * caller's, or with values of their own (fixed_headers.h). What must stay here stays, whoever wrote
 * the row: asked when it is written, and again when a request is sent.
 */
#ifndef LC_HEADER_NAME_H
#define LC_HEADER_NAME_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

enum { LC_HEADER_NAME_MAX = 64 }; /* bytes */

bool lc_header_may_pass(struct lb_str name);
/* Adds it, in lower case, to the list in `out`: "user-agent, x-title". False: it may not pass. */
bool lc_header_add(struct lb_str name, struct lb_buf *out);
/* Is it one of such a list? */
bool lc_header_is_listed(struct lb_str list, struct lb_str name);

#endif
