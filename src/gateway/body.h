/* SPDX-License-Identifier: MIT */
/*
 * The memory of request bodies. All that are held at once, by all workers, have one budget
 * (`bodies_max`); what counts is what the allocator was asked for. A body whose length is announced
 * is let in before a byte of it is read; a chunked one pays as it grows. Who finds no room waits,
 * without being read, and is refused (503, Retry-After) after a while: so two that wait for each
 * other's memory end, too.
 *
 * Small bodies are paid from a purse of their worker's, without a lock; large ones stand in the
 * server's line (net/share.h). A large body is not looked through on the loop, where others
 * would wait for it, but on the thread pool, of which such looks have a part only.
 */
#ifndef LG_BODY_H
#define LG_BODY_H

#include "gateway/request.h"

enum {
    LG_BODY_SMALL = 64 * 1024,         /* bytes of a body that never waits behind larger ones */
    LG_LOOK_AT_ONCE = 256 * 1024,      /* and of one that is looked through on the loop */
    LG_LOOKS_MAX = 2,                  /* threads for longer looks; the pool has four */
    LG_BODY_WAIT_MS = 10000,           /* for room; the time between two pieces if that is less */
    LG_PURSE_MAX = 8 * LG_BODY_SMALL,  /* what one keeps ready at most */
    LG_PURSE_UNIT = 4 * LG_BODY_SMALL, /* what a worker fetches at once for small bodies */
};

/* Private to lg_body_admit: not from what lies ready. */
enum lg_verdict lg_body_ask(struct lg_request *request, size_t capacity);
/* Private to lg_body_free: there is more than that. */
void lg_body_empty_purse(struct lg_worker *worker);
void lg_body_drop(struct lg_request *request);

/*
 * May the body's buffer have so many bytes in all? NEXT; WAIT: the request is run again when it
 * may; FAIL.
 */
static inline enum lg_verdict lg_body_admit(struct lg_request *request, size_t capacity)
{
    struct lg_worker *worker = request->worker;

    if (request->body_paid != 0 || request->hold != NULL || capacity > LG_BODY_SMALL ||
        capacity > worker->purse)
        return lg_body_ask(request, capacity);
    worker->purse -= capacity;
    request->body_paid = (uint32_t)capacity;
    return LG_NEXT;
}

/* Gives the body's memory back, and leaves all lines. */
static inline void lg_body_free(struct lg_request *request)
{
    struct lg_worker *worker = request->worker;

    if (request->body.capacity > 0)
        lg_worker_put_body(worker, &request->body);
    worker->purse += request->body_paid;
    request->body_paid = 0;
    if (worker->purse > LG_PURSE_MAX)
        lg_body_empty_purse(worker);
    if (request->hold != NULL)
        lg_body_drop(request);
}

/* A thread for a long look: NEXT, WAIT or FAIL likewise. lg_body_looked gives it back. */
enum lg_verdict lg_body_turn(struct lg_request *request);
void lg_body_looked(struct lg_request *request);
/* How many threads there are for that, on so many processors. */
size_t lg_body_looks(unsigned cores);
/* The worker goes: its purse. */
void lg_body_close_purse(struct lg_worker *worker);

#endif
