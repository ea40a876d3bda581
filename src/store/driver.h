/* SPDX-License-Identifier: MIT */
/*
 * What a database must be able to do, and the parts both drivers share: the connection with its
 * one transaction, the bounded pool, the statement table. Private to store/.
 *
 *   store.c, tx.c, migrate.c     know no database
 *   sqlite*.c, postgres*.c       are siblings behind struct ls_driver
 */
#ifndef LS_DRIVER_H
#define LS_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "store/store.h"

/* Waiting for another process to finish a migration (and its backup) takes longer than a lock. */
enum { LS_MIGRATE_WAIT_MS = 120000 };
enum { LS_ARGS_MAX = 36 };

struct ls_tx {
    struct ls_conn *conn;
    enum ls_mode mode;
    llmgr_status failed; /* sticks: only rollback is left */
    bool retry;          /* the failure asks for the whole transaction to be run again */
    int open_rows;
};

/* The head of each driver's connection. Used by one thread at a time: whoever took it. */
struct ls_conn {
    struct ls_store *store;
    struct ls_pool *pool;
    unsigned generation; /* the store's when it was opened */
    int64_t made_ms;     /* coarse monotonic clock */
    int64_t until_ms;    /* monotonic: when its transaction is given up; 0: as the options say */
    struct ls_tx tx;
};

static inline bool ls_mode_writes(enum ls_mode mode)
{
    return mode == LS_WRITE || mode == LS_WRITE_SOON || mode == LS_REVOKE;
}

/* At most `max` connections, opened when first needed, the most recently used taken first. */
struct ls_pool {
    struct ls_store *store;
    bool writer; /* SQLite: its connections may write */
    int max;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    int live; /* open, or being opened */
    int idle_count;
    struct ls_conn **idle;
};

LLMGR_MUST_CHECK llmgr_status ls_pool_open(struct ls_pool *pool, struct ls_store *store, int max,
                                           bool writer, struct llmgr_error *err);
void ls_pool_close(struct ls_pool *pool); /* harmless on a zeroed pool */
LLMGR_MUST_CHECK llmgr_status ls_pool_take(struct ls_pool *pool, struct ls_conn **out,
                                           struct llmgr_error *err);
/* Waits until the monotonic `until_ms` at most; 0: for the busy timeout. `more`: beyond `max`. */
LLMGR_MUST_CHECK llmgr_status ls_pool_take_until(struct ls_pool *pool, int64_t until_ms, int more,
                                                 struct ls_conn **out, struct llmgr_error *err);
void ls_pool_drop_idle(struct ls_pool *pool);
int ls_pool_live(struct ls_pool *pool);
void ls_pool_give(struct ls_conn *conn); /* a broken connection is closed, not kept */

enum ls_kind { LS_SQLITE, LS_SQLITE_MEMORY, LS_POSTGRES };

/* Which file it was that bore a name; inode 0: not seen. */
struct ls_file_seen {
    dev_t device;
    ino_t inode;
};

struct ls_store {
    const struct lb_host *host;
    const struct ls_driver *driver;
    enum ls_kind kind;
    char *target;  /* the file's path, or libpq's connection string: may hold a password */
    char *place;   /* for messages */
    char *reserve; /* SQLite: the file that keeps room (reserve.h); NULL: none */
    off_t reserve_size;
    char *backup_dir;
    char *backup_made;         /* by the migration under way; SQLite */
    struct ls_options options; /* defaults filled in; .url and .backup_dir are NULL */
    atomic_uint generation;    /* connections of an earlier one are closed, not used */
    pthread_mutex_t file_lock; /* SQLite: of the next four (sqlite_exchange.c) */
    struct ls_file_seen file_seen;
    struct ls_file_seen log_seen;   /* beside it: -wal */
    struct ls_file_seen index_seen; /* and -shm */
    atomic_bool ready_due;          /* the next writer makes the file ready */
    struct ls_pool readers;
    struct ls_pool writer; /* SQLite's one writing connection; unused by the others */
};

/* The pool a transaction of this mode takes its connection from. */
struct ls_pool *ls_store_pool(struct ls_store *store, enum ls_mode mode);

struct ls_runs;

struct ls_driver {
    const char *engine;
    /* SQL that counts those of our tables that exist; %s is a list of quoted names. */
    const char *count_tables;
    /* Does the database hold anything worth a backup? A number, 0 if not. */
    const char *count_anything;

    /* `soon`: somebody waits; a server that does not answer is given up early. */
    llmgr_status (*connect)(struct ls_store *store, bool writer, bool soon, struct ls_conn **out,
                            struct llmgr_error *err);
    void (*disconnect)(struct ls_conn *conn);
    /* Before a connection is taken: goes over to a file that was put in the place of ours. */
    llmgr_status (*follow)(struct ls_store *store, struct llmgr_error *err); /* or NULL */
    bool (*usable)(struct ls_conn *conn); /* asked before a kept connection is used again */

    /* Once per opening, before the first write: SQLite's journal mode. */
    llmgr_status (*ready)(struct ls_conn *conn, struct llmgr_error *err);
    llmgr_status (*begin)(struct ls_conn *conn, enum ls_mode mode, struct llmgr_error *err);
    llmgr_status (*commit)(struct ls_conn *conn, struct llmgr_error *err);
    void (*rollback)(struct ls_conn *conn);
    /* A write transaction that excludes every other migration, and waits longer. */
    llmgr_status (*begin_migration)(struct ls_conn *conn, struct llmgr_error *err);
    /* After its commit or rollback: a migration that was undone needs no backup. */
    void (*end_migration)(struct ls_conn *conn, bool committed);

