/* SPDX-License-Identifier: MIT */
/*
 * The ledger's inside: two threads of its own beside the workers.
 *
 *     workers         append to their current file; go over to a spare one      (journal.c)
 *     tending thread  syncs what was appended, makes spare files                (ledger.c)
 *     writing thread  moves records into the database, removes finished files,  (ledger_write.c)
 *                     takes over orphans
 *
 * Tending never waits for the database, so a slow database costs neither durability nor room until
 * the cap is reached. A file is freed by the writing thread alone.
 */
#ifndef LL_LEDGER_INT_H
#define LL_LEDGER_INT_H

#include <pthread.h>

#include "ledger/ledger.h"
#include "ledger/rows.h"
#include "ledger/segment.h"
#include "ledger/sums.h"
#include "manager/handle.h"

enum {
    LL_SPARES_MAX = 16,
    LL_SPARES_QUICK = 4, /* of a journal whose files fill quickly */
    LL_QUICK_MS = 2000,  /* a file that lasts less is one that fills quickly */
    LL_SLOW_MS = 30000,  /* one that lasts longer is not, after all */
    LL_SPANS_MAX = 64,   /* files in one transaction */
    LL_FORGET_MAX = 64,  /* removed files whose rows wait for the next transaction */
    LL_SCAN_MS = 30000,  /* between two looks for orphans */
    LL_RETRY_MIN_MS = 100,
    LL_RETRY_MAX_MS = 5000,
};

struct ll_journal {
    struct ll_ledger *ledger;
    struct lb_list link;        /* ledger's lock */
    struct ll_segment *current; /* NULL: the disk was full when the journal was opened */
    size_t tail;                /* of current; the worker's own copy */
    size_t reserved;
    struct ll_segment *spares[LL_SPARES_MAX]; /* ledger's lock */
    atomic_uint spare_count;                  /* changed under the lock, read without */
    atomic_bool wants_spare;                  /* another spare is wanted */
    atomic_bool refused;                      /* since the last spare a request was */
    unsigned spares_wanted;                   /* ledger's lock */
    int64_t turned_ms;                        /* the worker's: when it began with its file */
    _Atomic uint64_t appended;
};

/* What one transaction takes from one file. */
struct ll_span {
    struct ll_segment *segment;
    size_t from;
    size_t to;
    size_t count;
    bool ended; /* no further sound record */
};

enum { LL_LEDGER_MAGIC = 0x6c6c6c65 };

struct ll_ledger {
    unsigned magic;
    struct lm_manager *manager;
    const struct lb_host *host;
    struct ll_ledger_options options; /* defaults filled in; .journal_dir is NULL */
    int dir;
    char id[LL_LEDGER_ID_SIZE + 1];

    pthread_mutex_t lock;
    pthread_cond_t tend_wake;
    pthread_cond_t write_wake;
    pthread_cond_t round_done;
    struct lb_list journals; /* the lock guards these */
    struct lb_list segments; /* all that this process has made and not yet freed */
    int64_t bytes;           /* of them */
    uint64_t closed_appended;
    bool fresh; /* something was appended since the writer last looked */
    bool hurry; /* somebody waits for the writer */
    bool writer_idle;
    bool stop_tending;
    bool stop_writing;
    int64_t stop_at_ms;    /* monotonic: the writer gives up */
    int64_t feed_again_ms; /* a file could not be made: not tried again before */

    atomic_bool asleep;         /* the tending thread waits to be woken by an append */
    pthread_mutex_t files_lock; /* held while a file is synced; the writer takes it to free one */
    pthread_t tender;
    pthread_t writer;
    int64_t warned_ms;   /* the tending thread's: its last complaint */
    unsigned round;      /* and its pass over the files */
    atomic_bool starved; /* the last try to make a file failed */

    /* The writing thread's. */
    struct ll_usage_batch *batch;
    struct ll_sums *sums; /* of what it has written and not yet summed */
    struct ll_span spans[LL_SPANS_MAX];
    size_t span_count;
    struct ll_segment *adopted;
    uint64_t history; /* of the database, in which the positions were read */
    int64_t next_scan_ms;
    char forget[LL_FORGET_MAX][LL_SEGMENT_NAME + 1];
    size_t forget_count;
    size_t forget_now;   /* how many of them the running transaction takes */
    uint64_t summed;     /* rows written of which the hours know */
    bool summed_once;    /* and those that dead processes have written */
    int64_t next_sum_ms; /* when they are summed even if they are few */
    int64_t retry_ms;    /* pause after the next failure */
    unsigned full_run;   /* full rounds in succession: what waits is more than they take */
    bool gives_way;      /* this round rests between some rows: it keeps pace */
    atomic_bool scanned; /* the first look for orphans found no more */

    _Atomic uint64_t written_own;
    _Atomic uint64_t written_adopted;
    _Atomic uint64_t batches;
    _Atomic uint64_t failures;
};

void *ll_ledger_tend(void *ledger);  /* pthread's */
void *ll_ledger_write(void *ledger); /* pthread's */

/* Wakes the tending thread if it sleeps. Any thread; cheap if it does not. */
void ll_ledger_wake(struct ll_ledger *ledger);
/* Says that there is something to write; wakes the writer only if it has nothing to do. */
void ll_ledger_refresh(struct ll_ledger *ledger); /* the lock is held, also below */
uint64_t ll_ledger_appended(struct ll_ledger *ledger);
void ll_ledger_wait(struct ll_ledger *ledger, pthread_cond_t *cond, int64_t ms);
/* Does the cap allow another file? */
bool ll_ledger_may_make(struct ll_ledger *ledger);
/* Makes a file, and lists it. ERR_DATABASE_FULL at the cap. */
LLMGR_MUST_CHECK llmgr_status ll_ledger_make(struct ll_ledger *ledger, struct ll_segment **segment,
                                             struct llmgr_error *err);

#endif
