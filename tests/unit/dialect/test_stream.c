/* SPDX-License-Identifier: MIT */
#include "dialect/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"

static struct lb_host host;

static struct ld_chat_stream *begin(void)
{
    struct ld_chat_stream *stream = NULL;

    assert_int_equal(ld_chat_stream_new(&host, &stream, NULL), LLMGR_OK);
    return stream;
}

static llmgr_status feed(struct ld_chat_stream *stream, const char *data, struct llmgr_chunk *chunk,
                         enum ld_event *kind)
{
    const struct lh_sse_event event = {.has_data = true, .data = lb_cstr(data)};
    struct llmgr_error err = {0};

    llmgr_status status = ld_chat_stream_event(stream, &event, chunk, kind, &err);
    assert_int_equal(status, err.status);
    return status;
}

static void chunks(struct ld_chat_stream *stream, const char *const *data, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct llmgr_chunk chunk;
        enum ld_event kind;
        if (feed(stream, data[i], &chunk, &kind) != LLMGR_OK)
            fail_msg("%s", data[i]);
    }
}

#define CHUNKS(stream, ...)                                                                        \
    chunks(stream, (const char *const[]){__VA_ARGS__},                                             \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void a_chunk_holds_what_came(void **state)
{
    (void)state;
    struct ld_chat_stream *stream = begin();
    struct llmgr_chunk chunk;
    enum ld_event kind;

    assert_int_equal(feed(stream,
                          "{\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\","
                          "\"reasoning\":\"r\"},\"finish_reason\":null}],\"usage\":null}",
                          &chunk, &kind),
                     LLMGR_OK);
    assert_int_equal(kind, LD_EVENT_CHUNK);
    assert_memory_equal(chunk.content, "ab", 3);
    assert_int_equal(chunk.content_size, 2);
    assert_string_equal(chunk.reasoning_content, "r");
    assert_null(chunk.finish_reason);
    assert_null(chunk.usage);
    assert_int_equal(feed(stream, " [DONE] ", &chunk, &kind), LLMGR_OK);
    assert_int_equal(kind, LD_EVENT_DONE);
    assert_int_equal(feed(stream, "rubbish after the end", &chunk, &kind), LLMGR_OK);
    assert_int_equal(kind, LD_EVENT_NONE);
    ld_chat_stream_free(stream);
}

static void the_sum_is_the_whole_answer(void **state)
{
    (void)state;
    struct ld_chat_stream *stream = begin();
    struct llmgr_answer answer = {0};

    CHUNKS(stream,
           "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}",
           "{\"id\":\"other\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
           "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"SECOND CHOICE\"}}]}",
           "{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}}]}",
           "{\"choices\":[{\"delta\":{\"reasoning_content\":\"x\"}}]}",
           "{\"choices\":[{\"delta\":null,\"finish_reason\":\"stop\"}]}",
           "{\"choices\":[],\"usage\":{\"prompt_tokens\":3}}", "[DONE]");
    assert_int_equal(ld_chat_stream_finish(stream, NULL), LLMGR_OK);
    assert_int_equal(ld_chat_stream_answer(stream, &answer, NULL), LLMGR_OK);
    ld_chat_stream_free(stream);
    assert_string_equal(answer.content, "ab");
    assert_string_equal(answer.reasoning_content, "x");
    assert_string_equal(answer.id, "i");
    assert_string_equal(answer.model, "m");
    assert_string_equal(answer.finish_reason, "stop");
    assert_int_equal(answer.usage.prompt_tokens, 3);
    assert_int_equal(answer.usage.total_tokens, -1);
    assert_null(answer.json);
    ld_answer_clear(&answer);
}

static void tool_calls_come_together_with_and_without_an_index(void **state)
{
    (void)state;
    struct ld_chat_stream *stream = begin();
    struct llmgr_answer answer = {0};

    CHUNKS(stream,
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\","
           "\"arguments\":\"{\"}},{\"id\":\"b\",\"function\":{\"name\":\"g\"}}]}}]}",
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{"
           "\"name\":\"f\",\"arguments\":\"}\"}}]}}]}",
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"[]\"}},null]}}"
           "]}");
    assert_int_equal(ld_chat_stream_answer(stream, &answer, NULL), LLMGR_OK);
    assert_int_equal(answer.tool_call_count, 2);
    assert_string_equal(answer.tool_calls[0].name, "f");
    assert_string_equal(answer.tool_calls[0].arguments, "{}");
    assert_string_equal(answer.tool_calls[1].id, "b");
    assert_string_equal(answer.tool_calls[1].arguments, "[]");
    ld_answer_clear(&answer);
    ld_chat_stream_free(stream);
}

static void an_id_and_a_name_are_given_once(void **state)
{
    (void)state;
    struct ld_chat_stream *stream = begin();
    struct llmgr_chunk chunk;
    enum ld_event kind;
    const char *data = "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":3,\"id\":\"a\","
                       "\"function\":{\"name\":\"f\",\"arguments\":\"x\"}}]}}]}";

    assert_int_equal(feed(stream, data, &chunk, &kind), LLMGR_OK);
    assert_string_equal(chunk.tool_calls[0].id, "a");
    assert_string_equal(chunk.tool_calls[0].name, "f");
    assert_int_equal(feed(stream, data, &chunk, &kind), LLMGR_OK);
    assert_null(chunk.tool_calls[0].id);
    assert_null(chunk.tool_calls[0].name);
    assert_string_equal(chunk.tool_calls[0].arguments, "x");
    assert_int_equal(chunk.tool_calls[0].index, 3);
    ld_chat_stream_free(stream);
}

static void the_end_is_judged_by_done_or_finish_reason(void **state)
{
    (void)state;
    static const struct {
        const char *last;
        llmgr_status status;
    } ROWS[] = {
        {"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", LLMGR_ERR_CUT},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}", LLMGR_OK},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}", LLMGR_ERR_CUT},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"null\"}]}", LLMGR_ERR_CUT},
        {"[DONE]", LLMGR_OK},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_chat_stream *stream = begin();
        struct llmgr_error err = {0};
        CHUNKS(stream, ROWS[i].last);
        assert_int_equal(ld_chat_stream_finish(stream, &err), ROWS[i].status);
        ld_chat_stream_free(stream);
    }
}

