/* SPDX-License-Identifier: MIT */
/*
 * One attempt as bytes in a journal:
 *
 *     check 8 | size 4 | offset 4 | 12 counts of 8 | 2 numbers of 4 | 3 kinds, 6 lengths,
 *     3 zero | texts | zeroes up to a multiple of 8
 *
 * Counts, numbers, kinds and texts are those of usage.def, in its order; a length is one byte.
 *
 * in the machine's own byte order (a journal never leaves it). `check` is a sum of all that
 * follows, seeded with the journal file's own random id; `offset` is where in the file the record
 * stands. So neither zeroes, nor a half-written record, nor one of another file or another place
 * can be taken for a record.
 *
 * The sum keeps out what a crash, a disk or a copy leaves behind, not a forger: who can write into
 * the file can read its id there as well. Hence MurmurHash64A, at a third of the cost of SipHash.
 */
#ifndef LL_RECORD_H
#define LL_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "ledger/ledger.h"

enum {
    LL_RECORD_KEY_SIZE = 16,
    LL_RECORD_ALIGN = 8,
    LL_RECORD_FIXED = 16 + 12 * 8 + 8 + 12,
    LL_RECORD_TEXTS = 6,
    LL_RECORD_MAX = 768, /* of a tidy attempt: 132 + 64 + 255 + 80 + 120 + 64 + 32, rounded up */
};

/* What the records of one file are checked with. */
struct ll_record_key {
    unsigned char bytes[LL_RECORD_KEY_SIZE];
};

/* Writes a tidy attempt at `at`, where LL_RECORD_MAX bytes are free; returns its size. */
size_t ll_record_write(unsigned char *at, size_t offset, const struct ll_record_key *key,
                       const struct ll_usage *tidy);
/*
 * Reads the record at `offset` of a file's bytes; its texts point into them and are tidy, its
 * numbers may be any (ll_usage_tidy_numbers). Returns its size, or 0 if there is no whole and sound
 * record.
 */
size_t ll_record_read(const unsigned char *file, size_t file_size, size_t offset,
                      const struct ll_record_key *key, struct ll_usage *usage);
/* The size this attempt's record will have. */
size_t ll_record_size(const struct ll_usage *tidy);
/* The check of a record of `size` bytes, a multiple of LL_RECORD_ALIGN, whatever stands there. */
uint64_t ll_record_check(const unsigned char *record, size_t size, const struct ll_record_key *key);

#endif
