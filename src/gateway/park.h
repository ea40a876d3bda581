/* SPDX-License-Identifier: MIT */
/*
 * Streams that last. When an event stream begins, what it still needs moves to one piece of memory
 * of just its size: the attempt and a few texts, and its filter. The inline block goes back to the
 * worker, so that a stream that idles costs no more than that piece and its request.
 */
#ifndef LG_PARK_H
#define LG_PARK_H

#include <stddef.h>

struct lg_request;

/*
 * Moves request->attempt, and its filter of `size` bytes if it has one; returns the place of the
 * filter. NULL: it is not possible now, and nothing has moved.
 */
void *lg_park(struct lg_request *request, size_t size);
/*
 * The same for an answer that its first bytes have shown to be a stream, and not its head; or for
 * one that could not move before. No slice of its filter may be on its way out.
 */
void lg_park_begun(struct lg_request *request);

#endif
