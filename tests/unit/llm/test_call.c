/* SPDX-License-Identifier: MIT */
/* The blocking calls against every vice of the scripted upstream. */
#include "../upstream/peer.h"

static struct lb_host host;
static struct mock_thread *mock;
static struct li_call *call;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    mock = mock_start(&(struct mock_options){0});
    call = test_call(
        &host, (struct lu_timeouts){.connect_ms = 2000, .first_byte_ms = 400, .idle_ms = 400});
    return mock == NULL;
}

static int teardown(void **state)
{
    (void)state;
    li_call_free(call);
    mock_stop(mock);
    return 0;
}

static llmgr_status chat(const char *model, struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct test_url url = test_url(mock, "/v1");
    struct li_peer peer = test_peer(&url, model);
    struct llmgr_request request = test_request();

    return li_call_chat(call, &peer, &request, answer, err);
}

struct seen {
    unsigned chunks;
    unsigned stop_after; /* 0: never */
    bool usage;
};

static int count_chunk(const struct llmgr_chunk *chunk, void *context)
{
    struct seen *seen = context;

    seen->chunks++;
    seen->usage |= chunk->usage != NULL;
    return seen->stop_after != 0 && seen->chunks >= seen->stop_after;
}

static llmgr_status stream(const char *model, struct seen *seen, struct llmgr_answer *answer,
                           struct llmgr_error *err)
{
    struct test_url url = test_url(mock, "/v1");
    struct li_peer peer = test_peer(&url, model);
    struct llmgr_request request = test_request();

    return li_call_stream(call, &peer, &request, count_chunk, seen, answer, err);
}

#define HELLO "Hello from mockllm! You said: hi"

static void a_whole_answer_is_read(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    assert_int_equal(chat("m", &answer, &err), LLMGR_OK);
    assert_string_equal(answer.content, HELLO);
    assert_string_equal(answer.finish_reason, "stop");
    assert_string_equal(answer.id, "chatcmpl-mock-0001");
    assert_int_equal(answer.usage.cached_tokens, 2);
    assert_true(answer.usage.prompt_tokens > 0);
    assert_non_null(strstr(answer.json, "\"logprobs\":null"));
    ld_answer_clear(&answer);

    assert_int_equal(chat("mock-tools", &answer, &err), LLMGR_OK);
    assert_null(answer.content);
    assert_int_equal(answer.tool_call_count, 2);
    assert_string_equal(answer.tool_calls[0].arguments, "{\"city\":\"Paris\"}");
    ld_answer_clear(&answer);

    assert_int_equal(chat("mock-reasoning+no-usage", &answer, &err), LLMGR_OK);
    assert_string_equal(answer.reasoning_content, "The user said something.");
    assert_int_equal(answer.usage.total_tokens, -1);
    ld_answer_clear(&answer);
}

static void streams_of_any_framing_sum_up_to_the_same(void **state)
{
    (void)state;
    static const char *const MODELS[] = {
        "m",           "mock-crlf",  "mock-cr+comments",    "mock-close",        "mock-split-3",
        "mock-slow-1", "mock-1xx-5", "mock-cr+split-1",     "mock-crlf+split-7", "mock-no-done",
        "mock-hang",   "mock-plain", "mock-plain+comments", "mock-whole"};

    for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++) {
        struct llmgr_answer answer = {0};
        struct llmgr_error err = {0};
        struct seen seen = {0};
        llmgr_status status = stream(MODELS[i], &seen, &answer, &err);
        if (status != LLMGR_OK)
            fail_msg("%s: %s", MODELS[i], err.message);
        assert_string_equal(answer.content, HELLO);
        assert_string_equal(answer.finish_reason, "stop");
        assert_true(seen.usage);
        assert_true(answer.usage.total_tokens > 0);
        assert_null(answer.json);
        ld_answer_clear(&answer);
    }
}

