/* SPDX-License-Identifier: MIT */
/* The dialer: dead addresses and hanging resolvers, what a user may reach, certificates. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dial_help.h"
#include "vectors.h"

/* ---- Addresses ------------------------------------------------------------------------------- */

static void a_name_leads_to_a_connection(void **state)
{
    struct fixture *fixture = *state;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    client_write(&fixture->client, "ping");
    LOOP_UNTIL(fixture->loop, fixture->client.received == 4);
    assert_int_equal(fixture->names.asked, 1);
}

static void the_systems_resolver_works_too(void **state)
{
    struct fixture *fixture = *state;
    fixture->request.resolver = NULL;
    fixture->request.host = "localhost";
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    ln_conn_close(fixture->client.conn);
}

static void a_dead_first_address_does_not_stop_the_second(void **state)
{
    struct fixture *fixture = *state;
    static const char *const dead[] = {"::1", "127.0.0.2", "240.0.0.1", "192.0.2.1"};
    for (size_t i = 0; i < 4; i++) {
        fixture->names.addrs[0] = dead[i]; /* refused, refused?, no route, silent */
        fixture->names.addrs[1] = "127.0.0.1";
        client_connect(&fixture->client, fixture->loop, &fixture->request);
        char peer[LN_PEER_TEXT];
        assert_non_null(strstr(ln_conn_peer_text(fixture->client.conn, peer), "127.0.0.1"));
        ln_conn_close(fixture->client.conn);
        LOOP_UNTIL(fixture->loop, fixture->client.closed == 1);
    }
}

static void what_failed_is_said_to_the_operator(void **state)
{
    struct fixture *fixture = *state;
    server_stop(&fixture->server);
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, "refused");
    assert_non_null(strstr(fixture->client.err.message, "some.example.com"));
    fixture->names.addrs[0] = NULL;
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, "cannot be resolved");
}

static void a_hanging_resolver_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    fixture->names.hang = true;
    fixture->request.timeout_ms = 40;
    must_fail(fixture, LLMGR_ERR_TIMEOUT, "looking up the name");
    assert_non_null(fixture->names.held); /* answered in end(), to nobody */
}

static void a_silent_server_is_cut_off_in_the_handshake(void **state)
{
    struct fixture *fixture = *state;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), NULL, &tls, NULL), LLMGR_OK);
    fixture->server.mute = true;
    fixture->request.tls = tls;
    fixture->request.timeout_ms = 60;
    must_fail(fixture, LLMGR_ERR_TIMEOUT, "handshake");
    assert_int_equal(fixture->server.accepted, 1);
    ln_tls_client_free(tls);
}

/* ---- Unix sockets ---------------------------------------------------------------------------- */

static void a_socket_takes_the_place_of_host_and_port(void **state)
{
    struct fixture *fixture = *state;
    char folder[] = "/tmp/llmgr-dial-XXXXXX", address[80];
    int fd = -1;

    assert_non_null(mkdtemp(folder));
    (void)snprintf(address, sizeof address, "unix:%s/socket", folder);
    const char *path = address + sizeof "unix:" - 1;
    fixture->request.unix_path = path;
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, path); /* nobody has made it */
    const struct ln_listen_options options = {.address = address};
    assert_int_equal(ln_listen_open(&options, &fd, NULL), LLMGR_OK);
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    assert_int_equal(fixture->names.asked, 0);
    ln_conn_close(fixture->client.conn);
    LOOP_UNTIL(fixture->loop, fixture->client.closed == 1);
    ln_listen_close(fd);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void only_the_operators_services_are_sockets(void **state)
{
    struct fixture *fixture = *state;
    char longer[200];
    struct ln_dial *dial;
    struct llmgr_error err = {0};

    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const bad[] = {"", longer};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fixture->request.unix_path = bad[i];
        assert_int_equal(ln_dial(fixture->loop, &fixture->request, NULL, NULL, &dial, &err),
                         LLMGR_ERR_INVALID);
    }
    be_private(fixture);
    fixture->request.unix_path = "/run/some.sock";
    assert_int_equal(ln_dial(fixture->loop, &fixture->request, NULL, NULL, &dial, &err),
                     LLMGR_ERR_INTERNAL);
}

/* ---- Cancelling ------------------------------------------------------------------------------ */

