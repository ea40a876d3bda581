/* SPDX-License-Identifier: MIT */
/*
 * The ledger's life, and the thread that tends the journals: it makes durable what was appended,
 * and keeps a spare file ready so that no worker ever waits for a disk.
 */
#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/magic.h"
#include "ledger/ledger_int.h"
#include "manager/access.h"
#include "store/store.h"

enum {
    SYNC_DEFAULT_MS = 10,
    SYNC_SHARE = 100, /* syncing may use one part in so many of a core; for that its */
    SYNC_STRETCH = 5, /* pauses grow up to so many times */
    FLUSH_DEFAULT_MS = 200,
    BATCH_DEFAULT = 2048,
    BATCH_MAX = 65536,
    IDLE_MS = 1000,
    COMPLAIN_MS = 10000,
    FEED_AGAIN_MS = 500,
    PATH_LIMIT = 4096,
    DIR_MODE = 0700,
};
#define META_LEDGER LB_STR("ledger")

/* ---- Where ----------------------------------------------------------------------------------- */

llmgr_status ll_ledger_place(struct lm_manager *manager, const char *state_home, char **dir,
                             struct llmgr_error *err)
{
    const char *file = ls_file(manager->store);
    const char *place = ls_place(manager->store);
    unsigned char digest[crypto_generichash_BYTES_MIN];
    char hex[sizeof digest * 2 + 1];
    struct lb_buf path;

    lb_buf_init(&path, manager->host, PATH_LIMIT);
    if (file != NULL) {
        lb_buf_addf(&path, "%s.journal", file);
    } else {
        if (state_home == NULL || state_home[0] == '\0')
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("say with journal_dir where the usage journals of %s belong"), place);
        crypto_generichash(digest, sizeof digest, (const unsigned char *)place, strlen(place), NULL,
                           0);
        sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
        lb_buf_addf(&path, "%s/llmgr/%s", state_home, hex);
    }
    char *made = lb_buf_take(&path);
    if (made == NULL)
        return lb_fail_memory(err);
    *dir = made;
    return LLMGR_OK;
}

/* As mkdir -p; whoever made a part of it at the same time is welcome. */
static int make_dirs(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, DIR_MODE);
        *slash = '/';
        if (failed != 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
            return errno;
    }
    return mkdir(path, DIR_MODE) == 0 || errno == EEXIST ? 0 : errno;
}

/* Who may write there may remove what is not yet in the database; not so where it is sticky. */
static bool is_everybodys(int dir)
{
    struct stat about;

    return fstat(dir, &about) == 0 && (about.st_mode & S_IWOTH) != 0 &&
           (about.st_mode & S_ISVTX) == 0;
}

static llmgr_status open_dir(struct ll_ledger *ledger, const char *journal_dir,
                             struct llmgr_error *err)
{
    char *path = lb_strdup(ledger->host, journal_dir);

