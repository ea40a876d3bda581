/* SPDX-License-Identifier: MIT */
/* The address rules, through their face; most vectors stand in tests/vectors/addresses.txt. */
#include "../unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "../fault.h"
#include "net/policy.h"
#include "net/policy_int.h"
#include "vectors.h"

FAULT(int, uv_interface_addresses, UV_ENOSYS, (uv_interface_address_t * *list, int *count),
      (list, count))

static struct lb_host host;

static struct ln_policy *make(const struct ln_policy_options *options)
{
    struct ln_policy *policy = NULL;
    struct llmgr_error err = {0};
    lb_host_init(&host);
    if (ln_policy_new(&host, options, &policy, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    return policy;
}

static llmgr_status url(const struct ln_policy *policy, const char *scheme, const char *name,
                        unsigned port)
{
    return ln_policy_judge_url_host(policy, LN_CLASS_PRIVATE, lb_cstr(scheme), lb_cstr(name), port,
                                    NULL);
}

static llmgr_status addr(const struct ln_policy *policy, const char *literal, uint16_t port)
{
    struct sockaddr_storage storage;
    enum ln_host_kind kind = ln_host_kind(lb_cstr(literal), &storage);
    assert_true(kind == LN_HOST_IPV4 || kind == LN_HOST_IPV6);
    if (kind == LN_HOST_IPV4)
        ((struct sockaddr_in *)(void *)&storage)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)&storage)->sin6_port = htons(port);
    return ln_policy_judge_addr(policy, LN_CLASS_PRIVATE, (struct sockaddr *)&storage, NULL);
}

static void every_vector_is_judged_as_written(void **state)
{
    (void)state;
    struct ln_policy *policy = make(NULL);
    struct vectors vectors;
    vectors_open(&vectors);
    struct vector v;
    unsigned wrong = 0;
    while (vectors_next(&vectors, &v)) {
        struct llmgr_error err = {0};
        llmgr_status got = ln_policy_judge_url_host(policy, LN_CLASS_PRIVATE, lb_cstr(v.scheme),
                                                    v.host, v.port, &err);
        if (got == v.wanted && (got == LLMGR_OK || err.message[0] != '\0'))
            continue;
        print_message("line %u: %s gives %s\n", v.line, v.host.p, llmgr_status_name(got));
        wrong++;
    }
    assert_true(vectors.count >= 200);
    assert_int_equal(wrong, 0);
    ln_policy_free(policy);
}

static void a_literal_is_judged_alike_when_stored_and_when_connected_to(void **state)
{
    (void)state;
    struct ln_policy *policy = make(NULL);
    struct vectors vectors;
    vectors_open(&vectors);
    struct vector v;
    unsigned literals = 0;
    while (vectors_next(&vectors, &v)) {
        struct sockaddr_storage storage;
        enum ln_host_kind kind = ln_host_kind(v.host, &storage);
        if ((kind != LN_HOST_IPV4 && kind != LN_HOST_IPV6) || v.wanted == LLMGR_ERR_INVALID ||
            strcasecmp(v.scheme, "https") != 0)
            continue;
        literals++;
        assert_int_equal(addr(policy, v.host.p, (uint16_t)v.port), v.wanted);
    }
    assert_true(literals > 100);
    ln_policy_free(policy);
}

static void the_operators_word_passes_whatever_it_says(void **state)
{
    (void)state;
    struct ln_policy *policy = make(NULL);
    static const char *const names[] = {"localhost", "127.0.0.1", "10.0.0.1",     "ollama",
                                        "::1",       "[fe80::1]", "gpu.internal", "example.com."};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(ln_policy_judge_url_host(policy, LN_CLASS_SYSTEM, LB_STR("http"),
                                                  lb_cstr(names[i]), 11434, NULL),
                         LLMGR_OK);
    assert_int_equal(ln_policy_judge_url_host(policy, LN_CLASS_SYSTEM, LB_STR("http"),
                                              LB_STR("127.1"), 80, NULL),
                     LLMGR_ERR_ADDRESS);
    assert_int_equal(ln_policy_judge_url_host(NULL, LN_CLASS_SYSTEM, LB_STR("http"),
                                              LB_STR("10.0.0.1"), 80, NULL),
                     LLMGR_OK);
    ln_policy_free(policy);
}

