/* SPDX-License-Identifier: MIT */
/* Request bodies as a table: what is found, what is refused and where. */
#include "dialect/peek.h"

#include <stdlib.h>

#include "base/buf.h"

#include "../unit.h"

static struct lb_host host;
static struct lb_arena arena;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lb_arena_free(&arena);
    return 0;
}

/* From a block of exactly the text's size, so that a read beyond its end is seen. */
static llmgr_status peek(struct lb_str text, struct ld_peek *found, struct llmgr_error *err)
{
    static char *block;

    free(block);
    block = malloc(text.size + 1);
    assert_non_null(block);
    char *at = block + 1; /* unaligned */
    memcpy(at, text.p, text.size);
    return ld_peek(lb_str(at, text.size), &arena, found, err);
}

static void accepted(const char *text, const char *model, bool stream, bool usage, int64_t max)
{
    struct ld_peek found;
    struct llmgr_error err = {0};

    if (peek(lb_cstr(text), &found, &err) != LLMGR_OK)
        fail_msg("%s: %s", text, err.message);
    bool same = model == NULL ? found.model.size == 0 : lb_str_eq_c(found.model, model);
    if (!same || found.stream != stream || found.include_usage != usage || found.max_tokens != max)
        fail_msg("%s: model '%.*s', stream %d, usage %d, max %lld", text, (int)found.model.size,
                 found.model.p, found.stream, found.include_usage, (long long)found.max_tokens);
}

static void peek_finds_what_the_members_say(void **state)
{
    (void)state;
    accepted("{}", NULL, false, false, -1);
    accepted(" {\t}\r\n", NULL, false, false, -1);
    accepted("{\"model\":\"a\"}", "a", false, false, -1);
    accepted("{\"model\":null,\"stream\":null,\"stream_options\":null}", NULL, false, false, -1);
    accepted("{\"model\":\"\"}", NULL, false, false, -1);
    accepted("{\"model\" : \"a/b:c\" , \"stream\" : true}", "a/b:c", true, false, -1);
    accepted("{\"stream\":true,\"stream_options\":{\"include_usage\":true}}", NULL, true, true, -1);
    accepted("{\"stream_options\":{\"a\":[{}],\"include_usage\":false}}", NULL, false, false, -1);
    accepted("{\"max_tokens\":5}", NULL, false, false, 5);
    accepted("{\"max_tokens\":5,\"max_completion_tokens\":7}", NULL, false, false, 7);
    accepted("{\"max_output_tokens\":9,\"max_tokens\":-1}", NULL, false, false, 9);
    accepted("{\"max_tokens\":1e3}", NULL, false, false, -1);
    accepted("{\"max_tokens\":-5}", NULL, false, false, -1);
    accepted("{\"max_completion_tokens\":-5,\"max_tokens\":6}", NULL, false, false, 6);
    accepted("{\"a\":{\"model\":\"x\"},\"b\":[\"model\",{\"stream\":true}]}", NULL, false, false,
             -1);
    accepted("{\"a\":\"\\\"model\\\":\\\"x\\\"\",\"model\":\"y\"}", "y", false, false, -1);
    accepted("{\"a\":-0.5e+10,\"b\":[],\"c\":[[1,2],[{\"d\":null}]],\"model\":\"y\"}", "y", false,
             false, -1);
}

