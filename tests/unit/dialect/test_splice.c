/* SPDX-License-Identifier: MIT */
/* Spliced bodies, byte for byte, and forms. */
#include "dialect/splice.h"

#include "../unit.h"
#include "base/buf.h"
#include "dialect/form.h"
#include "json/write.h"

static struct lb_host host;
static struct lb_arena arena;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 8 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lb_arena_free(&arena);
    return 0;
}

static void concat(const struct ld_slices *slices, struct lb_buf *out)
{
    assert_true(slices->count <= LD_SLICES_MAX);
    lb_buf_init(out, &host, 8 << 20);
    for (size_t i = 0; i < slices->count; i++) {
        assert_true(slices->slice[i].size > 0);
        lb_buf_add_str(out, slices->slice[i]);
    }
    assert_int_equal(out->size, slices->size);
}

static void spliced(const char *body, const struct ld_edit *edit, const char *expected)
{
    struct ld_peek peek;
    struct ld_slices slices;
    struct llmgr_error err = {0};
    struct lb_buf out;

    if (ld_peek(lb_cstr(body), &arena, &peek, &err) != LLMGR_OK ||
        ld_splice(lb_cstr(body), &peek, edit, &arena, &slices, &err) != LLMGR_OK)
        fail_msg("%s: %s", body, err.message);
    concat(&slices, &out);
    assert_string_equal(lb_buf_c(&out), expected);
    lb_buf_free(&out);
}

#define EDIT(...) (&(const struct ld_edit){__VA_ARGS__})

static void nothing_to_change_is_the_body_in_one_slice(void **state)
{
    static const struct lb_str BODY = LB_STR(" {\"model\" : \"a\\/b\", \"x\":1.0e0 }\n");
    struct ld_peek peek;
    struct ld_slices slices;

    (void)state;
    assert_int_equal(ld_peek(BODY, &arena, &peek, NULL), LLMGR_OK);
    assert_int_equal(ld_splice(BODY, &peek, EDIT(.model = LB_STR("a/b")), &arena, &slices, NULL),
                     LLMGR_OK);
    assert_int_equal(slices.count, 1);
    assert_ptr_equal(slices.slice[0].p, BODY.p);
    assert_int_equal(slices.size, BODY.size);
}

static void the_model_alone_changes(void **state)
{
    (void)state;
    spliced("{\"a\":1 , \"model\" : \"x\" , \"b\":2}", EDIT(.model = LB_STR("Qwen/3")),
            "{\"a\":1 , \"model\" : \"Qwen/3\" , \"b\":2}");
    spliced("{\"mod\\u0065l\":null}", EDIT(.model = LB_STR("q\"\\")),
            "{\"mod\\u0065l\":\"q\\\"\\\\\"}");
    spliced("{}", EDIT(.model = LB_STR("q")), "{\"model\":\"q\"}");
    spliced("{ }", EDIT(.model = LB_STR("q")), "{ \"model\":\"q\"}");
    spliced("{\"a\":1 }", EDIT(.model = LB_STR("q")), "{\"a\":1 ,\"model\":\"q\"}");
}

