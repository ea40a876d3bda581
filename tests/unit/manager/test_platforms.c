/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <sys/wait.h>

#include "manager/catalogue.h"

static const struct conf SYSTEM[] = {
    {"Alpha", "https://alpha.example/v1", "sk-alpha", "Alpha One", "a-1", NULL,
     LLMGR_MODEL_UNKNOWN},
    {"Beta", "http://10.0.0.5:8000/v1", NULL, "Beta One", "b-1", NULL, LLMGR_MODEL_UNKNOWN},
};

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    struct fixture *w = &fixture;
    SYNC(w, SYSTEM);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

static int64_t add(struct fixture *w, const char *user, const char *name, const char *url,
                   const char *key)
{
    int64_t id = 0;

    WANT(LLMGR_OK, lm_platform_add(w->manager, lb_cstr(user), lb_cstr(name), lb_cstr(url),
                                   lb_cstr(key), &id, &w->err));
    assert_true(id > 0);
    return id;
}

static llmgr_status try_add(struct fixture *w, const char *user, const char *name, const char *url,
                            const char *key)
{
    int64_t id = -7;
    llmgr_status status = lm_platform_add(w->manager, lb_cstr(user), lb_cstr(name), lb_cstr(url),
                                          lb_cstr(key), &id, &w->err);

    if (status != LLMGR_OK)
        assert_int_equal(id, -7);
    return status;
}

static void a_private_platform_keeps_its_key_sealed_for_its_owner(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example/v1", "sk-mine");

    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-mine"));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE name = 'Mine' AND "
                                       "user_id = 'ann' AND is_sys = 0 AND "
                                       "base_url = 'https://mine.example/v1'"),
                     1);
}

static void adding_is_for_users_in_custom_mode(void **state)
{
    struct fixture *w = *state;

    WANT(LLMGR_ERR_MODE, try_add(w, "-1", "Mine", "https://mine.example", NULL));
    WANT(LLMGR_ERR_MODE, try_add(w, NULL, "Mine", "https://mine.example", NULL));
    fixture_mode(w, LLMGR_MODE_FIXED);
    WANT(LLMGR_ERR_MODE, try_add(w, "ann", "Mine", "https://mine.example", NULL));
    assert_non_null(strstr(w->err.message, "custom"));
    fixture_mode(w, LLMGR_MODE_SINGLE);
    WANT(LLMGR_ERR_MODE, try_add(w, "ann", "Mine", "https://mine.example", NULL));
}

static void bad_arguments_are_refused_before_anything_is_written(void **state)
{
    struct fixture *w = *state;
    int64_t before = db_number(&w->db, "SELECT MAX(revision) FROM llm_changes");

    WANT(LLMGR_ERR_INVALID, try_add(w, "ann", "", "https://mine.example", NULL));
    WANT(LLMGR_ERR_INVALID, try_add(w, "ann", "x", "mine.example", NULL));
    WANT(LLMGR_ERR_INVALID, try_add(w, "ann", "x", "ftp://mine.example", NULL));
    WANT(LLMGR_ERR_INVALID, try_add(w, "ann", "x", "https://a@mine.example", NULL));
    WANT(LLMGR_ERR_INVALID, try_add(w, "ann", "x", "https://mine.example", "{KEY}"));
    WANT(LLMGR_ERR_INVALID, try_add(w, "ann\n", "x", "https://mine.example", NULL));
    WANT(LLMGR_ERR_ADDRESS, try_add(w, "ann", "x", "http://mine.example", NULL));
    WANT(LLMGR_ERR_ADDRESS, try_add(w, "ann", "x", "https://127.0.0.1", NULL));
    WANT(LLMGR_ERR_ADDRESS, try_add(w, "ann", "x", "https://[::1]/v1", NULL));
    WANT(LLMGR_ERR_ADDRESS, try_add(w, "ann", "x", "https://169.254.169.254/latest", NULL));
    WANT(LLMGR_ERR_ADDRESS, try_add(w, "ann", "x", "https://192.168.1.1", NULL));
    assert_int_equal(db_number(&w->db, "SELECT MAX(revision) FROM llm_changes"), before);
}

