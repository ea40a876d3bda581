/* SPDX-License-Identifier: MIT */
/* The endpoints that are relayed to platforms: one table, endpoints.def. */
#ifndef LD_ENDPOINT_H
#define LD_ENDPOINT_H

#include <stdbool.h>

#include "base/str.h"
#include "dialect/usage.h"

enum ld_endpoint_id {
#define LD_ENDPOINT(name, ...) LD_ENDPOINT_##name,
#include "dialect/endpoints.def"
#undef LD_ENDPOINT
    LD_ENDPOINT_COUNT
};

/* How an endpoint says that something went wrong, and that it is still alive. */
enum ld_shape {
    LD_SHAPE_OPENAI,    /* {"error":{...}}; streams of bare data: lines */
    LD_SHAPE_ANTHROPIC, /* {"type":"error",...}; named events */
    LD_SHAPE_RESPONSES, /* bodies as OPENAI, named events */
    LD_SHAPE_COUNT
};

struct ld_endpoint {
    enum ld_endpoint_id id;
    const char *name;   /* "chat": for logs and metrics */
    struct lb_str path; /* below the base URL: "/chat/completions"; empty: the caller's own */
    enum ld_shape shape;
    enum ld_usage_rule usage;
    const char *protocol; /* whose call it is: config/protocols.def; "": the platform's */
    bool streams;
    bool stream_options; /* is usage on a stream asked for by stream_options? */
};

/* Static; `id` is below LD_ENDPOINT_COUNT. All are POST, but NATIVE, which is any method. */
const struct ld_endpoint *ld_endpoint(enum ld_endpoint_id id);

/*
 * What keeps a silent stream alive, between two events: a comment for chat, a ping event for
 * messages, a keepalive event for responses (whose clients do not count comments). `begun`: events
 * of the platform have come; what stands before response.created must be a comment.
 */
struct lb_str ld_ping(enum ld_shape shape, bool begun);

#endif