static void a_stream_carries_reasoning_and_tool_calls(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};
    struct seen seen = {0};

    assert_int_equal(stream("mock-reasoning+tools", &seen, &answer, &err), LLMGR_OK);
    assert_string_equal(answer.reasoning_content, "The user said something.");
    assert_int_equal(answer.tool_call_count, 2);
    assert_string_equal(answer.tool_calls[0].id, "call_mock_1");
    assert_string_equal(answer.tool_calls[0].name, "get_weather");
    assert_string_equal(answer.tool_calls[0].arguments, "{\"city\":\"Paris\"}");
    assert_string_equal(answer.tool_calls[1].name, "get_time");
    assert_string_equal(answer.finish_reason, "tool_calls");
    ld_answer_clear(&answer);
}

static void a_line_of_a_megabyte_is_one_chunk(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};
    struct seen seen = {0};

    assert_int_equal(stream("mock-bigline", &seen, &answer, &err), LLMGR_OK);
    assert_int_equal(strlen(answer.content), 1048576);
    ld_answer_clear(&answer);
}

/* Every vice has its own status and says where it happened. */
static const struct vice {
    const char *model;
    llmgr_status whole, streamed;
    int upstream_status;
    const char *says;
} VICES[] = {
    {"mock-401", LLMGR_ERR_KEY_REFUSED, LLMGR_ERR_KEY_REFUSED, 401, "Mock"},
    {"mock-403", LLMGR_ERR_KEY_REFUSED, LLMGR_ERR_KEY_REFUSED, 403, "may not"},
    {"mock-404", LLMGR_ERR_UPSTREAM, LLMGR_ERR_UPSTREAM, 404, "mock-404"},
    {"mock-408", LLMGR_ERR_TIMEOUT, LLMGR_ERR_TIMEOUT, 408, "408"},
    {"mock-429", LLMGR_ERR_RATE_LIMITED, LLMGR_ERR_RATE_LIMITED, 429, "too many"},
    {"mock-500", LLMGR_ERR_UPSTREAM, LLMGR_ERR_UPSTREAM, 500, "internal error"},
    {"mock-502+html", LLMGR_ERR_UPSTREAM, LLMGR_ERR_UPSTREAM, 502, "502 mock gateway"},
    {"mock-503+plain", LLMGR_ERR_UPSTREAM, LLMGR_ERR_UPSTREAM, 503, "internal"},
    {"mock-400+detail", LLMGR_ERR_UPSTREAM, LLMGR_ERR_UPSTREAM, 400, "the request is wrong"},
    {"mock-504", LLMGR_ERR_TIMEOUT, LLMGR_ERR_TIMEOUT, 504, "504"},
    {"mock-redirect", LLMGR_ERR_UPSTREAM, LLMGR_ERR_UPSTREAM, 302, "redirect"},
    {"mock-drop", LLMGR_ERR_CUT, LLMGR_ERR_CUT, 0, "without an answer"},
    {"mock-cut-30", LLMGR_ERR_CUT, LLMGR_ERR_CUT, 0, "middle"},
    {"mock-lie-length", LLMGR_ERR_CUT, LLMGR_OK, 0, "middle"},
    {"mock-silent", LLMGR_ERR_TIMEOUT, LLMGR_ERR_TIMEOUT, 0, "did not begin"},
    {"mock-stall", LLMGR_ERR_TIMEOUT, LLMGR_ERR_TIMEOUT, 0, "stopped in the middle"},
    {"mock-not-http", LLMGR_ERR_PROTOCOL, LLMGR_ERR_PROTOCOL, 0, "correct HTTP"},
    {"mock-headerflood", LLMGR_ERR_PROTOCOL, LLMGR_ERR_PROTOCOL, 0, "too"},
    {"mock-1xx-40", LLMGR_ERR_PROTOCOL, LLMGR_ERR_PROTOCOL, 0, "interim"},
    {"mock-badjson", LLMGR_ERR_PROTOCOL, LLMGR_ERR_PROTOCOL, 0, "JSON"},
    {"mock-empty", LLMGR_ERR_PROTOCOL, LLMGR_ERR_PROTOCOL, 0, "JSON"},
    {"mock-gzip", LLMGR_ERR_PROTOCOL, LLMGR_ERR_PROTOCOL, 0, "compress"},
    {"mock-error-200", LLMGR_ERR_RATE_LIMITED, LLMGR_ERR_RATE_LIMITED, 429, "with status 200"},
    {"mock-error-event", LLMGR_OK, LLMGR_ERR_UPSTREAM, 0, "mock error in the middle"},
    {"mock-no-finish", LLMGR_OK, LLMGR_ERR_CUT, 0, "finish reason"},
    {"mock-endless-line", LLMGR_ERR_PROTOCOL, LLMGR_ERR_PROTOCOL, 0, "larger"},
};

