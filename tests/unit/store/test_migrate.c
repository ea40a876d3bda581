/* SPDX-License-Identifier: MIT */
/*
 * Schema and migrations on either database: fresh, newer, half there, two at once, killed in the
 * middle; and the Python original's database, made by Python itself.
 */
#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "../db.h"
#include "../release.h"

static struct db db;

static int setup(void **state)
{
    (void)state;
    db_setup(&db);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_teardown(&db);
    return 0;
}

static void make_original(void)
{
    char command[1024];

    if (!db.postgres) {
        snprintf(command, sizeof command, "python3 -B %s/make_original.py %s", TEST_FOLDER,
                 db.path);
        assert_int_equal(system(command), 0);
        return;
    }
    static char sql[1 << 16];
    FILE *pipe = popen("python3 -B " TEST_FOLDER "/make_original.py --postgres", "r");
    assert_non_null(pipe);
    size_t size = fread(sql, 1, sizeof sql - 1, pipe);
    assert_int_equal(pclose(pipe), 0);
    sql[size] = '\0';
    db_sql(&db, sql);
}

/* A stand-in for the vault: the sealed form is recognisable and holds no clear text. */
struct sealer {
    int platforms;
    int own;
    int fail_at;       /* the nth key is refused; 0: none */
    bool die;          /* instead of refusing, end the process on the spot */
    unsigned pause_us; /* per key: time for others to come and wait */
};

static llmgr_status seal(struct ls_tx *tx, const struct ls_legacy_key *key, void *context,
                         struct llmgr_error *err)
{
    struct sealer *sealer = context;
    char name[64];

    assert_true(lb_str_starts(key->api_key, LB_STR("sk-clear-")));
    sealer->platforms += !key->is_own;
    sealer->own += key->is_own;
    if (sealer->fail_at == sealer->platforms + sealer->own) {
        if (sealer->die)
            kill(getpid(), SIGKILL);
        return lb_str_eq_c(key->user, "") ? LLMGR_ERR_INTERNAL : LLMGR_ERR_VAULT;
    }
    if (sealer->pause_us != 0)
        usleep(sealer->pause_us);
    assert_true(lb_str_starts(key->base_url, LB_STR("https://")));
    snprintf(name, sizeof name, "sealed-%s-%.*s-%lld", key->is_own ? "own" : "server",
             (int)key->user.size, key->user.p, (long long)key->platform_id);
    return ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr(name), ls_cstr("yes")), NULL, err);
}

static llmgr_status open_original(struct sealer *sealer, struct ls_store **store,
                                  struct llmgr_error *err)
{
    const struct ls_options options = {.url = db.url, .on_legacy = seal, .legacy_context = sealer};

    return ls_open(&db.host, &options, store, err);
}

/* Does any file of the test's folder whose name holds `part` (and not `unless`) hold the text? */
static bool folder_holds(const char *part, const char *unless, const char *text)
{
    DIR *dir = opendir(db.dir);
    const struct dirent *entry;
    bool found = false;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[600];
        if (strstr(entry->d_name, part) == NULL ||
            (unless != NULL && strstr(entry->d_name, unless) != NULL))
            continue;
        snprintf(path, sizeof path, "%s/%s", db.dir, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        static char bytes[4 << 20];
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        found = found || memmem(bytes, size, text, strlen(text)) != NULL;
    }
    closedir(dir);
    return found;
}

static int count_backups(void)
{
    if (db.postgres)
        return (int)db_number(&db, "SELECT COUNT(*) FROM pg_namespace"
                                   " WHERE nspname LIKE 'llmgr_backup_v%'");
    DIR *dir = opendir(db.dir);
    const struct dirent *entry;
    int count = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        count += strstr(entry->d_name, ".backup-v") != NULL;
    closedir(dir);
    return count;
}

/* ---- Fresh and foreign ---- */

