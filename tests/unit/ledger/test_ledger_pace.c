/* SPDX-License-Identifier: MIT */
/* The ledger on a slow disk: syncs take their time, and nobody is refused for it. */
#include <stdatomic.h>
#include <time.h>

#include "ledger_fixture.h"

static atomic_long sync_ns; /* what a sync takes beyond its own time */

static void sleep_ns(long ns)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    sleep_ns(atomic_load(&sync_ns));
    return __real_fdatasync(fd);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    sleep_ns(atomic_load(&sync_ns));
    return __real_fsync(fd);
}

static int begin(void **state)
{
    atomic_store(&sync_ns, 0);
    return entries_begin(state);
}

/*
 * One worker's journal has more to sync as soon as it is synced; the other one's spare must be made
 * all the same, while the first goes on.
 */
static void a_spare_is_made_while_there_is_always_something_to_sync(void **state)
{
    struct entries *b = *state;
    char id[32];
    int steady = 0;

    b->options.segment_size = 1 << 20;
    entries_open(b);
    struct ll_journal *busy = entries_journal(b);
    struct ll_journal *other = entries_journal(b);
    atomic_store(&sync_ns, 20000000);
    for (int spares = 0; spares < 4; spares++) {
        while (ll_journal_admit(other))
            continue;
        int until = steady + 1000;
        bool admitted = false;
        for (; steady < until && !admitted; steady++) {
            snprintf(id, sizeof id, "s%d", steady);
            append(b, busy, id);
            sleep_ns(1000000);
            admitted = ll_journal_admit(other);
        }
        if (!admitted)
            fail_msg("no spare after 1000 records of the other journal");
    }
    atomic_store(&sync_ns, 0);
    ll_journal_close(busy);
    ll_journal_close(other);
    entries_close(b);
}

/* Faster than any file can be made: each one waits for it, none is refused. */
static void a_worker_in_a_hurry_waits_and_is_never_refused(void **state)
{
    struct entries *b = *state;
    char id[32];

    b->options.segment_size = 16 << 10;
    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    atomic_store(&sync_ns, 5000000);
    for (int i = 0; i < 3000; i++) {
        struct ll_usage usage;
        while (!ll_journal_admit(journal)) {
            if (!ll_journal_room_soon(journal))
                fail_msg("record %d is refused", i);
            sleep_ns(200000);
        }
        snprintf(id, sizeof id, "h%d", i);
        usage = attempt(id);
        assert_int_equal(ll_journal_append(journal, &usage, &b->w.err), LLMGR_OK);
    }
    assert_false(ll_ledger_refuses(b->ledger));
    atomic_store(&sync_ns, 0);
    entries_flush(b);
    ll_journal_close(journal);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 3000);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), 3000);
}

/* Files that fill quickly: more than one spare stands ready, and no more than half of the room. */
static void quick_files_get_more_spares(void **state)
{
    struct entries *b = *state;
    struct ll_ledger_stats stats;

    b->options.segment_size = 16 << 10;
    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    ll_ledger_stats(b->ledger, &stats);
    assert_int_equal(stats.journal_bytes, 2 * 16 << 10);
    int64_t most = 0;
    for (int i = 0; i < 20000 && most < 5 * 16 << 10; i++) {
        while (!ll_journal_admit(journal))
            sleep_ns(200000);
        struct ll_usage usage = attempt("q");
        assert_int_equal(ll_journal_append(journal, &usage, &b->w.err), LLMGR_OK);
        if (i % 20 == 0) {
            entries_flush(b);
            sleep_ns(2000000);
            ll_ledger_stats(b->ledger, &stats);
            most = stats.journal_bytes > most ? stats.journal_bytes : most;
        }
    }
    assert_true(most >= 5 * 16 << 10); /* one in use, four spares */
    ll_journal_close(journal);
    entries_close(b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, entries_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_spare_is_made_while_there_is_always_something_to_sync),
        CASE(a_worker_in_a_hurry_waits_and_is_never_refused),
        CASE(quick_files_get_more_spares),
    };

    return cmocka_run_group_tests_name("ledger_pace", tests, NULL, NULL);
}