static void check_vice(const struct vice *vice, llmgr_status wanted, llmgr_status status,
                       const struct llmgr_error *err)
{
    if (status != wanted)
        fail_msg("%s: %s instead of %s: %s", vice->model, llmgr_status_name(status),
                 llmgr_status_name(wanted), err->message);
    if (status == LLMGR_OK)
        return;
    assert_int_equal(err->status, status);
    assert_int_equal(err->upstream_status, vice->upstream_status);
    if (strstr(err->message, vice->says) == NULL)
        fail_msg("%s: says \"%s\"", vice->model, err->message);
    if (strstr(err->message, "sk-test-") != NULL)
        fail_msg("%s: quotes the key: %s", vice->model, err->message);
}

static void every_vice_of_a_whole_answer_has_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VICES / sizeof VICES[0]; i++) {
        struct llmgr_answer answer = {0};
        struct llmgr_error err = {0};
        llmgr_status status = chat(VICES[i].model, &answer, &err);
        check_vice(&VICES[i], VICES[i].whole, status, &err);
        if (status == LLMGR_OK)
            ld_answer_clear(&answer);
        else
            assert_null(answer.memory);
    }
}

static void every_vice_of_a_stream_has_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VICES / sizeof VICES[0]; i++) {
        struct llmgr_answer answer = {0};
        struct llmgr_error err = {0};
        struct seen seen = {0};
        llmgr_status status = stream(VICES[i].model, &seen, &answer, &err);
        check_vice(&VICES[i], VICES[i].streamed, status, &err);
        ld_answer_clear(&answer);
    }
}

static void retry_after_is_told(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    assert_int_equal(chat("mock-429", &answer, &err), LLMGR_ERR_RATE_LIMITED);
    assert_int_equal(err.retry_after_ms, 7000);
    assert_int_equal(chat("mock-500", &answer, &err), LLMGR_ERR_UPSTREAM);
    assert_int_equal(err.retry_after_ms, -1);
}

static void a_key_that_the_upstream_quotes_is_masked(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    assert_int_equal(chat("mock-401", &answer, &err), LLMGR_ERR_KEY_REFUSED);
    assert_non_null(strstr(err.message, "Incorrect API key provided: ****"));
    assert_null(strstr(err.message, "0123456789"));
}

static void a_cut_stream_keeps_what_came(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};
    struct seen seen = {0};

    assert_int_equal(stream("mock-chunks-50+cut-3000", &seen, &answer, &err), LLMGR_ERR_CUT);
    assert_true(seen.chunks > 3);
    assert_memory_equal(answer.content, "token ", 6);
    ld_answer_clear(&answer);
}

static void a_callback_that_returns_nonzero_ends_the_stream(void **state)
{
    (void)state;
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};
    struct seen seen = {.stop_after = 3};

    assert_int_equal(stream("mock-flood", &seen, &answer, &err), LLMGR_ERR_CANCELLED);
    assert_int_equal(seen.chunks, 3);
    assert_string_equal(answer.content, "flood flood flood ");
    ld_answer_clear(&answer);
}

static void note(void *context)
{
    (*(int *)context)++;
}

