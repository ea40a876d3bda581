/* SPDX-License-Identifier: MIT */
/* Relayed answers: what is read from them and what is withheld, split at every pair of offsets. */
#include <stdio.h>

#include "tap_relay.h"

static const struct expected ANSWERS[] = {
    {LD_ENDPOINT_CHAT,
     true,
     {3, 5, 8, 2, 1},
     true,
     true,
     true,
     false,
     true,
     true,
     4,
     5,
     HELLO STOP EXTRA DONE,
     HELLO STOP DONE},
    {LD_ENDPOINT_CHAT,
     true,
     {3, 5, 8, 2, 1},
     true,
     true,
     true,
     false,
     true,
     true,
     4,
     5,
     ": hi\n\n" HELLO "\n" STOP EXTRA "\r\n" DONE,
     ": hi\n\n" HELLO "\n" STOP "\r\n" DONE},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, true, false, false, true, true, 2, 5, HELLO STOP,
     NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, false, true, false, 1, 5, HELLO, NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, true, false, false, true, 1, 0,
     ": ping\r\n\r\ndata:[DONE]\r\n\r\n", NULL},
    /* Usage beside choices, an error, an empty first chunk, texts that look like usage: all pass.
     */
    {LD_ENDPOINT_CHAT,
     true,
     {1, 2, -1, -1, -1},
     true,
     false,
     false,
     false,
     true,
     false,
     1,
     1,
     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1,"
     "\"completion_tokens\":2}}\n\n",
     NULL},
    {LD_ENDPOINT_CHAT,
     true,
     {1, -1, -1, -1, -1},
     true,
     true,
     false,
     false,
     false,
     true,
     1,
     0,
     "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\""
     ":1}}]}\n\n",
     NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, true, false, false, 1, 0,
     "data: {\"error\":{\"message\":\"no\"}}\n\n", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, false, false, false, 1, 0,
     "data: {\"choices\":[],\"prompt_filter_results\":[],\"error\":null,\"usage\":null}\n\n", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, false, true, false, 1, 13,
     "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{a:1}\"}}]}\n\n", NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, false, true, false, 1, 7,
     "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\","
     "\"arguments\":\"{\\\"a\\\":1}\"}}]}}]}\n\n",
     NULL},
    {LD_ENDPOINT_CHAT, true, NO_USAGE, false, false, false, false, false, false, 2, 0,
     "data: {\"usage\":{\"prompt_tokens\":\"3\"\n\ndata: nonsense\n\n", NULL},
    {LD_ENDPOINT_COMPLETIONS,
     true,
     {1, 1, 2, -1, -1},
     true,
     true,
     true,
     false,
     true,
     true,
     3,
     2,
     "data: {\"choices\":[{\"text\":\"ab\",\"finish_reason\":\"length\"}]}\n\ndata: {"
     "\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}"
     "\n\n" DONE,
     "data: {\"choices\":[{\"text\":\"ab\",\"finish_reason\":\"length\"}]}\n\n" DONE},
    {LD_ENDPOINT_MESSAGES,
     true,
     {15, 7, 22, 3, -1},
     true,
     true,
     true,
     false,
     true,
     true,
     4,
     2,
     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
     "\"model\":\"cl\",\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":2,"
     "\"cache_read_input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {"
     "\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
     "\"Hi\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"
     "\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":0,\"output_tokens\":7}}\n\nevent: "
     "message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
     NULL},
    {LD_ENDPOINT_MESSAGES, true, NO_USAGE, false, false, false, true, false, false, 1, 0,
     "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
     NULL},
    {LD_ENDPOINT_RESPONSES,
     true,
     {5, 2, 7, 4, 1},
     true,
     true,
     true,
     false,
     true,
     true,
     2,
     5,
     "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":"
     "\"Hello\"}\n\nevent: response.incomplete\ndata: {\"type\":\"response.incomplete\","
     "\"response\":{\"id\":\"r1\",\"model\":\"gpt\",\"error\":null,\"output\":[{\"content\":[{"
     "\"text\":\"Hello\"}]}],\"usage\":{\"input_tokens\":5,\"input_tokens_details\":{"
     "\"cached_tokens\":4},\"output_tokens\":2,\"output_tokens_details\":{\"reasoning_tokens\":1},"
     "\"total_tokens\":7}}}\n\n",
     NULL},
    {LD_ENDPOINT_RESPONSES, true, NO_USAGE, false, false, true, true, false, true, 1, 0,
     "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"r1\",\"usage\":null}}\n\n", NULL},
    {LD_ENDPOINT_CHAT,
     false,
     {3, 5, 8, -1, -1},
     true,
     true,
     true,
     false,
     true,
     true,
     0,
     5,
     " {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"a\\\"}]b\"},"
     "\"finish_reason\":\"stop\"}],\"usage\" : { \"prompt_tokens\":3,\"completion_tokens\":5,"
     "\"total_tokens\":8}}\n",
     NULL},
    {LD_ENDPOINT_CHAT, false, NO_USAGE, false, false, true, true, false, true, 0, 0,
     "{\"error\":{\"message\":\"bad\"},\"usage\":null}", NULL},
    {LD_ENDPOINT_EMBEDDINGS,
     false,
     {4, 0, 4, -1, -1},
     true,
     false,
     true,
     false,
     false,
     true,
     0,
     0,
     "{\"data\":[{\"embedding\":[0.1,-2e-5],\"usage\":{\"prompt_tokens\":9}}],\"model\":"
     "\"e\",\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}}",
     NULL},
    {LD_ENDPOINT_RESPONSES,
     false,
     {5, 2, 7, -1, -1},
     true,
     false,
     true,
     false,
     true,
     true,
     0,
     5,
     "{\"id\":\"r2\",\"error\":null,\"output\":[{\"content\":[{\"text\":\"Hello\"}]}],"
     "\"usage\":{\"input_tokens\":5,\"output_tokens\":2,\"total_tokens\":7}}",
     NULL},
    {LD_ENDPOINT_MESSAGES,
     false,
     {6, 2, 8, 1, -1},
     true,
     true,
     true,
     false,
     true,
     true,
     0,
     2,
     "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],\"stop_reason\":"
     "\"end_turn\",\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":1,\"output_tokens\":2}"
     "}",
     NULL},
    {LD_ENDPOINT_COUNT_TOKENS, false, NO_USAGE, false, false, true, false, false, true, 0, 0,
     "{\"input_tokens\":5}", NULL},
    {LD_ENDPOINT_NATIVE,
     false,
     {5, 2, 7, -1, -1},
     true,
     false,
     true,
     false,
     false,
     true,
     0,
     0,
     "{\"data\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":2,\"total_tokens\":7}}",
     NULL},
    {LD_ENDPOINT_NATIVE, false, NO_USAGE, false, false, true, false, false, true, 0, 0,
     "RIFF{\"usage\":{\"input_tokens\":5}}", NULL},
};

