/* SPDX-License-Identifier: MIT */
/* What a request names, wherever it stands; and what names something in a shape that is no shape.
 */
#include "objects/names.h"

#include <stdio.h>

#include "../unit.h"

struct fixture {
    struct lb_host host;
    struct lb_arena arena;
    struct lf_names names;
    struct llmgr_error err;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.names = {.count = 0}};
    lb_host_init(&fixture.host);
    lb_arena_init(&fixture.arena, &fixture.host, NULL, 0, 1 << 20);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    lb_arena_free(&f->arena);
    return 0;
}

static const struct lf_native *row_of(enum lh_method method, const char *path)
{
    const struct lf_native *row;
    struct lb_str id;

    assert_int_equal(lf_native_judge(method, lb_cstr(path), LB_STR(""), &row, &id), LF_NATIVE_OPEN);
    return row;
}

static llmgr_status find(struct fixture *f, struct lf_naming from)
{
    from.host = &f->host;
    from.arena = &f->arena;
    return lf_names_find(&from, &f->names, &f->err);
}

static void want(const struct fixture *f, const char *const *ids, size_t count)
{
    assert_int_equal(f->names.count, count);
    for (size_t i = 0; i < count; i++) {
        if (!lb_str_eq_c(f->names.objects[i].id, ids[i]))
            fail_msg("%zu: '%.*s', not '%s'", i, (int)f->names.objects[i].id.size,
                     f->names.objects[i].id.p, ids[i]);
    }
}

static void path_body_and_query_are_gone_through_in_order_and_told_once(void **state)
{
    struct fixture *f = *state;
    static const char *const IDS[] = {"batch-1", "file-1", "file-2", "vs-1"};

    assert_int_equal(find(f,
                          (struct lf_naming){
                              .row = row_of(LH_METHOD_GET, "/batches/batch-1"),
                              .path_id = LB_STR("batch-1"),
                              .kind = LF_BODY_JSON,
                              .body = LB_STR("{\"a\":{\"file_ids\":[\"file-1\",\"file-2\"]},"
                                             "\"file_id\":\"file-1\"}"),
                              .query = LB_STR("limit=2&vector_store_id=vs%2D1&file_id=file-2"),
                          }),
                     LLMGR_OK);
    want(f, IDS, 4);
    assert_string_equal(f->names.objects[0].kind.p, "batch");
    assert_string_equal(f->names.objects[3].kind.p, "vector store");
}

static void our_own_model_and_ids_that_are_signed_are_passed_over_in_a_body(void **state)
{
    struct fixture *f = *state;
    const struct lb_str body = LB_STR("{\"model\":\"ft:m\",\"previous_response_id\":\"resp_1\"}");
    struct lf_naming from = {.kind = LF_BODY_JSON, .body = body, .model_at = 9};

    assert_int_equal(find(f, from), LLMGR_OK);
    assert_int_equal(f->names.count, 0);
    /* The same bytes in a shape that was not looked at before are nobody's to replace or open. */
    from.kind = LF_BODY_OTHER;
    assert_int_equal(find(f, from), LLMGR_ERR_NOT_FOUND);
}

static void what_belongs_to_nobody_is_told_like_what_is_anothers(void **state)
{
    struct fixture *f = *state;
    const struct lf_naming from = {.kind = LF_BODY_PAIRS,
                                   .body = LB_STR("previous_response_id=resp_1")};

    assert_int_equal(find(f, from), LLMGR_ERR_NOT_FOUND);
    assert_string_equal(f->err.message, "there is no response 'resp_1'");
}

static void a_batch_is_made_of_lines_that_were_looked_at(void **state)
{
    struct fixture *f = *state;
    const struct lf_native *row = row_of(LH_METHOD_POST, "/batches");
    const struct lf_naming from = {
        .row = row,
        .kind = LF_BODY_JSON,
        .body = LB_STR("{\"input_file_id\":\"file-1\",\"endpoint\":\"/v1/embeddings\"}"),
    };

    assert_true(lf_native_makes_batch(row));
    assert_int_equal(find(f, from), LLMGR_OK);
    assert_int_equal(f->names.count, 1);
    assert_true(f->names.objects[0].exact);
    assert_string_equal(f->names.objects[0].kind.p, LF_BATCH_FILE);
    struct lf_naming other = from;
    other.body = LB_STR("{\"input_file_id\":\"file-1\",\"endpoint\":\"/v1/files\"}");
    assert_int_equal(find(f, other), LLMGR_ERR_NOT_FOUND);
}

static void more_than_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    char body[LF_NAMES_MAX * 12 + 64];
    size_t size = (size_t)snprintf(body, sizeof body, "{\"file_ids\":[");

    for (int i = 0; i <= LF_NAMES_MAX; i++)
        size += (size_t)snprintf(body + size, sizeof body - size, "%s\"f%d\"", i > 0 ? "," : "", i);
    size += (size_t)snprintf(body + size, sizeof body - size, "]}");
    assert_int_equal(find(f, (struct lf_naming){.kind = LF_BODY_OTHER, .body = lb_str(body, size)}),
                     LLMGR_ERR_INVALID);
}

static void bytes_that_are_no_json_and_bad_escapes(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        find(f, (struct lf_naming){.kind = LF_BODY_OTHER, .body = LB_STR("\x89PNG {")}), LLMGR_OK);
    assert_int_equal(f->names.count, 0);
    assert_int_equal(
        find(f, (struct lf_naming){.kind = LF_BODY_PAIRS, .body = LB_STR("file_id=%zz")}),
        LLMGR_ERR_INVALID);
    assert_int_equal(
        find(f, (struct lf_naming){.kind = LF_BODY_PAIRS, .body = LB_STR("x=1;file_id=f1")}),
        LLMGR_OK);
    assert_int_equal(f->names.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(path_body_and_query_are_gone_through_in_order_and_told_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            our_own_model_and_ids_that_are_signed_are_passed_over_in_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_belongs_to_nobody_is_told_like_what_is_anothers,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_is_made_of_lines_that_were_looked_at, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(more_than_the_limit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_json_and_bad_escapes, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
