/* SPDX-License-Identifier: MIT */
/*
 * The one dialer. A dial is a small machine of five phases (net/dial_int.h); `limit` runs over all
 * of them. Every socket of llmgr that connects is made in open_socket() below, to an address that
 * begin_connect() was given by the judgement.
 */
#include "net/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "net/addr.h"
#include "net/dial_int.h"
#include "net/policy_int.h"
#include "net/proxy.h"
#include "net/resolve.h"
#include "net/tls_int.h"

static void on_limit(void *context);
static void start_next(void *context);

/* ---- The end of a dial ----------------------------------------------------------------------- */

static void close_attempts(struct ln_dial *dial)
{
    for (size_t i = 0; i < dial->addr_next; i++) {
        if (dial->attempts[i] != NULL)
            ln_conn_close(dial->attempts[i]);
        dial->attempts[i] = NULL;
    }
    dial->attempt_count = 0;
}

static void free_dial(struct ln_dial *dial)
{
    ln_timer_stop(&dial->limit);
    ln_timer_stop(&dial->next);
    ln_defer_stop(&dial->start);
    ln_resolve_abandon(dial->answer);
    close_attempts(dial);
    if (dial->conn != NULL) {
        ln_conn_set_face(dial->conn, NULL, NULL);
        ln_conn_close(dial->conn);
    }
    lb_list_remove(&dial->node);
    const struct lb_host *host = dial->loop->host;
    lb_free_secret(host, dial->tunnel, dial->tunnel_size); /* a proxy may quote its password */
    lb_free(host, dial->host_copy);
    lb_free(host, dial->alpn_copy);
    dial->magic = 0;
    lb_free(host, dial);
}

void ln_dial_cancel(struct ln_dial *dial)
{
    free_dial(LB_CAST(struct ln_dial, dial, LN_DIAL_MAGIC));
}

void ln_dial_fail(struct ln_dial *dial, const struct llmgr_error *err)
{
    ln_dial_fn done = dial->done;
    void *context = dial->context;
    free_dial(dial);
    done(context, NULL, err);
}

void ln_dial_fail_hidden(struct ln_dial *dial, const struct llmgr_error *err)
{
    struct llmgr_error shown = *err;
    if (dial->request.klass == LN_CLASS_PRIVATE) {
        lb_info(dial->loop->host, "dial for a private platform: %s", err->message);
        shown = (struct llmgr_error){0};
        (void)lb_fail(&shown, LLMGR_ERR_UNREACHABLE,
                      N_("%s cannot be reached; check the address of the platform"),
                      dial->request.host);
    }
    ln_dial_fail(dial, &shown);
}

/* The end of the loop. */
static void abort_node(struct lb_list *node)
{
    struct ln_dial *dial = LB_CONTAINER(node, struct ln_dial, node);
    struct llmgr_error err = {0};
    (void)lb_fail(&err, LLMGR_ERR_CANCELLED, N_("the connection to %s was given up"),
                  dial->request.host);
    ln_dial_fail(dial, &err);
}

static void on_limit(void *context)
{
    static const char *const doing[] = {
        [LN_DIAL_RESOLVE] = N_("looking up the name"),
        [LN_DIAL_RESOLVE_PROXY] = N_("looking up the proxy's name"),
        [LN_DIAL_CONNECT] = N_("connecting"),
        [LN_DIAL_TUNNEL] = N_("waiting for the proxy"),
        [LN_DIAL_TLS] = N_("in the TLS handshake"),
    };
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    struct llmgr_error err = {0};
    (void)lb_fail(
        &err, LLMGR_ERR_TIMEOUT,
        N_("no connection to %s:%u within %lld ms (%s); check the address and the network"),
        dial->request.host, (unsigned)dial->request.port, (long long)dial->request.timeout_ms,
        lb_tr(doing[dial->phase]));
    ln_dial_fail(dial, &err);
}

