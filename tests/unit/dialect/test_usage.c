/* SPDX-License-Identifier: MIT */
/* Usage objects of every dialect, read by rule. */
#include "dialect/usage.h"

#include <stdio.h>

#include "../unit.h"

static struct llmgr_usage usage;
static struct ld_usage_parts parts;

static void fresh(void)
{
    ld_usage_init(&usage);
    ld_usage_parts_init(&parts);
}

static void reads(enum ld_usage_rule rule, const char *text, struct llmgr_usage want)
{
    bool any = ld_usage_read_text(&usage, rule, &parts, lb_cstr(text));

    if (!any || memcmp(&usage, &want, sizeof want) != 0)
        fail_msg("%s: %d: %lld %lld %lld %lld %lld", text, any, (long long)usage.prompt_tokens,
                 (long long)usage.completion_tokens, (long long)usage.total_tokens,
                 (long long)usage.cached_tokens, (long long)usage.reasoning_tokens);
}

#define USAGE(...) ((struct llmgr_usage){__VA_ARGS__})

static void input_of_messages_is_summed_with_what_was_cached(void **state)
{
    (void)state;
    fresh();
    reads(LD_USAGE_MESSAGES,
          "{\"input_tokens\":10,\"cache_creation_input_tokens\":2,\"cache_read_input_tokens\":3}",
          USAGE(15, -1, -1, 3, -1));
    reads(LD_USAGE_MESSAGES, "{\"output_tokens\":7}", USAGE(15, 7, 22, 3, -1));
    /* Counts are cumulative: what goes back says nothing. */
    reads(LD_USAGE_MESSAGES, "{\"input_tokens\":0,\"output_tokens\":9}", USAGE(15, 9, 24, 3, -1));
    fresh();
    reads(LD_USAGE_MESSAGES, "{\"output_tokens\":7}", USAGE(-1, 7, -1, -1, -1));
}

static void responses_and_any_go_by_their_names(void **state)
{
    (void)state;
    fresh();
    reads(LD_USAGE_RESPONSES,
          "{\"input_tokens\":5,\"output_tokens\":2,\"total_tokens\":7,\"input_tokens_details\":{"
          "\"cached_tokens\":4},\"output_tokens_details\":{\"reasoning_tokens\":1}}",
          USAGE(5, 2, 7, 4, 1));
    fresh();
    reads(LD_USAGE_ANY, "{\"prompt_tokens\":5}", USAGE(5, -1, -1, -1, -1));
    fresh();
    reads(LD_USAGE_ANY, "{\"input_tokens\":5,\"cache_read_input_tokens\":1,\"output_tokens\":2}",
          USAGE(6, 2, 8, 1, -1));
    fresh();
    reads(LD_USAGE_ANY, "{\"input_tokens\":5,\"output_tokens\":2}", USAGE(5, 2, -1, -1, -1));
    fresh();
    reads(LD_USAGE_CHAT, "{\"input_tokens\":5,\"output_tokens\":2}", USAGE(5, 2, -1, -1, -1));
}

static void an_embedding_has_no_completion(void **state)
{
    (void)state;
    fresh();
    reads(LD_USAGE_EMBEDDINGS, "{\"prompt_tokens\":4,\"total_tokens\":4}", USAGE(4, 0, 4, -1, -1));
    fresh();
    reads(LD_USAGE_EMBEDDINGS, "{\"total_tokens\":4}", USAGE(4, 0, 4, -1, -1));
}

static void what_reports_nothing_leaves_all_unknown(void **state)
{
    static const char *const NOTHING[] = {
        "",
        "null",
        "[1]",
        "{}",
        "{\"prompt_tokens\":-1}",
        "{\"prompt_tokens\":\"1\",\"input_tokens\":true,\"output_tokens\":1.5}",
        "{\"prompt_tokens\":1",
    };

    (void)state;
    for (int rule = LD_USAGE_NONE; rule <= LD_USAGE_ANY; rule++) {
        for (size_t i = 0; i < sizeof NOTHING / sizeof NOTHING[0]; i++) {
            fresh();
            assert_false(
                ld_usage_read_text(&usage, (enum ld_usage_rule)rule, &parts, lb_cstr(NOTHING[i])));
            assert_memory_equal(&usage, &USAGE(-1, -1, -1, -1, -1), sizeof usage);
        }
    }
}

static void unusual_json_is_read_as_well(void **state)
{
    (void)state;
    fresh();
    reads(LD_USAGE_CHAT,
          " { \"prompt_tokens\" : 5.0 ,\"completion\\u005ftokens\":2,\"total_tokens\":7e0,"
          "\"prompt_tokens_details\":{\"cached_tokens\":1.5},\"cached_tokens\":9,"
          "\"completion_tokens_details\":null,\"more\":{\"prompt_tokens\":99}} ",
          USAGE(5, 2, 7, -1, -1));
    fresh(); /* the last of two, as a tree has it */
    reads(LD_USAGE_CHAT, "{\"prompt_tokens\":5,\"prompt_tokens\":6}", USAGE(6, -1, -1, -1, -1));
    fresh();
    reads(LD_USAGE_CHAT, "{\"prompt_tokens\":5,\"total_tokens\":92233720368547758080}",
          USAGE(5, -1, -1, -1, -1));
}