static void any_split_reads_and_forwards_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ANSWERS / sizeof ANSWERS[0]; i++)
        check_splits(&ANSWERS[i]);
}

static void every_line_end_is_understood(void **state)
{
    static const char *const ENDS[] = {"\r", "\r\n", "\n"};
    struct relay relay;
    struct lb_str text = lb_cstr(HELLO STOP EXTRA DONE);

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, true);
    for (size_t kind = 0; kind < 3; kind++) {
        for (size_t step = 1; step < 9; step++) {
            struct lb_buf in;
            start(&relay);
            lb_buf_init(&in, &host, 1 << 16);
            for (size_t i = 0; i < text.size; i++) {
                if (text.p[i] == '\n')
                    lb_buf_add_c(&in, ENDS[kind]);
                else
                    lb_buf_add_byte(&in, text.p[i]);
            }
            for (size_t at = 0; at < in.size; at += step)
                feed(&relay, lb_str_sub(lb_buf_str(&in), at, at + step));
            finish(&relay);
            assert_true(relay.tap.filter.report.withheld > 0 && relay.tap.filter.report.terminal);
            assert_null(strstr(lb_buf_c(&relay.forwarded), "prompt_tokens"));
            assert_int_equal(relay.forwarded.size + relay.tap.filter.report.withheld, in.size);
            lb_buf_free(&in);
            end(&relay);
        }
    }
}

