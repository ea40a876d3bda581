/* SPDX-License-Identifier: MIT */
/* Explain and the lists say what resolve does, and write nothing. */
#include "manager/models.h"
#include "manager/platforms.h"
#include "manager/pools.h"
#include "manager/routes.h"

#include "../manager/site.h"

#define URL_A "https://a.example.com/v1"
#define URL_B "https://b.example.com/v1"
#define URL_OWN "https://own.example.org/v1"

static struct site h;
static int64_t a, b, empty, own;
static int64_t a1, b1, own1;

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    empty = sys_platform(&h, "Empty", "https://e.example.com", 0, "sk-e");
    a = sys_platform(&h, "A", URL_A, 1, NULL);
    b = sys_platform(&h, "B", URL_B, 2, "sk-server-b");
    a1 = add_model(&h, NULL, a, "Alpha", "m-1");
    b1 = add_model(&h, NULL, b, "Beta", "m-1");
    own = own_platform(&h, "ann", "Own", URL_OWN, "sk-private");
    own1 = add_model(&h, "ann", own, "Mine", "m-1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_teardown(&h);
    return 0;
}

static struct llmgr_explanation explain(const char *user, const char *slot, const char *model)
{
    struct lr_request request = {
        .user = lb_cstr(user), .slot = lb_cstr(slot), .model = lb_cstr(model)};
    struct llmgr_explanation told = {0};

    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    return told;
}

static void assert_candidate(const struct llmgr_candidate *item, int64_t platform, int64_t model,
                             const char *reason, bool chosen, const char *payer)
{
    assert_int_equal(item->platform_id, platform);
    assert_int_equal(item->model_id, model);
    assert_string_equal(item->reason, reason);
    assert_int_equal(item->chosen, chosen);
    if (payer == NULL) {
        assert_null(item->payer);
        assert_null(item->key_fingerprint);
    } else {
        assert_string_equal(item->payer, payer);
        assert_int_equal(strlen(item->key_fingerprint), 12);
    }
    assert_true(item->text[0] != '\0');
}

static void every_candidate_of_a_slot_has_its_reason(void **state)
{
    (void)state;
    struct llmgr_explanation told = explain("bob", NULL, NULL);
    assert_int_equal(told.status, LLMGR_OK);
    assert_string_equal(told.message, "");
    assert_int_equal(told.count, 3);
    assert_candidate(&told.items[0], empty, 0, "no_model", false, "system");
    assert_candidate(&told.items[1], a, a1, "no_key", false, NULL);
    assert_candidate(&told.items[2], b, b1, "fallback", true, "system");
    assert_true(told.items[2].kept);
    assert_false(told.items[1].kept);
}

static void stored_choices_stand_first(void **state)
{
    (void)state;
    pick(&h, "ann", "main", own, own1);
    struct llmgr_explanation told = explain("ann", "fast", NULL);
    assert_int_equal(told.count, 4);
    assert_candidate(&told.items[0], own, own1, "selected_main", true, "user");
    site_mode(&h, LLMGR_MODE_FIXED);
    told = explain("ann", NULL, NULL);
    assert_candidate(&told.items[0], own, own1, "hidden_by_mode", false, "user");
    assert_candidate(&told.items[3], b, b1, "fallback", true, "system");
}

static void a_default_is_of_a_kind_that_may_chat(void **state)
{
    (void)state;
    int64_t b2 = add_model(&h, NULL, b, "Beta two", "m-2");
    static const char *const OTHERS[] = {"completion", "embedding", "rerank",        "image",
                                         "video",      "speech",    "transcription", "moderation"};

    server_key(&h, a, URL_A, "sk-server-a");
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        set_kind(&h, NULL, a1, OTHERS[i]);
        set_kind(&h, NULL, b1, OTHERS[i]);
        struct llmgr_explanation told = explain("bob", NULL, NULL);
        assert_candidate(&told.items[1], a, 0, "no_chat", false, "system");
        assert_false(told.items[1].kept);
        assert_candidate(&told.items[2], b, b2, "fallback", true, "system");
        assert_int_equal(told.items[2].kind, LLMGR_MODEL_UNKNOWN);
        ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", NULL, NULL));
        assert_int_equal(h.target.model_id, b2);
    }
    set_kind(&h, NULL, a1, "chat");
    assert_int_equal(explain("bob", NULL, NULL).items[1].kind, LLMGR_MODEL_CHAT);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", NULL, NULL));
    assert_int_equal(h.target.model_id, a1);
    /* What a later release may know is not known to be something else. */
    set_kind(&h, NULL, a1, "telepathy");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", NULL, NULL));
    assert_int_equal(h.target.model_id, a1);
}

