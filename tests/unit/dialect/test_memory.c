/* SPDX-License-Identifier: MIT */
/*
 * Reading and building with the n-th allocation failing, ours and jansson's alike, once and for
 * ever, for every n: the right answer or an error, never half of one, and nothing leaked.
 *
 * To jansson's parser a shortage comes as a whole (json_loadb is wrapped): its scanner does not
 * check whether its buffer could grow (2.14), so what it does then is not ours to test.
 */
#include "../unit.h"

#include <stdlib.h>

#include "dialect/chat.h"
#include "dialect/error_read.h"
#include "dialect/error_write.h"
#include "dialect/form.h"
#include "dialect/models.h"
#include "dialect/tap.h"
#include "json/write.h"

static struct lb_host host;
static struct {
    long left; /* allocations that still succeed */
    bool once; /* only the next one fails */
    bool struck;
    long held;
} memory = {.left = -1};

static bool refused(void)
{
    if (memory.left < 0)
        return false;
    if (memory.left > 0) {
        memory.left--;
        return false;
    }
    if (memory.once)
        memory.left = -1;
    memory.struck = true;
    return true;
}

static void *scarce_alloc(size_t size, void *context)
{
    (void)context;
    void *p = refused() ? NULL : malloc(size);
    memory.held += p != NULL;
    return p;
}

static void *scarce_realloc(void *old, size_t size, void *context)
{
    (void)context;
    void *p = refused() ? NULL : realloc(old, size);
    memory.held += p != NULL && old == NULL;
    return p;
}

static void scarce_free(void *p, void *context)
{
    (void)context;
    memory.held -= p != NULL;
    free(p);
}

static bool parsing;

static void *json_alloc(size_t size)
{
    if (!parsing)
        return scarce_alloc(size, NULL);
    void *p = malloc(size);
    memory.held += p != NULL;
    return p;
}

static void json_free(void *p)
{
    scarce_free(p, NULL);
}

json_t *__real_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error);
json_t *__wrap_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error);

json_t *__wrap_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error)
{
    if (refused()) {
        memset(error, 0, sizeof *error);
        error->text[sizeof error->text - 1] = (char)json_error_out_of_memory;
        return NULL;
    }
    parsing = true;
    json_t *value = __real_json_loadb(text, size, flags, error);
    parsing = false;
    return value;
}

typedef llmgr_status (*operation)(struct llmgr_error *err);

static void sweep(operation run)
{
    for (int once = 0; once < 2; once++) {
        for (long n = 0;; n++) {
            struct llmgr_error err = {0};
            assert_true(n < 20000);
            memory.left = n;
            memory.once = once;
            memory.struck = false;
            llmgr_status status = run(&err);
            memory.left = -1;
            if (status != LLMGR_OK && status != LLMGR_ERR_NO_MEMORY)
                fail_msg("allocation %ld: %s: %s", n, llmgr_status_name(status), err.message);
            assert_int_equal(err.status, status);
            assert_int_equal(err.message[0] != '\0', status != LLMGR_OK);
            assert_int_equal(memory.held, 0);
            if (!memory.struck) {
                assert_int_equal(status, LLMGR_OK);
                break;
            }
        }
    }
}

/* A text longer than an arena's block, so that each copy of it is an allocation of its own. */
static const char *large(char c)
{
    static char texts[8][70 * 1024];
    char *text = texts[c - 'a'];

    memset(text, c, sizeof texts[0] - 1);
    return text;
}

/* ---- Requests and answers -------------------------------------------------------------------- */

