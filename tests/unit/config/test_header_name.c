/* SPDX-License-Identifier: MIT */
#include "config/header_name.h"

#include "../unit.h"

static void what_says_who_asks_or_frames_a_message_never_passes(void **state)
{
    static const char *const KEPT[] = {
        "Authorization",
        "authorization",
        "Proxy-Authorization",
        "X-API-Key",
        "api-key",
        "x-goog-api-key",
        "Cookie",
        "Set-Cookie",
        "X-Auth-Token",
        "x-amz-security-token",
        "Authentication-Info",
        "Ocp-Apim-Subscription-Key",
        "X-Functions-Key",
        "X-Auth-Request-Email",
        "X-Amzn-Oidc-Data",
        "Cf-Access-Jwt-Assertion",
        "Remote-User",
        "X-Real-IP",
        "True-Client-IP",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "Range",
        "If-Range",
        "If-None-Match",
        "X-Secret",
        "Helicone-Auth",
        "X-Auth",
        "Auth",
        "Key",
        "x-llmgr-user",
        "X-LLMGR-Model",
        "x-llmgr-anything",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Connection",
        "HTTP2-Settings",
        "Host",
        "Expect",
        "Content-Length",
        "Content-Type",
        "Content-Encoding",
        "Accept-Encoding",
        "Forwarded",
        "X-Forwarded-For",
        "CDN-Loop",
        "Via",
        "",
        " ",
        "a b",
        "a:b",
        "a_b",
        "X-Title:",
        "x\r\ny",
        "x\ty",
        "na\xc3\xafve",
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggg",
    };
    (void)state;

    for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++) {
        if (lc_header_may_pass(lb_cstr(KEPT[i])))
            fail_msg("%s", KEPT[i]);
    }
}

static void what_describes_a_client_may(void **state)
{
    static const char *const FREE[] = {"HTTP-Referer",
                                       "X-Title",
                                       "User-Agent",
                                       "session-id",
                                       "x-claude-code-session-id",
                                       "X-Initiator",
                                       "Referer",
                                       "OpenAI-Organization",
                                       "x-stainless-lang",
                                       "originator"};
    (void)state;

    for (size_t i = 0; i < sizeof FREE / sizeof FREE[0]; i++) {
        if (!lc_header_may_pass(lb_cstr(FREE[i])))
            fail_msg("%s", FREE[i]);
    }
}

static void a_list_holds_each_name_once_and_is_searched_in_any_case(void **state)
{
    struct lb_host host;
    struct lb_buf list;
    (void)state;

    lb_host_init(&host);
    lb_buf_init(&list, &host, 256);
    assert_true(lc_header_add(LB_STR(" X-Title "), &list));
    assert_true(lc_header_add(LB_STR("User-Agent"), &list));
    assert_true(lc_header_add(LB_STR("x-title"), &list));
    assert_false(lc_header_add(LB_STR("Cookie"), &list));
    assert_string_equal(lb_buf_c(&list), "x-title, user-agent");
    assert_true(lc_header_is_listed(lb_buf_str(&list), LB_STR("USER-agent")));
    assert_false(lc_header_is_listed(lb_buf_str(&list), LB_STR("user")));
    assert_false(lc_header_is_listed(lb_buf_str(&list), LB_STR("")));
    assert_false(lc_header_is_listed(LB_STR(""), LB_STR("x")));
    lb_buf_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_says_who_asks_or_frames_a_message_never_passes),
        cmocka_unit_test(what_describes_a_client_may),
        cmocka_unit_test(a_list_holds_each_name_once_and_is_searched_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
