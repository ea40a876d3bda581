/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a client, cut into requests. Nothing here knows what a request means: the worker's
 * lg_client_events are told.
 */
#include "gateway/client.h"

#include "base/error.h"
#include "base/magic.h"
#include "gateway/origin.h"
#include "gateway/worker.h"
#include "net/conn.h"

enum {
    CLIENT_MAGIC = 0x6c67636c,
    HEADS_PER_TURN = 16, /* of one connection: then others have their turn */
    LOOKS = 4,           /* at what a client takes, within the write timeout */
};

static void feed_requests(struct lg_client *client);
static void client_stalled(void *context);
static void await_next(struct lg_client *client);
static void watch_writing(struct lg_client *client);

static const struct lg_client_events *events_of(const struct lg_client *client)
{
    return client->worker->events;
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void idle_over(void *context)
{
    lg_client_close(LB_CAST(struct lg_client, context, CLIENT_MAGIC));
}

/* The head, or the body, does not come: an answer, if there is anything to answer to. */
static void body_late(void *context)
{
    struct lg_client *client = LB_CAST(struct lg_client, context, CLIENT_MAGIC);

    if (client->request != NULL)
        events_of(client)->late(client->request);
    else
        events_of(client)->refuse(client, 408, N_("the request did not arrive in time"));
}

static void start_timer(struct lg_client *client, int64_t ms, void (*fire)(void *context))
{
    if (ms > 0)
        ln_timer_start(client->worker->loop, &client->timer, ms, fire, client);
    else
        ln_timer_stop(&client->timer);
}

static void look_again(struct lg_client *client)
{
    start_timer(client, (client->worker->settings->write_timeout_ms + LOOKS - 1) / LOOKS,
                client_stalled);
}

/* A client that takes something of its answer, however slowly, lives; one that stops does not. */
static void client_stalled(void *context)
{
    struct lg_client *client = LB_CAST(struct lg_client, context, CLIENT_MAGIC);

    if (client->ended && !client->parting) {
        lg_client_close(client);
    } else if (!client->owing) {
        return;
    } else if (ln_conn_delivered(client->conn) != client->delivered) {
        watch_writing(client);
    } else if (++client->quiet == LOOKS) {
        lg_client_close(client);
    } else {
        look_again(client);
    }
}

static void watch_writing(struct lg_client *client)
{
    client->delivered = ln_conn_delivered(client->conn);
    client->quiet = 0;
    look_again(client);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void free_partial(struct lg_client *client)
{
    lb_free(client->worker->host, client->partial);
    client->partial = NULL;
}

static void free_client(struct lg_client *client)
{
    struct lg_worker *worker = client->worker;

    lg_origin_free(client);
    lb_list_remove(&client->node);
    lb_buf_free(&client->in);
    free_partial(client);
    ln_defer_stop(&client->again);
    client->magic = 0;
    lb_free(worker->host, client);
    lg_count(worker, LG_METRIC_CONNECTIONS_OPEN, -1);
    worker->events->freed(worker);
}

/* A request whose work is still on another thread keeps its client until it is done. */
static void on_closed(struct ln_conn *conn, void *context)
{
    struct lg_client *client = LB_CAST(struct lg_client, context, CLIENT_MAGIC);

    (void)conn;
    client->conn = NULL;
    if (client->request == NULL)
        free_client(client);
}

/* What both ways of closing have in common: nothing of ours waits any longer. */
static bool end_ours(struct lg_client *client)
{
    if (client->closing)
        return false;
    client->closing = true;
    client->wants_body = false;
    ln_timer_stop(&client->timer);
    ln_defer_stop(&client->again);
    return true;
}

void lg_client_close(struct lg_client *client)
{
    if (!end_ours(client))
        return;
    ln_conn_close(client->conn);
    if (client->request != NULL)
        events_of(client)->gone(client->request);
}

static void linger_after(struct lg_client *client)
{
    if (end_ours(client))
        ln_conn_linger(client->conn, client->unread_body ? LG_LINGER_MS : LG_LINGER_MS / 4);
}

/* Nothing further is served. What has been answered is still taken, however slowly. */
static void part_from(struct lg_client *client, bool unread_body)
{
    client->unread_body = unread_body;
    if (!client->owing) {
        linger_after(client);
        return;
    }
    client->parting = true;
    ln_defer_stop(&client->again);
    if (!ln_timer_running(&client->timer))
        watch_writing(client);
}

/* A request that crosses our end on its way is thrown away, not reset: its client may ask again. */
void lg_client_end_idle(struct lg_client *client)
{
    if (client->request == NULL && client->in.size == 0 && !client->parting && !client->closing)
        part_from(client, false);
}

/* ---- Events of the connection ---------------------------------------------------------------- */

static void on_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    struct lg_client *client = LB_CAST(struct lg_client, context, CLIENT_MAGIC);

    (void)conn;
    if (client->parting)
        return; /* thrown away */
    if (client->in.size == 0) {
        client->now = bytes;
    } else {
        lb_buf_add_str(&client->in, bytes);
        if (client->in.failed != LLMGR_OK) {
            lg_client_close(client);
            return;
        }
        client->now = lb_buf_str(&client->in);
    }
    feed_requests(client);
}

static void on_drained(struct ln_conn *conn, void *context)
{
    struct lg_client *client = LB_CAST(struct lg_client, context, CLIENT_MAGIC);

    client->owing = ln_conn_queued(conn) > 0;
    if (!client->wants_body && client->owing)
        watch_writing(client);
    else if (!client->wants_body)
        ln_timer_stop(&client->timer);
    if (client->request != NULL)
        events_of(client)->drained(client->request);
    else if (!client->owing && client->parting)
        linger_after(client);
    else if (!client->owing)
        await_next(client);
}

static void leave_later(void *context)
{
    struct lg_client *client = LB_CAST(struct lg_client, context, CLIENT_MAGIC);

    if (client->request != NULL)
        lg_client_close(client);
}

/*
 * A FIN from a client whose answer is under way counts as its leaving: HTTP clients do not half
 * close, and waiting for a reset would let the platform work (and bill) for nobody. Answers that
 * are complete are its own, and are still handed over: also one whose last bytes are noticed in the
 * same turn as the FIN, and what we answer ourselves.
 */
static void on_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    struct lg_client *client = LB_CAST(struct lg_client, context, CLIENT_MAGIC);

    (void)conn;
    client->ended = true;
    client->half = why == LLMGR_OK;
    if (!client->half || client->wants_body || (client->request == NULL && !client->owing))
        lg_client_close(client);
    else if (client->request == NULL)
        part_from(client, false);
    else if (!events_of(client)->is_settled(client->request))
        ln_defer_start(client->worker->loop, &client->again, leave_later, client);
}

