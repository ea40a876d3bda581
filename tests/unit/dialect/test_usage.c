/* SPDX-License-Identifier: MIT */
/* Usage objects of every dialect, read by rule. */
#include "dialect/usage.h"

#include <stddef.h>
#include <stdio.h>

#include "../unit.h"

static struct llmgr_usage usage;
static struct ld_usage_parts parts;

static void fresh(void)
{
    ld_usage_init(&usage);
    ld_usage_parts_init(&parts);
}

/* The counts that all dialects have. */
static void reads(enum ld_usage_rule rule, const char *text, struct llmgr_usage want)
{
    bool any = ld_usage_read_text(&usage, rule, &parts, lb_cstr(text));

    if (!any || memcmp(&usage, &want, offsetof(struct llmgr_usage, cache_write_tokens)) != 0)
        fail_msg("%s: %d: %lld %lld %lld %lld %lld", text, any, (long long)usage.prompt_tokens,
                 (long long)usage.completion_tokens, (long long)usage.total_tokens,
                 (long long)usage.cached_tokens, (long long)usage.reasoning_tokens);
}

/* prompt, completion, total, cached, reasoning */
#define USAGE(p, c, t, h, r)                                                                       \
    ((struct llmgr_usage){.prompt_tokens = (p),                                                    \
                          .completion_tokens = (c),                                                \
                          .total_tokens = (t),                                                     \
                          .cached_tokens = (h),                                                    \
                          .reasoning_tokens = (r)})

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

static const struct llmgr_usage NONE = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, {0}};

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
            assert_memory_equal(&usage, &NONE, sizeof usage);
        }
    }
}

static void unusual_json_is_read_as_well(void **state)
{
    (void)state;
    fresh();
    reads(LD_USAGE_CHAT,
          " { \"prompt_tokens\" : 5.0 ,\"completion\\u005ftokens\":2,\"total_tokens\":7e0,"
          "\"prompt_tokens_details\":{\"cached_tokens\":1.5},\"reasoning_tokens\":9,"
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
                                          "input_token_details",
                                          "cache_creation",
                                          "server_tool_use",
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
                                        "cache_write_tokens",
                                        "audio_tokens",
                                        "image_tokens",
                                        "thinking_tokens",
                                        "ephemeral_1h_input_tokens",
                                        "web_search_requests",
                                        "num_search_queries",
                                        "service_tier",
                                        ""};
    enum { NAME_COUNT = sizeof NAMES / sizeof NAMES[0] };
    char member[200], text[300];
    unsigned found = 0, further = 0;

    (void)state;
    for (int rule = LD_USAGE_CHAT; rule <= LD_USAGE_ANY; rule++) {
        for (size_t i = 0; i < sizeof OBJECTS / sizeof OBJECTS[0] * NAME_COUNT; i++) {
            const char *object = OBJECTS[i / NAME_COUNT];
            snprintf(member, sizeof member, object[0] == '\0' ? "%s\"%s\":7" : "\"%s\":{\"%s\":7}",
                     object, NAMES[i % NAME_COUNT]);
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
            further += usage.cache_write_tokens == 7 || usage.cache_write_1h_tokens == 7 ||
                       usage.audio_input_tokens == 7 || usage.audio_output_tokens == 7 ||
                       usage.image_input_tokens == 7 || usage.tool_calls == 7;
        }
    }
    /* By all rules together: the names are those that count. */
    assert_int_equal(found, 27);
    assert_int_equal(further, 35);
}

/* ---- What else was used, and what it cost ---------------------------------------------------- */

static const char FURTHER[] = "cache_write 1h audio_in audio_out image tools cost tier";

static void reads_further(enum ld_usage_rule rule, const char *text, const char *want)
{
    char got[200];

    assert_true(ld_usage_read_text(&usage, rule, &parts, lb_cstr(text)));
    snprintf(got, sizeof got, "%lld %lld %lld %lld %lld %lld %lld %s",
             (long long)usage.cache_write_tokens, (long long)usage.cache_write_1h_tokens,
             (long long)usage.audio_input_tokens, (long long)usage.audio_output_tokens,
             (long long)usage.image_input_tokens, (long long)usage.tool_calls,
             (long long)usage.reported_cost_nano, usage.service_tier);
    if (strcmp(got, want) != 0)
        fail_msg("%s\n%s\n%s, not %s", text, FURTHER, got, want);
}

