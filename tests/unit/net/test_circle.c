/* SPDX-License-Identifier: MIT */
/* Connections that lead back to a listener of ours on all addresses. */
#include "../unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "../fault.h"
#include "dial_help.h"

FAULT(int, uv_interface_addresses, UV_ENOSYS, (uv_interface_address_t * *list, int *count),
      (list, count))

/* An IPv4 address of this machine's that is not loopback; false: it has none. */
static bool find_address(char text[INET_ADDRSTRLEN])
{
    uv_interface_address_t *list = NULL;
    int count = 0;
    bool found = false;
    if (uv_interface_addresses(&list, &count) != 0)
        return false;
    for (int i = 0; i < count && !found; i++) {
        const struct sockaddr_in *in = &list[i].address.address4;
        found = !list[i].is_internal && in->sin_family == AF_INET &&
                inet_ntop(AF_INET, &in->sin_addr, text, INET_ADDRSTRLEN) != NULL;
    }
    uv_free_interface_addresses(list, count);
    return found;
}

/* A listener on all addresses, shut in a policy that allows all else; `late`: the machine gets its
 * addresses afterwards. */
static struct ln_policy *listen_everywhere(struct fixture *fixture, int *fd, bool late)
{
    static const char *const allow[] = {"0.0.0.0/0", "::/0"};
    const struct ln_policy_options open = {.allow = allow, .allow_count = 2, .allow_http = true};
    const struct ln_listen_options everywhere = {.address = "0.0.0.0:0"};
    struct ln_policy *policy = NULL;
    char text[LN_LISTEN_TEXT];
    assert_int_equal(ln_policy_new(ln_loop_host(fixture->loop), &open, &policy, NULL), LLMGR_OK);
    assert_int_equal(ln_listen_open(&everywhere, fd, NULL), LLMGR_OK);
    if (late)
        fault_arm("uv_interface_addresses", 0, 0);
    assert_int_equal(ln_listen_shut(*fd, policy, NULL), LLMGR_OK);
    if (late)
        assert_true(fault_disarm());
    fixture->request.policy = policy;
    fixture->request.port = (uint16_t)atoi(strrchr(ln_listen_text(*fd, text), ':') + 1);
    return policy;
}

static void dial_back(struct fixture *fixture, bool late, const char *said)
{
    char address[INET_ADDRSTRLEN];
    int fd = -1;
    if (!find_address(address))
        skip();
    struct ln_policy *policy = listen_everywhere(fixture, &fd, late);
    fixture->names.addrs[0] = address;
    fixture->request.klass = LN_CLASS_SYSTEM;
    must_fail(fixture, LLMGR_ERR_ADDRESS, said);
    fixture->request.klass = LN_CLASS_PRIVATE;
    must_fail(fixture, LLMGR_ERR_UNREACHABLE, "cannot be reached");
    ln_listen_close(fd);
    ln_policy_free(policy);
    fixture->request.policy = NULL;
}

static void a_name_of_ours_is_not_connected_to(void **state)
{
    dial_back(*state, false, "an address of this service itself");
}

static void an_address_that_came_later_is_met_when_it_is_connected(void **state)
{
    dial_back(*state, true, "leads to this service itself");
}

static void another_server_on_this_machine_is_reached(void **state)
{
    struct fixture *fixture = *state;
    int fd = -1;
    struct ln_policy *policy = listen_everywhere(fixture, &fd, false);
    fixture->request.klass = LN_CLASS_SYSTEM;
    fixture->request.port = fixture->server.port;
    client_dial(&fixture->client, fixture->loop, &fixture->request);
    LOOP_UNTIL(fixture->loop, fixture->client.called);
    assert_non_null(fixture->client.conn);
    ln_conn_close(fixture->client.conn);
    ln_listen_close(fd);
    LOOP_UNTIL(fixture->loop, fixture->server.accepted > 0 && fixture->server.conn == NULL);
    ln_policy_free(policy);
    fixture->request.policy = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_of_ours_is_not_connected_to),
        TEST(an_address_that_came_later_is_met_when_it_is_connected),
        TEST(another_server_on_this_machine_is_reached),
    };
    return cmocka_run_group_tests_name("circle", tests, NULL, NULL);
}
