/* SPDX-License-Identifier: MIT */
/*
 * One attempt as bytes in a journal:
 *
 *     check 8 | size 4 | offset 4 | 21 counts of 8 | 2 numbers of 4 | 3 kinds, 8 lengths,
 *     1 zero | texts | zeroes up to a multiple of 8
 *
 * Counts, numbers, kinds and texts are those of usage.def, in its order; a length is one byte. The
 * form before, which is still read, has the first 12 counts and 6 texts, and 3 zeroes.
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
    LL_RECORD_FIXED = 16 + 21 * 8 + 8 + 12,
    LL_RECORD_FIXED_MIN = 16 + 12 * 8 + 8 + 12, /* of the form before */
    LL_RECORD_TEXTS = 8,
    /* Of a tidy attempt: 204 + 64 + 255 + 80 + 120 + 64 + 32 + 32 + 3, rounded up. */
    LL_RECORD_MAX = 864,
};

/* What the records of one file hold. */
enum ll_form {
    LL_FORM_TOKENS, /* the release before */
    LL_FORM_COSTS,
    LL_FORM_COUNT,
    LL_FORM_NOW = LL_FORM_COUNT - 1 /* what is written */
};

/* What the records of one file are checked with, and what they hold. */
struct ll_record_key {
    unsigned char bytes[LL_RECORD_KEY_SIZE];
    enum ll_form form;
};

/* Writes a tidy attempt in today's form at `at`, where LL_RECORD_MAX bytes are free; returns its
 * size. */
size_t ll_record_write(unsigned char *at, size_t offset, const struct ll_record_key *key,
                       const struct ll_usage *tidy);
/*
 * Reads the record at `offset` of a file's bytes, of the key's form; its texts point into them and
 * are tidy, its numbers may be any (ll_usage_tidy_numbers). Returns its size, or 0 if there is no
 * whole and sound record.
 */
size_t ll_record_read(const unsigned char *file, size_t file_size, size_t offset,
                      const struct ll_record_key *key, struct ll_usage *usage);
/* The size this attempt's record will have. */
size_t ll_record_size(const struct ll_usage *tidy);
/* The check of a record of `size` bytes, a multiple of LL_RECORD_ALIGN, whatever stands there. */
uint64_t ll_record_check(const unsigned char *record, size_t size, const struct ll_record_key *key);

#endif
