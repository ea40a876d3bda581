/* SPDX-License-Identifier: MIT */
#include "fixture.h"

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

static struct llmgr_change *last; /* what the last sync() reported */
static size_t last_count;

#define RUN(w, rows) run((w), (rows), sizeof(rows) / sizeof *(rows), false)
#define DRY(w, rows) run((w), (rows), sizeof(rows) / sizeof *(rows), true)
static void run(struct fixture *w, const struct conf *rows, size_t count, bool dry_run)
{
    last = NULL;
    last_count = 0;
    WANT(LLMGR_OK, fixture_try_sync(w, rows, count, dry_run, &last, &last_count));
}

static void want_change(size_t at, llmgr_change_action action, const char *platform,
                        const char *display, const char *detail)
{
    assert_true(at < last_count);
    assert_int_equal(last[at].action, action);
    assert_string_equal(last[at].platform_name, platform);
    assert_string_equal(last[at].display_name != NULL ? last[at].display_name : "-",
                        display != NULL ? display : "-");
    assert_string_equal(last[at].detail != NULL ? last[at].detail : "-",
                        detail != NULL ? detail : "-");
}

static int64_t revision(struct fixture *w)
{
    return db_number(&w->db, "SELECT COALESCE(MAX(revision), 0) FROM llm_changes");
}

#define A "https://a.example/v1"
#define B "https://b.example/v1"
#define C "https://c.example/v1"

static const struct conf TWO[] = {
    {"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN},
    {"Alpha", A, "sk-a", "Two", "m-2", "{\"x\":1}", LLMGR_MODEL_UNKNOWN},
    {"Beta", B, NULL, "Three", "m-3", NULL, LLMGR_MODEL_UNKNOWN},
};

static void what_is_new_is_added_in_order_and_reported(void **state)
{
    struct fixture *w = *state;

    RUN(w, TWO);
    assert_int_equal(last_count, 5);
    want_change(0, LLMGR_CHANGE_ADD, "Alpha", NULL, NULL);
    want_change(1, LLMGR_CHANGE_ADD, "Alpha", "One", NULL);
    want_change(2, LLMGR_CHANGE_ADD, "Alpha", "Two", NULL);
    want_change(3, LLMGR_CHANGE_ADD, "Beta", NULL, NULL);
    want_change(4, LLMGR_CHANGE_ADD, "Beta", "Three", NULL);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, platform_id(w, "Alpha"), "-1", "sk-a"));
    assert_int_equal(db_number(&w->db, "SELECT position FROM llm_platforms WHERE name = 'Beta'"),
                     1);
}

static void a_second_run_reports_and_writes_nothing(void **state)
{
    struct fixture *w = *state;

    RUN(w, TWO);
    int64_t before = revision(w);
    RUN(w, TWO);
    assert_int_equal(last_count, 0);
    assert_int_equal(revision(w), before);
}

static void a_dry_run_reports_and_writes_nothing(void **state)
{
    struct fixture *w = *state;

    DRY(w, TWO);
    assert_int_equal(last_count, 5);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms"), 0);
    assert_int_equal(revision(w), 0);
}

static void a_new_name_at_the_same_address_keeps_id_keys_and_selections(void **state)
{
    struct fixture *w = *state;
    const struct conf renamed[] = {
        {"阿尔法", "https://A.example:443/v1/", "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN},
        {"阿尔法", "https://A.example:443/v1/", "sk-a", "Two", "m-2", "{ \"x\": 1 }",
         LLMGR_MODEL_UNKNOWN},
        {"Beta", B, NULL, "Three", "m-3", NULL, LLMGR_MODEL_UNKNOWN},
    };

    RUN(w, TWO);
    int64_t id = platform_id(w, "Alpha"), model = model_id(w, "Two");
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                       S("sk-ann"), &w->err));
    WANT(LLMGR_OK, lm_selection_save(w->manager, S("ann"), S("main"), id, model, &w->err));
    RUN(w, renamed);
    assert_int_equal(last_count, 1);
    want_change(0, LLMGR_CHANGE_UPDATE, "阿尔法", NULL, "name, base_url");
    assert_int_equal(platform_id(w, "阿尔法"), id);
    assert_int_equal(model_id(w, "Two"), model);
    assert_true(key_is(w, LK_KEY_OF_USER, id, "ann", "sk-ann"));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-a"));
}

