/* SPDX-License-Identifier: MIT */
/* Rotation of the data key: complete, beside traffic, and killed anywhere. */
#include "../manager/fixture.h"
#include "manager/manager.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { KEYS = 450, KILLS = 30 }; /* more than two batches of the sweep */

static const struct conf SYSTEM[] = {
    {"Alpha", "https://alpha.example/v1", "sk-alpha", "Alpha One", "a-1", NULL,
     LLMGR_MODEL_UNKNOWN},
};

static int64_t alpha;

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    struct fixture *w = &fixture;
    SYNC(w, SYSTEM);
    alpha = platform_id(w, "Alpha");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

static void set_key(struct fixture *w, unsigned user, unsigned version)
{
    char name[32], key[32];

    snprintf(name, sizeof name, "u%u", user);
    snprintf(key, sizeof key, "sk-%u-%u", user, version);
    WANT(LLMGR_OK, lm_platform_set_key(w->manager, lm_actor_of(w->manager, lb_cstr(name)), alpha,
                                       lb_cstr(key), &w->err));
}

struct many {
    struct fixture *w;
};

/* All in one transaction, for time's sake. */
static llmgr_status store_many(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct fixture *w = ((struct many *)context)->w;
    llmgr_status status = LLMGR_OK;

    for (unsigned i = 0; status == LLMGR_OK && i < KEYS; i++) {
        char name[32], key[32];
        struct lb_buf record;
        snprintf(name, sizeof name, "u%u", i);
        snprintf(key, sizeof key, "sk-%u-0", i);
        const struct lk_key_place place = {LK_KEY_OF_USER, lb_cstr(name), alpha,
                                           S("https://alpha.example:443")};
        lb_buf_init(&record, &w->host, LV_RECORD_MAX);
        status = lk_key_seal(lm_keys(w->manager), tx, &place, lb_cstr(key), &record, err);
        if (status == LLMGR_OK)
            status =
                ls_exec(tx, LS_OWN_KEY_SET,
                        LS_ARGS(ls_cstr(name), ls_int(alpha), ls_blob(record.data, record.size)),
                        NULL, err);
        lb_buf_free(&record);
    }
    return status;
}

static void fill(struct fixture *w)
{
    struct many many = {w};

    WANT(LLMGR_OK, lm_write(w->manager, S(""), store_many, &many, &w->err));
}

static void rotate(struct fixture *w, bool dry_run, struct llmgr_key_report *report)
{
    WANT(LLMGR_OK, lk_ring_rotate(lm_keys(w->manager), dry_run, &w->arena, report, &w->err));
}

static void want_all_readable(struct fixture *w)
{
    int64_t unreadable = -1;

    WANT(LLMGR_OK, lk_ring_check(lm_keys(w->manager), &unreadable, &w->err));
    assert_int_equal(unreadable, 0);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_sys_platform_keys WHERE "
                                       "api_key IS NOT NULL"),
                     KEYS);
}

static void a_dry_run_counts_and_changes_nothing(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report report;

    fill(w);
    rotate(w, true, &report);
    assert_int_equal(report.rotated, KEYS + 1);
    assert_int_equal(report.retired, 0);
    assert_int_equal(report.count, 1);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_data_keys"), 2);
}

static void a_rotation_reseals_everything_and_drops_the_old_key(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report before, after;

    fill(w);
    WANT(LLMGR_OK, lk_ring_status(lm_keys(w->manager), &w->arena, &before, &w->err));
    assert_int_equal(before.keys[0].records, KEYS + 1);
    rotate(w, false, &after);
    assert_int_equal(after.rotated, KEYS + 1);
    assert_int_equal(after.retired, 1);
    assert_int_equal(after.count, 1);
    assert_true(after.keys[0].active);
    assert_int_equal(after.keys[0].records, KEYS + 1);
    assert_int_not_equal(after.keys[0].id, before.keys[0].id);
    want_all_readable(w);
    fixture_close(w);
    fixture_open(w);
    want_all_readable(w);
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "u7", "sk-7-0"));
}

static void a_key_that_does_not_open_is_left_and_keeps_its_data_key(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report report;

    set_key(w, 1, 0);
    db_sql(&w->db, "UPDATE llm_platforms SET base_url = 'https://moved.example'");
    rotate(w, false, &report);
    assert_int_equal(report.rotated, 0);
    assert_int_equal(report.retired, 0);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.keys[0].records + report.keys[1].records, 2);
    /* The address comes back: nothing was lost. */
    db_sql(&w->db, "UPDATE llm_platforms SET base_url = 'https://alpha.example/v1'");
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "u1", "sk-1-0"));
    rotate(w, false, &report);
    assert_int_equal(report.rotated, 2);
    assert_int_equal(report.retired, 2);
    assert_int_equal(report.count, 1);
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "u1", "sk-1-0"));
}

