/* SPDX-License-Identifier: MIT */
/* Places of what passes by: which usage, finish, error and text count, and which only look so. */
#include "dialect/sniff.h"

#include <string.h>

#include "../unit.h"
#include "dialect/scan.h"
#include "dialect/tap.h"

static struct lb_host host;

/* Fed whole and byte by byte, which must come to the same; free it with ld_sniff_free. */
static struct ld_sniff sniffed(enum ld_endpoint_id endpoint, bool stream, const char *text)
{
    struct ld_sniff whole, bytes;

    ld_sniff_init(&whole, &host, ld_endpoint(endpoint), stream);
    ld_sniff_init(&bytes, &host, ld_endpoint(endpoint), stream);
    ld_sniff_feed(&whole, text, strlen(text));
    for (const char *at = text; *at != '\0'; at++)
        ld_sniff_feed(&bytes, at, 1);
    assert_int_equal(whole.usage_found, bytes.usage_found);
    assert_true(lb_str_eq(lb_buf_str(&whole.usage), lb_buf_str(&bytes.usage)));
    assert_int_equal(whole.error, bytes.error);
    assert_int_equal(whole.finish, bytes.finish);
    assert_int_equal(whole.choices, bytes.choices);
    assert_int_equal(whole.whole, bytes.whole);
    assert_int_equal(whole.text_size, bytes.text_size);
    assert_string_equal(whole.type, bytes.type);
    ld_sniff_free(&bytes);
    return whole;
}

