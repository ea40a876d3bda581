/* SPDX-License-Identifier: MIT */
/* Platforms that refuse a key like to quote it: nobody else may read it there. */
#ifndef LU_MASK_H
#define LU_MASK_H

#include <stddef.h>

#include "base/str.h"

/* Overwrites with '*' each run of `text` that is 8 bytes or more of the key (or all of it). */
void lu_mask_key(struct lb_str key, char *text, size_t size);

#endif
