/* SPDX-License-Identifier: MIT */
/* The ledger through its face: nothing lost that an append returned for, nothing doubled. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "ledger_fixture.h"
#include "ledger_orphan.h"
#include "ledger/segment.h"

enum { KILLS = 60 };
/* ---- The plain way --------------------------------------------------------------------------- */

static void what_is_appended_becomes_one_row_and_is_summed(void **state)
{
    struct entries *b = *state;

    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    append(b, journal, "one");
    entries_flush(b);
    ll_journal_close(journal);
    entries_close(b);
    assert_int_equal(
        entries_number(b, "SELECT COUNT(*) FROM llm_usage WHERE request_id = 'one' AND attempt = 1"
                          " AND user_id = 'alice' AND platform_id = 3 AND platform_name = 'Mock'"
                          " AND model_id = 7 AND model_name = 'mock-1' AND slot = 'main'"
                          " AND endpoint = 'chat/completions' AND payer = 'system'"
                          " AND prompt_tokens = 100 AND completion_tokens = 20"
                          " AND cached_tokens = 10 AND reasoning_tokens = 5"
                          " AND provenance = 'reported' AND end_state = 'completed'"
                          " AND upstream_status = 200 AND latency_ms = 1234 AND first_byte_ms = 321"
                          " AND bytes_in = 1000 AND bytes_out = 2000 AND token_id IS NULL"
                          " AND created_at > 0"),
        1);
    assert_int_equal(entries_number(b, ROWS), 1);
    assert_int_equal(
        entries_number(b, "SELECT COUNT(*) FROM llm_usage_sums WHERE user_id = 'alice'"
                          " AND requests = 1 AND attempts = 1 AND completed = 1 AND unknown = 0"
                          " AND prompt_tokens = 100 AND completion_tokens = 20"),
        1);
}

static void unknown_counts_are_null_and_never_zero(void **state)
{
    struct entries *b = *state;
    struct ll_usage usage;

    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    ll_usage_init(&usage);
    usage.request_id = S("unknown");
    usage.user = S("bob");
    usage.end_state = LLMGR_END_CLIENT_GONE;
    assert_true(ll_journal_admit(journal));
    assert_int_equal(ll_journal_append(journal, &usage, NULL), LLMGR_OK);
    /* More than any upstream can mean is not known either. */
    usage.prompt_tokens = INT64_MAX;
    assert_true(ll_journal_admit(journal));
    assert_int_equal(ll_journal_append(journal, &usage, NULL), LLMGR_OK);
    assert_int_equal(ll_usage_add(b->w.manager, &usage, NULL), LLMGR_OK);
    entries_flush(b);
    ll_journal_close(journal);
    entries_close(b);
    assert_int_equal(
        entries_number(b, "SELECT COUNT(*) FROM llm_usage WHERE prompt_tokens IS NULL"
                          " AND completion_tokens IS NULL AND cached_tokens IS NULL"
                          " AND reasoning_tokens IS NULL AND provenance = 'unknown'"
                          " AND first_byte_ms IS NULL AND latency_ms IS NULL AND bytes_in IS NULL"
                          " AND upstream_status IS NULL AND payer IS NULL AND slot IS NULL"),
        3);
    assert_int_equal(
        entries_number(b, "SELECT COUNT(*) FROM llm_usage_sums WHERE prompt_tokens IS NULL"
                          " AND completion_tokens IS NULL AND unknown = 3 AND attempts = 3"),
        1);
}

static void a_text_that_is_none_spoils_no_batch(void **state)
{
    struct entries *b = *state;
    char longer[600];

    memset(longer, 'x', sizeof longer);
    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    struct ll_usage usage = attempt("bad");
    usage.request_id = lb_str("a\0b\xff", 4);
    usage.platform_name = lb_str(longer, sizeof longer);
    usage.model_name = S("\xe6\xa8");
    usage.slot = lb_str(longer, sizeof longer);
    assert_true(ll_journal_admit(journal));
    assert_int_equal(ll_journal_append(journal, &usage, NULL), LLMGR_OK);
    append(b, journal, "good");
    usage.user = lb_str(longer, sizeof longer);
    assert_true(ll_journal_admit(journal));
    assert_int_equal(ll_journal_append(journal, &usage, NULL), LLMGR_ERR_INVALID);
    entries_flush(b);
    ll_journal_close(journal);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 2);
    assert_int_equal(entries_number(b, "SELECT COUNT(*) FROM llm_usage WHERE request_id = '?'"
                                       " AND length(platform_name) = 80 AND length(slot) = 64"),
                     1);
}

