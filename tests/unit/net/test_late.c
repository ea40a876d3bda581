/* SPDX-License-Identifier: MIT */
/* What a TLS client puts off until it is needed, what it does not, and who hears when it fails. */
#include "../unit.h"

#include <openssl/ssl.h>
#include <string.h>

#include "../fault.h"
#include "dial_help.h"

FAULT(SSL_CTX *, SSL_CTX_new_ex, NULL,
      (OSSL_LIB_CTX * library, const char *properties, const SSL_METHOD *method),
      (library, properties, method))

static void nothing_is_set_up_before_a_connection_needs_it(void **state)
{
    struct fixture *fixture = *state;
    struct ln_tls_client *tls = NULL;
    fault_arm("SSL_CTX_new_ex", 0, ENOMEM);
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), NULL, &tls, NULL), LLMGR_OK);
    assert_int_equal(ln_tls_client_sessions(tls), 0);
    assert_false(fault_disarm());
    ln_tls_client_free(tls); /* that was never used */
}

static void the_connection_that_needs_it_fails_and_the_next_tries_again(void **state)
{
    struct fixture *fixture = *state;
    struct ln_tls_client *tls = NULL;
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), NULL, &tls, NULL), LLMGR_OK);
    fixture->request.tls = tls;
    fault_arm("SSL_CTX_new_ex", 0, ENOMEM);
    must_fail(fixture, LLMGR_ERR_TLS, "TLS cannot be set up");
    assert_true(fault_disarm());
    must_fail(fixture, LLMGR_ERR_TLS, "TLS with some.example.com"); /* the server speaks none */
    ln_tls_client_free(tls);
}

/* The operator's word about whom to trust is judged when it is given. */
static void a_named_ca_file_is_read_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct ln_tls_client *tls = NULL;
    struct llmgr_error err = {0};
    struct ln_tls_client_options options = {.ca_file = "/nonexistent/ca.pem"};
    assert_int_equal(ln_tls_client_new(ln_loop_host(fixture->loop), &options, &tls, &err),
                     LLMGR_ERR_CONFIG);
    assert_null(tls);
    assert_non_null(strstr(err.message, "/nonexistent/ca.pem"));
}

/* Without the system's store and without a file nobody is trusted, late or not. */
static void trust_in_nobody_stays_that(void **state)
{
    struct ln_tls_client_options options = {.only_ca_file = true};
    must_trust_nobody(*state, &options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_set_up_before_a_connection_needs_it),
        TEST(the_connection_that_needs_it_fails_and_the_next_tries_again),
        TEST(a_named_ca_file_is_read_at_once),
        TEST(trust_in_nobody_stays_that),
    };
    return cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
