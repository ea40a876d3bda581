/* SPDX-License-Identifier: MIT */
#include "dialect/chat.h"

#include <math.h>

#include "../unit.h"

static struct lb_host host;

static const struct llmgr_message HI = {.role = "user", .content = "hi"};

static struct llmgr_request request_of(const struct llmgr_message *messages, size_t count)
{
    return (struct llmgr_request){.size = sizeof(struct llmgr_request),
                                  .messages = messages,
                                  .message_count = count,
                                  .temperature = -1,
                                  .max_tokens = LLMGR_UNSET};
}

static void builds(const struct llmgr_request *request, const struct ld_chat_options *options,
                   const char *wanted)
{
    struct llmgr_error err = {0};
    struct lb_buf out;

    lb_buf_init(&out, &host, 1 << 16);
    llmgr_status status = ld_chat_build(request, options, &out, &err);
    if (status != LLMGR_OK)
        fail_msg("%s", err.message);
    assert_string_equal(lb_buf_c(&out), wanted);
    lb_buf_free(&out);
}

static void a_request_holds_what_was_asked_and_no_more(void **state)
{
    (void)state;
    const struct llmgr_message messages[] = {
        {.role = "system", .content = "be \"kind\"\n"},
        {.role = "assistant", .extra_json = "{\"tool_calls\":[{\"id\":\"c\"}],\"role\":\"evil\"}"},
        {.role = "tool", .content = "\xe4\xbd\xa0", .extra_json = "{\"tool_call_id\":\"c\"}"},
        {.role = "user", .extra_json = "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}"},
    };
    struct llmgr_request request = request_of(messages, 4);
    struct ld_chat_options options = {.model_name = LB_STR("m")};

    request.tools_json = "[{\"type\":\"function\"}]";
    builds(&request, &options,
           "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"be \\\"kind\\\"\\n\"}"
           ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\"}]},{\"role\":"
           "\"tool\",\"content\":\"\xe4\xbd\xa0\",\"tool_call_id\":\"c\"},{\"role\":\"user\","
           "\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}],\"tools\":[{\"type\":\"function\"}]"
           "}");
}

static void the_models_members_win(void **state)
{
    (void)state;
    struct llmgr_request request = request_of(&HI, 1);
    struct ld_chat_options options = {
        .model_name = LB_STR("m"),
        .extra_body = LB_STR("{\"temperature\":0.2,\"x\":{\"y\":2},\"model\":\"evil\",\"messages\":"
                             "[],\"stream\":false,\"stream_options\":{\"other\":1}}"),
        .stream = true,
        .include_usage = true,
    };

    request.temperature = 1;
    request.extra_json = "{\"x\":{\"y\":1,\"z\":1},\"n\":1}";
    builds(&request, &options,
           "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true,"
           "\"temperature\":0.2,\"x\":{\"y\":2},\"n\":1,\"stream_options\":{\"other\":1,"
           "\"include_usage\":true}}");
    options.include_usage = false;
    options.extra_body = LB_STR("");
    request.extra_json = "{\"stream_options\":{\"include_usage\":true}}";
    builds(&request, &options,
           "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true,"
           "\"temperature\":1.0}");
}

