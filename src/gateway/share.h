/* SPDX-License-Identifier: MIT */
/*
 * So much of something that all workers have together: bytes of memory for bodies, threads for long
 * looks. Who finds too little left stands in line, first come, first served, and is called on its
 * own loop when it has got what it asked for.
 *
 * What is small has a line of its own and the last part of the whole (a LG_SHARE_KEPT-th) for
 * itself: it never waits behind what is large.
 */
#ifndef LG_SHARE_H
#define LG_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "net/loop.h"

enum { LG_SHARE_KEPT = 8 };

enum lg_share_line { LG_SHARE_SMALL, LG_SHARE_LARGE, LG_SHARE_LINES };

struct lg_share;

/* What one holder has and waits for. Zeroed memory with loop and post.fn set; see lg_portion_init.
 */
struct lg_portion {
    size_t held[LG_SHARE_LINES];
    size_t wanted; /* the share's: 0, or in line for so much more */
    struct lb_list node;
    struct ln_loop *loop;
    struct ln_post post; /* called when it has got it */
};

void lg_portion_init(struct lg_portion *portion, struct ln_loop *loop, void (*got)(void *context),
                     void *context);

struct lg_share *lg_share_new(const struct lb_host *host, size_t total); /* NULL: no memory */
void lg_share_free(struct lg_share *share);                              /* NULL is fine */
/* A new whole. What is held beyond it stays held. Any thread, as are all below. */
void lg_share_resize(struct lg_share *share, size_t total);
/* The most that one holder of this line can ever have. */
size_t lg_share_most(size_t total, enum lg_share_line line);

/* So much more at once, or nothing. */
bool lg_share_try(struct lg_share *share, struct lg_portion *portion, size_t more,
                  enum lg_share_line line);
/* The same, or stands in line: then false, and `got` is called on the loop once it is held. */
bool lg_share_ask(struct lg_share *share, struct lg_portion *portion, size_t more,
                  enum lg_share_line line);
/* Waits no longer; what is held stays. On the portion's loop. */
void lg_share_leave(struct lg_share *share, struct lg_portion *portion);
static inline size_t lg_portion_held(const struct lg_portion *portion)
{
    return portion->held[LG_SHARE_SMALL] + portion->held[LG_SHARE_LARGE];
}

/* Gives so much of what is held back. */
void lg_share_give(struct lg_share *share, struct lg_portion *portion, size_t size);

#endif
