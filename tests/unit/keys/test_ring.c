/* SPDX-License-Identifier: MIT */
/* The key ring: first keys, wrong master keys, other processes, moved records, legacy keys. */
#include "../manager/fixture.h"

#include "library/open.h"
#include "manager/manager.h"
#include "resolve/resolve.h"

#include <sys/wait.h>

static const struct conf SYSTEM[] = {
    {"Alpha", "https://alpha.example/v1", "sk-alpha", "Alpha One", "a-1", NULL,
     LLMGR_MODEL_UNKNOWN},
    {"Beta", "https://beta.example/v1", NULL, "Beta One", "b-1", NULL, LLMGR_MODEL_UNKNOWN},
    {"Twin", "https://beta.example/v2", NULL, "Twin One", "t-1", NULL, LLMGR_MODEL_UNKNOWN},
};

static int64_t alpha, beta;

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    struct fixture *w = &fixture;
    SYNC(w, SYSTEM);
    alpha = platform_id(w, "Alpha");
    beta = platform_id(w, "Beta");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

static void set_key(struct fixture *w, const char *user, int64_t platform, const char *key)
{
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, lb_cstr(user)), platform,
                                       lb_cstr(key), &w->err));
}

static void a_new_database_gets_one_key_of_each_purpose(void **state)
{
    struct fixture *w = *state;

    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_data_keys"), 2);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_data_keys WHERE state = 'active' "
                                       "AND purpose = 'seal'"),
                     1);
    fixture_close(w);
    fixture_open(w);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_data_keys"), 2);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, alpha, "-1", "sk-alpha"));
}

static void a_wrong_master_key_is_refused_with_both_ids(void **state)
{
    struct fixture *w = *state;
    char wanted[LV_MASTER_ID_SIZE], given[LV_MASTER_ID_SIZE];

    fixture_close(w);
    lv_master_id(&w->master, wanted);
    lv_master_generate(&w->master);
    lv_master_id(&w->master, given);
    WANT(LLMGR_ERR_VAULT, fixture_try_open(w));
    assert_non_null(strstr(w->err.message, wanted));
    assert_non_null(strstr(w->err.message, given));
}

static void a_ring_that_is_gone_is_not_replaced(void **state)
{
    struct fixture *w = *state;

    fixture_close(w);
    db_sql(&w->db, "DELETE FROM llm_data_keys");
    WANT(LLMGR_ERR_VAULT, fixture_try_open(w));
    assert_non_null(strstr(w->err.message, "backup"));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_data_keys"), 0);
}

static void open_and_store(struct fixture *w, const char *user)
{
    fixture_open(w);
    set_key(w, user, beta, "sk-first");
    fixture_close(w);
}

static void two_first_opens_at_once_make_one_ring(void **state)
{
    struct fixture *w = *state;

    for (int round = 0; round < 5; round++) {
        fixture_close(w);
        db_sql(&w->db, "DELETE FROM llm_data_keys");
        db_sql(&w->db, "DELETE FROM llm_sys_platform_keys");
        db_sql(&w->db, "UPDATE llm_platforms SET api_key = NULL");
        pid_t child = fork();
        if (child == 0) {
            open_and_store(w, "ann");
            _exit(0);
        }
        open_and_store(w, "bob");
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        fixture_open(w);
        assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_data_keys"), 2);
        assert_true(key_is(w, LK_KEY_OF_USER, beta, "ann", "sk-first"));
        assert_true(key_is(w, LK_KEY_OF_USER, beta, "bob", "sk-first"));
    }
}

/* A second manager on the same database, as another process would be. */
static void other_open(struct fixture *other, const struct fixture *w)
{
    *other = *w;
    other->manager = NULL;
    lb_arena_init(&other->arena, &other->host, NULL, 0, 64 << 20);
    fixture_open(other);
}

static void other_close(struct fixture *other)
{
    fixture_close(other);
    lb_arena_free(&other->arena);
}

