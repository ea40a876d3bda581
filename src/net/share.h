/* SPDX-License-Identifier: MIT */
/*
 * So much of something that all loops have together: bytes of memory for bodies, threads for long
 * looks. Who finds too little left stands in line, first come, first served, and is called on its
 * own loop when it has got what it asked for.
 *
 * What is small has a line of its own and the last part of the whole (a LN_SHARE_KEPT-th) for
 * itself: it never waits behind what is large.
 */
#ifndef LN_SHARE_H
#define LN_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "net/loop.h"

enum { LN_SHARE_KEPT = 8 };

enum ln_share_line { LN_SHARE_SMALL, LN_SHARE_LARGE, LN_SHARE_LINES };

struct ln_share;

/* What one holder has and waits for. Zeroed memory with loop and post.fn set; see ln_portion_init.
 */
struct ln_portion {
    size_t held[LN_SHARE_LINES];
    size_t wanted; /* the share's: 0, or in line for so much more */
    struct lb_list node;
    struct ln_loop *loop;
    struct ln_post post; /* called when it has got it */
};

void ln_portion_init(struct ln_portion *portion, struct ln_loop *loop, void (*got)(void *context),
                     void *context);

struct ln_share *ln_share_new(const struct lb_host *host, size_t total); /* NULL: no memory */
void ln_share_free(struct ln_share *share);                              /* NULL is fine */
/* A new whole. What is held beyond it stays held. Any thread, as are all below. */
void ln_share_resize(struct ln_share *share, size_t total);
/* The most that one holder of this line can ever have. */
size_t ln_share_most(size_t total, enum ln_share_line line);

/* So much more at once, or nothing. */
bool ln_share_try(struct ln_share *share, struct ln_portion *portion, size_t more,
                  enum ln_share_line line);
/* The same, or stands in line: then false, and `got` is called on the loop once it is held. */
bool ln_share_ask(struct ln_share *share, struct ln_portion *portion, size_t more,
                  enum ln_share_line line);
/* Waits no longer; what is held stays. On the portion's loop. */
void ln_share_leave(struct ln_share *share, struct ln_portion *portion);
static inline size_t ln_portion_held(const struct ln_portion *portion)
{
    return portion->held[LN_SHARE_SMALL] + portion->held[LN_SHARE_LARGE];
}

/* Gives so much of what is held back. */
void ln_share_give(struct ln_share *share, struct ln_portion *portion, size_t size);

#endif
