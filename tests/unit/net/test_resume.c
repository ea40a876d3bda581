/* SPDX-License-Identifier: MIT */
/* Resumption: what a client remembers of the servers it has met, and how often it uses it. */
#include "../unit.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

#include "dial_help.h"
#include "net/tls_int.h"

struct field {
    struct fixture *fixture;
    struct certs certs;
    struct server server;
    struct ln_tls_client *tls;
};

/* Tickets under a fixed key, none renewed: what Node does, and whoever shares keys among hosts. */
static int never_renewed(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int sealing)
{
    static const unsigned char zeros[32] = {0};
    static char digest[] = "sha256";
    static unsigned char mac_key[32];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof(mac_key)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};

    (void)ssl;
    if (sealing) {
        memset(name, 'n', 16);
        memset(iv, 'i', 16);
    }
    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, zeros, iv, sealing) != 1 ||
        EVP_MAC_CTX_set_params(mac, params) != 1)
        return -1;
    return 1;
}

static void open_field(struct field *field, struct fixture *fixture, int version, size_t tickets,
                       unsigned max)
{
    *field = (struct field){.fixture = fixture};
    certs_make(&field->certs, "DNS:*.example.com", -3600, 3600);
    server_start(&field->server, fixture->loop, &field->certs);
    SSL_CTX *ctx = field->server.tls->core->ctx;
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
    assert_int_equal(SSL_CTX_set_num_tickets(ctx, tickets), 1);
    assert_int_equal(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, never_renewed), 1);
    struct ln_tls_client_options options = {.ca_file = field->certs.ca, .session_max = max};
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), &options, &field->tls, NULL),
                     LLMGR_OK);
    fixture->request.tls = field->tls;
    fixture->request.port = field->server.port;
}

static void close_field(struct field *field)
{
    server_stop(&field->server);
    ln_tls_client_free(field->tls);
    certs_remove(&field->certs);
}

/* One connection and an echo on it, so that the tickets have come; was it resumed? */
static bool visit(struct field *field, const char *host)
{
    struct fixture *fixture = field->fixture;
    fixture->request.host = host;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    client_write(&fixture->client, "x");
    LOOP_UNTIL(fixture->loop, fixture->client.received == 1);
    bool resumed = ln_conn_tls_resumed(fixture->client.conn);
    ln_conn_close(fixture->client.conn);
    LOOP_UNTIL(fixture->loop, fixture->client.closed == 1);
    return resumed;
}

static void each_ticket_of_a_full_handshake_is_used(void **state)
{
    struct field field;
    open_field(&field, *state, TLS1_3_VERSION, 2, 0);
    static const bool resumed[] = {false, true, true, false, true, true, false};
    for (size_t i = 0; i < sizeof(resumed) / sizeof(resumed[0]); i++)
        assert_int_equal(visit(&field, "a.example.com"), resumed[i]);
    close_field(&field);
}

static void a_generous_server_fills_no_more_than_four(void **state)
{
    struct field field;
    open_field(&field, *state, TLS1_3_VERSION, 9, 0);
    assert_false(visit(&field, "a.example.com"));
    assert_int_equal(ln_tls_client_sessions(field.tls), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_true(visit(&field, "a.example.com"));
    assert_int_equal(ln_tls_client_sessions(field.tls), 0);
    assert_false(visit(&field, "a.example.com"));
    close_field(&field);
}

static void the_least_used_origin_gives_its_tickets_up_first(void **state)
{
    struct field field;
    open_field(&field, *state, TLS1_3_VERSION, 2, 3);
    assert_false(visit(&field, "a.example.com"));
    assert_false(visit(&field, "b.example.com")); /* two of b, one of a */
    assert_int_equal(ln_tls_client_sessions(field.tls), 3);
    assert_true(visit(&field, "a.example.com"));
    assert_false(visit(&field, "a.example.com")); /* two of a, one of b */
    assert_true(visit(&field, "b.example.com"));
    assert_false(visit(&field, "b.example.com"));
    close_field(&field);
}

static void a_session_of_tls_1_2_serves_again_and_again(void **state)
{
    struct field field;
    open_field(&field, *state, TLS1_2_VERSION, 2, 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(visit(&field, "a.example.com"), i > 0);
        assert_int_equal(ln_tls_client_sessions(field.tls), 1);
    }
    close_field(&field);
}

/* The server took the version back: what was kept of the old one goes with the first new session.
 */
static void versions_do_not_mix(void **state)
{
    struct field field;
    open_field(&field, *state, TLS1_3_VERSION, 3, 0);
    SSL_CTX *ctx = field.server.tls->core->ctx;
    assert_false(visit(&field, "a.example.com"));
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
    assert_false(visit(&field, "a.example.com"));
    assert_int_equal(ln_tls_client_sessions(field.tls), 1);
    assert_true(visit(&field, "a.example.com"));
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION), 1);
    (void)visit(&field, "a.example.com"); /* the one of 1.2 may not be offered for 1.3 */
    assert_true(visit(&field, "a.example.com"));
    close_field(&field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_ticket_of_a_full_handshake_is_used),
        TEST(a_generous_server_fills_no_more_than_four),
        TEST(the_least_used_origin_gives_its_tickets_up_first),
        TEST(a_session_of_tls_1_2_serves_again_and_again),
        TEST(versions_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
