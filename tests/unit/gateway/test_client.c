/* SPDX-License-Identifier: MIT */
/* Bytes of a connection become requests: one at a time, in order, and none twice. */
#include "road.h"

#define ROOT "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

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

static unsigned count_of(struct caller *caller, const char *text)
{
    unsigned count = 0;

    (void)road_heard(caller);
    for (const char *at = caller->heard; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void a_head_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    for (const char *at = ROOT; *at != '\0'; at++) {
        const char byte[] = {*at, '\0'};
        assert_int_equal(road_metric(&road, LG_METRIC_REQUESTS), 0);
        road_say(caller, byte);
    }
    road_hear(caller, "\"name\":\"llmgr\"");
    assert_int_equal(road_metric(&road, LG_METRIC_REQUESTS), 1);
    road_hang_up(caller);
}

static void what_is_pipelined_is_answered_in_order(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROOT ROAD_CHAT ROOT);
    road_hear(caller, "\"name\":\"llmgr\"");
    struct exchange *x = road_exchange(&road, 1);
    assert_int_equal(count_of(caller, "HTTP/1.1 200"), 1); /* the third waits for the second */
    x_head(x, ROAD_200 "14\r\n\r\n");
    x_read(x, "{\"choices\":[]}", true);
    while (count_of(caller, "HTTP/1.1 200") < 3)
        ln_loop_turn(road.worker->loop, true);
    const char *chat = strstr(caller->heard, "{\"choices\":[]}");
    assert_non_null(chat);
    assert_non_null(strstr(chat, "\"name\":\"llmgr\""));
    assert_int_equal(road_metric(&road, LG_METRIC_REQUESTS), 3);
    road_hang_up(caller);
}

static void many_heads_at_once_are_all_served(void **state)
{
    enum { MANY = 100 };
    static char all[MANY * sizeof ROOT];

    (void)state;
    struct caller *caller = road_call(&road);
    for (unsigned i = 0; i < MANY; i++)
        strcat(all, ROOT);
    road_say(caller, all);
    while (count_of(caller, "HTTP/1.1 200") < MANY)
        ln_loop_turn(road.worker->loop, true);
    assert_int_equal(road_metric(&road, LG_METRIC_REQUESTS), MANY);
    assert_int_equal(road.worker->client_count, 1);
    road_hang_up(caller);
}

static void what_is_no_request_is_refused_and_ends(void **state)
{
    static const struct {
        const char *text, *answer;
    } ROWS[] = {
        {"nonsense\r\n\r\n", "HTTP/1.1 400"},
        {"GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 400"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct caller *caller = road_call(&road);
        road_say(caller, ROWS[i].text);
        road_hear(caller, ROWS[i].answer);
        road_hear(caller, "connection: close");
        road_hang_up(caller);
    }
    assert_int_equal(road_metric(&road, LG_METRIC_REQUESTS), 0);
    assert_int_equal(road_metric(&road, LG_METRIC_BAD_HTTP), 4);
    assert_int_equal(road.worker->client_count, 0);
}

static void a_connection_that_says_so_is_closed_behind_its_answer(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" ROOT);
    road_hear(caller, "\"name\":\"llmgr\"");
    while (!caller->ended) {
        ln_loop_turn(road.worker->loop, true);
        (void)road_heard(caller);
    }
    assert_int_equal(count_of(caller, "HTTP/1.1 200"), 1);
    road_hang_up(caller);
}

/* A body that is refused but lies there whole is thrown away: the next request is understood. */
static void an_unread_body_does_not_cost_the_connection(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_POST("/nowhere", "31", "") ROAD_CHAT_BODY);
    road_hear(caller, "HTTP/1.1 404");
    road_say(caller, ROOT);
    road_hear(caller, "\"name\":\"llmgr\"");
    road_hang_up(caller);
}

/* More than is kept behind a request under way is not read, and nothing of it is lost. */
static void what_is_sent_ahead_waits_in_the_kernel(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    char ahead[LG_PIPELINE_MAX / 2];
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    snprintf(ahead, sizeof ahead, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: %016000d\r\n\r\n",
             0);
    for (unsigned i = 0; i < 5; i++)
        road_say(caller, ahead);
    const struct lg_client *client = road_request(&road, 1)->client;
    assert_true(client->stopped);
    assert_true(client->in.size <= LG_PIPELINE_MAX + LN_READ_SIZE);
    x_head(x, ROAD_200 "14\r\n\r\n");
    x_read(x, "{\"choices\":[]}", true);
    while (count_of(caller, "\"name\":\"llmgr\"") < 5)
        ln_loop_turn(road.worker->loop, true);
    assert_int_equal(client->in.capacity, 0); /* an idle connection owns no buffer */
    road_hang_up(caller);
}

/* Who sends on and reads nothing has no work done for him beyond what he is owed. */
static void who_does_not_read_is_not_served_further(void **state)
{
    enum { MANY = 40 };
    static const char ANSWER[] = "HTTP/1.1 200";
    static char all[MANY * 80];

    (void)state;
    struct caller *caller = road_call(&road);
    for (unsigned i = 0; i < MANY; i++)
        strcat(all, "GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    road_say(caller, all);
    for (unsigned i = 0; i < 100; i++)
        road_turn(&road);
    const uint64_t served = road_metric(&road, LG_METRIC_REQUESTS);
    assert_true(served > 0 && served < MANY / 2);
    for (unsigned seen = 0; seen < MANY;) {
        (void)road_heard(caller);
        seen += count_of(caller, ANSWER);
        const size_t kept = caller->size < sizeof ANSWER - 2 ? caller->size : sizeof ANSWER - 2;
        memmove(caller->heard, caller->heard + caller->size - kept, kept); /* it may be cut */
        caller->size = kept;
        ln_loop_turn(road.worker->loop, seen < MANY);
    }
    road_hang_up(caller);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_head_may_come_byte_by_byte),
        TEST(what_is_pipelined_is_answered_in_order),
        TEST(many_heads_at_once_are_all_served),
        TEST(what_is_no_request_is_refused_and_ends),
        TEST(a_connection_that_says_so_is_closed_behind_its_answer),
        TEST(an_unread_body_does_not_cost_the_connection),
        TEST(what_is_sent_ahead_waits_in_the_kernel),
        TEST(who_does_not_read_is_not_served_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