static void absurd_counts_do_not_overflow(void **state)
{
    (void)state;
    fresh();
    assert_true(ld_usage_read_text(
        &usage, LD_USAGE_MESSAGES, &parts,
        LB_STR("{\"input_tokens\":9223372036854775807,\"cache_read_input_tokens\":"
               "9223372036854775807,\"cache_creation_input_tokens\":9223372036854775807,"
               "\"output_tokens\":9223372036854775807}")));
    assert_true(usage.prompt_tokens > 0 && usage.total_tokens > 0);
}

static void estimates_round_up(void **state)
{
    (void)state;
    assert_int_equal(ld_usage_estimate(0), 0);
    assert_int_equal(ld_usage_estimate(1), 1);
    assert_int_equal(ld_usage_estimate(8), 2);
    assert_int_equal(ld_usage_estimate(9), 3);
}

static void a_count_below_zero_or_of_another_kind_is_unknown(void **state)
{
    static const char *const WRONG[] = {
        "-1", "-9223372036854775808", "-0.5", "\"3\"", "null", "true", "[3]",
        "{}", "9223372036854775808"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        fresh();
        snprintf(text, sizeof text, "{\"prompt_tokens\":%s,\"completion_tokens\":2}", WRONG[i]);
        reads(LD_USAGE_CHAT, text, USAGE(-1, 2, -1, -1, -1));
        fresh();
        snprintf(text, sizeof text, "{\"input_tokens\":%s,\"output_tokens\":2}", WRONG[i]);
        reads(LD_USAGE_MESSAGES, text, USAGE(-1, 2, -1, -1, -1));
        fresh(); /* the same by a tree: an escape in a name asks for one */
        snprintf(text, sizeof text, "{\"prompt_tokens\":%s,\"completion\\u005ftokens\":2}",
                 WRONG[i]);
        reads(LD_USAGE_CHAT, text, USAGE(-1, 2, -1, -1, -1));
    }
}

