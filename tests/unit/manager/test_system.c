/* SPDX-License-Identifier: MIT */
/* System platforms and models that are made without llmgr.yaml: who may, and what a sync leaves. */
#include "fixture.h"

#include "manager/catalogue.h"
#include "manager/headers.h"
#include "manager/pools.h"

#define A "https://a.example/v1"
#define M "https://made.example/v1"

static const struct conf ALPHA[] = {
    {"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN},
};

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    SYNC(&fixture, ALPHA);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

#define OPERATOR(w) lm_actor_of((w)->manager, S(""))

static llmgr_status try_make(struct fixture *w, struct lm_actor actor, const char *name,
                             const char *url, int64_t *id)
{
    const struct lm_platform_edit wanted = {
        .name = lb_cstr(name), .base_url = lb_cstr(url), .api_key = S("sk-made")};

    w->err = (struct llmgr_error){0};
    return lm_system_platform_add(w->manager, actor, &wanted, id, &w->err);
}

/* The platform Made with the model Handmade. */
static int64_t make(struct fixture *w)
{
    int64_t id, model;

    WANT(LLMGR_OK, try_make(w, OPERATOR(w), "Made", M, &id));
    WANT(LLMGR_OK,
         lm_model_add(w->manager, OPERATOR(w), id, MODEL("m", "Handmade", ""), &model, &w->err));
    return id;
}

static void want_says(const struct fixture *w, const char *text)
{
    if (strstr(w->err.message, text) == NULL)
        fail_msg("'%s' says nothing of '%s'", w->err.message, text);
}

static void its_key_is_the_servers(void **state)
{
    struct fixture *w = *state;
    int64_t id = make(w), position;

    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-made"));
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, OPERATOR(w), id, S("sk-next"), &w->err));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-next"));
    WANT(LLMGR_OK, lm_pool_add(w->manager, OPERATOR(w), id, S("sk-more"), 1, lb_str(NULL, 0),
                               &position, &w->err));
    assert_int_equal(position, 2);
    /* A user's stands beside it, as beside every server's. */
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                       S("sk-ann"), &w->err));
    assert_true(key_is(w, LK_KEY_OF_USER, id, "ann", "sk-ann"));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-next"));
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, OPERATOR(w), id, S(""), &w->err));
    assert_false(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-next"));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_sys_platform_keys"
                                       " WHERE user_id = '-1'"),
                     0);
}

/* Whose rights are no operator's does nothing to it, whoever he is. */
static void nobody_else_changes_it(void **state)
{
    struct fixture *w = *state;
    int64_t id = make(w), model = model_id(w, "Handmade"), got;
    const struct lm_actor others[] = {{.user = S("ann")}, {.user = S(LLMGR_SYSTEM_USER)}};
    const struct lm_platform_edit edit = {.words = {.protocol = S("azure")}};

    for (size_t i = 0; i < 2; i++) {
        const struct lm_actor other = others[i];
        WANT(LLMGR_ERR_FORBIDDEN, try_make(w, other, "More", "https://more.example", &got));
        WANT(LLMGR_ERR_FORBIDDEN, lm_platform_rename(w->manager, other, id, S("N"), &w->err));
        WANT(LLMGR_ERR_FORBIDDEN, lm_platform_delete(w->manager, other, id, &w->err));
        WANT(LLMGR_ERR_FORBIDDEN,
             lm_platform_set_url(w->manager, other, id, S("https://n.example"), S(""), &w->err));
        WANT(LLMGR_ERR_FORBIDDEN, lm_platform_edit(w->manager, other, id, &edit, &w->err));
        WANT(LLMGR_ERR_FORBIDDEN,
             lm_platform_set_header(w->manager, other, id, S("X-Org"), S("a"), &w->err));
        WANT(LLMGR_ERR_FORBIDDEN,
             lm_model_add(w->manager, other, id, MODEL("n", "N", ""), &got, &w->err));
        WANT(LLMGR_ERR_FORBIDDEN,
             lm_model_update(w->manager, other, model, MODEL(NULL, "N", NULL), &w->err));
        WANT(LLMGR_ERR_FORBIDDEN, lm_model_delete(w->manager, other, model, &w->err));
    }
    WANT(LLMGR_ERR_FORBIDDEN,
         lm_platform_set_key(w->manager, others[1], id, S("sk-other"), &w->err));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-made"));
    assert_int_equal(platform_id(w, "Made"), id);
}

