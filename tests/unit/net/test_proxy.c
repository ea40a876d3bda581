/* SPDX-License-Identifier: MIT */
/* Proxies: what is asked of them, what they may answer, who goes without one. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dial_help.h"
#include "net/proxy.h"

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

static void proxy_start(struct proxy *proxy, struct fixture *fixture, const char *script)
{
    int fd = -1;
    char text[LN_LISTEN_TEXT];
    struct ln_listen_options options = {.address = "127.0.0.1:0"};
    *proxy = (struct proxy){.script = script};
    assert_int_equal(ln_listen_open(&options, &fd, NULL), LLMGR_OK);
    proxy->port = (uint16_t)atoi(strrchr(ln_listen_text(fd, text), ':') + 1);
    assert_int_equal(
        ln_listener_start(fixture->loop, fd, NULL, proxy_accept, proxy, &proxy->listener, NULL),
        LLMGR_OK);
}

static void a_proxy_is_asked_by_connect(void **state)
{
    struct fixture *fixture = *state;
    struct proxy proxy;
    struct ln_proxy *settings = NULL;
    char url[128];
    proxy_start(&proxy, fixture, "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n");
    (void)snprintf(url, sizeof(url), "http://user:p%%40ss@127.0.0.1:%u/", (unsigned)proxy.port);
    assert_int_equal(ln_proxy_new(ln_loop_host(fixture->loop), url, NULL, &settings, NULL),
                     LLMGR_OK);
    fixture->request.proxy = settings;
    fixture->request.port = 443;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    assert_int_equal(fixture->names.asked, 0); /* the operator's name is the proxy's matter */
    assert_string_equal(proxy.asked, "CONNECT some.example.com:443 HTTP/1.1\r\n"
                                     "Host: some.example.com:443\r\n"
                                     "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n");
    client_write(&fixture->client, "through");
    LOOP_UNTIL(fixture->loop, fixture->client.received == 7);
    ln_conn_close(fixture->client.conn);
    ln_listener_close(proxy.listener);
    loop_for(fixture->loop, 5);
    ln_proxy_free(settings);
}

static void a_proxys_refusal_is_told(void **state)
{
    struct fixture *fixture = *state;
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
        proxy_start(&proxy, fixture, cases[i].script);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)proxy.port);
        assert_int_equal(ln_proxy_new(ln_loop_host(fixture->loop), url, NULL, &settings, NULL),
                         LLMGR_OK);
        fixture->request.proxy = settings;
        must_fail(fixture, LLMGR_ERR_UNREACHABLE, cases[i].text);
        ln_listener_close(proxy.listener);
        loop_for(fixture->loop, 2);
        ln_proxy_free(settings);
    }
}

static void a_proxy_is_no_way_around_the_judgement(void **state)
{
    struct fixture *fixture = *state;
    struct proxy proxy;
    struct ln_proxy *settings = NULL;
    char url[64];
    proxy_start(&proxy, fixture, "HTTP/1.1 200 OK\r\n\r\n");
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)proxy.port);
    assert_int_equal(ln_proxy_new(ln_loop_host(fixture->loop), url, NULL, &settings, NULL),
                     LLMGR_OK);
    be_private(fixture);
    fixture->request.proxy = settings;
    fixture->names.addrs[0] = "10.0.0.1";
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, "some.example.com");
    assert_int_equal(proxy.asked_size, 0);
    ln_listener_close(proxy.listener);
    loop_for(fixture->loop, 2);
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
        {"192.168.*", "192.168.3.4", 443, false},
        {"192.168.*", "192.169.3.4", 443, true},
        {"192.168.*", "192.168.example.com", 443, false}, /* as it stands there */
        {"192.168.*.*", "192.168.3.4", 443, false},
        {"10.*:8080", "10.1.1.1", 8080, false},
        {"10.*:8080", "10.1.1.1", 443, true},
        {"10.", "10.1.1.1", 443, false},
        {"10.", "110.1.1.1", 443, true},
        {"*-test.example.com", "a-test.example.com", 443, false},
        {"*-test.example.com", "a-TEST.example.com", 443, false},
        {"*-test.example.com", "a-test.example.com.evil.net", 443, true},
        {"*example.com", "badexample.com", 443, false},
        {"api.*.com", "api.example.com", 443, false},
        {"api.*.com", "api.example.net", 443, true},
        {"a*b*c", "aXbXbc", 443, false},
        {"a*b*c", "aXbXb", 443, true},
        {"<local>", "printer", 80, false},
        {"<local>", "printer.lan", 80, true},
        {"<local>", "::1", 80, true},
        {"http://example.com/path", "example.com", 443, false},
        {"https://example.com:8443", "example.com", 8443, false},
        {"a.net;b.net|c.net", "b.net", 443, false},
        {"a.net;b.net|c.net", "c.net", 443, false},
        {"a.net\r\nb.net", "b.net", 443, false},
        {"my_host", "my_host", 443, false},
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
    static const char *const bad[] = {"",
                                      "proxy:3128:1",
                                      "u:hunter2@proxy:x",
                                      "//u:hunter2@proxy",
                                      "${PROXY}",
                                      "https://u:hunter2@proxy",
                                      "http://u:hunter2@",
                                      "http://",
                                      "http://u:hunter2@proxy:0",
                                      "http://u:hunter2@proxy:65536",
                                      "http://u:hunter2@pro xy",
                                      "http://u:hunter2%zz@proxy",
                                      "http://u:hunter2@proxy/path",
                                      "http://u:hunter2@[::1",
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

/* What a URL may be called: with or without its scheme, and with blanks around it. */
static void a_proxy_needs_no_scheme(void **state)
{
    (void)state;
    static const char *const urls[] = {"proxy:3128", "http://proxy:3128", " proxy:3128\r\n",
                                       "HTTP://u:p@proxy:3128/", "u:p@proxy:3128"};
    struct lb_host host;
    lb_host_init(&host);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct ln_proxy *proxy = NULL;
        struct llmgr_error err = {0};
        if (ln_proxy_new(&host, urls[i], NULL, &proxy, &err) != LLMGR_OK)
            fail_msg("%s: %s", urls[i], err.message);
        assert_string_equal(ln_proxy_host(proxy), "proxy");
        assert_int_equal(ln_proxy_port(proxy), 3128);
        ln_proxy_free(proxy);
    }
}

