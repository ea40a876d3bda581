/* SPDX-License-Identifier: MIT */
/* What only PostgreSQL has: a server that goes away, and one that asks for another try. */
#include "store/store.h"

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

#include "../db.h"

static struct db db;
static struct ls_store *store;

static int setup(void **state)
{
    (void)state;
    db_setup(&db);
    store = db_open_with(&db, (struct ls_options){.pool_size = 3, .busy_timeout_ms = 2000});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ls_close(store);
    db_teardown(&db);
    return 0;
}

/* Ends every session of the store. */
static void terminate(void)
{
    char sql[256];

    snprintf(sql, sizeof sql,
             "SELECT COUNT(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
             " WHERE datname = '%s' AND application_name = 'llmgr'",
             db.name);
    assert_true(db_psql_number(NULL, sql) > 0);
}

static llmgr_status set_meta(struct ls_tx *tx, const char *value, struct llmgr_error *err)
{
    return ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr(value)), NULL, err);
}

static struct ls_tx *begin(enum ls_mode mode)
{
    struct llmgr_error err = {0};
    struct ls_tx *tx = NULL;

    if (ls_begin(store, mode, &tx, &err) != LLMGR_OK)
        fail_msg("ls_begin: %s", err.message);
    return tx;
}

static void an_idle_connection_that_was_ended_is_replaced(void **state)
{
    struct llmgr_error err = {0};
    (void)state;

    for (int mode = LS_READ; mode <= LS_WRITE; mode++) {
        struct ls_tx *tx = begin((enum ls_mode)mode);
        ls_rollback(tx);
        terminate();
        tx = begin((enum ls_mode)mode);
        struct ls_rows rows;
        assert_int_equal(ls_get(tx, LS_REVISION_GET, NULL, 0, &rows, &err), LLMGR_OK);
        ls_rows_end(&rows);
        assert_int_equal(ls_commit(tx, &err), LLMGR_OK);
    }
    assert_non_null(strstr(db.log, "connecting anew"));
}

struct trial {
    int tries;
    int terminate_at;
};

static llmgr_status write_while_terminated(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct trial *trial = context;

    llmgr_status status = set_meta(tx, "1", err);
    if (++trial->tries == trial->terminate_at && status == LLMGR_OK)
        terminate();
    return status == LLMGR_OK ? set_meta(tx, "2", err) : status;
}