static void a_cancelled_dial_calls_nobody(void **state)
{
    struct fixture *fixture = *state;
    client_dial(&fixture->client, fixture->loop, &fixture->request); /* before it began */
    ln_dial_cancel(fixture->client.dial);
    loop_for(fixture->loop, 5);
    assert_false(fixture->client.called);
    fixture->names.hang = true; /* while resolving */
    client_dial(&fixture->client, fixture->loop, &fixture->request);
    LOOP_UNTIL(fixture->loop, fixture->names.held != NULL);
    ln_dial_cancel(fixture->client.dial);
    struct ln_answer *held = fixture->names.held;
    fixture->names.held = NULL;
    give(&fixture->names, held);
    loop_for(fixture->loop, 5);
    assert_false(fixture->client.called);
    assert_int_equal(fixture->server.accepted, 0);
    fixture->names.hang = false; /* while connecting, to one that stays silent */
    fixture->names.addrs[0] = "192.0.2.1";
    client_dial(&fixture->client, fixture->loop, &fixture->request);
    loop_for(fixture->loop, 20);
    if (!fixture->client.called)
        ln_dial_cancel(fixture->client.dial);
}

static void a_dial_cancelled_in_the_handshake_closes_its_socket(void **state)
{
    struct fixture *fixture = *state;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), NULL, &tls, NULL), LLMGR_OK);
    fixture->server.mute = true;
    fixture->request.tls = tls;
    client_dial(&fixture->client, fixture->loop, &fixture->request);
    LOOP_UNTIL(fixture->loop, fixture->server.received > 0);
    ln_dial_cancel(fixture->client.dial);
    LOOP_UNTIL(fixture->loop, fixture->server.closed == 1);
    assert_false(fixture->client.called);
    ln_tls_client_free(tls);
}

/* ---- Class PRIVATE --------------------------------------------------------------------------- */

static void one_text_hides_what_is_inside(void **state)
{
    struct fixture *fixture = *state;
    char closed[512];
    be_private(fixture);
    server_stop(&fixture->server);
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, "some.example.com");
    (void)snprintf(closed, sizeof(closed), "%s", fixture->client.err.message);
    fixture->names.addrs[0] = "10.0.0.1";
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, closed);
    assert_string_equal(fixture->client.err.message, closed);
    fixture->names.addrs[0] = NULL;
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, closed);
    assert_string_equal(fixture->client.err.message, closed);
    assert_null(strstr(closed, "10.0.0.1"));
}

static void one_refused_address_rejects_the_host(void **state)
{
    struct fixture *fixture = *state;
    static const char *const inner[] = {"10.0.0.1",    "::1",     "::ffff:10.0.0.1", "fd00::1",
                                        "169.254.0.1", "fe80::1", "64:ff9b::a00:1",  "0.0.0.0"};
    be_private(fixture);
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        for (size_t place = 0; place < 2; place++) {
            fixture->names.addrs[place] = inner[i];
            fixture->names.addrs[1 - place] = "127.0.0.1"; /* allowed, and listening */
            must_fail(fixture, LLMGR_ERR_UNREACHABLE, "some.example.com");
        }
    }
    loop_for(fixture->loop, 10);
    assert_int_equal(fixture->server.accepted, 0);
}

static void a_name_that_turns_inward_is_judged_at_each_dial(void **state)
{
    struct fixture *fixture = *state;
    be_private(fixture);
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    assert_int_equal(fixture->names.asked, 1);
    ln_conn_close(fixture->client.conn);
    LOOP_UNTIL(fixture->loop, fixture->client.closed == 1);
    fixture->request.policy = fixture->policy;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), NULL, &tls, NULL), LLMGR_OK);
    fixture->request.tls = tls;
    fixture->request.port = 443;
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, "some.example.com");
    assert_int_equal(fixture->names.asked, 2);
    assert_int_equal(fixture->server.accepted, 1);
    ln_tls_client_free(tls);
}

