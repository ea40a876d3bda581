/* SPDX-License-Identifier: MIT */
/* What an answer is shows in its first bytes, where an event ends in its lines. */
#include "dialect/look.h"

#include "tap_relay.h"

#define LITELLM(choice)                                                                            \
    CHUNK("\"choices\":[" choice "],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,"       \
          "\"total_tokens\":8}")
#define LINE(rest) "data: {\"id\":\"c1\"," rest "}\n"
#define A LINE("\"choices\":[{\"delta\":{\"content\":\"a\"}}]")
#define B LINE("\"choices\":[{\"delta\":{\"content\":\"b\"}}]")
#define END LINE("\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]")
#define USED LINE("\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}")
#define CHAT(stream, ...)                                                                          \
    {                                                                                              \
        LD_ENDPOINT_CHAT, stream, __VA_ARGS__                                                      \
    }
#define USAGE_35 {3, 5, -1, -1, -1}, true
#define USAGE_358 {3, 5, 8, -1, -1}, true
#define UNTOLD NO_USAGE, false

/* usage, reported; finish, terminal, failed, content, complete; events, output; in, out */
static const struct expected ANSWERS[] = {
    /* Events, whatever their type says; and whole JSON in the place of some. */
    CHAT(false, USAGE_358, true, true, false, true, true, 4, 5, HELLO STOP LITELLM("") DONE,
         HELLO STOP DONE),
    CHAT(false, UNTOLD, false, true, false, false, true, 1, 0, "\n\r\n: hi\n\n" DONE, NULL),
    CHAT(false, UNTOLD, false, true, false, false, true, 1, 0, "\xef\xbb\xbf" DONE, NULL),
    CHAT(false, UNTOLD, false, true, false, false, true, 0, 0, "dat", NULL),
    CHAT(false, UNTOLD, false, true, false, false, true, 0, 0, "database down", NULL),
    CHAT(true, UNTOLD, false, false, false, false, false, 0, 0, "dat", NULL),
    CHAT(true, UNTOLD, true, true, false, true, true, 0, 1,
         " {\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}", NULL),
    CHAT(true, UNTOLD, false, true, true, false, true, 0, 0, "{\"error\":{\"message\":\"m\"}}",
         NULL),
    {LD_ENDPOINT_EMBEDDINGS, false, UNTOLD, false, true, false, false, true, 0, 0, "data: {}\n\n",
     NULL},
    {LD_ENDPOINT_NATIVE, false, UNTOLD, false, true, false, false, true, 0, 0, "data: {}\n\n",
     NULL},
    /* The usage chunk has a choice that says nothing (LiteLLM); what says something passes. */
    CHAT(true, USAGE_358, true, true, false, true, true, 4, 5,
         HELLO STOP LITELLM("{\"index\":0,\"delta\":{}}") DONE, HELLO STOP DONE),
    CHAT(true, USAGE_358, true, true, false, false, true, 3, 0,
         STOP LITELLM("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":"
                      "null,\"tool_calls\":[]},\"finish_reason\":null,\"logprobs\":null},"
                      "{\"index\":1,\"delta\":null}") DONE,
         STOP DONE),
    CHAT(true, USAGE_358, false, true, false, false, true, 2, 0,
         LITELLM("{\"index\":0,\"delta\":{\"role\":\"assistant\"}}") DONE, NULL),
    CHAT(true, USAGE_358, true, false, false, true, true, 2, 1,
         STOP LITELLM("{\"delta\":{\"content\":\"a\"}}"), NULL),
    CHAT(true, USAGE_358, true, false, false, false, true, 2, 0,
         STOP LITELLM("{\"delta\":{},\"finish_reason\":\"stop\"}"), NULL),
    CHAT(true, USAGE_358, true, false, false, true, true, 2, 0,
         STOP LITELLM("{\"delta\":{\"tool_calls\":[{\"id\":\"t\"}]}}"), NULL),
    CHAT(true, USAGE_358, true, false, false, false, true, 2, 0, STOP LITELLM("{\"more\":1}"),
         NULL),
    /* Events parted by one line end: they are read, and get the empty line that they lack. */
    CHAT(true, USAGE_35, true, true, false, true, true, 5, 2, A B END USED "data: [DONE]\n",
         A "\n" B "\n" END "\ndata: [DONE]\n\n"),
    CHAT(true, UNTOLD, true, true, false, true, true, 3, 1, A END "data: [DONE]",
         A "\n" END "\ndata: [DONE]"),
    CHAT(true, UNTOLD, false, true, false, true, true, 2, 1, A "\ndata: [DONE]\n", NULL),
    {LD_ENDPOINT_MESSAGES, true, UNTOLD, true, true, false, true, true, 2, 1,
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":"
     "\"a\"}}\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n",
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":"
     "\"a\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
    /* One event: of several lines of data, with its type or its id behind them, of native paths. */
    CHAT(true, UNTOLD, false, false, false, true, false, 1, 1,
         "data: {\"choices\":[{\"delta\":{}},\ndata: {\"delta\":{\"content\":\"a\"}}]}\n\n", NULL),
    {LD_ENDPOINT_MESSAGES, true, UNTOLD, true, true, false, false, true, 1, 0,
     "data: {\"type\":\"message_stop\"}\nevent: message_stop\nid: 5\n\n", NULL},
    {LD_ENDPOINT_NATIVE, true, UNTOLD, false, false, false, false, true, 1, 0,
     "data: {\"a\":1}\ndata: {\"a\":2}\n\n", NULL},
};

static void an_answer_is_what_its_bytes_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ANSWERS / sizeof ANSWERS[0]; i++)
        check_splits(&ANSWERS[i]);
}

