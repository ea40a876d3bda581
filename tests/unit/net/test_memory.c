/* SPDX-License-Identifier: MIT */
/* Memory that fails: the first allocation, the second, ... of a whole exchange, once each. */
#include "../unit.h"

#include <stdlib.h>
#include <string.h>

#include "net/proxy.h"
#include "net_help.h"

struct meter {
    long left; /* allocations until the one that fails; negative: none fails */
    long open; /* allocations not freed */
};

static bool fails(struct meter *meter)
{
    return meter->left >= 0 && meter->left-- == 0;
}

static void *meter_alloc(size_t size, void *context)
{
    struct meter *meter = context;
    void *p = fails(meter) ? NULL : malloc(size);
    meter->open += p != NULL;
    return p;
}

static void *meter_realloc(void *p, size_t size, void *context)
{
    struct meter *meter = context;
    void *bigger = fails(meter) ? NULL : realloc(p, size);
    meter->open += bigger != NULL && p == NULL;
    return bigger;
}

static void meter_free(void *p, void *context)
{
    ((struct meter *)context)->open -= p != NULL;
    free(p);
}

struct scene {
    struct ln_loop *loop;
    struct ln_policy *policy;
    struct ln_tls_server *server_tls;
    struct ln_tls_client *client_tls;
    struct ln_listener *listener;
    struct ln_proxy *proxy;
    struct ln_dial *dial;
    size_t echoed;
    bool over;
};

static void on_server_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    (void)context;
    if (ln_conn_write(conn, &bytes, 1) != LLMGR_OK)
        ln_conn_close(conn);
}

static void on_server_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    (void)context;
    (void)why;
    ln_conn_close(conn);
}

static void on_accept(void *context, struct ln_conn *conn)
{
    static const struct ln_conn_face face = {.data = on_server_data, .end = on_server_end};
    ln_conn_set_face(conn, &face, context);
    ln_conn_read_start(conn);
}

static void on_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    struct scene *scene = context;
    scene->echoed += bytes.size;
    scene->over = scene->echoed == 600 * 1000;
    if (scene->over)
        ln_conn_close(conn);
}

static void on_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    (void)conn;
    (void)why;
    ((struct scene *)context)->over = true;
}

static void on_dialled(void *context, struct ln_conn *conn, const struct llmgr_error *err)
{
    static const struct ln_conn_face face = {.data = on_data, .end = on_end};
    static char big[600 * 1000];
    struct scene *scene = context;
    struct lb_str slice = {big, sizeof(big)};
    if (conn == NULL) {
        assert_true(err->status != LLMGR_OK && err->message[0] != '\0');
        scene->over = true;
        return;
    }
    ln_conn_set_face(conn, &face, scene);
    ln_conn_read_start(conn);
    scene->over = ln_conn_write(conn, &slice, 1) != LLMGR_OK;
}

static llmgr_status set_up(struct scene *scene, const struct lb_host *host,
                           const struct certs *certs, struct llmgr_error *err)
{
    static const char *const allow[] = {"127.0.0.0/8"};
    static const struct ln_endpoint own[] = {{"0.0.0.0", 1, false}, {"db.example.com", 0, false}};
    struct ln_policy_options rules = {.allow = allow, .allow_count = 1, .own = own, .own_count = 2};
    struct ln_tls_server_options identity = {.cert_file = certs->cert, .key_file = certs->key};
    struct ln_tls_client_options trust = {.ca_file = certs->ca, .only_ca_file = true};
    struct ln_listen_options address = {.address = "127.0.0.1:0"};
    char text[LN_LISTEN_TEXT];
    int fd = -1;
    llmgr_status status = ln_loop_new(host, NULL, &scene->loop, err);
    if (status == LLMGR_OK)
        status = ln_policy_new(host, &rules, &scene->policy, err);
    if (status == LLMGR_OK)
        status = ln_proxy_new(host, "http://u:p@proxy:1", "127.0.0.0/8", &scene->proxy, err);
    if (status == LLMGR_OK)
        status = ln_tls_server_new(host, &identity, &scene->server_tls, err);
    if (status == LLMGR_OK)
        status = ln_tls_client_new(host, &trust, &scene->client_tls, err);
    if (status == LLMGR_OK)
        status = ln_listen_open(&address, &fd, err);
    if (status != LLMGR_OK)
        return status;
    struct ln_accept_options accept = {.tls = scene->server_tls};
    uint16_t port = (uint16_t)atoi(strrchr(ln_listen_text(fd, text), ':') + 1);
    status = ln_listener_start(scene->loop, fd, &accept, on_accept, scene, &scene->listener, err);
    if (status != LLMGR_OK) {
        ln_listen_close(fd);
        return status;
    }
    struct ln_dial_request request = {.host = "127.0.0.1",
                                      .port = port,
                                      .klass = LN_CLASS_PRIVATE,
                                      .policy = scene->policy,
                                      .proxy = scene->proxy,
                                      .tls = scene->client_tls,
                                      .alpn = "http/1.1"};
    return ln_dial(scene->loop, &request, on_dialled, scene, &scene->dial, err);
}

/* True if the exchange went through although (or because) nothing failed. */
static bool play(struct meter *meter, const struct certs *certs)
{
    struct lb_host host;
    struct scene scene = {.over = false};
    struct llmgr_error err = {0};
    lb_host_init(&host);
    host.memory = (struct llmgr_allocator){meter_alloc, meter_realloc, meter_free, meter};
    llmgr_status status = set_up(&scene, &host, certs, &err);
    if (status != LLMGR_OK)
        assert_true(err.message[0] != '\0');
    struct guard guard;
    if (status == LLMGR_OK)
        guard_start(&guard, scene.loop);
    while (status == LLMGR_OK && !scene.over && !guard.over)
        ln_loop_turn(scene.loop, true);
    if (status == LLMGR_OK && guard.over)
        fail_msg("an exchange without memory neither ends nor fails");
    if (status == LLMGR_OK)
        ln_timer_stop(&guard.timer);
    ln_loop_free(scene.loop);
    ln_policy_free(scene.policy);
    ln_proxy_free(scene.proxy);
    ln_tls_server_free(scene.server_tls);
    ln_tls_client_free(scene.client_tls);
    return scene.echoed == 600 * 1000;
}

static void every_failed_allocation_is_survived_without_a_leak(void **state)
{
    (void)state;
    struct certs certs;
    certs_make(&certs, "IP:127.0.0.1", -3600, 3600);
    long n = 0;
    for (bool clean = false; !clean; n++) {
        struct meter meter = {.left = n};
        bool whole = play(&meter, &certs);
        if (meter.open != 0)
            fail_msg("allocation %ld failed and %ld others were not freed", n, meter.open);
        clean = meter.left >= 0; /* none failed any more */
        if (clean)
            assert_true(whole);
        assert_true(n < 1000);
    }
    assert_true(n > 20);
    certs_remove(&certs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failed_allocation_is_survived_without_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
