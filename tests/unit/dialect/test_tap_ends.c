/* SPDX-License-Identifier: MIT */
/* What ends an answer, what fails it and what counts its tokens: the meaning, not the presence. */
#include "tap_relay.h"

static const struct expected ANSWERS[] = {
    /* An empty reason, as some servers put it into each chunk, and an empty error are none. */
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, false, true, false, 1, 1,
     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"\"}],\"error\":{"
     "\"message\":\"\",\"code\":null}}\n\n",
     NULL},
    {LD_ENDPOINT_MESSAGES, true, NO_USAGE, false, false, false, false, false, false, 1, 0,
     "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"\"}}\n\n", NULL},
    {LD_ENDPOINT_MESSAGES,
     true,
     {-1, 7, -1, -1, -1},
     true,
     true,
     false,
     false,
     false,
     true,
     1,
     0,
     "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
     "\"output_tokens\":7}}\n\n",
     NULL},
    /* An error is one where it says something, whatever comes behind it. */
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, true, true, true, false, true, 3, 0,
     "data: {\"error\":{\"code\":500}}\n\n" STOP DONE, NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, true, false, true, false, true, 1, 0,
     "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, true, false, false, 1, 0,
     "data: {\"object\":\"error\",\"message\":\"no\"}\n\n", NULL},
    {LD_ENDPOINT_RESPONSES,
     true,
     {5, 2, -1, -1, -1},
     true,
     true,
     true,
     false,
     false,
     true,
     1,
     0,
     "data: {\"type\":\"response.done\",\"response\":{\"status\":\"completed\",\"usage\":{"
     "\"input_tokens\":5,\"output_tokens\":2}}}\n\n",
     NULL},
    {LD_ENDPOINT_RESPONSES, true, NO_USAGE, false, true, true, true, false, true, 1, 0,
     "data: {\"type\":\"response.done\",\"response\":{\"status\":\"failed\"}}\n\n", NULL},
    {LD_ENDPOINT_NATIVE, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "{\"error\":{\"message\":\"no\"}}", NULL},
    {LD_ENDPOINT_NATIVE, false, NO_USAGE, false, false, true, false, false, true, 0, 0,
     "{\"object\":\"fine_tuning.job\",\"error\":{\"message\":\"no data\"}}", NULL},
    /* No answer, but somebody who says why. */
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "{\"code\":401,\"msg\":\"no\",\"success\":false}", NULL},
    {LD_ENDPOINT_EMBEDDINGS, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "{\"detail\":\"no\"}", NULL},
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, false, true, true, 0, 1,
     "{\"message\":\"hi\",\"choices\":[{\"message\":{\"content\":\"a\"}}]}", NULL},
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, false, false, true, 0, 0,
     "{\"message\":\"\",\"a\":{\"msg\":\"no\"}}", NULL},
    {LD_ENDPOINT_NATIVE, false, NO_USAGE, false, false, true, false, false, true, 0, 0,
     "{\"message\":\"hi\"}", NULL},
    /* As platforms say it with status 200: MiniMax, Baidu, DashScope, Zhipu, Gemini, Hunyuan. */
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "{\"choices\":null,\"usage\":null,\"base_resp\":{\"status_code\":1004,\"status_msg\":\"no\"}}",
     NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, true, false, true, true, true, 1, 1,
     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}],"
     "\"base_resp\":{\"status_code\":1027}}\n\n",
     NULL},
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "{\"error_code\":110,\"error_msg\":\"no\"}", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, true, false, false, 1, 0,
     "data: {\"error_code\":336501,\"error_msg\":\"no\"}\n\n", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, true, false, false, 1, 0,
     "data: {\"code\":\"InvalidApiKey\",\"message\":\"no\",\"request_id\":\"r\"}\n\n", NULL},
    {LD_ENDPOINT_NATIVE, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "{\"code\":\"InvalidApiKey\",\"message\":\"no\",\"request_id\":\"r\"}", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, true, false, false, 1, 0,
     "data: {\"success\":false,\"msg\":\"no\"}\n\n", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, true, false, false, 1, 0,
     "data: {\"choices\":null,\"error_type\":\"e\",\"error_message\":\"no\"}\n\n", NULL},
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     " [ {\"error\":{\"code\":400,\"message\":\"no\"}}\n]\n", NULL},
    {LD_ENDPOINT_NATIVE, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "[{\"candidates\":[{}]}\n,\n{\"error\":{\"code\":503}}]", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, true, false, false, 1, 0,
     "data: {\"choices\":[],\"ErrorMsg\":{\"Code\":4001,\"Msg\":\"no\"}}\n\n", NULL},
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "{\"result\":null,\"success\":false,\"errors\":[{\"code\":7009,\"message\":\"no\"}]}", NULL},
    /* The same members where all is well. */
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, false, true, false, 1, 1,
     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"base_resp\":{\"status_code\":0,"
     "\"status_msg\":\"success\"}}\n\n",
     NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, false, false, false, 5, 0,
     "data: {\"code\":0,\"message\":\"Success\",\"choices\":[]}\n\n"
     "data: {\"code\":\"200\",\"msg\":\"ok\",\"success\":true}\n\n"
     "data: {\"error_code\":0,\"errors\":[],\"ErrorMsg\":null,\"error_message\":\"\"}\n\n"
     "data: {\"type\":\"t\",\"code\":\"x = 1\",\"message\":\"hi\"}\n\n"
     "data: {\"message\":\"in the queue\"}\n\n",
     NULL},
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, false, true, true, 0, 1,
     "{\"code\":10,\"message\":\"hi\",\"choices\":[{\"message\":{\"content\":\"a\"}}]}", NULL},
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, false, false, true, 0, 0,
     "{\"code\":200,\"msg\":\"fine\",\"results\":{\"code\":7}}", NULL},
    {LD_ENDPOINT_NATIVE, false, NO_USAGE, false, false, true, false, false, true, 0, 0,
     "{\"object\":\"batch\",\"code\":7,\"message\":\"hi\",\"errors\":{\"data\":[{\"code\":\"x\"}]}"
     "}",
     NULL},
    /* A total alone is nobody's count. */
    {LD_ENDPOINT_NATIVE,
     false,
     {-1, -1, 30, -1, -1},
     false,
     false,
     true,
     false,
     false,
     true,
     0,
     0,
     "{\"results\":[{\"index\":0}],\"usage\":{\"total_tokens\":30}}",
     NULL},
};