static void the_extra_chunk_passes_to_those_who_asked(void **state)
{
    struct relay relay;

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, true);
    relay.options.withhold_usage = false;
    start(&relay);
    feed(&relay, lb_cstr(HELLO EXTRA DONE));
    assert_string_equal(lb_buf_c(&relay.forwarded), HELLO EXTRA DONE);
    end(&relay);
}

static void what_was_forwarded_ends_between_events(void **state)
{
    struct relay relay;
    struct lb_str in = lb_cstr(HELLO STOP);
    size_t first = strlen(HELLO);

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, true);
    start(&relay);
    for (size_t i = 0; i < in.size; i++) {
        feed(&relay, lb_str_sub(in, i, i + 1));
        assert_true(ld_filter_at_boundary(&relay.tap.filter));
        assert_int_equal(relay.forwarded.size, i + 1 < first     ? 0
                                               : i + 1 < in.size ? first
                                                                 : in.size);
    }
    feed(&relay, LB_STR("data: [DONE]")); /* some servers end so */
    assert_int_equal(relay.forwarded.size, in.size);
    finish(&relay);
    assert_true(relay.tap.filter.report.terminal);
    assert_false(ld_filter_at_boundary(&relay.tap.filter));
    end(&relay);
}

static void many_withheld_chunks_in_one_read(void **state)
{
    struct relay relay;
    struct lb_buf in, expected;

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, true);
    start(&relay);
    lb_buf_init(&in, &host, 1 << 20);
    lb_buf_init(&expected, &host, 1 << 20);
    for (int i = 0; i < 200; i++) {
        lb_buf_add_c(&in, HELLO EXTRA);
        lb_buf_add_c(&expected, HELLO);
    }
    feed(&relay, lb_str_sub(lb_buf_str(&in), 0, 10));
    feed(&relay, lb_str_sub(lb_buf_str(&in), 10, in.size));
    assert_string_equal(lb_buf_c(&relay.forwarded), lb_buf_c(&expected));
    lb_buf_free(&in);
    lb_buf_free(&expected);
    end(&relay);
}

/* response.completed with an image in it: the usage comes after megabytes. */
static void an_event_beyond_the_cap_passes_and_is_still_read(void **state)
{
    static const char HEAD[] = "event: response.completed\ndata: {\"type\":\"response.completed\","
                               "\"response\":{\"id\":\"r\",\"output\":[{\"result\":\"";
    static const char TAIL[] = "\"}],\"usage\":{\"input_tokens\":5,\"output_tokens\":2}}}\n\n";
    struct relay relay;
    struct lb_buf in;

    (void)state;
    begin(&relay, LD_ENDPOINT_RESPONSES, true);
    lb_buf_init(&in, &host, 1 << 23);
    lb_buf_add_c(&in, HEAD);
    for (int i = 0; i < 1 << 16; i++)
        lb_buf_add_c(&in, "0123456789abcdef");
    lb_buf_add_c(&in, TAIL);
    for (size_t step = 4096; step <= in.size; step *= 16) {
        start(&relay);
        bool loose = false;
        for (size_t at = 0; at < in.size; at += step) {
            feed(&relay, lb_str_sub(lb_buf_str(&in), at, at + step));
            loose |= !ld_filter_at_boundary(&relay.tap.filter);
            assert_true(relay.tap.carry[0].capacity + relay.tap.carry[1].capacity <=
                        3 * LD_TAP_EVENT_MAX);
        }
        assert_true(loose && ld_filter_at_boundary(&relay.tap.filter));
        assert_true(lb_str_eq(lb_buf_str(&relay.forwarded), lb_buf_str(&in)));
        assert_int_equal(relay.tap.filter.report.usage.prompt_tokens, 5);
        assert_true(relay.tap.filter.report.terminal);
        end(&relay);
    }
    lb_buf_free(&in);
}

