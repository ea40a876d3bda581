/* SPDX-License-Identifier: MIT */
/*
 * Accepting. One event accepts a bounded batch; what is left makes the next turn come at once. A
 * TLS connection is handed over when its handshake is done, so a caller sees only connections that
 * can speak. Two things make a listener pause: the loop's limit of accepted connections, until one
 * of them ends, and a lack of descriptors, for a moment.
 */
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/magic.h"
#include "net/conn_int.h"
#include "net/loop_int.h"
#include "net/tls_int.h"

enum {
    LISTENER_MAGIC = 0x4c53544e,
    ACCEPT_BATCH = 64,
    PAUSE_MS = 100,
    HANDSHAKE_MS = 10000,
};

struct ln_listener {
    unsigned magic;
    int fd;
    struct ln_loop *loop;
    struct lb_list node;    /* a member of the loop */
    struct lb_list shaking; /* conns in their TLS handshake */
    ln_accept_fn accept;
    void *context;
    struct ln_tls_server *tls;
    int64_t handshake_ms;
    struct ln_timer pause;
    uv_poll_t poll;
    bool tcp;
    bool keep_file;
    bool watching;
    bool unwatched; /* the loop is done with `poll`: the last handshake may free the listener */
    bool closing;
};

enum { SHAKE_MAGIC = 0x5348414b };

