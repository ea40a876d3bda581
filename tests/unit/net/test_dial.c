/* SPDX-License-Identifier: MIT */
/* The dialer: a resolver of our own, dead addresses, hanging ones, proxies, certificates. */
#include "../unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/proxy.h"
#include "net_help.h"
#include "vectors.h"

/* What our resolver answers. */
struct names {
    struct ln_resolver resolver;
    struct ln_loop *loop;
    const char *addrs[4]; /* NULL ends */
    bool hang;
    unsigned asked;
    struct ln_answer *held; /* while hanging */
};

static void give(struct names *names, struct ln_answer *answer)
{
    struct sockaddr_storage addrs[4];
    size_t count = 0;
    while (count < 4 && names->addrs[count] != NULL) {
        (void)ln_host_kind(lb_cstr(names->addrs[count]), &addrs[count]);
        count++;
    }
    ln_answer_give(answer, addrs, count);
}

static void on_name(void *context, const char *host, struct ln_answer *answer)
{
    struct names *names = context;
    (void)host;
    names->asked++;
    if (names->hang)
        names->held = answer;
    else
        give(names, answer);
}

struct world {
    struct ln_loop *loop;
    struct server server;
    struct client client;
    struct names names;
    struct ln_policy *policy;      /* the defaults */
    struct ln_policy *open_policy; /* 127.0.0.0/8 by http allowed */
    struct ln_dial_request request;
};

static int begin(void **state)
{
    static const char *const allow[] = {"127.0.0.0/8"};
    struct world *world = calloc(1, sizeof(*world));
    world->loop = loop_make();
    const struct lb_host *host = ln_loop_host(world->loop);
    server_start(&world->server, world->loop, NULL);
    struct ln_policy_options open = {.allow = allow, .allow_count = 1, .allow_http = true};
    assert_int_equal(ln_policy_new(host, NULL, &world->policy, NULL), LLMGR_OK);
    assert_int_equal(ln_policy_new(host, &open, &world->open_policy, NULL), LLMGR_OK);
    world->names = (struct names){.loop = world->loop, .addrs = {"127.0.0.1"}};
    world->names.resolver = (struct ln_resolver){on_name, &world->names};
    world->request = (struct ln_dial_request){.host = "some.example.com",
                                              .port = world->server.port,
                                              .resolver = &world->names.resolver};
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    if (world->names.held != NULL)
        give(&world->names, world->names.held);
    server_stop(&world->server);
    ln_loop_free(world->loop);
    ln_policy_free(world->policy);
    ln_policy_free(world->open_policy);
    free(world);
    return 0;
}

static void must_fail(struct world *world, llmgr_status status, const char *text)
{
    client_dial(&world->client, world->loop, &world->request);
    LOOP_UNTIL(world->loop, world->client.called);
    assert_null(world->client.conn);
    assert_int_equal(world->client.err.status, status);
    if (strstr(world->client.err.message, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", world->client.err.message, text);
}

/* ---- Addresses ------------------------------------------------------------------------------- */

static void a_name_leads_to_a_connection(void **state)
{
    struct world *world = *state;
    client_connect(&world->client, world->loop, &world->request);
    client_write(&world->client, "ping");
    LOOP_UNTIL(world->loop, world->client.received == 4);
    assert_int_equal(world->names.asked, 1);
}

static void the_systems_resolver_works_too(void **state)
{
    struct world *world = *state;
    world->request.resolver = NULL;
    world->request.host = "localhost";
    client_connect(&world->client, world->loop, &world->request);
    ln_conn_close(world->client.conn);
}

static void a_dead_first_address_does_not_stop_the_second(void **state)
{
    struct world *world = *state;
    static const char *const dead[] = {"::1", "127.0.0.2", "240.0.0.1", "192.0.2.1"};
    for (size_t i = 0; i < 4; i++) {
        world->names.addrs[0] = dead[i]; /* refused, refused?, no route, silent */
        world->names.addrs[1] = "127.0.0.1";
        client_connect(&world->client, world->loop, &world->request);
        char peer[LN_PEER_TEXT];
        assert_non_null(strstr(ln_conn_peer_text(world->client.conn, peer), "127.0.0.1"));
        ln_conn_close(world->client.conn);
        LOOP_UNTIL(world->loop, world->client.closed == 1);
    }
}

static void what_failed_is_said_to_the_operator(void **state)
{
    struct world *world = *state;
    server_stop(&world->server);
    must_fail(world, LLMGR_ERR_UNREACHABLE, "refused");
    assert_non_null(strstr(world->client.err.message, "some.example.com"));
    world->names.addrs[0] = NULL;
    must_fail(world, LLMGR_ERR_UNREACHABLE, "cannot be resolved");
}

static void a_hanging_resolver_is_cut_off(void **state)
{
    struct world *world = *state;
    world->names.hang = true;
    world->request.timeout_ms = 40;
    must_fail(world, LLMGR_ERR_TIMEOUT, "looking up the name");
    assert_non_null(world->names.held); /* answered in end(), to nobody */
}

static void a_silent_server_is_cut_off_in_the_handshake(void **state)
{
    struct world *world = *state;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(world->loop), NULL, &tls, NULL), LLMGR_OK);
    world->server.mute = true;
    world->request.tls = tls;
    world->request.timeout_ms = 60;
    must_fail(world, LLMGR_ERR_TIMEOUT, "handshake");
    assert_int_equal(world->server.accepted, 1);
    ln_tls_client_free(tls);
}