static void what_is_chosen_or_named_may_be_of_any_kind(void **state)
{
    (void)state;
    set_kind(&h, NULL, b1, "embedding");
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", NULL, "Beta"));
    assert_int_equal(h.target.model_id, b1);
    pick(&h, "bob", "vectors", b, b1);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", "vectors", NULL));
    assert_int_equal(h.target.model_id, b1);
    set_kind(&h, NULL, a1, "image");
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "bob", NULL, NULL));
    assert_non_null(strstr(h.err.message, "chats"));
}

static void explain_repairs_nothing(void **state)
{
    (void)state;
    pick(&h, "ann", "main", own, 12345);
    struct llmgr_explanation told = explain("ann", NULL, NULL);
    assert_candidate(&told.items[0], own, 12345, "gone", false, NULL);
    assert_candidate(&told.items[3], b, b1, "fallback", true, "system");
    assert_int_equal(db_number(&h.db, "SELECT selected_model_id FROM user_ai_configs"), 12345);
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    assert_true(h.target.repaired);
    told = explain("ann", NULL, NULL);
    assert_candidate(&told.items[0], b, b1, "selected", true, "system");
}

static void a_name_lists_those_it_names_in_order_and_then_the_others(void **state)
{
    (void)state;
    struct llmgr_explanation told = explain("ann", NULL, "m-1");
    assert_int_equal(told.count, 3);
    assert_candidate(&told.items[0], own, own1, "model_name", true, "user");
    assert_candidate(&told.items[1], a, a1, "no_key", false, NULL);
    assert_candidate(&told.items[2], b, b1, "model_name", false, "system");
    told = explain("ann", NULL, "B/m-1");
    assert_candidate(&told.items[0], b, b1, "platform_model_name", true, "system");
    assert_candidate(&told.items[1], own, own1, "not_named", false, "user");
    told = explain("bob", NULL, "Mine");
    assert_int_equal(told.count, 2);
    assert_int_equal(told.status, LLMGR_ERR_NOT_FOUND);
    assert_true(told.message[0] != '\0');
}

static void a_missing_key_is_told_with_its_cause(void **state)
{
    (void)state;
    own_key(&h, "bob", a, URL_B, "sk-bob"); /* for another origin */
    site_auto_key(&h, false);
    struct llmgr_explanation told = explain("bob", NULL, NULL);
    assert_int_equal(told.status, LLMGR_ERR_NO_KEY);
    assert_candidate(&told.items[1], a, a1, "key_unreadable", false, NULL);
    assert_candidate(&told.items[2], b, b1, "auto_key_off", false, NULL);
}

/* ---- Keys, and what is let alone ------------------------------------------------------------- */

enum { KEYS_MAX = 8 };

/* Lets alone the keys that `until_ms` says, in the order of asking; 0: not. */
struct looker {
    int64_t until_ms[KEYS_MAX];
    struct lr_target asked[KEYS_MAX];
    size_t count;
};

static bool look(void *context, const struct lr_target *target, struct lb_str account,
                 struct lb_arena *arena, const struct llmgr_cooled **cooled)
{
    struct looker *looker = context;

    (void)account;
    assert_true(looker->count < KEYS_MAX);
    looker->asked[looker->count] = *target;
    const int64_t until_ms = looker->until_ms[looker->count++];
    if (until_ms == 0)
        return true;
    struct llmgr_cooled *made = lb_arena_calloc(arena, 1, sizeof *made);
    made->until_ms = until_ms;
    *cooled = made;
    return true;
}

