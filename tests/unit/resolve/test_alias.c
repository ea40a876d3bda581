/* SPDX-License-Identifier: MIT */
/* Aliases: asked last, exact before patterns, long before short, own before the operator's. */
#include "manager/aliases.h"
#include "manager/selections.h"
#include "resolve/alias.h"

#include "../manager/site.h"

static struct site h;
static int64_t a, one, two, odd;

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    a = sys_platform(&h, "A", "https://a.example.com/v1", 0, "sk-server-a");
    one = add_model(&h, NULL, a, "One", "m-1");
    two = add_model(&h, NULL, a, "Two", "m-2");
    odd = add_model(&h, NULL, a, "Real", "gpt-4o-real");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_teardown(&h);
    return 0;
}

static void operator_has(const char *name, const char *target)
{
    char sql[512];

    snprintf(sql, sizeof sql,
             "INSERT INTO llm_aliases (is_sys, user_id, name, target) VALUES (1, '-1', '%s', '%s')",
             name, target);
    db_sql(&h.db, sql);
    site_reopen(&h);
}

static llmgr_status set(const char *user, const char *name, const char *target)
{
    return lm_alias_set(h.manager, lb_cstr(user), lb_cstr(name), lb_cstr(target), &h.err);
}

static int64_t asked(const char *user, const char *model)
{
    OK(&h, ask(&h, user, NULL, model));
    return h.target.model_id;
}

static void an_alias_is_asked_last(void **state)
{
    (void)state;
    OK(&h, set("ann", "m-1", "Two"));
    OK(&h, set("ann", "Real", "Two"));
    OK(&h, set("ann", "A/m-1", "Two"));
    OK(&h, set("ann", "gpt-4o*", "Two"));
    OK(&h, set("ann", "*", "Two"));
    assert_int_equal(asked("ann", "m-1"), one);
    assert_int_equal(asked("ann", "Real"), odd);
    assert_int_equal(asked("ann", "A/m-1"), one);
    assert_int_equal(asked("ann", "gpt-4o-real"), odd);
    assert_int_equal(asked("ann", "auto"), one);
    assert_int_equal(asked("ann", "gpt-4o-mini"), two);
    assert_int_equal(asked("ann", "whatever"), two);
    /* A slot is a name too. */
    OK(&h, lm_selection_save(h.manager, LB_STR("ann"), LB_STR("fast"), a, one, &h.err));
    OK(&h, set("ann", "fast", "Two"));
    assert_int_equal(asked("ann", "fast"), one);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ben", NULL, "gpt-4o-mini"));
}

static void exact_comes_before_long_and_long_before_short(void **state)
{
    (void)state;
    OK(&h, set("ann", "claude-*", "One"));
    OK(&h, set("ann", "claude-opus-*", "Two"));
    OK(&h, set("ann", "*-thinking", "Real"));
    OK(&h, set("ann", "claude-opus-4", "Real"));
    assert_int_equal(asked("ann", "claude-haiku"), one);
    assert_int_equal(asked("ann", "claude-"), one);
    assert_int_equal(asked("ann", "claude-opus-3"), two);
    assert_int_equal(asked("ann", "claude-opus-4"), odd);
    assert_int_equal(asked("ann", "claude-x-thinking"), odd); /* 9 letters against 7 */
    assert_int_equal(asked("ann", "claude-opus-thinking"), two);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "claude"));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "Claude-haiku"));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "xclaude-haiku"));
}

static void ones_own_comes_before_the_operators_only_among_equals(void **state)
{
    (void)state;
    operator_has("claude-*", "One");
    operator_has("claude-opus-4", "One");
    assert_int_equal(asked("ann", "claude-x"), one);
    OK(&h, set("ann", "claude-*", "Two"));
    assert_int_equal(asked("ann", "claude-x"), two);
    assert_int_equal(asked("ann", "claude-opus-4"), one); /* exact, though it is the operator's */
    OK(&h, set("ann", "claude-opus-4", "Real"));
    assert_int_equal(asked("ann", "claude-opus-4"), odd);
    assert_int_equal(asked("ben", "claude-opus-4"), one);
    ASSERT_STATUS(&h, LLMGR_ERR_FORBIDDEN,
                  lm_alias_delete(h.manager, LB_STR("ben"), LB_STR("claude-*"), &h.err));
    OK(&h, lm_alias_delete(h.manager, LB_STR("ann"), LB_STR("claude-*"), &h.err));
    assert_int_equal(asked("ann", "claude-x"), one);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lm_alias_delete(h.manager, LB_STR("ann"), LB_STR("gone"), &h.err));
}

static void it_stands_for_slots_and_for_models_but_not_for_aliases(void **state)
{
    (void)state;
    OK(&h, lm_selection_save(h.manager, LB_STR("ann"), LB_STR("fast"), a, two, &h.err));
    OK(&h, set("ann", "quick", "fast"));
    OK(&h, set("ann", "some", "auto"));
    OK(&h, set("ann", "full", "A/m-2"));
    OK(&h, set("ann", "chain", "quick"));
    assert_int_equal(asked("ann", "quick"), two);
    assert_true(lb_str_eq_c(h.target.slot, "fast"));
    assert_int_equal(asked("ann", "some"), one);
    assert_int_equal(asked("ann", "full"), two);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "chain"));
    assert_non_null(strstr(h.err.message, "the alias 'chain' stands for 'quick'"));
}