static void another_processs_rotation_is_learnt_on_demand(void **state)
{
    struct fixture *w = *state, other;
    struct llmgr_key_report report;

    other_open(&other, w);
    set_key(w, "ann", beta, "sk-ann");
    assert_int_equal(
        lk_ring_rotate(lm_keys(other.manager), false, &other.arena, &report, &other.err), LLMGR_OK);
    assert_int_equal(report.rotated, 2);
    assert_int_equal(report.retired, 1);
    /* Reading meets the unknown key; writing follows the database's active one. */
    assert_true(key_is(w, LK_KEY_OF_USER, beta, "ann", "sk-ann"));
    assert_int_equal(
        lk_ring_rotate(lm_keys(other.manager), false, &other.arena, &report, &other.err), LLMGR_OK);
    set_key(w, "bob", beta, "sk-bob");
    assert_true(key_is(&other, LK_KEY_OF_USER, beta, "bob", "sk-bob"));
    WANT(LLMGR_OK, lk_ring_status(lm_keys(w->manager), &w->arena, &report, &w->err));
    assert_int_equal(report.count, 1);
    assert_int_equal(report.keys[0].records, 3);
    other_close(&other);
}

/* ---- Records moved in the database (K2) ------------------------------------------------------ */

static llmgr_status resolve_platform(struct fixture *w, const char *user, int64_t platform)
{
    struct lr_target target;
    llmgr_status status =
        lr_resolve_platform(w->manager, lb_cstr(user), platform, &w->arena, &target, &w->err);

    if (status == LLMGR_OK && target.payer != LM_PAYER_NONE) {
        struct lv_secret key;
        status = lr_target_open_key(w->manager, &target, &key, &w->err);
        lv_secret_clear(&key);
    } else if (status == LLMGR_OK) {
        status = LLMGR_ERR_NO_KEY;
    }
    return status;
}

/* Runs the SQL behind the manager's back; afterwards `user` has no key there. */
static void plant(struct fixture *w, const char *sql, const char *user, int64_t platform)
{
    w->options.auto_key = false;
    fixture_close(w);
    db_sql(&w->db, sql);
    fixture_open(w);
    assert_int_not_equal(resolve_platform(w, user, platform), LLMGR_OK);
}

static int64_t unreadable(struct fixture *w)
{
    int64_t count = -1;

    WANT(LLMGR_OK, lk_ring_check(lm_keys(w->manager), &count, &w->err));
    return count;
}

static void a_record_moved_to_another_user_does_not_open(void **state)
{
    struct fixture *w = *state;

    set_key(w, "ann", beta, "sk-ann");
    assert_int_equal(unreadable(w), 0);
    plant(w, "UPDATE llm_sys_platform_keys SET user_id = 'eve' WHERE user_id = 'ann'", "eve", beta);
    assert_false(key_is(w, LK_KEY_OF_USER, beta, "eve", "sk-ann"));
    assert_int_equal(unreadable(w), 1);
}

static void a_record_moved_to_another_platform_does_not_open(void **state)
{
    struct fixture *w = *state;

    set_key(w, "ann", beta, "sk-ann");
    plant(w,
          "UPDATE llm_sys_platform_keys SET platform_id = "
          "(SELECT id FROM llm_platforms WHERE name = 'Alpha')",
          "ann", alpha);
    assert_false(key_is(w, LK_KEY_OF_USER, alpha, "ann", "sk-ann"));
}

static void not_even_to_another_platform_of_the_same_origin(void **state)
{
    struct fixture *w = *state;
    int64_t twin = platform_id(w, "Twin");

    set_key(w, "ann", beta, "sk-ann");
    plant(w,
          "UPDATE llm_sys_platform_keys SET platform_id = "
          "(SELECT id FROM llm_platforms WHERE name = 'Twin')",
          "ann", twin);
    assert_false(key_is(w, LK_KEY_OF_USER, twin, "ann", "sk-ann"));
}

static void a_server_key_copied_into_a_users_row_does_not_open(void **state)
{
    struct fixture *w = *state;

    set_key(w, "ann", alpha, "sk-ann");
    plant(w,
          "UPDATE llm_sys_platform_keys SET api_key = "
          "(SELECT api_key FROM llm_platforms WHERE name = 'Alpha')",
          "ann", alpha);
    assert_false(key_is(w, LK_KEY_OF_USER, alpha, "ann", "sk-alpha"));
}

