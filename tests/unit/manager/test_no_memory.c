/* SPDX-License-Identifier: MIT */
/*
 * Each operation with its 1st, 2nd, ... nth allocation failing, until a run needs no more: an
 * error value, nothing lost, nothing half done, nothing leaked.
 */
#include "fixture.h"
#include "library/open.h"
#include "manager/headers.h"
#include "manager/manager.h"

static const struct conf SYSTEM[] = {
    {"Alpha", "https://alpha.example/v1", "sk-alpha", "Alpha One", "a-1", "{\"x\":1}",
     LLMGR_MODEL_UNKNOWN},
    {"Alpha", "https://alpha.example/v1", "sk-alpha", "Alpha Two", "a-2", NULL,
     LLMGR_MODEL_UNKNOWN},
    {"Beta", "https://beta.example/v1", NULL, "Beta One", "b-1", NULL, LLMGR_MODEL_UNKNOWN},
};
static const struct conf CHANGED[] = {
    {"Beta", "https://alpha.example/v1", "sk-other", "Alpha Two", "a-1", "{\"x\":2}",
     LLMGR_MODEL_UNKNOWN},
    {"Beta", "https://alpha.example/v1", "sk-other", "New", "a-3", NULL, LLMGR_MODEL_UNKNOWN},
    {"Alpha", "https://beta.example/v1", "sk-beta", "Beta Two", "b-1", NULL, LLMGR_MODEL_UNKNOWN},
    {"Gamma", "https://gamma.example", NULL, "Gamma One", "g-1", NULL, LLMGR_MODEL_UNKNOWN},
};

static struct {
    bool armed;
    long budget; /* allocations that still succeed */
    long failed;
    long held;
} memory;

static bool spent(void)
{
    if (!memory.armed)
        return false;
    if (memory.budget > 0) {
        memory.budget--;
        return false;
    }
    memory.failed++;
    return true;
}

static void *scarce_alloc(size_t size, void *context)
{
    (void)context;
    void *p = spent() ? NULL : malloc(size);
    memory.held += p != NULL;
    return p;
}

static void *scarce_realloc(void *old, size_t size, void *context)
{
    (void)context;
    void *p = spent() ? NULL : realloc(old, size);
    memory.held += p != NULL && old == NULL;
    return p;
}

static void scarce_free(void *p, void *context)
{
    (void)context;
    memory.held -= p != NULL;
    free(p);
}

static int64_t alpha, mine, model;

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *w = &fixture;

    memset(&memory, 0, sizeof memory);
    fixture_setup(w);
    fixture_close(w);
    lb_arena_free(&w->arena);
    w->host.memory = (struct llmgr_allocator){scarce_alloc, scarce_realloc, scarce_free, NULL};
    lb_arena_init(&w->arena, &w->host, NULL, 0, 64 << 20);
    fixture_open(w);
    SYNC(w, SYSTEM);
    alpha = platform_id(w, "Alpha");
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), alpha,
                                       S("sk-ann"), &w->err));
    WANT(LLMGR_OK, lm_platform_add(w->manager, S("ann"), S("Mine"), S("https://mine.example"),
                                   S("sk-mine"), &mine, &w->err));
    WANT(LLMGR_OK, lm_model_add(w->manager, lm_actor_of(w->manager, S("ann")), mine,
                                MODEL("m", "M", "{\"a\":1}"), &model, &w->err));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *w = *state;

    fixture_teardown(w);
    w->policy = NULL;
    return 0;
}

typedef llmgr_status (*operation)(struct fixture *w);

static int64_t revision(struct fixture *w)
{
    return db_number(&w->db, "SELECT MAX(revision) FROM llm_changes");
}

/* A failed run of an operation in one transaction leaves no revision; `steps` ones may. */
static void sweep(struct fixture *w, operation run, bool steps)
{
    for (long nth = 0;; nth++) {
        int64_t before = revision(w);
        w->err = (struct llmgr_error){0};
        memory.budget = nth;
        memory.failed = 0;
        memory.armed = true;
        llmgr_status status = run(w);
        memory.armed = false;
        if (status != LLMGR_OK) {
            if (status != LLMGR_ERR_NO_MEMORY)
                fail_msg("%s: %s", llmgr_status_name(status), w->err.message);
            assert_int_equal(w->err.status, LLMGR_ERR_NO_MEMORY);
            if (!steps)
                assert_int_equal(revision(w), before);
        }
        lb_arena_reset(&w->arena);
        if (memory.failed == 0) {
            assert_int_equal(status, LLMGR_OK);
            return;
        }
        assert_true(nth < 100000);
        /* It may have been survived: what was asked for is there, and asking again is a conflict.
         */
        if (status == LLMGR_OK)
            return;
    }
}

