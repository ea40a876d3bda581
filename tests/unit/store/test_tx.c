/* SPDX-License-Identifier: MIT */
/* Transactions, snapshots, serialised writers and typed statements, on either database. */
#include "store/store.h"

#include <pthread.h>

#include "../db.h"
#include "base/error.h"

static struct db db;
static struct ls_store *store;

static int open_fresh(void **state)
{
    (void)state;
    db_setup(&db);
    store = db_open(&db);
    return 0;
}

static int close_fresh(void **state)
{
    (void)state;
    ls_close(store);
    db_teardown(&db);
    return 0;
}

static struct ls_tx *begin(struct ls_store *on, enum ls_mode mode)
{
    struct llmgr_error err = {0};
    struct ls_tx *tx = NULL;

    if (ls_begin(on, mode, &tx, &err) != LLMGR_OK)
        fail_msg("ls_begin: %s", err.message);
    return tx;
}

static void set(struct ls_tx *tx, const char *name, const char *value)
{
    struct llmgr_error err = {0};

    if (ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr(name), ls_cstr(value)), NULL, &err) != LLMGR_OK)
        fail_msg("set: %s", err.message);
}

/* "" if absent. */
static const char *get(struct ls_tx *tx, const char *name)
{
    static char value[64];
    struct ls_rows rows;
    struct llmgr_error err = {0};
    bool found = false;

    value[0] = '\0';
    if (ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr(name)), &rows, &found, &err) != LLMGR_OK)
        fail_msg("get: %s", err.message);
    if (found) {
        struct lb_str text = ls_column_text(&rows, 0);
        snprintf(value, sizeof value, "%.*s", (int)text.size, text.p);
        ls_rows_end(&rows);
    }
    return value;
}

/* Is there a further row? */
static bool next(struct ls_rows *rows)
{
    bool found = false;

    assert_int_equal(ls_next(rows, &found, NULL), LLMGR_OK);
    return found;
}

static int64_t add_revision(struct ls_tx *tx, const char *user)
{
    struct llmgr_error err = {0};
    int64_t revision = 0;

    if (ls_insert(tx, LS_REVISION_ADD, LS_ARGS(ls_cstr(user), ls_int(7)), &revision, &err) !=
        LLMGR_OK)
        fail_msg("add_revision: %s", err.message);
    return revision;
}

static void commit(struct ls_tx *tx)
{
    struct llmgr_error err = {0};

    if (ls_commit(tx, &err) != LLMGR_OK)
        fail_msg("commit: %s", err.message);
}

static void what_is_committed_stays_and_the_rest_is_undone(void **state)
{
    (void)state;
    struct ls_tx *tx = begin(store, LS_WRITE);
    set(tx, "a", "1");
    commit(tx);
    tx = begin(store, LS_WRITE);
    set(tx, "a", "2");
    set(tx, "b", "2");
    assert_string_equal(get(tx, "a"), "2");
    ls_rollback(tx);
    tx = begin(store, LS_READ_ONE);
    assert_string_equal(get(tx, "a"), "1");
    ls_rollback(tx);
    tx = begin(store, LS_READ);
    assert_string_equal(get(tx, "b"), "");
    commit(tx);
    ls_rollback(NULL);
}

static void a_reader_keeps_its_snapshot_while_others_write(void **state)
{
    (void)state;
    struct ls_tx *writer = begin(store, LS_WRITE);
    set(writer, "a", "old");
    commit(writer);
    struct ls_tx *reader = begin(store, LS_READ);
    assert_string_equal(get(reader, "a"), "old");
    writer = begin(store, LS_WRITE);
    set(writer, "a", "new");
    commit(writer);
    assert_string_equal(get(reader, "a"), "old");
    ls_rollback(reader);
    reader = begin(store, LS_READ);
    assert_string_equal(get(reader, "a"), "new");
    ls_rollback(reader);
}

static void a_reader_does_not_wait_for_an_open_writer(void **state)
{
    (void)state;
    struct ls_tx *writer = begin(store, LS_WRITE);
    set(writer, "a", "unseen");
    struct ls_tx *reader = begin(store, LS_READ); /* one that waited would fail: it is never over */
    assert_string_equal(get(reader, "a"), "");
    ls_rollback(reader);
    commit(writer);
}

