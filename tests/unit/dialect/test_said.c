/* SPDX-License-Identifier: MIT */
#include "dialect/said.h"

#include <string.h>

#include "../unit.h"
#include "json/write.h"

static struct lb_host host;

/* What is read of it, compactly; "" if there is no JSON in it. */
static void reads(const char *body, const char *wanted)
{
    struct lb_buf text;

    json_t *root = ld_said_json(&host, lb_cstr(body));
    lb_buf_init(&text, &host, 4096);
    if (root != NULL)
        lj_json_write(root, &text);
    if (strcmp(lb_buf_c(&text), wanted) != 0)
        fail_msg("%s: %s", body, lb_buf_c(&text));
    lb_buf_free(&text);
    json_decref(root);
}

static void what_was_cut_is_closed_where_it_ends(void **state)
{
    (void)state;
    reads("{\"a\":\"b\"}", "{\"a\":\"b\"}");
    reads("{\"a\":\"b", "{\"a\":\"b\"}");
    reads("{\"a\":\"b\\", "{\"a\":\"b\"}");
    reads("{\"a\":\"b\\\"c", "{\"a\":\"b\\\"c\"}");
    reads("{\"a\":\"b\\u00", "{\"a\":\"b\"}");
    reads("{\"a\":\"b\\ud83d", "{\"a\":\"b\"}");
    reads("{\"a\":\"b\\uD83D\\ude0", "{\"a\":\"b\"}");
    reads("{\"a\":\"b\xe4\xbd", "{\"a\":\"b\"}");
    reads("{\"a\":\"b\"", "{\"a\":\"b\"}");
    reads("{\"a\":[\"b\",\"c", "{\"a\":[\"b\",\"c\"]}");
    reads("{\"a\":[{\"b\":{\"c\":1", "{\"a\":[{\"b\":{\"c\":null}}]}");
    reads("{\"a\":1,", "{\"a\":1}");
    reads("{\"a\":1, \"b", "{\"a\":1,\"b\":null}");
    reads("{\"a\":1,\"b\"", "{\"a\":1,\"b\":null}");
    reads("{\"a\":1,\"b\":", "{\"a\":1,\"b\":null}");
    reads("{\"a\":1,\"b\":tr", "{\"a\":1,\"b\":null}");
    reads("{", "{}");
    reads("[", "[]");
    reads("[1, 2", "[1]");
    reads("{ ", "{}");
}

static void each_beginning_of_a_refusal_can_be_read(void **state)
{
    static const char WHOLE[] = " {\"error\" : {\"message\":\"a\\n\\u4f60 "
                                "\xe5\xa5\xbd\",\"list\":[1,-2.5e3,true,{\"x\":null}"
                                ",[],\"s\"],\"code\":\"c\"} , \"n\" : false}";

    (void)state;
    for (size_t size = 2; size < sizeof WHOLE; size++) {
        json_t *root = ld_said_json(&host, lb_str(WHOLE, size));
        if (root == NULL)
            fail_msg("%.*s", (int)size, WHOLE);
        json_decref(root);
    }
}

static void what_is_no_json_is_none(void **state)
{
    (void)state;
    reads("", "");
    reads("no", "");
    reads("<html>", "");
    reads("{]", "");
    reads("{\"a\":1}}", "");
    reads("{\"a\" \"b\"}", "");
    reads("data: no\n\n", "");
    char deep[200];
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    reads(deep, "");
}

static void an_event_is_unwrapped(void **state)
{
    (void)state;
    reads("data: {\"a\":1}\n\n", "{\"a\":1}");
    reads("\xef\xbb\xbf"
          "event: x\rdata:{\"a\":1}\r\r",
          "{\"a\":1}");
    reads("id: 1\r\nretry: 3\r\ndata: [DONE]\r\ndata: {\"a\":1", "{\"a\":null}");
}

static void only_words_about_the_key_are_about_the_key(void **state)
{
    static const struct {
        bool key;
        const char *body;
    } ROWS[] = {
        {true, "{\"error\":{\"message\":\"x\",\"code\":\"invalid_api_key\"}}"},
        {true,
         "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"x\"}}"},
        {true, "{\"error\":{\"status\":\"UNAUTHENTICATED\",\"code\":403,\"message\":\"x\"}}"},
        {true, "{\"error\":{\"message\":\"Your API key does not have permission to use this.\"}}"},
        {true, "{\"detail\":\"API key expired\"}"},
        {true, "{\"msg\":\"\\u65e0\\u6548\\u7684 API \\u5bc6\\u94a5\"}"},
        {true, "Invalid access token"},
        {true, "{\"error\":{\"message\":\"this key may not do that\"}}"},
        {true, "Method doesn't allow unregistered callers. Please use API Key or other form."},
        {false, ""},
        {false, "{}"},
        {false, "Forbidden"},
        {true, "<html><title>invalid api key</title>"},
        {false, "<html><title>Attention Required!</title>invalid api key"},
        {false, "{\"error\":{\"message\":\"Country, region, or territory not supported\",\"code\":"
                "\"unsupported_country_region_territory\"}}"},
        {false, "{\"error\":{\"message\":\"Your input was flagged: 'my api key is invalid'\"}}"},
        {false, "{\"error\":{\"message\":\"moderation\",\"code\":403,\"metadata\":{\"reasons\":"
                "[\"violence\"],\"flagged_input\":\"api key invalid\"}}}"},
        {false, "{\"error\":{\"message\":\"only available for Coding Agents\",\"type\":"
                "\"access_terminated_error\"}}"},
        {false, "{\"code\":30011,\"message\":\"Sorry, your account balance is insufficient\"}"},
        {false, "{\"error\":{\"message\":\"Project does not have access to model x\",\"code\":"
                "\"model_not_found\"}}"},
        {false, "Your API key is fine. The request is invalid."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (ld_said_of_key(&host, lb_cstr(ROWS[i].body)) != ROWS[i].key)
            fail_msg("%s", ROWS[i].body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_cut_is_closed_where_it_ends),
        cmocka_unit_test(each_beginning_of_a_refusal_can_be_read),
        cmocka_unit_test(what_is_no_json_is_none),
        cmocka_unit_test(an_event_is_unwrapped),
        cmocka_unit_test(only_words_about_the_key_are_about_the_key),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