static void short_of_memory_bytes_pass_unread_but_pass(void **state)
{
    struct relay relay;
    struct lb_str in = lb_cstr(HELLO STOP EXTRA DONE);

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, true);
    for (size_t cut = 1; cut < in.size; cut++) {
        start(&relay);
        out_of_memory = true;
        feed(&relay, lb_str_sub(in, 0, cut));
        feed(&relay, lb_str_sub(in, cut, in.size));
        out_of_memory = false;
        finish(&relay);
        assert_int_equal(relay.forwarded.size + relay.tap.filter.report.withheld, in.size);
        assert_true(ld_filter_complete(&relay.tap.filter)); /* by one of its two signs */
        end(&relay);
    }
}

static void a_usage_object_beyond_its_cap_is_not_read(void **state)
{
    struct relay relay;
    struct lb_buf in;

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, false);
    start(&relay);
    lb_buf_init(&in, &host, 1 << 20);
    lb_buf_add_c(&in, "{\"usage\":{\"prompt_tokens\":1,\"x\":\"");
    for (int i = 0; i < LD_SNIFF_USAGE_MAX; i++)
        lb_buf_add_byte(&in, 'x');
    lb_buf_add_c(&in, "\"}}");
    feed(&relay, lb_buf_str(&in));
    finish(&relay);
    assert_false(relay.tap.filter.report.usage_reported);
    lb_buf_free(&in);
    end(&relay);
}

static void a_quiet_stream_holds_no_memory(void **state)
{
    struct relay relay;

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, true);
    start(&relay);
    feed(&relay, lb_cstr(HELLO HELLO HELLO));
    assert_int_equal(relay.tap.carry[0].capacity + relay.tap.carry[1].capacity, 0);
    assert_int_equal(relay.tap.sniff.usage.capacity, 0);
    assert_true(sizeof relay.tap <= 1024);
    end(&relay);
}

/* Its owner moves it to where a long stream stays. */
static void a_filter_goes_on_where_its_bytes_were_moved(void **state)
{
    const struct lb_str in = lb_cstr(HELLO STOP EXTRA DONE);
    struct relay relay;

    (void)state;
    for (size_t cut = 0; cut <= in.size; cut++) {
        begin(&relay, LD_ENDPOINT_CHAT, true);
        start(&relay);
        feed(&relay, lb_str_sub(in, 0, cut));
        struct ld_filter *moved = malloc(relay.tap.filter.face->size);
        assert_non_null(moved);
        memcpy(moved, &relay.tap.filter, relay.tap.filter.face->size);
        memset(&relay.tap, 0xee, sizeof relay.tap);
        struct ld_filter_out out;
        for (struct lb_str rest = lb_str_sub(in, cut, in.size); rest.size > 0;) {
            size_t used = ld_filter_feed(moved, rest, &out);
            forward(&relay, &out);
            rest = lb_str_sub(rest, used, rest.size);
        }
        ld_filter_finish(moved, &out);
        forward(&relay, &out);
        assert_true(ld_filter_complete(moved) && ld_filter_at_boundary(moved));
        ld_filter_free(moved);
        assert_int_equal(moved->report.usage.prompt_tokens, 3); /* readable to the end */
        assert_true(moved->report.withheld + relay.forwarded.size == in.size);
        free(moved);
        lb_buf_free(&relay.forwarded);
    }
}

