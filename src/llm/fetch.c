/* SPDX-License-Identifier: MIT */
/* One exchange whose answer nobody here reads. See the header. */
#include "llm/fetch.h"

#include "base/error.h"
#include "llm/run.h"

static llmgr_status fetch(struct li_run *run, const struct li_ask *ask, struct lb_buf *body,
                          struct llmgr_error *err)
{
    llmgr_status status = li_run_exchange(run, ask, err);

    if (status != LLMGR_OK)
        return status;
    lb_buf_add_str(body, lb_buf_str(&run->body));
    if (body->failed == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    return body->failed == LLMGR_OK
               ? LLMGR_OK
               : lb_fail(err, LLMGR_ERR_PROTOCOL, N_("the answer is larger than %zu bytes"),
                         body->limit);
}

llmgr_status li_call_fetch(struct li_call *call, const struct li_peer *peer, struct lb_str method,
                           struct lb_str path, int *http_status, struct lb_buf *body,
                           struct llmgr_error *err)
{
    struct lu_timeouts timeouts = *li_call_timeouts(call);
    struct li_run run;

    if (timeouts.total_ms == 0 || timeouts.total_ms > LI_FETCH_MS)
        timeouts.total_ms = LI_FETCH_MS;
    const struct li_ask ask = {
        .method = method,
        .path = path,
        .accept = LB_STR("application/json"),
        .answer_max = body->limit,
        .timeouts = timeouts,
    };
    llmgr_status status = li_call_begin(call, err);
    if (status != LLMGR_OK)
        return status;
    li_run_init(&run, call, peer);
    status = fetch(&run, &ask, body, err);
    *http_status = run.http_status;
    li_run_free(&run);
    li_call_end(call);
    return status;
}
