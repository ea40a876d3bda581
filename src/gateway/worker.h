/* SPDX-License-Identifier: MIT */
/*
 * One worker: a thread, its loop, and everything a request needs that is not shared. Only the
 * counters are looked at from other threads.
 */
#ifndef LG_WORKER_H
#define LG_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "dialect/splice.h"
#include "gateway/settings.h"
#include "gateway/shared.h"
#include "http/head.h"
#include "net/loop.h"
#include "net/share.h"
#include "routing/verdict.h"

struct lg_client_events;
struct lg_request;
struct lg_block;
struct lm_manager;
struct ll_journal;
struct lw_token_cache;
struct lr_view;
struct ln_listener;
struct ln_tls_client;
struct ln_tls_server;
struct lu_pool;

enum lg_metric {
#define LG_METRIC(id, ...) LG_METRIC_##id,
#include "gateway/metrics.def"
#undef LG_METRIC
    LG_METRIC_COUNT
};

enum lg_histogram_id {
#define LG_HISTOGRAM(id, ...) LG_HISTOGRAM_##id,
#include "gateway/metrics.def"
#undef LG_HISTOGRAM
    LG_HISTOGRAM_COUNT
};

/* LN_SLICES_MAX, beside head, chunk head, what a window held (window.h) and tail. */
enum { LG_PASS_MAX = 12 };

/* Upper bounds 1, 2, 4, ... 2^19 ms and one for what is beyond. */
enum { LG_BUCKETS = 21 };

struct lg_histogram {
    _Atomic uint64_t bucket[LG_BUCKETS]; /* each counts only its own range */
    _Atomic uint64_t sum_ms;
};

/* The path that was matched last, to a row without parameters: most that come are the same. */
struct lg_route_memo {
    const struct ly_route *route; /* NULL: none */
    enum lh_method method;
    size_t size;
    char path[48];
};

/* Buffers of large bodies wait to be used again: the allocator would give them to the system. */
enum {
    LG_BODIES_KEPT = 8,
    LG_BODY_KEPT_MIN = 4 * 1024, /* smaller ones are the allocator's daily bread */
    LG_BODY_KEPT_MAX = 256 * 1024,
};

enum { LG_WORKER_MAGIC = 0x6c67776b };

struct lg_worker {
    unsigned magic;
    unsigned index;
    const struct lg_shared *shared;
    const struct lb_host *host;
    struct lm_manager *manager;
    uv_thread_t thread;
    struct ln_loop *loop;
    struct lu_pool *pool;
    struct ln_tls_client *tls_out;
    struct ln_tls_server *tls_in; /* NULL: plain */
    struct lr_view *view;
    struct lw_token_cache *tokens;
    struct ll_journal *journal;
    struct lg_settings *settings;
    _Atomic(struct lg_settings *) coming; /* those of a reload, until the loop takes them */
    struct ln_listener *listeners[LG_LISTENERS_MAX];
    size_t listener_count;
    const struct lg_client_events *events; /* whom clients tell what happens */
    struct lb_list clients;
    unsigned client_count;
    struct lg_request *spare; /* requests to use again */
    unsigned spare_count;
    unsigned look_ups;       /* of tokens, under way off the loop */
    struct lg_block *blocks; /* and their first memory */
    unsigned room_count;
    struct lb_list waiters; /* jobs that wait for word from the database */
    atomic_uint waiting;    /* how many; the keeper looks */
    struct ln_post fresh_post;
    struct ln_post reload_post;
    struct ln_post drain_post;
    struct ln_timer drain_timer;
    struct ln_timer grace_timer; /* while idle clients may still be heard, though draining */
    bool grace_over;             /* its first part is over */
    bool draining;
    bool cut;   /* the drain's limit has passed */
    bool going; /* it is being freed: nobody is served any more */

    /* Of the message being read right now; no request keeps them over a turn. */
    struct lh_head head;
    struct lh_field fields[LH_FIELDS];
    struct lb_buf out;       /* a head being written */
    struct lb_buf words;     /* an error's body; what most need is there from the start */
    struct ld_slices slices; /* a body on its way from PREPARE to SEND */
    struct lg_route_memo memo;
    struct lb_buf bodies[LG_BODIES_KEPT];
    unsigned body_count;
    size_t purse; /* bytes of the portion that are not spent */
    struct ln_portion purse_portion;
    struct lb_str pass[LG_PASS_MAX + 1]; /* payload of one read on its way out */
    size_t pass_count;
    bool pass_short_lived;         /* some of it lives only until the filter is fed again */
    struct llmgr_error last_error; /* of a request without memory for its own */
    char id_text[32];
    char date[32];     /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    int64_t date_at;   /* loop time of the next look at the clock */
    uint64_t id_base;  /* request ids: the time, what is random per worker ... */
    uint64_t id_count; /* ... and counted */

    _Atomic uint64_t counters[LG_METRIC_COUNT];
    struct lg_histogram histograms[LG_HISTOGRAM_COUNT];
};

/* Only the worker writes: a load and a store, no locked instruction. */
static inline void lg_count(struct lg_worker *worker, enum lg_metric metric, int64_t change)
{
    uint64_t now = atomic_load_explicit(&worker->counters[metric], memory_order_relaxed);
    atomic_store_explicit(&worker->counters[metric], now + (uint64_t)change, memory_order_relaxed);
}

void lg_observe(struct lg_worker *worker, enum lg_histogram_id id, int64_t ms);

/* worker.c */
LLMGR_MUST_CHECK llmgr_status lg_worker_new(const struct lg_shared *shared, unsigned index,
                                            const struct lg_settings *settings,
                                            struct lg_worker **worker, struct llmgr_error *err);
/* Takes over the socket. Before the thread starts. */
LLMGR_MUST_CHECK llmgr_status lg_worker_listen(struct lg_worker *worker, int fd, bool keep_file,
                                               struct llmgr_error *err);
void lg_worker_run(void *worker); /* the thread */
/* From the main thread: new settings and certificates; the drain's beginning or its new limit. */
LLMGR_MUST_CHECK llmgr_status lg_worker_tell(struct lg_worker *worker,
                                             const struct lg_settings *settings);
void lg_worker_drain(struct lg_worker *worker);
/* After the thread has ended, or if it never began. NULL is fine. */
void lg_worker_free(struct lg_worker *worker);
/* supplies.c */
/* The settings of now, held; lg_settings_drop gives them back. On the worker's thread. */
struct lg_settings *lg_settings_hold(struct lg_worker *worker);
void lg_settings_drop(struct lg_worker *worker, struct lg_settings *settings);
/* An empty buffer for a body of so many bytes, as far as is known, and of at most `limit`. */
void lg_worker_take_body(struct lg_worker *worker, uint64_t size, size_t limit,
                         struct lb_buf *body);
/* Gives the memory of a body back. */
void lg_worker_put_body(struct lg_worker *worker, struct lb_buf *body);
/* The Date field's value, at most a second old. */
struct lb_str lg_worker_date(struct lg_worker *worker);
/* A new id, "req_" and 26 digits, in a buffer of at least LG_ID_SIZE bytes. */
struct lb_str lg_worker_make_id(struct lg_worker *worker, char *buffer);
#endif
