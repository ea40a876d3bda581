/* SPDX-License-Identifier: MIT */
/* Changes become known: at once in this process, in bounded time from another, under threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "site.h"
#include "library/open.h"

#define URL_A "https://a.example.com/v1"
#define URL_B "https://b.example.com/v1"

enum { POLL_MS = 40, READERS = 3, WRITES = 60, RACERS = 4 };

static struct site h;
static int64_t a, b, a1, b1;

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    h.options.poll_ms = POLL_MS;
    site_reopen(&h);
    a = sys_platform(&h, "A", URL_A, 0, "sk-server-a");
    b = sys_platform(&h, "B", URL_B, 1, "sk-server-b");
    a1 = add_model(&h, NULL, a, "Alpha", "alpha");
    b1 = add_model(&h, NULL, b, "Beta", "beta");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_teardown(&h);
    return 0;
}

static void pause_ms(int ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000L};

    nanosleep(&time, NULL);
}

static void assert_resolves_to(struct lm_manager *manager, int64_t model)
{
    struct lm_manager *mine = h.manager;

    h.manager = manager;
    ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
    h.manager = mine;
    assert_int_equal(h.target.model_id, model);
}

static void ones_own_write_is_seen_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int64_t model = i % 2 == 0 ? b1 : a1;
        pick(&h, "ann", "main", i % 2 == 0 ? b : a, model);
        assert_resolves_to(h.manager, model);
        assert_resolves_to(h.manager, model);
    }
}

static void another_process_is_seen_within_the_poll(void **state)
{
    (void)state;
    struct lm_manager *other = site_open_another(&h);
    assert_resolves_to(other, a1);
    pick(&h, "ann", "main", b, b1);
    pause_ms(2 * POLL_MS);
    assert_resolves_to(other, b1);
    /* The catalogue, too: the model is gone, the choice is repaired. */
    drop_model(&h, NULL, b1);
    pause_ms(2 * POLL_MS);
    assert_resolves_to(other, a1);
    assert_true(h.target.repaired);
    pause_ms(2 * POLL_MS);
    assert_resolves_to(h.manager, a1);
    assert_false(h.target.repaired);
    la_manager_close(other);
}

static void a_reader_that_missed_pruned_changes_reads_all_anew(void **state)
{
    (void)state;
    struct lm_manager *other = site_open_another(&h);
    assert_resolves_to(other, a1);
    pick(&h, "ann", "main", b, b1);
    pick(&h, "bob", "main", b, b1);
    db_sql(&h.db, "DELETE FROM llm_changes WHERE user_id = 'ann'");
    OK(&h, lm_poll(other, &h.err));
    assert_resolves_to(other, b1);
    la_manager_close(other);
}

static void a_failed_write_changes_nothing_that_is_remembered(void **state)
{
    (void)state;
    int64_t before = db_number(&h.db, "SELECT MAX(revision) FROM llm_changes");
    struct act clash = {.manager = h.manager,
                        .statement = LS_SYNC_PLATFORM_ADD,
                        .values = {ls_cstr(LLMGR_SYSTEM_USER), ls_cstr("A"), ls_cstr(URL_A),
                                   ls_cstr("openai"), ls_int(0), ls_null(), ls_null(), ls_null(),
                                   ls_null(), ls_cstr("file")},
                        .count = 10,
                        .id = &(int64_t){0}};
    ASSERT_STATUS(&h, LLMGR_ERR_CONFLICT,
                  lm_write(h.manager, (struct lb_str){0}, act_run, &clash, &h.err));
    assert_int_equal(db_number(&h.db, "SELECT MAX(revision) FROM llm_changes"), before);
    assert_resolves_to(h.manager, a1);
}

/* ---- A worker's own view ---- */

static enum lr_view_result view_ask(struct lr_view *view, const char *user)
{
    struct lr_request request = {.user = lb_cstr(user)};
    enum lr_view_result result = LR_VIEW_DONE;