static void values_survive_a_round_trip(void **state)
{
    /* Empty, multi-byte, and extreme values come back as they went in. */
    static const char *const TEXTS[] = {"", "a", "通义千问3", "quote ' and \" and ?1 $1"};
    (void)state;
    struct ls_tx *tx = begin(store, LS_WRITE);
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        set(tx, "value", TEXTS[i]);
        assert_string_equal(get(tx, "value"), TEXTS[i]);
    }
    int64_t first = add_revision(tx, NULL);
    int64_t second = add_revision(tx, "user");
    assert_true(second > first);
    struct ls_rows rows;
    assert_int_equal(
        ls_query(tx, LS_CHANGES_SINCE, LS_ARGS(ls_int(INT64_MIN), ls_int(INT64_MAX)), &rows, NULL),
        LLMGR_OK);
    assert_true(next(&rows));
    assert_int_equal(ls_column_int(&rows, 0), 0);
    assert_int_equal(ls_column_int(&rows, 1), first);
    assert_int_equal(ls_column_text(&rows, 2).size, 32);
    assert_int_equal(ls_column_int(&rows, 3), -1);
    assert_true(next(&rows));
    assert_int_equal(ls_column_int(&rows, 1), first);
    assert_true(ls_column_is_null(&rows, 2));
    assert_null(ls_column_text(&rows, 2).p);
    assert_true(next(&rows));
    assert_false(ls_column_is_null(&rows, 2));
    assert_true(lb_str_eq_c(ls_column_text(&rows, 2), "user"));
    assert_int_equal(ls_column_int(&rows, 3), 7);
    assert_false(next(&rows));
    assert_false(next(&rows));
    ls_rows_end(&rows);
    ls_rows_end(&rows);
    int64_t changed = -1;
    assert_int_equal(ls_exec(tx, LS_CHANGES_PRUNE, LS_ARGS(ls_int(second)), &changed, NULL),
                     LLMGR_OK);
    assert_int_equal(changed, 2);
    commit(tx);
}

struct seen {
    int count;
    int stop_at; /* 0: never */
};

static llmgr_status see(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct seen *seen = context;

    if (++seen->count == seen->stop_at)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, "row %lld is enough",
                       (long long)ls_column_int(row, 1));
    return LLMGR_OK;
}

#define ALL_CHANGES LS_CHANGES_SINCE, LS_ARGS(ls_int(INT64_MIN), ls_int(INT64_MAX))

static void each_row_is_taken_until_one_fails(void **state)
{
    struct llmgr_error err = {0};
    struct seen seen = {0};
    (void)state;

    struct ls_tx *tx = begin(store, LS_WRITE);
    (void)add_revision(tx, NULL);
    (void)add_revision(tx, "user");
    assert_int_equal(ls_each(tx, ALL_CHANGES, see, &seen, &err), LLMGR_OK);
    assert_int_equal(seen.count, 3);
    /* The rows are ended: the statement can be started again, and the transaction goes on. */
    seen = (struct seen){.stop_at = 2};
    assert_int_equal(ls_each(tx, ALL_CHANGES, see, &seen, &err), LLMGR_ERR_TOO_LARGE);
    assert_int_equal(seen.count, 2);
    assert_non_null(strstr(err.message, "is enough"));
    seen = (struct seen){.stop_at = 1};
    assert_int_equal(ls_each(tx, ALL_CHANGES, see, &seen, NULL), LLMGR_ERR_TOO_LARGE);
    commit(tx);

    seen = (struct seen){0};
    assert_int_equal(ls_read_each(store, LS_READ_ONE, ALL_CHANGES, see, &seen, &err), LLMGR_OK);
    assert_int_equal(seen.count, 3);
}

static void a_reading_that_fails_says_why_also_without_an_error_to_fill(void **state)
{
    struct seen seen = {0};
    (void)state;

    struct ls_tx *tx = begin(store, LS_READ);
    assert_int_equal(ls_each(tx, LS_CHANGES_SINCE, NULL, 0, see, &seen, NULL), LLMGR_ERR_INTERNAL);
    assert_int_equal(ls_each(tx, ALL_CHANGES, see, &seen, NULL), LLMGR_ERR_INTERNAL);
    ls_rollback(tx);
    assert_int_equal(ls_read_each(store, LS_READ_SOON, LS_META_GET, NULL, 0, see, &seen, NULL),
                     LLMGR_ERR_INTERNAL);
    assert_int_equal(seen.count, 0);
    /* Its connection is free again. */
    ls_rollback(begin(store, LS_READ));
}

static void what_is_absent_is_no_failure_and_a_failure_finds_nothing(void **state)
{
    struct llmgr_error err = {0};
    struct ls_rows rows;
    bool found = true;
    (void)state;

    struct ls_tx *tx = begin(store, LS_WRITE);
    assert_int_equal(ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr("none")), &rows, &found, NULL),
                     LLMGR_OK);
    assert_false(found);
    set(tx, "a", "b");
    assert_int_equal(ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr("a")), &rows, &found, NULL),
                     LLMGR_OK);
    assert_true(found);
    ls_rows_end(&rows);
    assert_int_equal(ls_get(tx, LS_META_GET, LS_ARGS(ls_cstr("a")), &rows, NULL), LLMGR_OK);
    assert_true(lb_str_eq_c(ls_column_text(&rows, 0), "b"));
    ls_rows_end(&rows);
    /* Of a row that must be there, the absence is our own bug. */
    assert_int_equal(ls_get(tx, LS_META_GET, LS_ARGS(ls_cstr("none")), &rows, &err),
                     LLMGR_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "META_GET"));
    found = false;
    assert_int_equal(ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr("a")), &rows, &found, NULL),
                     LLMGR_ERR_INTERNAL);
    assert_false(found);
    ls_rollback(tx);
}

