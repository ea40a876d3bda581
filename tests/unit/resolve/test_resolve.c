/* SPDX-License-Identifier: MIT */
/* The manager's rules as resolve keeps them: keys, choices, modes, repair, names. */
#include "library/open.h"
#include "resolve/resolve.h"

#include "../manager/site.h"

#define URL_A "https://a.example.com/v1"
#define URL_B "https://b.example.com/v1"
#define URL_C "https://c.example.com/v1"
#define URL_OWN "https://own.example.org/v1"

static struct site h;
static int64_t a, b, c;        /* system platforms: a without a server key, b with, c with */
static int64_t a1, b1, b2, c1; /* their models */

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    a = sys_platform(&h, "A", URL_A, 0, NULL);
    b = sys_platform(&h, "B/hub", URL_B, 1, "sk-server-b");
    c = sys_platform(&h, "C", URL_C, 2, "sk-server-c");
    a1 = add_model(&h, NULL, a, "Alpha", "org/alpha-1");
    b1 = add_model(&h, NULL, b, "Beta", "org/beta-1");
    b2 = add_model(&h, NULL, b, "Beta two", "org/beta-2");
    c1 = add_model(&h, NULL, c, "Gamma", "org/beta-1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_teardown(&h);
    return 0;
}

static void assert_text(struct lb_str text, const char *want)
{
    assert_string_equal(text.p, want);
    assert_int_equal(text.size, strlen(want));
}

static void assert_target(int64_t platform, int64_t model, enum lm_payer payer, const char *key)
{
    assert_int_equal(h.target.platform_id, platform);
    assert_int_equal(h.target.model_id, model);
    assert_int_equal(h.target.payer, payer);
    assert_string_equal(key_of(&h), key);
}

/* ---- Keys ---- */

static void who_never_chose_gets_the_first_usable_system_model_and_nothing_is_written(void **state)
{
    (void)state;
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    assert_true(h.target.is_default);
    assert_false(h.target.repaired);
    assert_text(h.target.platform_name, "B/hub");
    assert_text(h.target.base_url, URL_B);
    assert_text(h.target.origin, "https://b.example.com:443");
    assert_text(h.target.protocol, "openai");
    assert_text(h.target.model_name, "org/beta-1");
    assert_text(h.target.display_name, "Beta");
    assert_text(h.target.extra_body, "");
    assert_text(h.target.key_env, "SOME_API_KEY");
    assert_text(h.target.user, "ann");
    assert_text(h.target.slot, "main");
    assert_int_equal(db_number(&h.db, "SELECT COUNT(*) FROM user_ai_configs"), 0);
}

static void an_own_key_goes_before_the_server_key(void **state)
{
    (void)state;
    own_key(&h, "ann", b, URL_B, "sk-ann");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(b, b1, LM_PAYER_USER, "sk-ann");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
}

static void an_own_key_makes_a_platform_the_first_usable_one(void **state)
{
    (void)state;
    own_key(&h, "ann", a, URL_A, "sk-ann");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(a, a1, LM_PAYER_USER, "sk-ann");
}

static void auto_key_off_leaves_only_own_keys(void **state)
{
    (void)state;
    own_key(&h, "ann", c, URL_C, "sk-ann");
    site_auto_key(&h, false);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(c, c1, LM_PAYER_USER, "sk-ann");
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "bob", NULL, NULL));
    assert_target(a, a1, LM_PAYER_NONE, "");
    assert_non_null(strstr(h.err.message, "auto_key"));
    assert_int_equal(h.target.sealed_key.size, 0);
}

static void the_system_user_has_the_server_key_without_auto_key(void **state)
{
    (void)state;
    site_auto_key(&h, false);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, LLMGR_SYSTEM_USER, NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, NULL, NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
}

static void resolve_never_yields_another_users_key(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Ann's", URL_OWN, "sk-private");
    int64_t model = add_model(&h, "ann", own, "Mine", "mine-1");
    own_key(&h, "ann", b, URL_B, "sk-ann");
    pick(&h, "bob", "main", own, model);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    assert_true(h.target.repaired);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "bob", NULL, "Mine"));
    char foreign[512];
    snprintf(foreign, sizeof foreign, "%s", h.err.message);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "bob", NULL, "Nine"));
    *strstr(foreign, "Mine") = 'N';
    assert_string_equal(foreign, h.err.message);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lr_resolve_platform(h.manager, lb_cstr("bob"), own, &h.arena, &h.target, &h.err));
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "Mine"));
    assert_target(own, model, LM_PAYER_USER, "sk-private");
}

