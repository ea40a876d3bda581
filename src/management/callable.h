/* SPDX-License-Identifier: MIT */
/* What this caller can really call: the list, and one by any name. In the caller's dialect. */
#ifndef LP_CALLABLE_H
#define LP_CALLABLE_H

struct lp_call;

void lp_run_callable_list(struct lp_call *call);
void lp_run_callable_get(struct lp_call *call);

#endif
