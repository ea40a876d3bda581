/* SPDX-License-Identifier: MIT */
/*
 * The filter (filter.h) of answers that the caller gets as the platform wrote them: what stands
 * in them is read while it passes: usage, end state, first content. One tap per answer.
 *
 * Whole answers pass as they come, once they are known to be some: what has shown nothing of an
 * answer yet is held back, up to LD_TAP_HOLD_MAX bytes, for it may be an error that quotes the key,
 * which the owner's function `refusal` overwrites there. A longer error is cut.
 *
 * Of an event stream, an event that is cut off at the end of a read is held back until the rest is
 * there (so that what was forwarded ends between two events, where a ping or an error event may go,
 * so that the extra usage chunk can be withheld, and so that an error is looked at whole); one that
 * grows beyond LD_TAP_EVENT_MAX is let through in pieces, or withheld if it begins as an error.
 * Short of memory, bytes of an answer pass unread. Events that no empty line parts (some servers
 * send a single line end) are parted by one that is added.
 *
 * When is an answer complete? A stream says so by its terminal event; of chat and messages, as some
 * platforms send no [DONE] or message_stop, a finish reason counts too if the body was framed. A
 * whole answer is complete with its last byte or, unframed, with the brace that closes its JSON.
 */
#ifndef LD_TAP_H
#define LD_TAP_H

#include "base/buf.h"
#include "dialect/echo.h"
#include "dialect/endpoint.h"
#include "dialect/filter.h"
#include "dialect/look.h"
#include "dialect/sniff.h"

enum {
    LD_TAP_EVENT_MAX = 256 * 1024, /* bytes of an event that is held back */
    LD_TAP_HOLD_MAX = 64 * 1024,   /* bytes of an error, or of what may be one */
};

/* Lines that an event has. */
enum { LD_TAP_DATA = 1, LD_TAP_TYPE = 2 };

struct ld_tap_options {
    const struct lb_host *host;
    const struct ld_endpoint *endpoint;
    struct lb_str content_type; /* of the answer: it has the word where its bytes say nothing */
    int http_status;            /* of the answer */
    bool withhold_usage;        /* drop the chunk that only we asked for, by stream_options */
    bool unframed;              /* the connection's end ends the answer: nothing tells a cut */
    size_t event_max;           /* 0: LD_TAP_EVENT_MAX */
    bool coded;                 /* in a way that nobody here reads: it passes as it is */
    /* Errors, and what is no answer, before they are handed out: may be overwritten. NULL: none */
    void (*refusal)(void *context, char *text, size_t size);
    void *context;
    bool read_all; /* read echoes too (echo.h): slower, and the same; for tests */
};

struct ld_tap {
    struct ld_filter filter;

    bool unframed; /* private, as all below */
    bool withhold;
    bool blank;   /* no byte of the current line came yet */
    bool last_cr; /* the last byte was CR: an LF now belongs to it */
    bool loose;   /* the current event passes in pieces */
    bool dropped; /* the event before was withheld */
    bool open;    /* what was forwarded last lacks its empty line */
    bool ended;   /* the finish was called */
    bool native;  /* the answer may be anything */
    bool good;    /* whole: it is an answer, and passes */
    bool handed;  /* whole: what was held is on its way out */
    bool cut;     /* an error was too long */
    bool drop;    /* loose: the event is withheld */
    bool single;  /* events came without an empty line between them */
    bool read_all;
    uint8_t lines; /* of the current event: LD_TAP_DATA, LD_TAP_TYPE */
    uint8_t current;
    uint8_t start_size;
    char start[LD_LOOK_MAX]; /* what came before it was known what the answer is */
    const struct ld_endpoint *endpoint;
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

/* Is it an event stream, as far as the head says? */
bool ld_tap_streams(const struct ld_tap_options *options);
/* Valid until ld_filter_free(&tap->filter). */
void ld_tap_init(struct ld_tap *tap, const struct ld_tap_options *options);

#endif
