/* SPDX-License-Identifier: MIT */
/*
 * The start-up window of an answer that comes by a route: as long as another candidate could follow
 * the attempt, nothing of its answer leaves, so that one that fails was never seen.
 *
 *   2xx --> open --content, or its limits--> over: head and all that is held leave in one write
 *             |----an error, an early end, no content in time--> failed: the next candidate
 *
 * Of a stream the first text, reasoning or tool call ends it, of a whole answer its last byte. It
 * takes window_events events and window_max bytes at most. While it is open no ping is sent.
 * Where no other candidate could follow there is none, and nothing of it costs anything.
 */
#ifndef LG_WINDOW_H
#define LG_WINDOW_H

#include "gateway/attempt.h"
#include "gateway/request.h"

/* What was held beyond the read that it came in. In the arena. */
struct lg_held {
    size_t head_size; /* of our head, which stands first */
    struct lb_buf bytes;
};

static inline bool lg_window_is_open(const struct lg_attempt *attempt)
{
    return attempt->may_move && attempt->came == LG_CAME_ANSWER;
}

/* SEND: a stream's first content has so long to come. */
void lg_window_watch(struct lg_request *request);
/* RELAY: what was gathered of a read is held beyond it. False: that is too much, so it is over. */
bool lg_window_hold(struct lg_request *request);
enum lg_window_state { LG_WINDOW_OPEN, LG_WINDOW_OVER, LG_WINDOW_FAILED };
/* A read was gathered. OVER: all of it leaves now; FAILED: nothing ever will. */
enum lg_window_state lg_window_look(struct lg_request *request);
/* All of the answer is here. False: it has failed. */
bool lg_window_end(struct lg_request *request);
/* What is held leaves: its payload before what was gathered. The head. lg_window_left later. */
struct lb_str lg_window_release(struct lg_request *request);
/* What was held has left. */
static inline void lg_window_left(struct lg_attempt *attempt)
{
    if (attempt->held != NULL)
        lb_buf_free(&attempt->held->bytes);
    attempt->held = NULL;
}
/* SETTLE: nothing of an open one leaves: it is as if no head had been written. */
void lg_window_drop(struct lg_request *request);

#endif