static const struct ln_conn_face CLIENT_FACE = {
    .data = on_data,
    .drained = on_drained,
    .end = on_end,
    .closed = on_closed,
};

void lg_client_accept(void *context, struct ln_conn *conn)
{
    struct lg_worker *worker = LB_CAST(struct lg_worker, context, LG_WORKER_MAGIC);
    struct lg_client *client = worker->going ? NULL : lb_calloc(worker->host, 1, sizeof *client);

    if (client == NULL) {
        ln_conn_close(conn);
        return;
    }
    client->magic = CLIENT_MAGIC;
    client->worker = worker;
    client->conn = conn;
    lb_buf_init_secret(&client->in, worker->host,
                       lh_limits_default.head + LG_PIPELINE_MAX + LN_READ_SIZE);
    lb_list_add_tail(&worker->clients, &client->node);
    worker->client_count++;
    lg_count(worker, LG_METRIC_CONNECTIONS, 1);
    lg_count(worker, LG_METRIC_CONNECTIONS_OPEN, 1);
    ln_conn_set_face(conn, &CLIENT_FACE, client);
    ln_conn_set_marks(conn, LG_OUT_CAP, LG_OUT_LOW);
    const char *why = NULL;
    if (!lg_origin_accept(client, &why)) {
        if (why != NULL) {
            lg_count(worker, LG_METRIC_LIMITED_ADDRESS, 1);
            events_of(client)->refuse(client, 429, why);
        } else {
            lg_client_close(client);
        }
        return;
    }
    start_timer(client, worker->settings->head_timeout_ms, idle_over);
    ln_conn_read_start(conn);
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static void begin_request(struct lg_client *client)
{
    struct lg_worker *worker = client->worker;

    free_partial(client);
    client->now = lb_str_sub(client->now, worker->head.size, client->now.size);
    client->served++;
    ln_timer_stop(&client->timer);
    worker->events->begin(client, &worker->head);
}

static void refuse_head(struct lg_client *client, enum lh_error error)
{
    lg_count(client->worker, LG_METRIC_BAD_HTTP, 1);
    free_partial(client);
    events_of(client)->refuse(client, lh_error_http(error), lh_error_text(error));
}

/* The head is not all there: from now on a parser of its own remembers how far it looked. */
static void collect_head(struct lg_client *client)
{
    const struct lb_host *host = client->worker->host;

    if (client->partial == NULL) {
        client->partial = lb_alloc(host, sizeof *client->partial);
        if (client->partial == NULL) {
            lg_client_close(client);
            return;
        }
        lh_head_init_request(&client->partial->head, client->partial->fields, LH_FIELDS,
                             &lh_limits_default);
        start_timer(client, client->worker->settings->head_timeout_ms, body_late);
    }
}

/* One head out of `now`; false if more bytes must come first. */
static bool next_head(struct lg_client *client)
{
    struct lg_worker *worker = client->worker;

    if (client->partial != NULL) {
        enum lh_result seen =
            lh_head_parse(&client->partial->head, client->now.p, client->now.size);
        if (seen == LH_MORE)
            return false;
    }
    lh_head_init_request(&worker->head, worker->fields, LH_FIELDS, &lh_limits_default);
    switch (lh_head_parse(&worker->head, client->now.p, client->now.size)) {
    case LH_DONE:
        begin_request(client);
        return true;
    case LH_FAILED:
        refuse_head(client, worker->head.error);
        return false;
    case LH_MORE:
    default:
        collect_head(client);
        return false;
    }
}

/* ---- Feeding --------------------------------------------------------------------------------- */

/* Reads again, unless what has come already waits to be fed: feeding ends with this, too. */
static void read_on(struct lg_client *client)
{
    if (!client->stopped || client->closing)
        return;
    client->stopped = false;
    ln_conn_read_start(client->conn);
}

/*
 * Nobody takes bytes for now, and many wait. Those of heads that wait for the next turn are read
 * up before anything behind them, the client's end among it, is noticed.
 */
static void balance_reading(struct lg_client *client)
{
    bool next = client->request == NULL && !client->owing && !client->again.waiting;

    if (next || client->wants_body) {
        read_on(client);
    } else if (client->in.size > LG_PIPELINE_MAX || client->again.waiting) {
        client->stopped = true;
        ln_conn_read_stop(client->conn);
    }
}

/* What was not used moves to (or to the front of) `in`; an empty `in` gives its memory back. */
static void save_rest(struct lg_client *client)
{
    struct lb_str rest = client->now;

    client->now = lb_str(NULL, 0);
    if (client->closing || client->parting || rest.size == 0) {
        if (client->in.capacity > 0) {
            lb_buf_free(&client->in);
            lb_buf_init_secret(&client->in, client->worker->host, client->in.limit);
        }
        balance_reading(client);
        return;
    }
    if (client->in.size > 0)
        lb_buf_shift(&client->in, client->in.size - rest.size);
    else
        lb_buf_add_str(&client->in, rest);
    if (client->in.failed != LLMGR_OK) {
        lg_client_close(client);
        return;
    }
    balance_reading(client);
}

static void feed_again(void *context);

/*
 * The next head: not before all of the answers so far are in the kernel, for a client that sends on
 * and reads nothing would have us work and remember without end; and few of them in one turn.
 */
static bool next_request(struct lg_client *client, unsigned *begun)
{
    if (client->owing)
        return false;
    if (++*begun <= HEADS_PER_TURN)
        return next_head(client);
    ln_defer_start(client->worker->loop, &client->again, feed_again, client);
    return false;
}

static void feed_requests(struct lg_client *client)
{
    unsigned begun = 0;

    client->feeding = true;
    while (client->now.size > 0 && !client->closing && !client->parting) {
        size_t before = client->now.size;
        if (client->request == NULL) {
            if (!next_request(client, &begun))
                break;
        } else if (client->wants_body) {
            events_of(client)->body(client->request);
            if (client->now.size == before)
                break;
        } else {
            break;
        }
    }
    client->feeding = false;
    save_rest(client);
    if (client->request == NULL && client->partial == NULL && !client->closing && !client->owing)
        start_timer(client, client->worker->settings->keepalive_timeout_ms, idle_over);
}

static void feed_again(void *context)
{
    struct lg_client *client = LB_CAST(struct lg_client, context, CLIENT_MAGIC);

    client->now = lb_buf_str(&client->in);
    feed_requests(client);
}

/* What has come already is next, or what will come. */
static void await_next(struct lg_client *client)
{
    if (client->in.size > 0) {
        ln_defer_start(client->worker->loop, &client->again, feed_again, client);
        return;
    }
    read_on(client);
    start_timer(client, client->worker->settings->keepalive_timeout_ms, idle_over);
}

/* ---- For the request ------------------------------------------------------------------------- */

struct lb_str lg_client_take(struct lg_client *client, size_t max)
{
    size_t size = client->now.size < max ? client->now.size : max;
    struct lb_str taken = lb_str_sub(client->now, 0, size);

    client->now = lb_str_sub(client->now, size, client->now.size);
    if (client->wants_body)
        client->body.taken += (uint32_t)size < UINT32_MAX - client->body.taken
                                  ? (uint32_t)size
                                  : UINT32_MAX - client->body.taken;
    return taken;
}

/*
 * A body that comes by drips would hold what is kept of it, and its place among its user's
 * requests, as long as its sender likes. Its pace is looked at once in each window, when something
 * comes; if nothing does, body_timeout ends it. While a platform takes no more, nobody is to blame.
 */
static bool body_drips(struct lg_client *client, bool begins)
{
    const struct lg_settings *settings = client->worker->settings;
    uint32_t now = (uint32_t)ln_loop_now(client->worker->loop);
    uint32_t passed = now - client->body.since;

    if (!begins && (settings->body_rate_min == 0 || passed < settings->body_rate_window_ms))
        return false;
    if (!begins && client->body.taken < (uint64_t)settings->body_rate_min * passed / 1000)
        return true;
    client->body.since = now;
    client->body.taken = 0;
    return false;
}

void lg_client_want_body(struct lg_client *client, bool wants)
{
    bool begins = !client->wants_body;

    client->wants_body = wants && !client->closing;
    if (!client->wants_body) {
        ln_timer_stop(&client->timer);
        if (!client->closing && client->owing)
            watch_writing(client); /* an answer that began before the body ended */
        return;
    }
    if (body_drips(client, begins)) /* not from here: the request that reads is on the stack */
        start_timer(client, 1, body_late);
    else
        start_timer(client, client->worker->settings->body_timeout_ms, body_late);
    if (client->feeding)
        return;
    if (client->in.size > 0) /* some of it came while its token was looked up */
        ln_defer_start(client->worker->loop, &client->again, feed_again, client);
    else
        read_on(client);
}

bool lg_client_write(struct lg_client *client, const struct lb_str *slices, size_t count)
{
    if (client->closing)
        return false;
    if (ln_conn_write(client->conn, slices, count) != LLMGR_OK) {
        /* Not from here: the request that writes is on the stack. */
        start_timer(client, 1, client_stalled);
        client->ended = true;
        return false;
    }
    client->owing = ln_conn_queued(client->conn) > 0;
    if (client->owing && !ln_timer_running(&client->timer))
        watch_writing(client);
    return true;
}

void lg_client_done(struct lg_client *client, bool keep, bool unread_body)
{
    client->request = NULL;
    client->wants_body = false;
    lg_origin_end(client);
    if (client->conn == NULL) {
        free_client(client);
        return;
    }
    if (client->closing)
        return;
    if (client->ended && !client->half) {
        lg_client_close(client);
        return;
    }
    if (!keep || client->ended || client->worker->draining) {
        part_from(client, unread_body);
        return;
    }
    if (client->feeding)
        return;
    if (!client->owing)
        await_next(client);
    else if (!ln_timer_running(&client->timer))
        watch_writing(client);
}
