/* SPDX-License-Identifier: MIT */
/* Sums as CSV: what is unknown is empty, a currency a line, and no text is a formula. */
#include "documents/usage_csv.h"

#include <stdio.h>

#include "../unit.h"

static struct lb_host host;
static struct lb_buf out;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    lb_buf_init(&out, &host, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lb_buf_free(&out);
    return 0;
}

/* Of nothing known. */
static struct llmgr_usage_sum sum_of(const char *key, const char *name)
{
    return (struct llmgr_usage_sum){
        .key = key,
        .name = name,
#define LL_SUMMED(column, ...) .column = -1,
#include "ledger/usage.def"
    };
}

static void the_line_of_names_begins_with_what_sums_are_told_apart_by(void **state)
{
    (void)state;
    lx_csv_usage_head(LLMGR_USAGE_BY_HOUR, &out);
    assert_string_equal(
        lb_buf_c(&out),
        "hour,name,requests,attempts,completed,unknown,inexact,unpriced,system_paid,"
        "prompt_tokens,completion_tokens,cached_tokens,reasoning_tokens,cache_write_tokens,"
        "cache_write_1h_tokens,audio_input_tokens,audio_output_tokens,image_input_tokens,"
        "tool_calls,cost,currency\r\n");
}

static void only_the_first_line_of_a_sum_has_its_counts(void **state)
{
    struct llmgr_usage_cost costs[] = {{.currency = "CNY", .amount = "2"},
                                       {.currency = "USD", .amount = "0.000000001"}};
    struct llmgr_usage_sum sum = sum_of("7", "A / b");
    (void)state;

    sum.attempts = 3;
    sum.prompt_tokens = 0;
    sum.tool_calls = INT64_MAX;
    sum.costs = costs;
    sum.cost_count = 2;
    lx_csv_usage_sums(&sum, 1, &out);
    assert_string_equal(lb_buf_c(&out),
                        "\"7\",\"A / b\",0,3,0,0,0,0,0,0,,,,,,,,,9223372036854775807,2,CNY\r\n"
                        "\"7\",\"A / b\",,,,,,,,,,,,,,,,,,0.000000001,USD\r\n");
}

static void no_text_is_a_formula_or_breaks_a_line(void **state)
{
    static const struct {
        const char *text, *want;
    } CASES[] = {
        {"=1+1", "\"'=1+1\""},
        {"+1", "\"'+1\""},
        {"-1", "\"'-1\""},
        {"@SUM(A1)", "\"'@SUM(A1)\""},
        {"\t=1", "\"' =1\""},
        {"\r\n=1", "\"'  =1\""},
        {"a=1", "\"a=1\""},
        {"say \"hi\"", "\"say \"\"hi\"\"\""},
        {"a\r\nb\x01\x7f", "\"a  b  \""},
        {"模型", "\"模型\""},
        {"", "\"\""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct llmgr_usage_sum sum = sum_of(CASES[i].text, CASES[i].text);
        char want[100];
        lb_buf_reset(&out);
        lx_csv_usage_sums(&sum, 1, &out);
        snprintf(want, sizeof want, "%s,%s,0,0,0,0,0,0,0,,,,,,,,,,,,\r\n", CASES[i].want,
                 CASES[i].want);
        assert_string_equal(lb_buf_c(&out), want);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_line_of_names_begins_with_what_sums_are_told_apart_by),
        CASE(only_the_first_line_of_a_sum_has_its_counts),
        CASE(no_text_is_a_formula_or_breaks_a_line),
    };

    return cmocka_run_group_tests_name("usage_csv", tests, NULL, NULL);
}
