/* SPDX-License-Identifier: MIT */
/* The OpenAPI 3.1 document, made of routes.def, operations.def, queries.def and schemas.def. */
#ifndef LG_OPENAPI_H
#define LG_OPENAPI_H

#include "base/buf.h"
#include "gateway/route.h"

void lg_openapi_write(const struct lg_route *routes, size_t count, struct lb_buf *out);

#endif
