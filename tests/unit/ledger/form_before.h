/* SPDX-License-Identifier: MIT */
/* Records as the release before wrote them (the form TOKENS of record.h), made of today's. */
#ifndef FORM_BEFORE_H
#define FORM_BEFORE_H

#include <string.h>

#include "ledger/record.h"

enum {
    NOW_NUMBERS = 16 + 21 * 8,
    NOW_LENGTHS = NOW_NUMBERS + 8 + 3,
    BEFORE_NUMBERS = 16 + 12 * 8,
    BEFORE_LENGTHS = BEFORE_NUMBERS + 8 + 3,
    BEFORE_TEXTS = 6,
};

/* The same attempt, as far as that form tells of it, for `offset` of a file; returns its size. */
static inline size_t form_before(unsigned char *to, size_t offset, const unsigned char *now,
                                 const struct ll_record_key *key)
{
    size_t texts = 0;

    memset(to, 0, LL_RECORD_MAX);
    memcpy(to + 16, now + 16, BEFORE_NUMBERS - 16);
    memcpy(to + BEFORE_NUMBERS, now + NOW_NUMBERS, 8 + 3 + BEFORE_TEXTS);
    for (size_t i = 0; i < BEFORE_TEXTS; i++)
        texts += now[NOW_LENGTHS + i];
    memcpy(to + LL_RECORD_FIXED_MIN, now + LL_RECORD_FIXED, texts);
    const uint32_t head[2] = {(uint32_t)(LL_RECORD_FIXED_MIN + texts + LL_RECORD_ALIGN - 1) /
                                  LL_RECORD_ALIGN * LL_RECORD_ALIGN,
                              (uint32_t)offset};
    memcpy(to + 8, head, sizeof head);
    uint64_t check = ll_record_check(to, head[0], key);
    memcpy(to, &check, sizeof check);
    return head[0];
}

#endif