static unsigned warnings;
static char last_warning[500];

static void note_warning(llmgr_log_level level, const char *text, void *context)
{
    (void)context;
    if (level == LLMGR_LOG_WARN) {
        warnings++;
        (void)snprintf(last_warning, sizeof(last_warning), "%s", text);
    }
}

static void what_was_inherited_fails_nobody_who_does_not_need_it(void **state)
{
    (void)state;
    struct lb_host host;
    struct llmgr_error err = {0};
    struct ln_proxy *proxy = NULL;
    struct ln_proxy_settings settings = {.url = "socks5://u:hunter2@proxy",
                                         .no_proxy = "example.com, http://u:hunter2@h, other.net",
                                         .url_from = "HTTPS_PROXY",
                                         .no_proxy_from = "NO_PROXY"};
    lb_host_init(&host);
    host.log = note_warning;
    host.log_level = LLMGR_LOG_WARN;
    warnings = 0;
    assert_int_equal(ln_proxy_make(&host, &settings, &proxy, &err), LLMGR_OK);
    assert_int_equal(warnings, 0); /* nobody has asked yet */
    assert_false(ln_proxy_applies(proxy, LB_STR("example.com"), 443));
    assert_false(ln_proxy_applies(proxy, LB_STR("other.net"), 443));
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_warning, "NO_PROXY: "));
    assert_null(strstr(last_warning, "hunter2"));
    ln_proxy_free(proxy);
    settings.no_proxy = "example.com, 1.2.3.4-1.2.3.9, b@d, other.net";
    assert_int_equal(ln_proxy_make(&host, &settings, &proxy, &err), LLMGR_OK);
    assert_false(ln_proxy_applies(proxy, LB_STR("other.net"), 443));
    assert_true(ln_proxy_applies(proxy, LB_STR("1.2.3.5"), 443));
    assert_int_equal(warnings, 2);
    assert_non_null(strstr(last_warning, "1.2.3.4-1.2.3.9"));
    assert_int_equal(ln_proxy_check(proxy, &err), LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, "HTTPS_PROXY: "));
    assert_null(strstr(err.message, "hunter2"));
    ln_proxy_free(proxy);

    settings.no_proxy_from = NULL; /* set for us */
    assert_int_equal(ln_proxy_make(&host, &settings, &proxy, &err), LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, "no_proxy: "));
    settings = (struct ln_proxy_settings){.url = "socks5://u:hunter2@proxy"};
    assert_int_equal(ln_proxy_make(&host, &settings, &proxy, &err), LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, "https_proxy: "));
    assert_int_equal(ln_proxy_check(NULL, &err), LLMGR_OK);
}

static void a_dial_that_needs_a_bad_proxy_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct llmgr_error err = {0};
    struct ln_dial *dial = NULL;
    struct ln_proxy *proxy = NULL;
    const struct ln_proxy_settings settings = {.url = "socks5://proxy",
                                               .no_proxy = "localhost",
                                               .url_from = "https_proxy",
                                               .no_proxy_from = "no_proxy"};

    assert_int_equal(ln_proxy_make(ln_loop_host(fixture->loop), &settings, &proxy, NULL), LLMGR_OK);
    fixture->request.proxy = proxy;
    assert_int_equal(ln_dial(fixture->loop, &fixture->request, NULL, NULL, &dial, &err),
                     LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, "https_proxy: "));
    ln_proxy_free(proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proxy_is_asked_by_connect),
        TEST(a_proxys_refusal_is_told),
        TEST(a_proxy_is_no_way_around_the_judgement),
        cmocka_unit_test(no_proxy_rules_are_kept),
        TEST(a_dial_that_needs_a_bad_proxy_is_refused),
        cmocka_unit_test(a_proxy_needs_no_scheme),
        cmocka_unit_test(what_was_inherited_fails_nobody_who_does_not_need_it),
        cmocka_unit_test(a_broken_proxy_url_is_refused_without_its_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
