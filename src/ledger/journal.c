/* SPDX-License-Identifier: MIT */
/*
 * A worker's side of the ledger. Everything but going over to the next file touches the worker's
 * own memory only, and one atomic word that tells whether somebody must be woken.
 *
 * Room is counted in the longest records: a file with f bytes left holds at least f / LL_RECORD_MAX
 * more, since what does not fit any more is shorter than that.
 */
#include "base/error.h"
#include "ledger/ledger_int.h"

static size_t records_in(size_t bytes)
{
    return bytes / LL_RECORD_MAX;
}

static size_t left_in(const struct ll_journal *journal)
{
    return journal->current != NULL ? journal->current->size - journal->tail : 0;
}

/* Two files; fewer if the disk is full, but not if the limit is what forbids them. */
static llmgr_status make_files(struct ll_ledger *ledger, struct ll_journal *journal,
                               struct llmgr_error *err)
{
    llmgr_status status = ll_ledger_make(ledger, &journal->current, err);

    if (status == LLMGR_OK)
        status = ll_ledger_make(ledger, &journal->spares[0], err);
    atomic_store(&journal->spare_count, journal->spares[0] != NULL ? 1 : 0);
    if (status != LLMGR_ERR_DATABASE_FULL || !ll_ledger_may_make(ledger))
        return status;
    lb_error(ledger->host, "usage: %s", err->message);
    atomic_store(&journal->refused, journal->current == NULL);
    atomic_store(&ledger->starved, true);
    return LLMGR_OK;
}

llmgr_status ll_journal_open(struct ll_ledger *ledger, struct ll_journal **out,
                             struct llmgr_error *err)
{
    struct ll_journal *journal = lb_calloc(ledger->host, 1, sizeof *journal);
    struct llmgr_error unseen = {0};

    if (journal == NULL)
        return lb_fail_memory(err);
    journal->ledger = ledger;
    journal->spares_wanted = 1;
    journal->turned_ms = lb_monotonic_ms();
    llmgr_status status = make_files(ledger, journal, err != NULL ? err : &unseen);
    if (status != LLMGR_OK) {
        if (journal->current != NULL)
            atomic_store(&journal->current->sealed, true);
        lb_free(ledger->host, journal);
        return status;
    }
    journal->tail = LL_SEGMENT_HEAD;
    pthread_mutex_lock(&ledger->lock);
    lb_list_add_tail(&ledger->journals, &journal->link);
    pthread_mutex_unlock(&ledger->lock);
    *out = journal;
    return LLMGR_OK;
}

void ll_journal_close(struct ll_journal *journal)
{
    if (journal == NULL)
        return;
    struct ll_ledger *ledger = journal->ledger;
    pthread_mutex_lock(&ledger->lock);
    lb_list_remove(&journal->link);
    ledger->closed_appended += atomic_load(&journal->appended);
    if (journal->current != NULL)
        atomic_store(&journal->current->sealed, true);
    for (unsigned i = 0; i < atomic_load(&journal->spare_count); i++)
        atomic_store(&journal->spares[i]->sealed, true);
    ll_ledger_refresh(ledger);
    pthread_mutex_unlock(&ledger->lock);
    lb_free(ledger->host, journal);
}

bool ll_journal_admit(struct ll_journal *journal)
{
    size_t per_file = records_in(journal->ledger->options.segment_size - LL_SEGMENT_HEAD);
    size_t room = records_in(left_in(journal)) +
                  per_file * atomic_load_explicit(&journal->spare_count, memory_order_acquire);

    if (room < journal->reserved + 1 + per_file / 2 &&
        !atomic_load_explicit(&journal->wants_spare, memory_order_relaxed)) {
        atomic_store(&journal->wants_spare, true);
        ll_ledger_wake(journal->ledger);
    }
    if (room <= journal->reserved)
        return false;
    journal->reserved++;
    return true;
}

bool ll_journal_room_soon(const struct ll_journal *journal)
{
    return !atomic_load(&journal->ledger->starved);
}

void ll_journal_refuse(struct ll_journal *journal)
{
    atomic_store(&journal->refused, true);
}

void ll_journal_release(struct ll_journal *journal)
{
    if (journal->reserved != 0)
        journal->reserved--;
}

/*
 * A file that was full soon asks for more spares than one: to make one takes two syncs, and where a
 * disk is busy those may take as long as the file lasts. The lock is held.
 */
static void pace(struct ll_journal *journal)
{
    int64_t now_ms = lb_monotonic_ms();
    int64_t lasted_ms = now_ms - journal->turned_ms;

    journal->turned_ms = now_ms;
    if (lasted_ms < LL_QUICK_MS && journal->spares_wanted < LL_SPARES_QUICK)
        journal->spares_wanted *= 2;
    else if (lasted_ms > LL_SLOW_MS)
        journal->spares_wanted = 1;
}

/* Goes over to the next file; false if there is none, which the admission forbids. */
static bool turn_over(struct ll_journal *journal)
{
    struct ll_ledger *ledger = journal->ledger;

    pthread_mutex_lock(&ledger->lock);
    unsigned count = atomic_load(&journal->spare_count);
    if (count != 0) {
        pace(journal);
        if (journal->current != NULL)
            atomic_store(&journal->current->sealed, true);
        journal->current = journal->spares[0];
        for (unsigned i = 1; i < count; i++)
            journal->spares[i - 1] = journal->spares[i];
        atomic_store(&journal->spare_count, count - 1);
        journal->tail = LL_SEGMENT_HEAD;
    }
    pthread_mutex_unlock(&ledger->lock);
    return count != 0;
}

llmgr_status ll_journal_append(struct ll_journal *journal, const struct ll_usage *usage,
                               struct llmgr_error *err)
{
    struct ll_ledger *ledger = journal->ledger;
    struct ll_usage tidy;

    ll_journal_release(journal);
    llmgr_status status = ll_usage_tidy(usage, lb_now_ms(ledger->host), &tidy, err);
    if (status != LLMGR_OK)
        return status;
    if (left_in(journal) < ll_record_size(&tidy) && !turn_over(journal))
        return lb_fail(err, LLMGR_ERR_DATABASE_FULL,
                       N_("the usage journal is full; the database has not taken it in"));
    struct ll_segment *segment = journal->current;
    journal->tail +=
        ll_record_write(segment->bytes + journal->tail, journal->tail, &segment->key, &tidy);
    atomic_store_explicit(&segment->tail, journal->tail, memory_order_release);
    atomic_store_explicit(&journal->appended,
                          atomic_load_explicit(&journal->appended, memory_order_relaxed) + 1,
                          memory_order_release);
    /* Against the tending thread, which says that it sleeps and then looks at the tail again. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&ledger->asleep, memory_order_relaxed))
        ll_ledger_wake(ledger);
    return LLMGR_OK;
}