static void files_follow_one_another_and_go_when_they_are_done(void **state)
{
    struct entries *b = *state;
    struct ll_ledger_stats stats;

    b->options.segment_size = 8 << 10;
    b->options.batch = 7;
    entries_open(b);
    struct ll_journal *one = entries_journal(b);
    struct ll_journal *two = entries_journal(b);
    for (int i = 0; i < 1000; i++) {
        char id[32];
        snprintf(id, sizeof id, "r%d", i);
        /* The spare is made by another thread: an admission may have to wait for it. */
        while (try_append(i % 3 == 0 ? two : one, id, &b->w.err) == LLMGR_ERR_DATABASE_FULL)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    entries_flush(b);
    ll_ledger_stats(b->ledger, &stats);
    assert_int_equal(stats.appended, 1000);
    assert_int_equal(stats.written, 1000);
    assert_int_equal(stats.adopted, 0);
    assert_int_equal(stats.lag_records, 0);
    ll_journal_close(one);
    ll_journal_close(two);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 1000);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), 1000);
    assert_int_equal(entries_number(b, SUMMED), 1000);
    assert_int_equal(entries_files(b, "", NULL, 0), 0);
    assert_int_equal(entries_number(b, "SELECT COUNT(*) FROM llm_journals WHERE name <> 'sums'"),
                     0);
}

/* ---- Death ----------------------------------------------------------------------------------- */

struct shared {
    _Atomic int appended; /* appends that have returned */
    _Atomic int ready;
};

/* A process that appends until it is killed. */
static void live(struct entries *b, struct shared *shared, int round)
{
    char id[64];

    fixture_open(&b->w);
    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    atomic_store(&shared->ready, 1);
    for (int i = 0;; i++) {
        snprintf(id, sizeof id, "k%d-%d", round, i);
        if (try_append(journal, id, NULL) == LLMGR_OK)
            atomic_store(&shared->appended, i + 1);
        else
            i--;
        if (i % 16 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
}

static int kill_one(struct entries *b, struct shared *shared, int round)
{
    int status = 0;

    atomic_store(&shared->appended, 0);
    atomic_store(&shared->ready, 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        live(b, shared, round);
        _exit(1);
    }
    while (atomic_load(&shared->ready) == 0 && waitpid(child, &status, WNOHANG) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    nanosleep(&(struct timespec){.tv_nsec = (long)(random() % 15000) * 1000}, NULL);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    return atomic_load(&shared->appended);
}

static void a_killed_process_loses_nothing_and_doubles_nothing(void **state)
{
    struct entries *b = *state;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int appended[KILLS];

    assert_ptr_not_equal(shared, MAP_FAILED);
    b->options.segment_size = 16 << 10;
    b->options.batch = 50;
    b->options.flush_ms = 1;
    b->options.sync_ms = 1;
    fixture_close(&b->w);
    srandom(7);
    for (int round = 0; round < KILLS; round++)
        appended[round] = kill_one(b, shared, round);
    fixture_open(&b->w);
    entries_open(b);
    entries_flush(b);
    entries_close(b);
    int64_t rows = entries_number(b, ROWS);
    int64_t least = 0;
    for (int round = 0; round < KILLS; round++) {
        char sql[200];
        /* What was appended last may not have been told any more; nothing else is uncertain. */
        snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM llm_usage WHERE request_id LIKE 'k%d-%%'",
                 round);
        int64_t found = entries_number(b, sql);
        if (found < appended[round] || found > appended[round] + 1)
            fail_msg("round %d: %lld rows of %d", round, (long long)found, appended[round]);
        least += appended[round];
    }
    assert_true(least > 0);
    assert_true(rows >= least && rows <= least + KILLS);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), rows);
    assert_int_equal(entries_number(b, SUMMED), rows);
    /* What was killed while it was made stays for a minute. */
    assert_int_equal(entries_files(b, ".journal", NULL, 0), entries_files(b, ".new", NULL, 0));
    munmap(shared, sizeof *shared);
}

static void an_orphan_is_adopted_where_the_database_left_it(void **state)
{
    struct entries *b = *state;
    struct ll_ledger_stats stats;

    leave_orphan(b, 20);
    assert_int_equal(entries_number(b, ROWS), 1);
    entries_open(b);
    entries_flush(b);
    ll_ledger_stats(b->ledger, &stats);
    assert_int_equal(stats.adopted, 20);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 21);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), 21);
    assert_int_equal(entries_files(b, "", NULL, 0), 0);
    assert_int_equal(entries_number(b, "SELECT COUNT(*) FROM llm_journals WHERE name <> 'sums'"),
                     0);
}

static void of_a_torn_tail_the_valid_prefix_counts(void **state)
{
    struct entries *b = *state;
    char path[700];
    long used;

    leave_orphan(b, 20);
    find_used(b, path, sizeof path, &used);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    /* Within the last record's texts. */
    assert_int_equal(pwrite(fd, "\x55", 1, used - 3), 1);
    close(fd);
    entries_open(b);
    entries_flush(b);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 20);
    assert_int_equal(entries_number(b, "SELECT COUNT(*) FROM llm_usage WHERE request_id = 'o-18'"),
                     1);
    assert_int_equal(entries_number(b, "SELECT COUNT(*) FROM llm_usage WHERE request_id = 'o-19'"),
                     0);
}

static void a_file_cut_short_gives_what_it_still_holds(void **state)
{
    struct entries *b = *state;
    char path[700];
    long used;

    leave_orphan(b, 20);
    find_used(b, path, sizeof path, &used);
    assert_int_equal(truncate(path, used - 100), 0);
    entries_open(b);
    entries_flush(b);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 20);
}

