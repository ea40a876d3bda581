/* SPDX-License-Identifier: MIT */
/* The handlers of operations.def: each runs one operation, on a thread of the pool. */
#ifndef LP_OPERATIONS_H
#define LP_OPERATIONS_H

struct lp_call;

#define LP_OPERATION(target, ...) void lp_run_##target(struct lp_call *call);
#define LP_DESCRIBED(...)
#include "management/operations.def"

#endif