static llmgr_status noting_key(void *context, struct lv_secret *key, struct llmgr_error *err)
{
    return test_open_key(context, key, err);
}

static void no_stream_options_is_learnt_by_one_more_try(void **state)
{
    (void)state;
    struct test_url url = test_url(mock, "/v1");
    struct li_peer peer = test_peer(&url, "mock-no-stream-options");
    struct llmgr_request request = test_request();
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};
    struct seen seen = {0};
    int learnt = 0;
    unsigned before = atomic_load(&mock_thread_counts(mock)->requests);

    peer.open_key = noting_key;
    peer.learn_no_stream_options = note;
    peer.context = &learnt;
    assert_int_equal(li_call_stream(call, &peer, &request, count_chunk, &seen, &answer, &err),
                     LLMGR_OK);
    assert_int_equal(learnt, 1);
    assert_int_equal(err.status, LLMGR_OK); /* untouched on success */
    assert_string_equal(answer.content, HELLO);
    assert_int_equal(answer.usage.total_tokens, -1);
    ld_answer_clear(&answer);
    assert_int_equal(atomic_load(&mock_thread_counts(mock)->requests) - before, 2);
    /* Who writes of it himself may be quoted; what fails without it as well was something else. */
    static const char *const own[] = {"{\"user\":\"stream_options\"}", "{\"stream_options\":{}}"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        request.extra_json = own[i];
        assert_int_equal(li_call_stream(call, &peer, &request, count_chunk, &seen, NULL, &err),
                         LLMGR_OK);
        assert_int_equal(learnt, 1);
    }
    request.extra_json = NULL;
    peer.model_name = LB_STR("mock-no-stream-options-1");
    assert_int_equal(li_call_stream(call, &peer, &request, count_chunk, &seen, NULL, &err),
                     LLMGR_ERR_UPSTREAM);
    assert_int_equal(learnt, 1);
    err.status = LLMGR_OK;
    peer.model_name = LB_STR("mock-no-stream-options");
    before = atomic_load(&mock_thread_counts(mock)->requests) - 2;
    peer.no_stream_options = true;
    assert_int_equal(li_call_stream(call, &peer, &request, count_chunk, &seen, NULL, &err),
                     LLMGR_OK);
    assert_int_equal(learnt, 1);
    assert_int_equal(atomic_load(&mock_thread_counts(mock)->requests) - before, 3);
}

static void the_request_is_what_was_asked_and_extra_body_wins(void **state)
{
    (void)state;
    struct test_url url = test_url(mock, "/v1/");
    struct li_peer peer = test_peer(&url, "mock-echo");
    struct llmgr_request request = test_request();
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    request.temperature = 0.7;
    request.max_tokens = 5;
    request.extra_json = "{\"top_p\": 0.1, \"seed\": 1}";
    peer.extra_body = LB_STR("{\"seed\": 2, \"stream\": true, \"thinking\": {\"type\": \"off\"}}");
    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_OK);
    assert_string_equal(answer.content,
                        "{\"model\":\"mock-echo\",\"messages\":[{\"role\":\"user\",\"content\":"
                        "\"hi\"}],\"temperature\":0.7,\"max_tokens\":5,\"top_p\":0.1,\"seed\":2,"
                        "\"thinking\":{\"type\":\"off\"}}");
    ld_answer_clear(&answer);
    char *requests = mock_thread_requests(mock);
    assert_non_null(strstr(requests, "\"path\":\"/v1/chat/completions\""));
    assert_non_null(strstr(requests, "\"authorization\":\"Bearer " TEST_KEY "\""));
    free(requests);
}