static void a_wrong_request_is_named(void **state)
{
    (void)state;
    struct llmgr_message no_role = {.content = "x"}, bad_utf8 = {.role = "user", .content = "\xff"};
    const struct {
        const char *extra, *tools, *model, *says;
        const struct llmgr_message *message;
        double temperature;
        int64_t max_tokens;
    } rows[] = {
        {"[]", NULL, "m", "extra_json", &HI, -1, -1},
        {NULL, "{}", "m", "tools_json", &HI, -1, -1},
        {NULL, "[", "m", "tools_json", &HI, -1, -1},
        {NULL, NULL, "", "model", &HI, -1, -1},
        {NULL, NULL, "m", "no role", &no_role, -1, -1},
        {NULL, NULL, "m", "UTF-8", &bad_utf8, -1, -1},
        {NULL, NULL, "m", "temperature", &HI, (double)NAN, -1},
        {NULL, NULL, "m", "max_tokens", &HI, -1, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct llmgr_request request = request_of(rows[i].message, 1);
        struct ld_chat_options options = {.model_name = lb_cstr(rows[i].model)};
        struct llmgr_error err = {0};
        struct lb_buf out;
        request.extra_json = rows[i].extra;
        request.tools_json = rows[i].tools;
        request.temperature = rows[i].temperature;
        request.max_tokens = rows[i].max_tokens;
        lb_buf_init(&out, &host, 4096);
        assert_int_equal(ld_chat_build(&request, &options, &out, &err), LLMGR_ERR_INVALID);
        assert_non_null(strstr(err.message, rows[i].says));
        assert_int_equal(out.size, 0);
        lb_buf_free(&out);
    }
}

static struct llmgr_answer reads(const char *body)
{
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    if (ld_chat_read(&host, lb_cstr(body), &answer, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    return answer;
}

static void an_answer_is_read_tolerantly(void **state)
{
    (void)state;
    struct llmgr_answer a = reads("{\"choices\":[{\"message\":{\"content\":null}}]}");
    assert_null(a.content);
    assert_null(a.finish_reason);
    assert_null(a.id);
    assert_int_equal(a.usage.prompt_tokens, -1);
    ld_answer_clear(&a);

    a = reads("{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},\"b\","
              "{\"type\":\"image\"},7]},\"finish_reason\":null}],\"usage\":null}");
    assert_string_equal(a.content, "ab");
    ld_answer_clear(&a);

    a = reads("{\"choices\":[{\"message\":{\"content\":\"\",\"reasoning\":\"r\",\"tool_calls\":"
              "null}}],\"error\":null}");
    assert_string_equal(a.content, "");
    assert_string_equal(a.reasoning_content, "r");
    ld_answer_clear(&a);

    a = reads(
        "{\"choices\":[{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\"}},{}]}}]}");
    assert_int_equal(a.tool_call_count, 2);
    assert_int_equal(a.tool_calls[1].index, 1);
    assert_string_equal(a.tool_calls[0].name, "f");
    assert_null(a.tool_calls[0].arguments);
    ld_answer_clear(&a);

    a = reads("{\"choices\":[{}]}");
    assert_null(a.content);
    ld_answer_clear(&a);
}

static void unknown_usage_is_never_zero(void **state)
{
    (void)state;
    struct llmgr_answer a = reads(
        "{\"choices\":[{}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":\"7\","
        "\"total_tokens\":1.5,\"prompt_cache_hit_tokens\":4,\"completion_tokens_details\":null}}");

    assert_int_equal(a.usage.prompt_tokens, 10);
    assert_int_equal(a.usage.completion_tokens, -1);
    assert_int_equal(a.usage.total_tokens, -1);
    assert_int_equal(a.usage.cached_tokens, 4);
    assert_int_equal(a.usage.reasoning_tokens, -1);
    ld_answer_clear(&a);
    a = reads("{\"choices\":[{}],\"usage\":{\"prompt_tokens\":-3,\"total_tokens\":-1,"
              "\"prompt_tokens_details\":{\"cached_tokens\":5},\"prompt_cache_hit_tokens\":4,"
              "\"completion_tokens_details\":{\"reasoning_tokens\":2,\"cached_tokens\":1}}}");
    assert_int_equal(a.usage.prompt_tokens, -1);
    assert_int_equal(a.usage.total_tokens, -1);
    assert_int_equal(a.usage.cached_tokens, 5);
    assert_int_equal(a.usage.reasoning_tokens, 2);
    ld_answer_clear(&a);
}

static void what_is_no_answer_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        llmgr_status status;
    } ROWS[] = {
        {"", LLMGR_ERR_PROTOCOL},
        {"<html>", LLMGR_ERR_PROTOCOL},
        {"[]", LLMGR_ERR_PROTOCOL},
        {"{}", LLMGR_ERR_PROTOCOL},
        {"{\"choices\":[]}", LLMGR_ERR_PROTOCOL},
        {"{\"choices\":null}", LLMGR_ERR_PROTOCOL},
        {"{\"choices\":[1]}", LLMGR_ERR_PROTOCOL},
        {"{\"error\":\"x\"}", LLMGR_ERR_UPSTREAM},
        {"{\"error\":{\"code\":401,\"message\":\"k\"}}", LLMGR_ERR_KEY_REFUSED},
        {"{\"error\":{\"code\":\"rate_limit_exceeded\"}}", LLMGR_ERR_RATE_LIMITED},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct llmgr_answer answer = {0};
        struct llmgr_error err = {0};
        assert_int_equal(ld_chat_read(&host, lb_cstr(ROWS[i].body), &answer, &err), ROWS[i].status);
        assert_int_equal(err.status, ROWS[i].status);
        assert_null(answer.memory);
        assert_int_equal(ld_chat_read(&host, lb_cstr(ROWS[i].body), &answer, NULL), ROWS[i].status);
    }
}

static void a_request_that_was_not_made_as_told_is_refused(void **state)
{
    (void)state;
    const struct llmgr_message empty_role = {.role = "", .content = "x"};
    const struct llmgr_message bad_extra = {.role = "user", .extra_json = "{\"a\":"};
    struct ld_chat_options options = {.model_name = LB_STR("m")};
    struct llmgr_request requests[] = {request_of(&HI, 1), request_of(&HI, 0), request_of(NULL, 1),
                                       request_of(&empty_role, 1), request_of(&bad_extra, 1)};
    static const char *const SAYS[] = {"llmgr_request_init", "no messages", "no messages",
                                       "message 1 has no role", "extra_json of message 1"};

    requests[0].size = sizeof(struct llmgr_request) - 1;
    for (size_t i = 0; i < 5; i++) {
        struct llmgr_error err = {0};
        struct lb_buf out;
        lb_buf_init(&out, &host, 4096);
        assert_int_equal(ld_chat_build(&requests[i], &options, &out, &err), LLMGR_ERR_INVALID);
        assert_non_null(strstr(err.message, SAYS[i]));
        lb_buf_free(&out);
    }
    options.model_name = LB_STR("\xff");
    struct llmgr_request request = request_of(&HI, 1);
    struct lb_buf out;
    lb_buf_init(&out, &host, 4096);
    assert_int_equal(ld_chat_build(&request, &options, &out, NULL), LLMGR_ERR_INVALID);
    lb_buf_free(&out);
}

static void an_error_is_told_by_its_code_wherever_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        llmgr_status status;
        int code;
    } ROWS[] = {
        {"{\"error\":{\"code\":399}}", LLMGR_ERR_UPSTREAM, 0},
        {"{\"error\":{\"code\":600}}", LLMGR_ERR_UPSTREAM, 0},
        {"{\"error\":{\"status\":429}}", LLMGR_ERR_RATE_LIMITED, 429},
        {"{\"error\":{\"code\":504}}", LLMGR_ERR_TIMEOUT, 504},
        {"{\"error\":{}}", LLMGR_ERR_PROTOCOL, 0}, /* an empty one says nothing */
        {"{\"error\":{\"message\":\"\",\"code\":0,\"more\":[null,0]},\"choices\":[{\"message\":{}}"
         "]}",
         LLMGR_OK, 0},
        {"{\"error\":0,\"choices\":[{\"message\":{}}]}", LLMGR_OK, 0},
        {"{\"error\":\"\",\"choices\":[{\"message\":{}}]}", LLMGR_OK, 0},
        {"{\"error\":{\"details\":[{}]},\"choices\":[{\"message\":{}}]}", LLMGR_ERR_UPSTREAM, 0},
        {"{\"error\":{\"details\":[\"x\"]},\"choices\":[{\"message\":{}}]}", LLMGR_ERR_UPSTREAM, 0},
        {"{\"choices\":[{\"error\":{\"code\":429}}]}", LLMGR_ERR_RATE_LIMITED, 429},
        {"{\"code\":401,\"msg\":\"m\"}", LLMGR_ERR_KEY_REFUSED, 401},
        {"{\"message\":\"m\",\"choices\":null}", LLMGR_ERR_UPSTREAM, 0},
        {"{\"message\":\"\",\"choices\":[]}", LLMGR_ERR_PROTOCOL, 0},
        {"{\"code\":0,\"message\":\"Success\",\"choices\":[{\"message\":{}}]}", LLMGR_OK, 0},
        {"{\"code\":7,\"message\":\"m\",\"choices\":[{\"message\":{}}]}", LLMGR_OK, 0},
        {"{\"code\":200,\"msg\":\"m\"}", LLMGR_ERR_PROTOCOL, 0},
        {"{\"success\":false}", LLMGR_ERR_UPSTREAM, 0},
        {"{\"error_code\":110,\"error_msg\":\"m\"}", LLMGR_ERR_UPSTREAM, 0},
        {"{\"choices\":[{\"message\":{}}],\"base_resp\":{\"status_code\":0,\"status_msg\":\"\"}}",
         LLMGR_OK, 0},
        {"{\"choices\":[{\"message\":{}}],\"base_resp\":{\"status_code\":1004}}",
         LLMGR_ERR_UPSTREAM, 0},
        {"[{\"error\":{\"code\":429}}]", LLMGR_ERR_RATE_LIMITED, 429},
        {"[{\"error\":{}}]", LLMGR_ERR_PROTOCOL, 0},
        {"{\"success\":false,\"errors\":[{\"message\":\"m\"}]}", LLMGR_ERR_UPSTREAM, 0},
        {"{\"object\":\"error\",\"message\":\"m\",\"code\":401}", LLMGR_ERR_KEY_REFUSED, 401},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct llmgr_answer answer = {0};
        struct llmgr_error err = {0};
        assert_int_equal(ld_chat_read(&host, lb_cstr(ROWS[i].body), &answer, &err), ROWS[i].status);
        assert_int_equal(err.upstream_status, ROWS[i].code);
        ld_answer_clear(&answer);
    }
}

