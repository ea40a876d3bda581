/* SPDX-License-Identifier: MIT */
/* What requests hold of the server's two shares. See the header. */
#include "gateway/body.h"

#include "base/magic.h"
#include "gateway/client.h"
#include "net/share.h"

enum { RETRY_AFTER_MS = 2000 };

enum { HOLD_MAGIC = 0x6c67686f };

/* A body that is large, or that had to wait. Apart from the request, most of which have none. */
struct lg_hold {
    unsigned magic;
    struct lg_request *request;
    struct ln_portion memory;
    struct ln_portion turn; /* 1: a thread for its looks */
    size_t counted;         /* of the memory, in the metric */
    struct ln_timer timer;
    bool waits; /* in one of the lines */
    bool late;  /* it has waited long enough */
};

static struct ln_share *memory_of(const struct lg_request *request)
{
    return request->worker->shared->bodies;
}

static struct ln_share *turns_of(const struct lg_request *request)
{
    return request->worker->shared->looks;
}

/* ---- Small ones ------------------------------------------------------------------------------ */

static bool fill_purse(struct lg_worker *worker, size_t size)
{
    size_t more = size > LG_PURSE_UNIT ? size : LG_PURSE_UNIT;
    struct ln_share *share = worker->shared->bodies;

    if (!ln_share_try(share, &worker->purse_portion, more, LN_SHARE_SMALL))
        return false;
    worker->purse += more;
    lg_count(worker, LG_METRIC_BODIES_HELD, (int64_t)more);
    return true;
}

static bool pay_from_purse(struct lg_request *request, size_t size)
{
    struct lg_worker *worker = request->worker;

    if (worker->purse < size && !fill_purse(worker, size))
        return false;
    worker->purse -= size;
    request->body_paid += (uint32_t)size;
    return true;
}

void lg_body_empty_purse(struct lg_worker *worker)
{
    size_t much = worker->purse - LG_PURSE_UNIT;

    worker->purse -= much;
    lg_count(worker, LG_METRIC_BODIES_HELD, -(int64_t)much);
    ln_share_give(worker->shared->bodies, &worker->purse_portion, much);
}

void lg_body_close_purse(struct lg_worker *worker)
{
    struct ln_share *share = worker->shared->bodies;

    if (share != NULL)
        ln_share_give(share, &worker->purse_portion, ln_portion_held(&worker->purse_portion));
    worker->purse = 0;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* The metric says what is held; not while it waits, for then others may write there. */
static void count_memory(struct lg_hold *hold, size_t held)
{
    lg_count(hold->request->worker, LG_METRIC_BODIES_HELD, (int64_t)held - (int64_t)hold->counted);
    hold->counted = held;
}

static void got(void *context)
{
    struct lg_hold *hold = LB_CAST(struct lg_hold, context, HOLD_MAGIC);

    hold->waits = false;
    ln_timer_stop(&hold->timer);
    count_memory(hold, ln_portion_held(&hold->memory));
    lg_request_run(hold->request);
}

static void leave_lines(struct lg_hold *hold)
{
    if (!hold->waits)
        return;
    hold->waits = false;
    ln_timer_stop(&hold->timer);
    ln_share_leave(memory_of(hold->request), &hold->memory);
    ln_share_leave(turns_of(hold->request), &hold->turn);
}

static void waited_long_enough(void *context)
{
    struct lg_hold *hold = LB_CAST(struct lg_hold, context, HOLD_MAGIC);

    leave_lines(hold);
    hold->late = true;
    lg_request_run(hold->request);
}

static struct lg_hold *hold_of(struct lg_request *request)
{
    struct lg_worker *worker = request->worker;

    if (request->hold != NULL)
        return request->hold;
    struct lg_hold *hold = lb_calloc(worker->host, 1, sizeof *hold);
    if (hold == NULL)
        return NULL;
    hold->magic = HOLD_MAGIC;
    hold->request = request;
    ln_portion_init(&hold->memory, worker->loop, got, hold);
    ln_portion_init(&hold->turn, worker->loop, got, hold);
    request->hold = hold;
    return hold;
}

static enum lg_verdict stand_in_line(struct lg_hold *hold)
{
    struct lg_request *request = hold->request;
    int64_t wait = request->settings->body_timeout_ms;

    hold->waits = true;
    lg_count(request->worker, LG_METRIC_BODIES_WAITED, 1);
    ln_timer_start(request->worker->loop, &hold->timer,
                   wait < LG_BODY_WAIT_MS ? wait : LG_BODY_WAIT_MS, waited_long_enough, hold);
    lg_client_want_body(request->client, false);
    return LG_WAIT;
}

static enum lg_verdict refuse(struct lg_request *request)
{
    enum lg_verdict verdict =
        lg_request_fail(request, LLMGR_ERR_OVERLOADED,
                        N_("too many large requests are being served at once; try again in a "
                           "moment"));

    lg_count(request->worker, LG_METRIC_BODIES_REFUSED, 1);
    request->error->retry_after_ms = RETRY_AFTER_MS;
    return verdict;
}

/* ---- For the steps --------------------------------------------------------------------------- */

enum lg_verdict lg_body_ask(struct lg_request *request, size_t capacity)
{
    struct lg_hold *hold = request->hold;

    if (hold != NULL && hold->waits)
        return LG_WAIT;
    size_t paid = request->body_paid + (hold != NULL ? ln_portion_held(&hold->memory) : 0);
    if (capacity <= paid)
        return LG_NEXT;
    if (hold == NULL && capacity <= LG_BODY_SMALL && pay_from_purse(request, capacity - paid))
        return LG_NEXT;
    hold = hold_of(request);
    if (hold == NULL)
        return lg_request_fail_memory(request);
    if (hold->late)
        return refuse(request);
    enum ln_share_line line = capacity <= LG_BODY_SMALL ? LN_SHARE_SMALL : LN_SHARE_LARGE;
    if (!ln_share_ask(memory_of(request), &hold->memory, capacity - paid, line))
        return stand_in_line(hold);
    count_memory(hold, ln_portion_held(&hold->memory));
    return LG_NEXT;
}

enum lg_verdict lg_body_turn(struct lg_request *request)
{
    struct lg_hold *hold = hold_of(request);

    if (hold == NULL)
        return lg_request_fail_memory(request);
    if (hold->waits)
        return LG_WAIT;
    if (ln_portion_held(&hold->turn) > 0)
        return LG_NEXT;
    if (hold->late)
        return refuse(request);
    return ln_share_ask(turns_of(request), &hold->turn, 1, LN_SHARE_SMALL) ? LG_NEXT
                                                                           : stand_in_line(hold);
}

/* Threads for long looks: half of the processors stay for those who answer. */
size_t lg_body_looks(unsigned cores)
{
    size_t half = cores / 2;

    return half < 1 ? 1 : half < LG_LOOKS_MAX ? half : LG_LOOKS_MAX;
}

void lg_body_looked(struct lg_request *request)
{
    struct lg_hold *hold = request->hold;

    ln_share_give(turns_of(request), &hold->turn, ln_portion_held(&hold->turn));
}

void lg_body_drop(struct lg_request *request)
{
    struct lg_hold *hold = request->hold;

    leave_lines(hold);
    count_memory(hold, 0);
    ln_share_give(memory_of(request), &hold->memory, ln_portion_held(&hold->memory));
    ln_share_give(turns_of(request), &hold->turn, ln_portion_held(&hold->turn));
    request->hold = NULL;
    hold->magic = 0;
    lb_free(request->worker->host, hold);
}
