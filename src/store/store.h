/* SPDX-License-Identifier: MIT */
/*
 * Rows. One face over SQLite and PostgreSQL: open a database, run statements of the one statement
 * table inside transactions, and keep the schema up to date.
 *
 *   static llmgr_status take(const struct ls_rows *row, void *context, struct llmgr_error *err)
 *   {
 *       return add(context, ls_column_text(row, 0)) ? LLMGR_OK : lb_fail_memory(err);
 *   }
 *   ...
 *   status = ls_begin(store, LS_READ, &tx, err);
 *   if (status != LLMGR_OK)
 *       return status;
 *   status = ls_each(tx, LS_SELECTION_SLOTS, LS_ARGS(ls_text(user)), take, &slots, err);
 *   ls_rollback(tx);                           the end of a reading transaction
 *
 * Statements are rows of store/statements.def; nothing outside this folder writes SQL. A new
 * statement is a new row there, and the unit test prepares it on both databases.
 *
 * Threads: a store serves many threads; a transaction and its rows belong to one thread at a time.
 * Every wait (for a connection, a lock, a server) is bounded in time.
 */
#ifndef LS_STORE_H
#define LS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"
#include "base/thread.h"
#include "llmgr.h"

struct ls_store;
struct ls_tx;

/* ---- The statement table --------------------------------------------------------------------- */

enum ls_statement {
#define LS_STATEMENT(name, args, columns, sql) LS_##name,
#define LS_STATEMENT2(name, args, columns, sqlite, postgres) LS_##name,
#define LS_STATEMENT_LEGACY(name, args, columns, sql) LS_##name,
#include "store/statements.def"
    LS_STATEMENT_COUNT
};

/* One argument of a statement. Text and bytes are borrowed until the call returns. */
struct ls_value {
    char type; /* 'i' integer, 't' text (UTF-8), 'b' bytes, 'n' null */
    union {
        int64_t integer;
        struct lb_str bytes; /* of 't' and 'b' */
    };
};

static inline struct ls_value ls_int(int64_t value)
{
    return (struct ls_value){.type = 'i', .integer = value};
}

static inline struct ls_value ls_text(struct lb_str s)
{
    return (struct ls_value){.type = 't', .bytes = s};
}

static inline struct ls_value ls_blob(const void *p, size_t size)
{
    return (struct ls_value){.type = 'b', .bytes = {(const char *)p, size}};
}

static inline struct ls_value ls_null(void)
{
    return (struct ls_value){.type = 'n'};
}

/* Text of a C string; NULL becomes null. */
static inline struct ls_value ls_cstr(const char *s)
{
    return s != NULL ? ls_text(lb_cstr(s)) : ls_null();
}

/* Text, bytes or a number of which there may be none: what is empty, or 0, becomes null. */
static inline struct ls_value ls_text_or_null(struct lb_str s)
{
    return s.size != 0 ? ls_text(s) : ls_null();
}

static inline struct ls_value ls_blob_or_null(struct lb_str s)
{
    return s.size != 0 ? ls_blob(s.p, s.size) : ls_null();
}

static inline struct ls_value ls_int_or_null(int64_t value)
{
    return value != 0 ? ls_int(value) : ls_null();
}

/* Text that may be left as it is (.p is NULL): only that becomes null, "" stays text. */
static inline struct ls_value ls_text_if_given(struct lb_str s)
{
    return s.p != NULL ? ls_text(s) : ls_null();
}

/* The (values, count) pair of a call. A statement without arguments is passed NULL, 0. */
#define LS_ARGS(...)                                                                               \
    (const struct ls_value[]){__VA_ARGS__},                                                        \
        sizeof((const struct ls_value[]){__VA_ARGS__}) / sizeof(struct ls_value)

/* ---- Opening --------------------------------------------------------------------------------- */

enum ls_migrate {
    LS_MIGRATE_AUTO,   /* an older schema, and a file of the Python original, is migrated */
    LS_MIGRATE_REFUSE, /* it is an error that names both versions and the remedy */
    LS_MIGRATE_LEAVE,  /* it is opened as it is, for ls_check, ls_backup and ls_migrate only */
};