static void a_key_does_not_open_at_an_address_planted_in_the_database(void **state)
{
    struct fixture *w = *state;

    set_key(w, "ann", beta, "sk-ann");
    plant(w, "UPDATE llm_platforms SET base_url = 'https://evil.example/v1'", "ann", beta);
    assert_int_equal(unreadable(w), 2);
    /* The path is not part of the origin. */
    db_sql(&w->db, "UPDATE llm_platforms SET base_url = 'https://beta.example/v9' "
                   "WHERE name = 'Beta'");
    assert_true(key_is(w, LK_KEY_OF_USER, beta, "ann", "sk-ann"));
}

static void a_platform_that_changes_hands_in_the_database_has_no_key(void **state)
{
    struct fixture *w = *state;
    int64_t id;

    WANT(LLMGR_OK, lm_platform_add(w->manager, S("ann"), S("Mine"), S("https://mine.example"),
                                   S("sk-mine"), &id, &w->err));
    assert_int_equal(resolve_platform(w, "ann", id), LLMGR_OK);
    plant(w, "UPDATE llm_platforms SET user_id = 'eve' WHERE name = 'Mine'", "eve", id);
    assert_false(key_is(w, LK_KEY_OF_PLATFORM, id, "eve", "sk-mine"));
}

static void rubbish_in_a_key_column_is_no_key_and_no_crash(void **state)
{
    struct fixture *w = *state;

    set_key(w, "ann", beta, "sk-ann");
    plant(w,
          w->db.postgres ? "UPDATE llm_sys_platform_keys SET api_key = '\\x0102'::bytea"
                         : "UPDATE llm_sys_platform_keys SET api_key = x'0102'",
          "ann", beta);
    assert_int_equal(unreadable(w), 1);
    /* Storing the key again heals it. */
    set_key(w, "ann", beta, "sk-ann");
    assert_int_equal(resolve_platform(w, "ann", beta), LLMGR_OK);
}

/* ---- The master key -------------------------------------------------------------------------- */

static void after_a_rewrap_only_the_new_master_key_opens(void **state)
{
    struct fixture *w = *state;
    struct lv_master old = w->master, fresh;
    struct llmgr_key_report report;
    char id[LV_MASTER_ID_SIZE];

    set_key(w, "ann", beta, "sk-ann");
    lv_master_generate(&fresh);
    WANT(LLMGR_OK, lk_ring_rewrap(lm_keys(w->manager), &fresh, &w->err));
    /* The handle goes on, rotation included. */
    WANT(LLMGR_OK, lk_ring_rotate(lm_keys(w->manager), false, &w->arena, &report, &w->err));
    lv_master_id(&fresh, id);
    assert_string_equal(report.master_id, id);
    fixture_close(w);
    WANT(LLMGR_ERR_VAULT, fixture_try_open(w));
    w->master = fresh;
    fixture_open(w);
    assert_true(key_is(w, LK_KEY_OF_USER, beta, "ann", "sk-ann"));
    assert_int_equal(unreadable(w), 0);
    lv_master_clear(&old);
    lv_master_clear(&fresh);
}

static void a_rotation_under_a_replaced_master_key_is_refused(void **state)
{
    struct fixture *w = *state, other;
    struct llmgr_key_report report;
    struct lv_master fresh;

    other_open(&other, w);
    lv_master_generate(&fresh);
    WANT(LLMGR_OK, lk_ring_rewrap(lm_keys(w->manager), &fresh, &w->err));
    assert_int_equal(
        lk_ring_rotate(lm_keys(other.manager), false, &other.arena, &report, &other.err),
        LLMGR_ERR_VAULT);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_data_keys"), 2);
    other_close(&other);
    w->master = fresh;
}

/* ---- The Python original's keys -------------------------------------------------------------- */

