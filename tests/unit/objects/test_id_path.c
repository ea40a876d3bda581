/* SPDX-License-Identifier: MIT */
/* Which paths lead to what a platform keeps for one request. */
#include "objects/id_path.h"

#include "../unit.h"

static void the_ids_segment_is_found_where_there_is_one(void **state)
{
    static const struct {
        enum lh_method method;
        const char *path;
        const char *id; /* NULL: there is no such path; "": it has no id */
    } CASES[] = {
        {LH_METHOD_GET, "/responses/resp_1", "resp_1"},
        {LH_METHOD_HEAD, "/responses/resp_1", "resp_1"},
        {LH_METHOD_DELETE, "/responses/resp_1?a=/b", "resp_1"},
        {LH_METHOD_POST, "/responses/resp_1", NULL},
        {LH_METHOD_POST, "/responses/resp_1/cancel", "resp_1"},
        {LH_METHOD_POST, "/responses/resp_1/cancel/", NULL},
        {LH_METHOD_POST, "/responses/compact", ""},
        {LH_METHOD_GET, "/responses", NULL},
        {LH_METHOD_GET, "/responses/a/b", NULL},
        {LH_METHOD_GET, "/chat/completions", NULL},
        {LH_METHOD_POST, "/chat/completions/c1", "c1"},
        {LH_METHOD_GET, "/chat/completions/c1/messages", "c1"},
        {LH_METHOD_POST, "/conversations/conv/items", ""},
        {LH_METHOD_GET, "/conversations/conv/items/it", "it"},
        {LH_METHOD_DELETE, "/conversations/conv", NULL},
    };
    struct lb_str id;

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        bool there = lf_id_path(CASES[i].method, lb_cstr(CASES[i].path), &id);
        if (there != (CASES[i].id != NULL) ||
            !lb_str_eq_c(id, CASES[i].id != NULL ? CASES[i].id : ""))
            fail_msg("%s: %d '%.*s'", CASES[i].path, there, (int)id.size, id.p);
    }
}

static void only_conversations_that_stay_have_items(void **state)
{
    (void)state;
    assert_true(lf_id_path_has_items(LH_METHOD_GET, LB_STR("/conversations/c/items")));
    assert_true(lf_id_path_has_items(LH_METHOD_GET, LB_STR("/conversations/c/items/i")));
    assert_false(lf_id_path_has_items(LH_METHOD_DELETE, LB_STR("/conversations/c/items/i")));
    assert_false(lf_id_path_has_items(LH_METHOD_GET, LB_STR("/conversations/c")));
    assert_false(lf_id_path_has_items(LH_METHOD_GET, LB_STR("/responses/r")));
}

static void a_kind_is_told_by_its_id_or_by_the_table(void **state)
{
    (void)state;
    for (int kind = 0; kind < LD_REF_KIND_COUNT; kind++)
        assert_int_equal(lf_id_is_signed((enum ld_ref_kind)kind),
                         kind == LD_REF_RESPONSE || kind == LD_REF_ITEM ||
                             kind == LD_REF_CHAT_COMPLETION);
    assert_true(lf_id_path_is_ours(LB_STR("/responses/any")));
    assert_true(lf_id_path_is_ours(LB_STR("/chat/completions/any")));
    assert_false(lf_id_path_is_ours(LB_STR("/conversations/c/items")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ids_segment_is_found_where_there_is_one),
        cmocka_unit_test(only_conversations_that_stay_have_items),
        cmocka_unit_test(a_kind_is_told_by_its_id_or_by_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
