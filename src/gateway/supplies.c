/* SPDX-License-Identifier: MIT */
/*
 * What a worker lends the requests that it serves: the settings of now, the date, ids, buffers for
 * bodies; and the histograms it keeps of them.
 */
#include "gateway/worker.h"

#include <string.h>

#include "base/when.h"
#include "ledger/request_id.h"

enum { DATE_MS = 500 };

struct lg_settings *lg_settings_hold(struct lg_worker *worker)
{
    worker->settings->holders++;
    return worker->settings;
}

void lg_settings_drop(struct lg_worker *worker, struct lg_settings *settings)
{
    if (settings != NULL && --settings->holders == 0)
        lb_free(worker->host, settings);
}

struct lb_str lg_worker_date(struct lg_worker *worker)
{
    int64_t now = ln_loop_now(worker->loop);

    if (now >= worker->date_at) {
        (void)lb_when_print_http(lb_now_ms(worker->host), worker->date);
        worker->date_at = now + DATE_MS;
    }
    return lb_cstr(worker->date);
}

struct lb_str lg_worker_make_id(struct lg_worker *worker, char *buffer)
{
    static const char DIGITS[] = "0123456789abcdef";
    uint64_t count = ++worker->id_count;
    char *to = buffer;

    memcpy(to, "req_", 4);
    to += 4;
    ll_id_write_time(lb_now_ms(worker->host), to);
    to += LL_ID_TIME_SIZE;
    for (unsigned i = 0; i < 8; i++)
        *to++ = DIGITS[(worker->id_base >> (28 - 4 * i)) & 15];
    for (unsigned i = 0; i < 10; i++)
        *to++ = DIGITS[(count >> (36 - 4 * i)) & 15];
    return lb_str(buffer, (size_t)(to - buffer));
}

void lg_worker_take_body(struct lg_worker *worker, uint64_t size, size_t limit, struct lb_buf *body)
{
    lb_buf_init(body, worker->host, limit);
    if (size > LG_BODY_KEPT_MIN && worker->body_count > 0) {
        *body = worker->bodies[--worker->body_count];
        body->limit = limit;
    }
    /* At once what the first read may bring, not by doubling; never more on a mere announcement. */
    if (size > limit)
        size = limit;
    if (size > 0)
        (void)lb_buf_reserve(body, size < LN_READ_SIZE ? (size_t)size : LN_READ_SIZE);
}

void lg_worker_put_body(struct lg_worker *worker, struct lb_buf *body)
{
    if (body->secret || body->capacity < LG_BODY_KEPT_MIN || body->capacity > LG_BODY_KEPT_MAX ||
        worker->body_count == LG_BODIES_KEPT) {
        lb_buf_free(body);
        return;
    }
    lb_buf_reset(body);
    worker->bodies[worker->body_count++] = *body;
    lb_buf_init(body, worker->host, body->limit);
}

void lg_observe(struct lg_worker *worker, enum lg_histogram_id id, int64_t ms)
{
    struct lg_histogram *histogram = &worker->histograms[id];
    uint64_t value = ms > 0 ? (uint64_t)ms : 0;
    unsigned bucket = value <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(value - 1);

    if (bucket >= LG_BUCKETS)
        bucket = LG_BUCKETS - 1;
    _Atomic uint64_t *count = &histogram->bucket[bucket];
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&histogram->sum_ms,
                          atomic_load_explicit(&histogram->sum_ms, memory_order_relaxed) + value,
                          memory_order_relaxed);
}
