/* SPDX-License-Identifier: MIT */
/* What a request names that is kept at the platform: bodies as a table, and what is told of them.
 */
#include "dialect/refs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#include "../unit.h"

static struct lb_host host;

/* "file:a vector store:b ", from a block of exactly the text's size. */
static void tell(struct lb_str text, char *out, size_t size)
{
    char *block = malloc(text.size + 1);
    struct ld_refs refs;
    struct ld_ref ref;
    size_t used = 0;

    assert_non_null(block);
    memcpy(block + 1, text.p, text.size); /* unaligned */
    out[0] = '\0';
    ld_refs_start(&refs, lb_str(block + 1, text.size));
    while (ld_refs_next(&refs, &ref)) {
        assert_true(ref.at.at + ref.at.size <= text.size);
        used += (size_t)snprintf(out + used, size - used, "%s:%.*s ", ld_ref_kind_name(ref.kind),
                                 ref.id.p != NULL ? (int)ref.id.size : 1,
                                 ref.id.p != NULL ? ref.id.p : "?");
        assert_true(used < size);
    }
    if (refs.why != NULL)
        snprintf(out + used, size - used, "(%s)", refs.why);
    free(block);
}

static void told(const char *text, const char *wanted)
{
    char out[4096];

    tell(lb_cstr(text), out, sizeof out);
    if (strcmp(out, wanted) != 0)
        fail_msg("%s: told '%s', not '%s'", text, out, wanted);
}

static void a_reference_is_told_at_any_depth(void **state)
{
    (void)state;
    told("{\"file_id\":\"f1\"}", "file:f1 ");
    told("{\"input_file_id\":\"f1\",\"endpoint\":\"/v1/x\"}", "file:f1 ");
    told("{\"training_file\":\"a\",\"validation_file\":\"b\"}", "file:a file:b ");
    told("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":"
         "\"f9\"}}]}]}",
         "file:f9 ");
    told("{\"tools\":[{\"type\":\"file_search\",\"vector_store_ids\":[\"v1\",\"v2\"]}]}",
         "vector store:v1 vector store:v2 ");
    told("{\"tools\":[{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\",\"file_ids\":"
         "[\"f1\"]}}]}",
         "file:f1 ");
    told("{\"tools\":[{\"container\":\"c1\"}],\"conversation\":{\"id\":\"n1\"}}",
         "container:c1 conversation:n1 ");
    told("{\"previous_response_id\":\"r1\",\"cachedContent\":\"cachedContents/x\"}",
         "response:r1 cached content:cachedContents/x ");
    told("{\"training_files\":[{\"file_id\":\"a\",\"weight\":1},{\"id\":\"b\"}]}",
         "file:a file:b ");
    told("{\"custom_id\":\"1\",\"body\":{\"input\":[{\"content\":[{\"file_id\":\"f1\"}]}]}}",
         "file:f1 ");
    told("[{\"file_id\":\"f1\"}]", "file:f1 ");
    told("{\"a\":[[[[{\"b\":{\"file_ids\":[[\"x\"]]}}]]]]}", "file:x ");
}

static void a_name_is_read_as_the_most_lenient_parser_does(void **state)
{
    (void)state;
    told("{\"file\\u005fid\":\"f1\"}", "file:f1 ");
    told("{\"\\u0066ile_\\u0069d\":\"f1\"}", "file:f1 ");
    told("{\"File_ID\":\"f1\",\"fileId\":\"f2\",\"file-id\":\"f3\"}", "file:f1 file:f2 file:f3 ");
    told("{\"previou\xc5\xbf_re\xc5\xbfpon\xc5\xbf"
         "e_id\":\"r\",\"file_id\xc5\xbf\":[\"f\"]}",
         "response:r file:f ");
    told("{\"conver\xc5\xbf"
         "ation\":\"n\",\"from_chec\xe2\x84\xaapoint\":\"t\"}",
         "conversation:n fine-tuning job:t ");
    told("{\"file_id\":\"mine\",\"file_id\":\"theirs\"}", "file:mine file:theirs ");
    told("{\"file_id\" : \n \"f1\" , \"x\" : [ ] , \"batch_id\":\"b\"}", "file:f1 batch:b ");
}

