/* SPDX-License-Identifier: MIT */
/* What is answered on a worker's loop: the rows of kind LOOP in routes.def. Never blocks, no SQL.
 */
#ifndef LG_HANDLERS_H
#define LG_HANDLERS_H

#include "management/call.h"
#include "paths/route.h"

struct lg_shared;

#define LG_DECLARE_RELAY(target)
#define LG_DECLARE_LOOP(target)                                                                    \
    void lg_run_##target(const struct lg_shared *shared, struct lp_call *call);
#define LG_DECLARE_WORK(target)
#define LG_DECLARE_OPERATION(target)
#define LY_ROUTE(method, path, kind, scope, target, ...) LG_DECLARE_##kind(target)
#include "paths/routes.def"
#undef LY_ROUTE
#undef LG_DECLARE_RELAY
#undef LG_DECLARE_LOOP
#undef LG_DECLARE_WORK
#undef LG_DECLARE_OPERATION

#endif
