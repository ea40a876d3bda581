/* SPDX-License-Identifier: MIT */
/* Where platforms put their codes, and what is none. */
#include "dialect/codes.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"

static struct lb_host host;

static struct ld_codes read_codes(const char *body)
{
    struct ld_codes codes;

    ld_codes_read(&host, lb_cstr(body), &codes);
    return codes;
}

static void codes_are_found_where_platforms_put_them(void **state)
{
    (void)state;
    static const struct {
        const char *body, *code;
    } ROWS[] = {
        {"{\"error\":{\"message\":\"m\",\"code\":\"insufficient_quota\"}}", "insufficient_quota"},
        {"{\"error\":{\"message\":\"m\",\"type\":\"billing_error\"}}", "billing_error"},
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", "overloaded_error"},
        {"{\"code\":\"Arrearage\",\"message\":\"Access denied\"}", "arrearage"},
        {"{\"error\":{\"code\":\"1113\"}}", "1113"},
        {"{\"error\":{\"code\":1113}}", "1113"},
        {"{\"code\":30001,\"message\":\"m\",\"data\":null}", "30001"},
        {"[{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"code\":429}}]", "resource_exhausted"},
        {"{\"error\":{\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}", "api_key_invalid"},
        {"{\"error\":{\"metadata\":{\"error_type\":\"rate_limit_exceeded\"}}}",
         "rate_limit_exceeded"},
        {"{\"base_resp\":{\"status_code\":1008,\"status_msg\":\"no\"}}", "base_resp.1008"},
        {"{\"error\":\"no\",\"error_code\":17}", "17"},
        {"data: {\"error\":{\"code\":\"limit_requests\"}}\n\n", "limit_requests"},
        {"{\"error\":{\"code\":\"limit_requests\",\"message\":\"cut of", "limit_requests"},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_codes codes = read_codes(ROWS[i].body);
        if (!ld_codes_have(&codes, lb_cstr(ROWS[i].code)))
            fail_msg("%s: %.*s", ROWS[i].body, (int)codes.codes_size, codes.codes);
    }
}

static void only_a_whole_code_is_that_code(void **state)
{
    (void)state;
    struct ld_codes codes =
        read_codes("{\"error\":{\"code\":\"Throttling.RateQuota\",\"type\":\"a\\nb\",\"reason\":"
                   "\"\",\"status\":1.5}}");

    assert_true(ld_codes_have(&codes, LB_STR("throttling.ratequota")));
    assert_false(ld_codes_have(&codes, LB_STR("throttling")));
    assert_false(ld_codes_have(&codes, LB_STR("ratequota")));
    assert_false(ld_codes_have(&codes, LB_STR("")));
    assert_true(ld_codes_have_family(&codes, LB_STR("throttling")));
    assert_false(ld_codes_have_family(&codes, LB_STR("ratequota")));
    /* MiniMax's numbers are others' as well. */
    codes = read_codes("{\"base_resp\":{\"status_code\":1002}}");
    assert_false(ld_codes_have(&codes, LB_STR("1002")));
}

static void the_message_is_searched_without_case(void **state)
{
    (void)state;
    struct ld_codes codes = read_codes("{\"error\":{\"message\":\"Your Credit balance\"}}");

    assert_true(ld_codes_say(&codes, LB_STR("credit bal")));
    assert_false(ld_codes_say(&codes, LB_STR("debit")));
    assert_true(ld_codes_start(&codes, LB_STR("your credit")));
    assert_false(ld_codes_start(&codes, LB_STR("credit")));
    codes = read_codes("{\"base_resp\":{\"status_code\":1,\"status_msg\":\"Too Much\"}}");
    assert_true(ld_codes_say(&codes, LB_STR("too much")));
    codes = read_codes("Plain Text");
    assert_true(ld_codes_say(&codes, LB_STR("plain text")));
    assert_false(codes.is_markup);
}

static void an_error_names_its_status_and_how_long_to_wait(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int status;
        int64_t ms;
    } ROWS[] = {
        {"{\"error\":{\"code\":429,\"details\":[{\"retryDelay\":\"2s\"}]}}", 429, 2000},
        {"{\"error\":{\"code\":\"429\"}}", 0, -1},
        {"{\"error\":{\"code\":399}}", 0, -1},
        {"{\"error\":{\"code\":600}}", 0, -1},
        {"{\"status\":500,\"error\":{\"code\":400}}", 400, -1},
        {"{}", 0, -1},
        {"", 0, -1},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_codes codes = read_codes(ROWS[i].body);
        assert_int_equal(codes.http_status, ROWS[i].status);
        assert_int_equal(codes.retry_after_ms, ROWS[i].ms);
    }
}

static void a_page_for_people_is_known(void **state)
{
    (void)state;
    struct ld_codes codes = read_codes("\r\n <!DOCTYPE html><title>Just a moment...</title>");

    assert_true(codes.is_markup);
    assert_true(ld_codes_say(&codes, LB_STR("just a moment")));
    assert_int_equal(codes.codes_size, 0);
}

/* A code that is longer than all room is none; what fits stays. */
static void what_does_not_fit_is_not_said(void **state)
{
    char body[3000];
    int size = 0;

    (void)state;
    size += snprintf(body, sizeof body, "{\"code\":\"kept\",\"error\":{\"message\":\"");
    memset(body + size, 'M', 1100);
    size += 1100;
    size += snprintf(body + size, sizeof body - (size_t)size, "\",\"code\":\"");
    memset(body + size, 'C', LD_CODES_MAX);
    size += LD_CODES_MAX;
    (void)snprintf(body + size, sizeof body - (size_t)size, "\",\"type\":\"last\"}}");
    struct ld_codes codes = read_codes(body);
    assert_true(ld_codes_have(&codes, LB_STR("kept")));
    assert_true(ld_codes_have(&codes, LB_STR("last")));
    assert_int_equal(codes.codes_size, sizeof "kept\nlast\n" - 1);
    assert_int_equal(codes.message_size, LD_CODES_MESSAGE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_found_where_platforms_put_them),
        cmocka_unit_test(only_a_whole_code_is_that_code),
        cmocka_unit_test(the_message_is_searched_without_case),
        cmocka_unit_test(an_error_names_its_status_and_how_long_to_wait),
        cmocka_unit_test(a_page_for_people_is_known),
        cmocka_unit_test(what_does_not_fit_is_not_said),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
