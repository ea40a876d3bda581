/* SPDX-License-Identifier: MIT */
/*
 * Routes: asked behind slots and before models, each target by its own name, what is missing passed
 * over, and nobody's routes but one's own and the operator's.
 */
#include "manager/aliases.h"
#include "manager/platforms.h"
#include "manager/routes.h"
#include "manager/selections.h"
#include "resolve/route.h"

#include "../manager/site.h"

static struct site h;
static int64_t a, b, c, one, two, three;

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    a = sys_platform(&h, "A", "https://a.example.com/v1", 0, "sk-server-a");
    b = sys_platform(&h, "B/C", "https://b.example.com/v1", 1, "sk-server-b");
    c = sys_platform(&h, "Keyless", "https://c.example.com/v1", 2, NULL);
    one = add_model(&h, NULL, a, "One", "m-1");
    two = add_model(&h, NULL, b, "Two", "org/m-2");
    three = add_model(&h, NULL, c, "Three", "m-3");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_teardown(&h);
    return 0;
}

/* ---- Short forms ----------------------------------------------------------------------------- */

enum { TARGETS_MAX = 16 };

/* A route's spec of targets "A/One,B/C/Two"; the texts live until the next call. */
static struct lm_route_spec spec_of(const char *name, const char *targets)
{
    static struct llmgr_route_target items[TARGETS_MAX];
    static char text[2048];
    struct lm_route_spec spec = {.name = lb_cstr(name),
                                 .pick = LLMGR_UNSET,
                                 .sticky = LLMGR_UNSET,
                                 .on_exhausted = LLMGR_UNSET,
                                 .attempts = LLMGR_UNSET,
                                 .deadline_ms = LLMGR_UNSET};
    char *rest = text;

    if (targets == NULL)
        return spec;
    snprintf(text, sizeof text, "%s", targets);
    spec.targets = items;
    for (char *item; (item = strsep(&rest, ",")) != NULL && *item != '\0';)
        items[spec.target_count++] = (struct llmgr_route_target){.model = item, .weight = 1};
    return spec;
}

static int64_t id_of_last;

static llmgr_status make(const char *user, const char *name, const char *targets)
{
    const struct lm_route_spec spec = spec_of(name, targets);
    bool is_sys = user == NULL;

    return lm_route_add(h.manager,
                        (struct lm_actor){lb_cstr(is_sys ? LLMGR_SYSTEM_USER : user), is_sys},
                        is_sys, &spec, &id_of_last, &h.err);
}

static int64_t made(const char *user, const char *name, const char *targets)
{
    OK(&h, make(user, name, targets));
    return id_of_last;
}

static int64_t asked(const char *user, const char *model)
{
    OK(&h, ask(&h, user, NULL, model));
    return h.target.model_id;
}

/* The i-th target of a route, as who tries one after the other asks for it. */
static llmgr_status ask_target(const char *user, int64_t route, uint32_t i)
{
    const struct lr_request request = {.user = lb_cstr(user), .route_id = route, .route_target = i};

    h.err = (struct llmgr_error){0};
    memset(&h.target, 0, sizeof h.target);
    return lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err);
}

static void says(const char *words)
{
    if (strstr(h.err.message, words) == NULL)
        fail_msg("'%s' does not say '%s'", h.err.message, words);
}

/* ---- Resolving ------------------------------------------------------------------------------- */

static void a_route_is_its_first_target_with_a_usable_key(void **state)
{
    (void)state;
    int64_t id = made("ann", "smart", "Gone/Model,Keyless/Three,B/C/Two,A/One");

    assert_int_equal(asked("ann", "smart"), two);
    assert_int_equal(h.target.route_id, id);
    assert_true(lb_str_eq_c(h.target.route, "smart"));
    assert_int_equal(h.target.route_target, 2);
    assert_string_equal(key_of(&h), "sk-server-b");
    own_key(&h, "ann", c, "https://c.example.com/v1", "sk-ann-c");
    assert_int_equal(asked("ann", "smart"), three);
    assert_int_equal(h.target.payer, LM_PAYER_USER);
    assert_int_equal(h.target.route_target, 1);
    /* What is named by no route bears none. */
    assert_int_equal(asked("ann", "One"), one);
    assert_int_equal(h.target.route_id, 0);
    assert_string_equal(h.target.route.p, "");
}

