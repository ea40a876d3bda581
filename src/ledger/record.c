/* SPDX-License-Identifier: MIT */
/* An attempt as bytes. See record.h for the form. */
#include "ledger/record.h"

#include <stdatomic.h>
#include <string.h>

#include "manager/manager.h"

enum {
    HEAD_SIZE = 16,
    CHECKED_FROM = 8,
#define LL_COUNT(name, kind) +1
    COUNTS = 0
#include "ledger/usage.def"
    ,
#define LL_NUMBER(name, kind) +1
    NUMBERS = 0
#include "ledger/usage.def"
    ,
#define LL_KIND(name, type, text) +1
    KINDS = 0
#include "ledger/usage.def"
    ,
#define LL_TEXT(name, max, always) +max
    TEXTS_MAX = 0
#include "ledger/usage.def"
    ,
    AT_COUNTS = HEAD_SIZE,
    AT_NUMBERS = AT_COUNTS + COUNTS * 8,
    AT_KINDS = AT_NUMBERS + NUMBERS * 4,
    AT_LENGTHS = AT_KINDS + KINDS,
};

/*
 * How many of each sort the records of a form hold: the first ones of usage.def. What a form does
 * not hold is unknown.
 */
static const struct layout {
    size_t counts;
    size_t numbers;
    size_t kinds;
    size_t texts;
    size_t fixed; /* bytes before the texts */
} LAYOUTS[LL_FORM_COUNT] = {
    [LL_FORM_TOKENS] = {12, NUMBERS, KINDS, 6, LL_RECORD_FIXED_MIN},
    [LL_FORM_COSTS] = {COUNTS, NUMBERS, KINDS, LL_RECORD_TEXTS, LL_RECORD_FIXED},
};

/* A member more is a new form of records. */
_Static_assert(AT_LENGTHS + LL_RECORD_TEXTS + 1 == LL_RECORD_FIXED,
               "the part of a record that all have");
_Static_assert(HEAD_SIZE + 12 * 8 + NUMBERS * 4 + KINDS + 6 + 3 == LL_RECORD_FIXED_MIN,
               "the same of the form before");
_Static_assert(LL_RECORD_FIXED + TEXTS_MAX + LL_RECORD_ALIGN <= LL_RECORD_MAX,
               "the longest record");

static const size_t TEXT_MAX[LL_RECORD_TEXTS] = {
#define LL_TEXT(name, max, always) max,
#include "ledger/usage.def"
};

/*
 * MurmurHash64A of the key's second half and then the bytes, whose size is a multiple of 8, seeded
 * with its first half. Each step is one-to-one, so a change within one word is always seen.
 */
static uint64_t murmur(const unsigned char *bytes, size_t size, const unsigned char *key)
{
    const uint64_t factor = UINT64_C(0xc6a4a7935bd1e995);
    uint64_t hash, word;

    memcpy(&hash, key, sizeof hash);
    memcpy(&word, key + sizeof hash, sizeof word);
    hash ^= (size + sizeof word) * factor;
    for (size_t at = 0;; at += sizeof word) {
        word *= factor;
        word ^= word >> 47;
        hash = (hash ^ word * factor) * factor;
        if (at >= size)
            break;
        memcpy(&word, bytes + at, sizeof word);
    }
    hash = (hash ^ hash >> 47) * factor;
    return hash ^ hash >> 47;
}

uint64_t ll_record_check(const unsigned char *record, size_t size, const struct ll_record_key *key)
{
    return murmur(record + CHECKED_FROM, size - CHECKED_FROM, key->bytes);
}

static size_t aligned(size_t size)
{
    return (size + LL_RECORD_ALIGN - 1) & ~(size_t)(LL_RECORD_ALIGN - 1);
}

size_t ll_record_size(const struct ll_usage *tidy)
{
    size_t size = LL_RECORD_FIXED;

#define LL_TEXT(name, max, always) size += tidy->name.size;
#include "ledger/usage.def"
    return aligned(size);
}