/* Any word that a platform could take for a yes, under any name it could take for this one. */
static void peek_tells_whether_an_answer_may_be_kept(void **state)
{
    static const struct {
        const char *text;
        bool store;
        bool audio;
    } BODIES[] = {
        {"{\"audio\":{\"voice\":\"alloy\"}}", false, true},
        {"{\"AUDIO\":1,\"store\":true}", true, true},
        {"{\"audio\":null,\"a\":{\"audio\":{}}}", false, false},
        {"{\"model\":\"m\"}", false, false},
        {"{\"store\":true}", true, false},
        {"{\"model\":\"m\",\"store\" : true}", true, false},
        {"{\"store\":false}", false, false},
        {"{\"store\":null}", false, false},
        {"{\"store\":1}", true, false},
        {"{\"store\":\"true\"}", true, false},
        {"{\"Store\":true}", true, false},
        {"{\"\\u0073tore\":true}", true, false},
        {"{\"\xc5\xbftore\":true}", true, false},
        {"{\"store\":false,\"store\":true}", true, false},
        {"{\"stored\":true,\"stor\":true,\"a\":{\"store\":true}}", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        struct ld_peek found;
        assert_int_equal(peek(lb_cstr(BODIES[i].text), &found, NULL), LLMGR_OK);
        if (found.store != BODIES[i].store || found.audio != BODIES[i].audio)
            fail_msg("%s", BODIES[i].text);
    }
}

static void peek_reads_names_and_models_written_with_escapes(void **state)
{
    (void)state;
    accepted("{\"mod\\u0065l\":\"a\"}", "a", false, false, -1);
    accepted("{\"\\u006d\\u006F\\u0064\\u0065\\u006c\":\"a\"}", "a", false, false, -1);
    accepted("{\"model\":\"a\\/b\\u00e9\\ud83d\\ude00\"}", "a/b\xc3\xa9\xf0\x9f\x98\x80", false,
             false, -1);
    accepted("{\"str\\u0065am\":true,\"stream_options\":{\"include\\u005fusage\":true}}", NULL,
             true, true, -1);
}

static const struct {
    const char *text;
    const char *told; /* part of the message */
} REFUSED[] = {
    {"", "byte 0"},
    {"[]", "byte 0"},
    {"\"a\"", "byte 0"},
    {"null", "byte 0"},
    {"\xef\xbb\xbf{}", "byte 0"},
    {"{", "byte 1"},
    {"{\"a\"", "byte 4"},
    {"{\"a\":", "byte 5"},
    {"{\"a\":1", "byte 6"},
    {"{\"a\":1,", "byte 7"},
    {"{\"a\":1,}", "byte 7"},
    {"{,}", "byte 1"},
    {"{\"a\" 1}", "byte 5"},
    {"{\"a\":1 \"b\":2}", "byte 7"},
    {"{a:1}", "byte 1"},
    {"{'a':1}", "byte 1"},
    {"{\"a\":1}x", "byte 7"},
    {"{}{}", "byte 2"},
    {"{\"a\":01}", "byte 6"},
    {"{\"a\":+1}", "byte 5"},
    {"{\"a\":1.}", "byte 7"},
    {"{\"a\":.5}", "byte 5"},
    {"{\"a\":1e}", "byte 7"},
    {"{\"a\":-}", "byte 6"},
    {"{\"a\":NaN}", "byte 5"},
    {"{\"a\":tru}", "byte 5"},
    {"{\"a\":nulls}", "byte 9"},
    {"{\"a\":[1,]}", "byte 8"},
    {"{\"a\":[1}", "byte 7"},
    {"{\"a\":[1]]", "byte 8"},
    {"{\"a\":{\"b\":1]}", "byte 11"},
    {"{\"a\":[{]}", "byte 7"},
    {"{\"a\":\"\n\"}", "byte 6"},
    {"{\"a\":\"\\x\"}", "byte 6"},
    {"{\"a\":\"\\u12g4\"}", "byte 6"},
    {"{\"a\":\"b}", "does not end"},
    {"{\"a\":\"\\\"}", "does not end"},
    {"{\"a\":/**/1}", "byte 5"},
    {"{\"model\":1}", "'model'"},
    {"{\"model\":[\"a\"]}", "'model'"},
    {"{\"model\":\"\xff\"}", "'model'"},
    {"{\"model\":\"a\\u0000b\"}", "'model'"},
    {"{\"model\":\"\\ud800\"}", "'model'"},
    {"{\"model\":\"a\\nb\"}", "'model'"},
    {"{\"stream\":\"true\"}", "'stream'"},
    {"{\"stream\":1}", "'stream'"},
    {"{\"stream_options\":true}", "'stream_options'"},
    {"{\"stream_options\":{\"include_usage\":1}}", "'include_usage'"},
    {"{\"model\":\"a\",\"model\":\"b\"}", "twice"},
    {"{\"model\":\"a\",\"mod\\u0065l\":\"b\"}", "twice"},
    {"{\"model\":null,\"model\":\"b\"}", "twice"},
    {"{\"stream\":true,\"stream\":true}", "twice"},
    {"{\"stream_options\":{\"include_usage\":true,\"include_usage\":false}}", "twice"},
    {"{\"max_tokens\":1,\"max_tokens\":2}", "twice"},
    {"{\"Model\":\"a\"}", "lower case"},
    {"{\"model\":\"a\",\"MODEL\":\"b\"}", "lower case"},
    {"{\"model\":\"a\",\"\\u004dodel\":\"b\"}", "lower case"},
    {"{\"streaM\":1}", "lower case"},
    {"{\"Stream_options\":1}", "lower case"},
    {"{\"stream_options\":{\"include_Usage\":true}}", "lower case"},
    {"{\"max_completion_Tokens\":1}", "lower case"},
    {"{\"max_output_tokenS\":1}", "lower case"},
    {"{\"MAX_TOKENS\":1}", "lower case"},
    /* Go takes U+017F for an s and U+212A for a k. */
    {"{\"\xc5\xbftream\":true}", "lower case"},
    {"{\"\\u017Ftream\":true}", "lower case"},
    {"{\"\xc5\xbftream_option\xc5\xbf\":{}}", "lower case"},
    {"{\"stream_options\":{\"include_u\xc5\xbf\x61ge\":true}}", "lower case"},
    {"{\"max_to\xe2\x84\xaa\x65ns\":1}", "lower case"},
    {"{\"max_completion_to\xe2\x84\xaa\x65n\xc5\xbf\":1}", "lower case"},
};

static void peek_refuses_what_parsers_could_read_differently(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        struct ld_peek found;
        struct llmgr_error err = {0};
        if (peek(lb_cstr(REFUSED[i].text), &found, &err) != LLMGR_ERR_INVALID)
            fail_msg("accepted: %s", REFUSED[i].text);
        if (strstr(err.message, REFUSED[i].told) == NULL)
            fail_msg("%s: '%s' does not say '%s'", REFUSED[i].text, err.message, REFUSED[i].told);
    }
}