static void an_id_is_decoded_and_its_place_told(void **state)
{
    const char *text = "{\"file_id\":\"f\\u0031\\/x\",\"container_id\":12}";
    struct ld_refs refs;
    struct ld_ref ref;

    (void)state;
    ld_refs_start(&refs, lb_cstr(text));
    assert_true(ld_refs_next(&refs, &ref));
    assert_true(lb_str_eq_c(ref.id, "f1/x"));
    assert_memory_equal(text + ref.at.at, "f\\u0031\\/x", ref.at.size);
    assert_true(ld_refs_next(&refs, &ref));
    assert_true(lb_str_eq_c(ref.id, "12"));
    assert_int_equal(ref.at.size, 2);
    assert_false(ld_refs_next(&refs, &ref));
    assert_null(refs.why);
    /* What is no text names nothing that exists, and must not pass for nothing. */
    told("{\"file_id\":\"\\ud800\"}", "file:? ");
}

static void an_id_that_is_too_long_is_told_without_its_text(void **state)
{
    char text[2048], out[64];
    int at = snprintf(text, sizeof text, "{\"file_id\":\"");

    (void)state;
    memset(text + at, 'x', LD_REF_ID_MAX + 1);
    memcpy(text + at + LD_REF_ID_MAX + 1, "\"}", 3);
    tell(lb_cstr(text), out, sizeof out);
    assert_string_equal(out, "file:? ");
}

static void what_names_nothing_is_not_told(void **state)
{
    (void)state;
    told("", "");
    told("{}", "");
    told("{\"file_id\":null,\"container\":true,\"file_ids\":[],\"batch_id\":\"\"}", "");
    told("{\"model\":\"gpt-5\",\"prompt\":\"say file_id\",\"skill_id\":\"pptx\"}", "");
    told("{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"x\"}]}", "");
    told("{\"tools\":[{\"function\":{\"parameters\":{\"properties\":{\"file_id\":{\"type\":"
         "\"string\"}},\"required\":[\"file_id\"]}}}]}",
         "");
    told("{\"id\":\"x\",\"data\":[{\"id\":\"y\"}]}", "");
}

static void the_callers_own_data_is_passed_over(void **state)
{
    (void)state;
    told("{\"metadata\":{\"thread_id\":\"t\",\"a\":{\"file_id\":\"f\"}},\"file_id\":\"g\"}",
         "file:g ");
    /* As Codex sends it. */
    told("{\"client_metadata\":{\"thread_id\":\"01a2\",\"session_id\":\"s\"},\"file_id\":\"g\"}",
         "file:g ");
    told("{\"messages\":[{\"content\":[{\"type\":\"tool_use\",\"input\":{\"container\":\"web-1\"}},"
         "{\"file_id\":\"f\"}]}]}",
         "file:f ");
    told("{\"requests\":[{\"params\":{\"messages\":[{\"content\":[{\"input\":{\"file_id\":\"x\"}},{"
         "\"source\":{\"file_id\":\"f\"}}]}]}}]}",
         "file:f ");
    /* Only there. */
    told("{\"content\":[{\"input\":{\"file_id\":\"x\"}}]}", "file:x ");
    told("{\"messages\":[{\"input\":{\"file_id\":\"x\"}}]}", "file:x ");
    told("{\"Metadata\":{\"file_id\":\"x\"}}", "file:x ");
}