    lr_view_refresh(view);
    lr_view_hint(view, request.user);
    OK(&h, lr_view_resolve(view, &request, &h.arena, &h.target, &result, &h.err));
    return result;
}

static void view_fill(struct lr_view *view, const char *user)
{
    struct lr_profile *profile = NULL;

    OK(&h, lr_profile_load(h.manager, lb_cstr(user), &profile, &h.err));
    lr_view_put(view, profile);
}

static void a_view_misses_is_filled_and_follows_changes(void **state)
{
    struct lr_view *view = NULL;

    (void)state;
    OK(&h, lr_view_new(h.manager, 1 << 20, &view, &h.err));
    assert_int_equal(view_ask(view, "ann"), LR_VIEW_MISS);
    view_fill(view, "ann");
    assert_int_equal(view_ask(view, "ann"), LR_VIEW_DONE);
    assert_int_equal(h.target.model_id, a1);
    pick(&h, "ann", "main", b, b1);
    assert_int_equal(view_ask(view, "ann"), LR_VIEW_MISS);
    view_fill(view, "ann");
    assert_int_equal(view_ask(view, "ann"), LR_VIEW_DONE);
    assert_int_equal(h.target.model_id, b1);
    drop_model(&h, NULL, b1);
    assert_int_equal(view_ask(view, "ann"), LR_VIEW_MISS);
    view_fill(view, "ann");
    assert_int_equal(view_ask(view, "ann"), LR_VIEW_DONE);
    assert_int_equal(h.target.model_id, a1);
    assert_true(h.target.repaired);
    assert_int_equal(view_ask(view, "ann"), LR_VIEW_DONE);
    assert_false(h.target.repaired);
    lr_view_free(view);
}

static void a_profile_read_before_a_change_is_not_kept(void **state)
{
    struct lr_view *view = NULL;
    struct lr_profile *profile = NULL;

    (void)state;
    OK(&h, lr_view_new(h.manager, 1 << 20, &view, &h.err));
    OK(&h, lr_profile_load(h.manager, LB_STR("ann"), &profile, &h.err));
    pick(&h, "ann", "main", b, b1);
    lr_view_put(view, profile);
    assert_int_equal(view_ask(view, "ann"), LR_VIEW_MISS);
    lr_view_free(view);
}

static void a_profile_too_large_to_cache_still_answers(void **state)
{
    struct lr_view *view = NULL;
    char name[LM_MODEL_NAME_MAX + 1];

    (void)state;
    int64_t own = own_platform(&h, "ann", "Own", "https://own.example.org", "sk-private");
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%0100d", i);
        pick(&h, "ann", "main", own, add_model(&h, "ann", own, name, name));
    }
    OK(&h, lr_view_new(h.manager, 1, &view, &h.err));
    for (int i = 0; i < 3; i++) {
        view_fill(view, "ann");
        assert_int_equal(view_ask(view, "ann"), LR_VIEW_DONE);
        assert_int_equal(h.target.platform_id, own);
        view_fill(view, "bob");
        assert_int_equal(view_ask(view, "bob"), LR_VIEW_DONE);
    }
    lr_view_free(view);
}

/* ---- Threads ---- */

static atomic_bool stop;
static atomic_int wrong;
static atomic_int repaired;

static void *read_on(void *context)
{
    struct lb_arena arena;
    struct lr_target target;
    struct llmgr_error err;
    char user[16];

    lb_arena_init(&arena, &h.host, NULL, 0, 1 << 20);
    for (unsigned i = (unsigned)(uintptr_t)context; !atomic_load(&stop); i++) {
        snprintf(user, sizeof user, "u%u", i % 40);
        struct lr_request request = {.user = lb_cstr(user)};
        struct lv_secret key;
        if (lr_resolve(h.manager, &request, &arena, &target, &err) != LLMGR_OK ||
            !lb_str_eq_c(target.user, user) ||
            lr_target_open_key(h.manager, &target, &key, &err) != LLMGR_OK)
            atomic_fetch_add(&wrong, 1);
        else if (target.payer == LM_PAYER_USER &&
                 (strncmp(key.bytes, "sk-", 3) != 0 || strcmp(key.bytes + 3, user) != 0))
            atomic_fetch_add(&wrong, 1);
        if (target.payer != LM_PAYER_NONE)
            lv_secret_clear(&key);
        lb_arena_reset(&arena);
    }
    lb_arena_free(&arena);
    return NULL;
}

