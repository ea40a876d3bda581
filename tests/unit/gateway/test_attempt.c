/* SPDX-License-Identifier: MIT */
/* Each attempt is a record, exactly one, and before its last byte leaves. */
#include "road.h"

#define REFUSED                                                                                    \
    "{\"error\":{\"message\":\"Unrecognized request argument supplied: stream_options\"}}"

static struct road road;

static int setup(void **state)
{
    (void)state;
    road_setup(&road);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    road_teardown(&road);
    return 0;
}

/* A refusal of what we asked for. */
static void refuse_options(struct exchange *x)
{
    x_head(x, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
              "Content-Length: 80\r\n\r\n");
    x_read(x, REFUSED, true);
}

static void a_whole_answer_is_one_record(void **state)
{
    const char *answer = "{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}";

    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    assert_string_equal(x->method, "POST");
    assert_string_equal(x->path, "/chat/completions");
    assert_string_equal(x->key, "sk-site-0123456789");
    assert_string_equal(x->body, "{\"model\":\"small-1\",\"messages\":[]}");
    x_head(x, ROAD_200 "64\r\n\r\n");
    x_read(x, answer, true);
    road_hear(caller, answer);
    assert_int_equal(road.recorded, 1);
    assert_int_equal(road_rows(&road, "attempt = 1 AND end_state = 'completed' AND"
                                      " upstream_status = 200 AND prompt_tokens = 3 AND"
                                      " completion_tokens = 5 AND provenance = 'reported'"),
                     1);
    road_hang_up(caller);
}

/* In one read or in many. */
static void the_record_counts_every_byte_of_the_answer(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    x_head(road_exchange(&road, 1), ROAD_200 "14\r\n\r\n");
    x_read(road_exchange(&road, 1), "{\"choices\":[]}", true);
    road_hear(caller, "{\"choices\":[]}");
    road_say(caller, ROAD_CHAT);
    x_head(road_exchange(&road, 2), ROAD_200 "14\r\n\r\n");
    x_read(road_exchange(&road, 2), "{\"choices\"", false);
    x_read(road_exchange(&road, 2), ":[]}", true);
    road_hear(caller, ":[]}");
    assert_int_equal(road_rows(&road, "bytes_out = 14 AND bytes_in = 31"), 2);
    assert_int_equal(road_metric(&road, LG_METRIC_BYTES_OUT), 28);
    road_hang_up(caller);
}

static struct caller *listener;

static void nothing_has_ended(void *context)
{
    (void)context;
    assert_false(road_has(listener, "\r\n0\r\n\r\n"));
    assert_false(road_has(listener, "[DONE]"));
}

static void a_record_is_written_before_the_last_byte_leaves(void **state)
{
    (void)state;
    listener = road_call(&road);
    road_say(listener, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    road.on_record = nothing_has_ended;
    x_head(x, ROAD_EVENTS);
    x_read(x, ROAD_HELLO, false);
    road_hear(listener, "Hello");
    x_read(x, ROAD_STOP, true);
    assert_int_equal(road.recorded, 1);
    road_hear(listener, "[DONE]");
    road_hear(listener, "\r\n0\r\n\r\n");
    road_hang_up(listener);
}

static void each_attempt_is_a_record_of_its_own(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller,
             ROAD_POST("/v1/chat/completions", "31", "OpenAI-Beta: x=1\r\n") ROAD_STREAM_BODY);
    struct exchange *first = road_exchange(&road, 1);
    assert_non_null(strstr(first->body, "\"stream_options\":{\"include_usage\":true}"));
    refuse_options(first);
    struct exchange *second = road_exchange(&road, 2);
    assert_string_equal(second->body, "{\"model\":\"small-1\",\"stream\":true}");
    assert_string_equal(second->method, first->method);
    assert_string_equal(second->path, first->path);
    assert_string_equal(second->fields, first->fields);
    assert_non_null(strstr(second->fields, "openai-beta: x=1\n"));
    assert_string_equal(second->key, first->key);
    x_head(second, ROAD_EVENTS);
    x_read(second, ROAD_HELLO ROAD_STOP, true);
    road_hear(caller, "[DONE]");
    assert_false(road_has(caller, "Unrecognized"));
    assert_int_equal(road_rows(&road, "attempt = 1 AND end_state = 'upstream_error' AND"
                                      " upstream_status = 400"),
                     1);
    assert_int_equal(road_rows(&road, "attempt = 2 AND end_state = 'completed' AND"
                                      " upstream_status = 200"),
                     1);
    assert_int_equal(road.asked, 2);
    road_hang_up(caller);
}

