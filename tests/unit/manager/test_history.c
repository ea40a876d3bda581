/* SPDX-License-Identifier: MIT */
/*
 * A database that goes back in time, as a failover to a standby, a restored dump or an older file
 * shows it: several managers on one database, of which each has seen what then is undone.
 */
#include "site.h"

#include "accounts/tokens.h"
#include "library/open.h"
#include "manager/handle.h"
#include "vault/token.h"

#define URL_A "https://a.example.com/v1"
#define URL_B "https://b.example.com/v1"

enum { MANAGERS = 3 };

static struct site h;
static int64_t a, b, a1, b1;
static struct lm_manager *managers[MANAGERS]; /* the first is the site's */
static struct lw_token_cache *caches[MANAGERS];
static char token[LV_TOKEN_SIZE + 1];
static int64_t token_id;

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    h.options.poll_ms = 60000; /* only what a test polls */
    site_reopen(&h);
    a = sys_platform(&h, "A", URL_A, 0, "sk-server-a");
    b = sys_platform(&h, "B", URL_B, 1, "sk-server-b");
    a1 = add_model(&h, NULL, a, "Alpha", "alpha");
    b1 = add_model(&h, NULL, b, "Beta", "beta");
    const struct lw_token_spec spec = {.kind = LLMGR_TOKEN_USER, .user = LB_STR("ann")};
    OK(&h, lw_token_create(h.manager, &spec, token, &token_id, &h.err));
    managers[0] = h.manager;
    for (int i = 0; i < MANAGERS; i++) {
        if (i > 0)
            managers[i] = site_open_another(&h);
        OK(&h, lw_token_cache_new(managers[i], 0, &caches[i], &h.err));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < MANAGERS; i++) {
        lw_token_cache_free(caches[i]);
        if (i > 0)
            la_manager_close(managers[i]);
    }
    site_teardown(&h);
    return 0;
}

static void poll_all(void)
{
    for (int i = 0; i < MANAGERS; i++)
        OK(&h, lm_poll(managers[i], &h.err));
}

static void all_resolve_to(int64_t model)
{
    for (int i = 0; i < MANAGERS; i++) {
        h.manager = managers[i];
        ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "ann", NULL, NULL));
        h.manager = managers[0];
        assert_int_equal(h.target.model_id, model);
    }
}

static bool is_good(int i)
{
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    struct lw_token *found = NULL;
    struct lw_token *loaded = NULL;

    switch (lw_token_cache_find(caches[i], lb_cstr(token), digest, &found)) {
    case LW_TOKEN_FOUND:
        return true;
    case LW_TOKEN_MISS:
        OK(&h, lw_token_load(managers[i], digest, &loaded, &h.err));
        bool known = loaded->known;
        lw_token_cache_put(caches[i], loaded);
        return known;
    case LW_TOKEN_UNKNOWN:
    default:
        return false;
    }
}

static void all_say(bool good)
{
    for (int i = 0; i < MANAGERS; i++)
        assert_int_equal(is_good(i), good);
}

static int64_t newest(void)
{
    return db_number(&h.db, "SELECT MAX(revision) FROM llm_changes");
}

#define SQL(...)                                                                                   \
    do {                                                                                           \
        char text_[300];                                                                           \
        snprintf(text_, sizeof text_, __VA_ARGS__);                                                \
        db_sql(&h.db, text_);                                                                      \
    } while (0)

/* What comes after `revision` never was; its numbers are given again. */
static void undo(int64_t revision)
{
    SQL("DELETE FROM llm_changes WHERE revision > %lld", (long long)revision);
    if (h.db.postgres)
        SQL("SELECT setval(pg_get_serial_sequence('llm_changes', 'revision'), %lld)",
            (long long)revision);
    else
        SQL("UPDATE sqlite_sequence SET seq = %lld WHERE name = 'llm_changes'",
            (long long)revision);
}

static void undo_choices(int64_t revision)
{
    db_sql(&h.db, "DELETE FROM user_ai_configs");
    undo(revision);
}

/* Ann chose B: everybody knows it. */
static void choose_b(int changes)
{
    for (int i = 0; i < changes; i++)
        pick(&h, "ann", "main", b, b1);
    poll_all();
    all_resolve_to(b1);
}

static void want_resets(uint64_t count)
{
    for (int i = 0; i < MANAGERS; i++)
        assert_int_equal(lm_history_resets(managers[i]), count);
}

/* ---- History ends ---------------------------------------------------------------------------- */

static void a_lower_revision_voids_what_is_remembered(void **state)
{
    (void)state;
    all_resolve_to(a1);
    int64_t before = newest();
    for (int lost = 1; lost <= 3; lost += 2) {
        choose_b(lost);
        undo_choices(before);
        poll_all();
        all_resolve_to(a1);
        before = newest();
    }
    want_resets(2);
}

