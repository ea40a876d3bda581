/* SPDX-License-Identifier: MIT */
/* Connections over loopback, each claim once plain and once over TLS. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_int.h"
#include "net_help.h"

struct fixture {
    bool secure;
    struct certs certs;
    struct ln_loop *loop;
    struct ln_tls_client *tls;
    struct server server;
    struct client client;
    struct ln_dial_request request;
};

static int begin(void **state, bool secure)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->secure = secure;
    fixture->loop = loop_make();
    if (secure) {
        certs_make(&fixture->certs, "DNS:localhost,IP:127.0.0.1", -3600, 3600);
        struct ln_tls_client_options options = {.ca_file = fixture->certs.ca, .only_ca_file = true};
        assert_int_equal(
            ln_tls_client_new(ln_loop_host(fixture->loop), &options, &fixture->tls, NULL),
            LLMGR_OK);
    }
    server_start(&fixture->server, fixture->loop, secure ? &fixture->certs : NULL);
    fixture->request = (struct ln_dial_request){
        .host = "127.0.0.1", .port = fixture->server.port, .tls = fixture->tls};
    *state = fixture;
    return 0;
}

static int begin_plain(void **state)
{
    return begin(state, false);
}

static int begin_tls(void **state)
{
    return begin(state, true);
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    server_stop(&fixture->server);
    ln_loop_free(fixture->loop);
    ln_tls_client_free(fixture->tls);
    if (fixture->secure)
        certs_remove(&fixture->certs);
    assert_int_equal(fixture->server.closed, fixture->server.accepted);
    free(fixture);
    return 0;
}

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static uint64_t pattern_sum(size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + (unsigned char)pattern(i);
    return sum;
}

static void an_echo_comes_back_in_order(void **state)
{
    struct fixture *fixture = *state;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    struct lb_str parts[] = {LB_STR("head "), LB_STR(""), LB_STR("and "), LB_STR("body")};
    assert_int_equal(ln_conn_write(fixture->client.conn, parts, 4), LLMGR_OK);
    LOOP_UNTIL(fixture->loop, fixture->client.received == 13);
    assert_string_equal(fixture->client.tail, "head and body");
    assert_int_equal(ln_conn_queued(fixture->client.conn), 0);
    assert_int_equal(ln_conn_is_tls(fixture->client.conn), fixture->secure);
    char peer[LN_PEER_TEXT];
    char wanted[LN_PEER_TEXT];
    (void)snprintf(wanted, sizeof(wanted), "127.0.0.1:%u", (unsigned)fixture->server.port);
    assert_string_equal(ln_conn_peer_text(fixture->client.conn, peer), wanted);
    ln_conn_close(fixture->client.conn);
    LOOP_UNTIL(fixture->loop, fixture->client.closed == 1 && fixture->server.closed == 1);
    assert_int_equal(fixture->server.why, LLMGR_OK);
}

/* Offers the rest of `all` without copying; the kernel and the peer set the pace. */
static void large_sends_arrive_whole_with_bounded_queues(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 12 * 1024 * 1024 };
    char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = pattern(i);
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    size_t at = 0;
    unsigned seen = fixture->client.drained;
    bool waiting = false;
    while (fixture->client.received < SIZE) {
        if (at < SIZE && (!waiting || fixture->client.drained != seen)) {
            struct lb_str halves[] = {{bytes + at, (SIZE - at) / 2},
                                      {bytes + at + (SIZE - at) / 2, SIZE - at - (SIZE - at) / 2}};
            size_t taken = 0;
            seen = fixture->client.drained;
            assert_int_equal(ln_conn_send(fixture->client.conn, halves, 2, &taken), LLMGR_OK);
            at += taken;
            waiting = at < SIZE;
            assert_true(ln_conn_queued(fixture->client.conn) < 64 * 1024);
        }
        ln_loop_turn(fixture->loop, true);
    }
    assert_int_equal(fixture->client.received, SIZE);
    assert_true(fixture->client.sum == pattern_sum(SIZE));
    assert_true(fixture->server.queue_peak <= 2 * LN_READ_SIZE);
    free(bytes);
}

