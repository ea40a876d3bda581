/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "../unit.h"

static struct lb_host host;

static void the_first_failure_sticks(void **state)
{
    (void)state;
    struct lb_buf buf;

    lb_buf_init(&buf, &host, 4);
    lb_buf_add_c(&buf, "abc");
    lb_buf_add_c(&buf, "de");
    lb_buf_add_c(&buf, "f");
    assert_int_equal(buf.failed, LLMGR_ERR_TOO_LARGE);
    assert_string_equal(lb_buf_c(&buf), "abc");
    assert_null(lb_buf_take(&buf));
    lb_buf_reset(&buf);
    lb_buf_add_c(&buf, "wxyz");
    assert_int_equal(buf.failed, LLMGR_OK);
    lb_buf_free(&buf);
}

static void bytes_are_always_terminated(void **state)
{
    (void)state;
    struct lb_buf buf;

    lb_buf_init(&buf, &host, 1 << 20);
    assert_string_equal(lb_buf_c(&buf), "");
    for (int i = 0; i < 1000; i++)
        lb_buf_addf(&buf, "%d,", i);
    assert_int_equal(buf.data[buf.size], '\0');
    lb_buf_shift(&buf, 2);
    assert_memory_equal(buf.data, "1,2,", 4);
    lb_buf_cut(&buf, 3);
    assert_string_equal(lb_buf_c(&buf), "1,2");
    lb_buf_add_u64(&buf, UINT64_MAX);
    char *text = lb_buf_take(&buf);
    assert_string_equal(text, "1,218446744073709551615");
    lb_free(&host, text);
    lb_buf_free(&buf);
}

static void memory_never_exceeds_what_the_ceiling_needs(void **state)
{
    (void)state;
    struct lb_buf buf;

    lb_buf_init(&buf, &host, 1000);
    for (size_t i = 0; i < 1000; i++) {
        size_t told = lb_buf_capacity_for(&buf, 1);
        lb_buf_add_byte(&buf, 'x');
        assert_int_equal(buf.capacity, told);
        assert_in_range(buf.capacity, buf.size + 1, 1001);
    }
    assert_int_equal(buf.capacity, 1001);
    assert_int_equal(lb_buf_capacity_for(&buf, SIZE_MAX), 1001);
    lb_buf_add_byte(&buf, 'x');
    assert_int_equal(buf.failed, LLMGR_ERR_TOO_LARGE);
    lb_buf_free(&buf);
}

static void a_secret_leaves_no_bytes_behind_when_it_shrinks(void **state)
{
    (void)state;
    struct lb_buf buf;

    lb_buf_init_secret(&buf, &host, 100);
    lb_buf_add_c(&buf, "0123456789");
    lb_buf_shift(&buf, 4);
    assert_string_equal(lb_buf_c(&buf), "456789");
    for (size_t i = buf.size; i < 10; i++)
        assert_int_equal(buf.data[i], 0);
    lb_buf_cut(&buf, 1);
    for (size_t i = buf.size; i < 10; i++)
        assert_int_equal(buf.data[i], 0);
    lb_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_sticks),
        cmocka_unit_test(bytes_are_always_terminated),
        cmocka_unit_test(memory_never_exceeds_what_the_ceiling_needs),
        cmocka_unit_test(a_secret_leaves_no_bytes_behind_when_it_shrinks),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
