/* SPDX-License-Identifier: MIT */
/* The engine itself, on a loop of the test's: reuse, the one retry, back-pressure, fed bodies. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "peer.h"
#include "upstream/exchange.h"

static struct lb_host host;
static struct mock_thread *mock;
static struct ln_loop *loop;
static struct lu_pool *pool;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    mock = mock_start(&(struct mock_options){0});
    const struct lu_pool_options options = {.idle_timeout_ms = 100, .idle_per_origin = 2};
    return mock == NULL || ln_loop_new(&host, NULL, &loop, NULL) != LLMGR_OK ||
           lu_pool_new(loop, &options, &pool, NULL) != LLMGR_OK;
}

static int teardown(void **state)
{
    (void)state;
    lu_pool_free(pool);
    ln_loop_free(loop);
    mock_stop(mock);
    return 0;
}

/* What an exchange told. */
struct heard {
    struct lu_exchange *exchange;
    int status; /* HTTP */
    uint64_t body_size;
    struct lb_buf body;
    unsigned ends, drained;
    struct llmgr_error end;
    struct lu_stats stats;
    bool pause_in_body;
    bool keep_body;
    bool cancel_in_head;
    bool stop_when_full;
    uint64_t feed_left; /* bytes to feed when drained */
    struct ln_defer feeding;
    bool full; /* the queue has stopped the feeding */
};

static void on_head(struct lu_exchange *exchange, void *context, const struct lh_head *head)
{
    struct heard *heard = context;

    assert_int_equal(heard->ends, 0);
    heard->status = head->status;
    if (heard->cancel_in_head)
        lu_exchange_cancel(exchange);
}

static void on_body(struct lu_exchange *exchange, void *context, struct lb_str bytes)
{
    struct heard *heard = context;

    assert_false(lu_exchange_paused(exchange));
    assert_int_equal(heard->ends, 0);
    heard->body_size += bytes.size;
    if (heard->keep_body)
        lb_buf_add_str(&heard->body, bytes);
    if (heard->pause_in_body)
        lu_exchange_pause(exchange);
}

/* A piece per turn, as from a client's socket: a fast mock must not keep us from the loop. */
static void feed_piece(void *context)
{
    static const char BYTES[65536];
    struct heard *heard = context;
    bool full = false;

    if (heard->exchange == NULL)
        return; /* ended in the meantime */
    if (heard->feed_left > 0) {
        size_t size = heard->feed_left < sizeof BYTES ? (size_t)heard->feed_left : sizeof BYTES;
        assert_int_equal(lu_exchange_write(heard->exchange, lb_str(BYTES, size), &full), LLMGR_OK);
        heard->feed_left -= size;
    }
    if (full) {
        heard->full = true; /* `drained` continues */
        if (heard->stop_when_full)
            ln_loop_stop(loop);
        return;
    }
    if (heard->feed_left == 0)
        assert_int_equal(lu_exchange_finish(heard->exchange), LLMGR_OK);
    else
        ln_defer_start(loop, &heard->feeding, feed_piece, heard);
}

static void on_drained(struct lu_exchange *exchange, void *context)
{
    struct heard *heard = context;

    (void)exchange;
    heard->drained++;
    feed_piece(heard);
}

static void on_end(struct lu_exchange *exchange, void *context, const struct llmgr_error *err)
{
    struct heard *heard = context;

    heard->ends++;
    heard->end = *err;
    heard->stats = *lu_exchange_stats(exchange);
    heard->exchange = NULL;
    ln_defer_stop(&heard->feeding);
    ln_loop_stop(loop);
}

static const struct lu_face FACE = {
    .head = on_head, .body = on_body, .drained = on_drained, .end = on_end};

static struct lu_request request_for(const struct test_url *url, const struct lb_str *body,
                                     const char *path)
{
    return (struct lu_request){.url = lb_cstr(url->text),
                               .method = body != NULL ? LB_STR("POST") : LB_STR("GET"),
                               .path = lb_cstr(path),
                               .body = body,
                               .body_count = body != NULL ? 1 : 0,
                               .open_key = test_open_key};
}

