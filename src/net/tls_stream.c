/* SPDX-License-Identifier: MIT */
/*
 * The TLS transport: OpenSSL between an owner's bytes and the socket.
 *
 *   SSL_read  <- BIO read:  recv into OpenSSL's own buffer, until a recv came up short
 *   SSL_write -> BIO write: sendmsg; what the kernel does not take waits in `out`
 *
 * Because the BIO takes every record whole, an SSL_write never has to be repeated with the same
 * bytes, and `out` never holds more than a record and some handshake messages: while it holds
 * anything, nothing new is encrypted. Small slices (a head and its body) are gathered into one
 * record, so a request costs one SSL_write and one sendmsg.
 */
#include "net/tls_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/error.h"

enum {
    OUT_MIN = 20 * 1024,  /* one full record with its frame */
    OUT_MAX = 128 * 1024, /* a peer that asks for more unread answers than this is cut off */
    /* A number of its own kind: BIO_get_new_index would change a counter of the whole process. */
    BIO_TYPE_CONN = 127 | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR,
};

/* ---- The BIO --------------------------------------------------------------------------------- */

static bool hold_back(struct ln_tls_stream *tls, const struct lb_host *host, const char *bytes,
                      size_t size)
{
    if (size > OUT_MAX - tls->out_size)
        return false;
    if (tls->out_size + size > tls->out_capacity) {
        size_t capacity = tls->out_capacity == 0 ? OUT_MIN : tls->out_capacity;
        while (capacity < tls->out_size + size)
            capacity *= 2;
        char *bigger = lb_realloc(host, tls->out, capacity);
        if (bigger == NULL)
            return false;
        tls->out = bigger;
        tls->out_capacity = capacity;
    }
    memcpy(tls->out + tls->out_size, bytes, size);
    tls->out_size += size;
    return true;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    struct ln_conn *conn = LB_CAST(struct ln_conn, BIO_get_data(bio), LN_CONN_MAGIC);
    struct ln_tls_stream *tls = conn->tls;
    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    struct lb_str slice = {bytes, (size_t)size};
    size_t taken = 0;
    if (tls->out_size == 0 && ln_plain_send(conn, &slice, 1, &taken) == LN_IO_FAIL)
        return -1;
    if (taken < slice.size &&
        !hold_back(tls, conn->loop->host, bytes + taken, slice.size - taken)) {
        (void)ln_conn_fail(conn, LLMGR_ERR_NO_MEMORY, ENOMEM);
        return -1;
    }
    return size;
}

static int bio_read(BIO *bio, char *buffer, int size)
{
    struct ln_conn *conn = LB_CAST(struct ln_conn, BIO_get_data(bio), LN_CONN_MAGIC);
    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    if (conn->drained_in) {
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t n;
    do
        n = recv(conn->fd, buffer, (size_t)size, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        conn->drained_in = n < size; /* the next recv would only say EAGAIN */
        return (int)n;
    }
    if (n == 0) {
        conn->tls->met_end = true;
        return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        conn->drained_in = true;
        BIO_set_retry_read(bio);
    } else {
        (void)ln_conn_fail_errno(conn, errno);
    }
    return -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_FLUSH)
        return 1;
    if (command == BIO_CTRL_EOF) {
        struct ln_conn *conn = LB_CAST(struct ln_conn, BIO_get_data(bio), LN_CONN_MAGIC);
        return conn->tls->met_end;
    }
    return 0;
}

