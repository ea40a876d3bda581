/* SPDX-License-Identifier: MIT */
/* The tables agree with each other, and what comes in is judged by them. */
#include <jansson.h>
#include <string.h>

#include "../unit.h"
#include "paths/openapi.h"
#include "paths/route.h"
#include "management/schema.h"

/* ---- The tables ------------------------------------------------------------------------------ */

static void each_documented_route_has_its_operation_and_the_other_way_round(void **state)
{
    size_t route_count, documented = 0;
    const struct ly_route *routes = ly_routes(&route_count);
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

static void the_document_is_json_and_has_each_schema_that_is_shown(void **state)
{
    struct lb_host host;
    struct lb_buf out;
    size_t count;
    const struct ly_route *routes = ly_routes(&count);
    (void)state;

    lb_host_init(&host);
    lb_buf_init(&out, &host, 1 << 20);
    ly_openapi_write(routes, count, &out);
    json_t *document = json_loads(lb_buf_c(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    const json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    size_t shown = 0;
    for (int id = 1; id < LX_SCHEMA_COUNT; id++) {
        const struct lx_schema schema = lx_schema((enum lx_schema_id)id);
        assert_true(schema.shown == (json_object_get(schemas, schema.name) != NULL));
        shown += schema.shown;
    }
    assert_int_equal(json_object_size(schemas), shown);
    json_decref(document);
    lb_buf_free(&out);
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
        cmocka_unit_test(the_document_is_json_and_has_each_schema_that_is_shown),
        cmocka_unit_test(queries_are_decoded_and_judged),
    };

    return cmocka_run_group_tests_name("management/schema", tests, NULL, NULL);
}
