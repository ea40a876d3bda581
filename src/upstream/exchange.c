/* SPDX-License-Identifier: MIT */
/*
 * The exchange's life: start, connection, timers, cancel, the one end. Sending stands in send.c,
 * parsing in receive.c; what they find they tell here by lu_end and lu_lost.
 *
 *   start --> DIALING --> SENDING --> [FEEDING] --> SENT --> ENDING --> gone
 *        \___ waiting ____/   \__ lost before any byte, connection had waited: DIALING once more
 *             connection
 *
 * The end is always told by a deferred call: nobody finds the exchange gone under its feet.
 */
#include "upstream/exchange.h"

#include "base/magic.h"
#include "net/conn.h"
#include "net/dial.h"
#include "upstream/private.h"

/* ---- Ending ---------------------------------------------------------------------------------- */

struct llmgr_error *lu_why(struct lu_exchange *exchange)
{
    if (exchange->why == NULL)
        exchange->why = lb_calloc(exchange->host, 1, sizeof *exchange->why);
    if (exchange->why == NULL)
        exchange->why = lu_pool_spare_error(exchange->pool);
    return exchange->why;
}

static void deliver_end(struct lu_exchange *exchange)
{
    static const struct llmgr_error FINE = {.status = LLMGR_OK};

    exchange->face->end(exchange, exchange->context, exchange->why != NULL ? exchange->why : &FINE);
    if (exchange->why != lu_pool_spare_error(exchange->pool))
        lb_free(exchange->host, exchange->why);
    exchange->magic = 0;
    lu_partial_head_free(exchange);
    lu_decoding_free(exchange);
    lu_pool_count(exchange->pool, -1);
    lb_free(exchange->host, exchange);
}

/* What was put off because the owner was calling us. */
static void run_later(void *context)
{
    struct lu_exchange *exchange = LB_CAST(struct lu_exchange, context, LU_EXCHANGE_MAGIC);

    if (exchange->state == LU_ENDING) {
        deliver_end(exchange);
        return;
    }
    if (exchange->wants_drained) {
        exchange->wants_drained = false;
        if (exchange->face->drained != NULL)
            exchange->face->drained(exchange, exchange->context);
    }
    if (exchange->took_turn)
        lu_exchange_resume(exchange);
    if (exchange->state == LU_ENDING || exchange->paused || !exchange->wants_resume)
        return;
    exchange->wants_resume = false;
    lu_feed_held(exchange);
    if (exchange->state != LU_ENDING && !exchange->paused) {
        ln_conn_read_start(exchange->link->conn);
        lu_phase_start(exchange);
    }
}

void lu_call_later(struct lu_exchange *exchange)
{
    ln_defer_start(exchange->loop, &exchange->later, run_later, exchange);
}

void lu_end(struct lu_exchange *exchange, bool keep_connection)
{
    if (exchange->state == LU_ENDING)
        return;
    exchange->state = LU_ENDING;
    ln_timer_stop(&exchange->phase);
    ln_timer_stop(&exchange->total);
    if (exchange->dial != NULL)
        ln_dial_cancel(exchange->dial);
    exchange->dial = NULL;
    if (exchange->link != NULL) {
        if (keep_connection)
            lu_link_put(exchange->link);
        else
            lu_link_close(exchange->link);
    }
    exchange->link = NULL;
    lu_site_release(exchange->site);
    exchange->site = NULL;
    lb_buf_free(&exchange->head);
    lb_buf_free(&exchange->held);
    lu_call_later(exchange);
}

void lu_exchange_cancel(struct lu_exchange *exchange)
{
    lu_end_with(exchange, LLMGR_ERR_CANCELLED, N_("the call was cancelled"));
}

void lu_exchange_fail(struct lu_exchange *exchange, const struct llmgr_error *err)
{
    if (exchange->state == LU_ENDING)
        return;
    *lu_why(exchange) = *err;
    lu_end(exchange, false);
}