static void an_id_is_never_used_twice(void **state)
{
    (void)state;
    struct ls_tx *tx = begin(store, LS_WRITE);
    int64_t id = add_revision(tx, NULL);
    assert_int_equal(ls_exec(tx, LS_CHANGES_PRUNE, LS_ARGS(ls_int(id)), NULL, NULL), LLMGR_OK);
    assert_true(add_revision(tx, NULL) > id);
    commit(tx);
}

static void wrong_arguments_are_an_internal_error(void **state)
{
    struct llmgr_error err = {0};
    struct ls_rows rows;
    (void)state;

    struct ls_tx *tx = begin(store, LS_WRITE);
    assert_int_equal(ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a")), NULL, &err),
                     LLMGR_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "META_SET"));
    /* The first failure sticks, and a commit undoes. */
    assert_int_equal(ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr("b")), NULL, NULL),
                     LLMGR_ERR_INTERNAL);
    assert_int_equal(ls_commit(tx, &err), LLMGR_ERR_INTERNAL);

    tx = begin(store, LS_WRITE);
    assert_int_equal(ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_int(1)), NULL, NULL),
                     LLMGR_ERR_INTERNAL);
    ls_rollback(tx);
    tx = begin(store, LS_WRITE);
    assert_int_equal(ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_null()), NULL, NULL),
                     LLMGR_ERR_INTERNAL);
    ls_rollback(tx);
    tx = begin(store, LS_WRITE);
    assert_int_equal(ls_exec(tx, LS_REVISION_GET, NULL, 0, NULL, NULL), LLMGR_ERR_INTERNAL);
    ls_rollback(tx);
    tx = begin(store, LS_WRITE);
    assert_int_equal(ls_query(tx, LS_CHANGES_PRUNE, LS_ARGS(ls_int(1)), &rows, NULL),
                     LLMGR_ERR_INTERNAL);
    ls_rollback(tx);
    tx = begin(store, LS_READ);
    assert_int_equal(ls_exec(tx, LS_CHANGES_PRUNE, LS_ARGS(ls_int(1)), NULL, NULL),
                     LLMGR_ERR_INTERNAL);
    ls_rollback(tx);
}

static llmgr_status insert_twice(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    int *calls = context;

    (*calls)++;
    llmgr_status status = ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr("1")), NULL, err);
    for (int i = 0; i < 2 && status == LLMGR_OK; i++)
        status =
            ls_exec(tx, LS_MIGRATION_ADD, LS_ARGS(ls_int(900), ls_cstr("x"), ls_int(0)), NULL, err);
    return status;
}

static void a_broken_unique_constraint_is_a_conflict_and_not_retried(void **state)
{
    struct llmgr_error err = {0};
    int calls = 0;
    (void)state;

    assert_int_equal(ls_transact(store, LS_WRITE, insert_twice, &calls, &err), LLMGR_ERR_CONFLICT);
    assert_int_equal(calls, 1);
    assert_int_equal(err.status, LLMGR_ERR_CONFLICT);
    assert_non_null(strstr(err.message, ls_place(store)));
    struct ls_tx *tx = begin(store, LS_READ);
    assert_string_equal(get(tx, "a"), "");
    ls_rollback(tx);
}

/* ---- Writers ---- */

enum { WRITERS = 4, ROUNDS = 25 };

/* Read, think, write: lost updates show unless writers are serialised. */
static llmgr_status count_up(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct ls_rows rows;
    char text[32] = "";
    int64_t revision = 0;
    bool found = false;
    (void)context;

    llmgr_status status = ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr("count")), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    if (found) {
        struct lb_str s = ls_column_text(&rows, 0);
        snprintf(text, sizeof text, "%.*s", (int)s.size, s.p);
        ls_rows_end(&rows);
    }
    snprintf(text, sizeof text, "%ld", strtol(text, NULL, 10) + 1);
    status = ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("count"), ls_cstr(text)), NULL, err);
    return status == LLMGR_OK
               ? ls_insert(tx, LS_REVISION_ADD, LS_ARGS(ls_null(), ls_int(7)), &revision, err)
               : status;
}

