/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "keys/key_text.h"
#include "manager/rules.h"

static llmgr_status name(const char *text, size_t size)
{
    return lm_rule_name(lb_str(text, size), LM_NAME_SLOT, NULL);
}

static void names_are_utf8_of_bounded_length_without_blanks_at_the_ends(void **state)
{
    char longest[LM_SLOT_MAX + 1];

    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_int_equal(name("a", 1), LLMGR_OK);
    assert_int_equal(name("快速 模型", strlen("快速 模型")), LLMGR_OK);
    assert_int_equal(name(longest, LM_SLOT_MAX), LLMGR_OK);
    assert_int_equal(name(longest, LM_SLOT_MAX + 1), LLMGR_ERR_INVALID);
    assert_int_equal(name("", 0), LLMGR_ERR_INVALID);
    assert_int_equal(name(" a", 2), LLMGR_ERR_INVALID);
    assert_int_equal(name("a ", 2), LLMGR_ERR_INVALID);
    assert_int_equal(name("a\nb", 3), LLMGR_ERR_INVALID);
    assert_int_equal(name("a\0b", 3), LLMGR_ERR_INVALID);
    assert_int_equal(name("\xff\xfe", 2), LLMGR_ERR_INVALID);
}

static void keys_are_visible_ascii_and_no_placeholder(void **state)
{
    static char longest[LK_KEY_MAX + 1];

    (void)state;
    memset(longest, 'k', sizeof longest);
    assert_int_equal(lk_rule_key(S("sk-1"), NULL), LLMGR_OK);
    assert_int_equal(lk_rule_key(lb_str(longest, LK_KEY_MAX), NULL), LLMGR_OK);
    assert_int_equal(lk_rule_key(lb_str(longest, LK_KEY_MAX + 1), NULL), LLMGR_ERR_INVALID);
    assert_int_equal(lk_rule_key(S(""), NULL), LLMGR_ERR_INVALID);
    assert_int_equal(lk_rule_key(S("sk 1"), NULL), LLMGR_ERR_INVALID);
    assert_int_equal(lk_rule_key(S("sk-1\n"), NULL), LLMGR_ERR_INVALID);
    assert_int_equal(lk_rule_key(S("sk-é"), NULL), LLMGR_ERR_INVALID);
    assert_int_equal(lk_rule_key(S("{OPENAI_API_KEY}"), NULL), LLMGR_ERR_INVALID);
}

static void a_refused_key_is_not_shown(void **state)
{
    struct llmgr_error err = {0};

    (void)state;
    assert_int_equal(lk_rule_key(S("sk-CANARY bad"), &err), LLMGR_ERR_INVALID);
    assert_null(strstr(err.message, "CANARY"));
    assert_int_equal(lk_rule_key(S("{CANARY}"), &err), LLMGR_ERR_INVALID);
    assert_null(strstr(err.message, "CANARY"));
}

static void extra(const char *text, llmgr_status status, const char *want)
{
    struct lb_host host;
    struct lb_buf out;
    struct llmgr_error err = {0};

    lb_host_init(&host);
    lb_buf_init(&out, &host, LM_EXTRA_BODY_MAX);
    assert_int_equal(lm_rule_extra_body(lb_cstr(text), &out, &err), status);
    assert_string_equal(lb_buf_c(&out), want);
    if (status != LLMGR_OK)
        assert_non_null(strstr(err.message, "extra_body"));
    lb_buf_free(&out);
}

static void extra_body_is_kept_to_the_byte_but_for_blanks(void **state)
{
    (void)state;
    extra("", LLMGR_OK, "");
    extra(" {} ", LLMGR_OK, "");
    extra("{ \"b\" : 0.1, \n\t\"a\": [1, 2.50, 1e400e]}", LLMGR_ERR_INVALID, "");
    extra("{ \"b\" : 0.1, \n\t\"a\": [1, 2.50]}", LLMGR_OK, "{\"b\":0.1,\"a\":[1,2.50]}");
    extra("{\"t\": \"a \\\" b\\\\\", \"u\": \" \"}", LLMGR_OK,
          "{\"t\":\"a \\\" b\\\\\",\"u\":\" \"}");
    extra("{\"思考\": {\"类型\": \"关 闭\"}}", LLMGR_OK, "{\"思考\":{\"类型\":\"关 闭\"}}");
}

static void extra_body_must_be_one_sound_object(void **state)
{
    (void)state;
    extra("[]", LLMGR_ERR_INVALID, "");
    extra("1", LLMGR_ERR_INVALID, "");
    extra("{\"a\":1} {}", LLMGR_ERR_INVALID, "");
    extra("{\"a\":1,}", LLMGR_ERR_INVALID, "");
    extra("{\"a\":1,\"a\":2}", LLMGR_ERR_INVALID, "");
    extra("{\"a\":\"\xff\"}", LLMGR_ERR_INVALID, "");
    extra("{\"a\":\"\\u0000\"}", LLMGR_ERR_INVALID, "");
    extra("nonsense", LLMGR_ERR_INVALID, "");
}