/* A chat of that model, run to its end. */
static void run_chat(const char *model, struct heard *heard)
{
    struct test_url url = test_url(mock, "/v1");
    char text[256];

    snprintf(text, sizeof text, "{\"model\":\"%s\",\"stream\":true}", model);
    struct lb_str body = lb_cstr(text);
    struct lu_request request = request_for(&url, &body, "/chat/completions");
    lb_buf_init(&heard->body, &host, 1 << 20);
    assert_int_equal(lu_exchange_start(pool, &request, &FACE, heard, &heard->exchange, NULL),
                     LLMGR_OK);
    ln_loop_run(loop);
    ln_loop_turn(loop, false);
    assert_int_equal(heard->ends, 1);
}

static void flush(void)
{
    lu_pool_flush(pool);
    ln_loop_turn(loop, false);
}

static void a_connection_is_used_again_but_never_for_another_class(void **state)
{
    (void)state;
    struct heard first = {0}, second = {0};

    flush();
    run_chat("m", &first);
    assert_false(first.stats.reused);
    assert_int_equal(lu_pool_idle(pool), 1);
    run_chat("m", &second);
    assert_true(second.stats.reused);
    assert_int_equal(second.stats.attempts, 1);

    struct test_url url = test_url(mock, "/v1");
    struct lu_request request = request_for(&url, NULL, "/models");
    struct heard third = {0};
    struct llmgr_error err = {0};
    request.klass = LN_CLASS_PRIVATE;
    assert_int_equal(lu_exchange_start(pool, &request, &FACE, &third, &third.exchange, &err),
                     LLMGR_ERR_ADDRESS);
    assert_int_equal(lu_pool_idle(pool), 1);
    flush();
    assert_int_equal(lu_pool_idle(pool), 0);
}

static void a_waiting_connection_is_closed_in_time(void **state)
{
    (void)state;
    struct heard heard = {0};

    run_chat("m", &heard);
    for (int i = 0; i < 1000 && lu_pool_idle(pool) > 0; i++) {
        struct timespec pause = {.tv_nsec = 1000000};
        ln_loop_turn(loop, false);
        nanosleep(&pause, NULL);
    }
    assert_int_equal(lu_pool_idle(pool), 0);
}

static unsigned requests(void)
{
    return atomic_load(&mock_thread_counts(mock)->requests);
}

static void a_dead_waiting_connection_is_replaced_once(void **state)
{
    (void)state;
    struct heard first = {0}, second = {0}, third = {0}, fourth = {0};
    unsigned before = requests();

    flush();
    run_chat("mock-stale", &first); /* drops whatever comes next on this connection */
    run_chat("m", &second);
    assert_int_equal(second.end.status, LLMGR_OK);
    assert_int_equal(second.status, 200);
    assert_int_equal(second.stats.attempts, 2);
    assert_int_equal(requests() - before, 3); /* one of them dropped */

    /* The fresh connection's failure is final: dropped twice, told once. */
    flush();
    run_chat("mock-stale", &third);
    before = requests();
    run_chat("mock-drop", &fourth);
    assert_int_equal(fourth.end.status, LLMGR_ERR_CUT);
    assert_int_equal(fourth.stats.attempts, 2);
    assert_int_equal(requests() - before, 2);
}

static void nothing_is_sent_again_after_the_first_byte(void **state)
{
    (void)state;
    struct heard first = {0}, second = {0};

    flush();
    run_chat("m", &first);
    unsigned before = requests();
    run_chat("mock-cut-1", &second);
    assert_true(second.stats.reused);
    assert_int_equal(second.end.status, LLMGR_ERR_CUT);
    assert_int_equal(second.stats.attempts, 1);
    assert_int_equal(requests() - before, 1);
}

/* Whoever speaks unasked may be answering what the next caller will ask. */
static void a_connection_with_bytes_behind_the_answer_is_not_used_again(void **state)
{
    (void)state;
    static const char *const MODELS[] = {"mock-surplus", "mock-surplus+whole",
                                         "mock-surplus+split-7", "mock-surplus+empty"};

    for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++) {
        struct heard first = {0}, second = {0};
        flush();
        run_chat(MODELS[i], &first);
        assert_int_equal(first.end.status, LLMGR_OK);
        run_chat("m", &second);
        assert_false(second.stats.reused);
        assert_int_equal(second.end.status, LLMGR_OK);
        assert_int_equal(second.status, 200);
        assert_int_equal(second.stats.attempts, 1);
    }
}