static struct llmgr_explanation explain_with(const char *user, const char *model, bool server_keys,
                                             struct looker *looker)
{
    struct lr_request request = {.user = lb_cstr(user), .model = lb_cstr(model)};
    const struct lr_explain_with with = {
        .server_keys = server_keys, .look = look, .context = looker};
    struct llmgr_explanation told = {0};

    OK(&h, lr_explain(h.manager, &request, &with, &h.arena, &told, &h.err));
    return told;
}

static void add_own_key(const char *key, int64_t weight, const char *account)
{
    OK(&h, lm_pool_add(h.manager, lm_actor_of(h.manager, LB_STR("bob")), b, lb_cstr(key), weight,
                       lb_cstr(account), NULL, &h.err));
}

static void each_key_of_ones_own_is_told_in_order(void **state)
{
    struct looker looker = {.until_ms = {0, 5}};

    (void)state;
    add_own_key("sk-bob-1", 1, NULL);
    add_own_key("sk-bob-2", 7, "org-b");
    add_own_key("sk-bob-3", 1, "org-b");
    const struct llmgr_explanation told = explain_with("bob", "Beta", false, &looker);
    const struct llmgr_candidate *item = &told.items[0];
    assert_int_equal(item->key_count, 3);
    assert_int_equal(item->keys[1].place, 2);
    assert_int_equal(item->keys[1].weight, 7);
    assert_null(item->keys[0].account);
    assert_string_equal(item->keys[1].account, "org-b");
    assert_string_equal(item->keys[0].fingerprint, item->key_fingerprint);
    assert_string_not_equal(item->keys[2].fingerprint, item->key_fingerprint);
    assert_null(item->keys[0].cooled);
    assert_int_equal(item->keys[1].cooled->until_ms, 5);
    assert_null(item->cooled);
    assert_true(item->chosen);
    /* It is asked of what would pay for that model there. */
    assert_int_equal(looker.count, 3);
    assert_int_equal(looker.asked[0].platform_id, b);
    assert_int_equal(looker.asked[0].model_id, b1);
    assert_int_equal(looker.asked[0].payer, LM_PAYER_USER);
    assert_true(looker.asked[0].platform_is_sys);
    assert_true(looker.asked[0].key_id != looker.asked[1].key_id);
    assert_int_equal(looker.asked[1].account_id, looker.asked[2].account_id);
    /* Others have the server's key, of which they are told the fingerprint. */
    assert_int_equal(explain_with("ann", "Beta", false, &looker).items[0].key_count, 0);
    assert_int_equal(explain_with("ann", "Beta", true, &looker).items[0].key_count, 1);
}

static void a_pool_is_let_alone_until_its_first_key_is_not(void **state)
{
    struct looker looker = {.until_ms = {9, 5, 7}};

    (void)state;
    for (const char *const *key = (const char *const[]){"sk-1", "sk-2", "sk-3", NULL}; *key; key++)
        add_own_key(*key, 1, NULL);
    const struct llmgr_explanation told = explain_with("bob", "Beta", false, &looker);
    assert_int_equal(told.items[0].cooled->until_ms, 5);
    assert_true(told.items[0].kept);
    assert_false(told.items[0].chosen);
}

static void one_model_with_one_key_is_asked_whatever_is_known(void **state)
{
    struct looker looker = {.until_ms = {5}};

    (void)state;
    const struct llmgr_explanation told = explain_with("bob", "Beta", true, &looker);
    assert_int_equal(looker.count, 0);
    assert_null(told.items[0].cooled);
    assert_true(told.items[0].chosen);
}