static void a_key_sealed_for_another_row_user_or_address_is_no_key(void **state)
{
    (void)state;
    own_key(&h, "ann", a, URL_A, "sk-ann");
    db_sql(&h.db, "UPDATE llm_sys_platform_keys SET user_id = 'bob'");
    pick(&h, "bob", "main", a, a1);
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "bob", NULL, NULL));
    assert_non_null(strstr(h.err.message, "cannot be used"));
    assert_int_equal(h.target.sealed_key.size, 0);
    db_sql(&h.db, "UPDATE llm_platforms SET base_url = 'https://evil.example' WHERE name = 'C'");
    site_reopen(&h);
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "cyd", NULL, "Gamma"));
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "cyd", NULL, "org/beta-1"));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
}

static void an_unreadable_own_key_gives_way_to_the_server_key(void **state)
{
    (void)state;
    own_key(&h, "ann", b, URL_C, "sk-ann"); /* for another origin */
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
}

static void an_unreadable_key_of_a_private_platform_is_no_key(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Ann's", URL_OWN, "sk-ann");
    int64_t mine = add_model(&h, "ann", own, "Mine", "m");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "Mine"));
    db_sql(&h.db, "UPDATE llm_platforms SET base_url = 'https://evil.example' WHERE is_sys = 0");
    site_reopen(&h);
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Mine"));
    assert_target(own, mine, LM_PAYER_NONE, "");
    assert_non_null(strstr(h.err.message, "cannot be used"));
}

static void a_placeholder_is_no_key(void **state)
{
    (void)state;
    server_key(&h, b, URL_B, "{B_API_KEY}");
    own_key(&h, "ann", c, URL_C, "{MINE}");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(c, c1, LM_PAYER_SYSTEM, "sk-server-c");
}

static void a_stored_choice_without_a_key_is_the_error_and_says_what_to_do(void **state)
{
    (void)state;
    pick(&h, "ann", "main", a, a1);
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, NULL));
    assert_target(a, a1, LM_PAYER_NONE, "");
    assert_non_null(strstr(h.err.message, "SOME_API_KEY"));
    assert_non_null(strstr(h.err.message, "set-key"));
}

/* ---- Slots ---- */

static void a_slot_without_a_choice_follows_main(void **state)
{
    (void)state;
    pick(&h, "ann", "main", c, c1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", "fast", NULL));
    assert_target(c, c1, LM_PAYER_SYSTEM, "sk-server-c");
    assert_false(h.target.is_default);
    assert_text(h.target.slot, "fast");
    pick(&h, "ann", "fast", b, b2);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", "fast", NULL));
    assert_target(b, b2, LM_PAYER_SYSTEM, "sk-server-b");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(c, c1, LM_PAYER_SYSTEM, "sk-server-c");
}

static void hidden_platforms_and_models_still_resolve(void **state)
{
    (void)state;
    pick(&h, "ann", "main", c, c1);
    act(&h, "ann",
        (struct act){.statement = LS_OWN_HIDE_SET,
                     .values = {ls_cstr("ann"), ls_int(c), ls_int(1)},
                     .count = 3});
    act(&h, "ann",
        (struct act){
            .statement = LS_MODEL_HIDE, .values = {ls_cstr("ann"), ls_int(c1)}, .count = 2});
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(c, c1, LM_PAYER_SYSTEM, "sk-server-c");
}

static void single_mode_makes_everybody_the_system_user(void **state)
{
    (void)state;
    pick(&h, LLMGR_SYSTEM_USER, "main", c, c1);
    pick(&h, "ann", "main", b, b2);
    site_mode(&h, LLMGR_MODE_SINGLE);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(c, c1, LM_PAYER_SYSTEM, "sk-server-c");
    assert_text(h.target.user, LLMGR_SYSTEM_USER);
}

static void switching_the_mode_deletes_nothing(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Ann's", URL_OWN, "sk-private");
    int64_t model = add_model(&h, "ann", own, "Mine", "mine-1");
    pick(&h, "ann", "main", own, model);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(own, model, LM_PAYER_USER, "sk-private");
    site_mode(&h, LLMGR_MODE_FIXED);
    for (int i = 0; i < 2; i++) {
        ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
        assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
        assert_true(h.target.fell_back);
        assert_false(h.target.repaired);
        assert_false(h.target.is_default);
    }
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "Mine"));
    site_mode(&h, LLMGR_MODE_CUSTOM);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(own, model, LM_PAYER_USER, "sk-private");
    assert_false(h.target.fell_back);
}

/* ---- Repair ---- */

