/* SPDX-License-Identifier: MIT */
/* Errors in the three shapes, read back with jansson. */
#include "dialect/error_write.h"

#include "../unit.h"
#include "http/sse.h"
#include "json/write.h"

static struct lb_host host;

static struct ld_problem example(void)
{
    struct ld_problem problem;

    lb_host_init(&host);
    ld_problem_of(LLMGR_ERR_NOT_FOUND, &problem);
    problem.message = LB_STR("there is no model \"x\"");
    problem.request_id = LB_STR("req_1");
    return problem;
}

static json_t *read_back(struct lb_str text)
{
    json_t *root = lj_json_read(text, NULL);

    if (root == NULL)
        fail_msg("no JSON: %.*s", (int)text.size, text.p);
    return root;
}

static void says(const json_t *object, const char *name, const char *value)
{
    if (!lb_str_eq(lj_json_str(object, name), lb_cstr(value)))
        fail_msg("%s is '%.*s', not '%s'", name, (int)lj_json_str(object, name).size,
                 lj_json_str(object, name).p, value);
}

static void bodies_have_the_shape_of_their_endpoint(void **state)
{
    struct ld_problem problem = example();

    (void)state;
    for (int shape = 0; shape < LD_SHAPE_COUNT; shape++) {
        struct lb_buf out;
        lb_buf_init(&out, &host, 4096);
        ld_error_body((enum ld_shape)shape, &problem, &out);
        json_t *root = read_back(lb_buf_str(&out));
        const json_t *error = json_object_get(root, "error");
        says(error, "message", "there is no model \"x\"");
        if (shape == LD_SHAPE_ANTHROPIC) {
            says(root, "type", "error");
            says(error, "type", "not_found_error");
            says(root, "request_id", "req_1");
        } else {
            says(error, "type", "invalid_request_error");
            says(error, "code", "model_not_found");
            says(error, "param", "model");
            assert_int_equal(json_object_size(error), 4);
        }
        assert_true(ld_error_fits((enum ld_shape)shape, lb_buf_str(&out)));
        assert_int_equal(ld_error_fits(LD_SHAPE_ANTHROPIC, lb_buf_str(&out)),
                         shape == LD_SHAPE_ANTHROPIC);
        json_decref(root);
        lb_buf_free(&out);
    }
}

static void events_are_whole_and_hold_a_truthy_error(void **state)
{
    static const char *const TYPES[LD_SHAPE_COUNT] = {"", "error", "response.failed"};
    struct ld_problem problem = example();

    (void)state;
    problem.sequence = 7;
    for (int shape = 0; shape < LD_SHAPE_COUNT; shape++) {
        struct lb_buf out;
        struct lh_sse sse;
        struct lh_sse_event event;
        size_t used;
        lb_buf_init(&out, &host, 4096);
        ld_error_event((enum ld_shape)shape, &problem, &out);
        lh_sse_init(&sse, &host, 4096);
        assert_int_equal(lh_sse_next(&sse, out.data, out.size, &used, &event), LH_DONE);
        assert_int_equal(used, out.size);
        assert_true(lb_str_eq_c(event.type, TYPES[shape]));
        json_t *root = read_back(event.data);
        says(json_object_get(root, "error"), "message", "there is no model \"x\"");
        if (shape == LD_SHAPE_RESPONSES) { /* what Codex shows, and AI SDK's schema asks for */
            const json_t *response = json_object_get(root, "response");
            says(root, "type", "response.failed");
            says(response, "status", "failed");
            says(json_object_get(response, "error"), "message", "there is no model \"x\"");
            assert_int_equal(json_integer_value(json_object_get(root, "sequence_number")), 7);
        }
        json_decref(root);
        lh_sse_free(&sse);
        lb_buf_free(&out);
    }
}

/* Is it an event, and is it one that a client would read? */
static void ping_is(enum ld_shape shape, bool begun, bool is_event)
{
    struct lb_str ping = ld_ping(shape, begun);
    struct lh_sse sse;
    struct lh_sse_event event;
    size_t used;

    lh_sse_init(&sse, &host, 4096);
    enum lh_result result = lh_sse_next(&sse, ping.p, ping.size, &used, &event);
    assert_int_equal(result, is_event ? LH_DONE : LH_MORE);
    assert_int_equal(used, ping.size);
    assert_true(!is_event || event.has_data);
    assert_true(ping.p[ping.size - 1] == '\n');
    lh_sse_free(&sse);
}

static void a_comment_is_no_event_and_an_event_waits_for_the_first(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++) {
        ping_is(LD_SHAPE_OPENAI, begun, false);
        ping_is(LD_SHAPE_ANTHROPIC, begun, true);
        ping_is(LD_SHAPE_RESPONSES, begun, begun);
    }
}

