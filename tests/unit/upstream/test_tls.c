/* SPDX-License-Identifier: MIT */
/* The same calls over TLS: a private authority, truncation, large bodies, reuse. */
#include "../net/net_help.h"
#include "peer.h"

static struct lb_host host;
static struct certs certs;
static struct mock_thread *mock;
static struct li_call *call;
static struct test_url url;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    certs_make(&certs, "DNS:localhost,IP:127.0.0.1", -3600, 3600);
    mock = mock_start(
        &(struct mock_options){.cert_file = certs.cert, .key_file = certs.key, .quiet = true});
    if (mock == NULL)
        return 1;
    snprintf(url.text, sizeof url.text, "https://127.0.0.1:%u/v1", mock_thread_port(mock));
    const struct li_call_options options = {.ca_file = certs.ca};
    return li_call_new(&host, &options, &call, NULL) != LLMGR_OK;
}

static int teardown(void **state)
{
    (void)state;
    li_call_free(call);
    mock_stop(mock);
    certs_remove(&certs);
    return 0;
}

static llmgr_status stream(struct li_call *with, const char *model, struct llmgr_answer *answer,
                           struct llmgr_error *err)
{
    struct li_peer peer = test_peer(&url, model);
    struct llmgr_request request = test_request();

    return li_call_stream(with, &peer, &request, NULL, NULL, answer, err);
}

static void a_platform_with_the_operators_authority_is_talked_to(void **state)
{
    (void)state;
    static const char *const MODELS[] = {"m", "mock-crlf", "mock-split-9", "mock-close",
                                         "mock-bigline"};

    for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++) {
        struct llmgr_answer answer = {0};
        struct llmgr_error err = {0};
        if (stream(call, MODELS[i], &answer, &err) != LLMGR_OK)
            fail_msg("%s: %s", MODELS[i], err.message);
        assert_true(strlen(answer.content) > 20);
        ld_answer_clear(&answer);
    }
    assert_true(lu_pool_reused(li_call_pool(call)) >= 3);
}

static void without_the_authority_it_is_not(void **state)
{
    (void)state;
    struct li_call *other = test_call(&host, (struct lu_timeouts){0});
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    assert_int_equal(stream(other, "m", &answer, &err), LLMGR_ERR_TLS);
    ld_answer_clear(&answer);
    li_call_free(other);
}

static void a_cut_is_a_cut(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    assert_int_equal(stream(call, "mock-chunks-50+cut-3000", &answer, &err), LLMGR_ERR_CUT);
    ld_answer_clear(&answer);
}

static void a_large_prompt_arrives_whole(void **state)
{
    (void)state;
    size_t size = 3000000;
    char *text = malloc(size + 1);
    const struct llmgr_message message = {.role = "user", .content = text};
    struct li_peer peer = test_peer(&url, "mock-echo");
    struct llmgr_request request = test_request();
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    memset(text, 'x', size);
    text[size] = '\0';
    request.messages = &message;
    if (li_call_chat(call, &peer, &request, &answer, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    assert_non_null(strstr(answer.content, text));
    ld_answer_clear(&answer);
    free(text);
}

static void a_connection_that_died_waiting_is_replaced(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    assert_int_equal(stream(call, "mock-stale", &answer, &err), LLMGR_OK);
    ld_answer_clear(&answer);
    assert_int_equal(stream(call, "m", &answer, &err), LLMGR_OK);
    ld_answer_clear(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_platform_with_the_operators_authority_is_talked_to),
        cmocka_unit_test(without_the_authority_it_is_not),
        cmocka_unit_test(a_cut_is_a_cut),
        cmocka_unit_test(a_large_prompt_arrives_whole),
        cmocka_unit_test(a_connection_that_died_waiting_is_replaced),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
