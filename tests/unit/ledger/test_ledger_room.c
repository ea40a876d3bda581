/* SPDX-License-Identifier: MIT */
/* The ledger in want of room: full journals, a full disk, a database that takes nothing. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "ledger_fixture.h"
#include "ledger/segment.h"

static void full_journals_refuse_admission_and_lose_nothing(void **state)
{
    struct entries *b = *state;
    int admitted = 0;

    b->options.segment_size = 8 << 10;
    b->options.journal_max = 24 << 10;
    b->options.flush_ms = 1;
    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    append(b, journal, "before");
    entries_flush(b);
    /* The database does not answer: somebody else holds the writers' lock. */
    struct ls_tx *tx = NULL;
    assert_int_equal(ls_begin(lm_store(b->w.manager), LS_WRITE, &tx, NULL), LLMGR_OK);
    for (int i = 0; i < 2000; i++) {
        char id[32];
        snprintf(id, sizeof id, "f%d", admitted);
        llmgr_status status = try_append(journal, id, &b->w.err);
        if (status == LLMGR_OK)
            admitted++;
        else if (i > 1000)
            break;
        else
            nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    assert_true(admitted > 20 && admitted < 200);
    assert_false(ll_journal_admit(journal));
    assert_false(ll_journal_room_soon(journal));
    assert_false(ll_ledger_refuses(b->ledger));
    ll_journal_refuse(journal);
    assert_true(ll_ledger_refuses(b->ledger));
    ls_rollback(tx);
    entries_flush(b);
    assert_int_equal(entries_number(b, ROWS), admitted + 1);
    /* With room again there is admission again. */
    bool again = false;
    for (int i = 0; i < 5000 && !again; i++) {
        again = ll_journal_admit(journal);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(again);
    ll_journal_release(journal);
    assert_false(ll_ledger_refuses(b->ledger));
    ll_journal_close(journal);
    entries_close(b);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), admitted + 1);
}

static void an_admission_always_has_its_room(void **state)
{
    struct entries *b = *state;
    int admitted = 0;
    int appended = 0;
    char longest[256];

    memset(longest, 'u', sizeof longest);
    b->options.segment_size = 8 << 10;
    b->options.journal_max = 16 << 10;
    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    while (ll_journal_admit(journal))
        admitted++;
    struct ll_usage usage = attempt("longest");
    usage.request_id = lb_str(longest, 64);
    usage.user = lb_str(longest, 255);
    usage.platform_name = lb_str(longest, 80);
    usage.model_name = lb_str(longest, 120);
    usage.slot = lb_str(longest, 64);
    usage.endpoint = lb_str(longest, 32);
    usage.service_tier = lb_str(longest, 32);
    usage.cost_nano = 1;
    usage.currency = LB_STR("USD");
    for (; appended < admitted; appended++)
        assert_int_equal(ll_journal_append(journal, &usage, NULL), LLMGR_OK);
    entries_flush(b);
    ll_journal_close(journal);
    entries_close(b);
    assert_int_equal(admitted, 2 * (((8 << 10) - LL_SEGMENT_HEAD) / LL_RECORD_MAX));
    assert_int_equal(entries_number(b, ROWS), admitted);
}

/* Asks until there is room, as the gateway does. */
static bool admitted_in_time(struct ll_journal *journal)
{
    for (int i = 0; i < 20000; i++) {
        if (ll_journal_admit(journal))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static void a_full_disk_refuses_until_there_is_room_and_is_no_signal(void **state)
{
    struct entries *b = *state;
    struct rlimit before, small;

    entries_open(b);
    /* A limit on the size of files refuses blocks as a full disk does. */
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &small);
    struct ll_journal *journal = entries_journal(b);
    assert_false(ll_journal_admit(journal));
    assert_false(ll_journal_room_soon(journal));
    assert_true(ll_ledger_refuses(b->ledger));
    /* Another thread may try as well at this moment; what it began does not stay. */
    bool gone = false;
    for (int i = 0; i < 20000 && !gone; i++) {
        gone = entries_files(b, "", NULL, 0) == 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(gone);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(admitted_in_time(journal));
    ll_journal_release(journal);
    assert_false(ll_ledger_refuses(b->ledger));
    append(b, journal, "after");
    entries_flush(b);
    ll_journal_close(journal);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 1);
}

static void a_limit_below_two_files_is_an_error(void **state)
{
    struct entries *b = *state;
    struct ll_journal *journal = NULL;

    b->options.segment_size = 8 << 10;
    b->options.journal_max = 12 << 10;
    entries_open(b);
    assert_int_equal(ll_journal_open(b->ledger, &journal, &b->w.err), LLMGR_ERR_DATABASE_FULL);
    assert_non_null(strstr(b->w.err.message, "journal_max"));
    assert_null(journal);
    entries_close(b);
}

static void what_the_database_did_not_take_waits_for_the_next_start(void **state)
{
    struct entries *b = *state;

    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    struct ls_tx *tx = NULL;
    assert_int_equal(ls_begin(lm_store(b->w.manager), LS_WRITE, &tx, NULL), LLMGR_OK);
    append_many(b, journal, "w", 30);
    ll_journal_close(journal);
    assert_int_equal(ll_ledger_close(b->ledger, 50, NULL), LLMGR_ERR_TIMEOUT);
    ls_rollback(tx);
    assert_int_equal(entries_number(b, ROWS), 0);
    entries_open(b);
    entries_flush(b);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 30);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), 30);
}

static void a_folder_that_everybody_may_write_is_refused(void **state)
{
    struct entries *b = *state;

    assert_int_equal(mkdir(b->dir, 0700), 0);
    assert_int_equal(chmod(b->dir, 0777), 0);
    assert_int_equal(ll_ledger_open(b->w.manager, &b->options, &b->ledger, &b->w.err),
                     LLMGR_ERR_IO);
    assert_non_null(strstr(b->w.err.message, "chmod o-w"));
    assert_int_equal(chmod(b->dir, 01777), 0);
    entries_open(b);
    entries_close(b);
    assert_int_equal(chmod(b->dir, 0770), 0);
    entries_open(b);
    entries_close(b);
}

static void the_place_is_beside_the_file_or_in_the_state_folder(void **state)
{
    struct entries *b = *state;
    char want[400];
    char *dir = NULL;

    if (!b->w.db.postgres) {
        snprintf(want, sizeof want, "%s.journal", b->w.db.path);
        assert_int_equal(ll_ledger_place(b->w.manager, NULL, &dir, NULL), LLMGR_OK);
        assert_string_equal(dir, want);
    } else {
        assert_int_equal(ll_ledger_place(b->w.manager, NULL, &dir, NULL), LLMGR_ERR_INVALID);
        assert_int_equal(ll_ledger_place(b->w.manager, "/var/lib/x", &dir, NULL), LLMGR_OK);
        assert_true(strncmp(dir, "/var/lib/x/llmgr/", 17) == 0);
    }
    lb_free(&b->w.host, dir);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, entries_begin, entries_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(full_journals_refuse_admission_and_lose_nothing),
        CASE(an_admission_always_has_its_room),
        CASE(a_full_disk_refuses_until_there_is_room_and_is_no_signal),
        CASE(a_limit_below_two_files_is_an_error),
        CASE(what_the_database_did_not_take_waits_for_the_next_start),
        CASE(a_folder_that_everybody_may_write_is_refused),
        CASE(the_place_is_beside_the_file_or_in_the_state_folder),
    };

    return cmocka_run_group_tests_name("ledger_room", tests, NULL, NULL);
}
