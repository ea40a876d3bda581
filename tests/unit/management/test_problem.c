/* SPDX-License-Identifier: MIT */
#include "management/problem.h"

#include <jansson.h>

#include "../unit.h"
#include "base/error.h"
#include "documents/schema.h"

static json_t *written(const struct llmgr_error *err, int http_status)
{
    struct lb_host host;
    struct lb_buf out;

    lb_host_init(&host);
    lb_buf_init(&out, &host, 4096);
    lp_problem_write(err, http_status, LB_STR("req_1"), &out);
    assert_int_equal(out.failed, LLMGR_OK);
    json_t *document = json_loads(lb_buf_c(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    lb_buf_free(&out);
    return document;
}

static void a_problem_names_status_code_and_detail(void **state)
{
    struct llmgr_error err = {0};
    (void)state;

    (void)lb_fail(&err, LLMGR_ERR_NOT_FOUND, "there is no platform \"%d\"\n", 7);
    json_t *document = written(&err, 0);
    assert_int_equal(json_integer_value(json_object_get(document, "status")), 404);
    assert_string_equal(json_string_value(json_object_get(document, "code")), "ERR_NOT_FOUND");
    assert_string_equal(json_string_value(json_object_get(document, "detail")),
                        "there is no platform \"7\"\n");
    assert_string_equal(json_string_value(json_object_get(document, "type")), "about:blank");
    assert_string_equal(json_string_value(json_object_get(document, "request_id")), "req_1");
    assert_null(json_object_get(document, "upstream_status"));
    json_decref(document);
}

static void a_problem_is_what_its_schema_says(void **state)
{
    const struct lx_schema schema = lx_schema(LX_SCHEMA_Problem);
    struct llmgr_error err = {
        .status = LLMGR_ERR_UPSTREAM, .upstream_status = 500, .retry_after_ms = 1};
    const char *name;
    json_t *member;
    size_t i = 0;
    (void)state;

    json_t *document = written(&err, 0);
    json_object_foreach(document, name, member)
    {
        assert_string_equal(name, schema.members[i].name);
        assert_true(json_is_integer(member) == (schema.members[i].type == LX_TYPE_COUNT));
        i++;
    }
    assert_int_equal(i, schema.count);
    json_decref(document);
    err.upstream_status = 0;
    err.retry_after_ms = 0;
    document = written(&err, 0);
    for (i = 0; i < schema.count; i++)
        assert_true(!schema.members[i].required ||
                    json_object_get(document, schema.members[i].name) != NULL);
    json_decref(document);
}

static void a_platforms_refusal_is_not_the_callers(void **state)
{
    struct llmgr_error err = {.status = LLMGR_ERR_KEY_REFUSED, .upstream_status = 401};
    (void)state;

    json_t *document = written(&err, 0);
    assert_int_equal(json_integer_value(json_object_get(document, "status")), 502);
    assert_int_equal(json_integer_value(json_object_get(document, "upstream_status")), 401);
    json_decref(document);
}

static void a_limit_of_ours_is_not_a_platforms(void **state)
{
    const struct llmgr_error ours = {.status = LLMGR_ERR_LIMIT, .retry_after_ms = 1000};
    const struct llmgr_error platforms = {.status = LLMGR_ERR_RATE_LIMITED, .upstream_status = 429};
    (void)state;

    json_t *document = written(&ours, 0);
    assert_int_equal(json_integer_value(json_object_get(document, "status")), 429);
    assert_string_equal(json_string_value(json_object_get(document, "code")), "ERR_LIMIT");
    assert_int_equal(json_integer_value(json_object_get(document, "retry_after_ms")), 1000);
    json_decref(document);
    document = written(&platforms, 0);
    assert_int_equal(json_integer_value(json_object_get(document, "status")), 502);
    assert_string_equal(json_string_value(json_object_get(document, "code")), "ERR_RATE_LIMITED");
    json_decref(document);
}

static void another_http_status_keeps_the_code(void **state)
{
    struct llmgr_error err = {.status = LLMGR_ERR_INVALID};
    (void)state;

    json_t *document = written(&err, 422);
    assert_int_equal(json_integer_value(json_object_get(document, "status")), 422);
    assert_string_equal(json_string_value(json_object_get(document, "code")), "ERR_INVALID");
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_names_status_code_and_detail),
        cmocka_unit_test(a_problem_is_what_its_schema_says),
        cmocka_unit_test(a_platforms_refusal_is_not_the_callers),
        cmocka_unit_test(a_limit_of_ours_is_not_a_platforms),
        cmocka_unit_test(another_http_status_keeps_the_code),
    };

    return cmocka_run_group_tests_name("management/problem", tests, NULL, NULL);
}