static void every_status_has_words(void **state)
{
    (void)state;
#define CHECK(name, number, http, exit_code, text)                                                 \
    {                                                                                              \
        struct ld_problem problem;                                                                 \
        ld_problem_of(LLMGR_##name, &problem);                                                     \
        assert_int_equal(problem.http_status, http);                                               \
    }
    LLMGR_STATUS_MAP(CHECK)
#undef CHECK
    for (int status = 100; status < 1000; status++) {
        struct ld_problem problem;
        ld_problem_of_http(status, &problem);
        assert_int_equal(problem.http_status, status);
        if (status >= 400 && status < 500 && status != 408 && status != 429)
            assert_int_equal(problem.retry, LD_RETRY_NO);
        else
            assert_int_equal(problem.retry, LD_RETRY_UNSAID);
        assert_int_equal(problem.retry_after, status == 429 || status == 503 || status == 529);
    }
}

/* Who only sees "429" and "rate_limit_exceeded" looks for it at the platform, in vain. */
static void a_limit_of_ours_has_a_code_of_its_own(void **state)
{
    static const struct {
        llmgr_status status;
        int http;
        const char *code;
        enum ld_retry retry;
    } CASES[] = {
        {LLMGR_ERR_RATE_LIMITED, 429, "rate_limit_exceeded", LD_RETRY_UNSAID},
        {LLMGR_ERR_LIMIT, 429, "server_limit_reached", LD_RETRY_UNSAID},
        {LLMGR_ERR_NO_MEMORY, 503, "service_unavailable", LD_RETRY_UNSAID},
        {LLMGR_ERR_OVERLOADED, 503, "server_overloaded", LD_RETRY_UNSAID},
        {LLMGR_ERR_DATABASE_FULL, 507, "", LD_RETRY_UNSAID},
        {LLMGR_ERR_JOURNAL_FULL, 507, "usage_journal_full", LD_RETRY_UNSAID},
        {LLMGR_ERR_TOO_SLOW, 408, "request_timeout", LD_RETRY_NO},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct ld_problem problem;
        ld_problem_of(CASES[i].status, &problem);
        assert_int_equal(problem.http_status, CASES[i].http);
        assert_true(lb_str_eq_c(problem.code, CASES[i].code));
        assert_int_equal(problem.retry, CASES[i].retry);
    }
}

static void out_of_credit_is_not_to_be_retried(void **state)
{
    (void)state;
    assert_int_equal(ld_retry_of(429, LB_STR("{\"error\":{\"code\":\"insufficient_quota\"}}")),
                     LD_RETRY_NO);
    assert_int_equal(ld_retry_of(429, LB_STR("{\"error\":{\"type\":\"insufficient_quota\"}}")),
                     LD_RETRY_NO);
    assert_int_equal(ld_retry_of(429, LB_STR("{\"error\":{\"code\":\"rate_limit\"}}")),
                     LD_RETRY_UNSAID);
    assert_int_equal(ld_retry_of(503, LB_STR("<html>")), LD_RETRY_UNSAID);
}

static void reshaped(enum ld_shape shape, int status, const char *body, const char *type,
                     const char *code, const char *message)
{
    struct lb_buf out;

    lb_host_init(&host);
    lb_buf_init(&out, &host, 4096);
    ld_error_reshape(shape, status, lb_cstr(body), LB_STR("req_2"), &out);
    json_t *root = read_back(lb_buf_str(&out));
    says(json_object_get(root, "error"), "type", type);
    says(json_object_get(root, "error"), "code", code);
    says(json_object_get(root, "error"), "message", message);
    json_decref(root);
    lb_buf_free(&out);
}

static void a_platforms_error_is_told_in_the_callers_shape(void **state)
{
    static const char OPENAI[] = "{\"error\":{\"message\":\"too long\",\"type\":\"x\",\"param\":"
                                 "null,\"code\":\"context_length_exceeded\"}}";
    static const char ANTHROPIC[] =
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}";

    (void)state;
    reshaped(LD_SHAPE_ANTHROPIC, 400, OPENAI, "invalid_request_error", NULL, "too long");
    reshaped(LD_SHAPE_OPENAI, 400, OPENAI, "x", "context_length_exceeded", "too long");
    reshaped(LD_SHAPE_OPENAI, 400,
             "{\"object\":\"error\",\"message\":\"m\",\"type\":\"BadRequestError\",\"code\":400}",
             "BadRequestError", NULL, "m");
    reshaped(LD_SHAPE_OPENAI, 400, "{\"message\":\"m\",\"type\":\"t\",\"code\":\"1500\"}", "t",
             "1500", "m");
    reshaped(LD_SHAPE_OPENAI, 400, "{\"error\":\"m\",\"code\":1113}", "invalid_request_error",
             "1113", "m");
    reshaped(LD_SHAPE_OPENAI, 400,
             "data: {\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":\"c\"}}\n\n", "t", "c",
             "m");
    reshaped(LD_SHAPE_ANTHROPIC, 400,
             "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
             "\"message\":\"m\"}}\n\n",
             "overloaded_error", NULL, "m");
    reshaped(LD_SHAPE_OPENAI, 400, "{\"error\":{\"code\":\"c\",\"type\":\"t\",\"message\":\"cut",
             "t", "c", "cut");
    reshaped(LD_SHAPE_OPENAI, 529, ANTHROPIC, "server_error", "overloaded", "busy");
    reshaped(LD_SHAPE_RESPONSES, 502, "<html><title>Bad Gateway</title>", "server_error",
             "upstream_error", "Bad Gateway");
    reshaped(LD_SHAPE_OPENAI, 500, "", "server_error", NULL,
             "the platform answers with an error (HTTP 500)");
    reshaped(LD_SHAPE_OPENAI, 400, "{\"error\":{\"message\":\"a\\u0000b\\u202ec\"}}",
             "invalid_request_error", NULL, "a b c");
}