static void an_end_is_named_and_an_error_says_something(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ANSWERS / sizeof ANSWERS[0]; i++)
        check_splits(&ANSWERS[i]);
}

/* What message_start says of the output was said before there was any. */
static void text_that_came_after_the_usage_is_told_apart(void **state)
{
    struct relay relay;

    (void)state;
    begin(&relay, LD_ENDPOINT_MESSAGES, true);
    start(&relay);
    feed(&relay, LB_STR("data: {\"type\":\"message_start\",\"message\":{\"usage\":{"
                        "\"input_tokens\":10,\"output_tokens\":1}}}\n\n"));
    for (int i = 0; i < 3; i++)
        feed(&relay, LB_STR("data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":"
                            "\"1234567\"}}\n\n"));
    assert_int_equal(relay.tap.filter.report.usage.completion_tokens, 1);
    assert_int_equal(relay.tap.filter.report.output_size, 21);
    assert_int_equal(relay.tap.filter.report.counted_size, 0);
    feed(&relay, LB_STR("data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"x\"},"
                        "\"usage\":{\"output_tokens\":2}}\n\n"));
    assert_int_equal(relay.tap.filter.report.counted_size, 21);
    end(&relay);
}

/* The first of an answer is text, reasoning or a tool call, though that has no arguments. */
static void content_is_told_by_the_event_that_begins_it(void **state)
{
    static const struct {
        enum ld_endpoint_id endpoint;
        bool content;
        const char *event;
    } ROWS[] = {
        {LD_ENDPOINT_CHAT, false,
         "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}"},
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}"},
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"reasoning_content\":\"a\"}}]}"},
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"reasoning\":\"a\"}}]}"},
        {LD_ENDPOINT_CHAT, true,
         "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\","
         "\"arguments\":\"\"}}]}}]}"},
        {LD_ENDPOINT_CHAT, false,
         "{\"choices\":[{\"delta\":{\"tool_calls\":[],\"function_call\":null}}]}"},
        {LD_ENDPOINT_CHAT, false, "{\"tool_calls\":[{\"id\":\"c\"}],\"choices\":[]}"},
        {LD_ENDPOINT_MESSAGES, false,
         "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}"},
        {LD_ENDPOINT_MESSAGES, false,
         "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"thinking\","
         "\"thinking\":\"\"}}"},
        {LD_ENDPOINT_MESSAGES, true,
         "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\","
         "\"name\":\"f\",\"input\":{}}}"},
        {LD_ENDPOINT_MESSAGES, true,
         "{\"type\":\"content_block_delta\",\"delta\":{\"thinking\":\"a\"}}"},
        {LD_ENDPOINT_MESSAGES, false, "{\"type\":\"message_start\",\"message\":{\"content\":[]}}"},
        {LD_ENDPOINT_RESPONSES, false,
         "{\"type\":\"response.created\",\"response\":{\"output\":[]}}"},
        {LD_ENDPOINT_RESPONSES, false, "{\"type\":\"response.output_item.added\",\"item\":{}}"},
        {LD_ENDPOINT_RESPONSES, true,
         "{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"a\"}"},
        {LD_ENDPOINT_RESPONSES, true, "{\"type\":\"response.web_search_call.in_progress\"}"},
        {LD_ENDPOINT_RESPONSES, true,
         "{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct relay relay;
        begin(&relay, ROWS[i].endpoint, true);
        start(&relay);
        feed(&relay, LB_STR("data: "));
        feed(&relay, lb_cstr(ROWS[i].event));
        feed(&relay, LB_STR("\n\n"));
        if (relay.tap.filter.report.content != ROWS[i].content)
            fail_msg("%s", ROWS[i].event);
        end(&relay);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_told_by_the_event_that_begins_it),
        cmocka_unit_test(an_end_is_named_and_an_error_says_something),
        cmocka_unit_test(text_that_came_after_the_usage_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