static void a_transaction_whose_connection_was_lost_is_run_again(void **state)
{
    struct trial trial = {.terminate_at = 1};
    struct llmgr_error err = {0};
    (void)state;

    if (ls_transact(store, LS_WRITE, write_while_terminated, &trial, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(trial.tries, 2);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_meta WHERE value = '2'"), 1);
}

static void a_loss_in_the_commit_is_told_and_not_repeated(void **state)
{
    struct llmgr_error err = {0};
    (void)state;

    struct ls_tx *tx = begin(LS_WRITE);
    assert_int_equal(set_meta(tx, "1", NULL), LLMGR_OK);
    terminate();
    assert_int_equal(ls_commit(tx, &err), LLMGR_ERR_DATABASE);
    assert_non_null(strstr(err.message, "look whether"));
    tx = begin(LS_WRITE);
    assert_int_equal(set_meta(tx, "2", NULL), LLMGR_OK);
    assert_int_equal(ls_commit(tx, NULL), LLMGR_OK);
}

static llmgr_status write_and_be_terminated(struct ls_tx *tx, void *context,
                                            struct llmgr_error *err)
{
    struct trial *trial = context;
    llmgr_status status = set_meta(tx, "1", err);

    trial->tries++;
    terminate();
    return status;
}

static void nor_does_transact_repeat_it(void **state)
{
    struct trial trial = {0};
    struct llmgr_error err = {0};
    (void)state;

    assert_int_equal(ls_transact(store, LS_WRITE, write_and_be_terminated, &trial, &err),
                     LLMGR_ERR_DATABASE);
    assert_int_equal(trial.tries, 1);
}

/* A trigger raises a serialisation failure for the first tries, as a conflict would. */
static void plant_failures(const char *state, int count)
{
    char sql[900];

    snprintf(sql, sizeof sql,
             "SET client_min_messages = warning; DROP SEQUENCE IF EXISTS tries CASCADE; CREATE "
             "SEQUENCE tries;"
             "CREATE OR REPLACE FUNCTION fail_first() RETURNS trigger LANGUAGE plpgsql AS $$"
             " BEGIN IF nextval('tries') <= %d THEN"
             "  RAISE EXCEPTION 'planted' USING ERRCODE = '%s';"
             " END IF; RETURN NEW; END $$;"
             "CREATE OR REPLACE TRIGGER planted BEFORE INSERT ON llm_meta"
             " FOR EACH ROW EXECUTE FUNCTION fail_first()",
             count, state);
    db_sql(&db, sql);
}

static llmgr_status write_once(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct trial *trial = context;

    trial->tries++;
    return set_meta(tx, "1", err);
}

static void serialisation_failures_are_retried_a_bounded_number_of_times(void **state)
{
    static const char *const STATES[] = {"40001", "40P01"};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct trial trial = {0};
        struct llmgr_error err = {0};
        plant_failures(STATES[i], 2);
        assert_int_equal(ls_transact(store, LS_WRITE, write_once, &trial, &err), LLMGR_OK);
        assert_int_equal(trial.tries, 3);
        plant_failures(STATES[i], 1000);
        trial.tries = 0;
        assert_int_equal(ls_transact(store, LS_WRITE, write_once, &trial, &err),
                         LLMGR_ERR_DATABASE_BUSY);
        assert_int_equal(trial.tries, LS_TRIES);
    }
}

static void errors_have_their_status(void **state)
{
    static const struct {
        const char *state;
        llmgr_status status;
    } CODES[] = {
        {"23505", LLMGR_ERR_CONFLICT},      {"23503", LLMGR_ERR_CONFLICT},
        {"23514", LLMGR_ERR_DATABASE},      {"25006", LLMGR_ERR_DATABASE_READONLY},
        {"42501", LLMGR_ERR_DATABASE},      {"53100", LLMGR_ERR_DATABASE_FULL},
        {"53200", LLMGR_ERR_DATABASE_BUSY}, {"55P03", LLMGR_ERR_DATABASE_BUSY},
        {"57014", LLMGR_ERR_DATABASE_BUSY}, {"58030", LLMGR_ERR_DATABASE_FULL},
        {"XX001", LLMGR_ERR_DATABASE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++) {
        struct trial trial = {0};
        struct llmgr_error err = {0};
        plant_failures(CODES[i].state, 1000);
        llmgr_status status = ls_transact(store, LS_WRITE, write_once, &trial, &err);
        if (status != CODES[i].status)
            fail_msg("%s: %s", CODES[i].state, err.message);
        /* A full disk is given one more chance. */
        assert_int_equal(trial.tries, status == LLMGR_ERR_DATABASE_FULL ? 2 : 1);
        assert_non_null(strstr(err.message, db.name));
    }
}

static void a_slow_statement_is_ended(void **state)
{
    struct llmgr_error err = {0};
    struct ls_tx *tx = NULL;
    (void)state;

    db_sql(&db, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$;"
                "CREATE TRIGGER slow BEFORE INSERT ON llm_meta"
                " FOR EACH ROW EXECUTE FUNCTION slow()");
    struct ls_store *hasty = db_open_with(&db, (struct ls_options){.statement_timeout_ms = 100});
    assert_int_equal(ls_begin(hasty, LS_WRITE, &tx, &err), LLMGR_OK);
    assert_int_equal(set_meta(tx, "1", &err), LLMGR_ERR_DATABASE_BUSY);
    ls_rollback(tx);
    ls_close(hasty);
}

/* The backend of the store's one transaction. */
static pid_t backend(void)
{
    char sql[256];

    snprintf(sql, sizeof sql,
             "SELECT MAX(pid) FROM pg_stat_activity WHERE datname = '%s'"
             " AND application_name = 'llmgr' AND state LIKE 'idle in transaction%%'",
             db.name);
    return (pid_t)db_psql_number(NULL, sql);
}

static volatile pid_t stopped;

/* A stopped server could not even be shut down. */
static void let_go_on(int number)
{
    (void)number;
    kill(stopped, SIGCONT);
}

/* Its own timeout ends no statement, for it is stopped: only who waits can end the waiting. */
static void is_not_waited_for(const char *value)
{
    struct llmgr_error err = {0};
    struct ls_tx *tx = NULL;

    struct ls_store *hasty = db_open_with(&db, (struct ls_options){.statement_timeout_ms = 100});
    assert_int_equal(ls_begin(hasty, LS_WRITE, &tx, &err), LLMGR_OK);
    assert_int_equal(set_meta(tx, "1", &err), LLMGR_OK);
    pid_t pid = backend();
    assert_true(pid > 0);
    if (kill(pid, SIGSTOP) != 0) /* another user's, or another machine's */
        fail_msg("LLMGR_TEST_POSTGRES must be a server of this user on this machine");
    stopped = pid;
    signal(SIGALRM, let_go_on);
    alarm(40); /* who still waits then has failed */
    llmgr_status status = set_meta(tx, value, &err);
    ls_rollback(tx);
    alarm(0);
    kill(pid, SIGCONT); /* it finds itself left alone, and lets go of its lock */
    assert_int_equal(status, LLMGR_ERR_DATABASE);
    if (strstr(err.message, "did not answer for 5 seconds") == NULL)
        fail_msg("%s", err.message);
    tx = NULL;
    assert_int_equal(ls_begin(hasty, LS_WRITE, &tx, &err), LLMGR_OK);
    assert_int_equal(set_meta(tx, "3", &err), LLMGR_OK);
    assert_int_equal(ls_commit(tx, &err), LLMGR_OK);
    ls_close(hasty);
}

static void a_server_that_says_nothing_is_not_waited_for(void **state)
{
    (void)state;
    is_not_waited_for("2");
}

/* More than sockets take: already the sending is waited for. */
static void a_server_that_takes_nothing_is_not_waited_for(void **state)
{
    static char large[8 << 20];
    (void)state;

    memset(large, 'x', sizeof large - 1);
    is_not_waited_for(large);
}

static llmgr_status find_meta(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    bool found = false;
    struct ls_rows rows = {0};
    int *tries = context;

    ++*tries;
    llmgr_status status = ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr("writer")), &rows, &found, err);
    ls_rows_end(&rows);
    return status;
}