BIO_METHOD *ln_tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_CONN, "llmgr connection");
    if (method == NULL)
        return NULL;
    if (BIO_meth_set_write(method, bio_write) != 1 || BIO_meth_set_read(method, bio_read) != 1 ||
        BIO_meth_set_ctrl(method, bio_ctrl) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

/* ---- Attaching ------------------------------------------------------------------------------- */

static llmgr_status attach_core(struct ln_conn *conn, struct ln_tls_core *core,
                                struct llmgr_error *err)
{
    struct ln_tls_stream *tls = lb_calloc(conn->loop->host, 1, sizeof(*tls));
    if (tls == NULL)
        return lb_fail_memory(err);
    ERR_clear_error();
    tls->ssl = SSL_new(core->ctx);
    BIO *bio = tls->ssl != NULL ? BIO_new(core->bio) : NULL;
    if (bio == NULL) {
        SSL_free(tls->ssl);
        lb_free(conn->loop->host, tls);
        return lb_fail(err, LLMGR_ERR_NO_MEMORY, N_("TLS cannot be set up: %s"),
                       ln_tls_error_text());
    }
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    (void)SSL_set_app_data(tls->ssl, conn);
    core->references++;
    tls->core = core;
    conn->tls = tls;
    conn->transport = &ln_tls;
    return LLMGR_OK;
}

llmgr_status ln_tls_attach_server(struct ln_conn *conn, struct ln_tls_server *server,
                                  struct llmgr_error *err)
{
    llmgr_status status = attach_core(conn, server->core, err);
    if (status == LLMGR_OK)
        SSL_set_accept_state(conn->tls->ssl);
    return status;
}

/* Whom the certificate must name: an address is no name, and is not sent as one (RFC 6066). */
static bool expect_peer(SSL *ssl, const char *name)
{
    unsigned char scratch[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, scratch) == 1 || inet_pton(AF_INET6, name, scratch) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    size_t size = strlen(name);
    if (size == 0 || size > 254)
        return false;
    char bare[256]; /* a certificate names hosts without the final dot */
    memcpy(bare, name, size + 1);
    if (bare[size - 1] == '.')
        bare[size - 1] = '\0';
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, bare) == 1 && SSL_set_tlsext_host_name(ssl, bare) == 1;
}

static bool offer_alpn(SSL *ssl, const char *alpn)
{
    unsigned char wire[256];
    size_t size = strlen(alpn);
    if (size == 0 || size > 255)
        return false;
    wire[0] = (unsigned char)size;
    memcpy(wire + 1, alpn, size);
    return SSL_set_alpn_protos(ssl, wire, (unsigned)size + 1) == 0; /* sic: 0 is success */
}

static char *new_session_key(const struct lb_host *host, const char *name, uint16_t port,
                             const char *alpn)
{
    char key[640];
    int size = snprintf(key, sizeof(key), "%s:%u/%s", name, port, alpn != NULL ? alpn : "");
    return size > 0 && (size_t)size < sizeof(key) ? lb_strdup(host, key) : NULL;
}

llmgr_status ln_tls_attach_client(struct ln_conn *conn, struct ln_tls_client *client,
                                  const char *name, uint16_t port, const char *alpn,
                                  struct llmgr_error *err)
{
    struct ln_tls_core *core = NULL;
    llmgr_status status = ln_tls_client_core(client, &core, err);
    if (status == LLMGR_OK)
        status = attach_core(conn, core, err);
    if (status != LLMGR_OK)
        return status;
    struct ln_tls_stream *tls = conn->tls;
    SSL_set_connect_state(tls->ssl);
    if (!expect_peer(tls->ssl, name) || (alpn != NULL && !offer_alpn(tls->ssl, alpn)))
        return lb_fail(err, LLMGR_ERR_TLS, N_("TLS with %s cannot be set up: %s"), name,
                       ln_tls_error_text());
    tls->session_key = new_session_key(conn->loop->host, name, port, alpn);
    if (tls->session_key != NULL) { /* without one, nothing is resumed: no more than that */
        SSL_SESSION *session = ln_sessions_take(&client->sessions, tls->session_key);
        if (session != NULL)
            (void)SSL_set_session(tls->ssl, session);
        SSL_SESSION_free(session);
    }
    ERR_clear_error();
    return LLMGR_OK;
}

int ln_tls_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct ln_conn *conn = LB_CAST(struct ln_conn, SSL_get_app_data(ssl), LN_CONN_MAGIC);
    struct ln_tls_stream *tls = conn->tls;
    if (tls->core->client == NULL || tls->session_key == NULL ||
        SSL_SESSION_is_resumable(session) != 1)
        return 0;
    return ln_sessions_put(&tls->core->client->sessions, tls->session_key, session) ? 1 : 0;
}

/*
 * A server of TLS 1.2 may give a new ticket with a resumed session. OpenSSL then forbids the old
 * one, but calls ln_tls_new_session for sessions that were not resumed only.
 */