static void without_any_key_the_first_that_is_there_is_the_error(void **state)
{
    (void)state;
    made("ann", "poor", "Gone/Model,Keyless/Three");
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "poor"));
    says("'Keyless'");
    assert_int_equal(h.target.model_id, three);
    assert_int_equal(h.target.route_target, 1);
}

static void with_nothing_there_the_route_says_what_it_names(void **state)
{
    (void)state;
    int64_t id = made("ann", "empty", "Gone/Model,Gone/Other");

    made("ann", "single", "Gone/Model");
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "empty"));
    says("none of the 2 models that the route 'empty' names is there, from 'Gone/Model' to "
         "'Gone/Other'");
    assert_int_equal(h.target.route_id, id);
    assert_int_equal(h.target.platform_id, 0);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "single"));
    says("the route 'single' names 'Gone/Model', and there is no such model");
    /* It comes back with the platform. */
    int64_t gone = sys_platform(&h, "Gone", "https://gone.example.com/v1", 9, "sk-gone");
    int64_t other = add_model(&h, NULL, gone, "Other", "o");
    assert_int_equal(asked("ann", "empty"), other);
    assert_int_equal(h.target.route_target, 1);
}

/* What the operator's targets name is found when the catalogue is read, if it is one model. */
static void an_operators_target_with_two_meanings_goes_where_the_user_has_a_key(void **state)
{
    (void)state;
    int64_t d = sys_platform(&h, "D", "https://d.example.com/v1", 7, NULL);
    int64_t de = sys_platform(&h, "D/E", "https://e.example.com/v1", 8, "sk-server-e");
    int64_t far = add_model(&h, NULL, d, "E/F", "f-1"), near = add_model(&h, NULL, de, "F", "f-2");

    made(NULL, "both", "D/E/F");
    made(NULL, "late", "Late/Model");
    assert_int_equal(asked("ann", "both"), near);
    own_key(&h, "ann", d, "https://d.example.com/v1", "sk-ann-d");
    assert_int_equal(asked("ann", "both"), far);
    assert_int_equal(asked("ben", "both"), near);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "late"));
    int64_t late = sys_platform(&h, "Late", "https://late.example.com/v1", 9, "sk-late");
    int64_t model = add_model(&h, NULL, late, "Model", "o");
    assert_int_equal(asked("ann", "late"), model);
}

static void names_are_asked_slot_route_model_alias(void **state)
{
    (void)state;
    made("ann", "One", "B/C/Two"); /* bears a model's display name */
    assert_int_equal(asked("ann", "One"), two);
    assert_int_equal(asked("ann", "A/One"), one);
    assert_int_equal(asked("ben", "One"), one);
    OK(&h, lm_alias_set(h.manager, LB_STR("ann"), LB_STR("One"), LB_STR("A/One"), &h.err));
    assert_int_equal(asked("ann", "One"), two); /* an alias is asked last */
    OK(&h, lm_alias_set(h.manager, LB_STR("ann"), LB_STR("claude-*"), LB_STR("One"), &h.err));
    assert_int_equal(asked("ann", "claude-x"), two); /* and may stand for a route */
    assert_true(lb_str_eq_c(h.target.route, "One"));
    OK(&h, lm_selection_save(h.manager, LB_STR("ann"), LB_STR("One"), a, one, &h.err));
    assert_int_equal(asked("ann", "One"), one); /* a slot comes first */
    assert_int_equal(h.target.route_id, 0);
}

static void a_target_is_no_slot_route_alias_or_bare_model(void **state)
{
    (void)state;
    OK(&h, lm_selection_save(h.manager, LB_STR("ann"), LB_STR("fast"), a, one, &h.err));
    made("ann", "inner", "A/One");
    OK(&h, lm_alias_set(h.manager, LB_STR("ann"), LB_STR("x/y"), LB_STR("A/One"), &h.err));
    add_model(&h, NULL, a, "bare/name", "m-bare");
    made("ann", "outer", "x/y,bare/name");
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "outer"));
    static const char *const NO_TARGETS[] = {"inner", "self", "fast", "main", "auto",
                                             "One",   "/One", "A/",   "/"};
    for (size_t i = 0; i < sizeof NO_TARGETS / sizeof NO_TARGETS[0]; i++) {
        ASSERT_STATUS(&h, LLMGR_ERR_INVALID, make("ann", "self", NO_TARGETS[i]));
        says("is no PLATFORM/MODEL; a target is a model of a platform, never another route");
    }
}