static void an_item_is_told_by_its_place(void **state)
{
    (void)state;
    told("{\"input\":[{\"type\":\"item_reference\",\"id\":\"m1\"},{\"id\":\"rs_2\"}]}",
         "item:m1 item:rs_2 ");
    told("{\"items\":[{\"ID\":\"m1\",\"content\":[{\"id\":\"x\"}]}]}", "item:m1 ");
    told("{\"body\":{\"input\":[{\"\\u0069d\":\"m1\"}]}}", "item:m1 ");
    told("{\"input\":\"hello\",\"data\":{\"input\":[{\"id\":\"x\"}]}}", "");
    told("{\"input\":[\"a\",\"b\"]}", "");
    told("{\"Input\":[{\"id\":\"m1\"}],\"INPUT\":{\"id\":\"m2\"}}", "item:m1 item:m2 ");
    told("{\"Items\":[{\"id\":\"m1\"}],\"Body\":{\"inpuT\":[{\"id\":\"m2\"}]}}",
         "item:m1 item:m2 ");
}

static void a_spoken_answer_is_told_by_its_id(void **state)
{
    (void)state;
    told("{\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"audio_1\"}}]}",
         "item:audio_1 ");
    told("{\"audio\":{\"voice\":\"alloy\",\"format\":\"wav\"},\"modalities\":[\"audio\"]}", "");
    told("{\"messages\":[{\"content\":[{\"audio\":\"https://a.example/a.wav\"}]}]}", "");
}

static void some_values_are_references_by_how_they_begin(void **state)
{
    (void)state;
    told("{\"model\":\"ft:gpt-4o:ann::x\",\"grader\":{\"base_model\":\"FT:y\"}}",
         "model:ft:gpt-4o:ann::x model:FT:y ");
    told("{\"model\":\"\\u0066t:z\"}", "model:ft:z ");
    told("{\"prompt\":{\"id\":\"pmpt_1\",\"version\":\"2\"}}", "prompt:pmpt_1 ");
    told("{\"container\":{\"skills\":[{\"skill_id\":\"skill_1\"},{\"skill_id\":\"pdf\"}]}}",
         "skill:skill_1 ");
}

static void malformed_text_hides_nothing(void **state)
{
    char deep[3 * LJ_DEPTH_MAX + 64] = "";

    (void)state;
    told("{\"file_id\":\"f1\"", "file:f1 ");
    told("{\"file_id\":\"f1", "file:f1 ");
    told("{\"file_id\":\"f1\\", "file:f1\\ ");
    told("}]}{\"x\":1,,\"file_id\":\"f1\"}", "file:f1 ");
    told("{\"a\" \"file_id\":\"f1\" \"b\":}", "file:f1 ");
    told("{\"file_id\":\"f\n1\"}", "file:f\n1 ");
    for (int i = 0; i <= LJ_DEPTH_MAX; i++)
        strcat(deep, "[");
    strcat(deep, "{\"file_id\":\"f\"}");
    told(deep, "(it is nested too deeply)");
}

static void a_field_of_a_form_is_told_by_its_name(void **state)
{
    struct ld_ref ref;

    (void)state;
    assert_true(ld_ref_named(LB_STR("file_id"), LB_STR(" f1 "), &ref));
    assert_true(ref.kind == LD_REF_FILE && lb_str_eq_c(ref.id, "f1"));
    assert_true(ld_ref_named(LB_STR("file_ids[]"), LB_STR("f1"), &ref));
    assert_true(ld_ref_named(LB_STR("tools[0][vector_store_ids][]"), LB_STR("v"), &ref));
    assert_true(ref.kind == LD_REF_VECTOR_STORE);
    assert_true(ld_ref_named(LB_STR("a.FileId"), LB_STR("v"), &ref));
    assert_true(ld_ref_named(LB_STR("model"), LB_STR("ft:x"), &ref));
    assert_false(ld_ref_named(LB_STR("model"), LB_STR("whisper-1"), &ref));
    assert_false(ld_ref_named(LB_STR("file"), LB_STR("x"), &ref));
    assert_false(ld_ref_named(LB_STR("file_id"), LB_STR(""), &ref));
    assert_false(ld_ref_named(LB_STR(""), LB_STR("x"), &ref));
}

/* ---- The quick look ---------------------------------------------------------------------------
 */