static void names_are_unique_per_user_and_not_those_of_system_platforms(void **state)
{
    struct fixture *w = *state;

    add(w, "ann", "Mine", "https://mine.example", NULL);
    WANT(LLMGR_ERR_CONFLICT, try_add(w, "ann", "Mine", "https://other.example", NULL));
    WANT(LLMGR_ERR_CONFLICT, try_add(w, "ann", "Alpha", "https://other.example", NULL));
    add(w, "bob", "Mine", "https://mine.example", NULL);
}

static void a_system_address_is_refused_with_the_remedy(void **state)
{
    struct fixture *w = *state;
    char id[32];

    WANT(LLMGR_ERR_CONFLICT, try_add(w, "ann", "x", "HTTPS://Alpha.Example:443/v1/", NULL));
    snprintf(id, sizeof id, "set-key %lld", (long long)platform_id(w, "Alpha"));
    assert_non_null(strstr(w->err.message, id));
    /* Another path is another platform. */
    add(w, "ann", "x", "https://alpha.example/v2", NULL);
    WANT(LLMGR_ERR_CONFLICT, try_add(w, "ann", "y", "https://alpha.example/v2/", NULL));
}

static void one_user_has_a_bounded_number_of_platforms(void **state)
{
    struct fixture *w = *state;
    char name[32], url[64];

    for (int i = 0; i < LM_PLATFORMS_PER_USER; i++) {
        snprintf(name, sizeof name, "p%d", i);
        snprintf(url, sizeof url, "https://p%d.example", i);
        add(w, "ann", name, url, NULL);
    }
    WANT(LLMGR_ERR_TOO_LARGE, try_add(w, "ann", "more", "https://more.example", NULL));
    add(w, "bob", "more", "https://more.example", NULL);
}

static llmgr_status rename_to(struct fixture *w, const char *user, int64_t id, const char *name)
{
    return lm_platform_rename(w->manager, lm_actor_of(w->manager, lb_cstr(user)), id, lb_cstr(name),
                              &w->err);
}

static void renaming_follows_the_rules_of_adding(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example", "sk-mine");

    add(w, "ann", "Other", "https://other.example", NULL);
    WANT(LLMGR_OK, rename_to(w, "ann", id, "Mine"));
    WANT(LLMGR_OK, rename_to(w, "ann", id, "我的平台"));
    assert_int_equal(platform_id(w, "我的平台"), id);
    WANT(LLMGR_ERR_CONFLICT, rename_to(w, "ann", id, "Other"));
    WANT(LLMGR_ERR_CONFLICT, rename_to(w, "ann", id, "Beta"));
    WANT(LLMGR_ERR_INVALID, rename_to(w, "ann", id, ""));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-mine"));
}

static void foreign_and_absent_ids_are_the_same_error(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example", "sk-mine");
    char foreign[512], absent[512], wanted[64];

    WANT(LLMGR_ERR_NOT_FOUND, rename_to(w, "bob", id, "Stolen"));
    memcpy(foreign, w->err.message, sizeof foreign);
    WANT(LLMGR_ERR_NOT_FOUND, rename_to(w, "bob", 987654321, "Stolen"));
    memcpy(absent, w->err.message, sizeof absent);
    snprintf(wanted, sizeof wanted, "there is no platform %lld", (long long)id);
    assert_string_equal(foreign, wanted);
    assert_string_equal(absent, "there is no platform 987654321");

    WANT(LLMGR_ERR_NOT_FOUND,
         lm_platform_delete(w->manager, lm_actor_of(w->manager, S("bob")), id, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lm_platform_hide(w->manager, S("bob"), id, true, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND,
         lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("bob")), id, S("k"), &w->err));
    WANT(LLMGR_ERR_NOT_FOUND,
         lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("-1")), id, S("k"), &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lm_platform_set_url(w->manager, lm_actor_of(w->manager, S("bob")), id,
                                                  S("https://evil.example"), S("k"), &w->err));
    WANT(LLMGR_ERR_NOT_FOUND,
         lm_platform_delete(w->manager, lm_actor_of(w->manager, S("ann")), -1, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND,
         lm_platform_delete(w->manager, lm_actor_of(w->manager, S("ann")), INT64_MAX, &w->err));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-mine"));
}

