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

struct lb_str ld_ping(enum ld_shape shape)
{
    switch (shape) {
    case LD_SHAPE_ANTHROPIC:
        return LB_STR("event: ping\ndata: {\"type\":\"ping\"}\n\n");
    case LD_SHAPE_RESPONSES:
        return LB_STR("event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n");
    default:
        return LB_STR(": keepalive\n\n");
    }
}
