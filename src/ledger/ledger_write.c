/* SPDX-License-Identifier: MIT */
/*
 * The thread that moves journals into the database. One round is one transaction: rows, and
 * for each file the position reached, changed only if it is still where we believe it is.
 *
 * After any failure nobody knows how far the database is (a connection may break in the COMMIT),
 * so the positions are read again before the next try. That, and nothing else, is what makes each
 * record one row.
 *
 * A database that went back in time has lost rows together with the positions behind them: what the
 * files still hold of those is written again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/magic.h"
#include "base/thread.h"
#include "ledger/ledger_int.h"
#include "manager/access.h"
#include "store/store.h"

enum {
    UNFINISHED_AGE_S = 60,
    ROLL_UP_ROWS = 100000, /* or */
    ROLL_UP_MS = 5000,
    FULL_RUN_MAX = 4, /* from then on the writer is behind, and does not rest */
    /* Rows, and sums at least, between two rests: */
    REST_READ = 128,
    REST_WRITTEN = 32, /* some 100 to 200 us, as the others */
    REST_SUMMED = 512,
    REST_SUMS = 64, /* which are written in a transaction: it has at most so many rests */
};

enum round { ROUND_IDLE, ROUND_WROTE, ROUND_MORE, ROUND_FAILED };

/* ---- Giving way ------------------------------------------------------------------------------ */

/*
 * The writer keeps pace in nearly every round and then rests between some rows (base/thread.h). How
 * often is decided here alone: what reads, fills and sums is only told where it may be interrupted.
 */
static void rest_writing(size_t done, size_t of)
{
    (void)of;
    lb_thread_rest(done, REST_WRITTEN);
}

static void rest_summing(size_t done, size_t of)
{
    (void)of;
    lb_thread_rest(done, REST_SUMMED);
}

static void rest_between_sums(size_t done, size_t of)
{
    lb_thread_rest(done, REST_SUMS + of / REST_SUMS);
}

/* ---- Where the database is ------------------------------------------------------------------- */

struct locating {
    const char *name;
    int64_t position; /* 0: it does not know the file */
};