static void details_are_those_of_their_own_object(void **state)
{
    (void)state;
    fresh();
    reads(LD_USAGE_ANY,
          "{\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":1,\"x\":\"y\"},"
          "\"completion_tokens_details\":{\"cached_tokens\":9,\"reasoning_tokens\":3},"
          "\"other_tokens_details\":{\"cached_tokens\":8},\"a_tokens_details\":[1]}",
          USAGE(-1, 2, -1, 1, 3));
    fresh();
    reads(LD_USAGE_CHAT, "{\"prompt_tokens\":1,\"prompt_cache_hit_tokens\":4}",
          USAGE(1, -1, -1, 4, -1));
    fresh();
    reads(LD_USAGE_ANY, "{\"cache_creation_input_tokens\":2,\"input_tokens\":1}",
          USAGE(3, -1, -1, -1, -1));
    fresh(); /* a broken inner object spoils the whole, whoever reads it */
    assert_false(ld_usage_read_text(
        &usage, LD_USAGE_CHAT, &parts,
        LB_STR("{\"prompt_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":01}}")));
    assert_int_equal(usage.prompt_tokens, -1);
    fresh();
    reads(LD_USAGE_EMBEDDINGS, "{\"prompt_tokens\":4,\"completion_tokens\":1}",
          USAGE(4, 1, -1, -1, -1));
}

/* Every name in every object: an escaped name beside it has a tree read the same. */
static void a_walk_and_a_tree_find_the_same_counts(void **state)
{
    static const char *const OBJECTS[] = {"",
                                          "prompt_tokens_details",
                                          "input_tokens_details",
                                          "completion_tokens_details",
                                          "output_tokens_details",
                                          "other_tokens_details",
                                          "prompt_tokens"};
    static const char *const NAMES[] = {"prompt_tokens",
                                        "completion_tokens",
                                        "total_tokens",
                                        "prompt_cache_hit_tokens",
                                        "input_tokens",
                                        "output_tokens",
                                        "cached_tokens",
                                        "cache_creation_input_tokens",
                                        "cache_read_input_tokens",
                                        "reasoning_tokens",
                                        "prompt_tokens_details",
                                        "pached_tokens",
                                        "xrompt_tokens",
                                        "prompt_token",
                                        ""};
    char member[200], text[300];
    unsigned found = 0;

    (void)state;
    for (int rule = LD_USAGE_CHAT; rule <= LD_USAGE_ANY; rule++) {
        for (size_t i = 0; i < sizeof OBJECTS / sizeof OBJECTS[0] * 15; i++) {
            const char *object = OBJECTS[i / 15];
            snprintf(member, sizeof member, object[0] == '\0' ? "%s\"%s\":7" : "\"%s\":{\"%s\":7}",
                     object, NAMES[i % 15]);
            snprintf(text, sizeof text, "{%s,\"completion_tokens\":2,\"\\u0078\":1}", member);
            fresh();
            bool any = ld_usage_read_text(&usage, (enum ld_usage_rule)rule, &parts, lb_cstr(text));
            const struct llmgr_usage wanted = usage;
            snprintf(text, sizeof text, "{%s,\"completion_tokens\":2,\"x\":1}", member);
            fresh();
            assert_int_equal(
                ld_usage_read_text(&usage, (enum ld_usage_rule)rule, &parts, lb_cstr(text)), any);
            if (memcmp(&usage, &wanted, sizeof usage) != 0)
                fail_msg("%s", text);
            found += usage.prompt_tokens == 7 || usage.cached_tokens == 7 ||
                     usage.total_tokens == 7 || usage.reasoning_tokens == 7 ||
                     usage.completion_tokens == 7;
        }
    }
    assert_int_equal(found, 23); /* by all rules together: the names are those that count */
}

static void an_estimate_does_not_overflow(void **state)
{
    (void)state;
    assert_int_equal(ld_usage_estimate(UINT64_MAX), (int64_t)(UINT64_MAX / 4) + 1);
}

/* Gemini's compatible face counts what was thought in the total alone. */
static void a_total_beyond_its_parts_is_told(void **state)
{
    (void)state;
    fresh();
    reads(LD_USAGE_CHAT, "{\"prompt_tokens\":20,\"completion_tokens\":198,\"total_tokens\":623}",
          USAGE(20, 603, 623, -1, 405));
    fresh(); /* the thinking is told as well */
    reads(LD_USAGE_ANY,
          "{\"prompt_tokens\":20,\"completion_tokens\":198,\"total_tokens\":623,"
          "\"completion_tokens_details\":{\"reasoning_tokens\":405}}",
          USAGE(20, 603, 623, -1, 405));
    fresh();
    reads(LD_USAGE_RESPONSES, "{\"input_tokens\":5,\"output_tokens\":2,\"total_tokens\":9}",
          USAGE(5, 4, 9, -1, 2));
    fresh(); /* what was cached, where a platform does not count it for the prompt */
    reads(LD_USAGE_CHAT,
          "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":1015,"
          "\"prompt_tokens_details\":{\"cached_tokens\":1000}}",
          USAGE(1010, 5, 1015, 1000, -1));
    fresh(); /* no surplus: a total that is smaller, the same, or not of the same object */
    reads(LD_USAGE_CHAT, "{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":7}",
          USAGE(3, 5, 7, -1, -1));
    reads(LD_USAGE_CHAT, "{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":8}",
          USAGE(3, 5, 8, -1, -1));
    reads(LD_USAGE_CHAT, "{\"prompt_tokens\":3,\"total_tokens\":99}", USAGE(3, 5, 99, -1, -1));
    fresh();
    reads(LD_USAGE_CHAT,
          "{\"prompt_tokens\":9223372036854775807,\"completion_tokens\":9223372036854775807,"
          "\"total_tokens\":9223372036854775807}",
          USAGE(INT64_MAX, INT64_MAX, INT64_MAX, -1, -1));
}

static void a_placeholder_is_outgrown_by_what_comes_after_it(void **state)
{
    (void)state;
    fresh();
    assert_false(ld_usage_outgrown(&usage, 0, 0));
    assert_true(ld_usage_outgrown(&usage, 1, 0)); /* nobody told */
    usage.completion_tokens = 0;
    assert_false(ld_usage_outgrown(&usage, 0, 0)); /* an embedding's */
    assert_true(ld_usage_outgrown(&usage, 4, 4));
    usage.completion_tokens = 1; /* message_start's */
    assert_true(ld_usage_outgrown(&usage, 4000, 0));
    assert_false(ld_usage_outgrown(&usage, 4, 0));
    assert_false(ld_usage_outgrown(&usage, 4000, 4000)); /* all of it was there: it is believed */
    usage.completion_tokens = 1000;
    assert_false(ld_usage_outgrown(&usage, 4000, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_of_messages_is_summed_with_what_was_cached),
        cmocka_unit_test(responses_and_any_go_by_their_names),
        cmocka_unit_test(an_embedding_has_no_completion),
        cmocka_unit_test(what_reports_nothing_leaves_all_unknown),
        cmocka_unit_test(unusual_json_is_read_as_well),
        cmocka_unit_test(absurd_counts_do_not_overflow),
        cmocka_unit_test(estimates_round_up),
        cmocka_unit_test(a_count_below_zero_or_of_another_kind_is_unknown),
        cmocka_unit_test(details_are_those_of_their_own_object),
        cmocka_unit_test(a_walk_and_a_tree_find_the_same_counts),
        cmocka_unit_test(an_estimate_does_not_overflow),
        cmocka_unit_test(a_total_beyond_its_parts_is_told),
        cmocka_unit_test(a_placeholder_is_outgrown_by_what_comes_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
