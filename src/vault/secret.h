/* SPDX-License-Identifier: MIT */
/*
 * A secret in the open: the short life between lv_open and the head of a request. The struct is
 * the caller's (usually on its stack), has a fixed ceiling, is never copied by assignment and has
 * no print function; whoever filled it calls lv_secret_clear on every way out.
 */
#ifndef LV_SECRET_H
#define LV_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "llmgr.h"

enum { LV_SECRET_MAX = 4096 }; /* bytes of the longest secret */

struct lv_secret {
    size_t size;                   /* bytes in use; the rest is not initialised */
    char bytes[LV_SECRET_MAX + 1]; /* followed by a NUL that is not counted */
};

/* Makes it empty without touching the 4 KiB behind; must precede everything else. */
void lv_secret_init(struct lv_secret *secret);
/* Wipes what was in use, no more, and makes it empty. */
void lv_secret_clear(struct lv_secret *secret);
/* Replaces the content; false (and empty) if `bytes` is longer than LV_SECRET_MAX. */
LLMGR_MUST_CHECK bool lv_secret_set(struct lv_secret *secret, struct lb_str bytes);

/* Borrowed; valid until the secret is cleared. */
static inline struct lb_str lv_secret_str(const struct lv_secret *secret)
{
    return lb_str(secret->bytes, secret->size);
}

#endif
