/* SPDX-License-Identifier: MIT */
/* The tables agree with each other, and what comes in is judged by them. */
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "gateway/openapi.h"
#include "gateway/route.h"
#include "management/schema.h"

/* ---- The tables ------------------------------------------------------------------------------ */

static void each_documented_route_has_its_operation_and_the_other_way_round(void **state)
{
    size_t route_count, documented = 0;
    const struct lg_route *routes = lg_routes(&route_count);
    (void)state;

    for (size_t i = 0; i < route_count; i++) {
        if (routes[i].tag == NULL)
            continue;
        documented++;
        if (lp_operation_find(routes[i].operation) == NULL)
            fail_msg("operations.def has no row %s", routes[i].operation);
        for (size_t k = 0; k < i; k++)
            if (routes[k].tag != NULL && strcmp(routes[k].operation, routes[i].operation) == 0)
                fail_msg("%s stands twice in routes.def", routes[i].operation);
    }
    assert_int_equal(documented, LP_OPERATION_COUNT);
}

static void members_stand_behind_their_schema_and_refer_to_schemas(void **state)
{
    (void)state;

    for (int id = 1; id < LX_SCHEMA_COUNT; id++) {
        struct lx_schema schema = lx_schema((enum lx_schema_id)id);
        assert_true(schema.count > 0);
        for (size_t i = 0; i < schema.count; i++) {
            const struct lx_member *member = &schema.members[i];
            bool refers = member->type == LX_TYPE_ONE || member->type == LX_TYPE_LIST;
            bool found = false;
            for (int k = 1; k < LX_SCHEMA_COUNT && refers; k++)
                found = found || strcmp(lx_schema((enum lx_schema_id)k).name, member->detail) == 0;
            if (refers && !found)
                fail_msg("%s.%s refers to %s", schema.name, member->name, member->detail);
            for (size_t k = 0; k < i; k++)
                assert_string_not_equal(schema.members[k].name, member->name);
        }
    }
}

static void the_document_is_json(void **state)
{
    struct lb_host host;
    struct lb_buf out;
    size_t count;
    const struct lg_route *routes = lg_routes(&count);
    (void)state;

    lb_host_init(&host);
    lb_buf_init(&out, &host, 1 << 20);
    lg_openapi_write(routes, count, &out);
    json_t *document = json_loads(lb_buf_c(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    assert_int_equal(
        json_object_size(json_object_get(json_object_get(document, "components"), "schemas")),
        LX_SCHEMA_COUNT - 1);
    json_decref(document);
    lb_buf_free(&out);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

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
    static char text[LP_API_BODY_MAX + 100];
    struct llmgr_error err = {0};
    json_t *body = NULL;
    (void)state;

    memset(text, ' ', sizeof text);
    assert_int_equal(
        lx_schema_read(LX_SCHEMA_TokenAdd, lb_str(text, LP_API_BODY_MAX + 1), &body, &err),
        LLMGR_ERR_TOO_LARGE);
    for (int levels = LP_API_DEPTH_MAX - 1; levels <= LP_API_DEPTH_MAX; levels++) {
        size_t at = (size_t)snprintf(text, sizeof text, "{\"name\":\"[[[\\\"[\",\"prefix\":");
        memset(text + at, '[', (size_t)levels);
        memset(text + at + levels, ']', (size_t)levels);
        text[at + 2 * (size_t)levels] = '}';
        assert_int_equal(lx_schema_read(LX_SCHEMA_TokenAdd,
                                        lb_str(text, at + 2 * (size_t)levels + 1), &body, &err),
                         LLMGR_ERR_INVALID);
        bool deep = strstr(err.message, "deeper") != NULL;
        assert_true(deep == (levels == LP_API_DEPTH_MAX));
    }
}

/* ---- Queries --------------------------------------------------------------------------------- */

static llmgr_status read_query(const char *text, unsigned allowed, struct lb_arena *arena,
                               struct lb_str *values, struct llmgr_error *err)
{
    memset(values, 0, LP_QUERY_COUNT * sizeof *values);
    return lp_queries_read(lb_cstr(text), allowed, arena, values, err);
}

static void queries_are_decoded_and_judged(void **state)
{
    struct lb_str values[LP_QUERY_COUNT];
    struct llmgr_error err = {0};
    struct lb_arena arena;
    struct lb_host host;
    (void)state;

    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 1 << 16);
    assert_int_equal(read_query("&user=a%2Fb+%E6%A8%A1&limit=3&", LP_Q_PAGE, &arena, values, &err),
                     LLMGR_OK);
    assert_string_equal(values[LP_QUERY_USER].p, "a/b 模");
    assert_string_equal(values[LP_QUERY_LIMIT].p, "3");
    assert_null(values[LP_QUERY_AFTER].p);
    static const char *const BAD[] = {
        "user=a&user=b", "user=", "user", "by=day",   "user=%0", "user=%zz",
        "user=%ff",      "x=1",   "=1",   "user=%00", "%75ser=", "limit=1;after=2"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        llmgr_status status = read_query(BAD[i], LP_Q(USER), &arena, values, &err);
        if (status != LLMGR_ERR_INVALID)
            fail_msg("%s: %s", BAD[i], llmgr_status_name(status));
    }
    assert_int_equal(read_query("%75ser=x", LP_Q(USER), &arena, values, &err), LLMGR_OK);
    lb_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_documented_route_has_its_operation_and_the_other_way_round),
        cmocka_unit_test(members_stand_behind_their_schema_and_refer_to_schemas),
        cmocka_unit_test(the_document_is_json),
        cmocka_unit_test(a_body_is_what_its_schema_says),
        cmocka_unit_test(a_body_that_is_not_is_refused_by_member),
        cmocka_unit_test(sizes_and_depths_are_limited),
        cmocka_unit_test(queries_are_decoded_and_judged),
    };

    return cmocka_run_group_tests_name("management/schema", tests, NULL, NULL);
}