static void errors_in_the_stream_end_it(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        llmgr_status status;
    } ROWS[] = {
        {"{\"error\":{\"message\":\"boom\"}}", LLMGR_ERR_UPSTREAM},
        {"{\"error\":{\"code\":429}}", LLMGR_ERR_RATE_LIMITED},
        {"{\"error\":true,\"choices\":[]}", LLMGR_ERR_UPSTREAM},
        {"{\"choices\":[", LLMGR_ERR_PROTOCOL},
        {"7", LLMGR_ERR_PROTOCOL},
        {"[]", LLMGR_ERR_PROTOCOL},
        {"{\"choices\":null,\"base_resp\":{\"status_code\":1004,\"status_msg\":\"m\"}}",
         LLMGR_ERR_UPSTREAM},
        {"{\"code\":\"InvalidApiKey\",\"message\":\"m\"}", LLMGR_ERR_UPSTREAM},
        {"{\"error_code\":336501,\"error_msg\":\"m\"}", LLMGR_ERR_UPSTREAM},
        {"{\"choices\":null,\"error_message\":\"m\"}", LLMGR_ERR_UPSTREAM},
        {"{\"choices\":[],\"ErrorMsg\":{\"Msg\":\"m\",\"Code\":4001}}", LLMGR_ERR_UPSTREAM},
        {"{\"code\":0,\"message\":\"Success\",\"choices\":[]}", LLMGR_OK},
        {"{\"message\":\"in the queue\"}", LLMGR_OK},
        {"{\"code\":7,\"message\":\"m\",\"choices\":[{\"delta\":{}}]}", LLMGR_OK},
        {"{\"error\":null,\"choices\":[]}", LLMGR_OK},
        {"{\"error\":false}", LLMGR_OK},
        {"{\"error\":{\"message\":\"\",\"code\":null},\"choices\":[]}", LLMGR_OK},
        {"{}", LLMGR_OK},
        {"", LLMGR_OK},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_chat_stream *stream = begin();
        struct llmgr_chunk chunk;
        enum ld_event kind;
        assert_int_equal(feed(stream, ROWS[i].data, &chunk, &kind), ROWS[i].status);
        ld_chat_stream_free(stream);
    }
}

static void too_many_tool_calls_are_refused(void **state)
{
    (void)state;
    struct ld_chat_stream *stream = begin();
    struct llmgr_chunk chunk;
    enum ld_event kind;
    llmgr_status status = LLMGR_OK;

    for (int i = 0; i <= LD_TOOL_CALLS_MAX; i++) {
        char data[128];
        assert_int_equal(status, LLMGR_OK);
        snprintf(data, sizeof data,
                 "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%d,\"id\":\"x\"}]}}]}", i);
        status = feed(stream, data, &chunk, &kind);
    }
    assert_int_equal(status, LLMGR_ERR_PROTOCOL);
    ld_chat_stream_free(stream);
}

static void the_text_of_a_stream_is_capped_as_a_whole(void **state)
{
    (void)state;
    enum { PIECE = 1 << 20 };
    struct ld_chat_stream *stream = begin();
    struct llmgr_chunk chunk;
    enum ld_event kind;
    llmgr_status status = LLMGR_OK;
    char *data = malloc(PIECE + 128);
    int count = 0;

    /* Content and reasoning in turn: each stays below the cap. */
    for (; status == LLMGR_OK; count++) {
        int head = snprintf(data, 128, "{\"choices\":[{\"delta\":{\"%s\":\"",
                            count % 2 == 0 ? "content" : "reasoning");
        memset(data + head, 'x', PIECE);
        memcpy(data + head + PIECE, "\"}}]}", 6);
        assert_true(count <= LD_ANSWER_MAX / PIECE);
        status = feed(stream, data, &chunk, &kind);
    }
    assert_int_equal(status, LLMGR_ERR_PROTOCOL);
    assert_int_equal(count, LD_ANSWER_MAX / PIECE + 1);
    free(data);
    ld_chat_stream_free(stream);
}

