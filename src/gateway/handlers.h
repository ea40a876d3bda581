/* SPDX-License-Identifier: MIT */
/*
 * Every handler of our own that routes.def names. Those of kind OPERATION are management's
 * (management/operations.def).
 */
#ifndef LG_HANDLERS_H
#define LG_HANDLERS_H

#include "management/call.h"

struct lg_shared;

#define LG_DECLARE_RELAY(target)
#define LG_DECLARE_LOOP(target)                                                                    \
    void lg_run_##target(const struct lg_shared *shared, struct lp_call *call);
#define LG_DECLARE_WORK(target) void target(struct lp_call *call);
#define LG_DECLARE_OPERATION(target)
#define LG_ROUTE(method, path, kind, scope, target, ...) LG_DECLARE_##kind(target)
#include "gateway/routes.def"
#undef LG_ROUTE
#undef LG_DECLARE_RELAY
#undef LG_DECLARE_LOOP
#undef LG_DECLARE_WORK
#undef LG_DECLARE_OPERATION

#endif