static void *write_rounds(void *context)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (ls_transact(context, LS_WRITE, count_up, NULL, NULL) != LLMGR_OK)
            return context;
    }
    return NULL;
}

static void writers_of_two_stores_are_serialised(void **state)
{
    (void)state;
    struct ls_store *other =
        db_open_with(&db, (struct ls_options){.pool_size = 3, .busy_timeout_ms = 30000});
    struct ls_store *mine =
        db_open_with(&db, (struct ls_options){.pool_size = 3, .busy_timeout_ms = 30000});
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_rounds, i % 2 == 0 ? mine : other),
                         0);
    for (int i = 0; i < WRITERS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    ls_close(other);
    ls_close(mine);
    struct ls_tx *tx = begin(store, LS_READ);
    assert_int_equal(strtol(get(tx, "count"), NULL, 10), WRITERS * ROUNDS);
    ls_rollback(tx);
}

static void a_second_writer_waits_a_bounded_time(void **state)
{
    struct llmgr_error err = {0};
    struct ls_tx *second = NULL;
    (void)state;

    struct ls_store *other =
        db_open_with(&db, (struct ls_options){.pool_size = 2, .busy_timeout_ms = 200});
    struct ls_tx *first = begin(store, LS_WRITE);
    set(first, "a", "1");
    int64_t since = lb_monotonic_ms();
    assert_int_equal(ls_begin(other, LS_WRITE, &second, &err), LLMGR_ERR_DATABASE_BUSY);
    int64_t waited = lb_monotonic_ms() - since;
    assert_in_range(waited, 150, 60000);
    assert_non_null(strstr(err.message, ls_place(other)));
    assert_null(second);
    commit(first);
    ls_rollback(begin(other, LS_WRITE));
    ls_close(other);
}

static void waiting_for_a_connection_is_bounded(void **state)
{
    struct llmgr_error err = {0};
    struct ls_tx *third = NULL;
    (void)state;

    struct ls_store *small =
        db_open_with(&db, (struct ls_options){.pool_size = 2, .busy_timeout_ms = 100});
    struct ls_tx *first = begin(small, LS_READ);
    struct ls_tx *second = begin(small, LS_READ);
    assert_int_equal(ls_begin(small, LS_READ, &third, &err), LLMGR_ERR_DATABASE_BUSY);
    assert_non_null(strstr(err.message, "in use"));
    ls_rollback(first);
    third = begin(small, LS_READ);
    ls_rollback(third);
    ls_rollback(second);
    ls_close(small);
}

static void a_read_only_store_reads_and_refuses_to_write(void **state)
{
    struct llmgr_error err = {0};
    struct ls_tx *tx = begin(store, LS_WRITE);
    (void)state;

    set(tx, "a", "1");
    commit(tx);
    struct ls_store *reader = db_open_with(&db, (struct ls_options){.read_only = true});
    tx = begin(reader, LS_READ);
    assert_string_equal(get(tx, "a"), "1");
    ls_rollback(tx);
    assert_int_equal(ls_begin(reader, LS_WRITE, &tx, &err), LLMGR_ERR_DATABASE_READONLY);
    ls_close(reader);
}

static llmgr_status refuse(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    (void)context;
    llmgr_status status = ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr("1")), NULL, err);
    return status == LLMGR_OK ? LLMGR_ERR_FORBIDDEN : status;
}

static void transact_undoes_what_its_function_refuses(void **state)
{
    (void)state;
    assert_int_equal(ls_transact(store, LS_WRITE, refuse, NULL, NULL), LLMGR_ERR_FORBIDDEN);
    struct ls_tx *tx = begin(store, LS_READ);
    assert_string_equal(get(tx, "a"), "");
    ls_rollback(tx);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, open_fresh, close_fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(what_is_committed_stays_and_the_rest_is_undone),
        FRESH(a_reader_keeps_its_snapshot_while_others_write),
        FRESH(a_reader_does_not_wait_for_an_open_writer),
        FRESH(values_survive_a_round_trip),
        FRESH(each_row_is_taken_until_one_fails),
        FRESH(a_reading_that_fails_says_why_also_without_an_error_to_fill),
        FRESH(what_is_absent_is_no_failure_and_a_failure_finds_nothing),
        FRESH(an_id_is_never_used_twice),
        FRESH(wrong_arguments_are_an_internal_error),
        FRESH(a_broken_unique_constraint_is_a_conflict_and_not_retried),
        FRESH(writers_of_two_stores_are_serialised),
        FRESH(a_second_writer_waits_a_bounded_time),
        FRESH(waiting_for_a_connection_is_bounded),
        FRESH(a_read_only_store_reads_and_refuses_to_write),
        FRESH(transact_undoes_what_its_function_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
