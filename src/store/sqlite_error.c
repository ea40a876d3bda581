/* SPDX-License-Identifier: MIT */
/*
 * SQLite's result codes in our words: the status a caller acts on, the file it is about and what
 * to do. SQLite's own messages name tables and columns, never values, so they may be passed on.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/sqlite.h"

static llmgr_status constraint(const char *place, sqlite3 *db, int rc, struct llmgr_error *err)
{
    switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("%s already holds such an entry (%s); choose another name"), place,
                       sqlite3_errmsg(db));
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("%s no longer holds the entry this one belongs to; look it up again"),
                       place);
    default:
        return lb_fail(err, LLMGR_ERR_DATABASE, N_("%s refuses the value (%s)"), place,
                       sqlite3_errmsg(db));
    }
}

/* Reading failed or writing did; a device without room is told apart by what the system said. */
static llmgr_status input_output(const char *place, sqlite3 *db, int rc, struct llmgr_error *err)
{
    const bool of_index = rc == SQLITE_IOERR_SHMSIZE;
    /* Of the log's index SQLite does not keep what the system said; it still stands there. */
    int why = of_index ? errno : db != NULL ? sqlite3_system_errno(db) : 0;

    if (rc == SQLITE_IOERR_NOMEM || why == ENOMEM)
        return lb_fail_memory(err);
    if (why == EROFS)
        return lb_fail(err, LLMGR_ERR_DATABASE_READONLY,
                       N_("%s lies on a read-only file system; move it, or mount it writable"),
                       place);
    bool reading = rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_CORRUPTFS ||
                   rc == SQLITE_IOERR_FSTAT || rc == SQLITE_IOERR_ACCESS;
    bool full = why == ENOSPC || why == EDQUOT || why == EFBIG;
    if (of_index && (full || why == 0))
        return lb_fail(err, LLMGR_ERR_DATABASE_FULL,
                       N_("there is no space left for %s; free disk space and try again"), place);
    if (reading && !full)
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s cannot be read (%s); check the disk, and restore a backup if need "
                          "be"),
                       place, why != 0 ? strerror(why) : sqlite3_errstr(rc));
    if (why != 0 && !full)
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s cannot be written (%s); check the disk and try again"), place,
                       strerror(why));
    return lb_fail(err, LLMGR_ERR_DATABASE_FULL,
                   N_("%s cannot be written (%s); free disk space and try again"), place,
                   why != 0 ? strerror(why) : sqlite3_errstr(rc));
}

static llmgr_status cannot_open(const char *place, sqlite3 *db, struct llmgr_error *err)
{
    int why = db != NULL ? sqlite3_system_errno(db) : 0;
    const char *file = db != NULL ? sqlite3_db_filename(db, "main") : NULL;
    struct stat seen;

    if (why == ENOSPC || why == EDQUOT)
        return lb_fail(err, LLMGR_ERR_DATABASE_FULL,
                       N_("there is no space left for %s; free disk space and try again"), place);
    if (why == EMFILE || why == ENFILE)
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("cannot open the database %s (%s); raise the limit of open files"), place,
                       strerror(why));
    /* It is there, so what could not be opened is one of the files SQLite keeps beside it. */
    if (file != NULL && file[0] != '\0' && stat(file, &seen) == 0 && S_ISREG(seen.st_mode) &&
        access(file, R_OK) == 0)
        return lb_fail(err, LLMGR_ERR_DATABASE_READONLY,
                       N_("%s can be read, but nothing can be written beside it: its folder or "
                          "file system is read-only; make it writable, or move the database"),
                       place);
    return lb_fail(err, LLMGR_ERR_DATABASE,
                   N_("cannot open the database %s (%s); check its path and permissions"), place,
                   why != 0 ? strerror(why) : "not a plain file");
}

llmgr_status ls_sqlite_fail(const char *place, sqlite3 *db, int rc, struct llmgr_error *err)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return lb_fail(err, LLMGR_ERR_DATABASE_BUSY,
                       N_("%s is locked by another process; try again when it is done"), place);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return lb_fail(err, LLMGR_ERR_DATABASE_READONLY,
                       N_("%s may only be read; make the file and its folder writable for this "
                          "user"),
                       place);
    case SQLITE_FULL:
        return lb_fail(err, LLMGR_ERR_DATABASE_FULL,
                       N_("there is no space left for %s; free disk space and try again"), place);
    case SQLITE_IOERR:
        return input_output(place, db, rc, err);
    case SQLITE_CANTOPEN:
        return cannot_open(place, db, err);
    case SQLITE_CONSTRAINT:
        return constraint(place, db, rc, err);
    case SQLITE_CORRUPT:
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s is damaged; check it with \"llmgr db check\" and restore a backup"),
                       place);
    case SQLITE_NOTADB:
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s is not a SQLite database; give another file"), place);
    case SQLITE_TOOBIG:
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the value is too large for %s"), place);
    case SQLITE_NOMEM:
        return lb_fail_memory(err);
    default:
        return lb_fail(err, LLMGR_ERR_DATABASE, N_("%s: the database reports: %s"), place,
                       db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    }
}
