/* SPDX-License-Identifier: MIT */
/*
 * What stands in an answer that is relayed, read while it passes: usage, end state, first content.
 * One tap per answer. The relay feeds what it received and forwards the slices it gets back:
 *
 *     struct ld_tap_out out;
 *     while (in.size > 0) {
 *         size_t used = ld_tap_feed(&tap, in, &out);
 *         ... forward out.slice[0 .. out.count) ...
 *         in = lb_str_sub(in, used, in.size);
 *     }
 *
 * Whole answers pass as they come, once they are known to be some: what has shown nothing of an
 * answer yet is held back, up to LD_TAP_HOLD_MAX bytes, for it may be an error that quotes the key,
 * which the owner's function `refusal` overwrites there. A longer error is cut.
 *
 * Of an event stream, an event that is cut off at the end of a read is held back until the rest is
 * there (so that what was forwarded ends between two events, where a ping or an error event may go,
 * so that the extra usage chunk can be withheld, and so that an error is looked at whole); one that
 * grows beyond LD_TAP_EVENT_MAX is let through in pieces, or withheld if it begins as an error.
 * Nothing here can fail: short of memory, bytes of an answer pass unread.
 */
#ifndef LD_TAP_H
#define LD_TAP_H

#include "base/buf.h"
#include "dialect/echo.h"
#include "dialect/endpoint.h"
#include "dialect/sniff.h"

enum {
    LD_TAP_EVENT_MAX = 256 * 1024, /* bytes of an event that is held back */
    LD_TAP_HOLD_MAX = 64 * 1024,   /* bytes of an error, or of what may be one */
    LD_TAP_SLICES = 8,
};

struct ld_tap_out {
    struct lb_str slice[LD_TAP_SLICES]; /* of the fed bytes or the tap's own memory: */
    size_t count;                       /* valid until the next call */
};

struct ld_tap_options {
    const struct lb_host *host;
    const struct ld_endpoint *endpoint;
    struct lb_str content_type; /* of the answer: text/event-stream, or whole */
    int http_status;            /* of the answer */
    bool withhold_usage;        /* drop the chunk that only we asked for, by stream_options */
    bool unframed;              /* the connection's end ends the answer: nothing tells a cut */
    size_t event_max;           /* 0: LD_TAP_EVENT_MAX */
    bool coded;                 /* it has a Content-Encoding: nothing can be told of it */
    /* Errors, and what is no answer, before they are handed out: may be overwritten. NULL: none */
    void (*refusal)(void *context, char *text, size_t size);
    void *context;
    bool read_all; /* read echoes too (echo.h): slower, and the same; for tests */
};

/* Read by the owner at any time; written by the tap alone. */
struct ld_tap_report {
    struct llmgr_usage usage; /* -1: not reported */
    bool usage_reported;
    bool finish;   /* a finish_reason or stop_reason came */
    bool terminal; /* [DONE], message_stop, response.completed|incomplete|failed; whole: the end */
    bool failed;   /* an error event, response.failed, or a top-level "error" */
    bool content;  /* output text (or tool arguments) came: the time to first token */
    uint64_t events;      /* that held data */
    uint64_t withheld;    /* bytes not forwarded */
    uint64_t output_size; /* bytes of output text, for ld_usage_estimate */
};

struct ld_tap {
    struct ld_tap_report report;
    bool stream; /* text/event-stream */

    bool unframed;
    bool withhold; /* private, as all below */
    bool blank;    /* no byte of the current line came yet */
    bool last_cr;  /* the last byte was CR: an LF now belongs to it */
    bool loose;    /* the current event passes in pieces */
    bool dropped;  /* the event before was withheld */
    bool open;     /* what was forwarded last lacks its empty line */
    bool ended;    /* ld_tap_finish was called */
    bool native;   /* the answer may be anything */
    bool good;     /* whole: it is an answer, and passes */
    bool handed;   /* whole: what was held is on its way out */
    bool cut;      /* an error was too long */
    bool drop;     /* loose: the event is withheld */
    bool read_all;
    uint8_t current;
    enum ld_usage_rule rule;
    size_t event_max;
    const struct lb_host *host;
    void (*refusal)(void *context, char *text, size_t size);
    void *context;
    struct ld_usage_parts parts;
    struct ld_sniff sniff;
    struct ld_echo echo;
    struct lb_buf carry[2]; /* [current]: the event that was cut; the other: handed out last */
};

void ld_tap_init(struct ld_tap *tap, const struct ld_tap_options *options);
void ld_tap_free(struct ld_tap *tap); /* the report stays readable */

/* Returns the bytes of `in` taken: all, unless `out` is full; at least one of a non-empty `in`. */
size_t ld_tap_feed(struct ld_tap *tap, struct lb_str in, struct ld_tap_out *out);
/*
 * The answer's orderly end: what was held back (an event without its empty line) is read and
 * handed out. Not to be called when the answer was cut: then the rest is best dropped.
 */
void ld_tap_finish(struct ld_tap *tap, struct ld_tap_out *out);

/* Do the bytes forwarded so far end between two events, so that one of ours may follow? */
bool ld_tap_at_boundary(const struct ld_tap *tap);
/*
 * Did the answer say that it is complete? A stream by its terminal event; of chat platforms, some
 * of which send no [DONE], a finish reason counts too if the body was framed. A whole answer is
 * complete with its last byte or, unframed, with the brace that closes its JSON.
 */
bool ld_tap_complete(const struct ld_tap *tap);

#endif
