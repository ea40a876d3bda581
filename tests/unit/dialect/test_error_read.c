/* SPDX-License-Identifier: MIT */
#include "dialect/error_read.h"

#include "../unit.h"

static struct lb_host host;

static void told(const char *body, const char *wanted)
{
    struct lb_buf text;

    lb_buf_init(&text, &host, 4096);
    ld_error_text(lb_cstr(body), 60, &text);
    assert_string_equal(lb_buf_c(&text), wanted);
    lb_buf_free(&text);
}

static void the_message_is_found_in_bodies_of_every_shape(void **state)
{
    (void)state;
    told("{\"error\":{\"message\":\"no such model\",\"type\":\"x\"}}", "no such model");
    told("{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"busy\"}}", "busy");
    told("{\"error\":\"plain string\"}", "plain string");
    told("{\"message\":\"top\"}", "top");
    told("{\"detail\":\"gone\"}", "gone");
    told("{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}", "field required");
    told("[{\"error\":{\"message\":\"in a list\"}}]", "in a list");
    told("{\"choices\":null,\"base_resp\":{\"status_code\":1004,\"status_msg\":\"login fail\"}}",
         "login fail");
    told("{\"error_code\":110,\"error_msg\":\"expired\"}", "expired");
    told("{\"errors\":[{\"code\":7,\"message\":\"no\"}],\"messages\":[]}", "no");
    told("[{\"error\":{\"message\":\"not here\"}}]", "not here");
    told("{\"code\":1,\"msg\":\"\\u4f59\\u989d\\u4e0d\\u8db3\"}",
         "\xe4\xbd\x99\xe9\xa2\x9d\xe4\xb8\x8d\xe8\xb6\xb3");
    told("upstream connect error", "upstream connect error");
    told("  \n<!DOCTYPE html><HTML><Head><TITLE>502 Bad Gateway</TITLE></Head>", "502 Bad Gateway");
    told("<html><body>no title</body>", "");
    told("", "");
    told("{\"error\":{\"message\":\"cut in the mid", "cut in the mid");
    told("<html><body><H1 class=x>Blocked</H1>", "Blocked");
    told("<html><title> </title><h1>Blocked</h1>", "Blocked");
    told("\xef\xbb\xbf{\"message\":\"behind a mark\"}", "behind a mark");
    told("data: {\"error\":{\"message\":\"of LiteLLM\"}}\n\ndata: [DONE]\n\n", "of LiteLLM");
    told("event: error\r\ndata:{\"type\":\"error\",\"error\":{\"message\":\"named\"}}\r\n\r\n",
         "named");
    told(": hello\n\ndata: ping\n\ndata: {\"message\":\"third\"}\n\n", "third");
    told("data: no object\n\n", "data: no object");
    told("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
}

static void what_is_shown_is_one_clean_line(void **state)
{
    (void)state;
    told("a\r\n\tb\x1b[31mc\x7f  d\xc2\x85", "a b [31mc d");
    told("bad \xff\xfe utf", "bad \xef\xbf\xbd\xef\xbf\xbd utf");
    told("turn\xe2\x80\xaeround", "turn round");
    told("0123456789012345678901234567890123456789012345678901234567890123456789",
         "012345678901234567890123456789012345678901234567890123456789\xe2\x80\xa6");
}

static void each_http_status_has_its_meaning(void **state)
{
    (void)state;
    assert_int_equal(ld_status_of_http(200), LLMGR_OK);
    assert_int_equal(ld_status_of_http(401), LLMGR_ERR_KEY_REFUSED);
    assert_int_equal(ld_status_of_http(403), LLMGR_ERR_UPSTREAM);
    assert_int_equal(ld_status_of_http(404), LLMGR_ERR_UPSTREAM);
    assert_int_equal(ld_status_of_http(408), LLMGR_ERR_TIMEOUT);
    assert_int_equal(ld_status_of_http(429), LLMGR_ERR_RATE_LIMITED);
    assert_int_equal(ld_status_of_http(500), LLMGR_ERR_UPSTREAM);
    assert_int_equal(ld_status_of_http(504), LLMGR_ERR_TIMEOUT);
}

static void a_404_names_model_and_platform(void **state)
{
    (void)state;
    struct llmgr_error err = {0};
    const struct ld_refusal refusal = {.host = &host,
                                       .http_status = 404,
                                       .body = LB_STR("{\"error\":{\"message\":\"nope\"}}"),
                                       .retry_after_ms = -1,
                                       .platform = LB_STR("Plat"),
                                       .model = LB_STR("gpt-x")};

    assert_int_equal(ld_fail_http(&err, &refusal), LLMGR_ERR_UPSTREAM);
    assert_non_null(strstr(err.message, "Plat"));
    assert_non_null(strstr(err.message, "gpt-x"));
    assert_non_null(strstr(err.message, "nope"));
    assert_int_equal(err.upstream_status, 404);
    assert_int_equal(ld_fail_http(NULL, &refusal), LLMGR_ERR_UPSTREAM);
}

static void retry_after_is_read_in_each_form(void **state)
{
    (void)state;
    const int64_t now = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */

    assert_int_equal(ld_retry_after_value(LB_STR("7"), now), 7000);
    assert_int_equal(ld_retry_after_value(LB_STR(" 0 "), now), 0);
    assert_int_equal(ld_retry_after_value(LB_STR("Sun, 06 Nov 1994 08:49:47 GMT"), now), 10000);
    assert_int_equal(ld_retry_after_value(LB_STR("Sunday, 06-Nov-94 08:50:37 GMT"), now), 60000);
    assert_int_equal(ld_retry_after_value(LB_STR("Sun Nov  6 08:49:38 1994"), now), 1000);
    assert_int_equal(ld_retry_after_value(LB_STR("Sun, 06 Nov 1994 08:49:30 GMT"), now), 0);
    assert_int_equal(ld_retry_after_value(LB_STR("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164799000),
                     1000);
    assert_int_equal(ld_retry_after_value(LB_STR("-1"), now), -1);
    assert_int_equal(ld_retry_after_value(LB_STR("soon"), now), -1);
    assert_int_equal(ld_retry_after_value(LB_STR(""), now), -1);
    assert_int_equal(ld_retry_after_value(LB_STR("99999999999999999999"), now), -1);
    assert_int_equal(ld_retry_after_value(LB_STR("Sun, 06 Nov 9994 08:49:37 GMT"), now), -1);
}

static int64_t retry_after_of(const char *text)
{
    struct lh_field fields[LH_FIELDS];
    struct lh_head head;

    lh_head_init_response(&head, fields, LH_FIELDS, &lh_limits_default, LH_REPLY_TO_OTHER);
    assert_int_equal(lh_head_parse(&head, text, strlen(text)), LH_DONE);
    return ld_retry_after_ms(&head, 0);
}

static void milliseconds_are_preferred(void **state)
{
    (void)state;
    assert_int_equal(retry_after_of("HTTP/1.1 429 x\r\nRetry-After: 9\r\nretry-after-ms: 150\r\n"
                                    "Content-Length: 0\r\n\r\n"),
                     150);
    assert_int_equal(retry_after_of("HTTP/1.1 429 x\r\nretry-after-ms: 20.5\r\n\r\n"), 20);
    assert_int_equal(
        retry_after_of("HTTP/1.1 429 x\r\nretry-after-ms: x\r\nRetry-After: 1\r\n\r\n"), 1000);
    assert_int_equal(retry_after_of("HTTP/1.1 429 x\r\n\r\n"), -1);
}

static void a_refusal_says_what_to_do_about_it(void **state)
{
    (void)state;
    static const struct {
        int http;
        int64_t after_ms;
        const char *model;
        llmgr_status status;
        const char *says;
    } ROWS[] = {
        {200, -1, "m", LLMGR_ERR_UPSTREAM, "answers with an error (HTTP 200)"},
        {401, -1, "m", LLMGR_ERR_KEY_REFUSED, "store a valid key"},
        {404, -1, "", LLMGR_ERR_UPSTREAM, "answers with an error (HTTP 404)"},
        {404, -1, "m", LLMGR_ERR_UPSTREAM, "no model 'm'"},
        {429, -1, "m", LLMGR_ERR_RATE_LIMITED, "try again later"},
        {429, 1, "m", LLMGR_ERR_RATE_LIMITED, "try again in 1 s"},
        {504, -1, "m", LLMGR_ERR_TIMEOUT, "gave up waiting"},
        {500, -1, "m", LLMGR_ERR_UPSTREAM, "'?' answers with an error"},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct llmgr_error err = {0};
        const struct ld_refusal refusal = {.host = &host,
                                           .http_status = ROWS[i].http,
                                           .retry_after_ms = ROWS[i].after_ms,
                                           .model = lb_cstr(ROWS[i].model)};
        assert_int_equal(ld_fail_http(&err, &refusal), ROWS[i].status);
        assert_int_equal(err.retry_after_ms, ROWS[i].after_ms);
        if (strstr(err.message, ROWS[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.message, ROWS[i].says);
    }
}

static void only_what_can_be_shown_is_shown(void **state)
{
    (void)state;
    static const uint32_t HIDDEN[] = {0x00,   0x1f,   0x7f,   0x9f,   0x200b, 0x200f,
                                      0x2028, 0x202e, 0x2066, 0x2069, 0xfeff};
    static const uint32_t SHOWN[] = {0x21,   0x7e,   0xa0,   0x200a, 0x2010, 0x2027,
                                     0x202f, 0x2065, 0x206a, 0xfefe, 0xff00};

    for (int hidden = 0; hidden < 2; hidden++) {
        for (size_t i = 0; i < 11; i++) {
            uint32_t c = hidden ? HIDDEN[i] : SHOWN[i];
            char raw[8] = {'a'}, want[8];
            size_t size = 1;
            struct lb_buf text;
            if (c < 0x80) {
                raw[size++] = (char)c;
            } else if (c < 0x800) {
                raw[size++] = (char)(0xc0 | c >> 6);
                raw[size++] = (char)(0x80 | (c & 0x3f));
            } else {
                raw[size++] = (char)(0xe0 | c >> 12);
                raw[size++] = (char)(0x80 | (c >> 6 & 0x3f));
                raw[size++] = (char)(0x80 | (c & 0x3f));
            }
            raw[size++] = 'b';
            memcpy(want, hidden ? "a b" : raw, hidden ? 4 : size);
            want[hidden ? 3 : size] = '\0';
            lb_buf_init(&text, &host, 64);
            ld_clean_text(lb_str(raw, size), 60, &text);
            assert_string_equal(lb_buf_c(&text), want);
            lb_buf_free(&text);
        }
    }
}

static void a_message_is_not_looked_for_without_end(void **state)
{
    (void)state;
    told("{\"error\":{\"error\":{\"error\":{\"error\":{\"message\":\"deep\"}}}}}",
         "{\"error\":{\"error\":{\"error\":{\"error\":{\"message\":\"deep\"}}}}}");
    told("{\"error\":[[\"in lists\"]]}", "in lists");
    told("{\"error\":7,\"message\":null,\"detail\":[],\"title\":\"last\"}", "last");
    told("[]", "[]");
    told("<title", "");
    told("<TITLE>a</TITLE>", "a");
}

static void a_date_that_is_none_is_not_said(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "Sun, 00 Nov 2094 08:49:37 GMT",
        "Sun, 32 Nov 2094 08:49:37 GMT",
        "Sun, 06 Nox 2094 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 2094 08.49:37 GMT",
        "Sun, 06 Nov 2094 08:49.37 GMT",
        "Sun, 06 Nov 2094 xx:49:37 GMT",
        "Sun, 06 Nov 2094 08:xx:37 GMT",
        "Sun, 06 Nov 2094 08:49:xx GMT",
        "Sun, 06 Nov 2094 24:49:37 GMT",
        "Sun, 06 Nov 2094 08:60:37 GMT",
        "Sun, 06 Nov 2094 08:49:61 GMT",
        "Sun, 06 Nov 2094 GMT",
        "Sun, 06 Nov 08:49:37 GMT",
        "Sun, Nov 08:49:37 GMT",
        "06 2094 08:49:37",
        "31622401",
        "Sun, 06 Nov 20940 08:49:37 GMT",
    };

    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        if (ld_retry_after_value(lb_cstr(BAD[i]), 3939785377000) != -1)
            fail_msg("%s", BAD[i]);
    }
    /* Two digits of a year: up to 69 this century, then the last one. */
    assert_int_equal(ld_retry_after_value(LB_STR("Sunday, 06-Nov-69 08:49:37 GMT"), 3150953376000),
                     1000);
    assert_int_equal(ld_retry_after_value(LB_STR("Sunday, 06-Nov-70 08:49:37 GMT"), 3150953376000),
                     0);
    assert_int_equal(retry_after_of("HTTP/1.1 429 x\r\nretry-after-ms: 31622400001\r\n\r\n"), -1);
    assert_int_equal(retry_after_of("HTTP/1.1 429 x\r\nretry-after-ms: 31622400000\r\n\r\n"),
                     31622400000);
}

int main(void)
{
    lb_host_init(&host);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_message_is_found_in_bodies_of_every_shape),
        cmocka_unit_test(what_is_shown_is_one_clean_line),
        cmocka_unit_test(each_http_status_has_its_meaning),
        cmocka_unit_test(a_404_names_model_and_platform),
        cmocka_unit_test(retry_after_is_read_in_each_form),
        cmocka_unit_test(milliseconds_are_preferred),
        cmocka_unit_test(a_refusal_says_what_to_do_about_it),
        cmocka_unit_test(only_what_can_be_shown_is_shown),
        cmocka_unit_test(a_message_is_not_looked_for_without_end),
        cmocka_unit_test(a_date_that_is_none_is_not_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