#define ORIGINAL                                                                                   \
    "CREATE TABLE llm_platforms (id INTEGER PRIMARY KEY, name VARCHAR(80), user_id VARCHAR(255),"  \
    " base_url VARCHAR(255) NOT NULL, api_key VARCHAR(512), is_sys INTEGER, hide INTEGER);"        \
    "CREATE TABLE llm_sys_platform_keys (id INTEGER PRIMARY KEY, user_id VARCHAR(255) NOT NULL,"   \
    " platform_id INTEGER NOT NULL, api_key VARCHAR(512), hide INTEGER,"                           \
    " UNIQUE (user_id, platform_id));"                                                             \
    "CREATE TABLE llm_platform_models (id INTEGER PRIMARY KEY, platform_id INTEGER NOT NULL,"      \
    " model_name VARCHAR(120) NOT NULL, display_name VARCHAR(120), extra_body VARCHAR(1024));"     \
    "CREATE TABLE user_ai_configs (id INTEGER PRIMARY KEY, user_id VARCHAR(255) NOT NULL UNIQUE,"  \
    " selected_platform_id INTEGER NOT NULL, selected_model_id INTEGER NOT NULL);"                 \
    "INSERT INTO llm_platforms VALUES"                                                             \
    " (1, 'Sys', '-1', 'https://sys.example/v1', 'sk-must-go', 1, 0),"                             \
    " (2, 'Mine', 'ann', 'https://mine.example/v1', ' sk-mine ', 0, 0),"                           \
    " (3, 'Held', 'ann', 'https://held.example/v1', '{HELD_KEY}', 0, 0),"                          \
    " (4, 'Lost', 'ann', 'no address', 'sk-lost', 0, 0);"                                          \
    "INSERT INTO llm_sys_platform_keys VALUES (1, 'bob', 1, 'sk-bob', 1);"

static void sqlite_keys_of_the_original_are_sealed_while_it_is_migrated(void **state)
{
    struct fixture *w = *state;

    fixture_close(w);
    (void)remove(w->db.path);
    char log[400];
    snprintf(log, sizeof log, "%s-wal", w->db.path);
    (void)remove(log);
    db_sql(&w->db, ORIGINAL);

    struct lv_vault *vault;
    assert_int_equal(lv_vault_new(&w->host, &w->master, &vault, &w->err), LLMGR_OK);
    struct lk_legacy legacy = {&w->db.host, vault};
    struct ls_store *store = db_open_with(
        &w->db, (struct ls_options){.on_legacy = lk_ring_seal_legacy, .legacy_context = &legacy});
    WANT(LLMGR_OK, la_manager_open(&w->host, &w->options, store, vault, &w->manager, &w->err));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, 2, "ann", "sk-mine"));
    assert_true(key_is(w, LK_KEY_OF_USER, 1, "bob", "sk-bob"));
    assert_int_equal(db_number(&w->db, "SELECT hide FROM llm_sys_platform_keys"), 1);
    assert_int_equal(
        db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE api_key IS NOT NULL"), 1);
    assert_int_equal(unreadable(w), 0);
    assert_non_null(strstr(w->db.log, "platform 3"));
    assert_non_null(strstr(w->db.log, "platform 4"));
    assert_null(strstr(w->db.log, "sk-lost"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_database_gets_one_key_of_each_purpose),
        TEST(a_wrong_master_key_is_refused_with_both_ids),
        TEST(a_ring_that_is_gone_is_not_replaced),
        TEST(two_first_opens_at_once_make_one_ring),
        TEST(another_processs_rotation_is_learnt_on_demand),
        TEST(a_record_moved_to_another_user_does_not_open),
        TEST(a_record_moved_to_another_platform_does_not_open),
        TEST(not_even_to_another_platform_of_the_same_origin),
        TEST(a_server_key_copied_into_a_users_row_does_not_open),
        TEST(a_key_does_not_open_at_an_address_planted_in_the_database),
        TEST(a_platform_that_changes_hands_in_the_database_has_no_key),
        TEST(rubbish_in_a_key_column_is_no_key_and_no_crash),
        TEST(after_a_rewrap_only_the_new_master_key_opens),
        TEST(a_rotation_under_a_replaced_master_key_is_refused),
        TEST(sqlite_keys_of_the_original_are_sealed_while_it_is_migrated),
    };
    db_choose_tests();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