static void a_paused_exchange_bounds_what_is_read(void **state)
{
    (void)state;
    struct test_url url = test_url(mock, "/v1");
    struct lb_str body = LB_STR("{\"model\":\"mock-flood\",\"stream\":true}");
    struct lu_request request = request_for(&url, &body, "/chat/completions");
    struct heard heard = {.pause_in_body = true};

    assert_int_equal(lu_exchange_start(pool, &request, &FACE, &heard, &heard.exchange, NULL),
                     LLMGR_OK);
    while (heard.body_size == 0)
        ln_loop_turn(loop, true);
    uint64_t got = heard.body_size;
    for (int i = 0; i < 50; i++) {
        struct timespec pause = {.tv_nsec = 1000000};
        ln_loop_turn(loop, false);
        nanosleep(&pause, NULL);
    }
    assert_int_equal(heard.body_size, got);
    assert_true(got <= LN_READ_SIZE);
    /* The peer is stopped as well: what it wrote is what the kernel holds. */
    uint64_t written = atomic_load(&mock_thread_counts(mock)->written);
    for (int i = 0; i < 20; i++) {
        struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(&mock_thread_counts(mock)->written), written);
    lu_exchange_resume(heard.exchange);
    while (heard.body_size == got)
        ln_loop_turn(loop, true);
    lu_exchange_cancel(heard.exchange);
    lu_exchange_cancel(heard.exchange);
    assert_int_equal(heard.ends, 0);
    ln_loop_turn(loop, false);
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.end.status, LLMGR_ERR_CANCELLED);
    ln_loop_stop(loop);
    ln_loop_run(loop);
}

static void pausing_at_every_slice_loses_nothing(void **state)
{
    (void)state;
    static const char *const MODELS[] = {"mock-chunks-40", "mock-chunks-40+close",
                                         "mock-chunks-5+split-5", "mock-empty"};

    for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++) {
        struct heard plain = {.keep_body = true}, paused = {.keep_body = true};
        struct test_url url = test_url(mock, "/v1");
        char text[128];
        run_chat(MODELS[i], &plain);
        snprintf(text, sizeof text, "{\"model\":\"%s\",\"stream\":true}", MODELS[i]);
        struct lb_str body = lb_cstr(text);
        struct lu_request request = request_for(&url, &body, "/chat/completions");
        lb_buf_init(&paused.body, &host, 1 << 20);
        paused.pause_in_body = true;
        assert_int_equal(lu_exchange_start(pool, &request, &FACE, &paused, &paused.exchange, NULL),
                         LLMGR_OK);
        lu_exchange_pause(paused.exchange);
        lu_exchange_resume(paused.exchange);
        while (paused.ends == 0) {
            ln_loop_turn(loop, true);
            if (paused.ends == 0)
                lu_exchange_resume(paused.exchange);
        }
        assert_int_equal(paused.end.status, LLMGR_OK);
        assert_int_equal(plain.body.size, paused.body.size);
        assert_string_equal(lb_buf_c(&plain.body), lb_buf_c(&paused.body));
        lb_buf_free(&plain.body);
        lb_buf_free(&paused.body);
        ln_loop_stop(loop);
        ln_loop_run(loop);
    }
}

static void feed(enum lu_body_kind kind, uint64_t size, struct heard *heard)
{
    struct test_url url = test_url(mock, "/v1");
    struct lb_str first = LB_STR("0123456789");
    struct lu_request request = request_for(&url, &first, "/uploaded");

    heard->keep_body = true;
    heard->feed_left = size - first.size;
    lb_buf_init(&heard->body, &host, 1 << 20);
    request.body_kind = kind;
    request.body_size = size;
    assert_int_equal(lu_exchange_start(pool, &request, &FACE, heard, &heard->exchange, NULL),
                     LLMGR_OK);
    bool full;
    assert_int_equal(lu_exchange_write(heard->exchange, LB_STR("x"), &full), LLMGR_ERR_INVALID);
    ln_loop_run(loop);
    assert_int_equal(heard->end.status, LLMGR_OK);
}

static void bodies_of_any_size_are_fed(void **state)
{
    (void)state;
    static const uint64_t SIZES[] = {10, 11, 100000, 20000000};

    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        for (int kind = LU_BODY_LENGTH; kind <= LU_BODY_CHUNKED; kind++) {
            struct heard heard = {0};
            char wanted[64];
            /* The mock decodes a chunked body anew on each read: a large one would take long. */
            if (kind == LU_BODY_CHUNKED && SIZES[i] > 1000000)
                continue;
            feed((enum lu_body_kind)kind, SIZES[i], &heard);
            snprintf(wanted, sizeof wanted, "\"body_size\":%llu,", (unsigned long long)SIZES[i]);
            assert_non_null(strstr(lb_buf_c(&heard.body), wanted));
            lb_buf_free(&heard.body);
        }
    }
}

