/* SPDX-License-Identifier: MIT */
/* What a line of a batch file says about where it goes. */
#include "dialect/batch_line.h"

#include "../unit.h"

static struct lb_host host;

static bool read_line(const char *text, struct ld_batch_line *line)
{
    struct lb_arena arena;
    struct llmgr_error err = {0};

    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 1 << 16);
    llmgr_status status = ld_batch_line(lb_cstr(text), &arena, line, &err);
    lb_arena_free(&arena);
    if (status != LLMGR_OK)
        assert_int_equal(status, LLMGR_ERR_INVALID);
    return status == LLMGR_OK;
}

static void the_words_are_taken_from_the_top(void **state)
{
    struct ld_batch_line line;

    (void)state;
    assert_true(read_line("{\"method\":\"POST\",\"\\u0075rl\":\"\\/v1/x\",\"body\":{\"url\":\"y\","
                          "\"endpoint\":1}}",
                          &line));
    assert_true(lb_str_eq_c(ld_batch_text(&line.method), "POST"));
    assert_true(lb_str_eq_c(ld_batch_text(&line.url), "/v1/x"));
    assert_false(line.endpoint.is_there);
    assert_true(read_line("{}", &line));
    assert_false(line.url.is_there);
    assert_int_equal(ld_batch_text(&line.url).size, 0);
}

static void what_two_readers_could_read_differently_is_refused(void **state)
{
    static const char *const LINES[] = {
        "",
        "[]",
        "{\"url\":\"a\"",
        "{\"url\":\"a\"}{}",
        "{\"url\":\"a\",\"url\":\"b\"}",
        "{\"URL\":\"a\"}",
        "{\"url\":1}",
        "{\"Method\":\"GET\"}",
        "{\"endpoint\":null}",
        "{\"url\":\"\\ud800\"}",
    };
    struct ld_batch_line line;

    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        if (read_line(LINES[i], &line))
            fail_msg("%s is taken", LINES[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_are_taken_from_the_top),
        cmocka_unit_test(what_two_readers_could_read_differently_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
