/* SPDX-License-Identifier: MIT */
/*
 * What may change while the server runs: limits, timeouts, policies. A worker holds one snapshot;
 * a reload hands it another, and a request keeps the one it began with.
 */
#ifndef LG_SETTINGS_H
#define LG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr_range.h"
#include "upstream/exchange.h"

enum { LG_TRUSTED_MAX = 64 }; /* ranges of proxies */

struct lg_settings {
    unsigned holders;             /* the worker and its requests; not shared between threads */
    size_t body_max;              /* bytes of a request's body that is held */
    size_t bodies_max;            /* and of all of them, of all workers */
    size_t upload_max;            /* and of one that is passed on as it comes */
    int64_t head_timeout_ms;      /* first byte of a request to the end of its head */
    int64_t body_timeout_ms;      /* between two pieces of a body */
    uint32_t body_rate_min;       /* bytes per second of a body that is awaited; 0: no floor */
    uint32_t body_rate_window_ms; /* over which they are counted */
    int64_t keepalive_timeout_ms; /* between two requests */
    int64_t write_timeout_ms;     /* a client that takes nothing of its answer */
    int64_t freshness_wait_ms;    /* for word from the database */
    int64_t ping_ms;              /* silence on a stream before a keep-alive; 0: never */
    size_t window_max;            /* bytes of an answer that are held until its first content */
    uint32_t window_events;       /* and events */
    int64_t first_content_ms;     /* of a stream, where another candidate could follow */
    unsigned streams_per_user;    /* requests under way at once; 0: no limit */
    unsigned streams_per_token;
    unsigned connections_per_address;
    struct ln_range trusted[LG_TRUSTED_MAX]; /* proxies whose word tells who calls */
    unsigned trusted_count;
    bool trusts_unix;      /* whoever calls on a unix socket is one of them */
    bool forwarded;        /* they say it in Forwarded; false: in X-Forwarded-For */
    bool decision_headers; /* tell platform, model and payer in the answer's head */
    bool cors;             /* answer pages of any origin (where a token is needed) */
    struct lu_timeouts upstream;
};

#endif
