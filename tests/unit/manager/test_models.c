/* SPDX-License-Identifier: MIT */
/* Models, their hides, and selections. */
#include "fixture.h"

static const struct conf SYSTEM[] = {
    {"Alpha", "https://alpha.example/v1", "sk-alpha", "Alpha One", "a-1", NULL,
     LLMGR_MODEL_UNKNOWN},
    {"Alpha", "https://alpha.example/v1", "sk-alpha", "Alpha Two", "a-2", NULL,
     LLMGR_MODEL_UNKNOWN},
    {"Beta", "https://beta.example/v1", NULL, "Beta One", "b-1", NULL, LLMGR_MODEL_UNKNOWN},
};

static int64_t ann_platform;
static int64_t bob_platform;

static int64_t add_platform(struct fixture *w, const char *user, const char *name, const char *url)
{
    int64_t id = 0;

    WANT(LLMGR_OK, lm_platform_add(w->manager, lb_cstr(user), lb_cstr(name), lb_cstr(url), S(""),
                                   &id, &w->err));
    return id;
}

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    struct fixture *w = &fixture;
    SYNC(w, SYSTEM);
    ann_platform = add_platform(w, "ann", "Mine", "https://mine.example/v1");
    bob_platform = add_platform(w, "bob", "Bobs", "https://mine.example/v1");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

static llmgr_status try_add(struct fixture *w, int64_t platform, const char *name,
                            const char *display, const char *extra, int64_t *id)
{
    return lm_model_add(w->manager, lm_actor_of(w->manager, S("ann")), platform,
                        MODEL(name, display, extra), id, &w->err);
}

static int64_t add(struct fixture *w, int64_t platform, const char *name, const char *display)
{
    int64_t id = 0;

    WANT(LLMGR_OK, try_add(w, platform, name, display, NULL, &id));
    return id;
}

static void a_model_is_displayed_by_its_name_unless_told_otherwise(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, ann_platform, "qwen", NULL);

    assert_int_equal(model_id(w, "qwen"), id);
    WANT(LLMGR_OK, try_add(w, ann_platform, "glm", "GLM", "{\"a\": 1}", &id));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE "
                                       "display_name = 'GLM' AND extra_body = '{\"a\":1}'"),
                     1);
    WANT(LLMGR_OK, try_add(w, ann_platform, "none", "None", "{}", &id));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE "
                                       "display_name = 'None' AND extra_body IS NULL"),
                     1);
}

static void model_names_are_unique_in_a_platform_and_display_names_over_all_of_a_users(void **state)
{
    struct fixture *w = *state;
    int64_t other = add_platform(w, "ann", "Other", "https://other.example"), id = -7;

    add(w, ann_platform, "m", "M");
    WANT(LLMGR_ERR_CONFLICT, try_add(w, ann_platform, "m", "M2", NULL, &id));
    WANT(LLMGR_ERR_CONFLICT, try_add(w, ann_platform, "m2", "M", NULL, &id));
    WANT(LLMGR_ERR_CONFLICT, try_add(w, other, "m2", "M", NULL, &id));
    assert_non_null(strstr(w->err.message, "Mine"));
    assert_int_equal(id, -7);
    add(w, other, "m", "M3");
    /* Neither a system model nor another user's stands in the way. */
    add(w, other, "x", "Alpha One");
    WANT(LLMGR_OK, lm_model_add(w->manager, lm_actor_of(w->manager, S("bob")), bob_platform,
                                MODEL("m", "M", ""), &id, &w->err));
}

static void adding_needs_an_own_platform_in_custom_mode(void **state)
{
    struct fixture *w = *state;
    int64_t id = -7;

    WANT(LLMGR_ERR_FORBIDDEN, try_add(w, platform_id(w, "Alpha"), "m", NULL, NULL, &id));
    WANT(LLMGR_ERR_NOT_FOUND, try_add(w, bob_platform, "m", NULL, NULL, &id));
    WANT(LLMGR_ERR_NOT_FOUND, try_add(w, 999999, "m", NULL, NULL, &id));
    WANT(LLMGR_ERR_INVALID, try_add(w, ann_platform, "", NULL, NULL, &id));
    WANT(LLMGR_ERR_INVALID, try_add(w, ann_platform, "m", "", NULL, &id));
    WANT(LLMGR_ERR_INVALID, try_add(w, ann_platform, "m", NULL, "[1]", &id));
    fixture_mode(w, LLMGR_MODE_FIXED);
    WANT(LLMGR_ERR_MODE, try_add(w, ann_platform, "m", NULL, NULL, &id));
    assert_int_equal(id, -7);
}

