/* SPDX-License-Identifier: MIT */
/*
 * The file that keeps room. Its length is what counts, not its blocks: file systems that compress
 * or share blocks count those in their own way, and there no promise can be made at all.
 *
 * The file is opened by its name each time, so an operator who removes it in need is understood by
 * every process, and what stands there is judged before it is changed: a link, or a file of
 * somebody else's, is never written to.
 */
#include "store/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/host.h"
#include "store/driver.h"

enum { STEP = 64 << 10 };

void ls_reserve_measure(struct ls_store *store)
{
    struct statvfs about;
    uint64_t share = LS_RESERVE_SIZE;

    if (statvfs(store->target, &about) == 0)
        share = (uint64_t)about.f_blocks * about.f_frsize / LS_RESERVE_SHARE / STEP * STEP;
    if (share > LS_RESERVE_SIZE || share == 0) /* some file systems do not say how large they are */
        share = LS_RESERVE_SIZE;
    store->reserve_size = share < LS_RESERVE_LEAST ? LS_RESERVE_LEAST : (off_t)share;
}

static int open_file(const struct ls_store *store, int flags, off_t *size)
{
    struct stat about;
    int fd = open(store->reserve, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);

    if (fd < 0)
        return -1;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 1 &&
        about.st_size <= LS_RESERVE_SIZE) {
        *size = about.st_size;
        return fd;
    }
    close(fd);
    errno = EEXIST;
    return -1;
}

/* As SQLite does with the files it makes: root's must not be closed to those who own the database.
 */
static void give_to_owner(const struct ls_store *store, int fd)
{
    struct stat database;

    if (geteuid() == 0 && stat(store->target, &database) == 0)
        (void)!fchown(fd, database.st_uid, database.st_gid);
}

static bool is_full(int why)
{
    return why == ENOSPC || why == EDQUOT;
}

/* All at once, or as many steps as there is room for: 0, or why it is not whole. */
static int grow(int fd, off_t size, off_t whole)
{
    int why = posix_fallocate(fd, 0, whole);

    if (!is_full(why))
        return why;
    while (size < whole && posix_fallocate(fd, size, STEP) == 0)
        size += STEP;
    /* A file system may have lengthened the file before it found that there is no room. */
    (void)!ftruncate(fd, size);
    return size < whole ? why : 0;
}

/* To a process with a limit of file sizes a longer file would be a signal. */
static bool limit_allows(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           limit.rlim_cur >= LS_RESERVE_SIZE;
}

enum ls_reserve_state ls_reserve_fill(struct ls_store *store)
{
    off_t size = 0;

    if (store->reserve == NULL || !limit_allows())
        return LS_RESERVE_NONE;
    int fd = open_file(store, O_CREAT, &size);
    if (fd < 0)
        return is_full(errno) ? LS_RESERVE_SHORT : LS_RESERVE_NONE;
    if (size == 0)
        give_to_owner(store, fd);
    int why = size < store->reserve_size ? grow(fd, size, store->reserve_size) : 0;
    close(fd);
    if (why == 0)
        return LS_RESERVE_WHOLE;
    return is_full(why) ? LS_RESERVE_SHORT : LS_RESERVE_NONE;
}

bool ls_reserve_stands(struct ls_store *store)
{
    struct stat about;

    if (store->reserve == NULL)
        return true;
    if (stat(store->reserve, &about) == 0 && about.st_size >= store->reserve_size)
        return true;
    return ls_reserve_fill(store) != LS_RESERVE_SHORT;
}

bool ls_reserve_spend(struct ls_store *store, bool all)
{
    off_t size = 0;

    if (store->reserve == NULL)
        return false;
    int fd = open_file(store, 0, &size);
    if (fd < 0)
        return false;
    off_t left = all || size < LS_RESERVE_PART ? 0 : size - LS_RESERVE_PART;
    bool given = size > 0 && ftruncate(fd, left) == 0;
    /* Some file systems hand blocks out again only when it is on disk that they are free. */
    if (given)
        (void)fsync(fd);
    close(fd);
    return given;
}