static void what_prices_tell_apart_is_read_in_every_dialect(void **state)
{
    static const struct {
        enum ld_usage_rule rule;
        const char *text;
        const char *want;
    } CASES[] = {
        {LD_USAGE_CHAT,
         "{\"prompt_tokens\":100,\"completion_tokens\":9,\"prompt_tokens_details\":{"
         "\"cached_tokens\":10,\"audio_tokens\":20,\"cache_write_tokens\":30,\"image_tokens\":5},"
         "\"completion_tokens_details\":{\"audio_tokens\":4},\"service_tier\":\"flex\"}",
         "30 -1 20 4 5 -1 -1 flex"},
        {LD_USAGE_RESPONSES,
         "{\"input_tokens\":100,\"output_tokens\":9,\"input_tokens_details\":{"
         "\"cached_tokens\":10,\"cache_write_tokens\":30,\"image_tokens\":7,\"audio_tokens\":8},"
         "\"output_tokens_details\":{\"audio_tokens\":3}}",
         "30 -1 8 3 7 -1 -1 "},
        {LD_USAGE_ANY, /* a transcription */
         "{\"type\":\"tokens\",\"input_tokens\":14,\"output_tokens\":9,"
         "\"input_token_details\":{\"text_tokens\":0,\"audio_tokens\":14}}",
         "-1 -1 14 -1 -1 -1 -1 "},
        {LD_USAGE_MESSAGES,
         "{\"input_tokens\":10,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":1,"
         "\"cache_creation\":{\"ephemeral_5m_input_tokens\":4,\"ephemeral_1h_input_tokens\":3},"
         "\"server_tool_use\":{\"web_search_requests\":2,\"web_fetch_requests\":1},"
         "\"output_tokens\":1,\"service_tier\":\"priority\"}",
         "7 3 -1 -1 -1 2 -1 priority"},
        {LD_USAGE_CHAT, /* OpenRouter */
         "{\"prompt_tokens\":10,\"completion_tokens\":1,\"cost\":0.00014,\"is_byok\":false,"
         "\"cost_details\":{\"cost\":9},\"server_tool_use\":{\"web_search_requests\":1}}",
         "-1 -1 -1 -1 -1 1 140000 "},
        {LD_USAGE_CHAT, /* LiteLLM in front of Claude */
         "{\"prompt_tokens\":10,\"completion_tokens\":1,\"cache_creation_input_tokens\":6}",
         "6 -1 -1 -1 -1 -1 -1 "},
        {LD_USAGE_CHAT, "{\"prompt_tokens\":10,\"num_search_queries\":3}", "-1 -1 -1 -1 -1 3 -1 "},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        fresh();
        reads_further(CASES[i].rule, CASES[i].text, CASES[i].want);
    }
    fresh(); /* Kimi's */
    reads(LD_USAGE_CHAT, "{\"prompt_tokens\":5,\"cached_tokens\":4}", USAGE(5, -1, -1, 4, -1));
    fresh(); /* Claude thinks within its output */
    reads(LD_USAGE_MESSAGES,
          "{\"input_tokens\":1,\"output_tokens\":9,\"output_tokens_details\":{"
          "\"thinking_tokens\":5}}",
          USAGE(1, 9, 10, -1, 5));
}

static void a_streams_counts_only_grow_and_its_tier_is_the_last(void **state)
{
    (void)state;
    fresh();
    reads_further(LD_USAGE_MESSAGES,
                  "{\"input_tokens\":10,\"cache_creation_input_tokens\":7,\"cache_creation\":{"
                  "\"ephemeral_1h_input_tokens\":3},\"service_tier\":\"standard\"}",
                  "7 3 -1 -1 -1 -1 -1 standard");
    reads_further(LD_USAGE_MESSAGES,
                  "{\"output_tokens\":5,\"cache_creation_input_tokens\":0,"
                  "\"server_tool_use\":{\"web_search_requests\":2},\"service_tier\":null}",
                  "7 3 -1 -1 -1 2 -1 standard");
    fresh();
    reads_further(LD_USAGE_CHAT, "{\"prompt_tokens\":1,\"cost\":1,\"cost\":2}",
                  "-1 -1 -1 -1 -1 -1 2000000000 ");
}

static void what_is_no_tier_is_none(void **state)
{
    static const char *const WRONG[] = {
        "\"\"", "\"a b\"",    "\"\\u0061\"", "\"\xc3\xa9\"", "7",
        "null", "[\"flex\"]", "{}",          "\"=1+1\"",     "\"0123456789abcdef01234567\""};
    char text[200];
    (void)state;

    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        fresh();
        snprintf(text, sizeof text, "{\"prompt_tokens\":1,\"service_tier\":%s}", WRONG[i]);
        reads_further(LD_USAGE_CHAT, text, "-1 -1 -1 -1 -1 -1 -1 ");
    }
    fresh();
    reads_further(LD_USAGE_CHAT,
                  "{\"prompt_tokens\":1,\"service_tier\":\"0123456789abcdefABCD_-z\"}",
                  "-1 -1 -1 -1 -1 -1 -1 0123456789abcdefABCD_-z");
}

/* Of a whole answer: its own usage and tier, not those of what stands in it. */
static void an_answers_usage_is_its_own(void **state)
{
    (void)state;
    fresh();
    assert_true(ld_usage_read_answer(
        &usage,
        LB_STR(" {\"choices\":[{\"usage\":{\"prompt_tokens\":99},\"service_tier\":\"x\"}],"
               "\"service_tier\":\"flex\",\"usage\":{\"prompt_tokens\":3,\"cost\":2e-9}}")));
    assert_int_equal(usage.prompt_tokens, 3);
    assert_int_equal(usage.reported_cost_nano, 2);
    assert_string_equal(usage.service_tier, "flex");
    fresh();
    assert_false(ld_usage_read_answer(&usage, LB_STR("{\"usage\":null,\"service_tier\":null}")));
    assert_false(ld_usage_read_answer(&usage, LB_STR("{}")));
    assert_memory_equal(&usage, &NONE, sizeof usage);
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
        cmocka_unit_test(what_prices_tell_apart_is_read_in_every_dialect),
        cmocka_unit_test(a_streams_counts_only_grow_and_its_tier_is_the_last),
        cmocka_unit_test(what_is_no_tier_is_none),
        cmocka_unit_test(an_answers_usage_is_its_own),
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