static void a_fragment_without_an_index_goes_on_with_the_call_of_its_id(void **state)
{
    (void)state;
    struct ld_chat_stream *stream = begin();
    struct llmgr_answer answer = {0};

    CHUNKS(stream,
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":9223372036854775807,\"id\":\"a\","
           "\"function\":{\"arguments\":\"1\"}}]}}]}",
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"arguments\":"
           "\"2\"}}]}}]}",
           /* No index is left for another call: it can only be the last one. */
           "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"b\",\"function\":{\"arguments\":"
           "\"3\"}},{\"index\":1,\"id\":\"\",\"function\":{\"name\":\"\"}}]}}]}");
    assert_int_equal(ld_chat_stream_answer(stream, &answer, NULL), LLMGR_OK);
    assert_int_equal(answer.tool_call_count, 2);
    assert_string_equal(answer.tool_calls[0].arguments, "123");
    assert_null(answer.tool_calls[1].id);
    assert_null(answer.tool_calls[1].name);
    ld_answer_clear(&answer);
    ld_chat_stream_free(stream);
}

static void a_stream_of_which_nothing_came_sums_up_to_nothing(void **state)
{
    (void)state;
    struct ld_chat_stream *stream = begin();
    struct llmgr_answer answer = {0};

    CHUNKS(stream, "{\"choices\":[7]}",
           "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}");
    assert_int_equal(ld_chat_stream_answer(stream, &answer, NULL), LLMGR_OK);
    assert_null(answer.content);
    assert_null(answer.reasoning_content);
    assert_null(answer.finish_reason);
    assert_null(answer.model);
    assert_null(answer.id);
    assert_null(answer.tool_calls);
    ld_answer_clear(&answer);
    ld_chat_stream_free(stream);
    ld_chat_stream_free(NULL);
}

static void a_last_message_instead_of_a_delta_is_read(void **state)
{
    (void)state;
    struct ld_chat_stream *stream = begin();
    struct llmgr_answer answer = {0};

    CHUNKS(stream, "{\"choices\":[{\"message\":{\"content\":\"whole\"}}]}");
    assert_int_equal(ld_chat_stream_answer(stream, &answer, NULL), LLMGR_OK);
    assert_string_equal(answer.content, "whole");
    ld_answer_clear(&answer);
    ld_chat_stream_free(stream);
}

static void an_error_needs_nobody_who_hears_it(void **state)
{
    (void)state;
    static const char DATA[] = "{\"error\":{\"message\":\"boom\"}}";
    const struct lh_sse_event event = {.has_data = true, .data = LB_STR(DATA)};
    struct ld_chat_stream *stream = begin();
    struct llmgr_chunk chunk;
    enum ld_event kind;

    assert_int_equal(ld_chat_stream_event(stream, &event, &chunk, &kind, NULL), LLMGR_ERR_UPSTREAM);
    ld_chat_stream_free(stream);
}

static void one_event_of_too_many_tool_calls_is_refused(void **state)
{
    (void)state;
    static char data[8192];
    struct ld_chat_stream *stream = begin();
    struct llmgr_chunk chunk;
    enum ld_event kind;
    size_t size =
        (size_t)snprintf(data, sizeof data, "{\"choices\":[{\"delta\":{\"tool_calls\":[null");

    for (int i = 0; i < LD_TOOL_CALLS_MAX; i++)
        size += (size_t)snprintf(data + size, sizeof data - size, ",null");
    snprintf(data + size, sizeof data - size, "]}}]}");
    assert_int_equal(feed(stream, data, &chunk, &kind), LLMGR_ERR_PROTOCOL);
    ld_chat_stream_free(stream);
}

int main(void)
{
    lb_host_init(&host);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_holds_what_came),
        cmocka_unit_test(the_sum_is_the_whole_answer),
        cmocka_unit_test(tool_calls_come_together_with_and_without_an_index),
        cmocka_unit_test(an_id_and_a_name_are_given_once),
        cmocka_unit_test(the_end_is_judged_by_done_or_finish_reason),
        cmocka_unit_test(errors_in_the_stream_end_it),
        cmocka_unit_test(too_many_tool_calls_are_refused),
        cmocka_unit_test(the_text_of_a_stream_is_capped_as_a_whole),
        cmocka_unit_test(a_fragment_without_an_index_goes_on_with_the_call_of_its_id),
        cmocka_unit_test(a_stream_of_which_nothing_came_sums_up_to_nothing),
        cmocka_unit_test(a_last_message_instead_of_a_delta_is_read),
        cmocka_unit_test(an_error_needs_nobody_who_hears_it),
        cmocka_unit_test(one_event_of_too_many_tool_calls_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
