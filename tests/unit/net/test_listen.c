/* SPDX-License-Identifier: MIT */
/* Listening: addresses in words, unix sockets' files, inherited descriptors, limits. */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net_help.h"

static llmgr_status open_at(const char *address, int *fd, struct llmgr_error *err)
{
    struct ln_listen_options options = {.address = address};
    return ln_listen_open(&options, fd, err);
}

static void addresses_are_written_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *address, *starts;
        bool is_public;
    } good[] = {{"127.0.0.1:0", "127.0.0.1:", false},
                {"[::1]:0", "[::1]:", false},
                {"0.0.0.0:0", "0.0.0.0:", true},
                {"[::]:0", "[::]:", true},
                {":0", "[::]:", true}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int fd = -1;
        char text[LN_LISTEN_TEXT];
        if (open_at(good[i].address, &fd, NULL) != LLMGR_OK && strchr(good[i].starts, '[') != NULL)
            continue; /* a machine without IPv6 */
        assert_true(fd >= 0);
        assert_int_equal(strncmp(ln_listen_text(fd, text), good[i].starts, strlen(good[i].starts)),
                         0);
        assert_int_equal(ln_listen_is_public(fd), good[i].is_public);
        ln_listen_close(fd);
    }
    static const char *const bad[] = {"",       "127.0.0.1",     "127.0.0.1:", "localhost:80",
                                      "::1:80", "127.0.0.1:x",   "[::1]",      "127.1:80",
                                      "unix:",  "1.2.3.4:65536", "[::1]80",    "127.0.0.1:-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = -1;
        if (open_at(bad[i], &fd, NULL) != LLMGR_ERR_INVALID)
            fail_msg("%s passes", bad[i]);
        assert_int_equal(fd, -1);
    }
}

static void a_port_in_use_is_a_conflict(void **state)
{
    (void)state;
    int first = -1;
    int second = -1;
    char text[LN_LISTEN_TEXT];
    struct llmgr_error err = {0};
    assert_int_equal(open_at("127.0.0.1:0", &first, NULL), LLMGR_OK);
    assert_int_equal(open_at(ln_listen_text(first, text), &second, &err), LLMGR_ERR_CONFLICT);
    assert_non_null(strstr(err.message, text));
    ln_listen_close(first);
}

static void workers_share_a_port(void **state)
{
    (void)state;
    int fds[2] = {-1, -1};
    char text[LN_LISTEN_TEXT];
    struct ln_listen_options options = {.address = "127.0.0.1:0", .reuse_port = true};
    assert_int_equal(ln_listen_open(&options, &fds[0], NULL), LLMGR_OK);
    options.address = ln_listen_text(fds[0], text);
    assert_int_equal(ln_listen_open(&options, &fds[1], NULL), LLMGR_OK);
    ln_listen_close(fds[0]);
    ln_listen_close(fds[1]);
}

