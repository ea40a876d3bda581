/* SPDX-License-Identifier: MIT */
/*
 * A file that was put in the place of ours while we have ours open. Our connections would go on to
 * read and write what nobody sees any more, and new ones would take the write-ahead log of the file
 * before for that of the new one. So before a connection is used we look which file bears the name.
 * If it is another, all connections to the former are closed, its log is set aside, and only then
 * is the new one opened.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "store/sqlite.h"

enum { PATH_SIZE = 4096 + 16, LOOK_AGAIN_MS = 5 };

static bool same(const struct ls_file_seen *a, const struct stat *b)
{
    return a->device == b->st_dev && a->inode == b->st_ino;
}

static struct ls_file_seen seen(const struct stat *info)
{
    return (struct ls_file_seen){.device = info->st_dev, .inode = info->st_ino};
}

/* The file beside ours. Without memory of its own: it is asked for before each transaction. */
struct name {
    char text[PATH_SIZE];
};

static const char *beside(const struct ls_store *store, const char *suffix, struct name *name)
{
    snprintf(name->text, sizeof name->text, "%s%s", store->target, suffix);
    return name->text;
}

static void note_beside(const struct ls_store *store, const char *suffix, struct ls_file_seen *at)
{
    struct name name;
    struct stat info;

    if (stat(beside(store, suffix, &name), &info) == 0)
        *at = seen(&info);
}

/* Nobody else's: what bears the name now may have been put there with the new file. */
static bool is_left_over(const struct ls_store *store, const char *suffix,
                         const struct ls_file_seen *was, struct name *name)
{
    struct stat info;

    return was->inode != 0 && stat(beside(store, suffix, name), &info) == 0 && same(was, &info);
}

static llmgr_status set_aside(struct ls_store *store, struct llmgr_error *err)
{
    struct name from, to;
    int why = 0;

    if (is_left_over(store, "-wal", &store->log_seen, &from) &&
        rename(from.text, beside(store, "-wal.old", &to)) != 0)
        why = errno;
    if (why == 0 && is_left_over(store, "-shm", &store->index_seen, &from) &&
        unlink(from.text) != 0)
        why = errno;
    if (why == 0)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_DATABASE,
                   N_("%s is another file than before, and what SQLite left of that one cannot be "
                      "set aside (%s); stop, remove %s-wal and -shm, start"),
                   store->place, strerror(why), store->place);
}

/* Those that are in use are closed when they are given back. False: some still are. */
static bool close_former(struct ls_store *store)
{
    int64_t until_ms = lb_monotonic_ms() + store->options.busy_timeout_ms;
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};

    ls_pool_drop_idle(&store->readers);
    ls_pool_drop_idle(&store->writer);
    while (ls_pool_live(&store->readers) + ls_pool_live(&store->writer) != 0) {
        if (lb_monotonic_ms() >= until_ms)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static llmgr_status go_over(struct ls_store *store, const struct stat *info,
                            struct llmgr_error *err)
{
    atomic_fetch_add(&store->generation, 1);
    if (!close_former(store))
        return lb_fail(err, LLMGR_ERR_DATABASE_BUSY,
                       N_("%s is another file than before, and the former is still in use; try "
                          "again in a moment"),
                       store->place);
    llmgr_status status = set_aside(store, err);
    if (status != LLMGR_OK)
        return status;
    lb_warn(store->host, "%s is another file than before: it was opened anew", store->place);
    store->file_seen = seen(info);
    store->log_seen = store->index_seen = (struct ls_file_seen){0};
    store->ready_due = true;
    return LLMGR_OK;
}

static llmgr_status follow_locked(struct ls_store *store, struct llmgr_error *err)
{
    struct stat info;

    if (stat(store->target, &info) != 0) {
        if (store->file_seen.inode == 0)
            return LLMGR_OK; /* whoever opens it says what is wrong */
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("the database %s cannot be found any more (%s); put it back"),
                       store->place, strerror(errno));
    }
    if (store->file_seen.inode == 0)
        store->file_seen = seen(&info);
    if (!same(&store->file_seen, &info))
        return go_over(store, &info, err);
    note_beside(store, "-wal", &store->log_seen);
    note_beside(store, "-shm", &store->index_seen);
    return LLMGR_OK;
}

llmgr_status ls_sqlite_follow(struct ls_store *store, struct llmgr_error *err)
{
    if (store->kind != LS_SQLITE)
        return LLMGR_OK;
    pthread_mutex_lock(&store->file_lock);
    llmgr_status status = follow_locked(store, err);
    pthread_mutex_unlock(&store->file_lock);
    return status;
}

bool ls_sqlite_is_followed(struct ls_store *store)
{
    struct stat info;

    if (store->kind != LS_SQLITE)
        return true;
    pthread_mutex_lock(&store->file_lock);
    bool is = stat(store->target, &info) == 0 && same(&store->file_seen, &info);
    pthread_mutex_unlock(&store->file_lock);
    return is;
}
