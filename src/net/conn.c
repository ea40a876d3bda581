/* SPDX-License-Identifier: MIT */
/*
 * The engine of a connection: which events the loop watches, what happens on one, and how a
 * connection ends. The bytes themselves go through a transport (net/plain.c, net/tls_stream.c).
 *
 * The interest in events changes rarely, because each change is an epoll_ctl: reading stays
 * watched between requests, and after ln_conn_read_stop until an unwanted event really comes;
 * writing is watched only while the kernel refuses bytes.
 */
#include "net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/error.h"
#include "net/addr.h"
#include "net/conn_int.h"
#include "net/loop_int.h"

enum {
    SEND_MAX = 256 * 1024, /* bytes offered to the kernel in one turn of the loop */
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void linger_step(struct ln_conn *conn);

/* ---- Birth ----------------------------------------------------------------------------------- */

static void close_node(struct lb_list *node)
{
    ln_conn_close(LB_CONTAINER(node, struct ln_conn, node));
}

llmgr_status ln_conn_adopt(struct ln_loop *loop, int fd, struct ln_conn **out,
                           struct llmgr_error *err)
{
    if (loop->dying)
        return lb_fail(err, LLMGR_ERR_CANCELLED, N_("the event loop is being closed"));
    if (ln_spare_table(loop, fd) != 0)
        return lb_fail_memory(err);
    struct ln_conn *conn = lb_calloc(loop->host, 1, sizeof(*conn));
    if (conn == NULL)
        return lb_fail_memory(err);
    int rc = uv_poll_init(&loop->uv, &conn->poll, fd);
    if (rc != 0) {
        lb_free(loop->host, conn);
        return lb_fail(err, LLMGR_ERR_IO, N_("a socket cannot be watched: %s"), uv_strerror(rc));
    }
#ifdef SO_NOSIGPIPE
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
    conn->magic = LN_CONN_MAGIC;
    conn->fd = fd;
    conn->loop = loop;
    conn->transport = &ln_plain;
    conn->poll.data = conn;
    conn->queue.cap = LN_QUEUE_MAX;
    ln_loop_join(loop, LN_MEMBER_CONN, &conn->node, close_node);
    *out = conn;
    return LLMGR_OK;
}

void ln_conn_set_face(struct ln_conn *conn, const struct ln_conn_face *face, void *context)
{
    conn->face = face;
    conn->context = context;
}

void *ln_conn_context(const struct ln_conn *conn)
{
    return conn->context;
}

struct ln_loop *ln_conn_loop(const struct ln_conn *conn)
{
    return conn->loop;
}

/* ---- Interest -------------------------------------------------------------------------------- */

static bool wants_writable(const struct ln_conn *conn)
{
    if (conn->failed || conn->closing)
        return false;
    return conn->step == LN_STEP_CONNECT || conn->blocked || conn->queue.size != 0 ||
           conn->transport->held(conn) != 0;
}

static bool wants_readable(const struct ln_conn *conn)
{
    if (conn->in_ended || conn->closing || conn->step == LN_STEP_CONNECT)
        return false;
    return conn->reading || conn->step == LN_STEP_HANDSHAKE;
}

/* `lazy`: an event no longer wanted may stay watched until it comes. */
static void watch_socket(struct ln_conn *conn, bool lazy)
{
    int wish = (wants_readable(conn) ? UV_READABLE : 0) | (wants_writable(conn) ? UV_WRITABLE : 0);
    if (lazy && !conn->in_ended && !conn->failed)
        wish |= conn->interest & UV_READABLE;
    if (wish == conn->interest || conn->closing)
        return;
    conn->interest = (uint8_t)wish;
    if (wish == 0)
        (void)uv_poll_stop(&conn->poll);
    else if (uv_poll_start(&conn->poll, wish, on_poll) != 0)
        conn->interest = 0; /* only on a closing handle, which never comes here */
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void deliver_end(struct ln_conn *conn, llmgr_status why)
{
    conn->in_ended = true;
    conn->reading = false;
    ln_defer_stop(&conn->more);
    if (conn->lingering) {
        linger_step(conn);
        return;
    }
    watch_socket(conn, false);
    if (conn->face != NULL && conn->face->end != NULL)
        conn->face->end(conn, conn->context, why);
}

static void read_once(void *context);

/* True: some bytes came. */
static bool do_read(struct ln_conn *conn)
{
    if (!conn->reading || conn->closing) {
        watch_socket(conn, false);
        return false;
    }
    size_t got = 0;
    enum ln_io io = conn->transport->recv(conn, conn->loop->read_buffer, LN_READ_SIZE, &got);
    if (io == LN_IO_OK) {
        if (!conn->lingering && conn->face != NULL && conn->face->data != NULL)
            conn->face->data(conn, conn->context, lb_str(conn->loop->read_buffer, got));
        if (!conn->closing && conn->reading && conn->transport->readable(conn))
            ln_defer_start(conn->loop, &conn->more, read_once, conn);
        return true;
    }
    if (io == LN_IO_END)
        deliver_end(conn, LLMGR_OK);
    else if (io == LN_IO_FAIL)
        deliver_end(conn, conn->why);
    return false;
}

static void read_once(void *context)
{
    struct ln_conn *conn = LB_CAST(struct ln_conn, context, LN_CONN_MAGIC);
    (void)do_read(conn);
    if (!conn->closing)
        watch_socket(conn, true);
}

static void report_failure(void *context)
{
    struct ln_conn *conn = LB_CAST(struct ln_conn, context, LN_CONN_MAGIC);
    if (!conn->closing && !conn->in_ended && conn->reading)
        deliver_end(conn, conn->why);
}

void ln_conn_read_start(struct ln_conn *conn)
{
    if (conn->reading || conn->in_ended || conn->closing || conn->lingering)
        return;
    conn->reading = true;
    if (conn->failed)
        ln_defer_start(conn->loop, &conn->more, report_failure, conn);
    else if (conn->step == LN_STEP_OPEN && conn->transport->readable(conn))
        ln_defer_start(conn->loop, &conn->more, read_once, conn);
    watch_socket(conn, true);
}

void ln_conn_read_stop(struct ln_conn *conn)
{
    if (conn->lingering)
        return;
    conn->reading = false;
    ln_defer_stop(&conn->more);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void finish_output(struct ln_conn *conn)
{
    if (conn->shut || !conn->shutting || conn->failed || conn->queue.size != 0)
        return;
    conn->shutting = false;
    conn->transport->finish(conn);
    if (conn->transport->held(conn) != 0) {
        conn->shutting = true; /* the close_notify itself waits; a second one is not sent */
        return;
    }
    conn->shut = true;
    (void)shutdown(conn->fd, SHUT_WR);
}

/* Sends from the queue what the kernel takes. */
static enum ln_io flush_queue(struct ln_conn *conn)
{
    enum ln_io io = conn->transport->flush(conn);
    while (io == LN_IO_OK && conn->queue.size != 0) {
        struct lb_str slices[LN_SLICES_MAX];
        size_t count = ln_queue_slices(&conn->queue, slices, LN_SLICES_MAX);
        size_t offered = 0;
        for (size_t i = 0; i < count; i++)
            offered += slices[i].size;
        size_t taken = 0;
        io = conn->transport->send(conn, slices, count, &taken);
        ln_queue_drop(&conn->queue, conn->loop->host, taken);
        if (io == LN_IO_OK && taken < offered)
            io = LN_IO_AGAIN;
    }
    return io;
}

static void do_write(struct ln_conn *conn)
{
    conn->blocked = false;
    enum ln_io io = flush_queue(conn);
    if (io == LN_IO_FAIL) {
        ln_queue_clear(&conn->queue, conn->loop->host);
        if (conn->in_ended && !conn->lingering) {
            watch_socket(conn, false);
            return; /* the owner has had its end; its next write tells */
        }
        /* A peer that wants no more may have said why before it reset: that is heard first. */
        if (!conn->lingering && do_read(conn))
            return;
        if (!conn->in_ended && !conn->closing)
            deliver_end(conn, conn->why);
        return;
    }
    finish_output(conn);
    if (conn->lingering) {
        linger_step(conn);
        return;
    }
    bool low = ln_conn_queued(conn) <= conn->queue.low && io == LN_IO_OK;
    if (conn->queue.low != 0)
        low = ln_conn_queued(conn) <= conn->queue.low;
    if (!conn->want_drained || !low)
        return;
    conn->want_drained = ln_conn_queued(conn) > 0; /* told again when nothing is left */
    if (conn->face != NULL && conn->face->drained != NULL)
        conn->face->drained(conn, conn->context);
}

static bool writable_now(const struct ln_conn *conn)
{
    return conn->queue.size == 0 && !conn->blocked && conn->step == LN_STEP_OPEN;
}

static llmgr_status write_refusal(const struct ln_conn *conn)
{
    if (conn->failed)
        return conn->why;
    return conn->closing || conn->lingering || conn->shutting || conn->shut ? LLMGR_ERR_IO
                                                                            : LLMGR_OK;
}

/*
 * Copies the first SEND_MAX bytes of the slices; returns the count. A peer on this machine empties
 * its socket as fast as one call fills it: unbounded, that call would hold the loop for as long as
 * the body lasts.
 */
static size_t clip_slices(struct lb_str *out, const struct lb_str *slices, size_t count)
{
    size_t left = SEND_MAX, kept = 0;

    while (kept < count && kept < LN_SLICES_MAX && left > 0) {
        size_t size = slices[kept].size < left ? slices[kept].size : left;
        out[kept] = lb_str_sub(slices[kept], 0, size);
        left -= size;
        kept++;
    }
    return kept;
}

llmgr_status ln_conn_send(struct ln_conn *conn, const struct lb_str *slices, size_t count,
                          size_t *taken)
{
    struct lb_str clipped[LN_SLICES_MAX];
    llmgr_status status = write_refusal(conn);
    if (status != LLMGR_OK)
        return status;
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += slices[i].size;
    size_t sent = 0;
    if (total > SEND_MAX) {
        count = clip_slices(clipped, slices, count);
        slices = clipped;
    }
    if (writable_now(conn)) {
        if (conn->transport->send(conn, slices, count, &sent) == LN_IO_FAIL)
            return conn->why;
    }
    if (sent < total) {
        conn->blocked = true;
        conn->want_drained = true;
    }
    watch_socket(conn, true);
    *taken = sent;
    return LLMGR_OK;
}

llmgr_status ln_conn_write(struct ln_conn *conn, const struct lb_str *slices, size_t count)
{
    llmgr_status status = write_refusal(conn);
    if (status != LLMGR_OK)
        return status;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (slices[i].size > conn->queue.cap - total)
            return LLMGR_ERR_TOO_LARGE;
        total += slices[i].size;
    }
    if (conn->queue.size > conn->queue.cap - total)
        return LLMGR_ERR_TOO_LARGE;
    size_t sent = 0;
    if (writable_now(conn) && conn->transport->send(conn, slices, count, &sent) == LN_IO_FAIL)
        return conn->why;
    if (sent < total) {
        if (!ln_queue_append(&conn->queue, conn->loop->host, slices, count, sent)) {
            /* Part of it is on its way: the stream cannot be continued. */
            (void)ln_conn_fail(conn, LLMGR_ERR_NO_MEMORY, ENOMEM);
            return LLMGR_ERR_NO_MEMORY;
        }
        conn->want_drained = true;
    } else if (conn->tls != NULL && conn->transport->held(conn) > 0) {
        conn->want_drained = true; /* taken, but some records have not left */
    }
    watch_socket(conn, true);
    return LLMGR_OK;
}

size_t ln_conn_queued(const struct ln_conn *conn)
{
    return conn->queue.size + conn->transport->held(conn);
}

void ln_conn_set_marks(struct ln_conn *conn, size_t cap, size_t low)
{
    conn->queue.cap = cap;
    conn->queue.low = low;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void end_step(struct ln_conn *conn, llmgr_status status)
{
    ln_step_fn done = conn->step_done;
    conn->step = LN_STEP_OPEN;
    conn->step_done = NULL;
    ln_timer_stop(&conn->timer);
    done(conn, conn->context, status);
    watch_socket(conn, true); /* does nothing if `done` closed it */
}

static void do_connect(struct ln_conn *conn)
{
    int sys = 0;
    socklen_t size = sizeof(sys);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &sys, &size) != 0)
        sys = errno;
    if (sys == EINPROGRESS || sys == EALREADY) {
        watch_socket(conn, false);
        return;
    }
    if (sys != 0)
        (void)ln_conn_fail_errno(conn, sys);
    end_step(conn, conn->why);
}

static void do_handshake(struct ln_conn *conn)
{
    enum ln_io io = conn->transport->flush(conn);
    if (io == LN_IO_OK)
        io = conn->transport->handshake(conn);
    if (io == LN_IO_AGAIN)
        watch_socket(conn, false);
    else
        end_step(conn, conn->why);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct ln_conn *conn = LB_CAST(struct ln_conn, poll->data, LN_CONN_MAGIC);
    conn->loop->busy++;
    conn->drained_in = false;
    if (status != 0) {
        /* An error waits on the socket; libuv has stopped watching. The next call meets it. */
        conn->interest = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (conn->step == LN_STEP_CONNECT) {
        do_connect(conn);
        return;
    }
    if (conn->step == LN_STEP_HANDSHAKE) {
        do_handshake(conn);
        return;
    }
    if ((events & UV_WRITABLE) != 0)
        do_write(conn);
    if ((events & UV_READABLE) != 0 && !conn->closing && !conn->in_ended)
        (void)do_read(conn);
    if (!conn->closing)
        watch_socket(conn, (events & UV_READABLE) == 0 || conn->reading);
}

void ln_conn_await_connect(struct ln_conn *conn, ln_step_fn done)
{
    conn->step = LN_STEP_CONNECT;
    conn->step_done = done;
    watch_socket(conn, false);
}

static void run_handshake(void *context)
{
    struct ln_conn *conn = LB_CAST(struct ln_conn, context, LN_CONN_MAGIC);
    if (!conn->closing && conn->step == LN_STEP_HANDSHAKE)
        do_handshake(conn);
}

void ln_conn_handshake(struct ln_conn *conn, ln_step_fn done)
{
    conn->step = LN_STEP_HANDSHAKE;
    conn->step_done = done;
    conn->drained_in = false;
    ln_defer_start(conn->loop, &conn->more, run_handshake, conn);
}

/* ---- The end --------------------------------------------------------------------------------- */

void ln_conn_shutdown(struct ln_conn *conn)
{
    if (conn->shut || conn->shutting || conn->failed || conn->closing)
        return;
    conn->shutting = true;
    finish_output(conn);
    watch_socket(conn, true);
}

static void on_closed(uv_handle_t *handle)
{
    struct ln_conn *conn = LB_CAST(struct ln_conn, handle->data, LN_CONN_MAGIC);
    struct ln_loop *loop = conn->loop;
    if (conn->face != NULL && conn->face->closed != NULL)
        conn->face->closed(conn, conn->context);
    lb_list_remove(&conn->node);
    conn->transport->free(conn);
    bool accepted = conn->accepted;
    conn->magic = 0;
    lb_free(loop->host, conn);
    if (!accepted)
        return;
    loop->accepted--;
    loop->released(loop);
}

void ln_conn_close(struct ln_conn *conn)
{
    if (conn->closing)
        return;
    if (!conn->failed && !conn->shut && !conn->shutting && conn->queue.size == 0 &&
        conn->step == LN_STEP_OPEN)
        conn->transport->finish(conn);
    conn->closing = true;
    conn->reading = false;
    ln_timer_stop(&conn->timer);
    ln_defer_stop(&conn->more);
    ln_queue_clear(&conn->queue, conn->loop->host);
    uv_close((uv_handle_t *)&conn->poll, on_closed);
    /* The handle no longer watches it; its number may be reused at once. */
    (void)close(conn->fd);
    conn->fd = -1;
}

static void linger_over(void *context)
{
    ln_conn_close(LB_CAST(struct ln_conn, context, LN_CONN_MAGIC));
}

/* Closes as soon as both directions are done. */
static void linger_step(struct ln_conn *conn)
{
    if (conn->failed || (conn->shut && conn->in_ended))
        ln_conn_close(conn);
    else
        watch_socket(conn, true);
}

void ln_conn_linger(struct ln_conn *conn, int64_t timeout_ms)
{
    if (conn->closing || conn->lingering)
        return;
    ln_conn_shutdown(conn);
    conn->lingering = true;
    if (!conn->in_ended)
        conn->reading = true;
    ln_timer_start(conn->loop, &conn->timer, timeout_ms, linger_over, conn);
    if (conn->reading && conn->transport->readable(conn))
        ln_defer_start(conn->loop, &conn->more, read_once, conn);
    linger_step(conn);
}

bool ln_conn_closing(const struct ln_conn *conn)
{
    return conn->closing || conn->lingering;
}

/* ---- Questions ------------------------------------------------------------------------------- */

llmgr_status ln_conn_explain(const struct ln_conn *conn, struct llmgr_error *err)
{
    char peer[LN_PEER_TEXT];
    (void)ln_conn_peer_text(conn, peer);
    const char *detail = conn->sys != 0 ? uv_strerror(uv_translate_sys_error(conn->sys))
                                        : conn->transport->reason(conn);
    switch (conn->why) {
    case LLMGR_OK:
        return LLMGR_OK;
    case LLMGR_ERR_NO_MEMORY:
        return lb_fail_memory(err);
    case LLMGR_ERR_CUT:
        return lb_fail(err, conn->why, N_("the connection to %s was cut: %s"), peer, detail);
    case LLMGR_ERR_TLS:
        return lb_fail(err, conn->why, N_("TLS with %s failed: %s"), peer, detail);
    case LLMGR_ERR_TIMEOUT:
        return lb_fail(err, conn->why, N_("%s no longer answers: %s"), peer, detail);
    default:
        return lb_fail(err, conn->why, N_("the connection to %s failed: %s"), peer, detail);
    }
}

bool ln_conn_peer(const struct ln_conn *conn, struct sockaddr_storage *peer)
{
    struct sockaddr_storage found = {0};
    socklen_t size = sizeof(found);
    if (conn->fd < 0 || getpeername(conn->fd, (struct sockaddr *)&found, &size) != 0)
        return false;
    *peer = found;
    return true;
}

const char *ln_conn_peer_text(const struct ln_conn *conn, char buffer[LN_PEER_TEXT])
{
    struct sockaddr_storage peer;
    if (!ln_conn_peer(conn, &peer))
        peer = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    return ln_addr_text((const struct sockaddr *)&peer, buffer, LN_PEER_TEXT);
}

bool ln_conn_is_tls(const struct ln_conn *conn)
{
    return conn->tls != NULL;
}
