/* SPDX-License-Identifier: MIT */
/*
 * For those who run the server: is it alive, does it take requests, what has it done. None of
 * these touches the database, and none says anything of users, names or texts.
 */
#include <string.h>

#include "base/host.h"
#include "gateway/handlers.h"
#include "gateway/worker.h"
#include "ledger/ledger.h"
#include "library/library.h"
#include "management/call.h"
#include "manager/manager.h"
#include "nodes/cells.h"
#include "routing/health.h"

void lg_run_healthz(const struct lg_shared *shared, struct lp_call *call)
{
    (void)shared;
    lb_buf_add_c(&call->out, "{\"status\":\"ok\"}");
}

/* Why no new request should come here; NULL: they may. */
static const char *unready(const struct lg_shared *shared)
{
    if (atomic_load_explicit(&shared->drain->begun, memory_order_relaxed))
        return "draining";
    if (!lm_is_fresh(shared->manager->manager))
        return "database";
    return ll_ledger_refuses(shared->ledger) ? "room" : NULL;
}

void lg_run_readyz(const struct lg_shared *shared, struct lp_call *call)
{
    const char *why = unready(shared);

    call->status = why == NULL ? 200 : 503;
    lb_buf_addf(&call->out, "{\"status\":\"%s\"}", why != NULL ? why : "ready");
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static const struct metric {
    const char *name;
    const char *type;
    const char *labels;
    const char *help;
} METRICS[] = {
#define LG_TYPE_NAME_COUNTER "counter"
#define LG_TYPE_NAME_GAUGE "gauge"
#define LG_METRIC(id, type_, name_, labels_, help_)                                                \
    [LG_METRIC_##                                                                                  \
        id] = {.name = name_, .type = LG_TYPE_NAME_##type_, .labels = labels_, .help = help_},
#include "gateway/metrics.def"
};

static const struct histogram {
    const char *name;
    const char *help;
} HISTOGRAMS[] = {
#define LG_HISTOGRAM(id, name_, help_) [LG_HISTOGRAM_##id] = {name_, help_},
#include "gateway/metrics.def"
};

static void add_head(const char *name, const char *type, const char *help, struct lb_buf *out)
{
    lb_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* A gauge goes up on one worker and down on the same, so a sum that wraps is a sum of differences.
 */
static uint64_t sum_metric(const struct lg_shared *shared, size_t id)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < shared->worker_count; i++)
        sum += read_counter(&shared->workers[i]->counters[id]);
    return sum;
}

static void write_metrics(const struct lg_shared *shared, struct lb_buf *out)
{
    for (size_t i = 0; i < LG_METRIC_COUNT; i++) {
        const struct metric *metric = &METRICS[i];
        if (i == 0 || strcmp(METRICS[i - 1].name, metric->name) != 0)
            add_head(metric->name, metric->type, metric->help, out);
        lb_buf_add_c(out, metric->name);
        if (metric->labels[0] != '\0')
            lb_buf_addf(out, "{%s}", metric->labels);
        lb_buf_addf(out, " %lld\n", (long long)(int64_t)sum_metric(shared, i));
    }
}

static uint64_t sum_bucket(const struct lg_shared *shared, size_t id, size_t bucket)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < shared->worker_count; i++)
        sum += read_counter(&shared->workers[i]->histograms[id].bucket[bucket]);
    return sum;
}

static void write_histogram(const struct lg_shared *shared, size_t id, struct lb_buf *out)
{
    const char *name = HISTOGRAMS[id].name;
    uint64_t below = 0, sum_ms = 0;

    add_head(name, "histogram", HISTOGRAMS[id].help, out);
    for (size_t b = 0; b + 1 < LG_BUCKETS; b++) {
        uint64_t bound = UINT64_C(1) << b; /* ms */
        below += sum_bucket(shared, id, b);
        lb_buf_addf(out, "%s_bucket{le=\"%llu.%03llu\"} %llu\n", name,
                    (unsigned long long)(bound / 1000), (unsigned long long)(bound % 1000),
                    (unsigned long long)below);
    }
    below += sum_bucket(shared, id, LG_BUCKETS - 1);
    for (size_t i = 0; i < shared->worker_count; i++)
        sum_ms += read_counter(&shared->workers[i]->histograms[id].sum_ms);
    lb_buf_addf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %llu.%03llu\n%s_count %llu\n", name,
                (unsigned long long)below, name, (unsigned long long)(sum_ms / 1000),
                (unsigned long long)(sum_ms % 1000), name, (unsigned long long)below);
}

