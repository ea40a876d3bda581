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

int main(void)
{
    lb_host_init(&host);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_message_is_found_in_bodies_of_every_shape),
        cmocka_unit_test(what_is_shown_is_one_clean_line),
        cmocka_unit_test(each_http_status_has_its_meaning),
        cmocka_unit_test(a_404_names_model_and_platform),
        cmocka_unit_test(a_refusal_says_what_to_do_about_it),
        cmocka_unit_test(only_what_can_be_shown_is_shown),
        cmocka_unit_test(a_message_is_not_looked_for_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
