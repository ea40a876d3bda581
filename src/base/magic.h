/* SPDX-License-Identifier: MIT */
/*
 * A magic word per struct that travels through a void * and outlives the call it was given with:
 * the callback's first line casts with LB_CAST and stops the program on our own bug rather than
 * trusting the pointer. CONTRIBUTING.md says where, tools/check-casts looks.
 * Source: varnish include/miniobj.h (the idea, not the code).
 */
#ifndef LB_MAGIC_H
#define LB_MAGIC_H

#include <stdlib.h>

static inline void *lb_cast(void *p, unsigned wanted)
{
    if (p == NULL || *(const unsigned *)p != wanted)
        abort();
    return p;
}

/* `p` as a `type *`; the type's first member must be `unsigned magic`. */
#define LB_CAST(type, p, wanted) ((type *)lb_cast((p), (wanted)))

#endif
