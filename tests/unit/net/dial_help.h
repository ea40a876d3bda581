/* SPDX-License-Identifier: MIT */
/* What the tests of dials share: an echo server, a resolver of our own, two policies. */
#ifndef TESTS_NET_DIAL_HELP_H
#define TESTS_NET_DIAL_HELP_H

#include "net_help.h"

/* What our resolver answers. */
struct names {
    struct ln_resolver resolver;
    struct ln_loop *loop;
    const char *addrs[4]; /* NULL ends */
    bool hang;
    unsigned asked;
    struct ln_answer *held; /* while hanging */
};

struct fixture {
    struct ln_loop *loop;
    struct server server;
    struct client client;
    struct names names;
    struct ln_policy *policy;      /* the defaults */
    struct ln_policy *open_policy; /* 127.0.0.0/8 by http allowed */
    struct ln_dial_request request;
};

int begin(void **state);
int end(void **state);
/* The resolver's answer, held back or not. */
void give(struct names *names, struct ln_answer *answer);
/* Dials the request; it fails with this status and says this text. */
void must_fail(struct fixture *fixture, llmgr_status status, const char *text);
/* A client of these options refuses a server whose authority it does not know. */
void must_trust_nobody(struct fixture *fixture, const struct ln_tls_client_options *options);
/* The request becomes a user's word, under the policy that opens 127.0.0.0/8. */
void be_private(struct fixture *fixture);

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
