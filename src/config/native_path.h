/* SPDX-License-Identifier: MIT */
/* An item of `native_paths`, as it is written and as it is kept. For config/file.c and calls. */
#ifndef LC_NATIVE_PATH_H
#define LC_NATIVE_PATH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* "GET /a/{id}" or "/a", which is for POST; added to `out` behind what is there. False: it is none.
 */
bool lc_native_path_add(struct lb_str text, struct lb_buf *out);

#endif