static void each_target_is_asked_by_its_number(void **state)
{
    (void)state;
    int64_t id = made("ann", "smart", "A/One,Gone/Model,Keyless/Three,B/C/org/m-2");

    OK(&h, ask_target("ann", id, 0));
    assert_int_equal(h.target.model_id, one);
    OK(&h, ask_target("ann", id, 3));
    assert_int_equal(h.target.model_id, two);
    assert_int_equal(h.target.route_target, 3);
    assert_int_equal(h.target.route_id, id);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask_target("ann", id, 1));
    says("the route 'smart' names 'Gone/Model'");
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask_target("ann", id, 2));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask_target("ann", id, 4));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask_target("ben", id, 0));
    says("there is no route");
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask_target("ann", id + 100, 0));
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static llmgr_status choose(const char *user, const char *slot, const char *route)
{
    return lm_selection_save_route(h.manager, lb_cstr(user), lb_cstr(slot), lb_cstr(route), &h.err);
}

static void a_slot_may_choose_a_route(void **state)
{
    (void)state;
    int64_t id = made("ann", "smart", "Gone/Model,B/C/Two");

    OK(&h, choose("ann", "main", "smart"));
    OK(&h, ask(&h, "ann", NULL, NULL));
    assert_int_equal(h.target.model_id, two);
    assert_int_equal(h.target.route_id, id);
    assert_true(lb_str_eq_c(h.target.slot, "main"));
    assert_false(h.target.is_default);
    assert_int_equal(asked("ann", "auto"), two);
    OK(&h, ask(&h, "ann", "fast", NULL)); /* falls back to main */
    assert_int_equal(h.target.model_id, two);
    /* A model in its place, and the route again. */
    OK(&h, lm_selection_save(h.manager, LB_STR("ann"), LB_STR("main"), a, one, &h.err));
    assert_int_equal(asked("ann", "auto"), one);
    assert_int_equal(h.target.route_id, 0);
    OK(&h, choose("ann", "main", "smart"));
    assert_int_equal(asked("ann", "auto"), two);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, choose("ann", "main", "absent"));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, choose("ben", "main", "smart"));
    ASSERT_STATUS(&h, LLMGR_ERR_INVALID, choose("ann", "a/b", "smart"));
    says("holds a '/'");
}

static void a_choice_survives_the_routes_name_but_not_its_end(void **state)
{
    (void)state;
    int64_t id = made("ann", "smart", "B/C/Two");
    struct lm_route_spec renamed = spec_of("wise", NULL);

    OK(&h, choose("ann", "fast", "smart"));
    OK(&h, lm_route_change(h.manager, (struct lm_actor){LB_STR("ann"), false}, id, &renamed, NULL,
                           &h.err));
    OK(&h, ask(&h, "ann", "fast", NULL));
    assert_true(lb_str_eq_c(h.target.route, "wise"));
    OK(&h, lm_route_delete(h.manager, (struct lm_actor){LB_STR("ann"), false}, id, &h.err));
    OK(&h, ask(&h, "ann", "fast", NULL));
    assert_true(h.target.repaired);
    assert_int_equal(h.target.model_id, one);
    assert_int_equal(h.target.route_id, 0);
    OK(&h, ask(&h, "ann", "fast", NULL));
    assert_false(h.target.repaired);
    assert_int_equal(db_number(&h.db, "SELECT COUNT(*) FROM user_ai_configs WHERE route_id IS NULL"
                                      " AND selected_platform_id IS NOT NULL"),
                     1);
}

/* ---- Whose they are -------------------------------------------------------------------------- */