static void system_platforms_are_changed_in_the_file_only(void **state)
{
    struct fixture *w = *state;
    int64_t id = platform_id(w, "Alpha");

    for (int mode = LLMGR_MODE_SINGLE; mode <= LLMGR_MODE_CUSTOM; mode++) {
        fixture_mode(w, (llmgr_mode)mode);
        WANT(LLMGR_ERR_FORBIDDEN, rename_to(w, "ann", id, "Mine"));
        assert_non_null(strstr(w->err.message, "llmgr.yaml"));
        WANT(LLMGR_ERR_FORBIDDEN,
             lm_platform_delete(w->manager, lm_actor_of(w->manager, S("ann")), id, &w->err));
        WANT(LLMGR_ERR_FORBIDDEN,
             lm_platform_delete(w->manager, lm_actor_of(w->manager, S("-1")), id, &w->err));
        WANT(LLMGR_ERR_FORBIDDEN, lm_platform_set_url(w->manager, lm_actor_of(w->manager, S("ann")),
                                                      id, S("https://x.example"), S(""), &w->err));
    }
}

static void in_fixed_mode_private_platforms_are_neither_seen_nor_changed_nor_lost(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example", "sk-mine");

    fixture_mode(w, LLMGR_MODE_FIXED);
    WANT(LLMGR_ERR_MODE, rename_to(w, "ann", id, "New"));
    WANT(LLMGR_ERR_MODE, rename_to(w, "ann", 987654321, "New"));
    WANT(LLMGR_ERR_MODE,
         lm_platform_delete(w->manager, lm_actor_of(w->manager, S("ann")), id, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lm_platform_hide(w->manager, S("ann"), id, true, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND,
         lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S("k"), &w->err));
    /* Own keys and hides of system platforms stay allowed. */
    int64_t alpha = platform_id(w, "Alpha");
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), alpha,
                                       S("sk-ann"), &w->err));
    WANT(LLMGR_OK, lm_platform_hide(w->manager, S("ann"), alpha, true, &w->err));
    fixture_mode(w, LLMGR_MODE_CUSTOM);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-mine"));
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "ann", "sk-ann"));
    WANT(LLMGR_OK, rename_to(w, "ann", id, "New"));
}

static llmgr_status set_url(struct fixture *w, int64_t id, const char *url, const char *key)
{
    return lm_platform_set_url(w->manager, lm_actor_of(w->manager, S("ann")), id, lb_cstr(url),
                               lb_cstr(key), &w->err);
}

static void moving_to_another_origin_demands_the_key_again(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example/v1", "sk-mine");

    WANT(LLMGR_OK, set_url(w, id, "https://MINE.example:443/v2", NULL));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-mine"));
    WANT(LLMGR_OK, set_url(w, id, "https://evil.example/v2", NULL));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE name = 'Mine' AND "
                                       "api_key IS NOT NULL"),
                     0);
    WANT(LLMGR_OK, set_url(w, id, "https://third.example", "sk-third"));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-third"));
    WANT(LLMGR_ERR_CONFLICT, set_url(w, id, "https://alpha.example/v1", NULL));
    WANT(LLMGR_ERR_ADDRESS, set_url(w, id, "https://10.1.2.3", NULL));
    WANT(LLMGR_ERR_INVALID, set_url(w, id, "nowhere", NULL));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-third"));
}

#define MARKED "SELECT COUNT(*) FROM llm_platforms WHERE no_stream_options > 1"