    /* Starts a statement; arguments were checked. exec also finishes it. */
    llmgr_status (*exec)(struct ls_conn *conn, enum ls_statement id, const struct ls_value *values,
                         size_t count, int64_t *changed, struct llmgr_error *err);
    llmgr_status (*exec_many)(struct ls_conn *conn, const struct ls_runs *runs,
                              struct llmgr_error *err);
    llmgr_status (*query)(struct ls_conn *conn, const struct ls_value *values, size_t count,
                          struct ls_rows *rows, struct llmgr_error *err);
    /* Moves to the next row; *found is set on success: there is one. */
    llmgr_status (*next)(struct ls_conn *conn, struct ls_rows *rows, bool *found,
                         struct llmgr_error *err);
    /* .type is 'i', 't', 'b' or 'n' as found; slices live until the next next or end. */
    struct ls_value (*column)(const struct ls_rows *rows, int column);
    void (*end)(struct ls_rows *rows);

    /* Prepares a statement and counts its parameters and columns; for the unit test. */
    llmgr_status (*describe)(struct ls_conn *conn, enum ls_statement id, int *args, int *columns,
                             struct llmgr_error *err);
    /* Any number of statements without arguments or results. */
    llmgr_status (*script)(struct ls_conn *conn, const char *sql, struct llmgr_error *err);
    /* The first column of the first row; 0 if there is none or it is null. */
    llmgr_status (*number)(struct ls_conn *conn, const char *sql, int64_t *out,
                           struct llmgr_error *err);

    /* Inside begin_migration: a verified copy of what is there; logs where it is. */
    llmgr_status (*backup_before)(struct ls_conn *conn, int64_t version, bool clear_text,
                                  struct llmgr_error *err);
    llmgr_status (*backup)(struct ls_conn *conn, const char *path, struct llmgr_error *err);
    llmgr_status (*check)(struct ls_conn *conn, struct ls_check_report *report,
                          struct llmgr_error *err);
    /* Where the connection's server is; NULL: a file. */
    void (*server)(const struct ls_conn *conn, struct ls_server *server);
    /* Removes what deleted rows left behind in the files; outside a transaction. */
    llmgr_status (*scrub)(struct ls_conn *conn, struct llmgr_error *err);
    /* Frees what space it can after LLMGR_ERR_DATABASE_FULL; outside a transaction. */
    void (*relieve)(struct ls_conn *conn);
};

/* Many runs of one statement; the arguments of each are made, and checked, when its turn comes. */
struct ls_runs {
    struct ls_tx *tx;
    enum ls_statement id;
    size_t count; /* arguments of each */
    size_t times;
    ls_fill_fn fill;
    const void *context;
    lb_rest_fn rest;
};
/* The arguments of a run, which are asked for in order (tx.c). */
LLMGR_MUST_CHECK llmgr_status ls_runs_fill(const struct ls_runs *runs, size_t run,
                                           struct ls_value values[LS_ARGS_MAX],
                                           struct llmgr_error *err);

extern const struct ls_driver LS_SQLITE_DRIVER;
extern const struct ls_driver LS_POSTGRES_DRIVER;

/* ---- The statement table, as rows ---- */

struct ls_statement_row {
    const char *name;
    const char *args;
    const char *columns;
    const char *sqlite;
    const char *postgres;
    bool legacy;
};
extern const struct ls_statement_row LS_STATEMENTS[LS_STATEMENT_COUNT];

/* ---- The schema (migrate.c) ---- */

/* Our tables, parents first. */
extern const char *const LS_TABLES[];
extern const size_t LS_TABLE_COUNT;

enum ls_shape {
    LS_SHAPE_NONE,   /* none of our tables */
    LS_SHAPE_LEGACY, /* the Python original's four */
    LS_SHAPE_OURS,
};
LLMGR_MUST_CHECK llmgr_status ls_schema_read(struct ls_conn *conn, enum ls_shape *shape,
                                             int64_t *version, struct llmgr_error *err);
/* Brings the schema to the latest; conn is a writing connection outside a transaction. */
LLMGR_MUST_CHECK llmgr_status ls_schema_migrate(struct ls_conn *conn, struct llmgr_error *err);

/* Rewrites the file once after keys in clear text were removed from it (store.c). */
LLMGR_MUST_CHECK llmgr_status ls_schema_scrub(struct ls_conn *conn, struct llmgr_error *err);

/* ---- The Python original (legacy.c): before and after the tables of version 1 are made ---- */

LLMGR_MUST_CHECK llmgr_status ls_legacy_rename(struct ls_conn *conn, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status ls_legacy_copy(struct ls_conn *conn, struct llmgr_error *err);

/* No snapshot is held between the statements. */
static inline bool ls_is_single(enum ls_mode mode)
{
    return mode == LS_READ_ONE || mode == LS_READ_SOON || mode == LS_READ_CHANGES;
}

/* Opens a transaction struct on a connection that is inside one already (migrations). */
struct ls_tx *ls_tx_on(struct ls_conn *conn, enum ls_mode mode);

/* ---- Names of databases (url.c) ---- */

struct ls_url {
    enum ls_kind kind;
    char *target;
    char *place;
};
LLMGR_MUST_CHECK llmgr_status ls_url_parse(const struct lb_host *host, const char *text,
                                           struct ls_url *url, struct llmgr_error *err);
void ls_url_free(const struct lb_host *host, struct ls_url *url);

#endif