static void connections_serve_one_call_after_the_other(void **state)
{
    (void)state;
    struct li_call *own = test_call(&host, (struct lu_timeouts){0});
    struct test_url url = test_url(mock, "/v1");
    struct li_peer peer = test_peer(&url, "m");
    struct llmgr_request request = test_request();
    unsigned before = atomic_load(&mock_thread_counts(mock)->accepted);

    for (int i = 0; i < 20; i++) {
        struct llmgr_answer answer = {0};
        if (i % 2 == 0)
            assert_int_equal(li_call_chat(own, &peer, &request, &answer, NULL), LLMGR_OK);
        else
            assert_int_equal(li_call_stream(own, &peer, &request, NULL, NULL, &answer, NULL),
                             LLMGR_OK);
        ld_answer_clear(&answer);
    }
    assert_int_equal(atomic_load(&mock_thread_counts(mock)->accepted) - before, 1);
    assert_int_equal(lu_pool_reused(li_call_pool(own)), 19);
    li_call_free(own);
}

static void nobody_there_is_unreachable(void **state)
{
    (void)state;
    struct test_url url = {"http://127.0.0.1:1/v1"};
    struct li_peer peer = test_peer(&url, "m");
    struct llmgr_request request = test_request();
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_ERR_UNREACHABLE);
    peer.base_url = LB_STR("ftp://x/");
    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_ERR_INVALID);
    peer.klass = LN_CLASS_PRIVATE;
    struct test_url here = test_url(mock, "/v1");
    peer.base_url = lb_cstr(here.text);
    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_ERR_ADDRESS);
    peer.klass = LN_CLASS_SYSTEM;
    char https[140];
    snprintf(https, sizeof https, "https%s", here.text + 4);
    peer.base_url = lb_cstr(https);
    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_ERR_TLS);
}

static void an_invalid_request_is_never_sent(void **state)
{
    (void)state;
    struct test_url url = test_url(mock, "/v1");
    struct li_peer peer = test_peer(&url, "m");
    struct llmgr_request request = test_request();
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};
    unsigned before = atomic_load(&mock_thread_counts(mock)->requests);

    request.extra_json = "[1]";
    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_ERR_INVALID);
    request.extra_json = "{";
    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_ERR_INVALID);
    request.extra_json = NULL;
    request.tools_json = "{}";
    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_ERR_INVALID);
    request.tools_json = NULL;
    request.message_count = 0;
    assert_int_equal(li_call_chat(call, &peer, &request, &answer, &err), LLMGR_ERR_INVALID);
    assert_int_equal(atomic_load(&mock_thread_counts(mock)->requests), before);
}

/* ---- Probe ----------------------------------------------------------------------------------- */

static llmgr_status probe(const struct mock_options *options, const char *path, bool show,
                          size_t *count, struct llmgr_error *err)
{
    struct mock_thread *other = mock_start(options);
    struct test_url url = test_url(other, path);
    struct li_peer peer = test_peer(&url, "");
    struct llmgr_probe found = {0};

    llmgr_status status = li_call_models(call, &peer, 3000, show, &found, err);
    *count = found.count;
    ld_probe_clear(&found);
    mock_stop(other);
    return status;
}

static void a_probe_tells_each_failure_apart(void **state)
{
    (void)state;
    struct llmgr_error err = {0};
    size_t count = 0;

    assert_int_equal(probe(&(struct mock_options){.models = "a,b,c"}, "/v1", true, &count, &err),
                     LLMGR_OK);
    assert_int_equal(count, 3);
    assert_int_equal(probe(&(struct mock_options){.models = "a"}, "/v1/models", true, &count, &err),
                     LLMGR_OK);
    assert_int_equal(
        probe(&(struct mock_options){.require_key = "other"}, "/v1", true, &count, &err),
        LLMGR_ERR_KEY_REFUSED);
    assert_int_equal(err.upstream_status, 401);
    assert_int_equal(
        probe(&(struct mock_options){.models_mode = "nolist"}, "/v1", true, &count, &err),
        LLMGR_ERR_NO_LIST);
    assert_int_equal(
        probe(&(struct mock_options){.models_mode = "html"}, "/v1", true, &count, &err),
        LLMGR_ERR_NO_LIST);
    assert_int_equal(probe(&(struct mock_options){.models_mode = "500"}, "/v1", true, &count, &err),
                     LLMGR_ERR_UPSTREAM);
    assert_non_null(strstr(err.message, "mock: internal error"));
    assert_int_equal(
        probe(&(struct mock_options){.models_mode = "500"}, "/v1", false, &count, &err),
        LLMGR_ERR_UPSTREAM);
    assert_null(strstr(err.message, "mock: internal error"));
    assert_int_equal(err.upstream_status, 500);
}

