/* SPDX-License-Identifier: MIT */
/*
 * Resolve, repair, explain and the lists with their 1st, 2nd, ... nth allocation failing, alone or
 * with all that follow, until a run needs no more: ERR_NO_MEMORY or the right answer, never
 * another, and nothing leaked.
 */
#include "site.h"
#include "keys/key_text.h"
#include "library/open.h"
#include "manager/models.h"
#include "manager/platforms.h"

#define URL_A "https://a.example.com/v1"
#define URL_OWN "https://own.example.org/v1"

static struct site h;
static int64_t a, own, a1, own1;

static struct {
    bool armed;
    bool once;   /* one fails, not all from there on */
    long budget; /* allocations that still succeed */
    long failed;
    long held;
} memory;

static bool refused(void)
{
    bool now = memory.armed && (memory.budget <= 0) && !(memory.once && memory.budget < 0);

    memory.budget -= memory.armed;
    memory.failed += now;
    return now;
}

static void *scarce_alloc(size_t size, void *context)
{
    (void)context;
    void *p = refused() ? NULL : malloc(size);
    memory.held += p != NULL;
    return p;
}

static void *scarce_realloc(void *p, size_t size, void *context)
{
    (void)context;
    return refused() ? NULL : realloc(p, size);
}

static void scarce_free(void *p, void *context)
{
    (void)context;
    memory.held -= p != NULL;
    free(p);
}

/* As long as keys may be: memory grows for it, however it was left. */
static const char *long_key(void)
{
    static char key[LK_KEY_MAX + 1];

    memset(key, 'k', sizeof key - 1);
    return key;
}

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    a = sys_platform(&h, "A", URL_A, 0, "sk-server-a");
    a1 = add_model(&h, NULL, a, "Alpha", "alpha");
    own = own_platform(&h, "ann", "Own", URL_OWN, long_key());
    for (int i = 0; i < 40; i++) {
        char name[160];
        snprintf(name, sizeof name, "model %0100d", i);
        own1 = add_model(&h, "ann", own, name, name);
    }
    own_key(&h, "ann", a, URL_A, long_key());
    pick(&h, "ann", "main", own, own1);
    la_manager_close(h.manager);
    h.host.memory = (struct llmgr_allocator){scarce_alloc, scarce_realloc, scarce_free, NULL};
    h.manager = site_open_another(&h);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memory.armed = false;
    site_teardown(&h);
    assert_int_equal(memory.held, 0);
    return 0;
}

/* Runs `operation` with ever more memory; returns how many runs met a failure. */
static int sweep_so(bool once, llmgr_status (*operation)(void))
{
    for (int run = 0; run < 2000; run++) {
        la_manager_close(h.manager); /* nothing is in memory: each run starts cold */
        h.manager = site_open_another(&h);
        memory.once = once;
        memory.budget = run;
        memory.failed = 0;
        memory.armed = true;
        llmgr_status status = operation();
        memory.armed = false;
        if (memory.failed == 0) {
            assert_int_equal(status, LLMGR_OK);
            return run;
        }
        if (status != LLMGR_OK && status != LLMGR_ERR_NO_MEMORY)
            fail_msg("run %d: %s", run, llmgr_status_name(status));
    }
    fail_msg("%s", "no end");
    return -1;
}

static int sweep(llmgr_status (*operation)(void))
{
    int runs = sweep_so(false, operation);

    return sweep_so(true, operation) > 0 ? runs : 0;
}

static llmgr_status resolve_ann(void)
{
    llmgr_status status = ask(&h, "ann", NULL, NULL);

    if (status == LLMGR_OK)
        assert_int_equal(h.target.model_id, own1);
    return status;
}

static llmgr_status resolve_gone(void)
{
    memory.armed = false;
    pick(&h, "bob", "main", a, 4711); /* anew: the run before may have repaired it */
    memory.armed = true;
    llmgr_status status = ask(&h, "bob", NULL, NULL);

    if (status == LLMGR_OK)
        assert_int_equal(h.target.model_id, a1);
    return status;
}

static llmgr_status explain_ann(void)
{
    struct lr_request request = {.user = LB_STR("ann"), .model = LB_STR("alpha")};
    struct llmgr_explanation told = {0};
    struct lb_arena arena;

    lb_arena_init(&arena, &h.host, NULL, 0, 1 << 20);
    llmgr_status status = lr_explain(h.manager, &request, NULL, &arena, &told, NULL);
    if (status == LLMGR_OK)
        assert_int_equal(told.count, 41);
    lb_arena_free(&arena);
    return status;
}

static llmgr_status lists_ann(void)
{
    struct llmgr_platform *platforms = NULL;
    struct llmgr_model *models = NULL;
    struct lb_arena arena;
    size_t count = 0;

    lb_arena_init(&arena, &h.host, NULL, 0, 1 << 20);
    llmgr_status status =
        lr_platforms(h.manager, LB_STR("ann"), NULL, &arena, &platforms, &count, NULL);
    if (status == LLMGR_OK)
        status = lr_models(h.manager, LB_STR("ann"), NULL, &arena, &models, &count, NULL);
    if (status == LLMGR_OK)
        assert_int_equal(count, 41);
    lb_arena_free(&arena);
    return status;
}

static llmgr_status load_and_put(void)
{
    struct lr_view *view = NULL;
    struct lr_profile *profile = NULL;

    llmgr_status status = lr_view_new(h.manager, 1 << 16, &view, NULL);
    if (status != LLMGR_OK)
        return status;
    status = lr_profile_load(h.manager, LB_STR("ann"), &profile, NULL);
    lr_view_put(view, profile);
    lr_view_free(view);
    return status;
}

static llmgr_status open_another(void)
{
    struct lm_manager *manager = NULL;
    struct lv_vault *vault = NULL;

    memory.armed = false; /* the store and the vault sweep themselves */
    struct ls_store *store = db_open(&h.db);
    OK(&h, lv_vault_new(&h.host, &h.master, &vault, &h.err));
    memory.armed = true;
    llmgr_status status = la_manager_open(&h.host, &h.options, store, vault, &manager, NULL);
    la_manager_close(manager);
    return status;
}

static void a_cold_resolve_survives_every_failing_allocation(void **state)
{
    (void)state;
    assert_true(sweep(resolve_ann) > 0);
}

static void a_repair_survives_every_failing_allocation(void **state)
{
    (void)state;
    assert_true(sweep(resolve_gone) > 0);
    assert_int_equal(ask(&h, "bob", NULL, NULL), LLMGR_OK);
}

static void explain_survives_every_failing_allocation(void **state)
{
    (void)state;
    assert_true(sweep(explain_ann) > 0);
}

static void the_lists_survive_every_failing_allocation(void **state)
{
    (void)state;
    assert_true(sweep(lists_ann) > 0);
}

static void a_view_survives_every_failing_allocation(void **state)
{
    (void)state;
    assert_true(sweep(load_and_put) > 0);
}

static void opening_survives_every_failing_allocation(void **state)
{
    (void)state;
    assert_true(sweep(open_another) > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_cold_resolve_survives_every_failing_allocation),
        CASE(a_repair_survives_every_failing_allocation),
        CASE(explain_survives_every_failing_allocation),
        CASE(the_lists_survive_every_failing_allocation),
        CASE(a_view_survives_every_failing_allocation),
        CASE(opening_survives_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
