/* SPDX-License-Identifier: MIT */
/*
 * The usage ledger: one row per attempt at an upstream.
 *
 *     worker --append--> journal (mapped file)  --writer thread--> database
 *     worker --append--> journal                /   rows, and the position reached in
 *     dead process's journal ------------------/    each journal, in one transaction
 *
 * An append is a copy into mapped memory: what returned survives SIGKILL at once, and a power cut
 * after the next sync (sync_ms). The position in the journal is committed together with the rows,
 * so each record becomes exactly one row whenever the process dies. Journals of dead processes
 * are found by their free lock and taken over at the start and then now and again.
 *
 * Nothing is lost silently: a worker asks ll_journal_admit before it sends anything upstream; with
 * true, room for the record of that attempt is kept and its append cannot fail for want of space.
 * While the database is down, journals grow up to their cap, then admit says no (507).
 */
#ifndef LL_LEDGER_H
#define LL_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "llmgr.h"
#include "resolve/resolve.h"

struct lm_manager;
struct ll_ledger;
struct ll_journal;

enum {
    LL_REQUEST_ID_MAX = 64, /* bytes */
    LL_ENDPOINT_MAX = 32,   /* bytes, "chat/completions" */
    LL_TIER_MAX = 32,       /* bytes, "priority" */
    LL_CURRENCY_SIZE = 3,   /* bytes, "USD" */
};

#define LL_JOURNAL_MAX_DEFAULT (1 << 30) /* bytes */
#define LL_TOKENS_MAX (INT64_C(1) << 32) /* more of an attempt is no count, and unknown */
#define LL_UNKNOWN (-1)                  /* a count nobody told us: NULL in the database, never 0 */
/* No attempt costs more, in nano-units: above it a cost is none, and sums of costs stay there. */
#define LL_MONEY_MAX (INT64_C(1) << 62)

/*
 * One attempt; usage.def says what each member is. Strings are borrowed for the call; longer ones
 * are cut at a character (but the user never: over LM_USER_MAX bytes is ERR_INVALID). An empty
 * string and id 0 mean "none".
 */
struct ll_usage {
#define LL_TEXT(name, max, always) struct lb_str name;
#define LL_COUNT(name, kind) int64_t name;
#define LL_NUMBER(name, kind) int name;
#define LL_KIND(name, type, text) type name;
#include "ledger/usage.def"
};

/* Everything unknown, nothing counted. */
void ll_usage_init(struct ll_usage *usage);
/* The same of an attempt at this target: whose it is, where, and who pays. */
void ll_usage_begin(struct ll_usage *usage, const struct lr_target *target);
/*
 * What an answer tells of; it does not say how far that can be trusted. The tier is borrowed of
 * *told.
 */
void ll_usage_tell(struct ll_usage *usage, const struct llmgr_usage *told);

/* ---- The ledger of a process ----------------------------------------------------------------- */

struct ll_ledger_options {
    const char *journal_dir; /* made if absent, mode 0700; on a local file system */
    size_t segment_size;     /* bytes of one journal file; 0: 8 MiB */
    size_t journal_max;      /* bytes of all of a process's journal files; 0: 1 GiB */
    unsigned sync_ms;        /* between two fdatasync, more if they are costly; 0: 10 */
    unsigned flush_ms;       /* between two transactions that did not fill up; 0: 200 */
    unsigned batch;          /* records per transaction, at most; 0: 2048 */
};

struct ll_ledger_stats {
    uint64_t appended; /* by this process's open journals */
    uint64_t written;  /* rows this process has put into the database */
    uint64_t adopted;  /* of them from journals of dead processes */
    uint64_t batches;
    uint64_t failures;   /* batches that failed, to be tried again */
    int64_t lag_records; /* appended, not yet in the database */
    int64_t journal_bytes;
};

/*
 * Where the journals of this manager's database belong if nothing is said: "<file>.journal" beside
 * a SQLite file; for PostgreSQL "<state_home>/llmgr/<hash of the database's name>". `state_home`
 * is the caller's ($XDG_STATE_HOME or ~/.local/state). The string is the caller's (lb_free).
 */
LLMGR_MUST_CHECK llmgr_status ll_ledger_place(struct lm_manager *manager, const char *state_home,
                                              char **dir, struct llmgr_error *err);

/*
 * Takes over what dead processes left, and starts the writer thread. The manager must outlive the
 * ledger. Errors: ERR_IO (directory), ERR_DATABASE_FULL (no room), ERR_DATABASE….
 */
LLMGR_MUST_CHECK llmgr_status ll_ledger_open(struct lm_manager *manager,
                                             const struct ll_ledger_options *options,
                                             struct ll_ledger **ledger, struct llmgr_error *err);
/*
 * All journals must be closed. Drains for up to `wait_ms`; what remains stays in the journals for
 * the next start (LLMGR_ERR_TIMEOUT says so, the ledger is closed all the same).
 */
llmgr_status ll_ledger_close(struct ll_ledger *ledger, int64_t wait_ms, struct llmgr_error *err);

/* Blocks until everything appended before is in the database, at most `wait_ms`: ERR_TIMEOUT. */
LLMGR_MUST_CHECK llmgr_status ll_ledger_flush(struct ll_ledger *ledger, int64_t wait_ms,
                                              struct llmgr_error *err);
/*
 * Whose journals these are: the same 32 hexadecimal digits in every process on this database,
 * random for each database, and nobody's business outside.
 */
const char *ll_ledger_id(const struct ll_ledger *ledger);
void ll_ledger_stats(struct ll_ledger *ledger, struct ll_ledger_stats *stats); /* any thread */
/* Is a journal without room, so that its worker refuses what it would have to record? Any thread.
 */
bool ll_ledger_refuses(struct ll_ledger *ledger);

/* ---- One worker's journal -------------------------------------------------------------------- */

/*
 * One thread at a time. Its files are made here; later ones by the tending thread, ahead of need. A
 * full disk is no error: the journal has no room until there is some.
 */
LLMGR_MUST_CHECK llmgr_status ll_journal_open(struct ll_ledger *ledger, struct ll_journal **journal,
                                              struct llmgr_error *err);
void ll_journal_close(struct ll_journal *journal); /* NULL is fine */

/*
 * Keeps room for one record: true, or false if there is none now. Each true is followed by exactly
 * one ll_journal_append or ll_journal_release.
 */
bool ll_journal_admit(struct ll_journal *journal);
/*
 * After a false: is the next file on its way? Then it is worth while to ask again in a moment. If
 * not, the last try to make one failed: the disk is full, or journal_max is reached.
 */
bool ll_journal_room_soon(const struct ll_journal *journal);
/* After a false that became a refusal: ll_ledger_refuses tells until there is room again. */
void ll_journal_refuse(struct ll_journal *journal);
void ll_journal_release(struct ll_journal *journal);
/*
 * Appends under the room admitted before; when it returns LLMGR_OK, killing the process does not
 * lose the record. No system call, unless the journal goes over to its next file.
 */
LLMGR_MUST_CHECK llmgr_status ll_journal_append(struct ll_journal *journal,
                                                const struct ll_usage *usage,
                                                struct llmgr_error *err);

/* ---- Without a journal ----------------------------------------------------------------------- */

/* Straight into the database, one transaction; for hosts that call upstreams by themselves. */
LLMGR_MUST_CHECK llmgr_status ll_usage_add(struct lm_manager *manager, const struct ll_usage *usage,
                                           struct llmgr_error *err);

#endif