static void a_rotation_killed_anywhere_leaves_every_key_readable_and_goes_on(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report report;
    unsigned rounds = db_rounds(KILLS);
    unsigned killed = 0;

    fill(w);
    for (unsigned i = 0; i < rounds; i++) {
        fixture_close(w);
        pid_t child = fork();
        if (child == 0) {
            fixture_open(w);
            for (;;)
                rotate(w, false, &report);
        }
        usleep(3000 + i % KILLS * 1700);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        fixture_open(w);
        killed += db_number(&w->db, "SELECT COUNT(*) FROM llm_meta WHERE name = 'key.rotation' "
                                    "AND value <> ''") == 1;
        want_all_readable(w);
    }
    print_message("# %u of %u kills hit a rotation under way\n", killed, rounds);
    rotate(w, false, &report);
    rotate(w, false, &report);
    assert_int_equal(report.count, 1);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_data_keys"), 2);
    want_all_readable(w);
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "u449", "sk-449-0"));
}

static void a_key_set_beside_a_rotation_wins(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report report;
    enum { WRITES = 150 };

    fill(w);
    fixture_close(w);
    pid_t child = fork();
    if (child == 0) {
        fixture_open(w);
        for (unsigned i = 0; i < WRITES; i++)
            set_key(w, i * 3, 1);
        fixture_close(w);
        _exit(0);
    }
    fixture_open(w);
    int status = -1;
    do {
        rotate(w, false, &report);
    } while (waitpid(child, &status, WNOHANG) == 0);
    assert_int_equal(status, 0);
    rotate(w, false, &report);
    assert_int_equal(report.count, 1);
    want_all_readable(w);
    for (unsigned i = 0; i < WRITES; i++) {
        char name[32], key[32];
        snprintf(name, sizeof name, "u%u", i * 3);
        snprintf(key, sizeof key, "sk-%u-1", i * 3);
        assert_true(key_is(w, LK_KEY_OF_USER, alpha, name, key));
        lb_arena_reset(&w->arena);
    }
}

static void two_rotations_at_once_end_well(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report report;

    fill(w);
    fixture_close(w);
    pid_t child = fork();
    if (child == 0) {
        fixture_open(w);
        for (int i = 0; i < 5; i++)
            rotate(w, false, &report);
        fixture_close(w);
        _exit(0);
    }
    fixture_open(w);
    for (int i = 0; i < 5; i++)
        rotate(w, false, &report);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rotate(w, false, &report);
    want_all_readable(w);
    assert_int_equal(report.count, 1);
}

struct setter {
    struct fixture *w;
    unsigned first;
    int failed;
};

static void *set_some(void *context)
{
    struct setter *setter = context;

    for (unsigned i = 0; i < 30; i++) {
        char name[32], key[32];
        snprintf(name, sizeof name, "u%u", setter->first + i);
        snprintf(key, sizeof key, "sk-%u-1", setter->first + i);
        setter->failed +=
            lm_platform_set_key(setter->w->manager, lm_actor_of(setter->w->manager, lb_cstr(name)),
                                alpha, lb_cstr(key), NULL) != LLMGR_OK;
    }
    return NULL;
}

static void threads_of_one_process_set_keys_while_it_rotates(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report report;
    struct setter setters[4];
    pthread_t threads[4];

    fill(w);
    for (unsigned i = 0; i < 4; i++) {
        setters[i] = (struct setter){.w = w, .first = i * 100};
        assert_int_equal(pthread_create(&threads[i], NULL, set_some, &setters[i]), 0);
    }
    for (int i = 0; i < 5; i++)
        rotate(w, false, &report);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(setters[i].failed, 0);
    }
    rotate(w, false, &report);
    assert_int_equal(report.count, 1);
    want_all_readable(w);
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "u329", "sk-329-1"));
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "u330", "sk-330-0"));
}

static void one_process_may_rotate_more_often_than_a_vault_has_room_for_keys(void **state)
{
    struct fixture *w = *state;
    struct llmgr_key_report report;

    set_key(w, 1, 0);
    for (int i = 0; i < LV_RING_MAX + 10; i++) {
        rotate(w, false, &report);
        assert_int_equal(report.rotated, 2);
        assert_int_equal(report.count, 1);
        lb_arena_reset(&w->arena);
    }
    assert_true(key_is(w, LK_KEY_OF_USER, alpha, "u1", "sk-1-0"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_dry_run_counts_and_changes_nothing),
        TEST(a_rotation_reseals_everything_and_drops_the_old_key),
        TEST(a_key_that_does_not_open_is_left_and_keeps_its_data_key),
        TEST(a_rotation_killed_anywhere_leaves_every_key_readable_and_goes_on),
        TEST(a_key_set_beside_a_rotation_wins),
        TEST(two_rotations_at_once_end_well),
        TEST(threads_of_one_process_set_keys_while_it_rotates),
        TEST(one_process_may_rotate_more_often_than_a_vault_has_room_for_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