static int call_again(const struct llmgr_chunk *chunk, void *context)
{
    struct llmgr_error err = {0};
    struct seen seen = {0};

    (void)chunk;
    (*(int *)context)++;
    assert_int_equal(stream("m", &seen, NULL, &err), LLMGR_ERR_INVALID);
    return 0;
}

static void a_second_call_at_the_same_time_is_refused(void **state)
{
    (void)state;
    struct test_url url = test_url(mock, "/v1");
    struct li_peer peer = test_peer(&url, "m");
    struct llmgr_request request = test_request();
    int called = 0;

    assert_int_equal(li_call_stream(call, &peer, &request, call_again, &called, NULL, NULL),
                     LLMGR_OK);
    assert_true(called > 0);
}

static void a_probe_finds_the_list_below_v1(void **state)
{
    (void)state;
    struct llmgr_error err = {0};
    size_t count = 0;

    assert_int_equal(
        probe(&(struct mock_options){.models_mode = "v1only"}, "/api/", true, &count, &err),
        LLMGR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(err.status, LLMGR_OK); /* the 404 on the way is none */
    assert_int_equal(err.upstream_status, 0);
}

static void a_probe_tries_v1_once_after_a_404(void **state)
{
    (void)state;
    struct llmgr_error err = {0};
    struct mock_thread *other = mock_start(&(struct mock_options){.models_mode = "404"});
    struct test_url url = test_url(other, "/api");
    struct li_peer peer = test_peer(&url, "");
    struct llmgr_probe found = {0};

    assert_int_equal(li_call_models(call, &peer, 3000, true, &found, &err), LLMGR_ERR_UPSTREAM);
    assert_int_equal(err.upstream_status, 404);
    char *requests = mock_thread_requests(other);
    assert_non_null(strstr(requests, "\"path\":\"/api/models\""));
    assert_non_null(strstr(requests, "\"path\":\"/api/v1/models\""));
    free(requests);
    assert_int_equal(atomic_load(&mock_thread_counts(other)->requests), 2);
    mock_stop(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer_is_read),
        cmocka_unit_test(streams_of_any_framing_sum_up_to_the_same),
        cmocka_unit_test(a_stream_carries_reasoning_and_tool_calls),
        cmocka_unit_test(a_line_of_a_megabyte_is_one_chunk),
        cmocka_unit_test(every_vice_of_a_whole_answer_has_its_status),
        cmocka_unit_test(every_vice_of_a_stream_has_its_status),
        cmocka_unit_test(retry_after_is_told),
        cmocka_unit_test(a_key_that_the_upstream_quotes_is_masked),
        cmocka_unit_test(a_cut_stream_keeps_what_came),
        cmocka_unit_test(a_callback_that_returns_nonzero_ends_the_stream),
        cmocka_unit_test(no_stream_options_is_learnt_by_one_more_try),
        cmocka_unit_test(the_request_is_what_was_asked_and_extra_body_wins),
        cmocka_unit_test(connections_serve_one_call_after_the_other),
        cmocka_unit_test(nobody_there_is_unreachable),
        cmocka_unit_test(an_invalid_request_is_never_sent),
        cmocka_unit_test(a_second_call_at_the_same_time_is_refused),
        cmocka_unit_test(a_probe_tells_each_failure_apart),
        cmocka_unit_test(a_probe_finds_the_list_below_v1),
        cmocka_unit_test(a_probe_tries_v1_once_after_a_404),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