static void queued_writes_arrive_whole_and_drain_is_told(void **state)
{
    struct fixture *fixture = *state;
    enum { PIECE = 100 * 1000, PIECES = 100 };
    static char piece[PIECE];
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    ln_conn_set_marks(fixture->client.conn, PIECE * PIECES, 0);
    fixture->server.deaf = true;
    ln_conn_read_stop(fixture->server.conn != NULL ? fixture->server.conn : fixture->client.conn);
    for (size_t p = 0; p < PIECES; p++) {
        for (size_t i = 0; i < PIECE; i++)
            piece[i] = pattern(p * PIECE + i);
        struct lb_str slice = {piece, PIECE};
        assert_int_equal(ln_conn_write(fixture->client.conn, &slice, 1), LLMGR_OK);
    }
    assert_true(ln_conn_queued(fixture->client.conn) > PIECE);
    LOOP_UNTIL(fixture->loop, fixture->server.conn != NULL);
    fixture->server.deaf = false;
    ln_conn_read_start(fixture->server.conn);
    ln_conn_read_start(fixture->client.conn);
    LOOP_UNTIL(fixture->loop, fixture->client.received == PIECE * PIECES);
    assert_true(fixture->client.sum == pattern_sum(PIECE * PIECES));
    assert_int_equal(fixture->client.drained, 1);
    assert_int_equal(ln_conn_queued(fixture->client.conn), 0);
}

static void a_write_over_the_cap_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->server.mute = true;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    ln_conn_set_marks(fixture->client.conn, 1000, 0);
    static char big[1001];
    struct lb_str slices[] = {{big, 500}, {big, 501}};
    assert_int_equal(ln_conn_write(fixture->client.conn, slices, 2), LLMGR_ERR_TOO_LARGE);
    assert_int_equal(ln_conn_write(fixture->client.conn, slices, 1), LLMGR_OK);
    LOOP_UNTIL(fixture->loop, fixture->server.received >= 500);
    loop_for(fixture->loop, 20);
    assert_int_equal(fixture->server.received, 500);
}

static void closing_inside_the_data_callback_is_safe(void **state)
{
    struct fixture *fixture = *state;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    fixture->client.close_on_data = true;
    client_write(&fixture->client, "x");
    LOOP_UNTIL(fixture->loop, fixture->client.closed == 1 && fixture->server.closed == 1);
    assert_int_equal(fixture->client.ended, 0);
}

static void a_paused_reader_hears_nothing_until_it_asks(void **state)
{
    struct fixture *fixture = *state;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    fixture->client.stop_on_data = true;
    client_write(&fixture->client, "one");
    LOOP_UNTIL(fixture->loop, fixture->client.received == 3);
    client_write(&fixture->client, "two");
    loop_for(fixture->loop, 30);
    assert_int_equal(fixture->client.received, 3);
    ln_conn_read_start(fixture->client.conn);
    LOOP_UNTIL(fixture->loop, fixture->client.received == 6);
    assert_string_equal(fixture->client.tail, "onetwo");
}

static void a_hang_up_is_an_orderly_end(void **state)
{
    struct fixture *fixture = *state;
    fixture->server.hang_up = true;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    client_write(&fixture->client, "x");
    LOOP_UNTIL(fixture->loop, fixture->client.ended == 1);
    assert_int_equal(fixture->client.why, LLMGR_OK);
    loop_for(fixture->loop, 5);
    assert_int_equal(fixture->client.ended, 1);
}

static void our_half_close_reaches_the_peer_after_the_queue(void **state)
{
    struct fixture *fixture = *state;
    fixture->server.mute = true;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    static char big[900 * 1000];
    struct lb_str slice = {big, sizeof(big)};
    assert_int_equal(ln_conn_write(fixture->client.conn, &slice, 1), LLMGR_OK);
    ln_conn_shutdown(fixture->client.conn);
    ln_conn_shutdown(fixture->client.conn);
    assert_int_equal(ln_conn_write(fixture->client.conn, &slice, 1), LLMGR_ERR_IO);
    LOOP_UNTIL(fixture->loop, fixture->server.ended == 1 && fixture->client.ended == 1);
    assert_int_equal(fixture->server.received, sizeof(big));
    assert_int_equal(fixture->server.why, LLMGR_OK);
}

static void a_refusal_reaches_a_client_that_is_still_sending(void **state)
{
    struct fixture *fixture = *state;
    fixture->server.refuse = true;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    static char big[LN_QUEUE_MAX];
    struct lb_str slice = {big, sizeof(big)};
    assert_int_equal(ln_conn_write(fixture->client.conn, &slice, 1), LLMGR_OK);
    LOOP_UNTIL(fixture->loop, fixture->client.ended == 1);
    assert_string_equal(fixture->client.tail, "no");
    assert_int_equal(fixture->client.why, LLMGR_OK);
    ln_conn_linger(fixture->client.conn, 5000);
    LOOP_UNTIL(fixture->loop, fixture->client.closed == 1 && fixture->server.closed == 1);
}