static void a_platform_has_a_bounded_number_of_models(void **state)
{
    struct fixture *w = *state;
    char sql[400];
    int64_t id;

    /* Planted in one go: a thousand transactions would only take time. */
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
             "INSERT INTO llm_platform_models (platform_id, model_name, display_name) "
             "SELECT %lld, 'm' || i, 'm' || i FROM n",
             LM_MODELS_PER_PLATFORM, (long long)ann_platform);
    db_sql(&w->db, sql);
    WANT(LLMGR_ERR_TOO_LARGE, try_add(w, ann_platform, "more", NULL, NULL, &id));
    WANT(LLMGR_OK, lm_model_delete(w->manager, lm_actor_of(w->manager, S("ann")), model_id(w, "m1"),
                                   &w->err));
    add(w, ann_platform, "more", NULL);
}

static void updating_changes_what_is_given_and_nothing_else(void **state)
{
    struct fixture *w = *state;
    int64_t id;

    WANT(LLMGR_OK, try_add(w, ann_platform, "m", "M", "{\"a\":1}", &id));
    add(w, ann_platform, "n", "N");
    WANT(LLMGR_OK, lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                   MODEL(NULL, "New", NULL), &w->err));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE "
                                       "display_name = 'New' AND extra_body = '{\"a\":1}'"),
                     1);
    WANT(LLMGR_OK, lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                   MODEL(NULL, "New", "{\"b\":2}"), &w->err));
    WANT(LLMGR_OK, lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                   MODEL(NULL, NULL, "{}"), &w->err));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE "
                                       "display_name = 'New' AND extra_body IS NULL"),
                     1);
    WANT(LLMGR_ERR_INVALID, lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                            MODEL(NULL, NULL, NULL), &w->err));
    WANT(LLMGR_ERR_INVALID, lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                            MODEL(NULL, "", NULL), &w->err));
    WANT(LLMGR_ERR_INVALID, lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                            MODEL(NULL, NULL, "1"), &w->err));
    WANT(LLMGR_ERR_CONFLICT, lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                             MODEL(NULL, "N", NULL), &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lm_model_update(w->manager, lm_actor_of(w->manager, S("bob")), id,
                                              MODEL(NULL, "X", NULL), &w->err));
    WANT(LLMGR_ERR_FORBIDDEN,
         lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), model_id(w, "Alpha One"),
                         MODEL(NULL, "X", NULL), &w->err));
}

static llmgr_status try_numbers(struct fixture *w, int64_t id, int kind, int64_t context,
                                int64_t max_output)
{
    return lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), id,
                           MODEL_NUMBERS(NULL, kind, context, max_output), &w->err);
}