static void a_choice_whose_model_is_gone_is_repaired_once(void **state)
{
    (void)state;
    pick(&h, "ann", "main", c, c1);
    pick(&h, "ann", "fast", b, b2);
    drop_model(&h, NULL, c1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    assert_true(h.target.repaired);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    assert_false(h.target.repaired);
    assert_int_equal(db_number(&h.db, "SELECT selected_model_id FROM user_ai_configs"
                                      " WHERE user_id = 'ann' AND slot = 'main'"),
                     b1);
    assert_int_equal(db_number(&h.db, "SELECT selected_model_id FROM user_ai_configs"
                                      " WHERE user_id = 'ann' AND slot = 'fast'"),
                     b2);
}

static void a_model_of_another_platform_is_gone(void **state)
{
    (void)state;
    pick(&h, "ann", "main", c, b2);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    assert_true(h.target.repaired);
}

static void repair_goes_by_the_users_own_keys(void **state)
{
    (void)state;
    own_key(&h, "ann", a, URL_A, "sk-ann");
    pick(&h, "ann", "main", c, c1);
    drop_model(&h, NULL, c1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(a, a1, LM_PAYER_USER, "sk-ann");
    assert_true(h.target.repaired);
}

static void a_stale_catalogue_repairs_nothing_that_exists(void **state)
{
    (void)state;
    h.options.poll_ms = 600000;
    site_reopen(&h);
    struct lm_manager *other = site_open_another(&h);
    struct lm_manager *mine = h.manager;
    h.manager = other;
    int64_t fresh = add_model(&h, NULL, c, "Fresh", "fresh-1");
    pick(&h, "ann", "main", c, fresh);
    h.manager = mine;
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_target(c, fresh, LM_PAYER_SYSTEM, "sk-server-c");
    assert_false(h.target.repaired);
    la_manager_close(other);
}

static void a_read_only_manager_uses_the_first_choice_and_writes_nothing(void **state)
{
    (void)state;
    pick(&h, "ann", "main", c, c1);
    drop_model(&h, NULL, c1);
    h.options.read_only = true;
    site_reopen(&h);
    for (int i = 0; i < 2; i++) {
        ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
        assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
        assert_true(h.target.fell_back);
        assert_false(h.target.repaired);
    }
    assert_int_equal(db_number(&h.db, "SELECT selected_model_id FROM user_ai_configs"), c1);
}

static void without_any_system_model_the_error_says_to_sync(void **state)
{
    (void)state;
    db_sql(&h.db, "DELETE FROM llm_platform_models");
    site_reopen(&h);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, NULL));
    assert_non_null(strstr(h.err.message, "llmgr sync"));
    pick(&h, "ann", "main", c, c1);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, NULL));
    assert_int_equal(db_number(&h.db, "SELECT selected_model_id FROM user_ai_configs"), c1);
    db_sql(&h.db, "DELETE FROM llm_platforms");
    site_reopen(&h);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, NULL));
    assert_non_null(strstr(h.err.message, "llmgr.yaml"));
}

/* ---- Names ---- */

static void a_model_is_found_by_slot_path_display_and_model_name(void **state)
{
    (void)state;
    pick(&h, "ann", "fast", c, c1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "fast"));
    assert_int_equal(h.target.model_id, c1);
    assert_text(h.target.slot, "fast");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "auto"));
    assert_int_equal(h.target.model_id, b1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "B/hub/Beta two"));
    assert_int_equal(h.target.model_id, b2);
    assert_text(h.target.slot, "");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "B/hub/org/beta-2"));
    assert_int_equal(h.target.model_id, b2);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "C/org/beta-1"));
    assert_int_equal(h.target.model_id, c1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "Gamma"));
    assert_int_equal(h.target.model_id, c1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "org/beta-1"));
    assert_int_equal(h.target.model_id, b1);
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "A/Alpha"));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "A/Gamma"));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "bob", NULL, "fast"));
    ASSERT_STATUS(&h, LLMGR_ERR_INVALID, ask(&h, "bob", NULL, "a\nb"));
    ASSERT_STATUS(&h, LLMGR_ERR_INVALID, ask(&h, "bob", "\xff", NULL));
    ASSERT_STATUS(&h, LLMGR_ERR_INVALID, ask(&h, "b\x01", NULL, NULL));
}

static void a_display_name_outranks_a_model_name(void **state)
{
    (void)state;
    int64_t named = add_model(&h, NULL, b, "Delta", "Gamma");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "Gamma"));
    assert_int_equal(h.target.model_id, c1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "B/hub/Gamma"));
    assert_int_equal(h.target.model_id, named);
}