static void end_forgotten(struct lu_exchange *exchange, void *context,
                          const struct llmgr_error *err)
{
    (void)exchange;
    (void)context;
    (void)err;
}

static const struct lu_face NOBODY = {.end = end_forgotten};

void lu_exchange_forget(struct lu_exchange *exchange)
{
    if (exchange->state != LU_ENDING)
        lu_exchange_cancel(exchange);
    exchange->face = &NOBODY;
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void phase_over(void *context)
{
    struct lu_exchange *exchange = LB_CAST(struct lu_exchange, context, LU_EXCHANGE_MAGIC);
    const char *origin = exchange->site->origin;

    if (exchange->got_head)
        lu_end_with(exchange, LLMGR_ERR_TIMEOUT,
                    N_("'%s' stopped in the middle of its answer for %lld ms"), origin,
                    (long long)exchange->timeouts.idle_ms);
    else if (exchange->state == LU_SENT)
        lu_end_with(exchange, LLMGR_ERR_TIMEOUT, N_("'%s' did not begin to answer within %lld ms"),
                    origin, (long long)exchange->timeouts.first_byte_ms);
    else
        lu_end_with(exchange, LLMGR_ERR_TIMEOUT, N_("'%s' took nothing of the request for %lld ms"),
                    origin, (long long)exchange->timeouts.idle_ms);
}

static void total_over(void *context)
{
    struct lu_exchange *exchange = LB_CAST(struct lu_exchange, context, LU_EXCHANGE_MAGIC);

    lu_end_with(exchange, LLMGR_ERR_TIMEOUT, N_("'%s' did not complete its answer within %lld ms"),
                exchange->site->origin, (long long)exchange->timeouts.total_ms);
}

/* (Re)starts the limit that holds in the present phase. */
void lu_phase_start(struct lu_exchange *exchange)
{
    int64_t limit = exchange->state == LU_SENT && !exchange->got_head
                        ? exchange->timeouts.first_byte_ms
                        : exchange->timeouts.idle_ms;

    if (limit > 0)
        ln_timer_start(exchange->loop, &exchange->phase, limit, phase_over, exchange);
    else
        ln_timer_stop(&exchange->phase);
}

/* ---- The connection -------------------------------------------------------------------------- */

static void attach_link(struct lu_exchange *exchange, struct lu_link *link)
{
    exchange->link = link;
    link->exchange = exchange;
    exchange->stats.connected_at = ln_loop_now(exchange->loop);
    ln_conn_set_face(link->conn, &lu_exchange_conn_face, link);
    if (exchange->paused)
        ln_conn_read_stop(link->conn);
    else
        ln_conn_read_start(link->conn);
    lu_phase_start(exchange);
    lu_send_start(exchange);
}

static void dial_ended(void *context, struct ln_conn *conn, const struct llmgr_error *err)
{
    struct lu_exchange *exchange = LB_CAST(struct lu_exchange, context, LU_EXCHANGE_MAGIC);

    exchange->dial = NULL;
    if (conn == NULL) {
        lu_exchange_fail(exchange, err);
        return;
    }
    exchange->stats.tls_resumed = ln_conn_tls_resumed(conn);
    struct lu_link *link = lu_link_new(exchange->site, conn);
    if (link == NULL)
        lu_end_memory(exchange);
    else
        attach_link(exchange, link);
}

static llmgr_status dial_origin(struct lu_exchange *exchange, struct llmgr_error *err)
{
    exchange->state = LU_DIALING;
    return lu_pool_dial(exchange->site, exchange->timeouts.connect_ms, dial_ended, exchange,
                        &exchange->dial, err);
}

/* The connection had waited and was dead: the same once more on a fresh one. */
static void retry_fresh(struct lu_exchange *exchange)
{
    lu_link_close(exchange->link);
    exchange->link = NULL;
    exchange->stats.attempts++;
    exchange->stats.reused = false;
    ln_timer_stop(&exchange->phase);
    struct llmgr_error err = {0};
    if (dial_origin(exchange, &err) == LLMGR_OK)
        return;
    *lu_why(exchange) = err;
    lu_end(exchange, false);
}

void lu_lost(struct lu_exchange *exchange, llmgr_status why)
{
    const char *origin;

    if (exchange->state == LU_ENDING)
        return;
    if (exchange->stats.reused && !exchange->got_byte && why != LLMGR_ERR_NO_MEMORY) {
        retry_fresh(exchange);
        return;
    }
    origin = exchange->site->origin;
    if (why != LLMGR_OK && why != LLMGR_ERR_CUT) {
        struct llmgr_error *err = lu_why(exchange);
        ln_conn_explain(exchange->link->conn, err);
        if (err->status == LLMGR_OK)
            lb_fail(err, why, N_("the connection to '%s' failed"), origin);
        lu_end(exchange, false);
    } else if (exchange->got_head) {
        lu_end_with(exchange, LLMGR_ERR_CUT,
                    N_("'%s' cut the connection in the middle of its answer"), origin);
    } else {
        lu_end_with(exchange, LLMGR_ERR_CUT, N_("'%s' closed the connection without an answer"),
                    origin);
    }
}

static struct lu_exchange *exchange_of(void *context)
{
    struct lu_link *link = LB_CAST(struct lu_link, context, LU_LINK_MAGIC);

    return LB_CAST(struct lu_exchange, link->exchange, LU_EXCHANGE_MAGIC);
}

static void conn_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    struct lu_exchange *exchange = exchange_of(context);

    (void)conn;
    if (exchange->got_head)
        lu_phase_start(exchange);
    lu_feed(exchange, bytes);
    if (exchange->state != LU_ENDING && exchange->paused)
        ln_timer_stop(&exchange->phase);
}