static void a_unix_socket_keeps_its_mode_and_clears_its_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/llmgr-listen-XXXXXX";
    char address[64];
    struct stat info;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(address, sizeof(address), "unix:%s/s", dir);
    int fd = -1;
    int other = -1;
    char text[LN_LISTEN_TEXT];
    struct ln_listen_options options = {.address = address, .unix_mode = 0660};
    assert_int_equal(ln_listen_open(&options, &fd, NULL), LLMGR_OK);
    assert_int_equal(stat(address + 5, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);
    assert_string_equal(ln_listen_text(fd, text), address);
    assert_false(ln_listen_is_public(fd));
    assert_int_equal(open_at(address, &other, NULL), LLMGR_ERR_CONFLICT); /* it is alive */
    (void)close(fd); /* dies and leaves its file */
    assert_int_equal(open_at(address, &fd, NULL), LLMGR_OK);
    ln_listen_close(fd);
    assert_int_not_equal(stat(address + 5, &info), 0);
    int file = open(address + 5, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    (void)close(file);
    assert_int_equal(open_at(address, &fd, NULL), LLMGR_ERR_CONFLICT); /* no socket: kept */
    assert_int_equal(unlink(address + 5), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void only_listening_sockets_are_inherited(void **state)
{
    (void)state;
    int fd = -1;
    int copy = -1;
    int pair[2];
    struct llmgr_error err = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(ln_listen_inherit(pair[0], &err), LLMGR_ERR_INVALID);
    assert_int_equal(ln_listen_inherit(-1, &err), LLMGR_ERR_INVALID);
    assert_int_equal(open_at("127.0.0.1:0", &fd, NULL), LLMGR_OK);
    assert_int_equal(ln_listen_inherit(fd, NULL), LLMGR_OK);
    assert_int_equal(ln_listen_dup(fd, &copy, NULL), LLMGR_OK);
    ln_listen_close(fd);
    ln_listen_close(copy);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

struct taken {
    struct ln_conn *conns[8];
    unsigned count;
};

static void on_accept(void *context, struct ln_conn *conn)
{
    struct taken *taken = context;
    taken->conns[taken->count++] = conn;
}

static void accepting_pauses_at_the_limit_and_goes_on(void **state)
{
    (void)state;
    struct lb_host host;
    struct ln_loop *loop = NULL;
    struct ln_loop_options limits = {.accepted_max = 2};
    lb_host_init(&host);
    assert_int_equal(ln_loop_new(&host, &limits, &loop, NULL), LLMGR_OK);
    int fd = -1;
    char text[LN_LISTEN_TEXT];
    struct taken taken = {.count = 0};
    struct ln_listener *listener = NULL;
    assert_int_equal(open_at("127.0.0.1:0", &fd, NULL), LLMGR_OK);
    uint16_t port = (uint16_t)atoi(strrchr(ln_listen_text(fd, text), ':') + 1);
    assert_int_equal(ln_listener_start(loop, fd, NULL, on_accept, &taken, &listener, NULL),
                     LLMGR_OK);
    struct client clients[4];
    struct ln_dial_request request = {.host = "127.0.0.1", .port = port};
    for (int i = 0; i < 4; i++)
        client_connect(&clients[i], loop, &request);
    loop_for(loop, 20);
    assert_int_equal(taken.count, 2);
    assert_int_equal(ln_loop_accepted(loop), 2);
    ln_conn_close(taken.conns[0]);
    LOOP_UNTIL(loop, taken.count == 3);
    loop_for(loop, 10);
    assert_int_equal(taken.count, 3);
    ln_conn_close(taken.conns[1]);
    LOOP_UNTIL(loop, taken.count == 4);
    ln_listener_close(listener);
    ln_loop_free(loop);
}

static void a_late_handshake_is_dropped(void **state)
{
    (void)state;
    struct ln_loop *loop = loop_make();
    struct certs certs;
    certs_make(&certs, "DNS:localhost", -3600, 3600);
    struct ln_tls_server *tls = NULL;
    struct ln_tls_server_options files = {.cert_file = certs.cert, .key_file = certs.key};
    assert_int_equal(ln_tls_server_new(ln_loop_host(loop), &files, &tls, NULL), LLMGR_OK);
    int fd = -1;
    char text[LN_LISTEN_TEXT];
    struct taken taken = {.count = 0};
    struct ln_listener *listener = NULL;
    struct ln_accept_options options = {.tls = tls, .handshake_timeout_ms = 30};
    assert_int_equal(open_at("127.0.0.1:0", &fd, NULL), LLMGR_OK);
    uint16_t port = (uint16_t)atoi(strrchr(ln_listen_text(fd, text), ':') + 1);
    assert_int_equal(ln_listener_start(loop, fd, &options, on_accept, &taken, &listener, NULL),
                     LLMGR_OK);
    struct client silent;
    struct client garbage;
    struct ln_dial_request request = {.host = "127.0.0.1", .port = port};
    client_connect(&silent, loop, &request);
    client_connect(&garbage, loop, &request);
    client_write(&garbage, "GET / HTTP/1.1\r\n\r\n");
    LOOP_UNTIL(loop, silent.ended == 1 && garbage.ended == 1);
    assert_int_equal(taken.count, 0);
    LOOP_UNTIL(loop, ln_loop_accepted(loop) == 0);
    client_connect(&silent, loop, &request); /* closed with its handshake under way */
    loop_for(loop, 3);
    ln_listener_close(listener);
    ln_loop_free(loop);
    ln_tls_server_free(tls);
    certs_remove(&certs);
}

/* libuv takes a descriptor out of epoll by its number: it must do so before another has it. */
static void an_ended_listeners_number_is_free_for_others(void **state)
{
    (void)state;
    struct ln_loop *loop = loop_make();
    struct certs certs;
    certs_make(&certs, "DNS:localhost", -3600, 3600);
    struct server echo = {.loop = NULL};
    struct server ending = {.loop = NULL};
    server_start(&echo, loop, NULL);
    server_start(&ending, loop, &certs);
    struct ln_dial_request request = {.host = "127.0.0.1", .port = ending.port};
    struct client silent;
    client_connect(&silent, loop, &request);
    LOOP_UNTIL(loop, ln_loop_accepted(loop) == 1);
    ln_listener_end(ending.listener); /* a handshake is under way */
    struct client fresh;
    request.port = echo.port;
    client_connect(&fresh, loop, &request); /* has the number of the ended listener's socket */
    LOOP_UNTIL(loop, ln_loop_accepted(loop) == 2);
    ln_conn_close(silent.conn);
    LOOP_UNTIL(loop, ln_loop_accepted(loop) == 1);
    client_write(&fresh, "heard");
    LOOP_UNTIL(loop, fresh.received == 5);
    ln_conn_close(fresh.conn);
    server_stop_when_left(&echo);
    ln_loop_free(loop);
    ln_tls_server_free(ending.tls);
    certs_remove(&certs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_as_people_write_them),
        cmocka_unit_test(a_port_in_use_is_a_conflict),
        cmocka_unit_test(workers_share_a_port),
        cmocka_unit_test(a_unix_socket_keeps_its_mode_and_clears_its_file),
        cmocka_unit_test(only_listening_sockets_are_inherited),
        cmocka_unit_test(accepting_pauses_at_the_limit_and_goes_on),
        cmocka_unit_test(a_late_handshake_is_dropped),
        cmocka_unit_test(an_ended_listeners_number_is_free_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