/* An API key in clear text, found in a database made by the Python original. */
struct ls_legacy_key {
    bool is_own;        /* true: a user's key of a system platform; false: a platform's own */
    struct lb_str user; /* whose key; the platform's owner if !is_own */
    int64_t platform_id;
    struct lb_str base_url; /* of the platform; may be empty */
    struct lb_str api_key;  /* never empty; wiped from the database in the same transaction */
};

/*
 * Called once per clear-text key inside the migrating transaction, when the new tables are filled
 * and their api_key columns are still null: seal the key and store it with a statement in `tx`.
 * A failure abandons the migration; the database stays as it was.
 */
typedef llmgr_status (*ls_legacy_fn)(struct ls_tx *tx, const struct ls_legacy_key *key,
                                     void *context, struct llmgr_error *err);

struct ls_options {
    /*
     * sqlite:PATH, sqlite::memory:, a bare path, or postgres://... (postgresql://...) as libpq
     * takes it. A password in it is kept out of every message. An in-memory database has one
     * connection for reading and writing: one transaction at a time.
     */
    const char *url;
    int pool_size;            /* reading connections (SQLite) or all (PostgreSQL), 1-256; 0: 8 */
    int busy_timeout_ms;      /* bound of each wait for a connection or a lock; 0: 5000 */
    int statement_timeout_ms; /* PostgreSQL: bound of one statement; 0: 30000 */
    bool read_only;           /* LS_WRITE is refused; nothing is created or migrated */
    bool must_exist;          /* a missing SQLite file is LLMGR_ERR_NOT_FOUND, not created */
    bool no_backup;           /* skip the backup before a migration */
    enum ls_migrate migrate;
    const char *backup_dir; /* SQLite: for backups before a migration; NULL: beside the file */
    ls_legacy_fn on_legacy; /* NULL: a database with clear-text keys is refused */
    void *legacy_context;
};

/*
 * Opens (and creates or migrates, as the options say) the database. `host` must outlive the store.
 * Errors: LLMGR_ERR_DATABASE_NEWER names both schema versions; _BUSY, _READONLY, _FULL;
 * LLMGR_ERR_DATABASE for a file that is no database or a server that cannot be reached;
 * LLMGR_ERR_INVALID for a URL that is none; LLMGR_ERR_NOT_FOUND.
 */
LLMGR_MUST_CHECK llmgr_status ls_open(const struct lb_host *host, const struct ls_options *options,
                                      struct ls_store **out, struct llmgr_error *err);
/*
 * Connections that exist now serve no further transaction: some may lead to a server that no longer
 * leads. Of a file there is nothing to renew.
 */
void ls_renew(struct ls_store *store);
/* No transaction may be open. NULL is fine. */
void ls_close(struct ls_store *store);

/* The database's name for messages: the file, or "NAME at HOST"; never a password. */
const char *ls_place(const struct ls_store *store);

enum { LS_SERVER_HOST_MAX = 256 };

/* Where a database server was reached. */
struct ls_server {
    char host[LS_SERVER_HOST_MAX]; /* as the URL says; "" for a Unix socket and for a file */
    char address[64];              /* the address it led to; "" as above, or unknown */
    uint16_t port;                 /* 0: there is no server, the database is a file */
};
LLMGR_MUST_CHECK llmgr_status ls_server(struct ls_store *store, struct ls_server *server,
                                        struct llmgr_error *err);

/* The file of a SQLite database; NULL for one in memory and for PostgreSQL. */
const char *ls_file(const struct ls_store *store);

/* ---- Transactions ---------------------------------------------------------------------------- */

enum { LS_SOON_MS = 2000 };

enum ls_mode {
    LS_READ,         /* one consistent snapshot for all its statements */
    LS_READ_ONE,     /* for a single SELECT: no snapshot is held, which saves the round trips */
    LS_READ_SOON,    /* the same, where somebody waits for it: LS_SOON_MS in all, then it fails */
    LS_READ_CHANGES, /* as that, and it finds a connection when all are in use: one more is made */
    LS_WRITE,        /* writers are serialised over all processes: commit order is revision order */
    LS_WRITE_SOON,   /* the same, given up after LS_SOON_MS: what is tried again later */
    LS_REVOKE,       /* a write that takes power away: it may use the room kept on a full disk */
};