/* As nobody waits who waits for freshness: two seconds, and once. */
static void who_waits_for_an_answer_waits_two_seconds(void **state)
{
    struct llmgr_error err = {0};
    int tries = 0;
    (void)state;

    struct ls_store *one = db_open_with(&db, (struct ls_options){.pool_size = 1});
    assert_int_equal(ls_transact(one, LS_READ_SOON, find_meta, &tries, &err), LLMGR_OK);
    pid_t pid = (pid_t)db_psql_number(NULL, "SELECT MAX(pid) FROM pg_stat_activity"
                                            " WHERE application_name = 'llmgr'"
                                            " AND query LIKE 'SELECT value FROM llm_meta%'");
    assert_true(pid > 0);
    if (kill(pid, SIGSTOP) != 0) {
        ls_close(one);
        skip();
    }
    stopped = pid;
    signal(SIGALRM, let_go_on);
    alarm(30);
    tries = 0;
    llmgr_status status = ls_transact(one, LS_READ_SOON, find_meta, &tries, &err);
    alarm(0);
    kill(pid, SIGCONT);
    assert_int_equal(status, LLMGR_ERR_DATABASE);
    assert_int_equal(tries, 1);
    if (strstr(err.message, "did not answer for 2 seconds") == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(ls_transact(one, LS_READ_SOON, find_meta, &tries, &err), LLMGR_OK);
    ls_close(one);
}

static void a_server_that_is_not_there_is_named(void **state)
{
    struct llmgr_error err = {0};
    struct ls_store *none = NULL;
    const struct ls_options options = {.url = "postgres:///shop?host=/nonexistent-folder"};
    (void)state;

    assert_int_equal(ls_open(&db.host, &options, &none, &err), LLMGR_ERR_DATABASE);
    assert_non_null(strstr(err.message, "shop at /nonexistent-folder"));
    assert_null(strchr(err.message, '\n'));
}

static void a_backup_names_pg_dump_and_a_check_names_the_server(void **state)
{
    struct llmgr_error err = {0};
    struct ls_check_report report;
    (void)state;

    assert_int_equal(ls_backup(store, "x", &err), LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "pg_dump"));
    assert_int_equal(ls_check(store, &report, &err), LLMGR_OK);
    assert_string_equal(report.engine, "PostgreSQL");
    assert_true(report.version[0] >= '1' && report.version[0] <= '9');
    assert_true(report.sound);
    assert_true(report.size_bytes > 0);
    assert_false(report.wal_reset_bug);
    assert_int_equal(report.schema_version, ls_schema_latest());
}

static void a_schema_of_its_own_is_respected(void **state)
{
    struct db other = db;
    (void)state;

    db_sql(&db, "CREATE SCHEMA elsewhere");
    snprintf(other.url, sizeof other.url, "%.500s&options=-csearch_path%%3Delsewhere", db.url);
    struct ls_store *second = db_open(&other);
    ls_close(second);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM elsewhere.llm_migrations"),
                     ls_schema_latest());
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(an_idle_connection_that_was_ended_is_replaced),
        FRESH(a_transaction_whose_connection_was_lost_is_run_again),
        FRESH(a_loss_in_the_commit_is_told_and_not_repeated),
        FRESH(nor_does_transact_repeat_it),
        FRESH(serialisation_failures_are_retried_a_bounded_number_of_times),
        FRESH(errors_have_their_status),
        FRESH(a_slow_statement_is_ended),
        FRESH(a_server_that_says_nothing_is_not_waited_for),
        FRESH(a_server_that_takes_nothing_is_not_waited_for),
        FRESH(who_waits_for_an_answer_waits_two_seconds),
        FRESH(a_server_that_is_not_there_is_named),
        FRESH(a_backup_names_pg_dump_and_a_check_names_the_server),
        FRESH(a_schema_of_its_own_is_respected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