static void a_kind_is_stored_by_its_name_and_changed_alone(void **state)
{
    struct fixture *w = *state;
    const int none = LLMGR_MODEL_MODERATION + 1;
    const struct lm_actor ann = lm_actor_of(w->manager, S("ann"));
    struct lm_model_spec spec = *MODEL("m", "M", "{\"a\":1}");
    int64_t id;

    spec.kind = LLMGR_MODEL_EMBEDDING;
    WANT(LLMGR_OK, lm_model_add(w->manager, ann, ann_platform, &spec, &id, &w->err));
    assert_int_equal(
        db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE kind = 'embedding'"), 1);
    WANT(LLMGR_OK, lm_model_update(w->manager, ann, id, MODEL(NULL, "N", NULL), &w->err));
    WANT(LLMGR_OK, try_numbers(w, id, LLMGR_MODEL_RERANK, LLMGR_UNSET, LLMGR_UNSET));
    WANT(LLMGR_ERR_INVALID, try_numbers(w, id, none, LLMGR_UNSET, LLMGR_UNSET));
    WANT(LLMGR_ERR_FORBIDDEN,
         try_numbers(w, model_id(w, "Alpha One"), LLMGR_MODEL_RERANK, LLMGR_UNSET, LLMGR_UNSET));
    assert_int_equal(db_number(&w->db,
                               "SELECT COUNT(*) FROM llm_platform_models WHERE kind = "
                               "'rerank' AND display_name = 'N' AND extra_body IS NOT NULL"),
                     1);
    WANT(LLMGR_OK, lm_model_edit(w->manager, ann, id,
                                 MODEL_NUMBERS(NULL, LLMGR_MODEL_UNKNOWN, LLMGR_UNSET, LLMGR_UNSET),
                                 NULL, &w->err));
    assert_int_equal(
        db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE kind IS NOT NULL"), 0);
    WANT(LLMGR_ERR_INVALID,
         lm_model_add(w->manager, ann, ann_platform,
                      MODEL_NUMBERS("n", none, LLMGR_UNSET, LLMGR_UNSET), &id, &w->err));
}

static void tokens_are_stored_and_changed_each_alone_and_0_is_not_known(void **state)
{
    struct fixture *w = *state;
    const int64_t more = LLMGR_MODEL_TOKENS_MAX + INT64_C(1);
    const struct lm_actor ann = lm_actor_of(w->manager, S("ann"));
    int64_t id;

    WANT(LLMGR_OK, lm_model_add(w->manager, ann, ann_platform,
                                MODEL_NUMBERS("m", LLMGR_MODEL_CHAT, LLMGR_MODEL_TOKENS_MAX, 64000),
                                &id, &w->err));
    WANT(LLMGR_OK, try_numbers(w, id, LLMGR_UNSET, 200000, LLMGR_UNSET));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE kind = "
                                       "'chat' AND context_tokens = 200000 AND "
                                       "max_output_tokens = 64000"),
                     1);
    WANT(LLMGR_OK, try_numbers(w, id, LLMGR_UNSET, 0, LLMGR_UNSET));
    WANT(LLMGR_OK, try_numbers(w, id, LLMGR_UNSET, LLMGR_UNSET, 1));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE "
                                       "context_tokens IS NULL AND max_output_tokens = 1"),
                     1);
    WANT(LLMGR_ERR_INVALID, try_numbers(w, id, LLMGR_UNSET, more, LLMGR_UNSET));
    WANT(LLMGR_ERR_INVALID, try_numbers(w, id, LLMGR_UNSET, -2, LLMGR_UNSET));
    WANT(LLMGR_ERR_INVALID, try_numbers(w, id, LLMGR_UNSET, LLMGR_UNSET, more));
    WANT(LLMGR_ERR_INVALID, try_numbers(w, id, LLMGR_UNSET, LLMGR_UNSET, -2));
    WANT(LLMGR_ERR_FORBIDDEN,
         try_numbers(w, model_id(w, "Alpha One"), LLMGR_UNSET, 200000, LLMGR_UNSET));
    WANT(LLMGR_OK, lm_model_edit(w->manager, ann, id,
                                 MODEL_NUMBERS(NULL, LLMGR_UNSET, LLMGR_UNSET, 0), NULL, &w->err));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE "
                                       "max_output_tokens IS NOT NULL"),
                     0);
}

