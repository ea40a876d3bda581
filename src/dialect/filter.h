/* SPDX-License-Identifier: MIT */
/*
 * An answer on its way from a platform to a caller, as the one who relays it sees it: bytes of the
 * platform go in, slices for the caller come out, and a report says what the answer held. What
 * stands behind this face is chosen once, when the answer's head is here. The tap (tap.h) reads
 * what passes and hands on the same bytes.
 *
 *     struct ld_filter_out out;
 *     while (in.size > 0) {
 *         size_t used = ld_filter_feed(filter, in, &out);
 *         ... forward out.slice[0 .. out.count) ...
 *         in = lb_str_sub(in, used, in.size);
 *     }
 *
 * A filter cannot fail: what it cannot read it passes on, or withholds and says in the report that
 * the answer failed. Its owner provides its memory, `face->size` bytes, and may move it to another
 * place by copying them; what is larger a filter allocates itself and gives back in `free`.
 */
#ifndef LD_FILTER_H
#define LD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "llmgr.h"

enum { LD_FILTER_SLICES = 8 };

struct ld_filter;

struct ld_filter_out {
    struct lb_str slice[LD_FILTER_SLICES]; /* of the fed bytes or the filter's own memory: */
    size_t count;                          /* valid until the next call */
};

/* Read by the owner at any time, after the free as well; written by the filter alone. */
struct ld_filter_report {
    struct llmgr_usage usage; /* -1: not reported */
    bool usage_reported;      /* a prompt's or a completion's */
    bool finish;              /* a finish_reason or stop_reason came */
    bool terminal;            /* [DONE], message_stop, response.completed|incomplete|done|cancelled|
                                 failed; whole: the end */
    bool failed;           /* an error event, response.failed, or an "error" that says something */
    bool told;             /* it was handed out: the caller knows, and needs no other error */
    bool content;          /* the first of it came: text, reasoning or a tool call */
    uint64_t events;       /* of the platform that held data */
    uint64_t withheld;     /* bytes of the platform that were not forwarded */
    uint64_t added;        /* bytes between events that the platform forgot */
    uint64_t output_size;  /* bytes of output text, for ld_usage_estimate */
    uint64_t counted_size; /* of them, those that had come when the usage was reported */
};

struct ld_filter_face {
    size_t size; /* bytes of the filter, a multiple of a pointer's */
    size_t (*feed)(struct ld_filter *filter, struct lb_str in, struct ld_filter_out *out);
    void (*finish)(struct ld_filter *filter, struct ld_filter_out *out);
    bool (*at_boundary)(const struct ld_filter *filter);
    bool (*complete)(const struct ld_filter *filter);
    void (*free)(struct ld_filter *filter);
};

/* The first member of every filter. */
struct ld_filter {
    const struct ld_filter_face *face;
    struct ld_filter_report report;
    bool stream;  /* what it hands out is an event stream; */
    bool decided; /* whether it is one is known, at the latest before the first slice: until then
                     the content type's word stands there */
};

/* Returns the bytes of `in` taken: all, unless `out` is full; at least one of a non-empty `in`. */
static inline size_t ld_filter_feed(struct ld_filter *filter, struct lb_str in,
                                    struct ld_filter_out *out)
{
    return filter->face->feed(filter, in, out);
}

/*
 * The answer's orderly end: what was held back (an event without its empty line) is read and
 * handed out. Not to be called when the answer was cut: then the rest is best dropped.
 */
static inline void ld_filter_finish(struct ld_filter *filter, struct ld_filter_out *out)
{
    filter->face->finish(filter, out);
}

/* Do the bytes forwarded so far end between two events, so that one of ours may follow? */
static inline bool ld_filter_at_boundary(const struct ld_filter *filter)
{
    return filter->face->at_boundary(filter);
}

/*
 * Did the answer say that it is complete? Known for certain after the finish. Whether what is
 * complete has failed is in the report.
 */
static inline bool ld_filter_complete(const struct ld_filter *filter)
{
    return filter->face->complete(filter);
}

/* Gives back what it holds, but for its own bytes. */
static inline void ld_filter_free(struct ld_filter *filter)
{
    filter->face->free(filter);
}

/* Hands out one slice more, if there is anything in it. For filters. */
static inline void ld_filter_put(struct ld_filter_out *out, struct lb_str slice)
{
    if (slice.size > 0)
        out->slice[out->count++] = slice;
}

#endif