/* What else prices tell apart, and the tier, which stands beside the usage or in it. */
static void what_prices_tell_apart_is_read_at_every_split(void **state)
{
    static const struct {
        enum ld_endpoint_id endpoint;
        bool stream;
        const char *in;
        const char *want; /* cache_write 1h audio_in audio_out image tools cost tier */
    } CASES[] = {
        {LD_ENDPOINT_CHAT, false,
         "{\"choices\":[{\"message\":{\"content\":\"a\",\"service_tier\":\"no\"}}],\"usage\":{"
         "\"prompt_tokens\":9,\"completion_tokens\":1,\"prompt_tokens_details\":{\"audio_tokens\":"
         "2,"
         "\"cache_write_tokens\":3},\"cost\":0.00014},\"service_tier\":\"flex\"}",
         "3 -1 2 -1 -1 -1 140000 flex"},
        {LD_ENDPOINT_CHAT, true,
         CHUNK("\"service_tier\":\"auto\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]") CHUNK(
             "\"service_tier\":null,\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]")
             CHUNK("\"service_tier\":\"default\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,"
                   "\"completion_tokens\":1,\"completion_tokens_details\":{\"audio_tokens\":1}}")
                 DONE,
         "-1 -1 -1 1 -1 -1 -1 default"},
        {LD_ENDPOINT_MESSAGES, true,
         "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,"
         "\"cache_creation_input_tokens\":5,\"cache_creation\":{\"ephemeral_5m_input_tokens\":1,"
         "\"ephemeral_1h_input_tokens\":4},\"output_tokens\":1,\"service_tier\":\"standard\"}}}\n\n"
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
         "\"output_tokens\":7,\"server_tool_use\":{\"web_search_requests\":2}}}\n\n"
         "data: {\"type\":\"message_stop\"}\n\n",
         "5 4 -1 -1 -1 2 -1 standard"},
        {LD_ENDPOINT_RESPONSES, true,
         "data: {\"type\":\"response.created\",\"response\":{\"service_tier\":\"auto\"}}\n\n"
         "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":9,"
         "\"output_tokens\":1,\"input_tokens_details\":{\"cache_write_tokens\":6}},"
         "\"service_tier\":\"priority\"}}\n\n",
         "6 -1 -1 -1 -1 -1 -1 priority"},
    };
    char got[200];
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct lb_str in = lb_cstr(CASES[i].in);
        struct relay relay;
        begin(&relay, CASES[i].endpoint, CASES[i].stream);
        for (size_t at = 0; at <= in.size; at++) {
            start(&relay);
            feed(&relay, lb_str_sub(in, 0, at));
            feed(&relay, lb_str_sub(in, at, in.size));
            finish(&relay);
            const struct llmgr_usage *usage = &relay.tap.filter.report.usage;
            snprintf(got, sizeof got, "%lld %lld %lld %lld %lld %lld %lld %s",
                     (long long)usage->cache_write_tokens, (long long)usage->cache_write_1h_tokens,
                     (long long)usage->audio_input_tokens, (long long)usage->audio_output_tokens,
                     (long long)usage->image_input_tokens, (long long)usage->tool_calls,
                     (long long)usage->reported_cost_nano, usage->service_tier);
            end(&relay);
            if (strcmp(got, CASES[i].want) != 0)
                fail_msg("%s\nat %zu: %s", CASES[i].in, at, got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_prices_tell_apart_is_read_at_every_split),
        cmocka_unit_test(any_split_reads_and_forwards_the_same),
        cmocka_unit_test(every_line_end_is_understood),
        cmocka_unit_test(the_extra_chunk_passes_to_those_who_asked),
        cmocka_unit_test(what_was_forwarded_ends_between_events),
        cmocka_unit_test(many_withheld_chunks_in_one_read),
        cmocka_unit_test(an_event_beyond_the_cap_passes_and_is_still_read),
        cmocka_unit_test(short_of_memory_bytes_pass_unread_but_pass),
        cmocka_unit_test(a_usage_object_beyond_its_cap_is_not_read),
        cmocka_unit_test(a_quiet_stream_holds_no_memory),
        cmocka_unit_test(a_filter_goes_on_where_its_bytes_were_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