static void the_files_rows_are_changed_there_by_nobody_here(void **state)
{
    struct fixture *w = *state;
    int64_t id = platform_id(w, "Alpha"), model = model_id(w, "One"), extra;

    WANT(LLMGR_ERR_FORBIDDEN, lm_platform_rename(w->manager, OPERATOR(w), id, S("N"), &w->err));
    want_says(w, "'Alpha' is managed by llmgr.yaml");
    WANT(LLMGR_ERR_FORBIDDEN, lm_platform_delete(w->manager, OPERATOR(w), id, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lm_model_delete(w->manager, OPERATOR(w), model, &w->err));
    want_says(w, "'One' is managed by llmgr.yaml");
    WANT(LLMGR_OK,
         lm_model_add(w->manager, OPERATOR(w), id, MODEL("x", "Extra", ""), &extra, &w->err));
    WANT(LLMGR_OK,
         lm_model_update(w->manager, OPERATOR(w), extra, MODEL(NULL, "More", NULL), &w->err));
    WANT(LLMGR_ERR_CONFLICT,
         lm_model_update(w->manager, OPERATOR(w), extra, MODEL(NULL, "One", NULL), &w->err));
    WANT(LLMGR_OK, lm_model_delete(w->manager, OPERATOR(w), extra, &w->err));
    /* An own key of the system user stands beside the server's of a platform of the file. */
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, OPERATOR(w), id, S("sk-own"), &w->err));
    assert_true(key_is(w, LK_KEY_OF_USER, id, "-1", "sk-own"));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-a"));
}

