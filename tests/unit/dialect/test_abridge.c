/* SPDX-License-Identifier: MIT */
/* What is kept of refusals: all of short ones, and of long JSON whatever tells, however it comes.
 */
#include "dialect/abridge.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "dialect/error_read.h"
#include "dialect/said.h"
#include "json/write.h"

enum { LARGE = 300 * 1024 };

static struct lb_host host;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    return 0;
}

/* The text in pieces of `step` bytes; free it with lb_buf_free. */
static struct lb_buf abridged(struct lb_str text, size_t step, bool *more)
{
    struct ld_abridge abridge = {0};
    struct lb_buf kept;

    lb_buf_init(&kept, &host, LD_REFUSAL_MAX);
    *more = true;
    for (size_t at = 0; at < text.size && *more; at += step)
        *more = ld_abridge_add(&abridge, &kept, lb_str_sub(text, at, at + step));
    assert_int_equal(kept.failed, LLMGR_OK);
    return kept;
}

/* `before`, some `piece` and `behind`. */
static struct lb_buf made(const char *before, const char *piece, const char *behind)
{
    struct lb_buf text;

    lb_buf_init(&text, &host, 2 << 20);
    lb_buf_add_c(&text, before);
    while (text.size < LARGE)
        lb_buf_add_c(&text, piece);
    lb_buf_add_c(&text, behind);
    assert_int_equal(text.failed, LLMGR_OK);
    return text;
}

static void a_short_one_stays_as_it_is(void **state)
{
    static const char TEXT[] = " {\"error\": {\"message\": \"no\", \"a\": [1,2] } } \n";
    bool more;

    (void)state;
    for (size_t step = 1; step < sizeof TEXT; step++) {
        struct lb_buf kept = abridged(lb_cstr(TEXT), step, &more);
        assert_string_equal(lb_buf_c(&kept), TEXT);
        assert_true(more);
        lb_buf_free(&kept);
    }
    char *full = malloc(LD_REFUSAL_MAX);
    memset(full, '{', LD_REFUSAL_MAX);
    struct lb_buf kept = abridged(lb_str(full, LD_REFUSAL_MAX), 1000, &more);
    assert_true(lb_str_eq(lb_buf_str(&kept), lb_str(full, LD_REFUSAL_MAX)));
    lb_buf_free(&kept);
    free(full);
}

#define TOLD "\"error\":{\"message\":\"no such model\",\"type\":\"t\",\"code\":\"model_not_found\"}"

/* What stands before the error, and what is large in it. */
static const struct {
    const char *before, *piece, *behind;
} LONG[] = {
    {"{\"request\":\"", "a text ", "\"," TOLD "}"},
    {"{\"request\":\"", "\\\"\\n", "\"," TOLD "}"},
    {"{\"request\":\"", "\xe5\xad\x97", "\"," TOLD "}"},
    {"{\"request\":\"", "\\ud83d\\ude00", "\"," TOLD "}"},
    {"{\"request\":\"", "\\u00e9x", "\"," TOLD "}"},
    {"{\"request\":[0", ",{\"role\":\"user\",\"content\":\"hi\"}", "]," TOLD "}"},
    {"{\"request\":{\"a\":0", ",\"b\":[1,\"x\",{}]", "}," TOLD "}"},
    {"{\"request\":", "[", "0" /* and is never closed */},
    {"{\"request\":7", "7", "," TOLD "}"},
    {"{" TOLD ",\"x\":0", ", \"b\" : \"x\"", "}"},
    {"\xef\xbb\xbf\r\n {\"request\":\"", "a text ", "\"," TOLD "}\n\n"},
    {"event: error\ndata: {\"request\":\"", "a text ", "\"," TOLD "}\n\n"},
    {"{\"error\":{\"param\":\"", "a text ",
     "\",\"message\":\"no such model\",\"type\":\"t\",\"code\":"
     "\"model_not_found\"}}"},
    {"[{\"detail\":[\"", "a\",\"", "\"]," TOLD "}]"},
    {"{\"a\":\"x\"", ",\"a\":\"0123456789 0123456789 0123456789 0123456789 0123456789\"", "}"},
};