/* ---- Cancelling ------------------------------------------------------------------------------ */

static void a_cancelled_dial_calls_nobody(void **state)
{
    struct world *world = *state;
    client_dial(&world->client, world->loop, &world->request); /* before it began */
    ln_dial_cancel(world->client.dial);
    loop_for(world->loop, 5);
    assert_false(world->client.called);
    world->names.hang = true; /* while resolving */
    client_dial(&world->client, world->loop, &world->request);
    LOOP_UNTIL(world->loop, world->names.held != NULL);
    ln_dial_cancel(world->client.dial);
    struct ln_answer *held = world->names.held;
    world->names.held = NULL;
    give(&world->names, held);
    loop_for(world->loop, 5);
    assert_false(world->client.called);
    assert_int_equal(world->server.accepted, 0);
    world->names.hang = false; /* while connecting, to one that stays silent */
    world->names.addrs[0] = "192.0.2.1";
    client_dial(&world->client, world->loop, &world->request);
    loop_for(world->loop, 20);
    if (!world->client.called)
        ln_dial_cancel(world->client.dial);
}

static void a_dial_cancelled_in_the_handshake_closes_its_socket(void **state)
{
    struct world *world = *state;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(world->loop), NULL, &tls, NULL), LLMGR_OK);
    world->server.mute = true;
    world->request.tls = tls;
    client_dial(&world->client, world->loop, &world->request);
    LOOP_UNTIL(world->loop, world->server.received > 0);
    ln_dial_cancel(world->client.dial);
    LOOP_UNTIL(world->loop, world->server.closed == 1);
    assert_false(world->client.called);
    ln_tls_client_free(tls);
}

/* ---- Class PRIVATE --------------------------------------------------------------------------- */

static void be_private(struct world *world)
{
    world->request.klass = LN_CLASS_PRIVATE;
    world->request.policy = world->open_policy;
}

static void one_text_hides_what_is_inside(void **state)
{
    struct world *world = *state;
    char closed[512];
    be_private(world);
    server_stop(&world->server);
    must_fail(world, LLMGR_ERR_UNREACHABLE, "some.example.com");
    (void)snprintf(closed, sizeof(closed), "%s", world->client.err.message);
    world->names.addrs[0] = "10.0.0.1";
    must_fail(world, LLMGR_ERR_UNREACHABLE, closed);
    assert_string_equal(world->client.err.message, closed);
    world->names.addrs[0] = NULL;
    must_fail(world, LLMGR_ERR_UNREACHABLE, closed);
    assert_string_equal(world->client.err.message, closed);
    assert_null(strstr(closed, "10.0.0.1"));
}

static void one_refused_address_rejects_the_host(void **state)
{
    struct world *world = *state;
    static const char *const inner[] = {"10.0.0.1",    "::1",    "::ffff:10.0.0.1", "fd00::1",
                                        "169.254.0.1", "fe80::1", "64:ff9b::a00:1",  "0.0.0.0"};
    be_private(world);
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        for (size_t place = 0; place < 2; place++) {
            world->names.addrs[place] = inner[i];
            world->names.addrs[1 - place] = "127.0.0.1"; /* allowed, and listening */
            must_fail(world, LLMGR_ERR_UNREACHABLE, "some.example.com");
        }
    }
    loop_for(world->loop, 10);
    assert_int_equal(world->server.accepted, 0);
}