static void a_sync_leaves_it_and_meets_no_name_of_it(void **state)
{
    struct fixture *w = *state;
    int64_t id = make(w), extra;
    struct llmgr_change *changes = NULL;
    size_t count = 0;
    const struct conf name[] = {{"Made", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN}};
    const struct conf address[] = {
        {"Other", "https://MADE.example:443/v1/", NULL, "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN}};
    const struct conf model[] = {{"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN},
                                 {"Alpha", A, "sk-a", "Extra", "m-2", NULL, LLMGR_MODEL_UNKNOWN}};
    const struct conf echo[] = {{"Alpha", A, "sk-a", "Uno", "m-2", NULL, LLMGR_MODEL_UNKNOWN}};

    WANT(LLMGR_OK, lm_model_add(w->manager, OPERATOR(w), platform_id(w, "Alpha"),
                                MODEL("m-2", "Extra", ""), &extra, &w->err));
    assert_int_equal(SYNC(w, ALPHA), 0);
    WANT(LLMGR_ERR_CONFIG, fixture_try_sync(w, name, 1, false, &changes, &count));
    want_says(w, "llmgr.yaml:1: 'Made': a platform of this name was made without the file");
    WANT(LLMGR_ERR_CONFIG, fixture_try_sync(w, address, 1, false, &changes, &count));
    want_says(w, "llmgr.yaml:1: 'Other' has the address of the platform 'Made'");
    WANT(LLMGR_ERR_CONFIG, fixture_try_sync(w, model, 2, true, &changes, &count));
    want_says(w, "llmgr.yaml:2: 'Extra': a model of this name");
    assert_int_equal(model_id(w, "One") > 0, 1);
    /* One that the file calls alike at the platform is another. */
    assert_int_equal(SYNC(w, echo), 2);
    assert_int_equal(model_id(w, "Extra"), extra);
    fixture_sync(w, NULL, 0);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms"), 1);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models"), 1);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-made"));
}

static void what_was_made_stands_behind_the_file_in_the_order_of_its_making(void **state)
{
    struct fixture *w = *state;
    const struct conf more[] = {
        {"Zeta", "https://z.example", NULL, NULL, NULL, NULL, LLMGR_MODEL_UNKNOWN},
        {"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN}};
    static const char *const ORDER[] = {"Zeta", "Alpha", "Made", "Aaa"};
    struct llmgr_platform *items;
    size_t count;
    int64_t id;

    make(w);
    WANT(LLMGR_OK, try_make(w, OPERATOR(w), "Aaa", "https://aaa.example", &id));
    SYNC(w, more);
    WANT(LLMGR_OK, lr_platforms(w->manager, S("ann"), NULL, &w->arena, &items, &count, &w->err));
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(items[i].platform_name, ORDER[i]);
        assert_string_equal(items[i].managed, i < 2 ? "file" : "database");
    }
}

static void what_does_not_fit_into_memory_is_refused_before_it_is_there(void **state)
{
    struct fixture *w = *state;
    struct llmgr_change *changes = NULL;
    size_t count = 0;
    int64_t id;
    char sql[512];

    snprintf(sql, sizeof sql,
             "INSERT INTO llm_platforms (user_id, name, is_sys, managed, position) WITH RECURSIVE"
             " n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT '-1',"
             " CAST(i AS TEXT), 1, 'database', 1000000 FROM n",
             LM_CATALOGUE_PLATFORMS_MAX - 1);
    db_sql(&w->db, sql);
    WANT(LLMGR_ERR_TOO_LARGE, try_make(w, OPERATOR(w), "Made", M, &id));
    want_says(w, "at most 10000");
    const struct conf two[] = {
        {"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN},
        {"Beta", "https://b.example", NULL, NULL, NULL, NULL, LLMGR_MODEL_UNKNOWN}};
    WANT(LLMGR_ERR_CONFIG, fixture_try_sync(w, two, 2, false, &changes, &count));
    want_says(w, "there would be 10001 system platforms");
    assert_int_equal(SYNC(w, ALPHA), 0);
}

static void deleting_takes_models_and_all_keys_along(void **state)
{
    struct fixture *w = *state;
    int64_t id = make(w), position;

    WANT(LLMGR_OK, lm_pool_add(w->manager, OPERATOR(w), id, S("sk-more"), 1, lb_str(NULL, 0),
                               &position, &w->err));
    WANT(LLMGR_OK,
         lm_platform_set_header(w->manager, OPERATOR(w), id, S("X-Org"), S("acme"), &w->err));
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                       S("sk-ann"), &w->err));
    WANT(LLMGR_OK,
         lm_selection_save(w->manager, S("ann"), S("main"), id, model_id(w, "Handmade"), &w->err));
    WANT(LLMGR_OK, lm_platform_delete(w->manager, OPERATOR(w), id, &w->err));
    assert_int_equal(db_number(&w->db, "SELECT (SELECT COUNT(*) FROM llm_platforms)"
                                       " + (SELECT COUNT(*) FROM llm_platform_models)"
                                       " + (SELECT COUNT(*) FROM llm_sys_platform_keys)"
                                       " + (SELECT COUNT(*) FROM llm_platform_keys)"),
                     2);
    WANT(LLMGR_ERR_NOT_FOUND, lm_platform_delete(w->manager, OPERATOR(w), id, &w->err));
}

static void words_are_brought_into_their_form_or_refused(void **state)
{
    struct fixture *w = *state;
    int64_t id = make(w);
    const struct lm_platform_edit good = {.words = {.protocol = S("gemini"),
                                                    .native_paths = S(" /a , GET  /b/{id},"),
                                                    .headers = S("X-Title,User-Agent,x-title")}};
    const struct lm_platform_edit none = {
        .words = {.protocol = S(""), .native_paths = S(" "), .headers = S("")}};
    const struct lm_platform_edit bad[] = {{.words = {.protocol = S("OpenAI")}},
                                           {.words = {.native_paths = S("a")}},
                                           {.words = {.native_paths = S("/a,,/b")}},
                                           {.words = {.headers = S("X Title")}},
                                           {.words = {.headers = S("authorization")}}};

    WANT(LLMGR_OK, lm_platform_edit(w->manager, OPERATOR(w), id, &good, &w->err));
    assert_int_equal(db_number(&w->db,
                               "SELECT COUNT(*) FROM llm_platforms WHERE protocol = 'gemini' AND"
                               " native_paths = 'POST /a, GET /b/{id}' AND headers ="
                               " 'x-title, user-agent'"),
                     1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        WANT(LLMGR_ERR_INVALID, lm_platform_edit(w->manager, OPERATOR(w), id, &bad[i], &w->err));
    WANT(LLMGR_OK, lm_platform_edit(w->manager, OPERATOR(w), id, &none, &w->err));
    assert_int_equal(
        db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE name = 'Made' AND protocol ="
                          " 'openai' AND native_paths IS NULL AND headers IS NULL"),
        1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(its_key_is_the_servers),
        TEST(nobody_else_changes_it),
        TEST(the_files_rows_are_changed_there_by_nobody_here),
        TEST(a_sync_leaves_it_and_meets_no_name_of_it),
        TEST(what_was_made_stands_behind_the_file_in_the_order_of_its_making),
        TEST(what_does_not_fit_into_memory_is_refused_before_it_is_there),
        TEST(deleting_takes_models_and_all_keys_along),
        TEST(words_are_brought_into_their_form_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
