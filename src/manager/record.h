/* SPDX-License-Identifier: MIT */
/*
 * One attempt as bytes in a journal:
 *
 *     check 8 | size 4 | offset 4 | 12 counts of 8 | attempt 4 | status 4 | 3 kinds, 6 lengths,
 *     3 zero | texts | zeroes up to a multiple of 8
 *
 * in the machine's own byte order (a journal never leaves it). `check` is SipHash-2-4 of all that
 * follows, under the journal file's own random id; `offset` is where in the file the record
 * stands. So neither zeroes, nor a half-written record, nor one of another file or another place
 * can be taken for a record.
 */
#ifndef LM_RECORD_H
#define LM_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "manager/ledger.h"

enum {
    LM_RECORD_KEY_SIZE = 16,
    LM_RECORD_ALIGN = 8,
    LM_RECORD_FIXED = 16 + 12 * 8 + 8 + 12,
    /* Texts: request id, user, platform, model, slot, endpoint; the lengths are bytes. */
    LM_RECORD_TEXTS = 6,
    LM_RECORD_MAX = 768, /* of a tidy attempt: 132 + 64 + 255 + 80 + 120 + 64 + 32, rounded up */
};

/* Writes a tidy attempt at `at`, where LM_RECORD_MAX bytes are free; returns its size. */
size_t lm_record_write(unsigned char *at, size_t offset, const unsigned char *key,
                       const struct lm_usage *tidy);
/*
 * Reads the record at `offset` of a file's bytes; its texts point into them and are tidy, its
 * numbers may be any (lm_usage_tidy_numbers). Returns its size, or 0 if there is no whole and sound
 * record.
 */
size_t lm_record_read(const unsigned char *file, size_t file_size, size_t offset,
                      const unsigned char *key, struct lm_usage *usage);
/* The size this attempt's record will have. */
size_t lm_record_size(const struct lm_usage *tidy);

#endif
