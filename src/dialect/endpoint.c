/* SPDX-License-Identifier: MIT */
/* The table of endpoints.def in memory. */
#include "dialect/endpoint.h"

#define PATH(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct ld_endpoint ENDPOINTS[LD_ENDPOINT_COUNT] = {
#define LD_ENDPOINT(NAME, path_, SHAPE, USAGE, protocol_, streams_, options_)                      \
    {                                                                                              \
        .id = LD_ENDPOINT_##NAME,                                                                  \
        .name = #NAME,                                                                             \
        .path = PATH(path_),                                                                       \
        .shape = LD_SHAPE_##SHAPE,                                                                 \
        .usage = LD_USAGE_##USAGE,                                                                 \
        .protocol = protocol_,                                                                     \
        .streams = streams_,                                                                       \
        .stream_options = options_,                                                                \
    },
#include "dialect/endpoints.def"
#undef LD_ENDPOINT
};

const struct ld_endpoint *ld_endpoint(enum ld_endpoint_id id)
{
    return &ENDPOINTS[id];
}

/*
 * A comment has one line end: behind an empty line of its own it would be an event to some clients
 * (openai-go; openai for Python once the stream has had an id).
 */
struct lb_str ld_ping(enum ld_shape shape, bool begun)
{
    if (shape == LD_SHAPE_ANTHROPIC)
        return LB_STR("event: ping\ndata: {\"type\":\"ping\"}\n\n");
    if (shape == LD_SHAPE_RESPONSES && begun)
        return LB_STR("event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n");
    return LB_STR(": keepalive\n");
}