static void a_name_that_turns_inward_is_judged_at_each_dial(void **state)
{
    struct world *world = *state;
    be_private(world);
    client_connect(&world->client, world->loop, &world->request);
    assert_int_equal(world->names.asked, 1);
    ln_conn_close(world->client.conn);
    LOOP_UNTIL(world->loop, world->client.closed == 1);
    world->request.policy = world->policy;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(world->loop), NULL, &tls, NULL), LLMGR_OK);
    world->request.tls = tls;
    world->request.port = 443;
    must_fail(world, LLMGR_ERR_UNREACHABLE, "some.example.com");
    assert_int_equal(world->names.asked, 2);
    assert_int_equal(world->server.accepted, 1);
    ln_tls_client_free(tls);
}

static void no_vector_reaches_the_listener(void **state)
{
    struct world *world = *state;
    const struct lb_host *host = ln_loop_host(world->loop);
    struct ln_policy *policy = NULL;
    struct ln_policy_options options = {.ports = &world->server.port, .port_count = 1};
    assert_int_equal(ln_policy_new(host, &options, &policy, NULL), LLMGR_OK);
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(host, NULL, &tls, NULL), LLMGR_OK);
    world->request.klass = LN_CLASS_PRIVATE;
    world->request.policy = policy;
    world->request.tls = tls;
    struct vectors vectors;
    struct vector v;
    vectors_open(&vectors);
    unsigned dialled = 0;
    while (vectors_next(&vectors, &v)) {
        struct sockaddr_storage addr;
        bool name = ln_host_kind(v.host, &addr) == LN_HOST_NAME;
        if (v.wanted == LLMGR_OK && !name)
            continue; /* a public address of the real world: not from a test */
        if (strlen(v.bytes) != v.host.size)
            continue; /* no C string can carry it */
        world->request.host = v.bytes;
        struct client *client = &world->client;
        struct llmgr_error err = {0};
        struct ln_dial *dial = NULL;
        *client = (struct client){.loop = world->loop};
        if (v.wanted == LLMGR_OK) { /* every name leads inward here */
            client_dial(client, world->loop, &world->request);
            LOOP_UNTIL(world->loop, client->called);
            assert_null(client->conn);
        } else if (strcasecmp(v.scheme, "https") == 0 && v.port == 443) {
            assert_int_not_equal(
                ln_dial(world->loop, &world->request, NULL, NULL, &dial, &err), LLMGR_OK);
        }
        dialled++;
    }
    assert_true(dialled >= 200);
    loop_for(world->loop, 20);
    assert_int_equal(world->server.accepted, 0);
    ln_tls_client_free(tls);
    ln_policy_free(policy);
}

/* ---- Certificates ---------------------------------------------------------------------------- */

static void with_certificate(struct world *world, const char *san, long from, long to,
                             const char *host, const char *complaint)
{
    struct certs certs;
    struct server server = {0};
    struct ln_tls_client *tls = NULL;
    certs_make(&certs, san, from, to);
    server_start(&server, world->loop, &certs);
    struct ln_tls_client_options options = {.ca_file = certs.ca};
    assert_int_equal(ln_tls_client_new(ln_loop_host(world->loop), &options, &tls, NULL), LLMGR_OK);
    world->request.tls = tls;
    world->request.port = server.port;
    world->request.host = host;
    world->request.alpn = "http/1.1";
    if (complaint != NULL) {
        must_fail(world, LLMGR_ERR_TLS, complaint);
        assert_int_equal(server.accepted, 0);
        assert_int_equal(ln_tls_client_sessions(tls), 0);
    } else {
        client_connect(&world->client, world->loop, &world->request);
        assert_true(lb_str_eq_c(ln_conn_alpn(world->client.conn), "http/1.1"));
        ln_conn_close(world->client.conn);
        LOOP_UNTIL(world->loop, world->client.closed == 1);
    }
    server_stop(&server);
    loop_for(world->loop, 2);
    ln_tls_client_free(tls);
    certs_remove(&certs);
}