static void a_move_forgets_what_was_learnt_at_the_old_address(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example/v1", "sk-mine");

    WANT(LLMGR_OK, lm_platform_learn_no_stream_options(w->manager, id, &w->err));
    WANT(LLMGR_OK,
         lm_platform_learn_no_stream_options(w->manager, platform_id(w, "Alpha"), &w->err));
    assert_int_equal(db_number(&w->db, MARKED), 2);
    int64_t revision = db_number(&w->db, "SELECT MAX(revision) FROM llm_changes");
    WANT(LLMGR_OK, lm_platform_learn_no_stream_options(w->manager, id, &w->err));
    assert_int_equal(db_number(&w->db, "SELECT MAX(revision) FROM llm_changes"), revision);
    WANT(LLMGR_ERR_NOT_FOUND, lm_platform_learn_no_stream_options(w->manager, 4711, &w->err));
    WANT(LLMGR_OK, set_url(w, id, "https://mine.example/v2", NULL));
    assert_int_equal(db_number(&w->db, MARKED), 1);
}

static int64_t until(struct fixture *w, const char *user, int64_t id)
{
    struct llmgr_platform *items;
    size_t count = 0;

    WANT(LLMGR_OK,
         lr_platforms(w->manager, lb_cstr(user), NULL, &w->arena, &items, &count, &w->err));
    for (size_t i = 0; i < count; i++) {
        if (items[i].platform_id == id)
            return items[i].no_stream_options_until_ms;
    }
    fail_msg("no platform %lld", (long long)id);
    return 0;
}

/* Writes what another process would, and lets it be seen. */
static void set_mark(struct fixture *w, int64_t id, int64_t value)
{
    char sql[128];

    snprintf(sql, sizeof sql, "UPDATE llm_platforms SET no_stream_options = %lld WHERE id = %lld",
             (long long)value, (long long)id);
    db_sql(&w->db, sql);
    WANT(LLMGR_OK, lm_platform_hide(w->manager, S("ann"), id, false, &w->err));
    WANT(LLMGR_OK,
         lm_platform_rename(w->manager, lm_actor_of(w->manager, S("ann")), id, S("Mine"), &w->err));
}

static void a_verdict_ends_after_a_day(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example/v1", "sk-mine");
    int64_t now = lb_now_ms(lm_host(w->manager));
    const int64_t day = LM_VERDICT_MS;
    const struct {
        int64_t at;
        bool holds;
    } cases[] = {
        {0, false},
        {1, false}, /* an older release's, which would never end */
        {now - 4, true},
        {now - day + 60000, true},
        {now - day - 4, false},
        {now + 60000, true},
        {now + day + 60000, false},
    };

    assert_int_equal(until(w, "ann", id), 0);
    WANT(LLMGR_OK, lm_platform_learn_no_stream_options(w->manager, id, &w->err));
    int64_t at = db_number(&w->db, "SELECT MAX(no_stream_options) FROM llm_platforms");
    assert_int_equal(at % 4, 1);
    assert_int_equal(until(w, "ann", id), at + day);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t mark = cases[i].at > 1 ? (cases[i].at & ~INT64_C(3)) | 1 : cases[i].at;
        set_mark(w, id, mark);
        if (until(w, "ann", id) != (cases[i].holds ? mark + day : 0))
            fail_msg("case %zu: %lld", i, (long long)until(w, "ann", id));
        /* What is over is learnt anew. */
        WANT(LLMGR_OK, lm_platform_learn_no_stream_options(w->manager, id, &w->err));
        assert_true(until(w, "ann", id) != 0);
    }
    /* A mark beside a hidden platform is told from it, by the release before as well. */
    WANT(LLMGR_OK, lm_platform_hide(w->manager, S("ann"), id, true, &w->err));
    assert_true(until(w, "ann", id) != 0);
    assert_int_equal(db_number(&w->db, "SELECT (no_stream_options + 2 * hide) % 4 FROM "
                                       "llm_platforms WHERE name = 'Mine'"),
                     3);
}