static void want_sound(struct fixture *w)
{
    int64_t unreadable = -1;

    WANT(LLMGR_OK, lk_ring_check(lm_keys(w->manager), &unreadable, &w->err));
    assert_int_equal(unreadable, 0);
}

static llmgr_status run_add(struct fixture *w)
{
    int64_t id;
    return lm_platform_add(w->manager, S("ann"), S("Other"), S("https://other.example"),
                           S("sk-other"), &id, &w->err);
}

static llmgr_status run_move(struct fixture *w)
{
    return lm_platform_set_url(w->manager, lm_actor_of(w->manager, S("ann")), mine,
                               S("https://moved.example"), S("sk-moved"), &w->err);
}

static llmgr_status run_set_key(struct fixture *w)
{
    return lm_platform_set_key(w->manager, lm_actor_of(w->manager, S("ann")), alpha, S("sk-new"),
                               &w->err);
}

static llmgr_status run_add_model(struct fixture *w)
{
    int64_t id;
    return lm_model_add(w->manager, lm_actor_of(w->manager, S("ann")), mine,
                        MODEL("n", "N", "{\"b\": 2}"), &id, &w->err);
}

static llmgr_status run_update_model(struct fixture *w)
{
    return lm_model_update(w->manager, lm_actor_of(w->manager, S("ann")), model,
                           MODEL(NULL, "M2", "{\"c\": 3}"), &w->err);
}

static llmgr_status run_select(struct fixture *w)
{
    struct lb_str *slots;
    size_t count;
    llmgr_status status = lm_selection_save(w->manager, S("ann"), S("fast"), mine, model, &w->err);
    return status == LLMGR_OK
               ? lm_selection_slots(w->manager, S("ann"), &w->arena, &slots, &count, &w->err)
               : status;
}

static void changes_of_users_are_whole_or_not_at_all(void **state)
{
    struct fixture *w = *state;

    sweep(w, run_add, false);
    sweep(w, run_move, false);
    sweep(w, run_set_key, false);
    sweep(w, run_add_model, false);
    sweep(w, run_update_model, false);
    sweep(w, run_select, true);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, mine, "ann", "sk-moved"));
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "ann", "sk-new"));
    assert_int_equal(model_id(w, "M2"), model);
    assert_true(model_id(w, "N") > 0);
    want_sound(w);
}

static llmgr_status run_make(struct fixture *w)
{
    const struct lm_platform_edit wanted = {
        .name = S("Made"),
        .base_url = S("https://made.example"),
        .api_key = S("sk-made"),
        .words = {.native_paths = S("/a"), .headers = S("X-Title")}};
    int64_t id;
    return lm_system_platform_add(w->manager, lm_actor_of(w->manager, S("")), &wanted, &id,
                                  &w->err);
}

static llmgr_status run_remake(struct fixture *w)
{
    const struct lm_platform_edit wanted = {.name = S("Remade"),
                                            .base_url = S("https://remade.example"),
                                            .api_key = S("sk-remade"),
                                            .words = {.native_paths = S("/b"), .headers = S("")}};
    return lm_platform_edit(w->manager, lm_actor_of(w->manager, S("")), platform_id(w, "Made"),
                            &wanted, &w->err);
}

static void changes_of_the_operator_are_whole_or_not_at_all(void **state)
{
    struct fixture *w = *state;

    sweep(w, run_make, false);
    const int64_t made = platform_id(w, "Made");
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, made, "-1", "sk-made"));
    sweep(w, run_remake, false);
    assert_int_equal(platform_id(w, "Remade"), made);
    assert_true(key_is(w, LK_KEY_OF_PLATFORM, made, "-1", "sk-remade"));
    want_sound(w);
}

static llmgr_status run_set_header(struct fixture *w)
{
    return lm_platform_set_header(w->manager, lm_actor_of(w->manager, S("ann")), mine, S("X-Title"),
                                  S("an app"), &w->err);
}