/* The check is written last: what is killed before has left no record. */
size_t ll_record_write(unsigned char *at, size_t offset, const struct ll_record_key *key,
                       const struct ll_usage *tidy)
{
    const int64_t counts[COUNTS] = {
#define LL_COUNT(name, kind) tidy->name,
#include "ledger/usage.def"
    };
    const int32_t numbers[NUMBERS] = {
#define LL_NUMBER(name, kind) tidy->name,
#include "ledger/usage.def"
    };
    const unsigned char kinds[KINDS] = {
#define LL_KIND(name, type, text) (unsigned char)tidy->name,
#include "ledger/usage.def"
    };
    const struct lb_str texts[LL_RECORD_TEXTS] = {
#define LL_TEXT(name, max, always) tidy->name,
#include "ledger/usage.def"
    };
    const uint32_t head[2] = {(uint32_t)ll_record_size(tidy), (uint32_t)offset};
    unsigned char *text = at + LL_RECORD_FIXED;

    memcpy(at + CHECKED_FROM, head, sizeof head);
    memcpy(at + AT_COUNTS, counts, sizeof counts);
    memcpy(at + AT_NUMBERS, numbers, sizeof numbers);
    memset(at + AT_KINDS, 0, LL_RECORD_FIXED - AT_KINDS);
    memcpy(at + AT_KINDS, kinds, sizeof kinds);
    for (size_t i = 0; i < LL_RECORD_TEXTS; i++) {
        at[AT_LENGTHS + i] = (unsigned char)texts[i].size;
        if (texts[i].size != 0)
            memcpy(text, texts[i].p, texts[i].size);
        text += texts[i].size;
    }
    memset(text, 0, (size_t)(at + head[0] - text));
    uint64_t check = ll_record_check(at, head[0], key);
    /* The compiler may not move it up; the processor's order is of no matter to a dead process. */
    atomic_signal_fence(memory_order_release);
    memcpy(at, &check, sizeof check);
    return head[0];
}

/* Does a text begin here? Inside of one that is valid, and behind it, that is no tail byte. */
static bool at_character(unsigned char byte)
{
    return (byte & 0xc0) != 0x80;
}

/*
 * The texts must fill the record but for its padding, each within its bound and valid UTF-8: they
 * are that if all of them together are and none begins within a character. The user is a name.
 */
static bool read_texts(const unsigned char *record, size_t size, const struct layout *layout,
                       struct ll_usage *usage)
{
    const unsigned char *lengths =
        record + HEAD_SIZE + layout->counts * 8 + layout->numbers * 4 + layout->kinds;
    struct lb_str *const to[LL_RECORD_TEXTS] = {
#define LL_TEXT(name, max, always) &usage->name,
#include "ledger/usage.def"
    };
    size_t at = layout->fixed;

    for (size_t i = 0; i < layout->texts; i++) {
        size_t length = lengths[i];
        if (length > TEXT_MAX[i] || length > size - at)
            return false;
        if (length != 0 && !at_character(record[at]))
            return false;
        *to[i] = lb_str((const char *)record + at, length);
        at += length;
    }
    const struct lb_str all = lb_str((const char *)record + layout->fixed, at - layout->fixed);
    return aligned(at) == size && lb_utf8_valid(all) && lb_utf8_name(usage->user, LM_USER_MAX);
}

static void read_counts(const unsigned char *record, const struct layout *layout,
                        struct ll_usage *usage)
{
    int64_t *const counts[COUNTS] = {
#define LL_COUNT(name, kind) &usage->name,
#include "ledger/usage.def"
    };
    const unsigned char *at = record + AT_COUNTS;

    for (size_t i = 0; i < layout->counts; i++, at += sizeof *counts[i])
        memcpy(counts[i], at, sizeof *counts[i]);
#define LL_NUMBER(name, kind)                                                                      \
    {                                                                                              \
        int32_t number;                                                                            \
        memcpy(&number, at, sizeof number);                                                        \
        usage->name = number;                                                                      \
        at += sizeof number;                                                                       \
    }
#include "ledger/usage.def"
#define LL_KIND(name, type, text) usage->name = (type)*at++;
#include "ledger/usage.def"
}

size_t ll_record_read(const unsigned char *file, size_t file_size, size_t offset,
                      const struct ll_record_key *key, struct ll_usage *usage)
{
    uint64_t check;
    uint32_t head[2];

    const struct layout *layout = &LAYOUTS[key->form];
    if (offset > file_size || file_size - offset < layout->fixed)
        return 0;
    const unsigned char *record = file + offset;
    memcpy(&check, record, sizeof check);
    memcpy(head, record + CHECKED_FROM, sizeof head);
    if (head[0] < layout->fixed || head[0] > LL_RECORD_MAX || head[0] % LL_RECORD_ALIGN != 0 ||
        head[0] > file_size - offset || head[1] != offset ||
        ll_record_check(record, head[0], key) != check)
        return 0;
    if (key->form != LL_FORM_NOW)
        ll_usage_init(usage);
    read_counts(record, layout, usage);
    return read_texts(record, head[0], layout, usage) ? head[0] : 0;
}