static void every_cut_of_a_body_is_refused(void **state)
{
    static const struct lb_str WHOLE = LB_STR(
        "{\"model\":\"a\\u0041b\",\"x\":[1,-2.5e7,{\"y\":[true,false,null,\"\\n\"]}],\"s\":\"0123"
        "456789abcdef0123456789\"}");
    struct ld_peek found;

    (void)state;
    assert_int_equal(peek(WHOLE, &found, NULL), LLMGR_OK);
    for (size_t size = 0; size < WHOLE.size; size++)
        assert_int_equal(peek(lb_str(WHOLE.p, size), &found, NULL), LLMGR_ERR_INVALID);
}

static struct lb_str nested(char *text, size_t levels)
{
    size_t at = 5;

    memcpy(text, "{\"a\":", 5);
    memset(text + at, '[', levels);
    memset(text + at + levels, ']', levels);
    text[at + 2 * levels] = '}';
    return lb_str(text, at + 2 * levels + 1);
}

static void nesting_ends_at_the_cap(void **state)
{
    char text[512];
    struct ld_peek found;

    (void)state;
    assert_int_equal(peek(nested(text, LJ_DEPTH_MAX - 1), &found, NULL), LLMGR_OK);
    assert_int_equal(peek(nested(text, LJ_DEPTH_MAX), &found, NULL), LLMGR_ERR_INVALID);
    assert_int_equal(peek(nested(text, 200), &found, NULL), LLMGR_ERR_INVALID);
}