static void no_vector_reaches_the_listener(void **state)
{
    struct fixture *fixture = *state;
    const struct lb_host *host = ln_loop_host(fixture->loop);
    struct ln_policy *policy = NULL;
    struct ln_policy_options options = {.ports = &fixture->server.port, .port_count = 1};
    assert_int_equal(ln_policy_new(host, &options, &policy, NULL), LLMGR_OK);
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(host, NULL, &tls, NULL), LLMGR_OK);
    fixture->request.klass = LN_CLASS_PRIVATE;
    fixture->request.policy = policy;
    fixture->request.tls = tls;
    struct vectors vectors;
    struct vector v;
    vectors_open(&vectors);
    unsigned dialled = 0;
    while (vectors_next(&vectors, &v)) {
        struct sockaddr_storage addr;
        bool name = ln_host_kind(v.host, &addr) == LN_HOST_NAME;
        if (v.wanted == LLMGR_OK && !name)
            continue; /* a public address of the real fixture: not from a test */
        if (strlen(v.bytes) != v.host.size)
            continue; /* no C string can carry it */
        fixture->request.host = v.bytes;
        struct client *client = &fixture->client;
        struct llmgr_error err = {0};
        struct ln_dial *dial = NULL;
        *client = (struct client){.loop = fixture->loop};
        if (v.wanted == LLMGR_OK) { /* every name leads inward here */
            client_dial(client, fixture->loop, &fixture->request);
            LOOP_UNTIL(fixture->loop, client->called);
            assert_null(client->conn);
        } else if (strcasecmp(v.scheme, "https") == 0 && v.port == 443) {
            assert_int_not_equal(ln_dial(fixture->loop, &fixture->request, NULL, NULL, &dial, &err),
                                 LLMGR_OK);
        }
        dialled++;
    }
    assert_true(dialled >= 200);
    loop_for(fixture->loop, 20);
    assert_int_equal(fixture->server.accepted, 0);
    ln_tls_client_free(tls);
    ln_policy_free(policy);
}

/* ---- Certificates ---------------------------------------------------------------------------- */

static void with_certificate(struct fixture *fixture, const char *san, long from, long to,
                             const char *host, const char *complaint)
{
    struct certs certs;
    struct server server = {0};
    struct ln_tls_client *tls = NULL;
    certs_make(&certs, san, from, to);
    server_start(&server, fixture->loop, &certs);
    struct ln_tls_client_options options = {.ca_file = certs.ca};
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), &options, &tls, NULL),
                     LLMGR_OK);
    fixture->request.tls = tls;
    fixture->request.port = server.port;
    fixture->request.host = host;
    fixture->request.alpn = "http/1.1";
    if (complaint != NULL) {
        must_fail(fixture, LLMGR_ERR_TLS, complaint);
        assert_int_equal(server.accepted, 0);
        assert_int_equal(ln_tls_client_sessions(tls), 0);
    } else {
        client_connect(&fixture->client, fixture->loop, &fixture->request);
        assert_true(lb_str_eq_c(ln_conn_alpn(fixture->client.conn), "http/1.1"));
        ln_conn_close(fixture->client.conn);
        LOOP_UNTIL(fixture->loop, fixture->client.closed == 1);
    }
    server_stop_when_left(&server);
    ln_tls_client_free(tls);
    certs_remove(&certs);
}

static void certificates_are_always_verified(void **state)
{
    struct fixture *fixture = *state;
    const char *name = "some.example.com";
    with_certificate(fixture, "DNS:some.example.com", -3600, 3600, name, NULL);
    with_certificate(fixture, "DNS:*.example.com", -3600, 3600, name, NULL);
    with_certificate(fixture, "DNS:*.com", -3600, 3600, name, "mismatch");
    with_certificate(fixture, "DNS:s*.example.com", -3600, 3600, name, "mismatch");
    with_certificate(fixture, "DNS:other.example.com", -3600, 3600, name, "mismatch");
    with_certificate(fixture, "DNS:some.example.com", -7200, -3600, name, "expired");
    with_certificate(fixture, "DNS:some.example.com", 3600, 7200, name, "not yet valid");
    with_certificate(fixture, "IP:127.0.0.1", -3600, 3600, "127.0.0.1", NULL);
    with_certificate(fixture, "IP:127.0.0.2", -3600, 3600, "127.0.0.1", "mismatch");
    with_certificate(fixture, "DNS:127.0.0.1", -3600, 3600, "127.0.0.1", "mismatch");
}

static void an_unknown_authority_is_refused(void **state)
{
    must_trust_nobody(*state, NULL);
}