/* Who chose nothing for a usual slot has main there: an alias for everybody may name it. */
static void a_usual_slot_without_a_choice_is_main(void **state)
{
    (void)state;
    OK(&h, lm_selection_save(h.manager, LB_STR("ann"), LB_STR("fast"), a, two, &h.err));
    operator_has("claude-*", "fast");
    operator_has("o3", "reason");
    operator_has("o4", "coding");
    assert_int_equal(asked("ann", "claude-x"), two);
    assert_int_equal(asked("ben", "claude-x"), one);
    assert_true(lb_str_eq_c(h.target.slot, "fast"));
    assert_int_equal(asked("ben", "o3"), one);
    OK(&h, lm_selection_save(h.manager, LB_STR("ben"), LB_STR("main"), a, two, &h.err));
    assert_int_equal(asked("ben", "claude-x"), two);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ben", NULL, "o4"));
    assert_non_null(strstr(h.err.message, "the alias 'o4' stands for 'coding'"));
}

static void explain_shows_it(void **state)
{
    (void)state;
    struct lr_request request = {.user = LB_STR("ann"), .model = LB_STR("claude-x")};
    struct llmgr_explanation told;
    size_t chosen = 0;

    OK(&h, set("ann", "claude-*", "Two"));
    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    assert_string_equal(told.alias, "claude-*");
    assert_string_equal(told.alias_target, "Two");
    for (size_t i = 0; i < told.count; i++) {
        if (told.items[i].chosen) {
            assert_int_equal(told.items[i].model_id, two);
            chosen++;
        }
    }
    assert_int_equal(chosen, 1);
    request.model = LB_STR("m-1");
    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    assert_null(told.alias);
    OK(&h, set("ann", "some", "auto"));
    request.model = LB_STR("some");
    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    assert_string_equal(told.items[0].reason, "fallback");
    assert_string_equal(told.alias_target, "auto");
}

static void what_is_no_alias_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *target, *says;
    } ROWS[] = {
        {"", "One", "alias: it is empty"},      {"a*b*", "One", "more than one '*'"},
        {"**", "One", "more than one '*'"},     {"auto", "One", "are slots"},
        {"main", "One", "are slots"},           {"same", "same", "stands for itself"},
        {"x", "", "stands for: it is empty"},   {"x\n", "One", "control characters"},
        {" x", "One", "begins or ends with a"}, {"x", "One\t", "control characters"},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        ASSERT_STATUS(&h, LLMGR_ERR_INVALID, set("ann", ROWS[i].name, ROWS[i].target));
        if (strstr(h.err.message, ROWS[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", h.err.message, ROWS[i].says);
    }
    char name[16];
    for (int i = 0; i < LM_ALIASES_PER_USER; i++) {
        snprintf(name, sizeof name, "n-%d", i);
        OK(&h, set("ann", name, "One"));
    }
    ASSERT_STATUS(&h, LLMGR_ERR_TOO_LARGE, set("ann", "one-more", "One"));
    OK(&h, set("ann", "n-0", "Two"));
    assert_int_equal(asked("ann", "n-0"), two);
    ASSERT_STATUS(&h, LLMGR_ERR_INVALID,
                  lm_selection_save(h.manager, LB_STR("ann"), LB_STR("a/b"), a, one, &h.err));
}

static void they_are_listed_own_ones_first(void **state)
{
    (void)state;
    struct llmgr_alias *items;
    size_t count;

    operator_has("z", "One");
    OK(&h, set("ann", "y", "One"));
    OK(&h, set("ann", "b", "Two"));
    OK(&h, lr_aliases(h.manager, LB_STR("ann"), NULL, &h.arena, &items, &count, &h.err));
    assert_int_equal(count, 3);
    assert_string_equal(items[0].name, "b");
    assert_string_equal(items[1].name, "y");
    assert_false(items[1].is_sys);
    assert_string_equal(items[2].name, "z");
    assert_true(items[2].is_sys);
    OK(&h, lr_aliases(h.manager, LB_STR("ben"), NULL, &h.arena, &items, &count, &h.err));
    assert_int_equal(count, 1);
}

/* The block of a profile holds private platforms behind the aliases. */
static void private_platforms_stand_beside_aliases(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Own", "https://own.example.org/v1", "sk-own");
    int64_t mine = add_model(&h, "ann", own, "Mine", "mine-1");

    for (int round = 0; round < 3; round++) {
        char name[16];
        snprintf(name, sizeof name, "alias-%d", round);
        OK(&h, set("ann", name, "Own/Mine"));
        assert_int_equal(asked("ann", "alias-0"), mine);
        assert_int_equal(asked("ann", "Mine"), mine);
        assert_true(lb_str_eq_c(h.target.base_url, "https://own.example.org/v1"));
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(an_alias_is_asked_last),
        CASE(exact_comes_before_long_and_long_before_short),
        CASE(ones_own_comes_before_the_operators_only_among_equals),
        CASE(it_stands_for_slots_and_for_models_but_not_for_aliases),
        CASE(a_usual_slot_without_a_choice_is_main),
        CASE(explain_shows_it),
        CASE(what_is_no_alias_is_refused),
        CASE(they_are_listed_own_ones_first),
        CASE(private_platforms_stand_beside_aliases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