static void a_peer_that_does_not_read_stops_the_feeding(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t address_size = sizeof address;
    char url[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* its connections wait for an accept for ever */
    struct heard heard = {.stop_when_full = true, .feed_left = 1 << 30};
    struct test_url any = test_url(mock, "");
    struct lu_request request = request_for(&any, NULL, "/files");
    bool full;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &address_size), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v1", ntohs(address.sin_port));
    request.url = lb_cstr(url);
    request.method = LB_STR("POST");
    request.body_kind = LU_BODY_CHUNKED;
    assert_int_equal(lu_exchange_start(pool, &request, &FACE, &heard, &heard.exchange, NULL),
                     LLMGR_OK);
    ln_loop_run(loop);
    assert_true(heard.full);
    assert_true(heard.feed_left > 0);
    struct lb_str more = lb_str(calloc(1, LU_UPLOAD_QUEUE), LU_UPLOAD_QUEUE);
    assert_int_equal(lu_exchange_write(heard.exchange, more, &full), LLMGR_ERR_TOO_LARGE);
    lu_exchange_cancel(heard.exchange);
    ln_loop_run(loop);
    assert_int_equal(heard.ends, 1);
    free((void *)(uintptr_t)more.p);
    close(fd);
}

static void a_large_body_in_memory_arrives_whole(void **state)
{
    (void)state;
    struct test_url url = test_url(mock, "/v1");
    struct heard heard = {.keep_body = true};
    size_t size = 8000000;
    char *bytes = calloc(1, size);
    struct lb_str parts[LU_BODY_SLICES_MAX];

    for (size_t i = 0; i < LU_BODY_SLICES_MAX; i++)
        parts[i] = lb_str(bytes, size / LU_BODY_SLICES_MAX);
    struct lu_request request = request_for(&url, parts, "/uploaded");
    request.body_count = LU_BODY_SLICES_MAX;
    lb_buf_init(&heard.body, &host, 1 << 20);
    assert_int_equal(lu_exchange_start(pool, &request, &FACE, &heard, &heard.exchange, NULL),
                     LLMGR_OK);
    ln_loop_run(loop);
    assert_int_equal(heard.end.status, LLMGR_OK);
    assert_non_null(strstr(lb_buf_c(&heard.body), "\"body_size\":8000000,"));
    lb_buf_free(&heard.body);
    free(bytes);
}

static void an_answer_before_the_body_is_sent_is_heard(void **state)
{
    (void)state;
    const struct lh_field early = {.name = LB_STR("x-mock"), .value = LB_STR("early")};
    size_t size = 40000000;
    struct lb_str body = lb_str(calloc(1, size), size);

    flush();
    for (int fed = 0; fed <= 1; fed++) {
        struct test_url url = test_url(mock, "/v1");
        struct heard heard = {.feed_left = size};
        struct lu_request request = request_for(&url, &body, "/files");
        request.fields = &early;
        request.field_count = 1;
        request.body_kind = fed ? LU_BODY_CHUNKED : LU_BODY_WHOLE;
        request.body_count = fed ? 0 : 1;
        assert_int_equal(lu_exchange_start(pool, &request, &FACE, &heard, &heard.exchange, NULL),
                         LLMGR_OK);
        ln_loop_run(loop);
        assert_int_equal(heard.end.status, LLMGR_OK);
        assert_int_equal(heard.status, 413);
        assert_int_equal(heard.stats.sent_at, -1);
        assert_int_equal(lu_pool_idle(pool), 0);
    }
    free((void *)(uintptr_t)body.p);
}

static void what_only_we_may_send_is_refused(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"Host",      "content-length", "Transfer-Encoding",
                                        "X-Api-Key", "AUTHORIZATION",  "cookie",
                                        "Connection"};
    struct test_url url = test_url(mock, "/v1");

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const struct lh_field field = {.name = lb_cstr(NAMES[i]), .value = LB_STR("1")};
        struct lu_request request = request_for(&url, NULL, "/models");
        struct heard heard = {0};
        request.fields = &field;
        request.field_count = 1;
        assert_int_equal(lu_exchange_start(pool, &request, &FACE, &heard, &heard.exchange, NULL),
                         LLMGR_ERR_INVALID);
    }
    const struct lh_field bad = {.name = LB_STR("x"), .value = LB_STR("a\r\nb: c")};
    struct lu_request request = request_for(&url, NULL, "/models");
    struct heard heard = {0};
    request.fields = &bad;
    request.field_count = 1;
    assert_int_equal(lu_exchange_start(pool, &request, &FACE, &heard, &heard.exchange, NULL),
                     LLMGR_ERR_INVALID);
}