static llmgr_status build_with(size_t limit, struct llmgr_error *err)
{
    const struct llmgr_message messages[] = {
        {.role = "system", .content = "be kind"},
        {.role = "assistant", .extra_json = "{\"tool_calls\":[{\"id\":\"c\"}],\"name\":\"n\"}"},
        {.role = "user", .content = "hi", .extra_json = "{\"a\":{\"b\":[1,2.5,null,true]}}"},
    };
    const struct llmgr_request request = {
        .size = sizeof request,
        .messages = messages,
        .message_count = 3,
        .temperature = 0.5,
        .max_tokens = 10,
        .tools_json = "[{\"type\":\"function\"}]",
        .extra_json = "{\"x\":1,\"stream_options\":null}",
    };
    const struct ld_chat_options options = {
        .model_name = LB_STR("m"),
        .extra_body = LB_STR("{\"y\":{\"z\":\"\\u00e9\"}}"),
        .stream = true,
        .include_usage = true,
    };
    struct lb_buf out;

    lb_buf_init(&out, &host, limit);
    llmgr_status status = ld_chat_build(&request, &options, &out, err);
    if (status == LLMGR_OK) {
        assert_true(lb_str_starts(lb_buf_str(&out), LB_STR("{\"model\":\"m\",\"messages\":[")));
        assert_true(lb_str_ends(
            lb_buf_str(&out),
            LB_STR("\"stream_options\":{\"include_usage\":true},\"y\":{\"z\":\"\xc3\xa9\"}}")));
    }
    lb_buf_free(&out);
    return status;
}

static llmgr_status build(struct llmgr_error *err)
{
    return build_with(1 << 16, err);
}

static void a_request_is_built_whole_or_not_at_all(void **state)
{
    (void)state;
    struct llmgr_error err = {0};

    sweep(build);
    assert_int_equal(build_with(100, &err), LLMGR_ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "100 bytes"));
}

static const char *answer_text(void)
{
    static char text[1 << 22];

    snprintf(text, sizeof text,
             "{\"id\":\"%s\",\"model\":\"%s\",\"choices\":[{\"finish_reason\":\"%s\",\"message\":{"
             "\"content\":[{\"type\":\"text\",\"text\":\"%s\"},\"x\"],\"reasoning\":\"%s\","
             "\"tool_calls\":[{\"id\":\"%s\",\"function\":{\"name\":\"%s\",\"arguments\":\"%s\"}}]}"
             "}],\"usage\":{\"prompt_tokens\":3}}",
             large('a'), large('b'), large('c'), large('d'), large('e'), large('f'), large('g'),
             large('h'));
    return text;
}

static llmgr_status read_answer(struct llmgr_error *err)
{
    struct llmgr_answer answer;

    llmgr_status status = ld_chat_read(&host, lb_cstr(answer_text()), &answer, err);
    if (status != LLMGR_OK)
        return status;
    assert_string_equal(answer.id, large('a'));
    assert_string_equal(answer.model, large('b'));
    assert_string_equal(answer.finish_reason, large('c'));
    assert_true(lb_str_starts(lb_cstr(answer.content), lb_cstr(large('d'))));
    assert_string_equal(answer.reasoning_content, large('e'));
    assert_int_equal(answer.tool_call_count, 1);
    assert_string_equal(answer.tool_calls[0].id, large('f'));
    assert_string_equal(answer.tool_calls[0].name, large('g'));
    assert_string_equal(answer.tool_calls[0].arguments, large('h'));
    assert_int_equal(answer.usage.prompt_tokens, 3);
    assert_string_equal(answer.json, answer_text());
    ld_answer_clear(&answer);
    return LLMGR_OK;
}

static void an_answer_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    sweep(read_answer);
}

static llmgr_status read_refusal(struct llmgr_error *err)
{
    struct llmgr_answer answer;
    static const char BODY[] = "{\"error\":{\"message\":\"no such thing\",\"code\":404}}";

    llmgr_status status = ld_chat_read(&host, LB_STR(BODY), &answer, err);
    /* An error stays one, whatever can be told of it. */
    assert_true(status == LLMGR_ERR_NO_MEMORY || status == LLMGR_ERR_UPSTREAM);
    if (status == LLMGR_ERR_UPSTREAM)
        assert_int_equal(err->upstream_status, 404);
    if (!memory.struck)
        assert_non_null(strstr(err->message, "no such thing"));
    *err = (struct llmgr_error){0};
    return LLMGR_OK;
}

