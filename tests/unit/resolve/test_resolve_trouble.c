/* SPDX-License-Identifier: MIT */
/*
 * Resolve when the database fails, when another process changes what is just being repaired, and
 * what its errors tell people to do. lm_write, lr_profile_read, lm_catalogue_reload and
 * lm_keep_fresh are wrapped (tests/unit/fault.h).
 */
#include "../manager/site.h"

#include "../fault.h"
#include "manager/handle.h"
#include "resolve/scene.h"

#define URL_A "https://a.example.com/v1"
#define URL_B "https://b.example.com/v1"
#define URL_OWN "https://own.example.org/v1"

static struct site h;
static int64_t a, b, a1, a2, b1;

static llmgr_status fail_database(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_DATABASE, "%s", "the database is out of order");
}

/* What another process does just before, or just after, a repair of ours is written. */
static void (*before_write)(void);
static void (*after_write)(void);
static int writes;

llmgr_status __real_lm_write(struct lm_manager *manager, struct lb_str user, lm_change_fn change,
                             void *context, struct llmgr_error *err);
llmgr_status __wrap_lm_write(struct lm_manager *manager, struct lb_str user, lm_change_fn change,
                             void *context, struct llmgr_error *err);

llmgr_status __wrap_lm_write(struct lm_manager *manager, struct lb_str user, lm_change_fn change,
                             void *context, struct llmgr_error *err)
{
    if (fault_strikes("lm_write"))
        return fail_database(err);
    if (before_write != NULL)
        before_write();
    writes++;
    llmgr_status status = __real_lm_write(manager, user, change, context, err);
    if (after_write != NULL)
        after_write();
    return status;
}

FAULT(llmgr_status, lr_profile_read, fail_database(err),
      (struct lm_manager * manager, const struct lm_catalogue *catalogue, struct lb_str user,
       struct lb_arena *arena, struct lr_profile **profile, struct llmgr_error *err),
      (manager, catalogue, user, arena, profile, err))
FAULT(llmgr_status, lm_catalogue_reload, fail_database(err),
      (struct lm_manager * manager, struct llmgr_error *err), (manager, err))
FAULT(llmgr_status, lm_keep_fresh, fail_database(err),
      (struct lm_manager * manager, struct llmgr_error *err), (manager, err))

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    a = sys_platform(&h, "A", URL_A, 0, "sk-server-a");
    b = sys_platform(&h, "B", URL_B, 1, NULL);
    a1 = add_model(&h, NULL, a, "Alpha", "alpha-1");
    a2 = add_model(&h, NULL, a, "Alpha two", "alpha-2");
    b1 = add_model(&h, NULL, b, "Beta", "beta-1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    before_write = after_write = NULL;
    (void)fault_disarm();
    site_teardown(&h);
    return 0;
}

static void want_message(llmgr_status status, llmgr_status got, const char *says, const char *hint)
{
    ASSERT_STATUS(&h, status, got);
    if (strstr(h.err.message, says) == NULL || strstr(h.err.message, hint) == NULL)
        fail_msg("'%s' does not say '%s' and '%s'", h.err.message, says, hint);
}

/* ---- What errors say ------------------------------------------------------------------------- */

static void a_missing_key_names_who_can_give_it_and_where(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Own", URL_OWN, NULL);
    add_model(&h, "ann", own, "Mine", "mine-1");

    want_message(LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Own/Mine"), "'Own' has no API key",
                 "set-key");
    want_message(LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Beta"), "'B' has no usable API key",
                 "set SOME_API_KEY and run `llmgr sync`");
    db_sql(&h.db, "UPDATE llm_platforms SET key_env = NULL");
    site_reopen(&h);
    want_message(LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Beta"), "'B' has no usable API key",
                 "give it an api_key in llmgr.yaml");
    site_auto_key(&h, false);
    want_message(LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Beta"), "'B', and auto_key is off",
                 "store your own");
    want_message(LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Alpha"), "'A', and auto_key is off",
                 "store your own");
    want_message(LLMGR_ERR_NO_KEY, ask(&h, NULL, NULL, "Beta"), "'B' has no usable API key",
                 "llmgr.yaml");
    want_message(LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "Nobody"), "no model 'Nobody'",
                 "llmgr model list");
}