static void usage_is_asked_for_and_other_options_stay(void **state)
{
    const struct ld_edit *ask = EDIT(.ask_usage = true);

    (void)state;
    spliced("{\"stream\":true}", ask,
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    spliced("{\"stream_options\":null}", ask, "{\"stream_options\":{\"include_usage\":true}}");
    spliced("{\"stream_options\":{}}", ask, "{\"stream_options\":{\"include_usage\":true}}");
    spliced("{\"stream_options\":{ }}", ask, "{\"stream_options\":{\"include_usage\":true }}");
    spliced("{\"stream_options\": { \"include_obfuscation\" : false }}", ask,
            "{\"stream_options\": {\"include_usage\":true, \"include_obfuscation\" : false }}");
    spliced("{\"stream_options\":{\"a\":1,\"include_usage\" : false,\"b\":2}}", ask,
            "{\"stream_options\":{\"a\":1,\"include_usage\" : true,\"b\":2}}");
    spliced("{\"stream_options\":{\"include_usage\":true}}", ask,
            "{\"stream_options\":{\"include_usage\":true}}");
}

static void edits_stand_in_the_order_of_the_body(void **state)
{
    (void)state;
    spliced("{\"z\":1,\"stream_options\":{\"a\":1},\"model\":\"x\",\"b\":2}",
            EDIT(.ask_usage = true, .model = LB_STR("q"),
                 .extra_body = LB_STR("{\"b\":3,\"z\":4,\"c\":5}")),
            "{\"z\":4,\"stream_options\":{\"include_usage\":true,\"a\":1},\"model\":\"q\",\"b\":3,"
            "\"c\":5}");
}

static void stream_options_are_taken_out_with_their_comma(void **state)
{
    const struct ld_edit *drop = EDIT(.ask_usage = true, .drop_stream_options = true);

    (void)state;
    spliced("{\"stream_options\":{\"a\":1}}", drop, "{}");
    spliced("{ \"stream_options\":{} }", drop, "{  }");
    spliced("{\"stream_options\":{} , \"b\":2}", drop, "{\"b\":2}");
    spliced("{\"a\":1 , \"stream_options\":{}}", drop, "{\"a\":1}");
    spliced("{\"a\":1,\"stream_options\":{},\"b\":2}", drop, "{\"a\":1,\"b\":2}");
    spliced("{\"a\":1}", drop, "{\"a\":1}");
    spliced("{\"stream_options\":{}}",
            EDIT(.drop_stream_options = true, .extra_body = LB_STR("{\"b\":2}")), "{\"b\":2}");
    spliced(
        "{\"model\":\"a\",\"stream_options\":null,\"z\":3}",
        EDIT(.drop_stream_options = true, .model = LB_STR("q"), .extra_body = LB_STR("{\"z\":4}")),
        "{\"model\":\"q\",\"z\":4}");
}

static void extra_body_replaces_or_adds(void **state)
{
    (void)state;
    spliced(
        "{\"temperature\":1,\"x\":[1]}",
        EDIT(.extra_body = LB_STR(" {\"temperature\" : 0.5, \"thinking\":{\"type\":\"off\"}} ")),
        "{\"temperature\":0.5,\"x\":[1],\"thinking\":{\"type\":\"off\"}}");
    spliced("{\"temp\\u0065rature\":1}", EDIT(.extra_body = LB_STR("{\"temperature\":2}")),
            "{\"temp\\u0065rature\":2}");
    spliced("{\"temperature\":1}", EDIT(.extra_body = LB_STR("{\"temp\\u0065rature\":2}")),
            "{\"temperature\":2}");
    spliced("{}", EDIT(.extra_body = LB_STR("{\"a\":1,\"b\":2,\"a\":3}")), "{\"a\":3,\"b\":2}");
    spliced("{\"a\":1}", EDIT(.extra_body = LB_STR("{}")), "{\"a\":1}");
}

static void who_answers_what_is_never_taken_from_extra_body(void **state)
{
    (void)state;
    spliced("{\"model\":\"a\",\"stream\":true,\"messages\":[1]}",
            EDIT(.extra_body = LB_STR("{\"model\":\"b\",\"stream\":false,\"messages\":[],\"input\":"
                                      "1,\"prompt\":2,\"Model\":\"c\",\"m\\u006fdel\":\"d\"}")),
            "{\"model\":\"a\",\"stream\":true,\"messages\":[1]}");
}

static void stream_options_of_an_extra_body_ask_for_usage_too(void **state)
{
    (void)state;
    spliced("{\"stream\":true}",
            EDIT(.ask_usage = true,
                 .extra_body = LB_STR("{\"stream_options\":{\"a\":1,\"include_usage\":false}}")),
            "{\"stream\":true,\"stream_options\":{\"a\":1,\"include_usage\":true}}");
    spliced("{\"stream\":true,\"stream_options\":{\"b\":1}}",
            EDIT(.ask_usage = true, .extra_body = LB_STR("{\"stream_options\":{\"a\":1}}")),
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"a\":1}}");
    /* Platforms refuse the member where nothing is streamed. */
    spliced("{\"stream\":false}", EDIT(.extra_body = LB_STR("{\"stream_options\":{\"a\":1}}")),
            "{\"stream\":false}");
}

static void an_extra_body_may_have_the_answer_kept(void **state)
{
    const struct lb_str STORE = LB_STR("store");

    (void)state;
    assert_true(ld_extra_sets(LB_STR("{\"store\":true}"), STORE));
    assert_true(ld_extra_sets(LB_STR(" { \"a\":{}, \"st\\u006fre\" : 1 }"), STORE));
    assert_true(ld_extra_sets(LB_STR("{\"store\":false,\"store\":true}"), STORE));
    assert_false(ld_extra_sets(LB_STR("{\"store\":true,\"store\":false}"), STORE));
    assert_false(ld_extra_sets(LB_STR("{\"store\":null,\"a\":{\"store\":true}}"), STORE));
    assert_false(ld_extra_sets(LB_STR("{}"), STORE));
    assert_false(ld_extra_sets(LB_STR(""), STORE));
}

static void a_broken_extra_body_is_refused(void **state)
{
    static const char *const BROKEN[] = {"[]", "{\"a\":}", "{\"a\":1}x", "null", "{\"a\":1"};
    struct ld_peek peek;
    struct ld_slices slices;

    (void)state;
    assert_int_equal(ld_peek(LB_STR("{}"), &arena, &peek, NULL), LLMGR_OK);
    for (size_t i = 0; i < sizeof BROKEN / sizeof BROKEN[0]; i++) {
        assert_int_equal(ld_splice(LB_STR("{}"), &peek, EDIT(.extra_body = lb_cstr(BROKEN[i])),
                                   &arena, &slices, NULL),
                         LLMGR_ERR_INVALID);
    }
}

/* More replaced members than there are slices. */
static void many_edits_become_one_piece(void **state)
{
    struct lb_buf body, extra, out;
    struct ld_peek peek;
    struct ld_slices slices;

    (void)state;
    lb_buf_init(&body, &host, 1 << 16);
    lb_buf_init(&extra, &host, 1 << 16);
    for (int i = 0; i < 100; i++) {
        lb_buf_addf(&body, "%c\"m%d\":1", i == 0 ? '{' : ',', i);
        lb_buf_addf(&extra, "%c\"m%d\":\"v%d\"", i == 0 ? '{' : ',', i, i);
    }
    lb_buf_add_c(&body, "}");
    lb_buf_add_c(&extra, "}");
    assert_int_equal(ld_peek(lb_buf_str(&body), &arena, &peek, NULL), LLMGR_OK);
    assert_int_equal(ld_splice(lb_buf_str(&body), &peek, EDIT(.extra_body = lb_buf_str(&extra)),
                               &arena, &slices, NULL),
                     LLMGR_OK);
    concat(&slices, &out);
    assert_string_equal(lb_buf_c(&out), lb_buf_c(&extra));
    lb_buf_free(&body);
    lb_buf_free(&extra);
    lb_buf_free(&out);
}

static void a_full_arena_is_no_memory(void **state)
{
    struct lb_arena small;
    struct ld_peek peek;
    struct ld_slices slices = {.count = 77};

    (void)state;
    lb_arena_init(&small, &host, NULL, 0, 0);
    assert_int_equal(ld_peek(LB_STR("{}"), &small, &peek, NULL), LLMGR_OK);
    assert_int_equal(
        ld_splice(LB_STR("{}"), &peek, EDIT(.model = LB_STR("q")), &small, &slices, NULL),
        LLMGR_ERR_NO_MEMORY);
    assert_int_equal(slices.count, 77);
    assert_int_equal(ld_peek(LB_STR("{\"model\":\"\\u0061\"}"), &small, &peek, NULL),
                     LLMGR_ERR_NO_MEMORY);
    lb_arena_free(&small);
}

/* ---- Forms ----------------------------------------------------------------------------------- */

#define TYPE "multipart/form-data; boundary=xx"
#define PART(head, value) "--xx\r\nContent-Disposition: form-data; " head "\r\n\r\n" value "\r\n"
#define FILE_PART PART("name=\"file\"; filename=\"a\\\"b.wav\"", "RIFF\r\n--x\n\0data")

static void formed(struct lb_str body, const char *model, const char *expected_model)
{
    struct ld_form form, again;
    struct ld_slices slices;
    struct llmgr_error err = {0};
    struct lb_buf out;

    if (ld_form_peek(body, LB_STR(TYPE), &form, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    assert_true(lb_str_eq(form.model, lb_cstr(expected_model)));
    assert_int_equal(ld_form_splice(body, &form, lb_cstr(model), &arena, &slices, NULL), LLMGR_OK);
    concat(&slices, &out);
    assert_int_equal(ld_form_peek(lb_buf_str(&out), LB_STR(TYPE), &again, NULL), LLMGR_OK);
    assert_true(lb_str_eq(again.model, lb_cstr(model)));
    assert_int_equal(form.stream, again.stream);
    lb_buf_free(&out);
}

static void a_forms_model_is_found_and_replaced_or_added(void **state)
{
    (void)state;
    formed(LB_STR(PART("name=\"model\"", "whisper-1") FILE_PART "--xx--\r\n"), "w2", "whisper-1");
    formed(LB_STR(FILE_PART PART("name=model", "w") "--xx--"), "w2", "w");
    formed(LB_STR(FILE_PART "--xx--\r\n"), "w2", NULL);
    formed(LB_STR("--xx--"), "w2", NULL);
    formed(LB_STR("\r\n" PART("name=\"stream\"", "true") "--xx--"), "w2", NULL);
}

static void a_form_with_two_readings_is_refused(void **state)
{
    static const struct lb_str REFUSED[] = {
        LB_STR(""),
        LB_STR("--x"),
        LB_STR("--xx"),
        LB_STR("--xx\r\n\r\n"),
        LB_STR("preamble\r\n--xx--"),
        LB_STR(PART("name=\"a\"", "1")),
        LB_STR(PART("name=\"a\"", "1") "--xxy\r\n"),
        LB_STR(PART("name=\"a\"", "1") "--xx--" PART("name=\"model\"", "b")),
        LB_STR(PART("name=\"a\"", "1\n--xx\nname") "--xx--"),
        LB_STR(PART("name=\"model\"", "a") PART("name=\"model\"", "b") "--xx--"),
        LB_STR(PART("name=\"model\"", "a") PART("name=\"Model\"", "b") "--xx--"),
        LB_STR(PART("name=\"model\"; name=\"x\"", "a") "--xx--"),
        LB_STR(PART("name=\"mo\\del\"", "a") "--xx--"),
        LB_STR(PART("name*=utf-8''model", "a") "--xx--"),
        LB_STR(PART("name=\"model\"; filename=\"x\"", "a") "--xx--"),
        LB_STR(PART("name=\"model\"", "a\r\nb") "--xx--"),
        LB_STR("--xx\r\nX: 1\r\n\r\nv\r\n--xx--"),
        LB_STR("--xx\r\nContent-Disposition: form-data;\r\n name=model\r\n\r\nv\r\n--xx--"),
    };
    static const char *const TYPES[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=xx",
        "multipart/form-data; boundary=\"a b\"",
        "multipart/mixed; boundary=xx",
    };
    struct ld_form form;

    (void)state;
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        if (ld_form_peek(REFUSED[i], LB_STR(TYPE), &form, NULL) != LLMGR_ERR_INVALID)
            fail_msg("accepted: %s", REFUSED[i].p);
    }
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        assert_int_equal(ld_form_peek(LB_STR("--xx--"), lb_cstr(TYPES[i]), &form, NULL),
                         LLMGR_ERR_INVALID);
}

static void a_name_is_matched_by_what_it_means(void **state)
{
    char body[1400], want[1400], extra[4096];
    size_t size = 0;

    (void)state;
    /* Of the stream_options only those of that very name count. */
    spliced("{\"stream\":true}", EDIT(.extra_body = LB_STR("{\"Stream_Options\":{\"a\":1}}")),
            "{\"stream\":true}");
    spliced("{\"stream\":true}", EDIT(.extra_body = LB_STR("{\"stream_options\":{\"a\":1}}")),
            "{\"stream\":true,\"stream_options\":{\"a\":1}}");
    spliced("{\"stream\":true,\"stream_options\":null}",
            EDIT(.ask_usage = true, .extra_body = LB_STR("{\"stream_options\":null}")),
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    spliced("{\"stream\":true}",
            EDIT(.ask_usage = true, .extra_body = LB_STR("{\"stream_options\":{ }}")),
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true }}");
    spliced("{\"stream\":true,\"stream_options\":{\"a\":1}}",
            EDIT(.extra_body = LB_STR("{\"b\":2}")),
            "{\"stream\":true,\"stream_options\":{\"a\":1},\"b\":2}");
    /* A name of the body that is written with escapes and longer than any matches nothing. */
    size = (size_t)snprintf(body, sizeof body, "{\"\\u0061");
    while (size < 300)
        body[size++] = 'a';
    snprintf(body + size, sizeof body - size, "\":1}");
    snprintf(want, sizeof want, "%.*s\":1,\"b\":2}", (int)size, body);
    spliced(body, EDIT(.extra_body = LB_STR("{\"b\":2}")), want);
    snprintf(extra, sizeof extra, "{\"b\":2}");
    spliced("{\"a\":1}", EDIT(.model = LB_STR("a\x01\n\"\\b"), .extra_body = lb_cstr(extra)),
            "{\"a\":1,\"model\":\"a\\u0001\\n\\\"\\\\b\",\"b\":2}");
}

static void an_extra_body_has_bounds_and_names_that_are_text(void **state)
{
    static char extra[8192];
    struct ld_peek peek;
    struct ld_slices slices;
    struct llmgr_error err = {0};
    size_t size = (size_t)snprintf(extra, sizeof extra, "{\"m\":1");

    (void)state;
    assert_int_equal(ld_peek(LB_STR("{\"a\":1,\"a\":2}"), &arena, &peek, NULL), LLMGR_OK);
    assert_int_equal(ld_splice(LB_STR("{\"a\":1,\"a\":2}"), &peek,
                               EDIT(.extra_body = LB_STR("{\"a\":3}")), &arena, &slices, &err),
                     LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "'a' twice"));
    assert_int_equal(ld_splice(LB_STR("{\"a\":1,\"a\":2}"), &peek,
                               EDIT(.extra_body = LB_STR("{\"\\ud800\":3}")), &arena, &slices,
                               &err),
                     LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "a name is no text"));
    for (int i = 0; i < 256; i++)
        size += (size_t)snprintf(extra + size, sizeof extra - size, ",\"m%d\":1", i);
    snprintf(extra + size, sizeof extra - size, "}");
    assert_int_equal(ld_splice(LB_STR("{\"a\":1,\"a\":2}"), &peek,
                               EDIT(.extra_body = lb_cstr(extra)), &arena, &slices, &err),
                     LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "too many members"));
}