    if (path == NULL)
        return lb_fail_memory(err);
    int why = path[0] != '\0' ? make_dirs(path) : ENOENT;
    lb_free(ledger->host, path);
    if (why == 0) {
        ledger->dir = open(journal_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        why = ledger->dir >= 0 ? 0 : errno;
    }
    if (why == 0 && is_everybodys(ledger->dir))
        return lb_fail(err, LLMGR_ERR_IO,
                       N_("everybody may write into %s, the folder of the usage journals; run "
                          "'chmod o-w %s', or name another place with journal_dir"),
                       journal_dir, journal_dir);
    if (why == 0)
        return LLMGR_OK;
    return lb_fail(err, why == ENOSPC ? LLMGR_ERR_DATABASE_FULL : LLMGR_ERR_IO,
                   N_("cannot use %s for usage journals: %s; name another place with journal_dir"),
                   journal_dir, strerror(why));
}

/* ---- Whose ----------------------------------------------------------------------------------- */

static llmgr_status read_id(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct ll_ledger *ledger = context;
    struct ls_rows rows;
    unsigned char bytes[LL_LEDGER_ID_SIZE / 2];
    char hex[LL_LEDGER_ID_SIZE + 1];

    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
    llmgr_status status =
        ls_exec(tx, LS_META_ADD, LS_ARGS(ls_text(META_LEDGER), ls_cstr(hex)), NULL, err);
    if (status != LLMGR_OK)
        return status;
    status = ls_get(tx, LS_META_GET, LS_ARGS(ls_text(META_LEDGER)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    struct lb_str id = ls_column_text(&rows, 0);
    bool sound = id.size == LL_LEDGER_ID_SIZE;
    if (sound)
        memcpy(ledger->id, id.p, LL_LEDGER_ID_SIZE);
    ls_rows_end(&rows);
    return sound ? LLMGR_OK
                 : lb_fail(err, LLMGR_ERR_DATABASE,
                           N_("%s has no valid row 'ledger' in llm_meta; restore a backup"),
                           ls_place(ledger->manager->store));
}

const char *ll_ledger_id(const struct ll_ledger *ledger)
{
    return ledger->id;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static llmgr_status settle_options(struct ll_ledger *ledger,
                                   const struct ll_ledger_options *options, struct llmgr_error *err)
{
    struct ll_ledger_options *mine = &ledger->options;

    *mine = *options;
    mine->journal_dir = NULL;
    if (mine->segment_size == 0)
        mine->segment_size = LL_SEGMENT_DEFAULT;
    if (mine->journal_max == 0)
        mine->journal_max = LL_JOURNAL_MAX_DEFAULT;
    if (mine->sync_ms == 0)
        mine->sync_ms = SYNC_DEFAULT_MS;
    if (mine->flush_ms == 0)
        mine->flush_ms = FLUSH_DEFAULT_MS;
    if (mine->batch == 0)
        mine->batch = BATCH_DEFAULT;
    if (mine->segment_size < LL_SEGMENT_MIN || mine->segment_size > LL_SEGMENT_MAX ||
        mine->batch > BATCH_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("a usage journal's files have %d to %d bytes, its batches up to %d rows"),
                       (int)LL_SEGMENT_MIN, (int)LL_SEGMENT_MAX, (int)BATCH_MAX);
    return LLMGR_OK;
}

static bool locks_init(struct ll_ledger *ledger)
{
    pthread_condattr_t monotonic;

    if (pthread_condattr_init(&monotonic) != 0)
        return false;
    bool ready = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
                 pthread_cond_init(&ledger->tend_wake, &monotonic) == 0 &&
                 pthread_cond_init(&ledger->write_wake, &monotonic) == 0 &&
                 pthread_cond_init(&ledger->round_done, &monotonic) == 0 &&
                 pthread_mutex_init(&ledger->lock, NULL) == 0 &&
                 pthread_mutex_init(&ledger->files_lock, NULL) == 0;
    pthread_condattr_destroy(&monotonic);
    return ready;
}

static void free_ledger(struct ll_ledger *ledger)
{
    struct lb_list *at, *after;

    LB_LIST_EACH(at, after, &ledger->segments)
    ll_segment_free(ledger->host, ledger->dir, LB_CONTAINER(at, struct ll_segment, link), false);
    ll_segment_free(ledger->host, ledger->dir, ledger->adopted, false);
    ll_usage_batch_free(ledger->batch);
    ll_sums_free(ledger->sums);
    pthread_mutex_destroy(&ledger->lock);
    pthread_mutex_destroy(&ledger->files_lock);
    pthread_cond_destroy(&ledger->tend_wake);
    pthread_cond_destroy(&ledger->write_wake);
    pthread_cond_destroy(&ledger->round_done);
    if (ledger->dir >= 0)
        close(ledger->dir);
    ledger->magic = 0;
    lb_free(ledger->host, ledger);
}

static llmgr_status start_threads(struct ll_ledger *ledger, struct llmgr_error *err)
{
    if (pthread_create(&ledger->tender, NULL, ll_ledger_tend, ledger) != 0)
        return lb_fail_memory(err);
    if (pthread_create(&ledger->writer, NULL, ll_ledger_write, ledger) == 0)
        return LLMGR_OK;
    pthread_mutex_lock(&ledger->lock);
    ledger->stop_tending = true;
    pthread_cond_signal(&ledger->tend_wake);
    pthread_mutex_unlock(&ledger->lock);
    pthread_join(ledger->tender, NULL);
    return lb_fail_memory(err);
}

llmgr_status ll_ledger_open(struct lm_manager *manager, const struct ll_ledger_options *options,
                            struct ll_ledger **out, struct llmgr_error *err)
{
    struct ll_ledger *ledger = lb_calloc(manager->host, 1, sizeof *ledger);

    if (ledger == NULL || !locks_init(ledger)) {
        lb_free(manager->host, ledger);
        return lb_fail_memory(err);
    }
    ledger->magic = LL_LEDGER_MAGIC;
    ledger->manager = manager;
    ledger->host = manager->host;
    ledger->dir = -1;
    ledger->retry_ms = LL_RETRY_MIN_MS;
    lb_list_init(&ledger->journals);
    lb_list_init(&ledger->segments);
    llmgr_status status = settle_options(ledger, options, err);
    if (status == LLMGR_OK)
        status = open_dir(ledger, options->journal_dir != NULL ? options->journal_dir : "", err);
    if (status == LLMGR_OK)
        status = ls_transact(manager->store, LS_WRITE, read_id, ledger, err);
    if (status == LLMGR_OK) {
        ledger->batch = ll_usage_batch_new(ledger->host, ledger->options.batch);
        ledger->sums = ll_sums_new(ledger->host);
        bool made = ledger->batch != NULL && ledger->sums != NULL;
        status = made ? start_threads(ledger, err) : lb_fail_memory(err);
    }
    if (status != LLMGR_OK) {
        free_ledger(ledger);
        return status;
    }
    *out = ledger;
    return LLMGR_OK;
}

llmgr_status ll_ledger_close(struct ll_ledger *ledger, int64_t wait_ms, struct llmgr_error *err)
{
    if (ledger == NULL)
        return LLMGR_OK;
    pthread_mutex_lock(&ledger->lock);
    ledger->stop_tending = true;
    pthread_cond_signal(&ledger->tend_wake);
    pthread_mutex_unlock(&ledger->lock);
    pthread_join(ledger->tender, NULL);
    pthread_mutex_lock(&ledger->lock);
    ledger->stop_writing = true;
    ledger->stop_at_ms = lb_monotonic_ms() + wait_ms;
    pthread_cond_signal(&ledger->write_wake);
    pthread_mutex_unlock(&ledger->lock);
    pthread_join(ledger->writer, NULL);
    bool drained = lb_list_empty(&ledger->segments) && ledger->adopted == NULL;
    free_ledger(ledger);
    if (drained)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_TIMEOUT,
                   N_("the usage journals are not yet all in the database; the next start goes on "
                      "with them"));
}

/* ---- Waiting --------------------------------------------------------------------------------- */

void ll_ledger_wait(struct ll_ledger *ledger, pthread_cond_t *cond, int64_t ms)
{
    int64_t until = lb_monotonic_ns() + ms * 1000000;
    const struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                                .tv_nsec = (long)(until % 1000000000)};

    (void)pthread_cond_timedwait(cond, &ledger->lock, &at);
}

void ll_ledger_wake(struct ll_ledger *ledger)
{
    if (!atomic_load(&ledger->asleep))
        return;
    pthread_mutex_lock(&ledger->lock);
    atomic_store(&ledger->asleep, false);
    pthread_cond_signal(&ledger->tend_wake);
    pthread_mutex_unlock(&ledger->lock);
}

void ll_ledger_refresh(struct ll_ledger *ledger)
{
    ledger->fresh = true;
    if (ledger->writer_idle)
        pthread_cond_signal(&ledger->write_wake);
}

uint64_t ll_ledger_appended(struct ll_ledger *ledger)
{
    struct lb_list *at, *after;
    uint64_t count = ledger->closed_appended;

    LB_LIST_EACH(at, after, &ledger->journals)
    count += atomic_load(&LB_CONTAINER(at, struct ll_journal, link)->appended);
    return count;
}

llmgr_status ll_ledger_flush(struct ll_ledger *ledger, int64_t wait_ms, struct llmgr_error *err)
{
    int64_t until = lb_monotonic_ms() + wait_ms;
    bool done = false;

    pthread_mutex_lock(&ledger->lock);
    uint64_t target = ll_ledger_appended(ledger);
    for (;;) {
        done = atomic_load(&ledger->scanned) && atomic_load(&ledger->written_own) >= target;
        int64_t left = until - lb_monotonic_ms();
        if (done || left <= 0)
            break;
        ledger->fresh = true;
        ledger->hurry = true;
        pthread_cond_signal(&ledger->write_wake);
        ll_ledger_wait(ledger, &ledger->round_done, left);
    }
    pthread_mutex_unlock(&ledger->lock);
    return done ? LLMGR_OK
                : lb_fail(err, LLMGR_ERR_TIMEOUT,
                          N_("the usage journals are not yet all in the database"));
}

void ll_ledger_stats(struct ll_ledger *ledger, struct ll_ledger_stats *stats)
{
    pthread_mutex_lock(&ledger->lock);
    uint64_t own = atomic_load(&ledger->written_own);
    uint64_t adopted = atomic_load(&ledger->written_adopted);
    uint64_t appended = ll_ledger_appended(ledger);
    *stats = (struct ll_ledger_stats){
        .appended = appended,
        .written = own + adopted,
        .adopted = adopted,
        .batches = atomic_load(&ledger->batches),
        .failures = atomic_load(&ledger->failures),
        .lag_records = (int64_t)(appended - own),
        .journal_bytes = ledger->bytes,
    };
    pthread_mutex_unlock(&ledger->lock);
}

/* ---- Tending --------------------------------------------------------------------------------- */

static bool may_make(const struct ll_ledger *ledger)
{
    return ledger->bytes + (int64_t)ledger->options.segment_size <=
           (int64_t)ledger->options.journal_max;
}

bool ll_ledger_may_make(struct ll_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    bool may = may_make(ledger);
    pthread_mutex_unlock(&ledger->lock);
    return may;
}

llmgr_status ll_ledger_make(struct ll_ledger *ledger, struct ll_segment **out,
                            struct llmgr_error *err)
{
    int64_t size = (int64_t)ledger->options.segment_size;
    struct ll_segment *segment = NULL;

    pthread_mutex_lock(&ledger->lock);
    bool room = may_make(ledger);
    if (room)
        ledger->bytes += size;
    pthread_mutex_unlock(&ledger->lock);
    if (!room)
        return lb_fail(err, LLMGR_ERR_DATABASE_FULL,
                       N_("the usage journals have reached their limit (journal_max), because the "
                          "database does not take them in"));
    llmgr_status status = ll_segment_make(ledger->host, ledger->dir, ledger->options.segment_size,
                                          ledger->id, &segment, err);
    pthread_mutex_lock(&ledger->lock);
    if (status == LLMGR_OK)
        lb_list_add_tail(&ledger->segments, &segment->link);
    else
        ledger->bytes -= size;
    pthread_mutex_unlock(&ledger->lock);
    if (status == LLMGR_OK)
        *out = segment;
    return status;
}

/*
 * The first of the files that has something to sync, and that this pass has not seen: under steady
 * traffic a file has more again as soon as it is synced. The list is short. The lock is held.
 */
static struct ll_segment *first_unsynced(struct ll_ledger *ledger)
{
    struct lb_list *at, *after;

    LB_LIST_EACH(at, after, &ledger->segments)
    {
        struct ll_segment *segment = LB_CONTAINER(at, struct ll_segment, link);
        if (segment->round != ledger->round && atomic_load(&segment->tail) != segment->synced)
            return segment;
    }
    return NULL;
}

static void complain_once(struct ll_ledger *ledger, const struct llmgr_error *err)
{
    int64_t now = lb_monotonic_ms();

    if (ledger->warned_ms != 0 && now - ledger->warned_ms < COMPLAIN_MS)
        return;
    ledger->warned_ms = now;
    lb_error(ledger->host, "usage: %s", err->message);
}

/* One pass: each file is synced once, so that the next spare is never made too late. */
static bool sync_all(struct ll_ledger *ledger)
{
    struct llmgr_error err = {0};
    bool any = false;

    ledger->round++;
    for (;;) {
        pthread_mutex_lock(&ledger->files_lock);
        pthread_mutex_lock(&ledger->lock);
        struct ll_segment *segment = first_unsynced(ledger);
        pthread_mutex_unlock(&ledger->lock);
        if (segment != NULL) {
            segment->round = ledger->round;
            if (ll_segment_sync(segment, &err) != LLMGR_OK)
                complain_once(ledger, &err);
        }
        pthread_mutex_unlock(&ledger->files_lock);
        if (segment == NULL)
            return any;
        any = true;
    }
}

/* More than one spare may stand ready while half of the room is free. The lock is held. */
static bool wants_more(const struct ll_ledger *ledger, const struct ll_journal *journal)
{
    unsigned count = atomic_load(&journal->spare_count);

    if (count == 0)
        return true;
    if (count < journal->spares_wanted)
        return ledger->bytes + (int64_t)ledger->options.segment_size <=
               (int64_t)ledger->options.journal_max / 2;
    return count < LL_SPARES_MAX && atomic_load(&journal->wants_spare);
}

/* A journal that wants a spare and may have one. The lock is held. */
static struct ll_journal *next_wanting(struct ll_ledger *ledger)
{
    struct lb_list *at, *after;

    if (lb_monotonic_ms() < ledger->feed_again_ms)
        return NULL;
    LB_LIST_EACH(at, after, &ledger->journals)
    {
        struct ll_journal *journal = LB_CONTAINER(at, struct ll_journal, link);
        if (wants_more(ledger, journal))
            return journal;
    }
    return NULL;
}

/* The journal may have been closed while its file was made. The lock is held. */
static bool is_listed(struct ll_ledger *ledger, const struct ll_journal *journal)
{
    struct lb_list *at, *after;

    LB_LIST_EACH(at, after, &ledger->journals)
    {
        if (LB_CONTAINER(at, struct ll_journal, link) == journal)
            return true;
    }
    return false;
}

/* What cannot be made now (a full disk, the cap) is tried again after a while. */
static void feed_spares(struct ll_ledger *ledger)
{
    for (;;) {
        struct llmgr_error err = {0};
        struct ll_segment *segment = NULL;
        pthread_mutex_lock(&ledger->lock);
        struct ll_journal *journal = next_wanting(ledger);
        pthread_mutex_unlock(&ledger->lock);
        if (journal == NULL)
            return;
        llmgr_status status = ll_ledger_make(ledger, &segment, &err);
        if (status != LLMGR_OK) {
            complain_once(ledger, &err);
            pthread_mutex_lock(&ledger->lock);
            ledger->feed_again_ms = lb_monotonic_ms() + FEED_AGAIN_MS;
            atomic_store(&ledger->starved, true);
            pthread_mutex_unlock(&ledger->lock);
            return;
        }
        pthread_mutex_lock(&ledger->lock);
        atomic_store(&ledger->starved, false);
        if (is_listed(ledger, journal)) {
            unsigned count = atomic_load(&journal->spare_count);
            journal->spares[count] = segment;
            /* Before: who is admitted by it finds it told. After: for one refused meanwhile. */
            atomic_store(&journal->refused, false);
            atomic_store(&journal->spare_count, count + 1);
            atomic_store(&journal->wants_spare, false);
            atomic_store(&journal->refused, false);
        } else {
            atomic_store(&segment->sealed, true);
        }
        pthread_mutex_unlock(&ledger->lock);
    }
}

/* The lock is held. */
static void sleep_until_woken(struct ll_ledger *ledger)
{
    atomic_store(&ledger->asleep, true);
    atomic_thread_fence(memory_order_seq_cst);
    ledger->round++;
    if (first_unsynced(ledger) == NULL && next_wanting(ledger) == NULL)
        ll_ledger_wait(ledger, &ledger->tend_wake, IDLE_MS);
    atomic_store(&ledger->asleep, false);
}

/* Where a sync is cheap, all that a power cut may take is sync_ms; where not, some more. */
static int64_t pause_ms(const struct ll_ledger *ledger, int64_t sync_ns)
{
    int64_t least = ledger->options.sync_ms;
    int64_t fair = sync_ns * SYNC_SHARE / 1000000;

    if (fair > least * SYNC_STRETCH)
        return least * SYNC_STRETCH;
    return fair > least ? fair : least;
}

void *ll_ledger_tend(void *context)
{
    struct ll_ledger *ledger = LB_CAST(struct ll_ledger, context, LL_LEDGER_MAGIC);
    bool stop = false;

    while (!stop) {
        /* First: a worker without a file waits, a record in memory only would like to be safe. */
        feed_spares(ledger);
        int64_t before_ns = lb_thread_ns();
        bool busy = sync_all(ledger);
        int64_t sync_ns = lb_thread_ns() - before_ns;
        pthread_mutex_lock(&ledger->lock);
        if (busy)
            ll_ledger_refresh(ledger);
        if (!ledger->stop_tending && busy)
            ll_ledger_wait(ledger, &ledger->tend_wake, pause_ms(ledger, sync_ns));
        else if (!ledger->stop_tending)
            sleep_until_woken(ledger);
        stop = ledger->stop_tending;
        pthread_mutex_unlock(&ledger->lock);
    }
    (void)sync_all(ledger);
    return NULL;
}

bool ll_ledger_refuses(struct ll_ledger *ledger)
{
    struct lb_list *at, *after;
    bool refuses = false;

    pthread_mutex_lock(&ledger->lock);
    LB_LIST_EACH(at, after, &ledger->journals)
    refuses = refuses || atomic_load(&LB_CONTAINER(at, struct ll_journal, link)->refused);
    pthread_mutex_unlock(&ledger->lock);
    return refuses;
}