static void each_protocol_carries_the_key_its_own_way(void **state)
{
    (void)state;
    static const char *const ROWS[][2] = {
        {"openai", "\"authorization\":\"Bearer " TEST_KEY "\""},
        {"anthropic", "\"x-api-key\":\"" TEST_KEY "\""},
        {"azure", "\"api-key\":\"" TEST_KEY "\""},
        {"gemini", "\"x-goog-api-key\":\"" TEST_KEY "\""},
    };
    struct test_url url = test_url(mock, "/v1");

    for (size_t i = 0; i < 4; i++) {
        struct lu_request request = request_for(&url, NULL, "/models");
        struct heard heard = {0};
        char path[32];
        snprintf(path, sizeof path, "/%s/models", ROWS[i][0]);
        request.path = lb_cstr(path);
        request.protocol = lb_cstr(ROWS[i][0]);
        assert_int_equal(lu_exchange_start(pool, &request, &FACE, &heard, &heard.exchange, NULL),
                         LLMGR_OK);
        ln_loop_run(loop);
        char *received = mock_thread_requests(mock);
        const char *mine = strstr(received, path);
        assert_non_null(mine);
        assert_non_null(strstr(mine, ROWS[i][1]));
        free(received);
    }
}

static void a_cancel_inside_a_callback_is_the_end(void **state)
{
    (void)state;
    struct heard heard = {.cancel_in_head = true};

    run_chat("mock-chunks-100", &heard);
    assert_int_equal(heard.end.status, LLMGR_ERR_CANCELLED);
    assert_int_equal(heard.body_size, 0);
    assert_int_equal(lu_pool_running(pool), 0);
}

static void time_limits_end_it_each_with_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *model, *says;
        struct lu_timeouts timeouts;
    } ROWS[] = {
        {"mock-silent", "did not begin", {.first_byte_ms = 50}},
        {"mock-stall", "in the middle", {.idle_ms = 50}},
        {"mock-chunks-500+slow-5", "did not complete", {.total_ms = 60}},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct test_url url = test_url(mock, "/v1");
        char text[128];
        snprintf(text, sizeof text, "{\"model\":\"%s\",\"stream\":true}", ROWS[i].model);
        struct lb_str body = lb_cstr(text);
        struct lu_request request = request_for(&url, &body, "/chat/completions");
        struct heard heard = {0};
        request.timeouts = ROWS[i].timeouts;
        assert_int_equal(lu_exchange_start(pool, &request, &FACE, &heard, &heard.exchange, NULL),
                         LLMGR_OK);
        ln_loop_run(loop);
        assert_int_equal(heard.end.status, LLMGR_ERR_TIMEOUT);
        assert_non_null(strstr(heard.end.message, ROWS[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_used_again_but_never_for_another_class),
        cmocka_unit_test(a_waiting_connection_is_closed_in_time),
        cmocka_unit_test(a_dead_waiting_connection_is_replaced_once),
        cmocka_unit_test(nothing_is_sent_again_after_the_first_byte),
        cmocka_unit_test(a_connection_with_bytes_behind_the_answer_is_not_used_again),
        cmocka_unit_test(a_paused_exchange_bounds_what_is_read),
        cmocka_unit_test(pausing_at_every_slice_loses_nothing),
        cmocka_unit_test(bodies_of_any_size_are_fed),
        cmocka_unit_test(a_peer_that_does_not_read_stops_the_feeding),
        cmocka_unit_test(a_large_body_in_memory_arrives_whole),
        cmocka_unit_test(an_answer_before_the_body_is_sent_is_heard),
        cmocka_unit_test(what_only_we_may_send_is_refused),
        cmocka_unit_test(each_protocol_carries_the_key_its_own_way),
        cmocka_unit_test(a_cancel_inside_a_callback_is_the_end),
        cmocka_unit_test(time_limits_end_it_each_with_its_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
