/* SPDX-License-Identifier: MIT */
#include "http/write.h"

#include "../unit.h"
#include "http/head.h"

static struct lb_host host;
static struct lb_buf out;

static int begin(void **state)
{
    (void)state;
    lb_host_init(&host);
    lb_buf_init(&out, &host, 4096);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lb_buf_free(&out);
    return 0;
}

static void a_written_request_is_read_back(void **state)
{
    (void)state;
    struct lh_field fields[8];
    struct lh_head head;

    lh_write_request(&out, LB_STR("POST"), LB_STR("/v1/chat?x=1"), LB_STR("a:8080"));
    lh_write_field2(&out, LB_STR("Authorization"), LB_STR("Bearer "), LB_STR("sk-1"));
    lh_write_field(&out, LB_STR("X-Empty"), LB_STR(""));
    lh_write_field_u64(&out, LB_STR("Content-Length"), 12345678901);
    lh_write_end(&out);
    assert_int_equal(out.failed, LLMGR_OK);
    assert_string_equal(lb_buf_c(&out), "POST /v1/chat?x=1 HTTP/1.1\r\nHost: a:8080\r\n"
                                        "Authorization: Bearer sk-1\r\nX-Empty: \r\n"
                                        "Content-Length: 12345678901\r\n\r\n");
    lh_head_init_request(&head, fields, 8, &lh_limits_default);
    assert_int_equal(lh_head_parse(&head, out.data, out.size), LH_DONE);
    assert_true(head.length == 12345678901);
}

static void a_written_response_is_read_back(void **state)
{
    (void)state;
    struct lh_field fields[8];
    struct lh_head head;

    for (int status = 100; status < 600; status++) {
        if (status == 101)
            continue;
        lb_buf_reset(&out);
        lh_write_status(&out, status);
        lh_write_field_u64(&out, LB_STR("Content-Length"), 0);
        lh_write_end(&out);
        lh_head_init_response(&head, fields, 8, &lh_limits_default, LH_REPLY_TO_OTHER);
        assert_int_equal(lh_head_parse(&head, out.data, out.size), LH_DONE);
        assert_int_equal(head.status, status);
        assert_true(lb_str_eq_c(head.reason, lh_status_reason(status)));
    }
}

static void nothing_can_be_injected(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\r\nX: y", "a\n", "a\r", "\x01", "\x7f", "a\x1b[0m"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lb_str s = lb_cstr(bad[i]);
        for (int where = 0; where < 7; where++) {
            lb_buf_reset(&out);
            if (where == 0)
                lh_write_request(&out, s, LB_STR("/"), LB_STR("a"));
            else if (where == 1)
                lh_write_request(&out, LB_STR("GET"), s, LB_STR("a"));
            else if (where == 2)
                lh_write_request(&out, LB_STR("GET"), LB_STR("/"), s);
            else if (where == 3)
                lh_write_field(&out, s, LB_STR("x"));
            else if (where == 4)
                lh_write_field(&out, LB_STR("X"), s);
            else if (where == 5)
                lh_write_field2(&out, LB_STR("X"), LB_STR("Bearer "), s);
            else
                lh_write_field2(&out, LB_STR("X"), s, LB_STR("x"));
            lh_write_end(&out);
            assert_int_equal(out.failed, LLMGR_ERR_INVALID);
            assert_int_equal(out.size, 0);
        }
    }
}

static void names_targets_and_codes_are_checked(void **state)
{
    (void)state;
    lh_write_field(&out, LB_STR(""), LB_STR("x"));
    assert_int_equal(out.failed, LLMGR_ERR_INVALID);
    lb_buf_reset(&out);
    lh_write_field(&out, LB_STR("X:"), LB_STR("x"));
    assert_int_equal(out.failed, LLMGR_ERR_INVALID);
    lb_buf_reset(&out);
    lh_write_field(&out, LB_STR("X"), LB_STR("a\0b"));
    assert_int_equal(out.failed, LLMGR_ERR_INVALID);
    lb_buf_reset(&out);
    lh_write_request(&out, LB_STR("GET"), LB_STR("/a b"), LB_STR("a"));
    assert_int_equal(out.failed, LLMGR_ERR_INVALID);
    lb_buf_reset(&out);
    lh_write_request(&out, LB_STR("GET"), LB_STR("/"), LB_STR(""));
    assert_int_equal(out.failed, LLMGR_ERR_INVALID);
    lb_buf_reset(&out);
    lh_write_status(&out, 99);
    assert_int_equal(out.failed, LLMGR_ERR_INVALID);
    lb_buf_reset(&out);
    lh_write_status(&out, 600);
    assert_int_equal(out.failed, LLMGR_ERR_INVALID);
    lb_buf_reset(&out);
    lh_write_field(&out, LB_STR("X"), LB_STR("\xe9\xad\x94\ty"));
    assert_int_equal(out.failed, LLMGR_OK);
}

static void reasons_are_the_registered_ones(void **state)
{
    (void)state;
    assert_string_equal(lh_status_reason(200), "OK");
    assert_string_equal(lh_status_reason(429), "Too Many Requests");
    assert_string_equal(lh_status_reason(299), "Unknown");
    assert_string_equal(lh_status_reason(-1), "Unknown");
    assert_string_equal(lh_status_reason(600), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_written_request_is_read_back, begin, end),
        cmocka_unit_test_setup_teardown(a_written_response_is_read_back, begin, end),
        cmocka_unit_test_setup_teardown(nothing_can_be_injected, begin, end),
        cmocka_unit_test_setup_teardown(names_targets_and_codes_are_checked, begin, end),
        cmocka_unit_test_setup_teardown(reasons_are_the_registered_ones, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
