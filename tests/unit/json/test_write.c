/* SPDX-License-Identifier: MIT */
#include "json/write.h"

#include <locale.h>

#include "../unit.h"

static struct lb_host host;

static void round_trip(const char *text, const char *wanted)
{
    struct lb_buf out;
    bool memory;

    lb_buf_init(&out, &host, 4096);
    json_t *value = lj_json_read(lb_cstr(text), &memory);
    assert_non_null(value);
    lj_json_write(value, &out);
    assert_string_equal(lb_buf_c(&out), wanted);
    json_decref(value);
    lb_buf_free(&out);
}

static void what_is_read_is_written_again(void **state)
{
    (void)state;
    round_trip("{ }", "{}");
    round_trip("[1, -2, 0.1, 0.7, 1e300, 1.0, true, false, null]",
               "[1,-2,0.1,0.7,1e+300,1.0,true,false,null]");
    round_trip("{\"b\": [], \"a\": {\"x\": \"\\u4f60\\n\\\"\\\\/\\u0001\\t\\r\"}}",
               "{\"b\":[],\"a\":{\"x\":\"\xe4\xbd\xa0\\n\\\"\\\\/\\u0001\\t\\r\"}}");
    round_trip("[0.30000000000000004]", "[0.30000000000000004]");
    round_trip("[9223372036854775807]", "[9223372036854775807]");
}

static void a_decimal_comma_of_the_host_is_not_written(void **state)
{
    (void)state;
    /* Where the locale is not installed this shows nothing. */
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
        print_message("# no locale with a decimal comma here\n");
    round_trip("[0.5]", "[0.5]");
    setlocale(LC_NUMERIC, "C");
}

static void an_integer_beyond_64_bits_does_not_lose_the_rest(void **state)
{
    (void)state;
    bool memory;
    json_t *value = lj_json_read(LB_STR("{\"seed\":123456789012345678901,\"n\":5}"), &memory);

    assert_non_null(value);
    assert_int_equal(lj_json_int(value, "n", -1), 5);
    json_decref(value);
}

static void counts_are_whole_numbers_only(void **state)
{
    (void)state;
    bool memory;
    json_t *value = lj_json_read(
        LB_STR("{\"a\":1.0,\"b\":1.5,\"c\":\"7\",\"d\":null,\"e\":1e30,\"f\":true,\"g\":-3}"),
        &memory);

    assert_int_equal(lj_json_int(value, "a", -1), 1);
    assert_int_equal(lj_json_int(value, "b", -1), -1);
    assert_int_equal(lj_json_int(value, "c", -1), -1);
    assert_int_equal(lj_json_int(value, "d", -1), -1);
    assert_int_equal(lj_json_int(value, "e", -1), -1);
    assert_int_equal(lj_json_int(value, "f", -1), -1);
    assert_int_equal(lj_json_int(value, "g", -1), -3);
    assert_int_equal(lj_json_int(value, "absent", -9), -9);
    assert_int_equal(lj_json_int(NULL, "a", -9), -9);
    assert_null(lj_json_str(value, "d").p);
    assert_null(lj_json_str(NULL, "d").p);
    json_decref(value);
}

static void what_is_no_object_is_said_to_be_none(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"", "[1]", "1", "{", "{\"a\":}", "{} x", "\xff", "null"};

    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct llmgr_error err = {0};
        json_t *object = NULL;
        assert_int_equal(lj_json_object(lb_cstr(TEXTS[i]), "extra_body", &object, &err),
                         LLMGR_ERR_INVALID);
        assert_null(object);
        assert_non_null(strstr(err.message, "extra_body"));
    }
}

int main(void)
{
    lb_host_init(&host);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_again),
        cmocka_unit_test(a_decimal_comma_of_the_host_is_not_written),
        cmocka_unit_test(an_integer_beyond_64_bits_does_not_lose_the_rest),
        cmocka_unit_test(counts_are_whole_numbers_only),
        cmocka_unit_test(what_is_no_object_is_said_to_be_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
