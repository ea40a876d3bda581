/* SPDX-License-Identifier: MIT */
/*
 * A copy of a text from which escapes are taken off layer by layer, and where each of its bytes
 * came from. For the search of keys in refusals (mask.h).
 */
#ifndef LU_UNESCAPE_H
#define LU_UNESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
    LU_ESCAPES_JSON = 1, /* \u0073 \x73 \163 \n \/ and what else begins with a backslash */
    LU_ESCAPES_URL = 2,  /* %73 %u0073 */
    LU_ESCAPES_HTML = 4, /* &#115; &#x73; &amp; */
    LU_ESCAPES_ALL = 7,
};

struct lu_layer {
    char *text;     /* room for the whole text */
    uint32_t *from; /* and one more of these: from[i], from[i + 1] bound what text[i] came from */
    size_t size;
};

/* The text as it is. */
void lu_layer_begin(struct lu_layer *layer, struct lb_str text);
/* Takes one layer of escapes of these kinds off. False: there was none. */
bool lu_layer_peel(struct lu_layer *layer, unsigned kinds);

#endif