/* Others' requests come through the same buffers meanwhile. */
static void what_another_attempt_needs_is_kept(void **state)
{
    (void)state;
    road_warm(&road);
    struct caller *caller = road_call(&road), *other = road_call(&road);
    road_say(caller,
             ROAD_POST("/v1/chat/completions", "31", "OpenAI-Beta: mine\r\n") ROAD_STREAM_BODY);
    struct exchange *first = road_exchange(&road, 2);
    road_say(other, ROAD_POST("/v1/chat/completions", "31",
                              "OpenAI-Beta: theirs\r\n") "{\"model\":\"Large\",\"messages\":[]}");
    assert_non_null(strstr(road_exchange(&road, 3)->fields, "openai-beta: theirs\n"));
    refuse_options(first);
    struct exchange *again = road_exchange(&road, 4);
    assert_non_null(strstr(again->fields, "openai-beta: mine\n"));
    assert_string_equal(again->body, "{\"model\":\"small-1\",\"stream\":true}");
    road_hang_up(caller);
    road_hang_up(other);
}

static void a_second_refusal_is_the_answer(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    refuse_options(road_exchange(&road, 1));
    refuse_options(road_exchange(&road, 2));
    road_hear(caller, "HTTP/1.1 400");
    road_hear(caller, "Unrecognized");
    road_turn(&road);
    assert_int_equal(road.count, 2);
    assert_int_equal(road_rows(&road, "end_state = 'upstream_error'"), 2);
    road_hang_up(caller);
}

static void nothing_that_was_not_sent_is_recorded(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road.start_fails = LLMGR_ERR_ADDRESS;
    road_say(caller, ROAD_CHAT);
    road_hear(caller, "HTTP/1.1 403");
    assert_int_equal(road.asked, 1);
    assert_int_equal(road.given_back, 1);
    road_forget_heard(caller);
    road_say(caller, ROAD_POST("/v1/chat/completions", "20", "") "{\"model\":\"nowhere\"}\n");
    road_hear(caller, "HTTP/1.1 404");
    assert_int_equal(road.asked, 1);
    assert_int_equal(road_rows(&road, "1 = 1"), 0);
    road_hang_up(caller);
}

static void who_leaves_is_recorded_as_gone(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    road_hang_up(caller);
    assert_true(x->forgotten);
    assert_int_equal(road_rows(&road, "end_state = 'client_gone' AND upstream_status IS NULL"), 1);
    caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    x = road_exchange(&road, 2);
    x_head(x, ROAD_EVENTS);
    x_read(x, ROAD_HELLO, false);
    road_hang_up(caller);
    assert_true(x->forgotten);
    assert_int_equal(road_rows(&road, "end_state = 'client_gone' AND upstream_status = 200"), 1);
    assert_int_equal(road_metric(&road, LG_METRIC_CLIENT_GONE), 2);
    assert_int_equal(road_metric(&road, LG_METRIC_REQUESTS_OPEN), 0);
}

static void an_answer_that_ends_early_is_recorded_as_cut(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    x_head(x, ROAD_EVENTS);
    x_read(x, ROAD_HELLO, false);
    x_end(x, LLMGR_ERR_CUT, "the connection broke");
    road_hear(caller, "the connection broke"); /* as an event, for the stream stands between two */
    assert_int_equal(road_rows(&road, "end_state = 'upstream_cut'"), 1);
    road_hang_up(caller);
    caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    x_end(road_exchange(&road, 2), LLMGR_ERR_UNREACHABLE, "nobody is there");
    road_hear(caller, "HTTP/1.1 502");
    assert_int_equal(road_rows(&road, "end_state = 'upstream_error'"), 1);
    road_hang_up(caller);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_answer_is_one_record),
        TEST(the_record_counts_every_byte_of_the_answer),
        TEST(a_record_is_written_before_the_last_byte_leaves),
        TEST(each_attempt_is_a_record_of_its_own),
        TEST(what_another_attempt_needs_is_kept),
        TEST(a_second_refusal_is_the_answer),
        TEST(nothing_that_was_not_sent_is_recorded),
        TEST(who_leaves_is_recorded_as_gone),
        TEST(an_answer_that_ends_early_is_recorded_as_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
