/* SPDX-License-Identifier: MIT */
/* The OpenAPI 3.1 document, made of routes.def, operations.def, queries.def and schemas.def. */
#ifndef LY_OPENAPI_H
#define LY_OPENAPI_H

#include "base/buf.h"
#include "paths/route.h"

void ly_openapi_write(const struct ly_route *routes, size_t count, struct lb_buf *out);

/* The handler of the route that hands it out. */
void ly_run_openapi(struct lp_call *call);

#endif
