/* SPDX-License-Identifier: MIT */
/*
 * Problem details (RFC 9457): the shape of every error under /api/, whoever finds it.
 *
 *   {"type":"about:blank","title":"not found","status":404,"detail":"there is no platform 7",
 *    "code":"ERR_NOT_FOUND","request_id":"req_…"}
 *
 * `code` is the name of the status in llmgr.h: stable, in no language. `upstream_status` and
 * `retry_after_ms` stand there if a platform said so.
 */
#ifndef LP_PROBLEM_H
#define LP_PROBLEM_H

#include "base/buf.h"
#include "base/str.h"
#include "llmgr.h"

#define LP_PROBLEM_TYPE LB_STR("application/problem+json")

/* The HTTP status of an error under /api/: a platform's refusal is not the caller's (502). */
int lp_problem_http(llmgr_status status);
/* Appends the document. `http_status` 0: that of err->status. */
void lp_problem_write(const struct llmgr_error *err, int http_status, struct lb_str request_id,
                      struct lb_buf *out);

#endif