static void a_users_routes_are_nobody_elses(void **state)
{
    (void)state;
    int64_t id = made("ann", "secret", "A/One");
    struct lm_route_spec spec = spec_of("other", NULL);
    struct llmgr_route *items;
    size_t count;
    bool hide = true;

    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ben", NULL, "secret"));
    says("there is no model 'secret'");
    OK(&h, lr_routes(h.manager, LB_STR("ben"), NULL, &h.arena, &items, &count, &h.err));
    assert_int_equal(count, 0);
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lm_route_change(h.manager, (struct lm_actor){LB_STR("ben"), false}, id, &spec,
                                  NULL, &h.err));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lm_route_change(h.manager, (struct lm_actor){LB_STR("ben"), false}, id, NULL,
                                  &hide, &h.err));
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lm_route_delete(h.manager, (struct lm_actor){LB_STR("ben"), false}, id, &h.err));
    /* Not even for the operator. */
    ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND,
                  lm_route_delete(h.manager, (struct lm_actor){LB_STR("-1"), true}, id, &h.err));
    OK(&h, make("ben", "secret", "B/C/Two"));
    assert_int_equal(asked("ben", "secret"), two);
    assert_int_equal(asked("ann", "secret"), one);
}

static void the_operators_are_everybodys_and_only_the_operator_changes_them(void **state)
{
    (void)state;
    int64_t id = made(NULL, "smart", "B/C/Two");
    struct lm_route_spec spec = spec_of("other", NULL);
    struct lm_route_spec more = spec_of(NULL, "A/One,B/C/Two");
    struct llmgr_route *items;
    size_t count;

    assert_int_equal(asked("ann", "smart"), two);
    ASSERT_STATUS(&h, LLMGR_ERR_FORBIDDEN,
                  lm_route_change(h.manager, (struct lm_actor){LB_STR("ann"), false}, id, &spec,
                                  NULL, &h.err));
    says("is the operator's");
    ASSERT_STATUS(&h, LLMGR_ERR_FORBIDDEN,
                  lm_route_delete(h.manager, (struct lm_actor){LB_STR("ann"), false}, id, &h.err));
    ASSERT_STATUS(&h, LLMGR_ERR_CONFLICT, make("ann", "smart", "A/One"));
    says("there is a system route 'smart'");
    OK(&h,
       lm_route_change(h.manager, (struct lm_actor){LB_STR("-1"), true}, id, &more, NULL, &h.err));
    assert_int_equal(asked("ann", "smart"), one);
    /* One's own of that name, made before it was the operator's, is asked first. */
    made("ben", "later", "A/One");
    made(NULL, "later", "B/C/Two");
    assert_int_equal(asked("ben", "later"), one);
    assert_int_equal(asked("ann", "later"), two);
    OK(&h, lr_routes(h.manager, LB_STR("ben"), NULL, &h.arena, &items, &count, &h.err));
    assert_int_equal(count, 3);
    assert_string_equal(items[0].name, "later");
    assert_false(items[0].is_sys);
    assert_true(items[1].is_sys);
    assert_string_equal(items[1].name, "later");
    assert_string_equal(items[2].name, "smart");
    assert_string_equal(items[2].managed, "database");
}

static void the_operators_route_names_no_private_platform(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Own", "https://own.example.org/v1", "sk-own");
    int64_t mine = add_model(&h, "ann", own, "Mine", "mine-1");

    made(NULL, "all", "Own/Mine,A/One");
    made("ann", "mine", "Own/Mine,A/One");
    assert_int_equal(asked("ann", "all"), one);
    assert_int_equal(asked("ann", "mine"), mine);
    site_mode(&h, LLMGR_MODE_FIXED); /* private platforms are hidden, routes are not */
    assert_int_equal(asked("ann", "mine"), one);
    site_mode(&h, LLMGR_MODE_CUSTOM);
    assert_int_equal(asked("ann", "mine"), mine);
}

static void the_system_user_and_mode_single_have_none_of_their_own(void **state)
{
    (void)state;
    struct lm_route_spec spec = spec_of("mine", "A/One");
    struct lb_str system = LB_STR(LLMGR_SYSTEM_USER);

    ASSERT_STATUS(
        &h, LLMGR_ERR_MODE,
        lm_route_add(h.manager, (struct lm_actor){system, true}, false, &spec, NULL, &h.err));
    says("--system");
    ASSERT_STATUS(&h, LLMGR_ERR_FORBIDDEN,
                  lm_route_add(h.manager, (struct lm_actor){LB_STR("ann"), false}, true, &spec,
                               NULL, &h.err));
    site_mode(&h, LLMGR_MODE_SINGLE);
    ASSERT_STATUS(&h, LLMGR_ERR_MODE,
                  lm_route_add(h.manager, (struct lm_actor){LB_STR("ann"), false}, false, &spec,
                               NULL, &h.err));
    OK(&h, lm_route_add(h.manager, (struct lm_actor){system, true}, true, &spec, NULL, &h.err));
    assert_int_equal(asked("ann", "mine"), one);
}