/* Who calls a gateway has neither its command line nor its file. */
static void a_caller_is_told_what_callers_can_do(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Own", URL_OWN, NULL);
    add_model(&h, "ann", own, "Mine", "mine-1");
    server_key(&h, a, "https://elsewhere.example", "sk-moved");
    lm_speak_to_callers(h.manager);
    static const struct {
        const char *model, *says, *hint;
        llmgr_status status;
    } ROWS[] = {
        {"Own/Mine", "'Own' has no API key", "PUT /api/platforms/", LLMGR_ERR_NO_KEY},
        {"Beta", "'B' has no usable API key", "GET /v1/models", LLMGR_ERR_NO_KEY},
        {"Alpha", "'A' cannot be used", "PUT /api/platforms/", LLMGR_ERR_NO_KEY},
        {"Nobody", "no model 'Nobody'", "GET /v1/models", LLMGR_ERR_NOT_FOUND},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        want_message(ROWS[i].status, ask(&h, "ann", NULL, ROWS[i].model), ROWS[i].says,
                     ROWS[i].hint);
        assert_null(strstr(h.err.message, "llmgr "));
        assert_null(strstr(h.err.message, "llmgr.yaml"));
        assert_null(strstr(h.err.message, "SOME_API_KEY"));
    }
    site_auto_key(&h, false);
    lm_speak_to_callers(h.manager);
    want_message(LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Beta"), "this gateway lends none",
                 "PUT /api/platforms/");
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lr_resolve_platform(h.manager, LB_STR("ann"), 4711, &h.arena, &h.target, &h.err));
    assert_non_null(strstr(h.err.message, "GET /api/platforms"));
    db_sql(&h.db, "DELETE FROM llm_platforms");
    site_reopen(&h);
    lm_speak_to_callers(h.manager);
    want_message(LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, NULL), "nothing is chosen",
                 "GET /v1/models");
}

static void an_unreadable_key_is_to_be_stored_again_by_its_owner(void **state)
{
    (void)state;
    server_key(&h, a, "https://elsewhere.example", "sk-moved"); /* sealed for another address */
    want_message(LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Alpha"), "cannot be used",
                 "store it again");
    want_message(LLMGR_ERR_NO_KEY, ask(&h, NULL, NULL, "Alpha"), "'A' has no usable API key",
                 "SOME_API_KEY");
}

static void a_question_that_is_no_name_is_refused_before_anything_is_read(void **state)
{
    (void)state;
    fault_arm("lm_keep_fresh", 0, 0);
    want_message(LLMGR_ERR_INVALID, ask(&h, "ann", NULL, "a\nb"), "the model is not a name",
                 "UTF-8");
    want_message(LLMGR_ERR_INVALID, ask(&h, "ann", "a\tb", NULL), "the slot is not a name",
                 "UTF-8");
    assert_false(fault_disarm());
}

static void a_target_without_a_payer_yields_no_key(void **state)
{
    (void)state;
    struct lv_secret key;

    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Beta"));
    assert_int_equal(h.target.payer, LM_PAYER_NONE);
    want_message(LLMGR_ERR_NO_KEY, lr_target_open_key(h.manager, &h.target, &key, &h.err),
                 "'B' has no usable API key", "");
    assert_int_equal(key.size, 0);
}

static void a_platform_that_is_not_there_and_one_of_another_user_are_the_same(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Own", URL_OWN, "sk-own");
    const struct {
        const char *user;
        int64_t id;
        llmgr_status status;
    } ROWS[] = {
        {"ann", own, LLMGR_OK},
        {"bob", own, LLMGR_ERR_NOT_FOUND},
        {"bob", 4711, LLMGR_ERR_NOT_FOUND},
        {"ann", 4711, LLMGR_ERR_NOT_FOUND},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        ASSERT_STATUS(&h, ROWS[i].status,
                      lr_resolve_platform(h.manager, lb_cstr(ROWS[i].user), ROWS[i].id, &h.arena,
                                          &h.target, &h.err));
    site_mode(&h, LLMGR_MODE_FIXED);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lr_resolve_platform(h.manager, LB_STR("ann"), own, &h.arena, &h.target, &h.err));
    ASSERT_STATUS(
        &h, LLMGR_ERR_NOT_FOUND,
        lr_resolve_system(h.manager, LB_STR("Own"), LB_STR("Mine"), &h.arena, &h.target, &h.err));
}

/* ---- A database that fails ------------------------------------------------------------------- */

static llmgr_status ask_ann(void)
{
    return ask(&h, "ann", NULL, NULL);
}

static llmgr_status ask_system(void)
{
    return lr_resolve_system(h.manager, LB_STR("A"), LB_STR("Alpha two"), &h.arena, &h.target,
                             &h.err);
}

static llmgr_status ask_platform(void)
{
    return lr_resolve_platform(h.manager, LB_STR("ann"), a, &h.arena, &h.target, &h.err);
}