static bool hints(const char *body, bool *ids)
{
    struct lb_arena arena;
    struct ld_peek peek;
    struct llmgr_error err = {0};

    lb_arena_init(&arena, &host, NULL, 0, 1 << 16);
    if (ld_peek(lb_cstr(body), &arena, &peek, &err) != LLMGR_OK)
        fail_msg("%s: %s", body, err.message);
    lb_arena_free(&arena);
    *ids = peek.ids;
    return peek.refs;
}

/* The names of refs.def as people write them. */
static void every_row_of_the_table_is_hinted_at(void **state)
{
    static const char *const WRITTEN[] = {
#define LD_REF(KIND, name, WHERE, prefix) name,
#include "dialect/refs.def"
#undef LD_REF
        "file_id",
        "fileId",
        "file_ids",
        "fileIds",
        "input_file_id",
        "training_file",
        "training_files",
        "validation_file",
        "input_files",
        "input_file",
        "output_file",
        "error_file",
        "result_files",
        "vector_store_id",
        "batch_id",
        "vectorStoreIds",
        "cached_content",
        "cachedContent",
        "container_id",
        "previous_response_id",
        "previousResponseId",
        "from_checkpoint",
        "fine_tuning_job_id",
        "conversation_id",
        "chat_completion_id",
        "assistant_id",
        "thread_id",
        "prompt_id",
        "CONVERSATION",
        "Container",
        "FILE_ID",
        "conver\xc5\xbf\x61tion", /* \x61: an a that does not continue the escape before it */
        "from_chec\xe2\x84\xaapoint",
        "file_id\xc5\xbf",
        "training_file\xc5\xbf",
    };

    (void)state;
    for (size_t i = 0; i < sizeof WRITTEN / sizeof WRITTEN[0]; i++) {
        struct ld_ref ref;
        char body[256];
        bool ids;
        if (!ld_ref_hint(lb_cstr(WRITTEN[i])))
            fail_msg("%s is not hinted at", WRITTEN[i]);
        if (!ld_ref_named(lb_cstr(WRITTEN[i]), LB_STR("ft:"), &ref) &&
            !ld_ref_named(lb_cstr(WRITTEN[i]), LB_STR("pmpt_"), &ref) &&
            !ld_ref_named(lb_cstr(WRITTEN[i]), LB_STR("skill_"), &ref) &&
            !ld_ref_named(lb_cstr(WRITTEN[i]), LB_STR("audio_"), &ref))
            fail_msg("%s is in no row", WRITTEN[i]);
        snprintf(body, sizeof body, "{\"x\":[{\"%s\":\"x\"}]}", WRITTEN[i]);
        assert_true(hints(body, &ids));
        if (strcmp(WRITTEN[i], "model") != 0) {
            snprintf(body, sizeof body, "{\"%s\":\"x\"}", WRITTEN[i]);
            assert_true(hints(body, &ids));
        }
    }
}

static void an_ordinary_chat_is_not_walked_again(void **state)
{
    bool ids;

    (void)state;
    assert_false(hints(
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\""
        ":\"hello\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\",\"detail\":\"low\"}}],"
        "\"name\":\"a\"},{\"role\":\"assistant\",\"tool_calls\":[{\"type\":\"function\",\"function"
        "\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\","
        "\"content\":\"x\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true},"
        "\"temperature\":1,\"max_tokens\":9,\"response_format\":{\"type\":\"json_schema\"},"
        "\"tool_choice\":\"auto\",\"parallel_tool_calls\":true,\"tools\":[{\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\","
        "\"properties\":{\"a\":{\"type\":\"string\",\"enum\":[]}},\"required\":[\"a\"],"
        "\"additionalProperties\":false},\"strict\":true}}],\"logit_bias\":{},\"seed\":1,"
        "\"top_p\":1,\"user\":\"u\",\"metadata\":{}}",
        &ids));
    assert_false(ids);
    assert_false(hints("{\"input\":[{\"id\":\"x\"}]}", &ids));
    assert_true(ids);
    assert_true(hints("{\"x\":{\"file\\u005fid\":1}}", &ids));
    assert_true(hints("{\"file\\u005fid\":1}", &ids));
}