static void members_end_at_the_cap(void **state)
{
    struct lb_buf text;
    struct ld_peek found;

    (void)state;
    lb_buf_init(&text, &host, 1 << 20);
    lb_buf_add_c(&text, "{\"a\":1");
    for (int i = 1; i < LD_MEMBERS_MAX; i++)
        lb_buf_add_c(&text, ",\"a\":1");
    lb_buf_add_c(&text, "}");
    assert_int_equal(peek(lb_buf_str(&text), &found, NULL), LLMGR_OK);
    lb_buf_cut(&text, text.size - 1);
    lb_buf_add_c(&text, ",\"a\":1}");
    assert_int_equal(peek(lb_buf_str(&text), &found, NULL), LLMGR_ERR_INVALID);
    lb_buf_free(&text);
}

static void failure_leaves_the_result_alone(void **state)
{
    struct ld_peek found = {.max_tokens = 77};

    (void)state;
    assert_int_equal(peek(LB_STR("{\"model\":\"a\""), &found, NULL), LLMGR_ERR_INVALID);
    assert_int_equal(found.max_tokens, 77);
    assert_null(found.model.p);
}

/*
 * A text longer than the blocks it is run over in, an escape at its start so that they are used,
 * and `piece` at every offset behind.
 */
static void piece_anywhere(struct lb_str piece, bool good)
{
    enum { TEXT = 400, LEAD = 10 };
    static const char BEFORE[] = "{\"messages\":\"\\n";

    for (size_t at = LEAD; at + piece.size <= TEXT; at++) {
        struct ld_peek found;
        struct lb_buf body;
        lb_buf_init(&body, &host, 1024);
        lb_buf_add_c(&body, BEFORE);
        for (size_t i = 0; i < at; i++)
            lb_buf_add_c(&body, i % 130 == 129 ? "\\\\" : "a"); /* two bytes now and then */
        lb_buf_add_str(&body, piece);
        for (size_t i = at + piece.size; i < TEXT; i++)
            lb_buf_add_byte(&body, 'z');
        lb_buf_add_c(&body, "\",\"model\":\"m\"}");
        llmgr_status status = peek(lb_buf_str(&body), &found, NULL);
        if ((status == LLMGR_OK) != good || (good && !lb_str_eq_c(found.model, "m")))
            fail_msg("'%.*s' at %zu: %d", (int)piece.size, piece.p, at, (int)status);
        lb_buf_free(&body);
    }
}

static void what_stands_in_a_long_text_is_seen_at_every_offset(void **state)
{
    (void)state;
    piece_anywhere(LB_STR("\\\""), true);
    piece_anywhere(LB_STR("\\\\"), true);
    piece_anywhere(LB_STR("\\\\\\\""), true);
    piece_anywhere(LB_STR("\\u00e9"), true);
    piece_anywhere(LB_STR("\\ud83d\\ude00\\n\\n\\n\\n"), true);
    piece_anywhere(LB_STR("\\u00g9"), false);
    piece_anywhere(LB_STR("\\x"), false);
    piece_anywhere(LB_STR("\\\\\""), false);
    piece_anywhere(LB_STR("\n"), false);
    piece_anywhere(LB_STR("\0"), false);
    piece_anywhere(LB_STR("\""), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peek_finds_what_the_members_say),
        cmocka_unit_test(peek_tells_whether_an_answer_may_be_kept),
        cmocka_unit_test(peek_reads_names_and_models_written_with_escapes),
        cmocka_unit_test(peek_refuses_what_parsers_could_read_differently),
        cmocka_unit_test(every_cut_of_a_body_is_refused),
        cmocka_unit_test(nesting_ends_at_the_cap),
        cmocka_unit_test(members_end_at_the_cap),
        cmocka_unit_test(failure_leaves_the_result_alone),
        cmocka_unit_test(what_stands_in_a_long_text_is_seen_at_every_offset),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
