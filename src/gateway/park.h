/* SPDX-License-Identifier: MIT */
/*
 * Streams that last. When an event stream begins, what it still needs moves to one piece of memory
 * of just its size: the attempt, its filter and a few texts. The inline block goes back to the
 * worker, so that a stream that idles costs no more than that piece and its request.
 */
#ifndef LG_PARK_H
#define LG_PARK_H

struct lg_request;

/* Moves request->attempt. Nothing happens where it is not possible now. */
void lg_park(struct lg_request *request);

#endif