static void lingering_ends_at_its_limit(void **state)
{
    struct fixture *fixture = *state;
    fixture->server.mute = true;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    LOOP_UNTIL(fixture->loop, fixture->server.conn != NULL);
    ln_conn_linger(fixture->server.conn, 30);
    assert_true(ln_conn_closing(fixture->server.conn));
    LOOP_UNTIL(fixture->loop, fixture->server.closed == 1);
}

static void reset_by_linger_zero(struct ln_conn *conn)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    conn->transport = &ln_plain; /* no close_notify: a crash, not a goodbye */
    ln_conn_close(conn);
}

static void a_reset_is_a_cut(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->secure)
        return; /* below TLS it is the same socket */
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    LOOP_UNTIL(fixture->loop, fixture->server.conn != NULL);
    reset_by_linger_zero(fixture->server.conn);
    LOOP_UNTIL(fixture->loop, fixture->client.ended == 1);
    assert_int_equal(fixture->client.why, LLMGR_ERR_CUT);
    struct llmgr_error err = {0};
    assert_int_equal(ln_conn_explain(fixture->client.conn, &err), LLMGR_ERR_CUT);
    assert_non_null(strstr(err.message, "reset"));
}

static void writing_to_the_gone_raises_no_signal(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->secure)
        return;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    ln_conn_read_stop(fixture->client.conn);
    LOOP_UNTIL(fixture->loop, fixture->server.conn != NULL);
    reset_by_linger_zero(fixture->server.conn);
    llmgr_status status = LLMGR_OK;
    for (int i = 0; i < 100 && status == LLMGR_OK; i++) {
        struct lb_str slice = LB_STR("into the void");
        status = ln_conn_write(fixture->client.conn, &slice, 1);
        ln_loop_turn(fixture->loop, false);
    }
    assert_int_equal(status, LLMGR_ERR_CUT);
    /* SIGPIPE's default action would have ended this program. */
}

static void tls_without_a_goodbye_is_a_cut(void **state)
{
    struct fixture *fixture = *state;
    if (!fixture->secure)
        return;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    LOOP_UNTIL(fixture->loop, fixture->server.conn != NULL);
    assert_int_equal(shutdown(fixture->server.conn->fd, SHUT_WR), 0);
    LOOP_UNTIL(fixture->loop, fixture->client.ended == 1);
    assert_int_equal(fixture->client.why, LLMGR_ERR_CUT);
    struct llmgr_error err = {0};
    assert_int_equal(ln_conn_explain(fixture->client.conn, &err), LLMGR_ERR_CUT);
    assert_non_null(strstr(err.message, "close_notify"));
}

static void freeing_the_loop_closes_what_is_open(void **state)
{
    struct fixture *fixture = *state;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    struct client second;
    client_dial(&second, fixture->loop, &fixture->request);
    server_stop(&fixture->server);
    ln_loop_free(fixture->loop);
    assert_int_equal(fixture->client.closed, 1);
    assert_true(second.called);
    assert_int_equal(second.err.status, LLMGR_ERR_CANCELLED);
    fixture->loop = NULL; /* end() frees nothing then */
}

static void an_idle_connection_is_small_and_owns_no_buffer(void **state)
{
    struct fixture *fixture = *state;
    client_connect(&fixture->client, fixture->loop, &fixture->request);
    client_write(&fixture->client, "x");
    LOOP_UNTIL(fixture->loop, fixture->client.received == 1);
    assert_null(fixture->client.conn->queue.first);
    if (!fixture->secure)
        print_message("# a plain connection takes %zu bytes\n", sizeof(struct ln_conn));
    assert_true(sizeof(struct ln_conn) <= 512);
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, begin_plain, end),                                       \
        cmocka_unit_test_setup_teardown(test, begin_tls, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_echo_comes_back_in_order),
        BOTH(large_sends_arrive_whole_with_bounded_queues),
        BOTH(queued_writes_arrive_whole_and_drain_is_told),
        BOTH(a_write_over_the_cap_writes_nothing),
        BOTH(closing_inside_the_data_callback_is_safe),
        BOTH(a_paused_reader_hears_nothing_until_it_asks),
        BOTH(a_hang_up_is_an_orderly_end),
        BOTH(our_half_close_reaches_the_peer_after_the_queue),
        BOTH(a_refusal_reaches_a_client_that_is_still_sending),
        BOTH(lingering_ends_at_its_limit),
        BOTH(a_reset_is_a_cut),
        BOTH(writing_to_the_gone_raises_no_signal),
        BOTH(tls_without_a_goodbye_is_a_cut),
        BOTH(freeing_the_loop_closes_what_is_open),
        BOTH(an_idle_connection_is_small_and_owns_no_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