/* A body of `size` bytes: tool calls without end, or a text. */
static llmgr_status read_large(size_t size, const char *begin, const char *piece)
{
    struct llmgr_answer answer;
    struct llmgr_error err = {0};
    struct lb_buf body;

    lb_buf_init(&body, &host, size + 4096);
    lb_buf_add_c(&body, begin);
    while (body.size < size)
        lb_buf_add_c(&body, piece);
    lb_buf_add_c(&body, "null]}}]}");
    assert_int_equal(body.failed, LLMGR_OK);
    llmgr_status status = ld_chat_read(&host, lb_buf_str(&body), &answer, &err);
    if (status == LLMGR_OK)
        ld_answer_clear(&answer);
    lb_buf_free(&body);
    return status;
}

static void an_answer_has_a_ceiling(void **state)
{
    (void)state;
    static const char CALLS[] = "{\"choices\":[{\"message\":{\"tool_calls\":[";

    assert_int_equal(read_large(5 * (LD_TOOL_CALLS_MAX - 2), CALLS, "null,"), LLMGR_OK);
    assert_int_equal(read_large(8 * LD_TOOL_CALLS_MAX, CALLS, "null,"), LLMGR_ERR_PROTOCOL);
    assert_int_equal(read_large((size_t)LD_ANSWER_MAX + 1, CALLS, "                         "),
                     LLMGR_ERR_PROTOCOL);
}

int main(void)
{
    lb_host_init(&host);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_holds_what_was_asked_and_no_more),
        cmocka_unit_test(the_models_members_win),
        cmocka_unit_test(a_wrong_request_is_named),
        cmocka_unit_test(an_answer_is_read_tolerantly),
        cmocka_unit_test(unknown_usage_is_never_zero),
        cmocka_unit_test(what_is_no_answer_is_an_error),
        cmocka_unit_test(a_request_that_was_not_made_as_told_is_refused),
        cmocka_unit_test(an_error_is_told_by_its_code_wherever_it_stands),
        cmocka_unit_test(an_answer_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