static void conn_drained(struct ln_conn *conn, void *context)
{
    struct lu_exchange *exchange = exchange_of(context);

    (void)conn;
    if (exchange->state == LU_SENDING) {
        lu_send_more(exchange);
    } else if (exchange->state == LU_FEEDING) {
        ln_timer_stop(&exchange->phase);
        if (exchange->face->drained != NULL)
            exchange->face->drained(exchange, exchange->context);
    }
}

static void conn_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    struct lu_exchange *exchange = exchange_of(context);

    (void)conn;
    if (why == LLMGR_OK && exchange->got_head && lu_body_may_end(exchange)) {
        lu_end(exchange, false);
        return;
    }
    lu_lost(exchange, why);
}

const struct ln_conn_face lu_exchange_conn_face = {
    .data = conn_data,
    .drained = conn_drained,
    .end = conn_end,
};

/* ---- Back-pressure --------------------------------------------------------------------------- */

void lu_exchange_pause(struct lu_exchange *exchange)
{
    exchange->took_turn = false;
    if (exchange->state == LU_ENDING || exchange->paused)
        return;
    exchange->paused = true;
    if (exchange->link != NULL)
        ln_conn_read_stop(exchange->link->conn);
    if (exchange->got_head)
        ln_timer_stop(&exchange->phase);
}

void lu_exchange_give_way(struct lu_exchange *exchange)
{
    if (exchange->state == LU_ENDING || exchange->paused)
        return;
    lu_exchange_pause(exchange);
    exchange->took_turn = true;
    lu_call_later(exchange);
}

void lu_exchange_resume(struct lu_exchange *exchange)
{
    if (exchange->state == LU_ENDING || !exchange->paused)
        return;
    exchange->paused = exchange->took_turn = false;
    if (exchange->got_head) {
        exchange->wants_resume = true;
        lu_call_later(exchange);
    } else if (exchange->link != NULL) {
        ln_conn_read_start(exchange->link->conn);
    }
}

bool lu_exchange_paused(const struct lu_exchange *exchange)
{
    return exchange->paused;
}