static void a_fresh_database_gets_the_latest_schema_without_a_backup(void **state)
{
    int64_t version = 0;
    (void)state;

    struct ls_store *store = db_open(&db);
    assert_int_equal(ls_schema_version(store, &version, NULL), LLMGR_OK);
    assert_int_equal(version, ls_schema_latest());
    int64_t from = -1;
    int64_t to = -1;
    assert_int_equal(ls_migrate(store, &from, &to, NULL), LLMGR_OK);
    assert_int_equal(from, to);
    ls_close(store);
    assert_int_equal(count_backups(), 0);
    ls_close(db_open_with(&db, (struct ls_options){.migrate = LS_MIGRATE_REFUSE}));
}

static void a_newer_schema_is_refused_with_both_numbers(void **state)
{
    struct ls_store *store = NULL;
    struct llmgr_error err = {0};
    char wanted[64];
    (void)state;

    ls_close(db_open(&db));
    db_sql(&db, "INSERT INTO llm_migrations VALUES (4711, 'from the future', 0)");
    const struct ls_options options = {.url = db.url};
    assert_int_equal(ls_open(&db.host, &options, &store, &err), LLMGR_ERR_DATABASE_NEWER);
    assert_null(store);
    assert_non_null(strstr(err.message, "4711"));
    snprintf(wanted, sizeof wanted, "schema %lld at most", (long long)ls_schema_latest());
    assert_non_null(strstr(err.message, wanted));
}

static void tables_of_others_are_left_alone_and_backed_up(void **state)
{
    (void)state;
    db_sql(&db, "CREATE TABLE llm_somebody (id INTEGER)");
    db_sql(&db, "INSERT INTO llm_somebody VALUES (42)");
    ls_close(db_open(&db));
    assert_int_equal(db_number(&db, "SELECT id FROM llm_somebody"), 42);
    assert_int_equal(count_backups(), 1);
}

static void half_an_original_is_refused_untouched(void **state)
{
    struct ls_store *store = NULL;
    struct llmgr_error err = {0};
    (void)state;

    make_original();
    db_sql(&db, "DROP TABLE user_ai_configs");
    const struct ls_options options = {.url = db.url};
    assert_int_equal(ls_open(&db.host, &options, &store, &err), LLMGR_ERR_DATABASE);
    assert_non_null(strstr(err.message, "3 of the four"));
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platforms"), 5);
}

static void an_older_schema_is_refused_if_so_wanted(void **state)
{
    struct ls_store *store = NULL;
    struct llmgr_error err = {0};
    int64_t version = -1;
    (void)state;

    make_original();
    struct ls_options options = {.url = db.url, .migrate = LS_MIGRATE_REFUSE};
    assert_int_equal(ls_open(&db.host, &options, &store, &err), LLMGR_ERR_DATABASE);
    assert_non_null(strstr(err.message, "llmgr db migrate"));
    options.migrate = LS_MIGRATE_LEAVE;
    assert_int_equal(ls_open(&db.host, &options, &store, &err), LLMGR_OK);
    assert_int_equal(ls_schema_version(store, &version, &err), LLMGR_OK);
    assert_int_equal(version, 0);
    struct ls_check_report report;
    assert_int_equal(ls_check(store, &report, &err), LLMGR_OK);
    assert_true(report.sound);
    ls_close(store);
    assert_int_equal(count_backups(), 0);
}

/* ---- The original ---- */