static void certificates_are_always_verified(void **state)
{
    struct world *world = *state;
    const char *name = "some.example.com";
    with_certificate(world, "DNS:some.example.com", -3600, 3600, name, NULL);
    with_certificate(world, "DNS:*.example.com", -3600, 3600, name, NULL);
    with_certificate(world, "DNS:*.com", -3600, 3600, name, "mismatch");
    with_certificate(world, "DNS:s*.example.com", -3600, 3600, name, "mismatch");
    with_certificate(world, "DNS:other.example.com", -3600, 3600, name, "mismatch");
    with_certificate(world, "DNS:some.example.com", -7200, -3600, name, "expired");
    with_certificate(world, "DNS:some.example.com", 3600, 7200, name, "not yet valid");
    with_certificate(world, "IP:127.0.0.1", -3600, 3600, "127.0.0.1", NULL);
    with_certificate(world, "IP:127.0.0.2", -3600, 3600, "127.0.0.1", "mismatch");
    with_certificate(world, "DNS:127.0.0.1", -3600, 3600, "127.0.0.1", "mismatch");
}

static void an_unknown_authority_is_refused(void **state)
{
    struct world *world = *state;
    struct certs certs;
    struct server server = {0};
    struct ln_tls_client *tls = NULL;
    certs_make(&certs, "DNS:some.example.com", -3600, 3600);
    server_start(&server, world->loop, &certs);
    assert_int_equal(ln_tls_client_new(ln_loop_host(world->loop), NULL, &tls, NULL), LLMGR_OK);
    world->request.tls = tls;
    world->request.port = server.port;
    must_fail(world, LLMGR_ERR_TLS, "CA file");
    server_stop(&server);
    ln_tls_client_free(tls);
    certs_remove(&certs);
}

static void a_plain_server_is_a_tls_error(void **state)
{
    struct world *world = *state;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(world->loop), NULL, &tls, NULL), LLMGR_OK);
    world->request.tls = tls;
    must_fail(world, LLMGR_ERR_TLS, "TLS with some.example.com"); /* it echoes our hello */
    ln_tls_client_free(tls);
}

static void sessions_are_resumed_and_bounded(void **state)
{
    struct world *world = *state;
    struct certs certs;
    struct server server = {0};
    struct ln_tls_client *tls = NULL;
    certs_make(&certs, "DNS:*.example.com", -3600, 3600);
    server_start(&server, world->loop, &certs);
    struct ln_tls_client_options options = {.ca_file = certs.ca, .session_max = 2};
    assert_int_equal(ln_tls_client_new(ln_loop_host(world->loop), &options, &tls, NULL), LLMGR_OK);
    world->request.tls = tls;
    world->request.port = server.port;
    static const char *const hosts[] = {"a.example.com", "a.example.com", "b.example.com",
                                        "c.example.com", "a.example.com"};
    static const bool resumed[] = {false, true, false, false, false};
    for (size_t i = 0; i < 5; i++) {
        world->request.host = hosts[i];
        client_connect(&world->client, world->loop, &world->request);
        client_write(&world->client, "x");
        LOOP_UNTIL(world->loop, world->client.received == 1);
        assert_int_equal(ln_conn_tls_resumed(world->client.conn), resumed[i]);
        ln_conn_close(world->client.conn);
        LOOP_UNTIL(world->loop, world->client.closed == 1);
        assert_true(ln_tls_client_sessions(tls) <= 2);
    }
    struct ln_tls_server_options again = {.cert_file = certs.cert, .key_file = certs.key};
    assert_int_equal(ln_tls_server_reload(server.tls, &again, NULL), LLMGR_OK);
    again.key_file = "/nonexistent";
    struct llmgr_error err = {0};
    assert_int_equal(ln_tls_server_reload(server.tls, &again, &err), LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, "/nonexistent"));
    client_connect(&world->client, world->loop, &world->request);
    ln_tls_client_free(tls); /* the connection keeps what it needs */
    client_write(&world->client, "y");
    LOOP_UNTIL(world->loop, world->client.received == 1);
    ln_conn_close(world->client.conn);
    server_stop(&server);
    certs_remove(&certs);
}

