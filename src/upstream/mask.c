/* SPDX-License-Identifier: MIT */
/* Overwriting quoted keys. Byte by byte: refusals are short and rare. */
#include "upstream/mask.h"

#include <string.h>

enum { MASK_MIN = 8 }; /* so many bytes of a key in a row are masked */

void lu_mask_key(struct lb_str key, char *text, size_t size)
{
    size_t least = key.size < MASK_MIN ? key.size : MASK_MIN;

    for (size_t at = 0; least > 0 && at < size; at++) {
        size_t same = 0;
        while (same < key.size && at + same < size && text[at + same] == key.p[same])
            same++;
        if (same < least)
            continue;
        memset(text + at, '*', same);
        at += same - 1;
    }
}