static void extra_body_may_not_name_the_model_the_messages_or_stream(void **state)
{
    (void)state;
    extra("{\"model\":\"gpt-x\"}", LLMGR_ERR_INVALID, "");
    extra("{\"messages\":[]}", LLMGR_ERR_INVALID, "");
    extra("{\"a\":1,\"stream\":false}", LLMGR_ERR_INVALID, "");
    extra("{\"a\":{\"stream\":false}}", LLMGR_OK, "{\"a\":{\"stream\":false}}");
}

static void nest(char *text, size_t depth)
{
    size_t at = 0;

    /* The object itself is the first level. */
    at += (size_t)snprintf(text, 8, "{\"a\":");
    for (size_t i = 1; i < depth; i++)
        text[at++] = '[';
    if (depth == 1)
        text[at++] = '1';
    for (size_t i = 1; i < depth; i++)
        text[at++] = ']';
    text[at++] = '}';
    text[at] = '\0';
}

static void extra_body_is_bounded_in_depth_and_size(void **state)
{
    static char text[LM_EXTRA_BODY_MAX + 100];

    (void)state;
    nest(text, LM_EXTRA_BODY_DEPTH_MAX);
    extra(text, LLMGR_OK, text);
    nest(text, LM_EXTRA_BODY_DEPTH_MAX + 1);
    extra(text, LLMGR_ERR_INVALID, "");
    nest(text, 5000);
    extra(text, LLMGR_ERR_INVALID, "");
    memset(text, ' ', sizeof text);
    text[sizeof text - 1] = '\0';
    extra(text, LLMGR_ERR_INVALID, "");
}

static void extra_bodies_are_compared_by_what_they_say(void **state)
{
    (void)state;
    assert_true(lm_extra_body_equal(S("{\"a\":1,\"b\":2}"), S("{\"b\":2, \"a\":1}")));
    assert_true(lm_extra_body_equal(S(""), S("")));
    assert_false(lm_extra_body_equal(S("{\"a\":1}"), S("{\"a\":2}")));
    assert_false(lm_extra_body_equal(S("{\"a\":1}"), S("")));
    assert_false(lm_extra_body_equal(S("{\"a\":1}"), S("broken")));
    assert_false(lm_extra_body_equal(S("broken"), S("too")));
}

static void the_words_of_a_route_are_those_of_the_maps_both_ways(void **state)
{
    unsigned rows = 0;
    (void)state;

#define ROW(NAME, number, text)                                                                    \
    assert_string_equal(NAME_OF(number), text);                                                    \
    assert_true(PARSE(text, &value));                                                              \
    assert_int_equal(value, number);                                                               \
    rows++;
#define NAME_OF llmgr_pick_name
#define PARSE llmgr_pick_parse
    {
        llmgr_pick value;
        LLMGR_PICK_MAP(ROW)
    }
#undef NAME_OF
#undef PARSE
#define NAME_OF llmgr_sticky_name
#define PARSE llmgr_sticky_parse
    {
        llmgr_sticky value;
        LLMGR_STICKY_MAP(ROW)
    }
#undef NAME_OF
#undef PARSE
#define NAME_OF llmgr_exhausted_name
#define PARSE llmgr_exhausted_parse
    {
        llmgr_exhausted value;
        LLMGR_EXHAUSTED_MAP(ROW)
    }
    assert_int_equal(rows, 8);
    llmgr_pick kept = LLMGR_PICK_WEIGHT;
    assert_false(llmgr_pick_parse("cheapest", &kept));
    assert_false(llmgr_pick_parse("", &kept));
    assert_false(llmgr_pick_parse("Order", &kept));
    assert_int_equal(kept, LLMGR_PICK_WEIGHT);
    assert_null(llmgr_pick_name((llmgr_pick)3));
    assert_null(llmgr_sticky_name((llmgr_sticky)-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_utf8_of_bounded_length_without_blanks_at_the_ends),
        cmocka_unit_test(keys_are_visible_ascii_and_no_placeholder),
        cmocka_unit_test(a_refused_key_is_not_shown),
        cmocka_unit_test(extra_body_is_kept_to_the_byte_but_for_blanks),
        cmocka_unit_test(extra_body_must_be_one_sound_object),
        cmocka_unit_test(extra_body_may_not_name_the_model_the_messages_or_stream),
        cmocka_unit_test(extra_body_is_bounded_in_depth_and_size),
        cmocka_unit_test(extra_bodies_are_compared_by_what_they_say),
        cmocka_unit_test(the_words_of_a_route_are_those_of_the_maps_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
