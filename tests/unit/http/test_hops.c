/* SPDX-License-Identifier: MIT */
/* What a head says of the way it came: CDN-Loop, Forwarded, X-Forwarded-For. */
#include "http/hops.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"

static const struct lb_str US = {"0123456789abcdef", 16};

struct parsed {
    char text[8192];
    struct lh_field fields[LH_FIELDS];
    struct lh_head head;
};

/* A request with these fields. */
static void parse(struct parsed *parsed, const char *fields)
{
    int size =
        snprintf(parsed->text, sizeof(parsed->text), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", fields);
    assert_true(size > 0 && (size_t)size < sizeof(parsed->text));
    lh_head_init_request(&parsed->head, parsed->fields, LH_FIELDS, &lh_limits_default);
    assert_int_equal(lh_head_parse(&parsed->head, parsed->text, (size_t)size), LH_DONE);
}

/* The count of hops; -1: malformed; 100 more: we are one of them. What is sent on is checked. */
static int hops(const char *fields)
{
    static struct parsed parsed;
    struct lh_loop loop;

    parse(&parsed, fields);
    if (!lh_loop_read(&parsed.head, US, &loop))
        return -1;
    char *out = malloc(loop.size);
    assert_non_null(out);
    lh_loop_write(&parsed.head, US, out);
    assert_memory_equal(out + loop.size - US.size, US.p, US.size);
    free(out);
    return (int)loop.count + (loop.met ? 100 : 0);
}

static void hops_are_counted_over_all_fields(void **state)
{
    (void)state;
    assert_int_equal(hops(""), 0);
    assert_int_equal(hops("CDN-Loop:\r\n"), 0);
    assert_int_equal(hops("CDN-Loop: a\r\n"), 1);
    assert_int_equal(hops("cdn-loop: a, b,c ,\td\r\n"), 4);
    assert_int_equal(hops("CDN-Loop: ,, a, ,\r\n"), 1);
    assert_int_equal(hops("CDN-Loop: a\r\nX: y\r\nCDN-LOOP: b, c\r\n"), 3);
    assert_int_equal(hops("CDN-Loop: cloudflare; loops=1; subreqs=1, Fastly\r\n"), 2);
    assert_int_equal(
        hops("CDN-Loop: foo123.foocdn.example, barcdn.example; trace=\"ab,c;\\\"d\"\r\n"
             "CDN-Loop: AnotherCDN; abc=123; def=\"456\"\r\n"),
        3);
    assert_int_equal(hops("CDN-Loop: 192.0.2.1:8080, [2001:db8::1]:443\r\n"), 2);
}

static void our_own_name_is_seen_wherever_it_stands(void **state)
{
    (void)state;
    assert_int_equal(hops("CDN-Loop: 0123456789abcdef\r\n"), 101);
    assert_int_equal(hops("CDN-Loop: 0123456789ABCDEF\r\n"), 101);
    assert_int_equal(hops("CDN-Loop: a, 0123456789abcdef;x=1,b\r\n"), 103);
    assert_int_equal(hops("CDN-Loop: a\r\nCDN-Loop: b,0123456789abcdef\r\n"), 103);
    assert_int_equal(hops("CDN-Loop: 0123456789abcde, 0123456789abcdef0\r\n"), 2);
    assert_int_equal(hops("CDN-Loop: a; by=0123456789abcdef; q=\"b, 0123456789abcdef\"\r\n"), 1);
}

static void what_is_no_list_of_hops_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"a b",          "a; b",  "a; b=",   "a; =c",       "a; b=\"c",
                                      "a; b=\"c\\\"", "\"a\"", "a/b",     "a; b=\"c\"d", "a;",
                                      "a, b c",       "a=b",   "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char fields[64];
        (void)snprintf(fields, sizeof(fields), "CDN-Loop: %s\r\n", bad[i]);
        if (hops(fields) != -1)
            fail_msg("%s is taken", bad[i]);
    }
    assert_int_equal(hops("CDN-Loop: a\r\nCDN-Loop: b c\r\n"), -1);
}

static void a_list_has_a_bound_over_all_fields(void **state)
{
    (void)state;
    char fields[2048];
    char name[LH_LOOP_SIZE];
    memset(name, 'a', sizeof(name));
    (void)snprintf(fields, sizeof(fields), "CDN-Loop: %.*s\r\n", LH_LOOP_SIZE - 2, name);
    assert_int_equal(hops(fields), 1);
    (void)snprintf(fields, sizeof(fields), "CDN-Loop: %.*s\r\n", LH_LOOP_SIZE - 1, name);
    assert_int_equal(hops(fields), -1);
    (void)snprintf(fields, sizeof(fields), "CDN-Loop: %.600s\r\nCDN-Loop: %.600s\r\n", name, name);
    assert_int_equal(hops(fields), -1);
}