static void check_migrated(void)
{
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platforms"), 5);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platforms WHERE is_sys = 1"), 2);
    assert_int_equal(db_number(&db, "SELECT hide FROM llm_platforms WHERE id = 5"), 1);
    assert_int_equal(db_number(&db, "SELECT id FROM llm_platforms WHERE name = 'mine (6)'"), 6);
    assert_int_equal(db_number(&db, "SELECT id FROM llm_platforms"
                                    " WHERE name = 'mine' AND user_id = 'bob'"),
                     9);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platforms"
                                    " WHERE api_key IS NOT NULL"),
                     0);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platform_models"), 5);
    assert_int_equal(db_number(&db, "SELECT id FROM llm_platform_models"
                                    " WHERE display_name = 'openai/gpt-4o-mini'"),
                     2);
    assert_int_equal(db_number(&db, "SELECT id FROM llm_platform_models"
                                    " WHERE display_name = '千问 (4)'"),
                     4);
    assert_int_equal(db_number(&db, "SELECT id FROM llm_platform_models"
                                    " WHERE extra_body IS NOT NULL"),
                     3);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_sys_platform_keys"), 3);
    assert_int_equal(db_number(&db, "SELECT hide FROM llm_sys_platform_keys"
                                    " WHERE user_id = 'bob' AND platform_id = 1"),
                     1);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM user_ai_configs WHERE slot = 'main'"), 4);
    assert_int_equal(db_number(&db, "SELECT selected_model_id FROM user_ai_configs"
                                    " WHERE user_id = 'carol'"),
                     8);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_meta WHERE name LIKE 'sealed-%'"), 5);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_meta"
                                    " WHERE name = 'sealed-server-alice-5'"
                                    " OR name = 'sealed-own-bob-2'"),
                     2);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_meta WHERE name = 'scrub'"), 0);
}

static void the_originals_database_is_migrated_in_place(void **state)
{
    struct sealer sealer = {0};
    struct ls_store *store = NULL;
    struct llmgr_error err = {0};
    (void)state;

    make_original();
    if (open_original(&sealer, &store, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(sealer.platforms, 3);
    assert_int_equal(sealer.own, 2);
    check_migrated();
    /* New ids follow the highest old one. */
    db_sql(&db, "INSERT INTO llm_platforms (name, user_id) VALUES ('next', 'zoe')");
    assert_true(db_number(&db, "SELECT id FROM llm_platforms WHERE name = 'next'") > 9);
    ls_close(store);
    assert_int_equal(count_backups(), 1);
    assert_non_null(strstr(db.log, "clear text"));
    assert_non_null(strstr(db.log, "left behind"));
    /* The second opening has nothing to do. */
    ls_close(db_open(&db));
    assert_int_equal(count_backups(), 1);
}

static void names_that_meet_only_when_numbered_stay_apart(void **state)
{
    struct sealer sealer = {0};
    struct ls_store *store = NULL;

    (void)state;
    make_original();
    db_sql(&db, "INSERT INTO llm_platforms VALUES (20, 'mine (6)', 'alice', '', NULL, 0, 0)");
    db_sql(&db, "INSERT INTO llm_platform_models VALUES (20, 2, 'm', '千问 (4)', NULL)");
    assert_int_equal(open_original(&sealer, &store, NULL), LLMGR_OK);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platforms WHERE name LIKE '%6)%'"),
                     2);
    ls_close(store);
}

static void sqlite_keeps_no_clear_text_in_the_file_or_its_log(void **state)
{
    struct sealer sealer = {0};
    struct ls_store *store = NULL;
    (void)state;

    make_original();
    assert_true(folder_holds("test.db", NULL, "sk-clear-deleted"));
    assert_int_equal(open_original(&sealer, &store, NULL), LLMGR_OK);
    assert_false(folder_holds("test.db", ".backup-", "sk-clear-"));
    ls_close(store);
    assert_false(folder_holds("test.db", ".backup-", "sk-clear-"));
    assert_true(folder_holds(".backup-", NULL, "sk-clear-server-1"));
}

static void sqlite_does_a_scrub_that_was_hindered_at_a_later_opening(void **state)
{
    static const char DUE[] = "SELECT COUNT(*) FROM llm_meta WHERE name = 'scrub'";
    sqlite3 *reader = NULL;
    (void)state;

    ls_close(db_open(&db));
    db_sql(&db, "INSERT INTO llm_meta VALUES ('scrub', 'due')");
    assert_int_equal(sqlite3_open(db.path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT COUNT(*) FROM llm_meta", NULL, NULL, NULL),
                     SQLITE_OK);
    ls_close(db_open_with(&db, (struct ls_options){.busy_timeout_ms = 100}));
    assert_int_equal(db_number(&db, DUE), 1);
    assert_non_null(strstr(db.log, "may remain"));
    sqlite3_close(reader);
    ls_close(db_open(&db));
    assert_int_equal(db_number(&db, DUE), 0);
}

static void a_backup_holds_all_and_is_private(void **state)
{
    struct sealer sealer = {0};
    struct ls_store *store = NULL;
    (void)state;

    make_original();
    mode_t old = umask(0);
    llmgr_status status = open_original(&sealer, &store, NULL);
    umask(old);
    assert_int_equal(status, LLMGR_OK);
    ls_close(store);
    if (db.postgres)
        return;
    DIR *dir = opendir(db.dir);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char path[600];
        struct stat st;
        if (strstr(entry->d_name, ".backup-") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", db.dir, entry->d_name);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        struct db copy = db;
        assert_true(strlen(path) < sizeof copy.path);
        memcpy(copy.path, path, strlen(path) + 1);
        assert_int_equal(db_number(&copy, "SELECT COUNT(*) FROM llm_platform_models"), 6);
        assert_int_equal(db_number(&copy, "SELECT COUNT(*) FROM llm_platforms"
                                          " WHERE api_key = 'sk-clear-bob-9'"),
                         1);
    }
    closedir(dir);
}

static void without_a_sealer_the_originals_keys_are_refused(void **state)
{
    struct ls_store *store = NULL;
    struct llmgr_error err = {0};
    (void)state;

    make_original();
    const struct ls_options options = {.url = db.url};
    assert_int_equal(ls_open(&db.host, &options, &store, &err), LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "clear text"));
    assert_null(strstr(err.message, "sk-clear"));
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platform_models"), 6);
    assert_int_equal(count_backups(), 0);
}

static void a_refused_key_leaves_the_original_as_it_was(void **state)
{
    (void)state;
    make_original();
    for (int at = 1; at <= 5; at++) {
        struct sealer sealer = {.fail_at = at};
        struct ls_store *store = NULL;
        assert_int_equal(open_original(&sealer, &store, NULL), LLMGR_ERR_VAULT);
        assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platforms"
                                        " WHERE api_key LIKE 'sk-clear-%'"),
                         3);
        assert_int_equal(count_backups(), 0);
    }
    struct sealer sealer = {0};
    struct ls_store *store = NULL;
    assert_int_equal(open_original(&sealer, &store, NULL), LLMGR_OK);
    ls_close(store);
    check_migrated();
}