static void texts_that_are_no_utf8_are_mended(void **state)
{
    struct ld_problem problem = example();
    struct lb_buf out;

    (void)state;
    problem.message = LB_STR("a\xff\n\"b");
    lb_buf_init(&out, &host, 4096);
    ld_error_body(LD_SHAPE_OPENAI, &problem, &out);
    json_t *root = read_back(lb_buf_str(&out));
    says(json_object_get(root, "error"), "message", "a\xef\xbf\xbd \"b");
    json_decref(root);
    lb_buf_free(&out);
}

static void an_error_fits_only_its_own_shape(void **state)
{
    static const struct {
        const char *body;
        bool openai, anthropic;
    } ROWS[] = {
        {"{\"error\":{\"message\":\"m\"}}", true, false},
        {"{\"type\":\"error\",\"error\":{\"message\":\"m\",\"type\":\"t\"}}", false, true},
        {"{\"type\":\"error\",\"error\":{\"message\":\"m\"}}", false, false},
        {"{\"type\":\"error\",\"error\":{\"message\":\"m\",\"type\":7}}", false, false},
        {"{\"type\":\"other\",\"error\":{\"message\":\"m\",\"type\":\"t\"}}", true, false},
        {"{\"error\":{\"message\":7}}", false, false},
        {"{\"error\":\"m\"}", false, false},
        {"{}", false, false},
        {"<html>", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct lb_str body = lb_cstr(ROWS[i].body);
        assert_int_equal(ld_error_fits(LD_SHAPE_OPENAI, body), ROWS[i].openai);
        assert_int_equal(ld_error_fits(LD_SHAPE_RESPONSES, body), ROWS[i].openai);
        assert_int_equal(ld_error_fits(LD_SHAPE_ANTHROPIC, body), ROWS[i].anthropic);
    }
    reshaped(LD_SHAPE_OPENAI, 429,
             "{\"error\":{\"type\":\"insufficient_quota\",\"message\":\"m\"}}",
             "insufficient_quota", "insufficient_quota", "m");
}

static void a_type_that_is_given_is_kept(void **state)
{
    struct lb_buf out;

    (void)state;
    for (int shape = 0; shape < LD_SHAPE_COUNT; shape++) {
        struct ld_problem problem = example();
        problem.type = LB_STR("own_type");
        problem.request_id = LB_STR("");
        lb_buf_init(&out, &host, 4096);
        ld_error_body((enum ld_shape)shape, &problem, &out);
        json_t *root = read_back(lb_buf_str(&out));
        says(json_object_get(root, "error"), "type", "own_type");
        assert_null(json_object_get(root, "request_id"));
        json_decref(root);
        lb_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_have_the_shape_of_their_endpoint),
        cmocka_unit_test(events_are_whole_and_hold_a_truthy_error),
        cmocka_unit_test(a_comment_is_no_event_and_an_event_waits_for_the_first),
        cmocka_unit_test(every_status_has_words),
        cmocka_unit_test(a_limit_of_ours_has_a_code_of_its_own),
        cmocka_unit_test(out_of_credit_is_not_to_be_retried),
        cmocka_unit_test(a_platforms_error_is_told_in_the_callers_shape),
        cmocka_unit_test(texts_that_are_no_utf8_are_mended),
        cmocka_unit_test(an_error_fits_only_its_own_shape),
        cmocka_unit_test(a_type_that_is_given_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