static void of_a_route_the_next_of_the_same_payer_serves(void **state)
{
    const struct llmgr_route_target targets[] = {{.model = "B/Beta", .weight = 1},
                                                 {.model = "Own/Mine", .weight = 1},
                                                 {.model = "A/Alpha", .weight = 1}};
    const struct lm_route_spec spec = {.name = LB_STR("smart"),
                                       .display_name = LB_STR(""),
                                       .attempts = 3,
                                       .deadline_ms = 60000,
                                       .targets = targets,
                                       .target_count = 3};
    struct looker looker = {.until_ms = {5}};

    (void)state;
    server_key(&h, a, URL_A, "sk-server-a");
    OK(&h, lm_route_add(h.manager, (struct lm_actor){LB_STR("ann"), false}, false, &spec, NULL,
                        &h.err));
    struct llmgr_explanation told = explain_with("ann", "smart", false, &looker);
    assert_int_equal(told.items[0].cooled->until_ms, 5);
    assert_int_equal(looker.count, 3);
    static const bool CHOSEN[] = {false, false, true};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(told.items[i].chosen, CHOSEN[i]);
    looker = (struct looker){.until_ms = {5, 0, 6}};
    told = explain_with("ann", "smart", false, &looker);
    for (size_t i = 0; i < 3; i++)
        assert_false(told.items[i].chosen);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void the_lists_show_system_platforms_in_order_then_own(void **state)
{
    struct llmgr_platform *platforms = NULL;
    struct llmgr_model *models = NULL;
    size_t count = 0;

    (void)state;
    OK(&h, lr_platforms(h.manager, LB_STR("ann"), NULL, &h.arena, &platforms, &count, &h.err));
    assert_int_equal(count, 4);
    assert_int_equal(platforms[0].platform_id, empty);
    assert_int_equal(platforms[1].platform_id, a);
    assert_false(platforms[1].api_key_set);
    assert_null(platforms[1].payer);
    assert_string_equal(platforms[2].payer, "system");
    assert_int_equal(platforms[3].platform_id, own);
    assert_false(platforms[3].platform_is_sys);
    assert_string_equal(platforms[3].payer, "user");
    assert_string_equal(platforms[3].base_url, URL_OWN);
    assert_string_not_equal(platforms[2].key_fingerprint, platforms[3].key_fingerprint);
    act(&h, "ann",
        (struct act){
            .statement = LS_MODEL_HIDE, .values = {ls_cstr("ann"), ls_int(b1)}, .count = 2});
    act(&h, "ann",
        (struct act){.statement = LS_OWN_HIDE_SET,
                     .values = {ls_cstr("ann"), ls_int(a), ls_int(1)},
                     .count = 3});
    OK(&h, lr_models(h.manager, LB_STR("ann"), NULL, &h.arena, &models, &count, &h.err));
    assert_int_equal(count, 3);
    assert_int_equal(models[0].model_id, a1);
    assert_true(models[0].platform_hide);
    assert_false(models[0].model_hide);
    assert_true(models[1].model_hide);
    assert_int_equal(models[2].model_id, own1);
    assert_string_equal(models[2].platform_name, "Own");
    assert_true(models[2].api_key_set);
    assert_null(models[2].extra_body);
    set_kind(&h, NULL, a1, "rerank");
    set_kind(&h, "ann", own1, "speech");
    OK(&h, lr_models(h.manager, LB_STR("ann"), NULL, &h.arena, &models, &count, &h.err));
    assert_int_equal(models[0].kind, LLMGR_MODEL_RERANK);
    assert_int_equal(models[1].kind, LLMGR_MODEL_UNKNOWN);
    assert_int_equal(models[2].kind, LLMGR_MODEL_SPEECH);
    OK(&h, lr_models(h.manager, LB_STR("bob"), NULL, &h.arena, &models, &count, &h.err));
    assert_int_equal(count, 2);
    assert_false(models[0].platform_hide);
    site_mode(&h, LLMGR_MODE_FIXED);
    OK(&h, lr_platforms(h.manager, LB_STR("ann"), NULL, &h.arena, &platforms, &count, &h.err));
    assert_int_equal(count, 3);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_candidate_of_a_slot_has_its_reason),
        CASE(stored_choices_stand_first),
        CASE(a_default_is_of_a_kind_that_may_chat),
        CASE(what_is_chosen_or_named_may_be_of_any_kind),
        CASE(explain_repairs_nothing),
        CASE(a_name_lists_those_it_names_in_order_and_then_the_others),
        CASE(a_missing_key_is_told_with_its_cause),
        CASE(each_key_of_ones_own_is_told_in_order),
        CASE(a_pool_is_let_alone_until_its_first_key_is_not),
        CASE(one_model_with_one_key_is_asked_whatever_is_known),
        CASE(of_a_route_the_next_of_the_same_payer_serves),
        CASE(the_lists_show_system_platforms_in_order_then_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