/*
 * After a failing statement a transaction can only be rolled back (ls_commit does so, and returns
 * the failure). LLMGR_ERR_DATABASE_BUSY: no connection or lock within busy_timeout_ms.
 */
LLMGR_MUST_CHECK llmgr_status ls_begin(struct ls_store *store, enum ls_mode mode,
                                       struct ls_tx **out, struct llmgr_error *err);
/* Ends the transaction whatever it returns. All rows must have been ended. */
LLMGR_MUST_CHECK llmgr_status ls_commit(struct ls_tx *tx, struct llmgr_error *err);
/* Ends the transaction and undoes it; always safe, NULL is fine. */
void ls_rollback(struct ls_tx *tx);

typedef llmgr_status (*ls_transact_fn)(struct ls_tx *tx, void *context, struct llmgr_error *err);
/*
 * begin, fn, commit; rollback if fn fails. Where the database asks for it (serialisation failure,
 * deadlock, connection lost before the commit) the whole is run again after a short random pause,
 * at most LS_TRIES times: fn must not keep anything of a try that failed. A full disk is tried
 * again once room was looked for: SQLite's log is emptied, and for LS_REVOKE the reserve is given
 * up.
 */
enum { LS_TRIES = 5 };
LLMGR_MUST_CHECK llmgr_status ls_transact(struct ls_store *store, enum ls_mode mode,
                                          ls_transact_fn fn, void *context,
                                          struct llmgr_error *err);

struct ls_store *ls_tx_store(struct ls_tx *tx);

/* ---- Statements ------------------------------------------------------------------------------ */

/*
 * The number and types of the values must be those of the statement table; anything else is our
 * own bug and gives LLMGR_ERR_INTERNAL. A broken unique constraint is LLMGR_ERR_CONFLICT.
 */

/* Runs a statement without result columns. *changed (may be NULL): rows inserted or changed. */
LLMGR_MUST_CHECK llmgr_status ls_exec(struct ls_tx *tx, enum ls_statement id,
                                      const struct ls_value *values, size_t count, int64_t *changed,
                                      struct llmgr_error *err);
/* Fills the arguments of one run of many; what they borrow must live as long as `context`. */
typedef void (*ls_fill_fn)(const void *context, size_t run, struct ls_value *values);
/*
 * Runs a statement without result columns `times` times, each with the arguments that `fill` gives
 * (as many as the statement table says). The same as so many ls_exec, but PostgreSQL is sent many
 * before it is asked for the first verdict, and SQLite reads plain inserts as the rows of one.
 * `rest` (may be NULL) is called between two runs.
 */
LLMGR_MUST_CHECK llmgr_status ls_exec_many(struct ls_tx *tx, enum ls_statement id, ls_fill_fn fill,
                                           const void *context, size_t times, lb_rest_fn rest,
                                           struct llmgr_error *err);
/* Runs an INSERT … RETURNING with one integer column, the new id. */
LLMGR_MUST_CHECK llmgr_status ls_insert(struct ls_tx *tx, enum ls_statement id,
                                        const struct ls_value *values, size_t count,
                                        int64_t *new_id, struct llmgr_error *err);

/* A result being read. The caller owns the struct; its fields are the store's. */
struct ls_rows {
    struct ls_tx *tx; /* NULL once ended */
    enum ls_statement id;
    const char *columns; /* types as in the statement table */
    int column_count;
    bool on_row;
    int at;       /* PostgreSQL: row reached */
    void *result; /* the driver's */
};

/*
 * Starts a statement with result columns. On success `rows` must be ended by ls_rows_end before
 * the transaction ends. The same statement may not be started again while its rows are open.
 */
LLMGR_MUST_CHECK llmgr_status ls_query(struct ls_tx *tx, enum ls_statement id,
                                       const struct ls_value *values, size_t count,
                                       struct ls_rows *rows, struct llmgr_error *err);
