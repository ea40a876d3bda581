/* SPDX-License-Identifier: MIT */
/* What the tests of net/ share. */
#include "net_help.h"

#include "../unit.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Certificates ---------------------------------------------------------------------------- */

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_cert(EVP_PKEY *key, const char *name, const char *san, X509 *issuer,
                       EVP_PKEY *issuer_key, long from, long to)
{
    X509 *cert = X509_new();
    static long serial = 1;
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), from);
    X509_gmtime_adj(X509_getm_notAfter(cert), to);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509 *signer = issuer != NULL ? issuer : cert;
    X509_set_issuer_name(cert, X509_get_subject_name(signer));
    if (issuer == NULL)
        add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    if (san != NULL)
        add_extension(cert, signer, NID_subject_alt_name, san);
    assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

static void write_pem(const char *path, X509 *cert, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    if (cert != NULL)
        assert_int_equal(PEM_write_X509(file, cert), 1);
    if (key != NULL)
        assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

void certs_make(struct certs *certs, const char *san, long from, long to)
{
    (void)snprintf(certs->dir, sizeof(certs->dir), "/tmp/llmgr-net-XXXXXX");
    assert_non_null(mkdtemp(certs->dir));
    (void)snprintf(certs->ca, sizeof(certs->ca), "%s/ca.pem", certs->dir);
    (void)snprintf(certs->cert, sizeof(certs->cert), "%s/cert.pem", certs->dir);
    (void)snprintf(certs->key, sizeof(certs->key), "%s/key.pem", certs->dir);
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = make_cert(ca_key, "test authority", NULL, NULL, ca_key, -86400, 86400);
    X509 *cert = make_cert(key, "test server", san, ca, ca_key, from, to);
    write_pem(certs->ca, ca, NULL);
    write_pem(certs->cert, cert, NULL);
    write_pem(certs->key, NULL, key);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

void certs_remove(struct certs *certs)
{
    (void)unlink(certs->ca);
    (void)unlink(certs->cert);
    (void)unlink(certs->key);
    (void)rmdir(certs->dir);
}

/* ---- The echo server ------------------------------------------------------------------------- */

static void server_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    struct server *server = context;
    server->received += bytes.size;
    if (server->hang_up) {
        ln_conn_close(conn);
        return;
    }
    if (server->refuse) {
        struct lb_str no = LB_STR("no");
        assert_int_equal(ln_conn_write(conn, &no, 1), LLMGR_OK);
        ln_conn_linger(conn, 5000);
        return;
    }
    if (server->mute)
        return;
    if (ln_conn_write(conn, &bytes, 1) != LLMGR_OK)
        return; /* the client is gone; `end` comes */
    if (ln_conn_queued(conn) > server->queue_peak)
        server->queue_peak = ln_conn_queued(conn);
    if (ln_conn_queued(conn) != 0)
        ln_conn_read_stop(conn);
}

static void server_drained(struct ln_conn *conn, void *context)
{
    struct server *server = context;
    if (!server->deaf)
        ln_conn_read_start(conn);
}

static void server_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    struct server *server = context;
    server->ended++;
    server->why = why;
    ln_conn_close(conn);
}

static void server_closed(struct ln_conn *conn, void *context)
{
    struct server *server = context;
    server->closed++;
    if (server->conn == conn)
        server->conn = NULL;
}

static const struct ln_conn_face SERVER_FACE = {server_data, server_drained, server_end,
                                                server_closed};

static void server_accept(void *context, struct ln_conn *conn)
{
    struct server *server = context;
    server->accepted++;
    server->conn = conn;
    ln_conn_set_face(conn, &SERVER_FACE, server);
    if (!server->deaf)
        ln_conn_read_start(conn);
}