static void a_media_type_is_read_as_it_is_written(void **state)
{
    static const struct {
        const char *type;
        bool accepted;
    } TYPES[] = {
        {"Multipart/Form-Data ; charset=utf-8 ; BOUNDARY = \"xx\" ", true},
        {"multipart/form-data; x=\"a\\\";b\"; boundary=xx", true},
        {"multipart/form-data; boundary=\"xx", false},
        {"multipart/form-data; boundary=\"xx\\", false},
        {"multipart/form-data; boundary=\"xx\\\"", false},
        {"multipart/form-data; boundary", false},
        {"multipart/form-data; boundary=xx; y", false},
        {"multipart/form-data; boundary=xx x", false},
        {"multipart/form-data; boundary=\"xx\" y", false},
        {"multipart/form-data; boundary=", false},
        {"multipart/form-data;", false},
        {"multipart/form-data; boundary=xx'()+_,-./:=?", false},
        {"multipart/form-data; boundary=x~", false},
        {"multipart/form-data; boundary=x[", false},
        {"multipart/form-data; boundary=x`", false},
        {"multipart/form-data; boundary=x@", false},
    };
    char longest[200] = "multipart/form-data; boundary=";
    struct ld_form form;

    (void)state;
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        llmgr_status status = ld_form_peek(LB_STR("--xx--"), lb_cstr(TYPES[i].type), &form, NULL);
        if (status != (TYPES[i].accepted ? LLMGR_OK : LLMGR_ERR_INVALID))
            fail_msg("%s", TYPES[i].type);
    }
    assert_int_equal(ld_form_peek(LB_STR("--aZ9'()+_,-./:=?--"),
                                  LB_STR("multipart/form-data; boundary=\"aZ9'()+_,-./:=?\""),
                                  &form, NULL),
                     LLMGR_OK);
    memset(longest + 30, 'x', 71);
    assert_int_equal(ld_form_peek(LB_STR("--xx--"), lb_cstr(longest), &form, NULL),
                     LLMGR_ERR_INVALID);
    assert_true(ld_is_form(LB_STR(" multipart/form-data ")));
    assert_false(ld_is_form(LB_STR("")));
}