static void a_plain_server_is_a_tls_error(void **state)
{
    struct fixture *fixture = *state;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), NULL, &tls, NULL), LLMGR_OK);
    fixture->request.tls = tls;
    must_fail(fixture, LLMGR_ERR_TLS, "TLS with some.example.com"); /* it echoes our hello */
    ln_tls_client_free(tls);
}

static void sessions_are_resumed_and_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct certs certs;
    struct server server = {0};
    struct ln_tls_client *tls = NULL;
    certs_make(&certs, "DNS:*.example.com", -3600, 3600);
    server_start(&server, fixture->loop, &certs);
    struct ln_tls_client_options options = {.ca_file = certs.ca, .session_max = 2};
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), &options, &tls, NULL),
                     LLMGR_OK);
    fixture->request.tls = tls;
    fixture->request.port = server.port;
    static const char *const hosts[] = {"a.example.com", "a.example.com", "b.example.com",
                                        "c.example.com", "a.example.com"};
    static const bool resumed[] = {false, true, false, false, false};
    for (size_t i = 0; i < 5; i++) {
        fixture->request.host = hosts[i];
        client_connect(&fixture->client, fixture->loop, &fixture->request);
        client_write(&fixture->client, "x");
        LOOP_UNTIL(fixture->loop, fixture->client.received == 1);
        assert_int_equal(ln_conn_tls_resumed(fixture->client.conn), resumed[i]);
        ln_conn_close(fixture->client.conn);
        LOOP_UNTIL(fixture->loop, fixture->client.closed == 1);
        assert_true(ln_tls_client_sessions(tls) <= 2);
    }
    struct ln_tls_server_options again = {.cert_file = certs.cert, .key_file = certs.key};
    assert_int_equal(ln_tls_server_reload(server.tls, &again, NULL), LLMGR_OK);
    again.key_file = "/nonexistent";
    struct llmgr_error err = {0};
    assert_int_equal(ln_tls_server_reload(server.tls, &again, &err), LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, "/nonexistent"));
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    ln_tls_client_free(tls); /* the connection keeps what it needs */
    client_write(&fixture->client, "y");
    LOOP_UNTIL(fixture->loop, fixture->client.received == 1);
    ln_conn_close(fixture->client.conn);
    server_stop_when_left(&server);
    certs_remove(&certs);
}

static void broken_tls_files_are_named(void **state)
{
    struct fixture *fixture = *state;
    const struct lb_host *host = ln_loop_host(fixture->loop);
    struct llmgr_error err = {0};
    struct ln_tls_client *client = NULL;
    struct ln_tls_client_options options = {.ca_file = "/nonexistent/ca.pem"};
    assert_int_equal(ln_tls_client_new(host, &options, &client, &err), LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, "/nonexistent/ca.pem"));
    struct ln_tls_server *server = NULL;
    struct ln_tls_server_options files = {.cert_file = "/dev/null", .key_file = "/dev/null"};
    assert_int_equal(ln_tls_server_new(host, &files, &server, &err), LLMGR_ERR_CONFIG);
    files.key_file = NULL;
    assert_int_equal(ln_tls_server_new(host, &files, &server, &err), LLMGR_ERR_CONFIG);
    assert_null(client);
    assert_null(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_leads_to_a_connection),
        TEST(the_systems_resolver_works_too),
        TEST(a_dead_first_address_does_not_stop_the_second),
        TEST(what_failed_is_said_to_the_operator),
        TEST(a_hanging_resolver_is_cut_off),
        TEST(a_silent_server_is_cut_off_in_the_handshake),
        TEST(a_socket_takes_the_place_of_host_and_port),
        TEST(only_the_operators_services_are_sockets),
        TEST(a_cancelled_dial_calls_nobody),
        TEST(a_dial_cancelled_in_the_handshake_closes_its_socket),
        TEST(one_text_hides_what_is_inside),
        TEST(one_refused_address_rejects_the_host),
        TEST(a_name_that_turns_inward_is_judged_at_each_dial),
        TEST(no_vector_reaches_the_listener),
        TEST(certificates_are_always_verified),
        TEST(an_unknown_authority_is_refused),
        TEST(a_plain_server_is_a_tls_error),
        TEST(sessions_are_resumed_and_bounded),
        TEST(broken_tls_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
