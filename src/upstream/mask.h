/* SPDX-License-Identifier: MIT */
/* Platforms that refuse a key like to quote it: nobody else may read it there. */
#ifndef LU_MASK_H
#define LU_MASK_H

#include <stddef.h>

#include "base/str.h"

/*
 * Overwrites with '*' each run of `text` that is the key or its first 8 bytes and more: as it is,
 * with characters escaped as URLs and JSON do, in hexadecimal, or within base64 of either alphabet
 * at any alignment. Not found: other encodings, compressed texts, a part that leaves the start out.
 */
void lu_mask_key(struct lb_str key, char *text, size_t size);

#endif
