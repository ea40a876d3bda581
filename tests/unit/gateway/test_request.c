/* SPDX-License-Identifier: MIT */
/* The way of a request: which steps it passes, and that it ends well wherever it ends. */
#include "road.h"

#define API_BODY "{\"platform_name\":\"x\"}"

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

/* "ACCEPT MATCH … end" of the request that was traced last; the log is emptied. */
static const char *way(void)
{
    static char steps[1024];
    char *line = road.db.log;
    size_t size = 0;

    while ((line = strstr(line, ": ")) != NULL) {
        const char *arrow = strstr(line, " -> ");
        const char *end = strchr(line, '\n');
        line += 2;
        if (arrow == NULL || end == NULL || arrow > end)
            continue;
        if (size == 0)
            size = (size_t)snprintf(steps, sizeof steps, "%.*s", (int)(arrow - line), line);
        size += (size_t)snprintf(steps + size, sizeof steps - size, " %.*s", (int)(end - arrow - 4),
                                 arrow + 4);
    }
    road.db.log[0] = '\0';
    return steps;
}

static void a_request_passes_each_step_once_and_in_order(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road.db.log[0] = '\0';
    road_say(caller, ROAD_CHAT);
    x_head(road_exchange(&road, 1), ROAD_200 "14\r\n\r\n");
    x_read(road_exchange(&road, 1), "{\"choices\":[]}", true);
    road_hear(caller, "{\"choices\":[]}");
    assert_string_equal(way(), "ACCEPT MATCH IDENTIFY READ HANDLE TARGET ADMIT OWN OPEN PREPARE"
                               " SEND RELAY SETTLE FINISH end");
    road_hang_up(caller);
}

static void another_attempt_goes_back_to_its_admission(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    road.db.log[0] = '\0';
    x_head(x, "HTTP/1.1 400 No\r\nContent-Length: 60\r\n\r\n");
    x_read(x, "{\"error\":{\"message\":\"unknown argument: stream_options\"}}", true);
    x = road_exchange(&road, 2);
    x_head(x, ROAD_EVENTS);
    x_read(x, ROAD_HELLO ROAD_STOP, true);
    road_hear(caller, "[DONE]");
    while (road_request(&road, 1) != NULL) /* it remembers what it learnt, off the loop */
        ln_loop_turn(road.worker->loop, true);
    assert_string_equal(way(), "RELAY SETTLE ADMIT OWN OPEN PREPARE SEND RELAY SETTLE FINISH end");
    road_say(caller, ROAD_STREAM);
    assert_null(strstr(road_exchange(&road, 3)->body, "stream_options"));
    road_hang_up(caller);
}

static void whatever_fails_leads_to_settle_and_finish(void **state)
{
    static const struct {
        const char *request, *answer, *way;
    } ROWS[] = {
        {"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404",
         "ACCEPT MATCH SETTLE FINISH end"},
        {"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 501",
         "ACCEPT MATCH SETTLE FINISH end"},
        {"GET /v1/models HTTP/1.1\r\nHost: elsewhere\r\n\r\n", "HTTP/1.1 403",
         "ACCEPT MATCH IDENTIFY SETTLE FINISH end"},
        {ROAD_POST("/v1/chat/completions", "1", "") "[", "HTTP/1.1 400",
         "ACCEPT MATCH IDENTIFY READ SETTLE FINISH end"},
        {ROAD_POST("/v1/chat/completions", "13", "") "{\"model\":\"x\"}", "HTTP/1.1 404",
         "ACCEPT MATCH IDENTIFY READ HANDLE TARGET SETTLE FINISH end"},
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200",
         "ACCEPT MATCH IDENTIFY READ HANDLE SETTLE FINISH end"},
    };

    (void)state;
    road_warm(&road);
    struct caller *caller = road_call(&road);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        road_forget_heard(caller);
        road.db.log[0] = '\0';
        road_say(caller, ROWS[i].request);
        road_hear(caller, ROWS[i].answer);
        road_hear(caller, "}");
        const char *steps = way();
        if (strcmp(steps, ROWS[i].way) != 0)
            fail_msg("%s: %s", ROWS[i].request, steps);
    }
    assert_int_equal(road_metric(&road, LG_METRIC_REQUESTS_OPEN), 0);
    road_hang_up(caller);
}

static void an_error_speaks_the_dialect_of_its_own_request(void **state)
{
    (void)state;
    road_warm(&road);
    struct caller *caller = road_call(&road), *other = road_call(&road);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 2);
    assert_false(road_request(&road, 1)->kept);
    /* The buffer in which the first one's path stood has another's by now. */
    road_say(other, ROAD_POST("/api/platforms/1/models/2", "21", "") API_BODY "\n");
    road_hear(other, "HTTP/1.1 4");
    x_end(x, LLMGR_ERR_UNREACHABLE, "nobody is there");
    road_hear(caller, "nobody is there");
    assert_true(road_has(caller, "{\"error\":{\"message\":"));
    assert_false(road_has(caller, "problem+json"));
    road_hang_up(caller);
    road_hang_up(other);
}

static void who_leaves_while_it_waits_is_forgotten(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_POST("/v1/chat/completions", "31", "") "{\"model\":");
    assert_int_equal(road_request(&road, 1)->step, LG_STEP_READ);
    road_hang_up(caller);
    assert_int_equal(road_metric(&road, LG_METRIC_REQUESTS_OPEN), 0);
    assert_int_equal(road.asked, 0);
    assert_int_equal(road.worker->client_count, 0);
}