static void what_came_goes_on_as_it_came(void **state)
{
    (void)state;
    static struct parsed parsed;
    struct lh_loop loop;
    char out[128];

    parse(&parsed, "CDN-Loop: a; x=\"1, 2\" ,b\r\nCDN-Loop:\r\nX: c\r\nCDN-Loop: d\r\n");
    assert_true(lh_loop_read(&parsed.head, US, &loop));
    lh_loop_write(&parsed.head, US, out);
    assert_true(lb_str_eq_c(lb_str(out, loop.size), "a; x=\"1, 2\" ,b, , d, 0123456789abcdef"));
}

/* The nodes that were read, joined by '|'. */
static const char *nodes(enum lh_header name, const char *fields)
{
    static struct parsed parsed;
    static char joined[8192];
    struct lb_str found[LH_NODES_MAX];
    size_t at = 0;

    parse(&parsed, fields);
    size_t count = lh_nodes_read(&parsed.head, name, found);
    assert_true(count <= LH_NODES_MAX);
    joined[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(joined + at, sizeof(joined) - at, "%s%.*s", i > 0 ? "|" : "",
                               (int)found[i].size, found[i].p);
    return joined;
}

static const char *forwarded_for(const char *fields)
{
    return nodes(LH_HEADER_X_FORWARDED_FOR, fields);
}

static const char *forwarded(const char *fields)
{
    return nodes(LH_HEADER_FORWARDED, fields);
}

static void the_last_proxys_word_comes_first(void **state)
{
    (void)state;
    assert_string_equal(forwarded_for(""), "");
    assert_string_equal(forwarded_for("X-Forwarded-For: 1.2.3.4\r\n"), "1.2.3.4");
    assert_string_equal(forwarded_for("X-Forwarded-For: a, b ,c\r\nY: d\r\n"
                                      "x-forwarded-for: e,f\r\n"),
                        "f|e|c|b|a");
    assert_string_equal(forwarded_for("Forwarded: for=1.2.3.4\r\n"), "");
    assert_string_equal(forwarded("X-Forwarded-For: 1.2.3.4\r\n"), "");
    assert_string_equal(forwarded("Forwarded: for=1.2.3.4\r\n"), "1.2.3.4");
    assert_string_equal(forwarded("Forwarded: for=a;proto=http;by=b, For=\"[2001:db8::1]:47\"\r\n"
                                  "Forwarded: host=\"x, for=y\"; FOR=c\r\n"),
                        "c|[2001:db8::1]:47|a");
}

/* What stands in front of a broken word is not the word of whoever is trusted. */
static void a_broken_word_ends_the_list(void **state)
{
    (void)state;
    assert_string_equal(forwarded_for("X-Forwarded-For: a,,b\r\n"), "b");
    assert_string_equal(forwarded_for("X-Forwarded-For: a\r\nX-Forwarded-For:\r\n"), "");
    assert_string_equal(forwarded_for("X-Forwarded-For: a, \r\n"), "");
    assert_string_equal(forwarded("Forwarded: for=a, proto=http, for=b\r\n"), "b");
    assert_string_equal(forwarded("Forwarded: for=a, for=, for=b\r\n"), "");
    assert_string_equal(forwarded("Forwarded: for=a; for=b\r\n"), "");
    assert_string_equal(forwarded("Forwarded: for=a, \r\n"), "");
    assert_string_equal(forwarded("Forwarded: for=\"\", for=b\r\n"), "b");
    assert_string_equal(forwarded("Forwarded: for=a\r\nForwarded: for b\r\n"), "");
    assert_string_equal(forwarded("Forwarded: for=\"x, for=1.2.3.4\r\n"), "");
    assert_string_equal(forwarded("Forwarded: for=\"x, for=\"[2001:db8::1]\"\r\n"), "");
    assert_string_equal(forwarded("Forwarded: for=\"x\\\r\nForwarded: for=b\r\n"), "b");
}

static void no_more_than_so_many_are_looked_at(void **state)
{
    (void)state;
    char fields[4096] = "X-Forwarded-For: first", other[4096] = "Forwarded: for=first";
    char wanted[1024] = "";
    for (int i = 0; i < 100; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), ", n%d", i);
        strcat(fields, name);
        (void)snprintf(name, sizeof(name), ", for=n%d", i);
        strcat(other, name);
    }
    for (int i = 0; i < LH_NODES_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%sn%d", i > 0 ? "|" : "", 99 - i);
        strcat(wanted, name);
    }
    assert_string_equal(forwarded_for(strcat(fields, "\r\n")), wanted);
    assert_string_equal(forwarded(strcat(other, "\r\n")), wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hops_are_counted_over_all_fields),
        cmocka_unit_test(our_own_name_is_seen_wherever_it_stands),
        cmocka_unit_test(what_is_no_list_of_hops_is_refused),
        cmocka_unit_test(a_list_has_a_bound_over_all_fields),
        cmocka_unit_test(what_came_goes_on_as_it_came),
        cmocka_unit_test(the_last_proxys_word_comes_first),
        cmocka_unit_test(a_broken_word_ends_the_list),
        cmocka_unit_test(no_more_than_so_many_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
