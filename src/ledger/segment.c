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

#define UNFINISHED ".new"
enum { FILE_NAME_SIZE = LL_SEGMENT_NAME + 16 + sizeof UNFINISHED, MODE = 0600 };

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

/*
 * The digit is the form's: a record of other members, or checked otherwise, gets another. So does
 * the file's name, since a release that does not know a form must leave its files to one that does.
 */
static const struct form {
    char magic[8];
    const char *suffix;
} FORMS[LL_FORM_COUNT] = {
    [LL_FORM_TOKENS] = {{'l', 'l', 'm', 'g', 'r', 'J', '2', '\n'}, ".journal"},
    [LL_FORM_COSTS] = {{'l', 'l', 'm', 'g', 'r', 'J', '3', '\n'}, "-3.journal"},
};
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

/* Is it such a file's name, but for `end`? */
static bool find_form(const char *file_name, const char *end, enum ll_form *form)
{
    char suffix[FILE_NAME_SIZE];

    if (strspn(file_name, "0123456789abcdef") != LL_SEGMENT_NAME)
        return false;
    for (int i = 0; i < LL_FORM_COUNT; i++) {
        snprintf(suffix, sizeof suffix, "%s%s", FORMS[i].suffix, end);
        *form = (enum ll_form)i;
        if (strcmp(file_name + LL_SEGMENT_NAME, suffix) == 0)
            return true;
    }
    return false;
}

bool ll_segment_is_journal(const char *file_name)
{
    enum ll_form form;

    return find_form(file_name, "", &form);
}

bool ll_segment_is_unfinished(const char *file_name)
{
    enum ll_form form;

    return find_form(file_name, UNFINISHED, &form);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static int fill(struct ll_segment *segment, const char *ledger_id)
{
    struct head head = {
        .byte_order = BYTE_ORDER_MARK, .head_size = LL_SEGMENT_HEAD, .size = segment->size};

    memcpy(head.magic, FORMS[segment->key.form].magic, sizeof head.magic);
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

static void name_file(const struct ll_segment *segment, const char *end, char name[FILE_NAME_SIZE])
{
    snprintf(name, FILE_NAME_SIZE, "%s%s%s", segment->name, FORMS[segment->key.form].suffix, end);
}

static int make_file(struct ll_segment *segment, int dir, const char *ledger_id)
{
    char made[FILE_NAME_SIZE], name[FILE_NAME_SIZE];

    name_file(segment, "", name);
    name_file(segment, UNFINISHED, made);
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
    segment->key.form = LL_FORM_NOW;
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
    name_file(segment, "", name);
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

/* A head that is not bad is of the name's form, and says what the records are checked with. */
static enum judgement judge_head(struct ll_segment *segment, const char *ledger_id)
{
    struct head head;

    memcpy(&head, segment->bytes, sizeof head);
    if (memcmp(head.magic, FORMS[segment->key.form].magic, sizeof head.magic) != 0 ||
        head.byte_order != BYTE_ORDER_MARK || head.head_size != LL_SEGMENT_HEAD ||
        head_check(&head) != head.check)
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
    (void)find_form(file_name, "", &segment->key.form);
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
