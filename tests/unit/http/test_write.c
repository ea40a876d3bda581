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
    lh_write_named_u64(&out, LH_NAME("Content-Length"), 12345678901);
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
        lh_write_named_u64(&out, LH_NAME("Content-Length"), 0);
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
        for (int where = 0; where < 8; where++) {
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
            else if (where == 6)
                lh_write_field2(&out, LB_STR("X"), s, LB_STR("x"));
            else
                lh_write_named(&out, LH_NAME("x"), s);
            lh_write_end(&out);
            assert_int_equal(out.failed, LLMGR_ERR_INVALID);
            assert_int_equal(out.size, 0);
        }
    }
}

/* Any byte at any place of a value: both forms write the same, or nothing, and then refuse. */
static void a_name_from_the_source_changes_nothing_for_the_value(void **state)
{
    char value[40];

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t size = 0; size <= sizeof value; size++) {
            memset(value, 'v', sizeof value);
            if (size > 0)
                value[c % 7 * size / 7] = (char)c;
            lb_buf_reset(&out);
            lh_write_end(&out);
            lh_write_field(&out, LB_STR("via"), lb_str(value, size));
            char wanted[80];
            size_t wanted_size = out.size;
            llmgr_status failed = out.failed;
            memcpy(wanted, out.data, out.size + 1);
            bool bad = size > 0 && ((c < 0x20 && c != '\t') || c == 0x7f);
            assert_int_equal(failed, bad ? LLMGR_ERR_INVALID : LLMGR_OK);
            lb_buf_reset(&out);
            lh_write_end(&out);
            lh_write_named(&out, LH_NAME("via"), lb_str(value, size));
            assert_int_equal(out.failed, failed);
            assert_int_equal(out.size, wanted_size);
            assert_memory_equal(out.data, wanted, wanted_size + 1);
        }
    }
    lb_buf_reset(&out);
    lh_write_named(&out, LH_NAME("via"), lb_str("v", SIZE_MAX / 2)); /* never looked at */
    assert_int_equal(out.failed, LLMGR_ERR_INVALID);
    lb_buf_reset(&out);
    lh_write_named_u64(&out, LH_NAME("age"), UINT64_MAX);
    lh_write_named_u64(&out, LH_NAME("max-forwards"), 0);
    assert_string_equal(lb_buf_c(&out), "age: 18446744073709551615\r\nmax-forwards: 0\r\n");
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
        cmocka_unit_test_setup_teardown(a_name_from_the_source_changes_nothing_for_the_value, begin,
                                        end),
        cmocka_unit_test_setup_teardown(names_targets_and_codes_are_checked, begin, end),
        cmocka_unit_test_setup_teardown(reasons_are_the_registered_ones, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
