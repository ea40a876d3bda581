/* SPDX-License-Identifier: MIT */
/* One error as a problem document. Written by hand: it must also come when memory is short. */
#include "management/problem.h"

#include "json/write.h"

int lp_problem_http(llmgr_status status)
{
    /* A 429 would tell a client to slow down towards us. */
    if (status == LLMGR_ERR_RATE_LIMITED)
        return 502;
    return llmgr_status_http(status);
}

static void add_text(const char *name, struct lb_str value, struct lb_buf *out)
{
    lb_buf_addf(out, ",\"%s\":", name);
    lj_json_write_str(value, out);
}

void lp_problem_write(const struct llmgr_error *err, int http_status, struct lb_str request_id,
                      struct lb_buf *out)
{
    int status = http_status != 0 ? http_status : lp_problem_http(err->status);

    lb_buf_add_c(out, "{\"type\":\"about:blank\"");
    add_text("title", lb_cstr(llmgr_status_text(err->status)), out);
    lb_buf_addf(out, ",\"status\":%d", status);
    add_text("detail", lb_cstr(err->message), out);
    add_text("code", lb_cstr(llmgr_status_name(err->status)), out);
    if (request_id.size != 0)
        add_text("request_id", request_id, out);
    if (err->upstream_status != 0)
        lb_buf_addf(out, ",\"upstream_status\":%d", err->upstream_status);
    if (err->retry_after_ms > 0)
        lb_buf_addf(out, ",\"retry_after_ms\":%lld", (long long)err->retry_after_ms);
    lb_buf_add_c(out, "}");
}
