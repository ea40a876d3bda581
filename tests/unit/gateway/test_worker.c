/* SPDX-License-Identifier: MIT */
/* A worker: what it lends its requests, and how it takes news and ends. */
#include "road.h"

#include "gateway/body.h"

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

static void ids_are_made_once(void **state)
{
    char before[LG_ID_SIZE] = "", id[LG_ID_SIZE];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct lb_str made = lg_worker_make_id(road.worker, id);
        assert_int_equal(made.size, 30);
        assert_true(lb_str_starts(made, LB_STR("req_")));
        assert_true(i == 0 || memcmp(before, id, 30) < 0);
        memcpy(before, id, 30);
    }
}

static void a_request_keeps_the_settings_it_began_with(void **state)
{
    struct lg_settings other;

    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    const struct lg_settings *before = road.worker->settings;
    other = road.settings;
    other.decision_headers = true;
    assert_int_equal(lg_worker_tell(road.worker, &other), LLMGR_OK);
    other.upload_max = 77; /* overtaken before it looked */
    assert_int_equal(lg_worker_tell(road.worker, &other), LLMGR_OK);
    while (road.worker->settings == before)
        ln_loop_turn(road.worker->loop, true);
    assert_int_equal(road.worker->settings->upload_max, 77);
    assert_ptr_equal(road_request(&road, 1)->settings, before);
    assert_int_equal(before->holders, 1);
    x_head(x, ROAD_200 "14\r\n\r\n");
    x_read(x, "{\"choices\":[]}", true);
    road_hear(caller, "{\"choices\":[]}");
    assert_false(road_has(caller, "x-llmgr-model"));
    road_say(caller, ROAD_CHAT);
    x_head(road_exchange(&road, 2), ROAD_200 "14\r\n\r\n");
    x_read(road_exchange(&road, 2), "{\"choices\":[]}", true);
    road_hear(caller, "x-llmgr-model: small-1");
    road_hang_up(caller);
}

static void bodies_and_blocks_are_used_again(void **state)
{
    struct lb_buf body;

    (void)state;
    lg_worker_take_body(road.worker, 20000, 100000, &body);
    assert_non_null(lb_buf_reserve(&body, 20000));
    const char *memory = body.data;
    lg_worker_put_body(road.worker, &body);
    assert_int_equal(road.worker->body_count, 1);
    lg_worker_take_body(road.worker, 100, 100000, &body); /* a small one takes none of those */
    assert_int_equal(road.worker->body_count, 1);
    lb_buf_free(&body);
    lg_worker_take_body(road.worker, 10000, 10000, &body);
    assert_ptr_equal(body.data, memory);
    assert_int_equal(body.limit, 10000);
    lg_worker_put_body(road.worker, &body);

    struct caller *caller = road_call(&road);
    for (unsigned i = 0; i < 3; i++) {
        road_forget_heard(caller);
        road_say(caller, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        road_hear(caller, "llmgr");
    }
    assert_int_equal(road.worker->spare_count, 1);
    assert_int_equal(road.worker->room_count, 1);
    road_hang_up(caller);
}

/* A secret body's memory is nobody's to see again. */
static void what_may_hold_a_key_is_not_lent_again(void **state)
{
    struct lb_buf body;

    (void)state;
    lg_worker_take_body(road.worker, 20000, 100000, &body);
    assert_non_null(lb_buf_reserve(&body, 20000));
    body.secret = true;
    lg_worker_put_body(road.worker, &body);
    assert_int_equal(road.worker->body_count, 0);
}

static void a_drain_waits_for_what_is_under_way(void **state)
{
    (void)state;
    struct caller *idle = road_call(&road), *busy = road_call(&road);
    road_say(idle, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    road_hear(idle, "llmgr");
    road_say(busy, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    atomic_store(&road.drain.limit_ms, 60000);
    lg_worker_drain(road.worker);
    while (!idle->ended) {
        ln_loop_turn(road.worker->loop, true);
        (void)road_heard(idle);
    }
    (void)road_heard(busy);
    assert_false(busy->ended);
    x_head(x, ROAD_200 "14\r\n\r\n");
    x_read(x, "{\"choices\":[]}", true);
    road_hear(busy, "{\"choices\":[]}");
    assert_true(road_has(busy, "connection: close"));
    road_hang_up(idle);
    road_hang_up(busy);
    assert_int_equal(road.worker->client_count, 0);
}

static void the_drains_limit_cuts_the_rest(void **state)
{
    (void)state;
    struct caller *caller = road_call(&road);
    road_say(caller, ROAD_CHAT);
    struct exchange *x = road_exchange(&road, 1);
    atomic_store(&road.drain.limit_ms, 1);
    lg_worker_drain(road.worker);
    road_hear(caller, "HTTP/1.1 503");
    assert_true(x->forgotten && road.worker->cut);
    assert_int_equal(road_rows(&road, "end_state = 'limit_cut'"), 1);
    road_hang_up(caller);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(ids_are_made_once),
        TEST(a_request_keeps_the_settings_it_began_with),
        TEST(bodies_and_blocks_are_used_again),
        TEST(what_may_hold_a_key_is_not_lent_again),
        TEST(a_drain_waits_for_what_is_under_way),
        TEST(the_drains_limit_cuts_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