static void an_error_in_an_answer_stays_an_error(void **state)
{
    (void)state;
    sweep(read_refusal);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static llmgr_status stream_answer(const struct ld_chat_stream *stream, struct llmgr_error *err)
{
    struct llmgr_answer answer;

    llmgr_status status = ld_chat_stream_answer(stream, &answer, err);
    if (status != LLMGR_OK)
        return status;
    assert_string_equal(answer.content, large('d'));
    assert_string_equal(answer.reasoning_content, large('e'));
    assert_string_equal(answer.finish_reason, "stop");
    assert_string_equal(answer.model, "m");
    assert_string_equal(answer.id, "i");
    assert_int_equal(answer.tool_call_count, 6);
    assert_string_equal(answer.tool_calls[5].id, "c5");
    assert_string_equal(answer.tool_calls[5].name, "f");
    assert_string_equal(answer.tool_calls[5].arguments, large('h'));
    ld_answer_clear(&answer);
    return LLMGR_OK;
}

/* Six tool calls, so that their table grows; parts, so that they are joined. */
static llmgr_status read_stream(struct llmgr_error *err)
{
    static char text[1 << 21];
    struct ld_chat_stream *stream = NULL;
    struct llmgr_chunk chunk;
    enum ld_event kind;

    llmgr_status status = ld_chat_stream_new(&host, &stream, err);
    for (int i = 0; i < 6 && status == LLMGR_OK; i++) {
        snprintf(text, sizeof text,
                 "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":[{\"text\":"
                 "\"%s\"}],\"reasoning\":\"%s\",\"tool_calls\":[{\"id\":\"c%d\",\"function\":{"
                 "\"name\":\"f\",\"arguments\":\"%s\"}}]},\"finish_reason\":%s}]}",
                 i == 0 ? large('d') : "", i == 0 ? large('e') : "", i, large('h'),
                 i == 5 ? "\"stop\"" : "null");
        const struct lh_sse_event event = {.has_data = true, .data = lb_cstr(text)};
        status = ld_chat_stream_event(stream, &event, &chunk, &kind, err);
    }
    if (status == LLMGR_OK)
        status = ld_chat_stream_finish(stream, err);
    if (status == LLMGR_OK)
        status = stream_answer(stream, err);
    ld_chat_stream_free(stream);
    return status;
}

static void a_stream_is_summed_up_whole_or_not_at_all(void **state)
{
    (void)state;
    sweep(read_stream);
}

/* Whatever is short, what came in goes out, byte for byte, and is at least not read wrongly. */
static llmgr_status pass_through(const struct ld_endpoint *endpoint, struct lb_str in)
{
    struct ld_tap tap;
    struct ld_filter_out out;
    char passed[4096];
    size_t size = 0;
    const struct lb_str all = in;

    ld_tap_init(&tap, &(struct ld_tap_options){.host = &host,
                                               .endpoint = endpoint,
                                               .content_type = LB_STR("text/event-stream"),
                                               .http_status = 200,
                                               .withhold_usage = true});
    while (in.size > 0) {
        size_t used = ld_filter_feed(&tap.filter, lb_str_sub(in, 0, 7), &out);
        assert_true(used > 0);
        for (size_t i = 0; i < out.count; i++) {
            memcpy(passed + size, out.slice[i].p, out.slice[i].size);
            size += out.slice[i].size;
        }
        in = lb_str_sub(in, used, in.size);
    }
    ld_filter_finish(&tap.filter, &out);
    for (size_t i = 0; i < out.count; i++) {
        memcpy(passed + size, out.slice[i].p, out.slice[i].size);
        size += out.slice[i].size;
    }
    assert_int_equal(size + tap.filter.report.withheld, all.size);
    if (tap.filter.report.withheld == 0)
        assert_memory_equal(passed, all.p, size);
    assert_true(tap.filter.report.usage.prompt_tokens == 3 ||
                tap.filter.report.usage.prompt_tokens == -1);
    if (!memory.struck)
        assert_int_equal(tap.filter.report.usage.prompt_tokens, 3);
    ld_filter_free(&tap.filter);
    return LLMGR_OK;
}

static llmgr_status tap_stream(struct llmgr_error *err)
{
    static const char TEXT[] =
        "data: {\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"x\":1e2}}\n\n"
        "data: [DONE]\n\n";

    (void)err;
    return pass_through(ld_endpoint(LD_ENDPOINT_CHAT), LB_STR(TEXT));
}

static void a_relayed_stream_passes_although_it_cannot_be_read(void **state)
{
    (void)state;
    sweep(tap_stream);
}

/* ---- Lists, bodies, texts -------------------------------------------------------------------- */

static llmgr_status read_models(struct llmgr_error *err)
{
    static char text[1 << 21];
    struct llmgr_probe probe;

    snprintf(text, sizeof text, "{\"data\":[{\"id\":\"%s\"},{\"id\":\"%s\"}]}", large('a'),
             large('b'));
    llmgr_status status = ld_models_read(&host, lb_cstr(text), &probe, err);
    if (status != LLMGR_OK)
        return status;
    assert_int_equal(probe.count, 2);
    assert_string_equal(probe.models[1].id, large('b'));
    ld_probe_clear(&probe);
    return LLMGR_OK;
}

static void a_list_of_models_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    sweep(read_models);
}

/* The same for a budget in bytes: an arena that is full is a shortage too. */
static llmgr_status splice_within(size_t limit, const char *body, const struct ld_edit *edit)
{
    struct llmgr_error err = {0};
    struct lb_arena arena;
    struct ld_peek peek;
    struct ld_slices slices;

    lb_arena_init(&arena, &host, NULL, 0, limit);
    llmgr_status status = ld_peek(lb_cstr(body), &arena, &peek, &err);
    if (status == LLMGR_OK)
        status = ld_splice(lb_cstr(body), &peek, edit, &arena, &slices, &err);
    if (status != LLMGR_OK && status != LLMGR_ERR_NO_MEMORY)
        fail_msg("%zu bytes: %s", limit, err.message);
    lb_arena_free(&arena);
    return status;
}

static void a_body_is_spliced_whole_or_not_at_all(void **state)
{
    (void)state;
    static char extra[8192], body[8192];
    static const char *const MODELS[] = {"plain", "quo\"ted"};
    struct ld_edit edit = {.ask_usage = true};
    size_t extra_size = (size_t)snprintf(extra, sizeof extra, "{\"stream_options\":{\"a\":1}");
    size_t body_size = (size_t)snprintf(body, sizeof body, "{\"mod\\u0065l\":\"a\\/b\"");

    /* So many replaced members that the slices do not suffice, and one that is added. */
    for (int i = 0; i < 40; i++) {
        extra_size += (size_t)snprintf(extra + extra_size, sizeof extra - extra_size,
                                       ",\"m\\u0065mber%02d\":%d", i, i);
        body_size +=
            (size_t)snprintf(body + body_size, sizeof body - body_size, ",\"member%02d\":null", i);
    }
    snprintf(extra + extra_size, sizeof extra - extra_size, ",\"new\":1}");
    for (int i = 0; i < 8; i++) {
        /* By turns: with and without a model there, stream_options there, and an own model. */
        snprintf(body + body_size, sizeof body - body_size, "%s}",
                 i & 1 ? ",\"stream\":true,\"stream_options\":{}" : "");
        edit.model = lb_cstr(MODELS[i >> 1 & 1]);
        edit.extra_body = lb_cstr(i & 4 ? extra : "");
        const char *text = i & 4 ? body : i & 1 ? "{\"stream\":true}" : "{}";
        size_t limit = 0;
        while (splice_within(limit, text, &edit) != LLMGR_OK) {
            limit += 8;
            assert_true(limit < 1 << 20);
        }
        assert_true(limit > 0);
        memory.left = 0;
        assert_int_equal(splice_within(1 << 20, text, &edit), LLMGR_ERR_NO_MEMORY);
        memory.left = -1;
        assert_int_equal(memory.held, 0);
    }
}

static llmgr_status splice_form(struct llmgr_error *err)
{
    static const struct lb_str BODY =
        LB_STR("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--\r\n");
    struct lb_arena arena;
    struct ld_form form;
    struct ld_slices slices;

    lb_arena_init(&arena, &host, NULL, 0, 1 << 16);
    llmgr_status status = ld_form_peek(BODY, LB_STR("multipart/form-data; boundary=b"), &form, err);
    if (status == LLMGR_OK)
        status = ld_form_splice(BODY, &form, LB_STR("m"), &arena, &slices, err);
    if (status == LLMGR_OK)
        assert_int_equal(slices.count, 2);
    lb_arena_free(&arena);
    return status;
}

static void a_form_is_spliced_whole_or_not_at_all(void **state)
{
    (void)state;
    sweep(splice_form);
}

static llmgr_status tell_refusal(struct llmgr_error *err)
{
    static const char BODY[] =
        "{\"error\":{\"message\":\"too much\",\"code\":\"c\",\"param\":\"p\"}}";
    const struct ld_refusal refusal = {
        .host = &host, .http_status = 429, .body = LB_STR(BODY), .retry_after_ms = 1500};
    struct lb_buf out;

    assert_int_equal(ld_fail_http(err, &refusal), LLMGR_ERR_RATE_LIMITED);
    assert_int_equal(err->upstream_status, 429);
    assert_non_null(strstr(err->message, "try again in 2 s"));
    if (!memory.struck)
        assert_non_null(strstr(err->message, "too much"));
    *err = (struct llmgr_error){0};
    for (int shape = LD_SHAPE_OPENAI; shape < LD_SHAPE_COUNT; shape++) {
        lb_buf_init(&out, &host, 4096);
        ld_error_reshape((enum ld_shape)shape, 429, LB_STR(BODY), LB_STR("req"), &out);
        if (!memory.struck)
            assert_non_null(strstr(lb_buf_c(&out), "too much"));
        lb_buf_free(&out);
        lb_buf_init(&out, &host, 4096);
        struct ld_problem problem;
        ld_problem_of(LLMGR_ERR_CUT, &problem);
        problem.message = LB_STR("cut \xff");
        ld_error_event((enum ld_shape)shape, &problem, &out);
        lb_buf_free(&out);
        (void)ld_error_fits((enum ld_shape)shape, LB_STR(BODY));
    }
    (void)ld_retry_of(429, LB_STR(BODY));
    return LLMGR_OK;
}

static void a_refusal_is_told_with_what_memory_there_is(void **state)
{
    (void)state;
    sweep(tell_refusal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_built_whole_or_not_at_all),
        cmocka_unit_test(an_answer_is_read_whole_or_not_at_all),
        cmocka_unit_test(an_error_in_an_answer_stays_an_error),
        cmocka_unit_test(a_stream_is_summed_up_whole_or_not_at_all),
        cmocka_unit_test(a_relayed_stream_passes_although_it_cannot_be_read),
        cmocka_unit_test(a_list_of_models_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_body_is_spliced_whole_or_not_at_all),
        cmocka_unit_test(a_form_is_spliced_whole_or_not_at_all),
        cmocka_unit_test(a_refusal_is_told_with_what_memory_there_is),
    };

    lb_host_init(&host);
    host.memory = (struct llmgr_allocator){scarce_alloc, scarce_realloc, scarce_free, NULL};
    json_set_alloc_funcs(json_alloc, json_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
