/* SPDX-License-Identifier: MIT */
/* What the tests of dials share. */
#include "dial_help.h"

#include "../unit.h"

#include <stdlib.h>
#include <string.h>

void give(struct names *names, struct ln_answer *answer)
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

int begin(void **state)
{
    static const char *const allow[] = {"127.0.0.0/8"};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->loop = loop_make();
    const struct lb_host *host = ln_loop_host(fixture->loop);
    server_start(&fixture->server, fixture->loop, NULL);
    struct ln_policy_options open = {.allow = allow, .allow_count = 1, .allow_http = true};
    assert_int_equal(ln_policy_new(host, NULL, &fixture->policy, NULL), LLMGR_OK);
    assert_int_equal(ln_policy_new(host, &open, &fixture->open_policy, NULL), LLMGR_OK);
    fixture->names = (struct names){.loop = fixture->loop, .addrs = {"127.0.0.1"}};
    fixture->names.resolver = (struct ln_resolver){on_name, &fixture->names};
    fixture->request = (struct ln_dial_request){.host = "some.example.com",
                                                .port = fixture->server.port,
                                                .resolver = &fixture->names.resolver};
    *state = fixture;
    return 0;
}

int end(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->names.held != NULL)
        give(&fixture->names, fixture->names.held);
    server_stop(&fixture->server);
    ln_loop_free(fixture->loop);
    ln_policy_free(fixture->policy);
    ln_policy_free(fixture->open_policy);
    free(fixture);
    return 0;
}

void must_fail(struct fixture *fixture, llmgr_status status, const char *text)
{
    client_dial(&fixture->client, fixture->loop, &fixture->request);
    LOOP_UNTIL(fixture->loop, fixture->client.called);
    assert_null(fixture->client.conn);
    assert_int_equal(fixture->client.err.status, status);
    if (strstr(fixture->client.err.message, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fixture->client.err.message, text);
}

void must_trust_nobody(struct fixture *fixture, const struct ln_tls_client_options *options)
{
    struct certs certs;
    struct server server = {0};
    struct ln_tls_client *tls = NULL;
    certs_make(&certs, "DNS:some.example.com", -3600, 3600);
    server_start(&server, fixture->loop, &certs);
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), options, &tls, NULL), LLMGR_OK);
    fixture->request.tls = tls;
    fixture->request.port = server.port;
    must_fail(fixture, LLMGR_ERR_TLS, "CA file");
    server_stop_when_left(&server);
    ln_tls_client_free(tls);
    certs_remove(&certs);
}

void be_private(struct fixture *fixture)
{
    fixture->request.klass = LN_CLASS_PRIVATE;
    fixture->request.policy = fixture->open_policy;
}