static void a_kind_that_comes_changes_or_goes_is_reported(void **state)
{
    struct fixture *w = *state;
    const struct conf embeds[] = {
        {"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_EMBEDDING},
        {"Alpha", A, "sk-a", "Two", "m-2", "{\"x\":1}", LLMGR_MODEL_UNKNOWN},
        {"Beta", B, NULL, "Three", "m-3", NULL, LLMGR_MODEL_UNKNOWN},
    };
    const struct conf reranks[] = {
        {"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_RERANK},
        {"Alpha", A, "sk-a", "Two", "m-2", "{\"x\":1}", LLMGR_MODEL_UNKNOWN},
        {"Beta", B, NULL, "Three", "m-3", NULL, LLMGR_MODEL_CHAT},
        {"Beta", B, NULL, "Four", "m-4", NULL, LLMGR_MODEL_IMAGE},
    };

    RUN(w, TWO);
    RUN(w, embeds);
    assert_int_equal(last_count, 1);
    want_change(0, LLMGR_CHANGE_UPDATE, "Alpha", "One", "kind");
    RUN(w, embeds);
    assert_int_equal(last_count, 0);
    RUN(w, reranks);
    assert_int_equal(last_count, 3);
    want_change(0, LLMGR_CHANGE_UPDATE, "Alpha", "One", "kind");
    want_change(1, LLMGR_CHANGE_UPDATE, "Beta", "Three", "kind");
    want_change(2, LLMGR_CHANGE_ADD, "Beta", "Four", NULL);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE kind = "
                                       "'image' OR kind = 'rerank' OR kind = 'chat'"),
                     3);
    RUN(w, TWO);
    assert_int_equal(last_count, 3);
    assert_int_equal(
        db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models WHERE kind IS NOT NULL"), 0);
}

static void
a_new_address_under_the_same_name_keeps_the_id_but_no_key_of_the_old_origin(void **state)
{
    struct fixture *w = *state;
    const struct conf moved[] = {{"Alpha", C, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN}};
    const struct conf home[] = {{"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN}};

    RUN(w, home);
    int64_t id = platform_id(w, "Alpha");
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                       S("sk-ann"), &w->err));
    WANT(LLMGR_OK, lm_platform_learn_no_stream_options(w->manager, id, &w->err));
    RUN(w, moved);
    assert_int_equal(last_count, 1);
    want_change(0, LLMGR_CHANGE_UPDATE, "Alpha", NULL, "base_url, api_key");
    assert_int_equal(platform_id(w, "Alpha"), id);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-a"));
    assert_false(key_is(w, LK_KEY_OF_USER, id, "ann", "sk-ann"));
    assert_int_equal(db_number(&w->db, "SELECT no_stream_options FROM llm_platforms"), 0);
    /* The address comes back, and with it the user's key. */
    RUN(w, home);
    assert_true(key_is(w, LK_KEY_OF_USER, id, "ann", "sk-ann"));
}

static void names_and_addresses_may_be_swapped_and_rotated(void **state)
{
    struct fixture *w = *state;
    const struct conf before[] = {{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
                                  {"Q", B, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
                                  {"R", C, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN}};
    const struct conf after[] = {{"P", B, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
                                 {"Q", C, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
                                 {"R", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN}};

    RUN(w, before);
    int64_t p = platform_id(w, "P"), q = platform_id(w, "Q"), r = platform_id(w, "R");
    RUN(w, after);
    /* Rows follow their addresses, to which keys are bound. */
    assert_int_equal(platform_id(w, "R"), p);
    assert_int_equal(platform_id(w, "P"), q);
    assert_int_equal(platform_id(w, "Q"), r);
}

static void display_names_may_be_swapped(void **state)
{
    struct fixture *w = *state;
    const struct conf before[] = {{"P", A, NULL, "x", "m-1", NULL, LLMGR_MODEL_UNKNOWN},
                                  {"P", A, NULL, "y", "m-2", NULL, LLMGR_MODEL_UNKNOWN},
                                  {"P", A, NULL, "z", "m-3", NULL, LLMGR_MODEL_UNKNOWN}};
    const struct conf after[] = {{"P", A, NULL, "y", "m-1", NULL, LLMGR_MODEL_UNKNOWN},
                                 {"P", A, NULL, "x", "m-2", NULL, LLMGR_MODEL_UNKNOWN},
                                 {"P", A, NULL, "w", "m-3", NULL, LLMGR_MODEL_UNKNOWN}};

    RUN(w, before);
    int64_t x = model_id(w, "x"), y = model_id(w, "y"), z = model_id(w, "z");
    RUN(w, after);
    /* By display name first, as in the original: the model name is what changed. */
    assert_int_equal(model_id(w, "x"), x);
    assert_int_equal(model_id(w, "y"), y);
    assert_int_equal(model_id(w, "w"), z);
    assert_int_equal(last_count, 3);
    want_change(0, LLMGR_CHANGE_UPDATE, "P", "y", "model_name");
    want_change(1, LLMGR_CHANGE_UPDATE, "P", "x", "model_name, position");
    want_change(2, LLMGR_CHANGE_UPDATE, "P", "w", "display_name");
}

static void removed_entries_go_with_everything_that_hangs_on_them(void **state)
{
    struct fixture *w = *state;
    const struct conf rest[] = {{"Alpha", A, "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN}};

    RUN(w, TWO);
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")),
                                       platform_id(w, "Beta"), S("sk-ann"), &w->err));
    WANT(LLMGR_OK, lm_model_hide(w->manager, S("ann"), model_id(w, "Two"), true, &w->err));
    RUN(w, rest);
    assert_int_equal(last_count, 2);
    want_change(0, LLMGR_CHANGE_REMOVE, "Beta", NULL, NULL);
    want_change(1, LLMGR_CHANGE_REMOVE, "Alpha", "Two", NULL);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_sys_platform_keys"), 0);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_hidden_models"), 0);
    run(w, NULL, 0, false);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms"), 0);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platform_models"), 0);
}

static void the_freed_name_of_a_removed_platform_is_taken_over(void **state)
{
    struct fixture *w = *state;
    const struct conf before[] = {{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
                                  {"Q", B, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN}};
    const struct conf after[] = {{"P", B, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN}};

    RUN(w, before);
    int64_t q = platform_id(w, "Q");
    RUN(w, after);
    assert_int_equal(platform_id(w, "P"), q);
    want_change(0, LLMGR_CHANGE_REMOVE, "P", NULL, NULL);
    want_change(1, LLMGR_CHANGE_UPDATE, "P", NULL, "name");
}

static void the_server_key_follows_its_variable(void **state)
{
    struct fixture *w = *state;
    struct conf one[] = {{"Alpha", A, "sk-1", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN}};

    RUN(w, one);
    int64_t id = platform_id(w, "Alpha");
    one[0].api_key = "sk-2";
    RUN(w, one);
    want_change(0, LLMGR_CHANGE_UPDATE, "Alpha", NULL, "api_key");
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-2"));
    one[0].api_key = NULL;
    RUN(w, one);
    assert_int_equal(last_count, 1);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE api_key IS NULL"),
                     1);
    one[0].api_key = "{NOT_FILLED}";
    RUN(w, one);
    assert_int_equal(last_count, 0);
    one[0].api_key = "sk CANARY";
    struct llmgr_change *changes;
    size_t count;
    WANT(LLMGR_ERR_CONFIG, fixture_try_sync(w, one, 1, false, &changes, &count));
    assert_null(strstr(w->err.message, "CANARY"));
    assert_non_null(strstr(w->err.message, "llmgr.yaml:1: 'Alpha'"));
}

static void a_platform_without_address_waits_for_its_variable(void **state)
{
    struct fixture *w = *state;
    struct conf one[] = {{"Alpha", NULL, "sk-1", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN}};

    RUN(w, one);
    int64_t id = platform_id(w, "Alpha");
    WANT(LLMGR_ERR_CONFIG, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                               S("sk-ann"), &w->err));
    RUN(w, one);
    assert_int_equal(last_count, 0);
    one[0].base_url = A;
    RUN(w, one);
    assert_int_equal(platform_id(w, "Alpha"), id);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "-1", "sk-1"));
}