static void the_operator_opens_ranges_at_any_port(void **state)
{
    (void)state;
    static const char *const allow[] = {"10.1.0.0/16", "127.0.0.0/8", "fd00::/8", "192.0.2.7"};
    struct ln_policy *policy = make(&(struct ln_policy_options){.allow = allow, .allow_count = 4});
    assert_int_equal(url(policy, "https", "10.1.2.3", 8443), LLMGR_OK);
    assert_int_equal(url(policy, "https", "10.2.0.0", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(url(policy, "https", "127.0.0.1", 1), LLMGR_OK);
    assert_int_equal(url(policy, "https", "[::ffff:127.0.0.1]", 443), LLMGR_OK);
    assert_int_equal(url(policy, "https", "[fd12::1]", 443), LLMGR_OK);
    assert_int_equal(url(policy, "https", "192.0.2.7", 443), LLMGR_OK);
    assert_int_equal(url(policy, "https", "192.0.2.8", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(url(policy, "http", "10.1.2.3", 80), LLMGR_ERR_ADDRESS);
    assert_int_equal(url(policy, "https", "[fd00:ec2::254]", 443), LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
}

static void some_addresses_stay_shut_whatever_is_opened(void **state)
{
    (void)state;
    static const char *const allow[] = {"0.0.0.0/0", "::/0"};
    static const char *const shut[] = {"0.0.0.0",
                                       "0.1.2.3",
                                       "169.254.169.254",
                                       "100.100.100.200",
                                       "224.0.0.1",
                                       "168.63.129.16",
                                       "240.0.0.1",
                                       "255.255.255.255",
                                       "::",
                                       "fe80::1",
                                       "fec0::1",
                                       "ff02::1",
                                       "::ffff:169.254.169.254",
                                       "fd00:ec2::254",
                                       "192.0.0.192",
                                       "fd20:ce::254",
                                       "64:ff9b::a9fe:a9fe",
                                       "2002:a9fe:a9fe::1",
                                       "2001:0:a9fe:a9fe::",
                                       "64:ff9b:1::1",
                                       "::169.254.169.254",
                                       "::ffff:0:169.254.169.254",
                                       "2a00:1450::5efe:169.254.169.254",
                                       "2a00:1450::200:5efe:100.100.100.200",
                                       "fd00::5efe:169.254.169.254",
                                       "64:ff9b::200:5efe:a9fe:a9fe",
                                       "64:ff9b:1:a9fe:a9:fe00::",
                                       "64:ff9b:1::8.8.8.8",
                                       "2002:808:808::5efe:a9fe:a9fe",
                                       "2001:0:a9fe:a9fe:0:0:f7f7:f7f7",
                                       "2001:0:808:808:0:5efe:a9fe:a9fe",
                                       "2001:0:808:808:0:0:5601:5601"};
    struct ln_policy *policy = make(&(struct ln_policy_options){.allow = allow,
                                                                .allow_count = 2,
                                                                .allow_http = true,
                                                                .ports = (uint16_t[]){0},
                                                                .port_count = 1});
    for (size_t i = 0; i < sizeof(shut) / sizeof(shut[0]); i++) {
        if (addr(policy, shut[i], 443) != LLMGR_ERR_ADDRESS)
            fail_msg("%s is open", shut[i]);
    }
    assert_int_equal(addr(policy, "127.0.0.1", 443), LLMGR_OK);
    assert_int_equal(addr(policy, "64:ff9b::7f00:1", 443), LLMGR_OK);
    ln_policy_free(policy);
}

/* ::/0 means every address of IPv6, not 10.0.0.1 by the form in which addresses are compared. */
static void who_opens_ipv6_has_not_opened_ipv4(void **state)
{
    (void)state;
    static const char *const allow[] = {"::/0", "::ffff:10.9.0.0/112"};
    struct ln_policy *policy = make(&(struct ln_policy_options){.allow = allow, .allow_count = 2});
    assert_int_equal(addr(policy, "fd00::1", 443), LLMGR_OK);
    assert_int_equal(addr(policy, "::1", 8443), LLMGR_OK);
    assert_int_equal(addr(policy, "10.0.0.1", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "::ffff:127.0.0.1", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "8.8.8.8", 8443), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "64:ff9b::10.0.0.1", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "fd00::5efe:10.0.0.1", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "10.9.0.1", 443), LLMGR_OK);
    assert_int_equal(addr(policy, "fd00::5efe:10.9.0.1", 443), LLMGR_OK);
    assert_int_equal(addr(policy, "::ffff:0:10.9.0.1", 443), LLMGR_OK);
    ln_policy_free(policy);
}

static void an_opened_6to4_address_is_judged_by_the_one_inside(void **state)
{
    (void)state;
    static const char *const allow[] = {"2002::/16"};
    struct ln_policy *policy = make(&(struct ln_policy_options){.allow = allow, .allow_count = 1});
    assert_int_equal(addr(policy, "2002:808:808::1", 443), LLMGR_OK);
    assert_int_equal(addr(policy, "2002:80a:101::1", 443), LLMGR_OK);
    assert_int_equal(addr(policy, "2002:ac0:808::1", 443), LLMGR_ERR_ADDRESS); /* 10.192.8.8 */
    assert_int_equal(addr(policy, "2002:c0a8:101::1", 443), LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
}

static void our_own_end_points_stay_shut(void **state)
{
    (void)state;
    static const char *const allow[] = {"0.0.0.0/0", "::/0"};
    static const struct ln_endpoint own[] = {{"0.0.0.0", 8080, false},
                                             {"10.9.8.7", 5432, false},
                                             {"db.example.com", 5432, false},
                                             {"203.0.113.5", 0, false}};
    struct ln_policy *policy = make(
        &(struct ln_policy_options){.allow = allow, .allow_count = 2, .own = own, .own_count = 4});
    assert_int_equal(addr(policy, "127.0.0.1", 8080), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "127.9.9.9", 8080), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "::1", 8080), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "::ffff:127.0.0.1", 8080), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "64:ff9b::10.9.8.7", 5432), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "127.0.0.1", 8081), LLMGR_OK);
    assert_int_equal(addr(policy, "10.9.8.7", 5432), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "10.9.8.7", 443), LLMGR_OK);
    assert_int_equal(addr(policy, "203.0.113.5", 1), LLMGR_ERR_ADDRESS);
    assert_int_equal(url(policy, "https", "DB.example.com", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(url(policy, "https", "db2.example.com", 443), LLMGR_OK);
    ln_policy_free(policy);
}

/* A platform there would be a circle: so the operator's word does not open it either. */
static void this_gateway_itself_is_shut_to_everybody(void **state)
{
    (void)state;
    static const char *const allow[] = {"0.0.0.0/0", "::/0"};
    static const struct ln_endpoint own[] = {
        {"db.example.com", 5432, false}, {"10.9.8.7", 5432, false}, {"llm.example.com", 443, true}};
    static const struct ln_endpoint later[] = {{"127.0.0.1", 8080, true}, {"::", 9090, true}};
    struct ln_policy *policy = make(&(struct ln_policy_options){.allow = allow,
                                                                .allow_count = 2,
                                                                .allow_http = true,
                                                                .ports = (uint16_t[]){0},
                                                                .port_count = 1,
                                                                .own = own,
                                                                .own_count = 3});
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(ln_policy_shut(policy, &later[i], NULL), LLMGR_OK);
    static const struct {
        const char *host;
        unsigned port;
        bool system, private; /* is it open? */
    } rows[] = {
        {"127.0.0.1", 8080, false, false},
        {"[::ffff:127.0.0.1]", 8080, false, false},
        {"0.0.0.0", 8080, false, false},
        {"[::]", 8080, false, false},
        {"127.0.0.2", 8080, true, true},
        {"127.0.0.1", 8081, true, true},
        {"[::1]", 8080, true, true},
        {"127.0.0.1", 9090, false, false},
        {"127.7.7.7", 9090, false, false},
        {"[::1]", 9090, false, false},
        {"llm.example.com", 443, false, false},
        {"LLM.example.com", 443, false, false},
        {"llm.example.com.", 443, false, false},
        {"llm.example.com", 8443, true, false},
        {"x.llm.example.com", 443, true, true},
        {"10.9.8.7", 5432, true, false},
        {"db.example.com", 5432, true, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct llmgr_error err = {0};
        llmgr_status status = ln_policy_judge_url_host(policy, LN_CLASS_SYSTEM, LB_STR("http"),
                                                       lb_cstr(rows[i].host), rows[i].port, &err);
        if ((status == LLMGR_OK) != rows[i].system ||
            (status == LLMGR_ERR_ADDRESS) == rows[i].system)
            fail_msg("%s:%u for the operator: %d", rows[i].host, rows[i].port, (int)status);
        if (status != LLMGR_OK)
            assert_non_null(strstr(err.message, "no platform can be there"));
        status = url(policy, "http", rows[i].host, rows[i].port);
        if ((status == LLMGR_OK) != rows[i].private)
            fail_msg("%s:%u for a user: %d", rows[i].host, rows[i].port, (int)status);
    }
    ln_policy_free(policy);
}

static struct sockaddr *in4(struct sockaddr_in *in, uint32_t host_order, uint16_t port)
{
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    in->sin_addr.s_addr = htonl(host_order);
    return (struct sockaddr *)in;
}

/* An address that the machine got after its gateway had started. */
static void a_connection_from_an_address_to_itself_has_come_back(void **state)
{
    (void)state;
    static const struct ln_endpoint own[] = {
        {"0.0.0.0", 8080, true}, {"127.0.0.1", 8081, true}, {"0.0.0.0", 5432, false}};
    struct ln_policy *policy = make(&(struct ln_policy_options){.own = own, .own_count = 3});
    struct sockaddr_in local, peer;
    struct sockaddr other = {.sa_family = AF_UNIX};
    const uint32_t here = 0xcb007109, there = 0xcb00710a;
#define LEADS(from, to, port)                                                                      \
    ln_policy_leads_here(policy, in4(&local, from, 40000), in4(&peer, to, port))
    assert_true(LEADS(here, here, 8080));
    assert_false(LEADS(here, there, 8080));
    assert_false(LEADS(here, here, 8081));
    assert_false(LEADS(here, here, 5432));
    assert_false(LEADS(here, here, 443));
    assert_false(ln_policy_leads_here(policy, &other, in4(&peer, here, 8080)));
    assert_false(ln_policy_leads_here(NULL, in4(&local, here, 1), in4(&peer, here, 8080)));
    ln_policy_free(policy);
    policy = make(&(struct ln_policy_options){.own = own + 1, .own_count = 1});
    assert_false(LEADS(here, here, 8081));
#undef LEADS
    ln_policy_free(policy);
}

static void http_and_ports_are_the_operators_to_open(void **state)
{
    (void)state;
    struct ln_policy *policy = make(&(struct ln_policy_options){.allow_http = true});
    assert_int_equal(url(policy, "http", "example.com", 80), LLMGR_OK);
    assert_int_equal(url(policy, "https", "example.com", 8443), LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
    policy = make(&(struct ln_policy_options){.ports = (uint16_t[]){8443, 9443}, .port_count = 2});
    assert_int_equal(url(policy, "https", "example.com", 9443), LLMGR_OK);
    assert_int_equal(url(policy, "https", "example.com", 443), LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
}

static void broken_lists_are_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/",   "10.0.0/8",    "fd00::/129", "",
                                      "localhost",   "10.0.0.0/-1", "10.0.0.0/8/8"};
    lb_host_init(&host);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ln_policy *policy = NULL;
        struct llmgr_error err = {0};
        struct ln_policy_options options = {.allow = &bad[i], .allow_count = 1};
        assert_int_equal(ln_policy_new(&host, &options, &policy, &err), LLMGR_ERR_CONFIG);
        assert_non_null(strstr(err.message, bad[i]));
        assert_null(policy);
    }
}

static void another_family_is_refused(void **state)
{
    (void)state;
    struct ln_policy *policy = make(NULL);
    struct sockaddr other = {.sa_family = AF_UNIX};
    assert_int_equal(ln_policy_judge_addr(policy, LN_CLASS_PRIVATE, &other, NULL),
                     LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
    ln_policy_free(NULL);
}

static void lists_and_their_entries_have_bounds(void **state)
{
    (void)state;
    static const char *allow[5000];
    static uint16_t ports[5000];
    static struct ln_endpoint own[5000];
    static const char *const none[] = {NULL};
    static const char *const too_long[] = {"0000:0000:0000:0000:0000:ffff:192.168.100.2280000/8"};
    static const struct ln_endpoint nowhere[] = {{NULL, 80, false}},
                                    broken[] = {{"a b", 80, false}};
    const struct ln_policy_options rows[] = {
        {.allow = allow, .allow_count = 5000}, {.ports = ports, .port_count = 5000},
        {.own = own, .own_count = 5000},       {.allow = none, .allow_count = 1},
        {.allow = too_long, .allow_count = 1}, {.own = nowhere, .own_count = 1},
        {.own = broken, .own_count = 1},
    };

    lb_host_init(&host);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ln_policy *policy = NULL;
        struct llmgr_error err = {0};
        assert_int_equal(ln_policy_new(&host, &rows[i], &policy, &err), LLMGR_ERR_CONFIG);
        assert_true(err.message[0] != '\0');
        assert_null(policy);
    }
}

static void port_zero_opens_every_port(void **state)
{
    (void)state;
    struct ln_policy *policy =
        make(&(struct ln_policy_options){.ports = (uint16_t[]){443, 0}, .port_count = 2});
    assert_int_equal(url(policy, "https", "example.com", 9443), LLMGR_OK);
    assert_int_equal(addr(policy, "8.8.8.8", 1), LLMGR_OK);
    assert_int_equal(addr(policy, "10.0.0.1", 443), LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
}

static void an_end_point_of_one_address_shuts_no_other(void **state)
{
    (void)state;
    static const char *const allow[] = {"0.0.0.0/0", "::/0"};
    static const struct ln_endpoint own[] = {{"::", 8080, false}, {"127.0.0.2", 9090, false}};
    struct ln_policy *policy = make(
        &(struct ln_policy_options){.allow = allow, .allow_count = 2, .own = own, .own_count = 2});
    assert_int_equal(addr(policy, "127.0.0.1", 9090), LLMGR_OK);
    assert_int_equal(addr(policy, "127.0.0.2", 9090), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "127.0.0.1", 8080), LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
}

/* ::a.b.c.d (RFC 4291 section 2.5.5.1): judged by the address inside, but for :: and ::1. */
static void a_compatible_address_is_judged_by_the_one_inside(void **state)
{
    (void)state;
    static const char *const allow[] = {"::/96", "8.0.0.0/8"};
    struct ln_policy *policy = make(&(struct ln_policy_options){.allow = allow, .allow_count = 2});
    assert_int_equal(addr(policy, "::8.8.8.8", 443), LLMGR_OK);
    assert_int_equal(addr(policy, "::10.0.0.1", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "::0.0.1.2", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "::0.1.0.2", 443), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "::127.0.0.1", 443), LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
}

static void a_machine_that_does_not_tell_its_addresses_still_shuts_loopback(void **state)
{
    (void)state;
    static const char *const allow[] = {"0.0.0.0/0", "::/0"};
    static const struct ln_endpoint own[] = {{"0.0.0.0", 8080, false}};
    fault_arm("uv_interface_addresses", 0, 0);
    struct ln_policy *policy = make(
        &(struct ln_policy_options){.allow = allow, .allow_count = 2, .own = own, .own_count = 1});
    assert_true(fault_disarm());
    assert_int_equal(addr(policy, "127.0.0.1", 8080), LLMGR_ERR_ADDRESS);
    assert_int_equal(addr(policy, "::1", 8080), LLMGR_ERR_ADDRESS);
    ln_policy_free(policy);
}

static void a_refused_host_is_shown_without_what_could_hurt(void **state)
{
    (void)state;
    static const struct {
        const char *name, *shown;
    } rows[] = {
        {"a\x1b[31m", "a?[31m"},
        {"a\x7f", "a?"},
        {"a\xff", "a?"},
        {"b\xc3\xbc cher", "b\xc3\xbc cher"},
    };
    struct ln_policy *policy = make(NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct llmgr_error err = {0};
        assert_int_equal(ln_policy_judge_url_host(policy, LN_CLASS_PRIVATE, LB_STR("https"),
                                                  lb_cstr(rows[i].name), 443, &err),
                         LLMGR_ERR_INVALID);
        if (strstr(err.message, rows[i].shown) == NULL)
            fail_msg("%s", err.message);
    }
    ln_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_is_judged_as_written),
        cmocka_unit_test(a_literal_is_judged_alike_when_stored_and_when_connected_to),
        cmocka_unit_test(the_operators_word_passes_whatever_it_says),
        cmocka_unit_test(the_operator_opens_ranges_at_any_port),
        cmocka_unit_test(some_addresses_stay_shut_whatever_is_opened),
        cmocka_unit_test(who_opens_ipv6_has_not_opened_ipv4),
        cmocka_unit_test(an_opened_6to4_address_is_judged_by_the_one_inside),
        cmocka_unit_test(our_own_end_points_stay_shut),
        cmocka_unit_test(this_gateway_itself_is_shut_to_everybody),
        cmocka_unit_test(a_connection_from_an_address_to_itself_has_come_back),
        cmocka_unit_test(http_and_ports_are_the_operators_to_open),
        cmocka_unit_test(broken_lists_are_named),
        cmocka_unit_test(another_family_is_refused),
        cmocka_unit_test(lists_and_their_entries_have_bounds),
        cmocka_unit_test(port_zero_opens_every_port),
        cmocka_unit_test(an_end_point_of_one_address_shuts_no_other),
        cmocka_unit_test(a_compatible_address_is_judged_by_the_one_inside),
        cmocka_unit_test(a_machine_that_does_not_tell_its_addresses_still_shuts_loopback),
        cmocka_unit_test(a_refused_host_is_shown_without_what_could_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