static void keep_renewed(struct ln_tls_stream *tls)
{
    if (tls->core->client == NULL || tls->session_key == NULL ||
        SSL_version(tls->ssl) >= TLS1_3_VERSION || SSL_session_reused(tls->ssl) != 1)
        return;
    SSL_SESSION *session = SSL_get1_session(tls->ssl);
    if (session == NULL)
        return;
    if (SSL_SESSION_is_resumable(session) != 1 ||
        !ln_sessions_put(&tls->core->client->sessions, tls->session_key, session))
        SSL_SESSION_free(session);
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static void note_reason(struct ln_tls_stream *tls, const char *reason)
{
    (void)snprintf(tls->reason, sizeof(tls->reason), "%s", reason);
}

/* What an SSL function's failure means. Empties OpenSSL's error queue. */
static enum ln_io outcome_of(struct ln_conn *conn, int rc)
{
    struct ln_tls_stream *tls = conn->tls;
    int error = SSL_get_error(tls->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        ERR_clear_error();
        return LN_IO_AGAIN;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        ERR_clear_error();
        return LN_IO_END;
    }
    if (conn->failed) { /* the socket failed below */
        ERR_clear_error();
        return LN_IO_FAIL;
    }
    bool shaking = conn->step == LN_STEP_HANDSHAKE;
    long verdict = SSL_get_verify_result(tls->ssl);
    if (shaking && verdict != X509_V_OK)
        note_reason(tls, X509_verify_cert_error_string(verdict));
    else if (tls->met_end)
        note_reason(tls, shaking ? "the peer closed the connection during the handshake"
                                 : "the stream ended without a close_notify");
    else
        note_reason(tls, ln_tls_error_text());
    ERR_clear_error();
    return ln_conn_fail(conn, tls->met_end && !shaking ? LLMGR_ERR_CUT : LLMGR_ERR_TLS, 0);
}

static const char *tls_reason(const struct ln_conn *conn)
{
    return conn->tls->reason;
}

/* ---- The transport --------------------------------------------------------------------------- */

static enum ln_io tls_flush(struct ln_conn *conn)
{
    struct ln_tls_stream *tls = conn->tls;
    while (tls->out_sent < tls->out_size) {
        struct lb_str rest = {tls->out + tls->out_sent, tls->out_size - tls->out_sent};
        size_t taken = 0;
        enum ln_io io = ln_plain_send(conn, &rest, 1, &taken);
        if (io != LN_IO_OK)
            return io;
        tls->out_sent += taken;
    }
    lb_free(conn->loop->host, tls->out);
    tls->out = NULL;
    tls->out_size = tls->out_sent = tls->out_capacity = 0;
    return LN_IO_OK;
}

static enum ln_io tls_handshake(struct ln_conn *conn)
{
    struct ln_tls_stream *tls = conn->tls;
    ERR_clear_error();
    int rc = SSL_do_handshake(tls->ssl);
    if (rc == 1) {
        keep_renewed(tls);
        /* What came with the peer's last handshake message: no socket event will announce it. */
        tls->more = SSL_has_pending(tls->ssl) == 1;
        return LN_IO_OK;
    }
    enum ln_io io = outcome_of(conn, rc);
    if (io != LN_IO_AGAIN) {
        /* A session the server chokes on must not spoil the next attempt too. */
        if (tls->session_key != NULL && tls->core->client != NULL)
            ln_sessions_remove(&tls->core->client->sessions, tls->session_key);
        return ln_conn_fail(conn, LLMGR_ERR_TLS, 0);
    }
    return io;
}

static enum ln_io tls_recv(struct ln_conn *conn, char *buffer, size_t size, size_t *got)
{
    struct ln_tls_stream *tls = conn->tls;
    if (tls->later != LN_IO_OK)
        return tls->later;
    ERR_clear_error();
    tls->more = false;
    size_t total = 0;
    enum ln_io io = LN_IO_OK;
    while (total < size && io == LN_IO_OK) {
        size_t n = 0;
        int rc = SSL_read_ex(tls->ssl, buffer + total, size - total, &n);
        if (rc == 1)
            total += n;
        else
            io = outcome_of(conn, rc);
    }
    if (total == 0)
        return io;
    tls->more = io == LN_IO_OK;
    if (io == LN_IO_END || io == LN_IO_FAIL)
        tls->later = io;
    *got = total;
    return LN_IO_OK;
}

static bool tls_readable(const struct ln_conn *conn)
{
    return conn->tls->more || conn->tls->later != LN_IO_OK;
}

/*
 * The next bytes to encrypt: a borrowed piece of a large slice, or small slices gathered in the
 * loop's scratch. `skip` bytes of the slices are done. Empty when nothing is left.
 */
static struct lb_str next_record(struct ln_conn *conn, const struct lb_str *slices, size_t count,
                                 size_t skip)
{
    size_t at = 0;
    while (at < count && skip >= slices[at].size)
        skip -= slices[at++].size;
    if (at == count)
        return lb_str(NULL, 0);
    struct lb_str first = lb_str_sub(slices[at], skip, slices[at].size);
    if (first.size >= LN_SCRATCH_SIZE || at + 1 == count)
        return lb_str_sub(first, 0, LN_SCRATCH_SIZE);
    size_t used = 0;
    for (; at < count && used < LN_SCRATCH_SIZE; at++, skip = 0) {
        struct lb_str part = lb_str_sub(slices[at], skip, slices[at].size);
        size_t room = LN_SCRATCH_SIZE - used;
        size_t size = part.size < room ? part.size : room;
        if (size != 0)
            memcpy(conn->loop->scratch + used, part.p, size);
        used += size;
    }
    return lb_str(conn->loop->scratch, used);
}

static enum ln_io tls_send(struct ln_conn *conn, const struct lb_str *slices, size_t count,
                           size_t *taken)
{
    struct ln_tls_stream *tls = conn->tls;
    enum ln_io io = tls_flush(conn);
    *taken = 0;
    ERR_clear_error();
    while (io == LN_IO_OK && tls->out_size == 0) {
        struct lb_str record = next_record(conn, slices, count, *taken);
        if (record.size == 0)
            break;
        size_t n = 0;
        int rc = SSL_write_ex(tls->ssl, record.p, record.size, &n);
        if (record.p == conn->loop->scratch)
            sodium_memzero(conn->loop->scratch, record.size); /* a head carries a key */
        if (rc == 1)
            *taken += n;
        else
            io = outcome_of(conn, rc);
    }
    return io == LN_IO_AGAIN && *taken != 0 ? LN_IO_OK : io;
}

static size_t tls_held(const struct ln_conn *conn)
{
    return conn->tls->out_size - conn->tls->out_sent;
}

static void tls_finish(struct ln_conn *conn)
{
    struct ln_tls_stream *tls = conn->tls;
    if (tls->said_bye || conn->failed || SSL_is_init_finished(tls->ssl) != 1)
        return;
    tls->said_bye = true;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl); /* 0: sent, the peer's has not come. Enough for us. */
    ERR_clear_error();
}

static void tls_free(struct ln_conn *conn)
{
    struct ln_tls_stream *tls = conn->tls;
    /* Else OpenSSL forbids the session's resumption whenever a peer left without a goodbye. */
    SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    ln_tls_core_unref(tls->core);
    lb_free(conn->loop->host, tls->session_key);
    lb_free(conn->loop->host, tls->out);
    lb_free(conn->loop->host, tls);
}

const struct ln_transport ln_tls = {
    .handshake = tls_handshake,
    .recv = tls_recv,
    .send = tls_send,
    .flush = tls_flush,
    .held = tls_held,
    .readable = tls_readable,
    .finish = tls_finish,
    .reason = tls_reason,
    .free = tls_free,
};

bool ln_conn_tls_resumed(const struct ln_conn *conn)
{
    return conn->tls != NULL && SSL_session_reused(conn->tls->ssl) == 1;
}

struct lb_str ln_conn_alpn(const struct ln_conn *conn)
{
    const unsigned char *protocol = NULL;
    unsigned size = 0;
    if (conn->tls != NULL)
        SSL_get0_alpn_selected(conn->tls->ssl, &protocol, &size);
    return lb_str((const char *)protocol, size);
}