static llmgr_status run_clear_header(struct fixture *w)
{
    return lm_platform_set_header(w->manager, lm_actor_of(w->manager, S("ann")), mine, S("X-Title"),
                                  S(""), &w->err);
}

/* All of a platform's fields are one record: a change that fails loses none of the others. */
static void a_header_field_is_set_without_losing_the_others(void **state)
{
    struct fixture *w = *state;
    const enum lk_key_column fields = LK_KEY_OF_HEADERS;

    WANT(LLMGR_OK, lm_platform_set_header(w->manager, lm_actor_of(w->manager, S("ann")), mine,
                                          S("X-Org"), S("acme"), &w->err));
    sweep(w, run_set_header, false);
    assert_true(key_is(w, fields, mine, "ann", "x-org: acme\r\nx-title: an app\r\n"));
    sweep(w, run_clear_header, false);
    assert_true(key_is(w, fields, mine, "ann", "x-org: acme\r\n"));
    want_sound(w);
}

static llmgr_status run_sync(struct fixture *w)
{
    struct llmgr_change *changes;
    size_t count;
    return fixture_try_sync(w, CHANGED, sizeof CHANGED / sizeof *CHANGED, false, &changes, &count);
}

static void a_sync_is_whole_or_not_at_all(void **state)
{
    struct fixture *w = *state;

    sweep(w, run_sync, false);
    assert_int_equal(SYNC(w, CHANGED), 0);
    assert_int_equal(platform_id(w, "Beta"), alpha);
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "ann", "sk-ann"));
    want_sound(w);
}

static llmgr_status run_rotate(struct fixture *w)
{
    struct llmgr_key_report report;
    return lk_ring_rotate(lm_keys(w->manager), false, &w->arena, &report, &w->err);
}

static llmgr_status run_status(struct fixture *w)
{
    struct llmgr_key_report report;
    return lk_ring_status(lm_keys(w->manager), &w->arena, &report, &w->err);
}

static llmgr_status run_check(struct fixture *w)
{
    int64_t unreadable;
    return lk_ring_check(lm_keys(w->manager), &unreadable, &w->err);
}

static llmgr_status run_rewrap(struct fixture *w)
{
    struct lv_master fresh;

    lv_master_generate(&fresh);
    llmgr_status status = lk_ring_rewrap(lm_keys(w->manager), &fresh, &w->err);
    if (status == LLMGR_OK)
        w->master = fresh;
    return status;
}

static void a_rotation_that_runs_out_of_memory_goes_on_later(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report report;

    sweep(w, run_rotate, true);
    sweep(w, run_status, true);
    sweep(w, run_check, true);
    sweep(w, run_rewrap, false);
    want_sound(w);
    WANT(LLMGR_OK, lk_ring_rotate(lm_keys(w->manager), false, &w->arena, &report, &w->err));
    assert_int_equal(report.count, 1);
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "ann", "sk-ann"));
    fixture_close(w);
    fixture_open(w);
    want_sound(w);
}

static void a_failed_open_leaks_nothing(void **state)
{
    struct fixture *w = *state;
    long held;

    fixture_close(w);
    lb_arena_reset(&w->arena);
    held = memory.held;
    for (long nth = 0;; nth++) {
        struct lv_vault *vault = NULL;
        struct ls_store *store = db_open(&w->db);
        memory.failed = 0;
        assert_int_equal(lv_vault_new(&w->host, &w->master, &vault, &w->err), LLMGR_OK);
        memory.budget = nth;
        memory.armed = true;
        llmgr_status status =
            la_manager_open(&w->host, &w->options, store, vault, &w->manager, &w->err);
        memory.armed = false;
        if (status == LLMGR_OK)
            break;
        assert_int_equal(status, LLMGR_ERR_NO_MEMORY);
        assert_int_equal(memory.held, held);
        w->manager = NULL;
    }
    want_sound(w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(changes_of_users_are_whole_or_not_at_all),
        TEST(changes_of_the_operator_are_whole_or_not_at_all),
        TEST(a_header_field_is_set_without_losing_the_others),
        TEST(a_sync_is_whole_or_not_at_all),
        TEST(a_rotation_that_runs_out_of_memory_goes_on_later),
        TEST(a_failed_open_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
