/* SPDX-License-Identifier: MIT */
/* The fields. None needs escaping: numbers, names of ours, ids of ours, an address. */
#include "gateway/access_line.h"

#include <stdio.h>

#include "base/log_file.h"
#include "base/when.h"
#include "gateway/attempt.h"
#include "gateway/client.h"
#include "gateway/origin.h"
#include "gateway/request.h"

enum { LINE_MAX_SIZE = 1024, GONE = 499 };

static const char *const METHODS[] = {[LH_METHOD_OTHER] = "-",
#define LG_METHOD_NAME(name) [LH_METHOD_##name] = #name,
                                      LH_METHOD_MAP(LG_METHOD_NAME)
#undef LG_METHOD_NAME
};

static int write_line(const struct lg_request *request, char *line)
{
    const struct lg_worker *worker = request->worker;
    const struct ly_route *route = request->match.route;
    static const struct lg_attempt none;
    const struct lg_attempt *attempt = request->attempt != NULL ? request->attempt : &none;
    const struct lr_target *target = &attempt->target;
    bool told = attempt->state != LG_ATTEMPT_OPEN;
    char at[LB_WHEN_TEXT], peer[LN_PEER_TEXT];

    return snprintf(line, LINE_MAX_SIZE,
                    "{\"time\":\"%s\",\"request_id\":\"%.*s\",\"peer\":\"%s\",\"method\":\"%s\","
                    "\"route\":\"%s\",\"status\":%d,\"duration_ms\":%lld,\"first_byte_ms\":%lld,"
                    "\"bytes_in\":%llu,\"bytes_out\":%llu,\"token_id\":%lld,\"platform_id\":%lld,"
                    "\"model_id\":%lld,\"payer\":\"%s\",\"attempts\":%u,\"upstream_status\":%d,"
                    "\"end\":\"%s\"}\n",
                    lb_when_print(lb_now_ms(worker->host), LB_WHEN_TIME_MS, at),
                    (int)request->id.size, request->id.p, lg_origin_text(request->client, peer),
                    METHODS[request->method], route != NULL ? route->path : "-",
                    request->gone && request->status == 0 ? GONE : request->status,
                    (long long)(ln_loop_now(worker->loop) - request->began_at),
                    told && attempt->first_byte_at >= 0
                        ? (long long)(attempt->first_byte_at - request->began_at)
                        : -1LL,
                    (unsigned long long)request->bytes_in, (unsigned long long)request->bytes_out,
                    (long long)request->caller.token_id, (long long)target->platform_id,
                    (long long)target->model_id,
                    target->platform_id != 0 ? lm_payer_name(target->payer) : "-",
                    request->attempts, told ? attempt->upstream_status : 0,
                    told            ? llmgr_end_name(attempt->end)
                    : request->gone ? "client_gone"
                                    : "own");
}

void lg_access_log(const struct lg_request *request)
{
    struct lg_worker *worker = request->worker;
    struct lb_log_file *log = worker->shared->log;
    char line[LINE_MAX_SIZE];

    if (!lb_log_file_is_on(log))
        return;
    int size = write_line(request, line);
    if (size <= 0 || size >= LINE_MAX_SIZE ||
        !lb_log_file_add(log, worker->index, lb_str(line, (size_t)size)))
        lg_count(worker, LG_METRIC_LOG_LOST, 1);
}