static void dial_succeeded(struct ln_dial *dial)
{
    ln_dial_fn done = dial->done;
    void *context = dial->context;
    struct ln_conn *conn = dial->conn;
    ln_conn_set_face(conn, NULL, NULL);
    dial->conn = NULL;
    free_dial(dial);
    done(context, conn, NULL);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void on_handshake(struct ln_conn *conn, void *context, llmgr_status status)
{
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    if (status == LLMGR_OK) {
        dial_succeeded(dial);
        return;
    }
    const char *reason = conn->sys != 0 ? uv_strerror(uv_translate_sys_error(conn->sys))
                                        : conn->transport->reason(conn);
    struct llmgr_error err = {0};
    (void)lb_fail(
        &err, LLMGR_ERR_TLS,
        N_("TLS with %s:%u failed: %s; if the server uses an authority of its own, name its "
           "certificate as CA file"),
        dial->request.host, (unsigned)dial->request.port, reason);
    ln_dial_fail(dial, &err);
}

void ln_dial_tunnelled(struct ln_dial *dial)
{
    if (dial->request.tls == NULL) {
        dial_succeeded(dial);
        return;
    }
    dial->phase = LN_DIAL_TLS;
    struct llmgr_error err = {0};
    ln_conn_set_face(dial->conn, NULL, dial);
    if (ln_tls_attach_client(dial->conn, dial->request.tls, dial->request.host, dial->request.port,
                             dial->request.alpn, &err) != LLMGR_OK)
        ln_dial_fail(dial, &err);
    else
        ln_conn_handshake(dial->conn, on_handshake);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

/* Only class SYSTEM comes here, and hears all of it. */
static void fail_unix(struct ln_dial *dial, int sys)
{
    const struct sockaddr_un *addr = (const struct sockaddr_un *)&dial->addrs[0];
    struct llmgr_error err = {0};
    (void)lb_fail(&err, LLMGR_ERR_UNREACHABLE,
                  N_("unix:%s cannot be reached: %s; does a server listen there, and may you use "
                     "its socket?"),
                  addr->sun_path, uv_strerror(uv_translate_sys_error(sys)));
    ln_dial_fail(dial, &err);
}

static void fail_connect(struct ln_dial *dial)
{
    struct llmgr_error err = {0};
    const char *host = dial->proxied ? ln_proxy_host(dial->request.proxy) : dial->request.host;
    unsigned port = dial->proxied ? ln_proxy_port(dial->request.proxy) : dial->request.port;
    int sys = dial->last_sys;
    if (dial->is_unix) {
        fail_unix(dial, sys);
        return;
    }
    if (sys == EMFILE || sys == ENFILE || sys == ENOMEM || sys == ENOBUFS) {
        (void)lb_fail(&err, sys == ENOMEM ? LLMGR_ERR_NO_MEMORY : LLMGR_ERR_IO,
                      N_("no socket for %s:%u: %s; raise the limits of this process"), host, port,
                      uv_strerror(uv_translate_sys_error(sys)));
        ln_dial_fail(dial, &err);
        return;
    }
    (void)lb_fail(&err, LLMGR_ERR_UNREACHABLE,
                  N_("%s:%u cannot be reached: %s; is the address right and the server running?"),
                  host, port, uv_strerror(uv_translate_sys_error(sys)));
    ln_dial_fail_hidden(dial, &err);
}

/* Asked of the kernel: what the interfaces had when the policy was made may have changed since. */
static bool leads_here(const struct ln_dial *dial, struct ln_conn *conn)
{
    struct sockaddr_storage local = {0}, peer = {0};
    socklen_t size = sizeof(local);
    return !dial->proxied && ln_conn_peer(conn, &peer) &&
           getsockname(conn->fd, (struct sockaddr *)&local, &size) == 0 &&
           ln_policy_leads_here(dial->request.policy, (const struct sockaddr *)&local,
                                (const struct sockaddr *)&peer);
}

static void fail_circle(struct ln_dial *dial)
{
    struct llmgr_error err = {0};
    (void)lb_fail(&err, LLMGR_ERR_ADDRESS, N_("%s leads to this service itself"),
                  dial->request.host);
    ln_dial_fail_hidden(dial, &err);
}

static void on_connected(struct ln_conn *conn, void *context, llmgr_status status)
{
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    for (size_t i = 0; i < dial->addr_next; i++) {
        if (dial->attempts[i] == conn)
            dial->attempts[i] = NULL;
    }
    dial->attempt_count--;
    if (status != LLMGR_OK) {
        dial->last_sys = conn->sys;
        ln_conn_close(conn);
        ln_timer_stop(&dial->next);
        start_next(dial);
        return;
    }
    ln_timer_stop(&dial->next);
    close_attempts(dial);
    dial->conn = conn;
    if (leads_here(dial, conn))
        fail_circle(dial);
    else if (dial->proxied)
        ln_dial_tunnel(dial);
    else
        ln_dial_tunnelled(dial);
}

static int open_socket(int family)
{
    int on = 1;
#ifdef SOCK_NONBLOCK
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        (void)close(fd);
        return -1;
    }
#endif
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* Begins to connect to one judged address; false (and last_sys) if that fails at once. */
static bool begin_connect(struct ln_dial *dial, size_t index)
{
    const struct sockaddr_storage *addr = &dial->addrs[index];
    int fd = open_socket(addr->ss_family);
    if (fd < 0) {
        dial->last_sys = errno;
        return false;
    }
    int rc = connect(fd, (const struct sockaddr *)addr, ln_addr_size(addr));
    if (rc != 0 && errno != EINPROGRESS && errno != EINTR) {
        dial->last_sys = errno;
        (void)close(fd);
        return false;
    }
    struct ln_conn *conn = NULL;
    if (ln_conn_adopt(dial->loop, fd, &conn, NULL) != LLMGR_OK) {
        dial->last_sys = ENOMEM;
        (void)close(fd);
        return false;
    }
    ln_conn_set_face(conn, NULL, dial);
    dial->attempts[index] = conn;
    dial->attempt_count++;
    ln_conn_await_connect(conn, on_connected);
    return true;
}

/* Gives the next address its chance, now: the one before failed or has had its head start. */
static void start_next(void *context)
{
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    while (dial->addr_next < dial->addr_count) {
        size_t index = dial->addr_next++;
        if (!begin_connect(dial, index))
            continue;
        if (dial->addr_next < dial->addr_count)
            ln_timer_start(dial->loop, &dial->next, LN_DIAL_NEXT_MS, start_next, dial);
        return;
    }
    if (dial->attempt_count == 0)
        fail_connect(dial);
}

/* Families alternate, the resolver's first choice first (RFC 8305 section 4). */
static void keep_addresses(struct ln_dial *dial, const struct sockaddr_storage *addrs, size_t count,
                           uint16_t port)
{
    size_t at[2] = {0, 0};
    sa_family_t first = addrs[0].ss_family;
    unsigned turn = 0;
    dial->addr_count = dial->addr_next = 0;
    while (dial->addr_count < LN_DIAL_ADDR_MAX && (at[0] < count || at[1] < count)) {
        size_t *i = &at[turn];
        while (*i < count && (addrs[*i].ss_family == first) != (turn == 0))
            (*i)++;
        if (*i < count) {
            struct sockaddr_storage *kept = &dial->addrs[dial->addr_count++];
            *kept = addrs[(*i)++];
            ln_addr_set_port(kept, port);
        }
        turn = 1 - turn;
    }
}

/* ---- Resolving and judging ------------------------------------------------------------------- */

static void connect_to(struct ln_dial *dial, const struct sockaddr_storage *addrs, size_t count,
                       uint16_t port)
{
    dial->phase = LN_DIAL_CONNECT;
    keep_addresses(dial, addrs, count, port);
    start_next(dial);
}

static void begin_proxy(struct ln_dial *dial);

/* All of an answer's addresses, or none: one refused address rejects the host. */
static bool judge_all(struct ln_dial *dial, const struct sockaddr_storage *addrs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_storage addr = addrs[i];
        ln_addr_set_port(&addr, dial->request.port);
        const char *what = ln_policy_refusal(dial->request.policy, dial->request.klass,
                                             (const struct sockaddr *)&addr);
        if (what == NULL)
            continue;
        char text[LN_PEER_TEXT];
        struct llmgr_error err = {0};
        (void)lb_fail(
            &err, LLMGR_ERR_ADDRESS, N_("%s leads to %s, which is %s"), dial->request.host,
            ln_addr_text((const struct sockaddr *)&addr, text, sizeof(text)), lb_tr(what));
        ln_dial_fail_hidden(dial, &err);
        return false;
    }
    return true;
}

static void fail_name(struct ln_dial *dial, const char *name, const char *why)
{
    struct llmgr_error err = {0};
    (void)lb_fail(&err, LLMGR_ERR_UNREACHABLE,
                  N_("the name %s cannot be resolved: %s; check its spelling and the DNS"), name,
                  why);
    ln_dial_fail_hidden(dial, &err);
}

static void on_target(void *context, const struct sockaddr_storage *addrs, size_t count,
                      const char *why)
{
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    dial->answer = NULL;
    if (count == 0)
        fail_name(dial, dial->request.host, why);
    else if (!judge_all(dial, addrs, count))
        return;
    else if (dial->proxied)
        begin_proxy(dial);
    else
        connect_to(dial, addrs, count, dial->request.port);
}

static void on_proxy(void *context, const struct sockaddr_storage *addrs, size_t count,
                     const char *why)
{
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    dial->answer = NULL;
    if (count == 0)
        fail_name(dial, ln_proxy_host(dial->request.proxy), why);
    else
        connect_to(dial, addrs, count, ln_proxy_port(dial->request.proxy));
}

/* Literals go the same way as answers, so that nothing is connected to without the judgement. */
static void resolve_name(struct ln_dial *dial, const char *name, enum ln_dial_phase phase,
                         ln_resolved_fn done)
{
    dial->phase = phase;
    struct sockaddr_storage addr;
    enum ln_host_kind kind = ln_host_kind(lb_cstr(name), &addr);
    if (kind == LN_HOST_IPV4 || kind == LN_HOST_IPV6) {
        done(dial, &addr, 1, "");
        return;
    }
    struct llmgr_error err = {0};
    bool absolute = dial->request.klass == LN_CLASS_PRIVATE && phase == LN_DIAL_RESOLVE;
    if (ln_resolve(dial->loop, dial->request.resolver, name, absolute, done, dial, &dial->answer,
                   &err) != LLMGR_OK)
        ln_dial_fail_hidden(dial, &err);
}

static void begin_proxy(struct ln_dial *dial)
{
    resolve_name(dial, ln_proxy_host(dial->request.proxy), LN_DIAL_RESOLVE_PROXY, on_proxy);
}

static void begin_dial(void *context)
{
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    if (dial->is_unix) {
        dial->phase = LN_DIAL_CONNECT;
        start_next(dial);
        return;
    }
    /* The operator's word needs no judgement: behind a proxy, the name is the proxy's matter. */
    if (dial->proxied && dial->request.klass == LN_CLASS_SYSTEM)
        begin_proxy(dial);
    else
        resolve_name(dial, dial->request.host, LN_DIAL_RESOLVE, on_target);
}

/* ---- The request ----------------------------------------------------------------------------- */

static llmgr_status check_unix(const struct ln_dial_request *request, struct llmgr_error *err)
{
    const size_t path_max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    const size_t size = strlen(request->unix_path);
    if (request->klass != LN_CLASS_SYSTEM)
        return lb_fail(err, LLMGR_ERR_INTERNAL, N_("a dial for a private platform to a socket"));
    if (size == 0 || size > path_max)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the path of a unix socket has 1 to %zu bytes"),
                       path_max);
    return LLMGR_OK;
}