static llmgr_status locate_ends(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct locating *run = context;
    struct ls_rows rows;
    bool found = false;

    llmgr_status status =
        ls_find(tx, LS_JOURNAL_POSITION, LS_ARGS(ls_cstr(run->name)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    run->position = 0;
    if (found) {
        run->position = ls_column_int(&rows, 0);
        ls_rows_end(&rows);
    }
    return LLMGR_OK;
}

/* How many records stand between: what an uncertain commit has written after all. */
static uint64_t count_between(const struct ll_segment *segment, size_t from, size_t to)
{
    struct ll_usage usage;
    uint64_t count = 0;
    size_t size;

    while (from < to &&
           (size = ll_record_read(segment->bytes, to, from, &segment->key, &usage)) != 0) {
        from += size;
        count++;
    }
    return count;
}

static llmgr_status make_sure(struct ll_ledger *ledger, struct ll_segment *segment,
                              struct llmgr_error *err)
{
    struct locating run = {.name = segment->name};

    if (segment->sure)
        return LLMGR_OK;
    llmgr_status status = ls_transact(ledger->manager->store, LS_READ_ONE, locate_ends, &run, err);
    if (status != LLMGR_OK)
        return status;
    size_t position = LL_SEGMENT_HEAD;
    if (run.position > LL_SEGMENT_HEAD)
        position = (uint64_t)run.position < segment->size ? (size_t)run.position : segment->size;
    if (position > segment->taken && !segment->adopted)
        atomic_fetch_add(&ledger->written_own, count_between(segment, segment->taken, position));
    else if (position < segment->taken && !segment->adopted)
        atomic_fetch_sub(&ledger->written_own, count_between(segment, position, segment->taken));
    segment->taken = position;
    segment->sure = true;
    return LLMGR_OK;
}

/* What we believe of the database holds in one history only; so do numbers of rows. */
static void follow_history(struct ll_ledger *ledger)
{
    uint64_t history = lm_history_resets(ledger->manager);
    struct lb_list *at, *after;

    if (ledger->history == history)
        return;
    ledger->history = history;
    ll_sums_clear(ledger->sums);
    if (ledger->adopted != NULL)
        ledger->adopted->sure = false;
    pthread_mutex_lock(&ledger->lock);
    LB_LIST_EACH(at, after, &ledger->segments)
    LB_CONTAINER(at, struct ll_segment, link)->sure = false;
    pthread_mutex_unlock(&ledger->lock);
}

/* ---- What a round takes ---------------------------------------------------------------------- */

static void add_span(struct ll_ledger *ledger, struct ll_segment *segment)
{
    ledger->spans[ledger->span_count++] = (struct ll_span){.segment = segment};
}

/*
 * Files with work, at most LL_SPANS_MAX. Each goes to the end of the list, so that a busy one does
 * not starve the others. An orphan comes first: it is the oldest.
 */
static void choose_files(struct ll_ledger *ledger)
{
    struct lb_list *at, *after;
    struct lb_list *chosen[LL_SPANS_MAX];
    size_t count = 0;

    ledger->span_count = 0;
    if (ledger->adopted != NULL)
        add_span(ledger, ledger->adopted);
    pthread_mutex_lock(&ledger->lock);
    ledger->fresh = false;
    LB_LIST_EACH(at, after, &ledger->segments)
    {
        struct ll_segment *segment = LB_CONTAINER(at, struct ll_segment, link);
        bool sealed = atomic_load(&segment->sealed);
        if (ledger->span_count == LL_SPANS_MAX)
            break;
        if (!sealed && segment->sure && atomic_load(&segment->tail) == segment->taken)
            continue;
        add_span(ledger, segment);
        chosen[count++] = at;
    }
    for (size_t i = 0; i < count; i++) {
        lb_list_remove(chosen[i]);
        lb_list_add_tail(&ledger->segments, chosen[i]);
    }
    pthread_mutex_unlock(&ledger->lock);
}

/* False once the batch is full. */
static bool take_records(struct ll_ledger *ledger, struct ll_span *span)
{
    struct ll_segment *segment = span->segment;
    /* A file that is sealed when this is read has its last tail afterwards. */
    size_t tail = atomic_load_explicit(&segment->tail, memory_order_acquire);
    int64_t now_ms = lb_now_ms(ledger->host);

    span->from = span->to = segment->taken;
    while (span->to < tail) {
        struct ll_usage *usage = ll_usage_batch_next(ledger->batch);
        if (usage == NULL)
            return false;
        size_t size = ll_record_read(segment->bytes, tail, span->to, &segment->key, usage);
        if (size == 0 || !ll_usage_tidy_numbers(usage, now_ms)) {
            span->ended = true;
            return true;
        }
        ll_usage_batch_keep(ledger->batch);
        if (ledger->gives_way)
            lb_thread_rest(ll_usage_batch_count(ledger->batch), REST_READ);
        span->to += size;
        span->count++;
    }
    span->ended = segment->adopted;
    return true;
}

/* ---- The transaction ------------------------------------------------------------------------- */

static llmgr_status write_round(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct ll_ledger *ledger = context;

    llmgr_status status =
        ll_usage_batch_write(ledger->batch, tx, ledger->gives_way ? rest_writing : NULL, err);
    for (size_t i = 0; i < ledger->span_count && status == LLMGR_OK; i++) {
        const struct ll_span *span = &ledger->spans[i];
        int64_t changed = 0;
        if (span->to == span->from)
            continue;
        status = ls_exec(tx, LS_JOURNAL_ADVANCE,
                         LS_ARGS(ls_cstr(span->segment->name), ls_int((int64_t)span->from),
                                 ls_int((int64_t)span->to), ls_int(LL_SEGMENT_HEAD)),
                         &changed, err);
        if (status == LLMGR_OK && changed != 1)
            status = lb_fail(err, LLMGR_ERR_CONFLICT,
                             N_("the usage journal %s is further in the database than was known"),
                             span->segment->name);
    }
    for (size_t i = 0; i < ledger->forget_now && status == LLMGR_OK; i++)
        status = ls_exec(tx, LS_JOURNAL_FORGET, LS_ARGS(ls_cstr(ledger->forget[i])), NULL, err);
    return status;
}

/*
 * A file must be gone for good before the row that says how far it was read goes: else a power cut
 * could bring the file back, and its records would be taken for new.
 */
static size_t count_forgettable(struct ll_ledger *ledger)
{
    return ledger->forget_count != 0 && fsync(ledger->dir) == 0 ? ledger->forget_count : 0;
}

static void drop_forgotten(struct ll_ledger *ledger)
{
    size_t rest = ledger->forget_count - ledger->forget_now;

    memmove(ledger->forget[0], ledger->forget[ledger->forget_now], rest * sizeof ledger->forget[0]);
    ledger->forget_count = rest;
}

static void count_written(struct ll_ledger *ledger)
{
    for (size_t i = 0; i < ledger->span_count; i++) {
        struct ll_span *span = &ledger->spans[i];
        span->segment->taken = span->to;
        atomic_fetch_add(span->segment->adopted ? &ledger->written_adopted : &ledger->written_own,
                         span->count);
    }
    if (ll_usage_batch_count(ledger->batch) != 0) {
        ll_usage_batch_sum(ledger->batch, ledger->sums, rest_summing);
        atomic_fetch_add(&ledger->batches, 1);
    }
}

/* ---- Files that are done --------------------------------------------------------------------- */

static void drop_file(struct ll_ledger *ledger, struct ll_segment *segment)
{
    if (segment->taken != LL_SEGMENT_HEAD) {
        /* If the list is full the row stays: a few bytes, and right if the file came back. */
        if (ledger->forget_count < LL_FORGET_MAX)
            memcpy(ledger->forget[ledger->forget_count++], segment->name, sizeof segment->name);
    }
    if (segment == ledger->adopted) {
        ledger->adopted = NULL;
    } else {
        pthread_mutex_lock(&ledger->files_lock);
        pthread_mutex_lock(&ledger->lock);
        lb_list_remove(&segment->link);
        ledger->bytes -= (int64_t)segment->size;
        pthread_mutex_unlock(&ledger->lock);
        pthread_mutex_unlock(&ledger->files_lock);
    }
    ll_segment_free(ledger->host, ledger->dir, segment, true);
    /* There is room for another one. */
    pthread_mutex_lock(&ledger->lock);
    ledger->feed_again_ms = 0;
    pthread_mutex_unlock(&ledger->lock);
    if (atomic_load(&ledger->starved))
        ll_ledger_wake(ledger);
}

static void drop_done(struct ll_ledger *ledger)
{
    for (size_t i = 0; i < ledger->span_count; i++) {
        struct ll_segment *segment = ledger->spans[i].segment;
        bool sealed = atomic_load(&segment->sealed);
        bool at_end = atomic_load(&segment->tail) == segment->taken;
        if (ledger->spans[i].ended && !segment->adopted && !at_end) {
            lb_error(ledger->host, "the usage journal %s is damaged behind byte %zu", segment->name,
                     segment->taken);
            segment->taken = atomic_load(&segment->tail);
            at_end = true;
        }
        if (sealed && (at_end || ledger->spans[i].ended))
            drop_file(ledger, segment);
    }
}

/* ---- Orphans --------------------------------------------------------------------------------- */

/* What a process left that died while making a file. */
static void sweep_unfinished(struct ll_ledger *ledger, const char *file_name)
{
    struct stat info;
    int fd = openat(ledger->dir, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 &&
        info.st_mtime < lb_now_ms(ledger->host) / 1000 - UNFINISHED_AGE_S &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(ledger->dir, file_name, 0);
    close(fd);
}

static llmgr_status scan_folder(struct ll_ledger *ledger, DIR *dir, struct llmgr_error *err)
{
    const struct dirent *entry;
    llmgr_status status = LLMGR_OK;

    while (status == LLMGR_OK && ledger->adopted == NULL && (entry = readdir(dir)) != NULL) {
        if (ll_segment_is_unfinished(entry->d_name))
            sweep_unfinished(ledger, entry->d_name);
        else if (ll_segment_is_journal(entry->d_name))
            status = ll_segment_adopt(ledger->host, ledger->dir, entry->d_name, ledger->id,
                                      &ledger->adopted, err);
    }
    return status;
}

/* Takes over one orphan if it is time to look and there is one. */
static llmgr_status adopt_files(struct ll_ledger *ledger, struct llmgr_error *err)
{
    if (ledger->adopted != NULL || lb_monotonic_ms() < ledger->next_scan_ms)
        return LLMGR_OK;
    int fd = openat(ledger->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return lb_fail(err, LLMGR_ERR_IO, N_("cannot look for usage journals: %s"),
                       strerror(errno));
    }
    llmgr_status status = scan_folder(ledger, dir, err);
    closedir(dir);
    if (status == LLMGR_OK && ledger->adopted == NULL) {
        ledger->next_scan_ms = lb_monotonic_ms() + LL_SCAN_MS;
        atomic_store(&ledger->scanned, true);
    }
    return status;
}

/* ---- The round ------------------------------------------------------------------------------- */

static llmgr_status take_all(struct ll_ledger *ledger, bool *full, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < ledger->span_count && status == LLMGR_OK && !*full; i++) {
        status = make_sure(ledger, ledger->spans[i].segment, err);
        if (status == LLMGR_OK)
            *full = !take_records(ledger, &ledger->spans[i]);
        /* What a full batch leaves is not looked at now. */
        if (*full)
            ledger->span_count = i + 1;
    }
    return status;
}

/* Half of the room is gone: what is left is needed more than the workers need the processor. */
static bool is_crowded(struct ll_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    bool crowded = ledger->bytes > (int64_t)ledger->options.journal_max / 2;
    pthread_mutex_unlock(&ledger->lock);
    return crowded;
}

static enum round run_round(struct ll_ledger *ledger, bool last, struct llmgr_error *err)
{
    bool full = false;

    ll_usage_batch_reset(ledger->batch);
    ledger->gives_way = !last && ledger->full_run < FULL_RUN_MAX && !is_crowded(ledger);
    ledger->span_count = 0;
    follow_history(ledger);
    llmgr_status status = adopt_files(ledger, err);
    if (status != LLMGR_OK)
        return ROUND_FAILED;
    choose_files(ledger);
    status = take_all(ledger, &full, err);
    ledger->full_run = full ? ledger->full_run + 1 : 0;
    if (status != LLMGR_OK)
        return ROUND_FAILED;
    size_t count = ll_usage_batch_count(ledger->batch);
    bool waiting = ledger->forget_count != 0;
    ledger->forget_now = count != 0 || last ? count_forgettable(ledger) : 0;
    if (count != 0 || ledger->forget_now != 0) {
        status = ls_transact(ledger->manager->store, LS_WRITE, write_round, ledger, err);
        if (status != LLMGR_OK) {
            for (size_t i = 0; i < ledger->span_count; i++)
                ledger->spans[i].segment->sure = false;
            if (status == LLMGR_ERR_CONFLICT)
                ll_sums_clear(ledger->sums);
            return ROUND_FAILED;
        }
        drop_forgotten(ledger);
    }
    count_written(ledger);
    bool adopting = ledger->adopted != NULL;
    drop_done(ledger);
    /* The last round of all forgets the files that the one before it has removed. */
    bool forgetful = last && ledger->forget_count != 0 && !(waiting && ledger->forget_now == 0);
    if (full || adopting || forgetful)
        return ROUND_MORE;
    return count != 0 ? ROUND_WROTE : ROUND_IDLE;
}

static uint64_t bytes_written(struct ll_ledger *ledger)
{
    return atomic_load(&ledger->written_own) + atomic_load(&ledger->written_adopted);
}

/*
 * Sums when there is much to sum, or when it was long ago. A failure is no loss: who reads sums
 * adds the rows that are not in them.
 */
static void roll_up(struct ll_ledger *ledger, bool last)
{
    struct llmgr_error err = {0};
    uint64_t rows = bytes_written(ledger) - ledger->summed;
    int64_t now_ms = lb_monotonic_ms();

    if (rows == 0 && ledger->summed_once)
        return;
    if (rows < ROLL_UP_ROWS && now_ms < ledger->next_sum_ms && !last)
        return;
    ledger->next_sum_ms = now_ms + ROLL_UP_MS;
    if (ll_usage_roll_up(ledger->manager, ledger->sums, rest_between_sums, &err) != LLMGR_OK) {
        lb_info(ledger->host, "usage is summed later: %s", err.message);
        return;
    }
    ledger->summed += rows;
    ledger->summed_once = true;
}

/* The lock is held. Returns how long the next round is put off. */
static int64_t after_failure(struct ll_ledger *ledger, const struct llmgr_error *err)
{
    int64_t pause = ledger->retry_ms;

    lb_warn(ledger->host, "usage stays in its journal for now: %s", err->message);
    atomic_fetch_add(&ledger->failures, 1);
    ledger->retry_ms = pause * 2 < LL_RETRY_MAX_MS ? pause * 2 : LL_RETRY_MAX_MS;
    return pause;
}

/* The lock is held: waits as long as the round's outcome says; an end cuts every wait short. */
static void rest(struct ll_ledger *ledger, enum round round, int64_t pause_ms)
{
    int64_t until = lb_monotonic_ms() + pause_ms;

    for (;;) {
        int64_t left = until - lb_monotonic_ms();
        bool called = round == ROUND_IDLE ? ledger->fresh : round != ROUND_FAILED && ledger->hurry;
        if (ledger->stop_writing && round == ROUND_FAILED)
            left = left < LL_RETRY_MIN_MS ? left : LL_RETRY_MIN_MS;
        if (left <= 0 || called || (ledger->stop_writing && round != ROUND_FAILED))
            break;
        ledger->writer_idle = round == ROUND_IDLE;
        ll_ledger_wait(ledger, &ledger->write_wake, left);
        ledger->writer_idle = false;
        if (ledger->stop_writing && round == ROUND_FAILED)
            break;
    }
    ledger->hurry = false;
}

void *ll_ledger_write(void *context)
{
    struct ll_ledger *ledger = LB_CAST(struct ll_ledger, context, LL_LEDGER_MAGIC);
    bool stop = false;
    bool last = false;

    lb_thread_background();
    while (!stop) {
        struct llmgr_error err = {0};
        enum round round = run_round(ledger, last, &err);
        int64_t pause_ms = 0;
        if (round != ROUND_FAILED)
            roll_up(ledger, last);
        pthread_mutex_lock(&ledger->lock);
        if (round == ROUND_FAILED)
            pause_ms = after_failure(ledger, &err);
        else
            ledger->retry_ms = LL_RETRY_MIN_MS;
        if (round == ROUND_WROTE)
            pause_ms = ledger->options.flush_ms;
        else if (round == ROUND_IDLE)
            pause_ms = ledger->summed == bytes_written(ledger) ? LL_SCAN_MS : ROLL_UP_MS;
        pthread_cond_broadcast(&ledger->round_done);
        /* One more round after the stop was seen, for what came before it. */
        stop = ledger->stop_writing &&
               (lb_monotonic_ms() >= ledger->stop_at_ms || (last && round == ROUND_IDLE));
        last = ledger->stop_writing;
        if (!stop)
            rest(ledger, round, pause_ms);
        pthread_mutex_unlock(&ledger->lock);
    }
    return NULL;
}