static void an_answer_that_cannot_be_known_is_an_error(void **state)
{
    (void)state;
    static llmgr_status (*const ASK[])(void) = {ask_ann, ask_system, ask_platform};
    static const char *const CALLS[] = {"lm_keep_fresh", "lr_profile_read"};

    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 2; j++) {
            OK(&h, lm_poll(h.manager, &h.err));
            site_reopen(&h); /* nothing is in memory */
            fault_arm(CALLS[j], 0, 0);
            want_message(LLMGR_ERR_DATABASE, ASK[i](), "out of order", "");
            assert_true(fault_disarm());
        }
        ASSERT_STATUS(&h, LLMGR_OK, ASK[i]());
    }
}

static int64_t stored(const char *slot)
{
    char sql[200];

    snprintf(sql, sizeof sql,
             "SELECT selected_model_id FROM user_ai_configs WHERE user_id = 'ann' AND slot = '%s'",
             slot);
    return db_number(&h.db, sql);
}

static void a_repair_that_cannot_be_written_still_answers_and_is_done_later(void **state)
{
    (void)state;
    pick(&h, "ann", "main", a, 4711);
    fault_arm("lm_write", 0, 0);
    ASSERT_STATUS(&h, LLMGR_OK, ask_ann());
    assert_true(fault_disarm());
    assert_int_equal(h.target.model_id, a1);
    assert_false(h.target.repaired);
    assert_true(h.target.fell_back);
    assert_int_equal(stored("main"), 4711);
    site_reopen(&h);
    ASSERT_STATUS(&h, LLMGR_OK, ask_ann());
    assert_true(h.target.repaired);
    assert_int_equal(stored("main"), a1);
}

static void a_repair_that_cannot_be_read_back_is_an_error(void **state)
{
    (void)state;
    pick(&h, "ann", "main", a, 4711);
    fault_arm("lr_profile_read", 1, 0);
    want_message(LLMGR_ERR_DATABASE, ask_ann(), "out of order", "");
    assert_true(fault_disarm());
    ASSERT_STATUS(&h, LLMGR_OK, ask_ann());
    assert_int_equal(h.target.model_id, a1);
}

/* ---- Another process ------------------------------------------------------------------------- */

static void move(int64_t model)
{
    char sql[200];

    snprintf(sql, sizeof sql, "UPDATE user_ai_configs SET selected_model_id = %lld",
             (long long)model);
    db_sql(&h.db, sql);
}

static int64_t elsewhere;

static void choose_elsewhere(void)
{
    move(elsewhere);
}

static void choose_once(void)
{
    before_write = NULL;
    move(elsewhere);
}

static void choose_another_that_is_gone(void)
{
    move(++elsewhere);
}

static void a_choice_made_meanwhile_is_not_overwritten(void **state)
{
    (void)state;
    pick(&h, "ann", "main", a, 4711);
    before_write = choose_once;
    elsewhere = a2;
    ASSERT_STATUS(&h, LLMGR_OK, ask_ann());
    assert_int_equal(h.target.model_id, a2);
    assert_false(h.target.repaired);
    assert_int_equal(stored("main"), a2);
}

static void a_catalogue_that_cannot_be_read_again_is_an_error(void **state)
{
    (void)state;
    pick(&h, "ann", "main", a, 4711);
    before_write = choose_once;
    elsewhere = a2;
    fault_arm("lm_catalogue_reload", 0, 0);
    want_message(LLMGR_ERR_DATABASE, ask_ann(), "out of order", "");
    assert_true(fault_disarm());
}

static void a_choice_that_others_keep_changing_is_left_to_them(void **state)
{
    (void)state;
    pick(&h, "ann", "main", a, 4711);
    elsewhere = 5000;
    writes = 0;
    before_write = choose_another_that_is_gone;
    ASSERT_STATUS(&h, LLMGR_OK, ask_ann());
    assert_int_equal(h.target.model_id, a1);
    assert_true(h.target.fell_back);
    assert_false(h.target.repaired);
    assert_true(writes < 10);
    assert_int_equal(stored("main"), elsewhere);
}

static void a_repair_that_others_keep_undoing_comes_to_an_end(void **state)
{
    (void)state;
    pick(&h, "ann", "main", a, 4711);
    elsewhere = 4711;
    writes = 0;
    after_write = choose_elsewhere;
    ASSERT_STATUS(&h, LLMGR_OK, ask_ann());
    assert_int_equal(h.target.model_id, a1);
    assert_true(writes < 200);
}

static void drop_fast(void)
{
    db_sql(&h.db, "DELETE FROM user_ai_configs WHERE slot = 'fast'");
}

static void forget_marks(struct lr_scene *scene)
{
    lr_scene_close(scene);
    lb_arena_reset(&h.arena);
}