static void check_long(size_t row, size_t step)
{
    struct lb_buf text = made(LONG[row].before, LONG[row].piece, LONG[row].behind);
    bool has_error = strstr(lb_buf_c(&text), TOLD) != NULL || strstr(LONG[row].before, "param");
    bool more;
    struct lb_buf kept = abridged(lb_buf_str(&text), step, &more);
    json_t *root = lj_json_read(lb_buf_str(&kept), NULL);
    const json_t *error = ld_said_error(root);
    struct lb_buf message;

    lb_buf_init(&message, &host, 1000);
    assert_true(kept.size < LD_REFUSAL_MAX);
    if (has_error) {
        if (root == NULL)
            fail_msg("row %zu, %zu bytes at a time: %.200s", row, step, lb_buf_c(&kept));
        assert_true(lb_str_eq_c(lj_json_str(error, "code"), "model_not_found"));
        assert_true(lb_str_eq_c(lj_json_str(error, "type"), "t"));
        ld_error_text(lb_buf_str(&kept), 300, &message);
        assert_string_equal(lb_buf_c(&message), "no such model");
        assert_false(more); /* the JSON is closed */
    }
    lb_buf_free(&message);
    json_decref(root);
    lb_buf_free(&kept);
    lb_buf_free(&text);
}

static void what_a_long_one_tells_is_found_wherever_it_stands(void **state)
{
    static const size_t STEPS[] = {1, 7, 4096, 65536, 100000, 2 << 20};

    (void)state;
    for (size_t row = 0; row < sizeof LONG / sizeof LONG[0]; row++) {
        for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++)
            check_long(row, STEPS[i]);
    }
}

/* However large many of its parts are, there is room for what comes behind them. */
static void room_is_left_for_what_comes_last(void **state)
{
    struct lb_buf text;
    bool more;

    (void)state;
    lb_buf_init(&text, &host, 2 << 20);
    lb_buf_add_c(&text, "{\"a\":{");
    for (int i = 0; i < 60; i++)
        lb_buf_addf(&text, "\"m%d\":\"%0*d\",", i, 10000, 0);
    lb_buf_add_c(&text, "\"z\":0}," TOLD "}");
    struct lb_buf kept = abridged(lb_buf_str(&text), 4096, &more);
    assert_non_null(strstr(lb_buf_c(&kept), TOLD));
    lb_buf_free(&kept);
    lb_buf_free(&text);
}

static void of_other_text_the_first_bytes_stay(void **state)
{
    static const char *const STARTS[] = {"<html><title>no</title>", "no, ", "data: [DONE]\n"};
    bool more;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct lb_buf text = made(STARTS[i], "{", "");
        struct lb_buf kept = abridged(lb_buf_str(&text), 5000, &more);
        assert_true(lb_str_eq(lb_buf_str(&kept), lb_str_sub(lb_buf_str(&text), 0, LD_REFUSAL_MAX)));
        assert_false(more);
        lb_buf_free(&kept);
        lb_buf_free(&text);
    }
}

static void one_without_end_is_not_read_for_ever(void **state)
{
    struct ld_abridge abridge = {0};
    struct lb_buf kept;
    size_t fed = 0;

    (void)state;
    lb_buf_init(&kept, &host, LD_REFUSAL_MAX);
    assert_true(ld_abridge_add(&abridge, &kept, LB_STR("{\"error\":{\"message\":\"")));
    while (ld_abridge_add(&abridge, &kept, LB_STR("0123456789"))) {
        fed += 10;
        assert_true(fed <= LD_REFUSAL_READ);
    }
    assert_true(fed > LD_REFUSAL_READ / 2);
    assert_true(kept.size < LD_REFUSAL_MAX);
    lb_buf_free(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_one_stays_as_it_is),
        cmocka_unit_test(what_a_long_one_tells_is_found_wherever_it_stands),
        cmocka_unit_test(room_is_left_for_what_comes_last),
        cmocka_unit_test(of_other_text_the_first_bytes_stay),
        cmocka_unit_test(one_without_end_is_not_read_for_ever),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
