/* SPDX-License-Identifier: MIT */
/*
 * Journal files on disk. A file gets its name only when it is whole and locked, so a directory
 * never shows a journal that is being made. An orphan is read into memory rather than mapped: a
 * file that somebody cuts short is then a short file, not a signal.
 */
#include "ledger/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define SUFFIX ".journal"
#define UNFINISHED ".new"
enum { FILE_NAME_SIZE = LL_SEGMENT_NAME + sizeof SUFFIX + sizeof UNFINISHED, MODE = 0600 };

/* The head, as it stands in the file; the rest up to LL_SEGMENT_HEAD is zero. */
struct head {
    char magic[8];
    uint32_t byte_order;
    uint32_t head_size;
    uint64_t size;
    unsigned char key[LL_RECORD_KEY_SIZE];
    char ledger_id[LL_LEDGER_ID_SIZE];
    uint64_t check; /* SipHash of what stands before, under the key */
};

/* The digit is the form's: a record of other members, or checked otherwise, gets another. */
static const char MAGIC[8] = {'l', 'l', 'm', 'g', 'r', 'J', '2', '\n'};
static const uint32_t BYTE_ORDER_MARK = 0x01020304;

_Static_assert((int)crypto_shorthash_KEYBYTES == (int)LL_RECORD_KEY_SIZE, "the head's SipHash");
_Static_assert(sizeof(struct head) <= LL_SEGMENT_HEAD, "room for the head");

static uint64_t head_check(const struct head *head)
{
    uint64_t check;

    crypto_shorthash((unsigned char *)&check, (const unsigned char *)head,
                     offsetof(struct head, check), head->key);
    return check;
}

static llmgr_status fail_io(const char *what, const char *name, int why, struct llmgr_error *err)
{
    llmgr_status status =
        why == ENOSPC || why == EDQUOT || why == EFBIG ? LLMGR_ERR_DATABASE_FULL : LLMGR_ERR_IO;

    return lb_fail(err, status, N_("cannot %s the usage journal %s: %s"), what, name,
                   strerror(why));
}

static bool has_form(const char *file_name, const char *suffix)
{
    struct lb_str s = lb_cstr(file_name);

    if (s.size != LL_SEGMENT_NAME + strlen(suffix) || strcmp(s.p + LL_SEGMENT_NAME, suffix) != 0)
        return false;
    return strspn(s.p, "0123456789abcdef") == LL_SEGMENT_NAME;
}

bool ll_segment_is_journal(const char *file_name)
{
    return has_form(file_name, SUFFIX);
}