static void only_the_owner_deletes_a_model(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, ann_platform, "m", "M");

    WANT(LLMGR_ERR_NOT_FOUND,
         lm_model_delete(w->manager, lm_actor_of(w->manager, S("bob")), id, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lm_model_delete(w->manager, lm_actor_of(w->manager, S("ann")),
                                              model_id(w, "Alpha One"), &w->err));
    fixture_mode(w, LLMGR_MODE_FIXED);
    WANT(LLMGR_ERR_MODE,
         lm_model_delete(w->manager, lm_actor_of(w->manager, S("ann")), id, &w->err));
    fixture_mode(w, LLMGR_MODE_CUSTOM);
    WANT(LLMGR_OK, lm_model_delete(w->manager, lm_actor_of(w->manager, S("ann")), id, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND,
         lm_model_delete(w->manager, lm_actor_of(w->manager, S("ann")), id, &w->err));
}

static void any_visible_model_is_hidden_for_one_user_alone(void **state)
{
    struct fixture *w = *state;
    int64_t alpha = model_id(w, "Alpha One"), mine = add(w, ann_platform, "m", "M");

    WANT(LLMGR_OK, lm_model_hide(w->manager, S("ann"), alpha, true, &w->err));
    WANT(LLMGR_OK, lm_model_hide(w->manager, S("ann"), alpha, true, &w->err));
    WANT(LLMGR_OK, lm_model_hide(w->manager, S("ann"), mine, true, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lm_model_hide(w->manager, S("bob"), mine, true, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lm_model_hide(w->manager, S("bob"), 777777, true, &w->err));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_hidden_models"), 2);
    WANT(LLMGR_OK, lm_model_hide(w->manager, S("ann"), alpha, false, &w->err));
    WANT(LLMGR_OK, lm_model_hide(w->manager, S("ann"), alpha, false, &w->err));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_hidden_models"), 1);
}

/* ---- Selections ------------------------------------------------------------------------------ */

static llmgr_status save(struct fixture *w, const char *slot, int64_t platform, int64_t model)
{
    return lm_selection_save(w->manager, S("ann"), lb_cstr(slot), platform, model, &w->err);
}

static void a_choice_is_stored_per_slot_and_replaced(void **state)
{
    struct fixture *w = *state;
    int64_t alpha = platform_id(w, "Alpha"), mine = add(w, ann_platform, "m", "M");
    struct lb_str *slots = NULL;
    size_t count = 0;

    WANT(LLMGR_OK, lm_selection_slots(w->manager, S("ann"), &w->arena, &slots, &count, &w->err));
    assert_int_equal(count, 0);
    WANT(LLMGR_OK, save(w, NULL, alpha, model_id(w, "Alpha One")));
    WANT(LLMGR_OK, save(w, "快", ann_platform, mine));
    WANT(LLMGR_OK, save(w, "main", alpha, model_id(w, "Alpha Two")));
    WANT(LLMGR_OK, lm_selection_slots(w->manager, S("ann"), &w->arena, &slots, &count, &w->err));
    assert_int_equal(count, 2);
    assert_true(lb_str_eq_c(slots[0], "main"));
    assert_true(lb_str_eq_c(slots[1], "快"));
    assert_int_equal(db_number(&w->db, "SELECT selected_model_id FROM user_ai_configs WHERE "
                                       "slot = 'main' AND user_id = 'ann'"),
                     model_id(w, "Alpha Two"));
}

static void only_what_a_user_sees_can_be_chosen(void **state)
{
    struct fixture *w = *state;
    int64_t mine = add(w, ann_platform, "m", "M"), bobs;
    int64_t alpha = platform_id(w, "Alpha");

    WANT(LLMGR_OK, lm_model_add(w->manager, lm_actor_of(w->manager, S("bob")), bob_platform,
                                MODEL("m", "B", ""), &bobs, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, save(w, NULL, bob_platform, bobs));
    WANT(LLMGR_ERR_NOT_FOUND, save(w, NULL, alpha, bobs));
    WANT(LLMGR_ERR_NOT_FOUND, save(w, NULL, alpha, model_id(w, "Beta One")));
    WANT(LLMGR_ERR_NOT_FOUND, save(w, NULL, alpha, 99999));
    WANT(LLMGR_ERR_NOT_FOUND, save(w, NULL, 99999, mine));
    fixture_mode(w, LLMGR_MODE_FIXED);
    WANT(LLMGR_ERR_NOT_FOUND, save(w, NULL, ann_platform, mine));
    WANT(LLMGR_OK, save(w, NULL, alpha, model_id(w, "Alpha One")));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM user_ai_configs"), 1);
}

static void slots_are_named_and_counted(void **state)
{
    struct fixture *w = *state;
    int64_t alpha = platform_id(w, "Alpha"), model = model_id(w, "Alpha One");
    char slot[LM_SLOT_MAX + 2];

    memset(slot, 's', sizeof slot);
    slot[sizeof slot - 1] = '\0';
    WANT(LLMGR_ERR_INVALID, save(w, slot, alpha, model));
    WANT(LLMGR_ERR_INVALID, save(w, "", alpha, model));
    WANT(LLMGR_ERR_INVALID, save(w, " fast", alpha, model));
    WANT(LLMGR_ERR_INVALID, save(w, "fa\tst", alpha, model));
    for (int i = 0; i < LM_SLOTS_PER_USER; i++) {
        snprintf(slot, sizeof slot, "slot%d", i);
        WANT(LLMGR_OK, save(w, slot, alpha, model));
    }
    WANT(LLMGR_ERR_TOO_LARGE, save(w, "more", alpha, model));
    WANT(LLMGR_OK, save(w, "slot7", alpha, model));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_model_is_displayed_by_its_name_unless_told_otherwise),
        TEST(model_names_are_unique_in_a_platform_and_display_names_over_all_of_a_users),
        TEST(adding_needs_an_own_platform_in_custom_mode),
        TEST(a_platform_has_a_bounded_number_of_models),
        TEST(updating_changes_what_is_given_and_nothing_else),
        TEST(a_kind_is_stored_by_its_name_and_changed_alone),
        TEST(tokens_are_stored_and_changed_each_alone_and_0_is_not_known),
        TEST(tokens_are_stored_and_changed_each_alone_and_0_is_not_known),
        TEST(only_the_owner_deletes_a_model),
        TEST(any_visible_model_is_hidden_for_one_user_alone),
        TEST(a_choice_is_stored_per_slot_and_replaced),
        TEST(only_what_a_user_sees_can_be_chosen),
        TEST(slots_are_named_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