static void broken_tls_files_are_named(void **state)
{
    struct world *world = *state;
    const struct lb_host *host = ln_loop_host(world->loop);
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

/* ---- Proxies --------------------------------------------------------------------------------- */

/* A proxy that answers each CONNECT with a script and then echoes. */
struct proxy {
    struct ln_listener *listener;
    uint16_t port;
    const char *script;
    char asked[1024];
    size_t asked_size;
    bool open;
};

static void proxy_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    struct proxy *proxy = context;
    if (proxy->open) {
        assert_int_equal(ln_conn_write(conn, &bytes, 1), LLMGR_OK);
        return;
    }
    assert_true(bytes.size < sizeof(proxy->asked) - proxy->asked_size);
    memcpy(proxy->asked + proxy->asked_size, bytes.p, bytes.size);
    proxy->asked_size += bytes.size;
    if (strstr(proxy->asked, "\r\n\r\n") == NULL)
        return;
    proxy->open = true;
    struct lb_str answer = lb_cstr(proxy->script);
    if (answer.size != 0)
        assert_int_equal(ln_conn_write(conn, &answer, 1), LLMGR_OK);
    else
        ln_conn_close(conn);
}

static void proxy_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    (void)context;
    (void)why;
    ln_conn_close(conn);
}

static void proxy_accept(void *context, struct ln_conn *conn)
{
    static const struct ln_conn_face face = {.data = proxy_data, .end = proxy_end};
    ln_conn_set_face(conn, &face, context);
    ln_conn_read_start(conn);
}

static void proxy_start(struct proxy *proxy, struct world *world, const char *script)
{
    int fd = -1;
    char text[LN_LISTEN_TEXT];
    struct ln_listen_options options = {.address = "127.0.0.1:0"};
    *proxy = (struct proxy){.script = script};
    assert_int_equal(ln_listen_open(&options, &fd, NULL), LLMGR_OK);
    proxy->port = (uint16_t)atoi(strrchr(ln_listen_text(fd, text), ':') + 1);
    assert_int_equal(ln_listener_start(world->loop, fd, NULL, proxy_accept, proxy,
                                       &proxy->listener, NULL),
                     LLMGR_OK);
}

static void a_proxy_is_asked_by_connect(void **state)
{
    struct world *world = *state;
    struct proxy proxy;
    struct ln_proxy *settings = NULL;
    char url[128];
    proxy_start(&proxy, world, "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n");
    (void)snprintf(url, sizeof(url), "http://user:p%%40ss@127.0.0.1:%u/", (unsigned)proxy.port);
    assert_int_equal(ln_proxy_new(ln_loop_host(world->loop), url, NULL, &settings, NULL),
                     LLMGR_OK);
    world->request.proxy = settings;
    world->request.port = 443;
    client_connect(&world->client, world->loop, &world->request);
    assert_int_equal(world->names.asked, 0); /* the operator's name is the proxy's matter */
    assert_string_equal(proxy.asked, "CONNECT some.example.com:443 HTTP/1.1\r\n"
                                     "Host: some.example.com:443\r\n"
                                     "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n");
    client_write(&world->client, "through");
    LOOP_UNTIL(world->loop, world->client.received == 7);
    ln_conn_close(world->client.conn);
    ln_listener_close(proxy.listener);
    loop_for(world->loop, 5);
    ln_proxy_free(settings);
}

static void a_proxys_refusal_is_told(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *script, *text;
    } cases[] = {
        {"HTTP/1.1 407 Auth\r\n\r\n", "credentials"},
        {"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", "503"},
        {"HTTP/1.1 200 OK\r\n\r\nsurprise", "not understood"},
        {"SSH-2.0-x\r\n\r\n", "not understood"},
        {"HTTP/1.1 2000 OK\r\n\r\n", "not understood"},
        {"HTTP/1.1 100 Continue\r\n\r\n", "not understood"},
        {"", "closed the connection"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct proxy proxy;
        struct ln_proxy *settings = NULL;
        char url[64];
        proxy_start(&proxy, world, cases[i].script);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)proxy.port);
        assert_int_equal(ln_proxy_new(ln_loop_host(world->loop), url, NULL, &settings, NULL),
                         LLMGR_OK);
        world->request.proxy = settings;
        must_fail(world, LLMGR_ERR_UNREACHABLE, cases[i].text);
        ln_listener_close(proxy.listener);
        loop_for(world->loop, 2);
        ln_proxy_free(settings);
    }
}