static void killed_in_the_middle_the_original_is_still_there(void **state)
{
    int status = 0;
    (void)state;

    make_original();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sealer sealer = {.fail_at = 4, .die = true};
        struct ls_store *store = NULL;
        (void)!open_original(&sealer, &store, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platforms"
                                    " WHERE api_key LIKE 'sk-clear-%'"),
                     3);
    struct sealer sealer = {0};
    struct ls_store *store = NULL;
    assert_int_equal(open_original(&sealer, &store, NULL), LLMGR_OK);
    ls_close(store);
    check_migrated();
}

/* Nothing between "not begun" and "done" is ever seen, and the next opening finishes it. */
static void killed_at_any_moment_a_migration_is_done_or_not_begun(void **state)
{
    unsigned rounds = db_rounds(12);
    unsigned early = 0;
    (void)state;

    for (unsigned i = 0; i < rounds; i++) {
        int status = 0;
        if (i > 0) {
            db_teardown(&db);
            db_setup(&db);
        }
        make_original();
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct sealer slow = {.pause_us = 500};
            struct ls_store *store = NULL;
            (void)!open_original(&slow, &store, NULL);
            _exit(0);
        }
        usleep(500 + i * 37 % 120 * 900);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        struct sealer sealer = {0};
        struct ls_store *store = NULL;
        assert_int_equal(open_original(&sealer, &store, NULL), LLMGR_OK);
        ls_close(store);
        int sealed = sealer.platforms + sealer.own;
        assert_true(sealed == 0 || sealed == 5);
        early += sealed == 5;
        check_migrated();
        assert_true(count_backups() >= 1);
    }
    print_message("# %u of %u kills came before the end\n", early, rounds);
}