/* Its body comes in as many pieces as it likes. */
static void a_body_in_pieces_asks_the_same(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n");
    road_say(caller, "5\r\n{\"mod\r\n");
    road_say(caller, "1a\r\nel\":\"Small\",\"messages\":[]}\r\n");
    assert_int_equal(road.count, 0);
    road_say(caller, "0\r\n\r\n");
    assert_string_equal(road_exchange(&road, 1)->body, "{\"model\":\"small-1\",\"messages\":[]}");
    road_hang_up(caller);
}

static void a_stream_that_lasts_gives_its_block_back(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    const struct lg_request *request = road_request(&road, 1);
    const struct lg_attempt *before = request->attempt;
    assert_non_null(request->block);
    assert_non_null(request->head); /* another attempt may need it */
    assert_true(request->body.capacity > 0);
    x_head(x, ROAD_EVENTS);
    x_read(x, ROAD_HELLO, false);
    assert_null(request->block);
    assert_null(request->head); /* none follows */
    assert_int_equal(request->body.capacity, 0);
    assert_int_equal(road.worker->room_count, 1);
    assert_true(request->parked != NULL && request->attempt != before);
    /* What it keeps is enough for the rest, a quoted key included. */
    x_read(x, "data: {\"error\":{\"message\":\"bad key sk-site-0123456789\"}}\n\n", false);
    x_read(x, ROAD_STOP, true);
    road_hear(caller, "[DONE]");
    assert_true(road_has(caller, "bad key"));
    assert_false(road_has(caller, "sk-site-0123456789"));
    assert_int_equal(road_rows(&road, "model_name = 'small-1' AND platform_name = 'House'"), 1);
    road_hang_up(caller);
}

/* Its head does not say that it is one: its first bytes do. */
static void a_stream_known_by_its_bytes_gives_its_block_back(void **state)
{
    static const char *const TYPES[] = {"", "Content-Type: text/plain\r\n"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char head[256];
        struct caller *caller = road_call(&road);
        road_say(caller, ROAD_STREAM);
        struct exchange *x = road_exchange(&road, i + 1);
        const struct lg_request *request = road_request(&road, 1);
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n",
                 TYPES[i]);
        x_head(x, head);
        x_read(x, "\nda", false); /* what is not told yet is kept where it is known */
        assert_non_null(request->block);
        assert_null(request->parked);
        x_read(x, "ta: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel", false);
        x_read(x, "lo\"}}]}\n\n" ROAD_HELLO, false);
        assert_null(request->block);
        assert_non_null(request->parked);
        assert_null(request->head);
        assert_int_equal(request->body.capacity, 0);
        assert_int_equal(road.worker->room_count, 1);
        /* What it keeps is enough for the rest. */
        x_read(x, "data: {\"error\":{\"message\":\"bad key sk-site-0123456789\"}}\n\n", false);
        x_read(x, ROAD_STOP, true);
        road_hear(caller, "[DONE]");
        assert_true(road_has(caller, "Hello\"}}]}\n\n" ROAD_HELLO));
        assert_true(road_has(caller, "bad key"));
        assert_false(road_has(caller, "sk-site-0123456789"));
        road_hang_up(caller);
    }
    assert_int_equal(road_rows(&road, "model_name = 'small-1' AND platform_name = 'House'"), 2);
}

static void a_stream_whose_request_is_still_sent_stays(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_STREAM);
    struct exchange *x = road_exchange(&road, 1);
    const struct lg_request *request = road_request(&road, 1);
    x->holds_body = true;
    x_head(x, ROAD_EVENTS);
    x_read(x, ROAD_HELLO, false);
    assert_non_null(request->block);
    assert_true(request->body.capacity > 0);
    x_read(x, ROAD_STOP, true);
    road_hear(caller, "[DONE]");
    road_hang_up(caller);
}

/* Before and behind the head. */
static void what_is_under_way_at_the_drains_end_is_told(void **state)
{
    (void)state;
    struct caller *early = road_call(&road), *late = road_call(&road);
    road_say(early, ROAD_CHAT);
    struct exchange *first = road_exchange(&road, 1);
    road_say(late, ROAD_STREAM);
    struct exchange *second = road_exchange(&road, 2);
    x_head(second, ROAD_EVENTS);
    x_read(second, ROAD_HELLO, false);
    lg_request_cut(road_request(&road, 1));
    lg_request_cut(road_request(&road, 2));
    road_hear(early, "HTTP/1.1 503");
    road_hear(late, "data: {\"error\":");
    assert_true(first->forgotten && second->forgotten);
    assert_int_equal(road_rows(&road, "end_state = 'limit_cut'"), 2);
    road_hang_up(early);
    road_hang_up(late);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_passes_each_step_once_and_in_order),
        TEST(another_attempt_goes_back_to_its_admission),
        TEST(whatever_fails_leads_to_settle_and_finish),
        TEST(an_error_speaks_the_dialect_of_its_own_request),
        TEST(who_leaves_while_it_waits_is_forgotten),
        TEST(a_body_in_pieces_asks_the_same),
        TEST(a_stream_that_lasts_gives_its_block_back),
        TEST(a_stream_known_by_its_bytes_gives_its_block_back),
        TEST(a_stream_whose_request_is_still_sent_stays),
        TEST(what_is_under_way_at_the_drains_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