static void write_probes(const struct lg_shared *shared, struct lb_buf *out)
{
    static const char *const ENDS[LG_PROBES] = {[LO_PROBED_WELL] = "well",
                                                [LO_PROBED_ILL] = "refused",
                                                [LO_PROBED_UNSAID] = "unknown",
                                                [LO_PROBED_GONE] = "gone"};

    _Static_assert(LG_PROBES == LO_PROBED_COUNT, "one per end");
    add_head("llmgr_key_probes_total", "counter",
             "looks of the server's own at refused keys and accounts, by how they ended", out);
    for (size_t i = 0; i < LG_PROBES; i++)
        lb_buf_addf(out, "llmgr_key_probes_total{end=\"%s\"} %llu\n", ENDS[i],
                    (unsigned long long)read_counter(&shared->probes->count[i]));
}

static void write_nodes(const struct lz_cells *cells, struct lb_buf *out)
{
    add_head("llmgr_cells_shared_total", "counter",
             "cells that this node wrote for others, and that it read", out);
    lb_buf_addf(out, "llmgr_cells_shared_total{way=\"written\"} %llu\n",
                (unsigned long long)read_counter(&cells->told));
    lb_buf_addf(out, "llmgr_cells_shared_total{way=\"read\"} %llu\n",
                (unsigned long long)read_counter(&cells->heard));
    add_head("llmgr_cells_share_failures_total", "counter",
             "the database could not be told, or asked, what nodes know to be broken", out);
    lb_buf_addf(out, "llmgr_cells_share_failures_total %llu\n",
                (unsigned long long)read_counter(&cells->failures));
}

static void write_process(const struct lg_shared *shared, struct lb_buf *out)
{
    int64_t started = shared->started_ms;

    add_head("llmgr_build_info", "gauge", "the version that runs", out);
    lb_buf_addf(out, "llmgr_build_info{version=\"%s\"} 1\n", llmgr_version());
    add_head("process_start_time_seconds", "gauge", "when the server was started, since 1970", out);
    lb_buf_addf(out, "process_start_time_seconds %lld.%03lld\n", (long long)(started / 1000),
                (long long)(started % 1000));
    add_head("llmgr_workers", "gauge", "worker threads", out);
    lb_buf_addf(out, "llmgr_workers %zu\n", shared->worker_count);
    add_head("llmgr_database_history_resets_total", "counter",
             "the database went back in time or was another one, and all was read anew", out);
    lb_buf_addf(out, "llmgr_database_history_resets_total %llu\n",
                (unsigned long long)lm_history_resets(shared->manager->manager));
    add_head("llmgr_cells_cooled", "gauge",
             "keys, accounts, models and platforms that no route uses at the moment", out);
    lb_buf_addf(out, "llmgr_cells_cooled %u\n", lo_health_cooled(shared->health));
    write_probes(shared, out);
    add_head("llmgr_ready", "gauge", "1 if the server takes new requests", out);
    lb_buf_addf(out, "llmgr_ready %d\n", unready(shared) == NULL);
}

void lg_run_metrics(const struct lg_shared *shared, struct lp_call *call)
{
    call->type = LB_STR("text/plain; version=0.0.4; charset=utf-8");
    write_process(shared, &call->out);
    write_nodes(shared->cells, &call->out);
    write_metrics(shared, &call->out);
    for (size_t i = 0; i < LG_HISTOGRAM_COUNT; i++)
        write_histogram(shared, i, &call->out);
}