static void a_file_that_is_no_journal_is_put_aside(void **state)
{
    struct entries *b = *state;
    char path[700];

    entries_open(b);
    entries_close(b);
    snprintf(path, sizeof path, "%s/%032d.journal", b->dir, 7);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputc(i, file);
    fclose(file);
    entries_open(b);
    entries_flush(b);
    entries_close(b);
    assert_int_equal(entries_files(b, ".bad", NULL, 0), 1);
    assert_int_equal(entries_number(b, ROWS), 0);
}

static void journals_of_another_database_are_left_alone(void **state)
{
    struct entries *b = *state;
    struct entries other;

    leave_orphan(b, 5);
    int files = entries_files(b, ".journal", NULL, 0);
    entries_setup(&other);
    other.options.journal_dir = b->dir;
    entries_open(&other);
    entries_flush(&other);
    entries_close(&other);
    assert_int_equal(entries_number(&other, ROWS), 0);
    entries_teardown(&other);
    assert_int_equal(entries_files(b, ".journal", NULL, 0), files);
    entries_open(b);
    entries_flush(b);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 6);
}

/* ---- Company --------------------------------------------------------------------------------- */

static void run_beside(struct entries *b, int number)
{
    char prefix[16];

    fixture_open(&b->w);
    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    snprintf(prefix, sizeof prefix, "p%d", number);
    append_many(b, journal, prefix, 150);
    entries_flush(b);
    ll_journal_close(journal);
    entries_close(b);
    fixture_close(&b->w);
}

static void processes_write_side_by_side(void **state)
{
    struct entries *b = *state;
    pid_t children[3];

    b->options.batch = 10;
    fixture_close(&b->w);
    fflush(NULL);
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            run_beside(b, i);
            _exit(0);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status = 0;
        waitpid(children[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    fixture_open(&b->w);
    assert_int_equal(entries_number(b, ROWS), 450);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), 450);
    assert_int_equal(entries_number(b, SUMMED), 450);
}

/* ---- A database that goes back in time ------------------------------------------------------- */

/* The last two rows were never there, nor what says that they were taken in. */
static void lose_two(struct entries *b, int64_t position)
{
    char text[200];

    if (position != 0)
        snprintf(text, sizeof text, "UPDATE llm_journals SET position = %lld WHERE name <> 'sums'",
                 (long long)position);
    else
        snprintf(text, sizeof text, "DELETE FROM llm_journals WHERE name <> 'sums'");
    db_sql(&b->w.db, text);
    db_sql(&b->w.db, "DELETE FROM llm_usage WHERE request_id IN ('three', 'four')");
    db_sql(&b->w.db, "DELETE FROM llm_usage_sums");
    db_sql(&b->w.db, "UPDATE llm_journals SET position = 0 WHERE name = 'sums'");
    if (position == 0)
        db_sql(&b->w.db, "DELETE FROM llm_usage");
}

static void rows_that_were_lost_are_written_again(void **state)
{
    struct entries *b = *state;
    struct ll_ledger_stats stats;

    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    append(b, journal, "one");
    append(b, journal, "two");
    entries_flush(b);
    int64_t position = entries_number(b, "SELECT position FROM llm_journals WHERE name <> 'sums'");
    append(b, journal, "three");
    append(b, journal, "four");
    entries_flush(b);
    /* Seen by the next row that is written, before the manager polls; and with no trace left. */
    lose_two(b, position);
    append(b, journal, "five");
    entries_flush(b);
    for (int i = 0; i < 500 && entries_number(b, ROWS) != 5; i++)
        usleep(20000);
    assert_int_equal(entries_number(b, ROWS), 5);
    lose_two(b, 0);
    append(b, journal, "six");
    entries_flush(b);
    for (int i = 0; i < 500 && entries_number(b, ROWS) != 6; i++)
        usleep(20000);
    assert_int_equal(entries_number(b, ROWS), 6);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), 6);
    entries_flush(b);
    ll_ledger_stats(b->ledger, &stats);
    assert_int_equal(stats.lag_records, 0);
    ll_journal_close(journal);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 6);
    assert_int_equal(entries_number(b, SUMMED), 6);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, entries_begin, entries_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_appended_becomes_one_row_and_is_summed),
        CASE(unknown_counts_are_null_and_never_zero),
        CASE(a_text_that_is_none_spoils_no_batch),
        CASE(files_follow_one_another_and_go_when_they_are_done),
        CASE(a_killed_process_loses_nothing_and_doubles_nothing),
        CASE(an_orphan_is_adopted_where_the_database_left_it),
        CASE(of_a_torn_tail_the_valid_prefix_counts),
        CASE(a_file_cut_short_gives_what_it_still_holds),
        CASE(a_file_that_is_no_journal_is_put_aside),
        CASE(journals_of_another_database_are_left_alone),
        CASE(processes_write_side_by_side),
        CASE(rows_that_were_lost_are_written_again),
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