static void a_verdict_is_undone_by_whom_the_platform_is(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example/v1", "sk-mine");
    int64_t alpha = platform_id(w, "Alpha");
    const struct lm_platform_edit edit = {.ask_usage = true};

    for (int round = 0; round < 2; round++) {
        WANT(LLMGR_OK, lm_platform_learn_no_stream_options(w->manager, id, &w->err));
        WANT(LLMGR_OK, lm_platform_learn_no_stream_options(w->manager, alpha, &w->err));
        assert_true(until(w, "ann", id) != 0 && until(w, "ann", alpha) != 0);
        assert_true(until(w, "ben", alpha) != 0);
        if (round == 0) {
            WANT(LLMGR_ERR_NOT_FOUND,
                 lm_platform_ask_usage(w->manager, lm_actor_of(w->manager, S("ben")), id, &w->err));
            WANT(LLMGR_ERR_FORBIDDEN,
                 lm_platform_ask_usage(w->manager, lm_actor_of(w->manager, S("ann")), alpha,
                                       &w->err));
            assert_int_equal(db_number(&w->db, MARKED), 2);
            WANT(LLMGR_OK,
                 lm_platform_ask_usage(w->manager, lm_actor_of(w->manager, S("ann")), id, &w->err));
            WANT(LLMGR_OK, lm_platform_ask_usage(w->manager, lm_actor_of(w->manager, S("-1")),
                                                 alpha, &w->err));
        } else {
            WANT(LLMGR_ERR_NOT_FOUND,
                 lm_platform_edit(w->manager, lm_actor_of(w->manager, S("ben")), id, &edit,
                                  &w->err));
            WANT(LLMGR_ERR_FORBIDDEN,
                 lm_platform_edit(w->manager, lm_actor_of(w->manager, S("ann")), alpha, &edit,
                                  &w->err));
            WANT(LLMGR_OK, lm_platform_edit(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                            &edit, &w->err));
            WANT(LLMGR_OK, lm_platform_edit(w->manager, lm_actor_of(w->manager, S("-1")), alpha,
                                            &edit, &w->err));
        }
        assert_true(until(w, "ann", id) == 0 && until(w, "ann", alpha) == 0);
        assert_int_equal(db_number(&w->db, MARKED), 0);
    }
}

static void deleting_takes_models_keys_and_hides_along(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example/v1", "sk-mine"), model;

    WANT(LLMGR_OK, lm_model_add(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                MODEL("m", "M", ""), &model, &w->err));
    WANT(LLMGR_OK, lm_model_hide(w->manager, S("ann"), model, true, &w->err));
    WANT(LLMGR_OK, lm_platform_delete(w->manager, lm_actor_of(w->manager, S("ann")), id, &w->err));
    assert_int_equal(platform_id(w, "Mine"), -1);
    assert_int_equal(model_id(w, "M"), -1);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_hidden_models"), 0);
    WANT(LLMGR_ERR_NOT_FOUND,
         lm_platform_delete(w->manager, lm_actor_of(w->manager, S("ann")), id, &w->err));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms"), 2);
}

static void an_own_key_and_a_hide_of_a_system_platform_do_not_disturb_each_other(void **state)
{
    struct fixture *w = *state;
    int64_t id = platform_id(w, "Beta");
    const char *hides = "SELECT COUNT(*) FROM llm_sys_platform_keys WHERE hide = 1";

    WANT(LLMGR_OK, lm_platform_hide(w->manager, S("ann"), id, true, &w->err));
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S("sk-1"),
                                       &w->err));
    assert_int_equal(db_number(&w->db, hides), 1);
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S("sk-2"),
                                       &w->err));
    assert_true(key_is(w, LK_KEY_OF_USER, id, "ann", "sk-2"));
    WANT(LLMGR_OK, lm_platform_hide(w->manager, S("ann"), id, false, &w->err));
    assert_true(key_is(w, LK_KEY_OF_USER, id, "ann", "sk-2"));
    WANT(LLMGR_OK,
         lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S(""), &w->err));
    WANT(LLMGR_OK,
         lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S(""), &w->err));
    /* A row that says nothing is gone. */
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_sys_platform_keys"), 0);
    WANT(LLMGR_ERR_INVALID,
         lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S("{K}"), &w->err));
    WANT(LLMGR_ERR_INVALID,
         lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S("a b"), &w->err));
}