static void a_parts_head_is_read_strictly(void **state)
{
    static const struct {
        struct lb_str body;
        bool accepted;
    } BODIES[] = {
        {LB_STR("--xx \t\r\nContent-Disposition: form-data; name=stream\r\n\r\n1\r\n--xx--"), true},
        {LB_STR("--xx\r\nX: 1\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--xx-- \t"),
         true},
        {LB_STR("--xx x\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--xx--"), false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; name=a; x\r\n\r\nv\r\n--xx--"), false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; name=a\r\n"
                "Content-Disposition: form-data; name=model\r\n\r\nv\r\n--xx--"),
         false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; name=a\r\n\tx: y\r\n\r\nv\r\n--xx--"),
         false},
        {LB_STR("--xx\r\nno colon\r\n\r\nv\r\n--xx--"), false},
        {LB_STR("--xx\r\nX: a\nb\r\n\r\nv\r\n--xx--"), false},
        {LB_STR("--xx\r\nX: a\rb\r\n\r\nv\r\n--xx--"), false},
        {LB_STR("--xx\r\nX: a\0b\r\n\r\nv\r\n--xx--"), false},
        {LB_STR("--xx\r\nX: a"), false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; name=a\r\n\r\n--xx--"), false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; name=a\r\n\r\nb--xx--"), false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; name=a\r\n\r\nb\n--xx--"), false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r--xx--"), false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; filename*=x; name=model\r\n\r\nb\r\n"
                "--xx--"),
         false},
        {LB_STR("--xx\r\nContent-Disposition: form-data; name=model\r\n\r\n\r\n--xx--"), false},
    };
    static char large[20000];
    struct ld_form form;

    (void)state;
    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        llmgr_status status = ld_form_peek(BODIES[i].body, LB_STR(TYPE), &form, NULL);
        if (status != (BODIES[i].accepted ? LLMGR_OK : LLMGR_ERR_INVALID))
            fail_msg("%s", BODIES[i].body.p);
        if (i == 0)
            assert_true(form.stream);
    }
    size_t size = (size_t)snprintf(large, sizeof large, "--xx\r\n");
    while (size < 9000)
        size += (size_t)snprintf(large + size, sizeof large - size, "X: 1\r\n");
    snprintf(large + size, sizeof large - size, "\r\nv\r\n--xx--");
    assert_int_equal(ld_form_peek(lb_cstr(large), LB_STR(TYPE), &form, NULL), LLMGR_ERR_INVALID);
}

