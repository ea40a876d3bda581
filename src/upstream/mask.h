/* SPDX-License-Identifier: MIT */
/* Platforms that refuse a key like to quote it: nobody else may read it there. */
#ifndef LU_MASK_H
#define LU_MASK_H

#include <stddef.h>

#include "base/host.h"
#include "base/str.h"

/*
 * Overwrites, in place and without a change of size, each run of `text` that is the key or its
 * first 8 bytes and more: as it is (in any case of letters), in hexadecimal or decimal with or
 * without separators, or within base64 of either alphabet at any alignment; and all of these behind
 * the escapes of JSON, URLs and HTML, laid over each other up to LU_MASK_LAYERS times. What was
 * valid JSON or an event stays so. Short of memory, all of `text` is overwritten. Not found: other
 * encodings, compressed texts, a part that leaves the start out.
 */
void lu_mask_key(const struct lb_host *host, struct lb_str key, char *text, size_t size);

/*
 * The same for each value in the lines of a platform's header fields (config/fixed_headers.h) that
 * could be a secret: 16 bytes and more, without blanks, no URL.
 */
void lu_mask_fields(const struct lb_host *host, struct lb_str lines, char *text, size_t size);

enum { LU_MASK_LAYERS = 5 };

#endif