static void as_many_changes_as_were_lost_do_not_hide_it(void **state)
{
    (void)state;
    int64_t before = newest();
    choose_b(1);
    undo_choices(before);
    pick(&h, "bob", "main", a, a1); /* takes the number of the lost one */
    assert_int_equal(newest(), before + 1);
    poll_all();
    all_resolve_to(a1);
    want_resets(1);
}

static void more_changes_than_were_lost_do_not_hide_it(void **state)
{
    (void)state;
    all_say(true);
    int64_t before = newest();
    choose_b(2);
    undo_choices(before);
    for (int i = 0; i < 5; i++)
        pick(&h, "bob", "main", a, a1);
    OK(&h, lw_token_revoke(h.manager, (struct lb_str){0}, token_id, NULL, &h.err));
    poll_all();
    all_resolve_to(a1);
    all_say(false);
    want_resets(1);
    /* And it goes on from there. */
    choose_b(1);
    want_resets(1);
}

static void what_is_asked_for_the_first_time_is_not_read_from_an_older_state(void **state)
{
    (void)state;
    int64_t before = newest();
    choose_b(1);
    undo_choices(before);
    /* Bob was never asked for: his rows are read now, and the reading shows it. */
    for (int i = 0; i < MANAGERS; i++) {
        h.manager = managers[i];
        ASSERT_STATUS(&h, LLMGR_OK, ask(&h, "bob", NULL, NULL));
        assert_int_equal(lm_history_resets(managers[i]), 1);
    }
    h.manager = managers[0];
    all_resolve_to(a1);
}

static void an_unknown_token_is_not_looked_up_in_an_older_state(void **state)
{
    (void)state;
    int64_t before = newest();
    choose_b(1);
    undo_choices(before);
    all_say(true);
    want_resets(1);
    all_resolve_to(a1);
}

static void a_token_that_came_back_is_taken_though_it_was_refused(void **state)
{
    (void)state;
    int64_t before = newest();
    OK(&h, lw_token_revoke(h.manager, (struct lb_str){0}, token_id, NULL, &h.err));
    poll_all();
    all_say(false);
    db_sql(&h.db, "UPDATE llm_tokens SET revoked_at = NULL");
    undo(before);
    poll_all();
    all_say(true); /* until it is revoked again */
    want_resets(1);
    OK(&h, lw_token_revoke(h.manager, (struct lb_str){0}, token_id, NULL, &h.err));
    poll_all();
    all_say(false);
}

static void marks_of_the_release_before_are_told_apart_by_the_identity(void **state)
{
    (void)state;
    db_sql(&h.db, "INSERT INTO llm_changes (user_id) VALUES ('ann')");
    poll_all();
    db_sql(&h.db, "UPDATE llm_changes SET mark = NULL");
    poll_all();
    all_resolve_to(a1);
    want_resets(0); /* null then, null now */
    choose_b(1);
    db_sql(&h.db, "UPDATE llm_changes SET mark = NULL");
    db_sql(&h.db, "DELETE FROM user_ai_configs");
    poll_all();
    want_resets(1); /* a mark then, null now */
    all_resolve_to(a1);
    db_sql(&h.db, "INSERT INTO user_ai_configs (user_id, slot, selected_platform_id,"
                  " selected_model_id) SELECT 'ann', 'main', p.id, m.id FROM llm_platforms p"
                  " JOIN llm_platform_models m ON m.platform_id = p.id WHERE p.name = 'B'");
    db_sql(&h.db, "UPDATE llm_meta SET value = 'another' WHERE name = 'identity'");
    poll_all();
    want_resets(2);
    all_resolve_to(b1);
}

static void an_empty_history_is_another_one(void **state)
{
    (void)state;
    choose_b(1);
    db_sql(&h.db, "DELETE FROM llm_changes");
    db_sql(&h.db, "DELETE FROM user_ai_configs");
    poll_all();
    want_resets(1);
    all_resolve_to(a1);
    pick(&h, "ann", "main", b, b1);
    poll_all();
    all_resolve_to(b1);
    want_resets(1);
}

/* The new model stands behind the lost one in no order that matters: its revision is lower. */
static void a_catalogue_of_a_lower_revision_replaces_the_one_that_was_lost(void **state)
{
    (void)state;
    int64_t before = newest();
    int64_t lost = add_model(&h, NULL, a, "Lost", "lost");
    poll_all();
    SQL("DELETE FROM llm_platform_models WHERE id = %lld", (long long)lost);
    undo(before);
    poll_all();
    for (int i = 0; i < MANAGERS; i++) {
        h.manager = managers[i];
        ASSERT_STATUS(&h, LLMGR_ERR_NOT_FOUND, ask(&h, "ann", NULL, "Lost"));
        h.manager = managers[0];
    }
}

/* ---- Until all is read anew ------------------------------------------------------------------ */

