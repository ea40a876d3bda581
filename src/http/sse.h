/* SPDX-License-Identifier: MIT */
/*
 * Server-sent events (WHATWG HTML, "Parsing an event stream"), from bytes in any pieces. Lines end
 * with LF, CRLF or CR. An event that lies within the bytes of one call is handed out as slices of
 * them; only an event cut in two is put together in a buffer, and only data of several lines is
 * joined in another.
 *
 *     while (lh_sse_next(&sse, bytes, size, &used, &event) == LH_DONE) {
 *         ... event.data, event.raw ...
 *         bytes += used; size -= used;
 *     }
 *
 * A reader looks at type and data where has_data is set. A relay forwards or drops event.raw: the
 * raw slices of all events, in order, are the stream, byte for byte. (When CRLF is cut between the
 * calls, its LF opens the next event's raw bytes.) Both come from the same single scan.
 */
#ifndef LH_SSE_H
#define LH_SSE_H

#include "base/buf.h"
#include "http/error.h"

enum { LH_SSE_EVENT_MAX = 8 * 1024 * 1024 }; /* a usual cap for one event's bytes */

struct lh_sse_event {
    struct lb_str raw;  /* all bytes of the block with the empty line that ends it */
    bool has_data;      /* false: only comments, keep-alives, unknown fields */
    struct lb_str data; /* the data lines joined by LF */
    struct lb_str type; /* value of `event:`; empty means "message" */
    struct lb_str id;   /* value of `id:` in this block */
};

/* A slice by offset from the event's first byte, for the bytes may still move. */
struct lh_sse_span {
    size_t at;
    size_t size;
};

struct lh_sse {
    enum lh_error error;  /* valid after LH_FAILED */
    size_t limit;         /* private, as all below */
    struct lb_buf carry;  /* first part of an event that was cut */
    struct lb_buf joined; /* data of several lines */
    bool delivered;       /* carry and joined belong to the event handed out last */
    bool started;         /* the first line, which may open with a BOM, is behind us */
    bool skip_lf;         /* the last byte was CR: an LF now belongs to it */
    size_t lead;          /* 1 if the event's bytes open with such an LF */
    size_t line;          /* offset of the current line in the event */
    size_t data_lines;
    struct lh_sse_span data;
    struct lh_sse_span type;
    struct lh_sse_span id;
};

/* `limit`: bytes of one event (so also of a line); beyond it the stream fails with EVENT_LONG. */
void lh_sse_init(struct lh_sse *sse, const struct lb_host *host, size_t limit);
void lh_sse_free(struct lh_sse *sse);

/*
 * LH_DONE: one event, whose slices live until the next call and as long as `bytes`; *used bytes
 * were taken. LH_MORE: all bytes were taken, no event is complete. LH_FAILED: too long, or memory.
 */
enum lh_result lh_sse_next(struct lh_sse *sse, const char *bytes, size_t size, size_t *used,
                           struct lh_sse_event *event);

/*
 * At the end of the stream: LH_DONE with what stands there without its empty line (the standard
 * drops it; some servers end so after [DONE], so whether it is whole is for the reader to judge),
 * LH_MORE if there is nothing.
 */
enum lh_result lh_sse_finish(struct lh_sse *sse, struct lh_sse_event *event);

#endif