static void an_id_that_the_caller_chooses_is_told(void **state)
{
    static const char *const CHOSEN[] = {
        "{\"request_id\":\"resp_1\"}",
        "{\"a\":[],\"requestId\":\"x\"}",
        "{\"Request-ID\":7}",
        "{\"rid\":\"x\"}",
        "{\"id\":\"x\"}",
        "{\"\\u0069d\":\"x\"}",
        "{\"id\":null,\"ID\":\"x\"}",
    };
    static const char *const NOT[] = {
        "{}",
        "{\"request_id\":null,\"rid\":null}",
        "{\"input\":[{\"id\":\"x\",\"rid\":\"y\"}],\"metadata\":{\"request_id\":\"x\"}}",
        "{\"user_id\":\"x\",\"grid\":1,\"ids\":[\"x\"]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof CHOSEN / sizeof *CHOSEN; i++)
        if (!ld_refs_choose(lb_cstr(CHOSEN[i])))
            fail_msg("%s", CHOSEN[i]);
    for (size_t i = 0; i < sizeof NOT / sizeof *NOT; i++)
        if (ld_refs_choose(lb_cstr(NOT[i])))
            fail_msg("%s", NOT[i]);
}

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    return 0;
}

static void an_item_is_whole_if_it_says_all_of_itself(void **state)
{
    static const struct {
        const char *text;
        bool whole;
    } ROWS[] = {
        {"{\"type\":\"message\",\"content\":\"hi\",\"id\":\"msg_1\"}", true},
        {"{\"id\":\"msg_1\",\"content\":[{\"type\":\"input_text\"}]}", true},
        {"{\"id\":\"fc_1\",\"arguments\":\"{}\"}", true},
        {"{\"id\":\"rs_1\",\"encrypted_content\":\"x\"}", true},
        {"{\"id\":\"fco_1\",\"output\":\"x\"}", true},
        {"{\"id\":\"msg_1\"}", false},
        {"{\"id\":\"msg_1\",\"content\":null}", false},
        {"{\"type\":\"item_reference\",\"content\":\"hi\"}", false},
        {"{\"type\":\"ITEM_Reference\",\"content\":\"hi\"}", false},
        {"{\"type\":\"item\\u005freference\",\"content\":\"hi\"}", false},
        {"{\"\\u0074ype\":\"item_reference\",\"content\":\"hi\"}", false},
        {"{\"content\":\"hi\",\"id\":\"msg_1\"", false},
        {"{\"content\":\"hi\" \"id\":\"msg_1\"}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (ld_item_is_whole(lb_cstr(ROWS[i].text), 0) != ROWS[i].whole)
            fail_msg("%s", ROWS[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_that_the_caller_chooses_is_told),
        cmocka_unit_test(a_reference_is_told_at_any_depth),
        cmocka_unit_test(a_name_is_read_as_the_most_lenient_parser_does),
        cmocka_unit_test(an_id_is_decoded_and_its_place_told),
        cmocka_unit_test(an_id_that_is_too_long_is_told_without_its_text),
        cmocka_unit_test(what_names_nothing_is_not_told),
        cmocka_unit_test(the_callers_own_data_is_passed_over),
        cmocka_unit_test(an_item_is_told_by_its_place),
        cmocka_unit_test(an_item_is_whole_if_it_says_all_of_itself),
        cmocka_unit_test(a_spoken_answer_is_told_by_its_id),
        cmocka_unit_test(some_values_are_references_by_how_they_begin),
        cmocka_unit_test(malformed_text_hides_nothing),
        cmocka_unit_test(a_field_of_a_form_is_told_by_its_name),
        cmocka_unit_test(every_row_of_the_table_is_hinted_at),
        cmocka_unit_test(an_ordinary_chat_is_not_walked_again),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