/* Moves to the next row: *found says whether there is one. */
LLMGR_MUST_CHECK llmgr_status ls_next(struct ls_rows *rows, bool *found, struct llmgr_error *err);
/* Takes one row of several; a failure, which it tells in `err`, is the last row that is read. */
typedef llmgr_status (*ls_row_fn)(const struct ls_rows *row, void *context,
                                  struct llmgr_error *err);
/* Calls `take` for each row of a statement with result columns, and ends its rows. */
LLMGR_MUST_CHECK llmgr_status ls_each(struct ls_tx *tx, enum ls_statement id,
                                      const struct ls_value *values, size_t count, ls_row_fn take,
                                      void *context, struct llmgr_error *err);
/* ls_each in a reading transaction of its own, which is run once: `mode` is none that writes. */
LLMGR_MUST_CHECK llmgr_status ls_read_each(struct ls_store *store, enum ls_mode mode,
                                           enum ls_statement id, const struct ls_value *values,
                                           size_t count, ls_row_fn take, void *context,
                                           struct llmgr_error *err);
/* Harmless when repeated, and on zeroed rows. */
void ls_rows_end(struct ls_rows *rows);
/* ls_query and the first ls_next in one; only if one is *found, the rows need ls_rows_end. */
LLMGR_MUST_CHECK llmgr_status ls_find(struct ls_tx *tx, enum ls_statement id,
                                      const struct ls_value *values, size_t count,
                                      struct ls_rows *rows, bool *found, struct llmgr_error *err);
/* The same for a row that is always there, as that of a count; after LLMGR_OK, ls_rows_end. */
LLMGR_MUST_CHECK llmgr_status ls_get(struct ls_tx *tx, enum ls_statement id,
                                     const struct ls_value *values, size_t count,
                                     struct ls_rows *rows, struct llmgr_error *err);

/*
 * The current row's columns, counted from 0. Slices live until the next ls_next or ls_rows_end.
 * A null reads as 0 or as an empty slice with .p == NULL. A column of another type or number is
 * our own bug: asserted, and read as null in release builds.
 */
int64_t ls_column_int(const struct ls_rows *rows, int column);
struct lb_str ls_column_text(const struct ls_rows *rows, int column);
struct lb_str ls_column_blob(const struct ls_rows *rows, int column);
bool ls_column_is_null(const struct ls_rows *rows, int column);

/* ---- Upkeep ---------------------------------------------------------------------------------- */

/* The schema this program writes. */
int64_t ls_schema_latest(void);
/* The schema of the database; 0 for an empty one or one of the Python original. */
LLMGR_MUST_CHECK llmgr_status ls_schema_version(struct ls_store *store, int64_t *version,
                                                struct llmgr_error *err);
/* Brings the schema to the latest; *from and *to (may be NULL) receive the versions. */
LLMGR_MUST_CHECK llmgr_status ls_migrate(struct ls_store *store, int64_t *from, int64_t *to,
                                         struct llmgr_error *err);
/*
 * An online copy, verified (integrity check, row counts), mode 0600. An existing file is
 * LLMGR_ERR_CONFLICT. PostgreSQL: LLMGR_ERR_INVALID, whose text names pg_dump.
 */
LLMGR_MUST_CHECK llmgr_status ls_backup(struct ls_store *store, const char *path,
                                        struct llmgr_error *err);

struct ls_check_report {
    const char *engine; /* "SQLite" or "PostgreSQL" */
    char version[64];   /* of the linked library, or of the server */
    int64_t schema_version;
    int64_t size_bytes; /* of the database; the write-ahead log not included */
    int64_t wal_bytes;  /* of SQLite's write-ahead log; 0 for PostgreSQL */
    bool sound;         /* integrity and foreign keys hold */
    char problem[256];  /* the first thing found if not sound */
    bool wal_reset_bug; /* the linked SQLite has the WAL-reset bug (fixed in 3.51.3) */
};

/* Reads the whole database. A damaged one is a report with sound == false, not an error. */
LLMGR_MUST_CHECK llmgr_status ls_check(struct ls_store *store, struct ls_check_report *report,
                                       struct llmgr_error *err);

#endif