void server_start(struct server *server, struct ln_loop *loop, const struct certs *certs)
{
    struct llmgr_error err = {0};
    int fd = -1;
    struct ln_listen_options options = {.address = "127.0.0.1:0"};
    server->loop = loop;
    if (ln_listen_open(&options, &fd, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    char text[LN_LISTEN_TEXT];
    server->port = (uint16_t)atoi(strrchr(ln_listen_text(fd, text), ':') + 1);
    if (certs != NULL) {
        struct ln_tls_server_options tls = {.cert_file = certs->cert, .key_file = certs->key};
        if (ln_tls_server_new(ln_loop_host(loop), &tls, &server->tls, &err) != LLMGR_OK)
            fail_msg("%s", err.message);
    }
    struct ln_accept_options accept = {.tls = server->tls};
    if (ln_listener_start(loop, fd, &accept, server_accept, server, &server->listener, &err) !=
        LLMGR_OK)
        fail_msg("%s", err.message);
}

void server_stop(struct server *server)
{
    ln_listener_close(server->listener);
    ln_tls_server_free(server->tls);
    server->listener = NULL;
    server->tls = NULL;
}

void server_stop_when_left(struct server *server)
{
    LOOP_UNTIL(server->loop, server->closed == server->accepted);
    server_stop(server);
}

/* ---- The client ------------------------------------------------------------------------------ */

static void client_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    struct client *client = context;
    for (size_t i = 0; i < bytes.size; i++) {
        if (client->received + i < sizeof(client->tail) - 1)
            client->tail[client->received + i] = bytes.p[i];
        client->sum = client->sum * 31 + (unsigned char)bytes.p[i];
    }
    client->received += bytes.size;
    if (client->stop_on_data)
        ln_conn_read_stop(conn);
    if (client->close_on_data)
        ln_conn_close(conn);
}

static void client_drained(struct ln_conn *conn, void *context)
{
    (void)conn;
    ((struct client *)context)->drained++;
}

static void client_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    (void)conn;
    struct client *client = context;
    client->ended++;
    client->why = why;
}

static void client_closed(struct ln_conn *conn, void *context)
{
    (void)conn;
    struct client *client = context;
    client->closed++;
    client->conn = NULL;
}

const struct ln_conn_face CLIENT_FACE = {client_data, client_drained, client_end, client_closed};

static void client_dialled(void *context, struct ln_conn *conn, const struct llmgr_error *err)
{
    struct client *client = context;
    client->called = true;
    client->dial = NULL;
    client->conn = conn;
    if (conn != NULL)
        ln_conn_set_face(conn, &CLIENT_FACE, client);
    else
        client->err = *err;
}

void client_dial(struct client *client, struct ln_loop *loop, const struct ln_dial_request *request)
{
    struct llmgr_error err = {0};
    *client = (struct client){.loop = loop};
    if (ln_dial(loop, request, client_dialled, client, &client->dial, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    assert_false(client->called);
}

void client_connect(struct client *client, struct ln_loop *loop,
                    const struct ln_dial_request *request)
{
    client_dial(client, loop, request);
    LOOP_UNTIL(loop, client->called);
    if (client->conn == NULL)
        fail_msg("%s", client->err.message);
    ln_conn_read_start(client->conn);
}

void client_write(struct client *client, const char *text)
{
    struct lb_str slice = lb_cstr(text);
    assert_int_equal(ln_conn_write(client->conn, &slice, 1), LLMGR_OK);
}

/* ---- The loop -------------------------------------------------------------------------------- */

struct ln_loop *loop_make(void)
{
    static struct lb_host host;
    struct ln_loop *loop = NULL;
    lb_host_init(&host);
    assert_int_equal(ln_loop_new(&host, NULL, &loop, NULL), LLMGR_OK);
    return loop;
}

static void guard_over(void *context)
{
    ((struct guard *)context)->over = true;
}

void guard_start(struct guard *guard, struct ln_loop *loop)
{
    *guard = (struct guard){.over = false};
    ln_timer_start(loop, &guard->timer, 20000, guard_over, guard);
}

void loop_for(struct ln_loop *loop, int64_t ms)
{
    struct guard guard = {.over = false};
    ln_timer_start(loop, &guard.timer, ms, guard_over, &guard);
    while (!guard.over)
        ln_loop_turn(loop, true);
}