/* ---- What is seen of them -------------------------------------------------------------------- */

static void explain_shows_every_target(void **state)
{
    (void)state;
    struct lr_request request = {.user = LB_STR("ann"), .model = LB_STR("smart")};
    struct llmgr_explanation told;

    made("ann", "smart", "Gone/Model,Keyless/Three,B/C/Two,A/One");
    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    static const struct {
        const char *target, *reason;
        bool kept, chosen;
    } ROWS[] = {{"Gone/Model", "missing", false, false},
                {"Keyless/Three", "no_key", false, false},
                {"B/C/Two", "target", true, true},
                {"A/One", "target", true, false}};
    assert_string_equal(told.route, "smart");
    assert_int_equal(told.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(told.items[i].target, ROWS[i].target);
        assert_string_equal(told.items[i].reason, ROWS[i].reason);
        assert_int_equal(told.items[i].kept, ROWS[i].kept);
        assert_int_equal(told.items[i].chosen, ROWS[i].chosen);
    }
    assert_int_equal(told.items[0].platform_id, 0);
    assert_string_equal(told.items[2].payer, "system");
    /* Two names of one model are two targets, and one of them is asked first. */
    made("ann", "twice", "A/One,A/m-1");
    request.model = LB_STR("twice");
    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    assert_true(told.items[0].chosen);
    assert_false(told.items[1].chosen);
    /* Chosen for a slot. */
    OK(&h, choose("ann", "fast", "smart"));
    request = (struct lr_request){.user = LB_STR("ann"), .slot = LB_STR("fast")};
    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    assert_string_equal(told.route, "smart");
    assert_true(told.items[2].chosen);
    request = (struct lr_request){.user = LB_STR("ann"), .model = LB_STR("One")};
    OK(&h, lr_explain(h.manager, &request, NULL, &h.arena, &told, &h.err));
    assert_null(told.route);
    assert_null(told.items[0].target);
}

static void lists_show_what_is_missing_and_what_is_hidden(void **state)
{
    (void)state;
    int64_t id = made("ann", "smart", "Gone/Model,Keyless/Three,B/C/Two");
    int64_t poor = made(NULL, "poor", "Keyless/Three");
    struct llmgr_route *items;
    size_t count;
    bool hide = true;

    OK(&h, lm_route_change(h.manager, (struct lm_actor){LB_STR("ann"), false}, poor, NULL, &hide,
                           &h.err));
    OK(&h, lr_routes(h.manager, LB_STR("ann"), NULL, &h.arena, &items, &count, &h.err));
    assert_int_equal(count, 2);
    assert_int_equal(items[0].route_id, id);
    assert_true(items[0].targets[0].missing);
    assert_false(items[0].targets[1].missing);
    assert_false(items[0].targets[1].api_key_set);
    assert_true(items[0].targets[2].api_key_set);
    assert_true(items[0].api_key_set);
    assert_false(items[0].route_hide);
    assert_true(items[1].route_hide);
    assert_false(items[1].api_key_set);
    assert_string_equal(items[1].display_name, "poor");
    OK(&h, lr_routes(h.manager, LB_STR("ben"), NULL, &h.arena, &items, &count, &h.err));
    assert_false(items[0].route_hide); /* hidden for the one user only */
    hide = false;
    OK(&h, lm_route_change(h.manager, (struct lm_actor){LB_STR("ann"), false}, poor, NULL, &hide,
                           &h.err));
    OK(&h, lr_routes(h.manager, LB_STR("ann"), NULL, &h.arena, &items, &count, &h.err));
    assert_false(items[1].route_hide);
}

/* ---- Views ----------------------------------------------------------------------------------- */