/* A handshake under way: it must end with the listener, whose callback it would call. */
struct shake {
    unsigned magic;
    struct lb_list node;
    struct ln_listener *listener;
    struct ln_conn *conn;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void set_watching(struct ln_listener *listener, bool wish)
{
    if (listener->watching == wish || listener->fd < 0)
        return;
    listener->watching = wish;
    if (!wish)
        (void)uv_poll_stop(&listener->poll);
    else if (uv_poll_start(&listener->poll, UV_READABLE, on_poll) != 0)
        listener->watching = false;
}

static void resume_accepting(void *context)
{
    struct ln_listener *listener = LB_CAST(struct ln_listener, context, LISTENER_MAGIC);
    set_watching(listener, listener->loop->accepted < listener->loop->accepted_max);
}

/* Those that paused at the limit go on. */
static void on_released(struct ln_loop *loop)
{
    struct lb_list *at;
    struct lb_list *after;
    LB_LIST_EACH(at, after, &loop->members[LN_MEMBER_LISTENER].list)
    {
        struct ln_listener *listener = LB_CONTAINER(at, struct ln_listener, node);
        if (!listener->watching && !ln_timer_running(&listener->pause))
            resume_accepting(listener);
    }
}

static void close_node(struct lb_list *node)
{
    ln_listener_close(LB_CONTAINER(node, struct ln_listener, node));
}

static void free_listener(struct ln_listener *listener)
{
    lb_list_remove(&listener->node);
    listener->magic = 0;
    lb_free(listener->loop->host, listener);
}

/* ---- Handshakes ------------------------------------------------------------------------------ */

/* The listener may go with its last handshake. */
static void free_shake(struct shake *shake)
{
    struct ln_listener *listener = shake->listener;
    lb_list_remove(&shake->node);
    shake->magic = 0;
    lb_free(listener->loop->host, shake);
    if (listener->unwatched && !listener->closing && lb_list_empty(&listener->shaking))
        free_listener(listener);
}

static void on_handshake(struct ln_conn *conn, void *context, llmgr_status status)
{
    struct shake *shake = LB_CAST(struct shake, context, SHAKE_MAGIC);
    const ln_accept_fn accept = shake->listener->accept;
    void *accept_context = shake->listener->context;
    free_shake(shake);
    ln_conn_set_face(conn, NULL, NULL);
    if (status != LLMGR_OK)
        ln_conn_close(conn); /* scanners and impatient clients: not worth a log line */
    else
        accept(accept_context, conn);
}

static void on_handshake_late(void *context)
{
    struct shake *shake = LB_CAST(struct shake, context, SHAKE_MAGIC);
    struct ln_conn *conn = shake->conn;
    free_shake(shake);
    ln_conn_set_face(conn, NULL, NULL);
    ln_conn_close(conn);
}

static void begin_handshake(struct ln_listener *listener, struct ln_conn *conn)
{
    struct shake *shake = lb_calloc(listener->loop->host, 1, sizeof(*shake));
    if (shake == NULL || ln_tls_attach_server(conn, listener->tls, NULL) != LLMGR_OK) {
        lb_free(listener->loop->host, shake);
        ln_conn_close(conn);
        return;
    }
    *shake = (struct shake){.magic = SHAKE_MAGIC, .listener = listener, .conn = conn};
    lb_list_add_tail(&listener->shaking, &shake->node);
    ln_conn_set_face(conn, NULL, shake);
    ln_timer_start(listener->loop, &conn->timer, listener->handshake_ms, on_handshake_late, shake);
    ln_conn_handshake(conn, on_handshake);
}

/* ---- Accepting ------------------------------------------------------------------------------- */

static int accept_fd(struct ln_listener *listener)
{
#ifdef SOCK_NONBLOCK
    return accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int fd = accept(listener->fd, NULL, NULL);
    if (fd >= 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    return fd;
#endif
}

static void take_socket(struct ln_listener *listener, int fd)
{
    int on = 1;
    if (listener->tcp)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct ln_conn *conn = NULL;
    if (ln_conn_adopt(listener->loop, fd, &conn, NULL) != LLMGR_OK) {
        (void)close(fd);
        return;
    }
    conn->accepted = true;
    listener->loop->accepted++;
    if (listener->tls != NULL)
        begin_handshake(listener, conn);
    else
        listener->accept(listener->context, conn);
}

/* True if accepting may go on after this errno. */
static bool survive_failure(struct ln_listener *listener, int sys)
{
    switch (sys) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM: /* a firewall's word about one peer */
        return true;
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return false;
    default: /* EMFILE, ENFILE, ENOBUFS, ENOMEM: those waiting stay in the kernel's queue */
        lb_warn(listener->loop->host, "accepting pauses: %s",
                uv_strerror(uv_translate_sys_error(sys)));
        set_watching(listener, false);
        ln_timer_start(listener->loop, &listener->pause, PAUSE_MS, resume_accepting, listener);
        return false;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct ln_listener *listener = LB_CAST(struct ln_listener, poll->data, LISTENER_MAGIC);
    struct ln_loop *loop = listener->loop;
    (void)events;
    loop->busy++;
    if (status != 0) {
        listener->watching = false; /* libuv has stopped; look again in a moment */
        ln_timer_start(loop, &listener->pause, PAUSE_MS, resume_accepting, listener);
        return;
    }
    for (int i = 0; i < ACCEPT_BATCH && listener->watching; i++) {
        if (loop->accepted >= loop->accepted_max) {
            set_watching(listener, false);
            return;
        }
        int fd = accept_fd(listener);
        if (fd >= 0)
            take_socket(listener, fd);
        else if (!survive_failure(listener, errno))
            return;
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

llmgr_status ln_listener_start(struct ln_loop *loop, int fd,
                               const struct ln_accept_options *options, ln_accept_fn accept,
                               void *context, struct ln_listener **out, struct llmgr_error *err)
{
    if (loop->dying)
        return lb_fail(err, LLMGR_ERR_CANCELLED, N_("the event loop is being closed"));
    if (ln_spare_table(loop, fd) != 0)
        return lb_fail_memory(err);
    struct ln_listener *listener = lb_calloc(loop->host, 1, sizeof(*listener));
    if (listener == NULL)
        return lb_fail_memory(err);
    int rc = uv_poll_init(&loop->uv, &listener->poll, fd);
    if (rc != 0) {
        lb_free(loop->host, listener);
        return lb_fail(err, LLMGR_ERR_IO, N_("a listening socket cannot be watched: %s"),
                       uv_strerror(rc));
    }
    struct sockaddr_storage addr = {0};
    socklen_t size = sizeof(addr);
    listener->magic = LISTENER_MAGIC;
    listener->fd = fd;
    listener->loop = loop;
    listener->accept = accept;
    listener->context = context;
    listener->poll.data = listener;
    listener->tcp = getsockname(fd, (struct sockaddr *)&addr, &size) == 0 &&
                    (addr.ss_family == AF_INET || addr.ss_family == AF_INET6);
    listener->handshake_ms = HANDSHAKE_MS;
    if (options != NULL) {
        listener->tls = options->tls;
        listener->keep_file = options->keep_file;
        if (options->handshake_timeout_ms > 0)
            listener->handshake_ms = options->handshake_timeout_ms;
    }
    lb_list_init(&listener->shaking);
    ln_loop_join(loop, LN_MEMBER_LISTENER, &listener->node, close_node);
    loop->released = on_released;
    resume_accepting(listener);
    *out = listener;
    return LLMGR_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct ln_listener *listener = LB_CAST(struct ln_listener, handle->data, LISTENER_MAGIC);
    listener->unwatched = true;
    if (lb_list_empty(&listener->shaking))
        free_listener(listener);
}

/*
 * The handle closes before the socket, and with it: libuv takes the descriptor's number out of
 * epoll when a handle closes, and the next connection may have that number by then.
 */
static void close_socket(struct ln_listener *listener)
{
    ln_timer_stop(&listener->pause);
    if (listener->fd < 0)
        return;
    listener->watching = false;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    if (listener->keep_file)
        (void)close(listener->fd);
    else
        ln_listen_close(listener->fd);
    listener->fd = -1;
}

void ln_listener_close(struct ln_listener *listener)
{
    if (listener == NULL || listener->closing)
        return;
    listener->closing = true;
    close_socket(listener);
    while (!lb_list_empty(&listener->shaking))
        on_handshake_late(LB_CONTAINER(listener->shaking.next, struct shake, node));
    lb_list_remove(&listener->node);
    if (listener->unwatched)
        free_listener(listener);
}

void ln_listener_end(struct ln_listener *listener)
{
    struct ln_loop *loop = listener->loop;
    while (listener->fd >= 0 && loop->accepted < loop->accepted_max) {
        int fd = accept_fd(listener);
        if (fd >= 0)
            take_socket(listener, fd);
        else if (!survive_failure(listener, errno))
            break;
    }
    close_socket(listener);
}