static void a_proxy_is_no_way_around_the_judgement(void **state)
{
    struct world *world = *state;
    struct proxy proxy;
    struct ln_proxy *settings = NULL;
    char url[64];
    proxy_start(&proxy, world, "HTTP/1.1 200 OK\r\n\r\n");
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)proxy.port);
    assert_int_equal(ln_proxy_new(ln_loop_host(world->loop), url, NULL, &settings, NULL),
                     LLMGR_OK);
    be_private(world);
    world->request.proxy = settings;
    world->names.addrs[0] = "10.0.0.1";
    must_fail(world, LLMGR_ERR_UNREACHABLE, "some.example.com");
    assert_int_equal(proxy.asked_size, 0);
    ln_listener_close(proxy.listener);
    loop_for(world->loop, 2);
    ln_proxy_free(settings);
}

static void no_proxy_rules_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *list, *host;
        uint16_t port;
        bool applies;
    } cases[] = {
        {NULL, "example.com", 443, true},
        {"", "example.com", 443, true},
        {"*", "example.com", 443, false},
        {"example.com", "example.com", 443, false},
        {"example.com", "EXAMPLE.com.", 443, false},
        {"example.com", "api.example.com", 443, false},
        {".example.com", "api.example.com", 443, false},
        {"*.example.com", "api.example.com", 443, false},
        {"example.com", "badexample.com", 443, true},
        {"example.com", "example.com.evil.net", 443, true},
        {"a.net, b.net  c.net", "b.net", 443, false},
        {"a.net, b.net  c.net", "c.net", 443, false},
        {"example.com:8443", "example.com", 443, true},
        {"example.com:8443", "example.com", 8443, false},
        {"10.0.0.0/8,fd00::/8", "10.2.3.4", 443, false},
        {"10.0.0.0/8,fd00::/8", "11.2.3.4", 443, true},
        {"10.0.0.0/8,fd00::/8", "fd01::1", 443, false},
        {"::1", "::1", 443, false},
        {"[::1]:80", "::1", 443, true},
        {"127.0.0.1", "::ffff:127.0.0.1", 443, false},
        {"localhost", "localhost", 80, false},
    };
    struct lb_host host;
    lb_host_init(&host);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ln_proxy *proxy = NULL;
        assert_int_equal(ln_proxy_new(&host, "http://proxy", cases[i].list, &proxy, NULL),
                         LLMGR_OK);
        if (ln_proxy_applies(proxy, lb_cstr(cases[i].host), cases[i].port) != cases[i].applies)
            fail_msg("%s for %s", cases[i].list, cases[i].host);
        assert_int_equal(ln_proxy_port(proxy), 80);
        ln_proxy_free(proxy);
    }
    assert_false(ln_proxy_applies(NULL, LB_STR("example.com"), 443));
}

static void a_broken_proxy_url_is_refused_without_its_password(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",  "proxy:3128", "https://u:hunter2@proxy", "http://u:hunter2@", "http://",
        "http://u:hunter2@proxy:0", "http://u:hunter2@proxy:65536", "http://u:hunter2@pro xy",
        "http://u:hunter2%zz@proxy", "http://u:hunter2@proxy/path", "http://u:hunter2@[::1",
        "socks5://u:hunter2@proxy"};
    struct lb_host host;
    lb_host_init(&host);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ln_proxy *proxy = NULL;
        struct llmgr_error err = {0};
        if (ln_proxy_new(&host, bad[i], NULL, &proxy, &err) != LLMGR_ERR_CONFIG)
            fail_msg("%s passes", bad[i]);
        assert_null(strstr(err.message, "hunter2"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_leads_to_a_connection),
        TEST(the_systems_resolver_works_too),
        TEST(a_dead_first_address_does_not_stop_the_second),
        TEST(what_failed_is_said_to_the_operator),
        TEST(a_hanging_resolver_is_cut_off),
        TEST(a_silent_server_is_cut_off_in_the_handshake),
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
        TEST(a_proxy_is_asked_by_connect),
        TEST(a_proxys_refusal_is_told),
        TEST(a_proxy_is_no_way_around_the_judgement),
        cmocka_unit_test(no_proxy_rules_are_kept),
        cmocka_unit_test(a_broken_proxy_url_is_refused_without_its_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
