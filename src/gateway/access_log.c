/* SPDX-License-Identifier: MIT */
/* One line per finished request, when events of level info are reported. */
#include "gateway/access_log.h"

#include "gateway/request.h"

void lg_access_log(const struct lg_request *request)
{
    const struct lg_worker *worker = request->worker;
    const struct lg_route *route = request->match.route;

    if (worker->host->log_level < LLMGR_LOG_INFO)
        return;
    lb_info(worker->host,
            "{\"request_id\":\"%.*s\",\"route\":\"%s\",\"status\":%d,\"ms\":%lld,\"in\":%llu,"
            "\"out\":%llu,\"token_id\":%lld,\"platform_id\":%lld,\"model_id\":%lld,"
            "\"attempts\":%u,\"gone\":%s}",
            (int)request->id.size, request->id.p, route != NULL ? route->path : "-",
            request->gone && request->status == 0 ? 499 : request->status,
            (long long)(ln_loop_now(worker->loop) - request->began_at),
            (unsigned long long)request->bytes_in, (unsigned long long)request->bytes_out,
            (long long)request->caller.token_id, (long long)request->target.platform_id,
            (long long)request->target.model_id, request->attempt,
            request->gone ? "true" : "false");
}