const struct lu_stats *lu_exchange_stats(const struct lu_exchange *exchange)
{
    return &exchange->stats;
}

/* ---- Start ----------------------------------------------------------------------------------- */

static struct lu_exchange *allocate_exchange(struct lu_pool *pool, const struct lu_request *request,
                                             const struct lu_face *face, void *context)
{
    struct ln_loop *loop = lu_pool_loop(pool);
    const struct lb_host *host = ln_loop_host(loop);
    size_t slices = request->body_count + 2; /* a chunk's head and tail */
    struct lu_exchange *made = lb_calloc(host, 1, sizeof *made + slices * sizeof made->slices[0]);

    if (made == NULL)
        return NULL;
    made->magic = LU_EXCHANGE_MAGIC;
    made->pool = pool;
    made->loop = loop;
    made->host = host;
    made->face = face;
    made->context = context;
    made->body_kind = request->body_kind;
    made->open_key = request->open_key;
    made->open_fixed = request->open_fixed;
    made->key_context = request->key_context;
    made->timeouts = request->timeouts;
    made->answer_max = request->answer_max;
    made->reply_to = lb_str_eq_c(request->method, "HEAD") ? LH_REPLY_TO_HEAD : LH_REPLY_TO_OTHER;
    lb_buf_init(&made->head, host, 0);
    lb_buf_init(&made->held, host, LN_READ_SIZE);
    made->stats = (struct lu_stats){.connected_at = -1, .sent_at = -1, .attempts = 1};
    return made;
}

/* What can be said about the request before anything is made. */
static llmgr_status check_request(const struct lu_request *request, struct llmgr_error *err)
{
    if (request->body_count > LU_BODY_SLICES_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the request's body has more than %d parts"),
                       LU_BODY_SLICES_MAX);
    if (lu_auth_find(request->protocol) == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the protocol '%.*s' is unknown"),
                       (int)request->protocol.size, request->protocol.p);
    return LLMGR_OK;
}

/* A waiting connection for what can be sent again, else a dial. */
static llmgr_status connect_somehow(struct lu_exchange *exchange, struct llmgr_error *err)
{
    struct lu_link *link = NULL;

    if (exchange->body_kind == LU_BODY_WHOLE)
        link = lu_link_take(exchange->site);
    if (link == NULL)
        return dial_origin(exchange, err);
    exchange->stats.reused = true;
    attach_link(exchange, link);
    return LLMGR_OK;
}

llmgr_status lu_exchange_start(struct lu_pool *pool, const struct lu_request *request,
                               const struct lu_face *face, void *context,
                               struct lu_exchange **exchange, struct llmgr_error *err)
{
    struct lu_base *base = NULL;

    llmgr_status status = check_request(request, err);
    if (status == LLMGR_OK)
        status = lu_base_find(pool, lu_pool_bases(pool), request->url, request->klass, &base, err);
    if (status != LLMGR_OK)
        return status;
    struct lu_exchange *made = allocate_exchange(pool, request, face, context);
    if (made == NULL)
        return lb_fail_memory(err);
    made->auth = lu_auth_find(request->protocol);
    made->auth_second = lu_auth_second(made->auth, request->dialect);
    status = lu_prepare_head(made, request, base, err);
    if (status == LLMGR_OK) {
        made->site = base->site;
        lu_site_hold_again(made->site);
        status = connect_somehow(made, err);
        if (status != LLMGR_OK)
            lu_site_release(made->site);
    }
    if (status != LLMGR_OK) {
        lb_buf_free(&made->head);
        lb_free(made->host, made);
        return status;
    }
    if (made->timeouts.total_ms > 0 && made->state != LU_ENDING)
        ln_timer_start(made->loop, &made->total, made->timeouts.total_ms, total_over, made);
    lu_pool_count(pool, 1);
    *exchange = made;
    return LLMGR_OK;
}
