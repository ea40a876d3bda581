/* SPDX-License-Identifier: MIT */
/* The library's face as a host uses it: contracts that llmgr.h states. */
#include <pthread.h>

#include "host.h"

static struct host host;

static int setup(void **state)
{
    (void)state;
    host_setup(&host);
    host_open(&host);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_teardown(&host);
    return 0;
}

static llmgr_status ask(const char *user, const char *slot, struct llmgr_answer *answer,
                        struct llmgr_error *err)
{
    const struct llmgr_message message = {.role = "user", .content = "你好"};
    struct llmgr_request request;
    struct llmgr_llm *llm;

    llmgr_status status = llmgr_llm_for_user(host.manager, user, slot, &llm, err);
    if (status != LLMGR_OK)
        return status;
    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    status = llmgr_llm_invoke(llm, &request, answer, err);
    llmgr_llm_free(llm);
    return status;
}

static void options_that_no_init_made_are_refused(void **state)
{
    (void)state;
    struct llmgr_options options = {0};
    struct llmgr_error err = {0};
    struct llmgr *manager = NULL;

    assert_int_equal(llmgr_open(&options, &manager, &err), LLMGR_ERR_INVALID);
    assert_null(manager);
    assert_true(err.message[0] != '\0');
    llmgr_options_init(&options);
    options.mode = (llmgr_mode)7;
    assert_int_equal(llmgr_open(&options, &manager, &err), LLMGR_ERR_INVALID);
    llmgr_options_init(&options);
    options.database = host.db.url;
    assert_int_equal(llmgr_open(&options, &manager, &err), LLMGR_ERR_VAULT);
}

/* Reasoning models think for minutes before they say anything, and in the middle of it. */
static void by_default_a_model_may_think_for_ten_minutes(void **state)
{
    (void)state;
    struct llmgr_options options;

    llmgr_options_init(&options);
    assert_int_equal(options.first_byte_timeout_ms, 600000);
    assert_int_equal(options.idle_timeout_ms, 600000);
}

static void a_user_gets_an_answer_with_usage(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};

    assert_int_equal(ask("alice", NULL, &answer, NULL), LLMGR_OK);
    assert_non_null(strstr(answer.content, "你好"));
    assert_string_equal(answer.finish_reason, "stop");
    assert_true(answer.usage.total_tokens > 0);
    assert_non_null(answer.json);
    llmgr_answer_clear(&answer);
    llmgr_answer_clear(&answer); /* harmless */
}

static void the_upstream_gets_the_users_own_key_before_the_servers(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};

    assert_int_equal(
        llmgr_platform_set_key(host.manager, "alice", host_platform(&host), "sk-alice-own", NULL),
        LLMGR_OK);
    assert_int_equal(ask("alice", NULL, &answer, NULL), LLMGR_OK);
    llmgr_answer_clear(&answer);
    assert_int_equal(ask("bob", NULL, &answer, NULL), LLMGR_OK);
    llmgr_answer_clear(&answer);
    char *requests = mock_thread_requests(host.mock);
    char *own = strstr(requests, "sk-alice-own");
    char *server = strstr(requests, "sk-site-0123456789");
    assert_true(own != NULL && server != NULL && own < server);
    assert_null(strstr(own + 1, "sk-alice-own"));
    free(requests);
}

static void extra_body_of_the_model_is_sent(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};

    assert_int_equal(llmgr_selection_save(host.manager, "alice", "reason", host_platform(&host),
                                          host_model(&host, "Large"), NULL),
                     LLMGR_OK);
    assert_int_equal(ask("alice", "reason", &answer, NULL), LLMGR_OK);
    assert_non_null(answer.reasoning_content);
    llmgr_answer_clear(&answer);
    char *requests = mock_thread_requests(host.mock);
    assert_non_null(strstr(requests, "top_k"));
    free(requests);
}

static int stop_at_once(const struct llmgr_chunk *chunk, void *context)
{
    (void)chunk;
    (*(int *)context)++;
    return 1;
}

static void a_callback_can_end_the_stream(void **state)
{
    (void)state;
    const struct llmgr_message message = {.role = "user", .content = "hello there"};
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};
    struct llmgr_request request;
    struct llmgr_llm *llm;
    int called = 0;

    assert_int_equal(llmgr_llm_for_system(host.manager, "House", "Small", &llm, NULL), LLMGR_OK);
    assert_string_equal(llmgr_llm_payer(llm), "system");
    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    assert_int_equal(llmgr_llm_stream(llm, &request, stop_at_once, &called, &answer, &err),
                     LLMGR_ERR_CANCELLED);
    assert_int_equal(called, 1);
    llmgr_answer_clear(&answer);
    assert_int_equal(llmgr_llm_invoke(llm, &request, &answer, NULL), LLMGR_OK);
    llmgr_answer_clear(&answer);
    llmgr_llm_free(llm);
}