static void extra_body_is_compared_by_what_it_says(void **state)
{
    struct fixture *w = *state;
    struct conf one[] = {
        {"Alpha", A, NULL, "One", "m-1", "{\"a\":1,\"b\":{\"c\":2}}", LLMGR_MODEL_UNKNOWN}};

    RUN(w, one);
    one[0].extra_body = "{\"b\": {\"c\": 2}, \"a\": 1}";
    DRY(w, one);
    assert_int_equal(last_count, 0);
    one[0].extra_body = "{\"a\":2}";
    RUN(w, one);
    want_change(0, LLMGR_CHANGE_UPDATE, "Alpha", "One", "extra_body");
    one[0].extra_body = NULL;
    RUN(w, one);
    want_change(0, LLMGR_CHANGE_UPDATE, "Alpha", "One", "extra_body");
}

static void two_models_may_share_a_model_name(void **state)
{
    struct fixture *w = *state;
    const struct conf both[] = {
        {"Alpha", A, NULL, "Fast", "m", NULL, LLMGR_MODEL_UNKNOWN},
        {"Alpha", A, NULL, "Deep", "m", "{\"think\":true}", LLMGR_MODEL_UNKNOWN}};
    const struct conf renamed[] = {
        {"Alpha", A, NULL, "Fast", "m", NULL, LLMGR_MODEL_UNKNOWN},
        {"Alpha", A, NULL, "Deeper", "m", "{\"think\":true}", LLMGR_MODEL_UNKNOWN}};

    RUN(w, both);
    int64_t fast = model_id(w, "Fast"), deep = model_id(w, "Deep");
    RUN(w, renamed);
    assert_int_equal(model_id(w, "Fast"), fast);
    assert_int_equal(model_id(w, "Deeper"), deep);
    want_change(0, LLMGR_CHANGE_UPDATE, "Alpha", "Deeper", "display_name");
    assert_int_equal(last_count, 1);
}