bool ll_segment_is_unfinished(const char *file_name)
{
    return has_form(file_name, SUFFIX UNFINISHED);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static int fill(struct ll_segment *segment, const char *ledger_id)
{
    struct head head = {
        .byte_order = BYTE_ORDER_MARK, .head_size = LL_SEGMENT_HEAD, .size = segment->size};

    memcpy(head.magic, MAGIC, sizeof head.magic);
    memcpy(head.key, segment->key.bytes, sizeof head.key);
    memcpy(head.ledger_id, ledger_id, sizeof head.ledger_id);
    head.check = head_check(&head);
    int why = posix_fallocate(segment->fd, 0, (off_t)segment->size);
    if (why != 0)
        return why;
    void *bytes = mmap(NULL, segment->size, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd, 0);
    if (bytes == MAP_FAILED)
        return errno;
    segment->bytes = bytes;
    /*
     * Else the first touch of a page reads ahead: megabytes are zeroed that nobody wants yet, as
     * one large page of the cache, which the next sync then writes whole.
     */
    (void)posix_madvise(bytes, segment->size, POSIX_MADV_RANDOM);
    memcpy(segment->bytes, &head, sizeof head);
    return fsync(segment->fd) == 0 ? 0 : errno;
}

static int make_file(struct ll_segment *segment, int dir, const char *ledger_id)
{
    char made[FILE_NAME_SIZE], name[FILE_NAME_SIZE];

    snprintf(made, sizeof made, "%s" SUFFIX UNFINISHED, segment->name);
    snprintf(name, sizeof name, "%s" SUFFIX, segment->name);
    segment->fd = openat(dir, made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE);
    if (segment->fd < 0)
        return errno;
    int why = flock(segment->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (why == 0)
        why = fill(segment, ledger_id);
    if (why == 0 && renameat(dir, made, dir, name) != 0)
        why = errno;
    if (why == 0 && fsync(dir) != 0)
        why = errno;
    if (why != 0) {
        (void)unlinkat(dir, made, 0);
        (void)unlinkat(dir, name, 0);
    }
    return why;
}

static void release(const struct lb_host *host, struct ll_segment *segment)
{
    if (segment->adopted)
        lb_free(host, segment->bytes);
    else if (segment->bytes != NULL)
        (void)munmap(segment->bytes, segment->size);
    /* The lock goes with the descriptor. */
    if (segment->fd >= 0)
        close(segment->fd);
    lb_free(host, segment);
}

llmgr_status ll_segment_make(const struct lb_host *host, int dir, size_t size,
                             const char *ledger_id, struct ll_segment **out,
                             struct llmgr_error *err)
{
    struct ll_segment *segment = lb_calloc(host, 1, sizeof *segment);

    if (segment == NULL)
        return lb_fail_memory(err);
    lb_list_init(&segment->link);
    segment->fd = -1;
    segment->size = size;
    randombytes_buf(segment->key.bytes, sizeof segment->key.bytes);
    sodium_bin2hex(segment->name, sizeof segment->name, segment->key.bytes,
                   sizeof segment->key.bytes);
    atomic_init(&segment->tail, LL_SEGMENT_HEAD);
    segment->synced = segment->taken = LL_SEGMENT_HEAD;
    segment->sure = true;
    int why = make_file(segment, dir, ledger_id);
    if (why != 0) {
        llmgr_status status = fail_io("make", segment->name, why, err);
        release(host, segment);
        return status;
    }
    *out = segment;
    return LLMGR_OK;
}

void ll_segment_free(const struct lb_host *host, int dir, struct ll_segment *segment, bool remove)
{
    char name[FILE_NAME_SIZE];

    if (segment == NULL)
        return;
    snprintf(name, sizeof name, "%s" SUFFIX, segment->name);
    if (remove)
        (void)unlinkat(dir, name, 0);
    release(host, segment);
}

/* ---- Syncing --------------------------------------------------------------------------------- */

/* What a process wrote through a shared mapping is dirty pages of the file like any other. */
llmgr_status ll_segment_sync(struct ll_segment *segment, struct llmgr_error *err)
{
    size_t tail = atomic_load_explicit(&segment->tail, memory_order_acquire);

    if (tail == segment->synced)
        return LLMGR_OK;
    if (fdatasync(segment->fd) != 0)
        return fail_io("sync", segment->name, errno, err);
    segment->synced = tail;
    return LLMGR_OK;
}

/* ---- Adopting -------------------------------------------------------------------------------- */

static bool read_all(int fd, unsigned char *bytes, size_t size)
{
    size_t at = 0;

    while (at < size) {
        ssize_t got = pread(fd, bytes + at, size - at, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

enum judgement { OURS, FOREIGN, BAD };

/* A head that is not bad says what the records are checked with. */
static enum judgement judge_head(struct ll_segment *segment, const char *ledger_id)
{
    struct head head;

    memcpy(&head, segment->bytes, sizeof head);
    if (memcmp(head.magic, MAGIC, sizeof head.magic) != 0 || head.byte_order != BYTE_ORDER_MARK ||
        head.head_size != LL_SEGMENT_HEAD || head_check(&head) != head.check)
        return BAD;
    memcpy(segment->key.bytes, head.key, sizeof segment->key.bytes);
    return memcmp(head.ledger_id, ledger_id, sizeof head.ledger_id) == 0 ? OURS : FOREIGN;
}

static llmgr_status read_orphan(const struct lb_host *host, struct ll_segment *segment,
                                const char *ledger_id, enum judgement *judgement,
                                struct llmgr_error *err)
{
    struct stat info;

    if (fstat(segment->fd, &info) != 0)
        return fail_io("read", segment->name, errno, err);
    *judgement = BAD;
    /* The one who drained it before us removed it while we were opening it. */
    if (info.st_nlink == 0)
        *judgement = FOREIGN;
    if (info.st_nlink == 0 || info.st_size < LL_SEGMENT_HEAD || info.st_size > LL_SEGMENT_MAX)
        return LLMGR_OK;
    segment->size = (size_t)info.st_size;
    segment->bytes = lb_alloc(host, segment->size);
    if (segment->bytes == NULL)
        return lb_fail_memory(err);
    if (!read_all(segment->fd, segment->bytes, segment->size))
        return fail_io("read", segment->name, errno != 0 ? errno : EIO, err);
    *judgement = judge_head(segment, ledger_id);
    return LLMGR_OK;
}

static void put_aside(const struct lb_host *host, int dir, const char *file_name)
{
    char bad[FILE_NAME_SIZE + 8];

    snprintf(bad, sizeof bad, "%s.bad", file_name);
    if (renameat(dir, file_name, dir, bad) == 0)
        lb_error(host, "the usage journal %s has no valid head and was renamed to %s", file_name,
                 bad);
}

llmgr_status ll_segment_adopt(const struct lb_host *host, int dir, const char *file_name,
                              const char *ledger_id, struct ll_segment **out,
                              struct llmgr_error *err)
{
    int fd = openat(dir, file_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    enum judgement judgement = FOREIGN;

    if (fd < 0)
        return errno == ENOENT ? LLMGR_OK : fail_io("open", file_name, errno, err);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return LLMGR_OK;
    }
    struct ll_segment *segment = lb_calloc(host, 1, sizeof *segment);
    if (segment == NULL) {
        close(fd);
        return lb_fail_memory(err);
    }
    lb_list_init(&segment->link);
    segment->fd = fd;
    segment->adopted = true;
    memcpy(segment->name, file_name, LL_SEGMENT_NAME);
    llmgr_status status = read_orphan(host, segment, ledger_id, &judgement, err);
    if (status != LLMGR_OK || judgement != OURS) {
        if (status == LLMGR_OK && judgement == BAD)
            put_aside(host, dir, file_name);
        release(host, segment);
        return status;
    }
    atomic_init(&segment->tail, segment->size);
    atomic_init(&segment->sealed, true);
    segment->taken = LL_SEGMENT_HEAD;
    *out = segment;
    return LLMGR_OK;
}
