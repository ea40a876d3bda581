/* SPDX-License-Identifier: MIT */
/* The answer on its way: what passes, what waits, what a refusal becomes. */
#include "road.h"

static struct road road;

static void often(struct lg_settings *settings)
{
    settings->ping_ms = 20;
}

static int setup(void **state)
{
    (void)state;
    road_setup(&road);
    return 0;
}

static int setup_pings(void **state)
{
    (void)state;
    road_setup_with(&road, often);
    return 0;
}

static void with_window(struct lg_settings *settings)
{
    settings->window_events = 64;
    settings->window_max = 256 << 10;
    settings->first_content_ms = 60000;
}

static int setup_window(void **state)
{
    (void)state;
    road_setup_with(&road, with_window);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    road_teardown(&road);
    return 0;
}

static void the_usage_that_only_we_asked_for_stays_here(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    x_head(x, ROAD_EVENTS);
    x_read(x, ROAD_HELLO, false);
    x_read(x, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
           false);
    x_read(x, ROAD_STOP, true);
    road_hear(caller, "[DONE]");
    assert_false(road_has(caller, "prompt_tokens"));
    assert_int_equal(road_rows(&road, "prompt_tokens = 3 AND completion_tokens = 2"), 1);
    road_hang_up(caller);
}

/* What platforms say before they come to the point. */
static char much[8192];

/* The platform begins a refusal of what it is asked. */
static struct exchange *refuse(struct caller *caller)
{
    snprintf(much, sizeof much, "%0*d", (int)sizeof much - 1, 0);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    x_head(x, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
              "Transfer-Encoding: chunked\r\n\r\n");
    return x;
}

/* Some platforms repeat the request before they say what is wrong with it. */
static void a_refusal_is_told_by_what_stands_behind_much_else(void **state)
{
    struct caller *caller = road_call(&road);
    struct exchange *x = refuse(caller);

    (void)state;
    x_read(x, "{\"message\":\"your request follows\",\"request\":\"", false);
    for (int i = 0; i < 20; i++)
        x_read(x, much, false);
    x_read(x,
           "\",\"error\":{\"message\":\"too long\",\"type\":\"invalid_request_error\",\"code\":"
           "\"context_length_exceeded\",\"key\":\"sk-site-0123456789\"}}",
           true);
    road_hear(caller, "context_length_exceeded");
    assert_true(road_has(caller, "HTTP/1.1 400"));
    assert_true(road_has(caller, "\"message\":\"too long\""));
    assert_true(road_has(caller, "\"type\":\"invalid_request_error\""));
    assert_false(road_has(caller, "sk-site-0123456789"));
    road_hang_up(caller);
}

static void a_refusal_without_end_is_told_all_the_same(void **state)
{
    struct caller *caller = road_call(&road);
    struct exchange *x = refuse(caller);

    (void)state;
    x_read(x, "{\"request\":\"", false);
    for (int i = 0; i < 200 && !road_has(caller, "HTTP/1.1 400"); i++)
        x_read(x, much, false);
    road_hear(caller, "HTTP/1.1 400");
    road_hang_up(caller);
}

