/* SPDX-License-Identifier: MIT */
/* What the files of the SQLite driver share. Private to store/sqlite*.c and its tests. */
#ifndef LS_SQLITE_H
#define LS_SQLITE_H

#include <sqlite3.h>

#include "store/driver.h"

enum sqlite_control {
    CONTROL_BEGIN,
    CONTROL_BEGIN_WRITE,
    CONTROL_COMMIT,
    CONTROL_ROLLBACK,
    CONTROL_COUNT
};

struct sqlite_conn {
    struct ls_conn base;
    sqlite3 *db;
    sqlite3_stmt *controls[CONTROL_COUNT];
    sqlite3_stmt *statements[LS_STATEMENT_COUNT]; /* prepared when first used */
    sqlite3_stmt *many[LS_STATEMENT_COUNT];       /* their forms for many runs, likewise */
};

static inline struct sqlite_conn *sqlite_conn(struct ls_conn *conn)
{
    return (struct sqlite_conn *)(void *)conn;
}

/* Says what SQLite's result code means for `place`; `db` may be NULL. Returns the status. */
llmgr_status ls_sqlite_fail(const char *place, sqlite3 *db, int rc, struct llmgr_error *err);

/* Where text or bytes begin: for SQLite a null pointer would be null where the empty text is meant.
 */
static inline const char *ls_sqlite_bytes(const struct ls_value *value)
{
    return value->bytes.p != NULL ? value->bytes.p : "";
}

/* Opens an existing file with every protective setting; on failure *out is NULL. */
LLMGR_MUST_CHECK llmgr_status ls_sqlite_open(const char *path, const char *place, int flags,
                                             int busy_timeout_ms, sqlite3 **out,
                                             struct llmgr_error *err);
/* Makes an empty file of mode 0600, whatever the umask. *created: false if it was there. */
LLMGR_MUST_CHECK llmgr_status ls_sqlite_create_file(const char *path, bool *created,
                                                    struct llmgr_error *err);

/* Has this SQLite (a sqlite3_libversion_number()) the WAL-reset bug? */
bool ls_sqlite_wal_reset_bug(int version);

/* Many runs of a statement as one (sqlite_many.c): once per connection that writes, returns
 * SQLite's code; whether it has the form for it; the runs themselves. */
LLMGR_MUST_CHECK int ls_sqlite_many_init(sqlite3 *db);
bool ls_sqlite_many_can(enum ls_statement id);
LLMGR_MUST_CHECK llmgr_status ls_sqlite_many(struct sqlite_conn *conn, const struct ls_runs *runs,
                                             struct llmgr_error *err);

/* Copies what `source` sees now into a new file `path` and verifies the copy. */
LLMGR_MUST_CHECK llmgr_status ls_sqlite_copy(struct ls_store *store, sqlite3 *source,
                                             const char *path, struct llmgr_error *err);
llmgr_status ls_sqlite_backup(struct ls_conn *conn, const char *path, struct llmgr_error *err);
llmgr_status ls_sqlite_backup_before(struct ls_conn *conn, int64_t version, bool clear_text,
                                     struct llmgr_error *err);
llmgr_status ls_sqlite_check(struct ls_conn *conn, struct ls_check_report *report,
                             struct llmgr_error *err);

/* A file in the place of ours (sqlite_exchange.c). */
LLMGR_MUST_CHECK llmgr_status ls_sqlite_follow(struct ls_store *store, struct llmgr_error *err);
/* Is the file that bears the name the one that was looked at? */
bool ls_sqlite_is_followed(struct ls_store *store);

#endif