static void a_form_has_a_ceiling_and_takes_only_names(void **state)
{
    struct ld_form form;
    struct ld_slices slices;
    struct lb_buf body;

    (void)state;
    lb_buf_init(&body, &host, 1 << 20);
    for (int i = 0; i <= LD_FORM_PARTS_MAX; i++)
        lb_buf_add_c(&body, PART("name=a", "1"));
    lb_buf_add_c(&body, "--xx--");
    struct llmgr_error err = {0};
    assert_int_equal(ld_form_peek(lb_buf_str(&body), LB_STR(TYPE), &form, &err), LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "too many parts"));
    lb_buf_free(&body);
    assert_int_equal(ld_form_peek(LB_STR("--xx--"), LB_STR(TYPE), &form, NULL), LLMGR_OK);
    assert_int_equal(
        ld_form_splice(LB_STR("--xx--"), &form, LB_STR("a\r\nb"), &arena, &slices, NULL),
        LLMGR_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_change_is_the_body_in_one_slice),
        cmocka_unit_test(the_model_alone_changes),
        cmocka_unit_test(usage_is_asked_for_and_other_options_stay),
        cmocka_unit_test(edits_stand_in_the_order_of_the_body),
        cmocka_unit_test(stream_options_are_taken_out_with_their_comma),
        cmocka_unit_test(extra_body_replaces_or_adds),
        cmocka_unit_test(who_answers_what_is_never_taken_from_extra_body),
        cmocka_unit_test(stream_options_of_an_extra_body_ask_for_usage_too),
        cmocka_unit_test(an_extra_body_may_have_the_answer_kept),
        cmocka_unit_test(a_broken_extra_body_is_refused),
        cmocka_unit_test(many_edits_become_one_piece),
        cmocka_unit_test(a_full_arena_is_no_memory),
        cmocka_unit_test(a_forms_model_is_found_and_replaced_or_added),
        cmocka_unit_test(a_form_with_two_readings_is_refused),
        cmocka_unit_test(a_name_is_matched_by_what_it_means),
        cmocka_unit_test(an_extra_body_has_bounds_and_names_that_are_text),
        cmocka_unit_test(a_media_type_is_read_as_it_is_written),
        cmocka_unit_test(a_parts_head_is_read_strictly),
        cmocka_unit_test(a_form_has_a_ceiling_and_takes_only_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