static void nothing_is_answered_until_it_is_read_anew(void **state)
{
    (void)state;
    int64_t before = newest();
    choose_b(1);
    undo_choices(before);
    db_sql(&h.db, "ALTER TABLE llm_platforms RENAME TO elsewhere"); /* a restoring under way */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANAGERS; i++) {
            h.manager = managers[i];
            assert_int_not_equal(lm_poll(managers[i], &h.err), LLMGR_OK);
            assert_false(lm_is_fresh(managers[i]));
            assert_int_not_equal(ask(&h, "ann", NULL, NULL), LLMGR_OK);
            h.manager = managers[0];
        }
        want_resets(1); /* one history, however often it is looked at */
    }
    db_sql(&h.db, "ALTER TABLE elsewhere RENAME TO llm_platforms");
    poll_all();
    all_resolve_to(a1);
    want_resets(1);
    for (int i = 0; i < MANAGERS; i++)
        assert_true(lm_is_fresh(managers[i]));
}

static void what_a_restoring_brings_later_is_read_as_well(void **state)
{
    (void)state;
    int64_t before = newest();
    choose_b(1);
    undo_choices(before);
    poll_all();
    all_resolve_to(a1);
    /* Without a change of its own, as the rest of a dump comes. */
    db_sql(&h.db, "INSERT INTO user_ai_configs (user_id, slot, selected_platform_id,"
                  " selected_model_id) SELECT 'ann', 'main', p.id, m.id FROM llm_platforms p"
                  " JOIN llm_platform_models m ON m.platform_id = p.id WHERE p.name = 'B'");
    for (int i = 0; i < MANAGERS; i++)
        managers[i]->again_ms = 1; /* its time has come */
    poll_all();
    all_resolve_to(b1);
    want_resets(1);
}

/* Between our write and the history that was known nothing may be missed. */
static void ones_own_write_does_not_hide_that_history_went_back(void **state)
{
    (void)state;
    int64_t before = newest();
    choose_b(1);
    undo_choices(before);
    /* Another one writes the number that was known, the next is ours. */
    h.manager = managers[1];
    pick(&h, "bob", "main", a, a1);
    h.manager = managers[0];
    pick(&h, "bob", "main", b, b1);
    poll_all();
    want_resets(1);
    all_resolve_to(a1);
}

/* ---- A file in the place of another ---------------------------------------------------------- */

static void sqlite_an_older_file_is_moved_into_the_place_of_ours(void **state)
{
    char copy[400], log[400];
    (void)state;

    snprintf(copy, sizeof copy, "%s/copy.db", h.db.dir);
    snprintf(log, sizeof log, "%s-wal.old", h.db.path);
    OK(&h, ls_backup(lm_store(h.manager), copy, &h.err));
    choose_b(3);
    assert_int_equal(rename(copy, h.db.path), 0);
    poll_all();
    all_resolve_to(a1);
    all_say(true);
    want_resets(1);
    assert_int_equal(access(log, F_OK), 0); /* the one that lay beside the former file */
    choose_b(1);
    OK(&h, lw_token_revoke(h.manager, (struct lb_str){0}, token_id, NULL, &h.err));
    poll_all();
    all_say(false);
    want_resets(1);
    assert_int_equal(db_number(&h.db, "SELECT COUNT(*) FROM user_ai_configs"), 1);
}

static void sqlite_a_file_that_is_gone_is_not_answered_from(void **state)
{
    char away[400];
    (void)state;

    snprintf(away, sizeof away, "%s/away.db", h.db.dir);
    assert_int_equal(rename(h.db.path, away), 0);
    for (int i = 0; i < MANAGERS; i++)
        ASSERT_STATUS(&h, LLMGR_ERR_DATABASE, lm_poll(managers[i], &h.err));
    assert_int_equal(rename(away, h.db.path), 0);
    poll_all();
    all_resolve_to(a1);
    want_resets(0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_lower_revision_voids_what_is_remembered),
        CASE(as_many_changes_as_were_lost_do_not_hide_it),
        CASE(more_changes_than_were_lost_do_not_hide_it),
        CASE(what_is_asked_for_the_first_time_is_not_read_from_an_older_state),
        CASE(an_unknown_token_is_not_looked_up_in_an_older_state),
        CASE(a_token_that_came_back_is_taken_though_it_was_refused),
        CASE(marks_of_the_release_before_are_told_apart_by_the_identity),
        CASE(an_empty_history_is_another_one),
        CASE(a_catalogue_of_a_lower_revision_replaces_the_one_that_was_lost),
        CASE(nothing_is_answered_until_it_is_read_anew),
        CASE(what_a_restoring_brings_later_is_read_as_well),
        CASE(ones_own_write_does_not_hide_that_history_went_back),
        CASE(sqlite_an_older_file_is_moved_into_the_place_of_ours),
        CASE(sqlite_a_file_that_is_gone_is_not_answered_from),
    };

    db_choose_tests();
    return cmocka_run_group_tests_name("manager/history", tests, NULL, NULL);
}
