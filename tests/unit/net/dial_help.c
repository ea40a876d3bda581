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
    struct world *world = calloc(1, sizeof(*world));
    world->loop = loop_make();
    const struct lb_host *host = ln_loop_host(world->loop);
    server_start(&world->server, world->loop, NULL);
    struct ln_policy_options open = {.allow = allow, .allow_count = 1, .allow_http = true};
    assert_int_equal(ln_policy_new(host, NULL, &world->policy, NULL), LLMGR_OK);
    assert_int_equal(ln_policy_new(host, &open, &world->open_policy, NULL), LLMGR_OK);
    world->names = (struct names){.loop = world->loop, .addrs = {"127.0.0.1"}};
    world->names.resolver = (struct ln_resolver){on_name, &world->names};
    world->request = (struct ln_dial_request){
        .host = "some.example.com", .port = world->server.port, .resolver = &world->names.resolver};
    *state = world;
    return 0;
}

int end(void **state)
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

void must_fail(struct world *world, llmgr_status status, const char *text)
{
    client_dial(&world->client, world->loop, &world->request);
    LOOP_UNTIL(world->loop, world->client.called);
    assert_null(world->client.conn);
    assert_int_equal(world->client.err.status, status);
    if (strstr(world->client.err.message, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", world->client.err.message, text);
}

void must_trust_nobody(struct world *world, const struct ln_tls_client_options *options)
{
    struct certs certs;
    struct server server = {0};
    struct ln_tls_client *tls = NULL;
    certs_make(&certs, "DNS:some.example.com", -3600, 3600);
    server_start(&server, world->loop, &certs);
    assert_int_equal(ln_tls_client_new(ln_loop_host(world->loop), options, &tls, NULL), LLMGR_OK);
    world->request.tls = tls;
    world->request.port = server.port;
    must_fail(world, LLMGR_ERR_TLS, "CA file");
    server_stop_when_left(&server);
    ln_tls_client_free(tls);
    certs_remove(&certs);
}

void be_private(struct world *world)
{
    world->request.klass = LN_CLASS_PRIVATE;
    world->request.policy = world->open_policy;
}