/* ---- From one release to the next ---- */

static void every_earlier_release_is_backed_up_and_brought_to_this_one(void **state)
{
    (void)state;
    for (int version = 1; version < ls_schema_latest(); version++) {
        struct llmgr_error err = {0};
        struct ls_store *store = NULL;
        if (version > 1) {
            db_teardown(&db);
            db_setup(&db);
        }
        release_make(&db, version);
        db_sql(&db, "INSERT INTO llm_platforms (name, user_id, base_url, is_sys)"
                    " VALUES ('Kept', 'alice', 'https://kept.example/v1', 0)");
        const struct ls_options refuse = {.url = db.url, .migrate = LS_MIGRATE_REFUSE};
        assert_int_equal(ls_open(&db.host, &refuse, &store, &err), LLMGR_ERR_DATABASE);
        assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_migrations"), version);
        store = db_open(&db);
        ls_close(store);
        assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_migrations"), ls_schema_latest());
        assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_platforms WHERE name = 'Kept'"
                                        " AND user_id = 'alice'"),
                         1);
        assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_tokens"), 0);
        assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_usage"), 0);
        assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_usage_hours"), 0);
        assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_usage_sums"), 0);
        assert_int_equal(count_backups(), 1);
    }
}

/* ---- Two at once ---- */

static void two_processes_migrate_once(void **state)
{
    enum { CHILDREN = 4 };
    pid_t children[CHILDREN];
    (void)state;

    make_original();
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            struct sealer sealer = {.pause_us = 100000};
            struct ls_store *store = NULL;
            struct llmgr_error err = {0};
            if (open_original(&sealer, &store, &err) != LLMGR_OK)
                print_error("%s\n", err.message);
            ls_close(store);
            _exit(store != NULL ? 0 : 1);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    check_migrated();
    assert_int_equal(count_backups(), 1);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_migrations"), ls_schema_latest());
}

static void processes_may_create_one_database_together(void **state)
{
    enum { CHILDREN = 6 };
    pid_t children[CHILDREN];
    (void)state;

    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            struct ls_store *store = NULL;
            struct llmgr_error err = {0};
            const struct ls_options options = {.url = db.url};
            if (ls_open(&db.host, &options, &store, &err) != LLMGR_OK)
                print_error("%s\n", err.message);
            ls_close(store);
            _exit(store != NULL ? 0 : 1);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_migrations"), ls_schema_latest());
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_fresh_database_gets_the_latest_schema_without_a_backup),
        FRESH(every_earlier_release_is_backed_up_and_brought_to_this_one),
        FRESH(a_newer_schema_is_refused_with_both_numbers),
        FRESH(tables_of_others_are_left_alone_and_backed_up),
        FRESH(half_an_original_is_refused_untouched),
        FRESH(an_older_schema_is_refused_if_so_wanted),
        FRESH(the_originals_database_is_migrated_in_place),
        FRESH(names_that_meet_only_when_numbered_stay_apart),
        FRESH(sqlite_keeps_no_clear_text_in_the_file_or_its_log),
        FRESH(sqlite_does_a_scrub_that_was_hindered_at_a_later_opening),
        FRESH(a_backup_holds_all_and_is_private),
        FRESH(without_a_sealer_the_originals_keys_are_refused),
        FRESH(a_refused_key_leaves_the_original_as_it_was),
        FRESH(killed_in_the_middle_the_original_is_still_there),
        FRESH(killed_at_any_moment_a_migration_is_done_or_not_begun),
        FRESH(two_processes_migrate_once),
        FRESH(processes_may_create_one_database_together),
    };
    db_choose_tests();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
