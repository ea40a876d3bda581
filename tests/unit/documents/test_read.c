/* SPDX-License-Identifier: MIT */
/* What is sent is judged by its schema, and refused by the name of what is wrong. */
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "documents/read.h"

static void a_body_is_what_its_schema_says(void **state)
{
    static const char GOOD[] =
        "{\"platform_name\":\"A\",\"base_url\":\"https://a.example\",\"api_key\":\"sk-1\"}";
    struct llmgr_error err = {0};
    json_t *body;
    (void)state;

    assert_int_equal(lx_schema_read(LX_SCHEMA_PlatformAdd, lb_cstr(GOOD), &body, &err), LLMGR_OK);
    lx_schema_wipe(LX_SCHEMA_PlatformAdd, body);
    const json_t *key = json_object_get(body, "api_key");
    assert_memory_equal(json_string_value(key), "\0\0\0\0", 4);
    assert_string_equal(json_string_value(json_object_get(body, "platform_name")), "A");
    json_decref(body);
}

static void a_body_that_is_not_is_refused_by_member(void **state)
{
    static const struct {
        enum lx_schema_id schema;
        const char *text;
        const char *says;
    } CASES[] = {
        {LX_SCHEMA_PlatformAdd, "{}", "'platform_name'"},
        {LX_SCHEMA_PlatformAdd, "{\"platform_name\":true,\"base_url\":\"\"}", "'platform_name'"},
        {LX_SCHEMA_PlatformAdd, "{\"Platform_name\":\"A\",\"base_url\":\"\"}", "'Platform_name'"},
        {LX_SCHEMA_PlatformChange, "{\"platform_hide\":1}", "'platform_hide'"},
        {LX_SCHEMA_PlatformChange, "{\"platform_hide\":null}", "'platform_hide'"},
        {LX_SCHEMA_SelectionSet, "{\"platform_id\":1.0,\"model_id\":1}", "'platform_id'"},
        {LX_SCHEMA_SelectionSet, "{\"platform_id\":0,\"model_id\":1}", "'platform_id'"},
        {LX_SCHEMA_SelectionSet, "{\"platform_id\":-1,\"model_id\":1}", "'platform_id'"},
        {LX_SCHEMA_SelectionSet, "{\"platform_id\":18446744073709551616,\"model_id\":1}", "JSON"},
        {LX_SCHEMA_TokenAdd, "{\"kind\":\"use\"}", "user|app|admin"},
        {LX_SCHEMA_TokenAdd, "{\"kind\":\"user|app\"}", "user|app|admin"},
        {LX_SCHEMA_TokenAdd, "{\"kind\":\"\"}", "user|app|admin"},
        {LX_SCHEMA_ModelAdd, "{\"model_name\":\"m\",\"extra_body\":[]}", "'extra_body'"},
        {LX_SCHEMA_ModelAdd, "{\"model_name\":\"m\",\"model_name\":\"m\"}", "twice"},
        {LX_SCHEMA_ModelAdd, "{\"model_name\":\"m\"} {}", "JSON"},
        {LX_SCHEMA_ModelAdd, "null", "object"},
        {LX_SCHEMA_PriceSet, "{}", "'rates' is missing"},
        {LX_SCHEMA_PriceSet, "{\"rates\":[]}", "'rates' must be an object"},
        {LX_SCHEMA_PriceSet, "{\"rates\":{\"input\":0.27}}", "'rates.input' must be a string"},
        {LX_SCHEMA_PriceSet, "{\"rates\":{\"output\":null}}", "'rates.output' must be a string"},
        {LX_SCHEMA_PriceSet, "{\"rates\":{\"Input\":\"1\"}}", "no 'Input'; there are: input|"},
        {LX_SCHEMA_PriceSet, "{\"rates\":{\"input\":\"1\",\"input\":\"1\"}}", "twice"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct llmgr_error err = {0};
        json_t *body = NULL;
        llmgr_status status = lx_schema_read(CASES[i].schema, lb_cstr(CASES[i].text), &body, &err);
        if (status != LLMGR_ERR_INVALID || strstr(err.message, CASES[i].says) == NULL)
            fail_msg("%s: %s: %s", CASES[i].text, llmgr_status_name(status), err.message);
        assert_null(body);
    }
}

static void sizes_and_depths_are_limited(void **state)
{
    static char text[LX_BODY_MAX + 100];
    struct llmgr_error err = {0};
    json_t *body = NULL;
    (void)state;

    memset(text, ' ', sizeof text);
    assert_int_equal(lx_schema_read(LX_SCHEMA_TokenAdd, lb_str(text, LX_BODY_MAX + 1), &body, &err),
                     LLMGR_ERR_TOO_LARGE);
    for (int levels = LX_DEPTH_MAX - 1; levels <= LX_DEPTH_MAX; levels++) {
        size_t at = (size_t)snprintf(text, sizeof text, "{\"name\":\"[[[\\\"[\",\"prefix\":");
        memset(text + at, '[', (size_t)levels);
        memset(text + at + levels, ']', (size_t)levels);
        text[at + 2 * (size_t)levels] = '}';
        assert_int_equal(lx_schema_read(LX_SCHEMA_TokenAdd,
                                        lb_str(text, at + 2 * (size_t)levels + 1), &body, &err),
                         LLMGR_ERR_INVALID);
        bool deep = strstr(err.message, "deeper") != NULL;
        assert_true(deep == (levels == LX_DEPTH_MAX));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_what_its_schema_says),
        cmocka_unit_test(a_body_that_is_not_is_refused_by_member),
        cmocka_unit_test(sizes_and_depths_are_limited),
    };

    return cmocka_run_group_tests_name("documents/read", tests, NULL, NULL);
}