static void among_equals_a_usable_key_goes_first_then_own_then_order(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Ann's", URL_OWN, NULL);
    int64_t mine = add_model(&h, "ann", own, "Gamma", "org/beta-1");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "Gamma"));
    assert_int_equal(h.target.model_id, c1);
    act(&h, "ann",
        (struct act){.statement = LS_PLATFORM_SET_KEY,
                     .values = {ls_int(own), ls_cstr("ann"), ls_null()},
                     .count = 3,
                     .key = "sk-private",
                     .key_at = 2,
                     .place = {LK_KEY_OF_PLATFORM, LB_STR("ann"), own, origin_of(&h, URL_OWN)}});
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, "Gamma"));
    assert_target(own, mine, LM_PAYER_USER, "sk-private");
    own_key(&h, "bob", c, URL_C, "sk-bob");
    site_auto_key(&h, false);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", NULL, "org/beta-1"));
    assert_target(c, c1, LM_PAYER_USER, "sk-bob");
}

static void system_and_platform_look_ups_use_the_same_rules(void **state)
{
    (void)state;
    site_auto_key(&h, false);
    OK(&h, lr_resolve_system(h.manager, LB_STR("B/hub"), LB_STR("Beta two"), &h.arena, &h.target,
                             &h.err));
    assert_target(b, b2, LM_PAYER_SYSTEM, "sk-server-b");
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lr_resolve_system(h.manager, LB_STR("B/hub"), LB_STR("Gamma"), &h.arena,
                                    &h.target, &h.err));
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY,
                  lr_resolve_platform(h.manager, LB_STR("ann"), b, &h.arena, &h.target, &h.err));
    own_key(&h, "ann", b, URL_B, "sk-ann");
    OK(&h, lr_resolve_platform(h.manager, LB_STR("ann"), b, &h.arena, &h.target, &h.err));
    assert_target(b, 0, LM_PAYER_USER, "sk-ann");
}

/* What a platform keeps is found there, whatever the user chose for other questions. */
static void by_platform_goes_to_that_platform_and_to_no_foreign_one(void **state)
{
    int64_t own = own_platform(&h, "ann", "Own", URL_OWN, "sk-own");
    struct lr_request request = {.user = LB_STR("ann"), .platform_id = c};

    (void)state;
    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_target(c, c1, LM_PAYER_SYSTEM, "sk-server-c");
    assert_true(lr_target_is_borrowed(&h.target));
    request.platform_id = b;
    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    pick(&h, "ann", "main", b, b2);
    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_target(b, b2, LM_PAYER_SYSTEM, "sk-server-b");
    own_key(&h, "ann", b, URL_B, "sk-ann");
    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_target(b, b2, LM_PAYER_USER, "sk-ann");
    assert_false(lr_target_is_borrowed(&h.target));
    request.platform_id = own;
    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_target(own, 0, LM_PAYER_USER, "sk-own");
    assert_false(lr_target_is_borrowed(&h.target));
    request.user = LB_STR("bob");
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    request.platform_id = 987654;
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    request = (struct lr_request){.user = LB_STR(LLMGR_SYSTEM_USER), .platform_id = c};
    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_false(lr_target_is_borrowed(&h.target));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(who_never_chose_gets_the_first_usable_system_model_and_nothing_is_written),
        CASE(an_own_key_goes_before_the_server_key),
        CASE(an_own_key_makes_a_platform_the_first_usable_one),
        CASE(auto_key_off_leaves_only_own_keys),
        CASE(the_system_user_has_the_server_key_without_auto_key),
        CASE(resolve_never_yields_another_users_key),
        CASE(a_key_sealed_for_another_row_user_or_address_is_no_key),
        CASE(an_unreadable_own_key_gives_way_to_the_server_key),
        CASE(an_unreadable_key_of_a_private_platform_is_no_key),
        CASE(a_placeholder_is_no_key),
        CASE(a_stored_choice_without_a_key_is_the_error_and_says_what_to_do),
        CASE(a_slot_without_a_choice_follows_main),
        CASE(hidden_platforms_and_models_still_resolve),
        CASE(single_mode_makes_everybody_the_system_user),
        CASE(switching_the_mode_deletes_nothing),
        CASE(a_choice_whose_model_is_gone_is_repaired_once),
        CASE(a_model_of_another_platform_is_gone),
        CASE(repair_goes_by_the_users_own_keys),
        CASE(a_stale_catalogue_repairs_nothing_that_exists),
        CASE(a_read_only_manager_uses_the_first_choice_and_writes_nothing),
        CASE(without_any_system_model_the_error_says_to_sync),
        CASE(a_model_is_found_by_slot_path_display_and_model_name),
        CASE(a_display_name_outranks_a_model_name),
        CASE(among_equals_a_usable_key_goes_first_then_own_then_order),
        CASE(system_and_platform_look_ups_use_the_same_rules),
        CASE(by_platform_goes_to_that_platform_and_to_no_foreign_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