static void readers_beside_a_writer_never_see_a_wrong_key_or_an_old_choice(void **state)
{
    pthread_t readers[READERS];
    char user[16];
    char key[24];

    (void)state;
    atomic_store(&stop, false);
    atomic_store(&wrong, 0);
    for (uintptr_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, (void *)(i * 13)), 0);
    for (unsigned i = 0; i < WRITES; i++) {
        snprintf(user, sizeof user, "u%u", i % 40);
        snprintf(key, sizeof key, "sk-%s", user);
        if (i % 3 == 0)
            own_key(&h, user, i % 2 == 0 ? a : b, i % 2 == 0 ? URL_A : URL_B, key);
        pick(&h, user, "main", i % 2 == 0 ? a : b, i % 2 == 0 ? a1 : b1);
        ASSERT_STATUS(&h, LLMGR_OK, ask(&h, user, NULL, NULL));
        assert_int_equal(h.target.model_id, i % 2 == 0 ? a1 : b1);
        if (i % 10 == 9) {
            int64_t fleeting = add_model(&h, NULL, b, "Fleeting", "fleeting");
            pick(&h, user, "main", b, fleeting);
            drop_model(&h, NULL, fleeting);
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&wrong), 0);
}

static void *race(void *context)
{
    struct lm_manager *manager = context;
    struct lb_arena arena;
    struct lr_target target;
    struct llmgr_error err;
    struct lr_request request = {.user = LB_STR("ann")};

    lb_arena_init(&arena, &h.host, NULL, 0, 1 << 20);
    if (lr_resolve(manager, &request, &arena, &target, &err) != LLMGR_OK || target.model_id != a1)
        atomic_fetch_add(&wrong, 1);
    else if (target.repaired)
        atomic_fetch_add(&repaired, 1);
    lb_arena_free(&arena);
    return NULL;
}

static void of_many_repairs_at_once_one_says_so(void **state)
{
    struct lm_manager *managers[2] = {h.manager, site_open_another(&h)};

    (void)state;
    for (int round = 0; round < 5; round++) {
        pthread_t threads[RACERS];
        atomic_store(&wrong, 0);
        atomic_store(&repaired, 0);
        int64_t fleeting = add_model(&h, NULL, b, "Fleeting", "fleeting");
        pick(&h, "ann", "main", b, fleeting);
        drop_model(&h, NULL, fleeting);
        OK(&h, lm_poll(managers[1], &h.err));
        for (int i = 0; i < RACERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, race, managers[i % 2]), 0);
        for (int i = 0; i < RACERS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&wrong), 0);
        assert_int_equal(atomic_load(&repaired), 1);
        OK(&h, lm_poll(managers[1], &h.err));
    }
    la_manager_close(managers[1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ones_own_write_is_seen_at_once),
        CASE(another_process_is_seen_within_the_poll),
        CASE(a_reader_that_missed_pruned_changes_reads_all_anew),
        CASE(a_failed_write_changes_nothing_that_is_remembered),
        CASE(a_view_misses_is_filled_and_follows_changes),
        CASE(a_profile_read_before_a_change_is_not_kept),
        CASE(a_profile_too_large_to_cache_still_answers),
        CASE(readers_beside_a_writer_never_see_a_wrong_key_or_an_old_choice),
        CASE(of_many_repairs_at_once_one_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