static void all_choices_are_repaired_at_once_and_what_is_learnt_stays(void **state)
{
    (void)state;
    struct lr_scene scene;

    pick(&h, "ann", "main", a, 4711);
    pick(&h, "ann", "fast", a, 4712);
    pick(&h, "ann", "slow", b, b1);
    OK(&h, lr_scene_open_repaired(h.manager, LB_STR("ann"), NULL, &h.arena, &scene, &h.err));
    assert_int_equal(stored("main"), a1);
    assert_int_equal(stored("fast"), a1);
    assert_int_equal(stored("slow"), b1);
    assert_int_equal(lr_profile_selection(scene.profile, LB_STR("main"))->repaired, 1);
    assert_int_equal(lr_profile_selection(scene.profile, LB_STR("fast"))->repaired, 1);
    assert_int_equal(lr_profile_selection(scene.profile, LB_STR("slow"))->repaired, 0);
    forget_marks(&scene);

    /* One that another process takes away while the first is repaired is no trouble. */
    move(4711);
    after_write = drop_fast;
    OK(&h, lr_scene_open_repaired(h.manager, LB_STR("ann"), NULL, &h.arena, &scene, &h.err));
    assert_null(lr_profile_selection(scene.profile, LB_STR("fast")));
    forget_marks(&scene);

    /* One that could not be repaired is not tried again while the others are. */
    after_write = NULL;
    pick(&h, "ann", "fast", a, 4712);
    move(4711);
    writes = 0;
    fault_arm("lm_write", 0, 0);
    OK(&h, lr_scene_open_repaired(h.manager, LB_STR("ann"), NULL, &h.arena, &scene, &h.err));
    assert_true(fault_disarm());
    assert_int_equal(db_number(&h.db, "SELECT COUNT(*) FROM user_ai_configs"
                                      " WHERE selected_model_id = 4711"),
                     1);
    forget_marks(&scene);
}

/* ---- Fingerprints ---------------------------------------------------------------------------- */

static llmgr_status fingerprint(const char *platform_name, size_t limit, const char **text,
                                struct llmgr_error *err)
{
    struct lb_arena small;
    struct lr_scene scene;
    static char copy[64];

    OK(&h, lr_scene_open(h.manager, LB_STR("-1"), &h.arena, &scene, &h.err));
    const struct lm_platform *platform =
        lm_catalogue_platform_named(scene.catalogue, lb_cstr(platform_name));
    struct lr_key_choice key = lr_choose_key(&scene, platform);
    lb_arena_init(&small, &h.host, NULL, 0, limit);
    llmgr_status status =
        lr_choice_fingerprint(h.manager, &scene, platform, &key, 0, &small, text, err);
    if (*text != NULL) {
        snprintf(copy, sizeof copy, "%s", *text);
        *text = copy;
    }
    lb_arena_free(&small);
    lr_scene_close(&scene);
    return status;
}

static void a_fingerprint_is_of_a_key_that_opens(void **state)
{
    (void)state;
    const char *text = NULL;

    OK(&h, fingerprint("A", 4096, &text, &h.err));
    assert_true(lb_str_starts(lb_cstr(text), LB_STR("key:")));
    OK(&h, fingerprint("B", 4096, &text, &h.err));
    assert_null(text);
    assert_int_equal(fingerprint("A", 0, &text, NULL), LLMGR_ERR_NO_MEMORY);
    assert_null(text);
    /* It was sealed for another address: nothing to show, and no error for the list it is in. */
    db_sql(&h.db, "UPDATE llm_platforms SET base_url = 'https://a.example.com:444/v1'");
    site_reopen(&h);
    OK(&h, fingerprint("A", 4096, &text, &h.err));
    assert_null(text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_missing_key_names_who_can_give_it_and_where),
        CASE(a_caller_is_told_what_callers_can_do),
        CASE(a_caller_is_told_what_callers_can_do),
        CASE(an_unreadable_key_is_to_be_stored_again_by_its_owner),
        CASE(a_question_that_is_no_name_is_refused_before_anything_is_read),
        CASE(a_target_without_a_payer_yields_no_key),
        CASE(a_platform_that_is_not_there_and_one_of_another_user_are_the_same),
        CASE(an_answer_that_cannot_be_known_is_an_error),
        CASE(a_repair_that_cannot_be_written_still_answers_and_is_done_later),
        CASE(a_repair_that_cannot_be_read_back_is_an_error),
        CASE(a_choice_made_meanwhile_is_not_overwritten),
        CASE(a_catalogue_that_cannot_be_read_again_is_an_error),
        CASE(a_choice_that_others_keep_changing_is_left_to_them),
        CASE(a_repair_that_others_keep_undoing_comes_to_an_end),
        CASE(all_choices_are_repaired_at_once_and_what_is_learnt_stays),
        CASE(a_fingerprint_is_of_a_key_that_opens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