static void single_lines_may_end_in_any_way(void **state)
{
    static const char *const ENDS[] = {"\r", "\r\n"};
    const struct lb_str text = LB_STR(A B END USED "data: [DONE]\n");
    struct relay relay;

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, true);
    for (size_t step = 1; step <= 2 * text.size; step++) {
        struct lb_buf in;
        lb_buf_init(&in, &host, 4096);
        for (size_t i = 0; i < text.size; i++) {
            if (text.p[i] == '\n')
                lb_buf_add_c(&in, ENDS[step % 2]);
            else
                lb_buf_add_byte(&in, text.p[i]);
        }
        start(&relay);
        for (size_t at = 0; at < in.size; at += step)
            feed(&relay, lb_str_sub(lb_buf_str(&in), at, at + step));
        assert_true(relay.tap.filter.report.terminal);
        finish(&relay);
        if (relay.tap.filter.report.events != 5)
            fail_msg("%d at a time: %s", (int)step, lb_buf_c(&relay.forwarded));
        assert_int_equal(relay.tap.filter.report.added, 4);
        assert_null(strstr(lb_buf_c(&relay.forwarded), "usage"));
        end(&relay);
        lb_buf_free(&in);
    }
}

/* Nothing more may come after it. */
static void the_last_line_is_heard_without_an_empty_one(void **state)
{
    static const char *const LAST[] = {"data: [DONE]\n", "data:[DONE]\r\n", "data: [DONE] \r"};
    struct relay relay;

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, true);
    for (size_t i = 0; i < 3; i++) {
        for (size_t step = 1; step < 20; step++) {
            start(&relay);
            feed(&relay, LB_STR(HELLO));
            struct lb_str last = lb_cstr(LAST[i]);
            for (size_t at = 0; at < last.size; at += step) {
                assert_false(relay.tap.filter.report.terminal && last.p[at] != '\n');
                feed(&relay, lb_str_sub(last, at, at + step));
            }
            assert_true(relay.tap.filter.report.terminal);
            end(&relay);
        }
    }
    start(&relay);
    feed(&relay, LB_STR("data: no [DONE]\n"));
    assert_false(relay.tap.filter.report.terminal);
    end(&relay);
}

static void what_is_not_known_yet_is_kept(void **state)
{
    struct relay relay;

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, false);
    start(&relay);
    assert_false(relay.tap.filter.decided);
    feed(&relay, LB_STR("\r\n\nretry"));
    assert_false(relay.tap.filter.decided);
    assert_true(ld_filter_at_boundary(&relay.tap.filter));
    assert_int_equal(relay.forwarded.size, 0);
    feed(&relay, LB_STR(":5\n\n"));
    assert_true(relay.tap.filter.decided && relay.tap.filter.stream);
    assert_string_equal(lb_buf_c(&relay.forwarded), "\r\n\nretry:5\n\n");
    end(&relay);
}

static void a_look_at_the_first_bytes(void **state)
{
    static const struct {
        const char *text;
        enum ld_look look;
    } ROWS[] = {
        {"", LD_LOOK_MORE},
        {"data:", LD_LOOK_EVENTS},
        {"data", LD_LOOK_MORE},
        {"data x", LD_LOOK_UNSAID},
        {"event: x", LD_LOOK_EVENTS},
        {"id:", LD_LOOK_EVENTS},
        {"retry:1", LD_LOOK_EVENTS},
        {": x", LD_LOOK_EVENTS},
        {" \t\r\n{", LD_LOOK_WHOLE},
        {"[", LD_LOOK_WHOLE},
        {"<!DOCTYPE html>", LD_LOOK_WHOLE},
        {"\xef", LD_LOOK_MORE},
        {"\xef\xbb", LD_LOOK_MORE},
        {"\xef\xbb\xbf", LD_LOOK_MORE},
        {"\xef\xbb\xbf{", LD_LOOK_WHOLE},
        {"\xef\xbbx", LD_LOOK_UNSAID},
        {"error: x", LD_LOOK_UNSAID},
        {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", LD_LOOK_MORE},
        {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n{", LD_LOOK_UNSAID},
        {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\ndata:", LD_LOOK_UNSAID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (ld_look(lb_cstr(ROWS[i].text)) != ROWS[i].look)
            fail_msg("%s", ROWS[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_what_its_bytes_say),
        cmocka_unit_test(single_lines_may_end_in_any_way),
        cmocka_unit_test(the_last_line_is_heard_without_an_empty_one),
        cmocka_unit_test(what_is_not_known_yet_is_kept),
        cmocka_unit_test(a_look_at_the_first_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