/* What a gateway's worker asks: which route, without resolving anything. */
static int64_t route_asked(struct lr_view *view, struct lr_request request)
{
    const struct lm_route *route;
    enum lr_view_result result;
    struct lr_profile *profile;

    request.user = LB_STR("ann");
    lr_view_refresh(view);
    OK(&h, lr_view_route(view, &request, &route, &result, &h.err));
    if (result == LR_VIEW_MISS) {
        OK(&h, lr_profile_load(h.manager, request.user, &profile, &h.err));
        lr_view_put(view, profile);
        OK(&h, lr_view_route(view, &request, &route, &result, &h.err));
        assert_int_equal(result, LR_VIEW_DONE);
    }
    return route != NULL ? route->id : 0;
}

static void a_view_tells_the_route_that_resolve_takes(void **state)
{
    (void)state;
    int64_t mine = made("ann", "smart", "B/C/Two");
    int64_t all = made(NULL, "all", "A/One");
    struct lr_view *view;

    OK(&h, lm_alias_set(h.manager, LB_STR("ann"), LB_STR("gpt-*"), LB_STR("all"), &h.err));
    OK(&h, lm_alias_set(h.manager, LB_STR("ann"), LB_STR("quick"), LB_STR("fast"), &h.err));
    OK(&h, choose("ann", "fast", "smart"));
    OK(&h, lr_view_new(h.manager, 1 << 20, &view, &h.err));
    const struct {
        const char *slot, *model;
        int64_t want;
    } ROWS[] = {
        {NULL, "smart", mine}, {NULL, "all", all},   {NULL, "fast", mine}, {NULL, "gpt-x", all},
        {NULL, "quick", mine}, {"fast", NULL, mine}, {"main", NULL, 0},    {NULL, "One", 0},
        {NULL, "m-1", 0},      {NULL, "absent", 0},  {NULL, "auto", 0},    {NULL, "A/One", 0},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct lr_request request = {.slot = lb_cstr(ROWS[i].slot),
                                     .model = lb_cstr(ROWS[i].model)};
        assert_int_equal(route_asked(view, request), ROWS[i].want);
        if (ask(&h, "ann", ROWS[i].slot, ROWS[i].model) == LLMGR_OK)
            assert_int_equal(h.target.route_id, ROWS[i].want);
    }
    assert_int_equal(route_asked(view, (struct lr_request){.route_id = mine}), mine);
    OK(&h, lm_route_delete(h.manager, (struct lm_actor){LB_STR("ann"), false}, mine, &h.err));
    assert_int_equal(route_asked(view, (struct lr_request){.slot = LB_STR("fast")}), 0);
    lr_view_free(view);
}

/* The profile's block is moved about; routes point into it. */
static void a_moved_profile_keeps_its_routes(void **state)
{
    (void)state;
    int64_t own = own_platform(&h, "ann", "Own", "https://own.example.org/v1", "sk-own");
    int64_t mine = add_model(&h, "ann", own, "Mine", "mine-1");
    char name[24];

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "route-%d", i);
        made("ann", name, i % 2 == 0 ? "Own/Mine,A/One" : "B/C/Two,Own/Mine,A/One");
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "route-%d", i);
            assert_int_equal(asked("ann", name), i % 2 == 0 ? mine : two);
        }
        assert_int_equal(asked("ann", "Mine"), mine);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_route_is_its_first_target_with_a_usable_key),
        CASE(without_any_key_the_first_that_is_there_is_the_error),
        CASE(with_nothing_there_the_route_says_what_it_names),
        CASE(an_operators_target_with_two_meanings_goes_where_the_user_has_a_key),
        CASE(names_are_asked_slot_route_model_alias),
        CASE(a_target_is_no_slot_route_alias_or_bare_model),
        CASE(each_target_is_asked_by_its_number),
        CASE(a_slot_may_choose_a_route),
        CASE(a_choice_survives_the_routes_name_but_not_its_end),
        CASE(a_users_routes_are_nobody_elses),
        CASE(the_operators_are_everybodys_and_only_the_operator_changes_them),
        CASE(the_operators_route_names_no_private_platform),
        CASE(the_system_user_and_mode_single_have_none_of_their_own),
        CASE(explain_shows_every_target),
        CASE(lists_show_what_is_missing_and_what_is_hidden),
        CASE(a_view_tells_the_route_that_resolve_takes),
        CASE(a_moved_profile_keeps_its_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