static void usage_counts_where_answers_have_it(void **state)
{
    static const struct {
        const char *text;
        const char *usage; /* NULL: none */
    } ROWS[] = {
        {"{\"usage\":{\"a\":1}}", "{\"a\":1}"},
        {" \r\n\t{\"usage\" : {\"a\":{\"usage\":{}}}}", "{\"a\":{\"usage\":{}}}"},
        {"{\"response\":{\"usage\":{\"a\":2}}}", "{\"a\":2}"},
        {"{\"message\":{\"usage\":{\"a\":3}}}", "{\"a\":3}"},
        {"{\"choices\":[{\"usage\":{\"a\":4}}]}", "{\"a\":4}"},
        {"{\"usage\":{\"a\":1},\"x\":1,\"usage\":{\"a\":5}}", "{\"a\":5}"},
        {"{\"other\":{\"usage\":{}}}", NULL},
        {"{\"other\":[{\"usage\":{}}]}", NULL},
        {"{\"choices\":[[{\"usage\":{}}]]}", NULL},
        {"{\"response\":{\"x\":{\"usage\":{}}}}", NULL},
        {"{\"usage\":null}", NULL},
        {"{\"usage\":[{}]}", NULL},
        {"{\"x\":\"usage\"}", NULL},
        {"{\"usage\":{\"a\":1", NULL},
        {"[{\"usage\":{}}]", NULL},
        {"x{\"usage\":{}}", NULL},
        {"{}{\"usage\":{}}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_sniff sniff = sniffed(LD_ENDPOINT_CHAT, true, ROWS[i].text);
        if (sniff.usage_found != (ROWS[i].usage != NULL))
            fail_msg("%s", ROWS[i].text);
        if (ROWS[i].usage != NULL)
            assert_string_equal(lb_buf_c(&sniff.usage), ROWS[i].usage);
        ld_sniff_free(&sniff);
    }
}

static void an_end_counts_where_its_dialect_says_it(void **state)
{
    static const struct {
        const char *text;
        bool finish;
    } ROWS[] = {
        {"{\"choices\":[{\"finish_reason\":\"stop\"}]}", true},
        {"{\"choices\":[{\"finish_reason\":null}]}", false},
        {"{\"choices\":[[{\"finish_reason\":\"stop\"}]]}", false},
        {"{\"others\":[{\"finish_reason\":\"stop\"}]}", false},
        {"{\"finish_reason\":\"stop\"}", false},
        {"{\"stop_reason\":\"end_turn\"}", true},
        {"{\"delta\":{\"stop_reason\":\"end_turn\"}}", true},
        {"{\"other\":{\"stop_reason\":\"end_turn\"}}", false},
        {"{\"delta\":{\"x\":{\"stop_reason\":\"end_turn\"}}}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_sniff sniff = sniffed(LD_ENDPOINT_CHAT, true, ROWS[i].text);
        if (sniff.finish != ROWS[i].finish)
            fail_msg("%s", ROWS[i].text);
        ld_sniff_free(&sniff);
    }
}

static void an_error_is_one_that_says_something(void **state)
{
    static const struct {
        const char *text;
        bool error;
    } ROWS[] = {
        {"{\"error\":\"x\"}", true},
        {"{\"error\":{\"a\":1}}", true},
        {"{\"error\":true}", true},
        {"{\"error\":\"\"}", false},
        {"{\"error\":{}}", false},
        {"{\"error\":false}", false},
        {"{\"error\":null}", false},
        {"{\"error\":[]}", false},
        {"{\"a\":{\"error\":true}}", false},
        {"{\"a\":{\"error\":\"x\"}}", false},
        {"{\"error\":null,\"a\":true}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_sniff sniff = sniffed(LD_ENDPOINT_CHAT, false, ROWS[i].text);
        if (sniff.error != ROWS[i].error)
            fail_msg("%s", ROWS[i].text);
        ld_sniff_free(&sniff);
    }
}

static void the_type_is_that_of_the_top_level(void **state)
{
    char text[600];
    struct ld_sniff sniff = sniffed(LD_ENDPOINT_RESPONSES, true,
                                    "{\"type\":\"t\",\"a\":{\"type\":\"no\"},"
                                    "\"response\":{\"type\":\"no\"}}");

    (void)state;
    assert_string_equal(sniff.type, "t");
    ld_sniff_free(&sniff);
    snprintf(text, sizeof text, "{\"type\":\"%0200d\",\"%0300d\":1}", 0, 0);
    sniff = sniffed(LD_ENDPOINT_CHAT, true, text);
    assert_int_equal(strlen(sniff.type), LD_SNIFF_TYPE_SIZE - 1);
    ld_sniff_free(&sniff);
}

static void text_is_what_stands_in_the_places_of_output(void **state)
{
    static const struct {
        enum ld_endpoint_id endpoint;
        bool stream;
        const char *text;
        uint64_t size;
    } ROWS[] = {
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"content\":\"abc\"}}]}", 3},
        {LD_ENDPOINT_CHAT, true, "{\"others\":[{\"delta\":{\"content\":\"abc\"}}]}", 0},
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"role\":\"abc\"}}]}", 0},
        {LD_ENDPOINT_RESPONSES, true, "{\"delta\":\"ab\"}", 2},
        {LD_ENDPOINT_RESPONSES, true, "{\"x\":{\"delta\":\"ab\"}}", 0},
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"content\":\"a\nb\"}}]}", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_sniff sniff = sniffed(ROWS[i].endpoint, ROWS[i].stream, ROWS[i].text);
        assert_int_equal(sniff.text_size, ROWS[i].size);
        ld_sniff_free(&sniff);
    }
}

/* Deeper than names are followed, and deeper than levels are told apart. */
static void depth_changes_nothing_outside_of_it(void **state)
{
    char text[1024];

    (void)state;
    for (int depth = 5; depth <= 100; depth += 5) {
        size_t size = (size_t)snprintf(text, sizeof text, "{\"x\":");
        for (int i = 0; i < depth; i++)
            size += (size_t)snprintf(text + size, sizeof text - size, i % 2 ? "[" : "{\"usage\":");
        size += (size_t)snprintf(text + size, sizeof text - size, "1,\"error\"");
        for (int i = depth; i-- > 0;)
            size += (size_t)snprintf(text + size, sizeof text - size, i % 2 ? "]" : "}");
        snprintf(text + size, sizeof text - size, ",\"usage\":{\"a\":1}}");
        struct ld_sniff sniff = sniffed(LD_ENDPOINT_CHAT, false, text);
        assert_true(sniff.whole);
        assert_false(sniff.error);
        assert_true(sniff.usage_found);
        assert_string_equal(lb_buf_c(&sniff.usage), "{\"a\":1}");
        ld_sniff_free(&sniff);
    }
}

static void an_error_passes_although_it_holds_usage_alone(void **state)
{
    static const struct lb_str EVENT =
        LB_STR("data: {\"error\":{\"message\":\"m\"},\"usage\":{\"prompt_tokens\":1}}\n\n");
    struct ld_tap tap;
    struct ld_tap_out out;

    (void)state;
    ld_tap_init(&tap, &(struct ld_tap_options){.host = &host,
                                               .endpoint = ld_endpoint(LD_ENDPOINT_CHAT),
                                               .content_type = LB_STR("text/event-stream"),
                                               .http_status = 200,
                                               .withhold_usage = true});
    assert_int_equal(ld_tap_feed(&tap, EVENT, &out), EVENT.size);
    assert_int_equal(out.count, 1);
    assert_true(lb_str_eq(out.slice[0], EVENT));
    assert_true(tap.report.failed);
    assert_int_equal(tap.report.usage.prompt_tokens, 1);
    ld_tap_finish(&tap, &out);
    ld_tap_finish(&tap, &out); /* once is enough, twice does no harm */
    assert_int_equal(out.count, 0);
    ld_tap_free(&tap);
}

/* ---- Names with escapes (scan.c) ------------------------------------------------------------- */

static void an_escape_is_decoded_or_refused(void **state)
{
    static const struct {
        const char *raw;
        const char *plain; /* NULL: no text */
    } ROWS[] = {
        {"a\\\"\\\\\\/\\b\\f\\n\\r\\t", "a\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC\\u20ac", "A\xc3\xa9\xe2\x82\xac\xe2\x82\xac"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
        {"\\uD83D\\uDE00", "\xf0\x9f\x98\x80"},
        {"\\ue000\\ud7ff", "\xee\x80\x80\xed\x9f\xbf"},
        {"\\ud83d", NULL},
        {"\\ud83dxxxxxx", NULL},
        {"\\ud83d\\n1234", NULL},
        {"\\ud83d\\u0041", NULL},
        {"\\ud83d\\ue000", NULL},
        {"\\ude00\\ud83d", NULL},
        {"\\u12", NULL},
        {"\\u12g4", NULL},
        {"\\u/234", NULL},
        {"\\u@234", NULL},
        {"\\u`234", NULL},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        size_t size = ld_unescape(lb_cstr(ROWS[i].raw), out, sizeof out);
        if ((size == SIZE_MAX) != (ROWS[i].plain == NULL))
            fail_msg("%s", ROWS[i].raw);
        if (size != SIZE_MAX)
            assert_true(lb_str_eq_c(lb_str(out, size), ROWS[i].plain));
    }
    assert_int_equal(ld_unescape(LB_STR("\\u20ac"), out, 2), SIZE_MAX);
    assert_int_equal(ld_unescape(LB_STR("abc"), out, 2), SIZE_MAX);
}

static void a_walk_that_is_over_stays_over(void **state)
{
    static const char *const ENDS[] = {"{}",          "{\"a\":1e", "{\"a\":1e+",
                                       "{\"a\":1E-}", "{\"a\":1",  "{\"a\":1.",
                                       "{\"a\":-",    "[]",        ""};

    (void)state;
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        struct ld_walk walk;
        struct ld_member member;
        ld_walk_start(&walk, lb_cstr(ENDS[i]), 0, 1);
        assert_int_equal(walk.why != NULL, ENDS[i][0] != '{');
        while (ld_walk_next(&walk, &member))
            assert_string_equal(ENDS[i], "{\"a\":1");
        assert_int_equal(walk.why == NULL, i == 0);
        assert_false(ld_walk_next(&walk, &member));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_counts_where_answers_have_it),
        cmocka_unit_test(an_end_counts_where_its_dialect_says_it),
        cmocka_unit_test(an_error_is_one_that_says_something),
        cmocka_unit_test(the_type_is_that_of_the_top_level),
        cmocka_unit_test(text_is_what_stands_in_the_places_of_output),
        cmocka_unit_test(depth_changes_nothing_outside_of_it),
        cmocka_unit_test(an_error_passes_although_it_holds_usage_alone),
        cmocka_unit_test(an_escape_is_decoded_or_refused),
        cmocka_unit_test(a_walk_that_is_over_stays_over),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
