/* SPDX-License-Identifier: MIT */
/*
 * One file of a journal: "<32 hex digits>-3.journal" (".journal" in the form before), a head and
 * then records. Its blocks are reserved when it is made, so that a full disk is an error here and
 * no signal later; who has it open holds its lock, so that a file without one belongs to a dead
 * process.
 *
 * It bears the identity of its database: journals of another one that happen to lie in the same
 * directory are not taken in.
 */
#ifndef LL_SEGMENT_H
#define LL_SEGMENT_H

#include <stdatomic.h>

#include "base/host.h"
#include "base/list.h"
#include "ledger/record.h"

enum {
    LL_SEGMENT_HEAD = 128, /* bytes before the first record */
    LL_SEGMENT_NAME = 32,
    LL_SEGMENT_MIN = 4096,
    LL_SEGMENT_DEFAULT = 8 << 20,
    LL_SEGMENT_MAX = 64 << 20,
    LL_LEDGER_ID_SIZE = 32, /* hex digits */
};

struct ll_segment {
    struct lb_list link;
    int fd;
    unsigned char *bytes; /* mapped, or of an adopted one read into memory */
    size_t size;
    char name[LL_SEGMENT_NAME + 1]; /* under which the database knows it */
    struct ll_record_key key;
    bool adopted;
    _Atomic size_t tail; /* records end here; of an adopted one the file's size */
    atomic_bool sealed;  /* nothing will be appended any more */
    size_t synced;       /* the tending thread's, also the next */
    unsigned round;      /* the pass that has seen it */
    size_t taken;        /* the writer thread's: what stands before is in the database */
    bool sure;           /* the writer thread's: `taken` is what the database says */
};

/* A new file, locked, mapped and durable. ERR_DATABASE_FULL, ERR_IO. */
LLMGR_MUST_CHECK llmgr_status ll_segment_make(const struct lb_host *host, int dir, size_t size,
                                              const char *ledger_id, struct ll_segment **out,
                                              struct llmgr_error *err);
/*
 * Takes over a file, whose name is a journal's, if nobody holds it and it is of this ledger: *out
 * stays NULL if not. A file that is no journal is renamed to .bad and told once.
 */
LLMGR_MUST_CHECK llmgr_status ll_segment_adopt(const struct lb_host *host, int dir,
                                               const char *file_name, const char *ledger_id,
                                               struct ll_segment **out, struct llmgr_error *err);
/* Closes it; with `remove` the file goes as well. NULL is fine. */
void ll_segment_free(const struct lb_host *host, int dir, struct ll_segment *segment, bool remove);
/* What was appended so far survives a power cut once this has returned. */
LLMGR_MUST_CHECK llmgr_status ll_segment_sync(struct ll_segment *segment, struct llmgr_error *err);
/* Does the directory entry look like a journal, or like one that was never finished? */
bool ll_segment_is_journal(const char *file_name);
bool ll_segment_is_unfinished(const char *file_name);

#endif
