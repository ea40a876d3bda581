/* SPDX-License-Identifier: MIT */
/*
 * JSON text walked in place (RFC 8259), without a tree, recursion or memory.
 * A walk goes over the members of one object, or over the elements of one array; each value is
 * checked to its end and handed out as a span. Offsets are from the text's first byte.
 *
 *     struct lj_walk walk;
 *     lj_walk_start(&walk, text, at_the_brace);
 *     while (lj_walk_next(&walk, &member)) ...
 *     if (walk.why != NULL) ... it is malformed at walk.at
 *
 * Only UTF-8 and the pairing of surrogates are left unchecked, which change no structure.
 */
#ifndef LJ_SCAN_H
#define LJ_SCAN_H

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { LJ_DEPTH_MAX = 64 }; /* levels of nesting that a text may have */

/* A value's place; size 0: it is not there. */
struct lj_span {
    size_t at;
    size_t size;
};

/*
 * Names that somebody looks for at any depth. A name's last two letters and its size pass over
 * nearly all others without a call.
 */
struct lj_wanted {
    uint64_t sizes[64]; /* by LJ_ENDS: bit n, a name of n bytes may be one (63: or of more) */
    bool (*is)(struct lb_str name); /* asked of these, and of names that end beyond ASCII */
};

enum { LJ_WANTED_MIN = 5 }; /* bytes of such a name */

/* The factors keep the names of an ordinary chat apart from those that are looked for. */
#define LJ_ENDS(before, last) ((((last)&31) * 2 + ((before)&31) * 21) & 63)

struct lj_walk {
    const char *p;
    size_t size;
    size_t at;       /* where the scan stands; at the end, behind the closing brace */
    const char *why; /* what is malformed at `at`; NULL: nothing */
    size_t before;   /* private: where the member before ended, 0 at the first */
    unsigned level;  /* of the object itself, from 1 */
    bool done;
    const struct lj_wanted *wanted; /* NULL: nobody asks for the next two */
    bool hint;                      /* a name below the object's own may be a wanted one */
    bool ids;                       /* or is `id` */
};

struct lj_member {
    struct lb_str name; /* raw: between the quotes */
    bool escaped;       /* the name has escapes */
    size_t name_at;     /* of its opening quote */
    size_t before;      /* where the member before it ends; 0: it is the first */
    struct lj_span value;
};

/* Space (RFC 8259 section 2) from `at` on is skipped; returns where it ends. */
size_t lj_scan_space(const char *p, size_t at, size_t size);
/* The object opens at text.p[at]; `level`: how deep it is nested, 1 for a text of its own. */
void lj_walk_start(struct lj_walk *walk, struct lb_str text, size_t at, unsigned level);
/* True: *member is filled. False: the object ended, or why says what is wrong. */
bool lj_walk_next(struct lj_walk *walk, struct lj_member *member);

/* The same over an array, which opens at text.p[at]: its elements come without names. */
void lj_list_start(struct lj_walk *walk, struct lb_str text, size_t at, unsigned level);
bool lj_list_next(struct lj_walk *walk, struct lj_span *element);

/*
 * Decodes what stands between a string's quotes (checked by a walk). Returns the decoded size, or
 * SIZE_MAX: more than `max` bytes, or a surrogate without its other half.
 */
size_t lj_unescape(struct lb_str raw, char *out, size_t max);

/*
 * A member's name as parsers see it: the raw one, or decoded into `buf`. p NULL: it takes more than
 * `max` bytes, or is no text.
 */
struct lb_str lj_member_name(const struct lj_member *member, char *buf, size_t max);

/* Offset of the first quote, backslash or control character from `at` on, or `size`. */
static inline size_t lj_scan_string(const char *p, size_t at, size_t size)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i last = _mm_set1_epi8(0x1f);
    for (; size - at >= 16; at += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last), bytes);
        const __m128i hit = _mm_or_si128(
            low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
        const unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return at + (size_t)__builtin_ctz(mask);
    }
    if (size - at >= 8) { /* most strings are short; the upper half is zeros, which are not asked */
        const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(p + at));
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last), bytes);
        const __m128i hit = _mm_or_si128(
            low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
        const unsigned mask = (unsigned)_mm_movemask_epi8(hit) & 0xff;
        if (mask != 0)
            return at + (size_t)__builtin_ctz(mask);
        at += 8;
    }
#endif
    while (at < size && (unsigned char)p[at] >= 0x20 && p[at] != '"' && p[at] != '\\')
        at++;
    return at;
}

/*
 * Offset of the first quote or bracket from `at` on, or `size`. Setting bit 0x20 makes one of '['
 * and '{', and of ']' and '}', and leads to these from no other byte.
 */
static inline size_t lj_scan_nesting(const char *p, size_t at, size_t size)
{
#if defined(__SSE2__)
    const __m128i fold = _mm_set1_epi8(0x20);
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i open = _mm_set1_epi8('{');
    const __m128i close = _mm_set1_epi8('}');
    for (; size - at >= 16; at += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
        const __m128i folded = _mm_or_si128(bytes, fold);
        const __m128i bracket =
            _mm_or_si128(_mm_cmpeq_epi8(folded, open), _mm_cmpeq_epi8(folded, close));
        const __m128i hit = _mm_or_si128(bracket, _mm_cmpeq_epi8(bytes, quote));
        const unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return at + (size_t)__builtin_ctz(mask);
    }
#endif
    while (at < size && p[at] != '"' && (p[at] | 0x20) != '{' && (p[at] | 0x20) != '}')
        at++;
    return at;
}

/* Bits of the bytes of p[0, 64) that lj_scan_string would stop at. */
static inline uint64_t lj_scan_block(const char *p)
{
    uint64_t bits = 0;

#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i last = _mm_set1_epi8(0x1f);
    for (unsigned i = 0; i < 64; i += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last), bytes);
        const __m128i hit = _mm_or_si128(
            low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(hit) << i;
    }
#else
    for (unsigned i = 0; i < 64; i++)
        bits |= (uint64_t)((unsigned char)p[i] < 0x20 || p[i] == '"' || p[i] == '\\') << i;
#endif
    return bits;
}

/* Might this name, without escapes, be a wanted one? */
static inline bool lj_is_wanted(const struct lj_wanted *wanted, struct lb_str name)
{
    if (name.size < LJ_WANTED_MIN)
        return false;
    const char *last = name.p + name.size - 1;
    const size_t size = name.size < 63 ? name.size : 63;
    if (((unsigned char)last[0] | (unsigned char)last[-1] | (unsigned char)last[-2]) < 0x80 &&
        (wanted->sizes[LJ_ENDS(last[-1], last[0])] >> size & 1) == 0)
        return false;
    return wanted->is(name);
}

static inline struct lb_str lj_span_of(struct lb_str text, struct lj_span span)
{
    return lb_str(text.p + span.at, span.size);
}

#endif