static void mistakes_in_the_file_change_nothing(void **state)
{
    struct fixture *w = *state;
    const struct {
        struct conf rows[2];
        const char *text;
    } bad[] = {
        {{{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
          {"Q", "https://A.example:443/v1/", NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN}},
         "'Q' has the address of 'P' (line 1)"},
        {{{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
          {"Q", "a.example", NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN}},
         "'Q'"},
        {{{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
          {"Q", "http://127.1/", NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN}},
         "'Q'"},
        {{{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
          {"P", A, NULL, "x", "n", NULL, LLMGR_MODEL_UNKNOWN}},
         "'x'"},
        {{{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
          {"Q", B, NULL, "y", "m", "[1]", LLMGR_MODEL_UNKNOWN}},
         "'y'"},
        {{{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
          {"Q", B, NULL, "y", "", NULL, LLMGR_MODEL_UNKNOWN}},
         "'y'"},
        {{{"P", A, NULL, "x", "m", NULL, LLMGR_MODEL_UNKNOWN},
          {"", B, NULL, "y", "m", NULL, LLMGR_MODEL_UNKNOWN}},
         "platform name"},
    };

    RUN(w, TWO);
    int64_t before = revision(w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct llmgr_change *changes;
        size_t count;
        WANT(LLMGR_ERR_CONFIG, fixture_try_sync(w, bad[i].rows, 2, false, &changes, &count));
        if (strstr(w->err.message, bad[i].text) == NULL)
            fail_msg("%s does not say %s", w->err.message, bad[i].text);
        assert_non_null(strstr(w->err.message, "llmgr.yaml:"));
    }
    assert_int_equal(revision(w), before);
    RUN(w, TWO);
    assert_int_equal(last_count, 0);
}

static void a_private_platform_survives_a_system_platform_of_its_name_and_address(void **state)
{
    struct fixture *w = *state;
    int64_t id, model;

    WANT(LLMGR_OK,
         lm_platform_add(w->manager, S("ann"), S("Alpha"), S(A), S("sk-mine"), &id, &w->err));
    WANT(LLMGR_OK, lm_model_add(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                MODEL("m-1", "One", ""), &model, &w->err));
    RUN(w, TWO);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE name = 'Alpha'"),
                     2);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-mine"));
}

static void without_a_list_nothing_is_touched(void **state)
{
    struct fixture *w = *state;
    struct lm_defaults none = {.file = "llmgr.yaml"};
    llmgr_sync_state sync_state;

    RUN(w, TWO);
    WANT(LLMGR_OK, lm_sync(w->manager, &none, false, NULL, &w->arena, &last, &last_count, &w->err));
    assert_int_equal(last_count, 0);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms"), 2);
    WANT(LLMGR_OK, lm_sync_check(w->manager, &none, &sync_state, &w->err));
    assert_int_equal(sync_state, LLMGR_SYNC_CURRENT);
}

static llmgr_sync_state check(struct fixture *w, const struct conf *rows, size_t count)
{
    static struct conf_list list;
    llmgr_sync_state sync_state;

    conf_fill(&list, rows, count);
    WANT(LLMGR_OK, lm_sync_check(w->manager, &list.defaults, &sync_state, &w->err));
    return sync_state;
}

static void the_check_tells_never_current_and_stale(void **state)
{
    struct fixture *w = *state;
    struct conf other[3];

    memcpy(other, TWO, sizeof other);
    assert_int_equal(check(w, TWO, 3), LLMGR_SYNC_NEVER);
    RUN(w, TWO);
    assert_int_equal(check(w, TWO, 3), LLMGR_SYNC_CURRENT);
    other[0].api_key = other[1].api_key = "sk-other";
    assert_int_equal(check(w, other, 3), LLMGR_SYNC_CURRENT);
    other[2].model_name = "m-4";
    assert_int_equal(check(w, other, 3), LLMGR_SYNC_STALE);
    assert_int_equal(check(w, TWO, 2), LLMGR_SYNC_STALE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_new_is_added_in_order_and_reported),
        TEST(a_second_run_reports_and_writes_nothing),
        TEST(a_dry_run_reports_and_writes_nothing),
        TEST(a_kind_that_comes_changes_or_goes_is_reported),
        TEST(a_new_name_at_the_same_address_keeps_id_keys_and_selections),
        TEST(a_new_address_under_the_same_name_keeps_the_id_but_no_key_of_the_old_origin),
        TEST(names_and_addresses_may_be_swapped_and_rotated),
        TEST(display_names_may_be_swapped),
        TEST(removed_entries_go_with_everything_that_hangs_on_them),
        TEST(the_freed_name_of_a_removed_platform_is_taken_over),
        TEST(the_server_key_follows_its_variable),
        TEST(a_platform_without_address_waits_for_its_variable),
        TEST(extra_body_is_compared_by_what_it_says),
        TEST(two_models_may_share_a_model_name),
        TEST(mistakes_in_the_file_change_nothing),
        TEST(a_private_platform_survives_a_system_platform_of_its_name_and_address),
        TEST(without_a_list_nothing_is_touched),
        TEST(the_check_tells_never_current_and_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