static void in_single_mode_every_user_is_the_system_user(void **state)
{
    struct fixture *w = *state;
    int64_t id = platform_id(w, "Beta");

    fixture_mode(w, LLMGR_MODE_SINGLE);
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S("sk-1"),
                                       &w->err));
    assert_true(key_is(w, LK_KEY_OF_USER, id, "-1", "sk-1"));
}

static void a_private_platforms_own_key_is_set_and_removed(void **state)
{
    struct fixture *w = *state;
    int64_t id = add(w, "ann", "Mine", "https://mine.example/v1", NULL);

    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id, S("sk-1"),
                                       &w->err));
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-1"));
    WANT(LLMGR_OK, lm_platform_hide(w->manager, S("ann"), id, true, &w->err));
    assert_int_equal(db_number(&w->db, "SELECT hide FROM llm_platforms WHERE name = 'Mine'"), 1);
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), id,
                                       lb_cstr(NULL), &w->err));
    assert_false(key_is(w, LK_KEY_OF_PLATFORM, id, "ann", "sk-1"));
}

static unsigned add_many(struct fixture *w)
{
    unsigned won = 0;

    fixture_open(w);
    for (int i = 0; i < 20; i++) {
        char name[16], url[64];
        snprintf(name, sizeof name, "n%d", i);
        /* The same name at two addresses: at most one of the two processes may have it. */
        snprintf(url, sizeof url, "https://h%ld-%d.example", (long)getpid(), i);
        llmgr_status status = try_add(w, "ann", name, url, "sk-x");
        if (status != LLMGR_OK)
            WANT(LLMGR_ERR_CONFLICT, status);
        won += status == LLMGR_OK;
    }
    fixture_close(w);
    return won;
}

static void of_two_processes_that_add_one_name_one_wins(void **state)
{
    struct fixture *w = *state;
    int status = -1;

    fixture_close(w);
    pid_t child = fork();
    if (child == 0)
        _exit((int)add_many(w));
    unsigned won = add_many(w);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(won + (unsigned)WEXITSTATUS(status), 20);
    fixture_open(w);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE user_id = 'ann'"),
                     20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_private_platform_keeps_its_key_sealed_for_its_owner),
        TEST(adding_is_for_users_in_custom_mode),
        TEST(bad_arguments_are_refused_before_anything_is_written),
        TEST(names_are_unique_per_user_and_not_those_of_system_platforms),
        TEST(a_system_address_is_refused_with_the_remedy),
        TEST(one_user_has_a_bounded_number_of_platforms),
        TEST(renaming_follows_the_rules_of_adding),
        TEST(foreign_and_absent_ids_are_the_same_error),
        TEST(system_platforms_are_changed_in_the_file_only),
        TEST(in_fixed_mode_private_platforms_are_neither_seen_nor_changed_nor_lost),
        TEST(moving_to_another_origin_demands_the_key_again),
        TEST(a_move_forgets_what_was_learnt_at_the_old_address),
        TEST(a_verdict_ends_after_a_day),
        TEST(a_verdict_is_undone_by_whom_the_platform_is),
        TEST(deleting_takes_models_keys_and_hides_along),
        TEST(an_own_key_and_a_hide_of_a_system_platform_do_not_disturb_each_other),
        TEST(in_single_mode_every_user_is_the_system_user),
        TEST(a_private_platforms_own_key_is_set_and_removed),
        TEST(of_two_processes_that_add_one_name_one_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