/* The platform is held back while its caller takes nothing, and goes on when he does. */
static void a_caller_who_does_not_read_holds_his_platform_back(void **state)
{
    static char event[8192];

    (void)state;
    struct caller *caller = road_call(&road);
    snprintf(event, sizeof event, "data: {\"choices\":[{\"delta\":{\"content\":\"%0*d\"}}]}\n\n",
             8000, 0);
    road_say(caller, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    x_head(x, ROAD_EVENTS);
    for (unsigned reads = 0; !x->paused; reads++) {
        assert_true(reads < 1000);
        x_read(x, event, false);
    }
    while (x->paused) {
        road_forget_heard(caller);
        ln_loop_turn(road.worker->loop, true);
    }
    x_read(x, ROAD_STOP, true);
    road_hear(caller, "[DONE]");
    road_hang_up(caller);
}

static void silence_before_the_head_is_bridged_once_it_lasts(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    road_hear(caller, "HTTP/1.1 200");
    road_hear(caller, ": ");
    x_head(x, ROAD_EVENTS);
    x_read(x, ROAD_HELLO ROAD_STOP, true);
    road_hear(caller, "[DONE]");
    road_hang_up(caller);
}

/* The caller has a head of ours: nothing is begun again, though it could be without. */
static void what_has_begun_is_not_tried_again(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    road_hear(caller, "HTTP/1.1 200");
    x_head(x, "HTTP/1.1 400 No\r\nContent-Length: 60\r\n\r\n");
    x_read(x, "{\"error\":{\"message\":\"unknown argument: stream_options\"}}", true);
    road_hear(caller, "data: {\"error\":");
    road_turn(&road);
    assert_int_equal(road.count, 1);
    assert_true(caller->ended || road_has(caller, "\r\n0\r\n\r\n"));
    assert_int_equal(road_rows(&road, "end_state = 'upstream_error' AND upstream_status = 400"), 1);
    road_hang_up(caller);
}

static void a_refusal_keeps_its_status_and_its_words(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    x_head(x, "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 60\r\n\r\n");
    x_read(x, "{\"error\":{\"message\":\"slower, sk-site-0123456789\"", false);
    x_read(x, ",\"type\":\"x\"}}", true);
    road_hear(caller, "HTTP/1.1 429");
    road_hear(caller, "slower, ");
    assert_true(road_has(caller, "retry-after: 7\r\n"));
    assert_false(road_has(caller, "sk-site-0123456789"));
    road_hang_up(caller);
}

/* It would read like a word about the caller's token. A 403 has many reasons. */
static void a_refused_key_is_told_in_our_words(void **state)
{
    static const struct {
        const char *status, *body, *told;
    } ROWS[] = {
        {"401", "leave", "HTTP/1.1 502"},
        {"407", "leave", "HTTP/1.1 502"},
        {"403", "{\"error\":{\"code\":\"invalid_api_key\",\"message\":\"no\"}}", "HTTP/1.1 502"},
        {"403", "{\"error\":{\"message\":\"not in this country\"}}", "HTTP/1.1 403"},
    };

    (void)state;
    struct caller *caller = road_call(&road);
    for (unsigned i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char head[80];
        road_forget_heard(caller);
        road_say(caller, ROAD_CHAT);
        snprintf(head, sizeof head, "HTTP/1.1 %s No\r\nTransfer-Encoding: chunked\r\n\r\n",
                 ROWS[i].status);
        x_head(road_exchange(&road, i + 1), head);
        x_read(road_exchange(&road, i + 1), ROWS[i].body, true);
        road_hear(caller, ROWS[i].told);
        road_hear(caller, i < 3 ? "House" : "not in this country");
    }
    road_hang_up(caller);
}

/* Longer than anybody looks at: enough has come to tell what it says. */
static void a_refusal_without_end_is_cut(void **state)
{
    static char text[LD_REFUSAL_MAX + 100];

    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    memset(text, 'x', sizeof text - 1);
    x_head(x, "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n");
    x_read(x, text, false);
    assert_true(x->forgotten);
    road_hear(caller, "HTTP/1.1 500");
    road_hang_up(caller);
}

/* Announced as events, and told as one: whether the head has left yet makes no difference. */
static void an_error_in_the_place_of_events_is_told(void **state)
{
    static const char ERROR[] = "{\"error\":{\"message\":\"bad luck\"}}";

    (void)state;
    for (unsigned reads = 1; reads <= 2; reads++) {
        struct caller *caller = road_call(&road);
        road_say(caller, ROAD_STREAM);
        struct exchange *x = road_exchange(&road, reads);
        x_head(x, ROAD_EVENTS);
        x_read(x, ERROR, reads == 1);
        if (reads == 2)
            x_read(x, "\n", true);
        road_hear(caller, "HTTP/1.1 200");
        road_hear(caller, "bad luck");
        road_hear(caller, "\r\n0\r\n\r\n");
        road_hang_up(caller);
    }
    assert_int_equal(road_rows(&road, "end_state = 'upstream_error'"), 2);
}

static void an_answer_in_a_coding_that_nobody_reads_passes_unread(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    x_head(x, "HTTP/1.1 200 OK\r\nContent-Encoding: zz\r\nContent-Length: 5\r\n\r\n");
    x_read(x, "12345", true);
    road_hear(caller, "12345");
    assert_int_equal(road_rows(&road, "end_state = 'completed' AND bytes_out = 5"), 1);
    road_hang_up(caller);
}

/* Of a window's answer either all leaves or nothing: not what lies on both sides of a gap. */
static void what_a_window_cannot_hold_is_no_part_of_an_answer(void **state)
{
    static const char FIRST[] = "data: {\"choices\":[{\"index\":0,";
    static const char REST[] = "\"delta\":{\"role\":\"assistant\"}}]}\n\n" ROAD_HELLO ROAD_STOP;
    unsigned lost = 0;

    (void)state;
    for (unsigned nth = 1; nth < ROAD_EXCHANGES; nth++) {
        struct caller *caller = road_call(&road);
        road_say(caller, ROAD_STREAM);
        struct exchange *x = road_exchange(&road, nth);
        road_request(&road, 1)->attempt->may_move = true;
        x_head(x, ROAD_EVENTS);
        x_read(x, FIRST, false);
        (void)road_fail_nth(nth);
        x_read(x, REST, true);
        const bool has_failed = road_fail_nth(0);
        road_hear(caller, "\r\n\r\n");
        road_turn(&road);
        const bool is_answer = road_has(caller, "HTTP/1.1 200");
        assert_int_equal(road_has(caller, "Hello"), is_answer);
        assert_int_equal(road_has(caller, "assistant"), is_answer);
        assert_int_equal(road_has(caller, "[DONE]"), is_answer);
        assert_true(is_answer || has_failed);
        lost += !is_answer;
        road_hang_up(caller);
    }
    assert_int_not_equal(lost, 0);
    assert_int_equal(road_rows(&road, "end_state = 'completed'"), ROAD_EXCHANGES - 1 - lost);
}

int main(void)
{
#define WINDOWED(name) cmocka_unit_test_setup_teardown(name, setup_window, teardown)
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define PINGED(name) cmocka_unit_test_setup_teardown(name, setup_pings, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_usage_that_only_we_asked_for_stays_here),
        TEST(a_refusal_is_told_by_what_stands_behind_much_else),
        TEST(a_refusal_without_end_is_told_all_the_same),
        TEST(a_caller_who_does_not_read_holds_his_platform_back),
        PINGED(silence_before_the_head_is_bridged_once_it_lasts),
        PINGED(what_has_begun_is_not_tried_again),
        TEST(a_refusal_keeps_its_status_and_its_words),
        TEST(a_refused_key_is_told_in_our_words),
        TEST(a_refusal_without_end_is_cut),
        TEST(an_error_in_the_place_of_events_is_told),
        TEST(an_answer_in_a_coding_that_nobody_reads_passes_unread),
        WINDOWED(what_a_window_cannot_hold_is_no_part_of_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