/* Checked: it fits. */
static void keep_unix(struct ln_dial *dial)
{
    struct sockaddr_un *addr = (struct sockaddr_un *)&dial->addrs[0];
    addr->sun_family = AF_UNIX;
    memcpy(addr->sun_path, dial->request.unix_path, strlen(dial->request.unix_path));
    dial->request.unix_path = NULL; /* the caller's */
    dial->addr_count = 1;
    dial->is_unix = true;
}

static llmgr_status check_request(const struct ln_dial_request *request, struct llmgr_error *err)
{
    if (request->policy == NULL && request->klass != LN_CLASS_SYSTEM)
        return lb_fail(err, LLMGR_ERR_INTERNAL,
                       N_("a dial for a private platform without a policy"));
    if (request->host == NULL || request->host[0] == '[')
        return lb_fail(err, LLMGR_ERR_INVALID, N_("a dial needs a host without brackets"));
    if (request->unix_path != NULL)
        return check_unix(request, err);
    return ln_policy_judge_url_host(request->policy, request->klass,
                                    request->tls != NULL ? LB_STR("https") : LB_STR("http"),
                                    lb_cstr(request->host), request->port, err);
}

llmgr_status ln_dial(struct ln_loop *loop, const struct ln_dial_request *request, ln_dial_fn done,
                     void *context, struct ln_dial **out, struct llmgr_error *err)
{
    if (loop->dying)
        return lb_fail(err, LLMGR_ERR_CANCELLED, N_("the event loop is being closed"));
    llmgr_status status = check_request(request, err);
    const bool proxied = status == LLMGR_OK && request->unix_path == NULL &&
                         ln_proxy_applies(request->proxy, lb_cstr(request->host), request->port);
    if (proxied)
        status = ln_proxy_check(request->proxy, err);
    if (status != LLMGR_OK)
        return status;
    struct ln_dial *dial = lb_calloc(loop->host, 1, sizeof(*dial));
    if (dial == NULL)
        return lb_fail_memory(err);
    dial->host_copy = lb_strdup(loop->host, request->host);
    dial->alpn_copy = request->alpn != NULL ? lb_strdup(loop->host, request->alpn) : NULL;
    if (dial->host_copy == NULL || (request->alpn != NULL && dial->alpn_copy == NULL)) {
        lb_free(loop->host, dial->host_copy);
        lb_free(loop->host, dial->alpn_copy);
        lb_free(loop->host, dial);
        return lb_fail_memory(err);
    }
    dial->magic = LN_DIAL_MAGIC;
    dial->loop = loop;
    dial->done = done;
    dial->context = context;
    dial->request = *request;
    dial->request.host = dial->host_copy;
    dial->request.alpn = dial->alpn_copy;
    if (dial->request.timeout_ms <= 0)
        dial->request.timeout_ms = LN_DIAL_TIMEOUT_MS;
    dial->proxied = proxied;
    if (request->unix_path != NULL)
        keep_unix(dial);
    ln_loop_join(loop, LN_MEMBER_DIAL, &dial->node, abort_node);
    ln_timer_start(loop, &dial->limit, dial->request.timeout_ms, on_limit, dial);
    ln_defer_start(loop, &dial->start, begin_dial, dial);
    *out = dial;
    return LLMGR_OK;
}