static void the_key_leaves_only_into_a_buffer_that_holds_it(void **state)
{
    (void)state;
    struct llmgr_error err = {0};
    struct llmgr_llm *llm;
    char key[64] = "untouched";

    assert_int_equal(llmgr_llm_for_user(host.manager, NULL, NULL, &llm, NULL), LLMGR_OK);
    assert_int_equal(llmgr_llm_key(llm, key, 5, &err), LLMGR_ERR_TOO_LARGE);
    assert_string_equal(key, "untouched");
    assert_null(strstr(err.message, "sk-site"));
    assert_int_equal(llmgr_llm_key(llm, key, sizeof key, NULL), LLMGR_OK);
    assert_string_equal(key, "sk-site-0123456789");
    llmgr_llm_free(llm);
}

static void a_foreign_platform_looks_like_no_platform(void **state)
{
    (void)state;
    struct llmgr_error foreign = {0}, absent = {0};
    struct llmgr_platform platform;

    assert_int_equal(llmgr_platform_add(host.manager, "alice", "Mine", "https://a.example.com/v1",
                                        NULL, &platform, NULL),
                     LLMGR_OK);
    int64_t id = platform.platform_id;
    llmgr_platform_clear(&platform);
    assert_int_equal(llmgr_platform_rename(host.manager, "bob", id, "X", &foreign),
                     LLMGR_ERR_NOT_FOUND);
    assert_int_equal(llmgr_platform_rename(host.manager, "bob", 999999, "X", &absent),
                     LLMGR_ERR_NOT_FOUND);
    char *number = strstr(absent.message, "999999");
    assert_non_null(number);
    assert_int_equal(strncmp(foreign.message, absent.message, (size_t)(number - absent.message)),
                     0);
}

struct hammer {
    pthread_t thread;
    char user[16];
    llmgr_status worst;
};

static void *hammer(void *context)
{
    struct hammer *mine = context;
    struct llmgr_selection selection;
    struct llmgr_model_list list;
    int64_t platform = host_platform(&host), model = host_model(&host, "Large");

    for (int i = 0; i < 50; i++) {
        llmgr_status status =
            llmgr_selection_save(host.manager, mine->user, NULL, platform, model, NULL);
        if (status == LLMGR_OK)
            status = llmgr_selection_get(host.manager, mine->user, NULL, &selection, NULL);
        if (status == LLMGR_OK) {
            if (selection.model_id != model)
                status = LLMGR_ERR_INTERNAL;
            llmgr_selection_clear(&selection);
        }
        if (status == LLMGR_OK)
            status = llmgr_models(host.manager, mine->user, &list, NULL);
        if (status == LLMGR_OK)
            llmgr_model_list_clear(&list);
        if (status != LLMGR_OK)
            mine->worst = status;
    }
    return NULL;
}

static void many_threads_use_one_handle(void **state)
{
    (void)state;
    struct hammer hammers[6] = {0};

    for (int i = 0; i < 6; i++) {
        snprintf(hammers[i].user, sizeof hammers[i].user, "u%d", i);
        assert_int_equal(pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(hammers[i].thread, NULL);
        assert_int_equal(hammers[i].worst, LLMGR_OK);
    }
}

static void two_handles_in_one_process_do_not_meet(void **state)
{
    (void)state;
    struct llmgr_model_list list;
    static struct host other;

    host_setup(&other);
    host_open(&other);
    assert_int_equal(llmgr_platform_hide(other.manager, "alice", host_platform(&other), true, NULL),
                     LLMGR_OK);
    assert_int_equal(llmgr_models(host.manager, "alice", &list, NULL), LLMGR_OK);
    assert_false(list.items[0].platform_hide);
    llmgr_model_list_clear(&list);
    host_teardown(&other);
}

static void opening_and_closing_a_hundred_times_leaves_nothing(void **state)
{
    (void)state;
    struct llmgr *manager;

    for (int i = 0; i < 100; i++) {
        assert_int_equal(llmgr_open(&host.options, &manager, NULL), LLMGR_OK);
        llmgr_close(manager);
    }
    llmgr_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(options_that_no_init_made_are_refused),
        TEST(by_default_a_model_may_think_for_ten_minutes),
        TEST(a_user_gets_an_answer_with_usage),
        TEST(the_upstream_gets_the_users_own_key_before_the_servers),
        TEST(extra_body_of_the_model_is_sent),
        TEST(a_callback_can_end_the_stream),
        TEST(the_key_leaves_only_into_a_buffer_that_holds_it),
        TEST(a_foreign_platform_looks_like_no_platform),
        TEST(many_threads_use_one_handle),
        TEST(two_handles_in_one_process_do_not_meet),
        TEST(opening_and_closing_a_hundred_times_leaves_nothing),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
